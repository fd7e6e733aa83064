"""A scorer of one's own, as the documentation writes it, does what every scorer must do."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from scorer_case import TEXT_SIZE, ScorerCase, dialogue_task

from iemomecp_dataset.trainers import scorers
from iemomecp_dataset.trainers.training.task import TrainingTask


@functools.cache
def model_of(page: Path) -> tuple[dict[str, Any], str]:
    """What the page's first block defines, once in a process as AutoModel knows it then; and its second block."""
    model, entry = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)[:2]
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(model, page, "exec", dont_inherit=True), names)
    return names, entry


@pytest.fixture(scope="module")
def page(repository: Path) -> Iterator[dict[str, Any]]:
    """What the page defines, registered while these tests run."""
    names, entry = model_of(repository / "docs" / "own-scorer.md")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scorers, "_registered", {})
        exec(entry, names)
        yield names


class TestScorerOfOnesOwn(ScorerCase):
    name = "linear"
    has_loss = False

    @pytest.fixture
    def task(self, page: dict[str, Any]) -> TrainingTask:
        torch.manual_seed(0)
        config = page["LinearConfig"](class_names=["pair", "non_pair"], text_size=TEXT_SIZE)
        return dialogue_task(page["LinearScorer"](config))
