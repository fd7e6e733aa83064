"""Exports the input files of MECPE-2step (NUSTM/MECPE): ``data`` of a clone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from iemomecp_dataset.benchmark.peers.exports.ecf_layout import count_times, ecf_text
from iemomecp_dataset.benchmark.peers.exports.feature_arrays import write_mapping
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue, integer_ids, peer_dialogues
from iemomecp_dataset.benchmark.peers.exports.request import Exported, ExportRequest
from iemomecp_dataset.benchmark.peers.exports.shared_arrays import in_order_of_ids, write_arrays
from iemomecp_dataset.benchmark.peers.exports.texts import in_words, segmenter_of
from iemomecp_dataset.benchmark.peers.exports.word_vectors import write_word_vectors
from iemomecp_dataset.benchmark.peers.positives import Positive
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.files import write_text

__all__ = ["LONGEST_DIALOGUE", "export_mecpe"]

LONGEST_DIALOGUE = 35
"""Utterances that MECPE's second step has room for."""

_LONGEST_UTTERANCE = 35
_FOLDER = "data"
_FILES = {"train": "train.txt", "validation": "dev.txt", "test": "test.txt"}
_ALL = "all_data_pair.txt"
_VECTORS = "ECF_glove_300.txt"


def export_mecpe(corpus: Corpus, request: ExportRequest, positive: Positive, emotions: Mapping[str, str]) -> Exported:
    """Writes the three splits, all of them in one file, word vectors, two arrays and the mapping.

    Args:
        corpus: The corpus.
        request: What to export.
        positive: The class whose pairs are exported.
        emotions: The peer's name of every emotion.

    Returns:
        What was written.

    Raises:
        InvalidDataError: A dialogue is too long, or an emotion, vectors of features or of words are missing.
    """
    segmenter = segmenter_of(corpus.config_name, request.segmenter)
    dialogues, counts = peer_dialogues(
        corpus,
        peer="MECPE",
        positive=positive,
        emotions=emotions,
        ids=integer_ids(corpus),
        words=lambda text, counted: in_words(text, segmenter, counted),
    )
    _check_lengths(dialogues)
    words = _vocabulary(dialogues, counts)
    folder = request.output_dir / _FOLDER
    ordered = in_order_of_ids(dialogues)
    vectors = write_word_vectors(folder / _VECTORS, words, source=request.glove, seed=request.seed)
    for split, of_split in dialogues.items():
        count_times(of_split, counts[split])
        write_text(folder / _FILES[split], ecf_text(of_split))
    write_text(folder / _ALL, ecf_text(ordered))
    arrays = write_arrays(folder, dialogues, ordered, request, counts)
    write_mapping(
        folder / "video_id_mapping.npy", (utterance.key for dialogue in ordered for utterance in dialogue.utterances)
    )
    flags = {"audio": "--use_x_a yes", "video": "--use_x_v yes"}
    used = [flags[name] for name in flags if arrays.options["features"][name]["digest"] is not None]
    scope = "_".join(["BiLSTM", *(letter for letter in "AV" if letter.lower() in arrays.options["modalities"])])
    return Exported(
        dialogues=dialogues,
        counts=counts,
        files=[f"{_FOLDER}/{name}" for name in (*(_FILES[s] for s in dialogues), _ALL, _VECTORS, *arrays.files)],
        not_written=[f"{_FOLDER}/{name}" for split, name in _FILES.items() if split not in dialogues],
        options={
            "segmenter": segmenter,
            "words": len(words),
            "words_with_a_vector": vectors.found,
            "word_vectors": "random" if request.glove is None else request.glove.name,
            "seed": request.seed if request.glove is None else None,
            **arrays.options,
        },
        notes=[vectors.note, *arrays.notes],
        howto={
            "audio_dim": str(arrays.audio.width),
            "video_dim": str(arrays.video.width),
            "flags": "".join(f"{flag} " for flag in used),
            "scope": scope,
            "word_vectors": vectors.note,
            "longest": str(max(len(dialogue.utterances) for dialogue in ordered)),
        },
    )


def _check_lengths(dialogues: Mapping[str, Iterable[PeerDialogue]]) -> None:
    too_long = [
        (split, dialogue)
        for split, of_split in dialogues.items()
        for dialogue in of_split
        if len(dialogue.utterances) > LONGEST_DIALOGUE
    ]
    if too_long:
        split, first = too_long[0]
        others = f"; {len(too_long) - 1} more are too long" if len(too_long) > 1 else ""
        raise InvalidDataError(
            f"{split}, dialogue {first.dialogue_id!r}: it has {len(first.utterances)} utterances, and MECPE has room "
            f"for {LONGEST_DIALOGUE}{others}. Export a corpus of shorter dialogues; nothing is cut, since "
            "a cut dialogue has other candidates."
        )


def _vocabulary(dialogues: Mapping[str, Sequence[PeerDialogue]], counts: Mapping[str, Counter[str]]) -> set[str]:
    words: set[str] = set()
    for split, of_split in dialogues.items():
        for dialogue in of_split:
            for utterance in dialogue.utterances:
                own = utterance.text.split()
                words.update(own)
                counts[split][f"utterances of more than {_LONGEST_UTTERANCE} words"] += len(own) > _LONGEST_UTTERANCE
    return words
