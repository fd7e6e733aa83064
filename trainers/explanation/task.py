"""The task of explanations: mini-batches of prompts with answers, and the loss of the answers' tokens."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.explanation.earlier_run import begun_model, earlier_model_folder
from iemomecp_dataset.trainers.explanation.encoding import EncodedItem, ExplanationEncoder, Vectors
from iemomecp_dataset.trainers.explanation.examples import with_examples
from iemomecp_dataset.trainers.explanation.inputs import ExplanationInputs, read_inputs
from iemomecp_dataset.trainers.explanation.items import Key, explanation_items
from iemomecp_dataset.trainers.explanation.language_model import load_language_tokenizer
from iemomecp_dataset.trainers.explanation.options import ExplanationModelOptions, ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem
from iemomecp_dataset.trainers.objectives import Pooling
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import RandomBatches
from iemomecp_dataset.trainers.training.task import Batch, Examples, Selected, TrainingTask

__all__ = [
    "ExplanationExample",
    "ExplanationStrategy",
    "prepare_explanations",
    "remarks_on_prompts",
    "token_loss_selection",
]

_logger = logging.getLogger(__name__)

# Of a corpus of 2,903 prompts in mini-batches of 8, padding is a quarter of all tokens with 1, and 1 % with this.
_POOLED = 50

_LEAST_LENGTH = 16
"""The smallest --max_length."""


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
        """Random mini-batches of prompts of like length, sharded so that processes have about the same cost."""
        return RandomBatches(
            len(examples), batch_size, seed=seed, processes=processes, costs=_lengths(examples), pooled=_POOLED
        )

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> RandomBatches:
        """Mini-batches from short to long, sharded by cost; order is irrelevant at inference."""
        costs = _lengths(examples)
        return RandomBatches(
            len(examples), batch_size, shuffle=False, processes=processes, costs=costs, pooled=len(costs)
        )

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
    tokenizer = _tokenizer(model_options)
    # Adapters and projector depend on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    model = _model(model_options, inputs, model_class)
    # What a prompt is made of, for using the model.
    for name in ("context_turns", "chat_template", "emotion", "causes", "shots"):
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
    trains = model_options.tuning != "none"
    examples = {
        split: [ExplanationExample(item, encoder.encode(item)) for item in of_split]
        for split, of_split in _all_items(options, corpus, inputs).items()
        if of_split and (trains or split != "train")
    }
    _check_positions(options, model, encoder, examples, inputs)
    counts = {split: _counts(options, found, inputs, split, encoder) for split, found in examples.items()}
    for remark in remarks_on_prompts(options, counts, {split: len(found) for split, found in examples.items()}):
        _logger.warning("warning: %s", remark)
    return TrainingTask(
        model=model,
        strategy=ExplanationStrategy(encoder, inputs.frames, inputs.faces, inputs.causes),
        examples=examples,
        selection=token_loss_selection if "validation" in examples else None,
        truncated=counts,
        tokenizer=tokenizer,
        trains=trains,
    )


def _check_positions(
    options: ExplanationTrainingOptions,
    model: Any,
    encoder: ExplanationEncoder,
    examples: Mapping[str, list[ExplanationExample]],
    inputs: ExplanationInputs,
) -> None:
    """Refuses prompts that end, or whose texts may end, beyond the language model's last position.

    Raises:
        UsageError: Of a prompt and its answer, or of a prompt and the text that is written for it.
    """
    most: int | None = model.max_positions
    if most is None:
        return
    clips = inputs.frames, inputs.faces
    # Of a text that is written, the last token is not read.
    more = 0 if encoder.encoder_decoder else options.objective.max_new_tokens - 1
    for split, found in examples.items():
        for example in found:
            lengths = [(encoder.length(example.encoded, *clips), 0)]
            if split != "train" and more:
                prompt = encoder.encode(replace(example.item, reference=None))
                lengths.append((encoder.length(prompt, *clips, for_generation=True), more))
            length, room = max(lengths, key=sum)
            if length + room > most:
                what = f"prompt and a text of {room + 1} (--max_new_tokens)" if room else "prompt and explanation"
                fits = most - more - (lengths[0][0] - len(example.encoded.input_ids))
                lower = "--max_new_tokens" if fits < _LEAST_LENGTH else f"--max_length to {fits} or less"
                raise UsageError(
                    f"The language model has positions for {most} tokens, but turn {example.item.target_turn} in "
                    f"{example.dialogue_id} takes {length + room} with {what}. Lower {lower}, or take a language model "
                    "with more positions."
                )


def _tokenizer(options: ExplanationModelOptions) -> Any:
    """The language model's; that of an earlier run was saved beside its model, out of GGUF where it was in one."""
    if options.init_from:
        folder = earlier_model_folder(options.init_from)
        if (folder / "tokenizer_config.json").is_file():
            return load_language_tokenizer(str(folder), gguf_file=None)
    return load_language_tokenizer(str(options.language_model), gguf_file=options.gguf_file)


def _model(options: ExplanationModelOptions, inputs: ExplanationInputs, model_class: Any) -> Any:
    sizes = {"frame_size": inputs.frame_size, "face_size": inputs.face_size}
    if options.init_from:
        model = begun_model(options, sizes, model_class)
    else:
        model = model_class.from_parts(
            options.language_model,
            gguf_file=options.gguf_file,
            projector=options.projector,
            tuning=options.tuning,
            lora_rank=options.lora_rank,
            lora_alpha=options.lora_alpha,
            lora_dropout=options.lora_dropout,
            max_length=options.max_length,
            **sizes,
        )
    return model.requires_grad_(False) if options.tuning == "none" else model


def _all_items(
    options: ExplanationTrainingOptions, corpus: Corpus, inputs: ExplanationInputs
) -> dict[str, list[ExplanationItem]]:
    """The items of all splits that are read, with their examples."""
    splits = [split for split in corpus.rows if options.uses_train or split != "train"]
    items = {split: _items(options, corpus, split, inputs) for split in splits}
    if not options.model.shots:
        return items
    rows = [row for of_split in corpus.rows.values() for row in of_split]
    sources = {row["dialogue_id"]: row.get("source_dialogue_id") or row["dialogue_id"] for row in rows}
    return {
        split: with_examples(of_split, items["train"], options.model.shots, sources)
        for split, of_split in items.items()
    }


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


def remarks_on_prompts(
    options: ExplanationTrainingOptions, counts: Mapping[str, Mapping[str, int]], sizes: Mapping[str, int]
) -> list[str]:
    """States what prompts lack: examples; and in splits that are scored marks of causes, or marks that are shuffled.

    Args:
        options: The run's options.
        counts: By split, as the record has them.
        sizes: By split, how many items it has.

    Returns:
        A sentence for each split and what it lacks.

    Example:
        >>> options = ExplanationTrainingOptions.from_flat({"shots": 3, "max_length": 256, "causes": "shuffled"})
        >>> counts = {"examples": 29, "truncated_examples": 4, "missing_examples": 1}
        >>> counts |= {"items_without_marked_cause": 2, "shuffled_items_equal_to_gold": 1}
        >>> for remark in remarks_on_prompts(options, {"test": counts}, {"test": 10}):
        ...     print(remark)
        Of 29 examples in the prompts of test 4 do not fit into --max_length 256 and are left out.
        Prompts of test have 29 examples, 1 fewer than --shots 3 asks for: train has no more of their emotions.
        Shuffled causes are marked in 8 of 10 items of test; the others have no mark.
        Shuffled causes are the gold ones in 1 of 10 items of test, where every turn that is read is a gold cause.
    """
    remarks = []
    for split, found in counts.items():
        if cut := found.get("truncated_examples"):
            remarks.append(
                f"Of {found['examples']} examples in the prompts of {split} {cut} do not fit into --max_length "
                f"{options.model.max_length} and are left out."
            )
        if missing := found.get("missing_examples"):
            remarks.append(
                f"Prompts of {split} have {found['examples']} examples, {missing} fewer than --shots "
                f"{options.model.shots} asks for: train has no more of their emotions."
            )
        if split == "train":
            continue
        causes, size = options.model.causes.capitalize(), sizes[split]
        if unmarked := found.get("items_without_marked_cause"):
            remarks.append(
                f"{causes} causes are marked in {size - unmarked} of {size} items of {split}; the others have no mark."
            )
        if same := found.get("shuffled_items_equal_to_gold"):
            remarks.append(
                f"{causes} causes are the gold ones in {same} of {size} items of {split}, where every turn that is "
                "read is a gold cause."
            )
    return remarks


def _counts(
    options: ExplanationTrainingOptions,
    examples: list[ExplanationExample],
    inputs: ExplanationInputs,
    split: str,
    encoder: ExplanationEncoder,
) -> dict[str, int]:
    """What the record counts: context and examples that were left out, and what some items lack."""
    counts = {"truncated_turns": sum(example.encoded.truncated_turns for example in examples)}
    if options.model.shots:
        # Of the prompts that texts are written for, which need no room for the reference.
        written = [encoder.encode(replace(example.item, reference=None)) for example in examples]
        counts["examples"] = sum(len(example.item.examples) for example in examples)
        counts["missing_examples"] = options.model.shots * len(examples) - counts["examples"]
        counts["truncated_examples"] = sum(prompt.truncated_examples for prompt in written)
    if inputs.frames is not None:
        counts["items_without_video"] = inputs.missing.get(split, 0)
    if inputs.missing_faces is not None:
        counts["items_without_faces"] = inputs.missing_faces.get(split, 0)
    if inputs.unexamined_faces is not None:
        counts["items_not_examined_for_faces"] = inputs.unexamined_faces.get(split, 0)
    if options.model.emotion != "none":
        counts["items_without_emotion"] = sum(example.item.emotion is None for example in examples)
    if options.model.causes != "none":
        counts["items_without_marked_cause"] = sum(not any(example.item.marks) for example in examples)
    if options.model.causes == "shuffled":
        # With any other turn to mark, shuffled marks differ.
        counts["shuffled_items_equal_to_gold"] = sum(all(example.item.marks) for example in examples)
    return counts
