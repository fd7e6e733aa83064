"""The adapter of vLLM, against a stand-in with the names of its version 0.33; and what is said without it."""

from __future__ import annotations

import sys
import types
from types import SimpleNamespace

import pytest
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import MissingDependencyError
from iemomecp_dataset.trainers.language_model.answering import label_probabilities
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.backends.vllm import VllmModel
from iemomecp_dataset.trainers.language_model.prompts import read_prompt

CORPUS = two_dialogue_corpus(2)


def requests(ask):
    made = Asking("pairs", ask, read_prompt("pairs"), CORPUS.emotion_names, "System.")
    return [request for dialogue in dialogues_of(CORPUS, "test") for request in made.requests(dialogue)]


@pytest.fixture(name="stand_in")
def fixture_stand_in(monkeypatch):
    given = SimpleNamespace(options=None, chats=[])

    class Recorded(SimpleNamespace):
        pass

    class LLM:
        def __init__(self, **options):
            given.options = options

        def chat(self, messages, params, use_tqdm):
            given.chats.append((messages, params))
            tokens = [
                {
                    5: SimpleNamespace(decoded_token="A", logprob=-0.2),
                    9: SimpleNamespace(decoded_token="B", logprob=-2.0),
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
    found = [None] * len(asked)
    VllmModel("some/model").answer(asked, found.__setitem__)
    ((messages, params),) = stand_in.chats
    assert len(messages) == len(params) == len(asked)
    assert stand_in.options["enable_prefix_caching"] is True
    assert (found[0].prompt_tokens, found[0].cached_tokens, found[0].completion_tokens) == (7, 4, 2)
    if ask == "dialogue":
        assert params[0].structured_outputs.json["properties"]["records"]["maxItems"] == 32
        assert (found[0].structure, found[0].first_tokens) == ("grammar", None)
    else:
        assert params[0].structured_outputs is None
        assert label_probabilities(found[0].first_tokens, ("A", "B")).censored == 0


def test_without_vllm_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(MissingDependencyError, match=r"needs vLLM 0\.12 or later .* use --backend openai"):
        VllmModel("some/model")
