"""Scores of a SemEval-2024 file: a set of pairs with emotions, without a list of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import emotion_aliases
from iemomecp_dataset.errors import InvalidDataError, did_you_mean
from iemomecp_dataset.metrics.evaluation.free_pairs import OTHER_EMOTION, is_understood
from iemomecp_dataset.metrics.evaluation.gold import GoldSplit
from iemomecp_dataset.metrics.evaluation.results import Evaluation, EvaluationOptions
from iemomecp_dataset.metrics.evaluation.semeval import Reading, SemevalConversations, missing_and_further
from iemomecp_dataset.metrics.evaluation.uncertainty import intervals_of
from iemomecp_dataset.metrics.evaluation.window import WINDOW_STATEMENT, gold_within
from iemomecp_dataset.metrics.set_scores import SEMEVAL_EMOTIONS, PairSet, count_sets, set_scores
from iemomecp_dataset.metrics.signature import Signature, gold_fingerprint
from iemomecp_dataset.metrics.significance.counts import UnitCounts, set_unit_counts
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["OWN_EMOTIONS", "ScoredList", "evaluate_semeval", "neutral_note", "with_other"]

OWN_EMOTIONS = "The file has predicted emotions, which are scored; --gold-emotions changes nothing."
"""Remark for a file that has emotions, where gold ones are asked for."""


@dataclass(frozen=True)
class ScoredList:
    """A list of pairs that was scored, and what it was scored against.

    Attributes:
        path: The file.
        listed: Its pairs.
        gold: The gold data, or a gold file of the same format.
        counts: What its scores follow from, by source dialogue.
    """

    path: Path
    listed: SemevalConversations
    gold: GoldSplit | SemevalConversations
    counts: UnitCounts


def evaluate_semeval(
    path: Path,
    predicted: SemevalConversations,
    gold: GoldSplit | SemevalConversations,
    options: EvaluationOptions,
    others: Sequence[SemevalConversations] = (),
) -> tuple[Evaluation, UnitCounts]:
    """Scores a SemEval-2024 file.

    Args:
        path: The file.
        predicted: Its pairs.
        gold: The gold data, or a gold file of the same format.
        options: How to score; the default definition is A.
        others: Further systems that are to be compared with this one; counts are over the same emotions.

    Returns:
        The scores, and the counts for a paired test.

    Raises:
        InvalidDataError: It lacks conversations of the gold, or has emotions of other names where they count.
        UsageError: Definition F, which needs a candidate list, or E.
    """
    sources: Mapping[str, str]
    if isinstance(gold, GoldSplit):
        gold = gold_within(gold, options.window)
        sources, emotions = gold.source_dialogues, gold.scored_emotions
        corpus, task, split, synthetic = gold.corpus, gold.config_name, gold.split, gold.synthetic
        gold_from, gold_pairs, gold_notes = f"{task}, {split}", gold.pairs, []
    else:
        sources, emotions = {name: name for name in gold.conversations}, SEMEVAL_EMOTIONS
        corpus, task, split, synthetic = "unknown", "semeval", "unknown", False
        gold_from, gold_pairs = "a SemEval file", gold.pairs.where(options.window.of(gold.pairs))
        gold_notes = [f"Gold: {note}" for note in gold.notes]
    further = missing_and_further(path, predicted.conversations, sources)
    notes = [*predicted.notes, *gold_notes]
    if further:
        notes.append(f"{len(further)} conversations of the file are not in the gold and are left out.")
    kept = predicted.only(sources).pairs
    kept = kept.where(options.window.of(kept))
    definition = options.definition or "A"
    if definition in ("C", "D"):
        _check_emotions(path, kept, emotions, options.reading)
        emotions = with_other(emotions, kept.emotions, *(other.pairs.emotions for other in others))
    scores = set_scores(kept, gold_pairs, definition=definition, emotions=emotions)
    counts = set_unit_counts(
        count_sets(kept, gold_pairs, definition=definition, emotions=emotions, source_dialogues=sources)
    )
    notes += neutral_note(scores, "are neutral")
    if predicted.emotions == "gold":
        notes.append(
            "The file has gold emotions: "
            + ("an upper bound, not a result." if definition in ("C", "D") else "its scores by emotion are no results.")
        )
    elif options.gold_emotions and definition in ("C", "D"):
        notes.append(OWN_EMOTIONS)
    if options.window:
        notes.append(f"{options.window.word}: {WINDOW_STATEMENT}.")
    signature = Signature(
        definition=definition,
        corpus=corpus,
        task=task,
        split=split,
        n_gold=int(scores["n_gold"]),
        n_candidates=0,
        n_missed=0,
        forward_pairs="all",
        emotions="none" if definition in ("A", "B") else predicted.emotions,
        threshold=None,
        threshold_chosen_on="system",
        data=gold_fingerprint(gold_pairs.dialogue_ids, gold_pairs.target_turns, gold_pairs.cause_turns),
        synthetic=synthetic,
        texts=gold.text_fingerprint if isinstance(gold, GoldSplit) else "unknown",
        window=options.window.word,
    )
    evaluation = Evaluation(
        path=path,
        signature=signature,
        scores=scores,
        further={},
        undefined={},
        intervals=intervals_of(counts, options),
        gold_from=gold_from,
        notes=tuple(notes),
    )
    return evaluation, counts


def with_other(emotions: Sequence[str], *used: NDArray[np.str_] | None) -> tuple[str, ...]:
    """Adds a class for emotions that the corpus does not have, where lenient reading found some.

    Args:
        emotions: The emotions that are scored.
        used: Emotions of predicted pairs.

    Returns:
        The emotions, with :data:`~iemomecp_dataset.metrics.evaluation.free_pairs.OTHER_EMOTION` where it is used. As it
        has no gold, its pairs are wrong, and it weighs nothing in a mean.

    Example:
        >>> with_other(("joy",), np.array(["joy", "other"])), with_other(("joy",), None)
        (('joy', 'other'), ('joy',))
    """
    found = any(names is not None and OTHER_EMOTION in names for names in used)
    return (*emotions, OTHER_EMOTION) if found and OTHER_EMOTION not in emotions else tuple(emotions)


def neutral_note(scores: Mapping[str, Any], what: str) -> list[str]:
    """Says how many pairs are neutral, where some are.

    Args:
        scores: From :func:`~iemomecp_dataset.metrics.set_scores.set_scores`.
        what: The rest of the sentence after the pairs.

    Returns:
        One remark, or none.
    """
    if not (scores.get("n_neutral_predicted") or scores.get("n_neutral_gold")):
        return []
    return [
        f"{scores['n_neutral_predicted']} predicted and {scores['n_neutral_gold']} gold pairs {what}; they count "
        "neither for nor against the system, as in the SemEval evaluation."
    ]


def _check_emotions(path: Path, pairs: PairSet, emotions: Sequence[str], reading: Reading) -> None:
    """Refuses emotions of other names where they count."""
    names = [] if pairs.emotions is None else pairs.emotions.tolist()
    known = {*emotions, *NEUTRAL_EMOTIONS, *([OTHER_EMOTION] if reading == "leniently" else [])}
    unknown = [name for name in names if name not in known]
    if unknown:
        aliases = emotion_aliases(known)
        n_aliases = sum(is_understood(name, aliases) for name in unknown)
        raise InvalidDataError(
            f"{path}: the emotion {unknown[0]!r} is none of the corpus. {did_you_mean(unknown[0], emotions)} "
            f"{len(unknown)} such pairs, of which {n_aliases} are understood by reading leniently (--read leniently)."
        )
