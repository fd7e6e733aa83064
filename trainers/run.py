"""One training run, from options to ``results.json``."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import set_seed
from joblib import cpu_count
from transformers.utils import logging as transformers_logging

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.runs.results import (
    Decision,
    RunResults,
    encoder_name,
    read_results,
    run_results,
    write_results,
    write_run_predictions,
)
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import IemomecpError, TrainingError
from iemomecp_dataset.trainers.dialogue.task import prepare_dialogue
from iemomecp_dataset.trainers.isolated.task import prepare_isolated
from iemomecp_dataset.trainers.model_card import model_card
from iemomecp_dataset.trainers.objectives import class_weights_from_counts
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.provenance import code_revision, idle_cores_hint, library_versions, peak_memory_mb
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training.distributed import Processes, check_launch
from iemomecp_dataset.trainers.training.evaluation import ScoredSplit, score_split
from iemomecp_dataset.trainers.training.loop import Progress, TrainingTask, loader_of, train
from iemomecp_dataset.trainers.training.task import PreparedScorer

__all__ = ["run"]

_logger = logging.getLogger(__name__)


def run(options: TrainingOptions) -> RunResults | None:
    """Trains and evaluates one run, or continues it, or says that it is finished.

    Args:
        options: Everything about the run; already checked.

    Returns:
        The results, as written to ``results.json``; none when ``--max_hours`` has ended it for now.

    Raises:
        IemomecpError: Something that the user can put right.
        KeyboardInterrupt: SIGINT has ended the session, and the run can be continued.
        SystemExit: SIGTERM has.
    """
    accelerator = Accelerator(
        mixed_precision=options.optimisation.mixed_precision,
        gradient_accumulation_steps=options.optimisation.gradient_accumulation_steps,
        log_with=options.run.log_with,
        project_dir=options.run.output_dir,
        # Encoder layers above the highest pooled one get no gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    check_launch(accelerator, options.optimisation)
    if accelerator.state.deepspeed_plugin is not None:
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        # DeepSpeed would read it off a loader; ours hold a process' share already.
        settings["train_micro_batch_size_per_gpu"] = options.optimisation.batch_size
        # It clips by itself.
        settings["gradient_clipping"] = options.optimisation.max_grad_norm
    logging.basicConfig(
        level=logging.INFO if accelerator.is_main_process else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    for chatty in ("accelerate", "datasets", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    transformers_logging.disable_progress_bar()
    hint = idle_cores_hint(
        os.environ,
        device=accelerator.device.type,
        processes=accelerator.num_processes,
        threads=torch.get_num_threads(),
        cores=cpu_count(),
    )
    if hint and not options.run.quiet:
        _logger.info("%s", hint)
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    folder = RunFolder(str(options.run.output_dir))

    with accelerator.main_process_first():
        corpus = load_corpus(
            options.data.config_name,
            str(options.data.data_dir),
            candidates=options.data.candidates,
            forward_pairs=options.data.forward_pairs,
        )
        _logger.info("%s", corpus.statement)
        claimed = folder.claim(options, corpus.fingerprints)
    if folder.finished:
        _logger.info("%s is finished; its results stand. Choose another --output_dir to repeat it.", folder.path)
        return _show(read_results(folder.path), accelerator)
    if options.run.log_with:
        accelerator.init_trackers("iemomecp", config=options.flat())

    prepare = prepare_isolated if options.model.scorer == "isolated" else prepare_dialogue
    try:
        scorer = prepare(options, corpus, accelerator)
    except IemomecpError:
        # Nothing has been trained: the corrected command may use the same folder.
        if claimed and accelerator.is_main_process:
            folder.release()
        raise
    try:
        progress, scored = train(
            accelerator,
            scorer.model,
            _task(options, corpus, scorer),
            folder,
            progress_bar=not options.run.quiet,
            max_hours=options.run.max_hours,
            checkpoint_steps=options.run.checkpoint_steps,
        )
        if not progress.complete:
            return None
        removed = _score_removed(options, corpus, scorer, accelerator)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"The accelerator's memory does not suffice ({str(error).splitlines()[0]}). Lower --batch_size (and raise "
            "--gradient_accumulation_steps by the same factor), --max_tokens or --eval_batch_size, or use "
            "--mixed_precision bf16."
        ) from error
    if accelerator.is_main_process:
        results = _results(options, corpus, scorer, progress, scored)
        _write_run(folder, results, options, corpus, {**scored, **removed}, scorer)
    accelerator.wait_for_everyone()
    if options.run.log_with:
        accelerator.end_training()
    return _show(read_results(folder.path), accelerator)


def _task(options: TrainingOptions, corpus: Corpus, scorer: PreparedScorer) -> TrainingTask:
    weighting = options.objective.class_weighting
    if weighting == "auto":
        weighting = "sqrt" if len(corpus.class_names) > 2 else "none"
    return TrainingTask(
        examples=scorer.examples,
        tables=corpus.tables,
        class_names=corpus.class_names,
        selection_split=corpus.selection_split,
        method=scorer.method,
        class_weights=class_weights_from_counts(corpus.tables["train"], len(corpus.class_names))
        if weighting == "sqrt"
        else None,
        optimisation=options.optimisation,
        seed=options.run.seed,
    )


def _score_removed(
    options: TrainingOptions, corpus: Corpus, scorer: PreparedScorer, accelerator: Accelerator
) -> dict[str, ScoredSplit]:
    """The test split with the candidates' evidence removed, where that is asked for."""
    if not options.run.evidence_removal or scorer.without_evidence is None:
        return {}
    if "test" not in scorer.examples:
        _logger.warning("--evidence_removal scores the test split, which %s lacks.", options.data.data_dir)
        return {}
    method, examples = scorer.without_evidence, scorer.examples["test"]
    processes = Processes(accelerator.num_processes, accelerator.process_index)
    order = method.scoring_order(examples, batch_size=options.optimisation.eval_batch_size, processes=processes)
    loader = loader_of(accelerator, examples, order, method)
    return {"test_removed": score_split(accelerator, method, scorer.model, loader, examples)}


def _results(
    options: TrainingOptions,
    corpus: Corpus,
    scorer: PreparedScorer,
    progress: Progress,
    scored: dict[str, ScoredSplit],
) -> RunResults:
    text = "t" in options.data.modalities
    frozen = scorer.frozen_texts
    return run_results(
        corpus,
        {split: scores.probabilities for split, scores in scored.items() if split != "train"},
        Decision(progress.threshold, _threshold_origin(options, corpus)),
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
        more_counts=scorer.truncated,
        extra={"peak_gpu_memory_mb": torch.cuda.max_memory_allocated() / 2**20} if torch.cuda.is_available() else {},
        versions=library_versions(),
        git_revision=code_revision(),
        wall_seconds=progress.seconds,
        peak_memory_mb=peak_memory_mb(),
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
    )


def _threshold_origin(options: TrainingOptions, corpus: Corpus) -> str | None:
    if options.optimisation.decision == "argmax":
        return None
    return corpus.selection_split if options.optimisation.threshold is None else "fixed"


def _write_run(
    folder: RunFolder,
    results: RunResults,
    options: TrainingOptions,
    corpus: Corpus,
    scored: dict[str, ScoredSplit],
    scorer: PreparedScorer,
) -> None:
    decision = Decision(results.threshold["value"], results.threshold["chosen_on"])
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
            evidence="candidate removed" if name != split else None,
        )
    scorer.model.save_pretrained(folder.path / "model")
    if scorer.model.text_encoder is not None and scorer.encoder is not None:
        scorer.encoder.tokenizer.save_pretrained(folder.path / "model")
    (folder.path / "model" / "README.md").write_text(model_card(results, options), encoding="utf-8")
    write_results(folder.path / "results.json", results)
    folder.remove_checkpoints()


def _show(results: RunResults, accelerator: Accelerator) -> RunResults:
    from iemomecp_dataset.benchmark.results_table import results_table

    if accelerator.is_main_process:
        print(results_table([results]))
    return results
