"""The pairs of one dialogue as a matrix in matplotlib axes: targets by causes, gold roles, and scores as shade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import InvalidDataError, MetricInputError, UsageError, require_packages
from iemomecp_dataset.excerpts import shortened
from iemomecp_dataset.pictures.axes_look import as_written, axes_or_new, axes_palette, fitted_legend, wrapped
from iemomecp_dataset.pictures.fonts import families_for
from iemomecp_dataset.pictures.pair_squares import DARKEST, draw_context_bar, draw_frame, draw_ring, draw_squares
from iemomecp_dataset.pictures.words import printable, role_in_words
from iemomecp_dataset.schema import IEMOCAP_EMOTIONS, PAIR_LABELS, ROLE_LABELS, Row

if TYPE_CHECKING:
    import datasets
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

__all__ = ["plot_pairs"]

_MOST_TURNS = 400
"""More cells than of so many turns can neither be told apart nor be drawn in a reasonable time."""

_PAD = 0.12
"""Between a plot and the border of its own figure, inches."""
_KEY_HEIGHT = 0.62
"""Height of a key of two lines, for which a figure has room, inches."""

_NARROW_KEY = 14
"""Characters of a line of a key that is wider than its place."""


def plot_pairs(
    row: Row | Mapping[str, Any],
    scores: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    features: datasets.Features | None = None,
    class_names: Sequence[str] | None = None,
    emotion_names: Sequence[str] | None = None,
    label: str | None = None,
) -> Axes:
    """Plots the pairs of a dialogue: rows are targets, columns candidate causes, the diagonal is the same utterance.

    Light squares are candidates. A ring marks a gold pair of class 0, a bar one of another role (context); a dashed
    ring is a gold pair outside the candidates. The shade of a square is the score of class 0. Rows are named by turn,
    speaker and emotion; where no installed font can write the speakers' names, letters stand for them, and the label of
    the axis says so.

    Args:
        row: A row as :func:`iemomecp_dataset.load` gives it.
        scores: What a system predicts, probabilities between 0 and 1: ``(pairs, classes)``, one row per candidate in
            the order of ``row["pairs"]``, as :func:`iemomecp_dataset.trainers.predict` returns for a dialogue;
            ``(pairs,)``, P(class 0) alone; or ``(N, N)`` for the ``N`` turns, P(class 0) by target and cause, where
            only entries of candidates count. Lists, arrays or tensors. None draws the gold alone.
        ax: Axes to draw in, of a figure made with ``layout="constrained"``, as ``plt.subplots(1, 2,
            layout="constrained")``: else matplotlib keeps no room for names of turns, title and key. By default a new
            figure's, whose size follows from the number of turns.
        features: ``dataset.features``: names the pair classes and the emotions. Without them, and without the two
            next arguments, class names follow from the labels (``pair``, or roles), and emotions are named for
            IEMO-MECP, for ``emotions="common"``, and where they are texts; else their ids stand.
        class_names: Names of the pair classes by id.
        emotion_names: Names of the emotions by id.
        label: Title; by default ``dialogue`` and its id.

    Returns:
        The axes.

    Raises:
        InvalidDataError: The row has no utterances, no candidate pairs, or a pair of turns that it has not.
        MetricInputError: The scores have another shape, are NaN for a candidate, or not between 0 and 1.
        UsageError: Names are missing for a class or an emotion, there are too many turns to draw, or ``ax`` is no axes.
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> import matplotlib; matplotlib.use("agg")
        >>> row = {"dialogue_id": "d1",
        ...        "utterances": [{"turn": 1, "speaker": "Ana", "emotion": "neutral"},
        ...                       {"turn": 2, "speaker": "Ben", "emotion": "joy"}],
        ...        "pairs": [{"target_turn": 1, "cause_turn": 1, "label": 1},
        ...                  {"target_turn": 2, "cause_turn": 1, "label": 0},
        ...                  {"target_turn": 2, "cause_turn": 2, "label": 1}]}
        >>> axes = plot_pairs(row, scores=[0.1, 0.8, 0.3])
        >>> [tick.get_text() for tick in axes.get_yticklabels()]
        ['1 Ana, neutral', '2 Ben, joy']
    """
    require_packages("matplotlib", extra="report")
    drawn = _pairs_of(row, features, class_names, emotion_names)
    shades = None if scores is None else _checked_scores(scores, drawn)
    n = len(drawn.turns)
    cell = min(0.42, max(0.16, 9.0 / n))  # inches
    longest = max(map(len, drawn.turns))
    axes = axes_or_new(ax, max(5.2, 0.9 + n * cell + 0.07 * longest), max(2.4, 1.7 + n * cell))
    draw_frame(axes, n)
    draw_squares(axes, drawn.targets, drawn.causes, label="candidates")
    if shades is not None:
        draw_squares(axes, drawn.targets, drawn.causes, "series-0", DARKEST * shades, label="scores")
    if ax is not None:
        box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
        cell = min(box.width, box.height) / n
    _draw_marks(axes, drawn, 72 * cell)
    _draw_axes(axes, drawn, 72 * cell)
    as_written(axes.set_title("\n".join(wrapped([printable(label or f"dialogue {drawn.name}")], 60))))
    if ax is None:
        _fit_figure(axes, _draw_key(axes, drawn, shades is not None, _room_beside_names(axes)), n * cell)
    else:
        _lay_out(axes)
        # The place that the names of the turns leave; without a layout, what the caller chose.
        room = axes.get_position(original=True).width * axes.figure.bbox.width
        _draw_key(axes, drawn, shades is not None, room)
    _lay_out(axes)
    return axes


def _lay_out(axes: Axes) -> None:
    """Runs the layout of the figure once more than drawing does.

    A matrix is a square within its place, and each pass trims half of what is too much there.
    """
    figure = axes.figure.figure  # the whole one, where the axes are in a part of it
    engine = None if figure is None else figure.get_layout_engine()
    if figure is not None and engine is not None:
        engine.execute(figure)


def _room_beside_names(axes: Axes) -> float:
    """Width of the figure beside the names of the turns, pixels."""
    names = axes.yaxis.get_tightbbox()
    pads = 2 * _PAD * axes.figure.dpi
    return axes.figure.bbox.width - pads - (0 if names is None else names.width)


def _fit_figure(axes: Axes, key: Any, side: float) -> None:
    """Makes the figure of one plot as large as the matrix, of some side in inches, names of turns and the key need."""
    figure: Any = axes.figure
    box, (width, height) = key.get_window_extent(), figure.get_size_inches()
    wider = max(side, box.width / figure.dpi) - _room_beside_names(axes) / figure.dpi
    higher = box.height / figure.dpi - _KEY_HEIGHT
    figure.set_size_inches(width + max(0.0, wider), height + max(0.0, higher))


@dataclass(frozen=True)
class _Pairs:
    """What is drawn of a row: turns are 1-based places, one array entry per candidate; ``outside`` are gold pairs.

    ``families`` are fonts that can write ``turns``, or None where letters stand for the speakers in them.
    """

    name: str
    turns: list[str]
    families: list[str] | None
    targets: NDArray[Any]
    causes: NDArray[Any]
    labels: NDArray[Any]
    outside: list[tuple[int, int]]
    class_names: tuple[str, ...]


def _pairs_of(
    row: Row | Mapping[str, Any],
    features: datasets.Features | None,
    class_names: Sequence[str] | None,
    emotion_names: Sequence[str] | None,
) -> _Pairs:
    import numpy as np

    if not isinstance(row, Mapping) or "utterances" not in row or "pairs" not in row:
        raise InvalidDataError(
            f'A row has utterances and pairs, as load(...)["train"][0] does; found {_kind(row)}. '
            "Give one row of a dataset, not of to_pairs() and not the dataset; of one in another format, "
            "dataset.with_format(None)[0]."
        )
    name = str(row.get("dialogue_id") or "dialogue")
    utterances, pairs = _plain(row["utterances"]), _plain(row["pairs"])
    if not utterances or not pairs:
        what = "utterances" if not utterances else "candidate pairs"
        hint = " Configurations that label no pairs (meld, iemocap, ecem) have none." if utterances else ""
        raise InvalidDataError(f"Row {name} has no {what}: there is nothing to plot.{hint}")
    if len(utterances) > _MOST_TURNS:
        raise UsageError(
            f"Row {name} has {len(utterances)} turns; a matrix of more than {_MOST_TURNS} cannot be read. Plot a part."
        )
    of_pairs, of_emotions = _names_in(features)
    places = {utterance["turn"]: place for place, utterance in enumerate(utterances, start=1)}
    outside = _plain(row.get("gold_outside_candidates"))
    for pair in (*pairs, *outside):
        for side in ("target_turn", "cause_turn"):
            if pair[side] not in places:
                raise InvalidDataError(
                    f"Row {name} has a pair with {side} {pair[side]}, but its turns are {min(places)} to {max(places)}."
                )
    labels = np.array([pair["label"] for pair in pairs])
    emotions = emotion_names or of_emotions or _inventory(row)
    speakers = [utterance.get("speaker") for utterance in utterances]
    turns = [_turn_in_words(*turn, emotions) for turn in zip(utterances, speakers, strict=True)]
    families = families_for("".join(turns))
    if families is None:
        turns = [_turn_in_words(*turn, emotions) for turn in zip(utterances, _lettered(speakers), strict=True)]
    return _Pairs(
        name=name,
        turns=turns,
        families=families,
        targets=np.array([places[pair["target_turn"]] for pair in pairs]),
        causes=np.array([places[pair["cause_turn"]] for pair in pairs]),
        labels=labels,
        outside=[(places[pair["target_turn"]], places[pair["cause_turn"]]) for pair in outside],
        class_names=_checked_classes(class_names or of_pairs, labels, name),
    )


def _plain(entries: Any) -> list[dict[str, Any]]:
    """Entries with numbers of Python, whatever the format of the dataset: NumPy's and torch's hold theirs."""
    return [
        {name: value.item() if getattr(value, "shape", None) == () else value for name, value in entry.items()}
        for entry in ([] if entries is None else entries)
    ]


def _kind(row: object) -> str:
    if not isinstance(row, Mapping):
        return type(row).__name__
    names = [str(name) for name in row]
    return f"columns {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"


def _names_in(features: datasets.Features | None) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    """Class names of pairs and of emotions in the features of a dataset."""
    from iemomecp_dataset.rows import list_item

    if features is None:
        return None, None
    try:
        return list_item(features["pairs"])["label"].names, list_item(features["utterances"])["emotion"].names
    except (AttributeError, KeyError, TypeError):
        raise UsageError(
            f"features are those of a dataset that load() gives, dataset.features; found {_kind(features)}."
        ) from None


def _inventory(row: Mapping[str, Any]) -> Sequence[str] | None:
    """Only rows of IEMO-MECP are chunks; other rows do not tell which corpus their emotion ids are of."""
    return IEMOCAP_EMOTIONS if row.get("chunk_index", -1) >= 0 else None


def _lettered(speakers: Sequence[str | None]) -> list[str | None]:
    """Letters for names, in the order in which the speakers speak; after Z, Z27 and so on."""
    order = list(dict.fromkeys(speaker for speaker in speakers if speaker))
    letters = {name: chr(65 + place) if place < 26 else f"Z{place + 1}" for place, name in enumerate(order)}
    return [letters[speaker] if speaker else None for speaker in speakers]


def _turn_in_words(utterance: Mapping[str, Any], speaker: str | None, emotions: Sequence[str] | None) -> str:
    emotion = utterance.get("emotion")
    if utterance.get("emotion_source"):
        emotion = utterance["emotion_source"]
    elif isinstance(emotion, int):
        if emotions is None:
            emotion = f"emotion {emotion}"
        elif 0 <= emotion < len(emotions):
            emotion = emotions[emotion]
        else:
            raise UsageError(
                f"Turn {utterance['turn']} has the emotion {emotion}, but there are {len(emotions)} names of emotions: "
                f"{', '.join(emotions)}."
            )
    said = ", ".join(shortened(printable(str(word)), 16) for word in (speaker, emotion) if word)
    return f"{utterance['turn']} {said}".rstrip()


def _checked_classes(names: Sequence[str] | None, labels: NDArray[Any], row: str) -> tuple[str, ...]:
    found = tuple(names) if names else ROLE_LABELS if labels.max() > 1 else PAIR_LABELS
    if labels.min() < 0 or labels.max() >= len(found):
        raise UsageError(
            f"Row {row} has pairs of class {labels.min() if labels.min() < 0 else labels.max()}, but there are "
            f"{len(found)} classes: {', '.join(found)}. Give class_names, one per class."
        )
    return found


def _checked_scores(scores: Any, drawn: _Pairs) -> NDArray[Any]:
    """P(class 0) of every candidate, ``(pairs,)``."""
    import numpy as np

    if hasattr(scores, "detach"):  # A tensor, of which NumPy reads neither gradients, other devices nor bfloat16.
        scores = scores.detach().cpu().float().numpy()
    try:
        found = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError):
        raise MetricInputError("The scores are ragged or not numbers: every row must have the same length.") from None
    n, n_pairs, n_classes = len(drawn.turns), len(drawn.labels), len(drawn.class_names)
    if found.shape in ((n_pairs, n_classes), (n_pairs, 2), (n_pairs, 3)):
        values = found[:, 0]
    elif found.shape == (n_pairs,):
        values = found
    elif found.shape == (n, n):
        values = found[drawn.targets - 1, drawn.causes - 1]
    else:
        raise MetricInputError(
            f"The scores of {drawn.name} must have shape ({n_pairs}, {n_classes}), one row for each candidate pair; "
            f"({n_pairs},), P({drawn.class_names[0]}) alone; or ({n}, {n}), target by cause; found shape {found.shape}."
        )
    wrong = ~((values >= 0) & (values <= 1 + 1e-3))  # NaN, too
    if wrong.any():
        where = int(np.flatnonzero(wrong)[0])
        raise MetricInputError(
            f"The score of the pair ({drawn.targets[where]}, {drawn.causes[where]}) of {drawn.name} is "
            f"{values[where]:g}; scores are probabilities, between 0 and 1 (are these logits? apply softmax first)."
        )
    return np.minimum(values, 1.0)


def _draw_marks(axes: Axes, drawn: _Pairs, points: float) -> None:
    """Draws the gold roles, and the diagonal; ``points`` is the side of a square."""
    n, last = len(drawn.turns), len(drawn.class_names) - 1
    axes.plot([0.5, n + 0.5], [0.5, n + 0.5], color=axes_palette(axes)["muted"], linewidth=0.7, linestyle=(0, (1, 3)),
              zorder=1.5)  # fmt: skip
    width = min(1.5, max(0.5, 0.12 * points))
    for target, cause, role in zip(drawn.targets, drawn.causes, drawn.labels, strict=True):
        if role == 0:
            draw_ring(axes, target, cause, width=width)
        elif role < last:
            draw_context_bar(axes, target, cause)
    for target, cause in drawn.outside:
        draw_ring(axes, target, cause, width=width, dashed=True)


def _draw_axes(axes: Axes, drawn: _Pairs, points: float) -> None:
    """Names the turns, in letters that fit beside each other; ``points`` is the side of a square."""
    n = len(drawn.turns)
    size = min(9.0, max(5.0, 0.8 * points))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if step * points >= 5.5 or step == 200)
    places = [place for place in range(1, n + 1) if step == 1 or place == 1 or place % step == 0]
    axes.set_yticks(places, [drawn.turns[place - 1] for place in places])
    # Numbers of turns stand beside each other, which takes more room than one below the other.
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if step * points >= 1.5 * size or step == 200)
    places = [place for place in range(1, n + 1) if step == 1 or place == 1 or place % step == 0]
    axes.set_xticks(places, [drawn.turns[place - 1].split(" ")[0] for place in places])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(labelsize=size)
    axes.set_xlabel("cause turn")
    note = "" if drawn.families else "\n(letters for speakers whose names no font here can write)"
    axes.set_ylabel(f"target turn, with its emotion{note}")
    if drawn.families:
        for text in axes.get_yticklabels():
            text.set_fontfamily(drawn.families)
    as_written(*axes.get_yticklabels())


def _draw_key(axes: Axes, drawn: _Pairs, scored: bool, room: float) -> Any:
    """Explains the marks below the matrix in a legend; ``room`` is for a line of it, pixels."""
    from matplotlib.legend_handler import HandlerPatch, HandlerTuple
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, Patch

    colors = axes_palette(axes)
    candidate = Patch(facecolor=colors["grid"], alpha=0.5, linewidth=0)
    first, *others = (role_in_words(name).replace("_", "-") for name in drawn.class_names[:-1])
    ring: dict[str, Any] = {
        "marker": "o",
        "color": colors["ink"],
        "fillstyle": "none",
        "linestyle": "none",
        "markeredgewidth": 1.5,
    }
    entries: list[tuple[Any, str]] = [(candidate, "candidate")]
    if scored:
        levels = (0.25, 0.5, 0.75, 1.0)
        scale = tuple(Patch(facecolor=colors["series-0"], alpha=DARKEST * level, linewidth=0) for level in levels)
        entries.append((scale, f"P({first}) 25, 50, 75, 100 %"))
    if (drawn.labels == 0).any():
        entries.append((Line2D([], [], **ring), f"gold {first}"))
    if ((drawn.labels > 0) & (drawn.labels < len(drawn.class_names) - 1)).any():
        entries.append((Patch(facecolor=colors["series-4"], linewidth=0), f"gold {', '.join(others)}"))
    if drawn.outside:
        dashed = Circle((0, 0), fill=False, edgecolor=colors["ink"], linestyle=(0, (1.5, 1)), linewidth=1.5)
        entries.append((dashed, "gold, no candidate"))
    entries.append((Line2D([], [], color=colors["muted"], linewidth=1, linestyle=(0, (1, 2))), "same utterance"))
    handles, words = [handle for handle, _ in entries], [text for _, text in entries]
    round_ones = HandlerPatch(patch_func=lambda width, height, **_: Circle((width / 2, height / 2), 0.55 * height))
    look: dict[str, Any] = {
        "loc": "upper left", "bbox_to_anchor": (0, -0.01), "frameon": False, "fontsize": "small", "handlelength": 2.2,
        "columnspacing": 1.2, "labelcolor": colors["ink"],
        "handler_map": {tuple: HandlerTuple(ndivide=None, pad=0.2), Circle: round_ones},
    }  # fmt: skip
    legend = fitted_legend(lambda columns: axes.legend(handles, words, ncols=columns, **look), room, 3)
    if legend.get_window_extent().width > room:
        legend = fitted_legend(lambda _: axes.legend(handles, wrapped(words, _NARROW_KEY), **look), room, 1)
    return legend
