"""Lists the published systems of a configuration for terminals."""

from __future__ import annotations

import itertools
import textwrap

from iemomecp_dataset.benchmark.published.systems import FIELD_CAVEATS, HEADINGS, PublishedRow, published_rows
from iemomecp_dataset.benchmark.results_table import text_columns
from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.options import CONFIG_NAMES

__all__ = ["published_text"]


def published_text(config_name: str) -> str:
    """Formats the published systems of a configuration for terminals.

    Args:
        config_name: A configuration with published numbers.

    Returns:
        One table for each definition, split, origin of the emotions and list of candidates, with notes on what may be
        compared.

    Raises:
        UsageError: The configuration has no published numbers.
    """
    rows = published_rows(config_name)
    if not rows:
        known = [name for name in CONFIG_NAMES if published_rows(name)]
        raise UsageError(f"There are no published numbers for {config_name!r}. {did_you_mean(config_name, known)}")
    origins: dict[str, int] = {}
    for row in rows:
        origins.setdefault(_origin(row), len(origins) + 1)
    title = f"Published on {config_name}"
    blocks = [f"{title}\n{'=' * len(title)}"]
    for _, group in itertools.groupby(rows, lambda row: (row.definition, row.split, row.emotions, row.n_candidates)):
        lines = [["system", *(HEADINGS[key] for key in rows[0].scores), "terms"]]
        for row in group:
            cells = [f"{value} ±{deviation}" if deviation else value for value, deviation in row.scores.values()]
            name = f"{'*' if row.kind == 'structural' else ' '} {row.system}"
            lines.append([name, *cells, f"{row.terms} [{origins[_origin(row)]}]"])
        blocks.append(text_columns(lines, rule_after={0}, left_columns=(-1,)))
    compared = "gold, candidates, split, definition and origin of the emotions"
    if not rows[0].definition:
        compared = "gold, classes and split"
    notes = [
        f"In percent. None of it was computed on your data: compare only if {compared} are the same, and never from "
        "one table to the next."
    ]
    if not rows[0].definition:
        notes.append(FIELD_CAVEATS)
    if any(row.kind == "structural" for row in rows):
        notes.append(
            "* structural: a fixed rule on the turns between two utterances, in both directions, scored here on the "
            "published counts of roles by distance, that is, on the same pairs as the systems in its table. It is not "
            'the row "distance only" of your runs, which is fitted on train.'
        )
    notes += [f"[{number}] {origin}" for origin, number in origins.items()]
    blocks.append(
        "\n".join(
            line for note in notes for line in textwrap.wrap(note, 110, subsequent_indent="  ", break_on_hyphens=False)
        )
    )
    return "\n\n".join(blocks)


def _origin(row: PublishedRow) -> str:
    caveats = f" Caveats: {row.caveats}." if row.caveats else ""
    candidates = f" Candidates: {row.candidates}." if row.candidates else ""
    return f"Source: {row.source}.{candidates}{caveats}"
