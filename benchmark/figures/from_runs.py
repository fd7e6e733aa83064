"""Takes the tables behind the figures from the diagnostics of your own runs, in the variant that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS, Pooling
from iemomecp_dataset.benchmark.diagnostics.distance_profile import role_distances
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.benchmark.diagnostics.systems import System, systems_of
from iemomecp_dataset.benchmark.diagnostics.tables import rows_of_system
from iemomecp_dataset.benchmark.diagnostics.uncertainty import SELECTIONS
from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.benchmark.diagnostics.views import Lacking
from iemomecp_dataset.benchmark.figures.tables import FigureTables, basis_text
from iemomecp_dataset.benchmark.row_labels import RowLabels
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.errors import IemomecpError, RunFolderError
from iemomecp_dataset.metrics.roles import REMAPPINGS
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

__all__ = ["tables_of_runs"]

_LABELS = {
    "drop_context": "Drop context",
    "context_to_positive": "Context -> pair",
    "context_to_negative": "Context -> non-pair",
}
_NEEDS = {
    "figure_binary_axis_role_geometry": "source_binary",
    "binary_axis_and_removal_by_family_long": "source_binary",
    "rwc_fusion_uncertainty_enrichment": "source_binary",
    "figure_context_channel_threeclass": "3class",
    "pair_role_confusion_by_family_long": "3class",
    "matched_pair_contrast_by_family_appendix": "3class or source_binary",
    "shortcut_conflict_subsets_by_family_appendix": "3class or source_binary",
    "source_binary_remap_summary": "3class and source_binary, of the same system and seed",
}


def tables_of_runs(
    runs: Sequence[Run], facts: Mapping[str, PairFacts], *, variant: Variant = "corrected"
) -> FigureTables:
    """Computes the tables that the figures are drawn from.

    Args:
        runs: Runs on IEMO-MECP with test predictions. ``3class`` and ``source_binary`` contribute different tables;
            other configurations are ignored.
        facts: Labels and distances of the candidate pairs by split: ``test`` for the systems, all splits for the
            tables about the data.
        variant: Variant of the diagnostics.

    Returns:
        The tables, each with what it is based on, and a reason for each table that these runs cannot provide. Tables
        about a single model use the one with the best Pair F1, and ``chosen`` says so. Figures name systems by the
        words in which they differ; those that all share are said in what a table is based on. Runs whose predictions
        cannot be read are left out and named.

    Raises:
        RunFolderError: No predictions of a system can be read, or they cover other pairs than the data; or the runs of
            one task are not comparable with each other.
        MissingDataError: No run of a system has test predictions.
    """
    counts = [role_distances(f.roles, f.distances).assign(split=split) for split, f in facts.items()]
    tables = {
        "distance_distribution_by_split_label": pd.concat(counts),
        "original_binary_to_final_role_transition": _transitions(facts),
    }
    basis = dict.fromkeys(tables, f"labels of the data, no model · {', '.join(facts)}")
    fitting = [
        run for run in runs if run.results.corpus == IEMOMECP and run.results.class_names in (PAIR_LABELS, ROLE_LABELS)
    ]
    systems, left_out = _systems(fitting, facts) if "test" in facts else ([], {})
    labels = RowLabels(tuple(dict.fromkeys(system.name for system in systems)))
    numbers = {name: _over_runs(systems, name, variant) for name in _DIAGNOSTICS}
    for name, (table, diagnostic) in _system_tables(systems, numbers).items():
        if len(table):
            tables[name] = table
            shared = f" · all systems: {labels.shared}" if labels.shared else ""
            basis[name] = _basis(numbers[diagnostic], variant) + shared
    reasons = {
        name: f"This figure needs runs of {config} with test predictions."
        for name, config in _NEEDS.items()
        if name not in tables
    }
    synthetic = any(run.results.synthetic for run in fitting)
    origin = f"{'synthetic' if synthetic else 'these'} runs, {variant.replace('_', ' ')}"
    return FigureTables(origin, tables, reasons, synthetic, basis, left_out, _why_one(systems), labels)


_DIAGNOSTICS = {
    diagnostic.name: diagnostic
    for diagnostic in DIAGNOSTICS
    if diagnostic.name[:2] in ("01", "02", "03", "05", "06", "08", "10")
}
_AXIS, _CHANNEL, _REMOVAL, _UNCERTAINTY, _CONFLICTS, _CONTRAST, _REMAP = _DIAGNOSTICS


def _systems(runs: Sequence[Run], facts: Mapping[str, PairFacts]) -> tuple[list[System], dict[str, str]]:
    """Loads the systems, of each task from the lowest to the highest Pair F1."""
    systems, left_out = systems_of(runs, lambda _: facts)
    for class_names in (PAIR_LABELS, ROLE_LABELS):
        usable = [r for r in runs if r.results.class_names == class_names and r.folder not in left_out]
        boards = leaderboard(usable)
        if len(boards) > 1:
            names = "; ".join(", ".join(run.results.run_name for run in board.runs) for board in boards)
            raise RunFolderError(
                f"The runs of {usable[0].results.config_name} form {len(boards)} groups with different data, gold or "
                f"candidates, which must not be drawn together: {names}. Give a folder with one of these groups only."
            )
    named = {run.results.run_name: left_out[run.folder] for run in runs if run.folder in left_out}
    for system in systems:
        errors: list[IemomecpError] = []
        for run in system.runs:
            try:
                system.predictions(run, "test")
            except IemomecpError as error:
                errors.append(error)
                named[run.results.run_name] = str(error)
        if len(errors) == len(system.runs):
            raise errors[0]
        if isinstance(system.facts, Lacking):
            raise RunFolderError(system.facts.reason)
    return systems, named


def _over_runs(systems: Sequence[System], name: str, variant: Variant) -> pd.DataFrame:
    """Computes the numbers over the runs of each system, in the order of the systems."""
    diagnostic = _DIAGNOSTICS[name]
    rows = [
        {**row, "three_roles": system.class_names == ROLE_LABELS, "modality": system.runs[0].results.modalities.upper()}
        for system in systems
        for row in rows_of_system(system, diagnostic)
        if row["variant"] == variant and row["pooling"] != "per_run"
    ]
    columns = ["system", "three_roles", "modality", "gold_role", "subset", "quantity", "n", "value", "sd", "seed"]
    return pd.DataFrame(rows, columns=[*columns, "split", "pooling"])


def _why_one(systems: Sequence[System]) -> dict[str, str]:
    """Words why a table about one system is about this one, by name of the table."""
    found = {}
    for name, class_names, words in (
        ("figure_binary_axis_role_geometry", PAIR_LABELS, "binary"),
        ("rwc_fusion_uncertainty_enrichment", PAIR_LABELS, "binary"),
        ("figure_context_channel_threeclass", ROLE_LABELS, "three-role"),
    ):
        n = sum(system.class_names == class_names for system in systems)
        found[name] = f"best Pair F1 on test of {n} {words} systems" if n > 1 else f"the only {words} system"
    return found


def _basis(numbers: pd.DataFrame, variant: Variant) -> str:
    pooling: Pooling = numbers["pooling"].iloc[0]
    return basis_text(variant, "; ".join(dict.fromkeys(numbers["split"])), pooling, dict.fromkeys(numbers["seed"]))


def _system_tables(
    systems: Sequence[System], numbers: Mapping[str, pd.DataFrame]
) -> dict[str, tuple[pd.DataFrame, str]]:
    """Makes the tables about systems, each with the diagnostic that most of its numbers are of."""
    best = {three: [s.name for s in systems if (s.class_names == ROLE_LABELS) == three][-1:] for three in (False, True)}
    axes = _by_role(numbers[_AXIS], "prob_pair_mean", "prob_pair")
    coordinates = _by_role(numbers[_AXIS], "binary_axis_coordinate", "coordinate")
    axes["binary_axis_coordinate"] = coordinates["coordinate_mean"]
    removal = numbers[_REMOVAL]
    for three, prefix in ((False, "delta_pair"), (True, "delta_emo_context_after_removal")):
        drops = _by_role(removal[removal["three_roles"] == three], "delta_prob_mean", prefix)
        if three:
            channel = _by_role(numbers[_CHANNEL], "prob_emo_context_mean", "prob_emo_context").join(drops)
        else:
            axes = axes.join(drops)
    axes, channel = axes.reset_index(), channel.reset_index()
    enrichment = numbers[_UNCERTAINTY][lambda t: t["system"].isin(best[False]) & (t["n"] > 0)]
    enrichment = enrichment.pivot_table(index=["subset", "n"], columns="quantity", values="value").reset_index()
    enrichment = enrichment.assign(
        selection_label=enrichment["subset"].map(SELECTIONS), model_source="".join(best[False])
    ).sort_values("subset", key=lambda subsets: subsets.map(list(SELECTIONS).index))
    confusions = numbers[_CHANNEL][lambda t: t["quantity"] == "rate_within_gold"]
    return {
        "binary_axis_and_removal_by_family_long": (axes.rename(columns={"system": "family"}), _AXIS),
        "figure_binary_axis_role_geometry": (_of(axes, best[False]), _AXIS),
        "rwc_fusion_uncertainty_enrichment": (enrichment, _UNCERTAINTY),
        "figure_context_channel_threeclass": (_of(channel, best[True]), _CHANNEL),
        "pair_role_confusion_by_family_long": (
            pd.DataFrame(
                {
                    "family": confusions["system"],
                    "gold": confusions["gold_role"],
                    "pred": confusions["subset"].str.removeprefix("predicted "),
                    "rate_within_gold_mean": confusions["value"],
                }
            ),
            _CHANNEL,
        ),
        "matched_pair_contrast_by_family_appendix": (_contrasts(numbers[_CONTRAST]), _CONTRAST),
        "shortcut_conflict_subsets_by_family_appendix": (_conflicts(numbers[_CONFLICTS]), _CONFLICTS),
        "source_binary_remap_summary": (_remaps(numbers[_REMAP]), _REMAP),
    }


def _by_role(numbers: pd.DataFrame, quantity: str, prefix: str) -> pd.DataFrame:
    """Mean and standard deviation of a quantity, by system and gold role in their order."""
    chosen = numbers[numbers["quantity"] == quantity].set_index(["system", "gold_role"])[["value", "sd"]]
    return chosen.rename(columns={"value": f"{prefix}_mean", "sd": f"{prefix}_std"})


def _of(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    return table[table["system"].isin(names)].rename(columns={"system": "model_source"})


def _contrasts(numbers: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (system, three), of_system in numbers.groupby(["system", "three_roles"], sort=False):
        quantity, column = ("prob_emo_context_mean", "three_prob_emo_context") if three else (
            "prob_pair_mean", "binary_prob_pair",
        )  # fmt: skip
        means = of_system[of_system["quantity"] == quantity].set_index("gold_role")["value"]
        if len(means.dropna()):
            rows.append(
                {
                    "analysis": "three_prob_context" if three else "binary_prob_pair",
                    "family": system,
                    f"context_{column}_mean": means["emo_context"],
                    f"non_pair_{column}_mean": means["non_pair"],
                }
            )
    return pd.DataFrame(rows)


def _conflicts(numbers: pd.DataFrame) -> pd.DataFrame:
    chosen = numbers[numbers["quantity"].isin(["prob_pair_mean", "prob_emo_context_mean"])]
    values = {
        quantity: chosen["value"].where(chosen["quantity"] == quantity)
        for quantity in ("prob_pair_mean", "prob_emo_context_mean")
    }
    return pd.DataFrame(
        {
            "source": np.where(chosen["three_roles"].astype(bool), "three_class_context", "binary"),
            "family": chosen["system"],
            "conflict_subset": chosen["subset"],
            "n": chosen["n"],
            **values,
        }
    )


def _remaps(numbers: pd.DataFrame) -> pd.DataFrame:
    chosen = numbers[(numbers["quantity"] == "delta_f1_vs_original") & numbers["value"].notna()]
    return pd.DataFrame(
        {
            "model_label": chosen["system"],
            "modality": chosen["modality"],
            "strategy_order": [1 + REMAPPINGS.index(strategy) for strategy in chosen["subset"]],
            "strategy_label": chosen["subset"].map(_LABELS),
            "delta_f1_vs_original_mean": chosen["value"],
            "delta_f1_vs_original_std": chosen["sd"],
        }
    )


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
