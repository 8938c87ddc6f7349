"""The study that workers share: each training once, whoever starts, dies or comes back when."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy

from striate.errors import InputError, StorageError
from striate.flow.sweep_entries import MOST_DEATHS, Job
from striate.flow.sweep_storage import hidden, open_storage
from striate.flow.sweep_study import Study

JOBS = [
    Job(key=f"key-{n}", name=f"net {n}", seed=n, params={"depth": 8, "width": n}) for n in range(6)
]
Open = Callable[..., Study]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql")
    return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture
def opened(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Workers of a study of the test's own name, closed at its end."""
    made: list[Study] = []

    def study(name: str = "") -> Study:
        made.append(
            Study(url, name or request.node.name, lease=60, places=tmp_path / f"w{len(made)}")
        )
        return made[-1]

    yield study
    for one in made:
        one.close()


def _at_once(*acts: Callable[[], object]) -> None:
    """Each in a thread; what one raises is raised here."""
    with ThreadPoolExecutor(len(acts)) as pool:
        for future in [pool.submit(act) for act in acts]:
            future.result()


def test_two_that_start_at_once_add_each_training_once(opened: Open) -> None:
    first, second = opened(), opened()
    _at_once(*(lambda one=one: one.settle(JOBS) for one in (first, second, first, second)))
    assert Counter(e.key for e in first.entries()) == {job.key: 1 for job in JOBS}


def test_no_training_is_taken_by_two(opened: Open) -> None:
    first, second = opened(), opened()
    first.settle(JOBS)
    taken: list[tuple[int, str]] = []

    def take(study: Study) -> None:
        while (entry := study.take([job.key for job in JOBS])) is not None:
            taken.append((id(study), entry.key))
            study.end(entry, "finished", accuracy=0.5, facts={"accuracy": 0.5})

    _at_once(lambda: take(first), lambda: take(second))
    assert sorted(key for _, key in taken) == [job.key for job in JOBS]
    assert all(entry.state == "finished" for entry in second.entries())


def test_what_is_done_stays_done(opened: Open) -> None:
    study = opened()
    study.settle(JOBS[:2])
    entry = study.take(["key-1"])
    assert entry is not None
    study.report(entry, 1, 0.25)
    study.report(entry, 2, 0.5)
    assert study.end(entry, "finished", accuracy=0.5, facts={"curve": [0.25, 0.5]})
    settled = study.settle(JOBS[:3])
    assert settled.added == ("net 2",)
    found = {e.key: e for e in study.entries()}
    assert found["key-1"].curve == {1: 0.25, 2: 0.5}
    assert found["key-1"].facts == {"curve": [0.25, 0.5]}
    assert found["key-0"].state == "waiting"


def _silence(url: str) -> None:
    """As if no worker of the whole storage had given a sign of life for years."""
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE trial_heartbeats SET heartbeat = '2001-01-01 00:00:00'")
        )
    engine.dispose()


def test_a_silent_workers_training_goes_to_another_and_it_is_told(opened: Open, url: str) -> None:
    silent, other = opened(), opened()
    silent.settle(JOBS[:1])
    lost = silent.take(["key-0"])
    assert lost is not None
    silent.report(lost, 1, 0.5)
    assert other.settle(JOBS[:1]).again == ()
    _silence(url)
    assert other.settle(JOBS[:1]).again == ("net 0",)
    again = other.take(["key-0"])
    assert again is not None
    assert again.attempt == 1
    assert not silent.beat(lost)
    assert not silent.end(lost, "finished", accuracy=0.9)
    silent.report(lost, 2, 0.9)
    assert other.end(again, "finished", accuracy=0.6)
    states = [(e.state, dict(e.curve)) for e in other.entries()]
    assert states == [("lost", {1: 0.5}), ("finished", {})]


def test_a_training_that_kills_its_workers_is_given_up_and_retried_when_asked(
    opened: Open, url: str
) -> None:
    study = opened()
    for _ in range(MOST_DEATHS):
        study.settle(JOBS[:1])
        assert study.take(["key-0"]) is not None
        _silence(url)
    assert study.settle(JOBS[:1]).given_up == ("net 0",)
    last = study.entries()[-1]
    assert last.state == "failed"
    assert "died 3 times" in (last.why or "")
    assert study.settle(JOBS[:1]) == study.settle(JOBS[:1])
    assert study.take(["key-0"]) is None
    assert study.settle(JOBS[:1], retry=True).again == ("net 0",)
    assert study.take(["key-0"]) is not None


def test_deaths_with_progress_between_them_are_no_reason_to_give_up(opened: Open, url: str) -> None:
    study = opened()
    for epoch in range(1, MOST_DEATHS + 2):
        study.settle(JOBS[:1])
        entry = study.take(["key-0"])
        assert entry is not None
        study.report(entry, epoch, 0.1 * epoch)
        _silence(url)
    assert study.settle(JOBS[:1]).again == ("net 0",)


def test_what_was_left_on_request_is_no_death(opened: Open) -> None:
    study = opened()
    for _ in range(MOST_DEATHS + 1):
        study.settle(JOBS[:1])
        entry = study.take(["key-0"])
        assert entry is not None
        study.end(entry, "lost")
    assert study.settle(JOBS[:1]).again == ("net 0",)


def test_what_was_begun_goes_before_what_was_not(opened: Open) -> None:
    study = opened()
    study.settle(JOBS[:3])
    entry = study.take(["key-2"])
    assert entry is not None
    study.end(entry, "lost")
    study.settle(JOBS[:3])
    taken = study.take(["key-0", "key-1", "key-2"])
    assert taken is not None
    assert taken.key == "key-2"


def test_what_failed_is_not_tried_again_unless_asked(opened: Open) -> None:
    study = opened()
    study.settle(JOBS[:1])
    entry = study.take(["key-0"])
    assert entry is not None
    study.end(entry, "failed", why="the loss became nan")
    study.settle(JOBS[:1])
    assert [(e.state, e.why) for e in study.entries()] == [("failed", "the loss became nan")]
    assert study.settle(JOBS[:1], retry=True).again == ("net 0",)


def test_the_first_note_holds_for_all(opened: Open) -> None:
    first, second = opened(), opened()
    assert first.agree("setting", "bf16") == "bf16"
    assert second.agree("setting", "fp32") == "bf16"
    assert second.notes()["setting"] == "bf16"


def test_a_study_of_something_else_is_refused(opened: Open, url: str, tmp_path: Path) -> None:
    import optuna

    storage, _, close = open_storage(url, "theirs", lease=60)
    theirs = optuna.create_study(storage=storage, study_name="theirs", direction="maximize")
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    close()
    with pytest.raises(InputError, match="was not made by striate sweep"):
        opened("theirs")


@pytest.mark.parametrize(
    "url",
    ["mysql://localhost/a", "redis://h", "study.db", "sqlite:///:memory:"],
)
def test_other_storages_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="is neither postgresql://") as caught:
        open_storage(url, "s", lease=60)
    assert "\n" not in str(caught.value)


def test_a_server_that_does_not_answer_is_one_line_without_the_password() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(StorageError) as caught:
        open_storage(f"postgresql://me:secret@127.0.0.1:{port}/a", "s", lease=60)
    said = str(caught.value)
    assert said.startswith(f"--storage postgresql://me@127.0.0.1:{port}/a: does not answer (")
    assert "secret" not in said
    assert "\n" not in said


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are notes, and no database at all" * 100)
    with pytest.raises(StorageError, match="does not answer") as caught:
        open_storage(f"sqlite:///{tmp_path}/notes.db", "s", lease=60)
    assert "\n" not in str(caught.value)


def test_passwords_are_hidden() -> None:
    assert hidden("postgresql://me:p@ss@h:1/d") == "postgresql://me@h:1/d"
    assert hidden("sqlite:///a.db") == "sqlite:///a.db"
