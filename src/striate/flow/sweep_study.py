"""The study that workers share: which trainings there are, who has which, what came of each.

A training is known by its key.  Optuna keeps its trials, one for each time a training is taken
up; ``settle`` sees to it that every key has exactly one that waits, runs or has ended, whatever
was killed when.  Plain records go in and out: Optuna's own stay here and in ``sweep_storage``.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from striate.errors import InputError, RunError
from striate.flow.sweep_entries import (
    MOST_DEATHS,
    Entry,
    Job,
    Settled,
    entry_of,
    hopeless_cause,
    this_machine,
)
from striate.flow.sweep_storage import hidden, open_storage, patient
from striate.runs.lock import Lock

if TYPE_CHECKING:
    import optuna


class Study:
    """One worker's view of the study.  ``places``: where workers of this folder hold a lock."""

    def __init__(self, url: str, name: str, *, lease: int, places: Path) -> None:
        """Open the study ``name``, or begin it; InputError where the storage does not answer."""
        self.url, self.name, self.lease = url, name, lease
        self._storage, self._gate, self._close = open_storage(url, name, lease=lease)
        self._places = places
        self._held: Lock | None = None
        self.me = {
            "id": f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            "machine": this_machine(),
            "pid": os.getpid(),
        }

        try:
            self._study = patient(self._begun, url)
            self._refuse_foreign()
            self._id = patient(lambda: self._storage.get_study_id_from_name(name), url)
        except BaseException:
            self.close()
            raise

    def _begun(self) -> optuna.Study:
        import optuna
        from optuna.exceptions import DuplicatedStudyError

        with self._gate():
            try:
                return optuna.create_study(
                    storage=self._storage,
                    study_name=self.name,
                    direction="maximize",
                    load_if_exists=True,
                )
            except DuplicatedStudyError:  # a name of one direction is ours
                return optuna.load_study(study_name=self.name, storage=self._storage)

    def _refuse_foreign(self) -> None:
        """InputError where the study of this name holds what no sweep put there."""
        trials = patient(lambda: self._study.get_trials(deepcopy=False), self.url)
        if any("key" not in trial.user_attrs for trial in trials):
            raise InputError(
                f"{hidden(self.url)}: the study {self.name} there was not made by striate sweep; "
                "name another with --name"
            )

    def hold(self) -> None:
        """Be known as alive to other processes of this machine, until this one ends."""
        self._places.mkdir(parents=True, exist_ok=True)
        self._held = Lock(self._places / f"{self.me['id']}.lock")

    def close(self) -> None:
        """End the connections of this thread's and all others' sessions."""
        self.let_go()
        self._storage.remove_session()
        self._close()

    def let_go(self) -> None:
        """Be known as gone."""
        if self._held is not None:
            self._held.release()
            (self._places / f"{self.me['id']}.lock").unlink(missing_ok=True)
            self._held = None

    # notes: what the whole study agrees on

    def agree(self, key: str, value: Any) -> Any:
        """The study's note ``key``: what was written first is what holds, for all workers."""

        def act() -> Any:
            with self._gate():
                known = self._study.user_attrs
                if key not in known:
                    self._study.set_user_attr(key, value)
                    return value
                return known[key]

        return patient(act, self.url)

    def note(self, key: str, value: Any) -> None:
        """Write a note over."""
        patient(lambda: self._study.set_user_attr(key, value), self.url)

    def notes(self) -> Mapping[str, Any]:
        """Every note."""
        return patient(lambda: dict(self._study.user_attrs), self.url)

    # trainings

    def settle(self, jobs: Sequence[Job], *, retry: bool = False) -> Settled:
        """See that each job has one entry that waits, runs or has ended; take back what the dead
        had.  ``retry``: what had failed is tried again.
        """
        return patient(lambda: self._settle(jobs, retry), self.url)

    def _settle(self, jobs: Sequence[Job], retry: bool) -> Settled:
        added: list[str] = []
        again: list[str] = []
        given: list[str] = []
        with self._gate():
            self._bury()
            past: dict[str, list[Entry]] = {}
            for entry in self._entries():
                past.setdefault(entry.key, []).append(entry)
            for job in jobs:
                known = past.get(job.key, [])
                state = known[-1].state if known else None
                if state in ("waiting", "running", "finished", "stopped"):
                    continue
                if state == "failed" and not retry:
                    continue
                if state == "lost" and not retry and hopeless_cause(known):
                    self._give_up(known[-1], job)
                    given.append(job.name)
                    continue
                self._add(job, attempt=len(known))
                (again if known else added).append(job.name)
        return Settled(added=tuple(added), again=tuple(again), given_up=tuple(given))

    def _bury(self) -> None:
        """End the entries whose workers are dead."""
        import warnings

        from optuna.exceptions import ExperimentalWarning
        from optuna.storages import fail_stale_trials
        from optuna.trial import TrialState

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(self._study)
        for entry in self._entries():
            if entry.state == "running" and self._dead(entry.worker):
                trial = self._trial_id(entry.number)
                self._storage.set_trial_state_values(trial, TrialState.FAIL)

    def _dead(self, worker: Mapping[str, Any]) -> bool:
        """Whether a worker of this machine and folder is known to be dead: its lock is free."""
        if worker.get("machine") != self.me["machine"] or worker.get("id") == self.me["id"]:
            return False
        place = self._places / f"{worker['id']}.lock"
        if not place.exists():
            return False
        try:
            lock = Lock(place)
        except RunError:
            return False
        lock.release()
        place.unlink(missing_ok=True)
        return True

    def _add(self, job: Job, *, attempt: int) -> None:
        from optuna.distributions import IntDistribution
        from optuna.trial import TrialState, create_trial

        self._study.add_trial(
            create_trial(
                state=TrialState.WAITING,
                params={**job.params, "seed": job.seed},
                distributions={key: IntDistribution(0, 2**31) for key in (*job.params, "seed")},
                user_attrs={"key": job.key, "name": job.name, "attempt": attempt},
            )
        )

    def _give_up(self, last: Entry, job: Job) -> None:
        from optuna.trial import TrialState, create_trial

        why = (
            f"its worker died {MOST_DEATHS} times before an epoch was done (killed, or out of "
            "memory)"
        )
        self._study.add_trial(
            create_trial(
                state=TrialState.FAIL,
                user_attrs={
                    "key": job.key,
                    "name": job.name,
                    "attempt": last.attempt + 1,
                    "why": why,
                    "final": True,
                },
            )
        )

    def take(self, keys: Sequence[str]) -> Entry | None:
        """The next of ``keys`` that waits, as this worker's; None where none does."""
        wanted = frozenset(keys)
        return patient(lambda: self._take(wanted), self.url)

    def _take(self, keys: frozenset[str]) -> Entry | None:
        from optuna.trial import TrialState

        with self._gate():
            known = [entry for entry in self._entries() if entry.key in keys]
            for entry in known:
                if entry.state == "running" and entry.worker.get("id") == self.me["id"]:
                    return entry  # it was taken, and the storage failed before it said so
            waiting = [entry for entry in known if entry.state == "waiting"]
            if waiting:  # what was begun before goes first
                entry = min(waiting, key=lambda one: (-one.attempt, one.number))
                trial = self._trial_id(entry.number)
                # In this order a worker that dies between two of them leaves what can be taken.
                self._storage.record_heartbeat(trial)
                self._storage.set_trial_user_attr(trial, "worker", self.me)
                self._storage.set_trial_state_values(trial, TrialState.RUNNING)
                return self._now(entry)
        return None

    def beat(self, entry: Entry) -> bool:
        """A sign of life; False where the entry is this worker's no longer."""
        from optuna.trial import TrialState

        trial = self._trial_id(entry.number)
        self._storage.record_heartbeat(trial)
        return self._storage.get_trial(trial).state == TrialState.RUNNING

    def report(self, entry: Entry, epoch: int, accuracy: float) -> None:
        """The validation accuracy after an epoch."""

        def act() -> None:
            with self._gate():
                if self._runs(entry):
                    trial = self._trial_id(entry.number)
                    self._storage.set_trial_intermediate_value(trial, epoch, accuracy)

        patient(act, self.url)

    def end(
        self,
        entry: Entry,
        state: Literal["finished", "stopped", "failed", "lost"],
        *,
        accuracy: float | None = None,
        facts: Mapping[str, Any] | None = None,
        why: str | None = None,
    ) -> bool:
        """What came of it; False where the entry had been taken from this worker before."""
        from optuna.trial import TrialState

        states = {"finished": TrialState.COMPLETE, "stopped": TrialState.PRUNED}

        def act() -> bool:
            with self._gate():
                if not self._runs(entry):
                    return self._now(entry).state == state
                trial = self._trial_id(entry.number)
                set_attr = self._storage.set_trial_user_attr
                if facts is not None:
                    set_attr(trial, "facts", dict(facts))
                if why is not None:
                    set_attr(trial, "why", why)
                if state == "failed":
                    set_attr(trial, "final", True)
                if state == "lost":
                    set_attr(trial, "left", True)
                found = states.get(state, TrialState.FAIL)
                values = None if accuracy is None or state != "finished" else [accuracy]
                self._storage.set_trial_state_values(trial, found, values)
                return True

        return patient(act, self.url)

    def release(self, worker: str) -> None:
        """End what ``worker`` has, whose process is known to be gone."""

        def act() -> None:
            from optuna.trial import TrialState

            with self._gate():
                for entry in self._entries():
                    if entry.state == "running" and entry.worker.get("id") == worker:
                        trial = self._trial_id(entry.number)
                        self._storage.set_trial_state_values(trial, TrialState.FAIL)

        patient(act, self.url)

    def entries(self) -> tuple[Entry, ...]:
        """Every entry, in the order in which they were added."""
        return patient(self._entries, self.url)

    def _entries(self) -> tuple[Entry, ...]:
        trials = self._storage.get_all_trials(self._id, deepcopy=False)
        return tuple(entry_of(trial) for trial in trials if "key" in trial.user_attrs)

    def _now(self, entry: Entry) -> Entry:
        return next(one for one in self._entries() if one.number == entry.number)

    def _runs(self, entry: Entry) -> bool:
        found = self._now(entry)
        return found.state == "running" and found.worker.get("id") == self.me["id"]

    def _trial_id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)
