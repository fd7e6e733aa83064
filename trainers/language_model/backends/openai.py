"""Any endpoint that speaks OpenAI's interface: OpenAI itself, vLLM, SGLang, llama.cpp, Ollama and others."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from iemomecp_dataset.errors import EndpointError, UsageError, require_packages
from iemomecp_dataset.excerpts import excerpt
from iemomecp_dataset.trainers.language_model.answering import Answer, Failure, OnAnswer
from iemomecp_dataset.trainers.language_model.asking import Request
from iemomecp_dataset.trainers.language_model.licence import host_of, is_loopback

__all__ = ["DEFAULT_BASE_URL", "OpenAIEndpoint"]

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"
_TOP = 20
_STRUCTURES = ("json_schema", "json_object", "none")
_STRUCTURE_WORDS = ("response_format", "json_schema", "json_object", "schema", "structured", "grammar", "guided")


class OpenAIEndpoint:
    """Sends chats to an endpoint, many at a time.

    Args:
        model: Name of the model there.
        base_url: Address of the endpoint; None: that of ``OPENAI_BASE_URL``, else OpenAI's.
        max_concurrency: Most requests in flight.
        max_retries: Attempts after one that met a limit, an error of the server or a time-out.
        timeout: Seconds to wait for an answer.
        decisions_only: Whether letters are taken as they are where the endpoint gives no log-probabilities.

    Raises:
        MissingDependencyError: The package ``openai`` is missing.
        UsageError: The address is none, or there is no key for another machine.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        max_concurrency: int = 16,
        max_retries: int = 5,
        timeout: float = 600.0,
        decisions_only: bool = False,
    ):
        require_packages("openai", extra="llm")
        self.model = model
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        self.host = host_of(self.base_url)
        self._local = is_loopback(self.host)
        if not self._local and not os.environ.get(_KEY):
            raise UsageError(
                f"The environment has no {_KEY}, which {self.host} needs. Set it, as for the client openai."
            )
        self._max_concurrency, self._max_retries, self._timeout = max_concurrency, max_retries, timeout
        self._decisions_only = decisions_only
        self._structure = 0
        self._log_probabilities = True
        self._refused: set[str] = set()
        self._limit_name = "max_completion_tokens" if self.host == "api.openai.com" else "max_tokens"
        self._notes: list[str] = []
        self._answered = False

    @property
    def identity(self) -> Mapping[str, str]:
        """The model's name; the revision is the server's, and recorded where it tells it."""
        return {"backend": "openai", "model": self.model}

    @property
    def sampling(self) -> Mapping[str, Any]:
        """Greedy, as far as the server does it."""
        return {"temperature": 0.0, "top_logprobs": _TOP}

    @property
    def notes(self) -> Sequence[str]:
        """Options that the endpoint refused."""
        return tuple(self._notes)

    @property
    def repeats(self) -> bool:
        """Servers do not promise it."""
        return False

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Sends requests, at most ``max_concurrency`` at a time."""
        asyncio.run(self._answer_all(requests, on_answer))

    async def _answer_all(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        # Neither a proxy of the environment nor a redirection takes what is meant for this machine elsewhere.
        http = DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not self._local)
        client = AsyncOpenAI(
            base_url=self.base_url,
            api_key=os.environ.get(_KEY) or "none",
            max_retries=self._max_retries,
            timeout=self._timeout,
            http_client=http,
        )
        numbers = iter(range(len(requests)))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._max_concurrency, len(requests))):
                    group.create_task(self._work(client, requests, numbers, on_answer))
        except* EndpointError as errors:
            raise errors.exceptions[0] from None
        finally:
            await client.close()

    async def _work(
        self, client: Any, requests: Sequence[Request], numbers: Iterator[int], on_answer: OnAnswer
    ) -> None:
        for number in numbers:
            on_answer(number, await self._one(client, requests[number]))

    async def _one(self, client: Any, request: Request) -> Answer | Failure:
        import openai

        while True:
            state = self._state()
            begun = time.monotonic()
            try:
                raw = await client.chat.completions.with_raw_response.create(**self._body(request))
                answer = self._read(raw, request, time.monotonic() - begun, _STRUCTURES[state[0]])
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                # Where another request has led to a change meanwhile, this one is sent again as it is now.
                if state != self._state() or self._adapted(error, request):
                    continue
                return Failure(f"refused with status {error.status_code}", excerpt(str(error), 200))
            except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
                raise EndpointError(
                    f"{self.base_url} answers with status {error.status_code} for the model {self.model!r}: "
                    f"{excerpt(str(error), 200)}. Check --base_url, --model and {_KEY}."
                ) from None
            except openai.APITimeoutError:
                return Failure("timed out", f"no answer within {self._timeout:g} s")
            except openai.APIConnectionError as error:
                if not self._answered:
                    raise EndpointError(
                        f"Nothing answers at {self.base_url} ({excerpt(str(error.__cause__ or error), 120)}). Start "
                        "the server, or check --base_url."
                    ) from None
                return Failure("connection failed", excerpt(str(error.__cause__ or error), 200))
            except openai.APIStatusError as error:
                return Failure(f"status {error.status_code}", excerpt(str(error), 200))
            except openai.APIError as error:
                return Failure("no valid answer", excerpt(str(error), 200))
            self._answered = True
            return answer

    def _state(self) -> tuple[Any, ...]:
        return self._structure, self._log_probabilities, self._limit_name, frozenset(self._refused)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": request.messages,
            "temperature": 0.0,
            "seed": request.seed,
            self._limit_name: request.most_tokens,
        }
        for name in self._refused:
            body.pop(name, None)
        if request.labels and self._log_probabilities:
            body |= {"logprobs": True, "top_logprobs": _TOP}
        structure = _STRUCTURES[self._structure]
        if request.schema is not None and structure == "json_schema":
            named = {"name": "answer", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif request.schema is not None and structure == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def _adapted(self, error: Any, request: Request) -> bool:
        """Leaves out what the endpoint refuses, and says so; False where it is not known what it refuses."""
        said = str(error).lower()
        if "logprob" in said and request.labels and self._log_probabilities:
            self._without_log_probabilities()
            return True
        if "max_tokens" in said and "max_completion_tokens" in said and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        for name in ("temperature", "seed"):
            if name in said and name not in self._refused:
                self._refused.add(name)
                self._notes.append(f"The endpoint refuses the option {name}; answers are those of its default.")
                return True
        if request.schema is not None and any(word in said for word in _STRUCTURE_WORDS):
            if self._structure + 1 == len(_STRUCTURES):
                return False
            self._structure += 1
            self._notes.append(
                f"The endpoint refuses {_STRUCTURES[self._structure - 1]}; the form of answers is now enforced by "
                f"{_STRUCTURES[self._structure]}."
            )
            return True
        return False

    def _without_log_probabilities(self) -> None:
        if not self._decisions_only:
            raise EndpointError(
                f"{self.host} gives no log-probabilities of {self.model!r}, so pairs have no probabilities. Ask with "
                "--ask dialogue or target, or take its letters as decisions with --decisions_only."
            )
        self._log_probabilities = False
        self._notes.append("The endpoint gives no log-probabilities; pairs are decided by the letter that is written.")

    def _read(self, raw: Any, request: Request, latency: float, structure: str) -> Answer | Failure:
        found = raw.parse()
        if not getattr(found, "choices", None):
            return Failure("no valid answer", "the response has no choices")
        choice = found.choices[0]
        refusal = getattr(choice.message, "refusal", None)
        usage = found.usage
        details = getattr(usage, "prompt_tokens_details", None)
        first = None
        content = getattr(choice.logprobs, "content", None) if choice.logprobs is not None else None
        if request.labels and content:
            first = {top.token: float(top.logprob) for top in content[0].top_logprobs}
            first.setdefault(content[0].token, float(content[0].logprob))
        if request.labels and first is None and self._log_probabilities:
            self._without_log_probabilities()
        return Answer(
            text=refusal or choice.message.content or "",
            finish_reason="refusal" if refusal else choice.finish_reason or "stop",
            first_tokens=first,
            prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
            cached_tokens=getattr(details, "cached_tokens", 0) or 0,
            completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
            latency=latency,
            structure=structure if request.schema is not None else "none",
            served=" ".join(filter(None, (found.model, getattr(found, "system_fingerprint", None)))),
            retries=raw.retries_taken,
        )
