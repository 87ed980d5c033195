"""What a bundle says it holds: repositories, their files, licences and the versions that packed them.

It was perhaps written by somebody else, so `read` believes nothing: every name must be one that the Hugging Face cache
could hold, and no path may leave its folder. It does not know archives nor caches.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any


FORMAT, VERSION = "motionhub-bundle", 1
KINDS = ("model", "dataset")
_REPO = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")
_REVISION, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_REF = re.compile(r"\w[\w.-]*")
# A file name on any system: no separator of any of them, no drive, nothing a terminal would act on.
_NAME = re.compile(r"[^\\/:*?\"<>|\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True)
class BundledFile:
    """One file of a repository.

    Args:
        path: below the repository, with "/".
        size: bytes.
        sha256: of the content.
        blob: its name among the cache's blobs, as the Hub computes it: git's SHA-1, or SHA-256 for large files.
    """

    path: str
    size: int
    sha256: str
    blob: str


@dataclass(frozen=True)
class BundledRepository:
    """One checkpoint or dataset.

    Args:
        id: `owner/name`.
        kind: `"model"` or `"dataset"`.
        revision: the commit, 40 hexadecimal digits.
        ref: the branch or tag by which it is asked for, usually `"main"`.
        licence: as the card says.
        files: ordered by path.
    """

    id: str
    kind: str
    revision: str
    ref: str
    licence: str
    files: tuple[BundledFile, ...]


@dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`; `versions` are those of the libraries that packed it."""

    repositories: tuple[BundledRepository, ...]
    versions: dict[str, str]

    @property
    def sizes(self) -> dict[str, int]:
        """SHA-256 -> bytes of every different content."""
        return {file.sha256: file.size for each in self.repositories for file in each.files}

    def to_bytes(self) -> bytes:
        """The one way to write it."""
        content = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def read_manifest_bytes(content: bytes) -> Manifest:
    """The manifest. Raises ValueError naming the first thing that must not be there or is missing."""
    try:
        facts = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The manifest is not JSON ({error}).") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(f"The manifest is not that of a {FORMAT}.")
    if facts.get("version") != VERSION:
        raise ValueError(
            f"The bundle has version {facts.get('version')!r}, this motionhub reads {VERSION}: upgrade it."
        )
    try:
        versions = {str(name): str(value) for name, value in dict(facts["versions"]).items()}
        manifest = Manifest(tuple(_repository(each) for each in facts["repositories"]), versions)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The manifest lacks {error} or has it in another form.") from None
    if manifest.to_bytes() != content:
        raise ValueError("The manifest holds more than a manifest does, or is written in another way.")
    names = [(each.kind, each.id) for each in manifest.repositories]
    if not names or len(set(names)) != len(names):
        raise ValueError("The manifest must list every repository once, and at least one.")
    if len(manifest.sizes) != len({(file.sha256, file.size) for each in manifest.repositories for file in each.files}):
        raise ValueError("The manifest gives one content two sizes.")
    return manifest


def _repository(facts: Any) -> BundledRepository:
    files = tuple(_file(each) for each in facts["files"])
    each = BundledRepository(**{**facts, "files": files})
    valid = {
        "id": _matches(_REPO, each.id) and not {"..", "--"} & {each.id[at : at + 2] for at in range(len(each.id))},
        "kind": each.kind in KINDS,
        "revision": _matches(_REVISION, each.revision),
        "ref": _matches(_REF, each.ref) and ".." not in each.ref,
        "licence": isinstance(each.licence, str) and bool(each.licence),
    }
    wrong = [f"{name} {getattr(each, name)!r}" for name, fine in valid.items() if not fine]
    if wrong:
        raise ValueError(f"The manifest has a repository with the impossible {', '.join(wrong)}.")
    _check_tree(each.id, [file.path for file in files])
    return each


def _file(facts: Any) -> BundledFile:
    file = BundledFile(**facts)
    if not isinstance(file.path, str) or not is_inside(file.path):
        raise ValueError(f"The path {file.path!r} leads out of its folder or is no path; refused.")
    if type(file.size) is not int or file.size < 0 or not _matches(_SHA256, file.sha256):
        raise ValueError(f"The manifest has no valid size and SHA-256 for {file.path!r}.")
    if not (_matches(_REVISION, file.blob) or file.blob == file.sha256):
        raise ValueError(f"The manifest has an impossible blob {file.blob!r} for {file.path!r}.")
    return file


def is_inside(path: str) -> bool:
    """Whether a path with "/" stays in its folder, on every system."""
    parts = path.split("/")
    return all(_NAME.fullmatch(part) and part not in (".", "..") and part == part.strip() for part in parts)


def _check_tree(repo: str, paths: Iterable[str]) -> None:
    """Every path once, sorted, and no file where another needs a folder."""
    listed = list(paths)
    folders = {str(parent) for path in listed for parent in PurePosixPath(path).parents}
    if not listed or listed != sorted(set(listed)) or folders & set(listed):
        raise ValueError(f"The files of {repo} must be sorted, each once, and no file may be another's folder.")


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
