"""The signature of a run, from the rows it was scored on: what a trainer stores beside its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.signature import Signature, default_definition, gold_fingerprint
from iemomecp_dataset.pair_table import pair_table
from iemomecp_dataset.rows import gold_pairs

__all__ = ["run_signature"]


def run_signature(
    rows: Iterable[Mapping[str, Any]],
    *,
    corpus: str,
    config_name: str,
    split: str,
    definition: str | None = None,
    threshold: float | None = None,
    threshold_chosen_on: str | None = None,
    forward_pairs: str | None = None,
    synthetic: bool = False,
) -> Signature:
    """Builds the signature that ``scripts/evaluate_predictions.py`` gives the predictions of a run.

    Args:
        rows: The split's rows.
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        definition: A, B or F; ``None``: F for IEMO-MECP, A elsewhere.
        threshold: The decision threshold; ``None``: the most probable class.
        threshold_chosen_on: Where it was searched; needed with a threshold.
        forward_pairs: ``as_published`` or ``gold`` (IEMO-MECP), ``all`` or ``past`` (elsewhere); ``None``:
            ``as_published``, and elsewhere what the candidates are.
        synthetic: Whether the data was made by a program.

    Returns:
        The signature.

    Raises:
        UsageError: Another definition: those need what is predicted, too.

    Example:
        >>> row = {"dialogue_id": "d", "source_dialogue_id": "d", "utterances": [{"turn": 1, "emotion": None}],
        ...        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 0}]}
        >>> signature = run_signature([row], corpus="ecf", config_name="ecf", split="validation")
        >>> signature.definition, signature.n_gold, signature.decision, signature.forward_pairs
        ('A', 1, 'argmax', 'past')
    """
    letter = definition or default_definition(corpus)
    if letter not in ("A", "B", "F"):
        raise UsageError(f"A run's own signature is of definition A, B or F; found {letter!r}.")
    rows = list(rows)
    table = pair_table(rows)
    pairs = [(row["dialogue_id"], target, cause) for row in rows for target, cause in gold_pairs(row)]
    if letter == "F":
        data = gold_fingerprint(table.dialogue_ids, table.target_turns, table.cause_turns, table.labels)
        n_gold = int((table.labels == 0).sum())
    else:
        data = gold_fingerprint(*([pair[i] for pair in pairs] for i in range(3)))
        n_gold = sum(cause <= target for _, target, cause in pairs) if letter == "B" else len(pairs)
    if forward_pairs is None:
        has_forward = bool((table.distances < 0).any())
        forward_pairs = "as_published" if corpus == "iemomecp" else "all" if has_forward else "past"
    return Signature(
        definition=letter,
        corpus=corpus,
        task=config_name,
        split=split,
        n_gold=n_gold,
        n_candidates=len(table),
        n_missed=table.missed_positives,
        forward_pairs=forward_pairs,
        emotions="none",
        threshold=threshold,
        threshold_chosen_on=threshold_chosen_on or ("none" if threshold is None else "unknown"),
        data=data,
        synthetic=synthetic,
    )
