"""Pairs of a row: labelled with roles or source labels, by configuration."""

from __future__ import annotations

from iemomecp_dataset.options import ForwardPairs
from iemomecp_dataset.overlay.chunks import OverlayChunk
from iemomecp_dataset.schema import PAIR_LABELS, PairRow

__all__ = ["pair_rows", "released_label"]

_PAIR, _NON_PAIR = range(len(PAIR_LABELS))


def pair_rows(
    chunk: OverlayChunk, source_pairs: frozenset[tuple[int, int]], *, config_name: str, forward_pairs: ForwardPairs
) -> list[PairRow]:
    """Builds the column ``pairs`` of a chunk's row.

    Args:
        chunk: The chunk.
        source_pairs: Pairs of ConvECPE, in turns of the chunk.
        config_name: ``3class`` or ``source_binary``.
        forward_pairs: Label of forward source pairs in ``source_binary``; see :func:`released_label`.

    Returns:
        One entry per candidate, in (target, cause) order.
    """
    rows: list[PairRow] = []
    for pair in chunk.pairs:
        source_pair = (pair.target, pair.cause) in source_pairs
        label = released_label(
            pair.label,
            source_pair=source_pair,
            forward=pair.cause > pair.target,
            config_name=config_name,
            forward_pairs=forward_pairs,
        )
        rows.append(
            {
                "target_turn": pair.target,
                "cause_turn": pair.cause,
                "label": label,
                "source_pair": source_pair,
                "context_subtypes": list(pair.context_subtypes),
                "taxonomy_label": pair.taxonomy_label,
                "label_source": pair.source,
            }
        )
    return rows


def released_label(
    role: int, *, source_pair: bool, forward: bool, config_name: str, forward_pairs: ForwardPairs
) -> int:
    """Computes the label of a candidate in a configuration.

    Args:
        role: Id of its role in the overlay.
        source_pair: Whether it is a pair in ConvECPE.
        forward: Whether its cause comes after its target.
        config_name: ``3class`` or ``source_binary``.
        forward_pairs: ``as_published`` labels forward source pairs non_pair, which loses 221 real pairs; ``gold`` keeps
            them as pairs.

    Returns:
        Class id of the configuration.

    Example:
        >>> released_label(0, source_pair=True, forward=True, config_name="source_binary", forward_pairs="as_published")
        1
    """
    if config_name == "3class":
        return role
    return _PAIR if source_pair and (not forward or forward_pairs == "gold") else _NON_PAIR
