"""What each diagnostic measures on a view: a list of numbers, each with its group and the number of its pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.diagnostics.binary_axis import binary_axis
from iemomecp_dataset.benchmark.diagnostics.context_channel import context_channel, context_directions
from iemomecp_dataset.benchmark.diagnostics.distance_profile import distance_profile, role_distances
from iemomecp_dataset.benchmark.diagnostics.evidence_removal import evidence_removal
from iemomecp_dataset.benchmark.diagnostics.matched_contrast import matched_contrast
from iemomecp_dataset.benchmark.diagnostics.pair_confidence import confidence_of_run
from iemomecp_dataset.benchmark.diagnostics.proxies import predict_from_proxies
from iemomecp_dataset.benchmark.diagnostics.shortcuts import conflict_subsets, stress_subsets, subset_scores
from iemomecp_dataset.benchmark.diagnostics.uncertainty import uncertainty_enrichment
from iemomecp_dataset.benchmark.diagnostics.variant import CAUSE, CONTEXT, NON_PAIR, Variant
from iemomecp_dataset.benchmark.diagnostics.views import Lacking, View, given
from iemomecp_dataset.metrics.roles import binary_counts_scores, source_binary_remaps
from iemomecp_dataset.metrics.scoring import confusion_matrix, pair_scores
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = [
    "Quantity",
    "measure_binary_axis",
    "measure_confidence",
    "measure_conflicts",
    "measure_context_channel",
    "measure_contrast",
    "measure_distances",
    "measure_proxies",
    "measure_remaps",
    "measure_removal",
    "measure_stress",
    "measure_uncertainty",
]


@dataclass(frozen=True)
class Quantity:
    """One number of a diagnostic.

    Attributes:
        name: Name of the quantity; probabilities and rates are shares, not percent.
        value: The number; NaN where it is undefined.
        n: Pairs that it is of (targets, where the quantity is of targets).
        gold_role: Gold role of these pairs; empty: all of them.
        subset: Distance bucket, subset, selection, strategy or feature set; empty: none.
        pooled_sd: Standard deviation over all pairs of all runs (ddof 1), where the paper reports that.
        undefined: Why the value is NaN, if it is.
        of_probabilities: Whether the number needs probabilities; others come from decisions or the data alone.
        over_runs: Whether the number compares several runs, and does not exist for a single one.
    """

    name: str
    value: float
    n: float
    gold_role: str = ""
    subset: str = ""
    pooled_sd: float = math.nan
    undefined: str = "there are no such pairs"
    of_probabilities: bool = True
    over_runs: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """Tells the numbers of one diagnostic apart."""
        return self.subset, self.gold_role, self.name


_SAME_MEANS = "causes and non-pairs have the same mean, or one of the roles has no pairs"


def measure_binary_axis(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 1."""
    table = binary_axis(view.probabilities[:, :, 0], given(view.roles), view.decided(variant) == 0)
    found = []
    for row in _records(table):
        role, n = row["gold_role"], row["n"]
        found += [
            Quantity("prob_pair_mean", row["prob_pair_mean"], n, role),
            Quantity("binary_axis_coordinate", row["binary_axis_coordinate"], n, role, undefined=_SAME_MEANS),
            Quantity("pred_pair_rate", row["pred_pair_rate"], n, role, of_probabilities=False),
            Quantity("pred_rate_coordinate", row["pred_rate_coordinate"], n, role, undefined=_SAME_MEANS,
                     of_probabilities=False),
        ]  # fmt: skip
    return found


def measure_context_channel(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 2; with the confusion matrix, of which the error direction of missed contexts is one row."""
    roles, decided = given(view.roles), view.decided(variant)
    table = context_channel(view.probabilities[:, :, CONTEXT], roles).set_index("gold_role")
    means, sizes = table["prob_emo_context_mean"], table["n"]
    found = [Quantity("prob_emo_context_mean", means[role], sizes[role], role) for role in ROLE_LABELS]
    context, non_pair = ROLE_LABELS[CONTEXT], ROLE_LABELS[NON_PAIR]
    lift = means[context] / means[non_pair] if means[non_pair] else math.nan
    found.append(
        Quantity("context_lift_over_non_pair", lift, sizes[context], context,
                 undefined="non-pairs have a mean of 0, or one of the two roles has no pairs")
    )  # fmt: skip
    found += [
        Quantity(name, value, sizes[context], context, of_probabilities=False,
                 undefined="no context is missed" if "missed" in name and sizes[context] else "there are no contexts")
        for name, value in context_directions(decided, roles).items()
    ]  # fmt: skip
    counts = confusion_matrix(roles, decided, len(ROLE_LABELS))
    for gold, of_gold in zip(ROLE_LABELS, counts, strict=True):
        rates = of_gold / of_gold.sum() if of_gold.sum() else np.full(len(ROLE_LABELS), math.nan)
        found += [
            Quantity("rate_within_gold", float(rate), sizes[gold], gold, f"predicted {name}", of_probabilities=False)
            for name, rate in zip(ROLE_LABELS, rates, strict=True)
        ]
    return found


def measure_removal(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 3: of P(pair) for binary models, of P(emo_context) for three-role ones."""
    class_id, subset = _class_of_interest(view)
    before, after = view.decided(variant) == class_id, view.decided_without_evidence(variant) == class_id
    table = evidence_removal(
        view.probabilities[:, :, class_id],
        given(view.removed)[:, :, class_id],
        given(view.roles),
        view.pairs.distances,
        variant=variant,
        decided=(before, after),
    )
    why = {
        "retention_prob_mean": "no pair has a probability above 0 before removal",
        "retained_rate_given_full_pred": "no pair is decided for before removal",
    }
    names = ("delta_prob_mean", "retention_prob_mean", "full_pred_rate", "retained_rate_over_all",
             "retained_rate_given_full_pred")  # fmt: skip
    return [
        Quantity(name, row[name], row["n"], row["final_gold"], subset,
                 pooled_sd=row["delta_prob_std"] if name == "delta_prob_mean" else math.nan,
                 undefined=why.get(name, "") if row["n"] and name in why else "there are no such pairs",
                 of_probabilities=name in ("delta_prob_mean", "retention_prob_mean"))
        for row in _records(table)
        for name in names
    ]  # fmt: skip


def measure_distances(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 4: of P(pair) for binary models, of P(emo_context) for three-role ones, and of hard predictions."""
    class_id, name = _class_of_interest(view)
    roles, distances = given(view.roles), view.pairs.distances
    counted = role_distances(roles, distances).set_index(["distance_bucket", "label"])["count"]
    found = []
    for quantity, values, soft in (
        (f"{name}_mean", view.probabilities[:, :, class_id], True),
        (f"pred_{name.removeprefix('prob_')}_rate", view.decided(variant) == class_id, False),
    ):
        for row in _records(distance_profile(values, roles, distances)):
            bucket = row["dist_bucket"]
            found += [
                Quantity(quantity, row[role], int(counted.get((bucket, role), 0)), role, bucket, of_probabilities=soft)
                for role in ROLE_LABELS
            ]
            found.append(
                Quantity(f"context_position_of_{quantity}", row["context_position"], row["context_n"],
                         ROLE_LABELS[CONTEXT], bucket, undefined=_SAME_MEANS, of_probabilities=soft)
            )  # fmt: skip
    return found


def measure_uncertainty(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 5."""
    table = uncertainty_enrichment(view.probabilities[:, :, 0], given(view.roles), view.splits, variant=variant)
    names = [f"{role}_rate" for role in ROLE_LABELS]
    names += ["all_context_rate", "context_lift_vs_all", "context_coverage"]
    why = "no pair is selected" if view.n_runs > 1 else "with one run there is nothing to disagree with"
    return [
        Quantity(name, row[name], row["n"], subset=row["set"],
                 undefined="there are no contexts" if row["n"] else why,
                 of_probabilities=name != "all_context_rate" and row["set"] != "seed_disagreement",
                 over_runs=row["set"] == "seed_disagreement")
        for row in _records(table)
        for name in names
    ]  # fmt: skip


def measure_conflicts(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 6: of P(pair) for binary models, of P(emo_context) and P(emo_cause) for three-role ones."""
    return list(_of_subsets(view, conflict_subsets(given(view.facts)), variant))


def measure_stress(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 7."""
    return list(_of_subsets(view, stress_subsets(given(view.facts), variant=variant), variant))


def measure_contrast(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 8: of P(pair) for binary models, of P(emo_context) for three-role ones."""
    class_id, name = _class_of_interest(view)
    contrast = matched_contrast(view.probabilities[:, :, class_id], given(view.facts))
    n = contrast.n_matches * view.n_runs
    context, non_pair = ROLE_LABELS[CONTEXT], ROLE_LABELS[NON_PAIR]
    why = "no context has a non-pair of the same dialogue and distance"
    return [
        Quantity(f"{name}_mean", contrast.context_mean, n, context, "matched", contrast.context_sd, why),
        Quantity(f"{name}_mean", contrast.non_pair_mean, n, non_pair, "matched", contrast.non_pair_sd, why),
        Quantity("context_minus_non_pair", contrast.difference, n, "", "matched", contrast.difference_sd, why),
        Quantity("contexts_without_match", contrast.n_unmatched, contrast.n_matches + contrast.n_unmatched, context,
                 of_probabilities=False),
    ]  # fmt: skip


def measure_proxies(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 9, of one run: of P(pair) for binary models, of P(emo_context) for three-role ones."""
    class_id, name = _class_of_interest(view)
    facts, hard = given(view.facts), view.decided(variant)[0] == class_id
    found = []
    for subset, with_source in (("observable_only", False), ("with_source_binary", True)):
        of_hard = predict_from_proxies(hard, facts, with_source=with_source)
        found.append(
            Quantity(f"auc_of_pred_{name.removeprefix('prob_')}", of_hard.auc, of_hard.n, subset=subset,
                     undefined="one decision alone occurs in the pairs of some fold", of_probabilities=False)
        )  # fmt: skip
        if not view.decisions_alone:
            fit = predict_from_proxies(view.probabilities[0, :, class_id], facts, with_source=with_source)
            values = (("r2", fit.r2), ("spearman", fit.spearman))
        else:
            values = (("r2", math.nan), ("spearman", math.nan))
        found += [
            Quantity(f"{key}_of_{name}", value, len(facts), subset=subset, undefined="all probabilities are equal")
            for key, value in values
        ]
    return found


def measure_remaps(view: View, variant: Variant) -> list[Quantity]:
    """Diagnostic 10, of one run; forward source pairs are gold non-pairs as published, gold pairs corrected."""
    facts = given(view.facts)
    gold = facts.source_pairs & (facts.distances >= 0) if variant == "as_published" else facts.source_pairs
    trained_f1 = None
    if not isinstance(view.binary, Lacking):
        trained = view.binary[0 if variant == "as_published" else 1][0]
        trained_f1 = float(
            binary_counts_scores(
                tp=int((trained & gold).sum()), fp=int((trained & ~gold).sum()),
                fn=int((~trained & gold).sum()), tn=int((~trained & ~gold).sum()),
            )["f1"]
        )  # fmt: skip
    remaps = source_binary_remaps(view.decided(variant)[0], gold, binary_trained_f1=trained_f1)
    lacking = view.binary.reason if isinstance(view.binary, Lacking) else ""
    names = ("f1", "precision", "recall", "coverage_rate", "pred_context_rate", "delta_f1_vs_original")
    return [
        Quantity(name, float(scores.get(name, math.nan)), scores["coverage_n"], subset=strategy, undefined=lacking,
                 of_probabilities=False)
        for strategy, scores in remaps.items()
        for name in names
    ]  # fmt: skip


def measure_confidence(view: View, variant: Variant) -> list[Quantity]:
    """The diagnostics of RPCL, of one run: confidences, and precision and recall by the run's own decision rule."""
    table = view.pairs
    scores = pair_scores(
        view.decided("corrected")[0], table.labels, view.class_names, missed_positives=table.missed_positives
    )
    return [
        *(
            Quantity(name, value, n, undefined="there are no targets with gold causes and other candidates")
            for name, (value, n) in confidence_of_run(view.probabilities[0, :, 0], table).items()
        ),
        *(
            Quantity(name, float(scores[name]), len(table), of_probabilities=False)
            for name in ("pair_precision", "pair_recall", "pair_f1")
        ),
    ]


def _class_of_interest(view: View) -> tuple[int, str]:
    """P(pair) of binary models, P(emo_context) of three-role ones."""
    return (CONTEXT, "prob_emo_context") if view.class_names == ROLE_LABELS else (0, "prob_pair")


def _of_subsets(view: View, subsets: dict[str, NDArray[np.bool_]], variant: Variant) -> Iterator[Quantity]:
    facts, decided = given(view.facts), view.decided(variant)
    no_words = "utterances of these pairs have no text, so their lexical overlap is unknown"
    without_words = bool(np.isnan(facts.lexical_overlap).any())
    classes = [_class_of_interest(view)]
    if view.class_names == ROLE_LABELS:
        classes.append((CAUSE, "prob_emo_cause"))
    for number, (class_id, name) in enumerate(classes):
        table = subset_scores(subsets, view.probabilities[:, :, class_id], facts, decided == class_id)
        for row in _records(table):
            subset, n = row["subset"], row["n"] * view.n_runs
            unknown = without_words and "lexical" in subset
            why = no_words if unknown else "there are no such pairs"
            quantities = [
                Quantity(f"{name}_mean", row["prob_mean"], n, "", subset, row["prob_pooled_std"], why),
                Quantity(f"pred_{name.removeprefix('prob_')}_rate", row["pred_rate"], n, "", subset, undefined=why,
                         of_probabilities=False),
            ]  # fmt: skip
            if not number:
                quantities += [
                    Quantity(fact, row[fact], n, "", subset, of_probabilities=False,
                             undefined=no_words if fact == "mean_lexical_overlap" and n else why)
                    for fact in ("mean_distance", "mean_lexical_overlap", "self_pair_share")
                ]  # fmt: skip
            for quantity in quantities:
                yield replace(quantity, value=math.nan, n=0) if unknown else quantity


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return list(table.to_dict("records"))
