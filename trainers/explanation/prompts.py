"""The text that a language model reads about one utterance: system message, dialogue lines and question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = [
    "CAUSE_MARK",
    "SYSTEM_MESSAGE",
    "VIDEO_TOKEN",
    "ContextTurn",
    "ExplanationItem",
    "example_messages",
    "user_message",
    "without_farthest_turn",
    "without_least_example",
]

SYSTEM_MESSAGE = (
    "You explain why people feel what they feel in a conversation. Answer with one sentence that states the cause."
)
"""Chosen here; the wording of FAME-Net's prompt is not known."""

VIDEO_TOKEN = "<video>"
"""Stands in the text for the tokens of frames and faces; occurs once, or not at all."""

CAUSE_MARK = "[cause]"
"""Follows the text of an utterance that is marked as a cause."""


@dataclass(frozen=True)
class ContextTurn:
    """An utterance of the dialogue that is not the target.

    Attributes:
        turn: Its turn, 1-based within the row.
        speaker: Name of the speaker; may be empty.
        text: What is said.
        marked: Whether it is marked as a cause.
        faces: Line about the faces in its clip, such as ``faces: A joy 0.8, B anger 0.6``; or None.
    """

    turn: int
    speaker: str
    text: str
    marked: bool = False
    faces: str | None = None


@dataclass(frozen=True)
class ExplanationItem:
    """One utterance whose emotion is to be explained, and what is known about it.

    Attributes:
        dialogue_id: The row's ``dialogue_id``.
        target_turn: The target's turn, 1-based within the row.
        utterance_id: Names its clip in stores of frames and faces.
        speaker: Name of its speaker; may be empty.
        text: What is said.
        emotion: Name of its emotion; None where it is not given to the model.
        context: The turns before it, in order.
        target_marked: Whether the target itself is marked as a cause.
        faces: Line about the faces in its clip, or None.
        reference: The explanation to learn; None where there is none.
        later: The turns after it, in order; empty unless asked for.
        examples: Explained items that precede the question, the one that matters least first; their own examples are
            not read.
    """

    dialogue_id: str
    target_turn: int
    utterance_id: str
    speaker: str
    text: str
    emotion: str | None
    context: tuple[ContextTurn, ...]
    target_marked: bool = False
    faces: str | None = None
    reference: str | None = None
    later: tuple[ContextTurn, ...] = ()
    examples: tuple[ExplanationItem, ...] = ()

    @property
    def marks(self) -> tuple[bool, ...]:
        """Whether each turn that the model reads is marked as a cause: those before the target, the target, later ones.

        Example:
            >>> ExplanationItem("d1", 2, "d1_2", "Bob", "Oh no!", None, (ContextTurn(1, "Ann", "Hm.", True),)).marks
            (True, False)
        """
        return (*(turn.marked for turn in self.context), self.target_marked, *(turn.marked for turn in self.later))


def user_message(item: ExplanationItem, *, has_video: bool) -> str:
    """Writes the dialogue, line by line, and the question about its target.

    Args:
        item: The target and its context.
        has_video: Put :data:`VIDEO_TOKEN` on a line of its own in front. A text that contains it loses its brackets.

    Example:
        >>> turns = (ContextTurn(1, "Ann", "The train is late.", marked=True),)
        >>> item = ExplanationItem("d1", 2, "d1_2", "Bob", "Oh no!", "sadness", turns, faces="faces: A sadness 0.9")
        >>> print(user_message(item, has_video=True))
        <video>
        Conversation:
        Ann: The train is late. [cause]
        Bob: Oh no! (faces: A sadness 0.9)
        Utterances marked [cause] are the causes of the emotion.
        Explain in one sentence why Bob feels sadness when saying "Oh no!"
    """
    target = ContextTurn(item.target_turn, item.speaker, item.text, item.target_marked, item.faces)
    turns = (*item.context, target, *item.later)
    lines = [VIDEO_TOKEN] if has_video else []
    lines += ["Conversation:", *map(_line, turns)]
    if any(item.marks):
        lines.append(f"Utterances marked {CAUSE_MARK} are the causes of the emotion.")
    speaker, text = _plain(item.speaker) or "the speaker", _plain(item.text)
    asked = f"how {speaker} feels and why," if item.emotion is None else f"why {speaker} feels {item.emotion}"
    lines.append(f'Explain in one sentence {asked} when saying "{text}"')
    return "\n".join(lines)


def example_messages(item: ExplanationItem) -> list[tuple[str, str]]:
    """Questions and answers that precede the question about an item; clips of examples are not shown.

    Example:
        >>> example = ExplanationItem("d1", 1, "d1_1", "Bob", "Oh no!", "sadness", (), reference="He lost <video>  it.")
        >>> item = ExplanationItem("d2", 1, "d2_1", "Ann", "No!", "anger", (), examples=(example,))
        >>> [answer for _, answer in example_messages(item)]
        ['He lost video it.']
    """
    return [(user_message(example, has_video=False), _plain(example.reference or "")) for example in item.examples]


def without_least_example(item: ExplanationItem) -> ExplanationItem | None:
    """Leaves out the example that matters least, the first; None where none is left."""
    return replace(item, examples=item.examples[1:]) if item.examples else None


def without_farthest_turn(item: ExplanationItem) -> ExplanationItem | None:
    """Leaves out the turn that is farthest from the target, the earlier one of two; None where none is left.

    Example:
        >>> turns = tuple(ContextTurn(turn, "Ann", "Well.") for turn in (1, 2))
        >>> shorter = without_farthest_turn(ExplanationItem("d1", 3, "d1_3", "Bob", "No.", None, turns))
        >>> [turn.turn for turn in shorter.context]
        [2]
    """
    before = item.target_turn - item.context[0].turn if item.context else 0
    after = item.later[-1].turn - item.target_turn if item.later else 0
    if not before and not after:
        return None
    if before >= after:
        return replace(item, context=item.context[1:])
    return replace(item, later=item.later[:-1])


def _line(turn: ContextTurn) -> str:
    parts: Sequence[str] = (
        f"{_plain(turn.speaker) or 'Speaker'}: {_plain(turn.text)}",
        CAUSE_MARK if turn.marked else "",
        f"({_plain(turn.faces)})" if turn.faces else "",
    )
    return " ".join(part for part in parts if part)


def _plain(text: str) -> str:
    """One line, in which nothing stands for the video."""
    return " ".join(text.replace(VIDEO_TOKEN, VIDEO_TOKEN.strip("<>")).split())
