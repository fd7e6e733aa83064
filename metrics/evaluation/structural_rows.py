"""Structural rows beside the scores of a file: what they hold, and how they are printed and stored.

They are computed in :mod:`iemomecp_dataset.benchmark.baselines`, which is above this room.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import UsageError, did_you_mean, quoted_where_commas
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions, FileComparison
from iemomecp_dataset.metrics.evaluation.text_layout import columns
from iemomecp_dataset.metrics.evaluation.uncertainty import paired_tests
from iemomecp_dataset.metrics.evaluation.units import in_unit
from iemomecp_dataset.metrics.significance.bootstrap import Interval, resample_systems
from iemomecp_dataset.metrics.significance.counts import UnitCounts

__all__ = [
    "StructuralRow",
    "StructuralRows",
    "compared_with",
    "named_row",
    "structural_as_json",
    "structural_lines",
    "system_less_rows",
]

_WIDTH = 110
_BAR = ("distance", "distance_only")
"""The word for the bar, and its key."""


@dataclass(frozen=True)
class StructuralRow:
    """One structural row on the items of a file.

    Attributes:
        key: Key in ``results.json``.
        name: Name in tables.
        description: What it does and what it uses.
        decision: The decision rule in words; empty where nothing is decided.
        signature: Of its scores.
        scores: By name, shares as in files; NaN where one is undefined.
        differences: The file minus the row, by score; fewer or none where they do not compare.
        remark: What a reader must know, such as why there is no difference; often empty.
    """

    key: str
    name: str
    description: str
    decision: str
    signature: str
    scores: Mapping[str, float]
    differences: Mapping[str, Interval] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class StructuralRows:
    """The structural rows beside a file.

    Attributes:
        of: The file.
        items: What it and the rows were scored on, in words.
        columns: Name and heading of the scores that are printed.
        compared: Name of the scores whose differences are printed, of those.
        own: The scores of the file.
        own_decision: Its decision rule in words.
        rows: The rows, from the least to the most informed.
        absent: Name of each row that is not there, and why.
        comparison: Paired tests of the file and one row, where they were asked for.
    """

    of: Path
    items: str
    columns: tuple[tuple[str, str], ...]
    compared: tuple[str, ...]
    own: Mapping[str, Any]
    own_decision: str
    rows: tuple[StructuralRow, ...]
    absent: Mapping[str, str]
    comparison: FileComparison | None = None


def named_row(name: str, names: Mapping[str, str], absent: Mapping[str, str]) -> str:
    """Finds a row by what a user calls it.

    Args:
        name: Its key or its name in any case, the name also without what stands in brackets; ``distance`` is the bar,
            distance only. A word that one name alone has is enough.
        names: The rows that are there, name by key.
        absent: Those that are not, and why.

    Returns:
        Its key.

    Raises:
        UsageError: There is no such row; the message lists those there are.

    Example:
        >>> names = {"distance_only": "distance only", "emotion_x_distance": "emotion x distance (TF-IDF)"}
        >>> named_row("distance", names, {}), named_row("Emotion x distance", names, {})
        ('distance_only', 'emotion_x_distance')
    """
    wanted = _bare(_BAR[1] if name.strip().lower() == _BAR[0] else name)
    for key, one in names.items():
        if wanted in (_bare(key), _bare(one), _bare(one.partition(" (")[0])):
            return key
    for one, reason in absent.items():
        if wanted in (_bare(one), _bare(one.partition(" (")[0])):
            raise UsageError(f"There is no row {one!r} to compare with: {reason} {_listed(names)}")
    # A word that one name alone has is enough: "previous" of "speaker's previous emotion".
    with_word = [key for key, one in names.items() if f" {wanted} " in f" {_words(one)} "]
    if len(with_word) == 1:
        return with_word[0]
    raise UsageError(
        f"There is no file {name} and no structural row of that name. {did_you_mean(name, names.values())}"
    )


def system_less_rows(
    own: UnitCounts | None, rows: Sequence[StructuralRow], counts: Sequence[UnitCounts], options: EvaluationOptions
) -> tuple[StructuralRow, ...]:
    """Gives rows the differences to a file, by a paired bootstrap over dialogues.

    Args:
        own: Counts of the file; ``None`` without rows.
        rows: The rows.
        counts: Theirs, on the same dialogues.
        options: How to resample.

    Returns:
        The rows with the differences of the scores that both have; without, where no resamples are asked for, or with
        one dialogue alone.
    """
    if own is None or not rows or not options.n_resamples or len(own.units) < 2:
        return tuple(rows)
    first, *others = resample_systems(
        [own, *counts],
        n_resamples=options.n_resamples,
        confidence=options.confidence,
        seed=options.seed,
        progress=options.progress,
    )
    return tuple(
        replace(row, differences={name: one for name, one in first.less(other).items() if not math.isnan(one.estimate)})
        for row, other in zip(rows, others, strict=True)
    )


def compared_with(
    found: StructuralRows, compare: str | None, counts: Sequence[UnitCounts], options: EvaluationOptions
) -> StructuralRows:
    """Adds the paired tests of a file against one of its rows.

    Args:
        found: The rows beside the file.
        compare: What a user calls the row; None: no tests are asked for.
        counts: Of the file, then of each row, in their order, on the same dialogues.
        options: How to resample.

    Returns:
        The same, with the tests where they are asked for.

    Raises:
        UsageError: There is no such row.
    """
    if compare is None:
        return found
    names = {row.key: row.name for row in found.rows}
    place = list(names).index(named_row(compare, names, found.absent))
    pair = [counts[0], counts[1 + place]]
    return replace(found, comparison=paired_tests(found.of, found.rows[place].name, pair, options))


def structural_lines(rows: StructuralRows) -> list[str]:
    """Lays out the rows as text.

    Args:
        rows: The rows.

    Returns:
        Lines: a heading, the file and the rows, then what is to be said of them.
    """
    found: list[str] = []
    if rows.rows:
        some = next((one for row in rows.rows for one in row.differences.values()), None)
        shown = [(key, title) for key, title in rows.columns if any(key in row.scores for row in rows.rows)]
        compared = [key for key in rows.compared if any(key in row.differences for row in rows.rows)]
        titles = dict(rows.columns)
        has_decisions = bool(rows.own_decision)
        lines: list[tuple[str, ...]] = [
            (
                "",
                *(title for _, title in shown),
                *(f"file - row, {titles[key]}" for key in compared),
                *(["decision"] if has_decisions else []),
            )
        ]
        for name, scores, differences, decision in (
            ("this file", rows.own, {}, rows.own_decision),
            *((row.name, row.scores, row.differences, row.decision) for row in rows.rows),
        ):
            lines.append(
                (
                    name,
                    *(in_unit(key, scores.get(key, float("nan")), undefined="-") for key, _ in shown),
                    *(_difference(key, differences) for key in compared),
                    *([decision] if has_decisions else []),
                )
            )
        how = ""
        if some is not None:
            how = (
                f"; differences with {100 * some.confidence:g} % intervals, paired bootstrap, {some.n_resamples} "
                f"resamples of {some.n_units} source dialogues"
            )
        found += [*_wrapped(f"structural rows on {rows.items}{how}"), *columns(lines)]
    else:
        found.append("structural rows: none")
    for row in rows.rows:
        if row.remark:
            found += _wrapped(f"{row.name}: {row.remark}")
    return [*found, *(line for text in _absent_words(rows.absent) for line in _wrapped(text))]


def structural_as_json(rows: StructuralRows) -> dict[str, Any]:
    """Lays out the rows as JSON values, scores as shares.

    Args:
        rows: The rows.

    Returns:
        ``difference, rows, absent``.
    """
    return {
        "difference": "file minus row",
        "rows": [
            {
                "key": row.key,
                "name": row.name,
                "description": row.description,
                "decision": row.decision,
                "signature": row.signature,
                "scores": dict(row.scores),
                "differences": {name: asdict(one) for name, one in row.differences.items()},
                "remark": row.remark,
            }
            for row in rows.rows
        ],
        "absent": dict(rows.absent),
    }


def _bare(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("+", " and ").split())


def _words(name: str) -> str:
    """The words of a name, without signs between them."""
    return " ".join(_bare(name).translate(str.maketrans("(),", "   ")).split())


def _listed(names: Mapping[str, str]) -> str:
    return f"Rows that are there: {quoted_where_commas(names.values())}." if names else "No row is there."


def _difference(key: str, differences: Mapping[str, Interval]) -> str:
    one = differences.get(key)
    if one is None:
        return "-"
    middle, low, high = (in_unit(key, value, signed=True) for value in (one.estimate, one.low, one.high))
    return f"{middle} [{low}, {high}]"


def _absent_words(absent: Mapping[str, str]) -> list[str]:
    """One sentence for all rows of one reason."""
    of_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        of_reason.setdefault(reason, []).append(name)
    return [f"not here: {', '.join(names)}: {reason}" for reason, names in of_reason.items()]


def _wrapped(text: str) -> Sequence[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
