"""ECEM, joined to MELD."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from corpus_case import CorpusCase
from corpus_files import MELD_HEADER, ecf_text, meld_csv, write
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.benchmark.runs.contamination import SplitData, contamination_warnings, splits_of
from iemomecp_dataset.builder import IemomecpBuilder
from iemomecp_dataset.corpora.ecem import (
    explanation_status,
    meld_prefix_split,
    parse_prompt,
    read_ecem,
    read_items,
    repair_text,
)
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.corpus_statistics import row_statistics
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError

FILE = "train_data_just_reason.json"
MAP = "all_data_pair_ECFvsMELD.txt"


def item(number, video, text, answer, emotion="surprise", speaker="Bob and Ann"):
    asked = f"<video>\nExplain why the emotion of this statement is {emotion} <{speaker}: {text}>"
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    return {"id": number, "video": video, "conversations": turns}


# In MELD, dialogue 0 has the Utterance_IDs 0, 2 and 3: the train part counts positions, the test part these numbers.
ITEMS = [
    item(0, "0_1.mp4", 'So "they" say?', "The reason is that it rains.", speaker="Bob and Ann"),
    item(1, "0_0.mp4", "More rain, and a storm.", "The reason", emotion="joy", speaker="Ann"),
    item(2, "t_0_2.mp4", "So they SAY", "It was \u00e2\u0080\u009cloud\u00e2\u0080?.", emotion="anger"),
    item(3, "2_0.mp4", "Hello", "-1", emotion="fear", speaker="All"),
]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / FILE, ITEMS)
    for part in ("train", "test"):
        write(tmp_path / f"{part}_sent_emo.csv", meld_csv())
    return tmp_path


def read(folder, **options):
    files = {part: folder / f"{part}_sent_emo.csv" for part in ("train", "test")}
    return read_ecem(folder / FILE, files, **options)


class TestEcem(CorpusCase):
    name = "ecem"
    # Dialogue 12 of the train part is held out by its digest.
    gold = {name: set() for name in ("train_dia0", "train_dia12", "test_dia0")}  # noqa: RUF012
    files = "*.json"

    def write(self, folder):
        held_out = item(4, "12_1.mp4", 'So "they" say?', "The reason is that it rains again.")
        write(folder / FILE, [*ITEMS, held_out])
        write(folder / "train_sent_emo.csv", meld_csv() + meld_csv(12).removeprefix(MELD_HEADER))
        write(folder / "test_sent_emo.csv", meld_csv())


class TestEcemFile(ReaderCase):
    of = read_items
    file = FILE

    @pytest.fixture
    def content(self):
        return json.dumps(ITEMS, indent=4).encode()


@pytest.mark.parametrize(
    ("damaged", "repaired", "status"),
    [
        ("It rains.", "It rains.", "complete"),
        ('"It rains!"', '"It rains!"', "complete"),
        ("Does it rain?) ", "Does it rain?)", "complete"),
        ("It rai", "It rai", "truncated"),
        ("-1", "-1", "missing"),
        ("Caf\u00c3\u00a9.", "Café.", "complete"),
        ("It\u00e2\u0080\u0099s rain\u00e2\u0080\u0094hard.", "It’s rain—hard.", "complete"),
        ("It rains\u00e2\u0080? hard.", "It rains— hard.", "complete"),
        ("It rains.\u00e2\u0080?", "It rains.—", "truncated"),
        ("A na\u00efve \u00e2 sign.", "A naïve â sign.", "complete"),
        ("\u00e4\u00b8\u008b rains.", "下 rains.", "foreign"),
        ("The 下 cannot be Translated.", "The 下 cannot be Translated.", "meta"),
        ("It is the same IN ENGLISH", "It is the same IN ENGLISH", "meta"),
    ],
)
def test_texts_are_repaired_and_their_damage_is_named(damaged, repaired, status):
    assert (repair_text(damaged), explanation_status(repaired)) == (repaired, status)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<video>\nExplain why the emotion of this statement is joy <A: b: <c>>", ("joy", "A", "b: <c>")),
        ("<video>\nExplain why the emotion of this statement is joy <A b>", None),
        ("Explain why the emotion of this statement is joy <A: b>", None),
    ],
)
def test_the_prompt_has_one_template(text, found):
    assert parse_prompt(text) == found


def test_dialogues_are_held_out_by_their_digest():
    held_out = [n for n in range(40) if meld_prefix_split(f"train_dia{n}") == "validation"]
    # The last digit of the SHA-256 of the id, as a decimal number, is 0.
    assert held_out == [12, 14]
    assert {meld_prefix_split(f"test_dia{n}") for n in range(40)} == {"test"}


def test_both_parts_join_by_their_own_rule(folder):
    loaded = read(folder, status="all")
    assert {split: [row["dialogue_id"] for row in rows] for split, rows in loaded.rows.items()} == {
        "train": ["train_dia0", "train_dia2"],
        "test": ["test_dia0"],
    }
    train, test = loaded.rows["train"][0], loaded.rows["test"][0]
    assert train["explanations"] == [
        {"target_turn": 1, "text": "The reason", "status": 1, "cause_turns": []},
        {"target_turn": 2, "text": "The reason is that it rains.", "status": 0, "cause_turns": []},
    ]
    assert test["explanations"] == [{"target_turn": 2, "text": "It was “loud—.", "status": 0, "cause_turns": []}]
    # Text and emotion are MELD's.
    assert (test["utterances"][1]["text"], test["utterances"][1]["emotion"]) == ('So "they" say?', 1)
    assert train["pairs"] == []
    by_name = {check.name: check.mismatches for check in loaded.report.checks}
    assert [len(by_name[name]) for name in ("speaker of MELD", "emotion of MELD", "naive join")] == [0, 1, 1]
    assert "item 0 (train_dia0_utt2)" in by_name["naive join"][0]


def test_every_item_is_accounted_for(folder):
    counts = read(folder).report.counts
    statuses = [counts.get(f"explanations {name}", 0) for name in ("complete", "truncated", "missing")]
    assert (counts["items of the file"], statuses) == (4, [2, 1, 1])
    left_out = sum(n for what, n in counts.items() if what.startswith("left out: explanations"))
    kept = sum(n for what, n in counts.items() if what.endswith(": explanations"))
    assert (kept, left_out, counts["left out: dialogues whose explanations are all damaged"]) == (2, 2, 1)
    assert "Chunks placed by" not in read(folder).report.to_text()


def test_loading_leaves_damaged_ones_out_and_says_so(folder, caplog):
    dataset = iemomecp_dataset.load("ecem", data_dir=folder)
    assert [(split, len(rows)) for split, rows in dataset.items()] == [("train", 1), ("test", 1)]
    assert "explanations truncated 1" in dataset["train"].info.description
    assert "not the published file (its git blob id would be 5a71a7c6" in caplog.text
    everything = iemomecp_dataset.load("ecem", data_dir=folder, status="all")
    assert len(everything["train"]) == 2
    builder = IemomecpBuilder(config_name="ecem", data_dir=str(folder), cache_dir=str(folder / "cache"))
    builder.download_and_prepare()
    assert builder.merge_report.counts["items joined to MELD"] == 4


def test_meld_may_be_elsewhere_and_an_absent_part_is_counted(folder, tmp_path, caplog):
    (folder / "meld").mkdir()
    (folder / "train_sent_emo.csv").rename(folder / "meld" / "train_sent_emo.csv")
    (folder / "test_sent_emo.csv").unlink()
    dataset = iemomecp_dataset.load("ecem", data_dir=folder, meld_root=folder / "meld")
    assert list(dataset) == ["train"]
    assert "items omitted for want of MELD's test part 1" in dataset["train"].info.description
    assert "no test_sent_emo.csv of MELD" in caplog.text
    with pytest.raises(MissingDataError, match=r"no CSV file of MELD found.*meld_root= names another folder"):
        iemomecp_dataset.load("ecem", data_dir=folder)


def with_ecf(folder, origins=("train_dia0_utt0", "train_dia0_utt2", "train_dia0_utt3", "train_dia2_utt0")):
    content = ecf_text().replace("(2,1),(2,2),(2,1),(1,3)", "(2,1),(2,2),(1,3)").replace("Bob", "Bob and Ann")
    content = content.replace("Cy", "All")
    write(folder / "ECF" / "train.txt", content)
    ids = iter(origins)
    lines = [f"{x.rpartition(' | ')[0]} | {next(ids)}" if "|" in x else x for x in content.splitlines()]
    write(folder / "ECF" / MAP, "\n".join(lines) + "\n")
    return folder / "ECF"


def test_gold_causes_of_ecf_attach_by_the_map(folder):
    root = with_ecf(folder)
    rows = iemomecp_dataset.load("ecem", data_dir=folder, ecf_root=root, status="all", split="train")
    assert [e["cause_turns"] for row in rows for e in row["explanations"]] == [[3], [1, 2], []]
    loaded = read(folder, ecf_files=[root / "train.txt"], ecf_map=root / MAP)
    assert loaded.report.counts["cause turns attached"] == 2
    assert loaded.report.counts["explanations without a row in ECF"] == 1
    root = with_ecf(folder, ("", "train_dia0_utt2", "train_dia0_utt3", "train_dia2_utt0"))
    loaded = read(folder, ecf_files=[root / "train.txt"], ecf_map=root / MAP)
    assert loaded.rows["train"][0]["explanations"][0]["cause_turns"] == [2]
    assert loaded.report.counts["causes of ECF outside the dialogue of MELD"] == 1


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"ecf_map": "ECF"}, UsageError, "give both, or neither"),
        ({"ecf_root": "."}, MissingDataError, "no file of ECF 1.0 found"),
        ({"ecf_root": "ECF", "ecf_map": "absent.txt"}, MissingDataError, "absent.txt: there is no such file"),
        ({"status": "whole"}, UsageError, "status cannot be 'whole'"),
        ({"candidates": "past"}, UsageError, "written explanations and no labelled pairs"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(folder, options, error, said):
    with_ecf(folder)
    given = {k: folder / v if k.startswith("ecf") else v for k, v in options.items()}
    with pytest.raises(error, match=said):
        iemomecp_dataset.load("ecem", data_dir=folder, **given)


def test_a_map_of_another_edition_is_refused(folder):
    root = with_ecf(folder)
    write(root / MAP, (root / MAP).read_text().replace("| Bob and Ann", "| Cleo"))
    with pytest.raises(InvalidDataError, match="conversation 7: its turns and speakers are not those of"):
        iemomecp_dataset.load("ecem", data_dir=folder, ecf_root=root)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"video": "9_1.mp4"}, "item 0: it has no row in MELD: dialogue 9, utterance 1, but .*no such dialogue"),
        ({"video": "0_7.mp4"}, "item 0: it has no row in MELD: dialogue 0, utterance 7, but .*3 utterances in it"),
        ({"video": "t_0_1.mp4"}, "item 0: it has no row in MELD"),
        ({"video": "0_2.mp4"}, r"item 0: its utterance is not that of train_dia0_utt3.*0\.\d\d, expected at least 0.8"),
        ({"video": "0-1.mp4"}, "item 0: expected 'video' like"),
        ({"id": 3}, "item 3: this id occurs twice"),
        ({"id": "0"}, "position 0: expected an item with a whole number 'id'"),
        ({"conversations": []}, "item 0: expected 'conversations' of two turns"),
        ({"conversations": [{"from": "gpt"}, {"from": "human"}]}, "found gpt and human"),
        (item(0, "0_1.mp4", "x", None), "item 0: the 'value' of both turns must be text"),
        (item(0, "0_1.mp4", "x", "y", emotion="glee"), "item 0: unknown emotion 'glee'"),
        (
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]},
            "the question is not",
        ),
    ],
)
def test_a_wrong_item_is_one_sentence(folder, change, said):
    write(folder / FILE, [{**ITEMS[0], **change}, *ITEMS[1:]])
    with pytest.raises(InvalidDataError, match=said) as caught:
        iemomecp_dataset.load("ecem", data_dir=folder)
    assert str(caught.value).startswith(str(folder / FILE))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "found an empty object"),
        ([], "found an empty list"),
        ({"data": [], "version": 1}, "found an object with the keys 'data', 'version'"),
        ("text", "found text"),
    ],
)
def test_a_file_without_items_is_one_sentence(folder, content, said):
    write(folder / FILE, content if not isinstance(content, str) else json.dumps(content))
    expected = f"{folder / FILE}: expected a list of items, each with 'id', 'video' and 'conversations', {said}. "
    with pytest.raises(InvalidDataError) as caught:
        read_items(folder / FILE)
    assert str(caught.value).startswith(expected)


def test_two_items_of_one_utterance_are_refused(folder):
    write(folder / FILE, [*ITEMS, {**ITEMS[0], "id": 9}])
    with pytest.raises(InvalidDataError, match="item 9: it explains turn 2 of train_dia0, as item 0 does"):
        read(folder)


def test_it_is_compared_with_ecf_by_the_map(folder):
    root = with_ecf(folder, ("test_dia0_utt0", "test_dia0_utt2", "test_dia0_utt3", ""))
    corpora = [load_corpus("ecem", folder), load_corpus("ecf", root)]
    data = [SplitData(c.name, split, rows, c.data_dir) for c in corpora for split, rows in c.rows.items()]
    shared = "ecf/train and ecem/test share 3 utterances; such as test_dia0"
    assert any(shared in said for said in contamination_warnings(data))
    (root / MAP).rename(folder / "map")
    assert any(said.startswith("ecf and ecem are compared by text alone") for said in contamination_warnings(data))
    named = load_corpus("ecem", folder, ecf_root=root, ecf_map=folder / "map")
    said = contamination_warnings([*splits_of(named), *splits_of(corpora[1])])
    assert any(shared in sentence for sentence in said)
    (folder / "map").rename(root / MAP)
    assert load_corpus("ecem", folder, ecf_root=root).ecf_map == root / MAP


def test_pairs_are_refused_with_what_can_be_done_instead(folder):
    corpus = load_corpus("ecem", folder)
    assert corpus.has_explanations
    assert corpus.require_explanations() is corpus
    with pytest.raises(UsageError, match=r"explain\.py"):
        corpus.require_pairs()
    with pytest.raises(UsageError, match=r"The validation split of ecem .* has no complete explanation; those are in"):
        corpus.require_explanations(split="validation")


def genuine():
    folders = [os.environ.get(f"IEMOMECP_{name}_DIR", "") for name in ("ECEM", "MELD", "ECF")]
    if not all(folder and Path(folder).is_dir() for folder in folders):
        pytest.skip("IEMOMECP_ECEM_DIR, IEMOMECP_MELD_DIR and IEMOMECP_ECF_DIR do not name the genuine files")
    return dict(zip(("data_dir", "meld_root", "ecf_root"), folders, strict=True))


def test_the_genuine_file_has_the_counts_of_the_page(tmp_path):
    folders = genuine()
    builder = IemomecpBuilder(config_name="ecem", cache_dir=str(tmp_path), **folders)
    builder.download_and_prepare()
    counts, checks = builder.merge_report.counts, {check.name: check for check in builder.merge_report.checks}
    found = {name: counts[f"explanations {name}"] for name in ("complete", "truncated", "missing", "foreign", "meta")}
    if counts["items joined to MELD"] == 4638:
        assert found == {"complete": 3212, "truncated": 1343, "missing": 51, "foreign": 28, "meta": 4}
        assert len(checks["emotion of MELD"].mismatches) == 0
    else:
        assert found == {"complete": 4150, "truncated": 1597, "missing": 51, "foreign": 31, "meta": 8}
    assert checks["naive join"].compared == counts["items joined to MELD"]
    assert len(checks["naive join"].mismatches) == 169
    assert checks["speaker of MELD"].mismatches == ()
    loaded = builder.as_dataset()
    for split in ("train", "validation"):
        assert row_statistics(loaded[split]).counts == CORPORA["ecem"].published[split]
