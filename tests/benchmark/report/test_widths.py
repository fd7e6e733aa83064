"""The report can be read in narrow and wide windows, with few and many systems of the names that runs get by default.

Measured in a browser, where pages are laid out: texts that a drawing cuts, small letters, columns out of sight.
"""

from __future__ import annotations

import re

import pytest
from browser import Browser
from many_systems import NUMBERS_OF_SYSTEMS, write_systems
from page_measures import measure_page
from quick_report import render_quickly

from iemomecp_dataset.benchmark.report import render_report
from iemomecp_dataset.benchmark.runs.index import index_runs

WIDTHS = (420, 1000, 1400)


@pytest.fixture
def browser(tmp_path):
    found = Browser(tmp_path)
    yield found
    found.close()


@pytest.mark.slow
@pytest.mark.parametrize("n", NUMBERS_OF_SYSTEMS)
def test_nothing_is_cut_too_small_or_out_of_sight(tmp_path, write_run, browser, n):
    write_systems(write_run, tmp_path / "runs", n, n_classes=3)
    page = tmp_path / "page.html"
    page.write_text(render_report(index_runs(tmp_path / "runs"), n_resamples=50), encoding="utf-8")
    found = {width: measure_page(browser, page.as_uri(), width) for width in WIDTHS}
    assert found == {width: [] for width in WIDTHS}


@pytest.mark.slow
def test_numbers_of_turns_stay_legible_in_long_dialogues(tmp_path, write_run, make_rows, browser):
    rows = {split: make_rows(3, seed=seed, prefix=split, n_turns=40) for seed, split in
            enumerate(("train", "validation", "test"))}  # fmt: skip
    write_run(tmp_path / "runs" / "one", rows=rows)
    page = tmp_path / "page.html"
    page.write_text(render_report(index_runs(tmp_path / "runs"), n_resamples=0), encoding="utf-8")
    assert [measure_page(browser, page.as_uri(), width) for width in WIDTHS] == [[], [], []]
    assert browser.read("document.querySelectorAll('.explorer .turn').length") > 20


def test_systems_beyond_the_matrix_are_counted_and_can_be_chosen(tmp_path, write_run):
    write_systems(write_run, tmp_path, 14, n_classes=3, n_dialogues=4)
    html = render_quickly(index_runs(tmp_path))
    assert "Shown are the best 3 of 14 systems. The explorer below has the best 12 of them." in html
    assert "Shown are the best 12 of 14 systems. Choose one above." in html
    (systems,) = re.findall(r'"systems":(\[.*?\])', html)
    assert systems.count('"#') == 12


def test_the_explorer_of_few_systems_has_all(tmp_path, write_run):
    write_systems(write_run, tmp_path, 4, n_classes=3, n_dialogues=4)
    html = render_quickly(index_runs(tmp_path))
    assert "Shown are the best 3 of 4 systems. The explorer below has all of them." in html
    assert "Choose one above" not in html


def test_numbers_of_systems_stand_in_front_of_their_names_in_the_order_of_the_table(tmp_path, write_run):
    write_systems(write_run, tmp_path, 14, n_dialogues=4)
    html = render_quickly(index_runs(tmp_path))
    table = html[html.index('<table class="sortable results"') : html.index("</table>")]
    assert re.findall(r'<span class="place">(.*?)</span>', table) == [f"#{place}" for place in range(1, 15)]


def test_it_is_said_when_not_every_two_systems_are_compared(tmp_path, write_run):
    for n, said in ((4, False), (7, True)):
        write_systems(write_run, tmp_path / str(n), n, n_dialogues=6)
        html = render_report(index_runs(tmp_path / str(n)), n_resamples=20)
        assert ("and not with all others" in html) is said
