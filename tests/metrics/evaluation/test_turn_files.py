"""What files of emotions and of explanations share: their order against the gold, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.evaluation.turn_files import aligned_turns, general_notes, scored_split

WANTED = [("a", 1), ("a", 2), ("b", 1)]


def test_entries_are_found_wherever_they_are():
    found = [("b", 1), ("a", 1), ("a", 2)]
    order = aligned_turns("f.csv", found, WANTED, "ecf, test")
    assert [found[place] for place in order] == WANTED


def test_every_missing_and_unknown_entry_is_counted():
    found = [("a", 1), *(("c", turn) for turn in range(1, 8))]
    expected = (
        "f.csv: its 8 items are not the 3 of ecf, test, each exactly once: 2 items missing: (dialogue a, target 2), "
        "(dialogue b, target 1); 7 items not in the data: (dialogue c, target 1), (dialogue c, target 2), "
        "(dialogue c, target 3), (dialogue c, target 4), (dialogue c, target 5) and 2 more. Explain it, or"
    )
    with pytest.raises(InvalidDataError, match=re.escape(expected)):
        aligned_turns("f.csv", found, WANTED, "ecf, test", entry="item", turn="target", remedy="Explain it")


def file(**facts):
    stated = {"config_name": None, "split": None, "text_fingerprint": None, **facts}
    return SimpleNamespace(path=Path("f.csv"), facts=SimpleNamespace(**stated))


def test_what_is_given_wins_over_what_the_file_states():
    assert scored_split(file(config_name="ecf", split="test"), split="validation") == ("ecf", "validation")
    with pytest.raises(UsageError, match="--config-name"):
        scored_split(file(split="test"))
    with pytest.raises(UsageError, match="--split"):
        scored_split(file(config_name="ecf"))


def test_other_texts_and_a_chosen_epoch_and_a_single_dialogue_are_said():
    gold = SimpleNamespace(config_name="ecf", split="test", text_fingerprint="new")
    asked = {"entries": "utterances", "oracle": False, "n_units": 2, "n_resamples": 10}
    assert general_notes(file(text_fingerprint="new"), gold, **asked) == []
    assert general_notes(file(), gold, **asked) == []
    assert "fingerprint old" in general_notes(file(text_fingerprint="old"), gold, **asked)[0]
    assert "upper bound" in general_notes(file(), None, **{**asked, "oracle": True})[0]
    assert "One dialogue alone" in general_notes(file(), None, **{**asked, "n_units": 1})[0]
