"""A small corpus with what exports for peers must rewrite: later causes, odd texts, speakers and ids."""

from __future__ import annotations

from typing import Any

from iemomecp_dataset.candidates import labeled_candidates
from iemomecp_dataset.corpora.metadata import emotions_of_config, pair_classes
from iemomecp_dataset.corpus import Corpus, corpus_of

# Id; (speaker, emotion of ECF, text) of each utterance; the gold pairs as (target, cause).
Dialogue = tuple[str, list[tuple[str, str, str]], list[tuple[int, int]]]

SPLITS: dict[str, list[Dialogue]] = {
    "train": [
        ("9", [("Ada", "joy", "We won , at last !"), ("Ben", "neutral", "Did you ?")], [(1, 1)]),
        (
            "10",
            [
                ("Ben", "neutral", "It  rains\tagain ."),
                ("Ada", "anger", "left | right"),
                ("Cleo | Dee", "sadness", "  "),
            ],
            [(2, 1), (2, 2), (2, 3), (3, 1)],
        ),
        ("2", [("Ada", "neutral", "Well .")], []),
    ],
    "validation": [("4", [("Eva", "surprise", "Oh !"), ("Ada", "fear", "What is it ?")], [(1, 2), (2, 2)])],
    "test": [
        ("7", [("Ben", "disgust", "Old fish ."), ("Ada", "neutral", "Yes .")], [(1, 1)]),
        ("1", [("Ben", "neutral", "Late ."), ("Gus", "joy", "In time !")], [(2, 1), (2, 2)]),
    ],
}


# The third emotion of IEMOCAP is neutral, where ECF's is surprise.
NEUTRAL_FIRST = SPLITS | {"train": [*SPLITS["train"][:2], ("2", [("Ada", "surprise", "Well .")], [])]}


def long_dialogue(name: str, n_turns: int) -> Dialogue:
    """A dialogue of equal utterances."""
    return name, [("Ada", "neutral", "Well .")] * n_turns, []


def peer_rows(config_name: str = "ecf", splits: dict[str, list[Dialogue]] | None = None) -> dict[str, Any]:
    """Rows by split.

    Emotions of other corpora are those with the same place in their list. Of three roles, pairs of neighbours that are
    not gold are ``emo_context``.
    """
    return {split: [_row(dialogue, config_name) for dialogue in given] for split, given in (splits or SPLITS).items()}


def _row(dialogue: Dialogue, config_name: str) -> dict[str, Any]:
    name, utterances, gold = dialogue
    ecf, own, classes = emotions_of_config("ecf"), emotions_of_config(config_name), pair_classes(config_name)
    pairs, _ = labeled_candidates(len(utterances), gold, "all")
    for pair in pairs:
        if len(classes) == 3 and pair["label"] == 1:
            pair["label"] = 1 if pair["target_turn"] == pair["cause_turn"] + 1 else 2
    return {
        "dialogue_id": name,
        "source_dialogue_id": name,
        "chunk_index": -1,
        "session": -1,
        "utterances": [
            {
                "turn": turn,
                "source_turn": turn,
                "utterance_id": f"dia{name}utt{turn}",
                "speaker": speaker,
                "text": text,
                "emotion": ecf.index(emotion) % len(own),
                "start": 3661.5,
                "end": 3662.25,
                "wav": None,
                "video": None,
            }
            for turn, (speaker, emotion, text) in enumerate(utterances, start=1)
        ],
        "pairs": pairs,
        "explanations": [],
    }


def peer_corpus(config_name: str = "ecf", splits: dict[str, list[Dialogue]] | None = None, **options: Any) -> Corpus:
    """The rows as a corpus."""
    return corpus_of(
        peer_rows(config_name, splits),
        config_name=config_name,
        class_names=pair_classes(config_name),
        emotion_names=emotions_of_config(config_name),
        **options,
    )
