"""One worker of a sweep: a process that takes trainings from the study until none is left.

``python -m striate.flow.sweep_worker ORDERS`` is started by ``striate sweep``; it ends with 0 when
every training has ended, and with 130 when it was asked to stop, having saved its state.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from striate.arch import from_dict
from striate.data import DataOptions, Dataset, open_data
from striate.errors import Diverged, InputError, Interrupted, RunError, StorageError, StriateError
from striate.flow.sweep_entries import Entry
from striate.flow.sweep_jobs import STORAGE, Orders, Work, read_orders
from striate.flow.sweep_prune import Rival, hopeless
from striate.flow.sweep_study import Study
from striate.flow.trials import Source, Trial, TrialEvent, trial_events
from striate.records import EpochRecord
from striate.runs import RunPaths
from striate.runs.lock import Lock
from striate.training import from_dict as recipe_from_dict

SAFE = 0.8
"""Share of the lease after which a worker that could not renew it stops of itself: before others
may take what it has."""

KEPT_DATA = 3


class Lease:
    """Signs of life, while a training runs.  ``lost`` once it is this worker's no longer."""

    def __init__(self, study: Study, entry: Entry) -> None:
        self._study, self._entry = study, entry
        self._last = time.monotonic()
        self._taken = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    @property
    def lost(self) -> bool:
        """Whether others have it, or may have it by now."""
        return self._taken or time.monotonic() - self._last > SAFE * self._study.lease

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        while not self._ended.wait(max(0.5, self._study.lease / 8)):
            try:
                alive = self._study.beat(self._entry)
            except (StorageInternalError, SQLAlchemyError):
                continue  # tried again; ``lost`` tells when it has been too long
            if alive:
                self._last = time.monotonic()
            else:
                self._taken = True
                return


class Worker:
    """The loop, and what it keeps from one training to the next."""

    def __init__(self, orders: Orders, url: str) -> None:
        self._orders = orders
        self._study = Study(url, orders.study, lease=orders.lease, places=orders.out / "workers")
        self._works = {work.job.key: work for work in orders.works}
        self._jobs = [work.job for work in orders.works]
        self._data: dict[tuple[int, int, int], Dataset] = {}
        self._parent = os.getppid()

    def run(self) -> None:
        """Take one training after another; ``Interrupted`` where it is asked to stop."""
        self._study.hold()
        try:
            while True:
                self._study.settle(self._jobs)
                entry = self._study.take(tuple(self._works))
                if entry is not None:
                    self._train(entry)
                elif self._all_ended():
                    return
                else:
                    time.sleep(min(2.0, self._orders.lease / 8))
                if os.getppid() != self._parent:
                    raise Interrupted("the command that started this worker is gone")
        finally:
            self._study.close()

    def _all_ended(self) -> bool:
        latest = {entry.key: entry.state for entry in self._study.entries()}
        return all(latest.get(key) in ("finished", "stopped", "failed") for key in self._works)

    def _train(self, entry: Entry) -> None:
        work = self._works[entry.key]
        with Lease(self._study, entry) as lease:
            try:
                self._follow(work, entry, lease)
            except (Interrupted, KeyboardInterrupt):
                self._study.end(entry, "lost")
                raise Interrupted("asked to stop; the state is saved") from None
            except StorageError:
                raise
            except (Diverged, InputError) as error:
                self._study.end(entry, "failed", why=str(error))

    def _follow(self, work: Work, entry: Entry, lease: Lease) -> None:
        """Train it to its end, unless it is hopeless, or taken away."""
        arch = from_dict(work.arch)
        recipe = recipe_from_dict(work.recipe)
        if not _free(RunPaths(work.folder).lock, seconds=self._orders.lease):
            # A worker that lost its lease, and does not know yet, still writes there.
            self._study.end(entry, "lost")
            return
        dataset = self._opened(arch.image)
        opening = replace(self._orders.opening, image=arch.image)
        source = Source(spec=self._orders.spec, options=opening)
        events = trial_events(arch, dataset, recipe, work.folder, source=source)
        with closing(events):
            self._each(events, work, entry, lease, dataset)

    def _each(
        self,
        events: Generator[TrialEvent],
        work: Work,
        entry: Entry,
        lease: Lease,
        dataset: Dataset,
    ) -> None:
        known: dict[int, float] = {}
        for event in events:
            if isinstance(event, Trial):
                judged = event.judged
                self._study.end(entry, "finished", accuracy=judged, facts=_facts(event))
                return
            if lease.lost:
                return
            if os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGTERM)  # heard by the training, which saves first
            if isinstance(event, EpochRecord) and event.val_accuracy is not None:
                known[event.epoch] = event.val_accuracy
                self._study.report(entry, event.epoch, event.val_accuracy)
                if self._orders.prune:
                    why = hopeless(
                        known,
                        costs=work.costs,
                        epochs=event.epochs,
                        images=len(dataset.val),
                        rivals=self._rivals(work),
                    )
                    if why is not None:
                        self._study.end(entry, "stopped", facts=_place(work.folder), why=why)
                        return

    def _rivals(self, own: Work) -> Sequence[Rival]:
        """The other designs, with what is known of each seed's curve."""
        curves: dict[str, dict[int, float]] = {}
        for entry in self._study.entries():
            curves.setdefault(entry.key, {}).update(entry.curve)
        found: dict[str, list[Work]] = {}
        for work in self._orders.works:
            if work.design != own.design:
                found.setdefault(work.design, []).append(work)
        return [
            Rival(
                name=design,
                costs=works[0].costs,
                curves=[curves[work.job.key] for work in works if work.job.key in curves],
            )
            for design, works in found.items()
        ]

    def _opened(self, image: tuple[int, int, int]) -> Dataset:
        """The data at this size, kept for the next training that wants it."""
        if image not in self._data:
            while len(self._data) >= KEPT_DATA:
                del self._data[next(iter(self._data))]
            options: DataOptions = replace(self._orders.opening, image=image)
            self._data[image] = open_data(self._orders.spec, options)
        return self._data[image]


def _free(place: Path, *, seconds: float) -> bool:
    """Whether nobody holds the lock at ``place``, or lets it go within ``seconds``."""
    deadline = time.monotonic() + seconds
    while place.exists():
        try:
            Lock(place).release()
            return True
        except RunError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
    return True


def _place(folder: Path) -> dict[str, Any]:
    return {"run": str(folder), "host": socket.gethostname()}


def _facts(trial: Trial) -> dict[str, Any]:
    return {
        **_place(trial.folder),
        "val_accuracy": trial.val_accuracy,
        "accuracy": trial.accuracy,
        "loss": trial.loss if math.isfinite(trial.loss) else None,
        "ece": trial.ece,
        "seconds": trial.run.seconds,
        "images_per_second": trial.run.images_per_second,
        "setting": trial.run.setting,
        "epochs": trial.run.epochs,
        "steps": trial.steps,
        "from_step": trial.from_step,
        "curve": list(trial.curve),
    }


def main(arguments: Sequence[str]) -> int:
    """Work by the orders in the file ``arguments[0]``; the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        Worker(read_orders(Path(arguments[0])), os.environ[STORAGE]).run()
    except (KeyboardInterrupt, Interrupted):
        return Interrupted.exit_code
    except StriateError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
