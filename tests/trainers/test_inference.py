"""Using a trained run: the same probabilities as the run wrote, from dialogues alone, and clear errors."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, MissingModelError, UsageError
from iemomecp_dataset.features import FeatureTable
from iemomecp_dataset.trainers import load_scorer, predict
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run import run
from iemomecp_dataset.trainers.scorers import find_scorer

KINDS = {
    "frozen": {"modalities": "ta", "encoder_mode": "frozen", "objective": "rpcl"},
    "trained": {"modalities": "t", "batch_size": 30},
    "isolated": {**find_scorer("isolated").protocol("tv"), "scorer": "isolated", "modalities": "tv", "batch_size": 128},
}
FEATURES = {"frozen": ("audio",), "trained": (), "isolated": ("video",)}


@pytest.fixture(scope="module")
def runs(small_dir: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, kind in KINDS.items():
        small = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "epochs": 1, "max_tokens": 24}
        run(TrainingOptions.from_flat({
            **kind, **small, "data_dir": str(small_dir), "text_encoder": str(tiny_encoder), "quiet": True,
            "output_dir": str(folder / name),
        }))  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def rows(small_dir: Path) -> list[dict]:
    return iemomecp_dataset.load("3class", data_dir=str(small_dir), split="test").to_list()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_predicts_what_it_wrote(kind: str, runs: Path, rows: list[dict], small_dir: Path) -> None:
    features = {name: small_dir / "features" / f"{name}.parquet" for name in FEATURES[kind]}
    unlabeled = [
        {**row, "pairs": [{k: pair[k] for k in ("target_turn", "cause_turn")} for pair in row["pairs"]]} for row in rows
    ]
    found = predict(runs / kind, unlabeled, **features)
    assert [len(matrix) for matrix in found] == [len(row["pairs"]) for row in rows]
    table = pq.read_table(runs / kind / "predictions_test.parquet")
    written = np.stack([table[f"prob_{name}"] for name in ("emo_cause", "emo_context", "non_pair")], axis=1)
    np.testing.assert_allclose(np.concatenate(found), written, atol=1e-5)
    scorer = load_scorer(runs / kind / "model")
    for row, all_pairs, some in zip(rows[:2], predict(scorer, [strip(row) for row in rows[:2]], **features), found,
                                    strict=False):  # fmt: skip
        n = len(row["utterances"])
        assert all_pairs.shape == (n * n, 3), "without candidates, all pairs are scored"
        kept = [(p["target_turn"] - 1) * n + p["cause_turn"] - 1 for p in row["pairs"]]
        if kind == "isolated":  # a dialogue scorer's pairs are alone in their logits too, but for float order
            np.testing.assert_allclose(all_pairs[kept], some, atol=1e-5)
    assert predict(scorer, [], **features) == []


def strip(row: dict) -> dict:
    return {"dialogue_id": row["dialogue_id"], "utterances": row["utterances"]}


@pytest.mark.slow
def test_what_cannot_be_used_is_said(runs: Path, rows: list[dict], small_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="give audio= a feature table"):
        predict(runs / "frozen", rows)
    with pytest.raises(MissingDataError, match="holds no model"):
        predict(tmp_path, rows)
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_text("seed: 1")
    with pytest.raises(MissingDataError, match="has not finished"):
        predict(unfinished, rows)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(UsageError, match="'roberta'"):
        predict(other, rows)
    narrow = tmp_path / "narrow.parquet"
    ids = [u["utterance_id"] for row in rows for u in row["utterances"]]
    pq.write_table(pa.table({"utterance_id": ids, "vector": [[0.5, 1.0]] * len(ids)}), narrow)
    with pytest.raises(InvalidDataError, match=r"vectors have 2 numbers"):
        predict(runs / "frozen", rows, audio=narrow)
    audio = small_dir / "features" / "audio.parquet"
    with pytest.raises(MissingModelError):
        predict(runs / "frozen", rows, audio=audio, text_encoder="nobody/no-such-encoder")
    strangers = [{**rows[0], "utterances": [{**u, "utterance_id": "x" + u["utterance_id"]}
                                            for u in rows[0]["utterances"]]}]  # fmt: skip
    with pytest.raises(InvalidDataError, match="utterances"):
        predict(runs / "frozen", strangers, audio=audio)


UTTERANCE = {"turn": 1, "utterance_id": "d_1", "speaker": "A", "text": "We lost."}
ROW: dict[str, Any] = {"dialogue_id": "d", "utterances": [UTTERANCE]}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("hello", r"rows\[1\] must be a dictionary with 'dialogue_id', 'utterances', .* but is text"),
        ({"utterances": [UTTERANCE]}, r"rows\[1\] lacks 'dialogue_id'"),
        ({"dialogue_id": "d"}, r"rows\[1\] lacks 'utterances'"),
        ({**ROW, "utterances": []}, r"rows\[1\] \(dialogue_id 'd'\): 'utterances' must be .* but is empty"),
        ({**ROW, "utterances": "hello"}, r"\(dialogue_id 'd'\): 'utterances' must be a list .* but is text"),
        ({**ROW, "utterances": ["hello"]}, r"dialogue_id 'd'\), utterances\[0\] must be a dictionary with 'turn'"),
        (
            {**ROW, "utterances": [{"turn": 1, "utterance_id": "d_1"}]},
            r"dialogue_id 'd'\), utterances\[0\] lacks 'speaker', 'text'",
        ),
        ({**ROW, "utterances": [{**UTTERANCE, "text": 3}]}, r"utterances\[0\]: 'text' must be text, but is '3'"),
        ({**ROW, "utterances": [{**UTTERANCE, "turn": 0}]}, r"utterances\[0\]: 'turn' must be 1, but is 0"),
        ({**ROW, "pairs": [{"target_turn": 1}]}, r"dialogue_id 'd'\), pairs\[0\] lacks 'cause_turn'"),
        ({**ROW, "pairs": [{"target_turn": 1, "cause_turn": 2}]}, r"pair \(1, 2\): points outside the dialogue"),
    ],
)
def test_a_row_that_cannot_be_scored_is_named(row: Any, message: str) -> None:
    config = DialogueScorerConfig(class_names=["pair", "non_pair"], hidden_size=8, num_heads=2, num_layers=0)
    scorer = DialogueScorer(config)
    assert predict(scorer, [ROW])[0].shape == (1, 2)
    with pytest.raises(InvalidDataError, match=message):
        predict(scorer, [ROW, row])


@pytest.mark.parametrize("kind", ["dialogue", "isolated"])
@pytest.mark.parametrize("candidates", [[[], []], [[], [(1, 1)]], [[(1, 1)], []]])
def test_rows_without_candidates_have_no_scores(kind: str, candidates: list[list[tuple[int, int]]]) -> None:
    shape = {"class_names": ["pair", "non_pair"], "audio_size": 2, "hidden_size": 8}
    scorer = (
        IsolatedScorer(IsolatedScorerConfig(**shape))
        if kind == "isolated"
        else DialogueScorer(DialogueScorerConfig(**shape, num_heads=2, num_layers=0))
    )
    rows = [
        {**ROW, "dialogue_id": str(number), "pairs": [{"target_turn": t, "cause_turn": c} for t, c in pairs]}
        for number, pairs in enumerate(candidates)
    ]
    found = predict(scorer, rows, audio=FeatureTable(Path("audio"), 2, (np.ones((1, 2)),), {"d_1": (0, 0)}))
    assert [matrix.shape for matrix in found] == [(len(pairs), 2) for pairs in candidates]


@pytest.mark.slow
def test_an_encoder_of_another_width_is_refused(runs: Path, rows: list[dict], small_dir: Path, tmp_path: Path) -> None:
    from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder

    wide = write_tiny_encoder(["What happened?"] * 3, tmp_path / "wide", hidden_size=24)
    audio = small_dir / "features" / "audio.parquet"
    with pytest.raises(InvalidDataError, match="Give that one as text_encoder"):
        predict(runs / "frozen", rows, audio=audio, text_encoder=str(wide))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_card_says_what_it_is(kind: str, runs: Path, tiny_encoder: Path) -> None:
    card = (runs / kind / "model" / "README.md").read_text()
    _, header, text = card.split("---\n", 2)
    assert "synthetic" in yaml.safe_load(header)["tags"]
    assert "SYNTHETIC" in text.split("##")[0]
    assert "definition F" in text
    assert "structural: distance only" in text
    table = pq.read_table(runs / kind / "predictions_test.parquet")
    assert table.num_rows > 0
    row = re.search(r"\| test \| this model \| (\S+) \|", text)
    from iemomecp_dataset.benchmark.runs.results import read_results

    results = read_results(runs / kind)
    assert row
    assert float(row[1]) == pytest.approx(100 * results.metrics["test"]["pair_f1"], abs=0.005)
    decision = "most probable class" if kind == "isolated" else "P(emo_cause) >="
    assert decision in text
    for path in (runs, tiny_encoder):
        assert str(path) not in text, "no paths of the machine"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_card_runs_as_it_is_written(
    kind: str, runs: Path, rows: list[dict], small_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoConfig, AutoModel

    from iemomecp_dataset.benchmark.runs.results import read_results

    folder = runs / kind / "model"
    try:
        AutoConfig.from_pretrained(folder)
    except ValueError:  # the type is not registered
        scorer = type(load_scorer(folder))
        AutoConfig.register(scorer.config_class.model_type, scorer.config_class)
        AutoModel.register(scorer.config_class, scorer)
    (tmp_path / "path/to/this").mkdir(parents=True)
    (tmp_path / "path/to/this/folder").symlink_to(folder)
    (tmp_path / "local_data").symlink_to(small_dir)
    monkeypatch.chdir(tmp_path)
    card = Path("path/to/this/folder/README.md").read_text()
    program = "\n".join(re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL))
    names: dict[str, Any] = {}
    exec(compile(program, "card", "exec"), names)
    config = names["model"].config
    assert type(names["model"]) is type(load_scorer(folder))
    assert config.id2label == {0: "emo_cause", 1: "emo_context", 2: "non_pair"}
    assert "0 emo_cause, 1 emo_context, 2 non_pair" in card
    results = read_results(runs / kind)
    assert config.threshold == results.threshold["value"]
    assert config.decision == ("argmax" if config.threshold is None else "threshold")
    assert f"`model.config.decision`: {config.decision}" in card
    if config.threshold is not None:
        assert f"model.config.threshold is {config.threshold:.4f}" in card
    if FEATURES[kind]:
        positive, gold = (
            np.concatenate(names["positive"]),
            np.array([p["label"] == 0 for r in rows for p in r["pairs"]]),
        )
        f1 = 2 * (positive & gold).sum() / (positive.sum() + gold.sum())
        assert f1 == pytest.approx(results.metrics["test"]["pair_f1"]), "the rule of the card gives its score"
    else:
        (matrix,) = names["probabilities"]
        assert matrix.shape == (4, 3)
        np.testing.assert_allclose(matrix, predict(folder, names["rows"])[0])


@pytest.mark.slow
def test_a_moved_run_still_predicts(runs: Path, rows: list[dict], tmp_path: Path) -> None:
    shutil.copytree(runs / "trained" / "model", tmp_path / "moved")
    scorer = DialogueScorer.from_pretrained(tmp_path / "moved")
    np.testing.assert_array_equal(predict(scorer, rows[:1])[0], predict(runs / "trained", rows[:1])[0])
