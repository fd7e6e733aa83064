"""The references of one split, and the order in which a file has its items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.explanation_table import ExplanationTable, explanation_table
from iemomecp_dataset.metrics.evaluation.gold import require_split
from iemomecp_dataset.metrics.evaluation.turn_files import TurnGold
from iemomecp_dataset.schema import canonical_split

__all__ = ["ExplanationGold", "explanation_gold", "load_explanation_gold"]


@dataclass(frozen=True, kw_only=True)
class ExplanationGold(TurnGold):
    """Everything about a split that a score of explanations depends on.

    Attributes:
        table: Its complete explanations.
        rows: Its dialogues.
    """

    table: ExplanationTable
    rows: Sequence[dict[str, Any]]

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
    split = canonical_split(split)
    corpus = load_corpus(config_name, data_dir, for_training=False, **options)
    require_split(corpus, split)
    return replace(explanation_gold(corpus, split), loaded=corpus)


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
    require_split(corpus, split)
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
