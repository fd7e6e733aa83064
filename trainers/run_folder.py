"""The folder of a run: who it belongs to, what is finished in it, what can be continued.

::

    run/
      config.yaml              every option, enough to repeat the run
      log.jsonl                one event per line
      checkpoint/inputs.json   digests of the data, features and weights that the run began with
      checkpoint/epoch-0003/   after each epoch, while running: model, optimiser, scheduler, random states, progress
      checkpoint/epoch-0003-batch-00000120/   the same within the epoch that follows
      checkpoint/best-0002.safetensors
      model/                   save_pretrained of the best epoch
      predictions_{validation,test}.parquet    emotions_…: a run that recognises emotions
      results.json             written last: a folder that has it is finished
      .lock                    while a process trains: which one
"""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, RunFolderError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import make_folder, parse_json, put_in_place, read_json, write_json, write_text
from iemomecp_dataset.files.locks import LOCK_FILE, hold_folder
from iemomecp_dataset.files.writing import target_of_partial
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.trainers.options import RunSettings, circumstances, told_by_results
from iemomecp_dataset.trainers.run_inputs import RunInputs
from iemomecp_dataset.trainers.training.progress import content_digest

__all__ = ["RunFolder"]

_logger = logging.getLogger(__name__)

INPUTS_FILE = "inputs.json"
RESULTS_FILE = "results.json"

_UNFINISHED_MODEL = ".model.partial"
_OF_TRAINING = re.compile(r"config\.yaml|log\.jsonl|results\.json|(predictions|emotions|explanations)_.*")
"""Files that a training alone writes; evaluations write others, at the same time even."""

_OF_INPUTS = frozenset({"data_fingerprint", "features", "initialized_from", "trained_with"})
"""Fields of the results by which the content of what a run reads is compared, not its path."""


class RunFolder:
    """A run folder on disk."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def finished(self) -> bool:
        """Whether the run has ended with results."""
        return (self.path / RESULTS_FILE).is_file()

    @property
    def unused(self) -> bool:
        """Whether the folder is missing or empty, but for what a process leaves that is killed as it begins."""
        return not self.path.is_dir() or all(
            entry.name == LOCK_FILE or entry.name.endswith(".partial") for entry in self.path.iterdir()
        )

    @property
    def checkpoints(self) -> Path:
        """Where an unfinished run keeps what it needs to continue."""
        return self.path / "checkpoint"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Holds the folder for this process and clears what killed ones have left in it.

        Raises:
            RunFolderError: Another process holds it; the message names it.
            UsageError: It cannot be written to.
        """
        with hold_folder(self.path):
            self._clear_remains()
            yield

    def clear_finished(self) -> None:
        """Clears a finished folder as :meth:`held` does; one that is in use or read-only stays as it is."""
        with contextlib.suppress(IemomecpError, OSError), self.held():
            pass

    def claim(self, options: RunSettings, inputs: RunInputs) -> bool:
        """Makes the folder this run's, or finds that it already is.

        Args:
            options: The run's options.
            inputs: What it reads, by content.

        Returns:
            Whether the folder is newly this run's; otherwise it was before.

        Raises:
            RunFolderError: The folder holds another run, or files that are not a run.
            UsageError: It cannot be written to.
        """
        import yaml

        found = self.holds(options, inputs)
        if not found:
            make_folder(self.path)
            write_text(self.path / "config.yaml", yaml.safe_dump(options.flat(), sort_keys=False, allow_unicode=True))
        # Also where a process was killed between these two files.
        if not self.finished and self._known_inputs() is None and self.latest_checkpoint() is None:
            make_folder(self.checkpoints)
            content = inputs.to_json()
            write_json(self.checkpoints / INPUTS_FILE, {**content, "digest": content_digest(content)})
        return not found

    def holds(self, options: RunSettings, inputs: RunInputs) -> bool:
        """Whether the folder holds this run, finished or not, or is free for it; nothing is written.

        Args:
            options: The run's options.
            inputs: What it reads, by content.

        Raises:
            RunFolderError: The folder holds another run, or files that are not a run.
        """
        config = self.path / "config.yaml"
        asked = options.flat()
        if config.exists():
            try:
                found = read_yaml(config)
            except (InvalidDataError, MissingDataError) as error:
                raise RunFolderError(f"{error} Choose another --output_dir.") from error
            if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
                raise RunFolderError(f"{config} holds no options. Choose another --output_dir.")
            # An option that the version which began the run did not have had its default.
            found = {**type(options)().flat(), **found}
            told = told_by_results(type(options)).items()
            not_compared = circumstances(type(options)) | {name for name, field in told if field in _OF_INPUTS}
            different = [
                f"{name[:80]} is {shown(found.get(name))} there and {shown(asked.get(name))} here"
                for name in sorted({*found, *asked})
                if name not in not_compared and found.get(name) != asked.get(name)
            ]
            if different:
                raise RunFolderError(
                    f"{self.path} already holds another run: {'; '.join(different)}. Choose another --output_dir, or "
                    "start this run with the same options to continue it."
                )
            known = self._known_inputs()
            if known is not None and (changed := inputs.changes(known)):
                raise RunFolderError(
                    f"{self.path} holds a run that reads something else: {'; '.join(changed)} has changed since it "
                    "began. Choose another --output_dir."
                )
            return True
        if not self.unused:
            raise RunFolderError(
                f"{self.path} is not empty and holds no run (no config.yaml). Choose another --output_dir."
            )
        return False

    @contextlib.contextmanager
    def released_on_error(self, claimed: bool) -> Iterator[None]:
        """Gives a newly claimed folder back where the run fails before its first checkpoint.

        The corrected command may then use it.

        Args:
            claimed: Whether this process has claimed it now.

        Raises:
            RunFolderError: A file was not found, as the folder was moved or removed meanwhile.
        """
        try:
            yield
        except Exception as error:
            if isinstance(error, FileNotFoundError) and not self.path.is_dir():
                raise RunFolderError(
                    f"{self.path} is not there any more: it was moved or removed while the run trains. Move it back "
                    "and start the same command again."
                ) from error
            if claimed and self.latest_checkpoint() is None:
                self.release()
            raise

    def release(self) -> None:
        """Gives a folder back that was claimed by a run which could not begin."""
        self.remove_checkpoints()
        # The options last: while they are there, the folder can be continued.
        for name in ("log.jsonl", "config.yaml"):
            (self.path / name).unlink(missing_ok=True)
        # Somebody may have moved the folder: what the run has failed on is the error that is shown.
        with contextlib.suppress(FileNotFoundError):
            if not any(self.path.iterdir()):
                self.path.rmdir()

    def _known_inputs(self) -> RunInputs | None:
        """What the run has read, from its results or from its checkpoints."""
        if self.finished:
            return RunInputs.of_record(read_results(self.path))
        file = self.checkpoints / INPUTS_FILE
        if not file.is_file():
            return None
        try:
            content = read_json(file)
            # Earlier versions wrote no digest.
            if isinstance(content, dict) and content.pop("digest", None) not in (None, content_digest(content)):
                raise TypeError
            known = RunInputs.of_json(content if isinstance(content, dict) else {})
            if not all(isinstance(part, Mapping) for part in (known.data, known.texts, known.features)):
                raise TypeError
            return known
        except (InvalidDataError, TypeError):
            raise RunFolderError(
                f"{file} is damaged, so that it is unknown whether the run began with the same data. Put it back from "
                "a copy, or choose another --output_dir."
            ) from None

    @contextlib.contextmanager
    def model_written(self) -> Iterator[Path]:
        """Writes ``model/`` whole: it is missing, or complete and on the disk.

        Yields:
            The folder to write to.
        """
        partial, model = self.path / _UNFINISHED_MODEL, self.path / "model"
        _remove(partial)
        yield partial
        _remove(model)
        put_in_place(partial, model)

    def append_log(self, event: Mapping[str, Any]) -> None:
        """Adds one event to ``log.jsonl``, on the disk before the checkpoint that follows it."""
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def rewind_log(self, epoch: int) -> None:
        """Drops what was logged after an epoch, before those epochs are repeated; begins a log where there is none."""
        path = self.path / "log.jsonl"
        kept, damaged = [], 0
        lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n") if path.is_file() else []
        for number, line in enumerate((line.removesuffix(b"\r") for line in lines), start=1):
            try:
                event = parse_json(line.decode("utf-8"), str(path))
                if event.get("epoch", 0) <= epoch:
                    kept.append(line.decode("utf-8"))
            except (ValueError, AttributeError, TypeError):
                damaged += number < len(lines)  # the last is the line that was being written when the run was killed
        if damaged:
            _logger.warning("%s: %d damaged lines are left out.", path, damaged)
        write_text(path, "".join(line + "\n" for line in kept))

    def checkpoint(self, epoch: int, batches: int) -> Path:
        """Folder of a checkpoint; names sort by progress.

        Args:
            epoch: Epochs that are complete.
            batches: Mini-batches of the next one that are done.

        Example:
            >>> RunFolder("runs/x").checkpoint(3, 0).name, RunFolder("runs/x").checkpoint(3, 120).name
            ('epoch-0003', 'epoch-0003-batch-00000120')
        """
        within = f"-batch-{batches:08d}" if batches else ""
        return self.checkpoints / f"epoch-{epoch:04d}{within}"

    def all_checkpoints(self) -> list[Path]:
        """All checkpoints that were completed, from the oldest to the newest."""
        return sorted(self.checkpoints.glob("epoch-*[0-9]"))

    def latest_checkpoint(self) -> Path | None:
        """The newest of them."""
        return max(self.all_checkpoints(), default=None)

    def remove_checkpoints(self, *, keep: tuple[Path, ...] = ()) -> None:
        """Removes checkpoints, but for some; all and their folder when none is to be kept."""
        if not self.checkpoints.is_dir():
            return
        for entry in self.checkpoints.iterdir():
            if entry in keep or (keep and entry.name == INPUTS_FILE):
                continue
            _remove(entry)
        if not keep:
            self.checkpoints.rmdir()

    def _clear_remains(self) -> None:
        """Removes what a killed training has left unfinished, and the checkpoints of one that is finished.

        Only for the process that holds the folder.
        """
        for entry in self.path.iterdir():
            if entry.name == _UNFINISHED_MODEL or _OF_TRAINING.fullmatch(target_of_partial(entry.name) or ""):
                _remove(entry)
        if self.finished:
            self.remove_checkpoints()
        elif self.checkpoints.is_dir():
            for entry in self.checkpoints.rglob(".*.partial"):
                _remove(entry)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
