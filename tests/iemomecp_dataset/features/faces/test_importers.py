"""Importers read the columns of each tool, and refuse what they do not know."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from reader_case import ReaderCase

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.faces.importers import import_faces

SEVEN = "anger,disgust,fear,happiness,sadness,surprise,neutral"
LANDMARKS = ",".join([f"x_{i}" for i in range(68)] + [f"y_{i}" for i in range(68)])


def landmarks(left: int) -> str:
    return ",".join([str(left + i) for i in range(68)] + [str(10 + i) for i in range(68)])


# Each: a clip of two frames; a face at 10, 20 of 30 x 40 in the first frame, none or another one in the second.
FILES = {
    "py-feat": (
        f"frame,input,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,x_0,AU01,Pitch,{SEVEN},Identity\n"
        "0,clips/u1.mp4,10,20,30,40,0.99,1,0.5,0,0.1,0,0,0.8,0,0,0.1,Person_0\n"
        "10,clips/u1.mp4,,,,,,,,,,,,,,,,\n"
    ),
    "deepface": (
        "frame,input,emotion.angry,emotion.disgust,emotion.fear,emotion.happy,emotion.sad,emotion.surprise,"
        "emotion.neutral,dominant_emotion,region.x,region.y,region.w,region.h,region.left_eye,face_confidence\n"
        "0,u1.mp4,10,0,0,80,0,0,10,happy,10,20,30,40,,0.9\n"
        "10,u1.mp4,10,0,0,80,0,0,10,happy,0,0,640,480,,0\n"
    ),
    "emotiefflib": (
        "frame,input,x,y,width,height,Anger,Contempt,Disgust,Fear,Happiness,Neutral,Sadness,Surprise\n"
        "0,u1.mp4,10,20,30,40,0.1,0,0,0,0.8,0.1,0,0\n"
        "10,u1.mp4,12,20,30,40,0.1,0,0,0,0.8,0.1,0,0\n"
    ),
    "openface": (
        f"frame, face_id, timestamp, confidence, success, {LANDMARKS.replace(',', ', ')}, AU01_r, AU01_c\n"
        f"1, 0, 0.0, 0.98, 1, {landmarks(10)}, 0.3, 1\n"
        f"2, 0, 0.4, 0.02, 0, {landmarks(0)}, 0, 0\n"
    ),
}


@pytest.mark.parametrize("tool", ["py-feat", "deepface", "emotiefflib"])
def test_faces_of_classifiers(tool: str, tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text(FILES[tool])
    table = import_faces([tmp_path / "faces.csv"], tool, utterance_of={"u1": "train_1"}, frames_per_second=25)  # type: ignore[arg-type]
    assert table.line("train_1") == "faces: A joy 0.8"
    assert table.frames == {"train_1": 2}
    assert table.boxes[0].tolist() == [10, 20, 40, 60]
    (summary,) = table.summaries("train_1")
    assert summary.share == (1.0 if tool == "emotiefflib" else 0.5)
    assert summary.probability == pytest.approx(0.8)
    if tool == "emotiefflib":
        assert table.times.tolist() == [0, 0.4]


def test_openface_gives_boxes_and_no_probabilities(tmp_path: Path) -> None:
    (tmp_path / "u1.csv").write_text(FILES["openface"])
    table = import_faces([tmp_path / "u1.csv"], "openface")
    assert (table.utterance_ids, table.classes, table.frames) == (("u1",), (), {"u1": 2})
    assert table.boxes.tolist() == [[10, 10, 77, 77]]
    with pytest.raises(UsageError, match="no probabilities of emotions"):
        table.line("u1")


@pytest.mark.parametrize("tool", FILES)
def test_unknown_and_missing_columns_are_named(tool: str, tmp_path: Path) -> None:
    header, _, rest = FILES[tool].partition("\n")
    path = tmp_path / "faces.csv"
    path.write_text(f"{header},smell\n" + "".join(f"{line},1\n" for line in rest.splitlines()))
    with pytest.raises(InvalidDataError, match=f"not a CSV file of {tool} .*with the unknown smell.*expected: "):
        import_faces([path], tool, frames_per_second=25)  # type: ignore[arg-type]
    assert import_faces([path], tool, frames_per_second=25, ignore=["smell"]).frames  # type: ignore[arg-type]
    gone = {"py-feat": "FaceRectWidth", "deepface": "emotion.sad", "openface": "success", "emotiefflib": "Fear"}[tool]
    path.write_text(FILES[tool].replace(gone, "other", 1))
    with pytest.raises(InvalidDataError, match=f"without {gone} and with the unknown other"):
        import_faces([path], tool, frames_per_second=25)  # type: ignore[arg-type]


def test_seven_classes_of_emotiefflib_and_two_faces_without_tracks(tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text(
        "time,x,y,width,height,Anger,Disgust,Fear,Happiness,Neutral,Sadness,Surprise\n"
        "0,100,0,20,20,0,0,0,0,0,1,0\n0,0,0,20,20,1,0,0,0,0,0,0\n0.5,1,0,20,20,1,0,0,0,0,0,0\n"
    )
    table = import_faces([tmp_path / "u.csv"], "emotiefflib")
    assert table.line("u") == "faces: A anger 1.0, B sadness 1.0"
    assert [summary.share for summary in table.summaries("u")] == [1.0, 0.5]


def test_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "u9.csv"
    path.write_text(FILES["py-feat"])
    with pytest.raises(UsageError, match="give frames_per_second"):
        import_faces([path], "py-feat")
    with pytest.raises(InvalidDataError, match="line 2: clip u1 belongs to no utterance"):
        import_faces([path], "py-feat", frames_per_second=25, utterance_of={"u2": "x"})
    path.write_text(FILES["py-feat"].replace("0.8", "much", 1))
    with pytest.raises(InvalidDataError, match="line 2: expected a number as happiness, found 'much'"):
        import_faces([path], "py-feat", frames_per_second=25)
    with pytest.raises(UsageError, match="Did you mean 'openface'"):
        import_faces([path], "openfaces")  # type: ignore[arg-type]
    with pytest.raises(MissingDataError, match="is not there"):
        import_faces([tmp_path / "none.csv"], "openface")


@pytest.mark.parametrize(
    ("header", "line", "said"),
    [
        # Fields that are missing must not read as a frame without a face.
        (None, "0,1,2", "line 3: expected 18 fields, as the header has, found 3"),
        (None, "10,clips/u1.mp4" + 17 * ",", "line 3: expected 18 fields, as the header has, found 19"),
        (None, '10,"clips', r"line 3: the quotes or commas are not those of a CSV file"),
        (None, "10,clips/u\0001.mp4" + 16 * ",", "line 3: not UTF-8 text .a NUL byte"),
        (None, f"10,u1.mp4,1,2,3,4,1,1,0,0{7 * ',0.5'},a", "line 3: probabilities must be 0 to 1"),
        (None, f"10,u1.mp4,1,2,-3,4,1,1,0,0{7 * ',0'},a", "line 3: boxes must be left, top, right, bottom"),
        ("\0", None, "line 1: not UTF-8 text .a NUL byte"),
    ],
)
def test_a_damaged_line_is_named(header: str | None, line: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    lines = FILES["py-feat"].splitlines()
    path.write_text("\n".join([header or lines[0], lines[1], *([line] if line else [])]) + "\n")
    with pytest.raises(InvalidDataError, match=said) as caught:
        import_faces([path], "py-feat", frames_per_second=25)
    assert str(caught.value).startswith(f"{path}, ")


class TestFilesOfFaces(ReaderCase):
    of = import_faces
    file = "u1.csv"

    @pytest.fixture
    def content(self) -> bytes:
        return FILES["emotiefflib"].encode()

    def read(self, path: Path) -> object:
        return import_faces([path], "emotiefflib", frames_per_second=25)


@pytest.mark.parametrize("damaged", [b"\xff\xfe\x00", FILES["py-feat"].encode("utf-16"), b"\0"])
def test_files_in_other_encodings_are_refused(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "u4.csv").write_bytes(damaged)
    with pytest.raises(InvalidDataError, match=r"u4\.csv, line 1: not UTF-8 text"):
        import_faces([tmp_path / "u4.csv"], "py-feat", frames_per_second=25)


def two_people(*identities: str) -> str:
    """Frames with a glad face on the left and an angry one on the right, which take turns in the file."""
    faces = [("0,0,9,9,1", "0,0,0,1,0,0,0"), ("50,0,9,9,1", "1,0,0,0,0,0,0")]
    lines = [
        f"{place // 2},clip.mp4,{box},{emotions},{identity}\n"
        for place, identity in enumerate(identities)
        for box, emotions in [faces[(place + place // 2) % 2]]
    ]
    return f"frame,input,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,{SEVEN},Identity\n" + "".join(lines)


@pytest.mark.parametrize(
    ("identities", "tracks", "mixed"),
    [
        (("", "", "", ""), [0, 1, 1, 0], False),
        ((" ", "", " ", ""), [0, 1, 1, 0], False),
        # Names count even where they contradict the overlap.
        (("b", "a", "b", "a"), [0, 1, 0, 1], False),
        (("a", "b", "", "a"), [0, 1, 1, 0], True),
        (("", "a", "a", "a"), [0, 1, 1, 0], True),
    ],
)
def test_blank_identities_are_linked_by_overlap(
    identities: tuple[str, ...], tracks: list[int], mixed: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path = tmp_path / "faces.csv"
    named = two_people("p", "q").replace("clip", "other").partition("\n")[2]
    path.write_text(two_people(*identities) + named)
    table = import_faces([path], "py-feat", frames_per_second=1)
    assert table.tracks.tolist() == [*tracks, 0, 1]
    said = "1 of 2 clips have faces with and without a name of their track, such as clip:"
    assert [record.getMessage().startswith(said) for record in caplog.records] == [True] * mixed
    if identities[0] != "b":
        assert table.line("clip") == "faces: A joy 1.0, B anger 1.0"
