"""Finds where texts that differ between two sources stand instead: another line of the dialogue, or another dialogue.

Every function is linear in the number of utterances: texts are compared by their letters and digits, through an index,
and texts that occur in more than :data:`MOST_PLACES` places take no part, since they tell nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = [
    "MOST_PLACES",
    "DialogueTexts",
    "Elsewhere",
    "cross_dialogue_places",
    "foreign_files",
    "letters",
    "nearly_equal",
    "order_in_dialogue",
]

MOST_PLACES = 8
"""Places beyond which a text, such as "Yeah.", tells nothing about where it belongs."""

_Place = TypeVar("_Place", bound=Hashable)
_REGULAR = 0.6  # Of neighbours that are exchanged in pairs, half fit the line above, and half the line below.
_FEWEST = 2  # One text that fits elsewhere can be chance.
_NEAR = 0.6  # Unrelated English sentences share about a fifth of their trigrams.


def letters(text: str) -> str:
    """Reduces a text to what two sources must share: letters and digits, without regard to case.

    Args:
        text: Any text.

    Returns:
        Its letters and digits.

    Example:
        >>> letters("Oh, I don't know -- 7?")
        'ohidontknow7'
    """
    return "".join(filter(str.isalnum, text.casefold()))


def nearly_equal(first: str, second: str) -> bool:
    """Tells a typing difference from another text, in time linear in both.

    Args:
        first: A text, reduced by :func:`letters`.
        second: The other one.

    Returns:
        Whether one contains the other, or they share most of their trigrams.

    Example:
        >>> nearly_equal("idontknowwhattodo", "idontknowwhattodookay"), nearly_equal("idontknow", "idontkniw")
        (True, True)
        >>> nearly_equal("idontknowwhattodo", "heleftthismorning")
        False
    """
    if not first or not second:
        return first == second
    if first in second or second in first:
        return True
    one, other = _trigrams(first), _trigrams(second)
    return 2 * (one & other).total() >= _NEAR * (one.total() + other.total())


def _trigrams(text: str) -> Counter[str]:
    padded = f"  {text}  "
    return Counter(padded[start : start + 3] for start in range(len(padded) - 2))


@dataclass(frozen=True)
class DialogueTexts:
    """The texts of a dialogue in both sources, reduced by :func:`letters`.

    Attributes:
        utterance_ids: Ids of ConvECPE's utterances, in order.
        sentences: ConvECPE's text of each of them.
        lines: Text of every line of IEMOCAP's transcript by utterance id, in file order; it has lines that ConvECPE
            lacks.
        differing: Positions in ``utterance_ids`` whose two texts differ.
    """

    utterance_ids: Sequence[str]
    sentences: Sequence[str]
    lines: Mapping[str, str]
    differing: Sequence[int]

    def is_near(self, position: int) -> bool:
        """Whether the two texts of an utterance differ as typing differs: such a text stands at its place."""
        line = self.lines.get(self.utterance_ids[position])
        return line is not None and nearly_equal(self.sentences[position], line)


@dataclass(frozen=True)
class Elsewhere:
    """Where the differing texts of dialogues belong; dialogues whose texts fit no other are absent.

    Attributes:
        held: By dialogue the one whose texts its transcript holds.
        standing_in: By dialogue the one whose transcript holds its sentences.
    """

    held: Mapping[str, str]
    standing_in: Mapping[str, str]

    def exchanged_with(self, dialogue: str) -> str | None:
        """The dialogue that one is exchanged with; each must hold the other's texts, or stand in the other."""
        for places in (self.held, self.standing_in):
            other = places.get(dialogue)
            if other is not None and places.get(other) == dialogue:
                return other
        return None


def order_in_dialogue(texts: DialogueTexts) -> str:
    """Recognises texts that fit other utterances of their dialogue.

    Args:
        texts: The dialogue.

    Returns:
        How they are displaced, such as ``shifted by one line``; empty if most of them fit no utterance of it.

    Example:
        >>> lines = dict(zip("abcd", ["one", "two", "three", "four"]))
        >>> order_in_dialogue(DialogueTexts("abcd", ["two", "three", "four", "one"], lines, [0, 1, 2, 3]))
        'shifted by one line: IEMOCAP has them one line below ConvECPE'
        >>> order_in_dialogue(DialogueTexts("abcd", ["four", "three", "two", "one"], lines, [0, 1, 2, 3]))
        'reversed'
    """
    places = _index((text, name) for name, text in texts.lines.items())
    line_of = {name: position for position, name in enumerate(texts.lines)}
    turn_of = {name: position for position, name in enumerate(texts.utterance_ids)}
    offsets: Counter[tuple[str, int]] = Counter()
    sums: Counter[tuple[str, int]] = Counter()
    fitting = telling = 0
    agreeing = set(texts.utterance_ids).difference(texts.utterance_ids[position] for position in texts.differing)
    for position in texts.differing:
        found = places.get(texts.sentences[position], [])
        telling += bool(texts.sentences[position]) and len(found) <= MOST_PLACES
        # A sentence that is said twice may be mistyped once: then the other line agrees with its own.
        if not agreeing.isdisjoint(found) and texts.is_near(position):
            found = [name for name in found if name not in agreeing]
        if not 0 < len(found) <= MOST_PLACES:
            continue
        fitting += 1
        own = texts.utterance_ids[position]
        # Lines shift together where the transcript was damaged, turns where ConvECPE was: IEMOCAP has more utterances.
        offsets.update(("line", line_of[name] - line_of[own]) for name in found if own in line_of)
        offsets.update(("turn", turn_of[name] - position) for name in found if name in turn_of)
        sums.update(("line", line_of[name] + line_of[own]) for name in found if own in line_of)
        sums.update(("turn", turn_of[name] + position) for name in found if name in turn_of)
    offset = _most(offsets, telling, _REGULAR)
    if offset is not None:
        size = "one line" if abs(offset[1]) == 1 else f"{abs(offset[1])} lines"
        return f"shifted by {size}: IEMOCAP has them {size} {'above' if offset[1] < 0 else 'below'} ConvECPE"
    if _most(sums, telling, _REGULAR) is not None:
        return "reversed" if len(texts.differing) > _FEWEST else "exchanged with each other"
    return "in another order" if fitting >= _FEWEST and 2 * fitting > telling else ""


def cross_dialogue_places(suspects: Iterable[str], texts: Mapping[str, DialogueTexts]) -> Elsewhere:
    """Recognises texts that fit another dialogue and not their own.

    The scripts of IEMOCAP are acted in several sessions, so that another dialogue often has the same sentence. Hence
    texts that nearly equal their own line do not count, and the others must be most of the whole dialogue.

    Args:
        suspects: Dialogues whose differing texts are looked for.
        texts: All dialogues.

    Returns:
        The dialogues that most of a suspect's texts fit.
    """
    in_transcripts = _index(
        (text, name) for name, dialogue in texts.items() for text in dict.fromkeys(dialogue.lines.values())
    )
    in_convecpe = _index((text, name) for name, dialogue in texts.items() for text in dict.fromkeys(dialogue.sentences))
    held: dict[str, str] = {}
    standing_in: dict[str, str] = {}
    for suspect in suspects:
        dialogue = texts[suspect]
        far = [position for position in dialogue.differing if not dialogue.is_near(position)]
        sentences = [dialogue.sentences[position] for position in far]
        ids = [dialogue.utterance_ids[position] for position in far]
        lines = [dialogue.lines[name] for name in ids if name in dialogue.lines]
        stay = set(range(len(dialogue.sentences))).difference(far)
        staying = [dialogue.sentences[position] for position in stay]
        for wanted, index, found in ((sentences, in_transcripts, standing_in), (lines, in_convecpe, held)):
            other = _most_frequent_place(wanted, index, suspect, staying)
            if other is not None:
                found[suspect] = other
    return Elsewhere(held, standing_in)


def foreign_files(missing: Mapping[str, Sequence[str]], files: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Finds utterances that are missing in the file of their dialogue in the file of another.

    Args:
        missing: Ids of the missing utterances by dialogue.
        files: Ids of the utterances in each dialogue's file.

    Returns:
        By dialogue the one whose file has most of its missing utterances; dialogues of whose utterances no file has
        most are absent.
    """
    if not missing:
        return {}
    index = _index((utterance_id, name) for name, ids in files.items() for utterance_id in ids)
    places = {name: _most_frequent_place(ids, index, name) for name, ids in missing.items()}
    return {name: place for name, place in places.items() if place is not None}


def _index(entries: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Lists the places of each text; one more than :data:`MOST_PLACES` at most."""
    index: dict[str, list[str]] = {}
    for text, place in entries:
        places = index.setdefault(text, [])
        if len(places) <= MOST_PLACES:
            places.append(place)
    index.pop("", None)
    return index


def _most_frequent_place(
    wanted: Sequence[str], index: Mapping[str, Sequence[str]], own: str, others: Sequence[str] = ()
) -> str | None:
    """Finds the place of most texts; ``others`` stand at their own place, and count against it."""
    votes: Counter[str] = Counter()
    telling = sum(bool(text) and len(index.get(text, ())) <= MOST_PLACES for text in others)
    for text in wanted:
        found = index.get(text, [])
        telling += bool(text) and len(found) <= MOST_PLACES
        if len(found) <= MOST_PLACES:
            votes.update(place for place in dict.fromkeys(found) if place != own)
    return _most(votes, telling)


def _most(votes: Counter[_Place], total: int, share: float = 0.5) -> _Place | None:
    """Returns what more than a share of all voted for, and two at least."""
    if not votes:
        return None
    place, count = votes.most_common(1)[0]
    return place if count >= _FEWEST and count > share * total else None
