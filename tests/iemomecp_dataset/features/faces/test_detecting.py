"""Faces of clips: any detector, tracks, aligned crops, any classifier; clips without faces are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from face_clips import BLUE, RED, clip, detector

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.faces.detecting import Face, crop_face, examine_clips, face_table, write_face_vectors
from iemomecp_dataset.features.frames import FrameStore
from iemomecp_dataset.features.work_items import WorkItem


def classify(crops: np.ndarray) -> np.ndarray:
    """Red is angry, blue is sad."""
    red = crops[..., 0].mean((1, 2)) > crops[..., 2].mean((1, 2))
    return np.stack([np.where(red, 0.9, 0.2), np.where(red, 0.1, 0.8)], 1)


def test_from_clips_to_a_table(tmp_path: Path) -> None:
    items = [
        clip(tmp_path / "two.avi", [{40: BLUE}, {2: RED, 41: BLUE}, {3: RED, 42: BLUE}, {4: RED, 43: BLUE}]),
        clip(tmp_path / "none.avi", [{}, {}]),
        WorkItem("gone", "d", "A", "", tmp_path / "gone.avi", None, None, None, False),
    ]
    found, missing = examine_clips(items, detector, classify, width=2, progress=False)
    table = face_table(found, missing, ["angry", "sad"], source="invented")
    assert table.line("two") == "faces: A anger 0.9, B sadness 0.8"
    assert [summary.share for summary in table.summaries("two")] == [0.75, 1.0]
    assert sorted(set(table.times)) == pytest.approx([0.05, 0.15, 0.25, 0.35])
    assert table.without_faces == ("none",)
    assert table.frames == {"two": 4, "none": 2}
    assert table.missing["gone"].startswith("missing_media: ")


def test_face_vectors_become_a_store(tmp_path: Path) -> None:
    items = [
        clip(tmp_path / "two.avi", [{40: BLUE}, {2: RED, 41: BLUE}]),
        clip(tmp_path / "none.avi", [{}, {}]),
        WorkItem("gone", "d", "A", "", tmp_path / "gone.avi", None, None, None, False),
    ]
    found, missing = examine_clips(items, detector, classify, width=2, progress=False)
    write_face_vectors(tmp_path / "store", found, missing, model="invented")
    store = FrameStore.open(tmp_path / "store")
    assert store.size == 2
    assert np.allclose(store.tokens("two"), [[0.9, 0.1], [0.2, 0.8]], atol=1e-3)
    assert store.missing["none"] == "no_faces: no face in 2 frames"
    assert store.missing["gone"].startswith("missing_media: ")


def test_a_classifier_of_another_width(tmp_path: Path) -> None:
    item = clip(tmp_path / "one.avi", [{4: RED}])
    with pytest.raises(InvalidDataError, match=r"utterance one: the classifier gives \(1, 2\) for 1 faces"):
        examine_clips([item], detector, classify, width=7, progress=False)


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (Face((-50.0, -50.0, -40.0, -40.0)), r"the box \(-50.0, -50.0, -40.0, -40.0\) in an image of 64 x 32 pixels"),
        (Face((64.0, 0.0, 70.0, 9.0)), "reach into the image"),
        (Face((40.0, 20.0, 10.0, 9.0)), "left, top, right, bottom"),
        (Face((float("nan"), 0.0, 10.0, 9.0)), "the box"),
        (Face((0.0, 0.0, 9.0, 9.0), landmarks=np.full((5, 2), 3.0)), "5 different points in pixels, or None"),
        (Face((0.0, 0.0, 9.0, 9.0), landmarks=np.eye(3)), r"landmarks of shape \(3, 3\)"),
        (Face((0.0, 0.0, 9.0, 9.0), landmarks=np.full((5, 2), np.nan)), "landmarks"),
    ],
)
def test_faces_without_a_place_in_the_image_are_refused(face: Face, message: str, tmp_path: Path) -> None:
    item = clip(tmp_path / "one.avi", [{4: RED}])
    with pytest.raises(InvalidDataError, match=rf"utterance one \(.*one\.avi\): .*{message}"):
        examine_clips([item], lambda image: [face], classify, width=2, progress=False)


def test_a_detector_that_fails_is_named_with_its_clip(tmp_path: Path) -> None:
    def fails(image: np.ndarray) -> list[Face]:
        raise ValueError("no such layer")

    item = clip(tmp_path / "one.avi", [{4: RED}])
    said = (
        r"utterance one \(.*one\.avi\): the detector has failed with ValueError: no such layer \(.*test_detecting\.py"
    )
    with pytest.raises(InvalidDataError, match=said):
        examine_clips([item], fails, classify, width=2, progress=False)


def test_a_face_at_the_border_is_kept(tmp_path: Path) -> None:
    item = clip(tmp_path / "one.avi", [{4: RED}])
    found, _ = examine_clips([item], lambda image: [Face((-5.0, -5.0, 9.0, 9.0))], classify, width=2, progress=False)
    assert found["one"].boxes.tolist() == [[-5.0, -5.0, 9.0, 9.0]]


def test_crops_are_aligned_by_landmarks() -> None:
    template = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
    )
    turn, scale, shift = np.deg2rad(30), 1.7, np.array([60.0, 20.0])
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = template @ matrix.T + shift
    image = np.zeros((300, 300, 3), np.uint8)
    for x, y in landmarks:
        image[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4] = 255
    crop = crop_face(image, Face((0.0, 0.0, 1.0, 1.0), landmarks=landmarks))
    assert crop.shape == (112, 112, 3)
    for x, y in template:
        assert crop[round(y), round(x)].min() == 255
    assert (crop > 0).mean() < 0.05


def test_crops_of_boxes_are_squares_and_own_crops_are_kept() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:30, 20:40] = 200
    assert crop_face(image, Face((20.0, 10.0, 40.0, 30.0)))[8:-8, 8:-8].min() == 200
    own = np.full((112, 112, 3), 7, np.uint8)
    assert crop_face(image, Face((0.0, 0.0, 1.0, 1.0), crop=own)) is own
    with pytest.raises(InvalidDataError, match=r"expected \(112, 112, 3\)"):
        crop_face(image, Face((0.0, 0.0, 1.0, 1.0), crop=image))
