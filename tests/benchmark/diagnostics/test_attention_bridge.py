"""The bridge from ECERC's attention to causes, beside its controls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from iemomecp_dataset.benchmark.diagnostics.attention_bridge import attention_bridge
from iemomecp_dataset.benchmark.diagnostics.bridge_of_run import bridge_of_run
from iemomecp_dataset.commands.diagnose import main
from iemomecp_dataset.corpus import load_corpus, whole_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.scoring import average_precision
from iemomecp_dataset.trainers.emotions.hints import attention_hints
from iemomecp_dataset.trainers.emotions.modeling_ecerc import EcercConfig, EcercModel
from iemomecp_dataset.trainers.emotions.modeling_transformer import EmotionTransformer, EmotionTransformerConfig


def dialogues(lengths: list[int], distance: int) -> dict[str, Any]:
    """The cause of every turn lies so many turns before it."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    turn = torch.arange(max(lengths))
    valid = mask[:, :, None] & mask[:, None] & (turn[:, None] >= turn)
    text = torch.randn(*mask.shape, 6, generator=generator)
    speakers = torch.randint(0, 2, mask.shape, generator=generator)
    gold = valid & (turn[:, None] - turn == distance)
    return {"mask": mask, "speakers": speakers, "text": text, "event": text, "valid": valid, "gold": gold}


@pytest.fixture(scope="module")
def model() -> EcercModel:
    torch.manual_seed(1)
    return EcercModel(
        EcercConfig(
            class_names=["neutral", "joy"], text_size=6, event_size=6, audio_size=0, video_size=0, hidden_size=4
        )
    ).eval()


def test_pairs_are_ranked_by_attention_and_by_each_control(model: EcercModel) -> None:
    batches = [dialogues([5, 3], 1), dialogues([6], 1)]
    found = attention_bridge(model, batches, neutral=0, fitted_on=batches)
    assert set(found) == {f"{p}{name}" for p in ("", "p_") for name in ("hint", "uniform", "untrained", "distance")} | {
        "p_distance_hint"
    }
    assert found["distance"] == 1.0, "the distance alone says it here"
    assert found["untrained"] != found["hint"]
    scores, gold = [], []
    for batch in batches:
        valid = batch["valid"]
        output = model(**{n: v for n, v in batch.items() if n not in ("valid", "gold")}, output_attentions=True)
        emotional = output.logits.softmax(dim=-1)[..., 1].unsqueeze(-1)
        scores.append((emotional * attention_hints(output.gates, output.attentions))[valid].detach().numpy())
        gold.append(batch["gold"][valid].numpy())
    expected = average_precision(np.concatenate(scores).astype(np.float64), np.concatenate(gold))
    assert found["p_hint"] == pytest.approx(expected)
    fewer = attention_bridge(model, batches, neutral=0, fitted_on=batches, missed_positives=11)
    assert fewer["distance"] == pytest.approx(0.5)


def test_the_distance_is_learned_elsewhere(model: EcercModel) -> None:
    found = attention_bridge(model, [dialogues([6], 1)], neutral=0, fitted_on=[dialogues([6], 2)])
    assert found["distance"] < 0.5


def test_nothing_to_rank_is_an_error(model: EcercModel) -> None:
    with pytest.raises(UsageError, match="no candidate pair"):
        attention_bridge(model, [], neutral=0, fitted_on=[])


@pytest.fixture(name="written")
def fixture_written(small_dir: Path, tmp_path: Path) -> dict[str, Any]:
    """A corpus of pairs, vectors of its utterances, and a model of emotions that reads them."""
    corpus = whole_corpus(load_corpus("source_binary", small_dir))
    ids = [u["utterance_id"] for rows in corpus.rows.values() for row in rows for u in row["utterances"]]
    vectors = np.random.default_rng(0).normal(size=(len(ids), 3)).astype(np.float32)
    store = tmp_path / "audio.parquet"
    pq.write_table(pa.table({"utterance_id": ids, "vector": vectors.tolist()}), store)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"text_size": 0, "event_size": 0, "audio_size": 3, "video_size": 0, "hidden_size": 4}
    names = list(corpus.emotion_names)
    EcercModel(EcercConfig(class_names=names, **sizes)).save_pretrained(tmp_path / "run" / "model")
    return {"corpus": corpus, "vectors": dict(zip(ids, vectors, strict=True)), "store": store, "run": tmp_path / "run"}


def test_the_command_prints_a_run_beside_its_controls(
    written: dict[str, Any], small_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["attention-bridge", str(written["run"]), "--data-dir", str(small_dir), "--config-name", "source_binary",
          "--audio-features", str(written["store"])])  # fmt: skip
    said = capsys.readouterr().out
    assert "SYNTHETIC" in said
    table = {line[:41].strip(): line[41:].split() for line in said.splitlines()}
    assert [name for name in table if name.startswith("control: ")] == [
        "control: uniform attention, same masks", "control: attention of untrained weights",
        "control: distance of the turns",
    ]  # fmt: skip
    # Dialogue by dialogue, from the rows: neither padding nor candidates of another dialogue enter.
    corpus, model = written["corpus"], EcercModel.from_pretrained(written["run"] / "model").eval()
    neutral = list(corpus.emotion_names).index("neu")
    scores, labels = [], []
    for row in corpus.rows["validation"]:
        speakers = {u["speaker"]: number for number, u in enumerate(row["utterances"])}
        audio = torch.from_numpy(np.stack([written["vectors"][u["utterance_id"]] for u in row["utterances"]]))
        with torch.no_grad():
            output = model(torch.ones(1, len(audio), dtype=torch.bool), audio=audio[None], output_attentions=True,
                           speakers=torch.tensor([[speakers[u["speaker"]] for u in row["utterances"]]]))  # fmt: skip
        hints = attention_hints(output.gates, output.attentions)[0] * (
            1 - output.logits.softmax(dim=-1)[0, :, neutral, None]
        )
        for pair in row["pairs"]:
            scores.append(float(hints[pair["target_turn"] - 1, pair["cause_turn"] - 1]))
            labels.append(pair["label"] == 0)
    missed = corpus.tables["validation"].missed_positives
    expected = average_precision(np.array(scores), np.array(labels), missed_positives=missed)
    assert float(table["attention of the run"][1]) == pytest.approx(100 * expected, abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config_name": "source_binary", "split": "tset"}, "has no split 'tset' of source_binary"),
        ({"config_name": "iemocap"}, "has no cause pairs"),
        ({"names": ["joy", "anger"]}, "is neutral, so"),
        ({"scorer": "other"}, "the attention bridge is of ECERC's attention"),
    ],
)
def test_what_has_no_bridge_says_so(
    change: dict[str, Any], message: str, written: dict[str, Any], small_dir: Path
) -> None:
    sizes: dict[str, Any] = {"text_size": 0, "audio_size": 3, "video_size": 0}
    run = written["run"]
    if "names" in change:
        EcercModel(EcercConfig(class_names=change["names"], event_size=0, hidden_size=4, **sizes)).save_pretrained(run)
        run = run / "model" if not (run / "config.json").exists() else run
        (written["run"] / "model" / "config.json").unlink()
    if "scorer" in change:
        config = EmotionTransformerConfig(class_names=["neu", "joy"], hidden_size=4, num_heads=1, **sizes)
        EmotionTransformer(config).save_pretrained(run / "model")
    with pytest.raises(UsageError, match=message):
        bridge_of_run(
            run,
            change.get("config_name", "source_binary"),
            small_dir,
            split=change.get("split", "validation"),
            stores={"audio": written["store"]},
        )
