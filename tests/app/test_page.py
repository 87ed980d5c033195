"""The page by Gradio: what it serves, to whom, and that neither starting nor answering asks another server."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import motionhub
from motionhub.app.page import EXAMPLE
from motionhub.app.recordings import Limits
from motionhub.app.server import serving


pytestmark = pytest.mark.towers("gradio")
_STATED = [None, "as the file says", "as the file says", None, None, None]


@pytest.fixture(scope="module")
def elsewhere() -> list[str]:
    """Hosts that are asked for or connected to, but this machine."""
    found: list[str] = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def noted(host, *rest, **options):
        if str(host) not in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "None"):
            found.append(str(host))
        return look_up(host, *rest, **options)

    def connected(self, address):
        if isinstance(address, tuple) and not str(address[0]).startswith("127.") and address[0] != "::1":
            found.append(str(address[0]))
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", noted)
        patch.setattr(socket.socket, "connect", connected)
        yield found


@pytest.fixture(scope="module")
def address(elsewhere, models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    given = {}
    for action in ("wave", "kick"):
        given[f"{action}.npz"] = Path(motionhub.write(motionhub.generate(action, seed=0), folder / f"{action}.npz"))
    with serving(models, given, limits=Limits(megabytes=1)) as found:
        yield found


def get(address: str, path: str = "/", host: str = "localhost") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=60)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_the_page_loads_nothing_from_another_server(address):
    status, headers, body = get(address)
    assert status == 200 and "default-src 'self'" in headers["content-security-policy"]
    assert EXAMPLE in body.decode() and b"fonts.googleapis" not in body and b"cdnjs" not in body


def test_another_name_of_this_machine_and_a_file_of_this_machine_are_refused(address):
    assert get(address, host="evil.example")[0] == 403
    assert get(address, "/gradio_api/file=/etc/hostname")[0] in (403, 404)


def test_two_visitors_at_once_get_their_own_answers_and_nothing_is_asked_elsewhere(address, elsewhere):
    from gradio_client import Client

    def named(action: str) -> str:
        visitor = Client(address, verbose=False, httpx_kwargs={"timeout": 300.0})
        given = [None, None, f"{action}.npz", "wave, kick", "", False, *_STATED]
        return str(visitor.predict(*given, api_name="/name_actions")[1])

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(named, ("wave", "kick")))
    for action, answer in zip(("wave", "kick"), answers, strict=True):
        assert f"{action}.npz" in answer and f"Person 0: {action}" in answer
    assert elsewhere == []


def test_a_port_in_use_is_named_and_files_go_with_the_server(models, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"Port {port} of 127.0.0.1 cannot be used"), serving(models, port=port):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_a_client_names_by_its_address_is_not_fetched(address, elsewhere):
    payload = {"path": "http://a.example/x.npz", "orig_name": "x.npz", "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [payload, None, "", "wave", "", False, *_STATED, None]})
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=60)
    connection.request("POST", "/gradio_api/call/name_actions", body, {"Content-Type": "application/json"})
    event = json.loads(connection.getresponse().read())["event_id"]
    _, _, answer = get(address, f"/gradio_api/call/name_actions/{event}")
    assert b"error" in answer and elsewhere == []
