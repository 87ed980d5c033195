"""`hf://` as a store: input and output of `motionhub dataset poses` in a repository of datasets."""

from dataclasses import replace

import pytest
from huggingface_hub import HfApi
from loopback_hub import TOKEN, USER, LoopbackHub

from motionhub.data.build.store import Store, store_at


NAMES = ["a.txt", "folder/a.txt", "folder/two words é ü 跑.txt", "folder/100% #1?.txt"]


@pytest.fixture
def store(hub: LoopbackHub) -> Store:
    api = HfApi(endpoint=hub.url, token=TOKEN)
    api.create_repo(f"{USER}/poses", repo_type="dataset")
    found = store_at(f"hf://datasets/{USER}/poses/out", {"endpoint": hub.url, "token": TOKEN})
    return replace(found, attempts=2, first_wait=0.01)


def test_files_of_any_name_are_written_listed_read_copied_and_removed(store: Store) -> None:
    assert store.files() == {}
    for name in NAMES:
        store.write(name, name.encode())
    assert {name: file.size for name, file in store.files().items()} == {
        name: len(name.encode()) for name in sorted(NAMES)
    }
    for name in NAMES:
        assert store.read(name) == name.encode()
        with store.local(name) as path:
            assert path.read_bytes() == name.encode()
    store.remove("a.txt")
    store.remove("a.txt")  # the Hub answers 404 to the removal of an absent file
    store.remove_folder("folder")
    store.remove_folder("folder")
    assert store.files() == {}
    with pytest.raises(FileNotFoundError):
        store.read("a.txt")


def test_what_another_machine_writes_is_read_at_once(store: Store, hub: LoopbackHub) -> None:
    store.write("state/run.json", b"one")
    assert store.read("state/run.json") == b"one"
    before = store.files()["state/run.json"]
    api = HfApi(endpoint=hub.url, token=TOKEN)
    api.upload_file(
        path_or_fileobj=b"another", path_in_repo="out/state/run.json", repo_id=f"{USER}/poses", repo_type="dataset"
    )
    assert store.read("state/run.json") == b"another"
    after = store.files()["state/run.json"]
    assert after.size == len(b"another") and after.mark != before.mark
