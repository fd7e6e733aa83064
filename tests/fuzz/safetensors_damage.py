"""Damage to safetensors files: of the header, its length, and the data behind it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from damage import damage_bytes, damage_json
from hypothesis import strategies as st

__all__ = ["damage_safetensors"]


def damage_safetensors(draw: Callable[[st.SearchStrategy[Any]], Any], content: bytes) -> tuple[bytes, str]:
    """Damages the header of a safetensors file.

    Args:
        draw: As hypothesis gives it.
        content: The file.

    Returns:
        The damaged file, and the damage.
    """
    if len(content) < 8:
        return damage_bytes(draw, content)
    (length,) = struct.unpack("<Q", content[:8])
    header, data = content[8 : 8 + length], content[8 + length :]
    match draw(st.integers(0, 5)):
        case 0:
            claimed = draw(st.sampled_from((0, 1, length - 1, length + 1, 2**31, 2**40, 2**63, 2**64 - 1)))
            return struct.pack("<Q", max(claimed, 0)) + content[8:], f"a header of {claimed} bytes"
        case 1:
            size = draw(st.integers(0, len(data)))
            return content[: 8 + length] + data[:size], f"{size} bytes of data"
        case 2 if data:
            where = draw(st.integers(0, len(data) - 1))
            words = draw(st.sampled_from((b"\0\0\xc0\x7f", b"\0\0\x80\xff", b"\xff", b"\xff\xff\x7f\x7f")))
            return content[: 8 + length] + data[:where] + words + data[where + len(words) :], f"{words!r} at {where}"
        case _:
            try:
                header, words = damage_json(draw, header)
            except ValueError:
                header, words = damage_bytes(draw, header)
            return struct.pack("<Q", len(header)) + header + data, f"header: {words}"
