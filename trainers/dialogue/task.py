"""How the dialogue scorer is trained: mini-batches of dialogues, all terms of an objective."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.trainers.dialogue.data import Collator, DialogueExample, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.dialogue.pair_heads import distance_log_rates
from iemomecp_dataset.trainers.encoders.pooling import parse_layers
from iemomecp_dataset.trainers.encoders.text import (
    TextEncoder,
    TokenisedTexts,
    chunk_tokens_on,
    encode_texts,
    load_text_encoder,
    tokenise_texts,
)
from iemomecp_dataset.trainers.encoders.vectors import load_features
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest, load_initial_weights
from iemomecp_dataset.trainers.objectives import (
    Objective,
    ObjectiveWeights,
    Pooling,
    objective_terms,
    resolve_objective,
    supervised_extraction,
)
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import RandomBatches
from iemomecp_dataset.trainers.training.task import Batch, Examples, PreparedScorer

__all__ = ["MODEL_INPUTS", "DialogueMethod", "model_inputs", "prepare_dialogue"]

MODEL_INPUTS = (
    "mask",
    "speakers",
    "valid",
    "text",
    "text_tokens",
    "text_order",
    "audio",
    "audio_present",
    "video",
    "video_present",
)
"""Entries of a batch that a scorer takes; the rest are labels."""


@dataclass(frozen=True)
class DialogueMethod:
    """The dialogue scorer's :class:`~iemomecp_dataset.trainers.training.task.ScoringMethod`.

    Attributes:
        collator: Pads dialogues.
        objective: Terms of the loss.
        weights: Their weights.
        corruption: How the corrupted view is made, where the objective has one.
    """

    collator: Collator
    objective: Objective
    weights: ObjectiveWeights
    corruption: Corruption | None
    unit: str = "dialogue"

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> RandomBatches:
        """Random mini-batches, shared out by what their dialogues cost."""
        costs = self._costs(examples)
        return RandomBatches(len(examples), batch_size, seed=seed, processes=processes, costs=costs)

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> RandomBatches:
        """Mini-batches in the order of the split, shared out by what their dialogues cost."""
        costs = self._costs(examples)
        return RandomBatches(len(examples), batch_size, shuffle=False, processes=processes, costs=costs)

    def collate(self, batch: list[tuple[int, DialogueExample]]) -> Batch:
        """Pads dialogues to the longest."""
        return self.collator(batch)

    def terms(
        self, model: nn.Module, batch: Batch, class_weights: Tensor | None, pool: Pooling
    ) -> Mapping[str, Tensor]:
        """Weighted terms of the objective."""
        scores = model(**model_inputs(batch), gold=batch["gold"], corruption=self.corruption)
        return objective_terms(
            self.objective,
            self.weights,
            emotion_logits=scores.emotion_logits,
            cause_logits=scores.cause_logits,
            pair_logits=scores.pair_logits,
            corrupted_pair_logits=scores.corrupted_pair_logits,
            emotion_labels=batch["emotion_labels"],
            cause_labels=batch["cause_labels"],
            pair_labels=batch["labels"],
            mask=batch["mask"],
            valid=batch["valid"],
            pair_class_weights=class_weights,
            pool=pool,
        )

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Probabilities of the candidate pairs of each dialogue, in the row's order."""
        scores = model(**model_inputs(batch))
        loss = supervised_extraction(
            scores.emotion_logits,
            scores.cause_logits,
            scores.pair_logits,
            batch["emotion_labels"],
            batch["cause_labels"],
            batch["labels"],
            batch["mask"],
            batch["valid"],
        )
        matrices = scores.pair_logits.double().softmax(dim=-1).cpu().numpy()
        found = []
        for position, matrix in zip(batch["position"].tolist(), matrices, strict=True):
            example = examples[position if position >= 0 else ~position]
            found.append((position, matrix[example.targets, example.causes]))
        return found, loss.item()

    def _costs(self, examples: Examples) -> list[int]:
        return [self.collator.cost(examples[position]) for position in range(len(examples))]


def model_inputs(batch: Batch) -> Batch:
    """The part of a batch that a scorer takes."""
    return {name: batch[name] for name in MODEL_INPUTS if name in batch}


def prepare_dialogue(options: TrainingOptions, corpus: Corpus, accelerator: Accelerator) -> PreparedScorer:
    """Builds examples, inputs and model.

    Raises:
        IemomecpError: An encoder or features that are not there, or do not fit.
    """
    examples = {
        split: dialogue_examples(rows, corpus.emotion_names, options.objective.emotion_target)
        for split, rows in corpus.rows.items()
    }
    inputs, encoder, tokens, layers = _utterance_inputs(options, examples, accelerator)
    # The encoder's loading may draw random numbers; everything from here on depends on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    model = _build_model(options, corpus, inputs, encoder, layers)
    # From here on each process draws its own dropout masks; the first one's are those of a run alone.
    set_seed(options.run.seed, device_specific=True, deterministic=options.run.deterministic)
    objective = resolve_objective(options.objective.objective)
    method = DialogueMethod(
        collator=Collator(inputs, chunk_tokens_on(accelerator.device)),
        objective=objective,
        weights=ObjectiveWeights(
            base_margin=options.objective.base_margin,
            top_k=options.objective.top_k,
            corruption_rate=options.objective.corruption_rate,
            ranking_weight=options.objective.ranking_weight,
            corrupted_supervision_weight=options.objective.corrupted_supervision_weight,
            alignment_weight=options.objective.alignment_weight,
            context_ranking_weight=options.objective.context_ranking_weight,
        ),
        corruption=Corruption(
            options.objective.corruption_rate, objective.protect_gold, options.objective.corruption_point
        )
        if objective.corruption
        else None,
    )
    cut = tokens.truncated if tokens else frozenset()
    return PreparedScorer(
        model=model,
        method=method,
        examples=examples,
        truncated={
            split: {"truncated_utterances": sum(text in cut for dialogue in dialogues for text in dialogue.texts)}
            for split, dialogues in examples.items()
        },
        encoder=encoder,
        frozen_texts=inputs.text_features,
    )


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
        pair_scorer=shape.pair_scorer,
        pair_size=shape.pair_size,
        bilinear_size=shape.bilinear_size,
        pair_refinement=shape.pair_refinement,
        max_distance=shape.max_distance,
    )
    model = DialogueScorer(config)
    if encoder and trained:
        model.use_text_encoder(encoder.model)
        freeze_lowest(encoder.model, shape.frozen_layers)
    if shape.distance_prior:
        rates = distance_log_rates(corpus.tables["train"], len(corpus.class_names), shape.max_distance)
        model.pair_scorer.begin_at(torch.from_numpy(rates))
    if shape.init_from:
        load_initial_weights(model, shape.init_from)
    return model
