"""Imports the CSV files of face tools into a face table: py-feat, DeepFace, OpenFace and emotiefflib.

Columns are checked by name: one that is missing or unknown is an error, because a column that is misread gives wrong
faces silently. Where a file has no tracks, or leaves them blank, faces are linked by the overlap of their boxes.

py-feat writes such files itself (``detect(..., save=FILE)``), and OpenFace does too. DeepFace and emotiefflib return
dictionaries and arrays; their columns here are those of ``pandas.json_normalize`` and of the class names.
"""

from __future__ import annotations

import csv
import itertools
import logging
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.features.faces.table import FaceTable, check_faces
from iemomecp_dataset.features.faces.tracking import link_tracks
from iemomecp_dataset.files import stream_lines

__all__ = ["FACE_TOOLS", "FaceTool", "import_faces"]

_logger = logging.getLogger(__name__)

FaceTool = Literal["py-feat", "deepface", "openface", "emotiefflib"]


@dataclass(frozen=True)
class _Layout:
    """Columns of a tool's CSV.

    Attributes:
        classes: Column by class.
        box: Columns of left, top, width, height; empty for OpenFace, whose boxes are those of its landmarks.
        optional: Class columns that may be absent, all together.
        frame: Columns that number the frame or give its time; the first one that is there is used.
        known: Patterns of columns that are known and not used.
        scale: Factor from the column to a probability.
        score: Column whose zero or blank value means that the frame has no face.
    """

    classes: Mapping[str, str]
    box: tuple[str, ...]
    score: str | None
    frame: tuple[str, ...] = ("time", "timestamp", "frame")
    known: str = ""
    scale: float = 1.0
    optional: tuple[str, ...] = ()
    track: tuple[str, ...] = ("track",)
    landmarks: tuple[str, ...] = field(default=())


_SEVEN = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_LANDMARKS = tuple(f"{axis}_{place}" for axis in "xy" for place in range(68))

FACE_TOOLS: Mapping[str, _Layout] = {
    "py-feat": _Layout(
        classes={name: name for name in _SEVEN},
        box=("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"),
        score="FaceScore",
        frame=("time", "frame"),
        known=r"[xy]_\d+|mesh_[xyz]_\d+|AU\d+|Identity_\d+|Frame(Height|Width)|Pitch|Roll|Yaw|[XYZ]|approx_time|"
        r"valence|arousal|gaze_\w+",
        track=("track", "Identity"),
    ),
    "deepface": _Layout(
        classes={
            name: f"emotion.{name}" for name in ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        },
        box=("region.x", "region.y", "region.w", "region.h"),
        score="face_confidence",
        known=r"region\.(left|right)_eye|dominant_(emotion|gender|race)|age|gender\..+|race\..+",
        scale=0.01,
    ),
    "openface": _Layout(
        classes={},
        box=(),
        score="success",
        frame=("timestamp", "frame"),
        known=r"[xyXYZ]_\d+|AU\d+_[rc]|gaze_\w+|pose_\w+|eye_lmk_\w+|p_\w+|confidence|face_id",
        landmarks=_LANDMARKS,
    ),
    "emotiefflib": _Layout(
        classes={
            name.lower(): name
            for name in ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise")
        },
        optional=("contempt",),
        box=("x", "y", "width", "height"),
        score=None,
        known=r"valence|arousal|emotion|score",
    ),
}
"""Layout by tool."""


def import_faces(
    files: Sequence[str | Path],
    tool: FaceTool,
    *,
    utterance_of: Mapping[str, str] | None = None,
    frames_per_second: float | None = None,
    ignore: Sequence[str] = (),
) -> FaceTable:
    """Reads CSV files of a face tool.

    OpenFace estimates action units and no emotions: its table has tracks, times and boxes (those of the landmarks), and
    no probabilities. It serves to crop and classify the faces, and cannot be given to a model as it is.

    Args:
        files: CSV files, of one clip each, or of several with a column ``input`` that names the clip.
        tool: ``py-feat``, ``deepface``, ``openface`` or ``emotiefflib``.
        utterance_of: Utterance id by the name of a clip without suffix, or by ``folder/name``, which comes first where
            names repeat in different folders; by default the name is the id.
        frames_per_second: Frame rate of the clips, where a file numbers frames and has no times.
        ignore: Columns to leave out, beyond those that the importer knows.

    Returns:
        The table. Frames without a face are counted in ``frames``. Names of tracks are taken where every face of a clip
        has one; the faces of other clips are linked by overlap, and clips with some names are counted in a warning.

    Raises:
        MissingDataError: A file does not exist.
        InvalidDataError: A file is not UTF-8, its columns are missing or unknown (the message names those found and
            those expected), a line has more or fewer fields than the header, a value is not a number, or a clip belongs
            to no utterance.
        UsageError: There is no such tool, or the frame rate is needed.

    See Also:
        :mod:`iemomecp_dataset.features.faces.detecting` fills a table with a detector and a classifier.
    """
    if tool not in FACE_TOOLS:
        raise UsageError(f"There is no importer of {tool!r}. {did_you_mean(tool, FACE_TOOLS)}")
    layout = FACE_TOOLS[tool]
    faces: dict[str, dict[float, list[_Face]]] = {}
    classes: tuple[str, ...] | None = None
    for path in map(Path, files):
        found = _read_file(path, tool, layout, utterance_of, frames_per_second, ignore, faces)
        if classes is not None and found != classes:
            raise InvalidDataError(
                f"{path}: its classes are {', '.join(found)}, those of the files before are {', '.join(classes)}. "
                "Import them into two tables."
            )
        classes = found
    return _table(faces, classes or (), f"{tool}, {', '.join(Path(path).name for path in files)}")


@dataclass(frozen=True)
class _Face:
    box: tuple[float, ...]
    probabilities: tuple[float, ...]
    track: str | None


def _read_file(
    path: Path,
    tool: str,
    layout: _Layout,
    utterance_of: Mapping[str, str] | None,
    rate: float | None,
    ignore: Sequence[str],
    faces: dict[str, dict[float, list[_Face]]],
) -> tuple[str, ...]:
    if not path.is_file():
        raise MissingDataError(f"The file of faces {path} is not there.")
    lines = _csv_lines(path)
    columns = [name.strip() for _, header in itertools.islice(lines, 1) for name in header]
    classes, clock, track = _check_columns(path, tool, layout, columns, ignore)
    if clock == "frame" and not rate:
        raise UsageError(
            f"{path} numbers frames and has no times: give frames_per_second=, the frame rate of the clips."
        )
    read: list[_Face] = []
    of_lines: list[int] = []
    for line_number, fields in lines:
        line = dict(zip(columns, fields, strict=True))
        named = Path(line["input"]) if line.get("input") else path
        clip, in_folder = named.stem, f"{named.parent.name}/{named.stem}"
        if utterance_of is None:
            key = clip
        elif in_folder in utterance_of or clip in utterance_of:
            key = utterance_of[in_folder if in_folder in utterance_of else clip]
        else:
            raise InvalidDataError(
                f"{path}, line {line_number}: clip {clip} belongs to no utterance of the corpus, or its name "
                f"to several, and {in_folder} to none. Leave its lines out, give the corpus that has it, or name "
                "the clips together with their folder."
            )

        def number(name: str, line: Mapping[str, str] = line, line_number: int = line_number) -> float:
            try:
                return float(line[name])
            except ValueError:
                if not line[name]:
                    return math.nan
                raise InvalidDataError(
                    f"{path}, line {line_number}: expected a number as {name}, found {line[name]!r}."
                ) from None

        time = number(clock) / (rate or 1.0) if clock == "frame" else number(clock)
        if not math.isfinite(time):
            raise InvalidDataError(f"{path}, line {line_number}: {clock} is empty; each line needs its frame.")
        at_time = faces.setdefault(key, {}).setdefault(time, [])
        if layout.score and not number(layout.score) > 0:
            continue
        if layout.box:
            left, top, width, height = map(number, layout.box)
            box = (left, top, left + width, top + height)
        else:
            x, y = (np.array([number(name) for name in layout.landmarks if name[0] == axis]) for axis in "xy")
            box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
        values = tuple(number(layout.classes[name]) * layout.scale for name in classes)
        if not all(map(math.isfinite, (*box, *values))):
            raise InvalidDataError(f"{path}, line {line_number}: a face needs its box and all of its probabilities.")
        face = _Face(box, values, (line[track].strip() or None) if track else None)
        at_time.append(face)
        read.append(face)
        of_lines.append(line_number)
    check_faces(*_arrays(read, len(classes)), lambda place: f"{path}, line {of_lines[place]}")
    return classes


def _arrays(faces: Sequence[_Face], n_classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes ``(m, 4)`` and probabilities ``(m, C)``."""
    boxes = np.array([face.box for face in faces], np.float64).reshape(-1, 4)
    return boxes, np.array([face.probabilities for face in faces], np.float64).reshape(len(faces), n_classes)


def _csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The header and the lines below it, each with its number; empty lines are skipped."""
    # OpenFace writes a blank after each comma.
    reader = csv.reader(stream_lines(path), skipinitialspace=True, strict=True)
    width = 0
    try:
        for fields in filter(None, reader):
            width = width or len(fields)
            if len(fields) != width:
                raise InvalidDataError(
                    f"{path}, line {reader.line_num}: expected {width} fields, as the header has, found {len(fields)}. "
                    "Where it is cut off, write the file again, or remove the line."
                )
            yield reader.line_num, fields
    except csv.Error as error:
        raise InvalidDataError(
            f"{path}, line {reader.line_num}: the quotes or commas are not those of a CSV file ({error}). Write the "
            "file again."
        ) from None


def _check_columns(
    path: Path, tool: str, layout: _Layout, columns: Sequence[str], ignore: Sequence[str]
) -> tuple[tuple[str, ...], str, str | None]:
    """Checks the columns; returns the classes, the column of the time, and that of the track if there is one."""
    needed = [*layout.box, *layout.landmarks, *([layout.score] if layout.score else [])]
    needed += [column for name, column in layout.classes.items() if name not in layout.optional]
    missing = [name for name in needed if name not in columns]
    clock = next((name for name in layout.frame if name in columns), None)
    if clock is None:
        missing.append(" or ".join(layout.frame))
    optional = [layout.classes[name] for name in layout.optional]
    known = {*needed, *layout.frame, *layout.track, *optional, "input", "frame", *ignore}
    unknown = [name for name in columns if name not in known and not re.fullmatch(layout.known or r"(?!)", name)]
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if missing or unknown or twice or clock is None:
        facts = [
            f"{what} {', '.join(names[:6])}{' …' if len(names) > 6 else ''}"
            for what, names in (("without", missing), ("with the unknown", unknown), ("with twice", twice))
            if names
        ]
        expected = [name for name in needed if name not in layout.landmarks]
        more = ["x_0 … x_67, y_0 … y_67"] if layout.landmarks else []
        raise InvalidDataError(
            f"{path} is not a CSV file of {tool} as it is known here, {' and '.join(facts)}. Found: "
            f"{', '.join(columns[:12])}{' …' if len(columns) > 12 else ''}; expected: {', '.join([*expected, *more])}, "
            f"and {' or '.join(layout.frame)}. Name columns that do not matter with ignore=."
        )
    classes = tuple(name for name, column in layout.classes.items() if column in columns)
    return classes, clock, next((name for name in layout.track if name in columns), None)


def _table(faces: Mapping[str, Mapping[float, Sequence[_Face]]], classes: tuple[str, ...], source: str) -> FaceTable:
    ids: list[str] = []
    tracks: list[int] = []
    times: list[float] = []
    flat: list[_Face] = []
    partly: list[str] = []
    for key, by_time in faces.items():
        ordered = sorted(by_time)
        boxes = [np.array([face.box for face in by_time[time]]).reshape(-1, 4) for time in ordered]
        linked = link_tracks(boxes)
        names = [face.track for at_time in by_time.values() for face in at_time]
        # A face without a name can be any of those named, or someone else: overlap decides for all faces of the clip.
        named = None not in names
        partly += [] if named or not any(names) else [key]
        numbers: dict[str, int] = {}
        for time, of_frame in zip(ordered, linked, strict=True):
            for face, track in zip(by_time[time], of_frame.tolist(), strict=True):
                ids.append(key)
                times.append(time)
                flat.append(face)
                tracks.append(numbers.setdefault(face.track, len(numbers)) if named and face.track else track)
    if partly:
        _logger.warning(
            "%d of %d clips have faces with and without a name of their track, such as %s: their faces are linked by "
            "the overlap of their boxes, and the names are not used.",
            len(partly),
            len(faces),
            partly[0],
        )
    boxes_of_faces, probabilities = _arrays(flat, len(classes))
    return FaceTable(
        classes=classes,
        utterance_ids=tuple(ids),
        tracks=np.array(tracks, np.int64),
        times=np.array(times, np.float64),
        boxes=boxes_of_faces,
        probabilities=probabilities,
        frames={key: len(by_time) for key, by_time in faces.items()},
        source=source,
    )
