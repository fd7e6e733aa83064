"""The time until a score is reached: ours from its log, the peer's from what it prints. No time is asserted."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import forked_python
import psutil
import pytest
from hilo_clones import make_clone
from peer_files import ecf_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.benchmark.speed import peer
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import IemomecpError, TrainingError

GOLD = {"train": 300, "validation": 866, "test": 1873}
# Stands in for a training: a log, as it grows, and then a long wait.
LOGGED = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1]) / "ours"
folder.mkdir()
for number, score in enumerate(sys.argv[3:], start=1):
    with open(folder / "log.jsonl", "a") as file:
        print(json.dumps({"event": "epoch", "epoch": number, "validation": {"pair_f1": float(score)}}), file=file)
print("words of the training")
time.sleep(60 * (sys.argv[2] == "waits"))
sys.exit(3 * (sys.argv[2] == "fails"))
"""


def logged(
    folder: Path, then: str, *scores: float, pair_f1: float = 50.0, most: int = 30
) -> tuple[peer.Taken, list[str]]:
    said: list[str] = []
    command = [sys.executable, "-c", LOGGED, str(folder), then, *map(str, scores)]
    return peer._ours(command, folder, pair_f1, most, said.append), said


def printing(folder: Path, code: str, pair_f1: float = 47.0) -> tuple[peer.Taken, list[str]]:
    said: list[str] = []
    return peer._hilo([sys.executable, "-c", code], folder, GOLD, pair_f1, said.append), said


def processes_of(folder: Path) -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if str(folder) in " ".join(child.cmdline())]


def test_ours_ends_with_the_first_epoch_that_reaches_the_score(tmp_path: Path) -> None:
    taken, said = logged(tmp_path, "waits", 0.3, 0.5, 0.6)
    assert [line.split(" after")[0] for line in said] == ["ours, epoch 1: Pair F1 30.0", "ours, epoch 2: Pair F1 50.0"]
    assert 0 <= taken.processor < math.inf
    assert taken.wall > 0
    assert not processes_of(tmp_path), "the training does not go on"


@pytest.mark.parametrize(("then", "most"), [("ends", 30), ("waits", 2)])
def test_a_score_that_is_not_reached_has_no_time(tmp_path: Path, then: str, most: int) -> None:
    taken, said = logged(tmp_path, then, 0.3, 0.2, most=most)
    assert all(math.isnan(seconds) for seconds in taken)
    assert said[-1] == "ours did not reach 50 in 2 epochs; its best was 30.0."


def test_a_training_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="exit code 3: words of the training"):
        logged(tmp_path, "fails", 0.3)


def test_the_peer_ends_with_the_first_evaluation_that_reaches_the_score(tmp_path: Path) -> None:
    # 300 of 600, 494 of 1031 on test, 356 of 648, and what would come after it.
    taken, said = printing(
        tmp_path,
        "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(0.5)\n"
        "print('valid 50.0000 34.6420 40.9277')\nprint('test 47.9146 26.3748 34.0220')\n"
        "print('valid 54.9383 41.1085 47.0277')\ntime.sleep(60)",
    )
    assert [line.split(" after")[0] for line in said] == [
        "HiLo, evaluation 1: Pair F1 40.9",
        "HiLo, evaluation 2: Pair F1 47.0",
    ]
    assert taken.processor > 0.2, "what it took is counted, but for a tick of the clock"
    assert taken.processor < taken.wall - 0.4, "waiting is not"
    assert "34.0220" in (tmp_path / "hilo.txt").read_text()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('no numbers')", "printed no precision, recall and F1 that can be told .* exit code 0: no numbers"),
        ("print('F1 of validation: 47.0277')\nraise SystemExit(4)", "can be told .* exit code 4"),
        ("print('50.0000 34.6420 40.9277')", "did not reach 47 in 1 evaluations; its best was 40.9"),
        ("print('54.94 41.11 47.03')\nimport time\ntime.sleep(60)", "too coarsely .* reached 47 cannot be told"),
    ],
)
def test_what_the_peer_did_not_say_is_not_guessed(tmp_path: Path, code: str, said: str) -> None:
    taken, lines = printing(tmp_path, code)
    assert all(math.isnan(seconds) for seconds in taken)
    assert len(lines) == 1 + said.startswith("did not")
    assert re.search(said, lines[-1])


def test_a_doubtful_score_below_the_target_is_said_and_not_counted(tmp_path: Path) -> None:
    taken, said = printing(tmp_path, "print('50.00 34.64 40.93')\nprint('54.9383 41.1085 47.0277')")
    assert taken.wall > 0
    assert said[0].endswith("not counted.")
    assert said[1].startswith("HiLo, evaluation 1: Pair F1 47.0 after")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((None, None), "--data-dir, the folder of ECF, and --encoder, the folder of a text encoder."),
        (("ecf", None), "give --encoder, the folder of a text encoder."),
        ((None, "encoder"), "give --data-dir, the folder of ECF."),
        (("ecf", "encoder"), ""),
    ],
)
def test_one_sentence_says_what_is_missing(given: tuple[str | None, str | None], said: str) -> None:
    sentence = peer.left_out(*given)
    assert sentence.endswith(said)
    assert bool(sentence) == bool(said)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_dir": "nowhere"}, "--data-dir nowhere is no folder"),
        ({"encoder": "nowhere"}, "--encoder nowhere is no folder"),
        ({"clone": "nowhere"}, "--hilo-clone nowhere is no folder"),
        ({"python": "python3.8"}, "--hilo-python python3.8 is given without --hilo-clone"),
    ],
)
def test_a_folder_that_is_missing_is_said_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], message: str
) -> None:
    ecf_corpus(tmp_path / "ecf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(peer, "_ours", None)
    with pytest.raises(IemomecpError, match=message):
        peer.run(**{"data_dir": "ecf", "encoder": "ecf", **change})


@pytest.mark.parametrize("python", [None, "no-such-python"])
def test_the_clone_needs_its_own_python(python: str | None) -> None:
    with pytest.raises(IemomecpError, match="Give the Python of the clone's environment"):
        peer._interpreter(python)


def test_our_training_is_the_one_that_is_described(tmp_path: Path) -> None:
    command = peer._our_command(tmp_path / "ecf", tmp_path / "encoder", tmp_path, "half")
    given = dict(zip(command[3:-1:2], command[4:-1:2], strict=True))
    chosen = peer._our_command(tmp_path / "ecf", tmp_path / "encoder", tmp_path, "best")
    assert [*chosen, "--threshold", "0.5"] == command
    assert given["--config_name"] == "ecf"
    assert given["--modalities"] == "t"
    assert given["--encoder_mode"] == "trained"
    assert given["--batch_size"] == "4"
    assert peer._ONE_THREAD["OMP_NUM_THREADS"] == "1"


@pytest.mark.slow
def test_a_training_reaches_a_score(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ecf_corpus(tmp_path / "ecf")
    monkeypatch.setattr(sys, "executable", forked_python.executable())
    said: list[str] = []
    processor, wall = peer.run(
        data_dir=str(tmp_path / "ecf"), encoder=str(tiny_encoder), pair_f1=0.001, most_epochs=1, say=said.append
    )
    assert processor.name == "processor time to Pair F1 0.001 on ECF validation"
    assert said[0].startswith("ours, epoch 1: Pair F1 ")
    assert said[-1].startswith("HiLo is not measured, only ours")
    assert math.isnan(wall.ratio)
    assert "no clone of HiLo" in wall.alternative_name


@pytest.mark.slow
def test_a_clone_is_launched_and_its_scores_on_validation_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program with HiLo's documented behaviour, which prints scores of validation after each epoch, and of test."""
    # Splits whose scores differ: more pairs than what small fractions are alike in.
    ecf_corpus(tmp_path / "ecf", sizes={"train": 6, "dev": 20, "test": 29})
    make_clone(tmp_path / "clone", "single")
    export_for(load_corpus("ecf", tmp_path / "ecf"), ExportRequest(peer="hilo", output_dir=tmp_path / "clone"))
    (tmp_path / "clone" / "src" / "config.yaml").write_text("bert_path: ../encoder")
    (tmp_path / "encoder").mkdir()
    monkeypatch.setattr(peer, "_ours", lambda *_: peer.Taken(2.0, 3.0))
    said: list[str] = []
    given = {"data_dir": "ecf", "encoder": "encoder", "clone": "clone"}
    monkeypatch.chdir(tmp_path)
    # No fork of a prepared process: that is no child of the program that is timed, and its time is not counted.
    rows = peer.run(**given, python=sys.executable, pair_f1=0.001, folder=tmp_path / "kept", say=said.append)
    evaluation = next(line for line in said if line.startswith("HiLo, evaluation 1: Pair F1 "))
    printed = (tmp_path / "kept" / "hilo.txt").read_text()
    f1 = 100 * float(re.findall(r"f1: (\S+)", printed)[0])
    assert f"Pair F1 {f1:.1f} after" in evaluation
    assert [(row.ours_seconds, row.alternative_name) for row in rows] == [
        (2.0, "HiLo, text alone"),
        (3.0, "HiLo, text alone"),
    ]
    assert all(row.ratio > 0 for row in rows)
