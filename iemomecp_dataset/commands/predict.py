"""Predicts who felt what in a conversation, and why, with a trained model.

    python -m iemomecp_dataset predict chat.txt --model runs/rpcl
    python -m iemomecp_dataset predict chat.txt --model runs/rpcl --output chat.html
    python -m iemomecp_dataset predict *.srt --model runs/rpcl --missing-speaker previous --output pairs.jsonl
    python -m iemomecp_dataset predict - --model runs/rpcl --format jsonl < chat.json

    python -m iemomecp_dataset predict talks.jsonl --model runs/rpcl --output pairs.parquet --slots 4
    python -m iemomecp_dataset predict talks-*.parquet --model runs/rpcl --output pairs/ --backend ray

Files: text of "Speaker: words" lines, JSON, JSON Lines, CSV, SubRip and WebVTT subtitles, Parquet; - is standard input.
What a file holds is found from its content; the suffix says what is tried first.

Printed is a transcript with the causes beside each emotional turn. Output files: .jsonl (one conversation per line),
.json (a list of conversations), .csv (one row per candidate pair), .html (a page with transcript, arrows and the
triangle of pairs, which needs no network), .svg (the triangle of one conversation), .txt (the transcript), .parquet
(one row per conversation).

JSON Lines and Parquet with a conversation on every line or row may hold millions: from 1 MiB on they are never in
memory as a whole, and are predicted in chunks. Started again, the same command continues. Written to a folder
(--output pairs/), the chunks stay files of their own, with an index. --slots, --gpus, --shards and --backend let
several processes or machines work; the files are the same to the last byte. Exit code 1: some shard failed; 130:
interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO

from iemomecp_dataset.command_line import REQUIRED, command_hint, flags_in_errors, option, read_options
from iemomecp_dataset.command_process import end_by_signals
from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.files import atomic_write, check_place, holds_file, not_written
from iemomecp_dataset.jobs.options import BackendOptions, check_backend, preview
from iemomecp_dataset.progress import bars_hidden

if TYPE_CHECKING:
    from iemomecp_dataset.conversations.conversation import Conversation
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation
    from iemomecp_dataset.trainers.prediction.joining import Summary
    from iemomecp_dataset.trainers.prediction.launching import Places, Request

Format = Literal["text", "jsonl", "json", "csv", "html", "svg", "parquet"]

_FORMATS: dict[str, Format] = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
    ".parquet": "parquet",
}
_OF_CHUNKS = ("jsonl", "csv", "parquet")
_STREAMED_FROM = 2**20
"""Bytes of input from which on a file of conversations is not read as a whole, where either way gives the same."""
_ON_A_PAGE = 1000
_WIDTH_OF_FILES = 110


@dataclass(frozen=True)
class _Prediction:
    """Options of what is predicted, and how."""

    model: str = option(REQUIRED, "run folder of a pair model, or its model/, or a name on the Hub", metavar="RUN")
    files: tuple[Path, ...] = option((), "files with conversations; - for standard input", positional=True)
    output: Path | None = option(
        None,
        "file to write, in the format of its suffix, or folder (with / at its end) for files of many conversations "
        "(default: print a transcript)",
        metavar="FILE",
    )
    format: Format | None = option(
        None,
        "format of --output where its suffix does not tell it (of a folder: jsonl, csv or parquet); without --output, "
        "what is printed",
    )
    threshold: float | None = option(
        None, "decide by P(class 0) >= this (default: the model's own rule)", minimum=0.0, maximum=1.0
    )
    window: int | None = option(
        None,
        "score only pairs that are less than so many turns apart; 0: read whole conversations at once (default: "
        "windows as long as the longest dialogue of training)",
        minimum=0,
        metavar="TURNS",
    )
    emotion_model: str | None = option(
        None, "run of a model of emotions, whose categories are shown, or which the pair model needs", metavar="RUN"
    )
    text_encoder: str | None = option(
        None, "text encoder of a model on frozen features, where it is not where it was in training", metavar="NAME"
    )
    emotion_text_encoder: str | None = option(None, "the same for --emotion-model", metavar="NAME")
    audio: Path | None = option(
        None,
        "recording of the conversation, whose utterances have times; or a feature table (.parquet)",
        metavar="FILE",
    )
    video: Path | None = option(None, "the same for video", metavar="FILE")
    audio_encoder: str | None = option(
        None, "speech encoder of recordings, where it is not found under its recorded name", metavar="DIR"
    )
    video_encoder: str | None = option(None, "the same for the image encoder", metavar="DIR")
    missing_speaker: Literal["error", "previous"] = option(
        "error", "subtitles without a speaker: an error, or words of the previous one"
    )
    device: str | None = option(None, "cpu, cuda or cuda:N (default: where the model is)")
    batch_size: int = option(8, "conversations at once, or windows of long ones", minimum=1)


@dataclass(frozen=True)
class PredictOptions(BackendOptions, _Prediction):
    """Options of the command."""

    _dashes = True

    skip_broken: bool = option(
        False, "leave out lines that hold no conversation, and conversations that the model cannot take; list them"
    )
    shards: int | None = option(
        None, "jobs that share the work (default: as many as run at once)", minimum=1, limit=1e6, group="where"
    )
    cpus_per_worker: float = option(1.0, "ray: cores that a worker requests", above=0, limit=1e6, group="where")
    gpus_per_worker: float = option(
        0.0, "ray: GPUs that a worker requests, such as 0.5", minimum=0, limit=1e6, group="where"
    )
    shard: str | None = option(
        None, "what the jobs are given: work off shard I of N of what was begun, and end", metavar="I/N", group="where"
    )
    dry_run: bool = option(False, "print the commands of the jobs, and end", group="where")


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads conversations, predicts, and prints or writes."""
    options = read_options(PredictOptions, arguments, command="predict", description=__doc__)
    to_folder = _names_folder(options, sys.argv[1:] if arguments is None else arguments)
    _check(options, to_folder)
    wanted = _format(options, to_folder)
    require_packages("torch", "transformers", "rich", extra="train")
    if _is_streamed(options, wanted, to_folder):
        return _predict_streamed(options, wanted, to_folder)
    # Read first: what is wrong with a file shows before a model is loaded, and before anything is written.
    with flags_in_errors(PredictOptions):
        conversations = _read(options)
    if wanted == "svg" and len(conversations) > 1:
        raise UsageError(
            f"The files hold {len(conversations)} conversations, and an .svg shows one: write .html for all of them."
        )
    if wanted == "html" and len(conversations) > _ON_A_PAGE:
        raise UsageError(
            f"The files hold {len(conversations)} conversations, and a page at most {_ON_A_PAGE}: write .jsonl or .csv."
        )
    with flags_in_errors(PredictOptions):
        predicted = _predict(options, conversations)
        count = _Count(wanted)
        if options.output is None:
            with _standard_output() as stream:
                for one in _written(predicted, stream, wanted):
                    count.add(one)
            if wanted != "text":  # a transcript says it all itself
                print(count.summary(None), file=sys.stderr)
            return 0
        with atomic_write(options.output) as partial, _opened(partial) as stream:
            for one in _written(predicted, stream, wanted):
                count.add(one)
    print(count.summary(options.output))
    return 0


def _names_folder(options: PredictOptions, arguments: Sequence[str]) -> bool:
    """Whether --output is a folder: one that is there, or a name that ends in a slash, which a path does not keep."""
    if options.output is None:
        return False
    flag = next((place for place, text in enumerate(arguments) if text.partition("=")[0] in ("--output", "-o")), None)
    given = ""
    if flag is not None:
        _, equals, value = arguments[flag].partition("=")
        given = value if equals else "".join(arguments[flag + 1 : flag + 2])
    with contextlib.suppress(OSError, ValueError):  # A name that no file has is refused later.
        if options.output.is_dir():
            return True
    return given.endswith(("/", os.sep))


def _check(options: PredictOptions, to_folder: bool) -> None:
    if options.gpus_per_worker and options.backend != "ray":
        raise UsageError("--gpus-per-worker is for --backend ray; on this machine, --gpus names the GPUs.")
    check_backend(options, gpus=options.gpus_per_worker)
    if options.shard is not None:
        if options.files or options.output is None:
            raise UsageError("--shard works off what was begun at --output: name that, and no files of conversations.")
        _check_names(options)
        return
    if not options.files:
        raise UsageError("Name a file with a conversation, or - for standard input. See --help.")
    stdin = [file for file in options.files if str(file) == "-"]
    if len(stdin) > 1:
        raise UsageError("Standard input (-) can be read once only.")
    _check_names(options)
    inputs = (*options.files, options.audio, options.video)
    if options.output is not None and any(
        file is not None and str(file) != "-" and options.output.resolve() == file.resolve() for file in inputs
    ):
        raise UsageError(f"--output {options.output} would replace what is read. Choose another file.")
    if options.output is not None and to_folder and options.output.exists() and not options.output.is_dir():
        raise UsageError(f"--output {options.output} is a file. Leave the / at its end out, or name a folder.")
    if options.output is not None:
        check_place(options.output / "chunk" if to_folder else options.output)


_NAMES_OF_FILES = (
    *("output", "audio", "video", "emotion_model", "text_encoder", "emotion_text_encoder"),
    *("audio_encoder", "video_encoder"),
)


def _check_names(options: PredictOptions) -> None:
    """Refuses what is a conversation where the name of a file is expected, and names that no file can have."""
    from iemomecp_dataset.conversations.reading import is_conversation_text
    from iemomecp_dataset.excerpts import shown

    names = [("FILES", file) for file in options.files if str(file) != "-"]
    names += [
        (f"--{name.replace('_', '-')}", Path(value))
        for name in _NAMES_OF_FILES
        if (value := getattr(options, name)) is not None
    ]
    for option_name, path in names:
        try:
            path.lstat()
        except OSError as error:
            text = str(path)
            if option_name == "FILES" and is_conversation_text(text):
                raise UsageError(
                    f"FILES takes names of files, but {shown(text)} is text. Save the conversation as a file, or "
                    f"give it to standard input: printf 'Ana: Hi!' | {command_hint('predict', '-')} --model RUN."
                ) from None
            if error.errno == errno.ENAMETOOLONG:
                raise UsageError(
                    f"{option_name} {shown(text)}: a name of {len(text)} characters, which no file has. Give a "
                    "shorter name."
                ) from None
        except ValueError:  # A NUL character; opening the file refuses it.
            pass


def _format(options: PredictOptions, to_folder: bool) -> Format:
    if to_folder:
        wanted = options.format or "jsonl"
        if wanted not in _OF_CHUNKS:
            raise UsageError(
                f"--output {options.output} is a folder, which takes --format jsonl, csv or parquet, not {wanted}. "
                "Name a file in it."
            )
        return wanted
    if options.format is not None:
        suffix = options.output.suffix.lower() if options.output is not None else ""
        if _FORMATS.get(suffix, options.format) != options.format:
            raise UsageError(
                f"--output {options.output} has the suffix {suffix}, but --format is {options.format}. Leave "
                "--format out, or give the file another suffix."
            )
        return options.format
    if options.output is None:
        return "text"
    suffix = options.output.suffix.lower()
    if suffix not in _FORMATS:
        raise UsageError(
            f"--output {options.output}: the suffix {suffix or '(none)'} tells no format. Use one of "
            f"{', '.join(_FORMATS)}, or give --format."
        )
    return _FORMATS[suffix]


# --- files of many conversations ----------------------------------------------------------------------------------


def _is_streamed(options: PredictOptions, wanted: Format, to_folder: bool) -> bool:
    """Whether the input is read in chunks, and not as a whole; refuses what can only be done so, where it cannot be."""
    from iemomecp_dataset.conversations.streaming import is_streamable, is_utf8

    if options.shard is not None:
        return True
    asked = [
        reason
        for reason, given in (
            (f"--output {options.output} is a folder", to_folder),
            ("Parquet is written", wanted == "parquet"),
            ("--skip-broken is given", options.skip_broken),
            ("--shards is given", options.shards is not None),
            ("--slots is given", options.slots is not None),
            ("--gpus is given", options.gpus is not None),
            (f"--backend {options.backend} is given", options.backend != "local"),
            ("--dry-run is given", options.dry_run),
        )
        if given
    ]
    recordings = [kind for kind in ("audio", "video") if _is_recording(getattr(options, kind))]
    if not asked:
        if options.output is None or wanted not in _OF_CHUNKS or recordings:
            return False
        if options.output.exists() and not holds_file(options.output):
            return False
        files = [file for file in options.files if str(file) != "-" and file.is_file()]
        size = sum(file.stat().st_size for file in files)
        streamable = len(files) == len(options.files) and size >= _STREAMED_FROM and all(map(is_streamable, files))
        return streamable and all(map(is_utf8, files))  # other encodings are found by reading a file as a whole
    if options.output is None:
        raise UsageError(f"{asked[0]}: what is predicted in chunks is written. Give --output FILE or FOLDER/.")
    if wanted not in _OF_CHUNKS:
        raise UsageError(f"{asked[0]}: conversations in chunks are written as .jsonl, .csv or .parquet, not {wanted}.")
    if recordings:
        raise UsageError(
            f"{asked[0]}: --{recordings[0]} is one recording, which one conversation has. Name the recording of each "
            "utterance in the conversations, or give a feature table."
        )
    for file in options.files:
        if str(file) == "-" or (file.is_file() and not is_streamable(file, broken=True)):
            if to_folder:
                raise UsageError(
                    f"--output {options.output} is a folder. Name a file in it, as {_named(file)} is not for it: a "
                    "folder takes JSON Lines (.jsonl) with a conversation on every line, or Parquet with one in every "
                    "row."
                )
            raise UsageError(
                f"{asked[0]}, which is for files of many conversations: JSON Lines (.jsonl) with a conversation on "
                f"every line, or Parquet with one in every row. {_named(file)} is "
                "none. Write its conversations so, or leave the option out."
            )
    return True


def _named(file: Path) -> str:
    """A file of conversations as an error calls it."""
    return "standard input" if str(file) == "-" else str(file)


def _is_recording(given: Path | None) -> bool:
    return given is not None and not _is_table(given)


def _predict_streamed(options: PredictOptions, wanted: Format, to_folder: bool) -> int:
    from iemomecp_dataset.trainers.prediction.chunks import shard_of
    from iemomecp_dataset.trainers.prediction.launching import Unfinished, predict_shard, predict_streamed
    from iemomecp_dataset.trainers.prediction.launching import shard_jobs as jobs_of

    with flags_in_errors(PredictOptions):
        request = _request(options, wanted, to_folder)
        if options.shard is not None:
            shard, shards = shard_of(options.shard)
            print(f"chunks of shard {options.shard}: {predict_shard(request, shard, shards)}")
            return 0
        places = _places(options, to_folder)
        if options.dry_run:
            shards = options.shards or check_backend(options, gpus=options.gpus_per_worker) or 1
            print(
                preview(options, request.work.path, jobs_of(request, places or _own_place(options, to_folder), shards))
            )
            return 0
        end_by_signals()
        try:
            found = predict_streamed(request, places)
        except KeyboardInterrupt:
            print("Interrupted. Start the same command again to continue.", file=sys.stderr)
            return 130
    if isinstance(found, Unfinished):
        for line in found.words:
            print(line, file=sys.stderr)
        left = f"{found.missing} of {found.chunks} chunks are not predicted yet"
        if found.waiting:
            print(
                f"{left}: jobs go on. Start the same command again to see their states, and to put the parts together."
            )
            return 0
        print(f"not finished: {left}. Start the same command again to continue.", file=sys.stderr)
        return 1
    print(_summary(found, options, wanted, request))
    return 0


def _request(options: PredictOptions, wanted: Format, to_folder: bool) -> Request:
    from iemomecp_dataset.trainers.prediction.launching import Request
    from iemomecp_dataset.trainers.prediction.work_folder import WorkFolder

    if options.output is None or wanted not in ("jsonl", "csv", "parquet"):
        raise UsageError("What is predicted in chunks is written: give --output FILE or FOLDER/.")
    return Request(
        options.files,
        WorkFolder(options.output, not to_folder, wanted),
        {name: getattr(options, name) for name in _OF_PIPELINE},
        options.skip_broken,
        progress=sys.stderr.isatty() and not bars_hidden(),
    )


_OF_PIPELINE = (
    *("model", "device", "batch_size", "threshold", "window", "emotion_model", "text_encoder", "emotion_text_encoder"),
    *("audio", "video", "audio_encoder", "video_encoder"),
)


def _places(options: PredictOptions, to_folder: bool) -> Places | None:
    """Where jobs work; None where this process does all."""
    if options.backend == "local" and options.slots is None and options.gpus is None and options.shards is None:
        return None
    return _own_place(options, to_folder)


def _own_place(options: PredictOptions, to_folder: bool) -> Places:
    from iemomecp_dataset.trainers.prediction.launching import Places

    command = [sys.executable, "-m", "iemomecp_dataset", "predict", "--output",
               f"{Path(str(options.output)).absolute()}{os.sep if to_folder else ''}"]  # fmt: skip
    for name in (*_OF_PIPELINE, "format"):
        if (value := getattr(options, name)) is not None:
            command.append(f"--{name.replace('_', '-')}={value}")
    command += ["--skip-broken"] if options.skip_broken else []
    return Places(options, options.shards, tuple(command), options.cpus_per_worker, options.gpus_per_worker)


def _summary(found: Summary, options: PredictOptions, wanted: Format, request: Request) -> str:
    count = _Count(wanted)
    count.rule, count.conversations, count.pairs = found.rule, found.conversations, found.pairs
    count.noted, count.notes, count.synthetic = found.noted, found.notes, found.synthetic
    lines = [count.summary(options.output)]
    if found.skipped:
        left_out = (
            f"left out: {found.skipped} conversation{'s' * (found.skipped > 1)}, listed in {request.work.skipped}"
        )
        lines.append(f"{left_out}{f' (the first: {found.reason})' if found.reason else ''}")
    elif options.skip_broken:
        lines.append("left out: none")
    return "\n".join(lines)


def _read(options: PredictOptions) -> list[Conversation]:
    from iemomecp_dataset.conversations.reading import (
        read_conversation_bytes,
        read_conversation_file,
        read_conversations,
        with_recording,
    )

    found: list[Conversation] = []
    for file in options.files:
        if str(file) == "-":
            # Content, never the name of a file: it may come from somebody else.
            data = sys.stdin.buffer.read()
            found += read_conversation_bytes(data, "standard input", missing_speaker=options.missing_speaker)
        else:
            found += read_conversation_file(file, missing_speaker=options.missing_speaker)
    # Once more all together, as conversations of different files may have the same name.
    conversations, _ = read_conversations(found)
    for kind in ("audio", "video"):
        recording: Path | None = getattr(options, kind)
        if recording is None or _is_table(recording):
            continue
        if len(conversations) > 1:
            raise UsageError(
                f"--{kind} {recording} is one recording, but the files hold {len(conversations)} conversations. "
                "Predict them one by one, or name a recording with each utterance."
            )
        conversations = [with_recording(conversations[0], recording, kind=kind)]
    return conversations


def _is_table(recording: Path) -> bool:
    return recording.suffix.lower() == ".parquet" or recording.is_dir()


def _predict(options: PredictOptions, conversations: list[Conversation]) -> Iterator[PredictedConversation]:
    from transformers.utils import logging

    from iemomecp_dataset.trainers import EmotionCausePipeline

    logging.disable_progress_bar()  # of loading weights, a line per model

    tables = {kind: getattr(options, kind) for kind in ("audio", "video")}
    pipe = EmotionCausePipeline(
        options.model,
        device=options.device,
        batch_size=options.batch_size,
        threshold=options.threshold,
        window=options.window,
        emotion_model=options.emotion_model,
        text_encoder=options.text_encoder,
        emotion_text_encoder=options.emotion_text_encoder,
        audio_encoder=options.audio_encoder,
        video_encoder=options.video_encoder,
        progress=sys.stderr.isatty() and not bars_hidden() and len(conversations) > 1,
        **{kind: path for kind, path in tables.items() if path is not None and _is_table(path)},
    )
    _check_used(options, pipe.modalities)
    predicted: Iterator[PredictedConversation] = pipe(iter(conversations))
    # The first one before anything is printed: what a model lacks shows there.
    return itertools.chain([next(predicted)], predicted)


def _check_used(options: PredictOptions, used: Sequence[str]) -> None:
    """Refuses recordings given by options that no model uses; those named in a conversation only cause a note."""
    from iemomecp_dataset.trainers.pipelines.scoring import MODALITIES, not_used

    for kind in MODALITIES:
        # The sound is taken from a video where there is no other.
        heard = kind == "video" and "audio" in used and options.audio is None
        if getattr(options, kind) is not None and kind not in used and not heard:
            raise not_used(kind, kind)


def _written(
    predicted: Iterator[PredictedConversation], stream: TextIO, wanted: Format
) -> Iterator[PredictedConversation]:
    """Writes conversations, a transcript as soon as each is there, and hands them on."""
    from iemomecp_dataset.pictures.terminal import print_transcript
    from iemomecp_dataset.trainers.pipelines.writing import write_predicted

    if wanted == "parquet":
        raise UsageError("Parquet is written to a file: give --output FILE.parquet.")
    if wanted != "text":
        yield from write_predicted(predicted, stream, wanted)
        return
    console = _console(stream)
    for one in predicted:
        print_transcript(one, console)
        yield one


def _console(stream: TextIO) -> Any:
    from rich.console import Console

    # A pipe has no width of its own, and rich would take that of an old terminal.
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_FILES
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False, force_jupyter=False)
    console.on_broken_pipe = _stop  # rich itself would leave with exit code 1
    return console


def _stop() -> NoReturn:
    raise BrokenPipeError


@contextlib.contextmanager
def _standard_output() -> Iterator[TextIO]:
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        yield sys.stdout
        sys.stdout.flush()  # here, and not when the process ends, a full disk is one sentence
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is not None:  # of a file that was read
            raise
        # What is still in the buffer would fail once more at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise not_written(Path("standard output"), error) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    # UTF-8 cannot hold a lone surrogate, which JSON can state; its escape is valid in JSON.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        yield stream


class _Count:
    """What was written, and what its reader has to know."""

    def __init__(self, wanted: Format) -> None:
        self.wanted = wanted
        self.rule = ""
        self.conversations = self.pairs = self.noted = 0
        self.notes: list[str] = []
        self.synthetic = False

    def add(self, one: PredictedConversation) -> None:
        from iemomecp_dataset.pictures.words import decision_in_words, notes_in_words

        self.rule = decision_in_words(one)  # one model and one threshold: the same of all
        self.conversations += 1
        self.pairs += int((one.labels != len(one.class_names) - 1).sum())
        self.synthetic = self.synthetic or one.synthetic
        notes = [f"note: {one.conversation.name}: {note}" for note in notes_in_words(one)]
        self.noted += len(notes)
        self.notes += notes[: 5 - len(self.notes)]

    def summary(self, output: Path | None) -> str:
        from iemomecp_dataset.pictures.words import SYNTHETIC, printable

        many = "" if self.conversations == 1 else "s"
        pairs = "" if self.pairs == 1 else "s"
        found = f"{self.conversations} conversation{many}, {self.pairs} pair{pairs}"
        lines = [f"printed: {found}" if output is None else f"written: {output} ({found})"]
        if self.wanted == "csv":  # whose rows do not hold it
            lines.append(printable(self.rule))
        if self.synthetic:
            lines.append(f"SYNTHETIC: {SYNTHETIC}")
        lines += [printable(note) for note in self.notes]
        if self.noted > len(self.notes):
            lines.append(f"note: and {self.noted - len(self.notes)} notes more.")
        return "\n".join(lines)
