"""Scores of a SemEval-2024 prediction file: a set of pairs with emotions, without a candidate list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.metrics.bootstrap import bootstrap_intervals
from iemomecp_dataset.metrics.evaluation import Evaluation, EvaluationOptions
from iemomecp_dataset.metrics.gold_split import GoldSplit
from iemomecp_dataset.metrics.semeval_format import SemevalConversations
from iemomecp_dataset.metrics.set_scores import SEMEVAL_EMOTIONS, count_sets, set_scores
from iemomecp_dataset.metrics.signature import Signature, gold_fingerprint
from iemomecp_dataset.metrics.unit_counts import UnitCounts, set_unit_counts

__all__ = ["evaluate_semeval"]


def evaluate_semeval(
    path: Path, predicted: SemevalConversations, gold: GoldSplit | SemevalConversations, options: EvaluationOptions
) -> tuple[Evaluation, UnitCounts]:
    """Scores a SemEval-2024 file, a set of pairs without a candidate list.

    Args:
        path: The file.
        predicted: Its pairs.
        gold: The gold data, or a gold file of the same format.
        options: How to score; the default definition is A.

    Returns:
        The scores, and the counts for a paired test.

    Raises:
        InvalidDataError: Its conversations are not those of the gold.
        UsageError: Definition F, which needs a candidate list, or E.
    """
    is_split = isinstance(gold, GoldSplit)
    sources: Mapping[str, str]
    if isinstance(gold, GoldSplit):
        sources, emotions = gold.source_dialogues, gold.scored_emotions
        corpus, task, split, synthetic = gold.corpus, gold.config_name, gold.split, gold.synthetic
    else:
        sources = {name: name for name in (str(entry["conversation_ID"]) for entry in gold.conversations)}
        emotions, corpus, task, split, synthetic = SEMEVAL_EMOTIONS, "unknown", "semeval", "unknown", False
    found = {str(entry["conversation_ID"]) for entry in predicted.conversations}
    if found != set(sources):
        missing, unknown = sorted(set(sources) - found), sorted(found - set(sources))
        raise InvalidDataError(
            f"{path}: its {len(found)} conversations are not the {len(sources)} of the gold: {len(missing)} missing "
            f"({', '.join(missing[:5]) or 'none'}), {len(unknown)} unknown ({', '.join(unknown[:5]) or 'none'})."
        )
    definition = options.definition or "A"
    scores = set_scores(predicted.pairs, gold.pairs, definition=definition, emotions=emotions)
    counts = set_unit_counts(
        count_sets(predicted.pairs, gold.pairs, definition=definition, emotions=emotions, source_dialogues=sources)
    )
    notes = []
    if predicted.n_repeated:
        notes.append(f"{predicted.n_repeated} pairs are given more than once and count once.")
    if scores.get("n_neutral_predicted") or scores.get("n_neutral_gold"):
        notes.append(
            f"{scores['n_neutral_predicted']} predicted and {scores['n_neutral_gold']} gold pairs are neutral; "
            "they cost nothing and earn nothing, as in the SemEval evaluation."
        )
    signature = Signature(
        definition=definition,
        corpus=corpus,
        task=task,
        split=split,
        n_gold=int(scores["n_gold"]),
        n_candidates=0,
        n_missed=0,
        forward_pairs="all",
        emotions="none" if definition in ("A", "B") else "predicted",
        threshold=None,
        threshold_chosen_on="system",
        data=gold_fingerprint(gold.pairs.dialogue_ids, gold.pairs.target_turns, gold.pairs.cause_turns),
        synthetic=synthetic,
    )
    intervals = {}
    if options.n_resamples and len(counts.units) > 1:
        intervals = bootstrap_intervals(
            counts,
            n_resamples=options.n_resamples,
            confidence=options.confidence,
            seed=options.seed,
            progress=options.progress,
        )
    evaluation = Evaluation(
        path=path,
        signature=signature,
        scores=scores,
        further={},
        undefined={},
        intervals=intervals,
        gold_from=f"{task}, {split}" if is_split else "a SemEval file",
        notes=tuple(notes),
    )
    return evaluation, counts
