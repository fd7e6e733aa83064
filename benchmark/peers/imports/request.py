"""What is to be imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.benchmark.peers.exports.m3hg import WINDOW
from iemomecp_dataset.benchmark.peers.imports.mecpe_output import has_categories
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.evaluation.semeval import Reading
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["CAUSE", "CONTEXT", "PEER_NAMES", "ImportRequest", "has_category_mode", "window_of"]

PEER_NAMES = {"hilo": "HiLo", "m3hg": "M3HG", "mecpe": "MECPE-2step"}
"""Names of rows; files in a layout that many systems write have none."""

CAUSE, CONTEXT = ROLE_LABELS[:2]


@dataclass(frozen=True)
class ImportRequest:
    """What to import.

    Attributes:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.manifest.PEERS`.
        manifest: Manifest of the export, or its folder.
        outputs: What the peer left: one file per split.
        data_dir: Folder of the corpus.
        folder: The run folder to write.
        seed: Seed of the run; None: the one in the name of M3HG's file, else 0.
        system: Name of the row; None: the peer's, or the folder's.
        modalities: Letters t, a, v; None: what the manifest states.
        context_manifest: Of the three-class task: the manifest of a second export, of which contexts were learned.
        context_outputs: What that second run left.
        choose_threshold: HiLo: choose the threshold on validation, instead of its own.
        m3hg_window: M3HG: most turns between target and cause; None: as it is set.
        reading: SemEval: how its layout is read, ``strict`` or ``leniently``.
        mecpe_past: MECPE: step 2 left out causes after their target.
        mecpe_categories: MECPE: its category mode; None: as the folder of its files tells.
    """

    peer: str
    manifest: Path
    outputs: tuple[Path, ...]
    data_dir: Path
    folder: Path
    seed: int | None = None
    system: str | None = None
    modalities: str | None = None
    context_manifest: Path | None = None
    context_outputs: tuple[Path, ...] = ()
    choose_threshold: bool = False
    m3hg_window: int | None = None
    reading: Reading = "strict"
    mecpe_past: bool = False
    mecpe_categories: bool | None = None


def window_of(request: ImportRequest) -> int:
    """Most turns between target and cause that M3HG decided on."""
    return WINDOW if request.m3hg_window is None else request.m3hg_window


def has_category_mode(request: ImportRequest) -> bool:
    """Whether MECPE ran in its category mode: as stated, else by the scope of its files, which must agree."""
    if request.mecpe_categories is not None:
        return request.mecpe_categories
    found = {has_categories(path) for path in (*request.outputs, *request.context_outputs)}
    if len(found) > 1:
        raise UsageError(
            "Some files are of MECPE's category mode and others are not, by the names of their scopes: they are of two "
            "systems. Import each into a run of its own."
        )
    return found == {True}
