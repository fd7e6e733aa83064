"""Finds where texts that differ between two sources stand instead: another line of the dialogue, or another dialogue.

Every function is linear in the number of utterances: texts are compared by their letters and digits, through an index,
and texts that occur in more than :data:`MOST_PLACES` places take no part, since they tell nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["MOST_PLACES", "DialogueTexts", "cross_dialogue_places", "foreign_files", "letters", "order_in_dialogue"]

MOST_PLACES = 8
"""Places beyond which a text, such as "Yeah.", tells nothing about where it belongs."""

_Place = TypeVar("_Place", bound=Hashable)
_REGULAR = 0.6  # Of neighbours that are exchanged in pairs, half fit the line above, and half the line below.
_FEWEST = 2  # One text that fits elsewhere can be chance.


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
    for position in texts.differing:
        found = places.get(texts.sentences[position], [])
        telling += bool(texts.sentences[position]) and len(found) <= MOST_PLACES
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


def cross_dialogue_places(suspects: Iterable[str], texts: Mapping[str, DialogueTexts]) -> dict[str, str]:
    """Recognises texts that fit another dialogue.

    Args:
        suspects: Dialogues whose differing texts are looked for.
        texts: All dialogues.

    Returns:
        By suspect the dialogue that most of its differing texts fit; suspects whose texts fit none are absent.
    """
    in_transcripts = _index(
        (text, name) for name, dialogue in texts.items() for text in dict.fromkeys(dialogue.lines.values())
    )
    in_convecpe = _index((text, name) for name, dialogue in texts.items() for text in dict.fromkeys(dialogue.sentences))
    found: dict[str, str] = {}
    for suspect in suspects:
        dialogue = texts[suspect]
        sentences = [dialogue.sentences[position] for position in dialogue.differing]
        ids = [dialogue.utterance_ids[position] for position in dialogue.differing]
        lines = [dialogue.lines[name] for name in ids if name in dialogue.lines]
        for wanted, index in ((sentences, in_transcripts), (lines, in_convecpe)):
            other = _most_frequent_place(wanted, index, suspect)
            if other is not None:
                found.setdefault(suspect, other)
    return found


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


def _most_frequent_place(wanted: Sequence[str], index: Mapping[str, Sequence[str]], own: str) -> str | None:
    votes: Counter[str] = Counter()
    telling = 0
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
