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

    Raises:
        MissingDependencyError: Ray is not installed.
    """

    def __init__(self, options: Mapping[str, Any], *, engine: str, workers: int = 2, address: str | None = None):
        require_packages("ray", extra="cluster")
        self._options, self._engine, self._workers, self._address = dict(options), engine, workers, address
        self._notes: dict[str, None] = {}
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
            size = min(_AT_ONCE, max(1, -(-len(requests) // self._workers)))
            rows = [{"number": number, "request": pickle.dumps(one)} for number, one in enumerate(requests)]
            answers = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // size)).map_batches(
                _Worker,
                fn_constructor_args=(self._engine, self._options),
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
        for note in json.loads(row["notes"]):
            self._notes[note] = None
        kind, text = str(row["kind"]), str(row["text"])
        if kind == "fatal":
            raise EndpointError(text)
        on_answer(int(row["number"]), Failure(kind, text) if kind else Answer.from_json(text))

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
    """One worker; what is wrong for all requests is told in a row, as ray would wrap an exception."""

    def __init__(self, engine: str, options: Mapping[str, Any]):
        self._engine, self._options = engine, options
        self._backend: Backend | None = None

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        numbers = [int(number) for number in batch["number"]]
        # What is unpickled is what this program has pickled for its own workers.
        requests = [pickle.loads(bytes(one)) for one in batch["request"]]  # noqa: S301
        found: dict[int, tuple[str, str]] = {}

        def on_answer(place: int, answer: Answer | Failure) -> None:
            of_failure = isinstance(answer, Failure)
            found[place] = (answer.kind, answer.message) if of_failure else ("", answer.to_json())  # type: ignore[union-attr]

        notes: Sequence[str] = ()
        try:
            if self._backend is None:
                make = VllmModel if self._engine == "vllm" else OpenAIEndpoint
                self._backend = make(**self._options)
            self._backend.answer(requests, on_answer)
            notes = self._backend.notes
        except IemomecpError as error:
            # Answers that came before are handed over first.
            lacking = next(place for place in range(len(numbers)) if place not in found)
            found[lacking] = ("fatal", str(error))
        order = sorted(found, key=lambda place: (found[place][0] == "fatal", place))
        return {
            "number": [numbers[place] for place in order],
            "kind": [found[place][0] for place in order],
            "text": [found[place][1] for place in order],
            "notes": [json.dumps(list(notes)) for _ in order],
        }
