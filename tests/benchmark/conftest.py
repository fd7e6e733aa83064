"""Small dialogues made of numbers, for everything that computes on rows."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.benchmark.baselines.structural import (
    DISTANCE_ONLY,
    SplitTables,
    structural_scores,
    structural_systems,
)
from iemomecp_dataset.benchmark.baselines.utterance_table import utterance_table
from iemomecp_dataset.benchmark.runs.emotion_results import emotion_run_results, write_emotion_run_predictions
from iemomecp_dataset.benchmark.runs.results import RunResults, write_results
from iemomecp_dataset.corpus import Corpus, corpus_of
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import pair_table

EMOTIONS = ("neutral", "joy")


def make_rows(
    n_dialogues: int,
    *,
    seed: int,
    class_names: tuple[str, ...] = ("pair", "non_pair"),
    prefix: str = "d",
    n_turns: int = 8,
) -> list[dict[str, Any]]:
    """Dialogues in which emotional words mark emotional utterances, whose causes are near. All pairs are candidates."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_dialogues):
        n = int(rng.integers(3, n_turns + 1))
        emotional = rng.random(n) < 0.5
        utterances = [
            {
                "turn": turn,
                "text": f"{'wonderful' if emotional[turn - 1] else 'table'} word{rng.integers(5)}",
                "emotion": int(emotional[turn - 1]),
            }
            for turn in range(1, n + 1)
        ]
        pairs = []
        for target in range(1, n + 1):
            for cause in range(1, n + 1):
                distance = target - cause
                rate = {0: 0.8, 1: 0.5, 2: 0.2, -1: 0.05}.get(distance, 0.0) * emotional[target - 1]
                label = 0 if rng.random() < rate else len(class_names) - 1
                if (
                    label
                    and len(class_names) == 3
                    and emotional[target - 1]
                    and 1 <= distance <= 4
                    and rng.random() < 0.4
                ):
                    label = 1
                pairs.append({"target_turn": target, "cause_turn": cause, "label": label})
        rows.append(
            {
                "dialogue_id": f"{prefix}{number}",
                "source_dialogue_id": f"{prefix}{number}",
                "utterances": utterances,
                "pairs": pairs,
            }
        )
    return rows


@pytest.fixture(name="make_rows", scope="session")
def make_rows_fixture():
    return make_rows


@pytest.fixture(name="published_gold", scope="session")
def fixture_published_gold():
    """Further keys of the record of a run whose test scores are of the published gold, or nearly."""

    def of(config_name: str = "ecf", **changes: Any) -> dict[str, Any]:
        corpus, definition, n_gold, n_candidates, forward = {
            "ecf": ("ecf", "A", 1873, 33442, "all"),
            "mec4": ("mec4", "A", 1000, 30000, "all"),
            "3class": ("iemomecp", "F", 1794, 18264, "as_published"),
            "source_binary": ("iemomecp", "F", 1832, 18264, "as_published"),
        }[config_name]
        fields = {
            "definition": definition,
            "corpus": corpus,
            "task": config_name,
            "split": "test",
            "n_gold": n_gold,
            "n_candidates": n_candidates,
            "n_missed": 0,
            "forward_pairs": forward,
            "emotions": "none",
            "threshold": None,
            "threshold_chosen_on": "none",
            "data": "c0ffee",
        }
        signature = Signature(**(fields | changes))
        return {"signatures": {signature.split: str(signature)}}

    return of


def role_rows(seed: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Rows of IEMO-MECP by split, with speakers and source labels."""
    rows = {
        split: make_rows(
            15, seed=seed + i, class_names=("emo_cause", "emo_context", "non_pair"), prefix=split, n_turns=10
        )
        for i, split in enumerate(("train", "validation", "test"))
    }
    rng = np.random.default_rng(seed)
    for of_split in rows.values():
        for row in of_split:
            for utterance in row["utterances"]:
                utterance["speaker"] = "FM"[utterance["turn"] % 2]
            for pair in row["pairs"]:
                pair["source_pair"] = bool(rng.random() < (0.9, 0.3, 0.01)[pair["label"]])
    return rows


def binary_rows(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The same rows with their source labels for gold."""
    return {
        split: [
            {**row, "pairs": [{**pair, "label": 0 if pair["source_pair"] else 1} for pair in row["pairs"]]}
            for row in of_split
        ]
        for split, of_split in rows.items()
    }


@pytest.fixture(name="role_rows", scope="session")
def role_rows_fixture():
    return role_rows


@pytest.fixture(name="binary_rows", scope="session")
def binary_rows_fixture():
    return binary_rows


PAIR_CONFIGS = {
    2: ("ecf", "ecf", ("pair", "non_pair"), "A", "all"),
    3: ("iemomecp", "3class", ("emo_cause", "emo_context", "non_pair"), "F", "triangle+exceptions"),
}


@functools.cache
def _made_up_data(n_dialogues: int, data_seed: int, splits: tuple[str, ...], class_names: tuple[str, ...]) -> Any:
    """Rows, tables and structural systems of runs on the same data, which nobody changes: most runs are on few data."""
    rows = {
        split: make_rows(n_dialogues, seed=data_seed * 10 + i, class_names=class_names, prefix=f"{split[:2]}")
        for i, split in enumerate(("train", "validation", "test"))
        if split == "train" or split in splits
    }
    return rows, *_tables_and_systems(rows, class_names)


def _tables_and_systems(all_rows: dict[str, list[dict[str, Any]]], class_names: tuple[str, ...]) -> Any:
    tables = {
        split: SplitTables(pair_table(rows, EMOTIONS), utterance_table(rows, EMOTIONS))
        for split, rows in all_rows.items()
    }
    others = {split: table for split, table in tables.items() if split != "train"}
    return tables, structural_systems(tables["train"], others, class_names)


def write_run(
    folder: Path,
    *,
    objective: str = "base",
    seed: int = 42,
    n_classes: int = 2,
    quality: float = 2.0,
    splits: tuple[str, ...] = ("validation", "test"),
    n_dialogues: int = 20,
    data_seed: int = 0,
    rows: dict[str, list[dict[str, Any]]] | None = None,
    **changes: Any,
) -> RunResults:
    """A run folder as training leaves it, with predictions that are noise plus ``quality`` times the gold."""
    corpus, config_name, class_names, definition, candidates = PAIR_CONFIGS[n_classes]
    folder.mkdir(parents=True)
    if rows is None:
        all_rows, tables, systems = _made_up_data(n_dialogues, data_seed, splits, class_names)
    else:
        all_rows = rows
        tables, systems = _tables_and_systems(rows, class_names)
    scored = {split: tables[split].pairs for split in splits}
    fingerprint = {split: f"{data_seed:02d}{split}" for split in tables}
    rng = np.random.default_rng([seed, len(objective), n_classes])
    distance_only = next(system for system in systems if system.key == DISTANCE_ONLY)
    probabilities = {}
    for split, pairs in scored.items():
        logits = np.log(distance_only.probabilities[split] + 1e-4) + rng.gumbel(size=(len(pairs), len(class_names)))
        logits[np.arange(len(pairs)), pairs.labels] += quality
        probabilities[split] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen_on = "validation" if "validation" in splits else None
    threshold = None
    if chosen_on:
        threshold, _ = best_threshold(probabilities[chosen_on], scored[chosen_on].labels)
    if "threshold" in changes:
        threshold, chosen_on = changes["threshold"]["value"], changes["threshold"].get("chosen_on")
    for split, pairs in scored.items():
        facts = {
            "corpus": corpus,
            "config_name": config_name,
            "split": split,
            "class_names": class_names,
            "threshold": threshold,
            "threshold_chosen_on": chosen_on,
            "missed_positives": 0,
            "data_fingerprint": fingerprint[split],
            "synthetic": True,
            "definition": definition,
        }
        columns = {
            "dialogue_id": pairs.dialogue_ids.tolist(),
            "source_dialogue_id": pairs.source_dialogue_ids.tolist(),
            "target_turn": pa.array(pairs.target_turns, pa.int32()),
            "cause_turn": pa.array(pairs.cause_turns, pa.int32()),
            "label": pa.array(pairs.labels, pa.int32()),
            **{
                f"prob_{name}": pa.array(probabilities[split][:, i], pa.float64()) for i, name in enumerate(class_names)
            },
        }
        table = pa.table(columns).replace_schema_metadata({"iemomecp": json.dumps(facts)})
        pq.write_table(table, folder / f"predictions_{split}.parquet")
    metrics = {
        split: pair_scores(probabilities[split], pairs.labels, class_names, threshold=threshold)
        for split, pairs in scored.items()
    }
    n_epochs = 6
    with open(folder / "log.jsonl", "w", encoding="utf-8") as log:
        log.write(json.dumps({"event": "start"}) + "\n")
        for epoch in range(1, n_epochs + 1):
            reached = 1 - np.exp(-epoch / 2)
            validation = {
                key: metrics["validation"][key] * reached if "validation" in metrics else None
                for key in ("pair_f1", "pair_auprc", "macro_f1")
            }
            event = {
                "event": "epoch",
                "epoch": epoch,
                "step": 10 * epoch,
                "train_loss": float(2 * np.exp(-epoch / 3) + 0.02 * rng.random()),
                "losses": {"supervised": 0.3},
                "validation": {**validation, "loss": 0.5},
                "seconds": 1.5,
            }
            log.write(json.dumps(event) + "\n")
    (folder / "config.yaml").write_text(f"objective: {objective}\nseed: {seed}\n", encoding="utf-8")
    record = RunResults(
        run_name=folder.name,
        corpus=corpus,
        config_name=config_name,
        class_names=class_names,
        synthetic=True,
        data_statement="Synthetic dialogues made of numbers.",
        definition=definition,
        candidates=candidates,
        scorer="dialogue",
        objective=objective,
        modalities="t",
        text_encoder="models/tiny",
        encoder_mode="frozen",
        seed=seed,
        threshold={"value": threshold, "chosen_on": chosen_on},
        metrics=metrics,
        missing_splits=tuple(split for split in ("validation", "test") if split not in splits),
        counts={
            split: {
                "dialogues": len(all_rows[split]),
                "utterances": len(tables[split].utterances),
                "candidates": len(tables[split].pairs),
                "gold_pairs": int((tables[split].pairs.labels == 0).sum()),
                "missed_positives": 0,
                "truncated_utterances": 0,
            }
            for split in tables
        },
        structural_baselines=structural_scores(
            systems, {split: of_split.pairs for split, of_split in tables.items()}, class_names
        ),
        data_fingerprint=fingerprint,
        settings={"objective": objective, "scorer": "dialogue", "modalities": "t", "learning_rate": 0.0003},
        versions={"torch": "2.13.0"},
        wall_seconds=60.0 + seed % 7,
        peak_memory_mb=512.0,
        best_epoch=4,
        epochs=n_epochs,
        license_text_shareable=True,
    )
    record = dataclasses.replace(record, **changes)
    write_results(folder, record)
    return record


@pytest.fixture(name="write_run", scope="session")
def write_run_fixture():
    return write_run


EMOTION_NAMES = ("neutral", "joy", "anger")
_WORDS = (("table", "train", "door"), ("wonderful", "great", "!"), ("never", "late", "stop"))


def emotion_corpus(*, n_dialogues: int = 12, seed: int = 0, splits: tuple[str, ...] = ("validation", "test")) -> Corpus:
    """Whole dialogues of two speakers, whose words mostly tell the emotion; that of some utterances is not known."""
    rng = np.random.default_rng(seed)
    rows = {}
    for split in ("train", *splits):
        rows[split] = []
        for number in range(n_dialogues):
            emotions = rng.choice(3, size=int(rng.integers(3, 9)), p=(0.5, 0.3, 0.2))
            words = [rng.choice(_WORDS[emotion if rng.random() < 0.7 else rng.integers(3)]) for emotion in emotions]
            utterances = [
                {
                    "turn": turn,
                    "speaker": "AB"[int(rng.integers(2))],
                    "text": f"{word} word{rng.integers(5)}",
                    "emotion": int(emotion) if rng.random() < 0.9 else None,
                }
                for turn, (emotion, word) in enumerate(zip(emotions, words, strict=True), start=1)
            ]
            name = f"{split[:2]}{number}"
            rows[split].append({"dialogue_id": name, "source_dialogue_id": name, "utterances": utterances, "pairs": []})
    return corpus_of(rows, config_name="ecf", emotion_names=EMOTION_NAMES, synthetic=True)


@pytest.fixture(name="emotion_corpus", scope="session")
def emotion_corpus_fixture():
    return emotion_corpus


def write_emotion_run(
    folder: Path,
    *,
    seed: int = 42,
    quality: float = 1.0,
    corpus: Corpus | None = None,
    splits: tuple[str, ...] = ("validation", "test"),
    epoch_chosen_on: str | None = "validation",
    predictions: bool = True,
    **changes: Any,
) -> RunResults:
    """A run folder of emotion recognition as training leaves it: noise plus ``quality`` times the gold."""
    folder.mkdir(parents=True)
    corpus = corpus or emotion_corpus(splits=splits)
    rng = np.random.default_rng(seed)
    predicted = {}
    for split in splits:
        gold = [u["emotion"] for row in corpus.rows[split] for u in row["utterances"]]
        logits = rng.gumbel(size=(len(gold), len(corpus.emotion_names)))
        logits += quality * np.array([[name == emotion for name in range(logits.shape[1])] for emotion in gold])
        predicted[split] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        if predictions:
            write_emotion_run_predictions(folder, corpus, split, predicted[split], epoch_chosen_on=epoch_chosen_on)
    stated = {
        "scorer": "ecerc",
        "objective": "corrected",
        "modalities": "t",
        "text_encoder": "models/tiny",
        "encoder_mode": "frozen",
        "wall_seconds": 60.0,
        "versions": {"torch": "2.13.0"},
    } | changes
    stated.setdefault("settings", {"scorer": stated["scorer"], "protocol": stated["objective"], "dropout": 0.1})
    record = emotion_run_results(
        corpus, predicted, run_name=folder.name, seed=seed, epoch_chosen_on=epoch_chosen_on, **stated
    )
    (folder / "config.yaml").write_text(f"protocol: {record.objective}\nseed: {seed}\n", encoding="utf-8")
    write_results(folder, record)
    return record


@pytest.fixture(name="write_emotion_run", scope="session")
def write_emotion_run_fixture():
    return write_emotion_run
