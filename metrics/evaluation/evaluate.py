"""Evaluates predictions files: scores, intervals, signatures, and paired tests of two files.

:func:`evaluate_files` takes what the command line gives. Predictions on a candidate list are scored by
:mod:`~iemomecp_dataset.metrics.evaluation.candidate_scores`, a SemEval-2024 file as a set of pairs by
:mod:`~iemomecp_dataset.metrics.evaluation.listed_sets`; where the definition needs a candidate list (F), such a file
becomes one, with every pair that it does not list as a non-pair.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.candidates import CANDIDATE_SPACES
from iemomecp_dataset.corpora.metadata import (
    CORPORA,
    IEMOMECP,
    corpus_of_config,
    default_definition,
    emotions_of_config,
)
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.find_sources import configurations_of
from iemomecp_dataset.metrics.evaluation.aligned import (
    ScoredCandidates,
    check_same_form,
    predicted_pairs,
    score_candidates,
    with_threshold_of,
)
from iemomecp_dataset.metrics.evaluation.candidate_scores import (
    compare_candidates,
    emotions_origin,
    evaluate_candidates,
)
from iemomecp_dataset.metrics.evaluation.gold import (
    GoldSplit,
    check_split,
    dialogues_by_split,
    load_gold_split,
)
from iemomecp_dataset.metrics.evaluation.listed_sets import ScoredList, evaluate_semeval
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.predictions import is_pair_list, read_candidate_predictions, split_of_file
from iemomecp_dataset.metrics.evaluation.results import Evaluation, EvaluationOptions, FileComparison
from iemomecp_dataset.metrics.evaluation.semeval import (
    EMOTION_NAMES,
    SemevalConversations,
    read_semeval,
    write_semeval,
)
from iemomecp_dataset.metrics.evaluation.structural_rows import StructuralRows
from iemomecp_dataset.metrics.evaluation.uncertainty import paired_tests
from iemomecp_dataset.metrics.signature import check_comparable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS, canonical_split

__all__ = [
    "FileEvaluation",
    "FileEvaluationRequest",
    "ScoredData",
    "check_no_explanation_options",
    "corpus_options_given",
    "evaluate_files",
    "pair_options_given",
    "scored_data",
]

_ONLY_DECIDES = "The system only decides: no threshold is chosen on its predictions for validation."
_GOLD_EXPORTED = (
    "The SemEval file that was written has gold emotions; its scores by emotion are upper bounds, not results."
)


@dataclass(frozen=True)
class FileEvaluationRequest:
    """Names the files to score, and the gold.

    Attributes:
        predictions: The file: ``.parquet``, ``.csv``, or ``.json`` of SemEval-2024.
        other: A second file to compare with.
        validation: The system's predictions on validation; a threshold is chosen on them, whatever the file states.
        data_dir: Folder of the gold data.
        gold_file: A SemEval-2024 file with the gold, for predictions of that format.
        config_name: Configuration of the gold; ``None``: what the file states, else what its classes imply.
        split: Split; ``None``: what the file states.
        run_name: Run to take from a file with several.
        other_run_name: The same for the second file.
        candidates: Candidate space of corpora other than IEMO-MECP: ``all`` or ``past``; ``None``: what the file
            states, else what its pairs imply.
        forward_pairs: Of ``source_binary``: ``as_published`` or ``gold``; ``None``: as published.
        corpus_options: Options of the loader for a corpus of explanations by name: ``status``, ``meld_root``,
            ``ecf_root`` and ``ecf_map``.
        semeval_output: Write the predicted pairs here in the SemEval-2024 format.
        as_run: Whether a run is made of the files too, which uses the candidate space where a list of pairs does not.
        options: How to score.
    """

    predictions: Path
    other: Path | None = None
    validation: Path | None = None
    data_dir: Path | None = None
    gold_file: Path | None = None
    config_name: str | None = None
    split: str | None = None
    run_name: str | None = None
    other_run_name: str | None = None
    candidates: str | None = None
    forward_pairs: str | None = None
    corpus_options: Mapping[str, Any] = field(default_factory=dict)
    semeval_output: Path | None = None
    as_run: bool = False
    options: EvaluationOptions = field(default_factory=EvaluationOptions)


def pair_options_given(request: FileEvaluationRequest) -> list[str]:
    """Lists the options of a request that concern pairs alone.

    Args:
        request: What to score.

    Returns:
        Their names on the command line, of those that are given.
    """
    options = request.options
    of_pairs = {
        "--gold": request.gold_file is not None,
        "--candidates": request.candidates is not None,
        "--forward-pairs": request.forward_pairs is not None,
        "--write-semeval": request.semeval_output is not None,
        "--missed-positives": options.missed_positives is not None,
        "--definition": options.definition is not None,
        "--threshold": options.threshold is not None,
        "--argmax": options.argmax,
        "--gold-emotions": options.gold_emotions,
        "--window": options.window.turns is not None,
        "--past": options.window.past,
        "--read leniently": options.reading != "strict",
        "--validation without --as-run": request.validation is not None and not request.as_run,
    }
    return [name for name, is_given in of_pairs.items() if is_given]


def corpus_options_given(request: FileEvaluationRequest) -> list[str]:
    """Lists the options of a request that say how a corpus of explanations is loaded.

    Args:
        request: What to score.

    Returns:
        Their names on the command line, of those that are given.
    """
    return [f"--{name.replace('_', '-')}" for name, value in request.corpus_options.items() if value is not None]


def check_no_explanation_options(request: FileEvaluationRequest, what: str) -> None:
    """Refuses the options of a request that concern explanations alone.

    Args:
        request: What to score.
        what: What the file holds instead, as a verb and its object.

    Raises:
        UsageError: Some are given.
    """
    given = corpus_options_given(request)
    of_scores = {
        "--bertscore-model": request.options.bertscore_model is not None,
        "--bleurt-model": request.options.bleurt_model is not None,
        "--no-meteor": not request.options.meteor,
    }
    given += [name for name, is_given in of_scores.items() if is_given]
    if given:
        raise UsageError(
            f"{request.predictions} {what}; {' and '.join(given)} {'is' if len(given) == 1 else 'are'} for files of "
            f"explanations. Leave {'it' if len(given) == 1 else 'them'} out."
        )


@dataclass(frozen=True)
class FileEvaluation:
    """Scores of a file, of a second one, and the paired tests.

    Attributes:
        evaluations: One, or two.
        comparison: First minus second, where there are two; or minus a structural row that was asked for.
        exported_emotions: Origin of the emotions in the SemEval file that was written: ``gold`` or ``predicted``.
        first: The first file as it was scored, and what it was scored against.
        structural: The structural rows beside the first file, where they were computed.
    """

    evaluations: tuple[Evaluation, ...]
    comparison: FileComparison | None
    exported_emotions: str | None
    first: ScoredCandidates | ScoredList
    structural: StructuralRows | None = None


@dataclass(frozen=True)
class ScoredData:
    """The data that a file is scored against.

    Attributes:
        config_name: The configuration.
        split: The split.
        candidates: Candidate space, of corpora other than IEMO-MECP.
        forward_pairs: Of ``source_binary``.
        split_found: Whether nothing states the split, and the dialogues of the file are of this one alone.
    """

    config_name: str
    split: str
    candidates: str | None = None
    forward_pairs: str | None = None
    split_found: bool = False


def evaluate_files(request: FileEvaluationRequest) -> FileEvaluation:
    """Scores one predictions file, or two and their difference.

    Args:
        request: What to score.

    Returns:
        The scores.

    Raises:
        IemomecpError: A file, its pairs or the options cannot be scored; the message gives the reason.
    """
    _check_options(request)
    if is_pair_list(request.predictions) and not _needs_candidates(request):
        return _evaluate_semeval_files(request)
    chosen = {"split": _split(request), "config_name": request.config_name}
    reading = request.options.reading
    files = [read_candidate_predictions(request.predictions, run_name=request.run_name, reading=reading, **chosen)]
    if request.other is not None:
        name = request.other_run_name or (request.run_name if request.other == request.predictions else None)
        files.append(read_candidate_predictions(request.other, run_name=name, reading=reading, **chosen))
    data = None if request.data_dir is None else _data_of(request, files[0])
    gold = None if request.data_dir is None or data is None else _load(request.data_dir, data)
    if gold is not None:
        for file in files:
            check_split(file.path, file.pairs.dialogue_ids.tolist(), gold.source_dialogues, gold.split, gold.loaded)
    own_options = _with_validation(request, files[0])
    no_choice = request.validation is not None and files[0].probabilities is None
    scored = [score_candidates(files[0], gold, own_options)]
    scored += [score_candidates(file, gold, request.options) for file in files[1:]]
    exported = None
    if request.semeval_output is not None:
        exported = _write_semeval(request.semeval_output, scored[0], request.options)
    evaluations = tuple(evaluate_candidates(system, request.options) for system in scored)
    comparison = compare_candidates(scored[0], scored[1], request.options) if len(scored) == 2 else None
    remarks = [_ONLY_DECIDES] if no_choice else []
    if data is not None and data.split_found:
        remarks.append(f"Split taken as {data.split}: no other has the dialogues of the file; --split states it.")
    if gold is not None and (scored[0].order >= 0).all():
        n_dialogues = len(set(scored[0].pairs.dialogue_ids.tolist()))
        remarks.append(f"All {len(scored[0].pairs)} candidates of {n_dialogues} dialogues are in the file.")
    remarks += _guessed_space(request, scored[0], evaluations[0])
    return FileEvaluation(_with_remarks(request, evaluations, remarks, exported), comparison, exported, scored[0])


def scored_data(
    predictions: CandidatePredictions,
    *,
    config_name: str | None = None,
    split: str | None = None,
    candidates: str | None = None,
    forward_pairs: str | None = None,
    data_dir: str | Path | None = None,
) -> ScoredData:
    """Finds out which data a file is scored against.

    Args:
        predictions: The file.
        config_name: Configuration; ``None``: what the file states, else what its classes imply.
        split: Split; ``None``: what the file states, or its name, else the one split that has all its dialogues.
        candidates: Candidate space; ``None``: what the file states, else what its pairs imply.
        forward_pairs: Of ``source_binary``; ``None``: what the file states, else as published.
        data_dir: Folder of the data, where it is known.

    Returns:
        The data.

    Raises:
        UsageError: Configuration or split are not known.
    """
    facts = predictions.facts
    config = config_name or facts.config_name or ("3class" if predictions.class_names == ROLE_LABELS else None)
    if config is None:
        raise UsageError(f"{predictions.path} {_unknown_configuration(predictions.class_names, data_dir)}")
    chosen, found = split or facts.split or split_of_file(predictions.path), False
    if chosen is None and data_dir is not None:
        ids = set(predictions.pairs.dialogue_ids.tolist()) | set(predictions.listed or ())
        fitting = [name for name, of_split in dialogues_by_split(config, data_dir).items() if ids <= of_split]
        chosen, found = (fitting[0], True) if len(fitting) == 1 else (None, False)
    if chosen is None:
        raise UsageError(f"{predictions.path} does not state its split: add --split (train, validation or test).")
    return ScoredData(
        config,
        chosen,
        candidates=None if corpus_of_config(config) == IEMOMECP else candidates or predictions.candidate_space,
        forward_pairs=forward_pairs or facts.forward_pairs or "as_published" if config == "source_binary" else None,
        split_found=found,
    )


def _unknown_configuration(class_names: Sequence[str], data_dir: str | Path | None) -> str:
    """Why the configuration of a file is not known, and what to add."""
    predicted = ", ".join(class_names)
    offered = ["source_binary", *(name for name, one in CORPORA.items() if one.has_pairs)]
    if data_dir is not None and Path(data_dir).is_dir():
        of_folder = {corpus_of_config(name) for name in configurations_of(Path(data_dir))}
        offered = [name for name in offered if corpus_of_config(name) in of_folder] or offered
    if set(class_names) == set(PAIR_LABELS):
        if len(offered) == 1:
            return f"does not state its configuration; add --config-name {offered[0]}, which --data-dir looks like."
        return (
            f"does not state its configuration and classes {predicted} fit several: add --config-name "
            f"({_either(offered)})."
        )
    known = {"3class": ROLE_LABELS, _either(offered): PAIR_LABELS}
    config = max(known, key=lambda name: len(set(class_names) & set(known[name])))
    for name in class_names:
        lacking = [one for one in known[config] if one not in class_names]
        if name not in known[config] and (close := difflib.get_close_matches(name, lacking, n=1)):
            return (
                f"predicts the classes {predicted}, which no configuration has. Is prob_{name} meant to be "
                f"prob_{close[0]}? Rename it, and add --config-name {config}."
            )
    every = "; ".join(f"{name}: {', '.join(names)}" for name, names in known.items())
    return f"predicts the classes {predicted}, which no configuration has ({every}). Rename its columns prob_<class>."


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _check_options(request: FileEvaluationRequest) -> None:
    """Refuses options that contradict each other, or that the files leave nothing to do for."""
    check_no_explanation_options(request, "predicts cause pairs")
    options, listed = request.options, is_pair_list(request.predictions)
    if request.other_run_name is not None and request.other is None:
        raise UsageError("A second run name was given without a second file: add --compare.")
    if request.semeval_output is not None and options.window:
        raise UsageError("--write-semeval writes every predicted pair; leave --window and --past out.")
    if request.validation is not None and (options.threshold is not None or options.argmax):
        raise UsageError("--validation chooses the threshold; leave --threshold and --argmax out, or --validation.")
    if request.validation is not None and request.data_dir is None:
        raise UsageError("--validation needs the gold of that split: add --data-dir.")
    if request.other is not None and is_pair_list(request.other) != listed:
        raise UsageError(
            f"{request.predictions} and {request.other}: one lists candidates and the other does not; they cannot be "
            "paired."
        )
    if request.gold_file is not None and request.data_dir is not None:
        raise UsageError("--gold and --data-dir both give the gold; name one of them.")
    if request.gold_file is not None and (not listed or _needs_candidates(request)):
        raise UsageError(
            f"{request.predictions} lists candidates; its gold comes from --data-dir or its own column. --gold is for "
            "SemEval-2024 predictions."
        )
    without_use = {
        "--threshold": listed and options.threshold is not None,
        "--argmax": listed and options.argmax,
        "--run-name": listed and request.run_name is not None,
        "--compare-run-name": listed and request.other_run_name is not None,
        "--missed-positives": listed and options.missed_positives is not None,
    }
    if any(without_use.values()):
        raise UsageError(
            f"{request.predictions} lists the predicted pairs of one system, without scores: leave "
            f"{' and '.join(name for name, idle in without_use.items() if idle)} out."
        )
    if options.missed_positives is not None and request.data_dir is not None:
        raise UsageError("--missed-positives is for files without --data-dir, which counts these pairs itself.")
    of_candidates = {"--candidates": request.candidates, "--forward-pairs": request.forward_pairs}
    for name, value in of_candidates.items():
        if value is not None and request.data_dir is None:
            raise UsageError(f"{name} chooses the gold of --data-dir; add that, or leave {name} out.")
        if value is not None and listed and not request.as_run and not _needs_candidates(request):
            raise UsageError(f"{request.predictions} is scored without a list of candidates: leave {name} out.")
    if request.config_name is not None:
        _check_space(request, request.config_name)


def _check_space(request: FileEvaluationRequest, config_name: str) -> None:
    """Refuses a choice of candidates or of gold that the configuration does not offer."""
    if request.forward_pairs is not None and config_name != "source_binary":
        raise UsageError(f"--forward-pairs chooses the gold of source_binary; the configuration is {config_name}.")
    if request.candidates is not None and corpus_of_config(config_name) == IEMOMECP:
        raise UsageError(f"--candidates is for other corpora; {config_name} has one list of candidates.")


def _guessed_space(request: FileEvaluationRequest, scored: ScoredCandidates, evaluation: Evaluation) -> list[str]:
    """Says that the candidate space was found from the pairs of the file, where nothing states it."""
    facts, space = scored.predictions.facts, evaluation.signature.forward_pairs
    stated = request.candidates or facts.candidates in CANDIDATE_SPACES or (scored.gold is None and facts.forward_pairs)
    if stated or evaluation.signature.corpus == IEMOMECP:
        return []
    states = "--candidates states it" if scored.gold is not None else "--data-dir with --candidates states it"
    return [f"Candidate space taken as {space} from the pairs of the file; {states}."]


def _needs_candidates(request: FileEvaluationRequest) -> bool:
    """Whether a SemEval file is scored as a list of candidates."""
    if request.data_dir is None or request.config_name is None:
        return False
    return (request.options.definition or default_definition(corpus_of_config(request.config_name))) == "F"


def _evaluate_semeval_files(request: FileEvaluationRequest) -> FileEvaluation:
    remarks = [] if request.validation is None else [_ONLY_DECIDES]
    # Read before the gold is looked for: a file of another format needs no gold, but another file.
    names = EMOTION_NAMES if request.config_name is None else emotions_of_config(request.config_name)
    paths = [path for path in (request.predictions, request.other) if path is not None]
    files = [read_semeval(path, reading=request.options.reading, emotion_names=names) for path in paths]
    gold: GoldSplit | SemevalConversations
    if request.gold_file is not None:
        gold = read_semeval(request.gold_file)
        if not len(gold.pairs):
            raise InvalidDataError(
                f"{request.gold_file}: none of its {len(gold.conversations)} conversations has a pair, so it is not a "
                "gold file. The labels of the task's test split are not in the files of its test phase."
            )
    elif request.data_dir is not None:
        if request.config_name is None or request.split is None:
            raise UsageError("A SemEval-2024 file does not state its corpus and split: add --config-name and --split.")
        gold = load_gold_split(request.config_name, request.data_dir, canonical_split(request.split))
    else:
        raise UsageError(
            f"{request.predictions} holds no gold beside its predictions: give a gold file with --gold, or the corpus "
            "with --data-dir, --config-name and --split."
        )
    scored = [
        evaluate_semeval(path, file, gold, request.options, files) for path, file in zip(paths, files, strict=True)
    ]
    evaluations = tuple(evaluation for evaluation, _ in scored)
    exported = None
    if request.semeval_output is not None:
        exported = files[0].emotions
        write_semeval(request.semeval_output, files[0].pairs, files[0].conversations.values(), emotions=exported)
    comparison = None
    if len(scored) == 2:
        check_comparable([evaluation.signature for evaluation in evaluations])
        comparison = paired_tests(paths[0], paths[1], [counts for _, counts in scored], request.options)
    first = ScoredList(paths[0], files[0], gold, scored[0][1])
    return FileEvaluation(_with_remarks(request, evaluations, remarks, exported), comparison, exported, first)


def _split(request: FileEvaluationRequest) -> str | None:
    return None if request.split is None else canonical_split(request.split)


def _data_of(request: FileEvaluationRequest, predictions: CandidatePredictions) -> ScoredData:
    data = scored_data(
        predictions,
        config_name=request.config_name,
        split=_split(request),
        candidates=request.candidates,
        forward_pairs=request.forward_pairs,
        data_dir=request.data_dir,
    )
    _check_space(request, data.config_name)
    return data


def _load(data_dir: Path, data: ScoredData) -> GoldSplit:
    return load_gold_split(
        data.config_name, data_dir, data.split, candidates=data.candidates, forward_pairs=data.forward_pairs
    )


def _with_validation(request: FileEvaluationRequest, predictions: CandidatePredictions) -> EvaluationOptions:
    """The options of the file, with the threshold that its predictions on validation give."""
    if request.validation is None or request.data_dir is None:
        return request.options
    data = replace(_data_of(request, predictions), split="validation")
    file = read_candidate_predictions(
        request.validation,
        split="validation",
        run_name=request.run_name,
        config_name=data.config_name,
        reading=request.options.reading,
    )
    check_same_form([predictions, file])
    return with_threshold_of(score_candidates(file, _load(request.data_dir, data), request.options), request.options)


def _write_semeval(path: Path, scored: ScoredCandidates, options: EvaluationOptions) -> str:
    if scored.gold is None:
        raise UsageError("Writing the SemEval format needs the dialogues: add --data-dir.")
    origin = emotions_origin(scored, options, "--write-semeval")
    write_semeval(path, predicted_pairs(scored, emotions=origin), scored.gold.conversations, emotions=origin)
    return origin


def _with_remarks(
    request: FileEvaluationRequest, evaluations: tuple[Evaluation, ...], remarks: list[str], exported: str | None
) -> tuple[Evaluation, ...]:
    """Adds remarks to the first file's, among them whether gold emotions were written, or asked for in vain."""
    definition = evaluations[0].signature.definition
    if request.options.gold_emotions and definition not in ("C", "D") and exported != "gold":
        remarks = [*remarks, f"Definition {definition} scores no emotions; --gold-emotions changes nothing."]
    if exported == "gold":
        remarks = [*remarks, _GOLD_EXPORTED]
    return (replace(evaluations[0], notes=(*evaluations[0].notes, *remarks)), *evaluations[1:])
