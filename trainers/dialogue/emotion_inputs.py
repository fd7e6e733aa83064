"""Emotions that another run predicted, as inputs of a pair scorer.

An emotion is half of a pair. On utterances that a model was trained on its probabilities are overconfident, so those of
train must be cross-fitted: each dialogue is scored by a model that was trained on the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.corpus import Corpus, whole_corpus
from iemomecp_dataset.errors import InvalidDataError, MetricInputError, MissingDataError, UsageError
from iemomecp_dataset.metrics.evaluation.emotions.predictions import (
    EmotionPredictions,
    emotions_file,
    read_emotion_predictions,
)
from iemomecp_dataset.metrics.evaluation.predictions import predictions_file
from iemomecp_dataset.metrics.pair_inputs import check_probabilities
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS, SPLITS

__all__ = [
    "EMOTION_INPUTS",
    "EmotionInputs",
    "checked_emotion_inputs",
    "read_emotion_inputs",
    "with_emotion_inputs",
]

EMOTION_INPUTS = "emotion_probabilities"
"""Key of an utterance that holds the probabilities."""

_SHOWN = 3


@dataclass(frozen=True)
class EmotionInputs:
    """Probabilities of emotions for every utterance of a corpus.

    Attributes:
        run_name: The run that predicted them.
        class_names: The ``K`` emotions by id.
        probabilities: By split and dialogue, in row order, ``(n, K)`` float64.
        folds: Number of folds in which those of train were cross-fitted; None without train.
        digest: Digest of all probabilities.
    """

    run_name: str
    class_names: tuple[str, ...]
    probabilities: Mapping[str, Sequence[NDArray[np.float64]]]
    folds: int | None
    digest: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the record of a run states of its features."""
        return {
            "model": self.run_name,
            "revision": None,
            "settings": {"classes": list(self.class_names), "cross_fitted_folds": self.folds},
            "width": len(self.class_names),
            "digest": self.digest,
            "missing": 0,
        }

    @property
    def emotional(self) -> tuple[str, dict[str, NDArray[np.float64]]]:
        """The run's name, and by split ``(m,)`` P(not neutral) of each utterance in row order."""
        others = ~np.isin(self.class_names, list(NEUTRAL_EMOTIONS))
        of_split = {split: np.concatenate(list(found)) for split, found in self.probabilities.items()}
        return self.run_name, {split: values[:, others].sum(axis=1) for split, values in of_split.items()}

    def attached(self, split: str, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Copies the rows of a split, with the probabilities of each utterance."""
        return with_emotion_inputs(rows, self.probabilities[split])


def with_emotion_inputs(
    rows: Iterable[Mapping[str, Any]], probabilities: Sequence[NDArray[np.floating[Any]]]
) -> list[dict[str, Any]]:
    """Copies rows, with the probabilities of each utterance's emotions.

    Args:
        rows: Dialogues.
        probabilities: For each ``(n, K)``, in the order of its utterances.

    Example:
        >>> (row,) = with_emotion_inputs([{"utterances": [{"turn": 1}]}], [np.array([[0.25, 0.75]])])
        >>> row["utterances"][0]["emotion_probabilities"].tolist()
        [0.25, 0.75]
    """
    return [
        {
            **row,
            "utterances": [
                {**utterance, EMOTION_INPUTS: vector}
                for utterance, vector in zip(row["utterances"], of_row, strict=True)
            ],
        }
        for row, of_row in zip(rows, probabilities, strict=True)
    ]


def checked_emotion_inputs(
    given: Sequence[Any] | None, rows: Sequence[Mapping[str, Any]], class_names: Sequence[str] | None
) -> list[NDArray[np.float64]] | None:
    """Checks the probabilities of new dialogues against what a model was trained with.

    Args:
        given: For each row ``(n, K)`` probabilities, or None.
        rows: The dialogues.
        class_names: The ``K`` emotions that are inputs of the model; None or empty for a model without.

    Returns:
        The same as arrays; None for a model without.

    Raises:
        MissingDataError: The model needs them and there are none.
        UsageError: It does not use them.
        InvalidDataError: They do not fit the rows, or are no probabilities.
    """
    if not class_names:
        if given is not None:
            raise UsageError("This scorer was trained without --emotion_from and uses no emotions=. Leave it out.")
        return None
    listed = ", ".join(class_names)
    if given is None:
        raise MissingDataError(
            f"This scorer was trained with --emotion_from: give emotions= for each row an array of (utterances, "
            f"{len(class_names)}) probabilities of {listed}, as the run that it was trained with predicts them."
        )
    if len(given) != len(rows):
        raise InvalidDataError(f"emotions= has {len(given)} entries for {len(rows)} rows; give one for each row.")
    found = []
    for place, (values, row) in enumerate(zip(given, rows, strict=True)):
        wanted = (len(row["utterances"]), len(class_names))
        if np.shape(values) != wanted:
            raise InvalidDataError(
                f"emotions[{place}] has shape {np.shape(values)}; expected {wanted}: one row per utterance of "
                f"{row['dialogue_id']!r}, one column for each of {listed}."
            )
        try:
            checked, _ = check_probabilities(values, class_names, item="utterance")
        except MetricInputError as error:
            raise InvalidDataError(f"emotions[{place}]: {error}") from None
        found.append(checked.astype(np.float64))
    return found


def read_emotion_inputs(folder: str | Path, corpus: Corpus) -> EmotionInputs:
    """Reads the predictions of a run that recognises emotions, for all utterances of a corpus of pairs.

    Args:
        folder: The run folder.
        corpus: The corpus of pairs. Chunks take the emotions of their source dialogue.

    Returns:
        The probabilities.

    Raises:
        MissingDataError: There is no run, or no file for a split.
        UsageError: It is a run of pairs, or its emotions are those of another corpus.
        InvalidDataError: Utterances are missing, the classes are others, or the predictions on train are those of a
            model that was trained on them.
    """
    folder = Path(folder)
    _check_run(folder)
    # Train last: a run of another corpus is told as such, not as one without predictions for train.
    last_first = {split: _read(folder, split, corpus) for split in reversed(SPLITS) if split in corpus.rows}
    files = {split: last_first[split] for split in SPLITS if split in last_first}
    places = _places_in_file(corpus)
    probabilities: dict[str, list[NDArray[np.float64]]] = {}
    digest = hashlib.sha256()
    for split, file in files.items():
        keys = zip(file.table.dialogue_ids.tolist(), file.table.turns.tolist(), strict=True)
        row_of = {key: row for row, key in enumerate(keys)}
        wanted = [[row_of.get(key) for key in of_dialogue] for of_dialogue in places[split]]
        missing = [
            key
            for keys_of, rows in zip(places[split], wanted, strict=True)
            for key, row in zip(keys_of, rows, strict=True)
            if row is None
        ]
        if missing:
            named = ", ".join(f"(dialogue {dialogue}, turn {turn})" for dialogue, turn in missing[:_SHOWN])
            further = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise InvalidDataError(
                f"{file.path}: {len(missing)} utterances of {corpus.config_name}, {split}, are missing: "
                f"{named}{further}. Train the run on the same corpus and splits."
            )
        scored = np.eye(len(file.class_names))[file.predicted] if file.probabilities is None else file.probabilities
        probabilities[split] = [scored[np.array(rows, dtype=np.intp)] for rows in wanted]
        digest.update(split.encode())
        for of_dialogue in probabilities[split]:
            digest.update(np.ascontiguousarray(of_dialogue, dtype="<f8").tobytes())
    train = files.get("train")
    return EmotionInputs(
        run_name=folder.resolve().name,
        class_names=corpus.emotion_names,
        probabilities=probabilities,
        folds=train.facts.cross_fitted_folds if train else None,
        digest=digest.hexdigest()[:16],
    )


def _check_run(folder: Path) -> None:
    if any(emotions_file(folder, split).is_file() for split in SPLITS):
        return
    if any(predictions_file(folder, split).is_file() for split in SPLITS):
        raise UsageError(
            f"--emotion_from {folder} is a run of pairs, which has no emotions_<split>.parquet. Give a run that "
            "recognises emotions."
        )
    raise MissingDataError(
        f"--emotion_from {folder}: there are no emotions_<split>.parquet. Give the folder of a finished run that "
        "recognises emotions."
    )


def _read(folder: Path, split: str, corpus: Corpus) -> EmotionPredictions:
    path = emotions_file(folder, split)
    again = "Train the run again with --train_folds 5, which scores each dialogue of train by a model of the others"
    if not path.is_file():
        advice = f"{again}." if split == "train" else f"Train it on data that has the split {split}."
        raise MissingDataError(f"--emotion_from {folder} has no {path.name}, and the data has that split. {advice}")
    file = read_emotion_predictions(path)
    stated = file.facts.corpus
    of_iemocap = {stated, corpus.name} == {"iemocap", IEMOMECP}  # the same dialogues under two names
    if stated is not None and stated != corpus.name and not of_iemocap:
        raise UsageError(
            f"--emotion_from {folder} recognises the emotions of {stated}, and these dialogues are of {corpus.name}. "
            f"Give a run on {corpus.name}."
        )
    if file.class_names != corpus.emotion_names:
        raise InvalidDataError(
            f"{path}: its emotions are {', '.join(file.class_names)}; those of {corpus.config_name} are "
            f"{', '.join(corpus.emotion_names) or 'not known'}. Train both runs with the same --emotions."
        )
    if split == "train" and file.facts.cross_fitted_folds is None:
        raise InvalidDataError(
            f"{path} holds the predictions of a model on its own training utterances, or does not state otherwise: a "
            f"scorer would learn to trust them more than those on other data deserve. {again}."
        )
    return file


def _places_in_file(corpus: Corpus) -> dict[str, list[list[tuple[str, int]]]]:
    """By split and dialogue the (dialogue, turn) of each utterance as a run that recognises emotions names it."""
    if corpus.name != IEMOMECP:
        return {
            split: [[(row["dialogue_id"], utterance["turn"]) for utterance in row["utterances"]] for row in rows]
            for split, rows in corpus.rows.items()
        }
    whole = whole_corpus(corpus)
    named = {
        split: {
            (row["source_dialogue_id"], utterance["source_turn"]): (row["dialogue_id"], utterance["turn"])
            for row in rows
            for utterance in row["utterances"]
        }
        for split, rows in whole.rows.items()
    }
    return {
        split: [
            [named[split][row["source_dialogue_id"], utterance["source_turn"]] for utterance in row["utterances"]]
            for row in rows
        ]
        for split, rows in corpus.rows.items()
    }
