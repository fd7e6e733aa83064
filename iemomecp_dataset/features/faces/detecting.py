"""Finds, tracks, crops and classifies the faces of clips, with any detector and any classifier.

A detector is one function: an image to a list of :class:`Face`. A classifier is one function: aligned crops to
probabilities, or to vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.features.decoding.video_decoding import VideoFrames, decode_positions
from iemomecp_dataset.features.faces.table import FaceTable
from iemomecp_dataset.features.faces.tracking import link_tracks
from iemomecp_dataset.features.frames.pooling import sample_positions
from iemomecp_dataset.features.frames.store import FrameStoreWriter
from iemomecp_dataset.features.store.store_rows import FeatureProblem
from iemomecp_dataset.features.work_items import WorkItem

__all__ = [
    "CROP_SIZE",
    "ClipFaces",
    "Face",
    "FaceDetector",
    "crop_face",
    "examine_clips",
    "face_table",
    "write_face_vectors",
]

CROP_SIZE = 112
"""Side of an aligned crop in pixels."""

# Places of eyes, nose and corners of the mouth in an aligned crop of 112 x 112, as ArcFace's users have them
# (arXiv 1801.07698).
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes:
        box: Left, top, right, bottom in pixels.
        score: Confidence of the detector.
        landmarks: ``(5, 2)`` x and y of left eye, right eye, nose, left and right corner of the mouth as seen in the
            image, or None: the crop is then the square around the box.
        crop: ``(112, 112, 3)`` uint8, where the detector aligns faces itself.
    """

    box: tuple[float, float, float, float]
    score: float = 1.0
    landmarks: NDArray[Any] | None = None
    crop: NDArray[np.uint8] | None = None


class FaceDetector(Protocol):
    """A function from ``(height, width, 3)`` uint8 RGB to the faces in the image."""

    def __call__(self, image: NDArray[np.uint8], /) -> Sequence[Face]:
        """Detects faces."""
        ...


def crop_face(image: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
    """Cuts out an aligned face.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        face: The face; its own crop is taken if it has one.

    Returns:
        ``(112, 112, 3)`` uint8: by the similarity that brings the landmarks closest to their places, else the square
        around the box. Beyond the image it is black.

    Raises:
        InvalidDataError: The crop of the detector has another shape.
    """
    if face.crop is not None:
        if face.crop.shape != (CROP_SIZE, CROP_SIZE, 3):
            raise InvalidDataError(
                f"The detector gives a crop of shape {face.crop.shape}; expected ({CROP_SIZE}, {CROP_SIZE}, 3)."
            )
        return face.crop
    from PIL import Image

    if face.landmarks is not None:
        inverse = _similarity(_TEMPLATE, np.asarray(face.landmarks, np.float64))
    else:
        left, top, right, bottom = face.box
        side = max(right - left, bottom - top, 1.0)
        scale = side / CROP_SIZE
        x, y = (left + right - side) / 2, (top + bottom - side) / 2
        inverse = np.array([[scale, 0, x], [0, scale, y]])
    picture = Image.fromarray(image).transform(
        (CROP_SIZE, CROP_SIZE), Image.Transform.AFFINE, inverse.ravel().tolist(), Image.Resampling.BILINEAR
    )
    return np.asarray(picture, dtype=np.uint8)


@dataclass(frozen=True)
class ClipFaces:
    """Faces of one clip, one array entry per face and frame.

    Attributes:
        tracks: ``(m,)`` int64.
        times: ``(m,)`` seconds from the start of the clip.
        boxes: ``(m, 4)`` pixels.
        outputs: ``(m, C)`` output of the classifier.
        n_frames: Number of examined frames.
    """

    tracks: NDArray[np.int64]
    times: NDArray[np.float64]
    boxes: NDArray[np.float64]
    outputs: NDArray[np.float64]
    n_frames: int


def examine_clips(
    items: Iterable[WorkItem],
    detector: FaceDetector,
    classify: Callable[[NDArray[np.uint8]], NDArray[Any]],
    *,
    width: int,
    max_frames: int = 16,
    min_score: float = 0.5,
    progress: bool = True,
    on_clip: Callable[[], Any] | None = None,
) -> tuple[dict[str, ClipFaces], dict[str, str]]:
    """Detects, tracks, crops and classifies the faces of clips.

    Args:
        items: Utterances, see :func:`iemomecp_dataset.features.work_items.corpus_items`.
        detector: The detector.
        classify: Function from crops ``(n, 112, 112, 3)`` uint8 RGB to ``(n, width)``: probabilities or vectors.
        width: Width of its output.
        max_frames: Largest number of frames of a clip, at the middles of equal segments.
        min_score: Faces of a lower confidence are left out.
        progress: Whether to show a progress bar.
        on_clip: Called after each clip.

    Returns:
        Faces by utterance, those without any face included; and the reason by utterance for the clips that are missing
        or cannot be decoded.

    Raises:
        InvalidDataError: The detector fails or gives what can be no face, or the classifier gives another shape; the
            message names the utterance.
    """
    from tqdm.auto import tqdm

    found: dict[str, ClipFaces] = {}
    missing: dict[str, str] = {}
    for item in tqdm(list(items), desc="Examining faces", unit="clip", disable=not progress):
        try:
            video = decode_positions(item, partial(sample_positions, limit=max_frames))
        except FeatureProblem as problem:
            missing[item.utterance_id] = str(problem)
        else:
            found[item.utterance_id] = _examine(item, video, detector, classify, width, min_score)
        if on_clip is not None:
            on_clip()
    return found, missing


def face_table(
    found: dict[str, ClipFaces], missing: dict[str, str], classes: Sequence[str], *, source: str
) -> FaceTable:
    """Makes a face table of classified faces.

    Args:
        found: Faces by utterance, their outputs probabilities.
        missing: Reason by utterance, for the clips that could not be examined.
        classes: Names of the classes, in the classifier's order.
        source: What made them.

    Returns:
        The table.

    Raises:
        InvalidDataError: The outputs are not probabilities of these classes.
    """
    clips = list(found.values())
    empty = ClipFaces(np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 4)), np.zeros((0, len(classes))), 0)
    return FaceTable(
        classes=tuple(classes),
        utterance_ids=tuple(key for key, clip in found.items() for _ in clip.tracks),
        tracks=np.concatenate([empty.tracks, *(clip.tracks for clip in clips)]),
        times=np.concatenate([empty.times, *(clip.times for clip in clips)]),
        boxes=np.concatenate([empty.boxes, *(clip.boxes for clip in clips)]),
        probabilities=np.concatenate([empty.outputs, *(clip.outputs for clip in clips)]),
        frames={key: clip.n_frames for key, clip in found.items()},
        missing=missing,
        source=source,
    )


def write_face_vectors(
    folder: str | Path,
    found: dict[str, ClipFaces],
    missing: dict[str, str],
    *,
    model: str,
    corpus: str = "unknown",
    synthetic: bool = False,
) -> None:
    """Writes a store of face vectors: the mean vector of each track, tracks from left to right.

    It is read with :class:`~iemomecp_dataset.features.frames.store.FrameStore`, whose ``tokens`` are ``(tracks, d)``.
    Clips without faces have the status ``no_faces``, those that could not be examined the status they have.

    Args:
        folder: New or empty folder.
        found: Faces by utterance, their outputs vectors.
        missing: Status and reason by utterance, as :func:`examine_clips` gives them.
        model: Name of the network and its checkpoint.
        corpus: Name of the corpus.
        synthetic: Whether the corpus is synthetic.

    Raises:
        UsageError: The folder holds something else, or there is no face in any clip.
    """
    size = next((clip.outputs.shape[1] for clip in found.values() if len(clip.tracks)), 0)
    if not size:
        raise UsageError(f"None of the {len(found)} clips has a face: check the detector.")
    with FrameStoreWriter(
        folder, size=size, model=model, corpus=corpus, synthetic=synthetic, settings={"content": "faces"}
    ) as writer:
        for key, clip in found.items():
            tracks = np.unique(clip.tracks)
            if not len(tracks):
                writer.add_missing(key, "no_faces", f"no face in {clip.n_frames} frames")
                continue
            centres = [float(clip.boxes[clip.tracks == track][:, [0, 2]].mean()) for track in tracks]
            ordered = tracks[np.argsort(centres, kind="stable")]
            vectors = np.stack([clip.outputs[clip.tracks == track].mean(0) for track in ordered])
            writer.add(key, vectors, n_frames=0)
        for key, text in missing.items():
            status, _, reason = text.partition(": ")
            writer.add_missing(key, status, reason)


def _examine(
    item: WorkItem,
    video: VideoFrames,
    detector: FaceDetector,
    classify: Callable[[NDArray[np.uint8]], NDArray[Any]],
    width: int,
    min_score: float,
) -> ClipFaces:
    of_frames = [
        [face for face in _detected(item, image, detector) if face.score >= min_score] for image in video.frames
    ]
    boxes = [np.array([face.box for face in faces], np.float64).reshape(-1, 4) for faces in of_frames]
    n_frames = len(video.frames)
    crops = [crop_face(image, face) for image, faces in zip(video.frames, of_frames, strict=True) for face in faces]
    outputs = np.asarray(classify(np.stack(crops)), np.float64) if crops else np.zeros((0, width))
    if outputs.shape != (len(crops), width):
        raise InvalidDataError(
            f"utterance {item.utterance_id}: the classifier gives {outputs.shape} for {len(crops)} faces; expected "
            f"({len(crops)}, {width})."
        )
    tracks = link_tracks(boxes)
    # The middles of equal segments, as the frames were sampled.
    times = [(place + 0.5) * video.seconds / n_frames for place, faces in enumerate(of_frames) for _ in faces]
    return ClipFaces(np.concatenate(tracks), np.array(times, np.float64), np.concatenate(boxes), outputs, n_frames)


def _detected(item: WorkItem, image: NDArray[np.uint8], detector: FaceDetector) -> Sequence[Face]:
    """What the detector finds in an image of an utterance, checked.

    Raises:
        InvalidDataError: The detector fails, or a face has no place in the image.
    """
    where = f"utterance {item.utterance_id} ({item.media})"
    try:
        faces = detector(image)
    except IemomecpError:
        raise
    except Exception as error:  # whatever a function of the user raises
        place = extract_tb(error.__traceback__)[-1]
        raise InvalidDataError(
            f"{where}: the detector has failed with {type(error).__name__}: {error} ({place.filename}, line "
            f"{place.lineno}). Correct it, and give the same command again."
        ) from error
    height, width = image.shape[:2]
    for face in faces:
        left, top, right, bottom = map(float, face.box)
        if not (left <= right and top <= bottom and left < width and top < height and right > 0 and bottom > 0):
            raise InvalidDataError(
                f"{where}: the detector gives the box {(left, top, right, bottom)} in an image of {width} x {height} "
                "pixels. Boxes must be left, top, right, bottom in pixels, and reach into the image."
            )
        if face.landmarks is not None and face.crop is None:
            points = np.asarray(face.landmarks, np.float64)
            if points.shape != _TEMPLATE.shape or not np.isfinite(points).all() or not np.ptp(points, axis=0).any():
                raise InvalidDataError(
                    f"{where}: the detector gives landmarks of shape {points.shape} that no face can be aligned by. "
                    "Give the places of 5 different points in pixels, or None."
                )
    return faces


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares rotation, uniform scale and shift ``(2, 3)`` from one set of points to another."""
    if target.shape != source.shape:
        raise UsageError(f"A face needs {len(source)} landmarks (x, y), but has {target.shape}.")
    one, other = source - source.mean(0), target - target.mean(0)
    norm = (one**2).sum()
    a = (one * other).sum() / norm
    b = (one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]).sum() / norm
    turn = np.array([[a, -b], [b, a]])
    return np.column_stack([turn, target.mean(0) - turn @ source.mean(0)])
