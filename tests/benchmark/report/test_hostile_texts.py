"""Names, ids and texts of others on the page: nothing of them runs, is obeyed, or widens the page."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re

import pytest
from browser import Browser
from explanation_cases import write_explanation_run
from quick_report import render_quickly

from iemomecp_dataset.benchmark.report import Texts, render_report
from iemomecp_dataset.benchmark.results_table import results_table
from iemomecp_dataset.benchmark.runs.index import index_runs

HOSTILE = (
    "<script>window.hit=1</script>",
    "</script><img src=x onerror=window.hit=2>",
    "<!--<script>",
    "{{ 7*7 }}{% raw %}",
    "\u202egnirts",
    "a\u200bb\u200f\u2067",
    "$\\frac{1}{0}$ ${",
    "javascript:window.hit=3",
    '"onmouseover="window.hit=4',
    "'><svg/onload=window.hit=5>",
    "nul\0\x07\x1b[31m",
    "new\nline\r\nx\u2028y",
    "`md` **b** | [x](javascript:window.hit=6)",
    "L" * 3000,
    "&lt;b&gt;&#x3c;script&#x3e;",
    "]]><b>\\1\\g<0>",
)


@pytest.fixture(scope="module")
def hostile_runs(tmp_path_factory, write_run, make_rows, write_emotion_run):
    """Runs whose every text is hostile, and the texts of their dialogues."""
    root = tmp_path_factory.mktemp("hostile")
    rows = {}
    for seed, split in enumerate(("train", "validation", "test")):
        rows[split] = make_rows(len(HOSTILE), seed=seed, prefix=split)
        for row, name in zip(rows[split], HOSTILE, strict=True):
            row["dialogue_id"] = row["source_dialogue_id"] = f"{split}{name[:900]}"
    for number, name in enumerate(HOSTILE[:-1:2]):
        folder = root / f"run{number}"
        other = HOSTILE[2 * number + 1]
        write_run(
            folder, rows=rows, seed=number, objective=name, run_name=other, text_encoder=name, versions={name: other},
            data_statement=HOSTILE[0] + HOSTILE[1], corpus=HOSTILE[1], candidates=HOSTILE[2],
            settings={"objective": name, other: name}, extra={"warnings": [name], "remarks": [other]},
        )  # fmt: skip
        (folder / "config.yaml").write_text(json.dumps({"objective": name}), encoding="utf-8")
        damaged = root / name.replace("/", "_").replace("\0", "")[:80]
        damaged.mkdir(exist_ok=True)
        (damaged / "results.json").write_text("{", encoding="utf-8")
    write_emotion_run(root / "emotions", objective=HOSTILE[1], run_name=HOSTILE[0])
    texts = itertools.cycle(HOSTILE)
    write_explanation_run(root / "explanations", lambda _: next(texts), run_name=HOSTILE[2], objective=HOSTILE[9])
    said = itertools.cycle(HOSTILE)
    lines = {row["dialogue_id"]: [(next(said), next(said)) for _ in row["utterances"]]
             for of_split in rows.values() for row in of_split}  # fmt: skip
    return index_runs(root), Texts(of_dialogue=lines)


def test_no_text_of_others_is_markup_and_the_policy_knows_the_script_alone(hostile_runs):
    index, texts = hostile_runs
    html = render_quickly(index, texts=texts, title=HOSTILE[1])
    assert len(index.runs) == 10
    assert "<script>window.hit" not in html
    assert "<img" not in html
    assert "<svg/onload" not in html
    assert "\u202e" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in html
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_a_terminal_shows_names_and_does_not_obey_them(hostile_runs):
    index, _ = hostile_runs
    text = results_table(index.runs)
    assert not set("\x1b\0\r\u202e\u2028").intersection(text)
    rows = [line for line in text.splitlines() if line.startswith("  ") and "[!]" in line]
    assert rows
    assert max(map(len, text.splitlines())) < 4000


@pytest.mark.slow
def test_nothing_runs_and_no_text_widens_the_page(tmp_path, hostile_runs):
    index, texts = hostile_runs
    page = tmp_path / "page.html"
    page.write_text(render_report(index, texts=texts, n_resamples=0, title=HOSTILE[1]), encoding="utf-8")
    browser = Browser(tmp_path)
    try:
        for width in (420, 1000, 1400):
            browser.open(page.as_uri(), width=width)
            browser.wait_for("document.readyState === 'complete'")
            assert browser.read("document.documentElement.scrollWidth") <= width
            browser.read(_USED)
            assert browser.read("window.hit ?? 0") == 0
            assert browser.read("document.querySelectorAll('.explorer svg').length") > 2
            assert browser.errors == []
            assert browser.hosts() <= {None, ""}
            browser.read(_ADDED)
            assert not browser.read("window.added"), "the policy refuses a script that it does not know"
    finally:
        browser.close()


_USED = """
for (const button of document.querySelectorAll("[data-part=next], th button")) button.click();
for (const select of document.querySelectorAll(".explorer select")) {
  for (const [place] of [...select.options].entries()) {
    select.selectedIndex = place;
    select.dispatchEvent(new Event("change"));
  }
}
"""
_ADDED = """
document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.added = 1'>");
document.body.append(Object.assign(document.createElement("script"), { textContent: "window.added = 1" }));
"""
