"""Names of structural rows as users write them, and how the rows are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.evaluation.structural_rows import (
    StructuralRow,
    StructuralRows,
    named_row,
    structural_as_json,
    structural_lines,
)
from iemomecp_dataset.metrics.significance.bootstrap import Interval

NAMES = {
    "self_and_previous": "self + previous",
    "distance_only": "distance only",
    "emotion_x_distance": "emotion x distance (TF-IDF)",
}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("distance", "distance_only"),
        ("Distance", "distance_only"),
        ("distance only", "distance_only"),
        ("distance_only", "distance_only"),
        ("self + previous", "self_and_previous"),
        ("SELF+PREVIOUS", "self_and_previous"),
        ("self and previous", "self_and_previous"),
        ("emotion x distance", "emotion_x_distance"),
        ("emotion x distance (tf-idf)", "emotion_x_distance"),
    ],
)
def test_a_row_is_found_by_key_and_by_name(written, key):
    assert named_row(written, NAMES, {}) == key


def test_an_unknown_name_lists_the_rows_and_an_absent_one_says_why():
    with pytest.raises(UsageError, match=r"no file nearest and no structural row.*self \+ previous, distance only, em"):
        named_row("nearest", NAMES, {})
    with pytest.raises(UsageError, match=r"'distance only' to compare with: no train. Rows that are there: self"):
        named_row("distance", {"self": "self"}, {"distance only": "no train."})
    with pytest.raises(UsageError, match=r"No row is there"):
        named_row("distance", {}, {"distance only": "no train."})


def test_a_word_that_one_name_alone_has_is_enough_and_names_with_commas_are_quoted():
    names = {"majority": "majority", "previous_emotion": "speaker's previous emotion, predicted", "tfidf": "TF-IDF"}
    assert named_row("previous", names, {}) == "previous_emotion"
    with pytest.raises(UsageError, match="'majority', \"speaker's previous emotion, predicted\", 'TF-IDF'"):
        named_row("nearest", names, {})
    with pytest.raises(UsageError, match="no structural row"):
        named_row("previous", names | {"other": "its previous turn"}, {})
    with pytest.raises(UsageError, match="no train"):
        named_row("previous", names, {"previous": "no train."})


def rows(**changes):
    interval = Interval(0.0213, -0.01, 0.05, 0.01, 0.95, 12, 100, 0, 0.2)
    row = StructuralRow(
        "distance_only", "distance only", "What it does.", "threshold 0.24 from train", "iemomecp|…",
        {"pair_f1": 0.457, "pair_auprc": float("nan")}, {"pair_f1": interval}, "a remark.",
    )  # fmt: skip
    fields = {
        "of": Path("x.csv"),
        "items": "the same candidates",
        "columns": (("pair_f1", "Pair F1"), ("pair_auprc", "AUPRC"), ("macro_f1", "macro F1")),
        "compared": ("pair_f1", "pair_auprc"),
        "own": {"pair_f1": 0.4783},
        "own_decision": "listed pairs",
        "rows": (row,),
        "absent": {"a": "no train.", "b": "no train."},
    }
    return StructuralRows(**fields | changes)


def test_rows_are_printed_in_percent_with_the_file_and_differences():
    text = "\n".join(structural_lines(rows()))
    assert "95 % intervals, paired bootstrap, 100 resamples of 12 source dialogues" in " ".join(text.split())
    assert "file - row, Pair F1" in text
    assert "file - row, AUPRC" not in text, "no row has that difference"
    assert "macro F1" not in text, "no row has that score"
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "this file 47.83 - - listed pairs" in lines
    assert "distance only 45.70 - +2.13 [-1.00, +5.00] threshold 0.24 from train" in lines
    assert "distance only: a remark." in lines
    assert "not here: a, b: no train." in lines
    assert structural_lines(rows(rows=()))[0] == "structural rows: none"


def test_files_hold_shares():
    content = structural_as_json(rows())
    (row,) = content["rows"]
    assert row["scores"]["pair_f1"] == 0.457
    assert row["differences"]["pair_f1"]["estimate"] == 0.0213
    assert content["absent"] == {"a": "no train.", "b": "no train."}
