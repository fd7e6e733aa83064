"""Recordings of a conversation: which a model uses, and their vectors, made as those that it was trained on."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, MissingModelError, UsageError
from iemomecp_dataset.features.extraction import Encoder, encode_items, open_encoder
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.extractor import Extractor
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.work_items import WorkItem

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["check_recordings", "encode_recordings", "missing_vectors_note", "uses_modality"]

_logger = logging.getLogger(__name__)

Modality = Literal["audio", "video"]

_MODALITIES: tuple[Modality, ...] = ("audio", "video")
_EXAMPLES_SHOWN = 3
_ABSENT = ("missing_media", "no_times")
"""Statuses of what the user has not given, beside what cannot be decoded."""


def check_recordings(
    scorer: PreTrainedModel, conversations: Sequence[Conversation], *, beside: Sequence[Modality] = ()
) -> tuple[str, ...]:
    """Compares the recordings of conversations with what a model uses.

    Args:
        scorer: The model.
        conversations: The conversations.
        beside: What a model of emotions beside it uses.

    Returns:
        Notes, one sentence each: recordings that the model does not use, and frames that it would want cropped.

    Raises:
        UsageError: The model uses text, and a conversation has recordings and not one word.
    """
    used = {modality for modality in _MODALITIES if uses_modality(scorer, modality)}
    if _uses_text(scorer):
        for conversation in conversations:
            spoken = conversation.utterances
            if not any(u.text.strip() for u in spoken) and any(u.audio or u.video for u in spoken):
                what = " and ".join(["text", *sorted(used)]) if used else "text alone"
                raise UsageError(
                    f"{conversation.name}: its {_many(len(spoken))} recordings and no words, but this model "
                    f"uses {what}. Transcribe them, and give the words as text of each utterance."
                )
    notes = []
    utterances = [u for conversation in conversations for u in conversation.utterances]
    for modality in _MODALITIES:
        given = [u for u in utterances if _not_used(u, modality, {*used, *beside})]
        if given:
            notes.append(
                f"The {modality} recordings of {len(given)} utterance{'s' * (len(given) > 1)} are not used: the model "
                f"was trained without {modality}."
            )
    if "video" in used and any(u.video for u in utterances):
        recorded = getattr(scorer.config, "video_extractor", None)
        if recorded and Extractor.of_json(recorded, "the model's video_extractor").crops_to_speaker:
            notes.append(
                "The model was trained on the half of each frame that shows the speaker; of these recordings that half "
                "is not known and whole frames are used, so give recordings that show the speaker alone."
            )
    return tuple(notes)


def uses_modality(scorer: PreTrainedModel, modality: Modality) -> bool:
    """Whether a model takes vectors of a modality."""
    return bool(getattr(scorer.config, f"{modality}_size", 0))


def _many(utterances: int) -> str:
    return "one utterance has" if utterances == 1 else f"{utterances} utterances have"


def _uses_text(scorer: PreTrainedModel) -> bool:
    names = ("text_size", "event_size", "text_encoder", "text_encoder_name")
    return any(getattr(scorer.config, name, None) for name in names)


def encode_recordings(
    scorer: PreTrainedModel,
    conversations: Sequence[Conversation],
    *,
    modality: Modality,
    device: str | torch.device | None = None,
    progress: bool = True,
    encoder: str | Path | None = None,
    max_missing_features: float = 0.01,
) -> dict[str, NDArray[np.float32]]:
    """Vectors of the utterances' recordings, made as the vectors that the model was trained on.

    An utterance with ``start`` and ``end`` is cut out of its file; without them the file is the utterance's own.
    Audio is also taken from the file of ``video``, where an utterance has no file of ``audio``. The encoder is loaded
    once for a model, and stays in memory with it.

    Args:
        scorer: The model; its configuration states the extractor (``audio_extractor``, ``video_extractor``).
        conversations: The conversations.
        modality: ``audio`` or ``video``.
        device: Where to compute; by default where the model is.
        progress: Show a progress bar if it takes more than two seconds.
        encoder: Folder of the encoder, where it is not found under the name that it had.
        max_missing_features: Share of the utterances that may lack a vector, because a file is missing or cannot be
            decoded, say. Their number is logged as a warning.

    Returns:
        ``(size,)`` float32 by utterance id, that of :meth:`~iemomecp_dataset.conversations.Conversation.to_row`.
        Utterances without a vector are absent, never zeros, so that the model masks them.

    Raises:
        MissingDataError: The model does not state its extractor; or more than ``max_missing_features`` of the
            utterances have no recording, or no times within one.
        InvalidDataError: More than that lack a vector, and the recordings of some cannot be decoded; or the encoder is
            another than that of training.
        UsageError: The model does not use this modality; or two conversations have one name and different recordings.
        MissingModelError: The encoder is neither on disk nor reachable.
        MissingDependencyError: The extra ``media`` is not installed.

    See Also:
        :func:`missing_vectors_note` puts into a sentence which utterances lack a vector.
    """
    if not uses_modality(scorer, modality):
        raise UsageError(f"This model was trained without {modality}: leave the {modality} recordings out.")
    ids, items, problems = _items(conversations, modality)
    extractor = _extractor(scorer, modality)
    if not ids:
        return {}
    vectors: dict[str, NDArray[np.float32]] = {}
    if len(problems) <= max_missing_features * len(ids):
        loaded = _loaded(scorer, extractor, str(device or scorer.device), encoder)
        for row in loaded.rows(items, progress):
            if row.vector is None:
                problems[row.utterance_id] = _Problem(row.status, row.reason or "")
            else:
                vectors[row.utterance_id] = row.vector.astype(np.float32, copy=False)
    if len(problems) > max_missing_features * len(ids):
        raise _too_many(problems, len(ids), modality, max_missing_features)
    if problems:
        _logger.warning("warning: %s %s", missing_vectors_note(ids, vectors, modality), _examples(problems))
    return vectors


def missing_vectors_note(
    utterance_ids: Sequence[str], vectors: Mapping[str, NDArray[np.float32]], modality: Modality
) -> str | None:
    """Says how many utterances lack a vector.

    Args:
        utterance_ids: Those of a conversation.
        vectors: By utterance id.
        modality: ``audio`` or ``video``.

    Returns:
        A sentence, or None where all have one.

    Example:
        >>> missing_vectors_note(["chat_1", "chat_2"], {"chat_1": np.zeros(4, np.float32)}, "audio")
        '1 of 2 utterances have no audio vector, as their recordings are missing or cannot be decoded: it is masked.'
    """
    lacking = sum(key not in vectors for key in utterance_ids)
    if not lacking:
        return None
    return (
        f"{lacking} of {len(utterance_ids)} utterances have no {modality} vector, as their recordings are missing or "
        "cannot be decoded: it is masked."
    )


# --- utterances ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    """Why an utterance has no vector: a status of a feature store, and a sentence."""

    status: str
    reason: str


def _recording(spoken: ConversationUtterance, modality: Modality) -> str | None:
    """The file that a modality is taken from; a video has its sound."""
    return spoken.video if modality == "video" else spoken.audio or spoken.video


def _not_used(spoken: ConversationUtterance, modality: Modality, used: set[Modality]) -> bool:
    """Whether an utterance has a file of a modality, and the model takes nothing from it."""
    given = spoken.video if modality == "video" else spoken.audio
    return bool(given) and all(_recording(spoken, one) != given for one in used)


def _items(
    conversations: Sequence[Conversation], modality: Modality
) -> tuple[list[str], list[WorkItem], dict[str, _Problem]]:
    """Ids of all utterances; what is to be encoded; and why the others cannot be."""
    items: dict[str, WorkItem] = {}
    problems: dict[str, _Problem] = {}
    by_id: dict[str, ConversationUtterance] = {}
    for conversation in conversations:
        files = [_recording(spoken, modality) for spoken in conversation.utterances]
        shared = Counter(filter(None, files))
        rows = conversation.to_row()["utterances"]
        for row, spoken, file in zip(rows, conversation.utterances, files, strict=True):
            key = row["utterance_id"]
            if by_id.setdefault(key, spoken) != spoken:
                raise UsageError(
                    f"Two conversations are called {conversation.name!r}, and utterance {key} differs between them. "
                    "Give them different names."
                )
            known = (spoken.start is not None) + (spoken.end is not None)
            if not file:
                problems[key] = _Problem("missing_media", f"it names no {modality} file")
            elif known == 1 or (known == 0 and shared[file] > 1):
                reason = f"{Path(file).name} is a recording of several utterances, and this one has no start and end"
                if known == 1:
                    reason = f"it has only one of start and end within {Path(file).name}"
                problems[key] = _Problem("no_times", reason)
            else:
                items[key] = _item(key, conversation.name, spoken, Path(file))
    return list(by_id), list(items.values()), problems


def _item(key: str, conversation: str, spoken: ConversationUtterance, media: Path) -> WorkItem:
    seconds = None if spoken.start is None or spoken.end is None else spoken.end - spoken.start
    return WorkItem(
        utterance_id=key,
        dialogue_id=conversation,
        speaker=spoken.speaker,
        text=spoken.text,
        media=media,
        start=spoken.start,
        end=spoken.end,
        seconds=seconds,
        timed=seconds is not None,
    )


def _too_many(
    problems: Mapping[str, _Problem], total: int, modality: Modality, allowed: float
) -> MissingDataError | InvalidDataError:
    absent = all(problem.status in _ABSENT for problem in problems.values())
    if len(problems) == total and absent and all(p.status == "missing_media" for p in problems.values()):
        opening = f"This model uses {modality}, and none of the {total} utterances has a recording that is there"
    else:
        opening = (
            f"{len(problems)} of {total} utterances have no usable {modality} recording ({len(problems) / total:.1%}, "
            f"more than the {allowed:.1%} allowed)"
        )
    outside = any(problem.status == "outside_file" for problem in problems.values())
    advice = " If a file holds one utterance alone, leave its start and end out." if outside else ""
    file = "an audio or video file" if modality == "audio" else "a video file"
    message = (
        f"{opening}. {_examples(problems)} Give each utterance {file}, or the conversation one recording with start "
        f"and end of each; or {modality}= a feature table; or raise max_missing_features: the model then gets a mask."
        f"{advice}"
    )
    return MissingDataError(message) if absent else InvalidDataError(message)


def _examples(problems: Mapping[str, _Problem]) -> str:
    shown = [f"{key} ({problem.status}: {problem.reason})" for key, problem in problems.items()]
    return f"For example {', '.join(shown[:_EXAMPLES_SHOWN])}."


# --- the encoder of training --------------------------------------------------------------------------------------


def _extractor(scorer: PreTrainedModel, modality: Modality) -> Extractor:
    """What the configuration states, checked.

    Raises:
        MissingDataError: It states nothing.
        InvalidDataError: It contradicts itself.
    """
    name = f"{modality}_extractor"
    recorded = getattr(scorer.config, name, None)
    if recorded is None:
        raise MissingDataError(
            f"This model does not state how its {modality} vectors were made, so recordings cannot be encoded for it: "
            "it was trained on a Parquet file or on imported vectors, or before models recorded this. Give "
            f"{modality}= a feature table of these utterances (columns utterance_id and vector), or train it on a "
            "feature store that iemomecp extract has made."
        )
    where = f"{name} in the model's configuration"
    extractor = Extractor.of_json(recorded, where)
    size = int(getattr(scorer.config, f"{modality}_size"))
    if (extractor.modality, extractor.size) != (modality, size):
        raise InvalidDataError(
            f"{where} describes {extractor.modality} vectors of {extractor.size} numbers, but the model takes "
            f"{modality} vectors of {size}. The configuration was changed: restore the one that training wrote."
        )
    return extractor


@dataclass
class _LoadedEncoder:
    """An encoder in memory, which one thread uses at a time."""

    encoder: Encoder
    options: ExtractionOptions
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self, items: Sequence[WorkItem], progress: bool) -> list[StoreRow]:
        with self.lock:
            return list(encode_items(self.encoder, items, self.options, progress=progress))


_in_memory: WeakKeyDictionary[Any, dict[ExtractionOptions, _LoadedEncoder]] = WeakKeyDictionary()
"""Encoders by the model that they are loaded for: they leave memory with it."""


def _loaded(scorer: PreTrainedModel, extractor: Extractor, device: str, encoder: str | Path | None) -> _LoadedEncoder:
    """The encoder of training, loaded at the first call for a model.

    Raises:
        MissingModelError: It is neither on disk nor reachable.
        InvalidDataError: It is not the encoder of training.
    """
    options = extractor.options(model=None if encoder is None else str(encoder), device=device)
    of_scorer = _in_memory.setdefault(scorer, {})
    if options not in of_scorer:
        of_scorer[options] = _LoadedEncoder(_opened(extractor, options), options)
    return of_scorer[options]


def _opened(extractor: Extractor, options: ExtractionOptions) -> Encoder:
    modality, place = extractor.modality, options.model_name
    advice = f"Give {modality}_encoder= the folder of that encoder, or {modality}= a feature table"
    of_folder = extractor.revision.startswith("folder-")
    if of_folder and not Path(place).is_dir():
        raise MissingModelError(
            f"The {modality} encoder of training was in a folder called {extractor.model!r} ({extractor.revision}), "
            f"and there is no folder {place} here. {advice}."
        )
    try:
        encoder = open_encoder(options)
    except MissingModelError as error:
        raise MissingModelError(
            f"The {modality} encoder {place!r} is neither downloaded nor reachable from here. {advice}."
        ) from error
    # A folder cannot be compared with a commit on the Hub: there the user's word and the width count.
    comparable = of_folder or options.revision is not None
    if encoder.size != extractor.size or (comparable and encoder.revision != extractor.revision):
        raise InvalidDataError(
            f"The {modality} encoder {place} is not that of training: found revision {encoder.revision} with vectors "
            f"of {encoder.size} numbers, expected {extractor.revision} with {extractor.size}. {advice}."
        )
    return encoder
