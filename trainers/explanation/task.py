"""The task of explanations: mini-batches of prompts with answers, and the loss of the answers' tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.trainers.explanation.encoding import EncodedItem, ExplanationEncoder, Vectors
from iemomecp_dataset.trainers.explanation.inputs import ExplanationInputs, read_inputs
from iemomecp_dataset.trainers.explanation.items import Key, explanation_items
from iemomecp_dataset.trainers.explanation.language_model import load_language_tokenizer
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem
from iemomecp_dataset.trainers.objectives import Pooling
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import RandomBatches
from iemomecp_dataset.trainers.training.task import Batch, Examples, Selected, TrainingTask

__all__ = ["ExplanationExample", "ExplanationStrategy", "prepare_explanations", "token_loss_selection"]


@dataclass(frozen=True)
class ExplanationExample:
    """One explanation to learn or to write.

    Attributes:
        item: What is known about the target.
        encoded: Its prompt and answer as token ids.
    """

    item: ExplanationItem
    encoded: EncodedItem

    @property
    def dialogue_id(self) -> str:
        """Where it is from, for messages."""
        return self.item.dialogue_id

    def __len__(self) -> int:
        return len(self.encoded.input_ids)


@dataclass(frozen=True)
class ExplanationStrategy:
    """Batches, trains and scores explanations; a :class:`~iemomecp_dataset.trainers.training.task.Strategy`.

    Attributes:
        encoder: Makes mini-batches, here and where explanations are written.
        frames: Frame tokens by utterance id; None without.
        faces: Face vectors by utterance id; None without.
        causes: By dialogue and target turn the cause turns that another run predicted, for the row of the table that
            copies them; None without.
    """

    encoder: ExplanationEncoder
    frames: Vectors | None = None
    faces: Vectors | None = None
    causes: Mapping[Key, Sequence[int]] | None = None
    unit: str = "explanation"

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> RandomBatches:
        """Random mini-batches, sharded so that processes have about the same cost."""
        return RandomBatches(len(examples), batch_size, seed=seed, processes=processes, costs=_lengths(examples))

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> RandomBatches:
        """Mini-batches in the order of the split, sharded by cost."""
        return RandomBatches(len(examples), batch_size, shuffle=False, processes=processes, costs=_lengths(examples))

    def collate(self, batch: list[tuple[int, Any]]) -> Batch:
        """Pads prompts with answers to the longest."""
        inputs = self.encoder.collate([example.encoded for _, example in batch], self.frames, self.faces)
        return {"position": torch.tensor([position for position, _ in batch]), "inputs": inputs}

    def terms(self, model: nn.Module, batch: Batch, pool: Pooling) -> Mapping[str, Tensor]:
        """The mean loss per token of the answers, its only term."""
        output = model(**batch["inputs"])
        return {"tokens": pool(output.token_losses.sum(), output.token_counts.sum().to(output.token_losses.dtype))}

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """For each example ``(1, 2)``: the summed loss of its answer's tokens, and how many they are."""
        output = model(**batch["inputs"])
        pairs = torch.stack([output.token_losses.double(), output.token_counts.double()], dim=1).cpu().numpy()
        found = [(position, pair[None]) for position, pair in zip(batch["position"].tolist(), pairs, strict=True)]
        return found, float(pairs[:, 0].sum() / max(pairs[:, 1].sum(), 1))


def _lengths(examples: Examples) -> list[int]:
    return [len(examples[position]) for position in range(len(examples))]


def token_loss_selection(scored: NDArray[np.float64]) -> Selected:
    """Selects the epoch with the lowest loss per token.

    Args:
        scored: ``(m, 2)``: summed loss and number of tokens of each answer.

    Example:
        >>> found = token_loss_selection(np.array([[1.0, 2.0], [3.0, 6.0]]))
        >>> found.value, round(found.scores["perplexity"], 4)
        (-0.5, 1.6487)
    """
    loss = float(scored[:, 0].sum() / scored[:, 1].sum())
    return Selected(scores={"token_loss": loss, "perplexity": exp(min(loss, 700.0))}, value=-loss, loss=loss)


def prepare_explanations(
    options: ExplanationTrainingOptions, corpus: Corpus, accelerator: Accelerator, model_class: Any
) -> TrainingTask:
    """Builds model, strategy and examples for training a model of explanations.

    Args:
        options: The run's options.
        corpus: The data.
        accelerator: Device and processes.
        model_class: The ``PreTrainedModel``.

    Raises:
        IemomecpError: A model or what is read beside the dialogues is missing, or does not fit.
    """
    model_options = options.model
    inputs = read_inputs(options, corpus)
    tokenizer = load_language_tokenizer(str(model_options.language_model), gguf_file=model_options.gguf_file)
    # Adapters and projector depend on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    model = model_class.from_parts(
        model_options.language_model,
        gguf_file=model_options.gguf_file,
        frame_size=inputs.frame_size,
        face_size=inputs.face_size,
        projector=model_options.projector,
        tuning=model_options.tuning,
        lora_rank=model_options.lora_rank,
        lora_alpha=model_options.lora_alpha,
        lora_dropout=model_options.lora_dropout,
        max_length=model_options.max_length,
    )
    # What a prompt is made of, for using the model.
    for name in ("context_turns", "chat_template", "emotion", "causes"):
        setattr(model.config, name, getattr(model_options, name))
    model.config.emotion_names = list(corpus.emotion_names)
    # How faces enter, which turns are shuffled, and how the run writes; at the top of a configuration, transformers
    # would take the last two for settings of its own.
    model.config.faces, model.config.shuffle_seed = options.faces, options.run.seed
    model.config.writing = {name: getattr(options.objective, name) for name in ("max_new_tokens", "num_beams")}
    encoder = ExplanationEncoder(
        tokenizer,
        max_length=model_options.max_length,
        has_video=model.config.has_video,
        chat_template=model_options.chat_template,
        encoder_decoder=model.encoder_decoder,
    )
    # From here on each process draws its own dropout masks; the first one's are those of a run alone.
    set_seed(options.run.seed, device_specific=True, deterministic=options.run.deterministic)
    examples = {
        split: [ExplanationExample(item, encoder.encode(item)) for item in _items(options, corpus, split, inputs)]
        for split in corpus.rows
    }
    examples = {split: found for split, found in examples.items() if found}
    return TrainingTask(
        model=model,
        strategy=ExplanationStrategy(encoder, inputs.frames, inputs.faces, inputs.causes),
        examples=examples,
        selection=token_loss_selection if "validation" in examples else None,
        truncated={split: _counts(options, found, inputs, split) for split, found in examples.items()},
        tokenizer=tokenizer,
    )


def _items(
    options: ExplanationTrainingOptions, corpus: Corpus, split: str, inputs: ExplanationInputs
) -> list[ExplanationItem]:
    return explanation_items(
        corpus.rows[split],
        corpus.emotion_names,
        context_turns=options.model.context_turns,
        emotion=options.model.emotion,
        causes=options.model.causes,
        seed=options.run.seed,
        predicted_emotions=inputs.emotions,
        predicted_causes=inputs.causes,
        faces=inputs.face_lines,
    )


def _counts(
    options: ExplanationTrainingOptions, examples: list[ExplanationExample], inputs: ExplanationInputs, split: str
) -> dict[str, int]:
    """What the record counts: context that was left out, and what some items lack."""
    counts = {"truncated_turns": sum(example.encoded.truncated_turns for example in examples)}
    if inputs.frames is not None:
        counts["items_without_video"] = inputs.missing.get(split, 0)
    if inputs.missing_faces is not None:
        counts["items_without_faces"] = inputs.missing_faces.get(split, 0)
    if options.model.emotion != "none":
        counts["items_without_emotion"] = sum(example.item.emotion is None for example in examples)
    if options.model.causes != "none":
        counts["items_without_marked_cause"] = sum(
            not (example.item.target_marked or any(turn.marked for turn in example.item.context))
            for example in examples
        )
    return counts
