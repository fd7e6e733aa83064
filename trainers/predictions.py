"""Predictions of a run as Parquet: one row a candidate pair, and in its metadata what is needed to score them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.pair_table import PairTable

__all__ = ["write_predictions"]


def write_predictions(
    path: Path,
    table: PairTable,
    probabilities: NDArray[np.float64],
    class_names: Sequence[str],
    metadata: Mapping[str, Any],
) -> None:
    """Writes ``predictions_<split>.parquet``.

    Args:
        path: The file.
        table: ``n`` candidate pairs.
        probabilities: ``(n, C)``, in their order.
        class_names: Names of the classes.
        metadata: Kept as JSON in the Parquet schema, under the key ``iemomecp``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "dialogue_id": table.dialogue_ids,
        "source_dialogue_id": table.source_dialogue_ids,
        "target_turn": table.target_turns.astype(np.int32),
        "cause_turn": table.cause_turns.astype(np.int32),
        "label": table.labels.astype(np.int32),
    }
    columns |= {f"prob_{name}": probabilities[:, i] for i, name in enumerate(class_names)}
    arrow = pa.table(columns).replace_schema_metadata({"iemomecp": json.dumps(dict(metadata))})
    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(arrow, partial)
    partial.replace(path)
