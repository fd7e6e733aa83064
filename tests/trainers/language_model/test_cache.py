"""The cache: what was answered is not asked again, and anything else in the request misses it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import InvalidDataError, UsageError
from iemomecp_dataset.trainers.language_model.answering import Answer
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.cache import CACHE_FILE, AnswerCache, request_key
from iemomecp_dataset.trainers.language_model.prompts import read_prompt

CORPUS = two_dialogue_corpus(2)
(REQUEST,) = Asking("pairs", "dialogue", read_prompt("pairs"), CORPUS.emotion_names, "System.").requests(
    dialogues_of(CORPUS, "test")[0]
)
IDENTITY, SAMPLING = {"backend": "openai", "model": "m"}, {"temperature": 0.0}


def test_an_answer_comes_back_whole(tmp_path):
    answer = Answer("é {", "length", {"A": -0.1}, 3, 1, 2, 0.5, "json_schema", "m-1", 1, 0)
    with AnswerCache(tmp_path / "c") as cache:
        cache.keep("k", answer)
    with AnswerCache(tmp_path / "c") as cache:
        assert (cache.found(["k", "other"]), len(cache)) == ({"k": answer}, 1)


@pytest.mark.parametrize(
    ("changed", "others"),
    [
        ({"seed": 1}, {}),
        ({"attempt": 1}, {}),
        ({"system": "Another."}, {}),
        ({"examples": (("q", "a"),)}, {}),
        ({"schema": None}, {}),
        ({"schema": {"type": "object"}}, {}),
        ({"labels": ("A",)}, {}),
        ({"most_tokens": 3}, {}),
        ({}, {"identity": {**IDENTITY, "model": "n"}}),
        ({}, {"sampling": {"temperature": 1.0}}),
        ({}, {"prompt_version": "other"}),
    ],
)
def test_whatever_changes_the_request_changes_its_key(changed, others):
    known = {"identity": IDENTITY, "sampling": SAMPLING, "prompt_version": "v"}
    assert request_key(replace(REQUEST, **changed), **{**known, **others}) != request_key(REQUEST, **known)


def test_where_a_request_belongs_does_not_change_its_key():
    known = (IDENTITY, SAMPLING, "v")
    assert request_key(replace(REQUEST, split="validation", dialogue_id="x"), *known) == request_key(REQUEST, *known)


def test_a_file_that_is_no_cache_is_one_sentence(tmp_path):
    (tmp_path / CACHE_FILE).write_text("something else entirely, long enough for a header" * 40)
    with pytest.raises(InvalidDataError, match="is no cache of answers, or damaged"):
        AnswerCache(tmp_path)
    with pytest.raises(UsageError):
        AnswerCache(tmp_path / CACHE_FILE)


def test_a_file_of_another_format_is_refused_and_stays_as_it_is(tmp_path):
    with AnswerCache(tmp_path) as cache:
        cache.keep("k", Answer("x"))
        cache._connection.execute("PRAGMA user_version=7")
    with pytest.raises(InvalidDataError, match="has format 7; this version of iemomecp reads 1"):
        AnswerCache(tmp_path)
    with pytest.raises(InvalidDataError, match="has format 7; this version of iemomecp reads 1"):
        AnswerCache(tmp_path, read_only=True)


def test_a_response_is_kept_as_it_came_beside_what_is_read_of_it(tmp_path):
    with AnswerCache(tmp_path) as cache:
        cache.keep("k", Answer("x", response='{"é": 1}'))
        cache.keep("other", Answer("y"))
        assert cache.found(["k"]) == {"k": Answer("x")}
        rows = cache._connection.execute("SELECT key, response FROM responses").fetchall()
    assert rows == [("k", '{"é": 1}')]


def test_answers_that_were_kept_without_their_server_are_read():
    older = {name: value for name, value in vars(Answer("x")).items() if name not in ("endpoint", "notes", "response")}
    assert Answer.from_json(json.dumps(older)) == Answer("x")


def test_a_process_that_is_killed_loses_none_of_its_answers(tmp_path):
    script = """
        import os, signal, sys
        from pathlib import Path
        from iemomecp_dataset.trainers.language_model.answering import Answer
        from iemomecp_dataset.trainers.language_model.cache import AnswerCache
        cache = AnswerCache(Path(sys.argv[1]))
        for number in range(20):
            cache.keep(str(number), Answer(str(number)))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), os.fspath(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    with AnswerCache(tmp_path) as cache:
        assert [cache.found([str(number)])[str(number)].text for number in range(20)] == list(map(str, range(20)))


def test_an_answer_that_cannot_be_read_is_missing_and_the_others_are_not(tmp_path):
    with AnswerCache(tmp_path) as cache:
        cache.keep("good", Answer("x"))
        cache.keep("bad", Answer("x"))
        cache._connection.execute("UPDATE answers SET answer = '{\"text\": 3}' WHERE key = 'bad'")
        assert cache.found(["good", "bad"]).keys() == {"good"}
        assert (cache.unreadable, len(cache)) == (1, 1)
        cache.keep("bad", Answer("y"))
        assert cache.found(["bad"])["bad"].text == "y"


@pytest.mark.parametrize("killed", [False, True])
def test_reading_alone_changes_nothing_and_finds_what_a_killed_process_wrote(tmp_path, killed):
    cache = AnswerCache(tmp_path / "written")
    cache.keep("k", Answer("x"))
    if not killed:
        cache.close()
    folder = tmp_path / "copied"
    shutil.copytree(tmp_path / "written", folder)
    cache.close()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    with AnswerCache(folder, read_only=True) as found:
        assert found.found(["k", "other"]) == {"k": Answer("x")}
        after = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    assert after == before
    with pytest.raises(UsageError, match="There is no cache of answers"):
        AnswerCache(tmp_path / "none", read_only=True)
    assert not (tmp_path / "none").exists()


def test_the_same_questions_are_asked_by_one_process_at_a_time(tmp_path):
    with AnswerCache(tmp_path) as one, AnswerCache(tmp_path) as other:
        with one.asked("a"):
            with pytest.raises(UsageError, match="Another run is asking the same questions"), other.asked("a"):
                pass
            with other.asked("b"):
                pass
        with other.asked("a"):
            pass
