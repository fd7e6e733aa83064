"""Lists the utterances of a corpus with their media files, times and texts."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.files import read_text

__all__ = ["CorpusItems", "WorkItem", "corpus_items"]


@dataclass(frozen=True)
class WorkItem:
    """One utterance to extract.

    Attributes:
        utterance_id: Id of the utterance.
        dialogue_id: Id of the recorded dialogue.
        speaker: The speaker.
        text: The text.
        media: Media file, or None if the corpus names none.
        start: Start within the file in seconds; None for the beginning.
        end: End within the file in seconds; None for the end.
        seconds: Duration according to the corpus; None if it is unknown.
        timed: Whether the file is a recording of the whole dialogue, so that times are needed.
    """

    utterance_id: str
    dialogue_id: str
    speaker: str | None
    text: str
    media: Path | None
    start: float | None
    end: float | None
    seconds: float | None
    timed: bool


@dataclass(frozen=True)
class CorpusItems:
    """The utterances of a corpus.

    Attributes:
        corpus: Name and configuration of the corpus.
        items: Utterances in the order of the corpus, each once.
        fingerprints: Content hash by split.
        digest: Hash of the utterances with their texts and times.
        synthetic: Whether the corpus is synthetic.
        is_iemocap: Whether its videos show two actors side by side.
    """

    corpus: str
    items: tuple[WorkItem, ...]
    fingerprints: Mapping[str, str]
    digest: str
    synthetic: bool
    is_iemocap: bool


def corpus_items(options: ExtractionOptions) -> CorpusItems:
    """Loads a corpus and lists its utterances.

    Args:
        options: Corpus, modality, and location of the media.

    Returns:
        The utterances; with ``limit`` only the first ones.

    Raises:
        MissingDataError: The corpus names no media, or the file of times does not exist.
        InvalidDataError: Two different utterances have the same id, one has none, or the file of times is malformed.
        UsageError: ``media_pattern`` has an unknown field.
        IemomecpError: The corpus cannot be loaded.
    """
    corpus = load_corpus(options.config_name, options.data_dir, for_training=False)
    is_iemocap = corpus.name in (IEMOMECP, "iemocap")
    times = _read_times(Path(options.times)) if options.times else {}
    items: dict[str, WorkItem] = {}
    for split, split_rows in corpus.rows.items():
        for row in split_rows:
            for utterance in row["utterances"]:
                item = _item(options, split, row, utterance, times, is_iemocap)
                known = items.setdefault(item.utterance_id, item)
                if known != item:
                    raise InvalidDataError(
                        f"{options.data_dir}: utterance {item.utterance_id} occurs in two dialogues, "
                        f"{known.dialogue_id} and {item.dialogue_id}, with different content. "
                        "A store has one vector per utterance id."
                    )
    listed = list(items.values())[: options.limit]
    if options.needs_media and not options.media_dir and all(item.media is None for item in listed):
        raise MissingDataError(
            f"{options.data_dir}: {options.config_name} names no {options.modality} file for any of its {len(listed)} "
            "utterances. "
            + (
                "The IEMOCAP release has them in Session*/sentences/wav and Session*/dialog/avi/DivX."
                if is_iemocap
                else "Give the folder of the clips as --media_dir."
            )
        )
    return CorpusItems(
        corpus=f"{corpus.name} ({corpus.config_name})",
        items=tuple(listed),
        fingerprints=corpus.fingerprints,
        digest=_digest(listed),
        synthetic=corpus.synthetic,
        is_iemocap=is_iemocap,
    )


def _item(
    options: ExtractionOptions,
    split: str,
    row: Mapping[str, Any],
    utterance: Mapping[str, Any],
    times: Mapping[str, tuple[float, float]],
    is_iemocap: bool,
) -> WorkItem:
    key = utterance["utterance_id"]
    if not key:
        raise InvalidDataError(
            f"{options.data_dir}: dialogue {row['dialogue_id']}, turn {utterance['turn']} has no utterance id, the key "
            "of its vector. The configuration 'overlay' has no ids; use '3class' or 'source_binary'."
        )
    dialogue_id = row["source_dialogue_id"] or row["dialogue_id"]
    start, end = times.get(key, (utterance["start"], utterance["end"]))
    known = start is not None and end is not None and math.isfinite(start) and math.isfinite(end)
    timed = options.clip == "dialogue" or (options.clip == "auto" and _whole_dialogues(options, is_iemocap))
    # Clips of single utterances have their sound.
    named = utterance["wav" if options.modality == "audio" and is_iemocap else "video"]
    # A path is that of a recording on disk; a bare name is that of a clip, whose folder only the user knows.
    clip = utterance["video"] if utterance["video"] == Path(utterance["video"] or "").name else None
    if not options.media_dir:
        media = Path(named) if named and named != clip else None
    elif clip and not options.media_pattern:
        media = Path(options.media_dir) / clip
    else:
        pattern = options.media_pattern or (
            "{dialogue_id}.mp4" if options.config_name == "mec4" else "{utterance_id}.mp4"
        )
        names = {"utterance_id": key, "dialogue_id": dialogue_id, "turn": utterance["turn"]}
        try:
            name = pattern.format(**names, speaker=utterance["speaker"], split=split)
        except (KeyError, IndexError, ValueError) as error:
            raise UsageError(f"--media_pattern {pattern!r} cannot be filled in ({error}).") from None
        media = Path(options.media_dir) / name
    return WorkItem(
        utterance_id=key,
        dialogue_id=dialogue_id,
        speaker=utterance["speaker"],
        text=utterance["text"] or "",
        media=media if options.needs_media else None,
        start=start if timed else None,
        end=end if timed else None,
        seconds=end - start if known else None,
        timed=timed,
    )


def _whole_dialogues(options: ExtractionOptions, is_iemocap: bool) -> bool:
    return options.config_name == "mec4" or (is_iemocap and options.modality in ("video", "frames"))


def _digest(items: Iterable[WorkItem]) -> str:
    content = [[item.utterance_id, item.start, item.end, item.speaker, item.text, item.timed] for item in items]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _read_times(path: Path) -> dict[str, tuple[float, float]]:
    if not path.is_file():
        raise MissingDataError(f"The file of times {path} is not there.")
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    times: dict[str, tuple[float, float]] = {}
    try:
        if not {"utterance_id", "start", "end"} <= set(reader.fieldnames or ()):
            raise InvalidDataError(
                f"{path}: expected the columns utterance_id, start and end, found "
                f"{excerpt(', '.join(reader.fieldnames or ()), 200)}."
            )
        for line in reader:
            try:
                span = (float(line["start"]), float(line["end"]))
            except (TypeError, ValueError):
                span = (math.nan, math.nan)
            if not (math.isfinite(span[0]) and span[0] <= span[1] < math.inf):
                raise InvalidDataError(
                    f"{path}, line {reader.line_num}: expected start and end in seconds, start first, found "
                    f"{excerpt(line['start'])!r} and {excerpt(line['end'])!r}."
                )
            if line["utterance_id"] in times:
                raise InvalidDataError(
                    f"{path}, line {reader.line_num}: utterance {excerpt(line['utterance_id'], 80)} occurs more than "
                    "once."
                )
            times[line["utterance_id"]] = span
    except csv.Error as error:
        raise InvalidDataError(f"{path}, line {reader.line_num + 1}: not readable CSV ({error}).") from None
    return times
