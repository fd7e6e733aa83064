"""Writes a tiny text encoder with random weights, its tokeniser trained on the train split of a corpus.

For trying everything without a download; not for results.

    python scripts/make_tiny_encoder.py --data-dir local_data/synthetic --output-dir local_data/tiny-encoder
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import active_environment  # noqa: F401

from iemomecp_dataset.command_line import REQUIRED, option, read_options
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.options import DialogueConfig


@dataclass(frozen=True)
class Options:
    """Options of the script."""

    _dashes = True

    data_dir: Path = option(REQUIRED, "folder of the corpus, as for load_dataset")
    output_dir: Path = option(REQUIRED, "folder for the encoder", written=True)
    config_name: DialogueConfig = option("3class", "configuration of the corpus")
    hidden_size: int = option(96, "width", minimum=1, limit=65536)
    num_layers: int = option(2, "depth", minimum=1, limit=1000)
    seed: int = option(0, "seed of the weights", minimum=0, limit=2**32 - 1)


def main() -> None:
    """Writes the encoder."""
    options = read_options(Options, None, command="make_tiny_encoder.py", description=__doc__)

    from iemomecp_dataset.commands.synthetic import write_encoder

    write_encoder(**vars(options))


if __name__ == "__main__":
    run_command(main)
