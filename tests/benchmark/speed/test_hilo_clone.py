"""A clone that would train on something else is refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from peer_files import ecf_corpus

from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.benchmark.speed.hilo_clone import check_clone
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.rows import gold_pairs


@pytest.fixture(name="clone")
def _clone(tmp_path: Path) -> Path:
    """What the check looks at in a clone, with the data of the export."""
    ecf_corpus(tmp_path / "ecf")
    clone = tmp_path / "clone"
    export_for(load_corpus("ecf", tmp_path / "ecf"), ExportRequest(peer="hilo", output_dir=clone))
    (clone / "src").mkdir()
    for name in ("main.py", "src/trainer.py"):
        (clone / name).touch()
    (clone / "src" / "config.yaml").write_text("bert_path: minilm\naudio_dim: 1\n")
    (tmp_path / "encoder").mkdir()
    (clone / "minilm").symlink_to(tmp_path / "encoder")
    return clone


def checked(clone: Path, corpus: Corpus | None = None) -> dict[str, int]:
    folder = clone.parent
    corpus = corpus or load_corpus("ecf", folder / "ecf")
    return check_clone(clone, corpus, folder / "encoder", folder / "out")


def test_the_clone_of_the_export_fits(clone: Path) -> None:
    corpus = load_corpus("ecf", clone.parent / "ecf")
    expected = {split: sum(len(gold_pairs(row)) for row in rows) for split, rows in corpus.rows.items()}
    assert checked(clone) == expected
    assert min(expected.values()) > 0


def test_a_test_split_that_only_the_clone_has_is_no_difference(clone: Path) -> None:
    (clone.parent / "ecf" / "test.txt").unlink()
    assert set(checked(clone)) == {"train", "validation", "test"}


def _without_a_pair(clone: Path) -> None:
    file = clone / "data" / "dataset" / "valid.txt"
    lines = file.read_text().split("\n")
    place = next(place for place, line in enumerate(lines) if line.startswith("("))
    lines[place] = ",".join(lines[place].split("),")[1:])
    file.write_text("\n".join(lines))


def _with_features(clone: Path) -> None:
    (file,) = (clone / "data" / "dataset").glob("video_embedding_*.npy")
    array = np.load(file)
    array[3] = 0.5
    np.save(file, array)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clone: (clone / "main.py").unlink(), "The clone of HiLo: .*main.py"),
        (lambda clone: (clone / "data" / "dataset" / "train.txt").unlink(), "train.txt: there is no such file"),
        (_without_a_pair, "valid.txt has other dialogues or pairs than validation"),
        (_with_features, "video_embedding_4096.npy holds features"),
        (lambda clone: (clone / "src" / "config.yaml").unlink(), "The clone of HiLo: .*config.yaml"),
        (lambda clone: (clone / "src" / "config.yaml").write_text("seed: 1"), "states no bert_path"),
        (lambda clone: (clone / "src" / "config.yaml").write_text("bert_path: src"), "bert_path src is not the"),
    ],
)  # fmt: skip
def test_another_training_is_refused(clone: Path, change: Callable[[Path], object], message: str) -> None:
    change(clone)
    with pytest.raises(UsageError, match=message):
        checked(clone)
