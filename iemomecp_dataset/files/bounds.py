"""Bounds of what readers take, far above anything genuine: what exceeds one is damaged, or was made to do damage.

Readers take time and memory in proportion to their input. Within these bounds that is little; beyond them a reader
stops with an error that names the bound. Candidate pairs alone grow with the square of a dialogue's turns.
"""

from __future__ import annotations

from iemomecp_dataset.errors import InvalidDataError

__all__ = [
    "DEEPEST_JSON",
    "LARGEST_FILE",
    "LONGEST_FIELD",
    "LONGEST_ID",
    "LONGEST_LINE",
    "LONGEST_YAML",
    "MOST_COLUMNS",
    "MOST_DIGITS",
    "MOST_PAIRS",
    "MOST_TURNS",
    "MOST_YAML_VALUES",
    "check_turns",
]

LARGEST_FILE = 2**30
"""Bytes of a file that is read as a whole: text, JSON, a table in CSV. The largest file of a corpus has 40 million."""

LONGEST_LINE = 1_000_000
"""Characters of a line, where lines are what a file consists of; a line of JSON is bounded by its file alone."""

LONGEST_FIELD = 200
"""Characters of a field with times or numbers."""

LONGEST_ID = 1_000
"""Characters of an id in a file of predictions; one of a genuine corpus has some dozens."""

LONGEST_YAML = 200_000
"""Characters of a YAML file, which holds options."""

MOST_YAML_VALUES = 100_000
"""Values of a YAML file, those counted again that it repeats by an alias."""

MOST_COLUMNS = 10_000
"""Columns of a table of predictions."""

MOST_DIGITS = 308
"""Digits of a whole number in JSON; longer ones are no floats."""

MOST_TURNS = 100_000
"""Utterances of a dialogue or conversation."""

MOST_PAIRS = 4_000_000
"""Candidate pairs of a dialogue: all pairs of 2,000 turns, about 2 GB in memory while they are loaded."""

DEEPEST_JSON = 200
"""Lists and objects of JSON within each other."""


def check_turns(n_turns: int, where: str, *, pairs: bool = False) -> None:
    """Checks the number of utterances of a dialogue.

    Args:
        n_turns: The number.
        where: File and dialogue, for the error.
        pairs: Whether all pairs of its turns become candidates.

    Raises:
        InvalidDataError: There are more than :data:`MOST_TURNS`, or more than :data:`MOST_PAIRS` pairs.

    Example:
        >>> check_turns(2_000, "train.txt, conversation 7", pairs=True)
        >>> check_turns(3_000, "train.txt, conversation 7", pairs=True)
        Traceback (most recent call last):
            ...
        iemomecp_dataset.errors.InvalidDataError: train.txt, conversation 7: 3,000 turns have 9,000,000 pairs; ...
    """
    if n_turns > MOST_TURNS:
        raise InvalidDataError(
            f"{where}: {n_turns:,} turns, more than the {MOST_TURNS:,} that a dialogue may have. Is it one dialogue? "
            "Split it, or repair the file."
        )
    if pairs and n_turns**2 > MOST_PAIRS:
        raise InvalidDataError(
            f"{where}: {n_turns:,} turns have {n_turns**2:,} pairs; a dialogue may have {MOST_PAIRS:,} candidates at "
            "most. Is it one dialogue? Split it, or repair the file."
        )
