"""The whole package in minutes, on a synthetic corpus: generate, load, train, score, compare, report.

    python scripts/demo.py --output-dir demo_output

No licence, no download, no GPU. The numbers say that the software works; they say nothing about real dialogues.
Starting it again continues what was interrupted and repeats nothing that is finished.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from iemomecp_dataset.command_line import run_command
from iemomecp_dataset.errors import TrainingError

SCRIPTS = Path(__file__).parent
TRAINERS = SCRIPTS.parent / "trainers"
RUNS = (("base", "t"), ("rpcl", "t"), ("base", "tav"), ("rpcl", "tav"))
# A random tiny encoder is trained from scratch here, so it learns at the scorer's rate.
SETTINGS = {
    "config_name": "3class",
    "encoder_learning_rate": "1e-3",
    "learning_rate": "1e-3",
    "hidden_size": "96",
    "pair_size": "96",
    "bilinear_size": "64",
    "dropout": "0.1",
    "class_weighting": "none",
    "epochs": "30",
    "patience": "8",
    "batch_size": "4",
    "seed": "42",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", default="demo_output", help="folder for everything (default: %(default)s)")
    output = Path(parser.parse_args().output_dir)
    started = time.monotonic()

    data, encoder, runs, report = output / "data", output / "encoder", output / "runs", output / "report.html"
    _say(1, f"a synthetic corpus in the layouts of IEMOCAP, ECPEC and the labels: {data}")
    if not (data / "SYNTHETIC.txt").is_file():
        _run(SCRIPTS / "make_synthetic.py", "--output-dir", data)
    _say(2, f'load_dataset("iemomecp", data_dir="{data}")')
    _show_dataset(data)
    _say(3, f"a tiny text encoder with random weights: {encoder}")
    if not (encoder / "config.json").is_file():
        _run(SCRIPTS / "make_tiny_encoder.py", "--data-dir", data, "--output-dir", encoder)
    for objective, modalities in RUNS:
        _say(4, f"accelerate launch trainers/fusion.py --objective {objective} --modalities {modalities} …")
        options = {
            "data_dir": data,
            "text_encoder": encoder,
            "objective": objective,
            "modalities": modalities,
            "output_dir": runs / f"{objective}-{modalities}",
            **SETTINGS,
        }
        flags = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        _run("-m", "accelerate.commands.launch", "--num_processes", 1, "--num_machines", 1, "--mixed_precision", "no",
             "--dynamo_backend", "no", TRAINERS / "fusion.py", *flags)  # fmt: skip
    _say(5, "structural baselines and runs side by side, on the SYNTHETIC test split")
    _run(SCRIPTS / "report.py", runs, "--output", report)
    _show_table(runs)
    print(f"\nDone in {time.monotonic() - started:.0f} s. Open the report: {report.resolve()}")


def _say(step: int, what: str) -> None:
    print(f"\n[{step}/5] {what}", flush=True)


def _run(*command: object) -> None:
    # Everything is local; without HF_HUB_OFFLINE, libraries would look for updates on the network first. Models as
    # small as these lose more by coordinating threads than they gain.
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([sys.executable, *map(str, command)], env=environment, check=False)
    if done.returncode:
        raise TrainingError(
            f"The step above failed (exit code {done.returncode}). Start the demo again to continue it."
        )


def _show_dataset(data: Path) -> None:
    from datasets import load_dataset

    import iemomecp_dataset  # noqa: F401 - registers the name

    dataset = load_dataset("iemomecp", data_dir=str(data))
    print(dataset)
    row = dataset["train"][0]
    roles = dataset["train"].features["pairs"].feature["label"]
    first = next(pair for pair in row["pairs"] if pair["label"] == 0 and pair["target_turn"] != pair["cause_turn"])
    for what in ("target", "cause"):
        utterance = row["utterances"][first[f"{what}_turn"] - 1]
        print(f"  {what:>6}, turn {utterance['turn']}, {utterance['speaker']}: {utterance['text']}")
    print(f"   label: {roles.int2str(first['label'])}")


def _show_table(runs: Path) -> None:
    from iemomecp_dataset.benchmark.results_table import results_table
    from iemomecp_dataset.benchmark.runs.index import index_runs

    print(results_table(index_runs(runs).runs))


if __name__ == "__main__":
    run_command(main)
