"""The registry of scorers: what ``--scorer`` can name, and what training and inference need of each.

An entry lies beside the code of its scorer (:mod:`iemomecp_dataset.trainers.dialogue`,
:mod:`iemomecp_dataset.trainers.isolated`); a new one needs a folder and a line in ``_BUILT_IN``. Custom scorers are
added with :func:`register_scorer`. Importing this module does not import torch: code is named as
``"module:attribute"`` and loaded when it is used.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from iemomecp_dataset.errors import UsageError, did_you_mean
from iemomecp_dataset.trainers.compositions import OBJECTIVES

if TYPE_CHECKING:
    import numpy as np
    from accelerate import Accelerator
    from numpy.typing import NDArray
    from transformers import PreTrainedConfig, PreTrainedModel

    from iemomecp_dataset.corpus import Corpus
    from iemomecp_dataset.trainers.encoders.text import TextEncoder
    from iemomecp_dataset.trainers.options import ObjectiveName, RunSettings
    from iemomecp_dataset.trainers.training.task import TrainingTask

    _Rows = Sequence[Mapping[str, Any]]
    _Vectors = Mapping[str, Mapping[str, NDArray[np.float32]]]
    _Prepare = Callable[[Any, Corpus, Accelerator, type[PreTrainedModel]], TrainingTask]
    _PrepareInference = Callable[[PreTrainedModel, _Rows, _Vectors, Any], TrainingTask]

__all__ = [
    "Scorer",
    "config_fields",
    "find_scorer",
    "is_built_in",
    "made_of_others",
    "register_scorer",
    "scorer_names",
    "scorer_of_model_type",
    "scorers",
]

_BUILT_IN = {
    "dialogue": "iemomecp_dataset.trainers.dialogue:SCORER",
    "isolated": "iemomecp_dataset.trainers.isolated:SCORER",
    "ecerc": "iemomecp_dataset.trainers.emotions:ECERC",
    "emotion_transformer": "iemomecp_dataset.trainers.emotions:EMOTION_TRANSFORMER",
    "explanation": "iemomecp_dataset.trainers.explanation:EXPLANATION",
}
_MADE = {"ensemble": "iemomecp_dataset.trainers.ensemble:SCORER"}
"""Models that are made of trained ones: they are loaded as others are, and ``--scorer`` does not name them."""

_TASKS = {"ecerc": "erc", "emotion_transformer": "erc", "explanation": "explanation"}
"""What the models among them are for that score no pairs; the others, and all that are registered, do."""

_registered: dict[str, Scorer] = {}


@dataclass(frozen=True)
class Scorer:
    """One kind of pair scorer, or of model that recognises or explains emotions.

    Classes and functions are given as objects, or as ``"module:attribute"``. The defaults of ``prepare`` and
    ``prepare_inference`` serve every model that scores whole dialogues: one whose ``forward`` takes the padded tensors
    of :class:`~iemomecp_dataset.trainers.dialogue.data.Collator` and returns
    :class:`~iemomecp_dataset.trainers.dialogue.modeling.DialogueScores`.

    Attributes:
        name: Value of ``--scorer``.
        description: One line for ``--help``.
        model_class: The ``PreTrainedModel``. Training fills in each field that its ``config_class`` declares and that
            training knows: ``class_names``, ``text_size``, ``hidden_size`` and so on; see :func:`config_fields`.
        model_type: The ``model_type`` of its configuration, under which ``AutoModel`` finds it. By default that of
            ``model_class``.
        prepare: ``(options, corpus, accelerator, model_class)`` to a
            :class:`~iemomecp_dataset.trainers.training.task.TrainingTask`.
        prepare_inference: ``(model, rows, vectors, text_encoder)`` to such a task with one split.
        write: ``(model, rows, **options)`` to texts, in place of ``prepare_inference`` for a model that gives texts.
        objectives: The objectives that it can be trained with. A model takes those with a margin ranking
            (:data:`~iemomecp_dataset.trainers.compositions.OBJECTIVES`) if it returns ``cause_logits``, and those with
            corruption if it returns ``corrupted_pair_logits``; any other objective is refused before data is loaded.
        protocol: The letters of the modalities to the options that take the place of the general defaults.
        check: Raises :class:`~iemomecp_dataset.errors.UsageError` where options do not fit this scorer.
        cite: The paper that the model card names.
        task: ``pairs``; for models of this package ``erc``, recognising emotions, or ``explanation``, explaining them.
        context: Whether the scores of a pair depend on the rest of its dialogue.
    """

    name: str
    description: str
    model_class: type[PreTrainedModel] | str
    model_type: str = ""
    prepare: _Prepare | str = "iemomecp_dataset.trainers.dialogue.task:prepare_dialogue"
    prepare_inference: _PrepareInference | str = "iemomecp_dataset.trainers.dialogue.task:prepare_dialogue_inference"
    write: Callable[..., Any] | str = ""
    objectives: tuple[ObjectiveName, ...] = ("base",)
    protocol: Callable[[str], Mapping[str, Any]] = lambda modalities: {}
    check: Callable[[Any], None] = lambda options: None
    cite: str = ""
    task: str = "pairs"
    context: bool = True

    @property
    def takes_further_corpora(self) -> bool:
        """Whether its epochs can have dialogues of further corpora, as those of the default ``prepare``."""
        return self.prepare == Scorer.prepare

    def load_model_class(self) -> type[PreTrainedModel]:
        """The model class."""
        model_class: type[PreTrainedModel] = _load(self.model_class)
        return model_class

    def load_config_class(self) -> type[PreTrainedConfig] | None:
        """The model's configuration class."""
        return getattr(self.load_model_class(), "config_class", None)

    def build_task(self, options: RunSettings, corpus: Corpus, accelerator: Accelerator) -> TrainingTask:
        """Builds model, strategy and examples for training.

        Args:
            options: The run's options.
            corpus: The :class:`~iemomecp_dataset.corpus.Corpus`.
            accelerator: Device and processes.

        Returns:
            The :class:`~iemomecp_dataset.trainers.training.task.TrainingTask`.

        Raises:
            IemomecpError: An encoder or features are missing, or do not fit.
        """
        task: TrainingTask = _load(self.prepare)(options, corpus, accelerator, self.load_model_class())
        return task

    def build_inference_task(
        self, model: PreTrainedModel, rows: _Rows, vectors: _Vectors, text_encoder: str | TextEncoder | None
    ) -> TrainingTask:
        """Builds strategy and examples for using a trained model.

        Args:
            model: The model.
            rows: Dialogues without labels.
            vectors: Vectors by modality and utterance id.
            text_encoder: Path of the encoder of frozen text features, if it is not that of training; or one that
                :func:`~iemomecp_dataset.trainers.dialogue.task.inference_encoder` has loaded.

        Returns:
            The :class:`~iemomecp_dataset.trainers.training.task.TrainingTask`, with the split ``test`` alone.

        Raises:
            IemomecpError: An encoder is missing, or does not fit.
        """
        task: TrainingTask = _load(self.prepare_inference)(model, rows, vectors, text_encoder)
        return task

    def load_write(self) -> Callable[..., Any]:
        """The function that writes texts with a trained model."""
        write: Callable[..., Any] = _load(self.write)
        return write


def scorer_names(task: str = "pairs") -> tuple[str, ...]:
    """Names of all models for a task, without loading them.

    Args:
        task: ``pairs``, ``erc`` or ``explanation``.

    Example:
        >>> scorer_names("erc")
        ('ecerc', 'emotion_transformer')
    """
    built_in = (name for name in _BUILT_IN if _TASKS.get(name, "pairs") == task)
    return (*built_in, *(name for name in _registered if task == "pairs" and name not in _BUILT_IN))


def is_built_in(name: str) -> bool:
    """Whether a scorer is one of this package, so that nothing has to be registered before it is used."""
    return name in _BUILT_IN or name in _MADE


def find_scorer(name: str) -> Scorer:
    """Finds a scorer.

    Args:
        name: The value of ``--scorer``.

    Raises:
        UsageError: There is no scorer of that name.

    Example:
        >>> find_scorer("isolated").protocol("a")["epochs"]
        10
    """
    if name in _registered:
        return _registered[name]
    if name not in _BUILT_IN:
        names = (*scorer_names(), *_TASKS)
        raise UsageError(f"--scorer has no value {name!r}. {did_you_mean(name, names)}")
    scorer: Scorer = _load(_BUILT_IN[name])
    return scorer


def scorers(task: str | None = None) -> dict[str, Scorer]:
    """All models by name, or those for one task."""
    names = (*scorer_names(), *_TASKS) if task is None else scorer_names(task)
    return {name: find_scorer(name) for name in names}


def scorer_of_model_type(model_type: str | None) -> Scorer | None:
    """The scorer whose models have this ``model_type`` in their ``config.json``, or None."""
    known = (*scorers().values(), *made_of_others())
    return next((scorer for scorer in known if scorer.model_type == model_type), None)


def made_of_others() -> tuple[Scorer, ...]:
    """Entries of models that are made of trained ones, such as ensembles."""
    return tuple(_load(reference) for reference in _MADE.values())


def register_scorer(scorer: Scorer) -> None:
    """Registers a custom scorer for ``--scorer``, :func:`iemomecp_dataset.trainers.train` and ``predict``.

    Registering the same name again replaces the entry if the model class has the same module and qualified name, so
    that a notebook cell can be run twice.

    Args:
        scorer: The entry.

    Raises:
        UsageError: The name belongs to a scorer of this package or to one with another model class; or the
            ``model_type`` to another scorer or to a model of transformers, or it is missing; or there is no such model
            class or objective.
    """
    if is_built_in(scorer.name):
        raise UsageError(f"The scorer {scorer.name!r} is one of this package. Choose another name.")
    _check_objectives(scorer)
    if scorer.name in _registered:
        known, new = _class_name(_registered[scorer.name]), _class_name(scorer)
        if known != new:
            raise UsageError(
                f"The name {scorer.name!r} belongs to the scorer of {known}. Choose another name for {new}."
            )
    model_type = getattr(scorer.load_config_class(), "model_type", "")
    if not model_type:
        raise UsageError(
            f"The model class of the scorer {scorer.name!r} needs a config_class whose model_type is its own name."
        )
    if scorer.name not in _registered:
        from transformers import CONFIG_MAPPING

        if model_type in CONFIG_MAPPING:
            raise UsageError(f"The model type {model_type!r} is one of transformers. Choose another name for it.")
    scorer = replace(scorer, model_type=model_type)
    other = scorer_of_model_type(scorer.model_type)
    if other is not None and other.name != scorer.name:
        raise UsageError(
            f"The model type {scorer.model_type!r} belongs to the scorer {other.name!r}. Give the configuration class "
            f"of {scorer.name!r} a model_type of its own."
        )
    _registered[scorer.name] = scorer


def _check_objectives(scorer: Scorer) -> None:
    given: Any = scorer.objectives
    if isinstance(given, str) or not given:
        raise UsageError(
            f"The objectives of the scorer {scorer.name!r} must be a tuple of at least one name, such as ('base',), "
            f"but are {given!r}."
        )
    for name in given:
        if name not in OBJECTIVES:
            raise UsageError(
                f"The scorer {scorer.name!r} names the objective {name!r}, which does not exist. "
                f"{did_you_mean(name, OBJECTIVES)}"
            )


def config_fields(config_class: type[Any]) -> frozenset[str]:
    """Names of the fields that a configuration class declares: as class annotations, or as parameters of ``__init__``.

    Args:
        config_class: A ``PreTrainedConfig``.

    Example:
        >>> class Config:
        ...     def __init__(self, class_names=None, text_size=0, **kwargs): ...
        >>> sorted(config_fields(Config))
        ['class_names', 'text_size']
    """
    names = set()
    for cls in config_class.__mro__:
        if "__init__" not in vars(cls) or cls is object:
            continue
        parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
        variable = {parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD}
        names |= {parameter.name for parameter in parameters} - variable
        if not variable:
            # Whatever the bases declare, a call cannot give it. (The __init__ of a dataclass lists inherited fields.)
            return frozenset(names)
        names |= {field.name for field in fields(cls)} if is_dataclass(cls) else set()
    return frozenset(names)


def _class_name(scorer: Scorer) -> str:
    model_class = scorer.load_model_class()
    return f"{model_class.__module__}.{model_class.__qualname__}"


def _load(reference: Any) -> Any:
    if not isinstance(reference, str):
        return reference
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise UsageError(f"{reference!r} must have the form 'module:attribute', such as 'my_package.models:MyScorer'.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # a package that the module itself imports
        raise UsageError(
            f"{reference!r} names a module that cannot be imported: there is no module {error.name!r}. Check the "
            "spelling; the folder that holds it must be installed or on PYTHONPATH."
        ) from error
    if not hasattr(module, attribute):
        defined = [name for name in dir(module) if not name.startswith("_")]
        hint = did_you_mean(attribute, defined, see="Give a name that the module defines.")
        raise UsageError(f"{reference!r}: the module {module_name} has no {attribute!r}. {hint}")
    return getattr(module, attribute)
