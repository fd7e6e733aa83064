"""Counts of a loaded configuration, as a table, compared with the published counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from iemomecp_dataset.corpora.metadata import CORPORA, EmotionCounts, SplitCounts
from iemomecp_dataset.rows import gold_pairs, is_synthetic, list_item
from iemomecp_dataset.schema import EXPLANATION_STATUSES, NEUTRAL_EMOTIONS

__all__ = ["RowStatistics", "row_statistics", "statistics_table"]


@dataclass(frozen=True)
class RowStatistics:
    """Counts of one split.

    Attributes:
        counts: The counts that are published for other corpora. Its ``emotional`` is -1 if rows have no emotions.
        candidates: Candidate pairs.
        labels: Candidates by label name.
        mean_length: Mean number of utterances per row.
        emotions: Utterances by emotion name; those without a known emotion are left out.
        explanations: Explanations by status; statuses without any are left out.
    """

    counts: SplitCounts
    candidates: int
    labels: Mapping[str, int]
    mean_length: float
    emotions: Mapping[str, int]
    explanations: Mapping[str, int] = field(default_factory=dict)


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
    lengths: list[int] = []
    totals: Counter[str] = Counter()
    emotions: Counter[str] = Counter(dict.fromkeys(emotion_names, 0))
    explanations: Counter[str] = Counter()
    for row in rows:
        lengths.append(len(row["utterances"]))
        gold = gold_pairs(row)
        targets = {target for target, _ in gold}
        totals["gold"] += len(gold)
        totals["forward"] += sum(cause > target for target, cause in gold)
        totals["self"] += sum(cause == target for target, cause in gold)
        explanations.update(EXPLANATION_STATUSES[part["status"]] for part in row.get("explanations") or ())
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
        explanations=dict(explanations),
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
    first = next(iter(statistics.values()), None)
    names = [] if first is None else list(first.labels if has_pairs else first.emotions)
    header = ["split", "rows", "utterances", "mean", "longest", *(["candidates"] if has_pairs else []), *names]
    statuses = [status for status in EXPLANATION_STATUSES if any(status in s.explanations for s in statistics.values())]
    header += ["gold", "forward", "self", "emotional", "with cause"] if has_pairs else []
    header += [f"{status} explanations" for status in statuses]
    lines = [header]
    for split, line in statistics.items():
        counts = line.counts
        numbers = [counts.dialogues, counts.utterances, f"{line.mean_length:.1f}", counts.longest]
        if has_pairs:
            numbers += [line.candidates, *(line.labels[label] for label in names)]
            numbers += [counts.gold_pairs, counts.forward, counts.self_pairs]
            numbers += [counts.emotional, counts.emotional_with_cause]
        else:
            numbers += [line.emotions[emotion] for emotion in names]
        numbers += [line.explanations.get(status, 0) for status in statuses]
        lines.append([split, *("?" if number == -1 else str(number) for number in numbers)])
    # What a program made does not have the counts of the genuine files either.
    # The published counts of explanations are those of dialogues with complete ones.
    comparable = not is_synthetic(splits) and set(statuses) <= {"complete"}
    comparison = _comparison(name, statistics) if comparable else []
    return "\n".join([_columns(lines), *comparison])


def _comparison(name: str, statistics: Mapping[str, RowStatistics]) -> Iterable[str]:
    published = CORPORA[name].published if name in CORPORA else {}
    for split, line in statistics.items():
        if split in published:
            same = line.counts == published[split]
            verdict = "matches the published counts" if same else f"DIFFERS from the published {published[split]}"
            yield f"{split}: {verdict}."
    for splits, expected in (CORPORA[name].published_emotions if name in CORPORA else {}).items():
        lines = [statistics[split] for split in splits.split("+") if split in statistics]
        if not lines:
            continue
        found = EmotionCounts(
            dialogues=sum(line.counts.dialogues for line in lines),
            by_emotion=tuple(map(sum, zip(*(line.emotions.values() for line in lines), strict=True))),
        )
        verdict = "match the published counts" if found == expected else f"DIFFER from the published {expected}"
        yield f"{splits}: emotions {verdict}."


def _columns(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
