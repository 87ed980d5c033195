"""Files at an address: whole, named as they are, asked for again where the store is the trouble."""

import time
from collections.abc import Iterator
from pathlib import Path

import loopback_store
import pytest
from loopback_store import LoopbackServer

from motionhub.data.build.store import Store, StoreError, store_at


NAMES = ["a.txt", "folder/a.txt", "folder/two words é ü 跑.txt", "folder/100% #1?.txt"]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    loopback_store.register()
    with LoopbackServer() as running:
        yield running


@pytest.fixture(params=["path", "file", "memory", "loopback"])
def store(request: pytest.FixtureRequest, tmp_path: Path, server: LoopbackServer) -> Store:
    addresses = {
        "path": str(tmp_path / "o u t"),
        "file": f"file://{tmp_path}/out",
        "memory": f"memory://{tmp_path.name}",
        "loopback": server.address("bucket/out"),
    }
    return store_at(addresses[request.param])


def store_error(store: Store, name: str) -> str:
    with pytest.raises(StoreError) as caught:
        store.read(name)
    return str(caught.value)


def test_files_of_any_name_are_listed_read_copied_and_removed(store: Store) -> None:
    assert store.files() == {}
    for name in NAMES:
        store.write(name, name.encode())
    assert list(store.files()) == sorted(NAMES)
    assert list(store.files("folder")) == sorted(NAMES[1:])
    assert {name: file.size for name, file in store.files().items()} == {name: len(name.encode()) for name in NAMES}
    for name in NAMES:
        assert store.read(name) == name.encode()
        with store.local(name) as path:
            assert path.read_bytes() == name.encode() and path.suffix == ".txt"
    store.remove("a.txt")
    store.remove("a.txt")
    store.remove_folder("folder")
    store.remove_folder("folder")
    assert store.files() == {}
    with pytest.raises(FileNotFoundError):
        store.read("a.txt")
    with pytest.raises(FileNotFoundError), store.local("a.txt"):
        pass


def test_a_mark_changes_with_the_content(server: LoopbackServer) -> None:
    store = store_at(server.address("bucket"))
    store.write("x", b"one")
    before = store.files()["x"]
    store.write("x", b"two")
    after = store.files()["x"]
    assert before.size == after.size and before.mark != after.mark


def test_a_store_that_fails_for_a_while_is_asked_again(server: LoopbackServer) -> None:
    store = Store(server.address("bucket"), first_wait=0.01)
    server.failures = 3
    store.write("x", b"one")
    assert store.read("x") == b"one"


def test_a_store_that_keeps_failing_is_named_in_one_line(server: LoopbackServer) -> None:
    store = Store(server.address("bucket"), attempts=2, first_wait=0.01)
    server.failures = 100
    message = store_error(store, "x")
    assert server.address("bucket/x") in message and "failed 2 times" in message and "503" in message
    assert "\n" not in message and server.failures == 98


def test_a_store_that_hangs_is_given_up_after_its_time(server: LoopbackServer) -> None:
    store = Store(server.address("bucket"), attempts=2, timeout=0.1, first_wait=0.01)
    server.delay = 20.0
    began = time.monotonic()
    assert "no answer within 0.1 s" in store_error(store, "x")
    assert time.monotonic() - began < 5


def test_a_file_that_is_not_there_is_asked_for_once(server: LoopbackServer) -> None:
    with pytest.raises(FileNotFoundError):
        Store(server.address("bucket")).read("x")
    assert server.requests == [("GET", "/bucket/x")]


@pytest.mark.parametrize("kind", [FileNotFoundError, PermissionError])
def test_a_refusal_names_the_address_and_is_not_asked_again(kind: type[OSError], tmp_path: Path) -> None:
    asked = []

    def refuse(files: object, path: str) -> None:
        asked.append(path)
        raise kind("Access\nDenied")

    with pytest.raises(kind) as caught:
        Store(f"memory://{tmp_path.name}")._tried("a b.txt", refuse)
    assert str(caught.value) == f"memory://{tmp_path.name}/a b.txt: Access Denied" and len(asked) == 1


def test_an_address_of_no_file_system_says_what_is_expected() -> None:
    with pytest.raises(ValueError, match="expected a path or an address of fsspec"):
        store_at("nowhere://a/b")
