"""Scores in printed text, and the counts that they are the scores of."""

from __future__ import annotations

import pytest

from iemomecp_dataset.benchmark.peers.hilo_launcher.printed_scores import PrintedScore, printed_scores


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("47.9146 26.3748 34.0220", [(47.9146, 26.3748, 34.022)]),
        ("P: 0.479146 (494 of 1031), R: 0.263748, F: 0.340220", [(0.479146, 0.263748, 0.34022)] * 2),
        ("f1 34.0220 p 47.9146 r 26.3748", [(47.9146, 26.3748, 34.022)]),
        ("12:00:01.123 precision 47.91\n12:00:01.124 recall 26.37\n12:00:01.125 f1 34.02", [(47.91, 26.37, 34.02)]),
        ("\x1b[32m47.9146\x1b[0m 26.3748 100%| 3/3 [00:01<00:00,  2.50it/s]34.0220", [(47.9146, 26.3748, 34.022)]),
        ("loss 0.1 all 61.25 38.75 47.47 pairs 47.91 26.37 34.02", [(61.25, 38.75, 47.47), (47.91, 26.37, 34.02)]),
        ("47.9146 26.3748 34.1220", []),
        ("0.0000 0.0000 0.0000", []),
        ("1 2 3 0.5 0.5", []),
    ],
)  # fmt: skip
def test_printed_scores_are_found(text: str, found: list[tuple[float, float, float]]) -> None:
    assert [(score.precision, score.recall, score.f1) for score in printed_scores(text)] == found


@pytest.mark.parametrize(
    ("counts", "fits"),
    [((494, 1031, 1873), True), ((494, 1032, 1873), False), ((493, 1031, 1873), False), ((494, 1031, 1874), False)],
)
def test_a_printed_score_fits_its_counts_alone(counts: tuple[int, int, int], fits: bool) -> None:
    assert PrintedScore(47.9146, 26.3748, 34.0220, 100, 0.00005).fits(*counts) is fits
