"""Labels of systems: what differs, distinct, never empty, the same in every part of a table."""

from __future__ import annotations

import faulthandler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iemomecp_dataset.benchmark.board import leaderboard, parts_of_split
from iemomecp_dataset.benchmark.row_labels import MAX_DRAWN, RowLabels

TWO = ("Base T dialogue frozen", "RPCL T dialogue trained")


def labels_of(*names: str) -> list[str]:
    labels = RowLabels(names)
    return [labels[name] for name in names]


def test_two_systems_keep_the_words_in_which_they_differ_and_the_rest_is_said_once():
    assert labels_of(*TWO) == ["Base frozen", "RPCL trained"]
    assert RowLabels(TWO).shared == "T dialogue"
    assert RowLabels(TWO).sentence == "Names leave out what all systems share: T dialogue."


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("RPCL T dialogue", "RPCL A dialogue", "RPCL V dialogue"), ["T", "A", "V"]),
        (("Base T", "RPCL T", "Base T+A+V", "RPCL T+A+V"), ["Base T", "RPCL T", "Base T+A+V", "RPCL T+A+V"]),
        # One name is the beginning of the other: the objective stays, so that no label is empty.
        (("RPCL T", "RPCL T (learning_rate=0.1)"), ["RPCL", "RPCL (learning_rate=0.1)"]),
        (
            ("RPCL T (dropout=0.1, learning_rate=0.1)", "RPCL T (dropout=0.1, learning_rate=0.2)"),
            ["learning_rate=0.1", "learning_rate=0.2"],
        ),
        (("Llama (7B) T", "Llama (70B) T"), ["(7B)", "(70B)"]),
        (("words of mine", "mine of words"), ["words of mine", "mine of words"]),
        (("my system", "another"), ["my system", "another"]),
        (("tuned Base", "Base tuned", "tuned RPCL"), ["tuned Base", "Base tuned", "tuned RPCL"]),  # two would be "Base"
        (("Base T dialogue frozen",), ["Base T dialogue frozen"]),
    ],
)  # fmt: skip
def test_what_labels_leave_out(names, labels):
    assert labels_of(*names) == labels


def test_up_to_a_dozen_systems_have_words_and_more_have_numbers_from_the_best_down():
    names = tuple(f"{objective} {modality} dialogue {mode}" for objective in ("Base", "RPCL", "CDMR")
                  for modality in ("T", "T+A+V") for mode in ("frozen", "trained"))  # fmt: skip
    assert len(names) == MAX_DRAWN
    assert labels_of(*names)[-1] == "CDMR T+A+V trained"
    many = RowLabels((*names, "Base A dialogue frozen"))
    assert [many[name] for name in many.names] == [f"#{place}" for place in range(13, 0, -1)]
    assert many.keyed("Base A dialogue frozen") == "#1 Base A frozen"
    assert many.sentence == (
        "Numbers are places in the results table, #1 the best. Names leave out what all systems share: dialogue."
    )


def test_forty_systems_are_distinct_and_few_systems_with_long_names_are_numbered_too():
    forty = tuple(f"RPCL T dialogue trained (learning_rate={n / 1000}, dropout=0.1)" for n in range(40))
    assert len(set(labels_of(*forty))) == 40
    assert RowLabels(forty).keyed(forty[0]) == "#40 learning_rate=0.0"
    long = ("Base T (" + ", ".join(f"option_{n}=1" for n in range(6)) + ")", "RPCL T")
    assert labels_of(*long) == ["#2", "#1"]
    assert all(len(line) <= 30 for line in RowLabels(long).keyed(long[0], width=30).split("\n"))


def test_names_of_other_rows_are_their_own_labels():
    labels = RowLabels((*TWO, *(f"Base A dialogue v{n}" for n in range(12))))
    assert labels.numbered
    assert (labels["distance only"], labels.keyed("distance only")) == ("distance only", "distance only")


words = st.lists(st.sampled_from(["Base", "RPCL", "T", "A", "dialogue", "trained", "(x=1)", "(7B)"]), min_size=1)


@given(st.lists(words.map(" ".join), min_size=1, max_size=20, unique=True))
def test_labels_are_distinct_and_never_empty(names):
    labels = RowLabels(tuple(names))
    for found in ([labels[name] for name in names], [labels.words(name) for name in names]):
        assert all(found)
        assert len(set(found)) == len(names)


def test_a_system_has_the_same_label_in_both_parts_of_a_table(tmp_path, write_run):
    write_run(tmp_path / "fair", objective="base")
    write_run(tmp_path / "bound", objective="rpcl", threshold={"value": 0.3, "chosen_on": "test"})
    (board,) = leaderboard(tmp_path)
    assert {row.name: board.labels[row.name] for row in board.trained} == {"Base T": "Base", "RPCL T": "RPCL"}
    for part in parts_of_split(board, "test"):
        (row,) = part.trained
        assert part.labels[row.name] == board.labels[row.name]


@pytest.mark.parametrize("name", [" " * 100_000, "a" + " " * 100_000 + "b", "(a=" * 50_000, "x (a=1)" + " " * 100_000])
def test_a_name_of_any_length_is_split(name):
    faulthandler.dump_traceback_later(20, exit=True)
    try:
        assert RowLabels((name, "Base (b=1)")).words(name) in (name, " ".join(name.split()))
    finally:
        faulthandler.cancel_dump_traceback_later()
