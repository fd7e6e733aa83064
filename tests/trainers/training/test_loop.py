"""What the loop does with a task: recorded calls of a stand-in for scorer and strategy, instead of a training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from iemomecp_dataset.errors import RunFolderError, TrainingError
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training import loop, stopping
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.ema import decay_at
from iemomecp_dataset.trainers.training.loop import fit, score_examples
from iemomecp_dataset.trainers.training.progress import read_progress, write_progress
from iemomecp_dataset.trainers.training.samplers import BatchOrder, RandomBatches
from iemomecp_dataset.trainers.training.stopping import StopReason
from iemomecp_dataset.trainers.training.task import Recipe, Selected, TrainingTask

SPLITS = {"train": 4, "validation": 2, "test": 3}
ENCODER, HEAD = 0.01, 0.03
OPTIONS = {"epochs": 2, "batch_size": 1, "learning_rate": HEAD, "encoder_learning_rate": ENCODER, "patience": 0,
           "warmup_ratio": 0.0, "quiet": True}  # fmt: skip


class Model(nn.Module):
    """Has an encoder, matrices and biases."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.text_encoder = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)

    def forward(self, values: Tensor) -> Tensor:
        return self.head(self.text_encoder(values))


def weights_of(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


class Recorder:
    """A strategy that notes each of its calls.

    Attributes:
        trained: For each mini-batch its positions, the mode and the weights of the model, the kind of reduction.
        scored: For each mini-batch its split and positions, the mode and the weights of the model.
        steps: For each step of the optimizer its groups, the norm of the gradient, and the weights after it.
        orders: The arguments of each order by name.
    """

    unit = "example"

    def __init__(self) -> None:
        self.trained: list[SimpleNamespace] = []
        self.scored: list[SimpleNamespace] = []
        self.steps: list[SimpleNamespace] = []
        self.orders: dict[str, list[Mapping[str, Any]]] = {"train": [], "score": []}
        self.order: Callable[..., BatchOrder] = RandomBatches

    def train_order(self, examples: Any, **given: Any) -> BatchOrder:
        self.orders["train"].append({"split": examples.split, **given})
        return self.order(len(examples), given["batch_size"], seed=given["seed"])

    def scoring_order(self, examples: Any, **given: Any) -> BatchOrder:
        self.orders["score"].append({"split": examples.split, **given})
        return RandomBatches(len(examples), given["batch_size"], shuffle=False)

    def collate(self, batch: list[tuple[int, Any]]) -> dict[str, Any]:
        positions, examples = zip(*batch, strict=True)
        return {"position": torch.tensor(positions), "values": torch.stack([example.values for example in examples])}

    def terms(self, model: nn.Module, batch: Mapping[str, Any], pool: Any) -> dict[str, Tensor]:
        self.trained.append(
            SimpleNamespace(positions=batch["position"].tolist(), training=model.training, weights=weights_of(model))
        )
        squares = 100 * model(batch["values"]).square()
        return {"supervised": pool(squares.sum(), torch.tensor(float(squares.numel()))), "second": squares.sum() * 2}

    def probabilities(self, model: nn.Module, batch: Mapping[str, Any], examples: Any) -> Any:
        positions = batch["position"].tolist()
        self.scored.append(
            SimpleNamespace(
                split=examples.split, positions=positions, training=model.training, weights=weights_of(model),
                gradients=torch.is_grad_enabled(),
            )
        )  # fmt: skip
        return [(position, np.array([[examples.number(position), 0.0]])) for position in positions], 0.5


class Examples:
    """Random numbers, of two positions in a split."""

    def __init__(self, split: str, size: int):
        self.split = split
        generator = torch.Generator().manual_seed(len(split))
        self.values = torch.randn(size, 2, generator=generator)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, position: int) -> SimpleNamespace:
        return SimpleNamespace(dialogue_id=f"{self.split} {position}", values=self.values[position])

    def number(self, position: int) -> float:
        return 10 * sorted(SPLITS).index(self.split) + position


class Selection:
    """Gives an epoch's scores by a list, and a threshold that tells the epoch."""

    def __init__(self, scores: list[float | Selected]):
        self.scores = iter(scores)
        self.probabilities: list[np.ndarray] = []

    def __call__(self, probabilities: np.ndarray) -> Selected:
        self.probabilities.append(probabilities)
        found = next(self.scores)
        if isinstance(found, Selected):
            return found
        return Selected({"pair_f1": found}, found, len(self.probabilities) / 100)


class Fitted(SimpleNamespace):
    """What ``fit`` was given, did and returned."""

    def session(self, recipe: Recipe = Recipe(), selected: bool = True, **options: Any) -> Fitted:  # noqa: B008 - frozen
        """Starts, or continues, the run."""
        self.options = TrainingOptions.from_flat({**OPTIONS, "output_dir": str(self.folder.path), **options})
        accelerator = Accelerator(
            cpu=True, gradient_accumulation_steps=self.options.optimization.gradient_accumulation_steps
        )
        model = Model().eval()
        self.selection = Selection(self.scores)
        examples = {split: Examples(split, size) for split, size in self.splits.items()}
        task = TrainingTask(
            model,
            self.recorder,
            examples,
            selection_split=self.split,
            selection=self.selection if selected else None,
            recipe=recipe,
        )
        self.model = model
        self.progress, self.found = fit(accelerator, task, self.options, self.folder)
        return self

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder.path / "log.jsonl").read_text().splitlines()]

    def averages(self, decay: float) -> list[list[Tensor]]:
        """The averaged weights after each step, computed from those after the steps."""
        found: list[list[Tensor]] = []
        for step in self.recorder.steps:
            if not found:
                found.append(step.weights)
                continue
            kept = min(decay, (1 + len(found)) / (10 + len(found)))
            found.append([kept * old + (1 - kept) * new for old, new in zip(found[-1], step.weights, strict=True)])
        return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fitted]:
    """Makes a run that is not begun; ``session`` trains it. Steps of the optimizer are recorded."""
    recorders: list[Recorder] = []
    step = torch.optim.AdamW.step

    def recorded(optimizer: torch.optim.AdamW, *arguments: Any, **more: Any) -> Any:
        groups = [{"lr": float(g["lr"]), "weight_decay": g["weight_decay"]} for g in optimizer.param_groups]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        gradient = torch.cat([parameter.grad.flatten().clone() for parameter in parameters])
        done = step(optimizer, *arguments, **more)
        recorders[-1].steps.append(
            SimpleNamespace(groups=groups, gradient=gradient, weights=[p.detach().clone() for p in parameters])
        )
        return done

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)

    def make(
        scores: list[Any] | None = None,
        *,
        split: str = "validation",
        splits: Mapping[str, int] = SPLITS,
        name: str = "run",
    ) -> Fitted:
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        recorders.append(Recorder())
        return Fitted(
            folder=folder, recorder=recorders[-1], split=split, splits=splits, scores=scores or [0.1, 0.2, 0.3, 0.4]
        )

    return make


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether weights are equal, in whatever order the parameters are listed."""
    order = [sorted(weights, key=lambda tensor: (tensor.ndim, float(tensor.sum()))) for weights in (one, other)]
    return all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*order, strict=True))


@pytest.mark.parametrize(
    ("options", "factors"),
    [
        ({}, [1 - n / 8 for n in range(8)]),
        ({"warmup_ratio": 0.25}, [0, 1 / 2, *(1 - n / 6 for n in range(6))]),
        ({"warmup_ratio": 0.5, "epochs": 1}, [0, 1 / 2, 1, 1 / 2]),
        ({"warmup_ratio": 1.0, "batch_size": 2}, [0, 1 / 4, 2 / 4, 3 / 4]),
        # Three mini-batches a step: two steps an epoch.
        ({"gradient_accumulation_steps": 3}, [1 - n / 4 for n in range(4)]),
    ],
)
def test_learning_rates_rise_and_fall_over_all_steps(
    options: dict[str, Any], factors: list[float], run: Callable[..., Fitted]
) -> None:
    fitted = run().session(**options)
    found = [sorted(group["lr"] for group in step.groups) for step in fitted.recorder.steps]
    assert found == [pytest.approx([ENCODER * factor, HEAD * factor]) for factor in factors]
    after_epochs = [*factors, 0.0][len(factors) // len(fitted.log) :: len(factors) // len(fitted.log)]
    assert [event["learning_rate"] for event in fitted.log] == pytest.approx([HEAD * f for f in after_epochs])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"weight_decay": 0.5}, {(ENCODER, 0.5): 2, (HEAD, 0.5): 2}),
        (
            {"weight_decay": 0.5, "decay_everything": False},
            {(ENCODER, 0.5): 1, (ENCODER, 0.0): 1, (HEAD, 0.5): 1, (HEAD, 0.0): 1},
        ),
        ({"weight_decay": 0.0}, {(ENCODER, 0.0): 2, (HEAD, 0.0): 2}),
    ],
)
def test_parameters_are_grouped_by_rate_and_decay(options: dict[str, Any], expected: dict[Any, int]) -> None:
    optimization = TrainingOptions.from_flat({**OPTIONS, **options}).optimization
    model = Model()
    groups = loop._parameter_groups(model, optimization)
    assert {(group["lr"], group["weight_decay"]): len(group["params"]) for group in groups} == expected
    encoder = {id(parameter) for parameter in model.text_encoder.parameters()}
    for group in groups:
        assert {id(parameter) in encoder for parameter in group["params"]} == {group["lr"] == ENCODER}
        if group["weight_decay"] == 0.0 and options["weight_decay"]:
            assert {parameter.ndim for parameter in group["params"]} == {1}, "biases and gains of norms"
    model.head.requires_grad_(False)
    assert {group["lr"] for group in loop._parameter_groups(model, optimization)} == {ENCODER}


@pytest.mark.parametrize("norm", [0.5, 2.0, 1e6])
def test_gradients_are_clipped_and_of_one_step_alone(norm: float, run: Callable[..., Fitted]) -> None:
    fitted = run().session(max_grad_norm=norm, epochs=1)
    examples = Examples("train", SPLITS["train"])
    for done, step in zip(fitted.recorder.trained, fitted.recorder.steps, strict=True):
        model = Model()
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), done.weights, strict=True):
                parameter.copy_(value)
        values = torch.stack([examples[position].values for position in done.positions])
        squares = 100 * model(values).square()
        (squares.mean() + 2 * squares.sum()).backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
        gradient *= min(1.0, norm / float(gradient.norm()))
        torch.testing.assert_close(step.gradient.norm(), gradient.norm())
        torch.testing.assert_close(step.gradient.sort().values, gradient.sort().values)


@pytest.mark.parametrize(("steps", "taken"), [(1, 4), (2, 2), (3, 2)])
def test_gradients_are_accumulated(steps: int, taken: int, run: Callable[..., Fitted]) -> None:
    fitted = run().session(gradient_accumulation_steps=steps, epochs=1)
    assert len(fitted.recorder.trained) == 4
    assert len(fitted.recorder.steps) == taken
    for number, batch in enumerate(fitted.recorder.trained):
        begun = number // steps * steps
        assert same(batch.weights, fitted.recorder.trained[begun].weights), "no step in between"


def test_the_model_trains_in_training_mode_and_is_scored_in_evaluation_mode(run: Callable[..., Fitted]) -> None:
    fitted = run().session()
    assert len(fitted.recorder.trained) == 8
    assert all(batch.training for batch in fitted.recorder.trained), "the model came in evaluation mode"
    assert len(fitted.recorder.scored) == 4
    assert not any(batch.training or batch.gradients for batch in fitted.recorder.scored)


@pytest.mark.parametrize("decay", [0.995, 0.15, 0.0])
def test_the_averaged_weights_are_scored_and_kept(decay: float, run: Callable[..., Fitted]) -> None:
    fitted = run([0.1, 0.2]).session(weight_averaging=decay)
    averages = fitted.averages(decay)
    selected = [batch for batch in fitted.recorder.scored if batch.split == "validation"][:2]
    assert [same(batch.weights, averages[step]) for batch, step in zip(selected, (3, 7), strict=True)] == [True, True]
    assert same(weights_of(fitted.model), averages[7])
    assert same(averages[7], fitted.recorder.steps[7].weights) == (decay == 0)
    assert not same(averages[7], averages[3])


def test_the_decay_of_the_average_begins_small_and_ends_as_asked() -> None:
    assert [decay_at(updates, 0.99) for updates in (1, 10, 100)] == pytest.approx([2 / 11, 11 / 20, 101 / 110])
    assert [decay_at(100_000, decay) for decay in (0.99, 0.5, 0.0)] == [0.99, 0.5, 0.0]


@pytest.mark.parametrize(
    ("scores", "patience", "epochs", "best"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0, 4, 4),
        ([0.4, 0.3, 0.2, 0.1], 0, 4, 1),
        ([0.1, 0.4, 0.3, 0.2], 0, 4, 2),
        ([0.1, 0.4, 0.4, 0.4], 0, 4, 2),  # of equals the first
        ([0.4, 0.4, 0.4, 0.5], 2, 3, 1),
        ([0.4, 0.3, 0.3, 0.5], 3, 4, 4),
        ([0.4, 0.3, 0.5, 0.1], 2, 4, 3),
        ([0.4, 0.5, 0.1, 0.1], 1, 3, 2),
    ],
)
def test_the_best_epoch_is_kept_and_patience_ends_training(
    scores: list[float], patience: int, epochs: int, best: int, run: Callable[..., Fitted]
) -> None:
    fitted = run(scores).session(epochs=4, patience=patience)
    progress = fitted.progress
    assert (progress.epoch, progress.best_epoch, progress.complete) == (epochs, best, True)
    assert progress.best_score == scores[best - 1]
    assert progress.threshold == best / 100, "the threshold of that epoch"
    expected = fitted.averages(0.995)[4 * best - 1]
    assert same(weights_of(fitted.model), expected)
    assert all(same(batch.weights, expected) for batch in fitted.recorder.scored[epochs:])
    assert [event["best_epoch"] for event in fitted.log][-1] == best


def test_the_epoch_is_selected_by_its_value_whatever_its_scores(run: Callable[..., Fitted]) -> None:
    selected = [Selected({"pair_f1": score}, value) for score, value in ((0.9, 0.1), (0.1, 0.3), (0.5, 0.2))]
    fitted = run(selected).session(epochs=3)
    assert fitted.progress.best_epoch == 2
    assert [event["validation"]["pair_f1"] for event in fitted.log] == [0.9, 0.1, 0.5]


def test_without_a_selection_nothing_is_scored_in_between_and_the_last_epoch_is_kept(
    run: Callable[..., Fitted],
) -> None:
    fitted = run()
    fitted.session(selected=False, epochs=3, patience=1)
    assert (fitted.progress.best_epoch, fitted.progress.epoch, fitted.progress.threshold) == (3, 3, None)
    assert same(weights_of(fitted.model), fitted.averages(0.995)[-1])
    assert [batch.split for batch in fitted.recorder.scored] == ["validation", "test"]
    assert [set(SPLITS) & set(event) for event in fitted.log] == [set()] * 3


@pytest.mark.parametrize(
    ("stop_on", "epochs"), [("score", 3), ("score_and_loss", 6)], ids=["score alone", "score and loss"]
)
def test_patience_counts_from_the_best_score_or_from_the_lowest_loss_too(
    stop_on: Any, epochs: int, run: Callable[..., Fitted]
) -> None:
    losses = [0.9, 0.8, 0.7, 0.6, 0.6, 0.7, 0.8]  # the score is best at once, the loss after the fourth epoch
    selected = [Selected({"weighted_f1": 0.5}, 0.5, loss=loss) for loss in losses]
    fitted = run(selected).session(recipe=Recipe(stop_on=stop_on), epochs=7, patience=2)
    assert (fitted.progress.best_epoch, fitted.progress.epoch) == (1, epochs)


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_a_constant_schedule_stays_after_the_warm_up(schedule: Any, run: Callable[..., Fitted]) -> None:
    fitted = run().session(recipe=Recipe(schedule=schedule), epochs=1, warmup_ratio=0.5)
    found = [max(group["lr"] for group in step.groups) for step in fitted.recorder.steps]
    assert found == pytest.approx([HEAD * f for f in ((0, 0.5, 1, 1) if schedule == "constant" else (0, 0.5, 1, 0.5))])


def test_adam_adds_the_decay_to_the_gradient_and_nothing_is_clipped_unless_asked_for(
    run: Callable[..., Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []

    class Recorded(torch.optim.Adam):
        def __init__(self, *arguments: Any, **more: Any):
            made.append(more)
            super().__init__(*arguments, **more)

    monkeypatch.setattr(torch.optim, "Adam", Recorded)
    clipped: list[Any] = []
    monkeypatch.setattr(Accelerator, "clip_grad_norm_", lambda *given, **more: clipped.append(given))
    fitted = run().session(
        recipe=Recipe(optimizer="adam", schedule="constant"), epochs=1, batch_size=4, weight_decay=0.5,
        max_grad_norm=None, weight_averaging=0.0,
    )  # fmt: skip
    reference, examples = Model(), Examples("train", SPLITS["train"])
    optimizer = torch.optim.Adam(loop._parameter_groups(reference, fitted.options.optimization))
    squares = 100 * reference(examples.values).square()
    (squares.mean() + 2 * squares.sum()).backward()
    optimizer.step()
    assert len(made) == 2
    assert clipped == []
    torch.testing.assert_close(weights_of(fitted.model), weights_of(reference))


@pytest.mark.parametrize(
    ("split", "splits", "scored"),
    [
        ("validation", SPLITS, ["validation", "test"]),
        ("train", {"train": 4, "test": 3}, ["train", "test"]),
        ("train", {"train": 4}, ["train"]),
        ("validation", {"train": 4, "validation": 2}, ["validation"]),
    ],
)
def test_epoch_and_threshold_are_chosen_on_the_selection_split_alone(
    split: str, splits: dict[str, int], scored: list[str], run: Callable[..., Fitted]
) -> None:
    fitted = run(split=split, splits=splits).session()
    assert [batch.split for batch in fitted.recorder.scored] == [split, split, *scored]
    assert list(fitted.found) == scored
    expected = {name: Examples(name, size) for name, size in splits.items()}
    for name in scored:
        numbers = [expected[name].number(position) for position in range(splits[name])]
        assert fitted.found[name].probabilities[:, 0].tolist() == numbers
    assert [p[:, 0].tolist() for p in fitted.selection.probabilities] == [
        fitted.found[split].probabilities[:, 0].tolist()
    ] * 2
    assert [set(SPLITS) & set(event) for event in fitted.log] == [{split}] * 2


def test_orders_get_seed_sizes_and_processes(run: Callable[..., Fitted]) -> None:
    fitted = run().session(seed=7, batch_size=3, eval_batch_size=2)
    processes = Processes(1, 0)
    assert fitted.recorder.orders["train"] == [{"split": "train", "batch_size": 3, "seed": 7, "processes": processes}]
    assert {order.pop("split") for order in fitted.recorder.orders["score"]} == set(SPLITS)
    assert fitted.recorder.orders["score"] == [{"batch_size": 2, "processes": processes}] * 3
    order = RandomBatches(4, 3, seed=7)
    for epoch in range(2):
        order.set_epoch(epoch)
        trained = [batch.positions for batch in fitted.recorder.trained][2 * epoch : 2 * epoch + 2]
        assert trained == list(order)
    fitted.recorder.scored.clear()
    score_examples(Accelerator(cpu=True), fitted.recorder, Model(), Examples("test", 3), batch_size=1)
    assert [batch.positions for batch in fitted.recorder.scored] == [[0], [1], [2]]


def test_the_log_has_the_mean_losses_of_each_epoch(run: Callable[..., Fitted]) -> None:
    fitted = run().session(weight_averaging=0.0)
    examples = Examples("train", SPLITS["train"])
    for epoch, event in enumerate(fitted.log):
        means, sums = [], []
        for batch in fitted.recorder.trained[4 * epoch : 4 * epoch + 4]:
            model = Model()
            with torch.no_grad():
                for parameter, value in zip(model.parameters(), batch.weights, strict=True):
                    parameter.copy_(value)
                squares = 100 * model(torch.stack([examples[p].values for p in batch.positions])).square()
            means.append(squares.mean().item())
            sums.append(2 * squares.sum().item())
        expected = {"supervised": np.mean(means), "second": np.mean(sums)}
        assert event["losses"] == pytest.approx(expected, rel=1e-4)
        assert event["train_loss"] == pytest.approx(sum(expected.values()), rel=1e-4)
        assert (event["epoch"], event["step"]) == (epoch + 1, 4 * (epoch + 1))
        assert event["validation"] == {"pair_f1": pytest.approx((epoch + 1) / 10), "loss": 0.5}


class Filled(BatchOrder):
    """Each mini-batch a filler but the first."""

    def __init__(self, size: int, batch_size: int, *, seed: int = 0):
        super().__init__(seed, Processes())
        self.size = size

    def __len__(self) -> int:
        return self.size

    def batches(self) -> Iterator[list[int]]:
        yield [0]
        yield from ([~0] for _ in range(self.size - 1))


def test_fillers_are_trained_on_with_weight_zero(run: Callable[..., Fitted], monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    pooled = loop.pooled_over_processes
    monkeypatch.setattr(
        loop,
        "pooled_over_processes",
        lambda accelerator, *, counted=True, _seen=counted: _seen.append(counted) or pooled(accelerator),
    )
    fitted = run()
    fitted.recorder.order = Filled
    fitted.session(epochs=1)
    assert counted == [True, False, False, False]
    assert [batch.positions for batch in fitted.recorder.trained] == [[0], [-1], [-1], [-1]]


@pytest.mark.parametrize(
    ("calls", "options"), [(1, {}), (4, {}), (5, {}), (7, {}), (1, {"gradient_accumulation_steps": 2})]
)
def test_a_continued_run_does_what_the_whole_one_does(
    calls: int, options: dict[str, int], run: Callable[..., Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run([0.4, 0.1, 0.3], name="whole").session(epochs=3, warmup_ratio=0.25, **options)

    parts = run([0.4, 0.1, 0.3], name="parts")
    asked = iter(range(1, 100))
    reason = stopping.StopRequests.reason

    def ends(self: stopping.StopRequests, *, timed: bool = True) -> StopReason | None:
        if timed and next(asked) == calls:
            return StopReason.TIME_OVER
        return reason(self, timed=timed)

    with monkeypatch.context() as patched:
        patched.setattr(stopping.StopRequests, "reason", ends)
        parts.session(epochs=3, warmup_ratio=0.25, **options)
    assert not parts.progress.complete
    assert parts.found == {}
    parts.scores = parts.scores[parts.progress.epoch :]
    parts.session(epochs=3, warmup_ratio=0.25, **options)
    for one, other in (
        (whole.recorder.trained, parts.recorder.trained),
        (whole.recorder.steps, parts.recorder.steps),
        (whole.recorder.scored, parts.recorder.scored),
    ):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert all(torch.equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))
            assert getattr(a, "positions", None) == getattr(b, "positions", None)
            assert getattr(a, "groups", None) == getattr(b, "groups", None)
    assert [without_seconds(event) for event in whole.log] == [without_seconds(event) for event in parts.log]


def without_seconds(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "seconds"}


def test_epochs_after_the_newest_checkpoint_are_logged_once_and_other_processes_are_refused(
    run: Callable[..., Fitted],
) -> None:
    begun = run([0.4, 0.1]).session(epochs=2)
    with open(begun.folder.path / "log.jsonl", "a") as file:
        file.write('{"event": "epoch", "epoch": 3}\n')
    begun.scores = [0.2]
    begun.session(epochs=3)
    assert [event["epoch"] for event in begun.log] == [1, 2, 3]
    checkpoint = begun.folder.latest_checkpoint()
    assert checkpoint is not None
    saved = read_progress(checkpoint)
    assert saved.processes == 1
    write_progress(checkpoint, replace(saved, losses=({}, {})))
    with pytest.raises(RunFolderError, match="was trained with 2 processes so far"):
        begun.session(epochs=4)


def test_a_loss_that_is_not_finite_is_refused_with_the_dialogues(run: Callable[..., Fitted]) -> None:
    fitted = run()
    terms = fitted.recorder.terms
    fitted.recorder.terms = lambda model, batch, pool: {**terms(model, batch, pool), "third": torch.tensor(torch.nan)}
    with pytest.raises(TrainingError, match=r"The loss is nan on the dialogues train \d, train \d"):
        fitted.session(batch_size=2)
    assert fitted.recorder.steps == []


def test_single_steps_are_those_of_a_run_and_write_nothing(tmp_path: Path, run: Callable[..., Fitted]) -> None:
    fitted = run().session()
    folder = RunFolder(tmp_path / "steps")
    recorder = Recorder()
    task = TrainingTask(Model(), recorder, {split: Examples(split, size) for split, size in SPLITS.items()})
    steps = loop.training_steps(Accelerator(cpu=True), task, fitted.options, folder)
    losses = [next(steps) for _ in range(2 * SPLITS["train"])]
    epochs = [sum(losses[: SPLITS["train"]]), sum(losses[SPLITS["train"] :])]
    assert epochs == pytest.approx([SPLITS["train"] * line["train_loss"] for line in fitted.log])
    assert [step.positions for step in recorder.trained] == [step.positions for step in fitted.recorder.trained]
    assert recorder.scored == []
    assert not [path for path in folder.path.rglob("*") if path.is_file() and path.stat().st_size]


def test_the_numbers_of_a_step_are_copied_from_the_device_at_once(
    run: Callable[..., Fitted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy of a single number makes a GPU finish all that is queued."""
    fitted = run().session(epochs=1)
    task = TrainingTask(Model(), Recorder(), {split: Examples(split, size) for split, size in SPLITS.items()})
    steps = loop.training_steps(Accelerator(cpu=True), task, fitted.options, RunFolder(fitted.folder.path / "none"))
    next(steps)
    single: list[Tensor] = []
    item, boolean = Tensor.item, Tensor.__bool__
    monkeypatch.setattr(Tensor, "item", lambda tensor: single.append(tensor) or item(tensor))
    monkeypatch.setattr(Tensor, "__bool__", lambda tensor: single.append(tensor) or boolean(tensor))
    next(steps)
    # What is left is torch's count of averaged steps, which lies on the CPU.
    assert [tensor for tensor in single if tensor.is_floating_point()] == []


def test_a_gpu_gets_mini_batches_from_pinned_memory_while_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(device: str) -> tuple[Any, ...]:
        found: dict[str, Any] = {}
        monkeypatch.setattr(loop, "DataLoader", lambda *_, **more: found.update(more))
        monkeypatch.setattr(loop, "prepare_data_loader", lambda *_, **more: found.update(more))
        accelerator: Any = SimpleNamespace(device=torch.device(device))
        loop._loader(accelerator, Examples("train", 1), RandomBatches(1, 1), Recorder())
        return found["pin_memory"], found["non_blocking"]

    assert given("cuda") == (True, True)
    assert given("cpu") == (False, False)
