r"""Makes one run of several: the mean of their probabilities, with a threshold of its own.

    python scripts/ensemble.py runs/base_42 runs/base_123 runs/base_456 --output runs/base_mean
    python scripts/ensemble.py runs/base_42 runs/rpcl_42 --weights 2 1 --output runs/both
    python scripts/ensemble.py runs/tuned_1 runs/tuned_2 --average weights --output runs/soup
    python scripts/ensemble.py runs/base_* --weighted-on validation --output runs/weighted

Runs must score pairs of the same data, with the same candidates, classes and decision rule; the first difference is
named. The folder that is written is a run like any other: report, evaluate, diagnose and paired tests read it, and it
has a row of its own ("mean of 3"). Ensembles of the same system over other seeds share that row.

It holds copies of the members' models, so that predict works wherever it is moved; with --link they are hard links,
which take no room on the same disk. Data are not read. With --average weights there is one model, of the size of one
member, whose weights are the mean of theirs; it is scored on the data anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from iemomecp_dataset.command_line import REQUIRED, flags_in_errors, option, read_options
from iemomecp_dataset.options import ThresholdRule

if TYPE_CHECKING:
    from iemomecp_dataset.benchmark.runs.results import RunResults


@dataclass(frozen=True)
class EnsembleOptions:
    """Options of the command."""

    _dashes = True

    runs: tuple[Path, ...] = option(REQUIRED, "folders of finished runs, at least two", positional=True, metavar="RUN")
    output: Path = option(REQUIRED, "run folder to write", metavar="FOLDER", written=True)
    weights: tuple[float, ...] = option(
        (), "weight of each run, in their order; they are scaled to sum to 1 (default: all alike)", metavar="W"
    )
    weighted_on: Literal["validation"] | None = option(
        None, "fit the weights to the predictions on validation: those with the largest likelihood of its gold"
    )
    threshold: float | None = option(
        None, "decide by P(class 0) >= this (default: as the members do, chosen anew on validation)",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    threshold_rule: ThresholdRule | None = option(
        None, "how the threshold is chosen on validation, see docs/metrics.md (default: as the members have chosen it)"
    )
    run_name: str | None = option(None, "name of the run (default: that of the folder)", metavar="NAME")
    average: Literal["probabilities", "weights"] = option(
        "probabilities",
        "what is averaged; weights: of runs that were fine-tuned from one (--init_from), which makes one model",
    )
    data_dir: Path | None = option(
        None, "with --average weights: the corpus, on which the model is scored (default: that of the first run)"
    )
    link: bool = option(False, "hard-link the members' models instead of copying them (same file system)")


def main(arguments: Sequence[str] | None = None) -> None:
    """Averages, and prints the members' scores beside those of their mean."""
    options = read_options(EnsembleOptions, arguments, command="ensemble", description=__doc__)

    from iemomecp_dataset.benchmark.ensembles.making import EnsembleRequest, make_ensemble

    with flags_in_errors(EnsembleOptions):
        record = make_ensemble(
            EnsembleRequest(
                members=options.runs,
                output=options.output,
                weights=options.weights or None,
                weighted_on=options.weighted_on,
                threshold=options.threshold,
                threshold_rule=options.threshold_rule,
                link=options.link,
                average=options.average,
                data_dir=options.data_dir,
                run_name=options.run_name,
            )
        )
    print("\n".join(_lines(record)))
    print(f"written: {options.output}, {record.settings['ensemble']}")


def _lines(record: RunResults) -> list[str]:
    """A table of the members, their mean score, and the score of the ensemble, in percent."""
    from iemomecp_dataset.metrics.scoring import mean_and_sd

    stated: dict[str, Any] = dict(record.extra["ensemble"])
    lines = [] if not record.synthetic else ["Synthetic dialogues: scores say nothing about real conversations."]
    lines.append(f"{'run':<24} {'seed':>6} {'weight':>7}" + "".join(
        f"  {split + ' F1':>14} {'AUPRC':>6}" for split in record.metrics
    ))  # fmt: skip
    for member, weight in zip(stated["members"], stated["weights"], strict=True):
        lines.append(
            f"{member['run_name']:<24.24} {member['seed']:>6} {weight:>7.3f}" + _cells(record, member["scores"])
        )
    means = {
        split: {
            key: float(mean_and_sd([one["scores"][split][key] for one in stated["members"]])[0])
            for key in ("pair_f1", "pair_auprc")
        }
        for split in record.metrics
    }
    lines.append(f"{'mean of their scores':<24} {'':>6} {'':>7}" + _cells(record, means))
    lines.append(f"{record.settings['ensemble']:<24.24} {'':>6} {'':>7}" + _cells(record, record.metrics))
    lines += [f"note: {text}" for text in record.extra.get("remarks", ())]
    return lines


def _cells(record: RunResults, scores: Any) -> str:
    def shown(value: float | None) -> str:
        return "n/a" if value is None or value != value else f"{100 * value:.2f}"

    return "".join(
        f"  {shown(scores[split]['pair_f1']):>14} {shown(scores[split]['pair_auprc']):>6}" for split in record.metrics
    )
