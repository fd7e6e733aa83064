"""Definitions A to D against a slow implementation in Python sets, on made-up dialogues and on ECF."""

import os
from pathlib import Path

import numpy as np
import pytest

from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.set_scores import (
    DEFINITIONS,
    SEMEVAL_EMOTIONS,
    PairSet,
    count_sets,
    pair_set,
    scores_of_counts,
    set_scores,
)


def as_pair_set(rows):
    rows = sorted(rows)
    return pair_set([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows])


def f1_of(found, wanted):
    hits = len(found & wanted)
    precision = hits / len(found) if found else 0.0
    recall = hits / len(wanted) if wanted else 0.0
    return precision, recall, (2 * precision * recall / (precision + recall) if hits else 0.0)


def slow_definition(letter, predicted, gold):
    """(precision, recall, F1) from the words of the definition, over sets of (dialogue, target, cause, emotion)."""
    if letter in "AB":
        found, wanted = {row[:3] for row in predicted}, {row[:3] for row in gold}
        if letter == "B":
            wanted = {(d, t, c) for d, t, c in wanted if c <= t}
        return f1_of(found, wanted)
    found = {row for row in predicted if row[3] != "neutral"}
    wanted = {row for row in gold if row[3] != "neutral"}
    if letter == "C":
        return f1_of(found, wanted)
    emotions = ("anger", "joy", "sadness", "surprise") if letter == "D main" else SEMEVAL_EMOTIONS
    each = {e: f1_of({r for r in found if r[3] == e}, {r for r in wanted if r[3] == e}) for e in emotions}
    support = {e: sum(row[3] == e for row in wanted) for e in emotions}
    total = sum(support.values())
    return tuple(sum(support[e] / total * each[e][i] for e in emotions) if total else 0.0 for i in range(3))


def random_rows(generator, n, emotions):
    return {
        (
            f"d{generator.integers(3)}",
            int(generator.integers(1, 6)),
            int(generator.integers(1, 6)),
            emotions[generator.integers(len(emotions))],
        )
        for _ in range(n)
    }


def one_emotion_each(rows):
    return {row[:3]: row for row in sorted(rows)}.values()


def assert_agrees(scores, expected, prefix="pair"):
    found = tuple(scores[f"{prefix}_{kind}"] for kind in ("precision", "recall", "f1"))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_definitions_agree_with_their_words(seed):
    generator = np.random.default_rng(seed)
    emotions = [*SEMEVAL_EMOTIONS, "neutral"]
    predicted = set(one_emotion_each(random_rows(generator, 25, emotions)))
    gold = set(one_emotion_each(random_rows(generator, 25, emotions)))
    for letter in "ABCD":
        scores = set_scores(as_pair_set(predicted), as_pair_set(gold), definition=letter)
        assert_agrees(scores, slow_definition(letter, predicted, gold))
    assert_agrees(scores, slow_definition("D main", predicted, gold), "main4")
    assert_agrees(scores, slow_definition("C", predicted, gold), "micro")
    assert scores["n_neutral_predicted"] == sum(row[3] == "neutral" for row in predicted)
    assert scores["n_neutral_gold"] == sum(row[3] == "neutral" for row in gold)


@pytest.mark.parametrize("letter", "ABCD")
def test_counts_of_dialogues_add_up_to_the_score(letter):
    generator = np.random.default_rng(1)
    predicted = as_pair_set(one_emotion_each(random_rows(generator, 20, SEMEVAL_EMOTIONS)))
    gold = as_pair_set(one_emotion_each(random_rows(generator, 20, SEMEVAL_EMOTIONS)))
    chunks = {"d0": "a", "d1": "a", "d2": "b", "d3": "c"}
    counts = count_sets(predicted, gold, definition=letter, source_dialogues=chunks)
    assert counts.units.tolist() == ["a", "b", "c"]
    weights = np.array([[1, 1, 1], [2, 0, 1]])
    totals = np.einsum("ru,ukc->rkc", weights, counts.counts)
    scores = scores_of_counts(counts, totals)
    assert scores["pair_f1"][0] == set_scores(predicted, gold, definition=letter)["pair_f1"]
    assert scores["n_gold"][1] == 2 * counts.counts[0, :, 2].sum()


def test_heuristic_with_gold_emotions_on_counts_known_by_hand():
    # Official reference of the SemEval evaluation on ECF test: gold emotion, cause = self gives 957 hits of 1445
    # predictions and 1873 gold pairs, hence 0.662284 / 0.510945 / 0.576854.
    n_hits, n_predicted, n_gold = 957, 1445, 1873
    predicted = pair_set(["d"] * n_predicted, range(n_predicted), range(n_predicted), ["joy"] * n_predicted)
    gold_turns = [*range(n_hits), *range(10_000, 10_000 + n_gold - n_hits)]
    gold = pair_set(["d"] * n_gold, gold_turns, gold_turns, ["joy"] * n_gold)
    scores = set_scores(predicted, gold, definition="C")
    assert [round(scores[f"micro_{kind}"], 6) for kind in ("precision", "recall", "f1")] == [
        0.662284,
        0.510945,
        0.576854,
    ]


def read_ecf_slowly(path):
    """ECF 1.0 by its description alone: id and length, a line of pairs that may be empty, then the utterances."""
    lines = path.read_text(encoding="utf-8").split("\n")
    conversations, at = [], 0
    while at < len(lines) and lines[at].strip():
        name, length = lines[at].split()
        pairs = eval(f"[{lines[at + 1]}]")  # digits, commas and brackets
        emotions = [line.split(" | ")[2].strip() for line in lines[at + 2 : at + 2 + int(length)]]
        conversations.append((name, emotions, pairs))
        at += 2 + int(length)
    return conversations


@pytest.mark.skipif(not os.environ.get("IEMOMECP_ECF_DIR"), reason="IEMOMECP_ECF_DIR is not set: no ECF files")
@pytest.mark.parametrize("previous", [False, True])
def test_published_heuristics_on_ecf_agree_with_a_slow_evaluation(previous):
    conversations = read_ecf_slowly(Path(os.environ["IEMOMECP_ECF_DIR"]) / "dev.txt")
    assert len(conversations) == 112
    gold = {(name, t, c, emotions[t - 1]) for name, emotions, pairs in conversations for t, c in pairs}
    predicted = {
        (name, turn, cause, emotion)
        for name, emotions, _ in conversations
        for turn, emotion in enumerate(emotions, start=1)
        if emotion != "neutral"
        for cause in ([turn - 1, turn] if previous else [turn])
        if cause >= 1
    }
    assert len(gold) == 866
    for letter in "ABCD":
        scores = set_scores(as_pair_set(predicted), as_pair_set(gold), definition=letter)
        assert_agrees(scores, slow_definition(letter, predicted, gold))
        assert scores["n_gold"] == (866 - 24 if letter == "B" else 866)
    assert_agrees(scores, slow_definition("D main", predicted, gold), "main4")


def test_neutral_is_free_on_both_sides():
    gold = as_pair_set({("d", 1, 1, "joy"), ("d", 5, 5, "neutral")})
    predicted = as_pair_set({("d", 1, 1, "joy"), ("d", 2, 2, "neutral"), ("d", 3, 3, "neutral")})
    scores = set_scores(predicted, gold, definition="C")
    assert scores["pair_f1"] == 1.0
    assert (scores["n_neutral_predicted"], scores["n_neutral_gold"]) == (2, 1)
    assert set_scores(predicted, gold, definition="A")["pair_f1"] == pytest.approx(2 * 1 / (3 + 2))


def test_weighted_f1_is_not_the_harmonic_mean_beside_it():
    gold = as_pair_set({("d", 1, 1, "joy"), ("d", 2, 2, "anger"), ("d", 3, 3, "anger")})
    predicted = as_pair_set({("d", 1, 1, "joy"), ("d", 2, 2, "joy"), ("d", 3, 3, "anger")})
    scores = set_scores(predicted, gold, definition="D")
    precision, recall = scores["weighted_precision"], scores["weighted_recall"]
    assert scores["weighted_f1"] != pytest.approx(2 * precision * recall / (precision + recall))


def test_wrong_emotion_counts_against_both_emotions():
    gold, predicted = as_pair_set({("d", 1, 1, "joy")}), as_pair_set({("d", 1, 1, "anger")})
    assert set_scores(predicted, gold, definition="A")["pair_f1"] == 1.0
    scores = set_scores(predicted, gold, definition="C")
    assert (scores["pair_f1"], scores["joy_recall"], scores["anger_precision"]) == (0.0, 0.0, 0.0)


def test_nothing_predicted_scores_zero_and_plain():
    nothing = pair_set([], [], [])
    scores = set_scores(nothing, pair_set(["d"], [1], [1]))
    assert scores == {
        "pair_precision": 0.0,
        "pair_recall": 0.0,
        "pair_f1": 0.0,
        "n_correct": 0,
        "n_predicted": 0,
        "n_gold": 1,
    }


@pytest.mark.parametrize(("letter", "words"), [("E", "not an F1"), ("F", "pair_scores"), ("G", "Known names: A, B")])
def test_what_is_no_set_definition_is_refused(letter, words):
    one = pair_set(["d"], [1], [1])
    with pytest.raises(UsageError, match=words):
        set_scores(one, one, definition=letter)


def test_every_letter_has_its_words():
    assert "".join(DEFINITIONS) == "ABCDEF"


def test_emotions_are_needed_and_known():
    one = pair_set(["d"], [1], [1])
    with pytest.raises(MetricInputError, match="need the emotion of every predicted pair"):
        set_scores(one, one, definition="C")
    with pytest.raises(MetricInputError, match=r"'happy'.*Known names: anger"):
        set_scores(pair_set(["d"], [1], [1], ["happy"]), pair_set(["d"], [1], [1], ["joy"]), definition="D")


def test_pairs_that_repeat_are_named():
    with pytest.raises(MetricInputError, match=r"\(dialogue d, target 2, cause 1\) is given more than once; 1 rep"):
        pair_set(["d", "e", "d"], [2, 2, 2], [1, 1, 1])


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(MetricInputError, match="cause_turns must have one entry per pair"):
        pair_set(["d"], [1], [1, 2])
    with pytest.raises(MetricInputError, match="must be integers"):
        pair_set(["d"], [1.5], [1])


def test_dialogue_outside_the_split_is_refused():
    one = pair_set(["d"], [1], [1])
    with pytest.raises(MetricInputError, match="Dialogue 'd' has pairs"):
        count_sets(one, one, source_dialogues={"e": "e"})


def test_subsets_keep_what_belongs_together():
    pairs = pair_set(["a", "b"], [1, 2], [1, 1], ["joy", "anger"])
    kept = pairs.where(np.array([False, True]))
    assert isinstance(kept, PairSet)
    assert (kept.dialogue_ids.tolist(), kept.emotions.tolist()) == (["b"], ["anger"])
