"""Extraction by workers of Ray Data: the bytes of one process, also if a worker is killed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import forked_python
import pytest
from test_extraction_jobs import UTTERANCES, contents, corpus, line, process_of, texts, whole

from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.installation import pip_arguments

__all__ = ["corpus", "texts", "whole"]


@pytest.mark.slow
def test_two_workers_one_of_them_killed(texts: ExtractionOptions, whole: dict[str, bytes]) -> None:
    pytest.importorskip("ray", reason=f"ray is not installed: pip install {pip_arguments('cluster')}")
    launcher = forked_python.start(*line(texts, "--backend", "ray", "--slots", 2))
    while launcher.poll() is None and len(list(Path(texts.output_dir).glob("shard-*"))) < 2:
        time.sleep(0.005)
    worker = process_of("ray::MapWorker(MapBatches(_Worker))")
    if worker is not None:
        os.kill(worker, signal.SIGKILL)
    assert launcher.wait() == 0, launcher.stderr
    assert f"{UTTERANCES} computed now, {UTTERANCES} in all" in launcher.stdout
    assert contents(texts.output_dir) == whole


@pytest.mark.slow
def test_what_a_worker_refuses_is_one_sentence(texts: ExtractionOptions) -> None:
    pytest.importorskip("ray", reason=f"ray is not installed: pip install {pip_arguments('cluster')}")
    done = forked_python.run(*line(texts, "--limit", 100, "--backend", "ray", "--device", "cuda:7"))
    assert done.returncode == 2
    assert "error: There is no device 'cuda:7'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path(texts.output_dir).exists() or not list(Path(texts.output_dir).glob("shard-*"))
