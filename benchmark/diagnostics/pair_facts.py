"""Facts of the data set about every candidate pair: gold role, source label, and observable features."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, RunFolderError
from iemomecp_dataset.metrics.evaluation.coverage import aligned_order
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.pair_table import PairTable, pair_table

__all__ = ["PairFacts", "pair_facts", "token_overlap"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class PairFacts:
    """Facts about ``n`` candidate pairs, in row and (target, cause) order.

    Attributes:
        pairs: The pairs with their gold roles.
        source_pairs: ``(n,)`` bool, is it a pair in the original binary annotation.
        lexical_overlap: ``(n,)`` float64, :func:`token_overlap` of the two texts; NaN where one of them is missing.
        target_lengths: ``(n,)`` int64, words of the target utterance.
        cause_lengths: ``(n,)`` int64, words of the candidate.
        same_speaker: ``(n,)`` bool.
        target_positions: ``(n,)`` float64, turn of the target divided by the turns of its dialogue.
    """

    pairs: PairTable
    source_pairs: NDArray[np.bool_]
    lexical_overlap: NDArray[np.float64]
    target_lengths: NDArray[np.int64]
    cause_lengths: NDArray[np.int64]
    same_speaker: NDArray[np.bool_]
    target_positions: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def roles(self) -> NDArray[np.int64]:
        """``(n,)`` ids of the three gold roles."""
        return self.pairs.labels

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns."""
        return self.pairs.distances

    def order_of(self, predictions: Predictions) -> NDArray[np.intp]:
        """Finds these pairs among predictions.

        Args:
            predictions: Predictions on the same pairs, in any order.

        Returns:
            ``(n,)`` so that ``predictions.probabilities[order]`` is in the order of the facts.

        Raises:
            RunFolderError: The predictions lack a pair, have one twice, or have others.
        """
        try:
            return aligned_order("The predictions", predictions.pairs.keys, self.pairs.keys)
        except InvalidDataError as error:
            raise RunFolderError(f"{error} Give the data that the run was made with.") from None


def pair_facts(rows: Iterable[Mapping[str, Any]]) -> PairFacts:
    """Collects the facts of one split.

    Args:
        rows: Rows of configuration ``3class``, as :func:`iemomecp_dataset.load` gives them.

    Returns:
        The facts.

    Raises:
        InvalidDataError: A pair has no source label, so the rows are not of IEMO-MECP.
    """
    rows = list(rows)
    source_pairs: list[bool] = []
    overlaps: list[float] = []
    lengths: list[tuple[int, int]] = []
    same_speaker: list[bool] = []
    positions: list[float] = []
    for row in rows:
        n_words = {u["turn"]: len(_WORD.findall(u["text"] or "")) for u in row["utterances"]}
        words = {u["turn"]: frozenset(_WORD.findall((u["text"] or "").lower())) for u in row["utterances"]}
        silent = {u["turn"] for u in row["utterances"] if u["text"] is None}
        speakers = {u["turn"]: u["speaker"] for u in row["utterances"]}
        for pair in row["pairs"]:
            target, cause = pair["target_turn"], pair["cause_turn"]
            if pair["source_pair"] is None:
                raise InvalidDataError(
                    f"Dialogue {row['dialogue_id']!r}, pair ({target}, {cause}) has no source label. The diagnostics "
                    "of roles need configuration 3class with the ConvECPE source."
                )
            source_pairs.append(pair["source_pair"])
            known = not silent & {target, cause}
            overlaps.append(token_overlap(words[target], words[cause]) if known else float("nan"))
            lengths.append((n_words[target], n_words[cause]))
            same_speaker.append(speakers[target] == speakers[cause])
            positions.append(target / len(row["utterances"]))
    target_lengths, cause_lengths = np.array(lengths, dtype=np.int64).reshape(-1, 2).T
    return PairFacts(
        pairs=pair_table(rows),
        source_pairs=np.array(source_pairs, dtype=np.bool_),
        lexical_overlap=np.array(overlaps, dtype=np.float64),
        target_lengths=target_lengths,
        cause_lengths=cause_lengths,
        same_speaker=np.array(same_speaker, dtype=np.bool_),
        target_positions=np.array(positions, dtype=np.float64),
    )


def token_overlap(one: frozenset[str], other: frozenset[str]) -> float:
    r"""Computes the Jaccard overlap of two sets of words, 0 where both are empty.

    .. math:: \frac{|A \cap B|}{|A \cup B|}

    Args:
        one: A set of words.
        other: Another.

    Returns:
        The overlap, between 0 and 1.

    Example:
        >>> round(token_overlap(frozenset({"no", "way"}), frozenset({"no", "more"})), 3)
        0.333
    """
    either = one | other
    return len(one & other) / len(either) if either else 0.0
