"""The command ``app``: its options, and what it refuses before anything is loaded."""

from __future__ import annotations

import socket

import pytest

from iemomecp_dataset.__main__ import main
from iemomecp_dataset.commands.app import _models_together
from iemomecp_dataset.trainers.app import interface


@pytest.mark.parametrize(
    ("given", "together"),
    [
        (["--model", "a"], ["--model", "a"]),
        (["--model", "a", "--model", "b"], ["--model", "a", "b"]),
        (["--model=a", "--port", "1", "--model", "b"], ["--port", "1", "--model", "a", "b"]),
        (["--model", "a", "b", "--no-browser"], ["--no-browser", "--model", "a", "b"]),
        (["--model", "--no-browser"], ["--no-browser", "--model"]),
        (["--port", "1"], ["--port", "1"]),
        (["stray", "--model", "a"], ["stray", "--model", "a"]),
    ],
)
def test_models_that_are_named_one_by_one_come_together(given, together):
    assert _models_together(given) == together


def test_options_reach_the_page(monkeypatch):
    asked = []
    monkeypatch.setattr(interface, "launch", lambda models, **options: asked.append((models, options)))
    with pytest.raises(SystemExit) as ended:
        main(["app", "--model", "a", "--model", "b", "--host", "0.0.0.0", "--port", "8000", "--no-browser"])
    assert ended.value.code == 0
    assert asked == [(("a", "b"), {"host": "0.0.0.0", "port": 8000, "open_browser": False})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "The following arguments are required: --model"),
        (["--model", "x", "--port", "0"], "--port must lie within [1, 65535], but is 0."),
        (["--model", "x", "--share"], "There is no option '--share'."),
        (["--model", "no/such/folder/x"], "no/such/folder/x"),
        (
            ["--model", "x", "--model", "y", "--model", "z"],
            "The page takes one model, or two to compare, but 3 were given.",
        ),
        (["--model", "x", "--model", "x"], "The model x was given twice; give another one to compare it with."),
    ],
    ids=" ".join,
)
def test_mistakes_are_one_sentence_and_exit_code_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["app", *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


def test_a_port_in_use_is_one_sentence_and_exit_code_2(capsys):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["app", "--model", "x", "--port", str(port)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"error: Port {port} of 127.0.0.1 cannot be used (it is in use); "
        "give another --port, or none for the next free one.\n"
    )
