"""Texts to tokens in chunks of similar length, and to vectors: same values and gradients as text by text."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from torch import Tensor

from iemomecp_dataset.errors import InvalidDataError, MissingModelError
from iemomecp_dataset.trainers.encoders.context import IN_CONTEXT, TextContext, TextInContext, with_text_context
from iemomecp_dataset.trainers.encoders.text import (
    TextEncoder,
    TokenizedTexts,
    encode_texts,
    encoded_chunks,
    length_chunks,
    load_text_encoder,
    pooled_chunks,
    rows_of,
    text_width,
    tokenize_texts,
    tokenize_texts_in_context,
)

KINDS = ["bert", "roberta", "xlm-roberta", "camembert", "electra", "mpnet", "distilbert"]


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_looked_up_once_for_all_chunks(kind: str, random_encoder: Callable, token_chunk: Callable) -> None:
    apart = random_encoder(kind).eval()
    together = copy.deepcopy(apart)
    calls = []
    together.get_input_embeddings().register_forward_hook(lambda *_: calls.append(1))
    chunks = [token_chunk(2, 3), token_chunk(6), token_chunk(8, 7, 8)]
    expected = [apart(**chunk).last_hidden_state for chunk in chunks]
    found = [states.last_hidden_state for states in encoded_chunks(together, chunks)]
    assert len(calls) == 1
    for ours, theirs, chunk in zip(found, expected, chunks, strict=True):
        known = chunk["attention_mask"].bool()
        torch.testing.assert_close(ours[known], theirs[known], atol=1e-6, rtol=1e-5)
    for outputs in (found, expected):
        sum(
            (states * chunk["attention_mask"].unsqueeze(-1)).square().sum()
            for states, chunk in zip(outputs, chunks, strict=True)
        ).backward()
    for (name, ours), theirs in zip(together.named_parameters(), apart.parameters(), strict=True):
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in (ours, theirs)]
        torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4, msg=name)


def test_an_encoder_without_embeddings_as_input_gets_tokens(token_chunk: Callable) -> None:
    class Plain(torch.nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return input_ids * attention_mask

    chunks = [token_chunk(2, 3), token_chunk(4)]
    for found, chunk in zip(encoded_chunks(Plain(), chunks), chunks, strict=True):
        assert torch.equal(found, chunk["input_ids"] * chunk["attention_mask"])


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40), budget=st.integers(1, 200))
def test_length_chunks_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    sequences = [np.full(length, i + 1) for i, length in enumerate(lengths)]
    chunks, order = length_chunks(sequences, pad_id=0, max_tokens_per_chunk=budget)
    rows = [r for chunk in chunks for r in chunk["input_ids"]]
    for i, length in enumerate(lengths):
        found = rows[order[i]]
        assert found[found != 0].tolist() == [i + 1] * length
    for chunk in chunks:
        assert chunk["input_ids"].numel() <= budget or len(chunk["input_ids"]) == 1
        assert torch.equal(chunk["attention_mask"], (chunk["input_ids"] != 0).long())


@pytest.mark.parametrize("bad", [0, 1])
def test_truncated_texts_are_counted(bad: int, tiny_encoder: Path) -> None:
    tokenizer = load_text_encoder(str(tiny_encoder)).tokenizer
    long = "We lost the match. " * 10
    tokens = tokenize_texts(["What happened?", long] if bad else ["What happened?"], tokenizer, 8)
    assert tokens.truncated == (frozenset({long}) if bad else frozenset())
    assert all(len(ids) <= 8 for ids in tokens.ids.values())


@pytest.mark.parametrize("name", ["nowhere/enc", "no/such/folder", "a name that is none of the Hub"])
def test_an_encoder_out_of_reach_is_tried_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def unreachable(url: str) -> None:
        tries.append(url)
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", unreachable)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda *_, **__: pytest.fail("tried again"))
    with pytest.raises(MissingModelError, match="give --text_encoder the folder of a downloaded model"):
        load_text_encoder(name)
    assert len(tries) == (name == "nowhere/enc")


def test_a_text_of_exactly_the_limit_is_not_cut(tiny_encoder: Path) -> None:
    tokenizer = load_text_encoder(str(tiny_encoder)).tokenizer
    text = "We lost the match."
    length = len(tokenizer(text)["input_ids"])
    for limit, cut in ((length + 1, False), (length, False), (length - 1, True)):
        tokens = tokenize_texts([text], tokenizer, limit)
        assert (bool(tokens.truncated), len(tokens.ids[text])) == (cut, min(length, limit))


TURNS = ["What happened?", "We lost the match.", "", "I am so angry about it!", "We lost the match."]


def in_context(encoder: TextEncoder, context: TextContext, max_tokens: int = 64) -> list[TextInContext]:
    row = {"utterances": [{"text": text, "speaker": "A"} for text in TURNS]}
    (found,) = with_text_context([row], context, encoder.tokenizer, max_tokens)
    return [utterance[IN_CONTEXT] for utterance in found["utterances"]]


@pytest.mark.parametrize("context", [TextContext(before=2), TextContext(1, 1, 2), TextContext(block=9)], ids=str)
@pytest.mark.parametrize("budget", [8, 512])
def test_a_text_in_context_is_pooled_over_its_own_tokens(context: TextContext, budget: int, tiny_encoder: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    encoder.model.eval()
    texts = in_context(encoder, context)
    tokens = tokenize_texts_in_context(texts, encoder.tokenizer, 64)
    special = encoder.tokenizer
    by_hand = []
    for text in texts:
        turns = [special(turn, add_special_tokens=False)["input_ids"] for turn in text.turns]
        ids = [special.cls_token_id]
        for place, turn in enumerate(turns):
            if place == text.place:
                span = slice(len(ids), len(ids) + len(turn) + 1)
            ids += [*turn, special.sep_token_id]
        states = encoder.model(torch.tensor([ids]), output_hidden_states=True).hidden_states
        by_hand.append(torch.cat([states[layer][0, span].mean(0) for layer in (1, 2)]))
    chunks, order = tokens.chunks(texts, budget)
    found = pooled_chunks(encoder.model, chunks, order, [1, 2])
    torch.testing.assert_close(found, torch.stack(by_hand), atol=1e-5, rtol=1e-4)
    assert int(order.max()) < sum(map(rows_of, chunks))
    frozen = encode_texts(tokens, encoder, [1, 2], device=torch.device("cpu"), progress=False)
    np.testing.assert_allclose(np.stack([frozen[text] for text in texts]), found.detach().numpy(), atol=1e-5, rtol=1e-4)
    assert not np.allclose(frozen[texts[1]], frozen[texts[4]]), "the same text among other turns"
    assert tokens.cost(texts) == sum(len(tokens.ids[turns]) for turns in {text.turns for text in texts})


def test_a_text_may_be_encoded_in_context_and_alone(tiny_encoder: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    encoder.model.eval()
    texts = in_context(encoder, TextContext(before=1, block=2))
    plain = tokenize_texts(TURNS, encoder.tokenizer, 64)
    only, both = (tokenize_texts_in_context(texts, encoder.tokenizer, 64, alone=alone) for alone in (False, True))
    by_itself, around, found = (
        encode_texts(tokens, encoder, [1, 2], device=torch.device("cpu"), progress=False)
        for tokens in (plain, only, both)
    )
    for turn, text in zip(TURNS, texts, strict=True):
        expected = np.concatenate([around[text], by_itself[turn]])
        assert len(expected) == text_width(encoder, [1, 2], alone=True)
        np.testing.assert_allclose(found[text], expected, atol=1e-5, rtol=1e-4)
    chunks, order = both.chunks(texts, 512)
    trained = pooled_chunks(encoder.model, chunks, order, [1, 2])
    np.testing.assert_allclose(trained.detach(), np.stack([found[text] for text in texts]), atol=1e-5, rtol=1e-4)
    assert both.cost(texts) == sum(map(len, both.ids.values()))
    assert both.cost(texts) > only.cost(texts)


def test_a_turn_that_is_too_long_alone_is_cut_and_listed(tiny_encoder: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    texts = in_context(encoder, TextContext(before=1), max_tokens=6)
    tokens = tokenize_texts_in_context(texts, encoder.tokenizer, 6)
    assert max(map(len, tokens.ids.values())) == 6
    alone = {text: len(encoder.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TURNS}
    assert {text.turns[text.place] for text in tokens.truncated} == {text for text in TURNS if alone[text] > 4}
    assert tokens.truncated


def test_frozen_features_in_context_are_kept_for_these_parts_alone(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    for context in (TextContext(block=9), TextContext(before=9, after=9), TextContext(before=1)):
        tokens = tokenize_texts_in_context(in_context(encoder, context), encoder.tokenizer, 64)
        fresh = encode_texts(tokens, encoder, [2], device=torch.device("cpu"), progress=False)
        for _ in range(2):
            kept = encode_texts(tokens, encoder, [2], device=torch.device("cpu"), cache_dir=tmp_path, progress=False)
            assert kept.keys() == fresh.keys()
            assert all(np.array_equal(kept[text], fresh[text]) for text in fresh)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2, "two of the three encode the same parts"
    texts = in_context(encoder, TextContext(block=9))
    for change in ({"texts": texts[:2]}, {"texts": texts[3:]}, {"texts": texts[:2], "alone": True}):
        tokens = tokenize_texts_in_context(**{"tokenizer": encoder.tokenizer, "max_tokens": 64, **change})
        fresh, kept = (
            encode_texts(tokens, encoder, [2], device=torch.device("cpu"), cache_dir=cache, progress=False)
            for cache in (None, tmp_path)
        )
        assert all(np.array_equal(kept[text], fresh[text]) for text in fresh)
    assert len(list(tmp_path.glob("*.safetensors"))) == 5


def _other_weights(encoder: TextEncoder) -> None:
    with torch.no_grad():
        next(iter(encoder.model.parameters()))[-1, -1] += 1e-3


@pytest.mark.parametrize(
    "change", [None, "weights", "layers", "their order", "text", "tokens", "configuration"], ids=str
)
def test_frozen_features_are_kept_for_the_same_encoder_layers_and_texts_alone(
    change: str | None, tiny_encoder: Path, tmp_path: Path
) -> None:
    encoder, layers = load_text_encoder(str(tiny_encoder)), [1, 2]
    ids = {"We lost.": np.array([5, 6, 7]), "Why?": np.array([8])}
    device = torch.device("cpu")

    def encode() -> dict[str, np.ndarray]:
        return encode_texts(
            TokenizedTexts(ids, 1, frozenset()), encoder, layers, device=device, cache_dir=tmp_path, progress=False
        )

    encode()
    match change:
        case "weights":
            _other_weights(encoder)
        case "layers":
            layers = [0, 2]
        case "their order":
            layers = [2, 1]
        case "text":
            ids = {"We won.": ids["We lost."], "Why?": ids["Why?"]}
        case "tokens":
            ids = {**ids, "We lost.": np.array([5, 6, 9])}
        case "configuration":
            encoder.model.config.layer_norm_eps = 0.5
    found = encode()
    assert list(found) == list(ids)
    assert len(list(tmp_path.iterdir())) == (1 if change is None else 2)
    again = encode_texts(TokenizedTexts(ids, 1, frozenset()), encoder, layers, device=device, progress=False)
    for text, vector in again.items():
        np.testing.assert_array_equal(found[text], vector)


def _flip(path: Path, where: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 16
    path.write_bytes(content)


def _of_an_earlier_version(path: Path) -> None:
    save_file(load_file(path), path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "first bits": (lambda path: _flip(path, 0.0), "it cannot be read"),
    "middle": (lambda path: _flip(path, 0.6), "its content has another digest"),
    "end": (lambda path: _flip(path, 1.0), "its content has another digest"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-4]), "it cannot be read"),
    "empty": (lambda path: path.write_bytes(b""), "it cannot be read"),
    "other numbers": (
        lambda path: save_file({"features": np.zeros((2, 32), np.float32)}, path, metadata={"sha256": "0"}),
        "its content has another digest",
    ),
    "without": (lambda path: save_file({"other": np.zeros(3)}, path), "it cannot be read"),
    "earlier version": (_of_an_earlier_version, "was written by an earlier version, without a digest; they are"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_the_cache_is_said_and_computed_again(
    damage: str, tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    tokens = TokenizedTexts({"We lost.": np.array([5, 6, 7]), "Why?": np.array([8])}, 1, frozenset())

    def encode() -> dict[str, np.ndarray]:
        return encode_texts(tokens, encoder, [1, 2], device=torch.device("cpu"), cache_dir=tmp_path, progress=False)

    expected = encode()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    does, said = DAMAGES[damage]
    does(path)
    for found in (encode(), encode()):
        for text, vector in expected.items():
            np.testing.assert_array_equal(found[text], vector)
    (record,) = caplog.records
    for words in (str(path), said, "computed again"):
        assert words in record.getMessage()
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_to_is_said(
    tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = encode_texts(
        TokenizedTexts({"Why?": np.array([8])}, 1, frozenset()), load_text_encoder(str(tiny_encoder)), [1],
        device=torch.device("cpu"), cache_dir=tmp_path / "file", progress=False,
    )  # fmt: skip
    assert list(found) == ["Why?"]
    assert "the features of texts are not kept for the next run" in caplog.text


def test_an_encoder_that_computes_no_numbers_is_blamed(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    with torch.no_grad():
        encoder.model.get_input_embeddings().weight[8, 0] = float("nan")
    with pytest.raises(InvalidDataError, match=r"the weights of the model hold NaN or infinite numbers, in embeddings"):
        encode_texts(
            TokenizedTexts({"Why?": np.array([8])}, 1, frozenset()), encoder, [1], device=torch.device("cpu"),
            cache_dir=tmp_path, progress=False,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_features_that_another_process_computes_are_waited_for(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_text_encoder(str(tiny_encoder))
    tokens = TokenizedTexts({"We lost.": np.array([5, 6, 7])}, 1, frozenset())
    encode = partial(encode_texts, tokens, encoder, [1], device=torch.device("cpu"), progress=False)
    expected = encode(cache_dir=tmp_path / "other")
    (made,) = (tmp_path / "other").iterdir()  # no lock is left
    cache = tmp_path / "cache"
    cache.mkdir()
    code = (
        "import sys, shutil, time\nfrom pathlib import Path\nfrom iemomecp_dataset.files.locks import locked_file\n"
        "with locked_file(Path(sys.argv[2]).with_suffix('.lock')) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.readline()\n    shutil.copy(sys.argv[1], sys.argv[2])\n"
    )
    arguments = [sys.executable, "-c", code, str(made), str(cache / made.name)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        slept = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()
            other.wait()

        monkeypatch.setattr("iemomecp_dataset.trainers.encoders.text.time.sleep", sleep)
        monkeypatch.setattr("iemomecp_dataset.trainers.encoders.text._encoded", None)  # nothing is computed here
        found = encode(cache_dir=cache)
    assert len(slept) == 1
    np.testing.assert_array_equal(found["We lost."], expected["We lost."])
