"""Several models as one: predict, the pipeline, transformers and the folder give the weighted mean of the members."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_pair_models import conversation, save_dialogue_model, save_emotion_model, save_isolated_model
from transformers import AutoModel, pipeline

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.trainers import EmotionCausePipeline, load_scorer, predict
from iemomecp_dataset.trainers.ensemble.modeling import EnsembleConfig, EnsembleScorer
from iemomecp_dataset.trainers.scorers import scorer_names

EMOTIONS = ["neutral", "joy", "fear"]
WEIGHTS = [0.5, 0.2, 0.3]


@pytest.fixture(scope="module")
def kinds(tiny_encoder, tmp_path_factory):
    root = tmp_path_factory.mktemp("members")
    return [
        save_dialogue_model(root / "trained", tiny_encoder, emotion_names=EMOTIONS),
        save_dialogue_model(root / "frozen", tiny_encoder, mode="frozen"),
        save_isolated_model(root / "isolated", tiny_encoder, class_names=["pair", "non_pair"]),
    ]


@pytest.fixture(scope="module")
def folder(kinds, tmp_path_factory):
    """An ensemble of three kinds of model, saved by itself."""
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=WEIGHTS, decision="threshold", threshold=0.4,
                            candidates="all", synthetic=True)  # fmt: skip
    target = tmp_path_factory.mktemp("ensemble") / "model"
    EnsembleScorer(config, [load_scorer(kind) for kind in kinds]).save_pretrained(target)
    return target


def mean(values, weights=WEIGHTS):
    return sum(weight * value for weight, value in zip(weights, values, strict=True))


def test_rows_get_the_mean_of_what_members_predict(folder, kinds):
    rows = [conversation(5, seed=1).to_row(), conversation(3, "other", seed=2).to_row()]
    found = predict(folder, rows)
    each = [predict(kind, rows) for kind in kinds]
    for number in range(len(rows)):
        np.testing.assert_allclose(found[number], mean([one[number] for one in each]), atol=1e-6)
    assert predict(folder, []) == []
    assert [one.shape for one in predict(load_scorer(folder), iter(rows))] == [(25, 2), (9, 2)]


@pytest.mark.parametrize("load", [lambda folder: folder, str, load_scorer, AutoModel.from_pretrained])
def test_conversations_get_the_mean_however_the_model_is_given(load, folder, kinds):
    talk = conversation(4)
    found = EmotionCausePipeline(load(folder))(talk)
    each = [EmotionCausePipeline(kind)(talk) for kind in kinds]
    np.testing.assert_allclose(found.pair_probabilities, mean([one.pair_probabilities for one in each]), atol=1e-6)
    assert found.decision.threshold == 0.4
    assert found.labels.tolist() == [0 if p >= 0.4 else 1 for p in found.pair_probabilities[:, 0]]
    assert found.emotion_probabilities is None, "the isolated scorer has none to average"
    assert found.category_names == ()
    assert found.synthetic
    other = EmotionCausePipeline(load(folder), threshold=0.9)(talk)
    assert (other.decision.threshold, str(other.decision.origin)) == (0.9, "user")
    assert other.with_threshold(None).decision.threshold == 0.4


def test_emotions_are_averaged_where_all_members_have_them(kinds, tiny_encoder, tmp_path):
    other = save_dialogue_model(tmp_path / "other", tiny_encoder, emotion_names=EMOTIONS, hidden_size=8)
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=[0.25, 0.75], emotion_names=EMOTIONS)
    model = EnsembleScorer(config, [load_scorer(kinds[0]), load_scorer(other)])
    talk = conversation(4)
    found, each = EmotionCausePipeline(model)(talk), [EmotionCausePipeline(one)(talk) for one in (kinds[0], other)]
    for name in ("emotion_probabilities", "category_probabilities"):
        expected = mean([getattr(one, name) for one in each], [0.25, 0.75])
        np.testing.assert_allclose(getattr(found, name), expected, atol=1e-6)
    assert found.category_names == tuple(EMOTIONS)
    pairs, categories = predict(model, [talk.to_row()], with_emotions=True)
    np.testing.assert_allclose(categories[0], found.category_probabilities, atol=1e-5)
    np.testing.assert_allclose(pairs[0], found.pair_probabilities, atol=1e-5)


def test_emotions_that_have_no_mean_are_refused(kinds, tiny_encoder, tmp_path):
    other = save_dialogue_model(tmp_path / "other", tiny_encoder, emotion_names=EMOTIONS[::-1])
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=[0.5, 0.5])
    rows = [conversation(2).to_row()]
    mixed = EnsembleScorer(config, [load_scorer(kinds[0]), load_scorer(other)])
    with pytest.raises(UsageError, match=r"different emotions.* member_2: fear, joy, neutral"):
        predict(mixed, rows, with_emotions=True)
    lacking = EnsembleScorer(config, [load_scorer(kinds[0]), load_scorer(kinds[1])])
    with pytest.raises(UsageError, match="Of the members of this ensemble member_2 predicts no emotions"):
        predict(lacking, rows, with_emotions=True)


def test_members_that_know_dialogues_of_other_lengths_read_the_same_windows(tiny_encoder, tmp_path):
    folders = [
        save_dialogue_model(tmp_path / f"m{longest}", tiny_encoder, mode="frozen", longest_dialogue=longest)
        for longest in (9, 20)
    ]
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=[0.5, 0.5])
    talk = conversation(14, "long", seed=3)
    found = EmotionCausePipeline(EnsembleScorer(config, [load_scorer(folder) for folder in folders]))(talk)
    first = EmotionCausePipeline(folders[0])(talk)
    second = EmotionCausePipeline(save_copy(folders[1], tmp_path / "as_short", longest_dialogue=9))(talk)
    assert len(found.pair_probabilities) < 14 * 14, "it is read in windows"
    np.testing.assert_allclose(
        found.pair_probabilities, mean([first.pair_probabilities, second.pair_probabilities], [0.5, 0.5]), atol=1e-6
    )
    assert found.notes == first.notes


def save_copy(folder, target, **changes):
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text()) | changes
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_the_folder_of_a_run_is_not_that_of_its_model(folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folder, run / "model")
    with pytest.raises(MissingDataError, match=r"run holds no model .* Give the folder model in it"):
        EnsembleScorer.from_pretrained(run)


def test_streams_windows_and_notes_are_those_of_the_members(folder, kinds):
    talks = [conversation(4), conversation(20, "long", seed=3)]
    pipe = EmotionCausePipeline(folder, window=9)
    found = list(pipe(iter(talks)))
    assert [one.conversation.name for one in found] == [talk.name for talk in talks]
    for one, whole in zip(found, EmotionCausePipeline(folder)(talks, window=9), strict=True):
        np.testing.assert_allclose(one.pair_probabilities, whole.pair_probabilities, atol=1e-6)
    notes = [note for kind in kinds for note in EmotionCausePipeline(kind, window=9)(talks[1]).notes]
    assert list(found[1].notes) == list(dict.fromkeys(notes))
    with pytest.raises(InvalidDataError, match="is empty"):
        pipe.check(conversation(0, "nobody"))


def test_a_model_of_emotions_serves_all_members(tiny_encoder, tmp_path):
    told = [
        save_dialogue_model(
            tmp_path / f"told_{n}", tiny_encoder, mode="frozen", emotion_input_names=EMOTIONS, hidden_size=8 * n
        )
        for n in (1, 2)
    ]  # fmt: skip
    emotion = save_emotion_model(tmp_path / "emotion", tiny_encoder)
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=[0.5, 0.5], emotion_input_names=EMOTIONS)
    model = EnsembleScorer(config, [load_scorer(one) for one in told])
    talk = conversation(3)
    with pytest.raises(MissingDataError, match="takes the emotions that another model predicts"):
        EmotionCausePipeline(model)(talk)
    found = EmotionCausePipeline(model, emotion_model=emotion)(talk)
    each = [EmotionCausePipeline(one, emotion_model=emotion)(talk) for one in told]
    np.testing.assert_allclose(
        found.pair_probabilities, mean([one.pair_probabilities for one in each], [0.5, 0.5]), atol=1e-6
    )


def test_members_on_one_frozen_encoder_share_it_and_it_may_have_moved(tiny_encoder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(tiny_encoder, moved)
    members = [
        load_scorer(save_dialogue_model(tmp_path / f"m{n}", tiny_encoder, mode="frozen", hidden_size=8 * n))
        for n in (1, 2)
    ]
    config = EnsembleConfig(class_names=["pair", "non_pair"], weights=[0.5, 0.5], text_size=16,
                            text_encoder_name=str(tiny_encoder))  # fmt: skip
    pipe = EmotionCausePipeline(EnsembleScorer(config, members), text_encoder=str(moved))
    encoders = [member.encoder for member in pipe._scorer.loaded.members]
    assert encoders[0] is encoders[1]
    assert encoders[0].name == str(moved)
    assert pipe(conversation(2)).pair_probabilities.shape == (4, 2)


def test_it_is_saved_and_loaded_with_the_tokenizers_of_its_members(folder, tmp_path):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "member_1", "member_2", "member_3"]
    assert (folder / "member_1" / "tokenizer_config.json").is_file()
    again = tmp_path / "again"
    EmotionCausePipeline(folder).save_pretrained(again)
    talk = conversation(3)
    of_pipeline = pipeline("emotion-cause-pairs", model=str(again))(talk)
    np.testing.assert_allclose(
        of_pipeline.pair_probabilities, EmotionCausePipeline(folder)(talk).pair_probabilities, atol=1e-6
    )
    half = pipeline("emotion-cause-pairs", model=str(folder), dtype="bfloat16")
    assert {list(member.parameters())[-1].dtype for member in half.model.members} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": ["../elsewhere", "member_2"]}, "members must be a list of folders member_1"),
        ({"members": ["member_1"], "weights": [1.0]}, "at least two members"),
        ({"weights": [0.5, 0.5]}, r"found 3 members and weights \[0\.5, 0\.5\]"),
        ({"weights": [0.5, 0.5, 0.5]}, "which sum to 1"),
        ({"weights": [2, -1, 0]}, "weights must be a list of numbers from 0 to 1"),
        ({"members": ["member_1", "member_2", "member_9"]}, "member_9 holds no model"),
        ({"class_names": ["pair", "other"]}, "the classes of the member are pair, non_pair"),
    ],
)
def test_a_damaged_configuration_is_one_sentence(changes, message, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    with pytest.raises((InvalidDataError, MissingDataError), match=message):
        load_scorer(tmp_path / "model")


def test_it_is_not_trained_and_not_run(folder):
    assert "ensemble" not in scorer_names()
    with pytest.raises(UsageError, match="An ensemble is applied by"):
        load_scorer(folder)(torch.zeros(1))
