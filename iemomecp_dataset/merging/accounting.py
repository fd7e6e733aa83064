"""Accounts for every dialogue, utterance and pair of a merge."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
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


def account(
    sources: MergeSources,
    overlay: Overlay,
    ecpec: Ecpec,
    placements: Mapping[str, Placement],
    rows: Mapping[str, list[Row]],
    checks: list[Check],
    notes: list[str],
) -> MergeReport:
    """Counts what was merged, and what could not be.

    Args:
        sources: Where the parts lie.
        overlay: The labels.
        ecpec: The source annotation.
        placements: The place of every chunk.
        rows: The merged rows by split.
        checks: Comparisons between ConvECPE and IEMOCAP.
        notes: What else a reader should know.

    Returns:
        The report.
    """
    all_rows = [row for split_rows in rows.values() for row in split_rows]
    by_id = {chunk.dialogue_id: chunk for chunks in overlay.chunks.values() for chunk in chunks}
    transitions = {source: dict.fromkeys(ROLE_LABELS, 0) for source in PAIR_LABELS}
    counts: Counter[str] = Counter()
    for row in all_rows:
        inside = 0
        for pair, labelled in zip(row["pairs"], by_id[row["dialogue_id"]].pairs, strict=True):
            is_source = bool(pair["source_pair"])
            transitions[PAIR_LABELS[_PAIR if is_source else _NON_PAIR]][ROLE_LABELS[labelled.label]] += 1
            inside += is_source
            if labelled.cause > labelled.target:
                counts["temporal exceptions (cause after target)"] += 1
                counts["temporal exceptions that are no pair of ConvECPE"] += not is_source
        counts["pairs of ConvECPE among the candidates"] += inside
        for utterance in row["utterances"]:
            counts["utterances without times"] += utterance["start"] is None
            counts["utterances without wav"] += utterance["wav"] is None
            counts["utterances without video"] += utterance["video"] is None
    outside = _outside(placements, by_id, ecpec)
    placement: Counter[str] = Counter(place.method for place in placements.values())
    methods: dict[str, dict[str, list[str]]] = {}
    for name, place in sorted(placements.items(), key=lambda item: (item[1].dialogue_id, item[1].start)):
        methods.setdefault(place.dialogue_id, {}).setdefault(place.method, []).append(name)
    total = {
        "source dialogues": len(ecpec.dialogues),
        **{f"{split} chunks": len(split_rows) for split, split_rows in rows.items()},
        "utterances": sum(len(row["utterances"]) for row in all_rows),
        "candidate pairs": sum(len(row["pairs"]) for row in all_rows),
        "pairs of ConvECPE": sum(len(dialogue.pairs) for dialogue in ecpec.dialogues.values()),
        "causes of ConvECPE named twice (counted once)": ecpec.duplicate_causes,
        "pairs of ConvECPE among the candidates": counts.pop("pairs of ConvECPE among the candidates", 0),
        "pairs of ConvECPE that cross chunks (no candidates)": outside["across"],
        "forward pairs of ConvECPE that are no candidates": outside["forward"],
        "backward pairs of ConvECPE that are no candidates": outside["backward"],
        **{
            name: counts[name]
            for name in (
                "temporal exceptions (cause after target)",
                "temporal exceptions that are no pair of ConvECPE",
                "utterances without times",
                "utterances without wav",
                "utterances without video",
            )
        },
    }
    # In the release the exceptions are just the forward pairs of ConvECPE that lie within a chunk.
    for what in (
        "forward pairs of ConvECPE that are no candidates",
        "temporal exceptions that are no pair of ConvECPE",
    ):
        if total[what]:
            notes = [*notes, f"{total[what]} {what}; in the release there are none."]
            _LOGGER.warning("%d %s; in the release there are none.", total[what], what)
    return MergeReport(
        sources={
            "labels": str(sources.label_dir),
            "ConvECPE": f"{sources.ecpec} ({ecpec.n_entries} entries)",
            "IEMOCAP": str(sources.iemocap.root) if sources.iemocap is not None else "not there",
        },
        counts=total,
        checks=checks,
        transitions=transitions,
        placement=dict(placement),
        dialogues={
            name: "; ".join(f"{method}: {', '.join(chunks)}" for method, chunks in by_method.items())
            for name, by_method in methods.items()
        },
        notes=notes,
        synthetic=sources.synthetic or overlay.synthetic,
    )


def _outside(placements: Mapping[str, Placement], chunks: Mapping[str, OverlayChunk], ecpec: Ecpec) -> Counter[str]:
    """Counts the pairs of ConvECPE that are no candidates, by reason."""
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
                outside["across"] += 1
            elif (target - start, cause - start) not in candidates[name]:
                outside["forward" if cause > target else "backward"] += 1
    return outside


@dataclass(frozen=True)
class MergeSources:
    """Where the parts lie; ``iemocap`` may be None with ``text_source="ecpec"``."""

    label_dir: Path
    ecpec: Path
    iemocap: IemocapFiles | None
    synthetic: bool = False
