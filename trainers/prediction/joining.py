"""Joins the chunks of a finished prediction: into one file, or under an index and a card in their folder."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError, RunFolderError
from iemomecp_dataset.files import atomic_write, parse_json, write_json, write_text
from iemomecp_dataset.markdown_text import markdown_text
from iemomecp_dataset.pictures.words import SYNTHETIC
from iemomecp_dataset.trainers.prediction.chunk_files import INDEX_SCHEMA, ChunkRecord, read_index
from iemomecp_dataset.trainers.prediction.plan import Plan
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder

__all__ = ["FINISHED", "Summary", "finish", "versions"]

FINISHED = "prediction.json"
"""Name of the file in a folder of chunks that says that it is complete, and of what."""

_NOTES_SHOWN = 5


@dataclass
class Summary:
    """What was predicted, for the user.

    Attributes:
        conversations: Predicted conversations.
        pairs: Their pairs.
        rule: The decision rule in words.
        synthetic: Whether the model learned from synthetic dialogues.
        noted: Notes of all conversations.
        notes: The first of them.
        skipped: Conversations and records that were left out.
        reason: Why the first of them was.
    """

    conversations: int = 0
    pairs: int = 0
    rule: str = ""
    synthetic: bool = False
    noted: int = 0
    notes: list[str] = field(default_factory=list)
    skipped: int = 0
    reason: str = ""

    def add(self, table: pa.Table, record: ChunkRecord) -> None:
        """Counts the conversations of a chunk."""
        self.rule, self.synthetic = self.rule or record.rule, self.synthetic or record.synthetic
        for row in table.select(["conversation", "pairs", "notes", "skipped"]).to_pylist():
            if row["skipped"] is not None:
                continue
            self.conversations += 1
            self.pairs += row["pairs"]
            notes = [f"note: {row['conversation']}: {note}" for note in row["notes"]]
            self.noted += len(notes)
            self.notes += notes[: _NOTES_SHOWN - len(self.notes)]

    def skip(self, reason: str) -> None:
        """Counts what was left out."""
        self.skipped += 1
        self.reason = self.reason or reason


def versions() -> dict[str, str]:
    """Versions of what computes predictions: another one may give other last bits."""
    found = {"iemomecp": iemomecp_dataset.__version__}
    return found | {name: importlib.metadata.version(name) for name in ("torch", "transformers", "pyarrow")}


def finish(plan: Plan, work: WorkFolder, *, skip_broken: bool) -> Summary:
    """Joins complete chunks and removes the work folder.

    Args:
        plan: The plan, every chunk of which is complete.
        work: Where it is.
        skip_broken: Write the list of what was left out, of nothing, too.

    Returns:
        What was predicted.

    Raises:
        RunFolderError: A chunk is damaged.
        UsageError: The place cannot be written to.
    """
    summary = Summary()
    with ExitStack() as stack:
        index = None
        if not work.whole_file:
            partial = stack.enter_context(atomic_write(work.output / "index.parquet"))
            index = stack.enter_context(pq.ParquetWriter(partial, INDEX_SCHEMA))
        left_out = None
        if skip_broken:
            left_out = stack.enter_context(stack.enter_context(atomic_write(work.skipped)).open("w", encoding="utf-8"))
        for line in _broken_records(work):
            try:
                summary.skip(parse_json(line, str(work.broken))["reason"])
            except (InvalidDataError, LookupError, TypeError) as error:
                raise _damaged_list(work, error) from None
            if left_out is not None:
                left_out.write(line)
        records = []
        units = {source.given: source.unit for source in plan.sources}
        for chunk in range(len(plan.sizes)):
            table, record = read_index(work, chunk)
            if table.num_rows != plan.sizes[chunk]:
                raise RunFolderError(f"{work.index(chunk)} is of another prediction. Remove it and start again.")
            summary.add(table, record)
            records.append(record)
            for row in table.to_pylist() if table["skipped"].null_count < table.num_rows else ():
                if row["skipped"] is not None:
                    summary.skip(row["skipped"])
                    entry = {"source": row["source"], units[row["source"]]: row["record"], "name": row["conversation"],
                             "reason": row["skipped"]}  # fmt: skip
                    if left_out is not None:
                        left_out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            if index is not None:
                index.write_table(table.replace_schema_metadata(None), row_group_size=max(1, table.num_rows))
        if left_out is not None:
            left_out.close()
        if index is not None:
            index.close()
    if work.whole_file:
        _join(work, records)
    else:
        write_text(work.output / "README.md", _card(plan, work, summary))
        write_json(work.output / FINISHED, _record(plan, work, summary))
    shutil.rmtree(work.path, ignore_errors=True)
    return summary


def _broken_records(work: WorkFolder) -> Iterator[str]:
    if work.broken.is_file():
        try:
            lines = work.broken.read_text(encoding="utf-8").split("\n")
        except ValueError as error:
            raise _damaged_list(work, error) from None
        yield from (f"{line}\n" for line in lines if line)


def _damaged_list(work: WorkFolder, error: Exception) -> RunFolderError:
    return RunFolderError(f"{work.broken} is damaged ({error}). Remove {work.path} to begin anew.")


def _join(work: WorkFolder, records: list[ChunkRecord]) -> None:
    """Copies the chunks into one file, in their order."""
    with atomic_write(work.output) as partial:
        if work.format == "parquet":
            _join_parquet(work, len(records), partial)
            return
        header = False
        with partial.open("wb") as joined:
            for chunk, record in enumerate(records):
                with work.chunk(chunk).open("rb") as stream:
                    if header:
                        stream.seek(record.header)
                    shutil.copyfileobj(stream, joined, 1 << 20)
                header = header or record.header > 0


def _join_parquet(work: WorkFolder, chunks: int, partial: Path) -> None:
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for chunk in range(chunks):
            with pq.ParquetFile(work.chunk(chunk)) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    if not table.num_rows:
                        continue
                    if writer is None:
                        writer = stack.enter_context(pq.ParquetWriter(partial, table.schema))
                    writer.write_table(table, row_group_size=table.num_rows)
        if writer is None:
            shutil.copyfile(work.chunk(0), partial)


def _record(plan: Plan, work: WorkFolder, summary: Summary) -> dict[str, Any]:
    return {
        "version": plan.version,
        "format": work.format,
        "settings": plan.settings,
        "sources": [{"given": source.given, "size": source.size, "sha256": source.sha256} for source in plan.sources],
        "chunks": len(plan.sizes),
        "conversations": summary.conversations,
        "pairs": summary.pairs,
        "skipped": summary.skipped,
        "synthetic": summary.synthetic,
        "rule": summary.rule,
    }


def _card(plan: Plan, work: WorkFolder, summary: Summary) -> str:
    """A page for people, whose head tells ``load_dataset`` which files are data."""
    settings: Mapping[str, Any] = plan.settings
    lines = [
        "---",
        "configs:",
        "- config_name: default",
        f'  data_files: "chunk-*.{work.format}"',
        "---",
        "",
        "# Predicted emotion-cause pairs",
        "",
    ]
    if summary.synthetic:
        lines += [f"SYNTHETIC: {SYNTHETIC}", ""]
    lines += [
        f"{summary.conversations:,} conversations, {summary.pairs:,} pairs. {summary.rule}",
        "",
        f"`index.parquet` tells for each conversation its chunk and row; `{FINISHED}` has all that follows for "
        "programs.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {markdown_text(str(value))} |" for name, value in settings.items() if value is not None),
        *(
            f"| input | {markdown_text(source.given)}, SHA-256 {markdown_text(source.sha256)} |"
            for source in plan.sources[:20]
        ),
    ]
    if len(plan.sources) > 20:
        lines.append(f"| | and {len(plan.sources) - 20} files more, in `{FINISHED}` |")
    if summary.skipped:
        lines.append(f"| left out | {summary.skipped:,}, listed in `{work.skipped.name}` |")
    return "\n".join(lines) + "\n"
