"""The page in Gradio: what is where on it, and the server that shows it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from iemomecp_dataset.errors import IemomecpError, UsageError, require_packages
from iemomecp_dataset.trainers.app.answers import (
    DOWNLOADS,
    LIMITS,
    Answer,
    PageModel,
    differences_table,
    read_given,
    refusal_in_words,
    sentence,
    threshold_in_words,
    write_download,
)
from iemomecp_dataset.trainers.app.example import EXAMPLE
from iemomecp_dataset.trainers.pipelines.writing import FileKind

__all__ = ["build", "free_port", "launch", "page_options"]

TITLE = "Who felt what, and why?"
SYNTHETIC = "{names} learned from synthetic text: the answers show how the page works, not what people feel."
FIRST_PORT, PORTS = 7860, 100
WAITING = 32
"""Requests that may wait; further ones are refused."""
KEPT_SECONDS = 3600
"""How long an answer is kept for a visitor, and files that were made for downloading."""

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Arial", "sans-serif")


def build(models: Sequence[str | Path | PageModel]) -> Any:
    """Builds the page.

    Args:
        models: One model, or two to compare: folders of runs or of their models, names on the Hub, or loaded ones.

    Returns:
        ``gradio.Blocks``, with its queue; its style comes from :func:`page_options`, which ``launch`` of Gradio takes.

    Raises:
        MissingDependencyError: Gradio is not installed.
        IemomecpError: A model cannot be loaded.
    """
    _quiet_environment(models)
    require_packages("gradio", extra="app")
    loaded = _loaded(models)

    import gradio

    synthetic = [model.name for model in loaded if model.synthetic]
    recordings = sorted({kind for model in loaded for kind in model.recordings})
    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gradio.Markdown(
            f"# {TITLE}\n"
            "Paste a conversation. The model marks the emotional turns, and for each of them the turns that caused it."
        )
        if synthetic:
            gradio.HTML(
                sentence(SYNTHETIC.format(names=" and ".join(synthetic)), kind="banner"), **_plain("iemomecp-synthetic")
            )
        answer = gradio.State(None, time_to_live=KEPT_SECONDS)
        with gradio.Row():
            with gradio.Column(scale=3, min_width=320):
                text = gradio.Textbox(
                    label="Conversation",
                    placeholder="Ana: We missed it.\nBen: Oh no!",
                    info="One line per utterance, as Speaker: words. JSON, CSV and subtitles can be pasted, too.",
                    lines=8,
                    max_lines=16,
                    elem_id="iemomecp-text",
                )
            with gradio.Column(scale=1, min_width=240):
                file = gradio.File(label="or a file: text, JSON, CSV, .srt, .vtt", height=170, elem_id="iemomecp-file")
                recording = gradio.File(
                    label=f"its recording ({' or '.join(recordings)}), for utterances with times",
                    height=120,
                    visible=bool(recordings),
                    elem_id="iemomecp-recording",
                )
        with gradio.Row():
            example = gradio.Button("Example", scale=1, min_width=120, elem_id="iemomecp-example")
            run = gradio.Button(
                "Find emotions and causes", variant="primary", scale=4, min_width=280, elem_id="iemomecp-run"
            )
        message = gradio.HTML("", visible=False, **_plain("iemomecp-message"))
        with gradio.Column(visible=False) as results:
            which = gradio.Dropdown(label="Conversation", interactive=True, visible=False, elem_id="iemomecp-which")
            with gradio.Row():
                slider = gradio.Slider(
                    0,
                    1,
                    value=0.5,
                    step=0.01,
                    label="Threshold",
                    info="Decides anew, without running the model.",
                    buttons=[],
                    scale=3,
                    min_width=240,
                    elem_id="iemomecp-threshold",
                )
                own_rule = gradio.Button(
                    "The model's own rule" if len(loaded) == 1 else "Each model's own rule",
                    scale=1,
                    min_width=160,
                    elem_id="iemomecp-own-rule",
                )
            compared = gradio.HTML("", **_plain("iemomecp-compared"), visible=len(loaded) > 1)
            with gradio.Row():
                pictures = []
                for number in range(1, len(loaded) + 1):
                    with gradio.Column(min_width=320):
                        pictures.append(gradio.HTML("", **_picture(f"iemomecp-picture-{number}")))
            with gradio.Row():
                saving = {
                    kind: gradio.Button(f"Download {label}", size="sm", min_width=120, elem_id=f"iemomecp-save-{kind}")
                    for kind, label in zip(DOWNLOADS, ("JSON lines", "CSV", "page"), strict=True)
                }
            # Hidden by the style: Gradio's own `visible="hidden"` is lost when the column around it is shown again.
            download = gradio.DownloadButton(elem_id="iemomecp-download")

        shown = [compared, *pictures]

        def show(current: Answer, name: str | None) -> list[str]:
            return _show(current, current.names.index(name) if name in current.names else 0)

        def ask(typed: str, uploaded: str | None, recorded: str | None) -> list[Any]:
            try:
                found = Answer.of(loaded, read_given(typed, uploaded, recorded))
            except IemomecpError as error:
                nothing = [gradio.skip()] * (len(shown) + 2)
                refused = gradio.HTML(sentence(refusal_in_words(error), kind="error"), visible=True)
                return [None, refused, gradio.Column(visible=False), *nothing]
            names = found.names
            return [
                found,
                gradio.HTML("", visible=False),
                gradio.Column(visible=True),
                gradio.Dropdown(choices=list(names), value=names[0], visible=len(names) > 1),
                gradio.Slider(value=_threshold(found), info=threshold_in_words(found)),
                *show(found, names[0]),
            ]

        def decide(current: Answer | None, name: str | None, threshold: float | None) -> list[Any]:
            if current is None:
                return [None, *[gradio.skip()] * len(shown)]
            decided = current.with_threshold(threshold)
            return [decided, *show(decided, name)]

        def decide_by_models(current: Answer | None, name: str | None) -> list[Any]:
            again = decide(current, name, None)
            return [*again, gradio.skip() if again[0] is None else gradio.Slider(value=_threshold(again[0]))]

        def choose(current: Answer | None, name: str | None) -> list[Any]:
            return [gradio.skip()] * len(shown) if current is None else list(show(current, name))

        def save(kind: FileKind) -> Any:
            def make(current: Answer | None) -> Any:
                if current is None:
                    return gradio.skip()
                return str(write_download(current, kind, Path(tempfile.mkdtemp(prefix="iemomecp-"))))

            return make

        # No event is an endpoint for other programs; and models answer one request after the other.
        private: dict[str, Any] = {"api_visibility": "private"}
        asking: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "models", **private}
        run.click(
            ask, [text, file, recording], [answer, message, results, which, slider, *shown], show_progress_on=[run],
            **asking,
        )  # fmt: skip
        example.click(lambda: (EXAMPLE, None), None, [text, file], show_progress="hidden", **private)
        quick: dict[str, Any] = {"show_progress": "hidden", **private}
        slider.input(decide, [answer, which, slider], [answer, *shown], trigger_mode="always_last", **quick)
        own_rule.click(decide_by_models, [answer, which], [answer, *shown, slider], **quick)
        which.input(choose, [answer, which], shown, **quick)
        for kind, button in saving.items():
            button.click(save(kind), answer, download, **quick).then(
                None, None, None, js="() => document.querySelector('#iemomecp-download').click()", **private
            )
    page.queue(max_size=WAITING, default_concurrency_limit=4)
    return page


def _show(answer: Answer, conversation: int) -> list[str]:
    """HTML of the comparison and of every model's picture."""
    from iemomecp_dataset.pictures import conversation_fragment

    predicted = [of_model[conversation] for of_model in answer.predictions]
    fragments = [conversation_fragment(one) for one in predicted]
    if len(predicted) == 1:
        return ["", *fragments]
    headings = [f'<h3 class="iemomecp-app-heading">{escape(name)}</h3>' for name in answer.models]
    return [differences_table(answer.models, *predicted), *map("".join, zip(headings, fragments, strict=True))]


def _threshold(answer: Answer) -> float:
    """Where the slider stands for the models' own rules; the middle where they have none."""
    thresholds = [of_model[0].decision.threshold for of_model in answer.predictions]
    return next((round(one, 2) for one in thresholds if one is not None), 0.5)


def _plain(name: str) -> dict[str, Any]:
    """Options of an HTML part whose value is HTML of our own."""
    return {"elem_id": name, "apply_default_css": False, "js_on_load": None}


def _picture(name: str) -> dict[str, Any]:
    """Options of an HTML part that holds a conversation.

    Gradio would compare old and new elements one by one and keep those that look alike, what was chosen in another
    conversation with them. So its template stays empty, and each value replaces all that was there.
    """
    return {
        "elem_id": name,
        "apply_default_css": False,
        "html_template": '<div class="iemomecp-app-picture"></div>',
        "js_on_load": (
            "const place = element.querySelector('.iemomecp-app-picture');\n"
            "const show = () => { place.innerHTML = props.value || ''; window.iemomecp?.initialise(place); };\n"
            "show(); watch('value', show);"
        ),
    }


def page_options(*, recordings: bool = False) -> dict[str, Any]:
    """Options of ``launch`` of Gradio that belong to the page.

    Args:
        recordings: Whether recordings can be uploaded, which are larger than text.
    """
    import gradio

    from iemomecp_dataset.pictures import conversation_script, conversation_style

    style = conversation_style(dark=".dark") + Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return {
        "head": f"<style>{style}</style><script>{conversation_script()}</script>",
        # The fonts of the reader's system, as in the picture of a conversation.
        "theme": gradio.themes.Default(primary_hue="indigo", font=_FONTS, font_mono=["ui-monospace", "monospace"]),
        "max_file_size": LIMITS.recording_bytes if recordings else LIMITS.file_bytes,
        "footer_links": ["settings"],
        "run_history": False,
        "ssr_mode": False,
        "share": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "pwa": False,
    }


def launch(
    models: Sequence[str | Path | PageModel],
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
) -> None:
    """Shows the page until Ctrl-C.

    Args:
        models: One model, or two to compare.
        host: Address to listen on; ``0.0.0.0`` lets other machines of the network in.
        port: Port to listen on; by default the next free one from 7860 on.
        open_browser: Whether to open the page in the browser.

    Raises:
        UsageError: The port is in use, or the address is not one of this machine.
        MissingDependencyError: Gradio is not installed.
        IemomecpError: A model cannot be loaded.
    """
    require_packages("gradio", extra="app")
    port = free_port(host, port)  # before the models are loaded, which takes seconds
    _quiet_environment(models)
    loaded = _loaded(models)
    page = build(loaded)
    options = page_options(recordings=any(model.recordings for model in loaded))
    with _without_proxy(host):
        try:
            _, url, _ = page.launch(
                server_name=host,
                server_port=port,
                prevent_thread_lock=True,
                inbrowser=open_browser,
                quiet=True,
                **options,
            )
        except OSError as error:
            raise UsageError(f"The page cannot listen on {host}, port {port}: {error}") from None
    print(f"The page is at {url} (Ctrl-C ends it).", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("\nThe page is closed.", flush=True)
    finally:
        page.close(verbose=False)


def _loaded(models: Sequence[str | Path | PageModel]) -> tuple[PageModel, ...]:
    from iemomecp_dataset.trainers.app.loading import load_models

    if any(isinstance(model, PageModel) for model in models):
        return tuple(model if isinstance(model, PageModel) else load_models([model])[0] for model in models)
    return load_models([model for model in models if not isinstance(model, PageModel)])


def _quiet_environment(models: Sequence[str | Path | PageModel]) -> None:
    """Switches off what would send requests elsewhere; to be called before Gradio is imported."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not any(isinstance(model, PageModel) or not Path(model).exists() for model in models):
        # A user's own setting holds; of encoders on the Hub the copies on disk are used.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")


@contextlib.contextmanager
def _without_proxy(host: str) -> Iterator[None]:
    """Lets Gradio reach its own server, which it asks once at the start, where a proxy is set for all else."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    for name, value in before.items():
        os.environ[name] = ",".join(filter(None, (value, "127.0.0.1", "localhost", host)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def free_port(host: str, port: int | None = None) -> int:
    """Finds a port to listen on.

    Args:
        host: Address to listen on.
        port: The port; by default the next free one from 7860 on.

    Returns:
        The port.

    Raises:
        UsageError: It is in use or not allowed, or the address is not one of this machine.
    """
    reason = ""
    for number in range(FIRST_PORT, FIRST_PORT + PORTS) if port is None else (port,):
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as tried:
                # As servers do, so that a port that was left a moment ago counts as free.
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
            return number
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise UsageError(
                    f"{host} is not an address of this machine; give --host 127.0.0.1, or 0.0.0.0 for all of them."
                ) from None
            reason = "it is in use" if error.errno == errno.EADDRINUSE else str(error.strerror)
    if port is None:
        raise UsageError(f"The ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} cannot be used ({reason}); give --port.")
    raise UsageError(
        f"Port {port} of {host} cannot be used ({reason}); give another --port, or none for the next free one."
    )
