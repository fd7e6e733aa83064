r"""Scores any prediction file, ours or another system's, with intervals and a signature of what was scored.

    python scripts/evaluate_predictions.py runs/rpcl/predictions_test.parquet --data-dir local_data
    python scripts/evaluate_predictions.py runs/rpcl/predictions_test.parquet \
        --compare runs/base/predictions_test.parquet
    python scripts/evaluate_predictions.py runs/rpcl/predictions_test.parquet --data-dir local_data --compare distance
    python scripts/evaluate_predictions.py theirs.csv --data-dir local_data --config-name 3class --split test
    python scripts/evaluate_predictions.py theirs.csv --data-dir local_data --as-run runs/theirs
    python scripts/evaluate_predictions.py submission.json --gold gold.json --definition D
    python scripts/evaluate_predictions.py answers.json --read leniently --data-dir ecf --config-name ecf --split test
    python scripts/evaluate_predictions.py runs/ecerc/emotions_test.parquet --data-dir meld
    python scripts/evaluate_predictions.py theirs.csv --data-dir ecem --meld-root meld --ecf-root ecf \
        --config-name ecem --split test --as-run runs/theirs

Files: the Parquet of a run folder; CSV, TSV or Parquet with columns dialogue_id, target_turn, cause_turn (or
candidate_turn), prob_<class> or pred_id, and optionally emotion (the predicted emotion of the target), such as the
published artifact's; JSON of SemEval-2024 Task 3. With --data-dir, candidates that the file does not list count as
non-pairs, and are counted; repeated pairs and unknown dialogues are errors. Without it the gold is the file's own
column (label or gold_id).

Files of emotions are told by their columns dialogue_id and turn: Parquet, CSV or TSV with one row per utterance, and
prob_<emotion> or prediction (name or id). They are scored by weighted F1, and must have every utterance once.

Files of explanations are told by their columns target_turn and prediction without a cause: Parquet, CSV, TSV, or JSON
(a list of objects), one row per explained target; the reference is the file's column reference, or that of --data-dir.
Every item must be there once; an empty text scores 0.

Printed beside the scores, in percent: the decision rule, and the structural rows that a leaderboard has, on the same
items, with the difference of the file to each. Those that are fitted on train need --data-dir. A JSON with shares is
written beside the predictions (theirs.csv.scores.json beside theirs.csv), or where --output says; one that was written
for another file is not replaced, and that earlier scores of the same file were is said.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.command_line import REQUIRED, flags_in_errors, option, read_options, with_flags
from iemomecp_dataset.errors import UsageError, see_page
from iemomecp_dataset.files import holds_file, read_json
from iemomecp_dataset.metrics.evaluation.semeval import Reading
from iemomecp_dataset.metrics.set_scores import DEFINITIONS
from iemomecp_dataset.options import ConfigName, ExplanationStatuses, ForwardPairs
from iemomecp_dataset.progress import bars_hidden
from iemomecp_dataset.schema import ModalitySet, canonical_split

if TYPE_CHECKING:
    from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest

_LEADERBOARD = f"leaderboard{see_page('docs/bring-your-model.md')}"


@dataclass(frozen=True)
class EvaluateOptions:
    """Options of the command."""

    _dashes = True

    predictions: Path = option(REQUIRED, ".parquet, .csv, .tsv or .json file of predictions", positional=True)
    output: Path | None = option(None, "JSON to write (default: beside the predictions)", metavar="FILE")
    compare: str | None = option(
        None,
        'a second file, or a structural row by its name ("distance": distance only; "self + previous"); adds paired '
        "tests, first - second",
        metavar="OTHER",
    )
    structural: bool = option(True, "the structural rows beside the scores, with differences")
    write_semeval: Path | None = option(
        None,
        "also write the predicted pairs as SemEval-2024 JSON, with the emotions of the file's column emotion; without "
        "one --gold-emotions is needed, and the written file states it",
        metavar="FILE",
    )
    read: Reading = option(
        "strict",
        "how JSON and emotions are read: strict as the official evaluator does; leniently also full stops around "
        "numbers, pairs written as one text, several causes in one entry, words for none, stops around emotions, "
        "emotion aliases and prose around pairs, each counted",
    )

    data_dir: Path | None = option(None, "folder of the corpus; also checks coverage", group="gold")
    config_name: ConfigName | None = option(
        None, "configuration of the corpus (default: the one that the file states)", group="gold"
    )
    split: str | None = option(None, "train, validation or test (default: the one that the file states)", group="gold")
    candidates: CandidateSpace | None = option(
        None, "candidate space of other corpora (default: found from the file)", group="gold"
    )
    forward_pairs: ForwardPairs | None = option(None, "gold of source_binary (default: as_published)", group="gold")
    status: ExplanationStatuses | None = option(
        None,
        "of ecem: dialogues with complete explanations (default), or all; complete ones alone are scored",
        group="gold",
    )
    meld_root: Path | None = option(None, "of ecem: MELD's CSV files, where they are elsewhere", group="gold")
    ecf_root: Path | None = option(
        None, "of ecem: the files of ECF; the run of --as-run then has the row of gold causes", group="gold"
    )
    ecf_map: Path | None = option(
        None, "of ecem: the map of ECF to MELD, if it is not in --ecf-root", group="gold", metavar="FILE"
    )
    gold: Path | None = option(
        None, "SemEval-2024 file with the gold of a SemEval-2024 file", group="gold", metavar="FILE"
    )
    missed_positives: int | None = option(
        None,
        "gold pairs that are not candidates, without --data-dir (default: the number that the file states, else 0)",
        minimum=0,
        group="gold",
        metavar="N",
    )

    definition: str | None = option(
        None,
        "definition of Pair F1 (default: the one that the file states, else F for IEMO-MECP and A for other corpora). "
        + " ".join(f"{letter}: {words}." for letter, words in DEFINITIONS.items() if letter != "E"),
        group="score",
        metavar="LETTER",
    )
    threshold: float | None = option(
        None,
        "decide by P(class 0) >= this (default: the threshold that the file states)",
        minimum=0.0,
        maximum=1.0,
        group="score",
    )
    argmax: bool = option(False, "decide by the most probable class, whatever the file states", group="score")
    validation: Path | None = option(
        None,
        "the system's predictions on validation; the threshold is chosen on them, whatever the file states, for what "
        "is printed, stored and recorded (needs --data-dir)",
        group="score",
        metavar="FILE",
    )
    gold_emotions: bool = option(
        False,
        "C, D and --write-semeval: predicted pairs get the gold emotion of their target, where the file has none",
        group="score",
    )
    window: int | None = option(
        None,
        "score only pairs at most K turns apart, predictions and gold alike; not the corpus's own candidate space",
        minimum=0,
        group="score",
        metavar="K",
    )
    past: bool = option(
        False, "score only pairs whose cause does not come after its target, predictions and gold alike", group="score"
    )
    run_name: str | None = option(None, "the run to take from a file that holds several", group="score")
    compare_run_name: str | None = option(None, "the same for the file of --compare", group="score")

    bertscore_model: str | None = option(
        None, "of explanations: also BERTScore, by this encoder (folder or name)", group="score", metavar="MODEL"
    )
    bleurt_model: str | None = option(
        None, "of explanations: also BLEURT, by this checkpoint (folder or name)", group="score", metavar="MODEL"
    )
    meteor: bool = option(True, "of explanations: METEOR, where Java and pycocoevalcap are installed", group="score")

    resamples: int = option(
        10_000, "bootstrap resamples of source dialogues; 0: none", minimum=0, limit=10_000_000, group="uncertainty"
    )
    confidence: float = option(0.95, "confidence level of the intervals", above=0, below=1, group="uncertainty")
    seed: int = option(0, "seed of the resampling", minimum=0, limit=2**32 - 1, group="uncertainty")

    as_run: Path | None = option(
        None,
        "write a run folder, which the report shows beside others",
        group=_LEADERBOARD,
        metavar="FOLDER",
    )
    system: str | None = option(
        None, "name of the system in tables (default: the folder's)", group=_LEADERBOARD, metavar="NAME"
    )
    system_seed: int | None = option(
        None,
        "its seed; runs of one name make one row (default: 0)",
        minimum=0,
        limit=2**32 - 1,
        group=_LEADERBOARD,
        metavar="N",
    )
    system_modalities: ModalitySet | None = option(None, "modalities that it uses", group=_LEADERBOARD)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, scores, prints and writes."""
    options = read_options(EvaluateOptions, arguments, command="evaluate", description=__doc__)
    of_run = (options.system, options.system_seed, options.system_modalities)
    if options.as_run is None and any(value is not None for value in of_run):
        raise UsageError("--system, --system-seed and --system-modalities go with --as-run.")
    if options.as_run is not None and (options.window is not None or options.past):
        raise UsageError(
            "--as-run records scores in the corpus's own candidate space; score with --window or --past without it."
        )
    if options.as_run is not None and options.data_dir is None:
        raise UsageError("--as-run needs --data-dir: a row of the leaderboard holds every candidate of the split.")
    other, row = _compared(options)
    output = options.output or _beside(options.predictions)
    _check_outputs(options, other, output)
    # Imported here, so that --help is quick.
    from iemomecp_dataset.corpora.metadata import CORPORA
    from iemomecp_dataset.metrics.evaluation.emotions.predictions import has_emotions
    from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
    from iemomecp_dataset.metrics.evaluation.explanations.predictions import has_explanations
    from iemomecp_dataset.metrics.evaluation.report import evaluation_as_text, write_evaluation
    from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
    from iemomecp_dataset.metrics.evaluation.window import PairWindow
    from iemomecp_dataset.metrics.explanations.meteor import one_meteor_program

    request = FileEvaluationRequest(
        predictions=options.predictions,
        other=other,
        validation=options.validation,
        data_dir=options.data_dir,
        gold_file=options.gold,
        config_name=options.config_name,
        split=options.split,
        run_name=options.run_name,
        other_run_name=options.compare_run_name,
        candidates=options.candidates,
        forward_pairs=options.forward_pairs,
        corpus_options=_corpus_options(options),
        semeval_output=options.write_semeval,
        as_run=options.as_run is not None,
        options=EvaluationOptions(
            definition=None if options.definition is None else options.definition.upper(),
            threshold=options.threshold,
            argmax=options.argmax,
            missed_positives=options.missed_positives,
            gold_emotions=options.gold_emotions,
            reading=options.read,
            window=PairWindow(turns=options.window, past=options.past),
            n_resamples=options.resamples,
            confidence=options.confidence,
            seed=options.seed,
            progress=sys.stderr.isatty() and not bars_hidden(),
            bertscore_model=options.bertscore_model,
            bleurt_model=options.bleurt_model,
            meteor=options.meteor,
        ),
    )
    if has_emotions(options.predictions):
        _evaluate_emotions(options, request, row, output)
        return
    corpus = CORPORA.get(options.config_name or "")
    # Of a corpus without pairs the columns need not tell it; what is wrong with them is then told of explanations.
    explained = corpus is not None and corpus.has_explanations and not corpus.has_pairs
    if explained or has_explanations(options.predictions):
        # The lists of this file, of a second one and of structural rows.
        with flags_in_errors(EvaluateOptions), one_meteor_program():
            _evaluate_explanations(options, request, row, output)
        return
    result = evaluate_files(request)
    if options.structural:
        from iemomecp_dataset.benchmark.baselines.recorded_rows import with_recorded_rows
        from iemomecp_dataset.benchmark.baselines.rows_beside_pairs import rows_beside_pairs

        rows = rows_beside_pairs(result, request.options, compare=row)
        rows = with_recorded_rows(rows, result.evaluations[0].signature.split)
        result = replace(result, structural=rows, comparison=rows.comparison or result.comparison)
    print(evaluation_as_text(result))
    replaced = _earlier_scores(output)
    write_evaluation(output, result)
    print(f"\nwritten: {output}{replaced}")
    if options.as_run is not None and options.data_dir is not None:
        _write_run(options, options.as_run, options.data_dir)
    if options.write_semeval is not None:
        print(f"written: {options.write_semeval} ({result.exported_emotions} emotions)")


def _evaluate_emotions(options: EvaluateOptions, request: FileEvaluationRequest, row: str | None, output: Path) -> None:
    """Scores a file with the emotions of utterances."""
    from iemomecp_dataset.benchmark.baselines.recorded_rows import with_recorded_rows
    from iemomecp_dataset.benchmark.baselines.rows_beside_emotions import rows_beside_emotions
    from iemomecp_dataset.metrics.evaluation.emotions.evaluation import evaluate_emotion_files
    from iemomecp_dataset.metrics.evaluation.emotions.report import emotion_evaluation_as_text, write_emotion_evaluation

    result = evaluate_emotion_files(request)
    if options.structural:
        rows = rows_beside_emotions(result, request.options, compare=row)
        rows = with_recorded_rows(rows, result.evaluations[0].signature.split)
        result = replace(result, structural=rows, comparison=rows.comparison or result.comparison)
    print(emotion_evaluation_as_text(result))
    replaced = _earlier_scores(output)
    write_emotion_evaluation(output, result)
    print(f"\nwritten: {output}{replaced}")
    if options.as_run is not None and options.data_dir is not None:
        _write_emotion_run(options, options.as_run, options.data_dir)


def _evaluate_explanations(
    options: EvaluateOptions, request: FileEvaluationRequest, row: str | None, output: Path
) -> None:
    """Scores a file with explanations."""
    from iemomecp_dataset.benchmark.baselines.recorded_rows import with_recorded_rows
    from iemomecp_dataset.benchmark.baselines.rows_beside_explanations import rows_beside_explanations
    from iemomecp_dataset.metrics.evaluation.explanations.evaluation import evaluate_explanation_files
    from iemomecp_dataset.metrics.evaluation.explanations.report import (
        explanation_evaluation_as_text,
        write_explanation_evaluation,
    )

    result = evaluate_explanation_files(request)
    if options.structural:
        rows = rows_beside_explanations(result, request.options, compare=row)
        rows = with_recorded_rows(rows, result.evaluations[0].signature.split)
        result = replace(result, structural=rows, comparison=rows.comparison or result.comparison)
    # For the screen alone: the file is read by programs, which call functions.
    shown = [
        replace(one, unavailable={name: with_flags(EvaluateOptions, why) for name, why in one.unavailable.items()})
        for one in result.evaluations
    ]
    print(explanation_evaluation_as_text(replace(result, evaluations=tuple(shown))))
    replaced = _earlier_scores(output)
    write_explanation_evaluation(output, result)
    print(f"\nwritten: {output}{replaced}")
    if options.as_run is not None and options.data_dir is not None:
        _write_explanation_run(options, request, options.as_run, options.data_dir)


def _compared(options: EvaluateOptions) -> tuple[Path | None, str | None]:
    """The second file, or the name of a structural row."""
    if options.compare is None:
        return None, None
    path = Path(options.compare)
    if path.exists() or path.suffix.lower() in (".parquet", ".csv", ".tsv", ".json") or len(path.parts) > 1:
        return path, None
    if not options.structural:
        raise UsageError(f"--compare {options.compare} names a structural row; leave --no-structural out.")
    return None, options.compare


def _beside(predictions: Path) -> Path:
    """The file for the scores; it keeps the ending of the predictions, for x.csv and x.json are two files."""
    return predictions.with_name(f"{predictions.name}.scores.json")


def _check_outputs(options: EvaluateOptions, other: Path | None, output: Path) -> None:
    """Refuses to write over an input or the scores of another file, and two outputs into one file."""
    inputs = (options.predictions, other, options.validation, options.gold)
    read = {path.resolve() for path in inputs if path is not None}
    for name, path in (("--output", output), ("--write-semeval", options.write_semeval)):
        if path is not None and path.resolve() in read:
            raise UsageError(f"{name} names {path}, which is read; give another file to write.")
    if options.write_semeval is not None and options.write_semeval.resolve() == output.resolve():
        raise UsageError(f"--write-semeval and the scores both go to {output}; give another file.")
    if not holds_file(output):  # a folder is refused once the scores are printed
        return
    of = _scored_file(output)
    if of is None:
        raise UsageError(f"{output} is there and holds no scores of this command; give another file with --output.")
    # Beside its predictions the name tells, also after the folder has moved.
    moved = options.output is None and of.name == options.predictions.name
    if not moved and of.resolve() != options.predictions.resolve():
        raise UsageError(
            f"{output} holds the scores of another file, {of}; give another file with --output, or remove it."
        )


def _scored_file(path: Path) -> Path | None:
    """The predictions that scores were written for; None where a file does not hold scores."""
    try:
        return Path(read_json(path)["evaluations"][0]["predictions"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _earlier_scores(output: Path) -> str:
    """What is said of the scores that new ones replace: how they were made; nothing where there are none."""
    if not holds_file(output):
        return ""
    try:
        content = read_json(output)
        one = content["evaluations"][0]
        stated = dict(part.split(":", 1) for part in one["signature"].split("|") if ":" in part)
        how = [
            f"definition {stated['def']}" if "def" in stated else "",
            str((one.get("decision") or {}).get("rule", "")),
            f"window {stated['window']}" if "window" in stated else "",
            f"compared with {content['comparison']['second']}" if content.get("comparison") else "",
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "\nreplaced: the earlier scores of this file"
    words = "; ".join(filter(None, how))
    return f"\nreplaced: the earlier scores of this file{f' ({words})' if words else ''}; --output keeps both"


def _write_run(options: EvaluateOptions, folder: Path, data_dir: Path) -> None:
    """Makes a run folder of the files."""
    from iemomecp_dataset.benchmark.runs.submission import Submission, write_submission
    from iemomecp_dataset.metrics.evaluation.evaluate import scored_data
    from iemomecp_dataset.metrics.evaluation.predictions import read_candidate_predictions

    split = None if options.split is None else canonical_split(options.split)
    file = read_candidate_predictions(
        options.predictions,
        split=split,
        run_name=options.run_name,
        config_name=options.config_name,
        reading=options.read,
    )
    data = scored_data(file, config_name=options.config_name, split=split, data_dir=data_dir)
    submission = Submission(
        **_system(options, folder, data.config_name, data.split),
        data_dir=data_dir,
        candidates=options.candidates or data.candidates,
        forward_pairs=options.forward_pairs or data.forward_pairs,
        threshold=options.threshold,
        argmax=options.argmax,
        # Predictions for validation that are themselves the file to score are no reason to choose a threshold on them.
        choose_threshold=options.validation is not None,
        reading=options.read,
    )
    record = write_submission(submission, folder)
    value, chosen_on = record.threshold["value"], record.threshold["chosen_on"]
    rule = f"a threshold ({chosen_on})" if value is not None else _RULES[chosen_on]
    score = record.metrics[data.split]["pair_f1"]
    print(f"written: {folder}, a run of {record.objective}: Pair F1 {100 * score:.2f} on {data.split}, by {rule}")
    if options.definition is not None and options.definition.upper() != record.definition:
        print(
            f"note: runs of this corpus are compared by definition {record.definition}, which the folder records; "
            f"{options.definition.upper()} is the definition of the scores above alone."
        )
    for note in record.extra["submission"][data.split]["notes"]:
        print(f"note: {note}")


def _write_emotion_run(options: EvaluateOptions, folder: Path, data_dir: Path) -> None:
    """Makes a run folder of files with emotions."""
    from iemomecp_dataset.benchmark.runs.emotion_submission import write_emotion_submission
    from iemomecp_dataset.benchmark.runs.submission import Submission
    from iemomecp_dataset.metrics.evaluation.emotions.predictions import read_emotion_predictions
    from iemomecp_dataset.metrics.evaluation.turn_files import scored_split

    split = None if options.split is None else canonical_split(options.split)
    file = read_emotion_predictions(
        options.predictions, config_name=options.config_name, split=split, run_name=options.run_name
    )
    config, of_file = scored_split(
        file,
        config_name=options.config_name,
        split=split,
        data_dir=data_dir,
        dialogues=file.table.dialogue_ids.tolist(),
    )
    submission = Submission(**_system(options, folder, config, of_file), data_dir=data_dir)
    record = write_emotion_submission(submission, folder)
    score = record.metrics[of_file]["weighted_f1"]
    print(f"written: {folder}, a run of {record.objective}: weighted F1 {100 * score:.2f} on {of_file}")


def _write_explanation_run(
    options: EvaluateOptions, request: FileEvaluationRequest, folder: Path, data_dir: Path
) -> None:
    """Makes a run folder of files with explanations."""
    from iemomecp_dataset.benchmark.runs.explanation_submission import write_explanation_submission
    from iemomecp_dataset.benchmark.runs.submission import Submission
    from iemomecp_dataset.metrics.evaluation.explanations.predictions import read_explanation_predictions
    from iemomecp_dataset.metrics.evaluation.turn_files import scored_split

    split = None if options.split is None else canonical_split(options.split)
    file = read_explanation_predictions(options.predictions, split=split, run_name=options.run_name)
    config, of_file = scored_split(file, config_name=options.config_name, split=split)
    submission = Submission(
        **_system(options, folder, config, of_file),
        data_dir=data_dir,
        corpus_options=request.corpus_options,
        score_options=request.options.explanation_scores,
    )
    record = write_explanation_submission(submission, folder)
    score = record.metrics[of_file]["content_cider"]
    print(f"written: {folder}, a run of {record.objective}: content CIDEr {score:.3f} on {of_file}")


def _corpus_options(options: EvaluateOptions) -> dict[str, Any]:
    """Options of the loader that only corpora of explanations take."""
    return {name: getattr(options, name) for name in ("status", "meld_root", "ecf_root", "ecf_map")}


def _system(options: EvaluateOptions, folder: Path, config_name: str, split: str) -> dict[str, Any]:
    """Collects what a run states of the system whose files it is made of, whatever the task."""
    files = {split: options.predictions}
    if options.validation is not None:
        if split == "validation" and options.validation.resolve() != options.predictions.resolve():
            raise UsageError(
                f"{options.predictions} and {options.validation} are both predictions for validation, and a run holds "
                "one file of a split: leave --validation out, or score the predictions for test."
            )
        files["validation"] = options.validation
    return {
        "name": options.system or folder.name,
        "files": files,
        "config_name": config_name,
        "seed": options.system_seed or 0,
        "modalities": options.system_modalities or "",
        "run_name": options.run_name,
    }


_RULES = {None: "the most probable class", "system": "its own decisions"}
