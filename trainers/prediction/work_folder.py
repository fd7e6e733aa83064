"""Where the files of a prediction lie, finished or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ChunkFormat", "WorkFolder"]

ChunkFormat = Literal["jsonl", "csv", "parquet"]
"""What a chunk is written as."""

_WORK = ".work"


@dataclass(frozen=True)
class WorkFolder:
    """The files of a prediction into one file, or into a folder of chunks.

    Attributes:
        output: The file or folder.
        whole_file: Whether it is one file, into which the chunks are joined at the end.
        format: What is written.
    """

    output: Path
    whole_file: bool
    format: ChunkFormat

    @property
    def path(self) -> Path:
        """Folder of what is needed until the end: plan, indices, logs; of one file the chunks, too.

        Example:
            >>> WorkFolder(Path("out/pairs.csv"), True, "csv").path.as_posix()
            'out/.pairs.csv.parts'
        """
        if self.whole_file:
            return self.output.with_name(f".{self.output.name}.parts")
        return self.output / _WORK

    @property
    def plan(self) -> Path:
        """The conversations, a row group for each chunk."""
        return self.path / "plan.parquet"

    @property
    def record(self) -> Path:
        """What the plan was made from; it is written last."""
        return self.path / "plan.json"

    @property
    def broken(self) -> Path:
        """Records that hold no conversation."""
        return self.path / "broken.jsonl"

    @property
    def skipped(self) -> Path:
        """The list of conversations that were left out, beside what was predicted."""
        if self.whole_file:
            return self.output.with_name(f"{self.output.name}.skipped.jsonl")
        return self.output / "skipped.jsonl"

    @property
    def indices(self) -> Path:
        """Folder of the indices of chunks."""
        return self.path / "index"

    def chunk(self, number: int) -> Path:
        """The predictions of a chunk."""
        folder = self.path if self.whole_file else self.output
        return folder / f"chunk-{number:05d}.{self.format}"

    def index(self, number: int) -> Path:
        """What a chunk holds; it is written after the chunk, and says that it is complete."""
        return self.indices / f"{number:05d}.parquet"

    def log(self, shard: str) -> Path:
        """Output of the worker of a shard."""
        return self.path / "logs" / f"{shard}.log"
