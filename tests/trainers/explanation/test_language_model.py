"""Loading language models: GGUF files, and what is said of those that are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_language_model import saved_language_model

from iemomecp_dataset.errors import MissingDependencyError, MissingModelError, UsageError
from iemomecp_dataset.trainers.explanation.language_model import (
    language_model_revision,
    load_language_model,
    load_language_tokenizer,
)


def write_gguf(path: Path) -> None:
    """A Llama of one layer, 32 wide, with random weights in 8 bits."""
    gguf = pytest.importorskip("gguf")
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(40)
    shapes = {"token_embd": (40, 32), "output_norm": (32,), "output": (40, 32), "blk.0.attn_norm": (32,),
              "blk.0.ffn_norm": (32,), **{f"blk.0.attn_{part}": (32, 32) for part in ("q", "k", "v", "output")},
              "blk.0.ffn_gate": (64, 32), "blk.0.ffn_up": (64, 32), "blk.0.ffn_down": (32, 64)}  # fmt: skip
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, shape in shapes.items():
        values = rng.normal(size=shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(f"{name}.weight", values)
        else:
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_becomes_a_model_that_can_be_saved(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    model = load_language_model(str(tmp_path), gguf_file="tiny.gguf")
    assert model.dtype == torch.float32
    assert not hasattr(model.config, "quantization_config")
    model.save_pretrained(tmp_path / "saved")
    again = load_language_model(str(tmp_path / "saved"))
    ids = torch.tensor([[3, 7, 1]])
    assert torch.equal(again(ids).logits, model(ids).logits)
    revision = language_model_revision(str(tmp_path), model.config, "tiny.gguf")
    (tmp_path / "config.json").write_text("{}")
    assert language_model_revision(str(tmp_path), model.config, "tiny.gguf") == revision
    with open(tmp_path / "tiny.gguf", "ab") as file:
        file.write(b"0")
    assert language_model_revision(str(tmp_path), model.config, "tiny.gguf") != revision


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gguf")
    (tmp_path / "a.gguf").write_bytes(b"")
    with pytest.raises(UsageError, match=r"has no file 'b\.gguf'\. GGUF files there: a\.gguf"):
        load_language_model(str(tmp_path), gguf_file="b.gguf")
    with pytest.raises(MissingModelError, match="no tokenizer of a language model"):
        load_language_tokenizer(str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="'gguf', which is not installed"):
        load_language_tokenizer(str(tmp_path), gguf_file="a.gguf")


def test_a_saved_tokenizer_keeps_its_chat_template(tmp_path: Path) -> None:
    folder = saved_language_model(tmp_path / "model")
    assert "<|start|>" in load_language_tokenizer(str(folder)).chat_template
