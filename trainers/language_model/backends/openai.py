"""Any endpoint that speaks OpenAI's interface: OpenAI itself, vLLM, SGLang, llama.cpp, Ollama and others."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import hashlib
import math
import os
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from iemomecp_dataset.errors import EndpointError, IemomecpError, InvalidDataError, UsageError, require_packages
from iemomecp_dataset.excerpts import excerpt, shortened
from iemomecp_dataset.files import parse_json
from iemomecp_dataset.trainers.language_model.answering import Answer, Failure, OnAnswer
from iemomecp_dataset.trainers.language_model.asking import Request
from iemomecp_dataset.trainers.language_model.licence import address_of, host_of, is_loopback, proxy_of

__all__ = ["DEFAULT_BASE_URL", "OpenAIEndpoint"]

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"
_TOP = 20
_STRUCTURES = ("json_schema", "json_object", "none")
_ROUNDING = 1e-3
"""A log-probability may lie above zero by this much, as servers round."""
_SHORTEST_SECRET = 8
"""Characters; shorter keys are words such as ``none`` and ``EMPTY``, which servers without keys are given."""
_APART, _LATEST = 0.002, 0.25
"""Seconds between the first requests, and until the last of them. Sent at the same moment, they come back at the same
moment of a server that takes equally long for each, and each then waits until all of them are read before the next one
is sent in its place; so do all that follow."""
_ENDINGS = ("stop", "length", "content_filter", "refusal", "tool_calls", "function_call")
_OTHER_ENDINGS = {
    "max_tokens": "length",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
}
"""Finish reasons of OpenAI's interface, and what other servers call them; any other one is kept as ``other``."""
_LONGEST_WAIT = 120
"""Seconds that the client waits where a server tells it to; it gives up where that is longer."""
_REFUSED_OPTION = "The endpoint refuses the option {}; answers are those of its default."
_REFUSED_STRUCTURE = "The endpoint refuses {}; the form of answers is now enforced by {}."
_NO_LOG_PROBABILITIES = "The endpoint gives no log-probabilities; pairs are decided by the letter that is written."
_NO_TOKENS = "The endpoint told no tokens of some answers; their number and cost are too low."
_LONGEST_NAME = 80
"""Characters of a served name that are kept."""
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
        structured: Whether a schema is asked for.
        had_log_probabilities: Whether an answer of the endpoint is known that has some.
        shows_texts: Whether what the server says may stand in messages and records; it may quote the request. Where
            not, status and kind of an error stand there alone, and a short hash in place of a served name.

    Attributes:
        address: Host and port of the endpoint.
        attempts: Requests that were sent, each attempt of the client counted.
        most_attempts: Most of them in all; None: any number. What is not sent for it is not handed over.

    Raises:
        MissingDependencyError: The package ``openai`` is missing.
        UsageError: The address is none.
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
        structured: bool = True,
        had_log_probabilities: bool = False,
        shows_texts: bool = True,
    ):
        require_packages("openai", extra="llm")
        self.model = model
        self.base_url = base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        self.host = host_of(self.base_url)
        self.address = address_of(self.base_url)
        self._proxy = proxy_of(self.base_url)
        self.attempts = 0
        self.most_attempts: int | None = None
        self._max_concurrency, self._max_retries, self._timeout = max_concurrency, max_retries, timeout
        self._decisions_only = decisions_only
        self._structured = structured
        self._structure = 0 if structured else _STRUCTURES.index("none")
        self._log_probabilities = True
        self._refused: set[str] = set()
        self._limit_name = "max_completion_tokens" if self.host == "api.openai.com" else "max_tokens"
        self._notes: list[str] = []
        self._answered = False
        self.had_log_probabilities = had_log_probabilities
        self._shows_texts = shows_texts

    @property
    def identity(self) -> Mapping[str, str]:
        """The model's name; the revision is the server's, and recorded where it tells it."""
        return {"backend": "openai", "model": self.model}

    @property
    def sampling(self) -> Mapping[str, Any]:
        """Greedy, as far as the server does it."""
        return {"temperature": 0.0, "top_logprobs": _TOP, **({} if self._structured else {"structured": False})}

    @property
    def notes(self) -> Sequence[str]:
        """Options that the endpoint refused."""
        return tuple(self._notes)

    @property
    def repeats(self) -> bool:
        """Servers do not promise it."""
        return False

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Sends requests, at most ``max_concurrency`` at a time.

        Raises:
            UsageError: There is no key for another machine, or the proxy of the environment cannot be used.
            EndpointError: No request can be answered.
        """
        # Asked for here: what is in the cache needs no key.
        if not is_loopback(self.host) and not os.environ.get(_KEY):
            raise UsageError(
                f"The environment has no {_KEY}, which {self.host} needs. Set it, as for the client openai."
            )
        asyncio.run(self._answer_all(requests, on_answer))

    async def _answer_all(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        from openai import AsyncOpenAI

        client = AsyncOpenAI(
            base_url=self.base_url,
            api_key=os.environ.get(_KEY) or "none",
            max_retries=self._max_retries,
            timeout=self._timeout,
            http_client=self._http(),
        )
        numbers = iter(range(len(requests)))
        try:
            async with asyncio.TaskGroup() as group:
                n_workers = min(self._max_concurrency, len(requests))
                apart = min(_APART, _LATEST / n_workers)
                for place in range(n_workers):
                    group.create_task(self._work(client, requests, numbers, on_answer, place * apart))
        except* IemomecpError as errors:
            # Of several the first, such as the cache's where the disk is full.
            raise _first(errors) from None
        finally:
            await client.close()

    def _http(self) -> Any:
        """The connections: every attempt is counted, and goes the way that was checked beforehand."""
        import openai

        endpoint = self

        class Counted(openai.DefaultAsyncHttpxClient):  # type: ignore[misc]
            async def send(self, request: Any, **options: Any) -> Any:
                if not endpoint._may_send:
                    raise _nothing_left()
                endpoint.attempts += 1
                _attempts.set(_attempts.get() + 1)
                return await super().send(request, **options)

        direct = {"http://": None, "https://": None, "all://": None}
        way: dict[str, Any] = {"proxy": self._proxy} if self._proxy else {"mounts": direct}
        if not self._proxy and urlsplit(self.base_url).scheme == "http":
            # Nothing is encrypted, so that the certificates of this machine need not be read; it takes long.
            way["verify"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            # A redirection would take the texts elsewhere.
            return Counted(follow_redirects=False, **way)
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"The environment's proxy for {self.host} cannot be used ({self._said(error, 120)}). Mend it, or name "
                f"{self.host} in NO_PROXY."
            ) from None

    @property
    def _may_send(self) -> bool:
        return self.most_attempts is None or self.attempts < self.most_attempts

    async def _work(
        self, client: Any, requests: Sequence[Request], numbers: Iterator[int], on_answer: OnAnswer, begins: float
    ) -> None:
        await asyncio.sleep(begins)
        while self._may_send and (number := next(numbers, None)) is not None:
            found = await self._one(client, requests[number])
            if found is not None:
                on_answer(number, found)

    async def _one(self, client: Any, request: Request) -> Answer | Failure | None:
        """The answer; None where nothing more may be sent before there is one."""
        import httpx2
        import openai

        _attempts.set(0)
        while True:
            state = self._state()
            begun, before = time.monotonic(), _attempts.get()
            try:
                # The body is given as it is: the client's models would cost more than all the rest of a request, and
                # take for granted what the server sends.
                raw = await client.post("/chat/completions", body=self._body(request), cast_to=httpx2.Response)
                answer = self._read(
                    raw.content,
                    request,
                    time.monotonic() - begun,
                    _STRUCTURES[state[0]],
                    _attempts.get() - before - 1,
                    self._adaptations(request, state),
                )
            except _nothing_left():
                # Repeated until nothing was left; without any attempt it is merely not asked yet.
                if _attempts.get() == before:
                    return None
                return Failure("still failing at --max_requests", "the last attempt that was left has failed")
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                # Where another request has led to a change meanwhile, this one is sent again as it is now.
                if state != self._state() or self._adapted(error, request):
                    continue
                return Failure(f"refused with status {error.status_code}", self._said(error))
            except openai.APIStatusError as error:
                if not isinstance(
                    error, openai.AuthenticationError | openai.PermissionDeniedError | openai.NotFoundError
                ):
                    return self._failed(error)
                raise EndpointError(
                    f"{self.address} answers with status {error.status_code} for the model {self.model!r}: "
                    f"{self._said(error)}. Check --base_url, --model and {_KEY}."
                ) from None
            except openai.APITimeoutError:
                return Failure("timed out", f"no answer within {self._timeout:g} s")
            except openai.APIConnectionError as error:
                cause = error.__cause__ or error
                if isinstance(cause, httpx2.DecodingError):
                    return Failure("no valid answer", self._said(cause))
                if not self._answered and isinstance(cause, httpx2.ConnectError | httpx2.ProxyError):
                    through = f" through the proxy {address_of(self._proxy)}" if self._proxy else ""
                    raise EndpointError(
                        f"Nothing answers at {self.address}{through} ({self._said(cause, 120)}). Start "
                        "the server, or check --base_url."
                    ) from None
                return Failure("connection failed", self._said(cause))
            except openai.APIError as error:
                return Failure("no valid answer", self._said(error))
            self._answered = True
            return answer

    def _failed(self, error: Any) -> Failure:
        status = error.status_code
        if 300 <= status < 400:
            return Failure(
                f"redirected with status {status}",
                "redirections are not followed, as they would take the texts elsewhere; give the address that answers "
                "as --base_url",
            )
        try:
            wait = float(error.response.headers.get("retry-after", ""))
        except ValueError:
            wait = 0.0
        asked = (
            f"the server asks to wait {wait:g} s (retry-after), and the client waits {_LONGEST_WAIT} at most; "
            if _LONGEST_WAIT < wait < math.inf
            else ""
        )
        return Failure(f"status {status}", asked + self._said(error))

    def _said(self, error: object, length: int = 200) -> str:
        """What an error says, without the key and the password, which some servers repeat; or its kind alone."""
        if not self._shows_texts:
            return type(error).__name__.lstrip("_")
        return excerpt(self._without_secrets(str(error)), length)

    def _served(self, names: Sequence[str]) -> str:
        """Model and revision as the server names them, short."""
        name = " ".join(" ".join(names).split())
        if not self._shows_texts and name and name != self.model:
            return f"a name with the hash {hashlib.sha256(name.encode()).hexdigest()[:12]}"
        return shortened(name, _LONGEST_NAME)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(key)")
        return text

    @property
    def _secrets(self) -> list[str]:
        words = [os.environ.get(_KEY) or ""]
        for url in filter(None, (self.base_url, self._proxy)):
            words += [urlsplit(url).password or "", unquote(urlsplit(url).password or "")]
        return [word for word in words if len(word) >= _SHORTEST_SECRET]

    def _state(self) -> tuple[Any, ...]:
        return self._structure, self._log_probabilities, self._limit_name, frozenset(self._refused)

    def _adaptations(self, request: Request, state: tuple[Any, ...]) -> list[str]:
        """How a request that was sent in a state differs from what was meant."""
        structure, log_probabilities, _, refused = state
        found = [_REFUSED_OPTION.format(name) for name in sorted(refused)]
        if request.schema is not None and self._structured:
            found += [_REFUSED_STRUCTURE.format(*_STRUCTURES[n : n + 2]) for n in range(structure)]
        return found + ([_NO_LOG_PROBABILITIES] if request.labels and not log_probabilities else [])

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
        said = str(error)[:2000].lower()
        if "logprob" in said and request.labels and self._log_probabilities and not self.had_log_probabilities:
            self._without_log_probabilities()
            return True
        if "max_tokens" in said and "max_completion_tokens" in said and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        for name in ("temperature", "seed"):
            if name in said and name not in self._refused:
                self._refused.add(name)
                self._notes.append(_REFUSED_OPTION.format(name))
                return True
        if request.schema is not None and any(word in said for word in _STRUCTURE_WORDS):
            if self._structure + 1 == len(_STRUCTURES):
                return False
            self._structure += 1
            self._notes.append(_REFUSED_STRUCTURE.format(*_STRUCTURES[self._structure - 1 : self._structure + 1]))
            return True
        return False

    def _without_log_probabilities(self) -> None:
        if not self._decisions_only:
            raise EndpointError(
                f"{self.host} gives no log-probabilities of {self.model!r}, so pairs have no probabilities. Ask with "
                "--ask dialogue or target, or take its letters as decisions with --decisions_only."
            )
        self._log_probabilities = False
        self._notes.append(_NO_LOG_PROBABILITIES)

    def _read(
        self,
        content: bytes,
        request: Request,
        latency: float,
        structure: str,
        retries: int,
        adaptations: Sequence[str] = (),
    ) -> Answer | Failure:
        """Checks a response field by field: what is kept can be read again, whatever a server sends."""
        try:
            whole = self._without_secrets(content.decode("utf-8"))
            found = parse_json(whole, "the response")
        except (UnicodeDecodeError, InvalidDataError):
            return Failure("no valid answer", f"the response is no valid JSON: {self._said(content[:100], 120)}")
        tokens = (0, 0, 0)
        try:
            found = _of_type(found, dict, "the response")
            tokens = self._tokens(found.get("usage"))
            choices = _of_type(found.get("choices"), list, "choices")
            choice = _of_type(choices[0] if choices else None, dict, "choices[0]")
            message = _of_type(choice.get("message"), dict, "message")
            refusal = _text_or_empty(message.get("refusal"), "refusal")
            text = _content(message.get("content"))
            reason = _text_or_empty(choice.get("finish_reason"), "finish_reason") or "stop"
            reason = "refusal" if refusal else _OTHER_ENDINGS.get(reason, reason)
            served = [_text_or_empty(found.get(name), name) for name in ("model", "system_fingerprint")]
            first = _first_tokens(choice.get("logprobs")) if request.labels else None
        except _UnexpectedError as error:
            return Failure("no valid answer", self._said(error), tokens[0], tokens[2])
        if first is not None:
            self.had_log_probabilities = True
        elif request.labels and self._log_probabilities and reason in ("stop", "length"):
            # What a filter or the model itself has refused is an answer without any, and tells nothing of the others.
            if self.had_log_probabilities:
                return Failure("no valid answer", "the response has no log-probabilities", tokens[0], tokens[2])
            self._without_log_probabilities()
            adaptations = [*adaptations, _NO_LOG_PROBABILITIES]
        if found.get("usage") is None:
            adaptations = [*adaptations, _NO_TOKENS]
        return Answer(
            text=refusal or text,
            finish_reason=reason if reason in _ENDINGS else "other",
            first_tokens=first,
            prompt_tokens=tokens[0],
            cached_tokens=tokens[1],
            completion_tokens=tokens[2],
            latency=latency,
            structure=structure if request.schema is not None else "none",
            served=self._served(served),
            retries=retries,
            endpoint=self.address,
            notes=tuple(adaptations),
            response=whole,
        )

    def _tokens(self, usage: Any) -> tuple[int, int, int]:
        """Tokens of the request, those of them that were computed before, and tokens of the answer."""
        if usage is None:
            if _NO_TOKENS not in self._notes:
                self._notes.append(_NO_TOKENS)
            return 0, 0, 0
        usage = _of_type(usage, dict, "usage")
        details = usage.get("prompt_tokens_details")
        details = {} if details is None else _of_type(details, dict, "prompt_tokens_details")
        counts = (
            usage.get("prompt_tokens"),
            details.get("cached_tokens"),
            usage.get("completion_tokens"),
        )
        return tuple(_count(value) for value in counts)  # type: ignore[return-value]


_attempts: contextvars.ContextVar[int] = contextvars.ContextVar("attempts", default=0)
"""Attempts of the request that a task sends."""


@functools.cache
def _nothing_left() -> type[Exception]:
    """Nothing more may be sent. The client hands its own errors on, and repeats after others."""
    import openai

    return type("NothingLeft", (openai.OpenAIError,), {})


class _UnexpectedError(Exception):
    """Something in a response is not what the interface says."""


def _of_type(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise _UnexpectedError(f"{name} is {excerpt(value)}")
    return value


def _text_or_empty(value: Any, name: str) -> str:
    return "" if value is None else str(_of_type(value, str, name))


def _content(value: Any) -> str:
    """The text of a message; of a list of parts that of its text parts."""
    if not isinstance(value, list):
        return _text_or_empty(value, "content")
    parts = [_of_type(part, dict, "a part of content") for part in value]
    return "".join(_text_or_empty(part.get("text"), "a text") for part in parts if part.get("type") == "text")


def _count(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise _UnexpectedError(f"a number of tokens is {excerpt(value)}")
    return value


def _first_tokens(logprobs: Any) -> dict[str, float] | None:
    """Log-probabilities at the first position; None where there are none.

    Example:
        >>> one, other = {"token": "A", "logprob": -1.0}, {"token": "B", "logprob": -2.0}
        >>> _first_tokens({"content": [{**one, "top_logprobs": [one, other]}]})
        {'A': -1.0, 'B': -2.0}
        >>> _first_tokens({"content": [{**one, "top_logprobs": None}]}) is None
        True
    """
    if logprobs is None:
        return None
    content = _of_type(logprobs, dict, "logprobs").get("content")
    if content is None or not _of_type(content, list, "logprobs.content"):
        return None
    position = _of_type(content[0], dict, "logprobs.content[0]")
    listed = position.get("top_logprobs")
    if listed is None or not _of_type(listed, list, "top_logprobs"):
        return None
    found: dict[str, float] = {}
    for one in listed:
        token, value = _token(one)
        # Tokens of other bytes may have the same text; its probability is that of all of them.
        found[token] = _sum(found[token], value) if token in found else value
    token, value = _token(position)
    found.setdefault(token, value)
    return found


def _token(one: Any) -> tuple[str, float]:
    entry = _of_type(one, dict, "a token")
    token, value = _of_type(entry.get("token"), str, "a token"), entry.get("logprob")
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or math.isnan(value) or value > _ROUNDING:
        raise _UnexpectedError(f"a log-probability is {excerpt(value)}")
    return token, float(value)


def _sum(one: float, other: float) -> float:
    """The logarithm of the sum of two probabilities that are given by theirs."""
    larger, smaller = max(one, other), min(one, other)
    return larger if smaller == -math.inf else min(larger + math.log1p(math.exp(smaller - larger)), _ROUNDING)


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
