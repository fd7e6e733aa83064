"""From a folder of runs to rows: pooling over seeds and splits, and what runs lack."""

from __future__ import annotations

import json
import math
import shutil
import statistics
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS
from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
from iemomecp_dataset.benchmark.diagnostics.systems import systems_of
from iemomecp_dataset.benchmark.diagnostics.tables import ALL, COLUMNS, diagnose, rows_of_system
from iemomecp_dataset.benchmark.diagnostics.views import Lacking
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.benchmark.runs.results import read_results, write_results
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.scoring import pair_scores

BINARY = {"corpus": "iemomecp", "config_name": "source_binary", "definition": "F"}
SEEDS = (42, 345)


def rewrite(path, change=lambda table: table, **facts):
    """Replaces columns and metadata of a predictions file."""
    table = pq.read_table(path)
    metadata = {**json.loads(table.schema.metadata[b"iemomecp"]), **facts}
    pq.write_table(change(table).replace_schema_metadata({"iemomecp": json.dumps(metadata)}), path)


def decided_alone(table):
    names = [name for name in table.column_names if name.startswith("prob_")]
    p = np.stack([table[name].to_numpy() for name in names], axis=1)
    hard = np.eye(len(names))[p.argmax(axis=1)]
    for i, name in enumerate(names):
        table = table.set_column(table.column_names.index(name), name, pa.array(hard[:, i]))
    return table


@pytest.fixture(scope="module")
def rows(role_rows):
    return role_rows()


@pytest.fixture(scope="module")
def index(tmp_path_factory, write_run, rows, binary_rows):
    root = tmp_path_factory.mktemp("runs")
    for seed in SEEDS:
        write_run(root / f"roles_{seed}", n_classes=3, rows=rows, seed=seed)
        write_run(root / f"binary_{seed}", rows=binary_rows(rows), seed=seed, **BINARY)
        path = root / f"binary_{seed}" / "predictions_test.parquet"
        (path.parent / "predictions_test_removed.parquet").write_bytes(path.read_bytes())
    write_run(root / "hard", n_classes=3, rows=rows, objective="rpcl")
    rewrite(root / "hard" / "predictions_test.parquet", decided_alone, decisions_alone=True, threshold=None)
    hard, record = read_predictions(root / "hard" / "predictions_test.parquet"), read_results(root / "hard")
    metrics = {**record.metrics, "test": pair_scores(hard.decided, hard.labels, hard.class_names)}
    write_results(root / "hard", replace(record, metrics=metrics))
    write_run(root / "roles_unreadable", n_classes=3, rows=rows, seed=7)
    (root / "roles_unreadable" / "predictions_test.parquet").write_bytes(b"PAR1")
    write_run(root / "ecf", seed=1, synthetic=False)
    write_run(root / "no_test", seed=1, splits=("validation",), data_seed=3)
    (root / "damaged").mkdir()
    (root / "damaged" / "results.json").write_text("{")
    return index_runs(root)


@pytest.fixture(scope="module")
def facts(rows):
    return {split: pair_facts(of_split) for split, of_split in rows.items()}


def lookup(facts):
    return lambda run: facts if run.results.corpus == "iemomecp" else Lacking("This corpus has no gold roles.")


@pytest.fixture(scope="module")
def diagnosis(index, facts):
    return diagnose(index, lookup(facts))


def numbers(diagnosis, number, **where):
    table = diagnosis.tables[DIAGNOSTICS[number - 1].name]
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def the(diagnosis, number, **where):
    (row,) = numbers(diagnosis, number, **where).to_dict("records")
    return row


def test_every_diagnostic_has_rows_with_all_columns_and_a_reason_for_each_nan(diagnosis):
    assert list(diagnosis.tables) == [diagnostic.name for diagnostic in DIAGNOSTICS]
    assert [name[:2] for name in diagnosis.tables] == [f"{number:02d}" for number in range(1, 12)]
    for name, table in diagnosis.tables.items():
        assert list(table.columns) == list(COLUMNS)
        assert len(table), name
        assert ((table["reason"] != "") == table["value"].isna()).all(), name
        assert not table["value"].isin([np.inf, -np.inf]).any()
        assert set(table["variant"]) == set(DIAGNOSTICS[list(diagnosis.tables).index(name)].variants)
        key = ["corpus", "config_name", "data_fingerprint", "system", "run", "variant", "pooling", "subset",
               "gold_role", "quantity"]  # fmt: skip
        assert not table.duplicated(key).any(), name


def test_runs_of_synthetic_data_are_called_so_and_others_are_not(diagnosis):
    for table in diagnosis.tables.values():
        assert dict(table.groupby("corpus")["data"].unique().map(set)) == {
            "iemomecp": {"synthetic"}, "ecf": {"synthetic", "real"},
        }  # fmt: skip
        assert set(table.loc[table["run"] == "ecf", "data"]) == {"real"}
    assert diagnosis.synthetic
    assert not diagnosis.all_synthetic


def p_pair(index, seed, split="test"):
    return read_predictions(index.root / f"binary_{seed}" / f"predictions_{split}.parquet").probabilities[:, 0]


def test_a_mean_over_seeds_is_of_the_runs_that_it_names(diagnosis, index, facts):
    where = {"variant": "corrected", "gold_role": "emo_cause", "quantity": "prob_pair_mean", "system": "Base T"}
    each = [p_pair(index, seed)[facts["test"].roles == 0].mean() for seed in SEEDS]
    for seed, value in zip(SEEDS, each, strict=True):
        row = the(diagnosis, 1, pooling="per_run", run=f"binary_{seed}", **where)
        assert row["value"] == pytest.approx(value)
        assert (row["seed"], row["n_runs"], row["split"]) == (str(seed), 1, "test")
    row = the(diagnosis, 1, pooling="mean_over_seeds", **where)
    assert row["value"] == pytest.approx(statistics.mean(each))
    assert row["sd"] == pytest.approx(statistics.stdev(each))
    assert (row["seed"], row["n_runs"], row["run"]) == ("42+345", 2, "")
    assert row["decision"] == "threshold from validation"


def test_coordinates_are_of_means_as_published_and_means_of_coordinates_corrected(diagnosis):
    where = {"gold_role": "emo_context", "quantity": "binary_axis_coordinate"}
    means = numbers(diagnosis, 1, variant="as_published", pooling="mean_over_seeds", quantity="prob_pair_mean")
    m = means.set_index("gold_role")["value"]
    published = the(diagnosis, 1, variant="as_published", pooling="mean_over_seeds", **where)
    expected = (m["emo_context"] - m["non_pair"]) / (m["emo_cause"] - m["non_pair"])
    assert published["value"] == pytest.approx(expected)
    assert published["decision"] == "most probable class"
    each = numbers(diagnosis, 1, variant="corrected", pooling="per_run", **where)["value"]
    corrected = the(diagnosis, 1, variant="corrected", pooling="mean_over_seeds", **where)["value"]
    assert corrected == pytest.approx(each.mean())
    assert corrected != pytest.approx(expected, abs=1e-9)


def test_as_published_pools_splits_and_seeds_and_says_so(diagnosis, index, facts):
    rows = numbers(diagnosis, 4, variant="as_published", pooling="mean_over_seeds", quantity="prob_pair_mean")
    assert set(rows["split"]) == {"validation+test"}  # runs have no predictions on train
    row = rows[(rows["subset"] == "1") & (rows["gold_role"] == "emo_cause")].iloc[0]
    chosen = {s: (facts[s].roles == 0) & (abs(facts[s].distances) == 1) for s in ("validation", "test")}
    pooled = [np.concatenate([p_pair(index, seed, s)[chosen[s]] for s in chosen]).mean() for seed in SEEDS]
    assert row["value"] == pytest.approx(np.mean(pooled))
    assert row["n"] == sum(mask.sum() for mask in chosen.values())
    of_context = numbers(diagnosis, 4, variant="as_published", config_name="3class")
    assert set(of_context["split"]) == set(numbers(diagnosis, 4, variant="corrected")["split"]) == {"test"}
    pooled = the(diagnosis, 6, system="Base T", config_name="source_binary", pooling="pooled_over_seeds",
                 subset="local_non_pair", quantity="prob_pair_mean")  # fmt: skip
    near = (facts["test"].roles == 2) & (facts["test"].distances <= 1)
    both = np.concatenate([p_pair(index, seed)[near] for seed in SEEDS])
    assert (pooled["value"], pooled["sd"], pooled["n"]) == (
        pytest.approx(both.mean()), pytest.approx(both.std(ddof=1)), len(both),
    )  # fmt: skip


def test_seeds_are_compared_over_runs_alone(diagnosis):
    disagreement = numbers(diagnosis, 5, subset="seed_disagreement")
    assert "per_run" not in set(disagreement["pooling"])
    assert set(disagreement["pooling"]) == {"seed_average", "mean_over_seeds"}
    assert (disagreement["n"] > 0).all()


def test_published_deviations_of_remaps_have_ddof_0_and_deltas_are_of_the_same_seed(diagnosis):
    where = {"system": "Base T", "subset": "context_to_negative", "quantity": "delta_f1_vs_original"}
    for variant, ddof in (("as_published", 0), ("corrected", 1)):
        each = numbers(diagnosis, 10, variant=variant, pooling="per_run", **where)
        assert set(each["seed"]) == {"42", "345"}
        over = the(diagnosis, 10, variant=variant, pooling="mean_over_seeds", **where)
        assert over["value"] == pytest.approx(each["value"].mean())
        assert over["sd"] == pytest.approx(each["value"].std(ddof=ddof))
    (lacking,) = set(numbers(diagnosis, 10, run="hard", quantity="delta_f1_vs_original")["reason"])
    assert lacking == "There is no source_binary run of RPCL T with seed 42 to compare with."


@pytest.mark.parametrize(
    ("number", "run", "reason"),
    [
        (1, "roles_42", "this is a diagnostic of source_binary runs; this one is of 3class"),
        (2, "binary_42", "this is a diagnostic of 3class runs; this one is of source_binary"),
        (3, "roles_42", "There are no predictions without evidence (predictions_test_removed.parquet)"),
        (4, "ecf", "ecf has no gold roles; this needs runs on IEMO-MECP"),
        (11, "no_test", "no_test has no predictions on test: its data has no such split"),
    ],
)
def test_what_a_run_lacks_is_a_row_with_nan_and_the_reason(diagnosis, number, run, reason):
    rows = numbers(diagnosis, number, run=run)
    assert list(rows["quantity"]) == [ALL] * len(DIAGNOSTICS[number - 1].variants)
    assert rows["value"].isna().all()
    assert all(reason in found for found in rows["reason"])


def test_runs_that_cannot_be_read_are_named_and_the_others_are_shown(diagnosis):
    assert {folder.name for folder in diagnosis.left_out} == {"damaged", "no_test", "roles_unreadable"}
    row = the(diagnosis, 2, system="Base T", variant="corrected", pooling="mean_over_seeds", gold_role="emo_context",
              quantity="prob_emo_context_mean")  # fmt: skip
    assert (row["seed"], math.isnan(row["value"])) == ("42+345", False)


def test_decisions_alone_have_no_numbers_of_probabilities(diagnosis):
    for number in (2, 4, 6, 8, 9, 10, 11):
        rows = numbers(diagnosis, number, system="RPCL T", config_name="3class")
        soft = rows["quantity"].str.contains("prob_|lift|context_minus|gap|confidence|violation|mrr|hit_at|recall_at")
        assert (rows.loc[soft, "reason"] == "the system gives decisions without probabilities").any() == soft.any()
        assert rows.loc[soft, "value"].isna().all(), number
    hits = numbers(diagnosis, 2, system="RPCL T", quantity="context_hit_rate")
    assert len(hits) == 4
    assert hits["value"].notna().all()
    assert numbers(diagnosis, 11, run="hard", quantity="pair_f1")["value"].notna().all()


def test_without_the_data_binary_runs_say_so_and_three_role_runs_have_their_roles(index):
    found = diagnose(index, lambda run: Lacking("Give --data-dir."))
    for number in (1, 5, 6, 7, 8, 9):
        rows = numbers(found, number, run="binary_42")
        assert set(rows["quantity"]) == {ALL}
        assert set(rows["reason"]) == {"Give --data-dir"}
    assert numbers(found, 2, run="roles_42", quantity="prob_emo_context_mean")["value"].notna().all()
    assert numbers(found, 11, run="binary_42")["value"].notna().all()
    assert set(numbers(found, 6, run="roles_42")["reason"]) == {"Give --data-dir"}


@pytest.mark.parametrize("with_data", [True, False])
def test_the_order_of_the_pairs_in_a_file_is_irrelevant(index, facts, tmp_path, with_data):
    for run in ("roles_42", "roles_345", "binary_42"):
        shutil.copytree(index.root / run, tmp_path / run)
    facts_of = lookup(facts) if with_data else (lambda run: Lacking("Give --data-dir."))
    names = ("01_binary_axis", "02_context_channel", "03_evidence_removal", "11_pair_confidence")
    chosen = [diagnostic for diagnostic in DIAGNOSTICS if diagnostic.name in names]

    def rows():
        systems, _ = systems_of(index_runs(tmp_path).runs, facts_of)
        return pd.DataFrame([row for s in systems for d in chosen for row in rows_of_system(s, d)])

    before = rows()
    for number, name in enumerate(("roles_345/predictions_test", "binary_42/predictions_test_removed")):
        shuffle = np.random.default_rng(number).permutation
        rewrite(tmp_path / f"{name}.parquet", lambda table, shuffle=shuffle: table.take(shuffle(len(table))))
    pd.testing.assert_frame_equal(rows(), before)


def test_data_of_other_runs_is_not_used(index, role_rows):
    other = {split: pair_facts(rows) for split, rows in role_rows(seed=9).items()}
    found = diagnose(index, lookup(other))
    (reason,) = set(numbers(found, 6, run="roles_42")["reason"])
    assert reason.startswith("The data does not fit the run: The predictions: its ")
    assert numbers(found, 11, run="roles_42")["value"].notna().all()


def test_gold_that_is_not_that_of_the_data_is_noticed(index, rows):
    changed = {**rows, "test": [dict(row) for row in rows["test"]]}
    changed["test"][0]["pairs"] = [{**pair, "label": 1} for pair in changed["test"][0]["pairs"]]
    found = diagnose(index, lookup({split: pair_facts(of_split) for split, of_split in changed.items()}))
    (reason,) = set(numbers(found, 6, run="roles_42")["reason"])
    assert "has other gold labels than the data" in reason


def test_a_table_without_numbers_is_not_computed(diagnosis):
    only = {name: table[table["run"] == "ecf"] for name, table in diagnosis.tables.items()}
    found = type(diagnosis)(only, {}, diagnosis.runs).not_computed()
    assert found == {
        diagnostic.name: ["ecf has no gold roles; this needs runs on IEMO-MECP"] for diagnostic in DIAGNOSTICS[:10]
    }
