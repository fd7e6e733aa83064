"""The names that users import, and how little `import iemomecp_dataset` brings in."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

PUBLIC = {
    "iemomecp_dataset": (
        *("load", "gold_pairs", "to_pairs", "plot_pairs", "is_synthetic", "IemomecpError", "__version__"),
        *("whole_dialogues", "metrics", "trainers", "benchmark"),
    ),
    "iemomecp_dataset.metrics": (
        *("pair_scores", "emotion_scores", "explanation_scores", "best_threshold", "paired_bootstrap"),
        *("Signature", "ExplanationSignature"),
    ),
    "iemomecp_dataset.trainers": (
        *("DialogueScorer", "DialogueScorerConfig", "IsolatedScorer", "IsolatedScorerConfig"),
        *("train", "predict", "load_scorer"),
        *("Scorer", "register_scorer", "DialogueScores"),
        *("EcercModel", "EcercConfig", "EmotionTransformer", "EmotionTransformerConfig"),
        *("ExplanationModel", "ExplanationConfig", "EmotionCausePipeline"),
    ),
    "iemomecp_dataset.benchmark": (
        *("read_results", "leaderboard", "compare"),
        *("plot_confusion", "plot_distance", "plot_precision_recall", "plot_reliability"),
    ),
}
HEAVY = ("torch", "transformers", "evaluate", "datasets", "pandas", "pyarrow", "sklearn", "numpy", "requests")


def test_the_import_is_light_and_reaches_every_room() -> None:
    code = f"""
import sys
import iemomecp_dataset
heavy = [name for name in {HEAVY} if name in sys.modules]
assert not heavy, heavy
listed = {{name: sorted(dir(eval(name))) for name in {list(PUBLIC)}}}
assert listed == {{name: sorted(names) for name, names in {PUBLIC}.items()}}, listed
heavy = [name for name in {HEAVY} if name in sys.modules]
assert not heavy, heavy
assert iemomecp_dataset.errors is sys.modules["iemomecp_dataset.errors"]
assert iemomecp_dataset.metrics.pair_scores([[0.9, 0.1]], [0], ["pair", "non_pair"])["pair_f1"] == 1
assert "torch" not in sys.modules
assert callable(iemomecp_dataset.trainers.predict)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_there_and_none_is_a_module(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package])
    for name in PUBLIC[package]:
        assert isinstance(getattr(module, name), ModuleType) == (name in ("metrics", "trainers", "benchmark")), name


def test_features_are_listed_and_reached_without_torch_or_transformers() -> None:
    code = (
        "import sys\n"
        "from iemomecp_dataset import features\n"
        "assert dir(features) == sorted(features.__all__)\n"
        "assert all(callable(getattr(features, name)) or name == 'STATUSES' for name in features.__all__)\n"
        "import iemomecp_dataset.features.decoding, iemomecp_dataset.features.importers\n"
        "import iemomecp_dataset.features.store, iemomecp_dataset.features.encoders\n"
        "assert not {'torch', 'transformers', 'safetensors', 'av', 'soundfile'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_feature_encoders_are_imported_on_use() -> None:
    from iemomecp_dataset.features import encoders

    assert dir(encoders) == sorted(encoders.__all__)
    for name in encoders.__all__:
        assert getattr(encoders, name).__name__ == name
