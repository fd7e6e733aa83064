"""The schema of every configuration: class names, row types, Arrow features.

One row is one dialogue (for IEMO-MECP one chunk of a dialogue). Turns are 1-based within the row. Every candidate pair
of the dialogue is listed, in ``(target, cause)`` order, with its label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, get_args

if TYPE_CHECKING:
    import datasets

__all__ = [
    "COMMON_EMOTIONS",
    "CONTEXT_SUBTYPES",
    "EXPLANATION_STATUSES",
    "IEMOCAP_EMOTIONS",
    "MODALITY_SETS",
    "NEUTRAL_EMOTIONS",
    "PAIR_LABELS",
    "ROLE_LABELS",
    "SPLITS",
    "CauseAnnotationRow",
    "ExplanationRow",
    "ModalitySet",
    "PairRow",
    "Row",
    "TurnPair",
    "UtteranceRow",
    "annotation_features",
    "canonical_split",
    "row_features",
]

SPLITS = ("train", "validation", "test")
"""The split names used inside the code, in order."""

ModalitySet = Literal["t", "a", "v", "ta", "tv", "av", "tav"]
MODALITY_SETS: tuple[str, ...] = get_args(ModalitySet)
"""Combinations of text, audio and video that a system can use, one letter each, in this order."""

ROLE_LABELS = ("emo_cause", "emo_context", "non_pair")
"""Classes of config ``3class``, by id (arXiv 2605.25208)."""

PAIR_LABELS = ("pair", "non_pair")
"""Classes of ``source_binary`` and of the other corpora, by id. Class 0 is the positive one."""

CONTEXT_SUBTYPES = (
    "background",
    "discourse_bridge",
    "implicit_or_extra_context",
    "alternative_plausible_cause",
)
"""Subtypes that an ``emo_context`` pair can carry, by id."""

EXPLANATION_STATUSES = ("complete", "truncated", "foreign", "meta", "missing")
"""What the file holds in place of an explanation, by id: all of it; the beginning alone; words of another language; an
answer about its translation; nothing. Only complete ones are learned from and scored."""

IEMOCAP_EMOTIONS = ("hap", "sad", "neu", "ang", "exc", "fru")
"""Emotions of ConvECPE on IEMOCAP, by id."""

COMMON_EMOTIONS = (
    *("neutral", "joy", "excitement", "surprise", "sadness"),
    *("anger", "frustration", "disgust", "fear", "other"),
)
"""Emotions of every configuration under ``emotions="common"``, by id; the corpora's own labels are mapped to them in
:mod:`iemomecp_dataset.corpora.emotion_inventory`."""

NEUTRAL_EMOTIONS = frozenset({"neu", "neutral"})
"""Emotion names that mean that there is no emotion, hence no cause."""

_SPLIT_ALIASES = {"dev": "validation", "valid": "validation", "val": "validation"}
_SPLIT_NAME = re.compile(r"((?:^|\+)\s*)([^\[\]+\s]+)")
"""The name of a split, alone or at the beginning of each term of a sum, and what precedes it."""


class UtteranceRow(TypedDict):
    """One utterance of a row. Times in seconds within the source dialogue's recording.

    ``wav`` and ``video`` are paths of recordings. In corpora whose files name a clip, ``video`` is that name, without a
    folder, whether or not the clip is on disk. ``emotion_source`` is there with ``emotions="common"``: the name of the
    emotion among those of the corpus.
    """

    turn: int
    source_turn: int | None
    utterance_id: str | None
    speaker: str | None
    text: str | None
    emotion: int | None
    emotion_source: NotRequired[str | None]
    start: float | None
    end: float | None
    wav: str | None
    video: str | None


class PairRow(TypedDict):
    """One candidate pair: does the utterance at ``cause_turn`` cause the emotion at ``target_turn``?"""

    target_turn: int
    cause_turn: int
    label: int
    source_pair: bool | None
    context_subtypes: list[int]
    taxonomy_label: str | None
    label_source: str | None


class ExplanationRow(TypedDict):
    """A written explanation of the emotion of the utterance at ``target_turn``.

    ``status`` is an id of :data:`EXPLANATION_STATUSES`; ``cause_turns`` are the gold causes of that emotion, where the
    corpus or another one names them.
    """

    target_turn: int
    text: str
    status: int
    cause_turns: list[int]


class TurnPair(TypedDict):
    """A pair of turns, both 1-based."""

    target_turn: int
    cause_turn: int


class CauseAnnotationRow(TypedDict):
    """What MECAD states of the causes of the emotion at ``target_turn``, as the file writes it.

    ``cause_modality`` has letters of :data:`MODALITY_SETS`; ``confidence`` and ``annotator_name`` have one entry per
    annotator.
    """

    target_turn: int
    cause_modality: list[str]
    cause_type: str | None
    confidence: list[int]
    annotator_name: list[str]
    utterance_name: str | None


class Row(TypedDict):
    """One dialogue (IEMO-MECP: one chunk); with ``candidates="past"`` it also lists the gold pairs outside them.

    With ``annotations=True`` it has what the file states beside: ``episode``, ``listed_pairs`` (in the order of the
    file), ``listed_times`` (``start - end`` by turn) and ``cause_annotations``.
    """

    dialogue_id: str
    source_dialogue_id: str | None
    chunk_index: int
    session: int
    utterances: list[UtteranceRow]
    pairs: list[PairRow]
    gold_outside_candidates: NotRequired[list[TurnPair]]
    explanations: NotRequired[list[ExplanationRow]]
    episode: NotRequired[str | None]
    listed_pairs: NotRequired[list[TurnPair]]
    listed_times: NotRequired[list[str | None]]
    cause_annotations: NotRequired[list[CauseAnnotationRow]]


def canonical_split(name: str) -> str:
    """Maps a split name, found in a file or given by a user, to the one used in the code.

    Args:
        name: A split name in any spelling, capitals or not, or slices and sums of splits as ``datasets`` writes them.

    Returns:
        The canonical name, or ``name`` itself if it is unknown.

    Example:
        >>> [canonical_split(name) for name in ("train", "VALID", "dev", "Test")]
        ['train', 'validation', 'validation', 'test']
        >>> canonical_split("train[:50%]+dev[10:20]")
        'train[:50%]+validation[10:20]'
    """

    def named(found: re.Match[str]) -> str:
        lower = found[2].lower()
        known = _SPLIT_ALIASES.get(lower, lower)
        return found[1] + (known if known in SPLITS else found[2])

    return _SPLIT_NAME.sub(named, name)


def row_features(
    label_names: Sequence[str], emotion_names: Sequence[str], *, emotion_source: bool = False
) -> datasets.Features:
    """Arrow features of a row.

    Args:
        label_names: Names of the pair classes, by id.
        emotion_names: Names of the emotions, by id.
        emotion_source: Whether utterances also have the corpus's own label.

    Returns:
        The :class:`datasets.Features` of one row per dialogue.
    """
    from datasets import ClassLabel, Features, Value

    string = Value("string")
    return Features(
        {
            "dialogue_id": string,
            "source_dialogue_id": string,
            "chunk_index": Value("int32"),
            "session": Value("int32"),
            # A list of dicts, not Sequence({...}), which would become a dict of lists.
            "utterances": [
                {
                    "turn": Value("int32"),
                    "source_turn": Value("int32"),
                    "utterance_id": string,
                    "speaker": string,
                    "text": string,
                    "emotion": ClassLabel(names=list(emotion_names)),
                    **({"emotion_source": string} if emotion_source else {}),
                    "start": Value("float32"),
                    "end": Value("float32"),
                    "wav": string,
                    "video": string,
                }
            ],
            "pairs": [
                {
                    "target_turn": Value("int32"),
                    "cause_turn": Value("int32"),
                    "label": ClassLabel(names=list(label_names)),
                    "source_pair": Value("bool"),
                    "context_subtypes": [ClassLabel(names=list(CONTEXT_SUBTYPES))],
                    "taxonomy_label": string,
                    "label_source": string,
                }
            ],
            "explanations": [
                {
                    "target_turn": Value("int32"),
                    "text": string,
                    "status": ClassLabel(names=list(EXPLANATION_STATUSES)),
                    "cause_turns": [Value("int32")],
                }
            ],
        }
    )


def annotation_features() -> datasets.Features:
    """Arrow features of the columns that ``annotations=True`` adds.

    Returns:
        The :class:`datasets.Features` of ``episode``, ``listed_pairs``, ``listed_times`` and ``cause_annotations``.
    """
    from datasets import Features, Value

    integer, string = Value("int32"), Value("string")
    return Features(
        {
            "episode": string,
            "listed_pairs": [{"target_turn": integer, "cause_turn": integer}],
            "listed_times": [string],
            "cause_annotations": [
                {
                    "target_turn": integer,
                    "cause_modality": [string],
                    "cause_type": string,
                    "confidence": [Value("int64")],
                    "annotator_name": [string],
                    "utterance_name": string,
                }
            ],
        }
    )
