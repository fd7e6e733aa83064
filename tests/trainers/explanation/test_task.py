"""The task of explanations: the loss of the answers' tokens, which items there are, and what the record counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from explained_dialogues import EMOTIONS, explained_dialogues, write_language_model
from tiny_language_model import saved_language_model

from iemomecp_dataset.corpus import corpus_of
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.features.frames.store import FrameStoreWriter
from iemomecp_dataset.trainers.explanation import task as task_module
from iemomecp_dataset.trainers.explanation.inputs import ExplanationInputs
from iemomecp_dataset.trainers.explanation.modeling_explanation import ExplanationModel
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.explanation.task import prepare_explanations, remarks_on_prompts, token_loss_selection
from iemomecp_dataset.trainers.training.task import TrainingTask


@pytest.fixture(autouse=True)
def no_state_is_left() -> Iterator[None]:
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_model(tmp_path_factory.mktemp("model"))


def prepared(language_model: Path, rows: dict[str, list[dict[str, Any]]] | None = None, **options: Any) -> TrainingTask:
    AcceleratorState._reset_state(reset_partial_state=True)
    flat = {"language_model": str(language_model), "output_dir": "run", "tuning": "full", **options}
    corpus = corpus_of(rows or explained_dialogues(), config_name="ecem", candidates=None, emotion_names=EMOTIONS)
    return prepare_explanations(
        ExplanationTrainingOptions.from_flat(flat), corpus, Accelerator(cpu=True), ExplanationModel
    )


def test_the_loss_is_the_mean_over_the_tokens_of_all_answers(language_model: Path) -> None:
    task = prepared(language_model)
    examples = task.examples["train"]
    chosen = [(place, examples[place]) for place in (0, 1, 2)]
    assert len({len(example) for _, example in chosen}) > 1, "so that prompts are padded"
    batch = task.strategy.collate(chosen)
    # Each answer alone, by its own labels and without padding.
    alone, counts = [], []
    for _, example in chosen:
        ids, labels = (torch.from_numpy(array)[None] for array in (example.encoded.input_ids, example.encoded.labels))
        with torch.no_grad():
            logits = task.model.language_model(ids).logits
        alone.append(F.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="sum").item())
        counts.append(int((example.encoded.labels >= 0).sum()))
        answer = [*task.tokenizer(example.item.reference)["input_ids"], 5]
        assert example.encoded.labels[example.encoded.labels >= 0].tolist() == answer, "and its end token alone"
    with torch.no_grad():
        terms = task.strategy.terms(task.model, batch, lambda total, weight: total / weight)
        found, loss = task.strategy.probabilities(task.model, batch, examples)
    assert terms["tokens"].item() == pytest.approx(sum(alone) / sum(counts), rel=1e-5)
    assert loss == pytest.approx(sum(alone) / sum(counts), rel=1e-5)
    assert [place for place, _ in found] == [0, 1, 2]
    np.testing.assert_allclose(
        np.concatenate([pair for _, pair in found]), np.stack([alone, counts], axis=1), rtol=1e-5
    )


def test_the_epoch_with_the_lowest_loss_per_token_is_the_best() -> None:
    # A long answer weighs as many tokens as it has.
    better, worse = np.array([[1.0, 1.0], [9.0, 19.0]]), np.array([[0.1, 1.0], [10.9, 19.0]])
    assert token_loss_selection(better).value > token_loss_selection(worse).value
    assert token_loss_selection(better).scores["token_loss"] == 0.5


def test_without_explanations_a_split_has_no_examples_and_no_epoch_is_selected(language_model: Path) -> None:
    rows = explained_dialogues()
    rows["validation"] = [{**row, "explanations": []} for row in rows["validation"]]
    task = prepared(language_model, rows)
    assert {split: len(task.examples[split]) for split in task.examples} == {"train": 7, "test": 5}
    assert task.selection is None
    assert prepared(language_model).selection is token_loss_selection


def test_what_items_lack_is_counted(language_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FrameStoreWriter(tmp_path / "frames", size=2, model="random") as store:
        for rows in explained_dialogues().values():
            for row in rows:
                for utterance in row["utterances"]:
                    if utterance["utterance_id"] == "test1_3":
                        store.add_missing("test1_3", "missing_media", "test1_3.mp4 does not exist")
                    else:
                        store.add(utterance["utterance_id"], np.ones((3, 2)), n_frames=1)
    task = prepared(
        language_model, frames=str(tmp_path / "frames"), max_missing_features=0.1, causes="gold", context_turns=1
    )
    # The first of a split's targets in turn 4 is its own cause; the others' causes are farther back than one turn.
    counts = {"truncated_turns": 0, "items_without_video": 0, "items_without_emotion": 0}
    assert task.truncated["train"] == {**counts, "items_without_marked_cause": 6}
    assert task.truncated["test"] == {**counts, "items_without_video": 1, "items_without_marked_cause": 4}

    # Of predicted emotions and causes one item has both; faces are known for all but three.
    inputs = ExplanationInputs(emotions={("test0", 3): "joy"}, causes={("test0", 3): (2,)}, missing_faces={"test": 3},
                               unexamined_faces={"test": 1})  # fmt: skip
    monkeypatch.setattr(task_module, "read_inputs", lambda *_: inputs)
    asked = {"emotion": "predicted", "emotion_from": "erc", "causes": "predicted", "causes_from": "pairs"}
    task = prepared(language_model, **asked)
    assert task.truncated["test"] == {
        "truncated_turns": 0, "items_without_faces": 3, "items_not_examined_for_faces": 1, "items_without_emotion": 4,
        "items_without_marked_cause": 4,
    }  # fmt: skip
    assert task.strategy.causes == inputs.causes


def test_shuffled_marks_that_cannot_be_others_are_counted(language_model: Path) -> None:
    rows = explained_dialogues()
    counts = prepared(language_model, rows, causes="shuffled").truncated
    assert {split: counts[split]["shuffled_items_equal_to_gold"] for split in counts} == dict.fromkeys(counts, 0)
    # In test, of one item every turn that is read is a gold cause, and of another none is.
    causes = [row["explanations"][0]["cause_turns"] for row in rows["test"]]
    causes[1][:], causes[2][:] = [1, 2, 3], []
    found = prepared(language_model, rows, causes="shuffled").truncated["test"]
    assert (found["shuffled_items_equal_to_gold"], found["items_without_marked_cause"]) == (1, 1)
    assert "shuffled_items_equal_to_gold" not in prepared(language_model, rows, causes="gold").truncated["test"]


def test_marks_that_items_of_a_scored_split_lack_are_told() -> None:
    def told(causes: str, **counts: int) -> list[str]:
        options = ExplanationTrainingOptions.from_flat({"causes": causes})
        return remarks_on_prompts(options, {"train": counts, "test": counts}, {"train": 9, "test": 5})

    assert told("gold", items_without_marked_cause=2) == [
        "Gold causes are marked in 3 of 5 items of test; the others have no mark."
    ]
    assert told("shuffled", items_without_marked_cause=0, shuffled_items_equal_to_gold=1) == [
        "Shuffled causes are the gold ones in 1 of 5 items of test, where every turn that is read is a gold cause."
    ]
    assert told("gold", items_without_marked_cause=0) == []


def test_texts_beyond_the_last_position_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    def of(most: int, **options: Any) -> TrainingTask:
        return prepared(saved_language_model(tmp_path / f"{most}", "gpt2", n_positions=most), **options)

    task = of(512)
    encoder, items = task.strategy.encoder, [one.item for one in task.examples["test"]]  # type: ignore[attr-defined]
    prompt = max(encoder.encode(replace(item, reference=None)).prompt_length for item in items)
    most = max(map(len, task.examples["train"])) + 8
    new = most - prompt + 1
    of(most, max_new_tokens=new)
    said = rf"for {most} tokens, but turn \d in .* takes {most + 1} with prompt and a text of {new + 1} "
    for tuning in ("full", "none"):
        with pytest.raises(UsageError, match=rf"{said}\(--max_new_tokens\)\. Lower --max_length to {prompt - 1} or"):
            of(most, tuning=tuning, max_new_tokens=new + 1)
    with pytest.raises(UsageError, match=r"Lower --max_new_tokens, or take"):
        of(most, max_new_tokens=most)
    with pytest.raises(UsageError, match=rf"takes {most - 8} with prompt and explanation\. Lower --max_length"):
        of(most - 9, max_new_tokens=1)


def test_context_that_does_not_fit_is_left_out_and_counted(language_model: Path) -> None:
    whole = prepared(language_model)
    longest = max(len(example) for example in whole.examples["train"])
    task = prepared(language_model, max_length=longest - 1)
    assert all(len(task.examples["train"][place]) < longest for place in range(7))
    assert task.truncated["train"]["truncated_turns"] >= 1


def test_examples_are_those_of_train_in_every_split_but_train(language_model: Path) -> None:
    task = prepared(language_model, tuning="none", shots=3, causes="gold")
    assert not task.trains
    assert [*task.examples] == ["validation", "test"]
    for split in task.examples:
        for place in range(len(task.examples[split])):
            item = task.examples[split][place].item
            assert len(item.examples) == 3
            assert {one.emotion for one in item.examples} == {item.emotion}
            assert all(one.dialogue_id.startswith("train") and one.reference for one in item.examples)
            assert any(one.target_marked or any(turn.marked for turn in one.context) for one in item.examples)
        counts = task.truncated[split]
        assert (counts["examples"], counts["missing_examples"]) == (3 * len(task.examples[split]), 0)
        assert counts["truncated_examples"] == 0
    assert not any(parameter.requires_grad for parameter in task.model.parameters())
    assert task.model.config.shots == 3
    # Room for a long reference is not needed where a text is written.
    longest = max(len(example) for example in task.examples["test"])
    tight = prepared(language_model, tuning="none", shots=3, causes="gold", max_length=longest - 1)
    assert any(example.encoded.truncated_examples for example in tight.examples["test"])
    assert tight.truncated["test"]["truncated_examples"] == 0


def test_the_saved_configuration_states_what_a_prompt_is_made_of(language_model: Path) -> None:
    config = prepared(
        language_model, context_turns=2, emotion="none", causes="last", chat_template="plain"
    ).model.config
    found = {name: getattr(config, name) for name in ("context_turns", "emotion", "causes", "chat_template")}
    assert found == {"context_turns": 2, "emotion": "none", "causes": "last", "chat_template": "plain"}
    assert config.emotion_names == list(EMOTIONS)
