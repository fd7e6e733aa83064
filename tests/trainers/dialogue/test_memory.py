"""Memory of pairs: the estimate follows what is computed, and a run that cannot fit is refused with what to set."""

from __future__ import annotations

import logging
import re
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from accelerate import Accelerator

from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.compositions import OBJECTIVES
from iemomecp_dataset.trainers.dialogue import memory
from iemomecp_dataset.trainers.dialogue.data import Collator, DialogueExample, UtteranceInputs
from iemomecp_dataset.trainers.dialogue.memory import PairMemory, available_memory, check_memory
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy
from iemomecp_dataset.trainers.objectives import pooled_here
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.scorers import find_scorer

GB = 2**30


def dialogue(turns: int, name: str = "long") -> DialogueExample:
    labels = np.arange(turns**2).reshape(turns, turns) % 2
    targets, causes = np.ones((turns, turns), dtype=bool).nonzero()
    numbers = np.arange(turns) % 2
    return DialogueExample(
        name, tuple(map(str, range(turns))), ("x",) * turns, numbers, labels, labels == 0, numbers, numbers, numbers,
        targets, causes,
    )  # fmt: skip


def check(
    examples: dict[str, list[DialogueExample]],
    gigabytes: float,
    of: PairMemory | None = None,
    *,
    takes_past: bool = False,
) -> None:
    check_memory(
        of or PairMemory(), examples, batch_size=8, eval_batch_size=32, available=int(gigabytes * GB), place="cpu",
        takes_past=takes_past,
    )  # fmt: skip


ORDINARY = [dialogue(turns, f"d{turns}") for turns in range(2, 36)]
LONG = dialogue(1000)


def test_ordinary_dialogues_print_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        check({"train": ORDINARY, "validation": ORDINARY, "test": ORDINARY}, 4)
    assert caplog.records == []


def test_a_long_dialogue_is_said_and_refused_beyond_memory(caplog: pytest.LogCaptureFixture) -> None:
    examples = {"train": [*ORDINARY, LONG], "test": ORDINARY}
    with caplog.at_level(logging.WARNING):
        check(examples, 40)
    (record,) = caplog.records
    found = re.search(
        r"longest dialogue, long, has 1,000 turns\) will take up to about ([\d.]+) GB", record.getMessage()
    )
    assert found is not None
    needed = float(found[1])
    with pytest.raises(UsageError, match=r"but 6\.[89] GB are free|but 7\.0 GB are free") as refused:
        check(examples, 7)
    size = re.search(r"Set --batch_size (\d)", str(refused.value))
    assert size is not None
    assert "IEMOMECP_MEMORY_GB" in str(refused.value)
    assert needed > 7


@pytest.mark.parametrize("gigabytes", [1.5, 3, 5, 9])
@pytest.mark.parametrize("objective", ["base", "rpcl"])
@pytest.mark.parametrize("takes_past", [False, True])
def test_what_is_advised_suffices(gigabytes: float, objective: str, takes_past: bool) -> None:
    of = PairMemory.of(DialogueScorerConfig(class_names=["pair", "non_pair"]), OBJECTIVES[objective])
    examples = {"train": [*ORDINARY, LONG]}
    with pytest.raises(UsageError) as refused:
        check(examples, gigabytes, of, takes_past=takes_past)
    advised = re.search(r"Set (.*?) \(a run", str(refused.value))
    if advised is None:
        assert "No setting suffices: split the dialogue long" in str(refused.value)
        return
    options = dict(re.findall(r"--(\w+) (\w+)", advised[1]))
    examples = {"train": [_past(one) if "candidates" in options else one for one in examples["train"]]}
    sizes = {name: int(value) for name, value in options.items() if name in ("pair_size", "bilinear_size")}
    config = DialogueScorerConfig(class_names=["pair", "non_pair"], **sizes)
    set_so = PairMemory.of(config, OBJECTIVES[options.get("objective", objective)])
    check_memory(
        set_so, examples, batch_size=int(options["batch_size"]), eval_batch_size=1,
        available=int(gigabytes * GB), place="cpu",
    )  # fmt: skip


def test_r_drop_takes_twice_as_much_and_may_be_left_out() -> None:
    config = DialogueScorerConfig(class_names=["pair", "non_pair"])
    for objective in OBJECTIVES.values():
        once, twice = (PairMemory.of(config, objective, passes=passes) for passes in (1, 2))
        assert twice.training(900, 1000) == 2 * once.training(900, 1000)
        assert twice.scoring(900, 1000) == once.scoring(900, 1000)
    with pytest.raises(UsageError, match=r"--bilinear_size 0 --r_drop_weight 0 \(a run"):
        check({"train": [LONG]}, 4, PairMemory(passes=2))


def _past(one: DialogueExample) -> DialogueExample:
    return one.with_candidates("past")


def test_scoring_is_refused_with_its_own_option() -> None:
    with pytest.raises(UsageError, match=r"Scoring on the pairs.*Set --eval_batch_size \d+ \(a run"):
        check({"train": ORDINARY, "test": [LONG, LONG, LONG, LONG]}, 8)


def _peak(step: object) -> int:
    process, top, ended = psutil.Process(), 0, threading.Event()
    base = process.memory_info().rss

    def watch() -> None:
        nonlocal top
        while not ended.is_set():
            top = max(top, process.memory_info().rss)
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    step()  # type: ignore[operator]
    ended.set()
    watcher.join()
    return top - base


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "settings"),
    [
        ("base", {}),
        ("rpcl", {}),
        ("base", {"pair_scorer": "biaffine"}),
        ("base", {"pair_size": 512, "bilinear_size": 0}),
    ],
    ids=str,
)
def test_the_estimate_is_near_what_a_step_takes(objective: str, settings: dict[str, object]) -> None:
    config = DialogueScorerConfig(class_names=["pair", "non_pair"], text_size=8, **settings)
    model, composed = DialogueScorer(config), OBJECTIVES[objective]
    inputs = UtteranceInputs(text_features={"x": np.zeros(8, np.float32)})
    strategy = DialogueStrategy(
        Collator(inputs), objective=composed, corruption=Corruption() if composed.corruption else None
    )

    def train(turns: int) -> None:
        batch = strategy.collate([(0, dialogue(turns))])
        torch.stack(list(strategy.terms(model, batch, pooled_here).values())).sum().backward()

    train(4)
    estimate = PairMemory.of(config, composed).training(300**2, 300**2)
    assert 0.7 * estimate < _peak(lambda: train(300)) < 1.15 * estimate


def test_memory_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.MEMORY_VARIABLE, "1.5")
    assert available_memory(torch.device("cpu"), 4) == 1.5 * GB
    for wrong in ("x", "0", "-1", "nan"):
        monkeypatch.setenv(memory.MEMORY_VARIABLE, wrong)
        with pytest.raises(UsageError, match="IEMOMECP_MEMORY_GB must be a number of gigabytes above 0"):
            available_memory(torch.device("cpu"))
    monkeypatch.delenv(memory.MEMORY_VARIABLE)
    alone, shared = (available_memory(torch.device("cpu"), count) for count in (1, 4))
    assert shared < alone


@pytest.mark.parametrize("version", [1, 2])
def test_the_least_that_a_control_group_leaves_counts(version: int, tmp_path: Path) -> None:
    top = tmp_path if version == 2 else tmp_path / "memory"
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for folder, limit in ((top, "max"), (top / "job", "9000"), (top / "job" / "step", str(2**63 - 4096))):
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in zip(names, (limit, "5000"), strict=True):
            (folder / name).write_text(f"{value}\n")
        (folder / "memory.stat").write_text("active_file 7\ninactive_file 1000\n")
    own = tmp_path / "self"
    own.write_text("0::/job/step\n" if version == 2 else "3:cpu:/x\n4:memory,pids:/job/step\n0::/\n")
    assert list(memory._left_by_groups(tmp_path, own)) == [5000]
    assert list(memory._left_by_groups(tmp_path, tmp_path / "none")) == []


def test_a_run_is_refused_before_its_first_step(
    small_dir: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = TrainingOptions.from_flat(
        {"data_dir": str(small_dir), "text_encoder": str(tiny_encoder), "encoder_mode": "frozen", "quiet": True,
         "cache_dir": str(tmp_path)}
    )  # fmt: skip
    corpus, build = load_corpus("3class", str(small_dir)), find_scorer("dialogue").build_task
    assert build(options, corpus, Accelerator(cpu=True)).trains
    monkeypatch.setenv(memory.MEMORY_VARIABLE, "0.001")
    with pytest.raises(UsageError, match=r"Training on the pairs of a mini-batch \(--batch_size 8"):
        build(options, corpus, Accelerator(cpu=True))
