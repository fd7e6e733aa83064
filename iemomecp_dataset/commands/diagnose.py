"""Writes the diagnostics of a folder of runs as CSV: the ten of arXiv 2605.25208, and those of RPCL (arXiv 2606.18893).

Examples:
    python scripts/diagnose.py runs --output diagnostics
    python scripts/diagnose.py runs --data-dir local_data --output diagnostics
    python scripts/diagnose.py attention-bridge runs/ecerc-ecf-42 --data-dir ecf

Each is computed as published and corrected, for each run and over seeds. README.md in the folder lists the files, the
meaning of their columns, and what could not be computed. Whatever a run lacks gives a row with NaN and the reason.

``attention-bridge`` (see its own --help) prints whether the attention of an ECERC run knows of causes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import REQUIRED, option, read_options
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import PairConfig
from iemomecp_dataset.schema import canonical_split


@dataclass(frozen=True)
class DiagnoseOptions:
    """Options of the command."""

    _dashes = True

    runs_dir: Path = option(REQUIRED, "folder that holds run folders, at any depth", positional=True)
    output: Path = option(REQUIRED, "folder to write the CSV files and README.md to", metavar="DIR", written=True)
    data_dir: Path | None = option(
        None,
        "IEMO-MECP data of the runs, as for load_dataset, for what predictions do not hold: gold roles beside binary "
        "runs, source labels, words (default: the folder that each run's config.yaml states, if it is still there)",
    )
    quiet: bool = option(False, "print only what is left out and where the files are")


_BRIDGE = """Prints whether the attention of an ECERC run ranks cause pairs better than four controls.

Examples:
    python scripts/diagnose.py attention-bridge runs/ecerc-ecf-42 --data-dir ecf
    python scripts/diagnose.py attention-bridge runs/ecerc-meld-42 --data-dir ecf --config-name ecf --split test

Candidate pairs are ranked by the gated attention of the run, by uniform attention over the same turns, by the attention
of untrained weights, and by the distance of the turns (rates of the train split); each alone, and times P(not neutral)
of the target. The table is of AUPRC in percent; causes after their target count as missed. Attention that does not rank
above its controls does not show causes. A diagnostic, not a pair scorer.
"""


@dataclass(frozen=True)
class BridgeOptions:
    """Options of ``diagnose attention-bridge``."""

    _dashes = True

    run: Path = option(REQUIRED, "folder of a finished ECERC run, or of its model", positional=True)
    data_dir: Path = option(REQUIRED, "folder of a corpus with cause pairs, as for load_dataset")
    config_name: PairConfig | None = option(None, "its configuration (default: the one that the run was trained on)")
    split: str = option("validation", "train, validation or test")
    text_encoder: str | None = option(None, "the run's frozen text encoder, where it is not found under its name")
    text_features: Path | None = option(None, "feature store or Parquet file, if the run was trained on one")
    event_features: Path | None = option(None, "the same for the second text stream")
    audio_features: Path | None = option(None, "the same for audio")
    video_features: Path | None = option(None, "the same for video")
    max_missing_features: float = option(0.01, "share of utterances that may lack a vector", minimum=0.0, maximum=1.0)
    seed: int = option(0, "seed of the untrained weights", minimum=0, limit=2**32 - 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Computes what can be computed and names what cannot."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["attention-bridge"]:
        _print_bridge(read_options(BridgeOptions, given[1:], command="diagnose attention-bridge", description=_BRIDGE))
    else:
        _write_diagnosis(given)


def _print_bridge(options: BridgeOptions) -> None:
    from iemomecp_dataset.benchmark.diagnostics.bridge_of_run import bridge_of_run, bridge_table
    from iemomecp_dataset.benchmark.runs.results import read_results

    config_name: str | None = options.config_name
    if config_name is None:
        if not (options.run / "results.json").is_file():
            raise UsageError(
                f"{options.run} has no results.json that states its configuration. Give the folder of a finished run, "
                "or --config-name."
            )
        config_name = read_results(options.run).config_name
    split = canonical_split(options.split)
    stores = {name: getattr(options, f"{name}_features") for name in ("text", "event", "audio", "video")}
    found, corpus = bridge_of_run(
        options.run,
        config_name,
        options.data_dir,
        split=split,
        text_encoder=options.text_encoder,
        stores={name: path for name, path in stores.items() if path is not None},
        max_missing_features=options.max_missing_features,
        seed=options.seed,
    )
    table = corpus.tables[split]
    print(corpus.statement)
    print(
        f"{options.run}: AUPRC (%) of {len(table)} candidate pairs ({corpus.candidates}) of {split}, "
        f"{int((table.labels == 0).sum())} of them gold; {table.missed_positives} gold pairs are no candidates"
    )
    print("\n".join(bridge_table(found)))


def _write_diagnosis(arguments: Sequence[str]) -> None:
    options = read_options(DiagnoseOptions, arguments, command="diagnose", description=__doc__)

    from tqdm import tqdm

    from iemomecp_dataset.benchmark.diagnostics.folder import write_diagnosis
    from iemomecp_dataset.benchmark.diagnostics.systems import facts_of_data
    from iemomecp_dataset.benchmark.diagnostics.tables import diagnose
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.files import make_folder

    index = index_runs(options.runs_dir)
    make_folder(options.output)  # before the work, so that a place that cannot be written to is said at once
    found = diagnose(
        index,
        facts_of_data(options.data_dir),
        lambda steps: tqdm(steps, desc="Diagnosing", unit="table", disable=options.quiet),
    )
    paths = write_diagnosis(found, options.output)
    for folder, reason in found.left_out.items():
        print(f"left out: {folder}: {reason}")
    if not options.quiet:
        for name, reasons in found.not_computed().items():
            print(f"not computed: {name}: {'; '.join(reasons)}")
    kind = "SYNTHETIC " if found.all_synthetic else "partly SYNTHETIC " if found.synthetic else ""
    several = "s" * (len(found.runs) != 1)
    print(f"{options.output}: {len(paths)} files on {len(found.runs)} {kind}run{several}; README.md lists them")
