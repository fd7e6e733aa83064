"""Every file of benchmark/experiments runs as it is, and its published numbers are the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from iemomecp_dataset.benchmark.published.tables import published_table
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.cli import EXPERIMENT_KEY, parse_options
from iemomecp_dataset.trainers.options import OBJECTIVE_NAMES, TrainingOptions

FOLDER = Path(__file__).resolve().parents[3] / "benchmark" / "experiments"
FILES = sorted(FOLDER.glob("*.yaml"))
FAMILIES = {"RoBERTa": "t", "WavLM": "a", "CLIP": "v", "RW-Fusion": "ta", "RC-Fusion": "tv", "RWC-Fusion": "tav"}
# arXiv 2606.18893, RPCL minus Base: Pair F1 and gold-negative gap, in points.
PUBLISHED_GAINS = {"ecf": (2.58, 4.72), "mecad": (2.59, 1.69), "mec4": (2.83, 3.46)}
SHARED = {
    "arXiv 2605.25208": {
        "scorer": "isolated", "objective": "base", "epochs": 10, "batch_size": 16, "learning_rate": 2e-5,
        "encoder_learning_rate": 2e-5, "weight_decay": 0.01, "warmup_ratio": 0.1, "max_grad_norm": 1.0,
        "max_tokens": 160, "class_weighting": "sqrt", "selection": "macro_f1", "decision": "argmax", "patience": 0,
        "dropout": 0.1,
    },
    "arXiv 2606.18893": {
        "scorer": "dialogue", "hidden_size": 400, "max_tokens": 512, "base_margin": 0.05, "top_k": 8,
        "corruption_rate": 0.30, "ranking_weight": 0.3, "corrupted_supervision_weight": 0.75, "alignment_weight": 0.2,
        "epochs": 30, "patience": 5, "batch_size": 32, "encoder_learning_rate": 1e-5, "learning_rate": 5e-5,
        "weight_decay": 1e-4, "max_grad_norm": 1.0, "class_weighting": "none", "decision": "threshold",
    },
}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_experiment(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    experiment = content.pop(EXPERIMENT_KEY)
    assert experiment["name"] == file.stem
    assert set(experiment) <= {"name", "source", "system", "seeds", "left_open", "published"}
    options = parse_options(["--config", str(file), "--data_dir", "d", "--output_dir", "o"], description="")
    flat = options.flat()
    assert {name: flat[name] for name in content} == content, "what the file says is what runs"
    shared = SHARED[experiment["source"]]
    assert {name: content[name] for name in shared if name != "objective"} == {
        name: value for name, value in shared.items() if name != "objective"
    }
    if experiment["source"] == "arXiv 2605.25208":
        assert experiment["seeds"] == [42, 123, 456]
        assert content["modalities"] == FAMILIES[experiment["system"]]
        assert content["hidden_size"] == (768 if "t" in content["modalities"] else 256)
        assert content["objective"] == "base"
        assert file.stem.startswith(f"iemomecp_{content['config_name']}_")
    else:
        assert experiment["seeds"] == [42, 345, 456]
        assert file.stem == f"{content['config_name']}_{content['objective']}_{content['modalities']}"
        assert experiment["left_open"]
    published = experiment.get("published")
    if published and "table" in published:
        table = published_table(published["table"])
        for column, value in published["row"].items():
            table = table[table[column] == value]
        (row,) = table.to_dict("records")
        for name, number in published["values"].items():
            assert number["value"] == pytest.approx(row[number["column"]], abs=1e-15), name
        assert "pair_f1" in published["values"]
    elif published:
        gains = PUBLISHED_GAINS[content["config_name"]]
        assert (published["gains"]["pair_f1"], published["gains"]["gold_negative_gap"]) == gains
        assert (FOLDER / f"{published['against']}.yaml").is_file()


def test_there_is_one_for_each_published_configuration() -> None:
    stems = {file.stem for file in FILES}
    expected = {
        f"iemomecp_{task}_{family.lower().replace('-', '_')}"
        for family in FAMILIES
        for task in ("3class", "source_binary")
    }
    for corpus in PUBLISHED_GAINS:
        expected |= {f"{corpus}_{objective}_tav" for objective in OBJECTIVE_NAMES}
        expected |= {f"{corpus}_{objective}_{m}" for objective in ("base", "rpcl") for m in ("t", "ta", "tv")}
        assert f"{corpus}_rpcl_tav" in stems
    assert stems == expected


def test_an_experiment_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"{EXPERIMENT_KEY}: rpcl\nseed: 1\n")
    with pytest.raises(UsageError, match="must hold a mapping"):
        parse_options(["--config", str(file)], description="")


def test_options_of_a_file_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"{EXPERIMENT_KEY}: {{name: run}}\nlearning_rat: 1\n")
    with pytest.raises(UsageError, match="learning_rate"):
        parse_options(["--config", str(file)], description="")


@pytest.mark.slow
def test_a_file_runs(repository: Path, synthetic_dir: Path, tmp_path: Path) -> None:
    from iemomecp_dataset.trainers.run import run

    arguments = ["--config", str(FOLDER / "iemomecp_3class_wavlm.yaml"), "--data_dir", str(synthetic_dir), "--epochs",
                 "1", "--output_dir", str(tmp_path / "run"), "--quiet"]  # fmt: skip
    results = run(parse_options(arguments, description=""))
    assert results is not None
    assert (results.scorer, results.modalities) == ("isolated", "a")
    stored = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert set(stored) == set(TrainingOptions().flat())
