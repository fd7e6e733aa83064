"""Options that cannot work together are refused before anything is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.options import TrainingOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pair_scorer": "bilinear"}, "--pair_scorer"),
        ({"frozen_layers": 2, "encoder_mode": "frozen"}, "--frozen_layers 2 is about a trained encoder"),
        ({"frozen_layers": -1}, "--frozen_layers must be at least 0, but is -1"),
        ({"context_ranking_weight": 0.3}, "the objective 'base' has none"),
        ({"context_ranking_weight": 0.3, "objective": "rpcl", "config_name": "ecf"}, "ranks emo_context pairs"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainingOptions.from_flat({"data_dir": "data", "output_dir": "run", **options}).check()


@pytest.mark.parametrize(
    "options",
    [{"context_ranking_weight": 0.3, "objective": "rpcl"}, {"frozen_layers": 2}, {"pair_scorer": "biaffine"}],
)
def test_accepted(options: dict[str, Any]) -> None:
    TrainingOptions.from_flat({"data_dir": "data", "output_dir": "run", **options}).check()
