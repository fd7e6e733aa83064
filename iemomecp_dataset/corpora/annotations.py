"""What files of a corpus state beside the schema: optional columns of its rows, counted where they stay out.

ECF names the episode of a conversation, writes times with two decimals or three, and lists pairs in its own order.
MECAD adds modality, type and annotators of causes. A file in the format of another system needs these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from iemomecp_dataset.corpora.dialogues import CorpusDialogue
from iemomecp_dataset.field_checks import is_integer
from iemomecp_dataset.schema import CauseAnnotationRow, Row

__all__ = ["add_annotations", "count_annotations", "read_cause_annotation"]

_OF_CAUSES = ("cause_modality", "cause_type", "confidence", "annotator_name")
_MILLISECONDS = re.compile(r"\d\d:\d\d:\d\d\.\d{3} - \d\d:\d\d:\d\d\.\d{3}")


def add_annotations(row: Row, dialogue: CorpusDialogue) -> None:
    """Adds the optional columns to a row.

    Args:
        row: Receives ``episode`` (null unless all times name the same one), ``listed_pairs``, ``listed_times`` (empty
            where the file states none) and ``cause_annotations``.
        dialogue: The dialogue that the row was made of.
    """
    episodes = _episodes(dialogue)
    row["episode"] = episodes[0] if len(episodes) == 1 else None
    row["listed_pairs"] = [{"target_turn": target, "cause_turn": cause} for target, cause in dialogue.listed]
    times = [utterance.times for utterance in dialogue.utterances]
    row["listed_times"] = [one.start_end if one else None for one in times] if any(times) else []
    row["cause_annotations"] = list(dialogue.cause_annotations)


def count_annotations(dialogue: CorpusDialogue) -> Counter[str]:
    """Counts what a row without the optional columns does not have.

    Args:
        dialogue: The dialogue.

    Returns:
        Whether it has an episode, and lists its pairs in another order than rows; its utterances whose
        times are not written in milliseconds, and those with each of the annotations of causes.
    """
    listed = list(dialogue.listed)
    times = [one for utterance in dialogue.utterances if (one := utterance.times) is not None]
    counts = Counter(
        {
            "names of episodes": int(bool(times)),
            "dialogues that list their pairs in another order": int(listed != sorted(set(listed))),
            "utterances whose times are not in milliseconds": sum(
                _MILLISECONDS.fullmatch(one.start_end) is None for one in times
            ),
        }
    )
    for annotation in dialogue.cause_annotations:
        counts.update(f"utterances with {name}" for name in _OF_CAUSES if annotation.get(name))
    return +counts


def read_cause_annotation(entry: Mapping[str, Any], turn: int, counts: Counter[str]) -> CauseAnnotationRow | None:
    """Reads what an utterance's JSON object states of its causes.

    No file is refused for these, since nothing is scored on them.

    Args:
        entry: The object, with ``cause_modality``, ``cause_type``, ``confidence`` and ``annotator_name``; all of them
            may be absent or null.
        turn: Its turn.
        counts: Receives the number of those that have another type, hence are left out.

    Returns:
        The annotations; None where there are none.

    Example:
        >>> counts = Counter()
        >>> found = read_cause_annotation({"cause_modality": ["t", "a"], "confidence": [4, "high"]}, 2, counts)
        >>> found["cause_modality"], found["confidence"], counts["annotations of causes of another type (left out)"]
        (['t', 'a'], [], 1)
    """
    if all(entry.get(name) is None for name in _OF_CAUSES):
        return None

    def fitting(name: str, fits: bool, otherwise: Any) -> Any:
        counts["annotations of causes of another type (left out)"] += not fits and entry.get(name) is not None
        return entry[name] if fits else otherwise

    def is_list(name: str, kind: type) -> bool:
        value = entry.get(name)
        return isinstance(value, list) and all(_fits(v) if kind is int else isinstance(v, kind) for v in value)

    name = entry.get("utterance_name")
    return {
        "target_turn": turn,
        "cause_modality": fitting("cause_modality", is_list("cause_modality", str), []),
        "cause_type": fitting("cause_type", isinstance(entry.get("cause_type"), str), None),
        "confidence": fitting("confidence", is_list("confidence", int), []),
        "annotator_name": fitting("annotator_name", is_list("annotator_name", str), []),
        "utterance_name": name if isinstance(name, str) else None,
    }


def _fits(value: Any) -> bool:
    """Whether a value is an integer that a column of 64 bits takes."""
    return is_integer(value) and -(2**63) <= value < 2**63


def _episodes(dialogue: CorpusDialogue) -> list[str]:
    """Distinct episodes that the utterances of a dialogue name, in order."""
    return list(dict.fromkeys(one.times.episode for one in dialogue.utterances if one.times is not None))
