r"""Judges variants of a recipe by cross-validation, and prints the table of out-of-fold scores.

    python scripts/cross_validate.py --data_dir path/to/ecf --config_name ecf --runs_dir runs/cv --folds 5 \
        --text_encoder path/to/encoder --encoder_mode frozen --vary learning_rate=1e-4,1e-3 objective=rpcl
    python scripts/cross_validate.py --data_dir path/to/ecf --config_name ecf --runs_dir runs/cv --seeds 1 2 3 \
        --variants variants.yaml --gpus 0 --per_gpu 8
    python scripts/cross_validate.py --data_dir path/to/mecad --config_name mecad --folds_of validation

Dialogues of the train split go to folds by a hash of their id; each is predicted once, by a run that was not trained
on its fold. The corpus's own validation split chooses epoch and threshold, and nothing else. The baseline has the
options that are given; --vary changes one of them at a time, --variants names variants in YAML (narrow: {hidden_size:
128}), and an option of the trainer with several values makes a variant of each combination, the first being the
baseline.

A cell is a variant, a seed and a fold: an ordinary run of the trainer in RUNS_DIR/cells. Starting the same command
again skips finished cells and continues the others. Written into RUNS_DIR: folds.json, made once; out-of-fold/, a run
folder for each variant and seed, which report and evaluate read; cross_validation.json, .csv and .md, the table.
Missing cells are counted there. Exit code 1: some cell failed, was refused or is interrupted; 130: the command was
interrupted.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from iemomecp_dataset.benchmark.matrix.options import CellOptions, trainer_options
from iemomecp_dataset.command_line import OptionParser, command_hint, option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.options import check_backend

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.cross_validation.variants import FoldCell
    from iemomecp_dataset.benchmark.matrix.start import Ended
    from iemomecp_dataset.corpus import Corpus
    from iemomecp_dataset.folds import Folds

_VARIES = "what varies (any other option of the trainer fusion as well)"


@dataclass(frozen=True)
class _FoldOptions:
    """What is parted, and what varies."""

    data_dir: str | None = option(None, "folder of the corpus. Required.")
    runs_dir: Path = option(Path("runs/cross-validation"), "folder of the folds, the cells and the table")
    folds: int = option(5, "number of folds", minimum=2, limit=1000)
    folds_of: Literal["train", "validation"] = option(
        "train",
        "the split that is parted; validation for a corpus without train: fold k is scored, the next one chooses epoch "
        "and threshold, the others are trained on",
    )
    salt: str = option("iemomecp", "what is hashed with the ids of dialogues; another salt gives other folds")
    seeds: tuple[int, ...] = option((42,), "", minimum=0, maximum=2**32 - 1, group=_VARIES)
    vary: tuple[str, ...] = option(
        (), "options that change one at a time, against the baseline", group=_VARIES, metavar="NAME=A,B"
    )
    variants: Path | None = option(
        None, "YAML with variants by name, each with the options that it changes", group=_VARIES, metavar="FILE"
    )


@dataclass(frozen=True)
class CrossValidationOptions(CellOptions, _FoldOptions):
    """Options of the command, besides those of the trainer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes folds, plans, runs, joins, and shows."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = OptionParser(
        CrossValidationOptions,
        command="cross-validate",
        usage="%(prog)s --data_dir DATA_DIR [options] [--ANY_TRAINER_OPTION VALUE ...]",
        description=__doc__,
    )
    known, rest = parser.parse_known(given)
    options = CrossValidationOptions(**known)
    if options.data_dir is None:
        raise UsageError("--data_dir is missing: give the folder of the corpus, as for load_dataset.")
    if len(set(options.seeds)) < len(options.seeds) or not options.seeds:
        raise UsageError(f"--seeds takes one or more seeds, each once; found {' '.join(map(str, options.seeds))}.")
    common: dict[str, Sequence[Any]] = {**trainer_options(rest), "data_dir": (options.data_dir,)}
    # Imported here, so that --help is quick.
    from iemomecp_dataset.benchmark.cross_validation.checks import check_variants
    from iemomecp_dataset.benchmark.cross_validation.folds_file import FOLDS_FILE, folds_of_folder
    from iemomecp_dataset.benchmark.cross_validation.variants import fold_cells, read_variants, variants_of
    from iemomecp_dataset.benchmark.matrix.cell_data import data_of, inputs_of, load_data
    from iemomecp_dataset.benchmark.matrix.plan import plan_cells
    from iemomecp_dataset.benchmark.matrix.plan_text import print_plan
    from iemomecp_dataset.benchmark.matrix.start import check_trackers, start_cells

    places = check_backend(options, gpus=options.gpus_per_cell)
    named = [] if options.variants is None else read_variants(options.variants)
    baseline, variants = variants_of(common, options.vary, named)
    of_cells = fold_cells(baseline, variants, options.seeds, options.runs_dir / FOLDS_FILE, options.folds)
    cells = [one.cell for one in of_cells]
    check_trackers(cells)
    data = load_data(cells)
    corpus = next(iter(data.values())).require_pairs()
    asked = (corpus, options.runs_dir, options.folds, options.folds_of, options.salt)
    folds = folds_of_folder(*asked, write=False)
    check_variants(of_cells, folds, lambda cell: data_of(data, cell))
    if not options.dry_run:
        folds = folds_of_folder(*asked)
    _say(folds, len(variants), options.seeds)
    cells_dir = options.runs_dir / "cells"
    planned = plan_cells(cells, cells_dir, inputs_of(data), retry_failed=options.retry_failed)
    if options.dry_run:
        print_plan(planned, cells_dir, options, places)
        return 0
    ended = start_cells(planned, cells_dir, options)
    _join_and_show(options, corpus, folds, of_cells, ended)
    ended.say_what_is_left()
    return ended.exit_code


def _say(folds: Folds, n_variants: int, seeds: Sequence[int]) -> None:
    sizes = "; ".join(
        f"fold {fold}: {counts['dialogues']} dialogues, {counts['utterances']:,} utterances, {counts['pairs']:,} pairs"
        for fold, counts in enumerate(folds.counts, start=1)
    )
    runs = n_variants * len(seeds) * folds.n
    print(
        f"{folds.corpus} {folds.split} in {folds.n} folds ({folds.digest}): {sizes}.\n"
        f"{n_variants} variant{'s' * (n_variants != 1)} x {len(seeds)} seed{'s' * (len(seeds) != 1)} x {folds.n} "
        f"folds: {runs} runs.",
        file=sys.stderr,
    )


def _join_and_show(
    options: CrossValidationOptions, corpus: Corpus, folds: Folds, of_cells: Sequence[FoldCell], ended: Ended
) -> None:
    """Joins the folds of every variant and seed that has all of them; prints and writes the table."""
    import pandas as pd

    from iemomecp_dataset.benchmark.cross_validation.joining import FoldRun, join_folds, remove_joined, write_joined
    from iemomecp_dataset.benchmark.cross_validation.structural import structural_folds
    from iemomecp_dataset.benchmark.cross_validation.table import (
        leak_notes,
        table_as_json,
        table_as_markdown,
        table_as_text,
        table_rows,
    )
    from iemomecp_dataset.files import write_json, write_text
    from iemomecp_dataset.files.csv_cells import csv_text

    structural = structural_folds(corpus, folds, options.runs_dir)
    records = {
        (one.variant.name, one.seed, one.fold): ended.finished[one.cell.name]
        for one in of_cells
        if one.cell.name in ended.finished
    }
    states = {(one.variant.name, one.seed, one.fold): ended.states[one.cell.name][0] for one in of_cells}
    runs: dict[tuple[str, int], list[FoldRun]] = {(one.variant.name, one.seed): [] for one in of_cells}
    words: dict[str, str] = {}
    for one in of_cells:
        words[one.variant.name] = one.variant.word
        key = (one.variant.name, one.seed, one.fold)
        if key in records:
            folder = ended.runs_dir / one.cell.name
            runs[key[:2]].append(FoldRun(one.fold, folder, records[key]))
    pooled: dict[tuple[str, int], Mapping[str, Any]] = {}
    recorded = {one.key: one.as_recorded(folds.split) for one in structural}
    for (name, seed), of_folds in runs.items():
        folder = options.runs_dir / "out-of-fold" / f"{words[name]}-s{seed}"
        if len(of_folds) < folds.n:
            if remove_joined(folder):
                print(f"{folder} of an earlier call is removed: not all of its folds are finished.", file=sys.stderr)
            continue
        joined = join_folds(corpus, folds, of_folds)
        pooled[name, seed] = write_joined(folder, corpus, folds, of_folds, joined, recorded).metrics[folds.split]
    of_call = {f"{words[name]}-s{seed}" for name, seed in runs}
    others = sorted({folder.name for folder in (options.runs_dir / "out-of-fold").glob("*/")} - of_call)
    if others:
        print(f"Of an earlier call, in {options.runs_dir / 'out-of-fold'}: {', '.join(others)}.", file=sys.stderr)
    rows = table_rows(folds, options.seeds, list(words), records, pooled, structural, states)
    place = options.runs_dir / "cross_validation"
    leaks = leak_notes(records)
    for leak in leaks:
        print(f"warning: {leak}", file=sys.stderr)
    content = table_as_json(rows, folds, options.seeds, leaks)
    write_json(place.with_suffix(".json"), content)
    write_text(place.with_suffix(".csv"), csv_text(pd.DataFrame(content["rows"]), na_rep="NaN"))
    write_text(place.with_suffix(".md"), table_as_markdown(rows, folds, options.seeds, leaks))
    print(table_as_text(rows, folds, options.seeds, leaks))
    if pooled:
        report = command_hint("report", shlex.quote(str(options.runs_dir / "out-of-fold")), "--output report.html")
        print(f"\nReport: {report}")
