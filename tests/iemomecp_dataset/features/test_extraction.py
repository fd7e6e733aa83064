"""Extraction: vectors equal those of a plain loop, also if a run is killed, resumed or shared among processes."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import time
from pathlib import Path

import forked_python
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from corpus_files import ecf_json_with_clips, write

import iemomecp_dataset
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, MissingModelError, UsageError
from iemomecp_dataset.features import read_card, read_feature_table
from iemomecp_dataset.features.encoders.frame_pooling import pool_frames
from iemomecp_dataset.features.encoders.speech_encoder import SpeechEncoder
from iemomecp_dataset.features.encoders.tiny_models import write_tiny_image_encoder, write_tiny_speech_encoder
from iemomecp_dataset.features.extraction import extract, plan
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.store.store_layout import INDEX_NAME
from iemomecp_dataset.features.work_items import WorkItem, corpus_items
from iemomecp_dataset.files.locks import marked_as_written, share_folder

RATE = 16_000


@pytest.fixture(scope="session", params=["wavlm-group", "wav2vec2-group", "wav2vec2-layer"])
def any_speech_encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    family, norm = request.param.split("-")
    return write_tiny_speech_encoder(tmp_path_factory.mktemp(request.param), family=family, norm=norm)


@pytest.fixture(scope="session")
def speech_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_speech_encoder(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="session")
def image_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_image_encoder(tmp_path_factory.mktemp("image"))


@pytest.fixture
def audio(media_dir: Path, speech_encoder: Path, tmp_path: Path) -> ExtractionOptions:
    return ExtractionOptions(
        data_dir=str(media_dir),
        modality="audio",
        output_dir=str(tmp_path / "store"),
        model=str(speech_encoder),
        limit=60,
        shard_size=16,
        batch_size=8,
        quiet=True,
        device="cpu",
    )


def index_of(folder: str | Path) -> dict[str, dict]:
    return {line["utterance_id"]: line for line in pq.read_table(Path(folder) / INDEX_NAME).to_pylist()}


def contents(folder: str | Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def sounds(folder: Path, seconds: list[float]) -> list[WorkItem]:
    generator = np.random.default_rng(0)
    items = []
    for i, length in enumerate(seconds):
        path = folder / f"u{i}.wav"
        noise = 0.1 * generator.normal(size=round(length * RATE)) * np.linspace(0.1, 1, round(length * RATE))
        soundfile.write(path, noise.astype(np.float32), RATE, subtype="FLOAT")
        items.append(WorkItem(f"u{i}", "d", "F", "", path, None, None, length, False))
    return items


def plain_vector(model_dir: Path, path: Path, layer: int = -1) -> np.ndarray:
    """Reference: one file at a time, without batching."""
    from transformers import AutoFeatureExtractor, AutoModel

    model, extractor = AutoModel.from_pretrained(model_dir).eval(), AutoFeatureExtractor.from_pretrained(model_dir)
    samples, rate = soundfile.read(path, dtype="float32")
    with torch.inference_mode():
        output = model(**extractor(samples, sampling_rate=rate, return_tensors="pt"), output_hidden_states=True)
    return output.hidden_states[layer][0].mean(0).numpy()


# --- audio --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", ["last", "1", "0,-1"])
def test_padded_batches_give_what_one_file_at_a_time_gives(
    any_speech_encoder: Path, layers: str, tmp_path: Path
) -> None:
    items = sounds(tmp_path, [0.1, 0.73, 2.0, 0.35, 1.21])
    options = ExtractionOptions("d", "audio", "o", model=str(any_speech_encoder), layers=layers)
    encoder = SpeechEncoder(options, torch.device("cpu"))
    rows = encoder.encode([encoder.decode(item) for item in items])
    for item, row in zip(items, rows, strict=True):
        wanted = [-1] if layers == "last" else [int(layer) for layer in layers.split(",")]
        expected = np.concatenate([plain_vector(any_speech_encoder, item.media, layer) for layer in wanted])
        assert row.vector.shape == (encoder.size,)
        assert np.abs(row.vector - expected).max() < 1e-4
        assert row.n_frames == (round(item.seconds * RATE) - 400) // 320 + 1


def test_long_sounds_are_cut_pooled_over_all_frames_and_noted(speech_encoder: Path, tmp_path: Path) -> None:
    (long,) = sounds(tmp_path, [3.4])
    options = ExtractionOptions("d", "audio", "o", model=str(speech_encoder), max_seconds=1.0)
    encoder = SpeechEncoder(options, torch.device("cpu"))
    (row,) = encoder.encode([encoder.decode(long)])
    assert row.note == "in 4 chunks"
    samples, _ = soundfile.read(long.media, dtype="float32")
    parts = []
    for i, part in enumerate(np.array_split(samples, 4)):
        soundfile.write(tmp_path / f"part{i}.wav", part, RATE, subtype="FLOAT")
        frames = (len(part) - 400) // 320 + 1
        parts.append((plain_vector(speech_encoder, tmp_path / f"part{i}.wav"), frames))
    assert row.n_frames == sum(frames for _, frames in parts)
    expected = sum(vector * frames for vector, frames in parts) / row.n_frames
    assert np.abs(row.vector - expected).max() < 1e-4


def test_sounds_shorter_than_a_frame(speech_encoder: Path, tmp_path: Path) -> None:
    from iemomecp_dataset.features.store.store_rows import FeatureProblem

    short, enough = sounds(tmp_path, [399 / RATE, 400 / RATE])
    encoder = SpeechEncoder(ExtractionOptions("d", "audio", "o", model=str(speech_encoder)), torch.device("cpu"))
    with pytest.raises(FeatureProblem, match="too_short: 25 ms, less than one frame"):
        encoder.decode(short)
    (row,) = encoder.encode([encoder.decode(enough)])
    assert row.n_frames == 1


@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_pooling_looks_at_valid_frames_alone(pooling: str) -> None:
    states = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0]]).bool()
    states[~valid] = float("inf")
    for row, found in enumerate(pool_frames(states, valid, pooling)):
        frames = states[row][valid[row]]
        expected = {"mean": frames.mean(0), "first": frames[0], "max": frames.amax(0)}[pooling]
        assert torch.allclose(found, expected)


def test_audio_of_a_corpus(audio: ExtractionOptions, media_dir: Path) -> None:
    result = extract(audio)
    assert result.complete
    assert (result.computed, dict(result.statuses)) == (60, {"ok": 60})
    rows = iemomecp_dataset.load("3class", data_dir=media_dir)["train"].to_list()
    utterances = {u["utterance_id"]: u for row in rows for u in row["utterances"]}
    index = index_of(audio.output_dir)
    assert list(index) == list(utterances)[:60]
    found = read_feature_table(audio.output_dir).select(list(index))
    for key in list(index)[::20]:
        assert np.abs(found[key] - plain_vector(Path(audio.model), utterances[key]["wav"])).max() < 1e-4
    card = read_card(Path(audio.output_dir))
    assert card.synthetic
    assert card.revision.startswith("folder-")
    assert card.corpus_fingerprints["train"]
    assert {"torch", "transformers", "device"} <= card.versions.keys()


# --- kill, resume, share ------------------------------------------------------------------------------------------


def test_resuming_redoes_nothing_and_gives_the_same_bytes(
    audio: ExtractionOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dataclasses.replace(audio, output_dir=str(tmp_path / "whole"))
    extract(whole)
    encode, calls = SpeechEncoder.encode, []

    def dying(self: SpeechEncoder, batch: list) -> list:
        calls.append(len(batch))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return encode(self, batch)

    monkeypatch.setattr(SpeechEncoder, "encode", dying)
    with pytest.raises(KeyboardInterrupt):
        extract(audio)
    with pytest.raises(MissingDataError, match="is not finished: 3 of its 4 shards"):
        read_feature_table(audio.output_dir)
    assert len(plan(audio).left) == 3
    monkeypatch.setattr(SpeechEncoder, "encode", encode)
    assert extract(audio).computed == 60 - 16
    assert contents(audio.output_dir) == contents(whole.output_dir)
    assert extract(audio).computed == 0
    (Path(audio.output_dir) / INDEX_NAME).unlink()
    assert extract(audio).computed == 0
    assert contents(audio.output_dir) == contents(whole.output_dir)


def test_processes_share_the_shards(audio: ExtractionOptions, tmp_path: Path) -> None:
    whole = dataclasses.replace(audio, output_dir=str(tmp_path / "whole"))
    extract(whole)
    first = extract(dataclasses.replace(audio, process_index=0, num_processes=3))
    assert (first.complete, first.left) == (False, 2)
    third = extract(dataclasses.replace(audio, process_index=2, num_processes=3))
    assert (third.complete, third.left) == (False, 1)
    second = extract(dataclasses.replace(audio, process_index=1, num_processes=3))
    assert second.complete
    assert first.computed + second.computed + third.computed == 60
    assert contents(audio.output_dir) == contents(whole.output_dir)


def command(options: ExtractionOptions, repository: Path, **changes: object) -> list[str]:
    values = dataclasses.asdict(dataclasses.replace(options, **changes))
    arguments = [str(repository / "scripts/extract_features.py")]
    for option in dataclasses.fields(ExtractionOptions):
        value = values[option.name]
        if value is True:
            arguments.append(f"--{option.name}")
        elif value is not None and value is not False:
            arguments += [f"--{option.name}", str(value)]
    return arguments


def test_what_killed_processes_have_left_is_removed_but_not_what_a_living_one_writes(
    audio: ExtractionOptions,
) -> None:
    audio = dataclasses.replace(audio, limit=4)
    folder = Path(audio.output_dir)
    living = folder / ".shard-00000-of-00001.safetensors.0a1b2c3d.partial"
    with share_folder(folder), marked_as_written(living):  # by another process
        assert extract(audio).complete
        assert living.exists()
    assert extract(audio).complete
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_killed_anywhere_the_store_comes_out_the_same(
    audio: ExtractionOptions, repository: Path, tmp_path: Path
) -> None:
    audio = dataclasses.replace(audio, limit=240, batch_size=1, shard_size=4)
    whole = dataclasses.replace(audio, output_dir=str(tmp_path / "whole"))
    assert forked_python.run(*command(whole, repository)).returncode == 0
    folder, kills = Path(audio.output_dir), 0
    for wanted in (1, 20, 40):
        process = forked_python.start(*command(audio, repository))
        while process.poll() is None and len(list(folder.glob("shard-*"))) < wanted:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 2
    assert forked_python.run(*command(audio, repository)).returncode == 0
    assert contents(folder) == contents(whole.output_dir)


@pytest.mark.slow
def test_two_launched_processes_make_the_same_store(audio: ExtractionOptions, repository: Path, tmp_path: Path) -> None:
    whole = dataclasses.replace(audio, output_dir=str(tmp_path / "whole"))
    extract(whole)
    script = command(audio, repository)
    processes = [forked_python.start(*script, env=rank) for rank in forked_python.rank_environments(2)]
    assert [process.wait() for process in processes] == [0, 0], [process.stderr[-2000:] for process in processes]
    mine, theirs = read_feature_table(audio.output_dir), read_feature_table(whole.output_dir)
    ids = list(mine.place_of)
    for key, vector in mine.select(ids).items():
        assert np.allclose(vector, theirs.select([key])[key], atol=1e-5)


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.fixture
def damaged(media_dir: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A copy of the corpus with damaged or unusual wav files; expected status by utterance."""
    folder = tmp_path / "damaged"
    shutil.copytree(media_dir, folder)
    rows = iemomecp_dataset.load("3class", data_dir=folder)["train"].to_list()
    wavs = [(u["utterance_id"], Path(u["wav"])) for row in rows for u in row["utterances"]][:60:8]
    expected = {}
    damages = ("missing_media", "empty", "truncated", "unreadable", "silent", "too_short", "ok", "ok")
    for n, ((key, path), status) in enumerate(zip(wavs, damages, strict=True)):
        samples, _ = soundfile.read(path, dtype="float32")
        if status == "missing_media":
            path.unlink()
        elif status == "empty":
            soundfile.write(path, samples[:0], RATE)
        elif status == "truncated":
            path.write_bytes(path.read_bytes()[:-99])
        elif status == "unreadable":
            path.write_bytes(b"broken" * 50)
        elif status == "silent":
            soundfile.write(path, 0 * samples, RATE)
        elif status == "too_short":
            soundfile.write(path, samples[:200], RATE)
        elif n == 6:
            soundfile.write(path, np.stack([samples, samples], 1), RATE)
        else:
            soundfile.write(path, samples, 8000)
        expected[key] = status
    return folder, expected


def test_broken_media_become_rows_with_reasons(audio: ExtractionOptions, damaged: tuple[Path, dict[str, str]]) -> None:
    folder, expected = damaged
    result = extract(dataclasses.replace(audio, data_dir=str(folder)))
    index = index_of(audio.output_dir)
    assert {key: index[key]["status"] for key in expected} == expected
    assert sum(line["status"] == "ok" for line in index.values()) == 54 == result.statuses["ok"]
    for key, status in expected.items():
        assert (index[key]["row"] is None) == bool(index[key]["reason"]) == (status != "ok")
    notes = [index[key]["note"] for key, status in expected.items() if status == "ok"]
    assert notes == ["2 channels averaged", "resampled from 8000 to 16000 Hz"]
    table = read_feature_table(audio.output_dir)
    found = table.select(list(index), tolerance=0.1)
    assert len(found) == 54
    assert all(np.abs(vector).max() > 0 for vector in found.values())
    with pytest.raises(InvalidDataError, match=r"6 of 60 utterances have no feature vector \(10\.0%"):
        table.select(list(index), tolerance=0.05)


def test_strict_stops_at_the_first(audio: ExtractionOptions, damaged: tuple[Path, dict[str, str]]) -> None:
    options = dataclasses.replace(audio, data_dir=str(damaged[0]), strict=True)
    with pytest.raises(InvalidDataError, match=r"gets no vector .* --strict allows none"):
        extract(options)
    extract(dataclasses.replace(options, strict=False))
    with pytest.raises(InvalidDataError, match=r"6 utterances have no vector.*--retry_missing"):
        extract(options)


def test_mended_media_are_tried_again_and_the_rest_is_kept(
    audio: ExtractionOptions, damaged: tuple[Path, dict[str, str]], media_dir: Path
) -> None:
    folder, _ = damaged
    options = dataclasses.replace(audio, data_dir=str(folder))
    extract(options)
    before = contents(audio.output_dir)
    for path in media_dir.rglob("*.wav"):
        shutil.copy(path, folder / path.relative_to(media_dir))
    assert extract(options).computed == 0
    result = extract(dataclasses.replace(options, retry_missing=True))
    assert dict(result.statuses) == {"ok": 60}
    assert 0 < result.computed < 60
    kept = [name for name, content in contents(audio.output_dir).items() if before.get(name) == content]
    assert any(name.startswith("shard") for name in kept)


def test_another_extraction_is_never_mixed_in(audio: ExtractionOptions, tmp_path: Path, synthetic_dir: Path) -> None:
    extract(audio)
    with pytest.raises(UsageError, match="settings is pooling 'mean' there and 'max' here"):
        extract(dataclasses.replace(audio, pooling="max"))
    other = write_tiny_speech_encoder(tmp_path / Path(audio.model).name, seed=1)
    with pytest.raises(UsageError, match="contains another extraction: revision is 'folder-"):
        extract(dataclasses.replace(audio, model=str(other)))
    with pytest.raises(UsageError, match=r"contains another extraction: .*n_utterances is 60 there and 50 here"):
        extract(dataclasses.replace(audio, limit=50))
    from iemomecp_dataset.synthetic import write_corpus

    write_corpus(tmp_path / "other", seed=5, media=False)
    with pytest.raises(UsageError, match=r"corpus_fingerprints is test '[0-9a-f]+' there"):
        extract(dataclasses.replace(audio, data_dir=str(tmp_path / "other")))


def test_numbers_that_do_not_fit_the_store(audio: ExtractionOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = SpeechEncoder.encode

    def loud(self: SpeechEncoder, batch: list) -> list:
        rows = encode(self, batch)
        return [dataclasses.replace(row, vector=row.vector * (1e9 if i == 0 else 1)) for i, row in enumerate(rows)]

    monkeypatch.setattr(SpeechEncoder, "encode", loud)
    result = extract(dataclasses.replace(audio, limit=8, store_dtype="float16"))
    assert dict(result.statuses) == {"not_finite": 1, "ok": 7}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modality": "smell"}, "--modality has no value 'smell'"),
        ({"pooling": "median"}, "--pooling has no value 'median'"),
        ({"layers": "top"}, "--layers must be 'last' or numbers"),
        ({"layers": "7"}, "the encoder has layers 0 .* to 2"),
        ({"batch_size": 0}, "--batch_size must be at least 1"),
        ({"max_seconds": 0.5}, "--max_seconds must be at least 1, but is 0.5"),
        ({"process_index": 1}, "go together"),
        ({"process_index": 2, "num_processes": 2}, "--process_index must be 0 to 1"),
        ({"sampling_rate": 8000}, "was trained at 16000 Hz"),
        ({"device": "quantum"}, "There is no device 'quantum' .* by --device"),
        ({"config_name": "ecf"}, "."),
    ],
)
def test_options_that_cannot_work(audio: ExtractionOptions, changes: dict, message: str) -> None:
    with pytest.raises((UsageError, MissingDataError, InvalidDataError), match=message):
        extract(dataclasses.replace(audio, **changes))
    assert not Path(audio.output_dir).exists()


@pytest.mark.parametrize("modality", ["audio", "video", "text"])
def test_default_models_that_are_not_there_are_named_in_one_sentence(audio: ExtractionOptions, modality: str) -> None:
    with pytest.raises(MissingModelError) as caught:
        extract(dataclasses.replace(audio, modality=modality, model=None))
    name = {"audio": "microsoft/wavlm-base-plus", "video": "openai/clip-vit-large-patch14"}.get(
        modality, "FacebookAI/roberta-base"
    )
    assert f"There is no folder {name} here, and the {modality} encoder {name!r} is neither" in str(caught.value)
    assert f"if the name is that of a model of the Hub, run once while online: hf download {name}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["/nowhere", "./nowhere", "no/such/model", "/" + "a" * 300])
def test_a_path_is_not_looked_up_on_the_hub(audio: ExtractionOptions, name: str) -> None:
    with pytest.raises(MissingModelError, match=r"There is no folder .* with the audio encoder") as caught:
        extract(dataclasses.replace(audio, model=name))
    assert "hf download" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["./modles/minilm", "modles/minilm", "models/minlm", "models/minilm/", "models/x"])
def test_a_mistyped_folder_is_answered_with_the_nearest_one(
    audio: ExtractionOptions, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models/minilm").mkdir(parents=True)
    with pytest.raises(MissingModelError) as caught:
        extract(dataclasses.replace(audio, model=name))
    assert "hf download" not in str(caught.value)
    if not Path(name).is_dir():
        assert f"There is no folder {name} with the audio encoder" in str(caught.value)
        assert ("Did you mean 'models/minilm'?" in str(caught.value)) == (name != "models/x")


def test_a_model_of_another_kind(audio: ExtractionOptions, image_encoder: Path, tiny_encoder: Path) -> None:
    for modality, model in (("audio", image_encoder), ("audio", tiny_encoder), ("video", tiny_encoder)):
        with pytest.raises((MissingModelError, UsageError)):
            extract(dataclasses.replace(audio, modality=modality, model=str(model)))


# --- video and text -----------------------------------------------------------------------------------------------


def test_video_of_a_corpus(audio: ExtractionOptions, image_encoder: Path, media_dir: Path) -> None:
    options = dataclasses.replace(audio, modality="video", model=str(image_encoder), frames=3, limit=12)
    result = extract(options)
    assert dict(result.statuses) == {"ok": 12}
    key, line = next(iter(index_of(options.output_dir).items()))
    assert line["n_frames"] == 3
    # Reference: decode everything, take the displayed frame, its half, the processor, the model.
    import av
    from transformers import AutoModel
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    rows = iemomecp_dataset.load("3class", data_dir=media_dir)["train"].to_list()
    utterance = rows[0]["utterances"][0]
    assert utterance["utterance_id"] == key
    with av.open(utterance["video"]) as container:
        frames = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    start, length = utterance["start"], utterance["end"] - utterance["start"]
    times = [start + (i + 0.5) * length / 3 for i in range(3)]
    pictures = [[picture for at, picture in frames if at <= time][-1] for time in times]
    left = utterance["speaker"] == rows[0]["source_dialogue_id"][5]
    pictures = [p[:, :48] if left else p[:, 48:] for p in pictures]
    model, processor = (
        AutoModel.from_pretrained(image_encoder).eval(),
        AutoImageProcessor.from_pretrained(image_encoder),
    )
    with torch.inference_mode():
        expected = model.get_image_features(**processor(images=pictures, return_tensors="pt")).pooler_output.mean(0)
    found = read_feature_table(options.output_dir).select([key])[key]
    assert np.abs(found - expected.numpy()).max() < 1e-4
    assert read_card(Path(options.output_dir)).settings["crop"] == "speaker"


@pytest.mark.parametrize(
    "changes", [{"crop": "none"}, {"frame_strategy": "middle"}, {"layers": "1,-1"}, {"left_actor": "unmarked"}]
)
def test_video_settings_change_the_vectors(
    audio: ExtractionOptions, image_encoder: Path, changes: dict, tmp_path: Path
) -> None:
    options = dataclasses.replace(audio, modality="video", model=str(image_encoder), frames=3, limit=3)
    other = dataclasses.replace(options, output_dir=str(tmp_path / "other"), **changes)
    extract(options), extract(other)
    ids = list(index_of(options.output_dir))
    one, two = (read_feature_table(o.output_dir).select(ids) for o in (options, other))
    assert all(one[key].shape != two[key].shape or np.abs(one[key] - two[key]).max() > 1e-4 for key in ids)


def test_a_missing_video(audio: ExtractionOptions, image_encoder: Path, media_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "without"
    shutil.copytree(media_dir, folder)
    first, *_ = iemomecp_dataset.load("3class", data_dir=media_dir, split="train")
    (video,) = folder.rglob(f"{first['source_dialogue_id']}.avi")
    video.write_bytes(b"nothing")
    # More than one dialogue, and not all of them.
    options = dataclasses.replace(audio, data_dir=str(folder), modality="video", model=str(image_encoder), limit=60)
    result = extract(dataclasses.replace(options, frames=1))
    broken = {key for key, line in index_of(options.output_dir).items() if line["status"] == "unreadable"}
    assert broken
    assert all(key.startswith(video.stem) for key in broken)
    assert set(result.statuses) == {"ok", "unreadable"}


def test_text_of_a_corpus(audio: ExtractionOptions, tiny_encoder: Path, media_dir: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    options = dataclasses.replace(audio, modality="text", model=str(tiny_encoder), max_tokens=16)
    assert dict(extract(options).statuses) == {"ok": 60}
    rows = iemomecp_dataset.load("3class", data_dir=media_dir)["train"].to_list()
    texts = {u["utterance_id"]: u["text"] for row in rows for u in row["utterances"]}
    model, tokenizer = AutoModel.from_pretrained(tiny_encoder).eval(), AutoTokenizer.from_pretrained(tiny_encoder)
    index = index_of(options.output_dir)
    found = read_feature_table(options.output_dir).select(list(index))
    for key, line in index.items():
        inputs = tokenizer(texts[key], truncation=True, max_length=16, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**inputs).last_hidden_state[0].mean(0).numpy()
        assert np.abs(found[key] - expected).max() < 1e-4
        full = len(tokenizer(texts[key])["input_ids"])
        assert line["note"] == (f"cut from {full} to 16 tokens" if full > 16 else None)
    assert any(line["note"] for line in index.values())


# --- other corpora ------------------------------------------------------------------------------------------------


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two invented conversations in the layout of ECF, and clips of three of their four utterances."""
    folder = tmp_path / "ecf"
    (folder / "clips/train").mkdir(parents=True)
    lines = []
    for number in (1, 2):
        lines += [f"{number} 2", "(2,1)"]
        for turn in (1, 2):
            times = f"Show_S1E1: 0:10:0{turn}.000 - 0:10:0{turn}.900"
            lines.append(f"{turn} | A | {'joy' if turn == 2 else 'neutral'} | Made-up words {turn} | {times}")
    (folder / "train.txt").write_text("\n".join(lines) + "\n")
    for name in ("dia1utt1", "dia1utt2", "dia2utt1"):
        tone = 0.3 * np.sin(np.arange(RATE) / 9).astype(np.float32)
        soundfile.write(folder / f"clips/train/{name}.wav", tone, RATE)
    return folder


def test_clips_of_a_corpus_that_names_none(audio: ExtractionOptions, clips: Path) -> None:
    options = dataclasses.replace(audio, data_dir=str(clips), config_name="ecf", limit=None)
    with pytest.raises(MissingDataError, match="Give the folder of the clips as --media_dir"):
        extract(options)
    options = dataclasses.replace(options, media_dir=str(clips / "clips"), media_pattern="{split}/{utterance_id}.wav")
    planned = plan(options)
    assert planned.without_media == 1
    assert dict(extract(options).statuses) == {"ok": 3, "missing_media": 1}
    assert index_of(options.output_dir)["dia2utt2"]["status"] == "missing_media"
    with pytest.raises(UsageError, match="media_pattern"):
        extract(dataclasses.replace(options, media_pattern="{name}.wav"))
    with pytest.raises(UsageError, match="--crop speaker is for IEMOCAP"):
        extract(dataclasses.replace(options, modality="video", crop="speaker"))


def test_clips_that_a_corpus_names_are_looked_for_in_the_folder_that_is_given(tmp_path: Path) -> None:
    document = ecf_json_with_clips()
    document[0]["conversation"][1]["video_name"] = "another name.mp4"
    write(tmp_path / "Subtask_2_train.json", document)
    options = ExtractionOptions(
        data_dir=str(tmp_path), config_name="ecf", modality="video", output_dir=str(tmp_path / "features")
    )
    # The names of clips that are not there are no error of loading, and no paths within the working directory.
    with pytest.raises(MissingDataError, match="Give the folder of the clips as --media_dir"):
        corpus_items(options)
    items = corpus_items(dataclasses.replace(options, media_dir="clips")).items
    assert [str(item.media) for item in items[:2]] == ["clips/dia7utt1.mp4", "clips/another name.mp4"]
    assert [item.seconds for item in items[:1]] == [0.5]
    items = corpus_items(dataclasses.replace(options, media_dir="clips", media_pattern="{utterance_id}.avi")).items
    assert str(items[1].media) == "clips/dia7utt2.avi"


def test_dialogue_files_with_times_from_a_table(audio: ExtractionOptions, clips: Path) -> None:
    times = clips / "times.csv"
    times.write_text("utterance_id,start,end\ndia1utt1,0.1,0.5\ndia1utt2,0.5,0.9\ndia2utt1,5.0,6.0\n")
    shutil.copy(clips / "clips/train/dia1utt1.wav", clips / "clips/1.wav")
    shutil.copy(clips / "clips/train/dia1utt1.wav", clips / "clips/2.wav")
    options = dataclasses.replace(
        audio, data_dir=str(clips), config_name="ecf", limit=None, media_dir=str(clips / "clips"), times=str(times),
        media_pattern="{dialogue_id}.wav", clip="dialogue",
    )  # fmt: skip
    extract(options)
    index = index_of(options.output_dir)
    assert [index[f"dia1utt{turn}"]["seconds"] for turn in (1, 2)] == pytest.approx([0.4, 0.4])
    # 5 s is outside the file, and so are the corpus's times of the fourth, which count from the start of the episode.
    assert {index[key]["status"] for key in ("dia2utt1", "dia2utt2")} == {"outside_file"}
    times.write_text("utterance_id,start,end\ndia1utt1,0.5,0.1\n")
    with pytest.raises(InvalidDataError, match=r"times\.csv, line 2: expected start and end in seconds"):
        plan(options)


# --- encoders of spectrograms -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    folder = tmp_path_factory.mktemp("whisper")
    config = WhisperConfig(
        d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=32, num_mel_bins=80, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def test_the_padding_of_whisper_is_not_pooled(whisper: Path, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor, AutoModel

    items = sounds(tmp_path, [1.0, 2.5])
    encoder = SpeechEncoder(ExtractionOptions("d", "audio", "o", model=str(whisper)), torch.device("cpu"))
    rows = encoder.encode([encoder.decode(item) for item in items])
    # 10 ms per spectrogram frame, two of which make an encoder frame.
    assert [row.n_frames for row in rows] == [50, 125]
    model, extractor = (
        AutoModel.from_pretrained(whisper).get_encoder().eval(),
        AutoFeatureExtractor.from_pretrained(whisper),
    )
    for item, row in zip(items, rows, strict=True):
        samples, _ = soundfile.read(item.media, dtype="float32")
        with torch.inference_mode():
            features = extractor(samples, sampling_rate=RATE, return_tensors="pt").input_features
            states = model(features).last_hidden_state[0, : row.n_frames]
        assert np.abs(row.vector - states.mean(0).numpy()).max() < 1e-4
