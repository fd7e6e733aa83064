"""From our rows to the output of another system and back: its decisions are imported, and score as it scores them.

The systems are stubs that decide at random, in the formats of the systems (tests/cases/peer_files.py). They count hits
among all pairs of the files that they were given, as the systems do.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from peer_files import (
    ecf_corpus,
    hilo_stub,
    m3hg_json_stub,
    m3hg_stub,
    mecpe_stub,
    semeval_stub,
)
from set_reference import slow_definition

import iemomecp_dataset
from iemomecp_dataset.commands import export_for, import_from
from iemomecp_dataset.rows import list_item

STUBS = {
    "hilo": hilo_stub,
    "m3hg": m3hg_stub,
    "mecpe": mecpe_stub,
    "semeval": semeval_stub,
    "m3hg-json": m3hg_json_stub,
}
REASONS = {
    "hilo": {"future", "dropped by its filter"},
    "m3hg": {"outside its distance window", "dropped by its filter"},
    "mecpe": {"not among its step-1 candidates"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """ECF of random words."""
    folder = tmp_path_factory.mktemp("data") / "ecf"
    ecf_corpus(folder)
    return folder


def exported(peer: str, data: Path, folder: Path, *options: str) -> Path:
    config = () if "--config-name" in options else ("--config-name", "ecf")
    export_for.main([peer, "--data-dir", str(data), "--output-dir", str(folder), *config, *options])
    return folder


def imported(peer: str, export: Path, data: Path, run: Path, files, *options: str):
    arguments = ["--manifest", str(export / "manifest.json"), "--data-dir", str(data), "--as-run", str(run)]
    import_from.main([peer, *arguments, "--output", *map(str, files), *options])
    return json.loads((run / "results.json").read_text(encoding="utf-8"))


def our_ids(export: Path, split: str) -> dict[str, str]:
    """Our id of each dialogue by the peer's."""
    manifest = json.loads((export / "manifest.json").read_text(encoding="utf-8"))
    return {entry[0]: entry[1] for entry in manifest["splits"][split]}


def as_ours(places, ids):
    return {(ids[name], target, cause) for name, target, cause in places}


def decided(run: Path, split: str) -> tuple[set[tuple[str, int, int]], set[tuple[str, int, int]]]:
    """The pairs that a predictions file decides for, and the others, by its columns alone."""
    table = pq.read_table(run / f"predictions_{split}.parquet")
    first = next(name for name in table.column_names if name.startswith("prob_"))
    keys = list(zip(*(table[name].to_pylist() for name in ("dialogue_id", "target_turn", "cause_turn")), strict=True))
    assert len(set(keys)) == len(keys)
    pairs = {key for key, probability in zip(keys, table[first].to_pylist(), strict=True) if probability >= 0.5}
    return pairs, set(keys) - pairs


@pytest.mark.parametrize("peer", STUBS)
def test_decisions_come_back_as_they_were_and_score_as_the_system_says(peer, data, tmp_path):
    export = exported(peer, data, tmp_path / "export")
    left = STUBS[peer](export, tmp_path / "left", seed=7)
    results = imported(peer, export, data, tmp_path / "run", left.files)
    rows = iemomecp_dataset.load("ecf", data_dir=data)
    assert set(results["metrics"]) == set(left.printed)
    for split, printed in left.printed.items():
        ids = our_ids(export, split)
        pairs, others = decided(tmp_path / "run", split)
        assert pairs == as_ours(left.predicted[split], ids)
        candidates = {(r["dialogue_id"], p["target_turn"], p["cause_turn"]) for r in rows[split] for p in r["pairs"]}
        assert pairs | others == candidates
        found = [results["metrics"][split][f"pair_{kind}"] for kind in ("precision", "recall", "f1")]
        assert found == pytest.approx(printed, abs=1e-12)

        counts = Counter(left.unscored[split].values())
        assert set(counts) == REASONS.get(peer, set()), "each reason occurs"
        assert results["peer"]["unscored"][split] == counts
        listed = pq.read_table(tmp_path / "run" / f"unscored_{split}.parquet").to_pylist()
        assert {(r["dialogue_id"], r["target_turn"], r["cause_turn"]): r["reason"] for r in listed} == {
            (ids[name], target, cause): reason for (name, target, cause), reason in left.unscored[split].items()
        }
        assert len(listed) == len(left.unscored[split])


@pytest.mark.parametrize(("peer", "options"), [("m3hg", {}), ("mecpe", {"categories": True}), ("semeval", {})])
def test_emotions_of_a_system_give_its_scores_by_emotion(peer, options, data, tmp_path):
    export = exported(peer, data, tmp_path / "export")
    left = STUBS[peer](export, tmp_path / "left", seed=8, **options)
    results = imported(peer, export, data, tmp_path / "run", left.files)
    ours = {
        theirs: name
        for name, theirs in json.loads((export / "manifest.json").read_text(encoding="utf-8"))["emotions"].items()
    }
    loaded = iemomecp_dataset.load("ecf", data_dir=data)
    for split, pairs in left.predicted.items():
        names = list_item(loaded[split].features["utterances"])["emotion"].names
        gold = {
            (row["dialogue_id"], target, cause, names[row["utterances"][target - 1]["emotion"]])
            for row in loaded[split]
            for target, cause in iemomecp_dataset.gold_pairs(row)
        }
        ids = our_ids(export, split)
        found = {(ids[d], t, c, ours[left.emotions[split][d, t]]) for d, t, c in pairs}
        for letter, prefix, slow in (("C", "pair", "C"), ("D", "pair", "D"), ("D", "main4", "D main")):
            scores = results["triples"][split][letter]
            stated = [scores[f"{prefix}_{kind}"] for kind in ("precision", "recall", "f1")]
            assert stated == pytest.approx(slow_definition(slow, found, gold), abs=1e-12), (letter, prefix)


def test_a_threshold_chosen_on_validation_is_another_system(data, tmp_path):
    export = exported("hilo", data, tmp_path / "export")
    left = hilo_stub(export, tmp_path / "left")
    own = imported("hilo", export, data, tmp_path / "own", left.files)
    chosen = imported("hilo", export, data, tmp_path / "chosen", left.files, "--choose-threshold")
    assert own["threshold"]["value"] == 0.5
    assert chosen["threshold"]["chosen_on"] == "validation"
    assert chosen["metrics"]["validation"]["pair_f1"] >= own["metrics"]["validation"]["pair_f1"]


def test_pairs_that_are_no_candidates_of_iemo_mecp_are_counted_and_left_out(small_dir, tmp_path):
    options = ("--config-name", "3class", "--positive", "emo_cause")
    export = exported("mecpe", small_dir, tmp_path / "export", *options)
    left = mecpe_stub(export, tmp_path / "left")
    results = imported("mecpe", export, small_dir, tmp_path / "run", left.files)
    loaded = iemomecp_dataset.load("3class", data_dir=small_dir)
    for split, places in left.predicted.items():
        ids = our_ids(export, split)
        candidates = {(r["dialogue_id"], p["target_turn"], p["cause_turn"]) for r in loaded[split] for p in r["pairs"]}
        predicted = as_ours(places, ids)
        assert decided(tmp_path / "run", split)[0] == predicted & candidates
        outside = results["peer"]["predicted_pairs_that_are_no_candidates"][split]
        assert outside == len(predicted - candidates) > 0
        unscored = {place for place in as_ours(left.unscored[split], ids) if place in candidates}
        assert results["peer"]["unscored"][split] == {"not among its step-1 candidates": len(unscored)}


def test_two_runs_of_the_three_roles_merge_causes_first(small_dir, tmp_path):
    exports, left = {}, {}
    for seed, positive in enumerate(("emo_cause", "emo_context")):
        exports[positive] = exported(
            "hilo", small_dir, tmp_path / positive, "--config-name", "3class", "--positive", positive
        )
        left[positive] = hilo_stub(exports[positive], tmp_path / f"left_{positive}", seed)
    causes = imported("hilo", exports["emo_cause"], small_dir, tmp_path / "causes", left["emo_cause"].files)
    both = imported(
        "hilo", exports["emo_cause"], small_dir, tmp_path / "both", left["emo_cause"].files,
        "--context-manifest", str(exports["emo_context"]),
        "--context-output", *map(str, left["emo_context"].files),
    )  # fmt: skip
    loaded = iemomecp_dataset.load("3class", data_dir=small_dir)
    for split, printed in left["emo_cause"].printed.items():
        # HiLo predicts no pair with a later cause, so all its pairs are candidates and its own number is ours.
        for results in (causes, both):
            found = [results["metrics"][split][f"pair_{kind}"] for kind in ("precision", "recall", "f1")]
            assert found == pytest.approx(printed, abs=1e-12)
        assert causes["metrics"][split]["emo_context_f1"] == 0
        ids = {positive: our_ids(exports[positive], split) for positive in exports}
        first, second = (as_ours(left[p].predicted[split], ids[p]) for p in ("emo_cause", "emo_context"))
        gold = {
            (row["dialogue_id"], pair["target_turn"], pair["cause_turn"])
            for row in loaded[split]
            for pair in row["pairs"]
            if pair["label"] == 1
        }
        contexts = second - first
        hits = len(contexts & gold)
        assert both["metrics"][split]["emo_context_precision"] == pytest.approx(hits / len(contexts), abs=1e-12)
        assert both["metrics"][split]["emo_context_recall"] == pytest.approx(hits / len(gold), abs=1e-12)
