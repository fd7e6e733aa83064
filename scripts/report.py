"""Writes one self-contained HTML page on a folder of runs: results, structural baselines, figures.

Examples:
    python scripts/report.py runs --output report.html
    python scripts/report.py --published 3class
"""

from __future__ import annotations

import argparse
from pathlib import Path

from iemomecp_dataset.command_line import run_command


def main() -> int:
    """Reads the runs and writes the page."""
    options = _options()
    if options.published is not None:
        from iemomecp_dataset.benchmark.published.systems import published_text

        print(published_text(options.published))
        return 0

    from tqdm import tqdm

    from iemomecp_dataset.benchmark.report import write_report
    from iemomecp_dataset.benchmark.results_table import results_table
    from iemomecp_dataset.benchmark.runs.index import index_runs

    index = index_runs(options.runs_dir)
    texts = _texts(options, index) if options.with_text else None
    size = write_report(
        index,
        options.output,
        title=options.title,
        texts=texts,
        n_resamples=options.resamples,
        progress=lambda boards: tqdm(boards, desc="Drawing", unit="table", disable=options.quiet),
    )
    if not options.quiet:
        print(results_table(index.runs))
    for run in index.unfinished:
        print(f"left out: {run.reason}")
    print(f"{options.output}: {len(index.runs)} run{'s' * (len(index.runs) != 1)}, {size / 1e6:.1f} MB")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "runs_dir", type=Path, nargs="?", metavar="RUNS_DIR", help="folder that holds run folders, at any depth"
    )
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="the page (default: %(default)s)")
    parser.add_argument("--title", default="Emotion-cause pair extraction", help="heading (default: %(default)s)")
    parser.add_argument(
        "--with-text",
        action="store_true",
        help="show the utterances of the dialogue in the pair matrix; without it the page holds no corpus text and can "
        "be passed on (needs --data-dir)",
    )
    parser.add_argument("--data-dir", type=Path, help="folder of the corpus, as for load_dataset, for --with-text")
    parser.add_argument(
        "--resamples",
        type=int,
        default=1000,
        metavar="N",
        help="bootstrap resamples of the dialogues for intervals and paired tests; 0: none (default: %(default)s)",
    )
    parser.add_argument(
        "--published",
        nargs="?",
        const="3class",
        metavar="CONFIG",
        help="print what was published on a corpus (3class, source_binary, ecf, mecad, mec4, reccon; default: 3class) "
        "and end; on 3class, structural rules scored on the published counts are in the ranking",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but what is left out and where the page is")
    options = parser.parse_args()
    if (options.runs_dir is None) == (options.published is None):
        parser.error("give RUNS_DIR, the folder with the runs, or --published")
    if options.resamples < 0 or options.resamples == 1:
        parser.error("--resamples must be 0, or at least 2")
    if options.with_text and options.data_dir is None:
        parser.error("--with-text needs --data-dir, the folder that the texts are read from")
    return options


def _texts(options: argparse.Namespace, index: object) -> object:
    """Reads the utterances of every configuration that the runs used."""
    import iemomecp_dataset
    from iemomecp_dataset.benchmark.report import Texts

    of_dialogue: dict[str, list[tuple[str, str]]] = {}
    for config_name in sorted({run.results.config_name for run in index.runs}):  # type: ignore[attr-defined]
        for split in iemomecp_dataset.load(config_name, data_dir=str(options.data_dir)).values():
            for row in split:
                of_dialogue[row["dialogue_id"]] = [(u["speaker"] or "", u["text"] or "") for u in row["utterances"]]
    return Texts(of_dialogue)


if __name__ == "__main__":
    run_command(main)
