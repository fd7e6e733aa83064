from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.baselines.structural import (
    DISTANCE_BUCKETS,
    SplitTables,
    distance_buckets,
    recorded_distance_rule,
    structural_scores,
    structural_systems,
)
from iemomecp_dataset.benchmark.baselines.utterance_table import utterance_table
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.pair_table import PairTable, pair_table
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

EMOTIONS = ("neutral", "joy")


def tables(rows, features=None) -> SplitTables:
    return SplitTables(pair_table(rows, EMOTIONS), utterance_table(rows, EMOTIONS, features))


@pytest.fixture(params=[PAIR_LABELS, ROLE_LABELS], ids=["binary", "roles"])
def corpus(request, make_rows):
    splits = {
        split: tables(make_rows(n, seed=seed, class_names=request.param, prefix=split))
        for split, n, seed in (("train", 60, 1), ("validation", 15, 2), ("test", 15, 3))
    }
    return request.param, splits


def build(corpus, **options):
    class_names, splits = corpus
    systems = structural_systems(
        splits["train"], {s: t for s, t in splits.items() if s != "train"}, class_names, **options
    )
    return {system.key: system for system in systems}


def test_every_system_gives_a_distribution_for_every_pair_of_every_split(corpus):
    class_names, splits = corpus
    for system in build(corpus).values():
        assert set(system.probabilities) == set(splits)
        for split, probabilities in system.probabilities.items():
            assert probabilities.shape == (len(splits[split].pairs), len(class_names))
            assert probabilities.dtype == np.float64
            np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)
            assert (probabilities >= 0).all()
            if system.hard:
                assert set(np.unique(probabilities)) <= {0.0, 1.0}


def test_rules_decide_as_a_reader_of_their_description_would(corpus):
    class_names, splits = corpus
    systems = build(corpus)
    pairs = splits["test"].pairs
    expected = {
        "all_non_pair": lambda d: class_names[-1],
        "self": lambda d: class_names[0] if d == 0 else class_names[-1],
        "self_and_previous": lambda d: class_names[0] if d in (0, 1) else class_names[-1],
    }
    if class_names == ROLE_LABELS:
        expected["published_distance_rule"] = lambda d: (
            "emo_cause" if abs(d) <= 1 else "emo_context" if abs(d) <= 3 else "non_pair"
        )
    assert expected.keys() == {name for name, system in systems.items() if system.hard}
    for name, rule in expected.items():
        decided = [class_names[i] for i in systems[name].probabilities["test"].argmax(axis=1)]
        assert decided == [rule(t - c) for t, c in zip(pairs.target_turns, pairs.cause_turns, strict=True)]


def naive_bucket(d: int) -> str:
    if d < 0:
        return "forward"
    return str(d) if d <= 3 else "4-5" if d <= 5 else "6-10" if d <= 10 else ">10"


@given(st.lists(st.integers(-40, 40), max_size=30))
def test_buckets(distances):
    assert [DISTANCE_BUCKETS[i] for i in distance_buckets(np.array(distances, dtype=np.int64))] == [
        naive_bucket(d) for d in distances
    ]


def test_distance_only_is_the_train_frequency_at_that_distance(corpus):
    class_names, splits = corpus
    train, test = splits["train"].pairs, splits["test"].pairs
    counts = Counter((naive_bucket(int(d)), int(y)) for d, y in zip(train.distances, train.labels, strict=True))
    got = build(corpus)["distance_only"].probabilities["test"]
    for i, d in enumerate(test.distances):
        bucket = naive_bucket(int(d))
        of_bucket = [counts[bucket, c] for c in range(len(class_names))]
        np.testing.assert_allclose(got[i], np.array(of_bucket) / sum(of_bucket))


def test_no_other_split_takes_part_in_fitting(corpus, make_rows):
    class_names, splits = corpus
    other = make_rows(12, seed=7, class_names=class_names, prefix="other", n_turns=5)
    for row in other:  # with words and rates that train does not have
        row["utterances"] = [
            {**u, "text": f"{u['text']} word{u['turn']} unheard", "emotion": 1} for u in row["utterances"]
        ]
        row["pairs"] = [{**pair, "label": 0} for pair in row["pairs"]]
    for fewer in (("train",), ("train", "test")):
        alone = build((class_names, {split: splits[split] for split in fewer}))
        both = build((class_names, {"train": splits["train"], "validation": tables(other), "test": tables(other)}))
        for key, system in build(corpus).items():
            np.testing.assert_array_equal(system.probabilities["train"], both[key].probabilities["train"])
            for split in fewer:
                np.testing.assert_array_equal(system.probabilities[split], alone[key].probabilities[split])


def test_missed_pairs_count_where_the_threshold_is_chosen(corpus):
    class_names, splits = corpus
    systems, changed = build(corpus), []
    for key in ("distance_only", "emotion_x_distance"):
        chosen = []
        for missed in (0, 5000):
            scored = {split: replace(t.pairs, missed_positives=missed) for split, t in splits.items()}
            found = structural_scores(list(systems.values()), scored, class_names)[key]
            chosen_on = "train" if key == "distance_only" else "validation"
            probabilities, labels = systems[key].probabilities[chosen_on], scored[chosen_on].labels
            f1 = {
                threshold: pair_scores(
                    probabilities, labels, class_names, threshold=threshold, missed_positives=missed
                )["pair_f1"]
                for threshold in sorted(set(probabilities[:, 0].tolist()), reverse=True)
            }
            assert found["chosen_on"] == chosen_on
            assert found["threshold"] == max(f1, key=lambda threshold: f1[threshold])
            chosen.append(found["threshold"])
        changed.append(chosen[0] > chosen[1])
    if class_names == PAIR_LABELS:  # the roles' best threshold is low anyway
        assert any(changed), "where many are missed, one more right pair is worth more wrong ones"


def test_emotion_x_distance_multiplies_the_two_rates(corpus):
    """The detector's share can be divided out: what is left depends on the bucket alone, and is the train rate."""
    _, splits = corpus
    got = build(corpus)["emotion_x_distance"].probabilities["test"]
    train, test = splits["train"].pairs, splits["test"].pairs
    keep = train.emotional_targets
    rate = {
        bucket: np.mean(
            [
                y == 0
                for d, y in zip(train.distances[keep], train.labels[keep], strict=True)
                if naive_bucket(int(d)) == bucket
            ]
        )
        for bucket in {naive_bucket(int(d)) for d in train.distances}
    }
    p_emotional: dict[tuple[str, int], float] = {}
    for i, d in enumerate(test.distances):
        r = rate[naive_bucket(int(d))]
        if r == 0:
            assert got[i, 0] == 0
            continue
        key = (str(test.dialogue_ids[i]), int(test.target_turns[i]))
        assert math.isclose(p_emotional.setdefault(key, got[i, 0] / r), got[i, 0] / r)
    # In these dialogues one word gives the emotion away.
    by_gold = {gold: [] for gold in (False, True)}
    for i in range(len(test)):
        key = (str(test.dialogue_ids[i]), int(test.target_turns[i]))
        by_gold[bool(test.emotional_targets[i])].append(p_emotional[key])
    assert min(by_gold[True]) > 0.5 > max(by_gold[False])


def test_emotions_of_a_run_take_the_place_of_the_detector(corpus):
    class_names, splits = corpus
    others = {split: tables for split, tables in splits.items() if split != "train"}
    certain = {split: np.ones(len(tables.utterances.turns)) for split, tables in splits.items()}
    halved = {split: values / 2 for split, values in certain.items()}
    first, second = (
        {s.key: s for s in structural_systems(splits["train"], others, class_names, emotional=("my-run", given))}
        for given in (certain, halved)
    )
    assert list(first)[-2:] == ["emotion_x_distance", "emotion_x_distance_run"]
    assert first["emotion_x_distance_run"].display_name == "emotion x distance (my-run)"
    for split in splits:
        one, half = (found["emotion_x_distance_run"].probabilities[split] for found in (first, second))
        np.testing.assert_allclose(half[:, 0], one[:, 0] / 2)
        np.testing.assert_allclose(one.sum(axis=1), 1.0)
        assert np.array_equal(
            first["emotion_x_distance"].probabilities[split], second["emotion_x_distance"].probabilities[split]
        )


def test_emotion_x_distance_gives_the_rest_to_the_other_classes_as_train_has_them(corpus):
    systems = build(corpus)
    got, marginal = systems["emotion_x_distance"].probabilities["test"], systems["distance_only"].probabilities["test"]
    np.testing.assert_allclose(
        got[:, 1:] / got[:, 1:].sum(axis=1, keepdims=True), marginal[:, 1:] / marginal[:, 1:].sum(axis=1, keepdims=True)
    )


def test_no_system_sees_a_gold_emotion_or_label_of_the_split_it_predicts(corpus):
    class_names, splits = corpus
    before = build(corpus)
    shuffled = {}
    for split, t in splits.items():
        if split == "train":
            shuffled[split] = t
            continue
        other_pairs = type(t.pairs)(
            **{**vars(t.pairs), "labels": np.roll(t.pairs.labels, 7), "emotional_targets": ~t.pairs.emotional_targets}
        )
        shuffled[split] = SplitTables(
            other_pairs, type(t.utterances)(**{**vars(t.utterances), "emotional": ~t.utterances.emotional})
        )
    for name, system in build((class_names, shuffled)).items():
        np.testing.assert_array_equal(system.probabilities["test"], before[name].probabilities["test"])


def test_named_features_take_the_place_of_texts(make_rows):
    rows = {"train": make_rows(60, seed=1), "test": make_rows(15, seed=3, prefix="t")}
    splits = {}
    for split, rs in rows.items():
        emotional = utterance_table(rs, EMOTIONS).emotional
        vectors = np.random.default_rng(0).normal(size=(len(emotional), 4)).astype(np.float32)
        vectors[:, 2] += 8 * emotional
        splits[split] = tables(rs, vectors)
    systems = structural_systems(splits["train"], {"test": splits["test"]}, PAIR_LABELS, feature_source="my encoder")
    system = systems[-1]
    assert system.display_name == "emotion x distance (my encoder)"
    assert "my encoder" in system.description
    self_pairs = splits["test"].pairs.distances == 0
    emotional = splits["test"].pairs.emotional_targets
    assert (
        system.probabilities["test"][self_pairs & emotional, 0].min()
        > system.probabilities["test"][self_pairs & ~emotional, 0].max()
    )


def test_named_features_that_a_split_lacks_are_refused_by_name(corpus):
    with pytest.raises(UsageError, match=r"'my encoder'.*train, validation, test"):
        build(corpus, feature_source="my encoder")


def test_utterances_without_text_leave_the_baseline_out_and_say_so(make_rows):
    rows = make_rows(5, seed=0)
    for row in rows:
        for utterance in row["utterances"]:
            utterance["text"] = None
    with pytest.warns(UserWarning, match="no text"):
        systems = structural_systems(tables(rows), {}, PAIR_LABELS)
    scores = structural_scores(systems, {"train": tables(rows).pairs}, PAIR_LABELS)
    assert scores["emotion_x_distance"]["splits"] == {}
    assert "no text" in scores["emotion_x_distance"]["description"]
    assert scores["self"]["splits"]["train"]["pair_f1"] > 0


def test_distances_that_train_does_not_show_are_counted_in_the_description(make_rows):
    past = make_rows(10, seed=0)
    for row in past:
        row["pairs"] = [pair for pair in row["pairs"] if pair["cause_turn"] <= pair["target_turn"]]
    full = make_rows(3, seed=1, prefix="t")
    forward = sum(pair["cause_turn"] > pair["target_turn"] for row in full for pair in row["pairs"])
    systems = {s.key: s for s in structural_systems(tables(past), {"test": tables(full)}, PAIR_LABELS)}
    for name in ("distance_only", "emotion_x_distance"):
        assert f"({forward} of test)" in systems[name].description
        np.testing.assert_allclose(systems[name].probabilities["test"].sum(axis=1), 1.0)


@pytest.mark.parametrize("emotional", [0, 1])
def test_train_with_only_one_kind_of_utterance_still_works(make_rows, emotional):
    rows = make_rows(5, seed=0)
    for row in rows:
        for utterance in row["utterances"]:
            utterance["emotion"] = emotional
    probabilities = structural_systems(tables(rows), {}, PAIR_LABELS)[-1].probabilities["train"]
    assert np.isfinite(probabilities).all()
    assert (probabilities[:, 0].max() > 0) == bool(emotional)


def test_utterances_and_pairs_must_belong_together(make_rows):
    rows = make_rows(4, seed=0)
    with pytest.raises(InvalidDataError, match=r"'d0'.*target turn 1"):
        structural_systems(
            SplitTables(pair_table(rows, EMOTIONS), utterance_table(rows[1:], EMOTIONS)), {}, PAIR_LABELS
        )
    with pytest.raises(InvalidDataError, match="more than once"):
        structural_systems(
            SplitTables(pair_table(rows, EMOTIONS), utterance_table(rows + rows, EMOTIONS)), {}, PAIR_LABELS
        )


def test_features_must_be_one_vector_an_utterance(make_rows):
    with pytest.raises(InvalidDataError, match=r"shape \(3, 2\)"):
        utterance_table(make_rows(4, seed=0), EMOTIONS, np.zeros((3, 2), dtype=np.float32))


# --- scores -------------------------------------------------------------------------------------


def scores_of(corpus, only=None):
    class_names, splits = corpus
    systems = list(build(corpus).values())
    return structural_scores(systems, {s: t.pairs for s, t in splits.items() if only is None or s in only}, class_names)


def test_scores_agree_with_counting_by_hand(corpus):
    _, splits = corpus
    pairs = splits["test"].pairs
    predicted, gold = pairs.distances == 0, pairs.labels == 0
    got = scores_of(corpus)["self"]["splits"]["test"]
    assert got["pair_f1"] == pytest.approx(2 * (predicted & gold).sum() / (predicted.sum() + gold.sum()))
    assert got["n_pairs"] == len(pairs)


def test_hard_systems_have_no_threshold_and_claim_no_average_precision(corpus):
    for name in ("all_non_pair", "self", "self_and_previous"):
        entry = scores_of(corpus)[name]
        assert entry["threshold"] is None
        assert entry["chosen_on"] is None
        assert math.isnan(entry["splits"]["test"]["pair_auprc"])


@pytest.mark.parametrize(
    ("key", "present", "chosen_on"),
    [
        ("distance_only", ("train", "validation", "test"), "train"),
        ("distance_only", ("train", "test"), "train"),
        ("emotion_x_distance", ("train", "validation", "test"), "validation"),
        ("emotion_x_distance", ("train", "test"), "train"),
    ],
)
def test_soft_systems_take_the_best_threshold_of_the_split_that_does_not_flatter_them(corpus, key, present, chosen_on):
    _, splits = corpus
    entry = scores_of(corpus, only=present)[key]
    assert entry["chosen_on"] == chosen_on
    probability = build(corpus)[key].probabilities[chosen_on][:, 0]
    gold = splits[chosen_on].pairs.labels == 0
    best = max(
        2 * ((probability >= t) & gold).sum() / ((probability >= t).sum() + gold.sum()) for t in np.unique(probability)
    )
    assert entry["splits"][chosen_on]["pair_f1"] == pytest.approx(best)


def test_the_record_of_distance_only_holds_its_decision_at_every_distance(corpus):
    class_names, splits = corpus
    scores = scores_of(corpus)
    assert {key for key, entry in scores.items() if "by_distance" in entry} == {"distance_only"}
    rule = recorded_distance_rule(json.loads(json.dumps(scores)), class_names)
    assert (rule.key, rule.display_name) == ("distance_only", "distance only")
    for split, tables_of in splits.items():
        decided = pair_scores(rule.decide(tables_of.pairs.distances), tables_of.pairs.labels, class_names)
        assert decided["confusion_matrix"] == scores["distance_only"]["splits"][split]["confusion_matrix"]
    for damaged in ({}, {"distance_only": {}}, {"distance_only": {"by_distance": {"0": class_names[0]}}}):
        assert recorded_distance_rule(damaged, class_names) is None
    assert recorded_distance_rule(scores, ("other", "names")) is None


def test_gold_pairs_that_are_no_candidates_lower_every_recall(corpus):
    class_names, splits = corpus
    systems = list(build(corpus).values())
    table = splits["test"].pairs
    more = type(table)(**{**vars(table), "missed_positives": 10})
    rule = [system for system in systems if system.key == "self"]
    with_, without = (structural_scores(rule, {"test": t}, class_names)["self"] for t in (more, table))
    gold = (table.labels == 0).sum()
    assert with_["splits"]["test"]["pair_recall"] == pytest.approx(
        without["splits"]["test"]["pair_recall"] * gold / (gold + 10)
    )


def test_scores_can_be_written_as_json(corpus):
    json.dumps(scores_of(corpus))


def test_the_distance_rule_scores_on_the_published_test_split_as_its_counts_say():
    """From the published counts of roles by distance: the rule beats every lightweight published system."""
    from iemomecp_dataset.benchmark.published.tables import published_table

    counts = published_table("distance_distribution_by_split_label")
    counts = counts[counts["split"] == "test"]
    nearest = {"0": 0, "1": 1, "2": 2, "3": 3, "4-5": 4, "6-10": 6, ">10": 11}
    distances = np.repeat(counts["distance_bucket"].astype(str).map(nearest), counts["count"]).to_numpy()
    labels = np.repeat(counts["label"].map(ROLE_LABELS.index), counts["count"]).to_numpy()
    n = len(labels)
    assert n == 18264
    dialogues = np.full(n, "d")
    pairs = PairTable(dialogues, dialogues, 100 + distances, np.full(n, 100), labels, np.ones(n, dtype=bool))
    turns = [{"turn": turn, "emotion": turn % 2, "text": "x"} for turn in range(1, 120)]
    utterances = utterance_table([{"dialogue_id": "d", "utterances": turns, "pairs": []}], EMOTIONS)
    systems = structural_systems(SplitTables(pairs, utterances), {}, ROLE_LABELS)
    system = next(system for system in systems if system.key == "published_distance_rule")
    scores = structural_scores([system], {"train": pairs}, ROLE_LABELS)[system.key]["splits"]["train"]
    assert round(100 * scores["macro_f1"], 2) == 50.55
    assert round(100 * scores["pair_f1"], 2) == 47.86
    assert round(100 * scores["emo_context_f1"], 2) == 20.43
    published = published_table("main_model_results_by_family").set_index("family")
    for family in ("RoBERTa", "WavLM", "CLIP", "RW-Fusion", "RC-Fusion", "RWC-Fusion"):
        assert published.loc[family, "pair_role_macro_f1_mean"] < scores["macro_f1"]
