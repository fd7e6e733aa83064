"""Uploads a run's model with its card to the Hugging Face Hub, or a metric or the page as a Space.

    python -m iemomecp_dataset push runs/x OWNER/NAME --dry-run
    python -m iemomecp_dataset push runs/x OWNER/NAME
    python -m iemomecp_dataset push --metric iemomecp_pair_f1 OWNER/SPACE --public --wheel FILE
    python -m iemomecp_dataset push --app --model OWNER/NAME OWNER/SPACE --public --wheel FILE

Everything goes in one commit, to a private repository unless --public is given. Of a run go the model, its card,
results.json and config.yaml, without local paths. Predictions, explanations, checkpoints and logs stay: they hold ids
and texts of the corpus. The access token is that of `hf auth login`, of the variable HF_TOKEN, or --token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from iemomecp_dataset.command_line import option, read_options
from iemomecp_dataset.errors import UsageError

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.sharing.pushing import Upload


@dataclass(frozen=True)
class PushOptions:
    """Options of the command."""

    _dashes = True

    run: str | None = option(None, "folder of a finished run, or its model/", positional=True)
    repository: str | None = option(None, "where to: OWNER/NAME", positional=True, metavar="OWNER/NAME")
    metric: str | None = option(None, "upload this metric as a Space, such as iemomecp_pair_f1", metavar="NAME")
    app: bool = option(False, "upload the page as a Space that shows --model")
    model: str | None = option(None, "for --app: the model on the Hub", metavar="OWNER/NAME")
    wheel: Path | None = option(
        None,
        "for a Space: a wheel of this package for it to install, which is uploaded too (default: the repository or "
        "archive on the web that this package was installed from)",
        metavar="FILE",
    )
    public: bool = option(False, "let everyone see the repository")
    base_model: str | None = option(
        None,
        "name on the Hub of the text encoder or language model that the run knows by a local path",
        metavar="OWNER/NAME",
    )
    message: str = option("Upload with iemomecp", "message of the commit")
    branch: str = option("main", "branch to commit to")
    token: str | None = option(None, "access token that may write; by default that of hf auth login or HF_TOKEN")
    endpoint: str | None = option(
        None, "address of the Hub; by default HF_ENDPOINT or https://huggingface.co", metavar="URL"
    )
    dry_run: bool = option(False, "list what would be uploaded and what would stay, and end")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepares the upload, says what goes and what stays, and sends it."""
    options = read_options(
        PushOptions,
        arguments,
        command="push",
        description=__doc__,
        usage="%(prog)s (RUN | --metric NAME | --app --model OWNER/NAME) OWNER/NAME [options]",
    )
    prepared = _prepared(options)
    print(_listing(prepared))
    for remark in prepared.remarks:
        print(f"note: {remark}")
    if options.dry_run:
        print("Nothing was uploaded (--dry-run).")
        return
    print(f"uploaded to {prepared.send()}")


def _prepared(options: PushOptions) -> Upload:
    from iemomecp_dataset.trainers.sharing.hub import Destination
    from iemomecp_dataset.trainers.sharing.pushing import prepare_app, prepare_metric, prepare_run

    _check(options)
    of_space = options.app or options.metric is not None
    destination = Destination(
        repository=str(options.run if of_space else options.repository),
        private=not options.public,
        token=options.token,
        endpoint=options.endpoint.rstrip("/") if options.endpoint else None,
        branch=options.branch,
        message=options.message,
    )
    if options.metric is not None:
        return prepare_metric(options.metric, destination, wheel=options.wheel)
    if options.app:
        return prepare_app(str(options.model), destination, wheel=options.wheel)
    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading weights, which are checked before anything is listed
    return prepare_run(str(options.run), destination, base_model=options.base_model)


def _check(options: PushOptions) -> None:
    """Refuses options that do not go together; a Space has one argument, its name."""
    of_space = options.app or options.metric is not None
    if options.app and options.metric is not None:
        raise UsageError("--app and --metric are two Spaces: give one of them.")
    if of_space and (options.run is None or options.repository is not None):
        raise UsageError("A Space takes one argument: the name of the Space, OWNER/NAME.")
    if not of_space and (options.run is None or options.repository is None):
        raise UsageError("Give the folder of a run, and OWNER/NAME, where it is uploaded to.")
    if options.app != (options.model is not None):
        raise UsageError("--app needs --model OWNER/NAME, and --model goes with --app alone.")
    if options.wheel is not None and not of_space:
        raise UsageError("--wheel goes with --app or --metric: a model needs none.")
    if options.base_model is not None and of_space:
        raise UsageError("--base-model goes with a run.")


def _listing(prepared: Upload) -> str:
    """What goes and what stays, in a few lines."""
    to = prepared.destination
    seen = "private" if to.private else "public"
    lines = [f"{to.repository} ({to.kind}, {seen}): {len(prepared.files)} files, {prepared.size / 1e6:.1f} MB"]
    lines += [f"  {path}" for path in prepared.files]
    if prepared.stays:
        total = sum(prepared.stays.values())
        what = ", ".join(f"{reason} ({count})" for reason, count in sorted(prepared.stays.items()))
        lines.append(f"stays on this machine: {total} file{'s' * (total != 1)}: {what}")
    return "\n".join(lines)
