"""Writes one self-contained HTML page on a folder of runs: results, structural baselines, figures.

Examples:
    python scripts/report.py runs --output report.html
    python scripts/report.py --published 3class
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.command_line import flags_in_errors, option, read_options
from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.options import DEFAULT_CONFIG, DialogueConfig, ExplanationStatuses, options_taken

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.report import Texts
    from iemomecp_dataset.benchmark.runs.index import RunIndex


@dataclass(frozen=True)
class ReportOptions:
    """Options of the command."""

    _dashes = True

    runs_dir: Path | None = option(None, "folder that holds run folders, at any depth", positional=True)
    output: Path = option(Path("report.html"), "file to write the page to", written=True)
    title: str | None = option(None, "heading; by default what the runs do")
    with_text: bool = option(
        False,
        "show utterances and explanations of the dialogues on the page; without it the page holds no corpus text and "
        "can be passed on (needs --data-dir)",
    )
    data_dir: Path | None = option(
        None,
        "folder of the corpus, as for load_dataset, for --with-text, and for diagnostics that need more than "
        "predictions (by default these read the folder that each run's config.yaml states)",
    )
    status: ExplanationStatuses | None = option(
        None, "of ecem, for --with-text: dialogues with complete explanations (default), or all"
    )
    meld_root: Path | None = option(None, "of ecem, for --with-text: MELD's CSV files, where they are elsewhere")
    ecf_root: Path | None = option(None, "of ecem, for --with-text: the files of ECF, as the runs were made with")
    ecf_map: Path | None = option(None, "of ecem, for --with-text: the map of ECF to MELD, if not in --ecf-root")
    diagnostics: bool = option(True, "a section with the diagnostics of arXiv 2605.25208 and of RPCL")
    resamples: int = option(
        1000,
        "bootstrap resamples of the dialogues for intervals and paired tests; 0: none",
        minimum=0,
        limit=10_000_000,
        metavar="N",
    )
    published: DialogueConfig | None = option(
        None,
        f"print the published results on a corpus (without a name: {DEFAULT_CONFIG}) and end; on 3class, structural "
        "rules scored on the published counts are in the ranking",
        without_value=DEFAULT_CONFIG,
    )
    quiet: bool = option(False, "print only what is left out and where the page is")


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the runs and writes the page."""
    options = read_options(ReportOptions, arguments, command="report", description=__doc__)
    if (options.runs_dir is None) == (options.published is None):
        raise UsageError("Give RUNS_DIR, the folder with the runs, or --published.")
    if options.resamples == 1:
        raise UsageError("--resamples must be 0, or at least 2.")
    if options.with_text and options.data_dir is None:
        raise UsageError("--with-text needs --data-dir, the folder that the texts are read from.")
    if not options.with_text and (given := _corpus_options(options)):
        raise UsageError(
            f"{_flags(given)} concern{'s' * (len(given) == 1)} the texts of --with-text alone; add that too."
        )
    if options.published is not None:
        from iemomecp_dataset.benchmark.published.listing import published_text

        print(published_text(options.published))
    elif options.runs_dir is not None:
        _write(options, options.runs_dir)


def _write(options: ReportOptions, runs_dir: Path) -> None:
    from tqdm import tqdm

    from iemomecp_dataset.benchmark.diagnostics.systems import facts_of_data
    from iemomecp_dataset.benchmark.diagnostics.tables import diagnose
    from iemomecp_dataset.benchmark.report import write_report
    from iemomecp_dataset.benchmark.results_table import results_table
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.pictures.words import printable

    index = index_runs(runs_dir)
    diagnosis = None
    if options.diagnostics:
        diagnosis = diagnose(
            index,
            facts_of_data(options.data_dir),
            lambda steps: tqdm(steps, desc="Diagnosing", unit="table", disable=options.quiet),
        )
    size = write_report(
        index,
        options.output,
        title=options.title,
        texts=_texts(str(options.data_dir), index, _corpus_options(options)) if options.with_text else None,
        n_resamples=options.resamples,
        diagnosis=diagnosis,
        progress=lambda boards: tqdm(boards, desc="Drawing", unit="table", disable=options.quiet),
    )
    if not options.quiet:
        print(results_table(index.runs))
    for remark in index.remarks:
        print(printable(remark))
    print(f"{options.output}: {len(index.runs)} run{'s' * (len(index.runs) != 1)}, {size / 1e6:.1f} MB")


def _corpus_options(options: ReportOptions) -> dict[str, Any]:
    """Options of the loader that are given, which only some corpora take."""
    names = ("status", "meld_root", "ecf_root", "ecf_map")
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _flags(names: Iterable[str]) -> str:
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)


def _texts(data_dir: str, index: RunIndex, corpus_options: Mapping[str, Any]) -> Texts:
    """Reads the utterances of every configuration that the runs used and the folder holds."""
    from iemomecp_dataset import whole_dialogues
    from iemomecp_dataset.benchmark.report import Texts
    from iemomecp_dataset.benchmark.runs.results import ERC
    from iemomecp_dataset.builder import load

    of_config: dict[str, dict[str, list[tuple[str, str]]]] = {}
    errors: dict[str, IemomecpError] = {}
    config_names = sorted({run.results.config_name for run in index.runs})
    taken = {config_name: corpus_options.keys() & set(options_taken(config_name)) for config_name in config_names}
    if unused := [name for name in corpus_options if not any(name in of_config for of_config in taken.values())]:
        are, them = ("is", "it") if len(unused) == 1 else ("are", "them")
        on = " and ".join(config_names)
        raise UsageError(f"The runs are on {on}, for which {_flags(unused)} {are} of no use; leave {them} out.")
    for config_name in config_names:
        try:
            with flags_in_errors(ReportOptions):
                splits = load(
                    config_name, data_dir=data_dir, **{name: corpus_options[name] for name in taken[config_name]}
                )
        except IemomecpError as error:
            errors[config_name] = error
            continue
        with_emotions = any(run.results.task == ERC and run.results.config_name == config_name for run in index.runs)
        of_dialogue = of_config.setdefault(config_name, {})
        for split in splits.values():
            # Pairs are found in the dialogues as they are, chunks say; emotions are recognised in whole ones.
            for row in (*split, *(whole_dialogues(split) if with_emotions else ())):
                of_dialogue[row["dialogue_id"]] = [(u["speaker"] or "", u["text"] or "") for u in row["utterances"]]
    if errors and not of_config:
        raise next(iter(errors.values()))
    for config_name, reason in errors.items():
        print(f"without the texts of {config_name}, which --data-dir does not hold: {reason}")
    return Texts(of_config=of_config)
