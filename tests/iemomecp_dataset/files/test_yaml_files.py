"""YAML files of options: what they may hold, and what is refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.files.yaml_files import parse_yaml, read_yaml

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


def test_values_of_every_kind_are_read(tmp_path: Path) -> None:
    text = "\ufeffname: x\nseeds: [1, 2]\nrate: 1e-3\nnone: ~\nof: &of {a: true}\nsame: *of\n"
    (tmp_path / "run.yaml").write_text(text, encoding="utf-8")
    found = read_yaml(tmp_path / "run.yaml")
    assert found == {"name": "x", "seeds": [1, 2], "rate": "1e-3", "none": None, "of": {"a": True}, "same": {"a": True}}
    assert parse_yaml("", "run.yaml") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not valid YAML"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' is given twice"),
        ("a: {b: 1, b: 2}", "line 1: 'b' is given twice"),
        ("a: !!python/object/apply:os.system [touch x]", "is not valid YAML: could not determine a constructor"),
        ("a: 2024-13-45", "is not valid YAML: month must be"),
        ("a: !!timestamp 1", "is not valid YAML"),
        ("a: !!int ''", "is not valid YAML"),
        ("a: 1\n---\nb: 2", "is not valid YAML"),
        ("? [a]\n: 1", "is not valid YAML"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "x" * 300_000, "is longer than 200,000 characters"),
        (BOMB, "holds more than 100,000 values"),
        ("a: &a [*a]", "a list that holds itself"),
    ],
)
def test_what_is_no_file_of_options_is_refused_by_name(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=words) as caught:
        parse_yaml(text, "run.yaml")
    assert str(caught.value).startswith("run.yaml")
    assert len(str(caught.value)) < 500


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for name in ("pipe.yaml", "loop.yaml", "absent.yaml", "."):
        with pytest.raises(MissingDataError, match="is not there, or is not a file"):
            read_yaml(tmp_path / name)
