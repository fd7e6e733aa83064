"""The directives ``command-help`` and ``trainer-help``: what every command prints with ``--help``."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from unittest import mock

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from iemomecp_dataset.commands import COMMANDS, call
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, EXPLANATION_TRAINERS, TRAINERS


class CommandHelp(SphinxDirective):
    """A section for every command."""

    def run(self) -> list[nodes.Node]:
        """Renders them."""
        return list(_sections(self, [(name, [name]) for name in COMMANDS], COMMANDS))


class TrainerHelp(SphinxDirective):
    """A section for every trainer of ``iemomecp train``."""

    def run(self) -> list[nodes.Node]:
        """Renders them."""
        trainers = (*TRAINERS, *EMOTION_TRAINERS, *EXPLANATION_TRAINERS)
        return list(_sections(self, [(f"train {name}", ["train", name]) for name in trainers], {}))


def help_text(arguments: Sequence[str]) -> str:
    """What ``iemomecp ARGUMENTS --help`` prints.

    Args:
        arguments: The command's name, and its trainer's.

    Returns:
        The text, 90 columns wide.
    """
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["iemomecp"]),
        mock.patch.dict(os.environ, {"COLUMNS": "92"}),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        call(arguments[0], [*arguments[1:], "--help"])
    return printed.getvalue().strip()


def _sections(
    directive: SphinxDirective, commands: Sequence[tuple[str, Sequence[str]]], lines: dict[str, str]
) -> Iterator[nodes.Node]:
    for name, arguments in commands:
        section = nodes.section(ids=[nodes.make_id(name)], names=[name])
        section += nodes.title("", "", nodes.literal(text=f"iemomecp {name}"))
        if name in lines:
            section += nodes.paragraph(text=f"{lines[name][0].upper()}{lines[name][1:]}.")
        section += nodes.literal_block(text=help_text(arguments), language="text", classes=["command-help"])
        directive.state.document.note_explicit_target(section)
        yield section


def setup(app: Sphinx) -> ExtensionMetadata:
    """Adds the directives."""
    app.add_directive("command-help", CommandHelp)
    app.add_directive("trainer-help", TrainerHelp)
    return {"parallel_read_safe": True}
