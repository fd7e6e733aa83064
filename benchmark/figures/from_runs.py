"""Computes the tables behind the figures from your own runs, with the corrected variants of the diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.board import BoardRow, leaderboard
from iemomecp_dataset.benchmark.diagnostics.binary_axis import binary_axis
from iemomecp_dataset.benchmark.diagnostics.context_channel import context_channel
from iemomecp_dataset.benchmark.diagnostics.distance_profile import role_distances
from iemomecp_dataset.benchmark.diagnostics.evidence_removal import evidence_removal
from iemomecp_dataset.benchmark.diagnostics.matched_contrast import matched_contrast
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.diagnostics.shortcuts import conflict_subsets, subset_scores
from iemomecp_dataset.benchmark.diagnostics.uncertainty import uncertainty_enrichment
from iemomecp_dataset.benchmark.diagnostics.variant import CONTEXT
from iemomecp_dataset.benchmark.figures.tables import FigureTables
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.roles import REMAPPINGS, source_binary_remaps
from iemomecp_dataset.metrics.scoring import mean_and_sd, pair_scores
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

__all__ = ["tables_of_runs"]

_LABELS = {
    "drop_context": "Drop context",
    "context_to_positive": "Context -> pair",
    "context_to_negative": "Context -> non-pair",
}


def tables_of_runs(runs: Sequence[Run], facts: Mapping[str, PairFacts]) -> FigureTables:
    """Computes the tables that the figures are drawn from.

    Args:
        runs: Runs on IEMO-MECP with test predictions. ``3class`` and ``source_binary`` contribute different tables;
            other configurations are ignored.
        facts: Labels and distances of the candidate pairs by split: ``test`` for the systems, all splits for the
            tables about the data.

    Returns:
        The tables, and a reason for each table that these runs cannot provide. Tables about a single model use the one
        with the best Pair F1.

    Raises:
        RunFolderError: Predictions cannot be read or cover other pairs than the data, or the runs of one task are not
            comparable with each other.
        MissingDataError: A run has no test predictions.
    """
    tables: dict[str, pd.DataFrame] = {
        "distance_distribution_by_split_label": pd.concat(
            [role_distances(f.roles, f.distances).assign(split=split) for split, f in facts.items()]
        ),
        "original_binary_to_final_role_transition": _transitions(facts),
    }
    reasons: dict[str, str] = {}
    test = facts.get("test")
    binary = _systems(runs, PAIR_LABELS, test)
    roles = _systems(runs, ROLE_LABELS, test)
    if test is not None and binary:
        tables.update(_binary_tables(binary, test))
    if test is not None and roles:
        tables.update(_role_tables(roles, test))
    if test is not None and (binary or roles):
        tables.update(_tables_of_both(binary, roles, test))
    remaps = _remaps(binary, roles, test) if test is not None else pd.DataFrame()
    if len(remaps):
        tables["source_binary_remap_summary"] = remaps
    needs = {
        "figure_binary_axis_role_geometry": "source_binary",
        "binary_axis_and_removal_by_family_long": "source_binary",
        "rwc_fusion_uncertainty_enrichment": "source_binary",
        "figure_context_channel_threeclass": "3class",
        "pair_role_confusion_by_family_long": "3class",
        "matched_pair_contrast_by_family_appendix": "3class or source_binary",
        "shortcut_conflict_subsets_by_family_appendix": "3class or source_binary",
        "source_binary_remap_summary": "3class and source_binary, of the same system and seed",
    }
    for name, config in needs.items():
        if name not in tables:
            reasons[name] = f"This figure needs runs of {config} with test predictions."
    synthetic = any(run.results.synthetic for run in runs if run.results.corpus == "iemomecp")
    return FigureTables("synthetic runs" if synthetic else "these runs", tables, reasons, synthetic)


@dataclass(frozen=True)
class _System:
    """Test predictions of one system in the pair order of the data.

    ``probabilities`` is ``(S, n, C)`` and ``decided`` ``(S, n)`` over S seeds. ``removed`` holds the probabilities
    after the candidates' evidence was removed, or None unless every run has them.
    """

    name: str
    modality: str
    seeds: tuple[int, ...]
    probabilities: NDArray[np.float64]
    decided: NDArray[np.int64]
    labels: NDArray[np.int64]
    removed: NDArray[np.float64] | None


def _systems(runs: Sequence[Run], class_names: Sequence[str], test: PairFacts | None) -> list[_System]:
    """Loads the systems on IEMO-MECP with these classes, from the lowest to the highest Pair F1."""
    if test is None:
        return []
    fitting = [
        run for run in runs if run.results.corpus == "iemomecp" and run.results.class_names == tuple(class_names)
    ]
    comparable = leaderboard(fitting)
    if len(comparable) > 1:
        names = "; ".join(", ".join(run.results.run_name for run in board.runs) for board in comparable)
        raise RunFolderError(
            f"The runs of {fitting[0].results.config_name} form {len(comparable)} groups with different data, gold or "
            f"candidates, which must not be drawn together: {names}. Give a folder with one of these groups only."
        )
    return [_system(row, test) for board in comparable for row in board.trained]


def _system(row: BoardRow, test: PairFacts) -> _System:
    predictions = [read_predictions(run.predictions_path("test")) for run in row.runs]
    orders = [test.order_of(of_run) for of_run in predictions]
    without = [run.predictions_path("test_removed") for run in row.runs]
    removed = [read_predictions(path) for path in without] if all(path.is_file() for path in without) else []
    return _System(
        name=row.name,
        modality=row.runs[0].results.modalities.upper(),
        seeds=row.seeds,
        probabilities=np.stack([p.probabilities[order] for p, order in zip(predictions, orders, strict=True)]),
        decided=np.stack([p.decided[order] for p, order in zip(predictions, orders, strict=True)]),
        labels=predictions[0].labels[orders[0]],
        removed=np.stack([p.probabilities[test.order_of(p)] for p in removed]) if removed else None,
    )


def _binary_tables(systems: list[_System], test: PairFacts) -> dict[str, pd.DataFrame]:
    axes = {
        s.name: binary_axis(s.probabilities[:, :, 0], test.roles, s.decided == 0).assign(**_drops(s, test))
        for s in systems
    }
    best = systems[-1]
    enrichment = uncertainty_enrichment(
        best.probabilities[:, :, 0], test.roles, np.full(len(test), "test"), variant="corrected"
    )
    return {
        "binary_axis_and_removal_by_family_long": pd.concat([t.assign(family=name) for name, t in axes.items()]),
        "figure_binary_axis_role_geometry": axes[best.name].assign(model_source=best.name),
        "rwc_fusion_uncertainty_enrichment": enrichment[enrichment["n"] > 0].assign(model_source=best.name),
    }


def _drops(system: _System, test: PairFacts) -> dict[str, NDArray[np.float64]]:
    """Computes mean and sd over seeds of the drop in P(pair) by role when the candidate is removed."""
    if system.removed is None:
        nothing = np.full(len(ROLE_LABELS), np.nan)
        return {"delta_pair_mean": nothing, "delta_pair_std": nothing}
    of_seeds = np.array(
        [
            evidence_removal(full[:, 0], without[:, 0], test.roles, test.distances, variant="corrected")[
                "delta_prob_mean"
            ]
            for full, without in zip(system.probabilities, system.removed, strict=True)
        ]
    )
    mean, sd = mean_and_sd(of_seeds)
    return {"delta_pair_mean": mean, "delta_pair_std": sd}


def _role_tables(systems: list[_System], test: PairFacts) -> dict[str, pd.DataFrame]:
    best = systems[-1]
    channel = context_channel(best.probabilities[:, :, CONTEXT], test.roles)
    confusions = []
    for system in systems:
        rates = []
        for decided in system.decided:
            confusion = np.asarray(pair_scores(decided, test.roles, ROLE_LABELS)["confusion_matrix"], dtype=np.float64)
            rates.append(confusion / confusion.sum(axis=1, keepdims=True).clip(min=1))
        mean = np.mean(rates, axis=0)
        confusions += [
            {"family": system.name, "gold": gold, "pred": predicted, "rate_within_gold_mean": mean[i, j]}
            for i, gold in enumerate(ROLE_LABELS)
            for j, predicted in enumerate(ROLE_LABELS)
        ]
    return {
        "figure_context_channel_threeclass": channel.assign(model_source=best.name),
        "pair_role_confusion_by_family_long": pd.DataFrame(confusions),
    }


def _tables_of_both(binary: list[_System], roles: list[_System], test: PairFacts) -> dict[str, pd.DataFrame]:
    """Computes the tables that combine P(pair) of binary systems with P(emo_context) of three-role systems."""
    contrasts: list[dict[str, Any]] = []
    conflicts: list[pd.DataFrame] = []
    subsets = conflict_subsets(test)
    kinds = (
        (binary, 0, "binary_prob_pair", "binary_prob_pair", "binary", "prob_pair"),
        (roles, CONTEXT, "three_prob_context", "three_prob_emo_context", "three_class_context", "prob_emo_context"),
    )
    for systems, class_id, analysis, column, source, prefix in kinds:
        for system in systems:
            values = system.probabilities[:, :, class_id]
            contrast = matched_contrast(values, test)
            contrasts.append(
                {
                    "analysis": analysis,
                    "family": system.name,
                    f"context_{column}_mean": contrast.context_mean,
                    f"non_pair_{column}_mean": contrast.non_pair_mean,
                }
            )
            scores = subset_scores(subsets, values, test, system.decided == class_id)
            conflicts.append(
                scores.rename(columns={"subset": "conflict_subset", "prob_mean": f"{prefix}_mean"}).assign(
                    source=source, family=system.name
                )
            )
    return {
        "matched_pair_contrast_by_family_appendix": pd.DataFrame(contrasts),
        "shortcut_conflict_subsets_by_family_appendix": pd.concat(conflicts),
    }


def _remaps(binary: list[_System], roles: list[_System], test: PairFacts) -> pd.DataFrame:
    """Compares each three-role run with the binary run of the same system and seed."""
    by_name = {system.name: system for system in binary}
    rows = []
    for system in roles:
        trained = by_name.get(system.name)
        seeds = [seed for seed in system.seeds if trained is not None and seed in trained.seeds]
        if trained is None or not seeds:
            continue
        # The gold of the binary runs, so that forward pairs count in the same way for both.
        source = trained.labels == 0
        deltas: dict[str, list[float]] = {name: [] for name in REMAPPINGS}
        for seed in seeds:
            decided = trained.decided[trained.seeds.index(seed)]
            own = float(pair_scores(decided, trained.labels, PAIR_LABELS)["pair_f1"])
            remapped = source_binary_remaps(system.decided[system.seeds.index(seed)], source, binary_trained_f1=own)
            for name in REMAPPINGS:
                deltas[name].append(float(remapped[name]["delta_f1_vs_original"]))
        rows += [
            {
                "model_label": system.name,
                "modality": system.modality,
                "strategy_order": 1 + number,
                "strategy_label": _LABELS[name],
                "delta_f1_vs_original_mean": float(mean),
                "delta_f1_vs_original_std": float(sd),
            }
            for number, name in enumerate(REMAPPINGS)
            for mean, sd in [mean_and_sd(deltas[name])]
        ]
    return pd.DataFrame(rows)


def _transitions(facts: Mapping[str, PairFacts]) -> pd.DataFrame:
    rows = []
    for split, of_split in facts.items():
        for original, is_pair in (("orig_pair", True), ("orig_non_pair", False)):
            here = of_split.source_pairs == is_pair
            counts = np.bincount(of_split.roles[here], minlength=len(ROLE_LABELS))
            if counts.sum():
                rows.append(
                    {
                        "split": split,
                        "original_binary_role": original,
                        "total": int(counts.sum()),
                        **dict(zip(ROLE_LABELS, counts.tolist(), strict=True)),
                    }
                )
    return pd.DataFrame(rows)
