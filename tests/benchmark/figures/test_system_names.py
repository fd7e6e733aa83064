"""Every text of every figure can be read, with the names that runs get by default and with many systems."""

from __future__ import annotations

import pytest
from figure_texts import texts_that_collide
from many_systems import NUMBERS_OF_SYSTEMS, write_systems

from iemomecp_dataset.benchmark.diagnostics.pair_facts import pair_facts
from iemomecp_dataset.benchmark.figures import FIGURES, published_tables
from iemomecp_dataset.benchmark.figures.from_runs import tables_of_runs
from iemomecp_dataset.benchmark.figures.style import legend_above, paper_figure
from iemomecp_dataset.benchmark.figures.system_names import wrapped
from iemomecp_dataset.benchmark.runs.index import index_runs


@pytest.fixture(scope="module")
def tables_of(tmp_path_factory, write_run, role_rows, binary_rows):
    rows = role_rows()
    facts = {split: pair_facts(of_split) for split, of_split in rows.items()}
    binary = {"corpus": "iemomecp", "config_name": "source_binary", "definition": "F"}

    def make(n):
        root = tmp_path_factory.mktemp(f"{n}_systems")
        write_systems(write_run, root / "roles", n, n_classes=3, rows=rows)
        write_systems(write_run, root / "binary", n, rows=binary_rows(rows), **binary)
        return tables_of_runs(index_runs(root).runs, facts)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("n", NUMBERS_OF_SYSTEMS)
def test_no_text_of_a_figure_is_cut_or_on_another(tables_of, n):
    tables = tables_of(n)
    found = {figure.name: texts_that_collide(figure.render(tables)) for figure in FIGURES}
    assert found == {figure.name: [] for figure in FIGURES}


def test_no_text_of_the_published_figures_is_cut_or_on_another():
    tables = published_tables()
    found = {figure.name: texts_that_collide(figure.render(tables)) for figure in FIGURES}
    assert found == {figure.name: [] for figure in FIGURES}


def texts_of(figure):
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]


def test_every_system_is_named_and_a_figure_of_one_says_why_it_is_this_one(tables_of):
    tables = tables_of(4)
    drawn = {figure.name: texts_of(figure.render(tables)) for figure in FIGURES}
    names = ["Base T dialogue trained", "RPCL T dialogue trained", "Base T isolated frozen",
             "utterance dropout T+A+V dialogue frozen"]  # fmt: skip
    for figure in ("03_binary_axis_by_family", "05_shortcut_conflict", "09_family_confusions"):
        assert set(names) <= set(drawn[figure])
    (best,) = (text for text in drawn["02_context_channel"] if text.startswith("Base T dialogue trained"))
    assert best.endswith("best Pair F1 on test of 4 three-role systems")
    assert any("best Pair F1 on test of 4 binary systems" in text for text in drawn["01_binary_axis_geometry"])


def test_a_legend_says_which_pairs_there_are_none_of(tables_of):
    assert "far cause (no such pairs)" in texts_of(FIGURES[4].render(tables_of(2)))  # dialogues of ten turns


def test_words_that_all_systems_share_are_said_below_the_figure_and_not_in_names(tables_of):
    drawn = {figure.name: texts_of(figure.render(tables_of(2))) for figure in FIGURES}
    for texts in (drawn["05_shortcut_conflict"], drawn["09_family_confusions"]):
        assert {"RPCL dialogue trained", "Base isolated frozen"} <= set(texts)
        assert any(text.endswith("all systems: T") for text in texts)


def test_a_legend_has_as_many_columns_as_fit():
    for n in (2, 12):
        with paper_figure(3.3, 2.0) as figure:
            axes = figure.subplots()
            for number in range(n):
                axes.plot([0, 1], label=f"a name of twenty {number:02d}")
            legend_above(figure, axes, columns=6)
            assert texts_that_collide(figure) == []
            assert axes.get_window_extent().height > 100


def test_a_long_word_is_wrapped_too():
    assert wrapped("one 0123456789", 8).split("\n") == ["one 0123", "456789"]
