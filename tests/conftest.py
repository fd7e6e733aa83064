"""What tests of every room share: a synthetic corpus and a tiny encoder, made once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Nothing in the suite may reach for a network, whatever the machine has.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The models of the suite are tiny, and its workers share the cores: threads that spin for each other's results would
# make a step a hundred times slower. Set before anything imports torch, and inherited by what the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts its background jobs deaf to Ctrl-C, and what they start inherits it: so would the runs that the tests
# interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Arrow and feature caches of the suite's own, so that no result depends on what ran before."""
    caches = tmp_path_factory.mktemp("caches")
    os.environ["HF_DATASETS_CACHE"] = str(caches / "datasets")
    os.environ["IEMOMECP_CACHE"] = str(caches / "iemomecp")
    import datasets

    datasets.config.HF_DATASETS_CACHE = caches / "datasets"


@pytest.fixture(scope="session")
def synthetic_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic corpus of demo scale."""
    from iemomecp_dataset.synthetic import write_corpus

    folder = tmp_path_factory.mktemp("synthetic") / "data"
    write_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random text encoder with its tokeniser."""
    from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder

    texts = ["The train was late again.", "I am so angry about it!", "What happened?", "We lost the match."] * 5
    return write_tiny_encoder(texts, tmp_path_factory.mktemp("encoder"), hidden_size=16, num_layers=2)
