"""Writes a synthetic corpus in the genuine layouts of IEMOCAP, ECPEC and the IEMO-MECP labels, of MELD, or of ECEM.

    python scripts/make_synthetic.py --output-dir synthetic_data
    python scripts/make_synthetic.py --output-dir synthetic_full --scale full --media
    python scripts/make_synthetic.py --output-dir synthetic_data --encoder-dir tiny_encoder
    python scripts/make_synthetic.py --output-dir synthetic_meld --corpus meld --features
    python scripts/make_synthetic.py --output-dir synthetic_ecem --corpus ecem --language-model-dir tiny_language_model

Then: ``load_dataset("iemomecp", data_dir="synthetic_data")`` after ``import iemomecp_dataset``. With --encoder-dir, a
tiny text encoder with random weights is written, too, and with --language-model-dir a tiny language model: for trying
the trainers without a download, not for results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iemomecp_dataset.command_line import REQUIRED, option, read_options
from iemomecp_dataset.options import ScaleName


@dataclass(frozen=True)
class SyntheticOptions:
    """Options of the command."""

    _dashes = True

    output_dir: Path = option(REQUIRED, "folder to write to; new or empty", written=True)
    corpus: Literal["iemomecp", "meld", "ecem"] = option(
        "iemomecp", "which corpus; meld has emotions and no causes, ecem explanations"
    )
    scale: ScaleName = option("demo", "demo: 95 chunks, trains in a minute; full: the published counts of IEMO-MECP")
    features: bool = option(
        False, "also write vectors of every modality, and the same in the pickles that the ECERC authors released"
    )
    media: bool = option(
        False,
        "also write clips: an .avi per dialogue, or of ecem an .mp4 per utterance (needs the extra 'media')",
    )
    encoder_dir: Path | None = option(
        None,
        "also write a tiny text encoder here, its tokenizer trained on the train split (needs the extra 'train')",
        written=True,
    )
    language_model_dir: Path | None = option(
        None,
        "ecem: also write a tiny language model here, its tokenizer likewise (needs the extra 'train')",
        written=True,
    )
    seed: int = option(0, "random seed: the same seed gives the same bytes", minimum=0, limit=2**32 - 1)
    overwrite: bool = option(False, "replace a synthetic corpus that is already there")


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the corpus and prints its counts."""
    options = read_options(SyntheticOptions, arguments, command="synthetic", description=__doc__)

    from iemomecp_dataset.errors import UsageError
    from iemomecp_dataset.synthetic import MELD_SCALES, write_corpus, write_ecem, write_meld

    if options.language_model_dir is not None and options.corpus != "ecem":
        raise UsageError(
            f"--language-model-dir is for explanations, which the synthetic corpus {options.corpus} does not have. Use "
            "--corpus ecem, or leave it out."
        )
    if options.corpus == "ecem":
        if options.features:
            raise UsageError("The synthetic ECEM has no features; leave out --features.")
        folder = write_ecem(
            options.output_dir,
            scale=options.scale,
            seed=options.seed,
            media=options.media,
            overwrite=options.overwrite,
        )
        print(f"SYNTHETIC ECEM ({options.scale}, seed {options.seed}) written to {folder}")
        print(f"Gold causes attach with ecf_root={folder / 'ECF'}.")
        if options.encoder_dir is not None:
            write_encoder(folder, options.encoder_dir, config_name="ecem")
        if options.language_model_dir is not None:
            write_language_model(folder, options.language_model_dir, config_name="ecem")
        return
    if options.corpus == "meld":
        if options.media:
            raise UsageError("The synthetic MELD has no videos; leave out --media.")
        meld_sizes = MELD_SCALES[options.scale]
        folder = write_meld(options.output_dir, options.seed, meld_sizes, options.features, options.overwrite)
        print(f"SYNTHETIC MELD ({options.scale}, seed {options.seed}) written to {folder}")
        print("".join(f"{split:>12}{count:>6} dialogues\n" for split, count in meld_sizes.items()), end="")
        if options.encoder_dir is not None:
            write_encoder(folder, options.encoder_dir, config_name="meld")
        return
    corpus = write_corpus(
        options.output_dir,
        scale=options.scale,
        seed=options.seed,
        media=options.media,
        overwrite=options.overwrite,
        features=options.features,
    )
    print(f"SYNTHETIC corpus ({corpus.scale}, seed {corpus.seed}) written to {corpus.data_dir}")
    header = ("split", "dialogues", "chunks", "utterances", "pairs", "emo_cause", "emo_context", "non_pair")
    print("".join(f"{name:>12}" for name in header))
    for split, counts in corpus.splits.items():
        sizes = (counts.dialogues, counts.chunks, counts.utterances, counts.pairs)
        roles = (counts.causes, counts.contexts, counts.non_pairs)
        print(f"{split:>12}" + "".join(f"{number:>12}" for number in (*sizes, *roles)))
    if options.encoder_dir is not None:
        write_encoder(corpus.data_dir, options.encoder_dir)


def write_encoder(data_dir: Path, output_dir: Path, *, config_name: str = "3class", **settings: Any) -> None:
    """Writes a tiny text encoder with random weights, its tokenizer trained on a corpus's train split.

    Args:
        data_dir: Folder of the corpus.
        output_dir: Folder for the encoder.
        config_name: Configuration of the corpus.
        settings: Sizes and seed, as :func:`~iemomecp_dataset.trainers.encoders.tiny.write_tiny_encoder` takes them.

    Raises:
        MissingDependencyError: The extra ``train`` is not installed.
    """
    from iemomecp_dataset.builder import load
    from iemomecp_dataset.errors import missing_extra
    from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder

    rows: Any = load(config_name, data_dir=data_dir, split="train")
    texts = [utterance["text"] for row in rows for utterance in row["utterances"]]
    try:
        folder = write_tiny_encoder(texts, output_dir, **settings)
    except ImportError as error:
        raise missing_extra(error.name or "torch", "train") from error
    print(f"A tiny encoder with random weights is in {folder}.")


def write_language_model(data_dir: Path, output_dir: Path, *, config_name: str = "ecem", **settings: Any) -> None:
    """Writes a tiny language model with random weights, its tokenizer trained on a corpus's train split.

    Args:
        data_dir: Folder of the corpus.
        output_dir: Folder for the language model.
        config_name: Configuration of the corpus, one with explanations.
        settings: Sizes and seed, as :func:`~iemomecp_dataset.trainers.explanation.tiny.write_tiny_language_model` takes
            them.

    Raises:
        MissingDependencyError: The extra ``train`` is not installed.
    """
    from iemomecp_dataset.builder import load
    from iemomecp_dataset.errors import missing_extra
    from iemomecp_dataset.explanation_table import explanation_table
    from iemomecp_dataset.trainers.explanation.tiny import write_tiny_language_model

    rows: Any = load(config_name, data_dir=data_dir, split="train")
    texts = [utterance["text"] for row in rows for utterance in row["utterances"]]
    try:
        folder = write_tiny_language_model([*texts, *explanation_table(rows).references], output_dir, **settings)
    except ImportError as error:
        raise missing_extra(error.name or "torch", "train") from error
    print(f"A tiny language model with random weights is in {folder}.")
