"""The published isolated-pair baselines: model and loss against plain versions, and a run continued."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from scorer_case import ScorerCase

import iemomecp_dataset
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.pair_table import pair_table
from iemomecp_dataset.trainers.cli import parse_options
from iemomecp_dataset.trainers.encoders.text import load_text_encoder
from iemomecp_dataset.trainers.encoders.tiny import write_tiny_encoder
from iemomecp_dataset.trainers.isolated.data import pair_examples
from iemomecp_dataset.trainers.isolated.modeling import IsolatedScorer, IsolatedScorerConfig
from iemomecp_dataset.trainers.isolated.segments import segment_text, tokenize_segments
from iemomecp_dataset.trainers.isolated.task import IsolatedStrategy, UtteranceVectors
from iemomecp_dataset.trainers.objectives import pooled_here
from iemomecp_dataset.trainers.training.task import TrainingTask


@pytest.fixture(scope="module")
def corpus(small_dir: Path) -> dict[str, list[dict]]:
    data = iemomecp_dataset.load("3class", data_dir=str(small_dir))
    return {split: data[split].to_list()[:3] for split in ("train", "test")}


@pytest.fixture(scope="module")
def reader(small_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder whose tokeniser knows the corpus' words: most pairs' texts are short enough for it."""
    rows = iemomecp_dataset.load("3class", data_dir=str(small_dir), split="train")
    texts = [segment_text((u["speaker"], u["text"]), (u["speaker"], u["text"])) for r in rows for u in r["utterances"]]
    return write_tiny_encoder(texts, tmp_path_factory.mktemp("reader"), hidden_size=16)


@pytest.fixture(scope="module")
def prepared(corpus, reader: Path):
    """Method, method without evidence, examples and model on a few dialogues, with text and audio."""
    utterances, examples = pair_examples(corpus)
    encoder = load_text_encoder(str(reader))
    everything = [np.concatenate([getattr(e, name) for e in examples.values()]) for name in ("targets", "candidates")]
    segments, without = (
        tokenize_segments(utterances.spoken, *everything, encoder.tokenizer, 128, removed=removed)
        for removed in (False, True)
    )
    n = len(utterances.ids)
    vectors = np.random.default_rng(0).normal(size=(n, 5)).astype(np.float32)
    method = IsolatedStrategy(segments, {"audio": UtteranceVectors(vectors, np.arange(n) != 1)})
    torch.manual_seed(0)
    config = IsolatedScorerConfig(
        class_names=["emo_cause", "emo_context", "non_pair"], text_encoder=encoder.model.config.to_dict(), audio_size=5,
        hidden_size=12,
    )  # fmt: skip
    model = IsolatedScorer(config).eval()
    model.use_text_encoder(encoder.model)
    return method, replace(method, segments=without, removed=True), examples, model


def batch_of(method: IsolatedStrategy, examples, positions: list[int]):
    return method.collate([(p, examples[p]) for p in positions])


def test_model_is_the_published_formula(prepared, corpus, reader: Path) -> None:
    method, _, examples, model = prepared
    pairs = examples["train"]
    positions = [0, 7, 3, 41]
    logits = model(**batch_of(method, pairs, positions)["inputs"]).logits
    encoder = load_text_encoder(str(reader))
    branch = model.branches["audio"].project
    for row, position in enumerate(positions):
        pair = corpus["train"][0]["pairs"][position]
        target, candidate = (corpus["train"][0]["utterances"][pair[turn] - 1] for turn in ("target_turn", "cause_turn"))
        text = segment_text((target["speaker"], target["text"]), (candidate["speaker"], candidate["text"]))
        pooled = model.text_encoder(**encoder.tokenizer(text, return_tensors="pt")).pooler_output
        heard = [method.vectors["audio"].vectors[turn - 1] for turn in (pair["target_turn"], pair["cause_turn"])]
        for i, turn in enumerate((pair["target_turn"], pair["cause_turn"])):
            if turn == 2:
                heard[i] = model.branches["audio"].absent.detach().numpy()
        joined = torch.from_numpy(np.concatenate(heard))[None]
        hidden = torch.relu(torch.nn.functional.layer_norm(
            joined @ branch[0].weight.T + branch[0].bias, (12,), branch[1].weight, branch[1].bias))  # fmt: skip
        expected = torch.cat([pooled, hidden], dim=-1) @ model.output[1].weight.T + model.output[1].bias
        torch.testing.assert_close(logits[row], expected[0], atol=1e-5, rtol=1e-4)


def test_chunks_change_nothing(prepared) -> None:
    method, _, examples, model = prepared
    positions = list(range(0, 60, 3))
    whole = model(**batch_of(method, examples["train"], positions)["inputs"]).logits
    chunked = batch_of(replace(method, chunk_tokens=64), examples["train"], positions)
    assert len(chunked["inputs"]["text_tokens"]) > 2
    torch.testing.assert_close(model(**chunked["inputs"]).logits, whole, atol=1e-5, rtol=1e-4)


def test_loss_is_torchs_weighted_mean(prepared) -> None:
    method, _, examples, model = prepared
    batch = batch_of(method, examples["train"], list(range(30)))
    weights = torch.tensor([1.798, 2.6, 0.627])
    expected = torch.nn.functional.cross_entropy(model(**batch["inputs"]).logits, batch["labels"], weight=weights)
    (name, term), = replace(method, class_weights=weights).terms(model, batch, pooled_here).items()  # fmt: skip
    assert name == "supervised"
    torch.testing.assert_close(term, expected)


def test_the_loss_is_pooled_as_it_is_asked_to(prepared) -> None:
    """Over processes: the sum and the summed weights of this one's shard are what the reduction gets."""
    method, _, examples, model = prepared
    batch = batch_of(method, examples["train"], list(range(30)))
    weights = torch.tensor([1.798, 2.6, 0.627])
    pooled = []
    replace(method, class_weights=weights).terms(model, batch, lambda *parts: pooled.append(parts) or parts[0])
    ((total, count),) = pooled
    logits, labels = model(**batch["inputs"]).logits, batch["labels"]
    torch.testing.assert_close(
        total, torch.nn.functional.cross_entropy(logits, labels, weight=weights, reduction="sum")
    )
    torch.testing.assert_close(count, weights[labels].sum())


class TestIsolatedScorer(ScorerCase):
    name = "isolated"
    positions = (0, 7, 3, 41)

    @pytest.fixture
    def task(self, prepared) -> TrainingTask:
        method, _, examples, model = prepared
        return TrainingTask(model, method, examples)

    def inputs(self, batch):
        return batch["inputs"]

    def labels(self, batch):
        return {"labels": batch["labels"]}


def test_pairs_without_label_do_not_count(prepared) -> None:
    method, _, examples, model = prepared
    batch = batch_of(method, examples["train"], list(range(30)))
    labels = batch["labels"].clone()
    labels[5:] = -100
    some = model(**batch["inputs"], labels=labels.int())
    torch.testing.assert_close(some.loss, torch.nn.functional.cross_entropy(some.logits[:5], labels[:5]))


def test_the_plain_protocol_gives_the_same(prepared, corpus, reader: Path) -> None:
    from iemomecp_dataset.benchmark.speed.plain_protocol import PlainScorer, plain_batch, plain_pairs

    method, _, examples, model = prepared
    ids = [u["utterance_id"] for rows in corpus.values() for row in rows for u in row["utterances"]]
    full = replace(method, vectors={"audio": replace(method.vectors["audio"], present=np.ones(len(ids), dtype=bool))})
    vectors = dict(zip(ids, method.vectors["audio"].vectors, strict=True))
    pairs = plain_pairs(corpus["train"], {"audio": vectors})
    assert len(pairs) == len(examples["train"])
    positions = [3, 90, 17, 44]
    encoder = load_text_encoder(str(reader))
    tokens, vectors, labels = plain_batch([pairs[p] for p in positions], encoder.tokenizer, 128)
    ours = batch_of(full, examples["train"], positions)
    assert labels.tolist() == ours["labels"].tolist()
    plain = PlainScorer(encoder.model, 3, {"audio": 5}, 12).eval()
    plain.encoder.load_state_dict(model.text_encoder.state_dict())
    plain.branches["audio"].load_state_dict(model.branches["audio"].project.state_dict())
    plain.output.load_state_dict(model.output.state_dict())
    torch.testing.assert_close(plain(tokens, vectors), model(**ours["inputs"]).logits, atol=1e-5, rtol=1e-4)


def test_without_evidence_the_candidate_is_not_seen(prepared) -> None:
    method, without, examples, model = prepared
    pairs = examples["train"]
    same_target = [p for p in range(200) if pairs.targets[p] == 5]
    speakers = {0, 2, 4}  # turns of one speaker would differ only in words and sound
    candidates = [p for p in same_target if pairs.candidates[p] in speakers]
    full = model(**batch_of(method, pairs, candidates)["inputs"]).logits
    removed_batch = batch_of(without, pairs, candidates)["inputs"]
    assert (removed_batch["audio"][:, 1] == 0).all()
    assert removed_batch["audio_present"][:, 1].all()
    texts = without.segments
    lines = {texts.candidate_lines[c].tobytes() for c in range(6)}
    assert len(lines) <= 2, "a line for each speaker"
    removed = model(**removed_batch).logits
    assert not torch.allclose(full[0], full[1])
    by_speaker: dict[bytes, torch.Tensor] = {}
    for row, p in enumerate(candidates):
        key = texts.candidate_lines[pairs.candidates[p]].tobytes()
        torch.testing.assert_close(removed[row], by_speaker.setdefault(key, removed[row]))


def test_examples_are_the_pair_table_and_small(corpus) -> None:
    utterances, examples = pair_examples(corpus)
    for split, rows in corpus.items():
        table, pairs = pair_table(rows), examples[split]
        assert len(pairs) == len(table)
        assert pairs.labels.tolist() == table.labels.tolist()
        assert [pairs[i].dialogue_id for i in range(len(pairs))] == table.dialogue_ids.tolist()
        size = sum(getattr(pairs, name).nbytes for name in ("dialogues", "targets", "candidates", "labels"))
        assert size <= 13 * len(pairs)
    first = corpus["test"][0]["utterances"][0]
    start = examples["test"].targets[0]
    assert utterances.spoken[start] == (first["speaker"], first["text"])


def test_the_published_protocol_is_the_default() -> None:
    options = parse_options(
        ["--data_dir", "d", "--output_dir", "o"], description="", defaults={"scorer": "isolated", "modalities": "t"}
    )
    model, optimization = options.model, options.optimization
    assert (optimization.epochs, optimization.batch_size, optimization.learning_rate) == (10, 16, 2e-5)
    assert optimization.encoder_learning_rate == 2e-5
    assert (optimization.weight_decay, optimization.decay_everything) == (0.01, True)
    assert (optimization.warmup_ratio, optimization.max_grad_norm) == (0.1, 1.0)
    assert (optimization.selection, optimization.decision, optimization.patience) == ("macro_f1", "argmax", 0)
    assert (optimization.mixed_precision, optimization.weight_averaging) == ("no", 0.0)
    assert (model.max_tokens, model.dropout, model.segment_pooling, model.hidden_size) == (160, 0.1, "pooler", 768)
    assert options.objective.class_weighting == "sqrt"
    audio = parse_options(
        ["--data_dir", "d", "--output_dir", "o", "--scorer=isolated", "--modalities=a", "--epochs=30"], description=""
    )
    assert audio.model.hidden_size == 256
    assert audio.optimization.epochs == 30, "what is given wins, even where it is the general default"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encoder_mode", "frozen"], "Use --scorer dialogue, or --encoder_mode trained"),
        (["--objective", "rpcl"], "Use --scorer dialogue, or --objective base"),
        (["--threshold", "0.3"], "--decision threshold"),
        (["--scorer", "dialogue", "--evidence_removal"], "use --scorer isolated"),
        (["--scorer", "dialogue", "--batch_tokens", "100"], "use --scorer isolated"),
        (["--segment_pooling", "pooled"], "Did you mean 'pooler'"),
        (["--max_hours", "0"], "--max_hours must be above 0, but is 0.0"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_contradictions_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_options(
            ["--data_dir", "d", "--output_dir", "o", *arguments], description="", defaults={"scorer": "isolated"}
        )


def test_an_encoder_without_pooler_is_refused(tiny_encoder: Path) -> None:
    encoder = load_text_encoder(str(tiny_encoder)).model
    encoder.pooler = None
    model = IsolatedScorer(IsolatedScorerConfig(class_names=["pair", "non_pair"], audio_size=2))
    with pytest.raises(UsageError, match="--segment_pooling first_token or mean"):
        model.use_text_encoder(encoder)


@pytest.mark.slow
def test_a_run_stops_at_max_hours_and_continues_to_the_same_bits(small_dir: Path, reader: Path, tmp_path: Path) -> None:
    from iemomecp_dataset.trainers.run import run

    def start(folder: str, *more: str):
        arguments = ["--data_dir", str(small_dir), "--text_encoder", str(reader), "--modalities", "ta",
                     "--output_dir", str(tmp_path / folder), "--scorer", "isolated", "--epochs", "1", "--quiet",
                     "--batch_tokens", "8000", "--evidence_removal", "--hidden_size", "16", "--learning_rate", "1e-3",
                     "--encoder_learning_rate", "1e-3"]  # fmt: skip
        return run(parse_options([*arguments, *more], description=""))

    whole = start("whole")
    assert start("parts", "--max_hours", "1e-9") is None
    assert not (tmp_path / "parts" / "results.json").exists()
    assert [path.name for path in (tmp_path / "parts" / "checkpoint").glob("epoch-*")] == ["epoch-0000-batch-00000001"]
    parts = start("parts")
    assert dict(parts.metrics["test"]) == dict(whole.metrics["test"])
    for name in ("predictions_test.parquet", "predictions_validation.parquet", "predictions_test_removed.parquet"):
        assert pq.read_table(tmp_path / "whole" / name).equals(pq.read_table(tmp_path / "parts" / name))
    assert whole.threshold == {"value": None, "chosen_on": None}
    rows = iemomecp_dataset.load("3class", data_dir=str(small_dir), split="test")
    tokenizer = load_text_encoder(str(reader)).tokenizer
    longer = 0
    for row in rows:
        said = {u["turn"]: (u["speaker"], u["text"]) for u in row["utterances"]}
        texts = [segment_text(said[pair["target_turn"]], said[pair["cause_turn"]]) for pair in row["pairs"]]
        longer += sum(len(ids) > min(160, tokenizer.model_max_length) for ids in tokenizer(texts)["input_ids"])
    assert whole.counts["test"]["truncated_pairs"] == longer > 0
    table = pq.read_table(tmp_path / "whole" / "predictions_test.parquet")
    expected = pair_table(rows)
    assert table["dialogue_id"].to_pylist() == expected.dialogue_ids.tolist()
    assert table["cause_turn"].to_pylist() == expected.cause_turns.tolist()
    assert table["label"].to_pylist() == expected.labels.tolist()
    removed = pq.read_table(tmp_path / "whole" / "predictions_test_removed.parquet")
    assert json.loads(removed.schema.metadata[b"iemomecp"])["evidence"] == "candidate removed"
    assert not removed["prob_emo_cause"].equals(table["prob_emo_cause"])
    again = IsolatedScorer.from_pretrained(tmp_path / "whole" / "model")
    assert again.config.class_names == ["emo_cause", "emo_context", "non_pair"]
    assert "all_non_pair" in whole.structural_baselines
