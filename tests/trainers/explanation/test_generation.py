"""Generation: batches give what single items give, in the order of the items."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_language_model import item, language_model, word_tokenizer

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder
from iemomecp_dataset.trainers.explanation.generation import generate_explanations
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel

RNG = np.random.default_rng(0)
FRAMES = {f"d1_{turn}": RNG.normal(size=(turn, 6)) for turn in (1, 3, 4)}
ITEMS = [item(turn, context=turn % 4, reference=None) for turn in (2, 5, 1, 4, 3)]


def make(kind: str, n_positions: int = 256, **settings: Any) -> tuple[ExplanationModel, ExplanationEncoder]:
    torch.manual_seed(0)
    options = {"n_positions": n_positions} if kind == "gpt2" else {}
    model = ExplanationModel.from_parts(language_model(kind, **options), tuning="full", **settings).double()
    pair = model.encoder_decoder
    encoder = ExplanationEncoder(
        word_tokenizer(eos=pair),
        encoder_decoder=pair,
        chat_template="plain" if pair else "tokenizer",
        has_video=model.config.has_video,
    )
    return model, encoder


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("video", [False, True], ids=["text", "video"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5", "bart"])
def test_a_batch_writes_what_single_items_get(kind: str, video: bool, num_beams: int) -> None:
    model, encoder = make(kind, **({"frame_size": 6} if video else {}))
    given: dict[str, Any] = {
        **({"frames": FRAMES.get} if video else {}),
        "num_beams": num_beams,
        "max_new_tokens": 6,
        "progress": False,
    }
    together = generate_explanations(model, encoder, ITEMS, batch_size=3, **given)
    alone = [generate_explanations(model, encoder, [one], **given)[0] for one in ITEMS]
    assert together == alone
    if kind in ("llama", "gpt2"):
        assert len(set(together)) > 2


def test_greedy_decoding_takes_the_most_probable_token_each_time() -> None:
    model, encoder = make("llama", frame_size=6)
    encoded = encoder.encode(ITEMS[3])
    batch = encoder.collate([encoded], FRAMES.get, for_generation=True)
    ids = batch["input_ids"]
    for _ in range(8):
        logits = model(**{**batch, "input_ids": ids, "attention_mask": torch.ones_like(ids)}).logits
        ids = torch.cat([ids, logits[:, -1:].argmax(dim=-1)], dim=1)
        if int(ids[0, -1]) == encoder.end_id:
            break
    expected = encoder.decode(ids[0, batch["input_ids"].shape[1] :].tolist())
    assert expected
    found = generate_explanations(model, encoder, [ITEMS[3]], frames=FRAMES.get, max_new_tokens=8, progress=False)
    assert found == [expected]


def test_texts_that_reach_the_most_tokens_without_an_end_are_named() -> None:
    model, encoder = make("llama")
    ends = {encoder.end_id, *model.end_ids()}
    for most in (1, 6):
        unended: set[int] = set()
        given: dict[str, Any] = {"max_new_tokens": most, "progress": False}
        generate_explanations(model, encoder, ITEMS, batch_size=2, unended=unended, **given)
        for place, one in enumerate(ITEMS):
            batch = encoder.collate([encoder.encode(one)], for_generation=True)
            ids = model.generate_tokens(
                batch, max_new_tokens=most, num_beams=1, end_ids=[encoder.end_id], pad_id=encoder.pad_id
            )
            assert (place in unended) == (not ends & set(ids[0].tolist()))
        assert unended


def test_the_models_own_settings_of_sampling_are_not_used() -> None:
    model, encoder = make("llama")
    expected = generate_explanations(model, encoder, ITEMS, max_new_tokens=8, progress=False)
    own = model.language_model.generation_config
    own.do_sample, own.temperature, own.repetition_penalty, own.min_new_tokens = True, 5.0, 9.0, 8
    model.train()
    assert generate_explanations(model, encoder, ITEMS, max_new_tokens=8, progress=False) == expected
    assert model.training
    assert model.language_model.generation_config is own


def test_longest_prompts_come_first_and_each_batch_is_reported() -> None:
    model, encoder = make("llama")
    reported: list[tuple[list[int], list[str]]] = []
    found = generate_explanations(
        model, encoder, ITEMS, batch_size=2, max_new_tokens=4, progress=False,
        on_done=lambda positions, texts: reported.append((positions, texts)),
    )  # fmt: skip
    assert [len(positions) for positions, _ in reported] == [2, 2, 1]
    order = [position for positions, _ in reported for position in positions]
    lengths = [encoder.encode(ITEMS[position]).prompt_length for position in order]
    assert lengths == sorted(lengths, reverse=True)
    assert [text for _, texts in reported for text in texts] == [found[position] for position in order]


def test_prompts_padded_on_the_right_are_refused() -> None:
    model, _ = make("llama")
    batch = {"input_ids": torch.tensor([[5, 6], [5, 0]]), "attention_mask": torch.tensor([[1, 1], [1, 0]])}
    with pytest.raises(UsageError, match="padded on the left"):
        model.generate_tokens(batch, max_new_tokens=2)


def test_answers_reach_the_last_position_and_none_beyond() -> None:
    model, encoder = make("gpt2", n_positions=90)
    prompt = encoder.encode(item(3, reference=None)).prompt_length
    assert generate_explanations(model, encoder, [item(3)], max_new_tokens=90 - prompt + 1, progress=False)
    with pytest.raises(
        UsageError, match=rf"positions for 90 tokens, which the prompt \({prompt}\) and an answer of up to"
    ):
        generate_explanations(model, encoder, [item(3)], max_new_tokens=90 - prompt + 2, progress=False)


def test_a_reference_changes_nothing() -> None:
    model, encoder = make("llama")
    encoder.max_length = encoder.encode(ITEMS[1]).prompt_length
    expected = generate_explanations(model, encoder, ITEMS, max_new_tokens=4, progress=False)
    told = [replace(one, reference="Ann won a game . " * 3) for one in ITEMS]
    assert generate_explanations(model, encoder, told, max_new_tokens=4, progress=False) == expected
