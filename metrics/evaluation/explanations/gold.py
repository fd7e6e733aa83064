"""The references of one split, and the order in which a file has its items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.explanation_table import ExplanationTable, explanation_table

__all__ = ["ExplanationGold", "aligned_items", "explanation_gold", "load_explanation_gold"]

_SHOWN = 5


@dataclass(frozen=True)
class ExplanationGold:
    """Everything about a split that a score of explanations depends on.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        table: Its complete explanations.
        rows: Its dialogues.
        text_fingerprint: Fingerprint of their texts.
        synthetic: Whether a program made the data.
    """

    corpus: str
    config_name: str
    split: str
    table: ExplanationTable
    rows: Sequence[dict[str, Any]]
    text_fingerprint: str
    synthetic: bool

    @property
    def keys(self) -> list[tuple[str, int]]:
        """Dialogue and target of every item."""
        return list(zip(self.table.dialogue_ids.tolist(), self.table.target_turns.tolist(), strict=True))


def load_explanation_gold(config_name: str, data_dir: str | Path, split: str, **options: Any) -> ExplanationGold:
    """Loads the explanations of a split.

    Args:
        config_name: As in :func:`iemomecp_dataset.load`.
        data_dir: As there.
        split: train, validation or test.
        **options: Further options, as there; None for a default.

    Returns:
        The gold.

    Raises:
        UsageError: The split has no explanations, or the configuration does not take an option.
        IemomecpError: The data is missing or breaks its format, or has no such split.
    """
    return explanation_gold(load_corpus(config_name, data_dir, split=split, for_training=False, **options), split)


def explanation_gold(corpus: Corpus, split: str) -> ExplanationGold:
    """Collects the explanations of one split of a loaded corpus.

    Args:
        corpus: The corpus.
        split: One of its splits.

    Returns:
        The gold.

    Raises:
        UsageError: There is no such split, or it has no complete explanation.
    """
    if split not in corpus.rows:
        raise UsageError(
            f"There is no split {split!r} of {corpus.config_name} here. {did_you_mean(split, corpus.rows)}"
        )
    table = explanation_table(corpus.rows[split])
    if not len(table):
        raise UsageError(
            f"The {split} split of {corpus.name} ({corpus.config_name}) has no complete explanation. Choose a corpus "
            "with explanations: ecem, ecgf or reccon."
        )
    return ExplanationGold(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        table=table,
        rows=corpus.rows[split],
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
    )


def aligned_items(
    whose: str, found: Sequence[tuple[str, int]], wanted: Sequence[tuple[str, int]], of: str
) -> NDArray[np.intp]:
    """Finds the positions that bring the found items into the order of the wanted ones.

    Args:
        whose: Name of the found items for the message, such as a path.
        found: Dialogue and target of the predictions, each of them once.
        wanted: Those that must be there, each of them once.
        of: What the wanted ones are, for the message.

    Returns:
        ``(n,)`` positions ``order``, so that entry ``order[i]`` of the found is item ``i`` of the wanted.

    Raises:
        InvalidDataError: Items are missing or unknown; both are counted, the first ones named.

    Example:
        >>> aligned_items("theirs.csv", [("d", 2), ("d", 1)], [("d", 1), ("d", 2)], "ecem, test").tolist()
        [1, 0]
    """
    place = {key: i for i, key in enumerate(found)}
    missing = [key for key in wanted if key not in place]
    known = set(wanted)
    unknown = [key for key in found if key not in known]
    problems = [
        f"{len(these)} item{'s' * (len(these) > 1)} {what}: {_named(these)}"
        for what, these in (("missing", missing), ("not in the data", unknown))
        if these
    ]
    if problems:
        raise InvalidDataError(
            f"{whose}: its {len(found)} items are not the {len(wanted)} of {of}, each exactly once: "
            f"{'; '.join(problems)}. Explain every item once, an empty text is allowed, or check that corpus and split "
            "are the same."
        )
    return np.array([place[key] for key in wanted], dtype=np.intp)


def _named(keys: list[tuple[str, int]]) -> str:
    shown = ", ".join(f"(dialogue {dialogue}, target {turn})" for dialogue, turn in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
