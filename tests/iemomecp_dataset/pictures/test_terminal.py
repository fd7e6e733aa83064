"""The transcript in a terminal: causes beside emotional turns, plain where it is no terminal, safe for any text."""

from __future__ import annotations

import io

import pytest
from predicted_conversations import hostile, office
from rich.console import Console

from iemomecp_dataset.pictures.terminal import print_transcript


def printed(predicted, *, width: int = 110, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_transcript(predicted, Console(file=stream, width=width, force_terminal=terminal, _environ={}))
    return stream.getvalue()


def test_causes_stand_beside_the_emotional_turn() -> None:
    lines = [" ".join(line.split()) for line in printed(office()).splitlines()]
    assert lines[0] == "office: 12 turns, 8 emotional, 9 pairs of 78 candidates; model runs/x"
    assert (
        lines[1] == "A pair counts where non_pair is not its most probable class (chosen when the model was trained)."
    )
    at = next(i for i, line in enumerate(lines) if line.startswith("4 Jonas"))
    assert lines[at].endswith("surprise 94 % turn 1, context 63 %")
    assert lines[at + 1].endswith("turn 3, cause 92 %")
    assert any(line.startswith("5 Mira") and line.endswith("sadness 56 % no cause found") for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_nothing_is_lost_in_any_width(width: int) -> None:
    text = "".join(printed(office(), width=width).split())
    assert max(map(len, printed(office(), width=width).splitlines())) <= width
    for pair in office().pairs:
        if pair.decided and pair.cause_turn != pair.target_turn:
            assert f"turn{pair.cause_turn}," in text
    assert "relieved" in text
    assert "sadness56%" in text


def test_synthetic_models_are_marked() -> None:
    assert "SYNTHETIC: This model learned from synthetic dialogues" in printed(office(synthetic=True))
    assert "SYNTHETIC" not in printed(office())


def test_no_escape_code_reaches_a_pipe_and_none_of_the_user_a_terminal() -> None:
    assert "\x1b" not in printed(hostile())
    coloured = printed(office(), terminal=True)
    assert "\x1b[" in coloured
    shown = printed(hostile(), terminal=True)
    assert "\x1b[31m\ufffd" not in shown
    assert "\x1b]0;" not in shown
    assert "\u202e" not in shown
    assert "[bold red]rich[/]" in "".join(printed(hostile(), width=400).splitlines())
