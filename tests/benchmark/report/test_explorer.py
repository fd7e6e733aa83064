from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from quick_report import render_quickly

from iemomecp_dataset.benchmark.report import Texts, render_report
from iemomecp_dataset.benchmark.report.explorer import explorer_data, script_json
from iemomecp_dataset.benchmark.runs.index import index_runs
from iemomecp_dataset.metrics.evaluation.predictions import PredictionFacts, Predictions
from iemomecp_dataset.pair_table import PairTable

CLASSES = ("emo_cause", "emo_context", "non_pair")


def predictions(lengths: list[int], seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    pairs = [
        (f"d{number:03d}", target, cause)
        for number, n in enumerate(lengths)
        for target in range(1, n + 1)
        for cause in range(1, target + 1)
    ]
    ids, targets, causes = (np.array(column) for column in zip(*pairs, strict=True))
    return Predictions(
        pairs=PairTable(
            ids, ids, targets, causes, np.random.default_rng(99).choice(3, size=len(pairs), p=[0.1, 0.05, 0.85])
        ),
        probabilities=rng.dirichlet([0.3, 0.2, 1.0], size=len(pairs)),
        class_names=CLASSES,
        facts=PredictionFacts(split="test", threshold=0.4),
    )


def test_nothing_is_lost_in_packing():
    one, two = predictions([5, 3, 9], seed=1), predictions([5, 3, 9], seed=2)
    data = json.loads(script_json(explorer_data([("one", one), ("two", two)])))
    assert data["classes"] == list(CLASSES)
    assert data["systems"] == ["one", "two"]
    assert [(d["id"], d["turns"]) for d in data["dialogues"]] == [("d000", 5), ("d001", 3), ("d002", 9)]
    for key, column in (("targets", one.target_turns), ("causes", one.cause_turns)):
        assert [value for d in data["dialogues"] for value in d[key]] == column.tolist()
    assert [int(c) for d in data["dialogues"] for c in d["gold"]] == one.labels.tolist()
    for number, system in enumerate((one, two)):
        assert [int(c) for d in data["dialogues"] for c in d["decided"][number]] == system.decided.tolist()
        packed = "".join(d["confidence"][number] for d in data["dialogues"])
        confidences = np.array([int(packed[i : i + 2]) for i in range(0, len(packed), 2)]) / 100
        assert (np.abs(confidences - system.probabilities[:, 0]) <= 0.0101).all()


def test_dialogues_keep_the_order_of_their_pairs_even_when_mixed():
    mixed = predictions([4, 2])
    order = np.random.default_rng(0).permutation(len(mixed))
    shuffled = replace(mixed, pairs=mixed.pairs.take(order), probabilities=mixed.probabilities[order])
    data = explorer_data([("s", shuffled)])
    assert data["dialogues"][0]["id"] == shuffled.dialogue_ids[0]
    for dialogue in data["dialogues"]:
        here = shuffled.dialogue_ids == dialogue["id"]
        assert dialogue["targets"] == shuffled.target_turns[here].tolist()


def test_texts_are_there_only_when_given(tmp_path, write_run):
    write_run(tmp_path / "run", license_text_shareable=False)
    index = index_runs(tmp_path)
    lines = [("A", "</script><b>never seen"), ("B", "two")] * 4
    page = render_quickly(index, texts=Texts({f"te{i}": lines for i in range(30)}))
    assert "never seen" in page
    assert "</script><b>never" not in page
    assert '"lines":' in page
    assert '"lines":' not in render_quickly(index)


REPORT_KEYS = """
const said = [], explorer = document.querySelector(".explorer");
const read = (part) => explorer.querySelector(`[data-part="${part}"]`).textContent;
const press = (key) => explorer.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const note = () => said.push([read("id"), read("place"), read("pair"), read("count")]);
note();
for (const key of ["ArrowDown", "n", "n", "p", "p", "p", "s"]) { press(key); note(); }
document.title = JSON.stringify(said);
"""


@pytest.mark.slow
def test_the_keyboard_steps_through_dialogues_pairs_and_systems(tmp_path, write_run, open_in_browser):
    for objective, quality in (("base", 0.0), ("rpcl", 6.0)):
        write_run(tmp_path / objective, objective=objective, quality=quality, n_dialogues=5)
    dom = open_in_browser(render_quickly(index_runs(tmp_path)), REPORT_KEYS)
    said = json.loads(re.search("<title>(.*?)</title>", dom).group(1).replace("&quot;", '"'))
    assert [entry[0] for entry in said] == ["te0", "te0", "te1", "te2", "te1", "te0", "te4", "te4"]
    assert [entry[1] for entry in said[:3]] == ["1 of 5", "1 of 5", "2 of 5"]
    assert said[0][2].startswith("Target turn 1, candidate turn 1 (itself): gold ")
    assert said[1][2].startswith("Target turn 2, candidate turn 1 (1 before it): gold ")
    assert re.fullmatch(r"\d turns, \d+ gold pairs: \d+ found, \d+ missed, \d+ false alarms", said[0][3])
    assert said[6][3] != said[7][3]  # another system makes other errors
    assert dom.count('class="selected"') == 2


@pytest.mark.slow
def test_the_largest_case_opens_and_stays_small(tmp_path, write_run, open_in_browser):
    """As many dialogues and pairs as the whole corpus has."""
    write_run(tmp_path / "run", n_classes=3, n_dialogues=4)
    html = render_report(index_runs(tmp_path), n_resamples=0)
    whole = predictions([20] * 333 + [19] * 75 + [17] * 15)
    assert len(np.unique(whole.dialogue_ids)) == 423
    assert len(whole) > 86_075
    packed = script_json(explorer_data([(f"system {i}", whole) for i in range(3)]))
    start = html.index('<script type="application/json">') + len('<script type="application/json">')
    html = html[:start] + packed + html[html.index("</script>", start) :]
    assert len(html.encode()) < 25_000_000
    dom = open_in_browser(html, REPORT_KEYS)
    assert "1 of 423" in dom
