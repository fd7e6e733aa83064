"""Emotions files: what their columns and metadata mean, one reader and one writer.

Our own files are Parquet, written by :func:`write_emotion_predictions`: one row per utterance with ``dialogue_id``,
``turn``, ``label`` (the gold class id, -1 where it is not known) and ``prob_<class>``. Files of other systems may be
CSV and may have a column ``prediction`` (also ``pred_id``) in place of probabilities; ``label`` (also ``gold_id``) and
``prediction`` hold names or ids of emotions. Classes are matched by name, whatever the order of the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import emotions_of_config
from iemomecp_dataset.emotion_table import NO_EMOTION, EmotionTable
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError, did_you_mean
from iemomecp_dataset.excerpts import excerpt, shown
from iemomecp_dataset.files import atomic_write
from iemomecp_dataset.metrics.evaluation.prediction_columns import (
    id_texts,
    probability_columns,
    shown_columns,
    unscored_rows,
    whole_numbers,
)
from iemomecp_dataset.metrics.evaluation.prediction_facts import facts_as_json
from iemomecp_dataset.metrics.evaluation.prediction_table import METADATA_KEY, only_one, open_table, stated_columns
from iemomecp_dataset.metrics.pair_inputs import check_probabilities
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.schema import COMMON_EMOTIONS, SPLITS, canonical_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EmotionFacts",
    "EmotionPredictions",
    "emotions_file",
    "has_emotions",
    "read_emotion_predictions",
    "write_emotion_predictions",
]

_FILE_PREFIX = "emotions_"
_LABEL, _PREDICTION = ("label", "gold_id"), ("prediction", "pred_id")
_OF_PAIRS = ("target_turn", "target_emotion_turn", "emotion_turn")


@dataclass(frozen=True)
class EmotionFacts:
    """The metadata of an emotions file, kept as JSON in the Parquet schema under the key ``iemomecp``.

    ``None`` means that the file does not state it.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Emotions by id.
        epoch_chosen_on: The split the epoch was chosen on.
        data_fingerprint: Fingerprint of the split's data.
        text_fingerprint: Fingerprint of its texts.
        synthetic: Whether the data is synthetic.
        run_name: Name of the run.
        decisions_alone: Whether the system only decides: its probabilities are 0 and 1.
        cross_fitted_folds: For the train split, in how many folds of dialogues each was scored by a model that was
            trained on the others; ``None``: by the model that was trained on them.
    """

    corpus: str | None = None
    config_name: str | None = None
    split: str | None = None
    class_names: tuple[str, ...] | None = None
    epoch_chosen_on: str | None = None
    data_fingerprint: str | None = None
    text_fingerprint: str | None = None
    synthetic: bool | None = None
    run_name: str | None = None
    decisions_alone: bool | None = None
    cross_fitted_folds: int | None = None


@dataclass(frozen=True)
class EmotionPredictions:
    """Predicted emotions of utterances, in the order of the file.

    Attributes:
        path: The file.
        table: ``m`` utterances; their labels are :data:`~iemomecp_dataset.emotion_table.NO_EMOTION` where the file has
            none, and their speakers empty where it has no column ``speaker``.
        probabilities: ``(m, C)`` float64, or ``None`` where the system only decides.
        predicted: ``(m,)`` int64, the predicted class: the most probable one, the first of equals.
        class_names: Emotions by id.
        has_labels: Whether the file has gold labels.
        facts: Metadata of the file.
        notes: Remarks on the file, for readers of its scores.
    """

    path: Path
    table: EmotionTable
    probabilities: NDArray[np.float64] | None
    predicted: NDArray[np.int64]
    class_names: tuple[str, ...]
    has_labels: bool = False
    facts: EmotionFacts = field(default_factory=EmotionFacts)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def scored(self) -> NDArray[np.float64] | NDArray[np.int64]:
        """``(m, C)`` probabilities; ``(m,)`` class ids of a system that only decides."""
        return self.predicted if self.probabilities is None else self.probabilities

    def take(self, chosen: NDArray[Any]) -> EmotionPredictions:
        """Selects or reorders utterances.

        Args:
            chosen: ``(m,)`` bool, or the positions of the rows to take.
        """
        return replace(
            self,
            table=self.table.take(chosen),
            probabilities=None if self.probabilities is None else self.probabilities[chosen],
            predicted=self.predicted[chosen],
        )


def emotions_file(folder: Path, split: str) -> Path:
    """Names the emotions file of a run folder.

    Args:
        folder: The run folder.
        split: The split.

    Returns:
        Its path.

    Example:
        >>> emotions_file(Path("runs/ecerc"), "test").as_posix()
        'runs/ecerc/emotions_test.parquet'
    """
    return folder / f"{_FILE_PREFIX}{split}.parquet"


def has_emotions(path: Path) -> bool:
    """Tells files with a row per utterance from files with a row per pair.

    Args:
        path: A Parquet, CSV or TSV file.

    Returns:
        Whether it has a column ``turn`` and none for the target of a pair. False where it cannot be read, which the
        reader of pairs puts into words.
    """
    names = stated_columns(path)
    return "turn" in names and not set(_OF_PAIRS) & set(names)


def write_emotion_predictions(
    path: Path, table: EmotionTable, probabilities: NDArray[np.float64], facts: EmotionFacts
) -> None:
    """Writes an emotions file; it appears whole or not at all.

    Args:
        path: The file.
        table: ``m`` utterances with their gold, those without a known emotion included.
        probabilities: ``(m, C)``, in their order.
        facts: The metadata, of which ``class_names`` must be stated.

    Raises:
        UsageError: The metadata does not name one class per column of probabilities, or there are other numbers of
            utterances and of rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = facts.class_names or ()
    if probabilities.shape != (len(table), len(names)):
        raise UsageError(
            f"{len(table)} utterances and the classes {', '.join(names) or 'that the facts do not name'} need "
            f"probabilities of shape ({len(table)}, {len(names)}); found {probabilities.shape}."
        )
    columns: dict[str, Any] = {
        "dialogue_id": table.dialogue_ids,
        "turn": table.turns.astype(np.int32),
        "label": table.labels.astype(np.int32),
    }
    columns |= {f"prob_{name}": probabilities[:, i].astype(np.float64) for i, name in enumerate(names)}
    stored = pa.table(columns).replace_schema_metadata({METADATA_KEY: facts_as_json(facts)})
    with atomic_write(path) as partial:
        pq.write_table(stored, partial)


def read_emotion_predictions(
    path: str | Path, *, config_name: str | None = None, split: str | None = None, run_name: str | None = None
) -> EmotionPredictions:
    """Reads an emotions file, ours or another system's.

    Args:
        path: The file; ``.parquet`` or ``.csv``.
        config_name: Its configuration, where the file does not state it, or to check what it states.
        split: The split to take from a file that holds several.
        run_name: The run to take from a file that holds several.

    Returns:
        Its utterances, with class ids in the order of the configuration, else of the file's own metadata.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: Columns are missing or hold unexpected values, an utterance repeats, or the classes are those
            of another corpus.
        UsageError: The classes are not known, or the file holds several splits or runs and none was chosen.
    """
    path = Path(path)
    content, facts = open_table(path, EmotionFacts)
    absent = [name for name in ("dialogue_id", "turn") if name not in content]
    if absent:
        raise InvalidDataError(
            f"{path}: no column for {', '.join(absent)}: an emotions file has one row per utterance, with dialogue_id, "
            f"turn, and prob_<class> or prediction. It has {shown_columns(content)}."
        )
    for column, wanted in (("split", split), ("run_name", run_name)):
        content = only_one(path, content, column, wanted)
    names = _class_names(path, content, facts, config_name)
    notes: list[str] = []
    probabilities = _probabilities(path, content, names, notes)
    own_ids = facts.class_names or names
    decisions = _emotion_ids(path, content, _PREDICTION, own_ids, names)
    labels = _emotion_ids(path, content, _LABEL, own_ids, names)
    if probabilities is None and decisions is None:
        raise InvalidDataError(
            f"{path}: there are no predictions; give a column prob_<class> for each of {', '.join(names)}, or a column "
            "prediction with names or ids of emotions."
        )
    if decisions is not None and (decisions == NO_EMOTION).any():
        row = int(np.flatnonzero(decisions == NO_EMOTION)[0])
        raise InvalidDataError(f"{path}: row {row} has no prediction. Predict every utterance once.")
    if probabilities is not None:
        most_probable = decide(probabilities)
        if decisions is not None:
            _check_decisions(path, probabilities, decisions, names)
        decisions = most_probable
        if facts.decisions_alone:
            probabilities = None  # they are 0 and 1, and have no calibration
    assert decisions is not None
    table = EmotionTable(
        dialogue_ids=id_texts(path, content, "dialogue_id"),
        turns=whole_numbers(path, content, "turn", "a turn number, counted from 1", 1),
        speakers=_speakers(content),
        labels=np.full(len(content), NO_EMOTION, dtype=np.int64) if labels is None else labels,
    )
    _check_repeats(path, table)
    return EmotionPredictions(
        path=path,
        table=table,
        probabilities=probabilities,
        predicted=decisions,
        class_names=names,
        has_labels=labels is not None,
        facts=_with_columns(facts, content, path),
        notes=tuple(notes),
    )


def _class_names(path: Path, content: pd.DataFrame, facts: EmotionFacts, config_name: str | None) -> tuple[str, ...]:
    """The emotions by id, of which the file must have all that it has probabilities or facts of."""
    config = config_name or facts.config_name
    scored = [str(name).removeprefix("prob_") for name in content if str(name).startswith("prob_")]
    if {*(facts.class_names or scored)} == {*COMMON_EMOTIONS}:
        return COMMON_EMOTIONS  # those of every configuration under emotions="common"
    expected = emotions_of_config(config_name) if config_name else facts.class_names
    if expected is None and config is not None:
        expected = emotions_of_config(config)
    if expected is None:
        raise UsageError(
            f"{path} states neither its configuration nor the order of its emotions: add --config-name (meld, iemocap, "
            "ecf, mecad or reccon, say)."
        )
    for found in (scored, facts.class_names or ()):
        further = [name for name in found if name not in expected]
        if further:
            raise InvalidDataError(
                f"{path}: its emotions are {', '.join(map(excerpt, found))}; those of {config or 'its metadata'} are "
                f"{', '.join(map(excerpt, expected))}. Predictions for another corpus cannot be scored against this "
                "one."
            )
    return expected


def _probabilities(
    path: Path, content: pd.DataFrame, names: tuple[str, ...], notes: list[str]
) -> NDArray[np.float64] | None:
    values, unscored = probability_columns(path, content, names)
    if len(unscored):
        which = unscored_rows(unscored, content, {"dialogue": "dialogue_id", "turn": "turn"}, "utterances")
        raise InvalidDataError(f"{path}: {which}. Predict every utterance once.")
    if values is None:
        return None
    try:
        checked, n_rescaled = check_probabilities(values, names, item="utterance")
    except MetricInputError as error:
        raise MetricInputError(f"{path}: {error}") from None
    if n_rescaled:
        notes.append(
            f"The probabilities of {n_rescaled} of {len(content)} utterances did not sum to one within their digits "
            "and were rescaled."
        )
    return checked.astype(np.float64, copy=False)


def _emotion_ids(
    path: Path, content: pd.DataFrame, columns: Sequence[str], own_ids: Sequence[str], names: Sequence[str]
) -> NDArray[np.int64] | None:
    """Ids of the emotions of a column, whose ids are those of the file and whose words are names; -1 where empty."""
    column = next((name for name in columns if name in content), None)
    if column is None:
        return None
    given = content[column]
    known = given.notna().to_numpy()
    ids = np.full(len(given), NO_EMOTION, dtype=np.int64)
    words = np.array([isinstance(value, str) for value in given], dtype=np.bool_) & known
    written = given.to_numpy(dtype=object)
    numeric = np.array([word and value.lstrip("-").isdecimal() for word, value in zip(words, written, strict=True)])
    filled = np.array([bool(word) and value != "" for word, value in zip(words, written, strict=True)], dtype=np.bool_)
    named = words & ~numeric & filled
    unknown = sorted({str(value) for value in written[named]} - set(names))
    if unknown:
        rows = int(np.isin(written[named].astype(np.str_), unknown).sum())
        raise InvalidDataError(
            f"{path}: column {column}: {shown(unknown[0])} is none of the emotions. "
            f"{did_you_mean(unknown[0][:80], names)} {rows} such rows."
        )
    id_of = {name: i for i, name in enumerate(names)}
    ids[named] = [id_of[str(value)] for value in written[named]]
    numbers = known & (~words | numeric)
    if numbers.any():
        rows_of = np.flatnonzero(numbers)
        values = whole_numbers(path, content.iloc[rows_of], column, "the name or id of an emotion")
        outside = (values < NO_EMOTION) | (values >= len(own_ids))
        if outside.any():
            place = int(np.flatnonzero(outside)[0])
            raise InvalidDataError(
                f"{path}: row {rows_of[place]}, column {column}: {values[place]} is not the id of an emotion; expected "
                f"0 to {len(own_ids) - 1} ({', '.join(own_ids)}). {int(outside.sum())} such rows."
            )
        to_ours = np.array([*(id_of.get(name, NO_EMOTION) for name in own_ids), NO_EMOTION], dtype=np.int64)
        ids[rows_of] = to_ours[values]  # -1, an unknown emotion, is the last entry
    return ids


def _check_decisions(
    path: Path, probabilities: NDArray[np.float64], decisions: NDArray[np.int64], names: Sequence[str]
) -> None:
    of_decision = probabilities[np.arange(len(decisions)), decisions]
    wrong = np.flatnonzero(of_decision < probabilities.max(axis=1))
    if len(wrong):
        row = int(wrong[0])
        raise InvalidDataError(
            f"{path}: row {row} predicts {names[decisions[row]]} and gives {names[int(probabilities[row].argmax())]} a "
            f"larger probability. {len(wrong)} such rows; leave out the column prediction or the probabilities."
        )


def _speakers(content: pd.DataFrame) -> NDArray[np.str_]:
    if "speaker" not in content:
        return np.full(len(content), "", dtype=np.str_)
    return np.asarray(content["speaker"].fillna("").astype(str).to_numpy().astype(np.str_))


def _check_repeats(path: Path, table: EmotionTable) -> None:
    _, dialogue = np.unique(table.dialogue_ids, return_inverse=True)
    order = np.lexsort((table.turns, dialogue))
    same = (np.diff(dialogue[order]) == 0) & (np.diff(table.turns[order]) == 0)
    if same.any():
        row = int(order[1:][same].min())
        raise InvalidDataError(
            f"{path}: turn {table.turns[row]} of dialogue {table.dialogue_ids[row][:80]} is given more than once; "
            f"{int(same.sum())} utterances repeat. Predict every utterance once."
        )


def _with_columns(facts: EmotionFacts, content: pd.DataFrame, path: Path) -> EmotionFacts:
    """Takes split and run name from the columns, or the split from the file's name, where the metadata lacks them."""
    of_name = canonical_split(path.stem.removeprefix(_FILE_PREFIX))
    split = facts.split or (canonical_split(str(content["split"].iloc[0])) if "split" in content else None)
    run_name = facts.run_name or (str(content["run_name"].iloc[0]) if "run_name" in content else None)
    return replace(facts, split=split or (of_name if of_name in SPLITS else None), run_name=run_name)
