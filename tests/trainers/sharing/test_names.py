"""Names of repositories, and paths that must not be taken for such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.sharing.names import check_repository, is_local, without_local_paths


@pytest.mark.parametrize("name", ["me/pairs", "Me-1/a.b_c-d", "lab/2026"])
def test_names_of_repositories_are_taken(name: str) -> None:
    assert check_repository(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pairs", "expected OWNER/NAME"),
        ("me/", "expected OWNER/NAME"),
        ("/pairs", "expected OWNER/NAME"),
        ("a/b/c", "expected OWNER/NAME"),
        ("runs/x/model", "expected OWNER/NAME"),
        ("me/two words", "letters, digits"),
        ("me/a--b", "letters, digits"),
        ("me/" + "x" * 100, "at most 96"),
        ("me/pairs.git", "letters, digits"),
    ],
)
def test_other_names_are_refused(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_repository(name)


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("google/electra-small", False),
        ("bert-base-uncased", False),
        ("/opt/minilm", True),
        ("~/models/minilm", True),
        ("./minilm", True),
        ("../minilm", True),
        ("C:\\models\\minilm", True),
        ("C:/models/minilm", True),
        ("models\\minilm", True),
        ("runs/x/model", True),
        ("here/minilm", True),
        ("elsewhere/minilm", False),
        ("none", False),
    ],
)
def test_models_that_only_this_machine_finds(
    name: str, local: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "minilm").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert is_local(name) == local


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("/opt/minilm/model", "minilm"),
        ("/data/ecf", "ecf"),
        ("~/runs/x/", "x"),
        ("C:\\runs\\x", "x"),
        ("read from /data/ecf, and /data/meld/csv.", "read from ecf, and csv."),
        ("ecf (/data/one/ecf)/train and ecf", "ecf (ecf)/train and ecf"),
        ("read from file:///home/ana/ecf, twice", "read from ecf, twice"),
        ("of ~ana/runs/x", "of x"),
        ("/home/ana+ben@host/x and", "x and"),
        ("(see C:\\data\\ecf)", "(see ecf)"),
        # Not paths of a machine.
        ("https://huggingface.co/me/pairs/x", "https://huggingface.co/me/pairs/x"),
        ("local_data/features/audio.parquet", "local_data/features/audio.parquet"),
        ("on 26/11/2026, and/or", "on 26/11/2026, and/or"),
        ("</s>", "</s>"),
        ("a\\n\\nb", "a\\n\\nb"),
        ([{"a": ("/x/y", 1, None)}], [{"a": ["y", 1, None]}]),
    ],
)
def test_paths_are_cut_down_to_their_last_part(content: Any, expected: Any) -> None:
    assert without_local_paths(content) == expected


def test_paths_can_be_renamed_and_texts_be_left_alone() -> None:
    content = {"encoder": "/opt/minilm", "template": "say /think/or/not"}
    assert without_local_paths(content, {"/opt/minilm": "lab/minilm"}, within_texts=False) == {
        "encoder": "lab/minilm",
        "template": "say /think/or/not",
    }
