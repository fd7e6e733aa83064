"""The command that makes face tables and stores: sources, what it counts, and that a run that was stopped continues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import face_clips
import numpy as np
import pytest
import torch
from face_clips import BLUE, RED, clip

from iemomecp_dataset.commands.faces import main
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.faces import FaceTable, making
from iemomecp_dataset.features.faces.ddamfn import Ddamfn
from iemomecp_dataset.features.faces.making import clip_names, load_detector
from iemomecp_dataset.features.frames import FrameStore
from iemomecp_dataset.features.work_items import CorpusItems, WorkItem
from iemomecp_dataset.synthetic import write_ecem

ORDER = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
OWN = ("--detector", "a:b", "--data_dir", "d", "--ddamfn", "c", "--output_file", "x")
HEADER = "frame,input,x,y,width,height,Anger,Contempt,Disgust,Fear,Happiness,Neutral,Sadness,Surprise\n"


def line(clip_name: str) -> str:
    return f"0,{clip_name},10,20,30,40,0.1,0,0,0,0.8,0.1,0,0\n"


def faces(*arguments: Any) -> None:
    main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def ecem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ecem(tmp_path_factory.mktemp("data") / "ecem")


def test_files_of_a_tool_become_a_table(ecem: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = making.load_corpus("ecem", ecem, for_training=False).rows
    ids = [u["utterance_id"] for of_split in rows.values() for row in of_split for u in row["utterances"]]
    for name, keys in (("one.csv", ids[:2]), ("two.csv", ids[2:3])):
        (tmp_path / name).write_text(HEADER + "".join(line(f"{key}.mp4") for key in keys))
    given = ("--import_from", "emotiefflib", tmp_path / "one.csv", tmp_path / "two.csv", "--frames_per_second", 25)
    faces(*given, "--output_file", tmp_path / "alone.parquet")
    assert FaceTable.read(tmp_path / "alone.parquet").missing == {}
    faces(*given, "--data_dir", ecem, "--output_file", tmp_path / "faces.parquet")
    table = FaceTable.read(tmp_path / "faces.parquet")
    assert table.source.startswith("SYNTHETIC")
    assert table.line(ids[2]) == "faces: A joy 0.8"
    assert set(table.missing) == set(ids[3:])
    output = capsys.readouterr().out
    assert "3 faces in 3 tracks; SYNTHETIC" in output
    assert f"not_in_source{len(ids) - 3:>14}" in output
    (tmp_path / "strange.csv").write_text(HEADER + line("elsewhere/dia7_utt7.mp4"))
    with pytest.raises(
        InvalidDataError, match=r"clip dia7_utt7 belongs to no utterance .* elsewhere/dia7_utt7 to none"
    ):
        faces("--import_from", "emotiefflib", tmp_path / "strange.csv", "--frames_per_second", 25, "--data_dir", ecem,
              "--output_file", tmp_path / "strange.parquet")  # fmt: skip


def test_the_command_names_its_own_options(clips: Callable[..., list[Any]], tmp_path: Path) -> None:
    (tmp_path / "strange.csv").write_text(HEADER.replace("Anger", "Smell,Anger") + "1," + line("u1.mp4"))
    given = ("--import_from", "emotiefflib", tmp_path / "strange.csv", "--output_file", tmp_path / "faces.parquet")
    with pytest.raises(InvalidDataError, match=r"unknown Smell.* that do not matter with --ignore\.$"):
        faces(*given, "--frames_per_second", 25)
    with pytest.raises(UsageError, match="give --frames_per_second, the frame rate"):
        faces(*given, "--ignore", "Smell")
    arguments = clips(output_file=tmp_path / "faces.parquet")
    with pytest.raises(UsageError, match="has 7 classes, but --class_order names 6"):
        faces(*[argument for argument in arguments if argument != "fear"])


def test_clips_of_one_name_are_told_apart_by_their_folder() -> None:
    def row(key: str, video: str | None) -> dict[str, Any]:
        return {"utterances": [{"utterance_id": key, "video": video}]}

    rows = {
        "train": [row("a", "d/train/dia0.mp4"), row("b", "d/train/dia1.mp4")],
        "validation": [row("d", None)],
        "test": [row("c", "d/test/dia0.mp4")],
    }
    assert clip_names(rows) == {"a": "a", "b": "b", "c": "c", "d": "d", "train/dia0": "a", "test/dia0": "c",
                                "train/dia1": "b", "dia1": "b"}  # fmt: skip


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Arguments for a run on three clips, of which the last is missing."""
    torch.manual_seed(0)
    torch.save(Ddamfn(7).state_dict(), tmp_path / "net.pth")
    items = (
        clip(tmp_path / "two.avi", [{40: BLUE}, {2: RED, 41: BLUE}]),
        clip(tmp_path / "none.avi", [{}, {}]),
        WorkItem("gone", "d", "A", "", tmp_path / "gone.avi", None, None, None, False),
    )
    monkeypatch.setattr(making, "corpus_items", lambda options: CorpusItems("any", items, {}, "d", True, False))

    def arguments(**options: Any) -> list[Any]:
        given = {"detector": "face_clips:detector", "ddamfn": tmp_path / "net.pth", "data_dir": "any", **options}
        flat = [part for name, value in given.items() for part in (f"--{name}", value)]
        return [*flat, "--class_order", *ORDER, "--quiet"]

    return arguments


def test_clips_become_a_table_and_a_store(
    clips: Callable[..., list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table_file, store_dir = tmp_path / "faces.parquet", tmp_path / "store"
    arguments = clips(output_file=table_file, vectors_dir=store_dir)
    with pytest.raises(InvalidDataError, match=r"1 of 3 clips could not be examined \(33.3%.*1 missing_media.*gone"):
        faces(*arguments)
    assert not table_file.exists()
    assert not store_dir.exists()
    # What was found is kept: nothing is examined twice.
    with monkeypatch.context() as patch:
        patch.setattr(making, "examine_clips", lambda *given, **options: pytest.fail("examined again"))
        faces(*arguments, "--allow_missing")
    assert not list(tmp_path.glob("*.work"))
    table, store = FaceTable.read(table_file), FrameStore.open(store_dir)
    assert [summary.share for summary in table.summaries("two")] == [0.5, 1.0]
    assert table.frames == {"two": 2, "none": 2}
    assert table.classes == ORDER
    assert np.allclose(table.probabilities.sum(1), 1, atol=1e-5)
    tokens = store.tokens("two")
    assert tokens is not None
    assert tokens.shape == (2, 512)
    faces(*clips(vectors_dir=tmp_path / "alone"), "--allow_missing")
    alone = FrameStore.open(tmp_path / "alone").tokens("two")
    assert alone is not None
    assert np.array_equal(tokens, alone)
    assert (store.content, store.manifest["synthetic"], store.manifest["model"]) == ("faces", True, "DDAMFN net.pth")
    assert {key: why.partition(":")[0] for key, why in store.missing.items()} == {
        "none": "no_faces",
        "gone": "missing_media",
    }
    output = capsys.readouterr().out
    assert "3 faces in 2 tracks; SYNTHETIC any, face_clips:detector, DDAMFN net.pth" in output
    for status in ("ok", "no_faces", "missing_media"):
        assert f"  {status} " in output
    with pytest.raises(UsageError, match=r"faces\.parquet exists already"):
        faces(*arguments)


def test_a_run_that_was_stopped_continues_to_the_same_bytes(
    clips: Callable[..., list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces(*clips(output_file=tmp_path / "whole.parquet"), "--allow_missing")
    monkeypatch.setattr(making.ExaminedClips, "__init__", lambda self, *given, init=making.ExaminedClips.__init__:
                        init(self, *given, part_size=1))  # fmt: skip
    seen: list[Any] = []
    detect = face_clips.detector

    def stops(image: Any) -> Any:
        seen.append(image)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return detect(image)

    monkeypatch.setattr(face_clips, "detector", stops)
    arguments = clips(output_file=tmp_path / "again.parquet")
    with pytest.raises(KeyboardInterrupt):
        faces(*arguments)
    with pytest.raises(UsageError, match=r"work of another run \(max_frames differ"):
        faces(*arguments, "--max_frames", "3")
    faces(*arguments, "--allow_missing")
    assert len(seen) == 3 + 2
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    # Clips that have come since are examined on request.
    arguments = clips(output_file=tmp_path / "third.parquet")
    with pytest.raises(InvalidDataError):
        faces(*arguments)
    clip(tmp_path / "gone.avi", [{2: RED}])
    with pytest.raises(InvalidDataError):
        faces(*arguments)
    faces(*arguments, "--retry_missing")
    assert FaceTable.read(tmp_path / "third.parquet").frames == {"two": 2, "none": 2, "gone": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give one source of faces"),
        (["--import_from", "py-feat", "--detector", "a:b"], "Give one source of faces"),
        (["--import_from", "py-feat", "--output_file", "x"], "--import_from needs the CSV files"),
        (["--import_from", "py-feat", "a.csv"], "--import_from needs --output_file"),
        (["--import_from", "py-feat", "a.csv", "--output_file", "x", "--ddamfn", "c"], "--ddamfn has no effect with"),
        (["--import_from", "feat", "a.csv"], "--import_from has no value 'feat'"),
        (["--detector", "a:b", "--ddamfn", "c", "--class_order", "joy"], "--detector needs --data_dir"),
        (["--detector", "a:b", "--data_dir", "d", "--class_order", "joy"], "--detector needs --ddamfn"),
        (["--detector", "a:b", "--data_dir", "d", "--ddamfn", "c"], "--detector needs --class_order"),
        (["--detector", "a:b", "--data_dir", "d", "--ddamfn", "c", "--class_order", "joy"], "Give --output_file"),
        ([*OWN, "--class_order", "a", "b"], "--class_order names 'a', which is no emotion of a face classifier"),
        (
            [*OWN, "--class_order", "happy", "angri"],
            "'angri', which .* Did you mean 'anger'.*: anger, contempt, disgust",
        ),
        ([*OWN, "--class_order", "happy", "joy"], "--class_order names happy and joy, which are one emotion"),
    ],
)
def test_options_that_cannot_work_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        faces(*arguments)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("face_clips", "must have the form module:function"),
        ("no_such_module:detect", "there is no module 'no_such_module'"),
        ("face_clips:detectr", "face_clips has no function 'detectr'. Did you mean 'detector'"),
        ("face_clips:RED", "face_clips has no function 'RED'"),
        ("needs_more:detect", "its module needs the package 'no_such_package'"),
    ],
)
def test_a_detector_that_cannot_be_loaded_is_named(
    reference: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    with pytest.raises(UsageError, match=message):
        load_detector(reference)


def test_a_detector_must_return_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, found in ((None, "None"), ([(0, 0, 1, 1)], "tuple")):
        monkeypatch.setattr(face_clips, "detector", lambda image, value=value: value)
        with pytest.raises(
            InvalidDataError, match=f"must return a list of .*Face for each image, but has returned {found}"
        ):
            load_detector("face_clips:detector")(np.zeros((4, 4, 3), np.uint8))


def test_a_checkpoint_that_is_not_there(clips: Callable[..., list[Any]], tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"checkpoint .* is not there"):
        faces(*clips(ddamfn=tmp_path / "none.pth", output_file=tmp_path / "x.parquet"))
