"""What files state beside the schema: kept as optional columns, else counted."""

from __future__ import annotations

import copy
import os
from collections import Counter

import pytest
from corpus_files import ecf_by_dialogue, ecf_json_with_clips, ecf_text, turn_lists, write
from datasets import Dataset, concatenate_datasets, load_dataset

import iemomecp_dataset
from iemomecp_dataset.commands import stats
from iemomecp_dataset.corpora.annotations import read_cause_annotation
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.rows import is_synthetic
from iemomecp_dataset.schema import PAIR_LABELS, annotation_features, row_features

COLUMNS = ["episode", "listed_pairs", "listed_times", "cause_annotations"]
ECF_LISTED = [(2, 1), (2, 2), (2, 1), (1, 3)]
OF_CAUSES = {
    "cause_modality": ["t", "a"],
    "cause_type": "event",
    "confidence": [4, 5, 3],
    "annotator_name": ["n1", "n2", "n3"],
}


def mecad():
    """A dialogue whose causes are annotated, listed out of order, and whose first speaker stands between blanks."""
    content = turn_lists("d1", "Anger", (2, 1))
    first, second = content["d1"][0]
    first |= {"speaker": " Ann", "utterance_name": "own_1"}
    second |= {"utterance_name": "own_2", **OF_CAUSES}
    return content


def listed(row):
    return [(pair["target_turn"], pair["cause_turn"]) for pair in row["listed_pairs"]]


def test_rows_of_ecf_keep_episode_order_and_times_as_the_file_writes_them(tmp_path):
    write(tmp_path / "train.txt", ecf_text().replace("00:00:02.000 - 01:00:03.250", "00:00:02 - 01:00:03.25"))
    one, other = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train", annotations=True)
    assert (one["episode"], listed(one)) == ("Show_S1E1", ECF_LISTED)
    assert one["listed_times"] == [
        "00:00:01.500 - 00:00:02.000", "00:00:02 - 01:00:03.25", "00:00:04.000 - 00:00:05.000",
    ]  # fmt: skip
    assert one["cause_annotations"] == other["cause_annotations"] == other["listed_pairs"] == []
    assert one["utterances"][1]["end"] == 3603.25


@pytest.mark.parametrize(
    ("document", "pairs", "episode"),
    [
        (ecf_json_with_clips(), [(2, 1), (2, 2), (1, 3)], "Show_S1E1"),
        (ecf_by_dialogue(), [(1, 3), (2, 1), (2, 2)], None),
    ],
    ids=["SemEval", "by dialogue"],
)
def test_every_layout_of_ecf_has_what_it_states(tmp_path, document, pairs, episode):
    write(tmp_path / "train.json", document)
    row = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train", annotations=True)[0]
    assert (listed(row), row["episode"]) == (pairs, episode)
    times = ["00:00:01.500 - 00:00:02.000", "00:00:02.000 - 01:00:03.250", "00:00:04.000 - 00:00:05.000"]
    assert row["listed_times"] == (times if episode else [])


def test_an_utterance_without_times_and_two_episodes_are_no_times_and_no_episode(tmp_path):
    document = ecf_json_with_clips()
    del document[0]["conversation"][1]["video_source"]
    document[0]["conversation"][2]["video_source"][0] = "Show_S1E2"
    write(tmp_path / "train.json", document)
    row = iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train", annotations=True)[0]
    assert row["episode"] is None
    assert row["listed_times"] == ["00:00:01.500 - 00:00:02.000", None, "00:00:04.000 - 00:00:05.000"]


def test_rows_of_mecad_keep_the_annotations_of_causes(tmp_path):
    write(tmp_path / "valid_data_pair.json", mecad())
    rows = iemomecp_dataset.load("mecad", data_dir=tmp_path, split="validation", annotations=True)
    assert listed(rows[0]) == [(2, 2), (2, 1)]
    assert rows[0]["cause_annotations"] == [{"target_turn": 2, "utterance_name": "own_2", **OF_CAUSES}]
    assert (rows[0]["episode"], rows[0]["listed_times"]) == (None, [])
    # Stripped in either case, hence counted in either case.
    assert rows[0]["utterances"][0]["speaker"] == "Ann"
    assert "validation: speaker names with blanks around them (stripped) 1." in rows.info.description


@pytest.mark.parametrize(
    ("name", "value", "otherwise"),
    [
        ("cause_modality", ["t", 1], []),
        ("cause_type", ["event"], None),
        ("confidence", [4, 4.5], []),
        ("confidence", [True], []),
        ("annotator_name", "n1", []),
    ],
)
def test_annotations_of_another_type_are_left_out_and_counted(tmp_path, name, value, otherwise):
    content = mecad()
    content["d1"][0][1][name] = value
    write(tmp_path / "valid_data_pair.json", content)
    rows = iemomecp_dataset.load("mecad", data_dir=tmp_path, split="validation", annotations=True)
    expected = {"target_turn": 2, "utterance_name": "own_2", **OF_CAUSES, name: otherwise}
    assert rows[0]["cause_annotations"] == [expected]
    assert "annotations of causes of another type (left out) 1" in rows.info.description


@pytest.fixture
def both(tmp_path):
    """ECF without and with the columns."""
    text = ecf_text().replace("01:00:03.250", "01:00:03.25")
    write(tmp_path / "ecf" / "train.txt", text)
    return [
        iemomecp_dataset.load("ecf", data_dir=tmp_path / "ecf", split="train", annotations=kept)
        for kept in (False, True)
    ]


def test_without_the_option_rows_are_as_before_and_what_stays_out_is_counted(both, tmp_path):
    plain, annotated = both
    assert plain.features == row_features(PAIR_LABELS, CORPORA["ecf"].emotions)
    assert annotated.features == {**plain.features, **annotation_features()}
    assert annotated.remove_columns(COLUMNS).to_list() == plain.to_list()
    assert plain.info.description.endswith(
        "In the rows only with annotations=True: train: names of episodes 2; train: dialogues that list their pairs "
        "in another order 1; train: utterances whose times are not in milliseconds 1."
    )
    assert "annotations" not in annotated.info.description

    write(tmp_path / "mecad" / "valid_data_pair.json", mecad())
    described = iemomecp_dataset.load("mecad", data_dir=tmp_path / "mecad", split="validation").info.description
    for name in OF_CAUSES:
        assert f"validation: utterances with {name} 1" in described


def test_the_statistics_say_what_stays_out(tmp_path, capsys):
    write(tmp_path / "train.txt", ecf_text())
    stats.main(["ecf", "--data-dir", str(tmp_path)])
    assert "In the rows only with annotations=True: train: names of episodes 2;" in capsys.readouterr().out


def test_nothing_is_said_of_files_that_state_no_more_than_rows_have(tmp_path):
    content = copy.deepcopy(ecf_by_dialogue())
    write(tmp_path / "train_data_pair.json", content)
    assert iemomecp_dataset.load("ecf", data_dir=tmp_path, split="train").info.description.endswith("all.")


def test_digests_do_not_depend_on_the_columns(both, tmp_path):
    corpora = [load_corpus("ecf", tmp_path / "ecf", annotations=kept) for kept in (False, True)]
    assert corpora[0].fingerprints == corpora[1].fingerprints
    assert corpora[0].text_fingerprints == corpora[1].text_fingerprints
    assert listed(corpora[1].rows["train"][0]) == ECF_LISTED


def test_the_columns_survive_whatever_datasets_does_with_them(both, tmp_path):
    plain, annotated = both
    rows = annotated.to_list()
    folder = tmp_path / "ecf"
    assert list(load_dataset("iemomecp", "ecf", data_dir=str(folder), split="train", annotations=True)) == rows
    streamed = iemomecp_dataset.load("ecf", data_dir=folder, split="train", annotations=True, streaming=True)
    assert list(streamed) == rows
    annotated.save_to_disk(tmp_path / "saved")
    assert Dataset.load_from_disk(tmp_path / "saved").to_list() == rows
    annotated.to_parquet(tmp_path / "rows.parquet")
    back = Dataset.from_parquet(str(tmp_path / "rows.parquet"), cache_dir=str(tmp_path / "cache"))
    assert (back.features, back.to_list()) == (annotated.features, rows)

    joined = concatenate_datasets([annotated, plain])
    assert joined.features == annotated.features
    assert joined[len(rows)]["listed_pairs"] is None
    assert [iemomecp_dataset.gold_pairs(row) for row in joined] == 2 * [iemomecp_dataset.gold_pairs(r) for r in plain]
    assert iemomecp_dataset.to_pairs(annotated).to_list() == iemomecp_dataset.to_pairs(plain).to_list()
    assert iemomecp_dataset.whole_dialogues(annotated)[0]["listed_pairs"] == rows[0]["listed_pairs"]
    assert not is_synthetic(annotated)


def test_candidates_of_the_past_list_every_pair_of_the_file(both, tmp_path):
    past = iemomecp_dataset.load("ecf", data_dir=tmp_path / "ecf", split="train", annotations=True, candidates="past")
    assert listed(past[0]) == ECF_LISTED
    assert past.column_names[-5:] == ["gold_outside_candidates", *COLUMNS]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("reccon", True, "'reccon' does not take the option 'annotations'; it is for 'ecf', 'mecad'"),
        ("3class", True, "'3class' does not take the option 'annotations'"),
        ("ecf", "yes", "annotations must be True or False, but is 'yes'"),
    ],
)
def test_the_option_is_for_corpora_whose_files_state_more(name, value, words):
    with pytest.raises(UsageError, match=words):
        iemomecp_dataset.load(name, data_dir="anywhere", annotations=value)


GENUINE = {
    ("ecf", "train"): {"names of episodes": 1001, "dialogues that list their pairs in another order": 45,
                       "utterances whose times are not in milliseconds": 1},
    ("ecf", "validation"): {"names of episodes": 112, "dialogues that list their pairs in another order": 6},
    ("mecad", "validation"): {"speaker names with blanks around them (stripped)": 7,
                              "utterances with cause_modality": 743, "utterances with cause_type": 743,
                              "utterances with confidence": 744, "utterances with annotator_name": 744},
}  # fmt: skip


@pytest.mark.parametrize(("name", "split"), GENUINE)
def test_genuine_files_state_as_much_as_was_counted(name, split):
    variable = f"IEMOMECP_{name.upper()}_DIR"
    if variable not in os.environ:
        pytest.skip(f"{variable} does not name a folder with the genuine files")
    plain = iemomecp_dataset.load(name, data_dir=os.environ[variable], split=split)
    for what, count in GENUINE[name, split].items():
        assert f"{split}: {what} {count}" in plain.info.description
    annotated = iemomecp_dataset.load(name, data_dir=os.environ[variable], split=split, annotations=True)
    assert annotated.remove_columns(COLUMNS).to_list() == plain.to_list()
    for row in annotated:
        assert sorted(listed(row)) == [tuple(pair) for pair in iemomecp_dataset.gold_pairs(row)]


def test_a_confidence_that_no_column_takes_is_left_out_and_counted():
    counts = Counter()
    kept = read_cause_annotation({"confidence": [2**63 - 1, -(2**63)]}, 2, counts)
    assert (kept["confidence"], counts.total()) == ([2**63 - 1, -(2**63)], 0)
    found = read_cause_annotation({"confidence": [1, 2**63]}, 2, counts)
    assert (found["confidence"], counts.total()) == ([], 1)
