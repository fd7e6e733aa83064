"""The directive ``corpus-facts``: what the package's own records state about a corpus, as tables on its page.

Licence, origin, files, counts and options are read while the site is built, so that no page repeats them by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any, get_args, get_type_hints

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from iemomecp_dataset.corpora.metadata import (
    CORPORA,
    IEMOMECP,
    CorpusMetadata,
    EmotionCounts,
    SplitCounts,
    emotions_of_config,
    pair_classes,
)
from iemomecp_dataset.options import LoadOptions, options_taken
from iemomecp_dataset.overlay.published import PUBLISHED_COUNTS, OverlayCounts

MERGED = ("3class", "source_binary", "overlay")
"""Configurations of IEMO-MECP."""


class CorpusFacts(SphinxDirective):
    """Facts, files, counts and options of the corpus that is named: ``iemomecp``, or the name of a configuration."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Renders the tables."""
        return self.parse_text_to_nodes(facts(self.arguments[0]), allow_section_headings=True)


def facts(corpus: str) -> str:
    """Writes what the package knows about a corpus.

    Args:
        corpus: ``iemomecp``, or the name of another corpus.

    Returns:
        Markdown.
    """
    if corpus == IEMOMECP:
        counts = _table(
            ("split", *_words(OverlayCounts)), [(split, *astuple(row)) for split, row in PUBLISHED_COUNTS.items()]
        )
        return "\n\n".join(["## Published counts", counts, *_options(MERGED)])
    record = CORPORA[corpus]
    parts = ["## Facts", _facts(record), "## Files", _files(record)]
    if record.published:
        what = "Each loaded split must have these; `iemomecp stats` prints yours beside them."
        rows = [(split, *astuple(row)) for split, row in record.published.items()]
        parts += ["## Published counts", what, _table(("split", *_words(SplitCounts)), rows)]
    if record.published_emotions:
        parts += ["## Utterances by emotion", _emotions(record)]
    if record.latent_causes:
        lost = ", ".join(f"{count} in {split}" for split, count in record.latent_causes.items())
        parts += [f"Causes outside the dialogue give no pair, and are counted: {lost}."]
    return "\n\n".join([*parts, *_options((corpus,))])


def _facts(record: CorpusMetadata) -> str:
    labels = [
        word
        for word, there in (
            ("emotions of utterances", record.has_emotions),
            ("emotion-cause pairs", record.has_pairs),
            ("written explanations", record.has_explanations),
        )
        if there
    ]
    rows = [
        ("configuration", f"`{record.name}`"),
        ("full name", record.title),
        ("language", record.language),
        ("labels", ", ".join(labels)),
        ("emotions, by id", _codes(emotions_of_config(record.name))),
    ]
    if record.has_pairs:
        rows.append(("pair classes, by id", _codes(pair_classes(record.name))))
    rows += [
        ("licence", record.license),
        ("how to obtain it", _sentence(record.how_to_obtain)),
        ("home", f"<{record.url}>" if record.url else "unknown"),
        ("cite", record.citation),
        ("utterance ids", f"`{record.utterance_ids}`" if record.utterance_ids else "as the files name utterances"),
    ]
    if record.origin:
        rows.append(("built on", f"`{record.origin}`: splits can share dialogues with it"))
    checked = "yes" if record.verified else "no: the reader is written from the description, without a genuine file"
    rows.append(("checked on genuine files", checked))
    return _table(("", ""), rows)


def _files(record: CorpusMetadata) -> str:
    rows = [(split, _codes(names)) for split, names in record.split_files.items()]
    return "The first of these names that is found in `data_dir` is read.\n\n" + _table(("split", "file"), rows)


def _emotions(record: CorpusMetadata) -> str:
    rows: list[tuple[Any, ...]] = []
    for split, counts in record.published_emotions.items():
        assert isinstance(counts, EmotionCounts)
        rows.append((split.replace("+", " and "), counts.dialogues, counts.utterances, *counts.by_emotion))
    return _table(("split", "dialogues", "utterances", *record.emotions), rows)


def _options(configs: Sequence[str]) -> list[str]:
    """Every option that one of the configurations takes, as ``LoadOptions`` documents it."""
    described = _attributes(LoadOptions.__doc__ or "")
    hints = get_type_hints(LoadOptions)
    defaults = {field.name: field.default for field in fields(LoadOptions)}
    rows = []
    for name in dict.fromkeys(option for config in configs for option in options_taken(config)):
        takers = [config for config in configs if name in options_taken(config)]
        only = "" if len(takers) == len(configs) else f" Of {_codes(takers)} alone."
        values = _codes(repr(one) for one in get_args(hints[name]) if isinstance(one, str))
        shown = f" Values: {values}." if values else ""
        shown += "" if defaults[name] is None else f" Default: `{defaults[name]!r}`."
        rows.append((f"`{name}`", described[name] + only + shown))
    head = "Options of `load_dataset` and `iemomecp_dataset.load`:"
    return ["## Options", head, _table(("option", "meaning"), rows)]


def _attributes(docstring: str) -> dict[str, str]:
    """Descriptions in the section ``Attributes`` of a Google-style docstring, in Markdown."""
    _, _, section = docstring.partition("Attributes:")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if start := re.match(r"^ {8}(\w+): (.*)$", line):
            name = start[1]
            found[name] = start[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return {name: _markdown(text) for name, text in found.items()}


def _markdown(text: str) -> str:
    return re.sub(r"``(.+?)``", r"`\1`", re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text))


def _words(kind: type[Any]) -> list[str]:
    return [field.name.replace("_", " ") for field in fields(kind)]


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Adds the directive."""
    app.add_directive("corpus-facts", CorpusFacts)
    return {"parallel_read_safe": True}
