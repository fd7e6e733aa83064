"""How the answers of language models were read: a bar per run, and the facts that their rows need beside scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from iemomecp_dataset.benchmark.board import Board
from iemomecp_dataset.benchmark.figures.style import legend_above
from iemomecp_dataset.benchmark.report.svg import (
    NARROW,
    Picture,
    page_figure,
    series_style,
    svg_picture,
    with_narrow_layout,
)
from iemomecp_dataset.benchmark.row_labels import MAX_DRAWN
from iemomecp_dataset.benchmark.runs.index import Run
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.metrics.evaluation.ladder import BY_SCHEMA
from iemomecp_dataset.trainers.language_model.sending import cost_words

__all__ = ["language_model_facts", "language_model_words", "reading_ladder_picture", "steps_of"]

_KEY = "language_model"
_SEEN = "may have seen test"


def steps_of(record: RunResults, split: str) -> dict[str, int]:
    """Reads how many answers were read at which step.

    Args:
        record: The record of a run.
        split: The split.

    Returns:
        Answers by step, in the order of the steps; empty for what is no run of a language model.
    """
    found: Any = record.extra.get(_KEY)
    for name in ("reading", split, "steps"):
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    counts = {str(step): number for step, number in found.items()}
    fit = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in counts.values())
    return counts if fit and sum(counts.values()) else {}


def reading_ladder_picture(board: Board, split: str) -> Picture | None:
    """Draws the share of answers at each step, a bar per run of a language model.

    Args:
        board: Comparable runs.
        split: The split.

    Returns:
        The picture; None where no run is of a language model.
    """
    found = [(run, steps) for row in board.trained[::-1] for run in row.runs if (steps := steps_of(run.results, split))]
    if not found:
        return None
    shown = found[:MAX_DRAWN]
    caption = (
        "Share of a language model's answers by the step at which they were read: valid by the schema that was asked "
        "for, as JSON inside a text, as pairs in words, or not at all. An unusable answer predicts nothing and "
        "stays in every denominator."
    )
    if len(shown) < len(found):
        caption += f" Shown are {len(shown)} of {len(found)} runs, those of the best systems."

    def drawn(narrow: bool) -> Picture:
        width, room = (NARROW, 1.0) if narrow else (8.0, 0.9)
        with page_figure(width, room + 0.42 * len(shown)) as figure:
            axes = figure.subplots()
            _bars(axes, shown)
            legend_above(figure, axes, columns=2 if narrow else 4, side="left")
            return svg_picture(figure, f"Answers that could be read, {split}", caption)

    return with_narrow_layout(drawn)


def language_model_facts(runs: Sequence[Run], splits: Sequence[str]) -> list[dict[str, str]]:
    """Lists the entries of language models in the table of runs.

    Args:
        runs: Comparable runs.
        splits: Splits with scores.

    Returns:
        By run texts by heading: shots, by split the share of answers that were valid by their schema, which is the
        first step, cost, and what it may have learned from. Empty where no run is of a language model.
    """
    if not any(isinstance(run.results.extra.get(_KEY), Mapping) for run in runs):
        return [{} for _ in runs]
    return [_facts(run.results, splits) for run in runs]


def language_model_words(runs: Sequence[Run], split: str) -> str:
    """Says below the name of a row what its scores cannot be read without.

    Args:
        runs: The runs of the row.
        split: The split that is shown.

    Returns:
        Shots, the share of answers read at the first step, over all runs, and that test may be known; empty for what
        is no language model.
    """
    about = [found for run in runs if isinstance(found := run.results.extra.get(_KEY), Mapping)]
    if not about:
        return ""
    shots = ", ".join(dict.fromkeys(_number_of_shots(one) for one in about))
    steps: Counter[str] = Counter()
    for run in runs:
        steps.update(steps_of(run.results, split))
    share = f", {_share(steps)} of answers read at step 1" if steps else ""
    seen = "" if all(run.results.synthetic for run in runs) else f", {_SEEN}"
    return f"language model, {shots} {'shot' if shots == '1' else 'shots'}{share}{seen}"


def _number_of_shots(about: Mapping[str, Any]) -> str:
    shots = about.get("shots")
    number = shots.get("number") if isinstance(shots, Mapping) else None
    return "–" if number is None else str(number)[:10]


def _share(steps: Mapping[str, int]) -> str:
    return f"{100 * steps.get(BY_SCHEMA, 0) / sum(steps.values()):.1f} %"


def _facts(record: RunResults, splits: Sequence[str]) -> dict[str, str]:
    about: Any = record.extra.get(_KEY)
    known = isinstance(about, Mapping)
    about = about if known else {}
    usage = about.get("usage")
    cost = usage.get("cost") if isinstance(usage, Mapping) else None
    facts = {"shots": _number_of_shots(about)}
    for split in splits:
        steps = steps_of(record, split)
        facts[f"{split} read at step 1"] = _share(steps) if steps else "–"
    facts["cost"] = cost_words(cost) if isinstance(cost, int | float) and math.isfinite(cost) else "–"
    return {**facts, "contamination": _SEEN if known and not record.synthetic else "–"}


def _bars(axes: Any, shown: Sequence[tuple[Run, Mapping[str, int]]]) -> None:
    names = list(dict.fromkeys(step for _, steps in shown for step in steps))
    left = [0.0] * len(shown)
    for place, name in enumerate(names):
        shares = [100 * steps.get(name, 0) / sum(steps.values()) for _, steps in shown]
        color = series_style(place)["color"]
        axes.barh(range(len(shown)), shares, 0.62, left=left, color=color, alpha=0.85, label=name)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_yticks(range(len(shown)), [run.results.run_name[:28] for run, _ in shown])
    axes.set_xlim(0, 100)
    axes.set_xlabel("answers, %")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
