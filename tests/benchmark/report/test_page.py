from __future__ import annotations

import datetime
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import forked_python
import numpy as np
import pytest
from html_page import Page
from many_systems import write_systems
from quick_report import render_quickly, undrawn

from iemomecp_dataset.benchmark.board import leaderboard
from iemomecp_dataset.benchmark.report import Texts, render_report, write_report
from iemomecp_dataset.benchmark.runs.index import index_runs

TODAY = datetime.date(2026, 1, 2)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory, write_run):
    root = tmp_path_factory.mktemp("runs")
    for objective, quality in (("base", 1.5), ("rpcl", 3.0)):
        for seed in (42, 345):
            write_run(root / f"{objective}_{seed}", objective=objective, seed=seed, quality=quality)
    write_run(root / "roles", n_classes=3)
    (root / "killed").mkdir()
    (root / "killed" / "config.yaml").write_text("seed: 1")
    return root


def test_runs_without_scores_are_on_the_page_with_the_reason(tmp_path, write_run):
    write_run(tmp_path / "alone", splits=())
    page = Page(render_quickly(index_runs(tmp_path)))
    assert "The data has no test and no validation split, so there are no scores on it." in page.text
    assert "alone" in page.text


@pytest.fixture(scope="module")
def html(runs_dir):
    return render_report(index_runs(runs_dir), n_resamples=100, today=TODAY)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_needs_nothing_from_anywhere(page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed")
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                assert (value or "").startswith(("#", "data:")), (tag, name, value)
    assert "@import" not in page.html
    assert "url(http" not in page.html


def test_it_is_the_same_page_every_time(html, runs_dir):
    again = render_report(index_runs(runs_dir), n_resamples=100, today=TODAY)
    assert again == html


def test_every_tag_is_closed(html):
    void = {"meta", "br", "path", "use", "rect", "line", "circle", "link", "input", "hr", "img"}

    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in void:
                self.open.append(tag)

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            if tag not in void:
                assert self.open.pop() == tag

    balance = Balance()
    balance.feed(html)
    assert balance.open == []


def test_different_data_are_different_tables(page):
    results = [table for table in page.tables if table[0][-1] == "Cost of a run"]
    assert [sum("structural" not in row[0] for row in table[1:]) for table in results] == [2, 2, 1, 1]


def test_tables_hold_means_and_deviations_over_seeds(page, runs_dir):
    board = leaderboard(index_runs(runs_dir).runs)[0]
    table = next(table for table in page.tables if table[0][0] == "System")
    assert table[0][:6] == ["System", "Pair F1", "over distance only", "P", "R", "AUPRC"]
    ranked = sorted(board.rows, key=lambda row: -row.score("test", "pair_f1").mean)
    for row, shown in zip(ranked, table[1:], strict=True):
        assert shown[0].startswith(row.name)
        score = row.score("test", "pair_f1")
        assert shown[1].split()[0] == f"{100 * score.mean:.2f}"
        if row.kind == "trained":
            assert shown[1].endswith(f"±{100 * score.sd:.2f}")
    assert [row[0].split()[0] for row in table[1:]].index("distance") >= 0
    assert next(row for row in table if row[0].startswith("all non-pair"))[5] == "n/a"


def test_roles_bring_their_columns(page):
    table = [table for table in page.tables if table[0][-1] == "Cost of a run"][2]
    assert table[0][6:8] == ["macro F1", "context F1"]
    assert any(row[0].startswith("0-1 cause, 2-3 context") for row in table)


def test_undefined_scores_are_explained(page):
    assert "AUPRC of self: hard class ids have no ranking." in page.text


def test_synthetic_data_is_called_so_loudly(page):
    assert "SYNTHETIC DATA" in page.text
    assert "Made-up dialogues: the numbers show that the software works" in page.text
    assert [attributes["data-mark"] for tag, attributes in page.tags if tag == "body"] == ["SYNTHETIC DATA"]


def test_real_data_has_no_such_banner(tmp_path, write_run):
    write_run(tmp_path / "run", synthetic=False)
    assert "SYNTHETIC" not in render_report(index_runs(tmp_path), n_resamples=0)  # nor in a drawing


def test_a_page_with_both_marks_the_sections(tmp_path, write_run):
    write_run(tmp_path / "made_up")
    write_run(tmp_path / "real", synthetic=False)
    text = Page(render_quickly(index_runs(tmp_path))).text
    assert "Sections marked as synthetic" in text
    assert text.count("synthetic\n") <= 3


def test_definition_counts_and_data_are_said(page):
    assert "Pair F1, definition A" in page.text
    assert "set micro F1 over (dialogue, target, cause); the gold is every annotated pair" in page.text
    assert "Synthetic dialogues made of numbers." in page.text
    assert re.search(r"\d+ dialogues, \d+ utterances, [\d,]+ candidate pairs, \d+ gold pairs", page.text)


def test_scores_on_the_split_that_chose_the_threshold_are_marked(page):
    assert (
        "Chosen on validation itself, so that the scores are upper bounds: threshold of emotion x distance" in page.text
    )
    assert "Results on validation, upper bounds" in page.text
    assert "chosen on test" not in page.text


def test_unfinished_runs_are_named(page):
    assert "killed: results.json is not there" in " ".join(page.text.split())


def test_every_color_of_a_figure_has_a_light_and_a_dark_value(html):
    style = html[html.index("<style>") : html.index("</style>")]
    light, dark = style.split("prefers-color-scheme: dark")[:2]
    used = set(re.findall(r"var\((--[\w-]+)\)", html)) - {"--share", "--bar"}
    assert len(used) > 8
    for variable in used:
        assert f"{variable}:" in light
        assert f"{variable}:" in dark
    figures = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()


def test_figures_have_a_name_and_say_how_to_read_them(page, html):
    labels = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    # Every drawing has a second layout for narrow windows, in which letters are as large.
    assert html.count('<div class="for-narrow">') == html.count('<div class="for-wide">') == html.count("<figcaption>")
    assert sorted(labels) == sorted(2 * labels[::2])
    labels = labels[::2]
    of_both = ["Pair F1 on test", "Precision and recall on test", "Reliability on test", "Learning curves"]
    assert all(labels.count(label) == 2 for label in of_both)
    assert labels.count("Confusion of roles, test") == 1  # two classes need no such picture
    assert len(labels) == 7 + 8
    assert html.count("<figcaption>") == len(labels)


def test_no_id_is_used_for_two_things(page):
    ids = [attributes["id"] for tag, attributes in page.tags if "id" in attributes and tag == "section"]
    assert len(ids) == len(set(ids))


TEXT = "an utterance that must not be shown"


def test_texts_are_shown_only_when_given_and_shared_only_when_allowed(tmp_path, write_run):
    write_run(tmp_path / "run", license_text_shareable=False)
    index = index_runs(tmp_path)
    dialogues = {f"te{i}": [("A", TEXT), ("B", "<b>bold</b>")] * 4 for i in range(30)}
    shown = render_quickly(index, texts=Texts(dialogues))
    assert TEXT in shown
    assert "<b>bold</b>" not in shown
    assert "do not pass this page on" in shown
    assert TEXT not in render_report(index, n_resamples=0)  # nor in a drawing
    assert "not in the data that was given" in render_quickly(index, texts=Texts({}))


def test_predictions_of_other_pairs_leave_the_run_out_and_missing_ones_the_figures(tmp_path, write_run):
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2)
    write_run(tmp_path / "other", seed=3, data_seed=5)
    shutil.copy(tmp_path / "other" / "predictions_test.parquet", tmp_path / "b")
    (tmp_path / "other" / "predictions_test.parquet").unlink()
    text = " ".join(Page(render_quickly(index_runs(tmp_path))).text.split())
    assert re.search(r" b: results\.json and predictions_test\.parquet contradict each other on test: the file ", text)
    assert "The figures leave out other:" in text


def test_a_run_without_a_log_or_predictions_still_has_its_table(tmp_path, write_run):
    write_run(tmp_path / "a")
    for path in (tmp_path / "a").glob("*"):
        if path.name != "results.json":
            path.unlink()
    page = Page(render_quickly(index_runs(tmp_path)))
    assert any(row[0].startswith("Base T") for row in page.tables[0])
    assert [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"] == 2 * ["Pair F1 on test"]


def test_the_file_is_written_whole(tmp_path, runs_dir):
    output = tmp_path / "new" / "report.html"
    size = undrawn(write_report)(index_runs(runs_dir), output, n_resamples=0)
    assert output.stat().st_size == size
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]


@pytest.mark.slow
def test_headings_sort_the_table_in_a_browser(html, open_in_browser):
    script = """
      const table = document.querySelector("table.results");
      const values = () => [...table.tBodies[0].rows].map((row) => row.cells[1].dataset.sort).join(" ");
      const titles = [values()];
      for (let i = 0; i < 2; i++) {
        table.tHead.rows[0].cells[1].querySelector("button").click();
        titles.push(values());
      }
      document.title = titles.join(";");
    """
    dom = open_in_browser(html, script)
    orders = re.search("<title>(.*?)</title>", dom).group(1).split(";")
    first, second, third = ([float(value) for value in order.split()] for order in orders)
    assert len(first) == 7
    assert np.isfinite(first).all()
    assert first == sorted(first, reverse=True), "a leaderboard begins with the best"
    assert second == first[::-1]
    assert third == first
    assert 'aria-sort="descending"' in dom


@pytest.mark.slow
def test_rows_can_be_filtered_in_a_browser_and_what_is_left_out_is_counted(html, open_in_browser):
    script = """
      const table = document.querySelector("table.results");
      const [search, structural] = document.querySelectorAll(".filter input");
      const states = [];
      const look = () => states.push([
        [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[0].dataset.sort),
        document.querySelector(".filter .shown").textContent,
      ]);
      const type = (text) => { search.value = text; search.dispatchEvent(new Event("input")); look(); };
      look(); type("RPCL"); type("distance -only"); type("nobody"); type("");
      structural.click(); look(); type("distance");
      const result = document.createElement("script");
      result.type = "application/json"; result.id = "result"; result.textContent = JSON.stringify(states);
      document.body.append(result);
    """
    dom = open_in_browser(html, script)
    found = json.loads(re.search('id="result">(.*?)</script>', dom, flags=re.S).group(1))
    names, said = [state[0] for state in found], [state[1] for state in found]
    everything = names[0]
    assert names[1] == [name for name in everything if "rpcl" in name.lower()] != []
    assert names[2] == [name for name in everything if "distance" in name and "only" not in name]
    assert names[3] == []
    assert names[4] == everything
    trained = [name for name in everything if "rpcl" in name.lower() or "base" in name.lower()]
    assert names[5] == trained
    assert names[6] == []
    total = len(everything)
    assert said == ["", *(f"{len(n)} of {total} rows shown" for n in names[1:4]), "",
                    *(f"{len(n)} of {total} rows shown" for n in names[5:])]  # fmt: skip


@pytest.mark.slow
def test_the_command_writes_the_page_and_prints_the_table(runs_dir, tmp_path):
    script = Path(__file__).resolve().parents[3] / "scripts" / "report.py"
    output = tmp_path / "page.html"
    options = ["--output", str(output), "--title", "My <runs>", "--resamples", "50"]
    done = forked_python.run(script, runs_dir, *options, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "RPCL T" in done.stdout
    assert f"left out: {runs_dir / 'killed'}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(f"{output}: 5 runs, ")
    assert "My &lt;runs&gt;" in output.read_text(encoding="utf-8")


def test_differences_come_with_intervals_and_corrected_p_values(page):
    (table,) = [table for table in page.tables if table[0][0] == "Difference"][:1]
    assert table[0] == ["Difference", "metric", "points [95 % CI]", "SE over seeds (n)", "p", "p (Holm)"]
    assert table[1][0] == "RPCL \N{MINUS SIGN} Base"  # T, which both have, is said once
    assert "Names leave out what all systems share: T." in page.text
    assert re.fullmatch(r"[+−]\d+\.\d\d \[[+−]\d+\.\d\d, [+−]\d+\.\d\d\]", table[1][2])
    assert "100 resamples of the 20 source dialogues" in page.text


def test_many_differences_are_folded_and_counted(html, tmp_path, write_run):
    write_systems(write_run, tmp_path, 5, n_dialogues=6)
    many = undrawn(render_report)(index_runs(tmp_path), n_resamples=20)
    n_rows = Page(many).tables
    (table,) = [table for table in n_rows if table[0][0] == "Difference"]
    assert f"<details><summary>All {len(table) - 1} differences</summary>" in many
    assert len(table) - 1 > 12
    assert not re.search(r"All \d+ differences", html)  # few stand open


def test_names_with_commas_are_separate_items(html):
    captions = re.findall(r"Diamonds: structural baselines \(([^<]*?)\)\. Faint", html)
    for named in (caption.split("; ") for caption in captions):
        assert [item[0] for item in named] == list("abcdefghijklmnopqrstuvwxyz"[: len(named)])
    assert any(", " in item for caption in captions for item in caption.split("; "))


def test_tests_can_be_left_out(html, tmp_path, write_run):
    write_run(tmp_path / "run")
    assert "Confidence intervals and paired tests" in html
    assert "Confidence intervals and paired tests" not in render_quickly(index_runs(tmp_path))


def test_predictions_that_contradict_the_record_are_named(tmp_path, write_run):
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2)
    shutil.copy(tmp_path / "a" / "predictions_test.parquet", tmp_path / "b")
    text = " ".join(Page(render_quickly(index_runs(tmp_path))).text.split())
    assert "1 folder of runs is left out" in text
    assert re.search(
        r" b: results\.json and predictions_test\.parquet contradict each other on test: the (record|file) ", text
    )
    assert "1 run from" in text


def test_sections_of_the_same_task_on_other_data_have_other_headings(tmp_path, write_run):
    write_run(tmp_path / "a", n_dialogues=6)
    write_run(tmp_path / "b", n_dialogues=6, data_seed=1)
    text = Page(render_quickly(index_runs(tmp_path))).text
    assert "ECF · data 00test" in text
    assert "ECF · data 01test" in text


def test_roles_are_also_shown_class_by_class(page, runs_dir):
    (table,) = [table for table in page.tables if table[0][:2] == ["System", "Class"]][:1]
    run = next(run for run in index_runs(runs_dir).runs if run.folder.name == "roles")
    metrics = run.results.metrics["test"]
    shown = {(row[0], row[1]): row[2:] for row in table[1:]}
    assert {name for _, name in shown} == {"emo_cause", "emo_context", "non_pair"}
    for name in ("emo_cause", "emo_context", "non_pair"):
        scores = [f"{100 * metrics[f'{name}_{key}']:.2f}" for key in ("precision", "recall", "f1", "auprc")]
        assert shown["Base T", name] == [*scores, f"{metrics[f'{name}_support']:,}"]
    assert shown["self", "emo_cause"][3] == "n/a"


def test_published_numbers_stand_beside_real_data_on_their_own_terms_only(tmp_path, write_run, page, published_gold):
    assert "Published results on this corpus" not in page.text
    write_run(tmp_path / "other" / "ecf", synthetic=False, n_dialogues=6, extra=published_gold("ecf", n_gold=866))
    assert "Published results on this corpus" not in Page(render_quickly(index_runs(tmp_path))).text
    tmp_path = tmp_path / "same"
    write_run(tmp_path / "ecf", synthetic=False, n_dialogues=6, extra=published_gold("ecf"))
    write_run(tmp_path / "roles", synthetic=False, n_classes=3, n_dialogues=6, extra=published_gold("3class"))
    real = Page(render_quickly(index_runs(tmp_path)))
    assert "Published results on this corpus" in real.text
    tables = real.tables
    published = [table for table in tables if table[0][-1] == "Source"]
    assert [table[0][-4:] for table in published] == [["Conditions", "Candidates", "Caveats", "Source"]] * 2
    assert [len(table[0]) for table in published] == [6, 8]
    ecf = {row[0]: row[1:] for row in published[0][1:]}
    hilo = ecf["HiLo T+A+V published"]
    assert hilo[0] == "55.45"
    assert "recall is at most 95.7" in hilo[2]
    assert "how the epoch was chosen is not stated" in hilo[3]
    assert "self + previous published" not in ecf, "its emotions are gold"
    roles = {row[0]: row[1:] for row in published[1][1:]}
    assert roles["RoBERTa T published"][:3] == ["40.28 ±0.63", "48.77 ±0.48", "17.18 ±1.81"]
    assert "not released" in roles["M3HG T+A (three-class head) published"][5]
    assert not any(name.startswith("HiLo") for name in roles), "other candidates"
    assert roles["0-1 cause, 2-3 context structural"][:3] == ["47.86", "50.55", "20.43"]
    order = list(roles)
    assert order.index("RoBERTa T published") > order.index("0-1 cause, 2-3 context structural")
    # These runs are of no published configuration.
    results = [table for table in tables if table[0][-1] == "Cost of a run"]
    assert not any("published" in row[0] for table in results for row in table)


def test_published_scores_of_a_runs_own_configuration_are_marked_rows_of_its_table(tmp_path, write_run, published_gold):
    write_run(
        tmp_path / "roberta",
        synthetic=False,
        n_classes=3,
        n_dialogues=6,
        scorer="isolated",
        extra=published_gold("3class"),
    )
    page = Page(render_quickly(index_runs(tmp_path)))
    results = next(table for table in page.tables if table[0][-1] == "Cost of a run")
    (row,) = [row for row in results if row[0].startswith("RoBERTa (published)")]
    assert row[0].startswith("RoBERTa (published) published arXiv 2605.25208, mean of three seeds")
    assert row[1] == "40.28"
    assert "as their authors report them" in page.text
