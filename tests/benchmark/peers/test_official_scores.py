"""What the official evaluator of SemEval-2024 Task 3 reads of an export gives the numbers of the plain functions."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from peer_files import EMOTIONS, ecf_corpus

import iemomecp_dataset
from iemomecp_dataset.commands import export_for
from iemomecp_dataset.metrics.set_scores import pair_set, set_scores
from iemomecp_dataset.rows import list_item

SIX = ("anger", "disgust", "fear", "joy", "sadness", "surprise")
FOUR = ("anger", "joy", "sadness", "surprise")


def official(gold_file: Path, predicted_file: Path) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 by the task's definitions, of two files in its layout.

    A pair is right if conversation, emotion utterance, emotion and cause utterance are. Neutral emotions count neither
    for nor against a system. Micro: over the six emotions together. Weighted: precision, recall and F1 of each emotion,
    each averaged with the emotions' shares of the gold, over six emotions and over the main four.
    """
    hits, found, wanted = defaultdict(int), defaultdict(int), defaultdict(int)
    files = [json.loads(path.read_text(encoding="utf-8")) for path in (gold_file, predicted_file)]
    assert [entry["conversation_ID"] for entry in files[0]] == [entry["conversation_ID"] for entry in files[1]]
    for gold, predicted in zip(*files, strict=True):
        assert gold["conversation"] == predicted["conversation"]
        gold_pairs, pairs = ({tuple(pair) for pair in entry["emotion-cause_pairs"]} for entry in (gold, predicted))
        for pair in pairs | gold_pairs:
            emotion = pair[0].split("_")[1]
            found[emotion] += pair in pairs
            wanted[emotion] += pair in gold_pairs
            hits[emotion] += pair in pairs and pair in gold_pairs

    def of(hit: int, predicted: int, gold: int) -> tuple[float, float, float]:
        precision, recall = (hit / predicted if predicted else 0.0), (hit / gold if gold else 0.0)
        return precision, recall, (2 * precision * recall / (precision + recall) if hit else 0.0)

    def weighted(emotions: tuple[str, ...]) -> tuple[float, ...]:
        parts = [(wanted[e], of(hits[e], found[e], wanted[e])) for e in emotions]
        return tuple(sum(n * scores[i] for n, scores in parts) / sum(n for n, _ in parts) for i in range(3))

    return {
        "micro": of(*(sum(counts[e] for e in SIX) for counts in (hits, found, wanted))),
        "weighted": weighted(SIX),
        "main4": weighted(FOUR),
    }


def random_predictions(rows, path: Path, *, emotions: bool, seed: int = 3):
    """A file of decisions on every candidate, with a random emotion of each target; and the pairs that it predicts."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list] = {name: [] for name in ("dialogue_id", "target_turn", "cause_turn", "pred_id", "emotion")}
    for row in rows:
        of_turn = rng.choice(EMOTIONS, size=len(row["utterances"]) + 1)
        for pair in row["pairs"]:
            near = 0 <= pair["target_turn"] - pair["cause_turn"] <= 1
            values = (
                row["dialogue_id"],
                pair["target_turn"],
                pair["cause_turn"],
                int(rng.random() > (0.7 if pair["label"] == 0 or near else 0.05)),
                str(of_turn[pair["target_turn"]]),
            )
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    predicted = [
        (dialogue, target, cause, emotion)
        for dialogue, target, cause, label, emotion in zip(*columns.values(), strict=True)
        if label == 0
    ]
    if not emotions:
        del columns["emotion"]
    facts = {"config_name": "ecf", "split": "test" if "test" in path.stem else "validation"}
    pq.write_table(pa.table(columns).replace_schema_metadata({"iemomecp": json.dumps(facts)}), path)
    return predicted


def check(rows, predicted, folder: Path, split: str) -> None:
    names = list_item(rows.features["utterances"])["emotion"].names
    gold = [
        (row["dialogue_id"], target, cause, names[row["utterances"][target - 1]["emotion"]])
        for row in rows
        for target, cause in iemomecp_dataset.gold_pairs(row)
    ]
    expected = official(folder / f"gold_{split}.json", folder / f"predictions_{split}.json")
    assert 0 < expected["micro"][2] < 1
    for letter, prefix in (("C", "micro"), ("C", "weighted"), ("C", "main4"), ("D", "weighted")):
        scores = set_scores(
            pair_set(*zip(*predicted, strict=True)), pair_set(*zip(*gold, strict=True)), definition=letter
        )
        ours = [f"{scores[f'{prefix}_{kind}']:.6f}" for kind in ("precision", "recall", "f1")]
        assert ours == [f"{value:.6f}" for value in expected[prefix]], (letter, prefix)
    assert scores["pair_f1"] == scores["weighted_f1"]


@pytest.mark.parametrize("gold_emotions", [False, True])
def test_an_export_for_the_official_evaluator_scores_as_the_plain_functions(gold_emotions, tmp_path):
    ecf_corpus(tmp_path / "ecf", seed=1)
    loaded = iemomecp_dataset.load("ecf", data_dir=tmp_path / "ecf")
    predicted = {
        split: random_predictions(loaded[split], tmp_path / f"{split}.parquet", emotions=not gold_emotions)
        for split in ("validation", "test")
    }
    export_for.main(
        ["semeval", "--data-dir", str(tmp_path / "ecf"), "--config-name", "ecf", "--output-dir", str(tmp_path / "out"),
         "--predictions", str(tmp_path / "validation.parquet"), str(tmp_path / "test.parquet"),
         *(["--gold-emotions"] if gold_emotions else [])]
    )  # fmt: skip
    for split, pairs in predicted.items():
        names = list_item(loaded[split].features["utterances"])["emotion"].names
        if gold_emotions:
            emotion_of = {
                (row["dialogue_id"], u["turn"]): names[u["emotion"]] for row in loaded[split] for u in row["utterances"]
            }
            pairs = [(dialogue, target, cause, emotion_of[dialogue, target]) for dialogue, target, cause, _ in pairs]
        assert any(emotion == "neutral" for *_, emotion in pairs)
        check(loaded[split], pairs, tmp_path / "out", split)
        content = json.loads((tmp_path / "out" / f"predictions_{split}.json").read_text(encoding="utf-8"))
        assert {entry.get("emotions") for entry in content} == {"gold" if gold_emotions else None}


def test_the_gold_scored_against_itself_is_perfect_with_every_conversation(tmp_path):
    written = ecf_corpus(tmp_path / "ecf", seed=2)
    export_for.main(
        ["semeval", "--data-dir", str(tmp_path / "ecf"), "--config-name", "ecf", "--output-dir", str(tmp_path / "out")]
    )
    for split, file in (("train", "train"), ("validation", "dev"), ("test", "test")):
        gold = tmp_path / "out" / f"gold_{split}.json"
        content = json.loads(gold.read_text(encoding="utf-8"))
        assert [str(entry["conversation_ID"]) for entry in content] == [name for name, *_ in written[file]]
        assert all(isinstance(entry["conversation_ID"], int) for entry in content)
        for entry, (_, pairs, turns) in zip(content, written[file], strict=True):
            assert [(u["utterance_ID"], u["speaker"], u["emotion"], u["text"]) for u in entry["conversation"]] == [
                (int(fields[0]), *fields[1:4]) for fields in turns
            ]
            expected = {(f"{target}_{turns[target - 1][2]}", str(cause)) for target, cause in pairs}
            assert {tuple(pair) for pair in entry["emotion-cause_pairs"]} == expected
        assert official(gold, gold)["weighted"] == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("previous", [False, True])
def test_the_heuristics_with_gold_emotions_on_genuine_ecf(previous, tmp_path):
    if "IEMOMECP_ECF_DIR" not in os.environ:
        pytest.skip("IEMOMECP_ECF_DIR does not name a folder with the genuine files")
    data = os.environ["IEMOMECP_ECF_DIR"]
    loaded = iemomecp_dataset.load("ecf", data_dir=data)
    split = "test" if "test" in loaded else "validation"
    rows = loaded[split]
    names = list_item(rows.features["utterances"])["emotion"].names
    predicted = [
        (row["dialogue_id"], utterance["turn"], cause, names[utterance["emotion"]])
        for row in rows
        for utterance in row["utterances"]
        for cause in range(max(1, utterance["turn"] - previous), utterance["turn"] + 1)
        if utterance["emotion"]
    ]
    columns = dict(
        zip(("dialogue_id", "target_turn", "cause_turn"), list(zip(*predicted, strict=True))[:3], strict=True)
    )
    columns["pred_id"] = [0] * len(predicted)
    metadata = {"iemomecp": json.dumps({"config_name": "ecf", "split": split})}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), tmp_path / "heuristic.parquet")
    export_for.main(
        ["semeval", "--data-dir", data, "--config-name", "ecf", "--output-dir", str(tmp_path / "out"),
         "--predictions", str(tmp_path / "heuristic.parquet"), "--gold-emotions"]
    )  # fmt: skip
    check(rows, predicted, tmp_path / "out", split)
    if split == "test":
        # What the official evaluator gives for these predictions.
        stated = {
            False: ("0.662284", "0.510945", "0.576854", "0.574958"),
            True: ("0.541985", "0.796049", "0.644896", "0.644277"),
        }[previous]
        expected = official(tmp_path / "out" / "gold_test.json", tmp_path / "out" / "predictions_test.json")
        assert (*(f"{value:.6f}" for value in expected["micro"]), f"{expected['weighted'][2]:.6f}") == stated
