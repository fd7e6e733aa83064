"""The two feature arrays that HiLo and MECPE-2step read under the same names, and what is said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.peers.exports.feature_arrays import CONSTANT, WrittenArray, write_feature_array
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest

__all__ = ["SharedArrays", "in_order_of_ids", "write_arrays"]

_NAMES = {"audio": "audio_embedding_6373.npy", "video": "video_embedding_4096.npy"}


@dataclass(frozen=True)
class SharedArrays:
    """Both arrays, the names of all files of features, what the manifest records, and what a row must state."""

    audio: WrittenArray
    video: WrittenArray
    files: Sequence[str]
    options: Mapping[str, Any]
    notes: Sequence[str]


def in_order_of_ids(dialogues: Mapping[str, Sequence[PeerDialogue]]) -> list[PeerDialogue]:
    """Lists the dialogues of all splits in the order of their numbers, as ``all_data_pair.txt`` of ECF has them.

    Dialogues that were numbered by the export are one split after the other.
    """
    return sorted((dialogue for of_split in dialogues.values() for dialogue in of_split), key=lambda d: int(d.peer_id))


def write_arrays(
    folder: Path,
    dialogues: Mapping[str, Sequence[PeerDialogue]],
    ordered: Iterable[PeerDialogue],
    request: ExportRequest,
    counts: Mapping[str, Counter[str]],
) -> SharedArrays:
    """Writes both arrays.

    Args:
        folder: Folder of the files.
        dialogues: The dialogues by split.
        ordered: All dialogues in the order of the mapping.
        request: Where the features are from.
        counts: Receives the utterances without a vector, by split.

    Returns:
        What was written.
    """
    ordered = list(ordered)
    given = {"audio": request.audio, "video": request.video}
    written = {
        name: write_feature_array(folder / _NAMES[name], dialogues, ordered, options) for name, options in given.items()
    }
    notes = []
    for name, array in written.items():
        for split, missing in array.missing.items():
            counts[split][f"utterances without a vector of {name} (zeros)"] += missing
        if array.digest is None:
            notes.append(
                f"There are no {name} features: one column of the constant {CONSTANT:g} stands in their place."
            )
    modalities = "t" + "".join(name[0] for name, array in written.items() if array.digest is not None)
    return SharedArrays(
        audio=written["audio"],
        video=written["video"],
        files=[*_NAMES.values(), "video_id_mapping.npy"],
        options={
            "modalities": modalities,
            "features": {
                name: {"width": array.width, "digest": array.digest, "missing": sum(array.missing.values())}
                for name, array in written.items()
            },
        },
        notes=notes,
    )
