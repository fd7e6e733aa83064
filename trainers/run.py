"""One training run, from options to ``results.json``: load, claim, prepare, train, score, write."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from iemomecp_dataset.benchmark.runs.contamination import contamination_warnings, splits_of
from iemomecp_dataset.benchmark.runs.results import HEADLINE, RunResults, read_results, write_results
from iemomecp_dataset.corpus import IN_MEMORY, Corpus, corpus_of
from iemomecp_dataset.errors import MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.files import check_place, write_text, writing_to
from iemomecp_dataset.metrics.evaluation.units import in_unit
from iemomecp_dataset.schema import Row
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.emotions.run_kind import EmotionRun
from iemomecp_dataset.trainers.encoders.vectors import record_extractors
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.run_kind import ExplanationRun
from iemomecp_dataset.trainers.model_card import model_card
from iemomecp_dataset.trainers.options import RunSettings, SharedData, TrainingOptions, launcher_options
from iemomecp_dataset.trainers.pairs.run_kind import PairRun
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.run_inputs import marked_on_own_training, origin_data, run_inputs
from iemomecp_dataset.trainers.run_kind import FinishedRun, RunKind
from iemomecp_dataset.trainers.scorers import find_scorer
from iemomecp_dataset.trainers.training.agreement import (
    facts_of_inputs,
    facts_of_installation,
    facts_of_launch,
    facts_of_options,
)
from iemomecp_dataset.trainers.training.distributed import start_accelerator
from iemomecp_dataset.trainers.training.divergence import run_warnings
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit
from iemomecp_dataset.trainers.training.launcher import check_processes_started, end_with_launcher
from iemomecp_dataset.trainers.training.loop import fit
from iemomecp_dataset.trainers.training.lost_ranks import Ranks, joined_ranks
from iemomecp_dataset.trainers.training.trackers import PROJECT, names_of_run
from iemomecp_dataset.trainers.whole_model import MODEL_DIGESTS, model_digests

__all__ = ["run", "train"]

_logger = logging.getLogger(__name__)

_KINDS: dict[str, tuple[type[RunSettings], RunKind[Any]]] = {
    "pairs": (TrainingOptions, PairRun()),
    "erc": (EmotionTrainingOptions, EmotionRun()),
    "explanation": (ExplanationTrainingOptions, ExplanationRun()),
}


def train(
    data: Mapping[str, Iterable[Row]],
    *,
    output_dir: str | Path,
    task: str = "pairs",
    scorer: str | None = None,
    class_names: tuple[str, ...] | None = None,
    emotion_names: tuple[str, ...] | None = None,
    synthetic: bool = False,
    **options: Any,
) -> RunResults | None:
    """Trains a model on dialogues in memory, and leaves the same run folder as a training script.

    Calling it again with the same arguments continues an interrupted run, and returns the results of a finished one.

    Args:
        data: By split (``train``, ``validation``, ``test``) a :class:`datasets.Dataset` or rows as
            :func:`iemomecp_dataset.load` gives them. Without ``validation`` epoch and threshold of a pair scorer are
            chosen on train itself, and a model of emotions keeps its last epoch; the results state it. ``train`` may
            be absent where nothing is read of it (explanations with ``tuning="none"`` and without ``shots``).
        output_dir: The run folder.
        task: ``pairs``; ``erc``: emotion recognition of every utterance, on whole dialogues; or ``explanation``: a
            language model writes why a speaker feels an emotion, which needs ``language_model=`` or ``init_from=``.
        scorer: Name of a model: for pairs ``dialogue`` (default), ``isolated``, or a registered one
            (:func:`iemomecp_dataset.trainers.scorers.register_scorer`); for emotions ``ecerc`` (default) or
            ``emotion_transformer``; for explanations ``explanation``.
        class_names: Pair classes by id, where the data does not name them.
        emotion_names: Emotions by id, where the data does not name them.
        synthetic: Whether the dialogues are synthetic; a dataset that is marked as synthetic needs no further mark.
        **options: Options of the training scripts by name, such as ``objective="rpcl"``, ``modalities="t"``,
            ``text_encoder=...``, ``epochs=...``; see ``--help`` of ``trainers/fusion.py``, ``trainers/ecerc.py`` and
            ``trainers/explain.py``.
            Options that are not given have the values of the model's protocol. ``data_dir`` is only where
            ``features/`` with audio and video vectors lies.

    Returns:
        The record of the run, as in ``results.json``; None when ``max_hours`` has ended the session before the run.

    Raises:
        UsageError: An option does not exist, or its value cannot work.
        IemomecpError: Anything else that the caller can put right.
    """
    for name in ("config_name", "candidates", "forward_pairs", "validation", "emotions"):
        if name in options:
            raise UsageError(f"train takes {name} from the data, which is loaded with it. Leave it out.")
    if task not in _KINDS:
        raise UsageError(f"There is no task {task!r}. {did_you_mean(str(task), _KINDS)}")
    if not isinstance(data, Mapping) or not data:
        raise UsageError(
            f"train takes dialogues by split, such as {{'train': rows, 'validation': rows}}, but got a "
            f"{type(data).__name__}."
        )
    kind, _ = _KINDS[task]
    options = {**launcher_options(options), **options, "scorer": scorer or kind.default_scorer()}
    options |= kind.options_of_data(data)
    asked = kind.from_flat({**kind.defaults_for(options), **options, "output_dir": str(output_dir or "")})
    asked.check(with_data=False)
    if asked.uses_train and "train" not in data:
        raise MissingDataError(f"Training needs the split 'train'; given are {', '.join(map(repr, data))}.")
    info = getattr(next(iter(data.values())), "info", None)
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


def run(options: RunSettings, corpus: Corpus | None = None) -> RunResults | None:
    """Trains and evaluates one run, or continues it, or returns the results of a finished one.

    Args:
        options: Everything about the run; already checked.
        corpus: The data; by default loaded as the options say.

    Returns:
        The results, as written to ``results.json``; None when ``--max_hours`` has ended the session before the run.

    Raises:
        IemomecpError: Something that the user can put right.
        KeyboardInterrupt: SIGINT has ended the session, and the run can be continued.
        SystemExit: SIGTERM or SIGHUP has.
    """
    end_with_launcher()
    check_processes_started()
    with joined_ranks() as ranks:
        ranks.agree(
            facts_of_installation,
            "installation",
            "Install the same versions and the same code on every machine, or one environment that all of them share.",
        )
        ranks.agree(
            lambda: facts_of_launch() | facts_of_options(options), "options", "Start the same command on every machine."
        )
        return _run(options, corpus, ranks)


def _run(options: RunSettings, corpus: Corpus | None, ranks: Ranks) -> RunResults | None:
    """What :func:`run` does, once the ranks are there."""
    began = time.monotonic()
    _, kind = _KINDS[options.task]
    accelerator = start_accelerator(options)
    folder = RunFolder(str(options.run.output_dir))
    if accelerator.is_main_process and not folder.finished:
        check_place(folder.path)  # before the data are read
    with contextlib.ExitStack() as held:
        with contextlib.ExitStack() as beginning:
            with ranks.first_alone():
                corpus = kind.corpus(options, corpus)
                _logger.info("%s", corpus.statement)
                leaks = _contamination(options, corpus)
                remarks = marked_on_own_training(options, corpus)
                for warning in (*leaks, *remarks):
                    _logger.warning("warning: %s", warning)
                for warning in kind.warnings(options, corpus):
                    _logger.warning("%s", warning)
                inputs = run_inputs(options, corpus, accelerator.num_processes)
                claimed = False
                if accelerator.is_main_process:
                    if folder.finished:
                        folder.clear_finished()
                    else:
                        held.enter_context(folder.held())
                    claimed = folder.claim(options, inputs)
                beginning.enter_context(folder.released_on_error(claimed))
            ranks.agree(
                lambda: facts_of_inputs(inputs),
                "data",
                "Copy data, features and encoders anew, or put them where all machines see them.",
            )
            # Rank 0 decides for all: on a shared file system the others see late what it has written.
            if ranks.gathered(accelerator.is_main_process and folder.finished)[0]:
                _logger.info(
                    "%s is finished; its results stand. Choose another --output_dir to repeat it.", folder.path
                )
                return read_results(folder.path)
            ranks.check_shared(folder.path)
            if options.run.log_with:
                # Trackers take numbers and texts.
                config = {n: " ".join(v) if isinstance(v, tuple) else v for n, v in options.flat().items()}
                accelerator.init_trackers(PROJECT, config=config, init_kwargs=names_of_run(folder.path))
            with writing_to(folder.path):
                task = find_scorer(options.model.scorer).build_task(options, corpus, accelerator)
                progress, scored = fit(accelerator, task, options, folder)
        if not progress.complete:
            return None
        with writing_to(folder.path):
            more = kind.score_more(options.after(time.monotonic() - began), corpus, task, accelerator, folder)
        if more is None:
            return None
        if accelerator.is_main_process:
            done = FinishedRun(
                options=options,
                corpus=corpus,
                task=task,
                progress=progress,
                scored=scored | more,
                # Read again: the encoder of a first run was on the Hub when it began.
                inputs=run_inputs(options, corpus, accelerator.num_processes),
                leaks=leaks,
                remarks=remarks,
                warnings=_warnings_of(folder, options, corpus, progress.threshold, scored),
                processes=accelerator.num_processes,
                precision=str(accelerator.mixed_precision),
                device=accelerator.device.type,
            )
            try:
                with writing_to(folder.path):
                    _write_run(folder, kind, done)
            except UsageError as error:
                raise UsageError(f"{error} {_not_recorded(kind.results(done))}") from error
        accelerator.wait_for_everyone()
    if options.run.log_with:
        accelerator.end_training()
    return read_results(folder.path)


def _contamination(options: RunSettings, corpus: Corpus) -> list[str]:
    """What the splits share with each other, and with the data of the runs that this one begins with."""
    earlier, notes = origin_data(options)
    own = [one for one in splits_of(corpus) if options.uses_train or one.split != "train"]
    further = [one for of_corpus in corpus.further for one in splits_of(of_corpus.corpus)]
    return contamination_warnings([*own, *further, *earlier]) + notes


def _warnings_of(
    folder: RunFolder,
    options: RunSettings,
    corpus: Corpus,
    threshold: float | None,
    scored: Mapping[str, ScoredSplit],
) -> list[str]:
    """Says whether the training diverged, or predicts everything alike."""
    names, unit = (corpus.class_names, "pair") if options.task == "pairs" else (corpus.emotion_names, "utterance")
    warnings = run_warnings(folder.path / "log.jsonl", scored, threshold, names, unit)
    for warning in warnings:
        _logger.warning("warning: %s", warning)
    return warnings


def _not_recorded(results: RunResults) -> str:
    """What a reader has of a run that is trained and scored and cannot be written: its first score on every split."""
    name = HEADLINE[results.task]
    found = {split: scores[name] for split, scores in results.metrics.items() if name in scores}
    listing = ", ".join(f"{split} {in_unit(name, value)}" for split, value in found.items())
    return (
        f"The training is complete ({name}: {listing or 'not computed'}) and its checkpoint is kept: the same command "
        "repeats only the last scoring."
    )


def _write_run(folder: RunFolder, kind: RunKind[Any], done: FinishedRun[Any]) -> None:
    """Writes predictions, model and card, and last of all ``results.json``, which marks the run as finished.

    Each is on the disk before the next is begun: a record that is there after a power cut has all that it stands for.
    """
    results = kind.results(done)
    kind.write(folder.path, done)
    task = done.task
    record_extractors(task.model.config, cast(SharedData, done.options.data))
    with folder.model_written() as model:
        task.model.save_pretrained(model, **({"state_dict": task.whole_weights} if task.whole_weights else {}))
        if getattr(task.model, "text_encoder", None) is not None and task.encoder is not None:
            task.encoder.tokenizer.save_pretrained(model)
        if task.tokenizer is not None:
            task.tokenizer.save_pretrained(model)
        write_text(model / "README.md", model_card(results, done.options))
    results = replace(results, extra={**results.extra, MODEL_DIGESTS: model_digests(folder.path / "model")})
    write_results(folder.path / "results.json", results)
    folder.remove_checkpoints()
