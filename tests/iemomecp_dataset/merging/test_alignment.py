"""Merging: tolerated variants of the sources, the merge report, and the placement of chunks."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest

import iemomecp_dataset
from iemomecp_dataset.builder import IemomecpBuilder
from iemomecp_dataset.errors import InvalidDataError, MissingDataError
from iemomecp_dataset.merging.alignment import align
from iemomecp_dataset.merging.evidence import belongs, disagreement, fits_exactly, lost_source_pairs
from iemomecp_dataset.overlay.chunks import OverlayChunk, OverlayPair
from iemomecp_dataset.sources.ecpec import SourceDialogue


def rows_of(tree, **options):
    return {split: list(rows) for split, rows in iemomecp_dataset.load(data_dir=tree.root, **options).items()}


def report_of(tree, **options):
    builder = IemomecpBuilder(config_name="3class", data_dir=tree.root, **options)
    list(builder.as_streaming_dataset())
    return builder.merge_report


# --- harmless differences ---------------------------------------------------------------------------------------------


def crlf_and_bom(tree):
    for path in [*(tree.root / "IEMOCAP").rglob("*.txt"), *(tree.root / "labels").iterdir()]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))


def macos_companions(tree):
    for path in [*(tree.root / "IEMOCAP").rglob("*.txt"), *(tree.root / "labels").iterdir()]:
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7 junk")
    evaluators = tree.root / "IEMOCAP" / "Session1" / "dialog" / "EmoEvaluation" / "Self-evaluation"
    evaluators.mkdir()
    (evaluators / "Ses01F_impro01_f1_anvil.txt").write_text("something else")


def sixteen_entries(tree):
    tree.n_entries = 16
    tree.write_pickle()


def arrays_and_scalars(tree):
    entries = list(tree.pickle_entries())
    for position in (2, 3):
        entries[position] = {name: np.array(values) for name, values in entries[position].items()}
    entries[4] = {name: [np.int64(value) for value in values] for name, values in entries[4].items()}
    # "No cause" is written in several ways.
    entries[5] = {
        name: [[None, 0, "N"][turn % 3] if value == 0 else np.array([value]) for turn, value in enumerate(values)]
        for name, values in entries[5].items()
    }
    entries[1] = {name: np.array(values) for name, values in entries[1].items()}
    tree.write_pickle(tuple(entries))


def object_arrays(tree):
    entries = list(tree.pickle_entries())
    entries[3] = {
        name: np.array([value or None for value in values], dtype=object) for name, values in entries[3].items()
    }
    entries[0] = {name: np.array(values, dtype=object) for name, values in entries[0].items()}
    tree.write_pickle(tuple(entries))


def bare_scalars(tree):
    tree.dialogues["Ses03F_impro09"] = type(tree.dialogues["Ses01F_impro01"])("train", "h", {1: [1]}, [1])
    tree.write()
    entries = list(tree.pickle_entries())
    for entry in (*entries[:6], entries[9]):
        entry["Ses03F_impro09"] = entry["Ses03F_impro09"][0]
    tree.write_pickle(tuple(entries))


def repeated_causes(tree):
    entries = list(tree.pickle_entries())
    entries[5] = {
        name: [third or first for first, third in zip(entries[3][name], values, strict=True)]
        for name, values in entries[5].items()
    }
    tree.write_pickle(tuple(entries))


def other_label_spellings(tree):
    for split, key in (("train", "train"), ("validation", "valid"), ("test", "test")):

        def respell(document, key=key):
            document["dataset"] = "IemoMECP"
            dialogues = document["splits"].pop(key)
            document["splits"]["dev" if key == "valid" else key] = dialogues
            for dialogue in dialogues:
                dialogue["raw_doc_id"] = dialogue.pop("dialogue_id")
                random.Random(1).shuffle(dialogue["pairs"])
                for pair in dialogue["pairs"]:
                    pair["emotion_turn"] = pair.pop("target_emotion_turn")
                    pair["candidate_cause_turn"] = pair.pop("cause_turn")
                    pair["comment"] = "an unknown field"

        tree.edit_labels(split, respell)
    tree.labels("validation").rename(tree.root / "labels" / "dev.json")


def labels_as_csv(tree):
    import csv

    for split in ("train", "validation", "test"):
        document = json.loads(tree.labels(split).read_text())
        tree.labels(split).unlink()
        with (tree.root / "labels" / f"{document['split']}.csv").open("w", newline="") as stream:
            columns = ["split", "dialogue_id", "num_utterances", "target_emotion_turn", "cause_turn", "label_id"]
            columns += ["label", "source", "taxonomy_label", "context_subtype_ids", "context_subtypes"]
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            for dialogue in document["splits"][document["split"]]:
                for pair in dialogue["pairs"]:
                    writer.writerow(
                        {
                            "split": document["split"],
                            "dialogue_id": dialogue["dialogue_id"],
                            "num_utterances": dialogue["num_utterances"],
                            **pair,
                            "context_subtype_ids": json.dumps(pair["context_subtype_ids"]),
                            "context_subtypes": "|".join(pair["context_subtypes"]),
                        }
                    )


@pytest.mark.parametrize(
    "change",
    [
        crlf_and_bom,
        macos_companions,
        sixteen_entries,
        arrays_and_scalars,
        object_arrays,
        repeated_causes,
        other_label_spellings,
        labels_as_csv,
    ],
)
def test_harmless_differences_give_the_same_rows(tree, change):
    expected = rows_of(tree)
    change(tree)
    found = rows_of(tree)
    if change is labels_as_csv:  # CSV cannot distinguish empty text from None.
        for row in (row for rows in expected.values() for row in rows):
            for pair in row["pairs"]:
                pair["taxonomy_label"] = pair["taxonomy_label"] or None
    assert found == expected


@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_protocol(tree, protocol):
    expected = rows_of(tree)
    tree.protocol = protocol
    tree.write_pickle()
    assert rows_of(tree) == expected


def test_one_csv_for_all_splits(tree, tmp_path):
    expected = rows_of(tree)
    labels_as_csv(tree)
    lines = [(tree.root / "labels" / f"{name}.csv").read_text().splitlines() for name in ("train", "valid", "test")]
    shutil.rmtree(tree.root / "labels")
    (tree.root / "labels").mkdir()
    merged = [lines[0][0], *(line for part in lines for line in part[1:])]
    (tree.root / "labels" / "all_labels.csv").write_text("\n".join(merged) + "\n")
    assert [row["dialogue_id"] for rows in rows_of(tree).values() for row in rows] == (
        [row["dialogue_id"] for rows in expected.values() for row in rows]
    )


@pytest.mark.parametrize("pattern", ["{0}-{1}", "{0}_chunk{1}", "{0}.{1:04d}", "x/{0}__c{1:03d}", "{0} part {1}"])
@pytest.mark.parametrize("base", [0, 1, 7])
def test_any_separator_and_index_base(tree, pattern, base):
    expected = rows_of(tree)
    tree.chunk_id = lambda dialogue, number: pattern.format(dialogue, number - 1 + base)
    tree.write_labels()
    found = rows_of(tree)
    for split, rows in found.items():
        for row, reference in zip(rows, expected[split], strict=True):
            assert row["source_dialogue_id"] == reference["source_dialogue_id"]
            assert row["utterances"] == reference["utterances"]
            assert row["chunk_index"] == reference["chunk_index"] - 1 + base


def test_opaque_ids_are_placed_by_what_the_labels_say(tree):
    expected = rows_of(tree)
    names = {}
    tree.chunk_id = lambda dialogue, number: names.setdefault((dialogue, number), f"document {len(names) * 7}")
    tree.write_labels()
    for split in ("train", "validation", "test"):
        tree.edit_labels(split, lambda d: d["splits"][d["split"]].reverse())
    found = {
        row["source_dialogue_id"] + str(row["utterances"][0]["source_turn"]): row
        for rows in rows_of(tree).values()
        for row in rows
    }
    for reference in (row for rows in expected.values() for row in rows):
        row = found[reference["source_dialogue_id"] + str(reference["utterances"][0]["source_turn"])]
        assert row["utterances"] == reference["utterances"]
        assert row["pairs"] == reference["pairs"]
        assert row["chunk_index"] == reference["chunk_index"] - 1  # By order, from 0, as the id has no number.
    report = report_of(tree)
    assert report.placement == {"fingerprint": 6}
    assert "fingerprint" in report.dialogues["Ses01F_impro01"]


# --- the merge report -------------------------------------------------------------------------------------------------


def test_report_accounts_for_every_utterance_and_pair(tree):
    report = report_of(tree)
    dialogues = tree.dialogues.values()
    inside = sum(
        start <= cause < start + length and start <= target < start + length
        for _, name, _, start, length in tree.chunk_spans()
        for target, causes in tree.dialogues[name].causes.items()
        for cause in causes
    )
    total = sum(len(causes) for dialogue in dialogues for causes in dialogue.causes.values())
    counts = report.counts
    assert counts["utterances"] == sum(len(dialogue.emotions) for dialogue in dialogues)
    assert counts["pairs of ConvECPE"] == total
    assert counts["pairs of ConvECPE among the candidates"] == inside
    assert counts["pairs of ConvECPE that cross chunks (not candidates)"] == total - inside == 1
    assert counts["temporal exceptions (cause after target)"] == 1
    assert counts["temporal exceptions that are not pairs of ConvECPE"] == 0
    assert counts["utterances without wav"] == 0
    assert counts["utterances without video"] == counts["utterances"]
    assert sum(sum(roles.values()) for roles in report.transitions.values()) == counts["candidate pairs"]
    assert report.transitions["pair"]["emo_cause"] == inside
    assert report.placement == {"id": 6}
    assert [len(check.mismatches) for check in report.checks] == [0] * 6
    text = report.to_text()
    assert "0 of 18 differ" in text
    assert json.loads(report.to_json())["counts"] == counts


def test_mismatches_are_counted_listed_and_limited(tree):
    path = tree.transcript("Ses01F_impro01")
    path.write_text(path.read_text().replace("Line 3, of", "Something else, of"))
    evaluation = tree.evaluation("Ses05F_impro03")
    evaluation.write_text(evaluation.read_text().replace("\tneu\t", "\txxx\t", 1))
    with pytest.raises(InvalidDataError) as caught:
        rows_of(tree)
    message = str(caught.value)
    assert "text of IEMOCAP against ConvECPE's sentence" in message
    assert "1 of 18 differ (5.56%), more than the accepted 1.00%" in message
    assert "Ses01F_impro01_F003: IEMOCAP 'Something else, of Ses01F impro01.'" in message
    rows = rows_of(tree, max_mismatch=0.1)
    assert rows["train"][0]["utterances"][2]["text"].startswith("Something else")
    report = report_of(tree, max_mismatch=0.1)
    assert {check.name.split()[0]: len(check.mismatches) for check in report.checks} == (
        {"utterances": 0, "text": 1, "emotion": 1, "speaker": 0, "turns": 0}
    )
    assert "EmoEvaluation 'xxx', ConvECPE 'neu'" in report.to_text()


def test_text_that_is_not_asked_for_may_differ(tree):
    for path in (tree.root / "IEMOCAP").rglob("transcriptions/*.txt"):
        path.write_text(path.read_text().replace("Line ", "Quite another line "))
    rows = rows_of(tree, text_source="ecpec")
    assert rows["train"][0]["utterances"][0]["text"] == tree.sentence("Ses01F_impro01", 1)
    assert rows["train"][0]["utterances"][0]["start"] == 2.0
    report = report_of(tree, text_source="ecpec")
    assert [len(check.mismatches) for check in report.checks] == [0, 0, 18, 0, 0, 0]


def test_one_utterance_may_be_written_without_a_list(tree):
    bare_scalars(tree)
    assert rows_of(tree)["train"][-1]["utterances"][0]["text"] == tree.sentence("Ses03F_impro09", 1)


def test_formatting_is_no_mismatch(tree):
    for path in (tree.root / "IEMOCAP").rglob("transcriptions/*.txt"):
        path.write_text(path.read_text().replace("Line ", "LINE -- "))
    assert [len(check.mismatches) for check in report_of(tree).checks] == [0] * 6


def test_times_come_from_the_transcript_else_from_the_evaluation(tree):
    path = tree.transcript("Ses01F_impro01")
    utterance = tree.utterance_id("Ses01F_impro01", 1)
    lines = [
        f"{utterance}: Line 1, of Ses01F impro01." if line.startswith(utterance) else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines).replace("[004.0000-005.5000]", "[004.2500-005.7500]"))
    first, second = rows_of(tree)["train"][0]["utterances"][:2]
    assert (first["text"], first["start"], first["end"]) == ("Line 1, of Ses01F impro01.", 2.0, 3.5)
    assert (second["start"], second["end"]) == (4.25, 5.75)


def test_an_utterance_without_a_transcript_line_keeps_the_source_sentence_and_is_counted(tree):
    path = tree.transcript("Ses01F_impro01")
    utterance = tree.utterance_id("Ses01F_impro01", 1)
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith(utterance)))
    for options in ({}, {"max_mismatch": 0.1}):
        with pytest.raises(InvalidDataError, match="not in the transcript: Ses01F_impro01_F001"):
            rows_of(tree, **options)
    rows = rows_of(tree, allow_missing_text=True)
    assert rows["train"][0]["utterances"][0]["text"] == "Line 1, of Ses01F impro01."
    report = report_of(tree, allow_missing_text=True)
    assert [len(check.mismatches) for check in report.checks] == [1, 0, 0, 0, 0, 0]
    assert report.counts["utterances without a line in the transcripts (their text is ConvECPE's)"] == 1


def test_missing_media_are_null_and_counted(tree):
    shutil.rmtree(tree.root / "IEMOCAP" / "Session2" / "sentences")
    divx = tree.root / "IEMOCAP" / "Session5" / "dialog" / "avi" / "DivX"
    divx.mkdir(parents=True)
    (divx / "Ses05F_impro03.avi").write_bytes(b"not really")
    rows = rows_of(tree)
    assert {utterance["wav"] for utterance in rows["validation"][0]["utterances"]} == {None}
    videos = {utterance["video"] for row in rows["test"] for utterance in row["utterances"]}
    assert videos == {str(divx / "Ses05F_impro03.avi")}
    counts = report_of(tree).counts
    assert (counts["utterances without wav"], counts["utterances without video"]) == (3, 13)


def test_a_missing_transcript_file_is_named(tree):
    tree.transcript("Ses02M_impro02").unlink()
    with pytest.raises(MissingDataError, match=r"Session2/dialog/transcriptions/Ses02M_impro02\.txt: missing"):
        rows_of(tree)


# --- ids and contents that disagree -----------------------------------------------------------------------------------


def exchange_contents(tree, split, one, other):
    def exchange(document):
        chunks = document["splits"][document["split"]]
        for key in ("pairs", "num_utterances"):
            chunks[one][key], chunks[other][key] = chunks[other][key], chunks[one][key]

    tree.edit_labels(split, exchange)


def test_two_exchanged_chunks_are_an_error_that_names_both(tree):
    exchange_contents(tree, "train", 0, 2)  # Of equal length, in different dialogues.
    with pytest.raises(InvalidDataError) as caught:
        rows_of(tree)
    message = str(caught.value)
    assert "ids and the contents of 2 chunk(s) disagree" in message
    assert "Ses01F_impro01__c001 at turns 1 to 3" in message
    assert "The content of Ses01F_impro01__c001 fits the place of Ses01F_script01_1__c001" in message


def test_a_single_label_that_disagrees_is_accepted_when_asked_for_and_counted(tree):
    def no_cause(document):
        for pair in document["splits"]["test"][1]["pairs"]:
            if pair["target_emotion_turn"] == 2:
                pair.update(label_id=2, label="non_pair", context_subtype_ids=[], context_subtypes=[])

    tree.edit_labels("test", no_cause)
    with pytest.raises(InvalidDataError) as caught:
        rows_of(tree)
    assert "Ses05F_impro03__c002 at turns 3 to 5" in str(caught.value)
    assert "without an emo_cause: turns 2" in str(caught.value)
    assert "raise max_label_mismatch" in str(caught.value)
    assert len(rows_of(tree, max_label_mismatch=0.06)["test"]) == 2
    check = report_of(tree, max_label_mismatch=0.06).checks[-1]
    assert check.mismatches == ("Ses05F_impro03__c002, turn 2: has no emo_cause, emotional in ConvECPE",)
    assert check.compared == 18


def test_exchanged_chunks_are_never_accepted(tree):
    exchange_contents(tree, "train", 0, 2)
    with pytest.raises(InvalidDataError, match="fits the place of"):
        rows_of(tree, max_label_mismatch=1.0)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 2)])
def test_chunks_of_different_lengths_exchanged(tree, one, other):
    exchange_contents(tree, "train", one, other)
    with pytest.raises(InvalidDataError, match=r"disagree|has \d+ utterances in ConvECPE, but its chunks have"):
        rows_of(tree)


def test_a_chunk_or_a_dialogue_that_is_missing_is_named(tree):
    tree.edit_labels("test", lambda d: d["splits"]["test"].__delitem__(-1))
    with pytest.raises(InvalidDataError, match=r"'Ses05F_impro03' has 5 utterances in ConvECPE, but its chunks have 2"):
        rows_of(tree)
    tree.write_labels()
    tree.edit_labels("train", lambda d: d["splits"]["train"].__delitem__(-1))
    with pytest.raises(InvalidDataError, match=r"cover no chunk of 1 ConvECPE dialogue.*Ses01F_script01_1"):
        rows_of(tree)


def test_a_forward_pair_that_the_labels_leave_out_is_said(tree, caplog):
    def drop(document):
        pairs = document["splits"]["train"][0]["pairs"]
        pairs[:] = [pair for pair in pairs if pair["cause_turn"] <= pair["target_emotion_turn"]]

    tree.edit_labels("train", drop)
    report = report_of(tree)
    assert report.counts["forward pairs of ConvECPE that are not candidates"] == 1
    assert "1 forward pairs of ConvECPE that are not candidates" in report.to_text()
    assert "1 forward pairs of ConvECPE that are not candidates" in caplog.text


def source(name, emotions, pairs=()):
    n = len(emotions)
    return SourceDialogue(
        name, tuple(f"{name}_{i}" for i in range(n)), ("F",) * n, tuple("hsnaef".index(e) for e in emotions),
        ("",) * n, frozenset(pairs),
    )  # fmt: skip


def chunk(name, emotions, causes=()):
    pairs = [
        OverlayPair(t, c, 0 if (c == t and emotions[t - 1] != "n") or (t, c) in causes else 2, "", "", ())
        for t in range(1, len(emotions) + 1)
        for c in range(1, t + 1)
    ]
    return OverlayChunk(name, len(emotions), tuple(pairs))


def test_ambiguous_opaque_ids_are_an_error_that_lists_the_candidates():
    dialogues = {"A": source("A", "hnh"), "B": source("B", "hnh")}
    with pytest.raises(InvalidDataError) as caught:
        align({"train": [chunk("x", "hnh"), chunk("y", "hnh")]}, dialogues)
    # File order does not help: both solutions keep it.
    assert "more than one way" in str(caught.value)
    assert "x: A from turn 1, B from turn 1" in str(caught.value)


def test_the_split_a_dialogue_lies_in_tells_opaque_chunks_apart():
    dialogues = {"A": source("A", "hhn"), "B": source("B", "hhhn")}
    splits = {"train": [chunk("x1", "hh"), chunk("x2", "n")], "test": [chunk("y1", "hh"), chunk("y2", "hn")]}
    places = {name: (place.dialogue_id, place.start) for name, place in align(splits, dialogues).items()}
    assert places == {"x1": ("A", 0), "x2": ("A", 2), "y1": ("B", 0), "y2": ("B", 2)}


def test_opaque_chunks_that_fit_nowhere_are_named():
    with pytest.raises(InvalidDataError, match=r"No place in ConvECPE.*: x"):
        align({"train": [chunk("x", "nn")]}, {"A": source("A", "hn")})
    with pytest.raises(InvalidDataError, match="have 3 utterances, but 2 utterances of ConvECPE are left"):
        align({"train": [chunk("x", "hnn")]}, {"A": source("A", "hn")})


@pytest.mark.slow
def test_full_scale_with_opaque_ids_in_file_order(full_dir):
    from dataclasses import replace

    from iemomecp_dataset.overlay.validation import read_overlay
    from iemomecp_dataset.sources.ecpec import find_ecpec, read_ecpec

    overlay, ecpec = read_overlay(full_dir / "labels"), read_ecpec(find_ecpec(full_dir / "ECPEC"))
    by_id = align(overlay.chunks, ecpec.dialogues)
    opaque = {
        split: [replace(chunk, dialogue_id=f"{split} {number * 31 % 997}") for number, chunk in enumerate(chunks)]
        for split, chunks in overlay.chunks.items()
    }
    placed = align(opaque, ecpec.dialogues)
    for split, chunks in overlay.chunks.items():
        for named, anonymous in zip(chunks, opaque[split], strict=True):
            one, other = by_id[named.dialogue_id], placed[anonymous.dialogue_id]
            assert (one.dialogue_id, one.start) == (other.dialogue_id, other.start)


# --- evidence that a chunk belongs to a span --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_source", "lost", "tolerated", "exact"),
    [
        (4, 0, True, True),
        (4, 2, True, False),
        (4, 3, False, False),
        (20, 2, True, True),
        (20, 3, True, False),
        (20, 5, True, False),
        (20, 6, False, False),
    ],
)
@pytest.mark.parametrize("start", [0, 3])
def test_a_chunk_belongs_where_few_source_pairs_are_lost(n_source, lost, tolerated, exact, start):
    n = 7  # 28 pairs with cause <= target
    places = [(target, cause) for target in range(1, n + 1) for cause in range(1, target + 1)]
    source = places[:n_source]
    pairs = tuple(
        OverlayPair(target, cause, 2 if place not in source or source.index(place) < lost else 0, None, None, ())
        for place in places
        for target, cause in [place]
    )
    turns = start + n
    dialogue = SourceDialogue(
        "d", ("u",) * turns, ("F",) * turns, (0,) * turns, ("",) * turns,
        frozenset((target + start, cause + start) for target, cause in source),
    )  # fmt: skip
    chunk = OverlayChunk("d", n, pairs)
    assert lost_source_pairs(chunk, dialogue, start) == (lost, n_source)
    assert belongs(chunk, dialogue, start) == tolerated
    assert fits_exactly(chunk, dialogue, start) == exact
    assert disagreement(chunk, dialogue, start) == lost
