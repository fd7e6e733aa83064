"""What the row and the record of an import state: name, settings, notes and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.peers.imports.checks import PRINTED_DIGITS
from iemomecp_dataset.benchmark.peers.imports.filling import FilledSplit
from iemomecp_dataset.benchmark.peers.imports.m3hg_output import seed_of_file
from iemomecp_dataset.benchmark.peers.imports.request import (
    CAUSE,
    CONTEXT,
    PEER_NAMES,
    ImportRequest,
    has_category_mode,
    window_of,
)
from iemomecp_dataset.benchmark.peers.manifest import MANIFEST_FILE, Manifest
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.schema import MODALITY_SETS, ROLE_LABELS

__all__ = ["facts_of_import", "modalities_of", "notes_of", "row_name", "seed_of", "settings_of"]

_NO_CHOICES = ("candidates", "forward_pairs", "moved_first", "modalities", "predictions", "emotions_of")
"""Options of an export that are part of a table or of the row's name, follow from the data, or change no input."""


def seed_of(request: ImportRequest) -> int:
    """The seed that is stated, else that in the name of M3HG's file, else 0."""
    if request.seed is not None:
        return request.seed
    return (seed_of_file(request.outputs[0]) if request.peer == "m3hg" else None) or 0


def modalities_of(request: ImportRequest, manifest: Manifest) -> str:
    """Modalities that are stated, of peers else those that were exported; empty where they are not known.

    Raises:
        UsageError: A peer is said to have used what was not exported.
    """
    # What a system used whose layout many write is not known from an export.
    exported = manifest.options.get("modalities")
    if request.modalities and request.peer in PEER_NAMES and not set(request.modalities) <= set(str(exported)):
        raise UsageError(
            f"--modalities {request.modalities}: of this export {request.peer} had {exported} alone. Leave it out."
        )
    stated = request.modalities or (exported if request.peer in PEER_NAMES else None)
    return stated if stated in MODALITY_SETS else ""


def row_name(request: ImportRequest, manifest: Manifest, second: Manifest | None) -> str:
    """The name that is asked for, else the peer's with what it learned; of files in a common layout, the folder's."""
    if request.system is not None:
        return request.system
    name = PEER_NAMES.get(request.peer, request.folder.name)
    if second is not None:
        return f"{name}, causes and contexts in two runs"
    return f"{name}, causes alone" if manifest.options.get("positive") == CAUSE else name


def settings_of(request: ImportRequest, manifest: Manifest, second: Manifest | None) -> dict[str, Any]:
    """The choices that make another system of the same peer."""
    left_out = (*_NO_CHOICES, "features")
    found: dict[str, Any] = {"peer": request.peer}
    found |= {name: value for name, value in manifest.options.items() if name not in left_out and value is not None}
    features: Mapping[str, Any] = manifest.options.get("features") or {}
    found |= {f"{modality}_features": array.get("digest") or "constant" for modality, array in features.items()}
    if second is not None:
        found["positive"] = f"{CAUSE}, then {CONTEXT}"
    if request.peer == "m3hg":
        found["m3hg_window"] = window_of(request)
    if request.peer == "mecpe":
        found |= {"mecpe_past": request.mecpe_past, "mecpe_categories": has_category_mode(request)}
    return found


def notes_of(
    request: ImportRequest,
    manifest: Manifest,
    second: Manifest | None,
    merged: Mapping[str, FilledSplit],
    corpus: Corpus,
    threshold: float | None,
) -> list[str]:
    """What the row must state: the choices of the exports, what it cannot find, and what the peer printed."""
    notes = list(dict.fromkeys((*manifest.notes, *(second.notes if second else ()))))
    if second is not None:
        notes.append(
            f"Two runs, each with one binary relation, are merged: {CAUSE} where the first predicts a pair, else "
            f"{CONTEXT} where the second does, else non_pair."
        )
    elif manifest.options.get("positive") == CAUSE and corpus.class_names == ROLE_LABELS:
        notes.append(
            f"One binary relation was learned, of {CAUSE}: every other candidate is a non_pair, and {CONTEXT} F1 is "
            "0 by construction."
        )
    if second is None and threshold is not None:
        for split, filled in merged.items():
            notes += _beside_printed(request.peer, split, filled, corpus, threshold)
    return notes


def _beside_printed(peer: str, split: str, filled: FilledSplit, corpus: Corpus, threshold: float) -> list[str]:
    """Says where the peer's own F1 is another than that of its imported decisions."""
    printed = filled.output.printed.get("f1")
    if printed is None or filled.probabilities is None:
        return []
    table = corpus.tables[split]
    own = pair_scores(
        filled.probabilities[: filled.n_candidates],
        table.labels,
        corpus.class_names,
        threshold=threshold,
        missed_positives=table.missed_positives,
    )["pair_f1"]
    if abs(own - printed) <= PRINTED_DIGITS:
        return []
    return [
        f"{PEER_NAMES.get(peer, peer)} printed F1 {100 * printed:.2f} on {split}; the same decisions have "
        f"{100 * own:.2f} here, by definition {corpus.definition}."
    ]


def facts_of_import(
    request: ImportRequest,
    manifest: Manifest,
    second: Manifest | None,
    runs: Sequence[Mapping[str, FilledSplit]],
    merged: Mapping[str, FilledSplit],
    corpus: Corpus,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What a record states of an import, under the key ``peer``."""
    paths = [request.manifest, request.context_manifest]
    facts = [
        _facts_of(manifest_of, path, run)
        for manifest_of, path, run in zip((manifest, second), paths, runs, strict=False)
        if manifest_of is not None and path is not None
    ]
    outside = {split: len(filled.outside(corpus.class_names)) for split, filled in merged.items()}
    return {
        "name": request.peer,
        **facts[0],
        **({"context": facts[1]} if len(facts) > 1 else {}),
        "predicted_pairs_that_are_no_candidates": outside,
        "notes": list(notes),
    }


def _facts_of(manifest: Manifest, path: Path, run: Mapping[str, FilledSplit]) -> dict[str, Any]:
    file = path / MANIFEST_FILE if path.is_dir() else path
    return {
        "manifest_sha256": file_digest(file),
        "options": dict(manifest.options),
        "emotions": dict(manifest.emotions),
        "rewritten": {split: dict(counts) for split, counts in manifest.counts.items()},
        "unscored": {split: filled.unscored for split, filled in run.items()},
        "printed": {split: dict(filled.output.printed) for split, filled in run.items() if filled.output.printed},
    }
