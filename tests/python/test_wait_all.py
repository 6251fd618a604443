"""Many jobs over one quota: what wait_all yields, what it asks, and how it is left."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Union

import pytest
from activity_status import (
    ActivityStatusError,
    Client,
    ConfigError,
    DeadlineError,
    Job,
    NotFoundError,
    Progress,
    Status,
    WaitAll,
)

from conftest import Answer, Seen, Vendor, cases, status_answer

Make = Callable[..., Client]
LIMIT = 60
"""Seconds after which a test gives up. What is tested takes a fraction of one."""


def pending(seen: Seen) -> Answer:
    return status_answer(seen.request_id, "In-Queue")


def ids(count: int) -> list[str]:
    return [f"job-{number}" for number in range(count)]


def outcomes(waiting: Iterable[tuple[Job, Union[Status, ActivityStatusError]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for job, result in waiting:
        assert job.request_id not in found
        found[job.request_id] = result.kind if isinstance(result, ActivityStatusError) else result.outcome.value
    return found


class Crowd:
    """Holds answers back until so many questions are on their way, and sees whether two are about one job."""

    def __init__(self, size: int) -> None:
        self.size, self.lock, self.meeting = size, threading.Condition(), 0
        self.now: Counter[str] = Counter()
        self.most, self.doubled = 0, False

    def __call__(self, seen: Seen) -> Answer:
        with self.lock:
            self.now[seen.request_id] += 1
            self.doubled |= self.now[seen.request_id] > 1
            self.most = max(self.most, sum(self.now.values()))
            self.lock.notify_all()
            self.lock.wait_for(lambda: self.most >= self.size, LIMIT)
            self.now[seen.request_id] -= 1
        return status_answer(seen.request_id)


# What it yields


def test_each_job_comes_once_with_a_status_or_an_error(client: Client, vendor: Vendor) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.request_id == "lost":
            return Answer(b"{}", 404)
        return status_answer(seen.request_id, "FAILURE" if seen.request_id == "bad" else "Success")

    vendor.answer = answer
    jobs = [Job("good", "lead.update"), Job("bad"), Job("lost")]
    waiting = client.wait_all(jobs)
    assert vendor.seen == []
    found = dict(waiting)
    assert set(found) == set(jobs)
    good, bad, lost = (found[job] for job in jobs)
    assert isinstance(good, Status) and good.succeeded and good.operation == "lead.update"
    assert isinstance(bad, Status) and bad.failed
    assert isinstance(lost, NotFoundError)
    assert (lost.request_id, lost.operation, lost.attempts) == ("lost", "activity.create", 1)
    assert {seen.path for seen in vendor.seen} == {"/lead/update/status", "/activity/create/status"}
    progress = waiting.progress
    assert (progress.total, progress.settled, progress.failed, progress.errors) == (3, 2, 1, 1)
    assert waiting.open == [] and progress.open == 0
    assert list(waiting) == []


def test_the_operation_is_that_of_the_plain_ids(client: Client, vendor: Vendor) -> None:
    jobs: list[Union[str, Job]] = ["a", Job("b", "lead.capture"), Job("a")]
    found = list(client.wait_all(jobs, operation="lead.update"))
    assert {(job.request_id, job.operation) for job, _ in found} == {
        ("a", "lead.update"),
        ("b", "lead.capture"),
        ("a", "activity.create"),
    }


def test_a_job_that_is_given_twice_is_followed_once(client: Client, vendor: Vendor) -> None:
    waiting = client.wait_all(["a", Job("a"), "b", "a"])
    assert waiting.progress.total == 2
    assert not waiting.add("b") and waiting.add("b", operation="lead.update") and waiting.add(Job("c"))
    assert Counter(job.request_id for job, _ in waiting) == {"a": 1, "b": 2, "c": 1}
    assert len(vendor.seen) == 4


@pytest.mark.parametrize(
    "given",
    cases(
        list,
        tuple,
        set,
        frozenset,
        dict.fromkeys,
        iter,
        lambda names: (Job(name) for name in names),
        lambda names: (name + "\n" for name in names),
    ),
)
def test_jobs_are_any_iterable(client: Client, given: Callable[[list[str]], Any]) -> None:
    assert outcomes(client.wait_all(given(ids(4)))) == dict.fromkeys(ids(4), "succeeded")


def test_the_lines_of_a_file_are_ids(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("\n".join(ids(3)))
    with file.open() as lines:
        assert set(outcomes(client.wait_all(lines))) == set(ids(3))


def test_no_jobs_are_no_wait(client: Client, vendor: Vendor) -> None:
    assert list(client.wait_all([])) == []
    assert vendor.seen == []


def test_at_the_deadline_each_open_job_comes_with_its_last_status(client: Client, vendor: Vendor) -> None:
    vendor.answer = pending
    found = dict(client.wait_all(ids(3), timeout=timedelta(seconds=0.5), price="50ms"))
    assert len(found) == 3
    for job, error in found.items():
        assert isinstance(error, DeadlineError) and isinstance(error, TimeoutError)
        assert error.last_status is not None
        assert error.last_status.request_id == error.request_id == job.request_id
        assert error.last_status.state == "In-Queue"


def test_a_question_that_fails_for_a_while_loses_nothing(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(b"", 503) if len(vendor.seen) < 3 else status_answer(seen.request_id)
    assert outcomes(client.wait_all(ids(2))) == dict.fromkeys(ids(2), "succeeded")


@pytest.mark.parametrize(
    ("given", "options", "in_turn"),
    [
        (list, {}, False),
        (list, {"order": "unknown"}, True),
        (set, {}, True),
        (frozenset, {}, True),
        (set, {"order": "submitted"}, False),
    ],
)
def test_what_has_no_order_is_asked_in_turn(
    make: Make, vendor: Vendor, given: Callable[[list[str]], Any], options: dict[str, Any], in_turn: bool
) -> None:
    def answer(seen: Seen) -> Answer:
        if len(vendor.seen) == 12:
            waiting.cancel()
        return pending(seen)

    vendor.answer = answer
    # A question every 100 ms: so much later than another no thread begins.
    waiting = make(quota="20/2s").wait_all(given(ids(12)), **options)
    assert list(waiting) == []
    # Where the order counts, those that were asked about first are asked again before all were.
    asked = Counter(seen.request_id for seen in vendor.seen[:12])
    assert (len(asked) == 12) is in_turn


# What it refuses


@pytest.mark.parametrize(
    ("call", "word"),
    cases(
        (lambda client: client.wait_all("72003d66"), "put it in a list"),
        (lambda client: client.wait_all(b"72003d66"), "put it in a list"),
        (lambda client: client.wait_all(Job("72003d66")), "put it in a list"),
        (lambda client: client.wait_all(7), "not iterable"),
        (lambda client: client.wait_all(["a", 7]), "not int"),
        (lambda client: client.wait_all(["a", b"b"]), "not bytes"),
        (lambda client: client.wait_all(["a", None]), "not NoneType"),
        (lambda client: client.wait_all(["a"], operation=7), "operation"),
        (lambda client: client.wait_all(["a"], timeout=object()), "time"),
        (lambda client: client.wait_all(["a"], price=True), "time"),
        (lambda client: client.wait_all(["a"], order=7), "order|str"),
        (lambda client: client.wait_all(["a"], on_progress=7), "on_progress"),
        (lambda client: client.wait_all(["a"]).add(7), "not int"),
        (lambda client: client.wait_all(["a"]).eta_of(7), "not int"),
        (lambda client: client.tracker().add(7), "not int"),
        (lambda client: client.tracker(price=[]), "time"),
        (lambda client: WaitAll(), "constructor|WaitAll"),
    ),
)
def test_arguments_of_the_wrong_type(
    client: Client, vendor: Vendor, call: Callable[[Client], object], word: str
) -> None:
    with pytest.raises(TypeError, match=word):
        call(client)
    assert vendor.seen == []


@pytest.mark.parametrize(
    "call",
    cases(
        lambda client: client.wait_all(["a", ""]),
        lambda client: client.wait_all(["a", "two words"]),
        lambda client: client.wait_all(["a"], operation="lead.delete"),
        lambda client: client.wait_all(["a"], timeout=-1),
        lambda client: client.wait_all(["a"], price="soon"),
        lambda client: client.wait_all(["a"], order="random"),
        lambda client: client.tracker(order=""),
        lambda client: client.tracker().add(" "),
    ),
)
def test_values_that_make_no_sense(
    client: Client, vendor: Vendor, call: Callable[[Client], object]
) -> None:
    with pytest.raises(ConfigError):
        call(client)
    assert vendor.seen == []


def test_a_generator_that_fails_sends_nothing(client: Client, vendor: Vendor) -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.wait_all(broken())
    assert vendor.seen == []


def test_a_closed_client_waits_for_nobody(client: Client) -> None:
    client.close()
    for call in (lambda: client.wait_all(["a"]), client.tracker):
        with pytest.raises(ConfigError, match="closed"):
            call()


# How it is left


def test_it_is_cancelled_from_another_thread(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: pending(seen) if seen.request_id != "job-0" else status_answer("job-0")
    waiting = client.wait_all(ids(4), price=3600)
    assert next(waiting)[0] == Job("job-0")
    timer = threading.Timer(0.2, waiting.cancel)
    timer.start()
    assert list(waiting) == []
    assert waiting.open == [Job(name) for name in ids(4)[1:]]
    assert "(cancelled)" in repr(waiting)
    waiting.cancel()
    assert list(waiting) == []


def test_at_the_end_of_a_with_block_it_is_cancelled(client: Client, vendor: Vendor) -> None:
    with pytest.raises(ZeroDivisionError), client.wait_all(ids(2)) as waiting:
        next(waiting)
        raise ZeroDivisionError
    assert list(waiting) == []
    assert len(waiting.open) == 1


def test_a_loop_that_was_broken_off_goes_on(client: Client) -> None:
    waiting = client.wait_all(ids(3))
    first = next(waiting)[0]
    assert first not in waiting.open and len(waiting.open) == 2
    second = [job for job, _ in waiting]
    assert {first, *second} == {Job(name) for name in ids(3)} and len(second) == 2


# Progress


def test_progress_is_told_after_each_end_on_the_waiting_thread(client: Client) -> None:
    told: list[Progress] = []
    threads: set[int] = set()

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.get_ident())

    waiting = client.wait_all(ids(3), on_progress=on_progress)
    for number, _ in enumerate(waiting, 1):
        assert told[-1].settled == number
    assert threads == {threading.get_ident()}
    assert told[-1] == Progress(3, 3, rate=told[-1].rate, eta=told[-1].eta, eta_uncertainty=told[-1].eta_uncertainty)


def test_progress_is_told_while_nothing_ends(client: Client, vendor: Vendor) -> None:
    vendor.answer = pending
    told: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 2:
            waiting.cancel()

    waiting = client.wait_all(ids(2), price=3600, on_progress=on_progress)
    assert list(waiting) == []
    assert [progress.open for progress in told] == [2, 2]


@pytest.mark.parametrize("raised", [ZeroDivisionError(), KeyboardInterrupt()], ids=repr)
def test_what_on_progress_raises_leaves_the_loop_and_loses_no_job(client: Client, raised: BaseException) -> None:
    calls: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        calls.append(progress)
        if len(calls) == 2:
            raise raised

    waiting = client.wait_all(ids(4), on_progress=on_progress)
    found: list[Job] = []
    with pytest.raises(type(raised)) as caught:
        for job, _ in waiting:
            found.append(job)
    assert caught.value is raised
    assert len(found) == 1 and len(waiting.open) == 3
    rest = waiting.open
    assert next(waiting)[0] == rest[0]
    # What is told already is not told again.
    assert len(calls) == 2
    found += [rest[0], *(job for job, _ in waiting)]
    assert Counter(found) == Counter(Job(name) for name in ids(4))


def test_a_progress_is_a_value(client: Client) -> None:
    one = Progress(5, 3, 1, 1, rate=0.5, eta=2.0, eta_uncertainty=1.0)
    assert one == Progress(5, 3, 1, 1, 0.5, 2.0, 1.0) != Progress(5) and len({one, one, Progress(5)}) == 2
    assert (one.open, Progress(5).open, Progress(5).eta, Progress(5).rate) == (1, 5, None, 0.0)
    assert repr(one) == "<Progress 3 of 5 settled: failed=1 errors=1 rate=0.50/s eta=2.0s±1.0s>"
    with pytest.raises(AttributeError):
        one.total = 7  # type: ignore[misc]
    for wrong in [(1, 2), (2, 1, 2), (2, 1, 0, 2)]:
        with pytest.raises(ValueError):
            Progress(*wrong)


def test_when_a_job_will_be_known(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id) if seen.request_id < "job-3" else pending(seen)
    waiting = client.wait_all(ids(6))
    assert waiting.eta_of("job-5") is None and waiting.overdue == []
    for _ in range(3):
        next(waiting)
    eta = waiting.eta_of(Job("job-5"))
    assert eta is not None and all(isinstance(time, float) and time >= 0 for time in eta)
    assert waiting.eta_of("job-0") is None and waiting.eta_of("unknown") is None
    assert waiting.progress.eta is not None and waiting.progress.eta_uncertainty is not None
    assert waiting.progress.rate > 0


# A job knows when it was submitted


def test_a_job_knows_when_it_was_submitted(client: Client, vendor: Vendor) -> None:
    asked: list[str] = []

    def answer(seen: Seen) -> Answer:
        asked.append(seen.path)
        if seen.method == "POST":
            return Answer(b'{"Status":"Request accepted.","RequestID":"new"}')
        if seen.path.endswith("/metrics"):
            return Answer(b'{"PendingMessages":3,"MaxDelayInSeconds":1,"ProcessingratePerMinute":6000}')
        return pending(seen) if asked.count("/activity/create/status") == 1 else status_answer(seen.request_id)

    vendor.answer = answer
    before = datetime.now(timezone.utc)
    job = client.submit({})
    assert job.submitted_at is not None and job.submitted_at.utcoffset() == timedelta(0)
    assert before - timedelta(seconds=1) < job.submitted_at < before + timedelta(seconds=LIMIT)
    assert job == Job("new") and hash(job) == hash(Job("new")) and Job("new").submitted_at is None
    ((found, _),) = client.wait_all([job])
    assert found.submitted_at == job.submitted_at
    # Of a job that was submitted a moment ago, the queue's metrics tell how many stand before it.
    assert "/activity/create/metrics" in asked
    with pytest.raises(TypeError, match="naive"):
        Job("new", submitted_at=datetime(2020, 1, 1))


def test_help_shows_a_loop() -> None:
    assert re.search(r"for job, result in client\.wait_all\(jobs\):", Client.wait_all.__doc__ or "")
