"""Whether the Hub can be asked, before libraries try for a minute; and the local folder that a wrong id may mean."""

import os
import socket
import threading
import urllib.parse
import urllib.request
from difflib import get_close_matches
from pathlib import Path

from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from motionhub.hub.packaged import similar_ids


# Seconds; a network that loses packets answers nothing at all.
TIMEOUT = 5.0
_LOOK = 10_000


def check_reachable(repo_id: str, kind: str = "model") -> None:
    """Raises a one-line ValueError when a Hub id is neither in the cache nor can be asked for.

    Args:
        repo_id: `owner/name`.
        kind: "model" or "dataset".
    """
    near = similar_folder(repo_id)
    if near is not None:
        raise ValueError(f"{repo_id}: no such folder; did you mean {near}?")
    if constants.HF_HUB_OFFLINE or _in_cache(repo_id, kind):
        return
    reason = why_unreachable(constants.ENDPOINT)
    if reason:
        similar = similar_ids(repo_id) if kind == "model" else []
        meant = f"; did you mean {' or '.join(similar)}?" if similar else ""
        raise ValueError(
            f"{repo_id}: no such folder, not in the cache ({constants.HF_HUB_CACHE}), and the Hub is unreachable "
            f"({constants.ENDPOINT}: {reason}); give a folder, or bring it here with motionhub bundle{meant or '.'}"
        )


def similar_folder(source: str) -> str | None:
    """An existing folder whose path is spelled almost as `source`, which is none; None without one."""
    path = Path(source)
    parent = path.parent
    if not parent.is_dir():
        above = get_close_matches(parent.name, _folders(parent.parent), n=1, cutoff=0.8)
        if not above:
            return None
        parent = parent.with_name(above[0])
    found = get_close_matches(path.name, _folders(parent), n=1, cutoff=0.8)
    return str(parent / found[0]) if found else None


def why_unreachable(endpoint: str, timeout: float = TIMEOUT) -> str:
    """Why no connection to the server of an address (or to the proxy for it) can be made; empty where one can."""
    parts = urllib.parse.urlsplit(endpoint)
    proxy = (
        None if urllib.request.proxy_bypass(parts.hostname or "") else urllib.request.getproxies().get(parts.scheme)
    )
    server = urllib.parse.urlsplit(proxy if proxy and "//" in proxy else f"//{proxy}") if proxy else parts
    where = (server.hostname or "", server.port or {"http": 80}.get(server.scheme, 443))
    reasons: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(where, timeout=timeout).close()
            reasons.append("")
        except OSError as error:
            reasons.append(error.strerror or str(error))

    # A resolver has no time limit of its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    return reasons[0] if reasons else f"no answer in {timeout:g} s"


def _folders(parent: Path) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return [entry.name for _, entry in zip(range(_LOOK), entries, strict=False) if entry.is_dir()]
    except OSError:
        return []


def _in_cache(repo_id: str, kind: str) -> bool:
    """Whether anything of a repository has been downloaded, or installed from a bundle."""
    if (Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type=kind)).is_dir():
        return True
    if kind == "model":
        return False
    import datasets.config

    owner, _, name = repo_id.partition("/")
    cache = Path(datasets.config.HF_DATASETS_CACHE)
    return cache.is_dir() and any(cache.glob(f"{owner}___*")) and bool(name)
