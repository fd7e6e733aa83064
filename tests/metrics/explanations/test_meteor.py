from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from explanation_cases import write_explanation_run

from iemomecp_dataset.metrics.explanations import meteor
from iemomecp_dataset.metrics.explanations.meteor import meteor_scores, one_meteor_program
from iemomecp_dataset.metrics.explanations.scoring import explanation_scores
from iemomecp_dataset.metrics.explanations.tokens import ptb_tokens

needs_java = pytest.mark.skipif(
    shutil.which("java") is None or meteor._jar() is None or "IEMOMECP_EXPLANATION_VECTORS" not in os.environ,
    reason="needs Java, pycocoevalcap and the vectors that IEMOMECP_EXPLANATION_VECTORS names",
)


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in place of Java."""
    program, jar = tmp_path / "java", tmp_path / "meteor-1.5.jar"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setattr(meteor, "_jar", lambda: jar)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_statistics_of_items_are_pooled_and_the_last_value_is_that_of_the_corpus(tmp_path, monkeypatch):
    script = """
while read -r first rest; do
  echo "$first $rest" >> seen
  if [ "$first" = SCORE ]; then echo "1 2"; else echo 0.25; echo 0.5; echo 0.4; fi
done
"""
    stand_in(tmp_path, monkeypatch, script)
    found = meteor_scores(["a ||| b", ""], ["c", "d"])
    assert (found.corpus, found.items.tolist()) == (0.4, [0.25, 0.5])
    assert (tmp_path / "seen").read_text().splitlines() == [
        "SCORE ||| c ||| a b",
        "SCORE ||| d |||",
        "EVAL ||| 1 2 ||| 1 2",
    ]


COUNTING = """
echo started >> log
n=0
while read -r first rest; do
  [ "$rest" = "||| fails ||| x" ] && exit 1
  if [ "$first" = SCORE ]; then n=$((n + 1)); echo "1 2"; continue; fi
  for i in $(seq $n); do echo 0.5; done
  echo 0.4
  n=0
done
"""


@pytest.mark.parametrize(
    ("references", "shared", "starts"),
    [("abc", True, 1), ("abc", False, 3), (["a", "fails", "c", "d"], True, 2), (["fails", "fails"], True, 2)],
)
def test_lists_share_one_program_which_starts_again_after_a_failure(references, shared, starts, tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, COUNTING)
    share = one_meteor_program if shared else contextlib.nullcontext
    with share(), share():
        found = [meteor_scores(["x"] * n, [reference] * n) for n, reference in enumerate(references, start=1)]
        kept = list((meteor._kept.get() or {}).values())
    assert [isinstance(scores, str) for scores in found] == [reference == "fails" for reference in references]
    assert [len(scores.items) for scores in found if not isinstance(scores, str)] == [
        n for n, reference in enumerate(references, start=1) if reference != "fails"
    ]
    assert (tmp_path / "log").read_text().count("started") == starts
    assert all(process.returncode is not None for process in kept), "Java ends with the block"


def test_a_run_and_its_structural_rows_share_one_program(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, COUNTING)
    record = write_explanation_run(tmp_path / "run", str.lower, meteor=True)
    rows = [row["splits"] for row in record.structural_baselines.values()]
    assert len(rows) > 4
    assert {splits[split]["meteor"] for splits in (record.metrics, *rows) for split in splits} == {0.4}
    assert (tmp_path / "log").read_text() == "started\n"


@pytest.mark.parametrize("script", ["exit 1", "while read -r line; do echo no number; done"])
def test_a_program_that_fails_is_a_reason_and_no_score(tmp_path, monkeypatch, script):
    stand_in(tmp_path, monkeypatch, script)
    assert "failed in Java" in meteor_scores(["a"], ["b"])


def test_without_java_the_key_is_absent_and_the_reason_names_what_is_missing(monkeypatch):
    monkeypatch.setattr(meteor.shutil, "which", lambda name: None)
    found = explanation_scores(["it rains"], ["it rains"])
    assert "meteor" not in found
    assert "Java" in found["unavailable"]["meteor"]
    monkeypatch.setattr(meteor, "_jar", lambda: None)
    assert "pycocoevalcap" in meteor_scores(["a"], ["b"])


@pytest.mark.slow
@needs_java
def test_public_vectors():
    vectors = json.loads(Path(os.environ["IEMOMECP_EXPLANATION_VECTORS"]).read_text(encoding="utf-8"))
    texts = ([" ".join(ptb_tokens(pair[side])) for pair in vectors["pairs"]] for side in ("candidate", "reference"))
    found, expected = meteor_scores(*texts), vectors["values"]["coco_ptb"]
    assert found.corpus == pytest.approx(expected["meteor_15_java"], abs=1e-5)
    np.testing.assert_allclose(found.items, expected["meteor_items"], atol=1e-5)
