"""Reads the columns of a predictions table and checks what they hold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.corpora.metadata import pair_classes
from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files.bounds import LONGEST_ID
from iemomecp_dataset.metrics.evaluation.prediction_facts import PredictionFacts
from iemomecp_dataset.pair_table import PairKeys
from iemomecp_dataset.schema import PAIR_LABELS, ROLE_LABELS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "class_ids",
    "fold_columns",
    "id_texts",
    "pair_keys",
    "probability_columns",
    "scored_flags",
    "shown_columns",
    "table_classes",
    "target_emotions",
    "unscored_rows",
    "whole_numbers",
    "with_non_pair",
]

_CHUNK = re.compile(r"__c\d+$")
_LARGEST = 10**9


def table_classes(
    path: Path, table: pd.DataFrame, facts: PredictionFacts, config_name: str | None = None
) -> tuple[str, ...]:
    """Finds the classes.

    Args:
        path: The file, for errors.
        table: Its columns.
        facts: Its metadata.
        config_name: Its configuration, where that is known: decisions alone may not show every class.

    Returns:
        Their names by id.

    Raises:
        InvalidDataError: Nothing tells them.
    """
    if facts.class_names:
        return facts.class_names
    scored = {str(name).removeprefix("prob_") for name in table if str(name).startswith("prob_")}
    for known in (PAIR_LABELS, ROLE_LABELS):
        if scored and scored <= set(known):
            return known  # where one is missing, probability_columns names it
    if len(scored) > 1:
        # Outside our two tasks only the order of the columns tells which class is the positive one.
        return tuple(str(name).removeprefix("prob_") for name in table if str(name).startswith("prob_"))
    named: set[str] = set()
    for column in ("gold", "pred"):
        if column in table:
            named |= set(table[column].dropna().astype(str).unique())
    config_name = config_name or facts.config_name
    if config_name is not None and named <= set(pair_classes(config_name)):
        return pair_classes(config_name)
    fitting = [known for known in (PAIR_LABELS, ROLE_LABELS) if named and named <= set(known)]
    if len(fitting) > 1:
        # All are non-pairs: their id tells how many classes there are.
        ids = {str(value) for column in ("gold_id", "label", "pred_id") if column in table for value in table[column]}
        fitting = [known for known in fitting if ids <= {str(known.index(name)) for name in named}]
    if len(fitting) == 1:
        return fitting[0]
    raise InvalidDataError(
        f"{path}: its classes are not named. Give prob_<class> columns, or columns gold and pred with class names of "
        f"3class ({', '.join(ROLE_LABELS)}) or source_binary ({', '.join(PAIR_LABELS)}), or the configuration "
        "(--config-name)."
    )


def with_non_pair(
    path: Path, table: pd.DataFrame, class_names: tuple[str, ...]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Fills in the second of two probabilities where a file has the first alone, ``prob_pair``.

    Args:
        path: The file, for errors.
        table: Its columns.
        class_names: Classes by id.

    Returns:
        The table with ``prob_non_pair``, which is 1 - ``prob_pair``, and a note that says so; any other table as it is,
        without a note. A row without a probability stays without.

    Raises:
        InvalidDataError: A value of ``prob_pair`` is no probability.
    """
    given, filled = (f"prob_{name}" for name in PAIR_LABELS)
    if class_names != PAIR_LABELS or given not in table or filled in table:
        return table, ()
    values = _numbers(path, table, [given])
    outside = np.flatnonzero((values[:, 0] < 0) | (values[:, 0] > 1))
    if len(outside):
        raise InvalidDataError(
            f"{path}: row {outside[0]}, column {given}: {_shown(table[given].iloc[outside[0]])} is not between 0 and "
            f"1. {len(outside)} such rows; without a column {filled} this must be the probability of a pair."
        )
    note = f"The file has {given} alone; {filled} is taken as 1 - {given}."
    return table.assign(**{filled: 1 - values[:, 0]}), (note,)


def probability_columns(
    path: Path, table: pd.DataFrame, class_names: tuple[str, ...]
) -> tuple[NDArray[np.float64] | None, NDArray[np.intp]]:
    """Reads the probabilities.

    Args:
        path: The file, for errors.
        table: Its columns.
        class_names: Classes by id.

    Returns:
        ``(n, C)``, or None where there are none or not for all rows; and the numbers of the rows that have none, where
        others have some.

    Raises:
        InvalidDataError: The column of a class is missing, or holds other things than numbers.
    """
    columns = [f"prob_{name}" for name in class_names]
    missing = [name for name in columns if name not in table]
    if len(missing) == len(columns):
        return None, np.zeros(0, dtype=np.intp)
    if missing:
        raise InvalidDataError(f"{path}: the columns {', '.join(missing)} are missing beside the other probabilities.")
    values = _numbers(path, table, columns)
    unscored = np.flatnonzero(np.isnan(values).any(axis=1))
    return (None if len(unscored) else values), unscored


def unscored_rows(unscored: NDArray[np.intp], table: pd.DataFrame, keys: Mapping[str, str], items: str) -> str:
    """Names the first row without probabilities, and counts them.

    Args:
        unscored: Their numbers, at least one.
        table: The table.
        keys: Columns that tell of which item a row is, by what they name.
        items: What the rows are of, in the plural.

    Returns:
        The beginning of a sentence.
    """
    row = int(unscored[0])
    which = ", ".join(f"{what} {_shown(table[column].iloc[row])}" for what, column in keys.items())
    count = f"{len(unscored)} of {len(table)} {items} {'has' if len(unscored) == 1 else 'have'} no probabilities"
    return f"{count}, {'' if len(unscored) == 1 else 'the first is '}row {row} ({which})"


def _numbers(path: Path, table: pd.DataFrame, columns: list[str]) -> NDArray[np.float64]:
    for column in columns:
        _refuse_flags(path, table, column, "a probability")
    try:
        return np.asarray(table[columns].to_numpy(dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidDataError(f"{path}: {', '.join(columns)} must hold numbers: {str(error)[:200]}.") from None


def scored_flags(path: Path, table: pd.DataFrame) -> int:
    """Counts the rows that the file marks as not scored by the model.

    Args:
        path: The file, for errors.
        table: Its columns; ``scored_by_model`` may be among them.

    Returns:
        How many.

    Raises:
        InvalidDataError: A mark is neither yes nor no.
    """
    if "scored_by_model" not in table:
        return 0
    words = table["scored_by_model"].astype(str).str.lower()
    yes, no = words.isin(("true", "1", "1.0", "yes")), words.isin(("false", "0", "0.0", "no"))
    unclear = np.flatnonzero(~(yes | no))
    if len(unclear):
        raise InvalidDataError(
            f"{path}: row {unclear[0]}, column scored_by_model: expected true or false, found "
            f"{_shown(table['scored_by_model'].iloc[unclear[0]])}. {len(unclear)} such rows."
        )
    return int(no.sum())


def pair_keys(path: Path, table: pd.DataFrame, names: Mapping[str, str]) -> PairKeys:
    """Reads which pairs the rows are of.

    Args:
        path: The file, for errors.
        table: Its columns.
        names: From :func:`~iemomecp_dataset.metrics.evaluation.prediction_table.columns_of`.

    Returns:
        The pairs; their source dialogue, the unit to resample, is the file's own column, else the dialogue id without
        a chunk suffix ``__c<number>``.

    Raises:
        InvalidDataError: A turn is not a whole number of 1 or more, or a dialogue has no id.
    """
    dialogue_ids = id_texts(path, table, names["dialogue_id"])
    if "source_dialogue_id" in table:
        sources = id_texts(path, table, "source_dialogue_id")
    else:
        distinct, dialogue = np.unique(dialogue_ids, return_inverse=True)
        sources = np.array([_CHUNK.sub("", name) for name in distinct.tolist()], dtype=np.str_)[dialogue]
    targets, causes = (
        whole_numbers(path, table, names[c], "a turn number, counted from 1", 1) for c in ("target_turn", "cause_turn")
    )
    return PairKeys(dialogue_ids, sources, targets, causes)


def class_ids(
    path: Path, table: pd.DataFrame, column: str | None, class_names: tuple[str, ...], name_column: str
) -> NDArray[np.int64] | None:
    """Reads class ids, and compares them with the class names beside them.

    Args:
        path: The file, for errors.
        table: Its columns.
        column: The ids; None where the file has none.
        class_names: Classes by id.
        name_column: The column with the names, if there is one.

    Returns:
        ``(n,)`` ids, or None.

    Raises:
        InvalidDataError: A value is no class id, or disagrees with the name.
    """
    if column is None:
        return None
    ids = whole_numbers(path, table, column, "a class id")
    outside = (ids < 0) | (ids >= len(class_names))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InvalidDataError(
            f"{path}: row {row}, column {column}: {ids[row]} is not a class id; expected 0 to {len(class_names) - 1} "
            f"({', '.join(class_names)}). {int(outside.sum())} such rows."
        )
    if name_column in table:
        named = table[name_column]
        differing = named.notna().to_numpy() & (named.astype(str).to_numpy() != np.array(class_names)[ids])
        if differing.any():
            row = int(np.flatnonzero(differing)[0])
            raise InvalidDataError(
                f"{path}: row {row}: column {column} has {ids[row]}, which is {class_names[ids[row]]}, and column "
                f"{name_column} has {_shown(named.iloc[row])}. {int(differing.sum())} such rows; the classes by id "
                f"are {', '.join(class_names)}."
            )
    return ids


def target_emotions(path: Path, table: pd.DataFrame, pairs: PairKeys) -> NDArray[np.str_] | None:
    """Reads the predicted emotion of each pair's target.

    Args:
        path: The file, for errors.
        table: Its columns; ``emotion`` may be among them.
        pairs: The pairs of its rows.

    Returns:
        ``(n,)`` str, empty where the file has none for a row; None without the column.

    Raises:
        InvalidDataError: A target has two emotions, or an emotion is not text.
    """
    if "emotion" not in table:
        return None
    given = table["emotion"]
    known = given.notna().to_numpy()
    strange = next((value for value in given[known] if not isinstance(value, str)), None)
    if strange is not None:
        raise InvalidDataError(f"{path}: the column emotion must hold names, but has {_shown(strange)}.")
    emotions = np.where(known, given.to_numpy(dtype=object), "").astype(np.str_)
    first: dict[tuple[str, int], str] = {}
    keys = zip(pairs.dialogue_ids.tolist(), pairs.target_turns.tolist(), emotions.tolist(), strict=True)
    for row, (dialogue, turn, emotion) in enumerate(keys):
        if emotion and first.setdefault((dialogue, turn), emotion) != emotion:
            raise InvalidDataError(
                f"{path}: row {row}, column emotion: target {turn} of dialogue {dialogue[:80]} has the emotion "
                f"{_shown(emotion)}, and {_shown(first[dialogue, turn])} before. All pairs of a target "
                "have one emotion."
            )
    return emotions


def fold_columns(path: Path, table: pd.DataFrame) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Reads fold and threshold of each pair in a file of out-of-fold predictions.

    Args:
        path: The file, for errors.
        table: Its columns; ``fold`` and ``fold_threshold`` may be among them.

    Returns:
        ``(n,)`` numbers of folds; and ``(n,)`` thresholds, NaN where the most probable class is decided for. None for
        both without the two columns: either alone is a column of somebody else, with another meaning.

    Raises:
        InvalidDataError: A fold is not a whole number of 1 or more, a threshold is not between 0 and 1, or a fold has
            two.
    """
    if "fold" not in table or "fold_threshold" not in table:
        return None, None
    folds = whole_numbers(path, table, "fold", "a fold, counted from 1", 1)
    thresholds = _numbers(path, table, ["fold_threshold"])[:, 0]
    outside = np.flatnonzero((thresholds < 0) | (thresholds > 1))
    if len(outside):
        raise InvalidDataError(
            f"{path}: row {outside[0]}, column fold_threshold: {_shown(table['fold_threshold'].iloc[outside[0]])} is "
            "not between 0 and 1."
        )
    for fold in np.unique(folds).tolist():
        of_fold = np.unique(thresholds[folds == fold])  # NaN is equal to itself here
        if len(of_fold) > 1:
            raise InvalidDataError(
                f"{path}: fold {fold} has {len(of_fold)} thresholds in the column fold_threshold, such as "
                f"{of_fold[0]:g} and {of_fold[1]:g}; a fold has one."
            )
    return folds, thresholds


def id_texts(path: Path, table: pd.DataFrame, column: str) -> NDArray[np.str_]:
    """Reads ids.

    Args:
        path: The file, for errors.
        table: Its columns.
        column: The ids.

    Returns:
        ``(n,)`` str.

    Raises:
        InvalidDataError: One is missing, empty or longer than any id.
    """
    texts = table[column].astype(str)
    absent = np.flatnonzero(table[column].isna() | (texts == ""))
    if len(absent):
        raise InvalidDataError(f"{path}: row {absent[0]}, column {column}: there is no id. {len(absent)} such rows.")
    # As an array every id takes the room of the longest, 4 bytes a character.
    longest = int(texts.str.len().max()) if len(texts) else 0
    if longest > LONGEST_ID:
        raise InvalidDataError(
            f"{path}: column {column} holds an id of {longest:,} characters; at most {LONGEST_ID:,} are read. Is it "
            "a column of texts?"
        )
    return np.asarray(texts.to_numpy().astype(np.str_))


def whole_numbers(
    path: Path, table: pd.DataFrame, column: str, what: str, smallest: float = -math.inf
) -> NDArray[np.int64]:
    """Reads whole numbers.

    Args:
        path: The file, for errors.
        table: Its columns.
        column: The numbers.
        what: What one of them is, for errors.
        smallest: The smallest that is accepted.

    Returns:
        ``(n,)`` int64.

    Raises:
        InvalidDataError: A value is something else, truth values included.
    """
    _refuse_flags(path, table, column, what)
    cells = table[column]
    # Earlier versions of NumPy take an array of one number for that number.
    nested = cells.dtype == object and any(isinstance(cell, list | tuple | np.ndarray) for cell in cells)
    try:
        values = np.full(len(table), math.nan) if nested else cells.to_numpy(dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.full(len(table), math.nan)
    wrong = ~(np.abs(values) < _LARGEST) | (values != np.floor(values)) | (values < smallest)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InvalidDataError(
            f"{path}: row {row}, column {column}: expected {what}, found {_shown(table[column].iloc[row])}. "
            f"{int(wrong.sum())} such rows."
        )
    return np.asarray(values.astype(np.int64))


def shown_columns(table: Iterable[Any]) -> str:
    """Lists the columns of a table for an error: at most 20, each at most 40 characters.

    Args:
        table: The table, or its names.

    Returns:
        The list.
    """
    names = [str(name)[:40] for name in table]
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")


def _refuse_flags(path: Path, table: pd.DataFrame, column: str, what: str) -> None:
    """Refuses truth values, which would silently count as the numbers 0 and 1."""
    from pandas.api.types import is_bool_dtype  # also of columns that may have gaps

    given: Any = table[column]
    among_others = given.dtype == object and any(isinstance(value, bool | np.bool_) for value in given)
    if is_bool_dtype(given.dtype) or among_others:
        raise InvalidDataError(
            f"{path}: the column {column} has truth values, which are not read as numbers; expected {what}."
        )


def _shown(value: Any) -> str:
    """A value of a table as Python prints it, shortened: 0, not np.int64(0)."""
    return shown(value.item() if getattr(value, "ndim", None) == 0 else value)
