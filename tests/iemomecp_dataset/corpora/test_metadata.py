"""Records of the corpora."""

from __future__ import annotations

import pytest

from iemomecp_dataset.corpora.metadata import CORPORA, corpus_metadata
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import CORPUS_CONFIGS, IEMOCAP_CONFIG


def test_every_corpus_has_a_record():
    assert set(CORPORA) == {*CORPUS_CONFIGS, IEMOCAP_CONFIG}
    with pytest.raises(UsageError, match="Did you mean 'mecad'"):
        corpus_metadata("mecd")


def test_published_emotions_add_up():
    for corpus in CORPORA.values():
        for split, counts in corpus.class_counts.items():
            assert list(counts) == list(corpus.emotions)
            if split in corpus.published:
                of_split = corpus.published[split]
                assert sum(counts.values()) == of_split.utterances
                assert of_split.emotional == of_split.utterances - counts["neutral"]
    totals = {name: sum(sum(c.values()) for c in CORPORA[name].class_counts.values()) for name in ("meld", "iemocap")}
    assert totals == {"meld": 13708, "iemocap": 7433}
