"""The dialogue transformer with an emotion head: what it sees, where it starts, what it saves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.emotions.modeling_transformer import EmotionTransformer, EmotionTransformerConfig
from iemomecp_dataset.trainers.encoders.text import length_chunks
from iemomecp_dataset.trainers.objectives import emotion_loss

CLASSES = ["neutral", "joy", "anger"]
SIZES = {"text": 6, "event": 6, "audio": 5, "video": 3}


def make(**options: Any) -> EmotionTransformer:
    """A model with random numbers added: parameters that start at zero would hide what is behind them."""
    torch.manual_seed(0)
    sizes = {f"{name}_size": size for name, size in SIZES.items()}
    model = EmotionTransformer(
        EmotionTransformerConfig(**{"class_names": CLASSES, "hidden_size": 8, "num_heads": 2, **sizes, **options})
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    return model.eval()


def batch_of(lengths: list[int], width: int = 0) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    mask = np.arange(max([*lengths, width])) < np.array(lengths)[:, None]
    vectors = {name: torch.from_numpy(rng.normal(size=(*mask.shape, size))).float() for name, size in SIZES.items()}
    speakers = torch.from_numpy(rng.integers(0, 3, mask.shape))
    return {"mask": torch.from_numpy(mask), "speakers": speakers, **vectors}


def scores(model: EmotionTransformer, batch: dict[str, Any]) -> Any:
    with torch.inference_mode():
        return model(**batch).logits[batch["mask"]].numpy()


@pytest.mark.parametrize("context", ["causal", "full"])
def test_it_sees_later_turns_only_in_full_context(context: str) -> None:
    model, batch = make(context=context), batch_of([6])
    before = scores(model, batch)
    batch["audio"][0, 3, 0] += 2.0
    moved = (abs(scores(model, batch) - before) > 1e-5).any(axis=1)
    assert moved.tolist() == [context == "full"] * 3 + [True] * 3


@pytest.mark.parametrize("context", ["causal", "full"])
def test_neither_padding_nor_the_batch_changes_a_score(context: str) -> None:
    model, lengths = make(context=context), [3, 20, 1, 9]
    wide = batch_of(lengths, width=24)
    together, first = scores(model, wide), 0
    assert not model(**wide).logits[~wide["mask"]].any()
    for row, length in enumerate(lengths):
        alone = scores(model, {name: value[row : row + 1, :length] for name, value in wide.items()})
        np.testing.assert_allclose(alone, together[first : first + length], atol=1e-5)
        first += length


def test_training_begins_at_a_classifier_without_context() -> None:
    torch.manual_seed(0)
    model = EmotionTransformer(EmotionTransformerConfig(class_names=CLASSES, text_size=6, hidden_size=8)).eval()
    batch = batch_of([5])
    before = scores(model, batch)
    batch["text"][0, 1, 0] += 2.0
    assert (scores(model, batch) != before).any(axis=1).tolist() == [False, True, False, False, False]
    model(**batch, labels=torch.zeros(1, 5, dtype=torch.long)).loss.backward()
    # Yet the first step moves the head of the context.
    assert model.context_head[-1].weight.grad.any()


def test_the_bias_tells_speakers_and_distances_apart() -> None:
    model, batch = make(), batch_of([6])
    other = {**batch, "speakers": torch.zeros_like(batch["speakers"])}
    with torch.no_grad():
        model.speaker.weight.zero_()
    assert (abs(scores(model, batch) - scores(model, other)) > 1e-5).any()
    with torch.no_grad():
        model.turn_bias.weight.zero_()
    np.testing.assert_allclose(scores(model, batch), scores(model, other), atol=1e-6)


def test_an_absent_vector_is_replaced_by_the_learned_one() -> None:
    model, batch = make(), batch_of([4])
    batch["audio_present"] = torch.tensor([[True, False, True, True]])
    before = scores(model, batch)
    batch["audio"][0, 1, 0] += 2.0
    assert np.array_equal(scores(model, batch), before)
    batch["audio"][0, 2, 0] += 2.0
    assert not np.array_equal(scores(model, batch), before)


def test_labels_give_the_loss_and_gradients_reach_every_parameter() -> None:
    model, batch = make(focal_gamma=1.0, class_weights=[1.0, 2.0, 0.5]).train(), batch_of([15, 4])
    labels = torch.randint(0, 3, batch["mask"].shape)
    labels[0, 0] = -100
    torch.manual_seed(1)
    output = model(**batch, labels=labels)
    expected = emotion_loss(output.logits, labels, batch["mask"], gamma=1.0, class_weights=[1.0, 2.0, 0.5])
    assert torch.equal(output.loss, expected)
    output.loss.backward()
    # Vectors are present throughout.
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in model.named_parameters() if name.endswith("absent")}
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_what_is_saved_is_the_same_model_again(tmp_path: Path) -> None:
    model, batch = make(context="full"), batch_of([4, 2])
    model.save_pretrained(tmp_path)
    for again in (EmotionTransformer.from_pretrained(tmp_path), AutoModel.from_pretrained(tmp_path)):
        assert type(again) is EmotionTransformer
        assert again.config.context == "full"
        assert again.config.id2label == dict(enumerate(CLASSES))
        assert np.array_equal(scores(again, batch), scores(model, batch))


def test_a_text_encoder_is_trained_with_it(random_encoder: Callable[..., Any], tmp_path: Path) -> None:
    encoder = random_encoder("bert")
    width = encoder.config.hidden_size
    others = {"event_size": 0, "audio_size": 0, "video_size": 0}
    model = make(
        text_size=2 * width,
        text_encoder=encoder.config.to_dict(),
        text_encoder_name="tiny",
        text_layers=[1, 2],
        **others,
    )
    batch: dict[str, Any] = {"mask": torch.tensor([[True, True], [True, False]]), "speakers": torch.zeros(2, 2).long()}
    chunks, order = length_chunks([np.array([5, 6, 7]), np.array([8]), np.array([9, 5])], 0, 4)
    batch |= {"text_tokens": chunks, "text_order": order}
    found = scores(model, batch)
    assert len(np.unique(found.round(5), axis=0)) == 3
    model(**batch, labels=torch.zeros(2, 2, dtype=torch.long)).loss.backward()
    assert model.text_encoder.get_input_embeddings().weight.grad[5].any()
    model.save_pretrained(tmp_path)
    np.testing.assert_allclose(scores(EmotionTransformer.from_pretrained(tmp_path), batch), found, atol=1e-6)


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(UsageError, match=r"context has no value 'casual'\. Did you mean 'causal'"):
        make(context="casual")
    with pytest.raises(UsageError, match="uses audio vectors, but audio= is not given"):
        make()(**{name: value for name, value in batch_of([2]).items() if name != "audio"})
