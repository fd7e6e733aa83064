"""Whether ECERC's attention knows of causes, beside four controls that do not attend.

The hints of a trained model (:func:`~iemomecp_dataset.trainers.emotions.hints.attention_hints`) rank candidate pairs;
so do the same masks with uniform attention, untrained weights, the distance of the turns, and P(not neutral) times
distance. Hints that do not score above these do not show that attention finds causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.scoring import average_precision
from iemomecp_dataset.trainers.emotions.hints import attention_hints, uniform_attention
from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercModel

__all__ = ["attention_bridge"]

_FARTHEST = 20
_Batches = Iterable[Mapping[str, torch.Tensor]]


def attention_bridge(
    model: EcercModel,
    batches: _Batches,
    *,
    neutral: int,
    fitted_on: _Batches,
    missed_positives: int = 0,
    seed: int = 0,
) -> dict[str, float]:
    """Ranks candidate pairs by attention and by its controls.

    Args:
        model: A trained model of emotions.
        batches: Padded dialogues: what the model takes, and ``valid`` and ``gold`` ``(B, L, L)`` bool, the candidate
            pairs and the gold ones, row target, column cause.
        neutral: Id of the neutral class.
        fitted_on: Dialogues of the train split, whose gold pairs give the rate of causes by distance; ``mask``,
            ``valid`` and ``gold`` alone are read.
        missed_positives: Gold pairs that are no candidates; never retrieved.
        seed: Of the untrained weights.

    Returns:
        AUPRC of the pairs by what ranks them; keys with ``p_`` are multiplied by P(not neutral) of the target:
        ``hint, p_hint, uniform, p_uniform, untrained, p_untrained, distance, p_distance, p_distance_hint``.

    Raises:
        UsageError: There is no candidate pair.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = EcercModel(model.config).to(model.device, model.dtype)
    rates = _distance_rates(fitted_on)
    columns: dict[str, list[NDArray[Any]]] = {}
    for batch in batches:
        valid = batch["valid"].cpu().numpy()
        inputs = {name: value for name, value in batch.items() if name not in ("valid", "gold", "labels")}
        found = _ranked_by(model, untrained, inputs, neutral, rates)
        for name, scores in (*found.items(), ("gold", batch["gold"].cpu().numpy())):
            columns.setdefault(name, []).append(scores[valid])
    pooled = {name: np.concatenate(parts) for name, parts in columns.items()}
    gold = pooled.pop("gold", np.zeros(0, dtype=bool)).astype(bool)
    if not len(gold):
        raise UsageError("There is no candidate pair to rank. Give dialogues with pairs.")
    return {
        name: average_precision(scores.astype(np.float64), gold, missed_positives=missed_positives)
        for name, scores in pooled.items()
    }


def _ranked_by(
    model: EcercModel, untrained: EcercModel, inputs: Mapping[str, Any], neutral: int, rates: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Scores ``(B, L, L)`` by name."""
    hints, outputs = {}, {}
    with torch.inference_mode():
        for name, scorer in (("hint", model), ("untrained", untrained)):
            outputs[name] = scorer.eval()(**inputs, output_attentions=True)
            hints[name] = attention_hints(outputs[name].gates, outputs[name].attentions)
        trained = outputs["hint"]
        uniform = uniform_attention(model.config.streams, inputs["mask"], inputs["speakers"])
        hints["uniform"] = attention_hints(trained.gates, uniform)
        emotional = 1.0 - trained.logits.softmax(dim=-1)[..., neutral]
    found = {name: hint.cpu().numpy() for name, hint in hints.items()}
    p = emotional.cpu().numpy()[..., None]
    turn = np.arange(p.shape[1])
    distance = np.broadcast_to(rates[_distances(turn)], found["hint"].shape)
    found["distance"] = distance
    return {
        **found,
        **{f"p_{name}": p * scores for name, scores in found.items()},
        "p_distance_hint": p * distance * found["hint"],
    }


def _distances(turn: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(L, L)``: target minus cause, clipped and shifted to count from 0."""
    apart: NDArray[np.int64] = np.clip(turn[:, None] - turn, -_FARTHEST, _FARTHEST)
    return apart + _FARTHEST


def _distance_rates(batches: _Batches) -> NDArray[np.float64]:
    """Share of gold pairs among the candidates of each distance."""
    candidates, gold = (np.zeros(2 * _FARTHEST + 1) for _ in range(2))
    for batch in batches:
        valid, positive = batch["valid"].cpu().numpy(), batch["gold"].cpu().numpy()
        places = np.broadcast_to(_distances(np.arange(valid.shape[1])), valid.shape)
        candidates += np.bincount(places[valid], minlength=len(candidates))
        gold += np.bincount(places[valid & positive], minlength=len(gold))
    return gold / np.maximum(candidates, 1)
