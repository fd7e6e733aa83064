"""Models that are all there: a model is loaded whole or not at all.

``from_pretrained`` of transformers warns of weights that a folder lacks, leaves their numbers to chance, and says
nothing of numbers that are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import PreTrainedModel

from iemomecp_dataset.errors import InvalidDataError
from iemomecp_dataset.features.encoders.model_loading import without_load_report
from iemomecp_dataset.files import file_digest, read_json

__all__ = [
    "MODEL_DIGESTS",
    "WholeModel",
    "check_model_digests",
    "check_numbers",
    "check_weight_files",
    "loaded_whole",
    "model_digests",
]

MODEL_DIGESTS = "weight_digests"
"""Key of a run's record: SHA-256 of each file by its path in ``model/``; earlier versions recorded weights alone."""

_CARD = "README.md"

_AGAIN = "Copy the folder again, or train again."


class WholeModel(PreTrainedModel):  # type: ignore[misc]
    """A model whose ``from_pretrained``, that of ``AutoModel`` too, refuses weights that are not all there."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **options: Any) -> Any:
        """Loads a saved model.

        Args:
            pretrained_model_name_or_path: The folder, or a name on the Hub.
            *args: As transformers takes them.
            **options: Likewise.

        Raises:
            InvalidDataError: A weight is missing, is of another shape, or holds NaN or an infinite number.
        """
        return loaded_whole(super().from_pretrained, pretrained_model_name_or_path, *args, **options)


def loaded_whole(
    load: Callable[..., Any],
    folder: Any,
    *args: Any,
    output_loading_info: bool = False,
    **options: Any,
) -> Any:
    """Calls a ``from_pretrained`` of transformers, and refuses weights that are not all there.

    Args:
        load: The function.
        folder: The folder of the model, or its name on the Hub.
        args: Passed on.
        output_loading_info: Whether to give what transformers reports, too.
        options: Passed on, but for ``ignore_mismatched_sizes``: such weights would hold whatever was in memory.

    Returns:
        The model; with ``output_loading_info`` also the report.

    Raises:
        InvalidDataError: A weight is missing, is of another shape, or holds NaN or an infinite number.
    """
    # The table says in many lines what is an error in one sentence here.
    with without_load_report():
        # All that does not fit is reported, so that it can be said in one sentence.
        options |= {"ignore_mismatched_sizes": True, "output_loading_info": True}
        model, report = load(folder, *args, **options)
    reshaped = sorted(report["mismatched_keys"])
    if reshaped:
        name, saved, stated = reshaped[0][:3]
        fields = _fields_of_sizes(model.config, [(found, asked) for _, found, asked in reshaped])
        raise InvalidDataError(
            f"{folder}: config.json does not fit the weights{fields}: {name} is {_shape(saved)} in the weights, and "
            f"{_shape(stated)} by config.json. {_AGAIN}"
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise InvalidDataError(f"{folder}: the weights lack {_first(missing)}, which config.json requires. {_AGAIN}")
    check_numbers(model.state_dict(), folder)
    return (model, report) if output_loading_info else model


def check_numbers(weights: Mapping[str, Tensor], folder: str | Path) -> None:
    """Refuses weights that hold NaN or an infinite number.

    Args:
        weights: By name.
        folder: Where they are from, for the error.

    Raises:
        InvalidDataError: Some do.

    Example:
        >>> check_numbers({"a": torch.tensor([1.0, float("nan")]), "b": torch.ones(1)}, "runs/x/model")
        Traceback (most recent call last):
        iemomecp_dataset.errors.InvalidDataError: runs/x/model: the weights of the model hold NaN or infinite numbers, \
in a. Copy the folder again, or train again.
    """
    damaged = sorted(name for name, tensor in weights.items() if _has_no_number(tensor))
    if damaged:
        raise InvalidDataError(
            f"{folder}: the weights of the model hold NaN or infinite numbers, in {_first(damaged)}. {_AGAIN}"
        )


def check_weight_files(folder: Path) -> None:
    """Refuses a folder whose files in safetensors cannot be read, or hold NaN or an infinite number.

    What the model needs is not known here: of a model whose class is not at hand, this is all that can be checked.

    Args:
        folder: The folder; folders in it are looked through as well.

    Raises:
        InvalidDataError: A file is damaged.
    """
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                damaged = sorted(name for name in file.keys() if _has_no_number(file.get_tensor(name)))  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise InvalidDataError(f"{path} cannot be read: it is damaged ({reason[:200]}). {_AGAIN}") from error
        if damaged:
            raise InvalidDataError(f"{path}: the weights hold NaN or infinite numbers, in {_first(damaged)}. {_AGAIN}")


def model_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a saved model, by its path in the folder: weights, configuration, tokenizer.

    The card is left out: nothing reads it, and its owner may write in it.

    Args:
        folder: The folder; folders in it are looked through as well.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / _CARD)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def check_model_digests(folder: Path) -> None:
    """Refuses a file in ``model/`` of a run that is not what the run has recorded: one bit is noticed.

    Without such a record, that of an earlier version or of a folder that was copied alone, nothing is compared.

    Args:
        folder: The folder of the model.

    Raises:
        InvalidDataError: A file differs or is missing.
    """
    try:
        record = read_json(folder.parent / "results.json")
        recorded = dict(record[MODEL_DIGESTS]) if folder.name == "model" else {}
    except (OSError, ValueError, LookupError, TypeError):
        return
    found = model_digests(folder) if recorded else {}
    changed = sorted(name for name, digest in recorded.items() if found.get(name) != digest)
    if changed:
        raise InvalidDataError(
            f"{folder / changed[0]} is not what the run has written: results.json states another digest of it. {_AGAIN}"
        )


def _has_no_number(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.device.type != "meta" and not bool(torch.isfinite(tensor).all())


def _fields_of_sizes(config: Any, shapes: Sequence[tuple[Sequence[int], Sequence[int]]]) -> str:
    """The fields of a configuration that state the sizes by which shapes differ, as far as they can be told."""
    asked = [{b for a, b in zip(saved, stated, strict=False) if a != b} for saved, stated in shapes]
    stated = {name: value for name, value in config.to_dict().items() if not isinstance(value, bool)}
    sizes = {
        name: len(value) if isinstance(value, list) else value
        for name, value in stated.items()
        if isinstance(value, int) or (isinstance(value, list) and name.endswith("_names"))
    }
    likely = {name: sum(size in of_tensor for of_tensor in asked) for name, size in sizes.items()}
    most = max(likely.values(), default=0)
    return f" (see {', '.join(sorted(name for name, count in likely.items() if count == most))})" if most else ""


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _first(names: Sequence[str]) -> str:
    """The first names, and how many there are besides.

    Example:
        >>> _first(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
