"""The table of a cross-validation: out-of-fold scores with standard errors, differences to the baseline, the gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.cross_validation.errors import crossed_mean_and_error
from iemomecp_dataset.benchmark.cross_validation.joining import concerns_folds
from iemomecp_dataset.benchmark.cross_validation.structural import StructuralFolds
from iemomecp_dataset.benchmark.runs.results import RunResults
from iemomecp_dataset.folds import Folds
from iemomecp_dataset.markdown_text import markdown_text

__all__ = ["CrossValidationRow", "leak_notes", "table_as_json", "table_as_markdown", "table_as_text", "table_rows"]

_SCORES = ("pair_f1", "pair_auprc")


@dataclass(frozen=True)
class CrossValidationRow:
    """One line of the table; scores are shares from 0 to 1, NaN where they cannot be computed.

    Attributes:
        name: The variant, or the structural baseline.
        kind: ``variant`` or ``structural``.
        cells: Runs that are finished.
        cells_in_all: Runs that there should be; 0 for a structural baseline.
        missing: The states of the others, in words.
        pair_f1: Of all folds together, averaged over the seeds that have all of them.
        pair_f1_error: Standard error over folds and seeds.
        pair_auprc: Likewise.
        pair_auprc_error: Likewise.
        pair_f1_difference: To the baseline, averaged over folds and seeds that both have.
        pair_f1_difference_error: Standard error of that, paired by fold and seed.
        pair_auprc_difference: Likewise.
        pair_auprc_difference_error: Likewise.
        development: Pair F1 on validation, where epoch and threshold were chosen, averaged over the runs.
        gap: ``development`` minus the average Pair F1 on the folds of the same runs.
        minutes: Training time of all runs together.
        leaks: Finished runs whose training data shares something with the fold that they predict, or may.
        reason: Why a score is not there.
    """

    name: str
    kind: str
    cells: int
    cells_in_all: int
    missing: str
    pair_f1: float
    pair_f1_error: float
    pair_auprc: float
    pair_auprc_error: float
    pair_f1_difference: float
    pair_f1_difference_error: float
    pair_auprc_difference: float
    pair_auprc_difference_error: float
    development: float
    gap: float
    minutes: float
    leaks: int = 0
    reason: str = ""


def table_rows(
    folds: Folds,
    seeds: Sequence[int],
    variants: Sequence[str],
    records: Mapping[tuple[str, int, int], RunResults],
    pooled: Mapping[tuple[str, int], Mapping[str, Any]],
    structural: Sequence[StructuralFolds] = (),
    states: Mapping[tuple[str, int, int], str] | None = None,
) -> list[CrossValidationRow]:
    """Builds the table.

    Args:
        folds: The folds.
        seeds: The seeds.
        variants: Names of the variants, the baseline first.
        records: By variant, seed and fold the record of a finished run.
        pooled: By variant and seed the scores of all folds together.
        structural: The structural baselines.
        states: By variant, seed and fold the state of a run that is not finished, in a word.

    Returns:
        Structural baselines first, then the variants in their order.
    """
    n_folds = folds.n
    test = {name: _grid(records, name, seeds, n_folds, "test") for name in variants}
    base = test[variants[0]]
    rows = []
    for one in structural:
        by_fold = {
            score: np.array([scores.get(score, math.nan) for scores in one.of_folds] or [math.nan] * n_folds)
            for score in _SCORES
        }
        rows.append(_structural_row(one, by_fold, base))
    for name in variants:
        cells = [(seed, fold) for seed in seeds for fold in range(1, n_folds + 1)]
        lacking = [(seed, fold) for seed, fold in cells if (name, seed, fold) not in records]
        words = ", ".join(
            f"fold {fold} seed {seed} {(states or {}).get((name, seed, fold), 'missing')}" for seed, fold in lacking
        )
        whole = [pooled[name, seed] for seed in seeds if (name, seed) in pooled]
        development = _grid(records, name, seeds, n_folds, "validation")["pair_f1"]
        of_folds = test[name]
        found = {score: _mean([scores[score] for scores in whole]) for score in _SCORES}
        errors = {score: _over_complete_seeds(of_folds[score])[1] for score in _SCORES}
        is_base = name == variants[0]
        differences = {
            score: (math.nan, math.nan) if is_base else _over_complete_seeds(of_folds[score] - base[score])
            for score in _SCORES
        }
        finished = [records[key] for key in records if key[0] == name]
        rows.append(
            CrossValidationRow(
                name=name,
                kind="variant",
                cells=len(cells) - len(lacking),
                cells_in_all=len(cells),
                missing=words,
                **_named(found, errors, differences),
                development=_mean(development[~np.isnan(development)]),
                gap=_mean((development - of_folds["pair_f1"])[~np.isnan(development - of_folds["pair_f1"])]),
                minutes=sum(record.wall_seconds for record in finished) / 60 if finished else math.nan,
                leaks=sum(any(map(concerns_folds, record.extra.get("leaks") or ())) for record in finished),
                reason="" if whole else "no seed has the runs of all folds",
            )
        )
    return rows


def _structural_row(
    one: StructuralFolds, by_fold: Mapping[str, NDArray[np.float64]], base: Mapping[str, NDArray[np.float64]]
) -> CrossValidationRow:
    found = {score: float(one.pooled.get(score, math.nan)) for score in _SCORES}
    errors = {score: crossed_mean_and_error(by_fold[score][:, None])[1] for score in _SCORES}
    differences = {score: _over_complete_seeds(by_fold[score][:, None] - base[score]) for score in _SCORES}
    development = _mean([scores["pair_f1"] for scores in one.development])
    return CrossValidationRow(
        name=one.display_name,
        kind="structural",
        cells=0,
        cells_in_all=0,
        missing="",
        **_named(found, errors, differences),
        development=development,
        gap=development - _mean(by_fold["pair_f1"].tolist()),
        minutes=math.nan,
        leaks=0,
        reason="" if one.pooled else one.description,
    )


def _named(
    found: Mapping[str, float], errors: Mapping[str, float], differences: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    named: dict[str, float] = {}
    for score in _SCORES:
        named |= {score: found[score], f"{score}_error": errors[score]}
        named |= {f"{score}_difference": differences[score][0], f"{score}_difference_error": differences[score][1]}
    return named


def _grid(
    records: Mapping[tuple[str, int, int], RunResults], name: str, seeds: Sequence[int], n_folds: int, split: str
) -> dict[str, NDArray[np.float64]]:
    """``(F, S)`` by score, NaN where a run is missing."""
    found = {score: np.full((n_folds, len(seeds)), np.nan) for score in _SCORES}
    for place, seed in enumerate(seeds):
        for fold in range(1, n_folds + 1):
            record = records.get((name, seed, fold))
            for score in _SCORES if record is not None else ():
                found[score][fold - 1, place] = record.metrics.get(split, {}).get(score, math.nan)  # type: ignore[union-attr]
    return found


def _over_complete_seeds(scores: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and error over the seeds that have every fold; without one, over the folds that all seeds with runs have."""
    scores = scores[:, ~np.isnan(scores).all(axis=0)]
    complete = ~np.isnan(scores).any(axis=0)
    if complete.any():
        return crossed_mean_and_error(scores[:, complete])
    some = ~np.isnan(scores).any(axis=1)
    return crossed_mean_and_error(scores[some]) if some.any() else (math.nan, math.nan)


def _mean(values: Any) -> float:
    values = np.asarray(values, dtype=np.float64)
    return float(values.mean()) if values.size else math.nan


def leak_notes(records: Mapping[tuple[str, int, int], RunResults]) -> list[str]:
    """Says which data the splits of the runs share, and in which of them.

    Args:
        records: By variant, seed and fold the record of a finished run, whose test split is the fold.

    Returns:
        One sentence for each leak that a run states, with its variants and folds.
    """
    of_leak: dict[str, dict[str, set[int]]] = {}
    for (name, _, fold), record in records.items():
        for leak in record.extra.get("leaks") or ():
            of_leak.setdefault(leak, {}).setdefault(name, set()).add(fold)
    everyone = {name for name, _, _ in records}
    notes = []
    for leak, of_variants in of_leak.items():
        by_folds: dict[tuple[int, ...], list[str]] = {}
        for name, of in of_variants.items():
            by_folds.setdefault(tuple(sorted(of)), []).append(name)
        where = "; ".join(
            f"{'all variants' if {*names} == everyone and len(names) > 1 else ', '.join(names)}, "
            f"fold{'s' * (len(of) > 1)} {', '.join(map(str, of))}"
            for of, names in by_folds.items()
        )
        which = "Training data and fold may not be apart" if concerns_folds(leak) else "Splits share data"
        notes.append(f"{which} ({where}; test is the fold): {leak}")
    return notes


def table_as_json(
    rows: Sequence[CrossValidationRow], folds: Folds, seeds: Sequence[int], leaks: Sequence[str] = ()
) -> dict[str, Any]:
    """Lays the table out as JSON values; what cannot be computed is null, with its reason.

    Args:
        rows: From :func:`table_rows`.
        folds: The folds.
        seeds: The seeds.
        leaks: From :func:`leak_notes`.
    """

    def plain(row: CrossValidationRow) -> dict[str, Any]:
        values = asdict(row)
        return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}

    return {
        "corpus": folds.corpus,
        "config_name": folds.config_name,
        "synthetic": folds.synthetic,
        "split": folds.split,
        "folds": folds.n,
        "digest": folds.digest,
        "seeds": list(seeds),
        "leaks": list(leaks),
        "rows": [plain(row) for row in rows],
    }


_HEADINGS = (
    "variant",
    "Pair F1",
    "AUPRC",
    "F1 − baseline",
    "AUPRC − baseline",
    "development",
    "gap",
    "minutes",
    "runs",
)


def _lines(rows: Sequence[CrossValidationRow]) -> list[tuple[str, ...]]:
    return [
        (
            f"{'* ' * (row.kind == 'structural')}{row.name}",
            _with_error(row.pair_f1, row.pair_f1_error),
            _with_error(row.pair_auprc, row.pair_auprc_error),
            _with_error(row.pair_f1_difference, row.pair_f1_difference_error, signed=True),
            _with_error(row.pair_auprc_difference, row.pair_auprc_difference_error, signed=True),
            _percent(row.development),
            _percent(row.gap, signed=True),
            "" if math.isnan(row.minutes) else f"{row.minutes:.1f}",
            "" if row.kind == "structural" else f"{row.cells}/{row.cells_in_all}",
        )
        for row in rows
    ]


def _percent(value: float, *, signed: bool = False) -> str:
    return "–" if math.isnan(value) else f"{100 * value:+.2f}" if signed else f"{100 * value:.2f}"


def _with_error(value: float, error: float, *, signed: bool = False) -> str:
    text = _percent(value, signed=signed)
    return text if math.isnan(value) or math.isnan(error) else f"{text} ± {100 * error:.2f}"


def notes_of(
    rows: Sequence[CrossValidationRow], folds: Folds, seeds: Sequence[int], leaks: Sequence[str] = ()
) -> list[str]:
    """Says what the table shows, and what is missing from it.

    Args:
        rows: From :func:`table_rows`.
        folds: The folds.
        seeds: The seeds.
        leaks: From :func:`leak_notes`.
    """
    listed = " ".join(map(str, seeds))
    data = f"{folds.corpus} ({folds.config_name})" + ", SYNTHETIC dialogues made up by this package" * folds.synthetic
    notes = [
        f"{data}: {folds.n} folds of the {folds.split} split (salt {folds.salt!r}, digest {folds.digest}), "
        f"seed{'s' * (len(seeds) > 1)} {listed}. In percent; Pair F1 and AUPRC of all folds together, averaged over "
        "seeds; ± is the standard error over folds and seeds, that of a difference paired by fold and seed.",
        "Development is Pair F1 on validation, which chose epoch and threshold; the gap is development minus Pair F1 "
        "on the folds.",
    ]
    if any(row.kind == "structural" for row in rows):
        notes.append("* structural baseline, fitted without the fold that it predicts.")
    lacking = [row for row in rows if row.missing]
    for row in lacking:
        why = f" {row.reason[0].upper()}{row.reason[1:]}: Pair F1 and AUPRC are not computed." if row.reason else ""
        notes.append(
            f"{row.name}: {row.cells_in_all - row.cells} of {row.cells_in_all} runs are missing ({row.missing}).{why}"
        )
    notes += [f"{row.name}: {row.reason}" for row in rows if row.reason and not row.missing]
    return [*notes, *leaks]


def table_as_text(
    rows: Sequence[CrossValidationRow], folds: Folds, seeds: Sequence[int], leaks: Sequence[str] = ()
) -> str:
    """Lays the table out for a terminal.

    Args:
        rows: From :func:`table_rows`.
        folds: The folds.
        seeds: The seeds.
        leaks: From :func:`leak_notes`.
    """
    lines = [_HEADINGS, *_lines(rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(_HEADINGS))]

    def laid_out(line: tuple[str, ...]) -> str:
        first = f"{line[0]:<{widths[0]}}"
        return "  ".join([first, *(f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))])

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([laid_out(lines[0]), rule, *map(laid_out, lines[1:]), "", *notes_of(rows, folds, seeds, leaks)])


def table_as_markdown(
    rows: Sequence[CrossValidationRow], folds: Folds, seeds: Sequence[int], leaks: Sequence[str] = ()
) -> str:
    """Lays the table out as Markdown.

    Args:
        rows: From :func:`table_rows`.
        folds: The folds.
        seeds: The seeds.
        leaks: From :func:`leak_notes`.
    """

    def laid_out(line: tuple[str, ...]) -> str:
        return f"| {' | '.join(line)} |"

    body = [(markdown_text(line[0]), *line[1:]) for line in _lines(rows)]
    rule = f"|{'---|' + '---:|' * (len(_HEADINGS) - 1)}"
    notes = [markdown_text(note) for note in notes_of(rows, folds, seeds, leaks)]
    return "\n".join([laid_out(_HEADINGS), rule, *map(laid_out, body), "", "\n\n".join(notes), ""])
