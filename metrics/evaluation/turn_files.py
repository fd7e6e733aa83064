"""What files with one entry per turn share, be it an emotion or an explanation: split, order, checks and remarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, pair_options_given
from iemomecp_dataset.metrics.evaluation.gold import dialogues_by_split
from iemomecp_dataset.metrics.evaluation.results import FileComparison
from iemomecp_dataset.metrics.evaluation.structural_rows import StructuralRows

__all__ = [
    "TurnFileEvaluation",
    "TurnGold",
    "aligned_turns",
    "check_request",
    "general_notes",
    "origin_of_gold",
    "scored_split",
]

_SHOWN = 5
"""So many missing or unknown entries are named in a message."""

Evaluation = TypeVar("Evaluation", covariant=True)
Predicted = TypeVar("Predicted", covariant=True)
Gold = TypeVar("Gold", covariant=True)


@dataclass(frozen=True)
class TurnFileEvaluation(Generic[Evaluation, Predicted, Gold]):
    """Scores of a file, of a second one, and the paired tests.

    Attributes:
        evaluations: One, or two.
        comparison: First minus second, where there are two; or minus a structural row that was asked for.
        first: The first file in the order of the gold, with its gold.
        gold: The gold data; ``None``: the file's own column.
        structural: The structural rows beside the first file, where they were computed.
    """

    evaluations: tuple[Evaluation, ...]
    comparison: FileComparison | None
    first: Predicted
    gold: Gold | None
    structural: StructuralRows | None = None


class _Facts(Protocol):
    @property
    def config_name(self) -> str | None: ...
    @property
    def split(self) -> str | None: ...
    @property
    def text_fingerprint(self) -> str | None: ...


class _File(Protocol):
    @property
    def path(self) -> Path: ...
    @property
    def facts(self) -> _Facts: ...


@dataclass(frozen=True, kw_only=True)
class TurnGold:
    """What is known of the split that files of any task are scored against.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        text_fingerprint: Fingerprint of its texts.
        synthetic: Whether a program made the data.
        loaded: The corpus with all its splits, where it was loaded for this.
    """

    corpus: str
    config_name: str
    split: str
    text_fingerprint: str
    synthetic: bool
    loaded: Corpus | None = field(default=None, repr=False, compare=False)


def scored_split(
    predictions: _File,
    *,
    config_name: str | None = None,
    split: str | None = None,
    data_dir: Path | None = None,
    dialogues: Iterable[str] = (),
) -> tuple[str, str]:
    """Finds out which data a file is scored against.

    Args:
        predictions: The file.
        config_name: Configuration; ``None``: what the file states.
        split: Split; ``None``: what the file states, else the one split of ``data_dir`` that has all its dialogues.
        data_dir: Folder of the data, where its splits are looked through.
        dialogues: The dialogues of the file.

    Returns:
        Configuration and split.

    Raises:
        UsageError: They are not known.
    """
    config, chosen = config_name or predictions.facts.config_name, split or predictions.facts.split
    if config is None:
        raise UsageError(f"{predictions.path} does not state its configuration: add --config-name.")
    if chosen is None and data_dir is not None and (ids := set(dialogues)):
        fitting = [name for name, of_split in dialogues_by_split(config, data_dir).items() if ids <= of_split]
        chosen = fitting[0] if len(fitting) == 1 else None
    if chosen is None:
        raise UsageError(f"{predictions.path} does not state its split: add --split (train, validation or test).")
    return config, chosen


def aligned_turns(
    whose: str,
    found: Sequence[tuple[str, int]],
    wanted: Sequence[tuple[str, int]],
    of: str,
    *,
    entry: str = "utterance",
    turn: str = "turn",
    remedy: str = "Predict every utterance once",
) -> NDArray[np.intp]:
    """Finds the positions that bring the entries of a file into the order of the gold.

    Args:
        whose: Name of the file for the message.
        found: Dialogue and turn of its n entries, each of them once.
        wanted: Those that must be there, each of them once.
        of: What the wanted ones are, for the message.
        entry: What an entry is called in the message.
        turn: What its turn is called.
        remedy: What to do, the beginning of a sentence.

    Returns:
        ``(n,)`` positions ``order``, so that entry ``order[i]`` of the found is entry ``i`` of the wanted.

    Raises:
        InvalidDataError: Entries are missing or unknown; both are counted, the first ones named.

    Example:
        >>> aligned_turns("theirs.csv", [("d", 2), ("d", 1)], [("d", 1), ("d", 2)], "ecf, test").tolist()
        [1, 0]
    """
    place = {key: i for i, key in enumerate(found)}
    known = set(wanted)
    missing = [key for key in wanted if key not in place]
    unknown = [key for key in found if key not in known]
    problems = [
        f"{len(these)} {entry}{'s' * (len(these) > 1)} {what}: {_named(these, turn)}"
        for what, these in (("missing", missing), ("not in the data", unknown))
        if these
    ]
    if problems:
        raise InvalidDataError(
            f"{whose}: its {len(found)} {entry}s are not the {len(wanted)} of {of}, each exactly once: "
            f"{'; '.join(problems)}. {remedy}, or check that corpus and split are the same."
        )
    return np.array([place[key] for key in wanted], dtype=np.intp)


def check_request(request: FileEvaluationRequest, does: str, lists: str, is_one: Callable[[Path], bool]) -> None:
    """Refuses options of pair scores, and a second file of another kind.

    Args:
        request: What to score.
        does: What the file does, such as ``explains emotions``.
        lists: The same with what it does not, for options of pairs.
        is_one: Whether a file is of this kind.

    Raises:
        UsageError: Such an option or file is given.
    """
    given = pair_options_given(request)
    if given:
        raise UsageError(f"{request.predictions} {lists}; leave {' and '.join(given)} out.")
    if request.other_run_name is not None and request.other is None:
        raise UsageError("A second run name was given without a second file: add --compare.")
    if request.other is not None and request.other.is_file() and not is_one(request.other):
        raise UsageError(f"{request.predictions} {does} and {request.other} does not; they cannot be paired.")


def origin_of_gold(gold: TurnGold | None) -> str:
    """Where the gold is from, in words."""
    return "the file's own column" if gold is None else f"{gold.config_name}, {gold.split}"


def general_notes(
    predictions: _File, gold: TurnGold | None, *, entries: str, oracle: bool, n_units: int, n_resamples: int
) -> list[str]:
    """Remarks that do not depend on what is predicted.

    Args:
        predictions: The file.
        gold: The gold data; ``None``: the file's own column.
        entries: What the entries are called.
        oracle: Whether something was chosen on the scored split.
        n_units: Dialogues that are resampled.
        n_resamples: Resamples that are asked for.
    """
    notes = []
    stated = predictions.facts.text_fingerprint
    if gold is not None and stated is not None and stated != gold.text_fingerprint:
        notes.append(
            f"The file was made on texts with fingerprint {stated}; the gold here has {gold.text_fingerprint}. The "
            f"{entries} are the same; what was said or by whom is not."
        )
    if oracle:
        notes.append("The epoch was chosen on the very split that is scored: an upper bound, not a result.")
    if n_resamples and n_units < 2:
        notes.append("One dialogue alone cannot be resampled; there are no intervals.")
    return notes


def _named(keys: Sequence[tuple[str, int]], turn: str) -> str:
    shown = ", ".join(f"(dialogue {dialogue}, {turn} {number})" for dialogue, number in keys[:_SHOWN])
    return shown + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
