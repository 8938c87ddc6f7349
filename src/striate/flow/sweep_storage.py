"""Where a sweep's study lies: SQLite in its own folder, or a PostgreSQL server that is shared.

One gate for each study: whoever adds, takes or ends a training goes through it, so that no two
workers can do it at once.  It is a lock of the operating system beside an SQLite file and an
advisory lock of the server in PostgreSQL; both are let go when their holder dies.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from striate.errors import InputError, RunError, StorageError
from striate.runs.lock import Lock

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

Gate = Callable[[], AbstractContextManager[None]]
Close = Callable[[], None]
T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a storage that had answered before may fail to."""

CONNECT_SECONDS = 10
"""How long a server may take to answer for the first time."""


def open_storage(url: str, study: str, *, lease: int) -> tuple[RDBStorage, Gate, Close]:
    """The storage at ``url``, its tables made, the gate of ``study``, and what closes both.

    ``lease``: seconds without a sign of life after which a worker counts as dead.  InputError in
    one line where it does not answer, or is of a kind that is not used.
    """
    if importlib.util.find_spec("optuna") is None:
        raise InputError("striate sweep keeps its study with Optuna: pip install 'striate[scale]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url.startswith("sqlite:///") and url != "sqlite:///:memory:":
        path = Path(url.removeprefix("sqlite:///")).absolute()
        gate = _file_gate(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"connect_args": {"timeout": PATIENCE_SECONDS}}
        storage = _opened(f"sqlite:///{path}", settings, gate, url, lease)
        return storage, gate, storage.engine.dispose
    if url.split("://", maxsplit=1)[0] in ("postgresql", "postgres", "postgresql+psycopg"):
        return _postgresql(url, study, lease)
    raise InputError(
        f"--storage {hidden(url)}: is neither postgresql://USER@HOST/DATABASE nor "
        "sqlite:///FILE; use one of the two"
    )


def hidden(url: str) -> str:
    """``url`` without its password."""
    head, at, tail = url.rpartition("@")
    scheme, slashes, who = head.partition("://")
    return f"{scheme}{slashes}{who.split(':')[0]}{at}{tail}" if at else url


def _postgresql(url: str, study: str, lease: int) -> tuple[RDBStorage, Gate, Close]:
    if importlib.util.find_spec("psycopg") is None:
        raise InputError(
            f"--storage {hidden(url)}: PostgreSQL needs psycopg: pip install 'striate[scale]'"
        )
    import sqlalchemy
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    settings: dict[str, Any] = {
        "pool_pre_ping": True,
        "connect_args": {"connect_timeout": CONNECT_SECONDS, "options": "-c timezone=UTC"},
    }
    full = "postgresql+psycopg://" + url.split("://", 1)[1]
    key = int.from_bytes(hashlib.blake2b(study.encode(), digest_size=8).digest(), signed=True)
    try:
        engine = sqlalchemy.create_engine(full, **settings)
        with engine.connect():
            pass
    except (SQLAlchemyError, ArgumentError, ValueError) as error:
        raise unanswered(url, error) from error

    @contextmanager
    def gate() -> Generator[None]:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("SET LOCAL lock_timeout = '60s'"))
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:k)"), {"k": key})
            yield

    try:
        storage = _opened(full, settings, gate, url, lease)
    except StorageError:
        engine.dispose()
        raise

    def close() -> None:
        storage.engine.dispose()
        engine.dispose()

    return storage, gate, close


def _opened(full: str, settings: dict[str, Any], gate: Gate, url: str, lease: int) -> RDBStorage:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with gate(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats, since 2021
            return RDBStorage(
                full.replace("{", "{{").replace("}", "}}"),  # Optuna formats its URLs
                engine_kwargs=settings,
                heartbeat_interval=max(1, lease // 4),
                grace_period=lease,
            )
    except (SQLAlchemyError, RuntimeError) as error:
        raise unanswered(url, error) from error


def unanswered(url: str, error: BaseException) -> StorageError:
    """One line that says which storage does not answer, and why."""
    said = " ".join(str(error.__cause__ or getattr(error, "orig", None) or error).split())
    mend = (
        "name another folder with --out"
        if url.startswith("sqlite")
        else "start the server, or mend the address (postgresql://USER@HOST:PORT/DATABASE)"
    )
    return StorageError(f"--storage {hidden(url)}: does not answer ({said[:300]}); {mend}")


def _file_gate(database: Path) -> Gate:
    place = database.with_name(f".{database.name}.lock")

    @contextmanager
    def gate() -> Generator[None]:
        place.parent.mkdir(parents=True, exist_ok=True)
        # The system's lock tells processes apart, and not the threads of one.
        with _threads.setdefault(place, threading.Lock()):
            lock = _awaited(place)
            try:
                yield
            finally:
                lock.release()

    return gate


_threads: dict[Path, threading.Lock] = {}


def _awaited(place: Path) -> Lock:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return Lock(place)
        except RunError:
            if time.monotonic() > deadline:
                raise StorageError(
                    f"{place}: another process has held this lock for {PATIENCE_SECONDS:.0f} "
                    "seconds; end it"
                ) from None
            time.sleep(0.02)


def patient(act: Callable[[], T], url: str, *, seconds: float = PATIENCE_SECONDS) -> T:
    """``act()``, tried again for a while where the storage fails: a server may be started anew.

    ``act`` must do the same again, from what it finds then.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    deadline, pause = time.monotonic() + seconds, 0.25
    while True:
        try:
            return act()
        except (StorageInternalError, SQLAlchemyError) as error:
            if time.monotonic() + pause > deadline:
                raise unanswered(url, error) from error
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
