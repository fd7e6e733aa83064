"""Which terms each objective has (arXiv 2606.18893, Eq. 17 and its tables of controls and ablations).

The terms are computed by :mod:`iemomecp_dataset.trainers.objectives`. Nothing here imports torch, as
options and tables read it, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from iemomecp_dataset.errors import UsageError, did_you_mean

__all__ = ["OBJECTIVES", "Objective", "resolve_objective"]


@dataclass(frozen=True)
class Objective:
    """The terms of an objective.

    Weights and sizes are in :class:`~iemomecp_dataset.trainers.objectives.ObjectiveWeights`.

    Attributes:
        title: Its name in tables, if that is not the one on the command line.
        ranking: Margin ranking of gold against negative pairs is added to the supervised loss.
        adaptive_margin: The margin adapts to the cause confidences (Eq. 9); constant ``m0`` otherwise.
        hard_negatives: Only the ``top_k`` hardest negatives of a row are ranked; all of them otherwise.
        corruption: The pair scorer also scores a corrupted dialogue.
        protect_gold: Utterances of gold pairs are never corrupted (Eq. 12).
        corrupted_supervision: Cross entropy on the corrupted view.
        alignment: The corrupted view's distribution is pulled to the clean one.
    """

    title: str = ""
    ranking: bool = False
    adaptive_margin: bool = True
    hard_negatives: bool = True
    corruption: bool = False
    protect_gold: bool = True
    corrupted_supervision: bool = False
    alignment: bool = False


OBJECTIVES: dict[str, Objective] = {
    "base": Objective("Base"),
    "rpcl": Objective("RPCL", ranking=True, corruption=True, corrupted_supervision=True, alignment=True),
    "cdmr": Objective("CDMR only", ranking=True),
    "ccps": Objective("CCPS only", corruption=True, corrupted_supervision=True, alignment=True),
    "fixed_margin": Objective("fixed margin", ranking=True, adaptive_margin=False),
    "utterance_dropout": Objective("utterance dropout", corruption=True, protect_gold=False, alignment=True),
    "rpcl_no_consistency": Objective(ranking=True, corruption=True, corrupted_supervision=True),
    "rpcl_no_corrupted_supervision": Objective(ranking=True, corruption=True, alignment=True),
    "rpcl_fixed_margin": Objective(
        ranking=True, adaptive_margin=False, corruption=True, corrupted_supervision=True, alignment=True
    ),
    "rpcl_all_negatives": Objective(
        ranking=True, hard_negatives=False, corruption=True, corrupted_supervision=True, alignment=True
    ),
}
"""Objectives by name: Base, RPCL, its two halves alone, the paper's two controls and its four ablations."""


def resolve_objective(name: str) -> Objective:
    """Finds an objective by name.

    Raises:
        UsageError: There is no objective of that name.

    Example:
        >>> resolve_objective("cdmr").ranking
        True
    """
    if name not in OBJECTIVES:
        raise UsageError(f"There is no objective {name!r}. {did_you_mean(name, OBJECTIVES)}")
    return OBJECTIVES[name]
