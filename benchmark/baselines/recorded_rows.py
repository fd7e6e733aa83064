"""Structural rows that only the record of a run has, for they read what the run read: named beside its file."""

from __future__ import annotations

from dataclasses import replace

from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, read_results
from iemomecp_dataset.errors import IemomecpError
from iemomecp_dataset.metrics.evaluation.structural_rows import StructuralRows
from iemomecp_dataset.metrics.evaluation.units import in_unit

__all__ = ["with_recorded_rows"]


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
    for baseline in record.structural_baselines.values():
        name, scores = str(baseline.get("display_name") or ""), (baseline.get("splits") or {}).get(split)
        if not name or name in shown or not scores:
            continue
        known = {key: value for key, value in scores.items() if isinstance(value, int | float) and value == value}
        values = [f"{title} {in_unit(key, known[key])}" for key, title in rows.columns if key in known]
        absent[name] = (
            f"it reads what the run reads, so there is no difference here; the record of the run has "
            f"{', '.join(values)}."
        )
    return replace(rows, absent=absent)
