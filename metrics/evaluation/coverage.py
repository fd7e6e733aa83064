"""Coverage: a predictions file must hold every candidate exactly once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.errors import InvalidDataError

__all__ = ["aligned_order", "check_no_repeats"]

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
    _, dialogue = np.unique(dialogues, return_inverse=True)
    lowest = int(min(targets.min(initial=0), causes.min(initial=0)))  # so that negative turns share no key
    width = int(max(targets.max(initial=0), causes.max(initial=0))) - lowest + 1
    keys = ((dialogue * width + targets - lowest) * width + causes - lowest).astype(np.int64)
    n_first = len(np.asarray(first[1]))
    return keys[:n_first], keys[n_first:]


def _listed(what: str, keys: Keys, where: NDArray[np.intp]) -> str:
    if not len(where):
        return ""
    dialogues, targets, causes = (np.asarray(values) for values in keys)
    shown = ", ".join(
        f"(dialogue {dialogues[i]}, target {targets[i]}, cause {causes[i]})" for i in where[:_SHOWN].tolist()
    )
    more = f" and {len(where) - _SHOWN} more" if len(where) > _SHOWN else ""
    return f"{len(where)} pair{'s' if len(where) > 1 else ''} {what}: {shown}{more}"
