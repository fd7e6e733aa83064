"""The dialogues of a corpus as every export writes them: with the peer's ids and emotions, and texts rewritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from iemomecp_dataset.benchmark.peers.exports.texts import one_line
from iemomecp_dataset.benchmark.peers.positives import exported_pairs
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError

__all__ = ["NO_TIME", "PeerDialogue", "PeerUtterance", "integer_ids", "peer_dialogues", "speakers"]

NO_TIME = "-"
_SIZES = ("dialogues", "utterances", "positive pairs", "positive pairs with a later cause")


@dataclass(frozen=True)
class PeerUtterance:
    """One utterance as a peer reads it.

    Attributes:
        key: ``dia<id of the export>utt<turn>``, the key of its features.
        utterance_id: Its id in our rows, or None.
        speaker: Its speaker, on one line.
        emotion: The peer's name of its emotion.
        text: Its text, on one line.
        time: ``episode: start - end``; ``-`` where the corpus has no times.
        video: Name of its clip; ``<utterance_id>.mp4`` where the corpus names none.
    """

    key: str
    utterance_id: str | None
    speaker: str
    emotion: str
    text: str
    time: str
    video: str


@dataclass(frozen=True)
class PeerDialogue:
    """One dialogue as a peer reads it.

    Attributes:
        peer_id: Its id in the peer's files.
        row: The row of ours.
        pairs: ``(target_turn, cause_turn)`` of the exported class.
        utterances: Its utterances in order.
    """

    peer_id: str
    row: Mapping[str, Any]
    pairs: tuple[tuple[int, int], ...]
    utterances: tuple[PeerUtterance, ...]

    @property
    def dialogue_id(self) -> str:
        """Its id in our rows."""
        return str(self.row["dialogue_id"])


def integer_ids(corpus: Corpus) -> dict[str, list[str]]:
    """Numbers the dialogues, for peers that need integers.

    Args:
        corpus: The corpus.

    Returns:
        By split the ids in order: the corpus's own where all are positive integers and none occurs twice, as in ECF;
        else 1 to n over all splits.
    """
    own = {split: [str(row["dialogue_id"]) for row in rows] for split, rows in corpus.rows.items()}
    flat = [name for names in own.values() for name in names]
    if len(set(flat)) == len(flat) and all(name.isascii() and name.isdecimal() and name[0] != "0" for name in flat):
        return own
    numbers = iter(range(1, len(flat) + 1))
    return {split: [str(next(numbers)) for _ in names] for split, names in own.items()}


def peer_dialogues(
    corpus: Corpus,
    *,
    peer: str,
    positive: str,
    emotions: Mapping[str, str],
    ids: Mapping[str, Sequence[str]],
    words: Callable[[str, Counter[str]], str] = lambda text, _: text,
    layout: Literal["lines", "json"] = "lines",
) -> tuple[dict[str, list[PeerDialogue]], dict[str, Counter[str]]]:
    """Rewrites the dialogues of a corpus.

    Args:
        corpus: The corpus.
        peer: Name of the peer, for errors.
        positive: The class whose pairs are exported.
        emotions: The peer's name of every emotion.
        ids: The peer's id of every dialogue, by split.
        words: Separates the words of a text, and counts what it changes.
        layout: ``lines`` of fields, whose texts and speakers are rewritten to fit, or ``json``, which can hold any.

    Returns:
        By split the dialogues, and how many there are of each kind of rewriting.

    Raises:
        InvalidDataError: An utterance has no emotion that is known.
    """
    dialogues: dict[str, list[PeerDialogue]] = {}
    counts: dict[str, Counter[str]] = {}
    for split, rows in corpus.rows.items():
        counted = counts[split] = Counter(dict.fromkeys(_SIZES, 0))
        dialogues[split] = []
        for peer_id, row in zip(ids[split], rows, strict=True):
            dialogue_id = str(row["dialogue_id"])
            pairs = exported_pairs(row, positive)
            utterances = []
            for place, utterance in enumerate(row["utterances"]):
                where = f"{split}, dialogue {dialogue_id!r}, turn {utterance['turn']}"
                name = _emotion(utterance["emotion"], corpus.emotion_names, peer, where)
                counted["emotions under another name"] += emotions[name] != name
                key = f"dia{peer_id}utt{utterance['turn']}"
                speaker, text = utterance["speaker"], utterance["text"]
                if layout == "lines":
                    speaker = one_line(speaker, counted, "speakers")
                    text = words(one_line(text, counted), counted)
                utterances.append(
                    PeerUtterance(
                        key=key,
                        utterance_id=utterance["utterance_id"],
                        speaker=speaker or "",
                        emotion=emotions[name],
                        text=text or "",
                        time=_time(row, place),
                        video=PurePosixPath(utterance.get("video") or f"{utterance['utterance_id'] or key}.mp4").name,
                    )
                )
            counted["dialogues"] += 1
            counted["dialogues under another id"] += peer_id != dialogue_id
            counted["utterances"] += len(utterances)
            counted["positive pairs"] += len(pairs)
            counted["positive pairs with a later cause"] += sum(cause > target for target, cause in pairs)
            dialogues[split].append(PeerDialogue(peer_id, row, tuple(pairs), tuple(utterances)))
    return dialogues, counts


def speakers(dialogues: Iterable[PeerDialogue]) -> set[str]:
    """Collects the distinct speakers of dialogues."""
    return {utterance.speaker for dialogue in dialogues for utterance in dialogue.utterances}


def _emotion(emotion: int | None, names: Sequence[str], peer: str, where: str) -> str:
    if emotion is None or not 0 <= emotion < len(names):
        raise InvalidDataError(
            f"{where}: the emotion is not known ({emotion}), and {peer} needs one for every utterance. Export a corpus "
            "whose utterances are all labelled."
        )
    return names[emotion]


def _time(row: Mapping[str, Any], place: int) -> str:
    """The fifth field of ECF's lines, as the file has it where the row keeps that."""
    utterance = row["utterances"][place]
    listed = (row.get("listed_times") or [])[place : place + 1]
    start, end = utterance.get("start"), utterance.get("end")
    if listed and listed[0]:
        time = str(listed[0])
    elif start is None or end is None:
        return NO_TIME
    else:
        time = f"{_clock(start)} - {_clock(end)}"
    return one_line(f"{row.get('episode') or row['dialogue_id']}: {time}", Counter())


def _clock(seconds: float) -> str:
    # Rounded first: 59.9996 s are a minute.
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest / 1000:06.3f}"
