"""Functions of loaded rows: gold pairs, one row per pair, and whether the data is synthetic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from iemomecp_dataset.schema import Row

if TYPE_CHECKING:
    import datasets

__all__ = [
    "SYNTHETIC_MARK",
    "gold_pairs",
    "is_synthetic",
    "list_item",
    "missing_texts",
    "missing_texts_sentence",
    "to_pairs",
]

SYNTHETIC_MARK = "SYNTHETIC"
"""How the description of a synthetic dataset begins."""

_MISSING_TEXTS = " Text of ConvECPE, where IEMOCAP's transcripts lack the utterance: {count}."

AnyDataset: TypeAlias = (
    "datasets.Dataset | datasets.IterableDataset | datasets.DatasetDict | datasets.IterableDatasetDict"
)
DatasetT = TypeVar(
    "DatasetT",
    "datasets.Dataset",
    "datasets.IterableDataset",
    "datasets.DatasetDict",
    "datasets.IterableDatasetDict",
)


def gold_pairs(row: Row | Mapping[str, Any]) -> list[tuple[int, int]]:
    """Lists the gold pairs of a row: label 0, inside and outside its candidates.

    Args:
        row: A row as :func:`iemomecp_dataset.load` returns it.

    Returns:
        ``(target_turn, cause_turn)``, sorted.

    Example:
        >>> gold_pairs({"pairs": [{"target_turn": 2, "cause_turn": 1, "label": 0}],
        ...             "gold_outside_candidates": [{"target_turn": 1, "cause_turn": 2}]})
        [(1, 2), (2, 1)]
    """
    inside = [(pair["target_turn"], pair["cause_turn"]) for pair in row["pairs"] if pair["label"] == 0]
    outside = [(pair["target_turn"], pair["cause_turn"]) for pair in row.get("gold_outside_candidates") or []]
    return sorted(inside + outside)


def is_synthetic(dataset: AnyDataset) -> bool:
    """Tells whether a dataset is synthetic, that is, written by a program.

    Args:
        dataset: A dataset, an iterable dataset, or a dictionary of them.

    Returns:
        Whether its description, or that of any dataset that it was concatenated or interleaved of, begins with
        :data:`SYNTHETIC_MARK` (for a dictionary: that of any split).
    """
    if isinstance(dataset, Mapping):
        return any(is_synthetic(split) for split in dataset.values())
    # datasets joins the descriptions of what is concatenated by empty lines.
    return any(part.startswith(SYNTHETIC_MARK) for part in (dataset.info.description or "").split("\n\n"))


def missing_texts_sentence(count: int) -> str:
    """Words how many utterances lack a line in IEMOCAP's transcripts, for the description of a dataset.

    Args:
        count: Their number.

    Returns:
        A sentence that begins with a blank; empty text for none.

    See Also:
        :func:`missing_texts` reads it back.
    """
    return _MISSING_TEXTS.format(count=count) if count else ""


def missing_texts(dataset: AnyDataset) -> int:
    """Tells how many utterances of a dataset lack a line in IEMOCAP's transcripts and have ConvECPE's text.

    Args:
        dataset: A dataset, an iterable dataset, or a dictionary of them, with the description that loading gave it.

    Returns:
        Their number in all splits together, which every split states; of a dictionary the largest that a split states.
    """
    if isinstance(dataset, Mapping):
        return max(map(missing_texts, dataset.values()), default=0)
    before, after = _MISSING_TEXTS.split("{count}")
    stated = re.findall(rf"{re.escape(before)}(\d{{1,9}}){re.escape(after)}", dataset.info.description or "")
    return max(map(int, stated), default=0)


def to_pairs(dataset: DatasetT) -> DatasetT:
    """Flattens dialogues to pairs.

    Args:
        dataset: A :class:`datasets.Dataset`, an :class:`datasets.IterableDataset`, or a dictionary of them.

    Returns:
        The same kind of object with one row per candidate pair: the columns of ``pairs``, the ids of the dialogue, and
        the two utterances as ``target_...`` and ``cause_...`` columns. Gold pairs outside the candidates
        (``candidates="past"``) have no row; :func:`gold_pairs` lists them.
    """
    if isinstance(dataset, dict):
        return type(dataset)({split: to_pairs(part) for split, part in dataset.items()})
    features = _pair_features(dataset.features)
    options: dict[str, Any] = {"batched": True, "remove_columns": dataset.column_names, "features": features}
    options["fn_kwargs"] = {"names": list(features)}
    if hasattr(dataset, "cache_files"):  # An iterable dataset has no rows to show progress over.
        options["desc"] = "Flattening pairs"
        dataset = dataset.with_format(None)
    return dataset.map(_flatten, **options)


_ROW_COLUMNS = ("dialogue_id", "source_dialogue_id", "chunk_index", "session")
_UTTERANCE_COLUMNS = (
    "utterance_id",
    "source_turn",
    "speaker",
    "text",
    "emotion",
    "emotion_source",
    "start",
    "end",
    "wav",
    "video",
)


def _pair_features(features: datasets.Features) -> datasets.Features:
    from datasets import Features

    pair = list_item(features["pairs"])
    utterance = list_item(features["utterances"])
    return Features(
        {name: features[name] for name in _ROW_COLUMNS}
        | dict(pair)
        | {
            f"{side}_{name}": utterance[name]
            for side in ("target", "cause")
            for name in _UTTERANCE_COLUMNS
            if name in utterance  # emotion_source is there with emotions="common" alone.
        }
    )


def list_item(feature: Any) -> Any:
    """Gives the type inside a list feature, in the spellings of all supported versions of ``datasets``."""
    return feature[0] if isinstance(feature, list) else feature.feature


def _flatten(batch: Mapping[str, list[Any]], names: Iterable[str]) -> dict[str, list[Any]]:
    # A batch of dialogues without pairs has these columns, too.
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for index, (utterances, pairs) in enumerate(zip(batch["utterances"], batch["pairs"], strict=True)):
        by_turn = {utterance["turn"]: utterance for utterance in utterances}
        for pair in pairs:
            for name in _ROW_COLUMNS:
                columns[name].append(batch[name][index])
            for name, value in pair.items():
                columns[name].append(value)
            for side in ("target", "cause"):
                utterance = by_turn[pair[f"{side}_turn"]]
                for name in _UTTERANCE_COLUMNS:
                    if name in utterance:
                        columns[f"{side}_{name}"].append(utterance[name])
    return columns
