"""The tiny language model that stands in for a download."""

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.explanation.tiny import write_tiny_language_model

TEXTS = ["The lamp fell down.", "The lamp is red, and it fell."] * 4


def test_model_and_tokenizer_load_and_agree(tmp_path):
    folder = write_tiny_language_model(TEXTS, tmp_path / "lm", hidden_size=16, num_layers=1)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    assert len(tokenizer) == model.config.vocab_size
    assert tokenizer.decode(tokenizer("The lamp, é!").input_ids) == "The lamp, é!"
    messages = [{"role": "user", "content": "Why?"}]
    shown = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert shown == "<|start|>user\nWhy?<|end|><|start|>assistant\n"
    ids = tokenizer(shown).input_ids
    assert ids.count(model.config.eos_token_id) == 1


def test_the_seed_gives_the_weights(tmp_path):
    made = [
        write_tiny_language_model(TEXTS, tmp_path / name, hidden_size=16, num_layers=1, seed=seed)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    first, second, other = ((folder / "model.safetensors").read_bytes() for folder in made)
    assert first == second != other


def test_no_texts_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no texts"):
        write_tiny_language_model([" "], tmp_path / "lm")
    assert not (tmp_path / "lm").exists()
