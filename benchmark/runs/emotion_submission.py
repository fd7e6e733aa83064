"""Makes a run folder from emotions that any system predicted, which then is a row of the table of emotions."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from iemomecp_dataset.benchmark.runs.emotion_results import emotion_run_results, write_emotion_run_predictions
from iemomecp_dataset.benchmark.runs.results import EXTERNAL, RunResults, write_results
from iemomecp_dataset.benchmark.runs.submission import (
    Submission,
    check_stated,
    check_submission,
    check_texts,
    provenance,
    stated_epoch,
)
from iemomecp_dataset.corpus import Corpus, load_corpus, whole_corpus
from iemomecp_dataset.files import make_folder
from iemomecp_dataset.metrics.evaluation.emotions.evaluation import with_gold
from iemomecp_dataset.metrics.evaluation.emotions.gold import emotion_gold
from iemomecp_dataset.metrics.evaluation.emotions.predictions import EmotionPredictions, read_emotion_predictions
from iemomecp_dataset.options import EmotionInventory
from iemomecp_dataset.schema import COMMON_EMOTIONS, SPLITS

__all__ = ["write_emotion_submission"]

_logger = logging.getLogger(__name__)


def write_emotion_submission(submission: Submission, folder: str | Path) -> RunResults:
    """Checks and scores the emotions that a system predicted, and writes them as a run folder.

    Every utterance of a split must be predicted, those without a known emotion included. A system that only decides has
    probabilities of 0 and 1 there.

    Args:
        submission: The system and its files; its options for pairs are not used.
        folder: The run folder; it must be empty or not exist.

    Returns:
        The record, as written to ``results.json``; beside it the emotions, in the format of a run.

    Raises:
        RunFolderError: The folder is not empty.
        UsageError: The arguments do not fit together, or the folder cannot be written to.
        InvalidDataError: Utterances are missing, repeat or are unknown, or the file was made on other labels or texts.
        IemomecpError: The data or a file cannot be read.
    """
    folder = Path(folder)
    check_submission(submission, folder)
    name = submission.config_name
    given = {
        split: read_emotion_predictions(path, config_name=name, split=split, run_name=submission.run_name)
        for split, path in ((split, submission.files[split]) for split in SPLITS if split in submission.files)
    }
    common = any(file.class_names == COMMON_EMOTIONS for file in given.values())
    emotions: EmotionInventory = "common" if common else "corpus"
    corpus = whole_corpus(load_corpus(name, submission.data_dir, for_training=False, emotions=emotions))
    files = {split: _checked(submission, split, file, corpus) for split, file in given.items()}
    epoch_chosen_on = stated_epoch(files.values())
    record = emotion_run_results(
        corpus,
        {split: file.scored for split, file in files.items()},
        run_name=folder.name,
        scorer=EXTERNAL,
        objective=submission.name,
        modalities=submission.modalities,
        seed=submission.seed,
        text_encoder="none",
        encoder_mode="none",
        epoch_chosen_on=epoch_chosen_on,
        extra={
            "submission": {
                split: {
                    **provenance(submission.files[split], file.notes),
                    "decisions_alone": file.probabilities is None,
                }
                for split, file in files.items()
            }
        },
    )
    for warning in record.extra.get("leaks", ()):
        _logger.warning("warning: %s", warning)
    make_folder(folder)
    for split, file in files.items():
        write_emotion_run_predictions(
            folder,
            corpus,
            split,
            np.eye(len(file.class_names))[file.predicted] if file.probabilities is None else file.probabilities,
            epoch_chosen_on=epoch_chosen_on,
            run_name=folder.name,
            decisions_alone=True if file.probabilities is None else None,
        )
    write_results(folder, record)
    return record


def _checked(submission: Submission, split: str, file: EmotionPredictions, corpus: Corpus) -> EmotionPredictions:
    path = submission.files[split]
    check_stated(path, file.facts, split, submission.config_name)
    gold = emotion_gold(corpus, split)
    check_texts(path, file.facts.text_fingerprint, gold.text_fingerprint)
    return with_gold(file, gold)
