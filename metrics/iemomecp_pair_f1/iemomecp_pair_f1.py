"""The ``evaluate`` module ``iemomecp_pair_f1``: a thin wrapper of :mod:`iemomecp_dataset.metrics.scoring`."""

from typing import Any

import datasets
import evaluate

from iemomecp_dataset.errors import MetricInputError, UsageError, did_you_mean
from iemomecp_dataset.metrics.arguments.item_batches import ItemBatches
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs
from iemomecp_dataset.metrics.scoring import decided, pair_scores
from iemomecp_dataset.metrics.turn_scores import turn_set_scores
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

_DESCRIPTION = """\
Scores of emotion-cause pairs in conversations: does utterance j cause the emotion of utterance i? Classification of a
list of candidate pairs, with F1, precision, recall and average precision of the positive class and of every class.
"""

_CITATION = """\
@misc{pan2026same,
  title  = {They Are Not the Same: Direct Causes Are Not Grounded Emotion Explanations},
  author = {Pan and Xia and Chan},
  year   = {2026},
  eprint = {2605.25208},
  archivePrefix = {arXiv}
}
"""

_INPUTS = """
Args:
    predictions: `(n, C)` probabilities, one row per candidate pair, or `(n,)` hard class ids.
    references: `(n,)` gold class ids; class 0 is the positive one.
    threshold: a pair is class 0 iff its probability is at least this, else the most probable other class.
        Default: the most probable class.
    missed_positives: gold pairs of class 0 that are not candidates; they count as not retrieved.
    dialogue_ids, target_turns, cause_turns, emotional_targets: one entry per pair, all four or none; they add
        `turn_emotion_*`, `turn_cause_*` and, for `3class`, `turn_context_*`.
Returns:
    a dict: `pair_f1, pair_precision, pair_recall, pair_auprc, macro_f1, macro_precision, macro_recall, macro_auprc,
    weighted_f1, accuracy, <class>_f1, <class>_precision, <class>_recall, <class>_auprc, <class>_support, n_pairs,
    confusion_matrix`, for `3class` also `context_as_cause_rate, context_as_non_pair_rate`, and `undefined`, a reason
    for every value that is NaN.
Examples:
    >>> import iemomecp_dataset.metrics
    >>> import evaluate
    >>> metric = evaluate.load("iemomecp_pair_f1", "source_binary", keep_in_memory=True)
    >>> result = metric.compute(predictions=[[0.7, 0.3], [0.4, 0.6], [0.2, 0.8]], references=[0, 0, 1])
    >>> round(result["pair_f1"], 4), result["pair_auprc"], result["confusion_matrix"]
    (0.6667, 1.0, [[1, 1], [0, 1]])
"""

_CLASSES = {"3class": ROLE_LABELS, "source_binary": PAIR_LABELS}


class IemomecpPairF1(ItemBatches, evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Pair scores behind the interface of ``evaluate``."""

    def _info(self) -> evaluate.MetricInfo:
        _class_names(self.config_name)  # an unknown name is refused when the metric is loaded, not when it computes
        label = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=[
                # Double precision, so that the module gives exactly what pair_scores gives.
                datasets.Features({"predictions": datasets.Sequence(datasets.Value("float64")), "references": label}),
                datasets.Features({"predictions": label, "references": label}),
            ],
            reference_urls=["https://arxiv.org/abs/2605.25208"],
        )

    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by id."""
        return _class_names(self.config_name)

    def _compute(
        self,
        predictions: Any,
        references: Any,
        threshold: float | None = None,
        missed_positives: int = 0,
        dialogue_ids: Any = None,
        target_turns: Any = None,
        cause_turns: Any = None,
        emotional_targets: Any = None,
    ) -> dict[str, Any]:
        class_names = _class_names(self.config_name)
        scores = pair_scores(
            predictions, references, class_names, threshold=threshold, missed_positives=missed_positives
        )
        keys = {
            "dialogue_ids": dialogue_ids,
            "target_turns": target_turns,
            "cause_turns": cause_turns,
            "emotional_targets": emotional_targets,
        }
        missing = [name for name, values in keys.items() if values is None]
        if len(missing) == len(keys):
            return scores
        if missing:
            raise MetricInputError(f"Turn-level scores need all of {', '.join(keys)}; missing: {', '.join(missing)}.")
        inputs = check_pair_inputs(predictions, references, class_names, threshold=threshold)
        undefined = scores.pop("undefined")
        turns = turn_set_scores(
            decided(inputs, inputs.threshold), inputs.labels, **keys, has_context=class_names == ROLE_LABELS
        )
        return {**scores, **turns, "undefined": undefined}


def _class_names(config_name: str) -> tuple[str, ...]:
    # evaluate itself turns no name into "default".
    name = "3class" if config_name == "default" else config_name
    if name not in _CLASSES:
        raise UsageError(
            f"There is no configuration {name!r} of iemomecp_pair_f1. {did_you_mean(name, _CLASSES)} "
            "For the corpora ecf, mecad, mec4 and reccon take source_binary, which has their classes; for meld and "
            "iemocap, which have no pairs, the metric iemomecp_erc."
        )
    return _CLASSES[name]
