"""One training run, from options to ``results.json``."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import set_seed
from transformers.utils import logging as transformers_logging

from iemomecp_dataset.benchmark.results import RunResults, read_results, write_results
from iemomecp_dataset.benchmark.structural import SplitTables, structural_scores, structural_systems, utterance_table
from iemomecp_dataset.metrics.run_signature import run_signature
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.trainers.batching import Collator, UtteranceInputs
from iemomecp_dataset.trainers.class_weights import class_weights_from_counts
from iemomecp_dataset.trainers.corpus import Corpus, load_corpus, load_features
from iemomecp_dataset.trainers.dialogue_examples import DialogueExample, dialogue_examples
from iemomecp_dataset.trainers.dialogue_scorer import Corruption, DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.engine import Progress, TrainingTask, train
from iemomecp_dataset.trainers.layer_pooling import parse_layers
from iemomecp_dataset.trainers.objectives import ObjectiveWeights, resolve_objective
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.predictions import write_predictions
from iemomecp_dataset.trainers.provenance import code_revision, library_versions, peak_memory_mb
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.scoring_batches import ScoredSplit
from iemomecp_dataset.trainers.text_encoding import (
    TextEncoder,
    TokenisedTexts,
    encode_texts,
    load_text_encoder,
    tokenise_texts,
)

__all__ = ["run"]

_logger = logging.getLogger(__name__)


def run(options: TrainingOptions) -> RunResults:
    """Trains and evaluates one run, or continues it, or says that it is finished.

    Args:
        options: Everything about the run; already checked.

    Returns:
        The results, as written to ``results.json``.

    Raises:
        IemomecpError: Something that the user can put right.
    """
    accelerator = Accelerator(
        mixed_precision=options.optimisation.mixed_precision,
        gradient_accumulation_steps=options.optimisation.gradient_accumulation_steps,
        log_with=options.run.log_with,
        project_dir=options.run.output_dir,
        # Encoder layers above the highest pooled one get no gradient.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    logging.basicConfig(
        level=logging.INFO if accelerator.is_main_process else logging.ERROR, format="%(message)s", stream=sys.stderr
    )
    for chatty in ("accelerate", "datasets", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    transformers_logging.disable_progress_bar()
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    folder = RunFolder(str(options.run.output_dir))

    with accelerator.main_process_first():
        corpus = load_corpus(options.data)
        _logger.info("%s", corpus.statement)
        folder.claim(options, corpus.fingerprints)
    if folder.finished:
        _logger.info("%s is finished; its results stand. Choose another --output_dir to repeat it.", folder.path)
        return _show(read_results(folder.path), accelerator)
    if options.run.log_with:
        accelerator.init_trackers("iemomecp", config=options.flat())

    examples = {
        split: dialogue_examples(rows, corpus.emotion_names, options.objective.emotion_target)
        for split, rows in corpus.rows.items()
    }
    inputs, encoder, tokens, layers = _utterance_inputs(options, examples, accelerator)
    # The encoder's loading may draw random numbers; everything from here on depends on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    model = _build_model(options, corpus, inputs, encoder, layers)
    progress, scored = train(
        accelerator,
        model,
        _task(options, corpus, examples),
        Collator(inputs),
        folder,
        progress_bar=not options.run.quiet,
    )
    if accelerator.is_main_process:
        results = _results(options, corpus, inputs, tokens, progress, scored)
        _write_run(folder, results, corpus, scored, model, encoder)
    accelerator.wait_for_everyone()
    if options.run.log_with:
        accelerator.end_training()
    return _show(read_results(folder.path), accelerator)


def _utterance_inputs(
    options: TrainingOptions, examples: dict[str, list[DialogueExample]], accelerator: Accelerator
) -> tuple[UtteranceInputs, TextEncoder | None, TokenisedTexts | None, list[int]]:
    """Tokens or frozen features of the texts, and the vectors of the other modalities."""
    utterance_ids = [key for dialogues in examples.values() for dialogue in dialogues for key in dialogue.utterance_ids]
    vectors, sizes = load_features(options.data, utterance_ids)
    if "t" not in options.data.modalities:
        return UtteranceInputs(features=vectors, feature_sizes=sizes), None, None, []
    encoder = load_text_encoder(options.model.text_encoder)
    layers = parse_layers(options.model.text_layers, encoder.num_layers)
    texts = [text for dialogues in examples.values() for dialogue in dialogues for text in dialogue.texts]
    tokens = tokenise_texts(texts, encoder.tokenizer, options.model.max_tokens)
    if options.model.encoder_mode == "trained":
        return UtteranceInputs(text_tokens=tokens, features=vectors, feature_sizes=sizes), encoder, tokens, layers
    cache = Path(options.run.cache_dir or os.environ.get("IEMOMECP_CACHE") or Path.home() / ".cache" / "iemomecp")
    with accelerator.main_process_first():
        features = encode_texts(
            tokens,
            encoder,
            layers,
            device=accelerator.device,
            cache_dir=cache,
            progress=accelerator.is_main_process and not options.run.quiet,
        )
    return UtteranceInputs(text_features=features, features=vectors, feature_sizes=sizes), encoder, tokens, layers


def _build_model(
    options: TrainingOptions,
    corpus: Corpus,
    inputs: UtteranceInputs,
    encoder: TextEncoder | None,
    layers: list[int],
) -> DialogueScorer:
    shape = options.model
    trained = inputs.text_tokens is not None and encoder is not None
    config = DialogueScorerConfig(
        class_names=list(corpus.class_names),
        text_size=encoder.width * len(layers) if encoder else 0,
        audio_size=(inputs.feature_sizes or {}).get("audio", 0),
        video_size=(inputs.feature_sizes or {}).get("video", 0),
        text_encoder=encoder.model.config.to_dict() if encoder and trained else None,
        text_encoder_name=encoder.name if encoder else None,
        text_layers=layers or None,
        max_tokens=shape.max_tokens,
        hidden_size=shape.hidden_size,
        num_layers=shape.num_layers,
        num_heads=shape.num_heads,
        dropout=shape.dropout,
        pair_size=shape.pair_size,
        bilinear_size=shape.bilinear_size,
        max_distance=shape.max_distance,
    )
    model = DialogueScorer(config)
    if encoder and trained:
        model.use_text_encoder(encoder.model)
    return model


def _task(options: TrainingOptions, corpus: Corpus, examples: dict[str, list[DialogueExample]]) -> TrainingTask:
    objective = resolve_objective(options.objective.objective)
    weighting = options.objective.class_weighting
    if weighting == "auto":
        weighting = "sqrt" if len(corpus.class_names) > 2 else "none"
    return TrainingTask(
        examples=examples,
        tables=corpus.tables,
        class_names=corpus.class_names,
        selection_split=corpus.selection_split,
        objective=objective,
        weights=ObjectiveWeights(
            base_margin=options.objective.base_margin,
            top_k=options.objective.top_k,
            corruption_rate=options.objective.corruption_rate,
            ranking_weight=options.objective.ranking_weight,
            corrupted_supervision_weight=options.objective.corrupted_supervision_weight,
            alignment_weight=options.objective.alignment_weight,
        ),
        corruption=Corruption(
            options.objective.corruption_rate, objective.protect_gold, options.objective.corruption_point
        )
        if objective.corruption
        else None,
        class_weights=class_weights_from_counts(corpus.tables["train"], len(corpus.class_names))
        if weighting == "sqrt"
        else None,
        optimisation=options.optimisation,
        seed=options.run.seed,
    )


def _results(
    options: TrainingOptions,
    corpus: Corpus,
    inputs: UtteranceInputs,
    tokens: TokenisedTexts | None,
    progress: Progress,
    scored: dict[str, ScoredSplit],
) -> RunResults:
    text = "t" in options.data.modalities
    reported = {split: scores for split, scores in scored.items() if split != "train"}
    return RunResults(
        run_name=options.run.run_name or Path(str(options.run.output_dir)).name,
        corpus=corpus.name,
        config_name=corpus.config_name,
        class_names=corpus.class_names,
        synthetic=corpus.synthetic,
        data_statement=corpus.statement,
        definition=corpus.definition,
        candidates=corpus.candidates,
        scorer=options.model.scorer,
        objective=options.objective.objective,
        modalities=options.data.modalities,
        text_encoder=options.model.text_encoder if text else "none",
        encoder_mode=options.model.encoder_mode if text else "none",
        seed=options.run.seed,
        threshold={
            "value": progress.threshold,
            "chosen_on": _threshold_origin(options, corpus),
        },
        metrics={
            split: pair_scores(
                scores.probabilities,
                corpus.tables[split].labels,
                corpus.class_names,
                threshold=progress.threshold,
                missed_positives=corpus.tables[split].missed_positives,
            )
            for split, scores in reported.items()
        },
        missing_splits=corpus.missing_splits,
        counts=_counts(corpus, tokens),
        structural_baselines=_structural_baselines(options, corpus, inputs),
        data_fingerprint=corpus.fingerprints,
        versions=library_versions(),
        git_revision=code_revision(),
        wall_seconds=progress.seconds,
        peak_memory_mb=peak_memory_mb(),
        best_epoch=progress.best_epoch,
        epochs=progress.epoch,
        license_text_shareable=corpus.synthetic,
        extra={"signatures": {split: _signature(options, corpus, progress, split) for split in reported}}
        | ({"peak_gpu_memory_mb": torch.cuda.max_memory_allocated() / 2**20} if torch.cuda.is_available() else {}),
    )


def _signature(options: TrainingOptions, corpus: Corpus, progress: Progress, split: str) -> str:
    """What the scores of a split are comparable with, as one line."""
    if corpus.name == "iemomecp":
        forward_pairs = options.data.forward_pairs or "as_published"
    else:
        forward_pairs = options.data.candidates or "all"
    signature = run_signature(
        corpus.rows[split],
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        definition=corpus.definition,
        threshold=progress.threshold,
        threshold_chosen_on=_threshold_origin(options, corpus),
        forward_pairs=forward_pairs,
        synthetic=corpus.synthetic,
    )
    return str(signature)


def _threshold_origin(options: TrainingOptions, corpus: Corpus) -> str:
    return corpus.selection_split if options.optimisation.threshold is None else "fixed"


def _counts(corpus: Corpus, tokens: TokenisedTexts | None) -> dict[str, dict[str, int]]:
    counts = {}
    for split, rows in corpus.rows.items():
        table = corpus.tables[split]
        texts = [utterance["text"] for row in rows for utterance in row["utterances"]]
        counts[split] = {
            "dialogues": len(rows),
            "utterances": len(texts),
            "candidates": len(table),
            "gold_pairs": int((table.labels == 0).sum()) + table.missed_positives,
            "missed_positives": table.missed_positives,
            "truncated_utterances": sum(text in tokens.truncated for text in texts) if tokens else 0,
        }
    return counts


def _structural_baselines(options: TrainingOptions, corpus: Corpus, inputs: UtteranceInputs) -> dict[str, Any]:
    """The bar to beat, on the same pairs: fitted on train, thresholds from validation."""
    frozen = inputs.text_features
    splits = {
        split: SplitTables(
            corpus.tables[split],
            utterance_table(
                rows,
                corpus.emotion_names,
                np.stack([frozen[u["text"] or ""] for row in rows for u in row["utterances"]])
                if frozen is not None
                else None,
            ),
        )
        for split, rows in corpus.rows.items()
    }
    source = f"frozen {Path(options.model.text_encoder).name}" if frozen is not None else "TF-IDF"
    systems = structural_systems(
        splits["train"], {s: t for s, t in splits.items() if s != "train"}, corpus.class_names, source
    )
    return structural_scores(systems, corpus.tables, corpus.class_names)


def _write_run(
    folder: RunFolder,
    results: RunResults,
    corpus: Corpus,
    scored: dict[str, ScoredSplit],
    model: DialogueScorer,
    encoder: TextEncoder | None,
) -> None:
    for split, scores in scored.items():
        if split == "train":
            continue
        table = corpus.tables[split]
        write_predictions(
            folder.path / f"predictions_{split}.parquet",
            table,
            scores.probabilities,
            corpus.class_names,
            {
                "corpus": corpus.name,
                "config_name": corpus.config_name,
                "split": split,
                "class_names": list(corpus.class_names),
                "threshold": results.threshold["value"],
                "threshold_chosen_on": results.threshold["chosen_on"],
                "missed_positives": table.missed_positives,
                "data_fingerprint": corpus.fingerprints[split],
                "synthetic": corpus.synthetic,
                "definition": corpus.definition,
                "candidates": corpus.candidates,
            },
        )
    model.save_pretrained(folder.path / "model")
    if model.text_encoder is not None and encoder is not None:
        encoder.tokenizer.save_pretrained(folder.path / "model")
    write_results(folder.path / "results.json", results)
    folder.remove_checkpoints()


def _show(results: RunResults, accelerator: Accelerator) -> RunResults:
    from iemomecp_dataset.benchmark.results_table import results_table

    if accelerator.is_main_process:
        print(results_table([results]))
    return results
