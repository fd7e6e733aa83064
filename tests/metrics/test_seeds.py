"""Means and standard deviations over seeds."""

import math

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.scoring import seed_summary


@pytest.mark.parametrize("ddof", [0, 1])
def test_agrees_with_numpy(ddof):
    values = [0.51, 0.58, 0.44, 0.6]
    summary = seed_summary(values, ddof=ddof)
    assert (summary.mean, summary.sd) == pytest.approx((np.mean(values), np.std(values, ddof=ddof)))
    assert f"ddof={ddof}" in str(summary)


def test_one_run_has_no_spread():
    summary = seed_summary([0.5])
    assert math.isnan(summary.sd)
    assert str(summary) == "0.5000, n=1"


@pytest.mark.parametrize(("values", "ddof"), [([], 1), ([math.nan], 1), ([0.5], 2)])
def test_what_has_no_summary_is_refused(values, ddof):
    with pytest.raises(MetricInputError):
        seed_summary(values, ddof=ddof)
