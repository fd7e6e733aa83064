"""Evaluations of candidate lists: decision, definition, signature, notes, and paired tests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError
from iemomecp_dataset.metrics.evaluation.aligned import predicted_pairs, score_candidates, with_threshold_of
from iemomecp_dataset.metrics.evaluation.candidate_scores import compare_candidates, evaluate_candidates
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.evaluation.predictions import CandidatePredictions, PredictionFacts
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.evaluation.window import PairWindow
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.set_scores import pair_set, set_scores
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.pair_table import PairKeys, PairTable
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

FEW = EvaluationOptions(n_resamples=50)


@pytest.fixture
def file_of(random_pairs):
    def make(seed=0, class_names=ROLE_LABELS, system_seed=None, **facts):
        pairs = random_pairs(seed, n_classes=len(class_names))
        probabilities = pairs.probabilities
        if system_seed is not None:
            probabilities = np.random.default_rng(system_seed).dirichlet([1] * len(class_names), len(pairs))
        return CandidatePredictions(
            path=Path(f"run{system_seed}.parquet"),
            class_names=tuple(class_names),
            pairs=PairKeys(pairs.dialogue_ids, pairs.dialogue_ids, pairs.target_turns, pairs.cause_turns),
            labels=pairs.labels,
            probabilities=probabilities,
            decisions=None,
            facts=PredictionFacts(**facts),
        )

    return make


def gold_of(file, outside=(), corpus="ecf", shuffle=True):
    """The gold of a file's own pairs, in another order, with more gold pairs outside the candidates."""
    order = np.random.default_rng(0).permutation(len(file)) if shuffle else np.arange(len(file))
    table = PairTable(
        **vars(file.pairs.take(order)),
        labels=file.labels[order],
        emotional_targets=np.ones(len(file), dtype=bool),
        missed_positives=len(outside),
    )
    inside = file.labels == 0
    rows = [
        *zip(*(values.tolist() for values in file.pairs.take(inside).keys), strict=True),
        *outside,
    ]
    dialogues = set(file.pairs.dialogue_ids.tolist())
    emotions = {(d, t): "joy" if t % 2 else "anger" for d in dialogues for t in range(1, 20)}
    missed = {}
    for dialogue, _, _ in outside:
        missed[dialogue] = missed.get(dialogue, 0) + 1
    return GoldSplit(
        corpus=corpus,
        config_name="3class" if corpus == "iemomecp" else corpus,
        split="test",
        class_names=file.class_names,
        table=table,
        pairs=pair_set(*map(list, zip(*rows, strict=True)), [emotions[row[:2]] for row in rows]),
        source_pairs=None,
        source_dialogues={name: name for name in dialogues},
        missed_by_source=missed,
        emotions=emotions,
        conversations=(),
        forward_pairs="past",
        text_fingerprint="1a",
        data_fingerprint="f00d",
        synthetic=False,
    )


def taken(file, chosen):
    """Some rows of a file, or all in another order."""
    return replace(
        file,
        pairs=file.pairs.take(chosen),
        labels=file.labels[chosen],
        probabilities=file.probabilities[chosen],
    )


def evaluate(file, gold=None, options=FEW):
    return evaluate_candidates(score_candidates(file, gold, options), options)


def test_file_with_its_own_gold_is_scored_as_pair_scores_does(file_of):
    file = file_of(corpus="iemomecp", config_name="3class", split="test")
    evaluation = evaluate(file)
    expected = pair_scores(file.probabilities, file.labels, ROLE_LABELS)
    expected.pop("undefined")
    assert dict(evaluation.scores) == expected
    assert evaluation.intervals["pair_f1"].estimate == pytest.approx(expected["pair_f1"])
    signature = evaluation.signature
    assert (signature.definition, signature.corpus, signature.task, signature.split) == (
        "F",
        "iemomecp",
        "3class",
        "test",
    )
    assert (signature.n_gold, signature.n_candidates) == (expected["emo_cause_support"], len(file))
    assert Signature.parse(str(signature)) == signature
    assert any("was not checked" in note for note in evaluation.notes)
    assert {"ranking within targets", "confidence", "calibration", "gold contexts"} <= set(evaluation.further)


def test_gold_data_in_another_order_gives_the_same_scores_and_turn_sets(file_of):
    file = file_of(corpus="iemomecp", config_name="3class", split="test", data_fingerprint="0ther")
    with_gold = evaluate(file, gold_of(file, corpus="iemomecp"))
    assert dict(with_gold.scores) == dict(evaluate(file).scores)
    assert with_gold.signature.data == evaluate(file).signature.data
    assert "turn_emotion_f1" in with_gold.further["turn sets"]
    assert any("fingerprint 0ther" in note for note in with_gold.notes)


def test_predictions_without_evidence_are_marked_and_compared_with_their_like_alone(file_of):
    intact = file_of(corpus="iemomecp", config_name="3class", split="test")
    removed = replace(intact, facts=replace(intact.facts, evidence="candidate removed"))
    assert any("Evidence was removed" in note and "(candidate removed)" in note for note in evaluate(removed).notes)
    assert not any("Evidence" in note for note in evaluate(intact).notes)
    scored = [score_candidates(file, None, FEW) for file in (intact, removed)]
    for first, second in (scored, scored[::-1]):
        with pytest.raises(MetricInputError, match=r"nothing removed in .*candidate removed in|candidate .* nothing"):
            compare_candidates(first, second, FEW)
    assert compare_candidates(scored[1], scored[1], FEW).bootstrap["pair_f1"].estimate == 0


def test_threshold_of_the_run_is_used_and_named(file_of):
    file = file_of(threshold=0.4, threshold_chosen_on="validation", split="test", corpus="iemomecp")
    evaluation = evaluate(file)
    assert evaluation.signature.decision == "threshold@validation=0.4"
    assert (
        evaluation.scores["pair_f1"]
        == pair_scores(file.probabilities, file.labels, ROLE_LABELS, threshold=0.4)["pair_f1"]
    )
    assert evaluate(file, options=replace(FEW, argmax=True)).signature.decision == "argmax"
    assert evaluate(file, options=replace(FEW, threshold=0.25)).signature.decision == "threshold@fixed=0.25"
    with pytest.raises(UsageError, match="not both"):
        evaluate(file, options=replace(FEW, argmax=True, threshold=0.25))
    with pytest.raises(MetricInputError, match=r"\[0, 1\]"):
        evaluate(file, options=replace(FEW, threshold=2.0))


def test_threshold_chosen_on_the_scored_split_is_said_to_be_an_upper_bound(file_of):
    evaluation = evaluate(file_of(threshold=0.4, threshold_chosen_on="test", split="test"))
    assert any("upper bound" in note for note in evaluation.notes)


def test_own_decisions_stand_and_their_differences_are_counted(file_of):
    file = file_of(split="test")
    own = (file.labels + (np.arange(len(file)) % 7 == 0)) % 3
    evaluation = evaluate(replace(file, decisions=own))
    expected = pair_scores(own, file.labels, ROLE_LABELS)
    assert evaluation.scores["pair_f1"] == expected["pair_f1"]
    assert evaluation.scores["pair_auprc"] == pair_scores(file.probabilities, file.labels, ROLE_LABELS)["pair_auprc"]
    assert evaluation.signature.decision == "system"
    differing = int((own != file.probabilities.argmax(axis=1)).sum())
    assert any(f"on {differing} pairs" in note for note in evaluation.notes)
    assert evaluation.intervals["pair_f1"].estimate == pytest.approx(expected["pair_f1"])
    assert "pair_auprc" in evaluation.intervals


def test_file_without_scores_has_no_ranking_and_says_so(file_of):
    file = file_of(split="test")
    evaluation = evaluate(replace(file, probabilities=None, decisions=file.labels, n_unscored=4))
    assert evaluation.scores["pair_f1"] == 1.0
    assert evaluation.undefined["pair_auprc"] == f"4 of {len(file)} pairs have no scores"
    assert any("4 of" in note for note in evaluation.notes)
    with pytest.raises(UsageError, match="only its own decisions"):
        evaluate(replace(file, probabilities=None, decisions=file.labels), options=replace(FEW, threshold=0.5))


def test_gold_outside_the_candidates_counts_in_definition_a_and_not_in_f(file_of):
    file = file_of(class_names=PAIR_LABELS, corpus="ecf", config_name="ecf", split="test")
    outside = [("d0", 1, 9), ("d1", 1, 9), ("d1", 2, 9)]
    gold = gold_of(file, outside)
    n_inside = int((file.labels == 0).sum())
    a, f = evaluate(file, gold), evaluate(file, gold, replace(FEW, definition="F"))
    assert (a.signature.definition, a.signature.n_gold, a.signature.n_missed) == ("A", n_inside + 3, 3)
    assert a.scores["pair_recall"] == pytest.approx(f.scores["pair_recall"] * n_inside / (n_inside + 3))
    assert f.signature.n_gold == n_inside
    assert any("3 gold pairs are not candidates" in note for note in f.notes)
    scored = score_candidates(file, gold, FEW)
    as_set = set_scores(predicted_pairs(scored), gold.pairs)
    assert a.scores["pair_f1"] == pytest.approx(as_set["pair_f1"])
    assert a.intervals["pair_f1"].estimate == pytest.approx(as_set["pair_f1"])


def test_missed_positives_of_the_file_count_where_there_is_no_gold_data(file_of):
    file = file_of(class_names=PAIR_LABELS, corpus="ecf", config_name="ecf", split="test", missed_positives=5)
    evaluation = evaluate(file)
    assert evaluation.scores["missed_positives"] == 5
    assert evaluation.signature.data.startswith("partial-")
    assert evaluate(file, options=replace(FEW, missed_positives=0)).signature.n_missed == 0
    with pytest.raises(UsageError, match="Definition B needs to know the 5 gold pairs"):
        evaluate(file, options=replace(FEW, definition="B"))


@pytest.mark.parametrize("letter", "BCD")
def test_other_definitions_score_sets(file_of, letter):
    file = file_of(class_names=PAIR_LABELS, corpus="ecf", config_name="ecf", split="test")
    gold = gold_of(file, [("d0", 1, 9)])
    options = replace(FEW, definition=letter, gold_emotions=letter in "CD")
    evaluation = evaluate(file, gold, options)
    scored = score_candidates(file, gold, options)
    predicted = predicted_pairs(scored, emotions="gold" if letter in "CD" else "none")
    expected = set_scores(predicted, gold.pairs, definition=letter)
    assert dict(evaluation.scores) == expected
    assert evaluation.signature.n_gold == expected["n_gold"]
    assert evaluation.signature.emotions == ("gold" if letter in "CD" else "none")
    assert any("gold emotion of their target" in note for note in evaluation.notes) == (letter in "CD")
    assert evaluation.intervals["pair_f1"].estimate == pytest.approx(expected["pair_f1"])


def test_emotion_definitions_need_emotions(file_of):
    file = file_of(class_names=PAIR_LABELS, corpus="ecf", config_name="ecf", split="test")
    with pytest.raises(UsageError, match="--gold-emotions"):
        evaluate(file, gold_of(file), replace(FEW, definition="C"))
    with pytest.raises(UsageError, match="--data-dir"):
        evaluate(file, None, replace(FEW, definition="C", gold_emotions=True))


def test_file_without_gold_and_gold_data_is_refused(file_of):
    with pytest.raises(UsageError, match="has no gold column"):
        evaluate(replace(file_of(), labels=None))
    file = file_of()
    without = evaluate(replace(file, labels=None), gold_of(file, corpus="iemomecp"))
    assert dict(without.scores) == dict(evaluate(file).scores)


def test_other_gold_other_classes_and_repeated_pairs_are_refused(file_of):
    file = file_of()
    gold = gold_of(file)
    with pytest.raises(InvalidDataError, match=r"disagrees with ecf test on 1 of .* the first is \(dialogue"):
        evaluate(replace(file, labels=np.r_[(file.labels[0] + 1) % 3, file.labels[1:]]), gold)
    with pytest.raises(UsageError, match="Choose the configuration"):
        evaluate(file_of(class_names=PAIR_LABELS), gold)
    misspelt = replace(file, class_names=("emo_caus", *ROLE_LABELS[1:]))
    with pytest.raises(UsageError, match=r"Is prob_emo_caus meant to be prob_emo_cause\?"):
        evaluate(misspelt, gold)
    ones = np.ones_like(file.pairs.target_turns)
    twice = replace(file, pairs=replace(file.pairs, target_turns=ones, cause_turns=ones))
    with pytest.raises(InvalidDataError, match="given more than once"):
        evaluate(twice)


def test_columns_of_other_order_are_brought_into_that_of_the_gold(file_of):
    file = file_of()
    turned = replace(
        file,
        class_names=ROLE_LABELS[::-1],
        probabilities=file.probabilities[:, ::-1],
        labels=2 - file.labels,
        decisions=2 - file.labels,
    )
    evaluation = evaluate(turned, gold_of(file))
    assert evaluation.scores["pair_f1"] == 1.0
    assert evaluation.scores["pair_auprc"] == pytest.approx(
        pair_scores(file.probabilities, file.labels, ROLE_LABELS)["pair_auprc"]
    )


def test_comparison_pairs_the_two_files_by_key(file_of):
    first, second = file_of(split="test"), file_of(system_seed=9, split="test")
    shuffled = taken(second, np.random.default_rng(1).permutation(len(second)))
    scored = [score_candidates(file, None, FEW) for file in (first, second, shuffled)]
    straight, crossed = compare_candidates(scored[0], scored[1], FEW), compare_candidates(scored[0], scored[2], FEW)
    assert straight.bootstrap == crossed.bootstrap
    assert straight.permutation == crossed.permutation
    expected = evaluate(first).scores["pair_f1"] - evaluate(second).scores["pair_f1"]
    assert straight.bootstrap["pair_f1"].estimate == pytest.approx(expected)


def test_comparison_of_what_does_not_compare_is_refused(file_of):
    first, second = file_of(split="test"), file_of(system_seed=9, split="test")
    scored = [score_candidates(file, None, FEW) for file in (first, second)]
    other_gold = score_candidates(replace(second, labels=np.roll(second.labels, 1)), None, FEW)
    with pytest.raises(InvalidDataError, match="have other gold"):
        compare_candidates(scored[0], other_gold, FEW)
    fewer = taken(second, np.arange(1, len(second)))
    with pytest.raises(InvalidDataError, match="1 pair missing"):
        compare_candidates(scored[0], score_candidates(fewer, None, FEW), FEW)
    oracle = replace(second, facts=PredictionFacts(split="test", threshold=0.4, threshold_chosen_on="test"))
    with pytest.raises(MetricInputError, match="threshold or epoch chosen on the scored split"):
        compare_candidates(scored[0], score_candidates(oracle, None, FEW), FEW)


def test_one_dialogue_has_no_interval_and_says_so(random_pairs, file_of):
    file = file_of()
    alone = replace(file, pairs=replace(file.pairs, source_dialogue_ids=np.full(len(file), "one")))
    evaluation = evaluate(alone)
    assert evaluation.intervals == {}
    assert any("cannot be resampled" in note for note in evaluation.notes)


def sparse(file, kept, **changes):
    """A file that lists only some of its rows, as decisions."""
    decided = file.probabilities.argmax(axis=1)
    return replace(
        taken(replace(file, decisions=decided), kept), probabilities=None, decisions=decided[kept], **changes
    )


@pytest.fixture
def pair_file(file_of):
    return file_of(class_names=PAIR_LABELS, corpus="ecf", config_name="ecf", split="test")


@pytest.mark.parametrize("letter", ["A", "F"])
def test_a_sparse_file_is_complete_after_filling_with_non_pair(pair_file, letter):
    gold, options = gold_of(pair_file), replace(FEW, definition=letter)
    predicted = np.flatnonzero(pair_file.probabilities.argmax(axis=1) == 0)
    full = replace(pair_file, probabilities=None, decisions=pair_file.probabilities.argmax(axis=1))
    filled = evaluate(replace(sparse(pair_file, predicted), labels=None), gold, options)
    assert filled.scores["confusion_matrix"] == evaluate(full, gold, options).scores["confusion_matrix"]
    n = len(pair_file)
    assert any(f"{n - len(predicted)} of {n} candidates are not in the file" in note for note in filled.notes)
    assert np.isnan(filled.scores["pair_auprc"])
    assert (
        filled.undefined["pair_auprc"]
        == f"{n - len(predicted)} of {n} candidates are not in the file and have no scores"
    )


def test_a_sparse_file_with_probabilities_is_decided_by_them_and_ranks_nothing(pair_file):
    gold, kept = gold_of(pair_file), np.arange(0, len(pair_file), 2)
    options = replace(FEW, threshold=0.3)
    evaluation = evaluate(taken(pair_file, kept), gold, options)
    decided = np.ones(len(pair_file), dtype=int)
    decided[kept] = np.where(pair_file.probabilities[kept, 0] >= 0.3, 0, 1)
    assert evaluation.scores["pair_f1"] == pair_scores(decided, pair_file.labels, PAIR_LABELS)["pair_f1"]
    assert "have no scores" in evaluation.undefined["pair_auprc"]
    assert evaluation.signature.decision == "threshold@fixed=0.3"
    ours = replace(taken(pair_file, kept), facts=PredictionFacts(config_name="ecf", data_fingerprint="f00d"))
    with pytest.raises(InvalidDataError, match="pairs missing"):
        evaluate(ours, gold, options)


def test_the_threshold_of_a_sparse_file_counts_the_gold_that_it_does_not_list(pair_file):
    gold = gold_of(pair_file, [("d0", 1, 9)])
    kept = np.arange(0, len(pair_file), 2)
    file = replace(taken(pair_file, kept), labels=None)
    options = with_threshold_of(score_candidates(file, gold, FEW), FEW)
    assert options.threshold_chosen_on == "test"
    scores = {}
    for threshold in np.unique(file.probabilities[:, 0]).tolist():
        scores[threshold] = evaluate(file, gold, replace(FEW, threshold=threshold)).scores["pair_f1"]
    assert scores[options.threshold] == max(scores.values())
    assert options.threshold == max(t for t, score in scores.items() if score == max(scores.values()))
    # Options that state a rule, and files that only decide, leave nothing to choose.
    for stated in (replace(FEW, threshold=0.9), replace(FEW, argmax=True)):
        assert with_threshold_of(score_candidates(file, gold, stated), stated) == stated
    decided = replace(sparse(pair_file, kept), labels=None)
    assert with_threshold_of(score_candidates(decided, gold, FEW), FEW) == FEW


@pytest.mark.parametrize("class_names", [ROLE_LABELS, ROLE_LABELS[::-1]])
def test_the_threshold_is_chosen_on_the_probabilities_that_it_is_applied_to(file_of, class_names):
    file = file_of()
    # Two decimals that sum to 1.01: after rescaling, the 0.34 of the gold pairs are below 0.34.
    coarse = np.where((file.labels == 0)[:, None], [0.34, 0.34, 0.33], [0.01, 0.01, 0.98])
    columns = [ROLE_LABELS.index(name) for name in class_names]
    file = replace(
        file, class_names=class_names, probabilities=coarse[:, columns], labels=np.argsort(columns)[file.labels]
    )
    gold = gold_of(replace(file, class_names=ROLE_LABELS, labels=np.array(columns)[file.labels]))
    options = with_threshold_of(score_candidates(file, gold, FEW), FEW)
    assert evaluate(file, gold, options).scores["pair_f1"] == 1.0


def with_rows(file, rows, decision=0):
    """A file with further rows."""
    columns = list(zip(*rows, strict=True))
    added = [np.array(column) for column in columns]
    pairs = PairKeys(
        np.concatenate((file.pairs.dialogue_ids, added[0])),
        np.concatenate((file.pairs.source_dialogue_ids, added[0])),
        np.concatenate((file.pairs.target_turns, added[1])),
        np.concatenate((file.pairs.cause_turns, added[2])),
    )
    decided = np.concatenate((file.decisions, np.full(len(rows), decision)))
    return replace(file, pairs=pairs, labels=None, decisions=decided)


@pytest.mark.parametrize("letter", ["A", "B", "F"])
def test_predicted_pairs_that_are_no_candidates_are_predictions_of_a_set_alone(pair_file, letter):
    outside = [("d0", 1, 9), ("d1", 1, 9)]
    gold, options = gold_of(pair_file, outside[:1]), replace(FEW, definition=letter)
    file = sparse(pair_file, np.arange(len(pair_file)))
    evaluation = evaluate(with_rows(file, outside), gold, options)
    inside = evaluate(replace(file, labels=None), gold, options)
    if letter == "F":
        assert dict(evaluation.scores)["confusion_matrix"] == inside.scores["confusion_matrix"]
        assert any("2 predicted pairs are no candidates; they are left out" in note for note in evaluation.notes)
        return
    keys = file.pairs.take(file.decisions == 0).keys
    added = [np.concatenate((keys[i], [row[i] for row in outside])) for i in range(3)]
    assert dict(evaluation.scores) == set_scores(pair_set(*added), gold.pairs, definition=letter)
    assert any("2 predicted pairs are no candidates; they are counted" in note for note in evaluation.notes)
    assert evaluation.intervals["pair_f1"].estimate == pytest.approx(evaluation.scores["pair_f1"])
    # What is listed as a non-pair is no prediction.
    unlisted = evaluate(with_rows(file, outside, decision=1), gold, options)
    assert unlisted.scores["pair_f1"] == inside.scores["pair_f1"]


def test_conversations_of_a_list_are_compared_with_the_gold(pair_file):
    gold = gold_of(pair_file)
    file = replace(sparse(pair_file, pair_file.probabilities.argmax(axis=1) == 0), labels=None)
    dialogues = frozenset(gold.source_dialogues)
    further = with_rows(file, [("elsewhere", 1, 1)])
    evaluation = evaluate(replace(further, listed=dialogues | {"elsewhere"}), gold)
    assert evaluation.scores["pair_f1"] == evaluate(file, gold).scores["pair_f1"]
    assert any("1 conversations of the file are not in the gold" in note for note in evaluation.notes)
    with pytest.raises(InvalidDataError, match="are missing"):
        evaluate(replace(file, listed=dialogues - {min(dialogues)}), gold)
    with pytest.raises(InvalidDataError, match="of dialogues that the gold does not have"):
        evaluate(further, gold)


def emotions_for(file, wrong=False):
    return np.array(["joy" if (t + wrong) % 2 else "anger" for t in file.pairs.target_turns.tolist()])


@pytest.mark.parametrize("letter", "CD")
def test_emotions_of_the_file_come_before_gold_ones(pair_file, letter):
    gold, options = gold_of(pair_file), replace(FEW, definition=letter)
    upper = evaluate(pair_file, gold, replace(options, gold_emotions=True))
    right = evaluate(replace(pair_file, emotions=emotions_for(pair_file)), gold, options)
    wrong = evaluate(replace(pair_file, emotions=emotions_for(pair_file, wrong=True)), gold, options)
    assert (upper.signature.emotions, right.signature.emotions) == ("gold", "predicted")
    assert upper.scores["pair_f1"] == right.scores["pair_f1"] > 0
    assert wrong.scores["pair_f1"] == 0
    both = evaluate(
        replace(pair_file, emotions=emotions_for(pair_file, wrong=True)), gold, replace(options, gold_emotions=True)
    )
    assert (both.signature.emotions, both.scores["pair_f1"]) == ("predicted", 0)
    assert any("--gold-emotions changes nothing" in note for note in both.notes)
    stated = replace(pair_file, emotions=emotions_for(pair_file), facts=replace(pair_file.facts, emotions="gold"))
    assert evaluate(stated, gold, options).signature.emotions == "gold"


def test_emotions_are_those_of_the_corpus_or_read_leniently(pair_file):
    gold = gold_of(pair_file)
    spelt = np.array([{"joy": "happy", "anger": "Angry"}[name] for name in emotions_for(pair_file)])
    file = replace(pair_file, emotions=spelt)
    with pytest.raises(InvalidDataError, match=r"'(happy|Angry)' is none of the corpus.*--read leniently"):
        evaluate(file, gold, replace(FEW, definition="C"))
    read = evaluate(file, gold, replace(FEW, definition="C", reading="leniently"))
    expected = evaluate(replace(file, emotions=emotions_for(file)), gold, replace(FEW, definition="C"))
    assert dict(read.scores) == dict(expected.scores)
    assert f"Read leniently: emotion aliases {len(file)}." in read.notes
    blank = replace(pair_file, emotions=np.array([f" {name}." for name in emotions_for(pair_file)]))
    with pytest.raises(InvalidDataError, match=f"{len(file)} such rows, of which {len(file)} are understood"):
        evaluate(blank, gold, replace(FEW, definition="C"))
    read = evaluate(blank, gold, replace(FEW, definition="C", reading="leniently"))
    assert dict(read.scores) == dict(expected.scores)
    assert f"Read leniently: stops, blanks or quotes around emotions {len(file)}." in read.notes
    other = np.where(pair_file.pairs.target_turns == 1, "boredom", emotions_for(pair_file))
    read = evaluate(replace(file, emotions=other), gold, replace(FEW, definition="C", reading="leniently"))
    assert read.scores["n_predicted"] == expected.scores["n_predicted"]
    assert read.scores["other_precision"] == 0
    assert read.intervals["pair_f1"].estimate == pytest.approx(read.scores["pair_f1"])
    empty = np.where(pair_file.pairs.target_turns == 1, "", emotions_for(pair_file))
    with pytest.raises(UsageError, match="its column emotion is empty for"):
        evaluate(replace(file, emotions=empty), gold, replace(FEW, definition="C"))


def test_a_pair_that_is_no_candidate_has_the_emotion_of_its_target_from_other_rows(pair_file):
    gold, options = gold_of(pair_file), replace(FEW, definition="C")
    file = with_rows(sparse(pair_file, np.arange(len(pair_file))), [("d0", 1, 9)])
    given = emotions_for(file)
    found = {}
    for last in (given[-1], ""):
        emotions = np.array([*given[:-1], last])
        found[last] = evaluate(replace(file, emotions=emotions), gold, options).scores
    assert dict(found[""]) == dict(found["joy"])


@pytest.mark.parametrize("window", [PairWindow(turns=2), PairWindow(past=True), PairWindow(turns=1, past=True)])
@pytest.mark.parametrize("letter", ["A", "C", "F"])
def test_a_window_restricts_predictions_and_gold_alike(pair_file, window, letter):
    pairs, turned = pair_file.pairs, pair_file.pairs.dialogue_ids == "d1"
    targets = np.where(turned, pairs.cause_turns, pairs.target_turns)
    causes = np.where(turned, pairs.target_turns, pairs.cause_turns)
    pair_file = replace(pair_file, pairs=replace(pairs, target_turns=targets, cause_turns=causes))
    outside = [("d0", 1, 9), ("d2", 3, 4)]
    gold = gold_of(pair_file, outside)
    options = replace(FEW, definition=letter, gold_emotions=True)
    evaluation = evaluate(pair_file, gold, replace(options, window=window))
    kept = window.of(pair_file.pairs)
    rows = [row for row in outside if window.keeps(np.array([row[1]]), np.array([row[2]]))[0]]
    smaller = taken(pair_file, kept)
    expected = evaluate(smaller, gold_of(smaller, rows), options)
    assert dict(evaluation.scores) == dict(expected.scores)
    assert 0 < evaluation.signature.n_candidates == kept.sum() < len(pair_file)
    assert evaluation.signature.window == window.word
    assert replace(evaluation.signature, window="none") == expected.signature
    assert any("not the corpus's own candidate space" in note for note in evaluation.notes)
    assert evaluation.intervals["pair_f1"].estimate == pytest.approx(evaluation.scores["pair_f1"])


def test_a_window_needs_to_know_the_gold_outside(pair_file):
    options = replace(FEW, window=PairWindow(turns=1))
    with pytest.raises(UsageError, match="add --data-dir"):
        evaluate(replace(pair_file, facts=replace(pair_file.facts, missed_positives=2)), options=options)
    assert evaluate(pair_file, options=options).signature.window == "1"


def test_systems_with_pairs_outside_the_candidates_are_compared_as_sets(pair_file, file_of):
    gold = gold_of(pair_file)
    other = file_of(class_names=PAIR_LABELS, system_seed=9, corpus="ecf", config_name="ecf", split="test")
    first = with_rows(sparse(pair_file, np.arange(len(pair_file))), [("d0", 1, 9)])
    scored = [score_candidates(file, gold, FEW) for file in (first, replace(other, labels=None))]
    difference = compare_candidates(*scored, FEW).bootstrap["pair_f1"].estimate
    assert difference == pytest.approx(
        evaluate(first, gold).scores["pair_f1"] - evaluate(replace(other, labels=None), gold).scores["pair_f1"]
    )


def test_one_class_for_every_pair_is_said(file_of):
    file = file_of(split="test")
    said = "It predicts non_pair for all {} pairs of test, as a rule without a model would."
    flat = evaluate(replace(file, probabilities=None, decisions=np.full(len(file), 2)))
    assert said.format(f"{len(file):,}") in flat.notes
    assert not any("as a rule" in note for note in evaluate(file).notes)
