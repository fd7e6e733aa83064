"""Work in progress of examining clips: what is found is kept in parts, so that a run that was stopped continues."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.faces.detecting import ClipFaces
from iemomecp_dataset.features.work_items import WorkItem
from iemomecp_dataset.files import atomic_write, make_folder, read_json, write_json

__all__ = ["ExaminedClips"]

_SETTINGS = "settings.json"
_ARRAYS = ("tracks", "times", "boxes", "outputs")


class ExaminedClips:
    """A folder of parts, each of some clips with their faces.

    Args:
        folder: New, or of the same settings.
        settings: Everything that determines what is found.
        part_size: Clips in a part.

    Raises:
        UsageError: The folder belongs to other settings, or cannot be written to.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], part_size: int = 64):
        self.folder, self._size = folder, part_size
        settings = json.loads(json.dumps({**settings, "part_size": part_size}))
        make_folder(folder)
        if (folder / _SETTINGS).is_file():
            known = read_json(folder / _SETTINGS)
            differing = sorted(name for name in settings if known.get(name) != settings[name])
            if differing:
                raise UsageError(
                    f"{folder} has the work of another run ({', '.join(differing)} differ). Give the options of that "
                    "run to continue it, or remove the folder."
                )
        else:
            write_json(folder / _SETTINGS, settings)

    def parts(self, items: Sequence[WorkItem]) -> Iterator[tuple[Path, Sequence[WorkItem]]]:
        """The file of each part, and its clips."""
        for number, first in enumerate(range(0, len(items), self._size)):
            yield self.folder / f"part-{number:05}.npz", items[first : first + self._size]

    def forget_missing(self) -> None:
        """Removes the parts that have clips which could not be examined."""
        for path in self.folder.glob("part-*.npz"):
            if self.read(path)[1]:
                path.unlink()

    @staticmethod
    def write(path: Path, found: Mapping[str, ClipFaces], missing: Mapping[str, str]) -> None:
        """Writes a part."""
        facts = {"frames": {key: clip.n_frames for key, clip in found.items()}, "missing": dict(missing)}
        counts = np.array([len(clip.tracks) for clip in found.values()], np.int64)
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(clip, name) for clip in found.values()]) if found else np.zeros(0)
            for name in _ARRAYS
        }
        with atomic_write(path) as partial, open(partial, "wb") as file:
            np.savez(file, facts=np.array(json.dumps(facts)), counts=counts, **arrays)

    @staticmethod
    def read(path: Path) -> tuple[dict[str, ClipFaces], dict[str, str]]:
        """Reads a part."""
        with np.load(path, allow_pickle=False) as content:
            facts = json.loads(str(content["facts"]))
            ends = np.cumsum(content["counts"])[:-1]
            split = [np.split(content[name], ends) if facts["frames"] else [] for name in _ARRAYS]
        found = {
            key: ClipFaces(tracks, times, boxes, outputs, n_frames)
            for (key, n_frames), tracks, times, boxes, outputs in zip(facts["frames"].items(), *split, strict=True)
        }
        return found, facts["missing"]

    def remove(self) -> None:
        """Removes the folder, once its work is written elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)
