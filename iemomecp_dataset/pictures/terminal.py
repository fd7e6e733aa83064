"""The transcript of a conversation in a terminal: causes beside each emotional turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iemomecp_dataset.pictures.words import (
    SYNTHETIC,
    counts_in_words,
    decision_in_words,
    emotion_in_words,
    notes_in_words,
    pair_in_words,
    printable,
)

if TYPE_CHECKING:
    from rich.console import Console

    from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation, PredictedPair

__all__ = ["print_transcript"]

_NARROW = 76
"""In a narrower terminal emotion and causes stand below the words."""


def print_transcript(predicted: PredictedConversation, console: Console) -> None:
    """Prints a conversation with its emotions and causes, the decision rule and the notes.

    Args:
        predicted: What a model predicts for a conversation.
        console: Where to print. Text of the user is printed as it is: neither markup nor control characters count.
    """
    from rich.text import Text

    name = Text(printable(predicted.conversation.name), style="bold")
    console.print(name.append(f": {printable(counts_in_words(predicted))}; model {printable(predicted.model)}", "none"))
    console.print(Text(printable(decision_in_words(predicted)), style="dim"))
    if predicted.emotion_probabilities is not None:
        console.print(Text("Beside an emotion stands P(emotional), beside a cause P(pair).", style="dim"))
    if predicted.synthetic:
        console.print(Text(f"SYNTHETIC: {SYNTHETIC}", style="bold yellow"))
    for note in notes_in_words(predicted):
        console.print(Text(f"note: {printable(note)}", style="yellow"))
    console.print()
    console.print(_table(predicted, narrow=console.width < _NARROW))
    console.print()


def _table(predicted: PredictedConversation, *, narrow: bool) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=not narrow, header_style="dim", pad_edge=False)
    table.add_column("turn", justify="right", style="dim", no_wrap=True)
    table.add_column("speaker", max_width=18, overflow="fold", style="cyan")
    table.add_column("words", overflow="fold", ratio=1)
    if not narrow:
        table.add_column("emotion", overflow="fold", max_width=18)
        table.add_column("because of", overflow="fold", max_width=26)
    decided: dict[int, list[PredictedPair]] = {}
    for pair in predicted.pairs:
        if pair.decided:
            decided.setdefault(pair.target_turn, []).append(pair)
    several_roles = len(predicted.class_names) > 2
    for emotion, spoken in zip(predicted.emotions, predicted.conversation.utterances, strict=True):
        pairs = decided.get(emotion.turn, [])
        felt = Text()
        if emotion.emotional or pairs:
            style = "bold magenta" if emotion.emotional else "magenta"
            felt = Text(printable(emotion_in_words(emotion)), style=style)
        causes = Text()
        for pair in pairs:
            line = Text(printable(pair_in_words(pair, with_role=several_roles)))
            line.stylize("bold blue" if pair.label == predicted.class_names[0] else "yellow")
            causes = Text("\n").join([causes, line]) if causes else line
        if not pairs and emotion.emotional:
            causes = Text("no cause found", style="dim")
        said = Text(_on_one_line(spoken.text)) if spoken.text else Text("recording without text", style="dim")
        cells = [Text(str(emotion.turn)), Text(_on_one_line(spoken.speaker))]
        if narrow:
            below = [Text("  ") + part for part in (felt, *causes.split("\n")) if part]
            table.add_row(*cells, Text("\n").join([said, *below]))
        else:
            table.add_row(*cells, said, felt, causes)
    return table


def _on_one_line(text: str) -> str:
    return " ".join(printable(text).split())
