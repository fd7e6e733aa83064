"""The task of the isolated scorer: mini-batches of pairs, weighted cross entropy, and what it takes to build them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.trainers.encoders.text import (
    TextEncoder,
    chunk_tokens_on,
    length_chunks,
    load_saved_tokenizer,
    load_text_encoder,
)
from iemomecp_dataset.trainers.encoders.vectors import load_features
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest, load_initial_weights
from iemomecp_dataset.trainers.isolated.data import PairExample, PairExamples, SpokenUtterances, pair_examples
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
from iemomecp_dataset.trainers.isolated.segments import Segments, tokenize_segments
from iemomecp_dataset.trainers.objectives import Pooling, mean_cross_entropy, pooled_here
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.pairs import pair_class_weights, pair_selection
from iemomecp_dataset.trainers.training.samplers import BatchOrder, LengthBatches, RandomBatches
from iemomecp_dataset.trainers.training.task import Batch, Examples, TrainingTask

__all__ = [
    "IsolatedStrategy",
    "UtteranceVectors",
    "prepare_isolated",
    "prepare_isolated_inference",
    "utterance_vectors",
]

_WHOLE_BATCH = 1 << 30


@dataclass(frozen=True)
class UtteranceVectors:
    """Vectors of one modality, one row an utterance; pairs refer to rows.

    Attributes:
        vectors: ``(U, D)`` float32, zero where there is none.
        present: ``(U,)`` bool.
    """

    vectors: NDArray[np.float32]
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class IsolatedStrategy:
    """Batches, trains and scores single pairs; a :class:`~iemomecp_dataset.trainers.training.task.Strategy`.

    Attributes:
        segments: Token ids of the pairs' texts, or none without text.
        vectors: Vectors by modality.
        removed: Whether the candidate's vectors are zero, to score without evidence. (Its text is removed in the
            segments.)
        batch_tokens: Padded tokens of a training mini-batch of pairs of similar length; ``None`` for the published
            random mini-batches of one size.
        chunk_tokens: Padded tokens per chunk of similar lengths in which a mini-batch is encoded, which saves padding
            and changes no result; ``None`` encodes it in one piece.
        class_weights: ``(C,)`` weights of the classes in the loss, or None.
    """

    segments: Segments | None
    vectors: Mapping[str, UtteranceVectors]
    removed: bool = False
    batch_tokens: int | None = None
    chunk_tokens: int | None = None
    class_weights: Tensor | None = None
    unit: str = "pair"

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> BatchOrder:
        """Random mini-batches, or those of a token budget."""
        lengths = None if self.segments is None else self._lengths(examples)
        if self.batch_tokens is None or lengths is None:
            return RandomBatches(len(examples), batch_size, seed=seed, processes=processes, costs=lengths)
        return LengthBatches(lengths, self.batch_tokens, seed=seed, processes=processes)

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> BatchOrder:
        """Length-sorted mini-batches; order is irrelevant at inference."""
        if self.segments is None:
            return RandomBatches(len(examples), batch_size, shuffle=False, processes=processes)
        lengths = self._lengths(examples)
        return LengthBatches(lengths, batch_size * int(np.mean(lengths)), shuffle=False, processes=processes)

    def collate(self, batch: Sequence[tuple[int, PairExample]]) -> Batch:
        """Gathers what the pairs refer to.

        Args:
            batch: Positions in the split, and pairs.

        Returns:
            ``position``, ``labels`` ``(B,)``, and the inputs of :meth:`IsolatedScorer.forward`.
        """
        pairs = np.array([(pair.target, pair.candidate) for _, pair in batch], dtype=np.int64)
        tensors: Batch = {
            "position": torch.tensor([position for position, _ in batch]),
            "labels": torch.tensor([pair.label for _, pair in batch]),
            "inputs": {},
        }
        inputs = tensors["inputs"]
        if self.segments is not None:
            sequences = [self.segments.ids(target, candidate) for target, candidate in pairs.tolist()]
            inputs["text_tokens"], inputs["text_order"] = length_chunks(
                sequences, self.segments.pad_id, self.chunk_tokens or _WHOLE_BATCH
            )
        for modality, utterances in self.vectors.items():
            gathered, present = utterances.vectors[pairs], utterances.present[pairs]
            if self.removed:
                gathered[:, 1], present[:, 1] = 0.0, True
            inputs[modality] = torch.from_numpy(gathered)
            inputs[f"{modality}_present"] = torch.from_numpy(present)
        return tensors

    def cut(self, examples: PairExamples) -> NDArray[np.bool_]:
        """``(P,)`` whether a pair's segment is longer than allowed, so that its end, the candidate, is cut."""
        if self.segments is None:
            return np.zeros(len(examples), dtype=np.bool_)
        full = self.segments.full_lengths(examples.targets, examples.candidates)
        return np.asarray(full > self.segments.max_tokens)

    def terms(self, model: nn.Module, batch: Batch, pool: Pooling) -> Mapping[str, Tensor]:
        """Cross entropy, weighted by class as in torch's weighted mean."""
        return {"supervised": self._loss(model(**batch["inputs"]).logits, batch, self.class_weights, pool)}

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Probabilities of each pair, a matrix of one row."""
        logits = model(**batch["inputs"]).logits
        rows = logits.double().softmax(dim=-1).cpu().numpy()
        found = list(zip(batch["position"].tolist(), rows[:, None], strict=True))
        return found, self._loss(logits, batch, None, pooled_here).item()

    @staticmethod
    def _loss(logits: Tensor, batch: Batch, class_weights: Tensor | None, pool: Pooling) -> Tensor:
        labels = batch["labels"]
        return mean_cross_entropy(logits, labels, torch.ones_like(labels, dtype=torch.bool), class_weights, pool=pool)

    def _lengths(self, examples: Examples) -> list[int]:
        assert self.segments is not None
        assert isinstance(examples, PairExamples)
        full = self.segments.full_lengths(examples.targets, examples.candidates)
        return [int(length) for length in np.minimum(full, self.segments.max_tokens)]


def utterance_vectors(
    utterance_ids: Sequence[str], vectors: Mapping[str, NDArray[np.float32]], size: int
) -> UtteranceVectors:
    """Lays vectors out by utterance.

    Args:
        utterance_ids: All utterances.
        vectors: ``(size,)`` by utterance id; a missing id has no vector.
        size: Their width.
    """
    laid_out = np.zeros((len(utterance_ids), size), dtype=np.float32)
    present = np.zeros(len(utterance_ids), dtype=np.bool_)
    for row, key in enumerate(utterance_ids):
        if key in vectors:
            laid_out[row] = vectors[key]
            present[row] = True
    return UtteranceVectors(laid_out, present)


def prepare_isolated(
    options: TrainingOptions, corpus: Corpus, accelerator: Accelerator, model_class: type[IsolatedScorer]
) -> TrainingTask:
    """Builds model, strategy and examples for training the isolated scorer.

    Args:
        options: The run's options.
        corpus: The data.
        accelerator: Device and processes.
        model_class: The ``PreTrainedModel``.

    Raises:
        IemomecpError: An encoder or features are missing, or do not fit.
    """
    utterances, examples = pair_examples(corpus.rows)
    vectors, sizes = load_features(options.data, utterances.ids, synthetic=corpus.synthetic)
    # An encoder without trained pooler gets a random one: it depends on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    encoder = load_text_encoder(options.model.text_encoder) if "t" in options.data.modalities else None
    segments = _segments(options, utterances, examples, encoder)
    strategy = IsolatedStrategy(
        segments=segments,
        vectors={name: utterance_vectors(utterances.ids, found, sizes[name]) for name, found in vectors.items()},
        batch_tokens=options.optimization.batch_tokens,
        chunk_tokens=chunk_tokens_on(accelerator.device),
        class_weights=pair_class_weights(options.objective.class_weighting, corpus, accelerator.device),
    )
    removed = None
    if options.run.evidence_removal:
        removed = replace(strategy, removed=True, segments=_segments(options, utterances, examples, encoder, True))
    model = model_class(
        IsolatedScorerConfig(
            class_names=list(corpus.class_names),
            text_encoder=encoder.model.config.to_dict() if encoder else None,
            text_encoder_name=encoder.name if encoder else None,
            segment_pooling=options.model.segment_pooling,
            max_tokens=options.model.max_tokens,
            audio_size=sizes.get("audio", 0),
            video_size=sizes.get("video", 0),
            hidden_size=options.model.hidden_size,
            dropout=options.model.dropout,
        )
    )
    if encoder:
        model.use_text_encoder(encoder.model)
        freeze_lowest(encoder.model, options.model.frozen_layers)
    if options.model.init_from:
        load_initial_weights(model, options.model.init_from)
    # From here on each process draws its own dropout masks; the first one's are those of a run alone.
    set_seed(options.run.seed, device_specific=True, deterministic=options.run.deterministic)
    return TrainingTask(
        model=model,
        strategy=strategy,
        examples=examples,
        selection_split=corpus.selection_split,
        selection=pair_selection(corpus, options.optimization),
        truncated={split: _truncated(pairs, strategy) for split, pairs in examples.items()},
        encoder=encoder,
        without_evidence=removed,
    )


def prepare_isolated_inference(
    model: IsolatedScorer,
    rows: Sequence[Mapping[str, Any]],
    vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
    text_encoder: str | TextEncoder | None,
) -> TrainingTask:
    """Builds strategy and examples for using a trained isolated scorer.

    Args:
        model: The scorer.
        rows: Dialogues, with the pairs to score.
        vectors: Audio and video vectors by modality and utterance id.
        text_encoder: Its tokenizer is used, where it is loaded already; the encoder itself is saved with the scorer.
    """
    utterances, examples = pair_examples({"test": rows})
    pairs = examples["test"]
    segments = None
    if model.text_encoder is not None:
        tokenizer = text_encoder.tokenizer if isinstance(text_encoder, TextEncoder) else load_saved_tokenizer(model)
        segments = tokenize_segments(
            utterances.spoken, pairs.targets, pairs.candidates, tokenizer, model.config.max_tokens
        )
    laid_out = {
        name: utterance_vectors(utterances.ids, found, int(getattr(model.config, f"{name}_size")))
        for name, found in vectors.items()
    }
    return TrainingTask(
        model, IsolatedStrategy(segments, laid_out, chunk_tokens=chunk_tokens_on(model.device)), examples
    )


def _segments(
    options: TrainingOptions,
    utterances: SpokenUtterances,
    examples: dict[str, PairExamples],
    encoder: TextEncoder | None,
    removed: bool = False,
) -> Segments | None:
    if encoder is None:
        return None
    return tokenize_segments(
        utterances.spoken,
        np.concatenate([pairs.targets for pairs in examples.values()]),
        np.concatenate([pairs.candidates for pairs in examples.values()]),
        encoder.tokenizer,
        options.model.max_tokens,
        removed=removed,
    )


def _truncated(pairs: PairExamples, strategy: IsolatedStrategy) -> dict[str, int]:
    """How many pairs' segments are cut, and of how many utterances: a segment is cut at its end, the candidate."""
    cut = strategy.cut(pairs)
    return {"truncated_utterances": len(np.unique(pairs.candidates[cut])), "truncated_pairs": int(cut.sum())}
