"""Dialogue rows as arrays, and mini-batches of them as padded tensors: the input of dialogue scorers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.pair_table import emotional_utterances
from iemomecp_dataset.rows import gold_pairs
from iemomecp_dataset.trainers.dialogue.emotion_inputs import EMOTION_INPUTS
from iemomecp_dataset.trainers.encoders.context import IN_CONTEXT, TextInContext
from iemomecp_dataset.trainers.encoders.text import EncodedText, TokenizedTexts, chunk_tokens_on
from iemomecp_dataset.trainers.objectives import IGNORED_LABEL
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import Drawn, RandomBatches
from iemomecp_dataset.trainers.training.task import Batch, Examples

__all__ = [
    "Collator",
    "DialogueBatching",
    "DialogueExample",
    "UtteranceInputs",
    "Utterances",
    "dialogue_examples",
    "speaker_numbers",
]


class Utterances(Protocol):
    """The utterances of a dialogue, by what refers to their inputs."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Their texts."""

    @property
    def encoded_texts(self) -> Sequence[EncodedText]:
        """What the text encoder reads of each: its text, or that among turns around it."""

    @property
    def utterance_ids(self) -> tuple[str, ...]:
        """Their keys into feature stores."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class DialogueExample:
    """One dialogue of ``n`` utterances; turns are 0-based here.

    Attributes:
        dialogue_id: The row's id.
        utterance_ids: ``n`` keys into feature stores.
        texts: ``n`` texts.
        speakers: ``(n,)`` int64, numbered by first appearance.
        labels: ``(n, n)`` int64, row target, column cause; ``IGNORED_LABEL`` for pairs that are not candidates.
        gold: ``(n, n)`` bool, all gold pairs, also those that are no candidates.
        emotion_labels: ``(n,)`` int64, 1 for emotional utterances.
        cause_labels: ``(n,)`` int64, 1 for causes in gold pairs, also in those that are no candidates.
        emotion_categories: ``(n,)`` int64, ids of the emotions; ``IGNORED_LABEL`` where one is not known.
        targets: ``(p,)`` int64, target of each candidate pair, in the row's order.
        causes: ``(p,)`` int64, its cause.
        emotion_inputs: ``(n, K)`` float32, probabilities of emotions that another model predicts; None without.
        corpus: Which corpus it is of: 0 for the run's own, then its further corpora.
        texts_in_context: ``n`` texts among the turns that are encoded with each; None where each is encoded alone.
    """

    dialogue_id: str
    utterance_ids: tuple[str, ...]
    texts: tuple[str, ...]
    speakers: NDArray[np.int64]
    labels: NDArray[np.int64]
    gold: NDArray[np.bool_]
    emotion_labels: NDArray[np.int64]
    emotion_categories: NDArray[np.int64]
    cause_labels: NDArray[np.int64]
    targets: NDArray[np.int64]
    causes: NDArray[np.int64]
    emotion_inputs: NDArray[np.float32] | None = None
    corpus: int = 0
    texts_in_context: tuple[TextInContext, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def encoded_texts(self) -> Sequence[EncodedText]:
        """What the text encoder reads of each utterance."""
        return self.texts if self.texts_in_context is None else self.texts_in_context

    def with_candidates(self, space: CandidateSpace) -> DialogueExample:
        """The same dialogue with the candidate pairs of a space, in (target, cause) order; labels are without meaning.

        Args:
            space: Which pairs are candidates.
        """
        n = len(self)
        mask: NDArray[np.bool_] = np.ones((n, n), dtype=bool)
        if space == "past":
            mask = np.tril(mask)
        targets, causes = mask.nonzero()
        return replace(self, labels=np.where(mask, 0, IGNORED_LABEL), targets=targets, causes=causes)


def dialogue_examples(
    rows: Iterable[Mapping[str, Any]],
    emotion_names: Sequence[str],
    emotion_target: str = "non_neutral",
    corpus: int = 0,
    *,
    categories: bool = True,
) -> list[DialogueExample]:
    """Builds examples from rows.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        emotion_names: Names of the emotions, by id.
        emotion_target: Criterion of an emotional utterance: ``non_neutral``, its label, where the corpus has emotions
            (and a gold pair where it has none); or ``gold_target``, being the target of a gold pair.
        corpus: Which corpus they are of.
        categories: Whether their emotions are categories of the model; otherwise none of theirs is learned.
    """
    names = emotion_names if emotion_target == "non_neutral" else None
    return [_example(row, names, corpus, categories) for row in rows]


def _example(
    row: Mapping[str, Any], emotion_names: Sequence[str] | None, corpus: int, categories: bool
) -> DialogueExample:
    utterances = row["utterances"]
    n = len(utterances)
    labels = np.full((n, n), IGNORED_LABEL, dtype=np.int64)
    targets = np.array([pair["target_turn"] for pair in row["pairs"]], dtype=np.int64) - 1
    causes = np.array([pair["cause_turn"] for pair in row["pairs"]], dtype=np.int64) - 1
    labels[targets, causes] = [pair["label"] for pair in row["pairs"]]
    gold: NDArray[np.bool_] = np.zeros((n, n), dtype=bool)
    for target, cause in gold_pairs(row):
        gold[target - 1, cause - 1] = True
    emotions = [utterance.get("emotion") for utterance in utterances]
    predicted = [utterance.get(EMOTION_INPUTS) for utterance in utterances]
    in_context = [utterance.get(IN_CONTEXT) for utterance in utterances]
    return DialogueExample(
        dialogue_id=row["dialogue_id"],
        utterance_ids=tuple(utterance["utterance_id"] for utterance in utterances),
        texts=tuple(utterance["text"] or "" for utterance in utterances),
        speakers=speaker_numbers(utterances),
        labels=labels,
        gold=gold,
        emotion_labels=np.array(emotional_utterances(row, emotion_names), dtype=np.int64),
        emotion_categories=np.array(
            [e if e is not None and categories else IGNORED_LABEL for e in emotions], dtype=np.int64
        ),
        cause_labels=np.any(gold, axis=0).astype(np.int64),
        targets=targets,
        causes=causes,
        emotion_inputs=None if predicted[0] is None else np.asarray(predicted, dtype=np.float32),
        corpus=corpus,
        texts_in_context=None if in_context[0] is None else tuple(in_context),
    )


def speaker_numbers(utterances: Iterable[Mapping[str, Any]]) -> NDArray[np.int64]:
    """Numbers the speakers of a dialogue by first appearance.

    Args:
        utterances: ``n`` utterances, each with ``speaker``.

    Returns:
        ``(n,)`` int64.

    Example:
        >>> speaker_numbers([{"speaker": "B"}, {"speaker": "A"}, {"speaker": "B"}]).tolist()
        [0, 1, 0]
    """
    numbers: dict[str | None, int] = {}
    found = [numbers.setdefault(utterance["speaker"], len(numbers)) for utterance in utterances]
    return np.array(found, dtype=np.int64)


def _emotion_tensor(examples: Sequence[DialogueExample], n: int) -> Batch:
    """``emotion`` ``(B, n, K)`` where the dialogues have probabilities of emotions."""
    given = [example.emotion_inputs for example in examples if example.emotion_inputs is not None]
    if not given:
        return {}
    padded = np.zeros((len(examples), n, given[0].shape[1]), dtype=np.float32)
    for row, of_dialogue in enumerate(given):
        padded[row, : len(of_dialogue)] = of_dialogue
    return {"emotion": torch.from_numpy(padded)}


@dataclass(frozen=True)
class UtteranceInputs:
    """Model inputs of all utterances, referenced by text or utterance id and never copied per pair.

    Attributes:
        text_features: Frozen features by text, or by text in context; or else
        text_tokens: token ids of them; neither when text is not used, or comes from a store.
        event_features: Frozen features by text of a second text stream, where the model has one.
        features: By stream (``audio``, ``video``; ``text``, ``event`` of a store) vectors by utterance id; a missing id
            has no vector.
        feature_sizes: Width by stream of these.
        truncated: The texts that were cut at the most tokens; of new dialogues alone.
        features_alone: Frozen features by text where each is encoded alone, for structural baselines; of training.
    """

    text_features: Mapping[EncodedText, NDArray[np.float32]] | None = None
    text_tokens: TokenizedTexts | None = None
    features: Mapping[str, Mapping[str, NDArray[np.float32]]] | None = None
    feature_sizes: Mapping[str, int] | None = None
    event_features: Mapping[EncodedText, NDArray[np.float32]] | None = None
    truncated: frozenset[EncodedText] = frozenset()
    features_alone: Mapping[EncodedText, NDArray[np.float32]] | None = None

    def cost(self, dialogue: Utterances) -> int:
        """Relative cost of a dialogue: its tokens if texts are encoded in each step, else its utterances."""
        tokens = self.text_tokens
        return len(dialogue) if tokens is None else tokens.cost(dialogue.encoded_texts)

    def tensors(self, dialogues: Sequence[Utterances], n: int, chunk_tokens: int) -> Batch:
        """Lays out the inputs of a padded batch.

        Args:
            dialogues: ``B`` dialogues.
            n: Utterances that each is padded to.
            chunk_tokens: Padded tokens of a chunk in which texts are encoded.

        Returns:
            ``text``, ``event``, ``audio``, ``video`` ``(B, n, size)`` as far as they are used, with ``audio_present``
            and so on ``(B, n)`` bool for those of stores; or ``text_tokens`` and ``text_order``.
        """
        tensors: Batch = {}
        for stream, by_text in (("text", self.text_features), ("event", self.event_features)):
            if by_text is not None:
                vectors = [[by_text[text] for text in dialogue.encoded_texts] for dialogue in dialogues]
                tensors[stream] = _padded(n, vectors)
        if self.text_tokens is not None:
            texts = [text for dialogue in dialogues for text in dialogue.encoded_texts]
            tensors["text_tokens"], tensors["text_order"] = self.text_tokens.chunks(texts, chunk_tokens)
        for stream, by_id in (self.features or {}).items():
            size = (self.feature_sizes or {})[stream]
            padded = np.zeros((len(dialogues), n, size), dtype=np.float32)
            present = np.zeros((len(dialogues), n), dtype=bool)
            for row, dialogue in enumerate(dialogues):
                for turn, utterance_id in enumerate(dialogue.utterance_ids):
                    vector = by_id.get(utterance_id)
                    if vector is not None:
                        padded[row, turn] = vector
                        present[row, turn] = True
            tensors[stream] = torch.from_numpy(padded)
            tensors[f"{stream}_present"] = torch.from_numpy(present)
        return tensors


def _padded(n: int, vectors: Sequence[Sequence[NDArray[np.float32]]]) -> torch.Tensor:
    padded = np.zeros((len(vectors), n, len(vectors[0][0])), dtype=np.float32)
    for row, dialogue in enumerate(vectors):
        padded[row, : len(dialogue)] = dialogue
    return torch.from_numpy(padded)


class Collator:
    """Pads dialogues to the longest of the batch.

    Args:
        inputs: Model inputs of the utterances.
        chunk_tokens: Padded tokens of a chunk in which texts are encoded; by default the number that suits a CPU.
    """

    def __init__(self, inputs: UtteranceInputs, chunk_tokens: int = chunk_tokens_on(torch.device("cpu"))):
        self.inputs = inputs
        self.chunk_tokens = chunk_tokens

    def cost(self, example: DialogueExample) -> int:
        """Relative cost of a dialogue."""
        return self.inputs.cost(example)

    def __call__(self, batch: Sequence[tuple[int, DialogueExample]]) -> Batch:
        """Builds the tensors of a batch.

        Args:
            batch: Positions in the split, and dialogues.

        Returns:
            ``position`` ``(B,)``; ``mask``, ``speakers``, ``emotion_labels``, ``emotion_categories``, ``cause_labels``
            ``(B, N)``; ``labels``, ``valid``, ``gold`` ``(B, N, N)``; ``emotion`` ``(B, N, K)`` where it is used;
            ``corpus`` ``(B,)`` where some dialogue is of a further one; and the inputs of
            :meth:`DialogueScorer.forward`.
        """
        examples = [example for _, example in batch]
        b, n = len(examples), max(map(len, examples))
        mask = np.zeros((b, n), dtype=bool)
        speakers, emotion_labels, cause_labels = (np.zeros((b, n), dtype=np.int64) for _ in range(3))
        emotion_categories = np.full((b, n), IGNORED_LABEL, dtype=np.int64)
        labels = np.full((b, n, n), IGNORED_LABEL, dtype=np.int64)
        gold = np.zeros((b, n, n), dtype=bool)
        for row, example in enumerate(examples):
            size = len(example)
            mask[row, :size] = True
            speakers[row, :size] = example.speakers
            emotion_labels[row, :size] = example.emotion_labels
            emotion_categories[row, :size] = example.emotion_categories
            cause_labels[row, :size] = example.cause_labels
            labels[row, :size, :size] = example.labels
            gold[row, :size, :size] = example.gold
        tensors: Batch = {
            "position": torch.tensor([position for position, _ in batch]),
            **_emotion_tensor(examples, n),
            **({"corpus": torch.tensor(corpora)} if any(corpora := [example.corpus for example in examples]) else {}),
            "mask": torch.from_numpy(mask),
            "speakers": torch.from_numpy(speakers),
            "emotion_labels": torch.from_numpy(emotion_labels),
            "emotion_categories": torch.from_numpy(emotion_categories),
            "cause_labels": torch.from_numpy(cause_labels),
            "labels": torch.from_numpy(labels),
            "valid": torch.from_numpy(labels != IGNORED_LABEL),
            "gold": torch.from_numpy(gold),
        }
        return tensors | self.inputs.tensors(examples, n, self.chunk_tokens)


class DialogueBatching:
    """Mini-batches of whole dialogues; the part of a strategy that does not depend on what is learned.

    Attributes:
        collator: Pads examples to a batch, and tells the relative ``cost`` of one.
        drawn: How many examples of each consecutive part of train an epoch draws; empty for all of them.
    """

    collator: Any
    drawn: Sequence[Drawn] = ()

    def train_order(self, examples: Examples, *, batch_size: int, seed: int, processes: Processes) -> RandomBatches:
        """Random mini-batches, sharded so that processes have about the same cost."""
        costs = self._costs(examples)
        return RandomBatches(len(examples), batch_size, seed=seed, processes=processes, costs=costs, drawn=self.drawn)

    def scoring_order(self, examples: Examples, *, batch_size: int, processes: Processes) -> RandomBatches:
        """Mini-batches in the order of the split, sharded by cost."""
        costs = self._costs(examples)
        return RandomBatches(len(examples), batch_size, shuffle=False, processes=processes, costs=costs)

    def collate(self, batch: list[tuple[int, Any]]) -> Batch:
        """Pads dialogues to the longest."""
        padded: Batch = self.collator(batch)
        return padded

    def _costs(self, examples: Examples) -> list[int]:
        return [self.collator.cost(examples[position]) for position in range(len(examples))]
