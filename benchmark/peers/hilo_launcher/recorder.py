# ruff: noqa: B905  # Python 3.8, which HiLo's environment has, knows no zip(strict=...)
"""Keeps what passes through data loaders, modules and functions of torch, and repeats a pass."""

from __future__ import annotations

import collections
import collections.abc
import copy
import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .values import leaves, like_logits, no_features

__all__ = ["Call", "Pass", "Recorder"]

_MOST_LEAVES = 2000


@dataclass
class Call:
    """A call of a model, not from within another module.

    Attributes:
        module: The model.
        arguments, keywords: Copies of what it got, on the CPU.
        root: Path of its output.
    """

    module: Any
    arguments: Any
    keywords: Any
    root: str


@dataclass
class Pass:
    """An iteration over a data loader.

    Attributes:
        loader: The loader, kept so that its identity stays its own.
        text_start, text_end: Pieces of printed text when it began, and when the next one did.
        where: Functions of the clone that were running, innermost first.
        caller: What could be called again to repeat it: function and arguments.
        steps: What was seen: arrays by path.
        calls: Calls of models, by step.
        is_training: Whether a model was trained in it.
        complete: Whether it went to the loader's end.
        weights: Sums of the model's parameters at its end.
    """

    loader: Any
    text_start: int
    where: list[str]
    caller: tuple[Callable[..., Any], dict[str, Any]] | None
    steps: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[Call]] = field(default_factory=list)
    is_training: bool = False
    complete: bool = False
    weights: tuple[float, ...] = ()
    text_end: int | None = None

    @property
    def dataset(self) -> Any:
        """What the loader reads."""
        return getattr(self.loader, "dataset", self.loader)


class Recorder:
    """Notes what passes through data loaders, modules and functions of torch during evaluation.

    Attributes:
        text: What HiLo printed, in pieces.
        passes: The last complete pass of each data set that was evaluated, oldest first.
        seen: Every pass in one line each, for the inspection file.
        after_pass: Called with an evaluation's pass when the next pass begins, hence when its score is printed.
    """

    def __init__(self, torch: Any, clone: Path):
        self.torch, self.clone = torch, clone
        self.text: list[str] = []
        self.passes: list[Pass] = []
        self.seen: list[str] = []
        self.trained_in: set[Any] = set()
        self.after_pass: Callable[[Pass], None] | None = None
        self._pass: Pass | None = None
        self._step: dict[str, Any] | None = None
        self._depth = 0
        self._copying = False
        self._names: dict[int, str] = {}
        self._counts: collections.Counter[str] = collections.Counter()

    # Data loaders

    def iterate(self, loader: Any, batches: Any) -> Any:
        """Stands in for a loader's iterator."""
        return _Batches(self, loader, batches)

    def begin(self, loader: Any) -> Pass:
        """A pass begins."""
        where, caller = self._running()
        if self.passes and self.passes[-1].text_end is None:
            self.passes[-1].text_end = len(self.text)
            if self.after_pass is not None:
                self.after_pass(self.passes[-1])
        self._pass = Pass(loader, len(self.text), where, caller)
        return self._pass

    def step(self, current: Pass, batch: Any) -> None:
        """The loader gives a batch."""
        if current.is_training or current is not self._pass:
            self._step = None
            return
        self._step = {}
        self._counts.clear()
        current.steps.append(self._step)
        current.calls.append([])
        self._keep(batch, "batch")

    def end(self, current: Pass) -> None:
        """The loader is exhausted."""
        self._step = None
        kind = "training" if current.is_training else "evaluation"
        self.seen.append(f"{kind}: {len(current.steps) or 'several'} steps, in {' < '.join(current.where) or '?'}")
        if current.is_training or current is not self._pass or not any(current.calls):
            return
        current.complete = True
        current.weights = self.weights_of(current)
        others = [other for other in self.passes if other.dataset is not current.dataset]
        self.passes = [*others[-5:], current]

    def weights_of(self, current: Pass) -> tuple[float, ...]:
        """Sums that differ when the weights of the models of a pass do."""
        modules = {id(call.module): call.module for calls in current.calls for call in calls}
        tensors = [value for module in modules.values() for value in module.state_dict().values()]
        with self.torch.no_grad():
            return tuple(
                float(part)
                for value in tensors
                if hasattr(value, "double")
                for part in (value.double().sum(), value.double().abs().sum())
            )

    def _running(self) -> tuple[list[str], tuple[Callable[..., Any], dict[str, Any]] | None]:
        """Functions of the clone on the stack, and the innermost one that could be called again."""
        where: list[str] = []
        caller = None
        frame: Any = sys._getframe(1)
        while frame is not None:
            code = frame.f_code
            name = Path(code.co_filename)
            inside = self.clone in name.parents or (not name.is_absolute() and (self.clone / name).is_file())
            if inside and not code.co_name.startswith("<"):
                owner = frame.f_locals.get("self")
                where.append(f"{type(owner).__name__}.{code.co_name}" if owner is not None else code.co_name)
                if caller is None and not code.co_flags & 0x20:  # not a generator
                    function = getattr(owner, code.co_name, None) if owner is not None else None
                    function = function or frame.f_globals.get(code.co_name)
                    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
                    given = {key: frame.f_locals[key] for key in names if key != "self" and key in frame.f_locals}
                    caller = (function, given) if callable(function) else None
            frame = frame.f_back
        return where, caller

    # Modules and functions

    def call_module(self, original: Callable[..., Any], module: Any, arguments: Any, keywords: Any) -> Any:
        """Stands in for the call of a module."""
        step, current = self._step, self._pass
        if step is None or current is None or self._copying:
            return original(module, *arguments, **keywords)
        outermost, call = self._depth == 0, None
        if outermost and any(True for _ in module.parameters()):
            if module.training and self.torch.is_grad_enabled():
                self._is_training(current)
                return original(module, *arguments, **keywords)
            self._names.update({id(part): name for name, part in module.named_modules()})
            self._counts["output"] += 1
            root = "output" if self._counts["output"] == 1 else f"output@{self._counts['output']}"
            suffix = root[len("output") :]
            call = Call(module, self._copied(arguments), self._copied(keywords), root)
            current.calls[-1].append(call)
            self._keep(arguments, f"input{suffix}")
            self._keep(keywords, f"input{suffix}")
        self._depth += 1
        try:
            result = original(module, *arguments, **keywords)
        finally:
            self._depth -= 1
        if call is not None:
            self._keep(result, call.root)
        elif id(module) in self._names:
            self._keep_inner(result, f"inner:{self._names[id(module)]}")
        return result

    def call_function(self, name: str, original: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        """Stands in for softmax, argmax and the like, whose first argument may be the summed logits."""
        value = arguments[0] if arguments else keywords.get("input")
        if self._step is not None and not self._copying and getattr(value, "ndim", 0) >= 2 and value.shape[-1] == 2:
            self._keep_inner(value, f"call:{name}")
        return original(*arguments, **keywords)

    def _copied(self, value: Any) -> Any:
        self._copying = True
        try:
            return _copied(value)
        finally:
            self._copying = False

    def _is_training(self, current: Pass) -> None:
        current.is_training = True
        if current.caller is not None:
            self.trained_in.add(getattr(current.caller[0], "__code__", None))
        current.steps.clear()
        current.calls.clear()
        self._step = None

    def _keep(self, value: Any, path: str, wanted: Callable[[tuple[int, ...]], bool] = no_features) -> None:
        self._copying = True
        try:
            for name, leaf in itertools.islice(leaves(value, path, wanted), _MOST_LEAVES):
                if self._step is not None:
                    self._step.setdefault(name, leaf)
        finally:
            self._copying = False

    def _keep_inner(self, value: Any, path: str) -> None:
        self._counts[path] += 1
        self._keep(value, path if self._counts[path] == 1 else f"{path}@{self._counts[path]}", like_logits)

    # Repeating

    def repeat(self, current: Pass) -> Pass | None:
        """Gives the models of a pass the same inputs again, in evaluation and with the weights that they have now.

        Args:
            current: A complete pass.

        Returns:
            A pass with the new outputs; None if a step calls several models, whose inputs come from each other.
        """
        if any(len(calls) != 1 for calls in current.calls):
            return None
        again = Pass(current.loader, len(self.text), current.where, None)
        for old, (call,) in zip(current.steps, current.calls):
            step = {path: value for path, value in old.items() if path.startswith(("batch", "input"))}
            arguments, keywords = _copied((call.arguments, call.keywords), True)
            was_training = call.module.training
            call.module.eval()
            again.steps.append(step)
            again.calls.append([call])
            self._pass, self._step = again, step
            self._counts.clear()
            try:
                with self.torch.no_grad():
                    call.module(*arguments, **keywords)
            finally:
                self._step = None
                call.module.train(was_training)
        again.complete = True
        return again

    def repeat_by_caller(self, current: Pass) -> Pass | None:
        """Calls the clone's own function of a pass again; None if that function also trains, or is not known."""
        if current.caller is None or getattr(current.caller[0], "__code__", None) in self.trained_in:
            return None
        function, arguments = current.caller
        with self.torch.no_grad():
            function(**arguments)
        again = [other for other in self.passes if other is not current and other.loader is current.loader]
        return again[-1] if again else None


class _Batches:
    """An iterator of a loader, noted."""

    def __init__(self, recorder: Recorder, loader: Any, batches: Any):
        self._recorder, self._batches = recorder, batches
        self._pass = recorder.begin(loader)

    def __iter__(self) -> _Batches:
        return self

    def __len__(self) -> int:
        return len(self._batches)

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._recorder.end(self._pass)
            raise
        self._recorder.step(self._pass, batch)
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


@dataclass
class _OnDevice:
    """A tensor on the CPU and where it was."""

    tensor: Any
    device: Any


def _copied(value: Any, back: bool = False) -> Any:
    """Copies the tensors of nested arguments to the CPU, or back to where they were; other objects stay the same."""
    if back and isinstance(value, _OnDevice):
        return value.tensor.to(value.device, copy=True)
    if hasattr(value, "detach") and hasattr(value, "device"):
        return _OnDevice(value.detach().to("cpu", copy=True), value.device)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        parts = [_copied(part, back) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [_copied(part, back) for part in value]
    if isinstance(value, collections.abc.MutableMapping):
        try:
            return _filled(value, {key: _copied(part, back) for key, part in value.items()})
        except (TypeError, AttributeError, KeyError):
            return value
    return value


def _filled(value: Any, parts: Mapping[Any, Any]) -> Any:
    """A mapping of the same kind with other values."""
    if type(value) is dict:
        return dict(parts)
    other = copy.copy(value)
    for key, part in parts.items():
        other[key] = part
    return other
