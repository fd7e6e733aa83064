"""Several pair scorers as one model: what they predict is averaged.

::

    model/
      config.json     classes, decision rule, weights, names of the folders of members
      member_1/       save_pretrained of the first, with the tokenizer of an encoder that was trained with it
      member_2/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn
from transformers import PreTrainedModel

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.trainers.pairs.config import NAMES, Expected, PairScorerConfig, count

__all__ = ["EnsembleConfig", "EnsembleScorer", "member_folder"]


def member_folder(place: int) -> str:
    """Names the folder of a member.

    Args:
        place: Its place among the members, from 0.

    Example:
        >>> member_folder(0)
        'member_1'
    """
    return f"member_{place + 1}"


def _are_folders(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(name, str) and re.fullmatch(r"member_[1-9]\d*", name) for name in value
    )


def _are_weights(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(type(one) in (int, float) and 0 <= one <= 1 for one in value)


class EnsembleConfig(PairScorerConfig):
    """Configuration of an :class:`EnsembleScorer`.

    Attributes:
        members: Folders of the members, within the folder of the model.
        weights: Weight of each in the mean, summing to one.
        text_size: Width of the text features of members on a frozen encoder; 0 where none has such.
        audio_size: Width of audio features, where a member uses any.
        video_size: The same for video.
        text_encoder_name: The frozen encoder, where all members have the same.
        max_tokens: Tokens after which members cut a text.
        emotion_names: The emotion categories that all members predict.
        emotion_input_names: The emotions that all members take from another model.
    """

    model_type = "iemomecp_ensemble"

    members: list[str] | None = None
    weights: list[float] | None = None
    text_size: int = 0
    audio_size: int = 0
    video_size: int = 0
    text_encoder_name: str | None = None
    max_tokens: int = 0
    emotion_names: list[str] | None = None
    emotion_input_names: list[str] | None = None

    _expected: ClassVar[dict[str, Expected]] = {
        "members": Expected("a list of folders member_1, member_2 and so on", _are_folders, optional=True),
        "weights": Expected("a list of numbers from 0 to 1", _are_weights, optional=True),
        **{name: count(0) for name in ("text_size", "audio_size", "video_size", "max_tokens")},
        "emotion_names": NAMES,
        "emotion_input_names": NAMES,
    }


class EnsembleScorer(PreTrainedModel):  # type: ignore[misc]
    """Pair scorers whose probabilities are averaged, each encoding dialogues in its own way.

    It has no ``forward``: :func:`~iemomecp_dataset.trainers.inference.predict` and
    :class:`~iemomecp_dataset.trainers.pipelines.pipeline.EmotionCausePipeline` apply each member, and average.

    Args:
        config: The configuration.
        members: The models, in its order.
    """

    config_class = EnsembleConfig
    base_model_prefix = "ensemble"

    def __init__(self, config: EnsembleConfig, members: Sequence[PreTrainedModel] = ()) -> None:
        super().__init__(config)
        self.members = nn.ModuleList(members)

    @property
    def weights(self) -> list[float]:
        """Weight of each member in the mean."""
        return list(self.config.weights or [1 / len(self.members)] * len(self.members))

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        found: torch.device = next(self.parameters()).device
        return found

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **options: Any) -> Any:
        """Loads the members from the folder of the model.

        Args:
            pretrained_model_name_or_path: The folder, or a name on the Hub.
            *args: Not used.
            **options: ``dtype`` is that of all members; nothing else is used.

        Raises:
            InvalidDataError: The configuration states no members or as many weights, or a member is damaged.
            MissingDataError: It is not the folder of a model, or that of a member is missing.
        """
        from iemomecp_dataset.trainers.pipelines.loading import load_scorer
        from iemomecp_dataset.trainers.sharing.fetching import fetched_model

        folder = Path(fetched_model(pretrained_model_name_or_path))
        if not (folder / "config.json").is_file():
            inner = " Give the folder model in it." if (folder / "model" / "config.json").is_file() else ""
            raise MissingDataError(
                f"{folder} holds no model (no config.json)."
                + (inner or " Give the folder model of a run that iemomecp ensemble has made.")
            )
        config = EnsembleConfig.from_pretrained(folder)
        names, weights = config.members or [], config.weights or []
        if len(names) < 2 or len(weights) != len(names) or abs(sum(weights) - 1) > 1e-6:
            raise InvalidDataError(
                f"{folder / 'config.json'}: an ensemble states at least two members and a weight for each, which sum "
                f"to 1; found {len(names)} members and weights {weights}. Make the ensemble again."
            )
        # Earlier versions of transformers give what a caller has asked for in the configuration.
        dtype = options.get("dtype") or getattr(options.get("config"), "dtype", None)
        members = [load_scorer(folder / name, **({} if dtype is None else {"dtype": dtype})) for name in names]
        for name, member in zip(names, members, strict=True):
            classes = list(member.config.id2label.values())
            if isinstance(member, cls) or classes != list(config.id2label.values()):
                raise InvalidDataError(
                    f"{folder / name}: the classes of the member are {', '.join(classes)}; those of the ensemble are "
                    f"{', '.join(config.id2label.values())}. Make the ensemble again."
                )
        model = cls(config, members)
        model.name_or_path = model.config.name_or_path = str(folder)
        return model.eval()

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:
        """Saves the configuration, and each member in a folder of its own.

        Args:
            save_directory: The folder.
            **options: Passed on to ``save_pretrained`` of the members.
        """
        from iemomecp_dataset.trainers.dialogue.task import inference_encoder

        folder = Path(save_directory)
        self.config.members = [member_folder(place) for place in range(len(self.members))]
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(folder)
        members: list[Any] = list(self.members)
        for name, member in zip(self.config.members, members, strict=True):
            member.save_pretrained(folder / name, **options)
            if getattr(member, "text_encoder", None) is not None and (encoder := inference_encoder(member, None)):
                encoder.tokenizer.save_pretrained(folder / name)

    def forward(self, *args: Any, **inputs: Any) -> Any:
        """Refuses to run: members take inputs of their own."""
        raise UsageError(
            "An ensemble is applied by iemomecp_dataset.trainers.predict(model, rows) or EmotionCausePipeline(model), "
            "which give each member its own inputs."
        )
