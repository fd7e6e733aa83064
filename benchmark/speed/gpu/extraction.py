"""Speed of audio and video extraction, decoding included, against transformers on one recording at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.speed.gpu.clock import repeated_seconds
from iemomecp_dataset.benchmark.speed.gpu.parts import Part, Row
from iemomecp_dataset.benchmark.speed.gpu.workload import MediaShape, Workload
from iemomecp_dataset.errors import TrainingError

if TYPE_CHECKING:
    from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["extraction_parts"]

_TOLERANCE = 1e-2
"""Largest distance of the vectors of a recording from those of the loop, as a share of their length."""

_FRAMES = 8


def extraction_parts(work: Workload) -> Iterator[Part]:
    """Seconds of audio, or frames, a second of a speech and of an image encoder, for each size."""
    for shape in work.sizes.media:
        for modality in ("audio", "video"):
            yield Part("extraction", f"{modality}, {shape.name}", _against_loop(work, modality, shape))


def _against_loop(
    work: Workload, modality: Literal["audio", "video"], shape: MediaShape
) -> Callable[[], Iterator[Row]]:
    def rows() -> Iterator[Row]:
        from iemomecp_dataset.features.extraction import encode_items, open_encoder
        from iemomecp_dataset.features.extraction_options import ExtractionOptions
        from iemomecp_dataset.features.work_items import corpus_items

        model = work.media_encoder(modality, shape)
        options = ExtractionOptions(
            data_dir=str(work.video_data_dir if modality == "video" else work.data_dir),
            modality=modality,
            output_dir="",
            model=str(model),
            frames=_FRAMES,
            device=str(work.device),
            quiet=True,
        )
        # The recordings of the synthetic corpus are too short and small to measure: these take their place.
        files = work.recordings(modality)
        items = tuple(
            replace(item, media=path, start=None, end=None, seconds=seconds, timed=False)
            for item, (path, seconds) in zip(
                corpus_items(options).items[: work.sizes.recordings], itertools.cycle(files), strict=False
            )
        )
        encoder = open_encoder(options)
        found: dict[str, NDArray[Any]] = {}

        def ours() -> None:
            for row in encode_items(encoder, items, options, progress=False):
                if row.vector is not None:
                    found[row.utterance_id] = row.vector

        _, seconds = repeated_seconds(ours, work.device, repeats=work.sizes.repeats)
        loop = _speech_loop(work, str(model), items) if modality == "audio" else _image_loop(work, str(model), items)
        vectors: dict[str, NDArray[Any]] = {}
        _, loop_seconds = repeated_seconds(lambda: vectors.update(loop()), work.device, repeats=work.sizes.repeats)
        apart = max(float(np.linalg.norm(found[k] - vectors[k]) / np.linalg.norm(vectors[k])) for k in vectors)
        if not apart <= _TOLERANCE:
            raise TrainingError(f"Extraction and the loop give vectors {apart:.2g} of their length apart.")
        shortest, longest = work.sizes.seconds
        lengths = f"{len(items)} utterances of {shortest:g} to {longest:g} s"
        if modality == "audio":
            amount, unit = sum(item.seconds or 0.0 for item in items), "s of audio/s"
        else:
            amount, unit = float(_FRAMES * len(items)), "frames/s"
            lengths += " at {}x{}, {} frames of each".format(*work.sizes.frame, _FRAMES)
        yield Row(
            f"{modality}, {shape.name} ({shape.layers} layers, {shape.width} wide), fp32, {lengths}",
            amount / seconds,
            unit,
            "transformers, one recording at a time, the same decoding",
            amount / loop_seconds,
            note=f"{len(items) / seconds:.4g} utterances/s; decoding on the CPU included; "
            f"vectors at most {apart:.0e} of their length apart",
        )

    return rows


def _speech_loop(work: Workload, model: str, items: tuple[WorkItem, ...]) -> Callable[[], dict[str, NDArray[Any]]]:
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    from iemomecp_dataset.features.decoding.audio_decoding import decode_audio

    encoder = AutoModel.from_pretrained(model).to(work.device).eval()
    extractor = AutoFeatureExtractor.from_pretrained(model)
    rate = int(extractor.sampling_rate)

    def loop() -> dict[str, NDArray[Any]]:
        vectors = {}
        with torch.inference_mode():
            for item in items:
                samples = decode_audio(item, rate).samples
                inputs = extractor(samples, sampling_rate=rate, return_tensors="pt").to(work.device)
                vectors[item.utterance_id] = encoder(**inputs).last_hidden_state[0].mean(0).cpu().numpy()
        return vectors

    return loop


def _image_loop(work: Workload, model: str, items: tuple[WorkItem, ...]) -> Callable[[], dict[str, NDArray[Any]]]:
    import torch
    from transformers import AutoModel

    from iemomecp_dataset.features.decoding.video_decoding import decode_video
    from iemomecp_dataset.features.encoders.image_processor import load_image_processor

    encoder: Any = AutoModel.from_pretrained(model).to(work.device).eval()
    processor = load_image_processor(model, None, "video encoder")

    def loop() -> dict[str, NDArray[Any]]:
        vectors = {}
        with torch.inference_mode():
            for item in items:
                frames = list(decode_video(item, _FRAMES, "uniform", None).frames)
                pixels = torch.from_numpy(np.asarray(processor(images=frames, return_tensors="np")["pixel_values"]))
                output = encoder.get_image_features(pixel_values=pixels.float().to(work.device))
                embedded = output if isinstance(output, torch.Tensor) else output.pooler_output
                vectors[item.utterance_id] = embedded.mean(0).cpu().numpy()
        return vectors

    return loop
