"""A finished run of explanations that another run begins with (``--init_from``): its options, its epoch, its weights.

What was trained with adapters goes on with them, or is used as it is. From a language model that was trained whole, and
from a projector, every tuning can begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.files import read_json

if TYPE_CHECKING:
    from iemomecp_dataset.corpus import Corpus
    from iemomecp_dataset.trainers.explanation.options import ExplanationModelOptions

__all__ = ["begun_model", "earlier_epoch_split", "earlier_model_folder", "earlier_options"]

_MODEL_TYPE = "iemomecp_explanation"
_OF_PROMPTS = ("chat_template", "context_turns", "emotion", "causes")
_OF_ADAPTERS = ("lora_rank", "lora_alpha", "lora_dropout")


def earlier_model_folder(path: str | Path) -> Path:
    """Finds the saved model of a run.

    Args:
        path: Folder of the run, or its ``model/``.

    Raises:
        UsageError: There is none, or it is not one that explains emotions.
    """
    found = [folder for folder in (Path(path) / "model", Path(path)) if (folder / "config.json").is_file()]
    kind = read_json(found[0] / "config.json").get("model_type") if found else None
    if kind != _MODEL_TYPE:
        what = f"holds a model of the type {kind!r}" if found else "holds no model"
        raise UsageError(
            f"--init_from {path} {what} (looked for model/config.json and config.json). Give the folder of a finished "
            "run of trainers/explain.py."
        )
    return found[0]


def earlier_options(path: str | Path) -> dict[str, Any]:
    """Options of a run that a run begins with, where they are not given: language model, prompts, adapters and seed.

    Args:
        path: Folder of the run, or its ``model/``.

    Raises:
        UsageError: There is no such run.
    """
    # Imported here, so that --help is quick.
    from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, folder_of_run, read_results

    folder = earlier_model_folder(path)
    config = read_json(folder / "config.json")
    names = ("gguf_file", "projector", "max_length", *_OF_PROMPTS, *_OF_ADAPTERS)
    found = {name: config[name] for name in names if config.get(name) is not None}
    # The seed draws shuffled marks. Runs that begin with several seeds of a system are several seeds of one, too.
    if (folder_of_run(path) / RESULTS_FILE).is_file():
        found["seed"] = read_results(folder_of_run(path)).seed
    return {**found, "language_model": config.get("language_model_name") or str(folder / "language_model")}


def earlier_epoch_split(path: str | Path, corpus: Corpus) -> str | None:
    """The split of a corpus that the epoch of an earlier run was chosen on.

    Args:
        path: Folder of the run, or its ``model/``.
        corpus: The data that the model is scored on now.

    Returns:
        Its name; :data:`~iemomecp_dataset.metrics.signature_fields.NO_EPOCH_CHOSEN` where the epoch was chosen on other
        data, or none was chosen; None where that is unknown.
    """
    from iemomecp_dataset.benchmark.runs.results import RESULTS_FILE, folder_of_run, read_results
    from iemomecp_dataset.metrics.signature_fields import NO_EPOCH_CHOSEN

    folder = folder_of_run(path)
    if not (folder / RESULTS_FILE).is_file():
        return None
    record = read_results(folder)
    split = record.epoch_chosen_on
    if split is None or split == NO_EPOCH_CHOSEN:
        return split
    # By the texts: cause turns that are attached now, say, make other data of the same dialogues.
    return split if record.text_fingerprint.get(split) == corpus.text_fingerprints.get(split) else NO_EPOCH_CHOSEN


def begun_model(options: ExplanationModelOptions, sizes: Mapping[str, int], model_class: Any) -> Any:
    """Loads the model that a run begins with, in the shape that it trains.

    Args:
        options: The run's options of its model; ``init_from`` is given.
        sizes: ``frame_size`` and ``face_size`` of what it reads; 0 without.
        model_class: The :class:`~iemomecp_dataset.trainers.explanation.modeling_explanation.ExplanationModel`.

    Raises:
        UsageError: It was trained with other inputs, or this tuning cannot begin with it.
        IemomecpError: Its weights, or its language model, cannot be loaded.
    """
    from safetensors.torch import load_file

    from iemomecp_dataset.trainers.explanation.language_model import language_model_revision

    folder = earlier_model_folder(str(options.init_from))
    config = model_class.config_class.from_pretrained(folder)
    _check_fit(options, sizes, config)
    whole = config.tuning == "full"
    own = folder / "language_model"
    stored = str(own) if whole and not config.language_model_elsewhere else config.language_model_name
    if options.tuning in ("none", config.tuning):
        moved = None if whole or options.language_model == config.language_model_name else options.language_model
        model = model_class.from_pretrained(folder, language_model=moved)
        if options.tuning == "none" and whole:
            # Not stored a second time.
            model.config.language_model_name, model.config.language_model_elsewhere = stored, True
            model.config.language_model_revision = language_model_revision(str(stored), model.language_model.config)
            model.config.gguf_file = None
        elif whole:
            model.config.language_model_name, model.config.language_model_elsewhere = options.language_model, False
        elif moved:
            model.config.language_model_name = moved
    else:
        model = model_class.from_parts(
            stored if whole else options.language_model,
            gguf_file=None if whole else options.gguf_file,
            projector=config.projector,
            tuning=options.tuning,
            **sizes,
            **{name: getattr(options, name) for name in _OF_ADAPTERS},
        )
        model.projector.load_state_dict(load_file(folder / "model.safetensors"))
    model.config.max_length = options.max_length
    return model


def _check_fit(options: ExplanationModelOptions, sizes: Mapping[str, int], config: Any) -> None:
    run = options.init_from
    for name, flag, what in (
        ("frame_size", "--frames", "frames"),
        ("face_size", "--faces feature", "face vectors"),
    ):
        before, now = getattr(config, name), sizes[name]
        if before != now:
            shapes = [f"{what} of width {size}" if size else f"no {what}" for size in (before, now)]
            raise UsageError(
                f"--init_from {run} was trained with {shapes[0]}, but this run has {shapes[1]}. Give it {what} like "
                f"those ({flag}), or none where it had none."
            )
    if options.projector != config.projector and config.has_video:
        raise UsageError(
            f"--init_from {run} has the projector {config.projector}, not --projector {options.projector}. Leave "
            "--projector out."
        )
    if config.tuning == "lora" and options.tuning not in ("lora", "none"):
        raise UsageError(
            f"--init_from {run} was trained with adapters (--tuning lora), which --tuning {options.tuning} would not "
            "keep. Use --tuning lora to train them further, or --tuning none to use them as they are."
        )
    if config.tuning == "lora" and options.tuning == "lora":
        other = [name for name in _OF_ADAPTERS if getattr(options, name) != getattr(config, name)]
        if other:
            asked = ", ".join(f"--{name} {getattr(options, name):g}" for name in other)
            has = ", ".join(f"{getattr(config, name):g}" for name in other)
            raise UsageError(f"--init_from {run} has adapters of another shape than {asked}: {has}. Leave them out.")
    if config.tuning != "full" and options.gguf_file != config.gguf_file:
        raise UsageError(
            f"--init_from {run} was trained with --gguf_file {config.gguf_file}, not {options.gguf_file}. Leave "
            "--gguf_file out."
        )
    if config.tuning == "full" and config.language_model_name not in (None, options.language_model):
        raise UsageError(
            f"--init_from {run} holds its own language model (--tuning full), so --language_model has no effect. Leave "
            "it out."
        )
