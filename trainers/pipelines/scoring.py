"""Scores conversations with a trained pair scorer of any kind: pooled, in windows where they are long, put together.

Conversations are pooled until they have some thousand utterances. The distinct texts of a pool are encoded once,
sorted by length; the windows of its conversations are scored in batches of similar length. What a pool needs is freed
before the next one is read.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from accelerate.utils import send_to_device
from numpy.typing import NDArray
from transformers import PreTrainedModel

from iemomecp_dataset.conversations.conversation import Conversation
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, MissingModelError, UsageError
from iemomecp_dataset.features import FeatureTable
from iemomecp_dataset.trainers.dialogue.emotion_inputs import with_emotion_inputs
from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy
from iemomecp_dataset.trainers.isolated.task import IsolatedStrategy
from iemomecp_dataset.trainers.pipelines.loaded_model import LoadedModel, TrainedOn, load_emotion_model
from iemomecp_dataset.trainers.pipelines.loading import feature_vectors, load_scorer, scored_rows
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation, checked_threshold
from iemomecp_dataset.trainers.pipelines.windows import (
    Reading,
    Stitched,
    Window,
    n_candidates,
    reading,
    separate_reading,
)

__all__ = ["ConversationScorer", "FeatureSource", "ScoringSettings"]

FeatureSource = FeatureTable | str | Path
Vectors = Mapping[str, NDArray[np.float32]]
Modality = Literal["audio", "video"]
MODALITIES: tuple[Modality, ...] = ("audio", "video")

POOL_UTTERANCES = 4096
"""Utterances of a pool; a single longer conversation makes a pool of its own."""

_BATCH_PAIRS = 1 << 16
_GROUP_PAIRS = 1 << 15
_PAIRS_PER_CONVERSATION = 8
"""Pairs at once for a model that scores pairs one at a time, for each conversation of ``batch_size``."""


@dataclass(frozen=True)
class ScoringSettings:
    """How conversations are scored.

    Attributes:
        batch_size: Conversations, or windows, at once.
        threshold: Smallest P(class 0) that makes a pair; None for the model's own rule.
        window: Pairs whose turns are at least so far apart are not scored; 0 reads every conversation whole; None: as
            the model was trained.
        audio: Feature table, or its Parquet file, in place of recordings.
        video: The same for video.
        audio_encoder: Folder of the speech encoder of recordings, where it is not found under its recorded name.
        video_encoder: The same for the image encoder.
        progress: Show a progress bar.
        max_missing_features: Share of the utterances of a pool that may lack an audio or video vector.
    """

    batch_size: int = 8
    threshold: float | None = None
    window: int | None = None
    audio: FeatureSource | None = None
    video: FeatureSource | None = None
    audio_encoder: str | Path | None = None
    video_encoder: str | Path | None = None
    progress: bool = False
    max_missing_features: float = 0.01

    def check(self) -> None:
        """Checks the numbers.

        Raises:
            UsageError: One cannot work.
        """
        if isinstance(self.batch_size, bool) or not isinstance(self.batch_size, int) or self.batch_size < 1:
            raise UsageError(f"batch_size must be a number of conversations, at least 1, but is {self.batch_size!r}.")
        if self.threshold is not None:
            checked_threshold(self.threshold)
        share = self.max_missing_features
        if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0 <= share <= 1:
            raise UsageError(f"max_missing_features must be a share, a number from 0 to 1, but is {share!r}.")
        reading(1, 1, self.window)


@dataclass(frozen=True)
class _Piece:
    """A window of one conversation of a pool, as a row."""

    conversation: int
    window: Window
    reach: int
    row: dict[str, Any]


@dataclass
class _Found:
    """What is collected for one conversation."""

    stitched: Stitched
    cut_pairs: int = 0


class ConversationScorer:
    """A pair scorer, and if need be a model of emotions, applied to conversations.

    Args:
        loaded: The pair scorer.
        name: What results call the model.
        emotion_model: Model of emotions, or the folder of its run.
        emotion_text_encoder: The encoder of its frozen text features, if its path is not that of training.

    Raises:
        IemomecpError: The model of emotions cannot be loaded, or is none, or has other emotions than the pair scorer
            was trained with.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        name: str,
        emotion_model: PreTrainedModel | str | Path | None = None,
        emotion_text_encoder: str | None = None,
    ) -> None:
        self.loaded = loaded
        self.name = name
        self.emotions = _emotion_model(emotion_model, loaded.model.device, emotion_text_encoder)
        config = loaded.model.config
        self.trained_on = TrainedOn.of(loaded.model)
        self._class_names = tuple(config.class_names or config.id2label.values())
        threshold = getattr(config, "threshold", None)
        self._rule = DecisionRule("argmax" if threshold is None else "threshold", threshold)
        self._input_names = tuple(getattr(config, "emotion_input_names", None) or ())
        self._category_names = tuple(getattr(config, "emotion_names", None) or ())
        if self.emotions is not None:
            self._category_names = tuple(self.emotions.model.config.class_names)
            if self._input_names and sorted(self._input_names) != sorted(self._category_names):
                raise UsageError(
                    f"emotion_model has the emotions {', '.join(self._category_names)}; {name} was trained with "
                    f"{', '.join(self._input_names)}. Give a run on the same corpus."
                )
        self.synthetic, self._of_training = self.trained_on.synthetic, self.trained_on.notes
        if self.emotions is not None:
            beside = TrainedOn.of(self.emotions.model)
            self.synthetic = self.synthetic or beside.synthetic
            self._of_training = (*self._of_training, *_of_emotion_model(beside, self.trained_on))

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """``audio`` and ``video``, as far as the pair scorer or the model of emotions uses them."""
        models = [self.loaded] if self.emotions is None else [self.loaded, self.emotions]
        return tuple(name for name in MODALITIES if any(name in model.modalities for model in models))

    def check_used(self, settings: ScoringSettings) -> None:
        """Refuses features and encoders that nothing takes.

        Args:
            settings: How conversations are to be scored.

        Raises:
            UsageError: The models do not use the modality of one.
        """
        for name in MODALITIES:
            given = [option for option in (name, f"{name}_encoder") if getattr(settings, option) is not None]
            if given and name not in self.modalities:
                raise not_used(name, given[0])

    def stream(
        self, conversations: Iterable[Conversation], settings: ScoringSettings
    ) -> Iterator[PredictedConversation]:
        """Scores conversations as they come, in their order.

        Args:
            conversations: Any number.
            settings: How they are scored.

        Yields:
            The predictions of each.

        Raises:
            IemomecpError: A conversation or a setting does not fit the model.
        """
        from tqdm.auto import tqdm

        with tqdm(desc="Scoring", unit="conversation", disable=not settings.progress) as bar:
            for pool in _pools(conversations):
                yield from self._score(pool, settings)
                bar.update(len(pool))

    def _score(self, pool: Sequence[Conversation], settings: ScoringSettings) -> Iterator[PredictedConversation]:
        max_tokens = getattr(self.loaded.model.config, "max_tokens", 0)
        if self._input_names and self.emotions is None:
            raise MissingDataError(
                f"{self.name} takes the emotions that another model predicts (it was trained with --emotion_from): "
                "give emotion_model= a run of trainers/emotion.py or trainers/ecerc.py."
            )
        notes = [self._checked(conversation, settings) for conversation in pool]
        rows = [conversation.to_row() for conversation in _distinct(pool, settings)]
        read = separate_reading if not self.loaded.entry.context else reading
        readings = [read(len(one.utterances), self.trained_on.longest, settings.window) for one in pool]
        pieces = [
            _Piece(place, window, of_one.reach, _cut_out(row, window))
            for place, (row, of_one) in enumerate(zip(rows, readings, strict=True))
            for window in of_one.windows
        ]
        # Of similar length side by side, so that little of a batch is padding.
        pieces.sort(key=lambda piece: len(piece.window))
        found = [
            _Found(Stitched(len(one.utterances), of_one.reach, len(self._class_names)))
            for one, of_one in zip(pool, readings, strict=True)
        ]
        categories = self._categories(pieces, rows, pool, settings)
        vectors = self._vectors(self.loaded, rows, pool, settings)
        if self._input_names and categories is not None:
            order = [self._category_names.index(name) for name in self._input_names]
            given = with_emotion_inputs([piece.row for piece in pieces], [values[:, order] for values in categories])
            pieces = [replace(piece, row=row) for piece, row in zip(pieces, given, strict=True)]
        truncated: frozenset[str] = frozenset()
        if self.loaded.takes_encoder:
            truncated = self._score_dialogues(pieces, vectors, categories, found, settings)
        else:
            self._score_pairs(pieces, vectors, categories, found, settings)
        for conversation, row, of_one, collected, known in zip(pool, rows, readings, found, notes, strict=True):
            targets, causes, pairs = collected.stitched.pairs()
            of_turns = collected.stitched.of_turns()
            texts = [spoken.text for spoken in conversation.utterances]
            own = self._rule
            asked = settings.threshold
            yield PredictedConversation(
                conversation=conversation,
                class_names=self._class_names,
                targets=targets,
                causes=causes,
                pair_probabilities=pairs,
                decision=own if asked is None else DecisionRule("threshold", checked_threshold(asked), "user"),
                model=self.name,
                emotion_probabilities=of_turns.get("emotional"),
                category_names=self._category_names if "categories" in of_turns else (),
                category_probabilities=of_turns.get("categories"),
                synthetic=self.synthetic,
                notes=(
                    *known,
                    *self._of_training,
                    *self._of_missing(row, vectors),
                    *self._of_windows(of_one, len(texts), len(targets), settings.window),
                    *_of_cut_texts(sum(text in truncated for text in texts), collected.cut_pairs, max_tokens),
                ),
                model_decision=own,
            )

    def check(self, conversation: Conversation, settings: ScoringSettings) -> None:
        """Refuses a conversation that cannot be scored, whatever it is scored together with.

        Args:
            conversation: The conversation.
            settings: How it is to be scored.

        Raises:
            IemomecpError: It lacks what the model uses, or has more turns than are read at once.
        """
        self._checked(conversation, settings)
        if self.loaded.entry.context:
            reading(len(conversation.utterances), self.trained_on.longest, settings.window)

    def _checked(self, conversation: Conversation, settings: ScoringSettings) -> tuple[str, ...]:
        """What the reading of a conversation changed; refuses one that the model cannot use."""
        if not conversation.utterances:
            raise InvalidDataError(f"The conversation {conversation.name!r} is empty: give at least one utterance.")
        recorded = any(spoken.audio or spoken.video for spoken in conversation.utterances)
        given = settings.audio is not None or settings.video is not None
        notes = conversation.notes
        if recorded:
            from iemomecp_dataset.trainers.pipelines.recordings import check_recordings

            of_emotions = () if self.emotions is None else self.emotions.modalities
            notes = (*notes, *check_recordings(self.loaded.model, [conversation], beside=of_emotions))
        if self.loaded.encoder is not None and not any(spoken.text.strip() for spoken in conversation.utterances):
            raise UsageError(
                f"{self.name} reads texts, but the conversation {conversation.name!r} has none. Give what was said, or "
                "use a model that was trained without text."
            )
        if self.loaded.modalities and not recorded and not given:
            name = self.loaded.modalities[0]
            raise MissingDataError(
                f"{self.name} uses {' and '.join(self.loaded.modalities)}, but the conversation {conversation.name!r} "
                f"has no recording. Give each utterance {name!r}, a file, or give {name}= a feature table."
            )
        return notes

    def _vectors(
        self,
        loaded: LoadedModel,
        rows: Sequence[Mapping[str, Any]],
        pool: Sequence[Conversation],
        settings: ScoringSettings,
    ) -> dict[str, Vectors]:
        vectors: dict[str, Vectors] = {}
        for name in loaded.modalities:
            table = getattr(settings, name)
            if table is not None:
                ids = [utterance["utterance_id"] for row in rows for utterance in row["utterances"]]
                size = int(getattr(loaded.model.config, f"{name}_size"))
                vectors[name] = feature_vectors(name, table, ids, size, settings.max_missing_features)
                continue
            from iemomecp_dataset.trainers.pipelines.recordings import encode_recordings

            vectors[name] = encode_recordings(
                loaded.model,
                _distinct(pool, settings),
                modality=name,
                device=loaded.model.device,
                progress=settings.progress,
                encoder=getattr(settings, f"{name}_encoder"),
                max_missing_features=settings.max_missing_features,
            )
        return vectors

    def _of_missing(self, row: Mapping[str, Any], vectors: Mapping[str, Vectors]) -> list[str]:
        """Which vectors a conversation lacks."""
        ids = [utterance["utterance_id"] for utterance in row["utterances"]]
        if all(key in of_stream for of_stream in vectors.values() for key in ids):
            return []
        from iemomecp_dataset.trainers.pipelines.recordings import missing_vectors_note

        found = [missing_vectors_note(ids, vectors[name], name) for name in self.loaded.modalities]
        return [note for note in found if note is not None]

    def _categories(
        self,
        pieces: Sequence[_Piece],
        rows: Sequence[Mapping[str, Any]],
        pool: Sequence[Conversation],
        settings: ScoringSettings,
    ) -> list[NDArray[np.float64]] | None:
        """By piece ``(n, K)`` probabilities from the model of emotions, where one is given."""
        if self.emotions is None:
            return None
        model, vectors = self.emotions, self._vectors(self.emotions, rows, pool, settings)
        task = model.entry.build_inference_task(
            model.model, [{**piece.row, "pairs": []} for piece in pieces], vectors, model.given_encoder
        )
        return scored_rows(task, [len(piece.window) for piece in pieces], settings.batch_size)[0]

    def _score_dialogues(
        self,
        pieces: Sequence[_Piece],
        vectors: Mapping[str, Vectors],
        categories: Sequence[NDArray[np.float64]] | None,
        found: Sequence[_Found],
        settings: ScoringSettings,
    ) -> frozenset[str]:
        """Scores windows with a model of whole dialogues; returns the texts that were cut."""
        model = self.loaded.model
        task = self.loaded.entry.build_inference_task(
            model, [{**piece.row, "pairs": []} for piece in pieces], vectors, self.loaded.given_encoder
        )
        strategy = cast(DialogueStrategy, task.strategy)
        examples = task.examples["test"]
        with torch.inference_mode():
            for positions in _batches(pieces, settings.batch_size):
                # Opened here and not for the whole pool: a window of 64 turns has 4096 pairs.
                opened: Any = {
                    place: examples[place].with_candidates(self.trained_on.candidates) for place in positions
                }
                batch = send_to_device(strategy.collate(list(opened.items())), model.device)
                for one in strategy.predictions(model, batch, opened):
                    of_turns = {"emotional": one.emotional, "categories": one.categories}
                    if categories is not None:
                        of_turns["categories"] = categories[one.position]
                    piece, example = pieces[one.position], opened[one.position]
                    found[piece.conversation].stitched.add(
                        piece.window,
                        example.targets,
                        example.causes,
                        one.pairs,
                        {name: values for name, values in of_turns.items() if values is not None},
                    )
        return frozenset(strategy.collator.inputs.truncated)

    def _score_pairs(
        self,
        pieces: Sequence[_Piece],
        vectors: Mapping[str, Vectors],
        categories: Sequence[NDArray[np.float64]] | None,
        found: Sequence[_Found],
        settings: ScoringSettings,
    ) -> None:
        """Scores windows with a model that prepares its own inputs, such as the isolated scorer, by lists of pairs."""
        model, entry, space = self.loaded.model, self.loaded.entry, self.trained_on.candidates
        for group in _groups(pieces):
            listed = [
                piece.window.candidates(space, len(piece.window) if entry.context else piece.reach)
                for piece in (pieces[place] for place in group)
            ]
            rows = [
                {**pieces[place].row, "pairs": _pair_rows(targets, causes)}
                for place, (targets, causes) in zip(group, listed, strict=True)
            ]
            task = entry.build_inference_task(model, rows, vectors, self.loaded.given_encoder)
            at_once = settings.batch_size * (1 if entry.context else _PAIRS_PER_CONVERSATION)
            pairs, own = scored_rows(task, [len(targets) for targets, _ in listed], at_once)
            cut = np.zeros(len(group), dtype=np.int64)
            if isinstance(task.strategy, IsolatedStrategy):
                of_split: Any = task.examples["test"]
                np.add.at(cut, of_split.dialogues[task.strategy.cut(of_split)], 1)
            for number, (place, (targets, causes)) in enumerate(zip(group, listed, strict=True)):
                piece = pieces[place]
                of_turns = {"categories": own[number]} if own else {}
                if categories is not None:
                    of_turns["categories"] = categories[place]
                collected = found[piece.conversation]
                collected.stitched.add(piece.window, targets, causes, pairs[number], of_turns)
                collected.cut_pairs += int(cut[number])

    def _of_windows(self, read: Reading, turns: int, scored: int, window: int | None) -> list[str]:
        seen = f"the longest dialogue of its training has {self.trained_on.longest}"
        if not self.trained_on.recorded:
            seen = f"it states no longest dialogue and has {self.trained_on.longest} positions"
        if read.whole:
            if turns <= self.trained_on.longest or not self.loaded.entry.context:
                return []
            return [
                f"The conversation has {turns:,} turns and was read whole, as window={window} asks: the model was not "
                f"trained on so many turns ({seen})."
            ]
        left_out = n_candidates(turns, self.trained_on.candidates) - scored
        why = f"as window={window} asks" if window else f"as the model was not trained on so many turns ({seen})"
        windows = "one window" if len(read.windows) == 1 else f"{len(read.windows)} overlapping windows"
        how = f"{windows} of {len(read.windows[0])} turns"
        if not self.loaded.entry.context:
            how = "parts"
        return [
            f"The conversation has {turns:,} turns and was read in {how}, {why}: the {left_out:,} candidate "
            f"pair{'s' * (left_out != 1)} whose turns are {read.reach} or more apart "
            f"{'is' if left_out == 1 else 'are'} not scored."
        ]


def _emotion_model(
    model: PreTrainedModel | str | Path | None, device: torch.device, text_encoder: str | None
) -> LoadedModel | None:
    """The model of emotions with its encoder, whose option has a name of its own beside that of the pair model."""
    if model is None:
        if text_encoder is not None:
            raise UsageError(
                "emotion_text_encoder= is for the encoder of a model of emotions, and none is given. Give "
                "emotion_model= too, or leave emotion_text_encoder= out."
            )
        return None
    if text_encoder is not None:
        # A copy, so that the caller's model keeps the name of its encoder.
        moved = load_scorer(model) if isinstance(model, (str, Path)) else copy.copy(model)
        if not encodes_frozen_text(moved):
            raise UsageError(
                "The model of emotions has no frozen text features whose encoder could have moved. Leave "
                "emotion_text_encoder= out."
            )
        moved.config = copy.copy(moved.config)
        moved.config.text_encoder_name = text_encoder
        model = moved
    try:
        return load_emotion_model(model, device)
    except MissingModelError as error:
        raise MissingModelError(str(error).replace("--text_encoder", "emotion_text_encoder=")) from error


def encodes_frozen_text(model: PreTrainedModel) -> bool:
    """Whether a model reads features of an encoder that is not part of it."""
    return getattr(model, "text_encoder", None) is None and bool(getattr(model.config, "text_size", 0))


def not_used(modality: Modality, option: str) -> UsageError:
    """The error for an option with something of a modality that a model does not use."""
    return UsageError(f"This model does not use {modality}. Leave {option}= out, or give a model that does.")


def _of_emotion_model(beside: TrainedOn, pairs: TrainedOn) -> list[str]:
    """What a reader has to know of the training of the model of emotions."""
    if beside.stated_synthetic is None:
        return ["The model of emotions does not state whether it learned from synthetic text."]
    if beside.synthetic and not pairs.synthetic:
        return ["It is the model of emotions that learned from synthetic dialogues, not the model of pairs."]
    return []


def _of_cut_texts(texts: int, pairs: int, max_tokens: int) -> list[str]:
    if texts:
        return [f"{texts} utterance{'s' * (texts > 1)} cut after {max_tokens} tokens, as in training."]
    if pairs:
        return [f"The texts of {pairs} pair{'s' * (pairs > 1)} cut after {max_tokens} tokens, as in training."]
    return []


def _pools(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    pool: list[Conversation] = []
    size = 0
    for conversation in conversations:
        pool.append(conversation)
        size += len(conversation.utterances)
        if size >= POOL_UTTERANCES:
            yield pool
            pool, size = [], 0
    if pool:
        yield pool


def _distinct(pool: Sequence[Conversation], settings: ScoringSettings) -> Sequence[Conversation]:
    """The pool with distinct names, from which ids of utterances are made; names that a table of features has stay."""
    if settings.audio is not None or settings.video is not None:
        return pool
    counts = Counter(conversation.name for conversation in pool)
    if max(counts.values()) == 1:
        return pool
    # The place in front is no other's, whatever the names are.
    return [replace(one, name=f"{place} {one.name}") for place, one in enumerate(pool)]


def _cut_out(row: Mapping[str, Any], window: Window) -> dict[str, Any]:
    utterances = row["utterances"]
    if len(window) < len(utterances):
        utterances = [
            {**utterance, "turn": turn}
            for turn, utterance in enumerate(utterances[window.start : window.stop], start=1)
        ]
    return {"dialogue_id": row["dialogue_id"], "utterances": utterances}


def _pair_rows(targets: NDArray[np.int64], causes: NDArray[np.int64]) -> list[dict[str, int]]:
    # The label has no meaning; rows of datasets have one.
    return [
        {"target_turn": target + 1, "cause_turn": cause + 1, "label": 1}
        for target, cause in zip(targets.tolist(), causes.tolist(), strict=True)
    ]


def _batches(pieces: Sequence[_Piece], batch_size: int) -> Iterator[list[int]]:
    """Places of pieces, which are sorted by length; the pairs of a batch are bounded."""
    batch: list[int] = []
    for place, piece in enumerate(pieces):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * len(piece.window) ** 2 > _BATCH_PAIRS):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _groups(pieces: Sequence[_Piece]) -> Iterator[list[int]]:
    """Places of pieces whose pairs are listed at once; their number is bounded."""
    group: list[int] = []
    pairs = 0
    for place, piece in enumerate(pieces):
        size = len(piece.window) ** 2
        if group and pairs + size > _GROUP_PAIRS:
            yield group
            group, pairs = [], 0
        group.append(place)
        pairs += size
    if group:
        yield group
