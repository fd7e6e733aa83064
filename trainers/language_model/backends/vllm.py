"""vLLM in this process, which its users install themselves; the only module that knows its interface."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from iemomecp_dataset.errors import EndpointError, MissingDependencyError
from iemomecp_dataset.trainers.language_model.answering import Answer, Failure, OnAnswer
from iemomecp_dataset.trainers.language_model.asking import Request

__all__ = ["VllmModel"]

_TOP = 20
_AT_ONCE = 1024
"""Requests that are given at once: enough to fill its batches, and what a killed process loses."""


class VllmModel:
    """Greedy answers of a model through ``vllm.LLM``, with prefix caching.

    Args:
        name: A folder, or a name on the Hub.
        revision: Commit, branch or tag, or None.
        structured: Whether grammars enforce the schemas.

    Raises:
        MissingDependencyError: vLLM is not installed, or has another interface.
        EndpointError: vLLM is there, but cannot start: the model is not found, or its memory does not suffice.
    """

    def __init__(self, name: str, *, revision: str | None = None, structured: bool = True):
        try:
            from vllm import LLM, SamplingParams
            from vllm.sampling_params import StructuredOutputsParams
        except ImportError as error:
            raise MissingDependencyError(
                f"--backend vllm needs vLLM 0.12 or later on a CUDA machine ({_version()}; {error}). Install it as its "
                "documentation says, or serve the model elsewhere and use --backend openai."
            ) from error
        self._sampling_params, self._structured_params = SamplingParams, StructuredOutputsParams
        self._name, self._revision, self._structured = name, revision, structured
        try:
            self._model = LLM(model=name, revision=revision, enable_prefix_caching=True, max_logprobs=_TOP, seed=0)
        except (OSError, RuntimeError, ValueError) as error:
            raise EndpointError(f"{_version()} cannot start with {name}: {_first_line(error)}") from error

    @property
    def identity(self) -> Mapping[str, str]:
        """Model and revision, as they are given."""
        return self.identity_of(self._name, self._revision)

    @staticmethod
    def identity_of(name: str, revision: str | None) -> Mapping[str, str]:
        """The identity of a model that is not loaded."""
        return {"backend": "vllm", "model": name, "revision": revision or ""}

    @property
    def sampling(self) -> Mapping[str, Any]:
        """Greedy."""
        return self.sampling_of(self._structured)

    @staticmethod
    def sampling_of(structured: bool) -> Mapping[str, Any]:
        """How tokens are chosen by a model that is not loaded; without thoughts, where a template leaves that open."""
        return {"temperature": 0.0, "structured": structured, "top_logprobs": _TOP, "thinking": False}

    @property
    def notes(self) -> Sequence[str]:
        """Nothing to say."""
        return ()

    @property
    def repeats(self) -> bool:
        """It is greedy."""
        return True

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Gives the engine many requests at once; it makes its own batches.

        One that it refuses, as it is longer than the model reads, is given again with fewer shots, and without shots is
        a failure; the others are answered.
        """
        waiting = [
            [(number, requests[number], 0) for number in range(start, min(start + _AT_ONCE, len(requests)))]
            for start in reversed(range(0, len(requests), _AT_ONCE))
        ]
        while waiting:
            part = waiting.pop()
            begun = time.monotonic()
            outputs = self._outputs([request for _, request, _ in part])
            if not isinstance(outputs, str):
                seconds = (time.monotonic() - begun) / len(part)
                for (number, request, left_out), output in zip(part, outputs, strict=True):
                    on_answer(number, self._read(request, output, seconds, left_out))
                continue
            if len(part) > 1:
                # The engine does not say which one it refuses.
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
                continue
            ((number, request, left_out),) = part
            if request.examples:
                # The first one is the least similar.
                waiting.append([(number, replace(request, examples=request.examples[1:]), left_out + 1)])
            else:
                on_answer(number, Failure("refused by vLLM", f"{request.name}: {outputs}"))

    def _outputs(self, requests: Sequence[Request]) -> Sequence[Any] | str:
        """What the engine gives back; why it refuses, where it does so before it begins."""
        try:
            outputs: Sequence[Any] = self._model.chat(
                [request.messages for request in requests],
                [self._params(request) for request in requests],
                use_tqdm=False,
                # Templates that know no thoughts do not look at it.
                chat_template_kwargs={"enable_thinking": False},
            )
        except ValueError as error:
            return _first_line(error)
        except (TypeError, AttributeError) as error:
            raise EndpointError(f"The interface of {_version()} is not the one that is known ({error}).") from error
        except RuntimeError as error:
            raise EndpointError(f"{_version()} has stopped: {_first_line(error)}") from error
        return outputs

    def _params(self, request: Request) -> Any:
        structured = None
        if self._structured and request.schema is not None:
            structured = self._structured_params(json=dict(request.schema), disable_any_whitespace=True)
        return self._sampling_params(
            temperature=0.0,
            seed=request.seed,
            max_tokens=request.most_tokens,
            logprobs=_TOP if request.labels else None,
            structured_outputs=structured,
        )

    def _read(self, request: Request, output: Any, seconds: float, left_out: int) -> Answer:
        (written,) = output.outputs
        first: dict[str, float] | None = None
        if request.labels and written.logprobs:
            first = {}
            for entry in written.logprobs[0].values():
                token = entry.decoded_token or ""
                # Two tokens may be shown alike, such as a letter with and without a blank before it.
                first[token] = float(np.logaddexp(first.get(token, -np.inf), entry.logprob))
        return Answer(
            text=written.text,
            finish_reason=written.finish_reason or "stop",
            first_tokens=first,
            prompt_tokens=len(output.prompt_token_ids or ()),
            cached_tokens=getattr(output, "num_cached_tokens", None) or 0,
            completion_tokens=len(written.token_ids),
            latency=seconds,
            structure="grammar" if self._structured and request.schema is not None else "none",
            served=_version(),
            left_out=left_out,
        )


def _version() -> str:
    try:
        return f"vllm {importlib.metadata.version('vllm')}"
    except importlib.metadata.PackageNotFoundError:
        return "vllm is not installed"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
