"""Reads ``test_result_<seed>.txt`` of M3HG: a block of emotion ids and a block of pairs, one line per dialogue.

Neither block names dialogues: line ``k`` is of the ``k``-th dialogue of the test file, so that only the manifest says
which. Lines may begin with their number. M3HG writes no scores and nothing of validation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.peers.exports.m3hg import WINDOW
from iemomecp_dataset.benchmark.peers.imports.outputs import (
    DROPPED,
    OUTSIDE_WINDOW,
    SCORED,
    DialogueOutput,
    PeerOutput,
    our_emotions,
    pair_matrix,
)
from iemomecp_dataset.benchmark.peers.manifest import Manifest, ManifestDialogue
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.files import read_lines, read_text

__all__ = ["M3HG_EMOTIONS", "read_m3hg_output", "seed_of_file"]

M3HG_EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""M3HG's emotions, numbered from 1, in lower case."""

_NEUTRAL = len(M3HG_EMOTIONS)
_COMPARABLE = ("ecf", "mecad")
"""Configurations whose emotions mean the same in M3HG."""

_FILE = re.compile(r"test_result_([0-9]+)")
_PAIR = re.compile(r"\(\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*\)")
_NUMBER = re.compile(r"\s*([0-9]{1,9})\s*(?:[:.)\t]\s*|(?=[\[(])|$)")
# At most six digits: no dialogue and no emotion has a larger number, and int() refuses those of thousands of digits.
_EMOTION_LINE = re.compile(r"[\s\[\]():,.]*+(?:[0-9]{1,6}(?![0-9])[\s\[\]():,.]*+)++")
_AROUND_PAIRS = re.compile(r"[\s\[\]{},;]*")


def seed_of_file(path: Path) -> int | None:
    """Reads the seed from the name of a file.

    Example:
        >>> seed_of_file(Path("out/MECAD_bert/test_result_42.txt")), seed_of_file(Path("out/mine.txt"))
        (42, None)
    """
    match = _FILE.fullmatch(path.stem)
    return None if match is None else int(match[1])


def read_m3hg_output(path: Path, manifest: Manifest, *, window: int = WINDOW) -> PeerOutput:
    """Reads the predictions on test.

    Args:
        path: ``test_result_<seed>.txt``.
        manifest: The manifest of the export that M3HG was started on.
        window: Most turns between target and cause that it decides on (``rel_pos_k`` of its configuration).

    Returns:
        Its decisions, with the emotions of all turns where they are comparable.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It has another number of dialogues or turns, or pairs that cannot be.
        UsageError: The manifest has no test split.
    """
    expected = manifest.splits.get("test")
    if not expected:
        raise UsageError(f"{path}: M3HG predicts on test alone, which the manifest does not have. Export with test.")
    lines = read_lines(path)
    emotion_lines, pair_lines = _blocks(path, lines, len(expected), read_text(path).endswith("\n") and not lines[-1])
    names = our_emotions(manifest, _COMPARABLE)
    dialogues = []
    for emotion_line, pair_line, dialogue in zip(emotion_lines, pair_lines, expected, strict=True):
        where = f"{path}, dialogue {dialogue.peer_id}"
        ids = _emotion_ids(emotion_line, dialogue, where)
        decided = pair_matrix(_pairs(pair_line, where), dialogue.n_turns, where)
        targets, causes = np.indices(decided.shape)
        outside = np.abs(targets - causes) > window
        if (decided & outside).any():
            target, cause = (int(turn) + 1 for turn in np.argwhere(decided & outside)[0])
            raise InvalidDataError(
                f"{where}: the pair ({target}, {cause}) is {abs(target - cause)} turns apart, but M3HG is said to "
                f"decide on pairs at most {window} apart. Give its setting rel_pos_k with --m3hg-window."
            )
        neutral = np.repeat((ids == _NEUTRAL)[:, None], dialogue.n_turns, axis=1)
        if (decided & neutral).any():
            target, cause = (int(turn) + 1 for turn in np.argwhere(decided & neutral)[0])
            raise InvalidDataError(
                f"{where}: the pair ({target}, {cause}) is predicted although turn {target} is neutral, and M3HG drops "
                "targets that it takes for neutral. Is it the file of another export, or were ids or lines changed?"
            )
        reasons = np.where(outside, OUTSIDE_WINDOW, np.where(neutral & ~decided, DROPPED, SCORED)).astype(np.int64)
        emotions = tuple(names[M3HG_EMOTIONS[number - 1]] for number in ids.tolist()) if names else None
        dialogues.append(DialogueOutput(dialogue.dialogue_id, decided, reasons, emotions=emotions))
    return PeerOutput(
        path=path,
        split="test",
        dialogues=tuple(dialogues),
        epoch_chosen_on="validation",
    )


def _blocks(path: Path, lines: Sequence[str], n_dialogues: int, ends_with_newline: bool) -> tuple[list[str], list[str]]:
    """Parts the lines into emotions and pairs, one of each per dialogue, without headings and numbers of lines."""
    lines = [line.strip() for line in lines if not re.search(r"[A-Za-z]", line)]
    places = [place for place, line in enumerate(lines) if line and "(" not in line and _EMOTION_LINE.fullmatch(line)]
    first_pair = next((place for place, line in enumerate(lines) if "(" in line), len(lines))
    emotion_places = [place for place in places if place < first_pair][:n_dialogues]
    pairs = lines[emotion_places[-1] + 1 :] if emotion_places else []
    given = [line for line in pairs if line]
    if len(given) < n_dialogues:  # an empty line is a dialogue without a pair, but for one that parts the blocks
        # A text file ends its last line with a newline, too.
        if pairs and not pairs[-1] and ends_with_newline:
            pairs = pairs[:-1]
        if len(pairs) == n_dialogues + 1 and not pairs[0]:
            pairs = pairs[1:]
        given = list(pairs)
    if len(emotion_places) != n_dialogues or len(given) != n_dialogues:
        raise InvalidDataError(
            f"{path}: it has {len(emotion_places)} lines of emotions and {len(given)} lines of pairs, and "
            f"{n_dialogues} dialogues of test were exported, each with one line of both. Give the file of an M3HG that "
            "was started on that export."
        )
    emotions = [lines[place] for place in emotion_places]
    # Only a line of pairs tells whether lines are numbered: an emotion is a number itself.
    if any(line[:1].isdecimal() for line in given):
        return _without_numbers(path, emotions), _without_numbers(path, given)
    return emotions, given


def _without_numbers(path: Path, lines: list[str]) -> list[str]:
    """Takes off the numbers of lines, which must be those of their places, from 0 or from 1."""
    bare = []
    first = None
    for place, line in enumerate(lines):
        match = _NUMBER.match(line) or re.match(r"\s*([0-9]{1,9})\s+", line)
        number = None if match is None else int(match[1])
        first = number if first is None else first
        if match is None or first not in (0, 1) or number != first + place:
            raise InvalidDataError(
                f"{path}: line {line[:40]!r} does not have the number {place + (first or 0)} of its place; dialogues "
                "are told by place alone. Give the file as M3HG wrote it."
            )
        bare.append(line[match.end() :])
    return bare


def _emotion_ids(line: str, dialogue: ManifestDialogue, where: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ids = np.array([int(number) for number in re.findall(r"[0-9]+", line)], dtype=np.int64)
    if len(ids) < dialogue.n_turns:
        raise InvalidDataError(
            f"{where}: {len(ids)} emotions for {dialogue.n_turns} turns. Give the file of an M3HG that was started on "
            "that export."
        )
    ids = ids[: dialogue.n_turns]  # padded to the longest dialogue of its batch
    strange = np.flatnonzero((ids < 1) | (ids > _NEUTRAL))
    if len(strange):
        raise InvalidDataError(
            f"{where}, turn {int(strange[0]) + 1}: there is no emotion {int(ids[strange[0]])}; M3HG numbers them 1 to "
            f"{_NEUTRAL}, and only what follows the last turn is filled up. Is it the file of another export?"
        )
    return ids


def _pairs(line: str, where: str) -> list[tuple[int, int]]:
    if not _AROUND_PAIRS.fullmatch(_PAIR.sub("", line)):
        raise InvalidDataError(f"{where}: {line[:60]!r} is not a list of pairs (target, cause).")
    return [(int(match[1]), int(match[2])) for match in _PAIR.finditer(line)]
