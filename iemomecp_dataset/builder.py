"""The ``datasets`` builder, an adapter around the readers of this package, and :func:`load`, which runs it.

Everything is read and validated before the first row is generated, because ``datasets`` wraps what is raised while rows
are generated in an error of its own.
"""

from __future__ import annotations

import functools
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import datasets
import pyarrow as pa

from iemomecp_dataset.cache_folder import check_cache, temporary_cache
from iemomecp_dataset.cached_rows import damage_of, remove_damaged, write_digests
from iemomecp_dataset.corpora.metadata import corpus_metadata, emotions_of_config, further_splits, pair_classes
from iemomecp_dataset.dataset_card import CITATION, TERMS
from iemomecp_dataset.errors import IemomecpError, InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.files import blamed_place, error_of_place, not_written, writing_to
from iemomecp_dataset.find_sources import find_inputs, folder_as_name
from iemomecp_dataset.fingerprints import code_fingerprint, content_fingerprint, file_states
from iemomecp_dataset.options import (
    CONFIG_NAMES,
    CORPUS_CONFIGS,
    DEFAULT_CONFIG,
    OPTION_NAMES,
    LoadOptions,
    load_options,
)
from iemomecp_dataset.registration import DATASET_NAME
from iemomecp_dataset.rows import SYNTHETIC_MARK, missing_texts_sentence
from iemomecp_dataset.schema import COMMON_EMOTIONS, SPLITS, annotation_features, canonical_split, row_features

if TYPE_CHECKING:
    from iemomecp_dataset.merging.merge_report import MergeReport
    from iemomecp_dataset.reader import Inputs, Loaded

__all__ = ["IemomecpBuilder", "IemomecpConfig", "load"]

_LOGGER = logging.getLogger(__name__)
_VERSION = datasets.Version("1.0.0")

Split: TypeAlias = str | datasets.NamedSplit | datasets.ReadInstruction
"""One split, or a part or sum of splits."""


@overload
def load(
    name: str | None = ...,
    data_dir: str | Path | None = ...,
    *,
    split: Split,
    streaming: Literal[False] = ...,
    **options: Any,
) -> datasets.Dataset: ...
@overload
def load(
    name: str | None = ...,
    data_dir: str | Path | None = ...,
    *,
    split: None = ...,
    streaming: Literal[False] = ...,
    **options: Any,
) -> datasets.DatasetDict: ...
@overload
def load(
    name: str | None = ...,
    data_dir: str | Path | None = ...,
    *,
    split: Split,
    streaming: Literal[True],
    **options: Any,
) -> datasets.IterableDataset: ...
@overload
def load(
    name: str | None = ...,
    data_dir: str | Path | None = ...,
    *,
    split: None = ...,
    streaming: Literal[True],
    **options: Any,
) -> datasets.IterableDatasetDict: ...
def load(
    name: str | None = None,
    data_dir: str | Path | None = None,
    *,
    split: Split | None = None,
    streaming: bool = False,
    num_proc: int | None = None,
    cache_dir: str | Path | None = None,
    download_mode: Any = None,
    keep_in_memory: bool = False,
    **options: Any,
) -> Any:
    """Loads a configuration, as ``datasets.load_dataset("iemomecp", name, ...)`` does.

    Args:
        name: ``3class`` (default), ``source_binary``, ``overlay``, ``ecf``, ``mecad``, ``mec4``, ``reccon``,
            ``meld``, ``iemocap``, ``ecem`` or ``ecgf``.
        data_dir: Folder of the sources.
        split: A split, a slice of one (``"train[:10%]"``, not of a stream), a sum (``"train+dev"``), or None for all;
            ``dev`` and ``valid`` are ``validation``, capitals do not matter.
        streaming: Yields rows without writing Arrow files.
        num_proc: Number of processes that write the Arrow files.
        cache_dir: Folder of the Arrow files; the default is that of ``datasets``.
        download_mode: As in ``datasets``; ``"force_redownload"`` rebuilds.
        keep_in_memory: Copies the rows into memory.
        **options: Options of the configuration, see :class:`iemomecp_dataset.options.LoadOptions`.

    Returns:
        A :class:`datasets.Dataset` for one split, else a :class:`datasets.DatasetDict`; with ``streaming`` their
        iterable forms.

    Raises:
        IemomecpError: An unknown name or option, missing files, or files that violate their format.
    """
    builder = IemomecpBuilder(
        config_name=name,
        data_dir=None if data_dir is None else str(data_dir),
        cache_dir=None if cache_dir is None else str(cache_dir),
        dataset_name=DATASET_NAME,
        hash=code_fingerprint(),
        **options,
    )
    if streaming:
        return builder.as_streaming_dataset(split=split)
    builder.download_and_prepare(download_mode=download_mode, num_proc=num_proc)
    return builder.as_dataset(split=split, in_memory=keep_in_memory)


@dataclass
class IemomecpConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """Options of a configuration as ``datasets`` stores them; the readers take :class:`LoadOptions`."""

    iemocap_root: str | None = None
    convecpe_root: str | None = None
    label_dir: str | None = None
    full_root: str | None = None
    text_source: str = LoadOptions.text_source
    forward_pairs: str = LoadOptions.forward_pairs
    max_mismatch: float = LoadOptions.max_mismatch
    max_dialogue_mismatch: float = LoadOptions.max_dialogue_mismatch
    allow_missing_text: bool = LoadOptions.allow_missing_text
    max_label_mismatch: float = LoadOptions.max_label_mismatch
    emotions: str = LoadOptions.emotions
    candidates: str | None = None
    annotations: bool = LoadOptions.annotations
    validation: str = LoadOptions.validation
    status: str = LoadOptions.status
    meld_root: str | None = None
    ecf_root: str | None = None
    ecf_map: str | None = None

    def load_options(self) -> LoadOptions:
        """Checks the options and resolves their paths."""
        return load_options(self.name, {option: getattr(self, option) for option in OPTION_NAMES})

    def create_config_id(self, config_kwargs: dict[str, Any], custom_features: Any = None) -> str:
        """Names the cache folder after everything that rows depend on, including the content of the inputs."""
        options = self.load_options()
        keys: dict[str, object] = {name: getattr(options, name) for name in LoadOptions.__dataclass_fields__}
        if custom_features is not None:
            keys["features"] = repr(custom_features)
        if not _has_source(options):
            # Without data the schema can be inspected; loading raises an error that lists what is missing.
            return self.name if not config_kwargs else f"{self.name}-{content_fingerprint(keys, (), ())}"
        inputs = find_inputs(options)
        keys["synthetic"] = inputs.synthetic  # Part of the description, which is cached with the rows.
        states = file_states(inputs.files)
        fingerprint = content_fingerprint(keys, inputs.files, inputs.media)
        # Searching a release is slow, so once is enough.
        self.__dict__["found"] = _Found(inputs, keys, states, fingerprint)
        _LOGGER.debug(
            "%s-%s: made of %d files and %d media files", self.name, fingerprint, len(inputs.files), len(inputs.media)
        )
        return f"{self.name}-{fingerprint}"


@dataclass(frozen=True)
class _Found:
    """The files of a configuration as they were when the rows were given their name in the cache."""

    inputs: Inputs
    keys: dict[str, object]
    states: dict[Path, tuple[int, ...]]
    fingerprint: str

    def read(self) -> Loaded:
        """Reads the files.

        Raises:
            InvalidDataError: One was written to meanwhile, so that the rows would not be those of the name.
            IemomecpError: A file is missing or violates its format.
        """
        try:
            loaded = self.inputs.read()
        except IemomecpError:
            self._check_unchanged()
            raise
        self._check_unchanged()
        return loaded

    def _check_unchanged(self) -> None:
        now = file_states(self.inputs.files)
        changed = [path for path, state in self.states.items() if now[path] != state]
        # The content, too: some file systems note times late or coarsely.
        if not changed and content_fingerprint(self.keys, self.inputs.files, self.inputs.media) != self.fingerprint:
            changed = [*self.inputs.files]
        if changed:
            others = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            raise InvalidDataError(
                f"{changed[0]}{others}: changed while it was read. Load again when nothing writes to it."
            )


class IemomecpBuilder(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
    """Builds every configuration of ``iemomecp``."""

    VERSION = _VERSION
    BUILDER_CONFIG_CLASS = IemomecpConfig
    BUILDER_CONFIGS = [IemomecpConfig(name=name, version=_VERSION) for name in CONFIG_NAMES]  # noqa: RUF012
    DEFAULT_CONFIG_NAME = DEFAULT_CONFIG

    config: IemomecpConfig
    _cache_dir: str
    _cache_dir_root: str
    merge_report: MergeReport | None = None
    """How the sources were merged; None for other corpora, and until rows are built in this process."""
    _damage: str = ""
    """What was wrong with the copy in the cache, which was removed then."""
    _checked: str = ""
    """The folder in the cache whose files were compared with their digests."""

    def __init__(self, *args: Any, config_name: str | None = None, **kwargs: Any) -> None:
        if kwargs.get("data_files") is not None:
            raise UsageError("'iemomecp' is built from a folder: pass data_dir=, not data_files=.")
        options = {name: value for name, value in kwargs.items() if name not in _BUILDER_ARGUMENTS}
        if config_name is not None and (advice := folder_as_name(config_name)):
            raise UsageError(advice)
        load_options(config_name, options)
        kwargs.update({name: str(value) for name, value in options.items() if isinstance(value, Path)})
        given = str(kwargs.get("cache_dir") or datasets.config.HF_DATASETS_CACHE)
        refused = "" if "://" in given else check_cache(Path(given).expanduser())
        if not refused:
            try:
                super().__init__(*args, config_name=config_name, **kwargs)
            except OSError as error:
                found = error_of_place(error)
                in_cache = found is not None and Path(str(found.filename)).is_relative_to(Path(given).expanduser())
                if found is None or not in_cache:
                    raise
                # A path of a lock that is too long, or a lock of somebody else.
                refused = str(not_written(Path(given).expanduser(), found))
        if refused:
            with tempfile.TemporaryDirectory() as empty:  # what the rows are called is known only afterwards
                super().__init__(*args, config_name=config_name, **{**kwargs, "cache_dir": empty})
            self._move_cache(Path(given).expanduser(), refused)
        for note in self._inputs.notes if self._inputs else ():
            _LOGGER.warning(note)
        for remark in self._inputs.remarks if self._inputs else ():
            _LOGGER.info(remark)

    def _move_cache(self, given: Path, why: str) -> None:
        """Goes on with a temporary cache folder, and with the rows of the given one."""
        rows = Path(self._cache_dir).relative_to(self._cache_dir_root)
        self._cache_dir_root = str(temporary_cache(given, rows, why))
        self._cache_downloaded_dir = str(Path(self._cache_dir_root) / "downloads")
        self._cache_dir = self._output_dir = str(Path(self._cache_dir_root) / rows)
        if Path(self._cache_dir).is_dir():
            self.info = datasets.DatasetInfo.from_directory(self._cache_dir)

    def download_and_prepare(self, output_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Makes the rows where there are none or damaged ones; in a temporary folder if the cache cannot hold them."""
        try:
            super().download_and_prepare(output_dir, *args, **kwargs)
        except Exception as error:
            given = Path(self._cache_dir_root)
            found = error_of_place(error, given)
            if isinstance(error, IemomecpError) or found is None or output_dir is not None:
                raise
            if (place := blamed_place(found, given)) != given:
                raise not_written(place, found) from error
            self._move_cache(given, str(not_written(given, found)))
            with writing_to(Path(self._cache_dir_root)):
                super().download_and_prepare(output_dir, *args, **kwargs)
        if self._damage and (damage := damage_of(Path(self._cache_dir))):
            raise InvalidDataError(
                f"{self._cache_dir}: this cached copy was damaged ({self._damage}), was built again, and is damaged "
                f"again ({damage}). The disk may be faulty: name another folder by cache_dir= or HF_DATASETS_CACHE."
            )

    @functools.cached_property
    def _inputs(self) -> Inputs | None:
        found: _Found | None = self.config.__dict__.get("found")
        return found.inputs if found is not None else None

    def _build_cache_dir(self) -> str:
        # Asked for by the constructor just before it reads the description in this folder, and by `load_dataset` again.
        folder: str = super()._build_cache_dir()
        if folder != self._checked:
            self._damage, self._checked = remove_damaged(Path(folder)), folder
        return folder

    def _save_info(self) -> None:
        super()._save_info()
        if self._output_dir.startswith(self._cache_dir):
            write_digests(Path(self._output_dir))

    def _info(self) -> datasets.DatasetInfo:
        splits = self._inputs.splits if self._inputs is not None else ()
        synthetic = self._inputs is not None and self._inputs.synthetic
        return _dataset_info(self.config.load_options(), splits, synthetic=synthetic)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        options = self.config.load_options()
        if self._inputs is None:
            raise MissingDataError(_no_data_dir(options))
        loaded = self.config.__dict__["found"].read()
        self.merge_report = loaded.report
        # The description is shown to every user, and cached with the rows.
        for note in loaded.notes:
            _LOGGER.warning(note)
        synthetic = self._inputs.synthetic or loaded.synthetic
        self.info.description = _dataset_info(options, self._inputs.splits, synthetic=synthetic).description
        if loaded.counts:
            listing = "; ".join(f"{what} {count}" for what, count in loaded.counts.items())
            self.info.description += f" Found in the files and not in the rows: {listing}."
            _LOGGER.warning("%s: found in the files and not in the rows: %s.", self.config.name, listing)
        if loaded.omitted:
            listing = "; ".join(f"{what} {count}" for what, count in loaded.omitted.items())
            self.info.description += f" In the rows only with annotations=True: {listing}."
        self.info.description += missing_texts_sentence(loaded.missing_texts)
        # One list entry per dialogue: num_proc and streaming workers split the list among themselves.
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"dialogues": rows}) for split, rows in loaded.rows.items()
        ]

    def _generate_examples(self, dialogues: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in dialogues:
            yield row["dialogue_id"], row

    def as_dataset(self, split: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Returns the rows of one split or of all; the error for an absent split names the missing file."""
        split = _canonical(split)
        self._check_split(split, self.info.splits or {})
        if self._damage and (damage := damage_of(Path(self._cache_dir))):
            raise InvalidDataError(
                f"{self._cache_dir}: this cached copy was damaged ({self._damage}), was built again, and is damaged "
                f"again ({damage}). The disk may be faulty: name another folder by cache_dir= or HF_DATASETS_CACHE."
            )
        # Which arguments follow differs between the versions of `datasets`, whose `load_dataset` gives them.
        try:
            return super().as_dataset(split, *args, **kwargs)
        except (pa.ArrowInvalid, OSError) as error:
            damage = damage_of(Path(self._cache_dir))
            if isinstance(error, IemomecpError) or not damage:
                raise
            raise InvalidDataError(
                f"{self._cache_dir}: this cached copy is damaged ({damage}). Load again: it is then built anew."
            ) from error

    def as_streaming_dataset(self, split: Any = None, base_path: str | None = None) -> Any:
        """Returns the rows of one split or of all, without writing Arrow files."""
        split = _canonical(split)
        spec = split.to_spec() if isinstance(split, datasets.ReadInstruction) else str(split)
        if "[" in spec and not isinstance(split, list | tuple | dict):
            raise UsageError(
                f"A stream cannot be sliced, and {spec!r} is a slice: ask for whole splits, and take rows of the "
                "stream by .take(3) and .skip(3)."
            )
        if self._inputs is not None:
            self._check_split(split, self._inputs.splits)
        return super().as_streaming_dataset(split=split, base_path=base_path)

    def _check_split(self, split: Any, available: Any) -> None:
        if not isinstance(split, str | datasets.NamedSplit):
            return
        known = (*SPLITS, *further_splits(self.config.name))
        for part in str(split).split("+"):
            name = re.split(r"[\[\s]", part.strip(), maxsplit=1)[0]
            if name in known and name not in available:
                said = (*self._inputs.notes, *self._inputs.remarks) if self._inputs else ()
                notes = [note for note in said if f" {name} " in note]
                raise MissingDataError(
                    f"There is no {name} split here; there are {', '.join(available)}. {' '.join(notes)}".strip()
                )
            if name not in known and name != "all":
                raise UsageError(f"There is no split {name!r}. The splits are {', '.join(available)}.")


def _canonical(split: Any) -> Any:
    """Splits under the names that they have in the code, in every form that ``datasets`` takes."""
    if isinstance(split, str):
        # `datasets` takes blanks around the signs of a sum for a part of the names.
        return canonical_split(re.sub(r"\s*\+\s*", "+", split.strip()))
    if isinstance(split, datasets.NamedSplit):
        return datasets.NamedSplit(canonical_split(str(split)))
    if isinstance(split, datasets.ReadInstruction):
        spec = split.to_spec()
        return split if canonical_split(spec) == spec else datasets.ReadInstruction.from_spec(canonical_split(spec))
    if isinstance(split, list | tuple):
        return type(split)(map(_canonical, split))
    if isinstance(split, dict):
        return {name: _canonical(part) for name, part in split.items()}
    return split


_BUILDER_ARGUMENTS = frozenset(
    {
        "cache_dir",
        "dataset_name",
        "hash",
        "base_path",
        "info",
        "features",
        "token",
        "repo_id",
        "data_files",
        "storage_options",
        "writer_batch_size",
        "config_id",
    }
)


def _has_source(options: LoadOptions) -> bool:
    return any((options.data_dir, options.label_dir, options.iemocap_root, options.convecpe_root, options.full_root))


def _no_data_dir(options: LoadOptions) -> str:
    if options.config_name in CORPUS_CONFIGS:
        corpus = corpus_metadata(options.config_name)
        what = f"the files of {corpus.title}. To obtain them: {corpus.how_to_obtain}"
    else:
        what = "IEMOCAP/, ECPEC/ and labels/"
    return (
        f"Configuration {options.config_name!r} is built from files you supply: pass data_dir=, a folder with {what}."
    )


def _dataset_info(options: LoadOptions, splits: Sequence[str], *, synthetic: bool) -> datasets.DatasetInfo:
    common = options.emotions == "common"
    features = row_features(
        pair_classes(options.config_name),
        emotions_of_config(options.config_name, options.emotions, splits),
        emotion_source=common,
    )
    if options.config_name in CORPUS_CONFIGS:
        corpus = corpus_metadata(options.config_name)
        if options.candidates == "past":
            pair = {"target_turn": datasets.Value("int32"), "cause_turn": datasets.Value("int32")}
            features = datasets.Features({**features, "gold_outside_candidates": [pair]})
        if options.annotations:
            features = datasets.Features({**features, **annotation_features()})
        content = "emotions without cause pairs"
        if corpus.has_pairs:
            content = f"candidates: {options.candidates}"
        elif corpus.has_explanations:
            content = f"explanations: {options.status}" if options.config_name == "ecem" else "explanations"
        description = f"{corpus.title}, one row per dialogue, {content}."
        citation, homepage, terms = corpus.citation, corpus.url, corpus.license
    else:
        description = f"IEMO-MECP, configuration {options.config_name}, one row per chunk of a dialogue. {TERMS}"
        citation, homepage, terms = CITATION, "https://arxiv.org/abs/2605.25208", "research only, see DATA_TERMS.md"
    if common:
        description += (
            f" Emotions are the common ones of all corpora ({', '.join(COMMON_EMOTIONS)}); emotion_source is the "
            f"corpus's own label."
        )
    return datasets.DatasetInfo(
        description=f"{SYNTHETIC_MARK}: {description}" if synthetic else description,
        features=features,
        citation=citation,
        homepage=homepage,
        license=terms,
    )
