"""Published numbers beside those of runs: the ranking with structural rules, and rows of the same configuration."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import get_args

import pytest

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.emotion_board import emotion_boards
from iemomecp_dataset.benchmark.experiments import experiment_names, find_experiment
from iemomecp_dataset.benchmark.published.beside import (
    Beside,
    is_published_gold,
    published_beside,
    published_rows_beside,
    runs_of_peers,
)
from iemomecp_dataset.benchmark.published.experiments import (
    differing_options,
    published_experiment,
    published_experiments,
    published_values,
)
from iemomecp_dataset.benchmark.published.listing import published_text
from iemomecp_dataset.benchmark.published.role_systems import LIGHTWEIGHT, role_systems
from iemomecp_dataset.benchmark.published.systems import FIELD_CAVEATS, published_rows
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import write_results
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.emotion_signature import EmotionSignature
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.options import PairConfig
from iemomecp_dataset.trainers.cli import options_of

EMOTIONS = ("iemocap", "meld")
RULE = "0-1 cause, 2-3 context"


def test_the_distance_rule_stands_above_every_lightweight_baseline():
    ranking = role_systems()
    names = [system.name for system in ranking]
    rule = ranking[names.index(RULE)]
    assert rule.kind == "structural"
    assert {key: round(100 * value, 2) for key, value in rule.means.items()} == {
        "macro_f1": 50.55, "pair_f1": 47.86, "emo_context_f1": 20.43,
    }  # fmt: skip
    below = {system.name for system in ranking[names.index(RULE) + 1 :]}
    assert set(LIGHTWEIGHT) <= below
    for system in ranking:
        if system.name in LIGHTWEIGHT:
            assert all(system.means[key] < rule.means[key] for key in rule.means)
    # Always answering non-pair beats CLIP in macro F1.
    means = {system.name: system.means for system in ranking}
    assert means["all non-pair"]["macro_f1"] > means["CLIP"]["macro_f1"]
    assert "self + previous" not in names, "the published counts do not say which turn came first"


def test_published_means_are_those_of_the_paper():
    (best, *_) = role_systems()
    assert (best.name, best.modalities, best.n_seeds, best.n_pairs) == ("M3HG", "ta", 3, 18264)
    assert round(100 * best.means["pair_f1"], 2) == 56.73
    assert {system.n_pairs for system in role_systems() if system.name == "HiLo"} == {18228}
    assert len(role_systems()) == 18 + 3


@pytest.mark.parametrize("config_name", get_args(PairConfig))
def test_every_corpus_has_tables_by_pair_f1(config_name):
    rows = published_rows(config_name)
    assert rows
    terms = [(row.definition, row.split, row.emotions, row.n_candidates) for row in rows]
    tables = [list(group) for _, group in itertools.groupby(zip(terms, rows, strict=True), lambda pair: pair[0])]
    assert len(tables) == len(set(terms)), "rows that compare stand together"
    for table in tables:
        values = [float(row.scores["pair_f1"][0]) for _, row in table]
        assert values == sorted(values, reverse=True)
    text = published_text(config_name)
    assert text.count("Pair F1  ") >= len(tables)
    words = " ".join(text.split())
    for row in rows:
        assert row.system in words
        assert f"Source: {row.source}. Candidates: {row.candidates}." in words
        assert row.caveats in words
    assert "None of it was computed on your data" in words


@pytest.mark.parametrize("config_name", get_args(PairConfig))
def test_every_row_has_a_source_a_definition_and_a_candidate_space(config_name):
    for row in published_rows(config_name):
        assert row.definition in (*"ABCDF", "unstated"), row
        assert row.split in ("test", "semeval2024"), row
        assert row.emotions in ("predicted", "gold", "none"), row
        assert re.search(r"arXiv \d{4}\.\d{5}|github\.com/[\w-]+/\w+", row.source), row
        assert len(row.candidates) > 10, row
        assert row.kind == "structural" or row.caveats, row
        assert (row.n_candidates is not None) == (row.definition == "F"), row


def test_numbers_of_unreleased_heads_are_of_no_system_that_can_be_run():
    heads = [row for row in published_rows("3class") if row.system.startswith(("HiLo", "MECPE-2step", "M3HG"))]
    unmodified = {row.system for name in ("ecf", "mecad", "mec4", "source_binary") for row in published_rows(name)}
    assert len(heads) == 12
    assert {"HiLo T+A+V", "MECPE-2step T+A", "M3HG T"} <= unmodified
    for row in heads:
        assert row.system.endswith("(three-class head)")
        assert "not released" in row.caveats
        assert row.system not in unmodified


def test_a_corpus_without_published_numbers_is_an_error_that_names_those_with():
    assert published_rows("overlay") == []
    with pytest.raises(UsageError, match="Did you mean 'mecad'"):
        published_text("mecat")


ROBERTA = {"text_encoder": "FacebookAI/roberta-base", "encoder_mode": "trained"}


def of_experiment(name: str) -> dict[str, str]:
    return {option: str(value) for option, value in find_experiment(name).options.items()}


def test_a_run_of_a_published_configuration_is_recognized():
    settings = of_experiment("iemomecp_3class_rwc_fusion")
    found = published_experiment(settings)
    assert found is not None
    assert (found.system, round(100 * published_values(found)["pair_f1"], 2)) == ("RWC-Fusion", 40.89)
    assert differing_options(found, settings) == []
    here = settings | {"text_encoder": "/encoders/roberta-base", "epochs": "3", "learning_rate": "2e-5"}
    assert differing_options(found, here) == ["epochs"]
    assert published_experiment(settings | {"objective": "rpcl"}) is None


def test_fifteen_experiments_of_pairs_have_published_numbers():
    found = {experiment.name for experiment in published_experiments() if experiment.family == "fusion"}
    assert found == {name for name in experiment_names() if name.startswith("iemomecp_") or name.endswith("_rpcl_tav")}
    values = {name: published_values(find_experiment(name)) for name in found}
    assert {name for name in found if values[name]} == {name for name in found if name.startswith("iemomecp_")}
    assert published_values(find_experiment("ecf_base_tav")) == {}


@pytest.fixture(name="real")
def fixture_real(tmp_path, write_run, published_gold):
    """Runs marked as on the published gold: text alone, and with fewer epochs; Base and RPCL on ECF."""
    roberta = of_experiment("iemomecp_3class_roberta") | {"epochs": "2"}
    record = {"settings": roberta, "extra": published_gold("3class"), **ROBERTA}
    write_run(tmp_path / "roberta", n_classes=3, synthetic=False, scorer="isolated", **record)
    for objective, quality in (("base", 1.0), ("rpcl", 4.0)):
        name = f"ecf_{objective}_tav"
        settings = of_experiment("ecf_rpcl_tav") | {"objective": objective}
        record = {"quality": quality, "synthetic": False, "modalities": "tav", "settings": settings}
        record["extra"] = published_gold()
        write_run(tmp_path / name, objective=objective, **record, **ROBERTA)
    return index_runs(tmp_path)


def test_published_scores_of_the_same_configuration_are_a_row_of_their_own(real):
    board = next(board for board in leaderboard(real.runs) if board.key.config_name == "3class")
    beside = published_beside(board, "test")
    (row,) = beside.rows
    assert (row.kind, row.name, row.runs) == ("published", "RoBERTa (published)", ())
    score = row.score("test", "pair_f1")
    assert score is not None
    assert round(100 * score.mean, 2) == 40.28
    assert "differs in epochs" in row.note
    assert published_beside(board, "validation").rows == ()
    assert row not in board.rows
    text = " ".join(results_table(real.runs).split())
    assert "\N{DAGGER} RoBERTa (published) 40.28" in text
    assert "Not computed here." in text


def test_published_gains_are_shown_beside_the_measured_ones(real):
    board = next(board for board in leaderboard(real.runs) if board.key.config_name == "ecf")
    beside = published_beside(board, "test")
    assert beside.rows == ()
    (note,) = beside.notes
    base, rpcl = (next(row for row in board.trained if row.name.startswith(name)) for name in ("Base", "RPCL"))
    gain = 100 * (rpcl.score("test", "pair_f1").mean - base.score("test", "pair_f1").mean)
    assert note.startswith("Published for RPCL (arXiv 2606.18893, mean of three seeds")
    assert f"+2.58 Pair F1; here {gain:+.2f}. RPCL T+A+V here has the same options." in note
    assert "+2.58 Pair F1" in " ".join(results_table(real.runs).split())


IS_PUBLISHED = [
    ("3class", {}),
    ("3class", {"threshold": 0.4, "threshold_chosen_on": "validation"}),
    ("source_binary", {}),
    ("ecf", {}),
    ("ecf", {"forward_pairs": "past", "n_candidates": 18004, "n_missed": 80}),  # a set score counts every gold pair
]
IS_NOT = [
    ("3class", {"synthetic": True}),
    ("3class", {"n_gold": 1768}),
    ("3class", {"n_candidates": 18228}),
    ("3class", {"split": "validation"}),
    ("3class", {"threshold": 0.4, "threshold_chosen_on": "test"}),
    ("source_binary", {"n_gold": 1868, "forward_pairs": "gold"}),
    ("source_binary", {"forward_pairs": "gold"}),
    ("source_binary", {"n_gold": 1794}),
    ("ecf", {"n_gold": 1872}),
    ("ecf", {"synthetic": True}),
    ("mec4", {}),  # its published counts are not known
    ("ecf", {"corpus": "unknown"}),
]


@pytest.mark.parametrize(("config_name", "changes"), IS_PUBLISHED, ids=str)
def test_the_published_gold_is_recognized(published_gold, config_name, changes):
    (text,) = published_gold(config_name, **changes)["signatures"].values()
    assert is_published_gold(Signature.parse(text))


@pytest.mark.parametrize(("config_name", "changes"), IS_NOT, ids=str)
def test_another_gold_is_not_the_published_one(published_gold, config_name, changes):
    (text,) = published_gold(config_name, **changes)["signatures"].values()
    assert not is_published_gold(Signature.parse(text))


@pytest.mark.parametrize(
    "changes", [{"n_gold": 1768}, {"n_candidates": 18228}, {"synthetic": True}, {"split": "validation"}, None], ids=str
)
def test_a_run_on_another_gold_has_no_published_numbers_beside_it(tmp_path, write_run, published_gold, changes):
    # None: a run that does not record what it was scored on.
    extra = {} if changes is None else published_gold("3class", **changes)
    record = {"settings": of_experiment("iemomecp_3class_roberta"), "extra": extra, **ROBERTA}
    write_run(tmp_path / "roberta", n_classes=3, n_dialogues=3, scorer="isolated", synthetic=False, **record)
    (board,) = leaderboard(index_runs(tmp_path).runs)
    for split in ("test", "validation"):
        assert published_beside(board, split) == Beside()
    assert published_rows_beside(board) == []


@pytest.mark.parametrize("definition", "ABCDF")
def test_published_rows_stand_beside_scores_of_their_definition_alone(tmp_path, write_run, published_gold, definition):
    for config_name, n_classes in (("3class", 3), ("ecf", 2)):
        runs = tmp_path / config_name
        for objective in ("base", "rpcl"):
            name = "iemomecp_3class_roberta" if n_classes == 3 else "ecf_rpcl_tav"
            write_run(
                runs / objective,
                n_classes=n_classes,
                n_dialogues=3,
                synthetic=False,
                definition=definition,
                objective=objective,
                scorer="isolated" if n_classes == 3 else "dialogue",
                modalities="t" if n_classes == 3 else "tav",
                extra=published_gold(config_name, definition=definition),
                settings=of_experiment(name) | {"objective": objective},
                **ROBERTA,
            )
        (board,) = leaderboard(index_runs(runs).runs)
        rows = published_rows_beside(board)
        assert {row.definition for row in rows} <= {definition}
        published = {"3class": "F", "ecf": "ACD"}[config_name]
        assert bool(rows) == (definition in published)
        assert (published_beside(board, "test") != Beside()) == (definition == published[0])
        assert published_beside(board, "validation") == Beside()


def test_published_language_models_stand_beside_a_run_of_one_with_their_conditions(tmp_path, write_run, published_gold):
    about = {"language_model": {"shots": {"number": 3}, "reading": {}}}
    settings = {"backend": "openai", "model": "m", "ask": "dialogue", "shots": 3}
    record = {"n_dialogues": 3, "synthetic": False, "scorer": "external", "objective": "m dialogue 3-shot"}
    write_run(tmp_path / "asked", settings=settings, extra={**published_gold("ecf"), **about}, **record)
    (board,) = leaderboard(index_runs(tmp_path).runs)
    rows = {row.system: row for row in published_rows_beside(board)}
    gpt, tuned = rows["GPT-4o, 5 shots"], rows["NUS-Emo (tuned ChatGLM)"]
    assert (gpt.scores["pair_f1"][0], gpt.conditions, gpt.definition) == ("42.80", "recomputed", "A")
    assert "may have seen the test split" in gpt.caveats
    assert "contains this test split" in tuned.caveats
    assert not any(name.startswith("BridgeProt") for name in rows), "its definition is not stated"


@pytest.mark.parametrize(
    ("config_name", "start", "values"),
    [
        ("ecf", "BridgeProt", ["26.25", "41.10", "50.76", "52.77"]),
        ("mecad", "BridgeProt", ["31.14", "40.47", "47.07", "50.50", "57.89"]),
        ("mec4", "BridgeProt", ["14.54", "18.78", "40.05", "42.65"]),
        ("ecf", "GPT-4o", ["29.13", "30.57", "42.80"]),
        ("mecad", "GPT-4o", ["27.15", "27.16", "40.60"]),
        ("ecf", "NUS-Emo", ["34.71", "43.10", "43.50", "59.20"]),
    ],
)
def test_numbers_of_language_models_say_whether_they_are_reported_or_recomputed(config_name, start, values):
    rows = [row for row in published_rows(config_name) if row.system.startswith(start)]
    assert sorted(row.scores["pair_f1"][0] for row in rows) == values
    assert {row.conditions for row in rows} <= {"as reported", "recomputed"}
    assert all((row.conditions == "recomputed") == ("predictions in the folder" in row.source) for row in rows)


def test_rows_with_other_emotions_or_candidates_stand_beside_no_run(tmp_path, write_run, published_gold):
    write_run(tmp_path / "ecf", n_dialogues=3, synthetic=False, extra=published_gold("ecf"))
    write_run(tmp_path / "roles", n_classes=3, n_dialogues=3, synthetic=False, extra=published_gold("3class"))
    roles, ecf = (
        {row.system for row in published_rows_beside(board)}
        for board in sorted(leaderboard(index_runs(tmp_path).runs), key=lambda board: board.key.config_name)
    )
    assert "HiLo T+A+V" in ecf
    assert "self + previous" not in ecf, "it takes the gold emotions, the run does not"
    assert "RoBERTa T" in roles
    assert not any(name.startswith("HiLo") for name in roles), "scored on 18,228 pairs"


@pytest.mark.parametrize("positive", ["emo_cause", "emo_cause, then emo_context"])
def test_published_roles_stand_in_no_table_with_a_run_of_one_relation(tmp_path, write_run, published_gold, positive):
    """The published systems have heads for three roles, which the unchanged systems lack."""
    record = {"n_classes": 3, "n_dialogues": 3, "synthetic": False, "extra": published_gold("3class")}
    settings = of_experiment("iemomecp_3class_roberta")
    write_run(tmp_path / "roberta", settings=settings, scorer="isolated", **record, **ROBERTA)
    (board,) = leaderboard(index_runs(tmp_path).runs)
    assert published_beside(board, "test").rows
    assert published_rows_beside(board)
    peer = {"peer": "hilo", "positive": positive}
    write_run(tmp_path / "hilo", objective="HiLo", scorer="external", settings=peer, **record)
    (board,) = leaderboard(index_runs(tmp_path).runs)
    assert len(board.trained) == 2, "they share a table with other runs"
    assert runs_of_peers(board) == [row.name for row in board.trained if row.name.startswith("HiLo")]
    beside = published_beside(board, "test")
    assert (beside.rows, published_rows_beside(board)) == ((), [])
    (note,) = beside.notes
    assert "heads for three classes that are not released, and HiLo" in note
    text = " ".join(results_table(index_runs(tmp_path).runs).split())
    assert "(published)" not in text
    assert note in text
    write_run(
        tmp_path / "ecf", synthetic=False, n_dialogues=3, scorer="external", settings=peer, extra=published_gold()
    )
    of_ecf = next(board for board in leaderboard(tmp_path) if board.key.config_name == "ecf")
    assert published_rows_beside(of_ecf), "on one relation the published numbers are of the same task"


def test_a_published_gain_is_set_beside_a_base_with_the_same_settings_alone(tmp_path, write_run, published_gold):
    settings = of_experiment("ecf_rpcl_tav")
    record = {"n_dialogues": 3, "synthetic": False, "modalities": "tav", "extra": published_gold("ecf"), **ROBERTA}
    write_run(tmp_path / "rpcl", objective="rpcl", settings=settings, **record)
    write_run(tmp_path / "base", settings=settings | {"objective": "base", "learning_rate": "0.01"}, **record)
    (board,) = leaderboard(index_runs(tmp_path).runs)
    (note,) = published_beside(board, "test").notes
    assert note.endswith("+2.58 Pair F1; no row here is Base with the same settings.")


@pytest.mark.parametrize("config_name", EMOTIONS)
def test_emotion_scores_are_listed_by_weighted_f1_with_what_holds_of_the_field(config_name):
    rows = published_rows(config_name)
    values = [float(row.scores["weighted_f1"][0]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert sum(row.system.startswith("ECERC T+A+V (") for row in rows) == 10
    words = " ".join(published_text(config_name).split())
    assert all(row.system in words and row.source in words and row.caveats in words for row in rows)
    assert FIELD_CAVEATS in words
    assert "Pair F1" not in words
    assert "definition" not in words


def as_published(config_name, **changes):
    """A signature of scores on the whole test split."""
    n = {"meld": 2610, "iemocap": 1623}[config_name]
    facts = {"corpus": config_name, "task": config_name, "split": "test", "classes": "neutral,joy,anger",
             "n_utterances": n, "n_labelled": n, "data": "c0ffee", "epoch_chosen_on": "validation"}  # fmt: skip
    return {"signatures": {"test": str(EmotionSignature(**(facts | changes)))}}


def write_ecerc(folder, write_emotion_run, weighted_f1=0.66, settings=(), **changes):
    record = write_emotion_run(
        folder, predictions=False, splits=("test",), settings={"protocol": "released", **dict(settings)},
        objective="released", modalities="tav",
    )  # fmt: skip
    metrics = {"test": {**record.metrics["test"], "weighted_f1": weighted_f1}}
    signed = {"extra": as_published("meld"), "synthetic": False, "config_name": "meld", "corpus": "meld"}
    write_results(folder, dataclasses.replace(record, metrics=metrics, **(signed | changes)))


@pytest.mark.parametrize(
    ("weighted_f1", "settings", "words"),
    [
        (0.66, {}, "-0.46 points from the published 66.46, which reproduces it (within 1)"),
        (0.60, {}, "-6.46 points from the published 66.46, which does not reproduce it (within 1)"),
        (0.66, {"ablation": "no_self_event"}, "+0.64 points from the published 65.36, which reproduces it"),
    ],
)
def test_a_run_of_ecerc_stands_beside_its_published_scores(tmp_path, write_emotion_run, weighted_f1, settings, words):
    write_ecerc(tmp_path / "run", write_emotion_run, weighted_f1, settings.items())
    text = " ".join(results_table(tmp_path).split())
    assert words in text
    assert FIELD_CAVEATS in text
    assert "ACL 2025, long 102, mean of three runs" in text
    assert published_rows_beside(emotion_boards(tmp_path)[0])[0].system == "PRC-Emo (Qwen3-8B) T"


@pytest.mark.parametrize(
    "changes",
    [
        {"synthetic": True},
        {"extra": as_published("meld", n_utterances=2611)},
        {"extra": as_published("meld", n_labelled=2609)},
        {"extra": as_published("meld", epoch_chosen_on="test"), "epoch_chosen_on": "test"},
        {"scorer": "emotion_transformer"},
        {"config_name": "ecf", "corpus": "ecf"},
    ],
)
def test_emotion_scores_on_other_utterances_have_no_published_ones_beside(tmp_path, write_emotion_run, changes):
    write_ecerc(tmp_path / "run", write_emotion_run, **changes)
    text = results_table(tmp_path)
    assert "published" not in text
    assert FIELD_CAVEATS[:40] not in " ".join(text.split())


def test_a_run_of_ecerc_differs_in_the_recipe_of_its_protocol_too():
    experiment = find_experiment("meld_ecerc_released")
    kind, defaults = options_of(experiment.family)
    flat = kind.from_flat({**kind.defaults_for(experiment.options), **defaults, **experiment.options}).flat()
    settings = {name: str(value) for name, value in flat.items()}
    assert published_experiment(settings) is experiment
    assert differing_options(experiment, settings) == []
    changed = settings | {"learning_rate": "0.001", "empty_rows": "zero"}
    assert differing_options(experiment, changed) == ["empty_rows", "learning_rate"]
