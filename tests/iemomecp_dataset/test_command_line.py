"""Options of dataclasses: spellings, choices, bounds; and how commands name themselves."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iemomecp_dataset import command_line
from iemomecp_dataset.command_line import (
    REQUIRED,
    OptionParser,
    as_called,
    check_values,
    circumstances,
    command_hint,
    option,
    program_name,
    read_options,
    read_values,
)
from iemomecp_dataset.errors import UsageError, missing_extra, see_page


@dataclass(frozen=True)
class Model:
    """Options of every type."""

    _group = "model"

    num_heads: int = option(4, "Attention heads.", minimum=1)
    top_k: int | None = option(8, "Hard negatives; none for all.", minimum=1)
    learning_rate: float = option(1e-3, "Of AdamW.", above=0)
    dropout: float = option(0.1, "Share that is dropped.", minimum=0, maximum=1)
    rate: float = option(0.5, "Share.", above=0, maximum=1)
    margin: float = option(0.0, "Largest margin.", maximum=2)
    encoder_mode: Literal["trained", "frozen"] = option("trained", "How the encoder is used.")
    mixed_precision: Literal["no", "bf16"] = option("no", "Precision.")
    pair_refinement: bool = option(True, "Score twice.")
    quiet: bool = option(False, "No bars.", setting=False)
    text_layers: str = option("auto", "Layers, 100% of them.")
    run_name: str | None = option(None, "Name.", setting=False)
    cache_dir: Path | None = option(None, "Folder.", setting=False)
    seeds: tuple[int, ...] = option((), "Seeds.", minimum=0)
    formats: tuple[Literal["pdf", "svg"], ...] = option(("pdf",), "Formats.")


@dataclass(frozen=True)
class Whole:
    """Options in sections."""

    model: Model = field(default_factory=Model)


@dataclass(frozen=True)
class Command:
    """A command with a place, a required option, and an option that can stand alone."""

    _dashes = True

    data_dir: Path = option(REQUIRED, "Folder.")
    runs_dir: Path | None = option(None, "Runs.", positional=True)
    published: str | None = option(None, "Published numbers.", without_value="3class")
    with_text: bool = option(False, "Show text.")


def parse(*arguments: str) -> dict[str, Any]:
    return OptionParser(Model, command="train").parse(arguments)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["--num_heads", "2"], {"num_heads": 2}),
        (["--num-heads", "2"], {"num_heads": 2}),
        (["--num_heads=2"], {"num_heads": 2}),
        (["--num-heads=1e1"], {"num_heads": 10}),
        (["--top_k", "none"], {"top_k": None}),
        (["--learning-rate", "1e-3"], {"learning_rate": 1e-3}),
        (["--margin", "-1e-3"], {"margin": -1e-3}),
        (["--text_layers", "-1,-4"], {"text_layers": "-1,-4"}),
        (["--text_layers=a=b"], {"text_layers": "a=b"}),
        (["--run_name", "none"], {"run_name": "none"}),
        (["--cache_dir", "x"], {"cache_dir": Path("x")}),
        (["--seeds", "1", "2"], {"seeds": (1, 2)}),
        (["--seeds=2147483647"], {"seeds": (2147483647,)}),
        (["--formats", "svg", "pdf", "--quiet"], {"formats": ("svg", "pdf"), "quiet": True}),
        *(([*words], {"pair_refinement": False}) for words in (
            ("--no-pair_refinement",), ("--no-pair-refinement",), ("--no_pair_refinement",),
            ("--pair_refinement=false",), ("--pair-refinement=no",), ("--pair_refinement", "False"),
            ("--pair_refinement", "0"),
        )),
        *(([*words], {"quiet": True}) for words in (
            ("--quiet",), ("--quiet=true",), ("--quiet", "true"), ("--quiet=1",), ("--no-quiet", "--quiet", "yes"),
        )),
        ([], {}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_every_spelling(arguments: list[str], values: dict[str, Any]) -> None:
    assert parse(*arguments) == values


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num_heads", "0"], "--num_heads must be at least 1, but is 0."),
        (["--top-k=-3"], "--top_k must be at least 1, but is -3."),
        (["--learning_rate", "-1"], "--learning_rate must be above 0, but is -1.0."),
        (["--learning_rate=0"], "--learning_rate must be above 0, but is 0.0."),
        (["--dropout", "1.5"], "--dropout must lie within [0, 1], but is 1.5."),
        (["--rate", "0"], "--rate must lie within (0, 1], but is 0.0."),
        (["--margin", "3"], "--margin must be at most 2, but is 3.0."),
        (["--dropout", "nan"], "--dropout must be a finite number, but is nan."),
        (["--learning_rate", "inf"], "--learning_rate must be a finite number, but is inf."),
        (["--seeds", "1", "-2"], "--seeds must be at least 0, but is -2."),
        (["--num_heads", "two"], "--num_heads takes a whole number, but is 'two'."),
        (["--num_heads", "2.5"], "--num_heads takes a whole number, but is '2.5'."),
        (["--num_heads", "inf"], "--num_heads takes a whole number, but is 'inf'."),
        (["--learning_rate", "fast"], "--learning_rate takes a number, but is 'fast'."),
        (["--quiet=perhaps"], "--quiet takes true or false, but is 'perhaps'."),
        (["--no-quiet=true"], "--no-quiet takes no value, but is given 'true'."),
        (
            ["--encoder-mode", "trainde"],
            "--encoder_mode has no value 'trainde'. Did you mean 'trained'? Known names: trained, frozen.",
        ),
        (["--formats", "pdf", "gif"], "--formats has no value 'gif'."),
        (["--num_head", "2"], "There is no option '--num_head'. Did you mean '--num_heads'?"),
        (["--num-head=2"], "There is no option '--num-head'. Did you mean '--num_heads'?"),
        (["--num_heads"], "--num_heads: expected one argument. See --help."),
        (["stray"], "Unexpected argument 'stray'. See --help."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_sentence(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*arguments)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["--with_text", "runs"], {"with_text": True, "runs_dir": Path("runs")}),
        (["runs", "--with-text", "true"], {"with_text": True, "runs_dir": Path("runs")}),
        (["--with-text", "1"], {"with_text": True, "runs_dir": Path("1")}),
        (["--published"], {"published": "3class"}),
        (["--published", "ecf", "runs"], {"published": "ecf", "runs_dir": Path("runs")}),
        (["--published=ecf"], {"published": "ecf"}),
        (["--", "--with-text"], {"runs_dir": Path("--with-text")}),
    ],
)
def test_places_and_values_that_can_be_left_out(arguments: list[str], values: dict[str, Any]) -> None:
    parser = OptionParser(Command, command="report")
    assert parser.parse(["--data-dir=d", *arguments]) == {"data_dir": Path("d"), **values}


def test_a_required_option_is_named_as_it_is_shown() -> None:
    with pytest.raises(UsageError, match="The following arguments are required: --data-dir"):
        read_options(Command, ["runs"], command="report", description=None)


def test_help_lists_choices_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        OptionParser(Model, command="train", defaults={"dropout": 0.7}).parse(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--encoder_mode {trained,frozen}" in text
    assert "--pair_refinement, --no-pair_refinement" in text
    assert "Share that is dropped. (default: 0.7)" in text
    assert "Layers, 100% of them." in text
    assert "--no-quiet" not in text
    assert "(default: None)" not in text


def test_unknown_options_can_be_passed_on() -> None:
    values, rest = OptionParser(Command, command="x").parse_known(["--data-dir", "d", "--epochs", "3", "--lr=1"])
    assert values == {"data_dir": Path("d"), "runs_dir": Path("3")}
    assert rest == ["--epochs", "--lr=1"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_heads": 0}, "--num_heads must be at least 1, but is 0."),
        ({"num_heads": "4"}, "--num_heads takes a whole number, but is '4'."),
        ({"num_heads": True}, "--num_heads takes a whole number, but is True."),
        ({"num_heads": None}, "--num_heads takes a whole number, but is None."),
        ({"learning_rate": float("nan")}, "--learning_rate must be a finite number, but is nan."),
        ({"learning_rate": -1}, "--learning_rate must be above 0, but is -1"),
        ({"encoder_mode": "froze"}, "--encoder_mode has no value 'froze'. Did you mean 'frozen'?"),
        ({"mixed_precision": False}, "--mixed_precision takes a text, but is False."),
        ({"quiet": "true"}, "--quiet takes true or false, but is 'true'."),
        ({"text_layers": 1}, "--text_layers takes a text, but is 1."),
        ({"seeds": (1, -1)}, "--seeds must be at least 0, but is -1."),
    ],
)
def test_python_callers_are_checked_alike(values: dict[str, Any], message: str) -> None:
    for options in (Model(**values), Whole(Model(**values))):
        with pytest.raises(UsageError) as caught:
            check_values(options)
        assert str(caught.value).startswith(message)


def test_values_that_fit_pass() -> None:
    check_values(Whole())
    check_values(Model(learning_rate=1, top_k=None, cache_dir="text", seeds=(1, 2)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ({"learning_rate": "1e-3"}, {"learning_rate": 1e-3}),  # what YAML makes of 1e-3
        ({"mixed_precision": False}, {"mixed_precision": "no"}),  # what YAML makes of no
        ({"num_heads": 8.0}, {"num_heads": 8}),
        ({"run_name": 12}, {"run_name": "12"}),
        ({"top_k": None}, {"top_k": None}),
        ({"seeds": [1, "2"]}, {"seeds": (1, 2)}),
        ({"seeds": 3}, {"seeds": (3,)}),
    ],
)
def test_values_from_yaml(found: dict[str, Any], value: dict[str, Any]) -> None:
    assert read_values([Model], found) == value


def test_values_from_yaml_are_checked() -> None:
    with pytest.raises(UsageError, match=r"There is no option 'num_head'\. Did you mean 'num_heads'\?"):
        read_values([Model], {"num_head": 1})
    with pytest.raises(UsageError, match="--num_heads must be at least 1, but is 0"):
        read_values([Model], {"num_heads": "0"})


def test_circumstances_are_declared_on_the_option() -> None:
    assert circumstances(Model) == {"quiet", "run_name", "cache_dir"}


# Before Python 3.13 argparse drops a value that is "--", which ends the options elsewhere; it is then refused.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8).filter(lambda text: text != "--")


@settings(max_examples=150, deadline=None)
@given(
    st.builds(
        Model,
        num_heads=st.integers(1, 2**31 - 1),
        top_k=st.none() | st.integers(1, 2**31 - 1),
        learning_rate=st.floats(0, 1e38, exclude_min=True),
        dropout=st.floats(0, 1),
        rate=st.floats(0, 1, exclude_min=True),
        margin=st.floats(-1e38, 2),
        encoder_mode=st.sampled_from(["trained", "frozen"]),
        mixed_precision=st.sampled_from(["no", "bf16"]),
        pair_refinement=st.booleans(),
        quiet=st.booleans(),
        text_layers=TEXT,
        run_name=TEXT,
        cache_dir=TEXT.map(Path),
        seeds=st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3).map(tuple),
        formats=st.lists(st.sampled_from(["pdf", "svg"]), min_size=1, max_size=3).map(tuple),
    ),
    st.sampled_from("_-"),
    st.booleans(),
)
def test_options_survive_a_command_line(options: Model, separator: str, joined: bool) -> None:
    check_values(options)
    arguments: list[str] = []
    for one in fields(options):
        value = getattr(options, one.name)
        flag = "--" + one.name.replace("_", separator)
        if isinstance(value, tuple):
            arguments += [flag, *map(str, value)]
        elif joined or str(value).startswith("-"):
            arguments.append(f"{flag}={value}")
        else:
            arguments += [flag, str(value)]
    assert read_options(Model, arguments, command="x", description=None) == options


@pytest.mark.parametrize(
    ("program", "name", "example"),
    [
        ("scripts/report.py", "report.py", "python scripts/report.py runs"),
        ("/clone/trainers/fusion.py", "fusion.py", "python scripts/report.py runs"),
        ("/bin/iemomecp", "iemomecp report", "iemomecp report runs"),
        (
            "/x/iemomecp_dataset/__main__.py",
            "python -m iemomecp_dataset report",
            "python -m iemomecp_dataset report runs",
        ),
        ("-c", "iemomecp report", "iemomecp report runs"),
    ],
)
def test_a_command_is_named_as_it_was_started(
    program: str, name: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    assert program_name("report") == name
    assert as_called("    python scripts/report.py runs") == f"    {example}"


def test_launched_scripts_and_trainers_are_named_as_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["iemomecp"])
    assert as_called("accelerate launch trainers/clip.py --x") == "iemomecp train clip --x"
    launched = as_called("accelerate launch scripts/extract_features.py --x")
    assert launched == "accelerate launch -m iemomecp_dataset extract --x"
    assert as_called("python -m iemomecp_dataset stats ecf") == "iemomecp stats ecf"


@pytest.mark.parametrize(
    ("program", "elsewhere", "fetch", "stats"),
    [
        ("scripts/report.py", False, "python scripts/fetch_labels.py", "iemomecp stats"),
        ("notebook", False, "python scripts/fetch_labels.py", "iemomecp stats"),
        ("/clone/scripts/report.py", True, "iemomecp fetch", "iemomecp stats"),
        ("/bin/iemomecp", False, "iemomecp fetch", "iemomecp stats"),
        ("/bin/iemomecp", True, "iemomecp fetch", "iemomecp stats"),
        (
            "/x/iemomecp_dataset/__main__.py",
            False,
            "python -m iemomecp_dataset fetch",
            "python -m iemomecp_dataset stats",
        ),
    ],
)
def test_messages_in_a_clone_name_what_was_started_or_is_in_the_current_folder(
    program: str,
    elsewhere: bool,
    fetch: str,
    stats: str,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", [program])
    monkeypatch.chdir(tmp_path if elsewhere else repository)
    assert command_hint("fetch", "--label-dir D") == f"{fetch} --label-dir D"
    assert command_hint("stats") == stats


def test_a_console_script_that_is_not_on_the_path_is_named_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "my env" / "iemomecp"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_hint("stats", "ecf") == f"'{program}' stats ecf"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_hint("stats", "ecf") == "iemomecp stats ecf"


@pytest.mark.parametrize(
    ("checkout", "installed", "fetch", "stats"),
    [
        (True, True, "python scripts/fetch_labels.py --label-dir D", "iemomecp stats"),
        (True, False, "python scripts/fetch_labels.py --label-dir D", "python -m iemomecp_dataset stats"),
        (False, True, "iemomecp fetch --label-dir D", "iemomecp stats"),
    ],
)
def test_messages_name_what_the_installation_has(
    checkout: bool,
    installed: bool,
    fetch: str,
    stats: str,
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "iemomecp").touch(0o755 if installed else 0o644)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.chdir(repository)
    monkeypatch.setattr(command_line, "is_checkout", lambda: checkout)
    for module in ("errors", "installation"):
        monkeypatch.setattr(f"iemomecp_dataset.{module}.is_checkout", lambda: checkout)
    assert see_page("DATA_TERMS.md") == (" (see DATA_TERMS.md)" if checkout else "")
    assert command_hint("fetch", "--label-dir D") == fetch
    assert command_hint("stats") == stats
    message = str(missing_extra("torch", "train"))
    assert ("[train]" if checkout else '"torch') in message
    assert ("-e" in message) == checkout


def test_missing_extra_names_the_clone_when_it_is_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    assert 'pip install -e ".[train]"' in str(missing_extra("torch", "train"))
    monkeypatch.chdir(tmp_path)
    assert f'pip install -e "{repository}[train]"' in str(missing_extra("torch", "train"))
    assert see_page("DATA_TERMS.md") == f" (see {repository / 'DATA_TERMS.md'})"


def test_an_output_that_cannot_be_written_is_refused_with_the_options(tmp_path: Path) -> None:
    @dataclass
    class Options:
        output: Path = option(REQUIRED, "Where to.", written=True)

    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/x\.csv: cannot be written .Not a directory"):
        read_options(Options, ["--output", str(tmp_path / "file" / "x.csv")], command="x", description=None)
    with pytest.raises(UsageError, match="--output takes a path, but is empty"):
        read_options(Options, ["--output="], command="x", description=None)


def test_a_type_that_no_command_line_can_give_is_a_defect() -> None:
    @dataclass
    class Broken:
        mapping: dict = option(None, "A mapping.")

    with pytest.raises(TypeError, match=r"Broken\.mapping"):
        check_values(Broken())


def test_quiet_and_verbose_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="--quiet or --verbose, not both"):
        read_options(Model, ["--quiet", "--verbose"], command="x", description=None)
