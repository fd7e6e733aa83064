"""A browser without a window, for what the page's scripts do; runs of emotion recognition."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import opened_page
import pytest
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.runs.results import ERC, RunResults, write_results
from iemomecp_dataset.emotion_table import NO_EMOTION, EmotionTable
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.metrics.emotion_signature import signature_of_table
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionFacts,
    emotions_file,
    write_emotion_predictions,
)


@pytest.fixture
def open_in_browser(tmp_path: Path) -> Callable[[str, str], str]:
    """Gives the page's DOM after a script has run in it; skips without a browser."""
    return functools.partial(opened_page.open_page, tmp_path)


EMOTIONS = ("neutral", "joy", "anger")


def write_emotion_run(
    folder: Path,
    *,
    scorer: str = "ecerc",
    seed: int = 42,
    quality: float = 2.0,
    splits: tuple[str, ...] = ("validation", "test"),
    n_dialogues: int = 12,
    data_seed: int = 0,
    class_names: tuple[str, ...] = EMOTIONS,
    **changes: Any,
) -> RunResults:
    """A run folder as the training of emotion recognition leaves it; its logits are noise plus ``quality`` x gold."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng([seed, len(scorer)])
    n_classes = len(class_names)
    metrics, baselines = {}, {}
    tables = {split: emotion_dialogues(n_dialogues, split[:2], n_classes, data_seed) for split in splits}
    for split, table in tables.items():
        logits = rng.normal(size=(len(table), n_classes))
        logits[np.arange(len(table)), table.labels] += quality  # -1, of an unknown emotion, is the last class
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        facts = EmotionFacts(
            corpus="meld", config_name="meld", split=split, class_names=class_names, epoch_chosen_on="validation",
            data_fingerprint=f"{data_seed:02d}{split}", synthetic=True, run_name=folder.name,
        )  # fmt: skip
        write_emotion_predictions(emotions_file(folder, split), table, probabilities, facts)
        metrics[split] = emotion_metrics(probabilities, table, class_names)
        baselines[split] = emotion_metrics(np.zeros(len(table), dtype=np.int64), table, class_names)
    with open(folder / "log.jsonl", "w", encoding="utf-8") as log:
        for epoch in range(1, 5):
            event = {
                "event": "epoch", "epoch": epoch, "step": epoch, "train_loss": 2 / epoch,
                "validation": {"weighted_f1": 0.1 * epoch, "accuracy": 0.2, "macro_f1": 0.2, "loss": 1 / epoch},
            }  # fmt: skip
            log.write(json.dumps(event) + "\n")
    record = RunResults(
        run_name=folder.name,
        corpus="meld",
        config_name="meld",
        class_names=class_names,
        synthetic=True,
        data_statement="Synthetic dialogues made of emotions.",
        definition="",
        candidates="",
        scorer=scorer,
        objective="corrected" if scorer == "ecerc" else "",
        modalities="t",
        text_encoder="models/tiny",
        encoder_mode="frozen",
        seed=seed,
        threshold={"value": None, "chosen_on": None},
        metrics=metrics,
        missing_splits=(),
        counts={
            split: {"dialogues": n_dialogues, "utterances": len(table), "labelled": int(table.labelled.sum()),
                    "truncated_utterances": 0}
            for split, table in tables.items()
        },
        structural_baselines={
            "majority": {"display_name": "majority class", "description": "The commonest emotion of the train split.",
                         "threshold": None, "chosen_on": None, "splits": baselines}
        },
        data_fingerprint={split: f"{data_seed:02d}{split}" for split in ("train", *splits)},
        settings={"scorer": scorer, "modalities": "t"},
        epoch_chosen_on="validation",
        versions={"torch": "2.13.0"},
        wall_seconds=30.0,
        peak_memory_mb=512.0,
        best_epoch=3,
        epochs=4,
        license_text_shareable=True,
        task=ERC,
        extra={"signatures": {name: signature(table, name, class_names) for name, table in tables.items()}},
    )  # fmt: skip
    record = dataclasses.replace(record, **changes)
    write_results(folder, record)
    return record


def emotion_dialogues(n_dialogues: int, prefix: str, n_classes: int, seed: int) -> EmotionTable:
    """Dialogues of two speakers; the first utterance of each has an emotion that is not known."""
    rng = np.random.default_rng([seed, len(prefix), n_dialogues])
    lengths = rng.integers(4, 12, n_dialogues)
    labels = rng.integers(0, n_classes, lengths.sum())
    turns = np.concatenate([np.arange(1, length + 1) for length in lengths])
    labels[turns == 1] = NO_EMOTION
    return EmotionTable(
        dialogue_ids=np.repeat([f"{prefix}{number:02d}" for number in range(n_dialogues)], lengths),
        turns=turns,
        speakers=np.where(turns % 2, "A", "B"),
        labels=labels,
    )


def signature(table: EmotionTable, split: str, class_names: tuple[str, ...]) -> str:
    """What the scores are comparable with."""
    stated = {"corpus": "meld", "config_name": "meld", "split": split, "class_names": class_names}
    return str(signature_of_table(table, **stated, synthetic=True, epoch_chosen_on="validation"))


def emotion_metrics(predicted: NDArray[Any], table: EmotionTable, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Scores as a run records them."""
    known = table.labelled
    hard = predicted if predicted.ndim == 1 else predicted.argmax(axis=1)
    scores = emotion_scores(predicted[known], table.labels[known], class_names, neutral=class_names[0])
    del scores["undefined"]
    return scores | shift_scores(hard, table.labels, table.dialogue_ids, table.turns, table.speakers)


@pytest.fixture(name="write_emotion_run", scope="session")
def fixture_write_emotion_run():
    return write_emotion_run
