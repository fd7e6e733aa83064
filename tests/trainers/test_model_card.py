"""The card of a trained model: what it lists, and that its code runs in a new process, for a custom scorer too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import forked_python
import pytest
from hub_stand_in import card_errors
from huggingface_hub import ModelCard
from shared_run import results_of

from iemomecp_dataset.trainers.model_card import model_card
from iemomecp_dataset.trainers.options import TrainingOptions

TRAINING = """
import iemomecp_dataset, module_of_a_scorer
from iemomecp_dataset.trainers import train
train(iemomecp_dataset.load("3class", data_dir={data!r}), scorer="linear", text_encoder={encoder!r},
      encoder_mode="frozen", epochs=1, quiet=True, output_dir="run")
"""


@pytest.fixture(scope="module")
def card(repository: Path, small_dir: Path, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card of the documentation's own scorer, which lies in a module."""
    folder = tmp_path_factory.mktemp("own_scorer")
    page = (repository / "docs" / "own-scorer.md").read_text(encoding="utf-8")
    model, entry = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)[:2]
    (folder / "module_of_a_scorer.py").write_text(f"{model}\n{entry}", encoding="utf-8")
    code = TRAINING.format(data=str(small_dir), encoder=str(tiny_encoder))
    done = forked_python.run("-c", code, cwd=folder, env=_environment(folder, repository))
    assert done.returncode == 0, done.stderr
    (folder / "path" / "to" / "this").mkdir(parents=True)
    (folder / "path" / "to" / "this" / "folder").symlink_to(folder / "run" / "model")
    return folder / "run" / "model" / "README.md"


def _environment(folder: Path, repository: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{repository}"}


@pytest.mark.slow
def test_the_code_of_the_card_of_a_scorer_of_ones_own_runs_in_a_new_process(card: Path, repository: Path) -> None:
    text = card.read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nassert probabilities[0].shape == (4, 3)"], cwd=card.parents[2],
        env=_environment(card.parents[2], repository), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "of the module `module_of_a_scorer`" in text
    assert "register its scorer `linear` with `iemomecp_dataset.trainers.register_scorer`" in text


@pytest.mark.slow
def test_the_card_lists_settings_that_the_model_has_and_no_circumstances(card: Path) -> None:
    listing = card.read_text(encoding="utf-8").split("## Settings\n")[1].split("##")[0]
    for name in ("scorer linear", "encoder_mode frozen", "learning_rate", "batch_size", "seed", "epochs"):
        assert name in listing
    for name in ("pair_scorer", "pair_size", "hidden_size", "distance_prior", "segment_pooling"):
        assert name not in listing, "the configuration does not declare it"
    for name in ("quiet", "checkpoint_steps", "eval_batch_size", "output_dir"):
        assert name not in listing


@pytest.mark.slow
def test_the_card_is_true_of_baselines_and_weights(card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    assert "emotion x distance also uses an emotion detector on the target utterance" in text
    assert "text encoder or features named above have terms of their own" in text


def written(**changes: object) -> str:
    options = {"data_dir": "/data/ecf", "output_dir": "/runs/x", "text_encoder": "/models/minilm", "scorer": "dialogue"}
    return model_card(results_of(**changes), TrainingOptions.from_flat(options))


def test_the_header_is_the_metadata_that_the_hub_reads() -> None:
    card = ModelCard(written())
    assert card_errors(str(card)) == []
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.tags == ["emotion-cause-pair-extraction", "iemomecp"]
    assert {one.dataset_split for one in card.data.eval_results} == {"validation", "test"}
    assert "\n\n# pairs: dialogue scorer, base, T\n" in written()


def test_a_scorer_of_text_is_used_by_the_pipeline() -> None:
    text = written()
    assert 'pipeline("emotion-cause-pairs", model="path/to/this/folder")' in text
    for program in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        compile(program, "card", "exec")
    with_audio = written(modalities="ta", features={"audio": {"digest": "d"}})
    assert "pipeline(" not in with_audio, "it needs features, which a conversation does not have"
    assert "predict(model, rows, audio=" in with_audio
