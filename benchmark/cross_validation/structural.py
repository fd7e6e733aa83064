"""Structural baselines out of fold: fitted without the fold that they predict, as the runs beside them are."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.baselines.structural import NOT_BUILT, StructuralSystem, corpus_systems
from iemomecp_dataset.benchmark.cross_validation.joining import folds_of_pairs
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDependencyError
from iemomecp_dataset.files import make_folder, read_json, write_json
from iemomecp_dataset.folds import Folds, fold_corpus
from iemomecp_dataset.metrics.scoring import pair_scores, scores_of_decisions
from iemomecp_dataset.trainers.training.progress import content_digest

__all__ = ["STRUCTURAL_FILE", "StructuralFolds", "structural_folds"]

STRUCTURAL_FILE = "structural.json"


@dataclass(frozen=True)
class StructuralFolds:
    """One structural baseline.

    Attributes:
        key: Its key in records.
        display_name: Name in tables.
        description: What it does.
        pooled: Scores of all folds together.
        of_folds: By fold, from the first, ``pair_f1`` and ``pair_auprc`` on it, NaN where a rule ranks nothing.
        development: The same on validation, with the rule that was fitted for the fold.
    """

    key: str
    display_name: str
    description: str
    pooled: Mapping[str, Any] = field(default_factory=dict)
    of_folds: tuple[Mapping[str, float], ...] = ()
    development: tuple[Mapping[str, float], ...] = ()

    def as_recorded(self, split: str) -> dict[str, Any]:
        """The baseline as the record of a joined run has it."""
        soft = not math.isnan(self.pooled.get("pair_auprc", math.nan))
        return {
            "display_name": self.display_name,
            "description": self.description,
            "threshold": None,
            "chosen_on": "folds" if soft else None,
            "splits": {split: dict(self.pooled)} if self.pooled else {},
        }


def structural_folds(corpus: Corpus, folds: Folds, runs_dir: Path) -> list[StructuralFolds]:
    """Fits and scores every structural baseline on all folds, or reads what was computed before of the same data.

    Scores are kept where every baseline could be built: what was missing may be there the next time. Emotions
    are detected by TF-IDF features, so that no encoder is needed.

    Args:
        corpus: The whole corpus.
        folds: Its folds.
        runs_dir: Folder that keeps the scores.

    Returns:
        The baselines, from the least to the most informed.
    """
    path = runs_dir / STRUCTURAL_FILE
    # Validation has a part in no fold, and chooses the thresholds.
    read = {"folds": folds.digest} | {
        name: of_split.get("validation")
        for name, of_split in (("data", corpus.fingerprints), ("texts", corpus.text_fingerprints))
    }
    kept = _kept(path, read)
    if kept is None:
        kept = list(_computed(corpus, folds))
        if all(one.pooled for one in kept):
            content = {**read, "baselines": [_as_json(one) for one in kept]}
            make_folder(runs_dir)
            write_json(path, {**content, "digest": content_digest(content)})
    return kept


def _kept(path: Path, read: Mapping[str, Any]) -> list[StructuralFolds] | None:
    """What was computed before of these folds and this data; None where there is nothing, or something else."""
    if not path.is_file():
        return None
    try:
        content = read_json(path)
    except InvalidDataError:
        return None
    if not isinstance(content, dict) or content.pop("digest", None) != content_digest(content):
        return None
    baselines = content.pop("baselines")
    return [_of_json(one) for one in baselines] if content == read else None


def _computed(corpus: Corpus, folds: Folds) -> Iterator[StructuralFolds]:
    from tqdm import tqdm

    from iemomecp_dataset.progress import bars_hidden

    systems: dict[str, list[StructuralSystem]] = {}
    parts = []
    numbers = range(1, folds.n + 1)
    for fold in tqdm(numbers, desc="Structural baselines", leave=False, disable=bars_hidden()):
        part = fold_corpus(corpus, folds, fold)
        parts.append(part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a row that cannot be built says why in its description
            try:
                found = corpus_systems(part, feature_source=TFIDF)
            except MissingDependencyError as error:
                lacking = StructuralSystem("emotion_x_distance", f"emotion x distance ({TFIDF})", f"{NOT_BUILT}{error}")
                found = [*corpus_systems(part, feature_source=None), lacking]
        for system in found:
            systems.setdefault(system.key, []).append(system)
    of_pair, table = folds_of_pairs(corpus, folds), corpus.tables[folds.split]
    for key, of_folds in systems.items():
        first = of_folds[0]
        if len(of_folds) < folds.n or any("test" not in system.probabilities for system in of_folds):
            yield StructuralFolds(key, first.display_name, first.description)
            continue
        probabilities = np.zeros((len(table), len(corpus.class_names)))
        decisions = np.zeros(len(table), dtype=np.int64)
        scores: dict[str, list[dict[str, float]]] = {"test": [], "validation": []}
        for fold, system, part in zip(numbers, of_folds, parts, strict=True):
            threshold, _ = system.threshold(part.tables)
            for split, into in scores.items():
                given = system.probabilities[split]
                found_scores = pair_scores(
                    given.argmax(axis=1) if system.hard else given,
                    part.tables[split].labels,
                    part.class_names,
                    threshold=None if system.hard else threshold,
                    missed_positives=part.tables[split].missed_positives,
                )
                into.append({name: found_scores[name] for name in ("pair_f1", "pair_auprc")})
            # Rows keep their order within a fold.
            probabilities[of_pair == fold] = system.probabilities["test"]
            decisions[of_pair == fold] = _decided(system.probabilities["test"], threshold, corpus.class_names)
        missed = table.missed_positives
        pooled = (
            pair_scores(decisions, table.labels, corpus.class_names, missed_positives=missed)
            if first.hard
            else scores_of_decisions(
                probabilities, decisions, table.labels, corpus.class_names, missed_positives=missed
            )
        )
        yield StructuralFolds(
            key, first.display_name, first.description, pooled, tuple(scores["test"]), tuple(scores["validation"])
        )


def _decided(probabilities: Any, threshold: float | None, class_names: tuple[str, ...]) -> Any:
    from iemomecp_dataset.metrics.pair_inputs import check_probabilities
    from iemomecp_dataset.metrics.scoring import decide

    # Rescaled as in pair_scores: a threshold may be one of the rates, to the last bit.
    return decide(check_probabilities(probabilities, class_names)[0], threshold)


def _as_json(one: StructuralFolds) -> dict[str, Any]:
    return {
        "key": one.key,
        "display_name": one.display_name,
        "description": one.description,
        "pooled": _plain(one.pooled),
        "of_folds": [_plain(scores) for scores in one.of_folds],
        "development": [_plain(scores) for scores in one.development],
    }


def _plain(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in scores.items()}


def _of_json(content: Mapping[str, Any]) -> StructuralFolds:
    def read(scores: Mapping[str, Any]) -> dict[str, Any]:
        return {key: math.nan if value is None else value for key, value in scores.items()}

    return StructuralFolds(
        content["key"],
        content["display_name"],
        content["description"],
        read(content["pooled"]),
        tuple(read(scores) for scores in content["of_folds"]),
        tuple(read(scores) for scores in content["development"]),
    )
