"""Configurations that can be loaded, and the options that each of them takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from iemomecp_dataset.candidates import CANDIDATE_SPACES, CandidateSpace
from iemomecp_dataset.corpora.metadata import CORPORA
from iemomecp_dataset.errors import UsageError, did_you_mean

__all__ = [
    "CONFIG_NAMES",
    "CORPUS_CONFIGS",
    "DEFAULT_CONFIG",
    "IEMOCAP_CONFIG",
    "OPTION_NAMES",
    "ConfigName",
    "DialogueConfig",
    "ForwardPairs",
    "LoadOptions",
    "ScaleName",
    "TextSource",
    "ValidationRule",
    "load_options",
]

TextSource = Literal["iemocap", "ecpec"]
ForwardPairs = Literal["as_published", "gold"]
ValidationRule = Literal["every_tenth", "first_tenth", "none"]

DEFAULT_CONFIG = "3class"

MergedConfig = Literal["3class", "source_binary"]
PairCorpusConfig = Literal["ecf", "mecad", "mec4", "reccon"]
CorpusConfig = Literal[PairCorpusConfig, "meld"]
DialogueConfig = Literal[MergedConfig, CorpusConfig, "iemocap"]
"""A configuration with utterances, all but ``overlay``: what can be trained on and extracted from."""
ConfigName = Literal[MergedConfig, "overlay", CorpusConfig, "iemocap"]

MERGED_CONFIGS: tuple[str, ...] = get_args(MergedConfig)
"""Configurations that merge IEMOCAP, ConvECPE and the label overlay."""

CORPUS_CONFIGS: tuple[str, ...] = get_args(CorpusConfig)
"""Configurations of the other corpora that are read from one folder of annotation files."""

IEMOCAP_CONFIG = "iemocap"
"""The configuration that merges IEMOCAP and ConvECPE to whole dialogues, without the label overlay."""

_SOURCE_CONFIGS = (*MERGED_CONFIGS, IEMOCAP_CONFIG)

CONFIG_NAMES: tuple[str, ...] = get_args(ConfigName)

ScaleName = Literal["demo", "full"]
"""Sizes of the synthetic corpus (:data:`iemomecp_dataset.synthetic.SCALES`)."""


@dataclass(frozen=True)
class LoadOptions:
    """What to load, and how.

    Attributes:
        config_name: One of :data:`CONFIG_NAMES`.
        data_dir: Folder of the sources.
        iemocap_root: The IEMOCAP release, if it is not in ``data_dir``.
        convecpe_root: The ECPEC folder (or its pickle), likewise.
        label_dir: The folder of the label files, likewise.
        full_root: A folder with ``splits/<split>.json``, which replaces IEMOCAP and ECPEC.
        text_source: ``iemocap`` (transcripts) or ``ecpec`` (its sentences; then the IEMOCAP release may be absent).
        forward_pairs: Label of forward source pairs in ``source_binary``: ``as_published`` non_pair, ``gold`` pair.
        max_mismatch: Largest accepted share of utterances on which IEMOCAP and ECPEC disagree.
        max_label_mismatch: Largest accepted share of turns that have an ``emo_cause`` and are neutral in ConvECPE, or
            have none and are not neutral. It is 0 in the release; exchanged chunks are never accepted.
        candidates: ``all`` pairs or those with a cause of the ``past``, for corpora of pairs other than
            IEMO-MECP.
        validation: Which of the sorted train dialogues of ``iemocap`` are its validation split: ``every_tenth``, the
            ``first_tenth``, or ``none``.
    """

    config_name: str
    data_dir: Path | None = None
    iemocap_root: Path | None = None
    convecpe_root: Path | None = None
    label_dir: Path | None = None
    full_root: Path | None = None
    text_source: TextSource = "iemocap"
    forward_pairs: ForwardPairs = "as_published"
    max_mismatch: float = 0.01
    max_label_mismatch: float = 0.0
    candidates: CandidateSpace = "all"
    validation: ValidationRule = "every_tenth"


_PATH_OPTIONS = ("data_dir", "iemocap_root", "convecpe_root", "label_dir", "full_root")
_TAKEN_BY = {
    "data_dir": CONFIG_NAMES,
    "iemocap_root": _SOURCE_CONFIGS,
    "convecpe_root": _SOURCE_CONFIGS,
    "label_dir": (*MERGED_CONFIGS, "overlay"),
    "full_root": MERGED_CONFIGS,
    "text_source": _SOURCE_CONFIGS,
    "forward_pairs": ("source_binary",),
    "max_mismatch": _SOURCE_CONFIGS,
    "max_label_mismatch": MERGED_CONFIGS,
    "candidates": get_args(PairCorpusConfig),
    "validation": (IEMOCAP_CONFIG,),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "text_source": get_args(TextSource),
    "forward_pairs": get_args(ForwardPairs),
    "candidates": CANDIDATE_SPACES,
    "validation": get_args(ValidationRule),
}
OPTION_NAMES = tuple(_TAKEN_BY)
"""Options of all configurations."""


def load_options(config_name: str | None, options: Mapping[str, Any]) -> LoadOptions:
    """Checks the options of a configuration.

    Args:
        config_name: A configuration name; ``None`` means :data:`DEFAULT_CONFIG`.
        options: Options by name; ``None`` means the default.

    Returns:
        The checked options, paths absolute.

    Raises:
        UsageError: An unknown name, an option that this configuration does not take, or an invalid value.

    Example:
        >>> load_options(None, {"data_dir": None}).config_name
        '3class'
    """
    name = DEFAULT_CONFIG if config_name is None else config_name
    if name not in CONFIG_NAMES:
        raise UsageError(f"There is no configuration {name!r} of 'iemomecp'. {did_you_mean(str(name), CONFIG_NAMES)}")
    taken = [option for option, configs in _TAKEN_BY.items() if name in configs]
    given: dict[str, Any] = {}
    for option, value in options.items():
        if option not in _TAKEN_BY:
            raise UsageError(f"Configuration {name!r} has no option {option!r}. {did_you_mean(option, taken)}")
        if value is None or value == _DEFAULTS[option]:
            continue
        if option == "candidates" and name in CORPORA and not CORPORA[name].has_pairs:
            raise UsageError(
                f"Configuration {name!r} does not take the option 'candidates': {CORPORA[name].title} has no causes, "
                f"so there are no pairs. Leave it out."
            )
        if option not in taken:
            raise UsageError(
                f"Configuration {name!r} does not take the option {option!r}; it is for {_listing(_TAKEN_BY[option])}. "
                f"Leave it out, or choose another configuration."
            )
        given[option] = _checked(option, value)
    for option in ("iemocap_root", "convecpe_root", "text_source", "max_mismatch", "max_label_mismatch"):
        if "full_root" in given and option in given:
            raise UsageError(f"full_root= replaces IEMOCAP and ECPEC, so {option}= has no effect. Drop one.")
    return LoadOptions(config_name=name, **given)


def _checked(option: str, value: Any) -> Any:
    if option in _PATH_OPTIONS:
        if not isinstance(value, str | os.PathLike) or (isinstance(value, str) and not value.strip()):
            raise UsageError(f"{option} must be a folder, but is {value!r}.")
        if "\0" in os.fspath(value):
            raise UsageError(f"{option} must be a folder, but {value!r} holds a NUL character.")
        try:
            return Path(value).expanduser().resolve()
        except (OSError, RuntimeError) as error:  # A loop of symbolic links, or an unknown home.
            raise UsageError(f"{option} must be a folder, but {str(value)!r} cannot be resolved: {error}.") from None
    if option in _CHOICES:
        if value not in _CHOICES[option]:
            raise UsageError(f"{option} cannot be {value!r}. {did_you_mean(str(value), _CHOICES[option])}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"{option} must be a share between 0 and 1, but is {value!r}.")
    return float(value)


def _listing(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(LoadOptions)}
