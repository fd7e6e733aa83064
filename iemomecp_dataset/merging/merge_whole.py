"""Merges ConvECPE and IEMOCAP into whole dialogues with their emotions, for which no label overlay is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.limits import Tolerance, enforce_limits, warn_of_mismatches
from iemomecp_dataset.merging.utterances import merged_utterances
from iemomecp_dataset.options import TextSource, ValidationSplit
from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import SPLITS, Row
from iemomecp_dataset.sources.ecpec import listed_splits, read_ecpec
from iemomecp_dataset.sources.iemocap_release import IemocapFiles, session_of

__all__ = ["merge_whole", "validation_dialogues"]


def merge_whole(
    ecpec_path: Path,
    iemocap: IemocapFiles | None,
    *,
    text_source: TextSource,
    tolerance: Tolerance,
    validation: ValidationSplit,
) -> Loaded:
    """Reads both parts and merges them, one row per dialogue of ConvECPE, without pairs.

    Args:
        ecpec_path: Pickle of ConvECPE.
        iemocap: Files of the release; without them the text is ConvECPE's, and times and media are null.
        text_source: ``iemocap`` for the text of the transcripts, ``ecpec`` for that of ConvECPE.
        tolerance: How far the two may differ.
        validation: Which train dialogues become the validation split.

    Returns:
        Rows by split, in the order of ConvECPE's lists.

    Raises:
        IemomecpError: A part is malformed or lacks dialogues, or the two disagree too often.
    """
    ecpec = read_ecpec(ecpec_path)
    listed = listed_splits(ecpec)
    held_out = validation_dialogues(listed["train"], validation)
    if validation != "none" and not (held_out and len(held_out) < len(listed["train"])):
        raise InvalidDataError(
            f"{ecpec_path}: {len(listed['train'])} train dialogues are too few to take validation from. Pass "
            f"validation='none'."
        )
    utterances, comparison, notes = merged_utterances(ecpec, iemocap, text_source)
    notes += enforce_limits(comparison, tolerance, text_source)
    warn_of_mismatches(comparison.checks(), "max_mismatch= sets how many are accepted.")
    rows: dict[str, list[Row]] = {split: [] for split in SPLITS if split != "validation" or held_out}
    for split, names in listed.items():
        for name in names:
            rows["validation" if name in held_out else split].append(
                {
                    "dialogue_id": name,
                    "source_dialogue_id": name,
                    "chunk_index": -1,
                    "session": session_of(name),
                    "utterances": [
                        {**utterances[key], "turn": turn}
                        for turn, key in enumerate(ecpec.dialogues[name].utterance_ids, start=1)
                    ],
                    "pairs": [],
                    "explanations": [],
                }
            )
    missing = comparison.missing_texts if text_source == "iemocap" else 0
    return Loaded(rows=rows, notes=tuple(notes), missing_texts=missing)


def validation_dialogues(train: Sequence[str], validation: ValidationSplit) -> frozenset[str]:
    """Chooses the train dialogues that become the validation split.

    Args:
        train: Ids of the train dialogues, in file order.
        validation: ``every_tenth`` of the sorted ids, so that every session is among them; the ``first_tenth`` in file
            order, as the release of ECERC takes; ``none``.

    Returns:
        Their ids. Of fewer than ten dialogues, one.

    Example:
        >>> names = [f"d{number:02}" for number in range(1, 31)]
        >>> sorted(validation_dialogues(names, "every_tenth")), sorted(validation_dialogues(names, "first_tenth"))
        (['d10', 'd20', 'd30'], ['d01', 'd02', 'd03'])
    """
    if validation == "none":
        return frozenset()
    if validation == "first_tenth":
        return frozenset(train[: max(1, len(train) // 10)])
    return frozenset(sorted(train)[9::10] or sorted(train)[-1:])
