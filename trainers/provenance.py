"""What a result was made with: library versions, code revision, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["code_revision", "library_versions", "peak_memory_mb"]

_LIBRARIES = (
    "iemomecp",
    "accelerate",
    "datasets",
    "numpy",
    "pyarrow",
    "scikit-learn",
    "torch",
    "transformers",
)


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a result depends on."""
    versions = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return versions


def code_revision() -> str | None:
    """Git revision of this package's checkout, with ``-dirty`` when files are changed; ``None`` outside a checkout."""
    folder = Path(__file__).parent
    try:
        # Asked for the folder's own files: a package installed within another project must not report that one's.
        tracked = _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        if tracked is None:
            return None
        revision = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except OSError:
        return None
    return f"{revision}-dirty" if revision and changed else revision


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (on macOS the system counts bytes, elsewhere kB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _git(folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
