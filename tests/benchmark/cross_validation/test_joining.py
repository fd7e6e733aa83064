"""What the record of joined folds states of the runs that it was joined from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_files import ecf_text
from shared_run import results_of

from iemomecp_dataset.benchmark.cross_validation.joining import FoldRun, Joined, folds_of_pairs, write_joined
from iemomecp_dataset.benchmark.runs.identity import system_of
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.folds import Folds, make_folds
from iemomecp_dataset.metrics.scoring import pair_scores

KNOWS = "ecf/train and ecf/test share 2 utterances; such as a 1."
APART = "ecf/train and ecf/validation share 1 utterances; such as b 1."


@pytest.fixture(name="ecf", scope="module")
def fixture_ecf(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Folds]:
    folder = tmp_path_factory.mktemp("ecf")
    (folder / "train.txt").write_text("".join(ecf_text(number) for number in (1, 3, 5)))
    (folder / "dev.txt").write_text(ecf_text(101))
    corpus = load_corpus("ecf", folder)
    return corpus, make_folds(corpus, 2)


def joined(ecf: tuple[Corpus, Folds], folder: Path, *of_folds: dict[str, Any]) -> RunResults:
    corpus, folds = ecf
    table = corpus.tables["train"]
    probabilities = np.tile([0.7, 0.3], (len(table), 1))
    scores = pair_scores(probabilities, table.labels, corpus.class_names, missed_positives=table.missed_positives)
    runs = [
        FoldRun(fold, folder / f"fold{fold}", results_of(counts={"test": {"dialogues": fold}}, **changes))
        for fold, changes in enumerate(of_folds, start=1)
    ]
    found = Joined(probabilities, folds_of_pairs(corpus, folds), np.full(len(table), 0.5), scores)
    return write_joined(folder / "baseline-s42", corpus, folds, runs, found, {})


def test_leaks_and_remarks_are_those_of_all_folds(ecf: tuple[Corpus, Folds], tmp_path: Path) -> None:
    one = {"extra": {"leaks": [APART], "remarks": ["Of both.", "Of the first."]}}
    two = {"extra": {"leaks": [APART, KNOWS], "remarks": ["Of both."]}}
    record = joined(ecf, tmp_path, one, two)
    assert record.extra["leaks"] == [APART, f"fold 2: {KNOWS}"]
    assert record.extra["remarks"] == ["Of both.", "fold 1: Of the first."]


def test_that_no_run_knows_its_fold_is_said_only_where_it_is_so(ecf: tuple[Corpus, Folds], tmp_path: Path) -> None:
    words = "predicted by a run that was not trained on it"
    assert words in joined(ecf, tmp_path, *[{"extra": {"leaks": [APART]}}] * 2).data_statement
    for leak in (KNOWS, "The training data of runs/x, which the run begins with, cannot be read."):
        statement = joined(ecf, tmp_path, {"extra": {"leaks": []}}, {"extra": {"leaks": [leak]}}).data_statement
        assert words not in statement
        assert "which shares data with it, or may (see the leaks)" in statement


def test_what_was_trained_with_is_stated_by_fold(ecf: tuple[Corpus, Folds], tmp_path: Path) -> None:
    facts = [
        {
            "reccon": {
                "weight": 0.5,
                "dialogues": 7 + fold,
                "excluded": {"test": [str(fold)]},
                "data_fingerprint": digest,
            }
        }
        for fold, digest in enumerate(("aa", "bb"))
    ]
    record = joined(ecf, tmp_path, *({"trained_with": one} for one in facts))
    assert [fold["trained_with"] for fold in record.extra["folds"]] == facts
    of_all = record.trained_with["reccon"]
    assert of_all.keys() == {"weight", "data_fingerprint"}
    # Another second fold is another system.
    other = joined(ecf, tmp_path, {"trained_with": facts[0]}, {"trained_with": facts[0]})
    assert system_of(other)["train_with"] != system_of(record)["train_with"]
    assert other.trained_with == facts[0]
