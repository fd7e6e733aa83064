"""The experiments: complete, with the published numbers, and accepted by the trainers.

``experiments.json`` lists every experiment in full, one per line; the protocol files state what they share once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from iemomecp_dataset.benchmark.experiments import (
    Experiment,
    experiment_names,
    find_experiment,
    find_experiments,
    protocols,
)
from iemomecp_dataset.benchmark.published.experiments import published_values
from iemomecp_dataset.benchmark.published.tables import published_table
from iemomecp_dataset.errors import InvalidDataError, MissingDependencyError, UsageError
from iemomecp_dataset.trainers.cli import parse_options
from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.options import OBJECTIVE_NAMES, TrainingOptions

FOLDER = Path(protocols.__file__).parent
LISTED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("experiments.json").read_text(encoding="utf-8"))
FAMILIES = {"RoBERTa": "t", "WavLM": "a", "CLIP": "v", "RW-Fusion": "ta", "RC-Fusion": "tv", "RWC-Fusion": "tav"}
# arXiv 2606.18893, RPCL minus Base: Pair F1 and gold-negative gap, in points.
PUBLISHED_GAINS = {"ecf": (2.58, 4.72), "mecad": (2.59, 1.69), "mec4": (2.83, 3.46)}
SHARED = {
    "arXiv 2605.25208": {
        "scorer": "isolated", "epochs": 10, "batch_size": 16, "learning_rate": 2e-5, "encoder_learning_rate": 2e-5,
        "weight_decay": 0.01, "warmup_ratio": 0.1, "max_grad_norm": 1.0, "max_tokens": 160, "class_weighting": "sqrt",
        "selection": "macro_f1", "decision": "argmax", "patience": 0, "dropout": 0.1, "objective": "base",
    },
    "arXiv 2606.18893": {
        "scorer": "dialogue", "hidden_size": 400, "max_tokens": 512, "base_margin": 0.05, "top_k": 8,
        "corruption_rate": 0.30, "ranking_weight": 0.3, "corrupted_supervision_weight": 0.75, "alignment_weight": 0.2,
        "epochs": 30, "patience": 5, "batch_size": 32, "encoder_learning_rate": 1e-5, "learning_rate": 5e-5,
        "weight_decay": 1e-4, "max_grad_norm": 1.0, "class_weighting": "none", "decision": "threshold",
    },
}  # fmt: skip

every_experiment = pytest.mark.parametrize(
    "experiment", [e for e in find_experiments("*") if e.family == "fusion"], ids=lambda e: e.name
)
# Weighted F1 and accuracy of ECERC on IEMOCAP and MELD: the full system, without a part, and by modalities.
ECERC = {
    "": (71.78, 71.60, 66.46, 67.32),
    "_no_evidence_gate": (69.39, 69.17, 65.40, 66.28), "_no_event_encoding": (69.63, 69.46, 65.34, 66.28),
    "_no_emotion_encoding": (68.99, 68.78, 65.85, 66.85), "_no_self_event": (69.86, 69.66, 65.36, 66.31),
    "_no_cross_event": (69.63, 69.50, 65.40, 66.50), "_no_self_emotion": (66.81, 66.60, 65.22, 66.27),
    "_no_cross_emotion": (67.55, 67.49, 65.35, 66.34), "_no_feature_gate": (68.79, 68.68, 65.50, 66.58),
    "_own_evidence_gate": (70.06, 69.77, 66.02, 66.99), "_joint_feature_gate": (70.64, 70.38, 66.01, 66.85),
    "_ta": (69.89, 69.71, 65.21, 65.95), "_tv": (67.89, 67.84, 65.53, 66.63), "_av": (59.11, 59.21, 43.54, 47.78),
    "_t": (63.51, 63.34, 65.25, 66.37), "_a": (56.05, 56.99, 32.23, 47.98), "_v": (27.57, 30.72, 43.24, 48.33),
}  # fmt: skip
PROTOCOLS = [f"{corpus}_ecerc_{protocol}" for corpus in ("iemocap", "meld") for protocol in ("corrected", "released")]
OF_ECERC = [f"{name}{part}" for name in PROTOCOLS for part in ECERC]


def in_full(experiment: Experiment) -> dict[str, Any]:
    """The experiment as ``experiments.json`` lists it, numbers of the published tables included."""
    listed: dict[str, Any] = {
        "name": experiment.name, "source": experiment.source, "system": experiment.system,
        "seeds": list(experiment.seeds), "options": dict(experiment.options),
    }  # fmt: skip
    if experiment.left_open:
        listed["left_open"] = list(experiment.left_open)
    published = experiment.published
    if published:
        about = {"split": published.split, "statistic": published.statistic, "definition": published.definition}
        values = published_values(experiment)
        if published.table:
            about["table"] = published.table
            about["row"] = dict(published.row)
            about["values"] = {key: {"column": c, "value": values[key]} for key, c in published.columns.items()}
        if published.gains:
            about |= {"origin": published.origin, "against": published.against, "gains": dict(published.gains)}
        listed["published"] = about
    return listed


@pytest.mark.parametrize("listed", LISTED, ids=lambda listed: listed["name"])
def test_nothing_of_the_full_list_is_lost(listed: dict[str, Any]) -> None:
    found = in_full(find_experiment(listed["name"]))
    values = listed.get("published", {}).get("values", {})
    for key, number in values.items():
        read = found["published"]["values"][key]
        assert read["value"] == pytest.approx(number["value"], abs=1e-15)
        read["value"] = number["value"]
    assert found == listed
    assert {name: type(value) for name, value in found["options"].items()} == {
        name: type(value) for name, value in listed["options"].items()
    }


def test_there_is_one_for_each_published_configuration() -> None:
    expected = {
        f"iemomecp_{task}_{family.lower().replace('-', '_')}"
        for family in FAMILIES
        for task in ("3class", "source_binary")
    }
    for corpus in PUBLISHED_GAINS:
        expected |= {f"{corpus}_{objective}_tav" for objective in OBJECTIVE_NAMES}
        expected |= {f"{corpus}_{objective}_{m}" for objective in ("base", "rpcl") for m in ("t", "ta", "tv")}
    assert expected == {listed["name"] for listed in LISTED}
    of_explanations = {name for name in experiment_names() if name.startswith("ecem_")}
    assert len(of_explanations) == 9
    assert not any(find_experiment(name).published for name in of_explanations)  # FAME-Net's are not public
    assert list(experiment_names()) == sorted([*expected, *OF_ECERC, *of_explanations])
    assert len(list(FOLDER.glob("*.yaml"))) <= 12


@every_experiment
def test_an_experiment_has_its_papers_protocol(experiment: Experiment) -> None:
    options = experiment.options
    shared = SHARED[experiment.source]
    assert {name: options[name] for name in shared} == shared
    if experiment.source == "arXiv 2605.25208":
        assert experiment.seeds == (42, 123, 456)
        assert options["modalities"] == FAMILIES[experiment.system]
        assert options["hidden_size"] == (768 if "t" in options["modalities"] else 256)
        assert experiment.name.startswith(f"iemomecp_{options['config_name']}_")
    else:
        assert experiment.seeds == (42, 345, 456)
        assert experiment.name == f"{options['config_name']}_{options['objective']}_{options['modalities']}"
        assert experiment.left_open


@every_experiment
def test_published_numbers_are_those_of_the_tables_and_of_the_paper(experiment: Experiment) -> None:
    published = experiment.published
    corpus = experiment.options["config_name"]
    if experiment.source == "arXiv 2605.25208":
        assert published is not None
        table = published_table(published.table)
        for column, value in published.row.items():
            table = table[table[column] == value]
        assert len(table) == 1
        assert set(published.columns.values()) <= set(table.columns)
        assert "pair_f1" in published.columns
    elif published:
        assert experiment.name == f"{corpus}_rpcl_tav"
        assert (published.gains["pair_f1"], published.gains["gold_negative_gap"]) == PUBLISHED_GAINS[corpus]
        assert find_experiment(published.against).options == {**experiment.options, "objective": "base"}


@pytest.mark.parametrize("name", OF_ECERC)
def test_an_experiment_of_ecerc_has_the_papers_numbers(name: str) -> None:
    experiment = find_experiment(name)
    corpus, _, protocol, *parts = name.split("_", 3)
    part = "".join(parts)
    options, published = experiment.options, experiment.published
    assert (options["config_name"], options["protocol"], experiment.family) == (corpus, protocol, "ecerc")
    assert part in (options["ablation"], options["modalities"], "")
    assert (options["ablation"] == "none") or (options["modalities"] == "tav")
    assert published is not None
    assert published.within == {"iemocap": 2.5, "meld": 1.0}[corpus]
    EmotionTrainingOptions.from_flat({**options, "data_dir": "d", "output_dir": "o"}).check()
    values = published_values(experiment)
    numbers = ECERC[f"_{part}" if part else ""]
    expected = numbers[:2] if corpus == "iemocap" else numbers[2:]
    assert [round(100 * values[key], 2) for key in ("weighted_f1", "accuracy")] == list(expected)
    assert ("macro_f1" in values) == (part == "")


@every_experiment
def test_the_trainers_take_its_options_as_they_are(experiment: Experiment) -> None:
    options = TrainingOptions.from_flat({**experiment.options, "data_dir": "d", "output_dir": "o"})
    options.check()
    flat = options.flat()
    assert {name: flat[name] for name in experiment.options} == experiment.options


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("ecf_rpcl_tav", ["ecf_rpcl_tav"]),
        ("*_rpcl_tav", ["ecf_rpcl_tav", "mec4_rpcl_tav", "mecad_rpcl_tav"]),
        ("iemomecp_3class_r?_fusion", ["iemomecp_3class_rc_fusion", "iemomecp_3class_rw_fusion"]),
    ],
)
def test_a_name_or_a_pattern_finds_experiments(pattern: str, names: list[str]) -> None:
    assert [experiment.name for experiment in find_experiments(pattern)] == names


@pytest.mark.parametrize("find", [find_experiment, find_experiments])
def test_an_unknown_name_is_answered_with_the_nearest(find: Any) -> None:
    known = r"'ecf_rpcl_tvv'\. Did you mean 'ecf_rpcl_tv'\? Known names: ecem_projector, "
    with pytest.raises(UsageError, match=known):
        find("ecf_rpcl_tvv")
    with pytest.raises(UsageError, match=r"'dailydialog_\*'"):
        find("dailydialog_*")
    with pytest.raises(UsageError, match=r"'ECF_BASE_T'"):
        find("ECF_BASE_T")


def test_options_of_an_experiment_cannot_be_changed_for_others() -> None:
    with pytest.raises(TypeError):
        find_experiment("ecf_base_t").options["epochs"] = 1  # type: ignore[index]


def test_without_pyyaml_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    protocols._experiments.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[train\]"):
        experiment_names()


PROTOCOL = {
    "source": "paper", "seeds": [1], "options": {"config_name": "a", "epochs": 3},
    "left_open": ["one"],
    "variants": [
        {"system": "A", "name": "{config_name}-{epochs}", "options": {"epochs": [1, 2], "config_name": ["a", "b"]}},
        {"system": "B-c", "left_open": ["two"], "name": "{system}"},
    ],
}  # fmt: skip


def experiments_of(protocol: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Experiment]:
    (folder / "paper.yaml").write_text(yaml.safe_dump(protocol))
    monkeypatch.setattr(protocols, "__file__", str(folder / "protocols.py"))
    return dict(protocols._experiments.__wrapped__())


def test_a_variant_inherits_and_a_list_gives_one_experiment_per_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = experiments_of(PROTOCOL, tmp_path, monkeypatch)
    assert list(found) == ["a_1", "a_2", "b_1", "b_2", "b_c"]
    assert found["b_c"] == Experiment(
        "b_c", "paper", "B-c", (1,), {"config_name": "a", "epochs": 3}, left_open=("one", "two")
    )
    assert found["b_2"].options == {"config_name": "b", "epochs": 2}
    assert found["b_2"].left_open == ("one",)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sedes": [1]}, TypeError, "sedes"),
        ({"variants": [{"system": "A", "name": "x"}] * 2}, InvalidDataError, "two experiments are called x"),
    ],
)
def test_a_protocol_file_with_a_mistake_is_an_error(
    change: dict[str, Any], error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(error, match=message):
        experiments_of({**PROTOCOL, **change}, tmp_path, monkeypatch)


@pytest.mark.parametrize("named", ["rpcl", "{name: ecf_rpcl_tav}", "[ecf_rpcl_tav]"])
def test_an_experiment_of_a_file_that_does_not_exist_is_refused(named: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"experiment: {named}\nseed: 1\n")
    with pytest.raises(UsageError, match=r"There is no experiment .* Did you mean"):
        parse_options(["--config", str(file)], description="")


def test_options_of_a_file_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("experiment: ecf_rpcl_tav\nlearning_rat: 1\n")
    with pytest.raises(UsageError, match="learning_rate"):
        parse_options(["--config", str(file)], description="")


@pytest.mark.slow
def test_an_experiment_runs(synthetic_dir: Path, tmp_path: Path) -> None:
    from iemomecp_dataset.trainers.run import run

    experiment = find_experiment("iemomecp_3class_wavlm")
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({"experiment": experiment.name}))
    arguments = ["--config", str(file), "--data_dir", str(synthetic_dir), "--epochs", "1", "--output_dir",
                 str(tmp_path / "run"), "--quiet"]  # fmt: skip
    results = run(parse_options(arguments, description=""))
    assert results is not None
    assert (results.scorer, results.modalities) == ("isolated", "a")
    stored = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert set(stored) == set(TrainingOptions().flat())
