"""What is exported equals the files that it was read from, or differs where that is said."""

from __future__ import annotations

import copy
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from peer_files import ecf_corpus, ecf_lines, read_ecf_lines, turn_lists_of

import iemomecp_dataset
from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.commands import export_for as command
from iemomecp_dataset.corpus import load_corpus

ECF_FILES = {
    "hilo": ("data/dataset", {"train": "train.txt", "dev": "valid.txt", "test": "test.txt"}),
    "mecpe": ("data", {"train": "train.txt", "dev": "dev.txt", "test": "test.txt"}),
}
JSON_SPLITS = ("train", "valid", "test")


def exported(peer: str, data: Path, folder: Path, *options: str) -> Path:
    command.main([peer, "--data-dir", str(data), "--output-dir", str(folder), *options])
    return folder


@pytest.mark.parametrize("peer", ECF_FILES)
def test_the_text_files_of_ecf_come_out_byte_for_byte(peer, tmp_path):
    written = ecf_corpus(tmp_path / "ecf")
    export = exported(peer, tmp_path / "ecf", tmp_path / "export", "--config-name", "ecf")
    folder, names = ECF_FILES[peer]
    for split, name in names.items():
        assert (export / folder / name).read_bytes() == (tmp_path / "ecf" / f"{split}.txt").read_bytes()
    if peer == "mecpe":
        everything = sorted((dialogue for of in written.values() for dialogue in of), key=lambda one: int(one[0]))
        assert (export / folder / "all_data_pair.txt").read_text(encoding="utf-8") == ecf_lines(everything)


def test_without_the_optional_columns_only_episode_order_and_times_differ(tmp_path):
    written = ecf_corpus(tmp_path / "ecf")
    corpus = load_corpus("ecf", tmp_path / "ecf")
    result = export_for(corpus, ExportRequest(peer="mecpe", output_dir=tmp_path / "export"))
    for split, file in (("train", "train"), ("validation", "dev"), ("test", "test")):
        back = read_ecf_lines(tmp_path / "export" / "data" / f"{file}.txt")
        assert [(name, sorted(pairs)) for name, pairs, _ in back] == [
            (name, sorted(pairs)) for name, pairs, _ in written[file]
        ]
        assert [[fields[:4] for fields in turns] for *_, turns in back] == [
            [fields[:4] for fields in turns] for *_, turns in written[file]
        ]
        without = result.manifest.counts[split]["times without the name of the episode"]
        assert without == sum(len(turns) for *_, turns in written[file])


@pytest.mark.parametrize("layout", ["text", "json"])
def test_ecf_as_json_equals_the_json_of_its_turns(layout, tmp_path):
    written = ecf_corpus(tmp_path / "text")
    original = {split: turn_lists_of(written[{"valid": "dev"}.get(split, split)]) for split in JSON_SPLITS}
    data = tmp_path / "text"
    if layout == "json":
        data = tmp_path / "json"
        data.mkdir()
        for split, content in original.items():
            (data / f"{split}_data_pair.json").write_text(json.dumps(content), encoding="utf-8")
    export = exported("m3hg-json", data, tmp_path / "export", "--config-name", "ecf")
    for split, content in original.items():
        back = json.loads((export / f"{split}_data_pair.json").read_text(encoding="utf-8"))
        assert back == content
        assert list(back) == list(content)


def mecad(split: str) -> dict:
    """Three dialogues as MECAD has them."""
    causes = {"cause_modality": ["a", "t"], "confidence": [4, 5, 3], "cause_type": "event"}
    annotators = {"annotator_name": ["n1", "n2", "n3"]}
    first = [
        {"turn": 1, "speaker": "甲", "utterance": "下雨了。", "emotion": "Neutral"},
        {"turn": 2, "speaker": "乙", "utterance": "哦，不！", "emotion": "Sad", **causes,
         "expanded emotion cause evidence": [2, 1], **annotators},
        {"turn": 3, "speaker": "甲", "utterance": "真的", "emotion": "Surprise", "confidence": [3], **annotators},
    ]  # fmt: skip
    second = [{**first[0], "emotion": "Happy", **causes, "expanded emotion cause evidence": [1], **annotators}]
    without_causes = [dict(first[0])]
    content = {f"{split}_a": [first], f"{split}_b": [second], f"{split}_c": [without_causes]}
    for name, (turns,) in content.items():
        for entry in turns:
            entry["utterance_name"] = f"{name}_{entry['turn']}"
            entry["video"] = f"{name}_{entry['turn']}.mp4"
    return content


def test_mecad_comes_out_as_it_is_but_for_blanks_around_speakers(tmp_path):
    data = tmp_path / "mecad"
    data.mkdir()
    original = {split: mecad(split) for split in JSON_SPLITS}
    given = copy.deepcopy(original)
    given["valid"]["valid_a"][0][0]["speaker"] = " 甲"
    for split, content in given.items():
        (data / f"{split}_data_pair.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    export = exported("m3hg-json", data, tmp_path / "export", "--config-name", "mecad")
    for split, content in original.items():
        assert json.loads((export / f"{split}_data_pair.json").read_text(encoding="utf-8")) == content


@pytest.mark.parametrize("positive", ["emo_cause", "emo_context"])
def test_dialogues_of_iemo_mecp_keep_turns_speakers_texts_and_pairs(positive, small_dir, tmp_path):
    options = ("--config-name", "3class", "--positive", positive)
    export = exported("hilo", small_dir, tmp_path / "export", *options)
    manifest = json.loads((export / "manifest.json").read_text(encoding="utf-8"))
    label = ("emo_cause", "emo_context").index(positive)
    for split, file in (("train", "train"), ("validation", "valid"), ("test", "test")):
        rows = {row["dialogue_id"]: row for row in iemomecp_dataset.load("3class", data_dir=small_dir, split=split)}
        back = read_ecf_lines(export / "data" / "dataset" / f"{file}.txt")
        assert [entry[0] for entry in manifest["splits"][split]] == [name for name, *_ in back]
        assert {entry[1] for entry in manifest["splits"][split]} == set(rows)
        for (_, dialogue_id, n_turns), (_, pairs, turns) in zip(manifest["splits"][split], back, strict=True):
            row = rows[dialogue_id]
            assert len(turns) == n_turns
            gold = [(p["target_turn"], p["cause_turn"]) for p in row["pairs"] if p["label"] == label]
            assert pairs == gold
            # No text of this corpus needs rewriting.
            said = [(spoken["speaker"], spoken["text"]) for spoken in row["utterances"]]
            assert [(fields[1], fields[3]) for fields in turns] == said
        counted = manifest["counts"][split]
        assert counted["positive pairs"] == sum(len(pairs) for _, pairs, _ in back)
        assert counted["dialogues"] == len(back)
    assert not any("white space" in kind or "empty" in kind for kind in manifest["counts"]["train"])
    assert manifest["synthetic"] is True


def genuine(variable: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} does not name a folder with the genuine files")
    return Path(os.environ[variable])


@pytest.mark.parametrize("peer", ECF_FILES)
def test_genuine_ecf_comes_out_byte_for_byte(peer, tmp_path):
    data = genuine("IEMOMECP_ECF_DIR")
    export = exported(peer, data, tmp_path / "export", "--config-name", "ecf")
    folder, names = ECF_FILES[peer]
    splits = [split for split in names if (data / f"{split}.txt").is_file()]
    assert splits
    for split in splits:
        assert (export / folder / names[split]).read_bytes() == (data / f"{split}.txt").read_bytes(), split


def test_genuine_ecf_without_the_optional_columns_differs_where_it_was_found(tmp_path):
    data = genuine("IEMOMECP_ECF_DIR")
    export_for(load_corpus("ecf", data, for_training=False), ExportRequest(peer="mecpe", output_dir=tmp_path))
    reordered, times, n_utterances = 0, 0, 0
    for split in ("train", "dev", "test"):
        if not (data / f"{split}.txt").is_file():
            continue
        given, back = (read_ecf_lines(folder / f"{split}.txt") for folder in (data, tmp_path / "data"))
        for (name, pairs, turns), (other, sorted_pairs, others) in zip(given, back, strict=True):
            assert (name, sorted(pairs)) == (other, sorted_pairs)
            assert [fields[:4] for fields in turns] == [fields[:4] for fields in others]
            reordered += pairs != sorted_pairs
            times += sum(a[4].partition(": ")[2] != b[4].partition(": ")[2] for a, b in zip(turns, others, strict=True))
            n_utterances += len(turns)
    # All 1374 conversations have 13619 utterances, 69 lines in another order and 3 such times.
    of_all = {13619: (69, 3), 11053: (51, 1)}
    assert (reordered, times) == of_all[n_utterances]


def test_genuine_mecad_comes_out_as_it_is_but_for_seven_speakers(tmp_path):
    data = genuine("IEMOMECP_MECAD_DIR")
    export = exported("m3hg-json", data, tmp_path, "--config-name", "mecad")
    given, back = (json.loads((f / "valid_data_pair.json").read_text(encoding="utf-8")) for f in (data, export))
    assert list(given) == list(back)
    different: Counter[str] = Counter()
    for name, (turns,) in given.items():
        for entry, other in zip(turns, back[name][0], strict=True):
            different.update(key for key in entry.keys() | other.keys() if entry.get(key) != other.get(key))
    assert different == {"speaker": 7}
