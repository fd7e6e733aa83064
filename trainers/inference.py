"""Using a trained scorer: dialogues in, probabilities of their pairs out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import send_to_device
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features import FeatureTable, read_feature_table
from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer
from iemomecp_dataset.trainers.dialogue.task import DialogueMethod
from iemomecp_dataset.trainers.encoders.text import (
    chunk_tokens_on,
    encode_texts,
    load_saved_tokenizer,
    load_text_encoder,
    tokenise_texts,
)
from iemomecp_dataset.trainers.isolated.data import pair_examples
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer
from iemomecp_dataset.trainers.isolated.segments import tokenise_segments
from iemomecp_dataset.trainers.isolated.task import IsolatedMethod, utterance_vectors
from iemomecp_dataset.trainers.objectives import OBJECTIVES, ObjectiveWeights
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.task import Examples, ScoringMethod

__all__ = ["load_scorer", "predict"]

_SCORERS = {scorer.config_class.model_type: scorer for scorer in (DialogueScorer, IsolatedScorer)}


def predict(
    model: DialogueScorer | IsolatedScorer | str | Path,
    rows: Iterable[Mapping[str, Any]],
    *,
    audio: FeatureTable | str | Path | None = None,
    video: FeatureTable | str | Path | None = None,
    text_encoder: str | None = None,
    max_missing_features: float = 0.01,
    batch_size: int = 32,
    device: str | torch.device | None = None,
) -> list[NDArray[np.float64]]:
    """Probabilities of the candidate pairs of some dialogues.

    Args:
        model: A scorer, the folder it was saved in, or the folder of a run.
        rows: Dialogues as :func:`iemomecp_dataset.load` gives them. Needed are ``dialogue_id`` and of each utterance
            ``turn``, ``utterance_id``, ``speaker`` and ``text``. Where a row has no ``pairs``, all pairs of its
            utterances are candidates, in (target, cause) order.
        audio: Feature table, or its Parquet file, for a model that hears.
        video: The same for a model that sees.
        text_encoder: For a model on frozen text features: the encoder, where it is not found under the name it had in
            training.
        max_missing_features: Share of utterances that may lack a vector.
        batch_size: Dialogues, or pairs, at once.
        device: Where to compute; by default where the model is.

    Returns:
        For each row ``(pairs, C)`` probabilities in the order of its pairs: concatenated, they stand in the order of
        :func:`iemomecp_dataset.pair_table.pair_table`. Column 0 is the positive class; the model's
        ``config.class_names`` names all.

    Raises:
        MissingDataError: There is no model, or features that it needs are not given.
        MissingModelError: Its text encoder is neither on disk nor reachable.
        InvalidDataError: Features or encoder have another width than in training.
        UsageError: The folder holds no scorer of this package.
    """
    scorer = load_scorer(model) if isinstance(model, (str, Path)) else model
    scorer = scorer.to(device or scorer.device).eval()
    dialogues = [_bare_row(row) for row in rows]
    if not dialogues:
        return []
    ids = [u["utterance_id"] for row in dialogues for u in row["utterances"]]
    vectors = {
        name: _vectors(name, table, ids, int(getattr(scorer.config, f"{name}_size")), max_missing_features)
        for name, table in (("audio", audio), ("video", video))
        if getattr(scorer.config, f"{name}_size")
    }
    build = _isolated if isinstance(scorer, IsolatedScorer) else _dialogue
    using = build(scorer, dialogues, vectors, text_encoder)
    order = using.method.scoring_order(using.examples, batch_size=batch_size, processes=Processes())
    found: dict[int, NDArray[np.float64]] = {}
    with torch.inference_mode():
        for positions in order:
            batch = using.method.collate([(position, using.examples[position]) for position in positions])
            scored, _ = using.method.probabilities(scorer, send_to_device(batch, scorer.device), using.examples)
            found.update(scored)
    everything = np.concatenate([found[position] for position in range(len(using.examples))])
    ends = np.cumsum([len(row["pairs"]) for row in dialogues])
    return np.split(everything, ends[:-1])


def load_scorer(folder: str | Path) -> DialogueScorer | IsolatedScorer:
    """Loads a trained scorer of either kind.

    Args:
        folder: Where it was saved, or the folder of its run.

    Raises:
        MissingDataError: There is no model.
        UsageError: It is no scorer of this package.
    """
    path = Path(folder)
    if (path / "model" / "config.json").is_file():
        path = path / "model"
    config = path / "config.json"
    if not config.is_file():
        unfinished = (path / "config.yaml").is_file()
        raise MissingDataError(
            f"{folder} holds no model (no config.json). "
            + ("Its run has not finished: start its command again." if unfinished else "Give the folder of a run.")
        )
    kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    if kind not in _SCORERS:
        raise UsageError(f"{config} describes a model of type {kind!r}; expected one of {', '.join(_SCORERS)}.")
    scorer: DialogueScorer | IsolatedScorer = _SCORERS[kind].from_pretrained(path)
    return scorer


@dataclass(frozen=True)
class _Using:
    method: ScoringMethod
    examples: Examples


def _dialogue(
    scorer: DialogueScorer,
    rows: Sequence[dict[str, Any]],
    vectors: dict[str, dict[str, NDArray[np.float32]]],
    text_encoder: str | None,
) -> _Using:
    config = scorer.config
    inputs: dict[str, Any] = {}
    texts = [u["text"] for row in rows for u in row["utterances"]]
    if scorer.text_encoder is not None:
        inputs["text_tokens"] = tokenise_texts(texts, load_saved_tokenizer(scorer), config.max_tokens)
    elif config.text_size:
        encoder = load_text_encoder(text_encoder or config.text_encoder_name)
        layers = config.text_layers
        if max(layers) > encoder.num_layers or encoder.width * len(layers) != config.text_size:
            raise InvalidDataError(
                f"The text encoder {encoder.name} gives {encoder.width} numbers from each of {encoder.num_layers} "
                f"layers; the scorer was trained on layers {layers} with {config.text_size} numbers together, of "
                f"{config.text_encoder_name}. Give that one as text_encoder."
            )
        tokens = tokenise_texts(texts, encoder.tokenizer, config.max_tokens)
        inputs["text_features"] = encode_texts(tokens, encoder, layers, device=scorer.device, progress=False)
    sizes = {name: int(getattr(config, f"{name}_size")) for name in vectors}
    inputs |= {"features": vectors, "feature_sizes": sizes}
    collator = Collator(UtteranceInputs(**inputs), chunk_tokens_on(scorer.device))
    method = DialogueMethod(collator, OBJECTIVES["base"], ObjectiveWeights(), None)
    return _Using(method, dialogue_examples(rows, ()))


def _isolated(
    scorer: IsolatedScorer,
    rows: Sequence[dict[str, Any]],
    vectors: dict[str, dict[str, NDArray[np.float32]]],
    text_encoder: str | None,
) -> _Using:
    utterances, examples = pair_examples({"": rows})
    pairs = examples[""]
    segments = None
    if scorer.text_encoder is not None:
        segments = tokenise_segments(
            utterances.spoken, pairs.targets, pairs.candidates, load_saved_tokenizer(scorer), scorer.config.max_tokens
        )
    laid_out = {
        name: utterance_vectors(utterances.ids, found, int(getattr(scorer.config, f"{name}_size")))
        for name, found in vectors.items()
    }
    return _Using(IsolatedMethod(segments, laid_out, chunk_tokens=chunk_tokens_on(scorer.device)), pairs)


def _vectors(
    name: str, given: FeatureTable | str | Path | None, ids: list[str], size: int, tolerance: float
) -> dict[str, NDArray[np.float32]]:
    if given is None:
        raise MissingDataError(f"This scorer needs {name} features: give {name}= a feature table or its Parquet file.")
    table = given if isinstance(given, FeatureTable) else read_feature_table(given)
    if table.size != size:
        raise InvalidDataError(
            f"{table.path}: vectors have {table.size} numbers, but the scorer was trained on {name} features with "
            f"{size}. Give those of the same extractor."
        )
    return table.select(ids, tolerance=tolerance)


def _bare_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a scorer may see of a row: no labels, no emotions."""
    utterances = [
        {
            "turn": utterance["turn"],
            "utterance_id": utterance["utterance_id"],
            "speaker": utterance["speaker"],
            "text": utterance["text"] or "",
            "emotion": None,
        }
        for utterance in row["utterances"]
    ]
    turns = [utterance["turn"] for utterance in utterances]
    pairs = row.get("pairs")
    candidates = (
        [(target, cause) for target in turns for cause in turns]
        if pairs is None
        else [(pair["target_turn"], pair["cause_turn"]) for pair in pairs]
    )
    return {
        "dialogue_id": row["dialogue_id"],
        "utterances": utterances,
        "pairs": [{"target_turn": target, "cause_turn": cause, "label": 1} for target, cause in candidates],
    }
