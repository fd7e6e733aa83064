"""Makes a run folder of any system's predictions, so that they become a row of the leaderboard."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.structural import (
    SplitTables,
    structural_scores,
    structural_systems,
    utterance_table,
)
from iemomecp_dataset.benchmark.runs.results import RunResults, write_results
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, RunFolderError, UsageError, did_you_mean
from iemomecp_dataset.metrics.evaluation.aligned import ScoredCandidates, score_candidates
from iemomecp_dataset.metrics.evaluation.gold import load_gold_split
from iemomecp_dataset.metrics.evaluation.predictions import read_candidate_predictions, write_predictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.scoring import decide, pair_scores
from iemomecp_dataset.metrics.signature import run_signature
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.schema import MODALITY_SETS, SPLITS

__all__ = ["Submission", "write_submission"]


@dataclass(frozen=True)
class Submission:
    """What a system predicted, and what it is.

    Attributes:
        name: The system's name in tables; runs of one name that differ in the seed alone become one row.
        files: Prediction files by split: test, validation, or both.
        data_dir: Folder of the corpus.
        config_name: Configuration of the data.
        seed: Seed of the run.
        modalities: What the system hears and sees, some of the letters t, a, v; empty: not said.
        run_name: Run to take from files that hold several.
        candidates: Of corpora other than IEMO-MECP: ``all`` or ``past``.
        forward_pairs: Of ``source_binary``: ``as_published`` or ``gold``.
        threshold: Decide by P(class 0) >= this.
        argmax: Decide by the most probable class.
    """

    name: str
    files: Mapping[str, Path]
    data_dir: Path
    config_name: str
    seed: int = 0
    modalities: str = ""
    run_name: str | None = None
    candidates: str | None = None
    forward_pairs: str | None = None
    threshold: float | None = None
    argmax: bool = False

    @property
    def data_options(self) -> dict[str, str]:
        """Options of the loader that were given."""
        given = {"candidates": self.candidates, "forward_pairs": self.forward_pairs}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class _Decision:
    """The run's one rule: a threshold and where it was chosen; without one the most probable class."""

    threshold: float | None
    chosen_on: str | None


def write_submission(submission: Submission, folder: str | Path) -> RunResults:
    """Checks, scores and writes.

    The files must hold every candidate pair of their split exactly once. With probabilities, the decision is by
    ``threshold``, the most probable class (``argmax``), the threshold that a file of ours records, or the best
    threshold on validation where that is among the files; else by the most probable class. A file of decisions alone
    is scored as it decides, and has no average precision.

    Args:
        submission: The system and its files.
        folder: The run folder; it must be empty or not there.

    Returns:
        The record, as written to ``results.json``; beside it the predictions, in the format of a run.

    Raises:
        RunFolderError: The folder holds something.
        UsageError: What is given does not fit together.
        InvalidDataError: The pairs are not the candidates of the split, or the files disagree with each other.
        IemomecpError: The data or a file cannot be read.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"{folder} is there and holds something. Choose another folder, or remove it.")
    _check(submission)
    corpus = load_corpus(
        submission.config_name,
        submission.data_dir,
        candidates=submission.candidates,
        forward_pairs=submission.forward_pairs,
    )
    scored = {split: _scored(submission, split) for split in SPLITS if split in submission.files}
    if len({system.probabilities is None for system in scored.values()}) > 1:
        raise InvalidDataError("One file has probabilities and the other decisions alone; give both in one form.")
    decision = _decision(submission, scored)
    record = _record(submission, corpus, scored, decision, folder.name)
    folder.mkdir(parents=True, exist_ok=True)
    for split, system in scored.items():
        write_predictions(
            folder / f"predictions_{split}.parquet",
            corpus.tables[split],
            _probabilities(system),
            corpus.class_names,
            {
                "corpus": corpus.name,
                "config_name": corpus.config_name,
                "split": split,
                "class_names": list(corpus.class_names),
                "threshold": decision.threshold,
                "threshold_chosen_on": decision.chosen_on,
                "missed_positives": corpus.tables[split].missed_positives,
                "data_fingerprint": corpus.fingerprints[split],
                "synthetic": corpus.synthetic,
                "definition": corpus.definition,
                "candidates": corpus.candidates,
                "run_name": folder.name,
                "decisions_alone": system.probabilities is None,
            },
        )
    write_results(folder, record)
    return record


def _check(submission: Submission) -> None:
    if not submission.name.strip():
        raise UsageError("The system needs a name for its row.")
    if not submission.files:
        raise UsageError("There are no prediction files.")
    for split in submission.files:
        if split not in ("validation", "test"):
            raise UsageError(f"Predictions are of validation or test, not of {split!r}.")
    if submission.modalities and submission.modalities not in MODALITY_SETS:
        raise UsageError(
            f"There are no modalities {submission.modalities!r}. {did_you_mean(submission.modalities, MODALITY_SETS)}"
        )


def _scored(submission: Submission, split: str) -> ScoredCandidates:
    path = submission.files[split]
    predictions = read_candidate_predictions(
        path, split=split, run_name=submission.run_name, config_name=submission.config_name
    )
    for what, said, wanted in (
        ("split", predictions.facts.split, split),
        ("configuration", predictions.facts.config_name, submission.config_name),
    ):
        if said is not None and said != wanted:
            raise UsageError(f"{path} says that its {what} is {said}, but it was given as {wanted}.")
    gold = load_gold_split(submission.config_name, str(submission.data_dir), split, **submission.data_options)
    options = EvaluationOptions(threshold=submission.threshold, argmax=submission.argmax)
    system = score_candidates(predictions, gold, options)
    if system.probabilities is not None and system.threshold_chosen_on == "system":
        differing = int((system.decided != decide(system.probabilities)).sum())
        if differing:
            raise UsageError(
                f"{path}: on {differing} pairs its decisions (pred_id) are not its most probable class, and a run has "
                "one rule for all. Say --argmax or --threshold, or leave the decisions or the probabilities out."
            )
    return system


def _decision(submission: Submission, scored: Mapping[str, ScoredCandidates]) -> _Decision:
    first = next(iter(scored.values()))
    if first.probabilities is None or submission.argmax:
        return _Decision(None, None)
    if submission.threshold is not None:
        return _Decision(submission.threshold, "fixed")
    recorded = [system for system in scored.values() if system.threshold is not None]
    rules = {(system.threshold, system.threshold_chosen_on) for system in recorded}
    if len(rules) > 1 or (rules and len(recorded) < len(scored)):
        raise InvalidDataError("The files record different decision thresholds; say --threshold or --argmax.")
    if rules:
        return _Decision(*rules.pop())
    validation = scored.get("validation")
    if validation is None or validation.probabilities is None:
        return _Decision(None, None)
    value, _ = best_threshold(validation.probabilities, validation.labels, missed_positives=validation.n_missed)
    return _Decision(value, "validation")


def _record(
    submission: Submission,
    corpus: Corpus,
    scored: Mapping[str, ScoredCandidates],
    decision: _Decision,
    run_name: str,
) -> RunResults:
    forward = "forward_pairs" if corpus.name == "iemomecp" else "candidates"
    signatures = {
        split: str(
            run_signature(
                corpus.rows[split],
                corpus=corpus.name,
                config_name=corpus.config_name,
                split=split,
                definition=corpus.definition,
                threshold=decision.threshold,
                threshold_chosen_on=decision.chosen_on,
                forward_pairs=submission.data_options.get(
                    forward, "as_published" if corpus.name == "iemomecp" else "all"
                ),
                synthetic=corpus.synthetic,
            )
        )
        for split in scored
    }
    return RunResults(
        run_name=run_name,
        corpus=corpus.name,
        config_name=corpus.config_name,
        class_names=corpus.class_names,
        synthetic=corpus.synthetic,
        data_statement=corpus.statement,
        definition=corpus.definition,
        candidates=corpus.candidates,
        scorer="external",
        objective=submission.name,
        modalities=submission.modalities,
        text_encoder="none",
        encoder_mode="none",
        seed=submission.seed,
        threshold={"value": decision.threshold, "chosen_on": decision.chosen_on},
        metrics={split: _scores(submission, corpus, split, scored[split], decision) for split in scored},
        missing_splits=corpus.missing_splits,
        counts={split: _counts(corpus, split) for split in corpus.rows},
        structural_baselines=_structural_baselines(corpus),
        data_fingerprint=corpus.fingerprints,
        license_text_shareable=corpus.synthetic,
        extra={
            "signatures": signatures,
            "submission": {
                split: {
                    "file": submission.files[split].name,
                    "sha256": hashlib.sha256(submission.files[split].read_bytes()).hexdigest(),
                    "notes": list(system.notes),
                }
                for split, system in scored.items()
            },
        },
    )


def _scores(
    submission: Submission, corpus: Corpus, split: str, system: ScoredCandidates, decision: _Decision
) -> dict[str, Any]:
    try:
        return pair_scores(
            system.decided if system.probabilities is None else system.probabilities,
            system.labels,
            corpus.class_names,
            threshold=decision.threshold,
            missed_positives=corpus.tables[split].missed_positives,
        )
    except MetricInputError as error:
        raise MetricInputError(f"{submission.files[split]}: {error}") from None


def _counts(corpus: Corpus, split: str) -> dict[str, int]:
    rows, table = corpus.rows[split], corpus.tables[split]
    return {
        "dialogues": len(rows),
        "utterances": sum(len(row["utterances"]) for row in rows),
        "candidates": len(table),
        "gold_pairs": int((table.labels == 0).sum()) + table.missed_positives,
        "missed_positives": table.missed_positives,
        # Whether another system cut texts is not known here, so it is not among the counts.
    }


def _structural_baselines(corpus: Corpus) -> dict[str, Any]:
    splits = {
        split: SplitTables(corpus.tables[split], utterance_table(rows, corpus.emotion_names))
        for split, rows in corpus.rows.items()
    }
    others = {split: tables for split, tables in splits.items() if split != "train"}
    systems = structural_systems(splits["train"], others, corpus.class_names)
    return structural_scores(systems, corpus.tables, corpus.class_names)


def _probabilities(system: ScoredCandidates) -> NDArray[np.float64]:
    """The probabilities; of decisions alone, certainty."""
    if system.probabilities is not None:
        return system.probabilities
    return np.eye(len(system.class_names))[system.decided]
