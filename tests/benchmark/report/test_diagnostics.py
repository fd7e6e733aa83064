from __future__ import annotations

import dataclasses

import pytest
from quick_report import render_quickly

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS
from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
from iemomecp_dataset.benchmark.diagnostics.tables import diagnose
from iemomecp_dataset.benchmark.report.diagnostics import diagnostic_tables
from iemomecp_dataset.benchmark.runs.index import index_runs


@pytest.fixture(scope="module")
def index(tmp_path_factory, write_run, role_rows):
    root = tmp_path_factory.mktemp("runs")
    for seed in (42, 345):
        write_run(root / f"roles_{seed}", n_classes=3, rows=role_rows(), seed=seed)
    return index_runs(root)


@pytest.fixture(scope="module")
def diagnosis(index, role_rows):
    facts = {split: pair_facts(rows) for split, rows in role_rows().items()}
    return diagnose(index, lambda run: facts)


def test_numbers_over_seeds_stand_in_the_order_of_the_catalogue(diagnosis, index):
    tables = diagnostic_tables(diagnosis, index.root)
    assert [table.title for table in tables] == [f"{i}. {d.title}" for i, d in enumerate(DIAGNOSTICS, start=1)]
    (system,) = tables[1].systems
    assert (system.name, system.config_name, system.synthetic) == ("Base T", "3class", True)
    assert system.basis == {
        "as_published": "as published · test · mean over seeds 42, 345",
        "corrected": "corrected · test · mean over seeds 42, 345",
    }
    roles = [role for _, role, quantity in system.rows if quantity == "prob_emo_context_mean"]
    assert roles == ["emo_cause", "emo_context", "non_pair"]
    found = diagnosis.tables["02_context_channel"]
    row = found[(found["pooling"] == "mean_over_seeds") & (found["quantity"] == "context_hit_rate")].iloc[0]
    cell = system.rows["", "emo_context", "context_hit_rate"]["as_published"]
    assert cell.text == f"{row['value']:.4f} ± {row['sd']:.4f}"
    assert cell.n == str(row["n"])


def test_what_is_missing_is_said_once_for_all_runs_of_a_reason(diagnosis, index):
    removal = diagnostic_tables(diagnosis, index.root)[2]
    assert removal.systems == []
    ((reason, names),) = removal.missing.items()
    assert reason.startswith("There are no predictions without evidence")
    assert {"roles_42", "roles_345"} <= set(names)


def test_the_page_has_the_section_and_escapes_names(diagnosis, index):
    harmful = {name: table.assign(system="<script>alert(1)") for name, table in diagnosis.tables.items()}
    page = render_quickly(index, diagnosis=dataclasses.replace(diagnosis, tables=harmful))
    section = page[page.index('<section id="diagnostics">') :]
    assert "&lt;script&gt;alert(1)" in section
    assert "<script>alert" not in page
    assert 'class="tag synthetic"' in section
    assert "1. roles on the axis of a binary model: not computed" in section
    assert "as published · test · pairs of all seeds pooled" in section
    assert str(index.root) not in section
    assert '<section id="diagnostics">' not in render_quickly(index)
