"""What a run reads, by content: what changes it, and what does not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_files import ecf_text
from two_dialogues import two_dialogue_corpus, write_emotions

from iemomecp_dataset.benchmark.runs.contamination import find_leaks, splits_of
from iemomecp_dataset.corpus import Corpus, corpus_of, load_corpus
from iemomecp_dataset.folds import make_folds, write_folds
from iemomecp_dataset.synthetic import write_ecem
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.options import TrainingOptions, circumstances, told_by_results
from iemomecp_dataset.trainers.run_inputs import (
    RunInputs,
    applied_to_own_training,
    begun_on_folded_split,
    marked_on_own_training,
    origin_data,
    run_inputs,
    run_settings,
)

IDS = ("u1", "u2", "u3")


@pytest.fixture(name="corpus")
def fixture_corpus() -> Corpus:
    turns = [{"turn": i, "utterance_id": key, "speaker": "A", "text": f"line {i}", "emotion": 0}
             for i, key in enumerate(IDS, start=1)]  # fmt: skip
    pairs = [{"target_turn": 2, "cause_turn": 1, "label": 0}]
    row = {"dialogue_id": "d", "source_dialogue_id": "d", "utterances": turns, "pairs": pairs}
    return corpus_of({"train": [row]}, config_name="rows", class_names=("pair", "non_pair"))


def write_vectors(path: Path, seed: int, ids: tuple[str, ...] = IDS) -> Path:
    vectors = np.random.default_rng(seed).normal(size=(len(IDS), 4)).astype(np.float32)
    kept = {key: vector.tolist() for key, vector in zip(IDS, vectors, strict=True) if key in ids}
    pq.write_table(pa.table({"utterance_id": list(kept), "vector": list(kept.values())}), path)
    return path


def read(corpus: Corpus, processes: int = 1, **options: Any) -> RunInputs:
    return run_inputs(TrainingOptions.from_flat(options), corpus, processes)


def test_features_are_told_by_their_vectors_and_not_by_their_path(corpus: Corpus, tmp_path: Path) -> None:
    def audio(path: Path) -> RunInputs:
        return read(corpus, modalities="a", audio_features=str(path))

    speech = audio(write_vectors(tmp_path / "speech.parquet", 0))
    assert speech.features["audio"]["width"] == 4
    assert speech.features["audio"]["missing"] == 0
    assert audio(write_vectors(tmp_path / "elsewhere.parquet", 0)).changes(speech) == []
    noise = audio(write_vectors(tmp_path / "noise.parquet", 1))
    assert noise.changes(speech) == ["digest of the audio features"]
    fewer = audio(write_vectors(tmp_path / "fewer.parquet", 0, IDS[:2]))
    assert fewer.changes(speech) == ["digest, missing of the audio features"]
    gone = audio(tmp_path / "gone.parquet")
    assert gone.features == {}
    assert gone.changes(speech) == [], "a finished run stands; training itself says that they are missing"


def test_a_text_encoder_is_told_by_its_files(corpus: Corpus, tiny_encoder: Path, tmp_path: Path) -> None:
    here = read(corpus, text_encoder=str(tiny_encoder))
    copy = tmp_path / tiny_encoder.name
    copy.mkdir()
    for file in tiny_encoder.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    assert read(corpus, text_encoder=str(copy)).changes(here) == []
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    assert read(corpus, text_encoder=str(copy)).changes(here) == ["revision of the text features"]
    assert read(corpus, text_encoder="nowhere/encoder").features["text"]["revision"] is None


def test_batches_of_all_processes_count(corpus: Corpus) -> None:
    one = read(corpus, modalities="a", batch_size=16)
    two = read(corpus, processes=2, modalities="a", batch_size=16)
    (changed,) = two.changes(one)
    assert "effective batch size (from 16 to 32" in changed
    assert read(corpus, processes=2, modalities="a", batch_size=8).changes(one) == []
    assert dataclasses.replace(two, effective_batch_size=0).changes(one) == [], "unknown is no change"


def test_texts_and_data_are_told_apart(corpus: Corpus) -> None:
    now = read(corpus, modalities="a")
    assert dataclasses.replace(now, texts={"train": "x"}).changes(now) == ["the text of train"]
    assert dataclasses.replace(now, data={"train": "x"}).changes(now) == ["the content of train"]
    assert RunInputs.of_json(json.loads(json.dumps(now.to_json()))).changes(now) == []


def test_every_option_says_whether_it_is_a_setting() -> None:
    """A new option must decide: a setting, a circumstance, or told by a field of the results."""
    settings = set(run_settings(TrainingOptions(), 1, "no"))
    assert run_settings(TrainingOptions(), 1, "bf16")["mixed_precision"] == "bf16"
    every = set(TrainingOptions().flat())
    told = told_by_results()
    assert settings & circumstances() == set()
    assert settings - told.keys() == every - circumstances() - told.keys()
    assert settings & told.keys() == {"batch_size", "mixed_precision"}
    assert told == {
        "data_dir": "data_fingerprint", "config_name": "config_name",
        "candidates": "candidates", "forward_pairs": "signatures",
        "folds": "data_fingerprint", "fold": "data_fingerprint",
        "audio_features": "features", "video_features": "features",
        "max_missing_features": "features", "text_encoder": "features", "emotion_from": "features",
        "init_from": "initialized_from", "train_with": "trained_with", "train_with_weights": "trained_with",
        "train_with_other_languages": "trained_with",
        "batch_size": "effective_batch_size", "batch_tokens": "effective_batch_size",
        "gradient_accumulation_steps": "effective_batch_size", "mixed_precision": "precision", "seed": "seed",
    }  # fmt: skip


def write_origin(folder: Path, data_dir: Path, init_from: Path | None = None) -> Path:
    folder.mkdir()
    config = {"config_name": "ecf", "data_dir": str(data_dir), "init_from": str(init_from) if init_from else None}
    (folder / "config.yaml").write_text(json.dumps(config))
    return folder


def test_the_data_of_runs_that_a_run_begins_with_is_read_one_after_the_other(tmp_path: Path) -> None:
    data = tmp_path / "ecf"
    data.mkdir()
    (data / "train.txt").write_text(ecf_text())
    first = write_origin(tmp_path / "first", data)
    second = write_origin(tmp_path / "second", data, first)
    found, notes = origin_data(TrainingOptions.from_flat({"init_from": str(second)}))
    assert ([(one.corpus, one.split) for one in found], notes) == ([("ecf", "train")] * 2, [])
    (first / "config.yaml").unlink()
    found, (note,) = origin_data(TrainingOptions.from_flat({"init_from": str(second)}))
    assert len(found) == 1
    assert f"The training data of {first}, which the run begins with or takes emotions from, cannot be read" in note
    assert origin_data(TrainingOptions()) == ([], [])


def test_the_data_of_the_run_that_emotions_are_from_is_read_too(tmp_path: Path) -> None:
    data = tmp_path / "ecf"
    data.mkdir()
    (data / "train.txt").write_text(ecf_text())
    begun, emotions = (write_origin(tmp_path / name, data) for name in ("begun", "emotions"))
    asked = {"init_from": str(begun), "emotion_from": str(emotions)}
    assert len(origin_data(TrainingOptions.from_flat(asked))[0]) == 2
    (begun / "config.yaml").unlink()
    found, notes = origin_data(TrainingOptions.from_flat(asked))
    assert (len(found), len(notes)) == (1, 1), "what cannot be read hides no other"


def test_what_a_run_without_training_has_read_is_no_training_data(tmp_path: Path) -> None:
    data = tmp_path / "ecf"
    data.mkdir()
    (data / "train.txt").write_text(ecf_text())
    first = write_origin(tmp_path / "first", data)
    second = write_origin(tmp_path / "second", data, first)
    (second / "config.yaml").write_text(
        json.dumps({**json.loads((second / "config.yaml").read_text()), "tuning": "none"})
    )
    (second / "model").mkdir()
    for folder in (second, second / "model"):
        found, notes = origin_data(TrainingOptions.from_flat({"init_from": str(folder)}))
        assert ([one.folder for one in found], notes) == ([data], []), "that of the run before it alone"


def test_marks_by_a_run_that_was_trained_on_the_same_dialogues_are_told(tmp_path: Path) -> None:
    (tmp_path / "ecf").mkdir()
    (tmp_path / "ecf" / "train.txt").write_text(ecf_text())
    corpus = load_corpus("ecf", tmp_path / "ecf")
    pairs = write_origin(tmp_path / "pairs", tmp_path / "ecf")

    def told(**options: Any) -> list[str]:
        asked = {"causes": "predicted", "causes_from": str(pairs), **options}
        return marked_on_own_training(ExplanationTrainingOptions.from_flat(asked), corpus)

    (remark,) = told()
    assert remark.startswith("Causes on train are predicted by pairs, which was trained on some of these dialogues")
    assert "marks are better on train" in remark
    assert told(tuning="none") == [], "train is not read"
    assert len(told(tuning="none", shots=2)) == 1
    assert told(causes_from=None) == told(causes_from=str(tmp_path / "gone")) == []
    assert marked_on_own_training(TrainingOptions(), corpus) == []
    empty = corpus_of({"train": [{**row, "dialogue_id": "x", "source_dialogue_id": "x", "utterances": [
        {**u, "utterance_id": f"x{u['turn']}", "text": "Quite another thing."} for u in row["utterances"]]}
        for row in corpus.rows["train"][:1]]}, config_name="ecf", candidates=None)  # fmt: skip
    asked = ExplanationTrainingOptions.from_flat({"causes": "predicted", "causes_from": str(pairs)})
    assert marked_on_own_training(asked, empty) == []


def test_a_run_that_is_applied_to_the_dialogues_it_was_trained_on_is_told(tmp_path: Path) -> None:
    (tmp_path / "ecf").mkdir()
    long = "Nothing happened , and still nobody in the whole house would go to bed before midnight ."
    (tmp_path / "ecf" / "train.txt").write_text(ecf_text().replace("Nothing happened .", long))
    rows = load_corpus("ecf", tmp_path / "ecf").rows["train"]
    pairs = write_origin(tmp_path / "pairs", tmp_path / "ecf")
    (pairs / "model").mkdir()
    # Rows name no corpus, and ids may be those of another one: texts are compared.
    renamed = [
        {"dialogue_id": f"x{place}", "utterances": [{**u, "utterance_id": f"x{place}_{u['turn']}"}
                                                    for u in row["utterances"]]}
        for place, row in enumerate(rows)
    ]  # fmt: skip
    for folder in (pairs, pairs / "model"):
        (remark,) = applied_to_own_training(folder, renamed)
        assert remark.startswith("The run pairs, which predicts the causes, was trained on some of these dialogues")
        assert "at least 1 dialogues of rows/given here hold text of ecf/train" in remark
    others = [{**row, "utterances": [{**u, "text": f"Quite another thing. {long[:20]}"} for u in row["utterances"]]}
              for row in rows]  # fmt: skip
    assert applied_to_own_training(pairs, others) == []
    assert applied_to_own_training(tmp_path / "gone", renamed) == []


def test_weights_without_a_record_are_told_by_all_their_files(corpus: Corpus, tmp_path: Path) -> None:
    def begun(adapter: bytes) -> RunInputs:
        for file, content in (("model.safetensors", b""), ("adapter/adapter_model.safetensors", adapter)):
            (tmp_path / "model" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "model" / file).write_bytes(content)
        return read(corpus, modalities="a", init_from=str(tmp_path))

    one, same, other = begun(b"one"), begun(b"one"), begun(b"other")
    assert same.changes(one) == []
    assert other.changes(one) == ["the run that it begins with (--init_from)"]


def test_emotions_of_another_run_are_told_by_their_probabilities(tmp_path: Path) -> None:
    corpus = two_dialogue_corpus(2)
    one, same = (write_emotions(tmp_path / name, corpus.rows, "ecf") for name in ("one", "same"))
    found = read(corpus, emotion_from=str(one))
    assert found.features["emotion"]["model"] == "one"
    assert read(corpus, emotion_from=str(same)).changes(found) == []
    other = dataclasses.replace(corpus, rows={**corpus.rows, "test": corpus.rows["test"][::-1]})
    assert read(other, emotion_from=str(one)).changes(found) == ["digest of the emotion features"]
    assert "emotion" not in read(corpus).features
    assert "emotion" not in read(corpus, emotion_from=str(tmp_path / "gone")).features


def test_a_run_that_begins_with_none_is_not_one_that_cannot_be_read(corpus: Corpus, tmp_path: Path) -> None:
    alone = read(corpus, modalities="a")
    unknown = read(corpus, modalities="a", init_from=str(tmp_path / "gone"))
    assert unknown.changes(alone) == []
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    begun = read(corpus, modalities="a", init_from=str(tmp_path))
    for now, then in ((begun, alone), (alone, begun)):
        assert now.changes(then) == ["the run that it begins with (--init_from)"]


def test_what_a_run_on_ecem_has_seen_of_ecf_is_told_where_its_model_only_writes(tmp_path: Path) -> None:
    ecem = write_ecem(tmp_path / "ecem")
    first = write_origin(tmp_path / "first", ecem)
    config = {"config_name": "ecem", "data_dir": str(ecem), "ecf_root": str(ecem / "ECF"), "tuning": "lora"}
    (first / "config.yaml").write_text(json.dumps(config))
    ecf = load_corpus("ecf", ecem / "ECF")
    # The made-up corpora share no split as the published ones do: ECF's train is scored here.
    scored = dataclasses.replace(ecf, rows={"train": ecf.rows["validation"], "test": ecf.rows["train"]})
    asked = {"init_from": str(first), "tuning": "none"}
    found, notes = origin_data(ExplanationTrainingOptions.from_flat(asked))
    own = [one for one in splits_of(scored) if one.split == "test"]
    leaks = [leak for leak in find_leaks([*own, *found]) if leak.kind == "utterance"]
    assert notes == []
    assert [(leak.one, leak.other) for leak in leaks] == [(("ecem", "train"), ("ecf", "test"))]
    assert leaks[0].n > 100


def test_the_training_data_of_a_run_on_a_fold_is_without_that_fold(tmp_path: Path) -> None:
    data = tmp_path / "ecf"
    data.mkdir()
    (data / "train.txt").write_text("".join(ecf_text(number) for number in (1, 3, 5)))
    folds = make_folds(load_corpus("ecf", data), 3)
    write_folds(tmp_path / "folds.json", folds)
    origin = write_origin(tmp_path / "first", data)
    config = json.loads((origin / "config.yaml").read_text())
    (origin / "config.yaml").write_text(json.dumps({**config, "folds": str(tmp_path / "folds.json"), "fold": 2}))
    (found,), notes = origin_data(TrainingOptions.from_flat({"init_from": str(origin)}))
    assert notes == []
    # Fold 2 is scored, and without a validation split fold 3 chooses.
    assert {row["dialogue_id"] for row in found.rows} == {name for name, fold in folds.fold_of.items() if fold == 1}


def test_a_run_that_was_trained_on_what_is_parted_into_folds_is_told(tmp_path: Path) -> None:
    def written(folder: Path, *numbers: int) -> Path:
        folder.mkdir()
        (folder / "train.txt").write_text("".join(ecf_text(number) for number in numbers))
        return folder

    data = written(tmp_path / "ecf", 1, 3, 5)
    corpus = load_corpus("ecf", data)
    full = write_origin(tmp_path / "full", data)
    # Through another run, and by one dialogue alone.
    second = write_origin(tmp_path / "second", written(tmp_path / "other", 9), full)
    one = write_origin(tmp_path / "one", written(tmp_path / "part", 5, 9))
    for origin in (full, second, one):
        leaks = begun_on_folded_split(TrainingOptions.from_flat({"init_from": str(origin)}), corpus, "train")
        assert any("ecf" in leak and "train in folds share" in leak for leak in leaks), origin
    apart = write_origin(tmp_path / "apart", tmp_path / "other")
    for folder in (str(apart), str(tmp_path / "gone"), None):
        assert begun_on_folded_split(TrainingOptions.from_flat({"init_from": folder}), corpus, "train") == []
