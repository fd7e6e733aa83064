"""The task of emotion recognition: what is batched, weighted, selected and scored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from two_dialogues import EMOTIONS, two_dialogue_corpus

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.emotion_table import emotion_table
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores
from iemomecp_dataset.trainers.dialogue.data import UtteranceInputs
from iemomecp_dataset.trainers.emotions.data import EmotionCollator, emotion_examples
from iemomecp_dataset.trainers.emotions.options import EmotionOptimizationOptions
from iemomecp_dataset.trainers.emotions.task import UtteranceStrategy, emotion_class_weights, emotion_selection
from iemomecp_dataset.trainers.objectives import emotion_loss, pooled_here
from iemomecp_dataset.trainers.training.distributed import Processes


def corpus_with(emotions: dict[str, list[list[int | None]]]) -> Corpus:
    """The two dialogues of each split with other emotions."""
    corpus = two_dialogue_corpus()
    rows = {}
    for split, of_split in emotions.items():
        rows[split] = [
            {**row, "utterances": [{**u, "emotion": e} for u, e in zip(row["utterances"], of_row, strict=False)]}
            for row, of_row in zip(corpus.rows[split], of_split, strict=True)
        ]
    return replace(corpus, rows=rows)


VALIDATION: dict[str, list[list[int | None]]] = {
    "train": [[0, 1, 0, 1], [2, 0, 0, 0, None]],
    "validation": [[0, None, 1], [2, 0, 1, 0]],
}


@pytest.mark.parametrize("name", ["weighted_f1", "macro_f1", "accuracy"])
@pytest.mark.parametrize("rounded", [False, True])
def test_an_epoch_is_worth_its_score_on_the_known_emotions_of_validation(name: Any, rounded: bool) -> None:
    corpus = corpus_with(VALIDATION)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(3), size=7)
    options = EmotionOptimizationOptions(selection=name, round_selection=rounded)
    selection = emotion_selection(corpus, options, 2.0, [1.0, 2.0, 3.0])
    assert selection is not None
    known, labels = probabilities[[0, 2, 3, 4, 5, 6]], np.array([0, 1, 2, 0, 1, 0])
    scores = emotion_scores(known, labels, EMOTIONS)
    selected = selection(probabilities)
    assert selected.scores == {key: scores[key] for key in ("weighted_f1", "macro_f1", "accuracy")}
    assert selected.value == (round(100 * scores[name], 2) if rounded else scores[name])
    assert selected.threshold is None
    gold = known[np.arange(6), labels]
    alpha = np.array([1.0, 2.0, 3.0])[labels]
    assert selected.loss == pytest.approx(-np.mean((1 - gold) ** 2 * alpha * np.log(gold)), rel=1e-12)
    assert np.isfinite(selection(np.eye(3)[[1] * 7]).loss or 0.0), "a gold emotion of probability 0"


@pytest.mark.parametrize("validation", [None, [[None] * 3, [None] * 4]], ids=["no split", "no emotion in it"])
def test_without_known_emotions_to_select_on_there_is_no_selection(validation: Any) -> None:
    emotions = {"train": VALIDATION["train"], **({} if validation is None else {"validation": validation})}
    assert emotion_selection(corpus_with(emotions), EmotionOptimizationOptions()) is None


def test_class_weights() -> None:
    labels = np.array([0, 1, 0, 1, 2, 0, 0, 0])
    assert emotion_class_weights("none", labels, EMOTIONS) is None
    assert emotion_class_weights("train", labels, EMOTIONS) == [8 / 5, 8 / 2, 8 / 1]
    root = emotion_class_weights("sqrt", labels, EMOTIONS)
    assert np.mean(np.array(root)[labels]) == pytest.approx(1.0)
    assert root[2] / root[0] == pytest.approx(5**0.5)
    with pytest.raises(UsageError, match="--class_weights released are known for the emotions of IEMOCAP and MELD"):
        emotion_class_weights("released", labels, EMOTIONS)
    order = ["fru", "hap", "sad", "neu", "ang", "exc"]
    weights = emotion_class_weights("released", labels, order)
    assert weights is not None
    assert weights[:2] == [7433 / 1849, 7433 / 648], "by name, whatever the order"


class Marked(nn.Module):
    """Gives logits that name the utterance: its vector."""

    def forward(self, mask: torch.Tensor, text: torch.Tensor, **streams: Any) -> Any:
        self.streams = streams
        return type("Output", (), {"logits": text})()


def strategy_of(corpus: Corpus, **options: Any) -> tuple[UtteranceStrategy, list[Any]]:
    examples = emotion_examples(corpus.rows["train"])
    ids = [key for example in examples for key in example.utterance_ids]
    vectors = {key: np.array([number, 1.0, -1.0], dtype=np.float32) for number, key in enumerate(ids)}
    audio = {key: vector[:2] for key, vector in vectors.items() if key != ids[1]}
    inputs = UtteranceInputs(features={"text": vectors, "audio": audio}, feature_sizes={"text": 3, "audio": 2})
    return UtteranceStrategy(EmotionCollator(inputs), **options), examples


def test_a_batch_is_padded_and_says_which_vectors_are_absent() -> None:
    strategy, examples = strategy_of(corpus_with(VALIDATION))
    batch = strategy.collate([(0, examples[0]), (~1, examples[1])])
    assert batch["position"].tolist() == [0, ~1]
    assert batch["labels"].tolist() == [[0, 1, 0, 1, -100], [2, 0, 0, 0, -100]]
    inputs = batch["inputs"]
    assert inputs["mask"].sum(1).tolist() == [4, 5]
    assert inputs["speakers"].tolist() == [[0, 1, 0, 1, 0], [0, 1, 0, 1, 0]]
    assert inputs["audio_present"].tolist() == [[True, False, True, True, False], [True] * 5]
    assert inputs["text"][1, :, 0].tolist() == [4, 5, 6, 7, 8]


def test_the_loss_is_that_of_the_contract_and_scoring_gives_each_dialogue_its_own_turns() -> None:
    weights = torch.tensor([1.0, 2.0, 3.0])
    strategy, examples = strategy_of(corpus_with(VALIDATION), gamma=2.0, class_weights=weights)
    batch, model = strategy.collate([(1, examples[1]), (0, examples[0])]), Marked()
    terms = strategy.terms(model, batch, pooled_here)
    expected = emotion_loss(
        batch["inputs"]["text"], batch["labels"], batch["inputs"]["mask"], gamma=2.0, class_weights=weights
    )
    assert terms == {"emotion": expected}
    assert model.streams.keys() == {"speakers", "text_present", "audio", "audio_present"}
    found, loss = strategy.probabilities(model, batch, examples)
    assert loss == expected.item()
    assert [(position, len(matrix)) for position, matrix in found] == [(1, 5), (0, 4)]
    expected_matrix = batch["inputs"]["text"][0].double().softmax(-1).numpy()
    np.testing.assert_array_equal(found[0][1], expected_matrix)


def test_mini_batches_are_the_same_for_one_and_for_two_processes() -> None:
    corpus = corpus_with(VALIDATION)
    strategy, examples = strategy_of(corpus)
    examples = examples * 4
    one = list(strategy.train_order(examples, batch_size=4, seed=3, processes=Processes()))
    two = [
        list(strategy.train_order(examples, batch_size=2, seed=3, processes=Processes(2, index))) for index in (0, 1)
    ]
    assert [sorted(batch) for batch in one] == [sorted(a + b) for a, b in zip(*two, strict=True)]
    assert len(emotion_table(corpus.rows["train"])) == 9
