"""The ``evaluate`` module ``iemomecp_explanations``, around :mod:`iemomecp_dataset.metrics.explanations.scoring`."""

from typing import Any

import datasets
import evaluate

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.metrics.arguments.argument_checks import check_list
from iemomecp_dataset.metrics.arguments.item_batches import check_options
from iemomecp_dataset.metrics.explanations.scoring import check_texts, explanation_scores
from iemomecp_dataset.metrics.significance.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.significance.explanation_bootstrap import explanation_unit_counts

_DESCRIPTION = """\
Scores of written explanations of emotions, each with one reference: BLEU, ROUGE-L and CIDEr-D in the definitions of
image captioning, the same after the opening that most references share, sacreBLEU and rouge-score, and where they can
be computed METEOR 1.5, BERTScore and BLEURT.
"""

_CITATION = """\
@inproceedings{wang2025famenet,
  title     = {Generative Emotion Cause Explanation in Multimodal Conversations},
  author    = {Wang and Yang and Feng and Wang and Zhang and Zhang},
  booktitle = {Proceedings of ICMR 2025},
  year      = {2025},
  doi       = {10.1145/3731715.3733348}
}
"""

_INPUTS = """
Args:
    predictions: texts, one per item; an empty one is counted and scores 0.
    references: their references, none of them empty.
    dialogue_ids: the dialogue of each item; adds `<score>_se, <score>_low, <score>_high`, the standard error and the
        ends of the 95 % interval over resampled dialogues.
    tokenizer: `ptb` (default) or `raw`.
    bertscore_model, bleurt_model: folder or name of a model; without it the score is absent.
    bertscore_layer: layer of the encoder.
    meteor: compute METEOR 1.5 where Java and pycocoevalcap are installed (default).
    n_resamples, seed: of the intervals.
Returns:
    a dict: `bleu_1, bleu_2, bleu_3, bleu_4, rouge_l, cider, content_bleu_4, content_rouge_l, content_cider, sacrebleu,
    rouge_1_f, rouge_2_f, rouge_l_f, n_items, n_empty`; where they can be computed `meteor, bertscore_f1, bleurt`; and
    `unavailable`, the reason by every absent key.
Examples:
    >>> import iemomecp_dataset.metrics
    >>> import evaluate
    >>> metric = evaluate.load("iemomecp_explanations", keep_in_memory=True)
    >>> result = metric.compute(predictions=["He laughs because the clown fell.", "It rained."],
    ...                         references=["He laughs because the clown fell over.", "Her train was late."],
    ...                         meteor=False)
    >>> round(result["bleu_4"], 4), round(result["content_cider"], 4)
    (0.5946, 3.8049)
"""


class IemomecpExplanations(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Explanation scores behind the interface of ``evaluate``."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in ("default", None):
            raise UsageError(f"iemomecp_explanations has no configurations; found {self.config_name!r}. Leave it out.")
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> Any:
        """Computes the scores of all items that were added, and of those given here.

        Raises:
            MetricInputError: :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores` refuses them.
        """
        check_options(self, kwargs)
        # evaluate fails on its own terms where one of the two is missing, or where there is no item.
        if predictions is not None or references is not None:
            self.add_batch(predictions=predictions, references=references)
        if self.writer is None:
            check_texts([], [])
        return super().compute(**kwargs)

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Adds a batch, as ``compute`` does with what it is given; an empty one is nothing.

        Raises:
            MetricInputError: :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores` refuses them.
        """
        check_options(self, kwargs, known=())
        candidates = check_list(predictions, "predictions", "texts, one per item")
        gold = check_list(references, "references", "texts, one per item")
        if not candidates and not gold:
            return
        # The features would cast what they are given: numbers would become texts.
        candidates, gold = check_texts(candidates, gold)
        super().add_batch(predictions=candidates, references=gold)

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Adds one item.

        Raises:
            MetricInputError: :func:`~iemomecp_dataset.metrics.explanations.scoring.explanation_scores` refuses it.
        """
        check_options(self, kwargs, known=())
        (prediction,), (reference,) = check_texts([prediction], [reference])
        super().add(prediction=prediction, reference=reference)

    def _compute(
        self,
        predictions: Any,
        references: Any,
        dialogue_ids: Any = None,
        tokenizer: str = "ptb",
        bertscore_model: str | None = None,
        bleurt_model: str | None = None,
        bertscore_layer: int | None = None,
        meteor: bool = True,
        n_resamples: int = 10_000,
        seed: int = 0,
    ) -> dict[str, Any]:
        scores = explanation_scores(
            predictions,
            references,
            tokenizer=tokenizer,
            bertscore_model=bertscore_model,
            bertscore_layer=bertscore_layer,
            bleurt_model=bleurt_model,
            meteor=meteor,
        )
        if dialogue_ids is None:
            return scores
        (counts,) = explanation_unit_counts([predictions], references, dialogue_ids, tokenizer=tokenizer)
        intervals = bootstrap_intervals(counts, n_resamples=n_resamples, seed=seed)
        unavailable = scores.pop("unavailable")
        for name, interval in intervals.items():
            scores[f"{name}_se"] = interval.standard_error
            scores[f"{name}_low"], scores[f"{name}_high"] = interval.low, interval.high
        return scores | {"unavailable": unavailable}
