"""Trains and evaluates one emotion-cause pair scorer on text, audio and video features, in any combination.

On the synthetic corpus (no licence, no download):

    python scripts/make_synthetic.py --output-dir local_data/synthetic --encoder-dir local_data/tiny-encoder
    accelerate launch trainers/fusion.py --data_dir local_data/synthetic --config_name 3class --modalities tav
        --text_encoder local_data/tiny-encoder --objective rpcl --seed 42 --output_dir runs/rpcl-tav-42

On ECF with a pretrained encoder whose features are computed once:

    accelerate launch trainers/fusion.py --data_dir path/to/ecf --config_name ecf --modalities t
        --text_encoder path/to/encoder --encoder_mode frozen --objective base --seed 42 --output_dir runs/ecf-base-42

Starting the same command again continues an interrupted run. Options can also be read from a YAML file,
--config run.yaml, or be those of a published experiment, --experiment NAME.
"""

from __future__ import annotations

from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.trainers.cli import train_from_command_line


def main() -> None:
    """Trains, then prints the run beside the structural baselines."""
    results = train_from_command_line(__doc__ or "")
    # Imported late, so that --help is quick.
    from iemomecp_dataset.benchmark.results_table import print_results

    print_results(results)


if __name__ == "__main__":
    run_command(main)
