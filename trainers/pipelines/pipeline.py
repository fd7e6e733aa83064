"""The pipeline of transformers for emotion-cause pairs: a conversation in, its pairs out.

Importing this module imports no model, so that it can be registered with transformers at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers.pipelines.base import Pipeline

from iemomecp_dataset.benchmark.runs.results import encoder_name
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from iemomecp_dataset.conversations.conversation import Conversation
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation
    from iemomecp_dataset.trainers.pipelines.scoring import ConversationScorer, FeatureSource, ScoringSettings

__all__ = ["EmotionCausePipeline"]

_BY_TRANSFORMERS = (
    *("feature_extractor", "image_processor", "video_processor", "processor", "args_parser", "binary_output"),
    *("torch_dtype", "dtype", "num_workers", "local_files_only", "framework"),
)
"""What ``transformers.pipeline`` may pass on; a pair model uses none of it once it is loaded."""


class EmotionCausePipeline(Pipeline):  # type: ignore[misc]
    """Predicts who felt what in a conversation, and why.

    ``pipeline("emotion-cause-pairs", model="runs/x/model")`` gives the same object. A call takes one conversation or a
    list of them, and gives a :class:`~iemomecp_dataset.trainers.pipelines.predicted.PredictedConversation` or a list;
    a generator of conversations gives an iterator, and memory then does not grow with their number.

    Args:
        model: A pair scorer, the folder it was saved in, or the folder of its run.
        tokenizer: The tokenizer of an encoder that is part of the model; by default the one saved with it.
        device: Where to compute; by default where the model is: on the CPU, if it is loaded from a folder.
        batch_size: Conversations at once, or windows of long ones.
        threshold: Smallest P(class 0) that makes a pair; by default the model's own rule.
        window: Pairs whose turns are at least so far apart are not scored; 0 reads every conversation whole. By default
            conversations with more turns than the longest dialogue of training are read in windows of that length.
        emotion_model: A model of emotions or its run: required for a pair model that was trained with
            ``emotion_from``; for any other it gives the emotion categories.
        text_encoder: For a model on frozen text features: the encoder, where it is not found under the name it had in
            training.
        emotion_text_encoder: The same for ``emotion_model``.
        audio: Feature table, or its Parquet file, in place of recordings. Utterances are found in it under
            ``<name of the conversation>_<turn>``.
        video: The same for video.
        audio_encoder: Folder of the speech encoder that made the model's audio features, where recordings are given and
            the encoder is not found under its recorded name.
        video_encoder: The same for the image encoder.
        progress: Show a progress bar.
        max_missing_features: Share of the utterances that may lack an audio or video vector.
        task: Name of the task, set by transformers.
        **others: What ``transformers.pipeline`` passes on.

    Raises:
        MissingDataError: There is no model.
        MissingModelError: Its text encoder is neither on disk nor reachable.
        UsageError: It is no pair model, there is no such device, or another argument cannot work.
    """

    _load_tokenizer = False
    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False

    def __init__(
        self,
        model: PreTrainedModel | str | Path,
        *,
        tokenizer: Any = None,
        device: int | str | torch.device | None = None,
        batch_size: int | None = None,
        threshold: float | None = None,
        window: int | None = None,
        emotion_model: PreTrainedModel | str | Path | None = None,
        text_encoder: str | None = None,
        emotion_text_encoder: str | None = None,
        audio: FeatureSource | None = None,
        video: FeatureSource | None = None,
        audio_encoder: str | Path | None = None,
        video_encoder: str | Path | None = None,
        progress: bool = False,
        max_missing_features: float = 0.01,
        task: str = "emotion-cause-pairs",
        **others: Any,
    ) -> None:
        from iemomecp_dataset.features.encoders.devices import usable_device
        from iemomecp_dataset.trainers.pipelines.loaded_model import load_pair_model
        from iemomecp_dataset.trainers.pipelines.scoring import ConversationScorer, ScoringSettings

        for name in others:
            if name not in _BY_TRANSFORMERS:
                raise UsageError(f"EmotionCausePipeline has no argument {name!r}. {did_you_mean(name, _ARGUMENTS)}")
        self._settings = ScoringSettings(
            batch_size=8 if batch_size is None else batch_size,
            threshold=threshold,
            window=window,
            audio=audio,
            video=video,
            audio_encoder=audio_encoder,
            video_encoder=video_encoder,
            progress=bool(progress),
            max_missing_features=max_missing_features,
        )
        self._settings.check()
        chosen = None if device is None else usable_device(device)
        loaded = load_pair_model(model, text_encoder=text_encoder, tokenizer=tokenizer)
        _check_text_encoder(loaded.model, text_encoder)
        super().__init__(
            model=loaded.model,
            tokenizer=None if loaded.encoder is None else loaded.encoder.tokenizer,
            task=task,
            device=loaded.model.device if chosen is None else chosen,
            batch_size=self._settings.batch_size,
        )
        name = str(model) if isinstance(model, (str, Path)) else loaded.model.name_or_path or type(model).__name__
        if Path(name).exists():
            name = encoder_name(name)  # results are shared, and a local path means nothing elsewhere
        self._scorer = ConversationScorer(loaded, name, emotion_model, emotion_text_encoder)
        self._scorer.check_used(self._settings)

    @property
    def modalities(self) -> tuple[str, ...]:
        """``audio`` and ``video``, as far as the model, or the model of emotions beside it, uses them."""
        return self._scorer.modalities

    def __call__(self, conversations: Any, **changes: Any) -> Any:
        """Predicts the pairs of a conversation, or of several.

        Args:
            conversations: A conversation: a list of ``{"speaker": …, "text": …}`` or of ``(speaker, text)``, text of
                ``Speaker: words`` lines, the path of a file, or a
                :class:`~iemomecp_dataset.conversations.conversation.Conversation`; or a list of these; or a generator.
            **changes: ``batch_size``, ``threshold``, ``window``, ``emotion_model``, ``text_encoder``,
                ``emotion_text_encoder``, ``audio``, ``video``, ``audio_encoder``, ``video_encoder``, ``progress`` and
                ``max_missing_features``, for this call alone.

        Returns:
            A :class:`~iemomecp_dataset.trainers.pipelines.predicted.PredictedConversation` for one conversation, a list
            for a list, an iterator for a generator.

        Raises:
            IemomecpError: A conversation cannot be read, is empty, or lacks what the model uses.
        """
        scorer, settings = self._changed(changes)
        if isinstance(conversations, Iterator):
            return scorer.stream(_read_each(conversations), settings)
        read, single = _read(conversations)
        predicted = list(scorer.stream(read, settings))
        return predicted[0] if single else predicted

    def check(self, conversation: Conversation) -> None:
        """Refuses a conversation that the model cannot take.

        Args:
            conversation: The conversation.

        Raises:
            IemomecpError: It lacks what the model uses, or has more turns than are read at once.
        """
        self._scorer.check(conversation, self._settings)

    def _changed(self, changes: dict[str, Any]) -> tuple[ConversationScorer, ScoringSettings]:
        """The scorer and the settings of one call."""
        from iemomecp_dataset.trainers.pipelines.loaded_model import load_pair_model
        from iemomecp_dataset.trainers.pipelines.scoring import ConversationScorer

        named = {name: value for name, value in changes.items() if name not in _BY_TRANSFORMERS}
        scorer = self._scorer
        encoder, emotions = named.pop("text_encoder", None), named.pop("emotion_model", None)
        beside_encoder = named.pop("emotion_text_encoder", None)
        known = {field.name: field.default for field in fields(self._settings)}
        for name in named:
            if name in ("model", "tokenizer", "device"):
                raise UsageError(f"{name} is chosen when the pipeline is made, not in a call: EmotionCausePipeline(…, "
                                 f"{name}=…).")  # fmt: skip
            if name not in known:
                raise UsageError(f"The pipeline has no argument {name!r}. {did_you_mean(name, _ARGUMENTS)}")
        # None stands for what the pipeline has, but where it means something: `threshold=None` is the model's own rule.
        meant = {name: value for name, value in named.items() if value is not None or known[name] is None}
        settings = replace(self._settings, **meant)
        settings.check()
        _check_text_encoder(self.model, encoder)
        if encoder is not None or emotions is not None or beside_encoder is not None:
            loaded = scorer.loaded if encoder is None else load_pair_model(self.model, text_encoder=encoder)
            beside = emotions if emotions is not None or scorer.emotions is None else scorer.emotions.model
            scorer = ConversationScorer(loaded, scorer.name, beside, beside_encoder)
        scorer.check_used(settings)
        return scorer, settings

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:
        """Saves the model, and its tokenizer if its text encoder is part of it.

        The folder is then like ``model/`` of a run: no code of this package is copied into it.

        Args:
            save_directory: The folder.
            **options: Passed on to ``save_pretrained`` of the model.
        """
        # What an older model states in the record of its run alone goes with it.
        trained_on = self._scorer.trained_on
        for field, value in (("candidates", trained_on.stated_candidates), ("synthetic", trained_on.stated_synthetic)):
            if value is not None and getattr(self.model.config, field, None) is None:
                setattr(self.model.config, field, value)
        self.model.save_pretrained(save_directory, **options)
        if self.tokenizer is not None and getattr(self.model, "text_encoder", None) is not None:
            self.tokenizer.save_pretrained(save_directory)

    def _sanitize_parameters(self, **changes: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, changes, {}

    def preprocess(self, input_: Any, **_: Any) -> dict[str, Any]:
        """Reads what the user gives."""
        read, single = _read(input_)
        return {"conversations": read, "single": single}

    def _forward(self, input_tensors: dict[str, Any], **changes: Any) -> dict[str, Any]:
        scorer, settings = self._changed(changes)
        return {**input_tensors, "predicted": list(scorer.stream(input_tensors["conversations"], settings))}

    def postprocess(self, model_outputs: dict[str, Any], **_: Any) -> Any:
        """One object for one conversation, a list for several."""
        predicted: list[PredictedConversation] = model_outputs["predicted"]
        return predicted[0] if model_outputs["single"] else predicted


_ARGUMENTS = (
    *("batch_size", "threshold", "window", "emotion_model", "text_encoder", "emotion_text_encoder", "audio", "video"),
    *("progress", "audio_encoder", "video_encoder", "max_missing_features", "device", "tokenizer"),
)


def _check_text_encoder(model: PreTrainedModel, text_encoder: str | None) -> None:
    from iemomecp_dataset.trainers.pipelines.scoring import encodes_frozen_text

    if text_encoder is not None and not encodes_frozen_text(model):
        why = "its own encoder is part of it" if getattr(model, "text_encoder", None) is not None else "it has no text"
        raise UsageError(f"This model does not use text_encoder=, as {why}. Leave text_encoder= out.")


def _read(given: Any) -> tuple[list[Conversation], bool]:
    from iemomecp_dataset.conversations.reading import read_conversations

    if isinstance(given, (list, tuple)) and not given:
        raise InvalidDataError("The conversation is empty: give at least one utterance.")
    read: tuple[list[Conversation], bool] = read_conversations(given)
    return read


def _read_each(given: Iterator[Any]) -> Iterator[Conversation]:
    from iemomecp_dataset.conversations.reading import read_conversations

    for number, one in enumerate(given, start=1):
        read, _ = read_conversations(one, name=f"conversation_{number}")
        yield from read
