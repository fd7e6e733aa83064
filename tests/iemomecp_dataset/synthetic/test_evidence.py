"""Learnability of the causes by linear probes, independent of the trainers: distance < text < text, audio and video.

Every probe is a logistic regression fitted on train, with its threshold from validation, scored on test.
"""

from __future__ import annotations

import json
import pickle
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from iemomecp_dataset.synthetic import write_corpus
from iemomecp_dataset.synthetic.vocabulary import TOPICS

Array = NDArray[Any]
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """Concatenated utterances of a split, and its pairs as positions among them."""

    words: list[list[str]]
    vectors: dict[str, Array]
    targets: Array
    causes: Array
    roles: Array

    @property
    def labels(self) -> Array:
        return self.roles == 0

    @property
    def distances(self) -> Array:
        return self.targets - self.causes


def read_split(root: Path, name: str) -> Split:
    with (root / "ECPEC/Dataset/IEMOCAP_emotion_cause_features.pkl").open("rb") as file:
        ecpec = pickle.load(file, encoding="latin1")
    stores = {}
    for modality in ("audio", "video"):
        table = pq.read_table(root / f"features/{modality}.parquet")
        stores[modality] = dict(zip(table["utterance_id"].to_pylist(), table["vector"].to_pylist(), strict=True))
    words: list[list[str]] = []
    vectors: dict[str, list[list[float]]] = {"audio": [], "video": []}
    pairs = []
    used: Counter[str] = Counter()
    for chunk in json.loads((root / f"labels/{name}.json").read_text())["splits"][name]:
        dialogue_id, start, length = chunk["dialogue_id"].split("__")[0], len(words), chunk["num_utterances"]
        span = slice(used[dialogue_id], used[dialogue_id] + length)
        used[dialogue_id] += length
        words += [text.lower().replace(".", "").replace(",", "").split() for text in ecpec[9][dialogue_id][span]]
        for modality, store in stores.items():
            vectors[modality] += [store[utterance_id] for utterance_id in ecpec[0][dialogue_id][span]]
        pairs += [
            (start + pair["target_emotion_turn"] - 1, start + pair["cause_turn"] - 1, pair["label_id"])
            for pair in chunk["pairs"]
        ]
    targets, causes, roles = np.array(pairs).T
    return Split(words, {key: np.array(value) for key, value in vectors.items()}, targets, causes, roles)


def pair_f1(scores: dict[str, Array], splits: dict[str, Split]) -> float:
    """Pair F1 in percent on test, at the threshold that is best on validation."""
    order = np.argsort(-scores["valid"], kind="stable")
    ranked, gold = scores["valid"][order], splits["valid"].labels[order]
    f1 = 2 * np.cumsum(gold) / (np.arange(1, len(gold) + 1) + gold.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1
    predicted, gold = scores["test"] >= ranked[f1.argmax()], splits["test"].labels
    return float(200 * (predicted & gold).sum() / (predicted.sum() + gold.sum()))


def distance_buckets(split: Split) -> Array:
    return np.clip(split.distances, -2, 12) + 2


def distance_scores(splits: dict[str, Split]) -> dict[str, Array]:
    buckets = distance_buckets(splits["train"])
    rate = np.bincount(buckets, splits["train"].labels, 15) / np.maximum(np.bincount(buckets, minlength=15), 1)
    return {name: rate[distance_buckets(split)] for name, split in splits.items()}


def fit(inputs: dict[str, Any], labels: Array, strength: float) -> dict[str, Array]:
    """Scores of a logistic regression; those on train are cross-validated, so that they can be stacked."""
    model = LogisticRegression(C=strength, max_iter=300)
    scores = {"train": cross_val_predict(model, inputs["train"], labels, cv=5, method="decision_function")}
    model.fit(inputs["train"], labels)
    return scores | {name: model.decision_function(inputs[name]) for name in SPLITS[1:]}


def probe_scores(splits: dict[str, Split], modalities: tuple[str, ...]) -> dict[str, Array]:
    """Pair scores from utterance-level probes for targets and causes, by modality; for text also from shared words."""
    columns: dict[str, list[Array]] = {
        name: [np.eye(15)[distance_buckets(split)][:, bucket] for bucket in range(15)] for name, split in splits.items()
    }
    once, twice = word_counts(splits)
    train = splits["train"]
    for modality in modalities:
        inputs = once if modality == "text" else {name: split.vectors[modality] for name, split in splits.items()}
        for distance in (None, 0, 1, 2):
            wanted = np.zeros(len(train.words), dtype=bool)
            chosen = train.labels & (True if distance is None else np.minimum(train.distances, 2) == distance)
            wanted[train.targets[chosen]] = True
            scores = fit(inputs, wanted, 1.0 if modality == "text" else 0.03)
            for name, split in splits.items():
                here = 1.0 if distance is None else np.minimum(split.distances, 2) == distance
                columns[name].append(scores[name][split.targets] * here)
        wanted = np.zeros(len(train.words), dtype=bool)
        wanted[train.causes[train.labels]] = True
        scores = fit(inputs, wanted, 1.0 if modality == "text" else 0.03)
        for name, split in splits.items():
            columns[name].append(scores[name][split.causes])
    if "text" in modalities:
        shared = {}
        for name, split in splits.items():
            to_itself = sparse.diags((split.distances == 0).astype(float))
            to_others = sparse.diags((split.distances != 0).astype(float))
            both = once[name][split.targets].multiply(once[name][split.causes])
            shared[name] = (to_others @ both + to_itself @ twice[name][split.targets]).tocsr()
        scores = fit(shared, train.labels, 0.3)
        for name, split in splits.items():
            columns[name] += [scores[name] * (split.distances == distance) for distance in range(4)]
            columns[name] += [scores[name], scores[name] * columns[name][15]]
    inputs = {name: np.column_stack(values) for name, values in columns.items()}
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(inputs["train"], train.labels)
    return {name: model.predict_proba(inputs[name])[:, 1] for name in SPLITS}


def word_counts(splits: dict[str, Split]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Indicators of the training vocabulary by utterance: words that occur, and words that occur twice."""
    seen = Counter(word for words in splits["train"].words for word in set(words))
    vocabulary = {word: index for index, word in enumerate(sorted(word for word in seen if seen[word] > 1))}
    once, twice = {}, {}
    for name, split in splits.items():
        counts = sparse.lil_matrix((len(split.words), len(vocabulary)))
        for row, words in enumerate(split.words):
            for word, count in Counter(words).items():
                if word in vocabulary:
                    counts[row, vocabulary[word]] = count
        once[name], twice[name] = (counts > 0).astype(float).tocsr(), (counts > 1).astype(float).tocsr()
    return once, twice


def emotion_auc(splits: dict[str, Split], modalities: tuple[str, ...]) -> float:
    """Area under the ROC curve, in percent, of telling emotional from neutral utterances on test."""
    once, _ = word_counts(splits)
    emotional = {
        name: np.isin(np.arange(len(split.words)), split.targets[split.labels]) for name, split in splits.items()
    }
    total = np.zeros(len(splits["test"].words))
    for modality in modalities:
        inputs = once if modality == "text" else {name: split.vectors[modality] for name, split in splits.items()}
        total += fit(inputs, emotional["train"], 1.0 if modality == "text" else 0.03)["test"]
    return float(100 * roc_auc_score(emotional["test"], total))


@pytest.fixture(scope="module", params=[0, 1, 2])
def scores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    root = write_corpus(tmp_path_factory.mktemp("signal") / "data", seed=request.param).data_dir
    splits = {name: read_split(root, name) for name in SPLITS}
    found = {"distance": pair_f1(distance_scores(splits), splits)}
    for modalities in (("text",), ("audio",), ("video",), ("text", "audio", "video")):
        found["+".join(modalities)] = pair_f1(probe_scores(splits, modalities), splits)
    for modalities in (("text",), ("audio",), ("video",), ("text", "audio"), ("text", "video")):
        found[f"emotion from {'+'.join(modalities)}"] = emotion_auc(splits, modalities)
    print({name: round(score, 1) for name, score in found.items()})
    return found


@pytest.mark.slow
class TestCausesAreFoundIn:
    def test_distance_as_in_real_dialogues(self, scores: dict[str, float]) -> None:
        # The published rule reaches 47.86 on IEMO-MECP.
        assert 38 <= scores["distance"] <= 52

    def test_words_far_better_than_in_distance(self, scores: dict[str, float]) -> None:
        assert scores["text"] >= scores["distance"] + 12
        # There is room for models that understand more than shared words.
        assert scores["text"] <= 78

    def test_words_voice_and_face_better_than_in_words(self, scores: dict[str, float]) -> None:
        assert scores["text+audio+video"] >= scores["text"] + 3

    def test_voice_or_face_alone_worse_than_in_words(self, scores: dict[str, float]) -> None:
        assert max(scores["audio"], scores["video"]) <= scores["text"] - 5

    def test_voice_and_face_what_words_leave_open_about_emotion(self, scores: dict[str, float]) -> None:
        for modality in ("audio", "video"):
            assert scores[f"emotion from text+{modality}"] >= scores["emotion from text"] + 1
            assert scores[f"emotion from {modality}"] >= 70


def test_targets_name_the_topics_of_their_causes_and_contexts_and_of_little_else(synthetic_dir: Path) -> None:
    topics = {word: number for number, words in enumerate(TOPICS) for word in words}
    split = read_split(synthetic_dir, "train")
    named = [{topics[word] for word in words if word in topics} for words in split.words]
    emotional = set(split.targets[split.labels].tolist())
    shares: dict[str, list[bool]] = {"cause": [], "context": [], "other": []}
    for target, cause, role in zip(split.targets, split.causes, split.roles, strict=True):
        # Nearer pairs also have reactions without a name ("because of this").
        if target - cause >= 2 and target in emotional:
            shares[("cause", "context", "other")[role]].append(bool(named[target] & named[cause]))
    assert np.mean(shares["cause"]) > 0.95
    assert np.mean(shares["context"]) > 0.9
    assert np.mean(shares["other"]) < 0.15


def test_causes_lie_among_other_talk(synthetic_dir: Path) -> None:
    split = read_split(synthetic_dir, "train")
    distances = split.distances[split.labels]
    assert 0.25 <= np.mean(distances == 0) <= 0.38
    assert 0.28 <= np.mean(distances == 1) <= 0.4
    # Beyond self and previous, where only the text is informative.
    assert 0.25 <= np.mean(distances >= 2) <= 0.45
    assert (distances < 0).any()
