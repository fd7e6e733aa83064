"""The name, the import, and when a cached dataset is built again."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import datasets
import pytest
from datasets import load_dataset

import iemomecp_dataset
from iemomecp_dataset.errors import IemomecpError, MissingDataError, UsageError


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


def test_import_is_light(tmp_path):
    code = """
        import sys
        import iemomecp_dataset
        heavy = {"torch", "transformers", "evaluate", "datasets", "pandas", "pyarrow", "sklearn"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert run_python(code, cwd=tmp_path, cache=tmp_path) == "[]"


def test_other_names_still_go_to_datasets(tmp_path):
    (tmp_path / "a.json").write_text('{"x": 1}\n')
    assert load_dataset("json", data_files=str(tmp_path / "a.json"), split="train")["x"][:] == [1]


def test_inspection_of_datasets_knows_the_name():
    assert datasets.get_dataset_config_names("iemomecp")[:3] == ["3class", "source_binary", "overlay"]
    assert datasets.get_dataset_default_config_name("iemomecp") == "3class"
    assert datasets.load_dataset_builder("iemomecp", "overlay").info.features["pairs"] is not None


def test_registering_twice_wraps_once():
    from iemomecp_dataset.registration import register

    before = datasets.load.dataset_module_factory
    register()
    assert datasets.load.dataset_module_factory is before


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


def test_an_edited_transcript_is_seen_by_the_next_load(tree):
    before = cache_files(tree)
    path = tree.transcript("Ses01F_impro01")
    # The same length, so that only the content tells.
    path.write_text(path.read_text().replace("Line 1,", "LINE 1,", 1))
    rows = load_dataset("iemomecp", data_dir=tree.root, split="train")
    assert rows.cache_files != before
    assert rows[0]["utterances"][0]["text"].startswith("LINE 1,")


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
    with pytest.raises(UsageError, match=r"'valid'.*train, validation, test"):
        load_dataset("iemomecp", data_dir=tree.root, split="valid")
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
