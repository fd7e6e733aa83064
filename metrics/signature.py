"""Signatures: what a score was computed on and how, printed under every table and parsed back, as sacreBLEU does.

``iemomecp|def:F|corpus:iemomecp|task:3class|split:test|gold:1794|candidates:18264|missed:0|forward:as_published|
emotions:none|decision:threshold@validation=0.4213|epoch:validation|data:0f3a9c2b41de|texts:9b41de0f3a9c2b41|
synthetic:no|version:0.1.0`` (one line)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from iemomecp_dataset import __version__
from iemomecp_dataset.corpora.metadata import IEMOMECP, default_definition
from iemomecp_dataset.errors import MetricInputError, UsageError
from iemomecp_dataset.fingerprints import text_fingerprint
from iemomecp_dataset.metrics.set_scores import DEFINITIONS, PairSet, pair_set
from iemomecp_dataset.metrics.signature_fields import (
    NOT_STATED,
    AnySignature,
    as_text,
    check_words,
    differing_fields,
    fields_of_text,
    keys_fingerprint,
)
from iemomecp_dataset.pair_table import PairTable, pair_table
from iemomecp_dataset.rows import gold_pairs
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["Signature", "check_comparable", "differences", "gold_fingerprint", "gold_terms", "run_signature"]

_PREFIX = "iemomecp"
# Within a column these must agree. Candidates and forward pairs are part of the task in F alone: a set score counts
# every gold pair, whichever were candidates.
_ALWAYS_COMPARED = (
    *("definition", "corpus", "task", "split", "part", "window", "n_gold", "emotions", "data", "texts"),
    "synthetic",
)
_OF_CANDIDATES = ("n_candidates", "n_missed", "forward_pairs")
_OTHER_RULES = ("system", "folds")
"""What stands for the split of a threshold where decisions follow from no single one."""


@dataclass(frozen=True)
class Signature:
    """States what a score was computed on, and how.

    Attributes:
        definition: Letter of the definition (:data:`~iemomecp_dataset.metrics.set_scores.DEFINITIONS`).
        corpus: Name of the corpus.
        task: Name of the configuration.
        split: Name of the split.
        n_gold: Gold pairs of the positive class, those that are not candidates included.
        n_candidates: Candidate pairs.
        n_missed: Gold pairs that are not candidates.
        forward_pairs: How pairs with a future cause are treated: ``as_published`` or ``gold`` in IEMO-MECP, ``all``
            or ``past`` (the candidate spaces) elsewhere.
        emotions: Origin of the emotions of predicted pairs: ``none``, ``gold`` or ``predicted``.
        threshold: The decision threshold on the pair probability; ``None``: the most probable class.
        threshold_chosen_on: The split the threshold was searched on, or ``fixed``; without a threshold ``none``,
            ``system`` where the system decided itself, or ``folds`` where each fold has a threshold of its own.
        data: Fingerprint of what is scored against (:func:`gold_fingerprint`).
        texts: Fingerprint of the texts of the split, for some corpora have several versions of them; or ``unknown``.
        epoch_chosen_on: The split that the epoch was chosen on; ``none`` where none was, or ``unknown``.
        synthetic: Whether the data is synthetic.
        version: Version of this package.
        window: ``none``, or which pairs a windowed re-scoring kept: ``past``, the most turns between, or both, as in
            ``past-4``. It is printed where it is not ``none``.
        part: ``none``, or which folds are scored (:mod:`iemomecp_dataset.folds`), as in ``fold-2-of-5.0f3a`` or
            ``out-of-5-folds.0f3a``. It is printed where it is not ``none``.

    Example:
        >>> signature = Signature("A", "ecf", "ecf", "validation", 866, 13495, 0, "all", "none", 0.4, "train", "c0ffee")
        >>> Signature.parse(str(signature)) == signature
        True
    """

    definition: str
    corpus: str
    task: str
    split: str
    n_gold: int
    n_candidates: int
    n_missed: int
    forward_pairs: str
    emotions: str
    threshold: float | None
    threshold_chosen_on: str
    data: str
    synthetic: bool = False
    version: str = __version__
    texts: str = NOT_STATED
    epoch_chosen_on: str = NOT_STATED
    window: str = "none"
    part: str = "none"

    def __post_init__(self) -> None:
        if self.definition not in DEFINITIONS or self.definition == "E":
            raise UsageError(
                f"A score has definition A, B, C, D or F; found {self.definition!r}. "
                "E is not an F1 and is never reported."
            )
        words = ("corpus", "task", "split", "forward_pairs", "emotions", "threshold_chosen_on", "epoch_chosen_on")
        check_words(self, (*words, "data", "texts", "version", "window", "part"))
        if self.threshold is not None and not 0.0 <= self.threshold <= 1.0:
            raise MetricInputError(f"The threshold of a signature is in [0, 1]; found {self.threshold}.")
        if (self.threshold is None) != (self.threshold_chosen_on in ("none", *_OTHER_RULES)):
            raise MetricInputError(
                f"A threshold needs the split it was chosen on, and only a threshold has one; found threshold "
                f"{self.threshold} chosen on {self.threshold_chosen_on!r}."
            )

    @property
    def oracle(self) -> bool:
        """Whether threshold or epoch was chosen on the very split that is scored: an upper bound, not a result."""
        chosen_on = (self.threshold_chosen_on if self.threshold is not None else None, self.epoch_chosen_on)
        return self.split in chosen_on and self.split != NOT_STATED

    @property
    def decision(self) -> str:
        """The decision rule as it is printed."""
        if self.threshold is None:
            return self.threshold_chosen_on if self.threshold_chosen_on in _OTHER_RULES else "argmax"
        return f"threshold@{self.threshold_chosen_on}={self.threshold!r}"

    @property
    def comparison_key(self) -> tuple[Any, ...]:
        """Two scores may share a column iff these are equal."""
        names = _ALWAYS_COMPARED + (_OF_CANDIDATES if self.definition == "F" else ())
        return (*(getattr(self, name) for name in names), self.oracle)

    @property
    def table_key(self) -> tuple[tuple[str, Any], ...]:
        """Two runs may share a table of Pair F1 and average precision iff these are equal, oracles apart.

        Average precision ranks the candidates, so that they must agree whatever the definition.
        """
        return tuple((name, getattr(self, name)) for name in _ALWAYS_COMPARED + _OF_CANDIDATES)

    def __str__(self) -> str:
        fields = {
            "def": self.definition,
            "corpus": self.corpus,
            "task": self.task,
            "split": self.split,
            "gold": self.n_gold,
            "candidates": self.n_candidates,
            "missed": self.n_missed,
            "forward": self.forward_pairs,
            "emotions": self.emotions,
            "decision": self.decision,
            "epoch": self.epoch_chosen_on,
            "data": self.data,
            "texts": self.texts,
            "synthetic": "yes" if self.synthetic else "no",
            "version": self.version,
        }
        if self.window != "none":
            fields["window"] = self.window
        if self.part != "none":
            fields["part"] = self.part
        return as_text(_PREFIX, fields)

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Reads a signature back.

        Args:
            text: What ``str(signature)`` gave.

        Returns:
            The signature.

        Raises:
            MetricInputError: The text is not a signature; the message gives the reason.
        """
        wanted = (
            *("def", "corpus", "task", "split", "gold", "candidates", "missed", "forward", "emotions", "decision"),
            *("data", "synthetic", "version"),
        )
        # Signatures of earlier versions state neither of the first two; a window or a part where there is one.
        later = {"epoch": NOT_STATED, "texts": NOT_STATED, "window": "none", "part": "none"}
        fields = fields_of_text(text, _PREFIX, wanted, later)
        threshold, chosen_on = None, "none"
        decision = re.fullmatch(r"argmax|system|folds|threshold@([^=]+)=(.+)", fields["decision"])
        try:
            if decision is None or fields["synthetic"] not in ("yes", "no"):
                raise ValueError(f"decision {fields['decision']!r}, synthetic {fields['synthetic']!r}")
            if decision[1] is not None:
                threshold, chosen_on = float(decision[2]), decision[1]
            elif decision[0] in _OTHER_RULES:
                chosen_on = decision[0]
            counts = [int(fields[name]) for name in ("gold", "candidates", "missed")]
        except ValueError as error:
            raise MetricInputError(f"{text!r} is not a signature: {error}.") from None
        return cls(
            definition=fields["def"],
            corpus=fields["corpus"],
            task=fields["task"],
            split=fields["split"],
            n_gold=counts[0],
            n_candidates=counts[1],
            n_missed=counts[2],
            forward_pairs=fields["forward"],
            emotions=fields["emotions"],
            threshold=threshold,
            threshold_chosen_on=chosen_on,
            data=fields["data"],
            synthetic=fields["synthetic"] == "yes",
            version=fields["version"],
            texts=fields["texts"],
            epoch_chosen_on=fields["epoch"],
            window=fields["window"],
            part=fields["part"],
        )


def differences(first: Signature, second: Signature) -> list[str]:
    """Lists why two scores may not share a column.

    Args:
        first: A signature.
        second: Another.

    Returns:
        One line for each differing field that matters; empty where the scores compare. The decision rule, the
        threshold and the version may differ, but not whether threshold or epoch was chosen on the split that is
        scored. Texts that one of the two does not state are not compared.

    Example:
        >>> one = Signature("F", "iemomecp", "3class", "test", 1794, 18264, 0, "gold", "none", None, "none", "a1")
        >>> differences(one, Signature.parse(str(one).replace("candidates:18264", "candidates:18228")))
        ['n_candidates: 18264 against 18228']
    """
    names = dict.fromkeys(_ALWAYS_COMPARED)
    if "F" in (first.definition, second.definition):
        names |= dict.fromkeys(_OF_CANDIDATES)
    return differing_fields(first, second, names, "threshold or epoch")


def check_comparable(
    signatures: Sequence[AnySignature], differing: Callable[[Any, Any], list[str]] = differences
) -> None:
    """Refuses scores that may not share a column.

    Args:
        signatures: The signatures of the column.
        differing: What lists why two of them do not compare.

    Raises:
        MetricInputError: Two of them do not compare; the message names the fields.
    """
    for other in signatures[1:]:
        found = differing(signatures[0], other)
        if found:
            raise MetricInputError(
                "These scores do not compare and cannot share a column: "
                f"{'; '.join(found)}.\n  {signatures[0]}\n  {other}"
            )


def gold_fingerprint(
    dialogue_ids: ArrayLike, target_turns: ArrayLike, cause_turns: ArrayLike, labels: ArrayLike | None = None
) -> str:
    """Hashes what a score is computed against; file and order are irrelevant.

    Args:
        dialogue_ids: ``(n,)`` str.
        target_turns: ``(n,)`` ints.
        cause_turns: ``(n,)`` ints.
        labels: ``(n,)`` ints for a candidate list with its gold (definition F); nothing for a set of gold pairs
            (definitions A to D).

    Returns:
        12 hexadecimal characters.

    Example:
        >>> gold_fingerprint(["a", "b"], [1, 2], [1, 1]) == gold_fingerprint(["b", "a"], [2, 1], [1, 1])
        True
    """
    of_set = np.full(len(np.asarray(dialogue_ids)), -1)
    return keys_fingerprint(dialogue_ids, target_turns, cause_turns, of_set if labels is None else labels)


def gold_terms(definition: str, table: PairTable, gold: PairSet) -> tuple[int, str]:
    """Computes what a signature states of the gold.

    Args:
        definition: Letter of the definition.
        table: All candidates with their gold.
        gold: All gold pairs, those that are not candidates included; with emotions where C and D are to leave out
            neutral targets.

    Returns:
        How many gold pairs the definition counts, and the fingerprint of what is scored against.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1, "emotion": None}],
        ...        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 0}]}
        >>> gold_terms("B", pair_table([row]), pair_set(["d", "d"], [1, 1], [1, 2]))[0]
        1
    """
    if definition == "F":
        return int((table.labels == 0).sum()), gold_fingerprint(*table.keys, table.labels)
    if definition in ("A", "B"):
        gold = gold.without_emotions()
    counted = np.ones(len(gold), dtype=np.bool_)
    if definition == "B":
        counted = gold.cause_turns <= gold.target_turns
    elif definition in ("C", "D") and gold.emotions is not None:
        counted = ~np.isin(gold.emotions, list(NEUTRAL_EMOTIONS))
    return int(counted.sum()), gold_fingerprint(gold.dialogue_ids, gold.target_turns, gold.cause_turns)


def run_signature(
    rows: Iterable[Mapping[str, Any]],
    *,
    corpus: str,
    config_name: str,
    split: str,
    definition: str | None = None,
    threshold: float | None = None,
    threshold_chosen_on: str | None = None,
    forward_pairs: str | None = None,
    synthetic: bool = False,
    texts: str | None = None,
    epoch_chosen_on: str | None = None,
    part: str = "none",
) -> Signature:
    """Builds the signature of a run's scores, the same that an evaluation of its predictions file gives.

    Args:
        rows: Rows of the split.
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        definition: A, B or F; ``None``: F for IEMO-MECP, A elsewhere.
        threshold: The decision threshold; ``None``: the most probable class.
        threshold_chosen_on: Where it was searched; needed with a threshold.
        forward_pairs: ``as_published`` or ``gold`` (IEMO-MECP), ``all`` or ``past`` (elsewhere); ``None``:
            ``as_published``, and elsewhere what the candidates are.
        synthetic: Whether a program made the data.
        texts: Fingerprint of the split's texts; by default computed from the rows.
        epoch_chosen_on: The split that the epoch was chosen on; None: unknown.
        part: Which folds are scored.

    Returns:
        The signature.

    Raises:
        UsageError: Another definition: those depend on the predictions, too.

    Example:
        >>> row = {"dialogue_id": "d", "source_dialogue_id": "d", "utterances": [{"turn": 1, "emotion": None}],
        ...        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 0}]}
        >>> signature = run_signature([row], corpus="ecf", config_name="ecf", split="validation")
        >>> signature.definition, signature.n_gold, signature.decision, signature.forward_pairs
        ('A', 1, 'argmax', 'past')
    """
    letter = definition or default_definition(corpus)
    if letter not in ("A", "B", "F"):
        raise UsageError(f"A run's own signature is of definition A, B or F; found {letter!r}.")
    rows = list(rows)
    table = pair_table(rows)
    pairs = [(row["dialogue_id"], target, cause) for row in rows for target, cause in gold_pairs(row)]
    gold = pair_set(*([pair[i] for pair in pairs] for i in range(3)))
    n_gold, data = gold_terms(letter, table, gold)
    if forward_pairs is None:
        has_forward = bool((table.distances < 0).any())
        forward_pairs = "as_published" if corpus == IEMOMECP else "all" if has_forward else "past"
    return Signature(
        definition=letter,
        corpus=corpus,
        task=config_name,
        split=split,
        n_gold=n_gold,
        n_candidates=len(table),
        n_missed=table.missed_positives,
        forward_pairs=forward_pairs,
        emotions="none",
        threshold=threshold,
        threshold_chosen_on=threshold_chosen_on or ("none" if threshold is None else "unknown"),
        data=data,
        synthetic=synthetic,
        texts=texts or text_fingerprint(rows),
        epoch_chosen_on=epoch_chosen_on or NOT_STATED,
        part=part,
    )
