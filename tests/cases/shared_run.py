"""The folder of a finished run, made without training: a tiny scorer with random weights, and all that lies around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from iemomecp_dataset.benchmark.runs.results import RunResults, write_results

__all__ = ["SECRET", "results_of", "write_shared_run"]

SECRET = "A sentence that is licensed."
"""Text that lies in files which must not leave the machine."""


def results_of(**changes: Any) -> RunResults:
    """A record of a run on ECF, with scores that are known."""
    scores = {"pair_f1": 0.5, "pair_precision": 0.4, "pair_recall": 2 / 3, "pair_auprc": float("nan"), "macro_f1": 0.7}
    values: dict[str, Any] = {
        "run_name": "pairs",
        "corpus": "ecf",
        "config_name": "ecf",
        "class_names": ("pair", "non_pair"),
        "synthetic": False,
        "data_statement": "ecf (ecf): real dialogues (3 train, 2 validation, 2 test).",
        "definition": "A",
        "candidates": "all",
        "scorer": "dialogue",
        "objective": "base",
        "modalities": "t",
        "text_encoder": "google/electra-small",
        "encoder_mode": "trained",
        "seed": 42,
        "threshold": {"value": 0.25, "chosen_on": "validation"},
        "metrics": {"validation": scores, "test": {**scores, "pair_f1": 0.25}},
        "missing_splits": (),
        "counts": {},
        "structural_baselines": {},
        "data_fingerprint": {"validation": "ab" * 20, "test": "cd" * 20},
        "versions": {"torch": "2.13.0"},
        "best_epoch": 1,
        "epochs": 2,
        "extra": {"signatures": {"test": "iemomecp|def:A"}, "leaks": []},
    }
    return RunResults(**{**values, **changes})


def write_shared_run(folder: Path, *, encoder: Path, trained: bool = True, **changes: Any) -> Path:
    """Writes such a run, whose text encoder lies in a folder.

    Args:
        folder: The run folder.
        encoder: The text encoder.
        trained: Whether the scorer holds it, with its tokenizer; otherwise it only names it.
        changes: Fields of the record.
    """
    import torch
    from transformers import AutoConfig, AutoTokenizer

    from iemomecp_dataset.trainers.dialogue.modeling import DialogueScorer, DialogueScorerConfig

    torch.manual_seed(0)
    of_encoder = {"text_encoder": AutoConfig.from_pretrained(encoder).to_dict()} if trained else {}
    model = DialogueScorer(
        DialogueScorerConfig(
            class_names=["pair", "non_pair"], text_size=16, text_layers=[2], text_encoder_name=str(encoder),
            hidden_size=8, num_heads=2, num_layers=1, pair_size=8, bilinear_size=4, decision="threshold",
            threshold=0.25, **of_encoder,
        )
    )  # fmt: skip
    model.save_pretrained(folder / "model")
    if trained:
        AutoTokenizer.from_pretrained(encoder).save_pretrained(folder / "model")
    options = {
        "data_dir": str(folder.parent / "my data" / "ecf"), "config_name": "ecf", "output_dir": str(folder),
        "text_encoder": str(encoder), "audio_features": None, "learning_rate": 0.001, "meld_root": "meld",
        "run_name": "pairs",
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(options), encoding="utf-8")
    card = (
        f"---\nlibrary_name: transformers\n---\n\n# pairs\n\nRead from {folder.parent}/my data/ecf and {folder}.\n\n"
        '## Use\n\n```python\nmodel = AutoModel.from_pretrained("path/to/this/folder")\n```\n'
    )
    (folder / "model" / "README.md").write_text(card, encoding="utf-8")
    record = {"text_encoder": str(encoder), "run_name": folder.name, **changes}
    write_results(folder, results_of(**record))
    for name in ("predictions_validation", "predictions_test", "explanations_test", "emotions_test"):
        pq.write_table(pa.table({"dialogue_id": ["d1"], "reference": [SECRET]}), folder / f"{name}.parquet")
    (folder / "checkpoint" / "epoch-0001").mkdir(parents=True)
    for name in ("log.jsonl", "report.html", "checkpoint/epoch-0001/state.safetensors", "model/notes.txt",
                 "model/pytorch_model.bin", "model/training_args.bin", "model/adapter.json"):  # fmt: skip
        (folder / name).write_text(SECRET, encoding="utf-8")
    return folder
