"""Configurations that can be loaded, and the options that each of them takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from iemomecp_dataset.candidates import CANDIDATE_SPACES, CandidateSpace
from iemomecp_dataset.errors import UsageError, did_you_mean

__all__ = [
    "CONFIG_NAMES",
    "CORPUS_CONFIGS",
    "DEFAULT_CONFIG",
    "EMOTION_CONFIGS",
    "EXPLANATION_CONFIGS",
    "OPTION_NAMES",
    "ConfigName",
    "DialogueConfig",
    "EmotionInventory",
    "ExplanationConfig",
    "ExplanationStatuses",
    "ForwardPairs",
    "LoadOptions",
    "PairConfig",
    "ScaleName",
    "TextSource",
    "ThresholdRule",
    "ValidationSplit",
    "load_options",
    "options_taken",
]

TextSource = Literal["iemocap", "ecpec"]
ForwardPairs = Literal["as_published", "gold"]
ValidationSplit = Literal["every_tenth", "first_tenth", "none"]
ExplanationStatuses = Literal["complete", "all"]
EmotionInventory = Literal["corpus", "common"]

DEFAULT_CONFIG = "3class"

MergedConfig = Literal["3class", "source_binary"]
PairCorpus = Literal["ecf", "mecad", "mec4", "reccon"]
EmotionConfig = Literal["meld", "iemocap"]
ExplanationConfig = Literal["ecem", "ecgf"]
CorpusConfig = Literal[PairCorpus, EmotionConfig, ExplanationConfig]
PairConfig = Literal[MergedConfig, PairCorpus]
"""A configuration with cause pairs."""
DialogueConfig = Literal[MergedConfig, CorpusConfig]
"""A configuration with utterances, all but ``overlay``: what can be trained on and extracted from."""
ConfigName = Literal[MergedConfig, "overlay", CorpusConfig]

MERGED_CONFIGS: tuple[str, ...] = get_args(MergedConfig)
"""Configurations that merge IEMOCAP, ConvECPE and the label overlay."""

CORPUS_CONFIGS: tuple[str, ...] = get_args(CorpusConfig)
"""Configurations of the other corpora."""

EMOTION_CONFIGS: tuple[str, ...] = get_args(EmotionConfig)
"""Configurations with emotions and without cause pairs."""

EXPLANATION_CONFIGS: tuple[str, ...] = get_args(ExplanationConfig)
"""Configurations whose purpose is the written explanations of emotions; they have no cause pairs either."""

CONFIG_NAMES: tuple[str, ...] = get_args(ConfigName)

ThresholdRule = Literal["best", "bagged", "expected_f1", "expected_f1_uncalibrated"]
"""Rules that choose a decision threshold (:mod:`iemomecp_dataset.metrics.thresholds`)."""

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
        max_dialogue_mismatch: Largest accepted share of a dialogue's utterances on which their texts differ; a single
            utterance is always accepted.
        allow_missing_text: Whether utterances may be missing in IEMOCAP's transcripts; they have ECPEC's sentence then,
            and are counted.
        max_label_mismatch: Largest accepted share of turns that have an ``emo_cause`` and are neutral in ConvECPE, or
            have none and are not neutral. It is 0 in the release; exchanged chunks are never accepted.
        emotions: ``corpus``, or ``common``: :data:`~iemomecp_dataset.schema.COMMON_EMOTIONS` in place of the corpus's
            own, which utterances then keep as ``emotion_source``.
        candidates: ``all`` pairs or those with a cause of the ``past``, for corpora other than IEMO-MECP.
        annotations: Whether rows of ``ecf`` and ``mecad`` have what the files state beside the schema: ``episode``,
            ``listed_pairs``, ``listed_times`` and ``cause_annotations``.
        validation: Which train dialogues of ``iemocap`` are its validation split: ``every_tenth`` of them in the order
            of their ids, the ``first_tenth`` in the order of ConvECPE's list, or ``none``.
        status: Which explanations of ``ecem`` to take: the ``complete`` ones, or ``all`` with their status.
        meld_root: The CSV files of MELD, which ``ecem`` needs, if they are not in ``data_dir``.
        ecf_root: The files of ECF 1.0, whose gold causes are attached to the explanations of ``ecem``.
        ecf_map: The authors' map of ECF's utterances to MELD's, likewise; in ``ecf_root`` unless given.
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
    max_dialogue_mismatch: float = 0.05
    allow_missing_text: bool = False
    max_label_mismatch: float = 0.0
    emotions: EmotionInventory = "corpus"
    candidates: CandidateSpace = "all"
    annotations: bool = False
    validation: ValidationSplit = "every_tenth"
    status: ExplanationStatuses = "complete"
    meld_root: Path | None = None
    ecf_root: Path | None = None
    ecf_map: Path | None = None


_PATH_OPTIONS = (
    *("data_dir", "iemocap_root", "convecpe_root", "label_dir", "full_root"),
    *("meld_root", "ecf_root", "ecf_map"),
)
_TAKEN_BY = {
    "data_dir": CONFIG_NAMES,
    "iemocap_root": (*MERGED_CONFIGS, "iemocap"),
    "convecpe_root": (*MERGED_CONFIGS, "iemocap"),
    "label_dir": (*MERGED_CONFIGS, "overlay"),
    "full_root": MERGED_CONFIGS,
    "text_source": (*MERGED_CONFIGS, "iemocap"),
    "forward_pairs": ("source_binary",),
    "max_mismatch": (*MERGED_CONFIGS, "iemocap"),
    "max_dialogue_mismatch": (*MERGED_CONFIGS, "iemocap"),
    "allow_missing_text": (*MERGED_CONFIGS, "iemocap"),
    "max_label_mismatch": MERGED_CONFIGS,
    "emotions": CONFIG_NAMES,
    "candidates": get_args(PairCorpus),
    "annotations": ("ecf", "mecad"),
    "validation": ("iemocap",),
    "status": ("ecem",),
    "meld_root": ("ecem",),
    "ecf_root": ("ecem",),
    "ecf_map": ("ecem",),
}
_OF_SOURCES = (
    *("iemocap_root", "convecpe_root", "text_source"),
    *("max_mismatch", "max_dialogue_mismatch", "allow_missing_text", "max_label_mismatch"),
)
"""Options that have no effect where full split JSON takes the place of IEMOCAP and ConvECPE."""
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "text_source": get_args(TextSource),
    "forward_pairs": get_args(ForwardPairs),
    "emotions": get_args(EmotionInventory),
    "candidates": CANDIDATE_SPACES,
    "validation": get_args(ValidationSplit),
    "status": get_args(ExplanationStatuses),
}
OPTION_NAMES = tuple(_TAKEN_BY)
"""Options of all configurations."""


def options_taken(config_name: str) -> list[str]:
    """Lists the options that a configuration takes.

    Args:
        config_name: One of :data:`CONFIG_NAMES`.

    Returns:
        Their names.

    Example:
        >>> options_taken("ecem")
        ['data_dir', 'emotions', 'status', 'meld_root', 'ecf_root', 'ecf_map']
    """
    return [option for option, configs in _TAKEN_BY.items() if config_name in configs]


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
    taken = options_taken(name)
    given: dict[str, Any] = {}
    for option, value in options.items():
        if option not in _TAKEN_BY:
            raise UsageError(f"Configuration {name!r} has no option {option!r}. {did_you_mean(option, taken)}")
        if option == "candidates" and value is not None and name in (*EMOTION_CONFIGS, *EXPLANATION_CONFIGS):
            raise UsageError(
                f"Configuration {name!r} does not take the option 'candidates': it has {_instead(name)}, hence "
                f"no candidate pairs. Leave it out, or choose one of {_listing(_TAKEN_BY[option])}."
            )
        if value is None or value == _DEFAULTS[option]:
            continue
        if option not in taken:
            raise UsageError(
                f"Configuration {name!r} does not take the option {option!r}; it is for {_listing(_TAKEN_BY[option])}. "
                f"Leave it out, or choose another configuration."
            )
        given[option] = _checked(option, value)
    for option in _OF_SOURCES:
        if "full_root" in given and option in given:
            raise UsageError(f"full_root= replaces IEMOCAP and ECPEC, so {option}= has no effect. Drop one.")
    return LoadOptions(config_name=name, **given)


def _instead(config_name: str) -> str:
    return "emotions and no causes" if config_name in EMOTION_CONFIGS else "written explanations and no labelled pairs"


def _checked(option: str, value: Any) -> Any:
    if option in _PATH_OPTIONS:
        kind = "file" if option == "ecf_map" else "folder"
        if not isinstance(value, str | os.PathLike) or (isinstance(value, str) and not value.strip()):
            raise UsageError(f"{option} must be a {kind}, but is {value!r}.")
        if "\0" in os.fspath(value):
            raise UsageError(f"{option} must be a {kind}, but {value!r} holds a NUL character.")
        try:
            return Path(value).expanduser().resolve()
        except (OSError, RuntimeError) as error:  # A loop of symbolic links, or an unknown home.
            raise UsageError(f"{option} must be a {kind}, but {str(value)!r} cannot be resolved: {error}.") from None
    if option in _CHOICES:
        if value not in _CHOICES[option]:
            raise UsageError(f"{option} cannot be {value!r}. {did_you_mean(str(value), _CHOICES[option])}")
        return value
    if option in ("annotations", "allow_missing_text"):
        if not isinstance(value, bool):
            raise UsageError(f"{option} must be True or False, but is {value!r}.")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UsageError(f"{option} must be a share between 0 and 1, but is {value!r}.")
    return float(value)


def _listing(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(LoadOptions)}
