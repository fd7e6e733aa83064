"""A slow ECERC in NumPy, written from the paper's equations turn by turn and head by head; float64.

Weights have the names of the released state dicts. Dialogues of a batch are computed one after the other; of padding
they know only what ``uniform`` lets through: as many rows of zeros as are missing to the width of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HEADS, SIZE = 8, 64


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def norm(x: Array, w: Mapping[str, Array], name: str) -> Array:
    centred = x - x.mean()
    return centred / math.sqrt((centred**2).mean() + 1e-6) * w[f"{name}.weight"] + w[f"{name}.bias"]


def positions(turns: int, columns: int, width: int) -> Array:
    table = np.zeros((turns, columns))
    for p in range(turns):
        for j in range(columns):
            angle = p / 10000.0 ** (2 * (j // 2) / width)
            table[p, j] = math.cos(angle) if j % 2 else math.sin(angle)
    return table.astype(np.float32).astype(np.float64)


def seen(context: str, i: int, speakers: Sequence[int], length: int) -> list[int]:
    """The turns that turn ``i`` looks at; what is not below ``length`` is padding."""
    if context == "itself":
        return [i]
    past = [j for j in range(i + 1) if j < length]
    if context == "history":
        return past
    if context == "own":
        return [j for j in past if j < i and speakers[j] == speakers[i]]
    return [j for j in past if speakers[j] != speakers[i]]


def encoder(
    w: Mapping[str, Array],
    name: str,
    queries: Array,
    memory: Array | None,
    context: str,
    speakers: Sequence[int],
    length: int,
    empty_rows: str,
) -> tuple[Array, Array]:
    """The encoder's output, and the attention weights ``(8, n, n)`` of its last layer."""
    layers = 1 + max(int(key.split(".")[2]) for key in w if key.startswith(f"{name}.layer_stack."))
    n = len(queries)
    for layer in range(layers):
        at = f"{name}.layer_stack.{layer}"
        keys = queries if memory is None else memory
        attention = np.zeros((HEADS, n, n))
        heads = np.zeros((n, HEADS * SIZE))
        for h in range(HEADS):
            part = slice(h * SIZE, (h + 1) * SIZE)
            q = queries @ w[f"{at}.slf_attn.w_qs.weight"][part].T
            k = keys @ w[f"{at}.slf_attn.w_ks.weight"][part].T
            v = keys @ w[f"{at}.slf_attn.w_vs.weight"][part].T
            for i in range(n):
                turns = seen(context, i, speakers, length)
                if turns:
                    scores = np.array([q[i] @ k[j] / 8.0 for j in turns])
                    exponentials = np.exp(scores - scores.max())
                    attention[h, i, turns] = exponentials / exponentials.sum()
                elif empty_rows == "uniform":
                    attention[h, i] = 1.0 / n
                heads[i, part] = attention[h, i] @ v
        moved = np.zeros_like(queries)
        for i in range(n):
            y = norm(w[f"{at}.slf_attn.fc.weight"] @ heads[i] + queries[i], w, f"{at}.slf_attn.layer_norm")
            inner = np.maximum(w[f"{at}.pos_ffn.w_1.weight"] @ y + w[f"{at}.pos_ffn.w_1.bias"], 0.0)
            forwarded = w[f"{at}.pos_ffn.w_2.weight"] @ inner + w[f"{at}.pos_ffn.w_2.bias"]
            moved[i] = norm(forwarded + y, w, f"{at}.pos_ffn.layer_norm")
        queries = moved
    return queries, attention


def linear(x: Array, w: Mapping[str, Array], name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def dialogue_steps(
    w: Mapping[str, Array], config: Any, vectors: Mapping[str, Array], speakers: Sequence[int], length: int
) -> dict[str, Array]:
    """All steps of one dialogue.

    Args:
        w: Weights by their released names.
        config: An ``EcercConfig``.
        vectors: ``(n, d)`` by stream (``text``, ``event``, ``audio``, ``video``), zero from ``length`` on.
        speakers: ``n`` ids.
        length: Utterances; the rest is padding.

    Returns:
        ``log_probs`` ``(n, C)``; ``evidence``, ``emotion_context``, ``event_context``; and for each interaction
        ``candidate_*``, ``gated_*``, ``gate_*``, ``attention_*``.
    """
    ablation, h = config.ablation, config.hidden_size
    sizes = [("text", "t", config.text_size), ("audio", "a", config.audio_size), ("video", "v", config.video_size)]
    used = [(name, letter, size) for name, letter, size in sizes if size]
    width = sum(size for _, _, size in used)
    n = len(speakers)
    slots = [name for name, _, _ in used]
    if config.meld_slots == "released" and "audio" in slots and "video" in slots:
        slots = [name for name in slots if name == "text"] + ["video", "audio"]
    raw = np.concatenate([vectors[name] for name in slots], axis=1)
    table = positions(n, max(width, config.event_size), width)
    if config.positions:
        raw = raw + table[:, :width]
    projected, first = [], 0
    for _, letter, size in used:
        projected.append(linear(raw[:, first : first + size], w, f"modal_filtering.proj_{letter}"))
        first += size
    gated = []
    for place, own in enumerate(projected):
        weight = np.ones_like(own)
        if ablation != "no_evidence_gate":
            score = linear(own, w, "modal_filtering.q")
            for other, evidence in enumerate(projected):
                if other != place and ablation != "own_evidence_gate":
                    score = score + linear(evidence, w, "modal_filtering.k")
            weight = sigmoid(score)
        gated.append(weight * own)
    evidence = np.concatenate(gated, axis=1)
    found = {"evidence": evidence}

    def encode(name: str, queries: Array, memory: Array | None, context: str) -> tuple[Array, Array]:
        return encoder(w, name, queries, memory, context, speakers, length, config.empty_rows)

    emotion = evidence
    if ablation != "no_emotion_encoding":
        emotion, _ = encode("emotion_encoding", evidence, None, "history")
    found["emotion_context"] = emotion
    queries = evidence if config.query == "evidence" else emotion
    candidates = {}
    for name, stack, context in (
        ("self_emotion", "self_contagion_attention", "own"),
        ("cross_emotion", "cross_emotion_attention", "other"),
    ):
        if ablation != f"no_{name}":
            candidates[name], found[f"attention_{name}"] = encode(stack, queries, emotion, context)
    if config.text_size and config.event_size:
        event = vectors["event"]
        if config.positions:
            event = event + table[:, : config.event_size]
        event = linear(event, w, "proj_eve")
        if ablation != "no_event_encoding":
            event, _ = encode("event_encoding", event, None, "history")
        found["event_context"] = event
        for name, context in (("self_event", "itself"), ("cross_event", "other")):
            if ablation != f"no_{name}":
                feature, found[f"attention_{name}"] = encode(f"{name}_attention", queries[:, :h], event, context)
                candidates[name] = np.concatenate([feature, queries[:, h:]], axis=1)
    everything = np.concatenate(list(candidates.values()), axis=1)
    features = []
    for name, candidate in candidates.items():
        gate = np.ones_like(candidate)
        if ablation != "no_feature_gate":
            of = everything if ablation == "joint_feature_gate" else candidate
            gate = sigmoid(linear(of, w, "gate_reset2" if name.endswith("event") else "gate_reset"))
        found |= {f"candidate_{name}": candidate, f"gated_{name}": gate * candidate, f"gate_{name}": gate}
        features.append(gate * candidate)
    logits = linear(np.concatenate(features, axis=1), w, "smax_fc")
    shifted = logits - logits.max(axis=1, keepdims=True)
    found["log_probs"] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def loss(log_probs: Array, labels: Sequence[int], gamma: float, alpha: Sequence[float] | None) -> float:
    """Mean over labelled utterances of ``-(1 - p)^gamma * alpha_y * log p``."""
    terms = [
        -((1.0 - math.exp(row[y])) ** gamma) * (1.0 if alpha is None else alpha[y]) * row[y]
        for row, y in zip(log_probs, labels, strict=True)
        if y != -100
    ]
    return sum(terms) / len(terms) if terms else 0.0
