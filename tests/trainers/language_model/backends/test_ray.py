"""Workers of Ray Data have the answers, counts and cache keys of the client that each of them has."""

from __future__ import annotations

import pickle

import pytest
from language_model_server import Reply, serving
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import EndpointError
from iemomecp_dataset.trainers.language_model.answering import Failure
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.prompts import read_prompt

pytest.importorskip("ray")
pytest.importorskip("openai")

from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint
from iemomecp_dataset.trainers.language_model.backends.ray import RayWorkers, _Worker
from iemomecp_dataset.trainers.language_model.backends.vllm import VllmModel

CORPUS = two_dialogue_corpus(2)


def requests():
    made = Asking("pairs", "target", read_prompt("pairs"), CORPUS.emotion_names, "System.")
    return [request for dialogue in dialogues_of(CORPUS, "test") for request in made.requests(dialogue)]


def script(body):
    text = body["messages"][-1]["content"]
    if "response_format" in body and body["response_format"]["type"] == "json_schema":
        return Reply(status=400, error="response_format json_schema is not supported")
    return Reply(status=418, error="a teapot") if "in turn 3," in text else text


@pytest.mark.slow
def test_workers_give_every_request_its_answer_and_failures_and_notes_come_back():
    asked = requests()
    with serving(script) as server:
        workers = RayWorkers({"model": "m", "base_url": server.url}, engine="openai", workers=2)
        found = [None] * len(asked)
        workers.most_attempts = 20 * len(asked)
        workers.answer(asked, found.__setitem__)
    assert workers.attempts == server.n_requests
    for one, answer in zip(asked, found, strict=True):
        if one.target == 3:
            assert isinstance(answer, Failure)
            assert answer.kind == "status 418"
        else:
            assert answer.text == one.messages[-1]["content"]
            assert answer.structure == "json_object"
    assert len(workers.notes) == 1


def test_its_cache_is_that_of_its_workers():
    options = {"model": "m", "base_url": "http://127.0.0.1:1/v1"}
    workers, client = RayWorkers(options, engine="openai"), OpenAIEndpoint(**options)
    assert (workers.identity, workers.sampling) == (client.identity, client.sampling)
    engines = RayWorkers({"name": "n", "revision": None, "structured": True}, engine="vllm")
    assert engines.identity == VllmModel.identity_of("n", None)


def batch_of(asked):
    return {"number": [4, 7, 9][: len(asked)], "request": [pickle.dumps(one) for one in asked]}


def handed_over(workers, given):
    found = {}
    for values in zip(*given.values(), strict=True):
        workers._hand_over(dict(zip(given, values, strict=True)), found.__setitem__)
    return found


def test_what_is_wrong_for_all_requests_ends_everything_after_the_answers_before_it():
    with serving(lambda body: Reply(status=404, error="no such model")) as server:
        given = _Worker("openai", {"model": "m", "base_url": server.url})(batch_of(requests()[:2]))
    assert given["kind"] == ["batch", "fatal"]
    workers = RayWorkers({"model": "m", "base_url": "http://127.0.0.1:1/v1"}, engine="openai")
    with pytest.raises(EndpointError, match="status 404 for the model 'm'"):
        handed_over(workers, given)
    # The second may have been on its way when the first was refused.
    assert server.n_requests <= workers.attempts <= 2


def test_attempts_failures_and_their_tokens_come_back():
    usage = b'{"usage": {"prompt_tokens": 7, "completion_tokens": 2}, "choices": []}'

    def bad(body):
        if "in turn 2," in body["messages"][-1]["content"]:
            return Reply(status=500, error="later", headers={"retry-after": "0.001"})
        return Reply(body=usage)

    with serving(bad) as server:
        worker = _Worker("openai", {"model": "m", "base_url": server.url, "max_retries": 2})
        given = worker(batch_of(requests()[:2]))
    workers = RayWorkers({"model": "m", "base_url": "http://127.0.0.1:1/v1"}, engine="openai")
    found = handed_over(workers, given)
    assert (found[4].kind, found[4].prompt_tokens, found[4].completion_tokens) == ("no valid answer", 7, 2)
    assert found[7].kind == "status 500"
    assert workers.attempts == server.n_requests == 4


def test_a_worker_sends_no_more_than_its_share():
    with serving(lambda body: Reply(status=500, error="later", headers={"retry-after": "0.001"})) as server:
        worker = _Worker("openai", {"model": "m", "base_url": server.url}, 2)
        given = worker(batch_of(requests()[:2]))
        worker(batch_of(requests()[:1]))
    assert server.n_requests == 4 + 2
    workers = RayWorkers({"model": "m", "base_url": "http://127.0.0.1:1/v1"}, engine="openai")
    assert set(handed_over(workers, given)) <= {4, 7}
    assert workers.attempts == 4
