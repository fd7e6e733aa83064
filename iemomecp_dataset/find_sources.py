"""Finds the files of a configuration, or lists what is missing and how to obtain it."""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from iemomecp_dataset.command_line import command_hint
from iemomecp_dataset.corpora.ecem import find_ecem
from iemomecp_dataset.corpora.emotion_inventory import with_common_emotions
from iemomecp_dataset.corpora.loading import find_corpus
from iemomecp_dataset.corpora.metadata import CORPORA, IEMOMECP, corpus_of_config, emotions_of_config
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError
from iemomecp_dataset.merging.accounting import MergeSources
from iemomecp_dataset.merging.limits import Tolerance
from iemomecp_dataset.merging.merge import merge
from iemomecp_dataset.merging.merge_full import FullSources, merge_full
from iemomecp_dataset.merging.merge_whole import merge_whole
from iemomecp_dataset.options import CONFIG_NAMES, CORPUS_CONFIGS, LoadOptions
from iemomecp_dataset.overlay.reading import LABELS_SOURCE, find_label_files
from iemomecp_dataset.overlay.rows import load_overlay
from iemomecp_dataset.reader import SYNTHETIC_FILE, Inputs, Loaded, require_folder
from iemomecp_dataset.schema import SPLITS
from iemomecp_dataset.sources.ecpec import ECPEC_SOURCE, find_ecpec
from iemomecp_dataset.sources.full_splits import find_full_splits
from iemomecp_dataset.sources.iemocap_release import IEMOCAP_SOURCE, ROOT_NAMES, IemocapFiles, find_iemocap

__all__ = ["find_inputs", "folder_as_name", "texts_are_synthetic"]

_ECPEC_NAMES = ("ECPEC", "ConvECPE")
_MOST_NAMES = 200
"""Names in a folder that are looked at for the folder that was meant."""
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


def find_inputs(options: LoadOptions) -> Inputs:
    """Finds the files of a configuration.

    Args:
        options: What to load.

    Returns:
        The files, not yet read.

    Raises:
        MissingDataError: A part is missing; the message says which, where it was expected, and how to obtain it, or of
            which other corpus the folder is.
    """
    try:
        inputs = _find(options)
    except MissingDataError as error:
        other = _other_corpus(options)
        if not other:
            raise
        raise MissingDataError(f"{other} {error}") from None
    checked = functools.partial(_read, inputs, options)
    if options.emotions == "corpus":
        return replace(inputs, read=checked)
    names = emotions_of_config(options.config_name, splits=inputs.splits)
    return replace(inputs, read=lambda: with_common_emotions(checked(), names))


def _read(inputs: Inputs, options: LoadOptions) -> Loaded:
    """Reads what was found. Files of another corpus can have the same names, and are then not what was expected."""
    try:
        return _read_in_language(inputs, options.config_name)
    except InvalidDataError as error:
        other = _other_corpus(options, inputs)
        if not other:
            raise
        raise InvalidDataError(f"{error} {other}") from None


def _read_in_language(inputs: Inputs, config_name: str) -> Loaded:
    """Reads a corpus and compares the letters of its texts with its language.

    MECAD and RECCON have files of the same names and form, whose emotions mean the same under other names and ids.
    """
    loaded = inputs.read()
    language = CORPORA[config_name].language if config_name in CORPORA else "en"
    texts = (utterance["text"] for rows in loaded.rows.values() for row in rows for utterance in row["utterances"])
    chinese = Counter(_CHINESE.search(text) is not None for text in texts if text)
    where = ", ".join(map(str, inputs.files[:3]))
    if language == "en" and chinese[True] > chinese[False]:
        raise InvalidDataError(
            f"{where}: {chinese[True]} of {chinese.total()} texts are Chinese, and those of "
            f"{CORPORA[config_name].title if config_name in CORPORA else 'IEMO-MECP'} are English."
        )
    if language == "zh" and chinese.total() and not chinese[True]:
        note = f"{where}: no text has a Chinese letter, and the texts of {CORPORA[config_name].title} are Chinese."
        return replace(loaded, notes=(*loaded.notes, note))
    return loaded


def _find(options: LoadOptions) -> Inputs:
    if options.config_name == "ecem":
        return find_ecem(options)
    if options.config_name in CORPUS_CONFIGS and options.config_name != "iemocap":
        if options.data_dir is None:
            raise MissingDataError(f"Configuration {options.config_name!r} needs data_dir=.")
        return find_corpus(options.config_name, options.data_dir, options.candidates, annotations=options.annotations)
    if options.data_dir is not None:
        require_folder(
            options.data_dir,
            f"the folder with {'IEMOCAP/, ECPEC/ and labels/' if options.config_name != 'iemocap' else 'ECPEC/'}",
            f"make one and put the three parts into it, or `{command_hint('synthetic', '--output-dir DIR')}`",
        )
    if options.config_name == "iemocap":
        return _find_whole(options)
    if options.config_name == "overlay":
        return _find_overlay(options)
    if options.full_root is not None:
        return _find_full(options, options.full_root)
    return _find_merge(options)


def folder_as_name(name: str) -> str:
    """Tells what to write where a folder is given in the place of a configuration.

    Args:
        name: What was given as the name of a configuration.

    Returns:
        A sentence with the configuration that the folder is of, where its files show it; empty where the name is that
        of a configuration, or of no folder.
    """
    folder = Path(str(name))
    try:
        if name in CONFIG_NAMES or not folder.is_dir():
            return ""
        found = configurations_of(folder)
    except OSError:  # such as a name that is too long for any file, or a folder that one may not look into
        return ""
    how = " or ".join(f"load({config!r}, {str(name)!r})" for config in found)
    if not how:
        how = f"load(NAME, {str(name)!r}), where NAME is one of {', '.join(CONFIG_NAMES)}"
    return f"{str(name)!r} is a folder, not a configuration: give it as data_dir, {how}."


def _other_corpus(options: LoadOptions, unreadable: Inputs | None = None) -> str:
    """Tells of which other corpus a folder is.

    Args:
        options: What was to be loaded.
        unreadable: What was found of it and cannot be read; None where nothing was found.

    Returns:
        A sentence; empty where the files are of no other corpus, or of the same corpus and not complete.
    """
    folder = options.data_dir
    if folder is None or not folder.is_dir() or _is_of(options.config_name, folder) != (unreadable is not None):
        return ""
    found = [name for name in configurations_of(folder) if name != options.config_name]
    # Corpora share names of files. Who can read them all is known after trying; files that nobody can read are said to
    # be of the corpora with these names, where there was nothing else of the corpus that was asked for.
    if unreadable is not None or len(found) > 1:
        readable = [name for name in found if _reads(name, folder, unreadable)]
        found = readable if readable or unreadable is not None else found
    if not found:
        return _folder_below(options.config_name, folder) if unreadable is None else ""
    titles = {name: "IEMO-MECP" if corpus_of_config(name) == IEMOMECP else CORPORA[name].title for name in found}
    if len(titles) == 1:
        return "".join(f"{folder} looks like {title}: load it with {name!r}." for name, title in titles.items())
    return f"{folder} looks like {' or '.join(f'{title} (load it with {name!r})' for name, title in titles.items())}."


def _folder_below(config_name: str, folder: Path) -> str:
    """Suggests the folders in a folder, one level down, that hold files of a configuration."""

    def fits(path: Path) -> bool:
        try:
            return path.is_dir() and _is_of(config_name, path)
        except OSError:  # a folder that one may not look into
            return False

    listed = sorted(itertools.islice(folder.iterdir(), _MOST_NAMES)) if os.access(folder, os.R_OK) else []
    fitting = [path for path in listed if fits(path)]
    # Corpora share names of files; a folder that is called as the configuration is the one.
    fitting = [path for path in fitting if path.name.lower() == config_name] or fitting[:3]
    return f"Did you mean {' or '.join(repr(str(path)) for path in fitting)}?" if fitting else ""


def configurations_of(folder: Path) -> list[str]:
    """Lists configurations of whose files a folder holds some, by their names alone.

    Args:
        folder: A folder.

    Returns:
        One configuration per corpus.
    """
    found = [name for name in CORPUS_CONFIGS if name != "iemocap" and _is_of(name, folder)]
    if _is_of("iemocap", folder):
        found.append("3class" if _is_of("overlay", folder) else "iemocap")
    elif _is_of("overlay", folder):
        found.append("overlay")
    return found


def _is_of(config_name: str, folder: Path) -> bool:
    """Whether a folder holds files that the record of a corpus names."""
    if config_name == "iemocap":
        return _first(folder, _ECPEC_NAMES) is not None
    if config_name == "overlay":
        return any((folder / "labels").glob("*.json")) or any((folder / "labels").glob("*.csv"))
    if config_name not in CORPORA:
        return _is_of("iemocap", folder) or _is_of("overlay", folder) or _first(folder, ROOT_NAMES) is not None
    corpus = CORPORA[config_name]
    accepted = (*corpus.split_files.values(), *corpus.further_files.values())
    return any((folder / name).is_file() for names in accepted for name in names)


def _reads(config_name: str, folder: Path, unreadable: Inputs | None) -> bool:
    """Whether a folder can be read as a corpus, with every file that another could not read."""
    try:
        inputs = _find(LoadOptions(config_name, folder))
        if unreadable is not None and not set(unreadable.files) <= set(inputs.files):
            return False
        _read_in_language(inputs, config_name)
    except IemomecpError:
        return False
    return True


def _find_overlay(options: LoadOptions) -> Inputs:
    label_dir = _label_dir(options)
    if label_dir is None:
        raise MissingDataError(_missing("the label files", "labels", "label_dir", LABELS_SOURCE, options))
    files = {path for paths in find_label_files(label_dir).values() for path in paths}
    return Inputs(
        files=tuple(sorted(files)),
        splits=SPLITS,
        read=functools.partial(load_overlay, label_dir),
        synthetic=_is_synthetic(options, label_dir),
    )


def _find_full(options: LoadOptions, full_root: Path) -> Inputs:
    label_dir = _label_dir(options)
    if label_dir is None:
        raise MissingDataError(_missing("the label files", "labels", "label_dir", LABELS_SOURCE, options))
    splits = find_full_splits(full_root)
    label_files = {path for paths in find_label_files(label_dir).values() for path in paths}
    synthetic = _is_synthetic(options, label_dir, full_root)
    return Inputs(
        files=(*sorted(label_files), *splits.values()),
        splits=SPLITS,
        synthetic=synthetic,
        read=functools.partial(
            merge_full,
            FullSources(label_dir=label_dir, splits=splits, synthetic=synthetic),
            config_name=options.config_name,
            forward_pairs=options.forward_pairs,
        ),
    )


def _find_merge(options: LoadOptions) -> Inputs:
    label_dir = _label_dir(options)
    ecpec = options.convecpe_root or _first(options.data_dir, _ECPEC_NAMES)
    iemocap = options.iemocap_root or _first(options.data_dir, ROOT_NAMES)
    missing = []
    if iemocap is None and options.text_source == "iemocap":
        place = " or ".join(ROOT_NAMES)
        advice = f"{IEMOCAP_SOURCE}; or do without it by text_source='ecpec'"
        missing.append(_missing("the IEMOCAP release", place, "iemocap_root", advice, options))
    if ecpec is None:
        missing.append(_missing("ConvECPE", " or ".join(_ECPEC_NAMES), "convecpe_root", ECPEC_SOURCE, options))
    if label_dir is None:
        missing.append(_missing("the label files", "labels", "label_dir", LABELS_SOURCE, options))
    if missing or ecpec is None or label_dir is None:
        raise MissingDataError("\n".join(missing))
    label_files = {path for paths in find_label_files(label_dir).values() for path in paths}
    pickle = find_ecpec(ecpec)
    release = find_iemocap(iemocap) if iemocap is not None else None
    annotations, media = _release_files(release)
    synthetic = _is_synthetic(options, label_dir, ecpec, *([iemocap] if iemocap is not None else []))
    notes = []
    if release is None:
        notes.append(
            "There is no IEMOCAP release here; as asked for by text_source='ecpec', text is ConvECPE's, and times and "
            "media are null."
        )
    return Inputs(
        files=(*sorted(label_files), pickle, *sorted(annotations)),
        splits=SPLITS,
        media=media,
        synthetic=synthetic,
        notes=tuple(notes),
        read=functools.partial(
            merge,
            MergeSources(label_dir=label_dir, ecpec=pickle, iemocap=release, synthetic=synthetic),
            config_name=options.config_name,
            text_source=options.text_source,
            forward_pairs=options.forward_pairs,
            tolerance=_tolerance(options),
            max_label_mismatch=options.max_label_mismatch,
        ),
    )


def _find_whole(options: LoadOptions) -> Inputs:
    ecpec = options.convecpe_root or _first(options.data_dir, _ECPEC_NAMES)
    iemocap = options.iemocap_root or _first(options.data_dir, ROOT_NAMES)
    if ecpec is None:
        advice = f"{ECPEC_SOURCE}; IEMOCAP/ beside it ({IEMOCAP_SOURCE}) adds times and media"
        raise MissingDataError(_missing("ConvECPE", " or ".join(_ECPEC_NAMES), "convecpe_root", advice, options))
    pickle = find_ecpec(ecpec)
    release = find_iemocap(iemocap) if iemocap is not None else None
    annotations, media = _release_files(release)
    return Inputs(
        files=(pickle, *sorted(annotations)),
        splits=SPLITS if options.validation != "none" else ("train", "test"),
        media=media,
        synthetic=_is_synthetic(options, ecpec, *([iemocap] if iemocap is not None else [])),
        read=functools.partial(
            merge_whole,
            pickle,
            release,
            text_source=options.text_source,
            tolerance=_tolerance(options),
            validation=options.validation,
        ),
    )


def _tolerance(options: LoadOptions) -> Tolerance:
    return Tolerance(options.max_mismatch, options.max_dialogue_mismatch, options.allow_missing_text)


def _release_files(release: IemocapFiles | None) -> tuple[list[Path], list[tuple[str, int]]]:
    """Annotation files and media of a release."""
    if release is None:
        return [], []
    return (
        [*release.transcripts.values(), *release.evaluations.values()],
        [*release.wavs.values(), *release.videos.values()],
    )


def _label_dir(options: LoadOptions) -> Path | None:
    return options.label_dir or _first(options.data_dir, ("labels",))


def _first(folder: Path | None, names: tuple[str, ...]) -> Path | None:
    if folder is None:
        return None
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _missing(what: str, name: str, option: str, how_to_obtain: str, options: LoadOptions) -> str:
    looked = f"looked for {name} in {options.data_dir}" if options.data_dir is not None else "no data_dir= was given"
    return (
        f"{what[0].upper()}{what[1:]}: missing ({looked}; {option}= names another place). To obtain: {how_to_obtain}."
    )


def texts_are_synthetic(options: LoadOptions) -> bool:
    """Tells whether the texts of IEMO-MECP are a program's, so that no licence holds for them.

    A merge is called synthetic where any of its folders is marked; here the folders that texts come from are asked
    alone, each for a mark of its own, so that synthetic labels make no text of IEMOCAP free.

    Args:
        options: What is loaded; of a configuration that is not IEMO-MECP's it tells nothing.

    Returns:
        Whether IEMOCAP and ConvECPE, those of them that are there, are marked as synthetic.
    """
    found = (
        options.iemocap_root or _first(options.data_dir, ROOT_NAMES),
        options.convecpe_root or _first(options.data_dir, _ECPEC_NAMES),
        options.full_root,
    )
    folders = [folder.resolve() for folder in found if folder is not None]
    return bool(folders) and all((folder / SYNTHETIC_FILE).is_file() for folder in folders)


def _is_synthetic(options: LoadOptions, *parts: Path) -> bool:
    """Tells whether any part is in a folder marked as synthetic, which makes all that is merged with it synthetic."""
    folders = [options.data_dir, *parts, *(part.parent for part in parts)]
    return any(folder is not None and (folder / SYNTHETIC_FILE).exists() for folder in folders)
