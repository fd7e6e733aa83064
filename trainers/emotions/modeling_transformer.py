"""The dialogue transformer with an emotion head: our strong baseline of emotion recognition in conversation.

It is the transformer of the pair scorer (:mod:`iemomecp_dataset.trainers.dialogue`) over the same inputs::

    text, event, audio, video --project, mask--> sum + speaker + position --transformer--> h
    logits of an utterance = classifier of its own vectors + head of h

The head of ``h`` starts at zero: training begins at a logistic regression without context, and adds what context
improves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import ModelOutput

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.trainers.dialogue.layers import DialogueLayer, ModalityProjection, Ragged, scoring_head
from iemomecp_dataset.trainers.emotions.attention import check_turns
from iemomecp_dataset.trainers.emotions.variants import Reach
from iemomecp_dataset.trainers.encoders.text import pooled_chunks
from iemomecp_dataset.trainers.objectives import emotion_loss
from iemomecp_dataset.trainers.pairs.config import ClassNamesConfig

__all__ = ["EmotionOutput", "EmotionTransformer", "EmotionTransformerConfig"]


class EmotionTransformerConfig(ClassNamesConfig):
    """Shape of an :class:`EmotionTransformer`.

    Attributes:
        text_size: Width of an utterance's text representation, 0 without text.
        event_size: Width of a second text vector, 0 without.
        audio_size: Width of an audio feature vector, 0 without audio.
        video_size: Width of a video feature vector, 0 without video.
        text_encoder: Configuration of the text encoder that is trained and saved with the model; None if text comes as
            frozen features.
        text_encoder_name: Name or path of the text encoder, trained or frozen.
        text_layers: Encoder layers that are mean-pooled and concatenated (0 is the embedding layer).
        max_tokens: Tokens per utterance; what is longer is cut, and counted.
        context: ``causal``: an utterance sees itself and earlier turns, as in ECERC, with which such scores can be
            compared; ``full``: the whole dialogue, later turns included, as in many published systems.
        hidden_size: Width of the dialogue transformer.
        num_layers: Its depth; 0 classifies utterances without dialogue context.
        num_heads: Its attention heads.
        dropout: Dropout probability everywhere in the head.
        max_distance: Turns further apart share an attention bias.
        max_positions: Turns beyond it share a position embedding.
        max_speakers: Speakers of a dialogue, numbered by first appearance, beyond it share an embedding.
        focal_gamma: Of the loss, see :func:`~iemomecp_dataset.trainers.objectives.emotion_loss`.
        class_weights: Of the loss, by class id; None for 1.
    """

    model_type = "iemomecp_emotion_transformer"

    text_size: int = 0
    event_size: int = 0
    audio_size: int = 0
    video_size: int = 0
    text_encoder: dict[str, Any] | None = None
    text_encoder_name: str | None = None
    text_layers: list[int] | None = None
    max_tokens: int = 128
    context: Reach = "causal"
    hidden_size: int = 256
    num_layers: int = 2
    num_heads: int = 4
    dropout: float = 0.4
    max_distance: int = 12
    max_positions: int = 64
    max_speakers: int = 12
    focal_gamma: float = 0.0
    class_weights: list[float] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Checks the context.

        Raises:
            UsageError: There is no such context.
        """
        if self.context not in get_args(Reach):
            raise UsageError(
                f"context has no value {self.context!r}. {did_you_mean(str(self.context), get_args(Reach))}"
            )
        super().__post_init__(**kwargs)


@dataclass
class EmotionOutput(ModelOutput):  # type: ignore[misc]
    """Output of an :class:`EmotionTransformer`; read it by name.

    Attributes:
        loss: Scalar; None without labels.
        logits: ``(B, L, C)``, zero for padding.
    """

    loss: Tensor | None = None
    logits: Tensor = None  # type: ignore[assignment]  # always given; a ModelOutput wants defaults


class EmotionTransformer(PreTrainedModel):  # type: ignore[misc]
    """Classifies the emotion of every utterance of a dialogue.

    A ``PreTrainedModel``: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` work.

    Example:
        >>> config = EmotionTransformerConfig(class_names=["neutral", "joy"], text_size=8, hidden_size=16, num_heads=2)
        >>> output = EmotionTransformer(config).eval()(
        ...     mask=torch.ones(1, 3, dtype=torch.bool), speakers=torch.tensor([[0, 1, 0]]), text=torch.randn(1, 3, 8))
        >>> tuple(output.logits.shape)
        (1, 3, 2)
    """

    config_class = EmotionTransformerConfig
    base_model_prefix = "emotions"

    def __init__(self, config: EmotionTransformerConfig):
        super().__init__(config)
        hidden, classes = config.hidden_size, len(config.class_names or ())
        self.text_encoder: nn.Module | None = None
        if config.text_encoder is not None:
            encoder_config = AutoConfig.for_model(**config.text_encoder)
            self.use_text_encoder(AutoModel.from_config(encoder_config))
        named = {
            "text": config.text_size,
            "event": config.event_size,
            "audio": config.audio_size,
            "video": config.video_size,
        }
        sizes = {name: size for name, size in named.items() if size}
        self.own_classifiers = nn.ModuleDict(
            {name: ModalityProjection(size, classes, config.dropout) for name, size in sizes.items()}
        )
        self.projections = nn.ModuleDict(
            {name: ModalityProjection(size, hidden, config.dropout) for name, size in sizes.items()}
        )
        self.speaker = nn.Embedding(config.max_speakers, hidden)
        self.position = nn.Embedding(config.max_positions, hidden)
        self.input_dropout = nn.Dropout(config.dropout)
        self.dialogue = nn.ModuleList(
            DialogueLayer(hidden, config.num_heads, 2 * hidden, config.dropout) for _ in range(config.num_layers)
        )
        # By distance of the turns, once for turns of other speakers and once for those of the same.
        self.turn_bias = nn.Embedding(2 * (2 * config.max_distance + 1), config.num_heads)
        self.norm = nn.LayerNorm(hidden)
        self.context_head = scoring_head(hidden, config.dropout, classes)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        # Linear layers and norms keep torch's own initialisation.
        if module is self.turn_bias or module is self.context_head[-1]:
            for parameter in module.parameters():
                nn.init.zeros_(parameter)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def use_text_encoder(self, encoder: nn.Module) -> None:
        """Takes over a pretrained encoder, to be trained and saved with the model."""
        # Layers are pooled here; an encoder's own pooler would be a parameter without gradient.
        if getattr(encoder, "pooler", None) is not None:
            setattr(encoder, "pooler", None)  # noqa: B010 - not every encoder declares one
        self.text_encoder = encoder

    def forward(
        self,
        mask: Tensor,
        speakers: Tensor,
        text: Tensor | None = None,
        event: Tensor | None = None,
        audio: Tensor | None = None,
        video: Tensor | None = None,
        labels: Tensor | None = None,
        text_tokens: list[dict[str, Tensor]] | None = None,
        text_order: Tensor | None = None,
        audio_present: Tensor | None = None,
        video_present: Tensor | None = None,
        **streams: Any,
    ) -> EmotionOutput:
        """Classifies the utterances of a padded batch.

        Args:
            mask: ``(B, L)`` bool, true for utterances.
            speakers: ``(B, L)`` int, speakers of a dialogue numbered by first appearance.
            text: ``(B, L, text_size)`` frozen text features; or else ``text_tokens``.
            event: ``(B, L, event_size)``.
            audio: ``(B, L, audio_size)``.
            video: ``(B, L, video_size)``.
            labels: ``(B, L)`` int, -100 where the emotion is not known; the output then has ``loss``.
            text_tokens: Chunks of the batch's utterances, each with ``input_ids`` and ``attention_mask`` ``(u, T)``.
            text_order: With them, ``(U,)`` int, the row, among all chunks, of each true entry of ``mask``.
            audio_present: ``(B, L)`` bool; absent vectors are replaced by a learned one.
            video_present: ``(B, L)`` bool.
            streams: What other models of emotions take; ignored.

        Returns:
            The logits, and with labels the loss.

        Raises:
            UsageError: A stream of the configuration is not given, or an input has other dialogues or turns than the
                mask.
        """
        mask = mask.bool()
        flags = {"audio": audio_present, "video": video_present}
        of_streams = {"text": text, "event": event, "audio": audio, "video": video}
        of_flags = {f"{name}_present": flag for name, flag in flags.items()}
        check_turns(mask, {"speakers": speakers, **of_streams, **of_flags, "labels": labels})
        ragged = Ragged.of(mask)
        features: dict[str, Tensor | None] = {
            name: values if values is None else ragged.flat(values) for name, values in of_streams.items()
        }
        if text is None and text_tokens is not None:
            features["text"] = self._encode_text(text_tokens, text_order)
        present = {name: ragged.flat(flag.bool()) for name, flag in flags.items() if flag is not None}
        turns = ragged.places % mask.shape[1]
        hidden = self.position(turns.clamp(max=self.config.max_positions - 1))
        hidden = hidden + self.speaker(ragged.flat(speakers).clamp(max=self.config.max_speakers - 1))
        logits: Tensor | float = 0.0
        for name, project in self.projections.items():
            vectors = features[name]
            if vectors is None:
                raise UsageError(f"This model uses {name} vectors, but {name}= is not given.")
            hidden = hidden + project(vectors, present.get(name))
            logits = logits + self.own_classifiers[name](vectors, present.get(name))
        hidden = self.input_dropout(hidden)
        bias = self._attention_bias(mask, speakers)
        for layer in self.dialogue:
            hidden = layer(hidden, ragged, bias)
        padded = ragged.padded((logits + self.context_head(self.norm(hidden))).float())
        loss = None
        if labels is not None:
            gamma, alpha = self.config.focal_gamma, self.config.class_weights
            loss = emotion_loss(padded, labels, mask, gamma=gamma, class_weights=alpha)
        return EmotionOutput(loss=loss, logits=padded)

    def _encode_text(self, chunks: list[dict[str, Tensor]], order: Tensor | None) -> Tensor:
        if self.text_encoder is None or order is None:
            raise ValueError("this model takes text as features, not as tokens")
        return pooled_chunks(self.text_encoder, chunks, order, self.config.text_layers)

    def _attention_bias(self, mask: Tensor, speakers: Tensor) -> Tensor:
        """``(B, heads, L, L)``: learned for what an utterance sees, minus infinity elsewhere."""
        limit = self.config.max_distance
        turn = torch.arange(mask.shape[1], device=mask.device)
        distance = turn[:, None] - turn
        seen = (
            mask[:, None] & (distance >= 0)
            if self.config.context == "causal"
            else mask[:, None].expand(-1, len(turn), -1)
        )
        # Padding sees itself, so that no softmax is undefined.
        seen = seen | (distance == 0)
        same = (speakers[:, :, None] == speakers[:, None]).long()
        places = distance.clamp(-limit, limit) + limit + same * (2 * limit + 1)
        bias: Tensor = self.turn_bias(places).permute(0, 3, 1, 2)
        return bias.masked_fill(~seen.unsqueeze(1), -torch.inf)
