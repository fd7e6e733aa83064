"""Time of the report, the diagnostics and the figures at the scale of IEMO-MECP, against their limits.

The corpus is synthetic with exactly the published counts; predictions are gold roles plus noise.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow, best_seconds

if TYPE_CHECKING:
    from iemomecp_dataset.corpus import Corpus

__all__ = ["OPENING_LIMIT", "SIZE_LIMIT", "WORK_LIMIT", "run"]

OPENING_LIMIT = 3.0
"""Time limit for opening the page of the largest case, in seconds."""
SIZE_LIMIT = 25e6
"""Size limit of that page, in bytes."""
WORK_LIMIT = 60.0
"""Time limit for all diagnostics and figures, and for writing the report, in seconds."""


def run(*, scale: str = "full") -> list[SpeedRow]:
    """Measures diagnostics and figures, the report, and opening the report in a browser.

    Args:
        scale: Scale of the synthetic corpus.

    Returns:
        One row for the diagnostics and figures of a run on each task, another for a report on all dialogues of the
        corpus with all texts, and a third for opening it if Chromium is installed.

    Raises:
        MissingDependencyError: matplotlib, jinja2 or scikit-learn is not installed.
    """
    from iemomecp_dataset.benchmark.report import Texts, write_report
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.corpus import load_corpus
    from iemomecp_dataset.pair_table import pair_table
    from iemomecp_dataset.synthetic import write_corpus

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_corpus(root / "data", scale=scale)
        corpora = {task: load_corpus(task, root / "data") for task in ("3class", "source_binary")}
        for task, corpus in corpora.items():
            _write_run(root / "runs" / task, corpus)
        roles = corpora["3class"]
        seconds = best_seconds(lambda: _diagnostics_and_figures(root / "runs", roles.rows, root / "figures"), 1)
        n_test = len(roles.tables["test"])
        found = [_row(f"all diagnostics, ten figures: {n_test:,} test pairs of both tasks", seconds, WORK_LIMIT)]

        everything = [row for of_split in roles.rows.values() for row in of_split]
        tables = {"train": roles.tables["train"], "test": pair_table(everything, roles.emotion_names)}
        rows = {"train": roles.rows["train"], "test": everything}
        _write_run(root / "all" / "run", replace(roles, rows=rows, tables=tables))
        texts = Texts({r["dialogue_id"]: [(u["speaker"], u["text"]) for u in r["utterances"]] for r in everything})
        page = root / "report.html"
        seconds = best_seconds(lambda: write_report(index_runs(root / "all"), page, texts=texts), 1)
        size = page.stat().st_size
        n_pairs = len(tables["test"])
        case = (
            f"{len(everything)} dialogues, {n_pairs:,} pairs, all texts, {size / 1e6:.1f} of {SIZE_LIMIT / 1e6:.0f} MB"
        )
        found.append(_row(f"report: {case}", seconds, WORK_LIMIT))
        browser = shutil.which("chromium")
        if browser is None:
            print("Chromium is not installed, so opening the report is not measured.", file=sys.stderr)
            return found
        empty = root / "empty.html"
        empty.write_text("<p>0 of 0</p>", encoding="utf-8")
        start = _opening_seconds(browser, empty, 0)
        opening = _opening_seconds(browser, page, len(everything))
        found.append(
            _row(f"opening that page, with starting Chromium (empty page: {start:.1f} s)", opening, OPENING_LIMIT)
        )
    return found


def _row(name: str, seconds: float, limit: float) -> SpeedRow:
    return SpeedRow(name, seconds, "its time limit", limit)


def _write_run(folder: Path, corpus: Corpus) -> None:
    """Writes a run folder with predictions that are the gold in noise, on all splits and after removal."""
    from iemomecp_dataset.benchmark.runs.results import Decision, run_results, write_results, write_run_predictions

    decision, n_classes = Decision(), len(corpus.class_names)
    predicted = {
        split: _noisy(table.labels, n_classes, 2.0) for split, table in corpus.tables.items() if split != "train"
    }
    folder.mkdir(parents=True)
    for split, probabilities in predicted.items():
        write_run_predictions(folder, corpus, split, probabilities, decision)
    removed = _noisy(corpus.tables["test"].labels, n_classes, 0.5)
    write_run_predictions(folder, corpus, "test", removed, decision, name="test_removed")
    record = run_results(
        corpus,
        predicted,
        decision,
        run_name=folder.name,
        scorer="noise",
        objective="gold in noise",
        modalities="",
        seed=0,
        settings={"objective": "noise"},
    )
    write_results(folder, record)


def _noisy(labels: NDArray[np.int64], n_classes: int, signal: float) -> NDArray[np.float64]:
    scores = np.random.default_rng(0).gumbel(size=(len(labels), n_classes))
    scores[np.arange(len(labels)), labels] += signal
    powers = np.exp(scores)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _diagnostics_and_figures(runs_dir: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]], output: Path) -> None:
    """Draws the figures of two runs and computes every diagnostic of the dataset paper and of RPCL."""
    from iemomecp_dataset.benchmark.diagnostics.binary_axis import binary_axis
    from iemomecp_dataset.benchmark.diagnostics.context_channel import context_channel, context_directions
    from iemomecp_dataset.benchmark.diagnostics.distance_profile import distance_profile
    from iemomecp_dataset.benchmark.diagnostics.evidence_removal import evidence_removal
    from iemomecp_dataset.benchmark.diagnostics.matched_contrast import matched_contrast
    from iemomecp_dataset.benchmark.diagnostics.pair_confidence import pair_confidence
    from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
    from iemomecp_dataset.benchmark.diagnostics.proxies import predict_from_proxies
    from iemomecp_dataset.benchmark.diagnostics.shortcuts import conflict_subsets, stress_subsets, subset_scores
    from iemomecp_dataset.benchmark.diagnostics.uncertainty import uncertainty_enrichment
    from iemomecp_dataset.benchmark.diagnostics.variant import CONTEXT
    from iemomecp_dataset.benchmark.figures import FIGURES
    from iemomecp_dataset.benchmark.figures.from_runs import tables_of_runs
    from iemomecp_dataset.benchmark.figures.style import save
    from iemomecp_dataset.benchmark.runs.index import index_runs
    from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
    from iemomecp_dataset.metrics.roles import source_binary_remaps

    facts = {split: pair_facts(of_split) for split, of_split in rows.items()}
    test = facts["test"]
    of = {
        (task, name): read_predictions(runs_dir / task / f"predictions_{name}.parquet")
        for task in ("3class", "source_binary")
        for name in ("test", "test_removed")
    }
    order = {key: test.order_of(predictions) for key, predictions in of.items()}
    p = {key: predictions.probabilities[order[key]] for key, predictions in of.items()}
    pair, removed = p["source_binary", "test"][:, 0], p["source_binary", "test_removed"][:, 0]
    context = p["3class", "test"][:, CONTEXT]
    decided = of["3class", "test"].decided[order["3class", "test"]]
    binary_axis(pair, test.roles)
    context_channel(context, test.roles)
    context_directions(decided, test.roles)
    for values in (pair, context):
        distance_profile(values, test.roles, test.distances)
        subset_scores(conflict_subsets(test), values, test)
        matched_contrast(values, test)
        predict_from_proxies(values, test, with_source=True)
    predict_from_proxies(decided == 0, test)
    for variant in ("as_published", "corrected"):
        evidence_removal(pair, removed, test.roles, test.distances, variant=variant)
        uncertainty_enrichment(pair, test.roles, np.full(len(test), "test"), variant=variant)
        subset_scores(stress_subsets(test, variant=variant), pair, test)
    source_binary_remaps(decided, test.source_pairs)
    pair_confidence({task: [of[task, "test"]] for task in ("3class", "source_binary")})
    tables = tables_of_runs(index_runs(runs_dir).runs, facts)
    for figure in FIGURES:
        save(figure.render(tables), output, figure.name)


def _opening_seconds(browser: str, page: Path, n_dialogues: int) -> float:
    """Measures the time from the start of the browser until the explorer is filled."""
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()]

    def open_page() -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        if f"of {n_dialogues}<" not in done.stdout:
            raise RuntimeError("The explorer of the page did not start.")

    return best_seconds(open_page, 3)
