"""Published systems of each configuration, with the conditions of their scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iemomecp_dataset.benchmark.published.role_systems import LIGHTWEIGHT, RoleSystem, role_systems
from iemomecp_dataset.benchmark.published.tables import (
    published_emotion_systems,
    published_systems,
    published_table,
)
from iemomecp_dataset.metrics.scoring import mean_and_sd
from iemomecp_dataset.overlay.published import PUBLISHED_COUNTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FIELD_CAVEATS", "HEADINGS", "PublishedRow", "published_rows"]

HEADINGS = {
    "pair_f1": "Pair F1",
    "macro_f1": "macro F1",
    "emo_context_f1": "context F1",
    "weighted_f1": "weighted F1",
    "accuracy": "accuracy",
}
"""Headings of the published scores."""

FIELD_CAVEATS = (
    "Published emotion scores are as published, not comparable: much public code keeps the epoch with the best test "
    "F1; a widespread loader of MELD trains on train and validation; class weights come from all splits; re-runs miss "
    "some reported bests by 2 to 5 points; systems that read future turns stand beside causal ones; four and six "
    "classes and several splits of IEMOCAP share tables; some samples of utterances are filtered by quality."
)
"""What holds of the scores of emotion recognition in the literature, beside any of them."""

_ROLES_PAPER = "arXiv 2605.25208"
_EPOCH = "epoch chosen by macro F1 on validation"
_UNRELEASED = (
    "scored with a three-class head that is not released: the unmodified system has one binary relation and cannot "
    "reproduce it"
)


@dataclass(frozen=True)
class PublishedRow:
    """A published system and its scores.

    Attributes:
        system: Its name, with its modalities if they are known.
        kind: ``published``, or ``structural`` for a fixed rule on turns scored here on published counts.
        scores: Value and deviation over seeds by metric key, as text in percent; the deviation is empty if unknown.
        split: The split that is scored.
        definition: Letter of the Pair F1 definition, or ``unstated``; empty for scores of emotions.
        emotions: Origin of the emotions of predicted pairs: ``predicted``, ``gold``, or ``none`` if no emotion is
            involved.
        candidates: Which pairs the system decides on.
        n_candidates: How many, if the score is of a fixed list of candidates.
        conditions: Further conditions: number of seeds, reported or recomputed.
        source: The paper, table or file that the scores are from.
        caveats: What to know before comparing; may be empty.
    """

    system: str
    kind: str
    scores: dict[str, tuple[str, str]]
    split: str
    definition: str
    emotions: str
    candidates: str
    n_candidates: int | None
    conditions: str
    source: str
    caveats: str

    @property
    def terms(self) -> str:
        """The conditions of the score in words."""
        emotions = "" if self.emotions == "none" else f", {self.emotions} emotions"
        definition = f", definition {self.definition}" if self.definition else ""
        return f"{self.split}{definition}{emotions}, {self.conditions}"


def published_rows(config_name: str) -> list[PublishedRow]:
    """Lists the published systems of a configuration.

    Args:
        config_name: A configuration; one without published numbers, such as ``overlay``, has no rows.

    Returns:
        The systems by definition, split, origin of the emotions and candidates, of each the best Pair F1 first.
        ``3class`` includes the fixed rule ``0-1 cause, 2-3 context``, scored on the published counts of the same
        pairs.

    Example:
        >>> [row.scores["pair_f1"][0] for row in published_rows("mec4")]
        ['42.65', '40.05', '18.78', '14.54']
    """
    if config_name == "3class":
        return sorted(map(_role_row, role_systems()), key=lambda row: -(row.n_candidates or 0))
    if config_name == "source_binary":
        return _binary_rows()
    if len(emotions := published_emotion_systems(config_name)):
        return _emotion_rows(emotions)
    return [
        PublishedRow(
            system=row["system"]
            if row["modalities"] in ("none", "unstated")
            else f"{row['system']} {row['modalities']}",
            kind="published",
            scores={"pair_f1": (f"{row['pair_f1']:.2f}", "")},
            n_candidates=None,
            conditions=row["origin"],
            **{name: row[name] for name in ("split", "definition", "emotions", "candidates", "source", "caveats")},
        )
        for row in published_systems(config_name)
        .sort_values(
            ["definition", "split", "emotions", "pair_f1"], ascending=[True, False, False, False], kind="stable"
        )
        .to_dict("records")
    ]


def _role_row(system: RoleSystem) -> PublishedRow:
    modalities = "+".join(system.modalities.upper())
    rule = system.kind == "structural"
    own = rule or system.name in LIGHTWEIGHT
    whole = system.n_pairs == PUBLISHED_COUNTS["test"].pairs
    caveats = [] if rule else [_EPOCH if own else _UNRELEASED]
    if not whole:
        caveats.append("its Pair F1 is not that of its published confusion matrix (ORIGIN.md)")
    return PublishedRow(
        system=f"{system.name} {modalities}".rstrip() + ("" if own else " (three-class head)"),
        kind=system.kind,
        scores={
            key: (
                f"{100 * system.means[key]:.2f}",
                f"{100 * system.deviations[key]:.2f}" if system.deviations else "",
            )
            for key in ("pair_f1", "macro_f1", "emo_context_f1")
        },
        split="test",
        definition="F",
        emotions="none",
        candidates=f"{system.n_pairs:,} pairs" + ("" if whole else ", without the 36 forward pairs"),
        n_candidates=system.n_pairs,
        conditions=f"{system.n_pairs:,} pairs, " + (f"{system.n_seeds} seeds" if system.n_seeds else "no training"),
        source=f"computed here from distance_distribution_by_split_label.csv of {_ROLES_PAPER}"
        if rule
        else f"{_ROLES_PAPER}, main_model_results_by_run.csv of its artifact",
        caveats="; ".join(caveats),
    )


def _emotion_rows(table: pd.DataFrame) -> list[PublishedRow]:
    return [
        PublishedRow(
            system=_system_words(row["system"], row["modalities"], row["variant"]),
            kind="published",
            scores={
                key: ("-" if math.isnan(row[key]) else f"{row[key]:.2f}", "")
                for key in ("weighted_f1", "accuracy", "macro_f1")
            },
            split="test",
            definition="",
            emotions="none",
            candidates="",
            n_candidates=None,
            conditions=row["origin"],
            source=row["source"],
            caveats=row["caveats"],
        )
        for row in table.sort_values("weighted_f1", ascending=False, kind="stable").to_dict("records")
    ]


def _system_words(system: str, modalities: str, variant: str) -> str:
    parts = [system]
    if modalities != "none":
        parts.append("+".join(modalities.upper()))
    if variant != "none":
        parts.append(f"({variant.replace('_', ' ')})")
    return " ".join(parts)


def _binary_rows() -> list[PublishedRow]:
    runs = published_table("source_binary_remap_by_run")
    runs = runs[runs["strategy"] == "original_binary_trained"]
    rows = [
        PublishedRow(
            system=f"{name} {of_system['modality'].iloc[0]}",
            kind="published",
            scores={"pair_f1": (f"{100 * mean:.2f}", f"{100 * sd:.2f}")},
            split="test",
            definition="F",
            emotions="none",
            candidates=f"{n_pairs:,} pairs, forward pairs as published",
            n_candidates=n_pairs,
            conditions=f"forward pairs as published, {len(of_system)} seeds",
            source=f"{_ROLES_PAPER}, source_binary_remap_by_run.csv of its artifact",
            caveats=f"{_EPOCH}; the gold takes the 36 forward pairs of the source for non-pairs",
        )
        for name, of_system in runs.groupby("model_label", sort=False)
        for mean, sd in [mean_and_sd(of_system["f1"].to_numpy())]
        for n_pairs in [int(of_system["coverage_n"].iloc[0])]
    ]
    return sorted(rows, key=lambda row: -float(row.scores["pair_f1"][0]))
