"""The gold of one split, against which predictions are scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import IEMOMECP
from iemomecp_dataset.corpus import Corpus, load_corpus
from iemomecp_dataset.errors import InvalidDataError, UsageError, did_you_mean
from iemomecp_dataset.metrics.set_scores import SEMEVAL_EMOTIONS, PairSet, pair_set
from iemomecp_dataset.pair_table import PairTable
from iemomecp_dataset.rows import gold_pairs
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS, SPLITS, canonical_split

__all__ = [
    "GoldSplit",
    "check_split",
    "dialogues_by_split",
    "further_split",
    "gold_split",
    "load_gold_split",
    "require_split",
]


@dataclass(frozen=True)
class GoldSplit:
    """Everything about a split that a score depends on.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Pair classes by id.
        table: All candidates with their gold.
        pairs: All gold pairs, those outside the candidates included, with the emotion of the target where known.
        source_pairs: ``(n,)`` bool, the source-binary gold of each candidate (cause not after target, as published);
            ``None`` outside IEMO-MECP.
        source_dialogues: The source dialogue of every dialogue.
        missed_by_source: Gold pairs that are not candidates, in each source dialogue.
        emotions: The emotion of each ``(dialogue, turn)``; empty where the corpus has none.
        conversations: Dialogues in the shape of SemEval-2024 files, for writing predictions.
        forward_pairs: How pairs with a future cause are treated.
        data_fingerprint: Of the split.
        text_fingerprint: Of its texts.
        synthetic: Whether a program made it.
        emotion_names: The emotions of the corpus.
        loaded: The corpus with all its splits, where it was loaded for this.
    """

    corpus: str
    config_name: str
    split: str
    class_names: tuple[str, ...]
    table: PairTable
    pairs: PairSet
    source_pairs: NDArray[np.bool_] | None
    source_dialogues: Mapping[str, str]
    missed_by_source: Mapping[str, int]
    emotions: Mapping[tuple[str, int], str]
    conversations: tuple[dict[str, Any], ...]
    forward_pairs: str
    data_fingerprint: str
    text_fingerprint: str
    synthetic: bool
    emotion_names: tuple[str, ...] = ()
    loaded: Corpus | None = field(default=None, repr=False, compare=False)

    @property
    def scored_emotions(self) -> tuple[str, ...]:
        """The emotions of definitions C and D: those of SemEval-2024, or the corpus's own where it has others."""
        own = set(self.emotion_names or self.emotions.values()) - NEUTRAL_EMOTIONS
        return SEMEVAL_EMOTIONS if own <= set(SEMEVAL_EMOTIONS) else tuple(sorted(own))


def load_gold_split(
    config_name: str,
    data_dir: str | Path,
    split: str,
    *,
    candidates: str | None = None,
    forward_pairs: str | None = None,
) -> GoldSplit:
    """Loads the gold of a split, and keeps the other splits: structural rows are fitted on train.

    Args:
        config_name: As in :func:`iemomecp_dataset.load`.
        data_dir: As in :func:`iemomecp_dataset.load`.
        split: train, validation or test.
        candidates: As in :func:`iemomecp_dataset.load`; None for its default.
        forward_pairs: Likewise.

    Returns:
        The gold.

    Raises:
        IemomecpError: The data is missing or breaks its format, or has no such split.
    """
    split = canonical_split(split)
    corpus = load_corpus(
        config_name,
        data_dir,
        split=further_split(split),
        candidates=candidates,
        forward_pairs=forward_pairs,
        for_training=False,
    )
    require_split(corpus, split)
    return replace(gold_split(corpus, split), loaded=corpus)


def further_split(split: str) -> str | None:
    """Names the one split to load for scoring on it: None, all of them, for a split that a run can have.

    Rules are fitted on train for these. A further split, like ``test_iemocap`` of ``reccon``, has other emotions than
    its train split.
    """
    return None if split in SPLITS else split


def require_split(corpus: Corpus, split: str) -> None:
    """Refuses a split that a corpus on disk does not have.

    Args:
        corpus: The corpus.
        split: The split.

    Raises:
        UsageError: There is no such split.
    """
    if split not in corpus.rows:
        where = corpus.config_name if corpus.data_dir is None else f"{corpus.config_name} in {corpus.data_dir}"
        raise UsageError(f"There is no split {split!r} of {where}. {did_you_mean(split, corpus.rows)}")


def dialogues_by_split(config_name: str, data_dir: str | Path) -> dict[str, set[str]]:
    """Lists the dialogues of every split of a corpus.

    Args:
        config_name: Configuration.
        data_dir: Folder of the corpus.

    Returns:
        By split the ids of its rows, and of the dialogues that rows are chunks of.

    Raises:
        IemomecpError: The data is missing or breaks its format.
    """
    corpus = load_corpus(config_name, data_dir, for_training=False)
    return {
        split: {name for row in rows for name in (row["dialogue_id"], row.get("source_dialogue_id")) if name}
        for split, rows in corpus.rows.items()
    }


def check_split(path: Path, dialogues: Iterable[str], known: Iterable[str], split: str, corpus: Corpus | None) -> None:
    """Refuses a file whose unknown dialogues are all of another split.

    Args:
        path: The file.
        dialogues: Its dialogues.
        known: Those of the split that it is scored on.
        split: That split.
        corpus: The corpus with its other splits, where it was loaded.

    Raises:
        InvalidDataError: They are; the message names the split.
    """
    unknown = set(dialogues) - set(known)
    if not unknown or corpus is None:
        return
    for other, rows in corpus.rows.items():
        if other != split and unknown <= {row["dialogue_id"] for row in rows}:
            raise InvalidDataError(
                f"{path}: {len(unknown)} of its dialogues, such as {min(unknown)}, are not of {split}: they are "
                f"dialogues of {other}: --split {other}."
            )


def gold_split(corpus: Corpus, split: str) -> GoldSplit:
    """Collects the gold of one split of a loaded corpus.

    Args:
        corpus: The corpus.
        split: One of its splits.

    Returns:
        The gold.

    Raises:
        UsageError: There is no such split, or the corpus has no pairs.
    """
    split = canonical_split(split)
    require_split(corpus, split)
    corpus.require_pairs()
    rows, table = corpus.rows[split], corpus.tables[split]
    if not len(table):
        raise UsageError(
            f"{corpus.config_name} has no causes, so there are no pairs to score on it. Score emotions: a file with "
            "dialogue_id, turn and prob_<emotion>."
        )
    gold_keys: list[tuple[str, int, int]] = []
    missed: dict[str, int] = {}
    emotions: dict[tuple[str, int], str] = {}
    for row in rows:
        name, source = row["dialogue_id"], row["source_dialogue_id"] or row["dialogue_id"]
        gold_keys.extend((name, target, cause) for target, cause in gold_pairs(row))
        outside = len(row.get("gold_outside_candidates") or [])
        if outside:
            missed[source] = missed.get(source, 0) + outside
        for turn in row["utterances"]:
            if turn["emotion"] is not None and turn["emotion"] >= 0:
                emotions[(name, turn["turn"])] = corpus.emotion_names[turn["emotion"]]
    known = bool(emotions) and all((name, target) in emotions for name, target, _ in gold_keys)
    return GoldSplit(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        class_names=corpus.class_names,
        table=table,
        pairs=pair_set(
            [key[0] for key in gold_keys],
            [key[1] for key in gold_keys],
            [key[2] for key in gold_keys],
            [emotions[key[:2]] for key in gold_keys] if known else None,
        ),
        source_pairs=_source_pairs(rows, table) if corpus.name == IEMOMECP else None,
        source_dialogues={row["dialogue_id"]: row["source_dialogue_id"] or row["dialogue_id"] for row in rows},
        missed_by_source=missed,
        emotions=emotions,
        conversations=tuple(_conversation(row, corpus.emotion_names) for row in rows),
        forward_pairs=corpus.forward_pairs,
        data_fingerprint=corpus.fingerprints[split],
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
        emotion_names=corpus.emotion_names,
    )


def _source_pairs(rows: list[dict[str, Any]], table: PairTable) -> NDArray[np.bool_] | None:
    flags = [pair["source_pair"] for row in rows for pair in row["pairs"]]
    if any(flag is None for flag in flags):
        return None
    return np.array(flags, dtype=np.bool_) & (table.distances >= 0)


def _conversation(row: Mapping[str, Any], emotion_names: Sequence[str]) -> dict[str, Any]:
    name = row["dialogue_id"]
    return {
        "conversation_ID": int(name) if name.isdecimal() and str(int(name)) == name else name,
        "conversation": [
            {
                "utterance_ID": turn["turn"],
                "text": turn["text"],
                "speaker": turn["speaker"],
                "emotion": None if turn["emotion"] is None else emotion_names[turn["emotion"]],
            }
            for turn in row["utterances"]
        ],
    }
