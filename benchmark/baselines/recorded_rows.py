"""Structural rows that only the record of a run has, for they read what the run read: named beside its file."""

from __future__ import annotations

from dataclasses import replace

from iemomecp_dataset.benchmark.baselines.emotion_rows import FROZEN_ENCODER
from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, read_results
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.evaluation.structural_rows import StructuralRows
from iemomecp_dataset.metrics.evaluation.units import in_unit

__all__ = ["with_recorded_rows"]

_WITHOUT_THE_RUN = {FROZEN_ENCODER: "frozen encoder + logistic regression"}
"""What a row is called where the vectors that it is named after are not known, by its key."""


def with_recorded_rows(rows: StructuralRows, split: str) -> StructuralRows:
    """Names the rows that a run's record has and a file alone cannot have, such as those on its text vectors.

    Args:
        rows: The rows beside a file.
        split: The split that was scored.

    Returns:
        The same, with the recorded scores among what is absent; unchanged where no record lies beside the file.
    """
    if not (rows.of.parent / RESULTS_FILE).is_file():
        return rows
    try:
        record = read_results(rows.of.parent)
    except IemomecpError as error:
        return replace(rows, absent={**rows.absent, f"rows of {RESULTS_FILE}": f"it cannot be read: {error}"})
    shown = {row.name for row in rows.rows}
    absent = dict(rows.absent)
    for key, baseline in record.structural_baselines.items():
        name, scores = str(baseline.get("display_name") or ""), (baseline.get("splits") or {}).get(split)
        if not name or name in shown or not scores:
            continue
        known = {one: value for one, value in scores.items() if isinstance(value, int | float) and value == value}
        values = [f"{title} {in_unit(one, known[one])}" for one, title in rows.columns if one in known]
        definition = f" (definition {record.definition})" if "pair_f1" in known and record.definition else ""
        recorded = f"the record of the run has {', '.join(values)}{definition}."
        if name in rows.absent:
            absent[name] = f"{rows.absent[name]} Meanwhile {recorded}"
            continue
        absent.pop(_WITHOUT_THE_RUN.get(key, ""), None)
        absent[name] = (
            "it is made from inputs of the run, such as its text vectors, which the file does not hold, so that it "
            f"cannot be computed beside the file; {recorded}"
        )
    return replace(rows, absent=absent)
