"""A model in this process: every answer has its form, and letters have the probabilities of a plain forward pass."""

from __future__ import annotations

import json
import math

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


def test_probabilities_of_letters_are_those_of_a_forward_pass_alone_and_in_a_padded_batch(folder):
    model = LocalModel(folder, batch_size=4)
    asked = requests("pair")
    batched = answers(model, asked)
    alone = answers(LocalModel(folder, batch_size=1), asked)
    tokenizer = model._tokenizer
    assert model._past[1] is not None  # the dialogue is computed once
    without = LocalModel(folder, batch_size=4)
    without._past_of = lambda prefix: None
    plain = answers(without, asked)
    for one, first, second, third in zip(asked, batched, alone, plain, strict=True):
        text = tokenizer.apply_chat_template(one.messages, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.inference_mode():
            scores = model._model(ids).logits[0, -1].log_softmax(-1)
        expected = scores[[tokenizer.convert_tokens_to_ids(letter) for letter in "AB"]].softmax(-1).tolist()
        for answer in (first, second, third):
            found = label_probabilities(answer.first_tokens, ("A", "B"))
            assert found.probabilities == pytest.approx(expected, abs=1e-6)
            outside = 1 - math.exp(answer.first_tokens["A"]) - math.exp(answer.first_tokens["B"])
            assert found.outside == pytest.approx(outside, abs=1e-9)
            assert found.censored == 0


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
