"""Signatures of emotion scores: what was scored, printed under every table and parsed back.

``iemomecp_erc|corpus:meld|task:meld|split:test|classes:neutral,surprise,fear,sadness,joy,disgust,anger|
utterances:2610|labelled:2610|epoch:validation|data:0f3a9c2b41de|texts:9b41de0f3a9c2b41|synthetic:no|version:0.1.0``
(one line). They begin otherwise than those of pair scores (:mod:`~iemomecp_dataset.metrics.signature`), so that the two
share no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset import __version__
from iemomecp_dataset.emotion_table import EmotionTable, emotion_table
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.fingerprints import text_fingerprint
from iemomecp_dataset.metrics.signature_fields import (
    NOT_STATED,
    as_text,
    check_words,
    differing_fields,
    fields_of_text,
    keys_fingerprint,
)

__all__ = ["EmotionSignature", "emotion_differences", "emotion_run_signature", "signature_of_table"]

_PREFIX = "iemomecp_erc"
_COMPARED = ("corpus", "task", "split", "classes", "n_utterances", "n_labelled", "data", "texts", "synthetic")


@dataclass(frozen=True)
class EmotionSignature:
    """States what an emotion score was computed on.

    Attributes:
        corpus: Name of the corpus.
        task: Name of the configuration.
        split: Name of the split.
        classes: Names of the emotions by id, joined by commas.
        n_utterances: Utterances of the split.
        n_labelled: Those whose emotion is known, which are scored.
        data: Fingerprint of the utterances and their gold emotions; file and order are irrelevant.
        texts: Fingerprint of the texts of the split, or ``unknown``.
        epoch_chosen_on: The split that the epoch was chosen on; ``none`` where none was, or ``unknown``.
        synthetic: Whether the data is synthetic.
        version: Version of this package.

    Example:
        >>> signature = EmotionSignature("meld", "meld", "test", "neutral,joy", 9, 8, "c0ffee")
        >>> EmotionSignature.parse(str(signature)) == signature, signature.class_names
        (True, ('neutral', 'joy'))
    """

    corpus: str
    task: str
    split: str
    classes: str
    n_utterances: int
    n_labelled: int
    data: str
    texts: str = NOT_STATED
    epoch_chosen_on: str = NOT_STATED
    synthetic: bool = False
    version: str = __version__

    def __post_init__(self) -> None:
        check_words(self, ("corpus", "task", "split", "classes", "data", "texts", "epoch_chosen_on", "version"))
        if not 0 <= self.n_labelled <= self.n_utterances:
            raise MetricInputError(
                f"Of {self.n_utterances} utterances between none and all are labelled; found {self.n_labelled}."
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """The emotions by id."""
        return tuple(self.classes.split(","))

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
        return as_text(
            _PREFIX,
            {
                "corpus": self.corpus,
                "task": self.task,
                "split": self.split,
                "classes": self.classes,
                "utterances": self.n_utterances,
                "labelled": self.n_labelled,
                "epoch": self.epoch_chosen_on,
                "data": self.data,
                "texts": self.texts,
                "synthetic": "yes" if self.synthetic else "no",
                "version": self.version,
            },
        )

    @classmethod
    def parse(cls, text: str) -> EmotionSignature:
        """Reads a signature back.

        Args:
            text: What ``str(signature)`` gave.

        Returns:
            The signature.

        Raises:
            MetricInputError: The text is not a signature; the message gives the reason.
        """
        wanted = ("corpus", "task", "split", "classes", "utterances", "labelled", "data", "synthetic", "version")
        fields = fields_of_text(text, _PREFIX, wanted, {"epoch": NOT_STATED, "texts": NOT_STATED})
        counts = [fields[name] for name in ("utterances", "labelled")]
        if fields["synthetic"] not in ("yes", "no") or not all(count.isdecimal() for count in counts):
            raise MetricInputError(
                f"{text!r} is not a signature: utterances and labelled are counts and synthetic is yes or no."
            )
        return cls(
            corpus=fields["corpus"],
            task=fields["task"],
            split=fields["split"],
            classes=fields["classes"],
            n_utterances=int(counts[0]),
            n_labelled=int(counts[1]),
            data=fields["data"],
            texts=fields["texts"],
            epoch_chosen_on=fields["epoch"],
            synthetic=fields["synthetic"] == "yes",
            version=fields["version"],
        )


def emotion_differences(first: EmotionSignature, second: EmotionSignature) -> list[str]:
    """Lists why two scores may not share a column.

    Args:
        first: A signature.
        second: Another.

    Returns:
        One line for each differing field that matters; empty where the scores compare. Versions may differ.

    Example:
        >>> one = EmotionSignature("meld", "meld", "test", "neutral,joy", 9, 8, "c0ffee", epoch_chosen_on="validation")
        >>> emotion_differences(one, EmotionSignature.parse(str(one).replace("labelled:8", "labelled:9")))
        ['n_labelled: 8 against 9']
    """
    return differing_fields(first, second, _COMPARED, "epoch")


def signature_of_table(
    table: EmotionTable,
    *,
    corpus: str,
    config_name: str,
    split: str,
    class_names: Sequence[str],
    synthetic: bool = False,
    texts: str | None = None,
    epoch_chosen_on: str | None = None,
) -> EmotionSignature:
    """Builds the signature of scores on some utterances.

    Args:
        table: All utterances of the split.
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Its emotions by id.
        synthetic: Whether a program made the data.
        texts: Fingerprint of the split's texts; None: unknown.
        epoch_chosen_on: The split that the epoch was chosen on; None: unknown.

    Returns:
        The signature.
    """
    return EmotionSignature(
        corpus=corpus,
        task=config_name,
        split=split,
        classes=",".join(class_names),
        n_utterances=len(table),
        n_labelled=int(table.labelled.sum()),
        data=keys_fingerprint(table.dialogue_ids, table.turns, table.labels),
        texts=texts or NOT_STATED,
        epoch_chosen_on=epoch_chosen_on or NOT_STATED,
        synthetic=synthetic,
    )


def emotion_run_signature(
    rows: Iterable[Mapping[str, Any]],
    *,
    corpus: str,
    config_name: str,
    split: str,
    class_names: Sequence[str],
    synthetic: bool = False,
    texts: str | None = None,
    epoch_chosen_on: str | None = None,
) -> EmotionSignature:
    """Builds the signature of a run's emotion scores, the same that an evaluation of its emotions file gives.

    Args:
        rows: Rows of the split, whole dialogues.
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Its emotions by id.
        synthetic: Whether a program made the data.
        texts: Fingerprint of the split's texts; by default computed from the rows.
        epoch_chosen_on: The split that the epoch was chosen on; None: unknown.

    Returns:
        The signature.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1, "emotion": 1}, {"turn": 2, "emotion": None}],
        ...        "pairs": []}
        >>> signature = emotion_run_signature([row], corpus="meld", config_name="meld", split="test",
        ...                                   class_names=["neutral", "joy"], epoch_chosen_on="validation")
        >>> signature.n_utterances, signature.n_labelled, signature.oracle
        (2, 1, False)
    """
    rows = list(rows)
    return signature_of_table(
        emotion_table(rows),
        corpus=corpus,
        config_name=config_name,
        split=split,
        class_names=class_names,
        synthetic=synthetic,
        texts=texts or text_fingerprint(rows),
        epoch_chosen_on=epoch_chosen_on,
    )
