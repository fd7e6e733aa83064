"""Cells as pure data: expansion of sweeps, flags, and refused values."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import pytest
import yaml

from iemomecp_dataset.benchmark.experiments import find_experiments, protocols
from iemomecp_dataset.benchmark.matrix.cell_job import job_of
from iemomecp_dataset.benchmark.matrix.cells import Sweep, cells_of, option_value
from iemomecp_dataset.benchmark.matrix.experiments import experiment_sweeps, read_sweep
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.trainers import cli
from iemomecp_dataset.trainers.cli import TRAINERS, options_of, parse_options


def test_every_combination_is_one_cell_with_a_folder_of_its_own():
    values = {"data_dir": ("d",), "objective": ("base", "rpcl"), "modalities": ("t", "tav"), "learning_rate": (1e-3, 3)}
    cells = cells_of(Sweep(values=values, seeds=(1, 2)))
    found = {
        (o["objective"], o["modalities"], o["learning_rate"], o["seed"]) for o in (c.options.flat() for c in cells)
    }
    assert found == set(itertools.product(("base", "rpcl"), ("t", "tav"), (1e-3, 3.0), (1, 2)))
    assert len({cell.name for cell in cells}) == 16
    assert "3class-dialogue-rpcl-tav-learning_rate=0.001-s2" in {cell.name for cell in cells}
    assert all(
        "/" not in cell.name for cell in cells_of(Sweep(values={"data_dir": ("d",), "text_encoder": ("a/b", "c/d")}))
    )


def test_the_trainer_reads_its_flags_back_as_the_cell():
    values = {"data_dir": ("some data",), "threshold": ("0.25",), "learning_rate": ("1e-3",), "epochs": (3,),
              "deterministic": ("true",), "objective": ("ccps",), "text_encoder": ("-odd name",)}  # fmt: skip
    (cell,) = cells_of(Sweep(values=values, seeds=(7,)))
    assert parse_options(cell.flags(Path("runs")), description="") == cell.options_in(Path("runs"))


@pytest.mark.parametrize("family", TRAINERS)
def test_a_trainer_script_reads_its_cell_with_the_defaults_of_its_name(family, monkeypatch):
    started: list[str] = []
    monkeypatch.setattr(cli, "train_from_command_line", lambda text, trainer="fusion": started.append(trainer))
    script = Path(str(cli.__file__)).with_name(f"{family}.py")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert started == [family]
    values = {"data_dir": ("d",), "dropout": (0.4,), "hidden_size": (256,)}
    (cell,) = cells_of(Sweep(families=(family,), values=values))
    runs = Path("runs")
    assert parse_options(cell.flags(runs), description="", defaults=TRAINERS[family]) == cell.options_in(runs)


def test_an_impossible_combination_stays_in_the_matrix_with_its_reason():
    cells = cells_of(Sweep(values={"data_dir": ("d",), "scorer": ("dialogue", "isolated"), "objective": ("rpcl",)}))
    assert [bool(cell.impossible) for cell in cells] == [False, True]
    assert "isolated" in cells[1].impossible


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"objective": ("rpl",)}, "--objective has no value 'rpl'. Did you mean 'rpcl'?"),
        ({"scorer": ("isolated",), "objective": ("rpcl",), "epochs": (0,)}, "--epochs must be at least 1"),
        ({"objectiv": ("base",)}, "There is no option 'objectiv'. Did you mean 'objective'?"),
        ({"epochs": ("three",)}, "--epochs takes a whole number, but is 'three'"),
        ({"epochs": (2.5,)}, "--epochs takes a whole number"),
        ({"epochs": (True,)}, "--epochs takes a whole number"),
        ({"learning_rate": ("fast",)}, "--learning_rate takes a number"),
        ({"quiet": ("perhaps",)}, "--quiet takes true or false"),
        ({"objective": ([],)}, "--objective takes a text"),
        ({"seed": (1,)}, "--seed is an option of a single run, not of a matrix: give the seeds with --seeds."),
        ({"output_dir": ("x",)}, "--output_dir is an option of a single run, not of a matrix: give --runs_dir, the"),
        ({"run_name": ("x",)}, "a cell is named by its settings"),
        ({"objective": ()}, "No values were given for objective"),
    ],
)
def test_values_that_do_not_fit_are_named(values, message):
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        cells_of(Sweep(values={"data_dir": ("d",), **values}))


def test_data_is_needed_and_can_be_given_by_configuration():
    with pytest.raises(UsageError, match="--data_dir is missing"):
        cells_of(Sweep())
    values = {"config_name": ("3class", "source_binary", "ecf", "reccon")}
    cells = cells_of(Sweep(values=values, data_dirs={"3class": "I", "ecf": "E", "": "rest"}))
    assert [cell.options.data.data_dir for cell in cells] == ["I", "I", "E", "rest"]


def test_different_cells_never_share_a_folder_and_equal_ones_are_one():
    one = Sweep(values={"data_dir": ("d",), "learning_rate": (1e-3,)})
    assert len(cells_of(one, one)) == 1
    with pytest.raises(UsageError, match=r"share the folder .* learning_rate 0.001 and 0.002"):
        cells_of(one, Sweep(values={"data_dir": ("d",), "learning_rate": (2e-3,)}))


def test_an_unknown_trainer():
    with pytest.raises(UsageError, match="Experiment mine: There is no trainer 'fusoin'"):
        cells_of(Sweep("mine", families=("fusoin",), values={"data_dir": ("d",)}))
    with pytest.raises(UsageError, match="Did you mean 'fusion'"):
        cells_of(Sweep(families=("fussion",), values={"data_dir": ("d",)}))


def test_an_experiment_file_is_a_sweep_and_the_command_line_wins(tmp_path):
    path = tmp_path / "paper.yaml"
    content = {"config_name": "ecf", "objectives": ["base", "rpcl"], "learning_rate": "3e-4", "seeds": [1, 2, 3],
               "published": {"pair_f1": 57.9}, "description": "x"}  # fmt: skip
    path.write_text(yaml.safe_dump(content))
    cells = cells_of(
        *experiment_sweeps(path, Sweep(families=(), seeds=(9,), values={"epochs": (2,)}, data_dirs={"": "d"}))
    )
    assert [cell.name for cell in cells] == ["paper-base-s9", "paper-rpcl-s9"]
    assert cells[0].options.optimization.learning_rate == 3e-4
    assert cells[0].options.optimization.epochs == 2
    assert len(cells_of(read_sweep(path, Sweep(families=(), seeds=(), data_dirs={"": "d"})))) == 6


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (": :", InvalidDataError, "is not valid YAML"),
        ("- a", InvalidDataError, "must hold options by name, but holds list"),
        ("objective: base\nobjectives: [rpcl]", UsageError, "objective is given twice"),
        *(
            (path.read_text(encoding="utf-8"), UsageError, "protocol file of a paper.*by name, such as ecf_rpcl_tav")
            for path in sorted(Path(protocols.__file__).parent.glob("*.yaml"))
        ),
    ],
)
def test_a_broken_experiment_file_is_named(tmp_path, text, error, message):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message) as caught:
        read_sweep(path)
    assert str(path) in str(caught.value)


def test_seeds_and_families_of_an_experiment_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"seeds": [4, 5], "families": ["wavlm"], "data_dir": "d", "epochs": 2}))
    cells = cells_of(read_sweep(path))
    assert [(cell.name, cell.family) for cell in cells] == [("run-s4", "wavlm"), ("run-s5", "wavlm")]


def test_an_experiment_that_does_not_exist():
    with pytest.raises(MissingDataError, match="no experiment file nowhere"):
        experiment_sweeps("nowhere")
    with pytest.raises(MissingDataError, match=r"no experiment file ecf_rpcl_tav.yaml.* Did you mean 'ecf_rpcl_tav'\?"):
        experiment_sweeps("ecf_rpcl_tav.yaml")
    with pytest.raises(MissingDataError, match=r"No experiment matches 'dailydialog_\*'"):
        experiment_sweeps("dailydialog_*")


@pytest.mark.parametrize("experiment", find_experiments("*"), ids=lambda experiment: experiment.name)
def test_a_cell_of_an_experiment_is_the_run_of_that_experiment_alone(experiment, tmp_path):
    needed = {}  # what has no default in any protocol
    if experiment.family == "explain":
        needed["language_model"] = "a/model"
    if "projector" in experiment.options:
        needed["frames"] = "a/store"
    if experiment.options.get("causes") == "predicted":
        needed["causes_from"] = "runs/pairs"
    axes = {name: (value,) for name, value in needed.items()}
    cells = cells_of(*experiment_sweeps(experiment.name, Sweep("", (), axes, (), {"": "d"})))
    assert [cell.name for cell in cells] == [f"{experiment.name}-s{seed}" for seed in experiment.seeds]
    assert [cell.options.run.seed for cell in cells] == list(experiment.seeds)
    assert not any(cell.impossible for cell in cells)
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump({"experiment": experiment.name, **experiment.options}))
    given = ["--config", str(config), "--data_dir", "d", "--output_dir", "runs/x", "--seed", "42", "--quiet", "True"]
    given += [part for name, value in needed.items() for part in (f"--{name}", value)]
    kind, defaults = options_of(experiment.family)
    alone = parse_options(given, description="", defaults=defaults, kind=kind).flat()
    cell = cells[0].options_in(Path("runs")).flat()
    assert {**alone, "output_dir": 0, "seed": 0} == {**cell, "output_dir": 0, "seed": 0}


def test_a_pattern_gives_the_cells_of_every_matching_experiment():
    cells = cells_of(*experiment_sweeps("*_rpcl_tav", Sweep("", (), {}, (), {"": "d"})))
    assert [cell.name for cell in cells] == [
        f"{corpus}_rpcl_tav-s{seed}" for corpus in ("ecf", "mec4", "mecad") for seed in (42, 345, 456)
    ]
    both = cells_of(
        *experiment_sweeps("ecf_rpcl_t", Sweep("", (), {}, (), {"": "d"})),
        *experiment_sweeps("iemomecp_3class_clip", Sweep("", (), {"epochs": (2,)}, (7,), {"": "d"})),
    )
    assert [(cell.name, cell.options.optimization.epochs) for cell in both] == [
        *((f"ecf_rpcl_t-s{seed}", 30) for seed in (42, 345, 456)),
        ("iemomecp_3class_clip-s7", 2),
    ]


def test_values_take_the_types_of_the_trainer():
    assert option_value("epochs", "3") == 3
    assert option_value("data_dir", Path("x").name) == "x"
    with pytest.raises(IemomecpError):
        option_value("epochs", None)


@pytest.mark.parametrize(
    ("family", "values", "name", "has", "lacks"),
    [
        ("ecerc", {}, "ecf-ecerc-corrected-t-s7", "--patience=20", "--empty_rows=uniform"),
        ("ecerc", {"protocol": "released"}, "ecf-ecerc-released-t-s7", "--empty_rows=uniform", "--objective=base"),
        ("emotion", {}, "ecf-emotion_transformer-corrected-t-s7", "--hidden_size=256", "--protocol=corrected"),
    ],
)
def test_cells_of_emotion_recognition_name_their_trainer(family, values, name, has, lacks):
    given = {"data_dir": "d", "config_name": "ecf", "modalities": "t", **values}
    (cell,) = cells_of(Sweep("", (family,), {option: (value,) for option, value in given.items()}, (7,)))
    assert cell.name == f"{family}-{name}"
    job = job_of(cell, Path("runs"))
    (script,) = (word for word in job.command if word.endswith(".py"))
    assert Path(script).name == f"{family}.py"
    assert has in job.command
    assert lacks not in job.command
    kind, defaults = options_of(family)
    flags = cell.flags(Path("runs"))
    assert parse_options(flags, description="", defaults=defaults, kind=kind) == cell.options_in(Path("runs"))


def test_an_option_of_another_task_is_an_error():
    with pytest.raises(UsageError, match="objective"):
        cells_of(Sweep("", ("ecerc",), {"data_dir": ("d",), "objective": ("rpcl",)}))
