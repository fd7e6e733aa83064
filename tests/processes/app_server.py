"""Serves the page with invented models and lists whom the process asks: PORT MODELS FILE-OF-REQUESTS."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

REQUESTS = Path(sys.argv[3])
REQUESTS.write_text("")


def _local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in ("localhost", "None", ""):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if not _local(host):
        with REQUESTS.open("a") as file:
            file.write(f"{event} {host!r}\n")


sys.addaudithook(_listen)
sys.path.insert(0, str(Path(__file__).parents[1] / "cases"))

from invented_answers import invented_model  # noqa: E402

from iemomecp_dataset.command_process import run_command  # noqa: E402
from iemomecp_dataset.trainers.app.interface import launch  # noqa: E402

MODELS = [invented_model("first", synthetic=True), invented_model("second", seed=1, recordings=("audio",))]
run_command(lambda: launch(MODELS[: int(sys.argv[2])], port=int(sys.argv[1]), open_browser=False))
