"""What is a folder and what is asked of the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_stand_in import HubStandIn, connect, hub_stand_in

from iemomecp_dataset.errors import MissingModelError
from iemomecp_dataset.trainers.sharing.fetching import fetched_model

FILES = {
    "README.md": b"---\ntags: [iemomecp]\n---\n", "config.json": b"{}", "model.safetensors": b"w", "notes.md": b"n",
    "pytorch_model.bin": b"pickle", "adapter/adapter_config.json": b"{}", "train.parquet": b"rows",
}  # fmt: skip


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    monkeypatch.chdir(tmp_path)
    with hub_stand_in() as hub:
        connect(hub, tmp_path / "cache", monkeypatch)
        yield hub


def test_a_repository_is_downloaded_once_and_without_what_is_no_model(hub: HubStandIn) -> None:
    hub.add("lab/pairs", FILES)
    folder = fetched_model("lab/pairs")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES.keys() - {"notes.md", "pytorch_model.bin", "train.parquet"}
    before = sum("/resolve/" in request for request in hub.requests)
    assert fetched_model("lab/pairs") == folder
    assert sum("/resolve/" in request for request in hub.requests) == before


def test_what_was_downloaded_is_there_without_a_network(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/pairs", FILES)
    folder = fetched_model("lab/pairs")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fetched_model("lab/pairs") == folder


def test_a_revision_can_be_given(hub: HubStandIn) -> None:
    repository = hub.add("lab/pairs", FILES)
    repository.branches["trial"] = [hub.add("lab/other", {"config.json": b'{"a": 1}'}).branches["main"][0]]
    assert (fetched_model("lab/pairs", revision="trial") / "config.json").read_bytes() == b'{"a": 1}'


@pytest.mark.parametrize("kind", [str, Path])
def test_a_name_that_no_folder_can_have_is_one_sentence(kind: type, hub: HubStandIn) -> None:
    with pytest.raises(MissingModelError, match=r"^a{60}… holds no model: it cannot be looked up \(File name too long"):
        fetched_model(kind("a" * 300))
    assert hub.requests == []


@pytest.mark.parametrize(
    "name",
    ["runs", "runs/x", "runs/x/model", "./lab/pairs", "/lab/pairs", "pairs", "", "lab/two words", Path("lab/pairs")],
)
def test_paths_are_given_back_and_the_hub_is_not_asked(name: str | Path, hub: HubStandIn, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert fetched_model(name) == Path(name)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("nothing", "lab/pairs is not there, or the access token may not see it"),
        ("offline", "The Hub is not asked, as HF_HUB_OFFLINE is set"),
        ("unreachable", "http://127.0.0.1:9 cannot be reached"),
    ],
)
def test_what_the_hub_does_not_have_or_show_is_said(
    prepare: str, said: str, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    if prepare == "offline":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if prepare == "unreachable":
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingModelError, match=said) as caught:
        fetched_model("lab/pairs")
    assert "'lab/pairs' holds no model (no config.json): it is neither a folder here nor" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_private_model_needs_a_token(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("lab/pairs", FILES)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(MissingModelError, match="may not see it"):
        fetched_model("lab/pairs")
