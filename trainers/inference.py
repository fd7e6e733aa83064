"""Inference: dialogues to probabilities of their pairs or of their utterances' emotions, or to written explanations."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from transformers import PreTrainedModel

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.features import FeatureTable
from iemomecp_dataset.features.encoders.devices import usable_device
from iemomecp_dataset.field_checks import check_pair, check_text_fields, json_kind
from iemomecp_dataset.trainers.dialogue.emotion_inputs import checked_emotion_inputs, with_emotion_inputs
from iemomecp_dataset.trainers.ensemble.modeling import EnsembleScorer, member_folder
from iemomecp_dataset.trainers.pipelines.loading import feature_vectors, load_scorer, scored_rows
from iemomecp_dataset.trainers.pipelines.pipeline import EmotionCausePipeline
from iemomecp_dataset.trainers.scorers import find_scorer, scorer_of_model_type

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel
    from iemomecp_dataset.trainers.explanation.prediction import Explaining, WrittenExplanation
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

__all__ = ["predict"]


@overload
def predict(
    model: PreTrainedModel | str | Path,
    rows: str | Path | Conversation | Sequence[tuple[str, str]],
    *,
    audio: FeatureTable | str | Path | None = None,
    video: FeatureTable | str | Path | None = None,
    text_encoder: str | None = None,
    max_missing_features: float = 0.01,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    threshold: float | None = None,
    window: int | None = None,
    emotion_model: PreTrainedModel | str | Path | None = None,
    emotion_text_encoder: str | None = None,
    progress: bool = False,
) -> PredictedConversation: ...
@overload
def predict(
    model: PreTrainedModel | str | Path,
    rows: Sequence[Conversation] | Sequence[Path],
    *,
    audio: FeatureTable | str | Path | None = None,
    video: FeatureTable | str | Path | None = None,
    text_encoder: str | None = None,
    max_missing_features: float = 0.01,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    threshold: float | None = None,
    window: int | None = None,
    emotion_model: PreTrainedModel | str | Path | None = None,
    emotion_text_encoder: str | None = None,
    progress: bool = False,
) -> list[PredictedConversation]: ...
@overload
def predict(
    model: ExplanationModel,
    rows: Iterable[Mapping[str, Any]],
    *,
    max_missing_features: float = 0.01,
    emotions: Sequence[ArrayLike] | None = None,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    **explaining: Unpack[Explaining],
) -> list[list[WrittenExplanation]]: ...
@overload
def predict(
    model: PreTrainedModel | str | Path,
    rows: Iterable[Mapping[str, Any]],
    *,
    text: FeatureTable | str | Path | None = None,
    event: FeatureTable | str | Path | None = None,
    audio: FeatureTable | str | Path | None = None,
    video: FeatureTable | str | Path | None = None,
    text_encoder: str | None = None,
    max_missing_features: float = 0.01,
    emotions: Sequence[ArrayLike] | None = None,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    with_emotions: Literal[False] = False,
    **explaining: Unpack[Explaining],
) -> list[NDArray[np.float64]]: ...
@overload
def predict(
    model: PreTrainedModel | str | Path,
    rows: Iterable[Mapping[str, Any]],
    *,
    text: FeatureTable | str | Path | None = None,
    event: FeatureTable | str | Path | None = None,
    audio: FeatureTable | str | Path | None = None,
    video: FeatureTable | str | Path | None = None,
    text_encoder: str | None = None,
    max_missing_features: float = 0.01,
    emotions: Sequence[ArrayLike] | None = None,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    with_emotions: Literal[True],
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]: ...
def predict(
    model: PreTrainedModel | str | Path,
    rows: Any,
    *,
    text: FeatureTable | str | Path | None = None,
    event: FeatureTable | str | Path | None = None,
    audio: FeatureTable | str | Path | None = None,
    video: FeatureTable | str | Path | None = None,
    text_encoder: str | None = None,
    max_missing_features: float = 0.01,
    emotions: Sequence[ArrayLike] | None = None,
    batch_size: int = 32,
    device: str | torch.device | None = None,
    with_emotions: bool = False,
    threshold: float | None = None,
    window: int | None = None,
    emotion_model: PreTrainedModel | str | Path | None = None,
    emotion_text_encoder: str | None = None,
    **explaining: Unpack[Explaining],
) -> Any:
    """What a model predicts: for conversations their pairs; for rows of a dataset probabilities, or explanations.

    A conversation gives what
    :class:`~iemomecp_dataset.trainers.pipelines.pipeline.EmotionCausePipeline` gives. Rows give arrays.

    Args:
        model: A pair scorer, a model of emotions or one of explanations, the folder it was saved in, or the folder of a
            run.
        rows: Dialogues as :func:`iemomecp_dataset.load` gives them. Needed are ``dialogue_id`` and of each utterance
            ``turn``, ``utterance_id``, ``speaker`` and ``text``. Where a row has no ``pairs``, all pairs of its
            utterances are candidates, in (target, cause) order. A model of emotions takes whole dialogues
            (:func:`iemomecp_dataset.whole_dialogues`) and no pairs. A model of explanations takes ``explanations`` and
            the ``emotion`` of utterances, an id or a name. For a pair scorer alone also a conversation, or several:
            whatever :class:`~iemomecp_dataset.trainers.pipelines.pipeline.EmotionCausePipeline` takes that is no list
            of rows.
        text: Feature table, or its Parquet file, for a model of emotions that was trained on one.
        event: The same for its second text stream.
        audio: Feature table, or its Parquet file, if the model uses audio.
        video: The same for video.
        text_encoder: For a model on frozen text features: the encoder, where it is not found under the name it had in
            training.
        max_missing_features: Share of utterances that may lack a vector.
        emotions: For each row ``(n, K)`` probabilities of its utterances' emotions, for a model that was trained with
            ``emotion_from``; ``config.emotion_input_names`` names the columns, of a model of explanations
            ``config.emotion_names``.
        batch_size: Dialogues, pairs or explanations at once.
        device: Where to compute; by default where the model is.
        with_emotions: Also give the probabilities of the utterances' emotions, of a model that has learned them:
            its training data had emotions, and ``emotion_category_weight`` was not 0.
        threshold: Of conversations: smallest P(class 0) that makes a pair; by default the model's own rule.
        window: Of conversations: pairs whose turns are at least so far apart are not scored; 0 reads each whole.
        emotion_model: Of conversations: the model of emotions whose predictions the scorer takes, or its run.
        emotion_text_encoder: Of conversations: the encoder of its frozen text features, where it has moved.
        explaining: For a model of explanations alone: what to explain, and what it is told; see
            :class:`~iemomecp_dataset.trainers.explanation.prediction.Explaining`. Its ``progress`` is also for
            conversations.

    Returns:
        For a conversation a :class:`~iemomecp_dataset.trainers.pipelines.predicted.PredictedConversation`, for a list
        of them a list, for a generator of them an iterator. For each row ``(pairs, C)`` probabilities in the order of
        its pairs: concatenated, they stand in the order of :func:`iemomecp_dataset.pair_table.pair_table`. Column 0 is
        the positive class; the model's ``config.class_names`` names all. With ``with_emotions`` a second list, for each
        row ``(n, K)`` probabilities of its utterances' emotion categories, which ``config.emotion_names`` names. Of a
        model of emotions, for each row ``(n, C)`` probabilities of its utterances' emotions, which
        ``config.class_names`` names. Of a model of explanations, for each row a list of
        :class:`~iemomecp_dataset.trainers.explanation.prediction.WrittenExplanation`.

    Raises:
        MissingDataError: There is no model, or features that it needs are not given.
        MissingModelError: Its text encoder is neither on disk nor reachable.
        InvalidDataError: A row lacks a field or has a value that does not fit; or features or encoder have another
            width than in training.
        UsageError: The folder holds no scorer of this package, or one that predicts no emotions is asked for them; or
            there is no such device.
    """
    _check_known(explaining)
    if isinstance(rows, Mapping):
        raise UsageError(
            "predict takes a list of dialogues (rows), or one split of a dataset, or conversations; for a single row "
            f"give [row]. Got {type(rows).__name__}."
        )
    if isinstance(rows, Iterator):
        rows, first = _peeked(rows)
        conversations = first is not None and not _is_row(first)
    else:
        conversations = _are_conversations(rows)
    if conversations:
        told = dict(explaining)
        progress = bool(told.pop("progress", False))
        unused = {"text": text, "event": event, "emotions": emotions, "with_emotions": with_emotions or None, **told}
        _check_unused(unused, "is for rows, and a conversation is given")
        pipeline = EmotionCausePipeline(
            model,
            device=device,
            batch_size=batch_size,
            threshold=threshold,
            window=window,
            emotion_model=emotion_model,
            text_encoder=text_encoder,
            emotion_text_encoder=emotion_text_encoder,
            audio=audio,
            video=video,
            progress=progress,
            max_missing_features=max_missing_features,
        )
        return pipeline(rows)
    for_conversations = {
        "threshold": threshold,
        "window": window,
        "emotion_model": emotion_model,
        "emotion_text_encoder": emotion_text_encoder,
    }
    _check_unused(for_conversations, "is for conversations, and rows are given")
    asked = dict(explaining)
    moved = {name: asked.pop(name) for name in ("language_model",) if name in asked}
    chosen = None if device is None else usable_device(device)
    scorer = load_scorer(model, **moved) if isinstance(model, (str, Path)) else model
    scorer = (scorer if chosen is None else scorer.to(chosen)).eval()
    entry = scorer_of_model_type(scorer.config.model_type)
    if entry is None:
        raise UsageError(
            f"{type(scorer).__name__} is not a registered scorer. Register it with "
            "iemomecp_dataset.trainers.register_scorer."
        )
    if entry.task == "explanation":
        unused = {"text": text, "event": event, "audio": audio, "video": video, "text_encoder": text_encoder}
        given = [name for name, value in unused.items() if value is not None] + ["with_emotions"] * with_emotions
        if given:
            raise UsageError(
                f"{type(scorer).__name__} writes texts, and {', '.join(given)} has no effect. Leave it out."
            )
        rows = rows if hasattr(rows, "features") else list(rows)
        for number, row in enumerate(rows):
            _bare_row(row, number)
        return entry.load_write()(
            scorer,
            rows,
            emotions=emotions,
            max_missing_features=max_missing_features,
            batch_size=batch_size,
            **asked,
        )
    if isinstance(scorer, EnsembleScorer):
        for_members: dict[str, Any] = {
            "text": text,
            "event": event,
            "audio": audio,
            "video": video,
            "text_encoder": text_encoder,
            "max_missing_features": max_missing_features,
            "emotions": emotions,
            "batch_size": batch_size,
            "with_emotions": with_emotions,
            **explaining,
        }
        if with_emotions:
            _check_common_emotions(scorer)
        rows = rows if hasattr(rows, "features") else list(rows)
        each = [predict(one, rows, **for_members) for one in scorer.members]
        return _averaged(each, scorer.weights)
    if explaining:
        raise UsageError(
            f"{type(scorer).__name__} gives probabilities, and {', '.join(explaining)} has no effect: it is "
            "for models of explanations. Leave it out."
        )
    of_pairs = entry.task == "pairs"
    if with_emotions and not of_pairs:
        raise UsageError(f"{type(scorer).__name__} predicts emotions alone. Leave with_emotions out.")
    if with_emotions and not getattr(scorer.config, "emotion_names", None):
        raise UsageError(
            f"This {type(scorer).__name__} predicts no emotions: it was trained on data without emotions, or "
            "with --emotion_category_weight 0. Leave with_emotions out, or train one with them."
        )
    dialogues = [_bare_row(row, number) for number, row in enumerate(rows)]
    if not dialogues:
        return ([], []) if with_emotions else []
    inputs = checked_emotion_inputs(emotions, dialogues, getattr(scorer.config, "emotion_input_names", None))
    if inputs is not None:
        dialogues = with_emotion_inputs(dialogues, inputs)
    ids = [u["utterance_id"] for row in dialogues for u in row["utterances"]]
    # Its texts are vectors of a store where it was trained on such, or where they are given.
    of_store = not of_pairs and (text is not None or not getattr(scorer.config, "text_encoder_name", None))
    vectors = {
        name: feature_vectors(name, table, ids, int(getattr(scorer.config, f"{name}_size")), max_missing_features)
        for name, table in (("audio", audio), ("video", video), ("text", text), ("event", event))
        if getattr(scorer.config, f"{name}_size", 0) and (name in ("audio", "video") or of_store)
    }
    if of_pairs and not with_emotions and not any(row["pairs"] for row in dialogues):
        return [np.zeros((0, len(scorer.config.id2label))) for _ in dialogues]
    task = entry.build_inference_task(scorer, dialogues, vectors, text_encoder)
    counts = [len(row["pairs" if of_pairs else "utterances"]) for row in dialogues]
    probabilities, categories = scored_rows(task, counts, batch_size)
    return (probabilities, categories) if with_emotions else probabilities


def _check_common_emotions(ensemble: EnsembleScorer) -> None:
    """Refuses to average emotions that not all members predict."""
    names = {
        member_folder(place): tuple(getattr(one.config, "emotion_names", None) or ())
        for place, one in enumerate(ensemble.members)
    }
    lacking = [member for member, of_member in names.items() if not of_member]
    if lacking:
        raise UsageError(
            f"Of the members of this ensemble {', '.join(lacking)} predict{'s' * (len(lacking) == 1)} no emotions: "
            "these were trained without --emotion_category_weight. Leave with_emotions out."
        )
    if len(set(names.values())) > 1:
        listed = "; ".join(f"{member}: {', '.join(of_member)}" for member, of_member in names.items())
        raise UsageError(
            f"The members of this ensemble predict different emotions, which have no mean ({listed}). Leave "
            "with_emotions out."
        )


def _averaged(predicted: Sequence[Any], weights: Sequence[float]) -> Any:
    """The mean of what members predict: lists of arrays, or pairs of such lists."""
    if isinstance(predicted[0], tuple):
        return tuple(_averaged(part, weights) for part in zip(*predicted, strict=True))
    return [np.tensordot(np.asarray(weights), np.stack(of_row), axes=1) for of_row in zip(*predicted, strict=True)]


def _peeked(rows: Iterator[Any]) -> tuple[Iterator[Any], Any]:
    """The same items again, and the first; None if there is none."""
    for first in rows:
        return itertools.chain([first], rows), first
    return iter(()), None


def _is_row(item: Any) -> bool:
    """Whether an item of a list is a row: a mapping that is neither an utterance nor a conversation without id."""
    return isinstance(item, Mapping) and not ({"speaker", "text"} & item.keys() or {*item} == {"utterances"})


def _are_conversations(given: Any) -> bool:
    """Whether the user gives one conversation or several, and not rows."""
    if isinstance(given, (str, Path, Conversation)):
        return True
    # A split of a dataset has rows; so has a list of nothing.
    if hasattr(given, "features") or not isinstance(given, Iterable):
        return False
    first = next(iter(given), None)
    return first is not None and not _is_row(first)


def _check_known(explaining: Mapping[str, Any]) -> None:
    """Refuses names that ``predict`` does not have, which would be taken for those of models of explanations."""
    if not explaining:
        return
    # Read from the function that takes them: the class of these names lies above this module.
    of_explanations = inspect.signature(find_scorer("explanation").load_write()).parameters
    own = inspect.signature(predict).parameters
    known = dict.fromkeys(("language_model", *own, *of_explanations))
    for name in explaining:
        if name not in known or name == "explaining":
            listed = [one for one in known if one not in ("model", "rows", "explaining")]
            raise UsageError(f"predict has no argument {name!r}. {did_you_mean(name, listed)}")


def _check_unused(given: Mapping[str, Any], why: str) -> None:
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise UsageError(f"{', '.join(named)} {why}. Leave it out.")


_UTTERANCE = ("turn", "utterance_id", "speaker", "text")


def _bare_row(row: Any, number: int) -> dict[str, Any]:
    """The part of a row that a scorer gets, checked: no labels, no emotions."""
    where = f"rows[{number}]"
    _check_fields(row, ("dialogue_id", "utterances"), where)
    where = f"{where} (dialogue_id {row['dialogue_id']!r})"
    listed = isinstance(row["utterances"], Iterable) and not isinstance(row["utterances"], (str, Mapping))
    given = list(row["utterances"]) if listed else []
    if not given:
        found = "empty" if listed else json_kind(row["utterances"])
        raise InvalidDataError(f"{where}: 'utterances' must be a list of at least one utterance, but is {found}.")
    for place, utterance in enumerate(given):
        _check_fields(utterance, _UTTERANCE, f"{where}, utterances[{place}]")
        if utterance["turn"] != place + 1:
            raise InvalidDataError(
                f"{where}, utterances[{place}]: 'turn' must be {place + 1}, but is {utterance['turn']!r}. Utterances "
                "stand in order and are numbered from 1."
            )
        if utterance["text"] is not None:
            check_text_fields(utterance, ("text",), f"{where}, utterances[{place}]")
    utterances = [
        {**{name: utterance[name] for name in _UTTERANCE}, "text": utterance["text"] or "", "emotion": None}
        for utterance in given
    ]
    turns = range(1, len(given) + 1)
    candidates = [(target, cause) for target in turns for cause in turns]
    if row.get("pairs") is not None:
        for place, pair in enumerate(row["pairs"]):
            _check_fields(pair, ("target_turn", "cause_turn"), f"{where}, pairs[{place}]")
        candidates = [check_pair(pair["target_turn"], pair["cause_turn"], len(given), where) for pair in row["pairs"]]
    return {
        "dialogue_id": row["dialogue_id"],
        "utterances": utterances,
        "pairs": [{"target_turn": target, "cause_turn": cause, "label": 1} for target, cause in candidates],
    }


def _check_fields(entry: Any, names: Iterable[str], where: str) -> None:
    if not isinstance(entry, Mapping):
        raise InvalidDataError(
            f"{where} must be a dictionary with {', '.join(map(repr, names))}, as in the rows of "
            f"iemomecp_dataset.load, but is {json_kind(entry)}."
        )
    missing = [repr(name) for name in names if name not in entry]
    if missing:
        raise InvalidDataError(f"{where} lacks {', '.join(missing)}, which predict needs.")
