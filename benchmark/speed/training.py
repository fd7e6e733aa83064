"""Speed of training: isolated and dialogue scorers against a plain implementation of the published protocol."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tqdm.auto import trange

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = ["run"]

_Item = TypeVar("_Item")


def run() -> list[SpeedRow]:
    """Measures training at full scale; takes about four minutes."""
    return training()


def training(
    *,
    width: int = 384,
    layers: int = 6,
    chunks: int = 24,
    pair_batches: int = 6,
    passes: int = 3,
    scale: str = "full",
    seed: int = 0,
) -> list[SpeedRow]:
    """Measures training steps with a trained encoder in seconds per thousand candidate pairs.

    A step includes collating the mini-batch, forward and backward pass, gradient clipping and the optimizer step; for
    the dialogue scorer also the update of the exponential moving average of the weights. All implementations share the
    tokenizer, an encoder of MiniLM's size with random weights (6 layers, 384 wide, 30,522 token embeddings), synthetic
    audio and video vectors of width 768, and the optimizer.

    The data are chunks of the train split of the synthetic corpus, taken at even steps from the shortest to the
    longest. At full scale they have IEMO-MECP's mean of 17.6 turns and 11.6 candidates per utterance. As in the genuine
    corpus, half of a plain mini-batch of 16 pairs is padding.

    Args:
        width: Hidden size of the encoder.
        layers: Number of its layers.
        chunks: Number of dialogues; a mini-batch of the dialogue scorer has the default batch size.
        pair_batches: Number of mini-batches of about 16 pairs for the isolated scorers.
        passes: How often all implementations are measured in turn; the best of each counts.
        scale: Scale of the synthetic corpus.
        seed: Seed of all random numbers.

    Returns:
        One row per comparison; the row on memory is in megabytes.
    """
    import torch
    from torch import Tensor, nn

    from iemomecp_dataset.benchmark.speed.plain_protocol import PlainScorer, plain_batch, plain_pairs
    from iemomecp_dataset.benchmark.speed.random_minilm import write_random_minilm
    from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
    from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
    from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig
    from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy
    from iemomecp_dataset.trainers.encoders.pooling import default_layers
    from iemomecp_dataset.trainers.encoders.text import chunk_tokens_on, load_text_encoder, tokenize_texts
    from iemomecp_dataset.trainers.isolated.data import pair_examples
    from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
    from iemomecp_dataset.trainers.isolated.segments import segment_text, tokenize_segments
    from iemomecp_dataset.trainers.isolated.task import IsolatedStrategy, utterance_vectors
    from iemomecp_dataset.trainers.objectives import OBJECTIVES, ObjectiveWeights, pooled_here
    from iemomecp_dataset.trainers.options import OptimizationOptions
    from iemomecp_dataset.trainers.training.ema import averaged_model
    from iemomecp_dataset.trainers.training.samplers import LengthBatches

    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    rows = _synthetic_chunks(chunks, scale)
    random.shuffle(rows)
    utterances = [utterance for row in rows for utterance in row["utterances"]]
    features = {
        name: {u["utterance_id"]: random.normal(size=768).astype(np.float32) for u in utterances}
        for name in ("audio", "video")
    }
    sizes = {"audio": 768, "video": 768}
    with tempfile.TemporaryDirectory() as folder:
        spoken = [(u["speaker"], u["text"]) for u in utterances]
        texts = [segment_text(one, two) for one, two in itertools.pairwise(spoken)]
        name = str(write_random_minilm(texts, Path(folder), width=width, layers=layers))
        encoders = [load_text_encoder(name) for _ in range(3)]
    tokenizer, encoder_shape = encoders[0].tokenizer, encoders[0].model.config.to_dict()

    def trained(model: nn.Module, decay: float = 0.0) -> Callable[[Tensor], None]:
        """Returns a function that performs the backward pass and the update for a loss."""
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, fused=True)
        average = averaged_model(model, decay) if decay else None

        def step(loss: Tensor) -> None:
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            if average is not None:
                average.update_parameters(model)

        return step

    # The plain protocol.
    plain_scorer = PlainScorer(encoders[0].model, len(ROLE_LABELS), sizes, 768).train()
    plain_step = trained(plain_scorer)
    copied = plain_pairs(rows, features)
    random_batches = random.permutation(len(copied))[: 16 * pair_batches].reshape(-1, 16).tolist()

    def plain() -> Iterator[int]:
        for positions in random_batches:
            tokens, vectors, labels = plain_batch([copied[p] for p in positions], tokenizer, 160)
            plain_step(nn.functional.cross_entropy(plain_scorer(tokens, vectors), labels))
            yield len(labels)

    # The isolated scorer.
    isolated_scorer = IsolatedScorer(
        IsolatedScorerConfig(
            class_names=list(ROLE_LABELS), text_encoder=encoder_shape, audio_size=768, video_size=768, hidden_size=768
        )
    )
    isolated_scorer.use_text_encoder(encoders[1].model)
    isolated_scorer.train()
    isolated_step = trained(isolated_scorer)
    known, examples = pair_examples({"train": rows})
    pairs = examples["train"]
    segments = tokenize_segments(known.spoken, pairs.targets, pairs.candidates, tokenizer, 160)
    laid_out = {name: utterance_vectors(known.ids, vectors, 768) for name, vectors in features.items()}
    isolated_method = IsolatedStrategy(segments, laid_out, chunk_tokens=chunk_tokens_on(torch.device("cpu")))
    lengths = [int(n) for n in segments.full_lengths(pairs.targets, pairs.candidates)]
    # The token budget of 16 average pairs, so that the number of steps per pair is the same.
    from_short_to_long = list(LengthBatches(lengths, 16 * int(np.mean(lengths)), shuffle=False))

    def isolated(batches: list[list[int]]) -> Iterator[int]:
        for positions in batches:
            batch = isolated_method.collate([(p, pairs[p]) for p in positions])
            terms = isolated_method.terms(isolated_scorer, batch, pooled_here)
            isolated_step(terms["supervised"])
            yield len(positions)

    # The dialogue scorer.
    used = default_layers(layers)
    dialogue_scorer = DialogueScorer(
        DialogueScorerConfig(
            class_names=list(ROLE_LABELS),
            text_size=width * len(used),
            audio_size=768,
            video_size=768,
            text_encoder=encoder_shape,
            text_layers=used,
        )
    )
    dialogue_scorer.use_text_encoder(encoders[2].model)
    dialogue_scorer.train()
    dialogue_step = trained(dialogue_scorer, OptimizationOptions.weight_averaging)
    frozen_scorer = DialogueScorer(
        DialogueScorerConfig(class_names=list(ROLE_LABELS), text_size=width * len(used), audio_size=768, video_size=768)
    ).train()
    frozen_step = trained(frozen_scorer, OptimizationOptions.weight_averaging)
    inputs = UtteranceInputs(
        text_tokens=tokenize_texts([u["text"] for u in utterances], tokenizer, 128),
        features=features,
        feature_sizes=sizes,
    )
    dialogues = list(enumerate(dialogue_examples(rows, IEMOCAP_EMOTIONS)))
    frozen_inputs = UtteranceInputs(
        text_features={u["text"]: random.normal(size=width * len(used)).astype(np.float32) for u in utterances},
        features=features,
        feature_sizes=sizes,
    )

    def dialogue(
        objective: str, scorer: DialogueScorer, step: Callable[[Tensor], None], given: UtteranceInputs
    ) -> Iterator[int]:
        method = DialogueStrategy(
            Collator(given), OBJECTIVES[objective], ObjectiveWeights(), Corruption() if objective == "rpcl" else None
        )
        for start in range(0, len(dialogues), OptimizationOptions.batch_size):
            batch = method.collate(dialogues[start : start + OptimizationOptions.batch_size])
            terms = method.terms(scorer, batch, pooled_here)
            step(torch.stack(list(terms.values())).sum())
            yield int(batch["valid"].sum())

    seconds = _per_thousand(
        {
            "plain": plain,
            "random": lambda: isolated(random_batches),
            "bucketed": lambda: isolated(_evenly(from_short_to_long, pair_batches)),
            "base": lambda: dialogue("base", dialogue_scorer, dialogue_step, inputs),
            "rpcl": lambda: dialogue("rpcl", dialogue_scorer, dialogue_step, inputs),
            "frozen base": lambda: dialogue("base", frozen_scorer, frozen_step, frozen_inputs),
            "frozen rpcl": lambda: dialogue("rpcl", frozen_scorer, frozen_step, frozen_inputs),
        },
        passes,
    )
    ours_mb = (
        sum(array.nbytes for array in (pairs.dialogues, pairs.targets, pairs.candidates, pairs.labels))
        + sum(vectors.vectors.nbytes for vectors in laid_out.values())
        + sum(line.nbytes for line in (*segments.target_lines, *segments.candidate_lines))
    ) / 2**20
    plain_mb = sum(p["audio"].nbytes + p["video"].nbytes + len(p["text"].encode()) for p in copied) / 2**20

    def row(ours_name: str, what: str, alternative_name: str, against: str) -> SpeedRow:
        ours_seconds, other = seconds[ours_name], seconds[alternative_name]
        return SpeedRow(what, ours_seconds, against, other)

    plain_name = "plain published protocol, 1000 pairs"
    return [
        row("random", "isolated, random 16 as published, 1000 pairs", "plain", plain_name),
        row("bucketed", "isolated, token budget, 1000 pairs", "plain", plain_name),
        SpeedRow("isolated, dataset in MB", ours_mb, "plain published protocol, MB", plain_mb),
        row("base", "dialogue scorer, 1000 pairs", "random", "isolated, random 16 as published, 1000 pairs"),
        row("base", "dialogue scorer, 1000 pairs", "bucketed", "isolated, token budget, 1000 pairs"),
        row("rpcl", "RPCL step, trained encoder, 1000 pairs", "base", "Base step"),
        row("frozen rpcl", "RPCL step, frozen encoder, 1000 pairs", "frozen base", "Base step"),
    ]


def _synthetic_chunks(count: int, scale: str) -> list[dict[str, Any]]:
    """Loads chunks of the synthetic train split at even steps from the shortest to the longest."""
    from iemomecp_dataset import load
    from iemomecp_dataset.synthetic import write_corpus

    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        write_corpus(data_dir, scale=scale)
        rows = load(data_dir=data_dir, cache_dir=Path(folder) / "cache", split="train").to_list()
    return _evenly(sorted(rows, key=lambda row: len(row["utterances"])), count)


def _evenly(items: list[_Item], count: int) -> list[_Item]:
    """Selects items at even steps."""
    return [items[int((i + 0.5) * len(items) / count)] for i in range(count)]


def _per_thousand(steps: dict[str, Callable[[], Iterator[int]]], passes: int) -> dict[str, float]:
    """Measures seconds per thousand pairs, the best of several alternating passes."""
    best = dict.fromkeys(steps, float("inf"))
    for function in steps.values():
        next(function())  # warm-up: the first call allocates
    for _ in trange(passes, desc="Measuring training with a trained encoder", disable=None):
        for name, function in steps.items():
            started = time.perf_counter()
            done = sum(function())
            best[name] = min(best[name], 1000 * (time.perf_counter() - started) / done)
    return best
