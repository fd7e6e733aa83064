"""What a user of the dialogue scorer relies on: orientation, masks, corruption, texts at their own turns."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from corpus_files import ecf_text
from scorer_case import AUDIO_SIZE, TEXT_SIZE, ScorerCase, dialogue_task

from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.corpus import load_corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
from iemomecp_dataset.trainers.dialogue.layers import CandidatePairs, Ragged
from iemomecp_dataset.trainers.dialogue.modeling import Corruption, DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.dialogue.task import DialogueStrategy
from iemomecp_dataset.trainers.encoders.text import TextEncoder, length_chunks, load_text_encoder, tokenize_texts
from iemomecp_dataset.trainers.objectives import OBJECTIVES, corrupt_context, pooled_here
from iemomecp_dataset.trainers.training.task import TrainingTask

SHAPE = {"class_names": ["pair", "non_pair"], "hidden_size": 16, "num_heads": 2, "pair_size": 8, "bilinear_size": 4,
         "max_distance": 3}  # fmt: skip


def tiny_scorer(**shape: object) -> DialogueScorer:
    torch.manual_seed(0)
    return DialogueScorer(DialogueScorerConfig(**SHAPE, **shape)).eval()


@pytest.fixture
def scorer() -> DialogueScorer:
    return tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE)


@pytest.fixture(scope="module")
def encoder(tiny_encoder: Path) -> TextEncoder:
    return load_text_encoder(str(tiny_encoder))


def scorer_with(encoder: TextEncoder) -> DialogueScorer:
    model = tiny_scorer(text_size=32, text_layers=[1, 2], text_encoder=encoder.model.config.to_dict())
    model.use_text_encoder(encoder.model)
    return model


class TestDialogueScorer(ScorerCase):
    name = "dialogue"
    # Texts are never absent.
    without_gradient = frozenset({"projections.text.absent"})
    pair_scorer = "mlp"

    @pytest.fixture
    def task(self) -> TrainingTask:
        return dialogue_task(tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE, pair_scorer=self.pair_scorer))


class TestBiaffineDialogueScorer(TestDialogueScorer):
    pair_scorer = "biaffine"


class TestDialogueScorerWithEmotions(TestDialogueScorer):
    """Without weight in the loss, the head gets no gradient and changes nothing else."""

    without_gradient = TestDialogueScorer.without_gradient | {
        f"emotion_category_head.{layer}.{name}" for layer in (0, 3) for name in ("weight", "bias")
    }

    @pytest.fixture
    def task(self) -> TrainingTask:
        return dialogue_task(tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE, emotion_names=["neutral", "joy"]))


class TestDialogueScorerWithTextEncoder(TestDialogueScorer):
    @pytest.fixture
    def task(self, encoder: TextEncoder) -> TrainingTask:
        return dialogue_task(scorer_with(encoder), encoder)


def inputs(sizes: tuple[int, ...], seed: int = 0) -> dict[str, torch.Tensor]:
    """Dialogues of the given sizes, padded; the content of dialogue ``d`` does not depend on the padding."""
    n = max(sizes)
    batch = {
        "mask": torch.arange(n)[None] < torch.tensor(sizes)[:, None],
        "speakers": torch.zeros(len(sizes), n, dtype=torch.long),
        "text": torch.zeros(len(sizes), n, 6),
        "audio": torch.zeros(len(sizes), n, 4),
    }
    for d, size in enumerate(sizes):
        generator = torch.Generator().manual_seed(seed + d)
        batch["speakers"][d, :size] = torch.randint(0, 2, (size,), generator=generator)
        batch["text"][d, :size] = torch.randn(size, 6, generator=generator)
        batch["audio"][d, :size] = torch.randn(size, 4, generator=generator)
    batch["audio_present"] = batch["mask"].clone()
    return batch


def test_padding_changes_no_score_of_an_utterance() -> None:
    scorer = tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE, emotion_names=["neutral", "joy", "anger"])
    together, alone = scorer(**inputs((3, 9))), scorer(**inputs((3,)))
    assert together.emotion_category_logits.shape == (2, 9, 3)
    for name in ("emotion_logits", "cause_logits", "emotion_category_logits"):
        torch.testing.assert_close(together[name][0, :3], alone[name][0], atol=1e-5, rtol=1e-5)


def test_only_valid_pairs_are_scored_and_they_score_the_same(scorer: DialogueScorer) -> None:
    batch = inputs((5, 4))
    everything = scorer(**batch).pair_logits
    valid = torch.tril(batch["mask"][:, :, None] & batch["mask"][:, None, :])
    past = scorer(**batch, valid=valid).pair_logits
    torch.testing.assert_close(past[valid], everything[valid])
    assert (past[~valid] == 0).all()


def test_rows_are_targets(scorer: DialogueScorer) -> None:
    """Without dialogue context, a change of utterance 2 as a cause shows in column 2 through the cause projection."""
    with torch.no_grad():
        for parameter in scorer.pair_scorer.target.parameters():
            parameter.zero_()
        for parameter in scorer.pair_scorer.bilinear.parameters():
            parameter.zero_()
        scorer.pair_scorer.distance.weight.zero_()
        scorer.pair_scorer.distance_bias.weight.zero_()
        scorer.pair_scorer.same_speaker.weight.zero_()
    logits = scorer(**inputs((4,))).pair_logits[0]
    for cause in range(4):
        torch.testing.assert_close(logits[0, cause], logits[3, cause])  # only the cause is looked at
    assert not torch.allclose(logits[0, 0], logits[0, 1])


def test_distance_is_signed(scorer: DialogueScorer) -> None:
    pairs = CandidatePairs.of(torch.ones(1, 5, 5, dtype=torch.bool))
    ragged = Ragged.of(torch.ones(1, 5, dtype=torch.bool))
    scores = scorer.pair_scorer(torch.zeros(5, 16), ragged, torch.zeros(1, 5, dtype=torch.long), pairs)
    scorer_output = pairs.matrices(scores)[0]
    torch.testing.assert_close(scorer_output[2, 1], scorer_output[4, 3])  # the same distance
    assert not torch.allclose(scorer_output[2, 1], scorer_output[1, 2])  # the opposite one
    torch.testing.assert_close(scorer_output[3, 0], scorer_output[4, 0])  # beyond max_distance


def test_absent_features_are_masked_not_read(scorer: DialogueScorer) -> None:
    batch = inputs((4,))
    before = scorer(**batch).pair_logits
    batch["audio_present"][0, 1] = False
    without = scorer(**batch).pair_logits
    assert not torch.allclose(before, without)
    batch["audio"][0, 1] = 1e6
    torch.testing.assert_close(scorer(**batch).pair_logits, without)


def test_corruption_at_the_scorer_reaches_only_pairs_of_the_zeroed_utterance(scorer: DialogueScorer) -> None:
    batch = inputs((6,))
    gold = torch.zeros(1, 6, 6, dtype=torch.bool)
    gold[0, 3, 2] = gold[0, 4, 4] = True
    protected = [2, 3, 4]
    at_scorer = scorer(**batch, gold=gold, corruption=Corruption(rate=1.0))
    changed = (at_scorer.pair_logits != at_scorer.corrupted_pair_logits).any(-1)[0]
    rows, columns = torch.meshgrid(torch.tensor(protected), torch.tensor(protected), indexing="ij")
    assert not changed[rows, columns].any(), "no gold pair's input changes"
    assert changed[0, 3]
    assert changed[3, 0]
    earlier = scorer(**batch, gold=gold, corruption=Corruption(rate=1.0, point="dialogue_input"))
    changed = (earlier.pair_logits != earlier.corrupted_pair_logits).any(-1)[0]
    assert changed[3, 2], "with the context corrupted, gold pairs change too"
    torch.testing.assert_close(earlier.pair_logits, at_scorer.pair_logits)


@pytest.mark.parametrize("point", ["scorer_input", "dialogue_input"])
def test_training_never_corrupts_an_utterance_of_a_gold_pair_that_is_no_candidate(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conversation 7 has the gold pair (1, 3), whose cause comes later; utterance 3 is in no other gold pair."""
    (tmp_path / "train.txt").write_text(ecf_text(7))
    rows = load_corpus("ecf", tmp_path, candidates="past").rows["train"]
    assert rows[0]["gold_outside_candidates"] == [{"target_turn": 1, "cause_turn": 3}]
    texts = {u["text"]: np.ones(TEXT_SIZE, np.float32) for row in rows for u in row["utterances"]}
    strategy = DialogueStrategy(
        Collator(UtteranceInputs(text_features=texts)), OBJECTIVES["ccps"], corruption=Corruption(1.0, point=point)
    )
    zeroed = []

    def recorded(utterances: torch.Tensor, *given: torch.Tensor, **options: object) -> torch.Tensor:
        corrupted = corrupt_context(utterances, *given, **options)  # type: ignore[arg-type]
        zeroed.append(~corrupted.any(-1) & given[1])
        return corrupted

    monkeypatch.setattr("iemomecp_dataset.trainers.dialogue.modeling.corrupt_context", recorded)
    batch = strategy.collate(list(enumerate(dialogue_examples(rows, CORPORA["ecf"].emotions))))
    strategy.terms(tiny_scorer(text_size=TEXT_SIZE), batch, pooled_here)
    assert [mask.nonzero().tolist() for mask in zeroed] == [[[1, 0]]], "only the conversation without gold pairs"


@pytest.mark.parametrize("point", ["scorer_input", "dialogue_input"])
def test_the_clean_view_is_what_it_is_without_a_corrupted_one(scorer: DialogueScorer, point: str) -> None:
    batch = inputs((6, 4))
    alone = scorer(**batch)
    gold = torch.zeros(2, 6, 6, dtype=torch.bool)
    for rate in (0.0, 1.0):
        both = scorer(**batch, gold=gold, corruption=Corruption(rate=rate, point=point))
        for name in ("emotion_logits", "cause_logits", "pair_logits"):
            torch.testing.assert_close(getattr(both, name), getattr(alone, name), atol=1e-5, rtol=1e-5)
        same = torch.allclose(both.corrupted_pair_logits, alone.pair_logits, atol=1e-5, rtol=1e-5)
        assert same is (rate == 0.0)


def test_labels_alone_mark_candidates_emotions_and_causes(scorer: DialogueScorer) -> None:
    batch = inputs((5, 3))
    labels = torch.full((2, 5, 5), -100)
    labels[0] = torch.randint(0, 2, (5, 5), generator=torch.Generator().manual_seed(0))
    labels[0].masked_fill_(torch.ones(5, 5, dtype=torch.bool).triu(1), -100)
    labels[1, 2, :3] = torch.tensor([0, 1, 1])
    found = scorer(**batch, labels=labels)
    marked = {"emotion_labels": (labels == 0).any(-1).long(), "cause_labels": (labels == 0).any(-2).long()}
    expected = scorer(**batch, valid=labels != -100, labels=labels, **marked)
    assert torch.equal(found.pair_logits, expected.pair_logits)
    assert torch.equal(found.loss, expected.loss)
    assert not torch.equal(scorer(**batch, labels=labels, emotion_labels=1 - marked["emotion_labels"]).loss, found.loss)


def test_a_corrupted_view_has_the_same_loss(scorer: DialogueScorer) -> None:
    batch = inputs((4,))
    labels = torch.ones(1, 4, 4, dtype=torch.long)
    labels[0, 3, 2] = 0
    plain = scorer(**batch, labels=labels)
    both = scorer(**batch, labels=labels, gold=labels == 0, corruption=Corruption(rate=1.0))
    torch.testing.assert_close(both.loss, plain.loss)
    assert list(both) == ["loss", "pair_logits", "emotion_logits", "cause_logits", "corrupted_pair_logits"]


def test_each_text_is_encoded_once_and_goes_to_its_own_turn(encoder: TextEncoder) -> None:
    model = scorer_with(encoder)
    texts = ["What happened?", "We lost the match.", "I am so angry about it!"]
    tokens = tokenize_texts(texts, encoder.tokenizer, 64)
    seen: list[int] = []
    model.text_encoder.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.append(len(kwargs["attention_mask"])), with_kwargs=True
    )

    def score(order: list[int]) -> torch.Tensor:
        chunks, rows = length_chunks([tokens.ids[texts[i]] for i in order], tokens.pad_id, max_tokens_per_chunk=16)
        mask = torch.ones(1, len(order), dtype=torch.bool)
        return model(
            mask, torch.zeros(1, len(order), dtype=torch.long), text_tokens=chunks, text_order=rows
        ).pair_logits

    logits = score([0, 1, 2])
    assert sum(seen) == 3
    assert not torch.allclose(score([2, 1, 0]), logits)


def test_the_head_of_emotion_categories_leaves_all_other_parameters_and_scores_as_they_are() -> None:
    without = tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE)
    drawn = torch.rand(1)
    with_head = tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE, emotion_names=["neutral", "joy", "anger"])
    assert torch.equal(torch.rand(1), drawn), "what is drawn afterwards is the same"
    parameters = dict(with_head.named_parameters())
    added = parameters.keys() - dict(without.named_parameters()).keys()
    assert added == {f"emotion_category_head.{layer}.{name}" for layer in (0, 3) for name in ("weight", "bias")}
    assert all(torch.equal(parameters[name], parameter) for name, parameter in without.named_parameters())
    batch = inputs((5, 3))
    plain, more = without(**batch), with_head(**batch)
    assert "emotion_category_logits" not in plain
    assert all(torch.equal(more[name], plain[name]) for name in plain)


def test_emotions_of_another_model_are_one_more_input_and_leave_all_other_parameters_as_they_are() -> None:
    without = tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE)
    drawn = torch.rand(1)
    model = tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE, emotion_input_names=["neutral", "joy", "anger"])
    assert torch.equal(torch.rand(1), drawn), "what is drawn afterwards is the same"
    parameters = dict(model.named_parameters())
    assert parameters.keys() - dict(without.named_parameters()).keys() == {
        "emotion_projection.weight",
        "emotion_projection.bias",
    }
    assert all(torch.equal(parameters[name], parameter) for name, parameter in without.named_parameters())
    batch = inputs((5, 3))
    emotion = torch.softmax(torch.randn(2, 5, 3), dim=-1)
    scores = model(**batch, emotion=emotion).pair_logits
    padded = emotion.clone()
    padded[1, 3:] = 7.0  # no utterances
    assert torch.equal(model(**batch, emotion=padded).pair_logits, scores)
    changed = emotion.clone()
    changed[0, 0] = changed[0, 0].flip(0)
    other = model(**batch, emotion=changed).pair_logits
    assert not torch.equal(other[0], scores[0])
    assert torch.equal(other[1], scores[1])
    with pytest.raises(ValueError, match="needs the probabilities of emotions"):
        model(**batch)


def test_only_utterances_with_an_emotion_have_a_part_in_its_term() -> None:
    model = tiny_scorer(text_size=TEXT_SIZE, audio_size=AUDIO_SIZE, emotion_names=["neutral", "joy", "anger"])
    task = dialogue_task(model)
    strategy = dataclasses.replace(task.strategy, emotion_category_weight=0.25)
    examples = task.examples["train"]
    batch = strategy.collate([(position, examples[position]) for position in (0, 1)])
    known = torch.tensor([[True, False, True], [False, True, True]])
    batch["emotion_categories"] = torch.full_like(batch["emotion_categories"], -100)
    batch["emotion_categories"][:, :3][known] = torch.tensor([2, 0, 1, 1])
    logits = []

    def keep(_module: torch.nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        logits.append(output)

    model.emotion_category_head.register_forward_hook(keep)
    terms = strategy.terms(model, batch, pooled_here)
    assert set(terms) == {"supervised", "emotion_category"}
    terms["emotion_category"].backward()
    (flat,) = logits
    of_utterance = flat.new_zeros(batch["mask"].shape, dtype=torch.bool)
    of_utterance[batch["mask"]] = flat.grad.any(dim=-1)
    assert of_utterance[:, :3].equal(known)
    assert not of_utterance[:, 3:].any()
    padded = torch.zeros(*batch["mask"].shape, 3)
    padded[batch["mask"]] = flat.detach()
    expected = torch.nn.functional.cross_entropy(padded[:, :3][known], torch.tensor([2, 0, 1, 1]))
    torch.testing.assert_close(terms["emotion_category"].detach(), 0.25 * expected)


def test_a_model_without_the_head_cannot_be_trained_on_emotion_categories(scorer: DialogueScorer) -> None:
    task = dialogue_task(scorer)
    strategy = dataclasses.replace(task.strategy, emotion_category_weight=0.25)
    with pytest.raises(UsageError, match="needs emotion_category_logits, which this model does not return"):
        strategy.terms(scorer, strategy.collate([(0, task.examples["train"][0])]), pooled_here)
