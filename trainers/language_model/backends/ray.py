"""The same requests over a cluster: Ray Data shares them out over workers, each with a client or an engine of its own.

What a worker does is what the backends ``openai`` and ``vllm`` do, so that fall-backs, retries, counts and the keys of
the cache are theirs. Ray Data's own HTTP stage sends a worker's requests one after another, and ends everything at the
first error of the server.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from iemomecp_dataset.errors import EndpointError, IemomecpError, MissingDataError, require_packages
from iemomecp_dataset.trainers.language_model.answering import Answer, Backend, Failure, OnAnswer
from iemomecp_dataset.trainers.language_model.asking import Request
from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint
from iemomecp_dataset.trainers.language_model.backends.vllm import VllmModel

__all__ = ["RayWorkers"]

_AT_ONCE = 256
"""Requests that a worker has at a time: what is lost where it is."""


class RayWorkers:
    """Workers of Ray Data that answer requests.

    Args:
        options: Arguments of the backend that each worker has.
        engine: ``openai``, or ``vllm``, which takes a GPU each.
        workers: Number of workers.
        address: Address of a cluster; None: ray is started here, and ended.

    Attributes:
        attempts: Requests that clients have sent, each attempt counted.
        most_attempts: Most of them in all; None: any number. It is shared out evenly, so that a client may repeat
            requests less often than it is allowed to.
        had_log_probabilities: Whether an answer of the endpoint is known that has some.

    Raises:
        MissingDependencyError: Ray is not installed.
    """

    def __init__(self, options: Mapping[str, Any], *, engine: str, workers: int = 2, address: str | None = None):
        require_packages("ray", extra="cluster")
        self._options, self._engine, self._workers, self._address = dict(options), engine, workers, address
        self._notes: dict[str, None] = {}
        self.attempts = 0
        self.most_attempts: int | None = None
        self.had_log_probabilities = False
        # A client costs nothing, and tells at once what is wrong with its address; an engine is made by workers alone.
        self._client = None if engine == "vllm" else OpenAIEndpoint(**self._options)

    @property
    def identity(self) -> Mapping[str, str]:
        """That of the backend that each worker has: answers are the same, wherever they come from."""
        if self._client is not None:
            return self._client.identity
        return VllmModel.identity_of(self._options["name"], self._options.get("revision"))

    @property
    def sampling(self) -> Mapping[str, Any]:
        """Likewise."""
        if self._client is not None:
            return self._client.sampling
        return VllmModel.sampling_of(self._options.get("structured", True))

    @property
    def address(self) -> str:
        """That of the endpoint that clients send to; empty for engines."""
        return "" if self._client is None else self._client.address

    @property
    def notes(self) -> Sequence[str]:
        """What workers have said."""
        return tuple(self._notes)

    @property
    def repeats(self) -> bool:
        """As its workers do."""
        return self._engine == "vllm"

    def answer(self, requests: Sequence[Request], on_answer: OnAnswer) -> None:
        """Shares requests out; answers are handed over as blocks of them come back."""
        import ray
        import ray.data

        started = not ray.is_initialized()
        if started:
            self._start(ray)
        try:
            context = ray.data.DataContext.get_current()
            context.enable_progress_bars = False
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            each: int | None = None
            if self.most_attempts is not None:
                each = (self.most_attempts - self.attempts) // len(requests)
                requests = requests if each else requests[: self.most_attempts - self.attempts]
                each = max(each, 1)
            size = min(_AT_ONCE, max(1, -(-len(requests) // self._workers)))
            known = {} if self._client is None else {"had_log_probabilities": self.had_log_probabilities}
            rows = [{"number": number, "request": pickle.dumps(one)} for number, one in enumerate(requests)]
            answers = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // size)).map_batches(
                _Worker,
                fn_constructor_args=(self._engine, {**self._options, **known}, each),
                batch_size=size,
                compute=ray.data.ActorPoolStrategy(size=self._workers),
                num_gpus=1 if self._engine == "vllm" else 0,
            )
            for row in answers.iter_rows():
                self._hand_over(row, on_answer)
        finally:
            if started:
                ray.shutdown()

    def _hand_over(self, row: Mapping[str, Any], on_answer: OnAnswer) -> None:
        kind, text = str(row["kind"]), str(row["text"])
        if kind == "fatal":
            raise EndpointError(text)
        if kind == "batch":
            about = json.loads(text)
            self.attempts += about["attempts"]
            self._notes |= dict.fromkeys(about["notes"])
            return
        on_answer(int(row["number"]), Failure(**json.loads(text)) if kind == "failure" else Answer.from_json(text))

    def _start(self, ray: Any) -> None:
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        if self._address is None:
            ray.init(
                address="local",
                num_cpus=self._workers + 1,
                include_dashboard=False,
                object_store_memory=100 * 2**20,
                **quiet,
            )
            return
        try:
            ray.init(address=self._address, **quiet)
        except (ConnectionError, TimeoutError, ValueError) as error:
            raise MissingDataError(
                f"There is no ray cluster at {self._address} ({error}). Start one with: ray start --head"
            ) from None


class _Worker:
    """One worker; what is wrong for all requests is told in a row, as ray would wrap an exception.

    Args:
        engine: ``openai`` or ``vllm``.
        options: Arguments of that backend.
        each: Most attempts per request, on average; None: as many as the client makes.
    """

    def __init__(self, engine: str, options: Mapping[str, Any], each: int | None = None):
        self._engine, self._options, self._each = engine, options, each
        self._backend: Backend | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Answers a batch.

        Args:
            batch: ``number`` of each request, and ``request``, pickled.

        Returns:
            Rows of ``number``, ``kind`` and ``text``: one about the batch, then ``answer`` or ``failure`` for each
            request that was sent, and ``fatal`` at the end.
        """
        # What is unpickled is what this program has pickled for its own workers.
        requests = [pickle.loads(bytes(one)) for one in batch["request"]]  # noqa: S301
        rows: list[tuple[int, str, str]] = []

        def on_answer(place: int, answer: Answer | Failure) -> None:
            of_failure = isinstance(answer, Failure)
            text = json.dumps(asdict(answer)) if isinstance(answer, Failure) else answer.to_json()
            rows.append((int(batch["number"][place]), "failure" if of_failure else "answer", text))

        about: dict[str, Any] = {"attempts": 0, "notes": []}
        backend: Any = None
        before = 0
        try:
            backend = self._made()
            before = getattr(backend, "attempts", 0)
            if self._each is not None and hasattr(backend, "most_attempts"):
                backend.most_attempts = before + self._each * len(requests)
            backend.answer(requests, on_answer)
        except IemomecpError as error:
            # Answers that came before are handed over first.
            rows.append((-1, "fatal", str(error)))
        if backend is not None:
            about = {"attempts": getattr(backend, "attempts", len(rows)) - before, "notes": list(backend.notes)}
        rows.insert(0, (-1, "batch", json.dumps(about)))
        numbers, kinds, texts = zip(*rows, strict=True)
        return {"number": list(numbers), "kind": list(kinds), "text": list(texts)}

    def _made(self) -> Backend:
        if self._backend is None:
            make = VllmModel if self._engine == "vllm" else OpenAIEndpoint
            self._backend = make(**self._options)
        return self._backend
