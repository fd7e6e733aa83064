"""``scripts/extract_features.py`` as a user runs it, up to training on its stores."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import forked_python
import pyarrow.parquet as pq
import pytest

SCRIPT = "scripts/extract_features.py"


@pytest.fixture(scope="module")
def speech_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from iemomecp_dataset.features.encoders.tiny_models import write_tiny_speech_encoder

    return write_tiny_speech_encoder(tmp_path_factory.mktemp("speech") / "tiny-wavlm")


@pytest.fixture(scope="module")
def image_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from iemomecp_dataset.features.encoders.tiny_models import write_tiny_image_encoder

    return write_tiny_image_encoder(tmp_path_factory.mktemp("image") / "tiny-clip")


def run(
    repository: Path, *arguments: object, script: str = "scripts/extract_features.py"
) -> subprocess.CompletedProcess:
    return forked_python.run(repository / script, *arguments)


def extraction(data: Path, modality: str, output: Path, model: Path | None = None) -> list[object]:
    given = ["--data-dir", data, "--modality", modality, "--output-dir", output, "--device", "cpu"]
    return given + (["--model", model] if model else [])


def test_help_names_every_option(repository: Path) -> None:
    from dataclasses import fields

    from iemomecp_dataset.features.extraction_options import ExtractionOptions

    command = [sys.executable, repository / SCRIPT, "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f"--{option.name}" in text for option in fields(ExtractionOptions))
    assert "accelerate launch scripts/extract_features.py" in text


@pytest.mark.slow
def test_a_dry_run_writes_nothing_and_needs_no_model(repository: Path, media_dir: Path, tmp_path: Path) -> None:
    done = run(repository, *extraction(media_dir, "audio", tmp_path / "store"), "--dry_run")
    assert done.returncode == 0, done.stderr
    assert "SYNTHETIC" in done.stdout
    assert "microsoft/wavlm-base-plus (not loaded)" in done.stdout
    assert "utterances  1425" in done.stdout
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_a_store_and_its_summary(repository: Path, media_dir: Path, speech_encoder: Path, tmp_path: Path) -> None:
    line = [*extraction(media_dir, "audio", tmp_path / "store", speech_encoder), "--limit", 40]
    done = run(repository, *line)
    assert done.returncode == 0, done.stderr
    assert "audio vectors of SYNTHETIC corpus" in done.stdout
    assert "40 computed now, 40 in all" in done.stdout
    assert "100.0%" in done.stdout
    assert "Extracting audio" in done.stderr
    assert "Warning" not in done.stderr
    again = run(repository, *line, "--quiet")
    assert "0 computed now, 40 in all" in again.stdout
    assert "Extracting" not in again.stderr
    other = run(repository, *line, "--pooling", "max")
    assert other.returncode == 2
    assert "contains another extraction" in other.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modality", "name"), [("audio", "microsoft/wavlm-base-plus"), ("video", "openai/clip-vit-large-patch14")]
)
def test_default_models_offline_fail_in_one_sentence(
    repository: Path, media_dir: Path, tmp_path: Path, modality: str, name: str
) -> None:
    done = run(repository, *extraction(media_dir, modality, tmp_path / "store"))
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert repr(name) in line
    assert f"hf download {name}" in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_features_of_others(repository: Path, media_dir: Path, tmp_path: Path) -> None:
    path = media_dir / "ECPEC/Dataset/IEMOCAP_emotion_cause_features.pkl"
    done = run(repository, *extraction(media_dir, "text", tmp_path / "store"), "--import-from", path)
    assert done.returncode == 0, done.stderr
    assert "by text features of ConvECPE" in done.stdout


def fusion(repository: Path, data: Path, text: Path, output: Path, **options: object) -> subprocess.CompletedProcess:
    small = {
        "hidden_size": 16, "num_heads": 2, "num_layers": 1, "pair_size": 8, "bilinear_size": 4, "epochs": 2,
        "batch_size": 16, "max_tokens": 24, "quiet": True, "modalities": "tav",
    }  # fmt: skip
    flags = {"data_dir": data, "text_encoder": text, "output_dir": output, **small, **options}
    return run(repository, *(f"--{name}={value}" for name, value in flags.items()), script="trainers/fusion.py")


@pytest.mark.slow
def test_from_media_to_a_trained_model(
    repository: Path, media_dir: Path, speech_encoder: Path, image_encoder: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    stores = {modality: tmp_path / modality for modality in ("audio", "video", "text")}
    models = {"audio": speech_encoder, "video": image_encoder, "text": tiny_encoder}
    for modality, store in stores.items():
        done = run(repository, *extraction(media_dir, modality, store, models[modality]), "--frames", 2)
        assert done.returncode == 0, done.stderr
        assert "1425 in all" in done.stdout
    paths = {"audio_features": stores["audio"], "video_features": stores["video"]}
    done = fusion(repository, media_dir, tiny_encoder, tmp_path / "run", **paths)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["synthetic"]
    assert set(results["metrics"]) == {"validation", "test"}


@pytest.mark.slow
def test_a_store_with_missing_rows_is_refused_or_masked(
    repository: Path, media_dir: Path, speech_encoder: Path, tiny_encoder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(media_dir, data)
    for wav in sorted(data.rglob("Ses*_*.wav"))[::20]:
        wav.unlink()
    store = tmp_path / "audio"
    assert run(repository, *extraction(data, "audio", store, speech_encoder)).returncode == 0
    index = pq.read_table(store / "index.parquet").to_pylist()
    missing = [line["utterance_id"] for line in index if line["status"] != "ok"]
    assert 0.03 < len(missing) / len(index) < 0.07
    options = {"modalities": "ta", "audio_features": store}
    refused = fusion(repository, data, tiny_encoder, tmp_path / "run", **options)
    assert refused.returncode == 2
    assert f"{len(missing)} of {len(index)} utterances have no feature vector" in refused.stderr
    assert sum(key in refused.stderr for key in missing) >= 5
    assert "missing_media" in refused.stderr
    allowed = fusion(repository, data, tiny_encoder, tmp_path / "run2", **options, max_missing_features=0.1)
    assert allowed.returncode == 0, allowed.stderr
    assert masked_utterances(data, store) == set(missing)


def masked_utterances(data: Path, store: Path) -> set[str]:
    """Utterances that the batches of a run mark as without audio."""
    from iemomecp_dataset.corpus import load_corpus
    from iemomecp_dataset.trainers.dialogue.data import Collator, UtteranceInputs, dialogue_examples
    from iemomecp_dataset.trainers.encoders.vectors import load_features
    from iemomecp_dataset.trainers.options import DataOptions

    options = DataOptions(data_dir=str(data), modalities="ta", audio_features=str(store), max_missing_features=0.1)
    corpus = load_corpus(options.config_name, data)
    rows = [row for split in corpus.rows.values() for row in split]
    ids = [utterance["utterance_id"] for row in rows for utterance in row["utterances"]]
    features, sizes = load_features(options, ids)
    batches = Collator(UtteranceInputs(features=features, feature_sizes=sizes))
    masked = set()
    for example in dialogue_examples(rows, corpus.emotion_names):
        present = batches([(0, example)])["audio_present"][0]
        masked |= {key for key, there in zip(example.utterance_ids, present, strict=True) if not there}
    return masked
