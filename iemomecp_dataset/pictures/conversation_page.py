"""Conversations with what a model predicts for them, as HTML: a fragment for any page, and a page of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from iemomecp_dataset.excerpts import shortened
from iemomecp_dataset.pictures.content_policy import policy_element
from iemomecp_dataset.pictures.pair_triangle import TRIANGLE_STYLE, triangle_within_page
from iemomecp_dataset.pictures.palette import DARK, LIGHT, palette_css, variables
from iemomecp_dataset.pictures.transcript import transcript
from iemomecp_dataset.pictures.words import (
    SYNTHETIC,
    counts_in_words,
    decision_in_words,
    notes_in_words,
    printable,
)

if TYPE_CHECKING:
    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

__all__ = ["conversation_fragment", "conversation_page", "conversation_script", "conversation_style", "pair_rows"]

_BESIDE = 30
"""Up to so many turns the triangle stands beside the transcript, where there is room; a larger one needs the width."""


_HELP = "Point at a cell or a cause, or press the arrow keys in the triangle, to read a pair; click to keep it."


def conversation_fragment(predicted: PredictedConversation) -> str:
    """Writes a conversation for a page that has :func:`conversation_style` and :func:`conversation_script`.

    The transcript has emotions, causes and arrows from cause to target beside the lines; the triangle of pairs stands
    beside or below it. Everything but what follows the pointer is there without the script.

    Args:
        predicted: What a model predicts for a conversation.

    Returns:
        One ``<div>`` element. All text is escaped; class names begin with ``iemomecp-``, and no element has an id.
    """
    name = _shown(predicted.conversation.name)
    banner = f'<p class="iemomecp-banner" role="note"><b>SYNTHETIC</b> {SYNTHETIC}</p>' if predicted.synthetic else ""
    notes = "".join(f"<li>{_shown(note)}</li>" for note in notes_in_words(predicted))
    notes = f'<ul class="iemomecp-notes" aria-label="Notes">{notes}</ul>' if notes else ""
    beside = " iemomecp-beside" if len(predicted.conversation.utterances) <= _BESIDE else ""
    return (
        f'<div class="iemomecp-conversation" data-pairs="{_pair_data(predicted)}">{banner}'
        f'<h2 class="iemomecp-name" dir="auto">{name}</h2>'
        f'<p class="iemomecp-facts">{_shown(counts_in_words(predicted))}; model {_shown(predicted.model)}</p>'
        f'<p class="iemomecp-facts">{_shown(decision_in_words(predicted))}{_of_emotions(predicted)}</p>{notes}'
        f'<div class="iemomecp-columns{beside}"><div>{transcript(predicted)}</div>'
        '<div class="iemomecp-picture">'
        '<div class="iemomecp-drawing" tabindex="0" role="group" '
        f'aria-label="Triangle of pairs: arrow keys choose a pair, Escape none">{triangle_within_page(predicted)}</div>'
        f'<p class="iemomecp-described iemomecp-help" aria-live="polite">{_HELP}</p></div></div></div>'
    )


def conversation_style(*, dark: str | None = None) -> str:
    """The style sheet of conversations.

    Args:
        dark: Selector of the element around that makes a page dark, such as ``.dark``; by default the reader's screen
            decides.

    Returns:
        CSS without references to other files.
    """
    root = ".iemomecp-conversation"
    if dark is None:
        palette = palette_css(root)
    else:
        palette = f"{root} {{ {variables(LIGHT)} }}\n@media screen {{ {dark} {root} {{ {variables(DARK)} }} }}\n"
    return palette + TRIANGLE_STYLE + _file("conversation.css")


def conversation_script() -> str:
    """The script of conversations: hovering, choosing pairs by key, choosing a conversation.

    Returns:
        JavaScript. It defines ``iemomecp.initialise(root)``, which may be called again at any time, and calls it itself
        for what is in the document and for what is inserted later.
    """
    return _file("conversation.js")


def conversation_page(predicted: Sequence[PredictedConversation], *, title: str | None = None) -> str:
    """Writes a self-contained page.

    Args:
        predicted: At least one conversation; of several one is shown, chosen from a list.
        title: The page's; by default the conversation's name.

    Returns:
        HTML without references to other files or addresses.
    """
    first = predicted[0]
    script = conversation_script()
    synthetic = "SYNTHETIC: " if any(one.synthetic for one in predicted) else ""
    heading = _shown(title or (first.conversation.name if len(predicted) == 1 else f"{len(predicted)} conversations"))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{policy_element(script)}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{synthetic}{heading}</title>\n<style>\n{palette_css(':root')}{_file('page.css')}"
        f"{conversation_style()}</style>\n</head>\n<body>\n<main>\n"
        f"{conversation_fragment(first) if len(predicted) == 1 else _several(predicted)}\n"
        f"</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _several(predicted: Sequence[PredictedConversation]) -> str:
    """The first conversation, the others in templates, which cost a browser little, and a list to choose from."""
    options = "".join(
        f"<option>{_shown(shortened(one.conversation.name, 60))} ({_shown(counts_in_words(one))})</option>"
        for one in predicted
    )
    others = "".join(f"<template>{conversation_fragment(one)}</template>" for one in predicted[1:])
    return (
        '<div class="iemomecp-several"><nav aria-label="Conversations">'
        '<button type="button" data-step="-1">Previous</button> <button type="button" data-step="1">Next</button> '
        f'<label>Conversation <select autocomplete="off">{options}</select></label></nav>'
        f'<div class="iemomecp-place">{conversation_fragment(predicted[0])}</div>{others}</div>'
    )


def pair_rows(predicted: PredictedConversation) -> list[tuple[int, int, str, str]]:
    """Packs the candidates of a conversation for the script.

    Args:
        predicted: What a model predicts for it.

    Returns:
        Per run of neighbouring causes of one target: target turn, first cause turn, two digits per pair (P(pair) in
        percent, rounded down, at most 99), and one digit per pair (the class that is decided).
    """
    last = len(predicted.class_names) - 1
    chances = predicted.pair_probabilities
    positive = chances[:, 0] if last == 1 else 1.0 - chances[:, last]
    percents = np.clip(100 * positive + 1e-9, 0, 99).astype(np.int64).tolist()
    labels = predicted.labels.tolist()
    targets, causes = predicted.targets, predicted.causes
    starts = [0, *(np.flatnonzero((np.diff(targets) != 0) | (np.diff(causes) != 1)) + 1).tolist(), len(targets)]
    return [
        (
            int(targets[start]),
            int(causes[start]),
            "".join(f"{percent:02d}" for percent in percents[start:end]),
            "".join(map(str, labels[start:end])),
        )
        for start, end in itertools.pairwise(starts)
        if end > start
    ]


def _pair_data(predicted: PredictedConversation) -> str:
    data: dict[str, Any] = {"classes": predicted.class_names, "rows": pair_rows(predicted)}
    return escape(json.dumps(data, separators=(",", ":")))


def _of_emotions(predicted: PredictedConversation) -> str:
    if predicted.emotion_probabilities is None:
        return " The model predicts no emotions: a turn counts as emotional where it is the target of a pair."
    return " The number beside an emotion is P(emotional); a turn counts as emotional from 50 %."


def _shown(text: str) -> str:
    return escape(printable(text))


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
