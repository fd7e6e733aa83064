"""The adapter of vLLM, against a stand-in with the names of its version 0.33; and what is said without it."""

from __future__ import annotations

import math
import sys
import types
from types import SimpleNamespace

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import EndpointError, MissingDependencyError
from iemomecp_dataset.trainers.language_model.answering import Failure, label_probabilities
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.backends.vllm import VllmModel
from iemomecp_dataset.trainers.language_model.prompts import read_prompt

CORPUS = two_dialogue_corpus(2)


def requests(ask, shots=()):
    made = Asking("pairs", ask, read_prompt("pairs"), CORPUS.emotion_names, "System.")
    return [request for dialogue in dialogues_of(CORPUS, "test") for request in made.requests(dialogue, shots)]


def answers(asked):
    found = [None] * len(asked)
    VllmModel("some/model").answer(asked, found.__setitem__)
    return found


@pytest.fixture(name="stand_in")
def fixture_stand_in(monkeypatch):
    given = SimpleNamespace(options=None, chats=[], refuses=None, template=None)

    class Recorded(SimpleNamespace):
        pass

    class LLM:
        def __init__(self, **options):
            given.options = options

        def chat(self, messages, sampling_params=None, use_tqdm=True, *, chat_template_kwargs=None):
            params = sampling_params
            given.chats.append((messages, params))
            given.template = chat_template_kwargs
            if given.refuses is not None:
                given.refuses(messages)
            tokens = [
                {
                    5: SimpleNamespace(decoded_token="A", logprob=math.log(0.5)),
                    7: SimpleNamespace(decoded_token="A", logprob=math.log(0.2)),
                    9: SimpleNamespace(decoded_token="B", logprob=math.log(0.1)),
                }
            ]
            return [
                SimpleNamespace(
                    prompt_token_ids=[1] * 7, num_cached_tokens=4,
                    outputs=[SimpleNamespace(text="{}", finish_reason="stop", token_ids=[1, 2],
                                             logprobs=tokens if one.logprobs else None)],
                )
                for one in params
            ]  # fmt: skip

    package, params = types.ModuleType("vllm"), types.ModuleType("vllm.sampling_params")
    package.LLM, package.SamplingParams, params.StructuredOutputsParams = LLM, Recorded, Recorded
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", params)
    return given


@pytest.mark.parametrize("ask", ["dialogue", "pair"])
def test_all_requests_are_given_at_once_with_their_form(stand_in, ask):
    asked = requests(ask)
    found = answers(asked)
    ((messages, params),) = stand_in.chats
    assert len(messages) == len(params) == len(asked)
    assert stand_in.options["enable_prefix_caching"] is True
    assert stand_in.template == {"enable_thinking": False}
    assert params[0].temperature == 0
    assert (found[0].prompt_tokens, found[0].cached_tokens, found[0].completion_tokens) == (7, 4, 2)
    if ask == "dialogue":
        assert params[0].structured_outputs.json["properties"]["records"]["maxItems"] == 32
        assert (found[0].structure, found[0].first_tokens) == ("grammar", None)
    else:
        assert params[0].structured_outputs is None
        assert (params[0].logprobs, params[0].max_tokens) == (20, 1)
        read = label_probabilities(found[0].first_tokens, ("A", "B"))
        assert read.probabilities == pytest.approx((7 / 8, 1 / 8))
        assert (read.outside, read.censored) == (pytest.approx(0.2), 0)


def test_a_request_that_is_too_long_loses_its_shots_or_fails_alone(stand_in):
    train = dialogues_of(CORPUS, "train")
    asked = requests("target", train)
    longest = max(asked, key=lambda one: len(one.shown))
    too_long = len(longest.messages) - 1

    def refuse(messages):
        if any(len(one) >= too_long for one in messages):
            raise ValueError("The prompt is longer than the maximum model length.\nMore.")

    stand_in.refuses = refuse
    found = answers(asked)
    assert {one.left_out for one in found} == {1}

    def refuse_one(messages):
        if any(asked[3].ask in one[-1]["content"] for one in messages):
            raise ValueError("The prompt is longer than the maximum model length.\nMore.")

    stand_in.refuses = refuse_one
    found = answers(asked)
    refused = {number for number, one in enumerate(found) if isinstance(one, Failure)}
    assert refused == {number for number, one in enumerate(asked) if one.ask == asked[3].ask}
    assert found[3].message == f"{asked[3].name}: The prompt is longer than the maximum model length."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TypeError("unexpected keyword"), "is not the one that is known"),
        (RuntimeError("engine died"), "has stopped: engine"),
    ],
)
def test_an_engine_that_cannot_go_on_is_one_sentence(stand_in, error, said):
    def fail(_):
        raise error

    stand_in.refuses = fail
    with pytest.raises(EndpointError, match=said):
        answers(requests("target"))


def test_a_model_that_cannot_be_loaded_is_one_sentence(stand_in, monkeypatch):
    def no_memory(self, **options):
        raise ValueError("Free memory on device is less than desired.\nMore.")

    monkeypatch.setattr(sys.modules["vllm"].LLM, "__init__", no_memory)
    with pytest.raises(
        EndpointError, match=r"cannot start with some/model: Free memory on device is less than desired\.$"
    ):
        VllmModel("some/model")


def test_without_vllm_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match=r"needs vLLM 0\.12 or later .* use --backend openai"):
        VllmModel("some/model")
