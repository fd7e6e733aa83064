"""Feature vectors by utterance id, and the account of those that are missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import InvalidDataError, MissingDataError

__all__ = ["FeatureTable", "read_feature_table"]

_EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class FeatureTable:
    """Vectors of one modality.

    Attributes:
        path: File it was read from.
        vectors: ``(rows, size)`` float32.
        row_of: Row by utterance id; ids without a vector are absent.
    """

    path: Path
    vectors: NDArray[np.float32]
    row_of: dict[str, int]

    @property
    def size(self) -> int:
        """Width of a vector."""
        return int(self.vectors.shape[1])

    def select(self, utterance_ids: Iterable[str], *, tolerance: float = 0.01) -> dict[str, NDArray[np.float32]]:
        """Vectors of the given utterances.

        Args:
            utterance_ids: The utterances that a model will see.
            tolerance: Share of them that may lack a vector.

        Returns:
            ``(size,)`` by utterance id. Missing ones are left out, for a mask to say so; never replaced by zeros.

        Raises:
            InvalidDataError: More than ``tolerance`` are missing; the message counts and names them.
        """
        wanted = list(dict.fromkeys(utterance_ids))
        found = {key: self.vectors[self.row_of[key]] for key in wanted if key in self.row_of}
        missing = len(wanted) - len(found)
        if missing > tolerance * len(wanted):
            examples = [key for key in wanted if key not in self.row_of][:_EXAMPLES_SHOWN]
            raise InvalidDataError(
                f"{self.path}: {missing} of {len(wanted)} utterances have no feature vector "
                f"({missing / len(wanted):.1%}, more than the {tolerance:.1%} allowed), for example "
                f"{', '.join(examples)}. "
                "Extract the missing ones, or raise --max_missing_features: the model then gets a mask for them."
            )
        return found


def read_feature_table(path: str | Path) -> FeatureTable:
    """Reads a Parquet file with columns ``utterance_id`` (string) and ``vector`` (list of floats, null for none).

    Args:
        path: The file.

    Returns:
        The table.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It is no such table: other columns, an id twice, vectors of different widths, numbers that are
            not finite.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"The feature file {path} is not there.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(f"{path} cannot be read as Parquet: {error}") from error
    for column in ("utterance_id", "vector"):
        if column not in table.column_names:
            raise InvalidDataError(
                f"{path} has no column {column!r}; expected utterance_id and vector, "
                f"found {', '.join(table.column_names)}."
            )
    ids = table["utterance_id"].to_pylist()
    column = table["vector"].combine_chunks()
    if not (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        raise InvalidDataError(f"{path}: column 'vector' must hold lists of floats, but holds {column.type}.")
    present = column.is_valid().to_numpy(zero_copy_only=False)
    kept = column.filter(pa.array(present))
    widths = (
        kept.value_lengths().to_numpy(zero_copy_only=False)
        if not pa.types.is_fixed_size_list(column.type)
        else (np.full(len(kept), column.type.list_size))
    )
    kept_ids = [key for key, has_vector in zip(ids, present, strict=True) if has_vector]
    if not kept_ids:
        raise InvalidDataError(f"{path} holds no feature vector at all.")
    if len(odd := np.flatnonzero(widths != widths[0])):
        raise InvalidDataError(
            f"{path}: vectors differ in width; {kept_ids[0]} has {widths[0]}, {kept_ids[odd[0]]} has {widths[odd[0]]}."
        )
    vectors = kept.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(kept_ids), int(widths[0]))
    if len(odd := np.flatnonzero(~np.isfinite(vectors).all(axis=1))):
        raise InvalidDataError(
            f"{path}: {len(odd)} vectors hold NaN or infinite numbers, the first is that of {kept_ids[odd[0]]}. "
            "A vector that is not known must be null."
        )
    row_of = {key: row for row, key in enumerate(kept_ids)}
    if len(row_of) != len(kept_ids):
        seen: set[str] = set()
        twice = next(key for key in kept_ids if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidDataError(f"{path}: utterance {twice} occurs more than once; each has exactly one vector.")
    return FeatureTable(path, vectors, row_of)
