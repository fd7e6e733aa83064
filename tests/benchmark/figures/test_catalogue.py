"""Figures are tested by what is drawn: heights, places and names of their artists, never pixels."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from iemomecp_dataset.benchmark.figures import FIGURES, FigureTables, published_tables, tables_in_folder
from iemomecp_dataset.benchmark.figures.style import ROLE_COLORS, save
from iemomecp_dataset.benchmark.published.role_systems import LIGHTWEIGHT, family_name
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError

ROLES = ("emo_cause", "emo_context", "non_pair")


@pytest.fixture(scope="module")
def tables():
    return published_tables()


@pytest.fixture(scope="module")
def drawn(tables):
    return {figure.name: figure.render(tables) for figure in FIGURES}


def bars(axes):
    return [patch for patch in axes.patches if patch.get_width() or patch.get_height()]


def markers(axes):
    return [line for line in axes.lines if line.get_marker() not in ("None", "", None)]


def test_the_catalogue_has_the_ten_figures_of_the_paper():
    assert len(FIGURES) == 10
    assert [figure.name[:2] for figure in FIGURES] == [f"{n:02d}" for n in range(1, 11)]


def test_axis_geometry_puts_each_role_at_its_mean(drawn, tables):
    table = tables.get("figure_binary_axis_role_geometry").set_index("gold_role")
    (axes,) = drawn["01_binary_axis_geometry"].axes
    places = {line.get_label(): line.get_xdata()[0] for line in markers(axes)}
    assert places == pytest.approx(table["prob_pair_mean"].to_dict())
    assert {text.get_text() for text in axes.texts} == {"cause\n1.00", "context\n0.09", "non-pair\n0.00"}


def test_context_channel_has_a_bar_a_role(drawn, tables):
    table = tables.get("figure_context_channel_threeclass")
    (axes,) = drawn["02_context_channel"].axes
    assert [bar.get_height() for bar in bars(axes)] == pytest.approx(table["prob_emo_context_mean"].tolist())
    assert [to_hex(bar.get_facecolor()) for bar in bars(axes)] == [ROLE_COLORS[role] for role in table["gold_role"]]


def test_axis_by_family_has_every_family_and_both_panels(drawn, tables):
    table = tables.get("binary_axis_and_removal_by_family_long")
    left, right = drawn["03_binary_axis_by_family"].axes
    assert [label.get_text() for label in left.get_yticklabels()] == list(dict.fromkeys(table["family"]))
    for axes, column in ((left, "prob_pair_mean"), (right, "delta_pair_mean")):
        values = sorted(x for line in markers(axes) for x in line.get_xdata())
        assert values == pytest.approx(sorted(table[column]))


def test_contrast_joins_contexts_and_their_matches(drawn, tables):
    table = tables.get("matched_pair_contrast_by_family_appendix")
    left, _ = drawn["04_matched_contrast"].axes
    binary = table[table["analysis"] == "binary_prob_pair"]
    expected = [*binary["context_binary_prob_pair_mean"], *binary["non_pair_binary_prob_pair_mean"]]
    assert sorted(line.get_xdata()[0] for line in markers(left)) == pytest.approx(sorted(expected))


def test_conflicts_have_a_marker_for_each_family_and_subset(drawn, tables):
    table = tables.get("shortcut_conflict_subsets_by_family_appendix")
    left, right = drawn["05_shortcut_conflict"].axes
    panels = ((left, "binary", "prob_pair_mean"), (right, "three_class_context", "prob_emo_context_mean"))
    for axes, source, column in panels:
        values = sorted(x for line in markers(axes) for x in line.get_xdata())
        assert values == pytest.approx(sorted(table.loc[table["source"] == source, column]))
        assert len({line.get_marker() for line in markers(axes)}) == len(set(table["family"]))


def test_mapping_bars_fill_one_hundred_percent(drawn, tables):
    table = tables.get("original_binary_to_final_role_transition")
    (axes,) = drawn["06_role_mapping"].axes
    widths = pd.Series([bar.get_width() for bar in bars(axes)])
    rows = pd.Series([round(bar.get_y() + bar.get_height() / 2) for bar in bars(axes)])
    totals = widths.groupby(rows).sum()
    assert len(totals) == len(table) == 8
    assert totals.to_numpy() == pytest.approx(100)
    starts = pd.Series([bar.get_x() for bar in bars(axes)])
    assert (starts - (widths.groupby(rows).cumsum() - widths)).abs().max() < 1e-9
    overall = table.set_index(["original_binary_role", "split"]).loc[("orig_pair", "overall")]
    assert widths[0] == pytest.approx(100 * overall["emo_cause"] / 9145)


def test_enrichment_shows_rates_and_the_base_rate(drawn, tables):
    table = tables.get("rwc_fusion_uncertainty_enrichment")
    (axes,) = drawn["07_uncertainty_enrichment"].axes
    widths = [bar.get_width() for bar in bars(axes)]
    assert widths == pytest.approx(sorted(100 * table["emo_context_rate"], reverse=True))
    assert axes.lines[0].get_xdata()[0] == pytest.approx(100 * 4346 / 86075)


def test_remaps_show_every_strategy_but_the_reference(drawn, tables):
    table = tables.get("source_binary_remap_summary")
    (axes,) = drawn["08_remap_delta"].axes
    values = sorted(x for line in markers(axes) for x in line.get_xdata())
    assert values == pytest.approx(sorted(100 * table.loc[table["strategy_order"] > 0, "delta_f1_vs_original_mean"]))


def test_confusions_are_of_all_families_and_their_rows_sum_to_one_hundred(drawn, tables):
    table = tables.get("pair_role_confusion_by_family_long")
    shown = [axes for axes in drawn["09_family_confusions"].axes if axes.get_visible()]
    titles = [axes.get_title(loc="left") for axes in shown]
    assert titles[:6] == list(LIGHTWEIGHT)
    assert sorted(titles) == sorted(family_name(family) for family in set(table["family"]))
    for axes in shown:
        values = np.asarray(axes.images[0].get_array())
        assert values.sum(axis=1) == pytest.approx(100)
    first = table[(table["family"] == shown[0].get_title(loc="left")) & (table["gold"] == "emo_context")]
    rates = first.set_index("pred")["rate_within_gold_mean"]
    assert np.asarray(shown[0].images[0].get_array())[1] == pytest.approx([100 * rates[role] for role in ROLES])


def test_distances_of_a_role_sum_to_one_hundred(drawn):
    (axes,) = drawn["10_role_distances"].axes
    heights = [sum(bar.get_height() for bar in container) for container in axes.containers]
    assert heights == pytest.approx([100, 100, 100])
    labels = [text.get_text() for text in drawn["10_role_distances"].legends[0].get_texts()]
    assert labels == ["cause (8,635)", "context (4,346)", "non-pair (73,094)"]


def test_roles_differ_by_more_than_color(drawn):
    (axes,) = drawn["02_context_channel"].axes
    assert len({bar.get_hatch() for bar in bars(axes)}) == 3
    left, _ = drawn["03_binary_axis_by_family"].axes
    assert len({line.get_marker() for line in markers(left)}) == 3


def test_files_are_the_same_every_time_and_keep_their_text(tables, tmp_path):
    for folder in ("one", "two"):
        save(FIGURES[1].render(tables), tmp_path / folder, "figure")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["figure.pdf", "figure.png", "figure.svg"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    root = ET.parse(tmp_path / "one" / "figure.svg").getroot()
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"cause", "context", "non-pair", "gold role"} <= texts
    with pytest.raises(UsageError, match="found gif"):
        save(FIGURES[1].render(tables), tmp_path, "figure", ["gif"])


def test_synthetic_numbers_are_marked_on_every_figure(tables):
    synthetic = FigureTables("synthetic runs", tables.tables, synthetic=True)
    for figure in FIGURES:
        assert "SYNTHETIC DATA" in [text.get_text() for text in figure.render(synthetic).texts]
        assert "SYNTHETIC DATA" not in [text.get_text() for text in figure.render(tables).texts]


def test_one_family_is_enough(tables):
    """Tables of a user's runs are smaller than the published ones."""
    few = {name: t[t["family"] == "RoBERTa"] if "family" in t else t for name, t in tables.tables.items()}
    for figure in FIGURES:
        figure.render(FigureTables("few", few)).draw_without_rendering()


def test_missing_tables_and_columns_are_named(tmp_path):
    with pytest.raises(MissingDataError, match="holds no table"):
        tables_in_folder(tmp_path)
    pd.DataFrame({"gold_role": ["emo_cause"]}).to_csv(tmp_path / "figure_binary_axis_role_geometry.csv", index=False)
    some = tables_in_folder(tmp_path)
    with pytest.raises(InvalidDataError, match="lacks the columns prob_pair_mean, binary_axis_coordinate"):
        FIGURES[0].render(some)
    with pytest.raises(MissingDataError, match=r"figure_context_channel_threeclass\.csv is not in"):
        FIGURES[1].render(some)
