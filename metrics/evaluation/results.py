"""Options and results of an evaluation, shared by its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.metrics.evaluation.semeval import Reading
from iemomecp_dataset.metrics.evaluation.window import EVERYWHERE, PairWindow
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.metrics.significance.bootstrap import Interval
from iemomecp_dataset.metrics.significance.permutation import PermutationTest

__all__ = ["Evaluation", "EvaluationOptions", "FileComparison"]


@dataclass(frozen=True)
class EvaluationOptions:
    """Options of an evaluation.

    Attributes:
        definition: A, B, C, D or F; ``None``: what the file states, else the corpus's default.
        threshold: Decide by this threshold, whatever the file states.
        threshold_chosen_on: The split that threshold was chosen on, or ``fixed``.
        argmax: Decide by the most probable class, whatever the file states.
        missed_positives: Gold pairs that are not candidates, without gold data; ``None``: what the file states.
        gold_emotions: Definitions C and D: give predicted pairs the gold emotion of their target, where the file has no
            predicted one.
        reading: How files of other systems are read.
        window: Which pairs are scored, predictions and gold alike.
        n_resamples: Resamples of the bootstrap and permutations; 0: no intervals.
        confidence: Of the intervals.
        seed: Of the resampling.
        progress: Show progress bars.
        bertscore_model: Of explanations: folder or name of an encoder for BERTScore; ``None``: no BERTScore.
        bleurt_model: Of explanations: folder or name of a BLEURT checkpoint; ``None``: no BLEURT.
        meteor: Of explanations: compute METEOR where Java and its package are installed.
    """

    definition: str | None = None
    threshold: float | None = None
    threshold_chosen_on: str = "fixed"
    argmax: bool = False
    missed_positives: int | None = None
    gold_emotions: bool = False
    reading: Reading = "strict"
    window: PairWindow = EVERYWHERE
    n_resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 0
    progress: bool = False
    bertscore_model: str | None = None
    bleurt_model: str | None = None
    meteor: bool = True

    @property
    def explanation_scores(self) -> dict[str, Any]:
        """Options of :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores`, by name."""
        return {name: getattr(self, name) for name in ("bertscore_model", "bleurt_model", "meteor")}


@dataclass(frozen=True)
class Evaluation:
    """Scores of one file.

    Attributes:
        path: The file.
        signature: What was scored, and how.
        scores: By name; the keys of ``pair_scores`` (definitions A and F) or ``set_scores`` (B, C, D).
        further: Other groups of scores: turn sets, ranking, confidence, calibration, context errors, remaps.
        undefined: For each score that is NaN, why.
        intervals: Bootstrap intervals, by score.
        gold_from: Origin of the gold, in words.
        notes: Remarks for readers.
    """

    path: Path
    signature: Signature
    scores: Mapping[str, Any]
    further: Mapping[str, Mapping[str, Any]]
    undefined: Mapping[str, str]
    intervals: Mapping[str, Interval]
    gold_from: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FileComparison:
    """Paired tests of a file and a second one, or a structural row; first minus second.

    Attributes:
        first: The first file.
        second: The second; or the name of a structural row.
        bootstrap: Differences with intervals, by score.
        permutation: Permutation tests, by score.
    """

    first: Path
    second: Path | str
    bootstrap: Mapping[str, Interval]
    permutation: Mapping[str, PermutationTest]

    @property
    def against_row(self) -> bool:
        """Whether the second is a structural row."""
        return isinstance(self.second, str)
