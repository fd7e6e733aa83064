"""Exports to Parquet with a card and to full split JSON: reading back gives the same rows."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from datasets import load_dataset
from hub_stand_in import card_errors
from huggingface_hub import DatasetCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import iemomecp_dataset
from iemomecp_dataset.dataset_card import parquet_card, project_card
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.export import BuildOptions, build_from_sources
from iemomecp_dataset.merging.merge_full import FullSources, merge_full
from iemomecp_dataset.sources.full_splits import find_full_splits, write_full_splits


def rows_of(splits):
    return {split: list(rows) for split, rows in splits.items()}


def test_parquet_folder_is_read_by_plain_datasets(tree, tmp_path):
    output = tmp_path / "out put é"
    build_from_sources(BuildOptions(output_dir=output, data_dir=tree.root))
    ours = iemomecp_dataset.load(data_dir=tree.root)
    plain = load_dataset(str(output))
    assert rows_of(plain) == rows_of(ours)
    assert plain["train"].features == ours["train"].features
    binary = load_dataset(str(output), "source_binary")
    assert rows_of(binary) == rows_of(iemomecp_dataset.load("source_binary", data_dir=tree.root))


@pytest.mark.slow
def test_parquet_folder_needs_no_import_of_ours(tree, tmp_path):
    build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root))
    code = (
        "import sys; from datasets import load_dataset; d = load_dataset('O');"
        "print({s: r.num_rows for s, r in d.items()}, 'iemomecp_dataset' in sys.modules)"
    )
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'train': 3, 'validation': 1, 'test': 2} False"


@pytest.mark.parametrize("config", ["3class", "source_binary"])
@pytest.mark.parametrize("mode", ["as_published", "gold"])
def test_full_split_json_gives_the_same_rows(tree, tmp_path, config, mode):
    options = {"forward_pairs": mode} if config == "source_binary" else {}
    build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root, file_format="json"))
    direct = iemomecp_dataset.load(config, data_dir=tree.root, **options)
    through = iemomecp_dataset.load(config, full_root=tmp_path / "O", label_dir=tree.root / "labels", **options)
    assert rows_of(through) == rows_of(direct)


def test_building_again_replaces_the_earlier_files(tree, tmp_path):
    options = BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root)
    build_from_sources(options)
    before = {path: path.read_bytes() for path in sorted((tmp_path / "O").rglob("*")) if path.is_file()}
    build_from_sources(options)
    assert {path: path.read_bytes() for path in sorted((tmp_path / "O").rglob("*")) if path.is_file()} == before


def test_plain_datasets_sees_that_a_folder_was_built_again(tree, tmp_path):
    """Plain ``datasets`` keys its cache by folder name; rebuilt or equally named folders must not share an entry."""
    build_from_sources(BuildOptions(output_dir=tmp_path / "a" / "O", data_dir=tree.root))
    before = rows_of(load_dataset(str(tmp_path / "a" / "O")))
    path = tree.transcript("Ses01F_impro01")
    path.write_text(path.read_text().replace("Line 1,", "LINE 1,"))
    for folder in ("a", "b"):
        build_from_sources(BuildOptions(output_dir=tmp_path / folder / "O", data_dir=tree.root))
        after = rows_of(load_dataset(str(tmp_path / folder / "O")))
        assert after["train"][0]["utterances"][0]["text"].startswith("LINE 1,")
        assert after != before


def test_files_of_others_are_left_alone(tree, tmp_path):
    mine = tmp_path / "O" / "data" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"thesis\.txt: was not written by this export"):
        build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root))
    assert mine.read_text() == "mine"
    with pytest.raises(UsageError, match="is a file; name a folder"):
        build_from_sources(BuildOptions(output_dir=mine, data_dir=tree.root))


@pytest.mark.parametrize("file_format", ["parquet", "json"])
def test_a_build_that_is_cut_off_leaves_the_earlier_one(tree, tmp_path, monkeypatch, file_format):
    options = BuildOptions(output_dir=tmp_path / "here" / "O", data_dir=tree.root, file_format=file_format)
    build_from_sources(options)

    def content():
        return {path: path.read_bytes() for path in sorted((tmp_path / "here").rglob("*")) if path.is_file()}

    before = content()
    tree.transcript("Ses01F_impro01").write_text(
        tree.transcript("Ses01F_impro01").read_text().replace("Line 1,", "LINE 1,")
    )
    seen = []

    def cut_off(path, text):
        # Everything else is written by now, and none of it looks like data.
        (work,) = [path for path in (tmp_path / "here").iterdir() if path.name != "O"]
        seen.append(work.name)
        raise KeyboardInterrupt

    with monkeypatch.context() as patches:
        patches.setattr("iemomecp_dataset.export.write_text", cut_off)
        with pytest.raises(KeyboardInterrupt):
            build_from_sources(options)
    assert seen[0].startswith(".O.")
    assert content() == before
    build_from_sources(options)
    assert content() != before


def test_the_temporary_copy_of_the_text_lies_in_the_hidden_folder(tree, tmp_path, monkeypatch):
    here = tmp_path / "here"
    seen = []

    def cut_off(*configs, **options):
        seen.extend(path.relative_to(here).parts for path in tmp_path.rglob("*.arrow") if tree.root not in path.parents)
        raise KeyboardInterrupt

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("iemomecp_dataset.export.write_parquet_folder", cut_off)
    with pytest.raises(KeyboardInterrupt):
        build_from_sources(BuildOptions(output_dir=here / "O", data_dir=tree.root))
    # What a killed build leaves in there, the next one removes.
    assert seen
    assert all(re.fullmatch(r"\.O\.[0-9a-f]{8}\.building", parts[0]) for parts in seen)
    assert not [*here.iterdir()]


def test_what_a_killed_build_has_left_is_no_data(tree, tmp_path):
    here = tmp_path / "here"
    build_from_sources(BuildOptions(output_dir=here / "O", data_dir=tree.root))
    (here / ".O.0123abcd.building").mkdir()
    (here / "O").rename(here / ".O.0123abcd.building" / "new")
    for place in (here / "O", here):
        with pytest.raises(FileNotFoundError):
            load_dataset(str(place))


def test_only_an_earlier_build_of_the_same_format_is_replaced(tree, tmp_path):
    def refuses(name, file_format):
        before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        with pytest.raises(UsageError, match=rf"{name}: was not written by this export; choose an empty or new folder"):
            build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root, file_format=file_format))
        assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before

    (tmp_path / "O" / "splits").mkdir(parents=True)
    (tmp_path / "O" / "splits" / "train.json").write_text("[]")
    refuses("splits/train.json", "json")  # the released artifact's, say
    (tmp_path / "O" / "merge_report.json").write_text("{}")
    refuses("splits/train.json", "parquet")
    build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root, file_format="json"))
    shutil.rmtree(tmp_path / "O")
    (tmp_path / "O").mkdir()
    (tmp_path / "O" / "README.md").write_text("# My thesis")
    refuses("README.md", "parquet")
    # What a killed build of an earlier version has left.
    (tmp_path / "O" / "README.md").rename(tmp_path / "O" / ".train-0123456789ab.parquet.0123abcd.partial")
    build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=tree.root))
    assert (tmp_path / "O" / "README.md").exists()


def test_synthetic_stays_synthetic(synthetic_dir, tmp_path):
    build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=synthetic_dir))
    assert "SYNTHETIC" in (tmp_path / "O" / "README.md").read_text()
    assert (tmp_path / "O" / "SYNTHETIC.txt").exists()
    assert json.loads((tmp_path / "O" / "merge_report.json").read_text())["synthetic"] is True


def write_full(tree, folder):
    build_from_sources(BuildOptions(output_dir=folder, data_dir=tree.root, file_format="json"))
    return folder


def edit(path: Path, change):
    document = json.loads(path.read_text(encoding="utf-8"))
    result = change(document)
    path.write_text(json.dumps(document if result is None else result), encoding="utf-8")


def test_other_spellings_of_full_split_json(tree, tmp_path):
    root = write_full(tree, tmp_path / "O")
    expected = rows_of(iemomecp_dataset.load(data_dir=tree.root))
    (root / "splits" / "valid.json").rename(root / "splits" / "dev.json")

    def respell(document):
        for number, entry in enumerate(document):
            # The labels' id under another key, sessions and chunks as text, times as one code, long emotion names.
            entry["doc_id"], entry["dialogue_id"] = entry["dialogue_id"], f"document {number}"
            entry["session"] = f"Session{entry['session']}"
            entry["chunk_id"] = f"c{entry['chunk_id']:03d}"
            for utterance in entry["utterances"]:
                utterance["timecode"] = f"[{utterance.pop('start_sec')} - {utterance.pop('end_sec')}]"
                del utterance["original_turn"]
                names = {"hap": "happiness", "sad": "Sadness", "ang": "anger", "exc": "excited", "fru": "frustration"}
                utterance["emotion"] = names.get(utterance["emotion"], "neutral")

    for path in (root / "splits").iterdir():
        edit(path, respell)
    loaded = rows_of(iemomecp_dataset.load(full_root=root, label_dir=tree.root / "labels"))
    assert loaded == expected


MUTATIONS = {
    "not a list": (lambda d: {}, InvalidDataError, "expected a list of dialogues"),
    "a chunk too few": (lambda d: d[1:], InvalidDataError, "is in the labels only"),
    "a chunk too many": (lambda d: [*d, {**d[0], "dialogue_id": "x", "doc_id": "y"}], InvalidDataError, "file only"),
    "unknown emotion": (
        lambda d: d[0]["utterances"][0].update(emotion="bored"),
        InvalidDataError,
        "turn 1: unknown emotion 'bored'",
    ),
    "other emotion": (
        lambda d: d[0]["utterances"][0].update(emotion="sad"),
        InvalidDataError,
        "emotions and labels disagree on turn(s) 1",
    ),
    "turns out of order": (lambda d: d[0]["utterances"].reverse(), InvalidDataError, "expected turn 1, found '3'"),
    "an utterance too many": (
        lambda d: d[0]["utterances"].append({**d[0]["utterances"][0], "turn": 4}),
        InvalidDataError,
        "4 utterances, but 3 in the labels",
    ),
    "pair out of range": (
        lambda d: d[0].update(emotion_cause_pairs=[[1, 9]]),
        InvalidDataError,
        "pair (1, 9): points outside",
    ),
    "pair of text": (lambda d: d[0].update(emotion_cause_pairs=[["1", 1]]), InvalidDataError, "expected a pair"),
    "text missing": (lambda d: d[0]["utterances"][0].__delitem__("text"), InvalidDataError, "'text' must be text"),
    "times of text": (
        lambda d: d[0]["utterances"][0].update(start_sec="soon"),
        InvalidDataError,
        "times must be seconds",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_broken_full_split_json_is_refused(tree, tmp_path, name):
    change, error, said = MUTATIONS[name]
    root = write_full(tree, tmp_path / "O")
    edit(root / "splits" / "train.json", change)
    with pytest.raises(error) as caught:
        iemomecp_dataset.load(full_root=root, label_dir=tree.root / "labels")
    assert said in str(caught.value)
    assert "train.json" in str(caught.value)


def test_missing_full_split(tree, tmp_path):
    root = write_full(tree, tmp_path / "O")
    (root / "splits" / "valid.json").unlink()
    with pytest.raises(MissingDataError, match=r"validation split is missing.*valid\.json.*dev\.json"):
        iemomecp_dataset.load(full_root=root, label_dir=tree.root / "labels")
    with pytest.raises(UsageError, match="full_root= replaces IEMOCAP"):
        iemomecp_dataset.load(full_root=root, label_dir=tree.root / "labels", iemocap_root=tree.root / "IEMOCAP")


def test_the_documented_card_is_the_current_one(repository):
    assert (repository / "docs" / "dataset_card.md").read_text() == project_card()


CARDS = {
    "of the project": project_card(),
    "of an export": parquet_card(
        {"3class": {"train": "data/train-*.parquet", "test": "data/test-*.parquet"}, "overlay": {"train": "o.parquet"}},
        {"3class": {"train": 2, "test": 1}, "overlay": {"train": 3}},
        synthetic=False,
    ),
    "of a synthetic export": parquet_card({"3class": {"train": "a.parquet"}}, {"3class": {"train": 2}}, synthetic=True),
}


@pytest.mark.parametrize("text", CARDS.values(), ids=CARDS)
def test_the_hub_takes_the_metadata_of_every_card(text):
    card = DatasetCard(text)
    assert card_errors(text, "dataset") == []
    assert (card.data.license, card.data.license_name) == ("other", "research-only")
    assert card.data.task_categories == ["text-classification"]


def test_the_card_of_an_export_on_disk_is_taken_too(synthetic_dir, tmp_path):
    build_from_sources(BuildOptions(output_dir=tmp_path / "O", data_dir=synthetic_dir))
    text = (tmp_path / "O" / "README.md").read_text()
    assert card_errors(text, "dataset") == []
    configs = DatasetCard(text).data.configs
    assert [config["config_name"] for config in configs if config.get("default")] == ["3class"]
    for config in configs:
        for files in config["data_files"]:
            assert list((tmp_path / "O").glob(files["path"])), "every file that the metadata names is there"


# --- any valid tree --------------------------------------------------------------------------------------------------


@st.composite
def dialogues(draw):
    """Dialogues of any shape that labels and ConvECPE can represent together."""
    built = {}
    names = ["Ses01F_impro01", "Ses02M_script01_1", "Ses05F_impro03"]
    for name, split in zip(names, ("train", "validation", "test"), strict=True):
        emotions = draw(st.text(alphabet="hsnaef", min_size=1, max_size=9))
        n = len(emotions)
        causes = {
            turn: [turn, *draw(st.lists(st.integers(1, n).filter(lambda c, t=turn: c != t), max_size=2, unique=True))]
            for turn in range(1, n + 1)
            if emotions[turn - 1] != "n"
        }
        cuts = sorted(draw(st.sets(st.integers(1, n - 1), max_size=2))) if n > 1 else []
        edges = [0, *cuts, n]
        built[name] = (split, emotions, causes, [b - a for a, b in itertools.pairwise(edges)])
    return built


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=dialogues())
def test_any_valid_tree_round_trips(tree, tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("round")
    kind = type(next(iter(tree.dialogues.values())))
    made = type(tree)(root=folder / "data", dialogues={name: kind(*parts) for name, parts in content.items()}).write()
    direct = rows_of(iemomecp_dataset.load(data_dir=made.root, cache_dir=folder / "a"))
    build_from_sources(BuildOptions(output_dir=folder / "P", data_dir=made.root))
    assert rows_of(load_dataset(str(folder / "P"), cache_dir=str(folder / "b"))) == direct
    merged = iemomecp_dataset.load(data_dir=made.root, cache_dir=folder / "a")
    write_full_splits(merged, folder / "F")
    sources = FullSources(label_dir=made.root / "labels", splits=find_full_splits(folder / "F"))
    assert merge_full(sources, config_name="3class", forward_pairs="as_published").rows == direct
    assert {len(rows) for rows in direct.values()} <= {1, 2, 3}
