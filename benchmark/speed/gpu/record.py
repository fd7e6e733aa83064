"""What a measurement leaves: a record in JSON, and a table to read."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.benchmark.speed.gpu.parts import Finished, Row

if TYPE_CHECKING:
    import torch

__all__ = ["FORMAT", "device_facts", "driver_version", "record_of", "table_lines"]

FORMAT = 1
"""Version of the record's layout; it grows when a key changes its meaning or goes."""


def device_facts(device: torch.device) -> dict[str, Any]:
    """Name, memory and driver of the device that is measured.

    Args:
        device: The device.
    """
    import torch

    precision = {"float32_matmul_precision": torch.get_float32_matmul_precision()}
    if device.type != "cuda":
        return {
            "type": device.type,
            "name": platform.processor() or platform.machine(),
            "threads": torch.get_num_threads(),
            **precision,
        }
    facts = torch.cuda.get_device_properties(device)
    return {
        "type": device.type,
        "name": torch.cuda.get_device_name(device),
        "memory_bytes": facts.total_memory,
        "compute_capability": f"{facts.major}.{facts.minor}",
        "driver": driver_version(),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        **precision,
    }


def driver_version() -> str | None:
    """Version of the graphics driver as ``nvidia-smi`` gives it; None where it does not."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.splitlines() or [""])[0].strip() or None


def record_of(finished: Sequence[Finished], device: torch.device, **facts: Any) -> dict[str, Any]:
    """Builds the record.

    Args:
        finished: All parts, also those that did not run.
        device: What was measured.
        facts: Further entries of the record.
    """
    from iemomecp_dataset.trainers.provenance import code_revision, library_versions

    return {
        "format": FORMAT,
        "synthetic": True,
        **facts,
        "device": device_facts(device),
        "versions": library_versions(),
        "commit": code_revision(),
        "measurements": [
            {
                "section": done.part.section,
                "part": done.part.name,
                **row._asdict(),
                "ratio": row.ratio,
            }
            for done in finished
            for row in done.rows
        ],
        "parts": [
            {
                "section": done.part.section,
                "part": done.part.name,
                "seconds": round(done.seconds, 3),
                "rows": len(done.rows),
            }
            for done in finished
            if not done.reason
        ],
        "not_run": [
            {"section": done.part.section, "part": done.part.name, "reason": done.reason}
            for done in finished
            if done.reason
        ],
    }


def table_lines(done: Finished) -> Iterator[str]:
    r"""Lines of the table for a part: each number, what it stands against, and how many times better it is.

    Args:
        done: The part.

    Example:
        >>> from iemomecp_dataset.benchmark.speed.gpu.parts import Part
        >>> part = Part("training", "base, frozen", lambda: [])
        >>> row = Row("training, base frozen", 6000.0, "pairs/s", "plain loop", 2000.0)
        >>> print("\n".join(table_lines(Finished(part, (row,), 1.5, "RuntimeError: no memory"))))
        training, base frozen
               6,000 pairs/s    plain loop: 2,000   ratio 3.00
        training: base, frozen: not run to its end: RuntimeError: no memory
    """
    for row in done.rows:
        yield row.what
        yield f"  {_number(row.value):>10} {row.unit:<15}" + _alternative(row)
        if row.note:
            yield f"             {row.note}"
    if done.reason:
        yield f"{done.part.section}: {done.part.name}: not run to its end: {done.reason}"


def _alternative(row: Row) -> str:
    if row.against_value is None:
        return ""
    ratio = "" if row.ratio is None else f"   ratio {row.ratio:.2f}"
    return f" {row.against}: {_number(row.against_value)}{ratio}"


def _number(value: float) -> str:
    if value and abs(value) < 0.01:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
