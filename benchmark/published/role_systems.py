"""Ranks the published systems of the three-role task together with the fixed rules on turns.

The artifact of arXiv 2605.25208 has no structural baselines. Its table of roles by distance suffices to score them on
the same pairs as its systems.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.structural import distance_rules
from iemomecp_dataset.benchmark.published.tables import published_table
from iemomecp_dataset.metrics.scoring import mean_and_sd, pair_scores
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = [
    "LIGHTWEIGHT",
    "PUBLISHED_FAMILIES",
    "RoleSystem",
    "family_name",
    "published_distance_counts",
    "role_systems",
]

LIGHTWEIGHT = ("RoBERTa", "WavLM", "CLIP", "RW-Fusion", "RC-Fusion", "RWC-Fusion")
"""The artifact's own baselines, which score each pair alone, without the dialogue around it."""

PUBLISHED_FAMILIES = (
    *LIGHTWEIGHT,
    *(f"{model}_{m}" for model in ("hilo", "mecpe", "m3hg") for m in ("t", "ta", "tv", "tav")),
)
"""Names of systems in the published tables: the artifact's own, and other papers' models with their modalities."""

_COLUMNS = {
    "macro_f1": "pair_role_macro_f1",
    "pair_f1": "pair_f1",
    "emo_context_f1": "pair_role_emo_context_f1",
}
_NAMES = {"hilo": "HiLo", "mecpe": "MECPE-2step", "m3hg": "M3HG"}
_NEAREST = {"0": 0, "1": 1, "2": 2, "3": 3, "4-5": 4, "6-10": 6, ">10": 11}


@dataclass(frozen=True)
class RoleSystem:
    """A system of the ranking.

    Attributes:
        name: Its name.
        kind: ``structural`` (scored here, from counts) or ``published`` (scored by its authors).
        modalities: Letters t, a, v; empty for a structural rule.
        means: Mean ``macro_f1``, ``pair_f1`` and ``emo_context_f1`` over seeds, in shares.
        deviations: Their standard deviations (ddof 1); empty for a rule, which has no seeds.
        n_seeds: Number of seeds; 0 for a rule.
        n_pairs: Number of scored pairs of the test split.
    """

    name: str
    kind: str
    modalities: str
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    n_seeds: int
    n_pairs: int


def role_systems() -> list[RoleSystem]:
    """Ranks published systems and structural rules on the test split.

    Returns:
        The systems, best Pair F1 first.

    Example:
        >>> names = [system.name for system in role_systems()]
        >>> rule = names.index("0-1 cause, 2-3 context")
        >>> [name for name in LIGHTWEIGHT if names.index(name) < rule]
        []
    """
    return sorted([*_rules(), *_published()], key=lambda system: -system.means["pair_f1"])


def published_distance_counts(split: str = "test") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reconstructs distance and role of every pair of a split from the published counts.

    Args:
        split: ``train``, ``validation`` or ``test``.

    Returns:
        ``(n,)`` distances ``|target - cause|`` in turns, the smallest of the pair's bucket, and ``(n,)`` role ids.

    Example:
        >>> distances, roles = published_distance_counts()
        >>> len(distances), int((roles == 0).sum())
        (18264, 1794)
    """
    table = published_table("distance_distribution_by_split_label")
    table = table[table["split"] == {"validation": "valid"}.get(split, split)]
    times = table["count"].to_numpy(dtype=np.int64)
    distances = table["distance_bucket"].astype(str).map(_NEAREST).to_numpy(dtype=np.int64)
    roles = table["label"].map(ROLE_LABELS.index).to_numpy(dtype=np.int64)
    return distances.repeat(times), roles.repeat(times)


def family_name(family: str) -> str:
    """Formats the name of a system of the published tables.

    Example:
        >>> family_name("hilo_ta"), family_name("RoBERTa")
        ('HiLo T+A', 'RoBERTa')
    """
    model, _, modalities = family.partition("_")
    return f"{_NAMES[model]} {'+'.join(modalities.upper())}" if model in _NAMES else family


def _rules() -> list[RoleSystem]:
    distances, roles = published_distance_counts()
    found = []
    for rule in distance_rules(ROLE_LABELS):
        decided = rule.decide(distances)
        if (decided != rule.decide(-distances)).any():
            continue  # the rule needs the order of the two turns, which the counts do not have
        scores = pair_scores(decided, roles, ROLE_LABELS)
        means = {key: float(scores[key]) for key in _COLUMNS}
        found.append(RoleSystem(rule.display_name, "structural", "", means, {}, 0, len(roles)))
    return found


def _published() -> list[RoleSystem]:
    runs = published_table("main_model_results_by_run")
    pairs = published_table("pair_role_confusion_by_run_long").groupby("run_name")["count"].sum()
    found = []
    for family, of_family in runs.groupby("family", sort=False):
        # The published table of means has deviations with ddof 0; these have ddof 1, as everywhere else here.
        means, deviations = mean_and_sd(of_family[list(_COLUMNS.values())].to_numpy())
        found.append(
            RoleSystem(
                name=_NAMES.get(str(of_family["model_family"].iloc[0]), str(family)),
                kind="published",
                modalities=str(of_family["modality"].iloc[0]),
                means=dict(zip(_COLUMNS, means.tolist(), strict=True)),
                deviations=dict(zip(_COLUMNS, deviations.tolist(), strict=True)),
                n_seeds=len(of_family),
                n_pairs=int(pairs[of_family["run_name"].iloc[0]]),
            )
        )
    return found
