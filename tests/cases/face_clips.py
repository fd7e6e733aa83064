"""Clips with coloured squares for faces, and a detector of them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from iemomecp_dataset.features.faces.detecting import Face
from iemomecp_dataset.features.work_items import WorkItem

RED, BLUE = (220, 20, 20), (20, 20, 220)


def clip(path: Path, faces: list[dict[int, tuple[int, int, int]]]) -> WorkItem:
    """A clip with squares of 16 pixels, by left edge and colour in each frame."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "bgr0"
        for squares in faces:
            picture = np.zeros((32, 64, 3), np.uint8)
            for left, colour in squares.items():
                picture[8:24, left : left + 16] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return WorkItem(path.stem, "d", "A", "", path, None, None, None, False)


def detector(image: np.ndarray) -> list[Face]:
    """Finds red and blue squares."""
    faces = []
    for channel in (0, 2):
        rows, columns = np.nonzero(image[..., channel] > 150)
        if len(rows):
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            faces.append(Face(tuple(map(float, box)), 0.9))  # type: ignore[arg-type]
    faces.append(Face((0.0, 0.0, 1.0, 1.0), 0.1))
    return faces
