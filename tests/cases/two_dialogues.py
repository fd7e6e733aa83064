"""A corpus of two dialogues per split whose splits differ in everything that training may take from train alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from iemomecp_dataset.corpus import Corpus, corpus_of
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.features.store.store_card import StoreCard, claim_store
from iemomecp_dataset.features.store.store_index import write_index
from iemomecp_dataset.features.store.store_layout import shard_name
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.store.store_shards import write_shard
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    emotions_file,
    write_emotion_predictions,
)

EMOTIONS = ("neutral", "joy", "anger")
SIZES = {"train": (4, 5), "validation": (3, 4), "test": (5, 3)}
AUDIO_SIZE, VIDEO_SIZE = 3, 2

# Share of gold pairs at the distances 0, 1, 2 of a split: at which distance a pair is likely differs.
_LIKELY = {"train": (0, 1), "validation": (1, 2), "test": (2, 0)}


def two_dialogues(classes: int = 3) -> dict[str, list[dict[str, Any]]]:
    """Rows by split. Each dialogue is the second chunk of its source; one gold pair of each is no candidate.

    Args:
        classes: Three roles, or two classes.
    """
    return {
        split: [_row(split, number, size, classes) for number, size in enumerate(sizes)]
        for split, sizes in SIZES.items()
    }


def _row(split: str, number: int, size: int, classes: int) -> dict[str, Any]:
    dialogue = f"{split}{number}"
    gold, context = _LIKELY[split]
    pairs = []
    for target in range(1, size + 1):
        for cause in range(1, target + 1):
            distance = target - cause
            label = 0 if distance == gold else 1 if distance == context and classes == 3 else classes - 1
            pairs.append({"target_turn": target, "cause_turn": cause, "label": label})
    words = ("what", "a match", "we lost", "the train was late", "I am so angry about it", "really")
    return {
        "dialogue_id": f"{dialogue}__c1",
        "source_dialogue_id": dialogue,
        "utterances": [
            {
                "turn": turn,
                "source_turn": turn,
                "utterance_id": f"{dialogue}_{turn}",
                "speaker": "AB"[turn % 2],
                "text": f"{words[(turn + number) % len(words)]} {'!' if turn % 2 else '.'} {split}",
                # Emotional are others than the targets of gold pairs.
                "emotion": int(turn % 2 == 0),
            }
            for turn in range(1, size + 1)
        ],
        "pairs": pairs,
        "gold_outside_candidates": [{"target_turn": 1, "cause_turn": size}],
    }


def two_dialogue_corpus(classes: int = 3, splits: tuple[str, ...] = tuple(SIZES)) -> Corpus:
    """The rows as a loaded configuration, ``3class`` or ``ecf``."""
    rows = {split: of_split for split, of_split in two_dialogues(classes).items() if split in splits}
    return corpus_of(
        rows,
        config_name="3class" if classes == 3 else "ecf",
        candidates=None if classes == 3 else "past",
        emotion_names=EMOTIONS,
    )


def write_vectors(folder: Path) -> Path:
    """Writes ``features/audio.parquet`` and ``features/video.parquet`` of these dialogues; returns the folder."""
    rng = np.random.default_rng(0)
    ids = [u["utterance_id"] for rows in two_dialogues().values() for row in rows for u in row["utterances"]]
    (folder / "features").mkdir(parents=True)
    for modality, size in (("audio", AUDIO_SIZE), ("video", VIDEO_SIZE)):
        vectors = rng.normal(size=(len(ids), size)).astype(np.float32).tolist()
        pq.write_table(pa.table({"utterance_id": ids, "vector": vectors}), folder / "features" / f"{modality}.parquet")
    return folder


def write_store(folder: Path, modality: str, table: Path, *, synthetic: bool = False) -> StoreCard:
    """Writes the vectors of a Parquet file as the feature store of an extraction, and returns its card."""
    columns = pq.read_table(table).to_pydict()
    rows = [
        StoreRow(key, "ok", np.asarray(vector, np.float32))
        for key, vector in zip(columns["utterance_id"], columns["vector"], strict=True)
    ]
    size = len(columns["vector"][0])
    card = StoreCard(
        modality=modality, model="someone/encoder", revision="0123abc", corpus="two dialogues",
        corpus_fingerprints={}, utterances="", n_utterances=len(rows), n_shards=1, synthetic=synthetic, size=size,
        dtype="float32", settings={"layers": "4,-1", "pooling": "max", "batch_size": 8}, versions={"torch": "2"},
    )  # fmt: skip
    claim_store(folder, card)
    write_shard(folder / shard_name(0, 1), rows, size, card.dtype)
    write_index(folder, card, columns["utterance_id"])
    return card


def write_emotions(folder: Path, rows: dict[str, list[dict[str, Any]]], corpus: str, **changed: Any) -> Path:
    """Writes the emotions files of a run on the rows, cross-fitted on train; facts may be changed."""
    for number, (split, of_split) in enumerate(rows.items()):
        table = emotion_table(of_split)
        facts = {"corpus": corpus, "split": split, "class_names": EMOTIONS}
        facts |= {"cross_fitted_folds": 2} if split == "train" else {}
        probabilities = np.random.default_rng(number).dirichlet(np.ones(len(EMOTIONS)), len(table))
        write_emotion_predictions(emotions_file(folder, split), table, probabilities, EmotionFacts(**facts | changed))
    return folder
