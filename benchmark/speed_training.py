"""Speed of training against named alternatives, measured in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from iemomecp_dataset.benchmark.speed_metrics import SpeedRow

__all__ = ["run"]


def run(*, dialogues: int = 16, turns: int = 18, width: int = 768, repeats: int = 15) -> list[SpeedRow]:
    """Measures steps of the dialogue scorer with frozen text features; every time is the median of some repeats.

    Args:
        dialogues: Dialogues of the batch.
        turns: Utterances of the longest dialogue; the others are shorter, as IEMO-MECP's chunks are.
        width: Width of the text features.
        repeats: Repeats of each measurement, taken in turn so that a machine that slows down slows both.

    Returns:
        One row for each comparison.
    """
    import torch

    from iemomecp_dataset.trainers.dialogue_scorer import Corruption, DialogueScorer, DialogueScorerConfig
    from iemomecp_dataset.trainers.objectives import OBJECTIVES, ObjectiveWeights, objective_terms

    torch.manual_seed(0)
    sizes = torch.linspace(turns // 3, turns, dialogues).round().long()
    mask = torch.arange(turns)[None] < sizes[:, None]
    past = torch.tril(mask[:, :, None] & mask[:, None, :])
    labels = torch.where(past, (torch.rand(past.shape) > 0.1).long(), -100)
    speakers = torch.arange(turns).remainder(2).expand(dialogues, -1)
    text = torch.randn(dialogues, turns, width)
    model = DialogueScorer(DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=width)).train()

    def step(name: str, valid: torch.Tensor | None) -> None:
        objective = OBJECTIVES[name]
        scores = model(
            mask,
            speakers,
            valid=valid,
            text=text,
            gold=labels == 0,
            corruption=Corruption() if objective.corruption else None,
        )
        terms = objective_terms(
            objective,
            ObjectiveWeights(),
            emotion_logits=scores.emotion_logits,
            cause_logits=scores.cause_logits,
            pair_logits=scores.pair_logits,
            corrupted_pair_logits=scores.corrupted_pair_logits,
            emotion_labels=(labels == 0).any(2).long(),
            cause_labels=(labels == 0).any(1).long(),
            pair_labels=labels,
            mask=mask,
            valid=past,
        )
        torch.stack(list(terms.values())).sum().backward()
        model.zero_grad()

    everywhere = torch.ones_like(past)
    return [
        _compare(
            "RPCL step, frozen encoder", lambda: step("rpcl", past), "Base step", lambda: step("base", past), repeats
        ),
        _compare(
            "Base step over valid pairs",
            lambda: step("base", past),
            "over the padded square",
            lambda: step("base", everywhere),
            repeats,
        ),
    ]


def _compare(
    name: str, ours: Callable[[], None], alternative_name: str, alternative: Callable[[], None], repeats: int
) -> SpeedRow:
    times: tuple[list[float], list[float]] = ([], [])
    for function in (ours, alternative):
        function()  # the first call allocates
    for _ in range(repeats):
        for kept, function in zip(times, (ours, alternative), strict=True):
            started = time.perf_counter()
            function()
            kept.append(time.perf_counter() - started)
    seconds, other = (float(np.median(kept)) for kept in times)
    return SpeedRow(name, seconds, alternative_name, other, other / seconds)
