"""Diagnostic 9: how well a model's output is predicted by features that need no understanding of the words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.diagnostics.distance_profile import ABSOLUTE_BUCKETS, absolute_buckets
from iemomecp_dataset.benchmark.diagnostics.pair_facts import PairFacts
from iemomecp_dataset.errors import MetricInputError, missing_extra

__all__ = ["ProxyFit", "observable_features", "predict_from_proxies"]


@dataclass(frozen=True)
class ProxyFit:
    """Fit of observable features to a model's output, on pairs of dialogues they were not fitted on.

    Attributes:
        auc: Area under the ROC curve for hard predictions; NaN for probabilities, or where only one decision occurs.
        r2: Share of variance explained, for probabilities; NaN for hard predictions.
        spearman: Rank correlation, for probabilities; NaN for hard predictions.
        n: Pairs.
    """

    auc: float
    r2: float
    spearman: float
    n: int


def observable_features(facts: PairFacts, *, with_source: bool = False) -> NDArray[np.float64]:
    """Collects the features of pairs that need no understanding of the words.

    Args:
        facts: The pairs.
        with_source: Add the original binary label for comparison; it is not observable.

    Returns:
        ``(n, d)``: one-hot absolute distance bucket, forward pair or not, lexical overlap, both lengths (log), same
        speaker, position of the target.

    Raises:
        MetricInputError: A text is missing, so the overlap of its pairs is unknown.
    """
    unknown = int(np.isnan(facts.lexical_overlap).sum())
    if unknown:
        raise MetricInputError(f"The lexical overlap of {unknown} pairs is unknown, because utterances have no text.")
    columns = [
        np.eye(len(ABSOLUTE_BUCKETS))[absolute_buckets(facts.distances)],
        (facts.distances < 0)[:, None],
        facts.lexical_overlap[:, None],
        np.log1p(facts.target_lengths)[:, None],
        np.log1p(facts.cause_lengths)[:, None],
        facts.same_speaker[:, None],
        facts.target_positions[:, None],
    ]
    if with_source:
        columns.append(facts.source_pairs[:, None])
    return np.concatenate([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def predict_from_proxies(
    outputs: ArrayLike, facts: PairFacts, *, with_source: bool = False, n_folds: int = 5
) -> ProxyFit:
    """Predicts the outputs of one run from observable features, out of fold over whole source dialogues.

    Hard outputs (bool) are predicted by a logistic regression, probabilities (float) by a ridge regression. The
    published analysis does not name its regressors; these are our choice.

    Args:
        outputs: ``(n,)`` bool or float, of one seed.
        facts: The pairs.
        with_source: See :func:`observable_features`.
        n_folds: Folds; fewer where there are fewer source dialogues.

    Returns:
        The fit.

    Raises:
        MetricInputError: Another number of outputs than pairs, or fewer than two source dialogues.
    """
    try:
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.metrics import r2_score, roc_auc_score
        from sklearn.model_selection import GroupKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise missing_extra("scikit-learn", "report") from error
    y = np.asarray(outputs)
    if y.shape != (len(facts),):
        raise MetricInputError(f"One output for each of {len(facts)} pairs is needed; found shape {y.shape}.")
    groups = facts.pairs.source_dialogue_ids
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise MetricInputError("At least two source dialogues are needed, one to fit on and one to predict.")
    nan = float("nan")
    x = observable_features(facts, with_source=with_source)
    folds = GroupKFold(n_splits=min(n_folds, n_groups))
    if y.dtype == np.bool_:
        counts = [len(np.unique(y[fit])) for fit, _ in folds.split(x, y, groups)]
        if min(counts) < 2:
            return ProxyFit(nan, nan, nan, len(y))
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
        scores = cross_val_predict(model, x, y, groups=groups, cv=folds, method="decision_function")
        return ProxyFit(float(roc_auc_score(y, scores)), nan, nan, len(y))
    predicted = cross_val_predict(make_pipeline(StandardScaler(), Ridge()), x, y, groups=groups, cv=folds)
    return ProxyFit(nan, float(r2_score(y, predicted)), _spearman(y.astype(np.float64), predicted), len(y))


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Computes the Pearson correlation of average ranks; NaN where one side is constant."""
    import pandas as pd

    ranks = [pd.Series(values).rank().to_numpy() for values in (one, other)]
    if any(r.std() == 0 for r in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])
