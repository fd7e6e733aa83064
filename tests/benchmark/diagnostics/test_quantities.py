"""Every diagnostic on two dialogues and two runs, against numbers computed by hand."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.diagnostics.proxies import predict_from_proxies
from iemomecp_dataset.benchmark.diagnostics.quantities import measure_proxies
from iemomecp_dataset.benchmark.diagnostics.views import Lacking, View
from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

# Dialogue, target, cause; gold role; source pair; lexical overlap; P(pair) of two binary runs; probabilities of the
# three roles of two three-role runs. B12 is a forward pair, and B22 a source pair that is no cause.
CAUSE, CONTEXT, NON = range(3)
TABLE = [
    ("A", 1, 1, NON, False, 1.0, 0.2, 0.4, (0.1, 0.2, 0.7), (0.2, 0.1, 0.7)),
    ("A", 2, 1, CAUSE, True, 0.0, 0.8, 0.6, (0.6, 0.3, 0.1), (0.5, 0.2, 0.3)),
    ("A", 2, 2, NON, False, 1.0, 0.4, 0.2, (0.2, 0.2, 0.6), (0.1, 0.3, 0.6)),
    ("A", 3, 1, CONTEXT, False, 0.0, 0.3, 0.5, (0.2, 0.5, 0.3), (0.5, 0.3, 0.2)),
    ("A", 3, 2, CAUSE, True, 0.0, 0.6, 0.4, (0.3, 0.4, 0.3), (0.6, 0.2, 0.2)),
    ("A", 3, 3, NON, False, 1.0, 0.0, 0.2, (0.0, 0.1, 0.9), (0.1, 0.1, 0.8)),
    ("A", 4, 2, NON, False, 0.0, 0.1, 0.1, (0.1, 0.1, 0.8), (0.1, 0.1, 0.8)),
    ("B", 1, 1, CAUSE, True, 1.0, 0.9, 0.7, (0.7, 0.1, 0.2), (0.6, 0.2, 0.2)),
    ("B", 1, 2, CAUSE, True, 0.5, 0.5, 0.3, (0.4, 0.0, 0.6), (0.3, 0.1, 0.6)),
    ("B", 2, 1, NON, False, 0.5, 0.1, 0.3, (0.1, 0.4, 0.5), (0.3, 0.1, 0.6)),
    ("B", 2, 2, NON, True, 1.0, 0.6, 0.6, (0.5, 0.1, 0.4), (0.2, 0.6, 0.2)),
]
DIALOGUES, TARGETS, CAUSES, ROLES, SOURCE, OVERLAP, *_ = (np.array(column) for column in zip(*TABLE, strict=True))
PAIR = np.array([[row[6] for row in TABLE], [row[7] for row in TABLE]])
SELF = TARGETS == CAUSES


def table_of(labels) -> PairTable:
    return PairTable(DIALOGUES, DIALOGUES, TARGETS, CAUSES, np.asarray(labels, dtype=np.int64))


FACTS = PairFacts(
    table_of(ROLES), SOURCE, OVERLAP, target_lengths=TARGETS + 1, cause_lengths=CAUSES + 2,
    same_speaker=(TARGETS - CAUSES) % 2 == 0, target_positions=TARGETS / 4,
)  # fmt: skip


def view(kind: str, runs=(0, 1), **changes) -> View:
    """Thresholds are 0.55 and 0.35 of binary runs, 0.65 and 0.45 of others; removal halves all but self-pairs."""
    if kind == "binary":
        probabilities = np.stack([PAIR, 1 - PAIR], axis=-1)
        names, labels, thresholds = PAIR_LABELS, np.where(SOURCE, 0, 1), (0.55, 0.35)
    else:
        probabilities = np.array([[row[8] for row in TABLE], [row[9] for row in TABLE]])
        names, labels, thresholds = ROLE_LABELS, ROLES, (0.65, 0.45)
    chosen = list(runs)
    removed = np.where(SELF[:, None], probabilities, probabilities / 2)
    removed[:, :, -1] += 1 - removed.sum(axis=-1)
    fields = {
        "pairs": table_of(labels), "splits": np.full(len(TABLE), "test"), "class_names": names,
        "probabilities": probabilities[chosen], "thresholds": tuple(thresholds[i] for i in chosen),
        "roles": ROLES, "facts": FACTS, "removed": removed[chosen],
        "binary": ((PAIR >= 0.5)[chosen], np.stack([PAIR[0] >= 0.55, PAIR[1] >= 0.35])[chosen]),
    }  # fmt: skip
    return View(**{**fields, **changes})


def measured(number: int, kind: str, variant: str, **options):
    found = DIAGNOSTICS[number - 1].measure(view(kind, **options), variant)
    assert len({quantity.key for quantity in found}) == len(found)
    return {tuple(part for part in quantity.key if part): quantity for quantity in found}


# Diagnostic, kind of run, runs, variant, then by key the value and what it is of.
BOTH, FIRST, SECOND = (0, 1), (0,), (1,)
CASES = [
    (1, "binary", BOTH, "as_published", {
        ("emo_cause", "prob_pair_mean"): (0.6, 4),
        ("emo_context", "prob_pair_mean"): (0.4, 1),
        ("non_pair", "prob_pair_mean"): (3.2 / 12, 6),
        ("emo_context", "binary_axis_coordinate"): (0.4, 1),  # (0.4 - 4/15) / (0.6 - 4/15)
        ("emo_cause", "pred_pair_rate"): (6 / 8, 4),  # 0.5 is decided for the first class
        ("emo_context", "pred_rate_coordinate"): (4 / 7, 1),  # (1/2 - 1/6) / (3/4 - 1/6)
    }),
    (1, "binary", FIRST, "corrected", {
        ("emo_context", "binary_axis_coordinate"): (1 / 7, 1),  # (0.3 - 1.4/6) / (0.7 - 1.4/6)
        ("emo_cause", "pred_pair_rate"): (3 / 4, 4),
        ("emo_context", "pred_pair_rate"): (0, 1),
    }),
    (1, "binary", SECOND, "corrected", {
        ("emo_context", "binary_axis_coordinate"): (1, 1),
        ("emo_cause", "pred_pair_rate"): (3 / 4, 4),
        ("emo_context", "pred_pair_rate"): (1, 1),
    }),
    (2, "roles", BOTH, "as_published", {
        ("emo_cause", "prob_emo_context_mean"): (0.1875, 4),
        ("emo_context", "prob_emo_context_mean"): (0.4, 1),
        ("non_pair", "prob_emo_context_mean"): (0.2, 6),
        ("emo_context", "context_lift_over_non_pair"): (2, 1),
        ("emo_context", "context_hit_rate"): (0.5, 1),
        ("emo_context", "context_as_cause_rate"): (0.5, 1),
        ("emo_context", "context_collapse_rate"): (0.5, 1),
        ("emo_context", "missed_context_to_cause_share"): (1, 1),
        ("predicted emo_context", "emo_cause", "rate_within_gold"): (1 / 8, 4),  # A32 of the first run
        ("predicted non_pair", "emo_cause", "rate_within_gold"): (2 / 8, 4),  # B12 of both
    }),
    (2, "roles", FIRST, "corrected", {
        ("emo_context", "context_lift_over_non_pair"): (0.5 * 6 / 1.1, 1),
        ("emo_context", "missed_context_to_cause_share"): (math.nan, 1),
        ("predicted emo_context", "emo_cause", "rate_within_gold"): (2 / 4, 4),  # A21 does not reach 0.65
    }),
    (3, "binary", BOTH, "as_published", {
        ("prob_pair", "emo_cause", "delta_prob_mean"): (1.6 / 8, 8),
        ("prob_pair", "emo_cause", "retention_prob_mean"): (5 / 8, 8),
        ("prob_pair", "emo_cause", "full_pred_rate"): (6 / 8, 8),
        ("prob_pair", "emo_cause", "retained_rate_over_all"): (2 / 8, 8),  # the self-pair of both runs
        ("prob_pair", "emo_cause", "retained_rate_given_full_pred"): (2 / 6, 8),
    }),
    (3, "binary", FIRST, "corrected", {
        ("prob_pair", "emo_cause", "delta_prob_mean"): (0.95 / 3, 3),
        ("prob_pair", "emo_cause", "retention_prob_mean"): (0.5, 3),
        ("prob_pair", "emo_cause", "full_pred_rate"): (2 / 3, 3),
        ("prob_pair", "emo_cause", "retained_rate_given_full_pred"): (0, 3),
    }),
    (3, "roles", BOTH, "as_published", {
        ("prob_emo_context", "emo_context", "delta_prob_mean"): (0.2, 2),
        ("prob_emo_context", "emo_context", "full_pred_rate"): (1 / 2, 2),  # most probable of three, not from 0.5 up
        ("prob_emo_context", "emo_cause", "full_pred_rate"): (1 / 8, 8),  # A32 of the first run, with 0.4
    }),
    (4, "binary", BOTH, "corrected", {
        ("1", "emo_cause", "prob_pair_mean"): (3.2 / 6, 3),  # the forward pair is at distance 1
        ("0", "emo_cause", "prob_pair_mean"): (0.8, 1),
        ("2", "emo_context", "prob_pair_mean"): (0.4, 1),
        ("0", "emo_context", "prob_pair_mean"): (math.nan, 0),
        ("1", "emo_cause", "pred_pair_rate"): (4 / 6, 3),
    }),
    (4, "roles", BOTH, "as_published", {
        ("1", "emo_cause", "prob_emo_context_mean"): (1.2 / 6, 3),
        ("2", "non_pair", "prob_emo_context_mean"): (0.1, 1),
        ("2", "emo_context", "pred_emo_context_rate"): (1 / 2, 1),
    }),
    (5, "binary", BOTH, "as_published", {
        ("closest_to_half", "emo_context_rate"): (0, 1),  # the mean of A32 is 0.5
        ("closest_to_half", "emo_cause_rate"): (1, 1),
        ("highest_probability", "emo_cause_rate"): (1, 1),
        ("lowest_probability", "non_pair_rate"): (1, 1),
        ("seed_disagreement", "emo_context_rate"): (1 / 3, 3),  # A31, A32, B12
        ("seed_disagreement", "context_lift_vs_all"): (11 / 3, 3),
        ("seed_disagreement", "context_coverage"): (1, 3),
    }),
    (5, "binary", SECOND, "corrected", {
        ("closest_to_half", "emo_context_rate"): (1, 1),  # A31
        ("closest_to_half", "context_lift_vs_all"): (11, 1),
        ("seed_disagreement", "emo_context_rate"): (math.nan, 0),
    }),
    (6, "binary", BOTH, "as_published", {
        ("local_non_pair", "prob_pair_mean"): (0.3, 10),
        ("local_non_pair", "pred_pair_rate"): (0.2, 10),
        ("local_non_pair", "self_pair_share"): (0.8, 10),
        ("source_pair_not_cause", "prob_pair_mean"): (0.6, 2),
        ("source_nonpair_emo_context", "prob_pair_mean"): (0.4, 2),
        ("source_nonpair_emo_context", "mean_distance"): (2, 2),
        ("long_distance_emo_cause", "prob_pair_mean"): (math.nan, 0),
    }),
    (6, "binary", SECOND, "corrected", {("local_non_pair", "pred_pair_rate"): (2 / 5, 5)}),  # A11 and B22 from 0.35 up
    (6, "roles", BOTH, "as_published", {
        ("source_pair_not_cause", "prob_emo_context_mean"): (0.35, 2),
        ("source_pair_not_cause", "prob_emo_cause_mean"): (0.35, 2),
        ("source_pair_not_cause", "pred_emo_cause_rate"): (0.5, 2),
    }),
    (7, "binary", FIRST, "as_published", {
        ("local_lexical_non_pair", "prob_pair_mean"): (1.3 / 5, 5),
        ("local_lexical_non_pair", "self_pair_share"): (0.8, 5),
        ("local_lexical_non_pair", "mean_lexical_overlap"): (0.9, 5),
        ("source_nonpair_emo_context", "prob_pair_mean"): (0.3, 1),
    }),
    (7, "binary", FIRST, "corrected", {
        ("local_lexical_non_pair", "prob_pair_mean"): (0.1, 1),
        ("local_lexical_non_pair", "self_pair_share"): (0, 1),
    }),
    (8, "binary", BOTH, "as_published", {
        ("matched", "emo_context", "prob_pair_mean"): (0.4, 2),
        ("matched", "non_pair", "prob_pair_mean"): (0.1, 2),  # A42
        ("matched", "context_minus_non_pair"): (0.3, 2),
        ("emo_context", "contexts_without_match"): (0, 1),
    }),
    (8, "roles", FIRST, "corrected", {("matched", "context_minus_non_pair"): (0.4, 1)}),
    (10, "roles", FIRST, "as_published", {
        ("context_to_negative", "f1"): (6 / 7, 11),
        ("context_to_negative", "recall"): (3 / 4, 11),
        ("context_to_positive", "f1"): (8 / 9, 11),
        ("drop_context", "f1"): (1, 9),
        ("drop_context", "coverage_rate"): (9 / 11, 9),
        ("context_to_negative", "delta_f1_vs_original"): (6 / 7 - 8 / 9, 11),  # B12 is a false positive
    }),
    (10, "roles", FIRST, "corrected", {
        ("context_to_negative", "f1"): (2 / 6, 11),  # only B11 reaches 0.65, and B12 is a fifth gold pair
        ("context_to_negative", "delta_f1_vs_original"): (2 / 6 - 8 / 9, 11),  # the binary run finds 4 of 5
    }),
    (11, "binary", FIRST, "as_published", {
        ("gold_negative_gap",): ((0.4 + 0.45 + 0.5) / 3, 3),
        ("gold_confidence",): (3.4 / 5, 5),
        ("negative_confidence",): (1.1 / 6, 6),
        ("margin_violation_all",): (0, 3),
        ("mrr",): (1, 4),
        ("pair_precision",): (1, 11),
        ("pair_recall",): (4 / 5, 11),
    }),
]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "kind", "runs", "variant", "expected"), CASES, ids=[f"{c[0]}-{c[1]}-{c[3]}-{len(c[2])}" for c in CASES]
)
def test_a_diagnostic_gives_the_numbers_computed_by_hand(number, kind, runs, variant, expected):
    found = measured(number, kind, variant, runs=runs)
    values = {key: found[key].value for key in expected}
    assert values == pytest.approx({key: value for key, (value, _) in expected.items()}, abs=1e-12, nan_ok=True)
    assert {key: found[key].n for key in expected} == {key: n for key, (_, n) in expected.items()}


def test_every_diagnostic_but_the_proxies_has_a_case_in_each_of_its_variants():
    assert {(number, variant) for number, _, _, variant, _ in CASES} == {
        (number, variant)
        for number, diagnostic in enumerate(DIAGNOSTICS, start=1)
        for variant in diagnostic.variants
        if number != 9
    }


@pytest.mark.parametrize(
    ("number", "key", "values"),
    [
        (3, ("prob_pair", "emo_cause", "delta_prob_mean"), [0.4, 0.3, 0.0, 0.25, 0.3, 0.2, 0.0, 0.15]),
        (6, ("local_non_pair", "prob_pair_mean"), [0.2, 0.4, 0.0, 0.1, 0.6, 0.4, 0.2, 0.2, 0.3, 0.6]),
        (8, ("matched", "context_minus_non_pair"), [0.2, 0.4]),
        (8, ("matched", "emo_context", "prob_pair_mean"), [0.3, 0.5]),
    ],
)
def test_pooled_deviations_are_over_the_pairs_of_all_runs(number, key, values):
    assert measured(number, "binary", "as_published")[key].pooled_sd == pytest.approx(statistics.stdev(values))


@pytest.mark.parametrize(("variant", "decided"), [("as_published", PAIR[1] >= 0.5), ("corrected", PAIR[1] >= 0.35)])
def test_proxies_predict_decisions_of_the_variant_and_probabilities(variant, decided):
    found = {q.key: q.value for q in measure_proxies(view("binary", runs=SECOND), variant)}
    for subset, with_source in (("observable_only", False), ("with_source_binary", True)):
        hard = predict_from_proxies(decided, FACTS, with_source=with_source)
        soft = predict_from_proxies(PAIR[1], FACTS, with_source=with_source)
        expected = {"auc_of_pred_pair": hard.auc, "r2_of_prob_pair": soft.r2, "spearman_of_prob_pair": soft.spearman}
        assert {name: found[subset, "", name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(("number", "kind", "changes"), [
    (1, "binary", {"roles": Lacking("no roles")}),
    (3, "binary", {"removed": Lacking("no removal")}),
    (6, "roles", {"facts": Lacking("no data")}),
    (7, "binary", {"facts": Lacking("no data")}),
    (8, "binary", {"facts": Lacking("no data")}),
    (9, "binary", {"facts": Lacking("no data"), "probabilities": np.stack([PAIR, 1 - PAIR], axis=-1)}),
    (10, "roles", {"facts": Lacking("no data")}),
])  # fmt: skip
def test_what_is_lacking_is_the_reason(number, kind, changes):
    (reason,) = (value.reason for value in changes.values() if isinstance(value, Lacking))
    with pytest.raises(MissingDataError, match=reason):
        measured(number, kind, "corrected", **changes)


def test_a_remap_without_binary_run_has_scores_and_no_delta():
    found = measured(10, "roles", "as_published", runs=FIRST, binary=Lacking("no binary run"))
    assert found["drop_context", "f1"].value == 1
    delta = found["drop_context", "delta_f1_vs_original"]
    assert math.isnan(delta.value)
    assert delta.undefined == "no binary run"


def test_overlap_of_missing_texts_is_unknown_and_never_zero():
    overlap = np.where(DIALOGUES == "B", np.nan, OVERLAP)
    facts = PairFacts(**{**vars(FACTS), "lexical_overlap": overlap})
    found = measured(7, "binary", "as_published", facts=facts)
    lexical = [quantity for key, quantity in found.items() if key[0] == "local_lexical_non_pair"]
    assert all(math.isnan(quantity.value) and "no text" in quantity.undefined for quantity in lexical)
    assert found["source_nonpair_emo_context", "prob_pair_mean"].value == pytest.approx(0.4)


def test_out_of_fold_predictions_are_decided_by_the_threshold_of_each_pair() -> None:
    probabilities = np.array([[[0.5, 0.2, 0.3], [0.5, 0.2, 0.3], [0.5, 0.2, 0.3]]])
    of_pairs = view("roles", probabilities=probabilities, thresholds=(np.array([0.4, 0.6, np.nan]),))
    assert of_pairs.decided("corrected").tolist() == [[0, 2, 0]]
    assert of_pairs.decided("as_published").tolist() == [[0, 0, 0]]
