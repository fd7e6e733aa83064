"""Merges the overlay with ConvECPE and IEMOCAP into rows."""

from __future__ import annotations

from iemomecp_dataset.merging.accounting import MergeSources, account
from iemomecp_dataset.merging.alignment import align
from iemomecp_dataset.merging.evidence import Placement
from iemomecp_dataset.merging.limits import Tolerance, enforce_limits, warn_of_mismatches
from iemomecp_dataset.merging.pair_rows import pair_rows
from iemomecp_dataset.merging.utterances import Utterances, merged_utterances
from iemomecp_dataset.merging.verification import emotional_turns_check
from iemomecp_dataset.options import ForwardPairs, TextSource
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.overlay.validation import read_overlay
from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import Row
from iemomecp_dataset.sources.ecpec import SourceDialogue, read_ecpec
from iemomecp_dataset.sources.iemocap_release import session_of

__all__ = ["merge"]


def merge(
    sources: MergeSources,
    *,
    config_name: str,
    text_source: TextSource,
    forward_pairs: ForwardPairs,
    tolerance: Tolerance,
    max_label_mismatch: float = 0.0,
) -> Loaded:
    """Reads all parts and merges them.

    Args:
        sources: Locations of the parts.
        config_name: ``3class`` or ``source_binary``.
        text_source: ``iemocap`` for the text of the transcripts, ``ecpec`` for that of ConvECPE.
        forward_pairs: Label of forward source pairs in ``source_binary``.
        tolerance: How far ConvECPE and IEMOCAP may differ.
        max_label_mismatch: Largest accepted share of turns that are emotional in either the labels or ConvECPE only.

    Returns:
        Rows by split and the merge report.

    Raises:
        IemomecpError: A part is malformed, the chunks cannot be placed, or the parts disagree too often.

    See Also:
        :func:`iemomecp_dataset.merging.merge_full.merge_full` merges with full split JSON instead of the sources.
    """
    overlay = read_overlay(sources.label_dir)
    ecpec = read_ecpec(sources.ecpec)
    placements = align(overlay.chunks, ecpec.dialogues, max_label_mismatch)
    utterances, comparison, notes = merged_utterances(ecpec, sources.iemocap, text_source)
    misplaced = enforce_limits(comparison, tolerance, text_source)
    rows = {
        split: [
            _row(
                chunk,
                placements[chunk.dialogue_id],
                ecpec.dialogues[placements[chunk.dialogue_id].dialogue_id],
                utterances,
                config_name=config_name,
                forward_pairs=forward_pairs,
            )
            for chunk in chunks
        ]
        for split, chunks in overlay.chunks.items()
    }
    by_id = {chunk.dialogue_id: chunk for chunks in overlay.chunks.values() for chunk in chunks}
    checks = [*comparison.checks(), emotional_turns_check(placements, by_id, ecpec.dialogues)]
    missing = None
    if sources.iemocap is not None and text_source == "iemocap":
        missing = comparison.missing_texts
    report = account(sources, overlay, ecpec, placements, rows, checks, [*notes, *misplaced], missing)
    warn_of_mismatches(checks, "The merge report lists all of them.")
    return Loaded(
        rows=rows, report=report, synthetic=report.synthetic, notes=tuple(misplaced), missing_texts=missing or 0
    )


def _row(
    chunk: OverlayChunk,
    placement: Placement,
    dialogue: SourceDialogue,
    utterances: Utterances,
    *,
    config_name: str,
    forward_pairs: ForwardPairs,
) -> Row:
    start = placement.start
    ids = dialogue.utterance_ids[start : start + chunk.num_utterances]
    local = frozenset((target - start, cause - start) for target, cause in dialogue.pairs)
    return {
        "dialogue_id": chunk.dialogue_id,
        "source_dialogue_id": dialogue.dialogue_id,
        "chunk_index": placement.chunk_index,
        "session": session_of(dialogue.dialogue_id),
        "utterances": [{**utterances[utterance_id], "turn": turn} for turn, utterance_id in enumerate(ids, start=1)],
        "pairs": pair_rows(chunk, local, config_name=config_name, forward_pairs=forward_pairs),
        "explanations": [],
    }
