"""What a peer left becomes a run: scored as an independent count says, with everything that was not scored counted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from peer_outputs import (
    Decided,
    manifest_for,
    random_decisions,
    write_ecf,
    write_export,
    write_output,
)

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.peers.exports.exporting import export_for
from iemomecp_dataset.benchmark.peers.exports.request import ExportRequest
from iemomecp_dataset.benchmark.peers.imports.importing import ImportRequest, import_from
from iemomecp_dataset.benchmark.peers.manifest import Manifest, read_manifest
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.results import RunResults, read_results
from iemomecp_dataset.commands.import_from import main
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.metrics.evaluation.evaluate import FileEvaluationRequest, evaluate_files
from iemomecp_dataset.metrics.evaluation.predictions import read_predictions
from iemomecp_dataset.metrics.evaluation.results import EvaluationOptions
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.rows import gold_pairs

PEERS = ("hilo", "m3hg", "mecpe", "semeval", "m3hg-json")
Pairs = set[tuple[str, int, int]]


@pytest.fixture(name="ecf", scope="module")
def fixture_ecf(made_once: Callable[..., Path]) -> Corpus:
    return load_corpus("ecf", made_once("peer-ecf", write_ecf))


@pytest.fixture(name="roles", scope="module")
def fixture_roles(small_dir: Path) -> Corpus:
    return load_corpus("3class", small_dir)


def gold_of(corpus: Corpus, split: str) -> dict[str, list[tuple[int, int]]]:
    return {row["dialogue_id"]: gold_pairs(row) for row in corpus.rows[split]}


def exported(
    folder: Path, corpus: Corpus, peer: str, *splits: str, positive: str = "pair", seed: int = 0, **options: Any
) -> tuple[Manifest, dict[str, list[Decided]], ImportRequest]:
    """An export, a peer's output on it, and the request to import that."""
    manifest = manifest_for(corpus, peer, positive, **options)
    decided = {split: random_decisions(manifest, split, seed) for split in splits}
    assert corpus.data_dir is not None
    return (
        manifest,
        decided,
        ImportRequest(
            peer=peer,
            manifest=write_export(folder / "export", manifest),
            outputs=tuple(
                write_output(folder / "out", manifest, split, of_split, gold_of(corpus, split))
                for split, of_split in decided.items()
            ),
            data_dir=corpus.data_dir,
            folder=folder / "run",
        ),
    )


def keys(decided: Iterable[Decided]) -> Pairs:
    return {(one.dialogue_id, target, cause) for one in decided for target, cause in one.pairs}


def counts(predicted: Pairs, gold: Pairs) -> tuple[float, float, float]:
    """Precision, recall and F1 of sets, written down once more."""
    correct = len(predicted & gold)
    return correct / len(predicted), correct / len(gold), 2 * correct / (len(predicted) + len(gold))


def pair_scores_of(record: RunResults, split: str = "test") -> tuple[float, float, float]:
    scores = record.metrics[split]
    return scores["pair_precision"], scores["pair_recall"], scores["pair_f1"]


def candidates_of(corpus: Corpus, split: str = "test") -> Pairs:
    return set(zip(*(values.tolist() for values in corpus.tables[split].keys), strict=True))


@pytest.mark.parametrize("peer", PEERS)
def test_the_run_scores_what_the_peer_decided(peer, ecf, tmp_path):
    splits = ("test",) if peer == "m3hg" else ("validation", "test")
    _, decided, request = exported(tmp_path, ecf, peer, *splits)
    record = import_from(request)
    for split in splits:
        gold = {(name, *pair) for name, pairs in gold_of(ecf, split).items() for pair in pairs}
        assert pair_scores_of(record, split) == pytest.approx(counts(keys(decided[split]), gold), abs=1e-12)
        reasons = Counter(reason for one in decided[split] for reason in one.reasons.values())
        assert record.extra["peer"]["unscored"][split] == reasons
        written = pq.read_table(request.folder / f"unscored_{split}.parquet").to_pylist()
        assert {tuple(row.values()) for row in written} == {
            (one.dialogue_id, *pair, reason) for one in decided[split] for pair, reason in one.reasons.items()
        }
        assert len(written) == sum(reasons.values())
        stored = read_predictions(request.folder / f"predictions_{split}.parquet")
        found = {
            key for key, label in zip(zip(*stored.pairs.keys, strict=True), stored.decided, strict=True) if not label
        }
        assert {(str(name), int(target), int(cause)) for name, target, cause in found} == keys(decided[split])
    assert reasons or peer in ("semeval", "m3hg-json")
    stored_record = read_results(request.folder)
    assert (stored_record.extra, stored_record.settings) == (record.extra, record.settings)
    assert (
        record.metrics["test"]["pair_auprc"] >= 0 if peer == "hilo" else np.isnan(record.metrics["test"]["pair_auprc"])
    )
    assert record.threshold == ({"value": 0.5, "chosen_on": "fixed"} if peer == "hilo" else
                                {"value": None, "chosen_on": "system"})  # fmt: skip


@pytest.mark.parametrize("changed", [False, True])
def test_gold_emotions_that_a_file_brings_back_are_not_scored(changed, ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, "m3hg-json", "test")
    (path,) = request.outputs
    content = json.loads(path.read_text(encoding="utf-8"))
    gold = {
        row["dialogue_id"]: [ecf.emotion_names[utterance["emotion"]] for utterance in row["utterances"]]
        for row in ecf.rows["test"]
    }
    manifest = read_manifest(request.manifest)
    for dialogue in manifest.splits["test"]:
        for turn, emotion in zip(content[dialogue.peer_id][0], gold[dialogue.dialogue_id], strict=True):
            turn["emotion"] = manifest.emotions[emotion]
    if changed:
        last = content[manifest.splits["test"][-1].peer_id][0][-1]
        last["emotion"] = next(name for name in manifest.emotions.values() if name != last["emotion"])
    path.write_text(json.dumps(content), encoding="utf-8")
    record = import_from(request)
    assert bool(record.extra["triples"].get("test")) == changed
    assert any("are the gold ones" in note for note in record.extra["submission"]["test"]["notes"]) != changed


@pytest.mark.parametrize(
    ("peer", "given", "words"),
    [
        ("m3hg", {"mecpe_past": True}, "--mecpe-past is for mecpe, and has no effect on m3hg"),
        ("m3hg", {"mecpe_categories": False}, "--mecpe-categories is for mecpe"),
        ("hilo", {"m3hg_window": 12}, "--m3hg-window is for m3hg"),
        ("hilo", {"reading": "leniently"}, "--read is for semeval"),
        ("m3hg", {"modalities": "tav"}, "--modalities tav: of this export m3hg had t alone"),
    ],
)
def test_options_that_would_do_nothing_are_refused(peer, given, words, ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, peer, "test")
    with pytest.raises(UsageError, match=words):
        import_from(replace(request, **given))


def test_semeval_files_are_read_strictly_or_leniently(ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, "semeval", "test")
    (path,) = request.outputs
    content = json.loads(path.read_text(encoding="utf-8"))
    plain = import_from(replace(request, folder=tmp_path / "plain"))
    for conversation in content:
        conversation["emotion-cause_pairs"] = [[t, f"{c}."] for t, c in conversation["emotion-cause_pairs"]]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InvalidDataError):
        import_from(request)
    assert pair_scores_of(import_from(replace(request, reading="leniently"))) == pair_scores_of(plain)


def test_files_of_two_runs_of_mecpe_are_not_one(ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, "mecpe", "validation", "test")
    import_from(replace(request, folder=tmp_path / "fine"))
    other = request.outputs[1].with_name("run2_test.txt")
    request.outputs[1].rename(other)
    with pytest.raises(UsageError, match="The files are of several runs of MECPE"):
        import_from(replace(request, outputs=(request.outputs[0], other)))


def test_one_file_is_not_two_runs(roles, tmp_path):
    _, _, first = exported(tmp_path / "causes", roles, "hilo", "test", positive="emo_cause")
    _, _, other = exported(tmp_path / "contexts", roles, "hilo", "test", positive="emo_context")
    with pytest.raises(UsageError, match="have a file in common"):
        import_from(replace(first, context_manifest=other.manifest, context_outputs=first.outputs))


def test_provenance_and_choices_are_in_the_record(ecf, tmp_path):
    _, _, request = exported(
        tmp_path,
        ecf,
        "hilo",
        "test",
        hilo_emotions="binary",
        moved_first="7",
        features={"audio": {"digest": "0f3a"}, "video": {"digest": None}},
    )
    record = import_from(replace(request, seed=5))
    of_test = record.extra["submission"]["test"]
    (file,) = request.outputs
    assert (of_test["file"], of_test["sha256"]) == (file.name, hashlib.sha256(file.read_bytes()).hexdigest())
    peer = record.extra["peer"]
    assert peer["manifest_sha256"] == hashlib.sha256(request.manifest.read_bytes()).hexdigest()
    assert peer["rewritten"]["test"] == {"utterances": 1}
    assert peer["notes"] == ["A choice of the export."]
    assert record.settings == {
        "peer": "hilo",
        "positive": "pair",
        "hilo_emotions": "binary",
        "audio_features": "0f3a",
        "video_features": "constant",
    }
    assert (record.objective, record.seed, record.modalities, record.scorer) == ("HiLo", 5, "t", "external")
    (board,) = leaderboard(tmp_path)
    note = "audio_features=0f3a, hilo_emotions=binary, peer=hilo, positive=pair, video_features=constant"
    assert board.trained[0].note == note
    assert "HiLo T external: A choice of the export." in board.notes


def test_other_choices_of_a_peer_are_another_row(ecf, tmp_path):
    for number, choice in enumerate(("binary", "categories", "categories")):
        _, _, request = exported(tmp_path / f"run{number}", ecf, "hilo", "test", hilo_emotions=choice, seed=number)
        import_from(replace(request, seed=number))
    (board,) = leaderboard(tmp_path)
    assert {row.name: row.seeds for row in board.trained} == {
        "HiLo T external (hilo_emotions=binary)": (0,),
        "HiLo T external (hilo_emotions=categories)": (1, 2),
    }


def test_a_threshold_from_validation_is_another_row(ecf, tmp_path):
    _, decided, request = exported(tmp_path, ecf, "hilo", "validation", "test")
    import_from(request)
    record = import_from(replace(request, folder=tmp_path / "chosen", choose_threshold=True))
    table = ecf.tables["validation"]
    by_name = {one.dialogue_id: one.probabilities for one in decided["validation"]}
    scores = [by_name[name].get((target, cause), 0.0) for name, target, cause in zip(*table.keys, strict=True)]
    value, _ = best_threshold(np.array(scores), table.labels)
    assert record.threshold == {"value": pytest.approx(value), "chosen_on": "validation"}
    (board,) = leaderboard(tmp_path)
    assert len(board.trained) == 2, "a rule of decision is never averaged with another"
    with pytest.raises(UsageError, match=r"chooses on validation: give its file too, such as hilo_validation.json"):
        import_from(replace(request, folder=tmp_path / "c", outputs=request.outputs[1:], choose_threshold=True))


def triples_of(decided: Iterable[Decided]) -> set[tuple[str, int, int, str]]:
    found = {(one.dialogue_id, t, c, one.emotions[t - 1]) for one in decided for t, c in one.pairs}
    return {triple for triple in found if triple[-1] != "neutral"}


@pytest.mark.parametrize("peer", ["m3hg", "semeval", "m3hg-json", "mecpe"])
def test_triples_are_scored_where_the_peer_gives_emotions(peer, ecf, tmp_path):
    manifest, decided, request = exported(tmp_path, ecf, peer, "test")
    if peer == "mecpe":
        folder = tmp_path / "log_emocate" / "step2_pair"
        path = write_output(folder, manifest, "test", decided["test"], gold_of(ecf, "test"), categories=True)
        request = replace(request, outputs=(path,))
    record = import_from(request)
    emotion = {
        (row["dialogue_id"], turn["turn"]): ecf.emotion_names[turn["emotion"]]
        for row in ecf.rows["test"]
        for turn in row["utterances"]
    }
    gold = {(name, t, c, emotion[name, t]) for name, pairs in gold_of(ecf, "test").items() for t, c in pairs}
    gold = {triple for triple in gold if triple[-1] != "neutral"}
    predicted = triples_of(decided["test"])
    found = record.extra["triples"]["test"]
    assert found["C"]["pair_f1"] == pytest.approx(counts(predicted, gold)[2])  # type: ignore[arg-type]
    weighted = 0.0
    for name in set(emotion.values()) - {"neutral"}:
        own, theirs = ({triple for triple in of if triple[-1] == name} for of in (gold, predicted))
        weighted += len(own) / len(gold) * 2 * len(own & theirs) / max(1, len(own) + len(theirs))
    assert found["D"]["pair_f1"] == pytest.approx(weighted)
    again = evaluate_files(
        FileEvaluationRequest(
            request.folder / "predictions_test.parquet",
            data_dir=request.data_dir,
            options=EvaluationOptions(definition="D", n_resamples=0),
        )
    )
    assert again.evaluations[0].scores["pair_f1"] == pytest.approx(weighted)
    assert again.evaluations[0].signature.emotions == "predicted"


def test_mecpe_without_categories_has_no_triples(ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, "mecpe", "test")
    assert import_from(request).extra["triples"] == {}


@pytest.mark.parametrize("peer", ["hilo", "m3hg", "semeval"])
def test_one_relation_of_three_roles(peer, roles, tmp_path):
    _, decided, request = exported(tmp_path, roles, peer, "test", positive="emo_cause")
    record = import_from(request)
    inside = keys(decided["test"]) & candidates_of(roles)
    gold = {(name, *pair) for name, pairs in gold_of(roles, "test").items() for pair in pairs}
    assert pair_scores_of(record) == pytest.approx(counts(inside, gold), abs=1e-12)
    assert record.metrics["test"]["emo_context_f1"] == 0
    assert any("emo_context F1 is 0 by construction" in note for note in record.extra["peer"]["notes"])
    outside = len(keys(decided["test"])) - len(inside)
    assert (outside > 0) == (peer != "hilo"), "later causes without an exception are no candidates"
    assert record.extra["peer"]["predicted_pairs_that_are_no_candidates"] == {"test": outside}
    assert record.extra["submission"]["test"]["predicted_pairs_left_out"] == outside
    assert record.extra["triples"] == {}, "emotions of IEMO-MECP stand in slots of others"
    if peer == "hilo":
        exceptions = {key for key in candidates_of(roles) if key[2] > key[1]}
        assert record.extra["peer"]["unscored"]["test"]["future"] == len(exceptions)


@pytest.mark.parametrize("peer", ["hilo", "mecpe"])
def test_two_runs_of_three_roles_merge(peer, roles, tmp_path):
    _, causes, first = exported(tmp_path / "causes", roles, peer, "test", positive="emo_cause")
    context_manifest = manifest_for(roles, peer, "emo_context")
    contexts = random_decisions(context_manifest, "test", seed=1)
    gold = {
        row["dialogue_id"]: [(p["target_turn"], p["cause_turn"]) for p in row["pairs"] if p["label"] == 1]
        for row in roles.rows["test"]
    }
    request = replace(
        first,
        context_manifest=write_export(tmp_path / "contexts", context_manifest),
        context_outputs=(write_output(tmp_path / "contexts", context_manifest, "test", contexts, gold),),
    )
    record = import_from(request)
    stored = read_predictions(request.folder / "predictions_test.parquet")
    of_causes, of_contexts = keys(causes["test"]), keys(contexts)
    wanted = [
        0 if key in of_causes else 1 if key in of_contexts else 2
        for key in zip(*(values.tolist() for values in stored.pairs.keys), strict=True)
    ]
    assert stored.decided.tolist() == wanted
    assert set(wanted) == {0, 1, 2}
    assert record.settings["positive"] == "emo_cause, then emo_context"
    assert record.objective.endswith(", causes and contexts in two runs")
    assert (request.folder / "unscored_test_context.parquet").is_file()
    assert record.extra["peer"]["context"]["unscored"]["test"]
    assert len(record.extra["submission"]["test"]["further_files"]) == 1
    assert not any("0 by construction" in note for note in record.extra["peer"]["notes"])


def test_decisions_that_do_not_give_what_hilo_printed_are_refused(ecf, tmp_path):
    manifest, decided, request = exported(tmp_path, ecf, "hilo", "test")
    gold = {(name, *pair) for name, pairs in gold_of(ecf, "test").items() for pair in pairs}
    own = 100 * counts(keys(decided["test"]), gold)[2]
    write_output(tmp_path / "out", manifest, "test", decided["test"], printed={"f1": own, "scale": 100})
    record = import_from(request)
    assert record.extra["peer"]["printed"]["test"]["f1"] == pytest.approx(own / 100)
    write_output(tmp_path / "out", manifest, "test", decided["test"], printed={"f1": own + 1, "scale": 100})
    with pytest.raises(InvalidDataError, match=f"HiLo printed F1 {own + 1:.2f}, but its decisions have {own:.2f}"):
        import_from(replace(request, folder=tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_a_chosen_threshold_never_predicts_what_was_not_scored(ecf, tmp_path):
    manifest, decided, request = exported(tmp_path, ecf, "hilo", "validation", "test")
    # All gold pairs but the unscored ones have tiny probabilities, so that the lowest threshold is the best.
    for split, of_split in decided.items():
        gold = gold_of(ecf, split)
        low = [
            replace(
                one,
                pairs=frozenset(),
                probabilities={
                    pair: (0.02 if pair in gold[one.dialogue_id] else 0.01) if value > 0 else value
                    for pair, value in one.probabilities.items()
                },
            )
            for one in of_split
        ]
        write_output(tmp_path / "out", manifest, split, low)
    record = import_from(replace(request, choose_threshold=True))
    assert record.threshold["value"] > 0
    assert record.threshold["chosen_on"] == "validation"
    stored = read_predictions(request.folder / "predictions_test.parquet")
    found = {
        (str(name), int(target), int(cause))
        for (name, target, cause), label in zip(zip(*stored.pairs.keys, strict=True), stored.decided, strict=True)
        if not label
    }
    unscored = {(one.dialogue_id, *pair) for one in decided["test"] for pair in one.reasons}
    assert found
    assert not found & unscored


def test_mecpe_with_and_without_categories_are_two_rows(ecf, tmp_path):
    for seed, categories in enumerate((False, True)):
        manifest, decided, request = exported(tmp_path / str(seed), ecf, "mecpe", "test")
        gold = gold_of(ecf, "test")
        write_output(request.outputs[0].parent, manifest, "test", decided["test"], gold, categories=categories)
        import_from(replace(request, seed=seed, mecpe_categories=categories))
    (board,) = leaderboard(tmp_path)
    assert sorted(row.seeds for row in board.trained) == [(0,), (1,)]


def test_the_command_prints_scores_and_what_was_not_scored(ecf, tmp_path, capsys):
    _, decided, request = exported(tmp_path, ecf, "m3hg", "test")
    arguments = ["m3hg", "--manifest", str(tmp_path / "export"), "--output", str(request.outputs[0])]
    main([*arguments, "--data-dir", str(request.data_dir), "--as-run", str(request.folder)])
    said = capsys.readouterr().out
    record = read_results(request.folder)
    assert record.seed == 7, "the seed in the name of the file"
    assert f"test: Pair F1 {100 * record.metrics['test']['pair_f1']:.2f} (definition A)" in said
    assert f"with emotions {100 * record.extra['triples']['test']['D']['pair_f1']:.2f} (definition D" in said
    dropped = sum(reason == "dropped by its filter" for one in decided["test"] for reason in one.reasons.values())
    assert f"test: {dropped} of {len(ecf.tables['test'])} candidates not scored, dropped by its filter" in said
    assert "note: A choice of the export." in said
    assert "M3HG" in results_table(tmp_path)


def changed(request: ImportRequest, **values: Any) -> ImportRequest:
    """The request on a manifest with some fields replaced."""
    content = json.loads(request.manifest.read_text())
    content |= values
    request.manifest.write_text(json.dumps(content))
    return request


def other_labels(request: ImportRequest, folder: Path) -> ImportRequest:
    for path in request.data_dir.iterdir():
        text = path.read_text()
        folder.mkdir(exist_ok=True)
        (folder / path.name).write_text(text.replace("(2,", "(1,", 1) if path.name == "test.txt" else text)
    return replace(request, data_dir=folder)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda r, _: replace(r, manifest=r.manifest.with_name("no.json")), MissingDataError, "There is no manifest"),
        (lambda r, _: changed(r, format=9), InvalidDataError, "not the manifest of an export"),
        (lambda r, _: changed(r, peer="mecpe"), UsageError, "is the manifest of an export for mecpe, not for hilo"),
        (lambda r, _: changed(r, config_name="mecad"), IemomecpError, "no file of MECAD"),
        (lambda r, f: other_labels(r, f / "data"), InvalidDataError, "have changed since the export|does not have"),
        (lambda r, _: replace(r, outputs=()), UsageError, "No output of the peer is given"),
        (lambda r, _: replace(r, outputs=(r.outputs[0],) * 2), UsageError, "are both of test"),
        (lambda r, f: replace(r, outputs=(f / "missing.json",)), MissingDataError, "missing.json"),
        (lambda r, _: replace(r, context_outputs=r.outputs), UsageError, "go together: give both, or neither"),
        (lambda r, _: replace(r, context_manifest=r.manifest), UsageError, "go together: give both, or neither"),
        (lambda r, _: replace(r, context_manifest=r.manifest, context_outputs=r.outputs), UsageError,
         "the first learned emo_cause and the second emo_context; these learned pair and pair"),
        (lambda r, _: replace(r, choose_threshold=True), UsageError, "--choose-threshold chooses on validation"),
        (lambda r, _: replace(r, folder=r.outputs[0].parent), RunFolderError, "exists and is not empty"),
    ],
)  # fmt: skip
def test_refusals(change, error, words, ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, "hilo", "test")
    with pytest.raises(error, match=words):
        import_from(change(request, tmp_path))
    assert not request.folder.exists()


def test_a_threshold_needs_probabilities(ecf, tmp_path):
    _, _, request = exported(tmp_path, ecf, "m3hg", "test")
    with pytest.raises(UsageError, match="m3hg only decides and gives no probabilities"):
        import_from(replace(request, choose_threshold=True))


def test_contexts_alone_are_no_run(roles, tmp_path):
    _, _, request = exported(tmp_path, roles, "hilo", "test", positive="emo_context")
    with pytest.raises(UsageError, match="of this export emo_context was learned, and a run needs causes"):
        import_from(request)


@pytest.mark.parametrize(
    ("second", "splits", "words"),
    [
        ({"hilo_emotions": "binary"}, ("test",), "The two exports differ in hilo_emotions"),
        ({}, ("validation",), "The run of causes has test, and that of contexts validation"),
    ],
)
def test_runs_that_do_not_merge(second, splits, words, roles, tmp_path):
    _, _, first = exported(tmp_path / "causes", roles, "hilo", "test", positive="emo_cause")
    _, _, other = exported(tmp_path / "contexts", roles, "hilo", *splits, positive="emo_context", **second)
    with pytest.raises(UsageError, match=words):
        import_from(replace(first, context_manifest=other.manifest, context_outputs=other.outputs))


def test_pairs_outside_the_candidates_of_past_are_refused(ecf, tmp_path):
    past = load_corpus("ecf", ecf.data_dir, candidates="past")
    _, _, request = exported(tmp_path, past, "semeval", "test")
    with pytest.raises(UsageError, match=r"outside the candidates of --candidates past.*Export with --candidates all"):
        import_from(request)
    _, _, of_hilo = exported(tmp_path / "hilo", past, "hilo", "test")
    assert import_from(of_hilo).candidates == "past"


REAL = [*((peer, "ecf") for peer in PEERS), ("m3hg", "3class"), ("hilo", "3class"), ("mecpe", "source_binary")]


@pytest.mark.parametrize(("peer", "config_name"), REAL)
def test_an_export_of_ours_is_imported(peer, config_name, ecf, roles, small_dir, tmp_path):
    """The two commands fit each other: names of options, ids and emotions."""
    corpus = {"ecf": ecf, "3class": roles}.get(config_name) or load_corpus(config_name, small_dir)
    positive = "emo_cause" if config_name == "3class" else "pair"
    manifest = export_for(corpus, ExportRequest(peer, tmp_path / "export", positive)).manifest
    decided = random_decisions(manifest, "test")
    path = write_output(tmp_path / "out", manifest, "test", decided, gold_of(corpus, "test"))
    record = import_from(ImportRequest(peer, tmp_path / "export", (path,), corpus.data_dir, tmp_path / "run"))
    inside = keys(decided) & candidates_of(corpus)
    gold = {(name, *pair) for name, pairs in gold_of(corpus, "test").items() for pair in pairs}
    assert pair_scores_of(record) == pytest.approx(counts(inside, gold), abs=1e-12)
    assert set(manifest.notes) <= set(record.extra["peer"]["notes"])
    assert bool(record.extra["triples"]) == (config_name == "ecf" and peer not in ("hilo", "mecpe"))
    assert ("hilo_emotions" in record.settings) == (peer == "hilo")
