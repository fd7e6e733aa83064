"""Which pairs are exported, by configuration."""

from __future__ import annotations

import pytest
from peer_dialogues_case import peer_rows

from iemomecp_dataset.benchmark.peers.positives import exported_pairs, positive_class
from iemomecp_dataset.candidates import labeled_candidates
from iemomecp_dataset.errors import UsageError


@pytest.mark.parametrize(
    ("config_name", "asked", "found"),
    [
        ("ecf", None, "pair"),
        ("mecad", "pair", "pair"),
        ("source_binary", None, "pair"),
        ("3class", "emo_cause", "emo_cause"),
        ("3class", "emo_context", "emo_context"),
    ],
)
def test_the_class_of_a_configuration(config_name: str, asked: str | None, found: str) -> None:
    assert positive_class(config_name, asked) == found


@pytest.mark.parametrize(
    ("config_name", "asked", "message"),
    [
        ("3class", None, "roles emo_cause, emo_context, and a peer learns one relation: give --positive emo_cause"),
        ("3class", "pair", "3class has no class 'pair' to export; give --positive emo_cause or emo_context"),
        ("ecf", "emo_cause", "ecf has no class 'emo_cause' to export; give --positive pair"),
    ],
)
def test_another_class_is_refused(config_name: str, asked: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        positive_class(config_name, asked)


def test_later_causes_and_pairs_outside_the_candidates_are_exported() -> None:
    gold = [(2, 1), (2, 3), (3, 1)]
    for space in ("all", "past"):
        pairs, outside = labeled_candidates(3, gold, space)
        assert exported_pairs({"pairs": pairs, "gold_outside_candidates": outside}, "pair") == gold


def test_each_role_has_its_own_pairs() -> None:
    row = peer_rows("3class")["train"][1]
    assert exported_pairs(row, "emo_cause") == [(2, 1), (2, 2), (2, 3), (3, 1)]
    assert exported_pairs(row, "emo_context") == [(3, 2)]
    with pytest.raises(UsageError, match="no class 'non_pair'"):
        exported_pairs(row, "non_pair")


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([(3, 1), (2, 3), (2, 1)], [(3, 1), (2, 3), (2, 1)]),
        ([(3, 1), (2, 3), (3, 1), (2, 1)], [(3, 1), (2, 3), (2, 1)]),
        ([], [(2, 1), (2, 3), (3, 1)]),
        ([(3, 1)], [(2, 1), (2, 3), (3, 1)]),  # Not the pairs of the row: it is not their order.
    ],
)
def test_the_order_is_that_of_the_file_where_the_row_keeps_it(
    listed: list[tuple[int, int]], found: list[tuple[int, int]]
) -> None:
    pairs, _ = labeled_candidates(3, [(2, 1), (2, 3), (3, 1)], "all")
    kept = [{"target_turn": target, "cause_turn": cause} for target, cause in listed]
    assert exported_pairs({"pairs": pairs, "listed_pairs": kept}, "pair") == found
