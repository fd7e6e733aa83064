r"""Writes the input files of a system of others, which is then started unchanged, in a clone of its own.

    python scripts/export_for.py hilo --data-dir path/to/ecf --config-name ecf --output-dir peers/hilo-ecf
    python scripts/export_for.py mecpe --data-dir local_data --config-name 3class --positive emo_cause \
        --audio local_data/features/audio --glove glove.6B.300d.txt --output-dir peers/mecpe-cause
    python scripts/export_for.py semeval --data-dir path/to/ecf --config-name ecf --output-dir official \
        --predictions runs/fusion-42/predictions_test.parquet

hilo, m3hg, mecpe: files for HiLo, M3HG and MECPE-2step. semeval: gold, and predictions, for the official evaluator of
SemEval-2024 Task 3. m3hg-json: the JSON that M3HG, BridgeProt and others read. HOWTO.md in the folder says how to start
the system on the files; manifest.json is what `import-from` needs to make a run of its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.peers import Peer
from iemomecp_dataset.benchmark.peers.exports.emotion_names import HiloEmotions
from iemomecp_dataset.benchmark.peers.exports.texts import Segmenter
from iemomecp_dataset.benchmark.peers.positives import Positive
from iemomecp_dataset.candidates import CandidateSpace
from iemomecp_dataset.command_line import REQUIRED, flags_in_errors, option, read_options
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.options import ForwardPairs, PairConfig, options_taken

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.peers.exports.exporting import ExportResult
    from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
    from iemomecp_dataset.corpus import Corpus

_ARRAYS = ("hilo", "mecpe")


@dataclass(frozen=True)
class ExportForOptions:
    """Options of the command."""

    _dashes = True

    peer: Peer = option(REQUIRED, "the system, or the layout, to export for", positional=True)
    data_dir: Path = option(REQUIRED, "folder of the corpus, as for load_dataset")
    output_dir: Path = option(REQUIRED, "folder to write to; files of the same names are replaced", written=True)
    config_name: PairConfig = option("3class", "configuration of the corpus")
    positive: Positive | None = option(
        None, "the class whose pairs the system learns (default: pair, the only one, unless there are three roles)"
    )
    candidates: CandidateSpace | None = option(
        None, "corpora other than IEMO-MECP: candidates of the run to come, all (default) or past"
    )
    forward_pairs: ForwardPairs | None = option(None, "source_binary: how pairs with a later cause are labelled")
    audio: Path | None = option(
        None, "hilo, mecpe: feature store, or Parquet file with utterance_id and vector (default: a constant column)"
    )
    video: Path | None = option(None, "hilo, mecpe: likewise")
    audio_width: int | None = option(None, "hilo, mecpe: width that the audio vectors must have", minimum=1)
    video_width: int | None = option(None, "hilo, mecpe: likewise", minimum=1)
    max_missing_features: float = option(
        0.01, "hilo, mecpe: share of utterances that may lack a vector (they get zeros)", minimum=0.0, maximum=1.0
    )
    hilo_emotions: HiloEmotions = option(
        "categories", "hilo: emotions as categories, its own default, or two (emo_cat of its configuration)"
    )
    bert: Path | None = option(None, "hilo, m3hg: folder of the encoder, to count what is longer than it reads")
    glove: Path | None = option(
        None, "mecpe: file of word vectors of width 300, such as GloVe's (default: random vectors)"
    )
    seed: int = option(42, "mecpe: seed of the random word vectors", minimum=0, limit=2**32 - 1)
    segmenter: Segmenter | None = option(
        None,
        "mecpe: how texts are split into words (default: none for ecf, jieba or else characters for Chinese, else "
        "punctuation)",
    )
    predictions: tuple[Path, ...] = option(
        (), "semeval: files of predictions to write in its layout, one per split", metavar="FILE"
    )
    gold_emotions: bool = option(False, "semeval: predicted pairs get the gold emotion of their target; stated in them")


_ONLY_FOR = {
    "audio": ("hilo", "mecpe", "m3hg"),  # m3hg has a sentence of its own
    "video": ("hilo", "mecpe", "m3hg"),
    "audio_width": _ARRAYS,
    "video_width": _ARRAYS,
    "max_missing_features": _ARRAYS,
    "hilo_emotions": ("hilo",),
    "bert": ("hilo", "m3hg"),
    "glove": ("mecpe",),
    "seed": ("mecpe",),
    "segmenter": ("mecpe",),
    "predictions": ("semeval",),
    "gold_emotions": ("semeval",),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the files and prints every count and note that the manifest keeps."""
    options = read_options(ExportForOptions, arguments, command="export-for", description=__doc__)
    _check(options)

    from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
    from iemomecp_dataset.corpus import load_corpus

    # What the files have beyond the rows of a table, such as ECF's episodes: where the loader has it, it is exported.
    further: dict[str, Any] = {"annotations": True} if "annotations" in options_taken(options.config_name) else {}
    with flags_in_errors(ExportForOptions):
        corpus = load_corpus(
            options.config_name,
            options.data_dir,
            candidates=options.candidates,
            forward_pairs=options.forward_pairs,
            for_training=False,
            **further,
        )
    _say(options, corpus, export_for(corpus, _request(options)))


def _check(options: ExportForOptions) -> None:
    defaults = ExportForOptions(peer=options.peer, data_dir=options.data_dir, output_dir=options.output_dir)
    for name, peers in _ONLY_FOR.items():
        if options.peer not in peers and getattr(options, name) != getattr(defaults, name):
            raise UsageError(
                f"--{name.replace('_', '-')} is for {' and '.join(peers)}, not for {options.peer}. Leave it out."
            )
    for name in ("audio", "video"):
        if getattr(options, f"{name}_width") is not None and getattr(options, name) is None:
            raise UsageError(f"--{name}-width checks the features of --{name}; give both, or neither.")


def _request(options: ExportForOptions) -> ExportRequest:
    from iemomecp_dataset.benchmark.peers.exports.feature_arrays import ArrayOptions
    from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest

    return ExportRequest(
        peer=options.peer,
        output_dir=options.output_dir,
        positive=options.positive,
        audio=ArrayOptions(options.audio, options.audio_width, options.max_missing_features),
        video=ArrayOptions(options.video, options.video_width, options.max_missing_features),
        hilo_emotions=options.hilo_emotions,
        segmenter=options.segmenter,
        glove=options.glove,
        bert=options.bert,
        seed=options.seed,
        predictions=options.predictions,
        gold_emotions=options.gold_emotions,
    )


def _say(options: ExportForOptions, corpus: Corpus, result: ExportResult) -> None:
    from iemomecp_dataset.benchmark.peers.exports.exporting import terms_of
    from iemomecp_dataset.benchmark.peers.exports.word_pieces import NOT_COUNTED

    manifest = result.manifest
    print(corpus.statement)
    for split, counts in manifest.counts.items():
        print(f"{split}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")
    renamed = {ours: theirs for ours, theirs in manifest.emotions.items() if ours != theirs}
    if renamed:
        print(f"emotions: {', '.join(f'{ours} is {theirs}' for ours, theirs in renamed.items())}")
    for note in manifest.notes:
        print(f"note: {note}")
    if options.peer in _ONLY_FOR["bert"] and options.bert is None:
        print(f"note: {NOT_COUNTED}.")
    print(f"written: {options.output_dir} ({', '.join(result.files)})")
    print(f"HOWTO.md says how to start {options.peer} on these files, and how to import what it leaves.")
    print(terms_of(corpus))
