"""Signatures of explanation scores: what was scored and how, printed under every table and parsed back.

``iemomecp_explanations|corpus:ecem|task:ecem|split:test|status:complete|n:938|tokenizer:ptb|sacrebleu:2.6.0|
rouge-score:0.1.2|bertscore:none|bleurt:none|epoch:validation|causes:gold|data:0f3a9c2b41de|texts:9b41de0f3a9c2b41|
synthetic:no|version:0.1.0`` (one line). CIDEr depends on the number of references, so that it is part of the signature.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iemomecp_dataset import __version__
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.explanation_table import ExplanationTable, explanation_table
from iemomecp_dataset.fingerprints import text_fingerprint
from iemomecp_dataset.metrics.signature_fields import NOT_STATED, as_text, check_words, differing_fields, fields_of_text

__all__ = [
    "NO_MODEL",
    "ExplanationSignature",
    "explanation_differences",
    "explanation_run_signature",
    "explanation_signature_of_table",
    "model_word",
]

_PREFIX = "iemomecp_explanations"

NO_MODEL = "none"
"""What stands for a model-based score that was not computed."""

# The field of the class by its name in the text.
_FIELDS = {
    "corpus": "corpus",
    "task": "task",
    "split": "split",
    "status": "status",
    "n": "n_items",
    "tokenizer": "tokenizer",
    "sacrebleu": "sacrebleu",
    "rouge-score": "rouge_score",
    "bertscore": "bertscore",
    "bleurt": "bleurt",
    "epoch": "epoch_chosen_on",
    "causes": "causes",
    "data": "data",
    "texts": "texts",
    "synthetic": "synthetic",
    "version": "version",
}
_LATER = {"epoch": NOT_STATED, "causes": NOT_STATED, "texts": NOT_STATED, "bertscore": NO_MODEL, "bleurt": NO_MODEL}
_COMPARED = (
    "corpus",
    "task",
    "split",
    "status",
    "n_items",
    "tokenizer",
    "sacrebleu",
    "rouge_score",
    "data",
    "texts",
    "synthetic",
)


@functools.cache
def _installed(package: str) -> str:
    # A signature's word has no "|", ":" or blank; versions have none.
    return importlib.metadata.version(package)


@dataclass(frozen=True)
class ExplanationSignature:
    """States what an explanation score was computed on, and with which implementations.

    Attributes:
        corpus: Name of the corpus.
        task: Name of the configuration.
        split: Name of the split.
        status: Statuses of the explanations that are scored, joined by commas.
        n_items: Their number, the N of CIDEr.
        data: Fingerprint of the targets and their references; order is irrelevant.
        tokenizer: Name of the tokenizer.
        sacrebleu: Version of sacreBLEU.
        rouge_score: Version of rouge-score.
        bertscore: Model and layer of BERTScore, or ``none``.
        bleurt: Model of BLEURT, or ``none``.
        causes: Which cause turns the system was shown: ``gold``, ``predicted``, ``last``, ``shuffled``, ``none``, or
            ``unknown``. Systems with different ones may share a table, which shows them.
        texts: Fingerprint of the texts of the split, or ``unknown``.
        epoch_chosen_on: The split that the epoch was chosen on; ``none`` where none was, or ``unknown``.
        synthetic: Whether the data is synthetic.
        version: Version of this package.

    Example:
        >>> signature = ExplanationSignature("ecem", "ecem", "test", "complete", 938, "c0ffee")
        >>> ExplanationSignature.parse(str(signature)) == signature, signature.oracle
        (True, False)
    """

    corpus: str
    task: str
    split: str
    status: str
    n_items: int
    data: str
    tokenizer: str = "ptb"
    sacrebleu: str = field(default_factory=lambda: _installed("sacrebleu"))
    rouge_score: str = field(default_factory=lambda: _installed("rouge-score"))
    bertscore: str = NO_MODEL
    bleurt: str = NO_MODEL
    causes: str = NOT_STATED
    texts: str = NOT_STATED
    epoch_chosen_on: str = NOT_STATED
    synthetic: bool = False
    version: str = __version__

    def __post_init__(self) -> None:
        check_words(self, [name for name in _FIELDS.values() if name not in ("n_items", "synthetic")])
        if self.n_items < 1:
            raise MetricInputError(f"A signature of scores is of at least one explanation; found {self.n_items}.")

    @property
    def oracle(self) -> bool:
        """Whether the epoch was chosen on the very split that is scored: an upper bound, not a result."""
        return self.epoch_chosen_on == self.split != NOT_STATED

    @property
    def table_key(self) -> tuple[tuple[str, Any], ...]:
        """Two runs may share a table iff these are equal, oracles apart."""
        return tuple((name, getattr(self, name)) for name in _COMPARED)

    @property
    def comparison_key(self) -> tuple[Any, ...]:
        """Two scores may share a column iff these are equal."""
        return (*(getattr(self, name) for name in _COMPARED), self.oracle)

    def __str__(self) -> str:
        fields = {word: getattr(self, name) for word, name in _FIELDS.items()}
        return as_text(_PREFIX, fields | {"synthetic": "yes" if self.synthetic else "no"})

    @classmethod
    def parse(cls, text: str) -> ExplanationSignature:
        """Reads a signature back.

        Args:
            text: What ``str(signature)`` gave.

        Returns:
            The signature.

        Raises:
            MetricInputError: The text is not a signature; the message gives the reason.
        """
        fields = fields_of_text(text, _PREFIX, [word for word in _FIELDS if word not in _LATER], _LATER)
        if fields["synthetic"] not in ("yes", "no") or not fields["n"].isdecimal():
            raise MetricInputError(f"{text!r} is not a signature: n is a count and synthetic is yes or no.")
        values: dict[str, Any] = {name: fields[word] for word, name in _FIELDS.items()}
        return cls(**values | {"n_items": int(fields["n"]), "synthetic": fields["synthetic"] == "yes"})


def explanation_differences(first: ExplanationSignature, second: ExplanationSignature) -> list[str]:
    """Lists why two scores may not share a column.

    Args:
        first: A signature.
        second: Another.

    Returns:
        One line for each differing field that matters; empty where the scores compare. Versions of this package,
        models, which bear on no other score than their own, and causes may differ.

    Example:
        >>> one = ExplanationSignature("ecem", "ecem", "test", "complete", 938, "c0ffee")
        >>> explanation_differences(one, ExplanationSignature.parse(str(one).replace("tokenizer:ptb", "tokenizer:raw")))
        ['tokenizer: ptb against raw']
    """
    return differing_fields(first, second, _COMPARED, "epoch")


def model_word(name: str | None, layer: int | None = None) -> str:
    """Names a model in a signature: a folder by its last part, and its layer where one is given.

    Args:
        name: Folder or name of a model; None: no model.
        layer: Layer of it.

    Returns:
        A word.

    Example:
        >>> model_word("roberta-large", 17), model_word("/models/my bleurt"), model_word(None)
        ('roberta-large@17', 'my_bleurt', 'none')
    """
    if name is None:
        return NO_MODEL
    path = Path(name)
    word = re.sub(r"[|:\s]", "_", path.resolve().name if path.is_absolute() or path.is_dir() else name)
    return word if layer is None else f"{word}@{layer}"


def explanation_signature_of_table(
    table: ExplanationTable,
    *,
    corpus: str,
    config_name: str,
    split: str,
    statuses: Sequence[str] = ("complete",),
    tokenizer: str = "ptb",
    bertscore: str = NO_MODEL,
    bleurt: str = NO_MODEL,
    causes: str | None = None,
    synthetic: bool = False,
    texts: str | None = None,
    epoch_chosen_on: str | None = None,
) -> ExplanationSignature:
    """Builds the signature of scores on some explanations.

    Args:
        table: The explanations of the split that are scored.
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        statuses: Of which status they are.
        tokenizer: Name of the tokenizer.
        bertscore: Model of BERTScore, as :func:`model_word` names it.
        bleurt: Model of BLEURT, likewise.
        causes: Which cause turns the system was shown; None: unknown.
        synthetic: Whether a program made the data.
        texts: Fingerprint of the split's texts; None: unknown.
        epoch_chosen_on: The split that the epoch was chosen on; None: unknown.

    Returns:
        The signature.
    """
    keys = zip(table.dialogue_ids.tolist(), table.target_turns.tolist(), table.references, strict=True)
    digest = hashlib.sha256()
    for key in sorted(keys):
        digest.update(json.dumps(key).encode() + b"\n")
    return ExplanationSignature(
        corpus=corpus,
        task=config_name,
        split=split,
        status=",".join(statuses),
        n_items=len(table),
        data=digest.hexdigest()[:12],
        tokenizer=tokenizer,
        bertscore=bertscore,
        bleurt=bleurt,
        causes=causes or NOT_STATED,
        texts=texts or NOT_STATED,
        epoch_chosen_on=epoch_chosen_on or NOT_STATED,
        synthetic=synthetic,
    )


def explanation_run_signature(
    rows: Iterable[Mapping[str, Any]],
    *,
    corpus: str,
    config_name: str,
    split: str,
    statuses: Sequence[str] = ("complete",),
    tokenizer: str = "ptb",
    bertscore: str = NO_MODEL,
    bleurt: str = NO_MODEL,
    causes: str | None = None,
    synthetic: bool = False,
    texts: str | None = None,
    epoch_chosen_on: str | None = None,
) -> ExplanationSignature:
    """Builds the signature of a run's explanation scores, the same that an evaluation of its predictions file gives.

    Args:
        rows: Rows of the split, whole dialogues.
        corpus: As in :func:`explanation_signature_of_table`, as are the others.
        config_name: Name of the configuration.
        split: Name of the split.
        statuses: Of which status the scored explanations are.
        tokenizer: Name of the tokenizer.
        bertscore: Model of BERTScore.
        bleurt: Model of BLEURT.
        causes: Which cause turns the system was shown.
        synthetic: Whether a program made the data.
        texts: Fingerprint of the split's texts; by default computed from the rows.
        epoch_chosen_on: The split that the epoch was chosen on.

    Returns:
        The signature.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1, "speaker": "A", "text": "No!", "emotion": 2}],
        ...        "pairs": [], "explanations": [{"target_turn": 1, "text": "It rains.", "status": 0}]}
        >>> signature = explanation_run_signature([row], corpus="ecem", config_name="ecem", split="test")
        >>> signature.n_items, signature.status, signature.tokenizer
        (1, 'complete', 'ptb')
    """
    rows = list(rows)
    return explanation_signature_of_table(
        explanation_table(rows, statuses),
        corpus=corpus,
        config_name=config_name,
        split=split,
        statuses=statuses,
        tokenizer=tokenizer,
        bertscore=bertscore,
        bleurt=bleurt,
        causes=causes,
        synthetic=synthetic,
        texts=texts or text_fingerprint(rows),
        epoch_chosen_on=epoch_chosen_on,
    )
