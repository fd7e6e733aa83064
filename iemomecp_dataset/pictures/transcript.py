"""The transcript of a conversation with its emotions, its causes and arrows beside the lines, as HTML.

Arrows need no measuring: each line draws its own part of them, so they fit lines of any height, on paper too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from iemomecp_dataset.pictures.words import emotion_in_words, pair_in_words, percent, printable, role_in_words

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation, PredictedEmotion, PredictedPair

__all__ = ["LANES", "Arrows", "place_arrows", "transcript"]

LANES = 12
"""Most lanes beside the lines; arrows that find none free share the outermost one."""


@dataclass(frozen=True, slots=True)
class Arrows:
    """The arrows to one target: one trunk with a branch from each of its causes.

    Attributes:
        target: Turn of the emotion.
        causes: Turns of the causes, the target itself not among them unless it is the only one; whether each is of the
            first role.
        lane: 0 is the lane next to the lines; -1 that of a loop from a turn to itself.
        shared: Whether another trunk runs in the same lane beside the same lines.
    """

    target: int
    causes: Mapping[int, bool]
    lane: int
    shared: bool = False

    @property
    def first(self) -> int:
        """First turn that the trunk reaches."""
        return min(self.target, *self.causes)

    @property
    def last(self) -> int:
        """Last turn that the trunk reaches."""
        return max(self.target, *self.causes)


def place_arrows(causes_of: Mapping[int, Mapping[int, bool]], lanes: int = LANES) -> list[Arrows]:
    """Gives every target's arrows a lane, short ones next to the lines; trunks of one lane do not touch.

    Args:
        causes_of: By target the turns of its causes, and whether each is of the first role.
        lanes: Number of lanes.

    Returns:
        The arrows by target. Where all lanes are taken, they share the outermost one.

    Example:
        >>> [(one.target, one.lane) for one in place_arrows({4: {3: True, 1: False}, 3: {2: True}, 9: {8: True}})]
        [(3, 0), (4, 1), (9, 0)]
    """
    taken: list[list[tuple[int, int]]] = [[] for _ in range(lanes)]
    placed = []
    spans = {
        target: (min(target, *causes), max(target, *causes)) for target, causes in causes_of.items() if set(causes)
    }
    for target, (first, last) in sorted(spans.items(), key=lambda item: (item[1][1] - item[1][0], item[0])):
        free = (i for i, used in enumerate(taken) if all(last < start or end < first for start, end in used))
        lane = next(free, lanes - 1)
        shared = any(last >= start and end >= first for start, end in taken[lane])
        taken[lane].append((first, last))
        placed.append(Arrows(target, causes_of[target], lane, shared))
    return sorted(placed, key=lambda one: one.target)


def transcript(predicted: PredictedConversation) -> str:
    """Writes every turn with its speaker, text, emotion, causes, and its part of the arrows.

    Args:
        predicted: What a model predicts for a conversation.

    Returns:
        One ``<ol>`` element; all text is escaped.
    """
    decided: dict[int, list[PredictedPair]] = {}
    for pair in predicted.pairs:
        if pair.decided:
            decided.setdefault(pair.target_turn, []).append(pair)
    first_role = predicted.class_names[0]
    arrows = place_arrows(
        {
            target: {pair.cause_turn: pair.label == first_role for pair in pairs if pair.cause_turn != target}
            for target, pairs in decided.items()
        }
    )
    loops = [
        Arrows(pair.target_turn, {pair.cause_turn: pair.label == first_role}, -1)
        for pair in predicted.pairs
        if pair.decided and pair.cause_turn == pair.target_turn
    ]
    parts = _parts_by_turn([*loops, *arrows], len(predicted.emotions))
    lanes = 1 + max((one.lane for one in arrows), default=-1)
    lines = [
        _line(predicted, emotion, decided.get(emotion.turn, []), parts[emotion.turn - 1])
        for emotion in predicted.emotions
    ]
    return f'<ol class="iemomecp-turns" style="--iemomecp-lanes: {lanes}">{"".join(lines)}</ol>'


def _line(
    predicted: PredictedConversation, emotion: PredictedEmotion, pairs: Sequence[PredictedPair], arrows: str
) -> str:
    spoken = predicted.conversation.utterances[emotion.turn - 1]
    marked = " iemomecp-emotional" if emotion.emotional else ""
    chip = _chip(emotion) if emotion.emotional or pairs else ""
    roles = len(predicted.class_names) > 2
    causes = "".join(_cause(pair, predicted, with_role=roles) for pair in pairs)
    if causes:
        causes = f'<ul class="iemomecp-causes" aria-label="Causes of the emotion of turn {emotion.turn}">{causes}</ul>'
    elif emotion.emotional:
        causes = '<span class="iemomecp-none">no cause found</span>'
    found = f'<div class="iemomecp-found">{chip}{causes}</div>' if chip or causes else ""
    return (
        f'<li class="iemomecp-turn{marked}" data-turn="{emotion.turn}">'
        f'<span class="iemomecp-gutter" aria-hidden="true">{arrows}</span>'
        f'<span class="iemomecp-number">{emotion.turn}</span>'
        f'<div class="iemomecp-said"><b class="iemomecp-speaker" dir="auto">{_shown(spoken.speaker)}</b> '
        f'<span class="iemomecp-text" dir="auto">{_shown(spoken.text) or _WITHOUT_TEXT}</span></div>{found}</li>'
    )


_WITHOUT_TEXT = '<i class="iemomecp-none">recording without text</i>'


def _shown(text: str) -> str:
    return escape(printable(text))


def _chip(emotion: PredictedEmotion) -> str:
    likely = sorted(emotion.category_probabilities.items(), key=lambda item: -item[1])
    each = ", ".join(f"{name} {percent(value)}" for name, value in likely)
    felt = "" if emotion.probability is None else f"P(emotional) {emotion.probability:.4f}"
    title = "; ".join(filter(None, (felt, each))) or "target of a pair; the model predicts no emotions"
    sure = "" if emotion.emotional else " iemomecp-unsure"
    share = "" if emotion.probability is None else f' style="--iemomecp-share: {emotion.probability:.4f}"'
    return (
        f'<span class="iemomecp-chip{sure}"{share} title="{_shown(title)}">{_shown(emotion_in_words(emotion))}</span>'
    )


def _cause(pair: PredictedPair, predicted: PredictedConversation, *, with_role: bool) -> str:
    kind = "iemomecp-first" if pair.label == predicted.class_names[0] else "iemomecp-other"
    each = ", ".join(f"P({name}) {value:.4f}" for name, value in pair.probabilities.items())
    speaker = predicted.conversation.utterances[pair.cause_turn - 1].speaker
    title = f"{role_in_words(pair.label)}, turn {pair.cause_turn}, {speaker}: {each}"
    return (
        f'<li><button type="button" class="iemomecp-cause {kind}" data-target="{pair.target_turn}" '
        f'data-cause="{pair.cause_turn}" title="{_shown(title)}">'
        f"{_shown(pair_in_words(pair, with_role=with_role))}</button></li>"
    )


def _parts_by_turn(arrows: Sequence[Arrows], turns: int) -> list[str]:
    """What each turn's gutter holds: pieces of trunks, and the branches that begin or end there."""
    ends: list[list[Arrows]] = [[] for _ in range(turns)]
    for one in arrows:
        for turn in {one.target, *one.causes}:
            ends[turn - 1].append(one)
    pieces: list[list[str]] = [[] for _ in range(turns)]
    for one in arrows:
        for turn in range(one.first, one.last + 1):
            pieces[turn - 1].append(_piece(one, turn, ends[turn - 1]))
    return ["".join(of_turn) for of_turn in pieces]


def _piece(one: Arrows, turn: int, ends: Sequence[Arrows]) -> str:
    """One trunk beside one turn: it begins or ends there or runs through, and may have a branch or the arrowhead."""
    data = f'data-target="{one.target}"'
    if turn not in (one.target, *one.causes):
        return f'<i class="iemomecp-trunk" {data} style="--iemomecp-lane: {one.lane}"></i>'
    # Branches of several trunks at one turn lie side by side, those of inner lanes nearer to the middle of the line.
    others = sorted(ends, key=lambda other: (other.lane, other.target))
    step = min(9.0, 26.0 / max(1, len(others) - 1))
    shift = (others.index(one) - (len(others) - 1) / 2) * step
    where = f'style="--iemomecp-lane: {one.lane}; --iemomecp-shift: {shift:.3g}px"'
    role = "iemomecp-first" if one.causes.get(turn, True) else "iemomecp-other"
    if one.lane < 0:
        return f'<i class="iemomecp-loop {role}" {data} data-turn="{turn}" {where}></i>'
    head = f'<i class="iemomecp-head" {data} {where}></i>' if turn == one.target else ""
    if turn == one.first or turn == one.last:
        bend = "iemomecp-down" if turn == one.first else "iemomecp-up"
        branch = f'<i class="{bend} {role}" {data} data-turn="{turn}" {where}></i>'
        return branch + head
    trunk = f'<i class="iemomecp-trunk" {data} {where}></i>'
    return f'{trunk}<i class="iemomecp-branch {role}" {data} data-turn="{turn}" {where}></i>{head}'
