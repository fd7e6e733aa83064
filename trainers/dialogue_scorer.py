"""The dialogue pair scorer: every utterance is encoded once, every candidate pair is scored from the whole dialogue.

Per modality a projection with an explicit mask, a transformer over the dialogue, an emotion and a cause head, and a
pair scorer that knows the relative distance and whether the speaker is the same::

    text, audio, video --project, mask--> sum + speaker + position --transformer--> h
    h_i --> emotion logits        h_j --> cause logits
    W_r h_i + W_c h_j + distance(i - j) + same speaker --MLP--> + h_i U h_j --> pair logits (N, N, C)

Written additively, no tensor of size (N, N, 3 D) is ever built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel

from iemomecp_dataset.trainers.layer_pooling import pool_layers
from iemomecp_dataset.trainers.objectives import corrupt_context

__all__ = ["Corruption", "DialogueScorer", "DialogueScorerConfig", "DialogueScores"]


class DialogueScorerConfig(PreTrainedConfig):  # type: ignore[misc]
    """Shape of a :class:`DialogueScorer`.

    Attributes:
        class_names: Names of the pair classes by id; class 0 is the positive one.
        text_size: Width of an utterance's text representation, 0 without text.
        audio_size: Width of an audio feature vector, 0 without audio.
        video_size: Width of a video feature vector, 0 without video.
        text_encoder: Configuration of the text encoder that is trained with the scorer and saved in it; ``None`` when
            text comes as frozen features (then ``text_encoder_name`` says from which encoder).
        text_encoder_name: Name or path the text encoder was loaded from.
        text_layers: Encoder layers that are mean-pooled and concatenated (0 is the embedding layer).
        max_tokens: Tokens per utterance; what is longer is cut, and counted.
        hidden_size: Width of the dialogue transformer.
        num_layers: Its depth; 0 scores utterances without dialogue context.
        num_heads: Its attention heads.
        dropout: Dropout probability everywhere in the head.
        pair_size: Width of the pair scorer's hidden layer.
        bilinear_size: Rank of the bilinear term, 0 for none.
        max_distance: Relative distances beyond it share an embedding.
        max_positions: Turns beyond it share a position embedding.
        max_speakers: Speakers of a dialogue, numbered by first appearance, beyond it share an embedding.
    """

    model_type = "iemomecp_dialogue_scorer"

    class_names: list[str] | None = None
    text_size: int = 0
    audio_size: int = 0
    video_size: int = 0
    text_encoder: dict[str, Any] | None = None
    text_encoder_name: str | None = None
    text_layers: list[int] | None = None
    max_tokens: int = 128
    hidden_size: int = 256
    num_layers: int = 2
    num_heads: int = 4
    dropout: float = 0.4
    pair_size: int = 256
    bilinear_size: int = 128
    max_distance: int = 12
    max_positions: int = 64
    max_speakers: int = 12


@dataclass(frozen=True)
class Corruption:
    """How the corrupted view of a dialogue is made (arXiv 2606.18893, Eq. 12 and 13).

    Attributes:
        rate: Probability of zeroing an utterance.
        protect_gold: Spare utterances of gold pairs.
        point: ``scorer_input``, the paper's: what enters the pair scorer is corrupted; or ``dialogue_input``: what
            enters the dialogue transformer, so that the context of gold pairs changes too.
    """

    rate: float = 0.30
    protect_gold: bool = True
    point: str = "scorer_input"


@dataclass
class DialogueScores:
    """What the scorer says about a batch of dialogues.

    Attributes:
        emotion_logits: ``(B, N, 2)``; index 1: the utterance is emotional.
        cause_logits: ``(B, N, 2)``; index 1: the utterance causes some emotion.
        pair_logits: ``(B, N, N, C)``; row target, column candidate cause.
        corrupted_pair_logits: The same on the corrupted view, or ``None``.
    """

    emotion_logits: Tensor
    cause_logits: Tensor
    pair_logits: Tensor
    corrupted_pair_logits: Tensor | None = None


class DialogueScorer(PreTrainedModel):  # type: ignore[misc]
    """Scores all candidate pairs of a dialogue at once.

    A ``PreTrainedModel``: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` work.

    Example:
        >>> config = DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=8, hidden_size=16, num_heads=2)
        >>> scores = DialogueScorer(config).eval()(
        ...     mask=torch.ones(1, 3, dtype=torch.bool), speakers=torch.tensor([[0, 1, 0]]), text=torch.randn(1, 3, 8))
        >>> tuple(scores.pair_logits.shape)
        (1, 3, 3, 2)
    """

    config_class = DialogueScorerConfig
    base_model_prefix = "scorer"

    def __init__(self, config: DialogueScorerConfig):
        super().__init__(config)
        hidden = config.hidden_size
        self.text_encoder: nn.Module | None = None
        if config.text_encoder is not None:
            encoder_config = AutoConfig.for_model(**config.text_encoder)
            self.use_text_encoder(AutoModel.from_config(encoder_config))
        sizes = {"text": config.text_size, "audio": config.audio_size, "video": config.video_size}
        self.projections = nn.ModuleDict(
            {name: _ModalityProjection(size, hidden, config.dropout) for name, size in sizes.items() if size}
        )
        self.speaker = nn.Embedding(config.max_speakers, hidden)
        self.position = nn.Embedding(config.max_positions, hidden)
        self.input_dropout = nn.Dropout(config.dropout)
        self.dialogue = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden,
                config.num_heads,
                2 * hidden,
                config.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(hidden)
        self.emotion_head = _head(hidden, config.dropout)
        self.cause_head = _head(hidden, config.dropout)
        self.pair_scorer = PairScorer(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        # Linear layers and norms keep torch's own initialisation; embeddings start small, so that a
        # position or a speaker does not drown what was said.
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(
        self,
        mask: Tensor,
        speakers: Tensor,
        valid: Tensor | None = None,
        text: Tensor | None = None,
        text_tokens: list[dict[str, Tensor]] | None = None,
        text_order: Tensor | None = None,
        audio: Tensor | None = None,
        audio_present: Tensor | None = None,
        video: Tensor | None = None,
        video_present: Tensor | None = None,
        gold: Tensor | None = None,
        corruption: Corruption | None = None,
    ) -> DialogueScores:
        """Scores a padded batch.

        Args:
            mask: ``(B, N)`` bool, true for utterances.
            speakers: ``(B, N)`` int, speakers of a dialogue numbered by first appearance.
            valid: ``(B, N, N)`` bool, the pairs to score; all pairs of utterances by default.
            text: ``(B, N, text_size)`` frozen text features; or else
            text_tokens: chunks of the batch's utterances, each with ``input_ids`` and ``attention_mask`` ``(u, T)``;
            text_order: with them, ``(U,)`` int, the row, among all chunks, of each true entry of ``mask``.
            audio: ``(B, N, audio_size)``.
            audio_present: ``(B, N)`` bool; absent vectors are replaced by a learned one.
            video: ``(B, N, video_size)``.
            video_present: ``(B, N)`` bool.
            gold: ``(B, N, N)`` bool, needed for a corrupted view.
            corruption: How to make the corrupted view; ``None`` for no such view.

        Returns:
            The logits.
        """
        if valid is None:
            valid = mask.unsqueeze(-1) & mask.unsqueeze(-2)
        if text is None and text_tokens is not None:
            text = self._encode_text(text_tokens, text_order, mask)
        utterances = self._fuse(
            mask,
            speakers,
            {"text": (text, None), "audio": (audio, audio_present), "video": (video, video_present)},
        )
        contextual = self._contextualise(utterances, mask)
        scores = DialogueScores(
            emotion_logits=self.emotion_head(contextual).float(),
            cause_logits=self.cause_head(contextual).float(),
            pair_logits=self.pair_scorer(contextual, speakers, valid),
        )
        if corruption is not None:
            if gold is None:
                raise ValueError("a corrupted view needs the gold pairs")
            at_scorer = corruption.point == "scorer_input"
            corrupted = corrupt_context(
                contextual if at_scorer else utterances,
                gold,
                mask,
                rate=corruption.rate,
                protect_gold=corruption.protect_gold,
            )
            if not at_scorer:
                corrupted = self._contextualise(corrupted, mask)
            scores.corrupted_pair_logits = self.pair_scorer(corrupted, speakers, valid)
        return scores

    def use_text_encoder(self, encoder: nn.Module) -> None:
        """Takes over a pretrained encoder, to be trained and saved with the scorer."""
        # Layers are pooled here; an encoder's own pooler would be a parameter without gradient.
        if getattr(encoder, "pooler", None) is not None:
            setattr(encoder, "pooler", None)  # noqa: B010 - not every encoder declares one
        self.text_encoder = encoder

    def _encode_text(self, chunks: list[dict[str, Tensor]], order: Tensor | None, mask: Tensor) -> Tensor:
        if self.text_encoder is None or order is None:
            raise ValueError("this scorer takes text as features, not as tokens")
        pooled = [
            pool_layers(
                self.text_encoder(**chunk, output_hidden_states=True).hidden_states,
                chunk["attention_mask"],
                self.config.text_layers,
            )
            for chunk in chunks
        ]
        encoded = torch.cat(pooled)[order]
        text = encoded.new_zeros(*mask.shape, encoded.shape[-1])
        text[mask] = encoded
        return text

    def _fuse(
        self, mask: Tensor, speakers: Tensor, modalities: dict[str, tuple[Tensor | None, Tensor | None]]
    ) -> Tensor:
        positions = torch.arange(mask.shape[1], device=mask.device).clamp(max=self.config.max_positions - 1)
        fused = self.speaker(speakers.clamp(max=self.config.max_speakers - 1)) + self.position(positions)
        for name, projection in self.projections.items():
            features, present = modalities[name]
            if features is None:
                raise ValueError(f"this scorer needs {name} features")
            fused = fused + projection(features, mask if present is None else present)
        dropped: Tensor = self.input_dropout(fused)
        return dropped

    def _contextualise(self, utterances: Tensor, mask: Tensor) -> Tensor:
        hidden = utterances
        for layer in self.dialogue:
            hidden = layer(hidden, src_key_padding_mask=~mask)
        normalised: Tensor = self.norm(hidden)
        return normalised


class PairScorer(nn.Module):
    """Logits of all pairs ``(N, N, C)`` from utterance representations ``(N, D)``."""

    def __init__(self, config: DialogueScorerConfig):
        super().__init__()
        classes = len(config.class_names or ())
        self.max_distance = config.max_distance
        self.target = nn.Linear(config.hidden_size, config.pair_size)
        self.cause = nn.Linear(config.hidden_size, config.pair_size, bias=False)
        self.distance = nn.Embedding(2 * config.max_distance + 1, config.pair_size)
        self.same_speaker = nn.Embedding(2, config.pair_size)
        self.output = nn.Sequential(nn.GELU(), nn.Dropout(config.dropout), nn.Linear(config.pair_size, classes))
        self.bilinear = _Bilinear(config.hidden_size, config.bilinear_size, classes) if config.bilinear_size else None

    def forward(self, hidden: Tensor, speakers: Tensor, valid: Tensor) -> Tensor:
        """Scores the valid pairs.

        Args:
            hidden: ``(B, N, D)``.
            speakers: ``(B, N)`` int.
            valid: ``(B, N, N)`` bool. Only these are computed: in a padded batch they are a fraction of all.

        Returns:
            ``(B, N, N, C)`` float32, zero where not valid.
        """
        batch, turns = hidden.shape[:2]
        dialogue, target, cause = valid.nonzero(as_tuple=True)
        rows, columns = dialogue * turns + target, dialogue * turns + cause
        flat = hidden.reshape(batch * turns, -1)
        offsets = (target - cause).clamp(-self.max_distance, self.max_distance) + self.max_distance
        same = (speakers[dialogue, target] == speakers[dialogue, cause]).long()
        # index_select, not indexing: its backward pass is the faster one.
        pair = self.target(flat).index_select(0, rows) + self.cause(flat).index_select(0, columns)
        scores: Tensor = self.output(pair + self.distance(offsets) + self.same_speaker(same))
        if self.bilinear is not None:
            scores = scores + self.bilinear(flat, rows, columns)
        logits = scores.new_zeros(batch, turns, turns, scores.shape[-1], dtype=torch.float32)
        logits[dialogue, target, cause] = scores.float()
        return logits


class _Bilinear(nn.Module):
    """Low-rank bilinear score ``(A h_i) diag(w_c) (B h_j)`` per class ``c``."""

    def __init__(self, hidden: int, rank: int, classes: int):
        super().__init__()
        self.target = nn.Linear(hidden, rank)
        self.cause = nn.Linear(hidden, rank)
        self.weight = nn.Linear(rank, classes, bias=False)

    def forward(self, flat: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        product = self.target(flat).index_select(0, rows) * self.cause(flat).index_select(0, columns)
        scores: Tensor = self.weight(product)
        return scores


class _ModalityProjection(nn.Module):
    """Features to the width of the dialogue transformer; a learned vector stands for absent ones."""

    def __init__(self, size: int, hidden: int, dropout: float):
        super().__init__()
        self.project = nn.Sequential(nn.LayerNorm(size), nn.Dropout(dropout), nn.Linear(size, hidden))
        self.absent = nn.Parameter(torch.zeros(hidden))

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        return torch.where(present.unsqueeze(-1), self.project(features), self.absent)


def _head(hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 2))
