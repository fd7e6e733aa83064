"""Chunks and shards as arithmetic: what the input alone decides, and what every number of shards has in common."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.conversations.reading import read_conversations
from iemomecp_dataset.trainers.pipelines import scoring
from iemomecp_dataset.trainers.prediction import plan
from iemomecp_dataset.trainers.prediction.chunks import (
    chunk_key,
    chunk_lengths,
    chunks_of_shard,
    different_names,
    name_digest,
    repeated,
)

NAMES = st.lists(st.sampled_from(["a", "a_2", "a_2_2", "a_3", "b", "b_1", "conversation"]), min_size=1, max_size=12)


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 100))
def test_chunks_are_the_pools_that_are_scored_together(turns: list[int], bound: int) -> None:
    spoken = ConversationUtterance("Ana", "Hi.")
    talks = [Conversation("talk", (spoken,) * n) for n in turns]
    before, scoring.POOL_UTTERANCES = scoring.POOL_UTTERANCES, bound
    try:
        pools = [len(pool) for pool in scoring._pools(talks)]
    finally:
        scoring.POOL_UTTERANCES = before
    assert chunk_lengths(turns, bound) == pools


def test_a_chunk_is_scored_as_one_pool() -> None:
    assert plan.CHUNK_UTTERANCES == scoring.POOL_UTTERANCES


@given(st.lists(st.text(max_size=2), max_size=20), st.integers(1, 30))
def test_every_chunk_belongs_to_one_shard_and_shards_are_even(keys: list[str], shards: int) -> None:
    dealt = [chunks_of_shard(keys, shard, shards) for shard in range(1, shards + 1)]
    assert sorted(chunk for of_shard in dealt for chunk in of_shard) == list(range(len(keys)))
    sizes = [len(of_shard) for of_shard in dealt]
    assert max(sizes) - min(sizes) <= 1
    assert all(of_shard == sorted(of_shard) for of_shard in dealt)


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_a_key_depends_on_the_names_and_their_order(one: list[str], two: list[str]) -> None:
    assert (chunk_key(one) == chunk_key(two)) == (one == two)


@given(NAMES)
def test_names_are_made_different_as_those_of_a_whole_file_are(names: list[str]) -> None:
    spoken = (ConversationUtterance("Ana", "Hi."),)
    expected, _ = read_conversations([Conversation(name, spoken) for name in names])
    again = repeated(np.array([name_digest(name) for name in names], dtype="S16"))
    new = different_names(names, again, names.__contains__)
    assert [made or name for made, name in zip(new, names, strict=True)] == [one.name for one in expected]
