"""Encodes batches of utterances: decode ahead, encode several at once on the CPU, note why one gets no vector.

On the CPU the last bits of a vector depend on the number of threads that share its arithmetic (the convolutions of
speech encoders sum in another order). Here each batch has one thread, and the threads of the process work on different
batches: the vectors are those of any number of threads, processes and cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_rows import FeatureProblem, StoreRow, finite_row
from iemomecp_dataset.features.work_items import WorkItem

__all__ = ["Encoder", "dtype_of", "encoded_batches"]

_BATCHES_AHEAD = 3
_MOST_AT_ONCE = 8
"""Batches on the CPU at once; each takes memory of its own."""


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
        """Encodes prepared utterances in one batch; thread-safe."""


def encoded_batches(
    encoder: Encoder,
    items: Mapping[str, WorkItem],
    work: Iterable[tuple[int, Sequence[str]]],
    options: ExtractionOptions,
    device: str,
) -> Iterator[tuple[int, list[StoreRow]]]:
    """Encodes batches, decoding some ahead.

    Args:
        encoder: The encoder.
        items: Utterances by id.
        work: Batches of utterance ids, each with a number that is given back, such as that of its shard.
        options: Settings, and number of threads that decode.
        device: Type of the encoder's device, such as ``cpu``.

    Yields:
        Number and rows of each batch, in the order of ``work``.

    Raises:
        InvalidDataError: With ``strict``: an utterance gets no vector.
    """
    with _one_thread_a_batch(device) as at_once:
        decoding = ThreadPoolExecutor(options.num_workers, thread_name_prefix="decode")
        encoding = ThreadPoolExecutor(at_once, thread_name_prefix="encode")
        ahead: deque[tuple[int, Future[list[StoreRow]]]] = deque()
        try:
            for number, batch in work:
                inputs = [(key, decoding.submit(encoder.decode, items[key])) for key in batch]
                ahead.append((number, encoding.submit(_encoded, encoder, inputs, options)))
                if len(ahead) >= at_once + _BATCHES_AHEAD:
                    number, rows = ahead.popleft()
                    yield number, rows.result()
            while ahead:
                number, rows = ahead.popleft()
                yield number, rows.result()
        finally:
            # What waits for a decoded input ends once that is cancelled, so decoding is cancelled first.
            for pool in (decoding, encoding):
                pool.shutdown(wait=False, cancel_futures=True)
            for pool in (decoding, encoding):
                pool.shutdown(wait=True)


def dtype_of(options: ExtractionOptions) -> str:
    """Number format of the store of an extraction."""
    # Tokens of frames are many: hundreds per clip.
    return "float16" if options.modality == "frames" else options.store_dtype


@contextmanager
def _one_thread_a_batch(device: str) -> Iterator[int]:
    """Gives the arithmetic of a batch one thread; yields how many batches may be encoded at once."""
    import torch

    threads = torch.get_num_threads()
    if device != "cpu" or threads == 1:
        yield 1
        return
    torch.set_num_threads(1)  # of threads that are started from now on, too
    try:
        yield min(threads, _MOST_AT_ONCE)
    finally:
        torch.set_num_threads(threads)


def _encoded(encoder: Encoder, inputs: Sequence[tuple[str, Future[Any]]], options: ExtractionOptions) -> list[StoreRow]:
    rows: dict[str, StoreRow] = {}
    batch = []
    for key, decoded in inputs:
        try:
            batch.append(decoded.result())
        except FeatureProblem as problem:
            rows[key] = StoreRow(key, problem.status, reason=problem.reason)
    if batch:
        rows |= {row.utterance_id: finite_row(row, dtype_of(options)) for row in encoder.encode(batch)}
    if options.strict:
        for key, _ in inputs:
            if rows[key].status != "ok":
                raise InvalidDataError(
                    f"utterance {key} gets no vector ({rows[key].status}: {rows[key].reason}), and --strict allows "
                    "none. Repair its media and run the command again, or omit --strict to record the reason instead."
                )
    return [rows[key] for key, _ in inputs]
