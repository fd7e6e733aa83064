r"""The text of a pair as one segment of token ids, composed of lines that are tokenised once for each utterance.

The published segment (arXiv 2605.25208)::

    Target utterance {speaker}: {text}
    Candidate utterance {speaker}: {text}

An utterance is the target, or the candidate, of many pairs. Its two lines are tokenised once; the ids of a pair are the
special tokens around the ids of two lines. Most tokenizers split at line breaks, so that this equals tokenising whole
segments. That is checked on a sample of pairs; with a tokenizer that does not split there, every segment is tokenised
whole.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["REMOVED_TEXT", "Segments", "segment_text", "tokenize_segments"]

_logger = logging.getLogger(__name__)

REMOVED_TEXT = "[REMOVED_CONTEXT]"
"""Replaces the candidate's text when the evidence is removed (arXiv 2605.25208)."""

_CHECKED_PAIRS = 256
# Tokenised before a candidate's line, so that the first token of the line is the one it has within a segment.
_ANCHOR = "."

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Segments:
    """Token ids of the segments of pairs of utterances.

    Attributes:
        target_lines: Ids of the target's line, by utterance.
        candidate_lines: Ids of the candidate's line with the line break before it, by utterance.
        start: Special tokens before a segment.
        end: Special tokens after it.
        max_tokens: Tokens a segment may have, special ones included; longer ones are cut at the end.
        pad_id: The padding token.
        whole: Ids of whole segments, uncut and without special tokens, by (target, candidate), if a tokenizer's ids
            cannot be composed.
    """

    target_lines: Sequence[Ids]
    candidate_lines: Sequence[Ids]
    start: tuple[int, ...]
    end: tuple[int, ...]
    max_tokens: int
    pad_id: int
    whole: dict[tuple[int, int], Ids] | None = None

    def ids(self, target: int, candidate: int) -> NDArray[np.int64]:
        """``(T,)`` token ids of a pair of utterances."""
        if self.whole is not None:
            inner = self.whole[target, candidate]
        else:
            inner = np.concatenate([self.target_lines[target], self.candidate_lines[candidate]])
        kept = inner[: self.max_tokens - len(self.start) - len(self.end)]
        return np.concatenate([self.start, kept, self.end]).astype(np.int64)

    def full_lengths(self, targets: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.int64]:
        """``(n,)`` tokens of each pair's segment before it is cut, special ones included."""
        special = len(self.start) + len(self.end)
        if self.whole is not None:
            pairs = zip(targets.tolist(), candidates.tolist(), strict=True)
            return np.array([len(self.whole[pair]) + special for pair in pairs], dtype=np.int64)
        target_sizes = np.array([len(line) for line in self.target_lines], dtype=np.int64)
        candidate_sizes = np.array([len(line) for line in self.candidate_lines], dtype=np.int64)
        return target_sizes[targets] + candidate_sizes[candidates] + special


def segment_text(target: tuple[str, str], candidate: tuple[str, str]) -> str:
    r"""Text of a pair's segment.

    Args:
        target: Speaker and text.
        candidate: Speaker and text.

    Example:
        >>> segment_text(("F", "I am glad."), ("M", "You won!"))
        'Target utterance F: I am glad.\nCandidate utterance M: You won!'
    """
    return _target_line(*target) + _candidate_line(*candidate)


def tokenize_segments(
    utterances: Sequence[tuple[str, str]],
    targets: NDArray[np.int32],
    candidates: NDArray[np.int32],
    tokenizer: Any,
    max_tokens: int,
    *,
    removed: bool = False,
) -> Segments:
    """Tokenises the two lines of each utterance once.

    Args:
        utterances: Speaker and text of each utterance.
        targets: ``(n,)`` positions of the targets of all pairs.
        candidates: ``(n,)`` positions of their candidates.
        tokenizer: A fast tokenizer.
        max_tokens: Tokens a segment may have, special ones included.
        removed: Whether the candidate's text is replaced by :data:`REMOVED_TEXT`.
    """
    shown = [(speaker, REMOVED_TEXT) for speaker, _ in utterances] if removed else list(utterances)
    anchor = _bare(tokenizer, [_ANCHOR])[_ANCHOR]
    first = _bare(tokenizer, (_target_line(*utterance) for utterance in utterances))
    second = _bare(tokenizer, (_ANCHOR + _candidate_line(*utterance) for utterance in shown))
    start, end = _special_tokens(tokenizer)
    segments = Segments(
        target_lines=[first[_target_line(*utterance)] for utterance in utterances],
        candidate_lines=[second[_ANCHOR + _candidate_line(*utterance)][len(anchor) :] for utterance in shown],
        start=start,
        end=end,
        max_tokens=min(max_tokens, int(tokenizer.model_max_length)),
        pad_id=tokenizer.pad_token_id or 0,
    )
    pairs = list(zip(targets.tolist(), candidates.tolist(), strict=True))
    checked = pairs[:: max(1, len(pairs) // _CHECKED_PAIRS)]
    whole = {pair: segment_text(utterances[pair[0]], shown[pair[1]]) for pair in checked}
    expected = _bare(tokenizer, whole.values())
    if all(
        np.array_equal(expected[text], np.concatenate([segments.target_lines[t], segments.candidate_lines[c]]))
        for (t, c), text in whole.items()
    ):
        return segments
    _logger.warning("This tokenizer does not split at line breaks: all %d segments are tokenised whole.", len(pairs))
    texts = {pair: segment_text(utterances[pair[0]], shown[pair[1]]) for pair in pairs}
    ids = _bare(tokenizer, texts.values())
    return Segments(
        target_lines=(),
        candidate_lines=(),
        start=start,
        end=end,
        max_tokens=segments.max_tokens,
        pad_id=segments.pad_id,
        whole={pair: ids[text] for pair, text in texts.items()},
    )


def _target_line(speaker: str, text: str) -> str:
    return f"Target utterance {speaker}: {text}"


def _candidate_line(speaker: str, text: str) -> str:
    return f"\nCandidate utterance {speaker}: {text}"


def _bare(tokenizer: Any, texts: Any) -> dict[str, Ids]:
    """Ids of distinct texts, without special tokens."""
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return {}
    ids = tokenizer(distinct, add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    return {text: np.asarray(found, dtype=np.int32) for text, found in zip(distinct, ids, strict=True)}


def _special_tokens(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids that a tokenizer adds before and after a text."""
    inner = tokenizer(_ANCHOR, add_special_tokens=False)["input_ids"]
    outer = tokenizer(_ANCHOR)["input_ids"]
    at = next(i for i in range(len(outer)) if outer[i : i + len(inner)] == inner)
    return tuple(outer[:at]), tuple(outer[at + len(inner) :])
