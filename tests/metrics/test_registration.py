"""evaluate.load by name: in either import order, from anywhere, offline, in new processes."""

import os
import subprocess
import sys

import forked_python
import pytest

LOAD = 'assert evaluate.load("iemomecp_pair_f1", "source_binary", keep_in_memory=True).name == "iemomecp_pair_f1"'


def run_python(code, tmp_path, cwd):
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    return forked_python.run("-c", code, cwd=cwd, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        f"import iemomecp_dataset.metrics, evaluate; {LOAD}",
        f"import evaluate, iemomecp_dataset.metrics; {LOAD}",
        f"from iemomecp_dataset.metrics.scoring import pair_scores; import evaluate; {LOAD}",
        # A copy of the look-up that another module took before we came.
        "import evaluate.inspect as i, iemomecp_dataset.metrics as m; m.register_with_evaluate(); "
        "assert i.evaluation_module_factory.knows_iemomecp",
        # Registering twice wraps once; the module stays an ordinary one.
        "import iemomecp_dataset.metrics as m; m.register_with_evaluate(); m.register_with_evaluate(); import sys; "
        "assert sum(getattr(f, 'module_name', '') == 'evaluate.loading' for f in sys.meta_path) == 1; "
        "import evaluate.loading as l, inspect; assert 'Hub' in inspect.getsource(l); m.register_with_evaluate(); "
        f"import importlib; importlib.reload(l); import evaluate; {LOAD}",
    ],
)
def test_name_is_known_in_either_import_order(code, tmp_path):
    done = run_python(code, tmp_path, cwd="/")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_other_names_still_go_to_evaluate_itself(tmp_path):
    done = run_python('import iemomecp_dataset.metrics, evaluate; evaluate.load("no_such_metric")', tmp_path, cwd="/")
    assert done.returncode == 1
    assert "Couldn't find a module script" in done.stderr


@pytest.mark.slow
def test_folder_of_the_same_name_does_not_hide_the_registered_one(tmp_path):
    decoy = tmp_path / "iemomecp_pair_f1"
    decoy.mkdir()
    (decoy / "iemomecp_pair_f1.py").write_text("raise RuntimeError('decoy')")
    done = run_python(f"import iemomecp_dataset.metrics, evaluate; {LOAD}", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_neither_evaluate_nor_torch():
    code = "import sys, iemomecp_dataset.metrics; assert not {'evaluate', 'torch', 'datasets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd="/", check=True)
