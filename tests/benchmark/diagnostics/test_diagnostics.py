"""Each diagnostic against a slow, plain reading of its formula."""

from __future__ import annotations

import math
import statistics
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.diagnostics.binary_axis import axis_coordinate, binary_axis
from iemomecp_dataset.benchmark.diagnostics.context_channel import context_channel, context_directions
from iemomecp_dataset.benchmark.diagnostics.distance_profile import ABSOLUTE_BUCKETS, distance_profile, role_distances
from iemomecp_dataset.benchmark.diagnostics.evidence_removal import evidence_removal
from iemomecp_dataset.benchmark.diagnostics.matched_contrast import match_contexts, matched_contrast
from iemomecp_dataset.benchmark.diagnostics.pair_confidence import pair_confidence
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts, pair_facts
from iemomecp_dataset.benchmark.diagnostics.proxies import observable_features, predict_from_proxies
from iemomecp_dataset.benchmark.diagnostics.shortcuts import conflict_subsets, stress_subsets, subset_scores
from iemomecp_dataset.benchmark.diagnostics.uncertainty import uncertainty_enrichment
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, RunFolderError
from iemomecp_dataset.metrics.evaluation.predictions import Predictions
from iemomecp_dataset.pair_table import PairTable

ROLES = ("emo_cause", "emo_context", "non_pair")


def random_facts(seed: int, n_dialogues: int = 6, n_turns: int = 14) -> PairFacts:
    rng = np.random.default_rng(seed)
    keys = [f.name for f in fields(PairTable) if f.name not in ("emotional_targets", "missed_positives")]
    observed = [f.name for f in fields(PairFacts) if f.name != "pairs"]
    columns: dict[str, list] = {name: [] for name in (*keys, *observed)}
    for number in range(n_dialogues):
        for target in range(1, n_turns + 1):
            for cause in range(1, n_turns + 1):
                distance = target - cause
                if distance < -3:
                    continue
                role = rng.choice(3, p=[0.3, 0.2, 0.5] if 0 <= distance <= 3 else [0.05, 0.15, 0.8])
                role = 0 if distance == 0 and role == 1 else role
                columns["dialogue_ids"].append(f"d{number}")
                columns["source_dialogue_ids"].append(f"d{number // 2}")
                columns["target_turns"].append(target)
                columns["cause_turns"].append(cause)
                columns["labels"].append(role)
                columns["source_pairs"].append(bool(rng.random() < (0.8, 0.3, 0.02)[role]))
                columns["lexical_overlap"].append(1.0 if distance == 0 else max(0.0, rng.random() - 0.5))
                columns["target_lengths"].append(int(rng.integers(1, 20)))
                columns["cause_lengths"].append(int(rng.integers(1, 20)))
                columns["same_speaker"].append(distance % 2 == 0)
                columns["target_positions"].append(target / n_turns)
    arrays = {name: np.array(values) for name, values in columns.items()}
    return PairFacts(PairTable(*(arrays[name] for name in keys)), **{name: arrays[name] for name in observed})


FACTS = random_facts(0)
P = np.random.default_rng(1).beta(0.4, 0.8, size=(3, len(FACTS)))


def mean_over_seeds(values, keep):
    return statistics.mean(statistics.mean(row[i] for i in keep) for row in values.tolist())


def indices(condition):
    return [i for i in range(len(FACTS)) if condition(i)]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_axis_runs_from_non_pairs_at_zero_to_causes_at_one(value, cause, non_pair):
    if abs(cause - non_pair) < 1e-6:
        return
    assert axis_coordinate(non_pair, cause, non_pair) == 0
    assert axis_coordinate(cause, cause, non_pair) == 1
    moved = axis_coordinate(value + 1, cause + 1, non_pair + 1)
    assert math.isclose(moved, axis_coordinate(value, cause, non_pair), rel_tol=1e-4, abs_tol=1e-4)


def test_binary_axis():
    table = binary_axis(P, FACTS.roles).set_index("gold_role")
    expected = {role: mean_over_seeds(P, indices(lambda i, r=r: FACTS.roles[i] == r)) for r, role in enumerate(ROLES)}
    for role in ROLES:
        assert table.loc[role, "prob_pair_mean"] == pytest.approx(expected[role])
        position = (expected[role] - expected["non_pair"]) / (expected["emo_cause"] - expected["non_pair"])
        assert table.loc[role, "binary_axis_coordinate"] == pytest.approx(position)
    context = indices(lambda i: FACTS.roles[i] == 1)
    seeds = [statistics.mean(row[i] for i in context) for row in P.tolist()]
    assert table.loc["emo_context", "prob_pair_std"] == pytest.approx(statistics.stdev(seeds))
    rate = statistics.mean(float(row[i] >= 0.5) for row in P.tolist() for i in context)
    assert table.loc["emo_context", "pred_pair_rate"] == pytest.approx(rate)


def test_a_role_without_pairs_is_nan_and_one_seed_has_no_spread():
    table = binary_axis([0.9, 0.1], [0, 2]).set_index("gold_role")
    assert math.isnan(table.loc["emo_context", "prob_pair_mean"])
    assert table.loc["emo_context", "n"] == 0
    assert math.isnan(table.loc["emo_cause", "prob_pair_std"])


def test_context_channel_and_directions():
    table = context_channel(P, FACTS.roles).set_index("gold_role")
    context, non_pair = (mean_over_seeds(P, indices(lambda i, r=r: FACTS.roles[i] == r)) for r in (1, 2))
    assert table.loc["emo_context", "prob_emo_context_mean"] == pytest.approx(context)
    assert table.loc["non_pair", "prob_emo_context_mean"] == pytest.approx(non_pair)
    predicted = np.random.default_rng(2).integers(0, 3, size=(3, len(FACTS)))
    keep = indices(lambda i: FACTS.roles[i] == 1)
    rates = context_directions(predicted, FACTS.roles)
    for key, role in (("context_as_cause_rate", 0), ("context_hit_rate", 1), ("context_as_non_pair_rate", 2)):
        expected = statistics.mean(float(row[i] == role) for row in predicted.tolist() for i in keep)
        assert rates[key] == pytest.approx(expected)
    assert rates["context_collapse_rate"] == pytest.approx(1 - rates["context_hit_rate"])


@pytest.mark.parametrize("variant", ["as_published", "corrected"])
def test_evidence_removal(variant):
    # Without its evidence a pair may be likelier, too.
    q = np.minimum(P * np.random.default_rng(3).uniform(0, 1.5, P.shape), 1.0)
    table = evidence_removal(P, q, FACTS.roles, FACTS.distances, variant=variant).set_index("final_gold")
    for r, role in enumerate(ROLES):
        keep = indices(lambda i, r=r: FACTS.roles[i] == r and (variant == "as_published" or FACTS.distances[i] != 0))
        pairs = [(P[s, i], q[s, i]) for s in range(3) for i in keep]
        row = table.loc[role]
        assert row["n"] == len(pairs)
        assert row["delta_prob_mean"] == pytest.approx(statistics.mean(p - a for p, a in pairs))
        assert row["delta_prob_std"] == pytest.approx(statistics.stdev(p - a for p, a in pairs))
        assert row["retention_prob_mean"] == pytest.approx(statistics.mean(a / p for p, a in pairs))
        predicted = [(p, a) for p, a in pairs if p >= 0.5]
        kept = [a for _, a in predicted if a >= 0.5]
        assert row["full_pred_rate"] == pytest.approx(len(predicted) / len(pairs))
        assert row["retained_rate_over_all"] == pytest.approx(len(kept) / len(pairs))
        assert row["retained_rate_given_full_pred"] == pytest.approx(len(kept) / len(predicted))


def test_the_corrected_removal_has_no_self_pairs():
    q = np.where(FACTS.distances == 0, P, 0.0)  # a self-pair keeps its evidence, the others lose everything
    published = evidence_removal(P, q, FACTS.roles, FACTS.distances, variant="as_published")
    corrected = evidence_removal(P, q, FACTS.roles, FACTS.distances, variant="corrected")
    assert published["retention_prob_mean"][0] > 0.1
    assert corrected["retention_prob_mean"][0] == 0


def naive_bucket(d):
    d = abs(d)
    return str(d) if d <= 3 else "4-5" if d <= 5 else "6-10" if d <= 10 else ">10"


def test_distance_profile():
    table = distance_profile(P, FACTS.roles, FACTS.distances).set_index("dist_bucket")
    for bucket in ABSOLUTE_BUCKETS:
        means = {}
        for r, role in enumerate(ROLES):
            keep = indices(lambda i, r=r, b=bucket: FACTS.roles[i] == r and naive_bucket(int(FACTS.distances[i])) == b)
            means[role] = mean_over_seeds(P, keep) if keep else math.nan
            assert table.loc[bucket, role] == pytest.approx(means[role], nan_ok=True)
            if role == "emo_context":
                assert table.loc[bucket, "context_n"] == len(keep)
        expected = axis_coordinate(means["emo_context"], means["emo_cause"], means["non_pair"])
        assert table.loc[bucket, "context_position"] == pytest.approx(expected, nan_ok=True)


def test_role_distances_count_every_pair_once():
    table = role_distances(FACTS.roles, FACTS.distances)
    assert table["count"].sum() == len(FACTS)
    assert table.groupby("label")["pct_within_split_label"].sum().to_numpy() == pytest.approx(1)
    assert ("emo_context", "0") not in set(zip(table["label"], table["distance_bucket"], strict=True))


SPLITS = np.random.default_rng(4).choice(["train", "validation", "test"], size=len(FACTS), p=[0.5, 0.2, 0.3])


def naive_top(scores, where):
    chosen = []
    for split in sorted({SPLITS[i] for i in where}):
        here = [i for i in where if SPLITS[i] == split]
        chosen += sorted(here, key=lambda i: -scores[i])[: math.ceil(len(here) / 20)]
    return chosen


def test_uncertainty_as_published_pools_splits_and_averages_seeds_first():
    table = uncertainty_enrichment(P, FACTS.roles, SPLITS, variant="as_published").set_index("set")
    chosen = naive_top((-abs(P.mean(axis=0) - 0.5)).tolist(), range(len(FACTS)))
    row = table.loc["closest_to_half"]
    share = statistics.mean(float(FACTS.roles[i] == 1) for i in chosen)
    base = statistics.mean(float(role == 1) for role in FACTS.roles)
    assert row["n"] == len(chosen)
    assert row["emo_context_rate"] == pytest.approx(share)
    assert row["context_lift_vs_all"] == pytest.approx(share / base)
    assert row["context_coverage"] == pytest.approx(share * len(chosen) / (FACTS.roles == 1).sum())
    assert row["split"] == "train+validation+test"
    disagree = [i for i in range(len(FACTS)) if len({bool(row[i] >= 0.5) for row in P}) == 2]
    assert table.loc["seed_disagreement", "n"] == len(disagree)


def test_uncertainty_corrected_looks_at_test_pairs_seed_by_seed():
    table = uncertainty_enrichment(P, FACTS.roles, SPLITS, variant="corrected").set_index("set")
    test = [i for i in range(len(FACTS)) if SPLITS[i] == "test"]
    shares = []
    for row in P.tolist():
        chosen = naive_top([-abs(p - 0.5) for p in row], test)
        shares.append(statistics.mean(float(FACTS.roles[i] == 1) for i in chosen))
    assert table.loc["closest_to_half", "n"] == math.ceil(len(test) / 20)
    assert table.loc["closest_to_half", "emo_context_rate"] == pytest.approx(statistics.mean(shares))
    assert table.loc["closest_to_half", "split"] == "test"
    with pytest.raises(MetricInputError, match="test pairs"):
        uncertainty_enrichment(P, FACTS.roles, np.full(len(FACTS), "train"), variant="corrected")


def test_conflict_and_stress_subsets():
    d, roles, source = FACTS.distances, FACTS.roles, FACTS.source_pairs
    conflicts = conflict_subsets(FACTS)
    for i in range(len(FACTS)):
        assert conflicts["local_non_pair"][i] == (roles[i] == 2 and d[i] <= 1)
        assert conflicts["long_distance_emo_cause"][i] == (roles[i] == 0 and d[i] >= 6)
        assert conflicts["source_nonpair_emo_context"][i] == (roles[i] == 1 and not source[i])
        assert conflicts["source_pair_not_cause"][i] == (roles[i] != 0 and source[i])
    published, corrected = (
        stress_subsets(FACTS, variant=v)["local_lexical_non_pair"] for v in ("as_published", "corrected")
    )
    assert (published & (d == 0)).any()
    np.testing.assert_array_equal(corrected, published & (d != 0))
    table = subset_scores({"s": published, "none": np.zeros(len(FACTS), bool)}, P, FACTS).set_index("subset")
    keep = np.flatnonzero(published)
    assert table.loc["s", "prob_mean"] == pytest.approx(mean_over_seeds(P, keep))
    assert table.loc["s", "self_pair_share"] == pytest.approx(statistics.mean(float(d[i] == 0) for i in keep))
    assert table.loc["none", "n"] == 0
    assert math.isnan(table.loc["none", "pred_rate"])


def test_matches_are_non_pairs_of_the_same_dialogue_and_distance_used_once():
    contexts, matches = match_contexts(FACTS)
    assert len(set(matches.tolist())) == len(matches) > 20
    assert (FACTS.roles[contexts] == 1).all()
    assert (FACTS.roles[matches] == 2).all()
    np.testing.assert_array_equal(FACTS.pairs.dialogue_ids[contexts], FACTS.pairs.dialogue_ids[matches])
    np.testing.assert_array_equal(FACTS.distances[contexts], FACTS.distances[matches])
    contrast = matched_contrast(P, FACTS)
    differences = [row[c] - row[m] for row in P.tolist() for c, m in zip(contexts, matches, strict=True)]
    assert contrast.difference == pytest.approx(statistics.mean(differences))
    assert contrast.difference_sd == pytest.approx(statistics.stdev(differences))
    assert contrast.n_matches + contrast.n_unmatched == (FACTS.roles == 1).sum()


def test_a_model_of_distance_alone_is_told_by_its_proxies_and_noise_is_not():
    rng = np.random.default_rng(5)
    by_distance = (np.abs(FACTS.distances) <= 1).astype(float)
    fit = predict_from_proxies(by_distance + 0.01 * rng.random(len(FACTS)), FACTS)
    assert fit.r2 > 0.99
    assert fit.spearman > 0.5
    assert math.isnan(fit.auc)
    assert predict_from_proxies(by_distance > 0.5, FACTS).auc > 0.999
    noise = predict_from_proxies(rng.random(len(FACTS)), FACTS)
    assert noise.r2 < 0.05
    assert abs(noise.spearman) < 0.2
    assert math.isnan(predict_from_proxies(np.zeros(len(FACTS), bool), FACTS).auc)
    assert observable_features(FACTS, with_source=True).shape[1] == observable_features(FACTS).shape[1] + 1


def test_pair_confidence_names_mean_and_spread_of_every_quantity():
    systems = {"a": [predictions(seed) for seed in range(3)], "b": [predictions(9)]}
    table = pair_confidence(systems).set_index(["system", "quantity"])
    gold = systems["b"][0].labels == 0
    p = systems["b"][0].probabilities[:, 0]
    assert table.loc[("b", "gold_confidence"), "mean"] == pytest.approx(p[gold].mean())
    assert math.isnan(table.loc[("b", "mrr"), "sd"])
    assert table.loc[("a", "mrr"), "n_seeds"] == 3


def predictions(seed: int, order: np.ndarray | None = None) -> Predictions:
    p = np.random.default_rng(seed).dirichlet([1, 1, 1], size=len(FACTS))
    order = np.arange(len(FACTS)) if order is None else order
    return Predictions(
        pairs=FACTS.pairs.take(order),
        probabilities=p[order],
        class_names=ROLES,
    )


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_predictions_are_found_in_whatever_order_they_come(seed):
    order = np.random.default_rng(seed).permutation(len(FACTS))
    shuffled = predictions(0, order)
    np.testing.assert_array_equal(shuffled.probabilities[FACTS.order_of(shuffled)], predictions(0).probabilities)


def test_predictions_of_other_pairs_are_refused_with_an_example():
    keep = np.arange(len(FACTS) - 1)
    with pytest.raises(RunFolderError, match=r"1 pair missing: \(dialogue d5, target 14, cause 14\)"):
        FACTS.order_of(predictions(0, keep))
    with pytest.raises(RunFolderError, match="more than once"):
        FACTS.order_of(predictions(0, np.append(keep, 0)))


def test_values_that_do_not_fit_are_named():
    with pytest.raises(MetricInputError, match=rf"shape \(seeds, {len(FACTS)}\)"):
        binary_axis(P[:, :5], FACTS.roles)
    with pytest.raises(MetricInputError, match="nan at seed 0, pair 3"):
        binary_axis(np.where(np.arange(len(FACTS)) == 3, np.nan, P[:1]), FACTS.roles)


ROW = {
    "dialogue_id": "d__c000",
    "source_dialogue_id": "d",
    "utterances": [
        {"turn": 1, "text": "No way, you won!", "speaker": "F"},
        {"turn": 2, "text": "You won? No.", "speaker": "M"},
    ],
    "pairs": [
        {"target_turn": 2, "cause_turn": 1, "label": 0, "source_pair": True},
        {"target_turn": 2, "cause_turn": 2, "label": 2, "source_pair": False},
    ],
}


def test_facts_are_read_from_rows():
    facts = pair_facts([ROW])
    assert facts.lexical_overlap.tolist() == [3 / 4, 1.0]
    assert facts.target_lengths.tolist() == [3, 3]
    assert facts.cause_lengths.tolist() == [4, 3]
    assert facts.same_speaker.tolist() == [False, True]
    assert facts.source_pairs.tolist() == [True, False]
    assert facts.target_positions.tolist() == [1.0, 1.0]
    assert facts.distances.tolist() == [1, 0]


def test_rows_without_source_labels_are_refused():
    row = {**ROW, "pairs": [{**ROW["pairs"][0], "source_pair": None}]}
    with pytest.raises(InvalidDataError, match=r"'d__c000', pair \(2, 1\) has no source label"):
        pair_facts([row])
