"""Published numbers beside those of runs: the ranking with structural rules, and rows of the same configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.experiments import experiment_names, find_experiment
from iemomecp_dataset.benchmark.published.beside import published_beside
from iemomecp_dataset.benchmark.published.experiments import (
    differing_options,
    published_experiment,
    published_experiments,
    published_values,
)
from iemomecp_dataset.benchmark.published.role_systems import LIGHTWEIGHT, role_systems
from iemomecp_dataset.benchmark.published.systems import PUBLISHED_CORPORA, published_rows, published_text
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.errors import UsageError

RULE = "distance rule (0-1 cause, 2-3 context)"


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


@pytest.mark.parametrize("config_name", PUBLISHED_CORPORA)
def test_every_corpus_has_a_table_by_pair_f1(config_name):
    rows = published_rows(config_name)
    values = [float(row.scores["pair_f1"][0]) for row in rows]
    assert values == sorted(values, reverse=True) != []
    text = published_text(config_name)
    assert all(row.system in text for row in rows)
    assert "None of it was computed on your data" in " ".join(text.split())


def test_a_corpus_without_published_numbers_is_an_error_that_names_those_with():
    assert published_rows("overlay") == []
    with pytest.raises(UsageError, match="Did you mean 'mecad'"):
        published_text("mecat")


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


def test_fifteen_experiments_have_published_numbers():
    found = {experiment.name for experiment in published_experiments()}
    assert found == {name for name in experiment_names() if name.startswith("iemomecp_") or name.endswith("_rpcl_tav")}
    values = {name: published_values(find_experiment(name)) for name in found}
    assert {name for name in found if values[name]} == {name for name in found if name.startswith("iemomecp_")}
    assert published_values(find_experiment("ecf_base_tav")) == {}


@pytest.fixture(name="real")
def fixture_real(tmp_path, write_run):
    """Runs marked as on real data: text alone, as published and with fewer epochs; Base and RPCL on ECF."""
    roberta = of_experiment("iemomecp_3class_roberta") | {"epochs": "2"}
    write_run(tmp_path / "roberta", n_classes=3, synthetic=False, scorer="isolated")
    (tmp_path / "roberta" / "config.yaml").write_text(yaml.safe_dump(roberta))
    for objective, quality in (("base", 1.0), ("rpcl", 4.0)):
        name = f"ecf_{objective}_tav"
        write_run(tmp_path / name, objective=objective, quality=quality, synthetic=False, modalities="tav")
        settings = of_experiment("ecf_rpcl_tav") | {"objective": objective}
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(settings))
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


@pytest.mark.parametrize("config_name", ["3class", "ecf"])
@pytest.mark.parametrize("change", [{"definition": "B"}, {"synthetic": True}, {}])
def test_published_numbers_stand_beside_scores_of_their_own_definition_alone(real, config_name, change):
    board = next(board for board in leaderboard(real.runs) if board.key.config_name == config_name)
    beside = published_beside(replace(board, key=replace(board.key, **change)), "test")
    assert bool(beside.rows or beside.notes) == (not change)


def test_synthetic_dialogues_have_no_published_numbers_beside_them(tmp_path, write_run):
    write_run(tmp_path / "roberta", n_classes=3, scorer="isolated")
    (board,) = leaderboard(index_runs(tmp_path).runs)
    assert published_beside(board, "test") == published_beside(board, "validation")
    assert published_beside(board, "test").rows == ()
