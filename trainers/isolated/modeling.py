"""The isolated scorer: every pair is classified alone, as by the published baselines (arXiv 2605.25208).

One text segment holds target and candidate; audio and video have a branch on the vectors of both; fusion is late::

    "Target utterance F: …  Candidate utterance M: …" --encoder--> pooled output                      (width of encoder)
    [target vector, candidate vector] --Linear, LayerNorm, ReLU, Dropout--> branch                   (H), each modality
    [pooled output, audio branch, video branch] --Dropout, Linear--> pair logits                     (C)

Its input has neither the rest of the dialogue nor the distance of the two turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import ModelOutput

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.encoders.pooling import pool_layers
from iemomecp_dataset.trainers.encoders.text import encoded_chunks
from iemomecp_dataset.trainers.isolated.first_token import use_first_token_layer
from iemomecp_dataset.trainers.objectives import mean_cross_entropy
from iemomecp_dataset.trainers.pairs.config import TEXT_ENCODER, Expected, PairScorerConfig, count, one_of, share
from iemomecp_dataset.trainers.whole_model import WholeModel

__all__ = ["IsolatedScorer", "IsolatedScorerConfig", "IsolatedScores"]


class IsolatedScorerConfig(PairScorerConfig):
    """Shape of an :class:`IsolatedScorer`; pair classes and decision rule are those of the base.

    Attributes:
        text_encoder: Configuration of the text encoder that is trained and saved with the scorer; ``None`` without
            text.
        text_encoder_name: Name or path the text encoder was loaded from.
        segment_pooling: How a segment is pooled: ``pooler`` (the encoder's own, as published), ``first_token`` or
            ``mean`` (of all tokens).
        max_tokens: Tokens per segment; what is longer is cut, and counted.
        audio_size: Width of an audio feature vector, 0 without audio.
        video_size: Width of a video feature vector, 0 without video.
        hidden_size: Width of an audio or video branch.
        dropout: Dropout probability in the branches and before the last layer.
    """

    model_type = "iemomecp_isolated_scorer"

    text_encoder: dict[str, Any] | None = None
    text_encoder_name: str | None = None
    segment_pooling: str = "pooler"
    max_tokens: int = 160
    audio_size: int = 0
    video_size: int = 0
    hidden_size: int = 768
    dropout: float = 0.1

    _expected: ClassVar[dict[str, Expected]] = {
        "text_encoder": TEXT_ENCODER,
        "segment_pooling": one_of("pooler", "first_token", "mean"),
        **dict.fromkeys(("audio_size", "video_size"), count(0)),
        **dict.fromkeys(("max_tokens", "hidden_size"), count(1)),
        "dropout": share(),
    }


@dataclass
class IsolatedScores(ModelOutput):  # type: ignore[misc]
    """Output of an :class:`IsolatedScorer`; read it by name.

    Attributes:
        loss: Scalar, the cross entropy; None without labels.
        logits: ``(B, C)`` float32.
    """

    loss: Tensor | None = None
    logits: Tensor = None  # type: ignore[assignment]  # always given; a ModelOutput wants defaults


class IsolatedScorer(WholeModel):
    """Classifies pairs one at a time.

    A ``PreTrainedModel``: ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` work.

    Example:
        >>> config = IsolatedScorerConfig(class_names=["pair", "non_pair"], audio_size=8, hidden_size=16)
        >>> scores = IsolatedScorer(config).eval()(
        ...     audio=torch.randn(5, 2, 8), audio_present=torch.ones(5, 2, dtype=torch.bool),
        ...     labels=torch.tensor([0, 1, 1, 1, 0]))
        >>> tuple(scores.logits.shape), tuple(scores.loss.shape)
        ((5, 2), ())
    """

    config_class = IsolatedScorerConfig
    base_model_prefix = "scorer"

    def __init__(self, config: IsolatedScorerConfig):
        super().__init__(config)
        self.text_encoder: nn.Module | None = None
        width = 0
        if config.text_encoder is not None:
            encoder_config = AutoConfig.for_model(**config.text_encoder)
            self.use_text_encoder(AutoModel.from_config(encoder_config))
            width = int(encoder_config.hidden_size)
        sizes = {"audio": config.audio_size, "video": config.video_size}
        self.branches = nn.ModuleDict(
            {name: _PairBranch(size, config.hidden_size, config.dropout) for name, size in sizes.items() if size}
        )
        self.output = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(width + config.hidden_size * len(self.branches), len(config.class_names or ())),
        )
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Linear layers and norms keep torch's own initialisation."""

    def forward(
        self,
        text_tokens: list[dict[str, Tensor]] | None = None,
        text_order: Tensor | None = None,
        audio: Tensor | None = None,
        audio_present: Tensor | None = None,
        video: Tensor | None = None,
        video_present: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> IsolatedScores:
        """Scores ``B`` pairs.

        Args:
            text_tokens: Chunks of segments, each with ``input_ids`` and ``attention_mask`` ``(u, T)``;
            text_order: with them, ``(B,)`` int, the row, among all chunks, of each pair's segment.
            audio: ``(B, 2, audio_size)``, the target's and the candidate's vector.
            audio_present: ``(B, 2)`` bool; absent vectors are replaced by a learned one.
            video: ``(B, 2, video_size)``.
            video_present: ``(B, 2)`` bool.
            labels: ``(B,)`` int, class ids, -100 for pairs that do not count; the output then has ``loss``, which is
                :func:`~iemomecp_dataset.trainers.objectives.mean_cross_entropy`.

        Returns:
            The logits, and with labels the loss.
        """
        parts = []
        if self.text_encoder is not None:
            if text_tokens is None or text_order is None:
                raise ValueError("this scorer needs text")
            encoded = encoded_chunks(self.text_encoder, text_tokens)
            pooled = [self._pool(states, chunk) for states, chunk in zip(encoded, text_tokens, strict=True)]
            parts.append(torch.cat(pooled)[text_order])
        features = {"audio": (audio, audio_present), "video": (video, video_present)}
        for name, branch in self.branches.items():
            vectors, present = features[name]
            if vectors is None or present is None:
                raise ValueError(f"this scorer needs {name} features")
            parts.append(branch(vectors, present))
        logits: Tensor = self.output(torch.cat(parts, dim=-1).to(next(self.output.parameters()).dtype)).float()
        loss = None
        if labels is not None:
            loss = mean_cross_entropy(logits, labels, torch.ones_like(labels, dtype=torch.bool))
        return IsolatedScores(loss=loss, logits=logits)

    def use_text_encoder(self, encoder: nn.Module) -> None:
        """Takes over a pretrained encoder, to be trained and saved with the scorer.

        Raises:
            UsageError: The encoder has no pooler and its pooled output is asked for.
        """
        has_pooler = getattr(encoder, "pooler", None) is not None
        if self.config.segment_pooling == "pooler":
            if not has_pooler:
                raise UsageError(
                    f"The text encoder ({type(encoder).__name__}) has no pooler, whose output the published protocol "
                    "classifies. Use --segment_pooling first_token or mean, or another encoder."
                )
        elif has_pooler:
            # Unused, it would be a parameter without gradient.
            setattr(encoder, "pooler", None)  # noqa: B010 - not every encoder declares one
        if self.config.segment_pooling != "mean":
            use_first_token_layer(encoder)
        self.text_encoder = encoder

    def _pool(self, states: Any, chunk: dict[str, Tensor]) -> Tensor:
        pooled: Tensor
        if self.config.segment_pooling == "pooler":
            pooled = states.pooler_output
        elif self.config.segment_pooling == "first_token":
            pooled = states.last_hidden_state[:, 0]
        else:
            pooled = pool_layers([states.last_hidden_state], chunk["attention_mask"], [0])
        return pooled


class _PairBranch(nn.Module):
    """Projects the vectors of two utterances to one; absent ones are replaced by a learned vector, zero at first."""

    def __init__(self, size: int, hidden: int, dropout: float):
        super().__init__()
        self.absent = nn.Parameter(torch.zeros(size))
        self.project = nn.Sequential(nn.Linear(2 * size, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        known = torch.where(present.unsqueeze(-1), vectors.to(self.absent.dtype), self.absent)
        projected: Tensor = self.project(known.flatten(start_dim=1))
        return projected
