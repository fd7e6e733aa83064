"""Trains and evaluates the published WavLM baseline: pairs alone, from audio (arXiv 2605.25208).

Features of target and candidate from WavLM Base+ are compared. Protocol and defaults are the
published ones, and every option can be changed. Its seeds are 42, 123 and 456.

    accelerate launch trainers/wavlm.py --data_dir local_data --config_name 3class
        --audio_features local_data/features/audio.parquet --seed 42 --output_dir runs/wavlm-42

Starting the same command again continues an interrupted run. Options can also be read from a YAML file,
--config run.yaml, or be those of a published experiment, --experiment NAME.
"""

from __future__ import annotations

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import train_from_command_line


def main() -> None:
    """Trains, then prints the run beside the structural baselines."""
    results = train_from_command_line(__doc__ or "", "wavlm")
    # Imported late, so that --help is quick.
    from iemomecp_dataset.benchmark.results_table import print_results

    print_results(results)


if __name__ == "__main__":
    run_command(main)
