"""The whole package in minutes, on a synthetic corpus: generate, load, train, score, compare, report.

    python scripts/demo.py --output-dir demo_output
    python scripts/demo.py --task explanation --output-dir demo_explanations

With --task explanation: dialogues with clips, a tiny language model that explains emotions from the text alone, and
one that also has frame tokens of a tiny vision tower, through a projector.

No licence, no download, no GPU. The numbers show that the software works; they say nothing about real dialogues.
Starting it again continues what was interrupted and repeats nothing that is finished.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from iemomecp_dataset.command_line import command_hint, option, read_options
from iemomecp_dataset.errors import TrainingError, require_packages
from iemomecp_dataset.files import write_text
from iemomecp_dataset.installation import is_checkout
from iemomecp_dataset.pictures.words import SYNTHETIC

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
EXPLANATION_DIALOGUES = {"train": 80, "validation": 4, "test": 20}
# A language model of random weights is trained whole; adapters would have nothing to adapt.
EXPLANATION_SETTINGS = {
    "config_name": "ecem",
    "tuning": "full",
    "context_turns": "3",
    "learning_rate": "3e-3",
    "epochs": "14",
    "batch_size": "8",
    "eval_batch_size": "32",
    "max_new_tokens": "28",
    "generation_batch_size": "64",
    "seed": "42",
}
FRAME_SETTINGS = {
    "config_name": "ecem",
    "modality": "frames",
    "max_frames": "4",
    "num_workers": "1",
    "device": "cpu",
}
EXPLANATION_MODEL: dict[str, Any] = {"hidden_size": 64, "num_layers": 2, "vocab_size": 600}


@dataclass(frozen=True)
class DemoOptions:
    """Options of the command."""

    _dashes = True

    task: Literal["pairs", "explanation"] = option("pairs", "pairs and emotions, or written explanations")
    output_dir: Path = option(Path("demo_output"), "folder for all output")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs every step that is not done yet."""
    options = read_options(DemoOptions, arguments, command="demo", description=__doc__)
    of_explanations = options.task == "explanation"
    require_packages("torch", "transformers", "accelerate", "jinja2", "matplotlib", extra="train")
    if of_explanations:
        require_packages("av", "PIL", extra="media")
        require_packages("nltk", "sacrebleu", "rouge_score", extra="explain")
    # Everything is local; without HF_HUB_OFFLINE, libraries would look for updates on the network first. Models as
    # small as these lose more by coordinating threads than they gain.
    os.environ.update({"OMP_NUM_THREADS": "1", **os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"})
    started = time.monotonic()
    steps = (_explanations if of_explanations else _pairs)(options.output_dir)
    page = (options.output_dir / "report.html").resolve()
    print(f"\nDone in {time.monotonic() - started:.0f} s. Open the report: {page}\n")
    print("\n".join(steps))


def _pairs(output: Path) -> list[str]:
    """Pairs and emotions; gives what to do next."""
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
    conversation = output / "conversation.txt"
    _write_conversation(data, conversation)
    return _next_steps(data, encoder, runs, conversation)


def _explanations(output: Path) -> list[str]:
    """Written explanations; gives what to do next."""
    from iemomecp_dataset.commands import extract, report, synthetic
    from iemomecp_dataset.features.encoders.tiny_models import write_tiny_image_encoder
    from iemomecp_dataset.synthetic import write_ecem

    data, model, tower, frames, runs = (
        output / name for name in ("data", "language_model", "vision_tower", "frames", "runs")
    )
    _say(1, f"a SYNTHETIC corpus in the layouts of ECEM, MELD and ECF, with a clip of each utterance: {data}")
    if not data.is_dir():
        unfinished = output / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        write_ecem(unfinished, dialogues=EXPLANATION_DIALOGUES, media=True).rename(data)
    _say(2, f'iemomecp_dataset.load("ecem", data_dir="{data}")')
    row = _show_explanation(data)
    _say(3, f"a tiny language model and a tiny vision tower with random weights: {model}, {tower}")
    if not (model / "config.json").is_file():
        synthetic.write_language_model(data, model, **EXPLANATION_MODEL)
    if not (tower / "config.json").is_file():
        write_tiny_image_encoder(tower)
    _say(4, command_hint("extract", "--modality frames …"))
    asked = {"data_dir": data, "model": tower, "output_dir": frames, **FRAME_SETTINGS}
    extract.main([f"--{name}={value}" for name, value in asked.items()])
    for name, more in (("text", {}), ("video", {"frames": frames})):
        _say(5, command_hint("train explain", f"--tuning full {'--frames … ' if more else ''}…"))
        given = {"data_dir": data, "language_model": model, "output_dir": runs / name}
        _train("explain", {**given, **more, **EXPLANATION_SETTINGS})
    _say(6, "structural rows and both models side by side on the SYNTHETIC test split, and what one of them writes")
    report.main([str(runs), "--output", str(output / "report.html")])
    _show_written(runs / "text", row)
    return _next_explanation_steps(data, model, runs)


def _show_explanation(data: Path) -> Any:
    import iemomecp_dataset

    loaded: Any = iemomecp_dataset.load("ecem", data_dir=data)
    print(loaded)
    row = loaded["test"].select([0])
    explanation = row[0]["explanations"][0]
    target = row[0]["utterances"][explanation["target_turn"] - 1]
    print(f"  target, turn {target['turn']}, {target['speaker']}: {target['text']}")
    print(f"  explanation: {explanation['text']}")
    return row


def _show_written(run: Path, rows: Any) -> None:
    from iemomecp_dataset.trainers import predict

    print(f'predict("{run}", rows), SYNTHETIC:')
    (found,) = cast(Any, predict(run, rows, progress=False))
    for written in found:
        print(f"  {written.dialogue_id}, turn {written.target_turn}: {written.prediction}")


def _next_explanation_steps(data: Path, model: Path, runs: Path) -> list[str]:
    test = "explanations_test.parquet"
    marked = f"--causes gold --ecf_root {_typed(data / 'ECF')} --tuning full --language_model {_typed(model)}"
    return _steps(
        command_hint("evaluate", _typed(runs / "video" / test), "--compare", _typed(runs / "text" / test)),
        command_hint("train explain", "--data_dir", _typed(data), marked, "--output_dir", _typed(runs / "gold-marks")),
        command_hint("export", "--data-dir", _typed(data), "--output-dir conversations"),
    )


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


def _write_conversation(data: Path, path: Path) -> None:
    """Writes a SYNTHETIC dialogue of the test split, whose words the tiny encoder knows, as a user would type one."""
    import iemomecp_dataset

    dialogues: Any = iemomecp_dataset.load("3class", data_dir=str(data), split="test")
    moderate = [row for row in dialogues if 6 <= len(row["utterances"]) <= 12] or [dialogues[0]]
    dialogue = min(moderate, key=lambda row: max(len(said["text"]) for said in row["utterances"]))
    write_text(path, "".join(f"{said['speaker']}: {said['text']}\n" for said in dialogue["utterances"]))


def _next_steps(data: Path, encoder: Path, runs: Path, conversation: Path) -> list[str]:
    """Commands to go on with, as they can be started in this installation."""
    test, model = "predictions_test.parquet", runs / "rpcl-t"
    predicted = f"{_typed(conversation)} --model {_typed(model)}"
    mine = ("--text_encoder", _typed(encoder), "--output_dir", _typed(runs / "mine"))
    steps = _steps(
        command_hint("predict", predicted),
        command_hint("predict", predicted, "--output", _typed(conversation.with_suffix(".html"))),
        command_hint("app", "--model", _typed(model)),
        command_hint("stats", "3class --data-dir", _typed(data)),
        command_hint("evaluate", _typed(runs / "rpcl-tav" / test), "--compare", _typed(runs / "base-tav" / test)),
        command_hint("train fusion", "--data_dir", _typed(data), *mine),
        command_hint("fetch", "--label-dir local_data/labels"),
    )
    return [*steps, f"{conversation} is a SYNTHETIC dialogue. {SYNTHETIC}"]


def _typed(path: Path) -> str:
    """A path as it is typed in a shell, whatever blanks and quotes it has."""
    return shlex.quote(str(path))


def _steps(*commands: str) -> list[str]:
    steps = [*commands]
    environment = Path(sys.prefix)
    if is_checkout() and sys.prefix != sys.base_prefix and os.environ.get("VIRTUAL_ENV") != sys.prefix:
        place = environment.relative_to(Path.cwd()) if environment.is_relative_to(Path.cwd()) else environment
        steps.insert(0, f"source {_typed(place / 'bin' / 'activate')}          (first, in every new shell)")
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
