"""Where the parts of a merge lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.sources.iemocap_release import IemocapFiles

__all__ = ["MergeSources"]


@dataclass(frozen=True)
class MergeSources:
    """Where the parts lie; ``iemocap`` may be None with ``text_source="ecpec"``."""

    label_dir: Path
    ecpec: Path
    iemocap: IemocapFiles | None
    synthetic: bool = False
