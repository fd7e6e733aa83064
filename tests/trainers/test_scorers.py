"""A scorer of one's own, as the documentation writes it, does what every scorer must do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from scorer_case import TEXT_SIZE, ScorerCase, dialogue_task

from iemomecp_dataset.trainers import scorers
from iemomecp_dataset.trainers.training.task import TrainingTask


@pytest.fixture(scope="module")
def page(repository: Path) -> Iterator[dict[str, Any]]:
    """What the page defines, up to the registry entry."""
    text = (repository / "docs" / "own-scorer.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": __name__}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scorers, "_registered", {})
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)[:2]:
            exec(compile(block, "own-scorer.md", "exec", dont_inherit=True), names)
        yield names


class TestScorerOfOnesOwn(ScorerCase):
    name = "linear"
    has_loss = False

    @pytest.fixture
    def task(self, page: dict[str, Any]) -> TrainingTask:
        torch.manual_seed(0)
        config = page["LinearConfig"](class_names=["pair", "non_pair"], text_size=TEXT_SIZE)
        return dialogue_task(page["LinearScorer"](config))
