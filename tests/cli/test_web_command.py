"""`motionhub web`: who is served, which files, with which headers; and the page's policy and model folder."""

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from helpers import load_script, read_json, write_json

import motionhub
from motionhub.cli.main import main
from motionhub.cli.web import PageHandler, page_server


WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "model").mkdir(parents=True)
    (folder / "index.html").write_text((WEB / "index.html").read_text(encoding="utf-8"), encoding="utf-8")
    for name in ("service_worker.js", "model/web.json", "run.wasm", "two words.txt"):
        (folder / name).write_text("{}")
    return folder


@pytest.fixture
def port(page: Path) -> Iterator[int]:
    with page_server(page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port: int, path: str, method: str = "GET", host: str = "localhost") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content; the path is sent as it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


def test_files_of_the_page_are_served_with_their_types_and_the_policy(port):
    types = {
        "/": "text/html; charset=utf-8",
        "/index.html": "text/html; charset=utf-8",
        "/service_worker.js": "text/javascript; charset=utf-8",
        "/model/web.json": "application/json",
        "/run.wasm": "application/wasm",
        "/two%20words.txt": "text/plain; charset=utf-8",
    }
    for path, expected in types.items():
        status, headers, _ = ask(port, path)
        assert (status, headers["content-type"]) == (200, expected), path
        assert "connect-src 'self';" in headers["content-security-policy"]
        assert headers["content-security-policy"].endswith("frame-ancestors 'none'")
        assert headers["x-content-type-options"] == "nosniff"
    assert ask(port, "/", "HEAD")[::2] == (200, b"")


def test_paths_that_leave_the_folder_are_not_found(page, port):
    (page.parent / "secret.txt").write_text("secret")
    (page / "link.txt").symlink_to(page.parent / "secret.txt")
    (page / "up").symlink_to(page.parent)
    paths = [
        *("/../secret.txt", "/model/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"),
        *("/%2e%2e%2fsecret.txt", "/..\\secret.txt", "/%5c..%5csecret.txt", "/link.txt", "/up/secret.txt"),
        *("//secret.txt", "/model/", "/model", "/absent.txt", "/%00", f"/{page.parent}/secret.txt"),
    ]
    for path in paths:
        status, _, content = ask(port, path)
        assert status == 404, path
        assert b"secret" not in content.replace(b"secret.txt", b"")


def test_another_host_name_is_refused(port):
    for host in ("example.com", "127.0.0.1.example.com", ""):
        assert ask(port, "/", host=host)[0] == 403
    for host in ("127.0.0.1", f"localhost:{port}"):
        assert ask(port, "/", host=host)[0] == 200


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/", "[::1", 403), ("http://[x/", "localhost", 403), (f"/{'a' * 60_000}", "localhost", 404), ("/%00", "x", 403)],
)
def test_a_hostile_request_is_answered_and_the_next_is_served(port, path, host, status, capfd):
    assert ask(port, path, host=host)[0] == status
    assert ask(port, "/")[0] == 200 and "Traceback" not in capfd.readouterr().err


def test_a_connection_that_says_nothing_is_closed_after_a_while(port):
    assert 0 < PageHandler.timeout <= 60


def test_nothing_can_be_sent(port):
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, "/", method)[0] == 501


def test_only_this_machine_is_served(page):
    with page_server(page) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_folder_that_is_no_page_and_a_port_in_use_are_one_line(page, tmp_path, capsys):
    assert main(["web", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "index.html, service_worker.js, model/web.json is absent; build it in a clone: make web." in error
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["web", str(page), "--port", str(taken.getsockname()[1])]) == 2
    assert "pass another: --port 0" in capsys.readouterr().err
    (page / "index.html").write_text("<p>no policy</p>")
    assert main(["web", str(page)]) == 2
    assert "no content security policy" in capsys.readouterr().err


def test_the_policy_of_the_page_names_no_outside_host():
    text = (WEB / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy"\s+content="([^"]+)"', text)
    assert policy
    directives = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    assert directives["default-src"] == "'none'"
    allowed = {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:", "mediastream:"}
    assert {source for sources in directives.values() for source in sources.split()} <= allowed
    assert directives["connect-src"] == "'self'"
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)


def test_the_page_converts_layouts_as_python_does():
    folder = load_script("web/model_folder.py")
    target = motionhub.get_layout("smarthome-15")
    found = folder.layouts(target)
    clip = motionhub.generate("wave", seed=3, num_frames=5)
    for name in ("coco-17", "kinect-20", "mediapipe-33"):
        source = motionhub.convert_layout(clip, name)
        expected = motionhub.convert_layout(source, target).keypoints[0]
        for row, parts in enumerate(found[name]["weights"]):
            made = sum(weight * source.keypoints[0, :, joint] for joint, weight in parts) if parts else np.nan
            np.testing.assert_allclose(np.broadcast_to(made, expected[:, row].shape), expected[:, row], atol=1e-5)
    assert found["coco-17"]["names"]["lshoulder"] == "left_shoulder"


def test_every_constant_that_the_page_uses_is_in_the_model_folder():
    folder = load_script("web/model_folder.py")
    scripts = "".join(path.read_text(encoding="utf-8") for path in (WEB / "src").glob("*.js"))
    for name, has in (("scoring", folder.scoring()), ("poses", folder.poses())):
        used = set(re.findall(rf"(?<!motionhub\.)\b{name}\.([a-z_]+)\b(?!\()", scripts)) - {"js"}
        assert used, name
        assert used <= has.keys()


def test_a_folder_that_was_not_exported_makes_no_page(tmp_path):
    folder = load_script("web/model_folder.py")
    with pytest.raises(ValueError, match="motionhub export"):
        folder.write_model_folder(tmp_path, tmp_path / "out")


def test_the_page_names_the_checkpoint_and_not_one_of_its_files(tmp_path):
    folder, tmor = load_script("web/model_folder.py"), WEB.parent / "hub_configs" / "tmor-small"
    exported = tmp_path / "mine"
    exported.mkdir()
    for name in (folder.BANK, "preprocessor_config.json"):
        shutil.copy(tmor / name, exported)
    for name in (folder.GRAPH, folder.LABELS, folder.VECTORS):
        (exported / name).write_bytes(b"0")
    config = read_json(tmor / "config.json")
    facts = {name: config.get(name, 1.0) for name in (*folder.OF_EXPORT, *folder.LEVELS)}
    facts |= {"schema": 1, "format": "onnx", "tasks": [folder.TASK], "labels": [], "exact_frames": False}
    facts |= {"exclusive": True, "people": 1, "frames": 32, "joints": 15, "dims": 2, "frame_stride": 1}
    write_json(exported / "export.json", {"motionhub": facts})
    for given, expected in ((None, "mine"), ("tmor-small", "tmor-small")):
        folder.write_model_folder(exported, tmp_path / "page", name=given)
        assert read_json(tmp_path / "page" / "web.json")["checkpoint"] == expected
