"""The client of endpoints: structure and its fall-backs, retries, limits and refusals, against a local server."""

from __future__ import annotations

import pytest
from language_model_server import Reply, serving
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import EndpointError, UsageError
from iemomecp_dataset.trainers.language_model.answering import Answer, Failure, label_probabilities
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.prompts import read_prompt

pytest.importorskip("openai")

from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint

CORPUS = two_dialogue_corpus(2)
DIALOGUES = dialogues_of(CORPUS, "test")


def requests(ask="target"):
    made = Asking("pairs", ask, read_prompt("pairs"), CORPUS.emotion_names, "System.")
    return [request for dialogue in DIALOGUES for request in made.requests(dialogue)]


def ask(server, asked, **options):
    endpoint = OpenAIEndpoint("scripted", base_url=server.url, max_concurrency=4, **options)
    found = [None] * len(asked)
    endpoint.answer(asked, found.__setitem__)
    return found, endpoint


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_an_answer_has_its_text_tokens_and_server():
    with serving(lambda body: "{}") as server:
        (found, *_), _ = ask(server, requests())
    assert isinstance(found, Answer)
    assert (found.text, found.finish_reason, found.structure) == ("{}", "stop", "json_schema")
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens) == (100, 40, 10)
    assert found.served == "scripted-1 fp"
    body = server.bodies[0]
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    ("refused", "used"), [(("json_schema",), "json_object"), (("json_schema", "json_object"), "none")]
)
def test_what_the_endpoint_refuses_is_left_out_and_said(refused, used):
    def script(body):
        kind = body.get("response_format", {}).get("type", "none")
        return Reply(status=400, error=f"response_format {kind} is not supported") if kind in refused else "{}"

    with serving(script) as server:
        found, endpoint = ask(server, requests())
    assert {answer.structure for answer in found} == {used}
    assert len(endpoint.notes) == len(refused)
    assert "refuses json_schema" in endpoint.notes[0]


def test_temperature_and_seed_are_left_out_where_they_are_refused():
    def script(body):
        for name in ("temperature", "seed"):
            if name in body:
                return Reply(status=400, error=f"Unsupported value: '{name}'")
        return (
            Reply(status=400, error="Use 'max_completion_tokens' instead of 'max_tokens'.")
            if "max_tokens" in body
            else "{}"
        )

    with serving(script) as server:
        found, endpoint = ask(server, requests())
    assert all(isinstance(answer, Answer) for answer in found)
    assert len(endpoint.notes) == 2


@pytest.mark.parametrize("status", [429, 500])
def test_limits_and_errors_of_the_server_are_tried_again(status):
    met = []

    def script(body):
        met.append(1)
        return Reply(status=status, error="later", headers={"retry-after": "0.01"}) if len(met) <= 2 else "{}"

    asked = requests()[:1]
    with serving(script) as server:
        (found,), _ = ask(server, asked)
    assert (found.text, found.retries) == ("{}", 2)
    assert (server.n_requests, server.retried) == (3, 2)


def test_a_request_that_stays_without_an_answer_fails_and_the_others_do_not():
    def script(body):
        text = body["messages"][-1]["content"]
        if "turn 2," in text:
            return Reply(status=500, error="broken")
        return Reply(seconds=2) if "turn 3," in text else "{}"

    with serving(script) as server:
        found, _ = ask(server, requests()[:5], max_retries=1, timeout=0.3)
    kinds = [answer.kind if isinstance(answer, Failure) else "" for answer in found]
    assert kinds == ["", "status 500", "timed out", "", ""]


def test_an_unknown_model_and_a_server_that_is_not_there_end_everything():
    with (
        serving(lambda body: Reply(status=404, error="no such model")) as server,
        pytest.raises(EndpointError) as error,
    ):
        ask(server, requests())
    assert "status 404 for the model 'scripted'" in str(error.value)
    assert server.n_requests <= 4
    with pytest.raises(EndpointError, match="Nothing answers at http://127"):
        ask(server, requests(), max_retries=0)


def test_the_first_token_has_log_probabilities_where_letters_are_asked_for():
    with serving(lambda body: Reply("A", tokens={"A": -0.5, "B": -1.5, "The": -2.5})) as server:
        (found, *_), _ = ask(server, requests("pair"))
    assert found.first_tokens == {"A": -0.5, "B": -1.5, "The": -2.5}
    assert server.bodies[0]["top_logprobs"] == 20
    assert "response_format" not in server.bodies[0]


@pytest.mark.parametrize("how", ["left out", "refused"])
def test_pairs_without_log_probabilities_are_refused_unless_decisions_do(how):
    def script(body):
        refused = how == "refused" and body.get("logprobs")
        return Reply(status=400, error="logprobs are not supported") if refused else "B"

    with serving(script) as server:
        with pytest.raises(EndpointError, match="gives no log-probabilities of 'scripted'"):
            ask(server, requests("pair"))
        found, endpoint = ask(server, requests("pair"), decisions_only=True)
    assert {(answer.text, answer.first_tokens) for answer in found} == {("B", None)}
    assert endpoint.notes == (
        "The endpoint gives no log-probabilities; pairs are decided by the letter that is written.",
    )


def test_a_refusal_is_told():
    with serving(lambda body: Reply(refusal="I cannot.")) as server:
        (found, *_), _ = ask(server, requests())
    assert (found.text, found.finish_reason) == ("I cannot.", "refusal")


def test_a_proxy_of_the_environment_does_not_get_what_is_for_this_machine(monkeypatch):
    with serving(lambda body: Reply(status=500, error="the proxy")) as proxy, serving(lambda body: "{}") as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        found, _ = ask(server, requests()[:2])
    assert proxy.n_requests == 0
    assert [answer.text for answer in found] == ["{}", "{}"]


def test_another_machine_needs_a_key():
    with pytest.raises(UsageError, match="no OPENAI_API_KEY, which api"):
        OpenAIEndpoint("gpt")


def test_labels_outside_the_listed_tokens_are_censored():
    found = label_probabilities({"The": -0.1, "A": -3.0, "So": -6.0}, ["A", "B"])
    assert found.censored == 1
    assert found.probabilities[0] == pytest.approx(1 / (1 + 2.718281828**-3))
    assert found.outside == pytest.approx(1 - 2.718281828**-3)
    assert label_probabilities({"The": -0.1}, ["A", "B"]) is None
