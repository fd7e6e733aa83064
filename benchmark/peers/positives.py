"""Which pairs of a row a peer learns as its one relation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from iemomecp_dataset.corpora.metadata import pair_classes
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.rows import gold_pairs
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

__all__ = ["POSITIVES", "Positive", "exported_pairs", "positive_class"]

Positive = Literal["emo_cause", "emo_context", "pair"]
POSITIVES: tuple[str, ...] = get_args(Positive)

_LISTED = "listed_pairs"


def positive_class(config_name: str, asked: str | None = None) -> Positive:
    """Chooses the class whose pairs are exported.

    Args:
        config_name: Configuration name.
        asked: The class that is asked for, if one is.

    Returns:
        The class. A configuration of two classes has one that can be exported; of three roles one must be chosen,
        since every peer learns one relation.

    Raises:
        UsageError: The configuration does not have this class, or one must be chosen.

    Example:
        >>> positive_class("ecf"), positive_class("3class", "emo_context")
        ('pair', 'emo_context')
    """
    choices = tuple(name for name in pair_classes(config_name) if name in POSITIVES)
    if asked is None and len(choices) > 1:
        raise UsageError(
            f"{config_name} has the roles {', '.join(choices)}, and a peer learns one relation: give --positive "
            f"{choices[0]}, and export a second time with --positive {choices[1]} if both are wanted."
        )
    chosen = choices[0] if asked is None else asked
    if chosen not in choices:
        raise UsageError(f"{config_name} has no class {chosen!r} to export; give --positive {' or '.join(choices)}.")
    return chosen  # type: ignore[return-value]  # One of POSITIVES, which are those of the type.


def exported_pairs(row: Mapping[str, Any], positive: str) -> list[tuple[int, int]]:
    """Lists the pairs of a row that a peer gets as its gold.

    Args:
        row: A row as :func:`iemomecp_dataset.load` gives it.
        positive: One of :data:`POSITIVES`. ``pair`` and ``emo_cause`` are :func:`~iemomecp_dataset.gold_pairs`: label
            0, pairs with a later cause and outside the candidates included; ``emo_context`` is label 1.

    Returns:
        ``(target_turn, cause_turn)``, in the order of the corpus's file where the row has ``listed_pairs``, else
        sorted.

    Example:
        >>> row = {"pairs": [{"target_turn": 2, "cause_turn": 1, "label": 1}, {"target_turn": 2, "cause_turn": 2,
        ...                  "label": 0}]}
        >>> exported_pairs(row, "emo_cause"), exported_pairs(row, "emo_context")
        ([(2, 2)], [(2, 1)])
    """
    if positive not in POSITIVES:
        raise UsageError(f"There is no class {positive!r} to export; known: {', '.join(POSITIVES)}.")
    if positive in (PAIR_LABELS[0], ROLE_LABELS[0]):
        pairs = gold_pairs(row)
    else:
        label = ROLE_LABELS.index(positive)
        pairs = sorted((pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"] if pair["label"] == label)
    listed = [(pair["target_turn"], pair["cause_turn"]) for pair in row.get(_LISTED) or ()]
    # Files can list a pair twice; the set is what counts, and the order is the file's.
    ordered = list(dict.fromkeys(listed))
    return ordered if sorted(ordered) == pairs else pairs
