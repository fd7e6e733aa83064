"""Structural rows are kept for the folds and the validation split that they were computed on, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from corpus_files import ecf_text

from iemomecp_dataset.benchmark.cross_validation import structural
from iemomecp_dataset.benchmark.cross_validation.structural import STRUCTURAL_FILE, structural_folds
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import MissingDependencyError
from iemomecp_dataset.folds import make_folds


def corpus(folder: Path, validation: str) -> Corpus:
    folder.mkdir()
    (folder / "train.txt").write_text("".join(ecf_text(number) for number in (1, 3, 5, 7)))
    (folder / "dev.txt").write_text(validation)
    return load_corpus("ecf", folder)


def test_they_are_computed_again_once_validation_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = corpus(tmp_path / "one", ecf_text(101))
    folds = make_folds(one, 2)
    first = structural_folds(one, folds, tmp_path)
    kept = (tmp_path / STRUCTURAL_FILE).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(structural, "_computed", lambda *_: pytest.fail("they are there"))
        again = structural_folds(one, folds, tmp_path)
    assert repr(again) == repr(first)
    # Other pairs of the validation dialogue, on the same folds.
    other = corpus(tmp_path / "other", ecf_text(101).replace("(2,1),(2,2),(2,1),(1,3)", "(1,3)"))
    assert make_folds(other, 2).digest == folds.digest
    second = structural_folds(other, folds, tmp_path)
    assert [row.development for row in second] != [row.development for row in first]
    assert (tmp_path / STRUCTURAL_FILE).read_bytes() != kept


def test_rows_that_could_not_be_built_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = corpus(tmp_path / "one", ecf_text(101))
    folds = make_folds(one, 2)
    with monkeypatch.context() as patch:
        systems = structural.corpus_systems

        def without_package(part: Corpus, *, feature_source: str | None) -> Any:
            if feature_source is not None:
                raise MissingDependencyError("scikit-learn is missing.")
            return systems(part, feature_source=None)

        patch.setattr(structural, "corpus_systems", without_package)
        lacking = structural_folds(one, folds, tmp_path)
    assert [row.description for row in lacking if not row.pooled] == ["Not built: scikit-learn is missing."]
    assert not (tmp_path / STRUCTURAL_FILE).exists()
    assert all(row.pooled for row in structural_folds(one, folds, tmp_path))
