"""Merges ConvECPE and IEMOCAP into whole dialogues for emotion recognition, without the label overlay."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.merging.utterances import Utterances, enforce_limit, merged_utterances, warn_of_mismatches
from iemomecp_dataset.options import TextSource, ValidationRule
from iemomecp_dataset.reader import Loaded
from iemomecp_dataset.schema import SPLITS, Row
from iemomecp_dataset.sources.ecpec import SourceDialogue, read_ecpec
from iemomecp_dataset.sources.iemocap_release import IemocapFiles, session_of

__all__ = ["dialogue_splits", "merge_dialogues"]

_TEST_SESSION = 5
_STEP = 10


def merge_dialogues(
    ecpec: Path,
    iemocap: IemocapFiles | None,
    *,
    text_source: TextSource,
    max_mismatch: float,
    validation: ValidationRule,
) -> Loaded:
    """Reads both sources and merges them to one row per dialogue, without pairs.

    Args:
        ecpec: Pickle of ConvECPE.
        iemocap: Files of the IEMOCAP release; None for ConvECPE's text without times and media.
        text_source: ``iemocap`` for the text of the transcripts, ``ecpec`` for that of ConvECPE.
        max_mismatch: Largest accepted share of utterances on which ConvECPE and IEMOCAP disagree, in each check.
        validation: Which train dialogues are the validation split, see :func:`dialogue_splits`.

    Returns:
        Rows by split, dialogues sorted by id.

    Raises:
        IemomecpError: A source is malformed, or the two disagree too often.

    See Also:
        :func:`iemomecp_dataset.merging.merge.merge` for the chunks and pairs of IEMO-MECP.
    """
    source = read_ecpec(ecpec)
    splits = dialogue_splits(source.dialogues, ecpec, validation)
    utterances, checks, _ = merged_utterances(source, iemocap, text_source)
    enforce_limit(checks, max_mismatch, text_source)
    warn_of_mismatches(checks)
    return Loaded(
        rows={split: [_row(source.dialogues[name], utterances) for name in names] for split, names in splits.items()}
    )


def dialogue_splits(names: Iterable[str], path: Path, validation: ValidationRule) -> dict[str, list[str]]:
    """Divides dialogues by session: 1 to 4 are train, 5 is test; a part of train is validation.

    Args:
        names: Ids of the dialogues.
        path: The file that has them, for the error.
        validation: ``every_tenth`` or ``first_tenth`` of the sorted train dialogues, or ``none``.

    Returns:
        Sorted ids by split; a split without dialogues is absent.

    Raises:
        InvalidDataError: A name is not the id of an IEMOCAP dialogue.

    Example:
        >>> names = [f"Ses0{n % 4 + 1}F_impro{n:02}" for n in range(20)] + ["Ses05M_impro01"]
        >>> found = dialogue_splits(names, Path("x.pkl"), "every_tenth")
        >>> {split: len(dialogues) for split, dialogues in found.items()}
        {'train': 18, 'validation': 2, 'test': 1}
    """
    parts: dict[bool, list[str]] = {False: [], True: []}
    for name in sorted(names):
        session = session_of(name)
        if not 1 <= session <= _TEST_SESSION:
            raise InvalidDataError(
                f"{path}, dialogue {name!r}: expected the id of an IEMOCAP dialogue such as 'Ses01F_impro01', whose "
                "session decides its split."
            )
        parts[session == _TEST_SESSION].append(name)
    train = parts[False]
    chosen = {
        "every_tenth": train[_STEP - 1 :: _STEP],
        "first_tenth": train[: len(train) // _STEP],
        "none": [],
    }[validation]
    splits = {
        "train": sorted(set(train) - set(chosen)),
        "validation": chosen,
        "test": parts[True],
    }
    return {split: splits[split] for split in SPLITS if splits[split]}


def _row(dialogue: SourceDialogue, utterances: Utterances) -> Row:
    return {
        "dialogue_id": dialogue.dialogue_id,
        "source_dialogue_id": dialogue.dialogue_id,
        "chunk_index": -1,
        "session": session_of(dialogue.dialogue_id),
        "utterances": [
            {**utterances[utterance_id], "turn": turn}
            for turn, utterance_id in enumerate(dialogue.utterance_ids, start=1)
        ],
        "pairs": [],
    }
