"""What a run of a pair scorer says of its data and options, in its log and in its record."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.pairs import run_kind
from iemomecp_dataset.trainers.pairs.run_kind import PairRun


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "rpcl", "text_block": 8}, True),
        ({"objective": "utterance_dropout", "text_context": 1, "corruption_point": "dialogue_input"}, True),
        ({"objective": "cdmr", "text_block": 8}, False),
        ({"objective": "rpcl"}, False),
    ],
)
def test_a_corrupted_view_of_texts_in_context_is_stated(
    options: dict[str, Any], said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, corpus = TrainingOptions.from_flat({"emotion_category_weight": 0.0, **options}), two_dialogue_corpus()
    told = PairRun().warnings(asked, corpus)
    assert [f"The objective {options['objective']} zeroes utterances, but" in text for text in told] == [True] * said
    done: Any = SimpleNamespace(
        options=asked,
        corpus=corpus,
        scored={},
        progress=SimpleNamespace(threshold=None),
        task=SimpleNamespace(model=SimpleNamespace(config=None), emotion_inputs=None, took_effect={}),
        further_keys=lambda: {"remarks": ["Earlier."]},
        recorded=dict,
    )
    monkeypatch.setattr(run_kind, "run_results", lambda *given, extra, **facts: extra)
    assert PairRun().results(done) == {"remarks": ["Earlier.", *told]}


def test_without_scored_splits_that_is_said() -> None:
    corpus: Any = SimpleNamespace(rows={"train": []})
    (told,) = PairRun().warnings(TrainingOptions(), corpus)
    assert told.startswith("Nothing is scored")
