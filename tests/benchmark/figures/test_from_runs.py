from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
from iemomecp_dataset.benchmark.figures import FIGURES
from iemomecp_dataset.benchmark.figures.from_runs import tables_of_runs
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.errors import MissingDataError, RunFolderError
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.schema import ROLE_LABELS


@pytest.fixture(scope="module")
def corpus(role_rows):
    rows = role_rows()
    return rows, {split: pair_facts(of_split) for split, of_split in rows.items()}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, write_run, corpus, binary_rows):
    rows, _ = corpus
    root = tmp_path_factory.mktemp("runs")
    binary = {"corpus": "iemomecp", "config_name": "source_binary", "definition": "F"}
    for objective, quality in (("base", 1.0), ("rpcl", 2.0)):
        for seed in (42, 345):
            options = {"objective": objective, "seed": seed, "quality": quality}
            write_run(root / f"roles_{objective}_{seed}", n_classes=3, rows=rows, **options)
            write_run(root / f"binary_{objective}_{seed}", rows=binary_rows(rows), **options, **binary)
    return index_runs(root).runs


@pytest.fixture(scope="module")
def tables(runs, corpus):
    return tables_of_runs(runs, corpus[1])


def test_all_ten_figures_come_from_runs_of_both_tasks(tables):
    for figure in FIGURES:
        drawn = figure.render(tables)
        drawn.draw_without_rendering()
        assert "SYNTHETIC DATA" in [text.get_text() for text in drawn.texts]


def test_runs_that_do_not_compare_are_never_drawn_together(runs, corpus):
    first, *rest = runs
    other = dataclasses.replace(first.results, run_name="elsewhere", data_fingerprint={"test": "other"})
    with pytest.raises(RunFolderError, match=r"2 groups with different data, gold or candidates.*elsewhere"):
        tables_of_runs([*rest, dataclasses.replace(first, results=other)], corpus[1])


def test_what_removal_takes_away_is_drawn_where_every_run_has_it(runs, corpus, tmp_path):
    facts = corpus[1]["test"]
    copies = []
    for run in runs:
        folder = tmp_path / run.folder.name
        shutil.copytree(run.folder, folder)
        copies.append(dataclasses.replace(run, folder=folder))
        if run.folder.name.startswith("binary_base"):
            table = pq.read_table(folder / "predictions_test.parquet")
            column = table.schema.get_field_index("prob_pair")
            halved = pa.array(table["prob_pair"].to_numpy() / 2)
            table = table.set_column(column, table.schema.field(column), halved)
            pq.write_table(table, folder / "predictions_test_removed.parquet")
    table = tables_of_runs(copies, corpus[1]).get("binary_axis_and_removal_by_family_long")
    table = table.set_index(["family", "gold_role"])
    of_base = [run for run in runs if run.folder.name.startswith("binary_base")]
    p = np.mean([read_predictions(run.predictions_path("test")).probabilities[:, 0] for run in of_base], axis=0)
    apart = facts.distances != 0  # what is removed from a self-pair stays visible as its target
    for role, name in enumerate(ROLE_LABELS):
        expected = p[apart & (facts.roles == role)].mean() / 2
        assert table.loc[("Base T", name), "delta_pair_mean"] == pytest.approx(expected)
    assert table.loc["RPCL T", "delta_pair_mean"].isna().all()


def test_numbers_are_of_the_test_predictions(tables, runs, corpus):
    facts = corpus[1]["test"]
    of_base = [run for run in runs if run.folder.name.startswith("binary_base")]
    p = np.mean([read_predictions(run.predictions_path("test")).probabilities[:, 0] for run in of_base], axis=0)
    table = tables.get("binary_axis_and_removal_by_family_long").set_index(["family", "gold_role"])
    for role, name in enumerate(ROLE_LABELS):
        assert table.loc[("Base T", name), "prob_pair_mean"] == pytest.approx(p[facts.roles == role].mean())


def test_systems_stand_in_the_order_of_their_pair_f1_and_classes_in_that_of_their_ids(tables, runs):
    f1 = {run.folder.name: run.results.metrics["test"]["pair_f1"] for run in runs}
    assert f1["binary_base_42"] < f1["binary_rpcl_42"]
    axis = tables.get("binary_axis_and_removal_by_family_long")
    systems = ["Base T", "RPCL T"]
    assert list(zip(axis["family"], axis["gold_role"], strict=True)) == [(s, r) for s in systems for r in ROLE_LABELS]
    assert list(tables.get("figure_context_channel_threeclass")["gold_role"]) == list(ROLE_LABELS)
    for name, column in (
        ("pair_role_confusion_by_family_long", "family"),
        ("matched_pair_contrast_by_family_appendix", "family"),
        ("shortcut_conflict_subsets_by_family_appendix", "family"),
        ("source_binary_remap_summary", "model_label"),
    ):
        assert list(dict.fromkeys(tables.get(name)[column])) == systems
    confusions = tables.get("pair_role_confusion_by_family_long")
    assert list(confusions["pred"][:3]) == list(confusions["gold"][::3][:3]) == list(ROLE_LABELS)
    selections = ["closest_to_half", "highest_probability", "lowest_probability", "seed_disagreement"]
    assert list(tables.get("rwc_fusion_uncertainty_enrichment")["subset"]) == selections


@pytest.mark.parametrize(
    ("variant", "basis"),
    [
        (
            "as_published",
            {
                "01_binary_axis_geometry": "as published · test · mean over seeds 42, 345",
                "05_shortcut_conflict": "as published · test · pairs of all seeds pooled (42, 345)",
                "07_uncertainty_enrichment": "as published · validation + test · "
                "probabilities averaged over seeds 42, 345",
            },
        ),
        (
            "corrected",
            {
                "01_binary_axis_geometry": "corrected · test · mean over seeds 42, 345",
                "05_shortcut_conflict": "corrected · test · mean over seeds 42, 345",
                "07_uncertainty_enrichment": "corrected · test · mean over seeds 42, 345",
            },
        ),
    ],
)
def test_each_figure_states_variant_split_and_pooling(runs, corpus, variant, basis):
    tables = tables_of_runs(runs, corpus[1], variant=variant)
    assert tables.origin == f"synthetic runs, {variant.replace('_', ' ')}"
    for figure in FIGURES:
        texts = [text.get_text().replace("\n", " ") for text in figure.render(tables).texts]
        assert tables.basis[figure.table] in texts
        if figure.name in basis:
            assert f"{basis[figure.name]} · all systems: T" in texts
        if figure.name[:2] in ("06", "10"):
            assert "labels of the data, no model · train, validation, test" in texts


def test_variants_differ_where_the_analysis_does(runs, corpus, tables):
    published = tables_of_runs(runs, corpus[1], variant="as_published")
    name = "binary_axis_and_removal_by_family_long"
    same = published.get(name)["prob_pair_mean"].to_numpy()
    assert tables.get(name)["prob_pair_mean"].to_numpy() == pytest.approx(same)
    for name, column in (
        ("rwc_fusion_uncertainty_enrichment", "emo_context_rate"),
        ("pair_role_confusion_by_family_long", "rate_within_gold_mean"),
        ("source_binary_remap_summary", "delta_f1_vs_original_mean"),
    ):
        assert not np.allclose(published.get(name)[column], tables.get(name)[column])


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_drawn(runs, corpus, tmp_path):
    copies = []
    for run in runs:
        folder = tmp_path / run.folder.name
        shutil.copytree(run.folder, folder)
        copies.append(dataclasses.replace(run, folder=folder))
    (tmp_path / "roles_base_42" / "predictions_test.parquet").write_bytes(b"PAR1")
    tables = tables_of_runs(copies, corpus[1])
    assert list(tables.left_out) == ["roles_base_42"]
    assert "cannot be read as Parquet" in tables.left_out["roles_base_42"]
    for figure in FIGURES:
        figure.render(tables)


def test_tables_of_one_model_are_of_the_best(tables):
    assert set(tables.get("figure_binary_axis_role_geometry")["model_source"]) == {"RPCL T"}


def test_confusions_are_means_of_the_recorded_ones(tables, runs):
    of_base = [run.results.metrics["test"] for run in runs if run.folder.name.startswith("roles_base")]
    recorded = np.array([metrics["confusion_matrix"] for metrics in of_base])
    rates = (recorded / recorded.sum(axis=2, keepdims=True)).mean(axis=0)
    table = tables.get("pair_role_confusion_by_family_long")
    table = table[table["family"] == "Base T"].pivot(index="gold", columns="pred", values="rate_within_gold_mean")
    np.testing.assert_allclose(table.loc[list(ROLE_LABELS), list(ROLE_LABELS)], rates)


def test_a_remap_is_compared_with_the_binary_run_of_its_seed(tables, runs):
    by_name = {run.folder.name: run for run in runs}
    deltas = []
    for seed in (42, 345):
        roles = read_predictions(by_name[f"roles_rpcl_{seed}"].predictions_path("test"))
        binary = read_predictions(by_name[f"binary_rpcl_{seed}"].predictions_path("test"))
        gold, predicted = binary.labels == 0, roles.decided == 0
        f1 = 2 * (gold & predicted).sum() / (gold.sum() + predicted.sum())
        deltas.append(f1 - by_name[f"binary_rpcl_{seed}"].results.metrics["test"]["pair_f1"])
    table = tables.get("source_binary_remap_summary").set_index(["model_label", "strategy_label"])
    row = table.loc[("RPCL T", "Context -> non-pair")]
    assert row["delta_f1_vs_original_mean"] == pytest.approx(np.mean(deltas))
    assert row["delta_f1_vs_original_std"] == pytest.approx(np.std(deltas, ddof=1))


def test_what_runs_cannot_give_is_said(runs, corpus):
    only_roles = tables_of_runs([run for run in runs if run.folder.name.startswith("roles")], corpus[1])
    reasons = {}
    for figure in FIGURES:
        try:
            figure.render(only_roles)
        except MissingDataError as error:
            reasons[figure.name] = str(error)
    assert set(reasons) == {
        "01_binary_axis_geometry", "03_binary_axis_by_family", "07_uncertainty_enrichment", "08_remap_delta",
    }  # fmt: skip
    assert "needs runs of source_binary" in reasons["01_binary_axis_geometry"]
    assert "3class and source_binary" in reasons["08_remap_delta"]


def test_runs_of_other_data_are_refused(runs, role_rows):
    other = {split: pair_facts(rows) for split, rows in role_rows(seed=9).items()}
    with pytest.raises(RunFolderError, match="Give the data that the run was made with"):
        tables_of_runs(runs, other)
