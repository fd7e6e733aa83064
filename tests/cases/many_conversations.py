"""Files of many small conversations, as JSON Lines and as Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = ("train", "late", "angry", "match", "lost", "again", "what", "happened", "so", "I", "am", "it")


def conversations(number: int, *, named: bool = True) -> list[dict[str, Any]]:
    """Conversations of one to six turns, every fifth with a key that no conversation has."""
    found = []
    for place in range(number):
        utterances = [
            {
                "speaker": "AB"[turn % 2],
                "text": " ".join(WORDS[(place * 7 + turn * 5 + n) % 12] for n in range(turn + 2)),
            }
            for turn in range(place * 5 % 6 + 1)
        ]
        one: dict[str, Any] = {"utterances": utterances}
        if place % 5 == 0:
            one["topic"] = "trains"
        found.append({"dialogue_id": f"talk {place}", **one} if named else one)
    return found


def write_lines(path: Path, records: Sequence[dict[str, Any]]) -> Path:
    """Writes JSON Lines; a blank line stands after the first."""
    lines = [json.dumps(record) for record in records]
    path.write_text("\n".join([lines[0], "", *lines[1:]]) + "\n", encoding="utf-8")
    return path


def write_rows(path: Path, records: Sequence[dict[str, Any]], *, group: int = 7) -> Path:
    """Writes Parquet with row groups of some rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(list(records)), path, row_group_size=group)
    return path
