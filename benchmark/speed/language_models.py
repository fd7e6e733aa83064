"""Rate at which requests are sent to a server of a language model, against the server's own; memory of many.

The server is a process of its own, answers each request after the same time, and does nothing else: what is measured is
the client, its counts and the cache. On a busy machine, or one of two cores, the ratio reflects the load.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from iemomecp_dataset.benchmark.speed.measurement import SpeedRow
from iemomecp_dataset.errors import TrainingError
from iemomecp_dataset.trainers.language_model.asking import Request
from iemomecp_dataset.trainers.language_model.schemas import dialogue_schema

__all__ = ["run"]

_TURNS = 12
_ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "served",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": '{"records": []}'}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 900, "completion_tokens": 6, "total_tokens": 906},
}


def run(
    *, requests: int = 1000, many: int = 10_000, at_once: int = 64, seconds: tuple[float, ...] = (0.5, 1.0)
) -> list[SpeedRow]:
    """Measures requests about dialogues of 12 turns, each of which differs, from an empty cache.

    Args:
        requests: Requests of each measurement of time.
        many: Requests of the measurement of memory, which are answered at once.
        at_once: Most requests in flight.
        seconds: Seconds after which the server answers.

    Returns:
        For each of them a row: a ratio of 0.9 is nine tenths of the server's own rate. Then the peak memory of a
        process that sends ``many`` requests, beside that of one that sends ``requests``.
    """
    rows = []
    for pause in seconds:
        with _server(pause) as port:
            asyncio.run(_bare(port, _body(), at_once, at_once))
            began = time.perf_counter()
            asyncio.run(_bare(port, _body(), requests, at_once))
            bare = time.perf_counter() - began
            # What a process does once, such as the client's imports, is no part of a rate.
            _sent(port, at_once, at_once)
            ours = _sent(port, requests, at_once)
        rows.append(
            SpeedRow(f"{requests:,} requests, {at_once} at once, {pause:g} s each", ours, "sent without a client", bare)
        )
    with _server(0.0) as port:
        few, most = (_peak(port, number, at_once) for number in (requests, many))
    return [*rows, SpeedRow(f"MB at most, {many:,} requests", most, f"MB at most, {requests:,}", few)]


def _requests(number: int) -> list[Request]:
    lines = "\n".join(f"{turn}. Ann: We lost the match, and the rain does not stop." for turn in range(1, _TURNS + 1))
    one = Request(
        split="test",
        dialogue_id="",
        target=None,
        cause=None,
        system="Find the causes of emotions. " * 40,
        examples=(),
        shown=f"Conversation:\n{lines}\n\n",
        ask="",
        schema=dialogue_schema(_TURNS, ("anger", "joy", "sadness")),
        labels=(),
        most_tokens=512,
        seed=0,
    )
    return [replace(one, dialogue_id=str(place), ask=f"List the pairs of dialogue {place}.") for place in range(number)]


def _sent(port: int, number: int, at_once: int) -> float:
    """Seconds that requests take, from the cache's keys to the last answer in it."""
    from openai import AsyncOpenAI  # noqa: F401

    from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint
    from iemomecp_dataset.trainers.language_model.cache import AnswerCache
    from iemomecp_dataset.trainers.language_model.sending import Sender

    asked = _requests(number)
    endpoint = OpenAIEndpoint("served", base_url=f"http://127.0.0.1:{port}/v1", max_concurrency=at_once)
    with tempfile.TemporaryDirectory() as folder, AnswerCache(Path(folder)) as cache:
        sender = Sender(endpoint, cache, "version")
        began = time.perf_counter()
        answers = sender.answers(asked)
        taken = time.perf_counter() - began
    if None in answers or sender.attempts != number:
        raise TrainingError(f"{sender.attempts} requests were sent for {number}: {dict(sender.failures)}.")
    return taken


def _peak(port: int, number: int, at_once: int) -> float:
    """MB of a process that sends requests, at most."""
    script = (
        "import sys; from iemomecp_dataset.benchmark.speed import language_models as subject, measurement; "
        "subject._sent(*map(int, sys.argv[1:])); print(measurement.peak_memory())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, (port, number, at_once))], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TrainingError(f"Sending {number} requests failed: {done.stderr[-1000:]}")
    return int(done.stdout) / 2**20


def _body() -> bytes:
    """The body that the client sends."""
    from iemomecp_dataset.trainers.language_model.backends.openai import OpenAIEndpoint

    return json.dumps(OpenAIEndpoint("served", base_url="http://127.0.0.1:1/v1")._body(_requests(1)[0])).encode()


async def _bare(port: int, body: bytes, number: int, at_once: int) -> None:
    """Sends the same bytes again and again, and reads no answer beyond its end: the server's own rate."""
    left = iter(range(number))
    message = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            writer.write(message)
            await _read_body(reader)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(connection() for _ in range(at_once)))


async def _read_body(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)


@contextlib.contextmanager
def _server(pause: float) -> Iterator[int]:
    """Runs the server; its port."""
    command = [sys.executable, "-c", f"from {__name__} import _serve; _serve({pause!r})"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not (port := process.stdout.readline()):
                raise TrainingError("The server of the measurement does not start.")
            yield int(port)
        finally:
            process.kill()


def _serve(pause: float) -> None:
    """Answers every request after ``pause`` seconds, until the process is ended."""
    content = json.dumps(_ANSWER).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content) + content

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await _read_body(reader)
                await asyncio.sleep(pause)
                writer.write(answer)
                await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())
