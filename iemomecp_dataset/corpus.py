"""A loaded configuration: rows, pair tables and names of its splits, and what a reader must know about them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.corpora.metadata import (
    CORPORA,
    IEMOMECP,
    corpus_of_config,
    default_definition,
    emotions_of_config,
    further_splits,
)
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.fingerprints import data_fingerprint, text_fingerprint
from iemomecp_dataset.options import CONFIG_NAMES, load_options
from iemomecp_dataset.pair_table import PairTable, pair_table
from iemomecp_dataset.rejoining import whole_dialogues
from iemomecp_dataset.rows import is_synthetic, list_item, missing_texts
from iemomecp_dataset.schema import EXPLANATION_STATUSES, PAIR_LABELS, ROLE_LABELS, SPLITS, Row, canonical_split

__all__ = ["IN_MEMORY", "Corpus", "FurtherTraining", "corpus_of", "load_corpus", "whole_corpus", "with_rows"]

IN_MEMORY = "rows"
"""Configuration of rows that no loader has named."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpus:
    """The splits of a configuration as rows and as pair tables.

    Attributes:
        name: ``iemomecp`` or the name of another corpus.
        config_name: The configuration that was loaded.
        class_names: Pair classes by id.
        emotion_names: Emotions by id.
        rows: Rows by split.
        tables: All candidate pairs by split.
        missing_splits: Splits that the corpus folder does not have.
        synthetic: Whether a program made the corpus.
        candidates: Which pairs are candidates: ``all`` or ``past``; ``triangle+exceptions`` in IEMO-MECP.
        forward_pairs: How pairs with a future cause are treated: ``as_published`` or ``gold`` in IEMO-MECP, the
            candidate space elsewhere.
        fingerprints: By split a digest of labels and turns,
            see :func:`~iemomecp_dataset.fingerprints.data_fingerprint`.
        text_fingerprints: By split a digest of texts and speakers,
            see :func:`~iemomecp_dataset.fingerprints.text_fingerprint`.
        data_dir: Folder that it was loaded from; None for rows in memory.
        ecf_map: The map of ECF's utterances to MELD's, where the options of the loader name it or its folder.
        missing_texts: Utterances that IEMOCAP's transcripts lack, which have ConvECPE's text.
        part: Which part of the corpus is scored as its test split, as a word (:mod:`iemomecp_dataset.folds`); ``none``
            where that is the corpus's own test split.
        part_words: The same in words; empty likewise.
        parted: The splits that are made of folds: test, and validation where a fold is that.
        further: Dialogues of other corpora that are trained on beside the train split; all else here is without them.
    """

    name: str
    config_name: str
    class_names: tuple[str, ...]
    emotion_names: tuple[str, ...]
    rows: dict[str, list[dict[str, Any]]]
    tables: dict[str, PairTable]
    missing_splits: tuple[str, ...]
    synthetic: bool
    candidates: str
    forward_pairs: str
    fingerprints: dict[str, str]
    text_fingerprints: dict[str, str]
    data_dir: Path | None = None
    ecf_map: Path | None = None
    missing_texts: int = 0
    part: str = "none"
    part_words: str = ""
    parted: frozenset[str] = frozenset()
    further: tuple[FurtherTraining, ...] = ()

    @property
    def definition(self) -> str:
        """Letter of the Pair F1 definition that the corpus is scored by."""
        return default_definition(self.name)

    @property
    def statement(self) -> str:
        """One plain sentence saying which data this is."""
        sizes = ", ".join(f"{len(rows)} {split}" for split, rows in self.rows.items())
        kind = "real dialogues" if self.config_name != IN_MEMORY else "dialogues in memory, of unstated origin"
        if self.synthetic:
            kind = "SYNTHETIC dialogues, made up by this package"
        several = "s" * (len(self.missing_splits) > 1)
        without = f"; without the split{several} {' and '.join(self.missing_splits)}" if self.missing_splits else ""
        if self.missing_texts:
            without += f"; text of ConvECPE for {self.missing_texts} utterances that IEMOCAP's transcripts lack"
        part = f"; {self.part_words}" if self.part_words else ""
        return f"{self.name} ({self.config_name}): {kind} ({sizes}){part}{without}."

    @property
    def selection_split(self) -> str:
        """Where epoch and threshold are chosen: validation, or train where there is no validation split."""
        return "validation" if "validation" in self.rows else "train"

    def require_pairs(self) -> Corpus:
        """Refuses a corpus without cause pairs, wherever pairs are learned or scored.

        Returns:
            The corpus.

        Raises:
            UsageError: No row has a candidate pair or a gold one.
        """
        if any(len(table) or table.missed_positives for table in self.tables.values()):
            return self
        if self.has_explanations:
            raise UsageError(
                f"{self.name} ({self.config_name}) has no cause pairs, so pairs can be neither learned nor scored on "
                f"it. Learn its explanations with trainers/explain.py, and score them with the metric "
                f"iemomecp_explanations."
            )
        raise UsageError(
            f"{self.name} ({self.config_name}) has no cause pairs, so pairs can be neither learned nor scored on it. "
            f"Recognize its emotions with trainers/ecerc.py or trainers/emotion.py, and score them with the metric "
            f"iemomecp_erc."
        )

    @property
    def has_explanations(self) -> bool:
        """Whether some row has a written explanation, of any status."""
        return any(row.get("explanations") for rows in self.rows.values() for row in rows)

    def require_explanations(
        self,
        advice: str = "Choose a corpus with written explanations, such as ecem.",
        split: str = "train",
    ) -> Corpus:
        """Refuses a corpus of which explanations can be neither learned nor scored.

        Args:
            advice: Sentence that says what to do instead.
            split: The split that must have complete explanations.

        Returns:
            The corpus.

        Raises:
            UsageError: The split has no complete explanation.
        """
        which = f"{self.name} ({self.config_name})"
        found = Counter(part["status"] for row in self.rows.get(split, ()) for part in row.get("explanations") or ())
        if found[EXPLANATION_STATUSES.index("complete")]:
            return self
        if not self.has_explanations:
            raise UsageError(f"{which} has no written explanations, so none can be learned or scored on it. {advice}")
        have = ", ".join(name for name, rows in self.rows.items() if any(row.get("explanations") for row in rows))
        others = f"; of its {found.total()} explanations none is complete" if found else f"; those are in {have}"
        raise UsageError(f"The {split} split of {which} has no complete explanation{others}. {advice}")

    def require_emotions(
        self, advice: str = "Choose a corpus whose utterances are labelled.", split: str = "train"
    ) -> Corpus:
        """Refuses a corpus of which emotions can be neither learned nor scored.

        Args:
            advice: Sentence that says what to do instead.
            split: The split that must have known emotions.

        Returns:
            The corpus.

        Raises:
            UsageError: Its emotions have no two names or are derived from its pairs, or no utterance of the split
                has one.
            InvalidDataError: An emotion is not the id of a name.
        """
        names, which = self.emotion_names, f"{self.name} ({self.config_name})"
        if self.name in CORPORA and not CORPORA[self.name].has_emotions:
            derived = " and ".join(CORPORA[self.name].emotions)
            raise UsageError(
                f"The files of {which} label no emotions; {derived} are derived from its pairs, so "
                f"there are none to recognise. {advice}"
            )
        if len(set(names)) == 1:
            raise UsageError(f"The emotions of {which} are {names[0]} alone: there is nothing to tell apart. {advice}")
        known = {
            split: {utterance["emotion"] for row in rows for utterance in row["utterances"]} - {None}
            for split, rows in self.rows.items()
        }
        if not names or not known.get(split):
            raise UsageError(
                f"No utterance of the {split} split of {which} has an emotion with a name, so there are none "
                f"to recognise. {advice}"
            )
        for split, ids in known.items():
            strange = sorted(ids - set(range(len(names))), key=str)
            if strange:
                raise InvalidDataError(
                    f"An utterance of the {split} split has the emotion {strange[0]!r}; expected 0 to "
                    f"{len(names) - 1} for {', '.join(names)}, or None where it is not known."
                )
        return self


@dataclass(frozen=True)
class FurtherTraining:
    """Dialogues of another corpus that are trained on beside the train split of a corpus.

    Attributes:
        key: What names it: its configuration, with the split where that is not train.
        corpus: Its dialogues, as train split.
        split: The split of its own that they are.
        weight: Dialogues of it in an epoch, as a share of those that there are.
        excluded: By scored split of the main corpus the ids of dialogues that are left out because it has them, too.
        later_candidates_left_out: Candidates with a cause after their target that are left out.
    """

    key: str
    corpus: Corpus
    split: str
    weight: float = 1.0
    excluded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    later_candidates_left_out: int = 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The dialogues."""
        return self.corpus.rows["train"]

    @property
    def per_epoch(self) -> int:
        """Dialogues of it in an epoch, at least one."""
        return max(1, round(self.weight * len(self.rows)))

    @property
    def facts(self) -> dict[str, Any]:
        """What a record states of it, as plain values."""
        table = self.corpus.tables["train"]
        return {
            "corpus": self.corpus.name,
            "config_name": self.corpus.config_name,
            "split": self.split,
            "candidates": self.corpus.candidates,
            "weight": self.weight,
            "dialogues": len(self.rows),
            "dialogues_per_epoch": self.per_epoch,
            "utterances": sum(len(row["utterances"]) for row in self.rows),
            "candidate_pairs": len(table),
            "gold_pairs": int((table.labels == 0).sum()) + table.missed_positives,
            "missed_positives": table.missed_positives,
            "later_candidates_left_out": self.later_candidates_left_out,
            "excluded": {split: list(ids) for split, ids in self.excluded.items()},
            "data_fingerprint": self.corpus.fingerprints["train"],
            "text_fingerprint": self.corpus.text_fingerprints["train"],
        }


def load_corpus(
    config_name: str,
    data_dir: str | Path,
    *,
    split: str | None = None,
    candidates: str | None = None,
    forward_pairs: str | None = None,
    validation: str | None = None,
    for_training: bool = True,
    **options: Any,
) -> Corpus:
    """Loads a configuration to train or to score on, or to extract features from.

    Args:
        config_name: The configuration.
        data_dir: Folder of the corpus.
        split: The one split to keep, ``dev`` and ``valid`` being validation; None: every split.
        candidates: Option of the loader, for corpora other than IEMO-MECP; None for its default.
        forward_pairs: Option of the loader, for ``source_binary``; None for its default.
        validation: Option of the loader, for ``iemocap``; None for its default.
        for_training: Whether train must be among all splits, and a warning names those that are missing.
        **options: Further options of the loader, such as ``annotations`` of ``ecf`` and ``mecad``, or ``status``,
            ``meld_root``, ``ecf_root`` and ``ecf_map`` of ``ecem``; None for a default.

    Returns:
        The corpus.

    Raises:
        UsageError: There is no such split.
        MissingDataError: Every split is asked for, for training, and there is no train split.
        IemomecpError: What :func:`iemomecp_dataset.load` raises.
    """
    import iemomecp_dataset
    from iemomecp_dataset.corpora.ecem import ecf_map_file

    options |= {"candidates": candidates, "forward_pairs": forward_pairs, "validation": validation}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    dataset = iemomecp_dataset.load(config_name, data_dir=data_dir, **given)
    missing = tuple(name for name in SPLITS if name not in dataset)
    if split is not None:
        split = canonical_split(split)
        if split not in dataset:
            raise UsageError(f"{data_dir} has no split {split!r} of {config_name}. {did_you_mean(split, dataset)}")
    elif for_training and "train" in missing:
        raise MissingDataError(f"{data_dir} has no train split, which training needs.")
    else:
        for name in missing if for_training else ():
            _logger.warning("There is no %s split in %s: nothing is scored on it.", name, data_dir)
    kept = {name: rows for name, rows in dataset.items() if split in (None, name)}
    corpus = corpus_of(
        kept, config_name=config_name, candidates=candidates, forward_pairs=forward_pairs, missing=missing
    )
    return replace(corpus, data_dir=Path(data_dir), ecf_map=ecf_map_file(load_options(config_name, given)))


def corpus_of(
    splits: Mapping[str, Iterable[Row]],
    *,
    config_name: str,
    candidates: str | None = None,
    forward_pairs: str | None = None,
    class_names: Sequence[str] | None = None,
    emotion_names: Sequence[str] | None = None,
    synthetic: bool = False,
    missing: Sequence[str] | None = None,
) -> Corpus:
    """Makes a corpus of rows in memory.

    Args:
        splits: By split a :class:`datasets.Dataset`, or rows. ``dev`` and ``valid`` are validation. Splits of the
            configuration beside train, validation and test, such as ``test_iemocap`` of ``reccon``, are kept where none
            of these three is given.
        config_name: The configuration.
        candidates: Which pairs are candidates, where that is not the default of the configuration.
        forward_pairs: How pairs with a future cause are treated, likewise.
        class_names: Pair classes by id; by default those of the dataset's features, else three roles or two classes,
            as the labels need.
        emotion_names: Emotions by id; by default those of the features. Plain rows without names have their emotions
            left out, since it is unknown which id is neutral.
        synthetic: Whether the data is synthetic; a dataset that is marked itself needs no further mark.
        missing: Splits that the corpus lacks; by default those that are not among ``splits``.

    Raises:
        UsageError: A split has another name than train, validation or test, and is none of the configuration, or is
            given twice.
        InvalidDataError: A split is empty, or a label has no class.
    """
    further = further_splits(config_name)
    named = Counter(canonical_split(str(split)) for split in splits)
    for split, count in named.items():
        if split not in (*SPLITS, *further):
            raise UsageError(f"There is no split {split!r}. {did_you_mean(split, (*SPLITS, *further))}")
        if count > 1:
            raise UsageError(f"The split {split} is given {count} times, among {', '.join(map(repr, splits))}.")
    splits = {canonical_split(str(split)): given for split, given in splits.items()}
    if any(split in SPLITS for split in splits):
        for split in further:
            if split in splits:
                _logger.warning("The split %s of %s is left out; it is used where it is named.", split, config_name)
        splits = {split: given for split, given in splits.items() if split in SPLITS}
    rows: dict[str, list[Any]] = {}
    without_text = 0
    for split in (*SPLITS, *further):
        if split not in splits:
            continue
        given = splits[split]
        rows[split] = given.to_list() if hasattr(given, "to_list") else [dict(row) for row in given]
        if not rows[split]:
            raise InvalidDataError(f"The split {split!r} has no dialogues. Leave it out, or give some.")
        features = getattr(given, "features", None)
        if features is not None:
            class_names = class_names or list_item(features["pairs"])["label"].names
            emotion_names = emotion_names or list_item(features["utterances"])["emotion"].names
            synthetic = synthetic or is_synthetic(given)
            without_text = max(without_text, missing_texts(given))
    if further and tuple(emotion_names or ()) == emotions_of_config(config_name, splits=further):
        # What only a split that is left out can have is no class of the others.
        emotion_names = emotions_of_config(config_name, splits=rows)
    labels = {pair["label"] for split_rows in rows.values() for row in split_rows for pair in row["pairs"]}
    if class_names is None:
        class_names = PAIR_LABELS if labels <= {0, 1} else ROLE_LABELS
    strange = sorted(labels - set(range(len(class_names))), key=str)
    if strange:
        raise InvalidDataError(
            f"A pair has the label {strange[0]!r}; expected 0 to {len(class_names) - 1} for {', '.join(class_names)}. "
            "Give class_names, the names of the classes by id."
        )
    if emotion_names is None:
        rows = {split: [_without_emotions(row) for row in split_rows] for split, split_rows in rows.items()}
    corpus = corpus_of_config(config_name)
    own_emotions = _own_emotions(config_name)
    return Corpus(
        name=corpus,
        config_name=config_name,
        class_names=tuple(class_names),
        emotion_names=tuple(emotion_names or ()),
        rows=rows,
        tables={split: pair_table(split_rows, emotion_names) for split, split_rows in rows.items()},
        missing_splits=tuple(split for split in SPLITS if split not in rows) if missing is None else tuple(missing),
        synthetic=synthetic,
        candidates="triangle+exceptions" if corpus == IEMOMECP else candidates or "all",
        forward_pairs=forward_pairs or "as_published" if corpus == IEMOMECP else candidates or "all",
        fingerprints={split: data_fingerprint(split_rows, own_emotions) for split, split_rows in rows.items()},
        text_fingerprints={split: text_fingerprint(split_rows) for split, split_rows in rows.items()},
        missing_texts=without_text,
    )


def _own_emotions(config_name: str) -> tuple[str, ...]:
    """The emotions of a configuration by id, those of its further splits included; none of rows in memory."""
    if config_name not in CONFIG_NAMES:
        return ()
    return emotions_of_config(config_name, splits=(*SPLITS, *further_splits(config_name)))


def _without_emotions(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "utterances": [{**utterance, "emotion": None} for utterance in row["utterances"]]}


def whole_corpus(corpus: Corpus) -> Corpus:
    """Rejoins the chunks of a corpus, for models that use the context of a dialogue.

    Args:
        corpus: Any corpus; one whose rows are whole dialogues keeps its content.

    Returns:
        The same with one row per source dialogue, and with the tables and fingerprints of these rows; a corpus of whole
        dialogues as it is.

    Raises:
        InvalidDataError: Chunks overlap or contradict each other, or a dialogue has chunks in two splits.

    See Also:
        :func:`iemomecp_dataset.whole_dialogues`.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    split_of: dict[str, str] = {}
    for split, split_rows in corpus.rows.items():
        rows[split] = [dict(row) for row in whole_dialogues(split_rows)]
        for row in rows[split]:
            other = split_of.setdefault(row["dialogue_id"], split)
            if other != split:
                raise InvalidDataError(
                    f"{corpus.name} ({corpus.config_name}), dialogue {row['dialogue_id']!r}: it has chunks in both "
                    f"{other} and {split}, so it cannot be rejoined."
                )
    return corpus if rows == corpus.rows else with_rows(corpus, rows)


def with_rows(corpus: Corpus, rows: dict[str, list[dict[str, Any]]]) -> Corpus:
    """Gives a corpus other rows, with the tables and fingerprints of these.

    Args:
        corpus: Any corpus.
        rows: Rows by split.

    Returns:
        The corpus with these splits alone.
    """
    return replace(
        corpus,
        rows=rows,
        tables={split: pair_table(of_split, corpus.emotion_names or None) for split, of_split in rows.items()},
        fingerprints={
            split: data_fingerprint(of_split, _own_emotions(corpus.config_name)) for split, of_split in rows.items()
        },
        text_fingerprints={split: text_fingerprint(of_split) for split, of_split in rows.items()},
    )
