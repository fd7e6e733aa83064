"""vLLM in this process, which its users install themselves; the only module that knows its interface."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Mapping, Sequence
from typing import Any

from iemomecp_dataset.errors import EndpointError, MissingDependencyError
from iemomecp_dataset.trainers.language_model.answering import Answer, OnAnswer
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
        self._model = LLM(model=name, revision=revision, enable_prefix_caching=True, max_logprobs=_TOP, seed=0)

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
        """How tokens are chosen by a model that is not loaded."""
        return {"temperature": 0.0, "structured": structured, "top_logprobs": _TOP}

    @property
    def notes(self) -> Sequence[str]:
        """Nothing to say."""
        return ()

    @property
    def repeats(self) -> bool:
        """It is greedy."""
        return True

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Gives the engine many requests at once; it makes its own batches."""
        for start in range(0, len(requests), _AT_ONCE):
            part = requests[start : start + _AT_ONCE]
            begun = time.monotonic()
            try:
                outputs = self._model.chat(
                    [request.messages for request in part], [self._params(request) for request in part], use_tqdm=False
                )
            except (TypeError, AttributeError) as error:
                raise EndpointError(f"The interface of {_version()} is not the one that is known ({error}).") from error
            seconds = (time.monotonic() - begun) / max(len(part), 1)
            for number, (request, output) in enumerate(zip(part, outputs, strict=True), start=start):
                on_answer(number, self._read(request, output, seconds))

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

    def _read(self, request: Request, output: Any, seconds: float) -> Answer:
        (written,) = output.outputs
        first = None
        if request.labels and written.logprobs:
            first = {entry.decoded_token: float(entry.logprob) for entry in written.logprobs[0].values()}
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
        )


def _version() -> str:
    try:
        return f"vllm {importlib.metadata.version('vllm')}"
    except importlib.metadata.PackageNotFoundError:
        return "vllm is not installed"
