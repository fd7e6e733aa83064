"""Random pairs of random dialogues for the score tests."""

from dataclasses import dataclass

import numpy as np
import pytest


@dataclass
class RandomPairs:
    """Candidates of some dialogues, one entry per pair, in shuffled order."""

    probabilities: np.ndarray
    labels: np.ndarray
    dialogue_ids: np.ndarray
    target_turns: np.ndarray
    cause_turns: np.ndarray
    emotional_targets: np.ndarray

    def __len__(self):
        return len(self.labels)


@pytest.fixture
def random_pairs():
    """Makes pairs on a coarse probability grid, so that ties are common."""

    def make(seed=0, n_dialogues=6, longest=7, n_classes=3, grid=8):
        generator = np.random.default_rng(seed)
        keys = [
            (f"d{d}", target, cause)
            for d in range(n_dialogues)
            for n in [int(generator.integers(1, longest + 1))]
            for target in range(1, n + 1)
            for cause in range(1, target + 1)
        ]
        keys = [keys[i] for i in generator.permutation(len(keys))]
        weights = generator.integers(0, grid, (len(keys), n_classes)) + 1e-9
        emotional = {key[:2]: bool(generator.random() < 0.6) for key in sorted(keys)}
        return RandomPairs(
            probabilities=weights / weights.sum(axis=1, keepdims=True),
            labels=generator.choice(n_classes, len(keys), p=[0.3, *[0.7 / (n_classes - 1)] * (n_classes - 1)]),
            dialogue_ids=np.array([key[0] for key in keys]),
            target_turns=np.array([key[1] for key in keys]),
            cause_turns=np.array([key[2] for key in keys]),
            emotional_targets=np.array([emotional[key[:2]] for key in keys]),
        )

    return make
