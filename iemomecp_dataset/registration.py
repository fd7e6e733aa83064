"""Registers this package's names with ``datasets``, ``evaluate`` and ``transformers``, now or when they are imported.

None of these libraries has entry points, so a name is known only after code of ours has run. To keep the import light,
their look-up functions are wrapped: what a name stands for is imported when it is first asked for.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from operator import attrgetter
from types import ModuleType
from typing import Any

__all__ = ["BUILDER_MODULE", "DATASET_NAME", "PIPELINE_TASK", "after_import", "register", "wrap"]

DATASET_NAME = "iemomecp"
"""The name that ``datasets.load_dataset`` is given."""

PIPELINE_TASK = "emotion-cause-pairs"
"""The name that ``transformers.pipeline`` is given."""

BUILDER_MODULE = "iemomecp_dataset.builder"
"""The module that holds the dataset builder."""

LookUp = Callable[..., Any]


def register() -> None:
    """Registers the dataset, the metrics, the models, and the task of transformers' pipelines; idempotent."""
    wrap("datasets.load", "dataset_module_factory", _find_dataset)
    wrap("evaluate.loading", "evaluation_module_factory", _find_metric)
    for method in ("from_pretrained", "for_model"):
        wrap("transformers.models.auto.configuration_auto", f"AutoConfig.{method}", _find_model)
    for method in ("from_pretrained", "from_config"):
        wrap("transformers.models.auto.modeling_auto", f"AutoModel.{method}", _find_model)
    for method in ("check_task", "get_supported_tasks"):
        wrap("transformers.pipelines.base", f"PipelineRegistry.{method}", _find_task)
    after_import("datasets.utils._dill", "Pickler", _hash_modules_by_name)


def _find_dataset(look_up: LookUp) -> LookUp:
    def find(path: str, *args: Any, **kwargs: Any) -> Any:
        if path != DATASET_NAME:
            return look_up(path, *args, **kwargs)
        from datasets.load import DatasetModule

        from iemomecp_dataset.fingerprints import code_fingerprint

        return DatasetModule(BUILDER_MODULE, code_fingerprint(), {"dataset_name": DATASET_NAME})

    return find


def _find_metric(look_up: LookUp) -> LookUp:
    def find(path: str, *args: Any, **kwargs: Any) -> Any:
        metrics = importlib.import_module("iemomecp_dataset.metrics.registration")
        if path not in metrics.METRIC_MODULES:
            return look_up(path, *args, **kwargs)
        from evaluate.loading import ImportableModule

        return ImportableModule(metrics.METRIC_MODULES[path], metrics.code_hash(path))

    return find


def _find_model(look_up: LookUp) -> LookUp:
    def find(*args: Any, **kwargs: Any) -> Any:
        try:
            return look_up(*args, **kwargs)
        # An unknown model may be one of ours. They are not registered before, as that imports torch.
        except ValueError as error:
            try:
                new = _register_models()
            except ImportError as missing:
                raise error from missing
            if not new:
                raise
        return look_up(*args, **kwargs)

    return find


def _find_task(look_up: LookUp) -> LookUp:
    def find(registry: Any, *args: Any, **kwargs: Any) -> Any:
        # Not before: the class derives from one of the library's, which may be in the middle of its own import.
        if PIPELINE_TASK not in registry.supported_tasks:
            from transformers import AutoModel

            pipeline = importlib.import_module("iemomecp_dataset.trainers.pipelines.pipeline")
            registry.register_pipeline(
                PIPELINE_TASK, pipeline_class=pipeline.EmotionCausePipeline, pt_model=(AutoModel,), type="text"
            )
        return look_up(registry, *args, **kwargs)

    return find


def _hash_modules_by_name(module: ModuleType) -> None:
    """Has ``datasets`` hash modules of ours that a function uses by their names.

    In an editable install ``dill`` takes them for the user's own code, and pickles everything in them, sets included,
    whose order is another in every process. The hash is what ``Dataset.map`` finds the results of an earlier call by.
    """
    save = module.Pickler.dispatch[ModuleType]
    if hasattr(save, "_iemomecp_wraps"):
        return

    @functools.wraps(save)
    def save_module(pickler: Any, saved: ModuleType) -> None:
        name = saved.__name__
        if name.partition(".")[0] == __name__.partition(".")[0] and sys.modules.get(name) is saved:
            pickler.save_reduce(importlib.import_module, (name,), obj=saved)
        else:
            save(pickler, saved)

    save_module._iemomecp_wraps = save  # type: ignore[attr-defined]
    module.Pickler.dispatch[ModuleType] = save_module


def _register_models() -> bool:
    """Registers the models with ``AutoConfig`` and ``AutoModel``; tells whether any was new."""
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModel

    new = False
    for config_class, model_class in _models():
        if config_class.model_type not in CONFIG_MAPPING:
            AutoModel.register(config_class, model_class)
            AutoConfig.register(config_class.model_type, config_class)
            new = True
    return new


def _models() -> Iterator[tuple[Any, Any]]:
    """The configuration class and the model class of every scorer, and of the model of explanations."""
    registry = importlib.import_module("iemomecp_dataset.trainers.scorers")
    for scorer in (*registry.scorers().values(), *registry.made_of_others()):
        yield scorer.load_config_class(), scorer.load_model_class()
    explanation = importlib.import_module("iemomecp_dataset.trainers.explanation.modeling_explanation")
    yield explanation.ExplanationConfig, explanation.ExplanationModel


def wrap(module_name: str, name: str, wrapper: Callable[[LookUp], LookUp]) -> None:
    """Replaces a function of another library, now or as soon as its module is imported; idempotent.

    Args:
        module_name: Full name of the module.
        name: The function, or ``"Class.method"``.
        wrapper: Takes the function and returns what replaces it. For a class method, both take the class first.
    """
    after_import(module_name, name, partial(_wrap, name=name, wrapper=wrapper))


def _wrap(module: ModuleType, *, name: str, wrapper: Callable[[LookUp], LookUp]) -> None:
    import inspect

    path, _, attribute = name.rpartition(".")
    owner = attrgetter(path)(module) if path else module
    held = inspect.getattr_static(owner, attribute)
    original = held.__func__ if isinstance(held, classmethod) else held
    if hasattr(original, "_iemomecp_wraps"):
        return
    replacement = functools.wraps(original)(wrapper(original))
    replacement._iemomecp_wraps = original  # type: ignore[attr-defined]
    setattr(owner, attribute, classmethod(replacement) if isinstance(held, classmethod) else replacement)
    # Modules that imported the function before hold it under the same name (`datasets.inspect`, say).
    library = module.__name__.partition(".")[0]
    for other_name, other in list(sys.modules.items()):
        if other_name.partition(".")[0] == library and vars(other).get(attribute) is original:
            setattr(other, attribute, replacement)


def after_import(module_name: str, name: str, action: Callable[[ModuleType], None]) -> None:
    """Calls ``action(module)``: at once where the module is imported, else as soon as it has run.

    Args:
        module_name: Full name of the module.
        name: Something that the module has once it has run, ``"Class.method"`` possible. A module in the middle of its
            own import is found among the imported ones without it. One action is kept for a module and name.
        action: What to do; called again when the module is reloaded.
    """
    imported = sys.modules.get(module_name)
    if imported is not None and hasattr(imported, name.partition(".")[0]):
        action(imported)
        return
    for finder in sys.meta_path:
        if isinstance(finder, _Watcher):
            break
    else:
        finder = _Watcher()
        sys.meta_path.insert(0, finder)
    finder.actions.setdefault(module_name, {})[name] = action


class _Watcher(MetaPathFinder):
    """Lets the ordinary finders find a module, and acts once it has run."""

    def __init__(self) -> None:
        self.actions: dict[str, dict[str, Callable[[ModuleType], None]]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.actions:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                # On this loader object alone, so that its type, and what it says of source or resources, stay.
                run = partial(_run_and_act, spec.loader.exec_module, self.actions[fullname])
                spec.loader.exec_module = run  # type: ignore[method-assign]
                return spec
        return None


def _run_and_act(
    run_module: Callable[[ModuleType], None],
    actions: dict[str, Callable[[ModuleType], None]],
    module: ModuleType,
) -> None:
    run_module(module)
    for action in list(actions.values()):
        action(module)
