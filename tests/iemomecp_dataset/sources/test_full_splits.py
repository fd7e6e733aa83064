"""Full split JSON, one file per split."""

from __future__ import annotations

import pytest
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.sources.full_splits import read_full_split, write_full_splits


class TestFullSplit(ReaderCase):
    of = read_full_split
    file = "x.json"

    @pytest.fixture
    def content(self, tree):
        return write_full_splits(iemomecp_dataset.load(data_dir=tree.root), tree.root / "full")[0].read_bytes()
