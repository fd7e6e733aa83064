"""Counts of a loaded configuration, as a table, compared with the published counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.corpora.metadata import CORPORA, SplitCounts
from iemomecp_dataset.rows import gold_pairs, list_item
from iemomecp_dataset.schema import NEUTRAL_EMOTIONS

__all__ = ["RowStatistics", "row_statistics", "statistics_table"]


@dataclass(frozen=True)
class RowStatistics:
    """Counts of one split.

    Attributes:
        counts: The counts that are published for other corpora. Its ``emotional`` is -1 if rows have no emotions.
        candidates: Candidate pairs.
        labels: Candidates by label name.
        mean_length: Mean number of utterances per row.
        emotions: Utterances by emotion name; those whose emotion is not known are in none.
    """

    counts: SplitCounts
    candidates: int
    labels: Mapping[str, int]
    mean_length: float
    emotions: Mapping[str, int]


def row_statistics(rows: Any) -> RowStatistics:
    """Counts the rows of one split.

    Args:
        rows: A :class:`datasets.Dataset` as :func:`iemomecp_dataset.load` returns it.

    Returns:
        The counts.
    """
    emotion_names = list_item(rows.features["utterances"])["emotion"].names
    label_names = list_item(rows.features["pairs"])["label"].names
    labels: Counter[str] = Counter(dict.fromkeys(label_names, 0))
    emotions: Counter[str] = Counter(dict.fromkeys(emotion_names, 0))
    lengths: list[int] = []
    totals: Counter[str] = Counter()
    for row in rows:
        lengths.append(len(row["utterances"]))
        gold = gold_pairs(row)
        targets = {target for target, _ in gold}
        totals["gold"] += len(gold)
        totals["forward"] += sum(cause > target for target, cause in gold)
        totals["self"] += sum(cause == target for target, cause in gold)
        labels.update(label_names[pair["label"]] for pair in row["pairs"])
        for utterance in row["utterances"]:
            if utterance["emotion"] is None:
                totals["without emotion"] += 1
                continue
            name = emotion_names[utterance["emotion"]]
            emotions[name] += 1
            if name not in NEUTRAL_EMOTIONS:
                totals["emotional"] += 1
                totals["emotional with cause"] += utterance["turn"] in targets
    unknown = totals["without emotion"] > 0
    return RowStatistics(
        counts=SplitCounts(
            dialogues=len(lengths),
            utterances=sum(lengths),
            gold_pairs=totals["gold"],
            forward=totals["forward"],
            self_pairs=totals["self"],
            emotional=-1 if unknown else totals["emotional"],
            emotional_with_cause=-1 if unknown else totals["emotional with cause"],
            longest=max(lengths, default=0),
        ),
        candidates=labels.total(),
        labels=dict(labels),
        mean_length=sum(lengths) / len(lengths) if lengths else 0.0,
        emotions=dict(emotions),
    )


def statistics_table(name: str, splits: Mapping[str, Any]) -> str:
    """Formats the counts of a configuration.

    Args:
        name: Configuration name.
        splits: Rows by split.

    Returns:
        A table with one line per split; for a corpus with published counts, a sentence on whether they match.
    """
    statistics = {split: row_statistics(rows) for split, rows in splits.items()}
    has_pairs = name not in CORPORA or CORPORA[name].has_pairs
    lines = [_pair_cells(line) if has_pairs else _emotion_cells(line) for line in statistics.values()]
    table = [["split", *(lines[0] if lines else ())]]
    for split, cells in zip(statistics, lines, strict=True):
        table.append([split, *("?" if number == -1 else str(number) for number in cells.values())])
    return "\n".join([_columns(table), *_comparison(name, statistics)])


def _sizes(line: RowStatistics) -> dict[str, int | str]:
    counts = line.counts
    return {
        "rows": counts.dialogues,
        "utterances": counts.utterances,
        "mean": f"{line.mean_length:.1f}",
        "longest": counts.longest,
    }


def _pair_cells(line: RowStatistics) -> dict[str, int | str]:
    counts = line.counts
    return {
        **_sizes(line),
        "candidates": line.candidates,
        **line.labels,
        "gold": counts.gold_pairs,
        "forward": counts.forward,
        "self": counts.self_pairs,
        "emotional": counts.emotional,
        "with cause": counts.emotional_with_cause,
    }


def _emotion_cells(line: RowStatistics) -> dict[str, int | str]:
    return {**_sizes(line), **line.emotions}


def _comparison(name: str, statistics: Mapping[str, RowStatistics]) -> Iterable[str]:
    if name not in CORPORA:
        return
    corpus = CORPORA[name]
    for split, line in statistics.items():
        if split in corpus.published:
            yield _verdict(split, "counts", line.counts, corpus.published[split])
    for split, published in corpus.class_counts.items():
        # Where the authors have no validation split, the loader's is a part of train.
        parts = [split, "validation"] if split == "train" and "validation" not in corpus.class_counts else [split]
        emotions: Counter[str] = Counter()
        for part in parts:
            emotions.update(statistics[part].emotions if part in statistics else {})
        if split in statistics:
            yield _verdict(" and ".join(p for p in parts if p in statistics), "emotions", dict(emotions), published)


def _verdict(split: str, what: str, found: object, published: object) -> str:
    same = found == published
    return f"{split}: {f'matches the published {what}' if same else f'DIFFERS from the published {published}'}."


def _columns(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
