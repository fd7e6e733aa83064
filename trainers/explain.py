"""Trains a language model to explain emotions in conversations, then writes and scores explanations.

    accelerate launch trainers/explain.py --data_dir path/to/ecem --meld_root path/to/meld
        --language_model path/to/model --tuning lora --seed 42 --output_dir runs/explain-42

With --frames it also reads video, with --faces_table or --face_features faces. The epoch is selected by the loss per
token on validation; then the explanations of validation and test are written and scored. With --tuning none nothing is
trained: a language model as it is (--shots N: after N examples), or a finished run (--init_from), writes them. Starting
the same command again continues an interrupted run, half-written explanations included. Options can also be read from
a YAML file, --config run.yaml, or be those of an experiment, --experiment NAME.
"""

from __future__ import annotations

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import train_from_command_line


def main() -> None:
    """Trains, then prints the run beside the structural rows."""
    results = train_from_command_line(__doc__ or "", "explain")
    # Imported late, so that --help is quick.
    from iemomecp_dataset.benchmark.results_table import print_results

    print_results(results)


if __name__ == "__main__":
    run_command(main)
