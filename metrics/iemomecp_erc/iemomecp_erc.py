"""The ``evaluate`` module ``iemomecp_erc``: a thin wrapper of :mod:`iemomecp_dataset.metrics.emotion_scoring`."""

from typing import Any

import datasets
import evaluate

from iemomecp_dataset.corpora.metadata import emotions_of_config
from iemomecp_dataset.errors import MetricInputError, UsageError, did_you_mean
from iemomecp_dataset.metrics.arguments.item_batches import ItemBatches
from iemomecp_dataset.metrics.emotion_scoring import emotion_scores, neutral_of
from iemomecp_dataset.metrics.emotion_shifts import shift_scores
from iemomecp_dataset.metrics.pair_inputs import check_pair_inputs
from iemomecp_dataset.metrics.scoring import decided
from iemomecp_dataset.schema import COMMON_EMOTIONS

_DESCRIPTION = """\
Scores of emotion recognition in conversations: the emotion of every utterance, neutral included. Weighted F1, accuracy,
macro F1, scores of every class, calibration, and accuracy where a speaker's emotion changes and where it stays.
"""

_CITATION = """\
@inproceedings{zhang2025ecerc,
  title     = {{ECERC}: Evidence-Cause Attention Network for Multi-Modal Emotion Recognition in Conversation},
  author    = {Zhang, Tao and Tan, Zhenhua},
  booktitle = {Proceedings of ACL 2025 (Volume 1: Long Papers)},
  year      = {2025}
}
"""

_INPUTS = """
Args:
    predictions: `(n, C)` probabilities, one row per utterance, or `(n,)` hard class ids.
    references: `(n,)` gold class ids. Utterances without a known emotion are left out.
    dialogue_ids, turns, speakers: one entry per utterance, all three or none; they add `shift_accuracy, shift_support,
        stay_accuracy, stay_support`.
Returns:
    a dict: `weighted_f1, accuracy, macro_f1, weighted_f1_without_neutral, <class>_f1, <class>_precision,
    <class>_recall, <class>_support, confusion_matrix, n_utterances`, with probabilities `ece, brier`, and `undefined`,
    the names of classes with neither gold nor prediction.
Examples:
    >>> import iemomecp_dataset.metrics
    >>> import evaluate
    >>> metric = evaluate.load("iemomecp_erc", "ecf", keep_in_memory=True)
    >>> result = metric.compute(predictions=[0, 1, 1, 3], references=[0, 1, 0, 3])
    >>> round(result["weighted_f1"], 4), result["accuracy"], result["undefined"]
    (0.75, 0.75, ['surprise', 'sadness', 'disgust', 'fear'])
"""

_CONFIGS = ("meld", "iemocap", "ecf", "mecad", "reccon", "common")


class IemomecpErc(ItemBatches, evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Emotion scores behind the interface of ``evaluate``."""

    item = "utterance"

    def _info(self) -> evaluate.MetricInfo:
        _class_names(self.config_name)  # an unknown name is refused when the metric is loaded, not when it computes
        label = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=[
                # Double precision, so that the module gives exactly what emotion_scores gives.
                datasets.Features({"predictions": datasets.Sequence(datasets.Value("float64")), "references": label}),
                datasets.Features({"predictions": label, "references": label}),
            ],
        )

    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by id."""
        return _class_names(self.config_name)

    def _compute(
        self,
        predictions: Any,
        references: Any,
        dialogue_ids: Any = None,
        turns: Any = None,
        speakers: Any = None,
    ) -> dict[str, Any]:
        names = _class_names(self.config_name)
        scores = emotion_scores(predictions, references, names, neutral=neutral_of(names))
        keys = {"dialogue_ids": dialogue_ids, "turns": turns, "speakers": speakers}
        missing = [name for name, values in keys.items() if values is None]
        if len(missing) == len(keys):
            return scores
        if missing:
            raise MetricInputError(f"Shift scores need all of {', '.join(keys)}; missing: {', '.join(missing)}.")
        inputs = check_pair_inputs(predictions, references, names, item="utterance")
        undefined = scores.pop("undefined")
        return {**scores, **shift_scores(decided(inputs), inputs.labels, **keys), "undefined": undefined}


def _class_names(config_name: str) -> tuple[str, ...]:
    if config_name not in _CONFIGS:
        # evaluate itself turns no name into "default".
        asked = "no configuration was named" if config_name == "default" else f"there is no {config_name!r}"
        raise UsageError(
            f"iemomecp_erc needs the name of a corpus, whose emotions it scores, or 'common' for those of "
            f"emotions='common'; {asked}. "
            f"{did_you_mean(config_name, _CONFIGS)} IEMO-MECP has the emotions of iemocap."
        )
    return COMMON_EMOTIONS if config_name == "common" else emotions_of_config(config_name)
