"""The task of a dialogue scorer: mini-batches of dialogues, all terms of an objective, and what it takes to build them.

It serves the package's own dialogue scorer and every other model whose ``forward`` takes the tensors of
:class:`~iemomecp_dataset.trainers.dialogue.data.Collator` and returns
:class:`~iemomecp_dataset.trainers.dialogue.modeling.DialogueScores`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from numpy.typing import NDArray
from torch import Tensor, nn

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.trainers.dialogue.data import (
    Collator,
    DialogueBatching,
    DialogueExample,
    UtteranceInputs,
    Utterances,
    dialogue_examples,
)
from iemomecp_dataset.trainers.dialogue.emotion_inputs import read_emotion_inputs
from iemomecp_dataset.trainers.dialogue.memory import PairMemory, available_memory, check_memory
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScores
from iemomecp_dataset.trainers.dialogue.pair_heads import distance_log_rates
from iemomecp_dataset.trainers.encoders.context import IN_CONTEXT, TextContext, TextInContext, with_text_context
from iemomecp_dataset.trainers.encoders.pooling import parse_layers
from iemomecp_dataset.trainers.encoders.text import (
    EncodedText,
    TextEncoder,
    TokenizedTexts,
    check_tokenizer,
    chunk_tokens_on,
    encode_texts,
    load_saved_tokenizer,
    load_text_encoder,
    load_tokenizer,
    rows_of,
    text_width,
    tokenize_texts,
    tokenize_texts_in_context,
)
from iemomecp_dataset.trainers.encoders.vectors import load_features
from iemomecp_dataset.trainers.encoders.weights import freeze_lowest, load_initial_weights
from iemomecp_dataset.trainers.objectives import (
    OBJECTIVES,
    Objective,
    ObjectiveWeights,
    Pooling,
    mean_cross_entropy,
    objective_terms,
    resolve_objective,
    supervised_extraction,
    symmetric_divergence,
)
from iemomecp_dataset.trainers.options import (
    PAIR_LAYERS,
    R_DROP_WEIGHT,
    EncoderOptions,
    RunSettings,
    SharedData,
    TrainingOptions,
)
from iemomecp_dataset.trainers.scorers import config_fields
from iemomecp_dataset.trainers.training.emotions import category_weight
from iemomecp_dataset.trainers.training.pairs import pair_class_weights, pair_selection
from iemomecp_dataset.trainers.training.samplers import Drawn
from iemomecp_dataset.trainers.training.sharding import chunk_tokens_of
from iemomecp_dataset.trainers.training.task import Batch, Examples, TrainingTask

__all__ = [
    "MODEL_INPUTS",
    "DialoguePrediction",
    "DialogueStrategy",
    "drawn_in_epoch",
    "forward_inputs",
    "inference_encoder",
    "inference_inputs",
    "model_inputs",
    "prepare_dialogue",
    "prepare_dialogue_inference",
    "utterance_inputs",
]


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
    "emotion",
    "corpus",
)
"""Entries of a batch that a scorer takes; the rest are labels."""

_ALL_INPUTS = frozenset({*MODEL_INPUTS, "gold", "corruption"})

_GIVEN_BY = {
    "text": ("t", "frozen"),
    "text_tokens": ("t", "trained"),
    "text_order": ("t", "trained"),
    "audio": ("a", None),
    "audio_present": ("a", None),
    "video": ("v", None),
    "video_present": ("v", None),
}
"""Letter of ``--modalities`` and, where it matters, ``--encoder_mode`` for the inputs that not every run has."""

_FOR_INFERENCE = (
    *("text_size", "audio_size", "video_size", "text_encoder_name", "text_layers", "max_tokens"),
    *("text_context", "text_context_after", "text_block", "text_alone"),
)
"""What a configuration must hold for the model to be used on new dialogues, whether it declares it or not."""


@dataclass(frozen=True)
class DialoguePrediction:
    """What a scorer predicts for one dialogue of ``n`` utterances.

    Attributes:
        position: Position of the dialogue in its split.
        pairs: ``(p, C)`` probabilities of its candidate pairs, in the row's order.
        emotional: ``(n,)`` P(the utterance is emotional); None for a model without that head.
        categories: ``(n, K)`` probabilities of emotion categories; None for a model without that head.
    """

    position: int
    pairs: NDArray[np.float64]
    emotional: NDArray[np.float64] | None
    categories: NDArray[np.float64] | None


@dataclass(frozen=True)
class DialogueStrategy(DialogueBatching):
    """Batches, trains and scores whole dialogues; a :class:`~iemomecp_dataset.trainers.training.task.Strategy`.

    Attributes:
        collator: Pads dialogues.
        objective: Terms of the loss.
        weights: Their weights.
        corruption: How the corrupted view is made, where the objective has one.
        class_weights: ``(C,)`` weights of the pair classes in the supervised loss, or None.
        emotion_category_weight: Weight of the cross entropy of emotion categories; 0 leaves that term out.
        r_drop_weight: Weight of the divergence of two passes with different dropout; 0 for one pass.
        inputs: Names of the inputs that the model's ``forward`` takes; see :func:`forward_inputs`.
        drawn: How many dialogues of each corpus that is trained on an epoch draws; empty for all of them.
    """

    collator: Collator
    objective: Objective = OBJECTIVES["base"]
    weights: ObjectiveWeights = ObjectiveWeights()  # noqa: RUF009 - frozen
    corruption: Corruption | None = None
    class_weights: Tensor | None = None
    emotion_category_weight: float = 0.0
    r_drop_weight: float = 0.0
    inputs: Collection[str] = _ALL_INPUTS
    drawn: Sequence[Drawn] = ()
    unit: str = "dialogue"

    def terms(self, model: nn.Module, batch: Batch, pool: Pooling) -> Mapping[str, Tensor]:
        """Weighted terms of the objective, of the emotion categories where they are learned, and of R-Drop."""
        if self.r_drop_weight:
            batch = _twice(batch)
        scores = self._scores(model, batch, gold=batch["gold"], corruption=self.corruption)
        terms = objective_terms(
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
            pair_class_weights=self.class_weights,
            pool=pool,
        )
        if self.emotion_category_weight:
            logits = scores.emotion_category_logits
            if logits is None:
                raise UsageError(
                    "--emotion_category_weight needs emotion_category_logits, which this model does not return. Set "
                    "it to 0."
                )
            loss = mean_cross_entropy(logits, batch["emotion_categories"], batch["mask"], pool=pool)
            terms["emotion_category"] = self.emotion_category_weight * loss
        if self.r_drop_weight:
            terms["r_drop"] = self.r_drop_weight * _divergence(scores, batch, pool)
        return terms

    def probabilities(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], float]:
        """Probabilities of the candidate pairs of each dialogue, in the row's order."""
        found, _, loss = self.probabilities_with_emotions(model, batch, examples)
        return found, loss

    def probabilities_with_emotions(
        self, model: nn.Module, batch: Batch, examples: Examples
    ) -> tuple[list[tuple[int, NDArray[np.float64]]], list[tuple[int, NDArray[np.float64]]], float]:
        """The same, and of each dialogue the probabilities of its utterances' emotions if the model predicts them."""
        scores = self._scores(model, batch)
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
        found = _predictions(scores, batch, examples)
        emotions = [(one.position, one.categories) for one in found if one.categories is not None]
        return [(one.position, one.pairs) for one in found], emotions, loss.item()

    def predictions(self, model: nn.Module, batch: Batch, examples: Examples) -> list[DialoguePrediction]:
        """All that the model predicts for each dialogue of a mini-batch; labels are not used."""
        return _predictions(self._scores(model, batch), batch, examples)

    def _scores(self, model: nn.Module, batch: Batch, **more: Any) -> DialogueScores:
        given = {**model_inputs(batch), **more}
        output = model(**{name: value for name, value in given.items() if name in self.inputs})
        return _dialogue_scores(model, output, batch["valid"])


def _twice(batch: Batch) -> Batch:
    """A mini-batch with each of its dialogues a second time, so that dropout draws two masks for each."""
    twice: Batch = {}
    for name, value in batch.items():
        if name == "text_tokens":
            # One chunk stays one: a sharded encoder takes no other number, see chunk_tokens_of.
            alone = len(value) == 1
            twice[name] = [{key: torch.cat([t, t]) for key, t in value[0].items()}] if alone else [*value, *value]
        elif name == "text_order":
            twice[name] = torch.cat([value, value + sum(map(rows_of, batch["text_tokens"]))])
        else:
            twice[name] = torch.cat([value, value])
    return twice


def _divergence(scores: DialogueScores, batch: Batch, pool: Pooling) -> Tensor:
    """How far the two passes of :func:`_twice` are apart: the sum of the means over pairs, emotions and causes."""
    parts = [(scores.pair_logits, batch["valid"]), (scores.emotion_logits, batch["mask"])]
    parts += [(scores.cause_logits, batch["mask"]), (scores.emotion_category_logits, batch["mask"])]
    found = []
    for logits, keep in parts:
        if logits is not None:
            (one, other), (kept, _) = logits.chunk(2), keep.chunk(2)
            found.append(symmetric_divergence(one, other, kept, pool=pool))
    return torch.stack(found).sum()


def _predictions(scores: DialogueScores, batch: Batch, examples: Examples) -> list[DialoguePrediction]:
    def probabilities(logits: Tensor | None) -> list[NDArray[np.float64] | None]:
        if logits is None:
            return [None] * len(batch["position"])
        return list(logits.double().softmax(dim=-1).cpu().numpy())

    found = []
    for position, pairs, emotional, categories in zip(
        batch["position"].tolist(),
        scores.pair_logits.double().softmax(dim=-1).cpu().numpy(),
        probabilities(scores.emotion_logits),
        probabilities(scores.emotion_category_logits),
        strict=True,
    ):
        example = examples[position if position >= 0 else ~position]
        found.append(
            DialoguePrediction(
                position,
                pairs[example.targets, example.causes],
                None if emotional is None else emotional[: len(example), 1],
                None if categories is None else categories[: len(example)],
            )
        )
    return found


def model_inputs(batch: Batch) -> Batch:
    """The part of a batch that a scorer takes."""
    return {name: batch[name] for name in MODEL_INPUTS if name in batch}


def forward_inputs(model_class: type[Any]) -> frozenset[str]:
    """Names of the inputs that the model's ``forward`` takes: its parameters, or all where it has ``**inputs``.

    Args:
        model_class: The ``PreTrainedModel``.

    Example:
        >>> class Model:
        ...     def forward(self, mask, text): ...
        >>> sorted(forward_inputs(Model))
        ['mask', 'text']
    """
    parameters = inspect.signature(model_class.forward).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return _ALL_INPUTS
    return _ALL_INPUTS & {parameter.name for parameter in parameters}


def _check_inputs(model_class: type[Any], options: TrainingOptions) -> None:
    """Refuses a model whose ``forward`` requires an input that the options do not give."""
    for name, parameter in list(inspect.signature(model_class.forward).parameters.items())[1:]:
        variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if variable or parameter.default is not parameter.empty or name in ("mask", "speakers", "valid"):
            continue
        needs = f"{model_class.__name__}.forward requires the input {name!r}"
        if name in _GIVEN_BY:
            letter, mode = _GIVEN_BY[name]
            if letter not in options.data.modalities or mode not in (None, options.model.encoder_mode):
                advice = f"--modalities {letter}" + (f" and --encoder_mode {mode}" if mode else "")
                raise UsageError(f"{needs}, which these options do not give. Use {advice}.")
        elif name in _ALL_INPUTS:
            raise UsageError(f"{needs}, which only training gives. Make it optional: {name}=None.")
        else:
            raise UsageError(f"{needs}, which does not exist. {did_you_mean(name, sorted(_ALL_INPUTS))}")


def _dialogue_scores(model: nn.Module, output: Any, valid: Tensor) -> DialogueScores:
    """The output of a scorer's ``forward``: scores by name, or the pair logits alone."""
    if isinstance(output, Tensor):
        scores = DialogueScores(pair_logits=output)
    elif isinstance(output, DialogueScores):
        scores = output
    else:
        named: dict[str, Any] = {f.name: getattr(output, f.name, None) for f in fields(DialogueScores)}
        scores = DialogueScores(**named)
    logits = scores.pair_logits
    if logits is None or logits.dim() != 4 or logits.shape[:3] != valid.shape:
        b, n = valid.shape[:2]
        name = type(getattr(model, "module", model)).__name__  # without the wrapper of distributed training
        found = f"a {type(output).__name__} without them" if logits is None else f"the shape {tuple(logits.shape)}"
        raise UsageError(
            f"{name}.forward must return pair logits of shape (dialogues, utterances, utterances, classes), here "
            f"({b}, {n}, {n}, classes), as a tensor or as DialogueScores(pair_logits=...), but returned {found}."
        )
    return scores


def prepare_dialogue(
    options: TrainingOptions, corpus: Corpus, accelerator: Accelerator, model_class: Any
) -> TrainingTask:
    """Builds model, strategy and examples for training a dialogue scorer.

    Args:
        options: The run's options.
        corpus: The data.
        accelerator: Device and processes.
        model_class: The ``PreTrainedModel``.

    Raises:
        IemomecpError: An encoder or features are missing, or do not fit; or the model requires an input that the
            options do not give; or emotion categories are to be learned of data without emotions.
    """
    _check_inputs(model_class, options)
    categories = category_weight(
        options.objective.emotion_category_weight,
        corpus,
        predicts=issubclass(model_class, DialogueScorer),
    )
    if options.model.corpus_embedding and "corpus" not in forward_inputs(model_class):
        raise UsageError(
            f"--corpus_embedding gives {model_class.__name__}.forward the input 'corpus', which it does not take. "
            "Leave it out, or give forward the parameter corpus=None."
        )
    predicted = None
    if options.model.emotion_from:
        if "emotion" not in forward_inputs(model_class):
            raise UsageError(
                f"--emotion_from gives {model_class.__name__}.forward the input 'emotion', which it does not take. "
                "Leave it out, or give forward the parameter emotion=None."
            )
        predicted = read_emotion_inputs(options.model.emotion_from, corpus)
    rows: dict[str, Sequence[Mapping[str, Any]]] = {
        split: of_split if predicted is None else predicted.attached(split, of_split)
        for split, of_split in corpus.rows.items()
    }
    target = options.objective.emotion_target
    context = TextContext.of(options.model)
    if context.used:
        _check_encoding(model_class, options)
        tokenizer = load_tokenizer(options.model.text_encoder)
        rows = {
            split: with_text_context(of_split, context, tokenizer, options.model.max_tokens)
            for split, of_split in rows.items()
        }
    examples = {split: dialogue_examples(of_split, corpus.emotion_names, target) for split, of_split in rows.items()}
    further_rows: dict[str, Sequence[Mapping[str, Any]]] = {one.key: one.rows for one in corpus.further}
    if context.used:
        further_rows = {
            key: with_text_context(of_corpus, context, tokenizer, options.model.max_tokens)
            for key, of_corpus in further_rows.items()
        }
    further = {
        one.key: dialogue_examples(
            further_rows[one.key],
            one.corpus.emotion_names,
            target,
            number,
            categories=one.corpus.emotion_names == corpus.emotion_names,
        )
        for number, one in enumerate(corpus.further, start=1)
    }
    own = examples
    if further:
        examples = {**own, "train": [*own["train"], *(one for of_corpus in further.values() for one in of_corpus)]}
    inputs, encoder, tokens, layers = utterance_inputs(options, examples, accelerator, synthetic=corpus.synthetic)
    # The encoder's loading may draw random numbers; everything from here on depends on the seed alone.
    set_seed(options.run.seed, deterministic=options.run.deterministic)
    model = _build_model(model_class, options, corpus, inputs, encoder, layers, categories=categories > 0)
    # From here on each process draws its own dropout masks; the first one's are those of a run alone.
    set_seed(options.run.seed, device_specific=True, deterministic=options.run.deterministic)
    settings, objective = options.objective, resolve_objective(options.objective.objective)
    r_drop = settings.r_drop_weight
    if r_drop is None:  # two passes without dropout are one
        r_drop = R_DROP_WEIGHT if issubclass(model_class, DialogueScorer) and options.model.dropout else 0.0
    strategy = DialogueStrategy(
        collator=Collator(inputs, chunk_tokens_of(accelerator, chunk_tokens_on(accelerator.device))),
        objective=objective,
        weights=ObjectiveWeights(**{f.name: getattr(settings, f.name) for f in fields(ObjectiveWeights)}),
        corruption=Corruption(settings.corruption_rate, objective.protect_gold, settings.corruption_point)
        if objective.corruption
        else None,
        class_weights=pair_class_weights(settings.class_weighting, corpus, accelerator.device),
        emotion_category_weight=categories,
        r_drop_weight=r_drop,
        inputs=forward_inputs(model_class),
        drawn=drawn_in_epoch(corpus),
    )
    if isinstance(model, DialogueScorer):
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
        check_memory(
            PairMemory.of(model.config, objective, passes=2 if r_drop else 1),
            examples,
            batch_size=options.optimization.batch_size,
            eval_batch_size=options.optimization.eval_batch_size,
            available=available_memory(accelerator.device, processes),
            place=str(accelerator.device),
            takes_past=_takes_past(options, examples),
        )
    cut = tokens.truncated if tokens else frozenset()
    return TrainingTask(
        model=model,
        strategy=strategy,
        examples=examples,
        selection_split=corpus.selection_split,
        selection=pair_selection(corpus, options.optimization),
        truncated={split: _left_out(dialogues, cut) for split, dialogues in (own | further).items()},
        encoder=encoder,
        frozen_texts=inputs.features_alone,
        emotion_inputs=predicted,
        took_effect={
            "emotion_category_weight": categories,
            "r_drop_weight": r_drop,
            **({"text_layers": ",".join(map(str, layers))} if layers else {}),
        },
    )


def drawn_in_epoch(corpus: Corpus) -> tuple[Drawn, ...]:
    """How many dialogues of a corpus, and of each further one that is mixed in, an epoch draws; empty for all of them.

    Args:
        corpus: The data.
    """
    if all(one.per_epoch == len(one.rows) for one in corpus.further):
        return ()
    own = len(corpus.rows["train"])
    return (Drawn(own, own), *(Drawn(len(one.rows), one.per_epoch) for one in corpus.further))


def _check_encoding(model_class: type[Any], options: TrainingOptions) -> None:
    """Refuses what a model that trains a text encoder on utterances alone may not know."""
    if options.model.encoder_mode == "trained" and not issubclass(model_class, DialogueScorer):
        raise UsageError(
            f"{model_class.__name__} trains a text encoder on utterances alone, so that --text_context, "
            "--text_context_after and --text_block cannot be used with it. Leave them out, or use --encoder_mode "
            "frozen."
        )


def _left_out(dialogues: Sequence[DialogueExample], cut: Collection[EncodedText]) -> dict[str, int]:
    """Counts the utterances of a split whose text was cut, and those that lack turns of their context."""
    texts = [text for dialogue in dialogues for text in dialogue.encoded_texts]
    counts = {"truncated_utterances": sum(text in cut for text in texts)}
    if any(dialogue.texts_in_context is not None for dialogue in dialogues):
        counts["shortened_contexts"] = sum(isinstance(text, TextInContext) and text.shortened for text in texts)
    return counts


def _takes_past(options: TrainingOptions, examples: Mapping[str, Sequence[DialogueExample]]) -> bool:
    """Whether there are pairs that --candidates past would leave out."""
    if options.data.config_name in ("3class", "source_binary"):  # their candidates are the published ones
        return False
    return any((one.causes > one.targets).any() for dialogues in examples.values() for one in dialogues)


def prepare_dialogue_inference(
    model: Any,
    rows: Sequence[Mapping[str, Any]],
    vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
    text_encoder: str | TextEncoder | None,
) -> TrainingTask:
    """Builds strategy and examples for using a trained dialogue scorer.

    Args:
        model: The scorer.
        rows: Dialogues, with the pairs to score.
        vectors: Audio and video vectors by modality and utterance id.
        text_encoder: The encoder of frozen text features, if its path is not that of training; or one that
            :func:`inference_encoder` has loaded.

    Raises:
        MissingModelError: The text encoder is neither on disk nor reachable.
        InvalidDataError: It has another width or depth than in training.
        UsageError: The model's configuration does not tell how its text features are computed.
    """
    rows = _in_context(model, rows, text_encoder)
    inputs = inference_inputs(model, rows, vectors, text_encoder)
    strategy = DialogueStrategy(Collator(inputs, chunk_tokens_on(model.device)), inputs=forward_inputs(type(model)))
    return TrainingTask(model, strategy, {"test": dialogue_examples(rows, ())})


def _in_context(
    model: Any, rows: Sequence[Mapping[str, Any]], text_encoder: str | TextEncoder | None
) -> Sequence[Mapping[str, Any]]:
    """Rows with the turns around each text, for a model that was trained with them."""
    context = TextContext.of(model.config)
    if not context.used:
        return rows
    if isinstance(text_encoder, TextEncoder):
        tokenizer = text_encoder.tokenizer
    elif getattr(model, "text_encoder", None) is not None:
        tokenizer = load_saved_tokenizer(model)
    else:
        tokenizer = load_tokenizer(text_encoder or model.config.text_encoder_name)
    return with_text_context(rows, context, tokenizer, model.config.max_tokens)


def inference_encoder(model: Any, text_encoder: str | None, tokenizer: Any = None) -> TextEncoder | None:
    """Loads what turns new texts into a model's inputs: its own encoder's tokenizer, or the encoder of frozen features.

    Args:
        model: The model.
        text_encoder: The encoder of frozen text features, if its path is not that of training.
        tokenizer: The tokenizer of the encoder that was trained with the model, where it is loaded already.

    Returns:
        Encoder and tokenizer; None for a model that encodes no text.

    Raises:
        MissingModelError: The text encoder is neither on disk nor reachable.
        InvalidDataError: It has another width or depth than in training; or the tokenizer is not that of the encoder.
        UsageError: The model's configuration does not tell how its text features are computed.
    """
    config = model.config
    if getattr(model, "text_encoder", None) is not None:
        name = getattr(config, "text_encoder_name", None) or model.name_or_path
        encoder = TextEncoder(name, model.text_encoder, tokenizer or load_saved_tokenizer(model))
        _check_own_encoder(model, encoder)
        return encoder
    if not getattr(config, "text_size", 0):
        return None
    trained_with = getattr(config, "text_encoder_name", None)
    needed: dict[str, Any] = {"text_encoder_name": text_encoder or trained_with}
    needed |= {name: getattr(config, name, None) for name in ("text_layers", "max_tokens")}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise UsageError(
            f"{type(config).__name__} lacks {', '.join(missing)}, so text features of new dialogues cannot be "
            "computed. Training with iemomecp_dataset.trainers.train sets them; for any other model, set them in "
            "its config."
        )
    encoder = load_text_encoder(needed["text_encoder_name"])
    layers = config.text_layers
    width = text_width(encoder, layers, alone=TextContext.of(config).alone)
    if max(layers) > encoder.num_layers or width != config.text_size:
        raise InvalidDataError(
            f"The text encoder {encoder.name} gives {width // len(layers)} numbers from each of {encoder.num_layers} "
            f"layers; the scorer was trained on layers {layers} with {config.text_size} numbers together, of "
            f"{trained_with}. Give that one as text_encoder."
        )
    return encoder


def _check_own_encoder(model: Any, encoder: TextEncoder) -> None:
    """Refuses a tokenizer, or layers, that the encoder which was trained with a model does not have."""
    where = model.name_or_path or type(model).__name__
    check_tokenizer(encoder.tokenizer, encoder.model, where)
    layers = getattr(model.config, "text_layers", None) or [0]
    if max(layers) > encoder.num_layers:
        raise InvalidDataError(
            f"{where}: text_layers in config.json is {layers}, but its text encoder has layers 0 to "
            f"{encoder.num_layers}. Copy the folder again, or train again."
        )


def inference_inputs(
    model: Any,
    rows: Sequence[Mapping[str, Any]],
    vectors: Mapping[str, Mapping[str, NDArray[np.float32]]],
    text_encoder: str | TextEncoder | None,
) -> UtteranceInputs:
    """Computes the inputs of new dialogues as those of training were.

    Args:
        model: The model.
        rows: The dialogues.
        vectors: Vectors of stores by stream and utterance id.
        text_encoder: The encoder of frozen text features, if its path is not that of training; or one that
            :func:`inference_encoder` has loaded.

    Raises:
        MissingModelError: The text encoder is neither on disk nor reachable.
        InvalidDataError: It has another width or depth than in training.
        UsageError: The model's configuration does not tell how its text features are computed.
    """
    config = model.config
    sizes = {name: int(getattr(config, f"{name}_size", 0)) for name in ("text", "event", *vectors)}
    trained = getattr(model, "text_encoder", None) is not None
    text_features, text_tokens, event_features = None, None, None
    truncated: frozenset[EncodedText] = frozenset()
    if trained or (sizes["text"] and "text" not in vectors):
        loaded = isinstance(text_encoder, TextEncoder)
        encoder = text_encoder if isinstance(text_encoder, TextEncoder) else inference_encoder(model, text_encoder)
        assert encoder is not None
        tokens = _tokenized(
            [u.get(IN_CONTEXT) or u["text"] for row in rows for u in row["utterances"]],
            encoder.tokenizer,
            config.max_tokens,
            TextContext.of(config),
        )
        truncated = tokens.truncated
        if trained and not (loaded and isinstance(model, DialogueScorer)):
            text_tokens = tokens
        else:
            # A dialogue scorer takes the layers of its own encoder as features: overlapping windows share them.
            text_features = encode_texts(tokens, encoder, config.text_layers, device=model.device, progress=False)
        if not trained and sizes["event"]:
            top = [encoder.num_layers]
            event_features = encode_texts(tokens, encoder, top, device=model.device, progress=False)
    return UtteranceInputs(text_features, text_tokens, vectors, sizes, event_features, truncated)


def utterance_inputs(
    options: RunSettings,
    examples: Mapping[str, Sequence[Utterances]],
    accelerator: Accelerator,
    *,
    synthetic: bool | None = None,
) -> tuple[UtteranceInputs, TextEncoder | None, TokenizedTexts | None, list[int]]:
    """Tokens or frozen features of the texts, and the vectors of stores, for training.

    Args:
        options: The run's options.
        examples: Dialogues by split.
        accelerator: Device and processes.
        synthetic: Whether the corpus is synthetic.

    Returns:
        The inputs; the text encoder, its tokens and the layers that are pooled, where one is loaded.

    Raises:
        IemomecpError: An encoder or features are missing, or do not fit.
    """
    utterance_ids = [key for dialogues in examples.values() for dialogue in dialogues for key in dialogue.utterance_ids]
    vectors, sizes = load_features(cast(SharedData, options.data), utterance_ids, synthetic=synthetic)
    if not options.data.encodes_text:
        return UtteranceInputs(features=vectors, feature_sizes=sizes), None, None, []
    encoder = load_text_encoder(options.model.text_encoder)
    model = cast(EncoderOptions, options.model)
    layers = parse_layers(model.text_layers, encoder.num_layers, PAIR_LAYERS if options.task == "pairs" else 3)
    texts = [text for dialogues in examples.values() for dialogue in dialogues for text in dialogue.encoded_texts]
    tokens = _tokenized(texts, encoder.tokenizer, model.max_tokens, TextContext.of(model))
    if options.model.encoder_mode == "trained":
        return UtteranceInputs(text_tokens=tokens, features=vectors, feature_sizes=sizes), encoder, tokens, layers
    cache = Path(options.run.cache_dir or os.environ.get("IEMOMECP_CACHE") or Path.home() / ".cache" / "iemomecp")

    def encoded(pooled: list[int], of: TokenizedTexts = tokens) -> dict[EncodedText, NDArray[np.float32]]:
        with accelerator.main_process_first():
            return encode_texts(
                of,
                encoder,
                pooled,
                device=accelerator.device,
                cache_dir=cache,
                progress=accelerator.is_main_process and not options.run.quiet,
            )

    features, top = encoded(layers), [encoder.num_layers]
    event = None
    if "event" in options.model.text_streams:
        event = features if layers == top else encoded(top)
    alone = features
    if tokens.spans:
        own = [text for dialogues in examples.values() for dialogue in dialogues for text in dialogue.texts]
        alone = encoded(layers, tokenize_texts(own, encoder.tokenizer, model.max_tokens))
    inputs = UtteranceInputs(
        text_features=features,
        features=vectors,
        feature_sizes=sizes,
        event_features=event,
        features_alone=alone,
    )
    return inputs, encoder, tokens, layers


def _tokenized(texts: Sequence[EncodedText], tokenizer: Any, max_tokens: int, context: TextContext) -> TokenizedTexts:
    in_context = [text for text in texts if isinstance(text, TextInContext)]
    if in_context:
        return tokenize_texts_in_context(in_context, tokenizer, max_tokens, alone=context.alone)
    return tokenize_texts(cast("Sequence[str]", texts), tokenizer, max_tokens)


def _complete_for_inference(config: Any, known: Mapping[str, Any], taken: Collection[str]) -> None:
    """Sets what inference and the model card read from a configuration, where it does not declare it."""
    for name in _FOR_INFERENCE:
        if not hasattr(config, name):
            unused = name.endswith("_size") and name.removesuffix("_size") not in taken
            setattr(config, name, 0 if unused else known[name])
    config.id2label = dict(enumerate(known["class_names"]))
    config.label2id = {name: i for i, name in enumerate(known["class_names"])}


def _build_model(
    model_class: Any,
    options: TrainingOptions,
    corpus: Corpus,
    inputs: UtteranceInputs,
    encoder: TextEncoder | None,
    layers: list[int],
    *,
    categories: bool,
) -> Any:
    """Builds the model from the fields that its configuration declares, of all that is known here."""
    trained = encoder is not None and inputs.text_tokens is not None
    if trained and not hasattr(model_class, "use_text_encoder"):
        raise UsageError(
            f"{model_class.__name__} has no method use_text_encoder, so it cannot train a text encoder. Use "
            "--encoder_mode frozen."
        )
    known = {
        **vars(options.model),
        "class_names": list(corpus.class_names),
        "emotion_names": list(corpus.emotion_names) if categories else None,
        "emotion_input_names": list(corpus.emotion_names) if options.model.emotion_from else None,
        "corpus_names": [corpus.name, *(one.key for one in corpus.further)] if options.model.corpus_embedding else None,
        "text_size": text_width(encoder, layers, alone=options.model.text_alone) if encoder else 0,
        "audio_size": (inputs.feature_sizes or {}).get("audio", 0),
        "video_size": (inputs.feature_sizes or {}).get("video", 0),
        "text_encoder": encoder.model.config.to_dict() if encoder and trained else None,
        "text_encoder_name": encoder.name if encoder else None,
        "text_layers": layers or None,
    }
    config_class = model_class.config_class
    declared = config_fields(config_class)
    config = config_class(**{name: value for name, value in known.items() if name in declared})
    _complete_for_inference(config, known, forward_inputs(model_class))
    model = model_class(config)
    if encoder and trained:
        model.use_text_encoder(encoder.model)
        freeze_lowest(encoder.model, options.model.frozen_layers)
    if options.model.distance_prior and hasattr(model, "begin_at_distance_rates"):
        rates = distance_log_rates(corpus.tables["train"], len(corpus.class_names), options.model.max_distance)
        model.begin_at_distance_rates(torch.from_numpy(rates))
    if options.model.init_from:
        load_initial_weights(model, options.model.init_from)
    return model
