"""A conversation in, its pairs out: every kind of model, equal to what rows give, pooled, in windows, with errors."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pair_models import conversation, save_dialogue_model, save_emotion_model, save_isolated_model
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel, pipeline

import iemomecp_dataset  # noqa: F401 - registers the task
from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, MissingModelError, UsageError
from iemomecp_dataset.features import FeatureTable
from iemomecp_dataset.trainers import (
    DialogueScores,
    EmotionCausePipeline,
    Scorer,
    load_scorer,
    predict,
    register_scorer,
    scorers,
)
from iemomecp_dataset.trainers.pipelines import loaded_model, scoring
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

EMOTIONS = ("neutral", "joy", "fear")


class OwnConfig(PreTrainedConfig):
    model_type = "own_of_conversations"
    class_names: list[str] | None = None
    text_size: int = 0
    text_encoder_name: str | None = None
    text_layers: list[int] | None = None
    max_tokens: int = 24


class OwnModel(PreTrainedModel):
    """Without a head for emotions, and without an idea of dialogues."""

    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.pair = torch.nn.Linear(2 * config.text_size, 2)
        self.post_init()

    def forward(self, mask, text):
        n = text.shape[1]
        both = [text.unsqueeze(2).expand(-1, -1, n, -1), text.unsqueeze(1).expand(-1, n, -1, -1)]
        return DialogueScores(pair_logits=self.pair(torch.cat(both, dim=-1)))


@pytest.fixture(scope="module")
def own() -> Iterator[None]:
    register_scorer(Scorer("own_of_conversations", "for a test", OwnModel))
    yield
    scorers._registered.pop("own_of_conversations")


@pytest.fixture(scope="module")
def folders(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory, own: None) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    made = OwnModel(OwnConfig(class_names=["pair", "non_pair"], text_size=16, text_encoder_name=str(tiny_encoder),
                              text_layers=[2]))  # fmt: skip
    made.save_pretrained(root / "own")
    return {
        "trained": save_dialogue_model(root / "trained" / "model", tiny_encoder, emotion_names=list(EMOTIONS)),
        "frozen": save_dialogue_model(
            root / "frozen", tiny_encoder, mode="frozen", decision="threshold", threshold=0.4
        ),
        "isolated": save_isolated_model(root / "isolated", tiny_encoder),
        "own": root / "own",
        "emotion": save_emotion_model(root / "emotion", tiny_encoder),
        "told": save_dialogue_model(
            root / "told", tiny_encoder, mode="frozen", emotion_input_names=list(EMOTIONS[::-1])
        ),
        "audio": save_dialogue_model(
            root / "audio", tiny_encoder, mode="frozen", text_size=0, audio_size=3, text_layers=None
        ),
        # Without attention, positions and refinement, a pair depends on nothing but its two turns.
        "alone": save_dialogue_model(
            root / "alone", tiny_encoder, mode="frozen", num_layers=0, pair_refinement=False, max_positions=1,
            max_speakers=1, longest_dialogue=9,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", ["trained", "frozen", "isolated", "told"])
def test_a_model_in_half_precision_scores_nearly_alike(kind: str, dtype: str, folders: dict[str, Path]) -> None:
    more = {"emotion_model": folders["emotion"]} if kind == "told" else {}
    exact = EmotionCausePipeline(folders[kind], **more)(conversation(5))
    half = getattr(torch, dtype)
    for pipe in (
        pipeline("emotion-cause-pairs", model=str(folders[kind]), dtype=dtype, **more),
        EmotionCausePipeline(load_scorer(folders[kind]).to(half), **more),
    ):
        assert list(pipe.model.parameters())[-1].dtype == half
        np.testing.assert_allclose(pipe(conversation(5)).pair_probabilities, exact.pair_probabilities, atol=0.05)


def of_matrix(predicted: PredictedConversation) -> dict[tuple[int, int], list[float]]:
    keys = zip(predicted.targets.tolist(), predicted.causes.tolist(), strict=True)
    return dict(zip(keys, predicted.pair_probabilities.tolist(), strict=True))


@pytest.mark.parametrize("kind", ["trained", "frozen", "isolated", "own"])
def test_every_kind_of_model_predicts_what_rows_give(kind: str, folders: dict[str, Path]) -> None:
    talks = [conversation(5, seed=1), conversation(1, "short"), conversation(8, "longer", seed=2)]
    expected = predict(folders[kind], [talk.to_row() for talk in talks])
    pipe = EmotionCausePipeline(folders[kind], batch_size=2)
    found = pipe(talks)
    assert [one.conversation for one in found] == talks
    for talk, one, of_rows in zip(talks, found, expected, strict=True):
        n = len(talk.utterances)
        assert list(zip(one.targets, one.causes, strict=True)) == list(itertools.product(range(1, n + 1), repeat=2))
        np.testing.assert_allclose(one.pair_probabilities, of_rows, atol=1e-5)
    alone = pipe(talks[0])
    np.testing.assert_allclose(alone.pair_probabilities, expected[0], atol=1e-5)
    assert alone.to_dict()["pairs"][7]["target_turn"] == 2
    assert alone.model == kind, "without the path"
    assert [e.probability is None for e in alone.emotions] == [kind in ("isolated", "own")] * 5
    assert alone.class_names[-1] == "non_pair"


def test_the_emotions_are_those_of_the_models_heads(folders: dict[str, Path], tiny_encoder: Path) -> None:
    talk = conversation(4)
    predicted = EmotionCausePipeline(folders["trained"])(talk)
    assert predicted.category_names == EMOTIONS
    _, (categories,) = predict(folders["trained"], [talk.to_row()], with_emotions=True)
    np.testing.assert_allclose(predicted.category_probabilities, categories, atol=1e-5)
    model = load_scorer(folders["trained"])
    texts = [spoken.text for spoken in talk.utterances]
    from transformers import AutoTokenizer

    encoded = AutoTokenizer.from_pretrained(tiny_encoder)(texts, padding=True, return_tensors="pt")
    chunk = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    speakers = torch.tensor([[0, 0, 0, 0]])  # (turn * 3) % 3
    scores = model(torch.ones(1, 4, dtype=torch.bool), speakers, text_tokens=[chunk], text_order=torch.arange(4))
    expected = scores.emotion_logits[0].softmax(-1)[:, 1].tolist()
    assert [emotion.probability for emotion in predicted.emotions] == pytest.approx(expected, abs=1e-5)
    assert predicted.synthetic


def test_one_gives_one_a_list_a_list_and_a_generator_an_iterator(folders, monkeypatch) -> None:
    pipe = EmotionCausePipeline(folders["own"])
    lines = "Ana: We lost it.\nBen: What happened?"
    pairs = [("Ana", "We lost it."), ("Ben", "What happened?")]
    records = [{"speaker": speaker, "text": text, "more": 1} for speaker, text in pairs]
    found = [pipe(given) for given in (lines, pairs, records)]
    assert all(isinstance(one, PredictedConversation) for one in found)
    assert of_matrix(found[0]) == of_matrix(found[1]) == of_matrix(found[2])
    assert [len(one.pairs) for one in pipe([pairs, records])] == [4, 4]
    assert isinstance(pipe([records]), list)
    monkeypatch.setattr(scoring, "POOL_UTTERANCES", 4)
    taken = []

    def endless() -> Iterator[Any]:
        for number in itertools.count():
            taken.append(number)
            yield records

    given = pipe(endless())
    assert not isinstance(given, list)
    assert taken == []
    assert [of_matrix(one) for one in itertools.islice(given, 3)] == [of_matrix(found[0])] * 3
    assert len(taken) <= 4, "a pool at a time, and no more"
    assert list(pipe(iter([]))) == []


def test_neighbours_and_the_size_of_batches_change_nothing(folders: dict[str, Path], monkeypatch) -> None:
    talks = [conversation(1 + (7 * k) % 11, f"talk {k}", seed=k) for k in range(9)]
    for kind in ("trained", "isolated"):
        pipe = EmotionCausePipeline(folders[kind])
        expected = [pipe(talk) for talk in talks]
        for size, pool in ((1, 4096), (4, 4096), (3, 10)):
            monkeypatch.setattr(scoring, "POOL_UTTERANCES", pool)
            for one, alone in zip(pipe(talks, batch_size=size), expected, strict=True):
                assert one.conversation is alone.conversation
                np.testing.assert_allclose(one.pair_probabilities, alone.pair_probabilities, atol=1e-5)


def test_a_text_is_encoded_once_however_often_it_occurs(folders: dict[str, Path]) -> None:
    pipe = EmotionCausePipeline(folders["trained"])
    encoded = []
    pipe.model.text_encoder.register_forward_pre_hook(
        lambda module, args, kwargs: encoded.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    # 60 turns in windows of 20: each turn lies in about eight of them.
    pipe([conversation(60), conversation(12, "the same words")])
    assert sum(encoded) == 60


def test_the_rule_of_the_model_stands_unless_the_user_gives_one(folders: dict[str, Path]) -> None:
    talk, pipe = conversation(6), EmotionCausePipeline(folders["frozen"])
    own = pipe(talk)
    assert str(own.decision) == "P(class 0) at least 0.4 (chosen when the model was trained)"
    positive = own.pair_probabilities[:, 0]
    assert [pair.decided for pair in own.pairs] == (positive >= 0.4).tolist()
    threshold = float(np.median(positive))
    asked = pipe(talk, threshold=threshold)
    assert [pair.decided for pair in asked.pairs] == (positive >= threshold).tolist()
    assert asked.decision.origin == "user"
    assert asked.with_threshold(None).decision == own.decision
    assert own.with_threshold(threshold).labels.tolist() == asked.labels.tolist()
    assert EmotionCausePipeline(folders["frozen"], threshold=1.0)(talk).labels.tolist() == [1] * 36
    assert EmotionCausePipeline(folders["own"])(talk).decision.rule == "argmax"


def test_a_call_may_go_back_to_the_rule_of_the_model(folders: dict[str, Path]) -> None:
    pipe = EmotionCausePipeline(folders["frozen"], threshold=0.9)
    assert pipe(conversation(3)).decision.threshold == 0.9
    back = pipe(conversation(3), threshold=None).decision
    assert (back.threshold, back.origin) == (0.4, "model")


def test_only_the_candidates_of_training_are_scored(folders, tiny_encoder, tmp_path) -> None:
    talk = conversation(5)
    past = save_dialogue_model(tmp_path / "past", tiny_encoder, candidates="past")
    predicted = EmotionCausePipeline(past)(talk)
    assert [(p.target_turn, p.cause_turn) for p in predicted.pairs] == [
        (t, c) for t in range(1, 6) for c in range(1, t + 1)
    ]
    row = talk.to_row() | {"pairs": [{"target_turn": t, "cause_turn": c} for t in range(1, 6) for c in range(1, t + 1)]}
    np.testing.assert_allclose(predicted.pair_probabilities, predict(past, [row])[0], atol=1e-5)
    assert any("Causes after their target are not scored" in note for note in predicted.notes)
    note = EmotionCausePipeline(past)(conversation(17), window=16).notes[-1]
    assert note == (
        "The conversation has 17 turns and was read in one window of 17 turns, as window=16 asks: the 1 candidate pair "
        "whose turns are 16 or more apart is not scored."
    )
    # Older models: the record of their run, or all pairs with a note.
    run = tmp_path / "run"
    shutil.copytree(past, run / "model")
    config = json.loads((run / "model" / "config.json").read_text())
    for name in ("candidates", "synthetic", "longest_dialogue"):
        del config[name]
    (run / "model" / "config.json").write_text(json.dumps(config))
    unknown = EmotionCausePipeline(run)(talk)
    assert (len(unknown.pairs), unknown.synthetic) == (25, False)
    assert any("does not state which pairs were candidates" in note for note in unknown.notes)
    for stated, n_pairs in (("past", 15), ("triangle+exceptions", 15), ("all", 25)):
        (run / "results.json").write_text(json.dumps({"candidates": stated, "synthetic": True}))
        known = EmotionCausePipeline(run)(talk)
        assert (len(known.pairs), known.synthetic) == (n_pairs, True), stated


def test_categories_may_come_from_a_model_of_emotions(folders: dict[str, Path]) -> None:
    talk = conversation(6)
    (expected,) = predict(folders["emotion"], [talk.to_row()])
    for kind in ("isolated", "trained"):
        beside = EmotionCausePipeline(folders[kind], emotion_model=folders["emotion"])(talk)
        assert beside.category_names == EMOTIONS
        np.testing.assert_allclose(beside.category_probabilities, expected, atol=1e-6)
    assert EmotionCausePipeline(folders["isolated"])(talk).emotions[0].category is None
    told = EmotionCausePipeline(folders["told"], emotion_model=folders["emotion"])(talk)
    reversed_order = [expected[:, ::-1]]  # the pair model has its emotions in another order
    np.testing.assert_allclose(
        told.pair_probabilities, predict(folders["told"], [talk.to_row()], emotions=reversed_order)[0], atol=1e-5
    )
    with pytest.raises(
        MissingDataError, match=r"takes the emotions that another model predicts .* give emotion_model="
    ):
        EmotionCausePipeline(folders["told"])(talk)


def test_the_encoder_of_a_model_of_emotions_may_have_moved(folders, tiny_encoder, tmp_path) -> None:
    talk, nowhere = conversation(4), str(tmp_path / "nowhere")
    moved = Path(shutil.copytree(folders["emotion"], tmp_path / "moved"))
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "text_encoder_name": nowhere}))
    with pytest.raises(MissingModelError, match=r"nowhere.* give emotion_text_encoder= "):
        EmotionCausePipeline(folders["isolated"], emotion_model=moved)
    for model in (moved, load_scorer(moved)):
        pipe = EmotionCausePipeline(folders["isolated"], emotion_model=model, emotion_text_encoder=str(tiny_encoder))
        expected = EmotionCausePipeline(folders["isolated"], emotion_model=folders["emotion"])(talk)
        np.testing.assert_allclose(pipe(talk).category_probabilities, expected.category_probabilities, atol=1e-6)
        if model is not moved:
            assert model.config.text_encoder_name == nowhere, "the model of the caller stays as it is"
    called = EmotionCausePipeline(folders["isolated"])(
        talk, emotion_model=moved, emotion_text_encoder=str(tiny_encoder)
    )
    np.testing.assert_allclose(called.category_probabilities, expected.category_probabilities, atol=1e-6)
    asked = predict(folders["isolated"], talk, emotion_model=moved, emotion_text_encoder=str(tiny_encoder))
    np.testing.assert_allclose(asked.category_probabilities, expected.category_probabilities, atol=1e-6)
    with pytest.raises(UsageError, match="emotion_text_encoder= is for the encoder of a model of emotions, and none"):
        EmotionCausePipeline(folders["isolated"], emotion_text_encoder=str(tiny_encoder))


def test_a_synthetic_model_of_emotions_marks_what_it_is_beside(folders, tiny_encoder, tmp_path) -> None:
    talk = conversation(3)
    marked = save_emotion_model(tmp_path / "marked", tiny_encoder, synthetic=True)
    assert not EmotionCausePipeline(folders["isolated"])(talk).synthetic
    found = EmotionCausePipeline(folders["isolated"])(talk, emotion_model=marked)
    assert found.synthetic
    assert found.notes == (
        "It is the model of emotions that learned from synthetic dialogues, not the model of pairs.",
    )
    assert EmotionCausePipeline(folders["trained"], emotion_model=marked)(talk).notes == (), "both are"
    unknown = EmotionCausePipeline(folders["isolated"], emotion_model=folders["emotion"])(talk)
    assert not unknown.synthetic
    assert unknown.notes == ("The model of emotions does not state whether it learned from synthetic text.",)
    real = save_emotion_model(tmp_path / "real", tiny_encoder, synthetic=False)
    assert EmotionCausePipeline(folders["isolated"], emotion_model=real)(talk).notes == ()


def test_a_model_of_pairs_alone_gives_in_windows_what_it_gives_of_the_whole(folders: dict[str, Path]) -> None:
    talk = conversation(30)
    for kind, reach in (("alone", 9), ("isolated", 7)):
        pipe = EmotionCausePipeline(folders[kind])
        whole = of_matrix(pipe(talk, window=0))
        read = pipe(talk, window=None if kind == "alone" else reach)
        windowed = of_matrix(read)
        assert len(whole) == 900
        near = {key for key in whole if abs(key[0] - key[1]) < reach}
        assert windowed.keys() == near, "none is lost across a seam"
        for key in near:
            assert windowed[key] == pytest.approx(whole[key], abs=1e-5)
        (note,) = read.notes
        assert f"the {900 - len(near)} candidate pairs whose turns are {reach} or more apart are not scored" in note


def test_a_model_with_context_gives_in_windows_what_each_window_gives(folders: dict[str, Path]) -> None:
    pipe = EmotionCausePipeline(folders["trained"])
    talk = conversation(30)
    found = pipe(talk)
    (note,) = found.notes
    assert "has 30 turns and was read in 6 overlapping windows of 20 turns" in note
    assert "the longest dialogue of its training has 20" in note
    # Turns 1 to 20 are the first window: its pairs near the beginning, and their turns' emotions.
    first = of_matrix(pipe(Conversation("first", talk.utterances[:20])))
    for key in itertools.product(range(1, 8), repeat=2):
        assert of_matrix(found)[key] == pytest.approx(first[key], abs=1e-5)
    last = pipe(Conversation("last", talk.utterances[10:]))
    np.testing.assert_allclose(found.emotion_probabilities[-7:], last.emotion_probabilities[-7:], atol=1e-5)
    np.testing.assert_allclose(found.category_probabilities[-7:], last.category_probabilities[-7:], atol=1e-5)
    asked = pipe(talk, window=5)
    assert "as window=5 asks" in asked.notes[0]
    assert np.abs(asked.targets - asked.causes).max() == 4
    (whole,) = pipe(talk, window=0).notes
    assert "was read whole, as window=0 asks: the model was not trained on so many turns" in whole


@pytest.mark.parametrize("mode", ["trained", "frozen"])
def test_turns_are_encoded_with_those_before_them_whatever_the_window(
    mode: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    # Without attention, positions and refinement, a pair depends on nothing but what the encoder reads.
    folder = save_dialogue_model(
        tmp_path / "model", tiny_encoder, mode=mode, num_layers=0, pair_refinement=False, max_positions=1,
        max_speakers=1, longest_dialogue=9, text_context=2, text_block=3, max_tokens=120,
        text_alone=True, text_size=64,
    )  # fmt: skip
    pipe = EmotionCausePipeline(folder)
    talk = conversation(30)
    whole, windows = (of_matrix(pipe(talk, window=window)) for window in (0, None))
    assert 30 * 7 < len(windows) < len(whole)
    for key, values in windows.items():
        assert values == pytest.approx(whole[key], abs=1e-5)
    (probabilities,) = predict(folder, [talk.to_row()])
    assert probabilities[29 * 30 + 28] == pytest.approx(whole[30, 29], abs=1e-5)
    other = Conversation("other", (ConversationUtterance("Zoe", "angry"), *talk.utterances[1:]))
    changed = of_matrix(pipe(other, window=0))
    assert changed[3, 3] != pytest.approx(whole[3, 3], abs=1e-5), "the first turn is read with the third"
    assert changed[9, 9] == pytest.approx(whole[9, 9], abs=1e-5)


def test_turns_that_do_not_fit_are_counted(tiny_encoder: Path, tmp_path: Path) -> None:
    folder = save_dialogue_model(tmp_path / "model", tiny_encoder, text_context=2)
    long = " ".join(["angry"] * 100)
    (note,) = EmotionCausePipeline(folder)([("Ana", "So late."), ("Ben", "So late.")]).notes or ("",)
    assert note == ""
    found = EmotionCausePipeline(folder)([("Ana", long), ("Ben", "So late."), ("Ana", "So late.")])
    assert found.notes == (
        "1 utterance cut after 24 tokens, as in training.",
        "2 utterances encoded with fewer turns around than asked for: a sequence has 24 tokens, as in training.",
    )


def test_a_conversation_of_any_length_is_read(folders: dict[str, Path], monkeypatch) -> None:
    pairs_at_once = []
    one_batch = scoring.DialogueStrategy.predictions

    def counted(self: Any, model: Any, batch: dict[str, Any], examples: Any) -> Any:
        pairs_at_once.append(batch["valid"].numel())
        return one_batch(self, model, batch, examples)

    monkeypatch.setattr(scoring.DialogueStrategy, "predictions", counted)
    given = tuple(ConversationUtterance(f"S{k % 4}", f"So late {k % 50}") for k in range(2000))
    found = EmotionCausePipeline(folders["own"], batch_size=64)(Conversation("long", given))
    assert len(found.targets) == 2000 * (2 * 58 - 1) - 2 * sum(range(58))
    assert "2,000 turns and was read in 278 overlapping windows of 64 turns" in found.notes[-1]
    assert max(pairs_at_once) <= 1 << 16, "however large the batch, so that memory is bounded"


def test_cut_texts_are_counted(folders: dict[str, Path]) -> None:
    long = " ".join(["angry"] * 100)
    spoken = [("Ana", long), ("Ben", "So late."), ("Ana", long)]
    for kind, note in (
        ("trained", "2 utterances cut after 24 tokens, as in training."),
        ("isolated", "The texts of 8 pairs cut after 100 tokens, as in training."),
    ):
        pipe = EmotionCausePipeline(folders[kind])
        found = pipe([spoken, [("Ana", "So late.")]])
        assert [one.notes for one in found] == [(note,), ()]


def test_features_from_a_table_stand_for_recordings(folders: dict[str, Path]) -> None:
    talk = conversation(3)
    vectors = np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
    table = FeatureTable(Path("audio"), 3, (vectors,), {f"talk_{turn}": (0, turn - 1) for turn in (1, 2, 3)})
    found = EmotionCausePipeline(folders["audio"], audio=table)(talk)
    np.testing.assert_allclose(
        found.pair_probabilities, predict(folders["audio"], [talk.to_row()], audio=table)[0], atol=1e-6
    )


def test_predict_on_conversations_is_the_same_thing(folders: dict[str, Path]) -> None:
    talks = [conversation(4), conversation(3, "other", seed=2)]
    pipe = EmotionCausePipeline(folders["frozen"])
    one, several = predict(folders["frozen"], talks[0]), predict(folders["frozen"], talks, threshold=0.9)
    assert one.to_dict() == pipe(talks[0]).to_dict()
    assert [found.to_dict() for found in several] == [found.to_dict() for found in pipe(talks, threshold=0.9)]
    assert [len(found.pairs) for found in predict(folders["frozen"], iter(talks))] == [16, 9]
    assert len(predict(folders["frozen"], "Ana: So late.\nBen: What?").pairs) == 4
    assert len(predict(folders["frozen"], [{"speaker": "Ana", "text": "So late."}]).pairs) == 1
    rows = predict(folders["frozen"], (talk.to_row() for talk in talks))
    assert [found.shape for found in rows] == [(16, 2), (9, 2)]
    assert predict(folders["frozen"], []) == predict(folders["frozen"], iter([])) == []
    with pytest.raises(UsageError, match="threshold is for conversations, and rows are given"):
        predict(folders["frozen"], [talks[0].to_row()], threshold=0.5)
    for given in (talks[0], [talks[0].to_row()]):
        with pytest.raises(UsageError, match=r"predict has no argument 'treshold'. Did you mean 'threshold'"):
            predict(folders["frozen"], given, treshold=0.5)
        with pytest.raises(UsageError, match=r"predict has no argument 'targts'. Did you mean 'targets'"):
            predict(folders["frozen"], given, targts="pairs")
    with pytest.raises(UsageError, match="targets is for rows, and a conversation is given"):
        predict(folders["frozen"], talks[0], targets="pairs")
    with pytest.raises(UsageError, match="with_emotions is for rows, and a conversation is given"):
        predict(folders["trained"], talks[0], with_emotions=True)


def test_transformers_pipeline_gives_the_same_object(folders: dict[str, Path], tmp_path: Path) -> None:
    talk, folder = conversation(4), folders["trained"]
    pipe = pipeline("emotion-cause-pairs", model=str(folder), batch_size=2)
    assert isinstance(pipe, EmotionCausePipeline)
    expected = EmotionCausePipeline(folder.parent)(talk)  # the folder of the run
    assert of_matrix(pipe(talk)) == of_matrix(expected)
    assert pipe.device.type == "cpu"
    for mode in ("trained", "frozen"):
        saved = tmp_path / mode
        pipeline("emotion-cause-pairs", model=str(folders[mode])).save_pretrained(saved)
        assert not list(saved.glob("*.py"))
        assert "custom_pipelines" not in (saved / "config.json").read_text()
        assert (saved / "tokenizer_config.json").exists() == (mode == "trained")
        again = pipeline("emotion-cause-pairs", model=str(saved))
        assert of_matrix(again(talk)) == of_matrix(EmotionCausePipeline(folders[mode])(talk))
    model = AutoModel.from_pretrained(folder)
    given = pipeline("emotion-cause-pairs", model=model)
    assert given.tokenizer is not None
    assert of_matrix(given(talk)) == of_matrix(expected)
    assert of_matrix(pipe.predict(talk)) == of_matrix(pipe.run_single(talk, {}, {}, {})) == of_matrix(expected)


EMPTY = Conversation("nobody", ())
SILENT = Conversation("silent", (ConversationUtterance("Ana", ""),))


@pytest.mark.parametrize(
    ("kind", "given", "changes", "error", "message"),
    [
        ("own", [], {}, InvalidDataError, "conversation is empty"),
        ("own", (), {}, InvalidDataError, "conversation is empty"),
        ("own", EMPTY, {}, InvalidDataError, "nobody: an empty conversation. Give at least one utterance"),
        ("own", SILENT, {}, UsageError, "reads texts, but the conversation 'silent' has none"),
        ("audio", conversation(2), {}, MissingDataError, "uses audio, but the conversation 'talk' has no recording"),
        ("own", conversation(2), {"threshold": 1.5}, UsageError, "threshold must be a probability, .* but is 1.5"),
        ("own", conversation(2), {"window": -3}, UsageError, "window must be a number of turns"),
        ("own", conversation(2), {"batch_size": 0}, UsageError, "batch_size must be a number of conversations"),
        ("own", conversation(2), {"max_missing_features": "x"}, UsageError, "max_missing_features must be a share"),
        ("own", conversation(2), {"max_missing_features": 1.5}, UsageError, "number from 0 to 1, but is 1.5"),
        ("own", conversation(2), {"max_missing_features": True}, UsageError, "number from 0 to 1, but is True"),
        ("own", conversation(2), {"audio": "a.parquet"}, UsageError, "does not use audio. Leave audio= out"),
        ("own", conversation(2), {"video_encoder": "v"}, UsageError, "does not use video. Leave video_encoder= out"),
        ("audio", conversation(2), {"video": "v.parquet"}, UsageError, "does not use video. Leave video= out"),
        ("audio", conversation(2), {"text_encoder": "t"}, UsageError, "does not use text_encoder=, as it has no text"),
        ("trained", conversation(2), {"text_encoder": "t"}, UsageError, "as its own encoder is part of it"),
        ("isolated", conversation(2), {"text_encoder": "t"}, UsageError, "as its own encoder is part of it"),
        ("own", conversation(2), {"treshold": 0.5}, UsageError, "no argument 'treshold'. Did you mean 'threshold'"),
        ("own", conversation(2), {"device": "cpu"}, UsageError, "device is chosen when the pipeline is made"),
    ],
)
def test_what_cannot_be_scored_is_said(kind, given, changes, error, message, folders) -> None:
    with pytest.raises(error, match=message):
        EmotionCausePipeline(folders[kind])(given, **changes)


def test_a_model_that_is_none_of_pairs_is_refused(folders: dict[str, Path], tiny_encoder: Path, tmp_path: Path) -> None:
    cases: list[tuple[Any, dict[str, Any], type[IemomecpError], str]] = [
        (tmp_path, {}, MissingDataError, "holds no model"),
        (tiny_encoder, {}, UsageError, "describes a model of type 'roberta'"),
        (AutoModel.from_pretrained(tiny_encoder), {}, UsageError, "RobertaModel is no pair model of this package"),
        (
            folders["emotion"],
            {},
            UsageError,
            r"recognises emotions, not one of emotion-cause pairs. Use .*predict\(model, rows\)",
        ),
        (
            folders["own"],
            {"emotion_model": folders["own"]},
            UsageError,
            "emotion_model: .* one of pairs. Give a run of",
        ),
        (folders["frozen"], {"text_encoder": str(tmp_path / "none")}, MissingModelError, "none"),
        (folders["own"], {"windows": 3}, UsageError, "no argument 'windows'. Did you mean 'window'"),
    ]
    for model, options, error, message in cases:
        with pytest.raises(error, match=message):
            EmotionCausePipeline(model, **options)
    with pytest.raises(UsageError, match="holds a model that writes explanations, not one of emotion-cause pairs"):
        loaded_model.load_pair_model(_ModelOfExplanations())
    two = save_emotion_model(tmp_path / "two", tiny_encoder, ("neutral", "joy"))
    with pytest.raises(UsageError, match=r"has the emotions neutral, joy; .* was trained with fear, joy, neutral"):
        EmotionCausePipeline(folders["told"], emotion_model=two)


def test_options_that_nothing_takes_are_refused_when_the_pipeline_is_made(folders, tiny_encoder, tmp_path) -> None:
    for option in ("audio", "audio_encoder", "video", "video_encoder", "text_encoder"):
        with pytest.raises(UsageError, match=f"Leave {option}= out"):
            EmotionCausePipeline(folders["trained"], **{option: str(tmp_path)})
    deaf = {"emotion_model": folders["emotion"], "audio": str(tmp_path)}
    with pytest.raises(UsageError, match="Leave audio= out"):
        EmotionCausePipeline(folders["trained"], **deaf)
    hears = save_emotion_model(tmp_path / "hears", tiny_encoder, audio_size=3)
    pipe = EmotionCausePipeline(folders["trained"], emotion_model=hears, audio=str(tmp_path))
    assert pipe.modalities == ("audio",), "one of the two takes it"


class _ModelOfExplanations:
    """What is looked at before such a model is used."""

    config = PreTrainedConfig()
    device = torch.device("cpu")
    config.model_type = scorers.find_scorer("explanation").model_type

    def to(self, device: torch.device) -> _ModelOfExplanations:
        return self

    def eval(self) -> _ModelOfExplanations:
        return self


@pytest.mark.parametrize("damage", ["{", "[1]", "{}", b"\xff\xfe\x00{", None])
def test_a_damaged_model_folder_is_one_sentence(damage: Any, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["frozen"], folder)
    if damage is None:
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
    else:
        (folder / "config.json").write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    with pytest.raises(IemomecpError, match="model"):
        EmotionCausePipeline(folder)


def test_a_model_keeps_what_its_run_states_wherever_it_goes(folders: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folders["frozen"], run / "model")
    config = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    (run / "model" / "config.json").write_text(json.dumps({**config, "candidates": None, "synthetic": None}))
    (run / "results.json").write_text('{"candidates": "past", "synthetic": true}', encoding="utf-8")
    pipe = EmotionCausePipeline(run)
    assert pipe(conversation(3)).synthetic
    pipe.save_pretrained(tmp_path / "saved")
    again = EmotionCausePipeline(tmp_path / "saved")(conversation(3))
    assert again.synthetic
    assert (again.causes <= again.targets).all()


def test_a_conversation_longer_than_training_is_said_when_it_is_read_whole(folders: dict[str, Path]) -> None:
    pipe = EmotionCausePipeline(folders["frozen"])
    longest = pipe.model.config.longest_dialogue or pipe.model.config.max_positions
    found = pipe(conversation(longest + 1), window=0)
    assert any("was read whole" in note for note in found.notes)
    assert not any("was read whole" in note for note in pipe(conversation(longest), window=0).notes)
