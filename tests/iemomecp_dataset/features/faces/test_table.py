"""A face table keeps per track the mean of probabilities, the share of frames and the place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.faces.table import FaceTable, emotion_name

CLASSES = ("happy", "angry", "contempt")


def table(**changes: object) -> FaceTable:
    """Utterance u: track 7 at the right in three of four frames, track 2 at the left in one; v has no face."""
    plain = {
        "classes": CLASSES,
        "utterance_ids": ("u", "u", "u", "u"),
        "tracks": np.array([7, 7, 7, 2]),
        "times": np.array([0.0, 1.0, 2.0, 2.0]),
        "boxes": np.array([[100.0, 0, 120, 20], [102, 2, 122, 22], [104, 4, 124, 24], [0, 0, 10, 10]]),
        "probabilities": np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.4, 0.6, 0.0], [0.1, 0.2, 0.7]]),
        "frames": {"u": 4, "v": 3},
        "missing": {"w": "unreadable: w.mp4"},
        "source": "invented",
    }
    return FaceTable(**(plain | changes))  # type: ignore[arg-type]


def test_summaries_of_tracks_from_left_to_right() -> None:
    left, right = table().summaries("u")
    assert (left.letter, left.track, left.label, left.emotion) == ("A", 2, "contempt", None)
    assert (right.letter, right.track, right.label, right.emotion) == ("B", 7, "joy", "joy")
    assert right.probability == pytest.approx((0.9 + 0.8 + 0.4) / 3)
    assert right.probabilities["angry"] == pytest.approx(0.3)
    assert (left.share, right.share) == (0.25, 0.75)
    assert right.place == pytest.approx((112, 12))


def test_line_and_utterances_without_faces() -> None:
    found = table()
    assert found.line("u") == "faces: A contempt 0.7, B joy 0.7"
    assert found.line("u", max_faces=1) == found.line("u", min_share=0.5) == "faces: A joy 0.7"
    assert (found.line("v"), found.line("unknown")) == (None, None)
    assert found.without_faces == ("v",)


@pytest.mark.parametrize(
    ("name", "emotion"),
    [("happy", "joy"), ("Happiness", "joy"), ("angry", "anger"), ("sad", "sadness"), ("fear", "fear"),
     ("surprise", "surprise"), ("neutral", "neutral"), ("contempt", None)],
)  # fmt: skip
def test_names_of_emotions(name: str, emotion: str | None) -> None:
    assert emotion_name(name) == emotion


def test_a_file_gives_the_table_back(tmp_path: Path) -> None:
    table().write(tmp_path / "faces.parquet")
    found = FaceTable.read(tmp_path / "faces.parquet")
    for name in ("classes", "utterance_ids", "frames", "missing", "source"):
        assert getattr(found, name) == getattr(table(), name)
    for name in ("tracks", "times", "boxes", "probabilities"):
        assert np.allclose(getattr(found, name), getattr(table(), name), atol=1e-6)
    assert found.line("u") == table().line("u")
    assert pq.read_table(tmp_path / "faces.parquet").column_names == [
        "utterance_id", "track", "time", "box", "probabilities",
    ]  # fmt: skip


def test_a_table_without_probabilities_has_no_line() -> None:
    found = table(classes=(), probabilities=np.zeros((4, 0)), source="openface")
    with pytest.raises(UsageError, match=r"no probabilities of emotions \(openface\)"):
        found.line("u")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probabilities": np.full((4, 3), 40.0)}, "Give shares, not percent"),
        ({"probabilities": np.full((4, 3), np.nan)}, "probabilities must be"),
        ({"probabilities": np.zeros((4, 2))}, r"must have the shape \(4, 3\)"),
        ({"boxes": np.array([[5.0, 0, 1, 1]] * 4)}, "left before right"),
        ({"frames": {"v": 3}}, "utterance u has faces, but no number of examined frames"),
        ({"classes": ("happy", "happy", "sad")}, "a class is named twice"),
    ],
)
def test_contradictions_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        table(**changes)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="is not there"):
        FaceTable.read(tmp_path / "none.parquet")
    pq.write_table(pa.table({"utterance_id": ["u"]}), tmp_path / "other.parquet")
    with pytest.raises(InvalidDataError, match="is not a face table: expected the columns utterance_id, track"):
        FaceTable.read(tmp_path / "other.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidDataError, match="cannot be read as Parquet"):
        FaceTable.read(tmp_path / "broken.parquet")
