"""Explanations files: written, read back, and refused with a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.metrics.evaluation.explanations.predictions import (
    ExplanationFacts,
    explanations_file,
    has_explanations,
    read_explanation_predictions,
    write_explanation_predictions,
)

ROWS = [
    {
        "dialogue_id": "d",
        "utterances": [{"turn": 1, "speaker": "A", "text": "Hm"}, {"turn": 2, "speaker": "B", "text": "Ha"}],
        "explanations": [{"target_turn": t, "text": f"Reason {t}.", "status": 0} for t in (1, 2)],
    }
]
ITEMS = [
    {"dialogue_id": "7", "target_turn": 1, "prediction": "She is\n glad, I think."},
    {"dialogue_id": "7", "target_turn": 2, "prediction": ""},
    {"dialogue_id": "8", "target_turn": 1, "prediction": "12"},
]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    facts = ExplanationFacts("ecem", "ecem", "test", "validation", "d", "t", True, "run", "gold", True)
    path = explanations_file(tmp_path, "test")
    write_explanation_predictions(path, explanation_table(ROWS), ["one", ""], facts)
    found = read_explanation_predictions(path)
    assert found.facts == facts
    assert found.keys == [("d", 1), ("d", 2)]
    assert found.predictions == ("one", "")
    assert found.references == ("Reason 1.", "Reason 2.")
    assert has_explanations(path)
    with pytest.raises(UsageError, match="2 explanations need as many generated texts; found 1"):
        write_explanation_predictions(path, explanation_table(ROWS), ["one"], facts)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_files_of_other_systems_keep_numbers_and_empty_texts_as_texts(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"explanations_test{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps(ITEMS), encoding="utf-8")
    elif suffix == ".csv":
        pd.DataFrame(ITEMS).to_csv(path, index=False)
    else:
        pd.DataFrame(ITEMS).to_parquet(path)
    assert has_explanations(path)
    found = read_explanation_predictions(path)
    assert found.keys == [("7", 1), ("7", 2), ("8", 1)]
    assert found.references is None
    assert found.predictions == ("She is glad, I think.", "", "12")
    assert found.facts.split == "test"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("dialogue_id,target_turn,prediction", True),
        ("dialogue_id,target_turn,cause_turn,prediction", False),
        ("dialogue_id,turn,prediction", False),
        ("dialogue_id,target_turn,label", False),
    ],
)
def test_files_are_told_by_their_columns(columns: str, expected: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{columns}\n", encoding="utf-8")
    assert has_explanations(path) is expected


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{"dialogue_id": "d", "prediction": "x"}], "no column for target_turn"),
        ([{"dialogue_id": "d", "target_turn": 0, "prediction": "x"}], "row 0, column target_turn"),
        ([*ITEMS, ITEMS[0]], "turn 1 in dialogue 7 is explained more than once; 1 items repeat"),
        ([ITEMS[0], {**ITEMS[1], "prediction": None}], "row 1, column prediction: expected a text, found no text"),
        ([ITEMS[0], {**ITEMS[1], "prediction": "a \ud83d"}], "entry 2, 'prediction': half of a surrogate pair"),
        ([{**ITEMS[0], "\udc00": "a"}], "entry 1, a key: half of a surrogate pair"),
        ([{**ITEMS[0], "prediction": 3}], "expected a text, found 3"),
        ({"a": 1}, "expected a list of objects"),
        ([], "expected a list of objects"),
    ],
)
def test_damaged_files_are_refused(items: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(items), encoding="utf-8")
    with pytest.raises(InvalidDataError, match=words):
        read_explanation_predictions(path)
    with pytest.raises(MissingDataError, match=r"b\.json is not there"):
        read_explanation_predictions(tmp_path / "b.json")


def test_no_json_file_makes_the_reader_wait_or_fail_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("[" * 100_000, "[" + "1" * 5000 + "]", "{"):
        path.write_text(text)
        assert not has_explanations(path)
        with pytest.raises(InvalidDataError, match=r"a\.json"):
            read_explanation_predictions(path)
    path.unlink()
    os.mkfifo(path)
    assert not has_explanations(path)
