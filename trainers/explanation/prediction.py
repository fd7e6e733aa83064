"""Explaining dialogues with a trained model: what :func:`~iemomecp_dataset.trainers.predict` does for such a run."""

from __future__ import annotations

import logging
import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from numpy.typing import ArrayLike

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.field_checks import json_kind
from iemomecp_dataset.pair_table import emotional_utterances
from iemomecp_dataset.rows import gold_pairs, list_item
from iemomecp_dataset.schema import EXPLANATION_STATUSES
from iemomecp_dataset.trainers.dialogue.emotion_inputs import checked_emotion_inputs
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder
from iemomecp_dataset.trainers.explanation.generation import generate_explanations
from iemomecp_dataset.trainers.explanation.inputs import (
    ClipVectors,
    cause_turns_of_rows,
    face_lines,
    face_vectors,
    frame_vectors,
)
from iemomecp_dataset.trainers.explanation.items import Key, explanation_items
from iemomecp_dataset.trainers.explanation.language_model import load_language_tokenizer
from iemomecp_dataset.trainers.explanation.options import Causes, Emotion
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from iemomecp_dataset.features import FeatureTable
    from iemomecp_dataset.features.faces import FaceTable
    from iemomecp_dataset.features.frames import FrameStore
    from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel

__all__ = ["Explaining", "Targets", "WrittenExplanation", "predict_explanations"]

_logger = logging.getLogger(__name__)

Targets = Literal["complete", "emotional", "pairs"]
"""What to explain: the complete explanations of the rows, every emotional utterance, or the targets of the pairs that a
pair run predicts."""

_COMPLETE = EXPLANATION_STATUSES.index("complete")


@dataclass(frozen=True)
class WrittenExplanation:
    """The explanation of one utterance.

    Attributes:
        dialogue_id: The row's ``dialogue_id``.
        target_turn: The target's turn, 1-based within the row.
        prediction: What the model writes.
        reference: The complete explanation of the row, where it has one.
        emotion: The emotion that the model was told, or None.
        cause_turns: The turns that are marked as its causes.
    """

    dialogue_id: str
    target_turn: int
    prediction: str
    reference: str | None = None
    emotion: str | None = None
    cause_turns: tuple[int, ...] = ()


class Explaining(TypedDict, total=False):
    """What :func:`~iemomecp_dataset.trainers.predict` takes for a model of explanations besides what others take.

    Attributes:
        targets: What to explain: ``complete``, the complete explanations of the rows; ``emotional``, every utterance
            with an emotion other than neutral; ``pairs``, the targets of the pairs that ``causes_from`` predicts; or
            for each row a list of turns, counted from 1. By default ``complete``, and ``emotional`` where no row has an
            explanation.
        emotion: Where the emotion of the target comes from: ``gold``, the utterance's ``emotion``; ``predicted``, the
            most probable of ``emotions``; or ``none``. By default as the model was trained.
        emotion_names: Emotions by id, where the ``emotion`` of utterances is an id, and all that utterances may have
            where it is a name; by default those of the dataset's features, else those that the model was trained on.
            Also the columns of ``emotions``.
        causes: Which turns are marked as causes: ``none``, ``gold``, ``predicted`` (by ``causes_from``), ``last`` or
            ``shuffled``. By default as the model was trained. Gold ones are the ``cause_turns`` of an explanation, and
            the gold pairs of other utterances.
        causes_from: A pair scorer that uses text alone, or the folder of its run. A warning is given where that run was
            trained on texts of the rows, and its training data can be read.
        frames: Store of frame tokens, or its folder, for a model with frames.
        face_features: Store of face vectors, or its folder or file, for a model with such.
        faces_table: Face table, or its file, for a model with lines about faces.
        max_new_tokens: Most tokens of an explanation; by default as in the run.
        num_beams: Beams; likewise.
        seed: Of shuffled marks; by default that of the run.
        tokenizer: Of the language model, where it does not lie with the model.
        language_model: Where the language model is now, for a folder whose language model has moved.
        progress: Whether to show a progress bar.
    """

    targets: Targets | Sequence[Sequence[int]] | None
    emotion: Emotion | None
    emotion_names: Sequence[str] | None
    causes: Causes | None
    causes_from: str | Path | PreTrainedModel | None
    frames: str | Path | FrameStore | None
    face_features: str | Path | FrameStore | FeatureTable | None
    faces_table: str | Path | FaceTable | None
    max_new_tokens: int | None
    num_beams: int | None
    seed: int | None
    tokenizer: Any
    language_model: str | Any | None
    progress: bool


def predict_explanations(
    model: ExplanationModel,
    rows: Iterable[Mapping[str, Any]],
    *,
    targets: Targets | Sequence[Sequence[int]] | None = None,
    emotion: Emotion | None = None,
    emotions: Sequence[ArrayLike] | None = None,
    emotion_names: Sequence[str] | None = None,
    causes: Causes | None = None,
    causes_from: str | Path | PreTrainedModel | None = None,
    frames: str | Path | FrameStore | None = None,
    face_features: str | Path | FrameStore | FeatureTable | None = None,
    faces_table: str | Path | FaceTable | None = None,
    max_missing_features: float = 0.01,
    max_new_tokens: int | None = None,
    num_beams: int | None = None,
    batch_size: int = 32,
    seed: int | None = None,
    tokenizer: Any = None,
    progress: bool = True,
) -> list[list[WrittenExplanation]]:
    """Explains the emotions of some dialogues.

    Args:
        model: The model.
        rows: Dialogues as :func:`iemomecp_dataset.load` gives them, of any corpus, each ``dialogue_id`` once.
        targets: As in :class:`Explaining`, which describes what has no description here.
        emotion: Where the emotion of the target comes from.
        emotions: For each row ``(n, K)`` probabilities of its utterances' emotions, with ``emotion="predicted"``.
        emotion_names: Emotions by id.
        causes: Which turns are marked as causes.
        causes_from: A pair scorer, or the folder of its run.
        frames: Store of frame tokens.
        face_features: Store of face vectors.
        faces_table: Face table.
        max_missing_features: Share of the targets that may lack frames or face vectors, or whose clips the face table
            may state as not examined.
        max_new_tokens: Most tokens of an explanation.
        num_beams: Beams.
        batch_size: Explanations that are written at once.
        seed: Of shuffled marks.
        tokenizer: Of the language model.
        progress: Whether to show a progress bar.

    Returns:
        For each row the explanations of its targets, those of the corpus in its order, others by turn.

    Raises:
        MissingDataError: What the model needs is not given: frames or faces, emotions, gold causes, or a pair run.
        InvalidDataError: A row has a value that does not fit, or too many clips are missing.
        UsageError: An argument has no effect, or there is no such choice.
    """
    config = model.config
    stated = list(emotion_names or _names_of(rows))
    dialogues = [dict(row) for row in rows]
    _check_unique(dialogues)
    emotion = _chosen("emotion", emotion, getattr(config, "emotion", "gold"), get_args(Emotion))
    causes = _chosen("causes", causes, getattr(config, "causes", "none"), get_args(Causes))
    asked = targets if isinstance(targets, str) or targets is None else None
    if asked is not None:
        _chosen("targets", asked, asked, get_args(Targets))
    _check_given("emotions", emotions, emotion == "predicted", f"emotion={emotion!r}")
    of_pairs = causes == "predicted" or asked == "pairs"
    _check_given("causes_from", causes_from, of_pairs, "targets='pairs'" if asked == "pairs" else f"causes={causes!r}")
    if causes == "last" and not getattr(config, "context_turns", 3):
        raise UsageError(
            "causes='last' marks the turn before the target, and this model was trained with --context_turns 0 and "
            "reads no turn before it. Choose another value, such as causes='none'."
        )
    if getattr(config, "shots", 0):
        raise UsageError(
            f"This run puts {config.shots} examples of its train split into each prompt, which are not at hand here. "
            "Load it with load_scorer and set config.shots = 0 to explain without examples."
        )
    if not dialogues:
        return []
    names = stated or list(getattr(config, "emotion_names", None) or ())
    if not stated and any(_is_id(u.get("emotion")) for row in dialogues for u in row["utterances"]):
        _logger.warning(
            "The emotions of the rows are ids without names; they are read as those that the model was trained on: %s. "
            "Give emotion_names= where they are others.",
            ", ".join(f"{number} {name}" for number, name in enumerate(names)) or "none",
        )
    known = list(names) if emotion == "gold" else None
    dialogues = [_with_emotion_ids(row, names, known) for row in dialogues]
    told: dict[Key, str] | None = None
    if emotion == "predicted":
        columns = list(emotion_names or getattr(config, "emotion_names", None) or names)
        told = _most_probable(emotions, dialogues, columns)
    found = cause_turns_of_rows(causes_from, dialogues) if causes_from is not None else None
    if isinstance(causes_from, str | Path):
        from iemomecp_dataset.trainers.run_inputs import applied_to_own_training  # which imports this room

        for said in applied_to_own_training(causes_from, dialogues):
            _logger.warning("%s", said)
    chosen = _targets(dialogues, targets, names, told, found)
    prepared = [_with_targets(row, turns) for row, turns in zip(dialogues, chosen, strict=True)]
    _check_gold(prepared, emotion, causes)
    _check_texts(dialogues, chosen)
    wanted = [
        next(u["utterance_id"] for u in row["utterances"] if u["turn"] == turn)
        for row, turns in zip(dialogues, chosen, strict=True)
        for turn in turns
    ]
    if not wanted:
        unknown = sum(u["emotion"] is None for row in dialogues for u in row["utterances"])
        if unknown and told is None and (targets is None or asked == "emotional"):
            _logger.warning(
                "Nothing is explained: no utterance has an emotion other than neutral, and %d have none. Give their "
                "'emotion' as a name, or for each row a list of turns as targets=.",
                unknown,
            )
        return [[] for _ in dialogues]
    shown, seen, lines = _clips(config, wanted, frames, face_features, faces_table, max_missing_features)
    items = explanation_items(
        prepared,
        names,
        context_turns=getattr(config, "context_turns", 3),
        emotion=emotion,
        causes=causes,
        seed=getattr(config, "shuffle_seed", 0) if seed is None else seed,
        predicted_emotions=told,
        predicted_causes=found,
        faces=lines,
    )
    writing = {"max_new_tokens": 48, "num_beams": 1, **(getattr(config, "writing", None) or {})}
    texts = generate_explanations(
        model,
        _encoder(model, tokenizer),
        items,
        frames=None if shown is None else shown.vectors,
        faces=None if seen is None else seen.vectors,
        batch_size=batch_size,
        max_new_tokens=max_new_tokens or writing["max_new_tokens"],
        num_beams=num_beams or writing["num_beams"],
        progress=progress,
    )
    written = [_written(item, text) for item, text in zip(items, texts, strict=True)]
    references = {(row["dialogue_id"], turn): text for row in dialogues for turn, text in _complete(row).items()}
    written = [replace(one, reference=references.get((one.dialogue_id, one.target_turn))) for one in written]
    ends = accumulate(map(len, chosen), initial=0)
    return [written[first:last] for first, last in pairwise(ends)]


def _written(item: ExplanationItem, text: str) -> WrittenExplanation:
    marked = [turn.turn for turn in (*item.context, *item.later) if turn.marked]
    turns = sorted([*marked, item.target_turn] if item.target_marked else marked)
    return WrittenExplanation(item.dialogue_id, item.target_turn, text, None, item.emotion, tuple(turns))


def _chosen(name: str, given: Any, default: Any, choices: Collection[str]) -> Any:
    value = default if given is None else given
    if value not in choices:
        raise UsageError(f"{name} has no value {value!r}. {did_you_mean(str(value), choices)}")
    return value


def _check_given(name: str, value: Any, needed: bool, choice: str) -> None:
    if needed and value is None:
        what = (
            "for each row an array of (utterances, emotions) probabilities"
            if name == "emotions"
            else "a pair scorer, or the folder of its run"
        )
        raise MissingDataError(f"{choice} needs {name}=, {what}. Give it, or choose another value.")
    if value is not None and not needed:
        raise UsageError(f"{name}= has no effect with {choice}. Leave it out, or choose another value.")


def _names_of(rows: Any) -> Sequence[str]:
    """The emotions of a dataset by id; empty for plain rows."""
    features = getattr(rows, "features", None)
    return () if features is None else list_item(features["utterances"])["emotion"].names


def _check_unique(rows: Sequence[Mapping[str, Any]]) -> None:
    places: dict[str, int] = {}
    for place, row in enumerate(rows):
        first = places.setdefault(row["dialogue_id"], place)
        if first != place:
            raise InvalidDataError(
                f"rows[{first}] and rows[{place}] have the same dialogue_id, {row['dialogue_id']!r}. It names an "
                "explanation together with the turn: give each dialogue once."
            )


def _is_id(emotion: Any) -> bool:
    return emotion is not None and not isinstance(emotion, str)


def _with_emotion_ids(row: Mapping[str, Any], names: list[str], known: Collection[str] | None) -> dict[str, Any]:
    """A copy of a row whose emotions are ids; a name that is new is appended to ``names``.

    Where ``known`` has names, it is refused.
    """
    utterances = []
    for utterance in row["utterances"]:
        value = utterance.get("emotion")
        where = f"dialogue {row['dialogue_id']!r}, turn {utterance['turn']}"
        if isinstance(value, str):
            if known and value not in known:
                raise InvalidDataError(
                    f"{where}: there is no emotion {value!r}. {did_you_mean(value, known)} Give one of these, or all "
                    "names that the rows have as emotion_names=."
                )
            if value not in names:
                names.append(value)
            value = names.index(value)
        elif value is not None:
            try:
                value = operator.index(value)
            except TypeError:
                raise InvalidDataError(
                    f"{where}: 'emotion' must be a name, or an id among emotion_names, but is {json_kind(value)}."
                ) from None
            if not 0 <= value < len(names):
                raise InvalidDataError(
                    f"{where}: the emotion {value} is none of {len(names)} ({', '.join(names) or 'none are named'}). "
                    "Give emotion_names=, the names by id, or names in place of ids."
                )
        utterances.append({**utterance, "emotion": value})
    # Candidates without labels state no causes.
    labeled = [pair for pair in row.get("pairs") or () if "label" in pair]
    return {**row, "pairs": labeled, "utterances": utterances}


def _most_probable(
    emotions: Sequence[Any] | None, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> dict[Key, str]:
    if not columns:
        raise MissingDataError("The columns of emotions= have no names: give emotion_names=.")
    return {
        (row["dialogue_id"], utterance["turn"]): columns[int(vector.argmax())]
        for row, of_row in zip(rows, checked_emotion_inputs(emotions, rows, columns) or (), strict=True)
        for utterance, vector in zip(row["utterances"], of_row, strict=True)
    }


def _complete(row: Mapping[str, Any]) -> dict[int, str]:
    """The complete explanations of a row, by target turn."""
    return {e["target_turn"]: e["text"] for e in row.get("explanations") or () if e["status"] == _COMPLETE}


def _targets(
    rows: Sequence[Mapping[str, Any]],
    asked: Targets | Sequence[Sequence[int]] | None,
    names: Sequence[str],
    told: Mapping[Key, str] | None,
    causes: Mapping[Key, Sequence[int]] | None,
) -> list[list[int]]:
    """For each row the turns to explain."""
    if asked is not None and not isinstance(asked, str):
        return _given_targets(rows, asked)
    if asked == "pairs":
        return [
            [u["turn"] for u in row["utterances"] if (causes or {}).get((row["dialogue_id"], u["turn"]))]
            for row in rows
        ]
    complete = [list(_complete(row)) for row in rows]
    if any(complete):
        if asked != "emotional":
            return complete
    elif asked == "complete":
        raise MissingDataError(
            "None of the rows has a complete explanation. Give rows that have, or targets='emotional', or for each row "
            "a list of turns as targets=."
        )
    if told is not None:
        ids = {name: number for number, name in enumerate(dict.fromkeys((*names, *told.values())))}
        rows = [
            {**row, "utterances": [{**u, "emotion": ids[told[row["dialogue_id"], u["turn"]]]}
                                   for u in row["utterances"]]}
            for row in rows
        ]  # fmt: skip
        names = list(ids)
    known = any(u["emotion"] is not None for row in rows for u in row["utterances"]) or any(
        row["pairs"] for row in rows
    )
    if not known:
        raise MissingDataError(
            "It is unknown which utterances are emotional: the rows have neither explanations nor emotions nor pairs. "
            "Give the 'emotion' of utterances, or for each row a list of turns as targets=."
        )
    return [
        [
            u["turn"]
            for u, emotional in zip(row["utterances"], emotional_utterances(row, names), strict=True)
            if emotional
        ]
        for row in rows
    ]


def _given_targets(rows: Sequence[Mapping[str, Any]], given: Sequence[Sequence[int]]) -> list[list[int]]:
    if len(given) != len(rows):
        raise InvalidDataError(f"targets= has {len(given)} entries for {len(rows)} rows; give a list for each row.")
    found = []
    for place, (row, turns) in enumerate(zip(rows, given, strict=True)):
        count, listed = len(row["utterances"]), list(turns) if isinstance(turns, Iterable) else None
        if listed is None or len(set(listed)) < len(listed) or any(turn not in range(1, count + 1) for turn in listed):
            raise InvalidDataError(
                f"targets[{place}] must be a list of different turns of {row['dialogue_id']!r}, from 1 to {count}, but "
                f"is {turns!r}."
            )
        found.append([int(turn) for turn in listed])
    return found


def _check_texts(rows: Sequence[Mapping[str, Any]], chosen: Sequence[Sequence[int]]) -> None:
    """Refuses targets in which nothing is said, but for those that a corpus explains."""
    for row, turns in zip(rows, chosen, strict=True):
        explained = _complete(row)
        for utterance in row["utterances"]:
            said, turn = utterance.get("text"), utterance["turn"]
            if turn in turns and turn not in explained and not (said or "").strip():
                raise InvalidDataError(
                    f"dialogue {row['dialogue_id']!r}, turn {turn}: the utterance to explain has no text. Give its "
                    "'text', or choose the turns to explain with targets=."
                )


def _with_targets(row: Mapping[str, Any], turns: Sequence[int]) -> dict[str, Any]:
    """A copy of a row that has an explanation for each target and no other, with the gold causes that are known."""
    texts = _complete(row)
    stated: dict[int, Sequence[int]] = {
        e["target_turn"]: e.get("cause_turns") or () for e in row.get("explanations") or ()
    }
    pairs: dict[int, list[int]] = {}
    for target, cause in gold_pairs(row):
        pairs.setdefault(target, []).append(cause)
    return {
        **row,
        "explanations": [
            {
                "target_turn": turn,
                "text": texts.get(turn, ""),
                "status": _COMPLETE,
                "cause_turns": [*(stated.get(turn) or pairs.get(turn) or ())],
            }
            for turn in turns
        ],
    }


def _check_gold(rows: Sequence[Mapping[str, Any]], emotion: str, causes: str) -> None:
    """Refuses what was asked for and no target has; that some lack it is as in training."""
    targets = [(row, e) for row in rows for e in row["explanations"]]
    if not targets:
        return
    of_targets = [
        utterance["emotion"]
        for row, e in targets
        for utterance in row["utterances"]
        if utterance["turn"] == e["target_turn"]
    ]
    if emotion == "gold" and all(value is None for value in of_targets):
        raise MissingDataError(
            f"emotion='gold' needs the 'emotion' of the utterances to explain, and none of the {len(targets)} has one. "
            "Give it as a name, or choose emotion='predicted' or emotion='none'."
        )
    if causes in ("gold", "shuffled") and not any(e["cause_turns"] for _, e in targets):
        raise MissingDataError(
            f"causes={causes!r} needs gold causes, and none of the {len(targets)} utterances to explain has any: "
            "neither cause_turns of its explanation nor a gold pair of its row. Load ecem with ecf_root=, or choose "
            "another value, such as causes='predicted' with causes_from=."
        )


def _clips(
    config: Any,
    wanted: Sequence[str],
    frames: Any,
    face_features: Any,
    faces_table: Any,
    tolerance: float,
) -> tuple[ClipVectors | None, ClipVectors | None, Any]:
    """Opens what the model needs of clips, and refuses what it does not use."""
    lines = getattr(config, "faces", "none") == "label"
    for name, given, needed, trained in (
        ("frames", frames, config.frame_size, "--frames"),
        ("face_features", face_features, config.face_size, "--face_features"),
        ("faces_table", faces_table, lines, "--faces_table"),
    ):
        if needed and given is None:
            raise MissingDataError(f"This model was trained with {trained}: give {name}=, that of these dialogues.")
        if given is not None and not needed:
            raise UsageError(f"This model was trained without {trained} and uses no {name}=. Leave it out.")
    shown = None if frames is None else frame_vectors(frames, wanted, tolerance)
    seen = None if face_features is None else face_vectors(face_features, wanted, tolerance)
    for what, found, size in (("frames", shown, config.frame_size), ("face_features", seen, config.face_size)):
        if found is None:
            continue
        if found.size != size:
            raise InvalidDataError(
                f"{what}: vectors have {found.size} numbers, but the model was trained on {size}. Give those of the "
                "same encoder."
            )
        without = len(set(wanted) - found.present)
        if without:
            _logger.warning("%d of %d utterances have no %s; they are explained without.", without, len(wanted), what)
    return shown, seen, None if faces_table is None else face_lines(faces_table, wanted, tolerance)


def _encoder(model: ExplanationModel, tokenizer: Any) -> ExplanationEncoder:
    config = model.config
    return ExplanationEncoder(
        _tokenizer(model) if tokenizer is None else tokenizer,
        max_length=config.max_length,
        has_video=config.has_video,
        chat_template=getattr(config, "chat_template", "tokenizer"),
        encoder_decoder=model.encoder_decoder,
        patches_per_frame=model.patches_per_frame,
    )


def _tokenizer(model: ExplanationModel) -> Any:
    folder = str(model.config.name_or_path or "")
    for place in (folder, str(model.config.language_model_name or "")):
        if place and (not Path(place).is_dir() or any(Path(place).glob("tokenizer*"))):
            return load_language_tokenizer(place, gguf_file=None if place == folder else model.config.gguf_file)
    raise MissingDataError("There is no tokenizer in the folder of the model. Give it as tokenizer=.")
