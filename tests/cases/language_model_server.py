"""A server of OpenAI's kind on a loopback port, which answers by script, and what scripts need to know.

A script gets the body of a request, and gives the text of the answer, or a :class:`Reply` for anything else.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "scripted"


@dataclass
class Reply:
    """What the server sends in place of a plain answer."""

    text: str = ""
    finish_reason: str = "stop"
    status: int = 200
    error: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    refusal: str | None = None
    seconds: float = 0.0
    tokens: dict[str, float] | None = None
    served: str = f"{MODEL}-1"
    body: bytes | None = None
    """Sent as it is in place of all the rest."""


Script = Callable[[dict[str, Any]], "str | Reply"]


@dataclass
class Server:
    """A server that runs, and the requests it has answered."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    retried: int = 0

    @property
    def n_requests(self) -> int:
        return len(self.bodies)


@contextlib.contextmanager
def serving(script: Script) -> Iterator[Server]:
    """Runs a server for the time of a test."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.bodies.append(body)
                server.retried += int(self.headers.get("x-stainless-retry-count", "0")) > 0
            reply = script(body)
            reply = Reply(reply) if isinstance(reply, str) else reply
            if reply.seconds:
                time.sleep(reply.seconds)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send(reply, body)

        def send(self, reply: Reply, body: dict[str, Any]) -> None:
            content = {"error": {"message": reply.error}} if reply.status != 200 else completion(reply, body)
            data = json.dumps(content).encode() if reply.body is None else reply.body
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    class Many(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    http = Many(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def completion(reply: Reply, body: dict[str, Any]) -> dict[str, Any]:
    logprobs = None
    if body.get("logprobs") and reply.tokens is not None:
        top = [{"token": token, "logprob": value, "bytes": None} for token, value in reply.tokens.items()]
        logprobs = {"content": [{**top[0], "top_logprobs": top}], "refusal": None}
    message = {"role": "assistant", "content": None if reply.refusal else reply.text, "refusal": reply.refusal}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason, "logprobs": logprobs}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
             "prompt_tokens_details": {"cached_tokens": 40}}  # fmt: skip
    return {"id": "1", "object": "chat.completion", "created": 0, "model": reply.served, "choices": [choice],
            "usage": usage, "system_fingerprint": "fp"}  # fmt: skip


def turns_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Speaker and text of the turns of the dialogue that a request asks about."""
    user = body["messages"][-1]["content"]
    lines = user.split("\n\n")[0].splitlines()[1:]
    found = [re.fullmatch(r"\d+\. ([^:]*): (.*)", line) for line in lines]
    return [(match[1], match[2]) for match in found if match is not None]


def asked_turns(body: dict[str, Any]) -> list[int]:
    """The turns that the question names."""
    return [int(number) for number in re.findall(r"\bturn (\d+)", body["messages"][-1]["content"].split("\n\n")[-1])]
