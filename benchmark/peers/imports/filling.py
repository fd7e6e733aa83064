"""Fills the candidate list of a split with the decisions of a peer: every candidate once, and why some were not scored.

What a peer did not decide on is a non-pair. Two runs of the three-class task, of which one learned causes and the other
contexts, become one: cause where the first predicts a pair, else context where the second does, else non-pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.peers.imports.outputs import SCORED, UNSCORED, DialogueOutput, PeerOutput
from iemomecp_dataset.files import atomic_write
from iemomecp_dataset.metrics.evaluation.prediction_facts import PredictionFacts
from iemomecp_dataset.metrics.evaluation.prediction_types import CandidatePredictions
from iemomecp_dataset.pair_table import PairKeys, PairTable

__all__ = ["FilledSplit", "fill", "merge", "unscored_file", "write_unscored"]


@dataclass(frozen=True)
class FilledSplit:
    """A peer's decisions on the ``n`` candidates of a split, and on pairs that are no candidates after them.

    Attributes:
        output: What the peer left.
        pairs: ``m`` pairs: the ``n`` candidates in their order, then the pairs that the peer predicts, or gives a
            probability, beside them.
        n_candidates: ``n``.
        decisions: ``(m,)`` int64 class ids.
        probabilities: ``(m, C)`` float64, or ``None`` where the peer only decides.
        reasons: ``(n,)`` int64, why a candidate was not scored, as in :data:`~iemomecp_dataset.benchmark.peers.\
outputs.UNSCORED`; 0 where it was.
        emotions: ``(m,)`` str, the predicted emotion of the target, empty where there is none; or ``None``.
    """

    output: PeerOutput
    pairs: PairKeys
    n_candidates: int
    decisions: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None
    reasons: NDArray[np.int64]
    emotions: NDArray[np.str_] | None

    @property
    def unscored(self) -> dict[str, int]:
        """By reason the candidates that were not scored, of the reasons that occur."""
        found = Counter(self.reasons.tolist())
        return {words: found[number] for number, words in UNSCORED.items() if found[number]}

    def outside(self, class_names: Sequence[str]) -> PairKeys:
        """Selects the predicted pairs that are no candidates.

        Args:
            class_names: Pair classes by id; the last is the non-pair.

        Returns:
            Those pairs, of any other class.
        """
        beside = np.arange(len(self.pairs)) >= self.n_candidates
        return self.pairs.take(beside & (self.decisions != len(class_names) - 1))

    def as_predictions(self, class_names: Sequence[str], config_name: str) -> CandidatePredictions:
        """Makes predictions of it, as if they were read from a file of one row per pair.

        Args:
            class_names: Pair classes by id.
            config_name: The configuration.

        Returns:
            Probabilities where there are some, else decisions.
        """
        return CandidatePredictions(
            path=self.output.path,
            class_names=tuple(class_names),
            pairs=self.pairs,
            labels=None,
            probabilities=self.probabilities,
            decisions=self.decisions if self.probabilities is None else None,
            emotions=self.emotions,
            facts=PredictionFacts(
                config_name=config_name,
                split=self.output.split,
                epoch_chosen_on=self.output.epoch_chosen_on,
                emotions=None if self.emotions is None else "predicted",
            ),
            notes=self.output.notes,
        )


def fill(output: PeerOutput, candidates: PairTable, class_names: Sequence[str], positive: int = 0) -> FilledSplit:
    """Lists every candidate of a split once, with the peer's decision on it.

    Args:
        output: What the peer left.
        candidates: The ``n`` candidates of the split, all of its dialogues.
        class_names: Pair classes by id; the last is the non-pair.
        positive: The class that the peer learned.

    Returns:
        The filled list.
    """
    n = len(candidates)
    by_id = {dialogue.dialogue_id: dialogue for dialogue in output.dialogues}
    sources = dict(zip(candidates.dialogue_ids.tolist(), candidates.source_dialogue_ids.tolist(), strict=True))
    decided = np.zeros(n, dtype=np.bool_)
    reasons = np.full(n, SCORED, dtype=np.int64)
    scores = None if _decides_alone(output) else np.zeros(n)
    beside: list[tuple[str, int, int, bool, float]] = []
    names, of_dialogue = np.unique(candidates.dialogue_ids, return_inverse=True)
    places = dict(zip(names.tolist(), np.split(np.argsort(of_dialogue, kind="stable"),
                                               np.cumsum(np.bincount(of_dialogue))[:-1]), strict=True))  # fmt: skip
    for name, dialogue in by_id.items():
        where = places.get(name, np.zeros(0, dtype=np.intp))
        at = candidates.target_turns[where] - 1, candidates.cause_turns[where] - 1
        decided[where], reasons[where] = dialogue.decided[at], dialogue.reasons[at]
        if scores is not None and dialogue.probabilities is not None:
            scores[where] = dialogue.probabilities[at]
        beside += _beside(dialogue, at)
    pairs = _extended(
        candidates, [(name, sources.get(name, name), target, cause) for name, target, cause, *_ in beside]
    )
    decided = np.concatenate((decided, np.array([pair[3] for pair in beside], dtype=np.bool_)))
    probabilities = None
    if scores is not None:
        scores = np.concatenate((scores, np.array([pair[4] for pair in beside], dtype=np.float64)))
        probabilities = np.zeros((len(scores), len(class_names)))
        probabilities[:, positive], probabilities[:, -1] = scores, 1.0 - scores
    return FilledSplit(
        output=output,
        pairs=pairs,
        n_candidates=n,
        decisions=np.where(decided, positive, len(class_names) - 1).astype(np.int64),
        probabilities=probabilities,
        reasons=reasons,
        emotions=_emotions(by_id, pairs),
    )


def merge(causes: FilledSplit, contexts: FilledSplit) -> FilledSplit:
    """Merges two runs of the three-class task, of which each learned one class.

    Where both have probabilities, P(cause) is that of the first run, and what it leaves goes to context and non-pair as
    the second run parts it; so each class is still decided on by its own run.

    Args:
        causes: The run that learned emo_cause, on some candidates.
        contexts: The run that learned emo_context, on the same ones.

    Returns:
        The three classes; reasons and notes are those of the first run.
    """
    first, second = (_aligned(run, _union(causes, contexts)) for run in (causes, contexts))
    cause, context, non_pair = 0, 1, 2
    decisions = np.where(
        first.decisions == cause, cause, np.where(second.decisions == context, context, non_pair)
    ).astype(np.int64)
    probabilities = None
    if first.probabilities is not None and second.probabilities is not None:
        rest = 1.0 - first.probabilities[:, cause]
        of_context = second.probabilities[:, context]
        probabilities = np.stack((first.probabilities[:, cause], rest * of_context, rest - rest * of_context), axis=1)
    return replace(first, decisions=decisions, probabilities=probabilities)


def unscored_file(folder: Path, split: str, run: str = "") -> Path:
    """Names the table of candidates that a peer did not score.

    Args:
        folder: The run folder.
        split: The split.
        run: ``context`` for the second of two merged runs.

    Example:
        >>> unscored_file(Path("runs/hilo"), "test", "context").as_posix()
        'runs/hilo/unscored_test_context.parquet'
    """
    return folder / f"unscored_{split}{f'_{run}' if run else ''}.parquet"


def write_unscored(path: Path, filled: FilledSplit) -> None:
    """Writes the candidates that a peer did not score, with the reasons; also where there is none.

    Args:
        path: The file: ``dialogue_id``, ``target_turn``, ``cause_turn`` and ``reason``.
        filled: The filled list.

    Raises:
        UsageError: The place cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen = np.flatnonzero(filled.reasons != SCORED)
    table = pa.table(
        {
            "dialogue_id": pa.array(filled.pairs.dialogue_ids[chosen].tolist(), pa.string()),
            "target_turn": filled.pairs.target_turns[chosen].astype(np.int32),
            "cause_turn": filled.pairs.cause_turns[chosen].astype(np.int32),
            "reason": pa.array([UNSCORED[number] for number in filled.reasons[chosen].tolist()], pa.string()),
        }
    )
    with atomic_write(path) as partial:
        pq.write_table(table, partial)


def _decides_alone(output: PeerOutput) -> bool:
    return any(dialogue.probabilities is None for dialogue in output.dialogues)


def _beside(
    dialogue: DialogueOutput, candidates: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> list[tuple[str, int, int, bool, float]]:
    """Predicted pairs, and pairs with a probability, that are no candidates."""
    found = dialogue.decided.copy()
    if dialogue.probabilities is not None:
        found |= dialogue.probabilities > 0
    found[candidates] = False
    return [
        (
            dialogue.dialogue_id,
            int(target) + 1,
            int(cause) + 1,
            bool(dialogue.decided[target, cause]),
            0.0 if dialogue.probabilities is None else float(dialogue.probabilities[target, cause]),
        )
        for target, cause in np.argwhere(found)
    ]


def _emotions(by_id: Mapping[str, DialogueOutput], pairs: PairKeys) -> NDArray[np.str_] | None:
    """The emotion of each pair's target; None where the peer gives none."""
    of_dialogue = {name: dialogue.emotions for name, dialogue in by_id.items() if dialogue.emotions is not None}
    if len(of_dialogue) < len(by_id):
        return None
    targets = zip(pairs.dialogue_ids.tolist(), pairs.target_turns.tolist(), strict=True)
    return np.array([of_dialogue[name][target - 1] for name, target in targets], dtype=np.str_)


def _union(one: FilledSplit, other: FilledSplit) -> PairKeys:
    """The candidates, then every pair beside them that one of the two has."""
    keys: dict[tuple[str, str, int, int], None] = {}
    for run in (one, other):
        beside = run.pairs.take(np.arange(len(run.pairs)) >= run.n_candidates)
        columns = (beside.dialogue_ids, beside.source_dialogue_ids, beside.target_turns, beside.cause_turns)
        keys |= dict.fromkeys(zip(*(column.tolist() for column in columns), strict=True))
    return _extended(one.pairs.take(np.arange(len(one.pairs)) < one.n_candidates), list(keys))


def _extended(candidates: PairKeys, beside: Sequence[tuple[str, str, int, int]]) -> PairKeys:
    """The candidates, and pairs beside them as ``(dialogue, source dialogue, target, cause)``."""
    columns = list(zip(*beside, strict=True)) or [(), (), (), ()]
    return PairKeys(
        np.concatenate((candidates.dialogue_ids, np.array(columns[0], dtype=np.str_))),
        np.concatenate((candidates.source_dialogue_ids, np.array(columns[1], dtype=np.str_))),
        np.concatenate((candidates.target_turns, np.array(columns[2], dtype=np.int64))),
        np.concatenate((candidates.cause_turns, np.array(columns[3], dtype=np.int64))),
    )


def _aligned(run: FilledSplit, pairs: PairKeys) -> FilledSplit:
    """Brings a run to the pairs of both; what it does not have beside the candidates is a non-pair."""
    n = run.n_candidates
    place = {key: n + i for i, key in enumerate(_keys(run.pairs, n))}
    order = np.array([*range(n), *(place.get(key, -1) for key in _keys(pairs, n))], dtype=np.intp)
    missing = order < 0
    n_classes = 3
    decisions = np.where(missing, n_classes - 1, run.decisions[order])
    probabilities = run.probabilities
    if probabilities is not None:
        probabilities = np.where(missing[:, None], np.eye(n_classes)[-1], probabilities[order])
    return replace(run, pairs=pairs, decisions=decisions, probabilities=probabilities, emotions=None)


def _keys(pairs: PairKeys, start: int) -> list[tuple[str, int, int]]:
    return list(zip(*(values[start:].tolist() for values in pairs.keys), strict=True))
