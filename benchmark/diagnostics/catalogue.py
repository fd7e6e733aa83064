"""Lists the diagnostics: what each measures, where it was published, and what its two variants do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from iemomecp_dataset.benchmark.diagnostics import quantities as q
from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.benchmark.diagnostics.views import View
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

__all__ = ["DIAGNOSTICS", "POOLINGS", "Diagnostic", "Pooling"]

Pooling = Literal["per_run", "mean_over_seeds", "pooled_over_seeds", "seed_average"]

POOLINGS: dict[Pooling, str] = {
    "per_run": "one run alone; sd is NaN",
    "mean_over_seeds": "mean of the runs' values; sd over runs (ddof 1 unless the file's entry says otherwise)",
    "pooled_over_seeds": "pairs of all runs as one sample; n counts each pair once per run; sd over all (ddof 1)",
    "seed_average": "probabilities are averaged over runs first, then treated as one run; sd is NaN",
}
"""How runs that differ in the seed alone become one number."""


@dataclass(frozen=True)
class Diagnostic:
    """One diagnostic.

    Attributes:
        name: File name without extension.
        title: Subject, in a few words.
        source: Paper, number in it, and formula or table.
        as_published: What the variant ``as_published`` does; empty where there is no such variant.
        corrected: What the variant ``corrected`` does differently.
        measure: Computes its numbers.
        of_roles: Whether it needs the gold roles of IEMO-MECP.
        class_names: Classes of the runs it is of; empty: any.
        pooling: How the paper pools seeds.
        jointly: Whether numbers over seeds come from all runs at once, as coordinates of means do, rather than from the
            numbers of each run.
        pools_splits: Classes of the runs whose published table pools all splits.
        published_ddof: Subtracted from the number of runs in the published standard deviation over seeds.
    """

    name: str
    title: str
    source: str
    as_published: str
    corrected: str
    measure: Callable[[View, Variant], list[q.Quantity]]
    of_roles: bool = True
    class_names: tuple[tuple[str, ...], ...] = (PAIR_LABELS, ROLE_LABELS)
    pooling: Pooling = "mean_over_seeds"
    jointly: bool = False
    pools_splits: tuple[tuple[str, ...], ...] = ()
    published_ddof: int = 1

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Its variants, the published one first."""
        return ("as_published", "corrected") if self.corrected else ("as_published",)


_PAPER = "arXiv 2605.25208, diagnostic"

DIAGNOSTICS = (
    Diagnostic(
        "01_binary_axis",
        "roles on the axis of a binary model",
        f"{_PAPER} 1; tables binary_axis_and_removal_by_family_long, figure_binary_axis_role_geometry, "
        "diagnostic_angle_metrics_by_family. coordinate = (mean - non_pair) / (cause - non_pair)",
        "test pairs; decisions for the most probable class; coordinates of the means over seeds",
        "coordinates of each run by itself; decisions by each run's own rule",
        q.measure_binary_axis,
        class_names=(PAIR_LABELS,),
        jointly=True,
    ),
    Diagnostic(
        "02_context_channel",
        "P(emo_context) by gold role, and where missed contexts go",
        f"{_PAPER} 2; tables context_channel_threeclass_by_family_long, context_error_direction_rwc_fusion, "
        "pair_role_confusion_by_family_long. lift = context / non_pair; collapse = 1 - hit",
        "test pairs; decisions for the most probable class; lift and shares of the means over seeds",
        "lift and shares of each run by itself; decisions by each run's own rule",
        q.measure_context_channel,
        class_names=(ROLE_LABELS,),
        jointly=True,
    ),
    Diagnostic(
        "03_evidence_removal",
        "what remains of a prediction when the candidate's text, audio and video are removed",
        f"{_PAPER} 3; table evidence_removal_by_family_and_gold_appendix. delta = mean(p - q), retention = mean(q / p)",
        "test pairs, self-pairs included, whose evidence stays visible as their target's; pairs of all seeds as one "
        "sample; decisions for the most probable class",
        "without self-pairs; each run by itself; decisions by each run's own rule",
        q.measure_removal,
        pooling="pooled_over_seeds",
        jointly=True,
    ),
    Diagnostic(
        "04_distance_profile",
        "probabilities and decisions by turn distance and gold role",
        f"{_PAPER} 4; tables distance_bucket_binary_axis_rwc_fusion, distance_bucket_context_probability_rwc_fusion, "
        "distance_bucket_context_pred_rate_rwc_fusion. Buckets of |target - cause|",
        "P(pair) on all splits together, pairs that the models were fitted to or chosen by included; P(emo_context) on "
        "test pairs; decisions for the most probable class",
        "test pairs alone; each run by itself; decisions by each run's own rule",
        q.measure_distances,
        jointly=True,
        pools_splits=(PAIR_LABELS,),
    ),
    Diagnostic(
        "05_uncertainty_enrichment",
        "contexts among the pairs of which a binary model is least certain",
        f"{_PAPER} 5; table rwc_fusion_uncertainty_enrichment. The ceil(5 %) of each split with P(pair) closest to "
        "0.5, largest, smallest; lift = share of contexts / share among all pairs",
        "all splits together, pairs that the models were fitted to or chosen by included; probabilities are averaged "
        "over seeds first. The published score 'uncertainty' and its union with disagreement are not described and "
        "cannot be repeated",
        "test pairs alone; each run selects by itself",
        q.measure_uncertainty,
        class_names=(PAIR_LABELS,),
        pooling="seed_average",
        jointly=True,
        pools_splits=(PAIR_LABELS,),
    ),
    Diagnostic(
        "06_shortcut_conflicts",
        "pairs on which a shortcut and the gold role disagree",
        f"{_PAPER} 6; table shortcut_conflict_subsets_by_family_appendix. Signed distance: near is <= 1, far is >= 6",
        "test pairs; pairs of all seeds as one sample; decisions for the most probable class",
        "each run by itself; decisions by each run's own rule",
        q.measure_conflicts,
        pooling="pooled_over_seeds",
        jointly=True,
    ),
    Diagnostic(
        "07_shortcut_stress",
        "near non-pairs that share words with their target, against pairs that shortcuts miss",
        f"{_PAPER} 7; tables shortcut_vs_evidence_stress_by_family_appendix, …_by_run_appendix. Overlap: Jaccard "
        "of the words",
        "test pairs; three quarters of the first subset are self-pairs, which share every word; decisions for the most "
        "probable class",
        "without self-pairs; decisions by each run's own rule",
        q.measure_stress,
        class_names=(PAIR_LABELS,),
    ),
    Diagnostic(
        "08_matched_contrast",
        "contexts against matched non-pairs",
        f"{_PAPER} 8; table matched_pair_contrast_by_family_appendix. The matching key is not published; here: same "
        "dialogue and signed distance, then same relation of speakers, nearest target; no non-pair twice",
        "test pairs; pairs of all seeds as one sample",
        "each run by itself",
        q.measure_contrast,
        pooling="pooled_over_seeds",
        jointly=True,
    ),
    Diagnostic(
        "09_proxies",
        "how well distance, word overlap, lengths, speakers and position predict the output",
        f"{_PAPER} 9; table proxy_only_behavior_prediction_by_family_appendix. The regressors are not published; here: "
        "logistic and ridge regression, out of fold over source dialogues",
        "test pairs; decisions for the most probable class",
        "decisions by each run's own rule",
        q.measure_proxies,
    ),
    Diagnostic(
        "10_source_binary_remap",
        "three-role models scored on the binary labels",
        f"{_PAPER} 10; tables source_binary_remap_by_run, source_binary_remap_summary",
        "test pairs; forward source pairs are gold non-pairs; decisions for the most probable class; the binary run of "
        "the same system and seed is the reference; sd over runs with ddof 0",
        "forward source pairs are gold pairs; decisions by each run's own rule; ddof 1",
        q.measure_remaps,
        class_names=(ROLE_LABELS,),
        published_ddof=0,
    ),
    Diagnostic(
        "11_pair_confidence",
        "confidence of gold pairs against the other candidates of their target (RPCL)",
        "arXiv 2606.18893; confidence Eq. 4, hard negatives Eq. 7 (top 8), margin Eq. 9 (constant 0.05), mean over "
        "triples Eq. 11; mrr, hit_at_1 and recall_at_3 are ours, and so is P(emo_cause) as the confidence of three "
        "roles",
        "test pairs; precision, recall and F1 by each run's own decision rule",
        "",
        q.measure_confidence,
        of_roles=False,
        class_names=(),
    ),
)
"""The ten of arXiv 2605.25208 in its order, then those of RPCL."""
