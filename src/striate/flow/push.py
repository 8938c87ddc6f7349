"""``striate push``: a run on the hub, in one commit, so that nothing of it is there half-written.

``huggingface_hub`` speaks with the hub.  What the hub answers is said in one line.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from striate.errors import InputError, OutputError, choices
from striate.flow.confidence import confidence_of
from striate.flow.hub_run import hub_name
from striate.flow.load import load
from striate.flow.push_files import CARD, OURS, push_files
from striate.records.push import Pushed

IMAGES = ("none", "embed")
_CLIENTS = (("requests", "RequestException"), ("httpx", "HTTPError"), ("httpx2", "HTTPError"))


@dataclass(frozen=True, kw_only=True)
class PushOptions:
    """``private``: a new repository is.  ``images``: whether what shows images may go along.

    ``dry_run``: say what would go, and ask the hub nothing.  ``message``: of the commit.
    """

    private: bool = False
    images: Literal["none", "embed"] | str = "none"
    dry_run: bool = False
    message: str = "A run of striate"


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What will go, before the hub is asked.  ``said``: what a person should know."""

    pushed: Pushed
    said: tuple[str, ...]


def push(run: Path | str, to: str, options: PushOptions = PushOptions()) -> Pushed:
    """Put the finished run on the hub as ``hub:user/name``; one commit, or nothing.

    >>> striate.push("runs/photos", "hub:me/photos").url  # doctest: +SKIP
    'https://huggingface.co/me/photos/commit/…'
    """
    for event in push_events(run, to, options):
        if isinstance(event, Pushed):
            return event
    raise AssertionError("push_events ends with Pushed")


def push_events(
    run: Path | str, to: str, options: PushOptions = PushOptions()
) -> Iterator[Ready | Pushed]:
    """The job, event by event.

    InputError for a name, a token or a repository that will not do; OutputError where the hub does
    not answer, or says no.
    """
    repo = hub_name(to)
    if options.images not in IMAGES:
        raise InputError(
            f"--images {options.images}: no such choice; {choices(options.images, IMAGES)}"
        )
    loaded = load(run)
    measured = confidence_of(loaded)
    files = push_files(loaded, measured.confidence, repo=repo, images=options.images)
    sizes = tuple((name, len(content)) for name, content in files.items())
    planned = Pushed(run=str(run), repo=repo, private=options.private, files=sizes)
    yield Ready(pushed=planned, said=(*loaded.notices, *measured.said))
    if options.dry_run:
        yield planned
        return
    yield _committed(planned, files, options)


def _committed(planned: Pushed, files: dict[str, bytes], options: PushOptions) -> Pushed:
    hub, repo = _library(), planned.repo
    if hub.get_token() is None:
        raise InputError(
            f"hub:{repo}: the hub takes nothing without a token; set HF_TOKEN to one that may "
            "write, or run hf auth login"
        )
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    with _said(repo):
        found = _repository(hub, api, repo)
        there = () if found is None else tuple(one.rfilename for one in found.siblings or ())
        _refuse_taken(repo, found, there, private=options.private)
        removed = tuple(sorted(name for name in there if _left_over(name, files)))
        if found is None:
            api.create_repo(repo, private=options.private, exist_ok=True)
        operations: list[Any] = [
            hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
            for name, content in files.items()
        ]
        operations += [hub.CommitOperationDelete(path_in_repo=name) for name in removed]
        done = api.create_commit(
            repo,
            operations,
            commit_message=options.message,
            parent_commit=None if found is None else found.sha,
        )
    return Pushed(
        run=planned.run,
        repo=repo,
        private=options.private if found is None else bool(found.private),
        files=planned.files,
        removed=removed,
        url=str(done.commit_url),
    )


def _library() -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise InputError(
            "push: huggingface_hub is not installed; run pip install 'striate[hub]'"
        ) from error


def _repository(hub: Any, api: Any, repo: str) -> Any:
    """What the hub says of the repository; None where there is none that the token may see."""
    try:
        return api.model_info(repo)
    except hub.errors.RepositoryNotFoundError as error:
        if _status(error) == 401:
            raise
        return None


def _refuse_taken(repo: str, found: Any, there: tuple[str, ...], *, private: bool) -> None:
    """InputError where the repository is another's model, or public where it should not be."""
    if found is None:
        return
    others = [name for name in there if name not in (CARD, ".gitattributes")]
    if others and not all(name in there for name in OURS):
        raise InputError(
            f"hub:{repo}: holds something that striate did not push ({', '.join(others[:3])}); "
            "choose another name"
        )
    if private and not found.private:
        raise InputError(
            f"hub:{repo}: exists and is public, which --private would not change; make it private "
            "in its settings, or choose another name"
        )


def _left_over(name: str, files: dict[str, bytes]) -> bool:
    """Whether a file of an earlier push says something that is no longer so."""
    return name not in files and (name.startswith("onnx/") or name == "report.html")


@contextmanager
def _said(repo: str) -> Generator[None]:
    """One line for whatever the hub, or the way to it, has to say."""
    from huggingface_hub import errors

    network: list[type[BaseException]] = [OSError, ValueError, RuntimeError]
    for client, name in _CLIENTS:
        if client in sys.modules:
            network.append(getattr(sys.modules[client], name))
    try:
        yield
    except errors.HfHubHTTPError as error:
        raise _answered(repo, error) from error
    except tuple(network) as found:
        error = _first_cause(found)  # an upload that fails is told as a RuntimeError
        if isinstance(error, errors.HfHubHTTPError):
            raise _answered(repo, error) from error
        said = " ".join(str(error).split())[:200].rstrip(".")
        raise OutputError(
            f"hub:{repo}: the hub cannot be reached ({type(error).__name__}: {said}); no file was "
            "written; push again when there is a network"
        ) from error


def _first_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None and not hasattr(error, "response"):
        error = error.__cause__
    return error


def _status(error: Any) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _answered(repo: str, error: Any) -> InputError:
    """What an HTTP status means here."""
    status = _status(error)
    user = repo.partition("/")[0]
    known = {
        401: "the hub does not accept the token; set HF_TOKEN to a valid one, or hf auth login",
        403: f"the token may not write to {user}; use one with write access, or another name",
        404: f"the hub has no {user}, or shows it to nobody with this token; check the name",
        409: "somebody else is pushing there; push again",
        412: "somebody else pushed meanwhile; push again",
        413: "the hub finds the files too large; leave the report out, or ask for more room",
        429: "the hub asks to wait; push again in some minutes",
    }
    if status in known:
        return OutputError(f"hub:{repo}: {known[status]} (HTTP {status}); no file was written")
    if status >= 500:
        return OutputError(
            f"hub:{repo}: the hub is out of order (HTTP {status}); no file was written; push again "
            "later"
        )
    said = " ".join(str(getattr(error, "server_message", None) or error).split())[:200]
    return OutputError(f"hub:{repo}: the hub refused: {said} (HTTP {status}); no file was written")
