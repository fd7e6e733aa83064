"""Signatures of emotion scores: written, parsed and compared."""

import dataclasses

import pytest

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature, emotion_differences, emotion_run_signature
from iemomecp_dataset.metrics.signature import Signature, check_comparable

ONE = EmotionSignature("meld", "meld", "test", "neutral,joy", 9, 8, "c0ffee", "7ea", "validation")
ROWS = [
    {
        "dialogue_id": name,
        "utterances": [
            {"turn": turn, "emotion": emotion, "text": f"{name} {turn}", "speaker": "A"}
            for turn, emotion in enumerate([0, 1, None], 1)
        ],
        "pairs": [],
    }
    for name in ("d1", "d2")
]
STATED = {"corpus": "meld", "config_name": "meld", "split": "test", "class_names": ("neutral", "joy")}


@pytest.mark.parametrize("changed", [{}, {"synthetic": True}, {"texts": "unknown"}, {"epoch_chosen_on": "none"}])
def test_a_signature_reads_back_as_it_was(changed):
    signature = dataclasses.replace(ONE, **changed)
    assert EmotionSignature.parse(str(signature)) == signature
    assert str(signature).startswith("iemomecp_erc|")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iemomecp|corpus:meld",
        str(ONE).replace("iemomecp_erc", "iemomecp"),
        str(ONE).replace("|split:test", ""),
        f"{ONE}|split:test",
        f"{ONE}|gold:3",
        str(ONE).replace("utterances:9", "utterances:nine"),
        str(ONE).replace("synthetic:no", "synthetic:maybe"),
        str(ONE).replace("labelled:8", "labelled:10"),
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(MetricInputError):
        EmotionSignature.parse(text)


def test_a_signature_of_pairs_is_none_of_emotions():
    pairs = Signature("A", "ecf", "ecf", "test", 3, 9, 0, "all", "none", None, "none", "c0ffee")
    for kind, other in ((EmotionSignature, pairs), (Signature, ONE)):
        with pytest.raises(MetricInputError, match="is not a signature"):
            kind.parse(str(other))


def test_an_earlier_signature_without_epoch_and_texts_reads_as_unknown():
    short = str(ONE).replace("|epoch:validation", "").replace("|texts:7ea", "")
    assert EmotionSignature.parse(short).epoch_chosen_on == EmotionSignature.parse(short).texts == "unknown"


@pytest.mark.parametrize("name", ["corpus", "task", "split", "classes", "data", "synthetic", "n_labelled", "texts"])
def test_scores_of_other_things_do_not_compare(name):
    other = dataclasses.replace(ONE, **{name: {"synthetic": True, "n_labelled": 7}.get(name, "other")})
    assert emotion_differences(ONE, other)
    assert ONE.table_key != other.table_key
    assert ONE.comparison_key != other.comparison_key
    with pytest.raises(MetricInputError, match=f"cannot share a column: {name}"):
        check_comparable([ONE, other], emotion_differences)


def test_the_epoch_of_the_scored_split_makes_an_oracle_that_shares_no_column():
    oracle = dataclasses.replace(ONE, epoch_chosen_on="test")
    assert oracle.oracle
    assert not ONE.oracle
    assert oracle.table_key == ONE.table_key
    assert oracle.comparison_key != ONE.comparison_key
    assert emotion_differences(ONE, oracle) == ["epoch chosen on the scored split: False against True"]


def test_texts_that_one_does_not_state_and_versions_are_not_compared():
    assert not emotion_differences(ONE, dataclasses.replace(ONE, texts="unknown", version="9"))


def test_the_fingerprint_is_of_utterances_and_emotions_in_any_order():
    signature = emotion_run_signature(ROWS, **STATED)
    assert (signature.n_utterances, signature.n_labelled) == (6, 4)
    assert emotion_run_signature(ROWS[::-1], **STATED) == signature
    renamed = [ROWS[0], {**ROWS[1], "dialogue_id": "d3"}]
    other_gold = [ROWS[0], {**ROWS[1], "utterances": [{**turn, "emotion": 1} for turn in ROWS[1]["utterances"]]}]
    other_text = [ROWS[0], {**ROWS[1], "utterances": [{**turn, "text": "other"} for turn in ROWS[1]["utterances"]]}]
    with_pairs = [{**row, "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 0}]} for row in ROWS]
    assert emotion_run_signature(renamed, **STATED).data != signature.data
    assert emotion_run_signature(other_gold, **STATED).data != signature.data
    assert emotion_run_signature(other_text, **STATED).data == signature.data
    assert emotion_run_signature(other_text, **STATED).texts != signature.texts
    assert emotion_run_signature(with_pairs, **STATED).data == signature.data


@pytest.mark.parametrize("field", ["corpus", "task", "split", "classes", "data", "texts", "epoch_chosen_on", "version"])
@pytest.mark.parametrize("bad", ["", "a b", "a|b", "a:b"])
def test_fields_that_would_break_the_line_are_refused(field, bad):
    with pytest.raises(MetricInputError, match=field):
        dataclasses.replace(ONE, **{field: bad})
