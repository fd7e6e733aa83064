"""Extracts feature vectors from the media or texts of a corpus: plan, decode ahead, encode, write shards and index.

Each shard is written atomically, and the plan fixes its utterances. An extraction can therefore be killed at any time:
the next run computes the missing shards, and the store is identical to the byte. Processes share the shards by number;
the first one that finds all of them written writes the index.
"""

from __future__ import annotations

import os
import platform
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from iemomecp_dataset.command_line import circumstances
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.features.encoders.devices import torch_device
from iemomecp_dataset.features.encoders.model_loading import require_torch
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.extraction_plan import (
    PLAN_NAME,
    ExtractionPlan,
    keep_plan,
    plan_extraction,
    read_plan,
)
from iemomecp_dataset.features.frames.shards import read_frame_shard, write_frame_shard
from iemomecp_dataset.features.frames.store import MANIFEST_NAME, write_manifest
from iemomecp_dataset.features.store.store_card import StoreCard, claim_store
from iemomecp_dataset.features.store.store_index import missing_shards, write_index
from iemomecp_dataset.features.store.store_layout import INDEX_NAME, README_NAME, shard_name
from iemomecp_dataset.features.store.store_rows import FeatureProblem, RowRecord, StoreRow, finite_row
from iemomecp_dataset.features.store.store_shards import read_shard, write_shard
from iemomecp_dataset.features.work_items import CorpusItems, WorkItem, corpus_items
from iemomecp_dataset.files.locks import share_folder

__all__ = ["Encoder", "ExtractionResult", "PlannedExtraction", "encode_items", "extract", "open_encoder", "plan"]

_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class PlannedExtraction:
    """Work of an extraction, before it is done.

    Attributes:
        corpus: Utterances of the corpus.
        plan: Batches and shards.
        left: Numbers of the shards that are not written yet.
        without_media: Number of utterances without a file on disk.
        seconds: Total duration of the utterances whose times are known.
    """

    corpus: CorpusItems
    plan: ExtractionPlan
    left: tuple[int, ...]
    without_media: int
    seconds: float


@dataclass(frozen=True)
class ExtractionResult:
    """Result of an extraction.

    Attributes:
        folder: The store.
        card: Its card.
        complete: Whether all shards are written; otherwise other processes still have to finish theirs.
        left: Number of shards that are not written yet.
        computed: Number of utterances that this call computed.
        statuses: Number of utterances by status, if complete.
        examples: Some ``(utterance_id, reason)`` of each status except ``ok``, if complete.
    """

    folder: Path
    card: StoreCard
    complete: bool
    left: int
    computed: int
    statuses: Mapping[str, int]
    examples: Mapping[str, Sequence[tuple[str, str]]]


class Encoder(Protocol):
    """A pretrained encoder with what prepares its input.

    Attributes:
        size: Width of a vector.
        revision: Commit of the model, or a hash of its folder.
    """

    size: int
    revision: str

    def decode(self, item: WorkItem) -> Any:
        """Reads and prepares an utterance; thread-safe."""

    def encode(self, batch: Sequence[Any]) -> list[StoreRow]:
        """Encodes prepared utterances in one batch."""


def plan(options: ExtractionOptions) -> PlannedExtraction:
    """Plans an extraction without loading a model or writing a file.

    Args:
        options: Corpus, modality, model, settings, folder.

    Returns:
        Batches, shards, and the shards that are missing.

    Raises:
        IemomecpError: The options are invalid, the corpus cannot be loaded, or it has no media.

    See Also:
        :func:`extract` carries it out.
    """
    options.check()
    folder = Path(options.output_dir)
    corpus = corpus_items(options)
    if (folder / PLAN_NAME).is_file():
        planned = read_plan(folder, [item.utterance_id for item in corpus.items])
    else:
        planned = plan_extraction(corpus.items, options)
    return PlannedExtraction(
        corpus=corpus,
        plan=planned,
        left=tuple(missing_shards(folder, len(planned.shards))),
        without_media=sum(
            options.needs_media and (item.media is None or not item.media.is_file()) for item in corpus.items
        ),
        seconds=sum(max(item.seconds or 0.0, 0.0) for item in corpus.items),
    )


def extract(options: ExtractionOptions) -> ExtractionResult:
    """Computes a feature store, or continues an unfinished one.

    Args:
        options: Corpus, modality, model, settings, folder.

    Returns:
        Result with the number of utterances by status.

    Raises:
        UsageError: The options are invalid, the folder contains another extraction, or the device lacks memory.
        MissingModelError: The model is neither on disk nor reachable.
        MissingDependencyError: An extra is not installed; the message has the pip line.
        InvalidDataError: With ``strict``: an utterance gets no vector. Of frames, unless ``allow_missing``: more than
            1 % of the clips are missing or cannot be decoded.
        IemomecpError: The corpus cannot be loaded.

    See Also:
        :func:`plan` shows the work beforehand;
        :func:`iemomecp_dataset.features.importers.importing.import_features` imports published vectors.
    """
    options.check()
    require_torch()
    index, total, local_rank = _share(options)
    folder = Path(options.output_dir)
    corpus = corpus_items(options)
    crop = _crops(options, corpus)
    import torch

    device = torch_device(options.device, local_rank)
    encoder = _load_encoder(options, device, crop)
    # Several processes may write one store, each its share or, started by mistake, the same: shards replace their like.
    with share_folder(folder) as alone:
        plan_, card = _claim(folder, options, corpus, encoder, device, crop)
        if options.retry_missing:
            _remove_incomplete(folder, card)
        left = missing_shards(folder, card.n_shards)
        mine = [shard for shard in left if shard % total == index]
        computed = 0
        try:
            computed = _write_shards(folder, options, card, corpus, plan_, mine, encoder)
        except torch.OutOfMemoryError:
            raise UsageError(
                f"The device {device} has too little memory for these batches. Give a lower --batch_size (and, for "
                "audio, --batch_seconds) and a new --output-dir, because the batches of a store are fixed."
            ) from None
        left = missing_shards(folder, card.n_shards)
        if left:
            return ExtractionResult(folder, card, False, len(left), computed, {}, {})
        statuses, examples = _finish(folder, card, corpus, options, alone)
    return ExtractionResult(folder, card, True, 0, computed, statuses, examples)


def open_encoder(options: ExtractionOptions) -> Encoder:
    """Loads the encoder of an extraction, for utterances of no corpus; video frames are taken whole.

    Args:
        options: Modality, model, settings and device.

    Raises:
        UsageError: The options are invalid, or the device does not exist.
        MissingModelError: The model is neither on disk nor reachable.
        MissingDependencyError: An extra is not installed; the message has the pip line.

    See Also:
        :func:`encode_items` encodes with it.
    """
    options.check()
    require_torch()
    return _load_encoder(options, torch_device(options.device), crop=False)


def encode_items(
    encoder: Encoder, items: Sequence[WorkItem], options: ExtractionOptions, *, progress: bool = True
) -> Iterator[StoreRow]:
    """Encodes utterances as :func:`extract` does, without writing a store.

    Args:
        encoder: See :func:`open_encoder`.
        items: The utterances, each id once.
        options: Settings, batch sizes and number of threads.
        progress: Show a progress bar if it takes more than two seconds.

    Yields:
        A row per utterance, in the order of the batches: the vector in the number format of the store, or the reason
        why there is none.

    Raises:
        UsageError: The device lacks memory.
    """
    import torch
    from tqdm.auto import tqdm

    planned = plan_extraction(items, options)
    work = [(number, position) for number, shard in enumerate(planned.shards) for position in range(len(shard))]
    by_id = {item.utterance_id: item for item in items}
    pool = ThreadPoolExecutor(options.num_workers, thread_name_prefix="decode")
    try:
        with tqdm(
            total=len(items), desc=f"Encoding {options.modality}", unit="utt", delay=2, disable=not progress
        ) as bar:
            for _, _, futures in _decoded_ahead(pool, encoder, by_id, planned, work):
                yield from _encoded(encoder, futures, options)
                bar.update(len(futures))
    except torch.OutOfMemoryError:
        raise UsageError(f"The {options.modality} encoder needs more memory than the device has. Use cpu.") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _share(options: ExtractionOptions) -> tuple[int, int, int]:
    """Rank, number of processes and local rank: from the options, else from the launcher's environment variables."""
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if options.process_index is not None and options.num_processes is not None:
        index, total = options.process_index, options.num_processes
    else:
        index, total = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if not 0 <= index < total:
        raise UsageError(f"--process_index must be 0 to {total - 1} with --num_processes {total}, but is {index}.")
    return index, total, local_rank


def _crops(options: ExtractionOptions, corpus: CorpusItems) -> bool:
    if options.crop == "speaker" and not corpus.is_iemocap:
        raise UsageError(
            f"--crop speaker is for IEMOCAP, whose frames show both actors side by side; {options.config_name} has "
            "other frames. Use --crop none."
        )
    return options.modality in ("video", "frames") and corpus.is_iemocap and options.crop != "none"


def _load_encoder(options: ExtractionOptions, device: Any, crop: bool) -> Encoder:
    # Imports only the packages that the modality needs.
    if options.modality == "audio":
        from iemomecp_dataset.features.encoders.speech_encoder import SpeechEncoder

        return SpeechEncoder(options, device)
    if options.modality == "video":
        from iemomecp_dataset.features.encoders.image_encoder import ImageEncoder

        return ImageEncoder(options, device, crop=crop)
    if options.modality == "frames":
        from iemomecp_dataset.features.frames.tower import FrameTower

        return FrameTower(options, device, crop=crop)
    from iemomecp_dataset.features.encoders.text_embedder import TextEmbedder

    return TextEmbedder(options, device)


def _claim(
    folder: Path, options: ExtractionOptions, corpus: CorpusItems, encoder: Encoder, device: Any, crop: bool
) -> tuple[ExtractionPlan, StoreCard]:
    resumed = (folder / PLAN_NAME).is_file()
    planned = read_plan(folder) if resumed else plan_extraction(corpus.items, options)
    not_settings = circumstances(ExtractionOptions)
    settings = {
        name: value for name, value in vars(options).items() if name not in not_settings and _concerns(name, options)
    }
    settings["crop"] = ("speaker" if crop else "none") if options.modality in ("video", "frames") else None
    libraries = ["iemomecp", "torch", "transformers", "numpy"]
    libraries += {"audio": ["soundfile", "av"], "video": ["av", "pillow"], "frames": ["av", "pillow"]}.get(
        options.modality, ["tokenizers"]
    )
    card = StoreCard(
        modality=options.modality,
        model=Path(options.model_name).name if Path(options.model_name).is_dir() else options.model_name,
        revision=encoder.revision,
        corpus=corpus.corpus,
        corpus_fingerprints=dict(corpus.fingerprints),
        utterances=corpus.digest,
        n_utterances=len(corpus.items),
        n_shards=len(planned.shards),
        synthetic=corpus.synthetic,
        size=encoder.size,
        dtype=_dtype(options),
        settings={name: value for name, value in settings.items() if value is not None},
        versions={name: version(name) for name in libraries}
        | {"python": platform.python_version(), "device": device.type},
    )
    claim_store(folder, card)
    keep_plan(folder, planned)
    return planned, card


_CONCERNS = {
    "sampling_rate": ("audio",),
    "max_seconds": ("audio",),
    "batch_seconds": ("audio",),
    "frames": ("video",),
    "frame_strategy": ("video",),
    "crop": ("video", "frames"),
    "left_actor": ("video", "frames"),
    "max_frames": ("frames",),
    "frame_layer": ("frames",),
    "layers": ("audio", "video", "text", "event"),
    "pooling": ("audio", "video", "text", "event"),
    "max_tokens": ("text", "event"),
}


def _concerns(name: str, options: ExtractionOptions) -> bool:
    if name in ("media_pattern", "clip"):
        return options.needs_media
    return options.modality in _CONCERNS.get(name, (options.modality,))


def _dtype(options: ExtractionOptions) -> str:
    # Tokens of frames are many: hundreds per clip.
    return "float16" if options.modality == "frames" else options.store_dtype


def _remove_incomplete(folder: Path, card: StoreCard) -> None:
    """Removes the shards that lack vectors, and the index if there are any."""
    for number in range(card.n_shards):
        path = folder / shard_name(number, card.n_shards)
        if path.is_file() and any(record.status != "ok" for record in _records(path, card)):
            for name in (INDEX_NAME, README_NAME, MANIFEST_NAME):
                (folder / name).unlink(missing_ok=True)
            path.unlink()


def _records(path: Path, card: StoreCard) -> list[RowRecord]:
    return (read_frame_shard(path, card.size) if card.modality == "frames" else read_shard(path)).records


def _write_shards(
    folder: Path,
    options: ExtractionOptions,
    card: StoreCard,
    corpus: CorpusItems,
    plan_: ExtractionPlan,
    mine: Sequence[int],
    encoder: Encoder,
) -> int:
    from tqdm.auto import tqdm

    items = {item.utterance_id: item for item in corpus.items}
    sizes = [sum(map(len, shard)) for shard in plan_.shards]
    there = sum(sizes) - sum(sizes[number] for number in missing_shards(folder, card.n_shards))
    todo = sum(sizes[number] for number in mine)
    work = [(number, position) for number in mine for position in range(len(plan_.shards[number]))]
    pool = ThreadPoolExecutor(options.num_workers, thread_name_prefix="decode")
    try:
        with tqdm(
            total=there + todo, initial=there, desc=f"Extracting {options.modality}", unit="utt", disable=options.quiet
        ) as bar:
            rows: list[StoreRow] = []
            for number, position, futures in _decoded_ahead(pool, encoder, items, plan_, work):
                rows += _encoded(encoder, futures, options)
                bar.update(len(futures))
                if position == len(plan_.shards[number]) - 1:
                    path = folder / shard_name(number, card.n_shards)
                    if card.modality == "frames":
                        write_frame_shard(path, rows, card.size)
                    else:
                        write_shard(path, rows, card.size, card.dtype)
                    rows = []
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return todo


def _decoded_ahead(
    pool: ThreadPoolExecutor,
    encoder: Encoder,
    items: Mapping[str, WorkItem],
    plan_: ExtractionPlan,
    work: Sequence[tuple[int, int]],
) -> Iterator[tuple[int, int, list[tuple[str, Future[Any]]]]]:
    """Yields the batches in order, decoding some ahead while one is encoded."""
    ahead: deque[tuple[int, int, list[tuple[str, Future[Any]]]]] = deque()
    for number, position in work:
        batch = plan_.shards[number][position]
        ahead.append((number, position, [(key, pool.submit(encoder.decode, items[key])) for key in batch]))
        if len(ahead) > _BATCHES_AHEAD:
            yield ahead.popleft()
    while ahead:
        yield ahead.popleft()


def _encoded(
    encoder: Encoder, futures: Sequence[tuple[str, Future[Any]]], options: ExtractionOptions
) -> list[StoreRow]:
    rows: dict[str, StoreRow] = {}
    batch = []
    for key, future in futures:
        try:
            batch.append(future.result())
        except FeatureProblem as problem:
            rows[key] = StoreRow(key, problem.status, reason=problem.reason)
    if batch:
        rows |= {row.utterance_id: finite_row(row, _dtype(options)) for row in encoder.encode(batch)}
    if options.strict:
        for key, _ in futures:
            if rows[key].status != "ok":
                raise InvalidDataError(
                    f"utterance {key} gets no vector ({rows[key].status}: {rows[key].reason}), and --strict allows "
                    "none. Repair its media and run the command again, or omit --strict to record the reason instead."
                )
    return [rows[key] for key, _ in futures]


def _finish(
    folder: Path, card: StoreCard, corpus: CorpusItems, options: ExtractionOptions, alone: Callable[[], bool]
) -> tuple[Counter[str], dict[str, list[tuple[str, str]]]]:
    ids = [item.utterance_id for item in corpus.items]
    try:
        if card.modality == "frames":
            statuses = write_manifest(folder, card, ids, allow_missing=options.allow_missing)
        else:
            statuses = write_index(folder, card, ids)
    except IemomecpError:
        for name in (INDEX_NAME, MANIFEST_NAME):
            (folder / name).unlink(missing_ok=True)
        raise
    # Removes the temporary files of killed writers; while another process writes, one of them may be its.
    if alone():
        for path in folder.glob(".shard-*.partial"):
            path.unlink(missing_ok=True)
    examples: dict[str, list[tuple[str, str]]] = {}
    for number in range(card.n_shards):
        for record in _records(folder / shard_name(number, card.n_shards), card):
            if record.status != "ok" and len(examples.setdefault(record.status, [])) < 3:
                examples[record.status].append((record.utterance_id, record.reason or ""))
    if options.strict and set(statuses) != {"ok"}:
        first = next(iter(examples.items()))
        raise InvalidDataError(
            f"{folder}: {sum(statuses.values()) - statuses['ok']} utterances have no vector, such as {first[1][0][0]} "
            f"({first[0]}: {first[1][0][1]}), and --strict allows none. Repair their media and add --retry_missing."
        )
    return statuses, examples
