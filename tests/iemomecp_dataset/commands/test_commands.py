"""Every command through ``iemomecp_dataset.__main__``: help, dispatch, exit codes; and its script."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import iemomecp_dataset.commands
from iemomecp_dataset.__main__ import main
from iemomecp_dataset.command_line import _SCRIPTS, _declared
from iemomecp_dataset.commands import COMMANDS
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.set_scores import DEFINITIONS
from iemomecp_dataset.schema import EXPLANATION_STATUSES
from iemomecp_dataset.synthetic import write_ecem
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, EXPLANATION_TRAINERS, TRAINERS

# Asks for every help text in one process, as a module of the package is started, and reports what was imported.
EVERY_HELP = """
import contextlib, io, json, sys
from pathlib import Path
import iemomecp_dataset
sys.argv[0] = str(Path(iemomecp_dataset.__file__).with_name("__main__.py"))
from iemomecp_dataset.__main__ import main
from iemomecp_dataset.commands import COMMANDS
texts, imported = {}, {}
for name in (*COMMANDS, "train fusion", "train roberta", "train wavlm", "train clip"):
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            main([*name.split(), "--help"])
    except SystemExit as end:
        assert end.code == 0, (name, end.code)
    texts[name] = output.getvalue()
    imported[name] = [m for m in ("torch", "transformers", "datasets", "pandas", "accelerate") if m in sys.modules]
print(json.dumps([texts, imported]))
"""


@pytest.fixture(scope="module", name="helps")
def fixture_helps() -> tuple[dict[str, str], dict[str, list[str]]]:
    done = subprocess.run([sys.executable, "-c", EVERY_HELP], capture_output=True, text=True, check=True)
    texts, imported = json.loads(done.stdout)
    return texts, imported


def leave(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def test_the_table_names_every_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(iemomecp_dataset.commands.__path__)}
    assert modules == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize("name", [*COMMANDS, "train fusion", "train roberta", "train wavlm", "train clip"])
def test_help_is_light_and_has_examples_that_start_this_way(name: str, helps: tuple[dict, dict]) -> None:
    texts, imported = helps
    text = texts[name]
    assert text.startswith(f"usage: python -m iemomecp_dataset {name} ")
    assert re.search(rf"^    python -m iemomecp_dataset {name}( |$)", text, flags=re.M), text
    assert "scripts/" not in text
    assert "trainers/" not in text
    assert imported[name] == []


_CONFIGS = "{3class,source_binary,ecf,mecad,mec4,reccon,meld,iemocap,ecem,ecgf}"


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("stats", "{3class,source_binary,overlay,ecf,mecad,mec4,reccon,meld,iemocap,ecem,ecgf}"),
        ("evaluate", "--config-name {3class,source_binary,overlay,ecf,mecad,mec4,reccon,meld,iemocap,ecem,ecgf}"),
        ("evaluate", "--system-modalities {t,a,v,ta,tv,av,tav}"),
        ("synthetic", "--scale {demo,full}"),
        ("extract", f"--config_name {_CONFIGS}"),
        ("export", f"--config_name {_CONFIGS}"),
        ("export", "--format {chat,llava}"),
        ("export-for", "{hilo,m3hg,mecpe,semeval,m3hg-json}"),
        ("export-for", "--config-name {3class,source_binary,ecf,mecad,mec4,reccon}"),
        ("export-for", "--positive {emo_cause,emo_context,pair}"),
        ("train fusion", f"--config_name {_CONFIGS}"),
        ("report", "--published [{3class,source_binary,ecf,mecad,mec4,reccon,meld,iemocap,ecem,ecgf}]"),
        ("matrix", f"--config_names {_CONFIGS}"),
        ("figures", "--variant {as_published,corrected}"),
        ("matrix", "--families {fusion,roberta,wavlm,clip,ecerc,emotion}"),
        ("matrix", "--scorers {dialogue,isolated}"),
        ("matrix", "--objectives {base,rpcl,cdmr,"),
    ],
)
def test_help_lists_choices(name: str, choices: str, helps: tuple[dict, dict]) -> None:
    assert choices in helps[0][name]


def test_help_of_evaluate_has_the_texts_of_the_definitions(helps: tuple[dict, dict]) -> None:
    text = " ".join(helps[0]["evaluate"].split())
    assert [letter for letter, words in DEFINITIONS.items() if f" {letter}: {words}." in text] == [*"ABCDF"]


def test_every_command_without_arguments_works_or_says_what_it_needs() -> None:
    bare = {name: leave(name) for name in COMMANDS if name not in ("demo", "figures")}  # these have work to do
    assert bare == {name: 0 if name == "stats" else 2 for name in bare}


def test_every_script_runs_its_command(repository: Path) -> None:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (repository / "scripts").glob("*.py")}
    of_clone = {"active_environment.py", "bench.py", "bench_gpu.py", "make_tiny_encoder.py", "mutate.py"}
    named = {name: Path(shlex.split(start)[1]) for name, start in _SCRIPTS.items() if "scripts/" in start}
    assert {path.name for path in named.values()} == set(scripts) - of_clone
    for name, path in named.items():
        assert f'run("{name}")' in scripts[path.name]
        assert name in COMMANDS
    for start in set(_SCRIPTS.values()) - {f"python {path}" for path in named.values()}:
        assert (repository / start.split()[-1]).is_file()
    trainers = {f"train {name}" for name in (*TRAINERS, *EMOTION_TRAINERS, *EXPLANATION_TRAINERS)}
    assert trainers == {name for name in _SCRIPTS if name.startswith("train ")}


@pytest.mark.parametrize("script", ["demo", "build_from_sources", "make_tiny_encoder", "bench", "mutate"])
def test_a_script_names_itself(script: str, repository: Path) -> None:
    path = repository / "scripts" / f"{script}.py"
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"usage: {script}.py ")
    assert f"python scripts/{script}.py" in done.stdout


def test_help_lists_the_commands_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; sys.argv[:] = ['iemomecp', '--help']\nfrom iemomecp_dataset.__main__ import main\n"
        "try: main()\nfinally: print([m for m in sys.modules if 'commands.' in m or m == 'numpy'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "usage: iemomecp COMMAND [OPTIONS]"
    assert lines[-1] == "[]"
    for name, line in COMMANDS.items():
        assert any(re.fullmatch(rf"  {name} +{re.escape(line)}", found) for found in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "usage"),
    [
        ([], 2, "usage: iemomecp COMMAND [OPTIONS]\n"),
        (["-h"], 0, "usage: iemomecp COMMAND [OPTIONS]\n"),
        (["help"], 0, "usage: iemomecp COMMAND [OPTIONS]\n"),
        (["help", "report"], 0, "usage: iemomecp report "),
    ],
)
def test_every_way_to_ask_for_help(
    arguments: list[str], code: int, usage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iemomecp"])
    assert leave(*arguments) == code
    shown = capsys.readouterr()
    assert (shown.err if code else shown.out).startswith(usage)
    assert (shown.out if code else shown.err) == ""


@pytest.mark.parametrize("word", ["--version", "version"])
def test_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave(word) == 0
    assert capsys.readouterr().out == f"iemomecp {iemomecp_dataset.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["valdate"], "There is no command 'valdate'. Did you mean 'validate'?"),
        (["ecff", "--data-dir", "x"], "There is no command 'ecff'. Did you mean 'ecf'?"),
        (["--data-dri", "x"], "There is no option '--data-dri'. Did you mean '--data-dir'?"),
        (["validate"], "The following arguments are required: --label-dir"),
        (["report"], "Give RUNS_DIR, the folder with the runs, or --published."),
        (["report", "x", "--resamples", "1"], "--resamples must be 0, or at least 2."),
        (["report", "x", "--resamples", "-1"], "--resamples must be at least 0, but is -1."),
        (["evaluate", "x.csv", "--as-run", "y"], "--as-run needs --data-dir"),
        (["evaluate", "x.csv", "--system", "y"], "go with --as-run"),
        (["figures", "--runs", "x"], "--runs needs --data-dir"),
        (["figures", "--variant", "corrected"], "--variant corrected needs --runs"),
        (["figures", "--variant", "correct"], "--variant has no value 'correct'. Did you mean 'corrected'?"),
        (["diagnose", "x"], "The following arguments are required: --output"),
        (["diagnose", "x", "--output", "y"], "x is not a folder"),
        (["export", "--data_dir", "x"], "The following arguments are required: --output_dir"),
        (["export", "--data_dir", "x", "--output_dir", "y", "--format", "lava"], "Did you mean 'llava'?"),
        (
            ["export", "--data_dir", "x", "--output_dir", "y", "--context_turns", "-1"],
            "--context_turns must be at least",
        ),
        (
            ["export", "--data_dir", "x", "--output_dir", "y", "--causes", "predicted"],
            "--causes predicted and --causes_from go together; found --causes predicted without --causes_from.",
        ),
        (
            ["export", "--data_dir", "x", "--output_dir", "y", "--emotion_from", "z"],
            "--emotion predicted and --emotion_from go together; found --emotion gold with --emotion_from.",
        ),
        (["fetch", "--label-dir", "x", "--timeout", "0"], "--timeout must be above 0, but is 0.0."),
        (["extract", "--data-dir", "x", "--modality", "smell"], "required: --output_dir"),
        (
            ["extract", "--data-dir", "x", "--modality", "text", "--output-dir", "y", "--max-tokens", "1"],
            "--max_tokens must be at least 2, but is 1.",
        ),
        (["matrix", "--slots", "0"], "--slots must be at least 1, but is 0."),
        (["matrix", "--seeds", "1", "-1"], "--seeds must lie within [0, 4294967295], but is -1."),
        (["matrix", "--gpus", "0,x", "--dry_run"], "--gpus takes numbers of GPUs, each once, such as 0,1; found '0,x'"),
        (["evaluate", "x.csv", "--missed-positives", "-4"], "--missed-positives must be at least 0, but is -4."),
        (["evaluate", "x.csv", "--resamples", "-1"], "--resamples must be at least 0, but is -1."),
        (["evaluate", "x.csv", "--confidence", "1"], "--confidence must lie within (0, 1), but is 1.0."),
        (["evaluate", "x.csv", "--threshold", "50"], "--threshold must lie within [0, 1], but is 50.0."),
        (["evaluate", "x.csv", "--seed", "-1"], "--seed must be at least 0, but is -1."),
        (["evaluate", "x.csv", "--system-seed", "-1"], "--system-seed must be at least 0, but is -1."),
        (["build", "--output-dir", "x", "--max-mismatch", "7"], "--max-mismatch must lie within [0, 1], but is 7.0."),
        (["build", "--output-dir", "x", "--max-label-mismatch", "-1"], "--max-label-mismatch must lie within [0, 1]"),
        (["synthetic", "--output-dir", "x", "--seed", "-5"], "--seed must be at least 0, but is -5."),
        (
            ["train"],
            "give fusion, roberta, wavlm, clip, ecerc, emotion, explain. See --help.\nusage: iemomecp train [",
        ),
        (["train", "fusion", "--epoch", "3"], "There is no option '--epoch'. Did you mean '--epochs'? See --help.\n"),
        (["stats", "ecf"], "pass --data-dir, a folder with the files of Emotion-Cause-in-Friends"),
        (["stats", "--label-dir", "x"], "(no --data-dir was given; iemocap_root= names another place)"),
        (["stats", "--label-dir", "x"], "or do without it by --text-source ecpec"),
        (["build", "--output-dir", "x"], "pass --data-dir, a folder with IEMOCAP/, ECPEC/ and labels/"),
        (["build", "--output-dir", "x", "--label-dir", "x"], "no --data-dir was given; --iemocap-root names another"),
        (["stats", "emf"], "CONFIG has no value 'emf'. Did you mean 'ecf'?"),
        (["train", "fusoin", "--data_dir", "x"], "There is no trainer 'fusoin'. Did you mean 'fusion'?"),
        (["train", "--num_processes", "2"], "There is no trainer '2'."),
    ],
    ids=" ".join,
)
def test_mistakes_are_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_statistics_need_no_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("stats") == 0
    assert "to obtain it" in capsys.readouterr().out
    for arguments in (["ecf", "--data-dir", str(tmp_path)], ["stats", "ecf", f"--data_dir={tmp_path}"]):
        assert leave(*arguments) == 2
        assert "train.txt" in capsys.readouterr().err


def test_statistics_of_ecem_account_for_every_item(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_ecem(tmp_path / "ecem")
    for _ in range(2):  # from the files, and with rows from the cache
        assert leave("stats", "ecem", "--data-dir", str(folder)) == 0
        counts = dict(re.findall(r"^  (.+): (\d+)$", capsys.readouterr().out, re.M))
        items = [int(counts[f"explanations {status}"]) for status in EXPLANATION_STATUSES]
        assert sum(items) == int(counts["items of the file"]) == int(counts["items joined to MELD"])


def test_exit_code_1_is_passed_on(tmp_path: Path, synthetic_dir: Path) -> None:
    for file in (synthetic_dir / "labels").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert leave("validate", "--label-dir", str(tmp_path)) == 0
    (tmp_path / "test.json").write_text("{")
    assert leave("validate", "--label_dir", str(tmp_path)) == 1


@pytest.mark.parametrize("package", ["torch", "transformers", "accelerate"])
def test_a_matrix_names_the_extra_that_it_lacks_before_it_starts_a_cell(
    package: str,
    synthetic_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else found(name, *rest)
    )
    assert leave("matrix", "--data_dir", str(synthetic_dir), "--runs_dir", str(tmp_path / "runs")) == 2
    error = capsys.readouterr().err
    assert f"error: This needs the package '{package}', which is not installed. Run: pip install" in error
    assert not (tmp_path / "runs").exists()


def every_number() -> list[tuple[str, Any]]:
    """Every option of every command that takes numbers: by class and name."""
    places = [f"commands.{name.replace('-', '_')}" for name in COMMANDS]
    places += ["features.extraction_options", "features.faces.face_options"]
    places += ["trainers.options", "trainers.emotions.options", "trainers.explanation.options"]
    modules = [importlib.import_module(f"iemomecp_dataset.{place}") for place in places]
    classes = {one for module in modules for one in vars(module).values() if dataclasses.is_dataclass(one)}
    return [
        (f"{owner.__name__}.{name}", one)
        for owner in classes
        for name, one in _declared(owner).items()
        if one.base in (int, float)
    ]


def test_every_number_of_every_command_has_bounds() -> None:
    numbers = every_number()
    assert len(numbers) > 100
    for name, one in numbers:
        for text in ("nan", "inf", "-inf", "", "1e39", "-1e39", "0x10", "1,5"):
            with pytest.raises(UsageError, match=f"^{one.flag} .{{1,200}}$"):
                print(name, one.read(text))
