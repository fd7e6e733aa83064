"""Objectives against slow, loop-by-loop NumPy versions of arXiv 2606.18893, on random padded batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.objectives import (
    OBJECTIVES,
    ObjectiveWeights,
    confidence_margin_ranking,
    corrupt_context,
    corrupted_context_stability,
    emotion_loss,
    mean_cross_entropy,
    objective_terms,
    resolve_objective,
    supervised_extraction,
    symmetric_divergence,
)
from iemomecp_dataset.trainers.options import OBJECTIVE_NAMES


class Batch:
    """A random padded batch of two to four dialogues."""

    def __init__(self, seed: int, classes: int = 2, dtype: torch.dtype = torch.float64, past_only: bool = False):
        rng = np.random.default_rng(seed)
        self.sizes = rng.integers(1, 7, size=rng.integers(2, 5))
        b, n = len(self.sizes), int(self.sizes.max())
        self.mask = np.arange(n)[None] < self.sizes[:, None]
        self.valid = self.mask[:, :, None] & self.mask[:, None, :]
        if past_only:
            self.valid &= np.tril(np.ones((n, n), dtype=bool))
        self.labels = np.where(self.valid, rng.integers(0, classes, size=(b, n, n)), -100)
        self.gold = self.labels == 0
        self.emotion_labels = rng.integers(0, 2, size=(b, n))
        self.cause_labels = rng.integers(0, 2, size=(b, n))
        self.emotion_logits = rng.normal(size=(b, n, 2))
        self.cause_logits = rng.normal(size=(b, n, 2))
        self.pair_logits = 2 * rng.normal(size=(b, n, n, classes))
        self.corrupted_logits = 2 * rng.normal(size=(b, n, n, classes))
        self.dtype = dtype
        self.tensors: dict[str, Tensor] = {}

    def __getattr__(self, name: str) -> Tensor:
        if (name := name.removeprefix("t_")) in self.tensors:
            return self.tensors[name]
        array = self.__dict__[name]
        return torch.tensor(array, dtype=self.dtype if array.dtype == np.float64 else None)

    def supervised(self) -> tuple[Tensor, ...]:
        return (self.t_emotion_logits, self.t_cause_logits, self.t_pair_logits, self.t_emotion_labels,
                self.t_cause_labels, self.t_labels, self.t_mask, self.t_valid)  # fmt: skip


def slow_softmax(logits: np.ndarray) -> list[float]:
    exponentials = [math.exp(x) for x in logits]
    return [x / sum(exponentials) for x in exponentials]


def slow_ranking(batch: Batch, base_margin: float, top_k: int | None, adaptive: bool, role: int = 0) -> float:
    losses = []
    for d, size in enumerate(batch.sizes):
        p = [[slow_softmax(batch.pair_logits[d, i, j])[role] for j in range(size)] for i in range(size)]
        q = [slow_softmax(batch.cause_logits[d, j])[1] for j in range(size)]
        for i in range(size):
            gold = [j for j in range(size) if batch.valid[d, i, j] and batch.labels[d, i, j] == role]
            negative = [j for j in range(size) if batch.valid[d, i, j] and batch.labels[d, i, j] != role]
            hard = sorted(negative, key=lambda j: -p[i][j])[:top_k]
            for plus in gold:
                for minus in hard:
                    margin = base_margin * (math.exp(q[minus] - q[plus]) if adaptive else 1.0)
                    losses.append(max(0.0, margin - (p[i][plus] - p[i][minus])))
    return sum(losses) / len(losses) if losses else 0.0


def slow_cross_entropies(batch: Batch, logits: np.ndarray) -> list[float]:
    return [
        -math.log(slow_softmax(logits[index])[batch.labels[index]])
        for index in zip(*np.nonzero(batch.valid), strict=True)
    ]


class LossCase:
    """What every loss must do; a subclass names the function and computes it in a loop.

    Attributes:
        of: The function.
        trained: Logits of the batch that get gradient.
        constant: Logits of the batch that it reads without gradient.
    """

    of: ClassVar[Callable[..., Tensor]]
    trained: ClassVar[tuple[str, ...]]
    constant: ClassVar[tuple[str, ...]] = ()

    def loss(self, batch: Batch) -> Tensor:
        """Calls the function on a batch's tensors."""
        raise NotImplementedError

    def slow(self, batch: Batch) -> float:
        """Computes it by loops over a batch's arrays."""
        raise NotImplementedError

    @pytest.mark.parametrize("seed", range(8))
    def test_equals_the_loop(self, seed: int) -> None:
        batch = Batch(seed, classes=2 + seed % 2, past_only=seed % 3 == 0)
        assert self.loss(batch).item() == pytest.approx(self.slow(batch), abs=1e-12)

    def test_padding_never_counts(self) -> None:
        batch, poisoned = Batch(5), Batch(5)
        for name in (*self.trained, *self.constant):
            logits = getattr(poisoned, name)
            logits[~(poisoned.valid if logits.ndim == 4 else poisoned.mask)] = np.nan
        assert self.loss(poisoned).item() == self.loss(batch).item()

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_narrow_types_give_nearly_the_same(self, dtype: torch.dtype) -> None:
        assert self.loss(Batch(4, dtype=dtype)).item() == pytest.approx(self.loss(Batch(4)).item(), rel=2e-2, abs=1e-2)

    def test_gradient_reaches_what_is_trained_alone(self) -> None:
        batch = Batch(3)
        leaves = {name: getattr(batch, f"t_{name}").requires_grad_() for name in (*self.trained, *self.constant)}
        batch.tensors = leaves
        self.loss(batch).backward()
        for name in self.trained:
            assert leaves[name].grad.abs().sum() > 0, name
        for name in self.constant:
            assert leaves[name].grad is None, name

    def test_over_nothing_it_is_zero_and_differentiable(self) -> None:
        batch = Batch(3)
        batch.mask, batch.valid = np.zeros_like(batch.mask), np.zeros_like(batch.valid)
        batch.tensors = {name: getattr(batch, f"t_{name}").requires_grad_() for name in self.trained}
        loss = self.loss(batch)
        assert loss.item() == 0.0
        loss.backward()
        for tensor in batch.tensors.values():
            assert torch.equal(tensor.grad, torch.zeros_like(tensor))


class TestSupervisedExtraction(LossCase):
    of = supervised_extraction
    trained = ("emotion_logits", "cause_logits", "pair_logits")

    def loss(self, batch: Batch) -> Tensor:
        return supervised_extraction(*batch.supervised())

    def slow(self, batch: Batch) -> float:
        utterances = list(zip(*np.nonzero(batch.mask), strict=True))
        emotions = [-math.log(slow_softmax(batch.emotion_logits[u])[batch.emotion_labels[u]]) for u in utterances]
        causes = [-math.log(slow_softmax(batch.cause_logits[u])[batch.cause_labels[u]]) for u in utterances]
        return np.mean(emotions) + np.mean(causes) + np.mean(slow_cross_entropies(batch, batch.pair_logits))


class TestMeanCrossEntropy(LossCase):
    of = mean_cross_entropy
    trained = ("pair_logits",)

    def loss(self, batch: Batch) -> Tensor:
        return mean_cross_entropy(batch.t_pair_logits, batch.t_labels, batch.t_valid)

    def slow(self, batch: Batch) -> float:
        return np.mean(slow_cross_entropies(batch, batch.pair_logits))


class TestSymmetricDivergence(LossCase):
    of = symmetric_divergence
    trained = ("pair_logits", "corrupted_logits")

    def loss(self, batch: Batch) -> Tensor:
        return symmetric_divergence(batch.t_pair_logits, batch.t_corrupted_logits, batch.t_valid)

    def slow(self, batch: Batch) -> float:
        found = []
        for index in zip(*np.nonzero(batch.valid), strict=True):
            p, q = slow_softmax(batch.pair_logits[index]), slow_softmax(batch.corrupted_logits[index])
            found += [sum(a * math.log(a / b) for a, b in zip(*two, strict=True)) for two in ((p, q), (q, p))]
        return np.mean(found)


class TestMarginRanking(LossCase):
    of = confidence_margin_ranking
    trained = ("pair_logits",)
    constant = ("cause_logits",)
    top_k: ClassVar[int | None] = 3
    adaptive = True

    def loss(self, batch: Batch) -> Tensor:
        return confidence_margin_ranking(
            batch.t_pair_logits.softmax(-1)[..., 0], batch.t_cause_logits.softmax(-1)[..., 1], batch.t_gold,
            batch.t_valid, base_margin=0.4, top_k=self.top_k, adaptive=self.adaptive,
        )  # fmt: skip

    def slow(self, batch: Batch) -> float:
        return slow_ranking(batch, 0.4, self.top_k, self.adaptive)


class TestMarginRankingOfTheHardest(TestMarginRanking):
    top_k = 1


class TestMarginRankingOfAll(TestMarginRanking):
    top_k = None


class TestFixedMarginRanking(TestMarginRanking):
    adaptive = False


class TestFixedMarginRankingOfAll(TestFixedMarginRanking):
    top_k = None


class TestCorruptedContextStability(LossCase):
    of = corrupted_context_stability
    trained = ("corrupted_logits",)
    constant = ("pair_logits",)

    def loss(self, batch: Batch) -> Tensor:
        return corrupted_context_stability(
            batch.t_corrupted_logits, batch.t_pair_logits, batch.t_labels, batch.t_valid,
            supervision_weight=0.6, alignment_weight=0.3,
        )  # fmt: skip

    def slow(self, batch: Batch) -> float:
        distances = [
            sum(
                (a - b) ** 2
                for a, b in zip(
                    slow_softmax(batch.corrupted_logits[i]), slow_softmax(batch.pair_logits[i]), strict=True
                )
            )
            for i in zip(*np.nonzero(batch.valid), strict=True)
        ]
        return 0.6 * np.mean(slow_cross_entropies(batch, batch.corrupted_logits)) + 0.3 * np.mean(distances)


def test_ranking_worked_by_hand() -> None:
    # Row 0: gold .6, negatives .5 and .1. Row 1: gold .3, negatives .3 and .2. Row 2 has no gold and counts nothing.
    p = torch.tensor([[[0.6, 0.5, 0.1], [0.3, 0.3, 0.2], [0.9, 0.9, 0.9]]])
    gold = torch.tensor([[[1, 0, 0], [0, 1, 0], [0, 0, 0]]], dtype=torch.bool)
    valid = torch.ones(1, 3, 3, dtype=torch.bool)
    q = torch.tensor([[0.5, 0.2, 0.9]])
    fixed = confidence_margin_ranking(p, q, gold, valid, base_margin=0.2, adaptive=False)
    assert fixed.item() == pytest.approx((0.1 + 0.0 + 0.2 + 0.1) / 4)
    hardest = confidence_margin_ranking(p, q, gold, valid, base_margin=0.2, top_k=1, adaptive=False)
    assert hardest.item() == pytest.approx((0.1 + 0.2) / 2)
    adaptive = confidence_margin_ranking(p, q, gold, valid, base_margin=0.2, top_k=1)
    assert adaptive.item() == pytest.approx((0.2 * math.exp(-0.3) - 0.1 + 0.2 * math.exp(0.3)) / 2)


def test_ranking_without_gold_or_negatives_is_zero_and_differentiable() -> None:
    p = torch.rand(2, 3, 3, requires_grad=True)
    nothing = torch.zeros(2, 3, 3, dtype=torch.bool)
    for gold in (nothing, ~nothing):
        loss = confidence_margin_ranking(p, torch.rand(2, 3), gold, ~nothing)
        assert loss.item() == 0.0
        loss.backward()
    assert torch.equal(p.grad, torch.zeros_like(p))


def test_class_weights_make_a_weighted_mean() -> None:
    batch = Batch(1, classes=3)
    weights = torch.tensor([2.0, 5.0, 0.5], dtype=torch.float64)
    losses = slow_cross_entropies(batch, batch.pair_logits)
    w = weights.numpy()[batch.labels[batch.valid]]
    plain = supervised_extraction(*batch.supervised()).item() - np.mean(losses)
    weighted = supervised_extraction(*batch.supervised(), pair_class_weights=weights).item() - plain
    assert weighted == pytest.approx(np.sum(w * losses) / w.sum(), abs=1e-12)


@pytest.mark.parametrize(("supervision", "alignment"), [(0.6, 0.0), (0.0, 0.3), (0.0, 0.0)])
def test_stability_without_a_part_is_the_other_and_differentiable(supervision: float, alignment: float) -> None:
    batch = Batch(1)

    corrupted = batch.t_corrupted_logits.requires_grad_()
    loss, whole, rest = (
        corrupted_context_stability(
            corrupted, batch.t_pair_logits, batch.t_labels, batch.t_valid,
            supervision_weight=of_supervision, alignment_weight=of_alignment,
        )
        for of_supervision, of_alignment in (
            (supervision, alignment), (0.6, 0.3), (0.6 - supervision, 0.3 - alignment)
        )
    )  # fmt: skip
    loss.backward()
    assert (corrupted.grad.abs().sum() > 0) == bool(supervision or alignment)
    assert loss.item() == pytest.approx((whole - rest).item(), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), rate=st.floats(0, 1), protect=st.booleans())
def test_corruption_zeroes_whole_unprotected_utterances_or_nothing(seed: int, rate: float, protect: bool) -> None:
    batch = Batch(seed)
    gold = batch.gold & (np.random.default_rng(seed).random(batch.gold.shape) < 0.2)
    utterances = torch.tensor(np.random.default_rng(seed).normal(size=(*batch.mask.shape, 4)) + 10)
    corrupted = corrupt_context(
        utterances, torch.tensor(gold), batch.t_mask, rate=rate, protect_gold=protect,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    zeroed = (corrupted == 0).all(-1).numpy()
    assert torch.equal(corrupted[~torch.tensor(zeroed)], utterances[~torch.tensor(zeroed)])
    assert not zeroed[~batch.mask].any(), "padding is not an utterance"
    if protect:
        assert not zeroed[gold.any(2) | gold.any(1)].any(), "utterances of gold pairs are protected"
    if rate == 0:
        assert not zeroed.any()
    if rate == 1:
        free = batch.mask & ~(gold.any(2) | gold.any(1)) if protect else batch.mask
        assert zeroed[free].all()


def test_corruption_rate_is_met_and_the_generator_decides() -> None:
    utterances = torch.ones(50, 40, 2)
    nothing = torch.zeros(50, 40, 40, dtype=torch.bool)
    mask = torch.ones(50, 40, dtype=torch.bool)
    first, again = (
        corrupt_context(utterances, nothing, mask, rate=0.3, generator=torch.Generator().manual_seed(7))
        for _ in range(2)
    )
    assert torch.equal(first, again)
    assert (first == 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    with pytest.raises(UsageError, match=r"1\.5"):
        corrupt_context(utterances, nothing, mask, rate=1.5)


# Every line of the paper's table of controls and ablations, in its words: terms, margin, negatives, protection.
PAPER = {
    "base": ({"supervised"}, None),
    "rpcl": ({"supervised", "ranking", "corrupted_supervision", "alignment"}, ("adaptive", 8)),
    "cdmr": ({"supervised", "ranking"}, ("adaptive", 8)),
    "ccps": ({"supervised", "corrupted_supervision", "alignment"}, None),
    "fixed_margin": ({"supervised", "ranking"}, ("fixed", 8)),
    "utterance_dropout": ({"supervised", "alignment"}, None),
    "rpcl_no_consistency": ({"supervised", "ranking", "corrupted_supervision"}, ("adaptive", 8)),
    "rpcl_no_corrupted_supervision": ({"supervised", "ranking", "alignment"}, ("adaptive", 8)),
    "rpcl_fixed_margin": ({"supervised", "ranking", "corrupted_supervision", "alignment"}, ("fixed", 8)),
    "rpcl_all_negatives": ({"supervised", "ranking", "corrupted_supervision", "alignment"}, ("adaptive", None)),
}


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_composition_is_the_papers(name: str) -> None:
    expected_terms, ranking = PAPER[name]
    batch = Batch(11)
    n = batch.mask.shape[1]
    weights = ObjectiveWeights(base_margin=0.4, top_k=2)
    terms = objective_terms(
        OBJECTIVES[name], weights,
        emotion_logits=batch.t_emotion_logits, cause_logits=batch.t_cause_logits, pair_logits=batch.t_pair_logits,
        corrupted_pair_logits=batch.t_corrupted_logits, emotion_labels=batch.t_emotion_labels,
        cause_labels=batch.t_cause_labels, pair_labels=batch.t_labels, mask=batch.t_mask, valid=batch.t_valid,
    )  # fmt: skip
    assert set(terms) == expected_terms
    if ranking:
        margin, top_k = ranking
        expected = 0.3 * slow_ranking(batch, 0.4, 2 if top_k else n, margin == "adaptive")
        assert terms["ranking"].item() == pytest.approx(expected, abs=1e-12)
    if {"alignment", "corrupted_supervision"} & set(terms):
        expected = corrupted_context_stability(
            batch.t_corrupted_logits, batch.t_pair_logits, batch.t_labels, batch.t_valid,
            supervision_weight=0.75 if "corrupted_supervision" in terms else 0.0,
            alignment_weight=0.2 if "alignment" in terms else 0.0,
        )  # fmt: skip
        assert sum(terms[t] for t in terms if t in ("alignment", "corrupted_supervision")).item() == pytest.approx(
            expected.item(), abs=1e-12
        )
    assert OBJECTIVES[name].protect_gold == (name != "utterance_dropout")


@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ("ranking_weight", "ranking"),
        ("context_ranking_weight", "context_ranking"),
        ("corrupted_supervision_weight", "corrupted_supervision"),
        ("alignment_weight", "alignment"),
        ("base_margin", None),
        ("top_k", None),
    ],
)
def test_each_weight_scales_its_term_alone(weight: str, term: str | None) -> None:
    batch = Batch(11, classes=3)

    def terms(**weights: float) -> dict[str, float]:
        found = objective_terms(
            OBJECTIVES["rpcl"], ObjectiveWeights(**{"top_k": 2, "context_ranking_weight": 0.5, **weights}),
            emotion_logits=batch.t_emotion_logits, cause_logits=batch.t_cause_logits, pair_logits=batch.t_pair_logits,
            corrupted_pair_logits=batch.t_corrupted_logits, emotion_labels=batch.t_emotion_labels,
            cause_labels=batch.t_cause_labels, pair_labels=batch.t_labels, mask=batch.t_mask, valid=batch.t_valid,
        )  # fmt: skip
        return {name: value.item() for name, value in found.items()}

    if term is None:  # a size: both rankings are of other triples, or of another margin
        one, two = terms(**{weight: 1}), terms(**{weight: 3})
        assert {name for name in one if one[name] != pytest.approx(two[name])} == {"ranking", "context_ranking"}
        return
    one, two = terms(**{weight: 0.4}), terms(**{weight: 1.2})
    for name, value in one.items():
        assert value > 0
        assert two[name] == pytest.approx(value * (3 if name == term else 1)), name


def test_training_calls_the_public_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    from iemomecp_dataset.trainers import objectives

    called = []
    for name in ("supervised_extraction", "confidence_margin_ranking", "corrupted_context_stability"):
        function = getattr(objectives, name)
        monkeypatch.setattr(
            objectives, name, lambda *a, _name=name, _of=function, **k: called.append(_name) or _of(*a, **k)
        )
    batch = Batch(11)
    objective_terms(
        OBJECTIVES["rpcl"], ObjectiveWeights(),
        emotion_logits=batch.t_emotion_logits, cause_logits=batch.t_cause_logits, pair_logits=batch.t_pair_logits,
        corrupted_pair_logits=batch.t_corrupted_logits, emotion_labels=batch.t_emotion_labels,
        cause_labels=batch.t_cause_labels, pair_labels=batch.t_labels, mask=batch.t_mask, valid=batch.t_valid,
    )  # fmt: skip
    assert set(called) == {"supervised_extraction", "confidence_margin_ranking", "corrupted_context_stability"}


@pytest.mark.parametrize("seed", range(4))
def test_second_margin_ranks_contexts(seed: int) -> None:
    batch = Batch(seed, classes=3, past_only=True)
    for name in OBJECTIVE_NAMES:
        terms = objective_terms(
            OBJECTIVES[name], ObjectiveWeights(base_margin=0.4, top_k=2, context_ranking_weight=0.7),
            emotion_logits=batch.t_emotion_logits, cause_logits=batch.t_cause_logits, pair_logits=batch.t_pair_logits,
            corrupted_pair_logits=batch.t_corrupted_logits, emotion_labels=batch.t_emotion_labels,
            cause_labels=batch.t_cause_labels, pair_labels=batch.t_labels, mask=batch.t_mask, valid=batch.t_valid,
        )  # fmt: skip
        assert ("context_ranking" in terms) == OBJECTIVES[name].ranking
        if OBJECTIVES[name].ranking:
            top_k = 2 if OBJECTIVES[name].hard_negatives else batch.mask.shape[1]
            expected = 0.7 * slow_ranking(batch, 0.4, top_k, adaptive=False, role=1)
            assert terms["context_ranking"].item() == pytest.approx(expected, abs=1e-12)


def test_names_and_unknown_objective() -> None:
    assert tuple(OBJECTIVES) == OBJECTIVE_NAMES == tuple(PAPER)
    with pytest.raises(UsageError, match="Did you mean 'rpcl'"):
        resolve_objective("rpcI")


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 3.0]])
def test_emotion_loss_is_the_mean_over_labelled_utterances(gamma: float, weights: list[float] | None) -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 5, 3)), rng.integers(0, 3, (2, 5))
    labels[0, 2] = -100
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    terms = []
    for row, label, real in zip(logits.reshape(-1, 3), labels.flat, mask.flat, strict=True):
        if real and label != -100:
            p = slow_softmax(row)[label]
            terms.append(-((1 - p) ** gamma) * (1.0 if weights is None else weights[label]) * math.log(p))
    assert len(terms) == 6
    given = torch.tensor(logits, requires_grad=True), torch.tensor(labels), torch.tensor(mask)
    options = {"gamma": gamma, "class_weights": weights}
    assert emotion_loss(*given, **options).item() == pytest.approx(sum(terms) / len(terms))
    # Two halves pooled give the mean over both, as for any other loss.
    halves = [emotion_loss(*(part[i : i + 1] for part in given), **options, pool=lambda t, c: t / 6) for i in (0, 1)]
    assert sum(halves).item() == pytest.approx(sum(terms) / len(terms))
    assert emotion_loss(given[0], torch.full((2, 5), -100), given[2], **options).item() == 0.0


def test_the_focal_factor_carries_no_gradient() -> None:
    logits = torch.tensor([[[0.3, -0.2, 0.1]]], dtype=torch.float64, requires_grad=True)
    label, mask = torch.tensor([[1]]), torch.ones(1, 1, dtype=torch.bool)
    (plain,) = torch.autograd.grad(emotion_loss(logits, label, mask), logits)
    (focal,) = torch.autograd.grad(emotion_loss(logits, label, mask, gamma=2.0), logits)
    p = logits.softmax(dim=-1)[0, 0, 1].detach()
    torch.testing.assert_close(focal, (1 - p) ** 2 * plain)
