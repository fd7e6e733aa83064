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


def test_the_catalogue_has_the_ten_figures_of_the_paper_in_its_order():
    assert [figure.name for figure in FIGURES] == [
        "01_binary_axis_geometry", "02_context_channel", "03_binary_axis_by_family", "04_matched_contrast",
        "05_shortcut_conflict", "06_role_mapping", "07_uncertainty_enrichment", "08_remap_delta",
        "09_family_confusions", "10_role_distances",
    ]  # fmt: skip
    assert [figure.draw.__name__ for figure in FIGURES] == [
        "draw_binary_axis_geometry", "draw_context_channel", "draw_binary_axis_by_family", "draw_matched_contrast",
        "draw_shortcut_conflict", "draw_role_mapping", "draw_uncertainty_enrichment", "draw_remap_delta",
        "draw_family_confusions", "draw_role_distances",
    ]  # fmt: skip


def test_a_figure_is_drawn_from_the_table_that_it_names(tables):
    for figure in FIGURES:
        figure.render(FigureTables("one table", {figure.table: tables.get(figure.table)}))


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_families_and_roles_of_the_axis_stand_where_their_labels_say(drawn, tables):
    table = tables.get("binary_axis_and_removal_by_family_long").set_index(["family", "gold_role"])
    for axes, column in zip(drawn["03_binary_axis_by_family"].axes, ("prob_pair_mean", "delta_pair_mean"), strict=True):
        families = ticks(drawn["03_binary_axis_by_family"].axes[0].yaxis)
        assert families == ["CLIP", "RoBERTa", "RC-Fusion", "RW-Fusion", "RWC-Fusion", "WavLM"]
        for line, role in zip(markers(axes), ROLES, strict=True):
            assert line.get_color() == ROLE_COLORS[role]
            expected = [table.loc[(family, role), column] for family in families]
            assert list(line.get_xdata()) == pytest.approx(expected)
            assert list(line.get_ydata()) == list(range(len(families)))


def test_roles_of_the_channel_stand_over_their_names(drawn, tables):
    (axes,) = drawn["02_context_channel"].axes
    assert ticks(axes.xaxis) == ["cause", "context", "non-pair"]
    means = tables.get("figure_context_channel_threeclass").set_index("gold_role")["prob_emo_context_mean"]
    assert [bar.get_height() for bar in bars(axes)] == pytest.approx([means[role] for role in ROLES])


def test_contrasts_stand_at_their_family(drawn, tables):
    table = tables.get("matched_pair_contrast_by_family_appendix").set_index(["analysis", "family"])
    panels = (("binary_prob_pair", "binary_prob_pair"), ("three_prob_context", "three_prob_emo_context"))
    for axes, (analysis, column) in zip(drawn["04_matched_contrast"].axes, panels, strict=True):
        families = ticks(drawn["04_matched_contrast"].axes[0].yaxis)
        assert families == ["RoBERTa", "RC-Fusion", "RW-Fusion", "RWC-Fusion"]
        for role in ("context", "non_pair"):
            color = ROLE_COLORS["emo_context" if role == "context" else role]
            found = {line.get_ydata()[0]: line.get_xdata()[0] for line in markers(axes) if line.get_color() == color}
            expected = [table.loc[(analysis, family), f"{role}_{column}_mean"] for family in families]
            assert [found[place] for place in range(len(families))] == pytest.approx(expected)


def test_conflicts_stand_at_their_subset_and_family(drawn, tables):
    table = tables.get("shortcut_conflict_subsets_by_family_appendix").set_index(
        ["source", "family", "conflict_subset"]
    )
    subsets = ("local_non_pair", "long_distance_emo_cause", "source_nonpair_emo_context", "source_pair_not_cause")
    panels = (("binary", "prob_pair_mean"), ("three_class_context", "prob_emo_context_mean"))
    for axes, (source, column) in zip(drawn["05_shortcut_conflict"].axes, panels, strict=True):
        families = ticks(drawn["05_shortcut_conflict"].axes[0].yaxis)
        assert families == ["RoBERTa", "RC-Fusion", "RW-Fusion", "RWC-Fusion"]
        lines = {line.get_label(): line for line in markers(axes)}
        assert list(lines) == ["near non-pair", "far cause", "context, source non-pair", "not a cause, source pair"]
        for subset, line in zip(subsets, lines.values(), strict=True):
            expected = [table.loc[(source, family, subset), column] for family in families]
            assert list(line.get_xdata()) == pytest.approx(expected)
            assert [round(place) for place in line.get_ydata()] == [0, 1, 2, 3]


def test_mapping_rows_and_their_shares_are_in_order(drawn, tables):
    table = tables.get("original_binary_to_final_role_transition").set_index(["original_binary_role", "split"])
    (axes,) = drawn["06_role_mapping"].axes
    places = [(o, s) for o in ("orig_pair", "orig_non_pair") for s in ("overall", "train", "valid", "test")]
    names = {"orig_pair": "pair", "orig_non_pair": "non-pair", "valid": "validation"}
    assert ticks(axes.yaxis) == [f"{names[original]}, {names.get(split, split)}" for original, split in places]
    shares = [100 * table.loc[place, role] / table.loc[place, "total"] for place in places for role in ROLES]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx(shares)
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches[:3]] == [ROLE_COLORS[role] for role in ROLES]


def test_selections_are_in_the_order_of_their_rates(drawn, tables):
    table = tables.get("rwc_fusion_uncertainty_enrichment").sort_values("emo_context_rate", ascending=False)
    (axes,) = drawn["07_uncertainty_enrichment"].axes
    assert [label.rpartition(" (")[0] for label in ticks(axes.yaxis)] == list(table["selection_label"])
    assert [bar.get_width() for bar in bars(axes)] == pytest.approx(list(100 * table["emo_context_rate"]))


def test_remaps_stand_at_their_model_and_strategy(drawn, tables):
    table = tables.get("source_binary_remap_summary").set_index(["strategy_label", "model_label"])
    (axes,) = drawn["08_remap_delta"].axes
    models = ticks(axes.yaxis)
    assert models == list(dict.fromkeys(tables.get("source_binary_remap_summary")["model_label"]))
    strategies = ["Drop context", "Context -> pair", "Context -> non-pair"]
    legend = [text.get_text() for text in drawn["08_remap_delta"].legends[0].get_texts()]
    assert legend == [name.replace("->", "\N{RIGHTWARDS ARROW}") for name in strategies]
    for line, strategy in zip(markers(axes), strategies, strict=True):
        expected = [100 * table.loc[(strategy, model), "delta_f1_vs_original_mean"] for model in models]
        assert list(line.get_xdata()) == pytest.approx(expected)
        assert [round(place) for place in line.get_ydata()] == list(range(len(models)))


def test_rows_of_confusions_are_gold_and_columns_predicted(drawn, tables):
    rates = tables.get("pair_role_confusion_by_family_long").set_index(["family", "gold", "pred"])
    figure = drawn["09_family_confusions"]
    shown = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.get_visible()}
    assert figure.get_supylabel() == "gold role"
    assert figure.axes[12].get_xlabel().startswith("predicted role")  # below the first matrix of the last line
    assert ticks(figure.axes[0].yaxis) == ["cause", "context", "non-pair"]  # the axes are shared
    for family in sorted({family for family, _, _ in rates.index}):
        axes = shown[family_name(family)]
        expected = [[100 * rates.loc[(family, g, p), "rate_within_gold_mean"] for p in ROLES] for g in ROLES]
        np.testing.assert_allclose(axes.images[0].get_array(), expected)


def test_distances_stand_over_their_bucket_in_the_order_of_roles(drawn, tables):
    table = tables.get("distance_distribution_by_split_label").astype({"distance_bucket": str})
    counts = table.groupby(["label", "distance_bucket"])["count"].sum()
    (axes,) = drawn["10_role_distances"].axes
    buckets = ["0", "1", "2", "3", "4-5", "6-10", ">10"]
    assert ticks(axes.xaxis) == buckets
    for container, role in zip(axes.containers, ROLES, strict=True):
        shares = [100 * counts.get((role, bucket), 0) / counts[role].sum() for bucket in buckets]
        assert [bar.get_height() for bar in container] == pytest.approx(shares)
        places = [round(bar.get_x() + bar.get_width() / 2) for bar in container]
        assert places == list(range(len(buckets)))
    left = [container[0].get_x() for container in axes.containers]
    assert left == sorted(left)


def test_published_figures_state_what_they_show_and_tables_of_unknown_origin_nothing(drawn, tables):
    for figure in FIGURES:
        texts = [text.get_text().replace("\n", " ") for text in drawn[figure.name].texts]
        of_data = figure.name[:2] in ("06", "10")
        start = "labels of the data, no model · " if of_data else "as published · "
        assert [text for text in texts if text.startswith(start)] == [tables.basis[figure.table]]
        figure_of_it = drawn[figure.name]
        figure_of_it.draw_without_rendering()
        line = next(text for text in figure_of_it.texts if text.get_text().startswith(start))
        labels = [axes.xaxis.label for axes in figure_of_it.axes if axes.get_xlabel()]
        assert all(label.get_window_extent().y0 > line.get_window_extent().y1 - 1 for label in labels)
        unknown = figure.render(FigureTables("a folder", tables.tables))
        assert not [text for text in unknown.texts if " · " in text.get_text()]


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
