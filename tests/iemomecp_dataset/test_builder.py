"""The three configurations of IEMO-MECP do what every corpus does."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest
from corpus_case import CorpusCase, places

from iemomecp_dataset.builder import IemomecpBuilder
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.overlay.reading import LABELS_SOURCE
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS
from iemomecp_dataset.sources.ecpec import ECPEC_SOURCE
from iemomecp_dataset.sources.iemocap_release import IEMOCAP_SOURCE

GOLD = {
    "Ses01F_impro01__c001": {(2, 1), (2, 3), (3, 3)},
    "Ses01F_impro01__c002": {(2, 1), (3, 2), (4, 2), (4, 3), (4, 4)},
    "Ses01F_script01_1__c001": {(1, 1), (2, 1)},
    "Ses02M_impro02__c001": {(2, 1), (3, 3)},
    "Ses05F_impro03__c001": {(1, 1), (2, 1)},
    "Ses05F_impro03__c002": {(2, 1)},
}
# Where labels are those of ConvECPE, a forward pair is published as none.
BINARY_GOLD = {**GOLD, "Ses01F_impro01__c001": {(2, 1), (3, 3)}}


class TestThreeClasses(CorpusCase):
    name = "3class"
    gold = GOLD
    word = ("Line 1,", "LINE 1,")
    files = "IEMOCAP/**/transcriptions/*.txt"

    @pytest.fixture
    def folder(self, tree):
        return tree.root

    def emotions(self):
        return IEMOCAP_EMOTIONS

    def how_to_obtain(self):
        return IEMOCAP_SOURCE, ECPEC_SOURCE, LABELS_SOURCE

    def check_candidates(self, n_turns, pairs):
        """All pairs with a cause of the past, and those of the future that are gold in ConvECPE."""
        turns = range(1, n_turns + 1)
        past = {(target, cause) for target in turns for cause in turns if cause <= target}
        assert past <= {places(pair) for pair in pairs}
        assert all(pair["source_pair"] in (True, None) for pair in pairs if places(pair) not in past)


class TestSourceBinary(TestThreeClasses):
    name = "source_binary"
    gold = BINARY_GOLD


class TestOverlay(TestThreeClasses):
    name = "overlay"
    word = ("made_up", "made_by")
    files = "labels/*.json"

    def how_to_obtain(self):
        return (LABELS_SOURCE,)


def test_what_load_dataset_passes_on_arrives(synthetic_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``datasets`` 4.0 gives ``verification_mode`` to a builder, and later versions do not."""

    def as_dataset(builder: object, split: object, **given: object) -> object:
        return split, given

    monkeypatch.setattr(datasets.GeneratorBasedBuilder, "as_dataset", as_dataset)
    builder = IemomecpBuilder(config_name="3class", data_dir=str(synthetic_dir))
    assert builder.as_dataset(split="all", verification_mode="no_checks", in_memory=True) == (
        "all", {"verification_mode": "no_checks", "in_memory": True}
    )  # fmt: skip


def test_an_edit_whose_time_is_not_noted_is_found_by_its_content(tree, monkeypatch):
    """Some file systems note times late; size and content are looked at, too."""
    path = tree.transcript("Ses01F_impro01")
    monkeypatch.setattr("iemomecp_dataset.builder.file_states", lambda files: dict.fromkeys(files, ()))
    builder = IemomecpBuilder(config_name="3class", data_dir=str(tree.root), dataset_name="iemomecp")
    path.write_bytes(path.read_bytes().replace(b"Line 1,", b"LINE 1,"))
    with pytest.raises(InvalidDataError, match="changed while it was read"):
        builder.download_and_prepare()
    assert not Path(builder.cache_dir).exists()


def test_a_file_that_is_half_written_is_said_to_change(tree):
    """A reader may stumble over it first."""
    path = tree.transcript("Ses01F_impro01")
    builder = IemomecpBuilder(config_name="3class", data_dir=str(tree.root), dataset_name="iemomecp")
    path.write_bytes(path.read_bytes()[:-40] + b"\xff")
    with pytest.raises(InvalidDataError, match=r"Ses01F_impro01\.txt: changed while it was read"):
        builder.download_and_prepare()
