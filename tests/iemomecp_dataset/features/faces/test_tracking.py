"""Tracks follow faces by the overlap of their boxes."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.features.faces.tracking import link_tracks


def box(left: float) -> list[float]:
    return [left, 0, left + 10, 10]


def test_faces_that_move_slowly_keep_their_tracks_whatever_their_order() -> None:
    frames = [np.array([box(step), box(50 - step)][:: 1 if step % 2 else -1]) for step in range(8)]
    for step, tracks in enumerate(link_tracks(frames)):
        assert tracks.tolist() == ([1, 0] if step % 2 else [0, 1])


def test_a_jump_and_a_long_gap_begin_new_tracks() -> None:
    none = np.zeros((0, 4))
    assert [t.tolist() for t in link_tracks([np.array([box(0)]), np.array([box(40)])])] == [[0], [1]]
    seen, gone = np.array([box(0)]), [none] * 3
    assert [t.tolist() for t in link_tracks([seen, *gone, seen], max_gap=3)] == [[0], [], [], [], [0]]
    assert [t.tolist() for t in link_tracks([seen, *gone, seen], max_gap=2)] == [[0], [], [], [], [1]]


def test_two_faces_never_share_a_track() -> None:
    (_, tracks) = link_tracks([np.array([box(0)]), np.array([box(1), box(2)])])
    assert tracks.tolist() == [0, 1]
