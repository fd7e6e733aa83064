"""The triangle of pairs as SVG: what is drawn is what is decided, well-formed for any text, quick for long ones."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from predicted_conversations import HOSTILE, hostile, long_one, office, plain

from iemomecp_dataset.pictures.pair_triangle import pair_triangle, triangle_within_page
from iemomecp_dataset.pictures.palette import DARK, LIGHT
from iemomecp_dataset.trainers.pipelines.predicted import DecisionRule, PredictedConversation

SVG = "{http://www.w3.org/2000/svg}"


def cells(svg: str) -> dict[tuple[int, int], ElementTree.Element]:
    """Elements of the pairs that have one, by (target, cause)."""
    return {
        (int(found.attrib["data-target"]), int(found.attrib["data-cause"])): found
        for found in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if "data-target" in found.attrib
    }


def mark(cell: ElementTree.Element) -> str | None:
    if cell.find(f"{SVG}circle") is not None:
        return "ring"
    return "bar" if any(found.get("class") == "iemomecp-context" for found in cell) else None


CASES = {
    "three classes": office(),
    "two classes and a threshold": office(n_classes=2),
    "no emotions": office(emotions=False),
    "synthetic": office(synthetic=True),
    "hostile": hostile(),
    "long": long_one(80),
    "one turn": plain("one", [("Ana", "We missed it.")], {(1, 1): 0.8}),
    "threshold of the user": replace(office(), decision=DecisionRule("threshold", 0.9, "user")),
}


@pytest.mark.parametrize("predicted", CASES.values(), ids=CASES)
def test_marks_are_what_is_decided(predicted: PredictedConversation) -> None:
    drawn = {pair: mark(cell) for pair, cell in cells(predicted.to_svg()).items()}
    decided = {
        (pair.target_turn, pair.cause_turn): "ring" if pair.label == predicted.class_names[0] else "bar"
        for pair in predicted.pairs
        if pair.decided
    }
    assert {pair: found for pair, found in drawn.items() if found} == decided
    assert len(decided) > 0


def test_shade_and_title_state_the_probability() -> None:
    predicted = office()
    drawn = cells(predicted.to_svg())
    assert len(drawn) == len(predicted.pairs) == 78
    for pair in predicted.pairs:
        cell = drawn[pair.target_turn, pair.cause_turn]
        (shade,) = [float(found.attrib["fill-opacity"]) for found in cell if found.get("class") == "iemomecp-probable"]
        assert shade == (pytest.approx(0.85 * pair.probability, abs=6e-4) if pair.probability >= 0.02 else 0)
    title = drawn[4, 3].findtext(f"{SVG}title")
    assert title is not None
    assert "Emotion of turn 4, Jonas: What? He promised" in title
    assert "Cause: turn 3, Mira: No. He sold the house" in title
    assert title.endswith("decided: cause; P(emo_cause) 0.9100, P(emo_context) 0.0100, P(non_pair) 0.0800")


def test_cells_lie_in_the_row_of_the_target_and_the_column_of_the_cause() -> None:
    svg = office().to_svg()
    side = float(ElementTree.fromstring(svg).attrib["data-cell"])
    for (target, cause), cell in cells(svg).items():
        assert cell.attrib["transform"] == f"translate({(cause - 1) * side:g} {(target - 1) * side:g})"


def test_a_threshold_of_the_user_decides_what_is_drawn() -> None:
    predicted = office()
    drawn = cells(pair_triangle(predicted, threshold=0.6))
    assert {pair for pair, cell in drawn.items() if mark(cell) == "ring"} == {
        (pair.target_turn, pair.cause_turn) for pair in predicted.pairs if pair.probabilities["emo_cause"] >= 0.6
    }


@pytest.mark.parametrize("draw", [pair_triangle, triangle_within_page])
def test_text_of_the_user_stays_text(draw) -> None:
    svg = draw(hostile())
    root = ElementTree.fromstring(svg)  # control characters would not be XML
    assert {found.tag.removeprefix(SVG) for found in root.iter()} <= {
        *("svg", "title", "style", "rect", "text", "g", "path", "circle"),
    }
    assert not re.search(r"<script|<img|onerror=[^&]*<|href|url\(|@import", svg)
    texts = [cell.findtext(f"{SVG}title") or "" for cell in cells(svg).values()]
    assert any(HOSTILE[:30] in text for text in texts)


def test_a_drawing_of_its_own_has_name_rule_colours_and_warning() -> None:
    svg = office(synthetic=True, n_classes=2).to_svg()
    root = ElementTree.fromstring(svg)
    text = " ".join("".join(found.itertext()) for found in root.iter(f"{SVG}text"))
    assert "office" in text
    assert "P(pair) is at least 0.285" in text
    assert "SYNTHETIC: This model learned from synthetic dialogues" in text
    assert "var(" not in svg
    assert LIGHT["series-0"] in svg
    assert DARK["series-0"] in svg.split("prefers-color-scheme: dark")[1]
    assert "SYNTHETIC" not in office().to_svg()
    assert "<style" not in triangle_within_page(office()), "the page has the style"


def test_it_has_a_text_alternative() -> None:
    root = ElementTree.fromstring(office(n_classes=2).to_svg())
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"].startswith(
        "Pairs of office: 12 turns, 78 candidate pairs, 13 decided: emotion of turn 3 because of turn 3, pair; "
    )


def test_a_long_conversation_has_few_elements_and_every_decided_pair() -> None:
    predicted = long_one(120)
    svg = predicted.to_svg()
    assert len(predicted.pairs) == 14_400
    assert len(cells(svg)) <= 2500
    assert len(svg) < 1_500_000
    # Of the rest the shade remains: each level of probability is one path.
    levels = re.findall(r'<path class="iemomecp-probable" fill-opacity="([\d.]+)"', svg)
    assert len(levels) == len(set(levels)) <= 20
    assert float(ElementTree.fromstring(svg).attrib["data-cell"]) >= 6


def test_decided_pairs_are_drawn_however_probable_the_others_are() -> None:
    predicted = long_one(60)
    # Context that is likely, though less so than no pair; and a few causes with a smaller P(pair) above the threshold.
    probabilities = np.tile([0.01, 0.44, 0.55], (len(predicted.pairs), 1))
    probabilities[::500] = [0.35, 0.0, 0.65]
    predicted = replace(predicted, pair_probabilities=probabilities)
    drawn = [pair for pair, cell in cells(predicted.to_svg()).items() if mark(cell)]
    assert len(drawn) == sum(pair.decided for pair in predicted.pairs) == 8
