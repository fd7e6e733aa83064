"""The trainers' command line: who wins, what is checked, and how quick its help is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.trainers.cli import parse_options

REQUIRED = ["--data_dir", "d", "--output_dir", "o"]


@pytest.fixture(name="experiments", autouse=True)
def fixture_experiments(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """Experiments by name, in place of the published ones."""
    found: dict[str, dict[str, Any]] = {}
    module = ModuleType("iemomecp_dataset.benchmark.experiments")
    module.find_experiment = lambda name: SimpleNamespace(options=found[name])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return found


@pytest.mark.parametrize(
    ("in_file", "arguments"),
    [
        ("", ["--experiment", "published"]),
        ("experiment: published", []),
        ("experiment: other", ["--experiment", "published"]),
    ],
)
def test_command_line_over_file_over_experiment_over_script_over_protocol(
    in_file: str, arguments: list[str], experiments: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"{in_file}\nepochs: 3\npatience: 3\nlearning_rate: 1e-3\n")
    experiments["published"] = {"scorer": "isolated", "epochs": 2, "patience": 2, "top_k": 2, "max_tokens": 99}
    experiments["other"] = {"scorer": "dialogue", "top_k": 5}
    options = parse_options(
        [*arguments, "--config", str(file), "--epochs", "4", *REQUIRED],
        description="",
        defaults={"epochs": 1, "patience": 1, "top_k": 1, "max_tokens": 1, "modalities": "a"},
    )
    optimization = options.optimization
    assert (optimization.epochs, optimization.patience, options.objective.top_k, options.model.max_tokens) == (
        *(4, 3, 2, 99),
    )
    assert options.data.modalities == "a", "the script's"
    assert (optimization.batch_size, options.model.hidden_size) == (16, 256), "the protocol of the experiment's scorer"
    assert optimization.learning_rate == 1e-3, "YAML reads 1e-3 as a text"
    assert options.model.num_heads == 4, "the general default"


def test_every_bound_holds_for_files_and_experiments(experiments: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    for content, message in (
        ("num_heads: 0\n", "--num_heads must be at least 1, but is 0"),
        ("objective: rcpl\n", "Did you mean 'rpcl'"),
        ("epochs: .nan\n", "--epochs takes a whole number, but is nan"),
        ("learning_rat: 1\n", "Did you mean 'learning_rate'"),
    ):
        file.write_text(content)
        with pytest.raises(UsageError) as caught:
            parse_options(["--config", str(file), *REQUIRED], description="")
        assert message in str(caught.value)
        assert str(file) in str(caught.value)
    experiments["broken"] = {"dropout": 2}
    with pytest.raises(UsageError, match=r"--dropout must lie within \[0, 1\), but is 2"):
        parse_options(["--experiment=broken", *REQUIRED], description="")


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    for content, words in ((b"a: [", r"run\.yaml is not valid YAML"), (b"\xff\xfe\x00", r"run\.yaml: not UTF-8 text")):
        file.write_bytes(content)
        with pytest.raises(InvalidDataError, match=words):
            parse_options(["--config", str(file)], description="")


def test_the_command_line_switches_off_what_a_file_gives(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("batch_tokens: 100\nscorer: isolated\npair_refinement: no\nmixed_precision: no\n")
    options = parse_options(["--config", str(file), "--batch-tokens", "none", *REQUIRED], description="")
    assert options.optimization.batch_tokens is None
    assert (options.model.pair_refinement, options.optimization.mixed_precision) == (False, "no")


@pytest.mark.parametrize("source", ["command line", "file", "experiment", "script"])
@pytest.mark.parametrize(
    ("launcher", "own", "expected"),
    [
        (None, "bf16", "bf16"),
        ("no", "bf16", "bf16"),  # what accelerate launch passes on where it was asked for nothing
        ("bf16", None, "bf16"),
        ("BF16", "bf16", "bf16"),
        ("fp16", "bf16", None),
        ("bf16", "no", None),
        ("fp8", None, None),
        ("fp8", "bf16", None),
    ],
)
def test_a_precision_asked_of_the_launcher_is_used_or_refused(
    launcher: str | None, own: str | None, expected: str | None, source: str, experiments: dict[str, dict[str, Any]],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if launcher is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", launcher)
    given = {} if own is None else {"mixed_precision": own}
    (tmp_path / "run.yaml").write_text("".join(f"{name}: {value}\n" for name, value in given.items()) or "seed: 1")
    experiments["published"] = given
    arguments = {
        "command line": [f"--{name}={value}" for name, value in given.items()],
        "file": ["--config", str(tmp_path / "run.yaml")],
        "experiment": ["--experiment", "published"],
        "script": [],
    }
    # A protocol is a default: the launcher wins over it.
    for scorer in ("dialogue", "isolated"):
        everything = [*arguments[source], "--scorer", scorer, *REQUIRED]
        defaults = given if source == "script" else {}
        if expected is None:
            with pytest.raises(UsageError) as caught:
                parse_options(everything, description="", defaults=defaults)
            assert f"accelerate launch asks for the mixed precision {launcher}" in str(caught.value)
            assert launcher == "fp8" or f"--mixed_precision of the run is {own}" in str(caught.value)
        else:
            options = parse_options(everything, description="", defaults=defaults)
            assert options.optimization.mixed_precision == expected


def test_help_shows_the_protocol_of_the_scorer_known_so_far(capsys: pytest.CaptureFixture[str]) -> None:
    for defaults, epochs in (({}, 30), ({"scorer": "isolated"}, 10)):
        with pytest.raises(SystemExit):
            parse_options(["--help"], description="What it does.", defaults=defaults)
        text = " ".join(capsys.readouterr().out.split())
        assert f"Largest number of epochs (arXiv 2606.18893). (default: {epochs})" in text
        assert "What it does." in text


def test_help_is_quick_and_light(repository: Path) -> None:
    code = (
        "import resource, runpy, sys\nsys.argv = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n"
        "    usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "    heavy = [m for m in ('torch', 'transformers', 'datasets', 'numpy', 'yaml') if m in sys.modules]\n"
        "    print(usage.ru_utime + usage.ru_stime, heavy, file=sys.stderr)\n"
    )
    for script in ("fusion", "clip"):
        path = repository / "trainers" / f"{script}.py"
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"usage: {script}.py --data_dir")
        assert f"accelerate launch trainers/{script}.py" in done.stdout
        seconds, _, heavy = done.stderr.strip().partition(" ")
        assert heavy == "[]"
        assert float(seconds) < 0.6
