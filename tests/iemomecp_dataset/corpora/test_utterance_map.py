"""The map of ECF's utterances to MELD's."""

from __future__ import annotations

import pytest
from corpus_files import ecf_to_meld, write
from reader_case import ReaderCase

from iemomecp_dataset.corpora.utterance_map import MappedUtterance, read_utterance_map
from iemomecp_dataset.errors import InvalidDataError


class TestUtteranceMap(ReaderCase):
    of = read_utterance_map
    file = "all_data_pair_ECFvsMELD.txt"

    @pytest.fixture
    def content(self):
        return ecf_to_meld().encode()


def test_utterances_have_the_ids_of_the_other_corpus_or_none(tmp_path):
    found = read_utterance_map(write(tmp_path / "map.txt", ecf_to_meld()))
    assert found == {
        "7": [
            MappedUtterance("Ann", "train_dia5", "train_dia5_utt0"),
            MappedUtterance("Bob", "train_dia5", "train_dia5_utt2"),
            MappedUtterance("Ann", None, None),
        ],
        "8": [MappedUtterance("Cy", "dev_dia1", "dev_dia1_utt0")],
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("train_dia5_utt2", "00:00:01.500 - 00:00:02.000", "line 4, conversation 7.*with the id '00:00:01"),
        ("2 | Bob", "3 | Bob", "line 4, conversation 7.*found an entry '3'"),
        ("2 | Bob | surprise", "2 | Bob", "of 4 fields"),
    ],
)
def test_a_line_that_is_no_entry_is_named(old, new, said, tmp_path):
    path = write(tmp_path / "map.txt", ecf_to_meld().replace(old, new))
    with pytest.raises(InvalidDataError, match=said):
        read_utterance_map(path)
