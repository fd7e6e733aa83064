"""Recordings of a conversation: the vectors of a feature store for the same files, and what is refused or said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from iemomecp_dataset.conversations.conversation import Conversation, ConversationUtterance
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, MissingModelError, UsageError
from iemomecp_dataset.features import ExtractionOptions, extract, read_card, read_feature_table
from iemomecp_dataset.features.encoders.tiny_models import write_tiny_image_encoder, write_tiny_speech_encoder
from iemomecp_dataset.features.extractor import extractor_of
from iemomecp_dataset.synthetic.media_files import write_utterance_mp4
from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig
from iemomecp_dataset.trainers.pipelines import recordings
from iemomecp_dataset.trainers.pipelines.recordings import (
    check_recordings,
    encode_recordings,
    missing_vectors_note,
    uses_modality,
)

RATE = 16_000
TURNS = (0.4, 1.5, 0.6)  # Seconds of each turn; the second is longer than a chunk.
SPANS = ((0.0, 0.4), (0.5, 2.0), (2.25, 2.85))  # Within the recording of the whole conversation.
SETTINGS: dict[str, dict[str, Any]] = {
    "audio": {"layers": "1,-1", "pooling": "max", "max_seconds": 1.0, "store_dtype": "float16"},
    "video": {"frames": 3, "pooling": "max"},
}
FACES = ((200, 40, 40), (240, 200, 80), (50, 70, 190))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of each utterance and of the whole dialogue, tiny encoders, and an invented corpus of these utterances."""
    folder = tmp_path_factory.mktemp("recordings")
    write_tiny_speech_encoder(folder / "speech")
    write_tiny_image_encoder(folder / "image")
    random = np.random.default_rng(0)
    whole = np.zeros(round(3.0 * RATE), np.float32)
    lines = ["1 3", "(2,1)"]
    for turn, ((start, end), face) in enumerate(zip(SPANS, FACES, strict=True), start=1):
        sound = (0.1 * random.normal(size=round((end - start) * RATE))).astype(np.float32)
        soundfile.write(folder / f"dia1utt{turn}.wav", sound, RATE, subtype="FLOAT")
        whole[round(start * RATE) : round(start * RATE) + len(sound)] = sound
        write_utterance_mp4(folder / f"dia1utt{turn}.mp4", face, None, n_frames=4 + turn)
        lines.append(f"{turn} | A | {'joy' if turn == 2 else 'neutral'} | Made-up words {turn} | "
                     f"Show: 0:00:{start:06.3f} - 0:00:{end:06.3f}")  # fmt: skip
    soundfile.write(folder / "1.wav", whole, RATE, subtype="FLOAT")
    write_utterance_mp4(folder / "1.mp4", FACES[0], FACES[2], n_frames=12)
    (folder / "corpus").mkdir()
    (folder / "corpus" / "train.txt").write_text("\n".join(lines) + "\n")
    return folder


def stored(files: Path, modality: str, clip: str) -> Path:
    """A feature store of the corpus, extracted once from the files of utterances or from that of the dialogue."""
    folder = files / f"{modality}-{clip}"
    if not folder.exists():
        name = "{utterance_id}" if clip == "utterance" else "{dialogue_id}"
        extract(ExtractionOptions(
            str(files / "corpus"), modality, str(folder), model=str(encoder_of(files, modality)),
            config_name="ecf", media_dir=str(files), media_pattern=f"{name}.{'wav' if modality == 'audio' else 'mp4'}",
            clip=clip, quiet=True, device="cpu", **SETTINGS[modality],
        ))  # fmt: skip
    return folder


def scorer_of(files: Path, modality: str, **changed: Any) -> DialogueScorer:
    """An untrained scorer whose configuration states the extractor of such a store."""
    found = extractor_of(read_card(stored(files, modality, "utterance")))
    config = DialogueScorerConfig(
        class_names=["pair", "non_pair"], hidden_size=8, num_layers=1, num_heads=2, **{f"{modality}_size": found.size}
    )
    setattr(config, f"{modality}_extractor", {**found.to_json(), **changed})
    return DialogueScorer(config).eval()


def given(files: Path, modality: str, clip: str = "utterance", *, name: str = "chat") -> Conversation:
    suffix = "wav" if modality == "audio" else "mp4"
    return Conversation(name, tuple(
        ConversationUtterance(
            "A", f"Made-up words {turn}", *(SPANS[turn - 1] if clip == "dialogue" else ()),
            **{modality: str(files / (f"1.{suffix}" if clip == "dialogue" else f"dia1utt{turn}.{suffix}"))},
        )
        for turn in (1, 2, 3)
    ))  # fmt: skip


def encoder_of(files: Path, modality: str) -> Path:
    return files / ("speech" if modality == "audio" else "image")


@pytest.mark.parametrize("clip", ["utterance", "dialogue"])
@pytest.mark.parametrize("modality", ["audio", "video"])
def test_vectors_are_those_of_the_store_for_the_same_files(files: Path, modality: Any, clip: str) -> None:
    expected = read_feature_table(stored(files, modality, clip)).select([f"dia1utt{turn}" for turn in (1, 2, 3)])
    scorer, encoder = scorer_of(files, modality), encoder_of(files, modality)
    conversation = given(files, modality, clip)
    found = encode_recordings(scorer, [conversation], modality=modality, encoder=encoder, progress=False)
    assert sorted(found) == ["chat_1", "chat_2", "chat_3"]
    for turn in (1, 2, 3):
        assert found[f"chat_{turn}"].dtype == np.float32
        # In the store's half precision, another batch may move a number by one step.
        step = 1e-3 if modality == "audio" else 0
        if modality == "audio":
            np.testing.assert_array_equal(found[f"chat_{turn}"], found[f"chat_{turn}"].astype(np.float16))
        np.testing.assert_allclose(found[f"chat_{turn}"], expected[f"dia1utt{turn}"], atol=1e-5, rtol=step)
    assert np.abs(found["chat_1"] - found["chat_2"]).max() > 0.01


def test_sound_is_taken_from_the_video_where_there_is_no_other(files: Path) -> None:
    conversation = given(files, "audio")
    moved = tuple(replace(spoken, audio=None, video=spoken.audio) for spoken in conversation.utterances)
    both = [conversation, Conversation("moved", moved)]
    found = encode_recordings(scorer_of(files, "audio"), both, modality="audio", encoder=files / "speech")
    for turn in (1, 2, 3):
        np.testing.assert_allclose(found[f"chat_{turn}"], found[f"moved_{turn}"], atol=1e-5, rtol=1e-3)


def test_the_encoder_is_loaded_once_for_a_model_and_found_by_its_name(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    plain = recordings.open_encoder
    monkeypatch.setattr(recordings, "open_encoder", lambda options: opened.append(options) or plain(options))
    monkeypatch.chdir(files)  # The configuration names the folder "speech".
    scorer = scorer_of(files, "audio")
    for _ in range(2):
        encode_recordings(scorer, [given(files, "audio")], modality="audio")
    assert len(opened) == 1
    assert opened[0].layers == "1,-1"
    encode_recordings(scorer_of(files, "audio"), [given(files, "audio")], modality="audio")
    assert len(opened) == 2


def test_the_encoder_has_to_be_that_of_training(files: Path, tmp_path: Path) -> None:
    conversation = [given(files, "audio")]
    scorer = scorer_of(files, "audio")
    with pytest.raises(MissingModelError, match=r"in a folder called 'speech' \(folder-.* Give audio_encoder= the"):
        encode_recordings(scorer, conversation, modality="audio")
    write_tiny_speech_encoder(tmp_path / "other", seed=1)
    with pytest.raises(InvalidDataError, match=r"other is not that of training: found revision folder-"):
        encode_recordings(scorer, conversation, modality="audio", encoder=tmp_path / "other")
    # A commit on the Hub and a folder cannot be compared; the width can.
    of_hub = scorer_of(files, "audio", revision="0123abc", model="someone/speech")
    assert len(encode_recordings(of_hub, conversation, modality="audio", encoder=files / "speech")) == 3
    write_tiny_speech_encoder(tmp_path / "wide", hidden_size=20)
    with pytest.raises(InvalidDataError, match=r"vectors of 40 numbers, expected 0123abc with 32"):
        encode_recordings(of_hub, conversation, modality="audio", encoder=tmp_path / "wide")
    with pytest.raises(MissingModelError, match="'someone/speech' is neither downloaded nor reachable"):
        encode_recordings(of_hub, conversation, modality="audio")


# --- what is missing ----------------------------------------------------------------------------------------------


def spoken(turn: int, file: str | None, **times: float) -> ConversationUtterance:
    return ConversationUtterance("A", f"Words {turn}", audio=file, **times)


@pytest.mark.parametrize(
    ("utterances", "error", "message"),
    [
        ([(None, {})] * 3, MissingDataError, r"uses audio, and none of the 3 utterances has a recording that is there"),
        ([("gone.wav", {})], MissingDataError, r"none of the 1 .* chat_1 \(missing_media: .*gone.wav does not exist"),
        ([("dia1utt1.wav", {}), (None, {})], MissingDataError, r"1 of 2 .*\(50.0%, more than the 1.0% allowed\)"),
        ([("1.wav", {}), ("1.wav", {})], MissingDataError, r"no_times: 1.wav is a recording of several utterances"),
        ([("1.wav", {"start": 0.5})], MissingDataError, r"no_times: it has only one of start and end"),
        ([("dia1utt1.wav", {"start": 5.0, "end": 6.0})], InvalidDataError, r"outside_file: .* leave its start and end"),
        ([("torn.wav", {})], InvalidDataError, r"chat_1 \(unreadable: torn.wav"),
        ([("silence.wav", {})], InvalidDataError, r"chat_1 \(silent: silence.wav is silent\)"),
    ],
)  # fmt: skip
def test_what_is_missing_or_cannot_be_decoded_is_counted_and_refused(
    files: Path, utterances: list[tuple[str | None, dict[str, float]]], error: type[Exception], message: str
) -> None:
    (files / "torn.wav").write_bytes(b"RIFF and then nothing of sound")
    soundfile.write(files / "silence.wav", np.zeros(RATE, np.float32), RATE)
    conversation = Conversation("chat", tuple(
        spoken(turn, name and str(files / name), **times) for turn, (name, times) in enumerate(utterances, start=1)
    ))  # fmt: skip
    with pytest.raises(error, match=message):
        encode_recordings(scorer_of(files, "audio"), [conversation], modality="audio", encoder=files / "speech")


def test_a_tolerated_share_is_left_out_and_said(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = given(files, "audio")
    conversation = Conversation("chat", (*whole.utterances[:2], replace(whole.utterances[2], audio=None)))
    found = encode_recordings(
        scorer_of(files, "audio"), [conversation], modality="audio", encoder=files / "speech", max_missing_features=0.34
    )
    assert set(found) == {"chat_1", "chat_2"}, "absent, never zeros"
    assert "1 of 3 utterances have no audio vector" in caplog.text
    assert "chat_3 (missing_media: it names no audio file)" in caplog.text
    assert missing_vectors_note(["chat_1", "chat_2"], found, "audio") is None


def test_conversations_of_one_name_are_refused_if_they_differ(files: Path) -> None:
    one = given(files, "audio")
    other = Conversation("chat", tuple(reversed(one.utterances)))
    options: dict[str, Any] = {"modality": "audio", "encoder": files / "speech"}
    assert len(encode_recordings(scorer_of(files, "audio"), [one, one], **options)) == 3
    with pytest.raises(UsageError, match="Two conversations are called 'chat'"):
        encode_recordings(scorer_of(files, "audio"), [one, other], **options)


# --- models -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"audio_extractor": None}, MissingDataError, r"Parquet file or on imported vectors.*audio= a feature table"),
        ({"audio_size": 0}, UsageError, r"was trained without audio"),
        ({"audio_size": 7}, InvalidDataError, r"describes audio vectors of 32 numbers, .* takes audio vectors of 7"),
        ({"audio_extractor": {"modality": "audio"}}, InvalidDataError, r"audio_extractor in the model's configuration"),
        ({"audio_extractor": "wavlm"}, InvalidDataError, r"a mapping is expected"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_state_its_extractor_is_refused(
    files: Path, changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    scorer = scorer_of(files, "audio")
    for name, value in changed.items():
        object.__setattr__(scorer.config, name, value)
    with pytest.raises(error, match=message):
        encode_recordings(scorer, [given(files, "audio")], modality="audio", encoder=files / "speech")


def test_the_extractor_is_saved_with_the_model(files: Path, tmp_path: Path) -> None:
    scorer = scorer_of(files, "audio")
    scorer.save_pretrained(tmp_path)
    loaded = DialogueScorer.from_pretrained(tmp_path)
    assert loaded.config.audio_extractor == scorer.config.audio_extractor
    assert loaded.config.video_extractor is None
    arguments: dict[str, Any] = {"modality": "audio", "encoder": files / "speech"}
    one, other = (encode_recordings(model, [given(files, "audio")], **arguments) for model in (scorer, loaded))
    np.testing.assert_array_equal(one["chat_1"], other["chat_1"])


def model(*, crop: str = "none", **sizes: int) -> Any:
    extractor = {
        "modality": "video", "model": "m", "revision": "r", "size": 2, "dtype": "float32", "settings": {"crop": crop},
        "versions": {},
    }  # fmt: skip
    return SimpleNamespace(config=SimpleNamespace(video_extractor=extractor, **sizes), device=torch.device("cpu"))


TEXT, AUDIO, VIDEO = {"text_size": 4}, {"audio_size": 2}, {"video_size": 2}
UNUSED = "The {} recordings of 2 utterances are not used: the model was trained without {}."


@pytest.mark.parametrize(
    ("used", "fields", "expected"),
    [
        (TEXT, {}, ()),
        (TEXT, {"audio": "a.wav"}, (UNUSED.format("audio", "audio"),)),
        (TEXT, {"audio": "a.wav", "video": "a.mp4"}, tuple(UNUSED.format(m, m) for m in ("audio", "video"))),
        ({**TEXT, **AUDIO}, {"audio": "a.wav"}, ()),
        ({**TEXT, **AUDIO}, {"video": "a.mp4"}, ()),  # its sound is used
        ({**TEXT, **AUDIO}, {"audio": "a.wav", "video": "a.mp4"}, (UNUSED.format("video", "video"),)),
        (VIDEO, {"audio": "a.wav", "video": "a.mp4"}, (UNUSED.format("audio", "audio"),)),
        ({**AUDIO, **VIDEO}, {"audio": "a.wav", "video": "a.mp4"}, ()),
    ],
)
def test_recordings_that_are_not_used_are_noted(
    used: dict[str, int], fields: dict[str, str], expected: tuple[str, ...]
) -> None:
    conversation = Conversation("chat", tuple(ConversationUtterance("A", "Words", **fields) for _ in range(2)))
    assert check_recordings(model(**used), [conversation]) == expected


def test_recordings_that_a_model_of_emotions_uses_are_not_called_unused() -> None:
    conversation = Conversation("chat", (ConversationUtterance("A", "Words", audio="a.wav", video="a.mp4"),))
    notes = check_recordings(model(**TEXT), [conversation], beside=("audio",))
    assert [note.split()[1] for note in notes] == ["video"]


@pytest.mark.parametrize(
    ("used", "message"), [(TEXT, "uses text alone"), ({**TEXT, **AUDIO}, "uses text and audio"), (AUDIO, None)]
)
def test_recordings_without_words_are_refused_by_models_of_text(used: dict[str, int], message: str | None) -> None:
    conversation = Conversation("chat", (ConversationUtterance("A", "", audio="a.wav"),))
    if message is None:
        assert check_recordings(model(**used), [conversation]) == ()
        return
    with pytest.raises(UsageError, match=f"chat: its one utterance has recordings and no words, .* {message}"):
        check_recordings(model(**used), [conversation])


def test_a_model_of_cropped_frames_is_noted_and_frames_are_taken_whole() -> None:
    conversation = Conversation("chat", (ConversationUtterance("A", "Words", video="a.mp4"),))
    (note,) = check_recordings(model(**VIDEO, crop="speaker"), [conversation])
    assert "give recordings that show the speaker alone" in note
    assert uses_modality(model(**VIDEO), "video")
    assert not uses_modality(model(**VIDEO), "audio")
