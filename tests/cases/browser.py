"""Drives a headless Chromium over the DevTools protocol: open, type, click, read, photograph, list the requests."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp  # what `datasets` reads remote files with
import pytest

_SHOWN = "document.body.innerText"


class Browser:
    """One tab of a browser without a window.

    Attributes:
        requests: Addresses that the tab has asked for, since it was opened.
        errors: Uncaught errors of scripts, and texts of the dialogs that scripts have opened.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            pytest.skip("there is no chromium to open the page in")
        self._profile = folder / "profile"
        self._process = subprocess.Popen(
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
                "--disable-background-networking", "--remote-debugging-port=0", f"--user-data-dir={self._profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._connect())
        for domain in ("Page", "Network", "Runtime", "DOM"):
            self.send(f"{domain}.enable")

    async def _connect(self) -> None:
        port_file = self._profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (port_file.is_file() and port_file.read_text()):
            assert time.monotonic() < deadline, "Chromium has not started"
            await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        self._session = aiohttp.ClientSession(trust_env=False)
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            tab = next(target for target in await answer.json() if target["type"] == "page")
        self._socket = await self._session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0)

    def close(self) -> None:
        """Ends the browser."""
        self._loop.run_until_complete(self._session.close())
        self._loop.close()
        self._process.terminate()
        self._process.wait(timeout=30)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends one command of the protocol; gives its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._send(method, parameters), 60))

    async def _send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            await self._note(message)

    async def _note(self, event: dict[str, Any]) -> None:
        name, given = event.get("method"), event.get("params", {})
        if name == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif name == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif name == "Page.javascriptDialogOpening":
            self.errors.append(f"dialog: {given['message']}")
            answer = {"id": next(self._numbers), "method": "Page.handleJavaScriptDialog", "params": {"accept": True}}
            await self._socket.send_json(answer)

    def hosts(self) -> set[str | None]:
        """Hosts that the tab has asked; data in the address itself is no request."""
        return {
            urlsplit(url).hostname for url in self.requests if urlsplit(url).scheme not in ("data", "blob", "about")
        }

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Opens an address in a window of this size, with a light or a dark system."""
        self.requests.clear()
        self.errors.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)

    def read(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 120) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + seconds
        while not self.read(f"Boolean({expression})"):
            assert time.monotonic() < deadline, (expression, self.errors, self.requests, self.read(_SHOWN))
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Clicks the middle of an element with the mouse, once it is there."""
        x, y = self._place(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector: str) -> None:
        """Moves the mouse over an element, once it is there."""
        x, y = self._place(selector)
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _place(self, selector: str) -> tuple[float, float]:
        """The middle of an element, once it is there and stays: parts that appear above it would move it away."""
        quoted, before, deadline = json.dumps(selector), None, time.monotonic() + 60
        self.wait_for(f"document.querySelector({quoted})")
        while True:
            place = self.read(
                f"(() => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{block: 'center'}});"
                " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
            )
            if place == before:
                return place[0], place[1]
            assert time.monotonic() < deadline, (selector, "does not stay in its place")
            before = place
            time.sleep(0.1)

    def type(self, selector: str, text: str) -> None:
        """Replaces the content of a field as a paste does."""
        self.read(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.focus(); e.select(); }})()")
        self.send("Input.insertText", text=text)

    def choose_file(self, selector: str, path: Path) -> None:
        """Gives a file to a field for files."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def photograph(self, path: Path, *, whole: bool = True) -> None:
        """Writes a screenshot, of the whole page."""
        done = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(done["data"]))
