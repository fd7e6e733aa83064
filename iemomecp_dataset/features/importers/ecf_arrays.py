"""Reads the features of the ECF authors: ``audio_embedding_6373.npy`` and ``video_embedding_4096.npy``.

Row 0 is unused; the others follow the utterances of ``all_data_pair.txt``, conversation by conversation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.ecf import conversation_blocks
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import InvalidDataError, MissingDataError

__all__ = ["read_ecf_array"]


def read_ecf_array(path: Path, order: Path) -> dict[str, NDArray[np.floating]]:
    """Reads one of the arrays.

    Args:
        path: The ``.npy`` file, floats ``(utterances + 1, width)``.
        order: ``all_data_pair.txt``, in the format of ECF 1.0.

    Returns:
        ``(width,)`` by utterance id (``dia1utt1``), memory-mapped.

    Raises:
        MissingDataError: A file does not exist.
        InvalidDataError: The array is not a matrix of floats, its rows do not match the utterances, or the order file
            is malformed.
    """
    if not order.is_file():
        raise MissingDataError(f"The file {order} is not there; the ECF authors call it all_data_pair.txt.")
    ids = [
        CORPORA["ecf"].utterance_id(conversation, turn)
        for _, conversation, _, lines in conversation_blocks(order)
        for turn in range(1, len(lines) + 1)
    ]
    try:
        # Object arrays are pickles, and are refused.
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
