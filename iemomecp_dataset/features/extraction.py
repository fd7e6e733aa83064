"""Extracts feature vectors from the media or texts of a corpus: plan, decode ahead, encode, write shards and index.

Each shard is written atomically, and the plan fixes its utterances. An extraction can therefore be killed at any time:
the next run computes the missing shards, and the store is identical to the byte, whatever the number of processes that
share it. The one that writes the last shard writes the index.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from iemomecp_dataset.command_line import circumstances
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.features.encoders.devices import torch_device
from iemomecp_dataset.features.encoders.model_loading import require_torch
from iemomecp_dataset.features.encoding import Encoder, dtype_of, encoded_batches
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.extraction_plan import (
    PLAN_NAME,
    ExtractionPlan,
    keep_plan,
    plan_extraction,
    read_plan,
)
from iemomecp_dataset.features.frames.shards import read_frame_shard, write_frame_shard
from iemomecp_dataset.features.frames.store import MANIFEST_NAME, manifest_statuses, write_manifest
from iemomecp_dataset.features.shares import shares
from iemomecp_dataset.features.store.store_card import StoreCard, claim_store, read_card
from iemomecp_dataset.features.store.store_index import index_statuses, missing_shards, write_index
from iemomecp_dataset.features.store.store_layout import INDEX_NAME, README_NAME, shard_name
from iemomecp_dataset.features.store.store_rows import RowRecord, StoreRow
from iemomecp_dataset.features.store.store_shards import read_shard, write_shard
from iemomecp_dataset.features.work_items import CorpusItems, WorkItem, corpus_items
from iemomecp_dataset.files.locks import locked_file, share_folder
from iemomecp_dataset.progress import bars_hidden

__all__ = [
    "ENCODER_WORDS",
    "Encoder",
    "ExtractionResult",
    "PlannedExtraction",
    "ShardWriter",
    "complete_store",
    "counted",
    "encode_items",
    "extract",
    "open_encoder",
    "plan",
    "remove_incomplete",
]

ENCODER_WORDS = {
    "audio": "audio encoder",
    "video": "video encoder",
    "frames": "vision tower",
    "text": "text encoder",
    "event": "text encoder",
}
"""How messages call the encoder of each modality."""

_INDEX_LOCK = ".index.lock"
"""Locked by the process that writes the index, so that of those that end together one does."""


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
    writer = ShardWriter(options, local_rank=local_rank)
    # Several processes may write one store, each its share or, started by mistake, the same: shards replace their like.
    with share_folder(writer.folder):
        writer.claim()
        mine = shares(writer.plan.shards, total)[index]
        if options.retry_missing:
            remove_incomplete(writer.folder, writer.card, mine)
        computed = sum(writer.write(mine))
    left = missing_shards(writer.folder, writer.card.n_shards)
    if left:
        return ExtractionResult(writer.folder, writer.card, False, len(left), computed, {}, {})
    return complete_store(options, writer.corpus, computed=computed, once=total > 1)


class ShardWriter:
    """Corpus, encoder and plan of an extraction: writes shard files of its store, in any order.

    Args:
        options: Corpus, modality, model, settings, folder.
        local_rank: Number of this process on its machine, which chooses its GPU where there are several.

    Attributes:
        folder: The store.
        corpus: The utterances.
        plan: Batches and shards.
        card: Card of the store.

    Raises:
        UsageError: The device does not exist, or a setting does not fit the corpus or the model.
        MissingModelError: The model is neither on disk nor reachable.
        IemomecpError: The corpus cannot be loaded.
    """

    def __init__(self, options: ExtractionOptions, *, local_rank: int = 0):
        self._options = options
        self.folder = Path(options.output_dir)
        self.corpus = corpus_items(options)
        crop = _crops(options, self.corpus)
        self._device = torch_device(options.device, local_rank)
        self._encoder = _load_encoder(options, self._device, crop)
        resumed = (self.folder / PLAN_NAME).is_file()
        self.plan = read_plan(self.folder) if resumed else plan_extraction(self.corpus.items, options)
        self.card = _card(options, self.corpus, self._encoder, self._device, crop, len(self.plan.shards))

    def claim(self) -> None:
        """Claims the folder for this extraction, and keeps its plan there.

        Raises:
            UsageError: It has something else.
        """
        claim_store(self.folder, self.card)
        keep_plan(self.folder, self.plan)

    def write(self, numbers: Iterable[int]) -> Iterator[int]:
        """Computes and writes shard files that are missing, behind a progress bar over the utterances.

        Args:
            numbers: Their numbers; those that are written already are left alone.

        Yields:
            The number of utterances of each file, once it is written.

        Raises:
            UsageError: The device lacks memory.
            InvalidDataError: With ``strict``: an utterance gets no vector.
        """
        import torch
        from tqdm.auto import tqdm

        options, card = self._options, self.card
        left = frozenset(missing_shards(self.folder, card.n_shards))
        mine = [number for number in numbers if number in left]
        sizes = [sum(map(len, shard)) for shard in self.plan.shards]
        there = sum(sizes) - sum(sizes[number] for number in left)
        items = {item.utterance_id: item for item in self.corpus.items}
        work = ((number, batch) for number in mine for batch in self.plan.shards[number])
        rows: list[StoreRow] = []
        try:
            with tqdm(
                total=there + sum(sizes[number] for number in mine),
                initial=there,
                desc=f"Extracting {options.modality}",
                unit="utt",
                disable=options.quiet or bool(bars_hidden()),
            ) as bar:
                for number, encoded in encoded_batches(self._encoder, items, work, options, self._device.type):
                    rows += encoded
                    bar.update(len(encoded))
                    if len(rows) < sizes[number]:
                        continue
                    path = self.folder / shard_name(number, card.n_shards)
                    if card.modality == "frames":
                        write_frame_shard(path, rows, card.size)
                    else:
                        write_shard(path, rows, card.size, card.dtype)
                    rows = []
                    yield sizes[number]
        except torch.OutOfMemoryError:
            raise UsageError(
                f"The device {self._device} has too little memory for these batches. Give a lower --batch_size (and, "
                "for audio, --batch_seconds) and a new --output-dir, because the batches of a store are fixed."
            ) from None


def complete_store(
    options: ExtractionOptions, corpus: CorpusItems, *, computed: int = 0, once: bool = False
) -> ExtractionResult:
    """Writes the index of a store whose shards are all there, and counts its statuses.

    Args:
        options: The extraction.
        corpus: Its utterances.
        computed: Number of utterances that were computed for it now, for the result.
        once: Leave the index to another process that writes it at this moment; the result is then not complete.

    Returns:
        The result.

    Raises:
        InvalidDataError: With ``strict``: an utterance has no vector. Of frames, unless ``allow_missing``: more than
            1 % of the clips are missing or cannot be decoded. Or a shard is damaged.
    """
    folder = Path(options.output_dir)
    card = read_card(folder)
    with share_folder(folder) as alone, locked_file(folder / _INDEX_LOCK) as mine:
        if once and mine is False:
            return ExtractionResult(folder, card, False, 0, computed, {}, {})
        try:
            _write_index(folder, card, corpus, options)
        finally:
            if mine is not False:
                (folder / _INDEX_LOCK).unlink(missing_ok=True)
        # Removes the temporary files of killed writers; while another process writes, one of them may be its.
        if alone():
            for path in folder.glob(".shard-*.partial"):
                path.unlink(missing_ok=True)
        return counted(options, computed=computed)


def counted(options: ExtractionOptions, *, computed: int = 0) -> ExtractionResult:
    """Counts the statuses of a store whose index is written.

    Args:
        options: The extraction.
        computed: Number of utterances that were computed for it now, for the result.

    Raises:
        InvalidDataError: With ``strict``: an utterance has no vector.
    """
    folder = Path(options.output_dir)
    card = read_card(folder)
    statuses, examples = (manifest_statuses if card.modality == "frames" else index_statuses)(folder)
    if options.strict and set(statuses) != {"ok"}:
        status, found = next(iter(examples.items()))
        raise InvalidDataError(
            f"{folder}: {sum(statuses.values()) - statuses['ok']} utterances have no vector, such as {found[0][0]} "
            f"({status}: {found[0][1]}), and --strict allows none. Repair their media and add --retry_missing."
        )
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
    work = ((number, batch) for number, shard in enumerate(planned.shards) for batch in shard)
    by_id = {item.utterance_id: item for item in items}
    device = torch_device(options.device).type
    try:
        with tqdm(
            total=len(items), desc=f"Encoding {options.modality}", unit="utt", delay=2, disable=not progress
        ) as bar:
            for _, rows in encoded_batches(encoder, by_id, work, options, device):
                yield from rows
                bar.update(len(rows))
    except torch.OutOfMemoryError:
        raise UsageError(f"The {options.modality} encoder needs more memory than the device has. Use cpu.") from None


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


def _card(
    options: ExtractionOptions, corpus: CorpusItems, encoder: Encoder, device: Any, crop: bool, n_shards: int
) -> StoreCard:
    not_settings = circumstances(ExtractionOptions)
    settings = {
        name: value for name, value in vars(options).items() if name not in not_settings and _concerns(name, options)
    }
    settings["crop"] = ("speaker" if crop else "none") if options.modality in ("video", "frames") else None
    libraries = ["iemomecp", "torch", "transformers", "numpy"]
    libraries += {"audio": ["soundfile", "av"], "video": ["av", "pillow"], "frames": ["av", "pillow"]}.get(
        options.modality, ["tokenizers"]
    )
    return StoreCard(
        modality=options.modality,
        model=Path(options.model_name).name if Path(options.model_name).is_dir() else options.model_name,
        revision=encoder.revision,
        corpus=corpus.corpus,
        corpus_fingerprints=dict(corpus.fingerprints),
        utterances=corpus.digest,
        n_utterances=len(corpus.items),
        n_shards=n_shards,
        synthetic=corpus.synthetic,
        size=encoder.size,
        dtype=dtype_of(options),
        settings={name: value for name, value in settings.items() if value is not None},
        versions={name: version(name) for name in libraries}
        | {"python": platform.python_version(), "device": device.type},
    )


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


def remove_incomplete(folder: Path, card: StoreCard, numbers: Iterable[int]) -> None:
    """Removes the shards that lack vectors, and the index if there are any.

    Args:
        folder: The store.
        card: Its card.
        numbers: Numbers of the shards that are looked at.

    Raises:
        InvalidDataError: A shard is damaged.
    """
    for number in numbers:
        path = folder / shard_name(number, card.n_shards)
        if path.is_file() and any(record.status != "ok" for record in _records(path, card)):
            for name in (INDEX_NAME, README_NAME, MANIFEST_NAME):
                (folder / name).unlink(missing_ok=True)
            path.unlink()


def _records(path: Path, card: StoreCard) -> list[RowRecord]:
    return (read_frame_shard(path, card.size) if card.modality == "frames" else read_shard(path)).records


def _write_index(folder: Path, card: StoreCard, corpus: CorpusItems, options: ExtractionOptions) -> None:
    ids = [item.utterance_id for item in corpus.items]
    try:
        if card.modality == "frames":
            write_manifest(folder, card, ids, allow_missing=options.allow_missing)
        else:
            write_index(folder, card, ids)
    except IemomecpError:
        for name in (INDEX_NAME, MANIFEST_NAME):
            (folder / name).unlink(missing_ok=True)
        raise
