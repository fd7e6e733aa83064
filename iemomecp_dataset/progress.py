"""Whether progress bars are shown, which ``--quiet`` and the variable ``TQDM_DISABLE`` decide for a whole process."""

from __future__ import annotations

import os

__all__ = ["bars_hidden"]


def bars_hidden() -> bool | None:
    """What ``tqdm`` takes as ``disable``.

    Returns:
        True where bars are switched off; else None, with which ``tqdm`` shows them on a terminal alone.
    """
    return True if os.environ.get("TQDM_DISABLE", "") not in ("", "0") else None
