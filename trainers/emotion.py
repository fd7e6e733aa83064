"""Trains and evaluates the emotion transformer, this package's baseline of emotion recognition in conversations.

    accelerate launch trainers/emotion.py --data_dir path/to/ecf --config_name ecf --modalities t
        --text_encoder path/to/encoder --seed 42 --output_dir runs/emotion-ecf-42

It is the dialogue transformer of the pair scorer with an emotion head, on frozen text features or with
--encoder_mode trained. Starting the same command again continues an interrupted run. Options can also be read from a
YAML file, --config run.yaml, or be those of a published experiment, --experiment NAME.
"""

from __future__ import annotations

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import train_from_command_line


def main() -> None:
    """Trains, then prints the run beside the structural baselines."""
    results = train_from_command_line(__doc__ or "", "emotion")
    # Imported late, so that --help is quick.
    from iemomecp_dataset.benchmark.results_table import print_results

    print_results(results)


if __name__ == "__main__":
    run_command(main)
