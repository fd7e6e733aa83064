"""Examples that precede the question in a prompt: explanations of train, retrieved for each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from iemomecp_dataset.benchmark.baselines.target_retrieval import NearestTargets
from iemomecp_dataset.trainers.explanation.prompts import ExplanationItem

__all__ = ["with_examples"]


def with_examples(
    items: Sequence[ExplanationItem],
    pool: Sequence[ExplanationItem],
    count: int,
    sources: Mapping[str, str] | None = None,
) -> list[ExplanationItem]:
    """Gives each item the examples whose target utterances have the nearest words (cosine of TF-IDF).

    Args:
        items: What is to be explained.
        pool: What examples are taken from: items of train with their references.
        count: Examples per item.
        sources: By ``dialogue_id`` the dialogue that a row is a part of; by default the row itself.

    Returns:
        The items with at most ``count`` examples, the nearest last, so that it stands next to the question. An example
        has the emotion that the item has in its prompt (any, where prompts have none) and is of another dialogue; of
        equally near ones the first of ``pool`` wins. Fewer where ``pool`` has no more.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    Example:
        >>> pool = [ExplanationItem("d1", 1, "d1_1", "Ann", text, "joy", (), reference="She won.")
        ...         for text in ("It rains.", "We won the game!")]
        >>> asked = ExplanationItem("d2", 1, "d2_1", "Bob", "The game is ours!", "joy", ())
        >>> [example.text for example in with_examples([asked], pool, 2)[0].examples]
        ['It rains.', 'We won the game!']
        >>> with_examples([replace(asked, dialogue_id="d1")], pool, 2)[0].examples
        ()
    """
    nearest = NearestTargets([one.text for one in pool])
    members: dict[str | None, list[int]] = {}
    for position, one in enumerate(pool):
        members.setdefault(one.emotion, []).append(position)
    asked: dict[str | None, list[int]] = {}
    for position, item in enumerate(items):
        asked.setdefault(item.emotion, []).append(position)

    def source(item: ExplanationItem) -> str:
        return (sources or {}).get(item.dialogue_id, item.dialogue_id)

    found = list(items)
    for emotion, positions in asked.items():
        ranked = nearest.ranked([items[position].text for position in positions], members.get(emotion, []))
        for position, order in zip(positions, ranked.tolist(), strict=True):
            others = (pool[place] for place in order if source(pool[place]) != source(items[position]))
            chosen = tuple(islice(others, count))
            found[position] = replace(items[position], examples=chosen[::-1])
    return found
