"""What is chosen and weighted before and between epochs: on which split, by which rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.thresholds import threshold_by_rule
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run_inputs import run_settings
from iemomecp_dataset.trainers.training.pairs import pair_class_weights, pair_selection

CORPORA = {
    "three roles": two_dialogue_corpus(3),
    "two classes": two_dialogue_corpus(2),
    "without validation": two_dialogue_corpus(2, ("train", "test")),
}


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("weighting", ["none", "sqrt", "auto"])
def test_class_weights_are_those_of_train(weighting: str, name: str) -> None:
    corpus = CORPORA[name]
    found = pair_class_weights(weighting, corpus, torch.device("cpu"))
    if weighting == "none" or (weighting == "auto" and name != "three roles"):
        assert found is None
        return
    labels = [pair["label"] for row in corpus.rows["train"] for pair in row["pairs"]]
    counts = np.bincount(labels, minlength=len(corpus.class_names))
    assert found is not None
    np.testing.assert_allclose(found, np.minimum(10, np.sqrt(counts.mean() / counts)), rtol=1e-6)


def probabilities_of(corpus: Corpus) -> np.ndarray:
    table = corpus.tables[corpus.selection_split]
    found = np.random.default_rng(3).dirichlet(np.ones(len(corpus.class_names)), size=len(table))
    # Gold pairs are a little likelier: the best threshold finds most of them, and some others.
    found[table.labels == 0, 0] += 0.3
    return found / found.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize(
    "options",
    [{}, {"threshold": 0.37}, {"decision": "argmax"}, {"selection": "pair_auprc"}, {"selection": "macro_f1"}],
    ids=lambda options: "-".join(options.values()) if "selection" in options else next(iter(options), "best"),
)
def test_an_epoch_is_scored_on_the_selection_split_by_the_runs_rule(options: dict[str, Any], name: str) -> None:
    corpus = CORPORA[name]
    table, probabilities = corpus.tables[corpus.selection_split], probabilities_of(corpus)
    assert corpus.selection_split == ("train" if name == "without validation" else "validation")
    assert table.missed_positives == 2

    def scores(threshold: float | None) -> dict[str, Any]:
        return pair_scores(probabilities, table.labels, corpus.class_names, threshold=threshold, missed_positives=2)

    optimization = TrainingOptions.from_flat(options).optimization
    selected = pair_selection(corpus, optimization)(probabilities)
    found, threshold = selected.scores, selected.threshold
    if options.get("decision") == "argmax":
        assert threshold is None
    elif "threshold" in options:
        assert threshold == options["threshold"]
    else:  # the largest of those that give the best F1
        tried = sorted(set(probabilities[:, 0].tolist()), reverse=True)
        assert threshold == max(tried, key=lambda one: scores(one)["pair_f1"])
    assert found == {key: scores(threshold)[key] for key in ("pair_f1", "pair_auprc", "macro_f1")}
    assert selected.value == found[options.get("selection", "pair_f1")]
    assert len({*found.values()}) == 3, "the scores differ"


@pytest.mark.parametrize("rule", ["best", "bagged", "expected_f1"])
def test_the_threshold_is_chosen_by_the_rule_that_is_asked_for(rule: Any) -> None:
    corpus = CORPORA["two classes"]
    table, probabilities = corpus.tables["validation"], probabilities_of(corpus)
    found = {
        name: pair_selection(corpus, TrainingOptions.from_flat({"threshold_rule": name}).optimization)(
            probabilities
        ).threshold
        for name in ("best", "bagged", "expected_f1")
    }
    assert len({*found.values()}) == 3
    assert found[rule] == threshold_by_rule(
        rule, probabilities, table.labels, table.source_dialogue_ids, missed_positives=2
    )


def test_a_rule_that_chooses_nothing_is_refused_and_is_no_setting() -> None:
    for chosen in ({"decision": "argmax"}, {"threshold": 0.3}):
        options = TrainingOptions.from_flat({**chosen, "data_dir": "d", "output_dir": "o"})
        options.check()
        assert "threshold_rule" not in run_settings(options, 1, "no")
        with pytest.raises(UsageError, match="--threshold_rule bagged chooses a threshold, but with --"):
            TrainingOptions.from_flat({**options.flat(), "threshold_rule": "bagged"}).check()
    assert run_settings(TrainingOptions.from_flat({"threshold_rule": "bagged"}), 1, "no")["threshold_rule"] == "bagged"


@pytest.mark.parametrize(("missed", "decided"), [(0, 4), (60, 16)])
def test_missed_pairs_take_part_in_the_choice_of_the_threshold(missed: int, decided: int) -> None:
    """Best first four of five gold pairs, then the eleven others: the fifth is worth them where many are missed."""
    corpus = two_dialogue_corpus(2)
    table = replace(corpus.tables["validation"], missed_positives=missed)
    order, gold = np.argsort(table.labels, kind="stable"), int((table.labels == 0).sum())
    ranked = np.empty(len(table))
    ranked[[*order[: gold - 1], *order[gold:], order[gold - 1]]] = np.linspace(0.9, 0.1, len(table))
    corpus = replace(corpus, tables={**corpus.tables, "validation": table})
    probabilities = np.column_stack([ranked, 1 - ranked])

    def pair_f1(threshold: float) -> float:
        scores = pair_scores(
            probabilities, table.labels, corpus.class_names, threshold=threshold, missed_positives=missed
        )
        return float(scores["pair_f1"])

    selected = pair_selection(corpus, TrainingOptions().optimization)(probabilities)
    found, threshold = selected.scores, selected.threshold
    assert threshold == max(sorted(ranked.tolist(), reverse=True), key=pair_f1)
    assert (ranked >= threshold).sum() == decided
    assert found["pair_f1"] == pair_f1(threshold)
