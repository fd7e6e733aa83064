"""A training run as a user starts it: the folder it leaves, continuing it, and what it refuses."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked_python
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from transformers import PreTrainedConfig, PreTrainedModel

from iemomecp_dataset import load
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.command_process import run_command
from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.trainers import load_scorer, predict, scorers, train
from iemomecp_dataset.trainers.cli import parse_options, train_from_command_line
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer
from iemomecp_dataset.trainers.objectives import OBJECTIVES
from iemomecp_dataset.trainers.scorers import Scorer, register_scorer

SameOutcome = Callable[[Path, Path], None]
SMALL = {
    "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4, "epochs": 3,
    "batch_size": 8, "max_tokens": 24, "quiet": True,
}  # fmt: skip


def command(repository: Path, data: Path, encoder: Path, output: Path, **options: object) -> list[str]:
    flags = {"data_dir": data, "text_encoder": encoder, "output_dir": output, **SMALL, **options}
    return [str(repository / "trainers/fusion.py"), *(f"--{k}={v}" for k, v in flags.items())]


@pytest.mark.slow
def test_a_run_leaves_what_others_rely_on(
    repository: Path, small_dir: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    script = command(repository, small_dir, tiny_encoder, output, objective="rpcl", modalities="tav")
    done = subprocess.run([sys.executable, *script], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    for text in ("SYNTHETIC", "distance only", "emotion x distance", "RPCL"):
        assert text in done.stdout
    results = read_results(output)
    assert results.synthetic
    assert set(results.metrics) == {"validation", "test"}
    assert results.counts["test"]["gold_pairs"] == results.metrics["test"]["emo_cause_support"]
    assert not (output / "checkpoint").exists()
    for split in ("validation", "test"):
        table = pq.read_table(output / f"predictions_{split}.parquet")
        assert table.column_names == ["dialogue_id", "source_dialogue_id", "target_turn", "cause_turn", "label",
                                      "prob_emo_cause", "prob_emo_context", "prob_non_pair", "emotion"]  # fmt: skip
        about = json.loads(table.schema.metadata[b"iemomecp"])
        assert about["synthetic"]
        assert about["split"] == split
        frame = table.to_pandas()
        again = pair_scores(
            frame[[f"prob_{name}" for name in about["class_names"]]].to_numpy(), frame["label"].to_numpy(),
            about["class_names"], threshold=about["threshold"], missed_positives=about["missed_positives"],
        )  # fmt: skip
        assert again == results.metrics[split], "predictions give the reported scores"
    config = yaml.safe_load((output / "config.yaml").read_text())
    assert config["objective"] == "rpcl"
    assert config["learning_rate"] == 1e-3
    events = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert [event["epoch"] for event in events] == [1, 2, 3]
    of_objective = {"supervised", "ranking", "corrupted_supervision", "alignment"}
    assert set(events[0]["losses"]) == of_objective | {"emotion_category", "r_drop"}
    scorer = DialogueScorer.from_pretrained(output / "model")
    assert scorer.config.class_names == ["emo_cause", "emo_context", "non_pair"]
    assert scorer.text_encoder is not None

    weights = output / "model" / "model.safetensors"
    digested = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert set(results.extra["weight_digests"]) == digested
    assert "warnings" not in results.extra, "it did not diverge"
    assert load_scorer(output).config.class_names == scorer.config.class_names
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InvalidDataError, match=r"model\.safetensors is not what the run has written"):
        load_scorer(output)
    weights.write_bytes(whole)

    repeated = forked_python.run(*script, "--quiet=false")
    assert repeated.returncode == 0
    assert "is finished" in repeated.stderr
    assert repeated.stdout == done.stdout
    other = forked_python.run(*script, "--objective=base")
    assert other.returncode == 2
    assert "objective is 'rpcl' there and 'base' here" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.slow
def test_a_diverged_run_says_so_and_its_record_too(
    repository: Path, small_dir: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    done = forked_python.run(
        *command(repository, small_dir, tiny_encoder, output, learning_rate=10, epochs=1, encoder_mode="frozen")
    )
    assert done.returncode == 0, done.stderr
    assert "warning: the mean loss of epoch 1 is" in done.stderr
    warnings = read_results(output).extra["warnings"]
    assert warnings[0].startswith("Training diverged: the mean loss of epoch 1 is")
    assert all(f"warning: {warning}" in done.stderr for warning in warnings)


@pytest.mark.slow
def test_an_interrupted_run_continues_to_the_same_bits(
    repository: Path,
    small_dir: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    same_outcome: SameOutcome,
) -> None:
    # Enough epochs that each signal comes in the middle, however late a busy machine lets us see the log.
    options = {"objective": "rpcl", "epochs": 30, "patience": 30}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert forked_python.run(*command(repository, small_dir, tiny_encoder, whole, **options)).returncode == 0
    interrupted = command(repository, small_dir, tiny_encoder, parts, **options)
    for epochs, how, code in ((1, signal.SIGKILL, -9), (5, signal.SIGTERM, 143), (10, signal.SIGINT, 130)):
        process = forked_python.start(*interrupted)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            log = parts / "log.jsonl"
            if log.is_file() and log.read_text().count("\n") >= epochs:
                break
            time.sleep(0.005)
        process.send_signal(how)
        assert process.wait() == code
        assert not (parts / "results.json").exists(), "interrupted before it was finished"
    # The launcher alone is killed: the trainer notices, and the next command finds nobody in the folder.
    launch = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no")  # fmt: skip
    with open(tmp_path / "launched.log", "wb") as log:
        launcher = subprocess.Popen([sys.executable, *launch, *interrupted], stderr=log, stdout=log)
    deadline = time.monotonic() + 120
    while launcher.poll() is None and time.monotonic() < deadline:
        if (parts / ".lock").exists() and (parts / "log.jsonl").read_text().count("\n") > 12:
            break
        time.sleep(0.005)
    launcher.kill()
    launcher.wait()
    while (parts / ".lock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "the end of its launcher. Start the same command again" in (tmp_path / "launched.log").read_text()
    assert not (parts / "results.json").exists(), "interrupted before it was finished"
    done = forked_python.run(*interrupted)
    assert done.returncode == 0, done.stderr
    assert "Continuing" in done.stderr
    same_outcome(whole, parts)


@pytest.mark.slow
def test_seeds_differ_and_repeat(
    repository: Path,
    small_dir: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    same_outcome: SameOutcome,
) -> None:
    runs = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        runs[name] = tmp_path / name
        options = {"seed": seed, "encoder_mode": "frozen", "config_name": "source_binary", "epochs": 2}
        done = forked_python.run(*command(repository, small_dir, tiny_encoder, runs[name], **options))
        assert done.returncode == 0, done.stderr
    same_outcome(runs["a"], runs["b"])
    a, c = (pq.read_table(runs[name] / "predictions_test.parquet")["prob_pair"].to_numpy() for name in "ac")
    assert np.abs(a - c).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "processes", "batch_size", "options", "tolerance"),
    [
        # 16 dialogues: a mini-batch of 10 and one of 6. The batch size is that of each process.
        (
            "small_dir",
            2,
            5,
            {
                "objective": "rpcl",
                "corruption_rate": 1.0,
                "encoder_mode": "frozen",
                "modalities": "ta",
                "pair_refinement": False,
                "emotion_category_weight": 0.5,
            },
            2e-5,
        ),
        # The second look begins at nothing, with gradients so small that Adam makes steps of their rounding: hence the
        # small rate. 60 dialogues: three mini-batches of 16 and one of 12.
        (
            "synthetic_dir",
            2,
            8,
            {"objective": "cdmr", "encoder_mode": "frozen", "modalities": "ta", "learning_rate": 1e-4},
            1e-3,
        ),
        # 2090 pairs: four mini-batches of 522 and one of 2, which leaves the third process without any.
        (
            "small_dir",
            3,
            174,
            {"scorer": "isolated", "modalities": "av", "eval_batch_size": 333, "learning_rate": 1e-3},
            2e-5,
        ),
    ],
    ids=["dialogue", "refined", "isolated"],
)
def test_several_processes_compute_what_one_does(
    data: str,
    processes: int,
    batch_size: int,
    options: dict[str, object],
    tolerance: float,
    request: pytest.FixtureRequest,
    repository: Path,
    tiny_encoder: Path,
    tmp_path: Path,
) -> None:
    # Processes draw dropout masks of their own, so there is none; a rate of 1 leaves corruption nothing to draw.
    options = {**options, "epochs": 2, "dropout": 0.0}
    corpus = request.getfixturevalue(data)
    outcomes = []
    for name, count in (("one", 1), ("several", processes)):
        settings = {**options, "batch_size": batch_size * processes // count}
        script = command(repository, corpus, tiny_encoder, tmp_path / name, **settings)
        ranks = [forked_python.start(*script, env=rank) for rank in forked_python.rank_environments(count)]
        assert [rank.wait() for rank in ranks] == [0] * count, [rank.stderr for rank in ranks]
        tables = [len(re.findall(r"^ *distance only", rank.stdout, re.M)) for rank in ranks]
        assert tables == [1] + [0] * (count - 1), "one table, from the main process"
        outcomes.append(read_results(tmp_path / name))
    one, several = outcomes
    for split in ("validation", "test"):
        a, b = (pq.read_table(tmp_path / f"{name}/predictions_{split}.parquet") for name in ("one", "several"))
        assert a.num_rows == one.counts[split]["candidates"]
        assert a.drop_columns("prob_non_pair").column_names == b.drop_columns("prob_non_pair").column_names
        for column in {"dialogue_id", "target_turn", "cause_turn", "emotion"} & {*a.column_names}:
            assert a[column].equals(b[column])
        for column in ("prob_emo_cause", "prob_emo_context"):
            np.testing.assert_allclose(a[column].to_numpy(), b[column].to_numpy(), atol=tolerance)
        for score in ("pair_f1", "pair_auprc", "macro_f1"):
            assert several.metrics[split][score] == pytest.approx(one.metrics[split][score], abs=2e-3)
    logs = [[json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
            for name in ("one", "several")]  # fmt: skip
    for alone, together in zip(*logs, strict=True):
        assert together["step"] == alone["step"]
        assert together["losses"] == pytest.approx(alone["losses"], rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_dir": "/no/such/folder"}, "/no/such/folder"),
        ({"config_name": "3clas"}, "Did you mean '3class'"),
        ({"objective": "rcpl"}, "Did you mean 'rpcl'"),
        ({"objective": "rpcl", "scorer": "isolated"}, "Use --scorer dialogue, or --objective base"),
        ({"text_encoder": "nobody/no-such-model"}, "hf download nobody/no-such-model"),
        ({"text_encoder": "/tmp"}, "contains no text encoder"),
        ({"modalities": "ta", "audio_features": "/no/audio.parquet"}, "/no/audio.parquet"),
        ({"hidden_size": 10, "num_heads": 4}, "not divisible"),
        ({"dropout": 1.5}, "--dropout must lie within [0, 1), but is 1.5"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"epochs": "ten"}, "--epochs takes a whole number, but is 'ten'"),
        ({"learning_rat": 1}, "Did you mean '--learning_rate'"),
        ({"text_layers": "1,9"}, "layers 0 to 2"),
        ({"config": "/no/run.yaml"}, "/no/run.yaml"),
        ({"config_name": "overlay"}, "--config_name has no value 'overlay'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    options: dict[str, object],
    message: str,
    repository: Path,
    small_dir: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", command(repository, small_dir, tiny_encoder, tmp_path / "run", **options))
    with pytest.raises(SystemExit) as exit_:
        run_command(lambda: train_from_command_line("fusion"))
    assert exit_.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "run" / "results.json").exists()


@pytest.mark.slow
def test_a_script_prints_the_message_without_a_traceback(
    repository: Path, small_dir: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    done = forked_python.run(*command(repository, small_dir, tiny_encoder, tmp_path / "run", objective="rcpl"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_command_line_wins_over_file_over_script(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("objective: rpcl\nseed: 7\ndata_dir: somewhere\noutput_dir: out\n")
    options = parse_options(
        ["--config", str(file), "--seed", "8"], description="", defaults={"modalities": "ta", "seed": 1}
    )
    assert (options.objective.objective, options.run.seed, options.data.modalities) == ("rpcl", 8, "ta")
    assert options.optimization.epochs == 30


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains(objective: str, small_dir: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """In this process: one epoch each, at both corruption points where they differ."""
    from iemomecp_dataset.trainers.options import TrainingOptions
    from iemomecp_dataset.trainers.run import run

    points = ("scorer_input", "dialogue_input") if OBJECTIVES[objective].corruption else ("scorer_input",)
    for point in points:
        options = TrainingOptions.from_flat(
            {**SMALL, "data_dir": str(small_dir), "text_encoder": str(tiny_encoder), "encoder_mode": "frozen",
             "output_dir": str(tmp_path / point), "objective": objective, "corruption_point": point, "epochs": 1}
        )  # fmt: skip
        options.check()
        results = run(options)
        assert results.objective == objective
        assert 0 < results.metrics["test"]["pair_auprc"] < 1


@pytest.mark.slow
def test_its_config_repeats_a_run_and_changed_data_is_refused(
    small_dir: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    import shutil

    from iemomecp_dataset.errors import RunFolderError
    from iemomecp_dataset.trainers.options import TrainingOptions
    from iemomecp_dataset.trainers.run import run

    data = tmp_path / "data"
    shutil.copytree(small_dir, data)
    flat = {**SMALL, "data_dir": str(data), "text_encoder": str(tiny_encoder), "encoder_mode": "frozen", "epochs": 1}
    first = tmp_path / "first"
    results = run(TrainingOptions.from_flat({**flat, "output_dir": str(first), "objective": "cdmr"}))
    arguments = ["--config", str(first / "config.yaml"), "--output_dir", str(tmp_path / "again")]
    again = run(parse_options(arguments, description=""))
    assert dict(again.metrics["test"]) == dict(results.metrics["test"])
    assert again.extra["signatures"] == results.extra["signatures"]

    said = load("3class", data_dir=str(data), split="train")[0]["utterances"][0]
    (transcript,) = (data / "IEMOCAP").rglob(f"transcriptions/{said['utterance_id'].rpartition('_')[0]}.txt")
    assert said["text"] in transcript.read_text()
    transcript.write_text(transcript.read_text().replace(said["text"], f"{said['text']} Mhm."))
    with pytest.raises(RunFolderError, match=r"reads something else: the (content|text) of .* has changed"):
        run(parse_options(["--config", str(first / "config.yaml")], description=""))


def test_a_run_that_cannot_begin_leaves_its_folder_free(small_dir: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    """Too many missing features are refused; the command with a higher tolerance may use the same folder."""
    import pyarrow as pa

    from iemomecp_dataset.errors import InvalidDataError
    from iemomecp_dataset.trainers.options import TrainingOptions
    from iemomecp_dataset.trainers.run import run

    table = pq.read_table(small_dir / "features/audio.parquet")
    kept = table.filter(pa.array(np.arange(len(table)) % 20 != 0))  # 5 % are missing
    pq.write_table(kept, tmp_path / "audio.parquet")
    flat = {**SMALL, "data_dir": str(small_dir), "modalities": "a", "epochs": 1,
            "output_dir": str(tmp_path / "run"), "audio_features": str(tmp_path / "audio.parquet")}  # fmt: skip
    with pytest.raises(InvalidDataError, match=r"5\.\d%.*for example Ses"):
        run(TrainingOptions.from_flat(flat))
    assert not (tmp_path / "run").exists()
    assert run(TrainingOptions.from_flat({**flat, "max_missing_features": 0.06})) is not None


class NewcomerConfig(PreTrainedConfig):
    """Fields as parameters of ``__init__``, and none of those that say where text features come from."""

    model_type = "newcomer_pair_scorer"

    def __init__(self, class_names: list[str] | None = None, text_size: int = 0, **kwargs: Any):
        self.class_names = class_names
        self.text_size = text_size
        super().__init__(**kwargs)


class NewcomerScorer(PreTrainedModel):
    """Takes only what it needs, and returns the pair logits alone."""

    config_class = NewcomerConfig

    def __init__(self, config: NewcomerConfig):
        super().__init__(config)
        assert config.class_names is not None
        self.target = torch.nn.Linear(config.text_size, len(config.class_names))
        self.cause = torch.nn.Linear(config.text_size, len(config.class_names))
        self.post_init()

    def forward(self, mask: torch.Tensor, text: torch.Tensor) -> Any:
        return self.target(text)[:, :, None] + self.cause(text)[:, None]


class WithoutPairs(NewcomerScorer):
    def forward(self, mask: torch.Tensor, text: torch.Tensor) -> Any:
        return {"logits": super().forward(mask, text)}


class ForUtterances(NewcomerScorer):
    def forward(self, mask: torch.Tensor, text: torch.Tensor) -> Any:
        return self.target(text)


class WithTypingError(NewcomerScorer):
    def forward(self, mask: torch.Tensor, texts: torch.Tensor) -> Any:
        return super().forward(mask, texts)


def _train_newcomer(model: type, data: Path, encoder: Path, output: Path, **options: Any) -> None:
    register_scorer(Scorer("newcomer", "linear", model))
    given = {"text_encoder": str(encoder), "encoder_mode": "frozen", "epochs": 1, "quiet": True, **options}
    train(load("3class", data_dir=str(data)), scorer="newcomer", output_dir=output, **given)


@pytest.mark.slow
def test_a_scorer_in_the_usual_style_of_transformers_is_trained_and_used(
    small_dir: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers, "_registered", {})
    _train_newcomer(NewcomerScorer, small_dir, tiny_encoder, tmp_path)
    found = predict(tmp_path, load("3class", data_dir=str(small_dir), split="test"))
    names = ("emo_cause", "emo_context", "non_pair")
    table = pq.read_table(tmp_path / "predictions_test.parquet")
    written = np.stack([table[f"prob_{name}"] for name in names], axis=1)
    np.testing.assert_allclose(np.concatenate(found), written, atol=1e-5)
    config = NewcomerConfig.from_pretrained(tmp_path / "model")
    assert config.id2label == dict(enumerate(names)), "the model card names the columns by it"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            NewcomerScorer,
            {"modalities": "a"},
            "requires the input 'text', .* Use --modalities t and --encoder_mode f",
        ),
        (NewcomerScorer, {"encoder_mode": "trained"}, "requires the input 'text', .* and --encoder_mode frozen"),
        (WithTypingError, {}, r"requires the input 'texts', .* Did you mean 'text'\?"),
        (WithoutPairs, {}, "must return pair logits of shape .* but returned a dict without them"),
        (ForUtterances, {}, r"must return pair logits of shape .* but returned the shape \(8, \d+, 3\)"),
    ],
)
def test_a_scorer_that_does_not_fit_is_told_what_would(
    model: type, options: dict[str, str], message: str, small_dir: Path, tiny_encoder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(scorers, "_registered", {})
    with pytest.raises(UsageError, match=message):
        _train_newcomer(model, small_dir, tiny_encoder, tmp_path / "run", **options)


def test_features_are_not_guessed_where_the_configuration_does_not_say_how_they_were_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers, "_registered", {})
    register_scorer(Scorer("newcomer", "linear", NewcomerScorer))
    model = NewcomerScorer(NewcomerConfig(class_names=["pair", "non_pair"], text_size=4))
    utterance = {"turn": 1, "utterance_id": "u", "speaker": "A", "text": "We lost."}
    with pytest.raises(UsageError, match="NewcomerConfig lacks text_encoder_name, text_layers, max_tokens"):
        predict(model, [{"dialogue_id": "d", "utterances": [utterance]}])


@pytest.mark.slow
def test_a_disk_that_fills_is_one_sentence_and_the_same_command_continues(
    repository: Path,
    small_dir: Path,
    tiny_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", command(repository, small_dir, tiny_encoder, tmp_path / "run"))

    def code() -> object:
        with pytest.raises(SystemExit) as exit_:
            run_command(lambda: train_from_command_line("fusion") and None)
        return exit_.value.code

    def save_state(self: object, folder: str, **options: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 103424 vs 103312")

    with monkeypatch.context() as full:
        full.setattr("accelerate.Accelerator.save_state", save_state)
        full.setattr("iemomecp_dataset.files.places._is_full", lambda place: place.is_relative_to(tmp_path / "run"))
        assert code() == 2
    said = "cannot be written (No space left on device). Make space there and start"
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert error.startswith(f"error: {tmp_path / 'run'}")
    assert error.endswith(f"{said} the same command again, or choose another place.")

    def write_results(path: Path, results: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("iemomecp_dataset.trainers.run.write_results", write_results)
        assert code() == 2
    said = r"The training is complete \(pair_f1: validation \d+\.\d\d, test \d+\.\d\d\) and its checkpoint is kept"
    assert re.search(said, capsys.readouterr().err)
    assert code() == 0
    assert (tmp_path / "run" / "results.json").is_file()
