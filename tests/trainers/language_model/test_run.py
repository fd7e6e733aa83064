"""Whole runs against a local server: each script has its known score and its known counts; nothing is sent twice."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from asked_corpus import KnowsGold, write_asked_corpus
from explained_dialogues import EMOTIONS, explained_dialogues
from language_model_server import Reply, completion, serving, turns_of
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.benchmark.runs.results import read_results
from iemomecp_dataset.command_line import read_options
from iemomecp_dataset.corpus import corpus_of, load_corpus
from iemomecp_dataset.errors import EndpointError, RunFolderError, UsageError
from iemomecp_dataset.trainers.language_model import run as running
from iemomecp_dataset.trainers.language_model.answers import BY_SCHEMA, IN_WORDS, INSIDE_TEXT, NO_TURN, UNUSABLE
from iemomecp_dataset.trainers.language_model.asking import dialogues_of
from iemomecp_dataset.trainers.language_model.options import LanguageModelOptions
from iemomecp_dataset.trainers.language_model.recording import settings_of
from iemomecp_dataset.trainers.language_model.sending import Usage

pytest.importorskip("openai")

SPLITS = ("validation", "test")


@pytest.fixture(scope="module", name="data")
def fixture_data(tmp_path_factory):
    return write_asked_corpus(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module", name="corpus")
def fixture_corpus(data):
    return load_corpus("ecf", data)


@pytest.fixture(scope="module", name="model")
def fixture_model(corpus):
    return KnowsGold(dialogue for split in SPLITS for dialogue in dialogues_of(corpus, split))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)


@pytest.fixture(name="asked")
def fixture_asked(data, corpus, tmp_path, monkeypatch):
    """Runs a script; data that is loaded once is not loaded again."""
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: corpus)

    def ask(script, name="run", **options):
        given = {"data_dir": data, "config_name": "ecf", "output_dir": tmp_path / name, "backend": "openai",
                 "model": "scripted", "cache_dir": tmp_path / "answers", **options}  # fmt: skip
        with serving(script) as server:
            record = running.run(LanguageModelOptions(**{"base_url": server.url, **given}))
        return record, server

    return ask


def reading(record, split="test"):
    return record.extra["language_model"]["reading"][split]


@pytest.mark.parametrize("ask", ["dialogue", "target"])
def test_a_model_that_knows_the_gold_scores_one_in_every_definition(asked, model, corpus, ask):
    record, server = asked(model.gold, ask=ask)
    for split in SPLITS:
        assert record.metrics[split]["pair_f1"] == 1
        assert [record.extra["triples"][split][letter]["pair_f1"] for letter in "CD"] == [1, 1]
        assert reading(record, split)["share_by_schema"] == 1
    per = len if ask == "dialogue" else lambda rows: sum(len(row["utterances"]) for row in rows)
    assert server.n_requests == sum(per(corpus.rows[split]) for split in SPLITS)
    usage = record.extra["language_model"]["usage"]
    assert (usage["answers"], usage["prompt_tokens"]) == (server.n_requests, 100 * server.n_requests)


def test_nothing_predicts_nothing_and_self_and_previous_is_the_structural_row_of_gold_emotions(asked, model, corpus):
    record, _ = asked(lambda body: '{"records": []}')
    assert record.metrics["test"]["pair_f1"] == 0
    record, _ = asked(model.self_and_previous, "second", model="other")
    table = corpus.tables["test"]
    predicted = table.emotional_targets & ((table.distances == 0) | (table.distances == 1))
    correct = int((predicted & (table.labels == 0)).sum())
    expected = 2 * correct / (int(predicted.sum()) + int((table.labels == 0).sum()))
    assert record.metrics["test"]["pair_f1"] == pytest.approx(expected)


@pytest.mark.parametrize(("script", "step"), [("fenced", INSIDE_TEXT), ("prose", IN_WORDS)])
def test_what_is_read_later_scores_the_same_and_is_counted(asked, model, script, step):
    record, _ = asked(getattr(model, script))
    assert record.metrics["test"]["pair_f1"] == 1
    assert reading(record)["steps"][step] == reading(record)["answers"] == 5
    assert reading(record)["share_by_schema"] == 0
    assert "valid by schema 0.0 % on validation, 0.0 % on test" in record.extra["remarks"][0]


def test_pairs_of_turns_that_do_not_exist_are_counted_and_told_as_wrong(asked, model):
    record, _ = asked(model.wrong_turns)
    assert record.metrics["test"]["pair_f1"] == 1
    assert reading(record)["pairs_refused"] == {NO_TURN: 10}
    wrong = record.extra["language_model"]["with_turns_that_do_not_exist_as_wrong_pairs"]["test"]
    n_gold = record.counts["test"]["gold_pairs"]
    assert wrong["pair_precision"] == pytest.approx(n_gold / (n_gold + 10))


def test_wrong_pairs_are_a_set_as_others_are(asked, model):
    def script(body):
        record = {"target": 1, "emotion": "joy", "causes": [90, 90, 91]}
        return json.dumps({"records": [*model.records(body), record, record]})

    record, _ = asked(script, split="test")
    assert reading(record)["pairs_refused"] == {NO_TURN: 30}
    assert record.extra["language_model"]["with_turns_that_do_not_exist_as_wrong_pairs"]["test"]["pairs"] == 10


def test_contexts_of_turns_that_do_not_exist_are_no_wrong_pairs():
    from iemomecp_dataset.trainers.language_model.answers import Reading
    from iemomecp_dataset.trainers.language_model.recording import AnsweredSplit, _with_wrong

    nowhere = frozenset({("1", "90", "causes"), ("1", "90", "context"), ("1", "91", "context")})
    requests = [SimpleNamespace(dialogue_id=name) for name in ("one", "one", "two")]
    answered = AnsweredSplit(requests, [None] * 3, [Reading(BY_SCHEMA, nowhere=nowhere)] * 3)
    found = _with_wrong({"pair_precision": 1.0, "pair_recall": 1.0}, 2, answered)
    assert (found["pairs"], found["pair_precision"]) == (2, 0.5)


def test_second_answers_are_among_what_is_counted_as_predicted_and_as_wrong(asked, model):
    def script(body):
        return model.wrong_turns(body) if body["seed"] else "?"

    record, _ = asked(script)
    found = reading(record)
    assert (found["steps"][UNUSABLE], found["pairs_kept"], found["asked_again"]["pairs_refused"]) == (
        5,
        0,
        {NO_TURN: 10},
    )
    n_gold = record.counts["test"]["gold_pairs"]
    assert found["pairs_predicted"] == found["pairs_kept"] + found["asked_again"]["pairs_kept"] == n_gold
    wrong = record.extra["language_model"]["with_turns_that_do_not_exist_as_wrong_pairs"]["test"]
    assert wrong["pairs"] == 10
    assert wrong["pair_precision"] == pytest.approx(n_gold / (n_gold + 10))
    assert wrong["pair_f1"] == pytest.approx(2 * n_gold / (2 * n_gold + 10))


def test_runs_of_three_shot_seeds_are_one_row_with_a_deviation(asked, model, tmp_path):
    from iemomecp_dataset.benchmark import leaderboard

    scripts = (model.gold, model.self_and_previous, lambda body: '{"records": []}')
    for seed, script in enumerate(scripts):
        asked(script, f"runs/seed{seed}", shots=2, shot_choice="random", seed=seed)
    (board,) = leaderboard(tmp_path / "runs")
    (row,) = board.trained
    score = row.score("test", "pair_f1")
    assert len(row.runs) == 3
    values = [run.results.metrics["test"]["pair_f1"] for run in row.runs]
    assert (score.mean, score.sd) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    ids = [run.results.extra["language_model"]["shots"]["ids"] for run in row.runs]
    assert ids[0] != ids[1]


def test_where_no_later_turn_is_a_candidate_none_is_spoken_of(data, model, tmp_path):
    with serving(model.gold) as server:
        options = {"data_dir": data, "config_name": "ecf", "output_dir": tmp_path / "run", "backend": "openai",
                   "model": "m", "base_url": server.url, "cache_dir": tmp_path / "a", "split": "test",
                   "limit": 1}  # fmt: skip
        running.run(LanguageModelOptions(**options, candidates="past"))
        running.run(LanguageModelOptions(**{**options, "output_dir": tmp_path / "all"}))
    past, every = (body["messages"][0]["content"] for body in server.bodies)
    assert "later" not in past
    assert "or, rarely, a later one" in every


def test_answers_that_are_cut_off_are_counted_apart(asked, model):
    record, _ = asked(model.cut_off)
    assert reading(record)["endings"] == {"cut off": 5}
    assert record.metrics["test"]["pair_recall"] == 1


def test_refusals_are_asked_again_once_and_stay_in_the_denominator(asked, model):
    def script(body):
        first = model.dialogue(body).dialogue_id in ("201", "202")
        return (
            Reply(refusal="No.")
            if first and (body["seed"] == 0 or "201" in model.dialogue(body).dialogue_id)
            else model.gold(body)
        )

    record, server = asked(script)
    assert server.n_requests == 10 + 2
    assert reading(record)["steps"][UNUSABLE] == 2
    assert reading(record)["endings"] == {"refused": 2}
    assert reading(record)["asked_again"]["steps"] == {BY_SCHEMA: 1, INSIDE_TEXT: 0, IN_WORDS: 0, UNUSABLE: 1}
    lost = sum(label == 0 for label in next(iter(model._of.values())).labels.values())
    assert record.metrics["test"]["pair_precision"] == 1
    assert record.metrics["test"]["pair_recall"] < 1 or lost == 0
    _, again = asked(script, "again")
    assert again.n_requests == 0


def test_letters_give_probabilities_a_threshold_from_validation_and_what_is_outside(asked, model):
    record, server = asked(model.letter, ask="pair")
    assert record.metrics["test"]["pair_auprc"] == 1
    assert record.metrics["test"]["pair_f1"] == 1
    assert record.threshold == {"value": pytest.approx(0.6), "chosen_on": "validation"}
    assert reading(record)["mass_outside_labels_mean"] == pytest.approx(0.1)
    assert reading(record)["labels_censored"] == 0
    assert reading(record)["pairs_predicted"] == record.counts["test"]["gold_pairs"]
    assert server.bodies[0]["max_tokens"] == 1


def test_a_window_asks_less_and_counts_the_gold_pairs_it_loses(asked, model, corpus):
    record, server = asked(model.letter, ask="pair", window=0, split="test")
    table = corpus.tables["test"]
    lost = int(((table.labels == 0) & (table.distances != 0)).sum())
    assert server.n_requests == sum(len(row["utterances"]) for row in corpus.rows["test"])
    assert reading(record)["gold_pairs_not_asked"] == lost > 0
    assert record.metrics["test"]["pair_recall"] == pytest.approx(1 - lost / int((table.labels == 0).sum()))


def test_letters_without_probabilities_are_decisions_where_that_is_asked_for(asked, model):
    def letter(body):
        return model.letter(body).text

    with pytest.raises(EndpointError, match="gives no log-probabilities"):
        asked(letter, ask="pair")
    record, _ = asked(letter, "second", ask="pair", decisions_only=True)
    assert record.metrics["test"]["pair_f1"] == 1
    assert record.threshold == {"value": None, "chosen_on": "system"}


def test_a_second_start_sends_nothing_and_ends_in_the_same_bits(asked, model, tmp_path):
    first, server = asked(model.gold, "one")
    second, again = asked(model.gold, "two")
    assert (server.n_requests, again.n_requests) == (10, 0)
    assert second.extra["language_model"]["usage"]["cache_hits_of_this_start"] == 10
    assert repr(second.metrics) == repr(first.metrics)
    for split in SPLITS:
        tables = [pd.read_parquet(tmp_path / name / f"predictions_{split}.parquet") for name in ("one", "two")]
        pd.testing.assert_frame_equal(*tables)
    _, third = asked(model.gold, "one", offline=True)  # a finished run is read
    assert third.n_requests == 0
    with pytest.raises(RunFolderError, match="finished run with other options"):
        asked(model.gold, "one", shots=1)


@pytest.mark.parametrize("changed", [{"seed": 1}, {"shots": 1}, {"base_rates": False}, {"model": "other"}])
def test_another_seed_shot_prompt_or_model_misses_the_cache(asked, model, changed):
    asked(model.gold, "one", split="test")
    _, server = asked(model.gold, "two", split="test", **changed)
    assert server.n_requests == 5


def test_a_run_that_is_stopped_after_some_requests_continues(asked, model):
    counts = []
    for _ in range(4):
        record, server = asked(model.gold, max_requests=4)
        counts.append((record is None, server.n_requests))
    assert counts == [(True, 4), (True, 4), (False, 2), (False, 0)]


def test_offline_sends_nothing(asked, model):
    with pytest.raises(UsageError, match="There is no cache of answers"):
        asked(model.gold, offline=True)
    asked(model.gold, "some", split="test", limit=2)
    with pytest.raises(UsageError, match="3 of 5 requests are not in the cache"):
        asked(model.gold, offline=True, split="test")


def test_offline_reads_the_cache_beside_data_that_cannot_be_written_to(asked, model, data, tmp_path, monkeypatch):
    folder = data / "language_model_answers"
    asked(model.gold, "first", cache_dir=folder, split="test")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(running, "check_cache", lambda _: "it cannot be written to")
    monkeypatch.setenv("IEMOMECP_CACHE", str(tmp_path / "of the user"))
    record, server = asked(model.gold, "second", cache_dir=None, split="test", offline=True)
    assert (record.metrics["test"]["pair_f1"], server.n_requests) == (1, 0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not (tmp_path / "of the user").exists()


def test_requests_without_an_answer_leave_the_run_unfinished_unless_it_gives_up(asked, model, tmp_path):
    def script(body):
        return Reply(status=500, error="broken") if model.dialogue(body).dialogue_id == "202" else model.gold(body)

    with pytest.raises(EndpointError, match=r"1 requests have no answer \(status 500 1"):
        asked(script, max_retries=0)
    assert not (tmp_path / "run" / "results.json").exists()
    record, server = asked(script, max_retries=1, give_up=True)
    assert server.n_requests == 2
    usage = record.extra["language_model"]["usage"]
    assert (usage["sent_by_this_start"], usage["answered_in_this_start"]) == (2, 0)
    assert usage["attempts_without_an_answer"] == 2
    assert reading(record)["steps"][UNUSABLE] == 1
    assert record.extra["language_model"]["usage"]["without_an_answer"] == {"status 500": 1}


def test_a_second_question_without_an_answer_is_counted_among_the_second_ones(asked, model):
    def script(body):
        if body.get("seed") == 1:
            return Reply(status=500, error="broken")
        return Reply("I cannot tell.") if model.dialogue(body).dialogue_id == "202" else model.gold(body)

    record, _ = asked(script, max_retries=0, give_up=True, seed=0)
    counted = [found for found in record.extra["language_model"]["reading"].values() if found["asked_again"]]
    assert sum(found["steps"][UNUSABLE] for found in counted) == 1
    assert [found["asked_again"]["steps"][UNUSABLE] for found in counted] == [1]


def test_a_limit_of_requests_that_all_fail_is_no_finished_run(asked, model, tmp_path):
    def refused(body):
        return Reply(status=400, error="no") if model.dialogue(body).dialogue_id == "101" else model.gold(body)

    record, server = asked(refused, max_requests=3, give_up=True)
    assert (record, server.n_requests) == (None, 3)
    assert not (tmp_path / "run" / "results.json").exists()
    with pytest.raises(EndpointError, match=r"None of the 1 requests of this start was answered .* 7 more are left"):
        asked(refused, max_requests=1, give_up=True)
    record, _ = asked(refused, max_requests=100, give_up=True)
    assert reading(record, "validation")["steps"][UNUSABLE] == 1
    assert record.extra["language_model"]["usage"]["without_an_answer"] == {"refused with status 400": 1}


@pytest.mark.parametrize("max_concurrency", [1, 16])
def test_the_most_requests_are_a_limit_when_all_fail_and_are_repeated_over_splits(asked, max_concurrency):
    met = []

    def script(body):
        met.append(1)
        return Reply(status=500, error="broken")

    with pytest.raises(EndpointError, match="None of the 7 requests of this start was answered"):
        asked(script, max_requests=7, max_retries=5, max_concurrency=max_concurrency)
    assert len(met) == 7


@pytest.mark.parametrize(
    ("status", "said"), [(400, "They would be refused again: --give_up"), (500, "Start the same command to ask")]
)
def test_asking_again_is_advised_only_where_it_can_help(asked, model, status, said):
    def script(body):
        if model.dialogue(body).dialogue_id == "202":
            return Reply(status=status, error="no")
        return model.gold(body)

    with pytest.raises(EndpointError, match=said):
        asked(script, max_retries=0, split="test")


def test_a_finished_run_gets_its_cost_when_prices_are_given_later(asked, model, tmp_path):
    first, _ = asked(model.gold, split="test")
    assert first.extra["language_model"]["usage"]["cost"] is None
    asked(model.gold, split="test", price_in=1.0, price_out=2.0)
    record = read_results(tmp_path / "run")
    assert record.extra["language_model"]["usage"]["cost"] == pytest.approx(5 * 120 / 1e6)
    assert "600 tokens" not in record.extra["remarks"][0]
    assert " tokens, cost 0.0006." in record.extra["remarks"][0]
    assert record.metrics["test"]["pair_f1"] == first.metrics["test"]["pair_f1"] == 1
    before = (tmp_path / "run" / "results.json").read_bytes()
    asked(model.gold, split="test")
    assert (tmp_path / "run" / "results.json").read_bytes() == before


def test_a_finished_run_needs_neither_key_nor_model(asked, model, tmp_path, monkeypatch):
    asked(model.gold, split="test")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    record, _ = asked(model.gold, split="test", base_url="https://api.example.org/v1")
    assert record.metrics["test"]["pair_f1"] == 1
    with pytest.raises(UsageError, match=r"no OPENAI_API_KEY, which api\.example\.org needs"):
        asked(model.gold, "other", split="test", base_url="https://api.example.org/v1", model="another")
    # What is in the cache needs no key either.
    _, server = asked(model.gold, "third", split="test", base_url="https://api.example.org/v1")
    assert server.n_requests == 0


def test_a_finished_run_of_a_folder_does_not_load_its_model_and_another_model_is_noticed(
    asked, model, tmp_path, monkeypatch
):
    from iemomecp_dataset.trainers.explanation.language_model import language_model_revision
    from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint

    folder = tmp_path / "a model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")

    class Local(OpenAIEndpoint):
        @property
        def identity(self):
            revision = language_model_revision(str(folder), None)
            return {"backend": "transformers", "model": revision, "revision": revision, "dtype": "float32"}

    loaded = []

    def load(options, _licensed):
        loaded.append(options)
        return Local("scripted", base_url=url[0])

    monkeypatch.setattr(running, "_backend", load)
    url = []
    options = {"backend": "transformers", "model": str(folder), "split": "test", "base_url": None}
    with serving(model.gold) as server:
        url.append(server.url)
        asked(model.gold, **options)
    record, _ = asked(model.gold, **options)
    assert (record.metrics["test"]["pair_f1"], len(loaded)) == (1, 1)
    for other in ({"dtype": "float16"}, {"shots": 1}):
        monkeypatch.setattr(Local, "identity", {"dtype": other.get("dtype", "float32")})
        with pytest.raises(RunFolderError, match="finished run with other options"):
            asked(model.gold, **options, **other)
    (folder / "config.json").write_text('{"changed": 1}')
    with pytest.raises(RunFolderError, match="finished run with other options"):
        asked(model.gold, **options)


def test_another_model_under_the_same_name_is_said(asked, model, caplog, monkeypatch):
    monkeypatch.setattr("iemomecp_dataset.trainers.language_model.backends.openai.address_of", lambda _: "h:1")
    asked(model.gold, "one", split="test")
    record, _ = asked(model.gold, "same", split="both")
    assert record.extra["language_model"]["notes"] == []
    asked(model.gold, "two", split="test", seed=7, limit=2)

    def other(body):
        return Reply(model.gold(body), served="another model")

    record, server = asked(other, "three", split="test", seed=7)
    assert server.n_requests == 3
    (note,) = record.extra["language_model"]["notes"]
    assert "those of scripted-1 fp, and others of another model fp" in note
    assert note in caplog.text


def test_answers_that_another_server_gave_under_the_same_name_are_counted(asked, model):
    _, first = asked(model.gold, "one", split="test")
    record, second = asked(model.gold, "two")
    addresses = [server.url.removeprefix("http://").removesuffix("/v1") for server in (first, second)]
    about = record.extra["language_model"]
    assert about["answers_by_endpoint"] == dict(zip(addresses, (5, second.n_requests), strict=True))
    (note,) = about["notes"]
    assert note.startswith("5 answers of the cache were given by another endpoint")
    assert f"5 by {addresses[0]}." in note


def test_what_the_endpoint_refused_is_told_of_answers_of_the_cache_as_well(asked, model, monkeypatch):
    monkeypatch.setattr("iemomecp_dataset.trainers.language_model.backends.openai.address_of", lambda _: "h:1")

    def script(body):
        for name in ("temperature", "json_schema"):
            if name in json.dumps({name: value for name, value in body.items() if name != "messages"}):
                return Reply(status=400, error=f"{name} is not supported")
        content = completion(Reply(model.gold(body)), body)
        return Reply(body=json.dumps({**content, "usage": None}).encode())

    first, _ = asked(script, "one", split="test")
    second, server = asked(script, "two", split="test")
    assert server.n_requests == 0
    notes = first.extra["language_model"]["notes"]
    assert [note.split(";")[0] for note in notes] == [
        "The endpoint refuses json_schema",
        "The endpoint refuses the option temperature",
        "The endpoint told no tokens of some answers",
    ]
    assert second.extra["language_model"]["notes"] == notes


def test_a_second_process_does_not_send_the_same_questions_meanwhile(asked, model, tmp_path):
    said = []

    def script(body):
        if not said:
            said.append("")
            with pytest.raises(UsageError, match="Another run is asking the same questions") as error:
                asked(model.gold, "second", split="test")
            said[0] = str(error.value)
            asked(model.gold, "seeded", split="test", seed=5)
            asked(model.gold, "of validation", split="validation")
        return model.gold(body)

    _, server = asked(script, "first", split="test", max_concurrency=1)
    assert "sends nothing twice" in said[0]
    assert server.n_requests == 5
    _, server = asked(model.gold, "second", split="test")
    assert server.n_requests == 0


def test_a_limit_marks_the_run_and_keeps_it_out_of_the_table_of_full_ones(asked, model, corpus):
    record, server = asked(model.gold, limit=2, split="test")
    assert server.n_requests == 2
    assert "ONLY THE FIRST 2 DIALOGUES" in record.extra["remarks"][0]
    assert record.data_fingerprint["test"] != corpus.fingerprints["test"]


def test_shots_are_recorded_and_come_from_train(asked, model):
    record, server = asked(model.gold, shots=2, shot_choice="random", seed=3, split="test")
    shots = record.extra["language_model"]["shots"]
    assert shots["chosen_by"] == "random, seed 3"
    assert set(shots["ids"]) <= {str(number) for number in range(1, 6)}
    assert len(server.bodies[0]["messages"]) == 6


def test_the_run_is_a_row_and_the_same_decisions_as_a_file_score_the_same(asked, model, data, tmp_path):
    from iemomecp_dataset.benchmark import leaderboard
    from iemomecp_dataset.commands.evaluate import main as evaluate

    record, _ = asked(model.self_and_previous, "runs/language", split="test", price_in=1.0, price_out=2.0)
    assert record.extra["language_model"]["usage"]["cost"] == pytest.approx(5 * 120 / 1e6)
    evaluate([str(tmp_path / "runs/language/predictions_test.parquet"), "--data-dir", str(data), "--as-run",
              str(tmp_path / "runs/theirs"), "--resamples", "0", "--no-structural"])  # fmt: skip
    assert read_results(tmp_path / "runs/theirs").metrics["test"]["pair_f1"] == record.metrics["test"]["pair_f1"]
    (board,) = leaderboard(tmp_path / "runs")
    assert any("scripted dialogue 0-shot" in row.name for row in board.rows)
    assert any("may have seen this test set" in note for note in board.notes)


@pytest.mark.slow
def test_a_killed_run_sends_nothing_twice_but_what_was_in_flight(data, model, tmp_path):
    def slowly(body):
        time.sleep(0.3)
        return model.gold(body)

    with serving(slowly) as server:
        command = [sys.executable, str(Path(running.__file__).parents[1] / "llm.py"), "--data_dir", str(data),
                   "--config_name", "ecf", "--output_dir", str(tmp_path / "run"), "--backend", "openai", "--base_url",
                   server.url, "--model", "scripted", "--cache_dir", str(tmp_path / "a"),
                   "--max_concurrency=2"]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while server.n_requests < 5 and process.poll() is None:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        before = [json.dumps(body["messages"]) for body in server.bodies]
        subprocess.run(command, check=True, capture_output=True)
        # Counted at the server: what was answered is not sent again, and the two in flight are.
        after = [json.dumps(body["messages"]) for body in server.bodies[len(before) :]]
        assert len(set(before)) == len(before) >= 5
        assert len(set(after)) == len(after)
        assert len({*before, *after}) == 10
        assert set(before) & set(after) <= set(before[-2:])
        subprocess.run(command, check=True, capture_output=True)
        assert server.n_requests == len(before) + len(after) <= 12
    assert read_results(tmp_path / "run").metrics["test"]["pair_f1"] == 1


def test_licensed_text_does_not_leave_and_its_cache_is_not_with_the_runs(asked, model, corpus, tmp_path, monkeypatch):
    licensed = replace(corpus, config_name="3class", name="iemomecp")
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: licensed)
    with pytest.raises(UsageError, match="licence does not let them go to foreign"):
        asked(model.gold, config_name="3class", base_url="http://foreign.example.org/v1")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for place in ("run/answers", "run", ".", "answers", "a/b/../../run/x", "link/run/answers"):
        with pytest.raises(UsageError, match="lies with the runs"):
            asked(model.gold, config_name="3class", cache_dir=tmp_path / place)
    (tmp_path / "run" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "of" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "of" / "x" / "results.json").touch()
    for place, output in (
        ("run/a/b/c", "run"),
        ("runs/answers", "runs/g/x"),
        ("runs/of/answers", "elsewhere/h/g/y"),
        ("runs/of/x/a/b", "elsewhere/h/g/y"),
    ):
        given = {"config_name": "3class", "output_dir": tmp_path / output}
        with pytest.raises(UsageError, match="lies with the runs"):
            asked(model.gold, cache_dir=tmp_path / place, **given)
        monkeypatch.setenv("IEMOMECP_CACHE", str(tmp_path / place))
        monkeypatch.setattr(running, "check_cache", lambda _: "not writable")
        with pytest.raises(UsageError, match=r"^The cache .* lies with the runs"):
            asked(model.gold, cache_dir=None, **given)
        monkeypatch.undo()
        monkeypatch.setattr(running, "load_corpus", lambda *_, **__: licensed)
    connected = SimpleNamespace(
        is_initialized=lambda: True, get_runtime_context=lambda: SimpleNamespace(gcs_address="10.1.2.3:6379")
    )
    monkeypatch.setitem(sys.modules, "ray", connected)
    with pytest.raises(UsageError, match="--ray_address"):
        asked(model.gold, config_name="3class", backend="ray")
    for options in ({}, {"base_url": None}):
        with pytest.raises(UsageError, match=r"to 10\.1\.2\.3 \(--ray_address\)"):
            asked(model.gold, config_name="3class", backend="ray", ray_address="10.1.2.3:6379", **options)


def test_synthetic_labels_make_no_genuine_text_free(asked, model, corpus, data, tmp_path, monkeypatch):
    # A merge is called synthetic as its labels are; the texts are those of folders without a mark.
    merged = replace(corpus, config_name="3class", name="iemomecp", synthetic=True)
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: merged)
    folder = tmp_path / "data"
    for name in ("labels", "ECPEC", "IEMOCAP"):
        (folder / name).mkdir(parents=True)
    (folder / "SYNTHETIC.txt").touch()
    (folder / "labels" / "SYNTHETIC.txt").touch()
    given = {"config_name": "3class", "data_dir": folder, "cache_dir": None, "limit": 1, "split": "test"}
    with pytest.raises(UsageError, match="licence does not let them go to foreign"):
        asked(model.gold, base_url="http://foreign.example.org/v1", **given)
    asked(model.gold, **given)
    assert '"text"' not in (tmp_path / "run" / "answers.jsonl").read_text(encoding="utf-8")
    for name in ("ECPEC", "IEMOCAP"):
        (folder / name / "SYNTHETIC.txt").touch()
    asked(model.gold, "free", **given)
    assert '"text"' in (tmp_path / "free" / "answers.jsonl").read_text(encoding="utf-8")


def test_roles_emotions_and_explanations_are_runs_too(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "texts_are_synthetic", lambda _: True)
    roles = two_dialogue_corpus(3)
    # Causes of neutral targets cannot be answered.
    rows = {split: [{**row, "utterances": [{**u, "emotion": 1} for u in row["utterances"]],
                     "pairs": [{**pair, "source_pair": False} for pair in row["pairs"]]} for row in of_split]
            for split, of_split in roles.rows.items()}  # fmt: skip
    roles = corpus_of(rows, config_name="3class", emotion_names=("neutral", "joy", "anger"), synthetic=True)
    knows = KnowsGold([one for split in SPLITS for one in dialogues_of(roles, split)], roles=True)
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: roles)
    record, _ = asked(knows.gold, "roles", config_name="3class")
    assert record.metrics["test"]["macro_f1"] == pytest.approx(1, abs=0.1)  # a gold pair is no candidate
    assert record.metrics["test"]["emo_context_f1"] == 1
    assert "text" in json.loads((tmp_path / "roles" / "answers.jsonl").read_text().splitlines()[0])

    plain = {split: [{**row, "pairs": [], "gold_outside_candidates": []} for row in of_split] for split, of_split in
             two_dialogue_corpus(2).rows.items()}  # fmt: skip
    emotions = corpus_of(plain, config_name="meld", emotion_names=("neutral", "joy", "anger"))
    by_text = {one.texts: one for split in SPLITS for one in dialogues_of(emotions, split)}
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: emotions)

    def name_emotions(body):
        return json.dumps({"emotions": by_text[tuple(text for _, text in turns_of(body))].emotions})

    record, _ = asked(name_emotions, "emotions", config_name="meld")
    assert (record.task, record.metrics["test"]["weighted_f1"]) == ("erc", 1)
    record, _ = asked(lambda body: "I do not know.", "nothing", config_name="meld", model="none")
    assert record.extra["language_model"]["utterances_without_an_emotion"] == {"validation": 7, "test": 8}

    explained = corpus_of(explained_dialogues(), config_name="ecem", emotion_names=EMOTIONS)
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: explained)
    record, server = asked(
        lambda body: '{"explanation": "Ann lost."}', "why", config_name="ecem", ask="target", shots=1
    )
    assert (record.task, reading(record)["steps"][BY_SCHEMA]) == ("explanation", 5)
    assert json.loads(server.bodies[0]["messages"][2]["content"])["explanation"].startswith(
        ("The reason is", "Ann feels")
    )
    with pytest.raises(UsageError, match="explanations are not asked by --ask dialogue"):
        asked(lambda body: "", "other", config_name="ecem")


def test_commands_of_the_page_are_accepted(repository):
    text = (repository / "docs" / "language-models.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = [shlex.split(line)[2:] for line in text.splitlines() if line.startswith("python trainers/llm.py")]
    assert len(commands) >= 4
    for arguments in commands:
        read_options(LanguageModelOptions, arguments, command="llm", description=None).check()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"window": 3}, "it goes with --ask pair"),
        ({"price_in": 1.0}, "The cost needs --price_in and --price_out"),
        ({"gguf_file": "m.gguf"}, "--gguf_file is for --backend transformers"),
        ({"shot_encoder": "e"}, "it goes with --shots"),
        ({"offline": True, "max_requests": 1}, "leave --max_requests out"),
        ({"backend": "vllm", "base_url": "http://h/v1"}, "--base_url is for --backend openai"),
        ({"revision": "main"}, "--revision is for models that are loaded"),
        ({"backend": "ray", "base_url": "http://h/v1", "revision": "main"}, "--revision is for models that are loaded"),
        ({"ask": "pair", "max_new_tokens": 3}, "--max_new_tokens limits lists and texts"),
        ({"dtype": "float32"}, "--dtype is for --backend transformers"),
        ({"device": "cpu"}, "--device is for --backend transformers"),
        ({"batch_size": 2}, "--batch_size is for --backend transformers"),
        ({"backend": "transformers", "max_concurrency": 2}, "--max_concurrency is for endpoints"),
        ({"backend": "ray", "timeout": 2.0}, "--timeout is for endpoints"),
        ({"backend": "vllm", "max_retries": 2}, "--max_retries is for endpoints"),
        ({"backend": "transformers", "ask_again": False}, "--no-ask_again is for endpoints"),
        ({"ray_workers": 3}, "--ray_workers is for --backend ray"),
        ({"shot_choice": "random"}, "--shot_choice chooses shots"),
    ],
)
def test_options_that_contradict_each_other_are_one_sentence(data, tmp_path, options, said):
    given = {"data_dir": data, "output_dir": tmp_path / "x", "backend": "openai", "model": "m", **options}
    with pytest.raises(UsageError, match=re.escape(said)):
        LanguageModelOptions(**given).check()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("/path/to/model", "to/model"),
        ("/models/SmolLM2-135M-Instruct/", "SmolLM2-135M-Instruct"),
        ("Qwen/Qwen3-8B", "Qwen3-8B"),
        ("gpt-4o", "gpt-4o"),
        ("./model", "model"),
        ("C:\\llm\\Qwen3", "Qwen3"),
        ("/c/hub/models--org--Tiny-LM/snapshots/0f3a9b", "Tiny-LM"),
    ],
)
def test_a_row_is_called_by_what_tells_the_model(tmp_path, model, name):
    options = LanguageModelOptions(data_dir=tmp_path, model=model, output_dir=tmp_path)
    assert options.row_name == f"{name} dialogue 0-shot"


def test_the_settings_are_the_options_that_are_declared_to_make_another_system(tmp_path):
    options = LanguageModelOptions(data_dir=tmp_path, model="m", output_dir=tmp_path, shots=1)
    declared = {one.name for one in fields(options) if one.metadata["setting"] is True}
    # Of the data the results tell themselves; of the model its identity does.
    data = {"config_name", "split", "limit", "candidates", "meld_root", "seed"}
    of_identity = {"gguf_file", "dtype", "revision"}
    stated = settings_of(options, {"backend": "openai", "model": "m"}, "v")
    assert stated.keys() == declared - data - of_identity


def test_without_structure_the_endpoint_is_asked_in_words_alone(asked, model):
    _, first = asked(model.gold, "one", split="test")
    record, server = asked(model.gold, "two", split="test", structured=False)
    assert (first.n_requests, server.n_requests) == (5, 5)
    assert all("response_format" not in body for body in server.bodies)
    about = record.extra["language_model"]
    assert about["usage"]["structures"] == {"none": 5}
    assert not any("refuses" in note for note in about["notes"])


def test_a_second_look_can_only_leave_pairs_out_and_is_counted(asked, model, corpus):
    def script(body):
        question = body["messages"][-1]["content"].split("\n\n")[-1]
        if "An earlier look" not in question:
            return model.self_and_previous(body)
        target, *proposed = (int(found) for found in re.findall(r"\d+", question.split("are turns")[1]))
        # The last proposed turn is the target itself; 1 may not be proposed, and then cannot be added.
        return json.dumps({"causes": [max(target, *proposed, 0), 1]})

    first, _ = asked(script, "once", split="test")
    record, server = asked(script, "twice", split="test", verify=True)
    proposals = reading(record)["second_look"]
    assert reading(record)["pairs_predicted"] == reading(record)["pairs_kept"] - proposals["pairs_left_out"]
    table = corpus.tables["test"]
    predicted = table.emotional_targets & (table.distances == 0)
    assert server.n_requests == proposals["answers"] == int(predicted.sum())
    assert proposals["pairs_left_out"] > 0
    n_left = reading(record)["pairs_kept"] - proposals["pairs_left_out"]
    # Where turn 1 is the previous one it was proposed, and stays.
    assert int(predicted.sum()) <= n_left <= int(predicted.sum()) + 5
    assert first.settings["verify"] is False
    with pytest.raises(UsageError, match="--verify looks again"):
        asked(script, "other", ask="pair", verify=True)


def test_a_second_look_changes_no_role_and_says_how_often_it_names_another():
    from iemomecp_dataset.trainers.language_model.answers import Reading, ReadPair
    from iemomecp_dataset.trainers.language_model.verifying import _left

    first = Reading(BY_SCHEMA, (ReadPair(3, 1), ReadPair(3, 2, "context"), ReadPair(4, 1), ReadPair(3, 3)))
    second = Reading(BY_SCHEMA, (ReadPair(3, 1, "context"), ReadPair(3, 2, "context")))
    left, differing = _left(first, SimpleNamespace(target=3), second)
    assert (left.pairs, differing) == (first.pairs[:3], 1)
    assert _left(first, SimpleNamespace(target=3), Reading(UNUSABLE)) == (first, 0)


def test_answers_that_may_quote_a_corpus_are_not_in_the_run_folder(asked, model, tmp_path):
    record, _ = asked(lambda body: f"My answer about the train is late: {model.gold(body)}", split="test")
    assert record.metrics["test"]["pair_f1"] == 1
    for path in (tmp_path / "run").glob("*.json*"):
        assert "the train is late" not in path.read_text()


def test_a_pair_without_an_emotion_is_wrong_where_emotions_are_scored(asked, model):
    def script(body):
        return json.dumps({"pairs": [[one["target"], cause] for one in model.records(body) for cause in one["causes"]]})

    record, _ = asked(script, split="test")
    assert record.metrics["test"]["pair_f1"] == 1
    assert [record.extra["triples"]["test"][letter]["pair_f1"] for letter in "CD"] == [0, 0]


def test_latencies_are_those_that_half_and_one_in_twenty_answers_are_slower_than():
    from iemomecp_dataset.trainers.language_model.recording import _usage_record

    sender = SimpleNamespace(attempts=0, sent=0, hits=0, failures={}, seconds=0.0, lost=Usage(), cost=lambda _: None)
    found = _usage_record(Usage(latencies=list(range(101))), sender)
    assert (found["latency_p50"], found["latency_p95"]) == (50, 95)


def test_the_second_question_has_no_shots_before_it(asked, model):
    _, server = asked(model.self_and_previous, split="test", limit=1, shots=1, verify=True, ask_again=False)
    lengths = {len(body["messages"]): body["messages"][-1]["content"] for body in server.bodies}
    assert {n: "An earlier look" in content for n, content in lengths.items()} == {4: False, 2: True}


def test_equal_requests_are_counted_as_often_as_they_are_sent(asked, model, corpus, monkeypatch):
    rows = {**corpus.rows, "test": [corpus.rows["test"][0], {**corpus.rows["test"][0], "dialogue_id": "copy"}]}
    twice = corpus_of(rows, config_name="ecf", emotion_names=corpus.emotion_names)
    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: twice)
    record, server = asked(model.gold, split="test", shots=1, shot_choice="random")
    usage = record.extra["language_model"]["usage"]
    assert (server.n_requests, reading(record)["answers"]) == (1, 2)
    assert (usage["answers"], usage["prompt_tokens"], usage["cached_prompt_tokens"]) == (1, 100, 40)
    chosen = ("base_rates", "shot_choice", "shot_encoder")
    assert {name: record.settings[name] for name in chosen} == {
        "base_rates": True, "shot_choice": "random", "shot_encoder": None}  # fmt: skip


def test_a_run_that_stops_before_it_has_asked_again_is_not_finished(asked):
    counts = [asked(lambda body: "?", max_requests=5, split="test")[0] is None for _ in range(2)]
    assert counts == [True, False]


def test_a_folder_that_a_kill_has_left_unfinished_is_written_again_and_no_other(asked, model, tmp_path):
    asked(model.gold, split="test")
    (tmp_path / "run" / "results.json").unlink()
    record, server = asked(model.gold, split="test")
    assert (record.metrics["test"]["pair_f1"], server.n_requests) == (1, 0)
    (tmp_path / "run" / "results.json").unlink()
    (tmp_path / "run" / "mine.txt").touch()
    with pytest.raises(RunFolderError, match="holds no finished run"):
        asked(model.gold, split="test")
