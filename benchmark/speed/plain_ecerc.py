"""ECERC written plainly from the paper's equations: padded batches, a loop over heads, a softmax in every attention.

The alternative that :mod:`iemomecp_dataset.benchmark.speed.emotions` measures; all three modalities, one layer.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from iemomecp_dataset.trainers.emotions.layers import position_table
from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercModel

__all__ = ["PlainEcerc"]

_HEADS, _SIZE = 8, 64


class PlainEcerc(nn.Module):
    """The model with ``empty_rows="zero"`` and positions.

    Args:
        model: An :class:`~iemomecp_dataset.trainers.emotions.modeling_ecerc.EcercModel` of all modalities and one
            layer; its weights are copied.
    """

    def __init__(self, model: EcercModel):
        super().__init__()
        config = model.config
        self.hidden = config.hidden_size
        self.sizes = list(config.modality_sizes.values())
        gate: Any = model.evidence_gate
        self.projections = nn.ModuleList(deepcopy(layer) for layer in gate.projections.values())
        self.query, self.key = deepcopy(gate.query), deepcopy(gate.key)
        self.event_projection: Any = deepcopy(model.event_projection)
        self.emotion_encoding = _PlainLayer(model.emotion_encoding, config.dropout)
        self.event_encoding = _PlainLayer(model.event_encoding, config.dropout)
        self.interactions = nn.ModuleDict(
            {name: _PlainLayer(encoder, config.dropout) for name, encoder in model.interactions.items()}
        )
        self.emotion_gate: Any = deepcopy(model.emotion_gate)
        self.event_gate: Any = deepcopy(model.event_gate)
        self.classifier = deepcopy(model.classifier)
        self.dropout_evidence = nn.Dropout(config.dropout_evidence)
        self.dropout_features = nn.Dropout(config.dropout_features)

    def forward(
        self, mask: Tensor, speakers: Tensor, text: Tensor, event: Tensor, audio: Tensor, video: Tensor
    ) -> Tensor:
        """Classifies a padded batch: ``(B, L, C)``; arguments as of the model."""
        turns, total = mask.shape[1], sum(self.sizes)
        table = position_table(turns, total, total)
        raw = torch.cat([text, audio, video], dim=-1) + table
        pieces = torch.split(raw, self.sizes, dim=-1)
        t, a, v = (project(piece) for project, piece in zip(self.projections, pieces, strict=True))
        evidence = torch.cat(
            [
                torch.sigmoid(self.query(t) + self.key(a) + self.key(v)) * t,
                torch.sigmoid(self.query(a) + self.key(t) + self.key(v)) * a,
                torch.sigmoid(self.query(v) + self.key(t) + self.key(a)) * v,
            ],
            dim=-1,
        )
        evidence = self.dropout_evidence(evidence)
        past = torch.ones(turns, turns, dtype=torch.bool).tril() & mask[:, None]
        same = speakers[:, :, None] == speakers[:, None]
        itself = torch.eye(turns, dtype=torch.bool).expand_as(past)
        own = past & same & ~itself
        other = past & ~same
        emotions = self.emotion_encoding(evidence, evidence, past)
        events = self.event_projection(event + table[:, : event.shape[-1]])
        events = self.event_encoding(events, events, past)
        text_part, rest = evidence[..., : self.hidden], evidence[..., self.hidden :]
        candidates = [
            self.interactions["self_emotion"](evidence, emotions, own),
            self.interactions["cross_emotion"](evidence, emotions, other),
            torch.cat([self.interactions["self_event"](text_part, events, itself), rest], dim=-1),
            torch.cat([self.interactions["cross_event"](text_part, events, other), rest], dim=-1),
        ]
        gates = [self.emotion_gate, self.emotion_gate, self.event_gate, self.event_gate]
        gated = [torch.sigmoid(gate(feature)) * feature for gate, feature in zip(gates, candidates, strict=True)]
        logits: Tensor = self.classifier(self.dropout_features(torch.cat(gated, dim=-1)))
        return logits


class _PlainLayer(nn.Module):
    def __init__(self, encoder: Any, dropout: float):
        super().__init__()
        (layer,) = encoder.layers
        self.queries, self.keys, self.values = (
            nn.ModuleList(_head(projection, head) for head in range(_HEADS))
            for projection in (layer.query, layer.key, layer.value)
        )
        self.output, self.expand, self.contract = (deepcopy(x) for x in (layer.output, layer.expand, layer.contract))
        self.attention_norm, self.feed_forward_norm = deepcopy(layer.attention_norm), deepcopy(layer.feed_forward_norm)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, memory: Tensor, allowed: Tensor) -> Tensor:
        heads = []
        for query, key, value in zip(self.queries, self.keys, self.values, strict=True):
            scores = query(queries) @ key(memory).transpose(1, 2) / _SIZE**0.5
            weights = scores.masked_fill(~allowed, -1e9).softmax(dim=-1).masked_fill(~allowed, 0.0)
            heads.append(self.dropout(weights) @ value(memory))
        attended = self.attention_norm(queries + self.dropout(self.output(torch.cat(heads, dim=-1))))
        forwarded = self.dropout(self.contract(torch.relu(self.expand(attended))))
        result: Tensor = self.feed_forward_norm(attended + forwarded)
        return result


def _head(projection: nn.Linear, head: int) -> nn.Linear:
    own = nn.Linear(projection.in_features, _SIZE, bias=False)
    with torch.no_grad():
        own.weight.copy_(projection.weight[head * _SIZE : (head + 1) * _SIZE])
    return own
