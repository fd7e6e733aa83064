"""Speed of predictions for conversations: one at once, many against the bare text encoder, and their memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds

__all__ = ["DEFAULT_CONVERSATIONS", "run", "spoken_conversations", "write_scorer"]

DEFAULT_CONVERSATIONS = 700
"""Conversations of a measurement that takes a few minutes on one thread; 10,000 take an hour."""

_TURNS = 12
_WORDS = (3, 24)  # Of an utterance, from and to: 13 on average, as in a television dialogue.
_SINGLE_LIMIT_SECONDS = 0.1
_MEMORY = (1_000, 10_000)
_SPEAKERS = ("Ana", "Ben", "Cleo")


def run(
    *,
    conversations: int = DEFAULT_CONVERSATIONS,
    width: int = 384,
    layers: int = 6,
    passes: int = 2,
    memory: tuple[int, int] = _MEMORY,
) -> list[SpeedRow]:
    """Measures predictions of a dialogue scorer with a frozen text encoder of MiniLM's size, on one thread.

    Weights are random and texts are invented words, each text once, so that none is encoded for another. The bare
    encoder has the same texts, all at once: it tokenizes them, and runs batches of sorted lengths under the same budget
    of padded tokens. The two are measured in turn, and the best pass of each counts.

    Memory is that of processes of their own, with a small encoder: what grows with the number of conversations does not
    depend on the encoder's size.

    Args:
        conversations: Conversations of 12 turns.
        width: Width of the encoder; smaller values are for trials.
        layers: Its number of layers.
        passes: How often both are measured in turn.
        memory: Two numbers of conversations whose peak memory is compared.

    Returns:
        A row for one conversation against its limit; one for many, whose ratio is the share of the bare encoder's own
        rate (the target is 0.9); and one for the memory in megabytes, whose ratio is 1 where it does not grow.
    """
    import torch

    from iemomecp_dataset.trainers import EmotionCausePipeline

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as name:
            encoder, model = _write_model(Path(name), width, layers, hidden_size=256)
            pipeline = EmotionCausePipeline(model)
            one = next(spoken_conversations(1, seed=1))
            pipeline(one)
            single = best_seconds(lambda: pipeline(one), 10)
            ours, bare = _in_turn(pipeline, encoder, conversations, passes)
            small = _write_model(Path(name) / "small", 32, 1, hidden_size=32)[1]
            peaks = [_peak_megabytes(small, count) for count in memory]
    finally:
        torch.set_num_threads(threads)
    what = f"MiniLM ({layers} layers, {width} wide)"
    few, many = memory
    return [
        SpeedRow(
            f"pairs of a conversation of {_TURNS} turns, warm, {what}", single, "the limit", _SINGLE_LIMIT_SECONDS
        ),
        SpeedRow(
            f"pairs of {conversations:,} conversations, {conversations * _TURNS:,} utterances, frozen {what}",
            ours,
            "the bare encoder on these texts, lengths sorted",
            bare,
        ),
        SpeedRow(f"peak memory of {many:,} conversations, MB", peaks[1], f"of {few:,} conversations, MB", peaks[0]),
    ]


def _in_turn(pipeline: Any, encoder: Path, conversations: int, passes: int) -> tuple[float, float]:
    """Seconds of the pipeline and of the bare encoder on the same texts, the best of some passes each."""
    from iemomecp_dataset.trainers.encoders.text import load_text_encoder

    loaded = load_text_encoder(str(encoder))
    best = [float("inf"), float("inf")]
    with tqdm(total=passes * conversations, desc="Measuring conversations", unit="conversation", disable=None) as bar:
        for _ in range(passes):
            began = time.perf_counter()
            for _ in pipeline(spoken_conversations(conversations)):
                bar.update()
            best[0] = min(best[0], time.perf_counter() - began)
            texts = [spoken["text"] for one in spoken_conversations(conversations) for spoken in one]
            began = time.perf_counter()
            _encode(loaded, texts)
            best[1] = min(best[1], time.perf_counter() - began)
    return best[0], best[1]


def _encode(encoder: Any, texts: list[str]) -> None:
    """Runs the encoder alone: nothing is pooled, and nothing of its output is kept."""
    import torch

    from iemomecp_dataset.trainers.encoders.text import chunk_tokens_on, length_chunks

    model = encoder.model.eval()
    ids = [np.asarray(one, np.int64) for one in encoder.tokenizer(texts)["input_ids"]]
    chunks, _ = length_chunks(ids, encoder.tokenizer.pad_token_id, chunk_tokens_on(torch.device("cpu")))
    with torch.inference_mode():
        for chunk in chunks:
            model(**chunk)


def spoken_conversations(count: int, seed: int = 0) -> Iterator[list[dict[str, str]]]:
    """Conversations as a user gives them, of texts that each occur once."""
    words = _vocabulary()
    random = np.random.default_rng(seed)
    for _ in range(count):
        lengths = random.integers(*_WORDS, size=_TURNS, endpoint=True)
        yield [
            {
                "speaker": _SPEAKERS[turn % len(_SPEAKERS)],
                "text": " ".join(words[place] for place in random.integers(0, len(words), size=length)),
            }
            for turn, length in enumerate(lengths)
        ]


def _vocabulary() -> list[str]:
    """A thousand words of two syllables."""
    syllables = [first + vowel for first in "bdfgklmnprst" for vowel in "aeiou"]
    return [one + other for one in syllables for other in syllables[::3]]


def _write_model(folder: Path, width: int, layers: int, *, hidden_size: int) -> tuple[Path, Path]:
    """Writes an encoder, and a dialogue scorer on its frozen features; returns both folders."""
    from iemomecp_dataset.benchmark.speed.random_minilm import write_random_minilm

    # Each word twice, so that it becomes a token of its own.
    encoder = write_random_minilm([" ".join(_vocabulary())] * 2, folder / "encoder", width=width, layers=layers)
    write_scorer(encoder, folder / "model", width=width, layers=layers, hidden_size=hidden_size)
    return encoder, folder / "model"


def write_scorer(encoder: Path, output_dir: Path, *, width: int, layers: int, hidden_size: int) -> None:
    """Writes a dialogue scorer with random weights on the frozen features of a text encoder.

    Args:
        encoder: Folder of the text encoder.
        output_dir: Folder of the scorer.
        width: Width of the encoder.
        layers: Number of its layers.
        hidden_size: Width of the scorer.
    """
    import torch

    from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
    from iemomecp_dataset.trainers.encoders.pooling import default_layers

    used = default_layers(layers)
    config = DialogueScorerConfig(
        class_names=["pair", "non_pair"],
        text_size=width * len(used),
        text_encoder_name=str(encoder),
        text_layers=used,
        hidden_size=hidden_size,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        DialogueScorer(config).save_pretrained(output_dir)


def _peak_megabytes(model: Path, count: int) -> float:
    """Peak resident memory of a process that predicts conversations one after the other and keeps none."""
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from iemomecp_dataset.benchmark.speed.conversations import spoken_conversations\n"
        "from iemomecp_dataset.benchmark.speed.measurement import peak_memory\n"
        "from iemomecp_dataset.trainers import EmotionCausePipeline\n"
        "for _ in EmotionCausePipeline(sys.argv[1])(spoken_conversations(int(sys.argv[2]))): pass\n"
        "print(peak_memory())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(count)], capture_output=True, text=True, check=True, env=os.environ
    )
    return float(done.stdout.split()[-1]) / 2**20
