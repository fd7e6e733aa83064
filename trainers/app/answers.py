"""What the page does, without the page: read a conversation, ask the models, decide anew, compare, write files.

Nothing here imports Gradio, so that it can be tested, and used, without a server.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iemomecp_dataset.benchmark.runs.results import encoder_name
from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.errors import IemomecpError, UsageError
from iemomecp_dataset.files import atomic_write, write_text
from iemomecp_dataset.pictures.words import rule_in_words
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation
from iemomecp_dataset.trainers.pipelines.writing import FileKind, write_predicted

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedPair

__all__ = [
    "DOWNLOADS",
    "LIMITS",
    "Answer",
    "Difference",
    "PageModel",
    "differences",
    "differences_table",
    "names_of_models",
    "read_given",
    "refusal_in_words",
    "sentence",
    "threshold_in_words",
    "write_download",
]

DOWNLOADS: tuple[FileKind, ...] = ("jsonl", "csv", "html")
"""Kinds of files that the page offers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the page takes at once; the command ``iemomecp predict`` has no such limits.

    Attributes:
        file_bytes: Bytes of an uploaded conversation, and of pasted text.
        recording_bytes: Bytes of an uploaded recording.
        conversations: Conversations of one file.
        utterances: Utterances of one conversation: the picture has a cell for every two of them.
    """

    file_bytes: int = 2_000_000
    recording_bytes: int = 200_000_000
    conversations: int = 50
    utterances: int = 400


LIMITS = Limits()
"""The limits of the page."""


@dataclass(frozen=True)
class PageModel:
    """A model that answers, one request at a time.

    Attributes:
        name: What the page calls it.
        predict: Gives what the model predicts for conversations, in their order.
        synthetic: Whether it was trained on synthetic dialogues.
        recordings: Modalities beside text that it uses.
    """

    name: str
    predict: Callable[[list[Conversation]], list[PredictedConversation]]
    synthetic: bool = False
    recordings: tuple[Literal["audio", "video"], ...] = ()
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __call__(self, conversations: Sequence[Conversation]) -> tuple[PredictedConversation, ...]:
        """Predicts; a model is not made for several threads at once.

        Args:
            conversations: At least one.

        Returns:
            What the model predicts, in the order of the conversations.
        """
        with self._one_at_a_time:
            return tuple(self.predict(list(conversations)))


@dataclass(frozen=True)
class Answer:
    """What every model predicts for every conversation that was given.

    Attributes:
        models: Names of the models.
        predictions: By model and conversation.
    """

    models: tuple[str, ...]
    predictions: tuple[tuple[PredictedConversation, ...], ...]

    @classmethod
    def of(cls, models: Sequence[PageModel], conversations: Sequence[Conversation]) -> Answer:
        """Asks every model.

        Args:
            models: The models.
            conversations: What was given.

        Returns:
            Their predictions.
        """
        return cls(tuple(model.name for model in models), tuple(model(conversations) for model in models))

    def with_threshold(self, threshold: float | None) -> Answer:
        """Decides anew, without running a model.

        Args:
            threshold: Class 0 is decided where its probability is at least this; ``None``: each model's own rule.

        Returns:
            The same probabilities with other decisions.
        """
        decided = (tuple(one.with_threshold(threshold) for one in of_model) for of_model in self.predictions)
        return dataclasses.replace(self, predictions=tuple(decided))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the conversations."""
        return tuple(one.conversation.name for one in self.predictions[0])


def names_of_models(given: Sequence[str | Path]) -> tuple[str, ...]:
    """Short names of models that tell them apart.

    Args:
        given: Their folders, or names on the Hub.

    Returns:
        The name of the run's folder; where two are equal, with as many of the folders around it as they differ by.
        The whole path is never shown, because others may see the page.

    Example:
        >>> names_of_models(["runs/one/model", "runs/two/"]), names_of_models(["/home/me/a/x/model", "/home/me/b/x"])
        (('one', 'two'), ('a/x', 'b/x'))
    """
    parts = [_named_parts(str(one)) for one in given]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return tuple(names)
    return tuple(f"{one[-1]} ({number})" for number, one in enumerate(parts, start=1))


def _named_parts(given: str) -> list[str]:
    """Folders of a name, the last one that which :func:`encoder_name` names."""
    parts = [part for part in given.split("/") if part not in ("", ".")] or [given]
    while len(parts) > 1 and parts[-1] != encoder_name(given):
        parts.pop()
    return parts


def read_given(text: str, file: str | Path | None = None, recording: str | Path | None = None) -> list[Conversation]:
    """Reads what a visitor gave: the file if there is one, else the text.

    Text is never taken for the path of a file, and files that a conversation names are not opened: the page may be
    open to others than the owner of the machine.

    Args:
        text: Typed or pasted, in any format that a file can have.
        file: An uploaded file.
        recording: An uploaded recording of the one conversation, whose utterances have times.

    Returns:
        The conversations.

    Raises:
        UsageError: Nothing was given, or more than :data:`LIMITS`.
        InvalidDataError: It is none of the formats.
    """
    from iemomecp_dataset.conversations.reading import with_recording

    notes: list[str] = []
    if file is not None:
        conversations = _read(Path(file), Path(file).name)
        if text.strip():
            notes.append(f"The file {Path(file).name} was used; the text in the field was not.")
    elif text.strip():
        with tempfile.TemporaryDirectory() as folder:
            pasted = Path(folder) / "conversation"  # without a suffix, no format is expected
            write_text(pasted, text)
            conversations = _read(pasted, "the text")
    else:
        raise UsageError(
            "There is no conversation yet: type or paste one, with one line per utterance such as "
            "“Ana: We missed it.”, or choose a file."
        )
    _check(conversations)
    kept = [_without_files(conversation) for conversation in conversations]
    if kept != conversations:
        notes.append("Recordings that the conversation names are not opened by the page.")
    if recording is not None:
        if len(kept) > 1:
            raise UsageError(f"One recording goes with one conversation, but {len(kept)} were given.")
        kind: Literal["audio", "video"] = "video" if Path(recording).suffix.lower() in _VIDEO else "audio"
        kept = [with_recording(kept[0], recording, kind=kind)]
    return [dataclasses.replace(one, notes=(*notes, *one.notes)) for one in kept]


_VIDEO = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm"})


def _read(path: Path, shown: str) -> list[Conversation]:
    from iemomecp_dataset.conversations.reading import read_conversation_file

    size = path.stat().st_size
    if size > LIMITS.file_bytes:
        raise UsageError(
            f"The page takes {LIMITS.file_bytes / 1e6:g} MB at once, but {size / 1e6:.1f} MB were given; "
            "`iemomecp predict FILE --model RUN` has no such limit."
        )
    try:
        return read_conversation_file(path)
    except IemomecpError as error:
        # Where the server keeps the file says nothing to who gave it.
        raise type(error)(str(error).replace(str(path), shown)) from None


def _check(conversations: Sequence[Conversation]) -> None:
    if len(conversations) > LIMITS.conversations:
        raise UsageError(
            f"The page takes {LIMITS.conversations} conversations at once, but {len(conversations)} were given; "
            "`iemomecp predict FILE --model RUN` has no such limit."
        )
    for conversation in conversations:
        if len(conversation.utterances) > LIMITS.utterances:
            raise UsageError(
                f"The page shows conversations of at most {LIMITS.utterances} utterances, but {conversation.name} has "
                f"{len(conversation.utterances)}; `iemomecp predict FILE --model RUN` has no such limit."
            )


def _without_files(conversation: Conversation) -> Conversation:
    utterances = tuple(dataclasses.replace(spoken, audio=None, video=None) for spoken in conversation.utterances)
    return dataclasses.replace(conversation, utterances=utterances)


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision in which two models differ.

    Attributes:
        target_turn: Turn of the emotion.
        cause_turn: Turn of the cause; ``None`` where the emotion of the turn is what differs.
        first: What the first model decides.
        second: What the second model decides.
    """

    target_turn: int
    cause_turn: int | None
    first: str
    second: str


def differences(first: PredictedConversation, second: PredictedConversation) -> list[Difference]:
    """Compares what two models decide for one conversation.

    Args:
        first: What one model predicts.
        second: What another predicts for the same conversation.

    Returns:
        Emotions and pairs that are decided differently, by turns; of a turn the emotion first.
    """
    found = []
    for one, other in zip(first.emotions, second.emotions, strict=True):
        # Without probabilities of emotions, the emotional turns are the targets of the pairs, which are compared below.
        if one.probability is None or other.probability is None:
            continue
        comparable = one.category is not None and other.category is not None
        if one.emotional != other.emotional or (comparable and one.category != other.category):
            said = [_emotion_text(emotion.emotional, emotion.category) for emotion in (one, other)]
            found.append(Difference(one.turn, None, *said))
    of_first, of_second = ({(p.target_turn, p.cause_turn): p for p in x.pairs if p.decided} for x in (first, second))
    all_first, all_second = ({(p.target_turn, p.cause_turn): p for p in x.pairs} for x in (first, second))
    for key in of_first.keys() | of_second.keys():
        one_pair, other_pair = of_first.get(key), of_second.get(key)
        if one_pair is None or other_pair is None or one_pair.label != other_pair.label:
            found.append(Difference(*key, _pair_text(all_first.get(key)), _pair_text(all_second.get(key))))
    return sorted(found, key=lambda one: (one.target_turn, -1 if one.cause_turn is None else one.cause_turn))


def _emotion_text(emotional: bool, category: str | None) -> str:
    if category is not None:
        return category if emotional else f"{category}, not emotional"
    return "emotional" if emotional else "not emotional"


def _pair_text(pair: PredictedPair | None) -> str:
    if pair is None:
        return "not a candidate"
    return f"{pair.label} ({pair.probability:.2f})" if pair.decided else f"no pair ({pair.probability:.2f})"


SHOWN_DIFFERENCES = 200


def differences_table(names: Sequence[str], first: PredictedConversation, second: PredictedConversation) -> str:
    """HTML of what two models decide differently, escaped.

    Args:
        names: Names of the two models.
        first: What the first predicts.
        second: What the second predicts for the same conversation.

    Returns:
        A heading and a table, or a sentence where they decide the same.
    """
    found = differences(first, second)
    if not found:
        return "<p>Both models decide the same emotions and pairs.</p>"
    spoken = first.conversation.utterances
    rows = []
    for one in found[:SHOWN_DIFFERENCES]:
        what = _turn(one.target_turn, spoken[one.target_turn - 1])
        if one.cause_turn is not None:
            what += f"<br>because of {_turn(one.cause_turn, spoken[one.cause_turn - 1])}"
        rows.append(f"<tr><td>{what}</td><td>{escape(one.first)}</td><td>{escape(one.second)}</td></tr>")
    more = len(found) - len(rows)
    return (
        f'<h3 class="iemomecp-app-heading">Where they differ ({len(found)})</h3>'
        '<div class="iemomecp-app-scroll"><table class="iemomecp-app-differences"><thead><tr>'
        f"<th>turn</th><th>{escape(names[0])}</th><th>{escape(names[1])}</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>" + (f"<p>And {more} more.</p>" if more else "")
    )


def _turn(number: int, spoken: ConversationUtterance) -> str:
    return f"{number} <b>{escape(spoken.speaker)}</b> {escape(spoken.text)}"


def threshold_in_words(answer: Answer) -> str:
    """What a threshold that the visitor sets decides, with the names of the models' classes.

    Args:
        answer: What the models predict.

    Returns:
        One sentence where the models have the same classes, else one for each.
    """
    rules = [rule_in_words(of_model[0].class_names, "this") for of_model in answer.predictions]
    start = "Decides anew, without running the model: a pair counts where"
    if len(set(rules)) == 1:
        return f"{start} {rules[0]}."
    return f"{start} {'; '.join(f'{rule} ({name})' for rule, name in zip(rules, answer.models, strict=True))}."


_NOT_ON_THE_PAGE = {
    r", or give such cues to the speaker before them \(missing_speaker='previous'\)": "",
    r"Give each utterance '(audio|video)', a file, or give \1= a feature table": (
        "Upload the recording of the conversation, whose utterances have times, as subtitles have"
    ),
}


def refusal_in_words(error: IemomecpError) -> str:
    """What a visitor reads where something is refused: advice that needs Python or the command is left out.

    Args:
        error: Why it is refused.

    Returns:
        The message, with what can be done on the page.
    """
    text = str(error)
    for said, instead in _NOT_ON_THE_PAGE.items():
        text = re.sub(said, instead, text)
    return text


def sentence(text: str, *, kind: Literal["error", "note", "banner"] = "note") -> str:
    """HTML of one sentence for the reader, escaped.

    Args:
        text: The sentence.
        kind: How it is shown.

    Returns:
        One paragraph; nothing for an empty text.

    Example:
        >>> sentence("Turn 3 has no <text>.", kind="error")
        '<p class="iemomecp-app-error" role="alert">Turn 3 has no &lt;text&gt;.</p>'
    """
    role = ' role="alert"' if kind == "error" else ""
    return f'<p class="iemomecp-app-{kind}"{role}>{escape(text)}</p>' if text else ""


def write_download(answer: Answer, kind: FileKind, folder: Path) -> Path:
    """Writes everything that was predicted as a file.

    Args:
        answer: What the models predict, as it is decided now.
        kind: One of :data:`DOWNLOADS`: a line of JSON per conversation and model, a row per candidate pair, or one
            self-contained page.
        folder: Where to.

    Returns:
        The file.
    """
    predicted = [one for of_model in answer.predictions for one in of_model]
    name = answer.names[0] if len(answer.names) == 1 else "conversations"
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:60] or "conversation"
    path = folder / f"{safe}.{kind}"
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        for _ in write_predicted(predicted, stream, kind):
            pass
    return path
