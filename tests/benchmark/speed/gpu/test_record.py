"""What the record says of the device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from iemomecp_dataset.benchmark.speed.gpu.record import device_facts, driver_version


def test_the_driver_is_the_one_that_nvidia_smi_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert driver_version() is None
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 570.86.15\necho 570.86.15\n")
    program.chmod(0o755)
    assert driver_version() == "570.86.15"
    program.write_text("#!/bin/sh\nexit 9\n")
    assert driver_version() is None


def test_a_cpu_is_named_as_such() -> None:
    assert device_facts(torch.device("cpu"))["type"] == "cpu"
