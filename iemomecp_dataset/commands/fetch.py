"""Downloads the IEMO-MECP label files at the pinned revision and verifies them bit for bit.

    python scripts/fetch_labels.py --label-dir local_data/labels

An interrupted download is resumed; no partial or unverified file is ever left in place. The labels may be used for
non-commercial research only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import REQUIRED, option, read_options
from iemomecp_dataset.errors import UsageError, see_page


@dataclass(frozen=True)
class FetchCommandOptions:
    """Options of the command."""

    _dashes = True

    label_dir: Path = option(REQUIRED, "folder to write the files to")
    base_url: str | None = option(None, "a mirror; U/train.json and so on are fetched", metavar="U")
    hub_repo: str | None = option(None, "download from a dataset on the Hugging Face Hub", metavar="OWNER/NAME")
    revision: str | None = option(None, "full commit id of --hub-repo", metavar="COMMIT")
    attempts: int = option(5, "requests per file before giving up", minimum=1)
    timeout: float = option(30.0, "seconds after which a stalled request is given up", above=0)
    overwrite: bool = option(False, "replace files that are not the released ones")


def main(arguments: Sequence[str] | None = None) -> None:
    """Downloads the files that are missing."""
    description = f"{str(__doc__).rstrip().rstrip('.')}{see_page('DATA_TERMS.md')}."
    options = read_options(FetchCommandOptions, arguments, command="fetch", description=description)

    from iemomecp_dataset.overlay.fetching import DEFAULT_BASE_URL, FetchOptions, fetch_from_hub, fetch_labels

    if options.hub_repo is not None:
        if options.base_url is not None:
            raise UsageError("--base-url and --hub-repo are two places; name one of them.")
        if options.revision is None:
            raise UsageError("--hub-repo needs --revision, the full commit id to take the files from.")
        done = fetch_from_hub(options.label_dir, options.hub_repo, options.revision, overwrite=options.overwrite)
    else:
        fetching = FetchOptions(
            base_url=options.base_url or DEFAULT_BASE_URL,
            attempts=options.attempts,
            timeout=options.timeout,
            overwrite=options.overwrite,
        )
        done = fetch_labels(options.label_dir, fetching)
    for name, what in done.items():
        print(f"{options.label_dir / name}: {what}, verified")
