"""The Hub's interface: one commit per upload, and every refusal in one sentence.

What can be checked before anything is sent is checked before: token, name, and what a repository of that name holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.sharing.names import check_repository

__all__ = ["Destination", "HubError", "said_in_one_sentence", "upload", "visible"]

_TAG = "iemomecp"
_OF_EVERYONE = frozenset({".gitattributes", ".gitignore", "LICENSE", "LICENSE.md"})


class HubError(UsageError, ConnectionError):
    """The Hub refuses what is asked of it, or cannot be reached."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


@dataclass(frozen=True)
class Destination:
    """Where an upload goes.

    Attributes:
        repository: ``OWNER/NAME``.
        kind: ``model`` or ``space``.
        private: Whether a new repository is visible to its owner alone. An existing one keeps its visibility; a public
            one is refused while this is true.
        token: Access token; by default that of ``hf auth login`` or of the variable ``HF_TOKEN``.
        endpoint: Address of the Hub; by default that of ``HF_ENDPOINT``, or huggingface.co.
        branch: Branch to commit to; one that is not there is created.
        message: Message of the commit.
    """

    repository: str
    kind: Literal["model", "space"] = "model"
    private: bool = True
    token: str | None = None
    endpoint: str | None = None
    branch: str = "main"
    message: str = "Upload with iemomecp"


def upload(files: Mapping[str, bytes | Path], destination: Destination, *, replaced: Any = None) -> str:
    """Uploads files in one commit: all of them, or none.

    Args:
        files: By path in the repository: content, or the file that holds it.
        destination: Where to.
        replaced: A compiled pattern: files of an earlier upload whose path it matches wholly are removed where they are
            not among the new ones. Everything else in the repository stays.

    Returns:
        Address of the repository.

    Raises:
        UsageError: The name is not one of the Hub's, there is no token, or the repository holds something else or is
            public although ``private`` is asked for.
        HubError: The token may not write there, the Hub refuses a card, or it cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import RepositoryNotFoundError

    repository, kind = check_repository(destination.repository), destination.kind
    api = _api(destination)
    with said_in_one_sentence(repository, api.endpoint):
        try:
            found = api.repo_info(repository, repo_type=kind)
        except RepositoryNotFoundError:
            found = None
        if found is None:
            sdk = {"space_sdk": "gradio"} if kind == "space" else {}
            api.create_repo(repository, repo_type=kind, private=destination.private, **sdk)
        else:
            _check_existing(found, destination)
        if destination.branch != "main":
            api.create_branch(repository, branch=destination.branch, repo_type=kind, exist_ok=True)
        head = api.repo_info(repository, repo_type=kind, revision=destination.branch)
        there = {one.rfilename for one in head.siblings or ()}
        old = sorted(path for path in there - files.keys() if replaced is not None and replaced.fullmatch(path))
        operations: list[Any] = [
            CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
            for path, content in sorted(files.items())
        ]
        operations += [CommitOperationDelete(path) for path in old]
        api.create_commit(
            repository,
            operations,
            commit_message=destination.message,
            repo_type=kind,
            revision=destination.branch,
            parent_commit=head.sha,
        )
    prefix = "spaces/" if kind == "space" else ""
    return f"{api.endpoint}/{prefix}{repository}"


def visible(model: str, destination: Destination) -> bool:
    """Whether the Hub has a model and shows it to the owner of the token.

    Raises:
        UsageError: There is no token.
        HubError: The Hub cannot be reached.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    api = _api(destination)
    with said_in_one_sentence(model, api.endpoint):
        try:
            api.model_info(model)
        except RepositoryNotFoundError:
            return False
    return True


def _api(destination: Destination) -> Any:
    from huggingface_hub import HfApi, get_token

    token = destination.token or get_token()
    if not token:
        raise UsageError(
            "There is no access token: run 'hf auth login', set HF_TOKEN, or give --token, with a token that may write "
            "(https://huggingface.co/settings/tokens)."
        )
    return HfApi(endpoint=destination.endpoint, token=token, library_name="iemomecp")


def _check_existing(found: Any, destination: Destination) -> None:
    """Refuses a repository that something else lies in, or that more people see than was asked for."""
    paths = {one.rfilename for one in found.siblings or ()}
    card = found.card_data.to_dict() if found.card_data is not None else {}
    tags = {*(found.tags or ()), *(card.get("tags") or ())}
    if paths - _OF_EVERYONE and _TAG not in tags:
        some = ", ".join(sorted(paths - _OF_EVERYONE)[:3])
        raise UsageError(
            f"{destination.repository} exists and holds something else ({some}; its card lacks the tag {_TAG}). Choose "
            "another name."
        )
    if destination.private and found.private is False:
        raise UsageError(
            f"{destination.repository} exists and is public. Add --public to upload there, or choose another name."
        )


@contextmanager
def said_in_one_sentence(repository: str, endpoint: str) -> Iterator[None]:
    """Turns what ``huggingface_hub`` raises into one sentence of this package.

    Args:
        repository: What is asked for.
        endpoint: Of which Hub.

    Raises:
        HubError: In place of it.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        switch = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "offline mode"
        raise HubError(f"{endpoint} is not asked: {switch} is set. Unset it to use the Hub.") from None
    except HfHubHTTPError as error:
        raise HubError(_refusal(error, repository, endpoint)) from error
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        lines = [line.strip(" -") for line in str(error).strip().splitlines()]
        raise HubError(f"{endpoint} refuses {repository}: {' '.join(filter(None, lines))}") from error
    except RuntimeError as error:  # of a large file, by LFS or Xet
        first_line = str(error).strip().splitlines()[0].rstrip(".")
        raise HubError(
            f"{endpoint} did not take a file of {repository}: {first_line}. Nothing of it has been committed; start "
            "the command again."
        ) from error
    except Exception as error:
        # The HTTP client of huggingface_hub has changed its name between versions.
        if not any(base.__module__.split(".")[0].startswith("httpx") for base in type(error).__mro__):
            raise
        raise HubError(
            f"{endpoint} cannot be reached ({type(error).__name__}): check the network and --endpoint or HF_ENDPOINT."
        ) from error


def _refusal(error: Any, repository: str, endpoint: str) -> str:
    status = error.response.status_code
    reason = error.server_message or f"status {status}"
    said = f"{endpoint} answers: {str(reason).strip().rstrip('.')}"
    if status in (401, 403):
        return (
            f"The access token may not write to {repository}. {said}. Give a token that may, or choose another OWNER."
        )
    if status == 404:
        return f"{repository} is not there, or the access token may not see it. {said}."
    if status in (409, 412):
        return f"{repository} was changed or created by somebody else meanwhile. {said}. Start the command again."
    return f"{repository} could not be written: {said}. Nothing of it has been committed; start the command again."
