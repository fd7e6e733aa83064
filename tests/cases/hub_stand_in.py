"""A local stand-in of the Hugging Face Hub, as far as ``huggingface_hub`` uses its HTTP interface here.

Repositories are created, committed to and downloaded from, and the metadata of cards is checked by the rules that the
Hub documents. It serves what was committed and nothing else, and lists all requests. Large files go through LFS, which
the Hub offers beside Xet; that is switched off.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

__all__ = ["TOKEN", "Commit", "HubStandIn", "Repository", "card_errors", "connect", "hub_stand_in"]

TOKEN = "hf_of_the_stand_in"
"""Its owner may write to the namespaces ``me`` and ``lab``."""

READ_TOKEN = "hf_that_only_reads"

_LARGE = re.compile(r"\.(safetensors|bin|model|whl|parquet)$")
_PREFIXES = {"datasets": "dataset", "spaces": "space"}


@dataclass(frozen=True)
class Commit:
    """One commit: its id, its message, and all files of the repository after it."""

    oid: str
    message: str
    files: Mapping[str, bytes]


@dataclass
class Repository:
    """A repository with its branches, each a list of commits, the newest last."""

    kind: str
    private: bool
    branches: dict[str, list[Commit]] = field(default_factory=dict)
    sdk: str | None = None

    def at(self, revision: str) -> Commit | None:
        """The newest commit of a branch, or the commit of that id."""
        if revision in self.branches:
            return self.branches[revision][-1]
        return next((one for branch in self.branches.values() for one in branch if one.oid == revision), None)

    @property
    def files(self) -> Mapping[str, bytes]:
        """Files at the head of ``main``."""
        return self.branches["main"][-1].files


class HubStandIn:
    """The server; its repositories by ``(kind, name)``.

    Attributes:
        url: Where it listens.
        repositories: What was created.
        requests: Method and path of every request, in order.
        stored: LFS objects by SHA-256.
        failing: Status by pattern of ``METHOD /path``: requests that are answered with an error.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[str] = []
        self.stored: dict[str, bytes] = {}
        self.failing: dict[str, int] = {}
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, files: Mapping[str, bytes], *, kind: str = "model", private: bool = True) -> Repository:
        """Puts a repository there, as somebody left it."""
        repository = self.repositories[kind, name] = Repository(kind, private, {"main": []})
        repository.branches["main"].append(_commit("first", files))
        return repository

    def written(self) -> list[str]:
        """Requests that change something."""
        return [request for request in self.requests if request.split()[0] in ("POST", "PUT", "DELETE")]


def _commit(message: str, files: Mapping[str, bytes]) -> Commit:
    digest = hashlib.sha1(message.encode())
    for name, content in sorted(files.items()):
        digest.update(name.encode() + content)
    return Commit(digest.hexdigest(), message, dict(files))


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: HubStandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = f"{self.command} {path}"
        self.hub.requests.append(request)
        self.token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        for pattern, status in self.hub.failing.items():
            if re.search(pattern, request):
                return self._error(status, "made to fail")
        for pattern, method in _ROUTES:
            if found := re.fullmatch(pattern, request):
                return getattr(self, method)(
                    *found.groups(), **{name: v[0] for name, v in parse_qs(parts.query).items()}
                )
        return self._error(404, f"the stand-in has no {request}")

    def _send(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(content))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, content: Any, status: int = 200, **headers: str) -> None:
        self._send(json.dumps(content).encode(), status, Content_Type="application/json", **headers)

    def _error(self, status: int, message: str, code: str = "") -> None:
        headers = {"X_Error_Message": message} | ({"X_Error_Code": code} if code else {})
        self._json({"error": message}, status, **headers)

    @property
    def _writes(self) -> bool:
        return self.token == TOKEN

    def _may_write(self, name: str) -> bool:
        return self._writes and name.partition("/")[0] in ("me", "lab")

    def _repository(self, kind: str, name: str) -> Repository | None:
        found = self.hub.repositories.get((kind, name))
        if found is None or (found.private and self.token not in (TOKEN, READ_TOKEN)):
            self._error(404, "Repository not found", "RepoNotFound")
            return None
        return found

    def create(self) -> None:
        asked = json.loads(self.body)
        name = f"{asked['organization'] or 'me'}/{asked['name']}"
        kind = asked.get("type") or "model"
        if self.token not in (TOKEN, READ_TOKEN):
            return self._error(401, "Invalid username or password.")
        if (kind, name) in self.hub.repositories:
            return self._error(409, "You already created this repo")
        if not self._may_write(name):
            return self._error(403, f"You don't have the rights to create a {kind} under this namespace")
        private = asked.get("visibility", "private" if asked.get("private") else "public") == "private"
        attributes = {".gitattributes": b"*.safetensors filter=lfs\n"}
        self.hub.repositories[kind, name] = Repository(
            kind, private, {"main": [_commit("initial commit", attributes)]}, asked.get("sdk")
        )
        prefix = "" if kind == "model" else f"{kind}s/"
        return self._json({"url": f"{self.hub.url}/{prefix}{name}"})

    def validate(self) -> None:
        asked = json.loads(self.body)
        errors = card_errors(asked["content"], asked.get("repoType", "model"))
        self._json({"errors": [{"message": e} for e in errors], "warnings": []}, 400 if errors else 200)

    def info(self, kind: str, name: str, revision: str | None = None, **query: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return None
        commit = repository.at(revision or "main")
        if commit is None:
            return self._error(404, "Invalid rev id", "RevisionNotFound")
        card = _metadata(commit.files.get("README.md", b"").decode()) or {}
        return self._json(
            {
                "_id": "0", "id": name, "sha": commit.oid, "private": repository.private, "tags": card.get("tags", []),
                "cardData": card, "siblings": [{"rfilename": path} for path in sorted(commit.files)],
            }
        )  # fmt: skip

    def preupload(self, kind: str, name: str, revision: str, **query: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return None
        if not self._may_write(name):
            return self._error(403, "You have read access but not the required permissions")
        commit = repository.at(revision)
        if commit is None:
            return self._error(404, "Invalid rev id", "RevisionNotFound")
        asked = json.loads(self.body)["files"]
        files = []
        for one in asked:
            there = commit.files.get(one["path"])
            large = bool(_LARGE.search(one["path"]))
            oid = None if there is None else hashlib.sha256(there).hexdigest() if large else _blob_id(there)
            files.append({"path": one["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False,
                          "oid": oid})  # fmt: skip
        return self._json({"files": files})

    def batch(self, prefix: str | None, name: str) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}}
            for one in json.loads(self.body)["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def store(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._error(400, "other content than announced")
        self.hub.stored[oid] = self.body
        return self._send(b"")

    def commit(self, kind: str, name: str, revision: str, **query: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return None
        if not self._may_write(name):
            return self._error(403, "You have read access but not the required permissions")
        head = repository.at(revision)
        if head is None:
            return self._error(404, "Invalid rev id", "RevisionNotFound")
        header, *operations = (json.loads(line) for line in self.body.splitlines())
        if header["value"].get("parentCommit") not in (None, head.oid):
            return self._error(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for one in operations:
            value = one["value"]
            if one["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif one["key"] == "deletedFile":
                del files[value["path"]]
            else:
                return self._error(400, f"no operation {one['key']}")
        done = _commit(header["value"]["summary"], files)
        repository.branches[revision].append(done)
        return self._json(
            {"success": True, "commitOid": done.oid, "commitUrl": f"{self.hub.url}/{name}/commit/{done.oid}"}
        )

    def branch(self, kind: str, name: str, branch: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return None
        if branch in repository.branches:
            return self._error(409, "Reference already exists")
        repository.branches[branch] = [repository.branches["main"][-1]]
        return self._json({})

    def tree(self, kind: str, name: str, revision: str, folder: str | None = None, **query: str) -> None:
        repository = self._repository(kind, name)
        if repository is None:
            return None
        commit = repository.at(revision)
        if commit is None:
            return self._error(404, "Invalid rev id", "RevisionNotFound")
        inside = [path for path in commit.files if path.startswith((folder or "/").lstrip("/"))]
        if folder and not inside:
            return self._error(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        return self._json(
            [{"type": "file", "path": path, "size": len(commit.files[path]), "oid": _blob_id(commit.files[path])}
             for path in sorted(inside)]
        )  # fmt: skip

    def resolve(self, prefix: str | None, name: str, revision: str, path: str) -> None:
        repository = self._repository(_PREFIXES.get((prefix or "").rstrip("/"), "model"), name)
        if repository is None:
            return None
        commit = repository.at(revision)
        if commit is None:
            return self._error(404, "Invalid rev id", "RevisionNotFound")
        if path not in commit.files:
            return self._error(404, "Entry not found", "EntryNotFound")
        content = commit.files[path]
        return self._send(content, ETag=f'"{_blob_id(content)}"', X_Repo_Commit=commit.oid)


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES = (
    (r"POST /api/repos/create", "create"),
    (r"POST /api/validate-yaml", "validate"),
    (rf"GET /api/(model|dataset|space)s/{_NAME}", "info"),
    (rf"GET /api/(model|dataset|space)s/{_NAME}/revision/(.+)", "info"),
    (rf"POST /api/(model|dataset|space)s/{_NAME}/preupload/(.+)", "preupload"),
    (rf"POST /api/(model|dataset|space)s/{_NAME}/commit/(.+)", "commit"),
    (rf"POST /api/(model|dataset|space)s/{_NAME}/branch/(.+)", "branch"),
    (rf"GET /api/(model|dataset|space)s/{_NAME}/tree/([^/]+)(/.*)?", "tree"),
    (rf"POST /(datasets/|spaces/)?{_NAME}\.git/info/lfs/objects/batch", "batch"),
    (r"PUT /lfs/(\w+)", "store"),
    (rf"(?:GET|HEAD) /(datasets/|spaces/)?{_NAME}/resolve/([^/]+)/(.+)", "resolve"),
)


def _metadata(text: str) -> dict[str, Any] | None:
    found = re.match(r"---\n(.*?\n)---(\n|$)", text, flags=re.DOTALL)
    if found is None:
        return None
    content = yaml.safe_load(found.group(1))
    return content if isinstance(content, dict) else None


_LICENSES = {"apache-2.0", "mit", "gpl-3.0", "cc-by-4.0", "cc-by-nc-sa-4.0", "unknown", "other"}
_TASKS = {
    *("text-classification", "token-classification", "text-generation", "question-answering", "summarization"),
    *("translation", "fill-mask", "feature-extraction", "sentence-similarity", "audio-classification", "other"),
    *("video-classification", "image-classification", "tabular-classification", "zero-shot-classification"),
}  # fmt: skip
_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
_ID = re.compile(r"(?!.*(--|\.\.))[\w][\w.-]*(/[\w][\w.-]*)?")


def card_errors(content: str, kind: str = "model") -> list[str]:
    """What the Hub refuses in a card, by the rules that its documentation states on metadata.

    Licences and tasks are those that cards of this project may have.
    """
    try:
        card = _metadata(content)
    except yaml.YAMLError as error:
        return [f"bad YAML: {error}"]
    if card is None:
        return ["no metadata"]
    errors = []

    def check(fine: bool, message: str) -> None:
        if not fine:
            errors.append(message)

    def ids(key: str) -> None:
        given = card.get(key, [])
        for one in [given] if isinstance(given, str) else given:
            check(isinstance(one, str) and bool(_ID.fullmatch(one)), f"{key}: {one!r} is no id of the Hub")

    check(card.get("license", "other") in _LICENSES, f"license: {card.get('license')!r} is not known")
    if "license_name" in card:
        check(card.get("license") == "other", "license_name goes with license: other")
        check(bool(re.fullmatch(r"[a-z0-9.-]+", str(card["license_name"]))), "license_name is an id in lower case")
    languages = card.get("language", [])
    for language in [languages] if isinstance(languages, str) else languages:
        check(
            isinstance(language, str) and bool(re.fullmatch(r"[a-z]{2,3}|multilingual", language)), "language: a code"
        )
    tags = card.get("tags", [])
    check(isinstance(tags, list) and all(isinstance(tag, str) for tag in tags), "tags: a list of texts")
    if kind == "model":
        ids("datasets"), ids("base_model")
        check(card.get("pipeline_tag", "other") in _TASKS, f"pipeline_tag: {card.get('pipeline_tag')!r} is no task")
        check(all(isinstance(one, str) for one in card.get("metrics", [])), "metrics: a list of texts")
        for entry in card.get("model-index", []):
            check(isinstance(entry.get("name"), str) and bool(entry["name"]), "model-index: name")
            for result in entry["results"]:
                check(result["task"]["type"] in _TASKS, f"model-index: task {result['task']['type']!r}")
                check(bool(_ID.fullmatch(result["dataset"]["type"])), "model-index: dataset.type is an id of the Hub")
                check(isinstance(result["dataset"].get("name"), str), "model-index: dataset.name")
                check(bool(result.get("metrics")), "model-index: metrics")
                for metric in result["metrics"]:
                    check(isinstance(metric.get("type"), str), "model-index: metric.type")
                    check(isinstance(metric.get("value"), int | float | str) and metric["value"] == metric["value"],
                          "model-index: metric.value")  # fmt: skip
                    check(isinstance(metric.get("verified", False), bool), "model-index: metric.verified")
    elif kind == "dataset":
        for task in card.get("task_categories", []):
            check(task in _TASKS, f"task_categories: {task!r} is no task")
        names = [config["config_name"] for config in card.get("configs", [])]
        check(len(set(names)) == len(names), "configs: a name twice")
        for config in card.get("configs", []):
            for files in config["data_files"]:
                check({"split", "path"} <= set(files), "configs: data_files have split and path")
    else:
        check(card.get("sdk") in ("gradio", "docker", "static"), f"sdk: {card.get('sdk')!r}")
        if card.get("sdk") == "gradio":
            check(bool(re.fullmatch(r"\d+\.\d+\.\d+", str(card.get("sdk_version")))), "sdk_version: of three numbers")
        check({card.get("colorFrom", "red"), card.get("colorTo", "red")} <= _COLOURS, "colorFrom and colorTo: a colour")
        check(not re.search(r"[\x00-\x7f]", card.get("emoji", "")), "emoji: one emoji")
        check(len(card.get("short_description", "")) <= 60, "short_description: at most 60 characters")
        ids("models"), ids("datasets")
    return errors


def connect(hub: HubStandIn, cache: Path, monkeypatch: pytest.MonkeyPatch, *, token: str | None = TOKEN) -> None:
    """Lets ``huggingface_hub`` and ``transformers`` of this process use the stand-in, and a cache of their own."""
    import huggingface_hub
    from huggingface_hub import constants

    values = {
        "ENDPOINT": hub.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_CACHE": str(cache),
        "HF_TOKEN_PATH": str(cache / "token"),
    }
    for name, value in values.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", hub.url)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)


@contextmanager
def hub_stand_in() -> Iterator[HubStandIn]:
    """A stand-in that runs for as long as it is needed."""
    hub = HubStandIn()
    try:
        yield hub
    finally:
        hub.close()
