"""Signatures: printed, parsed back, and compared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iemomecp_dataset
from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.metrics.signature import Signature, check_comparable, differences, gold_fingerprint

ONE = Signature(
    definition="F",
    corpus="iemomecp",
    task="3class",
    split="test",
    n_gold=1794,
    n_candidates=18264,
    n_missed=0,
    forward_pairs="as_published",
    emotions="none",
    threshold=None,
    threshold_chosen_on="none",
    data="0f3a9c2b41de",
    texts="9b41de0f3a9c",
)
WORDS = st.from_regex(r"[a-z0-9_.+-]{1,12}", fullmatch=True).filter(lambda word: word not in ("none", "system"))


def test_text_is_the_documented_one():
    assert str(replace(ONE, threshold=0.4213, threshold_chosen_on="validation")) == (
        "iemomecp|def:F|corpus:iemomecp|task:3class|split:test|gold:1794|candidates:18264|missed:0|forward:as_published"
        "|emotions:none|decision:threshold@validation=0.4213|epoch:unknown|data:0f3a9c2b41de|texts:9b41de0f3a9c"
        f"|synthetic:no|version:{iemomecp_dataset.__version__}"
    )


@given(
    st.builds(
        Signature,
        definition=st.sampled_from("ABCDF"),
        corpus=WORDS,
        task=WORDS,
        split=WORDS,
        n_gold=st.integers(0, 10**9),
        n_candidates=st.integers(0, 10**9),
        n_missed=st.integers(0, 10**9),
        forward_pairs=WORDS,
        emotions=WORDS,
        threshold=st.floats(0, 1),
        threshold_chosen_on=WORDS,
        data=WORDS,
        synthetic=st.booleans(),
        version=WORDS,
    )
)
def test_what_is_printed_is_parsed_back_exactly(signature):
    assert Signature.parse(str(signature)) == signature
    argmax = replace(signature, threshold=None, threshold_chosen_on="none")
    assert Signature.parse(f"  {argmax}\n") == argmax
    own = replace(argmax, threshold_chosen_on="system")
    assert Signature.parse(str(own)) == own
    of_folds = replace(argmax, threshold_chosen_on="folds", part="out-of-5-folds.0f3a")
    assert Signature.parse(str(of_folds)) == of_folds
    assert "decision:folds|" in str(of_folds)
    with pytest.raises(MetricInputError, match="A threshold needs the split it was chosen on"):
        replace(of_folds, threshold=0.3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("definition", "A"),
        ("corpus", "ecf"),
        ("task", "source_binary"),
        ("split", "validation"),
        ("n_gold", 1832),
        ("n_candidates", 18228),
        ("n_missed", 3),
        ("forward_pairs", "gold"),
        ("emotions", "gold"),
        ("data", "ffffffffffff"),
        ("texts", "ffffffffffff"),
        ("window", "past-4"),
        ("part", "fold-2-of-5.0f3a"),
        ("synthetic", True),
    ],
)
def test_scores_that_differ_in_what_matters_are_kept_apart(field, value):
    other = replace(ONE, **{field: value})
    assert any(line.startswith(f"{field}: ") for line in differences(ONE, other))
    assert ONE.comparison_key != other.comparison_key
    with pytest.raises(MetricInputError, match=field):
        check_comparable([ONE, ONE, other])


def test_decision_rule_and_version_may_differ_but_an_oracle_may_not():
    chosen_before = replace(ONE, threshold=0.3, threshold_chosen_on="validation", version="9.9")
    check_comparable([ONE, chosen_before])
    assert chosen_before.comparison_key == ONE.comparison_key
    for chosen in ({"threshold": 0.3, "threshold_chosen_on": "test"}, {"epoch_chosen_on": "test"}):
        oracle = replace(ONE, **chosen)
        assert oracle.oracle
        assert oracle.comparison_key != ONE.comparison_key
        with pytest.raises(MetricInputError, match="threshold or epoch chosen on the scored split"):
            check_comparable([ONE, oracle])


def test_texts_that_one_side_does_not_state_tell_nothing_apart():
    earlier = Signature.parse(str(ONE).replace("|epoch:unknown", "").replace("|texts:9b41de0f3a9c", ""))
    assert (earlier.texts, earlier.epoch_chosen_on) == ("unknown", "unknown")
    check_comparable([ONE, earlier])


def test_a_table_with_average_precision_needs_the_same_candidates():
    everything = replace(ONE, definition="A", corpus="ecf", task="ecf", n_gold=866)
    for changes in ({"n_candidates": 6655}, {"n_missed": 24}, {"forward_pairs": "past"}, {"texts": "0"}):
        assert replace(everything, **changes).table_key != everything.table_key
    assert replace(everything, threshold=0.3, threshold_chosen_on="validation").table_key == everything.table_key


def test_candidate_spaces_may_differ_in_a_set_score():
    everything = replace(ONE, definition="A", corpus="ecf", task="ecf", n_gold=866)
    past = replace(everything, n_candidates=6655, n_missed=24, forward_pairs="past")
    check_comparable([everything, past])


@pytest.mark.parametrize(
    "text",
    [
        "sacrebleu|def:F",
        str(ONE).replace("|gold:1794", ""),
        str(ONE) + "|more:1",
        str(ONE) + "|def:F",
        str(ONE).replace("1794", "many"),
        str(ONE).replace("argmax", "guess"),
        str(ONE).replace("argmax", "threshold@validation=high"),
        str(ONE).replace("synthetic:no", "synthetic:maybe"),
        "",
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(MetricInputError, match="is not a signature"):
        Signature.parse(text)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"definition": "E"}, UsageError, "never reported"),
        ({"corpus": "a|b"}, MetricInputError, "corpus"),
        ({"split": ""}, MetricInputError, "split"),
        ({"threshold": 0.5}, MetricInputError, "threshold needs the split it was chosen on"),
        ({"threshold": 1.5, "threshold_chosen_on": "validation"}, MetricInputError, r"\[0, 1\]"),
    ],
)
def test_fields_are_checked(changes, error, words):
    with pytest.raises(error, match=words):
        replace(ONE, **changes)


def test_fingerprint_sees_content_and_not_order():
    dialogues, targets, causes, labels = ["a", "b", "b"], [1, 1, 2], [1, 1, 1], [0, 1, 2]
    whole = gold_fingerprint(dialogues, targets, causes, labels)
    order = [2, 0, 1]
    shuffled = [np.array(values)[order] for values in (dialogues, targets, causes, labels)]
    assert gold_fingerprint(*shuffled) == whole
    for changed in (
        (["a", "b", "c"], targets, causes, labels),
        (dialogues, [1, 1, 3], causes, labels),
        (dialogues, targets, [1, 1, 2], labels),
        (dialogues, targets, causes, [0, 1, 1]),
        (dialogues, targets, causes),
    ):
        assert gold_fingerprint(*changed) != whole
