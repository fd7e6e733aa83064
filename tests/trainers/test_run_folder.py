"""Claiming a run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset.errors import RunFolderError, UsageError
from iemomecp_dataset.trainers.options import SECTIONS, TrainingOptions, circumstances
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs


def test_a_folder_left_by_a_run_that_was_killed_while_it_claimed_it_can_be_claimed(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml.0123abcd.partial").write_text("seed: 4")
    assert RunFolder(tmp_path).claim(TrainingOptions(), RunInputs({"train": "0"}))
    assert not RunFolder(tmp_path).claim(TrainingOptions(), RunInputs({"train": "0"}))


def test_a_folder_that_is_killed_between_its_first_two_files_knows_its_inputs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    (folder.checkpoints / "inputs.json").unlink()
    assert not folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    with pytest.raises(RunFolderError, match="the content of train has changed"):
        folder.claim(TrainingOptions(), RunInputs({"train": "1"}))


def test_asking_whether_a_folder_holds_a_run_writes_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.unused
    assert not folder.holds(TrainingOptions(), RunInputs({"train": "0"}))
    assert not folder.path.exists()
    folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    assert not folder.unused
    assert folder.holds(TrainingOptions(), RunInputs({"train": "0"}))


def test_a_folder_is_held_by_one_training(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.held():
        assert folder.unused, "the lock is no run"
        assert folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
        with pytest.raises(RunFolderError, match=f"in use by process {os.getpid()}"), folder.held():
            pass
    with folder.held():
        pass


def test_a_changed_byte_in_what_a_run_has_read_is_not_taken_for_other_data(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    began = RunInputs({"train": "01", "test": "23"}, effective_batch_size=8)
    folder.claim(TrainingOptions(), began)
    inputs = folder.checkpoints / "inputs.json"
    written = inputs.read_text()
    for before, after in (('"23"', '"33"'), ('"test"', '"tesu"'), ("8", "9"), ('"digest"', '"digesu"')):
        assert before in written
        inputs.write_text(written.replace(before, after))
        with pytest.raises(RunFolderError, match=r"inputs\.json is damaged, .* Put it back from a copy"):
            folder.claim(TrainingOptions(), began)
    content = json.loads(written)
    del content["digest"]
    inputs.write_text(json.dumps(content))  # as earlier versions wrote it
    assert not folder.claim(TrainingOptions(), began)
    with pytest.raises(RunFolderError, match="the content of train has changed"):
        folder.claim(TrainingOptions(), RunInputs({"train": "11", "test": "23"}))


def test_a_run_whose_folder_is_moved_away_shows_what_it_has_failed_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claimed = folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    folder.path.rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="first"), folder.released_on_error(claimed):
        raise UsageError("first")
    with pytest.raises(RunFolderError, match="moved or removed while"), folder.released_on_error(False):
        folder.append_log({"epoch": 1})


def contents(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize("finished", [False, True])
def test_the_next_training_clears_what_a_killed_one_has_left(finished: bool, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    left = [
        ".config.yaml.0a1b2c3d.partial",
        ".predictions_test.parquet.0a1b2c3d.partial",
        ".model.partial/model.safetensors",
    ]
    left += ["checkpoint/.best-0001.safetensors.0a1b2c3d.partial"]
    left += ["checkpoint/fold-0-of-2/checkpoint/.best-0001.safetensors.0a1b2c3d.partial"]
    needed = {"config.yaml", "checkpoint/inputs.json", "checkpoint/epoch-0001/progress.json"}
    # Another program may be writing these at this moment.
    others = {".precision_recall.svg.0a1b2c3d.partial", "diagnostics/.table.csv.0a1b2c3d.partial", "notes.txt"}
    for name in {*left, *needed, *others} - {"config.yaml", "checkpoint/inputs.json"}:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).touch()
    if not finished:
        with folder.held():
            assert contents(folder.path) == needed | others | {".lock"}
        assert contents(folder.path) == needed | others
        return
    (folder.path / "results.json").touch()
    with folder.held():  # another process uses the folder at this moment
        for name in left[:1]:
            (folder.path / name).touch()
        folder.clear_finished()
        assert left[0] in contents(folder.path)
    folder.clear_finished()
    assert contents(folder.path) == {"config.yaml", "results.json"} | others


def test_a_model_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)

    def write(weights: str, *, killed: bool = False) -> None:
        with folder.model_written() as model:
            model.mkdir()
            (model / "model.safetensors").write_text(weights)
            if killed:
                raise KeyboardInterrupt
            (model / "config.json").write_text("{}")

    with pytest.raises(KeyboardInterrupt):
        write("0", killed=True)
    assert not (tmp_path / "model").exists()
    for weights in "12":
        write(weights)
        assert contents(tmp_path) == {"model/model.safetensors", "model/config.json"}
        assert (tmp_path / "model" / "model.safetensors").read_text() == weights


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunFolderError, match="not empty"):
        RunFolder(tmp_path).claim(TrainingOptions(), RunInputs({"train": "0"}))


AUDIO = {"audio": {"model": None, "width": 8, "digest": "0f", "missing": 0}}
BEGAN = RunInputs({"train": "0"}, {"train": "1"}, AUDIO, {"objective": "base", "system": "a"}, 16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"data": {"train": "9"}}, "the content of train has changed"),
        ({"texts": {"train": "9"}}, "the text of train has changed"),
        ({"features": {"audio": {**AUDIO["audio"], "digest": "ff"}}}, "digest of the audio features has changed"),
        ({"features": {}}, None),  # they cannot be read now
        ({"initialized_from": {"objective": "rpcl", "system": "b"}}, "the run that it begins with"),
        ({"effective_batch_size": 32}, "the effective batch size .from 16 to 32"),
    ],
)
def test_a_run_is_not_continued_on_other_inputs(changes: dict[str, Any], said: str | None, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.claim(TrainingOptions(), BEGAN)
    found = dataclasses.replace(BEGAN, **changes)
    if said is None:
        assert not folder.claim(TrainingOptions(), found)
    else:
        with pytest.raises(RunFolderError, match=said):
            folder.claim(TrainingOptions(), found)


@pytest.mark.parametrize(
    "options", ["x: 2024-13-45", "1: 2", "x: [", None, f"x: {'y' * 100_000}"], ids=lambda x: f"{x}"[:9]
)
def test_options_that_no_run_writes_are_another_run(options: str | None, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.claim(TrainingOptions(), BEGAN)
    config = folder.path / "config.yaml"
    config.unlink()
    if options is None:
        os.mkfifo(config)  # not waited for
    else:
        config.write_text(options)
    with pytest.raises(RunFolderError, match=r"Choose another --output_dir") as error:
        folder.claim(TrainingOptions(), BEGAN)
    assert len(str(error.value)) < 1000


def test_a_byte_order_mark_and_line_ends_of_windows_leave_the_log_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'\xef\xbb\xbf{"epoch": 1}\r\n{"epoch": 2}\r\n')
    RunFolder(tmp_path).rewind_log(1)
    assert (tmp_path / "log.jsonl").read_bytes() == b'{"epoch": 1}\n'


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_run_that_fails_before_its_first_checkpoint_gives_the_folder_back(checkpoint: bool, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claimed = folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    folder.append_log({"event": "begin"})
    if checkpoint:
        folder.checkpoint(1, 0).mkdir()
    with pytest.raises(RuntimeError), folder.released_on_error(claimed):
        raise RuntimeError
    assert folder.path.exists() == checkpoint
    if not checkpoint:
        folder.claim(TrainingOptions.from_flat({"seed": 7}), RunInputs({"train": "0"}))


@pytest.mark.parametrize("done", range(5))
def test_a_folder_that_is_killed_while_it_is_given_back_can_be_used_again(
    done: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
    folder.append_log({"event": "begin"})
    left = [True] * done

    def before(work: Callable[..., None]) -> Callable[..., None]:
        def removal(*given: Any, **more: Any) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            work(*given, **more)

        return removal

    for name in ("unlink", "rmdir"):
        monkeypatch.setattr(Path, name, before(getattr(Path, name)))
    with contextlib.suppress(KeyboardInterrupt):
        folder.release()
    monkeypatch.undo()
    with folder.held():
        folder.claim(TrainingOptions(), RunInputs({"train": "0"}))
        assert folder.holds(TrainingOptions(), RunInputs({"train": "0"}))


def another(value: Any) -> Any:
    """Some other value of the same type; of an option that is not set, a text."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value or ''}x"


@pytest.mark.parametrize("option", [f.name for section in SECTIONS.values() for f in fields(section)])
def test_a_run_is_continued_in_other_circumstances_and_not_with_other_settings(option: str, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    began = TrainingOptions.from_flat({"data_dir": "data", "output_dir": str(folder.path)})
    assert folder.claim(began, BEGAN)
    value = another(began.flat()[option])
    continued = TrainingOptions.from_flat({**began.flat(), option: value})
    by_content = {"data_dir", "audio_features", "video_features", "max_missing_features", "text_encoder", "init_from",
                  "emotion_from", "folds", "fold", "train_with", "train_with_weights",
                  "train_with_other_languages"}  # fmt: skip
    if option in circumstances() | by_content:
        assert not folder.claim(continued, BEGAN)
    else:
        with pytest.raises(RunFolderError, match=f"{option} is .* there and {value!r} here"):
            folder.claim(continued, BEGAN)


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        ({"train": "1", "test": "2"}, None),
        ({"train": "9", "test": "2"}, "train"),
        ({"train": "1", "test": "9"}, "test"),
        ({"train": "1"}, "test"),
        ({"train": "1", "test": "2", "validation": "3"}, "validation"),
    ],
)
def test_a_run_is_continued_on_the_same_data_alone(now: dict[str, str], changed: str | None, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.claim(TrainingOptions(), RunInputs({"train": "1", "test": "2"}))
    if changed is None:
        assert not folder.claim(TrainingOptions(), RunInputs(now))
    else:
        with pytest.raises(RunFolderError, match=f"the content of {changed} has changed"):
            folder.claim(TrainingOptions(), RunInputs(now))
