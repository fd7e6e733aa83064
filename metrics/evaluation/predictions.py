"""Predictions files: what their columns and metadata mean, one reader and one writer.

Our own files are Parquet, written by :func:`write_predictions`. :func:`read_candidate_predictions` reads them and those
of other systems, Parquet or CSV: one row per candidate pair with a dialogue, a target turn, a cause turn, and
probabilities ``prob_<class>``, decisions ``pred_id``, or both. :func:`read_predictions` reads a file of a run folder,
which must have gold and probabilities. Columns may be spelt in these ways:

============= =================================================================================================
column        also accepted as
============= =================================================================================================
dialogue_id
target_turn   target_emotion_turn, emotion_turn
cause_turn    candidate_turn, candidate_cause_turn
label         gold_id (the gold class id, where the file has it)
pred_id       prediction (the system's own decision)
============= =================================================================================================

Files of SemEval-2024 hold a set of pairs without candidates; :mod:`~iemomecp_dataset.metrics.evaluation.semeval` reads
them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import pair_classes
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError, UsageError, did_you_mean
from iemomecp_dataset.files import atomic_write
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.pair_table import PairKeys, PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS, SPLITS, canonical_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CandidatePredictions",
    "PredictionFacts",
    "Predictions",
    "predictions_file",
    "read_candidate_predictions",
    "read_predictions",
    "split_of_file",
    "write_predictions",
]

_METADATA_KEY = b"iemomecp"
_FILE_PREFIX = "predictions_"
_ALIASES = {
    "dialogue_id": ("dialogue_id",),
    "target_turn": ("target_turn", "target_emotion_turn", "emotion_turn"),
    "cause_turn": ("cause_turn", "candidate_turn", "candidate_cause_turn"),
    "label": ("label", "gold_id"),
    "prediction": ("pred_id", "prediction"),
}
_CHUNK = re.compile(r"__c\d+$")


@dataclass(frozen=True)
class PredictionFacts:
    """The metadata of a predictions file, kept as JSON in the Parquet schema under the key ``iemomecp``.

    ``None`` means that the file does not state it.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Classes by id.
        threshold: Decision threshold of the run; without one it decides for the most probable class.
        threshold_chosen_on: The split the threshold was searched on, or ``fixed``.
        missed_positives: Gold pairs that are not candidates.
        data_fingerprint: Fingerprint of the split's data.
        synthetic: Whether the data is synthetic.
        definition: Letter of the definition the run is scored by.
        candidates: Which pairs are candidates.
        forward_pairs: How pairs with a future cause are treated.
        run_name: Name of the run.
        decisions_alone: Whether the system only decides: its probabilities are 0 and 1, and rank nothing.
        evidence: What was removed from the input.
    """

    corpus: str | None = None
    config_name: str | None = None
    split: str | None = None
    class_names: tuple[str, ...] | None = None
    threshold: float | None = None
    threshold_chosen_on: str | None = None
    missed_positives: int | None = None
    data_fingerprint: str | None = None
    synthetic: bool | None = None
    definition: str | None = None
    candidates: str | None = None
    forward_pairs: str | None = None
    run_name: str | None = None
    decisions_alone: bool | None = None
    evidence: str | None = None

    def to_json(self) -> str:
        """Writes a JSON object of what is stated; a threshold is always written, ``null`` where there is none.

        Example:
            >>> PredictionFacts(split="test", class_names=("pair", "non_pair")).to_json()
            '{"split": "test", "class_names": ["pair", "non_pair"], "threshold": null, "threshold_chosen_on": null}'
        """
        always = ("threshold", "threshold_chosen_on")
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None or name in always})

    @classmethod
    def from_json(cls, text: str | bytes) -> PredictionFacts:
        """Reads a JSON object; keys that are not known here are ignored.

        Args:
            text: The object, as :meth:`to_json` writes it.

        Returns:
            The facts, with the canonical name of the split.

        Raises:
            ValueError: The text is not a JSON object.

        Example:
            >>> PredictionFacts.from_json('{"split": "dev", "key_of_a_later_version": 1}').split
            'validation'
        """
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, found {type(content).__name__}")
        known = {name: content[name] for name in cls.__dataclass_fields__ if content.get(name) is not None}
        if "class_names" in known:
            known["class_names"] = tuple(known["class_names"])
        if "split" in known:
            known["split"] = canonical_split(str(known["split"]))
        if isinstance(known.get("threshold"), float) and math.isnan(known["threshold"]):
            del known["threshold"]
        return cls(**known)


@dataclass(frozen=True)
class CandidatePredictions:
    """Predictions of any system on a list of candidates, in the order of the file.

    Attributes:
        path: The file.
        class_names: Classes by id.
        pairs: ``n`` pairs. Their source dialogue, the unit to resample, is the file's own column, else the dialogue id
            without a chunk suffix ``__c<number>``.
        labels: ``(n,)`` int64 gold class ids, or ``None``.
        probabilities: ``(n, C)`` float64, or ``None`` where the file has no scores, or not for all rows.
        decisions: ``(n,)`` int64, the system's own decision, or ``None``.
        n_unscored: Rows without scores, or marked in the file as not scored by the model.
        facts: Metadata of the file.
    """

    path: Path
    class_names: tuple[str, ...]
    pairs: PairKeys
    labels: NDArray[np.int64] | None
    probabilities: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    n_unscored: int = 0
    facts: PredictionFacts = field(default_factory=PredictionFacts)

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True)
class Predictions:
    """Predicted probabilities of all candidate pairs of one split, with their gold.

    Attributes:
        pairs: ``n`` pairs.
        probabilities: ``(n, C)`` float64.
        class_names: The ``C`` class names, by id.
        facts: Metadata of the file.
    """

    pairs: PairTable
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    facts: PredictionFacts = field(default_factory=PredictionFacts)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def dialogue_ids(self) -> NDArray[np.str_]:
        """``(n,)`` str."""
        return self.pairs.dialogue_ids

    @property
    def target_turns(self) -> NDArray[np.int64]:
        """``(n,)`` int64, 1-based."""
        return self.pairs.target_turns

    @property
    def cause_turns(self) -> NDArray[np.int64]:
        """``(n,)`` int64, 1-based."""
        return self.pairs.cause_turns

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(n,)`` int64, gold class ids."""
        return self.pairs.labels

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns."""
        return self.pairs.distances

    @property
    def missed_positives(self) -> int:
        """Gold pairs that are not candidates."""
        return self.pairs.missed_positives

    @property
    def threshold(self) -> float | None:
        """A pair is class 0 iff its probability reaches this; None: the most probable class is decided for."""
        return self.facts.threshold

    @property
    def decisions_alone(self) -> bool:
        """Whether the system only decides: its probabilities are 0 and 1, and rank nothing."""
        return bool(self.facts.decisions_alone)

    @property
    def decided(self) -> NDArray[np.int64]:
        """``(n,)`` predicted class ids by the run's own decision rule."""
        return decide(self.probabilities, self.threshold)


def predictions_file(folder: Path, split: str) -> Path:
    """Names the predictions file of a run folder.

    Args:
        folder: The run folder.
        split: The split; ``test_removed`` is the test split with the candidates' evidence removed.

    Returns:
        Its path.

    Example:
        >>> predictions_file(Path("runs/base"), "test").as_posix()
        'runs/base/predictions_test.parquet'
    """
    return folder / f"{_FILE_PREFIX}{split}.parquet"


def split_of_file(path: Path) -> str | None:
    """Reads the split from the name of a file.

    Args:
        path: The file.

    Returns:
        The split, or None where the name does not hold one.

    Example:
        >>> split_of_file(Path("predictions_test.parquet")), split_of_file(Path("theirs.csv"))
        ('test', None)
    """
    name = path.stem.removeprefix(_FILE_PREFIX)
    return name if name in SPLITS else None


def write_predictions(
    path: Path,
    pairs: PairTable,
    probabilities: NDArray[np.float64],
    facts: PredictionFacts,
    emotions: Sequence[str] | None = None,
) -> None:
    """Writes a predictions file; it appears whole or not at all.

    Args:
        path: The file.
        pairs: ``n`` candidate pairs with their gold.
        probabilities: ``(n, C)``, in their order.
        facts: The metadata, of which ``class_names`` must be stated.
        emotions: ``n`` names, the predicted emotion of each pair's target, for a column ``emotion``.

    Raises:
        UsageError: The metadata does not name one class per column of probabilities.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = facts.class_names or ()
    if len(names) != probabilities.shape[1]:
        raise UsageError(f"{probabilities.shape[1]} columns of probabilities need as many class names; found {names}.")
    columns: dict[str, Any] = {
        "dialogue_id": pairs.dialogue_ids,
        "source_dialogue_id": pairs.source_dialogue_ids,
        "target_turn": pairs.target_turns.astype(np.int32),
        "cause_turn": pairs.cause_turns.astype(np.int32),
        "label": pairs.labels.astype(np.int32),
    }
    columns |= {f"prob_{name}": probabilities[:, i] for i, name in enumerate(names)}
    if emotions is not None:
        columns["emotion"] = [str(name) for name in emotions]
    table = pa.table(columns).replace_schema_metadata({_METADATA_KEY: facts.to_json()})
    with atomic_write(path) as partial:
        pq.write_table(table, partial)


def read_predictions(path: str | Path) -> Predictions:
    """Reads ``predictions_<split>.parquet`` of a run folder, which must have gold and probabilities.

    Args:
        path: The file.

    Returns:
        Its pairs, with its metadata.

    Raises:
        MissingDataError: There is no such file.
        RunFolderError: The file is cut off, or lacks columns, gold or probabilities.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"{path} is not there. Repeat the run to have its predictions written.")
    try:
        found = read_candidate_predictions(path)
    except InvalidDataError as error:
        raise RunFolderError(f"{error} Repeat the run.") from None
    if found.labels is None:
        raise RunFolderError(f"{path} lacks the column label. Repeat the run.")
    if found.probabilities is None:
        lacking = f"for {found.n_unscored} of {len(found)} pairs" if found.n_unscored else "in any column prob_<class>"
        raise RunFolderError(f"{path} has no probabilities {lacking}. Repeat the run.")
    return Predictions(
        pairs=PairTable(**vars(found.pairs), labels=found.labels, missed_positives=found.facts.missed_positives or 0),
        probabilities=found.probabilities,
        class_names=found.class_names,
        facts=replace(found.facts, split=found.facts.split or split_of_file(path)),
    )


def read_candidate_predictions(
    path: str | Path, *, split: str | None = None, run_name: str | None = None, config_name: str | None = None
) -> CandidatePredictions:
    """Reads a Parquet or CSV file of candidate pairs.

    Args:
        path: The file; ``.parquet``, or ``.csv``.
        split: The split to take from a file that holds several.
        run_name: The run to take from a file that holds several.
        config_name: Its configuration, where that is known: decisions alone may not show every class.

    Returns:
        Its pairs.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: Columns are missing or hold unexpected values.
        UsageError: The file holds several splits or runs and none was chosen, or not the one that was.
    """
    path = Path(path)
    table, facts = _read_table(path)
    names = {wanted: next((name for name in found if name in table), None) for wanted, found in _ALIASES.items()}
    missing = [wanted for wanted in ("dialogue_id", "target_turn", "cause_turn") if names[wanted] is None]
    if missing:
        raise InvalidDataError(
            f"{path}: no column for {', '.join(missing)} (looked for "
            f"{'; '.join(', '.join(_ALIASES[wanted]) for wanted in missing)}). It has {', '.join(map(str, table))}."
        )
    for column, wanted in (("split", split), ("run_name", run_name)):
        table = _one_of(path, table, column, wanted)
    class_names = _class_names(path, table, facts, config_name)
    probabilities, n_unscored = _probabilities(path, table, class_names)
    if "scored_by_model" in table:
        flags = table["scored_by_model"].astype(str).str.lower().isin(("true", "1", "1.0", "yes"))
        n_unscored = max(n_unscored, int((~flags).sum()))
    decisions = None if names["prediction"] is None else _ids(path, table, names["prediction"], class_names, "pred")
    if probabilities is None and decisions is None:
        unscored = f"{n_unscored} of {len(table)} pairs have no probabilities"
        raise InvalidDataError(
            f"{path}: {unscored if n_unscored else 'there are no predictions'}; give a column prob_<class> for each of "
            f"{', '.join(class_names)}, or a column pred_id."
        )
    return CandidatePredictions(
        path=path,
        class_names=class_names,
        pairs=_pairs(path, table, names),
        labels=None if names["label"] is None else _ids(path, table, names["label"], class_names, "gold"),
        probabilities=probabilities,
        decisions=decisions,
        n_unscored=n_unscored,
        facts=_with_columns(facts, table),
    )


def _read_table(path: Path) -> tuple[pd.DataFrame, PredictionFacts]:
    import pyarrow as pa
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingDataError(
            f"{path} is not there, or is not a file. Give a .parquet, .csv or .json file of predictions."
        )
    facts = PredictionFacts()
    if path.suffix == ".parquet":
        try:
            arrow = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise InvalidDataError(f"{path} cannot be read as Parquet: {error}.") from None
        stored = (arrow.schema.metadata or {}).get(_METADATA_KEY)
        try:
            facts = PredictionFacts.from_json(stored) if stored else facts
        except ValueError as error:
            raise InvalidDataError(f"{path}: its metadata under 'iemomecp' is not valid JSON: {error}.") from None
        table = arrow.to_pandas()
    elif path.suffix == ".csv":
        try:
            # Ids that look like numbers must stay text. Arrow keeps every digit of the scores.
            as_text = dict.fromkeys(("dialogue_id", "source_dialogue_id", "run_name", "split"), pa.string())
            table = arrow_csv.read_csv(path, convert_options=arrow_csv.ConvertOptions(column_types=as_text)).to_pandas()
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise InvalidDataError(f"{path} cannot be read as CSV: {error}.") from None
    else:
        raise UsageError(
            f"{path}: predictions are read from .parquet, .csv and .json files; this ends in {path.suffix!r}."
        )
    if not len(table):
        raise InvalidDataError(f"{path} holds no pairs.")
    return table, facts


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


def _class_names(path: Path, table: pd.DataFrame, facts: PredictionFacts, config_name: str | None) -> tuple[str, ...]:
    if facts.class_names:
        return facts.class_names
    scored = {str(name).removeprefix("prob_") for name in table if str(name).startswith("prob_")}
    for known in (PAIR_LABELS, ROLE_LABELS):
        if scored and scored <= set(known):
            return known  # where one is missing, _probabilities names it
    if len(scored) > 1:
        # Outside our two tasks only the order of the columns tells which class is the positive one.
        return tuple(str(name).removeprefix("prob_") for name in table if str(name).startswith("prob_"))
    named: set[str] = set()
    for column in ("gold", "pred"):
        if column in table:
            named |= set(table[column].dropna().astype(str).unique())
    config_name = config_name or facts.config_name
    if config_name is not None and named <= set(pair_classes(config_name)):
        return pair_classes(config_name)
    fitting = [known for known in (PAIR_LABELS, ROLE_LABELS) if named and named <= set(known)]
    if len(fitting) > 1:
        # All are non-pairs: their id tells how many classes there are.
        ids = {str(value) for column in ("gold_id", "label", "pred_id") if column in table for value in table[column]}
        fitting = [known for known in fitting if ids <= {str(known.index(name)) for name in named}]
    if len(fitting) == 1:
        return fitting[0]
    raise InvalidDataError(
        f"{path}: its classes are not named. Give prob_<class> columns, or columns gold and pred with class names of "
        f"3class ({', '.join(ROLE_LABELS)}) or source_binary ({', '.join(PAIR_LABELS)}), or the configuration "
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


def _pairs(path: Path, table: pd.DataFrame, names: Mapping[str, str | None]) -> PairKeys:
    dialogue_ids = table[names["dialogue_id"]].astype(str).to_numpy().astype(np.str_)
    if "source_dialogue_id" in table:
        sources = table["source_dialogue_id"].astype(str).to_numpy().astype(np.str_)
    else:
        distinct, dialogue = np.unique(dialogue_ids, return_inverse=True)
        sources = np.array([_CHUNK.sub("", name) for name in distinct.tolist()], dtype=np.str_)[dialogue]
    targets, causes = (_integers(path, table, str(names[c]), "a turn number") for c in ("target_turn", "cause_turn"))
    return PairKeys(dialogue_ids, sources, targets, causes)


def _ids(
    path: Path, table: pd.DataFrame, column: str | None, class_names: tuple[str, ...], name_column: str
) -> NDArray[np.int64]:
    ids = _integers(path, table, str(column), "a class id")
    outside = (ids < 0) | (ids >= len(class_names))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InvalidDataError(
            f"{path}: row {row}, column {column}: {ids[row]} is not a class id; expected 0 to {len(class_names) - 1} "
            f"({', '.join(class_names)}). {int(outside.sum())} such rows."
        )
    if name_column in table:
        named = table[name_column]
        differing = named.notna().to_numpy() & (named.astype(str).to_numpy() != np.array(class_names)[ids])
        if differing.any():
            row = int(np.flatnonzero(differing)[0])
            raise InvalidDataError(
                f"{path}: row {row}: column {column} has {ids[row]}, which is {class_names[ids[row]]}, and column "
                f"{name_column} has {named.iloc[row]!r}. {int(differing.sum())} such rows; the classes by id are "
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


def _with_columns(facts: PredictionFacts, table: pd.DataFrame) -> PredictionFacts:
    """Takes split and run name from the columns where the metadata does not state them."""
    stated = {
        column: str(table[column].iloc[0])
        for column in ("split", "run_name")
        if column in table and getattr(facts, column) is None
    }
    if "split" in stated:
        stated["split"] = canonical_split(stated["split"])
    return replace(facts, **stated)  # type: ignore[arg-type]  # both fields are text
