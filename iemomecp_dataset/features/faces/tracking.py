"""Links the faces of consecutive frames to tracks, by the overlap of their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["box_overlaps", "link_tracks"]


def box_overlaps(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Computes intersection over union of boxes.

    Args:
        one: ``(m, 4)`` left, top, right, bottom.
        other: ``(n, 4)`` likewise.

    Returns:
        ``(m, n)`` from 0 to 1; 0 where both boxes are empty.

    Example:
        >>> box_overlaps(np.array([[0, 0, 2, 2]]), np.array([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
        [[0.333, 0.0]]
    """
    first, second = np.asarray(one, np.float64)[:, None], np.asarray(other, np.float64)[None]
    inner = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = np.clip(inner, 0, None).prod(-1)
    total = _areas(first) + _areas(second) - shared
    overlaps: NDArray[np.float64] = np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
    return overlaps


def link_tracks(
    frames: Sequence[NDArray[Any]], *, min_overlap: float = 0.3, max_gap: int = 5
) -> list[NDArray[np.int64]]:
    """Links faces to tracks: the pair of largest overlap first, each face and each track once per frame.

    Args:
        frames: ``(n_i, 4)`` boxes of each frame, in temporal order; empty for frames without faces.
        min_overlap: Smallest intersection over union with the latest box of a track.
        max_gap: Largest number of frames without the face, after which a track ends.

    Returns:
        ``(n_i,)`` track numbers of each frame, from 0 in order of first appearance.

    Example:
        >>> left, right = [0, 0, 9, 9], [20, 0, 29, 9]
        >>> [found.tolist() for found in link_tracks([np.array([left, right]), np.array([right, left])])]
        [[0, 1], [1, 0]]
    """
    latest: dict[int, tuple[int, NDArray[Any]]] = {}
    found: list[NDArray[np.int64]] = []
    next_track = 0
    for number, boxes in enumerate(frames):
        tracks = np.full(len(boxes), -1, np.int64)
        open_tracks = [track for track, (seen, _) in latest.items() if number - seen <= max_gap + 1]
        if open_tracks and len(boxes):
            overlaps = box_overlaps(np.array([latest[track][1] for track in open_tracks]), boxes)
            for place in np.argsort(-overlaps, axis=None, kind="stable").tolist():
                row, column = divmod(place, overlaps.shape[1])
                if overlaps[row, column] < min_overlap:
                    break
                if tracks[column] < 0 and open_tracks[row] not in tracks:
                    tracks[column] = open_tracks[row]
        for column in np.flatnonzero(tracks < 0):
            tracks[column], next_track = next_track, next_track + 1
        for track, box in zip(tracks.tolist(), boxes, strict=True):
            latest[track] = (number, box)
        found.append(tracks)
    return found


def _areas(boxes: NDArray[Any]) -> NDArray[Any]:
    sides: NDArray[Any] = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(-1)
    return sides
