"""What every reader of a file that a user may bring must do, whatever the file holds."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from iemomecp_dataset.errors import IemomecpError, MissingDataError

MARK = "\ufeff".encode()


class ReaderCase:
    """A subclass names the reader and the file, and gives the content of a good one.

    Attributes:
        of: The reader.
        file: Name of the file.
        is_text: Whether it is text in lines.
        forgiven: Of :data:`DAMAGES`, what is read as if nothing were wrong.
    """

    of: ClassVar[Callable[..., Any]]
    file: ClassVar[str]
    is_text: ClassVar[bool] = True
    forgiven: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def content(self) -> bytes:
        """A good file."""
        raise NotImplementedError

    def read(self, path: Path) -> Any:
        """Reads a file to its end."""
        return type(self).of(path)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Where the file lies, which is not there yet."""
        (tmp_path / "files").mkdir()
        return tmp_path / "files" / self.file

    def test_a_mark_and_line_ends_of_windows_change_nothing(self, content: bytes, path: Path) -> None:
        path.write_bytes(content)
        expected = repr(self.read(path))
        assert len(expected) > 2
        if not self.is_text:
            return
        windows = content.replace(b"\n", b"\r\n")
        assert windows != content
        for changed in (windows, MARK + content, MARK + windows):
            path.write_bytes(changed)
            assert repr(self.read(path)) == expected

    @pytest.mark.parametrize("damage", ["missing", "folder", "empty", "cut off", "not UTF-8"])
    def test_damage_is_our_own_error_that_names_the_file(self, content: bytes, path: Path, damage: str) -> None:
        DAMAGES[damage](path, content)
        if damage in self.forgiven:
            self.read(path)
            return
        if damage == "not UTF-8" and not self.is_text:
            return
        with pytest.raises(IemomecpError) as caught:
            self.read(path)
        assert str(path) in str(caught.value)
        assert isinstance(caught.value, MissingDataError) == (damage in ("missing", "folder"))

    @pytest.mark.slow
    def test_nothing_but_our_own_errors_escapes(self, content: bytes, path: Path) -> None:
        rng = random.Random(type(self).__name__)
        outcomes: Counter[str] = Counter()
        end = time.monotonic() + 1.8
        while time.monotonic() < end:
            data = mutated(content, rng)
            path.write_bytes(data)
            try:
                self.read(path)
                outcomes["read"] += 1
            except IemomecpError as error:
                outcomes["refused" if str(path) in str(error) else "refused without naming the file"] += 1
            except Exception as error:
                pytest.fail(f"{type(error).__name__}: {error} escaped for {data[:300]!r}")
        assert outcomes.total() > 20
        assert outcomes["refused without naming the file"] == 0


DAMAGES: dict[str, Callable[[Path, bytes], object]] = {
    "missing": lambda path, content: None,
    "folder": lambda path, content: path.mkdir(),
    "empty": lambda path, content: path.write_bytes(b""),
    "cut off": lambda path, content: path.write_bytes(content[: len(content) // 2]),
    "not UTF-8": lambda path, content: path.write_bytes(content[:-9] + b"\xff" + content[-9:]),
}
"""What can be wrong with a file of any format."""


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The same with one to four random changes."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not data:
            break
        here, there = rng.randrange(len(data)), rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[here] = rng.randrange(256)
            case 1:
                del data[here : here + rng.randrange(1, 20)]
            case 2:
                data[here:here] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 6)))
            case 3:
                data[here:here] = data[there : there + rng.randrange(1, 60)]
            case 4:
                data = data[: max(here, 1)]
            case 5:
                data[here:here] = rng.choice(
                    (b"NaN", b"-1", b"1e400", b"null", b'"', b"[", b"}", b"\r", b"99999999999")
                )
    return bytes(data)
