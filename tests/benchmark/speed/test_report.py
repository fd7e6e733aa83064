"""The measurement of report, diagnostics and figures, on a small corpus."""

from __future__ import annotations

import shutil

import pytest

from iemomecp_dataset.benchmark.speed.report import OPENING_LIMIT, WORK_LIMIT, run


@pytest.mark.slow
def test_every_claim_is_measured_against_its_limit():
    rows = run(scale="demo")
    assert [row.alternative_seconds for row in rows[:2]] == [WORK_LIMIT] * 2
    assert [row.alternative_seconds for row in rows[2:]] == [OPENING_LIMIT] * (shutil.which("chromium") is not None)
    assert "all diagnostics, ten figures: 2,620 test pairs of both tasks" in rows[0].name
    assert "95 dialogues, 12,422 pairs, all texts" in rows[1].name
    for row in rows:
        assert row.ratio == pytest.approx(row.alternative_seconds / row.ours_seconds)
