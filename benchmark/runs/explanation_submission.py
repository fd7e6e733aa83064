"""Makes a run folder from explanations that any system wrote, which then is a row of the table of explanations."""

from __future__ import annotations

import logging
from pathlib import Path

from iemomecp_dataset.benchmark.runs.explanation_results import (
    explanation_run_results,
    write_explanation_run_predictions,
)
from iemomecp_dataset.benchmark.runs.results import EXTERNAL, RunResults, write_results
from iemomecp_dataset.benchmark.runs.submission import (
    Submission,
    check_stated,
    check_submission,
    check_texts,
    provenance,
    stated_epoch,
)
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.files import make_folder
from iemomecp_dataset.metrics.evaluation.explanations.evaluation import with_references
from iemomecp_dataset.metrics.evaluation.explanations.gold import explanation_gold
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationPredictions,
    read_explanation_predictions,
)
from iemomecp_dataset.schema import SPLITS

__all__ = ["write_explanation_submission"]

_logger = logging.getLogger(__name__)


def write_explanation_submission(submission: Submission, folder: str | Path) -> RunResults:
    """Checks and scores the explanations of a system, and writes them as a run folder.

    Args:
        submission: The system and its files; its options for pairs are not used.
        folder: The run folder; it must be empty or not exist.

    Returns:
        The record, as written to ``results.json``; beside it the explanations, in the format of a run.

    Raises:
        RunFolderError: The folder is not empty.
        UsageError: The arguments do not fit together, or the folder cannot be written to.
        InvalidDataError: Items are missing, repeat or are unknown, or the file was made on other references or texts.
        IemomecpError: The data or a file cannot be read.
    """
    folder = Path(folder)
    check_submission(submission, folder)
    corpus = load_corpus(submission.config_name, submission.data_dir, for_training=False, **submission.corpus_options)
    files = {split: _read(submission, split, corpus) for split in SPLITS if split in submission.files}
    epoch_chosen_on = stated_epoch(files.values())
    causes = {file.facts.causes for file in files.values()} - {None}
    record = explanation_run_results(
        corpus,
        {split: file.predictions for split, file in files.items()},
        run_name=folder.name,
        scorer=EXTERNAL,
        objective=submission.name,
        modalities=submission.modalities,
        seed=submission.seed,
        epoch_chosen_on=epoch_chosen_on,
        causes=causes.pop() if len(causes) == 1 else None,
        **submission.score_options,
        extra={"submission": {split: provenance(submission.files[split], file.notes) for split, file in files.items()}},
    )
    for warning in record.extra.get("leaks", ()):
        _logger.warning("warning: %s", warning)
    make_folder(folder)
    for split, file in files.items():
        write_explanation_run_predictions(
            folder,
            corpus,
            split,
            file.predictions,
            epoch_chosen_on=epoch_chosen_on,
            run_name=folder.name,
            causes=file.facts.causes,
        )
    write_results(folder, record)
    return record


def _read(submission: Submission, split: str, corpus: Corpus) -> ExplanationPredictions:
    path = submission.files[split]
    file = read_explanation_predictions(path, split=split, run_name=submission.run_name)
    check_stated(path, file.facts, split, submission.config_name)
    gold = explanation_gold(corpus, split)
    check_texts(path, file.facts.text_fingerprint, gold.text_fingerprint)
    return with_references(file, gold)
