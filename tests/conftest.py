"""What tests of every room share: corpora made once for all workers and tiny encoders."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

# The suite's workers share the cores with each other: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")
# Of scripts/mutate.py, for which it is enough that an example fails; the smallest one takes longer to find.
first_example = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
hypothesis.settings.register_profile("mutations", hypothesis.settings.get_profile("suite"), phases=first_example)

# Nothing in the suite may reach for a network, whatever the machine has.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# The models of the suite are tiny, and its workers share the cores: threads that spin for each other's results would
# make a step a hundred times slower. Set before anything imports torch, and inherited by what the tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts its background jobs with Ctrl-C ignored, and what they start inherits it: so would the runs that the
# tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the tests start need not compile the package each time, whatever the shell says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest.register_assert_rewrite("corpus_case", "metric_case", "reader_case", "scorer_case")

REPOSITORY = Path(__file__).resolve().parents[1]
MadeOnce = Callable[[str, Callable[[Path], object]], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with slow tests first: one that starts last would run on alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Fills a folder by a function, once for all workers of the suite: what it holds is read and never changed."""
    from filelock import FileLock

    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once"
    shared.mkdir(exist_ok=True)

    def make(name: str, write: Callable[[Path], object]) -> Path:
        folder, complete = shared / name, shared / f"{name}.complete"
        with FileLock(shared / f"{name}.lock"):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                write(folder)
                complete.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def synthetic_dir(made_once: MadeOnce) -> Path:
    """A synthetic corpus of demo scale."""
    from iemomecp_dataset.synthetic import write_corpus

    return made_once("synthetic", write_corpus)


@pytest.fixture(scope="session")
def small_dir(made_once: MadeOnce) -> Path:
    """A fourth of that, for tests of what a run does, whatever it learns: 16, 6 and 8 dialogues, 2090 train pairs."""
    from small_scale import small_scale

    from iemomecp_dataset.synthetic import write_corpus

    with small_scale() as scale:
        return made_once("small", lambda folder: write_corpus(folder, scale=scale))


@pytest.fixture(name="small_scale")
def _small_scale() -> Iterator[str]:
    """The scale of that corpus, for what writes a corpus of its own."""
    from small_scale import small_scale

    with small_scale() as scale:
        yield scale


@pytest.fixture(scope="session")
def full_dir(made_once: MadeOnce) -> Path:
    """A synthetic corpus of full scale."""
    from iemomecp_dataset.synthetic import write_corpus

    return made_once("full", lambda folder: write_corpus(folder, scale="full"))


@pytest.fixture(scope="session")
def media_dir(made_once: MadeOnce) -> Path:
    """A synthetic corpus of demo scale with dialogue videos, without the ready feature files that come with it."""

    def write(folder: Path) -> None:
        script = REPOSITORY / "scripts/make_synthetic.py"
        subprocess.run([sys.executable, script, "--output-dir", folder, "--media"], check=True, capture_output=True)
        shutil.rmtree(folder / "features")

    return made_once("media", write)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random text encoder with its tokeniser."""
    from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder

    texts = ["The train was late again.", "I am so angry about it!", "What happened?", "We lost the match."] * 5
    return write_tiny_encoder(texts, tmp_path_factory.mktemp("encoder"), hidden_size=16, num_layers=2)
