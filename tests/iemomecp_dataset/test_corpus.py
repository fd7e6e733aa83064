"""Loading a configuration whole or one split of it."""

from __future__ import annotations

import logging

import pytest

from iemomecp_dataset import load
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import MissingDataError, UsageError
from iemomecp_dataset.fingerprints import data_fingerprint
from iemomecp_dataset.metrics.evaluation.gold import load_gold_split

ECF = """\
1 2
(1,1)
1 | A | anger | We are late ! | Own_S1E1: 00:00:00.000 - 00:00:01.000
2 | B | neutral | I know . | Own_S1E1: 00:00:01.000 - 00:00:02.000
"""


@pytest.fixture(name="ecf_dir")
def fixture_ecf_dir(tmp_path):
    (tmp_path / "dev.txt").write_text(ECF, encoding="utf-8")
    return tmp_path


def test_one_split_is_what_the_whole_has_of_it(synthetic_dir):
    whole, alone = load_corpus("3class", synthetic_dir), load_corpus("3class", synthetic_dir, split="test")
    assert list(whole.rows) == ["train", "validation", "test"]
    assert list(alone.rows) == list(alone.tables) == ["test"]
    assert alone.fingerprints == {"test": whole.fingerprints["test"]}
    assert alone.fingerprints["test"] == data_fingerprint(load("3class", data_dir=synthetic_dir)["test"])
    assert alone.tables["test"].same_pairs(whole.tables["test"])
    assert (alone.name, alone.definition, alone.candidates) == ("iemomecp", "F", "triangle+exceptions")
    assert (alone.forward_pairs, alone.synthetic, alone.missing_splits) == ("as_published", True, ())


def test_training_needs_a_train_split_and_scoring_the_split_that_is_scored(ecf_dir, caplog):
    with pytest.raises(MissingDataError, match="no train split, which training needs"):
        load_corpus("ecf", ecf_dir)
    with pytest.raises(UsageError, match="no split 'test' of ecf"):
        load_corpus("ecf", ecf_dir, split="test")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "iemomecp_dataset.corpus"):
        corpus = load_corpus("ecf", ecf_dir, split="validation", candidates="past")
    own = [record for record in caplog.records if record.name == "iemomecp_dataset.corpus"]
    assert not own, "splits that are not asked for need no warning"
    assert (corpus.name, corpus.definition, corpus.candidates, corpus.forward_pairs) == ("ecf", "A", "past", "past")
    assert corpus.missing_splits == ("train", "test")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "iemomecp_dataset.corpus"):
        assert list(load_corpus("ecf", ecf_dir, for_training=False).rows) == ["validation"], "for features"
    assert not [record for record in caplog.records if record.name == "iemomecp_dataset.corpus"]


def test_gold_of_source_binary_says_how_forward_pairs_are_treated(synthetic_dir):
    published = load_gold_split("source_binary", synthetic_dir, "test")
    gold = load_gold_split("source_binary", synthetic_dir, "test", forward_pairs="gold")
    assert (published.forward_pairs, gold.forward_pairs) == ("as_published", "gold")
    assert (published.table.labels == 0).sum() < (gold.table.labels == 0).sum()
