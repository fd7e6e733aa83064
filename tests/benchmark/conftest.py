"""Small dialogues made of numbers, for everything that computes on rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

EMOTIONS = ("neutral", "joy")


def make_rows(
    n_dialogues: int,
    *,
    seed: int,
    class_names: tuple[str, ...] = ("pair", "non_pair"),
    prefix: str = "d",
    n_turns: int = 8,
) -> list[dict[str, Any]]:
    """Dialogues in which emotional words mark emotional utterances, whose causes are near. All pairs are candidates."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_dialogues):
        n = int(rng.integers(3, n_turns + 1))
        emotional = rng.random(n) < 0.5
        utterances = [
            {
                "turn": turn,
                "text": f"{'wonderful' if emotional[turn - 1] else 'table'} word{rng.integers(5)}",
                "emotion": int(emotional[turn - 1]),
            }
            for turn in range(1, n + 1)
        ]
        pairs = []
        for target in range(1, n + 1):
            for cause in range(1, n + 1):
                distance = target - cause
                rate = {0: 0.8, 1: 0.5, 2: 0.2, -1: 0.05}.get(distance, 0.0) * emotional[target - 1]
                label = 0 if rng.random() < rate else len(class_names) - 1
                if (
                    label
                    and len(class_names) == 3
                    and emotional[target - 1]
                    and 1 <= distance <= 4
                    and rng.random() < 0.4
                ):
                    label = 1
                pairs.append({"target_turn": target, "cause_turn": cause, "label": label})
        rows.append(
            {
                "dialogue_id": f"{prefix}{number}",
                "source_dialogue_id": f"{prefix}{number}",
                "utterances": utterances,
                "pairs": pairs,
            }
        )
    return rows


@pytest.fixture(name="make_rows")
def make_rows_fixture():
    return make_rows
