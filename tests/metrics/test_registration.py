"""evaluate.load by name: in either import order, from anywhere, offline, in new processes."""

import os
import subprocess
import sys

import forked_python
import pytest

from iemomecp_dataset.metrics.registration import METRIC_MODULES, code_hash

LOAD = 'assert evaluate.load("iemomecp_pair_f1", "source_binary", keep_in_memory=True).name == "iemomecp_pair_f1"'


def run_python(code, tmp_path, cwd):
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    return forked_python.run("-c", code, cwd=cwd, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        # A copy of the look-up that another module took before we came.
        "import evaluate.inspect as i, iemomecp_dataset.metrics, evaluate; "
        f"assert i.evaluation_module_factory('iemomecp_pair_f1').module_path.startswith('iemomecp_dataset.'); {LOAD}",
        # Registering twice wraps once; the module stays an ordinary one, and is wrapped again when it is reloaded.
        "from iemomecp_dataset.metrics.scoring import pair_scores; "
        "from iemomecp_dataset.registration import register; register(); register(); "
        "import evaluate.loading as l, inspect; f = l.evaluation_module_factory; register(); "
        "assert f is l.evaluation_module_factory; assert not hasattr(f._iemomecp_wraps, '_iemomecp_wraps'); "
        f"assert 'Hub' in inspect.getsource(l); import importlib; importlib.reload(l); import evaluate; {LOAD}",
    ],
)
def test_name_is_known_in_either_import_order(code, tmp_path):
    done = run_python(code, tmp_path, cwd="/")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_other_names_still_go_to_evaluate_itself(tmp_path):
    done = run_python('import iemomecp_dataset, evaluate; evaluate.load("no_such_metric")', tmp_path, cwd="/")
    assert done.returncode == 1
    assert "Couldn't find a module script" in done.stderr


@pytest.mark.slow
def test_folder_of_the_same_name_does_not_hide_the_registered_one(tmp_path):
    decoy = tmp_path / "iemomecp_pair_f1"
    decoy.mkdir()
    (decoy / "iemomecp_pair_f1.py").write_text("raise RuntimeError('decoy')")
    done = run_python(f"import iemomecp_dataset, evaluate; {LOAD}", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_neither_evaluate_nor_torch():
    code = "import sys, iemomecp_dataset.metrics; assert not {'evaluate', 'torch', 'datasets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd="/", check=True)


def test_every_metric_folder_has_a_name(repository):
    assert set(METRIC_MODULES) == {folder.name for folder in (repository / "metrics").glob("iemomecp_*")}


def test_the_hash_is_of_the_code(monkeypatch, tmp_path):
    for name in METRIC_MODULES:
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.py").touch()
    monkeypatch.setattr("iemomecp_dataset.metrics.registration.__file__", str(tmp_path / "registration.py"))
    hashes = {code_hash("iemomecp_pair_f1")}
    for file in ("scoring.py", "iemomecp_pair_f1/iemomecp_pair_f1.py"):
        (tmp_path / file).write_text("changed = True")
        hashes.add(code_hash("iemomecp_pair_f1"))
    assert len(hashes) == 3
