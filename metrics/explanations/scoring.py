"""Scores of explanations as plain functions of texts, each with one reference, without ``evaluate`` and torch.

Scores of one name differ between implementations by several points, so every key states whose definition it is:
``bleu_*, rouge_l, cider`` are those of image captioning (COCO), ``sacrebleu`` and ``rouge_*_f`` those of the libraries
sacreBLEU and rouge-score. The headline is ``content_cider``, CIDEr of what follows the opening: references open alike,
and a sentence that states nothing but the emotion does well on whole texts.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.metrics.arguments.argument_checks import check_flag, check_list
from iemomecp_dataset.metrics.explanations.learned import bertscore_items, bleurt_items
from iemomecp_dataset.metrics.explanations.meteor import meteor_scores
from iemomecp_dataset.metrics.explanations.ngrams import bleu, bleu_counts, cider_items, count_ngrams, rouge_l_items
from iemomecp_dataset.metrics.explanations.tokens import content_tokens, tokenizer_of

__all__ = [
    "COUNTED_SCORES",
    "EXPLANATION_SCORES",
    "HEADLINE_SCORE",
    "MODEL_SCORES",
    "ExplanationScores",
    "TextStatistics",
    "check_texts",
    "explanation_scores",
    "lone_surrogate",
    "scores_of_sums",
    "text_statistics",
]

ExplanationScores: TypeAlias = dict[str, Any]
"""Scores by name, ``n_items``, ``n_empty``, and ``unavailable``, as :func:`explanation_scores` lists them."""

HEADLINE_SCORE = "content_cider"
"""The score that tables sort by."""

COUNTED_SCORES = (
    "bleu_1",
    "bleu_2",
    "bleu_3",
    "bleu_4",
    "rouge_l",
    "cider",
    "content_bleu_4",
    "content_rouge_l",
    "content_cider",
)
"""Scores that follow from n-grams of tokens, and that are resampled."""

MODEL_SCORES = ("meteor", "bertscore_f1", "bleurt")
"""Scores that need something beside this package; absent where it is not there."""

EXPLANATION_SCORES = (*COUNTED_SCORES, "sacrebleu", "rouge_1_f", "rouge_2_f", "rouge_l_f", *MODEL_SCORES)
"""All scores, in the order of tables."""

_BLEU = 2 * 4 + 2
_PART = _BLEU + 2


@dataclass(frozen=True)
class TextStatistics:
    """Holds what the counted scores of any set of items depend on.

    Attributes:
        sums: ``(m, 25)``: 1, then for whole texts and for what follows the opening the counts of BLEU, ROUGE-L and
            CIDEr. CIDEr's document frequencies are those of all ``m`` references, in every subset.
        n_empty: Candidates without a word.
    """

    sums: NDArray[np.float64]
    n_empty: int


def explanation_scores(
    predictions: Iterable[str],
    references: Iterable[str],
    *,
    tokenizer: str = "ptb",
    bertscore_model: str | None = None,
    bertscore_layer: int | None = None,
    bleurt_model: str | None = None,
    meteor: bool = True,
) -> ExplanationScores:
    """Scores written explanations.

    Args:
        predictions: ``m`` texts. White space is normalised, nothing else. An empty one is counted and scores 0.
        references: Their ``m`` references, none of them empty.
        tokenizer: ``ptb``: Treebank tokens in lower case without punctuation, as published scores have them; ``raw``:
            split at blanks, as some released scripts do. The two differ by several points.
        bertscore_model: Folder or name of an encoder; None: no BERTScore.
        bertscore_layer: Its layer, 1 for the first; None: that of the published scores where the model is one of
            theirs, else the last.
        bleurt_model: Folder or name of a BLEURT checkpoint, a sequence classifier with one output; None: no BLEURT.
        meteor: Compute METEOR 1.5 where Java and ``pycocoevalcap`` are installed; it takes seconds.

    Returns:
        ``bleu_1, bleu_2, bleu_3, bleu_4, rouge_l`` (0 to 1) and ``cider`` (0 to 10), the definitions of COCO;
        ``content_bleu_4, content_rouge_l, content_cider``, the same after the opening
        (:func:`~iemomecp_dataset.metrics.explanations.tokens.content_tokens`); ``sacrebleu`` (0 to 100: tokens ``13a``,
        case kept, exponential smoothing); ``rouge_1_f, rouge_2_f, rouge_l_f`` (rouge-score, no stemmer, 0 to 1); where
        they can be computed ``meteor`` (1.5), ``bertscore_f1`` (no idf, not rescaled), ``bleurt``; ``n_items,
        n_empty``, and ``unavailable``, the reason by every absent key.

    Raises:
        MetricInputError: No items, another number of references, a missing candidate, an empty reference or several,
            or a text with a lone surrogate.
        MissingModelError: A model that is named cannot be loaded.
        MissingDependencyError: A model is named and torch or transformers is not installed.

    Example:
        >>> references = ["The reason she is sad is that her friend moves abroad.", "He laughs because the clown fell."]
        >>> scores = explanation_scores(["She is sad because her friend moves.", ""], references, meteor=False)
        >>> [round(scores[key], 4) for key in ("bleu_4", "rouge_l", "cider", "content_cider", "sacrebleu")]
        [0.0, 0.3205, 1.5798, 2.9458, 6.8404]
        >>> scores["n_items"], scores["n_empty"], list(scores["unavailable"])
        (2, 1, ['meteor', 'bertscore_f1', 'bleurt'])
    """
    candidates, gold = check_texts(predictions, references)
    statistics_of = text_statistics(candidates, gold, tokenizer=tokenizer)
    values = scores_of_sums(statistics_of.sums.sum(axis=0))
    scores: ExplanationScores = {name: float(value) for name, value in values.items()}
    scores |= _library_scores(candidates, gold)
    unavailable: dict[str, str] = {}
    if check_flag(meteor, "meteor"):
        found = meteor_scores(*_joined(candidates, gold, tokenizer))
        if isinstance(found, str):
            unavailable["meteor"] = found
        else:
            scores["meteor"] = found.corpus
    else:
        unavailable["meteor"] = "It was not asked for: pass meteor=True."
    if bertscore_model is None:
        unavailable["bertscore_f1"] = (
            "No model is named: pass bertscore_model=, a folder with config.json, model.safetensors and the "
            "tokenizer's files, such as a copy of microsoft/deberta-xlarge-mnli or roberta-large."
        )
    else:
        items = bertscore_items(candidates, gold, bertscore_model, layer=bertscore_layer)
        scores["bertscore_f1"] = float(items.mean())
    if bleurt_model is None:
        unavailable["bleurt"] = (
            "No model is named: pass bleurt_model=, a folder with config.json, model.safetensors and the tokenizer's "
            "files of a sequence classifier with one output, such as a copy of Elron/bleurt-base-512."
        )
    else:
        scores["bleurt"] = float(bleurt_items(candidates, gold, bleurt_model).mean())
    return scores | {"n_items": len(gold), "n_empty": statistics_of.n_empty, "unavailable": unavailable}


def text_statistics(predictions: Iterable[str], references: Iterable[str], *, tokenizer: str = "ptb") -> TextStatistics:
    """Computes what the counted scores of any set of these items depend on.

    Args:
        predictions: As in :func:`explanation_scores`.
        references: As in :func:`explanation_scores`.
        tokenizer: As in :func:`explanation_scores`.

    Returns:
        The statistics; their sums over items go to :func:`scores_of_sums`.

    Raises:
        MetricInputError: As in :func:`explanation_scores`.
    """
    candidates, gold = check_texts(predictions, references)
    tokens = tokenizer_of(tokenizer)
    whole = [[tokens(text) for text in texts] for texts in (candidates, gold)]
    content = [[content_tokens(text) for text in texts] for texts in whole]
    m = len(gold)
    columns = [np.ones((m, 1))]
    for of_candidates, of_references in (whole, content):
        counts = count_ngrams(of_candidates, of_references)
        items = np.stack([rouge_l_items(of_candidates, of_references), cider_items(counts, m)], axis=-1)
        columns += [bleu_counts(counts, m), items]
    return TextStatistics(np.concatenate(columns, axis=1), sum(not text for text in candidates))


def scores_of_sums(sums: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Computes the counted scores of sets of items.

    Args:
        sums: ``(..., 25)``, the statistics summed over the items of each set.

    Returns:
        :data:`COUNTED_SCORES`, each ``(...,)``.
    """
    n_items = sums[..., 0]
    whole, content = sums[..., 1 : 1 + _PART], sums[..., 1 + _PART :]
    of_orders = bleu(whole[..., :_BLEU])
    values = [of_orders[..., k] for k in range(4)]
    values += [whole[..., _BLEU] / n_items, whole[..., _BLEU + 1] / n_items]
    values += [bleu(content[..., :_BLEU])[..., 3], content[..., _BLEU] / n_items, content[..., _BLEU + 1] / n_items]
    return dict(zip(COUNTED_SCORES, values, strict=True))


def check_texts(predictions: Iterable[str], references: Iterable[str]) -> tuple[list[str], list[str]]:
    """Refuses what cannot be scored and normalises the white space of candidates.

    Args:
        predictions: Candidates.
        references: References.

    Returns:
        Both as lists.

    Raises:
        MetricInputError: As in :func:`explanation_scores`.
    """
    for name, texts in (("predictions", predictions), ("references", references)):
        if isinstance(texts, str):
            raise MetricInputError(f"{name} is a list of texts, one per item; found the text {shown(texts)}.")
    candidates = _given_texts(predictions, "predictions")
    gold = _given_texts(references, "references")
    if len(candidates) != len(gold):
        raise MetricInputError(
            f"Every item needs one prediction and one reference; found {len(candidates)} and {len(gold)}."
        )
    if not gold:
        raise MetricInputError("There are no items to score; expected at least one prediction with its reference.")
    for position, text in enumerate(candidates):
        if not isinstance(text, str):
            raise MetricInputError(
                f"Item {position} has no prediction: expected a text, found {shown(text)}. Predict every "
                "item; an empty text is allowed and scores 0."
            )
    given: list[Any] = gold
    for position, reference in enumerate(given):
        if isinstance(reference, list | tuple):
            raise MetricInputError(
                f"Item {position} has a list as its reference, {shown(reference)}: each item is scored "
                "against one reference, a text. Give one of them."
            )
        if not isinstance(reference, str) or not reference.strip():
            raise MetricInputError(
                f"Item {position} has an empty reference: expected a text, found {shown(reference)}. Leave "
                "items without an explanation out."
            )
    for name, texts in (("prediction", candidates), ("reference", gold)):
        for position, text in enumerate(texts):
            if (found := lone_surrogate(text)) is not None:
                raise MetricInputError(f"Item {position}, {name}: {found}")
    return [" ".join(text.split()) for text in candidates], gold


def _given_texts(texts: Any, name: str) -> list[Any]:
    """Lists texts, those of a column of pyarrow as texts of Python."""
    entries = check_list(texts, name, "texts, one per item")
    return [entry.as_py() if hasattr(entry, "as_py") else entry for entry in entries]


def lone_surrogate(text: str) -> str | None:
    r"""Finds half of a character, which JSON can state and which no file of UTF-8 text, nor METEOR's program, can hold.

    Args:
        text: Any text.

    Returns:
        A sentence about the first, with what to do; None where there is none.

    Example:
        >>> lone_surrogate("it \ud83d rains")[:51], lone_surrogate("it \U0001f327 rains")
        ('expected text, found the lone surrogate U+D83D at c', None)
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"expected text, found the lone surrogate U+{ord(text[error.start]):04X} at character {error.start}, half "
            "of a character that was cut. Remove it, for example with text.encode('utf-8', 'ignore').decode()."
        )
    return None


def _joined(candidates: Sequence[str], references: Sequence[str], tokenizer: str) -> tuple[list[str], list[str]]:
    tokens = tokenizer_of(tokenizer)
    first, second = ([" ".join(tokens(text)) for text in texts] for texts in (candidates, references))
    return first, second


def _library_scores(candidates: list[str], references: list[str]) -> dict[str, float]:
    """What sacreBLEU and rouge-score give, with their defaults."""
    import sacrebleu
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer

    kinds = {"rouge_1_f": "rouge1", "rouge_2_f": "rouge2", "rouge_l_f": "rougeL"}
    # The tokenizer that it takes anyway, and logs that it does.
    scorer = RougeScorer(list(kinds.values()), tokenizer=DefaultTokenizer(use_stemmer=False))
    items = [scorer.score(reference, text) for text, reference in zip(candidates, references, strict=True)]
    rouge = {name: statistics.fmean(item[kind].fmeasure for item in items) for name, kind in kinds.items()}
    return {"sacrebleu": float(sacrebleu.corpus_bleu(candidates, [references]).score), **rouge}
