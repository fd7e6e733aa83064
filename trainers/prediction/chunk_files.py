"""Writes the predictions of one chunk, and its index, which says that the chunk is complete."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.files import atomic_write, file_digest
from iemomecp_dataset.pictures.words import decision_in_words, notes_in_words
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation
from iemomecp_dataset.trainers.pipelines.writing import write_predicted
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder

__all__ = [
    "INDEX_SCHEMA",
    "ChunkRecord",
    "Place",
    "Skipped",
    "is_complete",
    "read_index",
    "remove_damaged",
    "write_chunk",
]

_PAIRS_OF_GROUP = 1 << 16
"""Candidate pairs of a row group of Parquet, with the conversation that reaches them."""

INDEX_SCHEMA = pa.schema(
    [
        ("conversation", pa.string()),
        ("source", pa.string()),
        ("record", pa.int64()),
        ("chunk", pa.int32()),
        ("row", pa.int64()),
        ("rows", pa.int64()),
        ("turns", pa.int32()),
        ("candidates", pa.int64()),
        ("pairs", pa.int64()),
        ("notes", pa.list_(pa.string())),
        ("skipped", pa.string()),
    ]
)
"""Columns of an index: where each conversation comes from, and at which row of which chunk it stands."""


@dataclass(frozen=True)
class Place:
    """Where a conversation comes from: its file and the line or row in it."""

    source: str
    record: int


@dataclass(frozen=True)
class Skipped:
    """A conversation that cannot be predicted, and why."""

    name: str
    turns: int
    reason: str


@dataclass(frozen=True)
class ChunkRecord:
    """What is known of a complete chunk besides its rows.

    Attributes:
        size: Bytes of the chunk's file.
        header: Bytes of its header, which of all chunks in one file only the first has.
        rule: The decision rule in words; empty where nothing was predicted.
        synthetic: Whether the model learned from synthetic dialogues.
        sha256: Digest of the chunk's file.
    """

    size: int
    header: int
    rule: str
    synthetic: bool
    sha256: str

    def to_metadata(self) -> dict[str, str]:
        """As texts."""
        return {"size": str(self.size), "header": str(self.header), "rule": self.rule,
                "synthetic": str(int(self.synthetic)), "sha256": self.sha256}  # fmt: skip

    @classmethod
    def of_metadata(cls, given: Mapping[bytes, bytes] | None) -> ChunkRecord:
        """From the metadata of an index.

        Raises:
            LookupError, ValueError: It is none.
        """
        stated = {key.decode(): value.decode() for key, value in (given or {}).items()}
        return cls(int(stated["size"]), int(stated["header"]), stated["rule"], stated["synthetic"] == "1",
                   stated["sha256"])  # fmt: skip


def is_complete(work: WorkFolder, chunk: int) -> bool:
    """Whether a chunk has been predicted: its index is there, and its file is as long as the index says."""
    try:
        record = ChunkRecord.of_metadata(pq.read_schema(work.index(chunk)).metadata)
        return work.chunk(chunk).stat().st_size == record.size
    except (OSError, LookupError, ValueError, pa.ArrowException):
        return False


def remove_damaged(work: WorkFolder, chunk: int) -> bool:
    """Removes the index of a chunk whose file has another content than the index says, so that it is predicted again.

    Args:
        work: Where it is.
        chunk: Its number; one that is not complete is left as it is.

    Returns:
        Whether it was damaged.
    """
    if not is_complete(work, chunk):
        return False
    if file_digest(work.chunk(chunk)) == read_index(work, chunk)[1].sha256:
        return False
    work.index(chunk).unlink()
    return True


def read_index(work: WorkFolder, chunk: int) -> tuple[pa.Table, ChunkRecord]:
    """Reads the index of a complete chunk.

    Raises:
        RunFolderError: It is not there or damaged.
    """
    try:
        table = pq.read_table(work.index(chunk), schema=INDEX_SCHEMA)
        return table, ChunkRecord.of_metadata(pq.read_schema(work.index(chunk)).metadata)
    except (OSError, LookupError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunFolderError(f"{work.index(chunk)} is damaged ({reason}). Remove it and start again.") from None


def write_chunk(
    work: WorkFolder,
    chunk: int,
    predicted: Iterator[PredictedConversation],
    places: Sequence[Place | tuple[Place, Skipped]],
) -> ChunkRecord:
    """Writes a chunk and then its index, each as a whole.

    Args:
        work: Where to.
        chunk: Number of the chunk.
        predicted: Its predictions, in order.
        places: Where each conversation of the chunk comes from, in order, and why it is skipped, if it is.

    Returns:
        What the index says of the whole chunk.
    """
    path, rows = work.chunk(chunk), []
    rule, synthetic, row = "", False, 0
    with atomic_write(path) as partial, _Writer(partial, work.format) as writer:
        for place in places:
            if isinstance(place, tuple):
                at, left_out = place
                found: dict[str, Any] = {
                    "conversation": left_out.name, "row": None, "rows": 0, "turns": left_out.turns, "candidates": 0,
                    "pairs": 0, "notes": [], "skipped": left_out.reason,
                }  # fmt: skip
            else:
                at, one = place, next(predicted)
                written = len(one.targets) if work.format == "csv" else 1
                writer.write(one)
                found = {
                    "conversation": one.conversation.name, "row": row, "rows": written,
                    "turns": len(one.conversation.utterances), "candidates": len(one.targets),
                    "pairs": int((one.labels != len(one.class_names) - 1).sum()), "notes": list(notes_in_words(one)),
                    "skipped": None,
                }  # fmt: skip
                rule, synthetic, row = decision_in_words(one), synthetic or one.synthetic, row + written
            rows.append({**found, "source": at.source, "record": at.record, "chunk": chunk})
        writer.finish()
        record = ChunkRecord(partial.stat().st_size, writer.header, rule, synthetic, file_digest(partial))
    table = pa.Table.from_pylist(rows, schema=INDEX_SCHEMA.with_metadata(record.to_metadata()))
    with atomic_write(work.index(chunk)) as partial:
        pq.write_table(table, partial)
    return record


class _Writer:
    """Writes conversations to a file, in one of the formats."""

    def __init__(self, path: Path, kind: Literal["jsonl", "csv", "parquet"]) -> None:
        self._kind: Any = kind
        self._path = path
        self._stack = ExitStack()
        self._text: Any = None
        self._parquet: pq.ParquetWriter | None = None
        self._waiting: list[PredictedConversation] = []
        self._pairs = 0
        self.header = 0

    def __enter__(self) -> _Writer:
        if self._kind != "parquet":
            # UTF-8 cannot hold a lone surrogate, which JSON can state; its escape is valid in JSON.
            self._text = self._stack.enter_context(
                self._path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            )
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def write(self, one: PredictedConversation) -> None:
        if self._kind == "parquet":
            self._waiting.append(one)
            self._pairs += len(one.targets)
            if self._pairs >= _PAIRS_OF_GROUP:
                self._write_group()
            return
        text = io.StringIO()
        list(write_predicted(iter([one]), text, self._kind))
        content = text.getvalue()
        if self._kind == "csv" and content:
            # Column names have no line ends.
            header, _, below = content.partition("\n")
            if self.header:
                content = below
            else:
                self.header = len(f"{header}\n".encode())
        self._text.write(content)

    def finish(self) -> None:
        if self._kind == "parquet":
            self._write_group()
            if self._parquet is None:  # every conversation was skipped
                pq.write_table(pa.table({"name": pa.array([], pa.string())}), self._path)
            else:
                self._parquet.close()
        self._stack.close()

    def _write_group(self) -> None:
        if not self._waiting:
            return
        schema = _schema(self._waiting[0])
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self._path, schema)
            self._stack.callback(self._parquet.close)
        table = pa.Table.from_pylist([one.to_dict() for one in self._waiting], schema=schema)
        self._parquet.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._pairs = [], 0


def _schema(one: PredictedConversation) -> pa.Schema:
    """The keys of a line of JSON as nested columns; Parquet has no place for probabilities of no category."""

    def probabilities(names: Sequence[str]) -> pa.DataType:
        return pa.struct([(name, pa.float64()) for name in names])

    turn = [("turn", pa.int32()), ("speaker", pa.string()), ("text", pa.string()), ("emotional", pa.bool_()),
            ("probability", pa.float64()), ("category", pa.string())]  # fmt: skip
    if one.category_names:
        turn.append(("category_probabilities", probabilities(one.category_names)))
    pair = [("target_turn", pa.int32()), ("cause_turn", pa.int32()), ("role", pa.string()),
            ("probability", pa.float64()), ("decided", pa.bool_()), ("label", pa.string()),
            ("probabilities", probabilities(one.class_names))]  # fmt: skip
    return pa.schema(
        [
            ("name", pa.string()),
            ("model", pa.string()),
            ("synthetic", pa.bool_()),
            ("decision", pa.struct([("rule", pa.string()), ("threshold", pa.float64()), ("origin", pa.string())])),
            ("class_names", pa.list_(pa.string())),
            ("category_names", pa.list_(pa.string())),
            ("notes", pa.list_(pa.string())),
            ("turns", pa.list_(pa.struct(turn))),
            ("pairs", pa.list_(pa.struct(pair))),
        ]
    )
