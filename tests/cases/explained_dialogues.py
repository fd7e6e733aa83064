"""Dialogues in memory with written explanations, whose words a tiny tokenizer knows; and a tiny language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_language_model import language_model, word_tokenizer

EMOTIONS = ("neutral", "joy", "anger")
SIZES = {"train": 6, "validation": 3, "test": 4}
_SPEAKERS, _CAUSES = ("Ann", "Bob", "Cy"), ("a game", "the train", "a late train")


def explained_dialogues() -> dict[str, list[dict[str, Any]]]:
    """Rows by split, of four utterances; the third is explained by the first, in one dialogue the fourth as well."""
    return {split: [_row(split, number) for number in range(size)] for split, size in SIZES.items()}


def _row(split: str, number: int) -> dict[str, Any]:
    cause, speaker, emotion = _CAUSES[number % 3], _SPEAKERS[number % 3], number % 2 + 1
    texts = (f"Bob lost {cause} .", "why ?", "oh no , not now !", "well , yes .")
    reason = f"The reason is that Bob lost {cause} ."
    explanations = [{"target_turn": 3, "text": reason, "status": 0, "cause_turns": [1]}]
    if number == 0:
        explanations += [{"target_turn": 4, "text": f"{speaker} feels joy because Bob won .", "status": 0,
                          "cause_turns": [4]},
                         {"target_turn": 2, "text": "The reas", "status": 1, "cause_turns": []}]  # fmt: skip
    return {
        "dialogue_id": f"{split}{number}",
        "source_dialogue_id": f"{split}{number}",
        "utterances": [
            {
                "turn": turn,
                "source_turn": turn,
                "utterance_id": f"{split}{number}_{turn}",
                "speaker": speaker if turn > 2 else "Bob",
                "text": text,
                "emotion": emotion if turn > 2 else 0,
            }
            for turn, text in enumerate(texts, start=1)
        ],
        "pairs": [],
        "gold_outside_candidates": [],
        "explanations": explanations,
    }


def write_language_model(folder: Path) -> Path:
    """Writes a language model with random weights and its tokenizer."""
    language_model().save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder
