"""The triangle of pairs of one conversation, as SVG."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.excerpts import shortened
from iemomecp_dataset.pictures.palette import DARK, LIGHT
from iemomecp_dataset.pictures.words import (
    SYNTHETIC,
    decision_in_words,
    printable,
    role_in_words,
)

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation, PredictedPair

__all__ = ["TRIANGLE_STYLE", "pair_triangle", "triangle_within_page"]

TRIANGLE_STYLE = """\
.iemomecp-triangle text { fill: var(--muted); font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.iemomecp-triangle .iemomecp-tick { font-size: 10px; font-variant-numeric: tabular-nums; }
.iemomecp-triangle .iemomecp-heading { fill: var(--ink); font-size: 14px; font-weight: 600; }
.iemomecp-triangle .iemomecp-warning { fill: var(--warn-ink); }
.iemomecp-triangle .iemomecp-warned { fill: var(--warn-paper); stroke: var(--series-1); }
.iemomecp-triangle .iemomecp-candidate { fill: var(--grid); fill-opacity: 0.35; }
.iemomecp-triangle .iemomecp-probable { fill: var(--series-0); }
.iemomecp-triangle .iemomecp-context { fill: var(--series-4); }
.iemomecp-triangle .iemomecp-mark { fill: none; stroke: var(--ink); }
"""
"""Rules of the drawing; colours are the variables of the palette."""

_TITLED = 2500
"""So many cells have a shape and a title of their own, as browsers slow down with more; the rest has few shapes."""
_FAINTEST = 0.02
_DARKEST = 0.85
_LEVELS = 20
_LEFT, _TOP = 46.0, 40.0
_NARROWEST = 440.0


def pair_triangle(predicted: PredictedConversation, *, threshold: float | None = None) -> str:
    """Draws the candidate pairs of a conversation: rows are targets, columns candidate causes.

    The shade of a cell is P(pair); a ring marks a pair of the first class that the decision rule decides, a bar one of
    another role. Pairs that are no candidates stay blank. Each cell has a title with both utterances, role and
    probabilities; of more than 2500 candidates those that are decided and the most probable ones have.

    Args:
        predicted: What a model predicts for it.
        threshold: Decide by P(class 0) at least this in place of the model's own rule.

    Returns:
        One ``<svg>`` element, escaped, without scripts and references; light or dark as the reader's screen is.
    """
    if threshold is not None:
        predicted = predicted.with_threshold(threshold)
    return _drawing(predicted, alone=True)


def triangle_within_page(predicted: PredictedConversation) -> str:
    """Draws the same without heading, rule and style, which the page around it has.

    Args:
        predicted: What a model predicts for a conversation.

    Returns:
        One ``<svg>`` element for a page with :data:`TRIANGLE_STYLE` and the palette's variables.
    """
    return _drawing(predicted, alone=False)


def _drawing(predicted: PredictedConversation, *, alone: bool) -> str:
    n = len(predicted.conversation.utterances)
    cell = min(22.0, max(6.0, 1200.0 / n))
    width = max(_NARROWEST, _LEFT + n * cell + 12)
    heading, taken = _heading(predicted, width) if alone else ("", 0.0)
    top = _TOP + taken
    legend_at = top + n * cell + 18
    legend = _legend(predicted, width)
    height = legend_at + 22 * (1 + max(row for _, row, _ in legend))
    name = printable(predicted.conversation.name)
    # In a page it grows a little where there is room; a large one is scrolled rather than made illegible.
    sizes = f'width="{width:g}" height="{height:g}"'
    if not alone:
        sizes = f'style="max-width: {1.2 * width:.0f}px; min-width: {min(width, _LEFT + 4.5 * n):.0f}px"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="iemomecp-triangle" viewBox="0 0 {width:g} {height:g}" '
        f'{sizes} role="img" aria-label="{escape(_alternative(predicted))}" '
        f'data-cell="{cell:g}" data-left="{_LEFT:g}" data-top="{top:g}">',
    ]
    if alone:
        paper = f'<rect class="iemomecp-paper" width="{width:g}" height="{height:g}"/>'
        parts += [f"<title>{escape(name)}</title>", _own_style(), paper, heading]
    parts.append(f'<g transform="translate({_LEFT:g} {top:g})">{_axes(n, cell)}{_cells(predicted, cell)}</g>')
    parts.append(f'<g transform="translate(8 {legend_at:g})">')
    parts += [f'<g transform="translate({x:g} {22 * row})">{drawn}</g>' for x, row, drawn in legend]
    parts.append("</g></svg>")
    return "".join(parts)


def _own_style() -> str:
    """The rules with colours put in for variables, which editors of drawings do not know."""
    rules = f"{TRIANGLE_STYLE}.iemomecp-triangle .iemomecp-paper {{ fill: var(--paper); }}\n"

    def filled(colors: Mapping[str, str]) -> str:
        return re.sub(r"var\(--([a-z0-9-]+)\)", lambda found: colors[found[1]], rules)

    dark = re.sub(r"^(?=\.)", "  ", filled(DARK), flags=re.M)
    return f"<style>\n{filled(LIGHT)}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n</style>"


def _heading(predicted: PredictedConversation, width: float) -> tuple[str, float]:
    """Name, decision rule and, of a model of synthetic text, the warning; and the height that they take."""
    fits = int((width - 16) / 6.1)
    drawn, y = "", 20.0
    if predicted.synthetic:
        warning = textwrap.wrap(f"SYNTHETIC: {SYNTHETIC}", fits - 3)
        drawn += (
            f'<rect class="iemomecp-warned" x="4" y="4" width="{width - 8:g}" height="{18 * len(warning) + 6}" rx="4"/>'
        )
        drawn += "".join(_text(12, y + 18 * i, line, "iemomecp-warning") for i, line in enumerate(warning))
        y += 18.0 * len(warning) + 10
    drawn += _text(8, y, shortened(printable(predicted.conversation.name), int(fits * 0.85)), "iemomecp-heading")
    rule = textwrap.wrap(printable(decision_in_words(predicted)), fits)
    drawn += "".join(_text(8, y + 18 * i, line) for i, line in enumerate(rule, start=1))
    return drawn, y + 18.0 * len(rule)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    css = f' class="{kind}"' if kind else ""
    at = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}"{css}{at}>{escape(words)}</text>'


def _axes(n: int, cell: float) -> str:
    step = next(step for step in (1, 2, 5, 10, 20, 50) if step * cell >= 18 or step == 50)
    turns = [turn for turn in range(1, n + 1) if turn == 1 or turn % step == 0]
    if step > 1 and len(turns) > 1 and turns[1] * cell < cell + 18:
        turns.pop(0)
    places = [(turn, (turn - 0.5) * cell) for turn in turns]
    across = "".join(_text(x, -6, str(turn), "iemomecp-tick", "middle") for turn, x in places)
    down = "".join(_text(-6, y + 3.5, str(turn), "iemomecp-tick", "end") for turn, y in places)
    return f"{_text(-2, -23, 'cause turn →')}<g>{across}{down}</g>{_down_label(n, cell)}"


def _down_label(n: int, cell: float) -> str:
    words = "emotion of turn →" if n * cell > 110 else "emotion"
    return f'<text transform="translate(-36 {min(n * cell / 2, 120):g}) rotate(90)" text-anchor="middle">{words}</text>'


def _cells(predicted: PredictedConversation, cell: float) -> str:
    targets, causes, pairs = predicted.targets, predicted.causes, predicted.pairs
    probabilities = np.array([pair.probability for pair in pairs])
    gap = 1.0 if cell >= 10 else 0.0
    titled = _titled(predicted, probabilities)
    parts = [f'<path class="iemomecp-candidate" d="{_squares(targets, causes, cell, gap)}"/>']
    # What has no title of its own is drawn first: one path per level of shade.
    levels = np.where(titled | (probabilities < _FAINTEST), 0, np.ceil(probabilities * _LEVELS)).astype(np.int64)
    for level in range(1, _LEVELS + 1):
        here = levels == level
        if here.any():
            drawn = _squares(targets[here], causes[here], cell, gap)
            shade = _DARKEST * level / _LEVELS
            parts.append(f'<path class="iemomecp-probable" fill-opacity="{shade:.3g}" d="{drawn}"/>')
    # Marks of decided pairs come last, as a ring may be larger than a small cell.
    for i in sorted(np.flatnonzero(titled), key=lambda i: pairs[i].decided):
        parts.append(_cell(predicted, pairs[i], cell, gap))
    return "".join(parts)


def _titled(predicted: PredictedConversation, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pairs have an element of their own: all of a few, else those decided and the most probable ones."""
    if len(probabilities) <= _TITLED:
        return np.ones(len(probabilities), dtype=np.bool_)
    decided = predicted.labels != len(predicted.class_names) - 1
    found: NDArray[np.bool_] = decided.copy()
    found[np.argsort(-probabilities, kind="stable")[: max(0, _TITLED - int(decided.sum()))]] = True
    return found


def _squares(targets: Iterable[int], causes: Iterable[int], cell: float, gap: float) -> str:
    """Squares of pairs as path data; without gaps those side by side are one rectangle."""
    runs: list[list[int]] = []
    for target, cause in zip(targets, causes, strict=True):
        if not gap and runs and runs[-1][0] == target and runs[-1][1] + runs[-1][2] == cause:
            runs[-1][2] += 1
        else:
            runs.append([int(target), int(cause), 1])
    side = cell - 2 * gap
    return "".join(
        f"M{(cause - 1) * cell + gap:g} {(target - 1) * cell + gap:g}h{length * cell - 2 * gap:g}v{side:g}"
        f"h{-(length * cell - 2 * gap):g}z"
        for target, cause, length in runs
    )


def _cell(predicted: PredictedConversation, pair: PredictedPair, cell: float, gap: float) -> str:
    x, y = (pair.cause_turn - 1) * cell, (pair.target_turn - 1) * cell
    shade = _DARKEST * pair.probability if pair.probability >= _FAINTEST else 0.0
    square = (
        f'<rect class="iemomecp-probable" x="{gap:g}" y="{gap:g}" width="{cell - 2 * gap:g}" '
        f'height="{cell - 2 * gap:g}" fill-opacity="{shade:.3g}"/>'
    )
    mark = ""
    if pair.decided:
        mark = _ring(cell) if pair.label == predicted.class_names[0] else _bar(cell)
    return (
        f'<g transform="translate({x:g} {y:g})" data-target="{pair.target_turn}" data-cause="{pair.cause_turn}">'
        f"{square}{mark}<title>{escape(_title(predicted, pair))}</title></g>"
    )


def _ring(cell: float) -> str:
    return (
        f'<circle class="iemomecp-mark" cx="{cell / 2:g}" cy="{cell / 2:g}" r="{max(2.0, 0.225 * cell):g}" '
        f'stroke-width="{max(1.1, 0.08 * cell):.3g}"/>'
    )


def _bar(cell: float) -> str:
    thick = max(2.6, 0.3 * cell)
    return (
        f'<rect class="iemomecp-context" x="{0.1 * cell:g}" y="{(cell - thick) / 2:g}" width="{0.8 * cell:g}" '
        f'height="{thick:g}"/>'
    )


def _title(predicted: PredictedConversation, pair: PredictedPair) -> str:
    said = predicted.conversation.utterances
    length = 160 if len(predicted.pairs) < 300 else 70

    def line(turn: int) -> str:
        spoken = said[turn - 1]
        return printable(f"turn {turn}, {shortened(spoken.speaker, 40)}: {shortened(spoken.text, length)}")

    decided = f"decided: {role_in_words(pair.label)}" if pair.decided else "decided: no pair"
    each = ", ".join(f"P({name}) {value:.4f}" for name, value in pair.probabilities.items())
    return f"Emotion of {line(pair.target_turn)}\nCause: {line(pair.cause_turn)}\n{decided}; {each}"


def _alternative(predicted: PredictedConversation) -> str:
    """What the drawing shows, for those who do not see it."""
    decided = [pair for pair in predicted.pairs if pair.decided]
    listed = "; ".join(
        f"emotion of turn {pair.target_turn} because of turn {pair.cause_turn}, {role_in_words(pair.label)}"
        for pair in decided[:20]
    )
    more = f"; and {len(decided) - 20} more" if len(decided) > 20 else ""
    return printable(
        f"Pairs of {shortened(predicted.conversation.name, 60)}: {len(predicted.conversation.utterances)} turns, "
        f"{len(predicted.pairs)} candidate pairs, {len(decided)} decided" + (f": {listed}{more}." if decided else ".")
    )


def _legend(predicted: PredictedConversation, width: float) -> list[tuple[float, int, str]]:
    """Entries as ``(x, row, drawing)``."""
    side = 14.0
    base = f'<path class="iemomecp-candidate" d="M0 0h{side:g}v{side:g}h{-side:g}z"/>'
    entries = [(f"{base}{_text(20, 11.5, 'candidate')}", 98.0)]
    scale = "".join(
        f'<path class="iemomecp-candidate" d="M{17 * i} 0h14v14h-14z"/>'
        f'<rect class="iemomecp-probable" x="{17 * i}" width="14" height="14" fill-opacity="{_DARKEST * level:.3g}"/>'
        for i, level in enumerate((0.25, 0.5, 0.75, 1.0))
    )
    entries.append((f"{scale}{_text(74, 11.5, 'P(pair) 25, 50, 75, 100 %')}", 250.0))
    first = role_in_words(predicted.class_names[0])
    entries.append((f"{base}{_ring(side)}{_text(20, 11.5, f'decided: {first}')}", 34.0 + 6.6 * (len(first) + 9)))
    for name in predicted.class_names[1:-1]:
        words = f"decided: {role_in_words(name)}"
        entries.append((f"{base}{_bar(side)}{_text(20, 11.5, words)}", 34.0 + 6.6 * len(words)))
    placed, x, row = [], 0.0, 0
    for drawn, wide in entries:
        if x and x + wide > width - 12:
            x, row = 0.0, row + 1
        placed.append((x, row, drawn))
        x += wide
    return placed
