"""The measurement of conversations: what it measures, without a time that a test could depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iemomecp_dataset.benchmark.speed import conversations
from iemomecp_dataset.trainers import load_scorer
from iemomecp_dataset.trainers.encoders.text import load_text_encoder


def test_every_text_is_another_and_of_a_dialogue_s_length() -> None:
    given = list(conversations.spoken_conversations(200))
    texts = [spoken["text"] for one in given for spoken in one]
    assert {len(one) for one in given} == {12}
    assert len(set(texts)) == len(texts) == 2400
    assert 12 < np.mean([len(text.split()) for text in texts]) < 15
    assert given == list(conversations.spoken_conversations(200)), "both measurements have the same texts"


def test_the_model_reads_a_frozen_encoder_whose_tokens_are_words(tmp_path: Path) -> None:
    encoder, model = conversations._write_model(tmp_path, 32, 3, hidden_size=32)
    config = load_scorer(model).config
    assert (config.text_encoder, config.text_encoder_name, config.text_size) == (None, str(encoder), 96)
    loaded = load_text_encoder(str(encoder))
    assert loaded.model.config.num_hidden_layers == 3
    lengths = [len(one) for one in loaded.tokenizer(conversations._vocabulary())["input_ids"]]
    assert max(lengths) == 3, "a word is one token, between two special ones"


@pytest.mark.slow
def test_rows_name_what_they_compare() -> None:
    single, many, memory = conversations.run(conversations=30, width=32, layers=1, passes=1, memory=(10, 20))
    assert single.alternative_seconds == 0.1
    assert "30 conversations, 360 utterances" in many.name
    assert "20 conversations, MB" in memory.name
    assert all(row.ours_seconds > 0 and row.alternative_seconds > 0 for row in (single, many, memory))
