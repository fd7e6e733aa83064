"""What the data set says about every candidate pair: gold role, source label, and what anyone can observe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, RunFolderError
from iemomecp_dataset.metrics.evaluation.predictions import Predictions

__all__ = ["PairFacts", "pair_facts", "token_overlap"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class PairFacts:
    """Facts about ``n`` candidate pairs, in row and (target, cause) order.

    Attributes:
        dialogue_ids: ``(n,)`` str.
        source_dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` int64, 1-based.
        cause_turns: ``(n,)`` int64, 1-based.
        roles: ``(n,)`` int64, ids of the three gold roles.
        source_pairs: ``(n,)`` bool, is it a pair in the original binary annotation.
        lexical_overlap: ``(n,)`` float64, :func:`token_overlap` of the two texts.
        target_lengths: ``(n,)`` int64, words of the target utterance.
        cause_lengths: ``(n,)`` int64, words of the candidate.
        same_speaker: ``(n,)`` bool.
        target_positions: ``(n,)`` float64, turn of the target divided by the turns of its dialogue.
    """

    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    roles: NDArray[np.int64]
    source_pairs: NDArray[np.bool_]
    lexical_overlap: NDArray[np.float64]
    target_lengths: NDArray[np.int64]
    cause_lengths: NDArray[np.int64]
    same_speaker: NDArray[np.bool_]
    target_positions: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.roles)

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns."""
        return self.target_turns - self.cause_turns

    def order_of(self, predictions: Predictions) -> NDArray[np.int64]:
        """Finds these pairs among predictions.

        Args:
            predictions: Predictions on the same pairs, in any order.

        Returns:
            ``(n,)`` so that ``predictions.probabilities[order]`` is in the order of the facts.

        Raises:
            RunFolderError: The predictions lack a pair, have one twice, or have others.
        """
        keys = pd.MultiIndex.from_arrays([predictions.dialogue_ids, predictions.target_turns, predictions.cause_turns])
        wanted = pd.MultiIndex.from_arrays([self.dialogue_ids, self.target_turns, self.cause_turns])
        if not keys.is_unique:
            raise RunFolderError(f"The predictions hold the pair {tuple(keys[keys.duplicated()][0])} more than once.")
        found = np.asarray(keys.get_indexer(wanted))
        if (found < 0).any() or len(keys) != len(wanted):
            lacking = int((found < 0).sum())
            example = f", such as {tuple(wanted[found < 0][0])}" if lacking else ""
            raise RunFolderError(
                f"The predictions are of other pairs than the data: {lacking} of {len(wanted)} candidates have none"
                f"{example}, and {len(keys) - len(wanted) + lacking} predictions are of no candidate. Give the data "
                "that the run was made with."
            )
        return found.astype(np.int64)


def pair_facts(rows: Iterable[Mapping[str, Any]]) -> PairFacts:
    """Collects the facts of one split.

    Args:
        rows: Rows of configuration ``3class``, as :func:`iemomecp_dataset.load` gives them.

    Returns:
        The facts.

    Raises:
        InvalidDataError: A pair has no source label, so that the rows are not of IEMO-MECP.
    """
    columns: dict[str, list[Any]] = {name: [] for name in PairFacts.__dataclass_fields__}
    for row in rows:
        words = {u["turn"]: frozenset(_WORD.findall((u["text"] or "").lower())) for u in row["utterances"]}
        lengths = {u["turn"]: len(_WORD.findall(u["text"] or "")) for u in row["utterances"]}
        speakers = {u["turn"]: u["speaker"] for u in row["utterances"]}
        for pair in row["pairs"]:
            target, cause = pair["target_turn"], pair["cause_turn"]
            if pair["source_pair"] is None:
                raise InvalidDataError(
                    f"Dialogue {row['dialogue_id']!r}, pair ({target}, {cause}) has no source label. The diagnostics "
                    "of roles need configuration 3class with the ConvECPE source."
                )
            columns["dialogue_ids"].append(row["dialogue_id"])
            columns["source_dialogue_ids"].append(row["source_dialogue_id"] or row["dialogue_id"])
            columns["target_turns"].append(target)
            columns["cause_turns"].append(cause)
            columns["roles"].append(pair["label"])
            columns["source_pairs"].append(pair["source_pair"])
            columns["lexical_overlap"].append(token_overlap(words[target], words[cause]))
            columns["target_lengths"].append(lengths[target])
            columns["cause_lengths"].append(lengths[cause])
            columns["same_speaker"].append(speakers[target] == speakers[cause])
            columns["target_positions"].append(target / len(row["utterances"]))
    types = {
        "dialogue_ids": np.str_,
        "source_dialogue_ids": np.str_,
        "source_pairs": np.bool_,
        "same_speaker": np.bool_,
        "lexical_overlap": np.float64,
        "target_positions": np.float64,
    }
    return PairFacts(**{name: np.asarray(values, dtype=types.get(name, np.int64)) for name, values in columns.items()})


def token_overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard overlap of two sets of words: common words divided by all words, 0 where there are none.

    Example:
        >>> round(token_overlap(frozenset({"no", "way"}), frozenset({"no", "more"})), 3)
        0.333
    """
    either = one | other
    return len(one & other) / len(either) if either else 0.0
