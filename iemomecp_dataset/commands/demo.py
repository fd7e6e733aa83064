"""The whole package in minutes, on a synthetic corpus: generate, load, train, score, compare, report.

    python scripts/demo.py --output-dir demo_output

No licence, no download, no GPU. The numbers show that the software works; they say nothing about real dialogues.
Starting it again continues what was interrupted and repeats nothing that is finished.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iemomecp_dataset.command_line import command_hint, option, read_options
from iemomecp_dataset.errors import TrainingError, is_checkout, require_packages

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
    "epochs": "16",
    "patience": "5",
    "batch_size": "4",
    "seed": "42",
}
EMOTION_SETTINGS = {
    "config_name": "3class",
    "modalities": "tav",
    "learning_rate": "2e-3",
    "hidden_size": "48",
    "dropout_evidence": "0.1",
    "dropout_features": "0.2",
    "epochs": "10",
    "batch_size": "8",
    "seed": "42",
}


@dataclass(frozen=True)
class DemoOptions:
    """Options of the command."""

    _dashes = True

    output_dir: Path = option(Path("demo_output"), "folder for all output")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs every step that is not done yet."""
    output = read_options(DemoOptions, arguments, command="demo", description=__doc__).output_dir
    started = time.monotonic()
    require_packages("torch", "transformers", "accelerate", "jinja2", "matplotlib", extra="train")
    # Everything is local; without HF_HUB_OFFLINE, libraries would look for updates on the network first. Models as
    # small as these lose more by coordinating threads than they gain.
    os.environ.update({"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
    from iemomecp_dataset.commands import report, synthetic

    data, encoder, runs, page = output / "data", output / "encoder", output / "runs", output / "report.html"
    _say(1, f"a synthetic corpus in the layouts of IEMOCAP, ECPEC and the labels: {data}")
    if not (data / "SYNTHETIC.txt").is_file():
        synthetic.main(["--output-dir", str(data)])
    _say(2, f'load_dataset("iemomecp", data_dir="{data}")')
    _show_dataset(data)
    _say(3, f"a tiny text encoder with random weights: {encoder}")
    if not (encoder / "config.json").is_file():
        synthetic.write_encoder(data, encoder)
    for objective, modalities in RUNS:
        _say(4, command_hint("train fusion", f"--objective {objective} --modalities {modalities} …"))
        options = {
            "data_dir": data,
            "text_encoder": encoder,
            "objective": objective,
            "modalities": modalities,
            "output_dir": runs / f"{objective}-{modalities}",
            **SETTINGS,
        }
        _train("fusion", options)
    _say(5, command_hint("train ecerc", "--modalities tav …"))
    folder = runs / "ecerc-tav"
    _train("ecerc", {"data_dir": data, "text_encoder": encoder, "output_dir": folder, **EMOTION_SETTINGS})
    _say(6, "structural baselines and runs side by side, pairs and emotions apart, on the SYNTHETIC test split")
    report.main([str(runs), "--output", str(page)])
    print(f"\nDone in {time.monotonic() - started:.0f} s. Open the report: {page.resolve()}\n")
    print("\n".join(_next_steps(data, encoder, runs)))


def _train(trainer: str, options: Mapping[str, object]) -> None:
    from iemomecp_dataset.commands import train

    launcher = ["--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    code = train.main([*launcher, trainer, *(f"--{name}={value}" for name, value in options.items())])
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise TrainingError(f"The step above failed (exit code {code}). Start the demo again to continue it.")


def _say(step: int, what: str) -> None:
    print(f"\n[{step}/6] {what}", flush=True)


def _next_steps(data: Path, encoder: Path, runs: Path) -> list[str]:
    """Commands to go on with, as they can be started in this installation."""
    test = "predictions_test.parquet"
    steps = [
        command_hint("stats", f"3class --data-dir {data}"),
        command_hint("evaluate", f"{runs / 'rpcl-tav' / test} --compare {runs / 'base-tav' / test}"),
        command_hint("train fusion", f"--data_dir {data} --text_encoder {encoder} --output_dir {runs / 'mine'}"),
        command_hint("fetch", "--label-dir local_data/labels"),
    ]
    environment = Path(sys.prefix)
    if is_checkout() and sys.prefix != sys.base_prefix and os.environ.get("VIRTUAL_ENV") != sys.prefix:
        place = environment.relative_to(Path.cwd()) if environment.is_relative_to(Path.cwd()) else environment
        steps.insert(0, f"source {place}/bin/activate          (first, in every new shell)")
    return ["What to do next:", *(f"  {step}" for step in steps)]


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
