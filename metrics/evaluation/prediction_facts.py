"""The metadata of a predictions file: what it states, written as JSON and checked when it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.field_checks import is_integer
from iemomecp_dataset.schema import canonical_split

__all__ = ["PredictionFacts", "facts_as_json", "facts_of_json"]

_Facts = TypeVar("_Facts")


def facts_as_json(facts: Any, *, always: Collection[str] = ()) -> str:
    """Writes a JSON object of what is stated.

    Args:
        facts: A dataclass whose fields are None where nothing is stated.
        always: Fields that are written even then, as ``null``.

    Example:
        >>> facts_as_json(PredictionFacts(split="test"), always=["threshold"])
        '{"split": "test", "threshold": null}'
    """
    return json.dumps({name: value for name, value in asdict(facts).items() if value is not None or name in always})


def facts_of_json(kind: type[_Facts], text: str | bytes) -> _Facts:
    """Reads a JSON object of facts; keys that the class does not know are ignored.

    Args:
        kind: The class of the facts.
        text: The object.

    Returns:
        The facts, with the canonical name of the split.

    Raises:
        ValueError: The text is not a JSON object, or a field holds another type of value.

    Example:
        >>> facts_of_json(PredictionFacts, '{"split": "dev", "key_of_a_later_version": 1}').split
        'validation'
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"expected an object, found {type(content).__name__}")
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    known = {name: content[name] for name in names if content.get(name) is not None}
    if isinstance(known.get("threshold"), float) and math.isnan(known["threshold"]):
        del known["threshold"]
    for name, value in known.items():
        if not _FITS.get(name, _is_text)(value):
            raise ValueError(f"{name} is {excerpt(value)!r}")
    if "class_names" in known:
        known["class_names"] = tuple(known["class_names"])
    if "split" in known:
        known["split"] = canonical_split(known["split"])
    return kind(**known)


@dataclass(frozen=True)
class PredictionFacts:
    """The metadata of a predictions file, kept as JSON in the Parquet schema under the key ``iemomecp``.

    ``None`` means that the file does not state it.

    Attributes:
        corpus: Name of the corpus.
        config_name: Name of the configuration.
        split: Name of the split.
        class_names: Classes by id.
        threshold: Decision threshold of the run; without one it decides for the most probable class.
        threshold_chosen_on: The split the threshold was searched on, or ``fixed``.
        epoch_chosen_on: The split the epoch was chosen on.
        missed_positives: Gold pairs that are not candidates.
        data_fingerprint: Fingerprint of the split's data.
        text_fingerprint: Fingerprint of its texts.
        synthetic: Whether the data is synthetic.
        definition: Letter of the definition the run is scored by.
        candidates: Which pairs are candidates.
        forward_pairs: How pairs with a future cause are treated.
        run_name: Name of the run.
        decisions_alone: Whether the system only decides: its probabilities are 0 and 1, and rank nothing.
        evidence: What was removed from the input.
        emotions: Origin of the column ``emotion``: ``predicted`` or ``gold``.
        part: Which folds the predictions are of, as a word of :mod:`iemomecp_dataset.folds`.
    """

    corpus: str | None = None
    config_name: str | None = None
    split: str | None = None
    class_names: tuple[str, ...] | None = None
    threshold: float | None = None
    threshold_chosen_on: str | None = None
    epoch_chosen_on: str | None = None
    missed_positives: int | None = None
    data_fingerprint: str | None = None
    text_fingerprint: str | None = None
    synthetic: bool | None = None
    definition: str | None = None
    candidates: str | None = None
    forward_pairs: str | None = None
    run_name: str | None = None
    decisions_alone: bool | None = None
    evidence: str | None = None
    emotions: str | None = None
    part: str | None = None

    def to_json(self) -> str:
        """Writes a JSON object of what is stated; a threshold is always written, ``null`` where there is none.

        Example:
            >>> PredictionFacts(split="test", class_names=("pair", "non_pair")).to_json()
            '{"split": "test", "class_names": ["pair", "non_pair"], "threshold": null, "threshold_chosen_on": null}'
        """
        return facts_as_json(self, always=("threshold", "threshold_chosen_on"))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "class_names": lambda value: isinstance(value, list) and len(value) > 1 and all(map(_is_text, value)),
    "threshold": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
    "missed_positives": lambda value: is_integer(value) and value >= 0,
    "cross_fitted_folds": lambda value: is_integer(value) and value > 1,
    "synthetic": _is_flag,
    "decisions_alone": _is_flag,
    "license_text_shareable": _is_flag,
    "emotions": lambda value: value in ("predicted", "gold"),
}
"""What a field must hold; text where none is listed."""
