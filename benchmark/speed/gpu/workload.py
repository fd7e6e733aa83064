"""What is measured: synthetic dialogues and recordings, and encoders with random weights.

Speed does not depend on weights; it does on lengths and sizes, which are those of ordinary recordings.
Everything is written into one temporary folder; nothing is fetched.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iemomecp_dataset.benchmark.speed.random_minilm import write_random_minilm

if TYPE_CHECKING:
    import torch

    from iemomecp_dataset.corpus import Corpus

__all__ = ["FULL", "SMOKE", "EncoderShape", "MediaShape", "Sizes", "Workload"]


@dataclass(frozen=True)
class EncoderShape:
    """Size of a text encoder."""

    name: str
    width: int
    layers: int
    heads: int
    vocabulary: int = 30_522


@dataclass(frozen=True)
class MediaShape:
    """Size of a speech and an image encoder; ``image`` is the side of a picture in pixels."""

    name: str
    width: int
    layers: int
    heads: int
    image: int
    patch: int


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        encoders: Text encoders.
        media: Speech and image encoders.
        dialogues: Dialogues of an epoch of training, from the shortest to the longest.
        hidden_size: Width of the dialogue scorer.
        epochs: Measured epochs, after one of warm-up; the median counts.
        batch_sizes: Dialogues of a mini-batch where the share of the limit is measured.
        bare_texts: Texts of a batch of the bare encoder, of 128 tokens each.
        matmul: Rows and columns of the matrices of the product.
        recordings: Utterances of an extraction.
        seconds: Of the shortest and the longest recording.
        frame: Width and height of a video in pixels.
        files: Recordings that differ, of lengths evenly between the two; utterances take them in turn.
        conversations: Conversations of a prediction.
        repeats: Measured passes of extraction and prediction; the median counts.
        compiler: Backend of torch.compile.
        compiled: What is compiled: training with a ``frozen`` or a ``trained`` text encoder; and whether for shapes
            that vary, or for each shape anew.
    """

    encoders: tuple[EncoderShape, ...]
    media: tuple[MediaShape, ...]
    dialogues: int
    hidden_size: int
    epochs: int
    batch_sizes: tuple[int, ...]
    bare_texts: int
    matmul: int
    recordings: int
    seconds: tuple[float, float]
    frame: tuple[int, int]
    files: int
    conversations: int
    repeats: int
    compiler: str
    compiled: tuple[tuple[str, bool], ...]


FULL = Sizes(
    encoders=(EncoderShape("MiniLM", 384, 6, 12), EncoderShape("base", 768, 12, 12)),
    media=(MediaShape("tiny", 64, 2, 2, 32, 16), MediaShape("base", 768, 12, 12, 224, 32)),
    dialogues=60,
    hidden_size=256,
    epochs=3,
    batch_sizes=(8, 32),
    bare_texts=64,
    matmul=8192,
    recordings=240,
    seconds=(2.0, 6.0),
    frame=(640, 360),
    files=16,
    conversations=200,
    repeats=3,
    compiler="inductor",
    compiled=(("frozen", True), ("frozen", False), ("trained", True)),
)
"""Sizes for a GPU."""

SMOKE = Sizes(
    encoders=(EncoderShape("tiny", 32, 2, 2, 2000),),
    media=(MediaShape("tiny", 16, 2, 2, 32, 16),),
    dialogues=4,
    hidden_size=32,
    epochs=1,
    batch_sizes=(4,),
    bare_texts=2,
    matmul=128,
    recordings=6,
    seconds=(0.1, 0.3),
    frame=(96, 48),
    files=3,
    conversations=4,
    repeats=1,
    compiler="eager",
    compiled=(("frozen", True),),
)
"""Sizes for trying the code on a CPU; ``eager`` finds the graphs and generates no code."""


class Workload:
    """The data and encoders of a measurement, made when they are first needed.

    Args:
        device: Where is measured.
        sizes: How much.
        folder: An empty folder for all of it.
        encoder: Folder of a text encoder in place of those with random weights.
    """

    def __init__(self, device: torch.device, sizes: Sizes, folder: Path, encoder: str | None = None):
        self.device = device
        self.sizes = sizes
        self.folder = folder
        self._given = encoder
        self._written: dict[str, Path] = {}

    @cached_property
    def data_dir(self) -> Path:
        """A synthetic corpus without videos: training and prediction read texts, and need no package for videos."""
        from iemomecp_dataset.synthetic import write_corpus

        write_corpus(self.folder / "data")
        return self.folder / "data"

    @cached_property
    def video_data_dir(self) -> Path:
        """The same corpus with videos, for their extraction alone: writing them takes longer than the rest of it.

        Raises:
            MissingDependencyError: The extra ``media`` is not installed.
        """
        from iemomecp_dataset.synthetic import write_corpus

        write_corpus(self.folder / "video-data", media=True)
        return self.folder / "video-data"

    @cached_property
    def corpus(self) -> Corpus:
        """Its dialogues, as many as are measured, and as many for validation."""
        from iemomecp_dataset.corpus import load_corpus
        from iemomecp_dataset.pair_table import pair_table

        whole = load_corpus("3class", self.data_dir)
        rows = {}
        for split in ("train", "validation"):
            by_length = sorted(whole.rows[split], key=lambda row: len(row["utterances"]))
            count = min(self.sizes.dialogues, len(by_length))
            rows[split] = [by_length[int((i + 0.5) * len(by_length) / count)] for i in range(count)]
        tables = {split: pair_table(of_split, whole.emotion_names) for split, of_split in rows.items()}
        return replace(whole, rows=rows, tables=tables)

    @property
    def n_pairs(self) -> int:
        """Candidate pairs of an epoch of training."""
        return len(self.corpus.tables["train"])

    @property
    def encoders(self) -> dict[str, Callable[[], Path]]:
        """By name what gives the folder of a text encoder."""
        if self._given is not None:
            return {Path(self._given).name: lambda: Path(str(self._given))}
        return {shape.name: lambda shape=shape: self._random_encoder(shape) for shape in self.sizes.encoders}  # type: ignore[misc]

    def _random_encoder(self, shape: EncoderShape) -> Path:
        if shape.name not in self._written:
            texts = [u["text"] for rows in self.corpus.rows.values() for row in rows for u in row["utterances"]]
            self._written[shape.name] = write_random_minilm(
                texts,
                self.folder / f"encoder-{shape.name}",
                width=shape.width,
                layers=shape.layers,
                heads=shape.heads,
                vocabulary=shape.vocabulary,
            )
        return self._written[shape.name]

    def recordings(self, modality: str) -> list[tuple[Path, float]]:
        """Writes noise as recordings of mixed length: WAV at 16 kHz, or MPEG-4 at 25 frames a second.

        Args:
            modality: ``audio`` or ``video``.

        Returns:
            Each file with its seconds.
        """
        shortest, longest = self.sizes.seconds
        found = []
        # The lengths are mixed: neighbours differ, as in a corpus.
        for place in np.random.default_rng(0).permutation(self.sizes.files):
            seconds = round(shortest + (longest - shortest) * int(place) / max(1, self.sizes.files - 1), 2)
            path = self.folder / f"{modality}-{place}.{'wav' if modality == 'audio' else 'mp4'}"
            if not path.exists():
                (_write_wav if modality == "audio" else _write_video)(path, seconds, self.sizes.frame)
            found.append((path, seconds))
        return found

    def media_encoder(self, modality: str, shape: MediaShape) -> Path:
        """Writes a speech or an image encoder of a shape."""
        import transformers

        from iemomecp_dataset.features.encoders.tiny_models import write_random_model

        folder = self.folder / f"{modality}-{shape.name}"
        of_layers = {
            "hidden_size": shape.width,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": 4 * shape.width,
        }
        if modality == "audio":
            speech = transformers.WavLMConfig(**of_layers, conv_dim=(min(512, shape.width),) * 7)
            extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False)
            return write_random_model(transformers.WavLMModel, speech, extractor, folder, 0)
        # The part for texts takes no part in it, and is small.
        texts = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        config = transformers.CLIPConfig(
            text_config=texts | {"vocab_size": 8, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2},
            vision_config=of_layers | {"image_size": shape.image, "patch_size": shape.patch},
            projection_dim=min(512, shape.width),
        )
        processor_class = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
        processor = processor_class(
            size={"shortest_edge": shape.image}, crop_size={"height": shape.image, "width": shape.image}
        )
        return write_random_model(transformers.CLIPModel, config, processor, folder, 0)


def _write_wav(path: Path, seconds: float, _: tuple[int, int]) -> None:
    samples = np.random.default_rng(0).normal(0, 3000, round(16_000 * seconds)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())


def _write_video(path: Path, seconds: float, frame: tuple[int, int]) -> None:
    import av

    width, height = frame
    chance = np.random.default_rng(0)
    picture = chance.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(max(1, round(25 * seconds))):
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(picture, 4 * number, 1)), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
