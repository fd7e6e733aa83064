"""Writes a synthetic corpus in the genuine layouts of IEMOCAP, ECPEC and the IEMO-MECP labels.

    python scripts/make_synthetic.py --output-dir synthetic_data
    python scripts/make_synthetic.py --output-dir synthetic_full --scale full --media

Then: ``load_dataset("iemomecp", data_dir="synthetic_data")`` after ``import iemomecp_dataset``.
"""

from __future__ import annotations

import argparse

from iemomecp_dataset.command_line import run_command


def main() -> None:
    """Parses the command line, writes the corpus, prints what was written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", required=True, help="folder to write to; new or empty")
    parser.add_argument(
        "--scale",
        default="demo",
        help="demo (default): 95 chunks, trains in about a minute; full: exactly the published counts of IEMO-MECP",
    )
    parser.add_argument(
        "--media",
        action="store_true",
        help="also write an .avi per dialogue, both actors side by side (needs the extra 'media')",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace a synthetic corpus that is already there")
    options = parser.parse_args()

    from iemomecp_dataset.synthetic import write_corpus

    corpus = write_corpus(
        options.output_dir,
        scale=options.scale,
        seed=options.seed,
        media=options.media,
        overwrite=options.overwrite,
    )
    print(f"SYNTHETIC corpus ({corpus.scale}, seed {corpus.seed}) written to {corpus.data_dir}")
    header = ("split", "dialogues", "chunks", "utterances", "pairs", "emo_cause", "emo_context", "non_pair")
    print("".join(f"{name:>12}" for name in header))
    for split, counts in corpus.splits.items():
        numbers = (counts.dialogues, counts.chunks, counts.utterances, counts.pairs)
        numbers += (counts.causes, counts.contexts, counts.non_pairs)
        print(f"{split:>12}" + "".join(f"{number:>12}" for number in numbers))


if __name__ == "__main__":
    run_command(main)
