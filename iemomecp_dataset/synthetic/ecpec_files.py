"""Writes the ConvECPE annotation: a pickled tuple of 12 entries, as in the ECPEC repository."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
from iemomecp_dataset.synthetic.dialogues import Dialogue
from iemomecp_dataset.synthetic.evidence import (
    AUDIO_LATENTS,
    VIDEO_LATENTS,
    FeatureSpace,
    audio_latents,
    video_latents,
)
from iemomecp_dataset.synthetic.plan import MOST_SOURCE_CAUSES

__all__ = ["write_ecpec_pickle"]

TEXT_WIDTH, AUDIO_WIDTH, VISUAL_WIDTH = 100, 100, 512


def write_ecpec_pickle(path: Path, dialogues: Sequence[Dialogue], seed: int) -> None:
    """Writes ``Dataset/IEMOCAP_emotion_cause_features.pkl``.

    Args:
        path: Output file.
        dialogues: All dialogues.
        seed: Seed of the features.
    """
    emotion_ids = {emotion: number for number, emotion in enumerate(IEMOCAP_EMOTIONS)}
    audio = FeatureSpace(AUDIO_LATENTS, AUDIO_WIDTH, (seed, 11))
    visual = FeatureSpace(VIDEO_LATENTS, VISUAL_WIDTH, (seed, 12))
    words = _WordVectors(seed)
    ids: dict[str, list[str]] = {}
    speakers: dict[str, list[str]] = {}
    labels: dict[str, list[int]] = {}
    causes: list[dict[str, list[int]]] = [{} for _ in range(MOST_SOURCE_CAUSES)]
    features: list[dict[str, list[NDArray[np.float32]]]] = [{}, {}, {}]
    sentences: dict[str, list[str]] = {}
    for dialogue in dialogues:
        name, utterances = dialogue.dialogue_id, dialogue.in_ecpec
        plans = [utterance.plan for utterance in utterances if utterance.plan is not None]
        ids[name] = [utterance.utterance_id for utterance in utterances]
        speakers[name] = [utterance.speaker for utterance in utterances]
        labels[name] = [emotion_ids[utterance.emotion] for utterance in utterances]
        of_turn = _source_causes(dialogue)
        for order in range(MOST_SOURCE_CAUSES):
            causes[order][name] = [turns[order] if order < len(turns) else 0 for turns in of_turn]
        sentences[name] = [utterance.text for utterance in utterances]
        features[0][name] = [words.mean(sentence) for sentence in sentences[name]]
        features[1][name] = [audio.measure(audio_latents(plan)) for plan in plans]
        features[2][name] = [visual.measure(video_latents(plan)) for plan in plans]
    train = [dialogue.dialogue_id for dialogue in dialogues if dialogue.split != "test"]
    test = [dialogue.dialogue_id for dialogue in dialogues if dialogue.split == "test"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pickle.dump((ids, speakers, labels, *causes, *features, sentences, train, test), file, protocol=3)


def _source_causes(dialogue: Dialogue) -> list[list[int]]:
    """Lists the causes of every utterance, as ascending 1-based turns of the whole dialogue."""
    of_turn: list[list[int]] = []
    for chunk in dialogue.chunks:
        offset = len(of_turn)
        of_turn.extend([] for _ in chunk.utterances)
        for (target, cause), pair in sorted(chunk.pairs.items()):
            if pair.source_pair:
                of_turn[offset + target - 1].append(offset + cause)
    return of_turn


class _WordVectors:
    """Random word vectors, drawn at the first occurrence of a word; a sentence is the mean of its words."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng((seed, 13))
        self._vectors: dict[str, NDArray[np.float64]] = {}

    def mean(self, sentence: str) -> NDArray[np.float32]:
        vectors = []
        for word in sentence.lower().replace(".", "").replace(",", "").split():
            if word not in self._vectors:
                self._vectors[word] = self._generator.standard_normal(TEXT_WIDTH)
            vectors.append(self._vectors[word])
        return np.asarray(np.mean(vectors, axis=0), dtype=np.float32)
