"""Files of Spaces: complete, accepted by the Hub, installing this version."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from hub_stand_in import card_errors

from iemomecp_dataset.errors import IemomecpError, MissingDataError, UsageError
from iemomecp_dataset.metrics.registration import METRIC_MODULES
from iemomecp_dataset.trainers.sharing.spaces import Wheel, app_space, metric_space


@pytest.fixture(name="source", autouse=True)
def fixture_source(monkeypatch: pytest.MonkeyPatch) -> str:
    """As if the package had been installed from a repository that a Space can read."""
    source = "git+https://git.example/iemomecp.git@0123abc"
    monkeypatch.setattr("iemomecp_dataset.trainers.sharing.spaces.recorded_source", lambda: source)
    return source


def text(files: dict[str, bytes | Path], name: str) -> str:
    content = files[name]
    assert isinstance(content, bytes)
    return content.decode("utf-8")


def header(files: dict[str, bytes | Path]) -> dict:
    return yaml.safe_load(text(files, "README.md").split("---\n")[1])


@pytest.mark.parametrize("name", METRIC_MODULES)
def test_a_metric_is_a_space_with_a_module_of_its_name(name: str, source: str) -> None:
    files = metric_space(name, "lab/scores")
    assert files.keys() == {"README.md", "app.py", "requirements.txt", "scores.py"}
    assert card_errors(text(files, "README.md"), "space") == []
    found = header(files)
    assert found["tags"] == ["evaluate", "metric", "iemomecp"]
    assert found["sdk_version"] == "3.50.2"
    assert "# Metric card" in text(files, "README.md")
    assert text(files, "requirements.txt").splitlines()[1] == f"iemomecp @ {source}"
    assert "gradio>=3.19,<4" in text(files, "requirements.txt")
    assert f'evaluate.load("{name}"' in text(files, "app.py")
    assert "evaluate.Metric" in text(files, "scores.py")


def test_the_module_of_a_metric_can_be_loaded_as_evaluate_does(tmp_path: Path) -> None:
    import evaluate

    (tmp_path / "scores.py").write_text(text(metric_space("iemomecp_erc", "lab/scores"), "scores.py"))
    metric = evaluate.load(str(tmp_path / "scores.py"), "ecf", keep_in_memory=True)
    assert metric.compute(predictions=[0, 1], references=[0, 1])["accuracy"] == 1.0


def test_the_page_shows_the_model(source: str) -> None:
    pytest.importorskip("iemomecp_dataset.trainers.app")
    files = app_space("me/pairs")
    assert files.keys() == {"README.md", "app.py", "requirements.txt"}
    code = text(files, "app.py")
    ast.parse(code)
    assert code.index("import os") < code.index('os.environ.setdefault("MODEL", "me/pairs")') < code.index("launch(")
    assert card_errors(text(files, "README.md"), "space") == []
    assert header(files)["models"] == ["me/pairs"]
    assert "iemomecp" in header(files)["tags"]
    assert text(files, "requirements.txt").splitlines()[1] == f"iemomecp[app] @ {source}"


def test_a_wheel_is_named_by_the_address_it_will_have(tmp_path: Path) -> None:
    file = tmp_path / "iemomecp-0.1.0-py3-none-any.whl"
    file.write_bytes(b"wheel")
    wheel = Wheel.of_space(file, "lab/scores", "https://hub.example", "main")
    files = metric_space("iemomecp_pair_f1", "lab/scores", wheel)
    assert files[file.name] == file
    url = f"https://hub.example/spaces/lab/scores/resolve/main/{file.name}"
    assert text(files, "requirements.txt").splitlines()[1] == f"iemomecp @ {url}"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, r"by --wheel FILE \(in a clone, pip wheel --no-deps -w dist \. builds one\)\."),
        ("file:///home/me/iemomecp", r"by --wheel FILE \(in a clone"),
        ("file:///home/my%20own/iemomecp-0.1.0-py3-none-any.whl", r"by --wheel /home/my own/iemomecp-0\.1\.0-py3-none"),
        ("git+ssh://git@git.example/iemomecp.git@0123abc", r"by --wheel FILE"),
    ],
)
def test_a_space_never_installs_the_package_by_its_name_alone(
    source: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iemomecp_dataset.trainers.sharing.spaces.recorded_source", lambda: source)
    for make in (lambda: metric_space("iemomecp_erc", "lab/scores"), lambda: app_space("me/pairs")):
        with pytest.raises(UsageError, match=said):
            make()


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("iemomecp-0.1.0-py3-none-any.whl", MissingDataError, "There is no file"),
        ("numpy-2.0.0-py3-none-any.whl", UsageError, "is not a wheel of this package"),
        ("iemomecp-0.1.0.tar.gz", UsageError, "is not a wheel of this package"),
    ],
)
def test_other_wheels_are_refused(name: str, error: type[IemomecpError], said: str, tmp_path: Path) -> None:
    if error is UsageError:
        (tmp_path / name).write_bytes(b"w")
    with pytest.raises(error, match=said):
        Wheel.of_space(tmp_path / name, "lab/scores", "https://hub.example", "main")


def test_an_unknown_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no metric 'pair_f1'\. Did you mean 'iemomecp_pair_f1'"):
        metric_space("pair_f1", "lab/scores")
