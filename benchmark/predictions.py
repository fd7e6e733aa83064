"""The predictions of one run on one split, read back from its Parquet file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset.errors import MissingDataError, RunFolderError

__all__ = ["METADATA_KEY", "Predictions", "read_predictions"]

METADATA_KEY = b"iemomecp"
"""Key of the Parquet schema's metadata under which the facts about the predictions stand, as JSON."""


@dataclass(frozen=True)
class Predictions:
    """Predicted probabilities of all candidate pairs of one split.

    Attributes:
        dialogue_ids: ``(n,)`` str.
        source_dialogue_ids: ``(n,)`` str, the dialogue that a chunk was cut from.
        target_turns: ``(n,)`` int64, 1-based.
        cause_turns: ``(n,)`` int64, 1-based.
        labels: ``(n,)`` int64, gold class ids.
        probabilities: ``(n, C)`` float64.
        class_names: The ``C`` class names, by id.
        split: Name of the split.
        threshold: A pair is class 0 iff its probability reaches it; None means the most probable class.
        missed_positives: Gold pairs that are no candidates.
        data_fingerprint: Digest of the split's data; empty when not recorded.
        synthetic: Whether the data is synthetic.
        decisions_alone: Whether the system only decides: its probabilities are 0 and 1, and rank nothing.
    """

    dialogue_ids: NDArray[np.str_]
    source_dialogue_ids: NDArray[np.str_]
    target_turns: NDArray[np.int64]
    cause_turns: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    split: str
    threshold: float | None = None
    missed_positives: int = 0
    data_fingerprint: str = ""
    synthetic: bool = False
    decisions_alone: bool = False

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def distances(self) -> NDArray[np.int64]:
        """``(n,)`` signed distance ``target - cause`` in turns."""
        return self.target_turns - self.cause_turns

    @property
    def decided(self) -> NDArray[np.int64]:
        """``(n,)`` predicted class ids by the run's own decision rule."""
        from iemomecp_dataset.metrics.scoring import decide

        return decide(self.probabilities, self.threshold)


def read_predictions(path: str | Path) -> Predictions:
    """Reads ``predictions_<split>.parquet`` of a run folder.

    Args:
        path: The file.

    Returns:
        Its pairs, with the facts from its metadata.

    Raises:
        MissingDataError: There is no such file.
        RunFolderError: The file is cut off, or lacks columns or metadata.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise MissingDataError(f"{path} is not there. Repeat the run to have its predictions written.")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RunFolderError(f"{path} cannot be read as Parquet ({error}). Repeat the run.") from None
    facts = json.loads((table.schema.metadata or {}).get(METADATA_KEY, b"{}"))
    class_names = tuple(
        facts.get("class_names") or (c.removeprefix("prob_") for c in table.column_names if c.startswith("prob_"))
    )
    needed = ["dialogue_id", "target_turn", "cause_turn", "label", *(f"prob_{name}" for name in class_names)]
    missing = [column for column in needed if column not in table.column_names]
    if missing or not class_names:
        raise RunFolderError(
            f"{path} lacks the columns {', '.join(missing) or 'prob_<class>'}; it has {', '.join(table.column_names)}."
        )

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table.column(name).to_numpy(zero_copy_only=False))

    dialogue_ids = column("dialogue_id").astype(np.str_)
    has_source = "source_dialogue_id" in table.column_names
    threshold = facts.get("threshold")
    return Predictions(
        dialogue_ids=dialogue_ids,
        source_dialogue_ids=column("source_dialogue_id").astype(np.str_) if has_source else dialogue_ids,
        target_turns=column("target_turn").astype(np.int64),
        cause_turns=column("cause_turn").astype(np.int64),
        labels=column("label").astype(np.int64),
        probabilities=np.column_stack([column(f"prob_{name}").astype(np.float64) for name in class_names]),
        class_names=class_names,
        split=str(facts.get("split") or path.stem.removeprefix("predictions_")),
        threshold=None if threshold is None or math.isnan(threshold) else float(threshold),
        missed_positives=int(facts.get("missed_positives") or 0),
        data_fingerprint=str(facts.get("data_fingerprint") or ""),
        synthetic=bool(facts.get("synthetic")),
        decisions_alone=bool(facts.get("decisions_alone")),
    )
