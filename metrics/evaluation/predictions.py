"""Prediction files of any origin: our Parquet, the artifact's CSV (with or without scores), SemEval-2024 JSON.

A table of pairs needs one row a candidate with a dialogue, a target turn, a cause turn, and what the system says:
``prob_<class>`` columns (or ``prob_<class>`` beside ``pred_id``), or ``pred_id`` alone. Parquet and CSV take the same
columns, in these spellings:

============= =================================================================================================
column        also found as
============= =================================================================================================
dialogue_id
target_turn   target_emotion_turn, emotion_turn
cause_turn    candidate_turn, candidate_cause_turn
label         gold_id (the gold class id, where the file has it)
pred_id       prediction (the system's own decision)
============= =================================================================================================
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError, UsageError, did_you_mean
from iemomecp_dataset.files import atomic_write
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS, canonical_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "METADATA_KEY",
    "CandidatePredictions",
    "PredictionFacts",
    "Predictions",
    "read_candidate_predictions",
    "read_predictions",
    "write_predictions",
]

_ALIASES = {
    "dialogue_id": ("dialogue_id",),
    "target_turn": ("target_turn", "target_emotion_turn", "emotion_turn"),
    "cause_turn": ("cause_turn", "candidate_turn", "candidate_cause_turn"),
    "label": ("label", "gold_id"),
    "prediction": ("pred_id", "prediction"),
}
_METADATA_KEY = b"iemomecp"
_OF_THREE_ROLES = ("3class", "overlay")
_CHUNK = re.compile(r"__c\d+$")


@dataclass(frozen=True)
class PredictionFacts:
    """What a file says about itself; ``None`` where it does not.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        threshold: The run's decision threshold; ``None``: it takes the most probable class.
        threshold_chosen_on: Where that was searched.
        missed_positives: Gold pairs that are no candidates.
        data_fingerprint: Of the split the run was made on.
        synthetic: Whether the data is synthetic.
        definition: Letter of the definition the run is scored by.
        forward_pairs: How pairs with a future cause are treated.
        candidates: The candidate space, ``all`` or ``past``, of corpora other than IEMO-MECP.
        run_name: Name of the run.
    """

    corpus: str | None = None
    config_name: str | None = None
    split: str | None = None
    threshold: float | None = None
    threshold_chosen_on: str | None = None
    missed_positives: int | None = None
    data_fingerprint: str | None = None
    synthetic: bool | None = None
    definition: str | None = None
    forward_pairs: str | None = None
    candidates: str | None = None
    run_name: str | None = None


@dataclass(frozen=True)
class CandidatePredictions:
    """One system's word on a list of candidates, one entry a pair, in the order of the file.

    Attributes:
        path: The file.
        class_names: Classes by id.
        dialogue_ids: ``(n,)`` str.
        source_dialogue_ids: ``(n,)`` str, the unit to resample: the file's own column, else the dialogue id without a
            chunk suffix ``__c<number>``.
        target_turns: ``(n,)`` int64.
        cause_turns: ``(n,)`` int64.
        labels: ``(n,)`` int64 gold class ids, or ``None``.
        probabilities: ``(n, C)`` float64, or ``None`` where the file has no scores, or not for all rows.
        decisions: ``(n,)`` int64, the system's own decision, or ``None``.
        n_unscored: Rows without scores, or that the file says the model did not score.
        facts: What the file says about itself.
    """

    path: Path
    class_names: tuple[str, ...]
    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    probabilities: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    n_unscored: int = 0
    facts: PredictionFacts = field(default_factory=PredictionFacts)

    def __len__(self) -> int:
        return len(self.dialogue_ids)


def read_candidate_predictions(
    path: str | Path, *, split: str | None = None, run_name: str | None = None, config_name: str | None = None
) -> CandidatePredictions:
    """Reads a Parquet or CSV file of pairs.

    Args:
        path: The file; ``.parquet``, or ``.csv``.
        split: The split to take from a file that holds several.
        run_name: The run to take from a file that holds several.
        config_name: The configuration that it is of, where that is known: decisions alone may not show every class.

    Returns:
        Its pairs.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: Columns are missing or hold something else than they must.
        UsageError: It holds several splits or runs and none was chosen, or another than those.
    """
    path = Path(path)
    table, metadata = _read_table(path)
    names = {wanted: next((name for name in found if name in table), None) for wanted, found in _ALIASES.items()}
    missing = [wanted for wanted in ("dialogue_id", "target_turn", "cause_turn") if names[wanted] is None]
    if missing:
        raise InvalidDataError(
            f"{path}: no column for {', '.join(missing)} (looked for "
            f"{'; '.join(', '.join(_ALIASES[wanted]) for wanted in missing)}). It has {', '.join(map(str, table))}."
        )
    for column, wanted in (("split", split), ("run_name", run_name)):
        table = _one_of(path, table, column, wanted)
    class_names = _class_names(path, table, metadata, config_name)
    probabilities, n_unscored = _probabilities(path, table, class_names)
    if "scored_by_model" in table:
        flags = table["scored_by_model"].astype(str).str.lower().isin(("true", "1", "1.0", "yes"))
        n_unscored = max(n_unscored, int((~flags).sum()))
    decisions = None if names["prediction"] is None else _ids(path, table, names["prediction"], class_names, "pred")
    if probabilities is None and decisions is None:
        raise InvalidDataError(
            f"{path}: nothing says what the system predicts; give a column prob_<class> for each of "
            f"{', '.join(class_names)}, or a column pred_id."
        )
    dialogues = table[names["dialogue_id"]].astype(str).to_numpy().astype(np.str_)
    return CandidatePredictions(
        path=path,
        class_names=class_names,
        dialogue_ids=dialogues,
        source_dialogue_ids=(
            table["source_dialogue_id"].astype(str).to_numpy().astype(np.str_)
            if "source_dialogue_id" in table
            else _source_dialogues(dialogues)
        ),
        target_turns=_turns(path, table, names["target_turn"]),
        cause_turns=_turns(path, table, names["cause_turn"]),
        labels=None if names["label"] is None else _ids(path, table, names["label"], class_names, "gold"),
        probabilities=probabilities,
        decisions=decisions,
        n_unscored=n_unscored,
        facts=_facts(table, metadata),
    )


def _read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingDataError(
            f"{path} is not there, or is no file. Give a .parquet, .csv or .json file of predictions."
        )
    if path.suffix == ".parquet":
        try:
            arrow = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise InvalidDataError(f"{path} cannot be read as Parquet: {error}.") from None
        stored = (arrow.schema.metadata or {}).get(_METADATA_KEY)
        try:
            metadata = json.loads(stored) if stored else {}
        except json.JSONDecodeError as error:
            raise InvalidDataError(f"{path}: its metadata under 'iemomecp' is not JSON: {error}.") from None
        table = arrow.to_pandas()
    elif path.suffix == ".csv":
        try:
            # Ids may look like numbers and must not become them. Arrow keeps every digit of the scores.
            as_text = dict.fromkeys(("dialogue_id", "source_dialogue_id", "run_name", "split"), pa.string())
            table = arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(column_types=as_text)).to_pandas()
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise InvalidDataError(f"{path} cannot be read as CSV: {error}.") from None
        metadata = {}
    else:
        raise UsageError(
            f"{path}: predictions are read from .parquet, .csv and .json files; this ends in {path.suffix!r}."
        )
    if not len(table):
        raise InvalidDataError(f"{path} holds no pairs.")
    return table, metadata


def _one_of(path: Path, table: pd.DataFrame, column: str, wanted: str | None) -> pd.DataFrame:
    if column not in table:
        return table
    values = sorted(table[column].astype(str).unique())
    option = f"--{column.replace('_', '-')}"
    if wanted is None:
        if len(values) > 1:
            shown = ", ".join(values[:6]) + (", …" if len(values) > 6 else "")
            raise UsageError(f"{path} holds {len(values)} values of {column} ({shown}); choose one with {option}.")
        return table
    chosen = table[column].astype(str).map(canonical_split if column == "split" else str) == wanted
    if not chosen.any():
        raise UsageError(f"{path} holds no {column} {wanted!r}. {did_you_mean(wanted, values)}")
    return table[chosen].reset_index(drop=True)


def _class_names(
    path: Path, table: pd.DataFrame, metadata: Mapping[str, Any], config_name: str | None
) -> tuple[str, ...]:
    if metadata.get("class_names"):
        return tuple(metadata["class_names"])
    scored = {str(name).removeprefix("prob_") for name in table if str(name).startswith("prob_")}
    for known in (PAIR_LABELS, ROLE_LABELS):
        if scored and scored <= set(known):
            return known  # where one is missing, the next step says which
    if len(scored) > 1:
        # Outside our two tasks only the order of the columns can say which class is the positive one.
        return tuple(str(name).removeprefix("prob_") for name in table if str(name).startswith("prob_"))
    named: set[str] = set()
    for column in ("gold", "pred"):
        if column in table:
            named |= set(table[column].dropna().astype(str).unique())
    config_name = config_name or metadata.get("config_name")
    if config_name is not None:
        of_config = ROLE_LABELS if config_name in _OF_THREE_ROLES else PAIR_LABELS
        if named <= set(of_config):
            return of_config
    fitting = [known for known in (PAIR_LABELS, ROLE_LABELS) if named and named <= set(known)]
    if len(fitting) > 1:
        # Nothing but non-pairs: their id tells how many classes there are.
        ids = {str(value) for column in ("gold_id", "label", "pred_id") if column in table for value in table[column]}
        fitting = [known for known in fitting if ids <= {str(known.index(name)) for name in named}]
    if len(fitting) == 1:
        return fitting[0]
    raise InvalidDataError(
        f"{path}: nothing names its classes. Give prob_<class> columns, or columns gold and pred with class names of "
        f"3class ({', '.join(ROLE_LABELS)}) or source_binary ({', '.join(PAIR_LABELS)}), or say the configuration "
        "(--config-name)."
    )


def _probabilities(
    path: Path, table: pd.DataFrame, class_names: tuple[str, ...]
) -> tuple[NDArray[np.float64] | None, int]:
    columns = [f"prob_{name}" for name in class_names]
    missing = [name for name in columns if name not in table]
    if len(missing) == len(columns):
        return None, 0
    if missing:
        raise InvalidDataError(f"{path}: the columns {', '.join(missing)} are missing beside the other probabilities.")
    try:
        values = table[columns].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(f"{path}: {', '.join(columns)} must hold numbers: {error}.") from None
    unscored = int(np.isnan(values).any(axis=1).sum())
    return (None if unscored else values), unscored


def _turns(path: Path, table: pd.DataFrame, column: str | None) -> NDArray[np.int64]:
    return _integers(path, table, str(column), "a turn number")


def _ids(
    path: Path, table: pd.DataFrame, column: str | None, class_names: tuple[str, ...], name_column: str
) -> NDArray[np.int64]:
    ids = _integers(path, table, str(column), "a class id")
    outside = (ids < 0) | (ids >= len(class_names))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InvalidDataError(
            f"{path}: row {row}, column {column}: {ids[row]} is no class id; expected 0 to {len(class_names) - 1} "
            f"({', '.join(class_names)}). {int(outside.sum())} such rows."
        )
    if name_column in table:
        named = table[name_column]
        differing = named.notna().to_numpy() & (named.astype(str).to_numpy() != np.array(class_names)[ids])
        if differing.any():
            row = int(np.flatnonzero(differing)[0])
            raise InvalidDataError(
                f"{path}: row {row}: column {column} says {ids[row]}, which is {class_names[ids[row]]}, and column "
                f"{name_column} says {named.iloc[row]!r}. {int(differing.sum())} such rows; the classes by id are "
                f"{', '.join(class_names)}."
            )
    return ids


def _integers(path: Path, table: pd.DataFrame, column: str, what: str) -> NDArray[np.int64]:
    try:
        values = table[column].to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        values = np.full(len(table), math.nan)
    wrong = ~np.isfinite(values) | (values != np.floor(values))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidDataError(
            f"{path}: row {row}, column {column}: expected {what}, found {table[column].iloc[row]!r}. "
            f"{int(wrong.sum())} such rows."
        )
    return np.asarray(values.astype(np.int64))


def _source_dialogues(dialogue_ids: NDArray[np.str_]) -> NDArray[np.str_]:
    names, dialogue = np.unique(dialogue_ids, return_inverse=True)
    return np.array([_CHUNK.sub("", name) for name in names.tolist()], dtype=np.str_)[dialogue]


def _facts(table: pd.DataFrame, metadata: Mapping[str, Any]) -> PredictionFacts:
    known: dict[str, Any] = {
        name: metadata[name] for name in PredictionFacts.__dataclass_fields__ if metadata.get(name) is not None
    }
    for column in ("split", "run_name"):
        if column in table and column not in known:
            known[column] = str(table[column].iloc[0])
    if "split" in known:
        known["split"] = canonical_split(str(known["split"]))
    return PredictionFacts(**known)


METADATA_KEY = b"iemomecp"
"""Key of the Parquet schema's metadata under which the facts about the predictions stand, as JSON."""


@dataclass(frozen=True)
class Predictions:
    """Predicted probabilities of all candidate pairs of one split.

    Attributes:
        dialogue_ids: ``(n,)`` str.
        source_dialogue_ids: ``(n,)`` str, the dialogue that a chunk was cut from.
        target_turns: ``(n,)`` int64, 1-based.
        cause_turns: ``(n,)`` int64, 1-based.
        labels: ``(n,)`` int64, gold class ids.
        probabilities: ``(n, C)`` float64.
        class_names: The ``C`` class names, by id.
        split: Name of the split.
        threshold: A pair is class 0 iff its probability reaches it; None means the most probable class.
        missed_positives: Gold pairs that are no candidates.
        data_fingerprint: Digest of the split's data; empty when not recorded.
        synthetic: Whether the data is synthetic.
        decisions_alone: Whether the system only decides: its probabilities are 0 and 1, and rank nothing.
    """

    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    split: str
    threshold: float | None = None
    missed_positives: int = 0
    data_fingerprint: str = ""
    synthetic: bool = False
    decisions_alone: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns."""
        return self.target_turns - self.cause_turns

    @property
    def decided(self) -> NDArray[np.int64]:
        """``(n,)`` predicted class ids by the run's own decision rule."""
        from iemomecp_dataset.metrics.scoring import decide

        return decide(self.probabilities, self.threshold)


def read_predictions(path: str | Path) -> Predictions:
    """Reads ``predictions_<split>.parquet`` of a run folder.

    Args:
        path: The file.

    Returns:
        Its pairs, with the facts from its metadata.

    Raises:
        MissingDataError: There is no such file.
        RunFolderError: The file is cut off, or lacks columns or metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"{path} is not there. Repeat the run to have its predictions written.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RunFolderError(f"{path} cannot be read as Parquet ({error}). Repeat the run.") from None
    facts = json.loads((table.schema.metadata or {}).get(METADATA_KEY, b"{}"))
    class_names = tuple(
        facts.get("class_names") or (c.removeprefix("prob_") for c in table.column_names if c.startswith("prob_"))
    )
    needed = ["dialogue_id", "target_turn", "cause_turn", "label", *(f"prob_{name}" for name in class_names)]
    missing = [column for column in needed if column not in table.column_names]
    if missing or not class_names:
        raise RunFolderError(
            f"{path} lacks the columns {', '.join(missing) or 'prob_<class>'}; it has {', '.join(table.column_names)}."
        )

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table.column(name).to_numpy(zero_copy_only=False))

    dialogue_ids = column("dialogue_id").astype(np.str_)
    has_source = "source_dialogue_id" in table.column_names
    threshold = facts.get("threshold")
    return Predictions(
        dialogue_ids=dialogue_ids,
        source_dialogue_ids=column("source_dialogue_id").astype(np.str_) if has_source else dialogue_ids,
        target_turns=column("target_turn").astype(np.int64),
        cause_turns=column("cause_turn").astype(np.int64),
        labels=column("label").astype(np.int64),
        probabilities=np.column_stack([column(f"prob_{name}").astype(np.float64) for name in class_names]),
        class_names=class_names,
        split=str(facts.get("split") or path.stem.removeprefix("predictions_")),
        threshold=None if threshold is None or math.isnan(threshold) else float(threshold),
        missed_positives=int(facts.get("missed_positives") or 0),
        data_fingerprint=str(facts.get("data_fingerprint") or ""),
        synthetic=bool(facts.get("synthetic")),
        decisions_alone=bool(facts.get("decisions_alone")),
    )


def write_predictions(
    path: Path,
    table: PairTable,
    probabilities: NDArray[np.float64],
    class_names: Sequence[str],
    metadata: Mapping[str, Any],
) -> None:
    """Writes ``predictions_<split>.parquet``.

    Args:
        path: The file.
        table: ``n`` candidate pairs.
        probabilities: ``(n, C)``, in their order.
        class_names: Names of the classes.
        metadata: Kept as JSON in the Parquet schema, under the key ``iemomecp``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "dialogue_id": table.dialogue_ids,
        "source_dialogue_id": table.source_dialogue_ids,
        "target_turn": table.target_turns.astype(np.int32),
        "cause_turn": table.cause_turns.astype(np.int32),
        "label": table.labels.astype(np.int32),
    }
    columns |= {f"prob_{name}": probabilities[:, i] for i, name in enumerate(class_names)}
    arrow = pa.table(columns).replace_schema_metadata({"iemomecp": json.dumps(dict(metadata))})
    with atomic_write(path) as partial:
        pq.write_table(arrow, partial)
