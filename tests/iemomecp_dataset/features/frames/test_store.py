"""Frame stores: tokens equal those of a plain loop, and no clip is silently absent."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from corpus_files import ecf_json_with_clips, write

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, MissingDependencyError, UsageError
from iemomecp_dataset.features import ExtractionOptions, extract, read_feature_table
from iemomecp_dataset.features.encoders.tiny_models import write_tiny_image_encoder
from iemomecp_dataset.features.extraction import plan
from iemomecp_dataset.features.frames import FrameStore, FrameStoreWriter, pool_frames

UTTERANCES = {"dia7utt1": 7, "dia7utt2": 3, "dia7utt3": 12, "dia8utt1": 5}
"""Clips of the small ECF corpus, with their number of frames."""


def write_clip(path: Path, n_frames: int, seed: int = 0) -> None:
    """A clip without loss, so that its frames can be compared."""
    shades = np.random.default_rng(seed).integers(0, 255, size=(n_frames, 3))
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "bgr0"
        for red, green, blue in shades:
            picture = np.zeros((32, 32, 3), np.uint8)
            picture[:16], picture[16:] = (red, green, blue), (blue, red, green)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_image_encoder(tmp_path_factory.mktemp("tower"))


@pytest.fixture
def options(tmp_path: Path, tower: Path) -> ExtractionOptions:
    write(tmp_path / "corpus" / "train.json", ecf_json_with_clips())
    (tmp_path / "clips").mkdir()
    for number, (name, n_frames) in enumerate(UTTERANCES.items()):
        write_clip(tmp_path / "clips" / f"{name}.mp4", n_frames, number)
    return ExtractionOptions(
        data_dir=str(tmp_path / "corpus"),
        config_name="ecf",
        modality="frames",
        output_dir=str(tmp_path / "store"),
        model=str(tower),
        media_dir=str(tmp_path / "clips"),
        max_frames=5,
        batch_size=2,
        shard_size=2,
        quiet=True,
        device="cpu",
    )


def clip_of(options: ExtractionOptions) -> dict[str, Path]:
    from iemomecp_dataset.features.work_items import corpus_items

    return {item.utterance_id: item.media for item in corpus_items(options).items if item.media is not None}


def test_tokens_equal_those_of_a_plain_loop(options: ExtractionOptions, tower: Path) -> None:
    from transformers import AutoModel
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    assert dict(extract(options).statuses) == {"ok": 4}
    store = FrameStore.open(options.output_dir, verify=True)
    assert len(store) == 4
    processor, model = AutoImageProcessor.from_pretrained(tower), AutoModel.from_pretrained(tower).eval()
    chosen = {3: [0, 1, 2], 5: [0, 1, 2, 3, 4], 7: [1, 2, 3, 4, 5], 12: [1, 3, 6, 8, 10]}
    for key, clip in clip_of(options).items():
        with av.open(str(clip)) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        sampled = [pictures[place] for place in chosen[len(pictures)]]
        with torch.inference_mode():
            pixels = processor(images=sampled, return_tensors="pt")["pixel_values"]
            states = model.vision_model(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        tokens = store.tokens(key)
        assert tokens is not None
        assert tokens.dtype == np.float16
        assert tokens.shape == (len(sampled) + 4, store.size)
        assert store.n_frames(key) == len(sampled)
        assert np.abs(tokens - pool_frames(states).numpy()).max() < 2e-3
        with pytest.raises(ValueError, match="read-only"):
            tokens[0, 0] = 0


def test_manifest_states_what_determines_the_tokens(options: ExtractionOptions, tower: Path) -> None:
    extract(options)
    manifest = FrameStore.open(options.output_dir).manifest
    assert (manifest["model"], manifest["layer"], manifest["dtype"]) == (tower.name, -2, "float16")
    assert manifest["revision"].startswith("folder-")
    assert manifest["settings"]["max_frames"] == 5
    assert not {"frames", "pooling", "layers"} & manifest["settings"].keys()
    other = dataclasses.replace(options, output_dir=options.output_dir + "2", frame_layer=-1)
    extract(other)
    assert FrameStore.open(other.output_dir).digest != manifest["digest"]
    with pytest.raises(UsageError, match="contains another extraction: settings is max_frames 5 there and 4 here"):
        extract(dataclasses.replace(options, max_frames=4))


def test_an_interrupted_store_goes_on_and_is_the_same_to_the_byte(options: ExtractionOptions) -> None:
    extract(options)
    folder = Path(options.output_dir)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "manifest.json").unlink()
    (folder / "shard-00001-of-00002.safetensors").unlink()
    with pytest.raises(MissingDataError, match="not finished: 1 of its 2 shards"):
        FrameStore.open(folder)
    assert extract(options).computed == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


def test_missing_and_unreadable_clips_are_counted_listed_and_refused(options: ExtractionOptions) -> None:
    clips = clip_of(options)
    gone, broken = list(clips)[1:3]
    kept = {key: clips[key].read_bytes() for key in (gone, broken)}
    clips[gone].unlink()
    clips[broken].write_bytes(b"no video")
    assert plan(options).without_media == 1
    with pytest.raises(InvalidDataError, match=r"2 of 4 clips have no frames \(50\.0%, more than the 1%") as caught:
        extract(options)
    for text in (gone, broken, "1 missing_media", "1 unreadable", "--allow_missing", "--retry_missing"):
        assert text in str(caught.value)
    refused = (
        r"not finished: its extraction was refused, as 2 of 4 clips have no frames \(1 missing_media, 1 unreadable"
    )
    with pytest.raises(MissingDataError, match=rf"{refused}.*--retry_missing.*--allow_missing"):
        FrameStore.open(options.output_dir)
    result = extract(dataclasses.replace(options, allow_missing=True))
    assert result.computed == 0
    assert dict(result.statuses) == {"ok": 2, "missing_media": 1, "unreadable": 1}
    store = FrameStore.open(options.output_dir)
    assert store.tokens(gone) is None
    assert store.missing[gone].startswith("missing_media: ")
    assert store.missing[broken].startswith("unreadable: ")
    assert {key: entry["status"] for key, entry in store.manifest["missing"].items()} == {
        gone: "missing_media",
        broken: "unreadable",
    }
    with pytest.raises(InvalidDataError, match=r"2 of 4 utterances have no frames \(50\.0%, more than the 1\.0%"):
        store.require(clips)
    assert store.require(clips, tolerance=0.5) == 2
    for key, content in kept.items():
        clips[key].write_bytes(content)
    assert dict(extract(dataclasses.replace(options, retry_missing=True)).statuses) == {"ok": 4}


def test_other_stores_and_damage_are_refused(options: ExtractionOptions, tmp_path: Path) -> None:
    extract(options)
    store = Path(options.output_dir)
    with pytest.raises(InvalidDataError, match="contains frame tokens"):
        read_feature_table(store)
    with pytest.raises(InvalidDataError, match="these are frames of another corpus"):
        FrameStore.open(store).require(["someone_else"])
    card = json.loads((store / "card.json").read_text())
    (tmp_path / "vectors").mkdir()
    write(tmp_path / "vectors" / "card.json", card | {"modality": "video"})
    with pytest.raises(InvalidDataError, match=r"contains video vectors of .*, not frames"):
        FrameStore.open(tmp_path / "vectors")
    shard = store / "shard-00000-of-00002.safetensors"
    content = shard.read_bytes()
    shard.write_bytes(content[:-2] + b"\x01\x01")
    with pytest.raises(InvalidDataError, match="is damaged: its SHA-256 differs"):
        FrameStore.open(store, verify=True)
    shard.write_bytes(content[:-2])
    with pytest.raises(InvalidDataError, match="is not an intact shard of a frame store: expected"):
        FrameStore.open(store)
    shutil.copy(store / "shard-00001-of-00002.safetensors", shard)
    with pytest.raises(InvalidDataError, match=r"does not match manifest\.json"):
        FrameStore.open(store)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_layer": -4}, "--frame_layer names layer -4, but the encoder has layers 0 to 2"),
        ({"max_frames": 0}, "--max_frames must be at least 1"),
    ],
)
def test_options_that_cannot_work(options: ExtractionOptions, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        extract(dataclasses.replace(options, **changes))


def test_an_image_processor_that_needs_torchvision(options: ExtractionOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    def needs_torchvision(*_: object, **__: object) -> None:
        raise ImportError("CLIPImageProcessor requires the Torchvision library but it was not found.\nMore lines.")

    monkeypatch.setattr(AutoImageProcessor, "from_pretrained", needs_torchvision)
    for modality in ("frames", "video"):
        with pytest.raises(MissingDependencyError, match="needs the package 'torchvision'") as caught:
            extract(dataclasses.replace(options, modality=modality))
        assert "\n" not in str(caught.value)


def test_tokens_from_elsewhere_are_written_and_checked(tmp_path: Path) -> None:
    writer = FrameStoreWriter(tmp_path / "store", size=3, model="other")
    with pytest.raises(UsageError, match=r"expected tokens \(T \+ P, 3\)"):
        writer.add("u", np.ones((4, 2)), n_frames=2)
    writer.add("u", np.full((4, 3), 0.5), n_frames=2)
    writer.add("loud", np.full((4, 3), 1e9), n_frames=2)
    with pytest.raises(UsageError, match="added before"):
        writer.add_missing("u", "empty", "no frames")
    with pytest.raises(UsageError, match="no status 'lost'"):
        writer.add_missing("v", "lost", "no frames")
    writer.close()
    store = FrameStore.open(tmp_path / "store")
    assert store.n_frames("u") == 2
    assert store.missing["loud"].startswith("not_finite")


def test_clips_whose_tokens_are_zeros_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with FrameStoreWriter(tmp_path / "store", size=2, model="m") as writer:
        for number in range(4):
            writer.add(f"u{number}", np.full((2, 2), number % 2), n_frames=1)
        writer.add_missing("u9", "missing_media", "no file")
    FrameStore.open(tmp_path / "store")
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'store'}: the tokens of 2 of 4 clips are zeros alone, such as u0, u2. A model takes them for a "
        "picture: check how they were made."
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"missing": None},
        {"missing": {"u1": None}},
        {"missing": {"u1": {}}},
        {"shards": [None]},
        {"shards": {}},
        {"digest": 5},
        {"settings": [1]},
        {"zeros": 3},
        {"size": "2"},
    ],
)
def test_a_manifest_with_other_types_is_refused(tmp_path: Path, change: dict) -> None:
    with FrameStoreWriter(tmp_path / "store", size=2, model="m") as writer:
        writer.add("u1", np.ones((2, 2)), n_frames=1)
    path = tmp_path / "store" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidDataError, match=r"manifest\.json is not the manifest of this store|does not match"):
        FrameStore.open(tmp_path / "store")
