"""Names that other libraries look up, in any order of imports, and when a cached dataset is built again."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import datasets
import pytest
from datasets import load_dataset
from mapped_functions import mapped_fingerprints

import iemomecp_dataset
from iemomecp_dataset.errors import IemomecpError, MissingDataError, UsageError
from iemomecp_dataset.registration import wrap


def run_python(code: str, *arguments: object, cwd: Path, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "HF_DATASETS_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


IMPORTS = {
    "ours first": "import iemomecp_dataset\nfrom datasets import load_dataset",
    "ours last": "from datasets import load_dataset\nimport iemomecp_dataset",
    "theirs whole, ours between": "import datasets\nimport iemomecp_dataset\nload_dataset = datasets.load_dataset",
    "spec looked up in between": (
        "import iemomecp_dataset, importlib.util\nimportlib.util.find_spec('datasets.load')\n"
        "from datasets import load_dataset"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("imports", IMPORTS.values(), ids=IMPORTS.keys())
def test_any_import_order_from_any_directory(tree, tmp_path, imports):
    # A folder of the same name in the working directory must not get in the way.
    (tmp_path / "iemomecp").mkdir()
    code = imports + "\nimport sys\nprint(load_dataset('iemomecp', data_dir=sys.argv[1], split='train').num_rows)"
    assert run_python(code, tree.root, cwd=tmp_path, cache=tmp_path / "cache") == "3"


# What has to work after any order of imports. The folder holds a saved scorer.
USE = """
import sys, datasets, evaluate
from transformers import AutoConfig, AutoModel
assert datasets.get_dataset_default_config_name("iemomecp") == "3class"
assert evaluate.load("iemomecp_pair_f1", keep_in_memory=True).name == "iemomecp_pair_f1"
assert AutoConfig.from_pretrained(sys.argv[1]).class_names == ["pair", "non_pair"]
assert type(AutoModel.from_pretrained(sys.argv[1])).__name__ == "DialogueScorer"
from transformers.pipelines import check_task
assert check_task("emotion-cause-pairs")[1]["impl"].__name__ == "EmotionCausePipeline"
print("right")
"""
ORDERS = {
    "ours first": "import iemomecp_dataset",
    "ours last": "import datasets, evaluate, transformers\nfrom transformers import AutoModel\nimport iemomecp_dataset",
    "after datasets": "import datasets, iemomecp_dataset, transformers, evaluate",
    "after transformers": "from transformers import AutoConfig\nimport iemomecp_dataset",
    "after the pipelines": "from transformers import pipeline\nimport iemomecp_dataset",
    "by the pipeline": "import iemomecp_dataset.trainers\niemomecp_dataset.trainers.EmotionCausePipeline",
    "after evaluate, by a model": "import evaluate\nfrom iemomecp_dataset.trainers import IsolatedScorer",
}
# One fork for each order. What takes longest to import, and knows nothing of names, comes before: half of the time.
EACH_ORDER = f"""
import os, sys
import aiohttp, pandas, pyarrow, torch
assert not {{"datasets", "evaluate", "transformers", "iemomecp_dataset"}} & sys.modules.keys()
for order, imports in {ORDERS}.items():
    sys.stdout.flush()
    if not (child := os.fork()):
        print(order, end=": ")
        exec(imports + {USE!r})
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, order
"""


@pytest.fixture(scope="module")
def scorer_dir(tmp_path_factory):
    from iemomecp_dataset.trainers import DialogueScorer, DialogueScorerConfig

    config = DialogueScorerConfig(
        class_names=["pair", "non_pair"], text_size=4, hidden_size=8, pair_size=8, num_layers=1, num_heads=2
    )
    folder = tmp_path_factory.mktemp("scorer")
    DialogueScorer(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_every_name_is_known_in_any_import_order(scorer_dir, tmp_path):
    right = run_python(EACH_ORDER, scorer_dir, cwd=tmp_path, cache=tmp_path / "cache")
    assert right.splitlines() == [f"{order}: right" for order in ORDERS]


def test_models_are_found_by_every_look_up_of_transformers(scorer_dir):
    from transformers import AutoConfig, AutoModel

    from iemomecp_dataset.trainers import DialogueScorer, IsolatedScorerConfig

    config = AutoConfig.from_pretrained(scorer_dir)
    assert isinstance(AutoModel.from_config(config), DialogueScorer)
    assert isinstance(AutoModel.from_pretrained(scorer_dir, config=config), DialogueScorer)
    assert isinstance(AutoConfig.for_model("iemomecp_isolated_scorer"), IsolatedScorerConfig)


def test_the_task_is_among_those_of_transformers():
    from transformers.pipelines import PIPELINE_REGISTRY

    from iemomecp_dataset.trainers import EmotionCausePipeline

    assert "emotion-cause-pairs" in PIPELINE_REGISTRY.get_supported_tasks()
    _, found, _ = PIPELINE_REGISTRY.check_task("emotion-cause-pairs")
    assert (found["impl"], found["type"]) == (EmotionCausePipeline, "text")
    with pytest.raises(KeyError, match=r"Unknown task emotion-cause-pears, available tasks are .*emotion-cause-pairs"):
        PIPELINE_REGISTRY.check_task("emotion-cause-pears")


def test_unknown_models_are_answered_by_transformers_itself(tmp_path):
    from transformers import AutoConfig

    with pytest.raises(ValueError, match="Unrecognized model identifier: no_such") as caught:
        AutoConfig.for_model("no_such")
    assert caught.value.__context__ is None
    (tmp_path / "config.json").write_text('{"model_type": "no_such"}')
    with pytest.raises(ValueError, match="model type `no_such`"):
        AutoConfig.from_pretrained(tmp_path)


def test_a_look_up_without_torch_fails_as_transformers_does(monkeypatch):
    import iemomecp_dataset.registration as registration

    def refuse(model_type):
        raise ValueError(f"unknown {model_type}")

    def no_torch():
        raise ModuleNotFoundError("No module named 'torch'")

    monkeypatch.setattr(registration, "_register_models", no_torch)
    with pytest.raises(ValueError, match="unknown x") as caught:
        registration._find_model(refuse)("x")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_bert_does_not_import_our_models(tmp_path):
    code = """
        import sys
        import iemomecp_dataset
        from transformers import AutoConfig
        assert AutoConfig.for_model("bert").model_type == "bert"
        print([name for name in sys.modules if name.startswith("iemomecp_dataset.trainers")])
    """
    assert run_python(code, cwd=tmp_path, cache=tmp_path) == "[]"


# The mechanism, on a made-up library.


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of one look-up, one class, and a module that has a copy of the look-up."""
    name = f"library_{tmp_path.name}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "loading.py").write_text(
        "def find(name):\n    return f'found {name}'\n\n\n"
        "class Auto:\n    @classmethod\n    def make(cls, name):\n        return f'{cls.__name__} {name}'\n"
    )
    (folder / "inspect.py").write_text("from .loading import find\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def shout(original):
    return lambda *args: original(*args).upper()


def wrap_library(library):
    wrap(f"{library}.loading", "find", shout)
    wrap(f"{library}.loading", "Auto.make", shout)


@pytest.mark.parametrize("imported_before", ["", "loading", "inspect"])
def test_functions_and_methods_are_wrapped_once_and_copies_too(library, imported_before):
    if imported_before:
        importlib.import_module(f"{library}.{imported_before}")
    wrap_library(library)
    wrap_library(library)
    loading = importlib.import_module(f"{library}.loading")
    wrap_library(library)
    assert loading.find("x") == "FOUND X"
    assert loading.find._iemomecp_wraps("x") == "found x"
    assert importlib.import_module(f"{library}.inspect").find is loading.find
    assert loading.Auto.make("x") == "AUTO X"
    assert type("Own", (loading.Auto,), {}).make("x") == "OWN X"


def test_a_wrapped_module_is_an_ordinary_one_and_can_be_reloaded(library):
    wrap_library(library)
    assert importlib.util.find_spec(f"{library}.loading").loader is not None
    loading = importlib.import_module(f"{library}.loading")
    assert type(loading.__loader__) is type(importlib.import_module(f"{library}.inspect").__loader__)
    assert "def find" in inspect.getsource(loading)
    assert importlib.reload(loading).find("x") == "FOUND X"
    assert loading.Auto.make("x") == "AUTO X"


def test_a_second_copy_of_this_package_does_not_get_in_the_way(library, monkeypatch):
    wrap_library(library)
    for watcher in [finder for finder in sys.meta_path if type(finder).__name__ == "_Watcher"]:
        other = type("_Watcher", (), dict(vars(type(watcher))))()
        other.actions = {f"{library}.loading": {"find": lambda module: setattr(module, "seen", True)}}
        monkeypatch.setattr(sys, "meta_path", [other, *sys.meta_path])
    loading = importlib.import_module(f"{library}.loading")
    assert loading.seen
    assert loading.find("x") == "FOUND X"


def test_an_import_that_fails_fails_as_it_would(library, tmp_path):
    (tmp_path / library / "loading.py").write_text("raise ZeroDivisionError")
    wrap_library(library)
    with pytest.raises(ZeroDivisionError):
        importlib.import_module(f"{library}.loading")


def test_other_names_still_go_to_datasets(tmp_path):
    (tmp_path / "a.json").write_text('{"x": 1}\n')
    assert load_dataset("json", data_files=str(tmp_path / "a.json"), split="train")["x"][:] == [1]


def test_inspection_of_datasets_knows_the_name():
    assert datasets.get_dataset_config_names("iemomecp")[:3] == ["3class", "source_binary", "overlay"]
    assert datasets.get_dataset_default_config_name("iemomecp") == "3class"
    assert datasets.load_dataset_builder("iemomecp", "overlay").info.features["pairs"] is not None


def test_registering_twice_wraps_once():
    from iemomecp_dataset.registration import register

    before = datasets.load.dataset_module_factory, datasets.utils._dill.Pickler.dispatch[ModuleType]
    register()
    assert (datasets.load.dataset_module_factory, datasets.utils._dill.Pickler.dispatch[ModuleType]) == before


@pytest.mark.slow
def test_functions_that_use_the_package_have_one_hash_in_every_process(tree, tmp_path):
    first, second = mapped_fingerprints(tmp_path, tree.root, environment=os.environ)
    assert first == second
    assert len(set(first.values())) == len(first) == 8
    assert len(list((tmp_path / "cache").rglob("cache-*.arrow"))) == 8, "the second process finds what the first made"


def test_load_and_load_dataset_share_the_cache(tree):
    first = load_dataset("iemomecp", data_dir=tree.root, split="train")
    second = iemomecp_dataset.load(data_dir=str(tree.root), split="train")
    assert first.cache_files == second.cache_files
    assert first._fingerprint == second._fingerprint


def cache_files(tree):
    return load_dataset("iemomecp", data_dir=tree.root, split="train").cache_files


def test_touching_an_input_does_not_build_again(tree):
    before = cache_files(tree)
    os.utime(tree.transcript("Ses01F_impro01"), (1, 1))
    os.utime(tree.labels("test"), (1, 1))
    assert cache_files(tree) == before


@pytest.mark.parametrize("what", ["labels", "pickle", "evaluation", "wav"])
def test_every_kind_of_input_counts(tree, what):
    before = cache_files(tree)
    if what == "labels":
        tree.labels("test").write_text(tree.labels("test").read_text() + " ")
    elif what == "pickle":
        tree.protocol = 4
        tree.write_pickle()
    elif what == "evaluation":
        path = tree.evaluation("Ses05F_impro03")
        path.write_text(path.read_text() + "\n")
    else:
        next((tree.root / "IEMOCAP").rglob("*.wav")).unlink()
    assert cache_files(tree) != before


def test_options_and_places_have_caches_of_their_own(tree, tmp_path):
    before = cache_files(tree)
    tree.root.rename(tmp_path / "moved")
    moved = load_dataset("iemomecp", data_dir=tmp_path / "moved", split="train")
    assert moved.cache_files != before
    assert str(tmp_path / "moved") in moved[0]["utterances"][0]["wav"]
    other = load_dataset("iemomecp", data_dir=tmp_path / "moved", split="train", text_source="ecpec")
    assert other.cache_files != moved.cache_files


def test_new_code_does_not_read_old_rows(tree, monkeypatch):
    before = cache_files(tree)
    monkeypatch.setattr("iemomecp_dataset.fingerprints.code_fingerprint", lambda: "0" * 16)
    assert cache_files(tree) != before


@pytest.mark.slow
def test_racing_processes_build_one_good_dataset(tree, tmp_path):
    code = """
        import sys
        import iemomecp_dataset
        rows = iemomecp_dataset.load(data_dir=sys.argv[1])
        print(sum(len(iemomecp_dataset.gold_pairs(row)) for split in rows.values() for row in split))
    """
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", textwrap.dedent(code), str(tree.root)]
    racers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(3)
    ]
    results = [racer.communicate() for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0, 0], results
    assert len({out for out, _ in results}) == 1
    assert int(results[0][0]) > 0


def test_a_split_that_is_not_there_is_named(tree):
    with pytest.raises(UsageError, match=r"'valdi'.*train, validation, test"):
        load_dataset("iemomecp", data_dir=tree.root, split="valdi")
    sliced = load_dataset("iemomecp", data_dir=tree.root, split="train[:1]+test")
    assert len(sliced) == 3


@pytest.mark.parametrize(
    ("name", "options", "error", "said"),
    [
        ("3clas", {}, UsageError, ["Did you mean '3class'?"]),
        (None, {"data_dirs": "x"}, UsageError, ["data_dirs", "Did you mean 'data_dir'?"]),
        (None, {"text_source": "ecpc"}, UsageError, ["text_source", "Did you mean 'ecpec'?"]),
        (None, {"candidates": "past"}, UsageError, ["'candidates'", "'ecf'"]),
        ("3class", {"forward_pairs": "gold"}, UsageError, ["'forward_pairs'", "'source_binary'"]),
        ("ecf", {"label_dir": "x"}, UsageError, ["'label_dir'", "'overlay'"]),
        (None, {"max_mismatch": 2}, UsageError, ["max_mismatch", "2"]),
        (None, {"max_mismatch": "much"}, UsageError, ["max_mismatch", "much"]),
        (None, {"data_dir": ""}, UsageError, ["data_dir"]),
        (None, {"data_dir": "a\0b"}, UsageError, ["data_dir", "NUL"]),
        (None, {"data_files": "x.json"}, UsageError, ["data_dir="]),
        (None, {}, MissingDataError, ["data_dir=", "IEMOCAP/", "ECPEC/", "labels/"]),
        ("ecf", {}, MissingDataError, ["data_dir=", "train.txt", "https://"]),
        (None, {"data_dir": "/no/such/place"}, MissingDataError, ["/no/such/place", "no such folder"]),
        ("ecf", {"data_dir": "/no/such/place"}, MissingDataError, ["/no/such/place", "https://"]),
    ],
)
def test_what_a_user_gets_wrong_is_answered_by_one_clear_error(name, options, error, said):
    for load in (lambda: load_dataset("iemomecp", name, **options), lambda: iemomecp_dataset.load(name, **options)):
        with pytest.raises(error) as caught:
            load()
        assert isinstance(caught.value, IemomecpError)
        for words in said:
            assert words in str(caught.value)


@pytest.mark.parametrize(
    ("path", "content", "same"),
    [
        ("reader.py", "one = 1", True),
        ("reader.py", "one = 2", False),
        ("corpora/new.py", "", False),
        ("trainers/loop.py", "", True),
        ("metrics/scoring.py", "", True),
        ("command_line.py", "", True),
        ("jobs/new.py", "", True),
        ("README.md", "", True),
    ],
)
def test_cached_rows_are_those_of_the_same_code(
    path: str, content: str, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from iemomecp_dataset import fingerprints

    monkeypatch.setattr(fingerprints, "__file__", str(tmp_path / "fingerprints.py"))
    (tmp_path / "reader.py").write_text("one = 1")
    before = fingerprints.code_fingerprint.__wrapped__()
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(content)
    assert (fingerprints.code_fingerprint.__wrapped__() == before) == same
