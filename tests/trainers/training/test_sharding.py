"""Sharded weights: what is refused, shards that continue to the same bits, and two processes against the usual way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forked_python
import numpy as np
import pytest
import torch
from accelerate import DistributedType
from safetensors.torch import load_file, save_file
from torch import nn

from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.training.ema import averaged_model
from iemomecp_dataset.trainers.training.sharding import (
    SHARD_FILE,
    Shards,
    check_sharding,
    chunk_tokens_of,
    load_whole,
    reshard,
    whole_weights,
)


def launched(**plugin: object) -> SimpleNamespace:
    settings = {"fsdp_version": 2, "cpu_ram_efficient_loading": False, "cpu_offload": None}
    plugin = {**settings, "activation_checkpointing": False, **plugin}
    state = SimpleNamespace(fsdp_plugin=SimpleNamespace(**plugin))
    return SimpleNamespace(distributed_type=DistributedType.FSDP, state=state, parallelism_config=None)


@pytest.mark.parametrize(
    ("plugin", "options", "message"),
    [
        ({}, {"scorer": "isolated"}, "--scorer isolated was never trained so. Use --scorer dialogue"),
        ({"fsdp_version": 1}, {}, "Use fsdp_version: 2"),
        ({"cpu_ram_efficient_loading": True}, {}, "Use fsdp_cpu_ram_efficient_loading: false"),
        ({"cpu_offload": True}, {}, "Use fsdp_offload_params: false"),
        ({"activation_checkpointing": True}, {}, "and --gradient_checkpointing of the run"),
        ({}, {"mixed_precision": "fp16"}, "FSDP in fp16.* Use --mixed_precision bf16 or no"),
    ],
)
def test_what_was_not_tried_is_refused(plugin: dict[str, object], options: dict[str, object], message: str) -> None:
    asked = TrainingOptions.from_flat({"output_dir": "run", **options})
    with pytest.raises(UsageError, match=message):
        check_sharding(launched(**plugin), asked)


def test_another_parallelism_beside_it_is_refused() -> None:
    accelerator = launched()
    accelerator.parallelism_config = object()
    with pytest.raises(UsageError, match="parallelism_config"):
        check_sharding(accelerator, TrainingOptions())


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_what_was_tried_passes(precision: str) -> None:
    check_sharding(launched(), TrainingOptions.from_flat({"mixed_precision": precision}))


def test_sharding_that_accelerate_would_silently_leave_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = SimpleNamespace(distributed_type=DistributedType.MULTI_CPU)
    check_sharding(usual, TrainingOptions())
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UsageError, match="silently train without"):
        check_sharding(usual, TrainingOptions())


def test_all_texts_are_one_chunk_where_each_call_gathers_weights() -> None:
    assert chunk_tokens_of(SimpleNamespace(distributed_type=DistributedType.MULTI_GPU), 512) == 512
    assert chunk_tokens_of(launched(), 512) > 10**12


@pytest.fixture
def group() -> Iterator[None]:
    """A group of this process alone."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


class Training:
    """A sharded model, its average and its optimizer."""

    def __init__(self, weights: nn.Module) -> None:
        from torch.distributed.fsdp import fully_shard

        model = deepcopy(weights)
        self.averaged = averaged_model(model, 0.9)
        self.model, self.averaged.module = fully_shard(model), fully_shard(self.averaged.module)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1, fused=True)
        self.shards = Shards(self.model, self.averaged, self.optimizer, 0)

    def step(self, number: int) -> None:
        self.optimizer.param_groups[0]["lr"] = 0.1 / number
        values = torch.arange(12.0).view(4, 3) / number
        self.model(values).square().sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.averaged.update_parameters(self.model)

    def weights(self) -> list[list[float]]:
        return [t.flatten().tolist() for m in (self.model, self.averaged.module) for t in whole_weights(m).values()]


@pytest.fixture
def weights() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


@pytest.mark.usefixtures("group")
def test_shards_continue_to_the_same_bits(weights: nn.Module, tmp_path: Path) -> None:
    whole, parts = Training(weights), Training(weights)
    for number in (1, 2, 3):
        whole.step(number)
    for number in (1, 2):
        parts.step(number)
    parts.shards.save(tmp_path)
    again = Training(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
    again.shards.load(tmp_path)
    assert again.optimizer.param_groups[0]["lr"] == 0.05
    assert again.averaged.n_averaged == 2
    again.step(3)
    assert again.weights() == whole.weights()


@pytest.mark.usefixtures("group")
def test_shards_of_another_model_are_refused(weights: nn.Module, tmp_path: Path) -> None:
    training = Training(weights)
    with pytest.raises(RunFolderError, match="was written without sharded weights"):
        training.shards.load(tmp_path)
    training.step(1)
    training.shards.save(tmp_path)
    path = tmp_path / SHARD_FILE.format(index=0)
    tensors = load_file(path)
    rates = {"learning_rates": json.dumps([0.1])}
    save_file({**tensors, "more": torch.ones(1)}, path, metadata=rates)
    with pytest.raises(RunFolderError, match="has more, which the model of this run does not have"):
        Training(weights).shards.load(tmp_path)
    save_file({**tensors, "model.0.bias": torch.ones(5)}, path, metadata=rates)
    with pytest.raises(RunFolderError, match=r"model.0.bias has the shape \(5,\), here \(4,\)"):
        Training(weights).shards.load(tmp_path)


@pytest.mark.usefixtures("group")
def test_scoring_after_a_step_uses_the_new_weights(weights: nn.Module) -> None:
    training, values = Training(weights), torch.ones(1, 3)
    before = {name: tensor.clone() for name, tensor in whole_weights(training.model).items()}
    outputs = []
    for factor in (1.0, 2.0):
        load_whole(training.model, {name: factor * tensor for name, tensor in before.items()})
        with torch.no_grad():
            outputs.append(training.model(values).clone())
        reshard(training.model)
    doubled = deepcopy(weights)
    doubled.load_state_dict({name: 2.0 * tensor for name, tensor in before.items()})
    assert torch.equal(outputs[0], weights(values))
    assert torch.equal(outputs[1], doubled(values))


class Sharded:
    """A run of two processes, sharded or not, in sessions."""

    def __init__(self, path: Path, options: dict[str, object], *, sharded: bool):
        self.path, self.sharded = path, sharded
        self.arguments = [f"--{name}={value}" for name, value in options.items()] + [f"--output_dir={path}", "--quiet"]

    def session(self, *more: str) -> list[int]:
        processes = [
            forked_python.start(
                Path(__file__).with_name("sharded_run.py"),
                *self.arguments,
                *more,
                env={**env, "SHARDED": str(self.sharded).lower()},
                output=f"{self.path}.txt",
            )
            for env in forked_python.rank_environments(2)
        ]
        return [process.wait() for process in processes]

    @property
    def said(self) -> str:
        return Path(f"{self.path}.txt").read_text(encoding="utf-8")

    @property
    def losses(self) -> list[float]:
        epochs = [json.loads(line) for line in (self.path / "log.jsonl").read_text().splitlines()]
        return [loss for epoch in epochs for loss in (*epoch["losses"].values(), epoch["validation"]["loss"])]

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.path / "model" / "model.safetensors")

    @property
    def probabilities(self) -> np.ndarray[Any, Any]:
        import pyarrow.parquet as pq

        table = pq.read_table(self.path / "predictions_test.parquet").to_pandas()
        return table[[name for name in table if name.startswith("prob_")]].to_numpy()


@pytest.fixture(scope="module")
def options(small_dir: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Without dropout: its masks depend on how texts are put into chunks."""
    import shutil

    encoder = tmp_path_factory.mktemp("still") / "encoder"
    shutil.copytree(tiny_encoder, encoder)
    config = json.loads((encoder / "config.json").read_text())
    still = {name: 0.0 if name.endswith("dropout_prob") else value for name, value in config.items()}
    (encoder / "config.json").write_text(json.dumps(still))
    return {
        "data_dir": small_dir, "text_encoder": encoder, "config_name": "3class", "dropout": 0.0, "hidden_size": 8,
        "num_layers": 1, "num_heads": 2, "pair_size": 8, "bilinear_size": 4, "epochs": 2, "batch_size": 4,
        "objective": "rpcl", "encoder_learning_rate": 1e-3, "frozen_layers": 1, "max_tokens": 16,
    }  # fmt: skip


@pytest.mark.slow
def test_two_processes_with_shards_train_as_with_whole_weights_and_continue_to_the_same_bits(
    options: dict[str, object], tmp_path: Path, same_outcome: Callable[[Path, Path], None]
) -> None:
    from iemomecp_dataset.trainers import load_scorer

    usual = Sharded(tmp_path / "usual", options, sharded=False)
    whole, parts = (Sharded(tmp_path / name, options, sharded=True) for name in ("whole", "parts"))
    assert usual.session() == [0, 0], usual.said
    assert whole.session("--gradient_checkpointing") == [0, 0], whole.said
    assert whole.losses == pytest.approx(usual.losses, abs=1e-5)
    assert whole.probabilities == pytest.approx(usual.probabilities, abs=1e-5)
    # Each process held a half of the model and of its average.
    (held, averaged, of), *_ = [[int(n) for n in found] for found in
                                re.findall(r"held: \[(\d+), (\d+)\] of (\d+)", whole.said)]  # fmt: skip
    assert max(held, averaged) < 0.55 * of

    assert parts.session("--max_hours=1e-9") == [0, 0], parts.said
    assert "Stopped in epoch 1" in parts.said
    checkpoint = next((parts.path / "checkpoint").glob("epoch-*"))
    assert {path.name for path in checkpoint.glob("shards-*")} == {SHARD_FILE.format(index=i) for i in (0, 1)}
    usual_again = Sharded(parts.path, options, sharded=False)
    assert usual_again.session() == [2, 2]
    assert "was written with sharded weights (FSDP) and cannot be continued without" in parts.said
    assert parts.session("--gradient_checkpointing") == [0, 0], parts.said
    same_outcome(whole.path, parts.path)

    # The saved model is whole, and loads alone.
    assert {name: t.shape for name, t in whole.weights.items()} == {n: t.shape for n, t in usual.weights.items()}
    assert type(load_scorer(whole.path)).__name__ == "DialogueScorer"
    assert json.loads((whole.path / "model" / "config.json").read_text())["architectures"] == ["DialogueScorer"]
