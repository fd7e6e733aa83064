"""Downloads the IEMO-MECP label files, MELD's CSV files or ECEM's file, and verifies them by their git blob ids.

    python scripts/fetch_labels.py --label-dir local_data/labels
    python scripts/fetch_labels.py --corpus meld --output-dir meld
    python scripts/fetch_labels.py --corpus ecem --output-dir ecem --base-url URL_OF_ITS_FOLDER

The label files are those of the pinned revision. An interrupted download is resumed; no partial or unverified file is
ever left in place. The labels may be used for non-commercial research only; MELD is GPL-3.0, and the transcripts in it
are copyrighted. ECEM states no licence, so its address is yours to give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.errors import UsageError, see_page


@dataclass(frozen=True)
class FetchCommandOptions:
    """Options of the command."""

    _dashes = True

    corpus: Literal["labels", "meld", "ecem"] = option(
        "labels", "what to download: the IEMO-MECP labels, MELD, or ECEM (with --base-url)"
    )
    label_dir: Path | None = option(None, "folder to write the label files to")
    output_dir: Path | None = option(None, "folder to write the files to, whatever they are")
    base_url: str | None = option(None, "a mirror; U/train.json and so on are fetched", metavar="U")
    hub_repo: str | None = option(None, "download from a dataset on the Hugging Face Hub", metavar="OWNER/NAME")
    revision: str | None = option(None, "full commit id of --hub-repo", metavar="COMMIT")
    attempts: int = option(5, "requests per file before giving up", minimum=1)
    timeout: float = option(30.0, "seconds after which a stalled request is given up", above=0, limit=86_400.0)
    overwrite: bool = option(False, "replace files that are not the released ones")


def main(arguments: Sequence[str] | None = None) -> None:
    """Downloads the files that are missing."""
    description = f"{str(__doc__).rstrip().rstrip('.')}{see_page('DATA_TERMS.md')}."
    options = read_options(FetchCommandOptions, arguments, command="fetch", description=description)

    folder = _folder(options)

    from iemomecp_dataset.corpora.metadata import CORPORA
    from iemomecp_dataset.overlay.fetching import DEFAULT_BASE_URL, FetchOptions, fetch_files, fetch_from_hub
    from iemomecp_dataset.overlay.published import LABEL_BLOBS

    if options.hub_repo is not None:
        done = fetch_from_hub(folder, options.hub_repo, str(options.revision), overwrite=options.overwrite)
    else:
        blobs, base_url = LABEL_BLOBS, DEFAULT_BASE_URL
        if options.corpus in CORPORA:
            blobs, base_url = CORPORA[options.corpus].blobs, CORPORA[options.corpus].base_url
        if not (options.base_url or base_url):
            raise UsageError(
                f"--corpus {options.corpus} needs --base-url, the URL of the folder with {' and '.join(blobs)}: the "
                f"file states no licence. It is verified by its git blob id. {CORPORA[options.corpus].url} has it."
            )
        fetching = FetchOptions(
            base_url=options.base_url or base_url,
            attempts=options.attempts,
            timeout=options.timeout,
            overwrite=options.overwrite,
        )
        done = fetch_files(folder, blobs, fetching)
    for name, what in done.items():
        print(f"{folder / name}: {what}, verified")


def _folder(options: FetchCommandOptions) -> Path:
    """The output folder, once the options fit together."""
    if options.label_dir is not None and (options.corpus != "labels" or options.output_dir is not None):
        raise UsageError(
            "--label-dir is the folder of the label files; name the folder of other files by --output-dir alone."
        )
    folder = options.label_dir or options.output_dir
    if folder is None:
        raise UsageError(f"{'--label-dir' if options.corpus == 'labels' else '--output-dir'} is required.")
    if options.hub_repo is not None:
        if options.corpus != "labels":
            raise UsageError(f"--hub-repo is for the label files; name a mirror of {options.corpus} by --base-url.")
        if options.base_url is not None:
            raise UsageError("--base-url and --hub-repo are two places; name one of them.")
        if options.revision is None:
            raise UsageError("--hub-repo needs --revision, the full commit id to take the files from.")
    return folder
