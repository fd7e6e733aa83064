"""Structural rows of explanations: texts that need no model.

They belong in every table of explanations. References open alike ("The reason why she is sad is that"), so a sentence
that depends on nothing but the emotion scores well on whole texts; only what a system reaches beyond these rows, and
beyond the opening (``content_*``), is evidence.

====================  ==============================================================================================
key                   explanation of an emotion
====================  ==============================================================================================
``frame``             the most frequent opening of the train explanations of its group, nothing after it
``medoid``            the train explanation of its group with the highest mean ROUGE-L to the others of the group
``random``            a train explanation of its group, drawn with a fixed seed
``retrieval``         the explanation of the train target of its group whose words are nearest (cosine of TF-IDF)
``frame_target``      the opening, then the target utterance
``frame_previous``    the opening, then who spoke before and what they said
``frame_gold_cause``  the opening, then the gold cause utterance
``frame_cause``       the opening, then the cause utterance that a pair run predicted
====================  ==============================================================================================

A group has one emotion and one gender. Corpora do not label gender; it is that of the pronoun which train explanations
use for the speaker most often, :func:`speaker_genders`. No row uses a reference of the split that it explains.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.benchmark.baselines.target_retrieval import NearestTargets
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import MetricInputError
from iemomecp_dataset.explanation_table import ExplanationTable, explanation_table
from iemomecp_dataset.metrics.explanations.ngrams import rouge_l
from iemomecp_dataset.metrics.explanations.tokens import opening_length, ptb_tokens
from iemomecp_dataset.schema import SPLITS

__all__ = [
    "FRAME",
    "FRAME_CAUSE",
    "FRAME_GOLD_CAUSE",
    "FRAME_PREVIOUS",
    "FRAME_TARGET",
    "MEDOID",
    "RANDOM",
    "RETRIEVAL",
    "ROW_NAMES",
    "ExplanationSystem",
    "PredictedCauses",
    "explanation_systems",
    "medoid",
    "opening_of",
    "speaker_genders",
]

FRAME, MEDOID, RANDOM, RETRIEVAL = "frame", "medoid", "random", "retrieval"
FRAME_TARGET, FRAME_PREVIOUS = "frame_target", "frame_previous"
FRAME_GOLD_CAUSE, FRAME_CAUSE = "frame_gold_cause", "frame_cause"
"""Keys of the rows."""

PredictedCauses: TypeAlias = Mapping[str, Sequence[Sequence[int]]]
"""By split the cause turns of each explained target, in the order of its table."""

_SEED = 0
_MAX_TOKENS = 63  # a text is one 64-bit word in the longest common subsequence
_BLOCK = 256
_PRONOUNS = {
    **dict.fromkeys(("he", "him", "his", "himself"), "male"),
    **dict.fromkeys(("she", "her", "hers", "herself"), "female"),
}
_PRONOUN_WORDS = 11
_WORD = re.compile(r"[a-z]+")
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
_SLOT = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class ExplanationSystem:
    """The texts of one structural row.

    Attributes:
        key: Key in ``results.json``.
        display_name: Name in tables.
        description: What it does and what it uses, in full sentences.
        predictions: By split, train excepted, one text per item of the split's explanation table; empty where the row
            could not be built, with the reason in the description.
    """

    key: str
    display_name: str
    description: str
    predictions: Mapping[str, list[str]] = field(default_factory=dict)


def explanation_systems(corpus: Corpus, *, predicted_causes: PredictedCauses | None = None) -> list[ExplanationSystem]:
    """Builds every row that the corpus allows, for all splits but train.

    Args:
        corpus: The corpus.
        predicted_causes: Cause turns of a pair run for the splits that it predicted; a split without them has no
            predictions of that row.

    Returns:
        The systems. One that cannot be built has no predictions, and the reason in its description.

    Raises:
        MetricInputError: There are other numbers of predicted causes and of explanations in a split.
        MissingDependencyError: scikit-learn is not installed.
    """
    tables = {split: explanation_table(rows) for split, rows in corpus.rows.items()}
    others = {split: table for split, table in tables.items() if split != "train" and len(table)}
    for split, causes in (predicted_causes or {}).items():
        if split in tables and len(causes) != len(tables[split]):
            raise MetricInputError(
                f"There are predicted causes for {len(causes)} explanations, but {split} has {len(tables[split])}. "
                "Give the cause turns of every item, () where none was predicted."
            )
    train = tables.get("train")
    if train is None or not len(train):
        reason = "Not built: the train split has no explanations."
        return [ExplanationSystem(key, name, reason) for key, name in ROW_NAMES.items()]
    groups = _Groups(train)
    frames = {split: _frames(groups, train, table) for split, table in others.items()}
    has_frame = any(any(of_split) for of_split in frames.values())
    turns = {split: _utterances(corpus.rows[split]) for split in others}
    built: dict[str, tuple[str, dict[str, list[str]]]] = {}
    if has_frame:
        built[FRAME] = (
            "The most frequent opening of the train explanations of the same emotion and gender: what stands up to the "
            'first "that" or "because" among their words 3 to 11, the speaker\'s name replaced. Nothing follows it.',
            frames,
        )
    asked = dict.fromkeys(key for table in others.values() for key in groups.keys_of(table))
    of_group = {key: train.references[_medoid_of(train, groups.members(key))] for key in asked}
    built[MEDOID] = (
        "One train explanation per emotion and gender: the one with the highest mean ROUGE-L to the others of its "
        "group. It depends on nothing but emotion and gender." + _cut_texts(train),
        {split: [of_group[key] for key in groups.keys_of(table)] for split, table in others.items()},
    )
    built[RANDOM] = (
        f"A train explanation of the same emotion and gender, drawn at random (seed {_SEED}).",
        {split: _random(groups, train, split, table) for split, table in others.items()},
    )
    built[RETRIEVAL] = _retrieval(groups, train, others)
    if has_frame:
        built |= _copies(corpus, frames, turns, others, predicted_causes)
    no_frame = 'Not built: no train explanation has an opening that ends in "that" or "because".'
    no_run = "Not built: no run that finds pairs was given."
    systems = []
    for key, name in ROW_NAMES.items():
        if key in built:
            description, predictions = built[key]
        else:
            description = no_run if key == FRAME_CAUSE and has_frame else no_frame
            predictions = {}
        systems.append(ExplanationSystem(key, name, description, predictions))
    return systems


ROW_NAMES = {
    FRAME: "frame alone",
    RANDOM: "random explanation, same emotion and gender",
    MEDOID: "medoid explanation, same emotion and gender",
    RETRIEVAL: "TF-IDF nearest target, same emotion and gender",
    FRAME_TARGET: "frame + target utterance",
    FRAME_PREVIOUS: "frame + previous utterance",
    FRAME_GOLD_CAUSE: "frame + gold cause utterance",
    FRAME_CAUSE: "frame + predicted cause utterance",
}
"""Names of the rows in tables, by key."""


def speaker_genders(table: ExplanationTable) -> dict[str, str]:
    """Finds the gender of speakers from the pronouns of their explanations.

    Args:
        table: Explanations of train.

    Returns:
        ``male`` or ``female`` by speaker: that of the first pronoun among the first eleven words, in most of the
        speaker's explanations. Speakers without one, with equal counts or without a name are left out.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [{"turn": 1, "speaker": "A"}], "explanations": [
        ...     {"target_turn": 1, "status": 0, "text": "The reason why she is glad is that he called."}]}
        >>> speaker_genders(explanation_table([row]))
        {'A': 'female'}
    """
    counts: dict[str, Counter[str]] = {}
    for speaker, text in zip(table.speakers.tolist(), table.references, strict=True):
        words = _WORD.findall(text.lower())[:_PRONOUN_WORDS]
        first = next((_PRONOUNS[word] for word in words if word in _PRONOUNS), None)
        if first is not None and speaker:
            counts.setdefault(speaker, Counter())[first] += 1
    return {
        speaker: max(found, key=lambda gender: found[gender])
        for speaker, found in counts.items()
        if found["male"] != found["female"]
    }


def opening_of(text: str, speaker: str = "", replacement: str = _SLOT) -> str:
    """Finds the opening of an explanation.

    Args:
        text: The explanation.
        speaker: Name of the speaker.
        replacement: What stands for this name.

    Returns:
        Its words (:func:`~iemomecp_dataset.metrics.explanations.tokens.opening_length`); empty where there is none.

    Example:
        >>> opening_of("The reason why Ann is glad is that he called.", "Ann", "X")
        'The reason why X is glad is that'
        >>> opening_of("He called.")
        ''
    """
    words = text.split()
    opening = " ".join(words[: opening_length(words)]).lstrip("\"'\N{LEFT DOUBLE QUOTATION MARK}")
    return re.sub(rf"\b{re.escape(speaker)}\b", replacement, opening) if speaker else opening


def medoid(texts: Sequence[Sequence[Hashable]]) -> int:
    """Finds the text that resembles the others most.

    Args:
        texts: ``n`` texts as tokens; of a longer one the first 63 count.

    Returns:
        Position of the text with the highest mean ROUGE-L (COCO, recall weighted by 1.2) as a candidate against each of
        the others as reference; of equals the first.

    Raises:
        MetricInputError: There are no texts.

    Example:
        >>> medoid([["a", "b", "c"], ["a", "b", "c", "d"], ["b", "d"]])
        1
    """
    if not texts:
        raise MetricInputError("There are no texts to choose a medoid from.")
    cut = [list(text)[:_MAX_TOKENS] for text in texts]
    number: dict[Hashable, int] = {}
    lengths = np.array([len(text) for text in cut])
    padded = np.full((len(cut), max(1, lengths.max())), -1, dtype=np.int64)
    for row, text in enumerate(cut):
        padded[row, : len(text)] = [number.setdefault(token, len(number)) for token in text]
    totals = np.empty(len(cut))
    for start in range(0, len(cut), _BLOCK):
        block = slice(start, start + _BLOCK)
        common = _common_lengths(padded[block], padded, len(number))
        score = rouge_l(common, lengths[block, None], lengths[None])
        score[np.arange(len(score)), np.arange(start, start + len(score))] = 0.0  # itself
        totals[block] = score.sum(axis=1)
    # Sums of the same values in another order differ in their last bits.
    return int(np.argmax(np.round(totals, 9)))


def _common_lengths(patterns: NDArray[np.int64], texts: NDArray[np.int64], n_tokens: int) -> NDArray[np.int64]:
    """``(p, n)`` lengths of longest common subsequences, bit-parallel (Hyyrö, 2004): a pattern is one word."""
    positions = np.zeros((len(patterns), n_tokens + 1), dtype=np.uint64)  # the last column is of the padding
    for place in range(patterns.shape[1]):
        known = patterns[:, place] >= 0
        positions[np.flatnonzero(known), patterns[known, place]] |= np.uint64(1 << place)
    state: NDArray[np.uint64] = np.full((len(patterns), len(texts)), ~np.uint64(0))
    for place in range(texts.shape[1]):
        matches = positions[:, texts[:, place]]
        hits = state & matches
        state = np.bitwise_or(state + hits, state - hits)
    return np.asarray(_BITS[(~state)[..., None].view(np.uint8)].sum(axis=-1, dtype=np.int64))


_Key: TypeAlias = tuple[int, str]


class _Groups:
    """The train items of each emotion and gender; of an unknown gender those of the emotion, then all."""

    def __init__(self, train: ExplanationTable) -> None:
        self.genders = speaker_genders(train)
        self._members: dict[_Key | int | None, list[int]] = {None: list(range(len(train)))}
        for place, key in enumerate(self._wanted(train)):
            self._members.setdefault(key, []).append(place)
            self._members.setdefault(key[0], []).append(place)

    def _wanted(self, table: ExplanationTable) -> list[_Key]:
        return [
            (emotion, self.genders.get(speaker, ""))
            for emotion, speaker in zip(table.emotions.tolist(), table.speakers.tolist(), strict=True)
        ]

    def keys_of(self, table: ExplanationTable) -> list[_Key | int | None]:
        """The narrowest group with train items, of each item; an unknown gender stands for the whole emotion."""
        return [
            key if key[1] and key in self._members else key[0] if key[0] in self._members else None
            for key in self._wanted(table)
        ]

    def members(self, key: _Key | int | None) -> list[int]:
        """Positions in the train table."""
        return self._members[key]


def _cut_texts(train: ExplanationTable) -> str:
    longer = sum(len(ptb_tokens(text)) > _MAX_TOKENS for text in train.references)
    return f" Of {longer} longer train explanations the first {_MAX_TOKENS} tokens were compared." if longer else ""


def _medoid_of(train: ExplanationTable, members: list[int]) -> int:
    return members[medoid([ptb_tokens(train.references[place]) for place in members])]


def _frames(groups: _Groups, train: ExplanationTable, table: ExplanationTable) -> list[str]:
    """The opening of each item's group, with the item's speaker in it."""
    openings = [opening_of(*pair) for pair in zip(train.references, train.speakers.tolist(), strict=True)]

    def most_frequent(key: _Key | int | None) -> str:
        # A Counter keeps the order of train, so the first of equals wins.
        for wider in (key, key[0] if isinstance(key, tuple) else None, None):
            found = Counter(openings[place] for place in groups.members(wider) if openings[place])
            if found:
                return found.most_common(1)[0][0]
        return ""

    keys = groups.keys_of(table)
    of_key = {key: most_frequent(key) for key in dict.fromkeys(keys)}
    speakers = table.speakers.tolist()
    return [of_key[key].replace(_SLOT, speaker or "the speaker") for key, speaker in zip(keys, speakers, strict=True)]


def _random(groups: _Groups, train: ExplanationTable, split: str, table: ExplanationTable) -> list[str]:
    rng = np.random.default_rng([_SEED, SPLITS.index(split) if split in SPLITS else len(SPLITS)])
    return [
        train.references[members[int(rng.integers(len(members)))]]
        for members in (groups.members(key) for key in groups.keys_of(table))
    ]


def _retrieval(
    groups: _Groups, train: ExplanationTable, others: Mapping[str, ExplanationTable]
) -> tuple[str, dict[str, list[str]]]:
    nearest = NearestTargets(train.texts)
    if not nearest.has_words:
        return "Not built: the train targets have no text.", {}
    found: dict[str, list[str]] = {}
    for split, table in others.items():
        keys = groups.keys_of(table)
        texts = [""] * len(table)
        for key in dict.fromkeys(keys):
            places = [place for place, its in enumerate(keys) if its == key]
            ranked = nearest.ranked([table.texts[place] for place in places], groups.members(key))
            for place, member in zip(places, ranked[:, 0].tolist(), strict=True):
                texts[place] = train.references[member]
        found[split] = texts
    return (
        "The explanation of the train target of the same emotion and gender whose words are nearest: cosine of TF-IDF "
        "of 1- and 2-grams, fitted on the train targets.",
        found,
    )


def _copies(
    corpus: Corpus,
    frames: Mapping[str, list[str]],
    turns: Mapping[str, dict[tuple[str, int], tuple[str, str]]],
    others: Mapping[str, ExplanationTable],
    predicted_causes: PredictedCauses | None,
) -> dict[str, tuple[str, dict[str, list[str]]]]:
    """The rows that copy an utterance behind the opening."""
    built: dict[str, tuple[str, dict[str, list[str]]]] = {}
    first = {split: sum(_previous(turns[split], key) is None for key in _keys(others[split])) for split in others}
    built[FRAME_TARGET] = (
        "The opening of the row frame alone, followed by the words of the target utterance.",
        {
            split: [_join(frame, text) for frame, text in zip(frames[split], table.texts, strict=True)]
            for split, table in others.items()
        },
    )
    built[FRAME_PREVIOUS] = (
        'The opening, followed by the previous utterance of the dialogue as "<speaker> said <words>". '
        f"{_counted(first, others, 'open their dialogue')}",
        {
            split: [
                _join(frame, text if (before := _previous(turns[split], key)) is None else _said(*before))
                for frame, text, key in zip(frames[split], table.texts, _keys(table), strict=True)
            ]
            for split, table in others.items()
        },
    )
    gold: dict[str, Sequence[Sequence[int]]] = {split: table.cause_turns for split, table in others.items()}
    if any(any(of_split) for of_split in gold.values()):
        built[FRAME_GOLD_CAUSE] = _with_causes("gold cause turn", frames, turns, others, gold)
    else:
        built[FRAME_GOLD_CAUSE] = (f"Not built: {corpus.name} ({corpus.config_name}) states no cause turns.", {})
    if predicted_causes is not None:
        known = {split: causes for split, causes in predicted_causes.items() if split in others}
        built[FRAME_CAUSE] = _with_causes("predicted cause turn", frames, turns, others, known)
    return built


def _with_causes(
    what: str,
    frames: Mapping[str, list[str]],
    turns: Mapping[str, dict[tuple[str, int], tuple[str, str]]],
    others: Mapping[str, ExplanationTable],
    causes: Mapping[str, Sequence[Sequence[int]]],
) -> tuple[str, dict[str, list[str]]]:
    found: dict[str, list[str]] = {}
    without: dict[str, int] = {}
    for split, of_split in causes.items():
        table, said = others[split], turns[split]
        texts = []
        without[split] = 0
        for frame, text, (dialogue, target), its in zip(
            frames[split], table.texts, _keys(table), of_split, strict=True
        ):
            known = [int(turn) for turn in its if (dialogue, int(turn)) in said]
            without[split] += not known
            cause = min(known, key=lambda turn: (abs(target - turn), turn)) if known else target
            texts.append(_join(frame, text if cause == target else _said(*said[dialogue, cause])))
        found[split] = texts
    return (
        f"The opening, followed by the utterance of the {what} nearest to the target, of equals the earlier "
        '("<speaker> said <words>" where it is not the target itself). '
        f"{_counted(without, others, f'have no {what}')}",
        found,
    )


def _counted(counts: Mapping[str, int], others: Mapping[str, ExplanationTable], which: str) -> str:
    words = ", ".join(f"{count} of {len(others[split])} on {split}" for split, count in counts.items())
    return f"Items that {which} ({words}) have the target utterance there."


def _keys(table: ExplanationTable) -> list[tuple[str, int]]:
    return list(zip(table.dialogue_ids.tolist(), table.target_turns.tolist(), strict=True))


def _utterances(rows: Sequence[Mapping[str, object]]) -> dict[tuple[str, int], tuple[str, str]]:
    """Speaker and words by dialogue and turn."""
    return {
        (row["dialogue_id"], u["turn"]): (u.get("speaker") or "", u.get("text") or "")  # type: ignore[misc]
        for row in rows
        for u in row["utterances"]  # type: ignore[attr-defined]
    }


def _previous(said: Mapping[tuple[str, int], tuple[str, str]], key: tuple[str, int]) -> tuple[str, str] | None:
    return said.get((key[0], key[1] - 1))


def _said(speaker: str, words: str) -> str:
    return f"{speaker} said {words}" if speaker else words


def _join(frame: str, words: str) -> str:
    return f"{frame} {words}".strip()
