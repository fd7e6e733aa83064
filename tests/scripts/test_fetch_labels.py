"""The downloader against a local server that misbehaves in every way servers do."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from iemomecp_dataset.errors import InvalidDataError, MissingDataError, UsageError
from iemomecp_dataset.overlay.fetching import FetchOptions, fetch_from_hub, fetch_labels
from iemomecp_dataset.overlay.published import LABEL_BLOBS, LABEL_REVISION

CONTENT = {
    name: (name.encode() + b" holds made-up bytes. ") * 4000 for name in ("train.json", "valid.json", "test.json")
}


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


BLOBS = {name: blob_id(content) for name, content in CONTENT.items()}


@dataclass
class Server:
    """Answers each request for train.json by the next entry of ``script``, and properly when that is used up."""

    url: str = ""
    script: list[str] = field(default_factory=list)
    requests: list[tuple[str, str | None, str]] = field(default_factory=list)
    stop_stalling: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server():
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            name = self.path.rpartition("/")[2]
            behavior = state.script.pop(0) if name == "train.json" and state.script else "well"
            asked = self.headers.get("Range")
            state.requests.append((name, asked, behavior))
            content = CONTENT[name]
            if behavior.isdigit():
                self.send_response(int(behavior))
                self.end_headers()
                self.wfile.write(b"<html>sorry</html>")
                return
            if behavior == "wrong bytes":
                content = content[:-1] + b"?"
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and behavior != "ignores ranges" else 0
            if start >= len(content) and asked:
                self.send_response(416)
                self.end_headers()
                return
            body = content[start:]
            self.send_response(206 if asked and behavior != "ignores ranges" else 200)
            if asked and behavior != "ignores ranges":
                shown = 0 if behavior == "other range" else start
                self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
            if behavior != "no length":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if behavior in ("truncates", "stalls"):
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                if behavior == "stalls":
                    state.stop_stalling.wait(10)
                return
            self.wfile.write(body)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}/labels"
    yield state
    state.stop_stalling.set()
    httpd.shutdown()
    httpd.server_close()


def fetch(server, folder, **changes):
    options = {"base_url": server.url, "first_wait": 0.01, "timeout": 0.5, "progress": False, **changes}
    return fetch_labels(folder, FetchOptions(**options), blobs=BLOBS)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "script",
    [
        [],
        ["500"],
        ["503", "429", "408"],
        ["truncates"],
        ["truncates", "truncates", "500"],
        ["stalls"],
        ["no length"],
        ["truncates", "ignores ranges"],
        ["truncates", "other range"],
    ],
    ids=lambda script: ", ".join(script) or "well",
)
def test_files_arrive_whole_whatever_happens_on_the_way(server, tmp_path, script):
    server.script = list(script)
    done = fetch(server, tmp_path / "new" / "labels")
    assert files(tmp_path / "new" / "labels") == CONTENT
    assert set(done) == set(CONTENT)
    assert done["valid.json"] == "downloaded"


def test_a_broken_download_is_resumed_not_repeated(server, tmp_path):
    server.script = ["truncates"]
    assert fetch(server, tmp_path)["train.json"] == "downloaded (resumed)"
    first, second = [asked for name, asked, _ in server.requests if name == "train.json"]
    arrived = len(CONTENT["train.json"]) // 2
    assert first is None
    assert arrived - 8192 <= int(second.removeprefix("bytes=").rstrip("-")) <= arrived


def test_a_later_call_resumes_what_an_earlier_one_began(server, tmp_path):
    server.script = ["truncates"]
    with pytest.raises(MissingDataError, match="resumed"):
        fetch(server, tmp_path, attempts=1)
    assert "train.json" not in files(tmp_path)
    assert fetch(server, tmp_path)["train.json"] == "downloaded (resumed)"
    assert files(tmp_path) == CONTENT


def test_a_finished_part_is_verified_and_used(server, tmp_path):
    (tmp_path / ".train.json.part").write_bytes(CONTENT["train.json"])
    fetch(server, tmp_path)
    assert files(tmp_path) == CONTENT


def test_a_part_of_something_else_is_thrown_away(server, tmp_path):
    (tmp_path / ".train.json.part").write_bytes(b"something else")
    fetch(server, tmp_path)
    assert files(tmp_path) == CONTENT


def test_a_missing_file_is_an_error_at_once(server, tmp_path):
    server.script = ["404"]
    with pytest.raises(MissingDataError, match=r"train\.json: the server answered 404.*--base-url"):
        fetch(server, tmp_path)
    assert len(server.requests) == 1
    assert files(tmp_path) == {}


def test_wrong_bytes_are_never_put_in_place(server, tmp_path):
    server.script = ["wrong bytes"]
    with pytest.raises(InvalidDataError, match=f"not those of the released file.*{BLOBS['train.json']}"):
        fetch(server, tmp_path)
    assert files(tmp_path) == {}


@pytest.mark.parametrize("behavior", ["500", "stalls", "truncates"])
def test_a_server_that_never_recovers_is_given_up(server, tmp_path, behavior):
    server.script = [behavior] * 9
    with pytest.raises(MissingDataError, match="not received in 2 attempts"):
        fetch(server, tmp_path, attempts=2, timeout=0.2)
    assert not set(files(tmp_path)) & set(CONTENT)


def test_what_was_received_is_said_as_it_is(server, tmp_path):
    for behavior, said in (("500", "Nothing of it was received"), ("truncates", "The received part is kept in")):
        server.script = [behavior]
        with pytest.raises(MissingDataError, match=said):
            fetch(server, tmp_path, attempts=1, timeout=0.2)
        assert bool(files(tmp_path)) == (behavior == "truncates")


def test_a_server_that_is_not_there(tmp_path):
    with pytest.raises(MissingDataError, match=r"not received in 1 attempts .* Nothing of it was received"):
        fetch_labels(tmp_path, FetchOptions(base_url="http://127.0.0.1:9", attempts=1, progress=False), blobs=BLOBS)


def test_what_is_there_is_verified_and_not_fetched_again(server, tmp_path):
    fetch(server, tmp_path)
    server.requests.clear()
    assert set(fetch(server, tmp_path).values()) == {"already there"}
    assert server.requests == []


def test_another_file_of_that_name_is_not_overwritten_unasked(server, tmp_path):
    (tmp_path / "valid.json").write_text("mine")
    with pytest.raises(UsageError, match=r"valid\.json.*--overwrite"):
        fetch(server, tmp_path)
    assert (tmp_path / "valid.json").read_text() == "mine"
    fetch(server, tmp_path, overwrite=True)
    assert files(tmp_path) == CONTENT


def test_the_pinned_revision_and_blobs_are_the_published_ones():
    from iemomecp_dataset.overlay.fetching import DEFAULT_BASE_URL

    assert LABEL_REVISION in DEFAULT_BASE_URL
    assert LABEL_REVISION.startswith("e70d867")
    assert LABEL_BLOBS["test.json"] == "baa7f7784b418cbe2910ae14095f3d37ed948be6"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Stands in for the Hub's client; holds the files of one repository."""
    import huggingface_hub

    stored = {f"labels/{name}": content for name, content in CONTENT.items()}

    def download(repo, path, *, repo_type, revision, local_dir):
        assert (repo, repo_type, revision) == ("me/labels", "dataset", "a" * 40)
        local = tmp_path / "hub" / path
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(stored[path])
        return str(local)

    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda *_, **__: list(stored))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return stored


def test_files_from_the_hub_are_verified_alike(hub, tmp_path):
    folder = tmp_path / "labels"
    assert set(fetch_from_hub(folder, "me/labels", "a" * 40, blobs=BLOBS).values()) == {"downloaded"}
    assert files(folder) == CONTENT
    assert set(fetch_from_hub(folder, "me/labels", "a" * 40, blobs=BLOBS).values()) == {"already there"}


def test_the_hub_can_hold_wrong_bytes_or_lack_a_file(hub, tmp_path):
    hub["labels/valid.json"] = b"wrong"
    with pytest.raises(InvalidDataError, match="not those of the released file"):
        fetch_from_hub(tmp_path / "labels", "me/labels", "a" * 40, blobs=BLOBS)
    assert set(files(tmp_path / "labels")) == {"train.json"}
    del hub["labels/valid.json"]
    with pytest.raises(MissingDataError, match=r"expected one file valid\.json, found none"):
        fetch_from_hub(tmp_path / "labels", "me/labels", "a" * 40, blobs=BLOBS)


def test_the_hub_is_asked_for_a_commit_and_not_for_a_branch(tmp_path):
    with pytest.raises(UsageError, match="full commit id"):
        fetch_from_hub(tmp_path, "me/labels", "main", blobs=BLOBS)
    with pytest.raises(MissingDataError, match="could not be read from the Hub"):
        fetch_from_hub(tmp_path, "me/labels", "a" * 40, blobs=BLOBS)


def run_script(repository, *arguments):
    return subprocess.run(
        [sys.executable, repository / "scripts" / "fetch_labels.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_refuses_unreleased_bytes_without_a_traceback(server, repository, tmp_path):
    # The server's files are made up, so the real blob ids refuse them.
    done = run_script(repository, "--label-dir", tmp_path, "--base-url", server.url)
    assert done.returncode == 2
    assert "error:" in done.stderr
    assert "not those of the released file" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--base-url", "ftp://x"], "must begin with http"),
        (["--hub-repo", "me/x"], "--revision"),
        (["--hub-repo", "me/x", "--revision", "a" * 40, "--base-url", "http://x"], "two places"),
        (["--attempts", "0"], "--attempts must be at least 1, but is 0"),
    ],
)
def test_wrong_options_are_one_clear_sentence(repository, tmp_path, arguments, said):
    done = run_script(repository, "--label-dir", tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
