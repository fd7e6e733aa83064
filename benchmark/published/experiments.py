"""What was published for the experiments of ``benchmark/experiments``, found for a run's own settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from iemomecp_dataset.benchmark.experiments import Experiment, find_experiments
from iemomecp_dataset.benchmark.published.tables import EMOTION_SYSTEMS, published_emotion_systems, published_table
from iemomecp_dataset.trainers.cli import EMOTION_TRAINERS, options_of
from iemomecp_dataset.trainers.options import circumstances

__all__ = ["differing_options", "published_experiment", "published_experiments", "published_values"]

_IN_EVERY_TABLE = ("candidates", "forward_pairs")
_SAME_EXPERIMENT = ("config_name", "scorer", "objective", "modalities", "protocol", "ablation")
"""Options that tell the published numbers from each other, of those that an experiment has."""


def published_experiments() -> tuple[Experiment, ...]:
    """Lists the experiments that have published numbers.

    Returns:
        The experiments, sorted by name.

    Raises:
        MissingDependencyError: pyyaml is not installed.

    Example:
        >>> {e.name: e.published.gains["pair_f1"] for e in published_experiments() if e.published.gains}
        {'ecf_rpcl_tav': 2.58, 'mec4_rpcl_tav': 2.83, 'mecad_rpcl_tav': 2.59}
    """
    return tuple(experiment for experiment in find_experiments("*") if experiment.published)


def published_experiment(settings: Mapping[str, str]) -> Experiment | None:
    """Finds the experiment with published numbers that has the task, scorer, objective and so on, of a run.

    Args:
        settings: The run's options by name, as text.

    Returns:
        The experiment, or None if there is none. The run may still differ from it: :func:`differing_options`.
    """
    return next(
        (
            e
            for e in published_experiments()
            if all(str(e.options[name]) == settings.get(name) for name in _SAME_EXPERIMENT if name in e.options)
        ),
        None,
    )


def published_values(experiment: Experiment) -> dict[str, float]:
    """Looks up the published scores of an experiment in the published tables.

    Args:
        experiment: The experiment.

    Returns:
        Scores by metric key, in shares; empty if no table has any.

    Example:
        >>> from iemomecp_dataset.benchmark.experiments import find_experiment
        >>> round(published_values(find_experiment("iemomecp_3class_rwc_fusion"))["pair_f1"], 4)
        0.4089
    """
    published = experiment.published
    if published is None or not published.table:
        return {}
    emotions = published.table == EMOTION_SYSTEMS
    table = published_emotion_systems() if emotions else published_table(published.table)
    for column, value in published.row.items():
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    if emotions:
        return {key: value / 100 for key, value in row.items() if isinstance(value, float) and not math.isnan(value)}
    return {key: float(row[column]) for key, column in published.columns.items()}


def differing_options(experiment: Experiment, settings: Mapping[str, str]) -> list[str]:
    """Lists the options in which a run differs from an experiment.

    Args:
        experiment: The experiment.
        settings: The run's options by name, as text.

    Returns:
        Names of options, sorted. Text encoders are compared by name, wherever they are stored. Options that every
        table of results shows anyway, such as the candidates, are left out, and so are circumstances.
    """
    from iemomecp_dataset.benchmark.runs.results import encoder_name

    def same(name: str, value: Any) -> bool:
        mine = settings.get(name)
        if name == "text_encoder" and mine is not None:
            return encoder_name(str(value)) == encoder_name(mine)
        if isinstance(value, float | int) and not isinstance(value, bool):
            try:
                return mine is not None and float(mine) == float(value)
            except ValueError:
                return False
        return mine == str(value)

    kind, of_script = options_of(experiment.family)
    # The recipe of an emotion model is not in its experiments: the trainer sets it.
    recipe = kind.defaults_for({**of_script, **experiment.options}) if experiment.family in EMOTION_TRAINERS else {}
    wanted = {**{name: value for name, value in recipe.items() if value is not None}, **experiment.options}
    left_out = circumstances(kind) | set(_IN_EVERY_TABLE)
    return sorted(name for name, value in wanted.items() if name not in left_out and not same(name, value))
