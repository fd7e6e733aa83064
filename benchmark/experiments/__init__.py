"""Published configurations as data: one protocol file per paper, one experiment per variant in it."""

from iemomecp_dataset.benchmark.experiments.protocols import (
    Experiment,
    PublishedNumbers,
    experiment_names,
    find_experiment,
    find_experiments,
)

__all__ = ["Experiment", "PublishedNumbers", "experiment_names", "find_experiment", "find_experiments"]
