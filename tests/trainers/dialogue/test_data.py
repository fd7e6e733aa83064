"""From rows to padded batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.encoders.text import TokenisedTexts, length_chunks
from iemomecp_dataset.trainers.training.distributed import Processes
from iemomecp_dataset.trainers.training.samplers import RandomBatches


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
    assert b.speakers.tolist() == [0, 0, 1, 2, 1], "numbered by first appearance"
    assert b.emotion_labels.tolist() == [0, 1, 1, 0, 0]
    assert dialogue_examples(ROWS, ["neutral", "joy"], "gold_target")[1].emotion_labels.tolist() == [0, 1, 0, 0, 0]


def test_dialogues_are_shared_out_by_what_is_computed_for_them_in_each_step() -> None:
    short, long = dialogue_examples(ROWS, ["neutral", "joy"])
    tokens = TokenisedTexts({f"text {t}": np.arange(50 if t == 0 else 3) for t in range(5)}, 0, frozenset())
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
    assert batch["gold"].nonzero().tolist() == [[0, 1, 0], [0, 2, 2], [1, 1, 1]]
    assert batch["audio_present"].tolist() == [[True, False, True, False, False], [False] * 4 + [True]]
    assert batch["audio"][0, 2].tolist() == [3.0, 3.0]


def test_tokens_of_a_batch_find_their_turns() -> None:
    examples = dialogue_examples(ROWS, ["neutral", "joy"])
    ids = {f"text {t}": np.arange(t + 1) + 10 * (t + 1) for t in range(5)}
    batch = Collator(UtteranceInputs(text_tokens=TokenisedTexts(ids, 0, frozenset())))(list(enumerate(examples)))
    flat = [
        row[mask.bool()].tolist()
        for c in batch["text_tokens"]
        for row, mask in zip(c["input_ids"], c["attention_mask"], strict=True)
    ]
    turns = [example.texts[t] for example in examples for t in range(len(example))]
    assert [flat[i] for i in batch["text_order"].tolist()] == [ids[text].tolist() for text in turns]


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40), budget=st.integers(1, 200))
def test_length_chunks_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    sequences = [np.full(length, i + 1) for i, length in enumerate(lengths)]
    chunks, order = length_chunks(sequences, pad_id=0, max_tokens_per_chunk=budget)
    rows = [r for chunk in chunks for r in chunk["input_ids"]]
    for i, length in enumerate(lengths):
        found = rows[order[i]]
        assert found[found != 0].tolist() == [i + 1] * length
    for chunk in chunks:
        assert chunk["input_ids"].numel() <= budget or len(chunk["input_ids"]) == 1
        assert torch.equal(chunk["attention_mask"], (chunk["input_ids"] != 0).long())


@given(n=st.integers(1, 50), size=st.integers(1, 9), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_sampler_covers_every_dialogue_once_and_repeats_itself(n: int, size: int, seed: int, epoch: int) -> None:
    sampler = RandomBatches(n, size, seed=seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(i for batch in batches for i in batch) == list(range(n))
    assert len(batches) == len(sampler)
    fresh = RandomBatches(n, size, seed=seed)
    fresh.set_epoch(epoch)
    assert list(fresh) == batches, "an epoch's order does not depend on the ones before it"
    fresh.done = epoch
    assert list(fresh) == batches[epoch:]
    assert len(fresh) == len(batches), "the length is the whole epoch's"


@given(costs=st.lists(st.integers(1, 40), min_size=1, max_size=50), count=st.integers(2, 4), seed=st.integers(0, 3))
def test_processes_take_shares_of_like_cost_of_the_same_batches(costs: list[int], count: int, seed: int) -> None:
    def shares(index: int) -> list[list[int]]:
        return list(RandomBatches(len(costs), 5, seed=seed, processes=Processes(count, index), costs=costs))

    whole = list(RandomBatches(len(costs), 5 * count, seed=seed, costs=costs))
    for batch, *shared in zip(whole, *map(shares, range(count)), strict=True):
        real = [[p for p in share if p >= 0] for share in shared]
        assert sorted(p for share in real for p in share) == sorted(batch), "everything once"
        if len(batch) == 5 * count:
            totals = [sum(costs[p] for p in share) for share in real]
            assert max(totals) - min(totals) <= max(costs[p] for p in batch) - min(costs[p] for p in batch)


def test_epochs_and_seeds_differ() -> None:
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        sampler = RandomBatches(40, 40, seed=seed)
        sampler.set_epoch(epoch)
        orders.append(tuple(next(iter(sampler))))
    assert len(set(orders)) == 3
    assert next(iter(RandomBatches(4, 4, shuffle=False))) == [0, 1, 2, 3]


@pytest.mark.parametrize("bad", [0, 1])
def test_truncated_texts_are_counted(bad: int, tiny_encoder) -> None:
    from iemomecp_dataset.trainers.encoders.text import load_text_encoder, tokenise_texts

    tokenizer = load_text_encoder(str(tiny_encoder)).tokenizer
    long = "We lost the match. " * 10
    tokens = tokenise_texts(["What happened?", long] if bad else ["What happened?"], tokenizer, 8)
    assert tokens.truncated == (frozenset({long}) if bad else frozenset())
    assert all(len(ids) <= 8 for ids in tokens.ids.values())
