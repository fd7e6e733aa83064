"""Coverage: which candidates a predictions file holds. None may be there twice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import InvalidDataError

__all__ = ["aligned_order", "check_no_repeats", "name_pairs", "sparse_order"]

_SHOWN = 5

Keys = tuple[ArrayLike, ArrayLike, ArrayLike]


def aligned_order(whose: str, found: Keys, wanted: Keys) -> NDArray[np.intp]:
    """Finds the positions that bring the found pairs into the order of the wanted ones.

    Args:
        whose: Name of the found pairs for the message, such as a path.
        found: ``dialogue_ids, target_turns, cause_turns`` of the predictions, each ``(n,)``.
        wanted: The same of the candidates, each of them once.

    Returns:
        ``(n,)`` positions ``order``, so that entry ``order[i]`` of the found is pair ``i`` of the wanted.

    Raises:
        InvalidDataError: Candidates are missing, repeated or unknown; all three are counted, the first ones named.

    Example:
        >>> aligned_order("p.csv", (["d", "d"], [2, 1], [1, 1]), (["d", "d"], [1, 2], [1, 1])).tolist()
        [1, 0]
    """
    found_keys, wanted_keys = _keys(found, wanted)
    order = np.argsort(found_keys, kind="stable")
    ranked = found_keys[order]
    repeated = np.flatnonzero(ranked[1:] == ranked[:-1]) + 1
    missing = np.flatnonzero(~np.isin(wanted_keys, found_keys))
    unknown = np.flatnonzero(~np.isin(found_keys, wanted_keys))
    problems = [
        _listed("missing", wanted, missing),
        _listed("given more than once", found, order[repeated]),
        _listed("not among the candidates of the gold", found, unknown),
    ]
    if any(problems):
        raise InvalidDataError(
            f"{whose}: its {len(found_keys)} pairs are not the {len(wanted_keys)} candidates, each exactly once: "
            f"{'; '.join(problem for problem in problems if problem)}. Predict every candidate once, or check that "
            "corpus, split and candidates are the same."
        )
    return order[np.searchsorted(ranked, wanted_keys)]


def sparse_order(whose: str, found: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Finds the candidates that a file lists, and what it lists beside them.

    Args:
        whose: Name of the found pairs for the message, such as a path.
        found: ``dialogue_ids, target_turns, cause_turns`` of the predictions, each ``(m,)``.
        wanted: The same of the candidates, each of them once.

    Returns:
        ``(n,)`` positions among the found of each wanted pair, -1 where it is not listed; and the positions of the
        found pairs that are no candidates.

    Raises:
        InvalidDataError: Pairs repeat, or are of a dialogue that the candidates do not have; they are counted, the
            first ones named.

    Example:
        >>> order, outside = sparse_order("p.csv", (["d", "d"], [2, 1], [1, 2]), (["d", "d"], [1, 2], [1, 1]))
        >>> order.tolist(), outside.tolist()
        ([-1, 0], [1])
    """
    found_keys, wanted_keys = _keys(found, wanted)
    order = np.argsort(found_keys, kind="stable")
    ranked = found_keys[order]
    repeated = np.flatnonzero(ranked[1:] == ranked[:-1]) + 1
    elsewhere = np.flatnonzero(~np.isin(np.asarray(found[0], dtype=np.str_), np.asarray(wanted[0], dtype=np.str_)))
    problems = [
        _listed("given more than once", found, order[repeated]),
        _listed("of dialogues that the gold does not have", found, elsewhere),
    ]
    if any(problems):
        raise InvalidDataError(
            f"{whose}: {'; '.join(problem for problem in problems if problem)}. Give each pair once, with the ids of "
            "the dataset's dialogues, and check that corpus and split are the same."
        )
    place = np.searchsorted(ranked, wanted_keys)
    listed = np.zeros(len(wanted_keys), dtype=np.bool_)
    inside = place < len(ranked)
    listed[inside] = ranked[place[inside]] == wanted_keys[inside]
    positions = np.full(len(wanted_keys), -1, dtype=np.intp)
    positions[listed] = order[place[listed]]
    return positions, np.flatnonzero(~np.isin(found_keys, wanted_keys))


def check_no_repeats(whose: str, found: Keys) -> None:
    """Refuses pairs that are given more than once.

    Args:
        whose: Name of the pairs for the message, such as a path.
        found: ``dialogue_ids, target_turns, cause_turns``.

    Raises:
        InvalidDataError: Pairs repeat; they are counted, the first ones named.

    Example:
        >>> check_no_repeats("p.csv", (["d", "d"], [1, 1], [1, 1]))
        Traceback (most recent call last):
        iemomecp_dataset.errors.InvalidDataError: p.csv: 1 pair given more than once: (dialogue d, target 1, cause 1).
    """
    keys, _ = _keys(found, found)
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
    if len(repeated):
        raise InvalidDataError(f"{whose}: {_listed('given more than once', found, order[repeated])}.")


def _keys(first: Keys, second: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    dialogues = np.concatenate([np.asarray(keys[0], dtype=np.str_) for keys in (first, second)])
    targets, causes = (np.concatenate([np.asarray(keys[i]) for keys in (first, second)]) for i in (1, 2))
    # Each number is replaced by its rank, so that no key is larger than the square of the number of pairs.
    keys = _ranks(dialogues)
    for turns in (targets, causes):
        rank = _ranks(turns)
        keys = _ranks(keys * (rank.max(initial=0) + 1) + rank)
    n_first = len(np.asarray(first[1]))
    return keys[:n_first], keys[n_first:]


def _ranks(values: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].astype(np.int64, copy=False)


def name_pairs(keys: Keys) -> str:
    """Names the first five pairs, and says how many more there are.

    Args:
        keys: ``dialogue_ids, target_turns, cause_turns``.

    Returns:
        The words.

    Example:
        >>> name_pairs((["d"] * 7, [2] * 7, [1] * 7)).split("), ")[-1]
        '(dialogue d, target 2, cause 1) and 2 more'
    """
    dialogues, targets, causes = (np.asarray(values) for values in keys)
    shown = ", ".join(
        f"(dialogue {str(dialogue)[:80]}, target {target}, cause {cause})"
        for dialogue, target, cause in zip(dialogues[:_SHOWN], targets[:_SHOWN], causes[:_SHOWN], strict=True)
    )
    return shown + (f" and {len(dialogues) - _SHOWN} more" if len(dialogues) > _SHOWN else "")


def _listed(what: str, keys: Keys, where: NDArray[np.intp]) -> str:
    if not len(where):
        return ""
    dialogues, targets, causes = (np.asarray(values)[where] for values in keys)
    return f"{len(where)} pair{'s' if len(where) > 1 else ''} {what}: {name_pairs((dialogues, targets, causes))}"
