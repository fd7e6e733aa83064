"""The candidate list is filled once per candidate, and two runs of roles become one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.benchmark.peers.imports.filling import FilledSplit, fill, merge, unscored_file, write_unscored
from iemomecp_dataset.benchmark.peers.imports.outputs import (
    DROPPED,
    FUTURE,
    NOT_PROPOSED,
    OUTSIDE_WINDOW,
    DialogueOutput,
    PeerOutput,
)
from iemomecp_dataset.metrics.scoring import decide
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS


def table_of(*keys: tuple[str, int, int]) -> PairTable:
    names = np.array([key[0] for key in keys])
    turns = [np.array([key[i] for key in keys], dtype=np.int64) for i in (1, 2)]
    sources = np.array([name.partition("__")[0] for name in names.tolist()])
    return PairTable(names, sources, *turns, labels=np.ones(len(keys), dtype=np.int64))


def output_of(*dialogues: DialogueOutput) -> PeerOutput:
    return PeerOutput(Path("theirs.json"), "test", dialogues)


def dialogue(name: str, probabilities: list[list[float]], reasons: list[list[int]] | None = None) -> DialogueOutput:
    scores = np.array(probabilities)
    marked = np.zeros(scores.shape, dtype=np.int64) if reasons is None else np.array(reasons)
    return DialogueOutput(name, scores >= 0.5, marked, scores)


TRIANGLE = [(t, c) for t in (1, 2) for c in range(1, t + 1)]
CANDIDATES = table_of(*((name, t, c) for name in ("b", "a__c1") for t, c in TRIANGLE))
"""Past pairs of two dialogues of two turns, not in the order of their names."""


def test_every_candidate_has_its_own_decision_in_the_order_of_the_list():
    output = output_of(dialogue("a__c1", [[0.1, 0.0], [0.7, 0.5]]), dialogue("b", [[0.9, 0.0], [0.2, 0.3]]))
    filled = fill(output, CANDIDATES, PAIR_LABELS)
    assert filled.decisions.tolist() == [0, 1, 1, 1, 0, 0]
    np.testing.assert_allclose(filled.probabilities[:, 0], [0.9, 0.2, 0.3, 0.1, 0.7, 0.5])
    np.testing.assert_allclose(filled.probabilities.sum(axis=1), 1)
    assert decide(filled.probabilities, 0.5).tolist() == filled.decisions.tolist()
    assert (filled.n_candidates, filled.unscored) == (6, {})
    assert len(filled.outside(PAIR_LABELS)) == 0


def test_pairs_beside_the_candidates_come_after_them():
    output = output_of(dialogue("a__c1", [[0.0, 0.8], [0.0, 0.0]]), dialogue("b", [[0.0, 0.2], [0.0, 0.0]]))
    filled = fill(output, CANDIDATES, PAIR_LABELS)
    beside = filled.pairs.take(np.arange(len(filled.pairs)) >= 6)
    assert list(zip(*(values.tolist() for values in beside.keys), strict=True)) == [("a__c1", 1, 2), ("b", 1, 2)]
    assert beside.source_dialogue_ids.tolist() == ["a", "b"]
    assert filled.outside(PAIR_LABELS).dialogue_ids.tolist() == ["a__c1"], "the other has a probability and no more"
    of_decisions = fill(
        output_of(*(DialogueOutput(one.dialogue_id, one.decided, one.reasons) for one in output.dialogues)),
        CANDIDATES,
        PAIR_LABELS,
    )
    assert (len(of_decisions.pairs), of_decisions.probabilities) == (7, None)


def test_each_reason_is_counted_once_and_listed(tmp_path):
    reasons = [[FUTURE, DROPPED], [OUTSIDE_WINDOW, NOT_PROPOSED]]
    output = output_of(dialogue("a__c1", [[0.0] * 2] * 2, reasons), dialogue("b", [[0.0] * 2] * 2))
    filled = fill(output, CANDIDATES, PAIR_LABELS)
    # (1, 2) is no candidate, so its filter has nothing to do with the list.
    assert filled.unscored == {"future": 1, "outside its distance window": 1, "not among its step-1 candidates": 1}
    write_unscored(unscored_file(tmp_path, "test"), filled)
    written = pq.read_table(tmp_path / "unscored_test.parquet").to_pylist()
    assert [tuple(row.values()) for row in written] == [
        ("a__c1", 1, 1, "future"),
        ("a__c1", 2, 1, "outside its distance window"),
        ("a__c1", 2, 2, "not among its step-1 candidates"),
    ]


def test_an_emotion_is_that_of_the_target():
    matrix = np.zeros((2, 2), dtype=np.bool_)
    dialogues = [
        DialogueOutput(name, matrix, matrix.astype(np.int64), emotions=emotions)
        for name, emotions in (("b", ("joy", "")), ("a__c1", ("fear", "anger")))
    ]
    filled = fill(output_of(*dialogues), CANDIDATES, PAIR_LABELS)
    assert filled.emotions is not None
    assert filled.emotions.tolist() == ["joy", "", "", "fear", "anger", "anger"]
    assert fill(output_of(dialogue("b", [[0.0] * 2] * 2), dialogues[1]), CANDIDATES, PAIR_LABELS).emotions is None


def filled_role(scores: dict[tuple[int, int], float], positive: int, *, ranked: bool = True) -> FilledSplit:
    matrix = np.zeros((2, 2))
    for (target, cause), score in scores.items():
        matrix[target - 1, cause - 1] = score
    one = DialogueOutput("b", matrix >= 0.5, np.zeros((2, 2), dtype=np.int64), matrix if ranked else None)
    return fill(output_of(one), table_of(*(("b", t, c) for t, c in TRIANGLE)), ROLE_LABELS, positive)


@pytest.mark.parametrize("ranked", [True, False])
def test_a_cause_comes_before_a_context(ranked):
    causes = filled_role({(1, 1): 0.6, (2, 1): 0.4}, 0, ranked=ranked)
    contexts = filled_role({(1, 1): 0.9, (2, 1): 0.5, (1, 2): 0.7}, 1, ranked=ranked)
    assert causes.decisions.tolist() == [0, 2, 2]
    assert contexts.decisions.tolist() == [1, 1, 2, 1]
    merged = merge(causes, contexts)
    assert merged.decisions.tolist() == [0, 1, 2, 1]
    assert len(merged.outside(ROLE_LABELS)) == 1, "a context counts too"
    assert (merged.probabilities is None) == (not ranked)
    if merged.probabilities is not None:
        np.testing.assert_allclose(merged.probabilities[:3], [[0.6, 0.36, 0.04], [0.4, 0.3, 0.3], [0, 0, 1]])
        assert decide(merged.probabilities, 0.5).tolist() == merged.decisions.tolist()


def test_merged_probabilities_keep_the_decisions_of_both_runs():
    """Each class is decided on by its own run, at one half and one unit in the last place below it too."""
    rng = np.random.default_rng(0)
    edges = [0.0, 0.5, float(np.nextafter(np.float32(0.5), np.float32(0))), 1.0]
    for _ in range(200):
        first, second = ({key: float(rng.choice([*edges, *rng.random(2)])) for key in TRIANGLE} for _ in range(2))
        merged = merge(filled_role(first, 0), filled_role(second, 1))
        assert merged.probabilities is not None
        wanted = [0 if first[key] >= 0.5 else 1 if second[key] >= 0.5 else 2 for key in TRIANGLE]
        assert merged.decisions.tolist() == wanted
        assert decide(merged.probabilities, 0.5)[:3].tolist() == wanted
        assert np.allclose(merged.probabilities.sum(axis=1), 1)
