r"""Makes a run folder of what another system leaves, which the report shows as a row beside others.

    python scripts/import_from.py hilo --manifest hilo/manifest.json --data-dir ecf \
        --output out/hilo_validation.json out/hilo_test.json --as-run runs/hilo-42 --seed 42
    python scripts/import_from.py m3hg --manifest m3hg/manifest.json --data-dir mecad \
        --output out/MECAD_bert/test_result_42.txt --as-run runs/m3hg-42
    python scripts/import_from.py mecpe --manifest mecpe/manifest.json --data-dir ecf \
        --output log/mine/step2_pair/run1_dev.txt log/mine/step2_pair/run1_test.txt --as-run runs/mecpe-1
    python scripts/import_from.py hilo --manifest causes/manifest.json --output causes/hilo_test.json \
        --context-manifest contexts/manifest.json --context-output contexts/hilo_test.json \
        --data-dir local_data --as-run runs/hilo-roles

The manifest is that of the export that the system was started on (`export-for`); the data must be what was
exported. Files: hilo_<split>.json of the launcher of HiLo; test_result_<seed>.txt of M3HG; run<k>_dev.txt and
run<k>_test.txt of MECPE-2step; JSON of predictions in the layout of SemEval-2024 (semeval) or of M3HG (m3hg-json).

Every candidate pair gets a decision. What the system did not decide on is a non-pair, counted by reason in results.json
and listed in unscored_<split>.parquet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.benchmark.peers import Peer
from iemomecp_dataset.command_line import REQUIRED, option, read_options
from iemomecp_dataset.schema import ROLE_LABELS, ModalitySet


@dataclass(frozen=True)
class ImportOptions:
    """Options of the command."""

    _dashes = True

    peer: Peer = option(REQUIRED, "the system, or the layout of its predictions", positional=True)
    manifest: Path = option(REQUIRED, "manifest.json of the export that it was started on, or its folder")
    output: tuple[Path, ...] = option(REQUIRED, "what it left, one file per split", metavar="FILE")
    data_dir: Path = option(REQUIRED, "folder of the corpus that was exported")
    as_run: Path = option(REQUIRED, "run folder to write", metavar="FOLDER", written=True)
    seed: int | None = option(
        None,
        "its seed; runs of one name make one row (default: that in the name of M3HG's file, else 0)",
        minimum=0,
        limit=2**32 - 1,
    )
    system: str | None = option(None, "name of the row (default: the system's, else the folder's)", metavar="NAME")
    modalities: ModalitySet | None = option(None, "modalities that it used (default: what the manifest states)")
    context_manifest: Path | None = option(
        None, "of 3class: manifest of a second export, with --positive emo_context", metavar="FILE"
    )
    context_output: tuple[Path, ...] = option((), "what the second run left, for the same splits", metavar="FILE")
    choose_threshold: bool = option(
        False, "hilo: choose the threshold on validation (default: its own rule, 0.5); a row of its own"
    )
    m3hg_window: int | None = option(
        None,
        "m3hg: most turns between target and cause, rel_pos_k of its configuration (default: as it is set, 12)",
        minimum=0,
    )
    read: Literal["strict", "leniently"] = option(
        "strict", "semeval: as the official evaluator does, or also what free text brings along"
    )
    mecpe_past: bool = option(False, "mecpe: step 2 left out causes after their target (pred_future_cause=0)")
    mecpe_categories: bool | None = option(
        None, "mecpe: its category mode, whose emotions are imported (default: emocate is in the name of its scope)"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Imports, and prints the scores and what was not scored."""
    options = read_options(ImportOptions, arguments, command="import-from", description=__doc__)

    from iemomecp_dataset.benchmark.peers.imports.importing import ImportRequest, import_from

    record = import_from(
        ImportRequest(
            peer=options.peer,
            manifest=options.manifest,
            outputs=options.output,
            data_dir=options.data_dir,
            folder=options.as_run,
            seed=options.seed,
            system=options.system,
            modalities=options.modalities,
            context_manifest=options.context_manifest,
            context_outputs=options.context_output,
            choose_threshold=options.choose_threshold,
            m3hg_window=options.m3hg_window,
            reading=options.read,
            mecpe_past=options.mecpe_past,
            mecpe_categories=options.mecpe_categories,
        )
    )
    print(f"written: {options.as_run}, a run of {record.objective}")
    for split, scores in record.metrics.items():
        print(f"{split}: {_scores_line(record.definition, scores)}")
        for letter, of_triples in record.extra["triples"].get(split, {}).items():
            print(f"{split}: {_triples_line(letter, of_triples)}")
        _print_unscored(split, record.extra["peer"], record.counts[split]["candidates"])
    for note in record.extra["peer"]["notes"]:
        print(f"note: {note}")
    for split, of_split in record.extra["submission"].items():
        for note in of_split["notes"]:
            print(f"note ({split}): {note}")


def _scores_line(definition: str, scores: Any) -> str:
    roles = "".join(
        f", F1 of {name} {100 * scores[f'{name}_f1']:.2f}" for name in ROLE_LABELS if f"{name}_f1" in scores
    )
    return (
        f"Pair F1 {100 * scores['pair_f1']:.2f} (definition {definition}), P {100 * scores['pair_precision']:.2f}, "
        f"R {100 * scores['pair_recall']:.2f}{roles}"
    )


def _triples_line(letter: str, scores: Any) -> str:
    main4 = f", over four {100 * scores['main4_f1']:.2f}" if letter == "D" and "main4_f1" in scores else ""
    return f"with emotions {100 * scores['pair_f1']:.2f} (definition {letter}{main4})"


def _print_unscored(split: str, peer: Any, n_candidates: int) -> None:
    for name, of_run in (("", peer), (" of the second run", peer.get("context"))):
        for reason, count in (of_run or {}).get("unscored", {}).get(split, {}).items():
            print(f"{split}: {count} of {n_candidates} candidates{name} not scored, {reason}")
