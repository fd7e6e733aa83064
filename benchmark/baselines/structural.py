"""Structural baselines: scores of position in the dialogue alone, or of position and an emotion detector.

They belong in every results table. On the published IEMO-MECP test split a fixed rule on the turns alone beats every
lightweight baseline of the paper, so only what a trained system scores beyond them is evidence.

============================  =============================================================================
key                           P(class 0) of a pair (target i, cause j)
============================  =============================================================================
``all_non_pair``              0
``self``                      1 when j = i
``self_and_previous``         1 when j = i or j = i - 1
``published_distance_rule``   1 when ``|i - j| <= 1``; ``emo_context`` when 2 or 3 (three-role task only)
``distance_only``             share of class 0 among the train pairs at the same distance; its threshold, too,
                              is chosen on train
``emotion_x_distance``        P(i is emotional) times the share of class 0 among the train pairs of emotional
                              targets at the same distance
``emotion_x_distance_run``    the same with P(not neutral) of a run that recognises emotions, where one is given
============================  =============================================================================

``distance_only`` is the bar: gains, figures and paired tests are measured from it. Its key and name stand for nothing
else (``docs/comparability.md``).

None of them uses a gold emotion of the split that it predicts. The first four fit nothing; the others are fitted on
train. That matters: self-and-previous *with gold emotions* passes 64 Pair F1 on ECF, above every published system.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF, emotion_probabilities
from iemomecp_dataset.benchmark.baselines.utterance_table import UtteranceTable, target_utterances, utterance_table
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.pair_inputs import check_probabilities
from iemomecp_dataset.metrics.scoring import decide, pair_scores
from iemomecp_dataset.metrics.thresholds import best_threshold
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.schema import ROLE_LABELS

__all__ = [
    "DISTANCE_BUCKETS",
    "DISTANCE_ONLY",
    "NOT_BUILT",
    "SELF_AND_PREVIOUS",
    "DistanceRule",
    "EmotionalByRun",
    "SplitTables",
    "StructuralSystem",
    "corpus_baselines",
    "corpus_systems",
    "distance_buckets",
    "distance_rules",
    "recorded_distance_rule",
    "structural_scores",
    "structural_systems",
]

SELF_AND_PREVIOUS = "self_and_previous"
"""Key of the rule that stands in for :data:`DISTANCE_ONLY` where a record does not hold that one's decisions: it fits
nothing, and on ECF it decides alike."""

NOT_BUILT = "Not built: "
"""How the description of a row begins that could not be built; the reason follows."""

DISTANCE_ONLY = "distance_only"
"""Key of the bar: gains are measured from it, and systems are tested against it."""

EmotionalByRun: TypeAlias = tuple[str, Mapping[str, NDArray[np.float64]]]
"""Name of a run that recognises emotions, and by split ``(m,)`` its P(not neutral) of each utterance in row order."""

DISTANCE_BUCKETS = ("forward", "0", "1", "2", "3", "4-5", "6-10", ">10")
"""Buckets of the signed distance ``target - cause`` in turns; ``forward`` is a cause after its target."""


@dataclass(frozen=True)
class SplitTables:
    """One split, as pairs and as utterances of the same rows."""

    pairs: PairTable
    utterances: UtteranceTable


@dataclass(frozen=True)
class StructuralSystem:
    """The predictions of one structural baseline.

    Attributes:
        key: Key in ``results.json``.
        display_name: Name in tables.
        description: What it does and what it uses, in full sentences.
        probabilities: By split ``(n, C)`` float64 in pair order; empty when the baseline could not be built, with the
            reason in the description.
        hard: Whether it only decides: its probabilities are one-hot and rank nothing.
        by_bucket: ``(8, C)`` its probabilities by :data:`DISTANCE_BUCKETS`, where it knows nothing but the distance.
    """

    key: str
    display_name: str
    description: str
    probabilities: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    hard: bool = False
    by_bucket: NDArray[np.float64] | None = None

    def threshold(self, tables: Mapping[str, PairTable]) -> tuple[float | None, str | None]:
        """Chooses the threshold with the best pair F1.

        What knows the distance alone has eight numbers to choose from and takes train, so that its score on validation
        is a result; what knows more would be too sure on train, and takes validation where that has gold pairs.

        Args:
            tables: The pairs by split.

        Returns:
            The threshold and the split it was chosen on; twice None where none is used, as for a system that only
            decides, or without gold pairs.
        """
        splits = ("validation", "train") if self.by_bucket is None else ("train", "validation")
        for split in () if self.hard else splits:
            if split in self.probabilities and split in tables and (tables[split].labels == 0).any():
                chosen_on = tables[split]
                value, _ = best_threshold(
                    self.probabilities[split], chosen_on.labels, missed_positives=chosen_on.missed_positives
                )
                return value, split
        return None, None


def corpus_baselines(
    corpus: Corpus,
    *,
    utterance_features: Mapping[str, NDArray[np.float32]] | None = None,
    feature_source: str = TFIDF,
    emotional: EmotionalByRun | None = None,
) -> dict[str, Any]:
    """Builds and scores every structural baseline on all splits of a corpus.

    Args:
        corpus: As in :func:`corpus_systems`, and so are the others.
        utterance_features: By split ``(m, d)``.
        feature_source: Name of these features.
        emotional: P(not neutral) of a run that recognises emotions.

    Returns:
        As :func:`structural_scores`.

    Raises:
        UsageError: As in :func:`structural_systems`.
    """
    systems = corpus_systems(
        corpus, utterance_features=utterance_features, feature_source=feature_source, emotional=emotional
    )
    return structural_scores(systems, corpus.tables, corpus.class_names)


def corpus_systems(
    corpus: Corpus,
    *,
    utterance_features: Mapping[str, NDArray[np.float32]] | None = None,
    feature_source: str | None = TFIDF,
    emotional: EmotionalByRun | None = None,
) -> list[StructuralSystem]:
    """Builds every structural baseline with predictions for all splits of a corpus.

    Args:
        corpus: The corpus; without a train split there are only the rules that fit nothing.
        utterance_features: By split ``(m, d)``, one vector per utterance in row order, for the emotion detector.
        feature_source: Name of these features; ``"TF-IDF"`` without any; None: no row that detects emotions, which
            needs scikit-learn.
        emotional: P(not neutral) of a run that recognises emotions, for every split; on train cross-fitted.

    Returns:
        The systems, from the least to the most informed.

    Raises:
        UsageError: As in :func:`structural_systems`.
        MissingDependencyError: As there.
    """
    features = utterance_features or {}
    splits = {
        split: SplitTables(corpus.tables[split], utterance_table(rows, corpus.emotion_names, features.get(split)))
        for split, rows in corpus.rows.items()
    }
    if "train" not in splits:
        return _rules(splits, corpus.class_names)
    others = {split: tables for split, tables in splits.items() if split != "train"}
    return structural_systems(splits["train"], others, corpus.class_names, feature_source, emotional)


def structural_systems(
    train: SplitTables,
    others: Mapping[str, SplitTables],
    class_names: Sequence[str],
    feature_source: str | None = TFIDF,
    emotional: EmotionalByRun | None = None,
) -> list[StructuralSystem]:
    """Builds every structural baseline that fits the task, with predictions for all splits.

    Args:
        train: The split to fit on.
        others: The other splits, by name. Any may be absent.
        class_names: Names of the ``C`` pair classes, by id; class 0 is the positive one, the last one is non_pair.
        feature_source: Input of the emotion detector: ``"TF-IDF"`` (built from the texts), or the name of the
            features that every utterance table holds; None: no row that detects emotions.
        emotional: As in :func:`corpus_baselines`.

    Returns:
        The systems, from the least to the most informed.

    Raises:
        UsageError: There are fewer than two classes, or features are named that a split does not have.
        MissingDependencyError: scikit-learn, which detects emotions, is not installed.
    """
    if len(class_names) < 2:
        raise UsageError(f"Structural baselines need at least two classes, but got {list(class_names)}.")
    splits = {"train": train, **others}
    systems = [*_rules(splits, class_names), _distance_only(splits, class_names)]
    if feature_source is not None:
        systems.append(_emotion_x_distance(splits, class_names, feature_source))
    if emotional is not None:
        systems.append(_run_x_distance(splits, class_names, *emotional))
    return systems


def structural_scores(
    systems: Sequence[StructuralSystem], tables: Mapping[str, PairTable], class_names: Sequence[str]
) -> dict[str, Any]:
    """Scores structural baselines as any other system.

    A hard baseline is scored by its decisions. Of a soft one, pairs are those whose P(class 0) reaches the threshold of
    :meth:`StructuralSystem.threshold`; without gold pairs to choose one on, the most probable class is decided for.

    Args:
        systems: What :func:`structural_systems` gave.
        tables: The pairs by split, those that the systems predicted. Scores are given for these splits.
        class_names: Names of the pair classes, by id.

    Returns:
        By key ``{"display_name", "description", "threshold", "chosen_on", "splits": {split: scores}}``.
        ``threshold`` and ``chosen_on`` are None where no threshold was used. A system that knows the distance alone
        also has ``by_distance``, the class it decides for in each of :data:`DISTANCE_BUCKETS`.
    """
    scores: dict[str, Any] = {}
    for system in systems:
        threshold, chosen_on = system.threshold(tables)
        scores[system.key] = {
            "display_name": system.display_name,
            "description": system.description,
            "threshold": threshold,
            "chosen_on": chosen_on,
            **(
                {}
                if system.by_bucket is None
                else {"by_distance": _by_distance(system.by_bucket, threshold, class_names)}
            ),
            "splits": {
                split: pair_scores(
                    # Hard ids: a system that ranks nothing has no average precision.
                    system.probabilities[split].argmax(axis=1) if system.hard else system.probabilities[split],
                    table.labels,
                    class_names,
                    threshold=threshold,
                    missed_positives=table.missed_positives,
                )
                for split, table in tables.items()
                if split in system.probabilities
            },
        }
    return scores


def _by_distance(rates: NDArray[np.float64], threshold: float | None, class_names: Sequence[str]) -> dict[str, str]:
    # Rescaled as in pair_scores: the threshold is one of the rates, to the last bit.
    decided = decide(check_probabilities(rates, class_names)[0], threshold).tolist()
    return {bucket: class_names[one] for bucket, one in zip(DISTANCE_BUCKETS, decided, strict=True)}


@dataclass(frozen=True)
class DistanceRule:
    """A baseline that fits nothing and decides by the signed distance ``target - cause`` alone.

    Attributes:
        key: As in :class:`StructuralSystem`, and so are the next two.
        display_name: Name in tables.
        description: What it does.
        decide: ``(n,)`` distances to ``(n,)`` class ids.
    """

    key: str
    display_name: str
    description: str
    decide: Callable[[NDArray[np.int64]], NDArray[np.int64]]


def distance_rules(class_names: Sequence[str]) -> list[DistanceRule]:
    """Lists the rules that fit a task.

    Args:
        class_names: Names of the pair classes, by id; class 0 is the positive one, the last one is non_pair.

    Returns:
        The rules, from the least to the most informed.

    Example:
        >>> rule = distance_rules(("emo_cause", "emo_context", "non_pair"))[-1]
        >>> rule.decide(np.array([0, 1, 2, 4])).tolist()
        [0, 0, 1, 2]
    """
    non_pair = len(class_names) - 1
    blind = "Ignores emotions, so neutral targets get causes too."
    rules = [
        DistanceRule(
            "all_non_pair",
            "all non-pair",
            "Predicts non_pair for every candidate, without any input.",
            lambda d: np.full(d.shape, non_pair),
        ),
        DistanceRule(
            "self",
            "self",
            f"Predicts each utterance as the only cause of its own emotion. {blind}",
            lambda d: np.where(d == 0, 0, non_pair),
        ),
        DistanceRule(
            SELF_AND_PREVIOUS,
            "self + previous",
            f"Predicts each utterance and the one before it as the causes of its emotion. {blind}",
            lambda d: np.where((d == 0) | (d == 1), 0, non_pair),
        ),
    ]
    if tuple(class_names) == ROLE_LABELS:
        rules.append(
            DistanceRule(
                "published_distance_rule",
                "0-1 cause, 2-3 context",
                "Predicts emo_cause for utterances at most one turn apart, emo_context for two or three turns, "
                f"non_pair beyond, in both directions. {blind}",
                lambda d: np.where(np.abs(d) <= 1, 0, np.where(np.abs(d) <= 3, 1, non_pair)),
            )
        )
    return rules


def recorded_distance_rule(
    structural_baselines: Mapping[str, Mapping[str, Any]], class_names: Sequence[str]
) -> DistanceRule | None:
    """Finds the fitted baseline on distance in the record of a run, so that it can decide on other pairs.

    Args:
        structural_baselines: What :func:`structural_scores` gave.
        class_names: Names of the pair classes, by id.

    Returns:
        The rule; None where the record does not hold its decisions, as those of earlier versions.

    Example:
        >>> decisions = dict.fromkeys(DISTANCE_BUCKETS, "non_pair") | {"0": "pair", "1": "pair"}
        >>> record = {DISTANCE_ONLY: {"display_name": "distance only", "by_distance": decisions}}
        >>> recorded_distance_rule(record, ("pair", "non_pair")).decide(np.array([-1, 0, 1, 2])).tolist()
        [1, 0, 0, 1]
    """
    recorded = structural_baselines.get(DISTANCE_ONLY, {})
    by_distance = recorded.get("by_distance") or {}
    if not set(DISTANCE_BUCKETS) <= by_distance.keys() or not set(by_distance.values()) <= set(class_names):
        return None
    ids = np.array([class_names.index(by_distance[bucket]) for bucket in DISTANCE_BUCKETS], dtype=np.int64)
    return DistanceRule(
        DISTANCE_ONLY,
        str(recorded.get("display_name") or "distance only"),
        str(recorded.get("description") or ""),
        lambda distances: ids[distance_buckets(distances)],
    )


def distance_buckets(distances: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorts signed distances into :data:`DISTANCE_BUCKETS`.

    Args:
        distances: ``(n,)`` signed distances ``target - cause``, in turns.

    Returns:
        ``(n,)`` int64, indices into :data:`DISTANCE_BUCKETS`.

    Example:
        >>> [DISTANCE_BUCKETS[i] for i in distance_buckets(np.array([-2, 0, 3, 5, 6, 11]))]
        ['forward', '0', '3', '4-5', '6-10', '>10']
    """
    return np.searchsorted(np.array([0, 1, 2, 3, 4, 6, 11]), distances, side="right").astype(np.int64)


def _rules(splits: Mapping[str, SplitTables], class_names: Sequence[str]) -> list[StructuralSystem]:
    """Builds the baselines that fit nothing and only decide."""
    return [
        StructuralSystem(
            key=rule.key,
            display_name=rule.display_name,
            description=rule.description,
            probabilities={
                split: np.eye(len(class_names))[rule.decide(tables.pairs.distances)] for split, tables in splits.items()
            },
            hard=True,
        )
        for rule in distance_rules(class_names)
    ]


def _distance_only(splits: Mapping[str, SplitTables], class_names: Sequence[str]) -> StructuralSystem:
    rates = _rates_by_bucket(splits["train"].pairs, len(class_names))
    return StructuralSystem(
        key=DISTANCE_ONLY,
        display_name="distance only",
        description="Class frequencies of the train pairs at the same signed distance, in the buckets "
        f"{', '.join(DISTANCE_BUCKETS)}; the threshold, too, is chosen on train. Ignores words and emotions."
        + _unseen_buckets(splits),
        probabilities={split: rates[distance_buckets(tables.pairs.distances)] for split, tables in splits.items()},
        by_bucket=rates,
    )


def _emotion_x_distance(
    splits: Mapping[str, SplitTables], class_names: Sequence[str], feature_source: str
) -> StructuralSystem:
    key, display_name = "emotion_x_distance", f"emotion x distance ({feature_source})"
    train = splits["train"]
    if feature_source == TFIDF and not any(text.strip() for text in train.utterances.texts):
        reason = f"{NOT_BUILT}the utterances have no text and no features were given for the emotion detector."
        warnings.warn(f"{display_name}: {reason}", stacklevel=3)
        return StructuralSystem(key=key, display_name=display_name, description=reason)
    emotional = emotion_probabilities(
        train.utterances,
        {split: tables.utterances for split, tables in splits.items() if split != "train"},
        feature_source,
    )
    return StructuralSystem(
        key=key,
        display_name=display_name,
        description=f"P(target is emotional), by a logistic regression on {feature_source} features fitted on train, "
        f"times the share of {class_names[0]} among the train pairs of emotional targets at the same distance. Gold "
        "emotions are used for fitting, on train alone." + _unseen_buckets(splits),
        probabilities=_times_distance(splits, class_names, emotional),
    )


def _run_x_distance(
    splits: Mapping[str, SplitTables],
    class_names: Sequence[str],
    run_name: str,
    emotional: Mapping[str, NDArray[np.float64]],
) -> StructuralSystem:
    return StructuralSystem(
        key="emotion_x_distance_run",
        display_name=f"emotion x distance ({run_name})",
        description=f"P(target is not neutral), as the run {run_name} predicts it, times the share of {class_names[0]} "
        "among the train pairs of emotional targets at the same distance." + _unseen_buckets(splits),
        probabilities=_times_distance(splits, class_names, emotional),
    )


def _times_distance(
    splits: Mapping[str, SplitTables], class_names: Sequence[str], emotional: Mapping[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """``(n, C)`` by split: P(the target is emotional) times the rates of train pairs by distance."""
    train = splits["train"]
    emotional_targets = train.pairs.emotional_targets
    if emotional_targets is None:
        raise UsageError("The train pairs have no emotional_targets. Build them from rows with pair_table.")
    all_rates = _rates_by_bucket(train.pairs, len(class_names))
    emotional_rates = _rates_by_bucket(train.pairs.take(emotional_targets), len(class_names))
    # The rest of the probability is shared by the other classes as in train at that distance.
    others = all_rates[:, 1:].copy()
    others[others.sum(axis=1) == 0, -1] = 1.0
    others /= others.sum(axis=1, keepdims=True)
    probabilities = {}
    for split, tables in splits.items():
        buckets = distance_buckets(tables.pairs.distances)
        of_target = emotional[split][target_utterances(tables.pairs, tables.utterances)]
        cause = of_target * emotional_rates[buckets, 0]
        probabilities[split] = np.column_stack([cause, (1.0 - cause)[:, None] * others[buckets]])
    return probabilities


def _rates_by_bucket(pairs: PairTable, n_classes: int) -> NDArray[np.float64]:
    """Computes ``(8, C)`` class frequencies by distance bucket; the overall ones where a bucket has no pair."""
    counts = np.zeros((len(DISTANCE_BUCKETS), n_classes))
    np.add.at(counts, (distance_buckets(pairs.distances), pairs.labels), 1.0)
    if not counts.any():
        # Train has no pairs, or no emotional target: non_pair everywhere.
        counts[:, -1] = 1.0
    counts[counts.sum(axis=1) == 0] = counts.sum(axis=0)
    rates: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return rates


def _unseen_buckets(splits: Mapping[str, SplitTables]) -> str:
    """States which pairs have a distance that does not occur in train."""
    seen = np.unique(distance_buckets(splits["train"].pairs.distances))
    unseen = {
        split: int((~np.isin(distance_buckets(tables.pairs.distances), seen)).sum())
        for split, tables in splits.items()
        if split != "train"
    }
    listed = ", ".join(f"{count} of {split}" for split, count in unseen.items() if count)
    return f" Pairs at a distance without train pairs ({listed}) take the overall train frequencies." if listed else ""
