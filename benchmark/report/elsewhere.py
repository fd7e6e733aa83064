"""Numbers that others published on the same corpus, to stand beside a table and never in it."""

from __future__ import annotations

from dataclasses import dataclass

from iemomecp_dataset.benchmark.leaderboard import BoardKey
from iemomecp_dataset.benchmark.published.tables import published_systems, published_table

__all__ = ["PublishedRow", "published_rows"]


@dataclass(frozen=True)
class PublishedRow:
    """One published system.

    Attributes:
        system: Its name.
        scores: Pair F1, and macro and context F1 where they exist, in percent.
        terms: On what terms: split, definition, where its emotions come from.
        source: Where it was reported.
    """

    system: str
    scores: tuple[str, str, str]
    terms: str
    source: str


def published_rows(key: BoardKey) -> list[PublishedRow]:
    """Published systems on the corpus of a table.

    Args:
        key: What the table is of.

    Returns:
        The systems, best first; none for synthetic data, which nobody published on.
    """
    if key.synthetic:
        return []
    if key.corpus == "iemomecp":
        return _role_systems() if len(key.class_names) == 3 else []
    found = published_systems(key.corpus).sort_values("pair_f1", ascending=False)
    return [
        PublishedRow(
            system=str(row["system"]),
            scores=(f"{row['pair_f1']:.2f}", "", ""),
            terms=f"{row['split']}, definition {row['definition']}, {row['emotions']} emotions",
            source=str(row["source"]),
        )
        for _, row in found.iterrows()
    ]


def _role_systems() -> list[PublishedRow]:
    table = published_table("main_model_results_by_family").sort_values("pair_f1_mean", ascending=False)
    columns = ("pair_f1_mean", "pair_role_macro_f1_mean", "pair_role_emo_context_f1_mean")
    return [
        PublishedRow(
            system=f"{row['family']} ({row['modality']})",
            scores=tuple(f"{100 * row[column]:.2f}" for column in columns),  # type: ignore[arg-type]
            terms=f"test, definition F, mean of {row['runs']} seeds"
            + ("; without the exceptions (18,228 pairs)" if str(row["family"]).startswith("hilo") else ""),
            source="arXiv 2605.25208",
        )
        for _, row in table.iterrows()
    ]
