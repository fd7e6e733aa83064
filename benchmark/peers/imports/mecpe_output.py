"""Reads ``run<k>_dev.txt`` and ``run<k>_test.txt`` of MECPE-2step, as its second step leaves them.

Per dialogue: the header ``id turns``, a line with the gold pairs, a line with the predicted pairs (empty without any),
and a line per turn: number, emotion decision, cause decision, speaker, emotion and text, separated by `` | ``. Step 2
decides on the pairs of an utterance that step 1 takes for emotional and one that it takes for a cause, and no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.peers.imports.outputs import (
    FUTURE,
    NOT_PROPOSED,
    SCORED,
    DialogueOutput,
    PeerOutput,
    check_dialogues,
    our_emotions,
    pair_matrix,
)
from iemomecp_dataset.benchmark.peers.manifest import Manifest, ManifestDialogue
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.files import read_lines
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS, canonical_split

__all__ = ["has_categories", "read_mecpe_output"]

_FILE = re.compile(r"run[0-9]+_(train|dev|test)")
_HEADER = re.compile(r"\s*(\S+)\s+([0-9]{1,6})\s*")
_PAIR = re.compile(r"\(\s*([0-9]{1,6})\s*,\s*([0-9]{1,6})\s*\)")
_NEUTRAL = ("0", "neutral", "null")
_FIELDS = 6
_COMPARABLE = ("ecf", "mecad")
"""Configurations whose emotions mean the same in MECPE's slots."""

_CATEGORIES = "emocate"


def has_categories(path: Path) -> bool:
    """Tells whether a file is of MECPE's category mode, by the name of its scope.

    Args:
        path: The file, ``log/<scope>/step2_pair/run<k>_test.txt``.

    Example:
        >>> has_categories(Path("log/mine_emocate/step2_pair/run1_test.txt")), has_categories(Path("run1_test.txt"))
        (True, False)
    """
    return _CATEGORIES in path.parent.parent.name


def read_mecpe_output(
    path: Path,
    manifest: Manifest,
    gold: Mapping[str, Mapping[str, frozenset[tuple[int, int]]]],
    *,
    past: bool = False,
    categories: bool = False,
) -> PeerOutput:
    """Reads the predictions on validation or test.

    Args:
        path: ``run<k>_dev.txt`` or ``run<k>_test.txt``.
        manifest: The manifest of the export that MECPE was started on.
        gold: By split and dialogue the pairs that were exported as positives.
        past: Whether step 2 left out causes after their target (``pred_future_cause=0``).
        categories: Whether step 1 recognises categories of emotions, which are then imported where they are comparable.

    Returns:
        Its decisions.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It breaks the format, is of other dialogues or other gold, or predicts pairs that step 2 did
            not decide on.
        UsageError: It is of train, or its name does not tell the split.
    """
    match = _FILE.fullmatch(path.stem)
    if match is None:
        raise UsageError(f"{path}: the name of MECPE's files tells their split: run<k>_dev.txt or run<k>_test.txt.")
    split = canonical_split(match[1])
    if split == "train":
        raise UsageError(f"{path}: it is of train. Runs are scored on validation and test; give run<k>_dev.txt and "
                         "run<k>_test.txt.")  # fmt: skip
    expected = manifest.splits.get(split, ())
    reader = _Reader(path, read_lines(path))
    names = our_emotions(manifest, _COMPARABLE) if categories else {}
    wanted = {dialogue.peer_id: dialogue for dialogue in expected}
    found: dict[str, DialogueOutput] = {}
    ids = []
    while (header := reader.header()) is not None:
        peer_id, n_turns = header
        ids.append(peer_id)
        listed, predicted = reader.pairs(), reader.pairs()
        turns = [reader.turn(number) for number in range(1, n_turns + 1)]
        if peer_id in wanted:
            dialogue = wanted[peer_id]
            _check_header(path, dialogue, n_turns, listed, gold[split].get(dialogue.dialogue_id, frozenset()))
            found[peer_id] = _dialogue(f"{path}, dialogue {peer_id}", dialogue, predicted, turns, names, past)
    check_dialogues(path, ids, expected, split)
    named = {emotion for dialogue in found.values() for emotion in dialogue.emotions or ()}
    if names and len(names) > 2 and len({*named} - {"", *NEUTRAL_EMOTIONS}) == 1:
        raise UsageError(
            f"{path}: every emotional utterance has the same emotion, as step 1 writes it without the category mode. "
            "Give --no-mecpe-categories, so that no emotions are imported."
        )
    return PeerOutput(path, split, tuple(found[dialogue.peer_id] for dialogue in expected))


def _check_header(
    path: Path,
    dialogue: ManifestDialogue,
    n_turns: int,
    listed: list[tuple[int, int]],
    gold: frozenset[tuple[int, int]],
) -> None:
    where = f"{path}, dialogue {dialogue.peer_id}"
    if n_turns != dialogue.n_turns:
        raise InvalidDataError(f"{where}: {n_turns} turns, and {dialogue.n_turns} were exported. Give the output of a "
                               "MECPE that was started on that export.")  # fmt: skip
    pair_matrix(listed, n_turns, f"{where}, gold pairs")
    if set(listed) != gold:
        lacking, more = sorted(gold - set(listed)), sorted(set(listed) - gold)
        raise InvalidDataError(
            f"{where}: its gold pairs are not those that were exported: {len(lacking)} are missing "
            f"({', '.join(map(str, lacking[:5])) or 'none'}) and {len(more)} are others "
            f"({', '.join(map(str, more[:5])) or 'none'}). It was started on another export."
        )


def _dialogue(
    where: str,
    dialogue: ManifestDialogue,
    predicted: list[tuple[int, int]],
    turns: list[tuple[str, str]],
    names: Mapping[str, str],
    past: bool,
) -> DialogueOutput:
    decided = pair_matrix(predicted, dialogue.n_turns, where)
    emotional = np.array([_is_emotional(emotion, f"{where}, turn {i}") for i, (emotion, _) in enumerate(turns, 1)])
    causes = np.array([_is_cause(cause, f"{where}, turn {i}") for i, (_, cause) in enumerate(turns, 1)])
    proposed = emotional[:, None] & causes[None, :]
    target_of, cause_of = np.indices(decided.shape)
    future = np.greater(cause_of, target_of) & np.bool_(past)
    reasons = np.where(future, FUTURE, np.where(proposed, SCORED, NOT_PROPOSED)).astype(np.int64)
    strange = np.argwhere(decided & (reasons != SCORED))
    if len(strange):
        target, cause = (int(turn) + 1 for turn in strange[0])
        why = (
            "its cause is after its target, and --mecpe-past states that step 2 left these out"
            if future[target - 1, cause - 1]
            else "step 1 does not take its target for emotional and its cause for a cause"
        )
        raise InvalidDataError(f"{where}: the pair ({target}, {cause}) is predicted, but {why}.")
    emotions = None
    if names:
        emotions = tuple(_emotion(text, names, f"{where}, turn {i}") for i, (text, _) in enumerate(turns, 1))
    return DialogueOutput(dialogue.dialogue_id, decided, reasons, emotions=emotions)


def _is_emotional(text: str, where: str) -> bool:
    if not (text.isdecimal() or text.isalpha()):
        raise InvalidDataError(f"{where}: {text[:40]!r} is no decision on its emotion; expected a number or a name.")
    return text.lower() not in _NEUTRAL


def _is_cause(text: str, where: str) -> bool:
    if text not in ("0", "1"):
        raise InvalidDataError(f"{where}: {text[:40]!r} is no decision on whether it is a cause; expected 0 or 1.")
    return text == "1"


def _emotion(text: str, names: Mapping[str, str], where: str) -> str:
    name = "neutral" if text.lower() in _NEUTRAL else text.lower()
    if name not in names:
        raise InvalidDataError(
            f"{where}: there is no emotion {text[:40]!r} in the export, which has {', '.join(names)}. Without the "
            "category mode MECPE recognises no emotions: leave --mecpe-categories out."
        )
    return names[name]


class _Reader:
    """Reads the lines of a file one after another."""

    def __init__(self, path: Path, lines: list[str]) -> None:
        self._path = path
        self._lines = lines
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        self._next = 0

    def header(self) -> tuple[str, int] | None:
        """Id and number of turns of the next dialogue; None at the end."""
        if self._next >= len(self._lines):
            return None
        line = self._line("the header of a dialogue")
        match = _HEADER.fullmatch(line)
        if match is None:
            raise self._error(f"expected the header of a dialogue, its id and its number of turns, found {line[:60]!r}")
        return match[1], int(match[2])

    def pairs(self) -> list[tuple[int, int]]:
        """A line with a list of pairs."""
        line = self._line("a list of pairs")
        if _PAIR.sub("", line).strip(" ,;[]\t"):
            raise self._error(f"expected a list of pairs (target, cause) or an empty line, found {line[:60]!r}")
        return [(int(match[1]), int(match[2])) for match in _PAIR.finditer(line)]

    def turn(self, number: int) -> tuple[str, str]:
        """Emotion and cause decision of a turn."""
        line = self._line(f"turn {number}")
        fields = [part.strip() for part in line.split("|", _FIELDS - 1)]
        if len(fields) != _FIELDS or fields[0] != str(number):
            raise self._error(
                f"expected turn {number} as number | emotion decision | cause decision | speaker | emotion | text, "
                f"found {line[:60]!r}"
            )
        return fields[1], fields[2]

    def _line(self, what: str) -> str:
        if self._next >= len(self._lines):
            raise InvalidDataError(f"{self._path}: it ends where {what} should be. Was MECPE interrupted?")
        self._next += 1
        return self._lines[self._next - 1]

    def _error(self, problem: str) -> InvalidDataError:
        return InvalidDataError(f"{self._path}, line {self._next}: {problem}. Give the file as MECPE wrote it.")
