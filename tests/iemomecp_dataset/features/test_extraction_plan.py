"""The plan: batches and shard files of bounded cost, kept for those who go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.extraction_plan import plan_extraction, utterance_costs
from iemomecp_dataset.features.work_items import WorkItem


def items(lengths: list[int]) -> list[WorkItem]:
    """Utterances with as many characters and seconds."""
    return [
        WorkItem(f"u{i}", "d", "F", "x" * length, Path("none.mp4"), 0.0, float(length), float(length), True)
        for i, length in enumerate(lengths)
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=300))
@pytest.mark.parametrize(("modality", "most"), [("audio", 1800), ("text", 100_000)])
def test_shard_files_are_bounded_by_utterances_and_by_cost(modality: str, most: int, lengths: list[int]) -> None:
    options = ExtractionOptions("d", modality, "o", shard_size=64, batch_size=8)
    utterances = items(lengths)
    shards = plan_extraction(utterances, options).shards
    assert sorted(key for shard in shards for batch in shard for key in batch) == sorted(
        u.utterance_id for u in utterances
    )
    costs = utterance_costs(utterances, options)
    for shard in shards:
        assert sum(map(len, shard)) < 64 + 8
        # What is more costly than a shard file may be is one batch, which is never divided.
        assert len(shard) == 1 or sum(costs[key] for batch in shard for key in batch) <= most


def test_shards_of_ordinary_utterances_end_at_their_number_alone() -> None:
    options = ExtractionOptions("d", "audio", "o")
    shards = plan_extraction(items([4] * 1000), options).shards
    assert [sum(map(len, shard)) for shard in shards][:-1] == [140] * 7  # seven batches of 20 utterances, 80 seconds


def test_times_that_a_corpus_states_do_not_divide_the_shards_of_video() -> None:
    options = ExtractionOptions("d", "video", "o", shard_size=64, batch_size=8)
    assert len(plan_extraction(items([100_000] * 64), options).shards) == 1
