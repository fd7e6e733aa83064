"""Uploads to the Hugging Face Hub: a run's model with its card, a metric, or the page with a model."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.benchmark.runs.results import folder_of_run
from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.files import read_json
from iemomecp_dataset.trainers.sharing.hub import Destination, upload, visible
from iemomecp_dataset.trainers.sharing.names import check_repository
from iemomecp_dataset.trainers.sharing.run_files import ALLOWED, shared_files
from iemomecp_dataset.trainers.sharing.spaces import Wheel, app_space, metric_space, space_source

__all__ = ["Upload", "prepare_app", "prepare_metric", "prepare_run", "push_app", "push_metric", "push_run"]


@dataclass(frozen=True)
class Upload:
    """An upload that is prepared, and has not begun.

    Attributes:
        destination: Where it goes.
        files: By path in the repository: content, or the file that holds it.
        stays: Number of files of the run that stay on the machine, by what they are.
        remarks: What whoever uploads has to know, one sentence each.
        replaced: Paths of an earlier upload that are removed where they are not among the files.
        model: A model that has to be on the Hub, for a page that shows it.
    """

    destination: Destination
    files: Mapping[str, bytes | Path]
    stays: Mapping[str, int] = dataclasses.field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    replaced: re.Pattern[str] | None = None
    model: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in self.files.values())

    def send(self) -> str:
        """Uploads everything in one commit, and gives the address of the repository.

        Raises:
            UsageError: As in :func:`~iemomecp_dataset.trainers.sharing.hub.upload`; or there is no such model.
        """
        if self.model is not None and not visible(self.model, self.destination):
            raise UsageError(
                f"There is no model {self.model} on the Hub. Upload it first: iemomecp push RUN {self.model}."
            )
        return upload(self.files, self.destination, replaced=self.replaced)


def prepare_run(run: str | Path, destination: Destination, *, base_model: str | None = None) -> Upload:
    """Prepares the upload of a run's model.

    Args:
        run: Folder of a finished run, or its ``model/``.
        destination: Where to.
        base_model: Name on the Hub of the text encoder or language model that the run knows by a local path.

    Raises:
        MissingDataError: It is not the folder of a run, or the run has not finished.
        RunFolderError: Its files are damaged, or it holds no model.
        InvalidDataError: Its weights are damaged: some are missing, are of another shape, or hold NaN or an infinite
            number.
        UsageError: The name is not one of the Hub's.
    """
    check_repository(destination.repository)
    shared = shared_files(run, destination.repository, base_model=base_model)
    _check_model(folder_of_run(run) / "model")
    return Upload(destination, shared.files, shared.stays, shared.remarks, ALLOWED)


def prepare_metric(name: str, destination: Destination, *, wheel: Path | None = None) -> Upload:
    """Prepares the upload of a metric as a Space that ``evaluate.load`` reads.

    Args:
        name: Name of the metric, such as ``iemomecp_pair_f1``.
        destination: Where to.
        wheel: A wheel of this package for the Space to install.

    Raises:
        MissingDataError: There is no such wheel.
        UsageError: There is no such metric, the name is not one of the Hub's, or there is neither a wheel nor an
            address that this package was installed from and that a Space can read.
    """
    destination, installed = _space(destination, wheel)
    files = metric_space(name, destination.repository, installed)
    return Upload(
        destination, files, remarks=_remarks(destination, installed), replaced=re.compile(r"iemomecp-.*\.whl")
    )


def prepare_app(model: str, destination: Destination, *, wheel: Path | None = None) -> Upload:
    """Prepares the upload of the page, showing one model, as a Space.

    Args:
        model: ``OWNER/NAME`` of the model.
        destination: Where to.
        wheel: As in :func:`prepare_metric`.

    Raises:
        MissingDataError: There is no such wheel.
        UsageError: A name is not one of the Hub's, or there is nothing to install, as in :func:`prepare_metric`.
    """
    destination, installed = _space(destination, wheel)
    files = app_space(check_repository(model), installed)
    secret = f"If {model} is private, add a token that may read it to the Space's secrets, as HF_TOKEN."
    remarks = (*_remarks(destination, installed), secret)
    return Upload(destination, files, remarks=remarks, replaced=re.compile(r"iemomecp-.*\.whl"), model=model)


def push_run(
    run: str | Path,
    repository: str,
    *,
    private: bool = True,
    token: str | None = None,
    endpoint: str | None = None,
    base_model: str | None = None,
) -> str:
    """Uploads a run's model with its card; see :func:`prepare_run` and :func:`~.hub.upload` for what is raised.

    Args:
        run: Folder of a finished run.
        repository: ``OWNER/NAME``.
        private: Whether a new repository is visible to its owner alone.
        token: Access token; by default that of ``hf auth login`` or ``HF_TOKEN``.
        endpoint: Address of the Hub.
        base_model: As in :func:`prepare_run`.

    Returns:
        Address of the repository.
    """
    destination = Destination(repository, private=private, token=token, endpoint=endpoint)
    return prepare_run(run, destination, base_model=base_model).send()


def push_metric(
    name: str,
    repository: str,
    *,
    private: bool = True,
    token: str | None = None,
    endpoint: str | None = None,
    wheel: Path | None = None,
) -> str:
    """Uploads a metric as a Space; arguments as in :func:`push_run` and :func:`prepare_metric`."""
    return prepare_metric(name, Destination(repository, "space", private, token, endpoint), wheel=wheel).send()


def push_app(
    model: str,
    repository: str,
    *,
    private: bool = True,
    token: str | None = None,
    endpoint: str | None = None,
    wheel: Path | None = None,
) -> str:
    """Uploads the page with a model as a Space; arguments as in :func:`push_run` and :func:`prepare_metric`."""
    return prepare_app(model, Destination(repository, "space", private, token, endpoint), wheel=wheel).send()


def _check_model(folder: Path) -> None:
    """Refuses an incomplete or damaged model before the upload, after which others may have downloaded it."""
    require_packages("torch", "transformers", extra="train")
    from iemomecp_dataset.trainers.pipelines.loading import load_scorer
    from iemomecp_dataset.trainers.scorers import scorer_of_model_type
    from iemomecp_dataset.trainers.whole_model import check_weight_files

    check_weight_files(folder)
    stated = read_json(folder / "config.json")
    scorer = scorer_of_model_type(stated.get("model_type") if isinstance(stated, dict) else None)
    # The language model of explanations may be large, or elsewhere.
    if scorer is not None and scorer.task != "explanation":
        load_scorer(folder)


def _space(destination: Destination, wheel: Path | None) -> tuple[Destination, Wheel | None]:
    """The Space, and the wheel that it installs."""
    from huggingface_hub import constants

    space = dataclasses.replace(destination, kind="space", repository=check_repository(destination.repository))
    if wheel is None:
        return space, None
    return space, Wheel.of_space(wheel, space.repository, space.endpoint or constants.ENDPOINT, space.branch)


def _remarks(space: Destination, wheel: Wheel | None) -> tuple[str, ...]:
    """What to know about what the Space installs."""
    if wheel is None:
        return (f"The Space installs iemomecp from {space_source()}, as it was here; --wheel names a file instead.",)
    hidden = "A private Space cannot read its own wheel while it is built: make it public."
    return (hidden,) * space.private
