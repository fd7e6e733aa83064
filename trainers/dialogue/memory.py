"""Memory that the pairs of a mini-batch take in a dialogue scorer: estimated before the first step.

It grows with the square of a dialogue's turns, so that one long dialogue among ordinary ones can bring a machine down.
The constants are measured: float32, peak over a step less what the process has before, of 200 to 600 turns.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.dialogue.data import DialogueExample
from iemomecp_dataset.trainers.objectives import Objective

__all__ = ["MEMORY_VARIABLE", "Demand", "PairMemory", "available_memory", "check_memory"]

_logger = logging.getLogger(__name__)

MEMORY_VARIABLE = "IEMOMECP_MEMORY_GB"
"""Environment variable with the memory that a run may take, in place of what is free."""

_SAID_FROM = 2**30
_SAID_SHARE = 0.25
"""An estimate is shown from a gigabyte on, where it is this share of what is available."""

_UNLIMITED = 2**60
"""Control groups without a limit state a number of this order."""


@dataclass(frozen=True)
class PairMemory:
    """What one pair takes in a step of training, and in scoring.

    Attributes:
        pair_scorer: ``mlp`` or ``biaffine``.
        classes: Pair classes.
        pair_size: Width of the pair scorer's hidden layer.
        bilinear_size: Rank of the bilinear term.
        refinement: Whether pairs are scored a second time.
        attention: Layers times attention heads of the dialogue transformer.
        views: Views of a dialogue that training scores: 2 with a corrupted one.
        ranking: Whether the objective ranks pairs.
        passes: Passes of training over each mini-batch at once: 2 with R-Drop.
    """

    pair_scorer: str = "mlp"
    classes: int = 2
    pair_size: int = 256
    bilinear_size: int = 128
    refinement: bool = True
    attention: int = 8
    views: int = 1
    ranking: bool = False
    passes: int = 1

    @classmethod
    def of(cls, config: Any, objective: Objective, *, passes: int = 1) -> PairMemory:
        """Reads it from a scorer's configuration and its objective.

        Args:
            config: The configuration.
            objective: The objective.
            passes: Passes of training over each mini-batch at once.
        """
        return cls(
            pair_scorer=config.pair_scorer,
            classes=len(config.class_names or ()),
            pair_size=config.pair_size,
            bilinear_size=config.bilinear_size,
            refinement=config.pair_refinement,
            attention=config.num_layers * config.num_heads,
            views=2 if objective.corruption else 1,
            ranking=objective.ranking,
            passes=passes,
        )

    def training(self, pairs: int, cells: int) -> int:
        """Bytes of a step of training.

        Args:
            pairs: Candidate pairs of the mini-batch.
            cells: Its dialogues times the square of the turns of the longest.

        Example:
            >>> PairMemory().training(1_000_000, 1_000_000) / 1_000_000
            7152.0
        """
        if self.pair_scorer == "biaffine":
            per_pair = 13 * (self.pair_size + 1) * self.classes + 500
        else:
            per_pair = 14 * self.pair_size + 13 * self.bilinear_size + 500
        per_pair += 850 if self.refinement else 0
        per_cell = 130 + 100 * self.classes + 28 * self.attention
        of_pass = self.views * (per_pair * pairs + per_cell * cells) + (2000 * pairs if self.ranking else 0)
        return self.passes * of_pass

    def scoring(self, pairs: int, cells: int) -> int:
        """Bytes of scoring a mini-batch, without gradients.

        Args:
            pairs: As for :meth:`training`.
            cells: Likewise.
        """
        if self.pair_scorer == "biaffine":
            per_pair = 10 * (self.pair_size + 1) * self.classes + 200
        else:
            per_pair = 12 * max(self.pair_size, self.bilinear_size) + 150
        return per_pair * pairs + 60 * self.classes * cells


@dataclass(frozen=True)
class Demand:
    """The mini-batch that takes the most.

    Attributes:
        option: The option that says how many dialogues it has.
        size: That number.
        pairs: Candidate pairs.
        cells: Dialogues times the square of the turns of the longest.
        longest: Its longest dialogue.
        bytes: What it takes.
    """

    option: str
    size: int
    pairs: int
    cells: int
    longest: DialogueExample
    bytes: int


def available_memory(device: torch.device, processes: int = 1) -> int:
    """Bytes that this process may still take.

    Args:
        device: Where it computes.
        processes: Processes on this machine that share its memory.

    Returns:
        On a GPU what is free there; otherwise the least of what the system has, the control groups of the process
        leave and its limits allow. ``IEMOMECP_MEMORY_GB`` wins.

    Raises:
        UsageError: That variable is no number.

    Example:
        >>> available_memory(torch.device("cpu")) > 0
        True
    """
    given = os.environ.get(MEMORY_VARIABLE)
    if given:
        try:
            stated = float(given)
        except ValueError:
            stated = math.nan
        if not stated > 0:
            raise UsageError(f"{MEMORY_VARIABLE} must be a number of gigabytes above 0, but is {given!r}.")
        return int(min(stated * 2**30, _UNLIMITED))
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    import psutil

    return int(min([psutil.virtual_memory().available, *_left_by_groups(), *_left_by_limit()])) // max(1, processes)


def _left_by_groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """What each control group above the process leaves; caches of files count as free, as the system drops them."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number != "0" and "memory" not in controllers.split(","):
            continue
        names, top = ("memory.max", "memory.current"), root
        if number != "0":  # the first version of control groups
            names, top = ("memory.limit_in_bytes", "memory.usage_in_bytes"), root / "memory"
        for folder in [top / path.lstrip("/"), *(top / path.lstrip("/")).parents]:
            try:
                limit, used = (int((folder / name).read_text()) for name in names)
                cached = [
                    int(entry.split()[1])
                    for entry in (folder / "memory.stat").read_text().splitlines()
                    if entry.startswith("inactive_file ")
                ]
            except (OSError, ValueError):  # no such file, or "max"
                limit, used, cached = _UNLIMITED, 0, []
            if limit < _UNLIMITED:
                yield max(0, limit - used + sum(cached))
            if folder == top:
                break


def _left_by_limit() -> Iterator[int]:
    """What ``ulimit -v`` leaves."""
    try:
        import resource
    except ImportError:  # Windows
        return
    import psutil

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield max(0, limit - int(psutil.Process().memory_info().vms))


def check_memory(
    memory: PairMemory,
    examples: Mapping[str, Sequence[DialogueExample]],
    *,
    batch_size: int,
    eval_batch_size: int,
    available: int,
    place: str,
    takes_past: bool = False,
) -> None:
    """Says how much memory the pairs of long dialogues will take, and refuses more than there is.

    Ordinary dialogues print nothing.

    Args:
        memory: What a pair takes.
        examples: Dialogues by split.
        batch_size: Of training, per process.
        eval_batch_size: Of scoring.
        available: Bytes that there are.
        place: Where, for messages.
        takes_past: Whether ``--candidates past`` would leave out pairs.

    Raises:
        UsageError: They do not suffice; the message says what to set.
    """
    for demand in _demands(memory, examples, batch_size, eval_batch_size):
        if demand.bytes > available:
            raise UsageError(_refusal(memory, examples, demand, available, place, takes_past))
        if demand.bytes > max(_SAID_FROM, _SAID_SHARE * available):
            _logger.warning(
                "%s will take up to about %s of the %s that are free on %s.",
                *(_subject(demand), _gigabytes(demand.bytes), _gigabytes(available), place),
            )


def _demands(
    memory: PairMemory,
    examples: Mapping[str, Sequence[DialogueExample]],
    batch_size: int,
    eval_batch_size: int,
    past: bool = False,
) -> Iterator[Demand]:
    """The largest mini-batch of training, and the largest of scoring."""
    if examples.get("train"):
        # Mini-batches are drawn: in some epoch the largest dialogues may meet.
        largest = sorted(examples["train"], key=lambda one: (len(one.targets), len(one)))[-batch_size:]
        yield _demand(memory.training, "batch_size", batch_size, largest, past)
    scored = [
        _demand(memory.scoring, "eval_batch_size", eval_batch_size, dialogues[first : first + eval_batch_size], past)
        for split, dialogues in examples.items()
        if split != "train"
        for first in range(0, len(dialogues), eval_batch_size)
    ]
    if scored:
        yield max(scored, key=lambda one: one.bytes)


def _demand(
    estimate: Callable[[int, int], int], option: str, size: int, dialogues: Sequence[DialogueExample], past: bool
) -> Demand:
    longest = max(dialogues, key=len)
    kept = [int((one.causes <= one.targets).sum()) if past else len(one.targets) for one in dialogues]
    pairs, cells = sum(kept), len(dialogues) * len(longest) ** 2
    return Demand(option, size, pairs, cells, longest, estimate(pairs, cells))


def _subject(demand: Demand) -> str:
    what = "Training" if demand.option == "batch_size" else "Scoring"
    return (
        f"{what} on the pairs of a mini-batch (--{demand.option} {demand.size}: {demand.pairs:,} pairs; the longest "
        f"dialogue, {demand.longest.dialogue_id}, has {len(demand.longest):,} turns)"
    )


def _refusal(
    memory: PairMemory,
    examples: Mapping[str, Sequence[DialogueExample]],
    demand: Demand,
    available: int,
    place: str,
    takes_past: bool,
) -> str:
    """The sentence with the first settings that suffice."""
    trains = demand.option == "batch_size"

    def suffices(size: int, of: PairMemory = memory, past: bool = takes_past) -> bool:
        found = _demands(of, examples, size if trains else 1, 1 if trains else size, past)
        return next(one.bytes for one in found if one.option == demand.option) <= available

    size = next((size for size in range(demand.size - 1, 0, -1) if suffices(size, past=False)), 1)
    settings = f"--{demand.option} {size}"
    past = " --candidates past" if takes_past else ""
    smaller = replace(memory, pair_scorer="mlp", pair_size=64, bilinear_size=0)
    base = " --objective base" if trains and (memory.views > 1 or memory.ranking) else ""
    base += " --r_drop_weight 0" if trains and memory.passes > 1 else ""
    smallest = replace(smaller, views=1, ranking=False, passes=1)
    head, one_pass = "--pair_scorer mlp --pair_size 64 --bilinear_size 0", replace(memory, passes=1)
    tried = [
        (settings, size < demand.size and suffices(size, past=False)),
        (settings + past, takes_past and suffices(size)),
        (f"{settings}{past} --r_drop_weight 0", trains and memory.passes > 1 and suffices(size, one_pass)),
        (f"{settings}{past} {head}", suffices(size, smaller)),
        (f"{settings}{past} {head}{base}", suffices(size, smallest)),
    ]
    fitting = [text for text, enough in tried if enough]
    advice = f"Set {fitting[0]}" if fitting else f"No setting suffices: split the dialogue {demand.longest.dialogue_id}"
    return (
        f"{_subject(demand)} would take about {_gigabytes(demand.bytes)}, but {_gigabytes(available)} are free on "
        f"{place}. {advice} (a run that has begun keeps its options: there choose another --output_dir), free memory, "
        f"or state with {MEMORY_VARIABLE} how many gigabytes the run may take."
    )


def _gigabytes(count: int) -> str:
    """Gigabytes in words.

    Example:
        >>> _gigabytes(9 * 2**30), _gigabytes(2**27)
        ('9.0 GB', '0.12 GB')
    """
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count / 2**30:.2f} GB"
