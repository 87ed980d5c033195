"""A Hub in memory on 127.0.0.1, so that push, load, stream and offline use are tested without any network.

It serves the routes that huggingface_hub 2.4, transformers 5 and datasets 5 really call for models and datasets; it
has no users, no private repositories and no Xet (clients must have it disabled).
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


USER = "tester"
TOKEN = "hf_loopback"
DATE = "2024-01-01T00:00:00.000Z"
LARGE_SUFFIXES = (".parquet", ".safetensors")  # what the real Hub stores as LFS objects, whatever the size
MAX_BODY = 64 * 2**20
MAX_OBJECTS = 256 * 2**20


class HubError(Exception):
    """An answer that is an error; `code` is what clients turn into their exception classes."""

    def __init__(self, status: int, code: str = "", message: str = "", commit: str | None = None, url: str = ""):
        super().__init__(message or code)
        self.content = {"error": message} | ({"url": url} if url else {})
        headers = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": commit}
        self.status, self.headers = status, {name: value for name, value in headers.items() if value}


@dataclass(frozen=True)
class Blob:
    """A file's content; large files are named by their SHA-256, others as git does."""

    content: bytes
    large: bool

    @property
    def oid(self) -> str:
        if self.large:
            return hashlib.sha256(self.content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        entry = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid[:40]}
        return entry | ({"lfs": {**entry, "oid": self.oid, "pointerSize": 130}} if self.large else {})


@dataclass(frozen=True)
class Download:
    """An answer that is a file."""

    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Commit:
    title: str
    files: Mapping[str, Blob]
    parent: str | None

    @property
    def oid(self) -> str:
        names = [f"{path} {blob.oid}" for path, blob in sorted(self.files.items())]
        return hashlib.sha1("\n".join([self.title, str(self.parent), *names]).encode()).hexdigest()

    def entries(self, folder: str = "", recursive: bool = True) -> list[dict[str, Any]]:
        """Files and folders below a folder, as the API describes them."""
        found: dict[str, dict[str, Any]] = {}
        for path, blob in sorted(self.files.items()):
            for parent in [str(parent) for parent in PurePosixPath(path).parents][-2::-1]:
                tree_id = hashlib.sha1(f"{self.oid} {parent}".encode()).hexdigest()
                found[parent] = {"type": "directory", "path": parent, "size": 0, "oid": tree_id}
            found[path] = blob.entry(path)
        last = {"id": self.oid, "title": self.title, "date": DATE}
        prefix = folder + "/" if folder else ""
        below = [name for name in found if name.startswith(prefix)]
        below = below if recursive else [name for name in below if "/" not in name[len(prefix) :]]
        return [{**found[name], "lastCommit": last} for name in below]


@dataclass
class Repository:
    """All commits, and the names that point to them. Begins with one commit, as on the real Hub."""

    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rules = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LARGE_SUFFIXES)
        self.add("main", Commit("initial commit", {".gitattributes": Blob(rules.encode(), large=False)}, None))

    def add(self, ref: str, commit: Commit) -> str:
        self.commits[commit.oid] = commit
        self.refs[ref] = commit.oid
        return commit.oid

    def at(self, revision: str) -> Commit:
        oid = self.refs.get(revision, revision)
        if oid not in self.commits:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commits[oid]


class LoopbackHub:
    """`with LoopbackHub() as hub: ... hub.url ...`; leaving the block stops the server and frees its port.

    Attributes:
        requests: "METHOD path" of every request so far, followed by " range" when it asked for a part of a file.
        repositories: ("model" or "dataset", "owner/name") -> Repository.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []  # what was asked for; nothing is run
        self.lock = threading.Lock()  # one request changes repositories at a time
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "LoopbackHub":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From now on connections are refused. Stopping twice is allowed."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def repository(self, kind: str, name: str) -> Repository:
        if (kind, name) not in self.repositories:
            raise HubError(404, "RepoNotFound", "Repository not found")
        return self.repositories[kind, name]

    def page(self, kind: str, name: str) -> str:
        return f"{self.url}/{'datasets/' if kind == 'dataset' else ''}{name}"

    # What the API answers, by route. Each takes the request and the route's parts.

    def whoami(self, request: "_Handler") -> dict[str, Any]:
        access = {"displayName": "test", "role": "write"}
        return {"type": "user", "name": USER, "orgs": [], "auth": {"type": "access_token", "accessToken": access}}

    def validate_yaml(self, request: "_Handler") -> dict[str, Any]:
        return {"errors": [], "warnings": []}

    def create_repository(self, request: "_Handler") -> dict[str, Any]:
        wanted = request.json()
        key = (wanted.get("type") or "model", f"{wanted.get('organization') or USER}/{wanted['name']}")
        if key in self.repositories:
            raise HubError(409, message="You already created this repository", url=self.page(*key))
        self.repositories[key] = Repository()
        return {"url": self.page(*key), "name": key[1]}

    def info(self, request: "_Handler", kind: str, name: str, revision: str = "main") -> dict[str, Any]:
        commit = self.repository(kind, name).at(revision)
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        facts = {"private": False, "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
        return {"id": name, "sha": commit.oid, "lastModified": DATE, "createdAt": DATE, "siblings": siblings} | facts

    def tree(self, request: "_Handler", kind: str, name: str, revision: str, folder: str = "") -> list[Any]:
        commit = self.repository(kind, name).at(revision)
        entries = commit.entries(folder, recursive=request.query("recursive").lower() in ("1", "true"))
        if folder and not entries:
            raise HubError(404, "EntryNotFound", f"{folder} does not exist on {revision!r}", commit.oid)
        return entries

    def paths_info(self, request: "_Handler", kind: str, name: str, revision: str) -> list[Any]:
        wanted = parse_qs(request.body.decode()).get("paths", [])
        return [entry for entry in self.repository(kind, name).at(revision).entries() if entry["path"] in wanted]

    def make_branch(self, request: "_Handler", kind: str, name: str, branch: str) -> None:
        repository = self.repository(kind, name)
        if branch in repository.refs:
            raise HubError(409, message=f"Reference already exists: {branch}")
        repository.refs[branch] = repository.at(request.json().get("startingPoint", "main")).oid

    def preupload(self, request: "_Handler", kind: str, name: str, revision: str) -> dict[str, Any]:
        known = self.repository(kind, name).at(revision).files
        answers = []
        for path in (entry["path"] for entry in request.json()["files"]):
            mode = "lfs" if path.endswith(LARGE_SUFFIXES) else "regular"
            oid = known[path].oid if path in known else None
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return {"files": answers}

    def batch(self, request: "_Handler", prefix: str, name: str) -> dict[str, Any]:
        self.repository("dataset" if prefix else "model", name)
        objects = [{"oid": entry["oid"], "size": entry["size"]} for entry in request.json()["objects"]]
        for entry in objects:
            if entry["oid"] not in self.objects:
                entry["actions"] = {"upload": {"href": f"{self.url}/objects/{entry['oid']}"}}
        return {"transfer": "basic", "objects": objects}

    def store(self, request: "_Handler", oid: str) -> None:
        if hashlib.sha256(request.body).hexdigest() != oid:
            raise HubError(400, message="The content is not what its name says")
        if sum(map(len, self.objects.values())) + len(request.body) > MAX_OBJECTS:
            raise HubError(413, message=f"This hub holds {MAX_OBJECTS} bytes at most")
        self.objects[oid] = request.body

    def commit(self, request: "_Handler", kind: str, name: str, revision: str) -> dict[str, Any]:
        repository = self.repository(kind, name)
        operations = [json.loads(line) for line in request.body.splitlines()]
        header, parent = operations[0]["value"], repository.at(revision)
        if header.get("parentCommit", parent.oid) != parent.oid:
            raise HubError(412, message="A commit has happened since")
        files = dict(parent.files)
        for operation in operations[1:]:
            _apply(files, operation["key"], operation["value"], self.objects)
        answer = {}
        if request.query("create_pr"):
            number = 1 + sum(ref.startswith("refs/pr/") for ref in repository.refs)
            revision = f"refs/pr/{number}"
            answer["pullRequestUrl"] = f"{self.page(kind, name)}/discussions/{number}"
        oid = repository.add(revision, Commit(header["summary"], files, parent.oid))
        return {**answer, "success": True, "commitOid": oid, "commitUrl": f"{self.page(kind, name)}/commit/{oid}"}

    def run_job(self, request: "_Handler", namespace: str) -> dict[str, Any]:
        self.jobs.append(request.json())
        owner = {"id": "0", "name": namespace, "type": "user"}
        return {"id": f"job{len(self.jobs)}", "createdAt": DATE, "owner": owner, "status": {"stage": "RUNNING"}}

    def resolve(self, request: "_Handler", prefix: str, name: str, revision: str, path: str) -> Download:
        commit = self.repository("dataset" if prefix else "model", name).at(revision)
        if path not in commit.files:
            raise HubError(404, "EntryNotFound", "Entry not found", commit.oid)
        blob = commit.files[path]
        headers = {"ETag": f'"{blob.oid}"', "X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        if blob.large:
            headers |= {"X-Linked-Etag": f'"{blob.oid}"', "X-Linked-Size": str(len(blob.content))}
        return Download(blob.content, headers)


def _apply(files: dict[str, Blob], key: str, value: Mapping[str, Any], objects: Mapping[str, bytes]) -> None:
    """One operation of a commit, on the files by path."""
    path = value["path"]
    if key == "file":
        files[path] = Blob(base64.b64decode(value["content"]), large=False)
    elif key == "lfsFile":
        if value["oid"] not in objects:
            raise HubError(400, message=f"{path} was not uploaded before the commit")
        files[path] = Blob(objects[value["oid"]], large=True)
    elif key == "deletedFile":
        if files.pop(path, None) is None:
            raise HubError(404, "EntryNotFound", f"{path} does not exist")
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            del files[name]
    else:
        raise HubError(400, message=f"Unknown operation {key}")


_REPO = r"/api/(model|dataset)s/([^/]+/[^/]+)"
_PAGE = r"/(datasets/)?([^/]+/[^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", r"/api/whoami-v2", LoopbackHub.whoami),
    ("POST", r"/api/validate-yaml", LoopbackHub.validate_yaml),
    ("POST", r"/api/repos/create", LoopbackHub.create_repository),
    ("GET", _REPO, LoopbackHub.info),
    ("GET", _REPO + r"/revision/([^/]+)", LoopbackHub.info),
    ("GET", _REPO + r"/tree/([^/]+)(?:/(.*))?", LoopbackHub.tree),
    ("POST", _REPO + r"/paths-info/([^/]+)", LoopbackHub.paths_info),
    ("POST", _REPO + r"/branch/([^/]+)", LoopbackHub.make_branch),
    ("POST", _REPO + r"/preupload/([^/]+)", LoopbackHub.preupload),
    ("POST", _REPO + r"/commit/([^/]+)", LoopbackHub.commit),
    ("POST", _PAGE + r"\.git/info/lfs/objects/batch", LoopbackHub.batch),
    ("POST", r"/api/jobs/([^/]+)", LoopbackHub.run_job),
    ("PUT", r"/objects/([0-9a-f]{64})", LoopbackHub.store),
    ("GET", _PAGE + r"/resolve/([^/]+)/(.+)", LoopbackHub.resolve),
)


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0 (one request per connection, so stopping really ends everything) to the functions of `ROUTES`."""

    hub: LoopbackHub
    timeout = 10  # seconds for one request
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body or b"{}"))

    def query(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def answer(self) -> None:
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {path}{' range' if self.headers.get('Range') else ''}")
        try:
            self.body = self._read_body()
            # Reading needs no token, and an upload address is a secret by itself, as on the real Hub.
            if self.command == "POST" and not re.search("/paths-info/|/validate-yaml", path):
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    raise HubError(401, message="Invalid credentials in Authorization header")
            with self.hub.lock:
                result = self._route(path)
            if isinstance(result, Download):
                self._send_file(result.content, result.headers)
            else:
                self._send(200, json.dumps(result).encode(), {"Content-Type": "application/json"})
        except HubError as error:
            self._send(error.status, json.dumps(error.content).encode(), error.headers)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def _route(self, path: str) -> Any:
        command = "GET" if self.command == "HEAD" else self.command
        for method, pattern, function in ROUTES:
            match = re.fullmatch(pattern, path) if method == command else None
            if match:
                return function(self.hub, self, *(unquote(part or "") for part in match.groups()))
        raise HubError(404, message=f"This hub has no {command} {path}")

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise HubError(411, message="This hub wants a Content-Length")
        size = int(self.headers.get("Content-Length", 0))
        if size > MAX_BODY:
            raise HubError(413, message=f"This hub reads {MAX_BODY} bytes at most")
        return self.rfile.read(size)

    def _send_file(self, content: bytes, headers: Mapping[str, str]) -> None:
        """The whole content, or the part that a Range header asks for."""
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if part is None:
            return self._send(200, content, headers)
        start, stop = int(part[1]), min(int(part[2] or len(content)) + 1, len(content))
        if start >= len(content):
            raise HubError(416, message="Range Not Satisfiable")
        self._send(206, content[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silence: tests look at `LoopbackHub.requests`."""
