"""Merges the overlay with full split JSON, in place of IEMOCAP and ConvECPE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.evidence import NEUTRAL, chunk_fingerprint, listing
from iemomecp_dataset.merging.pair_rows import pair_rows
from iemomecp_dataset.options import ForwardPairs
from iemomecp_dataset.overlay.chunk_ids import source_dialogue_of
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.overlay.validation import read_overlay
from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import Row
from iemomecp_dataset.sources.full_splits import FullChunk, read_full_split

__all__ = ["FullSources", "merge_full"]


@dataclass(frozen=True)
class FullSources:
    """Locations of the parts: the label folder, and one full split JSON per split."""

    label_dir: Path
    splits: Mapping[str, Path]
    synthetic: bool = False


def merge_full(sources: FullSources, *, config_name: str, forward_pairs: ForwardPairs) -> Loaded:
    """Reads both parts and merges them by id.

    Args:
        sources: Locations of the parts.
        config_name: ``3class`` or ``source_binary``.
        forward_pairs: Label of forward source pairs in ``source_binary``.

    Returns:
        Rows by split.

    Raises:
        IemomecpError: A part is malformed, or the two do not have the same chunks with the same emotional turns.

    See Also:
        :func:`iemomecp_dataset.merging.merge.merge` merges with the sources themselves.
    """
    overlay = read_overlay(sources.label_dir)
    rows: dict[str, list[Row]] = {}
    order: dict[str, int] = {}
    for split, chunks in overlay.chunks.items():
        path = sources.splits[split]
        full = _by_id(path, read_full_split(path), chunks)
        rows[split] = []
        for chunk in chunks:
            rows[split].append(_row(path, chunk, full[chunk.dialogue_id], order, config_name, forward_pairs))
    return Loaded(rows=rows, synthetic=sources.synthetic or overlay.synthetic)


def _by_id(path: Path, full: Sequence[FullChunk], chunks: Sequence[OverlayChunk]) -> dict[str, FullChunk]:
    wanted = {chunk.dialogue_id for chunk in chunks}
    best: dict[str, FullChunk] = {}
    for key in ("dialogue_id", "doc_id", "raw_doc_id"):
        named = [chunk.ids[key] for chunk in full if key in chunk.ids]
        if len(set(named)) == len(named) == len(full):
            by_id = {chunk.ids[key]: chunk for chunk in full}
            if len(wanted & by_id.keys()) > len(wanted & best.keys()):
                best = by_id
    missing, extra = sorted(wanted - best.keys()), sorted(best.keys() - wanted)
    if not best:
        raise InvalidDataError(
            f"{path}: none of its ids occurs in the labels (such as {sorted(wanted)[0]!r}), or they are not unique."
        )
    if missing or extra:
        odd = f"{missing[0]!r} is in the labels only" if missing else f"{extra[0]!r} is in this file only"
        raise InvalidDataError(
            f"{path}: {len(missing) + len(extra)} chunk(s) are not in both this file and the labels; {odd}."
        )
    return best


def _row(
    path: Path,
    chunk: OverlayChunk,
    full: FullChunk,
    order: dict[str, int],
    config_name: str,
    forward_pairs: ForwardPairs,
) -> Row:
    where = f"{path}, dialogue {chunk.dialogue_id!r}"
    if len(full.utterances) != chunk.num_utterances:
        raise InvalidDataError(f"{where}: {len(full.utterances)} utterances, but {chunk.num_utterances} in the labels.")
    labeled = chunk_fingerprint(chunk)
    emotional = {utterance["turn"] for utterance in full.utterances if utterance["emotion"] != NEUTRAL}
    if labeled != emotional:
        odd = sorted(labeled ^ emotional)
        raise InvalidDataError(
            f"{where}: emotions and labels disagree on turn(s) {listing(odd)}: every non-neutral turn, and no other, "
            f"must have an emo_cause. Were chunks exchanged?"
        )
    source, number = source_dialogue_of(chunk.dialogue_id)
    source = full.source_dialogue_id or source
    if number is None:
        number = full.chunk_index if full.chunk_index is not None else order.get(source or "", 0)
        order[source or ""] = number + 1
    return {
        "dialogue_id": chunk.dialogue_id,
        "source_dialogue_id": source,
        "chunk_index": number,
        "session": full.session,
        "utterances": list(full.utterances),
        "pairs": pair_rows(chunk, full.pairs, config_name=config_name, forward_pairs=forward_pairs),
        "explanations": [],
    }
