"""What a model remembers of a store: all that decides the vectors, and nothing that does not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from iemomecp_dataset.command_line import circumstances
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features import StoreCard
from iemomecp_dataset.features.extraction_options import ExtractionOptions
from iemomecp_dataset.features.extractor import Extractor, extractor_of

# Every setting of an extraction of audio or video, with a value other than its default; and whether a vector depends
# on it.
SETTINGS: dict[str, tuple[Any, bool]] = {
    "layers": ("4,-1", True), "pooling": ("max", True), "precision": ("bf16", True), "sampling_rate": (16_000, True),
    "max_seconds": (12.5, True), "frames": (5, True), "frame_strategy": ("middle", True), "crop": ("speaker", True),
    "left_actor": ("unmarked", False), "media_pattern": ("{turn}.mp4", False), "clip": ("dialogue", False),
    "batch_seconds": (40.0, False), "batch_size": (8, False), "shard_size": (64, False),
}  # fmt: skip
OTHER_MODALITIES = {"max_frames", "frame_layer", "max_tokens"}
DECIDING = {name: value for name, (value, decides) in SETTINGS.items() if decides}


def card(**changed: Any) -> StoreCard:
    plain: dict[str, Any] = {
        "modality": "video", "model": "openai/clip", "revision": "0123abc", "corpus": "ECF (ecf)",
        "corpus_fingerprints": {"train": "ab"}, "utterances": "cd", "n_utterances": 9, "n_shards": 1,
        "synthetic": True, "size": 768, "dtype": "float16", "versions": {"torch": "2.0"},
        "settings": {name: value for name, (value, _) in SETTINGS.items()},
    }  # fmt: skip
    return StoreCard(**plain | changed)


def test_every_setting_of_an_extraction_is_looked_at() -> None:
    settings = {f.name for f in dataclasses.fields(ExtractionOptions)} - circumstances(ExtractionOptions)
    assert settings == SETTINGS.keys() | OTHER_MODALITIES


def test_what_decides_the_vectors_is_kept_and_asked_for_again() -> None:
    found = extractor_of(card())
    assert found is not None
    assert found.settings == DECIDING
    assert (found.model, found.revision, found.size, found.dtype) == ("openai/clip", "0123abc", 768, "float16")
    assert Extractor.of_json(json.loads(json.dumps(found.to_json())), "here") == found
    options = found.options(device="cpu")
    assert {name: getattr(options, name) for name in DECIDING} == DECIDING | {"crop": "none"}
    assert (options.modality, options.model, options.revision) == ("video", "openai/clip", "0123abc")
    assert (options.store_dtype, options.device) == ("float16", "cpu")
    assert found.crops_to_speaker


@pytest.mark.parametrize(
    ("revision", "place", "asked_for"),
    [("0123abc", None, "0123abc"), ("0123abc", "folder", None), ("folder-99", None, None), ("unknown", None, None)],
)
def test_a_commit_is_asked_for_on_the_hub_alone(revision: str, place: str | None, asked_for: str | None) -> None:
    found = extractor_of(card(revision=revision))
    assert found is not None
    assert found.options(model=place).revision == asked_for
    assert found.options(model=place).model == (place or "openai/clip")


@pytest.mark.parametrize(
    "changed",
    [{"modality": "text"}, {"modality": "frames"}, {"settings": {"imported": "x.pkl", "not_in_corpus": 0}}],
    ids=str,
)
def test_of_texts_frames_and_imported_vectors_nothing_is_kept(changed: dict[str, Any]) -> None:
    assert extractor_of(card(**changed)) is None


@pytest.mark.parametrize(
    "changed",
    [{"modality": "text"}, {"settings": {"layers": "top"}}, {"settings": {"of_the_future": 1}}, {"more": 1},
     {"settings": None}, {"dtype": "float8"}],
    ids=str,
)  # fmt: skip
def test_what_is_not_understood_is_refused(changed: dict[str, Any]) -> None:
    found = extractor_of(card())
    assert found is not None
    with pytest.raises(InvalidDataError, match=r"config\.json does not describe an extractor .* A newer version"):
        Extractor.of_json(found.to_json() | changed, "config.json")
