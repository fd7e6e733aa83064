"""Predicts who felt what in a conversation, and why, with a trained model.

    python -m iemomecp_dataset predict chat.txt --model runs/rpcl
    python -m iemomecp_dataset predict chat.txt --model runs/rpcl --output chat.html
    python -m iemomecp_dataset predict *.srt --model runs/rpcl --missing-speaker previous --output pairs.jsonl
    python -m iemomecp_dataset predict - --model runs/rpcl --format jsonl < chat.json

Files: text of "Speaker: words" lines, JSON, JSON Lines, CSV, SubRip and WebVTT subtitles; - is standard input. What a
file holds is found from its content; the suffix says what is tried first.

Printed is a transcript with the causes beside each emotional turn. Output files: .jsonl (one conversation per line),
.json (a list of conversations), .csv (one row per candidate pair), .html (a page with transcript, arrows and the
triangle of pairs, which needs no network), .svg (the triangle of one conversation), .txt (the transcript).
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
from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.files import atomic_write, not_written
from iemomecp_dataset.progress import bars_hidden

if TYPE_CHECKING:
    from iemomecp_dataset.conversations.conversation import Conversation
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

Format = Literal["text", "jsonl", "json", "csv", "html", "svg"]

_FORMATS: dict[str, Format] = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".html": "html",
    ".htm": "html",
    ".svg": "svg",
}
_ON_A_PAGE = 1000
_WIDTH_OF_FILES = 110


@dataclass(frozen=True)
class PredictOptions:
    """Options of the command."""

    _dashes = True

    model: str = option(REQUIRED, "run folder of a pair model, or its model/, or a name on the Hub", metavar="RUN")
    files: tuple[Path, ...] = option((), "files with conversations; - for standard input", positional=True)
    output: Path | None = option(
        None, "file to write, in the format of its suffix (default: print a transcript)", metavar="FILE"
    )
    format: Format | None = option(
        None, "format of --output where its suffix does not tell it; without --output, what is printed"
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads conversations, predicts, and prints or writes."""
    options = read_options(PredictOptions, arguments, command="predict", description=__doc__)
    _check(options)
    wanted = _format(options)
    require_packages("torch", "transformers", "rich", extra="train")
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
            return
        with atomic_write(options.output) as partial, _opened(partial) as stream:
            for one in _written(predicted, stream, wanted):
                count.add(one)
    print(count.summary(options.output))


def _check(options: PredictOptions) -> None:
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
    if options.output is not None and options.output.is_dir():
        raise UsageError(f"--output {options.output} is a folder. Name a file in it.")


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


def _format(options: PredictOptions) -> Format:
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
