"""Targets that read what systems give: predictions, configurations, records of runs, models and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from fuzzing import Target

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.folds import Folds, read_folds, write_folds

__all__ = ["RESULT_TARGETS"]

_PAIRS = pd.DataFrame(
    {
        "dialogue_id": ["7", "7", "7", "8"],
        "target_turn": [1, 2, 2, 1],
        "cause_turn": [1, 1, 2, 1],
        "label": [1, 0, 1, 1],
        "prob_pair": [0.25, 0.75, 0.5, 0.125],
        "prob_non_pair": [0.75, 0.25, 0.5, 0.875],
    }
)
_ARTIFACT = pd.DataFrame(
    {
        "run_name": ["r", "r", "r"],
        "split": ["valid", "valid", "valid"],
        "dialogue_id": ["a__c000", "a__c000", "b__c001"],
        "target_turn": [2, 1, 1],
        "candidate_turn": [1, 1, 1],
        "gold_id": [0, 2, 1],
        "pred_id": [1, 2, 0],
        "emotion": ["sad", "sad", "neu"],
        "prob_emo_cause": [0.3, 0.2, 0.6],
        "prob_emo_context": [0.5, 0.1, 0.2],
        "prob_non_pair": [0.2, 0.7, 0.2],
    }
)
_EMOTIONS = pd.DataFrame(
    {
        "dialogue_id": ["d1", "d1", "d2"],
        "turn": [1, 2, 1],
        "label": [0, 1, 2],
        "speaker": ["A", "B", "A"],
        "prob_neutral": [0.5, 0.25, 0.125],
        "prob_joy": [0.25, 0.5, 0.125],
        "prob_anger": [0.25, 0.25, 0.75],
    }
)
_NAMED = pd.DataFrame(
    {
        "dialogue_id": ["d1", "d1", "d2"],
        "turn": [1, 2, 1],
        "label": [0, 1, 0],
        "speaker": ["A", "B", "A"],
        "prediction": ["neutral", "joy", "anger"],
    }
)
_EXPLANATIONS = pd.DataFrame(
    {
        "dialogue_id": ["d1", "d1", "d2"],
        "target_turn": [1, 2, 1],
        "reference": ["It rains again.", "They lost the match.", "Nothing."],
        "prediction": ["It rains.", "They lost.", ""],
    }
)


def _parquet(frame: pd.DataFrame, path: Path, **metadata: Any) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata({b"iemomecp": json.dumps(metadata).encode()}), path)


def _scored(name: str, *, of: str = "pairs", **changes: Any) -> Any:
    """A reader of a predictions file that also scores it and writes the page of scores as text."""

    def read(folder: Path) -> Any:
        from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
        from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions

        given = dict(changes)
        if "gold_file" in given:
            given["gold_file"] = folder / given["gold_file"]
        options = EvaluationOptions(n_resamples=20, meteor=of != "explanations")
        request = FileEvaluationRequest(folder / name, options=options, **given)
        if of == "emotions":
            from iemomecp_dataset.metrics.evaluation.emotions.evaluation import evaluate_emotion_files
            from iemomecp_dataset.metrics.evaluation.emotions.report import (
                emotion_evaluation_as_json,
                emotion_evaluation_as_text,
            )

            found = evaluate_emotion_files(request)
            emotion_evaluation_as_text(found).encode()
            return emotion_evaluation_as_json(found)
        if of == "explanations":
            from iemomecp_dataset.metrics.evaluation.explanations.evaluation import evaluate_explanation_files
            from iemomecp_dataset.metrics.evaluation.explanations.report import (
                explanation_evaluation_as_json,
                explanation_evaluation_as_text,
            )

            found = evaluate_explanation_files(request)
            explanation_evaluation_as_text(found).encode()
            return explanation_evaluation_as_json(found)
        from iemomecp_dataset.metrics.evaluation.report import evaluation_as_json, evaluation_as_text

        found = evaluate_files(request)
        evaluation_as_text(found).encode()
        return evaluation_as_json(found)

    return read


def _predictions(name: str, frame: pd.DataFrame, kind: str, **more: Any) -> Target:
    def write(folder: Path) -> None:
        path = folder / name
        if name.endswith(".parquet"):
            metadata = {"split": "test"}
            if "prob_pair" in frame:
                metadata |= {
                    "class_names": ["pair", "non_pair"],
                    "threshold": 0.5,
                    "corpus": "ecf",
                    "config_name": "ecf",
                }
            if "prob_joy" in frame:
                metadata |= {"class_names": ["neutral", "joy", "anger"]}
            _parquet(frame, path, **metadata)
        elif name.endswith(".json"):
            path.write_text(json.dumps(frame.to_dict("records")), encoding="utf-8")
        else:
            frame.to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")

    of = more.pop("of", "pairs")
    return Target(
        f"{of} {name}", write, _scored(name, of=of, **more), {"*.parquet": "parquet", "*.json": "json", "*": kind}
    )


# --- SemEval ---------------------------------------------------------------------------------------------------------


def _semeval(folder: Path) -> None:
    from corpus_files import ecf_json

    gold = ecf_json()
    (folder / "gold.json").write_text(json.dumps(gold), encoding="utf-8")
    predicted = [dict(conversation) for conversation in gold]
    predicted[0] = {**predicted[0], "emotion-cause_pairs": [["2_surprise", "1"], ["3_joy", "2"]]}
    (folder / "answers.json").write_text(json.dumps(predicted), encoding="utf-8")


# --- configurations --------------------------------------------------------------------------------------------------

_CONFIG = {
    "data_dir": "data",
    "output_dir": "runs/x",
    "config_name": "3class",
    "scorer": "dialogue",
    "objective": "rpcl",
    "modalities": "ta",
    "text_encoder": "encoder",
    "audio_features": "audio.parquet",
    "seed": 42,
    "epochs": 3,
    "learning_rate": 0.001,
    "batch_size": 2,
    "run_name": "x",
}


def _read_run_config(folder: Path) -> Any:
    from iemomecp_dataset.trainers.cli import parse_options

    return parse_options(["--config", str(folder / "run.yaml")], description="").flat()


def _read_sweep(folder: Path) -> Any:
    from iemomecp_dataset.benchmark.matrix.cells import cells_of
    from iemomecp_dataset.benchmark.matrix.experiments import read_sweep

    return [(cell.name, cell.options.flat()) for cell in cells_of(read_sweep(folder / "matrix.yaml"))]


def _prompt(folder: Path) -> None:
    from iemomecp_dataset.trainers.language_model.prompts import read_prompt

    (folder / "prompt.yaml").write_text(read_prompt("pairs").text, encoding="utf-8")


def _read_prompt(folder: Path) -> Any:
    from iemomecp_dataset.trainers.language_model.prompts import read_prompt

    prompt = read_prompt("pairs", folder / "prompt.yaml")
    return prompt.version, prompt.system_message(["joy"], "Few.")


def _answers(folder: Path) -> None:
    from iemomecp_dataset.trainers.language_model.answering import Answer
    from iemomecp_dataset.trainers.language_model.cache import AnswerCache

    with AnswerCache(folder) as cache:
        for number in range(40):
            cache.keep(f"{number:064}", Answer("text", first_tokens={"A": -0.5, "B": -1.0}, prompt_tokens=number))


def _read_answers(folder: Path) -> Any:
    from iemomecp_dataset.trainers.language_model.cache import AnswerCache

    with AnswerCache(folder) as cache:
        return cache.found([f"{number:064}" for number in range(40)])


_SWEEP = {
    "title": "A matrix",
    "data_dir": "data",
    "config_name": ["3class", "source_binary"],
    "objective": ["base", "rpcl"],
    "modalities": "t",
    "text_encoder": "encoder",
    "seeds": [1, 2],
    "families": ["fusion"],
    "epochs": 3,
}


def _folds(folder: Path) -> None:
    made = Folds("ecf", "ecf", "train", 2, "salt", {"1": 1, "2": 2}, "ab", "cd", (_COUNTS,) * 2)
    write_folds(folder / "folds.json", made)


def _read_folds(folder: Path) -> Any:
    folds = read_folds(folder / "folds.json")
    return sorted(folds.fold_of.items()), folds.digest, [sorted(counts.items()) for counts in folds.counts]


def _read_variants(folder: Path) -> Any:
    from iemomecp_dataset.benchmark.cross_validation.variants import fold_cells, read_variants, variants_of

    common = {"data_dir": ("data",), "config_name": ("ecf",)}
    baseline, variants = variants_of(common, (), read_variants(folder / "variants.yaml"))
    cells = fold_cells(baseline, variants, (1,), Path("folds.json"), 2)
    return [(one.cell.name, one.cell.options.flat()) for one in cells]


_COUNTS = {"dialogues": 1, "utterances": 2, "pairs": 1, "candidates": 4}
_VARIANTS = {
    "baseline": {"epochs": 3},
    "narrow": {"hidden_size": 128, "objective": "rpcl"},
    "one layer": {"num_layers": 1},
}


# --- runs ------------------------------------------------------------------------------------------------------------


def _results(folder: Path) -> None:
    from shared_run import results_of

    from iemomecp_dataset.benchmark.runs.results import write_results

    write_results(folder, results_of())


def _read_results(folder: Path) -> Any:
    from iemomecp_dataset.benchmark.runs.results import read_results

    return read_results(folder)


def _runs(folder: Path) -> None:
    from shared_run import results_of

    from iemomecp_dataset.benchmark.runs.results import write_results

    for name in ("one", "two"):
        run = folder / name
        run.mkdir()
        write_results(run, results_of(run_name=name))
        (run / "config.yaml").write_text(yaml.safe_dump({**_CONFIG, "run_name": name}), encoding="utf-8")
        events = [
            {
                "event": "epoch",
                "epoch": n,
                "step": n,
                "train_loss": 1 / n,
                "losses": {"pairs": 0.5},
                "validation": {"pair_f1": 0.4},
                "seconds": 1.0,
            }
            for n in (1, 2)
        ]
        (run / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def _read_runs(folder: Path) -> Any:
    """The index of a folder of runs, with the epochs of each, and their leaderboard."""
    from iemomecp_dataset.benchmark.board import leaderboard
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.benchmark.runs.log import read_epochs

    index = index_runs(folder)
    if index.unfinished:  # named, and left out of every table
        raise RunFolderError(index.unfinished[0].reason)
    epochs = [read_epochs(run.folder / "log.jsonl") for run in index.runs]
    board = leaderboard([run.results for run in index.runs])
    return [run.results for run in index.runs], epochs, board


# --- models and checkpoints ------------------------------------------------------------------------------------------


def _model(folder: Path) -> None:
    import torch

    from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig

    torch.manual_seed(0)
    config = DialogueScorerConfig(
        class_names=["pair", "non_pair"],
        text_size=16,
        text_layers=[2],
        text_encoder_name="encoder",
        hidden_size=8,
        num_heads=2,
        num_layers=1,
        pair_size=8,
        bilinear_size=4,
        decision="threshold",
        threshold=0.25,
    )
    DialogueScorer(config).save_pretrained(folder / "model")


def _model_of_run(folder: Path) -> None:
    from iemomecp_dataset.trainers.whole_model import MODEL_DIGESTS, model_digests

    _model(folder)
    record = {MODEL_DIGESTS: model_digests(folder / "model")}
    (folder / "results.json").write_text(json.dumps(record), encoding="utf-8")


def _read_model(folder: Path) -> Any:
    from iemomecp_dataset.trainers.pipelines.loading import load_scorer

    model = load_scorer(folder / "model")
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return weights, {key: value for key, value in model.config.to_dict().items() if key != "_name_or_path"}


class _Training:
    """A tiny model that is saved and restored as a run's."""

    def __init__(self) -> None:
        import torch
        from accelerate import Accelerator

        torch.manual_seed(0)
        self.accelerator = Accelerator(cpu=True)
        self.averaged = torch.nn.Linear(2, 2)
        model = torch.nn.Linear(2, 2)
        optimizer = torch.optim.AdamW(model.parameters())
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.model(torch.ones(1, 2)).sum().backward()
        self.optimizer.step()

    def checkpoints(self, folder: Path) -> Any:
        from iemomecp_dataset.trainers.run_folder import RunFolder
        from iemomecp_dataset.trainers.training.checkpoints import Checkpoints

        return Checkpoints(self.accelerator, RunFolder(folder), self.averaged)


_TRAINING: list[_Training] = []


def _training() -> _Training:
    if not _TRAINING:
        _TRAINING.append(_Training())
    return _TRAINING[0]


def _checkpoint(folder: Path) -> None:
    from iemomecp_dataset.trainers.training.checkpoints import Progress

    (folder / "log.jsonl").write_text(
        '{"event": "epoch", "epoch": 1}\n{"event": "epoch", "epoch": 2}\n', encoding="utf-8"
    )
    progress = Progress(epoch=1, losses={"pairs": 0.5}, best_epoch=1, best_score=0.4, threshold=0.3, seconds=2.0)
    _training().checkpoints(folder).save(progress, improved=True)


def _restore(folder: Path) -> Any:
    training = _training()
    progress, log = training.checkpoints(folder).restore(), folder / "log.jsonl"
    weights = {name: tensor.numpy().copy() for name, tensor in training.model.state_dict().items()}
    return progress, weights, str(training.optimizer.state_dict()["state"]), log.read_bytes() if log.is_file() else b""


RESULT_TARGETS = [
    _predictions("predictions_test.parquet", _PAIRS, "parquet"),
    _predictions("theirs.csv", _ARTIFACT, "lines"),
    _predictions("theirs.tsv", _ARTIFACT, "lines"),
    _predictions("emotions_test.parquet", _EMOTIONS, "parquet", of="emotions"),
    _predictions("emotions.csv", _NAMED, "lines", of="emotions", config_name="meld"),
    _predictions("explanations_test.parquet", _EXPLANATIONS, "parquet", of="explanations"),
    _predictions("explanations.json", _EXPLANATIONS, "json", of="explanations"),
    _predictions("explanations.csv", _EXPLANATIONS, "lines", of="explanations"),
    Target("pairs semeval", _semeval, _scored("answers.json", gold_file="gold.json"), {"*.json": "json"}),
    Target(
        "config run.yaml",
        lambda f: (f / "run.yaml").write_text(yaml.safe_dump(_CONFIG)),
        _read_run_config,
        {"*.yaml": "yaml"},
    ),
    Target(
        "config matrix.yaml",
        lambda f: (f / "matrix.yaml").write_text(yaml.safe_dump(_SWEEP)),
        _read_sweep,
        {"*.yaml": "yaml"},
    ),
    Target("folds.json", _folds, _read_folds, {"*.json": "json"}),
    Target(
        "config variants.yaml",
        lambda f: (f / "variants.yaml").write_text(yaml.safe_dump(_VARIANTS)),
        _read_variants,
        {"*.yaml": "yaml"},
    ),
    Target("prompt", _prompt, _read_prompt, {"*.yaml": "yaml"}),
    Target("answers of a language model", _answers, _read_answers, {"*.sqlite": "bytes"}, writes=True),
    Target("run results.json", _results, _read_results, {"*.json": "json"}),
    Target("run folders", _runs, _read_runs, {"*.json": "json", "*.yaml": "yaml", "*.jsonl": "jsonl"}),
    Target(
        "model of a run",
        _model_of_run,
        _read_model,
        {"*.json": "json", "*.safetensors": "safetensors"},
        sealed=("model/*.safetensors",),
    ),
    Target("model", _model, _read_model, {"*.json": "json", "*.safetensors": "safetensors"}),
    Target(
        "checkpoint",
        _checkpoint,
        _restore,
        {"*progress.json": "json", "*.safetensors": "safetensors", "*.jsonl": "jsonl", "*": "bytes"},
        writes=True,
        sealed=("checkpoint/*",),
    ),
]
