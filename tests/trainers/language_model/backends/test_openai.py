"""The client of endpoints: structure and its fall-backs, retries, limits and refusals, against a local server."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_model_server import Reply, completion, serving
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import EndpointError, UsageError
from iemomecp_dataset.trainers.language_model.answering import Answer, Failure, label_probabilities
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.cache import AnswerCache
from iemomecp_dataset.trainers.language_model.prompts import read_prompt
from iemomecp_dataset.trainers.language_model.sending import Prices, Sender, Usage

pytest.importorskip("openai")

from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint

CORPUS = two_dialogue_corpus(2)
DIALOGUES = dialogues_of(CORPUS, "test")


def requests(ask="target"):
    made = Asking("pairs", ask, read_prompt("pairs"), CORPUS.emotion_names, "System.")
    return [request for dialogue in DIALOGUES for request in made.requests(dialogue)]


REQUESTS = {kind: requests(kind)[0] for kind in ("target", "pair")}


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
    with pytest.raises(EndpointError, match=r"Nothing answers at 127\.0\.0\.1:\d+ \("):
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


@pytest.mark.parametrize("ending", ["content_filter", "refusal"])
def test_an_answer_that_is_refused_has_no_log_probabilities_and_tells_nothing_of_the_others(ending):
    def script(body):
        if "turn 1," not in body["messages"][-1]["content"].split("\n\n")[-1]:
            return Reply("A", tokens={"A": -0.5})
        return Reply(refusal="No.") if ending == "refusal" else Reply("", finish_reason=ending)

    with serving(script) as server:
        found, _ = ask(server, requests("pair"))
    endings = [one.finish_reason for one in found]
    assert {one.first_tokens is None for one in found if one.finish_reason == ending} == {True}
    assert {one.first_tokens is None for one in found if one.finish_reason != ending} == {False}
    assert 0 < endings.count(ending) < len(endings)


def test_an_answer_of_the_cache_shows_that_the_endpoint_gives_log_probabilities(tmp_path):
    first, second = requests("pair")[:2]
    with AnswerCache(tmp_path) as cache:
        for script in (lambda body: Reply("A", tokens={"A": -0.5}), lambda body: "A"):
            with serving(script) as server:
                sender = Sender(OpenAIEndpoint("scripted", base_url=server.url), cache, "v")
                answers = sender.answers([first] if not len(cache) else [first, second])
    # One that lacks them is asked for again next time; the run can give up on it.
    assert [answer is None for answer in answers] == [False, True]
    assert sender.failures == {"no valid answer": 1}


def test_nothing_of_what_a_server_says_is_shown_where_texts_may_not_be():
    def script(body):
        text = body["messages"][-1]["content"]
        if "turn 1," in text:
            return Reply(status=418, error=text)
        if "turn 2," in text:
            return Reply(body=text.encode())
        if "turn 3," in text:
            return Reply(body=response(message=text))
        return Reply("{}", served=text, finish_reason=text)

    texts = [text for one in DIALOGUES for text in one.texts]
    with serving(script) as server:
        found, _ = ask(server, requests(), shows_texts=False)
        shown, _ = ask(server, requests())
    told = [one.message if isinstance(one, Failure) else one.served + one.finish_reason for one in found]
    assert told[:3] == ["APIStatusError", "the response is no valid JSON: bytes", "UnexpectedError"]
    names = [one.served + one.finish_reason for one in found if isinstance(one, Answer)]
    assert names
    assert all(one.startswith("a name with the hash ") and one.endswith("other") for one in names)
    assert not any(text in one for text in texts for one in told)
    assert max(len(one.served) for one in shown if isinstance(one, Answer)) == 80
    with serving(lambda body: Reply(status=404, error="secret text")) as server, pytest.raises(EndpointError) as error:
        ask(server, requests()[:1], shows_texts=False)
    assert "status 404" in str(error.value)
    assert "secret text" not in str(error.value)


def test_a_redirection_is_said_to_be_one_and_not_followed():
    with serving(lambda body: "{}") as other:
        reply = Reply(status=307, headers={"Location": f"{other.url}/chat/completions"})
        with serving(lambda body: reply) as server:
            (found,), _ = ask(server, requests()[:1])
        assert (found.kind, server.n_requests, other.n_requests) == ("redirected with status 307", 1, 0)
    assert "redirections are not followed" in found.message


def test_a_wait_that_is_longer_than_the_client_waits_is_said():
    with serving(lambda body: Reply(status=429, error="later", headers={"retry-after": "3600"})) as server:
        (found,), _ = ask(server, requests()[:1])
    assert "asks to wait 3600 s" in found.message
    assert server.n_requests == 1


def test_other_words_for_an_ending_and_parts_of_a_text_are_read():
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "{"}, {"type": "text", "text": "}"}]
    with serving(lambda body: Reply(body=response(content=parts, finish_reason="max_tokens"))) as server:
        (found,), _ = ask(server, requests()[:1])
    assert (found.text, found.finish_reason) == ("{}", "length")


def test_a_proxy_of_the_environment_does_not_get_what_is_for_this_machine(monkeypatch):
    with serving(lambda body: Reply(status=500, error="the proxy")) as proxy, serving(lambda body: "{}") as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        found, _ = ask(server, requests()[:2])
    assert proxy.n_requests == 0
    assert [answer.text for answer in found] == ["{}", "{}"]


def test_another_machine_needs_a_key_once_something_is_sent():
    endpoint = OpenAIEndpoint("gpt")
    with pytest.raises(UsageError, match="no OPENAI_API_KEY, which api"):
        endpoint.answer(requests()[:1], lambda number, answer: None)


def response(**changes):
    """A whole response as bytes, with some fields of it changed."""
    content = completion(Reply("A", tokens={"A": -0.5}), {"logprobs": True})
    choice = content["choices"][0]
    for name, value in changes.items():
        place = {"content": choice["message"], "refusal": choice["message"], "message": choice, "finish_reason": choice,
                 "logprobs": choice}.get(name, content)  # fmt: skip
        place[name] = value
    return json.dumps(content).encode()


def position(**changes):
    token = {"token": "A", "logprob": -0.5}
    return response(logprobs={"content": [{**token, "top_logprobs": [token], **changes}]})


MALFORMED = (
    b'{"choices": [{"mess', b"", b"<html>busy</html>", b"\xff\xfe\x00", b"[" * 100_000, b"null", b"[]", b"{}",
    *(response(choices=choices) for choices in ([], {}, ["A"], None)),
    *(response(message=message) for message in (None, "A")),
    *(response(usage=usage) for usage in ("12", {"prompt_tokens_details": 3})),
    *(response(usage={"prompt_tokens": count}) for count in ("12", 10.5, -1, True, 10**30)),
    *(response(content=content) for content in (["A"], {}, "\ud83d")),
    response(refusal={}), response(finish_reason=3), response(model=7),
)  # fmt: skip
MALFORMED_LOGPROBS = (
    *(response(logprobs=found) for found in ("A", {"content": "A"}, {"content": [None]})),
    *(position(logprob=value) for value in (None, math.nan, 0.5, True, "0")),
    *(position(top_logprobs=listed) for listed in ("A", [None], [{}], [{"token": "\ud83d", "logprob": -1}])),
)


def numbered(one, n):
    return [replace(one, ask=f"{number} {one.ask}") for number in range(n)]


def test_a_malformed_response_is_a_failure_and_the_others_are_answered(tmp_path):
    bodies = (*MALFORMED, *MALFORMED_LOGPROBS)
    asked = numbered(requests("pair")[0], 2 * len(bodies))

    def script(body):
        number = int(body["messages"][-1]["content"].split("\n\n")[-1].split()[0])
        # Good ones come first and in between.
        return Reply("A", tokens={"A": -0.5}) if number % 2 == 0 else Reply(body=bodies[number // 2])

    with serving(script) as server, AnswerCache(tmp_path) as cache:
        endpoint = OpenAIEndpoint("scripted", base_url=server.url, max_concurrency=1, max_retries=0)
        sender = Sender(endpoint, cache, "v")
        answers = sender.answers(asked)
        assert [answer is not None for answer in answers] == [True, False] * len(bodies)
        assert sender.failures == {"no valid answer": len(bodies)}
        assert (sender.attempts, sender.sent, sender.left) == (2 * len(bodies), len(bodies), 0)
        # What is kept can be read.
        assert cache.found([sender.key(one) for one in asked]).keys() == {sender.key(one) for one in asked[::2]}
        assert cache.unreadable == 0
    assert server.n_requests == len(asked)


WHOLE = response(content="B", logprobs={"content": [{"token": "B", "logprob": -1, "top_logprobs": []}]})
DAMAGED = st.tuples(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=4)).map(
    lambda cut: WHOLE[: min(cut[:2])] + cut[2] + WHOLE[max(cut[:2]) :]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["content", "token"]), inner, max_size=2)
    ),
)
FIELDS = ("choices", "message", "content", "refusal", "finish_reason", "usage", "model", "logprobs")
CHANGED = st.tuples(st.sampled_from(FIELDS), VALUES).map(lambda one: response(**{one[0]: one[1]}))
BODIES = st.binary(max_size=30) | DAMAGED | CHANGED


@settings(max_examples=150, deadline=None)
@given(body=BODIES, kind=st.sampled_from(["target", "pair"]))
def test_any_bytes_are_read_as_an_answer_that_can_be_kept_or_as_a_failure(body, kind):
    endpoint = OpenAIEndpoint("scripted", base_url="http://127.0.0.1:1/v1", decisions_only=True)
    found = endpoint._read(body, REQUESTS[kind], 0.5, "none", 0)
    if isinstance(found, Answer):
        assert repr(Answer.from_json(found.to_json().encode().decode())) == repr(found)
    else:
        assert found.kind == "no valid answer"


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 302, 400, 429, 500])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
def test_any_bytes_of_a_server_are_an_answer_or_a_failure(status, body, bytes_server):
    server, replies = bytes_server
    replies[:] = [Reply(status=status, body=body)]
    found, endpoint = ask(server, requests()[:2], max_retries=0)
    assert all(isinstance(one, Answer | Failure) for one in found)
    assert endpoint.attempts >= 2


@pytest.fixture(scope="module", name="bytes_server")
def fixture_bytes_server():
    replies = [Reply()]
    with serving(lambda body: replies[0]) as server:
        yield server, replies


def test_what_is_no_gzip_or_of_no_charset_is_a_failure():
    for headers in ({"Content-Encoding": "gzip"}, {"Content-Type": "application/json; charset=none"}):
        for status in (200, 500):
            with serving(lambda body, h=headers, s=status: Reply("{}", status=s, headers=h)) as server:
                found, _ = ask(server, requests()[:2], max_retries=0)
            assert all(isinstance(one, Answer | Failure) for one in found)


def test_log_probabilities_that_are_not_listed_are_none():
    with serving(lambda body: Reply(body=position(top_logprobs=None))) as server:
        with pytest.raises(EndpointError, match="gives no log-probabilities"):
            ask(server, requests("pair")[:1])
        (found,), _ = ask(server, requests("pair")[:1], decisions_only=True)
    assert found.first_tokens is None


def test_tokens_of_one_text_have_the_probability_of_all_of_them():
    twice = [{"token": "\ufffd", "logprob": math.log(0.25)}, {"token": "\ufffd", "logprob": math.log(0.5)}]
    body = position(top_logprobs=[*twice, {"token": "A", "logprob": math.log(0.125)}], logprob=math.log(0.125))
    with serving(lambda _: Reply(body=body)) as server:
        (found,), _ = ask(server, requests("pair")[:1])
    assert found.first_tokens == {"\ufffd": pytest.approx(math.log(0.75)), "A": pytest.approx(math.log(0.125))}


def test_a_token_that_cannot_come_has_no_probability():
    body = position(top_logprobs=[{"token": "B", "logprob": -math.inf}, {"token": "B", "logprob": -math.inf}])
    with serving(lambda _: Reply(body=body)) as server:
        (found,), _ = ask(server, requests("pair")[:1])
    assert found.first_tokens == {"B": -math.inf, "A": -0.5}


def test_the_response_is_kept_whole_without_the_key_and_is_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-mine-123")
    with serving(lambda body: Reply("sk-of-mine-123", served="é")) as server, AnswerCache(tmp_path) as cache:
        (found,) = Sender(OpenAIEndpoint("scripted", base_url=server.url), cache, "v").answers(requests()[:1])
        ((kept,),) = cache._connection.execute("SELECT response FROM responses").fetchall()
    assert found.response == ""
    content = json.loads(kept)
    assert content["choices"][0]["message"]["content"] == found.text == "(key)"
    assert (content["model"], content["system_fingerprint"]) == ("é", "fp")


def test_tokens_of_responses_that_are_no_answers_and_hits_are_counted(tmp_path):
    one, other = requests()[:2]

    def script(body):
        good = "turn 1," in body["messages"][-1]["content"].split("\n\n")[-1]
        return "{}" if good else Reply(body=response(message=None))

    with serving(script) as server, AnswerCache(tmp_path) as cache:
        sender = Sender(OpenAIEndpoint("scripted", base_url=server.url), cache, "v", prices=Prices(1e6, 1e4))
        sender.answers([one, other])
        assert (sender.lost.prompt_tokens, sender.lost.completion_tokens) == (100, 10)
        assert sender.cost(Usage(prompt_tokens=1, completion_tokens=3)) == pytest.approx(101 + 0.13)
        assert (sender.hits, sender.sent) == (0, 1)
        # Two questions of the same words are two answers of the cache.
        sender.answers([one, replace(one, dialogue_id="another"), other])
        assert (sender.hits, sender.sent, sender.attempts) == (2, 1, 3)


def test_a_full_disk_is_one_sentence(tmp_path):
    asked = numbered(requests()[0], 40)
    with serving(lambda body: "x" * 20_000) as server, AnswerCache(tmp_path) as cache:
        cache._connection.execute("PRAGMA max_page_count=40")
        sender = Sender(OpenAIEndpoint("scripted", base_url=server.url), cache, "v")
        with pytest.raises(UsageError, match=r"the cache cannot be used \(database or disk is full\)"):
            sender.answers(asked)
        assert sender.attempts < 40


def test_neither_key_nor_password_is_shown_or_kept(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-mine-123")

    def script(body):
        if "turn 1," in body["messages"][-1]["content"]:
            return Reply("I saw sk-of-mine-123", served="model for sk-of-mine-123")
        return Reply(status=418, error="no teapot for sk-of-mine-123 and hidden-word")

    with serving(script) as server:
        url = server.url.replace("://", "://ann:hidden-word@")
        endpoint = OpenAIEndpoint("scripted", base_url=url)
        found = []
        endpoint.answer(requests()[:2], lambda number, answer: found.append(answer))
        assert {type(one) for one in found} == {Answer, Failure}
        assert "sk-of-mine" not in repr(found)
        assert "hidden-word" not in repr(found)
        assert "(key)" in repr(found)
    with pytest.raises(EndpointError) as error:
        OpenAIEndpoint("scripted", base_url=url, max_retries=0).answer(requests()[:1], lambda *_: None)
    assert "hidden-word" not in str(error.value)
    refusing = serving(lambda body: Reply(status=401, error="wrong key sk-of-mine-123"))
    with refusing as server, pytest.raises(EndpointError, match=r"wrong key \(key\)") as error:
        ask(server, requests()[:1])
    assert "sk-of-mine" not in str(error.value)


def test_a_word_that_stands_for_no_key_stays_in_answers(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    with serving(lambda body: "EMPTY") as server:
        (found,), _ = ask(server, requests()[:1])
    assert found.text == "EMPTY"


def test_a_proxy_of_the_environment_is_used_for_others_and_left_where_it_is_excepted(monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-mine-123")
    with serving(lambda body: '{"from": "the proxy"}') as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        endpoint = OpenAIEndpoint("scripted", base_url="http://gpu.invalid:1/v1", max_retries=0)
        found = []
        endpoint.answer(requests()[:1], lambda number, answer: found.append(answer))
        assert [answer.text for answer in found] == ['{"from": "the proxy"}']
        monkeypatch.setenv("no_proxy", "gpu.invalid")
        with pytest.raises(EndpointError, match=r"Nothing answers at gpu\.invalid:1"):
            OpenAIEndpoint("scripted", base_url="http://gpu.invalid:1/v1", max_retries=0).answer(
                requests()[:1], lambda *_: None
            )
    assert proxy.n_requests == 1


@pytest.mark.parametrize("n", [1, 2, 5])
def test_no_more_is_sent_than_may_be(n):
    with serving(lambda body: Reply(status=500, error="broken")) as server:
        endpoint = OpenAIEndpoint("scripted", base_url=server.url, max_concurrency=4)
        endpoint.most_attempts = n
        found = []
        endpoint.answer(requests()[:6], lambda number, answer: found.append(answer.kind))
    assert server.n_requests == endpoint.attempts == n
    assert len(found) <= n


def test_labels_outside_the_listed_tokens_are_censored():
    found = label_probabilities({"The": -0.1, "A": -3.0, "So": -6.0}, ["A", "B"])
    assert found.censored == 1
    assert found.probabilities[0] == pytest.approx(1 / (1 + 2.718281828**-3))
    assert found.outside == pytest.approx(1 - 2.718281828**-3)
    assert label_probabilities({"The": -0.1}, ["A", "B"]) is None
