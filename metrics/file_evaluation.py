"""From paths to scores: finds out what the files are, finds the gold, scores, and compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from iemomecp_dataset.candidates import CANDIDATE_SPACES
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.candidate_evaluation import compare, evaluate_candidates, paired_tests
from iemomecp_dataset.metrics.evaluation import Comparison, Evaluation, EvaluationOptions
from iemomecp_dataset.metrics.gold_split import GoldSplit, load_gold_split
from iemomecp_dataset.metrics.predictions_file import CandidatePredictions, read_candidate_predictions
from iemomecp_dataset.metrics.scored_candidates import predicted_pairs, score_candidates
from iemomecp_dataset.metrics.semeval_evaluation import evaluate_semeval
from iemomecp_dataset.metrics.semeval_format import SemevalConversations, read_semeval, write_semeval
from iemomecp_dataset.metrics.signature import check_comparable
from iemomecp_dataset.schema import ROLE_LABELS, canonical_split

__all__ = ["FileEvaluation", "FileEvaluationRequest", "evaluate_files"]


@dataclass(frozen=True)
class FileEvaluationRequest:
    """What to score, against what.

    Attributes:
        predictions: The file: ``.parquet``, ``.csv``, or ``.json`` of SemEval-2024.
        other: A second file to compare with.
        data_dir: Folder of the gold data.
        gold_file: A SemEval-2024 file with the gold, for predictions of that format.
        config_name: Configuration of the gold; ``None``: what the file says, else what its classes are.
        split: Split; ``None``: what the file says.
        run_name: Run to take from a file with several.
        other_run_name: The same for the second file.
        candidates: Candidate space of corpora other than IEMO-MECP: ``all`` or ``past``; ``None``: found out.
        forward_pairs: Of ``source_binary``: ``as_published`` or ``gold``; ``None``: as published.
        semeval_output: Write the predicted pairs here in the SemEval-2024 format.
        options: How to score.
    """

    predictions: Path
    other: Path | None = None
    data_dir: Path | None = None
    gold_file: Path | None = None
    config_name: str | None = None
    split: str | None = None
    run_name: str | None = None
    other_run_name: str | None = None
    candidates: str | None = None
    forward_pairs: str | None = None
    semeval_output: Path | None = None
    options: EvaluationOptions = field(default_factory=EvaluationOptions)


@dataclass(frozen=True)
class FileEvaluation:
    """Scores of a file, of a second one, and the paired tests.

    Attributes:
        evaluations: One, or two.
        comparison: First minus second, where there are two.
    """

    evaluations: tuple[Evaluation, ...]
    comparison: Comparison | None = None


def evaluate_files(request: FileEvaluationRequest) -> FileEvaluation:
    """Scores one prediction file, or two and their difference.

    Args:
        request: What to score.

    Returns:
        The scores.

    Raises:
        IemomecpError: A file, its pairs or the options cannot be scored; the message says why.
    """
    if request.other_run_name is not None and request.other is None:
        raise UsageError("A second run name was given without a second file: add --compare.")
    if request.predictions.suffix == ".json":
        return _evaluate_semeval_files(request)
    if request.gold_file is not None:
        raise UsageError(
            f"{request.predictions} lists candidates; its gold comes from --data-dir or its own column. --gold is for "
            "SemEval-2024 predictions."
        )
    if request.other is not None and request.other.suffix == ".json":
        raise UsageError(f"{request.predictions} lists candidates and {request.other} does not; they cannot be paired.")
    chosen = {"split": _split(request), "config_name": request.config_name}
    files = [read_candidate_predictions(request.predictions, run_name=request.run_name, **chosen)]
    if request.other is not None:
        name = request.other_run_name or (request.run_name if request.other == request.predictions else None)
        files.append(read_candidate_predictions(request.other, run_name=name, **chosen))
    gold = None if request.data_dir is None else _gold_of_candidates(request, files[0])
    scored = [score_candidates(file, gold, request.options) for file in files]
    if request.semeval_output is not None:
        if gold is None:
            raise UsageError("Writing the SemEval format needs the dialogues and their emotions: add --data-dir.")
        write_semeval(request.semeval_output, predicted_pairs(scored[0], gold_emotions=True), gold.conversations)
    evaluations = tuple(evaluate_candidates(system, request.options) for system in scored)
    comparison = compare(scored[0], scored[1], request.options) if len(scored) == 2 else None
    return FileEvaluation(evaluations, comparison)


def _evaluate_semeval_files(request: FileEvaluationRequest) -> FileEvaluation:
    gold: GoldSplit | SemevalConversations
    if request.gold_file is not None:
        gold = read_semeval(request.gold_file)
    elif request.data_dir is not None:
        if request.config_name is None or request.split is None:
            raise UsageError("A SemEval-2024 file does not say its corpus and split: add --config-name and --split.")
        gold = load_gold_split(request.config_name, str(request.data_dir), canonical_split(request.split))
    else:
        raise UsageError(
            f"{request.predictions} holds no gold beside its predictions: give a gold file with --gold, or the corpus "
            "with --data-dir, --config-name and --split."
        )
    scored = []
    for path in (request.predictions, request.other):
        if path is not None:
            scored.append(evaluate_semeval(path, read_semeval(path), gold, request.options))
    if len(scored) == 1:
        return FileEvaluation((scored[0][0],))
    (first, first_counts), (second, second_counts) = scored
    check_comparable([first.signature, second.signature])
    comparison = paired_tests(first.path, second.path, [first_counts, second_counts], request.options)
    return FileEvaluation((first, second), comparison)


def _split(request: FileEvaluationRequest) -> str | None:
    return None if request.split is None else canonical_split(request.split)


def _gold_of_candidates(request: FileEvaluationRequest, predictions: CandidatePredictions) -> GoldSplit:
    facts = predictions.facts
    config = request.config_name or facts.config_name or ("3class" if predictions.class_names == ROLE_LABELS else None)
    if config is None:
        raise UsageError(
            f"{predictions.path} does not say its configuration and classes {', '.join(predictions.class_names)} fit "
            "several: add --config-name (source_binary, ecf, mecad, mec4 or reccon)."
        )
    split = _split(request) or facts.split
    if split is None:
        stem = predictions.path.stem.removeprefix("predictions_")
        split = stem if stem in ("train", "validation", "test") else None
    if split is None:
        raise UsageError(f"{predictions.path} does not say its split: add --split (train, validation or test).")
    options: dict[str, str] = {}
    if config == "source_binary":
        options["forward_pairs"] = request.forward_pairs or facts.forward_pairs or "as_published"
    elif config not in ("3class", "overlay"):
        has_forward = bool((predictions.cause_turns > predictions.target_turns).any())
        stated = facts.candidates if facts.candidates in CANDIDATE_SPACES else None
        options["candidates"] = request.candidates or stated or ("all" if has_forward else "past")
    return load_gold_split(config, str(request.data_dir), split, **options)
