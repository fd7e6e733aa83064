"""Variants of a recipe: the options in which each differs from a baseline, and the cells that they expand to."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.matrix.cells import MatrixCell, Sweep, cells_of, option_value
from iemomecp_dataset.benchmark.runs.results import encoder_name
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError, did_you_mean
from iemomecp_dataset.excerpts import shown
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.trainers.options import RunSettings, TrainingOptions

__all__ = ["BASELINE", "FoldCell", "Variant", "fold_cells", "read_variants", "variants_of"]

BASELINE = "baseline"

_NOT_VARIED = {
    "seed": "give the seeds with --seeds",
    "output_dir": "give --runs_dir",
    "run_name": "a cell is named by its variant",
    "data_dir": "all variants are scored on the same dialogues",
    "config_name": "all variants are scored on the same pairs: use a runs folder for each configuration",
    "candidates": "all variants are scored on the same pairs: use a runs folder for each candidate space",
    "forward_pairs": "all variants are scored on the same pairs: use a runs folder for each",
    "folds": "the command makes the folds; --folds is how many",
    "fold": "every fold is a cell",
}
"""Options that no variant changes, and what to do instead."""


@dataclass(frozen=True)
class Variant:
    """One recipe.

    Attributes:
        name: Its name in the table.
        changes: The options in which it differs from the baseline; empty for the baseline itself.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The name as part of the names of files: letters, digits, and some of ``._=+-``.

        Example:
            >>> Variant("rpcl with a wide margin").word
            'rpcl_with_a_wide_margin'
        """
        return re.sub(r"[^\w.=+-]+", "_", self.name).strip("_") or "variant"


@dataclass(frozen=True)
class FoldCell:
    """One run of a cross-validation.

    Attributes:
        variant: The recipe.
        seed: The seed.
        fold: The fold that is scored, from 1.
        cell: The cell of the matrix.
    """

    variant: Variant
    seed: int
    fold: int
    cell: MatrixCell


def variants_of(
    common: Mapping[str, Sequence[Any]], vary: Sequence[str] = (), named: Sequence[Variant] = ()
) -> tuple[dict[str, Any], list[Variant]]:
    """Lists what is compared.

    Args:
        common: Options with their values: one value is part of the baseline, several make a variant of every
            combination, the first of which is the baseline.
        vary: Texts ``NAME=A,B``: each value is a variant that differs from the baseline in this option alone.
        named: Further variants. One that is called ``baseline`` is not a variant: all others begin with its options.

    Returns:
        The options of the baseline; and the variants, the baseline first.

    Raises:
        UsageError: An option does not exist or cannot vary, or is given in ``common`` and as the baseline of a file; or
            two variants have one name.

    Example:
        >>> options, variants = variants_of({"objective": ("base", "rpcl")}, ["dropout=0.2,0.3"])
        >>> options, [variant.name for variant in variants]
        ({'objective': 'base'}, ['baseline', 'objective=rpcl', 'dropout=0.2', 'dropout=0.3'])
    """
    baseline = {name: values[0] for name, values in common.items()}
    for variant in named:
        if variant.name == BASELINE:
            if twice := sorted(baseline.keys() & variant.changes.keys()):
                raise UsageError(
                    f"--{twice[0]} is given on the command line and in the file of variants, as {BASELINE}. Give it in "
                    "one of the two."
                )
            baseline |= variant.changes
    found = [Variant(BASELINE)]
    several = {name: values for name, values in common.items() if len(values) > 1}
    for values in itertools.product(*several.values()):
        changes = {n: v for n, v in zip(several, values, strict=True) if v != several[n][0]}
        if changes:
            found.append(Variant(_name(changes), changes))
    for text in vary:
        name, equals, values_text = text.partition("=")
        values_given = [value for value in values_text.split(",") if value]
        if not equals or not values_given:
            raise UsageError(
                f"--vary takes an option with its values, such as learning_rate=1e-4,3e-4; found {text!r}."
            )
        names = [_name({name: value}) for value in values_given]
        # Folders of one name are told apart by the folder that they are in.
        names = [
            f"{name}={'/'.join(Path(value).parts[-2:])}" if names.count(its) > 1 and "/" in value else its
            for its, value in zip(names, values_given, strict=True)
        ]
        found += [Variant(its, {name: value}) for its, value in zip(names, values_given, strict=True)]
    found += [variant for variant in named if variant.name != BASELINE]
    for variant in found:
        _check(variant)
    for name in baseline:
        if name in _NOT_VARIED and name not in ("data_dir", "config_name", "candidates", "forward_pairs"):
            raise UsageError(f"--{name} is not an option of a cross-validation: {_NOT_VARIED[name]}.")
    words: dict[str, str] = {}
    for variant in found:
        other = words.setdefault(variant.word.casefold(), variant.name)
        if other != variant.name or sum(one.name == variant.name for one in found) > 1:
            raise UsageError(
                f"Two variants would share the folder {variant.word}: {other} and {variant.name}. Leave one out, or "
                "name them in a file, with --variants."
            )
    return baseline, found


def _check(variant: Variant) -> None:
    """Refuses options that do not exist or cannot vary, and values of another kind."""
    known = TrainingOptions().flat()
    for name, value in variant.changes.items():
        if name not in known:
            raise UsageError(f"Variant {variant.name}: there is no option {name!r}. {did_you_mean(name, known)}")
        if name in _NOT_VARIED:
            raise UsageError(f"Variant {variant.name} changes {name}, which cannot vary: {_NOT_VARIED[name]}.")
        try:
            option_value(name, value)
        except UsageError as error:
            raise UsageError(f"Variant {variant.name}: {error}") from None


def _name(changes: Mapping[str, Any]) -> str:
    return ",".join(f"{name}={_value_word(name, value)}" for name, value in changes.items())


def _value_word(name: str, value: Any) -> str:
    """A value as part of a name: of a folder its name, of several further corpora their keys.

    Example:
        >>> _value_word("text_encoder", "/opt/mpnet/model"), _value_word("train_with", ("reccon=/a/b", "mecad=/a/c"))
        ('mpnet', 'reccon+mecad')
    """
    if name in ("train_with", "train_with_weights"):
        texts = [value] if isinstance(value, str) else value
        return "+".join(text.partition("=")[0] if name == "train_with" else text for text in texts)
    return encoder_name(str(value)) if "/" in str(value) else str(value)


def read_variants(path: Path) -> list[Variant]:
    """Reads named variants.

    Args:
        path: YAML: by name an object of options, empty for none. An option that is null has its default; one that takes
            several values, such as ``train_with``, has one text or a list of them.

    Returns:
        The variants, in the order of the file.

    Raises:
        MissingDataError: There is no such file.
        InvalidDataError: It holds something else.
        UsageError: An option does not exist or cannot vary, or a value is of another kind.
    """
    if not path.is_file():
        raise MissingDataError(f"The file of variants {path} is not there, or is not a file.")
    content = read_yaml(path)
    if not isinstance(content, dict) or not content:
        raise InvalidDataError(
            f"{path} must hold variants by name, each with its options, such as 'narrow: {{hidden_size: 128}}'."
        )
    found = []
    for name, options in content.items():
        options = {} if options is None else options
        fits = isinstance(options, dict) and all(isinstance(key, str) for key in options)
        if not isinstance(name, str) or not fits or not all(map(_is_value, options.items())):
            raise InvalidDataError(
                f"{path}: the variant {shown(name)} must be an object of options with one value each, such as "
                f"'narrow: {{hidden_size: 128}}', or a list of texts where the option takes several; found "
                f"{shown(options)}."
            )
        variant = Variant(name, options)
        try:
            _check(variant)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
        found.append(variant)
    return found


def _is_value(named: tuple[str, Any]) -> bool:
    """Whether an option's value in a file has a form that it may have: no object, a list of texts only of several."""
    name, value = named
    if isinstance(value, list):
        return isinstance(TrainingOptions().flat().get(name), tuple) and all(isinstance(one, str) for one in value)
    return not isinstance(value, dict)


def fold_cells(
    baseline: Mapping[str, Any], variants: Sequence[Variant], seeds: Sequence[int], folds_file: Path, n_folds: int
) -> list[FoldCell]:
    """Expands variants into cells.

    Args:
        baseline: The options that all have, with the folder of the corpus.
        variants: The variants.
        seeds: The seeds.
        folds_file: The file of the folds.
        n_folds: How many there are.

    Returns:
        The cells: seed by seed and fold by fold all variants, so that the first ones that finish can be compared.

    Raises:
        UsageError: Options that no trainer can run, or two variants have the same options.
    """
    same: dict[RunSettings, str] = {}
    found: dict[tuple[int, int, str], FoldCell] = {}
    for variant in variants:
        changed = {**baseline, **variant.changes}
        values: dict[str, tuple[Any, ...]] = {name: (value,) for name, value in changed.items()}
        values |= {"folds": (str(folds_file),), "fold": tuple(range(1, n_folds + 1))}
        try:
            cells = cells_of(Sweep(values=values, seeds=tuple(seeds)))
        except UsageError as error:
            raise UsageError(f"Variant {variant.name}: {error}") from None
        if variant.name == BASELINE and cells[0].impossible:
            # Every other variant is compared with it.
            raise UsageError(f"The baseline cannot be trained: {cells[0].impossible}")
        if not cells[0].impossible and (other := same.setdefault(cells[0].options, variant.name)) != variant.name:
            raise UsageError(f"Variant {variant.name} has the same options as {other}. Leave it out.")
        for cell in cells:
            fold, seed = cell.options.flat()["fold"], cell.options.run.seed
            found[seed, fold, variant.name] = FoldCell(
                variant, seed, fold, replace(cell, name=f"{variant.word}-s{seed}-fold{fold}")
            )
    order = {variant.name: place for place, variant in enumerate(variants)}
    return [found[key] for key in sorted(found, key=lambda key: (seeds.index(key[0]), key[1], order[key[2]]))]
