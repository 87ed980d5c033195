"""A bundle: what is installed loads offline by its id; what was changed on the way is refused, nothing is written."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from datasets import load_dataset
from huggingface_hub import HfApi, scan_cache_dir, snapshot_download
from transformers import AutoModel

import motionhub
from motionhub.cli.main import main
from motionhub.data.build.build import save_dataset
from motionhub.hub import bundle as bundle_module
from motionhub.hub.archive import write_archive
from motionhub.hub.bundle import create_bundle, install_bundle, verify_bundle
from motionhub.hub.push import push


pytestmark = [
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*must not leave your institution:UserWarning"),
]

SMALL = Path(__file__).resolve().parents[2] / "hub_configs" / "unik-nucla-small"
MODEL, ROWS = "somebody/unik-small", "motionhub/n-UCLA"


@pytest.fixture(scope="module")
def rows(nucla_folder, tmp_path_factory):
    return save_dataset("n-ucla", nucla_folder, tmp_path_factory.mktemp("rows") / "nucla")


@pytest.fixture(scope="module")
def archive(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "both.tar"
    create_bundle(path, [f"{MODEL}={SMALL}"], [f"{ROWS}={rows}"], include_closed=True)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """One repository of two files, small enough to change every part of it."""
    folder = tmp_path_factory.mktemp("tiny")
    contents = {"README.md": b"---\nlicense: mit\n---\n", "config.json": b'{"a": 1}'}
    home = folder / "home"
    snapshot = home / "hub" / "models--owner--name" / "snapshots" / ("ab" * 20)
    snapshot.mkdir(parents=True)
    for name, content in contents.items():
        (snapshot / name).write_bytes(content)
    (home / "hub" / "models--owner--name" / "refs").mkdir()
    (home / "hub" / "models--owner--name" / "refs" / "main").write_text("ab" * 20)
    create_bundle(folder / "tiny.tar", ["owner/name"], cache_dir=home)
    return folder / "tiny.tar"


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) if folder.exists() else []


def assert_refused(path, tmp_path, match="refused"):
    with pytest.raises(ValueError, match=match):
        verify_bundle(path)
    with pytest.raises(ValueError, match=match):
        install_bundle(path, cache_dir=tmp_path / "home")
    assert everything(tmp_path / "home") == []


# It works.

OFFLINE = """
import datasets, motionhub
from transformers import AutoModel, pipeline
encoder = AutoModel.from_pretrained("somebody/unik-small")
pipe = pipeline("action-classification", model="somebody/unik-small", device="cpu")
test = datasets.load_dataset("motionhub/n-UCLA", "cross-subject", split="test")
default = datasets.load_dataset("motionhub/n-UCLA")
stream = list(datasets.load_dataset("motionhub/n-UCLA", "cross-subject", split="test", streaming=True))
from motionhub.skeletons.rows import from_row
label = pipe(from_row(test.with_format("numpy")[0]))
assert sorted(row["clip_id"] for row in stream) == sorted(test["clip_id"])
print(encoder.num_parameters(), len(test), set(test["subject"]), sum(map(len, default.values())), len(label))
"""


def test_after_installing_the_ids_load_offline_in_a_new_process(archive, tmp_path):
    installed = install_bundle(archive, cache_dir=tmp_path / "home")
    assert [each.id for each in installed.repositories] == [ROWS, MODEL]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    variables |= {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, env=variables, timeout=180)
    parameters = motionhub.AutoModelForActionClassification.from_pretrained(SMALL).encoder.num_parameters()
    assert run.stdout.strip() == f"{parameters} 30 {{2}} 60 1", run.stderr[-3000:]


def test_a_relative_cache_dir_is_the_same_folder_as_its_absolute_path(archive, tmp_path, monkeypatch):
    install_bundle(archive, cache_dir=tmp_path / "absolute")
    monkeypatch.chdir(tmp_path)
    assert main(["bundle", "install", str(archive), "--cache_dir", "relative"]) == 0
    assert everything(tmp_path / "relative") == everything(tmp_path / "absolute")
    repacked = create_bundle("again.tar", [MODEL], [ROWS], cache_dir="relative", include_closed=True)
    assert repacked.sha256 == verify_bundle(archive).sha256
    place = snapshot_download(MODEL, cache_dir=tmp_path / "relative" / "hub", local_files_only=True)
    assert (Path(place) / "model.safetensors").read_bytes() == (SMALL / "model.safetensors").read_bytes()


def test_the_installed_cache_is_one_to_huggingface_hub(archive, tmp_path):
    install_bundle(archive, cache_dir=tmp_path / "home")
    found = scan_cache_dir(tmp_path / "home" / "hub")
    assert not found.warnings
    assert {(repo.repo_type, repo.repo_id) for repo in found.repos} == {("model", MODEL), ("dataset", ROWS)}
    assert all(repo.refs.keys() == {"main"} for repo in found.repos)
    place = snapshot_download(MODEL, cache_dir=tmp_path / "home" / "hub", local_files_only=True)
    assert (Path(place) / "model.safetensors").read_bytes() == (SMALL / "model.safetensors").read_bytes()
    assert (Path(place) / "motionhub_remote.py").is_file()
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["datasets", "hub"]
    assert not list((tmp_path / "home").rglob(".motionhub*"))


def test_what_was_downloaded_from_a_hub_is_packed_with_its_commit_and_blobs(hub, rows, tmp_path):
    push(SMALL, MODEL)
    HfApi().create_repo(ROWS, repo_type="dataset")
    HfApi().upload_folder(repo_id=ROWS, repo_type="dataset", folder_path=rows)
    AutoModel.from_pretrained(MODEL)
    place = Path(snapshot_download(MODEL))
    snapshot_download(ROWS, repo_type="dataset")
    packed = create_bundle(tmp_path / "out.tar.gz", [MODEL], [ROWS], include_closed=True)
    hub.stop()
    install_bundle(tmp_path / "out.tar.gz", cache_dir=tmp_path / "home")
    again = Path(snapshot_download(MODEL, cache_dir=tmp_path / "home" / "hub", local_files_only=True))
    assert again.name == place.name == packed.repositories[1].revision
    for path in place.rglob("*"):
        if path.is_file():
            copy = again / path.relative_to(place)
            assert copy.read_bytes() == path.read_bytes()
            assert copy.resolve().name == path.resolve().name  # a blob that the Hub would not send again


def test_installing_twice_and_another_revision_keeps_both(tiny, tmp_path):
    home = tmp_path / "home"
    install_bundle(tiny, cache_dir=home)
    before = everything(home)
    install_bundle(tiny, cache_dir=home)
    assert everything(home) == before
    repo = home / "hub" / "models--owner--name"
    (repo / "snapshots" / ("ab" * 20)).rename(repo / "snapshots" / ("cd" * 20))
    (repo / "refs" / "main").write_text("cd" * 20)
    install_bundle(tiny, cache_dir=home)
    assert {path.name for path in (repo / "snapshots").iterdir()} == {"ab" * 20, "cd" * 20}
    assert (repo / "refs" / "main").read_text() == "ab" * 20


def test_a_snapshot_that_was_downloaded_in_part_is_completed(tiny, tmp_path):
    install_bundle(tiny, cache_dir=tmp_path / "home")
    snapshot = tmp_path / "home" / "hub" / "models--owner--name" / "snapshots" / ("ab" * 20)
    (snapshot / "config.json").unlink()
    install_bundle(tiny, cache_dir=tmp_path / "home")
    assert (snapshot / "config.json").read_bytes() == b'{"a": 1}'


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_a_bundle_of_an_earlier_version_is_installed(tmp_path, suffix):
    path = Path(__file__).parent / f"bundle_of_58fa04a{suffix}"
    digest = "5284ad02d9298d71bf388e222837ecc2f6b57ac52f71ae986bf917659e4fd7d1"
    assert install_bundle(path, cache_dir=tmp_path, sha256=digest).sha256 == digest
    place = Path(snapshot_download("owner/name", cache_dir=tmp_path / "hub", local_files_only=True))
    assert (place.name, (place / "sub" / "x.txt").read_text()) == ("ab" * 20, "x\n")
    assert load_dataset("owner/rows", "all", cache_dir=tmp_path / "datasets", split="train")["a"][:] == [1, 2, 3]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_same_input_gives_the_same_bytes_in_every_compression(rows, archive, tmp_path, suffix):
    digests = set()
    for number in range(2):
        path = tmp_path / f"{number}{suffix}"
        digests.add(create_bundle(path, [f"{MODEL}={SMALL}"], [f"{ROWS}={rows}"], include_closed=True).sha256)
        digests.add(verify_bundle(path).sha256)
    assert (tmp_path / f"0{suffix}").read_bytes() == (tmp_path / f"1{suffix}").read_bytes()
    assert digests == {verify_bundle(archive).sha256}


def test_the_manifest_says_licence_versions_revision_sizes_and_hashes(archive):
    facts = json.loads(verify_bundle(archive).manifest)
    assert facts["versions"]["motionhub"] == motionhub.__version__
    rows, model = facts["repositories"]
    assert (model["id"], model["licence"], len(model["revision"])) == (MODEL, "other", 40)
    assert rows["licence"] == "n-ucla-terms"
    (weights,) = [file for file in model["files"] if file["path"] == "model.safetensors"]
    assert weights["size"] == (SMALL / "model.safetensors").stat().st_size
    assert weights["sha256"] == weights["blob"]


def test_any_tar_program_can_list_it(archive):
    with tarfile.open(archive) as content:
        names = content.getnames()
        assert names[:2] == ["manifest.sha256", "manifest.json"] and all("blobs/" in name for name in names[2:])


# It refuses.


def test_every_flipped_bit_of_a_tar_is_refused(tiny, tmp_path):
    content = tiny.read_bytes()
    for position in [*range(0, len(content), 37), 100, 156, 257, len(content) - 1]:
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path = tmp_path / "changed.tar"
        path.write_bytes(changed)
        with pytest.raises(ValueError):
            verify_bundle(path)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.zst"])
def test_a_flipped_bit_of_a_compressed_bundle_is_refused_or_changes_nothing(tiny, tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    create_bundle(path, ["owner/name"], cache_dir=tiny.parent / "home")
    content, intact, refused = path.read_bytes(), verify_bundle(path), 0
    positions = range(0, len(content), 3)
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            assert verify_bundle(path) == intact
        except ValueError:
            refused += 1
    assert refused > 0.95 * len(positions)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_cut_off_or_continued_is_refused(tiny, tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    create_bundle(path, ["owner/name"], cache_dir=tiny.parent / "home")
    content = path.read_bytes()
    cuts = [content[:size] for size in (0, 1, 9, 10, 600, len(content) // 2, len(content) - 1)]
    for changed in [*cuts, content + b"\0", content + b"x" * 512, content + content]:
        path.write_bytes(changed)
        assert_refused(path, tmp_path, match="x.tar")


def members(path):
    with tarfile.open(path) as content:
        return [(member, content.extractfile(member).read()) for member in content.getmembers()]


def rewritten(path, entries):
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as out:
        for member, content in entries:
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


def test_unpacked_and_packed_again_is_still_the_same_bundle(tiny, tmp_path):
    assert rewritten(tmp_path / "x.tar", members(tiny)).read_bytes() == tiny.read_bytes()


def link(kind, target):
    member = tarfile.TarInfo("blobs/" + "0" * 64)
    member.type, member.linkname = kind, target
    return member, b""


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda entries: [*entries, (tarfile.TarInfo("extra"), b"x")], "found file 'extra'"),
        (lambda entries: [*entries, (tarfile.TarInfo("../../evil"), b"x")], "'../../evil'"),
        (lambda entries: [*entries, (tarfile.TarInfo("/etc/evil"), b"x")], "evil"),
        (lambda entries: [*entries, link(tarfile.SYMTYPE, "/etc/passwd")], "found link, device"),
        (lambda entries: [*entries[:2], link(tarfile.LNKTYPE, "/etc/passwd"), *entries[3:]], "found link, device"),
        (lambda entries: [*entries[:2], link(tarfile.CHRTYPE, ""), *entries[3:]], "found link, device"),
        (lambda entries: [*entries[:2], link(tarfile.FIFOTYPE, ""), *entries[3:]], "found link, device"),
        (lambda entries: entries[:-1], "found file 'end of the archive'"),
        (lambda entries: [*entries, entries[-1]], "expected the end"),
        (lambda entries: [*entries[:2], *entries[:1:-1]], "expected blobs"),
        (lambda entries: [*entries[:2], (entries[2][0], entries[2][1] + b"x"), entries[3]], "of 22 bytes"),
        (lambda entries: [*entries[:2], (entries[2][0], b"x" * len(entries[2][1])), entries[3]], "not what its name"),
        (lambda entries: [entries[0], (entries[1][0], entries[1][1].replace(b"mit", b"gpl"))], "not the one"),
        (lambda entries: entries[1:], "expected manifest.sha256"),
        (lambda entries: [], "found file 'end of the archive'"),
    ],
)  # fmt: skip
def test_a_changed_archive_is_refused_before_anything_is_written(tiny, tmp_path, change, match):
    path = rewritten(tmp_path / "x.tar", change(members(tiny)))
    assert_refused(path, tmp_path, match=match)


def forged(tiny, tmp_path, change):
    """An attacker who changes the manifest and recomputes its digest."""
    facts = json.loads(verify_bundle(tiny).manifest)
    change(facts["repositories"][0])
    contents = tmp_path / "contents"
    contents.mkdir()
    files = {}
    for member, content in members(tiny)[2:]:
        files[Path(member.name).name] = contents / Path(member.name).name
        files[Path(member.name).name].write_bytes(content)
    manifest = (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()
    write_archive(tmp_path / "forged.tar", manifest, files)
    return tmp_path / "forged.tar"


@pytest.mark.parametrize(
    "path",
    [
        "../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "", "..", "a\\..\\b", "C:evil", "a\x00b", "a\nb",
        "a/", " a", "x" * 300, "README.md/z", 3, None, ["a"], "CON", "data/nul.txt", "com1",
        "x.", "x./y", "x\u202egnp.py", "\x1b[2J", "a\u200bb", "a\x9bb",
    ],
)  # fmt: skip
def test_paths_that_leave_the_folder_are_refused(tiny, tmp_path, path):
    assert_refused(forged(tiny, tmp_path, lambda each: each["files"][1].update(path=path)), tmp_path, "refused")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../name"}, {"id": "owner/.."}, {"id": "a/b/c"}, {"id": "name"}, {"id": "a--b/c"}, {"id": 3},
        {"kind": "space"}, {"revision": "../../x"}, {"revision": "AB" * 20}, {"ref": "../main"}, {"ref": "a/b"},
        {"licence": ""}, {"licence": None}, {"licence": "mit\x1b[2J"}, {"licence": "mit\nGPL"},
        {"licence": "m" * 1001},        {"revision": "0" * 40}, {"files": []}, {"files": None}, {"more": 1},
    ],
)  # fmt: skip
def test_impossible_repositories_are_refused(tiny, tmp_path, change):
    assert_refused(forged(tiny, tmp_path, lambda each: each.update(change)), tmp_path, "refused")


@pytest.mark.parametrize(
    "change", [{"size": -1}, {"size": "8"}, {"size": True}, {"blob": "ab" * 20}, {"blob": "../x"}]
)
def test_impossible_files_are_refused(tiny, tmp_path, change):
    assert_refused(forged(tiny, tmp_path, lambda each: each["files"][1].update(change)), tmp_path, "refused")


def test_a_forged_licence_is_detected_by_the_digest_received_separately(tiny, tmp_path):
    digest = verify_bundle(tiny).sha256
    path = forged(tiny, tmp_path, lambda each: each.update(licence="cc0-1.0"))
    assert verify_bundle(path).sha256 != digest
    with pytest.raises(ValueError, match=digest):
        install_bundle(path, cache_dir=tmp_path / "home", sha256=digest)
    assert verify_bundle(tiny, sha256=digest.upper()).sha256 == digest
    assert everything(tmp_path / "home") == []


@pytest.mark.parametrize("content", [b"", b"hello", bytes(20_000), b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd junk"])
def test_other_files_are_no_bundle(tmp_path, content):
    path = tmp_path / "other.tar"
    path.write_bytes(content)
    assert_refused(path, tmp_path)
    with pytest.raises(ValueError, match="cannot be read"):
        verify_bundle(tmp_path / "absent.tar")
    with pytest.raises(ValueError, match="cannot be read"):
        verify_bundle(tmp_path)


# Interruptions.


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt()])
def test_before_the_first_rename_an_interrupted_install_leaves_nothing(archive, tmp_path, monkeypatch, error):
    def failing(folder, target):
        raise error

    monkeypatch.setattr(bundle_module, "place", failing)
    with pytest.raises(type(error)):
        install_bundle(archive, cache_dir=tmp_path / "home")
    assert everything(tmp_path / "home") == []


@pytest.mark.parametrize("number", [1, 3, 6])
def test_an_interrupted_install_leaves_whole_folders_and_is_completed_by_the_next(
    archive, tmp_path, monkeypatch, number
):
    """Interrupted at one of the renames: five Arrow folders, the dataset, the model."""
    calls, place = [], bundle_module.place

    def failing(folder, target):
        calls.append(target)
        if len(calls) > number:
            raise OSError("disk")
        place(folder, target)

    monkeypatch.setattr(bundle_module, "place", failing)
    with pytest.raises(OSError, match="disk"):
        install_bundle(archive, cache_dir=tmp_path / "home")
    monkeypatch.undo()
    install_bundle(archive, cache_dir=tmp_path / "whole")
    for target in calls[:-1]:
        assert everything(target) == everything(tmp_path / "whole" / target.relative_to(tmp_path / "home"))
    assert not calls[-1].exists() and not list((tmp_path / "home").rglob(".motionhub*"))
    install_bundle(archive, cache_dir=tmp_path / "home")
    assert everything(tmp_path / "home") == everything(tmp_path / "whole")


def test_what_a_killed_install_left_is_removed_by_the_next(tiny, tmp_path):
    left = tmp_path / "home" / "hub" / ".motionhub-install-999999999-x"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    install_bundle(tiny, cache_dir=tmp_path / "home")
    assert not left.exists()


def test_a_disk_that_is_too_small_is_reported_before_writing(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_module.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 3))
    with pytest.raises(ValueError, match="3 free"):
        install_bundle(tiny, cache_dir=tmp_path / "home")
    assert everything(tmp_path / "home") == []


def test_files_that_are_no_dataset_are_refused_whole(tmp_path, rows):
    broken = shutil.copytree(rows, tmp_path / "broken")
    next(broken.rglob("*.parquet")).write_bytes(b"PAR1 nothing PAR1")
    create_bundle(tmp_path / "x.tar", [f"{MODEL}={SMALL}"], [f"{ROWS}={broken}"], include_closed=True)
    with pytest.raises(ValueError, match="no dataset"):
        install_bundle(tmp_path / "x.tar", cache_dir=tmp_path / "home")
    assert everything(tmp_path / "home") == []


def rows_with_card(folder, card, name="README.md"):
    """A bundle of a dataset of one clip with a foreign card."""
    snapshot = folder / "home" / "hub" / "datasets--owner--rows" / "snapshots" / ("cd" * 20)
    (snapshot / "all").mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), snapshot / "all" / "train.parquet")
    (snapshot / "README.md").write_text("---\nlicense: mit\n---\n")
    (snapshot / name).write_text(card)
    create_bundle(folder / "rows.tar", [], ["owner/rows@" + "cd" * 20], cache_dir=folder / "home")
    return folder / "rows.tar"


CARD = "---\nlicense: mit\nconfigs:\n- config_name: all\n  {}\n---\n"


@pytest.mark.parametrize(
    "line",
    [
        "data_files: {secret}",
        "data_files: ['all/train.parquet', '{secret}']",
        "data_files: [{{split: train, path: ['{secret}']}}]",
        "data_files: {{train: '../../../../../{secret}'}}",
        "data_files: 'file://{secret}'",
        "data_files: 'https://127.0.0.1:9/a.parquet'",
        "data_files: 'hf://datasets/owner/other/a.parquet'",
        "data_files: 'zip://a.parquet::all/x.zip'",
        "data_files: '~/a.parquet'",
        "data_files: '..\\secret.parquet'",
        "data_dir: {folder}",
        "data_dir: ../../../../..",
    ],
)
@pytest.mark.parametrize("name", ["README.md", ".huggingface.yaml"])
def test_a_card_that_names_files_elsewhere_is_refused_before_anything_is_read(tmp_path, line, name):
    secret = tmp_path / "secret" / "secret.parquet"
    secret.parent.mkdir()
    pq.write_table(pa.table({"a": [7]}), secret)
    card = CARD.format(line.format(secret=secret, folder=secret.parent))
    path = rows_with_card(tmp_path, card if name == "README.md" else card.replace("---\n", ""), name)
    with pytest.raises(ValueError, match="owner/rows: .*relative paths inside the repository"):
        install_bundle(path, cache_dir=tmp_path / "there")
    assert everything(tmp_path / "there") == []


@pytest.mark.parametrize(
    "line", ["data_files: all/*.parquet", "data_files: [{split: train, path: ['all/train.parquet']}]", "x: 1"]
)
def test_a_card_that_names_its_own_files_is_installed(tmp_path, line):
    install_bundle(rows_with_card(tmp_path, CARD.format(line)), cache_dir=tmp_path / "there")
    assert load_dataset("owner/rows", cache_dir=tmp_path / "there" / "datasets", split="train")["a"][:] == [1]


@pytest.mark.parametrize("card", ["---\nlicense: mit\nconfigs: [3]\n---\n", "---\nlicense: mit\nconfigs: a\n---\n"])
def test_a_card_that_datasets_cannot_read_is_refused_in_one_line(tmp_path, card):
    with pytest.raises(ValueError, match="owner/rows: its files are no dataset"):
        install_bundle(rows_with_card(tmp_path, card), cache_dir=tmp_path / "there")
    assert everything(tmp_path / "there") == []


# What cannot be packed.


def test_a_link_to_a_file_elsewhere_is_not_packed(tiny, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    home = shutil.copytree(tiny.parent / "home", tmp_path / "home")
    (home / "hub" / "models--owner--name" / "snapshots" / ("ab" * 20) / "notes.txt").symlink_to(secret)
    model, rows = shutil.copytree(SMALL, tmp_path / "model"), tmp_path / "rows"
    (model / "LICENSE").symlink_to(secret)
    (rows / "all").mkdir(parents=True)
    pq.write_table(pa.table({"a": [1]}), rows / "all" / "train.parquet")
    (rows / "README.md").write_text(CARD.format("data_files: all/*") + "## Licence\n## Source\n")
    (rows / "notes.txt").symlink_to(secret)
    for wanted in (
        {"checkpoints": ["owner/name"]},
        {"checkpoints": [f"owner/name={model}"]},
        {"datasets": [f"owner/rows={rows}"]},
    ):
        with pytest.raises(ValueError, match=f"link to {secret}.*refused"):
            create_bundle(tmp_path / "x.tar", cache_dir=home, **wanted)
    (rows / "notes.txt").unlink()
    (rows / "notes.txt").symlink_to(rows / "README.md")
    create_bundle(tmp_path / "x.tar", datasets=[f"owner/rows={rows}"])  # a link to its own file is a file


def test_a_snapshot_of_the_cache_is_a_local_folder_too(archive, tmp_path):
    install_bundle(archive, cache_dir=tmp_path / "home")
    place = snapshot_download(MODEL, cache_dir=tmp_path / "home" / "hub", local_files_only=True)
    packed = create_bundle(tmp_path / "x.tar", [f"other/name={place}"])
    assert "model.safetensors" in [file.path for file in packed.repositories[0].files]


@pytest.mark.parametrize(
    ("checkpoints", "message"),
    [
        ([], "at least one"),
        (["name"], "Expected owner/name"),
        (["a/b@main=folder"], "no revision"),
        (["owner/absent"], "hf download owner/absent"),
        (["owner/name@absent"], "hf download"),
        (["owner/name", "owner/name"], "once"),
        (["owner/name=no-such-folder"], "not a complete checkpoint"),
    ],
)
def test_what_cannot_be_packed_says_why_and_leaves_no_file(tiny, tmp_path, checkpoints, message):
    with pytest.raises(ValueError, match=message):
        create_bundle(tmp_path / "out" / "x.tar", checkpoints, cache_dir=tiny.parent / "home")
    assert not (tmp_path / "out").exists() or everything(tmp_path / "out") == []


def test_nothing_is_passed_on_without_a_licence(tiny, tmp_path):
    home = shutil.copytree(tiny.parent / "home", tmp_path / "home")
    card = home / "hub" / "models--owner--name" / "snapshots" / ("ab" * 20) / "README.md"
    card.write_text("---\ntags: [a]\n---\n")
    with pytest.raises(ValueError, match="names no licence"):
        create_bundle(tmp_path / "x.tar", ["owner/name"], cache_dir=home)
    card.unlink()
    with pytest.raises(ValueError, match="no card"):
        create_bundle(tmp_path / "x.tar", ["owner/name"], cache_dir=home)


def test_clips_that_may_not_be_passed_on_are_packed_only_when_that_is_said(rows, tmp_path, capsys):
    words = ["bundle", "create", str(tmp_path / "x.tar"), "--datasets", f"{ROWS}={rows}"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert f"{ROWS}: only their authors may redistribute these clips" in error and "--include_closed" in error
    assert everything(tmp_path) == []
    with pytest.warns(UserWarning, match=f"{ROWS}: .*must not leave your institution"):
        create_bundle(tmp_path / "y.tar", [], [f"{ROWS}={rows}"], include_closed=True)
    assert main([*words, "--include_closed"]) == 0
    assert "packed: " in capsys.readouterr().out
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()


def test_clips_that_may_be_passed_on_are_packed_without_a_word(rows, tmp_path, recwarn):
    shutil.copytree(rows, tmp_path / "open", ignore=shutil.ignore_patterns("recipe"))
    create_bundle(tmp_path / "x.tar", [], [f"{ROWS}={tmp_path / 'open'}"])
    assert not [each for each in recwarn if "institution" in str(each.message)]


def test_an_existing_file_or_another_suffix_is_not_written(tiny, tmp_path):
    (tmp_path / "x.tar").write_text("mine")
    for name, message in (("x.tar", "exists"), ("x.zip", "ends in one of")):
        with pytest.raises(ValueError, match=message):
            create_bundle(tmp_path / name, ["owner/name"], cache_dir=tiny.parent / "home")
    assert (tmp_path / "x.tar").read_text() == "mine"


# The command line.


def test_create_verify_install_from_the_command_line(tmp_path, capsys):
    path, home = str(tmp_path / "small.tar.gz"), str(tmp_path / "home")
    assert main(["bundle", "create", path, "--checkpoints", f"{MODEL}={SMALL}"]) == 0
    shown = capsys.readouterr().out
    assert MODEL in shown and "2.3 MB" in shown
    digest = shown.split()[-1]
    assert main(["bundle", "verify", path, "--sha256", digest]) == 0
    assert main(["bundle", "install", path, "--cache_dir", home, "--sha256", digest]) == 0
    loaded = AutoModel.from_pretrained(MODEL, cache_dir=tmp_path / "home" / "hub", local_files_only=True)
    assert all(bool(torch.isfinite(value).all()) for value in loaded.parameters())
    Path(path).write_bytes(Path(path).read_bytes()[:-100])
    assert main(["bundle", "verify", path]) == 2
    assert "motionhub: " in capsys.readouterr().err.splitlines()[-1]


def test_push_from_the_command_line(hub, tmp_path, capsys):
    assert main(["push", str(SMALL), MODEL]) == 0
    assert "pushed: http://127.0.0.1" in capsys.readouterr().out
    assert main(["push", str(tmp_path), MODEL]) == 2
    assert capsys.readouterr().err.count("\n") == 1
