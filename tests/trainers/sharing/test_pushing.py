"""Uploads against the stand-in of the Hub, and models that come back from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hub_stand_in import READ_TOKEN, TOKEN, HubStandIn, card_errors, connect, hub_stand_in
from safetensors.torch import load_file, save_file
from shared_run import SECRET, write_shared_run

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.trainers.sharing.hub import Destination
from iemomecp_dataset.trainers.sharing.pushing import (
    prepare_metric,
    prepare_run,
    push_app,
    push_metric,
    push_run,
)

ROWS = [
    {
        "dialogue_id": "d",
        "utterances": [
            {"turn": 1, "utterance_id": "1", "speaker": "A", "text": "The train was late again."},
            {"turn": 2, "utterance_id": "2", "speaker": "B", "text": "What happened?"},
        ],
    }
]
OURS = {"README.md": b"---\ntags: [iemomecp]\n---\n# old\n"}


@pytest.fixture(name="source", autouse=True)
def fixture_source(monkeypatch: pytest.MonkeyPatch) -> str:
    """As if the package had been installed from a repository that a Space can read."""
    source = "git+https://git.example/iemomecp.git@0123abc"
    monkeypatch.setattr("iemomecp_dataset.trainers.sharing.spaces.recorded_source", lambda: source)
    return source


@pytest.fixture(scope="module")
def run(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shared_run(tmp_path_factory.mktemp("runs") / "pairs", encoder=tiny_encoder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    with hub_stand_in() as hub:
        connect(hub, tmp_path / "cache", monkeypatch)
        yield hub


def test_a_run_is_uploaded_in_one_commit_to_a_private_repository(run: Path, hub: HubStandIn) -> None:
    assert push_run(run, "me/pairs") == f"{hub.url}/me/pairs"
    repository = hub.repositories["model", "me/pairs"]
    assert repository.private
    initial, commit = repository.branches["main"]
    assert commit.message == "Upload with iemomecp"
    assert commit.files.keys() - initial.files.keys() == prepare_run(run, Destination("me/pairs")).files.keys()
    assert commit.files["model.safetensors"] == (run / "model" / "model.safetensors").read_bytes()
    assert card_errors(commit.files["README.md"].decode()) == []
    assert not [name for name, content in commit.files.items() if SECRET.encode() in content]
    assert not [stored for stored in hub.stored.values() if SECRET.encode() in stored], "not even left in the storage"
    assert sum("/commit/" in request for request in hub.requests) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda weights: weights.pop("norm.bias"), r"lack norm\.bias"),
        (lambda weights: weights["norm.bias"].fill_(float("nan")), r"NaN or infinite numbers, in norm\.bias"),
        (None, "damaged"),
    ],
)
def test_weights_that_are_not_all_there_are_not_uploaded(
    damage: Any, message: str, run: Path, hub: HubStandIn, tmp_path: Path
) -> None:
    copied = shutil.copytree(run, tmp_path / "run")
    path = copied / "model" / "model.safetensors"
    if damage is None:
        path.write_bytes(path.read_bytes()[:100])
    else:
        weights = load_file(path)
        damage(weights)
        save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(InvalidDataError, match=message):
        prepare_run(copied, Destination("me/pairs"))
    assert hub.requests == []


def test_a_run_comes_back_by_its_name_alone(run: Path, hub: HubStandIn) -> None:
    from transformers import AutoModel

    from iemomecp_dataset.trainers import load_scorer, predict
    from iemomecp_dataset.trainers.sharing.fetching import fetched_model

    push_run(run, "me/pairs")
    expected = predict(run, ROWS)[0]
    model = AutoModel.from_pretrained("me/pairs")
    assert (model.config.threshold, model.config.decision) == (0.25, "threshold")
    np.testing.assert_array_equal(predict(model, ROWS)[0], expected)
    folder = fetched_model("me/pairs")
    assert (folder / "results.json").is_file()
    np.testing.assert_array_equal(predict(load_scorer(folder), ROWS)[0], expected)


def test_pushing_again_replaces_the_model_and_keeps_what_others_have_added(run: Path, hub: HubStandIn) -> None:
    added = {"LICENSE": b"terms", "picture.png": b"png"}
    hub.add("me/pairs", {**OURS, "model-00001-of-00002.safetensors": b"old", "vocab.txt": b"old", **added})
    push_run(run, "me/pairs")
    _, second = hub.repositories["model", "me/pairs"].branches["main"]
    assert second.files.keys() - added.keys() == prepare_run(run, Destination("me/pairs")).files.keys()
    assert {name: second.files[name] for name in added} == added
    push_run(run, "me/pairs")
    assert len(hub.repositories["model", "me/pairs"].branches["main"]) == 2, "nothing has changed: no commit"


def test_a_branch_is_created_and_main_stays(run: Path, hub: HubStandIn) -> None:
    hub.add("me/pairs", OURS)
    prepare_run(run, Destination("me/pairs", branch="trial", message="A trial")).send()
    branches = hub.repositories["model", "me/pairs"].branches
    assert branches["main"][-1].files == OURS
    assert branches["trial"][-1].message == "A trial"
    assert "model.safetensors" in branches["trial"][-1].files


def test_public_is_said_and_never_assumed(run: Path, hub: HubStandIn) -> None:
    push_run(run, "me/pairs", private=False)
    assert not hub.repositories["model", "me/pairs"].private
    with pytest.raises(UsageError, match=r"is public\. Add --public"):
        push_run(run, "me/pairs")
    assert len(hub.repositories["model", "me/pairs"].branches["main"]) == 2


def test_another_hub_and_token_can_be_given(
    run: Path, hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with hub_stand_in() as other:
        assert push_run(run, "me/pairs", token=TOKEN, endpoint=other.url) == f"{other.url}/me/pairs"
        assert other.repositories["model", "me/pairs"].files["config.json"]
    assert hub.requests == []


def no_token(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")


def a_token_that_reads(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", READ_TOKEN)


def a_wrong_token(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")


def something_else(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("me/pairs", {"README.md": b"# Mine\n", "weights.bin": b"w"})


def offline(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def no_network(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")


def refused_card(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_stand_in.card_errors", lambda *given: ['"license" must be one of […]'])


def failing(pattern: str, status: int) -> Any:
    def fail(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        hub.add("me/pairs", OURS)
        hub.failing[pattern] = status

    return fail


@pytest.mark.parametrize(
    ("repository", "prepare", "said"),
    [
        ("me/pairs", no_token, "There is no access token: run 'hf auth login'"),
        ("me/pairs", a_token_that_reads, "The access token may not write to me/pairs"),
        ("me/pairs", a_wrong_token, "The access token may not write to me/pairs"),
        ("others/pairs", None, "The access token may not write to others/pairs"),
        ("me/pairs", something_else, r"exists and holds something else \(README.md, weights.bin"),
        ("me/pairs", offline, "offline mode is set|HF_HUB_OFFLINE is set"),
        ("me/pairs", no_network, "http://127.0.0.1:9 cannot be reached"),
        ("me/pairs", refused_card, 'refuses me/pairs: Invalid metadata in README.md. "license" must be one of'),
        ("me/pairs", failing("preupload", 403), "The access token may not write to me/pairs"),
        ("me/pairs", failing("PUT /lfs", 403), "model.safetensors"),
        ("me/pairs", failing("POST .*/commit/", 500), "Nothing of it has been committed"),
        ("me/pairs", failing("POST .*/commit/", 412), "was changed or created by somebody else meanwhile"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_nothing_is_half_uploaded(
    repository: str, prepare: Any, said: str, run: Path, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    if prepare is not None:
        prepare(hub, monkeypatch)
    before = {name: dict(there.files) for name, there in hub.repositories.items()}
    with pytest.raises(IemomecpError, match=said) as caught:
        push_run(run, repository)
    assert "\n" not in str(caught.value)
    for name, there in hub.repositories.items():
        assert dict(there.files) == before.get(name, {".gitattributes": there.files.get(".gitattributes")})


@pytest.mark.parametrize("name", ["pairs", "me/two words", "me/a--b"])
def test_a_bad_name_or_run_is_refused_before_anything_is_asked(name: str, run: Path, hub: HubStandIn) -> None:
    with pytest.raises(UsageError, match="not the name of a repository"):
        push_run(run, name)
    with pytest.raises(MissingDataError):
        push_run(run.parent, "me/pairs")
    assert hub.requests == []


@pytest.mark.parametrize("name", ["iemomecp_pair_f1", "iemomecp_erc", "iemomecp_explanations"])
def test_a_metric_becomes_a_space(name: str, hub: HubStandIn, source: str) -> None:
    assert push_metric(name, "lab/pair_scores") == f"{hub.url}/spaces/lab/pair_scores"
    repository = hub.repositories["space", "lab/pair_scores"]
    assert (repository.sdk, repository.private) == ("gradio", True)
    assert repository.files.keys() - {".gitattributes"} == {
        "README.md", "app.py", "requirements.txt", "pair_scores.py"
    }  # fmt: skip
    assert card_errors(repository.files["README.md"].decode(), "space") == []
    assert f"iemomecp @ {source}\n" in repository.files["requirements.txt"].decode()
    push_metric(name, "lab/pair_scores")  # it is recognised as ours


def test_the_page_becomes_a_space_of_a_model_that_is_there(
    run: Path, hub: HubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("iemomecp_dataset.trainers.app")
    with pytest.raises(UsageError, match=r"There is no model me/pairs on the Hub\. Upload it first"):
        push_app("me/pairs", "me/page")
    assert not hub.repositories
    push_run(run, "me/pairs")
    assert push_app("me/pairs", "me/page", private=False) == f"{hub.url}/spaces/me/page"
    files = hub.repositories["space", "me/page"].files
    assert 'os.environ.setdefault("MODEL", "me/pairs")' in files["app.py"].decode()


def test_a_wheel_goes_along_and_an_older_one_leaves(tmp_path: Path, hub: HubStandIn) -> None:
    wheel = tmp_path / "iemomecp-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    hub.add("me/f1", {**OURS, "iemomecp-0.0.9-py3-none-any.whl": b"old"}, kind="space", private=False)
    prepared = prepare_metric("iemomecp_erc", Destination("me/f1", private=False), wheel=wheel)
    assert prepared.remarks == ()
    prepared.send()
    files = hub.repositories["space", "me/f1"].files
    assert files[wheel.name] == b"wheel"
    assert "iemomecp-0.0.9-py3-none-any.whl" not in files
    url = f"{hub.url}/spaces/me/f1/resolve/main/{wheel.name}"
    assert f"iemomecp @ {url}\n" in files["requirements.txt"].decode()
    (remark,) = prepare_metric("iemomecp_erc", Destination("me/f1"), wheel=wheel).remarks
    assert "private Space cannot read its own wheel" in remark


def test_nothing_is_asked_while_an_upload_is_prepared(run: Path, hub: HubStandIn, source: str) -> None:
    prepare_run(run, Destination("me/pairs"))
    (remark,) = prepare_metric("iemomecp_erc", Destination("me/f1")).remarks
    assert remark.startswith(f"The Space installs iemomecp from {source}, as it was here")
    assert hub.requests == []


def test_a_run_that_changes_while_it_is_uploaded_by_another_is_not_overwritten(
    run: Path, hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Between the look at the repository and the commit somebody else commits."""
    import huggingface_hub

    hub.add("me/pairs", OURS)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    real = huggingface_hub.HfApi.create_commit

    def slowly(api: Any, *arguments: Any, **options: Any) -> Any:
        repository = hub.repositories["model", "me/pairs"]
        hub.add("me/pairs", {**repository.files, "other.txt": b"theirs"})
        return real(api, *arguments, **options)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_commit", slowly)
    with pytest.raises(UsageError, match="by somebody else meanwhile"):
        push_run(copy, "me/pairs")
    assert json.dumps(sorted(hub.repositories["model", "me/pairs"].files)) == '["README.md", "other.txt"]'
