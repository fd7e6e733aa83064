"""A trained model that is ready for conversations, and what it states of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedModel

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.encoders.devices import usable_device
from iemomecp_dataset.files import read_json
from iemomecp_dataset.trainers.dialogue.task import inference_encoder
from iemomecp_dataset.trainers.encoders.text import TextEncoder
from iemomecp_dataset.trainers.ensemble.modeling import EnsembleScorer
from iemomecp_dataset.trainers.pairs.config import candidate_space
from iemomecp_dataset.trainers.pipelines.loading import load_scorer
from iemomecp_dataset.trainers.scorers import Scorer, is_built_in, scorer_of_model_type

__all__ = ["LoadedModel", "TrainedOn", "load_emotion_model", "load_pair_model"]

DEFAULT_LONGEST = 64
"""Turns of a window for a model that states neither its longest dialogue nor its positions."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready for new texts.

    Attributes:
        model: The model, in evaluation mode.
        entry: Its entry in the registry.
        encoder: Encoder and tokenizer of its texts; None for a model without text.
        members: Of an ensemble its members, which are applied in its place; empty for any other model.
    """

    model: PreTrainedModel
    entry: Scorer
    encoder: TextEncoder | None
    members: tuple[LoadedModel, ...] = ()

    @property
    def modalities(self) -> tuple[Literal["audio", "video"], ...]:
        """``audio`` and ``video``, as far as they are used."""
        both: tuple[Literal["audio", "video"], ...] = ("audio", "video")
        return tuple(name for name in both if getattr(self.model.config, f"{name}_size", 0))

    @property
    def takes_encoder(self) -> bool:
        """Whether ``prepare_inference`` of its entry is the default one, which takes a loaded encoder."""
        return self.entry.prepare_inference == Scorer.prepare_inference

    @property
    def given_encoder(self) -> Any:
        """The encoder in the form in which ``prepare_inference`` takes it: a custom one takes a name."""
        if self.encoder is None or is_built_in(self.entry.name) or self.takes_encoder:
            return self.encoder
        return self.encoder.name


def load_pair_model(
    model: PreTrainedModel | str | Path,
    *,
    device: str | torch.device | None = None,
    text_encoder: str | None = None,
    tokenizer: Any = None,
) -> LoadedModel:
    """Loads a pair scorer with what encodes its texts.

    Args:
        model: The model, its folder, or the folder of its run.
        device: Where to compute; by default where the model is.
        text_encoder: The encoder of frozen text features, if its path is not that of training.
        tokenizer: The tokenizer of an encoder that is part of the model; by default the one saved with it.

    Raises:
        MissingDataError: There is no model.
        MissingModelError: Its text encoder is neither on disk nor reachable.
        UsageError: It is no pair scorer of this package, nor a registered one; or there is no such device.
    """
    loaded = _load(model, device)
    if loaded.entry.task != "pairs":
        purpose, instead = {
            "erc": (
                "recognises emotions",
                "predict(model, rows) for its emotions, or emotion_model= beside a pair model",
            ),
            "explanation": ("writes explanations", "predict(model, rows)"),
        }[loaded.entry.task]
        raise UsageError(
            f"{_name(model)} holds a model that {purpose}, not one of emotion-cause pairs. Use "
            f"iemomecp_dataset.trainers.{instead}."
        )
    if isinstance(loaded.model, EnsembleScorer):
        return _with_members(loaded, text_encoder)
    return replace(loaded, encoder=inference_encoder(loaded.model, text_encoder, tokenizer))


def _with_members(loaded: LoadedModel, text_encoder: str | None) -> LoadedModel:
    """An ensemble with its members, of which those that read the same frozen encoder share it."""
    members: list[LoadedModel] = []
    shared: dict[str, TextEncoder] = {}
    for model in loaded.model.members:
        encoder = inference_encoder(model, text_encoder if _is_frozen(model) else None)
        if encoder is not None and _is_frozen(model):
            encoder = shared.setdefault(encoder.name, encoder)
        members.append(replace(_load(model, None), encoder=encoder))
    return replace(loaded, encoder=members[0].encoder, members=tuple(members))


def _is_frozen(model: PreTrainedModel) -> bool:
    return getattr(model, "text_encoder", None) is None


def load_emotion_model(model: PreTrainedModel | str | Path, device: torch.device) -> LoadedModel:
    """Loads a model that recognises emotions, to be used beside a pair scorer.

    Raises:
        IemomecpError: As :func:`load_pair_model`.
    """
    loaded = _load(model, device)
    if loaded.entry.task != "erc":
        raise UsageError(
            f"emotion_model: {_name(model)} holds no model that recognises emotions, but one of "
            f"{'pairs' if loaded.entry.task == 'pairs' else 'explanations'}. Give a run of trainers/emotion.py or "
            "trainers/ecerc.py."
        )
    return replace(loaded, encoder=inference_encoder(loaded.model, None))


def _load(model: PreTrainedModel | str | Path, device: str | torch.device | None) -> LoadedModel:
    chosen = None if device is None else usable_device(device)  # before the model is loaded, which takes seconds
    scorer = load_scorer(model) if isinstance(model, (str, Path)) else model
    entry = scorer_of_model_type(getattr(getattr(scorer, "config", None), "model_type", None))
    if entry is None:
        raise UsageError(
            f"{type(scorer).__name__} is no pair model of this package. Give a run folder, its model/, or a model that "
            "iemomecp_dataset.trainers.load_scorer loads; a scorer of your own has to be registered first: "
            "iemomecp_dataset.trainers.register_scorer."
        )
    if chosen is not None:
        scorer = scorer.to(chosen)
    return LoadedModel(scorer.eval(), entry, None)


def _name(model: PreTrainedModel | str | Path) -> str:
    return str(model) if isinstance(model, (str, Path)) else type(model).__name__


@dataclass(frozen=True)
class TrainedOn:
    """What a model states of its training.

    Attributes:
        candidates: Which pairs are scored.
        longest: Turns of the longest dialogue of training, or of a window.
        recorded: Whether that is stated.
        synthetic: Whether it learned from synthetic text, as far as is known.
        notes: What a reader has to know.
        stated_candidates: Candidates as stated by the model or its run; None where neither does.
        stated_synthetic: The same of synthetic text.
    """

    candidates: CandidateSpace
    longest: int
    recorded: bool
    synthetic: bool
    notes: tuple[str, ...]
    stated_candidates: CandidateSpace | None = None
    stated_synthetic: bool | None = None

    @classmethod
    def of(cls, model: PreTrainedModel) -> TrainedOn:
        """Reads it from the configuration of a model, of an older one from the record of its run."""
        config, notes = model.config, []
        candidates, synthetic = getattr(config, "candidates", None), getattr(config, "synthetic", None)
        if candidates is None or synthetic is None:
            record = _run_record(model)
            candidates = candidates or candidate_space(record.get("candidates"))
            synthetic = record.get("synthetic") if synthetic is None else synthetic
            if synthetic is None:
                notes.append("The model does not state whether it learned from synthetic text.")
        if candidates is None:
            notes.append("The model does not state which pairs were candidates in training, so all pairs are scored.")
        elif candidates == "past":
            notes.append("Causes after their target are not scored: they were no candidates in training.")
        stated = getattr(config, "longest_dialogue", None)
        longest = stated or getattr(config, "max_positions", None) or DEFAULT_LONGEST
        return cls(
            candidates or "all",
            int(longest),
            stated is not None,
            bool(synthetic),
            tuple(notes),
            candidates,
            synthetic,
        )


def _run_record(model: PreTrainedModel) -> Mapping[str, Any]:
    """``results.json`` of the run that a model is of: beside its folder, or in it, as in a repository of the Hub."""
    folder = Path(model.name_or_path or "")
    for path in (folder / ".." / "results.json", folder / "results.json"):
        try:
            record = read_json(path) if model.name_or_path else {}
        except (MissingDataError, InvalidDataError):
            continue
        if isinstance(record, dict):
            return record
    return {}
