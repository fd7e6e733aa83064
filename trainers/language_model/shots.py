"""Which dialogues of train precede a question with their gold answers: the most similar ones, or random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import UsageError, require_packages
from iemomecp_dataset.trainers.language_model.asking import Dialogue

__all__ = ["ShotChoice", "Shots", "choose_shots"]

ShotChoice = Literal["similarity", "random"]


@dataclass(frozen=True)
class Shots:
    """The shots of a run.

    Attributes:
        of_dialogue: By ``(split, dialogue id)`` its dialogues of train, the most similar one last.
        by: How they were chosen, in words.
    """

    of_dialogue: Mapping[tuple[str, str], tuple[Dialogue, ...]]
    by: str

    def of(self, dialogue: Dialogue) -> tuple[Dialogue, ...]:
        """The shots of a dialogue."""
        return self.of_dialogue.get((dialogue.split, dialogue.dialogue_id), ())

    @property
    def chosen(self) -> tuple[Dialogue, ...]:
        """Every dialogue of train that precedes a question, once."""
        return tuple({shot.dialogue_id: shot for shots in self.of_dialogue.values() for shot in shots}.values())

    def as_record(self) -> dict[str, Any]:
        """Ids of the shots, by split and dialogue; where all dialogues have the same ones, once."""
        ids = {key: [shot.dialogue_id for shot in shots] for key, shots in self.of_dialogue.items()}
        if len({tuple(found) for found in ids.values()}) <= 1:
            return {"chosen_by": self.by, "ids": next(iter(ids.values()), [])}
        by_split: dict[str, dict[str, list[str]]] = {}
        for (split, name), found in ids.items():
            by_split.setdefault(split, {})[name] = found
        return {"chosen_by": self.by, "ids": by_split}


def choose_shots(
    train: Sequence[Dialogue],
    dialogues: Sequence[Dialogue],
    number: int,
    *,
    choice: ShotChoice = "similarity",
    seed: int = 0,
    encoder: str | None = None,
) -> Shots:
    """Chooses shots for dialogues.

    Args:
        train: The dialogues of train; no other split is accepted.
        dialogues: The dialogues to ask about.
        number: Shots per dialogue.
        choice: ``similarity`` of the dialogue to those of train, by dialogue; ``random``: the same ones for all.
        seed: Seed of random shots.
        encoder: Folder or name of a frozen sentence encoder, whose vectors are compared; None: TF-IDF of words.

    Raises:
        UsageError: Shots are to come from another split than train, or train has too few dialogues.
    """
    if not number:
        return Shots({}, "none")
    foreign = {shot.split for shot in train} - {"train"}
    if foreign:
        raise UsageError(f"Shots come from train alone, not from {min(foreign)}: their gold is what is to be found.")
    if len(train) < number:
        raise UsageError(f"{number} shots need as many dialogues of train, which has {len(train)}.")
    keys = [(dialogue.split, dialogue.dialogue_id) for dialogue in dialogues]
    if choice == "random":
        chosen = np.random.default_rng(seed).choice(len(train), size=number, replace=False)
        shots = tuple(train[place] for place in chosen.tolist())
        return Shots(dict.fromkeys(keys, shots), f"random, seed {seed}")
    texts = [" ".join(dialogue.texts) for dialogue in (*train, *dialogues)]
    similarity = (_tfidf if encoder is None else _encoded)(texts, len(train), encoder)
    # Of equally similar ones the first of train; the most similar one stands nearest to the question.
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :number]
    of_dialogue = {
        key: tuple(train[place] for place in reversed(places)) for key, places in zip(keys, order.tolist(), strict=True)
    }
    return Shots(of_dialogue, "similarity, TF-IDF" if encoder is None else f"similarity, {encoder}")


def _tfidf(texts: Sequence[str], n_train: int, _: str | None) -> NDArray[np.float64]:
    require_packages("sklearn", extra="train")
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit(texts[:n_train])
    vectors = vectorizer.transform(texts)
    return np.asarray((vectors[n_train:] @ vectors[:n_train].T).toarray())


def _encoded(texts: Sequence[str], n_train: int, encoder: str | None) -> NDArray[np.float64]:
    require_packages("torch", "transformers", extra="train")
    import torch

    from iemomecp_dataset.trainers.encoders.pooling import default_layers
    from iemomecp_dataset.trainers.encoders.text import (
        encode_texts,
        load_text_encoder,
        load_tokenizer,
        tokenize_texts,
    )

    assert encoder is not None
    loaded = load_text_encoder(encoder)
    tokens = tokenize_texts(texts, load_tokenizer(encoder), 512)
    vectors = encode_texts(
        tokens, loaded, default_layers(loaded.num_layers)[-1:], device=torch.device("cpu"), progress=False
    )
    found = np.stack([vectors[text] for text in texts]).astype(np.float64)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return np.asarray(found[n_train:] @ found[:n_train].T)
