"""Asks a language model for pairs, roles, emotions or explanations, as ``trainers/llm.py`` does."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the script's own ``main``."""
    from iemomecp_dataset.trainers.llm import main as ask

    ask(arguments)
