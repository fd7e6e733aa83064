"""A second look at each target that was proposed, in a window of turns around it; it can only leave pairs out.

A pair that stays keeps its role, also where the second look names the other one, which is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from iemomecp_dataset.trainers.language_model.answering import Answer
from iemomecp_dataset.trainers.language_model.answers import UNUSABLE, Ladder, Reading, Reads, read_answer
from iemomecp_dataset.trainers.language_model.asking import Asking, Dialogue, Request
from iemomecp_dataset.trainers.language_model.prompts import VERIFY
from iemomecp_dataset.trainers.language_model.schemas import verify_schema
from iemomecp_dataset.trainers.language_model.sending import Sender, Usage

__all__ = ["WINDOW", "second_look"]

WINDOW = 6
"""Turns on each side of the target, or of a proposed turn, that the second question shows."""

_MOST_TOKENS = 64


def second_look(
    asking: Asking,
    dialogues: Mapping[str, Dialogue],
    requests: Sequence[Request],
    readings: Sequence[Reading],
    sender: Sender,
    usage: Usage,
    ladder: Ladder,
) -> tuple[list[Reading], int, int]:
    """Asks about every target that the answers propose.

    Args:
        asking: What was asked first.
        dialogues: By id the dialogues.
        requests: The first requests.
        readings: How their answers were read.
        sender: Gets the answers.
        usage: Receives their tokens.
        ladder: Receives how they were read.

    Returns:
        The readings with the pairs that are left, how many of the second requests have no answer, and how many pairs
        the second look gives another role, which they do not get. Where a second answer is unusable, the pairs stay.
    """
    proposed = [
        (place, found)
        for place, (request, reading) in enumerate(zip(requests, readings, strict=True))
        for found in _questions(asking, dialogues[request.dialogue_id], request, reading)
    ]
    answers = sender.answers([request for _, request in proposed])
    kept, n_other_role = list(readings), 0
    for (place, request), answer in zip(proposed, answers, strict=True):
        if answer is not None:
            usage.add(answer, sender.key(request))
            second = _read(asking, dialogues[request.dialogue_id], request, answer, ladder)
            kept[place], differing = _left(kept[place], request, second)
            n_other_role += differing
    return kept, sum(answer is None for answer in answers), n_other_role


def _questions(asking: Asking, dialogue: Dialogue, request: Request, reading: Reading) -> Iterator[Request]:
    turns: dict[int, list[int]] = {}
    for pair in reading.pairs:
        turns.setdefault(pair.target, []).append(pair.cause)
    for target, causes in turns.items():
        proposed = tuple(sorted(causes))
        yield replace(
            request,
            target=target,
            examples=(),
            shown=_shown(dialogue, (target, *proposed)),
            ask=asking.prompt.question(
                VERIFY,
                turn=target,
                speaker=dialogue.speakers[target - 1],
                text=dialogue.texts[target - 1],
                emotion=reading.emotions.get(target) or "an emotion",
                proposed=", ".join(map(str, proposed)),
            ),
            schema=verify_schema(proposed, asking.task == "roles"),
            most_tokens=_MOST_TOKENS,
        )


def _shown(dialogue: Dialogue, turns: Sequence[int]) -> str:
    first, last = max(min(turns) - WINDOW, 1), min(max(turns) + WINDOW, dialogue.n_turns)
    lines = dialogue.lines.split("\n")[first - 1 : last]
    return "Conversation:\n" + "\n".join(lines) + "\n\n"


def _read(asking: Asking, dialogue: Dialogue, request: Request, answer: Answer, ladder: Ladder) -> Reading:
    schema = request.schema or {}
    turns = schema["properties"]["causes"]["items"]["enum"]
    candidates = frozenset((request.target or 0, turn) for turn in turns)
    reads = Reads(dialogue.n_turns, candidates, asking.emotions, request.target)
    reading = read_answer(answer.text, reads, schema, finish_reason=answer.finish_reason)
    ladder.add(reading)
    return reading


def _left(first: Reading, request: Request, second: Reading) -> tuple[Reading, int]:
    """The first reading with the pairs that a second look leaves, and of how many it names another role."""
    if second.step == UNUSABLE:
        return first, 0
    roles = {(pair.target, pair.cause): pair.role for pair in second.pairs}
    pairs = tuple(pair for pair in first.pairs if pair.target != request.target or (pair.target, pair.cause) in roles)
    differing = sum(pair.role != roles[pair.target, pair.cause] for pair in pairs if (pair.target, pair.cause) in roles)
    return replace(first, pairs=pairs), differing
