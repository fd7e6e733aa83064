"""Checks what a record of a run holds inside its fields, so that no table or figure meets a value it cannot use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from iemomecp_dataset.errors import RunFolderError
from iemomecp_dataset.excerpts import excerpt

__all__ = ["SHARES", "check_record"]

_ALWAYS_DEFINED = {
    "pairs": ("pair_f1", "pair_precision", "pair_recall"),
    "erc": ("weighted_f1", "accuracy", "macro_f1"),
    "explanation": ("bleu_4", "rouge_l", "cider", "content_bleu_4", "content_rouge_l", "content_cider"),
}
"""By task the scores that are 0 where a denominator is 0, and so have a value on every split."""
SHARES = ("_f1", "_precision", "_recall", "_auprc", "_rate", "accuracy")
"""How the names of scores in [0, 1] end; the others are counts, matrices and what later versions add."""
_EXPLANATION_RANGES = {
    **dict.fromkeys(("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "content_bleu_4", "content_rouge_l"), 1),
    **dict.fromkeys(("rouge_1_f", "rouge_2_f", "rouge_l_f", "meteor"), 1),
    **dict.fromkeys(("cider", "content_cider"), 10),
    "sacrebleu": 100,
}
"""Largest value of each score of explanations, the smallest is 0; learned scores have no bounds."""


def check_record(content: Mapping[str, Any], source: Path) -> None:
    """Checks the values inside the fields that tables and figures read.

    Args:
        content: The fields of ``results.json``, which are of the right kind themselves.
        source: The file, for the message.

    Raises:
        RunFolderError: A value does not fit; the message names its place.

    Example:
        >>> check_record({"metrics": {"test": {"pair_f1": "high"}}}, Path("results.json"))
        Traceback (most recent call last):
        iemomecp_dataset.errors.RunFolderError: results.json: metrics.test.pair_f1 is 'high'; expected a number \
in [0, 1]. It was not written by this package, or changed by hand; repeat the run.
    """

    def refuse(where: str, value: Any, expected: str) -> NoReturn:
        raise RunFolderError(
            f"{source}: {excerpt(where, 120)} is {value!r:.80}; expected {expected}. It was not written by this "
            "package, or changed by hand; repeat the run."
        )

    def check(where: str, value: Any, fits: Callable[[Any], bool], expected: str) -> None:
        if not fits(value):
            refuse(where, value, expected)

    def check_scores(where: str, scores: Any) -> None:
        check(where, scores, lambda value: isinstance(value, Mapping), "an object of scores")
        reasons = scores.get("undefined", {})
        check(f"{where}.undefined", reasons, lambda value: isinstance(value, Mapping), "an object of reasons")
        for name, score in scores.items():
            place = f"{where}.{name}"
            if score is None and name not in always_defined:
                if not reasons.get(name):  # it is read as NaN, which makes the mean of a whole row NaN
                    refuse(place, score, f"a value, or null and its reason in {where}.undefined")
            elif task == "explanation" and name in _EXPLANATION_RANGES:
                largest = _EXPLANATION_RANGES[name]
                # Sums of floats may end one rounding above the largest value.
                check(place, score, functools.partial(_is_within, largest=largest), f"a number in [0, {largest}]")
            elif name.endswith(SHARES):
                check(place, score, _is_share, "a number in [0, 1]")

    task = content.get("task", "pairs")
    check("task", task, lambda value: value in _ALWAYS_DEFINED, f"one of {', '.join(_ALWAYS_DEFINED)}")
    always_defined = _ALWAYS_DEFINED[task]
    for split, scores in content.get("metrics", {}).items():
        check_scores(f"metrics.{split}", scores)
    for key, baseline in content.get("structural_baselines", {}).items():
        where = f"structural_baselines.{key}"
        check(where, baseline, lambda value: isinstance(value, Mapping), "an object with splits")
        splits = baseline.get("splits") or {}
        check(f"{where}.splits", splits, lambda value: isinstance(value, Mapping), "an object of splits")
        _check_decision(where, baseline, "threshold", check)
        for split, scores in splits.items():
            check_scores(f"{where}.splits.{split}", scores)
    _check_decision("threshold", content.get("threshold", {}), "value", check)
    for split, digest in content.get("data_fingerprint", {}).items():
        check(f"data_fingerprint.{split}", digest, lambda value: isinstance(value, str), "a text")
    for split, counts in content.get("counts", {}).items():
        check(f"counts.{split}", counts, lambda value: isinstance(value, Mapping), "an object of counts")
        for name, count in counts.items():
            check(f"counts.{split}.{name}", count, lambda value: isinstance(value, int), "a whole number")
    for name in ("class_names", "missing_splits", "warnings", "remarks", "leaks"):
        texts = content.get(name) or ()
        check(name, texts, lambda value: isinstance(value, list | tuple), "a list of texts")
        for place, text in enumerate(texts):
            check(f"{name}[{place}]", text, lambda value: isinstance(value, str), "a text")
    for name, facts in content.get("features", {}).items():
        check(f"features.{name}", facts, lambda value: isinstance(value, Mapping), "an object of facts")
    for name, facts in content.get("trained_with", {}).items():
        check(f"trained_with.{name}", facts, lambda value: isinstance(value, Mapping), "an object of facts")
        weight = facts.get("weight", 1)
        check(f"trained_with.{name}.weight", weight, lambda v: v is not None and _is_number_or_null(v), "a number")
    for name in ("signatures", "peer", "ensemble"):
        check(name, content.get(name) or {}, lambda value: isinstance(value, Mapping), "an object")
    for split, text in (content.get("signatures") or {}).items():
        check(f"signatures.{split}", text, lambda value: isinstance(value, str), "a text")
    notes = (content.get("peer") or {}).get("notes") or ()
    check("peer.notes", notes, lambda value: isinstance(value, list | tuple), "a list of texts")
    if "ensemble" in content:
        _check_ensemble(content["ensemble"] or {}, check)
    _check_characters(content, source)


def _check_ensemble(ensemble: Mapping[str, Any], check: Callable[..., None]) -> None:
    """Checks what tables read of the members of an ensemble."""
    for name, fits, expected in (
        ("seeds", lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
        ("weights", lambda value: value is not None and _is_number_or_null(value), "a number"),
        ("members", lambda value: isinstance(value, Mapping), "an object"),
    ):
        values = ensemble.get(name)
        check(f"ensemble.{name}", values, lambda value: isinstance(value, list | tuple) and len(value) > 1, "a list")
        for place, value in enumerate(values or ()):
            check(f"ensemble.{name}[{place}]", value, fits, expected)


def _check_characters(value: Any, source: Path) -> None:
    """Refuses halves of surrogate pairs, which JSON can spell and no page or terminal can show."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_characters(name, source)
            _check_characters(item, source)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_characters(item, source)
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            shown = value.encode("utf-8", "backslashreplace").decode()
            raise RunFolderError(
                f"{source} holds half of a surrogate pair, which is no character: {shown!r:.80}. It was changed by "
                "hand; repeat the run."
            ) from None


def _is_share(value: Any) -> bool:
    return value is not None and _is_number_or_null(value) and 0 <= value <= 1  # NaN fails this too


def _is_within(value: Any, largest: float) -> bool:
    return value is not None and _is_number_or_null(value) and 0 <= value <= largest * (1 + 1e-9)


def _is_number_or_null(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _check_decision(where: str, rule: Mapping[str, Any], name: str, check: Callable[..., None]) -> None:
    check(f"{where}.{name}", rule.get(name), _is_number_or_null, "a number or null")
    check(f"{where}.chosen_on", rule.get("chosen_on"), lambda v: v is None or isinstance(v, str), "a text or null")
