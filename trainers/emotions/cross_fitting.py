"""Predictions for the train split by models that have not been trained on what they predict (cross-fitting).

Whatever learns from predicted emotions of the train split needs these: a model's own predictions for its training
dialogues are far better than those it will make elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import atomic_write, make_folder
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.scorers import find_scorer
from iemomecp_dataset.trainers.training.distributed import start_accelerator
from iemomecp_dataset.trainers.training.loop import fit

__all__ = ["check_folds", "cross_fitted", "fold_corpus", "in_train_order", "kept_predictions"]

_logger = logging.getLogger(__name__)


def check_folds(corpus: Corpus, folds: int) -> None:
    """Refuses more folds than train has dialogues.

    Raises:
        UsageError: There are more.
    """
    if folds > len(corpus.rows["train"]):
        raise UsageError(
            f"--train_folds {folds} is more than the {len(corpus.rows['train'])} dialogues of the train split. Use "
            "fewer."
        )


def fold_corpus(corpus: Corpus, fold: int, folds: int) -> Corpus:
    """The data of one fold: every ``folds``-th train dialogue stands before those of the test split.

    The test split stays part of it so that the texts are the same as those of the run, and with them their features.

    Args:
        corpus: The whole data.
        fold: Number of the fold, from 0.
        folds: How many there are.
    """
    train = corpus.rows["train"]
    kept = [row for place, row in enumerate(train) if place % folds != fold]
    return replace(
        corpus, rows={**corpus.rows, "train": kept, "test": train[fold::folds] + corpus.rows.get("test", [])}
    )


def kept_predictions(file: Path) -> NDArray[np.float64] | None:
    """Reads what a complete fold has predicted.

    Args:
        file: The file of the fold, an archive of numpy, which has a checksum.

    Returns:
        ``(m, C)``; None where there is no file, or a damaged one, which is said.
    """
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as archive:
            probabilities: NDArray[np.float64] = archive["probabilities"]
            return probabilities
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, NotImplementedError, BadZipFile):
        _logger.warning("warning: %s is damaged: its fold is trained again.", file)
        return None


def in_train_order(corpus: Corpus, of_folds: Sequence[NDArray[np.float64]], folds: int) -> NDArray[np.float64]:
    """Brings the predictions of all folds into the order of the train split.

    Args:
        corpus: The whole data.
        of_folds: By fold ``(m, C)``, its utterances.
        folds: How many there are.

    Returns:
        ``(n, C)``, the utterances of the train split.
    """
    train = corpus.rows["train"]
    by_dialogue: dict[int, NDArray[np.float64]] = {}
    for fold, probabilities in enumerate(of_folds):
        ends = np.cumsum([len(row["utterances"]) for row in train[fold::folds]])
        parts = np.split(probabilities, ends[:-1])
        by_dialogue |= {fold + folds * place: part for place, part in enumerate(parts)}
    return np.concatenate([by_dialogue[place] for place in range(len(train))])


def cross_fitted(
    options: EmotionTrainingOptions, corpus: Corpus, accelerator: Accelerator, folder: RunFolder
) -> NDArray[np.float64] | None:
    """Trains a model for each fold, as the run has trained its own, and predicts the fold with it.

    A fold that is complete is kept in the folder's checkpoints, one in progress is continued.

    Args:
        options: The run's options.
        corpus: Its data.
        accelerator: That of the run.
        folder: The run folder.

    Returns:
        ``(n, C)``, the utterances of the train split; None where the session has ended before.

    Raises:
        UsageError: There are more folds than dialogues.
    """
    folds = options.run.train_folds
    found = []
    for fold in range(folds):
        began = time.monotonic()
        of_fold = RunFolder(folder.checkpoints / f"fold-{fold}-of-{folds}")
        file = of_fold.path / "probabilities.npz"
        accelerator.wait_for_everyone()
        kept = kept_predictions(file)
        if kept is None:
            make_folder(of_fold.path)
            data = fold_corpus(corpus, fold, folds)
            # What another accelerator has prepared does not belong into the checkpoints of this fold.
            own = start_accelerator(options)
            task: Any = find_scorer(options.model.scorer).build_task(options, data, own)
            progress, scored = fit(own, task, options, of_fold)
            if not progress.complete:
                return None
            size = sum(len(row["utterances"]) for row in corpus.rows["train"][fold::folds])
            kept = scored["test"].probabilities[:size]
            if own.is_main_process:
                with atomic_write(file) as partial, open(partial, "wb") as stream:
                    np.savez(stream, probabilities=kept)
                of_fold.remove_checkpoints()
            own.wait_for_everyone()
        found.append(kept)
        options = options.after(time.monotonic() - began)
    return in_train_order(corpus, found, folds)
