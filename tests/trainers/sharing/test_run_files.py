"""What of a run may leave the machine: nothing but the model, its card, and records without paths and texts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from shared_run import SECRET, write_shared_run

from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, RunFolderError
from iemomecp_dataset.trainers.sharing.run_files import ALLOWED, SharedFiles, shared_files


@pytest.fixture(scope="module")
def made(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shared_run(tmp_path_factory.mktemp("Ann's machine") / "pairs", encoder=tiny_encoder)


@pytest.fixture(scope="module")
def shared(made: Path) -> SharedFiles:
    return shared_files(made, "me/pairs")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "pairs"))


def content(shared: SharedFiles, name: str) -> bytes:
    found = shared.files[name]
    return found if isinstance(found, bytes) else found.read_bytes()


def test_only_what_is_allowed_is_uploaded(shared: SharedFiles) -> None:
    assert set(shared.files) == {
        "README.md", "config.json", "config.yaml", "model.safetensors", "results.json", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert all(ALLOWED.fullmatch(name) for name in shared.files)
    for name in shared.files:
        assert SECRET.encode() not in content(shared, name), name
    assert shared.size == sum(len(content(shared, name)) for name in shared.files)


def test_what_stays_is_counted_by_what_it_is(shared: SharedFiles) -> None:
    assert shared.stays == {
        "ids of dialogues": 3, "texts of the corpus": 1, "log": 1, "checkpoints": 1, "pickled weights": 2,
        "other files": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["predictions_test.parquet", "pytorch_model.bin", "notes.txt", "adapter/README.md", "adapter/x.parquet", "a/b.json",
     "other/model.safetensors", "../model.safetensors", "explanations_test.parquet", "log.jsonl", "data.json",
     "member_1/README.md", "member_x/model.safetensors"],
)  # fmt: skip
def test_other_files_are_not_allowed(name: str) -> None:
    assert not ALLOWED.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "adapter/adapter_model.safetensors",
     "adapter/adapter_config.json", "language_model/generation_config.json", "vision_tower/preprocessor_config.json",
     "spiece.model", "merges.txt", "chat_template.jinja", "special_tokens_map.json", "member_2/model.safetensors",
     "member_12/config.json"],
)  # fmt: skip
def test_files_of_models_are_allowed(name: str) -> None:
    assert ALLOWED.fullmatch(name)


def test_no_path_of_the_machine_is_left_anywhere(shared: SharedFiles, made: Path, tiny_encoder: Path) -> None:
    for name in shared.files:
        for path in (made.parent, tiny_encoder, Path("my data"), Path("Ann's")):
            assert str(path).encode() not in content(shared, name), name
    options = yaml.safe_load(content(shared, "config.yaml"))
    assert "data_dir" not in options
    assert "output_dir" not in options
    assert "meld_root" not in options
    assert options["text_encoder"] == tiny_encoder.name
    assert options["learning_rate"] == 0.001
    assert b"# Paths of the machine that trained it are removed: data_dir, meld_root, output_dir.\n" in content(
        shared, "config.yaml"
    )
    assert json.loads(content(shared, "config.json"))["text_encoder_name"] == tiny_encoder.name
    assert json.loads(content(shared, "results.json"))["text_encoder"] == tiny_encoder.name
    assert "Read from ecf and pairs." in content(shared, "README.md").decode()


def test_records_keep_scores_and_lose_ids_and_unknown_keys(run: Path) -> None:
    record = json.loads((run / "results.json").read_text())
    record["leaks"] = ["ecf/train and ecf/test share 2 utterances; such as d1 u1, d2 u2.", "compared by text alone."]
    (run / "results.json").write_text(json.dumps({**record, "notes": SECRET}))
    found = json.loads(content(shared_files(run, "me/pairs"), "results.json"))
    assert found == {
        **record, "text_encoder": Path(record["text_encoder"]).name,
        "leaks": ["ecf/train and ecf/test share 2 utterances.", "compared by text alone."],
    }  # fmt: skip


def test_the_card_gets_its_metadata_and_the_name_of_the_repository(shared: SharedFiles) -> None:
    card = ModelCard(content(shared, "README.md").decode())
    assert card.data.model_name == "pairs"
    assert {one.dataset_split for one in card.data.eval_results} == {"validation", "test"}
    assert 'AutoModel.from_pretrained("me/pairs")' in card.text


def test_what_a_user_has_written_into_the_card_stays(run: Path) -> None:
    (run / "model" / "README.md").write_text(
        "---\nlicense: gpl-3.0\nlicense_name: null\ntags: [mine, iemomecp]\nmodel-index:\n- name: mine\n  results:\n"
        "  - task: {type: text-classification}\n    dataset: {type: ecf, name: ECF}\n"
        "    metrics: [{type: f1, value: 0.5}]\n---\n# Mine\n"
    )
    card = ModelCard(content(shared_files(run, "me/pairs"), "README.md").decode())
    assert (card.data.license, card.data.tags, card.data.model_name) == ("gpl-3.0", ["mine", "iemomecp"], "mine")
    assert len(card.data.eval_results) == 1
    assert card.data.pipeline_tag == "text-classification", "what it does not state is added"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("model-index:\n- name: a\n  results:\n  - task: {}\n", "metadata at its top is not valid"),
        ("tags: [a\n", "metadata at its top is not valid"),
    ],
)
def test_a_card_that_the_hub_would_refuse_is_refused_here(run: Path, header: str, said: str) -> None:
    (run / "model" / "README.md").write_text(f"---\n{header}---\n# A\n")
    with pytest.raises(InvalidDataError, match=said):
        shared_files(run, "me/pairs")


def test_an_encoder_that_others_will_not_find_is_said(tiny_encoder: Path, tmp_path: Path) -> None:
    run = write_shared_run(tmp_path / "frozen", encoder=tiny_encoder, trained=False, encoder_mode="frozen")
    shared = shared_files(run, "me/frozen")
    (remark,) = shared.remarks
    assert str(tiny_encoder) in remark
    assert "others will not find it" in remark
    assert "--base-model" in remark
    card = content(shared, "README.md").decode()
    assert "## Not in this repository" in card
    assert "`text_encoder=`" in card
    assert str(tiny_encoder) not in card
    assert ModelCard(card).data.base_model is None


def test_an_encoder_that_the_hub_has_is_named_everywhere(tiny_encoder: Path, tmp_path: Path) -> None:
    run = write_shared_run(tmp_path / "frozen", encoder=tiny_encoder, trained=False, encoder_mode="frozen")
    shared = shared_files(run, "me/frozen", base_model="lab/minilm")
    assert shared.remarks == ()
    assert json.loads(content(shared, "config.json"))["text_encoder_name"] == "lab/minilm"
    assert json.loads(content(shared, "results.json"))["text_encoder"] == "lab/minilm"
    assert yaml.safe_load(content(shared, "config.yaml"))["text_encoder"] == "lab/minilm"
    assert ModelCard(content(shared, "README.md").decode()).data.base_model == "lab/minilm"


def test_an_encoder_of_recordings_that_others_will_not_find_is_said(run: Path) -> None:
    config = json.loads((run / "model" / "config.json").read_text())
    extractors = {
        "audio_extractor": {"model": "/models/wavlm/model", "revision": "folder-1", "settings": {"layers": "all"}},
        "video_extractor": {"model": "openai/clip-vit-base-patch32"},
    }
    (run / "model" / "config.json").write_text(json.dumps({**config, **extractors}))
    shared = shared_files(run, "me/pairs", base_model="lab/minilm")
    (remark,) = shared.remarks
    assert remark.startswith("The audio encoder is named by the path /models/wavlm/model")
    found = json.loads(content(shared, "config.json"))
    assert found["audio_extractor"] == {**extractors["audio_extractor"], "model": "wavlm"}
    assert found["video_extractor"] == extractors["video_extractor"]


def test_a_model_that_holds_its_encoder_lacks_nothing(shared: SharedFiles) -> None:
    assert shared.remarks == ()


@pytest.mark.parametrize("stored", [True, False])
def test_an_adapter_stays_an_adapter(run: Path, stored: bool) -> None:
    """Of a language model the adapter is uploaded, or the model where it is stored in the folder; nothing is added."""
    name = "/models/smollm/model"
    config = {"model_type": "iemomecp_explanation", "tuning": "full" if stored else "lora", "language_model_name": name,
              "language_model": {"_name_or_path": name, "hidden_size": 8}}  # fmt: skip
    (run / "model" / "config.json").write_text(json.dumps(config))
    part = run / "model" / ("language_model" if stored else "adapter")
    part.mkdir()
    (part / "model.safetensors").write_bytes(b"weights")
    (part / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": name, "r": 4}))
    shared = shared_files(run, "me/lora")
    assert content(shared, f"{part.name}/model.safetensors") == b"weights"
    assert json.loads(content(shared, f"{part.name}/adapter_config.json")) == {
        "base_model_name_or_path": "smollm", "r": 4
    }  # fmt: skip
    found = json.loads(content(shared, "config.json"))
    assert (found["language_model_name"], found["language_model"]["_name_or_path"]) == ("smollm", "smollm")
    assert len(shared.remarks) == (not stored)
    assert all(one.startswith(f"The language model is named by the path {name}") for one in shared.remarks)
    renamed = json.loads(
        content(shared_files(run, "me/lora", base_model="lab/smollm"), f"{part.name}/adapter_config.json")
    )
    assert renamed["base_model_name_or_path"] == "lab/smollm"


def test_templates_and_tokens_that_look_like_paths_stay(run: Path) -> None:
    settings = {
        "chat_template": "{% if x %}/think/hard{% endif %}\\n\\nuser", "name_or_path": "/models/smollm",
        "added_tokens_decoder": {"1": {"content": "/no/think"}},
    }  # fmt: skip
    (run / "model" / "tokenizer_config.json").write_text(json.dumps(settings))
    found = json.loads(content(shared_files(run, "me/pairs"), "tokenizer_config.json"))
    assert found == {**settings, "name_or_path": "smollm"}


def _remove(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


def _write(name: str, text: str) -> Callable[[Path], None]:
    return lambda run: (run / name).write_text(text) and None


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (_remove("results.json"), MissingDataError, "the run has not finished"),
        (_remove("model/model.safetensors"), RunFolderError, "holds no model in safetensors"),
        (_remove("model/config.json"), RunFolderError, "holds no model in safetensors"),
        (_write("results.json", "{"), RunFolderError, "not valid JSON"),
        (_write("model/config.json", "{"), InvalidDataError, "not valid JSON"),
        (_write("config.yaml", "a: ["), RunFolderError, "not valid YAML"),
        (_write("config.yaml", "- a"), RunFolderError, "holds no options"),
        (lambda run: shutil.rmtree(run), MissingDataError, "There is no folder"),
    ],
)
def test_what_is_no_finished_run_is_refused(
    run: Path, damage: Callable[[Path], Any], error: type[IemomecpError], said: str
) -> None:
    damage(run)
    with pytest.raises(error, match=said) as caught:
        shared_files(run, "me/pairs")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a")
    with pytest.raises(MissingDataError, match="this is not the folder of a run"):
        shared_files(tmp_path, "me/pairs")


def test_the_model_of_a_run_means_the_run(made: Path, shared: SharedFiles) -> None:
    assert shared_files(made / "model", "me/pairs").files.keys() == shared.files.keys()
