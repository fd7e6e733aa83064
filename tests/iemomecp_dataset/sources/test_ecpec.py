"""The pickle of ConvECPE, in every protocol that it may come in."""

from __future__ import annotations

import pickle

import pytest
from reader_case import ReaderCase

from iemomecp_dataset.sources.ecpec import read_ecpec


class TestPickle(ReaderCase):
    of = read_ecpec
    file = "x.pkl"
    is_text = False
    protocol = 2

    @pytest.fixture
    def content(self, tree):
        return pickle.dumps(tree.pickle_entries(), protocol=self.protocol)


class TestPickleOfText(TestPickle):
    protocol = 0


class TestNewestPickle(TestPickle):
    protocol = 5
