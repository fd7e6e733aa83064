"""The plan of a prediction: every conversation's place and name, in chunks. It is made by reading all inputs once."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from iemomecp_dataset.conversations.streaming import open_records
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, RunFolderError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import atomic_write, file_digest, make_folder, read_json, write_json
from iemomecp_dataset.trainers.prediction.chunks import (
    DIGEST_BYTES,
    begins_chunk,
    chunk_key,
    different_names,
    name_digest,
    repeated,
)
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder

__all__ = ["CHUNK_UTTERANCES", "Plan", "Source", "make_plan", "read_plan"]

CHUNK_UTTERANCES = 4096
"""Utterances of a chunk, with the conversation that reaches them: as many as are scored together elsewhere."""

_VERSION = 1

_SCHEMA = pa.schema(
    [
        ("source", pa.int32()),
        ("number", pa.int64()),
        ("offset", pa.int64()),
        ("part", pa.int32()),
        ("turns", pa.int32()),
        # The name in the input; what it is called among those of its file, and of all files, where that differs.
        ("name", pa.string()),
        ("in_file", pa.string()),
        ("in_all", pa.string()),
    ]
)


@dataclass(frozen=True)
class Source:
    """A file of conversations.

    Attributes:
        given: As the user named it.
        path: Its absolute path.
        size: Bytes.
        sha256: Digest of its content.
        unit: What its records are called, ``line`` or ``row``.
    """

    given: str
    path: str
    size: int
    sha256: str
    unit: str


@dataclass(frozen=True)
class Plan:
    """What is to be predicted.

    Attributes:
        sources: The input files.
        settings: What decides the predictions, by option, and the digests of models.
        keys: A key of each chunk, from the names in it.
        sizes: Conversations of each chunk.
        utterances: Utterances in all.
        broken: Records that are left out, as they hold no conversation.
        version: Layout of the files.
    """

    sources: tuple[Source, ...]
    settings: Mapping[str, Any]
    keys: tuple[str, ...]
    sizes: tuple[int, ...]
    utterances: int
    broken: int = 0
    version: int = field(default=_VERSION)

    @property
    def conversations(self) -> int:
        """Conversations in all."""
        return sum(self.sizes)


def read_plan(work: WorkFolder) -> Plan:
    """Reads the plan of a work folder.

    Raises:
        RunFolderError: There is none, or it is damaged.
    """
    try:
        record = read_json(work.record)
        if record["version"] != _VERSION:
            raise RunFolderError(f"{work.path} was begun by another version of this package. Remove it to begin anew.")
        plan = Plan(
            tuple(Source(**source) for source in record["sources"]),
            dict(record["settings"]),
            tuple(record["keys"]),
            tuple(record["sizes"]),
            record["utterances"],
            record["broken"],
        )
    except FileNotFoundError:
        raise RunFolderError(
            f"{work.path} has no plan (no {work.record.name}). Start the command without --shard."
        ) from None
    except RunFolderError:
        raise
    except (IemomecpError, LookupError, TypeError, ValueError) as error:
        raise RunFolderError(f"{work.record} is damaged ({error}). Remove {work.path} to begin anew.") from None
    return plan


def make_plan(
    files: Sequence[Path], settings: Mapping[str, Any], work: WorkFolder, *, skip_broken: bool, progress: bool
) -> Plan:
    """Reads all inputs once and writes the plan; one that is there is kept where it is of the same input and settings.

    Args:
        files: Files with a conversation on every line or row.
        settings: What decides the predictions, besides the input; plain values.
        work: Where to.
        skip_broken: Leave out records that hold no conversation, and list them.
        progress: Show progress bars.

    Returns:
        The plan.

    Raises:
        InvalidDataError: A record holds no conversation, or none is left.
        MissingDataError: A file cannot be read.
        RunFolderError: The folder has the plan of another prediction; the message says in what it differs.
    """
    from tqdm import tqdm

    with tqdm(total=sum(_size(file) for file in files), desc="Checking input", unit="B", unit_scale=True,
              leave=False, disable=not progress) as bar:  # fmt: skip
        if work.record.exists():
            earlier = read_plan(work)
            _check_same(earlier, files, settings, work, skip_broken=skip_broken, bar=bar)
            return earlier
        make_folder(work.path)
        scan = work.path / "scan.parquet"
        try:
            sources, digests, broken = _scan(files, scan, work, skip_broken=skip_broken, bar=bar)
        except BaseException:
            for leftover in (scan, work.broken):
                with contextlib.suppress(OSError):
                    leftover.unlink(missing_ok=True)
            raise
    _write_named(scan, work.plan, sources, digests)
    scan.unlink()
    keys, sizes, utterances = [], [], 0
    with pq.ParquetFile(work.plan) as table:
        for chunk in range(table.num_row_groups):
            rows = table.read_row_group(chunk, columns=["turns", "name", "in_file", "in_all"])
            keys.append(chunk_key(map(_called, rows.to_pylist())))
            sizes.append(rows.num_rows)
            utterances += int(np.asarray(rows["turns"]).sum())
    plan = Plan(tuple(sources), dict(settings), tuple(keys), tuple(sizes), utterances, broken)
    write_json(work.record, {**asdict(plan), "version": _VERSION}, indent=None)
    return plan


def _called(row: Mapping[str, Any]) -> str:
    name: str = row["in_all"] or row["in_file"] or row["name"]
    return name


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


# --- the same prediction, begun earlier ---------------------------------------------------------------------------


def _check_same(
    earlier: Plan, files: Sequence[Path], settings: Mapping[str, Any], work: WorkFolder, *, skip_broken: bool, bar: Any
) -> None:
    """Refuses to continue a prediction with other input, another model or other options."""
    begun = f"{work.output} was begun"
    anew = f"Start the command as before, or remove {work.path} to begin anew."
    if [str(file) for file in files] != [source.given for source in earlier.sources]:
        listed = ", ".join(source.given for source in earlier.sources[:5])
        raise RunFolderError(f"{begun} with other files of conversations ({listed}). {anew}")
    for name in sorted({*earlier.settings, *settings}):
        before, now = earlier.settings.get(name), settings.get(name)
        if before != now:
            raise RunFolderError(f"{begun} with {name} {_said(before)}, and now it is {_said(now)}. {anew}")
    if earlier.broken and not skip_broken:
        raise RunFolderError(f"{begun} with --skip-broken, and {earlier.broken} records were left out. {anew}")
    for source in earlier.sources:
        changed = _size(Path(source.path)) != source.size or file_digest(Path(source.path)) != source.sha256
        bar.update(source.size)
        if changed:
            raise RunFolderError(f"{source.given} is not what it was when {begun}: its content has changed. {anew}")


def _said(value: Any) -> str:
    return "not given" if value is None else shown(value)


# --- reading all inputs -------------------------------------------------------------------------------------------


def _scan(
    files: Sequence[Path], scan: Path, work: WorkFolder, *, skip_broken: bool, bar: Any
) -> tuple[list[Source], list[bytearray], int]:
    """Writes a row for each conversation, and gives the digests of their names by file."""
    sources: list[Source] = []
    digests: list[bytearray] = []
    n_broken, first_reason = 0, ""
    rows: list[tuple[Any, ...]] = []
    utterances = 0
    with (
        atomic_write(scan) as partial,
        pq.ParquetWriter(partial, _SCHEMA) as writer,
        atomic_write(work.broken) as partial_broken,
        partial_broken.open("w", encoding="utf-8") as listed,
    ):
        for place, file in enumerate(files):
            records = open_records(file)
            try:
                of_file, empty = bytearray(), True
                before, size = 0, _size(file)
                for record in records.records():
                    empty = False
                    if record.error is not None:
                        if not skip_broken:
                            raise _with_way_out(record.error)
                        n_broken += 1
                        first_reason = first_reason or str(record.error)
                        entry = {"source": str(file), records.unit: record.number, "name": None}
                        listed.write(json.dumps({**entry, "reason": str(record.error)}, ensure_ascii=False) + "\n")
                    for part, one in enumerate(record.conversations):
                        if begins_chunk(utterances, CHUNK_UTTERANCES):
                            _write_rows(writer, rows)
                            rows, utterances = [], 0
                        turns = len(one.utterances)
                        rows.append((place, record.number, record.offset, part, turns, one.name, None, None))
                        of_file += name_digest(one.name)
                        utterances += turns
                    if records.unit == "line":
                        bar.update(record.offset - before)
                        before = record.offset
                if empty:
                    raise InvalidDataError(f"{file}: the file is empty. A conversation needs at least one utterance.")
                bar.update(size - before)
                digest = file_digest(file)
                if size != _size(file):
                    raise InvalidDataError(f"{file}: it grew while it was read. Start again when it is complete.")
                sources.append(Source(str(file), str(file.resolve()), size, digest, records.unit))
                digests.append(of_file)
            finally:
                records.close()
        if not rows:
            raise InvalidDataError(f"None of the {n_broken} records holds a conversation. The first: {first_reason}")
        _write_rows(writer, rows)
    return sources, digests, n_broken


def _with_way_out(error: InvalidDataError) -> InvalidDataError:
    if "not UTF-8 text" in str(error):
        return error
    return type(error)(f"{error} Or give --skip-broken to leave such conversations out, counted and listed.")


def _write_rows(writer: pq.ParquetWriter, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, _SCHEMA, strict=True)]
    writer.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA), row_group_size=len(rows))


# --- names --------------------------------------------------------------------------------------------------------


def _write_named(scan: Path, plan: Path, sources: Sequence[Source], digests: Sequence[bytearray]) -> None:
    """Gives conversations different names, first those of each file and then those of all, and writes the plan."""
    known = np.frombuffer(b"".join(digests), dtype=f"S{DIGEST_BYTES}")
    bounds = np.cumsum([0, *(len(of_file) // DIGEST_BYTES for of_file in digests)])
    parts = [known[low:high] for low, high in itertools.pairwise(bounds)]
    again = np.concatenate([repeated(part) for part in parts]) if parts else np.zeros(0, dtype=bool)
    in_file = scan.with_name("scan-of-files.parquet")
    renamed = bytearray(known.tobytes())
    with pq.ParquetFile(scan) as table, _replacing(in_file) as writer:
        names = _column(table, "name")
        new = _chained(names, again, parts)
        for place, name in _rewritten(table, writer, "in_file", new):
            renamed[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES] = name_digest(name)
    every = np.frombuffer(bytes(renamed), dtype=known.dtype)
    again = repeated(every) if len(sources) > 1 else np.zeros(len(every), dtype=bool)
    with pq.ParquetFile(in_file) as table, _replacing(plan) as writer:
        within = (row["in_file"] or row["name"] for row in _rows(table, ["name", "in_file"]))
        for _ in _rewritten(table, writer, "in_all", different_names(within, again, _Taken([every]))):
            pass
    in_file.unlink()


def _chained(names: Iterator[str], again: Any, parts: Sequence[Any]) -> Iterator[str | None]:
    begin = 0
    for part in parts:
        flags = again[begin : begin + len(part)]
        yield from different_names(itertools.islice(names, len(part)), flags, _Taken([part]))
        begin += len(part)


class _Taken:
    """Whether a name is among those that are known by their digests, which are sorted when it is first asked."""

    def __init__(self, digests: Sequence[Any]) -> None:
        self._digests = digests
        self._sorted: Any = None

    def __call__(self, name: str) -> bool:
        if self._sorted is None:
            self._sorted = np.sort(np.concatenate(self._digests))
        wanted = np.array(name_digest(name), dtype=self._sorted.dtype)
        place = int(np.searchsorted(self._sorted, wanted))
        return place < len(self._sorted) and bool(self._sorted[place] == wanted)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[pq.ParquetWriter]:
    with atomic_write(path) as partial, pq.ParquetWriter(partial, _SCHEMA) as writer:
        yield writer


def _rows(table: pq.ParquetFile, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for group in range(table.num_row_groups):
        yield from table.read_row_group(group, columns=list(columns)).to_pylist()


def _column(table: pq.ParquetFile, name: str) -> Iterator[str]:
    return (row[name] for row in _rows(table, [name]))


def _rewritten(
    table: pq.ParquetFile, writer: pq.ParquetWriter, column: str, values: Iterator[str | None]
) -> Iterator[tuple[int, str]]:
    """Writes the same row groups with another column; yields the places with a value, and the value."""
    place = 0
    for group in range(table.num_row_groups):
        rows = table.read_row_group(group)
        new = [next(values) for _ in range(rows.num_rows)]
        for value in new:
            if value is not None:
                yield place, value
            place += 1
        rows = rows.set_column(rows.column_names.index(column), column, pa.array(new, pa.string()))
        writer.write_table(rows, row_group_size=rows.num_rows)
