"""Writes a tiny text encoder with random weights, its tokeniser trained on a corpus' train split.

For trying everything without a download; not for results.

    python scripts/make_tiny_encoder.py --data-dir local_data/synthetic --output-dir local_data/tiny-encoder
"""

from __future__ import annotations

import argparse

from iemomecp_dataset.command_line import run_command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, help="folder of the corpus, as for load_dataset")
    parser.add_argument("--config-name", default="3class", help="configuration of the corpus (default: %(default)s)")
    parser.add_argument("--output-dir", required=True, help="folder for the encoder")
    parser.add_argument("--hidden-size", type=int, default=96, help="width (default: %(default)s)")
    parser.add_argument("--num-layers", type=int, default=2, help="depth (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights (default: %(default)s)")
    arguments = parser.parse_args()

    import iemomecp_dataset
    from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder

    rows = iemomecp_dataset.load(arguments.config_name, data_dir=arguments.data_dir, split="train")
    texts = [utterance["text"] for row in rows for utterance in row["utterances"]]
    folder = write_tiny_encoder(
        texts,
        arguments.output_dir,
        hidden_size=arguments.hidden_size,
        num_layers=arguments.num_layers,
        seed=arguments.seed,
    )
    print(f"A tiny encoder with random weights is in {folder}.")


if __name__ == "__main__":
    run_command(main)
