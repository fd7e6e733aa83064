"""Predicted emotions of target utterances: compared with those of the corpus, and given to every candidate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import emotion_aliases
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.metrics.evaluation.free_pairs import corpus_emotion, is_understood
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.pair_table import PairKeys

__all__ = ["check_emotions", "corpus_emotions", "emotions_of_targets"]


def check_emotions(pairs: PairKeys, emotions: NDArray[np.str_], names: Sequence[str]) -> None:
    """Checks emotions before they are written.

    Args:
        pairs: ``n`` pairs.
        emotions: ``(n,)`` str, the emotion of each pair's target, empty where there is none.
        names: The emotions of the corpus.

    Raises:
        UsageError: There is not one per pair, one is none of the corpus, or a target has several.

    Example:
        >>> pairs = PairKeys(np.array(["d"] * 2), np.array(["d"] * 2), np.array([1, 1]), np.array([1, 2]))
        >>> check_emotions(pairs, np.array(["joy", "fear"]), ["joy", "fear"])
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: Target 1 of dialogue d has the emotions 'joy' and 'fear'; each has one.
    """
    if emotions.shape != pairs.target_turns.shape:
        raise UsageError(f"{len(pairs)} pairs need one emotion each; found shape {emotions.shape}.")
    unknown = np.flatnonzero(~np.isin(emotions, [*names, ""]))
    if len(unknown):
        found = str(emotions[unknown[0]])
        raise UsageError(f"The emotion {found!r} is none of the corpus. {did_you_mean(found, names)}")
    first: dict[tuple[str, int], str] = {}
    columns = (pairs.dialogue_ids.tolist(), pairs.target_turns.tolist(), emotions.tolist())
    for dialogue, turn, name in zip(*columns, strict=True):
        if name and first.setdefault((dialogue, turn), name) != name:
            raise UsageError(
                f"Target {turn} of dialogue {dialogue} has the emotions {first[dialogue, turn]!r} and {name!r}; each "
                "has one."
            )


def corpus_emotions(
    predictions: CandidatePredictions,
    gold: GoldSplit | None,
    options: EvaluationOptions,
    notes: list[str],
) -> NDArray[np.str_] | None:
    """Checks the emotions of a file against those of the corpus; aliases are read only leniently.

    Args:
        predictions: The file.
        gold: The gold, which has the corpus's emotions.
        options: How to read.
        notes: Receives what was overlooked, counted by kind.

    Returns:
        ``(m,)`` str, the emotions in the corpus's own words; None where the file has none.

    Raises:
        InvalidDataError: An emotion is none of the corpus.
    """
    given = predictions.emotions
    names = () if gold is None else gold.emotion_names or tuple(sorted(set(gold.emotions.values())))
    if given is None or not names:
        return given
    unknown = [name for name in dict.fromkeys(given.tolist()) if name and name not in names]
    if not unknown:
        return given
    aliases = emotion_aliases(names)
    if options.reading == "strict":
        rows = int(np.isin(given, unknown).sum())
        known = int(np.isin(given, [name for name in unknown if is_understood(name, aliases)]).sum())
        raise InvalidDataError(
            f"{predictions.path}: the emotion {unknown[0]!r} is none of the corpus. {did_you_mean(unknown[0], names)} "
            f"{rows} such rows, of which {known} are understood by reading leniently (--read leniently)."
        )
    read = {name: corpus_emotion(name, aliases) for name in unknown}
    for kind in dict.fromkeys(kind for _, kinds in read.values() for kind in kinds):
        of_kind = [name for name, (_, kinds) in read.items() if kind in kinds]
        notes.append(f"Read leniently: {kind} {int(np.isin(given, of_kind).sum())}.")
    return np.array([read[name][0] if name in read else name for name in given.tolist()], dtype=np.str_)


def emotions_of_targets(rows: PairKeys, emotions: NDArray[np.str_], pairs: PairKeys) -> NDArray[np.str_]:
    """Gives every candidate the emotion that the file has for its target.

    Args:
        rows: The pairs of the file.
        emotions: ``(m,)`` str, their emotions, empty where there is none.
        pairs: The ``n`` candidates.

    Returns:
        ``(n,)`` str, empty where the file has none.

    Example:
        >>> rows = PairKeys(np.array(["d"]), np.array(["d"]), np.array([2]), np.array([1]))
        >>> pairs = PairKeys(np.array(["d"] * 2), np.array(["d"] * 2), np.array([1, 2]), np.array([2, 2]))
        >>> emotions_of_targets(rows, np.array(["joy"]), pairs).tolist()
        ['', 'joy']
    """
    columns = (rows.dialogue_ids.tolist(), rows.target_turns.tolist(), emotions.tolist())
    of_target = {(dialogue, turn): name for dialogue, turn, name in zip(*columns, strict=True) if name}
    targets = zip(pairs.dialogue_ids.tolist(), pairs.target_turns.tolist(), strict=True)
    return np.array([of_target.get(target, "") for target in targets], dtype=np.str_)
