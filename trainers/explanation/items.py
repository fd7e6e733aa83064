"""What is known about each utterance whose emotion is to be explained: dialogue, emotion, marked causes, faces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from iemomecp_dataset.emotion_table import NO_EMOTION
from iemomecp_dataset.errors import MissingDataError
from iemomecp_dataset.explanation_table import explanation_table
from iemomecp_dataset.trainers.explanation.options import Causes, Emotion
from iemomecp_dataset.trainers.explanation.prompts import ContextTurn, ExplanationItem

__all__ = [
    "Causes",
    "Emotion",
    "Faces",
    "Key",
    "check_gold_causes",
    "explanation_items",
    "marked_turns",
    "shuffled_turns",
]

Key = tuple[str, int]
"""``dialogue_id`` and turn."""

Faces = Callable[[str], str | None]
"""``utterance_id`` to the line about the faces in its clip, or None."""


def explanation_items(
    rows: Iterable[Mapping[str, Any]],
    emotion_names: Sequence[str],
    *,
    context_turns: int = 3,
    emotion: Emotion = "gold",
    causes: Causes = "none",
    seed: int = 0,
    predicted_emotions: Mapping[Key, str] | None = None,
    predicted_causes: Mapping[Key, Sequence[int]] | None = None,
    faces: Faces | None = None,
) -> list[ExplanationItem]:
    """Builds the items of the complete explanations of some dialogues.

    Args:
        rows: Rows as :func:`iemomecp_dataset.load` gives them.
        emotion_names: Emotions by id.
        context_turns: Turns before the target that the model reads. Marked causes farther back, or after the target,
            are not seen.
        emotion: Where the emotion of the target comes from: ``gold``, ``predicted``, or ``none``.
        causes: What is marked as cause: ``none``; ``gold`` cause turns; ``predicted`` ones; ``last``, the turn before
            the target, or itself where it opens the dialogue; ``shuffled``, random ones of the visible turns, which
            are the target and its context, as many as gold ones are visible, and others than these where there are.
        seed: Of the shuffled turns, which depend on it, the dialogue and the turn alone.
        predicted_emotions: By dialogue and turn the name of a predicted emotion. An item without one has none.
        predicted_causes: By dialogue and target turn the predicted cause turns. An item without one has no mark.
        faces: Lines about faces.

    Returns:
        In the order of :func:`~iemomecp_dataset.explanation_table.explanation_table`.

    Raises:
        MissingDataError: Predictions that are asked for are not given.

    Example:
        >>> row = {"dialogue_id": "d", "utterances": [
        ...     {"turn": 1, "utterance_id": "d_1", "speaker": "Ann", "text": "It broke.", "emotion": 0},
        ...     {"turn": 2, "utterance_id": "d_2", "speaker": "Bob", "text": "No!", "emotion": 1}],
        ...     "explanations": [{"target_turn": 2, "text": "It broke.", "status": 0, "cause_turns": [1]}]}
        >>> (item,) = explanation_items([row], ["neutral", "anger"], causes="gold")
        >>> item.emotion, item.context[0].marked, item.target_marked, item.reference
        ('anger', True, False, 'It broke.')
    """
    for name, asked, given in (
        ("emotions", emotion == "predicted", predicted_emotions),
        ("causes", causes == "predicted", predicted_causes),
    ):
        if asked and given is None:
            raise MissingDataError(f"Predicted {name} are asked for, and none are given.")
    rows = list(rows)
    table = explanation_table(rows)
    utterances = {row["dialogue_id"]: {u["turn"]: u for u in row["utterances"]} for row in rows}
    items = []
    for place in range(len(table)):
        dialogue, target = str(table.dialogue_ids[place]), int(table.target_turns[place])
        turns = utterances[dialogue]
        context = [turn for turn in range(max(1, target - context_turns), target) if turn in turns]
        marked = marked_turns(
            causes,
            dialogue,
            target,
            visible=(*context, target),
            gold=table.cause_turns[place],
            predicted=(predicted_causes or {}).get((dialogue, target), ()),
            seed=seed,
        )
        known = int(table.emotions[place])
        named = {
            "gold": None if known == NO_EMOTION else emotion_names[known],
            "predicted": (predicted_emotions or {}).get((dialogue, target)),
            "none": None,
        }[emotion]
        utterance = turns[target]
        items.append(
            ExplanationItem(
                dialogue_id=dialogue,
                target_turn=target,
                utterance_id=utterance["utterance_id"],
                speaker=utterance.get("speaker") or "",
                text=utterance.get("text") or "",
                emotion=named,
                context=tuple(
                    ContextTurn(
                        turn=turn,
                        speaker=turns[turn].get("speaker") or "",
                        text=turns[turn].get("text") or "",
                        marked=turn in marked,
                        faces=faces(turns[turn]["utterance_id"]) if faces else None,
                    )
                    for turn in context
                ),
                target_marked=target in marked,
                faces=faces(utterance["utterance_id"]) if faces else None,
                reference=table.references[place],
            )
        )
    return items


def marked_turns(
    causes: Causes,
    dialogue_id: str,
    target: int,
    *,
    visible: Sequence[int] = (),
    gold: Sequence[int] = (),
    predicted: Sequence[int] = (),
    seed: int = 0,
) -> tuple[int, ...]:
    """The turns that are marked as causes of a target's emotion.

    Args:
        causes: Which ones.
        dialogue_id: The dialogue.
        target: The target's turn.
        visible: The turns that the model reads, for shuffled marks: drawn among all turns, most of them would be
            invisible, and what shuffled marks lack against gold ones would be marks.
        gold: Gold cause turns.
        predicted: Predicted ones.
        seed: Of the shuffled turns.

    Example:
        >>> [marked_turns(causes, "d", 3, gold=[1, 3]) for causes in ("none", "gold", "predicted", "last")]
        [(), (1, 3), (), (2,)]
        >>> marked_turns("last", "d", 1)
        (1,)
        >>> [len(marked_turns("shuffled", "d", 9, visible=[8, 9], gold=gold)) for gold in ([1], [1, 8], [8, 9])]
        [0, 1, 2]
    """
    if causes == "gold":
        return tuple(gold)
    if causes == "predicted":
        return tuple(predicted)
    if causes == "last":
        return (max(1, target - 1),)
    return shuffled_turns(dialogue_id, target, visible, gold, seed) if causes == "shuffled" else ()


def shuffled_turns(
    dialogue_id: str, target: int, visible: Sequence[int], gold: Sequence[int], seed: int
) -> tuple[int, ...]:
    """Random turns, as many as gold ones are visible, the same whenever they are drawn.

    Every selection of that many turns is equally likely, but for the gold one, which is drawn where there is no other:
    where every visible turn is a gold cause, or none is.

    Args:
        dialogue_id: The dialogue.
        target: The target's turn.
        visible: The turns to draw from.
        gold: Gold cause turns, visible or not.
        seed: Seed.

    Example:
        >>> shuffled_turns("d", 3, (2, 3), [1, 3], 0), shuffled_turns("d", 9, (8, 9), [8, 9], 0)
        ((2,), (8, 9))
    """
    marked = drawn = tuple(sorted(set(gold) & set(visible)))
    digest = hashlib.sha256(f"{seed}/{dialogue_id}/{target}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    # With another selection there are at least two, so that half of the draws or more end it.
    while drawn == marked and 0 < len(marked) < len(set(visible)):
        chosen = random.choice(np.asarray(visible, dtype=np.int64), size=len(marked), replace=False)
        drawn = tuple(sorted(chosen.tolist()))
    return drawn


def check_gold_causes(causes: Causes, context_turns: int, splits: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Refuses gold causes, or as many shuffled ones, of a split that has none: prompts would have no mark at all.

    Args:
        causes: What is to be marked.
        context_turns: Turns before the target that the model reads.
        splits: Rows by split; a split without complete explanations is not looked at.

    Raises:
        MissingDataError: No explanation of some split has a gold cause that the model reads.
    """
    if causes not in ("gold", "shuffled"):
        return
    for split, of_split in splits.items():
        table = explanation_table(of_split)
        if not len(table):
            continue
        what = f"--causes {causes} needs gold causes, and of the {len(table)} explanations of {split} none has one"
        if not any(table.cause_turns):
            raise MissingDataError(
                f"{what}. With ecem, give --ecf_root, the folder of ECF's three files (load ecem with ecf_root= for "
                "dialogues in memory); or choose another value, such as --causes predicted with --causes_from."
            )
        targets = table.target_turns.tolist()
        if not any(
            target - context_turns <= cause <= target
            for target, of_target in zip(targets, table.cause_turns, strict=True)
            for cause in of_target
        ):
            raise MissingDataError(
                f"{what} among the target and --context_turns {context_turns} before it. Give more turns, or choose "
                "another value."
            )
