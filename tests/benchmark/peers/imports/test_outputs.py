"""Outputs of every peer are read to exactly the decisions that were written, or refused with a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peer_outputs import (
    Decided,
    hilo_content,
    m3hg_json_content,
    m3hg_text,
    manifest_for,
    mecpe_text,
    random_decisions,
    semeval_content,
    write_ecf,
    write_output,
)

from iemomecp_dataset.benchmark.peers.imports.hilo_output import read_hilo_output
from iemomecp_dataset.benchmark.peers.imports.m3hg_json_output import read_m3hg_json_output
from iemomecp_dataset.benchmark.peers.imports.m3hg_output import read_m3hg_output
from iemomecp_dataset.benchmark.peers.imports.mecpe_output import read_mecpe_output
from iemomecp_dataset.benchmark.peers.imports.outputs import UNSCORED, PeerOutput
from iemomecp_dataset.benchmark.peers.imports.semeval_output import read_semeval_output
from iemomecp_dataset.benchmark.peers.manifest import Manifest
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, UsageError
from iemomecp_dataset.rows import gold_pairs

PEERS = ("hilo", "m3hg", "mecpe", "semeval", "m3hg-json")


@pytest.fixture(name="corpus", scope="module")
def fixture_corpus(made_once: Callable[..., Path]) -> Corpus:
    return load_corpus("ecf", made_once("peer-ecf", write_ecf))


def gold_of(corpus: Corpus, split: str) -> dict[str, list[tuple[int, int]]]:
    return {row["dialogue_id"]: gold_pairs(row) for row in corpus.rows[split]}


def read(path: Path, manifest: Manifest, corpus: Corpus, **options: Any) -> PeerOutput:
    if manifest.peer == "hilo":
        return read_hilo_output(path, manifest)
    if manifest.peer == "m3hg":
        return read_m3hg_output(path, manifest, **options)
    if manifest.peer == "mecpe":
        gold = {
            split: {name: frozenset(pairs) for name, pairs in gold_of(corpus, split).items()} for split in corpus.rows
        }
        return read_mecpe_output(path, manifest, gold, **options)
    return read_semeval_output(path, manifest) if manifest.peer == "semeval" else read_m3hg_json_output(path, manifest)


def pairs_of(matrix: np.ndarray) -> set[tuple[int, int]]:
    return {(int(target) + 1, int(cause) + 1) for target, cause in np.argwhere(matrix)}


def check(output: PeerOutput, decided: list[Decided]) -> None:
    """The decisions, the reasons and the probabilities are those that were written, pair by pair."""
    assert [dialogue.dialogue_id for dialogue in output.dialogues] == [one.dialogue_id for one in decided]
    for dialogue, one in zip(output.dialogues, decided, strict=True):
        assert pairs_of(dialogue.decided) == one.pairs
        found = {(t, c): UNSCORED[int(dialogue.reasons[t - 1, c - 1])] for t, c in pairs_of(dialogue.reasons > 0)}
        assert found == one.reasons
        if dialogue.probabilities is not None:
            for (target, cause), value in one.probabilities.items():
                assert dialogue.probabilities[target - 1, cause - 1] == value


OF_SPLITS = [
    (peer, split) for peer in PEERS for split in ("validation", "test") if (peer, split) != ("m3hg", "validation")
]


@pytest.mark.parametrize(("peer", "split"), OF_SPLITS)
def test_what_was_written_is_read(peer, split, corpus, tmp_path):
    manifest = manifest_for(corpus, peer)
    for seed in range(3):
        decided = random_decisions(manifest, split, seed)
        output = read(write_output(tmp_path, manifest, split, decided, gold_of(corpus, split)), manifest, corpus)
        assert output.split == split
        check(output, decided)
        assert output.dialogues[0].probabilities is not None or peer != "hilo"


@pytest.mark.parametrize("peer", ["m3hg", "mecpe", "semeval", "m3hg-json"])
def test_emotions_are_read_by_our_names(peer, corpus, tmp_path):
    manifest = manifest_for(corpus, peer)
    decided = random_decisions(manifest, "test")
    how = {"categories": True} if peer == "mecpe" else {}
    path = write_output(tmp_path, manifest, "test", decided, gold_of(corpus, "test"), **how)
    output = read(path, manifest, corpus, **how)
    for dialogue, one in zip(output.dialogues, decided, strict=True):
        wanted = one.emotions
        if peer == "semeval":  # it has targets of pairs alone
            targets = {target for target, _ in one.pairs}
            wanted = [name if turn in targets else "" for turn, name in enumerate(one.emotions, 1)]
        assert dialogue.emotions == tuple(wanted)


def test_emotions_stay_out_where_they_mean_something_else(corpus, tmp_path):
    manifest = manifest_for(corpus, "mecpe")
    decided = random_decisions(manifest, "test")
    path = write_output(tmp_path, manifest, "test", decided, gold_of(corpus, "test"))
    assert read(path, manifest, corpus).dialogues[0].emotions is None, "one name for every emotional utterance"
    for peer, reader in (("m3hg", read_m3hg_output), ("semeval", read_semeval_output),
                         ("m3hg-json", read_m3hg_json_output)):  # fmt: skip
        of_roles = replace(manifest_for(corpus, peer), config_name="3class")
        output = reader(write_output(tmp_path, of_roles, "test", decided_of(of_roles)), of_roles)
        assert {dialogue.emotions for dialogue in output.dialogues} == {None}
    stated = semeval_content(decided_of(manifest_for(corpus, "semeval")))
    for entry in stated:
        entry["emotions"] = "gold"
    path = tmp_path / "gold.json"
    path.write_text(json.dumps(stated))
    output = read_semeval_output(path, manifest_for(corpus, "semeval"))
    assert {dialogue.emotions for dialogue in output.dialogues} == {None}
    assert any("gold" in note for note in output.notes)


def decided_of(manifest: Manifest) -> list[Decided]:
    return random_decisions(manifest, "test")


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text,
        lambda text: re.sub(r"^\d+: ", "", text, flags=re.M),  # neither block numbered
        lambda text: re.sub(r"^(\d+): ", lambda m: f"{int(m[1]) + 1}\t", text, flags=re.M),  # from 1
        lambda text: re.sub(r"^(emotions|couples)\n", "", text, flags=re.M),  # no headings
        lambda text: re.sub(r"^\d+: ", "", re.sub(r"^(emotions|couples)\n", "\n", text, flags=re.M), flags=re.M),
        lambda text: re.sub(r"^\d+: ", "", text.replace("[]", ""), flags=re.M),  # an empty line: no pairs
        lambda text: re.sub(r"[\[\],:](?![^(]*\))", " ", text),  # bare numbers
    ],
)
def test_ways_to_lay_out_the_blocks_of_m3hg(rewrite, corpus, tmp_path):
    manifest = manifest_for(corpus, "m3hg")
    decided = decided_of(manifest)
    assert any(not one.pairs for one in decided)
    path = tmp_path / "test_result_1.txt"
    path.write_text(rewrite(m3hg_text(decided)))
    check(read_m3hg_output(path, manifest), decided)


@pytest.mark.parametrize("separator", ["", "\n"])
@pytest.mark.parametrize("newline", ["", "\n"])
@pytest.mark.parametrize("empty", [(0,), (-1,), (0, 1), (0, -1), (-2, -1)])
def test_empty_lines_at_the_ends_of_m3hgs_pairs_are_dialogues(empty, newline, separator, corpus, tmp_path):
    manifest = manifest_for(corpus, "m3hg")
    decided = decided_of(manifest)
    for one in decided:
        one.pairs = {(t, t) for t, name in enumerate(one.emotions, 1) if name != "neutral"}
    for place in empty:
        decided[place].pairs = set()
    text = re.sub(r"^\d+: ", "", m3hg_text(decided).replace("[]", ""), flags=re.M)
    text = re.sub(r"^emotions\n", "", text).replace("couples\n", separator)
    path = tmp_path / "test_result_1.txt"
    # An empty last line without its newline would be no line.
    path.write_text(text if -1 in empty else text.removesuffix("\n") + newline)
    check(read_m3hg_output(path, manifest), decided)


def test_a_pair_of_a_neutral_target_is_not_m3hgs(corpus, tmp_path):
    manifest = manifest_for(corpus, "m3hg")
    decided = decided_of(manifest)
    one = next(one for one in decided if one.pairs)
    one.emotions[min(one.pairs)[0] - 1] = "neutral"
    path = write_output(tmp_path, manifest, "test", decided)
    with pytest.raises(InvalidDataError, match="is neutral, and M3HG drops targets"):
        read_m3hg_output(path, manifest)


def test_a_later_cause_is_not_hilos(corpus, tmp_path):
    manifest = manifest_for(corpus, "hilo")
    decided = decided_of(manifest)
    one = next(one for one in decided if one.n_turns > 1)
    one.reasons.pop((1, 2))
    one.pairs.add((1, 2))
    one.probabilities[1, 2] = 0.9
    path = write_output(tmp_path, manifest, "test", decided)
    with pytest.raises(InvalidDataError, match=r"the pair \(1, 2\) has a later cause and is marked as scored"):
        read(path, manifest, corpus)


def test_mecpe_with_past_causes_alone_has_the_reason_future(corpus, tmp_path):
    manifest = manifest_for(corpus, "mecpe")
    decided = random_decisions(manifest, "test", past=True)
    path = write_output(tmp_path, manifest, "test", decided, gold_of(corpus, "test"))
    check(read(path, manifest, corpus, past=True), decided)


def test_another_window_of_m3hg(corpus, tmp_path):
    manifest = manifest_for(corpus, "m3hg")
    decided = random_decisions(manifest, "test", window=3)
    path = write_output(tmp_path, manifest, "test", decided)
    check(read_m3hg_output(path, manifest, window=3), decided)


def test_the_order_of_dialogues_is_free_where_they_have_ids(corpus, tmp_path):
    for peer in ("hilo", "mecpe", "semeval", "m3hg-json"):
        manifest = manifest_for(corpus, peer)
        decided = decided_of(manifest)
        path = write_output(tmp_path, manifest, "test", decided[::-1], gold_of(corpus, "test"))
        check(read(path, manifest, corpus), decided)


def test_what_hilo_printed_is_kept_in_shares(corpus, tmp_path):
    manifest = manifest_for(corpus, "hilo")
    path = tmp_path / "hilo_test.json"
    for printed in ({"precision": 47.9146, "recall": 26.3748, "f1": 34.022},
                    {"precision": 47.9146, "recall": 26.3748, "f1": 34.022, "scale": 100},
                    {"precision": 0.479146, "recall": 0.263748, "f1": 0.34022, "scale": 1}):  # fmt: skip
        path.write_text(json.dumps(hilo_content(decided_of(manifest), printed=printed)))
        assert read_hilo_output(path, manifest).printed == pytest.approx(
            {"precision": 0.479146, "recall": 0.263748, "f1": 0.34022}
        )


# Each case: peer, a change of what is written (content, decisions), the error, and words of its sentence.
Change = Callable[[Any, list[Decided]], Any]


def edit(**values: Any) -> Change:
    return lambda content, _: {**content, **values}


def of_first(**values: Any) -> Change:
    return lambda content, _: {**content, "dialogues": [content["dialogues"][0] | values, *content["dialogues"][1:]]}


def without_last(content: Any, _: list[Decided]) -> Any:
    if isinstance(content, dict) and "dialogues" in content:
        return {**content, "dialogues": content["dialogues"][:-1]}
    return dict(list(content.items())[:-1]) if isinstance(content, dict) else content[:-1]


def first_again(content: Any, _: list[Decided]) -> Any:
    return {**content, "dialogues": [*content["dialogues"], content["dialogues"][0]]}


def line(number: int, text: str) -> Change:
    """Replaces a line; the first is 0."""

    def change(content: str, _: list[Decided]) -> str:
        lines = content.split("\n")
        lines[number] = text
        return "\n".join(lines)

    return change


def first_of_mecpe(predicted: str = "", turns: str = "1 1 1") -> Change:
    """The first dialogue has 3 turns; its prediction and the decisions on emotions and causes."""

    def change(content: str, _: list[Decided]) -> str:
        lines = content.split("\n")
        lines[2] = predicted
        for turn, flag in enumerate(turns.split(), 1):
            lines[2 + turn] = f"{turn} | {flag} | 1 | Speaker | neutral | text ."
        return "\n".join(lines)

    return change


def evidence(*causes: Any) -> Change:
    """Causes of the first turn."""

    def change(content: dict[str, Any], _: list[Decided]) -> dict[str, Any]:
        first = next(iter(content))
        content[first][0][0]["expanded emotion cause evidence"] = list(causes)
        return content

    return change


ONES = [[1] * 3] * 3
ONE_TURN = {"utterance_ID": 1, "text": "Yes.", "speaker": "A", "emotion": "joy"}
REFUSALS: list[tuple[str, Change, type[IemomecpError], str]] = [
    ("hilo", edit(format=2), InvalidDataError, "not what the launcher of HiLo writes.*found format '2'"),
    ("hilo", edit(peer="m3hg"), InvalidDataError, "not what the launcher of HiLo writes"),
    ("hilo", edit(split="train"), UsageError, "its split is 'train'"),
    ("hilo", edit(dialogues={}), InvalidDataError, "'dialogues' must be a list"),
    ("hilo", edit(printed=3), InvalidDataError, "'printed' must be an object or null"),
    ("hilo", edit(printed={"f1": 0.5, "scale": 0}), InvalidDataError, "'printed' holds numbers that are no scores"),
    ("hilo", edit(printed={"f1": float("nan")}), InvalidDataError, "'printed' holds numbers that are no scores"),
    ("hilo", edit(remarks="abc"), InvalidDataError, "'remarks' must be a list"),
    ("hilo", without_last, InvalidDataError, r"it has 3 dialogues, and 4 of test were exported: 1 are missing \(12\)"),
    ("hilo", first_again, InvalidDataError, r"1 are there twice \(9\)"),
    ("hilo", of_first(id=999), InvalidDataError, r"1 are missing \(9\); 1 are not in the manifest \(999\)"),
    ("hilo", of_first(probability=[[0.5]]), InvalidDataError, "dialogue 9: 'probability' must be 3 x 3.*found 1 x 1"),
    ("hilo", of_first(probability=[[2.0] * 3] * 3), InvalidDataError, "not within 0 and 1"),
    ("hilo", of_first(probability=[[float("nan")] * 3] * 3), InvalidDataError, "not within 0 and 1"),
    ("hilo", of_first(decision=[[2] * 3] * 3), InvalidDataError, "'decision' must hold 0 and 1 alone"),
    ("hilo", of_first(probability=[[0.1] * 3] * 3, decision=ONES, scored=ONES), InvalidDataError,
     "on 9 pairs its decision is not that its probability is at least 0.5"),
    ("hilo", of_first(probability=ONES, decision=ONES, scored=[[0] * 3] * 3), InvalidDataError,
     r"the pair \(1, 1\) is predicted, but is marked as not scored"),
    ("m3hg", lambda text, _: "\n".join(text.split("\n")[:-2]), InvalidDataError,
     "4 lines of emotions and 3 lines of pairs, and 4 dialogues"),
    ("m3hg", line(1, "words"), InvalidDataError, "3 lines of emotions and 4 lines of pairs"),
    ("m3hg", line(1, "0: [1, 2]"), InvalidDataError, "dialogue d9: 2 emotions for 3 turns"),
    ("m3hg", line(1, "0: [1, 2, 0, 0]"), InvalidDataError, "dialogue d9, turn 3: there is no emotion 0"),
    ("m3hg", line(1, "0: [1, 8, 1, 0]"), InvalidDataError, "turn 2: there is no emotion 8"),
    ("m3hg", line(2, "2: [1, 1, 1]"), InvalidDataError, "does not have the number 1 of its place"),
    ("m3hg", line(6, "0: [(1, 4)]"), InvalidDataError, r"dialogue d9, pair \(1, 4\): points outside the dialogue"),
    ("m3hg", line(6, "0: [(0, 1)]"), InvalidDataError, r"pair \(0, 1\): points outside the dialogue"),
    ("m3hg", line(6, "0: [(1, 1), (1, 1)]"), InvalidDataError, r"the pair \(1, 1\) is named twice"),
    ("m3hg", line(6, "0: [(1, 1), 5]"), InvalidDataError, "is not a list of pairs"),
    ("m3hg", line(7, "1: [(15, 1)]"), InvalidDataError, r"\(15, 1\) is 14 turns apart.*at most 12.*--m3hg-window"),
    ("mecpe", line(0, "9 4"), InvalidDataError, "line 7: expected turn 4"),
    ("mecpe", line(0, "words"), InvalidDataError, "line 1: expected the header of a dialogue"),
    ("mecpe", line(0, "99 3"), InvalidDataError, r"1 are missing \(9\); 1 are not in the manifest \(99\)"),
    ("mecpe", line(1, "(3,3)(3,2),(3,1),(2,3),(1,3)"), InvalidDataError, "dialogue 9: its gold pairs are not those"),
    ("mecpe", line(1, "".join(f"({t},{c})" for t in (1, 2, 3) for c in (1, 2, 3))), InvalidDataError,
     r"0 are missing \(none\) and \d are others"),
    ("mecpe", line(2, "(1,1"), InvalidDataError, "line 3: expected a list of pairs"),
    ("mecpe", line(2, "(1,9)"), InvalidDataError, r"pair \(1, 9\): points outside the dialogue"),
    ("mecpe", first_of_mecpe("(1,1),(1,1)"), InvalidDataError, r"the pair \(1, 1\) is named twice"),
    ("mecpe", first_of_mecpe("(1,1)", "0 1 1"), InvalidDataError, r"\(1, 1\) is predicted, but step 1 does not take"),
    ("mecpe", line(3, "2 | 1 | 1 | S | joy | text"), InvalidDataError, "line 4: expected turn 1"),
    ("mecpe", line(3, "1 | 1 | 2 | S | joy | text"), InvalidDataError, "'2' is no decision on whether it is a cause"),
    ("mecpe", line(3, "1 | 0.4 | 1 | S | joy | text"), InvalidDataError, "'0.4' is no decision on its emotion"),
    ("mecpe", lambda text, _: text.rpartition("\n6 |")[0], InvalidDataError, "it ends where turn 6 should be"),
    ("semeval", without_last, InvalidDataError, r"1 are missing \(12\)"),
    ("semeval", lambda _, __: [{"conversation_ID": "77", "emotion-cause_pairs": []}], InvalidDataError,
     "none of its 1 dialogues is in the manifest"),
    ("semeval", lambda _, __: [{"conversation_ID": "1", "emotion-cause_pairs": []}], UsageError, "those of train"),
    ("semeval", lambda c, _: [c[0] | {"emotion-cause_pairs": [["4_joy", "1"]]}, *c[1:]], InvalidDataError,
     r"dialogue 9, pair \(4, 1\): points outside the dialogue"),
    ("semeval", lambda c, _: [c[0] | {"emotion-cause_pairs": [["1_jo", "1"]]}, *c[1:]], InvalidDataError,
     "there is no emotion 'jo' in the export. Did you mean 'joy'"),
    ("semeval", lambda c, _: [c[0] | {"conversation": [ONE_TURN], "emotion-cause_pairs": []}, *c[1:]], InvalidDataError,
     "dialogue 9: 1 utterances are listed, and 3 were exported"),
    ("m3hg-json", without_last, InvalidDataError, r"1 are missing \(12\)"),
    ("m3hg-json", lambda _, __: [], InvalidDataError, "expected an object by dialogue, found a list"),
    ("m3hg-json", lambda c, _: c | {"9": [{}]}, InvalidDataError, "a list that holds one list of turns"),
    ("m3hg-json", lambda c, _: c | {"9": [c["9"][0][:2]]}, InvalidDataError, "expected the turns 1 to 3"),
    ("m3hg-json", evidence(4), InvalidDataError, r"pair \(1, 4\): points outside the dialogue"),
    ("m3hg-json", evidence(1, 1), InvalidDataError, r"the pair \(1, 1\) is named twice"),
    ("m3hg-json", evidence("x"), InvalidDataError, "must list turns"),
]  # fmt: skip


@pytest.mark.parametrize(("peer", "change", "error", "words"), REFUSALS, ids=[f"{c[0]}-{c[3][:30]}" for c in REFUSALS])
def test_refusals(peer, change, error, words, corpus, tmp_path):
    manifest = manifest_for(corpus, peer)
    decided = decided_of(manifest)
    path = write_output(tmp_path, manifest, "test", decided, gold_of(corpus, "test"))
    content: Any = path.read_text()
    if peer in ("m3hg", "mecpe"):
        path.write_text(change(content, decided))
    else:
        path.write_text(json.dumps(change(json.loads(content), decided)))
    with pytest.raises(error, match=words) as caught:
        read(path, manifest, corpus)
    assert str(path) in str(caught.value)


def test_a_pair_with_a_later_cause_contradicts_past_causes_alone(corpus, tmp_path):
    manifest = manifest_for(corpus, "mecpe")
    content = mecpe_text(decided_of(manifest), gold_of(corpus, "test"))
    path = tmp_path / "run1_test.txt"
    path.write_text(first_of_mecpe("(1,2)")(content, []))
    assert (1, 2) in pairs_of(read(path, manifest, corpus).dialogues[0].decided)
    with pytest.raises(InvalidDataError, match="its cause is after its target, and --mecpe-past states"):
        read(path, manifest, corpus, past=True)


@pytest.mark.parametrize("name", ["run1_train.txt", "theirs.txt"])
def test_names_of_mecpe_files_tell_their_split(name, corpus, tmp_path):
    manifest = manifest_for(corpus, "mecpe")
    path = tmp_path / name
    path.write_text("")
    with pytest.raises(UsageError, match=r"run<k>_dev\.txt"):
        read(path, manifest, corpus)


def test_categories_of_mecpe_are_names_of_the_export(corpus, tmp_path):
    manifest = manifest_for(corpus, "mecpe")
    path = write_output(tmp_path, manifest, "test", decided_of(manifest), gold_of(corpus, "test"))
    with pytest.raises(InvalidDataError, match=r"there is no emotion '1' in the export.*leave --mecpe-categories out"):
        read(path, manifest, corpus, categories=True)


def test_a_target_with_two_emotions_leaves_the_file_without(corpus, tmp_path):
    manifest = manifest_for(corpus, "semeval")
    content = semeval_content(decided_of(manifest))
    content[0]["emotion-cause_pairs"] = [["1_joy", "1"], ["1_fear", "1"]]
    path = tmp_path / "test.json"
    path.write_text(json.dumps(content))
    output = read_semeval_output(path, manifest)
    assert pairs_of(output.dialogues[0].decided) == {(1, 1)}
    assert output.dialogues[0].emotions is None
    assert any("several emotions" in note for note in output.notes)


def test_latent_causes_are_no_pairs(corpus, tmp_path):
    manifest = manifest_for(corpus, "m3hg-json")
    content = evidence("b", 2)(m3hg_json_content(decided_of(manifest)), [])
    path = tmp_path / "test.json"
    path.write_text(json.dumps(content))
    output = read_m3hg_json_output(path, manifest)
    assert (1, 2) in pairs_of(output.dialogues[0].decided)
    assert output.notes == ("1 causes outside the dialogue (b) are no pairs.",)
