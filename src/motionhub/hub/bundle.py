"""Checkpoints and datasets as one file, for machines without a network; there, repository ids load as if downloaded.

`create_bundle` packs, `verify_bundle` compares every byte with the manifest, `install_bundle` does that and then fills
the Hugging Face cache. The manifest's digest inside the file tells damage; against somebody who changes a file and
makes a new manifest, compare the digest that `create_bundle` returned (`sha256`). It does not know the archive's bytes
(`archive.py`), the manifest's rules (`manifest.py`) nor the cache's layout (`cache.py`).
"""

import errno
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from motionhub.hub.archive import SUFFIXES, read_archive, read_manifest, write_archive
from motionhub.hub.cache import (
    CacheFolders,
    cache_folders,
    describe_file,
    find_snapshot,
    place_repository,
    place_rows,
    prepare_rows,
    stage_repository,
    take_back,
)
from motionhub.hub.manifest import BundledRepository, Manifest, is_inside, read_manifest_bytes
from motionhub.hub.push import check_dataset_card, is_closed, stage_checkpoint


PACKAGES = ("motionhub", "transformers", "huggingface_hub", "datasets", "torch")
_PREFIX = ".motionhub-install-"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read whole: its manifest and the manifest's SHA-256."""

    manifest: Manifest
    sha256: str


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
        include_closed: also pack datasets whose terms leave handing them out to their authors, with a warning for
            each: for taking them to another machine of the institution that has them.

    Raises:
        ValueError: a repository is not there, is not complete, says no licence, or may not be passed on; `out` exists.
    """
    out = Path(out)
    if not out.name.endswith(SUFFIXES):
        raise ValueError(f"{out}: the name of a bundle ends in one of {list(SUFFIXES)}.")
    if out.exists():
        raise ValueError(f"{out} exists and is not overwritten; remove it or give another name.")
    wanted = [("model", each) for each in checkpoints] + [("dataset", each) for each in datasets]
    if not wanted:
        raise ValueError("A bundle needs at least one checkpoint or dataset.")
    cache = cache_folders(cache_dir)
    with ExitStack() as stack:
        repositories, files = [], {}
        for kind, each in wanted:
            staged = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="motionhub-bundle-")))
            repository, found = _collect(kind, each, cache, staged, include_closed)
            repositories.append(repository)
            files.update(found)
        repositories.sort(key=lambda repository: (repository.kind, repository.id))
        versions = {name: importlib.metadata.version(name) for name in PACKAGES}
        content = Manifest(tuple(repositories), versions).to_bytes()
        manifest = read_manifest_bytes(content)  # what could not be read is not written
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = out.with_name(f".partial-{out.name}")
        try:
            digest = write_archive(partial, content, files)
            os.replace(partial, out)
        finally:
            partial.unlink(missing_ok=True)
    return Bundle(manifest, digest)


def verify_bundle(path: str | Path, *, sha256: str | None = None) -> Bundle:
    """Reads the whole archive and writes nothing.

    Args:
        path: the archive.
        sha256: the digest that `create_bundle` returned, if it came by another way than the archive.

    Raises:
        ValueError: anything in it is not what the manifest says, or the manifest is not the one with that digest.
    """
    path = Path(path)
    bundle = _read_checked(path, sha256)
    sizes, as_git = bundle.manifest.sizes, {}

    def note(name: str, parts: Iterator[bytes]) -> None:
        as_git[name] = _git_hash(sizes[name], parts)

    read_archive(path, sizes, note)
    for repository in bundle.manifest.repositories:
        for file in repository.files:  # a later download from the Hub would trust a blob by its name
            if file.blob not in (file.sha256, as_git[file.sha256]):
                raise ValueError(f"{path}: refused, {file.path} of {repository.id} is not the blob {file.blob}.")
    return bundle


def install_bundle(path: str | Path, *, cache_dir: str | Path | None = None, sha256: str | None = None) -> Bundle:
    """Verifies, then adds everything to the cache; afterwards the ids load with HF_HUB_OFFLINE=1.

    Nothing is written before the whole archive was verified. Every repository appears complete or not at all; an
    error takes those back that were added before it. Repositories of the same name keep their other revisions.

    Args:
        path: the archive.
        cache_dir: folder of the cache (what HF_HOME names there); None: the one in use.
        sha256: as in `verify_bundle`.

    Raises:
        ValueError: as `verify_bundle`; the dataset files cannot be read; or the disk is too small.
        OSError: the cache cannot be written.
    """
    path, cache = Path(path), cache_folders(cache_dir)
    sizes = _read_checked(path, sha256).manifest.sizes
    bundle = verify_bundle(path, sha256=sha256)
    if bundle.manifest.sizes != sizes:
        raise ValueError(f"{path}: refused, it changes while it is read.")
    rows = sum(f.size for each in bundle.manifest.repositories if each.kind == "dataset" for f in each.files)
    with _staging(cache.hub, sum(sizes.values())) as staged, _staging(cache.datasets, 3 * rows) as rows_staged:
        contents = staged / "contents"
        contents.mkdir()
        read_archive(path, sizes, lambda name, parts: _store(contents / name, parts))
        _place(bundle.manifest, cache, staged, rows_staged)
    return bundle


def _place(manifest: Manifest, cache: CacheFolders, staged: Path, rows_staged: Path) -> None:
    """All conversions first, so that only renames are left to fail."""
    ready = []
    for number, repository in enumerate(manifest.repositories):
        folder = stage_repository(staged / "repositories", staged / "contents", repository)
        rows = {}
        if repository.kind == "dataset":
            here = rows_staged / str(number)
            here.mkdir()
            rows = _converted(here, folder / "snapshots" / repository.revision, repository)
        ready.append((repository, folder, rows))
    added: list[Path] = []
    try:
        for repository, folder, rows in ready:
            place_rows(rows, cache.datasets, added)
            place_repository(folder, cache.hub, repository, added)
    except BaseException:  # Ctrl-C too
        take_back(added, cache)
        raise


def _converted(here: Path, snapshot: Path, repository: BundledRepository) -> dict[str, Path]:
    import datasets

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        return prepare_rows(here, snapshot, repository)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise ValueError(f"{repository.id}: its files are no dataset ({' '.join(str(error).split())}).") from None
    except (ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"{repository.id}: its files are no dataset ({' '.join(str(error).split())}).") from None
    finally:
        if not shown:
            datasets.enable_progress_bars()


def _read_checked(path: Path, sha256: str | None) -> Bundle:
    content = read_manifest(path)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and sha256.lower() != digest:
        raise ValueError(f"{path}: refused, its manifest has the digest {digest}, expected {sha256}.")
    try:
        return Bundle(read_manifest_bytes(content), digest)
    except ValueError as error:
        raise ValueError(f"{path}: refused. {error}") from None


def _store(path: Path, parts: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        for part in parts:
            file.write(part)


def _git_hash(size: int, parts: Iterator[bytes]) -> str:
    digest = hashlib.sha1(b"blob %d\0" % size)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


@contextmanager
def _staging(folder: Path, size: int) -> Iterator[Path]:
    """A private folder on the same disk; also removes what a killed install left, and folders made for nothing."""
    existing = next(each for each in (folder, *folder.parents) if each.is_dir())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise ValueError(f"{folder} needs {size} bytes, its disk has {free} free; make room or give another cache.")
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    staged = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder))
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        for each in made:
            if each.is_dir() and not any(each.iterdir()):
                each.rmdir()


def _collect(
    kind: str, wanted: str, cache: CacheFolders, staged: Path, include_closed: bool
) -> tuple[BundledRepository, dict[str, Path]]:
    """A repository as it will stand in the manifest, and where its contents are now."""
    name, given, folder = wanted.partition("=")
    repo_id, _, revision = name.partition("@")
    if given and revision:
        raise ValueError(f"{wanted}: a local folder has no revision; give owner/name=FOLDER.")
    if repo_id.count("/") != 1:
        raise ValueError(f"Expected owner/name, owner/name@revision or owner/name=FOLDER, got {wanted!r}.")
    if not given:
        revision, root = find_snapshot(cache, repo_id, kind, revision or "main")
    else:
        root = _local(kind, Path(folder), repo_id, staged)
    if kind == "dataset" and is_closed(root):
        _check_closed(repo_id, include_closed)
    paths = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    wrong = [path for path in paths if not is_inside(path)]
    if wrong:
        raise ValueError(f"{root}: the names {wrong[:3]} cannot be packed; rename these files.")
    files = tuple(describe_file(paths[path], path) for path in sorted(paths))
    licence = _licence(root, kind, repo_id)
    if given:  # what git would call a commit does not exist: the contents name it
        revision = hashlib.sha1("".join(f"{file.path} {file.sha256}\n" for file in files).encode()).hexdigest()
    repository = BundledRepository(repo_id, kind, revision, _ref_of(name, given), licence, files)
    return repository, {file.sha256: paths[file.path] for file in files}


def _check_closed(repo_id: str, included: bool) -> None:
    terms = f"{repo_id}: the terms of these clips leave handing them out to their authors (see its card)"
    if not included:
        raise ValueError(
            f"{terms}; not packed. To take them to another machine of your own institution: --include_closed "
            "(include_closed=True); to give others the way to make them, push the folder recipe."
        )
    warnings.warn(f"{terms}; this bundle must not leave your institution.", stacklevel=4)


def _ref_of(name: str, given: str) -> str:
    """A branch or tag keeps its name; what was asked for by commit becomes "main", or nothing would ask for it."""
    revision = name.partition("@")[2]
    return "main" if given or not revision or len(revision) == 40 else revision


def _local(kind: str, folder: Path, repo_id: str, staged: Path) -> Path:
    if kind == "model":
        stage_checkpoint(folder, staged, repo_id)
        return staged
    check_dataset_card(folder)
    names = [path for path in folder.rglob("*") if path.is_file()]
    for path in names:
        relative = path.relative_to(folder)
        if not any(part.startswith(".") for part in relative.parts):
            (staged / relative).parent.mkdir(parents=True, exist_ok=True)
            (staged / relative).symlink_to(path.resolve())
    return staged


def _licence(root: Path, kind: str, repo_id: str) -> str:
    from huggingface_hub import DatasetCard, ModelCard

    path = root / "README.md"
    if not path.is_file():
        raise ValueError(f"{repo_id} has no card (README.md) and so no licence; `hf download {repo_id}` fetches all.")
    data = (ModelCard if kind == "model" else DatasetCard).load(path).data.to_dict()
    licence = data.get("license_name") or data.get("license")
    if not licence:
        raise ValueError(f"The card of {repo_id} names no licence; it is not passed on without one.")
    return str(licence)
