"""One model whose weights are the mean of several runs' (a model soup), scored anew."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.ensembles.members import REMOVED, Member, options_of
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import file_digest
from iemomecp_dataset.folds import fold_corpus, read_folds

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["averaged_weights", "check_one_start", "predicted_with", "write_averaged"]

WEIGHTS = "model.safetensors"


def check_one_start(members: Sequence[Member]) -> Path:
    """Refuses runs whose weights have no meaningful mean.

    The mean of weights is a good model only where all of them lie in one basin of the loss, as runs do that were
    fine-tuned from one model (Wortsman et al., 2022, arXiv 2203.05482). Two seeds that began at random numbers place
    the same function at different hidden units, and their mean is none of the two.

    Args:
        members: The runs.

    Returns:
        The folder that all of them began with.

    Raises:
        UsageError: One has no model, they are of different systems, or they did not begin with the weights of one run.
        RunFolderError: The options of one cannot be read.
    """
    first = members[0]
    of_first = system_of(first.results)
    starts = []
    for member in members:
        if member.model is None or not (member.model / WEIGHTS).is_file():
            raise UsageError(f"{member.folder} has no {WEIGHTS} in model/, so its weights cannot be averaged.")
        of_member = system_of(member.results)
        differing = [name for name in {**of_first, **of_member} if of_first.get(name) != of_member.get(name)]
        if differing:
            name = differing[0]
            raise UsageError(
                f"The weights of {first.folder} and {member.folder} cannot be averaged: {name} is "
                f"{shown(of_first.get(name))} in the first and {shown(of_member.get(name))} in the second. Give runs "
                "of one system, or average probabilities."
            )
        given = options_of(member).get("init_from")
        if not given:
            raise UsageError(
                f"{member.folder} began with weights of its own (no --init_from), so that the mean of weights is no "
                "model: averaging them needs runs that were fine-tuned from one run. Average probabilities."
            )
        starts.append(Path(given))
    kept = [_digest_of(start) or str(start.resolve()) for start in starts]
    for member, start, digest in zip(members, starts, kept, strict=True):
        if digest != kept[0]:
            raise UsageError(
                f"{first.folder} began with {starts[0]} and {member.folder} with {start}: weights can be averaged of "
                "runs that began with one. Average probabilities."
            )
    return starts[0]


def _digest_of(folder: Path) -> str | None:
    """Digest of the weights in a folder; None where they are not there any more."""
    found = [path for path in (folder / "model" / WEIGHTS, folder / WEIGHTS) if path.is_file()]
    return file_digest(found[0]) if found else None


def averaged_weights(files: Sequence[Path], weights: Sequence[float]) -> dict[str, Tensor]:
    """Averages the tensors of files in safetensors.

    Args:
        files: The files.
        weights: Weight of each, summing to one.

    Returns:
        By name the mean, summed in float64 and of the files' own type; whole numbers must be equal and stay.

    Raises:
        InvalidDataError: The files hold other names, shapes, or whole numbers.
    """
    import torch
    from safetensors.torch import load_file

    loaded = [load_file(file) for file in files]
    first = loaded[0]
    for file, other in zip(files, loaded, strict=True):
        names = sorted(first.keys() ^ other.keys())
        names += [name for name in first if name in other and first[name].shape != other[name].shape]
        if names:
            raise InvalidDataError(
                f"{files[0]} and {file} are of other architectures: {names[0]} is not in both, or of another shape."
            )
    averaged = {}
    for name, tensor in first.items():
        tensors = [one[name] for one in loaded]
        if not tensor.is_floating_point():
            if any(not torch.equal(tensor, other) for other in tensors):
                raise InvalidDataError(f"{name} holds whole numbers that differ between the runs: they have no mean.")
            averaged[name] = tensor
            continue
        total = sum(weight * one.double() for weight, one in zip(weights, tensors, strict=True))
        assert isinstance(total, torch.Tensor)
        averaged[name] = total.to(tensor.dtype)
    return averaged


def write_averaged(folder: Path, members: Sequence[Member], weights: Sequence[float]) -> None:
    """Writes the model: all files of the first, with the mean of the weights.

    Args:
        folder: ``model/`` to write; it must not be there.
        members: The runs.
        weights: Weight of each, summing to one.
    """
    from safetensors.torch import save_file

    models = [member.model for member in members]
    assert all(model is not None for model in models)
    shutil.copytree(models[0], folder)  # type: ignore[arg-type]
    tensors = averaged_weights([model / WEIGHTS for model in models if model is not None], weights)
    (folder / WEIGHTS).unlink()  # not the file that a link may share
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def predicted_with(
    model: Path, members: Sequence[Member], data_dir: str | Path | None
) -> dict[str, NDArray[np.float64]]:
    """Scores the splits that the members have scored, with another model of the same architecture.

    Args:
        model: Its folder.
        members: The runs, whose options say how the corpus was loaded.
        data_dir: Folder of the corpus; by default that of the first run.

    Returns:
        By split ``(n, C)`` probabilities, in the order of the members' predictions.

    Raises:
        MissingDataError: The folder of the corpus is not known, or is not there; or the file of its folds.
        InvalidDataError: The runs are scored on a fold, and the folds are of other data.
        UsageError: The data there is not what the runs were trained on, or the model takes emotions of another one.
    """
    from iemomecp_dataset.trainers.encoders.vectors import feature_tables
    from iemomecp_dataset.trainers.inference import predict
    from iemomecp_dataset.trainers.options import DataOptions

    options = options_of(members[0])
    if options.get("emotion_from"):
        raise UsageError(
            "Weights of runs that take emotions from another model (--emotion_from) cannot be scored anew here. "
            "Average probabilities."
        )
    place = data_dir or options.get("data_dir")
    results = members[0].results
    if not place or not Path(place).is_dir():
        raise MissingDataError(
            "Averaged weights are scored on the data anew, and the folder of the corpus "
            + (f"{place} is not there" if place else "is not stated by the run")
            + ". Give it with --data-dir."
        )
    corpus = load_corpus(
        results.config_name,
        str(place),
        candidates=options.get("candidates"),
        forward_pairs=options.get("forward_pairs"),
        emotions=options.get("emotions") or "corpus",
        for_training=False,
    )
    if (stated_folds := options.get("folds")) is not None and options.get("fold") is not None:
        folds = read_folds(stated_folds)
        folds.check_corpus(corpus, stated_folds)
        corpus = fold_corpus(corpus, folds, int(options["fold"]))
    known = {field.name for field in fields(DataOptions)}
    stated = {**{name: value for name, value in options.items() if name in known}, "data_dir": str(place)}
    data = DataOptions(**stated)
    tables: dict[str, Any] = {name: read() for name, read in feature_tables(data).items()}
    found = {}
    for split in (name for name in members[0].predictions if name != REMOVED):
        digest = corpus.fingerprints.get(split)
        if digest != results.data_fingerprint.get(split):
            raise UsageError(
                f"{place} is not the data of the runs: {split} has fingerprint {digest}, theirs is "
                f"{results.data_fingerprint.get(split)}. Give the folder that they were trained on with --data-dir."
            )
        found[split] = np.concatenate(predict(model, corpus.rows[split], **tables))
    return found
