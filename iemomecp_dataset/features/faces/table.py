"""Face table: the faces in the frames of utterances, with track, time, box and probabilities by class.

The file is Parquet, one row per face and frame. Its metadata state the classes, how many frames of each utterance were
examined (so that utterances without faces are counted), and why some could not be examined.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.files import atomic_write, parse_json

__all__ = ["CLASS_NAMES", "COLUMNS", "NO_COUNTERPART", "FaceSummary", "FaceTable", "check_faces", "emotion_name"]

COLUMNS = ("utterance_id", "track", "time", "box", "probabilities")
"""Columns of the file. ``box`` is left, top, right, bottom in pixels; ``probabilities`` follow the classes."""

NO_COUNTERPART = ("contempt",)
"""Classes of face classifiers that have no counterpart among the emotions of the corpora."""

_NAMES = {
    "happy": "joy",
    "happiness": "joy",
    "angry": "anger",
    "sad": "sadness",
    "disgusted": "disgust",
    "fearful": "fear",
    "surprised": "surprise",
}
CLASS_NAMES = frozenset({"neutral", *_NAMES, *_NAMES.values(), *NO_COUNTERPART})
"""What classifiers of faces call their classes, in lower case."""

_KEY = b"iemomecp_faces"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def emotion_name(name: str) -> str | None:
    """Maps a class of a face classifier to the name of the emotion in the corpora.

    Args:
        name: Name of the class.

    Returns:
        The emotion; None for contempt, which has no counterpart.

    Example:
        >>> emotion_name("Happy"), emotion_name("anger"), emotion_name("contempt")
        ('joy', 'anger', None)
    """
    lower = name.strip().lower()
    return None if lower in NO_COUNTERPART else _NAMES.get(lower, lower)


@dataclass(frozen=True)
class FaceSummary:
    """One track of an utterance.

    Attributes:
        track: Number of the track.
        letter: A for the leftmost track, then B and so on.
        label: Most probable class by its name in the corpora; ``contempt`` keeps its own.
        emotion: The same, None for a class without counterpart.
        probability: Its mean probability.
        probabilities: Mean over the track's frames by class.
        share: Share of the utterance's examined frames that have the track.
        place: Mean centre of its boxes, x and y in pixels.
    """

    track: int
    letter: str
    label: str
    emotion: str | None
    probability: float
    probabilities: Mapping[str, float]
    share: float
    place: tuple[float, float]


def check_faces(boxes: NDArray[Any], probabilities: NDArray[Any], where: Callable[[int], str]) -> None:
    """Refuses boxes and probabilities that cannot be those of faces.

    Args:
        boxes: ``(m, 4)`` left, top, right, bottom in pixels.
        probabilities: ``(m, C)``.
        where: From the position of a face to its place, for the message.

    Raises:
        InvalidDataError: A box ends before it begins, or the numbers of a face are not probabilities.
    """
    in_range = np.isfinite(probabilities) & (probabilities >= -1e-6)
    shares = in_range.all(1) & (probabilities.sum(1) <= 1 + 1e-3)
    ordered = np.isfinite(boxes).all(1) & (boxes[:, 2:] >= boxes[:, :2]).all(1)
    for good, said in (
        (shares, "probabilities must be 0 to 1 and sum to at most 1 per face. Give shares, not percent or logits."),
        (ordered, "boxes must be left, top, right, bottom in pixels, left before right."),
    ):
        if not good.all():
            raise InvalidDataError(f"{where(int(good.argmin()))}: {said}")


@dataclass(frozen=True)
class FaceTable:
    """Faces of utterances, one array entry per face and frame.

    Attributes:
        classes: Names of the classes, in the order of ``probabilities``; empty if the source has no probabilities.
        utterance_ids: ``m`` ids.
        tracks: ``(m,)`` int64, numbered within an utterance.
        times: ``(m,)`` float64 seconds from the start of the clip.
        boxes: ``(m, 4)`` float64: left, top, right, bottom in pixels.
        probabilities: ``(m, C)`` float64.
        frames: Number of examined frames by utterance, those without any face included.
        missing: Reason by utterance, for those that could not be examined.
        source: What made the table.
    """

    classes: tuple[str, ...]
    utterance_ids: tuple[str, ...]
    tracks: NDArray[np.int64]
    times: NDArray[np.float64]
    boxes: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    frames: Mapping[str, int]
    missing: Mapping[str, str] = field(default_factory=dict)
    source: str = "unknown"

    def __post_init__(self) -> None:
        count = len(self.utterance_ids)
        shapes = {
            "tracks": (self.tracks.shape, (count,)),
            "times": (self.times.shape, (count,)),
            "boxes": (self.boxes.shape, (count, 4)),
            "probabilities": (self.probabilities.shape, (count, len(self.classes))),
        }
        for name, (found, expected) in shapes.items():
            if found != expected:
                raise InvalidDataError(f"face table: {name} must have the shape {expected}, but have {found}.")
        if len(set(self.classes)) != len(self.classes):
            raise InvalidDataError(f"face table: a class is named twice in {', '.join(self.classes)}.")
        check_faces(self.boxes, self.probabilities, "face table, face {}".format)
        unknown = sorted(set(self.utterance_ids) - self.frames.keys())
        if unknown:
            raise InvalidDataError(f"face table: utterance {unknown[0]} has faces, but no number of examined frames.")
        rows: dict[str, list[int]] = {}
        for row, key in enumerate(self.utterance_ids):
            rows.setdefault(key, []).append(row)
        object.__setattr__(self, "_rows", rows)

    @property
    def without_faces(self) -> tuple[str, ...]:
        """Utterances that were examined and have no face in any frame."""
        return tuple(key for key in self.frames if key not in self._rows_of())

    def not_examined(self, utterance_ids: Iterable[str]) -> dict[str, str]:
        """Which utterances have a clip that could not be examined.

        Args:
            utterance_ids: Ids of the utterances; repeated ones count once.

        Returns:
            Reason by utterance. Utterances that the files of a tool do not have are not among them: tools leave out
            clips without any face.
        """
        reasons = {key: self.missing[key] for key in utterance_ids if key in self.missing}
        return {key: why for key, why in reasons.items() if why.partition(":")[0] != "not_in_source"}

    def summaries(self, utterance_id: str) -> list[FaceSummary]:
        """Summarizes the tracks of an utterance.

        Args:
            utterance_id: Id of the utterance.

        Returns:
            Its tracks from left to right; none if it has no face or is not in the table.

        Raises:
            UsageError: The table has no probabilities.
        """
        if not self.classes:
            raise UsageError(
                f"The face table has no probabilities of emotions ({self.source}): classify its faces, or give a table "
                "of a classifier."
            )
        rows = np.array(self._rows_of().get(utterance_id, []), np.int64)
        found: list[FaceSummary] = []
        for track in np.unique(self.tracks[rows]).tolist():
            of_track = rows[self.tracks[rows] == track]
            boxes, means = self.boxes[of_track], self.probabilities[of_track].mean(0)
            best = int(means.argmax())
            x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).mean(0).tolist()
            seen = len(np.unique(self.times[of_track]))
            emotion = emotion_name(self.classes[best])
            found.append(
                FaceSummary(
                    track=track,
                    letter="",
                    label=emotion or self.classes[best].lower(),
                    emotion=emotion,
                    probability=float(means[best]),
                    probabilities=dict(zip(self.classes, means.tolist(), strict=True)),
                    share=seen / self.frames[utterance_id],
                    place=(x, y),
                )
            )
        found.sort(key=lambda summary: (summary.place, summary.track))
        return [replace(summary, letter=_letter(place)) for place, summary in enumerate(found)]

    def line(self, utterance_id: str, *, max_faces: int = 4, min_share: float = 0.0) -> str | None:
        """Describes the faces of an utterance in one line.

        Args:
            utterance_id: Id of the utterance.
            max_faces: At most so many tracks, those in the most frames.
            min_share: Tracks in a smaller share of the frames are left out.

        Returns:
            Such as ``faces: A joy 0.8, B anger 0.6``, letters from left to right; None without faces.

        Raises:
            UsageError: The table has no probabilities.

        Example:
            >>> table = FaceTable(
            ...     ("happy", "angry"), ("u", "u"), np.array([0, 1]), np.zeros(2),
            ...     np.array([[50.0, 0, 60, 10], [0, 0, 10, 10]]), np.array([[0.8, 0.2], [0.4, 0.6]]), {"u": 1, "v": 1},
            ... )
            >>> table.line("u"), table.line("v"), table.without_faces
            ('faces: A anger 0.6, B joy 0.8', None, ('v',))
        """
        summaries = [summary for summary in self.summaries(utterance_id) if summary.share >= min_share]
        kept = sorted(sorted(summaries, key=lambda one: -one.share)[:max_faces], key=lambda one: one.place)
        if not kept:
            return None
        parts = [f"{_letter(place)} {one.label} {one.probability:.1f}" for place, one in enumerate(kept)]
        return f"faces: {', '.join(parts)}"

    def write(self, path: str | Path) -> None:
        """Writes the table as Parquet.

        Args:
            path: The file.

        Raises:
            UsageError: The place cannot be written to.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        facts = {
            "format": 1,
            "classes": self.classes,
            "frames": self.frames,
            "missing": self.missing,
            "source": self.source,
        }
        floats = pa.list_(pa.float32())
        table = pa.table(
            {
                "utterance_id": pa.array(self.utterance_ids, pa.string()),
                "track": pa.array(self.tracks, pa.int32()),
                "time": pa.array(self.times, pa.float32()),
                "box": pa.array(self.boxes.tolist(), floats),
                "probabilities": pa.array(self.probabilities.tolist(), floats),
            }
        ).replace_schema_metadata({_KEY: json.dumps(facts, ensure_ascii=False).encode()})
        with atomic_write(Path(path)) as partial:
            pq.write_table(table, partial)

    @classmethod
    def read(cls, path: str | Path) -> FaceTable:
        """Reads a table.

        Args:
            path: The Parquet file.

        Returns:
            The table.

        Raises:
            MissingDataError: The file does not exist.
            InvalidDataError: It is not a face table, or its content is invalid.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(path)
        if not path.is_file():
            raise MissingDataError(f"The face table {path} is not there.")
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise InvalidDataError(f"{path} cannot be read as Parquet: {error}.") from None
        metadata = table.schema.metadata or {}
        if tuple(table.column_names) != COLUMNS or _KEY not in metadata:
            raise InvalidDataError(
                f"{path} is not a face table: expected the columns {', '.join(COLUMNS)} and its metadata, found "
                f"{', '.join(table.column_names)}. Import it with iemomecp_dataset.features.faces.import_faces."
            )
        count = len(table)
        try:
            facts = parse_json(metadata[_KEY].decode("utf-8"), f"{path}, its metadata")
            classes = tuple(facts["classes"])
            return cls(
                classes=classes,
                utterance_ids=tuple(table["utterance_id"].to_pylist()),
                tracks=np.array(table["track"].to_pylist(), np.int64),
                times=np.array(table["time"].to_pylist(), np.float64),
                boxes=np.array(table["box"].to_pylist(), np.float64).reshape(count, 4),
                probabilities=np.array(table["probabilities"].to_pylist(), np.float64).reshape(count, len(classes)),
                frames=facts["frames"],
                missing=facts["missing"],
                source=facts["source"],
            )
        except InvalidDataError:
            raise
        except KeyError as error:
            raise InvalidDataError(f"{path}: its metadata lacks {error}. Import the faces again.") from None
        except (ValueError, TypeError) as error:
            raise InvalidDataError(f"{path}: {error}") from None

    def _rows_of(self) -> Mapping[str, list[int]]:
        rows: Mapping[str, list[int]] = self.__dict__["_rows"]
        return rows


def _letter(place: int) -> str:
    return _LETTERS[place] if place < len(_LETTERS) else f"{_LETTERS[place % 26]}{place // 26}"
