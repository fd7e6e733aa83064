"""Opens WAV files whose header does not state their length, as programs write them that do not know it beforehand.

A program that streams sound writes its header first, with a placeholder for the sizes: 0, the largest number, or nearly
that. Such a file is read to its end. libsndfile takes a size of 0 at its word, hence is shown the true one.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import soundfile

__all__ = ["WavSizes", "open_sound_file", "wav_sizes"]

_PLACEHOLDERS = frozenset({0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF})
"""Of FFmpeg, SoX, arecord and browsers."""
_LARGEST = 0xFFFFFFFF
_RIFF_SIZE_AT = 4


@dataclass(frozen=True)
class WavSizes:
    """What the header of a WAV file states, in bytes, and what the file has.

    Attributes:
        declared: Size of the samples by the header.
        present: Size of what follows the header of the samples, to the end of the file.
        stated_at: Position of ``declared`` in the file.
        streamed: Whether ``declared`` is a placeholder, hence states nothing.
    """

    declared: int
    present: int
    stated_at: int
    streamed: bool

    @property
    def truncated(self) -> bool:
        """Whether the file ends before the samples that its header states."""
        return not self.streamed and self.present < self.declared


def wav_sizes(path: Path) -> WavSizes | None:
    r"""Reads the sizes in the header of a WAV file.

    Args:
        path: The file.

    Returns:
        The sizes; None for a file that is not RIFF/WAVE, or that has no chunk of samples.

    Raises:
        OSError: The file cannot be read.

    Example:
        >>> import tempfile
        >>> head = b"RIFF\xff\xff\xff\xffWAVEdata" + bytes(4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.wav")
        ...     _ = path.write_bytes(head + b"12345678")
        ...     wav_sizes(path)
        WavSizes(declared=0, present=8, stated_at=16, streamed=True)
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        (whole,) = struct.unpack("<I", head[4:8])
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                at = file.tell()
                return WavSizes(length, size - at, at - 4, _is_placeholder(length, whole, at, size))
            file.seek(length + length % 2, 1)
    return None


def _is_placeholder(length: int, whole: int, at: int, size: int) -> bool:
    if length == 0:  # Samples of no length, too, where the size of the whole file is right.
        return whole + 8 != size
    # Some write the placeholder for the whole file, and what it leaves for the samples.
    return size - at < length and (length in _PLACEHOLDERS or (whole in _PLACEHOLDERS and length == whole - (at - 8)))


def open_sound_file(path: Path) -> soundfile.SoundFile:
    """Opens a sound file; a WAV file whose header states no length has the length of the file.

    Args:
        path: The file, of a format of libsndfile.

    Returns:
        The open file.

    Raises:
        RuntimeError: It is no sound file (the error is that of ``soundfile``).
        OSError: It cannot be read.
    """
    import soundfile

    sizes = wav_sizes(path) if path.suffix.lower() == ".wav" else None
    if sizes is None or not sizes.streamed:
        return soundfile.SoundFile(str(path))
    whole = sizes.stated_at + 4 + sizes.present
    stated = {
        _RIFF_SIZE_AT: struct.pack("<I", min(whole - 8, _LARGEST)),
        sizes.stated_at: struct.pack("<I", min(sizes.present, _LARGEST)),
    }
    return soundfile.SoundFile(_Restated(open(path, "rb"), stated))  # Closed with the wrapper.


class _Restated(io.RawIOBase):
    """A file in which some bytes read as others; closed when the last reference to it is gone."""

    def __init__(self, file: Any, stated: dict[int, bytes]) -> None:
        self._file = file
        self._stated = stated

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        begin = self.tell()
        count = int(self._file.readinto(view))
        for at, content in self._stated.items():
            first, last = max(at, begin), min(at + len(content), begin + count)
            if first < last:
                view[first - begin : last - begin] = content[first - at : last - at]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
