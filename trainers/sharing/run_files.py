"""What of a run may leave the machine: an allow-list of files, and these without local paths.

Predictions and explanations hold the ids of dialogues and, in explanations, licensed text; checkpoints, logs and
whatever else lies in a run folder may hold anything. None of it is uploaded; what stays is counted and said.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iemomecp_dataset.benchmark.runs.results import EXTERNAL, RESULTS_FILE, RunResults, folder_of_run, read_results
from iemomecp_dataset.errors import InvalidDataError, MissingDataError, RunFolderError, UsageError, nearest_path
from iemomecp_dataset.files import read_json, read_text
from iemomecp_dataset.files.yaml_files import read_yaml
from iemomecp_dataset.trainers.sharing.model_index import card_metadata, metadata_header
from iemomecp_dataset.trainers.sharing.names import is_local, without_local_paths

__all__ = ["ALLOWED", "SharedFiles", "card_metadata_of", "shared_files", "split_card"]

_PARTS = r"(?:member_[0-9]+/)?(?:(?:adapter|language_model|vision_tower)/)?"
_CONFIGURATIONS = (
    r"(?:config|generation_config|adapter_config|tokenizer_config|special_tokens_map|added_tokens"
    r"|(?:video_|image_)?(?:pre)?processor_config)\.json"
)
_AS_THEY_ARE = (
    r"(?:(?:adapter_)?model(?:-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json|tokenizer\.json|vocab\.(?:json|txt)|merges\.txt"
    r"|[\w.-]+\.model|chat_template\.(?:jinja|json))"
)
ALLOWED = re.compile(rf"{_PARTS}(?:{_CONFIGURATIONS}|{_AS_THEY_ARE})|README\.md|results\.json|config\.yaml")
"""Paths in the repository that a run's files may have."""

_REASONS = (
    (re.compile(r"predictions_.*|emotions_.*"), "ids of dialogues"),
    (re.compile(r"explanations_.*"), "texts of the corpus"),
    (re.compile(r"log\.jsonl"), "log"),
    (re.compile(r"checkpoint/.*"), "checkpoints"),
    (re.compile(r"model/.*\.(bin|pt|pth|ckpt|pkl|pickle)"), "pickled weights"),
)

_RESULTS = frozenset(one.name for one in dataclasses.fields(RunResults)) - {"extra"} | {
    *("signatures", "leaks", "token_losses", "emotion_categories", "remarks")
}
"""Keys of ``results.json`` that are uploaded; by hand or by another program anything may have been added."""

_OF_BASE = ("text_encoder_name", "language_model_name", "base_model_name_or_path")


@dataclass(frozen=True)
class SharedFiles:
    """Files of one commit.

    Attributes:
        files: By path in the repository: content, or the file that holds it.
        stays: Number of files that stay on the machine, by what they are.
        remarks: What others will miss, one sentence each.
    """

    files: Mapping[str, bytes | Path]
    stays: Mapping[str, int]
    remarks: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in self.files.values())


def shared_files(run: str | Path, repository: str, *, base_model: str | None = None) -> SharedFiles:
    """Collects what of a finished run may be uploaded.

    Args:
        run: Folder of the run, or its ``model/``.
        repository: ``OWNER/NAME``; the card's code loads the model from there.
        base_model: Name on the Hub of the text encoder or language model that the run knows by a local path.

    Returns:
        The model's files at the root of the repository, so that ``from_pretrained`` finds them, with the card,
        ``results.json`` and ``config.yaml``; local paths are removed.

    Raises:
        MissingDataError: It is not the folder of a run, or the run has not finished.
        RunFolderError: Its files are damaged, or it holds no model.
        UsageError: The members of an ensemble know several models by local paths, and ``base_model`` names one.
    """
    folder = folder_of_run(run)
    if not folder.exists():
        raise MissingDataError(f"There is no folder {folder}.{nearest_path(folder)} Give the folder of a run.")
    results = read_results(folder)
    model = folder / "model"
    if not (model / "config.json").is_file() or not any(model.rglob("*.safetensors")):
        of_others = "; its predictions come from another system" if results.scorer == EXTERNAL else ""
        raise RunFolderError(f"{folder} holds no model in safetensors (model/){of_others}. There is nothing to upload.")
    options = _options(folder / "config.yaml")
    renamed = {path: without_local_paths(path, within_texts=False) for path in (str(folder), *_paths_in(options))}
    configurations = _configurations(model)
    if base_model:
        local = list(dict.fromkeys(name for config, _ in configurations for name in _local_models(config)))
        if len(local) > 1:
            raise UsageError(
                f"--base-model {base_model} names one model, and the members of {folder} name {len(local)} by local "
                f"paths: {', '.join(local)}. Leave it out."
            )
        renamed |= dict.fromkeys(local, base_model)
    files: dict[str, bytes | Path] = {}
    stays: Counter[str] = Counter()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        within = path.relative_to(folder).as_posix()
        name = within.removeprefix("model/")
        if not within.startswith("model/") or not ALLOWED.fullmatch(name) or name in ("results.json", "config.yaml"):
            if within not in (RESULTS_FILE, "config.yaml"):
                stays[_reason(within)] += 1
        elif name.endswith("README.md"):
            continue  # written below
        elif re.fullmatch(_PARTS + _CONFIGURATIONS, name):
            files[name] = _as_json(
                _configuration(
                    read_json(path), base_model, deep="token" not in path.name, within_texts=path.name == "config.json"
                )
            )
        else:
            files[name] = path
    missed = tuple(one for one in _all_missed(configurations) if not (base_model and one.of_base_model))
    files["README.md"] = _card(model / "README.md", results, repository, base_model, missed, renamed).encode("utf-8")
    files[RESULTS_FILE] = _as_json(without_local_paths(_shared_results(read_json(folder / RESULTS_FILE)), renamed))
    if options:
        files["config.yaml"] = _shared_options(options, renamed)
    return SharedFiles(dict(sorted(files.items())), dict(stays), tuple(one.remark() for one in missed))


def card_metadata_of(text: str, where: str) -> dict[str, Any]:
    """Reads a card's metadata by the Hub's own rules.

    Args:
        text: The card.
        where: What to name in errors.

    Returns:
        The metadata; empty without any.

    Raises:
        InvalidDataError: It is not valid YAML, or its ``model-index`` is not in the Hub's schema.
    """
    from huggingface_hub import ModelCard
    from yaml import YAMLError

    try:
        found: dict[str, Any] = ModelCard(text, ignore_metadata_errors=False).data.to_dict()
    except (ValueError, YAMLError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise InvalidDataError(f"{where}: the metadata at its top is not valid ({first_line}). Repair it.") from error
    return {name: value for name, value in found.items() if value is not None}


def split_card(text: str) -> tuple[str, str]:
    r"""Splits a card into its header, with both lines ``---``, and what follows.

    Example:
        >>> split_card("---\nlicense: mit\n---\n# A model\n")
        ('---\nlicense: mit\n---\n', '# A model\n')
    """
    found = re.match(r"---\n.*?\n---[ \t]*(?:\n|$)", text, flags=re.DOTALL)
    return (found.group(), text[found.end() :]) if found else ("", text)


def _card(
    file: Path,
    results: RunResults,
    repository: str,
    base_model: str | None,
    missed: Sequence[_Missed],
    renamed: Mapping[str, str],
) -> str:
    """The run's card: what its header states stays as it is, what it lacks is added, and its code names the model."""
    computed = card_metadata(results, base_model=base_model)
    text = read_text(file).replace("\r\n", "\n") if file.is_file() else f"# {results.run_name}\n"
    stated = card_metadata_of(text, str(file))
    stated = {name: value for name, value in stated.items() if not _names_local_model(name, value)}
    body = split_card(text)[1].replace("path/to/this/folder", repository)
    body = without_local_paths(body, renamed).strip("\n")
    if missed:
        body = "\n\n".join([body, "## Not in this repository", *(one.note() for one in missed)])
    return f"{metadata_header({**computed, **stated})}\n{body}\n"


def _names_local_model(name: str, value: Any) -> bool:
    return name == "base_model" and any(is_local(one) for one in ([value] if isinstance(value, str) else value))


def _shared_results(content: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what is not known, and without the ids that its warnings on shared data name."""
    shared = {key: value for key, value in content.items() if key in _RESULTS}
    if "leaks" in shared:
        shared["leaks"] = [re.sub(r"; such as .*?\.$", ".", one) for one in shared["leaks"]]
    return shared


def _configuration(content: Any, base_model: str | None, *, deep: bool, within_texts: bool) -> Any:
    """A configuration without local paths, and with the base model's name where a local path stood.

    ``deep`` is false for files of a tokenizer: on their deeper levels are tokens, which may look like paths.
    ``within_texts`` is false for files with templates, which stay as they are.
    """
    if not isinstance(content, Mapping):
        return content
    renamed = {key: base_model for key in _OF_BASE if base_model and is_local(str(content.get(key) or ""))}
    return {
        key: without_local_paths(value, within_texts=within_texts) if deep or isinstance(value, str) else value
        for key, value in {**content, **renamed}.items()
    }


def _local_models(config: Any) -> Iterator[str]:
    for key in _OF_BASE:
        value = config.get(key) if isinstance(config, Mapping) else None
        if isinstance(value, str) and is_local(value):
            yield value


@dataclass(frozen=True)
class _Missed:
    """A model that a loaded model looks for under a path of this machine.

    Attributes:
        what: Kind of model.
        path: Its path.
        option: Option that takes it from elsewhere; empty without one.
        of_base_model: Whether ``--base-model`` names it.
    """

    what: str
    path: str
    option: str
    of_base_model: bool

    def note(self) -> str:
        """For the card, without the path."""
        given = f": give the one that you have as `{self.option}=`" if self.option else ""
        return (
            f"The {self.what} `{without_local_paths(self.path)}`, which the model was trained with, has no name on the "
            f"Hub and is not part of this repository{given}."
        )

    def remark(self) -> str:
        """For whoever uploads."""
        given = f", and must give theirs as {self.option}=" if self.option else ""
        hint = " If it is on the Hub, name it with --base-model." if self.of_base_model else ""
        return (
            f"The {self.what} is named by the path {self.path}, where others will not find it{given}: its weights are "
            f"not uploaded, and only {without_local_paths(self.path)!r} is stated as its name.{hint}"
        )


def _configurations(model: Path) -> list[tuple[Any, Path]]:
    """The configuration of a model and its folder; of an ensemble those of its members, which encode texts."""
    config = read_json(model / "config.json")
    members = config.get("members") if isinstance(config, Mapping) else None
    folders = [model / str(one) for one in members] if isinstance(members, list) else []
    found = [(read_json(one / "config.json"), one) for one in folders if (one / "config.json").is_file()]
    return found or [(config, model)]


def _all_missed(configurations: Sequence[tuple[Any, Path]]) -> list[_Missed]:
    """What is missed by a model or by any member, each once."""
    found = list(dict.fromkeys(one for config, model in configurations for one in _missed(config, model)))
    kinds = Counter(one.what for one in found)
    # One option names one model, so that it cannot stand for several.
    return [one if kinds[one.what] == 1 else dataclasses.replace(one, option="", of_base_model=False) for one in found]


def _missed(config: Mapping[str, Any], model: Path) -> Iterator[_Missed]:
    stored = {
        "text_encoder_name": config.get("text_encoder") is not None,
        "language_model_name": (model / "language_model").is_dir() and not config.get("language_model_elsewhere"),
        "vision_tower_name": (model / "vision_tower").is_dir(),
    }
    options = {"text_encoder_name": "text_encoder", "language_model_name": "language_model"}
    for key, is_stored in stored.items():
        name = config.get(key)
        if isinstance(name, str) and is_local(name) and not is_stored:
            what = key.removesuffix("_name").replace("_", " ")
            yield _Missed(what, name, options.get(key, ""), key in _OF_BASE)
    for modality in ("audio", "video"):
        extractor = config.get(f"{modality}_extractor")
        name = extractor.get("model") if isinstance(extractor, Mapping) else None
        if isinstance(name, str) and is_local(name):
            yield _Missed(f"{modality} encoder", name, "", False)


def _options(file: Path) -> dict[str, Any]:
    """The options of a run; none where it states none."""
    if not file.is_file():
        return {}
    try:
        options = read_yaml(file)
    except InvalidDataError as error:
        raise RunFolderError(f"{error} Repair it.") from error
    if not isinstance(options, dict):
        raise RunFolderError(f"{file} holds no options. Repair it.")
    return options


def _shared_options(options: Mapping[str, Any], renamed: Mapping[str, str]) -> bytes:
    """The options without paths, and a note on which are removed."""
    import yaml

    models = ("text_encoder", "language_model", "vision_tower", "run_name")
    kept = {
        name: without_local_paths(value, renamed)
        for name, value in options.items()
        if name in models or not _is_path(name, value)
    }
    removed = sorted(options.keys() - kept.keys())
    note = f"# Paths of the machine that trained it are removed: {', '.join(removed)}.\n" if removed else ""
    return (note + yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)).encode("utf-8")


def _is_path(name: str, value: Any) -> bool:
    if name == "train_with":  # CORPUS=DIR of each
        return bool(value)
    places = r".*_(dir|root|map|features|table|from)|frames|output|cache"
    return isinstance(value, str) and (is_local(value) or bool(re.fullmatch(places, name)))


def _paths_in(options: Mapping[str, Any]) -> list[str]:
    """Paths from the root of the file system: they may stand in any text, with blanks in them."""
    found = {value.rstrip("/") for value in options.values() if isinstance(value, str) and value.startswith(("/", "~"))}
    return sorted(path for path in found if path.count("/") > 1)


def _as_json(content: Any) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _reason(within: str) -> str:
    return next((reason for pattern, reason in _REASONS if pattern.fullmatch(within)), "other files")
