"""Downloads released files: resumes interrupted transfers, verifies, and puts complete files in place only."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from tqdm import tqdm

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.files import make_folder, not_written, put_in_place
from iemomecp_dataset.overlay.published import LABEL_BLOBS, LABEL_REPOSITORY, LABEL_REVISION
from iemomecp_dataset.overlay.summary import git_blob_id
from iemomecp_dataset.progress import bars_hidden

__all__ = ["DEFAULT_BASE_URL", "FetchOptions", "fetch_files", "fetch_from_hub", "fetch_labels"]

DEFAULT_BASE_URL = f"https://raw.githubusercontent.com/{LABEL_REPOSITORY}/{LABEL_REVISION}/data/labels"
"""URL of the label files at the pinned commit of the release."""

_BLOCK = 1 << 13  # Bytes; a block that is incomplete when the connection breaks is lost.
_ADVICE = "Try again later, name a mirror with --base-url, or put the files there by hand"


@dataclass(frozen=True)
class FetchOptions:
    """Options of a download.

    Attributes:
        base_url: URL of the folder; ``/train.json`` and so on are appended.
        attempts: Requests per file before giving up.
        timeout: Seconds without a byte after which a request counts as stalled.
        first_wait: Seconds before the second attempt; doubled for each further one.
        overwrite: Replaces existing files that differ from the released ones.
        progress: Shows a progress bar.
    """

    base_url: str = DEFAULT_BASE_URL
    attempts: int = 5
    timeout: float = 30.0
    first_wait: float = 1.0
    overwrite: bool = False
    progress: bool = True


def fetch_labels(
    label_dir: Path, options: FetchOptions | None = None, blobs: Mapping[str, str] = LABEL_BLOBS
) -> dict[str, str]:
    """Downloads the label files that are missing.

    Args:
        label_dir: Output folder; created if missing.
        options: Options of the download.
        blobs: Expected git blob ids by file name.

    Returns:
        Outcome by file name: ``already there``, ``downloaded`` or ``downloaded (resumed)``.

    Raises:
        MissingDataError: The server does not have a file, or did not deliver it in any attempt.
        InvalidDataError: The bytes differ from the released file; nothing was put in place.
        UsageError: The folder cannot be written to, or contains a different file of that name.

    See Also:
        :func:`fetch_from_hub` downloads from a dataset repository on the Hugging Face Hub.
    """
    return fetch_files(label_dir, blobs, options or FetchOptions())


def fetch_files(folder: Path, blobs: Mapping[str, str], options: FetchOptions) -> dict[str, str]:
    """Downloads the files that are missing.

    Args:
        folder: Output folder; created if missing.
        blobs: Expected git blob ids by file name; of an id that is not known whole, its first digits.
        options: Options of the download.

    Returns:
        Outcome by file name: ``already there``, ``downloaded`` or ``downloaded (resumed)``.

    Raises:
        MissingDataError: The server does not have a file, or did not deliver it in any attempt.
        InvalidDataError: The bytes differ from the released file; nothing was put in place.
        UsageError: The folder cannot be written to, or contains a different file of that name.
    """
    if not options.base_url.startswith(("http://", "https://")):
        raise UsageError(f"The base URL must begin with http:// or https://, but is {options.base_url!r}.")
    make_folder(folder)
    done: dict[str, str] = {}
    # Otherwise a server may compress, and ranges would count compressed bytes.
    headers = {"Accept-Encoding": "identity"}
    with requests.Session() as session:
        session.headers.update(headers)
        for name, blob in blobs.items():
            target = folder / name
            if _is_there(target, blob, overwrite=options.overwrite):
                done[name] = "already there"
            else:
                done[name] = _fetch(session, f"{options.base_url.rstrip('/')}/{name}", target, blob, options)
    return done


def fetch_from_hub(
    label_dir: Path,
    repo: str,
    revision: str,
    *,
    overwrite: bool = False,
    blobs: Mapping[str, str] = LABEL_BLOBS,
) -> dict[str, str]:
    """Downloads the label files from a dataset repository on the Hugging Face Hub.

    Args:
        label_dir: Output folder; created if missing.
        repo: ``OWNER/NAME``.
        revision: Full commit id, because branches move.
        overwrite: Replaces existing files that differ from the released ones.
        blobs: Expected git blob ids by file name.

    Returns:
        Outcome by file name: ``already there`` or ``downloaded``.

    Raises:
        MissingDataError: The repository, the revision or a file does not exist, or the Hub cannot be reached.
        InvalidDataError: The bytes differ from the released file; nothing was put in place.
        UsageError: The revision is not a commit id, or the folder cannot be written to.

    See Also:
        :func:`fetch_labels` downloads from the release or a mirror.
    """
    if len(revision) != 40 or not set(revision) <= set("0123456789abcdef"):
        raise UsageError(f"--revision must be a full commit id of 40 characters, but is {revision!r}; branches move.")
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    make_folder(label_dir)
    try:
        listed = huggingface_hub.list_repo_files(repo, repo_type="dataset", revision=revision)
        done: dict[str, str] = {}
        for name, blob in blobs.items():
            target = label_dir / name
            if _is_there(target, blob, overwrite=overwrite):
                done[name] = "already there"
                continue
            paths = [path for path in listed if Path(path).name == name]
            if len(paths) != 1:
                found = f"{len(paths)} files: {', '.join(paths)}" if paths else "none"
                raise MissingDataError(f"{repo} at {revision}: expected one file {name}, found {found}.")
            with tempfile.TemporaryDirectory() as folder:
                local = huggingface_hub.hf_hub_download(
                    repo, paths[0], repo_type="dataset", revision=revision, local_dir=folder
                )
                part = _part(target)
                shutil.copyfile(local, part)
            _verify(part, blob, f"{repo}, {paths[0]}")
            put_in_place(part, target)
            done[name] = "downloaded"
    except HFValidationError as error:
        raise UsageError(f"--hub-repo must be OWNER/NAME, but is {repo!r} ({error}).") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if isinstance(error, MissingDataError):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MissingDataError(
            f"The dataset {repo} at revision {revision} could not be read from the Hub: {reason[:200]}. Check the "
            f"name, the revision, your login (`hf auth login`) and the network."
        ) from None
    return done


def _is_there(target: Path, blob: str, *, overwrite: bool) -> bool:
    if not target.exists():
        return False
    if git_blob_id(target).startswith(blob):
        return True
    if overwrite:
        return False
    raise UsageError(
        f"{target}: an existing file differs from the released one (git blob {git_blob_id(target)}, released {blob}). "
        f"Move it away, choose another folder, or pass --overwrite."
    )


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


class _TryAgainError(Exception):
    """A failure that another attempt may resolve."""


def _fetch(session: requests.Session, url: str, target: Path, blob: str, options: FetchOptions) -> str:
    part = _part(target)
    resumed = False
    wait = options.first_wait
    failure = ""
    for attempt in range(options.attempts):
        if attempt:
            time.sleep(wait)
            wait *= 2
        had = part.stat().st_size if part.exists() else 0
        try:
            resumed |= _request(session, url, part, had, options)
            _verify(part, blob, url)
        except (_TryAgainError, requests.RequestException) as error:
            failure = str(error) or type(error).__name__
            continue
        except InvalidDataError:
            # The kept part may belong to another file; a download from the start may succeed.
            if had:
                failure = "the resumed file was not the released one"
                continue
            raise
        except MissingDataError:  # Also a FileNotFoundError, which the next clause would report as a disk error.
            raise
        except OSError as error:
            raise not_written(part, error) from None
        put_in_place(part, target)
        return "downloaded (resumed)" if resumed else "downloaded"
    received = "Nothing of it was received."
    if part.exists() and part.stat().st_size:
        received = f"The received part is kept in {part.name} and will be resumed."
    else:
        part.unlink(missing_ok=True)
    raise MissingDataError(f"{url}: not received in {options.attempts} attempts ({failure}). {received} {_ADVICE}.")


def _request(session: requests.Session, url: str, part: Path, had: int, options: FetchOptions) -> bool:
    """Receives the rest of a file and returns whether the download was resumed."""
    headers = {"Range": f"bytes={had}-"} if had else {}
    with session.get(url, headers=headers, stream=True, timeout=options.timeout) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable and had:
            # The file may be complete already; verification decides.
            return True
        if response.status_code in (408, 429) or response.status_code >= 500:
            raise _TryAgainError(f"the server answered {response.status_code}")
        if response.status_code not in (200, 206):
            raise MissingDataError(f"{url}: the server answered {response.status_code}. {_ADVICE}.")
        partial = bool(response.status_code == requests.codes.partial_content)
        if partial and not response.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
            part.unlink()
            raise _TryAgainError("the server sent another range than the requested one")
        length = response.headers.get("Content-Length")
        encoded = response.headers.get("Content-Encoding", "identity") != "identity"
        expected = int(length) if length is not None and length.isdigit() and not encoded else None
        start = had if partial else 0
        received = 0
        with (
            part.open("ab" if partial else "wb") as stream,
            tqdm(
                total=None if expected is None else start + expected,
                initial=start,
                unit="B",
                unit_scale=True,
                desc=url.rpartition("/")[2],
                disable=bars_hidden() if options.progress else True,
            ) as bar,
        ):
            for block in response.iter_content(_BLOCK):
                stream.write(block)
                received += len(block)
                bar.update(len(block))
        if expected is not None and received != expected:
            raise _TryAgainError(f"{received} of {expected} bytes arrived")
        return partial


def _verify(part: Path, blob: str, origin: str) -> None:
    found = git_blob_id(part)
    if not found.startswith(blob):
        part.unlink()
        raise InvalidDataError(
            f"{origin}: the bytes are not those of the released file (git blob {found}, expected {blob}) and were "
            f"discarded. The mirror may have another version, or have sent an error page."
        )
