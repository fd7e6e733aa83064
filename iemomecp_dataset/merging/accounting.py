"""Accounts for every dialogue, utterance and pair of a merge: what was merged, and what could not be."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.merging.evidence import Placement
from iemomecp_dataset.merging.merge_report import Check, MergeReport
from iemomecp_dataset.overlay.chunks import Overlay, OverlayChunk
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS, Row
from iemomecp_dataset.sources.ecpec import Ecpec
from iemomecp_dataset.sources.iemocap_release import IemocapFiles

__all__ = ["MergeSources", "account"]

_LOGGER = logging.getLogger(__name__)
_PAIR, _NON_PAIR = range(len(PAIR_LABELS))

# Names of counts, as the report prints them.
_INSIDE = "pairs of ConvECPE among the candidates"
_ACROSS = "pairs of ConvECPE that cross chunks (not candidates)"
_FORWARD = "forward pairs of ConvECPE that are not candidates"
_BACKWARD = "backward pairs of ConvECPE that are not candidates"
_EXCEPTIONS = "temporal exceptions (cause after target)"
_UNKNOWN_EXCEPTIONS = "temporal exceptions that are not pairs of ConvECPE"
_MISSING_TEXT = "utterances without a line in the transcripts (their text is ConvECPE's)"
_MISSING = {"start": "utterances without times", "wav": "utterances without wav", "video": "utterances without video"}


@dataclass(frozen=True)
class MergeSources:
    """Locations of the parts of a merge.

    Attributes:
        label_dir: Folder of the label files.
        ecpec: Pickle of ConvECPE.
        iemocap: Files of the IEMOCAP release, or None with ``text_source="ecpec"``.
        synthetic: Whether one of the folders is marked as synthetic.
    """

    label_dir: Path
    ecpec: Path
    iemocap: IemocapFiles | None
    synthetic: bool = False


def account(
    sources: MergeSources,
    overlay: Overlay,
    ecpec: Ecpec,
    placements: Mapping[str, Placement],
    rows: Mapping[str, list[Row]],
    checks: list[Check],
    notes: list[str],
    missing_texts: int | None = None,
) -> MergeReport:
    """Counts merged and left out dialogues, utterances and pairs.

    Args:
        sources: Locations of the parts.
        overlay: The labels.
        ecpec: The source annotation.
        placements: Placements by chunk id.
        rows: Merged rows by split.
        checks: Comparisons between ConvECPE and IEMOCAP.
        notes: Sentences for the reader of the report.
        missing_texts: Number of utterances that IEMOCAP's transcripts lack; None if the text is ConvECPE's throughout.

    Returns:
        The report.
    """
    all_rows = [row for split_rows in rows.values() for row in split_rows]
    by_id = {chunk.dialogue_id: chunk for chunks in overlay.chunks.values() for chunk in chunks}
    pairs, transitions = _pair_counts(all_rows, by_id)
    utterances = [utterance for row in all_rows for utterance in row["utterances"]]
    missing = Counter(name for key, name in _MISSING.items() for utterance in utterances if utterance.get(key) is None)
    outside = _outside(placements, by_id, ecpec)
    counts = {
        "source dialogues": len(ecpec.dialogues),
        **{f"{split} chunks": len(split_rows) for split, split_rows in rows.items()},
        "utterances": len(utterances),
        "candidate pairs": sum(len(row["pairs"]) for row in all_rows),
        "pairs of ConvECPE": sum(len(dialogue.pairs) for dialogue in ecpec.dialogues.values()),
        "causes that ConvECPE lists twice (counted once)": ecpec.duplicate_causes,
        _INSIDE: pairs[_INSIDE],
        **{name: outside[name] for name in (_ACROSS, _FORWARD, _BACKWARD)},
        **{name: pairs[name] for name in (_EXCEPTIONS, _UNKNOWN_EXCEPTIONS)},
        **{name: missing[name] for name in _MISSING.values()},
    }
    if missing_texts is not None:
        counts[_MISSING_TEXT] = missing_texts
    # In the release the temporal exceptions are exactly the forward pairs of ConvECPE that lie within a chunk.
    for name in (_FORWARD, _UNKNOWN_EXCEPTIONS):
        if counts[name]:
            notes = [*notes, f"{counts[name]} {name}; the release has none."]
            _LOGGER.warning("%d %s; the release has none.", counts[name], name)
    return MergeReport(
        sources={
            "labels": str(sources.label_dir),
            "ConvECPE": f"{sources.ecpec} ({ecpec.n_entries} entries)",
            "IEMOCAP": str(sources.iemocap.root) if sources.iemocap is not None else "absent",
        },
        counts=counts,
        checks=checks,
        transitions=transitions,
        placement=dict(Counter(place.method for place in placements.values())),
        dialogues=_methods(placements),
        notes=notes,
        synthetic=sources.synthetic or overlay.synthetic,
    )


def _pair_counts(
    rows: Iterable[Row], chunks: Mapping[str, OverlayChunk]
) -> tuple[Counter[str], dict[str, dict[str, int]]]:
    """Counts source pairs and temporal exceptions among the candidates, and pairs by source label and role."""
    counts: Counter[str] = Counter()
    transitions = {source: dict.fromkeys(ROLE_LABELS, 0) for source in PAIR_LABELS}
    for row in rows:
        for pair, labeled in zip(row["pairs"], chunks[row["dialogue_id"]].pairs, strict=True):
            is_source = bool(pair["source_pair"])
            transitions[PAIR_LABELS[_PAIR if is_source else _NON_PAIR]][ROLE_LABELS[labeled.label]] += 1
            counts[_INSIDE] += is_source
            if labeled.cause > labeled.target:
                counts[_EXCEPTIONS] += 1
                counts[_UNKNOWN_EXCEPTIONS] += not is_source
    return counts, transitions


def _outside(placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], ecpec: Ecpec) -> Counter[str]:
    """Counts the pairs of ConvECPE that are not candidates, by reason."""
    owner: dict[tuple[str, int], str] = {}
    for name, placement in placements.items():
        for turn in range(placement.start + 1, placement.start + chunks[name].num_utterances + 1):
            owner[placement.dialogue_id, turn] = name
    candidates = {name: {(pair.target, pair.cause) for pair in chunk.pairs} for name, chunk in chunks.items()}
    outside: Counter[str] = Counter()
    for dialogue in ecpec.dialogues.values():
        for target, cause in dialogue.pairs:
            name = owner[dialogue.dialogue_id, target]
            start = placements[name].start
            if owner[dialogue.dialogue_id, cause] != name:
                outside[_ACROSS] += 1
            elif (target - start, cause - start) not in candidates[name]:
                outside[_FORWARD if cause > target else _BACKWARD] += 1
    return outside


def _methods(placements: Mapping[str, Placement]) -> dict[str, str]:
    """Lists the chunks of each source dialogue by the method that placed them."""
    chunks: dict[str, dict[str, list[str]]] = {}
    for name, place in sorted(placements.items(), key=lambda item: (item[1].dialogue_id, item[1].start)):
        chunks.setdefault(place.dialogue_id, {}).setdefault(place.method, []).append(name)
    return {
        dialogue: "; ".join(f"{method}: {', '.join(names)}" for method, names in by_method.items())
        for dialogue, by_method in chunks.items()
    }
