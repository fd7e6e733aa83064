"""Names of others are words in Markdown: no HTML, no links, no lines or cells of their own."""

from __future__ import annotations

import re

import pytest

from iemomecp_dataset.markdown_text import markdown_text


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](y)",
        "`code`",
        "**b**",
        "a|b",
        "$x$",
        "a\n# b",
        "&lt;",
    ],
)
def test_no_mark_is_left_bare(text):
    written = markdown_text(text)
    assert "\n" not in written
    assert not re.search(r"(?<!\\)[`*\[\]<>|$~&]", written)
    assert re.sub(r"\\(.)", r"\1", written) == " ".join(text.split())


@pytest.mark.parametrize("name", ["base_42", "RPCL T (learning_rate=0.001)", "a-b.c/d", "Ärger"])
def test_usual_names_stay_as_they_are(name):
    assert markdown_text(name) == name


def test_what_a_reader_would_obey_is_shown():
    assert markdown_text("a\u202eb\x1b[1m") == "a\ufffdb\ufffd\\[1m"
