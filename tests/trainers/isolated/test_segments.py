"""Segments of two utterances have the ids of their whole text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iemomecp_dataset.trainers.encoders.text import load_text_encoder
from iemomecp_dataset.trainers.isolated.segments import segment_text, tokenize_segments

TEXTS = st.text(alphabet=" \n\tabcT'.!?-é哭1", max_size=12)


def one_pair(tokenizer, target: tuple[str, str], candidate: tuple[str, str], max_tokens: int = 128, **options: bool):
    zero, one = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
    return tokenize_segments([target, candidate], zero, one, tokenizer, max_tokens, **options)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=TEXTS, second=TEXTS, max_tokens=st.integers(8, 40))
def test_composed_ids_are_those_of_the_whole_segment(first: str, second: str, max_tokens: int, tiny_encoder) -> None:
    tokenizer = load_text_encoder(str(tiny_encoder)).tokenizer
    segments = one_pair(tokenizer, ("F", first), ("M", second), max_tokens)
    text = segment_text(("F", first), ("M", second))
    assert segments.ids(0, 1).tolist() == tokenizer(text, truncation=True, max_length=max_tokens)["input_ids"]
    full = segments.full_lengths(np.array([0]), np.array([1]))
    assert full.tolist() == [len(tokenizer(text, verbose=False)["input_ids"])]
    assert segments.whole is None, "lines are tokenised once"


def test_a_tokenizer_that_joins_lines_gets_whole_segments(caplog: pytest.LogCaptureFixture) -> None:
    class Pairs:
        """Two characters a token, whatever they are."""

        model_max_length, pad_token_id = 1000, 0

        def __call__(self, texts, add_special_tokens=True, **_: object):
            ids = [[hash(t[i : i + 2]) % 1000 for i in range(0, len(t), 2)] for t in ([texts] if one else texts)] \
                if (one := isinstance(texts, str)) or texts else []  # fmt: skip
            ids = [[1001, *row, 1002] for row in ids] if add_special_tokens else ids
            return {"input_ids": ids[0] if one else ids}

    tokenizer = Pairs()
    segments = one_pair(tokenizer, ("F", "odd"), ("M", "x"))
    assert segments.whole is not None
    assert "tokenised whole" in caplog.text
    assert segments.ids(0, 1).tolist() == tokenizer(segment_text(("F", "odd"), ("M", "x")))["input_ids"]
