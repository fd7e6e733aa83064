"""Explanations files: what their columns and metadata mean, one reader and one writer.

Our own files are Parquet, written by :func:`write_explanation_predictions`: one row per explained target with
``dialogue_id``, ``target_turn``, ``reference`` and ``prediction``. Files of other systems may be CSV, or JSON (a list
of objects with these keys), and may leave ``reference`` out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.explanation_table import ExplanationTable
from iemomecp_dataset.files import atomic_write, read_json
from iemomecp_dataset.metrics.evaluation.prediction_columns import id_texts, shown_columns, whole_numbers
from iemomecp_dataset.metrics.evaluation.prediction_facts import facts_as_json
from iemomecp_dataset.metrics.evaluation.prediction_table import METADATA_KEY, only_one, open_table, stated_columns
from iemomecp_dataset.schema import SPLITS, canonical_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ExplanationFacts",
    "ExplanationPredictions",
    "explanations_file",
    "has_explanations",
    "normalized",
    "read_explanation_predictions",
    "write_explanation_predictions",
]

_FILE_PREFIX = "explanations_"
_OF_PAIRS = {"cause_turn", "candidate_turn", "candidate_cause_turn"}
_WANTED = ("dialogue_id", "target_turn", "prediction")


@dataclass(frozen=True)
class ExplanationFacts:
    """The metadata of an explanations file, kept as JSON in the Parquet schema under the key ``iemomecp``.

    ``None`` means that the file does not state it.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        epoch_chosen_on: The split the epoch was chosen on.
        data_fingerprint: Fingerprint of the split's data.
        text_fingerprint: Fingerprint of its texts.
        synthetic: Whether the data is synthetic.
        run_name: Name of the run.
        causes: Origin of the cause marks in the input: ``gold``, ``predicted``, ``last``, ``shuffled`` or ``none``.
        license_text_shareable: Whether texts and explanations may be shown to others.
    """

    corpus: str | None = None
    config_name: str | None = None
    split: str | None = None
    epoch_chosen_on: str | None = None
    data_fingerprint: str | None = None
    text_fingerprint: str | None = None
    synthetic: bool | None = None
    run_name: str | None = None
    causes: str | None = None
    license_text_shareable: bool | None = None


@dataclass(frozen=True)
class ExplanationPredictions:
    """Generated explanations, in the order of the file.

    Attributes:
        path: The file.
        dialogue_ids: ``(m,)`` str.
        target_turns: ``(m,)`` int64, counted from 1.
        predictions: ``m`` texts with single spaces; an empty one scores 0.
        references: ``m`` texts, or None where the file has none.
        facts: Metadata of the file.
        notes: Remarks on the file, for readers of its scores.
    """

    path: Path
    dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    predictions: tuple[str, ...]
    references: tuple[str, ...] | None = None
    facts: ExplanationFacts = field(default_factory=ExplanationFacts)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.predictions)

    @property
    def class_names(self) -> tuple[str, ...]:
        """No classes: texts are free."""
        return ()

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Dialogue and target of every item."""
        return list(zip(self.dialogue_ids.tolist(), self.target_turns.tolist(), strict=True))

    def take(self, positions: Sequence[int] | NDArray[np.intp]) -> ExplanationPredictions:
        """Selects or reorders items.

        Args:
            positions: ``(k,)`` positions of the items to take.
        """
        order = [int(place) for place in positions]
        return replace(
            self,
            dialogue_ids=self.dialogue_ids[order],
            target_turns=self.target_turns[order],
            predictions=tuple(self.predictions[place] for place in order),
            references=None if self.references is None else tuple(self.references[place] for place in order),
        )


def explanations_file(folder: Path, split: str) -> Path:
    """Names the explanations file of a run folder.

    Args:
        folder: The run folder.
        split: The split.

    Returns:
        Its path.

    Example:
        >>> explanations_file(Path("runs/explain"), "test").as_posix()
        'runs/explain/explanations_test.parquet'
    """
    return folder / f"{_FILE_PREFIX}{split}.parquet"


def normalized(text: str) -> str:
    """Reduces white space to single spaces, the only change that a generated text gets before it is scored.

    Example:
        >>> normalized("  She is  glad. ")
        'She is glad.'
    """
    return " ".join(text.split())


def has_explanations(path: Path) -> bool:
    """Tells files with a text per target from files of pairs and of emotions.

    Args:
        path: A Parquet, CSV, TSV or JSON file.

    Returns:
        Whether it has columns ``target_turn`` and ``prediction`` and none for a cause. False where it cannot be read,
        which the reader of pairs puts into words.
    """
    names = stated_columns(path)
    if path.suffix.lower() == ".json":
        try:
            content = read_json(path)
        except (MissingDataError, InvalidDataError):
            return False
        names = list(content[0]) if isinstance(content, list) and content and isinstance(content[0], dict) else []
    return {"target_turn", "prediction"} <= set(names) and not _OF_PAIRS & set(names)


def write_explanation_predictions(
    path: Path, table: ExplanationTable, predictions: Sequence[str], facts: ExplanationFacts
) -> None:
    """Writes an explanations file; it appears whole or not at all.

    Args:
        path: The file.
        table: ``m`` explanations, the references.
        predictions: ``m`` generated texts, in their order.
        facts: The metadata.

    Raises:
        UsageError: There are other numbers of explanations and of texts.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if len(predictions) != len(table):
        raise UsageError(f"{path}: {len(table)} explanations need as many generated texts; found {len(predictions)}.")
    stored = pa.table(
        {
            "dialogue_id": pa.array(table.dialogue_ids.tolist(), pa.string()),
            "target_turn": table.target_turns.astype(np.int32),
            "reference": pa.array(list(table.references), pa.string()),
            "prediction": pa.array(list(predictions), pa.string()),
        }
    ).replace_schema_metadata({METADATA_KEY: facts_as_json(facts)})
    with atomic_write(path) as partial:
        pq.write_table(stored, partial)


def read_explanation_predictions(
    path: str | Path, *, split: str | None = None, run_name: str | None = None
) -> ExplanationPredictions:
    """Reads an explanations file, ours or another system's.

    Args:
        path: The file; ``.parquet``, ``.csv``, ``.tsv`` or ``.json``.
        split: The split to take from a file that holds several.
        run_name: The run to take from a file that holds several.

    Returns:
        Its items.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: Columns are missing or hold unexpected values, a text is absent, or an item repeats.
        UsageError: The file holds several splits or runs and none was chosen.
    """
    path = Path(path)
    content, facts = _open(path)
    absent = [name for name in _WANTED if name not in content]
    if absent:
        raise InvalidDataError(
            f"{path}: no column for {', '.join(absent)}: an explanations file has one row per explained target, with "
            f"dialogue_id, target_turn and prediction. It has {shown_columns(content)}."
        )
    for column, wanted in (("split", split), ("run_name", run_name)):
        content = only_one(path, content, column, wanted)
    predictions = _texts(path, content, "prediction", "Explain every item once; a text may be empty, which scores 0.")
    references = None
    if "reference" in content:
        references = _texts(path, content, "reference", "Complete the column, or leave it out and give --data-dir.")
    found = ExplanationPredictions(
        path=path,
        dialogue_ids=id_texts(path, content, "dialogue_id"),
        target_turns=whole_numbers(path, content, "target_turn", "a turn number, counted from 1", 1),
        predictions=tuple(map(normalized, predictions)),
        references=references,
        facts=_with_columns(facts, content, path),
    )
    _check_repeats(found)
    return found


def _open(path: Path) -> tuple[pd.DataFrame, ExplanationFacts]:
    if path.suffix.lower() != ".json":
        return open_table(path, ExplanationFacts, text=("prediction", "reference"))
    import pandas as pd

    if not path.is_file():
        raise MissingDataError(
            f"{path} is not there, or is not a file. Give a .parquet, .csv or .json file of explanations."
        )
    content = read_json(path)
    if not isinstance(content, list) or not content or not all(isinstance(item, dict) for item in content):
        raise InvalidDataError(
            f"{path}: expected a list of objects with dialogue_id, target_turn and prediction, at least one."
        )
    return pd.DataFrame(content), ExplanationFacts()


def _texts(path: Path, content: pd.DataFrame, column: str, advice: str) -> tuple[str, ...]:
    texts = content[column].tolist()
    wrong = [row for row, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        found = texts[wrong[0]]
        words = "no text" if found is None or (isinstance(found, float) and found != found) else shown(found)
        raise InvalidDataError(
            f"{path}: row {wrong[0]}, column {column}: expected a text, found {words}. {len(wrong)} such rows. {advice}"
        )
    return tuple(texts)


def _check_repeats(found: ExplanationPredictions) -> None:
    seen: set[tuple[str, int]] = set()
    repeated = []
    for key in found.keys:
        if key in seen:
            repeated.append(key)
        seen.add(key)
    if repeated:
        dialogue, turn = repeated[0]
        raise InvalidDataError(
            f"{found.path}: the emotion of turn {turn} in dialogue {dialogue[:80]} is explained more than once; "
            f"{len(repeated)} items repeat. Explain every item once."
        )


def _with_columns(facts: ExplanationFacts, content: Any, path: Path) -> ExplanationFacts:
    """Takes split and run name from the columns, or the split from the file's name, where the metadata lacks them."""
    of_name = path.stem.removeprefix(_FILE_PREFIX)
    split = facts.split or (canonical_split(str(content["split"].iloc[0])) if "split" in content else None)
    run_name = facts.run_name or (str(content["run_name"].iloc[0]) if "run_name" in content else None)
    return replace(facts, split=split or (of_name if of_name in SPLITS else None), run_name=run_name)
