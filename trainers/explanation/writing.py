"""Writing the explanations of a run, so that a session may end in between and another continue."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import gather_object
from tqdm.auto import tqdm

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.files import make_folder, parse_json, read_bytes
from iemomecp_dataset.trainers.explanation.generation import generate_explanations
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.run_folder import RunFolder
from iemomecp_dataset.trainers.training.stopping import StopRequests
from iemomecp_dataset.trainers.training.task import TrainingTask

__all__ = ["WrittenTexts", "fixed_batches", "read_written", "written_explanations"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WrittenTexts:
    """The explanations of a split.

    Attributes:
        texts: In the order of its items.
        n_unended: How many of them reached the most tokens without an end, so that they may be cut off.
        seconds: What writing them took, over all sessions of the run; of several processes the longest.
    """

    texts: tuple[str, ...]
    n_unended: int
    seconds: float


def written_explanations(
    options: ExplanationTrainingOptions, task: TrainingTask, accelerator: Accelerator, folder: RunFolder
) -> dict[str, WrittenTexts] | None:
    """Writes the explanations of validation and test, in batches that do not depend on where a session has ended.

    What is written is kept in the folder's checkpoints, one line per batch. Batches are made of what is not written
    yet: of the same size they are those of a run without an end in between, and of another size none is lost.

    Args:
        options: The run's options.
        task: The trained model with its examples.
        accelerator: That of the run; its processes share the batches.
        folder: The run folder.

    Returns:
        Texts by split; None where the time of the session is over.

    Raises:
        KeyboardInterrupt: SIGINT has ended the session.
        SystemExit: SIGTERM, SIGHUP or the end of the launcher has.
    """
    generation, strategy = options.objective, task.strategy
    stopping = StopRequests(accelerator, options.run.max_hours)
    rank, count = accelerator.process_index, accelerator.num_processes
    found = {}
    with stopping:
        for split, given in task.examples.items():
            if split == "train":
                continue
            examples: Any = given
            items = [examples[position].item for position in range(len(examples))]
            file = folder.checkpoints / f"written-{split}-{rank}-of-{count}.jsonl"
            make_folder(file.parent)
            texts, seconds = read_written(file)
            # Of all processes, which then share out the same batches.
            before = dict(gather_object(list(texts.items())))
            open_positions = [position for position in range(len(items)) if position not in before]
            lengths = [len(examples[position]) for position in open_positions]
            batches = [
                [open_positions[place] for place in batch]
                for batch in fixed_batches(lengths, generation.generation_batch_size)
            ]
            own = batches[rank::count]
            bar = tqdm(
                total=len(items),
                initial=len(before),
                desc=f"Explaining {split}",
                unit=strategy.unit,
                disable=options.run.quiet or not accelerator.is_main_process,
            )
            # Processes ask whether to stop equally often.
            for number in range(-(-len(batches) // count)):
                if number < len(own):
                    positions, began = own[number], time.monotonic()
                    unended: set[int] = set()
                    with accelerator.autocast():
                        written = generate_explanations(
                            task.model,
                            strategy.encoder,  # type: ignore[attr-defined]
                            [items[position] for position in positions],
                            frames=strategy.frames,  # type: ignore[attr-defined]
                            faces=strategy.faces,  # type: ignore[attr-defined]
                            batch_size=len(positions),
                            max_new_tokens=generation.max_new_tokens,
                            num_beams=generation.num_beams,
                            progress=False,
                            unended=unended,
                        )
                    new = {
                        p: (text, place not in unended)
                        for place, (p, text) in enumerate(zip(positions, written, strict=True))
                    }
                    took = time.monotonic() - began
                    _append(file, new, took)
                    texts, seconds = texts | new, seconds + took
                    bar.update(len(positions) * count)
                reason = stopping.reason()
                if reason is not None:
                    bar.close()
                    _logger.warning(
                        "Stopped while explaining %s on %s. Start the same command again to continue.",
                        split,
                        reason.value,
                    )
                    reason.end_process()
                    return None
            bar.close()
            everywhere = dict(gather_object(list(texts.items())))
            in_order = [everywhere[position] for position in range(len(items))]
            found[split] = WrittenTexts(
                tuple(text for text, _ in in_order),
                sum(not ended for _, ended in in_order),
                max(gather_object([seconds])),
            )
    return found


def fixed_batches(lengths: list[int], batch_size: int) -> list[list[int]]:
    """Batches of positions of similar length, the longest first.

    Args:
        lengths: Length of each item.
        batch_size: Items of a batch.

    Example:
        >>> fixed_batches([3, 9, 5], 2)
        [[1, 2], [0]]
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


def read_written(file: Path) -> tuple[dict[int, tuple[str, bool]], float]:
    """Reads what a session has left; a line that was cut off by its end is dropped from the file.

    Args:
        file: A JSON object per batch: ``seconds``, and as ``texts`` positions to texts and whether they ended.

    Returns:
        Texts and whether they ended by position, and the seconds of all batches.

    Raises:
        InvalidDataError: A line that was not cut off is damaged.
    """
    if not file.is_file():
        return {}, 0.0
    content = read_bytes(file)
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with open(file, "r+b") as stream:
            stream.truncate(len(whole))
    texts: dict[int, tuple[str, bool]] = {}
    seconds = 0.0
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            batch = parse_json(line.decode("utf-8"), str(file), first_line=number)
            found = {int(position): (text, ended) for position, (text, ended) in batch["texts"].items()}
            if not all(isinstance(text, str) and isinstance(ended, bool) for text, ended in found.values()):
                raise TypeError
            texts.update(found)
            seconds += float(batch["seconds"])
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError):
            raise InvalidDataError(
                f"{file}, line {number}: damaged, not a batch of texts as this command writes them. Remove the file, "
                "and the texts are written again."
            ) from None
    return texts, seconds


def _append(file: Path, texts: dict[int, tuple[str, bool]], seconds: float) -> None:
    with open(file, "a", encoding="utf-8") as stream:
        stream.write(json.dumps({"seconds": seconds, "texts": texts}) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
