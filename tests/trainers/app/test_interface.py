"""The page: its server, its Space, and what a reader does with it in a browser."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser

from iemomecp_dataset.errors import MissingDependencyError, UsageError
from iemomecp_dataset.trainers.app import interface
from iemomecp_dataset.trainers.app.example import EXAMPLE
from iemomecp_dataset.trainers.app.interface import FIRST_PORT, free_port, launch

FOLDER = Path(interface.__file__).parent


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_that_is_in_use_is_refused_before_anything_is_loaded(taken_port):
    with pytest.raises(UsageError, match=rf"Port {taken_port} of 127\.0\.0\.1 cannot be used \(it is in use\)"):
        launch(["no/such/model"], port=taken_port)


def test_a_port_that_is_not_given_is_the_next_free_one(taken_port, monkeypatch):
    monkeypatch.setattr(interface, "FIRST_PORT", taken_port)
    assert free_port("127.0.0.1") > taken_port
    monkeypatch.setattr(interface, "PORTS", 1)
    with pytest.raises(UsageError, match="cannot be used"):
        free_port("127.0.0.1")
    assert FIRST_PORT == 7860, "the port that Spaces expect"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "not an address"])
def test_an_address_of_another_machine_is_one_sentence(host):
    with pytest.raises(UsageError, match="is not an address of this machine; give --host 127"):
        free_port(host)


def test_without_gradio_the_extra_is_named(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "gradio" else found(name, *rest)
    )
    with pytest.raises(MissingDependencyError, match=r"'gradio', which is not installed\. Run: pip install .*\[app\]"):
        launch(["no/such/model"])


@pytest.mark.parametrize(
    ("environment", "models", "host", "port"),
    [
        ({"MODEL": " owner/name "}, ["owner/name"], "127.0.0.1", None),
        (
            {"MODEL": "a", "MODEL_2": "b", "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_SERVER_PORT": "7861"},
            ["a", "b"],
            "0.0.0.0",
            7861,
        ),
    ],
)
def test_a_space_reads_its_models_from_the_environment(environment, models, host, port, monkeypatch):
    asked = []
    monkeypatch.setattr(interface, "launch", lambda *given, **options: asked.append((*given, options)))
    for name in ("MODEL", "MODEL_2", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / "app.py"), run_name="__main__")
    assert ended.value.code == 0
    assert asked == [(models, {"host": host, "port": port, "open_browser": False})]


def test_a_space_without_a_model_says_which_variable_to_set(monkeypatch, capsys):
    monkeypatch.delenv("MODEL", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(FOLDER / "app.py"), run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: MODEL is not set: name a trained model")


def test_the_header_of_the_space_is_what_the_hub_takes(repository):
    from huggingface_hub import SpaceCard, metadata_load

    card = SpaceCard.load(FOLDER / "README.md")
    assert card.data.to_dict() == metadata_load(FOLDER / "README.md")
    assert card.data.sdk == "gradio"
    assert (FOLDER / card.data.app_file).is_file()
    pinned = dict(
        line.split("==") for line in (repository / "constraints.txt").read_text().splitlines() if "==" in line
    )
    assert card.data.sdk_version == pinned["gradio"]
    # https://huggingface.co/docs/hub/spaces-config-reference
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {card.data.colorFrom, card.data.colorTo} <= colors
    assert len(card.data.short_description) <= 60
    assert card.data.license == "mit"
    assert (FOLDER / "requirements.txt").read_text().splitlines()[1:] == ["iemomecp[app] @ ADDRESS-OF-A-WHEEL"]


HOSTILE = json.dumps(
    [
        {"speaker": speaker, "text": text}
        for speaker, text in (
            (
                "<script>document.title = 'broken'</script>",
                "<img src=x onerror=alert(1)> and more",
            ),
            (
                "${document.title = 'broken'}",
                "{{constructor.constructor('alert(1)')()}} `${1 + 1}` {{value}}",
            ),
            ('"><svg onload=alert(1)>', "</textarea></style></script><script>alert(1)</script>"),
            ("Ana", "javascript:alert(1) &lt;b&gt; <b>bold?</b>"),
        )
    ]
)


class Server:
    """The page in a process of its own, with two invented models of which the first is synthetic."""

    def __init__(self, folder: Path) -> None:
        self.requests = folder / "requests.txt"
        # Not the first free one: another process of the tests may look for it at the same time.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        program = Path(__file__).parents[2] / "processes" / "app_server.py"
        # A proxy that is set for all else must not keep Gradio from its own server.
        environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "GRADIO_ANALYTICS_ENABLED": "True"}
        environment.pop("no_proxy", None)
        environment.pop("NO_PROXY", None)
        self.process = subprocess.Popen(
            [sys.executable, str(program), str(self.port), "2", str(self.requests)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.url = f"http://127.0.0.1:{self.port}/"

    def wait(self) -> None:
        # The port is open before the page is ready.
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline()
        assert self.first_line, self.process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    pytest.importorskip("gradio", reason="the page needs the extra `app`")
    one = Server(tmp_path_factory.mktemp("server"))
    try:
        one.wait()
        yield one
    finally:
        one.process.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    one = Browser(tmp_path_factory.mktemp("browser"))
    try:
        yield one
    finally:
        one.close()


TEXT, PICTURES = "#iemomecp-text textarea", "document.querySelectorAll('.iemomecp-conversation')"


def open_page(browser: Browser, server: Server, **window: object) -> None:
    browser.open(server.url, **window)
    # Parts appear one after the other.
    for part in (TEXT, "#iemomecp-file input", "#iemomecp-example", "#iemomecp-run"):
        browser.wait_for(f"document.querySelector({part!r})")


def ask(browser: Browser, text: str, last_words: str, seconds: float = 120) -> None:
    browser.type(TEXT, text)
    browser.click("#iemomecp-run")
    browser.wait_for(
        f"{PICTURES}.length === 2 && {PICTURES}[1].textContent.includes({json.dumps(last_words)})", seconds
    )


def decided(browser: Browser) -> int:
    return browser.read("document.querySelectorAll('#iemomecp-picture-1 .iemomecp-cause').length")


@pytest.mark.slow
def test_type_run_hover_decide_anew_compare_and_download(server, browser, tmp_path):
    open_page(browser, server)
    assert "first learned from synthetic text" in browser.read("document.body.textContent")
    browser.click("#iemomecp-run")
    browser.wait_for("document.querySelector('.iemomecp-app-error')")
    assert "There is no conversation yet" in browser.read("document.querySelector('.iemomecp-app-error').textContent")

    browser.click("#iemomecp-example")
    browser.wait_for(f"document.querySelector({TEXT!r}).value.length === {len(EXAMPLE)}")
    browser.click("#iemomecp-run")
    browser.wait_for(f"{PICTURES}.length === 2")
    assert browser.read("document.querySelector('.iemomecp-app-error')?.checkVisibility() ?? false") is False
    assert browser.read("document.querySelectorAll('#iemomecp-picture-1 .iemomecp-turn').length") == 12
    assert browser.read("document.querySelectorAll('#iemomecp-picture-1 svg').length") == 1
    assert browser.read("document.querySelectorAll('.iemomecp-app-differences tbody tr').length") > 3
    browser.photograph(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 50_000

    browser.hover("#iemomecp-picture-1 .iemomecp-cause")
    browser.wait_for(
        "document.querySelector('#iemomecp-picture-1 .iemomecp-described').textContent.includes('P(pair) about')"
    )

    of_model, slider = decided(browser), "#iemomecp-threshold input[type=number]"
    for threshold, expected in (("0.9", lambda n: n < of_model), ("0.05", lambda n: n > of_model)):
        browser.type(slider, threshold)
        browser.wait_for(f"document.querySelector('#iemomecp-picture-1').textContent.includes('at least {threshold}')")
        assert expected(decided(browser))
    browser.click("#iemomecp-own-rule")
    browser.wait_for("document.querySelector('#iemomecp-picture-1').textContent.includes('when the model was trained')")
    assert decided(browser) == of_model

    downloads = tmp_path / "downloads"
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    for kind, start in (("jsonl", '{"name"'), ("csv", "conversation,"), ("html", "<!doctype html>")):
        browser.click(f"#iemomecp-save-{kind}")
        file, deadline = downloads / f"conversation.{kind}", time.monotonic() + 60
        while not (file.is_file() and file.stat().st_size):
            assert time.monotonic() < deadline, list(downloads.glob("*"))
            time.sleep(0.05)
        assert file.read_text().startswith(start)

    # What was made of the conversation before is not offered beside the next one.
    ask(browser, "Ana: We missed it.\nBen: Oh no!", "Oh no!")
    buttons = "[...document.querySelectorAll('button')].filter((one) => one.checkVisibility())"
    offered = browser.read(f"{buttons}.map((one) => one.textContent.trim()).filter((text) => /download/i.test(text))")
    assert offered == ["Download JSON lines", "Download CSV", "Download page"]
    assert browser.errors == []


@pytest.mark.slow
def test_files_and_a_long_conversation(server, browser, tmp_path):
    open_page(browser, server)
    long = "\n".join(f"Speaker {turn % 3}: words of turn {turn}" for turn in range(1, 201))
    ask(browser, long, "words of turn 200")
    assert browser.read("document.querySelectorAll('#iemomecp-picture-2 .iemomecp-turn').length") == 200
    two = [{"dialogue_id": name, "utterances": [{"speaker": "Ana", "text": f"I am {name}"}]} for name in ("one", "two")]
    file = tmp_path / "two.json"
    file.write_text(json.dumps(two))
    browser.choose_file("#iemomecp-file input[type=file]", file)
    browser.wait_for("document.querySelector('#iemomecp-file').textContent.includes('two')")
    browser.click("#iemomecp-run")
    browser.wait_for(f"{PICTURES}[0]?.textContent.includes('I am one')")
    assert "The file two.json was used" in browser.read(f"{PICTURES}[0].textContent")
    browser.wait_for("document.querySelector('#iemomecp-which input')")
    browser.click("#iemomecp-which input")
    browser.wait_for("document.querySelectorAll('[role=option]').length === 2")
    browser.click("[role=option]:nth-of-type(2)")
    browser.wait_for(f"{PICTURES}[0].textContent.includes('I am two')")
    assert browser.errors == []


@pytest.mark.slow
def test_a_recording_goes_to_the_models_with_the_conversation_that_has_times(server, browser, tmp_path):
    open_page(browser, server)
    subtitles = tmp_path / "talk.vtt"
    subtitles.write_text(
        "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Ana>We missed it.\n\n00:01.000 --> 00:02.000\n<v Ben>Oh no!\n"
    )
    recording = tmp_path / "talk.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(2 * 16_000 * 2))
    for part, path in (("file", subtitles), ("recording", recording)):
        browser.wait_for(f"document.querySelector('#iemomecp-{part} input[type=file]')")
        browser.choose_file(f"#iemomecp-{part} input[type=file]", path)
        browser.wait_for(f"document.querySelector('#iemomecp-{part}').textContent.includes('talk')")
    browser.click("#iemomecp-run")
    browser.wait_for(f"{PICTURES}[1]?.textContent.includes('Oh no!')")
    assert "audio of the turns [1, 2]" in browser.read(f"{PICTURES}[1].textContent")
    assert "audio of the turns" not in browser.read(f"{PICTURES}[0].textContent"), "it uses text alone"

    # Without times it is unknown which part of the recording belongs to which utterance.
    open_page(browser, server)
    browser.wait_for("document.querySelector('#iemomecp-recording input[type=file]')")
    browser.choose_file("#iemomecp-recording input[type=file]", recording)
    browser.wait_for("document.querySelector('#iemomecp-recording').textContent.includes('talk')")
    browser.type(TEXT, "Ana: We missed it.")
    browser.click("#iemomecp-run")
    browser.wait_for("document.querySelector('.iemomecp-app-error')")
    shown = browser.read("document.querySelector('.iemomecp-app-error').textContent")
    assert "time" in shown
    assert str(tmp_path) not in shown
    assert "/gradio/" not in shown
    assert browser.errors == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_markup_in_a_conversation_is_shown_and_not_run(server, browser, width, dark):
    open_page(browser, server, width=width, dark=dark)
    title = browser.read("document.title")
    ask(browser, HOSTILE, "bold?")
    shown = browser.read(f"{PICTURES}[0].textContent")
    for text in (
        "<script>document.title",
        "${document.title = 'broken'}",
        "{{constructor",
        "{{value}}",
        "<b>bold?</b>",
    ):
        assert text in shown
    assert "`${1 + 1}`" in shown
    assert browser.read("document.querySelectorAll('.iemomecp-app-picture :is(script, img)').length") == 0
    assert browser.read("document.title") == title
    assert browser.errors == []
    assert browser.read("document.documentElement.scrollWidth") == width, "nothing is wider than the window"
    paper = browser.read("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper.removeprefix("rgb(").removesuffix(")").split(", ")[:3])) < 300) is dark


@pytest.mark.slow
def test_no_request_leaves_the_machine_and_ctrl_c_ends_the_page(server, browser):
    open_page(browser, server)
    ask(browser, "Ana: We missed it.\nBen: Oh no!", "Oh no!")
    assert browser.hosts() == {"127.0.0.1"}
    assert len(browser.requests) > 5
    # No endpoint for other programs, no files but the page's own.
    with urllib.request.urlopen(f"{server.url}gradio_api/info") as answer:
        assert json.load(answer)["named_endpoints"] == {}
    server.process.send_signal(signal.SIGINT)
    output, errors = server.process.communicate(timeout=30)
    assert server.process.returncode == 0, errors
    assert server.first_line == f"The page is at {server.url} (Ctrl-C ends it).\n"
    assert output == "\nThe page is closed.\n"
    assert errors == ""
    assert server.requests.read_text() == "", "the server has asked nobody"
