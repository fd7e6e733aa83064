"""Faces in clips: tables of tracks with probabilities of emotions, from other tools or from a detector and DDAMFN.

:class:`FaceTable` reads and writes a table, and :func:`import_faces` makes one from the files of face tools;
``detecting`` and ``ddamfn`` make one from clips. Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.lazy import attach

if TYPE_CHECKING:
    from iemomecp_dataset.features.faces.importers import import_faces
    from iemomecp_dataset.features.faces.table import FaceTable, emotion_name

__all__ = ["FaceTable", "emotion_name", "import_faces"]

attach(
    __name__,
    {
        "FaceTable": f"{__name__}.table",
        "emotion_name": f"{__name__}.table",
        "import_faces": f"{__name__}.importers",
    },
)
