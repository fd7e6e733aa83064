"""Names on the Hub, and paths of this machine that must not be taken for such, nor leave it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.runs.results import encoder_name
from iemomecp_dataset.errors import UsageError

__all__ = ["check_repository", "is_local", "without_local_paths"]

_ROOTED = re.compile(r"(file://|/|~|\.{1,2}[/\\]|[A-Za-z]:[/\\]|\\\\)(?=.)")
_WITHIN_TEXT = re.compile(
    r"file:(?:/[^\s/\"'`,;)]*)+|(?<![\w:/.<~])(?:(?:~[\w.-]*)?(?:/[\w.~@+=%-]+){2,}/?|~[\w.-]*(?:/[\w.~@+=%-]+)+/?"
    r"|[A-Za-z]:(?:\\[\w.~@+-]+)+)"
)


def check_repository(name: str) -> str:
    """Checks the name of a repository.

    Args:
        name: ``OWNER/NAME``.

    Returns:
        The name.

    Raises:
        UsageError: It is not one that the Hub takes.

    Example:
        >>> check_repository("me/pairs")
        'me/pairs'
        >>> check_repository("pairs")
        Traceback (most recent call last):
        iemomecp_dataset.errors.UsageError: 'pairs' is not the name of a repository: expected OWNER/NAME, where OWNER \
is a user or an organization of the Hub.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if name.count("/") != 1 or not all(name.split("/")):
        raise UsageError(
            f"{name!r} is not the name of a repository: expected OWNER/NAME, where OWNER is a user or an organization "
            "of the Hub."
        )
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UsageError(
            f"{name!r} is not the name of a repository: letters, digits, '-', '_' and '.' are allowed, at most 96, and "
            "a '-' or '.' neither at an end nor twice in a row."
        ) from error
    return name


def is_local(name: str) -> bool:
    """Whether a model's name is a path of this machine, under which nobody else finds it.

    Args:
        name: What a configuration names: a model on the Hub or a folder.

    Example:
        >>> is_local("/opt/minilm/model"), is_local("runs/encoders/minilm/model"), is_local("google/electra-small")
        (True, True, False)
    """
    return bool(_ROOTED.match(name)) or name.count("/") > 1 or "\\" in name or ("/" in name and Path(name).exists())


def without_local_paths(content: Any, renamed: Mapping[str, str] | None = None, *, within_texts: bool = True) -> Any:
    """Cuts paths of this machine down to their last part.

    Args:
        content: Values as JSON and YAML hold them.
        renamed: What to write in place of paths that are known, by path; these may have blanks.
        within_texts: Whether paths within longer texts are cut too; templates of prompts must stay as they are.

    Returns:
        The same, where every text that is a path, and every absolute path within a text, has become its last part
        (that of a folder ``model`` is the name of the folder above).

    Example:
        >>> without_local_paths({"encoder": "/opt/minilm/model", "note": "read from /data/ecf, twice", "lr": 0.1})
        {'encoder': 'minilm', 'note': 'read from ecf, twice', 'lr': 0.1}
    """
    if isinstance(content, Mapping):
        return {key: without_local_paths(one, renamed, within_texts=within_texts) for key, one in content.items()}
    if isinstance(content, list | tuple):
        return [without_local_paths(one, renamed, within_texts=within_texts) for one in content]
    if not isinstance(content, str):
        return content
    known = renamed or {}
    if content in known:
        return known[content]
    if _ROOTED.match(content) and not re.search(r"\s" if within_texts else r"[\n{]", content):
        return _last_part(content)
    if not within_texts:
        return content
    for path in sorted(known, key=len, reverse=True):
        content = content.replace(path, known[path])
    return _WITHIN_TEXT.sub(lambda found: _last_part(found.group()), content)


def _last_part(path: str) -> str:
    return encoder_name(path.replace("\\", "/"))
