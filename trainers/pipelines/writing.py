"""Writes what models predict for conversations as JSON Lines, JSON, CSV, a page or a drawing.

The command ``iemomecp predict`` and the page in the browser write the same files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TextIO

from iemomecp_dataset.files.csv_cells import csv_text
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

__all__ = ["FileKind", "write_predicted"]

FileKind = Literal["jsonl", "json", "csv", "html", "svg"]


def write_predicted(
    predicted: Iterable[PredictedConversation], stream: TextIO, kind: FileKind
) -> Iterator[PredictedConversation]:
    """Writes conversations as they come, and hands them on; a page and a list of JSON are written at the end.

    Args:
        predicted: What models predict; consumed as the result is.
        stream: Where to.
        kind: ``jsonl``: a conversation on every line; ``json``: a list of the same; ``csv``: a row per candidate pair
            of all; ``html``: one self-contained page; ``svg``: the triangle of each.

    Yields:
        The same conversations.
    """
    if kind in ("html", "json"):
        everything = list(predicted)
        if kind == "json":
            stream.write(_json([one.to_dict() for one in everything]))
        else:
            from iemomecp_dataset.pictures import conversation_page

            stream.write(conversation_page(everything))
        yield from everything
        return
    header = True
    for one in predicted:
        if kind == "jsonl":
            stream.write(_json(one.to_dict()))
        elif kind == "svg":
            stream.write(one.to_svg())
        else:
            frame = one.to_frame()
            if len(frame):  # Without candidates a frame has no columns either.
                stream.write(csv_text(frame, header=header))
                header = False
        yield one


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"
