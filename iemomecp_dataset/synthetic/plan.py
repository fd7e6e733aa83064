"""Latent plan of every chunk: which utterance reacts to which event, drawn at random to meet exact counts.

An utterance can report an *event* on a topic, react to earlier events, and give *background* on a topic. The causes of
a target are the events that it reacts to, its own included; its contexts are utterances that gave background on one of
their topics. Texts (``wording.py``) and features (``evidence.py``) are generated from the plan, so that the roles can
be learned from them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from iemomecp_dataset.overlay.chunks import EMO_CAUSE, EMO_CONTEXT, NON_PAIR
from iemomecp_dataset.schema import CONTEXT_SUBTYPES
from iemomecp_dataset.synthetic.counts import PlannedCounts, Scale
from iemomecp_dataset.synthetic.vocabulary import EMOTION_POLARITY

__all__ = ["ChunkPlan", "PlannedPair", "PlannedUtterance", "plan_split"]

MOST_SOURCE_CAUSES = 3

# Weight of a cause, and of a context, d turns before its target. As in IEMO-MECP, self and previous dominate.
_CAUSE_DISTANCE = (0.46, 0.36, 0.13, 0.055, 0.032, 0.024, 0.009, 0.007, 0.006, 0.005, 0.004, 0.002, 0.001)
_CONTEXT_DISTANCE = (0.0, 0.08, 0.25, 0.2, 0.14, 0.12, 0.06, 0.04, 0.03, 0.03, 0.02, 0.01, 0.01, 0.01, 0.005, 0.005)
# Factors on these weights: utterances with an event become causes more often, quiet utterances contexts.
_KNOWN_EVENT_FACTOR = 4.0
_QUIET_HOST_FACTOR = 6.0
# Share of utterances that report an event but cause nothing, so that an event alone does not reveal a cause.
_DECOY_EVENT_SHARE = 0.12
_EMOTION_SHARES = {
    "positive": {"hap": 0.38, "exc": 0.62},
    "negative": {"sad": 0.27, "ang": 0.27, "fru": 0.46},
}
_NEGATIVE_SHARE = 0.7

# Draws after which a step counts as a dead end: earlier draws can make its counts unreachable, as in about one small
# plan in a hundred. Otherwise it needs some 6000 draws at full scale.
_MOST_DRAWS = 100_000
_MOST_PLANS = 100


@dataclass(frozen=True)
class PlannedUtterance:
    """Plan of an utterance.

    Attributes:
        speaker: ``F`` or ``M``.
        emotion: One of the six emotions.
        event: Topic of the event that it reports, or None.
        polarity: Polarity of the event, ``positive`` or ``negative``.
        reacts_to: Topic and distance in turns of each event of another utterance that it reacts to; the distance is
            negative for a later utterance.
        reacts_to_itself: Whether its own event is a cause of its emotion.
        backgrounds: Topics on which it gives background.
    """

    speaker: str
    emotion: str
    event: int | None
    polarity: str
    reacts_to: tuple[tuple[int, int], ...]
    reacts_to_itself: bool
    backgrounds: tuple[int, ...]


@dataclass(frozen=True)
class PlannedPair:
    """A pair with the role ``emo_cause`` or ``emo_context``, or a source pair; all others are non-pairs."""

    target: int
    cause: int
    role: int
    source_pair: bool
    subtypes: tuple[int, ...]


@dataclass(frozen=True)
class ChunkPlan:
    """Plan of a chunk: its utterances, and its planned pairs by ``(target, cause)``, 1-based."""

    utterances: tuple[PlannedUtterance, ...]
    pairs: dict[tuple[int, int], PlannedPair]

    def __len__(self) -> int:
        return len(self.utterances)


def plan_split(counts: PlannedCounts, scale: Scale, rng: random.Random) -> list[list[ChunkPlan]]:
    """Draws the plan of one split.

    Args:
        counts: Counts to meet exactly.
        scale: Bounds of the chunk length.
        rng: Random generator.

    Returns:
        Chunks of every dialogue, in order.

    Raises:
        ValueError: No plan meets all counts.
    """
    for _ in range(_MOST_PLANS):
        try:
            return _plan(counts, scale, rng)
        except _DeadEndError:
            continue
    raise ValueError(f"no plan meets these counts: {counts}")


class _DeadEndError(Exception):
    """The draws so far cannot be completed to the requested counts."""


def _draws() -> Iterator[int]:
    """Counts the draws of a step.

    Yields:
        Number of draws so far.

    Raises:
        _DeadEndError: The step has used all its draws.
    """
    yield from range(_MOST_DRAWS)
    raise _DeadEndError


def _plan(counts: PlannedCounts, scale: Scale, rng: random.Random) -> list[list[ChunkPlan]]:
    lengths = _chunk_lengths(counts, scale, rng)
    drafts = [_Draft(length) for length in lengths]
    _place_emotional_targets(drafts, counts.emotional_targets, rng)
    _place_causes(drafts, counts, rng)
    for draft in drafts:
        draft.name_topics(scale.topics, rng)
    _place_contexts(drafts, counts, rng)
    for draft in drafts:
        _color(draft, rng)
    source_pairs = _source_layer(drafts, counts, rng)
    chunks = [_finish(draft, pairs, rng) for draft, pairs in zip(drafts, source_pairs, strict=True)]
    return _group(chunks, counts.dialogues, rng)


@dataclass
class _Draft:
    """A chunk during planning; turns are 1-based."""

    length: int
    emotional: set[int] = field(default_factory=set)
    causes: dict[int, list[int]] = field(default_factory=dict)
    contexts: dict[int, list[int]] = field(default_factory=dict)
    topic_of: dict[int, int] = field(default_factory=dict)
    backgrounds: dict[int, list[int]] = field(default_factory=dict)
    forward_contexts: set[tuple[int, int]] = field(default_factory=set)
    emotions: dict[int, str] = field(default_factory=dict)
    polarity: dict[int, str] = field(default_factory=dict)

    @property
    def turns(self) -> range:
        return range(1, self.length + 1)

    def events(self) -> set[int]:
        return {cause for causes in self.causes.values() for cause in causes}

    def name_topics(self, topics: int, rng: random.Random) -> None:
        """Assigns a topic to every event, decoys without a reaction included; uses all topics before one repeats."""
        pool: list[int] = []
        causes = self.events()
        decoys = {turn for turn in self.turns if turn not in causes and rng.random() < _DECOY_EVENT_SHARE}
        for turn in sorted(causes | decoys):
            if not pool:
                pool = rng.sample(range(topics), topics)
            self.topic_of[turn] = pool.pop()

    def topics_of_target(self, target: int) -> set[int]:
        return {self.topic_of[cause] for cause in self.causes[target]}

    def natural_contexts(self, target: int) -> list[int]:
        """Lists earlier utterances with background on a topic that the target reacts to."""
        topics = self.topics_of_target(target)
        return [
            turn
            for turn in range(max(1, target - 15), target)
            if turn not in self.causes[target] and topics.intersection(self.backgrounds.get(turn, ()))
        ]


def _chunk_lengths(counts: PlannedCounts, scale: Scale, rng: random.Random) -> list[int]:
    """Draws chunk lengths with the given sum and the given sum of lower triangles.

    Starts from uniform lengths and moves single utterances between chunks: a move from a chunk of length ``a`` to one
    of length ``b`` changes the sum of triangles by ``b + 1 - a``.
    """
    low, high = scale.shortest_chunk, scale.longest_chunk
    lengths = [rng.randint(low, high) for _ in range(counts.chunks)]
    draws = _draws()
    while (gap := counts.utterances - sum(lengths)) != 0:
        next(draws)
        index = rng.randrange(len(lengths))
        changed = lengths[index] + (1 if gap > 0 else -1)
        if low <= changed <= high:
            lengths[index] = changed
    draws = _draws()
    while (gap := counts.triangle - sum(n * (n + 1) // 2 for n in lengths)) != 0:
        next(draws)
        giver, taker = rng.sample(range(len(lengths)), 2)
        change = lengths[taker] + 1 - lengths[giver]
        if lengths[giver] > low and lengths[taker] < high and abs(gap - change) <= abs(gap) and change != 0:
            lengths[giver] -= 1
            lengths[taker] += 1
    return lengths


def _place_emotional_targets(drafts: Sequence[_Draft], count: int, rng: random.Random) -> None:
    slots = [(draft, turn) for draft in drafts for turn in draft.turns]
    for draft, turn in rng.sample(slots, count):
        draft.emotional.add(turn)


def _place_causes(drafts: Sequence[_Draft], counts: PlannedCounts, rng: random.Random) -> None:
    targets = [(draft, turn) for draft in drafts for turn in sorted(draft.emotional)]
    wanted = {(id(draft), turn): 1 for draft, turn in targets}
    for draft, turn in targets:
        draft.causes[turn] = []
    # Forward causes first, because they turn later utterances into events.
    ahead = [(draft, turn) for draft, turn in targets if turn + 2 <= draft.length]
    for draft, turn in rng.sample(ahead, counts.forward_causes):
        draft.causes[turn].append(rng.choices((turn + 1, turn + 2), (0.75, 0.25))[0])
    spare = counts.causes - counts.emotional_targets - counts.forward_causes
    draws = _draws()
    while spare:
        next(draws)
        draft, turn = rng.choice(targets)
        number = wanted[id(draft), turn]
        if number < min(turn, MOST_SOURCE_CAUSES - len(draft.causes[turn])):
            wanted[id(draft), turn] = number + 1
            spare -= 1
    for draft, turn in targets:
        known = draft.events()
        for _ in range(wanted[id(draft), turn]):
            free = [cause for cause in range(1, turn + 1) if cause not in draft.causes[turn]]
            weights = [
                _CAUSE_DISTANCE[min(turn - cause, len(_CAUSE_DISTANCE) - 1)]
                * (_KNOWN_EVENT_FACTOR if cause in known else 1.0)
                for cause in free
            ]
            draft.causes[turn].append(rng.choices(free, weights)[0])
            known.add(draft.causes[turn][-1])


def _place_contexts(drafts: Sequence[_Draft], counts: PlannedCounts, rng: random.Random) -> None:
    """Adds background until there are enough contexts, then drops the surplus."""
    targets = [(draft, turn) for draft in drafts for turn in sorted(draft.emotional)]
    ahead = [(draft, turn) for draft, turn in targets if turn + 3 <= draft.length]
    rng.shuffle(ahead)
    missing = counts.forward_contexts
    for draft, turn in ahead:
        if not missing:
            break
        free = [later for later in (turn + 1, turn + 2, turn + 3) if later not in draft.causes[turn]]
        if free:
            later = rng.choice(free)
            draft.backgrounds.setdefault(later, []).append(draft.topic_of[rng.choice(draft.causes[turn])])
            draft.contexts.setdefault(turn, []).append(later)
            draft.forward_contexts.add((turn, later))
            missing -= 1
    _add_backgrounds(drafts, counts, targets, rng)
    for draft, turn in targets:
        draft.contexts.setdefault(turn, []).extend(draft.natural_contexts(turn))
    _drop_surplus_contexts(counts, targets, rng)


def _add_backgrounds(
    drafts: Sequence[_Draft], counts: PlannedCounts, targets: Sequence[tuple[_Draft, int]], rng: random.Random
) -> None:
    found = {(id(draft), turn): set(draft.contexts.get(turn, ())) for draft, turn in targets}
    for draft, turn in targets:
        found[id(draft), turn].update(draft.natural_contexts(turn))
    pairs = sum(len(contexts) for contexts in found.values())
    covered = sum(bool(contexts) for contexts in found.values())
    draws = _draws()
    while pairs < counts.contexts or covered < counts.targets_with_context:
        next(draws)
        want_new = covered / counts.targets_with_context < pairs / counts.contexts
        draft, target = rng.choice(targets)
        if bool(found[id(draft), target]) == want_new:
            continue
        free = [
            turn
            for turn in range(1, target)
            if turn not in draft.causes[target]
            and turn not in found[id(draft), target]
            and len(draft.backgrounds.get(turn, ())) < 2
        ]
        if not free:
            continue
        events = set(draft.topic_of)
        weights = [
            _CONTEXT_DISTANCE[min(target - turn, len(_CONTEXT_DISTANCE) - 1)]
            * (_QUIET_HOST_FACTOR if turn not in draft.emotional else 1.0)
            * (_QUIET_HOST_FACTOR if turn not in events else 1.0)
            for turn in free
        ]
        host = rng.choices(free, weights)[0]
        others = [cause for cause in draft.causes[target] if cause != target] or [target]
        topic = draft.topic_of[rng.choice(others)]
        if topic in draft.backgrounds.get(host, ()) or draft.topic_of.get(host) == topic:
            continue
        draft.backgrounds.setdefault(host, []).append(topic)
        for turn in sorted(draft.emotional):
            contexts = found[id(draft), turn]
            before = len(contexts)
            contexts.update(draft.natural_contexts(turn))
            pairs += len(contexts) - before
            covered += bool(contexts) and not before


def _drop_surplus_contexts(counts: PlannedCounts, targets: Sequence[tuple[_Draft, int]], rng: random.Random) -> None:
    """Leaves some contexts unlabelled, as annotators do, until both counts are exact."""
    with_contexts = [(draft, turn) for draft, turn in targets if draft.contexts[turn]]
    droppable = [
        (draft, turn)
        for draft, turn in with_contexts
        if not any((turn, context) in draft.forward_contexts for context in draft.contexts[turn])
    ]
    # Drops the targets with the fewest contexts first, so that enough pairs remain.
    rng.shuffle(droppable)
    droppable.sort(key=lambda entry: len(entry[0].contexts[entry[1]]))
    for draft, turn in droppable[: len(with_contexts) - counts.targets_with_context]:
        draft.contexts[turn] = []
    pairs = sum(len(draft.contexts[turn]) for draft, turn in targets)
    draws = _draws()
    while pairs > counts.contexts:
        next(draws)
        draft, turn = rng.choice(with_contexts)
        free = [context for context in draft.contexts[turn] if (turn, context) not in draft.forward_contexts]
        if len(draft.contexts[turn]) > 1 and free:
            draft.contexts[turn].remove(rng.choice(free))
            pairs -= 1
    if pairs < counts.contexts:
        _restore_contexts(counts.contexts - pairs, targets, rng)


def _restore_contexts(missing: int, targets: Sequence[tuple[_Draft, int]], rng: random.Random) -> None:
    """Adds contexts to targets that already have one, by giving earlier utterances a background clause."""
    draws = _draws()
    while missing:
        next(draws)
        draft, target = rng.choice(targets)
        if not draft.contexts[target]:
            continue
        free = [
            turn
            for turn in range(max(1, target - 8), target)
            if turn not in draft.causes[target] and turn not in draft.contexts[target]
        ]
        if free:
            host = rng.choice(free)
            draft.backgrounds.setdefault(host, []).append(draft.topic_of[draft.causes[target][0]])
            draft.contexts[target].append(host)
            missing -= 1


def _color(draft: _Draft, rng: random.Random) -> None:
    """Draws the polarity of events, and emotions of targets that match their first cause."""
    mood = {
        polarity: rng.choices(list(shares), list(shares.values()))[0] for polarity, shares in _EMOTION_SHARES.items()
    }
    lean = min(0.95, max(0.05, rng.gauss(_NEGATIVE_SHARE, 0.3)))
    for turn in sorted(draft.topic_of):
        draft.polarity[turn] = "negative" if rng.random() < lean else "positive"
    for turn in sorted(draft.emotional):
        polarity = draft.polarity[draft.causes[turn][0]]
        shares = _EMOTION_SHARES[polarity]
        if rng.random() < 0.5:
            draft.emotions[turn] = mood[polarity]
        else:
            draft.emotions[turn] = rng.choices(list(shares), list(shares.values()))[0]
        if turn in draft.causes[turn]:
            draft.polarity[turn] = EMOTION_POLARITY[draft.emotions[turn]]


def _source_layer(drafts: Sequence[_Draft], counts: PlannedCounts, rng: random.Random) -> list[set[tuple[int, int]]]:
    """Chooses the source pairs: all forward pairs, and at most three pairs per target."""
    source: list[set[tuple[int, int]]] = [set() for _ in drafts]
    optional: list[tuple[int, int, int]] = []
    for index, draft in enumerate(drafts):
        for target, causes in draft.causes.items():
            source[index].update((target, cause) for cause in causes)
            optional.extend((index, target, cause) for cause in causes if cause <= target)
        source[index].update(draft.forward_contexts)
    # Relabelled causes: first those of targets that keep other source pairs, or need room for a forward context.
    optional.sort(key=lambda entry: (entry[0], entry[1], entry[2]))
    rng.shuffle(optional)
    missing = counts.non_pair_to_cause
    for at_least in (3, 2, 0):
        for index, target, cause in optional:
            own = [pair for pair in source[index] if pair[0] == target]
            if missing and (target, cause) in source[index] and len(own) > at_least:
                source[index].discard((target, cause))
                missing -= 1
    room = [
        (index, target, context)
        for index, draft in enumerate(drafts)
        for target in sorted(draft.contexts)
        for context in draft.contexts[target]
        if context < target
    ]
    _add_source(source, room, counts.pair_to_context - counts.forward_contexts, rng)
    others = [
        (index, target, cause)
        for index, draft in enumerate(drafts)
        for target in sorted(draft.emotional)
        for cause in range(max(1, target - 4), target)
        if cause not in draft.causes[target] and cause not in draft.contexts[target]
    ]
    _add_source(source, others, counts.pair_to_non_pair, rng)
    return source


def _add_source(
    source: list[set[tuple[int, int]]], candidates: list[tuple[int, int, int]], count: int, rng: random.Random
) -> None:
    rng.shuffle(candidates)
    for index, target, cause in candidates:
        if not count:
            return
        if sum(pair[0] == target for pair in source[index]) < MOST_SOURCE_CAUSES:
            source[index].add((target, cause))
            count -= 1
    if count:
        raise AssertionError(f"no room for {count} source pairs; the counts cannot be met")


def _finish(draft: _Draft, source: Iterable[tuple[int, int]], rng: random.Random) -> ChunkPlan:
    speaker = rng.choice("FM")
    utterances = []
    for turn in draft.turns:
        if turn > 1 and rng.random() < 0.85:
            speaker = "M" if speaker == "F" else "F"
        causes = draft.causes.get(turn, [])
        utterances.append(
            PlannedUtterance(
                speaker=speaker,
                emotion=draft.emotions.get(turn, "neu"),
                event=draft.topic_of.get(turn),
                polarity=draft.polarity.get(turn, "negative"),
                reacts_to=tuple((draft.topic_of[cause], turn - cause) for cause in causes if cause != turn),
                reacts_to_itself=turn in causes,
                backgrounds=tuple(draft.backgrounds.get(turn, ())),
            )
        )
    pairs: dict[tuple[int, int], PlannedPair] = {}
    source_pairs = set(source)
    marked = {(target, cause): EMO_CAUSE for target, causes in draft.causes.items() for cause in causes}
    marked |= {(target, cause): EMO_CONTEXT for target, contexts in draft.contexts.items() for cause in contexts}
    for target, cause in sorted(marked.keys() | source_pairs):
        role = marked.get((target, cause), NON_PAIR)
        subtypes = _subtypes(target - cause, (target, cause) in source_pairs, rng) if role == EMO_CONTEXT else ()
        pairs[target, cause] = PlannedPair(target, cause, role, (target, cause) in source_pairs, subtypes)
    return ChunkPlan(tuple(utterances), pairs)


def _subtypes(distance: int, source_pair: bool, rng: random.Random) -> tuple[int, ...]:
    """Draws one or two context subtypes: bridges are near, and source pairs were plausible causes."""
    weights = [0.5, 0.35 if 0 < distance <= 3 else 0.1, 0.2, 0.6 if source_pair else 0.1]
    chosen = {rng.choices(range(len(CONTEXT_SUBTYPES)), weights)[0]}
    if rng.random() < 0.2:
        chosen.add(rng.choices(range(len(CONTEXT_SUBTYPES)), weights)[0])
    return tuple(sorted(chosen))


def _group(chunks: list[ChunkPlan], dialogues: int, rng: random.Random) -> list[list[ChunkPlan]]:
    """Groups consecutive chunks to dialogues, at least one each."""
    cuts = sorted(rng.sample(range(1, len(chunks)), dialogues - 1))
    return [chunks[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(chunks)], strict=True)]
