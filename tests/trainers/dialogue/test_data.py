"""From rows to padded batches."""

from __future__ import annotations

import numpy as np

from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.encoders.text import TokenizedTexts
from iemomecp_dataset.trainers.objectives import IGNORED_LABEL


def row(
    dialogue_id: str, emotions: str, gold: list[tuple[int, int]], speakers: str, outside: list[tuple[int, int]] = ()
) -> dict:
    """A row whose emotions are letters: n is neutral; candidates are all pairs with cause <= target."""
    n = len(emotions)
    built = {
        "dialogue_id": dialogue_id,
        "utterances": [
            {"turn": t + 1, "utterance_id": f"{dialogue_id}_{t + 1}", "text": f"text {t}", "speaker": speakers[t],
             "emotion": 0 if emotions[t] == "n" else 1}
            for t in range(n)
        ],
        "pairs": [
            {"target_turn": i, "cause_turn": j, "label": 0 if (i, j) in gold else 1}
            for i in range(1, n + 1)
            for j in range(1, i + 1)
        ],
    }  # fmt: skip
    if outside:
        built["gold_outside_candidates"] = [{"target_turn": i, "cause_turn": j} for i, j in outside]
    return built


ROWS = [
    row("a", "nhh", [(2, 1), (3, 3)], "FMF", outside=[(2, 3)]),
    row("b", "nhhnn", [(2, 2)], "MMXFX"),
]


def test_examples_hold_what_the_rows_say() -> None:
    a, b = dialogue_examples(ROWS, ["neutral", "joy"])
    assert a.labels.tolist() == [[1, -100, -100], [0, 1, -100], [1, 1, 0]]
    assert a.emotion_labels.tolist() == [0, 1, 1]
    assert a.cause_labels.tolist() == [1, 0, 1], "gold pairs outside the candidates count"
    assert a.gold.nonzero()[0].tolist() == [1, 1, 2]
    assert a.gold.nonzero()[1].tolist() == [0, 2, 2], "there too"
    assert b.speakers.tolist() == [0, 0, 1, 2, 1], "numbered by first appearance"
    assert b.emotion_labels.tolist() == [0, 1, 1, 0, 0]
    assert dialogue_examples(ROWS, ["neutral", "joy"], "gold_target")[1].emotion_labels.tolist() == [0, 1, 0, 0, 0]


def test_categories_are_the_ids_of_the_rows_and_ignored_where_there_is_none() -> None:
    unknown = {**ROWS[0], "utterances": [{**u, "emotion": (None, 5, 0)[u["turn"] - 1]} for u in ROWS[0]["utterances"]]}
    examples = dialogue_examples([unknown, ROWS[1]], ["neutral", "joy"])
    batch = Collator(UtteranceInputs())(list(enumerate(examples)))
    assert batch["emotion_categories"].tolist() == [[-100, 5, 0, -100, -100], [0, 1, 1, 0, 0]]


def test_categories_of_another_corpus_are_not_learned() -> None:
    own = dialogue_examples(ROWS, ["neutral", "joy"])
    other = dialogue_examples(ROWS, ["neutral", "joy"], categories=False)
    assert any((one.emotion_categories != IGNORED_LABEL).any() for one in own)
    assert all((one.emotion_categories == IGNORED_LABEL).all() for one in other)
    assert all((one.emotion_labels == two.emotion_labels).all() for one, two in zip(own, other, strict=True))


def test_the_cause_of_a_gold_pair_outside_the_candidates_is_a_cause() -> None:
    (alone,) = dialogue_examples([row("c", "hhh", [(1, 1)], "FMF", outside=[(1, 2)])], ["neutral", "joy"])
    assert alone.cause_labels.tolist() == [1, 1, 0]


def test_dialogues_are_shared_out_by_what_is_computed_for_them_in_each_step() -> None:
    short, long = dialogue_examples(ROWS, ["neutral", "joy"])
    tokens = TokenizedTexts({f"text {t}": np.arange(50 if t == 0 else 3) for t in range(5)}, 0, frozenset())
    trained = Collator(UtteranceInputs(text_tokens=tokens))
    frozen = Collator(UtteranceInputs(text_features={f"text {t}": np.zeros(2, np.float32) for t in range(5)}))
    assert [trained.cost(short), trained.cost(long)] == [56, 62]
    assert [frozen.cost(short), frozen.cost(long)] == [3, 5]


def test_collator_pads_and_masks() -> None:
    examples = dialogue_examples(ROWS, ["neutral", "joy"])
    vectors = {f"a_{t}": np.full(2, t, dtype=np.float32) for t in (1, 3)} | {"b_5": np.ones(2, dtype=np.float32)}
    inputs = UtteranceInputs(features={"audio": vectors}, feature_sizes={"audio": 2})
    batch = Collator(inputs)(list(enumerate(examples)))
    assert batch["mask"].tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert batch["valid"].sum().item() == 6 + 15
    assert batch["gold"].nonzero().tolist() == [[0, 1, 0], [0, 1, 2], [0, 2, 2], [1, 1, 1]]
    assert batch["audio_present"].tolist() == [[True, False, True, False, False], [False] * 4 + [True]]
    assert batch["audio"][0, 2].tolist() == [3.0, 3.0]


def test_tokens_of_a_batch_find_their_turns() -> None:
    examples = dialogue_examples(ROWS, ["neutral", "joy"])
    ids = {f"text {t}": np.arange(t + 1) + 10 * (t + 1) for t in range(5)}
    batch = Collator(UtteranceInputs(text_tokens=TokenizedTexts(ids, 0, frozenset())))(list(enumerate(examples)))
    flat = [
        row[mask.bool()].tolist()
        for c in batch["text_tokens"]
        for row, mask in zip(c["input_ids"], c["attention_mask"], strict=True)
    ]
    turns = [example.texts[t] for example in examples for t in range(len(example))]
    assert [flat[i] for i in batch["text_order"].tolist()] == [ids[text].tolist() for text in turns]
