"""The task of emotion recognition: mini-batches of whole dialogues, their loss, and what it takes to build them.

It serves every model whose ``forward`` takes ``mask``, ``speakers`` and the streams of
:meth:`~iemomecp_dataset.trainers.dialogue.data.UtteranceInputs.tensors`, ignores those that it does not use, and
returns ``logits`` ``(B, N, C)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.trainers.dialogue.data import DialogueBatching, UtteranceInputs
from iemomecp_dataset.trainers.dialogue.task import inference_inputs, utterance_inputs
from iemomecp_dataset.trainers.emotions.data import EmotionCollator, emotion_examples
from iemomecp_dataset.trainers.emotions.options import EmotionOptimizationOptions, EmotionTrainingOptions
from iemomecp_dataset.trainers.emotions.recipes import RELEASED_WEIGHTS, uses_positions
from iemomecp_dataset.trainers.encoders.text import TextEncoder, chunk_tokens_on
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest, load_initial_weights
from iemomecp_dataset.trainers.objectives import Pooling, emotion_loss
from iemomecp_dataset.trainers.scorers import config_fields
from iemomecp_dataset.trainers.training.task import Batch, Examples, Recipe, Selected, Selection, TrainingTask

__all__ = [
    "UtteranceStrategy",
    "emotion_class_weights",
    "emotion_selection",
    "prepare_emotion_inference",
    "prepare_emotions",
]


@dataclass(frozen=True)
class UtteranceStrategy(DialogueBatching):
    """Batches, trains and scores whole dialogues; a :class:`~iemomecp_dataset.trainers.training.task.Strategy`.

    Attributes:
        collator: Pads dialogues.
        gamma: Exponent of the focal factor.
        class_weights: ``(C,)`` weights of the emotions in the loss, or None.
    """

    collator: EmotionCollator
    gamma: float = 0.0
    class_weights: Tensor | None = None
    unit: str = "dialogue"

    def terms(self, model: nn.Module, batch: Batch, pool: Pooling) -> Mapping[str, Tensor]:
        """The loss, its only term."""
        return {"emotion": self._loss(model(**batch["inputs"]).logits, batch, pool=pool)}

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Probabilities of the emotions of each dialogue's utterances."""
        logits = model(**batch["inputs"]).logits
        matrices = logits.double().softmax(dim=-1).cpu().numpy()
        positions = batch["position"].tolist()
        sizes = [len(examples[position if position >= 0 else ~position]) for position in positions]
        found = [(p, matrix[:size]) for p, matrix, size in zip(positions, matrices, sizes, strict=True)]
        return found, self._loss(logits, batch).item()

    def _loss(self, logits: Tensor, batch: Batch, **more: Any) -> Tensor:
        return emotion_loss(
            logits,
            batch["labels"],
            batch["inputs"]["mask"],
            gamma=self.gamma,
            class_weights=self.class_weights,
            **more,
        )


def emotion_class_weights(weighting: str, labels: NDArray[np.int64], class_names: Sequence[str]) -> list[float] | None:
    """Weights of the emotions in the loss.

    Args:
        weighting: ``none``; ``train``, 1 / frequency; ``sqrt``, proportional to its square root, with a mean of 1 over
            the utterances; or ``released``, from the counts of all splits
            (:data:`~iemomecp_dataset.trainers.emotions.recipes.RELEASED_WEIGHTS`).
        labels: ``(n,)`` ids of the known emotions of the train split.
        class_names: Emotions by id.

    Returns:
        ``C`` numbers, or None for no weights. An emotion that train lacks has weight 1.

    Raises:
        UsageError: There are no released weights for these emotions.

    Example:
        >>> emotion_class_weights("train", np.array([0, 0, 0, 1]), ["neutral", "joy", "fear"])
        [1.3333333333333333, 4.0, 1.0]
        >>> names = ["hap", "sad", "neu", "ang", "exc", "fru"]
        >>> [round(w, 3) for w in emotion_class_weights("released", np.array([]), names)]
        [11.471, 6.857, 4.352, 6.739, 7.14, 4.02]
    """
    if weighting == "none":
        return None
    if weighting == "released":
        released = RELEASED_WEIGHTS.get(frozenset(class_names))
        if released is None:
            raise UsageError(
                f"--class_weights released are known for the emotions of IEMOCAP and MELD, not for "
                f"{', '.join(class_names)}. Use train, sqrt or none."
            )
        return [released[name] for name in class_names]
    counts = np.bincount(labels, minlength=len(class_names))
    if weighting == "sqrt":
        mean = np.sqrt(counts).sum() / len(labels)
        return [float(1 / np.sqrt(count) / mean) if count else 1.0 for count in counts]
    return [float(len(labels) / count) if count else 1.0 for count in counts]


def emotion_selection(
    corpus: Corpus,
    optimization: EmotionOptimizationOptions,
    gamma: float = 0.0,
    class_weights: Sequence[float] | None = None,
) -> Selection | None:
    """Selection by a score of the utterances of the validation split.

    Args:
        corpus: The data.
        optimization: Which score, and how it is rounded.
        gamma: Exponent of the focal factor of the loss, which early stopping may watch.
        class_weights: ``C`` weights of the emotions in the loss.

    Returns:
        None without a validation split whose emotions are known.
    """
    table = emotion_table(corpus.rows.get("validation", []))
    if not table.labelled.any():
        return None
    return partial(_select, table, corpus.emotion_names, optimization, gamma, class_weights)


def _select(
    table: EmotionTable,
    class_names: tuple[str, ...],
    optimization: EmotionOptimizationOptions,
    gamma: float,
    class_weights: Sequence[float] | None,
    probabilities: NDArray[np.float64],
) -> Selected:
    known = table.labelled
    found, labels = probabilities[known], table.labels[known]
    scores = emotion_scores(found, labels, class_names)
    value = float(scores[optimization.selection])
    # Of all utterances at once, so that it depends neither on batches nor on processes.
    loss = emotion_loss(
        torch.from_numpy(np.log(np.maximum(found, np.finfo(np.float64).tiny))),
        torch.from_numpy(labels),
        torch.ones(len(labels), dtype=torch.bool),
        gamma=gamma,
        class_weights=class_weights,
    )
    return Selected(
        scores={name: float(scores[name]) for name in ("weighted_f1", "macro_f1", "accuracy")},
        value=round(100 * value, 2) if optimization.round_selection else value,
        loss=loss.item(),
    )


def prepare_emotions(
    options: EmotionTrainingOptions, corpus: Corpus, accelerator: Accelerator, model_class: Any
) -> TrainingTask:
    """Builds model, strategy and examples for training a model of emotions.

    Args:
        options: The run's options.
        corpus: The data, whole dialogues.
        accelerator: Device and processes.
        model_class: The ``PreTrainedModel``.

    Raises:
        IemomecpError: An encoder or features are missing, or do not fit.
    """
    examples = {split: emotion_examples(rows) for split, rows in corpus.rows.items()}
    inputs, encoder, tokens, layers = utterance_inputs(options, examples, accelerator, synthetic=corpus.synthetic)
    train = emotion_table(corpus.rows["train"])
    weights = emotion_class_weights(options.objective.class_weights, train.labels[train.labelled], corpus.emotion_names)
    # The encoder's loading may draw random numbers; everything from here on depends on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    model = _build_model(model_class, options, corpus, inputs, encoder, layers, weights)
    # From here on each process draws its own dropout masks; the first one's are those of a run alone.
    set_seed(options.run.seed, device_specific=True, deterministic=options.run.deterministic)
    cut = tokens.truncated if tokens else frozenset()
    gamma, optimization = options.objective.focal_gamma, options.optimization
    return TrainingTask(
        model=model,
        strategy=UtteranceStrategy(
            EmotionCollator(inputs, chunk_tokens_on(accelerator.device)),
            gamma,
            None if weights is None else torch.tensor(weights, device=accelerator.device),
        ),
        examples=examples,
        selection=emotion_selection(corpus, optimization, gamma, weights),
        truncated={
            split: {"truncated_utterances": sum(text in cut for dialogue in dialogues for text in dialogue.texts)}
            for split, dialogues in examples.items()
        },
        encoder=encoder,
        frozen_texts=inputs.features_alone,
        text_vectors=(inputs.features or {}).get("text"),
        recipe=Recipe(optimization.optimizer, optimization.schedule, optimization.stop_on),
    )


def prepare_emotion_inference(
    model: Any,
    rows: Sequence[Mapping[str, Any]],
    vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
    text_encoder: str | TextEncoder | None,
) -> TrainingTask:
    """Builds strategy and examples for using a trained model of emotions.

    Args:
        model: The model.
        rows: Dialogues.
        vectors: Vectors by stream and utterance id.
        text_encoder: The encoder of frozen text features, if its path is not that of training; or a loaded one.

    Raises:
        IemomecpError: As :func:`~iemomecp_dataset.trainers.dialogue.task.inference_inputs`.
    """
    inputs = inference_inputs(model, rows, vectors, text_encoder)
    strategy = UtteranceStrategy(EmotionCollator(inputs, chunk_tokens_on(model.device)))
    return TrainingTask(model, strategy, {"test": emotion_examples(rows)})


def _build_model(
    model_class: Any,
    options: EmotionTrainingOptions,
    corpus: Corpus,
    inputs: UtteranceInputs,
    encoder: TextEncoder | None,
    layers: list[int],
    class_weights: list[float] | None,
) -> Any:
    """Builds the model from the fields that its configuration declares, of all that is known here."""
    trained = encoder is not None and inputs.text_tokens is not None
    sizes = {"text": 0, "event": 0, "audio": 0, "video": 0, **(inputs.feature_sizes or {})}
    if encoder is not None:
        sizes["text"] = encoder.width * len(layers)
        sizes["event"] = encoder.width if inputs.event_features is not None else 0
    known = {
        **vars(options.model),
        "positions": uses_positions(options.model.positions, corpus.config_name),
        "class_names": list(corpus.emotion_names),
        **{f"{name}_size": size for name, size in sizes.items()},
        "text_encoder": encoder.model.config.to_dict() if encoder and trained else None,
        "text_encoder_name": encoder.name if encoder else None,
        "text_layers": layers or None,
        "focal_gamma": options.objective.focal_gamma,
        "class_weights": class_weights,
    }
    config_class = model_class.config_class
    declared = config_fields(config_class)
    config = config_class(**{name: value for name, value in known.items() if name in declared})
    for name in ("text_encoder_name", "text_layers", "max_tokens"):  # what using the model reads
        if name not in declared:
            setattr(config, name, known[name])
    model = model_class(config)
    if encoder and trained:
        model.use_text_encoder(encoder.model)
        freeze_lowest(encoder.model, options.model.frozen_layers)
    if options.model.init_from:
        load_initial_weights(model, options.model.init_from)
    return model
