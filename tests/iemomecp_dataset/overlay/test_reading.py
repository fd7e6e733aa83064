"""Label files, JSON and CSV."""

from __future__ import annotations

import pytest
from reader_case import ReaderCase

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.overlay.reading import read_label_file


class TestLabels(ReaderCase):
    of = read_label_file
    file = "x.json"

    @pytest.fixture
    def content(self, tree):
        return tree.labels("test").read_bytes().replace(b", ", b",\n")

    def read(self, path):
        found = read_label_file(path, "test")
        if found.problems:  # collected, so that all are shown at once
            raise InvalidDataError(str(found.problems[0]))
        return found


class TestCsvLabels(TestLabels):
    file = "x.csv"

    @pytest.fixture
    def content(self, tree):
        pairs = tree.label_pairs("Ses05F_impro03", 1, 2)
        lines = [",".join(["split", "dialogue_id", *pairs[0]])]
        lines += [",".join(["test", "a", *(str(v).replace(",", "|") for v in pair.values())]) for pair in pairs]
        return "\n".join(lines).encode()
