"""What was published for the configurations in ``benchmark/experiments``, found for rows of one's own table."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import missing_extra

__all__ = ["PublishedResult", "differing_options", "published_result", "published_results"]

_FOLDER = Path(__file__).parents[1] / "experiments"
_SAID_BY_THE_TABLE = ("candidates", "forward_pairs")
_SAME_EXPERIMENT = ("config_name", "scorer", "objective", "modalities")


@dataclass(frozen=True)
class PublishedResult:
    """The published numbers of one experiment.

    Attributes:
        experiment: Its name.
        system: What its authors call it.
        source: Paper.
        split: The split of the numbers.
        definition: Letter of the Pair F1 definition.
        statistic: What the numbers are, in words.
        values: Scores by metric key, in shares.
        gains: Differences to another experiment by metric key, in points.
        against: The name of that experiment.
        options: The trainer's options of the experiment.
    """

    experiment: str
    system: str
    source: str
    split: str
    definition: str
    statistic: str
    values: Mapping[str, float]
    gains: Mapping[str, float]
    against: str
    options: Mapping[str, Any]


@functools.cache
def published_results() -> tuple[PublishedResult, ...]:
    """Reads every experiment that has published numbers.

    Returns:
        One entry an experiment, by name.

    Raises:
        MissingDependencyError: pyyaml is not installed.

    Example:
        >>> {result.experiment: result.gains["pair_f1"] for result in published_results() if result.gains}
        {'ecf_rpcl_tav': 2.58, 'mec4_rpcl_tav': 2.83, 'mecad_rpcl_tav': 2.59}
    """
    try:
        import yaml
    except ImportError as error:
        raise missing_extra("pyyaml", "train") from error
    # The files are the package's own and many; libyaml's loader, where it is there, reads them ten times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted(_FOLDER.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if "published:" not in text:
            continue
        options = yaml.load(text, Loader=loader)
        about = options.pop("experiment")
        published = about["published"]
        found.append(
            PublishedResult(
                experiment=about["name"],
                system=about["system"],
                source=about["source"],
                split=published["split"],
                definition=published["definition"],
                statistic=published["statistic"],
                values={key: float(number["value"]) for key, number in published.get("values", {}).items()},
                gains={key: float(number) for key, number in published.get("gains", {}).items()},
                against=published.get("against", ""),
                options=options,
            )
        )
    return tuple(found)


def published_result(settings: Mapping[str, str]) -> PublishedResult | None:
    """Finds what was published for the task, scorer, objective and modalities of a run.

    Args:
        settings: The run's options by name, as text.

    Returns:
        The published numbers, or None where there are none. The run may still differ from the published configuration;
        :func:`differing_options` tells in what.
    """
    wanted = tuple(settings.get(name) for name in _SAME_EXPERIMENT)
    return next(
        (r for r in published_results() if tuple(str(r.options[name]) for name in _SAME_EXPERIMENT) == wanted), None
    )


def differing_options(result: PublishedResult, settings: Mapping[str, str]) -> list[str]:
    """In what a run differs from the published configuration.

    Args:
        result: What was published.
        settings: The run's options by name, as text.

    Returns:
        Names of options, sorted. A text encoder is the same wherever it lies, if its name is. What every table says
        of itself, such as the candidates, is not among them.
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

    return sorted(
        name for name, value in result.options.items() if name not in _SAID_BY_THE_TABLE and not same(name, value)
    )
