from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from iemomecp_dataset.metrics.explanations import meteor
from iemomecp_dataset.metrics.explanations.meteor import meteor_scores
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
