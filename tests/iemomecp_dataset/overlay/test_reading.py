"""Label files, JSON and CSV."""

from __future__ import annotations

import json

import pytest
from reader_case import ReaderCase

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.overlay.reading import read_label_file
from iemomecp_dataset.overlay.validation import check_overlay
from iemomecp_dataset.sources.full_splits import write_full_splits


class TestLabels(ReaderCase):
    of = read_label_file
    file = "x.json"

    @pytest.fixture
    def content(self, tree):
        return tree.labels("test").read_bytes().replace(b", ", b",\n")

    def read(self, path):
        found = read_label_file(path, "test")
        if found.problems:  # collected, so that all are shown at once
            raise InvalidDataError(str(found.problems[0]))
        return found


class TestCsvLabels(TestLabels):
    file = "x.csv"

    @pytest.fixture
    def content(self, tree):
        pairs = tree.label_pairs("Ses05F_impro03", 1, 2)
        lines = [",".join(["split", "dialogue_id", *pairs[0]])]
        lines += [",".join(["test", "a", *(str(v).replace(",", "|") for v in pair.values())]) for pair in pairs]
        return "\n".join(lines).encode()


def chunks_with_ids(tree, key, values):
    """Renames the chunks of the train split; their ids stand under another name."""
    ids = iter(values)

    def rename(document):
        for chunk in document["splits"]["train"]:
            del chunk["dialogue_id"]
            chunk[key] = next(ids)

    tree.edit_labels("train", rename)
    return read_label_file(tree.labels("train"), "train")


@pytest.mark.parametrize("key", ["dialogue_id", "raw_doc_id", "doc_id"])
def test_integer_ids_are_their_digits(tree, key):
    found = chunks_with_ids(tree, key, [7, 0, -12])
    assert [chunk.dialogue_id for chunk in found.chunks] == ["7", "0", "-12"]
    assert found.problems == ()


def test_digits_in_csv_are_kept_as_they_stand(tree):
    pairs = tree.label_pairs("Ses05F_impro03", 1, 2)
    lines = [",".join(["split", "doc_id", *pairs[0]])]
    for name in ("7", "007", "7.0"):
        lines += [",".join(["test", name, *(str(v).replace(",", "|") for v in pair.values())]) for pair in pairs]
    path = tree.root / "x.csv"
    path.write_text("\n".join(lines))
    assert [chunk.dialogue_id for chunk in read_label_file(path, "test").chunks] == ["7", "007", "7.0"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(7.0, "'7.0'"), (True, "'True'"), (None, "'None'"), ([7], "'[7]'"), ("", "''")],
)
def test_other_ids_are_problems_that_show_the_value(tree, value, shown):
    found = chunks_with_ids(tree, "doc_id", ["a", value, "c"])
    (problem,) = found.problems
    assert str(problem).endswith(f"dialogue number 2: its id is {shown}, neither text nor an integer.")


def test_the_same_id_as_text_and_as_integer_is_one_id(tree):
    chunks_with_ids(tree, "doc_id", [7, "7", 8])
    _, problems = check_overlay(tree.root / "labels")
    assert [problem.dialogue_id for problem in problems] == ["7"]
    assert "ids must be unique" in str(problems[0])


def test_labels_with_integer_ids_merge_by_content_and_by_id(tree):
    """Chunks without a name are placed by their content; those of full split JSON by their number."""
    named = iemomecp_dataset.load(data_dir=tree.root)
    full = tree.root / "full"
    write_full_splits(named, full)
    number = 0
    for split in ("train", "validation", "test"):
        path = full / "splits" / tree.labels(split).name
        entries = json.loads(path.read_text())
        document = json.loads(tree.labels(split).read_text())
        for chunk, entry in zip(next(iter(document["splits"].values())), entries, strict=True):
            assert chunk.pop("dialogue_id") == entry["dialogue_id"]
            number += 1
            chunk["doc_id"] = entry["doc_id"] = number
        path.write_text(json.dumps(entries))
        tree.labels(split).write_text(json.dumps(document))
    by_content = iemomecp_dataset.load(data_dir=tree.root)
    by_number = iemomecp_dataset.load(full_root=full, label_dir=tree.root / "labels")
    for loaded in (by_content, by_number):
        assert loaded["train"]["dialogue_id"][:2] == ["1", "2"]
        for split, rows in named.items():
            assert loaded[split]["pairs"][:] == rows["pairs"][:]
            assert loaded[split]["utterances"][:] == rows["utterances"][:]


def test_what_a_file_gives_is_shown_by_its_beginning(tree):
    long = "x" * 100_000
    path = tree.labels("test")
    path.write_text(json.dumps({"splits": {"test": [], long: []}}))
    with pytest.raises(InvalidDataError, match="but 'splits' has 'test', 'xxx") as error:
        read_label_file(path, "test")
    assert len(str(error.value)) < 1000

    csv = path.with_suffix(".csv")
    pair = tree.label_pairs("Ses05F_impro03", 1, 2)[0]
    line = ["test", "a", *(str(value).replace(",", "|") for value in pair.values())]
    lines = [["split", "dialogue_id", *pair, "num_utterances"], [*line, "2"], [*line, long]]
    csv.write_text("\n".join(map(",".join, lines)))
    (problem,) = read_label_file(csv, "test").problems
    assert "several values: '2', 'xxx" in str(problem)
    assert len(str(problem)) < 1000
