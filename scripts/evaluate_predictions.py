r"""Scores any prediction file, ours or another system's, with intervals and a signature that says what was scored.

    python scripts/evaluate_predictions.py runs/rpcl/predictions_test.parquet --data-dir local_data
    python scripts/evaluate_predictions.py runs/rpcl/predictions_test.parquet \
        --compare runs/base/predictions_test.parquet
    python scripts/evaluate_predictions.py theirs.csv --data-dir local_data --config-name 3class --split test
    python scripts/evaluate_predictions.py theirs.csv --data-dir local_data --as-run runs/theirs
    python scripts/evaluate_predictions.py submission.json --gold gold.json --definition D

Files: the Parquet of a run folder; CSV or Parquet with columns dialogue_id, target_turn, cause_turn (or
candidate_turn) and prob_<class> or pred_id, such as the published artifact's; JSON of SemEval-2024 Task 3. With
--data-dir the file must hold every candidate of the split exactly once; what is missing, repeated or unknown is named
and counted. Without it the gold is the file's own column (label or gold_id).

A table is printed and a JSON written beside the predictions (<name>.scores.json), or where --output says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from iemomecp_dataset.command_line import run_command


def main() -> None:
    """Reads the command line, scores, prints and writes."""
    parser = _parser()
    arguments = parser.parse_args()
    of_run = ("system", "system_seed", "system_modalities", "validation")
    if arguments.as_run is None and any(getattr(arguments, name) is not None for name in of_run):
        parser.error("--system, --system-seed, --system-modalities and --validation go with --as-run")
    if arguments.as_run is not None and arguments.data_dir is None:
        parser.error("--as-run needs --data-dir: a row of the leaderboard holds every candidate of the split")
    # Imported here, so that --help is quick.
    from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
    from iemomecp_dataset.metrics.evaluation.report import evaluation_as_text, write_evaluation
    from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions

    request = FileEvaluationRequest(
        predictions=arguments.predictions,
        other=arguments.compare,
        data_dir=arguments.data_dir,
        gold_file=arguments.gold,
        config_name=arguments.config_name,
        split=arguments.split,
        run_name=arguments.run_name,
        other_run_name=arguments.compare_run_name,
        candidates=arguments.candidates,
        forward_pairs=arguments.forward_pairs,
        semeval_output=arguments.write_semeval,
        options=EvaluationOptions(
            definition=arguments.definition,
            threshold=arguments.threshold,
            argmax=arguments.argmax,
            missed_positives=arguments.missed_positives,
            gold_emotions=arguments.gold_emotions,
            n_resamples=arguments.resamples,
            confidence=arguments.confidence,
            seed=arguments.seed,
            progress=sys.stderr.isatty(),
        ),
    )
    result = evaluate_files(request)
    print(evaluation_as_text(result))
    output = arguments.output or arguments.predictions.with_suffix(".scores.json")
    write_evaluation(output, result)
    print(f"\nwritten: {output}")
    if arguments.as_run is not None:
        _write_run(arguments, parser)
    if arguments.write_semeval is not None:
        print(f"written: {arguments.write_semeval} (emotions of the targets are the gold ones)")


def _write_run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Makes a run folder of the files."""
    from iemomecp_dataset.benchmark.runs.submission import Submission, write_submission
    from iemomecp_dataset.metrics.evaluation.predictions import read_candidate_predictions
    from iemomecp_dataset.schema import ROLE_LABELS, canonical_split

    split = None if arguments.split is None else canonical_split(arguments.split)
    file = read_candidate_predictions(
        arguments.predictions, split=split, run_name=arguments.run_name, config_name=arguments.config_name
    )
    split = split or file.facts.split or "test"
    config_name = arguments.config_name or file.facts.config_name
    if config_name is None and set(file.class_names) == set(ROLE_LABELS):
        config_name = "3class"
    if config_name is None:
        parser.error("--as-run needs --config-name, as the predictions do not say it")
    files = {split: arguments.predictions}
    if arguments.validation is not None:
        files["validation"] = arguments.validation
    submission = Submission(
        name=arguments.system or arguments.as_run.name,
        files=files,
        data_dir=arguments.data_dir,
        config_name=config_name,
        seed=arguments.system_seed or 0,
        modalities=arguments.system_modalities or "",
        run_name=arguments.run_name,
        candidates=arguments.candidates,
        forward_pairs=arguments.forward_pairs,
        threshold=arguments.threshold,
        argmax=arguments.argmax,
    )
    record = write_submission(submission, arguments.as_run)
    chosen_on = record.threshold["chosen_on"]
    rule = "the most probable class" if chosen_on is None else f"a threshold ({chosen_on})"
    score = record.metrics[split]["pair_f1"]
    print(f"written: {arguments.as_run}, a run of {record.objective}: Pair F1 {100 * score:.2f} on {split}, by {rule}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help=".parquet, .csv or .json file of predictions")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON to write (default: beside the predictions)")
    parser.add_argument(
        "--compare", type=Path, metavar="OTHER", help="a second file; adds paired tests, first - second"
    )

    gold = parser.add_argument_group("gold")
    gold.add_argument("--data-dir", type=Path, help="folder of the corpus; also checks coverage")
    gold.add_argument("--config-name", help="3class, source_binary, ecf, ... (default: what the file says)")
    gold.add_argument("--split", help="train, validation or test (default: what the file says)")
    gold.add_argument(
        "--candidates", choices=("all", "past"), help="candidate space of other corpora (default: found out)"
    )
    gold.add_argument(
        "--forward-pairs", choices=("as_published", "gold"), help="gold of source_binary (default: as_published)"
    )
    gold.add_argument(
        "--gold", type=Path, metavar="FILE", help="SemEval-2024 file with the gold of a SemEval-2024 file"
    )
    gold.add_argument(
        "--missed-positives",
        type=int,
        metavar="N",
        help="gold pairs that are no candidates, where no --data-dir tells (default: what the file says, else 0)",
    )

    score = parser.add_argument_group("score")
    score.add_argument(
        "--definition",
        type=str.upper,
        metavar="LETTER",
        help="what Pair F1 means: A set micro F1 (default outside IEMO-MECP), B gold without future causes, C with the "
        "emotion category, D that averaged over emotions, F on the candidate list (default for IEMO-MECP)",
    )
    score.add_argument("--threshold", type=float, help="decide by P(class 0) >= this (default: what the file says)")
    score.add_argument(
        "--argmax", action="store_true", help="decide by the most probable class, whatever the file says"
    )
    score.add_argument(
        "--gold-emotions", action="store_true", help="C and D: predicted pairs get their target's gold emotion"
    )
    score.add_argument("--run-name", help="the run to take from a file that holds several")
    score.add_argument("--compare-run-name", help="the same for the file of --compare")

    certainty = parser.add_argument_group("uncertainty")
    certainty.add_argument(
        "--resamples", type=int, default=10_000, help="of the bootstrap over source dialogues; 0: none (default: 10000)"
    )
    certainty.add_argument("--confidence", type=float, default=0.95, help="of the intervals (default: 0.95)")
    certainty.add_argument("--seed", type=int, default=0, help="of the resampling (default: 0)")

    row = parser.add_argument_group("leaderboard (see docs/bring-your-model.md)")
    row.add_argument(
        "--as-run", type=Path, metavar="FOLDER", help="write a run folder, which scripts/report.py shows beside others"
    )
    row.add_argument("--system", metavar="NAME", help="its name in tables (default: the folder's)")
    row.add_argument(
        "--system-seed", type=int, metavar="N", help="its seed; runs of one name make one row (default: 0)"
    )
    row.add_argument("--system-modalities", metavar="TAV", help="what it hears and sees: t, a, v, ta, tv, av or tav")
    row.add_argument(
        "--validation", type=Path, metavar="FILE", help="its predictions on validation; a threshold is chosen on them"
    )

    parser.add_argument(
        "--write-semeval", type=Path, metavar="FILE", help="also write the predicted pairs as SemEval-2024 JSON"
    )
    return parser


if __name__ == "__main__":
    run_command(main)
