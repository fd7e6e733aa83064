"""Counts of how answers were read add up."""

from __future__ import annotations

from iemomecp_dataset.metrics.evaluation.ladder import BY_SCHEMA, REPEATED, STEPS, UNUSABLE, Entry, Ladder


def test_each_answer_is_at_one_step_and_each_pair_kept_or_refused():
    ladder = Ladder()
    ladder.add(Entry(BY_SCHEMA, 3, 2, {REPEATED: 1}, {"emotion aliases": 2}))
    ladder.add(Entry(UNUSABLE, ending="cut off"))
    record = ladder.as_record()
    assert (record["answers"], sum(record["steps"].values()), record["share_by_schema"]) == (2, 2, 0.5)
    assert tuple(record["steps"]) == STEPS
    assert record["pairs_listed"] == record["pairs_kept"] + sum(record["pairs_refused"].values()) == 3
    assert (record["endings"], record["remarks"]) == ({"cut off": 1}, {"emotion aliases": 2})
    assert Ladder().as_record()["share_by_schema"] is None
