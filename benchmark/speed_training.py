"""Speed of training against named alternatives, measured in the same run."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.measurement import SpeedRow

__all__ = ["run"]


def run() -> list[SpeedRow]:
    """Measures everything about training, in about a minute."""
    return [*frozen_steps(), *trained_encoders()]


def frozen_steps(*, dialogues: int = 16, turns: int = 18, width: int = 768, repeats: int = 15) -> list[SpeedRow]:
    """Measures steps of the dialogue scorer with frozen text features; every time is the median of some repeats.

    Args:
        dialogues: Dialogues of the batch.
        turns: Utterances of the longest dialogue; the others are shorter, as IEMO-MECP's chunks are.
        width: Width of the text features.
        repeats: Repeats of each measurement, taken in turn so that a machine that slows down slows both.

    Returns:
        One row for each comparison.
    """
    import torch

    from iemomecp_dataset.trainers.dialogue_scorer import Corruption, DialogueScorer, DialogueScorerConfig
    from iemomecp_dataset.trainers.objectives import OBJECTIVES, ObjectiveWeights, objective_terms

    torch.manual_seed(0)
    sizes = torch.linspace(turns // 3, turns, dialogues).round().long()
    mask = torch.arange(turns)[None] < sizes[:, None]
    past = torch.tril(mask[:, :, None] & mask[:, None, :])
    labels = torch.where(past, (torch.rand(past.shape) > 0.1).long(), -100)
    speakers = torch.arange(turns).remainder(2).expand(dialogues, -1)
    text = torch.randn(dialogues, turns, width)
    model = DialogueScorer(DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=width)).train()

    def step(name: str, valid: torch.Tensor | None) -> None:
        objective = OBJECTIVES[name]
        scores = model(
            mask,
            speakers,
            valid=valid,
            text=text,
            gold=labels == 0,
            corruption=Corruption() if objective.corruption else None,
        )
        terms = objective_terms(
            objective,
            ObjectiveWeights(),
            emotion_logits=scores.emotion_logits,
            cause_logits=scores.cause_logits,
            pair_logits=scores.pair_logits,
            corrupted_pair_logits=scores.corrupted_pair_logits,
            emotion_labels=(labels == 0).any(2).long(),
            cause_labels=(labels == 0).any(1).long(),
            pair_labels=labels,
            mask=mask,
            valid=past,
        )
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        model.zero_grad()

    everywhere = torch.ones_like(past)
    return [
        _compare(
            "RPCL step, frozen encoder", lambda: step("rpcl", past), "Base step", lambda: step("base", past), repeats
        ),
        _compare(
            "Base step over valid pairs",
            lambda: step("base", past),
            "over the padded square",
            lambda: step("base", everywhere),
            repeats,
        ),
    ]


def trained_encoders(
    *, width: int = 384, layers: int = 6, chunks: int = 16, plain_batches: int = 5, seed: int = 0
) -> list[SpeedRow]:
    """Measures training steps with a trained encoder, from batches to gradients, as seconds for a thousand pairs.

    Synthetic dialogues of IEMO-MECP's sizes, a random encoder of MiniLM's size, audio and video features of 768
    numbers; every implementation has the same of them.

    Args:
        width: Width of the encoder.
        layers: Its depth.
        chunks: Dialogues.
        plain_batches: Mini-batches of 16 pairs that the isolated implementations are measured on.
        seed: Of everything random.

    Returns:
        One row for each comparison; the row on memory is in megabytes.
    """
    import torch

    from iemomecp_dataset.benchmark.plain_protocol import plain_batch, plain_pairs
    from iemomecp_dataset.trainers.batch_order import LengthBatches
    from iemomecp_dataset.trainers.batching import Collator, UtteranceInputs
    from iemomecp_dataset.trainers.dialogue_examples import dialogue_examples
    from iemomecp_dataset.trainers.dialogue_method import DialogueMethod
    from iemomecp_dataset.trainers.dialogue_scorer import Corruption, DialogueScorer, DialogueScorerConfig
    from iemomecp_dataset.trainers.isolated_method import IsolatedMethod, utterance_vectors
    from iemomecp_dataset.trainers.isolated_scorer import IsolatedScorer, IsolatedScorerConfig
    from iemomecp_dataset.trainers.layer_pooling import default_layers
    from iemomecp_dataset.trainers.objectives import OBJECTIVES, ObjectiveWeights, pooled_here
    from iemomecp_dataset.trainers.pair_examples import pair_examples
    from iemomecp_dataset.trainers.segments import segment_text, tokenise_segments
    from iemomecp_dataset.trainers.text_encoding import load_text_encoder, tokenise_texts
    from iemomecp_dataset.trainers.tiny_encoder import write_tiny_encoder

    torch.manual_seed(seed)
    rows = _made_up_rows(chunks, seed)
    utterances = [utterance for row in rows for utterance in row["utterances"]]
    random = np.random.default_rng(seed)
    features = {
        name: {u["utterance_id"]: random.normal(size=768).astype(np.float32) for u in utterances}
        for name in ("audio", "video")
    }
    with tempfile.TemporaryDirectory() as folder:
        spoken = [(u["speaker"], u["text"]) for u in utterances]
        texts = [segment_text(one, two) for one, two in itertools.pairwise(spoken)]
        name = str(write_tiny_encoder(texts, Path(folder), hidden_size=width, num_layers=layers))
        isolated_encoder, dialogue_encoder = load_text_encoder(name), load_text_encoder(name)
    tokenizer = isolated_encoder.tokenizer

    model = IsolatedScorer(
        IsolatedScorerConfig(
            class_names=["pair", "non_pair"],
            text_encoder=isolated_encoder.model.config.to_dict(),
            audio_size=768,
            video_size=768,
        )
    ).train()

    def isolated_step(batch: dict[str, Any]) -> int:
        torch.autograd.backward(torch.nn.functional.cross_entropy(model(**batch["inputs"]), batch["labels"]))
        model.zero_grad()
        return len(batch["labels"])

    known, examples = pair_examples({"train": rows})
    pairs = examples["train"]
    segments = tokenise_segments(known.spoken, pairs.targets, pairs.candidates, tokenizer, 160)
    laid_out = {name: utterance_vectors(known.ids, vectors, 768) for name, vectors in features.items()}
    ours = IsolatedMethod(segments, laid_out, chunk_tokens=512)
    lengths = [int(n) for n in segments.full_lengths(pairs.targets, pairs.candidates)]
    copied = plain_pairs(rows, features)
    order = random.permutation(len(copied))[: 16 * plain_batches].reshape(-1, 16).tolist()
    budget = 16 * int(np.mean(lengths))
    bucketed = list(LengthBatches(lengths, budget, seed=seed))[:plain_batches]

    def plain() -> Iterator[int]:
        for positions in order:
            yield isolated_step(plain_batch([copied[p] for p in positions], tokenizer, 160))

    def in_batches(batches: list[list[int]]) -> Iterator[int]:
        for positions in batches:
            yield isolated_step(ours.collate([(p, pairs[p]) for p in positions]))

    inputs = UtteranceInputs(
        text_tokens=tokenise_texts([u["text"] for u in utterances], tokenizer, 128),
        features=features,
        feature_sizes={"audio": 768, "video": 768},
    )
    dialogues = list(enumerate(dialogue_examples(rows, ["neutral", "joy"])))
    used = default_layers(layers)
    scorer = DialogueScorer(
        DialogueScorerConfig(
            class_names=["pair", "non_pair"],
            text_size=width * len(used),
            audio_size=768,
            video_size=768,
            text_encoder=dialogue_encoder.model.config.to_dict(),
            text_layers=used,
        )
    ).train()
    methods = {
        name: DialogueMethod(
            Collator(inputs), OBJECTIVES[name], ObjectiveWeights(), Corruption() if name == "rpcl" else None
        )
        for name in ("base", "rpcl")
    }

    def in_dialogues(name: str) -> Iterator[int]:
        method = methods[name]
        for start in range(0, len(dialogues), 8):
            batch = method.collate(dialogues[start : start + 8])
            terms = method.terms(scorer, batch, None, pooled_here)
            torch.autograd.backward(torch.stack(list(terms.values())).sum())
            scorer.zero_grad()
            yield int(batch["valid"].sum())

    seconds = _per_thousand(
        {
            "plain": plain,
            "random": lambda: in_batches(order),
            "bucketed": lambda: in_batches(bucketed),
            "base": lambda: in_dialogues("base"),
            "rpcl": lambda: in_dialogues("rpcl"),
        }
    )
    ours_mb = (
        sum(array.nbytes for array in (pairs.dialogues, pairs.targets, pairs.candidates, pairs.labels))
        + sum(vectors.vectors.nbytes for vectors in laid_out.values())
        + sum(line.nbytes for line in (*segments.target_lines, *segments.candidate_lines))
    ) / 2**20
    plain_mb = sum(p["audio"].nbytes + p["video"].nbytes + len(p["text"].encode()) for p in copied) / 2**20

    def row(ours_name: str, what: str, alternative_name: str, against: str) -> SpeedRow:
        ours_seconds, other = seconds[ours_name], seconds[alternative_name]
        return SpeedRow(what, ours_seconds, against, other, other / ours_seconds)

    plain_name = "plain published protocol, 1000 pairs"
    return [
        row("random", "isolated, random 16, 1000 pairs", "plain", plain_name),
        row("bucketed", "isolated, token budget, 1000 pairs", "plain", plain_name),
        SpeedRow("isolated, dataset in MB", ours_mb, "plain published protocol, MB", plain_mb, plain_mb / ours_mb),
        row("base", "dialogue scorer, 1000 pairs", "random", "isolated, random 16, 1000 pairs"),
        row("base", "dialogue scorer, 1000 pairs", "bucketed", "isolated, token budget, 1000 pairs"),
        row("rpcl", "RPCL step, trained encoder, 1000 pairs", "base", "Base step"),
    ]


def _made_up_rows(chunks: int, seed: int) -> list[dict[str, Any]]:
    """Dialogues of IEMO-MECP's chunk sizes (17.5 turns, standard deviation 9, at most 35) and IEMOCAP-like lengths."""
    random = np.random.default_rng(seed)
    words = np.array(["".join(letters) for letters in itertools.product("bdklmnrst", "aeiou", "lmnrst")])
    rows = []
    for number in range(chunks):
        turns = int(np.clip(round(random.normal(17.5, 9)), 2, 35))
        sizes = np.clip(np.round(random.lognormal(2.1, 0.8, size=turns)), 1, 45).astype(int)
        rows.append(
            {
                "dialogue_id": f"made-up-{number}",
                "utterances": [
                    {
                        "turn": turn + 1,
                        "utterance_id": f"made-up-{number}-{turn}",
                        "speaker": "FM"[turn % 2],
                        "text": " ".join(random.choice(words, size=size)),
                        "emotion": int(random.random() < 0.7),
                    }
                    for turn, size in enumerate(sizes)
                ],
                "pairs": [
                    {"target_turn": i, "cause_turn": j, "label": int(random.random() > 0.1)}
                    for i in range(1, turns + 1)
                    for j in range(1, i + 1)
                ],
            }
        )
    return rows


def _per_thousand(steps: dict[str, Callable[[], Iterator[int]]]) -> dict[str, float]:
    """Seconds for a thousand pairs, each the best of two passes taken in turn."""
    best = dict.fromkeys(steps, float("inf"))
    for function in steps.values():
        next(function())  # the first call allocates
    for _ in range(2):
        for name, function in steps.items():
            started = time.perf_counter()
            done = sum(function())
            best[name] = min(best[name], 1000 * (time.perf_counter() - started) / done)
    return best


def _compare(
    name: str, ours: Callable[[], None], alternative_name: str, alternative: Callable[[], None], repeats: int
) -> SpeedRow:
    times: tuple[list[float], list[float]] = ([], [])
    for function in (ours, alternative):
        function()  # the first call allocates
    for _ in range(repeats):
        for kept, function in zip(times, (ours, alternative), strict=True):
            started = time.perf_counter()
            function()
            kept.append(time.perf_counter() - started)
    seconds, other = (float(np.median(kept)) for kept in times)
    return SpeedRow(name, seconds, alternative_name, other, other / seconds)
