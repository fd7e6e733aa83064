"""Extraction in shards: the same bytes in 1, 2 and 7 jobs, one of them killed; what fails is told with its log."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import time
from pathlib import Path

import forked_python
import numpy as np
import pytest
from corpus_files import MELD_HEADER
from slurm_node import SlurmNode, slurm_node  # noqa: F401  (a fixture)

from iemomecp_dataset.errors import MissingModelError, RunFolderError, UsageError
from iemomecp_dataset.features import read_feature_table
from iemomecp_dataset.features.encoders.tiny_models import write_tiny_image_encoder, write_tiny_speech_encoder
from iemomecp_dataset.features.extraction import extract, plan
from iemomecp_dataset.features.extraction_job_options import ExtractionJobOptions
from iemomecp_dataset.features.extraction_jobs import extract_in_jobs, preview_of_jobs
from iemomecp_dataset.features.extraction_on_ray import _Worker
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.shares import shares
from iemomecp_dataset.features.store.store_index import missing_shards
from iemomecp_dataset.features.store.store_layout import INDEX_NAME, shard_name
from iemomecp_dataset.files.locks import hold_folder, take_lock
from iemomecp_dataset.installation import pip_arguments

UTTERANCES = 5000
WORDS = ("the", "train", "was", "late", "again", "they", "waited", "for", "hours", "and", "nobody", "said", "why")


def contents(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented dialogues of ten utterances in MELD's layout."""
    folder, chance = tmp_path_factory.mktemp("corpus"), random.Random(0)
    lines = [
        f"{i + 1},{' '.join(chance.choices(WORDS, k=chance.randint(1, 40)))},Ann,neutral,neutral,{i // 10},{i % 10},"
        '1,2,"0:00:01,0","0:00:02,0"\r\n'
        for i in range(UTTERANCES)
    ]
    (folder / "train_sent_emo.csv").write_text(MELD_HEADER + "".join(lines), encoding="utf-8", newline="")
    return folder


@pytest.fixture
def texts(corpus: Path, tiny_encoder: Path, tmp_path: Path) -> ExtractionOptions:
    return ExtractionOptions(
        data_dir=str(corpus),
        config_name="meld",
        modality="text",
        output_dir=str(tmp_path / "store"),
        model=str(tiny_encoder),
        device="cpu",
        quiet=True,
    )


@pytest.fixture(scope="module")
def whole(corpus: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The store that one process without jobs makes."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    options = ExtractionOptions(str(corpus), "text", str(folder), str(tiny_encoder), config_name="meld", device="cpu")
    assert extract(dataclasses.replace(options, quiet=True)).computed == UTTERANCES
    return contents(folder)


def line(options: ExtractionOptions, *more: object) -> list[object]:
    given = ["-m", "iemomecp_dataset", "extract", "--data_dir", options.data_dir, "--config_name", options.config_name]
    given += ["--modality", options.modality, "--output_dir", options.output_dir, "--model", options.model]
    return [*given, "--device", "cpu", *more]


def process_of(*words: str) -> int | None:
    """Id of the process whose command has these words."""
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_text().replace("\0", " ") if folder.name.isdigit() else ""
            if all(word in command for word in words):
                return int(folder.name)
        except OSError:
            continue
    return None


# --- equal bytes --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_jobs_one_of_them_killed_and_continued(
    texts: ExtractionOptions, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = Path(texts.output_dir)
    shards = plan(texts).plan.shards
    _, second = shares(shards, 2)
    launcher = forked_python.start(*line(texts, "--slots", 2))
    while launcher.poll() is None and not (folder / shard_name(second[2], len(shards))).is_file():
        time.sleep(0.005)
    victim = process_of(f"--output_dir={texts.output_dir} ", "--process_index=1")
    assert victim is not None, launcher.stderr
    os.kill(victim, signal.SIGKILL)
    assert launcher.wait() == 1
    log = tmp_path / "store.jobs/logs/shard-1-of-2.log"
    assert f"shard-1-of-2: killed by SIGKILL; log {log}" in launcher.stderr
    left = missing_shards(folder, len(shards))
    assert 0 < len(left) < len(second)
    assert set(left) <= set(second)
    assert f"{len(left)} shard files are left. Start the same command again" in launcher.stderr
    times = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*")}
    again = forked_python.run(*line(texts, "--slots", 2))
    assert again.returncode == 0, again.stderr
    n_left = sum(sum(map(len, shards[number])) for number in left)
    assert f"{n_left} computed now, {UTTERANCES} in all" in again.stdout
    assert f"{UTTERANCES}/{UTTERANCES}" in again.stderr  # one bar, that counts what was there
    assert {name: (folder / name).stat().st_mtime_ns for name in times} == times
    assert contents(folder) == whole


@pytest.mark.slow
def test_seven_jobs(texts: ExtractionOptions, whole: dict[str, bytes]) -> None:
    done = forked_python.run(*line(texts, "--slots", 2, "--shards", 7))
    assert done.returncode == 0, done.stderr
    assert contents(texts.output_dir) == whole
    # All is there: nothing is started, and the result is told again.
    again = extract_in_jobs(texts, ExtractionJobOptions(slots=2, shards=7))
    assert (again.jobs, again.failures) == ({}, ())
    assert again.result is not None
    assert (again.result.computed, dict(again.result.statuses)) == (0, {"ok": UTTERANCES})


@pytest.mark.parametrize("modality", ["audio", "video", "frames"])
@pytest.mark.parametrize("number", [2, pytest.param(7, marks=pytest.mark.slow)])
def test_media_in_shards(modality: str, number: int, media_dir: Path, tmp_path: Path) -> None:
    speech = modality == "audio"
    model = (write_tiny_speech_encoder if speech else write_tiny_image_encoder)(tmp_path / "model")
    options = ExtractionOptions(
        str(media_dir), modality, str(tmp_path / "whole"), str(model), limit=24, shard_size=3, batch_size=3, frames=2,
        max_frames=2, device="cpu", quiet=True,
    )  # fmt: skip
    extract(options)
    shared = dataclasses.replace(options, output_dir=str(tmp_path / "store"), num_processes=number)
    done = [extract(dataclasses.replace(shared, process_index=index)) for index in range(number)]
    assert [result.complete for result in done] == [False] * (number - 1) + [True]
    assert contents(tmp_path / "store") == contents(tmp_path / "whole")


# --- ray and SLURM --------------------------------------------------------------------------------------------------


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


def test_what_a_worker_of_ray_refuses_travels_as_a_sentence(texts: ExtractionOptions) -> None:
    of_no_device = _Worker(dataclasses.replace(texts, device="cuda:7"))({"shard": np.array([0, 1])})
    assert of_no_device["utterances"] == [0, 0]
    assert all("There is no device 'cuda:7'" in sentence for sentence in of_no_device["refused"])
    first = _Worker(dataclasses.replace(texts, limit=100, device="cpu"))
    assert first({"shard": np.array([0])})["refused"] == [""]
    other = _Worker(dataclasses.replace(texts, limit=100, device="cpu", pooling="max"))
    (sentence,) = other({"shard": np.array([0])})["refused"]
    assert "contains another extraction" in sentence


@pytest.mark.slow
def test_two_jobs_of_a_slurm_node_one_of_them_cancelled(
    texts: ExtractionOptions,
    whole: dict[str, bytes],
    slurm_node: SlurmNode,  # noqa: F811
) -> None:
    pytest.importorskip("submitit", reason=f"submitit is not installed: pip install {pip_arguments('slurm')}")
    folder, shards = Path(texts.output_dir), plan(texts).plan.shards
    on_slurm = line(texts, "--backend", "slurm", "--slurm", "minutes=30", "--shards", 2)
    submitted = forked_python.run(*on_slurm, "--no_wait")
    assert submitted.returncode == 0, submitted.stderr
    assert "shard-1-of-2: waiting" in submitted.stdout or "shard-1-of-2: running" in submitted.stdout
    assert "The jobs go on; the same command shows them." in submitted.stdout
    (job,) = [job for job in slurm_node.queue() if job.endswith("_1")]
    _, second = shares(shards, 2)
    until = time.monotonic() + 120
    while not (folder / shard_name(second[0], len(shards))).is_file():
        assert time.monotonic() < until, slurm_node.queue()
        time.sleep(0.01)
    slurm_node.ask("scancel", "--full", "--signal=KILL", job)
    done = forked_python.run(*on_slurm)
    if done.returncode:  # the cancelled one was seen to end, which is told once
        assert "shard-1-of-2" in done.stderr, done.stderr
        done = forked_python.run(*on_slurm)
    assert done.returncode == 0, done.stderr
    assert f"{UTTERANCES} in all" in done.stdout
    assert contents(folder) == whole


# --- what is refused and told ------------------------------------------------------------------------------------


def test_a_model_that_is_not_there_is_told_before_a_job_starts(texts: ExtractionOptions, tmp_path: Path) -> None:
    where = ExtractionJobOptions(slots=2)
    (tmp_path / "no weights").mkdir()
    for model in ("nowhere", "no weights"):
        with pytest.raises(MissingModelError, match=r"--model"):
            extract_in_jobs(dataclasses.replace(texts, model=str(tmp_path / model)), where)
    (tmp_path / "no weights/config.json").write_bytes((Path(texts.model) / "config.json").read_bytes())
    with pytest.raises(MissingModelError, match="no file of weights"):
        extract_in_jobs(dataclasses.replace(texts, model=str(tmp_path / "no weights")), where)
    assert not (tmp_path / "store.jobs").exists()


def test_a_second_launcher_of_one_store_is_refused(texts: ExtractionOptions, tmp_path: Path) -> None:
    with hold_folder(tmp_path / "store.jobs"), pytest.raises(RunFolderError, match=r"store\.jobs is in use by process"):
        extract_in_jobs(texts, ExtractionJobOptions(slots=2))


@pytest.mark.slow
def test_a_job_that_an_earlier_launcher_left_running_is_waited_for(texts: ExtractionOptions, tmp_path: Path) -> None:
    log = tmp_path / "store.jobs/logs/shard-0-of-1.log"
    log.parent.mkdir(parents=True)
    with open(log, "ab") as file:
        assert take_lock(file.fileno(), log)
        launcher = forked_python.start(*line(texts, "--limit", 100, "--slots", 1))
        while launcher.poll() is None and "shard-0-of-1: waiting, " not in launcher.stderr:
            time.sleep(0.05)
        assert launcher.poll() is None, launcher.stderr
        assert str(log) in launcher.stderr
        assert not Path(texts.output_dir).exists()
    assert launcher.wait() == 0, launcher.stderr
    assert "100 computed now, 100 in all" in launcher.stdout


@pytest.mark.slow
def test_what_a_job_says_before_it_fails_is_told_with_its_log(texts: ExtractionOptions, tmp_path: Path) -> None:
    texts = dataclasses.replace(texts, limit=200, output_dir=str(tmp_path / "store"))
    done = forked_python.run(*line(texts, "--limit", 200, "--slots", 1, "--device", "cuda:7"))
    assert done.returncode == 1
    log = tmp_path / "store.jobs/logs/shard-0-of-1.log"
    assert f"shard-0-of-1: exit code 2; log {log}: error: There is no device 'cuda:7'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"backend": "slurm", "slurm": ("minutes=5",)}, "Give --shards, the number of jobs"),
        ({"gpus_per_worker": 0.5}, "--gpus_per_worker are for --backend ray"),
        ({"cpus_per_worker": 2.0}, "--cpus_per_worker is for --backend ray"),
        ({"backend": "ray", "gpus": "0"}, "with --backend ray give --gpus_per_worker"),
        ({"no_wait": True}, "for --backend slurm"),
    ],
)
def test_options_that_cannot_work_together(texts: ExtractionOptions, where: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        extract_in_jobs(texts, ExtractionJobOptions(**where))


def test_jobs_and_processes_of_another_launcher_exclude_each_other(
    texts: ExtractionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ExtractionJobOptions(slots=2)
    with pytest.raises(UsageError, match="start the processes themselves"):
        extract_in_jobs(dataclasses.replace(texts, process_index=0, num_processes=2), where)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="leave out accelerate launch"):
        extract_in_jobs(texts, where)


def test_a_dry_run_shows_the_jobs_that_have_something_to_do(texts: ExtractionOptions) -> None:
    texts = dataclasses.replace(texts, limit=300, layers="-1,0", retry_missing=True)
    planned = plan(texts)
    where = ExtractionJobOptions(slots=2, shards=2)
    text = preview_of_jobs(texts, where, planned)
    assert text.count("$ ") == 2
    assert "--layers=-1,0 " in text
    assert "--limit=300 " in text
    # Shards without vectors are removed by the launcher, before the jobs.
    assert "--retry_missing" not in text
    assert "--process_index=1 --num_processes=2" in text
    first, _ = shares(planned.plan.shards, 2)
    some_written = dataclasses.replace(planned, left=first)
    assert preview_of_jobs(texts, where, some_written).count("$ ") == 1
    assert "2 workers" in preview_of_jobs(texts, ExtractionJobOptions(backend="ray", slots=2), planned)
    assert not Path(texts.output_dir).exists()


def test_shares_compute_only_their_own_incomplete_shards_again(texts: ExtractionOptions) -> None:
    texts = dataclasses.replace(texts, limit=300, num_processes=2)
    for index in (0, 1):
        extract(dataclasses.replace(texts, process_index=index))
    folder = Path(texts.output_dir)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*")}
    (folder / INDEX_NAME).unlink()
    again = extract(dataclasses.replace(texts, process_index=0, retry_missing=True))
    assert again.computed == 0
    assert again.complete
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("shard-*")} == before
    assert len(read_feature_table(folder).place_of) == 300
