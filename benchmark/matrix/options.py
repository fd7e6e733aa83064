"""Options of every command that trains a matrix of cells, and the options of trainers that it is given beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iemomecp_dataset.command_line import option
from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.jobs.options import BackendOptions

__all__ = ["CellOptions", "trainer_options"]

_ACTION = "what to do"


@dataclass(frozen=True)
class CellOptions(BackendOptions):
    """Where cells run, and whether."""

    gpus_per_cell: float = option(
        0.0, "ray: GPUs that a cell requests, such as 0.5", minimum=0, limit=1e6, group="where"
    )
    cpus_per_cell: float = option(1.0, "ray: cores that a cell requests", above=0, limit=1e6, group="where")

    dry_run: bool = option(False, "print the plan with an estimate and the commands, and end", group=_ACTION)
    retry_failed: bool = option(False, "start failed cells again", group=_ACTION)


def trainer_options(rest: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Reads options of the trainers, each with its values.

    Args:
        rest: What a command's own options leave of its command line.

    Returns:
        The values by option; one without a value is switched on, with ``--no-`` off. Of an option that takes several
        values itself, such as ``train_with``, all together are one value, as on the trainers' own command lines.

    Raises:
        UsageError: An option is given twice, or a value stands without one.

    Example:
        >>> trainer_options(["--learning_rate", "1e-4", "3e-4", "--no-distance_prior"])
        {'learning_rate': ('1e-4', '3e-4'), 'distance_prior': ('false',)}
        >>> trainer_options(["--train_with", "reccon=a", "mecad=b"])
        {'train_with': (('reccon=a', 'mecad=b'),)}
    """
    from iemomecp_dataset.trainers.emotions.options import EmotionTrainingOptions
    from iemomecp_dataset.trainers.options import TrainingOptions

    known = {**EmotionTrainingOptions().flat(), **TrainingOptions().flat()}
    values: dict[str, tuple[Any, ...]] = {}
    name = ""
    for text in rest:
        if text.startswith("--"):
            flag, equals, value = text[2:].partition("=")
            name = flag.replace("-", "_")
            off = name not in known and name.removeprefix("no_") in known
            name = name.removeprefix("no_") if off else name
            if name in values:
                raise UsageError(f"--{name} is given twice; give its values together: --{name} A B.")
            values[name] = (value,) if equals else ("false",) if off else ()
        elif name:
            values[name] = (*values[name], text)
        else:
            raise UsageError(f"Unexpected argument {text!r}. See --help.")
    return {
        name: (given,) if given and isinstance(known.get(name), tuple) else given or ("true",)
        for name, given in values.items()
    }
