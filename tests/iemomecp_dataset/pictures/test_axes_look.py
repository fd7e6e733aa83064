from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import pytest
from drawn_axes import _no_windows, assert_inside, legend_texts  # noqa: F401

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.pictures.axes_look import (
    apply_look,
    axes_or_new,
    axes_palette,
    drawn_systems,
    fitted_legend,
    mark_system,
    next_style,
    system_legend,
)
from iemomecp_dataset.pictures.palette import DARK, LIGHT

pytestmark = pytest.mark.usefixtures("_no_windows")


def new_axes(width=4.0, height=3.0):
    return axes_or_new(None, width, height)


def test_axes_of_the_caller_are_taken_and_others_are_refused():
    from matplotlib import pyplot as plt

    figure, several = plt.subplots(1, 2)
    assert axes_or_new(several[1], 1, 1) is several[1]
    for wrong, name in ((figure, "Figure"), (several, "ndarray"), ("ax", "str")):
        with pytest.raises(UsageError, match=f"ax is the axes to draw in.*found {name}"):
            axes_or_new(wrong, 1, 1)


def test_without_matplotlib_the_message_has_the_pip_line():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import iemomecp_dataset\n"
        "from iemomecp_dataset.benchmark import plot_reliability\n"
        "for call in (lambda: plot_reliability([0.2, 0.7], [1, 0]),\n"
        "             lambda: iemomecp_dataset.plot_pairs({'utterances': [{'turn': 1}],\n"
        "                 'pairs': [{'target_turn': 1, 'cause_turn': 1, 'label': 0}]})):\n"
        "    try:\n"
        "        call()\n"
        "    except iemomecp_dataset.IemomecpError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stdout
    assert all(
        "'matplotlib', which is not installed. Run: pip install" in line and "[report]" in line for line in lines
    )


def test_dark_paper_has_the_dark_palette():
    from matplotlib import pyplot as plt

    assert axes_palette(new_axes()) is LIGHT
    with plt.style.context("dark_background"):
        axes = new_axes()
    assert axes_palette(axes) is DARK
    axes.set_facecolor("white")
    assert axes_palette(axes) is LIGHT
    axes.set_facecolor("none")  # then it is the figure that one sees
    assert axes_palette(axes) is DARK


def test_the_look_is_of_these_axes_alone():
    from matplotlib import pyplot as plt

    _, (ours, other) = plt.subplots(1, 2)
    apply_look(ours)
    assert not ours.spines["top"].get_visible()
    assert other.spines["top"].get_visible()
    assert other.spines["left"].get_edgecolor() == mpl.colors.to_rgba(mpl.rcParams["axes.edgecolor"])


def test_the_next_system_takes_the_next_style_and_parts_of_it_can_be_chosen():
    axes = new_axes()
    first = next_style(axes)
    axes.plot([0, 1], [0, 1])  # a line of the caller is no system
    assert next_style(axes) == first
    mark_system(axes.plot([0, 1], [1, 0])[0])
    second = next_style(axes, {"color": "black"})
    assert second["color"] == "black"
    assert second["marker"] != first["marker"]
    axes.clear()
    assert drawn_systems(axes) == []
    assert next_style(axes) == first
    with pytest.raises(UsageError, match="style holds color, marker and linestyle; found linewidth"):
        next_style(axes, {"linewidth": 3})


def test_a_long_legend_stands_beside_the_axes_and_a_figure_of_ours_grows():
    axes = new_axes()
    names = [f"a system with a name that is long, number {number}" for number in range(30)]
    for name in names:
        axes.plot([0, 1], [0, 1], label=name)
        system_legend(axes)
    assert legend_texts(axes) == names
    axes.figure.canvas.draw()
    assert axes.get_legend().get_window_extent().x0 > axes.get_window_extent().x1
    assert_inside(axes.figure, axes.get_legend())
    assert axes.get_window_extent().width > 200


def test_a_figure_of_the_caller_keeps_its_size():
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    for number in range(15):
        axes.plot([0, 1], [0, 1], label=f"system {number}")
    system_legend(axes)
    assert axes.figure.get_size_inches().tolist() == [9, 4]
    assert_inside(axes.figure, axes.get_legend())


def test_a_legend_has_as_many_columns_as_fit():
    axes = new_axes()
    handles = [axes.plot([0, 1], [0, 1], label=f"a system of some length {number}")[0] for number in range(6)]

    def make(columns):
        return axes.legend(handles=handles, ncols=columns)

    room = make(2).get_window_extent().width
    found = [fitted_legend(make, width, 3)._ncols for width in (10 * room, room + 1, room - 1, 1)]
    assert found == [3, 2, 1, 1]
