"""Trains and evaluates ECERC (ACL 2025, long 102): the emotion of every utterance, from the turns so far.

On ECF with a pretrained encoder, whose frozen features give both text streams:

    accelerate launch trainers/ecerc.py --data_dir path/to/ecf --config_name ecf --modalities t
        --text_encoder path/to/encoder --seed 42 --output_dir runs/ecerc-ecf-42

On MELD with feature stores of the published vectors (scripts/extract_features.py --import-from):

    accelerate launch trainers/ecerc.py --data_dir path/to/meld --config_name meld --modalities tav
        --text_features F --event_features F --audio_features F --video_features F
        --protocol corrected --seed 42 --output_dir runs/ecerc-meld-42

--protocol released does what the authors' release does, defects included, to compare with it. Starting the same command
again continues an interrupted run. Options can also be read from a YAML file, --config run.yaml, or be those of a
published experiment, --experiment NAME.
"""

from __future__ import annotations

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import train_from_command_line


def main() -> None:
    """Trains, then prints the run beside the structural baselines."""
    results = train_from_command_line(__doc__ or "", "ecerc")
    # Imported late, so that --help is quick.
    from iemomecp_dataset.benchmark.results_table import print_results

    print_results(results)


if __name__ == "__main__":
    run_command(main)
