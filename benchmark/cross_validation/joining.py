"""Joins the runs of all folds: one file of out-of-fold predictions and one record for each variant and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.runs.results import RunResults, write_results
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import make_folder
from iemomecp_dataset.folds import Folds
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order
from iemomecp_dataset.metrics.evaluation.prediction_facts import PredictionFacts
from iemomecp_dataset.metrics.evaluation.predictions import (
    Predictions,
    predictions_file,
    read_predictions,
    write_predictions,
)
from iemomecp_dataset.metrics.scoring import decide_by_fold, scores_of_decisions
from iemomecp_dataset.metrics.signature import run_signature
from iemomecp_dataset.trainers.training.progress import content_digest

__all__ = [
    "FoldRun",
    "Joined",
    "concerns_folds",
    "folds_of_pairs",
    "join_folds",
    "joined_scores",
    "remove_joined",
    "write_joined",
]


@dataclass(frozen=True)
class FoldRun:
    """A finished run on one fold.

    Attributes:
        fold: The fold.
        folder: Its run folder.
        record: Its record.
    """

    fold: int
    folder: Path
    record: RunResults


@dataclass(frozen=True)
class Joined:
    """Out-of-fold predictions, in the order of the split.

    Attributes:
        probabilities: ``(n, C)``.
        folds: ``(n,)``, the fold of each pair.
        thresholds: ``(n,)``, the threshold of its fold, NaN for the most probable class.
        scores: As :func:`~iemomecp_dataset.metrics.scoring.pair_scores`, of all folds together.
        emotions: ``(n,)`` str, predicted emotions of targets, or None.
    """

    probabilities: NDArray[np.float64]
    folds: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    scores: Mapping[str, Any]
    emotions: NDArray[np.str_] | None = None


def folds_of_pairs(corpus: Corpus, folds: Folds) -> NDArray[np.int64]:
    """The fold of every candidate pair of the split.

    Args:
        corpus: The whole corpus.
        folds: Its folds.

    Returns:
        ``(n,)``, in the order of the split's pair table.
    """
    dialogues = corpus.tables[folds.split].dialogue_ids
    names, place = np.unique(dialogues, return_inverse=True)
    return np.array([folds.fold_of[name] for name in names.tolist()], dtype=np.int64)[place]


def joined_scores(
    corpus: Corpus, folds: Folds, probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> dict[str, Any]:
    """Scores the predictions of all folds together.

    Args:
        corpus: The whole corpus.
        folds: Its folds.
        probabilities: ``(n, C)``, in the order of the split's pair table.
        thresholds: ``(n,)``.
    """
    table = corpus.tables[folds.split]
    return scores_of_decisions(
        probabilities,
        decide_by_fold(probabilities, thresholds),
        table.labels,
        corpus.class_names,
        missed_positives=table.missed_positives,
    )


def join_folds(corpus: Corpus, folds: Folds, runs: Sequence[FoldRun]) -> Joined:
    """Puts the predictions of the runs on all folds into the order of the split.

    Args:
        corpus: The whole corpus.
        folds: Its folds.
        runs: One finished run for each fold.

    Returns:
        The predictions.

    Raises:
        RunFolderError: A run is not of its fold, or has other pairs than it.
        MissingDataError: Its predictions are not there.
    """
    table, of_pair = corpus.tables[folds.split], folds_of_pairs(corpus, folds)
    probabilities = np.full((len(table), len(corpus.class_names)), np.nan)
    thresholds = np.full(len(table), np.nan)
    emotions = np.full(len(table), "", dtype=object)
    with_emotions = True
    for run in runs:
        path = predictions_file(run.folder, "test")
        predicted = read_predictions(path)
        if predicted.facts.part != folds.word(run.fold):
            raise RunFolderError(
                f"{path} holds predictions of {predicted.facts.part or 'a whole split'}, not of "
                f"{folds.word(run.fold)}. Remove its run folder and start the same command again."
            )
        where = np.flatnonzero(of_pair == run.fold)
        order = aligned_order(str(path), predicted.pairs.keys, table.take(where).keys)
        _check_gold(path, predicted, order, table.labels[where])
        probabilities[where] = predicted.probabilities[order]
        if predicted.threshold is not None:
            thresholds[where] = predicted.threshold
        if predicted.emotions is None:
            with_emotions = False
        else:
            emotions[where] = predicted.emotions[order]
    return Joined(
        probabilities,
        of_pair,
        thresholds,
        joined_scores(corpus, folds, probabilities, thresholds),
        emotions.astype(np.str_) if with_emotions else None,
    )


def _check_gold(path: Path, predicted: Predictions, order: NDArray[Any], labels: NDArray[np.int64]) -> None:
    if not np.array_equal(predicted.labels[order], labels):
        raise RunFolderError(f"{path} holds another gold than the data. Remove its run folder and start again.")


def write_joined(
    folder: Path,
    corpus: Corpus,
    folds: Folds,
    runs: Sequence[FoldRun],
    joined: Joined,
    structural: Mapping[str, Any],
) -> RunResults:
    """Writes the run folder of a variant and seed: the out-of-fold predictions, and the record.

    Args:
        folder: The folder; what it held of an earlier joining is replaced.
        corpus: The whole corpus.
        folds: Its folds.
        runs: The runs that were joined, one for each fold.
        joined: Their predictions.
        structural: Structural baselines out of fold, as a record has them.

    Returns:
        The record.

    Raises:
        UsageError: The folder cannot be written to.
    """
    split, first = folds.split, runs[0].record
    chosen_on = "next-fold" if split == "validation" or "validation" not in corpus.rows else "validation"
    rule = "none" if np.isnan(joined.thresholds).all() else "folds"
    signature = run_signature(
        corpus.rows[split],
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        definition=corpus.definition,
        threshold_chosen_on=rule,
        forward_pairs=corpus.forward_pairs,
        synthetic=corpus.synthetic,
        texts=corpus.text_fingerprints[split],
        epoch_chosen_on=chosen_on,
        part=folds.all_folds,
    )
    records = [run.record for run in runs]
    leaks = _stated(runs, "leaks")
    remarks = _stated(runs, "remarks")
    warnings = [f"fold {run.fold}: {warning}" for run in runs for warning in run.record.extra.get("warnings", ()) or ()]
    record = replace(
        first,
        run_name=folder.name,
        data_statement=_statement(corpus, folds, leaks),
        threshold={"value": None, "chosen_on": None if rule == "none" else rule},
        metrics={split: dict(joined.scores)},
        missing_splits=(),
        counts={split: _counts(records)},
        structural_baselines=dict(structural),
        data_fingerprint={split: corpus.fingerprints[split]},
        text_fingerprint={split: corpus.text_fingerprints[split]},
        epoch_chosen_on=chosen_on,
        wall_seconds=sum(one.wall_seconds for one in records),
        peak_memory_mb=max((one.peak_memory_mb for one in records), default=math.nan),
        best_epoch=round(float(np.mean([one.best_epoch for one in records]))),
        epochs=max(one.epochs for one in records),
        trained_with=_trained_with(records),
        extra={
            "signatures": {split: str(signature)},
            "part": folds.all_folds,
            "folds": [_fold_facts(run) for run in runs],
            "leaks": leaks,
            **({"remarks": remarks} if remarks else {}),
            **({"warnings": warnings} if warnings else {}),
        },
    )
    facts = PredictionFacts(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        class_names=corpus.class_names,
        threshold_chosen_on=None if rule == "none" else rule,
        missed_positives=corpus.tables[split].missed_positives,
        data_fingerprint=corpus.fingerprints[split],
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
        definition=corpus.definition,
        candidates=corpus.candidates,
        epoch_chosen_on=chosen_on,
        run_name=folder.name,
        part=folds.all_folds,
    )
    make_folder(folder)
    # The record last: while it is there, so are the predictions that it scores.
    (folder / "results.json").unlink(missing_ok=True)
    write_predictions(
        predictions_file(folder, split),
        corpus.tables[split],
        joined.probabilities,
        facts,
        joined.emotions,
        folds=joined.folds,
        thresholds=joined.thresholds,
    )
    write_results(folder, record)
    return record


def remove_joined(folder: Path) -> bool:
    """Removes what was joined before, so that it is not shown as current.

    Args:
        folder: The run folder of a variant and seed.

    Returns:
        Whether there was anything.
    """
    # The record first: while it is there, so are the predictions that it scores.
    files = [folder / "results.json", *(predictions_file(folder, split) for split in ("train", "validation"))]
    there = [file for file in files if file.is_file()]
    for file in there:
        file.unlink()
    if there and not any(folder.iterdir()):
        folder.rmdir()
    return bool(there)


def _statement(corpus: Corpus, folds: Folds, leaks: Sequence[str]) -> str:
    """What the data are; that no run knows what it predicts is said only where no leak says otherwise."""
    words = f"each {folds.split} dialogue is predicted by a run that was not trained on it"
    if any(map(concerns_folds, leaks)):
        words = (
            f"each {folds.split} dialogue is predicted by a run on the other folds, which shares data with it, or may "
            "(see the leaks)"
        )
    return replace(corpus, part_words=f"{words}, {folds.n} folds {folds.digest}", missing_splits=()).statement


def concerns_folds(leak: str) -> bool:
    """Whether a leak of a run on one fold is of what it was trained on and what it predicts, or may be.

    Example:
        >>> concerns_folds("ecf/train and ecf/test share 2 utterances; such as a 1.")
        True
        >>> concerns_folds("ecf/train and ecf/validation share 2 utterances; such as a 1.")
        False
    """
    return "/validation" not in leak or ("/train" in leak and "/test" in leak)


def _stated(runs: Sequence[FoldRun], name: str) -> list[str]:
    """Sentences of the runs, each once, with the folds whose runs state it where not all of them do."""
    of_text: dict[str, list[int]] = {}
    for run in runs:
        for text in run.record.extra.get(name) or ():
            of_text.setdefault(text, []).append(run.fold)
    return [
        text if len(of) == len(runs) else f"fold{'s' * (len(of) > 1)} {', '.join(map(str, of))}: {text}"
        for text, of in of_text.items()
    ]


def _trained_with(records: Sequence[RunResults]) -> dict[str, dict[str, Any]]:
    """What all runs were trained with; where they left out different dialogues, fingerprints are of all together."""
    found: dict[str, dict[str, Any]] = {}
    for key, first in records[0].trained_with.items():
        of_runs = [record.trained_with.get(key, {}) for record in records]
        found[key] = {name: value for name, value in first.items() if all(one.get(name) == value for one in of_runs)}
        for name in ("data_fingerprint", "text_fingerprint"):
            if name in first and name not in found[key]:
                found[key][name] = content_digest({"of_runs": [one.get(name) for one in of_runs]})
    return found


def _counts(records: Sequence[RunResults]) -> dict[str, int]:
    """The counts of the scored folds together."""
    of_folds = [record.counts["test"] for record in records]
    return {name: sum(counts.get(name, 0) for counts in of_folds) for name in of_folds[0]}


def _fold_facts(run: FoldRun) -> dict[str, Any]:
    record = run.record
    scores = {
        split: {name: of_split.get(name) for name in ("pair_f1", "pair_auprc")}
        for split, of_split in record.metrics.items()
    }
    return {
        "fold": run.fold,
        "run": run.folder.name,
        "threshold": record.threshold.get("value"),
        "best_epoch": record.best_epoch,
        "wall_seconds": record.wall_seconds,
        "scores": scores,
        **({"trained_with": dict(record.trained_with)} if record.trained_with else {}),
    }
