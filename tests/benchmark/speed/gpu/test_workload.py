"""Recordings that are measured."""

from __future__ import annotations

import sys
import wave
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iemomecp_dataset.benchmark.speed.gpu.workload import FULL, SMOKE, Workload
from iemomecp_dataset.errors import MissingDependencyError


def test_full_sizes_have_recordings_of_two_to_six_seconds_in_mixed_order(tmp_path: Path) -> None:
    found = Workload(torch.device("cpu"), FULL, tmp_path).recordings("audio")
    seconds = [length for _, length in found]
    assert (min(seconds), max(seconds), len(set(seconds))) == (2.0, 6.0, FULL.files)
    assert seconds != sorted(seconds)
    for path, length in found:
        with wave.open(str(path)) as file:
            assert file.getnframes() / file.getframerate() == pytest.approx(length, abs=0.01)


def test_videos_have_frames_of_ordinary_size(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    sizes = replace(FULL, files=1, seconds=(0.2, 0.2))
    ((path, _),) = Workload(torch.device("cpu"), sizes, tmp_path).recordings("video")
    with av.open(str(path)) as container:
        shapes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert shapes == [(640, 360)] * 5


def test_only_the_extraction_of_videos_needs_the_package_for_media(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    work = Workload(torch.device("cpu"), SMOKE, tmp_path)
    assert work.n_pairs > 0
    assert all(file.stat().st_size for file, _ in work.recordings("audio"))
    with pytest.raises(MissingDependencyError, match="media"):
        _ = work.video_data_dir
