"""Utterances that are encoded together with turns around them, each pooled over its own tokens.

A sequence of the encoder holds a block of consecutive turns, whose vectors it gives, and turns before and after it as
context::

    begin | turn before | sep | turn of the block | sep | turn of the block | sep | turn after | end

A vector is the mean over the tokens of its own turn and the separator behind it. With a block of one turn every
utterance has a sequence of its own, as in systems for emotion recognition (EmoBERTa, arXiv 2108.12009); longer blocks
encode each turn once, and those at a block's begin see ``before`` turns that are encoded a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["IN_CONTEXT", "TextContext", "TextInContext", "sequence_of", "token_frame", "with_text_context"]

IN_CONTEXT = "text_in_context"
"""Key of an utterance of a row: its text among the turns that are encoded with it."""


class TextInContext(NamedTuple):
    """A text among the turns of its sequence.

    Attributes:
        turns: What is encoded together, in order.
        place: Which of them it is, from 0.
        shortened: Whether turns that were asked for, of the block or around it, were left out, as the sequence has no
            room for them.
    """

    turns: tuple[str, ...]
    place: int
    shortened: bool = False


class _Frame(NamedTuple):
    """Special tokens of a sequence.

    Attributes:
        begin: Before the first turn.
        separator: Between turns.
        end: After the last.
    """

    begin: tuple[int, ...]
    separator: tuple[int, ...]
    end: tuple[int, ...]


def token_frame(tokenizer: Any) -> _Frame:
    """Reads from a tokenizer what it puts around a text.

    Args:
        tokenizer: A fast tokenizer.
    """
    whole, bare = (list(tokenizer("a", add_special_tokens=special)["input_ids"]) for special in (True, False))
    at = next(i for i in range(len(whole) + 1) if whole[i : i + len(bare)] == bare)
    begin, end = whole[:at], whole[at + len(bare) :]
    separator = end if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    return _Frame(tuple(begin), tuple(separator), tuple(end))


@dataclass(frozen=True)
class TextContext:
    """Which turns are encoded with an utterance.

    Attributes:
        before: Turns before the block.
        after: Turns after it.
        block: Turns whose vectors come from one sequence.
        alone: Whether each text is encoded alone, too, and has both vectors.
    """

    before: int = 0
    after: int = 0
    block: int = 1
    alone: bool = False

    @classmethod
    def of(cls, settings: Any) -> TextContext:
        """Reads it from options, or from the configuration of a model: one that has no such fields uses none."""
        return cls(
            getattr(settings, "text_context", 0),
            getattr(settings, "text_context_after", 0),
            getattr(settings, "text_block", 1),
            getattr(settings, "text_alone", False),
        )

    @property
    def used(self) -> bool:
        """Whether an utterance is encoded otherwise than alone."""
        return self != TextContext()

    def split(
        self, texts: Sequence[str], lengths: Sequence[int], frame: tuple[int, int], limit: int
    ) -> list[TextInContext]:
        """Divides a dialogue into sequences that fit.

        Blocks of turns that are too long together are made smaller. Of the turns around a block the nearest are taken
        first, those before it earlier than those after it.

        Args:
            texts: ``n`` turns.
            lengths: Tokens of each, special ones not counted.
            frame: Special tokens around a sequence, and between two turns.
            limit: Tokens of a sequence.

        Returns:
            ``n`` texts in context. A turn that is longer than ``limit`` alone is alone, and is cut later.

        Example:
            >>> found = TextContext(before=2).split(["a", "b", "c"], [1, 6, 2], frame=(2, 1), limit=11)
            >>> [one.turns for one in found], [one.shortened for one in found]
            ([('a',), ('a', 'b'), ('b', 'c')], [False, False, True])
            >>> [one.place for one in TextContext(block=2).split(["a", "b", "c"], [1, 1, 1], (2, 1), 64)]
            [0, 1, 0]
        """
        around, between = frame
        ends = [0, *accumulate(length + between for length in lengths)]

        def fits(low: int, high: int) -> bool:
            return ends[high] - ends[low] - between + around <= limit

        found: list[TextInContext] = []
        n = len(texts)
        while len(found) < n:
            first = len(found)
            stop = min(n, first + self.block)
            while stop - first > 1 and not fits(first, stop):
                stop -= 1
            least, most = max(0, first - self.before), min(n, stop + self.after)
            low, high = first, stop
            earlier = later = True
            while earlier or later:
                earlier = earlier and low > least and fits(low - 1, high)
                low -= earlier
                later = later and high < most and fits(low, high + 1)
                high += later
            # A block that was made smaller leaves turns out, too.
            shortened = low > least or high < most or stop < min(n, first + self.block)
            turns = tuple(texts[low:high])
            found += [TextInContext(turns, turn - low, shortened) for turn in range(first, stop)]
        return found


def with_text_context(
    rows: Iterable[Mapping[str, Any]], context: TextContext, tokenizer: Any, max_tokens: int
) -> list[dict[str, Any]]:
    """Copies rows, each utterance with its text in context; what has it already keeps it.

    Args:
        rows: Whole dialogues, or windows of dialogues that were whole when they got it.
        context: Which turns.
        tokenizer: The encoder's.
        max_tokens: Tokens of a sequence.
    """
    rows = list(rows)
    limit = min(max_tokens, int(tokenizer.model_max_length))
    frame = token_frame(tokenizer)
    sizes = (len(frame.begin) + len(frame.end), len(frame.separator))
    turns = [[utterance["text"] or "" for utterance in row["utterances"]] for row in rows]
    distinct = sorted({text for of_row in turns for text in of_row})
    ids = tokenizer(distinct, add_special_tokens=False, verbose=False)["input_ids"] if distinct else []
    lengths = dict(zip(distinct, map(len, ids), strict=True))
    found = []
    for row, of_row in zip(rows, turns, strict=True):
        utterances = row["utterances"]
        if not all(IN_CONTEXT in utterance for utterance in utterances):
            in_context = context.split(of_row, [lengths[text] for text in of_row], sizes, limit)
            utterances = [{**one, IN_CONTEXT: text} for one, text in zip(utterances, in_context, strict=True)]
        found.append({**row, "utterances": utterances})
    return found


def sequence_of(turns: Sequence[NDArray[np.int64]], frame: _Frame) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
    """Puts tokens of turns together.

    Args:
        turns: Token ids of each, without special ones.
        frame: Special tokens.

    Returns:
        The token ids; and of each turn the first of its tokens, and the one behind the separator that follows it.

    Example:
        >>> ids, spans = sequence_of([np.array([5, 6]), np.array([7])], _Frame((1,), (2,), (2,)))
        >>> ids.tolist(), spans
        ([1, 5, 6, 2, 7, 2], [(1, 4), (4, 6)])
    """
    ids: list[int] = [*frame.begin]
    spans = []
    for place, turn in enumerate(turns):
        start = len(ids)
        ids += [*turn.tolist(), *(frame.end if place == len(turns) - 1 else frame.separator)]
        spans.append((start, len(ids)))
    return np.asarray(ids, dtype=np.int64), spans
