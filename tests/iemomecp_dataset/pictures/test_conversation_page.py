"""The page of conversations: everything escaped, nothing from elsewhere, arrows that meet their lines in a browser."""

from __future__ import annotations

import html as html_text
import json
import re
from typing import Any

import pytest
from html_page import Page
from opened_page import open_page
from predicted_conversations import HOSTILE, hostile, long_one, office, plain

from iemomecp_dataset.pictures import (
    conversation_fragment,
    conversation_page,
    conversation_script,
    conversation_style,
)
from iemomecp_dataset.pictures.conversation_page import pair_rows
from iemomecp_dataset.trainers.pipelines.predicted import PredictedConversation

SEVERAL = (office(), hostile(), office(n_classes=2, emotions=False, synthetic=True))


@pytest.mark.parametrize("predicted", [[office()], [hostile()], SEVERAL], ids=["office", "hostile", "several"])
def test_the_page_needs_nothing_from_anywhere_and_has_no_tag_of_the_user(predicted) -> None:
    page = Page(conversation_page(predicted))
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "img")
        assert not {"src", "href", "onerror", "onload", "onclick"} & set(attributes), (tag, attributes)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert sum(tag == "style" for tag, _ in page.tags) == 1
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", page.html)


def test_text_of_the_user_is_shown_as_it_is() -> None:
    page = Page(conversation_page([hostile()]))
    assert f"{HOSTILE} & \"quoted\" 'single' ${{1+1}} {{{{x}}}}" in page.text
    assert "李雷" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", page.html)


def test_the_fragment_has_no_ids_and_only_our_classes() -> None:
    page = Page(conversation_fragment(office()))
    for tag, attributes in page.tags:
        assert "id" not in attributes, tag
        assert all(name.startswith("iemomecp-") for name in (attributes.get("class") or "").split())
    assert len({tag for tag, _ in page.tags} & {"script", "style", "template"}) == 0
    rules = re.sub(r"/\*.*?\*/", "", conversation_style(), flags=re.S)
    selectors = re.findall(r"^\s*([^@{}\n][^{}\n]*)\{", rules, flags=re.M)
    assert len(selectors) > 40
    for selector in ",".join(selectors).split(","):
        assert selector.strip().startswith(".iemomecp-"), selector
    assert "</script" not in conversation_script()


def test_it_says_what_a_reader_has_to_know() -> None:
    one = Page(conversation_page([office(n_classes=2, synthetic=True)]))
    assert "SYNTHETIC This model learned from synthetic dialogues" in one.text
    assert "P(pair) is at least 0.285 (chosen when the model was trained)." in one.text
    assert "12 turns, 8 emotional, 13 pairs of 78 candidates; model runs/x" in one.text
    assert "<title>SYNTHETIC: office</title>" in one.html
    assert "SYNTHETIC" not in Page(conversation_page([office()])).text
    assert "it was read in windows of 50 turns" in Page(conversation_page([long_one(20)])).text
    assert "The model predicts no emotions" in Page(conversation_page([office(emotions=False)])).text


def test_dark_is_the_screen_or_what_the_page_around_says() -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in conversation_style()
    style = conversation_style(dark=".dark")
    assert "prefers-color-scheme" not in style
    assert "@media screen { .dark .iemomecp-conversation {" in style


@pytest.mark.parametrize("predicted", [office(), hostile(), long_one(30)], ids=["office", "hostile", "long"])
def test_what_the_script_reads_is_what_is_decided(predicted: PredictedConversation) -> None:
    unpacked = {
        (target, first + i): (int(percents[2 * i : 2 * i + 2]), int(labels[i]))
        for target, first, percents, labels in pair_rows(predicted)
        for i in range(len(labels))
    }
    assert len(unpacked) == len(predicted.pairs)
    for pair in predicted.pairs:
        percent, label = unpacked[pair.target_turn, pair.cause_turn]
        assert predicted.class_names[label] == pair.label
        assert percent == pytest.approx(min(99, 100 * pair.probability - 0.5), abs=0.5001)
    data = Page(conversation_fragment(predicted)).tags[0][1]["data-pairs"]
    assert json.loads(data or "")["rows"] == [list(row) for row in pair_rows(predicted)]


# Measures the arrows at two widths, presses keys, and inserts a conversation later, as another page would.
ACTIONS = """
addEventListener("load", () => {
  const told = { title: document.title };
  const measure = () => [...document.querySelectorAll(".iemomecp-gutter i")].map((piece) => {
    const turn = piece.closest(".iemomecp-turn");
    const [box, line] = [piece.getBoundingClientRect(), turn.getBoundingClientRect()];
    return [piece.classList[0].slice(9), Number(turn.dataset.turn), Number(piece.dataset.target),
            box.left, box.top - line.top, line.bottom - box.bottom, line.height, box.height];
  });
  document.body.style.width = "1200px";
  told.wide = measure();
  document.body.style.width = "380px";
  told.narrow = measure();
  told.scrolls = document.body.scrollWidth;
  const drawing = document.querySelector(".iemomecp-drawing");
  const described = () => document.querySelector(".iemomecp-described").textContent;
  const press = (key) => drawing.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  told.help = described();
  press("ArrowDown");
  told.first = described();
  press("ArrowDown");
  told.second = described();
  const marked = document.querySelectorAll(".iemomecp-as-target, .iemomecp-as-cause");
  told.marked = [...marked].map((one) => one.dataset.turn);
  press("Escape");
  told.escaped = described();
  document.querySelector('.iemomecp-cause[data-target="12"]').focus();
  told.focused = described();
  document.querySelector('[data-step="1"]').click();
  told.second_name = document.querySelector(".iemomecp-name").textContent;
  document.querySelector('[data-step="-1"]').click();
  document.querySelector('[data-step="-1"]').click();
  const turns = document.querySelectorAll(".iemomecp-turn");
  told.last = [document.querySelector(".iemomecp-name").textContent, turns.length];
  const later = document.createElement("div");
  document.body.append(later);
  later.innerHTML = document.querySelector("template").innerHTML;
  setTimeout(() => {
    told.later = later.firstChild.dataset.ready;
    iemomecp.initialise(document);
    told.all = document.querySelectorAll(".iemomecp-conversation:not([data-ready])").length;
    document.title = JSON.stringify(told);
  }, 50);
});
"""


@pytest.fixture(scope="module", name="seen")
def fixture_seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a browser shows of a page with three conversations, the last one of 200 turns."""
    page = conversation_page([office(), hostile(), long_one(200)])
    dom = open_page(tmp_path_factory.mktemp("page"), page, ACTIONS)
    return json.loads(html_text.unescape(re.findall("<title>(.*?)</title>", dom)[0]))


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_arrows_meet_their_lines_in_a_browser(seen: dict[str, Any], width: str) -> None:
    decided = {(pair.target_turn, pair.cause_turn) for pair in office().pairs if pair.decided}
    heights = {turn: height for _, turn, _, _, _, _, height, _ in seen[width]}
    assert max(heights.values()) > 1.8 * min(heights.values()), "some lines wrap"
    ends = set()
    trunks: dict[int, set[float]] = {}
    for kind, turn, target, left, above, below, height, own in seen[width]:
        if kind == "trunk":
            assert above <= 0 <= own, "it covers the line"
            assert below <= 2
        else:
            # Where the piece meets the line: at its upper edge, its lower edge, or its middle.
            at = {"down": above, "up": height - below, "branch": above}.get(kind, above + own / 2)
            assert 0 < at < height, (kind, turn, target)
            if kind == "down":
                assert below <= 2, "it goes on to the next line"
            if kind == "up":
                assert above <= 0, "it comes from the line before"
        if kind in ("trunk", "down", "up", "branch"):
            trunks.setdefault(target, set()).add(round(left, 1))
        if kind in ("down", "up", "branch", "loop") and (kind == "loop" or turn != target):
            ends.add((target, turn))
    assert ends == decided
    assert all(len(places) == 1 for places in trunks.values()), "a trunk is one vertical line"


def test_nothing_of_the_user_runs_and_nothing_is_wider_than_a_telephone(seen: dict[str, Any]) -> None:
    assert seen["title"] == "3 conversations"
    assert seen["second_name"].startswith(HOSTILE)
    assert seen["scrolls"] <= 381


def test_pairs_are_read_by_key_and_by_focus(seen: dict[str, Any]) -> None:
    assert seen["help"] == seen["escaped"]
    assert seen["help"].startswith("Point at a cell")
    assert seen["first"].startswith("Emotion of turn 3, Mira: No. He sold the house")
    assert "P(pair) about 59 %, decided: cause." in seen["first"]
    assert seen["second"].startswith("Emotion of turn 4, Jonas: What?")
    assert "cause: turn 3, Mira" in seen["second"]
    assert seen["marked"] == ["3", "4"]
    assert "Emotion of turn 12" in seen["focused"]


def test_conversations_are_chosen_and_inserted_later(seen: dict[str, Any]) -> None:
    assert seen["last"] == ["200 turns", 200]
    assert seen["later"] == "yes"
    assert seen["all"] == 0
    assert not re.search(r"class=\"[^\"]*several", conversation_page([plain("one", [("A", "b")], {})]))
