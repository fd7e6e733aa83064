"""Makes the run folder of an ensemble from the folders of its members."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from iemomecp_dataset import __version__
from iemomecp_dataset.benchmark.ensembles.members import Member, options_of, read_members
from iemomecp_dataset.benchmark.ensembles.mixing import checked_weights, fitted_weights, mixed_probabilities
from iemomecp_dataset.benchmark.ensembles.weight_averaging import check_one_start, predicted_with, write_averaged
from iemomecp_dataset.benchmark.runs.identity import system_digest, system_of
from iemomecp_dataset.benchmark.runs.results import (
    RESULTS_FILE,
    Decision,
    RunResults,
    encoder_name,
    folder_of_run,
    read_results,
    write_results,
)
from iemomecp_dataset.errors import IemomecpError, RunFolderError, UsageError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import make_folder, read_json, write_text, writing_to
from iemomecp_dataset.files.whole_folder import whole_folder
from iemomecp_dataset.metrics.evaluation.predictions import Predictions, predictions_file, write_predictions
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.signature import Signature
from iemomecp_dataset.metrics.thresholds import threshold_by_rule
from iemomecp_dataset.options import ThresholdRule
from iemomecp_dataset.trainers.provenance import code_revision, library_versions

__all__ = ["EnsembleRequest", "make_ensemble"]

_VALIDATION = "validation"

_OF_DATA = ("config_name", "data_dir", "candidates", "forward_pairs", "folds", "fold", "emotions", "modalities")
"""Options of the members that say what they were trained on; readers of the run look there for the corpus."""


@dataclass(frozen=True)
class EnsembleRequest:
    """What is to be averaged, and how.

    Attributes:
        members: Folders of the runs.
        output: The run folder to write.
        weights: Weight of each run, in the order of ``members``; ``None``: all alike.
        weighted_on: ``validation``: weights are fitted on its predictions
            (:func:`~iemomecp_dataset.benchmark.ensembles.mixing.fitted_weights`).
        threshold: Decide by P(class 0) >= this; ``None``: by the members' rule, a threshold chosen on validation anew.
        threshold_rule: How it is chosen (:func:`~iemomecp_dataset.metrics.thresholds.threshold_by_rule`); ``None``: as
            the members have chosen theirs.
        link: Hard-link the members' models instead of copying them.
        average: ``probabilities``; or ``weights``: one model with the mean of their weights, for runs that were
            fine-tuned from one (:func:`~iemomecp_dataset.benchmark.ensembles.weight_averaging.check_one_start`).
        data_dir: Of averaged weights, which are scored anew: folder of the corpus; by default that of the first run.
        run_name: Name of the run; by default that of the folder.
    """

    members: Sequence[str | Path]
    output: Path
    weights: Sequence[float] | None = None
    weighted_on: str | None = None
    threshold: float | None = None
    threshold_rule: ThresholdRule | None = None
    link: bool = False
    average: Literal["probabilities", "weights"] = "probabilities"
    data_dir: str | Path | None = None
    run_name: str | None = None


def make_ensemble(request: EnsembleRequest) -> RunResults:
    """Averages the probabilities of finished runs, and writes the mean as a run folder.

    Nothing is computed anew but the mean, its decision threshold, and its scores: data and models are not read, so
    that it takes seconds. Structural baselines are those of the first member: rules are the same for all members, as
    their pairs are, and a regression on features of a frozen encoder is that on the first member's encoder.

    The folder is whole in itself: it holds the members' models, so that ``predict`` works when their own folders are
    moved, trained again or removed.

    Args:
        request: What is to be averaged, and how.

    Returns:
        The record, as written to ``results.json``.

    Raises:
        UsageError: The runs do not belong together, as ``read_members`` says, weights do not fit, or there is nothing
            to choose a threshold on, as for out-of-fold predictions.
        RunFolderError: The folder holds something else; or a run is damaged.
        IemomecpError: A run cannot be read, or the folder cannot be written.
    """
    members = read_members(request.members)
    _check_average(request, members)
    _check_models(members)
    weights = _weights(request, members)
    rule = _threshold_rule(request, members)
    mixed = _mixed(request, members, weights)
    decision = _decision(request, members, mixed, rule)
    record = _record(request, members, weights, mixed, decision, rule)

    def check(folder: Path, files: list[str]) -> None:
        _check_replaceable(folder, files, record)

    with writing_to(request.output), whole_folder(request.output, check) as folder:
        for name, probabilities in mixed.items():
            stored = members[0].predictions[name]
            facts = replace(
                stored.facts,
                threshold=decision.threshold,
                threshold_chosen_on=decision.chosen_on,
                run_name=None,
                emotions=None,
            )
            write_predictions(predictions_file(folder, name), stored.pairs, probabilities, facts)
        record = _with_model(folder, request, members, weights, decision, record)
        _write_options(folder, request, members, weights, rule)
        write_results(folder, record)
    return read_results(request.output)


def _check_average(request: EnsembleRequest, members: Sequence[Member]) -> None:
    if request.average == "weights":
        if request.link:
            raise UsageError("--link links the models of members, and averaged weights are one model. Leave it out.")
        if request.weighted_on is not None:
            raise UsageError(
                "--weighted-on fits the mean of probabilities, and that of models' weights is another one. Leave it "
                "out, or average probabilities."
            )
        check_one_start(members)
    elif request.data_dir is not None:
        raise UsageError("--data-dir is for --average weights: the mean of probabilities reads no data. Leave it out.")


def _check_models(members: Sequence[Member]) -> None:
    """Refuses models whose files are not those that their run has written, before anything is computed of them."""
    models = [member.model for member in members]
    if any(model is None for model in models):
        return  # there will be no model, see `_with_model`
    from iemomecp_dataset.trainers.whole_model import check_model_digests

    for model in models:
        assert model is not None
        check_model_digests(model)


def _mixed(
    request: EnsembleRequest, members: Sequence[Member], weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """By split the probabilities of the ensemble."""
    if request.average == "probabilities":
        return {
            name: mixed_probabilities([one.predictions[name].probabilities for one in members], weights)
            for name in _common_names(members)
        }
    with tempfile.TemporaryDirectory() as place:
        write_averaged(Path(place) / "model", members, weights.tolist())
        return predicted_with(Path(place) / "model", members, request.data_dir)


def _weights(request: EnsembleRequest, members: Sequence[Member]) -> NDArray[np.float64]:
    """``(K,)`` in the order of the members."""
    if request.weighted_on is not None:
        if request.weights is not None:
            raise UsageError("Weights are given, or fitted on validation, not both. Leave one of the two out.")
        if request.weighted_on != _VALIDATION:
            raise UsageError(
                f"Weights are fitted on {_VALIDATION} alone, not on {request.weighted_on!r}: what is scored must not "
                "choose them."
            )
        stored = [_on_validation(member, "weights are fitted on") for member in members]
        return fitted_weights([one.probabilities for one in stored], stored[0].labels)
    if request.weights is None:
        return checked_weights([1.0] * len(members), len(members))
    given = checked_weights(request.weights, len(request.members))
    if np.count_nonzero(given) < 2:
        raise UsageError("Only one of the weights is above 0, so that nothing is averaged. Give at least two.")
    named = [folder_of_run(folder).resolve() for folder in request.members]
    of_folder = dict(zip(named, given.tolist(), strict=True))
    in_order = [of_folder[one.folder.resolve()] for one in members]
    return np.array(in_order, dtype=np.float64)


def _on_validation(member: Member, purpose: str) -> Predictions:
    if _VALIDATION not in member.predictions:
        raise UsageError(
            f"{member.folder} has no predictions on validation, which {purpose}. Give runs of a corpus that has it"
            + (", or --threshold." if "threshold" in purpose else ".")
        )
    return member.predictions[_VALIDATION]


def _common_names(members: Sequence[Member]) -> list[str]:
    """Names of what all members have predicted: the scored splits, and the test split without evidence."""
    return [name for name in members[0].predictions if all(name in one.predictions for one in members)]


def _threshold_rule(request: EnsembleRequest, members: Sequence[Member]) -> ThresholdRule | None:
    """How the threshold of the mean is chosen; None where none is chosen."""
    of_members = members[0].results.threshold
    given = request.threshold_rule
    if request.threshold is None and of_members.get("chosen_on") == "folds":
        raise UsageError(
            f"{members[0].folder} is a cross-validation, in which each fold is decided by a threshold of its own; the "
            "mean has none. Average the runs of one fold, in the folder cells beside out-of-fold, or give --threshold."
        )
    if request.threshold is not None:
        why = f"--threshold {request.threshold:g} is given"
    elif of_members.get("value") is None:
        why = "the runs decide without one"
    elif of_members.get("chosen_on") == "fixed":
        why = f"that of the runs was given, {of_members['value']:g}"
    else:
        if given is not None:
            return given
        # Records of earlier versions state no rule, and had this one.
        stated = {one.folder: one.results.settings.get("threshold_rule", "best") for one in members}
        first, rule = next(iter(stated.items()))
        for folder, other in stated.items():
            if other != rule:
                raise UsageError(
                    f"{first} has chosen its threshold by the rule {shown(rule)}, {folder} by {shown(other)}. Say with "
                    "--threshold-rule how that of their mean is chosen."
                )
        return cast(ThresholdRule, rule)
    if given is not None:
        raise UsageError(f"--threshold-rule {given} chooses a threshold, but {why}. Leave it out.")
    return None


def _decision(
    request: EnsembleRequest,
    members: Sequence[Member],
    mixed: Mapping[str, NDArray[np.float64]],
    rule: ThresholdRule | None,
) -> Decision:
    """The members' decision rule; a threshold that they have chosen is chosen anew for the mean."""
    if request.threshold is not None:
        return Decision(request.threshold, "fixed")
    if rule is None:
        of_members = members[0].results.threshold
        return Decision(of_members.get("value"), of_members.get("chosen_on"))
    stored = _on_validation(members[0], "the threshold is chosen on")
    value = threshold_by_rule(
        rule,
        mixed[_VALIDATION],
        stored.labels,
        stored.pairs.source_dialogue_ids,
        missed_positives=stored.missed_positives,
    )
    return Decision(value, _VALIDATION)


def _record(
    request: EnsembleRequest,
    members: Sequence[Member],
    weights: NDArray[np.float64],
    mixed: Mapping[str, NDArray[np.float64]],
    decision: Decision,
    rule: ThresholdRule | None,
) -> RunResults:
    results = [member.results for member in members]
    first = results[0]
    metrics, signatures = {}, {}
    for split in first.metrics:
        stored = members[0].predictions[split]
        metrics[split] = pair_scores(
            mixed[split],
            stored.labels,
            first.class_names,
            threshold=decision.threshold,
            missed_positives=stored.missed_positives,
        )
        if text := (first.extra.get("signatures") or {}).get(split):
            signature = replace(
                Signature.parse(text),
                threshold=decision.threshold,
                threshold_chosen_on=decision.chosen_on or "none",
                version=__version__,
            )
            signatures[split] = str(signature)
    notes = _remarks(request, members)
    extra = {
        "signatures": signatures,
        "leaks": _joined(one.extra.get("leaks") or () for one in results),
        # The same for all, as their signatures are.
        **({"part": first.extra["part"]} if "part" in first.extra else {}),
        **({"remarks": notes} if notes else {}),
        **({"warnings": found} if (found := _joined(_named_warnings(one) for one in results)) else {}),
        "ensemble": {
            "average": request.average,
            "weights": weights.tolist(),
            "weighted_on": request.weighted_on,
            "seeds": [one.seed for one in results],
            "members": [
                {**member.to_json(), "scores": _headlines(member.results, first.metrics)} for member in members
            ],
        },
    }
    return replace(
        first,
        run_name=request.run_name or Path(request.output).resolve().name,
        scorer=_together(one.scorer for one in results),
        objective=_together(one.objective for one in results),
        modalities=first.modalities if len({one.modalities for one in results}) == 1 else _modalities(results),
        text_encoder=_together((one.text_encoder for one in results), key=encoder_name),
        encoder_mode=_together(one.encoder_mode for one in results),
        seed=min(one.seed for one in results),
        threshold={"value": decision.threshold, "chosen_on": decision.chosen_on},
        metrics=metrics,
        counts=_shared_counts(results),
        settings=_settings(request, members, weights, rule),
        features=_if_same([one.features for one in results]),
        # Whatever a member was trained on; where they took other shares of a corpus, remarks name them.
        trained_with={key: facts for one in reversed(results) for key, facts in one.trained_with.items()},
        initialized_from=_if_same([one.initialized_from for one in results]),
        effective_batch_size=first.effective_batch_size if len({r.effective_batch_size for r in results}) == 1 else 0,
        precision=_together(one.precision for one in results),
        processes=max(one.processes for one in results),
        device=_together(one.device for one in results),
        versions=library_versions(),
        git_revision=code_revision(),
        wall_seconds=float(sum(one.wall_seconds for one in results)),
        peak_memory_mb=float(max(one.peak_memory_mb for one in results)),
        best_epoch=0,
        epochs=0,
        extra=extra,
    )


def _settings(
    request: EnsembleRequest, members: Sequence[Member], weights: NDArray[np.float64], rule: ThresholdRule | None
) -> dict[str, Any]:
    """What makes the system: that of the members, and how they are averaged. Seeds are not among it."""
    systems = sorted(system_digest(member.results) for member in members)
    of_first = members[0].results.settings
    shared = {
        name: value
        for name, value in of_first.items()
        if name != "threshold_rule"
        and all(name in one.results.settings and one.results.settings[name] == value for one in members)
    }
    kind = f"{'mean' if request.average == 'probabilities' else 'mean weights'} of {len(members)}"
    if request.weighted_on is not None:
        kind += f" weighted on {request.weighted_on}"
    elif request.weights is not None:
        kind += f" weighted {' '.join(f'{weight:.3g}' for weight in weights)}"
    found = {**shared, "ensemble": kind}
    if len({tuple(sorted(system_of(one.results).items())) for one in members}) > 1:
        found["members"] = " ".join(systems)
    if rule is not None:
        found["threshold_rule"] = rule
    return found


def _remarks(request: EnsembleRequest, members: Sequence[Member]) -> list[str]:
    """What readers of the scores must know, those of the members included."""
    each = [(member.results.run_name, member.results.extra.get("remarks") or ()) for member in members]
    # What holds for some members alone is said with their names.
    found = _joined(
        [text if all(text in others for _, others in each) else f"{name}: {text}" for text in of_member]
        for name, of_member in each
    )
    begun = [system_of(member.results).get("init_from", "nothing") for member in members]
    if len(set(begun)) > 1:
        listed = ", ".join(f"{name} with {start}" for (name, _), start in zip(each, begun, strict=True))
        found.append(f"Members began with different weights: {listed}.")
    common = _common_names(members) if request.average == "probabilities" else members[0].results.metrics
    left_out = sorted({name for one in members for name in one.predictions} - set(common))
    if left_out:
        found.append(f"Predictions of members that the ensemble does not have: {', '.join(left_out)}.")
    if any(stored.emotions is not None for one in members for stored in one.predictions.values()):
        found.append(
            "The emotions that members predict for targets are not averaged: their files state no probabilities of "
            "them."
            if request.average == "probabilities"
            else "The predictions name no emotions of targets, as those of the members do: the averaged model is "
            "scored on pairs alone."
        )
    return found


def _headlines(results: RunResults, splits: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        split: {name: float(results.metrics[split][name]) for name in ("pair_f1", "pair_auprc")} for split in splits
    }


def _joined(texts: Iterator[Sequence[str]] | Any) -> list[str]:
    return list(dict.fromkeys(text for several in texts for text in several))


def _named_warnings(results: RunResults) -> list[str]:
    return [f"{results.run_name}: {text}" for text in results.extra.get("warnings") or ()]


def _together(values: Any, key: Callable[[str], str] = str) -> str:
    """The one value that all have, or all of them, each once.

    Example:
        >>> _together(["base", "base"]), _together(["rpcl", "base"])
        ('base', 'base+rpcl')
    """
    found = sorted(set(values))
    return found[0] if len(found) == 1 else "+".join(dict.fromkeys(key(value) for value in found))


def _modalities(results: Sequence[RunResults]) -> str:
    return "".join(letter for letter in "tav" if any(letter in one.modalities for one in results))


def _if_same(values: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return values[0] if all(value == values[0] for value in values) else {}


def _shared_counts(results: Sequence[RunResults]) -> dict[str, dict[str, int]]:
    """Counts of the data, which all members have; of others, such as truncated utterances, those that agree."""
    return {
        split: {
            name: count
            for name, count in of_split.items()
            if all(one.counts[split].get(name) == count for one in results)
        }
        for split, of_split in results[0].counts.items()
    }


def _check_replaceable(folder: Path, files: Sequence[str], record: RunResults) -> None:
    """Refuses a folder that holds something else than this ensemble, made before."""
    if RESULTS_FILE in files:
        try:
            found = read_results(folder)
        except IemomecpError:
            found = None
        if found is not None and "ensemble" in found.extra:
            one, other = (_identity(of.extra["ensemble"], of.settings, of.threshold) for of in (found, record))
            if one == other:
                return
            what = "of other runs" if one[0] != other[0] else "of these runs with other weights or another threshold"
            raise RunFolderError(f"{folder} holds an ensemble {what}. Choose another --output, or remove it.")
    raise RunFolderError(f"{folder} is not empty and holds no ensemble. Choose another --output.")


def _identity(ensemble: Mapping[str, Any], settings: Mapping[str, Any], threshold: Mapping[str, Any]) -> list[Any]:
    """What tells an ensemble from others: its members, by the digests of what they wrote; and how they are averaged."""
    made_of = [(one.get("results"), one.get("predictions")) for one in ensemble.get("members") or ()]
    weights = [round(float(weight), 9) for weight in ensemble.get("weights") or ()]
    return [made_of, ensemble.get("average"), weights, settings.get("threshold_rule"), dict(threshold)]


# --- the model ----------------------------------------------------------------------------------------------------


def _with_model(
    folder: Path,
    request: EnsembleRequest,
    members: Sequence[Member],
    weights: NDArray[np.float64],
    decision: Decision,
    record: RunResults,
) -> RunResults:
    """Puts the members' models into the folder, and their digests into the record."""
    models = [member.model for member in members]
    lacking = [member.folder.name for member, model in zip(members, models, strict=True) if model is None]
    if lacking:
        remark = (
            f"There is no model to predict with: {', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} none."
        )
        return replace(record, extra={**record.extra, "remarks": [*record.extra.get("remarks", ()), remark]})
    from transformers import AutoConfig

    from iemomecp_dataset.trainers.ensemble.modeling import EnsembleConfig, member_folder
    from iemomecp_dataset.trainers.pairs.config import set_decision
    from iemomecp_dataset.trainers.whole_model import MODEL_DIGESTS, model_digests

    target = folder / "model"
    if request.average == "weights":
        write_averaged(target, members, weights.tolist())
        config: Any = AutoConfig.from_pretrained(target)
        set_decision(config, decision.threshold)
        config.save_pretrained(target)
        write_text(target / "README.md", _card(record, members, weights))
        return replace(record, extra={**record.extra, MODEL_DIGESTS: model_digests(target)})
    make_folder(target)
    configurations = []
    for place, model in enumerate(models):
        assert model is not None
        configurations.append(read_json(model / "config.json"))
        _put(model, target / member_folder(place), link=request.link)
    shared = {
        name: configurations[0].get(name)
        for name in ("candidates", "synthetic", "emotion_names", "emotion_input_names")
        if all(one.get(name) == configurations[0].get(name) for one in configurations)
    }
    # Where a member reads frozen text features, others must be able to say where that encoder is. The members hold
    # those that were trained.
    frozen = [one for one in configurations if one.get("text_encoder") is None and one.get("text_size")]
    encoders = {one.get("text_encoder_name") for one in frozen}
    longest = [one.get("longest_dialogue") for one in configurations]
    if all(longest):
        shared["longest_dialogue"] = min(longest)  # what all of them know
    config = EnsembleConfig(
        class_names=list(record.class_names),
        members=[member_folder(place) for place in range(len(models))],
        weights=weights.tolist(),
        text_size=max((int(one["text_size"]) for one in frozen), default=0),
        text_encoder_name=encoders.pop() if len(encoders) == 1 else None,
        **{
            name: max(int(one.get(name) or 0) for one in configurations)
            for name in ("audio_size", "video_size", "max_tokens")
        },
        **shared,
    )
    set_decision(config, decision.threshold)
    config.architectures = ["EnsembleScorer"]
    config.save_pretrained(target)
    write_text(target / "README.md", _card(record, members, weights))
    return replace(record, extra={**record.extra, MODEL_DIGESTS: model_digests(target)})


def _put(model: Path, target: Path, *, link: bool) -> None:
    """Copies a model, or makes hard links to its files."""
    if not link:
        shutil.copytree(model, target)
        return
    try:
        shutil.copytree(model, target, copy_function=os.link)
    except (shutil.Error, OSError) as error:
        raise UsageError(
            f"The files of {model} cannot be linked to {target.parent.parent.name}: --link needs both on one file "
            "system that has hard links. Leave --link out, which copies them."
        ) from error


def _card(record: RunResults, members: Sequence[Member], weights: NDArray[np.float64]) -> str:
    from iemomecp_dataset.markdown_text import markdown_text

    listed = [
        f"| {markdown_text(one.results.run_name)} | {one.results.objective} | {one.results.seed} | {weight:.4g} |"
        for one, weight in zip(members, weights, strict=True)
    ]
    synthetic = ["**Trained on SYNTHETIC dialogues that a program made.**", ""] if record.synthetic else []
    scores = [
        f"| {split} | {100 * of['pair_f1']:.2f} | "
        + ("n/a" if of["pair_auprc"] != of["pair_auprc"] else f"{100 * of['pair_auprc']:.2f}")
        + " |"
        for split, of in record.metrics.items()
    ]
    return "\n".join(
        [
            f"# {markdown_text(record.run_name)}: {record.settings['ensemble']}", "",
            *synthetic,
            "The mean of the probabilities of these runs, whose models lie beside this file."
            if record.extra["ensemble"]["average"] == "probabilities"
            else "One model with the mean of the weights of these runs.",
            "",
            "| run | objective | seed | weight |", "|---|---|---:|---:|", *listed, "",
            markdown_text(record.data_statement), "",
            "| split | Pair F1 | AUPRC |", "|---|---:|---:|", *scores, "",
            "```python",
            "from iemomecp_dataset.trainers import EmotionCausePipeline",
            "",
            'predicted = EmotionCausePipeline("path/to/this/folder")("Ana: We missed it.\\nBen: Oh no!")',
            "```",
            "",
        ]
    )  # fmt: skip


def _write_options(
    folder: Path,
    request: EnsembleRequest,
    members: Sequence[Member],
    weights: NDArray[np.float64],
    rule: ThresholdRule | None,
) -> None:
    """Writes ``config.yaml``: what was averaged, and the data of the members."""
    import yaml

    each = [options_of(member) for member in members]
    options = {name: each[0][name] for name in _OF_DATA if name in each[0]}
    if further := _joined(one.get("train_with") or () for one in each):
        options["train_with"] = further
    options |= {
        "members": [str(member.folder) for member in members],
        "average": request.average,
        "weights": weights.tolist(),
        "weighted_on": request.weighted_on,
        "threshold": request.threshold,
        "threshold_rule": rule,
    }
    write_text(folder / "config.yaml", yaml.safe_dump(options, sort_keys=False, allow_unicode=True))
