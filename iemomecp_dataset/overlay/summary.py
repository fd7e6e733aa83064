"""Split table of an overlay, and its comparison with the published one."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, fields
from pathlib import Path

from iemomecp_dataset.overlay.chunk_ids import source_dialogue_of
from iemomecp_dataset.overlay.chunks import EMO_CAUSE, EMO_CONTEXT, NON_PAIR, Overlay, OverlayChunk
from iemomecp_dataset.overlay.published import LABEL_BLOBS, PUBLISHED_COUNTS, OverlayCounts

__all__ = ["compare_with_release", "git_blob_id", "overlay_counts", "summary_csv", "summary_table"]

_SHOWN = 10


def overlay_counts(overlay: Overlay) -> dict[str, OverlayCounts]:
    """Counts chunks, utterances and pairs by role.

    Args:
        overlay: A valid overlay.

    Returns:
        Counts by split, and for all splits under ``all``.
    """
    counts = {split: _count(chunks) for split, chunks in overlay.chunks.items()}
    every_chunk = [chunk for chunks in overlay.chunks.values() for chunk in chunks]
    return {**counts, "all": _count(every_chunk)}


def _count(chunks: Iterable[OverlayChunk]) -> OverlayCounts:
    chunks = list(chunks)
    sources = [source_dialogue_of(chunk.dialogue_id)[0] for chunk in chunks]
    roles = Counter(pair.label for chunk in chunks for pair in chunk.pairs)
    emotional = [chunk.targets(EMO_CAUSE) for chunk in chunks]
    return OverlayCounts(
        dialogues=-1 if None in sources else len(set(sources)),
        chunks=len(chunks),
        utterances=sum(chunk.num_utterances for chunk in chunks),
        pairs=roles.total(),
        emo_cause=roles[EMO_CAUSE],
        emo_context=roles[EMO_CONTEXT],
        non_pair=roles[NON_PAIR],
        exceptions=sum(pair.cause > pair.target for chunk in chunks for pair in chunk.pairs),
        emotional_targets=sum(map(len, emotional)),
        emotional_with_context=sum(
            len(targets & chunk.targets(EMO_CONTEXT)) for chunk, targets in zip(chunks, emotional, strict=True)
        ),
    )


def summary_table(counts: Mapping[str, OverlayCounts]) -> str:
    """Formats counts as a text table.

    Args:
        counts: Counts by split.

    Returns:
        Aligned columns, one line per split; ``?`` for an unknown number of dialogues.

    See Also:
        :func:`summary_csv` for machines.
    """
    header = ["split", *(field.name for field in fields(OverlayCounts))]
    lines = [header]
    for split, line in counts.items():
        lines.append([split, *("?" if count < 0 else str(count) for count in astuple(line))])
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(line, widths, strict=True)) for line in lines)
    )


def summary_csv(counts: Mapping[str, OverlayCounts]) -> str:
    """Formats counts as CSV.

    Args:
        counts: Counts by split.

    Returns:
        CSV text, one line per split; an unknown number of dialogues is empty.

    See Also:
        :func:`summary_table` for people.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["split", *(field.name for field in fields(OverlayCounts))])
    for split, line in counts.items():
        writer.writerow([split, *("" if count < 0 else count for count in astuple(line))])
    return stream.getvalue()


def compare_with_release(overlay: Overlay) -> list[str]:
    """Compares an overlay with the published release.

    Args:
        overlay: A valid overlay.

    Returns:
        Sentences: whether the counts match, and which differ; whether the files are identical to the released ones; and
        properties of the release that do not hold here.
    """
    counts = overlay_counts(overlay)
    lines = []
    differences = [
        f"{split} {name}: {found} (published {published})"
        for split, line in counts.items()
        for (name, found), published in zip(asdict(line).items(), astuple(PUBLISHED_COUNTS[split]), strict=True)
        if found != published and found >= 0
    ]
    if not differences:
        lines.append("It matches the published counts: every split, role and exception.")
    else:
        more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        shown = "; ".join(differences[:_SHOWN])
        lines.append(f"{len(differences)} count(s) differ from the published counts: {shown}{more}.")
    matching = [split for split, path in overlay.files.items() if _is_released(path)]
    if len(matching) == len(overlay.files):
        lines.append("The files are identical to the released ones (git blob ids).")
    else:
        others = ", ".join(str(path.name) for split, path in overlay.files.items() if split not in matching)
        lines.append(f"Files that are not identical to the released ones (git blob ids): {others}.")
    self_context = sum(
        pair.label == EMO_CONTEXT and pair.target == pair.cause
        for chunks in overlay.chunks.values()
        for chunk in chunks
        for pair in chunk.pairs
    )
    if self_context:
        lines.append(f"{self_context} emo_context pair(s) of an utterance with itself; the release has none.")
    shared = _shared_dialogues(overlay)
    if shared:
        lines.append(
            f"{len(shared)} source dialogue(s) have chunks in several splits, such as {shared[0]}; the release has "
            f"none."
        )
    if overlay.synthetic:
        lines.append("SYNTHETIC: the files are marked as generated by a program.")
    return lines


def git_blob_id(path: Path) -> str:
    """Computes the git blob id of a file.

    Args:
        path: The file.

    Returns:
        40 hexadecimal characters: the SHA-1 of ``blob <size>``, a zero byte, and the content.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as empty:
        ...     git_blob_id(Path(empty.name))
        'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _is_released(path: Path) -> bool:
    return git_blob_id(path) in LABEL_BLOBS.values()


def _shared_dialogues(overlay: Overlay) -> list[str]:
    splits: dict[str, set[str]] = {}
    for split, chunks in overlay.chunks.items():
        for chunk in chunks:
            source, _ = source_dialogue_of(chunk.dialogue_id)
            if source is not None:
                splits.setdefault(source, set()).add(split)
    return sorted(source for source, members in splits.items() if len(members) > 1)
