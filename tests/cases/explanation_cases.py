"""A small corpus with invented explanations, and runs on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.runs.explanation_results import (
    explanation_run_results,
    write_explanation_run_predictions,
)
from iemomecp_dataset.benchmark.runs.results import RunResults, write_results
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.explanation_table import explanation_table

THINGS = ["cat", "dog", "job", "party", "rain", "exam", "friend", "letter", "train", "song"]


def explanation_rows(split: str, n: int) -> list[dict[str, Any]]:
    """Ann is glad or angry about the thing that Ben named before her."""
    rows = []
    for d in range(n):
        named, other = THINGS[(3 * d + len(split)) % 10], THINGS[(7 * d + 1) % 10]
        lines = [("Ben", f"Look at the {named} !", 0), ("Ann", f"Oh , the {other} again .", 1 + d % 2)]
        rows.append(
            {
                "dialogue_id": f"{split}_{d}",
                "source_dialogue_id": f"{split}_{d}",
                "utterances": [
                    {"turn": t, "speaker": who, "text": text, "emotion": emotion, "utterance_id": f"{split}_{d}_{t}"}
                    for t, (who, text, emotion) in enumerate(lines, start=1)
                ],
                "pairs": [],
                "explanations": [
                    {
                        "target_turn": 2,
                        "text": f"The reason why she is {('glad', 'angry')[d % 2]} is that {named} number {d} came.",
                        "status": 0,
                        "cause_turns": [1],
                    }
                ],
            }
        )
    return rows


def explanation_corpus(**changes: Any) -> Corpus:
    """Twenty train, six validation and eight test dialogues."""
    rows = {split: explanation_rows(split, n) for split, n in (("train", 20), ("validation", 6), ("test", 8))}
    values: dict[str, Any] = {
        "name": "ecem", "config_name": "ecem", "class_names": ("pair", "non_pair"),
        "emotion_names": ("neutral", "joy", "anger"), "rows": rows, "tables": {}, "missing_splits": (),
        "synthetic": True, "candidates": "all", "forward_pairs": "all",
        "fingerprints": {split: f"data-{split}" for split in rows},
        "text_fingerprints": {split: f"texts-{split}" for split in rows},
    }  # fmt: skip
    return Corpus(**values | changes)


def write_explanation_run(
    folder: Path,
    write: Callable[[str], str],
    *,
    corpus: Corpus | None = None,
    seed: int = 1,
    causes: str = "none",
    **changes: Any,
) -> RunResults:
    """A run folder whose texts are the references as ``write`` changes them."""
    corpus = corpus or explanation_corpus()
    texts = {
        split: [write(reference) for reference in explanation_table(corpus.rows[split]).references]
        for split in ("validation", "test")
    }
    values: dict[str, Any] = {
        "run_name": folder.name, "scorer": "explanation", "objective": "lora", "modalities": "t", "seed": seed,
        "text_encoder": "tiny-lm", "encoder_mode": "trained", "epoch_chosen_on": "validation", "meteor": False,
        "settings": {"causes": causes, "objective": "lora"},
    }  # fmt: skip
    record = explanation_run_results(corpus, texts, **values | changes)
    folder.mkdir(parents=True)
    for split, of_split in texts.items():
        write_explanation_run_predictions(
            folder, corpus, split, of_split, epoch_chosen_on="validation", run_name=folder.name, causes=causes
        )
    write_results(folder, record)
    return record
