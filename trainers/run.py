"""One training run, from options to ``results.json``: load, claim, prepare, train, score, write."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.runs.contamination import SplitData, contamination_warnings
from iemomecp_dataset.benchmark.runs.results import (
    Decision,
    RunResults,
    encoder_name,
    read_results,
    run_results,
    write_results,
    write_run_predictions,
)
from iemomecp_dataset.corpus import IN_MEMORY, Corpus, corpus_of, load_corpus
from iemomecp_dataset.errors import MissingDataError, UsageError
from iemomecp_dataset.files import write_text
from iemomecp_dataset.schema import Row
from iemomecp_dataset.trainers.model_card import model_card
from iemomecp_dataset.trainers.options import TrainingOptions, launcher_options
from iemomecp_dataset.trainers.pair_config import set_decision
from iemomecp_dataset.trainers.provenance import code_revision, library_versions, peak_memory_mb
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import RunInputs, origin_data, run_inputs, run_settings
from iemomecp_dataset.trainers.scorers import find_scorer
from iemomecp_dataset.trainers.training.checkpoints import Progress
from iemomecp_dataset.trainers.training.distributed import start_accelerator
from iemomecp_dataset.trainers.training.emotions import emotion_category_scores, target_emotions
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit
from iemomecp_dataset.trainers.training.loop import fit, score_examples
from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["run", "train"]

_logger = logging.getLogger(__name__)


def train(
    data: Mapping[str, Iterable[Row]],
    *,
    output_dir: str | Path,
    scorer: str = "dialogue",
    class_names: tuple[str, ...] | None = None,
    emotion_names: tuple[str, ...] | None = None,
    synthetic: bool = False,
    **options: Any,
) -> RunResults | None:
    """Trains a scorer on dialogues in memory, and leaves the same run folder as a training script.

    Calling it again with the same arguments continues an interrupted run, and returns the results of a finished one.

    Args:
        data: By split (``train``, ``validation``, ``test``) a :class:`datasets.Dataset` or rows as
            :func:`iemomecp_dataset.load` gives them. Without ``validation`` epoch and threshold are chosen on train
            itself, which the results state.
        output_dir: The run folder.
        scorer: Name of a scorer: ``dialogue``, ``isolated``, or a registered one
            (:func:`iemomecp_dataset.trainers.scorers.register_scorer`).
        class_names: Pair classes by id, where the data does not name them.
        emotion_names: Emotions by id, where the data does not name them.
        synthetic: Whether the dialogues are synthetic; a dataset that is marked as synthetic needs no further mark.
        **options: Options of the training scripts by name, such as ``objective="rpcl"``, ``modalities="t"``,
            ``text_encoder=...``, ``epochs=...``; see ``trainers/fusion.py --help``. Options that are not given have
            the values of the scorer's protocol. ``data_dir`` is only where ``features/`` with audio and video vectors
            lies.

    Returns:
        The record of the run, as in ``results.json``; None when ``max_hours`` has ended the session before the run.

    Raises:
        UsageError: An option does not exist, or its value cannot work.
        IemomecpError: Anything else that the caller can put right.
    """
    for name in ("config_name", "candidates", "forward_pairs"):
        if name in options:
            raise UsageError(f"train takes {name} from the data, which is loaded with it. Leave it out.")
    modalities = options.get("modalities", TrainingOptions().data.modalities)
    protocol = find_scorer(scorer).protocol(modalities)
    options = {**launcher_options(options), **options}
    asked = TrainingOptions.from_flat({**protocol, **options, "scorer": scorer, "output_dir": str(output_dir or "")})
    asked.check(with_data=False)
    if not isinstance(data, Mapping) or not data:
        raise UsageError(
            f"train takes dialogues by split, such as {{'train': rows, 'validation': rows}}, but got a "
            f"{type(data).__name__}."
        )
    if "train" not in data:
        raise MissingDataError(f"Training needs the split 'train'; given are {', '.join(map(repr, data))}.")
    info = getattr(data["train"], "info", None)
    config_name = getattr(info, "config_name", None)
    corpus = corpus_of(
        data,
        config_name=config_name or IN_MEMORY,
        candidates=None if config_name else "given",
        class_names=class_names,
        emotion_names=emotion_names,
        synthetic=synthetic,
    )
    return run(asked, corpus)


def run(options: TrainingOptions, corpus: Corpus | None = None) -> RunResults | None:
    """Trains and evaluates one run, or continues it, or returns the results of a finished one.

    Args:
        options: Everything about the run; already checked.
        corpus: The data; by default loaded as the options say.

    Returns:
        The results, as written to ``results.json``; None when ``--max_hours`` has ended the session before the run.

    Raises:
        IemomecpError: Something that the user can put right.
        KeyboardInterrupt: SIGINT has ended the session, and the run can be continued.
        SystemExit: SIGTERM has.
    """
    accelerator = start_accelerator(options)
    folder = RunFolder(str(options.run.output_dir))
    with accelerator.main_process_first():
        corpus = corpus or _load(options)
        _logger.info("%s", corpus.statement)
        leaks = _contamination(options, corpus)
        for warning in leaks:
            _logger.warning("warning: %s", warning)
        if not corpus.rows.keys() - {"train"}:
            _logger.warning(
                "Nothing is scored: there is neither validation nor test. Epoch and threshold are chosen on train."
            )
        inputs = run_inputs(options, corpus, accelerator.num_processes)
        claimed = folder.claim(options, inputs)
    if folder.finished:
        _logger.info("%s is finished; its results stand. Choose another --output_dir to repeat it.", folder.path)
        return read_results(folder.path)
    if options.run.log_with:
        accelerator.init_trackers("iemomecp", config=options.flat())
    with folder.released_on_error(claimed and accelerator.is_main_process):
        task = find_scorer(options.model.scorer).build_task(options, corpus, accelerator)
        progress, scored = fit(accelerator, task, options, folder)
    if not progress.complete:
        return None
    scored |= _score_without_evidence(options, task, accelerator)
    if accelerator.is_main_process:
        # Read again: the encoder of a first run was on the Hub when it began.
        inputs = run_inputs(options, corpus, accelerator.num_processes)
        made_with = _made_with(options, inputs, accelerator)
        _write_run(folder, options, corpus, task, progress, scored, made_with, leaks)
    accelerator.wait_for_everyone()
    if options.run.log_with:
        accelerator.end_training()
    return read_results(folder.path)


def _contamination(options: TrainingOptions, corpus: Corpus) -> list[str]:
    """What the splits share with each other, and with the data of the runs that this one begins with."""
    splits = [SplitData(corpus.name, split, rows, corpus.data_dir) for split, rows in corpus.rows.items()]
    earlier, notes = origin_data(options)
    return contamination_warnings([*splits, *earlier]) + notes


def _load(options: TrainingOptions) -> Corpus:
    data = options.data
    return load_corpus(
        data.config_name, str(data.data_dir), candidates=data.candidates, forward_pairs=data.forward_pairs
    )


def _score_without_evidence(
    options: TrainingOptions, task: TrainingTask, accelerator: Accelerator
) -> dict[str, ScoredSplit]:
    """Scores the test split with the candidates' evidence removed, where that is asked for."""
    if not options.run.evidence_removal or task.without_evidence is None:
        return {}
    if "test" not in task.examples:
        _logger.warning("--evidence_removal scores the test split, which %s lacks.", options.data.data_dir)
        return {}
    size = options.optimization.eval_batch_size
    return {
        "test_removed": score_examples(
            accelerator, task.without_evidence, task.model, task.examples["test"], batch_size=size
        )
    }


def _results(
    options: TrainingOptions,
    corpus: Corpus,
    task: TrainingTask,
    progress: Progress,
    decision: Decision,
    scored: Mapping[str, ScoredSplit],
    made_with: Mapping[str, Any],
    leaks: list[str],
) -> RunResults:
    text = "t" in options.data.modalities
    frozen = task.frozen_texts
    reported = [split for split in scored if split in corpus.tables and split != "train"]
    extra: dict[str, Any] = {"leaks": leaks}
    if torch.cuda.is_available():
        extra["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 2**20
    emotions = {split: scored[split].emotions for split in reported}
    names = getattr(task.model.config, "emotion_names", None)
    if names:
        # Beside the pair scores, never among them.
        extra["emotion_categories"] = {
            split: emotion_category_scores(of_split, names, corpus.rows[split])
            for split, of_split in emotions.items()
            if of_split is not None
        }
    return run_results(
        corpus,
        {split: scored[split].probabilities for split in reported},
        decision,
        run_name=options.run.run_name or Path(str(options.run.output_dir)).name,
        scorer=options.model.scorer,
        objective=options.objective.objective,
        modalities=options.data.modalities,
        seed=options.run.seed,
        text_encoder=options.model.text_encoder if text else "none",
        encoder_mode=options.model.encoder_mode if text else "none",
        utterance_features=None
        if frozen is None
        else {
            split: np.stack([frozen[utterance["text"] or ""] for row in rows for utterance in row["utterances"]])
            for split, rows in corpus.rows.items()
        },
        feature_source=TFIDF if frozen is None else f"frozen {encoder_name(options.model.text_encoder)}",
        emotional=None if task.emotion_inputs is None else task.emotion_inputs.emotional,
        more_counts=task.truncated,
        epoch_chosen_on=corpus.selection_split,
        extra=extra,
        versions=library_versions(),
        git_revision=code_revision(),
        wall_seconds=progress.seconds,
        peak_memory_mb=peak_memory_mb(),
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
        **made_with,
    )


def _made_with(options: TrainingOptions, inputs: RunInputs, accelerator: Accelerator) -> dict[str, Any]:
    """What tells the run's system, and the circumstances of its training."""
    processes, precision = accelerator.num_processes, str(accelerator.mixed_precision)
    return {
        "settings": run_settings(options, processes, precision),
        "features": inputs.features,
        "initialized_from": inputs.initialized_from,
        "effective_batch_size": inputs.effective_batch_size,
        "precision": precision,
        "processes": processes,
        "device": accelerator.device.type,
    }


def _decision(options: TrainingOptions, corpus: Corpus, progress: Progress) -> Decision:
    """The threshold and where it was chosen; for argmax neither."""
    if options.optimization.decision == "argmax":
        return Decision(progress.threshold, None)
    fixed = options.optimization.threshold is not None
    return Decision(progress.threshold, "fixed" if fixed else corpus.selection_split)


def _write_run(
    folder: RunFolder,
    options: TrainingOptions,
    corpus: Corpus,
    task: TrainingTask,
    progress: Progress,
    scored: Mapping[str, ScoredSplit],
    made_with: Mapping[str, Any],
    leaks: list[str],
) -> None:
    """Writes predictions, model and card, and last of all ``results.json``, which marks the run as finished."""
    decision = _decision(options, corpus, progress)
    results = _results(options, corpus, task, progress, decision, scored, made_with, leaks)
    for name, scores in scored.items():
        if name == "train":
            continue
        split = name.removesuffix("_removed")
        write_run_predictions(
            folder.path,
            corpus,
            split,
            scores.probabilities,
            decision,
            name=name,
            epoch_chosen_on=corpus.selection_split,
            emotions=None
            if scores.emotions is None
            else target_emotions(scores.emotions, task.model.config.emotion_names, corpus.rows[split]),
            evidence="candidate removed" if name != split else None,
        )
    set_decision(task.model.config, decision.threshold)
    task.model.save_pretrained(folder.path / "model")
    if getattr(task.model, "text_encoder", None) is not None and task.encoder is not None:
        task.encoder.tokenizer.save_pretrained(folder.path / "model")
    write_text(folder.path / "model" / "README.md", model_card(results, options))
    write_results(folder.path / "results.json", results)
    folder.remove_checkpoints()
