"""The page's section on diagnostics: numbers over the seeds of each system, as published beside corrected."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.diagnostics.catalogue import DIAGNOSTICS
from iemomecp_dataset.benchmark.diagnostics.tables import ALL, Diagnosis
from iemomecp_dataset.benchmark.diagnostics.variant import Variant
from iemomecp_dataset.benchmark.figures.tables import basis_text

__all__ = ["DiagnosticTable", "diagnostic_tables", "diagnostics_html"]


@dataclass(frozen=True)
class Cell:
    """One number of one variant.

    Attributes:
        text: The number with its standard deviation; ``n/a`` where it is undefined.
        n: Pairs that it is of.
        reason: Why it is undefined, if it is.
    """

    text: str = "–"
    n: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SystemNumbers:
    """The numbers of one system.

    Attributes:
        name: Its name.
        config_name: Configuration of its runs.
        synthetic: Whether they are on synthetic data.
        basis: By variant its split and pooling in words.
        rows: Subset, gold role, quantity, and a cell per variant.
    """

    name: str
    config_name: str
    synthetic: bool
    basis: dict[Variant, str] = field(default_factory=dict)
    rows: dict[tuple[str, str, str], dict[Variant, Cell]] = field(default_factory=dict)


@dataclass(frozen=True)
class DiagnosticTable:
    """One diagnostic as the template shows it; ``missing`` names systems by the reason that they have no numbers."""

    title: str
    source: str
    about: dict[str, str]
    systems: list[SystemNumbers]
    missing: dict[str, list[str]]


def diagnostic_tables(diagnosis: Diagnosis, root: Path | None = None) -> list[DiagnosticTable]:
    """Sorts the numbers over seeds into one table per diagnostic.

    Args:
        diagnosis: All diagnostics.
        root: The folder of the runs, which reasons then name relative to it.

    Returns:
        The tables, in the order of the catalogue; systems, subsets and roles in the order of the diagnosis.
    """
    return [_table(number, diagnosis, "" if root is None else f"{root}/") for number in range(len(DIAGNOSTICS))]


def diagnostics_html(diagnosis: Diagnosis, environment: Any, root: Path | None = None) -> str:
    """Renders the section.

    Args:
        diagnosis: All diagnostics.
        environment: The page's jinja2 environment.
        root: As in :func:`diagnostic_tables`.

    Returns:
        HTML with every text escaped.
    """
    source = (resources.files(__package__) / "diagnostics.html").read_text(encoding="utf-8")
    html: str = environment.from_string(source).render(tables=diagnostic_tables(diagnosis, root))
    return html


def _table(number: int, diagnosis: Diagnosis, root: str) -> DiagnosticTable:
    diagnostic = DIAGNOSTICS[number]
    systems: dict[tuple[str, ...], SystemNumbers] = {}
    missing: dict[str, dict[str, None]] = {}
    for row in diagnosis.tables[diagnostic.name].to_dict("records"):
        name = f"{row['system']} ({row['config_name']})"
        if row["quantity"] == ALL:
            missing.setdefault(row["reason"].replace(root, ""), {})[row["run"] or name] = None
        elif row["pooling"] != "per_run":
            key = (row["corpus"], row["config_name"], row["data"], row["data_fingerprint"][:12], row["system"])
            synthetic = row["data"] == "synthetic"
            found = systems.setdefault(key, SystemNumbers(row["system"], row["config_name"], synthetic))
            found.basis[row["variant"]] = basis_text(row["variant"], row["split"], row["pooling"], [row["seed"]])
            where = (row["subset"], row["gold_role"], row["quantity"])
            found.rows.setdefault(where, {})[row["variant"]] = _cell(row)
    return DiagnosticTable(
        title=f"{number + 1}. {diagnostic.title}",
        source=diagnostic.source,
        about={"as published": diagnostic.as_published, "corrected": diagnostic.corrected},
        systems=list(systems.values()),
        missing={reason: list(names) for reason, names in missing.items()},
    )


def _cell(row: dict[Any, Any]) -> Cell:
    if math.isnan(row["value"]):
        return Cell("n/a", f"{row['n']:,}", row["reason"])
    spread = "" if math.isnan(row["sd"]) else f" ± {row['sd']:.4f}"
    return Cell(f"{row['value']:.4f}{spread}".replace("-", "\N{MINUS SIGN}"), f"{row['n']:,}")
