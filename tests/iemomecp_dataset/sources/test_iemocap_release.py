"""Transcripts and evaluations of IEMOCAP."""

from __future__ import annotations

import pytest
from reader_case import ReaderCase

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
