"""Downloads the IEMO-MECP label files at the pinned revision and verifies them bit for bit.

    python scripts/fetch_labels.py --label-dir local_data/labels

An interrupted download is resumed; no partial or unverified file is ever left in place. The labels may be used for
non-commercial research only; see DATA_TERMS.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from iemomecp_dataset.command_line import run_command


def main() -> None:
    """Downloads what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--label-dir", type=Path, required=True, help="where the files go")
    parser.add_argument("--base-url", metavar="U", help="a mirror; U/train.json and so on are fetched")
    parser.add_argument("--hub-repo", metavar="OWNER/NAME", help="take them from a dataset on the Hugging Face Hub")
    parser.add_argument("--revision", metavar="COMMIT", help="full commit id of --hub-repo")
    parser.add_argument("--attempts", type=int, default=5, help="requests per file before giving up (default: 5)")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds until a stalled request is given up (30)")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are not the released ones")
    arguments = parser.parse_args()

    from iemomecp_dataset.errors import UsageError
    from iemomecp_dataset.overlay.fetching import DEFAULT_BASE_URL, FetchOptions, fetch_from_hub, fetch_labels

    if arguments.attempts < 1 or arguments.timeout <= 0:
        raise UsageError("--attempts and --timeout must be positive.")
    if arguments.hub_repo is not None:
        if arguments.base_url is not None:
            raise UsageError("--base-url and --hub-repo are two places; name one of them.")
        if arguments.revision is None:
            raise UsageError("--hub-repo needs --revision, the full commit id to take the files from.")
        done = fetch_from_hub(
            arguments.label_dir, arguments.hub_repo, arguments.revision, overwrite=arguments.overwrite
        )
    else:
        options = FetchOptions(
            base_url=arguments.base_url or DEFAULT_BASE_URL,
            attempts=arguments.attempts,
            timeout=arguments.timeout,
            overwrite=arguments.overwrite,
        )
        done = fetch_labels(arguments.label_dir, options)
    for name, what in done.items():
        print(f"{arguments.label_dir / name}: {what}, verified")


if __name__ == "__main__":
    run_command(main)
