"""``iemomecp predict`` over files of many conversations: equal bytes whoever works, and nothing lost by a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from many_conversations import conversations, write_lines, write_rows
from tiny_pair_models import save_dialogue_model

from iemomecp_dataset.__main__ import main
from iemomecp_dataset.commands import predict as command
from iemomecp_dataset.trainers.prediction import plan, worker
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder

Predict = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "model"
    return save_dialogue_model(folder, tiny_encoder, emotion_names=["neutral", "joy", "fear"])


@pytest.fixture
def predict(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Predict]:
    """Runs the command in a folder with ``talks.jsonl``, in chunks of 40 utterances: exit code, output, errors."""
    handlers = {how: signal.getsignal(how) for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(plan, "CHUNK_UTTERANCES", 40)
    monkeypatch.setattr(command, "_STREAMED_FROM", 0)
    monkeypatch.chdir(tmp_path)
    write_lines(Path("talks.jsonl"), conversations(60))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["predict", *arguments, *(() if "--model" in arguments else ("--model", str(model)))])
        assert isinstance(end.value.code, int)
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    yield run
    for how, handler in handlers.items():
        signal.signal(how, handler)


def lines_of(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_files_are_those_that_reading_as_a_whole_gives(
    suffix: str, predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "CHUNK_UTTERANCES", 4096)
    write_lines(Path("again.jsonl"), conversations(20, named=False))
    files = ("talks.jsonl", "again.jsonl", "talks.jsonl")
    code, streamed, errors = predict(*files, "--output", f"streamed.{suffix}")
    assert (code, errors) == (0, "")
    monkeypatch.setattr(command, "_STREAMED_FROM", 10**9)
    assert predict(*files, "--output", f"whole.{suffix}") == (0, streamed.replace("streamed", "whole"), "")
    assert Path(f"streamed.{suffix}").read_bytes() == Path(f"whole.{suffix}").read_bytes()
    assert not Path(f".streamed.{suffix}.parts").exists()


def test_parquet_has_a_row_for_each_line(predict: Predict) -> None:
    records = [{key: value for key, value in one.items() if key != "topic"} for one in conversations(60)]
    write_lines(Path("talks.jsonl"), records)
    write_rows(Path("talks.parquet"), records)
    assert predict("talks.jsonl", "--output", "pairs.jsonl")[0] == 0
    assert predict("talks.parquet", "--output", "pairs.parquet")[0] == 0
    assert pq.read_table("pairs.parquet").to_pylist() == lines_of("pairs.jsonl")


def test_a_folder_has_chunks_an_index_and_a_card(predict: Predict, tmp_path: Path) -> None:
    from datasets import load_dataset

    code, output, _ = predict("talks.jsonl", "--output", "pairs/")
    assert code == 0
    assert output.startswith("written: pairs (60 conversations, ")
    assert predict("talks.jsonl", "--output", "whole.jsonl")[0] == 0
    chunks = sorted(Path("pairs").glob("chunk-*.jsonl"))
    assert len(chunks) > 4
    assert b"".join(chunk.read_bytes() for chunk in chunks) == Path("whole.jsonl").read_bytes()
    index = pq.read_table("pairs/index.parquet").to_pylist()
    assert [row["conversation"] for row in index] == [f"talk {place}" for place in range(60)]
    for row in (index[0], index[33], index[59]):
        line = lines_of(str(chunks[row["chunk"]]))[row["row"]]
        assert (line["name"], len(line["pairs"]), len(line["turns"])) == (
            row["conversation"], row["candidates"], row["turns"],
        )  # fmt: skip
    assert sum(row["pairs"] for row in index) == int(output.split()[4])
    loaded = load_dataset(str(tmp_path / "pairs"), split="train")
    assert loaded["name"] == [row["conversation"] for row in index]
    assert "SYNTHETIC" in Path("pairs/README.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in Path("pairs").iterdir() if not path.name.startswith("chunk-")) == [
        "README.md", "index.parquet", "prediction.json",
    ]  # fmt: skip
    assert predict("talks.jsonl", "--output", "pairs/")[1].startswith("written: pairs (60 conversations, ")
    code, _, errors = predict("talks.jsonl", "--output", "pairs", "--threshold", "0.2")
    assert code == 2
    assert "has a finished prediction of other input, another model or other options" in errors


def stopped_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Lets a worker stop after some chunks, as a kill does."""
    write, left = worker.write_chunk, iter(range(chunks))

    def stop(*given: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return write(*given)

    monkeypatch.setattr(worker, "write_chunk", stop)
    return monkeypatch


def test_what_was_predicted_is_kept_and_other_input_or_options_are_refused(
    predict: Predict, monkeypatch: pytest.MonkeyPatch, model: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    assert predict("talks.jsonl", "--output", "whole.csv")[0] == 0
    assert Path("whole.csv").read_text().count("conversation,model,") == 1
    with monkeypatch.context() as patched:
        stopped_after(3, patched)
        code, _, errors = predict("talks.jsonl", "--output", "pairs.csv")
    assert (code, errors) == (130, "Interrupted. Start the same command again to continue.\n")
    work = WorkFolder(Path("pairs.csv"), True, "csv")
    assert not work.output.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in work.path.glob("chunk-*")}
    assert len(kept) == 3
    other = save_dialogue_model(tmp_path / "other" / "model", tiny_encoder, pair_size=4)
    for arguments, message in (
        (("--threshold", "0.3"), "pairs.csv was begun with --threshold not given, and now it is 0.3"),
        (("--batch-size", "3"), "begun with --batch-size 8, and now it is 3"),
        (("--model", str(other)), "pairs.csv was begun with --model "),
    ):
        code, _, errors = predict("talks.jsonl", "--output", "pairs.csv", *arguments)
        assert code == 2
        assert message in errors
    content = Path("talks.jsonl").read_text()
    Path("talks.jsonl").write_text(content.replace("train late", "late train"))
    assert "its content has changed" in predict("talks.jsonl", "--output", "pairs.csv")[2]
    Path("talks.jsonl").write_text(content)
    with monkeypatch.context() as patched:
        stopped_after(0, patched)
        predict("talks.jsonl", "--output", "pairs.csv")
    assert {path.name: path.stat().st_mtime_ns for path in work.path.glob("chunk-*")} == kept
    assert predict("talks.jsonl", "--output", "pairs.csv")[0] == 0
    assert Path("pairs.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_any_number_of_shards_gives_equal_bytes(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    assert predict("talks.jsonl", "--output", "one.jsonl")[0] == 0
    with monkeypatch.context() as patched:
        stopped_after(0, patched)
        predict("talks.jsonl", "--output", "pairs.jsonl")
    with monkeypatch.context() as patched:
        stopped_after(1, patched)
        assert predict("--output", "pairs.jsonl", "--shard", "2/3")[0] == 130
    work = WorkFolder(Path("pairs.jsonl"), True, "jsonl")
    assert len(list(work.indices.iterdir())) == 1
    for shard in range(1, 8):
        assert predict("--output", "pairs.jsonl", "--shard", f"{shard}/7")[:2] == (0, "chunks of shard "
            f"{shard}/7: {len(plan.read_plan(work).keys[shard - 1 :: 7])}\n")  # fmt: skip
    with monkeypatch.context() as patched:
        stopped_after(0, patched)  # all that is left is to join them
        assert predict("talks.jsonl", "--output", "pairs.jsonl")[0] == 0
    assert Path("pairs.jsonl").read_bytes() == Path("one.jsonl").read_bytes()
    code, _, errors = predict("--output", "pairs.jsonl", "--shard", "1/7")
    assert (code, "has no plan" in errors) == (2, True)


def test_a_worker_with_other_options_than_the_plan_is_refused(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(0, monkeypatch)
    predict("talks.jsonl", "--output", "pairs.jsonl")
    code, _, errors = predict("--output", "pairs.jsonl", "--shard", "1/2", "--window", "3")
    assert code == 2
    assert "has a plan with --window None, but this worker has 3" in errors


def test_a_damaged_chunk_is_predicted_again(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    assert predict("talks.jsonl", "--output", "whole.jsonl")[0] == 0
    with monkeypatch.context() as patched:
        stopped_after(3, patched)
        predict("talks.jsonl", "--output", "pairs.jsonl")
    work = WorkFolder(Path("pairs.jsonl"), True, "jsonl")
    work.chunk(0).write_bytes(work.chunk(0).read_bytes()[:-10])
    work.index(1).write_bytes(b"nothing")
    work.chunk(2).write_bytes(b"x" * work.chunk(2).stat().st_size)
    code, _, errors = predict("talks.jsonl", "--output", "pairs.jsonl")
    assert code == 0
    assert errors == f"warning: {work.chunk(2)} is damaged, and is predicted again.\n"
    assert Path("pairs.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_broken_lines_end_the_command_before_a_model_is_loaded_or_are_listed(predict: Predict) -> None:
    records = [json.dumps(one) for one in conversations(30)]
    records[9], records[20] = records[9][:-3], json.dumps({"utterances": []})
    Path("talks.jsonl").write_text("\n".join(records))
    code, output, errors = predict("talks.jsonl", "--output", "pairs.jsonl")
    assert (code, output) == (2, "")
    assert errors.startswith("error: talks.jsonl, line 10, column ")
    assert "--skip-broken" in errors
    assert not Path(".pairs.jsonl.parts").exists()
    code, output, _ = predict("talks.jsonl", "--output", "pairs.jsonl", "--skip-broken")
    assert code == 0
    assert "left out: 2 conversations, listed in pairs.jsonl.skipped.jsonl (the first: talks.jsonl, line 10" in output
    listed = lines_of("pairs.jsonl.skipped.jsonl")
    assert [(entry["source"], entry["line"]) for entry in listed] == [("talks.jsonl", 10), ("talks.jsonl", 21)]
    assert "an empty conversation" in listed[1]["reason"]
    names = [line["name"] for line in lines_of("pairs.jsonl")]
    assert names == [f"talk {place}" for place in range(30) if place not in (9, 20)]


def test_what_the_model_cannot_take_is_left_out_when_asked(predict: Predict) -> None:
    records = conversations(40)
    records[12]["utterances"] = [{"speaker": "A", "text": "", "audio": "a.wav"}]
    write_lines(Path("talks.jsonl"), records)
    code, _, errors = predict("talks.jsonl", "--output", "pairs/")
    assert code == 2
    assert errors.startswith("error: talks.jsonl, line 14: talk 12: its one utterance has recordings and no words")
    assert "The other chunks are predicted" in errors
    code, output, _ = predict("talks.jsonl", "--output", "pairs/", "--skip-broken")
    assert code == 0
    assert "left out: 1 conversation, listed in pairs/skipped.jsonl" in output
    assert [entry["name"] for entry in lines_of("pairs/skipped.jsonl")] == ["talk 12"]
    index = pq.read_table("pairs/index.parquet").to_pylist()
    assert [row["conversation"] for row in index if row["skipped"]] == ["talk 12"]
    assert sum(row["rows"] for row in index) == 39


def test_a_changed_frozen_encoder_is_noticed(
    predict: Predict, monkeypatch: pytest.MonkeyPatch, tiny_encoder: Path, tmp_path: Path
) -> None:
    encoder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    model = save_dialogue_model(tmp_path / "frozen" / "model", encoder, mode="frozen")
    with monkeypatch.context() as patched:
        stopped_after(1, patched)
        predict("talks.jsonl", "--output", "pairs.jsonl", "--model", str(model))
    (encoder / "config.json").write_text((encoder / "config.json").read_text() + "\n")
    code, _, errors = predict("talks.jsonl", "--output", "pairs.jsonl", "--model", str(model))
    assert code == 2
    assert "content of the frozen text encoder of --model" in errors
    code, _, errors = predict("--output", "pairs.jsonl", "--shard", "1/2", "--model", str(model))
    assert (code, "frozen text encoder of --model" in errors) == (2, True)


def test_what_was_left_out_is_not_lost_without_the_option(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    records = conversations(40)
    records[1]["utterances"] = [{"speaker": "A", "text": "", "audio": "a.wav"}]
    write_lines(Path("talks.jsonl"), records)
    for output in ("pairs.jsonl", "pairs/"):
        with monkeypatch.context() as patched:
            stopped_after(3, patched)
            predict("talks.jsonl", "--output", output, "--skip-broken")
        code, _, errors = predict("talks.jsonl", "--output", output)
        assert (code, "begun with --skip-broken" in errors) == (2, True)
        assert predict("talks.jsonl", "--output", output, "--skip-broken")[0] == 0
    code, _, errors = predict("talks.jsonl", "--output", "pairs/")
    assert (code, "finished prediction with --skip-broken" in errors) == (2, True)


def test_a_first_line_that_is_broken_is_left_out_as_others_are(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Path("talks.jsonl").read_text()
    Path("talks.jsonl").write_text('{"utterances": [{"speak\n' + content)
    with monkeypatch.context() as patched:
        stopped_after(2, patched)
        predict("talks.jsonl", "--output", "pairs.jsonl", "--skip-broken")
    listed = WorkFolder(Path("pairs.jsonl"), True, "jsonl").broken
    kept = listed.read_bytes()
    listed.write_bytes(b"\xff" + kept)
    code, _, errors = predict("talks.jsonl", "--output", "pairs.jsonl", "--skip-broken")
    assert (code, "broken.jsonl is damaged" in errors) == (2, True)
    listed.write_bytes(kept)
    code, output, _ = predict("talks.jsonl", "--output", "pairs.jsonl", "--skip-broken")
    assert (code, "left out: 1 conversation" in output) == (0, True)


def test_another_encoding_is_read_as_a_whole_where_no_chunks_are_asked_for(predict: Predict) -> None:
    content = Path("talks.jsonl").read_text().replace("train late", "tr\u00e4in late")
    Path("talks.jsonl").write_bytes(content.encode("cp1252"))
    code, output, _ = predict("talks.jsonl", "--output", "pairs.jsonl")
    assert (code, "Read as Windows-1252" in output) == (0, True)
    code, _, errors = predict("talks.jsonl", "--output", "pairs/")
    assert (code, "Save the file as UTF-8" in errors, "--skip-broken" in errors) == (2, True, False)


def test_a_finished_folder_that_lacks_a_chunk_is_refused(predict: Predict) -> None:
    assert predict("talks.jsonl", "--output", "pairs/")[0] == 0
    Path("pairs/chunk-00001.jsonl").unlink()
    code, output, errors = predict("talks.jsonl", "--output", "pairs/")
    assert (code, output, "lacks 1 of its chunks (the first: chunk-00001)" in errors) == (2, "", True)


REFUSED = {
    "text to a folder": (("chat.txt", "--output", "pairs/"), "pairs is a folder. Name a file in it"),
    "standard input": (("-", "--output", "pairs.jsonl", "--slots", "2"), "standard input is none"),
    "no output": (("talks.jsonl", "--slots", "2"), "Give --output FILE or FOLDER/"),
    "a page": (("talks.jsonl", "--output", "page.html", "--shards", "2"), "written as .jsonl, .csv or .parquet"),
    "a folder of pages": (("talks.jsonl", "--output", "pages/", "--format", "html"), "takes --format jsonl, csv or"),
    "a recording": (("talks.jsonl", "--output", "a/", "--audio", "a.wav"), "--audio is one recording"),
    "a folder of others": (("talks.jsonl", "--output", "folder"), "folder is a folder with other files (mine.txt)"),
    "a shard of nothing": (("--output", "pairs.jsonl", "--shard", "1/2"), "has no plan"),
    "shard 3 of 2": (("--output", "pairs.jsonl", "--shard", "3/2"), "--shard takes I/N"),
    "a shard and files": (("talks.jsonl", "--output", "p.jsonl", "--shard", "1/2"), "no files of conversations"),
    "a queue without SLURM": (("chat.txt", "--no-wait"), "are for --backend slurm"),
    "GPUs of ray": (("chat.txt", "--gpus-per-worker", "0.5"), "--gpus-per-worker is for --backend ray"),
    "no model": (("talks.jsonl", "--output", "p.jsonl", "--model", "./nowhere"), "nowhere holds no model"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], message: str, predict: Predict) -> None:
    Path("chat.txt").write_text("Ana: Hi.\n")
    Path("folder").mkdir()
    Path("folder/mine.txt").write_text("mine")
    before = sorted(Path().rglob("*"))
    code, output, errors = predict(*arguments)
    assert (code, output) == (2, "")
    assert message in errors
    assert sorted(Path().rglob("*")) == before


def test_a_dry_run_prints_the_commands(predict: Predict) -> None:
    code, output, _ = predict("talks.jsonl", "--output", "pairs/", "--shards", "2", "--threshold", "0.3", "--dry-run")
    assert code == 0
    commands = [line for line in output.splitlines() if line.startswith("$ ")]
    assert [line.rpartition(" ")[2] for line in commands] == ["1/2", "2/2"]
    assert "--threshold=0.3" in commands[0]
    assert not Path("pairs").exists()


# --- several processes, and killed ones ---------------------------------------------------------------------------

DRIVER = """
import sys, time
from iemomecp_dataset.commands import predict
from iemomecp_dataset.trainers.prediction import plan, worker
plan.CHUNK_UTTERANCES, predict._STREAMED_FROM = 40, 0
write = worker.write_chunk
def slowly(*given):
    time.sleep(0.05)
    return write(*given)
worker.write_chunk = slowly
from iemomecp_dataset.__main__ import main
main(["predict", *sys.argv[1:]])
"""


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-c", DRIVER, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def until(condition: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    return found


def worker_of(shard: str, output: Path) -> int | None:
    """The process id of the worker of a shard."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command_line = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if shard in command_line and str(output) in command_line:
            return int(folder.name)
    return None


@pytest.mark.slow
def test_workers_give_equal_bytes_and_a_killed_one_is_continued(predict: Predict, model: Path, tmp_path: Path) -> None:
    write_lines(Path("talks.jsonl"), conversations(150))
    assert predict("talks.jsonl", "--output", "one.jsonl")[0] == 0
    arguments = ("talks.jsonl", "--output", "two.jsonl", "--slots", "2", "--model", str(model))
    launcher = started(*arguments)
    pid = until(lambda: worker_of("2/2", tmp_path / "two.jsonl"), launcher)
    os.kill(pid, signal.SIGKILL)
    said, _ = launcher.communicate(timeout=120)
    assert launcher.returncode == 1
    assert "shard-2-of-2 failed (killed by SIGKILL)" in said
    assert "Start the same command again to continue." in said
    assert not Path("two.jsonl").exists()
    assert predict(*arguments)[0] == 0
    assert Path("two.jsonl").read_bytes() == Path("one.jsonl").read_bytes()


@pytest.mark.slow
def test_ray_gives_equal_bytes(predict: Predict) -> None:
    pytest.importorskip("ray")
    assert predict("talks.jsonl", "--output", "one/")[0] == 0
    code, _, errors = predict("talks.jsonl", "--output", "two/", "--backend", "ray", "--slots", "2")
    assert (code, errors) == (0, "")
    files = [{path.name: path.read_bytes() for path in Path(name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_killed_prediction_is_continued_to_equal_bytes(predict: Predict, model: Path) -> None:
    write_lines(Path("talks.jsonl"), conversations(300))
    assert predict("talks.jsonl", "--output", "whole.jsonl")[0] == 0
    arguments = ("talks.jsonl", "--output", "pairs.jsonl", "--model", str(model))
    work = WorkFolder(Path("pairs.jsonl"), True, "jsonl")
    moments = (
        lambda: work.path.exists(),
        lambda: work.record.exists(),
        lambda: len(list(work.indices.glob("*.parquet"))) >= 5,
    )
    for moment in moments:
        process = started(*arguments)
        until(moment, process)
        process.kill()
        process.communicate()
        assert not work.output.exists()
    kept = {path.name: path.stat().st_mtime_ns for path in work.indices.glob("*.parquet")}
    assert len(kept) >= 5
    assert predict(*arguments)[0] == 0
    assert Path("pairs.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()
    assert not work.path.exists()
