"""What a result was made with: library versions, code revision, memory."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

__all__ = ["code_revision", "idle_cores_hint", "library_versions", "peak_memory_mb"]

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


def idle_cores_hint(
    environment: Mapping[str, str], *, device: str, processes: int, threads: int, cores: int
) -> str | None:
    """What to tell who has more cores than the launcher lets a run use.

    Args:
        environment: The environment, in which the launcher leaves its traces.
        device: Kind of device that is trained on.
        processes: Processes that train together.
        threads: Threads of this one.
        cores: Cores that it may use.

    Returns:
        A sentence, or ``None`` where nothing is idle, or no launcher has set the threads.

    Example:
        >>> launched = {"ACCELERATE_DYNAMO_BACKEND": "NO"}
        >>> idle_cores_hint(launched, device="cpu", processes=1, threads=1, cores=4)
        'accelerate launch lets this run use 1 of 4 cores: accelerate launch --num_cpu_threads_per_process 4 uses all.'
        >>> idle_cores_hint({}, device="cpu", processes=1, threads=1, cores=4)
    """
    each = cores // processes
    if device != "cpu" or "ACCELERATE_DYNAMO_BACKEND" not in environment or threads != 1 or each < 2:
        return None
    return (
        f"accelerate launch lets this run use {processes} of {cores} cores: "
        f"accelerate launch --num_cpu_threads_per_process {each} uses all."
    )
