"""Checkpoints and datasets as one file, for machines without a network; there, repository ids load as if downloaded.

The manifest's digest inside the file reveals damage; to detect tampering, compare it with the digest that
`create_bundle` returned (`sha256`).
"""

import contextlib
import errno
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import psutil  # type: ignore[import-untyped]
from huggingface_hub import DatasetCard, ModelCard, snapshot_download
from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError
from huggingface_hub.utils.sha import git_hash

from motionhub.atomic import atomic_path, disk_named
from motionhub.hub.archive import SUFFIXES, Archive, open_archive, write_archive
from motionhub.hub.cache import cache_folders, place, stage_repository, stage_rows
from motionhub.hub.card import load_card
from motionhub.hub.push import check_dataset_card, check_links, is_closed, stage_checkpoint


FORMAT, VERSION = "motionhub-bundle", 1
PACKAGES = ("motionhub", "transformers", "huggingface_hub", "datasets", "torch")
# A file name that is valid on every system: no separator, drive or control character, no leading or trailing space.
# Windows has no files called as its devices, and drops a dot at the end; marks of direction hide what a name ends in.
_DEVICE = r"(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.[^/]*)?"
_MARKS = r"\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
_NAME = rf"(?![.]{{1,2}}(?:/|\Z))(?!{_DEVICE}(?:/|\Z))(?!\s)[^\\/:*?\"<>|\x00-\x1f{_MARKS}]{{1,255}}(?<![\s.])"
# The manifest is untrusted: every text must be one that the Hugging Face cache could hold.
_FORMS = {
    "id": r"(?!.*(?:--|\.\.))\w[\w.-]{0,95}/\w[\w.-]{0,95}",
    "kind": "model|dataset",
    "revision": "(?!0{40})[0-9a-f]{40}",
    "ref": r"(?!.*\.\.)\w[\w.-]*",
    "licence": rf"[^\x00-\x1f{_MARKS}]{{1,1000}}",
    "path": f"{_NAME}(?:/{_NAME})*",
    "sha256": "[0-9a-f]{64}",
    "blob": "[0-9a-f]{40}|[0-9a-f]{64}",
}
_PREFIX = ".motionhub-install-"


@dataclass(frozen=True)
class BundledFile:
    """A path below its repository, bytes, and the name among the cache's blobs: git's SHA-1, or the SHA-256."""

    path: str
    size: int
    sha256: str
    blob: str


@dataclass(frozen=True)
class BundledRepository:
    """A "model" or "dataset": `owner/name`, commit, the branch or tag that names it, the licence of its card."""

    id: str
    kind: str
    revision: str
    ref: str
    licence: str
    files: tuple[BundledFile, ...]


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds, and the versions of the libraries that packed it."""

    repositories: tuple[BundledRepository, ...]
    versions: dict[str, str]

    @property
    def manifest(self) -> bytes:
        """The content of `manifest.json`, in its only valid form."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()

    @property
    def sha256(self) -> str:
        """Digest of the manifest, and so of everything in the bundle."""
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def sizes(self) -> dict[str, int]:
        """SHA-256 -> bytes of every different content."""
        return {file.sha256: file.size for each in self.repositories for file in each.files}


def create_bundle(
    out: str | Path,
    checkpoints: Sequence[str] = (),
    datasets: Sequence[str] = (),
    *,
    cache_dir: str | Path | None = None,
    include_closed: bool = False,
) -> Bundle:
    """Packs repositories into `out`. Same contents, same bytes.

    Args:
        out: new file, `.tar`, `.tar.gz` or `.tar.zst`.
        checkpoints, datasets: each `owner/name` or `owner/name@revision` of the Hugging Face cache, or
            `owner/name=FOLDER`, a local folder packed as `motionhub.push` would publish it under that id.
        cache_dir: folder of the cache (what HF_HOME names); None: the one in use.
        include_closed: also pack datasets that only their authors may redistribute, with a warning for each: for
            another machine of the same institution.

    Raises:
        ValueError: a repository is absent or incomplete, states no licence, holds a link to a file elsewhere, or must
            not be redistributed; `out` exists.
        WriteError: the disk is full or read-only; nothing is left.
    """
    out = Path(out)
    if not out.name.endswith(SUFFIXES):
        raise ValueError(f"{out}: the name of a bundle ends in one of {list(SUFFIXES)}.")
    if out.exists():
        raise ValueError(f"{out} exists and is not overwritten; remove it or pass another name.")
    wanted = [("model", each) for each in checkpoints] + [("dataset", each) for each in datasets]
    if not wanted:
        raise ValueError("A bundle needs at least one checkpoint or dataset.")
    with tempfile.TemporaryDirectory(prefix="motionhub-bundle-") as staged:
        repositories, files = [], {}
        for number, (kind, each) in enumerate(wanted):
            here = Path(staged) / str(number)
            here.mkdir()
            repository, found = _collect(kind, each, cache_folders(cache_dir)[0], here, include_closed)
            repositories.append(repository)
            files.update(found)
        repositories.sort(key=lambda repository: (repository.kind, repository.id))
        bundle = Bundle(tuple(repositories), {name: importlib.metadata.version(name) for name in PACKAGES})
        with atomic_path(out, new=True) as writing:
            _check_room(out, sum(bundle.sizes.values()))
            write_archive(writing, bundle.manifest, files, out.name)
            verify_bundle(writing)  # a file may have changed while it was packed
    return bundle


def _check_room(out: Path, size: int) -> None:
    """Refuses an archive that is not compressed and larger than what is free; a compressed one may still fit."""
    free = shutil.disk_usage(out.parent).free
    if out.name.endswith(".tar") and size > free:
        raise OSError(errno.ENOSPC, f"needs {size} bytes, its disk has {free} free")


def verify_bundle(path: str | Path, *, sha256: str | None = None) -> Bundle:
    """Reads the whole archive and writes nothing.

    Args:
        path: the archive.
        sha256: the digest that `create_bundle` returned, received separately from the archive.

    Raises:
        ValueError: the content differs from the manifest, or the manifest has another digest.
    """
    with open_archive(Path(path)) as archive:
        bundle = _read_manifest(archive, sha256)
        _read_files(archive, bundle)
    return bundle


def install_bundle(path: str | Path, *, cache_dir: str | Path | None = None, sha256: str | None = None) -> Bundle:
    """Verifies, then adds everything to the cache; afterwards the ids load with HF_HUB_OFFLINE=1.

    Nothing enters the cache before the whole archive is verified and all datasets are converted. Every repository
    appears complete or not at all; after an interruption, install again. Other revisions of a repository stay.

    Args:
        path, sha256: as in `verify_bundle`.
        cache_dir: folder of the cache (what HF_HOME names); None: the one in use.

    Raises:
        ValueError: as `verify_bundle`; the dataset files cannot be read; or the disk is too small.
        OSError: the cache cannot be written.
    """
    hub, datasets = cache_folders(cache_dir)
    with open_archive(Path(path)) as archive:
        bundle = _read_manifest(archive, sha256)
        rows = sum(file.size for each in bundle.repositories if each.kind == "dataset" for file in each.files)
        with _staging(hub, sum(bundle.sizes.values())) as staged, _staging(datasets, 3 * rows) as rows_staged:
            contents = staged / "contents"
            contents.mkdir()
            _read_files(archive, bundle, contents)
            for repository in bundle.repositories:  # all conversions first, so that only renames are left to fail
                snapshot = stage_repository(staged / "repositories", contents, repository)
                if repository.kind == "dataset":
                    _convert(rows_staged / repository.id, snapshot, repository)
            for each in rows_staged.glob("*/*/rows/*/*/*/*/"):
                place(each, datasets / each.relative_to(each.parents[3]))
            for each in (staged / "repositories").iterdir():
                place(each, hub / each.name)
    return bundle


def parse_manifest(content: bytes) -> Bundle:
    """The bundle of a manifest. Raises ValueError naming the first thing that is wrong or missing."""
    try:
        facts = json.loads(content)
        if (facts["format"], facts["version"]) != (FORMAT, VERSION):
            found = f"{facts['format']!r} of version {facts['version']!r}"
            raise ValueError(f"Expected a {FORMAT} of version {VERSION}, got {found}: upgrade motionhub.")
        versions = {str(name): str(value) for name, value in facts["versions"].items()}
        bundle = Bundle(tuple(_repository(each) for each in facts["repositories"]), versions)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"The manifest lacks {error} or has it in another form.") from None
    if bundle.manifest != content:
        raise ValueError("The manifest has unexpected content or another form.")
    names = {(each.kind, each.id) for each in bundle.repositories}
    if not 0 < len(names) == len(bundle.repositories):
        raise ValueError("The manifest must list every repository once, and at least one.")
    if len(bundle.sizes) != len({(file.sha256, file.size) for each in bundle.repositories for file in each.files}):
        raise ValueError("The manifest gives one content two sizes.")
    return bundle


def _repository(facts: Any) -> BundledRepository:
    files = [BundledFile(**_valid(file)) for file in facts["files"]]
    for file in files:
        if type(file.size) is not int or file.size < 0 or (len(file.blob) == 64 and file.blob != file.sha256):
            raise ValueError(f"The manifest has an impossible size or blob for {file.path!r}.")
    paths = [file.path for file in files]
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    if not paths or paths != sorted(set(paths)) or folders & set(paths):
        raise ValueError("The files of a repository must be sorted, each once, and no file may be another's folder.")
    return BundledRepository(**{**_valid(facts), "files": tuple(files)})


def _valid(facts: Any) -> Any:
    for name in _FORMS.keys() & facts.keys():
        if not isinstance(facts[name], str) or not re.fullmatch(_FORMS[name], facts[name]):
            raise ValueError(f"The manifest has the impossible {name} {facts[name]!r}.")
    return facts


def _read_manifest(archive: Archive, sha256: str | None) -> Bundle:
    content = archive.read_manifest()
    try:
        bundle = parse_manifest(content)
    except ValueError as error:
        raise ValueError(f"{archive.path}: refused. {error}") from None
    if sha256 is not None and sha256.lower() != bundle.sha256:
        raise ValueError(f"{archive.path}: refused, its manifest has the digest {bundle.sha256}, expected {sha256}.")
    return bundle


def _read_files(archive: Archive, bundle: Bundle, into: Path | None = None) -> None:
    as_git = archive.read_files(bundle.sizes, into)
    for repository in bundle.repositories:
        for file in repository.files:  # a later download from the Hub trusts a blob by its name
            if file.blob not in (file.sha256, as_git[file.sha256]):
                raise ValueError(f"{archive.path}: refused, {repository.id}/{file.path} is not the blob {file.blob}.")


def _convert(staged: Path, snapshot: Path, repository: BundledRepository) -> None:
    staged.mkdir(parents=True)
    try:
        stage_rows(staged, snapshot, repository)
    except Exception as error:  # `datasets` raises a different type for every kind of broken file
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise ValueError(f"{repository.id}: its files are no dataset ({' '.join(str(error).split())}).") from None


@contextlib.contextmanager
def _staging(folder: Path, size: int) -> Iterator[Path]:
    """A private folder on the same disk; also removes what a killed install left, and created folders left empty."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    free = shutil.disk_usage((made[-1] if made else folder / "x").parent).free
    if size > free:
        raise ValueError(f"{folder} needs {size} bytes, its disk has {free} free; make room or pass another cache.")
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder) as staged:
            yield Path(staged)
    finally:
        with contextlib.suppress(OSError):
            for each in made:
                each.rmdir()


def _collect(
    kind: str, wanted: str, hub: Path, staged: Path, include_closed: bool
) -> tuple[BundledRepository, dict[str, Path]]:
    """A repository as the manifest describes it, and SHA-256 -> file of its contents."""
    name, given, folder = wanted.partition("=")
    repo_id, _, revision = name.partition("@")
    if given and revision:
        raise ValueError(f"{wanted}: a local folder has no revision; pass owner/name=FOLDER.")
    if repo_id.count("/") != 1:
        raise ValueError(f"Expected owner/name, owner/name@revision or owner/name=FOLDER, got {wanted!r}.")
    root = source = Path(folder) if given else _snapshot(hub, repo_id, kind, revision or "main")
    if given and kind == "model":
        with disk_named(staged):
            stage_checkpoint(source, staged, repo_id)
        root = staged
    elif given:
        check_dataset_card(source)
    if kind == "dataset" and is_closed(root):
        _check_closed(repo_id, include_closed)
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    if given and kind == "dataset":  # without what editors and version control put there
        paths = {path: place for path, place in paths.items() if not re.search(r"(^|/)\.", path)}
    if root is source:  # the links of a staged checkpoint are ours
        check_links(source, paths.values())
    if wrong := [path for path in paths if not re.fullmatch(_FORMS["path"], path)]:
        raise ValueError(f"{root}: the names {wrong[:3]} cannot be packed; rename these files.")
    files = tuple(_describe(paths[path], path) for path in sorted(paths))
    # A local folder has no commit; a hash of its contents stands for it.
    named = hashlib.sha1("".join(f"{file.path} {file.sha256}\n" for file in files).encode()).hexdigest()
    commit = named if given else root.name
    # A branch or tag keeps its name; a commit gets the ref "main", or no later request would find it.
    ref = "main" if revision in ("", commit) else revision
    repository = BundledRepository(repo_id, kind, commit, ref, _licence(root, kind, repo_id), files)
    return repository, {file.sha256: paths[file.path] for file in files}


def _snapshot(hub: Path, repo_id: str, kind: str, revision: str) -> Path:
    try:
        found = snapshot_download(repo_id, repo_type=kind, revision=revision, cache_dir=hub, local_files_only=True)
        return Path(found)
    except IncompleteSnapshotError as error:  # a partial download is packed as it is
        return Path(error.snapshot_path)
    except LocalEntryNotFoundError:
        option = "" if kind == "model" else f"--repo-type {kind} "
        raise ValueError(
            f"{repo_id}@{revision} is not in {hub}; `hf download {option}{repo_id}` puts it there, or pass the folder "
            f"that holds it: {repo_id}=FOLDER."
        ) from None


def _describe(path: Path, name: str) -> BundledFile:
    """Size and hashes of one file; a file of the cache keeps the name of its blob."""
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    blob = path.resolve().name
    known = len(blob) == 40 and blob == git_hash(path.read_bytes())
    return BundledFile(name, path.stat().st_size, sha256, blob if known else sha256)


def _check_closed(repo_id: str, included: bool) -> None:
    terms = f"{repo_id}: only their authors may redistribute these clips (see its card)"
    if not included:
        raise ValueError(
            f"{terms}; not packed. For another machine of your own institution: --include_closed "
            "(include_closed=True); to show others how to make the dataset, push its folder recipe."
        )
    warnings.warn(f"{terms}; this bundle must not leave your institution.", stacklevel=4)


def _licence(root: Path, kind: str, repo_id: str) -> str:
    path = root / "README.md"
    if not path.is_file():
        raise ValueError(f"{repo_id} has no card (README.md) and so no licence; `hf download {repo_id}` fetches all.")
    data = load_card(path, ModelCard if kind == "model" else DatasetCard).data.to_dict()
    licence = data.get("license_name") or data.get("license")
    if not licence:
        raise ValueError(f"The card of {repo_id} names no licence; it is not packed without one.")
    return str(licence)
