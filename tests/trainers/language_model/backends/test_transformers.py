"""A model in this process: every answer has its form, and letters have the probabilities of a plain forward pass."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from tiny_chat_model import chat_tokenizer, saved_chat_model
from tiny_language_model import word_tokenizer
from two_dialogues import two_dialogue_corpus

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.language_model.answering import Failure, label_probabilities
from iemomecp_dataset.trainers.language_model.asking import Asking, dialogues_of
from iemomecp_dataset.trainers.language_model.prompts import read_prompt
from iemomecp_dataset.trainers.language_model.schemas import fits

pytest.importorskip("xgrammar")

from iemomecp_dataset.trainers.language_model.backends.transformers import LocalModel

CORPUS = two_dialogue_corpus(2)
TRAIN, TEST = dialogues_of(CORPUS, "train"), dialogues_of(CORPUS, "test")


@pytest.fixture(scope="module", name="folder")
def fixture_folder(tmp_path_factory):
    return str(saved_chat_model(tmp_path_factory.mktemp("chat")))


def requests(ask, shots=(), **options):
    made = Asking("pairs", ask, read_prompt("pairs"), CORPUS.emotion_names, "System.", **options)
    return [request for dialogue in TEST for request in made.requests(dialogue, shots)]


def answers(model, asked):
    found = [None] * len(asked)
    model.answer(asked, found.__setitem__)
    return found


def test_every_answer_of_a_random_model_has_its_form_or_is_cut_off(folder):
    asked = requests("target", most_tokens=96)
    found = answers(LocalModel(folder, batch_size=3), asked)
    assert {answer.structure for answer in found} == {"grammar"}
    ended = [(one, answer) for one, answer in zip(asked, found, strict=True) if answer.finish_reason == "stop"]
    assert len(ended) > len(found) / 2
    assert all(fits(one.schema, json.loads(answer.text)) for one, answer in ended)
    assert all(answer.completion_tokens == 96 for answer in found if answer.finish_reason == "length")


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_log_probabilities_of_letters_are_those_of_a_forward_pass_alone_and_in_a_batch(kind, tmp_path):
    folder = str(saved_chat_model(tmp_path, kind=kind))
    model = LocalModel(folder, batch_size=4)
    asked = requests("pair")
    batched = answers(model, asked)
    alone = answers(LocalModel(folder, batch_size=1), asked)
    assert model._past is not None  # the dialogue is computed once
    assert {answer.cached_tokens > 0 for answer in batched} == {True, False}
    without = LocalModel(folder, batch_size=4)
    without._shares = False
    plain = answers(without, asked)
    assert {answer.cached_tokens for answer in plain} == {0}
    tokens = {"A": "A", "B": "B", " A": "\u0120A", " B": "\u0120B"}
    for one, *found in zip(asked, batched, alone, plain, strict=True):
        scores = plain_scores(model, one)
        for answer in found:
            assert set(answer.first_tokens) == set(tokens)
            for spelled, value in answer.first_tokens.items():
                expected = scores[model._tokenizer.convert_tokens_to_ids(tokens[spelled])].item()
                assert math.exp(value) == pytest.approx(math.exp(expected), abs=1e-6)
            # The answer is what the model would write, which none of the letters may be.
            assert answer.text == model._tokenizer.decode([scores.argmax().item()])
            assert label_probabilities(answer.first_tokens, ("A", "B")).censored == 0


def plain_scores(model, one):
    """Log-probabilities of the token after a request, without a batch."""
    text = model._tokenizer.apply_chat_template(one.messages, tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([model._tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        return model._model(ids).logits[0, -1].log_softmax(-1)


def test_a_cache_that_gives_other_probabilities_is_not_used(folder, monkeypatch):
    asked = requests("pair")
    expected = answers(LocalModel(folder, batch_size=4), asked)
    model = LocalModel(folder, batch_size=4)
    right = model._continued_scores
    monkeypatch.setattr(model, "_continued_scores", lambda *given: right(*given) * 0.9)
    found = answers(model, asked)
    assert [one.first_tokens["A"] for one in found] == pytest.approx(
        [one.first_tokens["A"] for one in expected], abs=1e-4
    )
    assert len(model.notes) == 1
    assert "this model's cache differs" in model.notes[0]


@pytest.mark.parametrize("ask", ["pair", "target"])
def test_batches_become_smaller_where_memory_does_not_suffice(folder, monkeypatch, ask):
    asked = requests(ask, most_tokens=4)
    expected = answers(LocalModel(folder, batch_size=4, structured=False), asked)
    model = LocalModel(folder, batch_size=8, structured=False)
    name = "_letters" if ask == "pair" else "_texts"
    right, sizes = getattr(model, name), []

    def limited(batch, *rest):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return right(batch, *rest)

    monkeypatch.setattr(model, name, limited)
    found = answers(model, asked)
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[2:]) == 2
    assert [one.text for one in found] == [one.text for one in expected]
    assert model.notes == ("batches were made smaller, as memory did not suffice",)


def test_a_request_that_memory_does_not_hold_fails_alone_and_other_errors_are_raised(folder, monkeypatch):
    asked = requests("target", most_tokens=4)
    model = LocalModel(folder, batch_size=2, structured=False)
    right = model._texts

    def limited(batch):
        if any(one.request.ask == asked[1].ask for one in batch):
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"
            )
        return right(batch)

    monkeypatch.setattr(model, "_texts", limited)
    found = answers(model, asked)
    failed = [one for one in found if isinstance(one, Failure)]
    assert [one.kind for one in failed] == ["out of memory"] * sum(one.ask == asked[1].ask for one in asked)
    assert found[1].message.startswith(asked[1].name)

    def broken(batch):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(model, "_texts", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        answers(model, asked)


def test_a_models_own_defaults_do_not_change_its_answers(folder, tmp_path):
    from transformers import AutoModelForCausalLM, GenerationConfig

    asked = requests("dialogue", most_tokens=40)
    expected = [one.text for one in answers(LocalModel(folder, structured=False), asked)]
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.generation_config = GenerationConfig(
        repetition_penalty=5.0, do_sample=True, temperature=5.0, eos_token_id=2, pad_token_id=0
    )
    model.save_pretrained(tmp_path)
    chat_tokenizer().save_pretrained(tmp_path)
    assert [one.text for one in answers(LocalModel(str(tmp_path), structured=False), asked)] == expected


def test_models_answer_without_thoughts(folder):
    model = LocalModel(folder)
    model._tokenizer.chat_template += "{% if enable_thinking is not defined or enable_thinking %}<think>{% endif %}"
    text = model._tokenizer.decode(model._chat(requests("dialogue")[0].messages))
    assert text.endswith("assistant\n")


def test_answers_in_one_batch_are_cut_off_at_their_own_length(folder):
    asked = [replace(one, most_tokens=n) for n, one in zip((3, 9), requests("dialogue"), strict=True)]
    found = answers(LocalModel(folder, structured=False), asked)
    assert [one.completion_tokens for one in found] == [3, 9]


def test_weights_are_rounded_on_a_gpu_that_computes_with_it(folder, monkeypatch):
    from iemomecp_dataset.trainers.language_model.backends import transformers as backend

    assert LocalModel(folder).identity["dtype"] == "float32"
    assert LocalModel(folder, dtype="bfloat16").identity["dtype"] == "bfloat16"
    for supported, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda supported=supported: supported)
        assert backend._dtype(torch.device("cuda")) == expected


def test_texts_do_not_depend_on_their_batch(folder):
    asked = requests("dialogue", most_tokens=60)
    texts = [[answer.text for answer in answers(LocalModel(folder, batch_size=n), asked)] for n in (1, 2)]
    assert texts[0] == texts[1]


def test_shots_that_do_not_fit_are_left_out_and_counted_and_a_longer_request_fails(tmp_path):
    asked = requests("dialogue", TRAIN)[:1]
    short = LocalModel(str(saved_chat_model(tmp_path)), structured=False)
    length = len(short._encoded(requests("dialogue", TRAIN[1:])[0]).ids)
    short._longest = length + asked[0].most_tokens
    (answer,) = answers(short, asked)
    assert answer.left_out == 1
    short._longest = 20
    (failure,) = answers(short, asked)
    assert isinstance(failure, Failure)
    assert "over 20 tokens" in failure.message


def test_letters_that_share_their_first_token_are_refused(folder):
    model = LocalModel(folder)
    model._tokenizer = word_tokenizer()  # knows no letters
    with pytest.raises(UsageError, match="single, distinct tokens"):
        answers(model, requests("pair")[:1])


def test_a_model_without_a_chat_template_is_refused(folder, tmp_path):
    from transformers import AutoModelForCausalLM

    tokenizer = chat_tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="no chat template"):
        LocalModel(str(tmp_path))


def test_a_run_of_a_greedy_model_does_not_ask_again(folder, tmp_path, monkeypatch):
    from iemomecp_dataset.trainers.language_model import run as running
    from iemomecp_dataset.trainers.language_model.options import LanguageModelOptions

    monkeypatch.setattr(running, "load_corpus", lambda *_, **__: CORPUS)
    options = LanguageModelOptions(
        data_dir=tmp_path, config_name="ecf", model=folder, output_dir=tmp_path / "run", split="test", device="cpu",
        structured=False, max_new_tokens=4,
    )  # fmt: skip
    record = running.run(options)
    about = record.extra["language_model"]
    assert about["reading"]["test"]["steps"]["unusable"] == about["usage"]["sent_by_this_start"] == 2
    assert about["reading"]["test"]["asked_again"] is None
    assert (tmp_path / "language_model_answers" / "answers.sqlite").is_file()
