"""Records of the corpora."""

from __future__ import annotations

import pytest

from iemomecp_dataset.corpora.metadata import CORPORA, corpus_metadata
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import CORPUS_CONFIGS


def test_every_corpus_has_a_record():
    assert set(CORPORA) == set(CORPUS_CONFIGS)
    with pytest.raises(UsageError, match="Did you mean 'mecad'"):
        corpus_metadata("mecd")
