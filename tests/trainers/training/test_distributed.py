"""Launch configurations: what accelerate makes of them, and what training refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from accelerate import DistributedType
from torch import Tensor

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.objectives import pooled_here
from iemomecp_dataset.trainers.options import OptimizationOptions, TrainingOptions
from iemomecp_dataset.trainers.training import distributed
from iemomecp_dataset.trainers.training.distributed import (
    check_launch,
    check_precision,
    pooled_over_processes,
    start_accelerator,
)
from iemomecp_dataset.trainers.training.sharding import check_sharding

CONFIGURATIONS = {
    "ddp_multi_node": "multi_gpu",
    "deepspeed": "use_deepspeed",
    "fsdp": "use_fsdp",
    "two_cpu_processes": None,
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_accelerate_accepts_a_configuration_and_it_leaves_the_runs_options_alone(
    name: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    path = repository / "trainers" / "configs" / f"{name}.yaml"
    assert load_config_from_file(str(path)).num_processes > 1
    arguments = launch_command_parser().parse_args(["--config_file", str(path), "trainers/fusion.py"])
    arguments, _, _ = _validate_launch_command(arguments)
    kinds = {kind for kind in ("multi_gpu", "use_deepspeed", "use_fsdp") if getattr(arguments, kind)}
    assert kinds == {CONFIGURATIONS[name]} - {None}
    assert arguments.num_processes > 1
    # accelerate would pass it on through the environment, where it wins over the script's.
    assert arguments.gradient_accumulation_steps is None
    assert arguments.mixed_precision == "no"
    if CONFIGURATIONS[name] == "use_fsdp":
        # What the environment of each process makes of it is what training takes.
        from accelerate import FullyShardedDataParallelPlugin
        from accelerate.utils import launch

        for variable, value in launch.prepare_multi_gpu_env(arguments).items():
            if variable.startswith("FSDP_"):
                monkeypatch.setenv(variable, value)
        plugin = FullyShardedDataParallelPlugin()
        state = SimpleNamespace(fsdp_plugin=plugin)
        check_sharding(SimpleNamespace(distributed_type=DistributedType.FSDP, state=state), TrainingOptions())
    text = path.read_text(encoding="utf-8")
    assert f"trainers/configs/{name}.yaml" in text
    assert "trainers/fusion.py" in text


def test_every_launch_configuration_is_tested(repository: Path) -> None:
    assert {path.stem for path in (repository / "trainers" / "configs").iterdir()} == set(CONFIGURATIONS)


def launched(
    kind: DistributedType, *, accumulation: int = 1, precision: str = "no", **deepspeed: object
) -> SimpleNamespace:
    plugin = SimpleNamespace(**{"zero_stage": 2, "offload_optimizer_device": "none", **deepspeed})
    return SimpleNamespace(
        distributed_type=kind,
        num_processes=1,
        gradient_accumulation_steps=accumulation,
        mixed_precision=precision,
        state=SimpleNamespace(deepspeed_plugin=plugin if kind is DistributedType.DEEPSPEED else None),
    )


@pytest.mark.parametrize(
    ("accelerator", "precision"),
    [
        (launched(DistributedType.NO, precision="bf16"), "bf16"),
        (launched(DistributedType.MULTI_CPU), "no"),
        (launched(DistributedType.MULTI_GPU, precision="fp16"), "fp16"),
        (launched(DistributedType.DEEPSPEED), "no"),
        (launched(DistributedType.FSDP, precision="bf16"), "bf16"),
        (launched(DistributedType.DEEPSPEED, zero_stage=0), "no"),
    ],
)
def test_what_training_can_do_passes(accelerator: SimpleNamespace, precision: str) -> None:
    check_launch(accelerator, dataclasses.replace(OptimizationOptions(), mixed_precision=precision))


@pytest.mark.parametrize(
    ("accelerator", "precision", "message"),
    [
        (launched(DistributedType.MEGATRON_LM), "no", "asks for MEGATRON_LM.*fsdp.yaml"),
        (launched(DistributedType.DEEPSPEED, zero_stage=3), "no", "ZeRO stage 3.*--zero_stage 2.*fsdp.yaml"),
        (launched(DistributedType.DEEPSPEED, offload_optimizer_device="cpu"), "no", "--offload_optimizer_device none"),
        (launched(DistributedType.DEEPSPEED, precision="bf16"), "bf16", "bf16, which is too low.*FSDP, which keeps"),
        # A configuration file of DeepSpeed's own may say so.
        (launched(DistributedType.DEEPSPEED, precision="bf16"), "no", "sets the mixed precision to bf16, but"),
        (launched(DistributedType.MULTI_GPU, accumulation=4), "no", "sets gradient_accumulation_steps to 4"),
    ],
)
def test_what_training_cannot_do_is_refused(accelerator: SimpleNamespace, precision: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_launch(accelerator, dataclasses.replace(OptimizationOptions(), mixed_precision=precision))


def test_a_launcher_that_decides_otherwise_is_refused_before_anything_is_written(
    small_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iemomecp_dataset.trainers.run import run

    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    flat = {"data_dir": str(small_dir), "output_dir": str(tmp_path / "run"), "encoder_mode": "frozen"}
    with pytest.raises(UsageError, match="--gradient_accumulation_steps of the run is 1"):
        run(TrainingOptions.from_flat(flat))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("precision", "device", "supported", "refused"),
    [
        ("no", "cpu", False, ""),
        ("bf16", "cpu", False, ""),
        ("fp16", "cpu", True, "cpu does not compute in fp16. Use --mixed_precision bf16 or no"),
        ("no", "cuda", False, ""),
        ("fp16", "cuda", False, ""),
        ("bf16", "cuda", True, ""),
        ("bf16", "cuda", False, "Old GPU does not compute in bf16 .* Use --mixed_precision fp16 or no"),
    ],
)
def test_a_precision_that_the_device_lacks_is_refused(
    precision: str, device: str, supported: bool, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old GPU")
    if not refused:
        check_precision(precision, torch.device(device))
        return
    with pytest.raises(UsageError, match=refused):
        check_precision(precision, torch.device(device))


@pytest.mark.parametrize(
    ("launcher", "own", "message"),
    [
        ("bf16", "no", "asks for the mixed precision bf16 .*, but --mixed_precision of the run is no"),
        ("fp16", "bf16", "asks for the mixed precision fp16 .*, but --mixed_precision of the run is bf16"),
        ("fp8", "no", "fp8 .*, which training does not have. Use one of no, bf16, fp16"),
        ("no", "fp16", "cpu does not compute in fp16"),
    ],
)
def test_a_run_never_begins_in_another_precision_than_asked(
    launcher: str, own: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.state import AcceleratorState, PartialState

    for state in (AcceleratorState, PartialState):
        monkeypatch.setattr(state, "_shared_state", {})
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launcher)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    options = TrainingOptions.from_flat({"output_dir": str(tmp_path / "run"), "mixed_precision": own})
    with pytest.raises(UsageError, match=message):
        start_accelerator(options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("device", "used"), [("cuda", False), ("cpu", True)])
def test_a_gpu_does_not_use_the_attention_that_plans_for_each_shape(
    device: str, used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("check_launch", "check_sharding", "check_precision"):
        monkeypatch.setattr(distributed, check, lambda *_: None)
    found = SimpleNamespace(
        num_processes=1,
        mixed_precision="bf16",
        device=torch.device(device),
        state=SimpleNamespace(deepspeed_plugin=None),
        is_main_process=True,
    )
    monkeypatch.setattr(distributed, "Accelerator", lambda **_: found)
    options = TrainingOptions.from_flat({"data_dir": "data", "output_dir": str(tmp_path), "quiet": True})
    earlier = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        torch.backends.cuda.enable_cudnn_sdp(True)
        start_accelerator(options)
        assert torch.backends.cuda.cudnn_sdp_enabled() == used
    finally:
        torch.backends.cuda.enable_cudnn_sdp(earlier)


def test_processes_that_would_each_train_alone_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    options = TrainingOptions.from_flat({"output_dir": str(tmp_path / "run")})
    monkeypatch.setattr(distributed, "Accelerator", lambda **given: launched(DistributedType.NO))
    with pytest.raises(UsageError, match=r"2 processes were launched, but .* Set ACCELERATE_USE_CPU=true"):
        start_accelerator(options)


@pytest.mark.parametrize(
    ("totals", "counts", "counted"),
    [
        ([6.0, 2.0], [4.0, 1.0], [True, True]),
        ([6.0, 2.0], [4.0, 1.0], [True, False]),
        ([1.0, 0.0, 5.0], [2.0, 0.0, 1.0], [True, True, True]),
        ([0.0, 0.0], [0.0, 0.0], [True, True]),
    ],
)
def test_averaged_over_processes_a_sharded_mini_batch_has_its_mean_and_gradient(
    totals: list[float], counts: list[float], counted: list[bool]
) -> None:
    """Gradients are averaged over processes: so are the contributions here."""
    kept = [(total, count) for total, count, counts_here in zip(totals, counts, counted, strict=True) if counts_here]
    number = sum(count for _, count in kept)
    contributions, gradients = [], []
    for total, count, counts_here in zip(totals, counts, counted, strict=True):

        def reduce(own: Tensor, reduction: str, _expected: float = count * counts_here) -> Tensor:
            assert reduction == "sum"
            assert own.item() == _expected
            return torch.tensor(number)

        accelerator = SimpleNamespace(num_processes=len(totals), reduce=reduce)
        value = torch.tensor(total, requires_grad=True)
        contribution = pooled_over_processes(accelerator, counted=counts_here)(value, torch.tensor(count))
        contribution.backward()
        contributions.append(contribution.item())
        gradients.append(value.grad.item())
    assert sum(contributions) / len(totals) == pytest.approx(sum(total for total, _ in kept) / max(number, 1.0))
    for gradient, counts_here in zip(gradients, counted, strict=True):
        assert gradient / len(totals) == pytest.approx(counts_here / max(number, 1.0))


def test_one_process_pools_what_it_has() -> None:
    assert pooled_over_processes(SimpleNamespace(num_processes=1)) is pooled_here
