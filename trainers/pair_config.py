"""What the configuration of every pair scorer holds: the pair classes, and the rule that decides pairs."""

from __future__ import annotations

from typing import Any, Literal

from transformers import PreTrainedConfig

__all__ = ["PairScorerConfig", "set_decision"]


class PairScorerConfig(PreTrainedConfig):  # type: ignore[misc]
    """Base of the scorers' configurations.

    Attributes:
        class_names: Names of the pair classes by id; class 0 is the positive one. ``id2label``, ``label2id`` and
            ``num_labels`` follow from them.
        decision: ``argmax``: the most probable class is predicted; ``threshold``: class 0 where its probability is at
            least ``threshold``, else the most probable of the others.
        threshold: A probability, or None for ``argmax``.

    Example:
        >>> config = PairScorerConfig(class_names=["pair", "non_pair"])
        >>> config.id2label, config.label2id, config.num_labels
        ({0: 'pair', 1: 'non_pair'}, {'pair': 0, 'non_pair': 1}, 2)
    """

    class_names: list[str] | None = None
    decision: Literal["threshold", "argmax"] = "argmax"
    threshold: float | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Derives the label maps, whatever a saved configuration has in their place."""
        if self.class_names is not None:
            self.id2label = dict(enumerate(self.class_names))
            self.label2id = {name: i for i, name in enumerate(self.class_names)}
        super().__post_init__(**kwargs)


def set_decision(config: Any, threshold: float | None) -> None:
    """Writes the rule that a run has chosen into a model's configuration.

    Args:
        config: The configuration, of a scorer of this package or of any other model.
        threshold: Smallest probability of class 0 that makes a pair positive, or None for the most probable class.

    Example:
        >>> config = PairScorerConfig(class_names=["pair", "non_pair"])
        >>> set_decision(config, 0.3)
        >>> config.decision, config.threshold
        ('threshold', 0.3)
    """
    config.decision = "argmax" if threshold is None else "threshold"
    config.threshold = None if threshold is None else float(threshold)
