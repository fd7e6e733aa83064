"""What an export is asked for, and what each peer's export hands back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.peers.exports.emotion_names import HiloEmotions
from iemomecp_dataset.benchmark.peers.exports.feature_arrays import ArrayOptions
from iemomecp_dataset.benchmark.peers.exports.peer_dialogues import PeerDialogue
from iemomecp_dataset.benchmark.peers.exports.texts import Segmenter
from iemomecp_dataset.benchmark.peers.positives import Positive

__all__ = ["ExportRequest", "Exported"]


@dataclass(frozen=True)
class ExportRequest:
    """What to export.

    Attributes:
        peer: One of :data:`~iemomecp_dataset.benchmark.peers.PEERS`.
        output_dir: Folder of the export.
        positive: The class that the peer learns; None for the only one there is.
        audio: HiLo, MECPE: where the audio array is from.
        video: HiLo, MECPE: where the video array is from.
        hilo_emotions: HiLo: ``categories``, its default, or ``binary``.
        segmenter: MECPE: how texts are split into words; None: as the corpus needs.
        glove: MECPE: file of word vectors, one word and 300 numbers per line; None for random vectors.
        bert: HiLo, M3HG: folder of the encoder, whose tokenizer counts word pieces; None: they are not counted.
        seed: MECPE: seed of the random word vectors.
        predictions: SemEval: files of predictions to write in its layout, at most one per split.
        gold_emotions: SemEval: predicted pairs get the gold emotion of their target.
    """

    peer: str
    output_dir: Path
    positive: Positive | None = None
    audio: ArrayOptions = field(default_factory=ArrayOptions)
    video: ArrayOptions = field(default_factory=ArrayOptions)
    hilo_emotions: HiloEmotions = "categories"
    segmenter: Segmenter | None = None
    glove: Path | None = None
    bert: Path | None = None
    seed: int = 42
    predictions: tuple[Path, ...] = ()
    gold_emotions: bool = False


@dataclass(frozen=True)
class Exported:
    """What the export for a peer has written.

    Attributes:
        dialogues: By split, in the order of the peer's file.
        counts: By split how many there are of each kind of rewriting.
        files: The files, relative to the folder.
        not_written: Files that an export of other data has and this one has not, relative to the folder.
        options: The choices of this peer, for the manifest.
        notes: What a row must state, one sentence each.
        howto: Values of the placeholders of the peer's template.
    """

    dialogues: Mapping[str, Sequence[PeerDialogue]]
    counts: Mapping[str, Counter[str]]
    files: Sequence[str]
    not_written: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
    howto: Mapping[str, str] = field(default_factory=dict)
