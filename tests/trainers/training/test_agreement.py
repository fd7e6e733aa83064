"""What the ranks of a run must have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
from iemomecp_dataset.trainers.explanation.options import ExplanationTrainingOptions
from iemomecp_dataset.trainers.options import TrainingOptions
from iemomecp_dataset.trainers.run_inputs import RunInputs
from iemomecp_dataset.trainers.training import agreement
from iemomecp_dataset.trainers.training.agreement import (
    differences,
    facts_of_inputs,
    facts_of_installation,
    facts_of_launch,
    facts_of_options,
)


def test_what_differs_is_named_with_values_and_ranks() -> None:
    facts = [{"torch": "2.13", "numpy": "2.4"}, {"torch": "2.12", "numpy": "2.4"}, {"torch": "2.13"}]
    assert differences(facts, ["a", "b", "c"]) == ["torch is 2.13 on ranks 0 (a) and 2 (c), and 2.12 on rank 1 (b)"]
    assert differences([facts[0], facts[0]], ["a", "b"]) == []


@pytest.mark.parametrize("kind", [TrainingOptions, EmotionTrainingOptions, ExplanationTrainingOptions])
def test_paths_may_be_others_on_each_machine_and_all_else_may_not(kind: type[TrainingOptions]) -> None:
    places = {"data_dir", "output_dir", "cache_dir", "quiet", "audio_features", "video_features", "text_features",
              "event_features", "text_encoder", "language_model", "init_from", "emotion_from", "causes_from", "frames",
              "faces_table", "face_features", "gguf_file", "meld_root", "ecf_root", "ecf_map"}  # fmt: skip
    given = kind.from_flat({"output_dir": "runs/x", "data_dir": "here", "seed": 1})
    for name, value in given.flat().items():
        same = facts_of_options(given)
        # Options in which steps differ would leave ranks in different collective operations.
        assert (f"--{name}" in same and same[f"--{name}"] not in ("given", "not given")) == (name not in places), name
        assert same.get(f"--{name}") != str(value) or name not in places
    elsewhere = kind.from_flat({"output_dir": "/mnt/runs/x", "data_dir": "there", "seed": 1, "checkpoint_steps": 5})
    assert differences([facts_of_options(given), facts_of_options(elsewhere)], ["a", "b"]) == [
        "--checkpoint_steps is 0 on rank 0 (a), and 5 on rank 1 (b)"
    ]


def test_a_path_that_one_rank_lacks_is_named() -> None:
    given = [TrainingOptions.from_flat({"output_dir": "x", "audio_features": path}) for path in ("a", None)]
    assert differences([facts_of_options(one) for one in given], ["a", "b"]) == [
        "--audio_features is given on rank 0 (a), and not given on rank 1 (b)"
    ]


def test_data_are_compared_by_content_and_only_where_they_are_known() -> None:
    audio = {"model": "m", "revision": None, "settings": {"layer": 2}, "width": 8, "digest": "aa", "missing": 0}
    here = RunInputs({"train": "1", "test": "2"}, {"train": "t"}, {"audio": audio}, {}, 8)
    there = RunInputs({"train": "1", "test": "3"}, {"train": "t"}, {"audio": {**audio, "digest": "bb"}}, {}, 8)
    without = RunInputs({"train": "1", "test": "2"}, {}, {}, {"unknown": "no run"}, 8)
    assert differences([facts_of_inputs(here), facts_of_inputs(there)], ["a", "b"]) == [
        "the content of test is 2 on rank 0 (a), and 3 on rank 1 (b)",
        "the digest of the audio features is aa on rank 0 (a), and bb on rank 1 (b)",
    ]
    assert differences([facts_of_inputs(here), facts_of_inputs(without)], ["a", "b"]) == []


def test_versions_and_code_are_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(agreement, "code_revision", lambda: None)
    facts = facts_of_installation()
    assert facts.keys() == {"Python", "iemomecp", "accelerate", "datasets", "numpy", "torch", "transformers",
                            "the digest of the package's code"}  # fmt: skip
    assert facts["Python"].count(".") == 1
    assert facts_of_installation() == facts
    monkeypatch.setattr(agreement, "_PACKAGE", tmp_path)
    digests = set()
    for content in ("x = 1", "x = 2  # a change that is in no commit"):
        (tmp_path / "module.py").write_text(content)
        digests.add(facts_of_installation()["the digest of the package's code"])
    assert len(digests) == 2
    monkeypatch.setattr(agreement, "code_revision", lambda: "3f2a")
    assert facts_of_installation()["the git revision of the package"] == "3f2a"


def test_machines_that_are_asked_for_different_numbers_of_processes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IEMOMECP_NUM_PROCESSES", "ACCELERATE_MIXED_PRECISION", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert facts_of_launch() == {}
    monkeypatch.setenv("GROUP_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert facts_of_launch() == {}, "torchrun may start different numbers"
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    of_accelerate = facts_of_launch()
    monkeypatch.setenv("IEMOMECP_NUM_PROCESSES", "2")
    found = differences([facts_of_launch(), of_accelerate], ["a", "b"])
    assert found == ["--num_processes is 2 on rank 0 (a), and 4 on rank 1 (b)"]
