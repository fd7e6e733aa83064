"""A scorer is built, trained, saved, loaded and used without a word of warning from the libraries below it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

# A language model's checkpoint: it has a head that no scorer uses, and no pooler.
PROGRAM = """
import sys
from pathlib import Path

data_dir, tiny_encoder, folder = sys.argv[1:]

import iemomecp_dataset
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from iemomecp_dataset.trainers import load_scorer, predict
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run import run

disable_progress_bar()
encoder = str(Path(folder) / "encoder")
AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(tiny_encoder)).save_pretrained(encoder)
AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(encoder)
rows = iemomecp_dataset.load("3class", data_dir=data_dir, split="test").select([0])
common = {"data_dir": data_dir, "text_encoder": encoder, "modalities": "t", "epochs": 1, "quiet": True,
          "max_tokens": 16, "hidden_size": 8, "num_heads": 2, "num_layers": 1, "pair_size": 8}
kinds = {
    "dialogue": {"batch_size": 30},
    "frozen": {"encoder_mode": "frozen", "batch_size": 30},
    "isolated": {"scorer": "isolated", "batch_size": 512, "eval_batch_size": 512, "decision": "argmax"},
}
for name, kind in kinds.items():
    output = Path(folder) / name
    run(TrainingOptions.from_flat({**common, **kind, "output_dir": str(output)}))
    scorer = load_scorer(output)
    scorer.save_pretrained(Path(folder) / "again")
    type(scorer).from_pretrained(Path(folder) / "again")
    predict(scorer, rows)
    predict(output, rows)
"""


@pytest.mark.slow
def test_nothing_is_warned_of(small_dir: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(small_dir), str(tiny_encoder), str(tmp_path)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Two epochs on a few dialogues may end with one class for every pair, which is said.
    expected = ("SYNTHETIC dialogues", "as a rule without a model would")
    said = [line for line in done.stderr.splitlines() if not any(words in line for words in expected)]
    assert said == []


def test_a_missing_weight_is_warned_of(
    tiny_encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    from iemomecp_dataset.trainers.encoders.text import load_text_encoder

    folder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["pooler.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with caplog.at_level(logging.WARNING):
        load_text_encoder(str(folder))
    assert caplog.text == "", "no scorer needs a pretrained pooler"
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with caplog.at_level(logging.WARNING):
        load_text_encoder(str(folder))
    assert "lacks 1 of its weights, such as encoder.layer.1.output.dense.bias" in caplog.text
    assert "LOAD REPORT" not in capfd.readouterr().err
