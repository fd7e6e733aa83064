"""Refusals of an import: options that do not fit together, and output that cannot be of this peer and export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from iemomecp_dataset.benchmark.peers.imports.filling import FilledSplit
from iemomecp_dataset.benchmark.peers.imports.request import (
    CAUSE,
    CONTEXT,
    PEER_NAMES,
    ImportRequest,
)
from iemomecp_dataset.benchmark.peers.manifest import Manifest
from iemomecp_dataset.benchmark.peers.positives import exported_pairs
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.metrics.evaluation.coverage import name_pairs
from iemomecp_dataset.metrics.scoring import decide

__all__ = [
    "PRINTED_DIGITS",
    "check_choice",
    "check_decided",
    "check_none_outside",
    "check_printed",
    "check_request",
    "check_same_splits",
]

PRINTED_DIGITS = 1e-4
"""Largest difference of a printed score that is rounding."""


def check_request(request: ImportRequest, manifest: Manifest, second: Manifest | None) -> None:
    """Refuses options that do not fit the peer, the manifests or each other.

    Args:
        request: What to import.
        manifest: The manifest of the export.
        second: That of the contexts, where there is one.

    Raises:
        UsageError: They do not fit.
    """
    positive = manifest.options.get("positive")
    if not request.outputs:
        raise UsageError("No output of the peer is given. Name its files with --output.")
    if positive == CONTEXT:
        raise UsageError(
            f"{request.manifest}: of this export {CONTEXT} was learned, and a run needs causes. Give it as "
            f"--context-manifest beside the manifest of an export with --positive {CAUSE}."
        )
    for name, peer, given in (
        ("mecpe-past", "mecpe", request.mecpe_past),
        ("mecpe-categories", "mecpe", request.mecpe_categories is not None),
        ("m3hg-window", "m3hg", request.m3hg_window is not None),
        ("read", "semeval", request.reading != "strict"),
    ):
        if given and request.peer != peer:
            raise UsageError(f"--{name} is for {peer}, and has no effect on {request.peer}. Leave it out.")
    runs_of_files = {(path.parent, path.stem.rpartition("_")[0]) for path in request.outputs}
    if request.peer == "mecpe" and len(runs_of_files) > 1:
        raise UsageError(
            "The files are of several runs of MECPE: " + ", ".join(map(str, request.outputs)) + ". Import each run "
            "(one folder, one k of run<k>) into a folder of its own."
        )
    if (second is None) == bool(request.context_outputs):
        raise UsageError("--context-manifest and --context-output go together: give both, or neither.")
    if second is None:
        return
    if positive != CAUSE or second.options.get("positive") != CONTEXT:
        raise UsageError(
            f"Two runs merge where the first learned {CAUSE} and the second {CONTEXT}; these learned {positive} and "
            f"{second.options.get('positive')}."
        )
    if second.config_name != manifest.config_name:
        raise UsageError(
            f"The first run is of {manifest.config_name} and the second of {second.config_name}; two runs merge on the "
            "same data."
        )
    differing = sorted(
        name
        for name in {*manifest.options, *second.options} - {"positive"}
        if manifest.options.get(name) != second.options.get(name)
    )
    if differing:
        raise UsageError(
            f"The two exports differ in {', '.join(differing)}; runs of one system merge. Export both with the same "
            "options."
        )
    contents = [{file_digest(path) for path in paths if path.is_file()}
                for paths in (request.outputs, request.context_outputs)]  # fmt: skip
    if contents[0] & contents[1]:
        raise UsageError("The run of causes and that of contexts have a file in common. Give the files of both runs.")


def check_same_splits(runs: Sequence[Mapping[str, FilledSplit]]) -> None:
    """Refuses two runs of different splits, which cannot be merged."""
    first, second = (sorted(run) for run in runs)
    if first != second:
        raise UsageError(
            f"The run of causes has {' and '.join(first)}, and that of contexts {' and '.join(second)}; give both of "
            "the same splits."
        )


def check_none_outside(merged: Mapping[str, FilledSplit], corpus: Corpus) -> None:
    """Refuses predicted pairs that count as wrong and that no run can hold."""
    for filled in merged.values():
        outside = filled.outside(corpus.class_names)
        if len(outside):
            raise UsageError(
                f"{filled.output.path}: {len(outside)} predicted pairs are outside the candidates of --candidates "
                f"{corpus.candidates}, {name_pairs(outside.keys)}. Definition {corpus.definition} counts them as "
                "wrong, but a run holds the candidates alone, so its row would score higher. Export with --candidates "
                "all, and import with that manifest."
            )


def check_choice(request: ImportRequest, merged: Mapping[str, FilledSplit]) -> None:
    """Refuses to choose a threshold without probabilities, or without validation."""
    if not request.choose_threshold:
        return
    if any(filled.probabilities is None for filled in merged.values()):
        raise UsageError(f"{request.peer} only decides and gives no probabilities: leave --choose-threshold out.")
    if "validation" not in merged:
        raise UsageError(
            "--choose-threshold chooses on validation: give its file too, such as hilo_validation.json, with --output."
        )


def check_decided(merged: Mapping[str, FilledSplit], threshold: float) -> None:
    """Checks that the rule of the run gives the peer's own decisions, so that no probability was changed."""
    for filled in merged.values():
        assert filled.probabilities is not None  # the threshold is of probabilities
        differing = int((decide(filled.probabilities, threshold) != filled.decisions).sum())
        if differing:
            raise UsageError(f"{filled.output.path}: on {differing} pairs two runs tie and cannot be merged.")


def check_printed(peer: str, positive: str, run: Mapping[str, FilledSplit], corpus: Corpus) -> None:
    """Checks that a run's own decisions on test have the F1 that the peer printed, on all exported pairs."""
    for split, filled in run.items():
        printed = filled.output.printed.get("f1")
        if printed is None or split != "test":
            continue
        rows = {row["dialogue_id"]: row for row in corpus.rows[split]}
        n_predicted = n_gold = n_correct = 0
        for dialogue in filled.output.dialogues:
            gold = set(exported_pairs(rows[dialogue.dialogue_id], positive))
            predicted = {(int(target) + 1, int(cause) + 1) for target, cause in np.argwhere(dialogue.decided)}
            n_predicted, n_gold = n_predicted + len(predicted), n_gold + len(gold)
            n_correct += len(predicted & gold)
        own = 2 * n_correct / (n_predicted + n_gold) if n_predicted + n_gold else float("nan")
        if not abs(own - printed) <= PRINTED_DIGITS:
            raise InvalidDataError(
                f"{filled.output.path}: {PEER_NAMES.get(peer, peer)} printed F1 {100 * printed:.2f}, but its decisions "
                f"have {100 * own:.2f} on the exported pairs ({positive}). The file is of another export "
                "or of other data: give the manifest of the export that it was started on."
            )
