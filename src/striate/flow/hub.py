"""A file from the hub: fetched, cached, and never another than the one that was fetched first.

``huggingface_hub`` fetches and caches.  What the hub says the file is (the SHA-256 that its storage
keeps large files by) is compared with what arrived; commit and digest are then kept as a lock
beside the cache, and a later fetch has to give the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import inspect
import io
import json
import os
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from striate.caches import cache_folder
from striate.errors import InputError, OutputError

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""

_TIMEOUT = 10.0  # seconds for the hub to begin to answer

_CLIENTS = (("requests", "RequestException"), ("httpx", "HTTPError"), ("httpx2", "HTTPError"))
"""What huggingface_hub asks by, which depends on its version, and the root of its errors."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file of a repository.

    ``revision``: the commit.  ``sha256``: of the file's content, verified.  ``offline``: the hub
    could not be asked, and a file that was in its cache is taken.
    """

    path: Path
    repo: str
    revision: str
    sha256: str
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class _Lock:
    repo: str
    file: str
    revision: str
    sha256: str


def fetch(
    repo: str,
    file: str,
    *,
    revision: str = "main",
    progress: Progress | None = None,
    asked: str = "--pretrained",
) -> Fetched:
    """``file`` of ``repo``, verified; from the cache where it is there.

    ``asked``: what the user wrote, with which messages begin.
    InputError where huggingface_hub is not installed, the hub cannot be reached or has no such
    file, or a digest is another than the one that is known: both are named.
    """
    hub = _library(repo, file, asked)
    kept = _kept(repo, file)
    place: dict[str, Any] = {"repo_id": repo, "filename": file}
    if kept is not None:
        path = _cached(hub, place, kept.revision) or _download(
            hub, place, kept.revision, progress, asked
        )
        _same(path, kept.sha256, f"{_lock_path(repo, file)} has")
        return Fetched(path=path, repo=repo, revision=kept.revision, sha256=kept.sha256)
    try:
        with _said(repo, file, asked):
            url = hub.hf_hub_url(**place, revision=revision, endpoint=_endpoint())
            found = hub.get_hf_file_metadata(url, timeout=_TIMEOUT)
    except _UnreachableError as error:
        path = _cached(hub, place, revision)
        stated = None if path is None else path.resolve().name  # the cache's files have that name
        if path is None or stated is None or not _is_digest(stated):
            raise InputError(_mend(error, repo, file, revision, asked)) from error
        _same(path, stated, "its name in the cache says")
        commit = path.parent.name
        return Fetched(path=path, repo=repo, revision=commit, sha256=stated, offline=True)
    commit, stated = str(found.commit_hash or revision), str(found.etag or "")
    path = _download(hub, place, commit, progress, asked)
    digest = stated if _is_digest(stated) else _sha256(path)  # small files have no such digest
    _same(path, digest, "the hub states")
    _keep(_Lock(repo=repo, file=file, revision=commit, sha256=digest))
    return Fetched(path=path, repo=repo, revision=commit, sha256=digest)


def _library(repo: str, file: str, asked: str) -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise InputError(
            f"{asked}: huggingface_hub is not installed; run pip install 'striate[hub]', or "
            f"fetch {_url(repo, file)} yourself and give the file by --weights"
        ) from error


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _cache() -> str | None:
    return os.environ.get("HF_HUB_CACHE") or None


def _url(repo: str, file: str, revision: str = "main") -> str:
    return f"https://huggingface.co/{repo}/resolve/{revision}/{file}"


def _cached(hub: Any, place: dict[str, Any], revision: str) -> Path | None:
    found = hub.try_to_load_from_cache(**place, revision=revision, cache_dir=_cache())
    return Path(found) if isinstance(found, str) else None


def _download(
    hub: Any, place: dict[str, Any], revision: str, progress: Progress | None, asked: str
) -> Path:
    repo, file = place["repo_id"], place["filename"]
    more: dict[str, Any] = {}
    if "tqdm_class" in inspect.signature(hub.hf_hub_download).parameters:
        more["tqdm_class"] = _bar(progress)
    try:
        with _said(repo, file, asked):
            return Path(
                hub.hf_hub_download(
                    **place, **more, revision=revision, endpoint=_endpoint(), cache_dir=_cache()
                )
            )
    except _UnreachableError as error:
        raise InputError(_mend(error, repo, file, revision, asked)) from error


def _bar(progress: Progress | None) -> type:
    """A progress bar of tqdm's kind that draws nothing and tells ``progress``."""
    from huggingface_hub.utils import tqdm

    class Told(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            silent = options.get("disable") is True  # None is for whatever is no terminal
            super().__init__(*args, **{**options, "file": io.StringIO(), "disable": silent})

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if progress is not None and self.total:
                progress(int(self.n), int(self.total))
            return drawn

    return Told


class MissingFileError(InputError):
    """The repository is there, and the file is not in it."""


class _UnreachableError(Exception):
    """The hub did not answer, or has another answer than the file; the reason in a few words."""


@contextmanager
def _said(repo: str, file: str, asked: str) -> Generator[None]:
    """_UnreachableError for all that a fetch may raise; InputError where the hub says no."""
    from huggingface_hub import errors

    kinds: list[type[BaseException]] = [OSError, ValueError, errors.HfHubHTTPError]
    for client, name in _CLIENTS:
        if client in sys.modules:
            kinds.append(getattr(sys.modules[client], name))
    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        what = "repository" if isinstance(error, errors.RepositoryNotFoundError) else "revision"
        raise InputError(
            f"{asked}: the hub has no such {what}, or shows it to nobody without a token: "
            f"{repo}; fetch its {file} where you may and give it by --weights FILE"
        ) from error
    except errors.EntryNotFoundError as error:
        if isinstance(error, errors.LocalEntryNotFoundError):
            raise _UnreachableError(_reason(error)) from error
        raise MissingFileError(
            f"{asked}: {repo} has no {file}; give a file by --weights FILE"
        ) from error
    except tuple(kinds) as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise OutputError(
                f"{error.filename or 'the cache'}: cannot be written ({error.strerror}); make "
                "room, or name another folder by HF_HUB_CACHE"
            ) from error
        raise _UnreachableError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """The first cause, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = re.split(r"(?<=[.!]) |\n", " ".join(str(error).split()))[0].rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _mend(error: BaseException, repo: str, file: str, revision: str, asked: str) -> str:
    return (
        f"{asked}: the hub cannot be reached ({error}), and {repo} is not in the cache; where "
        f"there is a network fetch {_url(repo, file, revision)} and give the file by --weights FILE"
    )


def _is_digest(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(path: Path, stated: str, who: str) -> None:
    found = _sha256(path)
    if found != stated:
        raise InputError(
            f"{path}: is not the file it should be: its SHA-256 is {found}, and {who} {stated}; "
            f"delete {path.resolve()} and fetch it again"
        )


def _lock_path(repo: str, file: str) -> Path:
    return cache_folder("hub") / f"{repo.replace('/', '--')}--{file}.lock.json"


def _kept(repo: str, file: str) -> _Lock | None:
    """The lock of an earlier fetch; InputError where it cannot be read."""
    path = _lock_path(repo, file)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        lock = _Lock(**plain)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: cannot be read as the lock of {repo} ({type(error).__name__}); delete it, "
            "and the digest is taken anew"
        ) from error
    if (lock.repo, lock.file) != (repo, file) or not _is_digest(lock.sha256):
        raise InputError(f"{path}: is not the lock of {repo}; delete it")
    return lock


def _keep(lock: _Lock) -> None:
    """Write the lock; where the folder cannot be written, each fetch asks the hub again."""
    from striate.runs import atomic_write

    path = _lock_path(lock.repo, lock.file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, (json.dumps(asdict(lock), indent=1) + "\n").encode())
    except (OSError, OutputError):
        return
