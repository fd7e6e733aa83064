"""Which feature table a stream is read from, and what the model remembers of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from two_dialogues import AUDIO_SIZE, write_store, write_vectors

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.features.extractor import extractor_of
from iemomecp_dataset.trainers.encoders.vectors import load_features, record_extractors
from iemomecp_dataset.trainers.options import DataOptions


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vectors(tmp_path_factory.mktemp("data"))


@pytest.fixture
def stores(data: Path, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder with a store of audio at its default place and none of video, and what is remembered of the store."""
    card = write_store(tmp_path / "features" / "audio", "audio", data / "features" / "audio.parquet")
    extractor = extractor_of(card)
    assert extractor is not None
    return tmp_path, extractor.to_json()


def remembered(**options: Any) -> tuple[Any, Any]:
    # Whatever it was before, such as that of the run that this one begins with.
    config = SimpleNamespace(audio_extractor={"of": "another"}, video_extractor={"of": "another"})
    record_extractors(config, DataOptions(**options))
    return config.audio_extractor, config.video_extractor


def test_the_store_that_is_read_is_the_one_that_is_remembered(stores: tuple[Path, dict[str, Any]], data: Path) -> None:
    folder, extractor = stores
    store, table = str(folder / "features" / "audio"), str(data / "features" / "audio.parquet")
    video = str(data / "features" / "video.parquet")
    assert remembered(data_dir=str(folder), modalities="ta") == (extractor, None)
    assert remembered(data_dir="elsewhere", modalities="a", audio_features=store) == (extractor, None)
    assert remembered(data_dir=str(folder), modalities="tav", audio_features=table, video_features=video) == (
        None,
        None,
    )
    assert remembered(data_dir=str(folder), modalities="t", audio_features=store) == (None, None)
    vectors, sizes = load_features(DataOptions(data_dir=str(folder), modalities="ta"), ["train0_1", "train0_2"])
    assert sizes == {"audio": AUDIO_SIZE}
    assert sorted(vectors["audio"]) == ["train0_1", "train0_2"]


def test_features_that_are_not_there_or_those_of_others_are_refused(stores: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = stores
    with pytest.raises(MissingDataError, match=r"needs video features, but there is no feature file .*video\.parquet"):
        load_features(DataOptions(data_dir=str(folder), modalities="av"), ["train0_1"])
    with pytest.raises(InvalidDataError, match="features of another corpus"):
        load_features(DataOptions(data_dir=str(folder), modalities="a"), ["nobody_1"])


def test_a_store_is_used_for_what_it_was_made_of_alone(data: Path, tmp_path: Path) -> None:
    folder = tmp_path
    write_store(folder / "features" / "audio", "audio", data / "features" / "audio.parquet", synthetic=True)
    audio = str(folder / "features" / "audio")
    as_audio = DataOptions(data_dir=str(folder), modalities="a")
    as_video = DataOptions(data_dir=str(folder), modalities="v", video_features=audio)
    with pytest.raises(UsageError, match="has audio vectors, and is given as video features"):
        load_features(as_video, ["train0_1"])
    with pytest.raises(UsageError, match="has vectors of a SYNTHETIC corpus, and the corpus is real dialogues"):
        load_features(as_audio, ["train0_1"], synthetic=False)
    assert load_features(as_audio, ["train0_1"], synthetic=True)[1] == {"audio": AUDIO_SIZE}
    card = Path(audio) / "card.json"
    card.write_text(card.read_text().replace("two dialogues", "meld (meld)"))
    with pytest.raises(UsageError, match=r"has vectors of meld \(meld\), and the corpus is iemomecp"):
        load_features(as_audio, ["train0_1"], synthetic=True)
