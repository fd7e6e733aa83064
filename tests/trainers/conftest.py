"""What tests of trainers share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="session")
def same_outcome() -> Callable[[Path, Path], None]:
    """Asserts that of two run folders everything but times and names is equal, to the last bit."""

    def check(one: Path, two: Path) -> None:
        files = [{path.name for path in run.glob("*.parquet")} for run in (one, two)]
        assert files[0] == files[1]
        assert len(files[0]) >= 2, "validation and test"
        for name in files[0]:
            a, b = (pq.read_table(run / name) for run in (one, two))
            assert a.equals(b)
        first, second = (json.loads((run / "results.json").read_text()) for run in (one, two))
        for record in (first, second):
            for changing in ("run_name", "wall_seconds", "peak_memory_mb", "git_revision"):
                record.pop(changing)
        assert first == second
        logs = [[json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()] for run in (one, two)]
        for log in logs:
            for event in log:
                event.pop("seconds")
        assert logs[0] == logs[1]
        weights = [(run / "model" / "model.safetensors").read_bytes() for run in (one, two)]
        assert weights[0] == weights[1]

    return check


@pytest.fixture(scope="session")
def random_encoder() -> Callable[..., Any]:
    """Makes an encoder of two layers, 16 wide, with 50 words, of a ``model_type``; equal calls give equal weights."""
    import torch
    from transformers import AutoConfig, AutoModel

    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
             "vocab_size": 50, "pad_token_id": 1, "max_position_embeddings": 40}  # fmt: skip
    shapes = {
        "electra": {**shape, "embedding_size": 16},
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "vocab_size": 50, "pad_token_id": 1},
    }

    def make(model_type: str, **options: object) -> Any:
        torch.manual_seed(0)
        return AutoModel.from_config(AutoConfig.for_model(model_type, **shapes.get(model_type, shape)), **options)

    return make


@pytest.fixture(scope="session")
def token_chunk() -> Callable[..., dict[str, Any]]:
    """Makes a padded chunk of texts of the given lengths for such an encoder."""
    import torch

    def make(*lengths: int) -> dict[str, Any]:
        ids = torch.ones(len(lengths), max(lengths), dtype=torch.long)
        for row, length in enumerate(lengths):
            ids[row, :length] = torch.randint(5, 50, (length,), generator=torch.Generator().manual_seed(length))
        return {"input_ids": ids, "attention_mask": (ids != 1).long()}

    return make
