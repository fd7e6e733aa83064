"""Exports the input files of M3HG (redifinition/M3HG), for its name of data ``MECAD``: what a clone is given."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import PurePosixPath

from iemomecp_dataset.benchmark.peers.exports.feature_arrays import write_mapping
from iemomecp_dataset.benchmark.peers.exports.m3hg_json import SPLIT_FILES, count_clips, turn_lists
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import peer_dialogues, speakers
from iemomecp_dataset.benchmark.peers.exports.request import Exported, ExportRequest
from iemomecp_dataset.benchmark.peers.exports.word_pieces import NOT_COUNTED, count_word_pieces
from iemomecp_dataset.benchmark.peers.positives import Positive
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import write_bytes, write_json, write_text

__all__ = ["ID_PREFIX", "WINDOW", "export_m3hg"]

ID_PREFIX = "dialogue_"
"""Before every id, since M3HG fails on a dialogue that is called ``10``."""

WINDOW = 12
"""Largest distance of a pair that M3HG scores, as it is set (``rel_pos_k``)."""

_DATA = "data/MECAD"
_MAPPING = "data/ECF/video_id_mapping.npy"
_PICKLES = ("audio_features.pkl", "visual_features.pkl")
_STAND_IN = "beside_the_code/torchaudio.py"


def export_m3hg(corpus: Corpus, request: ExportRequest, positive: Positive, emotions: Mapping[str, str]) -> Exported:
    """Writes one JSON file per split and what a start on text alone needs beside them.

    Args:
        corpus: The corpus.
        request: What to export.
        positive: The class whose pairs are exported.
        emotions: The peer's name of every emotion.

    Returns:
        What was written.

    Raises:
        UsageError: Features are given, which never reach M3HG's model.
        InvalidDataError: An utterance has no emotion that is known.
    """
    given = [
        flag for flag, array in (("--audio", request.audio), ("--video", request.video)) if array.store is not None
    ]
    if given:
        raise UsageError(
            f"{' and '.join(given)}: audio and video never reach the model of M3HG's repository, which reads text "
            "alone. Leave them out."
        )
    ids = {split: [f"{ID_PREFIX}{row['dialogue_id']}" for row in rows] for split, rows in corpus.rows.items()}
    dialogues, counts = peer_dialogues(corpus, peer="M3HG", positive=positive, emotions=emotions, ids=ids)
    if request.bert is not None:
        count_word_pieces(request.bert, dialogues, counts)
    folder = request.output_dir
    for split, of_split in dialogues.items():
        count_clips(of_split, counts[split])
        write_json(folder / _DATA / SPLIT_FILES[split], turn_lists(of_split), indent=4)
        counts[split][f"positive pairs more than {WINDOW} turns apart"] += sum(
            abs(target - cause) > WINDOW for dialogue in of_split for target, cause in dialogue.pairs
        )
    flat = [dialogue for of_split in dialogues.values() for dialogue in of_split]
    clips = (utterance.video for dialogue in flat for utterance in dialogue.utterances)
    write_mapping(folder / _MAPPING, (PurePosixPath(clip).stem for clip in clips))
    for name in _PICKLES:
        write_bytes(folder / name, pickle.dumps({}, protocol=2))
    write_text(folder / _STAND_IN, '"""Empty: M3HG imports torchaudio and does not use it on this path."""\n')
    n_speakers = len(speakers(flat))
    return Exported(
        dialogues=dialogues,
        counts=counts,
        files=[*(f"{_DATA}/{SPLIT_FILES[split]}" for split in dialogues), _MAPPING, *_PICKLES, _STAND_IN],
        not_written=[f"{_DATA}/{name}" for split, name in SPLIT_FILES.items() if split not in dialogues],
        options={"modalities": "t", "speakers": n_speakers},
        notes=["M3HG learns from text alone: audio and video never reach the model of its repository."],
        howto={
            "speakers": str(n_speakers),
            "window": str(WINDOW),
            "word_pieces": f"({NOT_COUNTED})" if request.bert is None else "(they are counted in the table above)",
            "folder": str(folder.resolve()),
        },
    )
