"""Makes a run folder from the predictions of any system, which then is a row of the leaderboard."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.runs.results import (
    EXTERNAL,
    Decision,
    RunResults,
    run_results,
    write_results,
    write_run_predictions,
)
from iemomecp_dataset.corpora.metadata import IEMOMECP, corpus_of_config
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, RunFolderError, UsageError, did_you_mean
from iemomecp_dataset.files import file_digest, make_folder
from iemomecp_dataset.metrics.evaluation.aligned import (
    ScoredCandidates,
    check_same_form,
    gold_pairs_of,
    other_data,
    predicted_pairs,
    score_candidates,
    with_threshold_of,
)
from iemomecp_dataset.metrics.evaluation.coverage import name_pairs
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionFacts, EmotionPredictions
from iemomecp_dataset.metrics.evaluation.explanations.predictions import ExplanationFacts, ExplanationPredictions
from iemomecp_dataset.metrics.evaluation.gold import gold_split
from iemomecp_dataset.metrics.evaluation.predictions import (
    CandidatePredictions,
    PredictionFacts,
    read_candidate_predictions,
)
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import Reading
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.metrics.set_scores import PairSet, set_scores
from iemomecp_dataset.schema import MODALITY_SETS, SPLITS

__all__ = ["Submission", "check_stated", "check_submission", "stated_epoch", "write_submission"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """Predictions of a system, and the facts about it.

    Attributes:
        name: The system's name in tables; runs of one name that differ in the seed alone share a row.
        files: Prediction files by split: test, validation, or both.
        data_dir: Folder of the corpus.
        config_name: Configuration of the data.
        seed: Seed of the run.
        modalities: Modalities the system uses, some of the letters t, a, v; empty: not stated.
        run_name: Run to take from files that hold several.
        candidates: Of corpora other than IEMO-MECP: ``all`` or ``past``.
        forward_pairs: Of ``source_binary``: ``as_published`` or ``gold``.
        threshold: Decide by P(class 0) >= this.
        threshold_chosen_on: Split that it was chosen on; None for a fixed one.
        argmax: Decide by the most probable class.
        choose_threshold: Whether a threshold is chosen on the predictions for validation, where these are among the
            files and no rule is given.
        reading: How JSON and emotions of other systems are read: ``strict`` or ``leniently``.
        corpus_options: Further options of the loader, by name; None for a default.
        score_options: Of explanations: options of
            :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores`, by name.
        given: By split predictions of pairs that are already read; for such splits ``files`` is not needed.
        sources: By split the files that ``given`` was made of, the one to name first in front.
        settings: Choices that make another system of one name, as a record states them.
        facts: Further keys of the record.
        triples: Whether the record gets the scores of definitions C and D too, where every predicted pair has the
            emotion of its target and the gold has emotions.
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
    threshold_chosen_on: str | None = None
    argmax: bool = False
    choose_threshold: bool = True
    reading: Reading = "strict"
    corpus_options: Mapping[str, Any] = field(default_factory=dict)
    score_options: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, CandidatePredictions] = field(default_factory=dict)
    sources: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    triples: bool = False


def write_submission(
    submission: Submission,
    folder: str | Path,
    *,
    corpus: Corpus | None = None,
    write_further: Callable[[Path], None] | None = None,
) -> RunResults:
    """Checks and scores the predictions of a system, and writes them as a run folder.

    With probabilities, the decision is by ``threshold``, the most probable class (``argmax``), the best threshold on
    validation where that is among the files (and ``choose_threshold``), or the threshold that a file records; else by
    the most probable class. A file of decisions alone is scored by them, and has no average precision. Candidates
    that a file does not list are non-pairs, which is counted and kept with the run. Predicted pairs that are no
    candidates are left out, counted and named where the list of candidates is fixed (definition F); elsewhere
    (definition A) they would be wrong, and are refused: tables, intervals and paired tests of runs are all of the
    candidates.

    The data needs the splits of the files alone; structural baselines that are fitted are there only with train.

    Args:
        submission: The system and its files.
        folder: The run folder; it must be empty or not exist.
        corpus: The data, where it is loaded already, with the options of the submission.
        write_further: Writes further files into the folder, before the record that completes it.

    Returns:
        The record, as written to ``results.json``; beside it the predictions, in the format of a run.

    Raises:
        RunFolderError: The folder is not empty.
        UsageError: The arguments do not fit together, the folder cannot be written to, predictions were made without
            evidence, or pairs are predicted that no run of this data can hold.
        InvalidDataError: Pairs repeat or are of other dialogues, the predictions were made on other data or texts, or
            the files disagree with each other.
        IemomecpError: The data or a file cannot be read.
    """
    folder = Path(folder)
    check_submission(submission, folder)
    files = {
        split: submission.given[split] if split in submission.given else _read(submission, split)
        for split in SPLITS
        if split in submission.files or split in submission.given
    }
    check_same_form(list(files.values()))
    if corpus is None:
        corpus = load_corpus(
            submission.config_name,
            submission.data_dir,
            candidates=_candidates(submission, files),
            forward_pairs=submission.forward_pairs,
            for_training=False,
        )
    corpus.require_pairs()
    scored = _scored(submission, files, corpus)
    decision = _decision(scored)
    epoch_chosen_on = stated_epoch(files.values())
    record = run_results(
        corpus,
        {split: system.predicted for split, system in scored.items()},
        decision,
        run_name=folder.name,
        scorer=EXTERNAL,
        objective=submission.name,
        modalities=submission.modalities,
        seed=submission.seed,
        epoch_chosen_on=epoch_chosen_on,
        # Whether the system cut texts is not known, so truncated utterances are not among the counts.
        settings=dict(submission.settings),
        extra={
            **submission.facts,
            "submission": {
                split: _provenance(_sources(submission, split), system, corpus.definition)
                for split, system in scored.items()
            },
            **({"triples": _triples(scored)} if submission.triples else {}),
        },
    )
    for warning in record.extra["leaks"]:
        _logger.warning("warning: %s", warning)
    make_folder(folder)
    for split, system in scored.items():
        certain = np.eye(len(corpus.class_names))[system.decided]
        write_run_predictions(
            folder,
            corpus,
            split,
            certain if system.probabilities is None else system.probabilities,
            decision,
            epoch_chosen_on=epoch_chosen_on,
            emotions=system.emotions,
            emotions_origin=system.predictions.facts.emotions or "predicted",
            run_name=folder.name,
            decisions_alone=system.probabilities is None,
        )
    if write_further is not None:
        write_further(folder)
    write_results(folder, record)
    return record


def check_submission(submission: Submission, folder: Path) -> None:
    """Checks what can be checked before a file is read.

    Args:
        submission: The system and its files.
        folder: The run folder.

    Raises:
        RunFolderError: The folder is not empty.
        UsageError: The arguments do not fit together.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"{folder} exists and is not empty. Choose another folder, or remove it.")
    if not submission.name.strip():
        raise UsageError("The system needs a name for its row.")
    if not submission.files and not submission.given:
        raise UsageError("There are no prediction files.")
    for split in {**submission.files, **submission.given}:
        if split not in ("validation", "test"):
            raise UsageError(f"Predictions are for validation or test, not for {split!r}.")
    if submission.modalities and submission.modalities not in MODALITY_SETS:
        raise UsageError(
            f"There are no modalities {submission.modalities!r}. {did_you_mean(submission.modalities, MODALITY_SETS)}"
        )


def _read(submission: Submission, split: str) -> CandidatePredictions:
    path = submission.files[split]
    predictions = read_candidate_predictions(
        path,
        split=split,
        run_name=submission.run_name,
        config_name=submission.config_name,
        reading=submission.reading,
    )
    check_stated(path, predictions.facts, split, submission.config_name)
    if predictions.facts.evidence is not None:
        raise UsageError(
            f"{path} holds predictions from which evidence was removed ({predictions.facts.evidence}): a diagnostic of "
            "a system, and no row of the leaderboard. Give its predictions with all evidence."
        )
    return predictions


def check_stated(
    path: Path, facts: PredictionFacts | EmotionFacts | ExplanationFacts, split: str, config_name: str
) -> None:
    """Refuses a file that is given as one of another split or configuration than it states.

    Args:
        path: The file.
        facts: Its metadata.
        split: The split it is given as.
        config_name: The configuration it is given as.

    Raises:
        UsageError: It states another.
    """
    for what, stated, wanted in (("split", facts.split, split), ("configuration", facts.config_name, config_name)):
        if stated is not None and stated != wanted:
            raise UsageError(f"{path} states that its {what} is {stated}, but it was given as {wanted}.")


def check_texts(path: Path, stated: str | None, found: str) -> None:
    """Refuses a file that was made on other texts than those that its row would stand beside.

    Args:
        path: The file.
        stated: The fingerprint of texts that it states; None where it states none.
        found: That of the data here.

    Raises:
        InvalidDataError: They differ.
    """
    if stated is not None and stated != found:
        raise InvalidDataError(
            f"{path}: it was made on texts with fingerprint {stated}, and those here have {found}. Its row would stand "
            "in the table of other data: give the data that it was made on with --data-dir."
        )


def provenance(path: Path, notes: Iterable[str]) -> dict[str, Any]:
    """What a record states of a file that was submitted.

    Args:
        path: The file.
        notes: What its reader has said of it.
    """
    return {"file": path.name, "sha256": file_digest(path), "notes": list(notes)}


def _candidates(submission: Submission, files: Mapping[str, CandidatePredictions]) -> str | None:
    """The candidate space that is asked for, else the one that the files imply."""
    if corpus_of_config(submission.config_name) == IEMOMECP:
        return submission.candidates  # refused by the loader, with words
    implied = {file.candidate_space for file in files.values()}
    return submission.candidates or ("past" if implied == {"past"} else "all")


def _scored(
    submission: Submission, files: Mapping[str, CandidatePredictions], corpus: Corpus
) -> dict[str, ScoredCandidates]:
    options = EvaluationOptions(
        threshold=submission.threshold,
        argmax=submission.argmax,
        reading=submission.reading,
        definition=corpus.definition,
    )
    if submission.threshold_chosen_on is not None:
        options = replace(options, threshold_chosen_on=submission.threshold_chosen_on)
    if submission.choose_threshold and "validation" in files:
        options = with_threshold_of(
            score_candidates(files["validation"], gold_split(corpus, "validation"), options), options
        )
    scored = {split: score_candidates(file, gold_split(corpus, split), options) for split, file in files.items()}
    for split, system in scored.items():
        path = system.predictions.path
        _check_same_data(path, system)
        if corpus.definition != "F":
            turns = {row["dialogue_id"]: len(row["utterances"]) for row in corpus.rows[split]}
            _check_none_outside(path, system.outside, turns, corpus.definition)
        try:
            check_pair_inputs(system.predicted, system.pairs.labels, corpus.class_names)
        except MetricInputError as error:
            raise MetricInputError(f"{path}: {error}") from None
        if system.probabilities is None or system.threshold_chosen_on != "system":
            continue
        differing = int((system.decided != decide(system.probabilities)).sum())
        if differing:
            raise UsageError(
                f"{path}: on {differing} pairs its decisions (pred_id) are not its most probable class, and a run has "
                "one rule for all. Give --argmax or --threshold, or leave the decisions or the probabilities out."
            )
    return scored


def _check_same_data(path: Path, system: ScoredCandidates) -> None:
    """Refuses predictions that state other data or texts: their row would stand in a table of what they never saw."""
    differing = [] if system.gold is None else other_data(system.predictions.facts, system.gold)
    if differing:
        raise InvalidDataError(
            f"{path}: {' '.join(differing)} Its row would stand in the table of other data: give the data that it was "
            "made on with --data-dir, or predict on this data."
        )


def _check_none_outside(path: Path, outside: PairSet, turns: Mapping[str, int], definition: str) -> None:
    """Refuses predicted pairs outside the candidates: they are wrong, and a run has no place for them."""
    if not len(outside):
        return
    keys = (outside.dialogue_ids, outside.target_turns, outside.cause_turns)
    longest = np.array([turns[dialogue] for dialogue in outside.dialogue_ids.tolist()], dtype=np.int64)
    exist = (np.minimum(*keys[1:]) >= 1) & (np.maximum(*keys[1:]) <= longest)
    ways = []
    if exist.any():
        ways.append(f"{int(exist.sum())} are of turns that exist: give --candidates all, which has them as candidates.")
    if not exist.all():
        named = name_pairs((keys[0][~exist], keys[1][~exist], keys[2][~exist]))
        ways.append(
            f"{int((~exist).sum())} are of turns that do not exist, {named}: no row can hold them. Score the file "
            "without --as-run, which counts them as wrong."
        )
    raise UsageError(
        f"{path}: {len(outside)} predicted pairs are no candidates. Definition {definition} counts them as wrong, but "
        f"a run holds the candidates alone, so its row would score higher. {' '.join(ways)}"
    )


def stated_epoch(
    files: Iterable[CandidatePredictions | EmotionPredictions | ExplanationPredictions],
) -> str | None:
    """Finds the split that the epoch was chosen on, as the files state it.

    Args:
        files: The files of a system.

    Returns:
        The split; None where none states it.

    Raises:
        InvalidDataError: They state different ones.
    """
    stated = {file.facts.epoch_chosen_on: file.path for file in files if file.facts.epoch_chosen_on is not None}
    if len(stated) > 1:
        words = ", ".join(f"{split} in {path}" for split, path in stated.items())
        raise InvalidDataError(f"The files state different splits that the epoch was chosen on: {words}.")
    return next(iter(stated), None)


def _decision(scored: Mapping[str, ScoredCandidates]) -> Decision:
    """The rule of all splits, as their files state it or the options do."""
    rules = {(system.threshold, system.threshold_chosen_on) for system in scored.values()}
    if len(rules) > 1:
        raise InvalidDataError("The files record different decision thresholds; give --threshold or --argmax.")
    threshold, chosen_on = rules.pop()
    return Decision(threshold, None if chosen_on == "none" else chosen_on)


def _sources(submission: Submission, split: str) -> Sequence[Path]:
    return submission.sources.get(split) or [submission.files[split]]


def _provenance(files: Sequence[Path], system: ScoredCandidates, definition: str) -> dict[str, Any]:
    first, *further = (provenance(file, [*system.notes, *system.outside_note(definition)]) for file in files)
    return {
        **first,
        **(
            {"further_files": [{key: of_file[key] for key in ("file", "sha256")} for of_file in further]}
            if further
            else {}
        ),
        "candidates_not_listed": int((system.order < 0).sum()),
        "predicted_pairs_left_out": len(system.outside),
    }


def _triples(scored: Mapping[str, ScoredCandidates]) -> dict[str, dict[str, Any]]:
    """Scores of definitions C and D by split, of splits whose predicted pairs all have an emotion."""
    found: dict[str, dict[str, Any]] = {}
    for split, system in scored.items():
        gold = gold_pairs_of(system)
        own = system.emotions
        if own is None or system.gold is None or gold.emotions is None or "" in own[system.decided == 0].tolist():
            continue
        predicted = predicted_pairs(system, emotions="predicted")
        names = system.gold.scored_emotions
        found[split] = {letter: set_scores(predicted, gold, definition=letter, emotions=names) for letter in ("C", "D")}
    return found
