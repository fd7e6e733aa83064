"""The names that ``evaluate.load`` takes from this package; :mod:`iemomecp_dataset.registration` looks them up here."""

from __future__ import annotations

import hashlib
from pathlib import Path

__all__ = ["METRIC_MODULES", "code_hash"]

METRIC_MODULES = {
    "iemomecp_erc": "iemomecp_dataset.metrics.iemomecp_erc.iemomecp_erc",
    "iemomecp_explanations": "iemomecp_dataset.metrics.iemomecp_explanations.iemomecp_explanations",
    "iemomecp_pair_f1": "iemomecp_dataset.metrics.iemomecp_pair_f1.iemomecp_pair_f1",
}
"""Module of each metric by its name."""


def code_hash(name: str) -> str:
    """Hashes the code of a metric, which ``evaluate`` tells versions apart by.

    Args:
        name: A key of :data:`METRIC_MODULES`.

    Returns:
        64 hexadecimal characters, of the metric's own module and of the scoring functions it may call.
    """
    room = Path(__file__).parent
    digest = hashlib.sha256()
    functions = (*room.glob("*.py"), *room.glob("explanations/*.py"), *room.glob("significance/*.py"))
    for path in (*sorted(functions), room / name / f"{name}.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()
