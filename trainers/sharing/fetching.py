"""Models that others have uploaded: from ``OWNER/NAME`` to a folder of this machine."""

from __future__ import annotations

import re
from pathlib import Path

from iemomecp_dataset.errors import MissingModelError, nearest_path

__all__ = ["fetched_model"]

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "config.yaml", "README.md")


def fetched_model(name: str | Path, *, revision: str | None = None) -> Path:
    """Gives the folder of a model: that of a path, or of a repository on the Hub, downloaded once.

    Args:
        name: A folder; or ``OWNER/NAME`` as text, where there is no such path and no folder ``OWNER``.
        revision: Branch, tag or commit of the repository; by default the newest of ``main``.

    Returns:
        The folder. A path is given back as it is, whether there is something or not.

    Raises:
        MissingModelError: There is neither a folder nor a repository of that name, nothing can have it, or the Hub
            cannot be reached.

    Example:
        >>> fetched_model("./runs/x").as_posix()
        'runs/x'
    """
    path = Path(name)
    try:
        known = path.exists() or path.parent.exists()
    except OSError as error:  # such as a name that is too long for any file
        shown = str(name) if len(str(name)) <= 60 else f"{str(name)[:60]}…"
        raise MissingModelError(
            f"{shown} holds no model: it cannot be looked up ({error.strerror}). Give the folder of a run."
        ) from error
    # A path that is mistyped is nothing to ask the Hub about.
    if isinstance(name, Path) or known or not _REPOSITORY.fullmatch(name):
        return path
    from huggingface_hub import constants, snapshot_download

    from iemomecp_dataset.trainers.sharing.hub import HubError, said_in_one_sentence

    try:
        with said_in_one_sentence(name, constants.ENDPOINT):
            return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except HubError as error:
        reason: str = str(error)
        cause: Exception = error
    except OSError as error:  # nothing downloaded before, and nobody to ask
        offline = constants.is_offline_mode()
        reason = (
            "The Hub is not asked, as HF_HUB_OFFLINE is set."
            if offline
            else f"{constants.ENDPOINT} cannot be reached: check the network, or HF_ENDPOINT."
        )
        cause = error
    raise MissingModelError(
        f"{name!r} holds no model (no config.json): it is neither a folder here nor a model that the Hub has or shows "
        f"to you. {reason}{nearest_path(name)}"
    ) from cause
