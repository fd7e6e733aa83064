"""Reads the features of the ECF authors: ``audio_embedding_6373.npy`` and ``video_embedding_4096.npy``.

Row 0 is not used; the others follow the utterances of ``all_data_pair.txt``, conversation by conversation.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError

__all__ = ["read_ecf_array"]

_HEADER = re.compile(r"\s*(\d{1,9})\s+(\d{1,6})\s*")


def read_ecf_array(path: Path, order: Path) -> dict[str, NDArray[np.floating]]:
    """Reads one of the arrays.

    Args:
        path: The ``.npy`` file.
        order: ``all_data_pair.txt``.

    Returns:
        ``(width,)`` by utterance id (``dia1utt1``).

    Raises:
        MissingDataError: A file is not there.
        InvalidDataError: The array is none, or has another number of rows than there are utterances.
    """
    ids = _utterances(order)
    try:
        # Object arrays are pickles; they are refused.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InvalidDataError(f"{path}: not a readable .npy file of numbers ({str(error)[:120]}).") from None
    if array.ndim != 2 or array.dtype.kind != "f":
        raise InvalidDataError(f"{path}: expected rows of floats, found {array.dtype} of shape {array.shape}.")
    if len(array) != len(ids) + 1:
        raise InvalidDataError(
            f"{path}: expected {len(ids) + 1} rows (row 0 and the {len(ids)} utterances of {order}), "
            f"found {len(array)}."
        )
    return dict(zip(ids, array[1:], strict=True))


def _utterances(order: Path) -> list[str]:
    if not order.is_file():
        raise MissingDataError(f"The file {order} is not there; the ECF authors call it all_data_pair.txt.")
    lines = order.read_text(encoding="utf-8-sig").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    ids: list[str] = []
    position = 0
    while position < len(lines):
        header = _HEADER.fullmatch(lines[position])
        # Header, a line of pairs (which may be empty), then the utterances.
        n_turns = int(header[2]) if header else 0
        if header is None or position + 1 + n_turns >= len(lines):
            raise InvalidDataError(
                f"{order}, line {position + 1}: expected a conversation 'ID N', a line of pairs and N utterances, "
                f"found {lines[position][:60]!r}."
            )
        ids += [f"dia{header[1]}utt{turn}" for turn in range(1, n_turns + 1)]
        position += 2 + n_turns
    if not ids:
        raise InvalidDataError(f"{order}: there are no conversations in it.")
    return ids
