"""Tables of the published systems of each corpus."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from iemomecp_dataset.benchmark.published.role_systems import RoleSystem, role_systems
from iemomecp_dataset.benchmark.published.tables import published_systems, published_table
from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.metrics.scoring import mean_and_sd

__all__ = ["HEADINGS", "PUBLISHED_CORPORA", "PublishedRow", "published_rows", "published_text"]

PUBLISHED_CORPORA = ("3class", "source_binary", "ecf", "mecad", "mec4", "reccon")
"""Configurations with published numbers."""

HEADINGS = {"pair_f1": "Pair F1", "macro_f1": "macro F1", "emo_context_f1": "context F1"}
"""Headings of the published scores."""


@dataclass(frozen=True)
class PublishedRow:
    """A published system and its scores.

    Attributes:
        system: Its name, with its modalities if they are known.
        kind: ``published``, or ``structural`` for a distance rule scored here on published counts.
        scores: Value and deviation over seeds by metric key, as text in percent; the deviation is empty if unknown.
        terms: Conditions of the score: split, definition, seeds, gold or predicted emotions.
        source: The paper that reports it.
    """

    system: str
    kind: str
    scores: dict[str, tuple[str, str]]
    terms: str
    source: str


def published_rows(config_name: str) -> list[PublishedRow]:
    """Lists the published systems of a configuration.

    Args:
        config_name: One of :data:`PUBLISHED_CORPORA`; others have none.

    Returns:
        The systems, best Pair F1 first. ``3class`` includes the distance rules, scored on the published counts of the
        same pairs.

    Example:
        >>> [row.scores["pair_f1"][0] for row in published_rows("mec4")]
        ['44.79', '42.65', '35.11', '28.82']
    """
    if config_name == "3class":
        return [_role_row(system) for system in role_systems()]
    if config_name == "source_binary":
        return _binary_rows()
    found = published_systems(config_name).sort_values("pair_f1", ascending=False)
    return [
        PublishedRow(
            system=str(row["system"]),
            kind="published",
            scores={"pair_f1": (f"{row['pair_f1']:.2f}", "")},
            terms=f"{row['split']}, definition {row['definition']}, {row['emotions']} emotions",
            source=str(row["source"]),
        )
        for _, row in found.iterrows()
    ]


def published_text(config_name: str) -> str:
    """Formats the published systems of a configuration as a table for terminals.

    Args:
        config_name: One of :data:`PUBLISHED_CORPORA`.

    Returns:
        The table, with notes on what may be compared.

    Raises:
        UsageError: The configuration has no published numbers.
    """
    from iemomecp_dataset.benchmark.results_table import text_columns

    if config_name not in PUBLISHED_CORPORA:
        raise UsageError(
            f"There are no published numbers for {config_name!r}. {did_you_mean(config_name, PUBLISHED_CORPORA)}"
        )
    rows = published_rows(config_name)
    keys = list(rows[0].scores)
    lines = [["system", *(HEADINGS[key] for key in keys), "terms"]]
    for row in rows:
        cells = [f"{value} ±{deviation}" if deviation else value for value, deviation in row.scores.values()]
        lines.append([f"{'*' if row.kind == 'structural' else ' '} {row.system}", *cells, row.terms])
    title = f"Published on {config_name}"
    notes = [f"In percent. Sources: {'; '.join(dict.fromkeys(row.source for row in rows))}. None of it was computed on "
             "your data: compare only if split, definition and emotions are the same."]  # fmt: skip
    if any(row.kind == "structural" for row in rows):
        notes.append(
            "* structural: a rule that uses only the distance in turns between two utterances, scored here on the "
            "published counts of roles by distance, that is, on the same pairs as the systems above and below it."
        )
    table = text_columns(lines, rule_after={0}, left_columns=(-1,))
    wrapped = [line for note in notes for line in textwrap.wrap(note, 110, subsequent_indent="  ")]
    return "\n".join([title, "=" * len(title), "", table, "", *wrapped])


def _role_row(system: RoleSystem) -> PublishedRow:
    modalities = "+".join(system.modalities.upper())
    exceptions = "" if system.n_pairs == 18264 else ", without the 36 exceptions"
    terms = f"test, definition F, {system.n_pairs:,} pairs{exceptions}"
    return PublishedRow(
        system=f"{system.name} {modalities}".rstrip(),
        kind=system.kind,
        scores={
            key: (
                f"{100 * system.means[key]:.2f}",
                f"{100 * system.deviations[key]:.2f}" if system.deviations else "",
            )
            for key in ("pair_f1", "macro_f1", "emo_context_f1")
        },
        terms=terms + (f", {system.n_seeds} seeds" if system.n_seeds else ", no training"),
        source="arXiv 2605.25208",
    )


def _binary_rows() -> list[PublishedRow]:
    runs = published_table("source_binary_remap_by_run")
    runs = runs[runs["strategy"] == "original_binary_trained"]
    rows = [
        PublishedRow(
            system=f"{name} {of_system['modality'].iloc[0]}",
            kind="published",
            scores={"pair_f1": (f"{100 * mean:.2f}", f"{100 * sd:.2f}")},
            terms=f"test, definition F, forward pairs as published, {len(of_system)} seeds",
            source="arXiv 2605.25208",
        )
        for name, of_system in runs.groupby("model_label", sort=False)
        for mean, sd in [mean_and_sd(of_system["f1"].to_numpy())]
    ]
    return sorted(rows, key=lambda row: -float(row.scores["pair_f1"][0]))
