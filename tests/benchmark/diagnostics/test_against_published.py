"""The formulas of the diagnostics, held against every published aggregate that they can be checked on."""

from __future__ import annotations

import numpy as np
import pytest

from iemomecp_dataset.benchmark.diagnostics.binary_axis import axis_coordinate
from iemomecp_dataset.benchmark.diagnostics.distance_profile import ABSOLUTE_BUCKETS
from iemomecp_dataset.benchmark.published.tables import published_table

ROLES = ["emo_cause", "emo_context", "non_pair"]


def by_family(name):
    return published_table(name).groupby("family")


def angles():
    return published_table("diagnostic_angle_metrics_by_family").set_index("family")


def test_axis_coordinates_of_mean_probabilities():
    for family, rows in by_family("binary_axis_and_removal_by_family_long"):
        means = rows.set_index("gold_role")["prob_pair_mean"]
        got = axis_coordinate(means["emo_context"], means["emo_cause"], means["non_pair"])
        assert got == pytest.approx(angles().loc[family, "binary_prob_ctx_position"], abs=1e-12)


def test_axis_coordinates_of_hard_rates():
    for _, row in angles().iterrows():
        got = axis_coordinate(
            row["binary_ctx_pair_rate"], row["binary_cause_pair_rate"], row["binary_nonpair_pair_rate"]
        )
        assert got == pytest.approx(row["binary_ctx_position"], abs=1e-12)


def test_coordinates_of_the_axis_figure():
    table = published_table("figure_binary_axis_role_geometry").set_index("gold_role")
    means = table["prob_pair_mean"]
    for role in ROLES:
        got = axis_coordinate(means[role], means["emo_cause"], means["non_pair"])
        assert got == pytest.approx(table.loc[role, "binary_axis_coordinate"], abs=1e-12)


def test_context_lifts():
    for family, rows in by_family("context_channel_threeclass_by_family_long"):
        means = rows.set_index("gold_role")["prob_emo_context_mean"]
        lift = angles().loc[family, "three_context_prob_lift_over_nonpair"]
        assert means["emo_context"] / means["non_pair"] == pytest.approx(lift, abs=1e-12)


def test_context_positions_by_distance():
    for _, row in published_table("distance_bucket_binary_axis_rwc_fusion").iloc[1:].iterrows():
        got = axis_coordinate(row["emo_context"], row["emo_cause"], row["non_pair"])
        assert got == pytest.approx(row["context_position"], abs=1e-12)


def test_the_axis_by_distance_pools_train_pairs_and_the_context_profile_is_of_test():
    counts = published_table("distance_distribution_by_split_label")
    contexts = counts[counts["label"] == "emo_context"].pivot(index="distance_bucket", columns="split", values="count")
    pooled = published_table("distance_bucket_binary_axis_rwc_fusion").set_index("dist_bucket")["context_n"].dropna()
    of_test = published_table("distance_bucket_context_probability_rwc_fusion").set_index("dist_bucket")["context_n"]
    for bucket, n in pooled.items():
        assert n == contexts.loc[bucket, ["train", "valid", "test"]].sum()
        assert of_test[bucket] == contexts.loc[bucket, "test"]


def test_the_context_profile_by_distance_adds_up_to_the_context_channel():
    counts = published_table("distance_distribution_by_split_label")
    counts = counts[counts["split"] == "test"].pivot(index="distance_bucket", columns="label", values="count").fillna(0)
    profile = published_table("distance_bucket_context_probability_rwc_fusion").set_index("dist_bucket")
    total = published_table("figure_context_channel_threeclass").set_index("gold_role")["prob_emo_context_mean"]
    assert list(profile.index) == list(ABSOLUTE_BUCKETS)
    for role in ROLES:
        weights = counts.loc[list(ABSOLUTE_BUCKETS), role]
        got = (profile[role].fillna(0) * weights).sum() / weights.sum()
        assert got == pytest.approx(total[role], abs=1e-9)


def test_kept_decisions_after_removal():
    table = published_table("evidence_removal_by_family_and_gold_appendix")
    for kind in ("pair", "context"):
        rows = table[table[f"full_pred_{kind}_rate"].gt(0)]
        assert len(rows) > 5
        got = (rows[f"pred_{kind}_retained_after_removal_rate_over_all"] / rows[f"full_pred_{kind}_rate"]).to_numpy()
        published = rows[f"pred_{kind}_retained_after_removal_rate_given_full_pred"].to_numpy()
        np.testing.assert_allclose(got, published, atol=1e-12)


def test_enrichment_takes_five_percent_of_each_split_rounded_up():
    table = published_table("rwc_fusion_uncertainty_enrichment").set_index("set")
    sizes = published_table("dataset_label_distribution_wide").set_index("split")
    total = {split: int(sizes.loc[split, ROLES].sum()) for split in ("train", "valid", "test")}
    assert [-(-n * 5 // 100) for n in total.values()] == [2667, 725, 914]
    for name, row in table.iterrows():
        if "top5pct" in name:
            assert row["n"] == 2667 + 725 + 914
        assert row["emo_context_rate"] == pytest.approx(row["emo_context"] / row["n"], abs=1e-12)
        assert row["context_lift_vs_all"] == pytest.approx(row["emo_context_rate"] / (4346 / 86075), abs=1e-12)
        assert row["context_coverage"] == pytest.approx(row["emo_context"] / 4346, abs=1e-12)


def test_sizes_of_the_conflict_subsets_follow_from_the_published_counts():
    table = published_table("shortcut_conflict_subsets_by_family_appendix").drop_duplicates("conflict_subset")
    n = (table["n"] / table["runs"]).set_axis(table["conflict_subset"])
    counts = published_table("distance_distribution_by_split_label")
    counts = counts[counts["split"] == "test"].set_index(["label", "distance_bucket"])["count"]
    assert n["local_non_pair"] == counts["non_pair", "0"] + counts["non_pair", "1"] == 1898
    assert n["long_distance_emo_cause"] <= counts["emo_cause", "6-10"] + counts["emo_cause", ">10"] == 96
    transition = published_table("original_binary_to_final_role_transition")
    test = transition[transition["split"] == "test"].set_index("original_binary_role")
    assert n["source_nonpair_emo_context"] == test.loc["orig_non_pair", "emo_context"] == 854
    assert n["source_pair_not_cause"] == test.loc["orig_pair", ["emo_context", "non_pair"]].sum() == 146


def test_contrasts_are_differences_of_means():
    table = published_table("matched_pair_contrast_by_family_appendix")
    binary = table[table["analysis"] == "binary_prob_pair"]
    got = binary["context_binary_prob_pair_mean"] - binary["non_pair_binary_prob_pair_mean"]
    np.testing.assert_allclose(got, binary["context_minus_non_pair_prob_pair_mean"], atol=1e-12)


def test_three_quarters_of_the_published_stress_set_are_self_pairs():
    """Its mean distance is below 0.26 although every pair in it is at distance 0 or 1."""
    table = published_table("shortcut_vs_evidence_stress_by_family_appendix")
    lexical = table[table["stress_subset"] == "local_lexical_non_pair"]
    assert (1 - lexical["mean_distance_mean"]).to_numpy() == pytest.approx(0.74, abs=0.005)
