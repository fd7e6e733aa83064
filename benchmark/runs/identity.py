"""What makes two runs seeds of one system, and what else a reader must know where they differ.

Every place that asks reads it here: the leaderboard, the rows of published numbers, the origin of a run that begins
with another's weights. A record states its settings itself; folders, paths and numbers per process are never compared,
but the data, features, weights and effective sizes that they stand for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from iemomecp_dataset.benchmark.runs.results import EXTERNAL, RunResults, encoder_name

__all__ = [
    "circumstances_that_differ",
    "decision_rule",
    "features_told_by",
    "origin_of",
    "seeds_of",
    "system_digest",
    "system_of",
]

_OF_RECORD = ("scorer", "objective", "modalities", "encoder_mode")
_NOT_STATED = (
    ("emotions", "corpus"),
    ("corpus_embedding", False),
    ("threshold_rule", "best"),
    ("text_context", 0),
    ("text_context_after", 0),
    ("text_block", 1),
    ("text_alone", False),
    ("r_drop_weight", 0.0),
    ("layer_decay", 1.0),
    ("emotion_category_weight", 0.0),
)
"""Options that records of earlier versions do not state, each with the value that those runs had."""


def system_of(record: RunResults) -> dict[str, str]:
    """Lists what makes a run's system, by option, as text: runs that agree in all of it are seeds of one system.

    Args:
        record: The record of a run.

    Returns:
        The options that are settings, ``batch_size`` and ``batch_tokens`` over all processes and accumulated batches;
        the precision; per modality its features; the run that it began with; the further corpora that it was trained
        with; the decision rule, and the split that the epoch was chosen on. Neither the seed nor the data are among it:
        the data decides which runs share a table.
    """
    # The decision rule says in one what --decision and --threshold say in two.
    found = {
        name: str(value)
        for name, value in record.settings.items()
        if name not in ("decision", "threshold") and (name, value) not in _NOT_STATED
    }
    for name in _OF_RECORD:
        found.setdefault(name, str(getattr(record, name)))
    if record.features.get("text", {}).get("revision") is None:
        found["text_encoder"] = encoder_name(record.text_encoder)
    if record.scorer != EXTERNAL and not record.settings:
        # An earlier version has written it: whether it differs from others is unknown, so it is averaged with none.
        found["run_name"] = record.run_name
    for modality, facts in record.features.items():
        found[f"{modality}_features"] = feature_words(facts)
    if record.initialized_from:
        found["init_from"] = _origin_words(record.initialized_from)
    if record.trained_with:
        found["train_with"] = " + ".join(_further_words(key, facts) for key, facts in record.trained_with.items())
    found["decision_rule"] = decision_rule(record)
    if record.epoch_chosen_on is not None:
        found["epoch_from"] = record.epoch_chosen_on
    return found


def seeds_of(record: RunResults) -> tuple[int, ...]:
    """Gives the seed of a run, or of an ensemble those of its members: runs of one system are told apart by them.

    Example:
        >>> from types import SimpleNamespace
        >>> [seeds_of(SimpleNamespace(seed=1, extra=extra)) for extra in ({}, {"ensemble": {"seeds": [1, 4]}})]
        [(1,), (1, 4)]
    """
    return tuple((record.extra.get("ensemble") or {}).get("seeds") or (record.seed,))


def features_told_by(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Names the facts that tell the features of one modality from others.

    Names of models and folders are not among them: vectors are told by their digest, an encoder of text by its weights,
    because its vectors depend on the device in their last bits.

    Example:
        >>> features_told_by({"model": "wavlm-base", "width": 768, "digest": "0f3a", "missing": 2})
        ('digest', 'missing', 'width')
        >>> features_told_by({"model": "roberta-base", "revision": "e2da8e2f811d"}), features_told_by({"model": "x"})
        (('revision',), ('model',))
    """
    if facts.get("digest") is not None:
        return ("digest", "missing", "width")
    return ("revision",) if facts.get("revision") is not None else ("model",)


def feature_words(facts: Mapping[str, Any]) -> str:
    """Puts the features of one modality into a few words; two texts are equal iff the features are.

    Example:
        >>> feature_words({"model": "wavlm-base", "width": 768, "digest": "0f3a", "missing": 2})
        '0f3a, 2 missing'
        >>> feature_words({"model": "roberta-base", "revision": "e2da8e2f811d1448a5b465c236feacd80ffbac7b"})
        'e2da8e2f811d'
    """
    told_by = facts.get(features_told_by(facts)[0])
    missing = f", {facts['missing']} missing" if facts.get("missing") else ""
    return str(told_by).removeprefix("folder-")[:12] + missing


def decision_rule(record: RunResults) -> str:
    """Names the decision rule; a threshold that was searched may have another value in each run.

    Example:
        >>> from types import SimpleNamespace
        >>> [decision_rule(SimpleNamespace(threshold={"value": value, "chosen_on": where}))
        ...  for value, where in ((None, None), (0.41, "validation"), (0.5, "fixed"))]
        ['argmax', 'threshold from validation', 'threshold 0.5']
    """
    value, chosen_on = record.threshold.get("value"), record.threshold.get("chosen_on")
    if value is None:
        return {"system": "system", "folds": "threshold of each fold"}.get(str(chosen_on), "argmax")
    return f"threshold {float(value):g}" if chosen_on == "fixed" else f"threshold from {chosen_on}"


def system_digest(record: RunResults) -> str:
    """Hashes :func:`system_of` and the data that the system was trained on.

    Returns:
        12 hexadecimal characters.
    """
    data = [record.config_name, record.candidates, dict(record.data_fingerprint), dict(record.text_fingerprint)]
    content = [system_of(record), *data]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def origin_of(record: RunResults) -> dict[str, Any]:
    """States the run that another began with: objective, settings and data, but neither its path nor its seed.

    Args:
        record: The record of the earlier run.

    Returns:
        ``objective, config_name, data_fingerprint, text_fingerprint, system``: the last from :func:`system_digest`.
    """
    return {
        "objective": record.objective,
        "config_name": record.config_name,
        "data_fingerprint": dict(record.data_fingerprint),
        "text_fingerprint": dict(record.text_fingerprint),
        "system": system_digest(record),
    }


def _origin_words(origin: Mapping[str, Any]) -> str:
    if "system" not in origin:
        return f"weights {origin.get('weights', 'unknown')}"
    return f"{origin.get('objective')} on {origin.get('config_name')} ({origin['system']})"


def _further_words(key: str, facts: Mapping[str, Any]) -> str:
    """Puts a further corpus into a few words; two texts are equal iff what was trained on is."""
    told_by = ("candidates", "data_fingerprint", "text_fingerprint")
    digest = hashlib.sha256(json.dumps([facts.get(name) for name in told_by]).encode()).hexdigest()[:6]
    weight = facts.get("weight", 1)
    return f"{key}{'' if weight == 1 else f' x {weight:g}'} [{digest}]"


def _code(record: RunResults) -> str:
    revision, _, dirty = (record.git_revision or "unversioned").partition("-")
    return revision[:12] + (f"-{dirty}" if dirty else "")


def circumstances_that_differ(records: Iterable[RunResults]) -> list[str]:
    """Lists the circumstances in which runs of one system differ.

    Args:
        records: Runs of one system.

    Returns:
        Phrases with the values, for code revision, libraries, number of processes and kind of device; empty where all
        agree or nothing is recorded.

    Example:
        >>> from types import SimpleNamespace
        >>> runs = [SimpleNamespace(git_revision=None, versions={"torch": v}, processes=n, device="cpu")
        ...         for v, n in (("2.12", 1), ("2.13", 2))]
        >>> circumstances_that_differ(runs)
        ['torch 2.12 and 2.13', 'processes 1 and 2']
    """
    found = list(records)
    libraries = dict.fromkeys(name for record in found for name in record.versions)
    values: dict[str, list[Any]] = {"code": [_code(record) for record in found]}
    values |= {name: [record.versions.get(name, "unknown") for record in found] for name in libraries}
    values |= {name: [getattr(record, name) or "unknown" for record in found] for name in ("processes", "device")}
    return [
        f"{name} {' and '.join(dict.fromkeys(map(str, of_runs)))}"
        for name, of_runs in values.items()
        if len(set(map(str, of_runs))) > 1
    ]
