"""Sends what is not in the cache, and counts: requests, hits, tokens, seconds and what failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol, runtime_checkable

from iemomecp_dataset.errors import UsageError
from iemomecp_dataset.trainers.language_model.answering import Answer, Backend, Failure
from iemomecp_dataset.trainers.language_model.asking import Request
from iemomecp_dataset.trainers.language_model.cache import AnswerCache, request_key

__all__ = ["CountsAttempts", "NeedsLogProbabilities", "Prices", "Sender", "Usage", "cost_words"]

_MOST_NAMES = 8


def cost_words(cost: float) -> str:
    """A cost with two decimals, and with two significant digits where that would show none.

    Examples:
        >>> cost_words(12.345), cost_words(0.00525), cost_words(0.0)
        ('12.35', '0.0053', '0.00')
    """
    return f"{cost:.2f}" if cost >= 0.1 or cost == 0 else f"{Decimal(f'{cost:.2g}'):f}"


@dataclass(frozen=True)
class Prices:
    """Prices in any currency per million tokens; None where they are not given."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def cost(self, usage: Usage) -> float | None:
        """What tokens cost; None where a price is not given.

        Example:
            >>> Prices(2.0, 8.0).cost(Usage(prompt_tokens=500_000, completion_tokens=1000))
            1.008
        """
        if self.tokens_in is None or self.tokens_out is None:
            return None
        return (usage.prompt_tokens * self.tokens_in + usage.completion_tokens * self.tokens_out) / 1e6


@dataclass
class Usage:
    """Counts over the answers of a run, whether they were sent for now or before."""

    answers: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    retries: int = 0
    shots_left_out: int = 0
    endpoints: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    structures: Counter[str] = field(default_factory=Counter)
    served: set[str] = field(default_factory=set)
    _counted: set[str] = field(default_factory=set)

    def add(self, answer: Answer, key: str | None = None) -> None:
        """Counts an answer.

        Args:
            answer: The answer.
            key: The key of its request; equal ones are sent, and counted, once.
        """
        if key is not None:
            if key in self._counted:
                return
            self._counted.add(key)
        self.answers += 1
        self.prompt_tokens += answer.prompt_tokens
        self.cached_tokens += answer.cached_tokens
        self.completion_tokens += answer.completion_tokens
        self.retries += answer.retries
        self.shots_left_out += answer.left_out
        self.latencies.append(answer.latency)
        self.structures[answer.structure] += 1
        if answer.endpoint:
            self.endpoints[answer.endpoint] += 1
        if answer.served:
            self.served.add(answer.served)

    @property
    def served_names(self) -> list[str]:
        """The first served names, and how many more there are: a server may tell another one with each answer.

        Example:
            >>> Usage(served={f"m-{n}" for n in range(10)}).served_names[-2:]
            ['m-7', 'and 2 more']
        """
        return _first_of(self.served)


def _first_of(names: Iterable[str]) -> list[str]:
    found = sorted(names)
    more = [f"and {len(found) - _MOST_NAMES} more"] if len(found) > _MOST_NAMES else []
    return found[:_MOST_NAMES] + more


@runtime_checkable
class CountsAttempts(Protocol):
    """A backend whose client repeats requests by itself, counts what it sends, and sends no more than it may."""

    attempts: int
    most_attempts: int | None


@runtime_checkable
class NeedsLogProbabilities(Protocol):
    """A backend that refuses an endpoint without log-probabilities, unless it knows an answer that has some."""

    had_log_probabilities: bool


@dataclass
class Sender:
    """Gets answers from the cache, and the others from the backend.

    Attributes:
        backend: Where requests are answered.
        cache: Where answers are kept.
        prompt_version: Hash of the templates.
        max_requests: Most requests that are sent in all, those that fail or are repeated among them; None: any number.
        offline: Whether nothing may be sent.
        prices: For the cost that progress shows.
        progress: Whether to show progress.
        sent: Requests that were answered by the backend.
        attempts: Requests that were sent, with those that failed and those that the client repeated.
        hits: Answers that were in the cache.
        left: Requests that were not sent, as ``max_requests`` does not allow more.
        seconds: Time spent on sending.
        failures: Requests without an answer, by kind.
        messages: By kind the first message.
        lost: Tokens of responses that were no valid answers, where the server told them.
    """

    backend: Backend
    cache: AnswerCache
    prompt_version: str
    max_requests: int | None = None
    offline: bool = False
    prices: Prices = field(default_factory=Prices)
    progress: bool = False
    sent: int = 0
    attempts: int = 0
    hits: int = 0
    left: int = 0
    seconds: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    lost: Usage = field(default_factory=Usage)
    _served_before: set[str] = field(default_factory=set)
    _served_now: set[str] = field(default_factory=set)
    _of_answers: dict[str, None] = field(default_factory=dict)
    _elsewhere: Counter[str] = field(default_factory=Counter)

    def key(self, request: Request) -> str:
        """The key of a request."""
        return request_key(request, self.backend.identity, self.backend.sampling, self.prompt_version)

    def answers(self, requests: Sequence[Request]) -> list[Answer | None]:
        """Gets answers.

        Args:
            requests: The requests; equal ones are sent once.

        Returns:
            In their order the answers; None where there is none: it failed, which is counted in ``failures``, or the
            most requests were sent, which is counted in ``left``.

        Raises:
            UsageError: Some are not in the cache, and nothing may be sent.
            EndpointError: No request can be answered.
        """
        keys = [self.key(request) for request in requests]
        found = self.cache.found(keys)
        self.hits += sum(key in found for key in keys)
        if isinstance(self.backend, NeedsLogProbabilities) and any(
            one.first_tokens is not None for one in found.values()
        ):
            self.backend.had_log_probabilities = True
        for answer in found.values():
            self._of_answers |= dict.fromkeys(answer.notes)
        here = getattr(self.backend, "address", "")
        others = (found[key].endpoint for key in keys if key in found)
        self._elsewhere.update(endpoint for endpoint in others if endpoint and endpoint != here)
        self._served_before |= {answer.served for answer in found.values()}
        missing = {key: place for place, key in reversed(list(enumerate(keys))) if key not in found}
        places = sorted(missing.values())
        if places and self.offline:
            raise UsageError(
                f"{len(places)} of {len(requests)} requests are not in the cache {self.cache.path}, and --offline "
                "sends nothing. Leave --offline out, or give the --cache_dir that has them."
            )
        allowed = len(places) if self.max_requests is None else max(self.max_requests - self.attempts, 0)
        self.left += len(places[allowed:])
        if places[:allowed]:
            found |= self._sent(requests, keys, places[:allowed])
        return [found.get(key) for key in keys]

    def _sent(self, requests: Sequence[Request], keys: Sequence[str], places: Sequence[int]) -> dict[str, Answer]:
        from tqdm.auto import tqdm

        answers: dict[str, Answer] = {}
        usage, handed, before = Usage(), 0, self.attempts
        begun = time.monotonic()
        bar = tqdm(total=len(places), desc="Asking", unit="request", disable=not self.progress)

        def on_answer(number: int, answer: Answer | Failure) -> None:
            nonlocal handed
            handed += 1
            key = keys[places[number]]
            if isinstance(answer, Failure):
                self.failures[answer.kind] += 1
                self.messages.setdefault(answer.kind, answer.message)
                self.lost.prompt_tokens += answer.prompt_tokens
                self.lost.completion_tokens += answer.completion_tokens
            else:
                self.cache.keep(key, answer)
                answers[key] = replace(answer, response="") if answer.response else answer
                self.sent += 1
                self._served_now.add(answer.served)
                self._of_answers |= dict.fromkeys(answer.notes)
                if self.progress:
                    usage.add(answer)
                    cost = self.prices.cost(usage)
                    shown = {"from cache": self.hits, "tokens": usage.prompt_tokens + usage.completion_tokens}
                    bar.set_postfix({**shown, **({} if cost is None else {"cost": cost_words(cost)})}, refresh=False)
            bar.update()

        counting = self.backend if isinstance(self.backend, CountsAttempts) else None
        of_backend = 0 if counting is None else counting.attempts
        if counting is not None and self.max_requests is not None:
            counting.most_attempts = of_backend + self.max_requests - self.attempts
        try:
            self.backend.answer([requests[place] for place in places], on_answer)
        finally:
            bar.close()
            self.seconds += time.monotonic() - begun
            self.attempts = before + (handed if counting is None else counting.attempts - of_backend)
        self.left += len(places) - handed
        return answers

    def cost(self, usage: Usage) -> float | None:
        """What the answers of a run cost, and the tokens of responses that were none; None where prices are missing."""
        whole = Usage(
            prompt_tokens=usage.prompt_tokens + self.lost.prompt_tokens,
            completion_tokens=usage.completion_tokens + self.lost.completion_tokens,
        )
        return self.prices.cost(whole)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know; the same whether answers are sent for now or were before."""
        found = sorted({*self.backend.notes, *self._of_answers})
        given = ", ".join(f"{count} by {endpoint}" for endpoint, count in self._elsewhere.most_common(_MOST_NAMES))
        if given:
            found.append(
                f"{self._elsewhere.total()} answers of the cache were given by another endpoint under the same name of "
                f"the model: {given}. Another --cache_dir asks this one."
            )
        before, now = self._served_before - {""}, self._served_now - {""}
        if before and now - before:
            found.append(
                f"Answers of the cache are those of {', '.join(_first_of(before))}, and others of "
                f"{', '.join(_first_of(now - before))}: the server may have another model under the same name."
            )
        if self.cache.unreadable:
            found.append(f"{self.cache.unreadable} answers of the cache could not be read, and were asked for again.")
        return tuple(found)

    def again(self, requests: Sequence[Request]) -> list[Answer | None]:
        """Asks again for what could not be used, with the next seed."""
        return self.answers([replace(request, seed=request.seed + 1, attempt=1) for request in requests])
