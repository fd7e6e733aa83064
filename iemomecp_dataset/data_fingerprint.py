"""One short hash for the content of a split, wherever its files lie: what results are filed under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["data_fingerprint"]


def data_fingerprint(rows: Iterable[Mapping[str, Any]]) -> str:
    """Hashes what a model can learn from rows.

    Every dialogue's id, its utterances' ids, texts, speakers and emotions, and its pairs with their labels take part;
    paths of media do not, and neither does the order of the rows.

    Args:
        rows: Rows of one split.

    Returns:
        16 hexadecimal characters.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [], "pairs": []}
        >>> data_fingerprint([row]) == data_fingerprint([dict(row)])
        True
    """
    digest = hashlib.sha256()
    for dialogue in sorted(_dialogue_digest(row) for row in rows):
        digest.update(dialogue)
    return digest.hexdigest()[:16]


def _dialogue_digest(row: Mapping[str, Any]) -> bytes:
    utterances = [
        [utterance.get(name) for name in ("utterance_id", "text", "speaker", "emotion")]
        for utterance in row["utterances"]
    ]
    pairs = [[pair["target_turn"], pair["cause_turn"], pair["label"]] for pair in row["pairs"]]
    outside = [[pair["target_turn"], pair["cause_turn"]] for pair in row.get("gold_outside_candidates") or []]
    content = json.dumps([row["dialogue_id"], utterances, pairs, outside], ensure_ascii=False, default=int)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
