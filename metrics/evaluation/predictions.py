"""Predictions files: what their columns and metadata mean, one reader and one writer.

Our own files are Parquet, written by :func:`write_predictions`. :func:`read_candidate_predictions` reads them and those
of other systems: Parquet, CSV or TSV with one row per pair, which has a dialogue, a target turn, a cause turn, and
probabilities ``prob_<class>``, decisions ``pred_id``, or both (of two classes ``prob_pair`` is enough); or JSON of
SemEval-2024, which lists predicted pairs. :func:`read_predictions` reads a file of a run folder, which must have gold
and probabilities. Columns may be spelt in these ways:

============= =================================================================================================
column        also accepted as
============= =================================================================================================
dialogue_id
target_turn   target_emotion_turn, emotion_turn
cause_turn    candidate_turn, candidate_cause_turn
label         gold_id (the gold class id, where the file has it)
pred_id       prediction (the system's own decision)
emotion       (the predicted emotion of the target, the same for all pairs of a target; optional)
============= =================================================================================================

Out-of-fold predictions of a cross-validation are one such file, with two columns more: ``fold``, from 1, and
``fold_threshold``, the decision threshold of that fold (empty: the most probable class). The metadata then states no
threshold, and in ``part`` which folds they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import emotions_of_config, pair_classes
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.files import atomic_write
from iemomecp_dataset.metrics.evaluation.prediction_columns import (
    class_ids,
    fold_columns,
    pair_keys,
    probability_columns,
    scored_flags,
    table_classes,
    target_emotions,
    unscored_rows,
    with_non_pair,
)
from iemomecp_dataset.metrics.evaluation.prediction_facts import PredictionFacts
from iemomecp_dataset.metrics.evaluation.prediction_table import METADATA_KEY, columns_of, only_one, open_table
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions, Predictions
from iemomecp_dataset.metrics.evaluation.semeval import EMOTION_NAMES, Reading, SemevalConversations, read_semeval
from iemomecp_dataset.metrics.scoring import decide, decide_by_fold
from iemomecp_dataset.pair_table import PairKeys, PairTable
from iemomecp_dataset.schema import PAIR_LABELS, SPLITS, canonical_split

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CandidatePredictions",
    "PredictionFacts",
    "Predictions",
    "is_pair_list",
    "predictions_file",
    "read_candidate_predictions",
    "read_predictions",
    "split_of_file",
    "write_predictions",
]

_FILE_PREFIX = "predictions_"


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


def is_pair_list(path: Path) -> bool:
    """Tells the JSON of SemEval-2024, which lists predicted pairs, from tables with a row per candidate.

    Args:
        path: The file.

    Returns:
        Whether it ends in ``.json``, in whatever case.

    Example:
        >>> is_pair_list(Path("theirs.JSON")), is_pair_list(Path("theirs.csv"))
        (True, False)
    """
    return path.suffix.lower() == ".json"


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
    name = canonical_split(path.stem.removeprefix(_FILE_PREFIX))
    return name if name in SPLITS else None


def write_predictions(
    path: Path,
    pairs: PairTable,
    probabilities: NDArray[np.float64],
    facts: PredictionFacts,
    emotions: NDArray[np.str_] | None = None,
    *,
    folds: NDArray[np.int64] | None = None,
    thresholds: NDArray[np.float64] | None = None,
) -> None:
    """Writes a predictions file; it appears whole or not at all.

    Args:
        path: The file.
        pairs: ``n`` candidate pairs with their gold.
        probabilities: ``(n, C)``, in their order.
        facts: The metadata, of which ``class_names`` must be stated.
        emotions: ``(n,)`` str, the predicted emotion of each pair's target; empty where there is none.
        folds: ``(n,)`` int, the fold of each pair, of out-of-fold predictions.
        thresholds: ``(n,)``, the threshold of its fold, likewise; NaN: the most probable class.

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
        columns["emotion"] = pa.array([name or None for name in emotions.tolist()], pa.string())
        facts = replace(facts, emotions=facts.emotions or "predicted")
    if folds is not None and thresholds is not None:
        columns["fold"] = folds.astype(np.int32)
        columns["fold_threshold"] = pa.array(thresholds, pa.float64(), from_pandas=True)
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: facts.to_json()})
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
    probabilities = found.probabilities
    if probabilities is None and found.facts.decisions_alone and found.decisions is not None:
        probabilities = np.eye(len(found.class_names))[found.decisions]
    if probabilities is None:
        lacking = f"for {found.n_unscored} of {len(found)} pairs" if found.n_unscored else "in any column prob_<class>"
        raise RunFolderError(f"{path} has no probabilities {lacking}. Repeat the run.")
    return Predictions(
        pairs=PairTable(**vars(found.pairs), labels=found.labels, missed_positives=found.facts.missed_positives or 0),
        probabilities=probabilities,
        class_names=found.class_names,
        facts=replace(found.facts, split=found.facts.split or split_of_file(path)),
        emotions=found.emotions,
        folds=found.folds,
        thresholds=found.thresholds,
    )


def read_candidate_predictions(
    path: str | Path,
    *,
    split: str | None = None,
    run_name: str | None = None,
    config_name: str | None = None,
    reading: Reading = "strict",
) -> CandidatePredictions:
    """Reads a file of predicted pairs. It may list every candidate, or the predicted pairs alone.

    Args:
        path: The file; ``.parquet``, ``.csv``, ``.tsv``, or ``.json`` of SemEval-2024.
        split: The split to take from a file that holds several.
        run_name: The run to take from a file that holds several.
        config_name: Its configuration, where that is known: decisions alone may not show every class.
        reading: How JSON is read, see :func:`~iemomecp_dataset.metrics.evaluation.semeval.read_semeval`.

    Returns:
        Its pairs. Of a system that only decides there are no probabilities, in whatever form the file has them.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: Columns are missing or hold unexpected values.
        UsageError: The file holds several splits or runs and none was chosen, or not the one that was.
    """
    path = Path(path)
    if is_pair_list(path):
        emotions = EMOTION_NAMES if config_name is None else emotions_of_config(config_name)
        return _listed_pairs(path, read_semeval(path, reading=reading, emotion_names=emotions), config_name)
    table, facts = open_table(path, PredictionFacts)
    names = columns_of(path, table)
    for column, wanted in (("split", split), ("run_name", run_name)):
        table = only_one(path, table, column, wanted)
    class_names = table_classes(path, table, facts, config_name)
    # A file that states its classes, as ours do, is damaged where it lacks one.
    table, filled = (table, ()) if facts.class_names else with_non_pair(path, table, class_names)
    probabilities, unscored = probability_columns(path, table, class_names)
    n_unscored = max(len(unscored), scored_flags(path, table))
    decisions = class_ids(path, table, names.get("prediction"), class_names, "pred")
    if probabilities is None and decisions is None:
        if len(unscored):
            of_pair = {"dialogue": names["dialogue_id"], "target": names["target_turn"], "cause": names["cause_turn"]}
            raise InvalidDataError(
                f"{path}: {unscored_rows(unscored, table, of_pair, 'pairs')}. Give every pair its probabilities, or "
                "add a column pred_id with the decisions."
            )
        raise InvalidDataError(
            f"{path}: there are no predictions; give a column prob_<class> for each of {', '.join(class_names)}, or a "
            "column pred_id."
        )
    if facts.decisions_alone and probabilities is not None:
        decisions, probabilities = decide(probabilities), None  # they are 0 and 1, and rank nothing
    pairs = pair_keys(path, table, names)
    folds, thresholds = fold_columns(path, table)
    if thresholds is not None and probabilities is not None:
        decisions = decide_by_fold(probabilities, thresholds)
    return CandidatePredictions(
        path=path,
        class_names=class_names,
        pairs=pairs,
        labels=class_ids(path, table, names.get("label"), class_names, "gold"),
        probabilities=probabilities,
        decisions=decisions,
        emotions=target_emotions(path, table, pairs),
        n_unscored=n_unscored,
        facts=_with_columns(facts, table),
        notes=filled,
        folds=folds,
        thresholds=None if probabilities is None else thresholds,
    )


def _listed_pairs(path: Path, read: SemevalConversations, config_name: str | None) -> CandidatePredictions:
    """Makes decisions of a set of pairs: those that are listed are of the positive class."""
    notes = list(read.notes)
    emotion_of: dict[tuple[str, int], set[str]] = {}
    keys: dict[tuple[str, int, int], None] = {}
    columns = (read.pairs.dialogue_ids, read.pairs.target_turns, read.pairs.cause_turns, read.pairs.emotions)
    for dialogue, target, cause, emotion in zip(*(np.asarray(values).tolist() for values in columns), strict=True):
        emotion_of.setdefault((dialogue, target), set()).add(emotion)
        keys[dialogue, target, cause] = None
    if len(keys) < len(read.pairs):
        notes.append(f"{len(read.pairs) - len(keys)} pairs are given again with another emotion and count once.")
    several = sum(len(names) > 1 for names in emotion_of.values())
    if several:
        notes.append(
            f"{several} targets have several emotions; a list of candidates has one each, so all are left out."
        )
    dialogues = np.array([key[0] for key in keys], dtype=np.str_)
    class_names = PAIR_LABELS if config_name is None else pair_classes(config_name)
    return CandidatePredictions(
        path=path,
        class_names=class_names,
        pairs=PairKeys(
            dialogues,
            dialogues,
            np.array([key[1] for key in keys], dtype=np.int64),
            np.array([key[2] for key in keys], dtype=np.int64),
        ),
        labels=None,
        probabilities=None,
        decisions=np.zeros(len(keys), dtype=np.int64),
        emotions=None if several else np.array([min(emotion_of[key[:2]]) for key in keys], dtype=np.str_),
        listed=frozenset(read.conversations),
        facts=PredictionFacts(config_name=config_name, emotions=read.emotions),
        notes=tuple(notes),
    )


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
