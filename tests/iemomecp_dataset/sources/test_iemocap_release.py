"""Transcripts and evaluations of IEMOCAP."""

from __future__ import annotations

import pytest
from reader_case import ReaderCase

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.sources.iemocap_release import read_evaluation, read_transcript


class TestTranscript(ReaderCase):
    of = read_transcript
    file = "x.txt"
    # Lines without an utterance id are ignored, and old files are in the code page of Windows. The merge counts what
    # is missing.
    forgiven = frozenset({"empty", "cut off", "not UTF-8"})

    @pytest.fixture
    def content(self, tree):
        return tree.transcript("Ses01F_impro01").read_bytes()


class TestEvaluation(TestTranscript):
    of = read_evaluation

    @pytest.fixture
    def content(self, tree):
        return tree.evaluation("Ses01F_impro01").read_bytes()


FOREIGN = {
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "is UTF-16 text"),
    "UTF-16, big end first": (lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"), "is UTF-16 text"),
    "UTF-16 without a mark": (lambda data: data.decode().encode("utf-16-le"), "is UTF-16 text"),
    "CR alone": (lambda data: data.replace(b"\n", b"\r"), r"end in a carriage return \(CR\) alone"),
    "CR in one place": (lambda data: data.replace(b"\n", b"\r", 3), r"end in a carriage return \(CR\) alone"),
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("read", "path"), [(read_transcript, "transcript"), (read_evaluation, "evaluation")])
def test_other_encodings_and_line_ends_are_called_what_they_are(tree, read, path, name):
    change, message = FOREIGN[name]
    file = getattr(tree, path)("Ses01F_impro01")
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InvalidDataError, match=message) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_a_carriage_return_within_a_text_is_no_line_end(tree):
    file = tree.transcript("Ses01F_impro01")
    file.write_bytes(file.read_bytes().replace(b"Line 1, of", b"Line 1,\rof"))
    assert read_transcript(file)["Ses01F_impro01_F001"].text == "Line 1,\rof Ses01F impro01."
