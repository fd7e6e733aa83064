"""Speed of feature extraction against a plain loop over files that gives equal vectors."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow
from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.features import read_feature_table
from iemomecp_dataset.features.extraction_options import ExtractionOptions

__all__ = ["run"]

_TOLERANCE = 1e-4
_UTTERANCES = 1200


def run(*, hidden_size: int = 64, repeats: int = 2) -> list[SpeedRow]:
    """Measures audio extraction on the SYNTHETIC corpus and on the CPU; the best of several repeats counts.

    Our time includes loading the corpus and the model and writing a resumable store. The loop gets the list of files
    and a loaded model, and keeps its vectors in memory.

    Args:
        hidden_size: Width of the WavLM encoder, which has random weights.
        repeats: Repeats of each measurement.

    Returns:
        One row.

    Raises:
        TrainingError: The extracted vectors differ from those of the loop.
        MissingDependencyError: The extra ``train`` or ``media`` is not installed.
    """
    import iemomecp_dataset
    from iemomecp_dataset.features.encoders.tiny_models import write_tiny_speech_encoder
    from iemomecp_dataset.features.extraction import extract
    from iemomecp_dataset.synthetic import write_corpus

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_corpus(folder / "data")
        model = write_tiny_speech_encoder(folder / "model", hidden_size=hidden_size)
        # Loads the corpus once beforehand, so that building the Arrow files is part of neither time.
        dataset = iemomecp_dataset.load("3class", data_dir=folder / "data")
        utterances = [u for split in dataset.values() for row in split.to_list() for u in row["utterances"]]
        paths = {u["utterance_id"]: u["wav"] for u in utterances[:_UTTERANCES]}
        ours, loop = [], []
        vectors: dict[str, NDArray[Any]] = {}
        for repeat in range(repeats):
            options = ExtractionOptions(
                data_dir=str(folder / "data"),
                modality="audio",
                output_dir=str(folder / f"store{repeat}"),
                model=str(model),
                limit=len(paths),
                device="cpu",
                quiet=True,
            )
            began = time.perf_counter()
            extract(options)
            ours.append(time.perf_counter() - began)
            vectors, seconds = _plain_loop(model, paths)
            loop.append(seconds)
        found = read_feature_table(options.output_dir).select(paths)
    furthest = max(float(np.abs(found[key] - vectors[key]).max()) for key in paths)
    if furthest > _TOLERANCE:
        raise TrainingError(f"Extraction and a plain loop give vectors {furthest:.2g} apart, more than {_TOLERANCE}.")
    return [
        SpeedRow(
            f"audio store, {len(paths)} synthetic wavs",
            min(ours),
            f"one file at a time (largest difference {furthest:.0e})",
            min(loop),
        )
    ]


def _plain_loop(model_dir: Path, paths: dict[str, str]) -> tuple[dict[str, NDArray[Any]], float]:
    import soundfile
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    model = AutoModel.from_pretrained(model_dir).eval()
    extractor = AutoFeatureExtractor.from_pretrained(model_dir)
    vectors = {}
    began = time.perf_counter()
    with torch.inference_mode():
        for key, path in paths.items():
            samples, rate = soundfile.read(path, dtype="float32")
            inputs = extractor(samples, sampling_rate=rate, return_tensors="pt")
            vectors[key] = model(**inputs).last_hidden_state[0].mean(0).numpy()
    return vectors, time.perf_counter() - began
