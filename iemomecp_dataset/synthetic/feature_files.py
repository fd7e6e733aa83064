"""Writes the feature stores ``features/{audio,video,text,event}.parquet``, and IEMOCAP's released pickles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
from iemomecp_dataset.synthetic.dialogues import Dialogue
from iemomecp_dataset.synthetic.emotion_features import (
    EmotionalUtterance,
    draw_vectors,
    write_iemocap_pickles,
    write_stores,
)
from iemomecp_dataset.synthetic.evidence import (
    AUDIO_LATENTS,
    VIDEO_LATENTS,
    FeatureSpace,
    audio_latents,
    video_latents,
)
from iemomecp_dataset.synthetic.vocabulary import REACTIONS

__all__ = ["write_emotion_features", "write_feature_stores"]

# Narrow, so that a few hundred utterances suffice to learn from them.
FEATURE_WIDTH = 16


def write_feature_stores(folder: Path, dialogues: Sequence[Dialogue], seed: int) -> None:
    """Writes one vector per modality for every utterance that ECPEC has.

    Args:
        folder: Output folder ``features``.
        dialogues: All dialogues.
        seed: Seed of the vectors.
    """
    folder.mkdir(parents=True, exist_ok=True)
    utterances = [utterance for dialogue in dialogues for utterance in dialogue.in_ecpec]
    ids = [utterance.utterance_id for utterance in utterances]
    plans = [utterance.plan for utterance in utterances if utterance.plan is not None]
    audio = FeatureSpace(AUDIO_LATENTS, FEATURE_WIDTH, (seed, 21))
    video = FeatureSpace(VIDEO_LATENTS, FEATURE_WIDTH, (seed, 22))
    stores = {
        "audio": [audio.measure(audio_latents(plan)) for plan in plans],
        "video": [video.measure(video_latents(plan)) for plan in plans],
    }
    schema = pa.schema(
        [("utterance_id", pa.string()), ("vector", pa.list_(pa.float32()))], metadata={"synthetic": "true"}
    )
    for modality, vectors in stores.items():
        table = pa.table({"utterance_id": ids, "vector": vectors}, schema=schema)
        pq.write_table(table, folder / f"{modality}.parquet")


def write_emotion_features(folder: Path, dialogues: Sequence[Dialogue], seed: int) -> None:
    """Writes text and event vectors, and the three released pickles of IEMOCAP features.

    Args:
        folder: Output folder ``features``.
        dialogues: All dialogues.
        seed: Seed of the vectors.
    """
    utterances = {
        dialogue.dialogue_id: [
            EmotionalUtterance(
                said.utterance_id, said.speaker, said.text, said.emotion, _expresses(said.text, said.emotion)
            )
            for said in dialogue.in_ecpec
        ]
        for dialogue in dialogues
    }
    vectors = draw_vectors(utterances, IEMOCAP_EMOTIONS, seed)
    write_stores(folder, utterances, vectors, ("text", "event"))
    test = [dialogue.dialogue_id for dialogue in dialogues if dialogue.split == "test"]
    validation = [dialogue.dialogue_id for dialogue in dialogues if dialogue.split == "validation"]
    write_iemocap_pickles(folder, utterances, test, validation, IEMOCAP_EMOTIONS, vectors)


def _expresses(text: str, emotion: str) -> bool:
    clauses = (clause.partition("{r}")[0].strip().lower() for clause in REACTIONS.get(emotion, ()))
    return any(clause in text.lower() for clause in clauses)
