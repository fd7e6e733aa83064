"""Works off chunks of a plan: reads their conversations again, scores them, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.conversations.reading import renamed
from iemomecp_dataset.conversations.streaming import Record, RecordFile, open_records
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, RunFolderError
from iemomecp_dataset.trainers.prediction.chunk_files import Place, Skipped, is_complete, write_chunk
from iemomecp_dataset.trainers.prediction.plan import Plan
from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder

if TYPE_CHECKING:
    from iemomecp_dataset.trainers import EmotionCausePipeline

__all__ = ["ChunkReader", "Worker", "open_pipeline"]


def open_pipeline(arguments: Mapping[str, Any]) -> EmotionCausePipeline:
    """Loads the model of a worker. Tables of features are read once, and not for each chunk.

    Args:
        arguments: Those of :class:`~iemomecp_dataset.trainers.pipelines.pipeline.EmotionCausePipeline`.
    """
    from transformers.utils import logging

    from iemomecp_dataset.features import read_feature_table
    from iemomecp_dataset.trainers import EmotionCausePipeline

    logging.disable_progress_bar()
    given = dict(arguments)
    for kind in ("audio", "video"):
        if isinstance(given.get(kind), (str, Path)):
            given[kind] = read_feature_table(given[kind])
    return EmotionCausePipeline(**given)


class ChunkReader:
    """Reads the conversations of chunks again, by their places in the plan.

    Args:
        plan: The plan.
        work: Where it is.
    """

    def __init__(self, plan: Plan, work: WorkFolder) -> None:
        self._plan = plan
        self._work = work
        self._files: dict[int, RecordFile] = {}
        self._table: pq.ParquetFile | None = None

    def read(self, chunk: int) -> Iterator[tuple[Place, Conversation]]:
        """Reads a chunk.

        Yields:
            Where each conversation comes from, and the conversation under its final name.

        Raises:
            RunFolderError: The plan is damaged, or an input has changed since it was made.
        """
        try:
            if self._table is None:
                self._table = pq.ParquetFile(self._work.plan)
            rows = self._table.read_row_group(chunk).to_pylist()
        except (OSError, IndexError, pa.ArrowException) as error:
            raise RunFolderError(
                f"{self._work.plan} is damaged ({' '.join(str(error).split())[:200]}). Remove {self._work.path} to "
                "begin anew."
            ) from None
        record, at = None, None
        for row in rows:
            if record is None or at != (row["source"], row["number"]):
                at = (row["source"], row["number"])
                record = self._record(*at, row["offset"])
            source = self._plan.sources[row["source"]]
            one = record.conversations[row["part"]] if row["part"] < len(record.conversations) else None
            if one is None or (one.name, len(one.utterances)) != (row["name"], row["turns"]):
                raise RunFolderError(
                    f"{source.given}, {source.unit} {row['number']}: not the conversation that was there when the "
                    f"prediction was begun. Restore the file, or remove {self._work.path} to begin anew."
                )
            for name in (row["in_file"], row["in_all"]):
                if name is not None:
                    one = renamed(one, name)
            yield Place(source.given, row["number"]), one

    def close(self) -> None:
        """Closes the input and the plan."""
        self._close_files()
        if self._table is not None:
            self._table.close()
            self._table = None

    def _close_files(self) -> None:
        for file in self._files.values():
            file.close()

    def _record(self, source: int, number: int, offset: int) -> Record:
        if source not in self._files:
            self._close_files()  # inputs come one after the other: of thousands only one is open
            given = self._plan.sources[source]
            path = Path(given.path)
            self._files = {source: open_records(path)}
            if path.stat().st_size != given.size:
                raise RunFolderError(
                    f"{given.given} has another size than when the prediction was begun. Restore the file, or remove "
                    f"{self._work.path} to begin anew."
                )
        try:
            return self._files[source].record_at(number, offset)
        except InvalidDataError as error:
            raise RunFolderError(f"{error} It was read when the prediction was begun.") from error


class Worker:
    """Predicts chunks with a model that is loaded at the first chunk that needs it.

    Args:
        plan: The plan.
        work: Where it is, and where chunks are written.
        load: Loads the model.
        skip_broken: Leave out conversations that the model cannot take, and list them.
    """

    def __init__(
        self, plan: Plan, work: WorkFolder, load: Callable[[], EmotionCausePipeline], *, skip_broken: bool = False
    ) -> None:
        self.plan = plan
        self.work = work
        self._reader = ChunkReader(plan, work)
        self._load = load
        self._pipe: EmotionCausePipeline | None = None
        self._skip_broken = skip_broken

    def work_off(self, chunks: Iterable[int], finished: Callable[[int], None] = lambda chunk: None) -> None:
        """Predicts those of the chunks that are not complete yet. One that cannot be is passed over until the end.

        Args:
            chunks: Their numbers.
            finished: Called with each that is complete.

        Raises:
            IemomecpError: Conversations of some chunks cannot be predicted, or the model cannot be loaded.
        """
        failed: list[InvalidConversationError] = []
        for chunk in chunks:
            if not is_complete(self.work, chunk):
                try:
                    self.predict(chunk)
                except InvalidConversationError as error:
                    failed.append(error)
                    continue
            finished(chunk)
        self._reader.close()
        if failed:
            more = f" ({len(failed) - 1} chunks more failed.)" if len(failed) > 1 else ""
            advice = "Start the same command again when it is mended"
            if all(error.of_one for error in failed):
                advice = "With --skip-broken, the same command leaves such conversations out, counted and listed"
            first = failed[0].reason
            raise type(first)(f"{first}{more} The other chunks are predicted. {advice}.") from failed[0]

    def predict(self, chunk: int) -> None:
        """Predicts one chunk.

        Raises:
            InvalidConversationError: A conversation cannot be predicted, and none is to be skipped.
            IemomecpError: The model cannot be loaded, or the input has changed.
        """
        if self._pipe is None:
            self._pipe = self._load()
        kept: list[Conversation] = []
        places: list[Place | tuple[Place, Skipped]] = []
        for place, one in self._reader.read(chunk):
            try:
                self._pipe.check(one)
            except IemomecpError as error:
                if not self._skip_broken:
                    raise InvalidConversationError(_at(place, self.plan, error)) from error
                places.append((place, Skipped(one.name, len(one.utterances), str(error))))
                continue
            kept.append(one)
            places.append(place)
        try:
            write_chunk(self.work, chunk, self._pipe(iter(kept)), places)
        except (InvalidDataError, MissingDataError) as error:  # too many vectors of a chunk are missing, say
            raise InvalidConversationError(error, of_one=False) from error


class InvalidConversationError(Exception):
    """Conversations that the model cannot take, one or some of a chunk; the reason is an error of the package."""

    def __init__(self, reason: IemomecpError, *, of_one: bool = True) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.of_one = of_one


def _at(place: Place, plan: Plan, error: IemomecpError) -> IemomecpError:
    unit = next(source.unit for source in plan.sources if source.given == place.source)
    return type(error)(f"{place.source}, {unit} {place.record}: {error}")
