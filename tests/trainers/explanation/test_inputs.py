"""What a run of explanations reads beside the dialogues: counts of what is missing, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explained_dialogues import EMOTIONS, explained_dialogues
from tiny_language_model import item, word_tokenizer
from two_dialogues import write_emotions

from iemomecp_dataset.corpus import Corpus, corpus_of
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.faces.table import FaceTable
from iemomecp_dataset.features.frames.store import FrameStoreWriter
from iemomecp_dataset.features.store.store_card import StoreCard, claim_store
from iemomecp_dataset.features.store.store_index import write_index
from iemomecp_dataset.features.store.store_layout import shard_name
from iemomecp_dataset.features.store.store_rows import StoreRow
from iemomecp_dataset.features.store.store_shards import write_shard
from iemomecp_dataset.trainers import inference, scorers
from iemomecp_dataset.trainers.dialogue.emotion_inputs import EmotionInputs
from iemomecp_dataset.trainers.explanation.encoding import ExplanationEncoder, Placeholder
from iemomecp_dataset.trainers.explanation.inputs import (
    ExplanationInputs,
    explanation_features,
    named_emotions,
    predicted_causes,
    read_inputs,
)
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.pipelines import loading

ITEMS = 7 + 4 + 5
"""Explanations of the three splits; their utterances end in _3, and in the first dialogue of a split in _4 as well."""


def corpus() -> Corpus:
    return corpus_of(explained_dialogues(), config_name="ecem", candidates=None, emotion_names=EMOTIONS)


def ids(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [u["utterance_id"] for of_split in rows.values() for row in of_split for u in row["utterances"]]


def options(**given: Any) -> ExplanationTrainingOptions:
    return ExplanationTrainingOptions.from_flat({"language_model": "any", "output_dir": "run", **given})


def frames(folder: Path, missing: tuple[str, ...] = ()) -> Path:
    with FrameStoreWriter(folder, size=2, model="random") as store:
        for key in ids(explained_dialogues()):
            if key in missing:
                store.add_missing(key, "missing_media", f"{key}.mp4 does not exist")
            else:
                store.add(key, np.ones((3, 2)), n_frames=1)
    return folder


def face_vectors(path: Path, missing: tuple[str, ...] = ()) -> Path:
    kept = [key for key in ids(explained_dialogues()) if key not in missing]
    pq.write_table(pa.table({"utterance_id": kept, "vector": [[1.0, 2.0, 3.0]] * len(kept)}), path)
    return path


def face_table(
    path: Path, keys: list[str], faceless: tuple[str, ...] = (), missing: dict[str, str] | None = None
) -> Path:
    keys = [key for key in keys if key not in (missing or {})]
    seen = [key for key in keys if key not in faceless]
    ones = np.ones(len(seen))
    boxes, probabilities = np.ones((len(seen), 4)), np.tile([0.75, 0.25], (len(seen), 1))
    table = FaceTable(("happy", "angry"), tuple(seen), ones.astype(int), ones, boxes, probabilities,
                      dict.fromkeys(keys, 1), missing or {})  # fmt: skip
    table.write(path)
    return path


def face_store(folder: Path, missing: dict[str, str] | None = None, **settings: Any) -> Path:
    """One vector per track; the clip of a turn has as many tracks as its number says."""
    with FrameStoreWriter(folder, size=3, model="net", settings={"content": "faces", **settings}) as store:
        for key in ids(explained_dialogues()):
            if status := (missing or {}).get(key):
                store.add_missing(key, status, "nothing there")
            else:
                store.add(key, np.arange(3.0 * int(key[-1])).reshape(-1, 3), n_frames=0)
    return folder


def feature_store(folder: Path, value: float = 1.0) -> Path:
    """One vector per utterance, in the layout of an extraction."""
    keys = ids(explained_dialogues())
    card = StoreCard("video", "net", "r1", "ecem", {}, "u", len(keys), 1, False, 2, "float32", {"pooling": "mean"}, {})
    claim_store(folder, card)
    rows = [StoreRow(key, "ok", np.full(2, value, dtype=np.float32)) for key in keys]
    write_shard(folder / shard_name(0, 1), rows, 2, "float32")
    write_index(folder, card, keys)
    return folder


@pytest.mark.parametrize("stream", ["frames", "face_features"])
def test_missing_clips_are_counted_and_refused_beyond_the_share(stream: str, tmp_path: Path) -> None:
    write = {"frames": frames, "face_features": face_vectors}[stream]
    # Context turns need no clip; of the 16 utterances to explain one is a share of 6.25 %.
    path = str(write(tmp_path / "store", ("train0_1", "train1_2", "test0_4")))
    with pytest.raises(InvalidDataError, match=rf"1 of {ITEMS} utterances have no .*\(6.2%, more than the 1.0%"):
        read_inputs(options(**{stream: path}), corpus())
    found = read_inputs(options(**{stream: path}, max_missing_features=0.07), corpus())
    counted = found.missing if stream == "frames" else found.missing_faces
    assert counted == {"train": 0, "validation": 0, "test": 1}
    vectors, size = (found.frames, found.frame_size) if stream == "frames" else (found.faces, found.face_size)
    assert vectors is not None
    assert vectors("test0_4") is None
    present = vectors("test0_3")
    assert present is not None
    assert present.shape == ((3, 2) if stream == "frames" else (1, 3))
    assert size == present.shape[1]


def test_all_faces_of_a_clip_are_read(tmp_path: Path) -> None:
    # Without a face: no damage, however many. Not examined: damage.
    faceless = dict.fromkeys(("test0_4", "test1_3", "train0_4"), "no_faces")
    path = face_store(tmp_path / "faces", faceless)
    found = read_inputs(options(face_features=str(path)), corpus())
    assert (found.face_size, found.missing_faces) == (3, {"train": 1, "validation": 0, "test": 2})
    assert found.faces is not None
    encoder = ExplanationEncoder(word_tokenizer(), has_video=True)
    encoded = [encoder.encode(item(turn)) for turn in (3, 4, 1)]
    named = [
        replace(one, utterance_id=key) for one, key in zip(encoded, ("test0_3", "test0_4", "test0_1"), strict=True)
    ]
    batch = encoder.collate(named, faces=found.faces)
    assert batch["face_mask"].tolist() == [[True] * 3, [False] * 3, [True, False, False]]
    assert batch["faces"][batch["face_mask"]].tolist() == [*np.arange(9.0).reshape(3, 3).tolist(), [0.0, 1.0, 2.0]]
    assert (batch["input_ids"] == Placeholder.FACE).sum(dim=1).tolist() == [3, 0, 1]
    path = face_store(tmp_path / "damaged", {**faceless, "test0_4": "unreadable"})
    with pytest.raises(InvalidDataError, match=rf"1 of {ITEMS} utterances have no face vectors .*test0_4 \(unreadable"):
        read_inputs(options(face_features=str(path)), corpus())
    # A feature store has one vector per utterance.
    found = read_inputs(options(face_features=str(feature_store(tmp_path / "features"))), corpus())
    assert found.faces is not None
    one = found.faces("test0_3")
    assert one is not None
    assert one.tolist() == [[1.0, 1.0]]


def test_frames_and_faces_are_not_taken_for_each_other(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="holds face vectors, not frame tokens"):
        read_inputs(options(frames=str(face_store(tmp_path / "faces"))), corpus())
    extracted = face_store(tmp_path / "frames", content=None, max_frames=100)
    with pytest.raises(InvalidDataError, match="holds frame tokens, not face vectors"):
        read_inputs(options(face_features=str(extracted)), corpus())


def test_the_content_of_a_folder_of_faces_tells_runs_apart(tmp_path: Path) -> None:
    found = {}
    for name, missing in (("one", {}), ("same", {}), ("other", {"test0_4": "no_faces"})):
        path = face_store(tmp_path / name, missing)
        found[name] = explanation_features(options(face_features=str(path)), corpus())["faces"]
    assert found["one"] == found["same"]
    assert found["one"]["digest"] != found["other"]["digest"]
    assert (found["other"]["missing"], found["other"]["width"], found["other"]["model"]) == (1, 3, "net")
    assert found["one"]["settings"]["as"] == "feature"
    stores = [feature_store(tmp_path / f"store{value}", value) for value in (1.0, 2.0)]
    one, two = (explanation_features(options(face_features=str(path)), corpus())["faces"] for path in stores)
    assert one["digest"] != two["digest"]
    assert (one["revision"], one["settings"]) == ("r1", {"pooling": "mean", "as": "feature"})


def test_faces_are_lines_or_vectors(tmp_path: Path) -> None:
    table = face_table(tmp_path / "faces.parquet", ids(explained_dialogues()), ("test0_3",))
    found = read_inputs(options(faces_table=str(table)), corpus())
    assert found.faces is None
    assert found.face_lines is not None
    assert found.face_lines("train0_3") == "faces: A joy 0.8"
    assert found.missing_faces == {"train": 0, "validation": 0, "test": 1}
    found = read_inputs(options(face_features=str(face_vectors(tmp_path / "vectors.parquet"))), corpus())
    assert (found.face_lines, found.face_size) == (None, 3)
    assert read_inputs(options(), corpus()) == ExplanationInputs()


def test_faces_of_another_corpus_are_refused(tmp_path: Path) -> None:
    table = face_table(tmp_path / "faces.parquet", ["other_1", "other_2"])
    with pytest.raises(InvalidDataError, match=f"none of the {ITEMS} utterances to explain is in it, such as train0_3"):
        read_inputs(options(faces_table=str(table)), corpus())


def test_clips_that_a_table_states_as_not_examined_are_counted_and_refused_beyond_the_share(tmp_path: Path) -> None:
    # Context turns need no clip. A tool leaves out clips without any face, which is no damage.
    missing = {
        "test0_4": "unreadable: the file cannot be opened", "test0_3": "not_in_source: the files have no line of it",
        "test0_1": "missing_media: the corpus names no media file",
    }  # fmt: skip
    table = str(face_table(tmp_path / "faces.parquet", ids(explained_dialogues()), ("test1_3",), missing))
    said = rf"faces\.parquet: the clips of 1 of {ITEMS} utterances could not be examined \(6.2%, more than the 1.0% .*"
    with pytest.raises(InvalidDataError, match=rf"{said}test0_4 \(unreadable: .*--max_missing_features"):
        read_inputs(options(faces_table=table), corpus())
    given = options(faces_table=table, max_missing_features=0.07)
    given.check(with_data=False)
    found = read_inputs(given, corpus())
    assert found.missing_faces == {"train": 0, "validation": 0, "test": 3}
    assert found.unexamined_faces == {"train": 0, "validation": 0, "test": 1}
    assert explanation_features(given, corpus())["faces"]["missing"] == 1
    vectors = str(face_vectors(tmp_path / "vectors.parquet", ("test0_4", "test0_1")))
    assert explanation_features(options(face_features=vectors), corpus())["faces"]["missing"] == 1


def test_emotions_are_the_most_probable_ones(tmp_path: Path) -> None:
    data = corpus()
    folder = write_emotions(tmp_path / "erc", data.rows, data.name)
    found = read_inputs(options(emotion="predicted", emotion_from=str(folder)), data).emotions
    assert found is not None
    assert len(found) == 4 * (6 + 3 + 4)
    one_hot = [np.eye(3)[[0, 2, 1, 2]] for _ in data.rows["validation"]]
    inputs = EmotionInputs("erc", EMOTIONS, {"validation": one_hot}, None, "d")
    only = corpus_of({"validation": data.rows["validation"]}, config_name="ecem", candidates=None)
    named = named_emotions(inputs, only)
    assert [named["validation1", turn] for turn in (1, 2, 3, 4)] == ["neutral", "anger", "joy", "anger"]


def test_without_training_no_predictions_on_train_are_needed(tmp_path: Path) -> None:
    data = corpus()
    others = {split: rows for split, rows in data.rows.items() if split != "train"}
    asked = {"emotion": "predicted", "emotion_from": str(write_emotions(tmp_path / "erc", others, data.name))}
    untrained = options(**asked, tuning="none")
    found = read_inputs(untrained, data).emotions
    assert {dialogue for dialogue, _ in found or ()} == {row["dialogue_id"] for rows in others.values() for row in rows}
    assert explanation_features(untrained, data)["emotion"]["settings"]["cross_fitted_folds"] is None
    for reads_train in (options(**asked), options(**asked, tuning="none", shots=1)):
        with pytest.raises(MissingDataError, match=r"emotions_train\.parquet"):
            read_inputs(reads_train, data)


def test_emotions_of_another_corpus_are_refused(tmp_path: Path) -> None:
    folder = write_emotions(tmp_path / "erc", corpus().rows, "iemocap")
    with pytest.raises(UsageError, match="recognises the emotions of iemocap"):
        read_inputs(options(emotion="predicted", emotion_from=str(folder)), corpus())


class PairModel:
    """A stand-in for a pair scorer: it calls every first turn the cause of all turns after it."""

    def __init__(self, **config: Any):
        self.config = type("Config", (), {"model_type": "pairs", "threshold": 0.7, **config})()


@pytest.fixture
def pair_model(monkeypatch: pytest.MonkeyPatch) -> PairModel:
    model = PairModel()

    def predict(given: Any, rows: list[dict[str, Any]], batch_size: int) -> list[Any]:
        assert given is model
        assert all(row["pairs"] is None for row in rows), "all pairs are candidates, and no label is passed on"
        positive = np.zeros((4, 4))
        positive[1:, 0], positive[3, 1] = 0.8, 0.6
        return [np.stack([positive.ravel(), 1 - positive.ravel()], axis=1)] * len(rows)

    monkeypatch.setattr(loading, "load_scorer", lambda _: model)
    monkeypatch.setattr(inference, "predict", predict)
    entry = type("Entry", (), {"task": "pairs"})
    monkeypatch.setattr(scorers, "scorer_of_model_type", lambda kind: entry if kind == "pairs" else None)
    return model


def test_causes_are_those_of_the_pair_runs_own_rule(pair_model: PairModel) -> None:
    found = read_inputs(options(causes="predicted", causes_from="pairs"), corpus()).causes
    assert found == {(row["dialogue_id"], target): (1,)
                     for rows in corpus().rows.values() for row in rows for target in (2, 3, 4)}  # fmt: skip
    pair_model.config.threshold = None  # the most probable class
    assert predicted_causes("pairs", corpus())["test0", 4] == (1, 2)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "erc"}, "--causes_from pairs is not the run of a pair scorer"),
        ({"audio_size": 3}, r"reads more than text \(audio_size"),
        ({"emotion_input_names": ["joy"]}, r"reads more than text \(emotion_input_names"),
    ],
)
def test_runs_that_cannot_give_causes_are_refused(config: dict[str, Any], message: str, pair_model: PairModel) -> None:
    for name, value in config.items():
        setattr(pair_model.config, name, value)
    with pytest.raises(UsageError, match=message):
        predicted_causes("pairs", corpus())


def test_the_record_states_what_was_read(tmp_path: Path) -> None:
    data = corpus()
    table = face_table(tmp_path / "faces.parquet", ids(explained_dialogues()))
    (tmp_path / "pairs" / "model").mkdir(parents=True)
    (tmp_path / "pairs" / "model" / "model.safetensors").write_bytes(b"weights")
    given = options(
        frames=str(frames(tmp_path / "frames", ("test0_4",))),
        faces_table=str(table),
        emotion="predicted",
        emotion_from=str(write_emotions(tmp_path / "erc", data.rows, data.name)),
        causes="predicted",
        causes_from=str(tmp_path / "pairs"),
    )
    found = explanation_features(given, data)
    assert set(found) == {"video", "faces", "emotion", "causes"}
    assert (found["video"]["model"], found["video"]["width"], found["video"]["missing"]) == ("random", 2, 1)
    assert found["faces"]["settings"] == {"as": "label"}
    assert (found["emotion"]["model"], found["causes"]["model"]) == ("erc", "pairs")
    # Files of other content make another system.
    (tmp_path / "pairs" / "model" / "model.safetensors").write_bytes(b"other weights")
    face_table(table, ids(explained_dialogues()), ("test0_3",))
    again = explanation_features(given, data)
    changed = {name for name in found if again[name]["digest"] != found[name]["digest"]}
    assert changed == {"faces", "causes"}
