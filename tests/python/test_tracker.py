"""The tracker: each step by hand, with the client's sending and with I/O of one's own, and under asyncio."""

import asyncio
import copy
import http.client
import pickle
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Union
from urllib.parse import urlsplit

import pytest
from conftest import KEYS, Answer, Seen, Vendor, cases, status_answer
from test_wait_all import LIMIT, Crowd, ids, pending

from activity_status import (
    Client,
    Clock,
    ConfigError,
    DeadlineError,
    Done,
    Ended,
    Granted,
    Job,
    Look,
    NotFoundError,
    Settlement,
    Sleep,
    Status,
    Tracker,
    TransportError,
)

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "python"))

from event_loop import follow  # noqa: E402  # type: ignore[import-not-found]

Make = Callable[..., Client]


class Book:
    """Lets every call through, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def try_acquire(self, call_class: str, clock: Clock) -> Granted:
        return Granted(7)

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        self.told.append(settlement.how)


def to_look(tracker: Tracker) -> Look:
    """The next look; what is to be slept before is slept."""
    while True:
        step = tracker.step()
        if isinstance(step, Look):
            return step
        assert isinstance(step, Sleep) and step.seconds > 0
        time.sleep(step.seconds)


def to_end(tracker: Tracker) -> Ended:
    step = tracker.step()
    assert isinstance(step, Ended)
    return step


def answer_of(look: Look, state: str = "Success") -> bytes:
    return status_answer(look.request_id or "", state).body or b""


# Its steps


def test_it_is_driven_step_by_step(client: Client, vendor: Vendor) -> None:
    tracker = client.tracker()
    assert isinstance(tracker.step(), Done) and repr(tracker.step()) == "Done()"
    assert tracker.add("a") and tracker.add(Job("b", "lead.update")) and not tracker.add(Job("a"))
    assert tracker.open == [Job("a"), Job("b", "lead.update")]
    ends: list[Ended] = []
    while not isinstance(step := tracker.step(), Done):
        if isinstance(step, Look):
            step.send()
        elif isinstance(step, Sleep):
            assert repr(step) == f"Sleep({step.seconds})"
            time.sleep(step.seconds)
        else:
            ends.append(step)
    assert {end.job for end in ends} == {Job("a"), Job("b", "lead.update")}
    assert all(isinstance(end.result, Status) and end.result.succeeded for end in ends)
    assert repr(ends[0]) == f"Ended({ends[0].job!r}, {ends[0].result!r})"
    assert (tracker.progress.total, tracker.progress.settled, tracker.open) == (2, 2, [])
    assert tracker.overdue == [] and tracker.eta_of("a") is None


@pytest.mark.skipif(sys.version_info < (3, 10), reason="there is no match before Python 3.10")
def test_its_steps_match(client: Client) -> None:
    script = """
def ends(tracker):
    while True:
        match tracker.step():
            case Look() as look:
                look.send()
            case Sleep(seconds):
                time.sleep(seconds)
            case Ended(job, result):
                yield str(job), result.outcome
            case Done():
                return
"""
    names: dict[str, Any] = {"Look": Look, "Sleep": Sleep, "Ended": Ended, "Done": Done, "time": time}
    exec(script, names)
    tracker = client.tracker(order="unknown")
    for name in ids(3):
        tracker.add(name)
    assert dict(names["ends"](tracker)) == dict.fromkeys(ids(3), "succeeded")


def test_several_looks_may_be_on_their_way_on_any_thread(make: Make, vendor: Vendor) -> None:
    crowd = vendor.answer = Crowd(3)
    tracker = make(quota="1000/1s").tracker(order="unknown")
    for name in ids(3):
        tracker.add(name)
    looks = [to_look(tracker) for _ in range(3)]
    assert {look.request_id for look in looks} == set(ids(3))
    # Nothing is asked twice at a time.
    assert isinstance(tracker.step(), Sleep)
    threads = [threading.Thread(target=look.send) for look in looks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert {to_end(tracker).job.request_id for _ in looks} == set(ids(3))
    assert crowd.most == 3 and not crowd.doubled


def test_out_of_time_each_open_job_ends(client: Client, vendor: Vendor) -> None:
    vendor.answer = pending
    tracker = client.tracker(timeout="300ms", price=1)
    tracker.add("a")
    while not isinstance(step := tracker.step(), Ended):
        step.send() if isinstance(step, Look) else time.sleep(0.01)
    assert isinstance(step.result, DeadlineError) and step.result.last_status is not None
    assert isinstance(tracker.step(), Done)


# I/O of one's own


@pytest.mark.parametrize("as_pairs", [True, False])
@pytest.mark.parametrize("with_head", [True, False])
def test_a_look_is_asked_with_io_of_ones_own(
    make: Make, vendor: Vendor, as_pairs: bool, with_head: bool
) -> None:
    book = Book()
    tracker = make(limiter=book, quota=None, call_deadline=30).tracker()
    tracker.add("a", operation="lead.update")
    look = to_look(tracker)
    assert look.request_id == "a" and 0 < look.time_left <= 30
    url = urlsplit(look.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=look.time_left)
    connection.request("GET", f"{url.path}?{url.query}", headers=look.headers)
    response = connection.getresponse()
    pairs = response.getheaders()
    headers: Any = iter(pairs) if as_pairs else dict(pairs)
    if with_head:
        look.head_arrived(response.status, pairs)
        assert book.told == ["answered"]
    look.answered(response.status, headers, response.read())
    connection.close()
    assert book.told == ["answered"]
    end = to_end(tracker)
    assert end.job == Job("a", "lead.update")
    assert isinstance(end.result, Status) and end.result.succeeded
    (seen,) = vendor.seen
    assert (seen.method, seen.path, seen.request_id) == ("GET", "/lead/update/status", "a")
    assert seen.headers["x-api-key"] == KEYS["api_key"]


def test_an_answer_of_ones_own_means_what_ours_means(make: Make) -> None:
    book = Book()
    tracker = make(limiter=book, quota=None).tracker()
    tracker.add("a")
    look = to_look(tracker)
    look.answered(429, {"Retry-After": "7"}, b"")
    look = to_look(tracker)
    look.answered(404, {}, b'{"ExceptionType":"MXNo"}')
    end = to_end(tracker)
    assert isinstance(end.result, NotFoundError) and end.result.vendor_type == "MXNo"
    assert book.told == ["refused", "answered"]


@pytest.mark.parametrize(
    ("how", "told"),
    cases(
        (lambda look: look.failed("no answer"), "in_doubt"),
        (lambda look: look.failed("no answer", "partly"), "in_doubt"),
        (lambda look: look.failed("no answer", delivery="not_sent"), "not_sent"),
        (lambda look: None, "in_doubt"),
    ),
)
def test_a_look_that_failed_or_was_dropped_is_asked_again(
    make: Make, how: Callable[[Look], None], told: str
) -> None:
    book = Book()
    tracker = make(limiter=book, quota=None).tracker()
    tracker.add("a")
    look = to_look(tracker)
    how(look)
    del look
    assert book.told == [told]
    to_look(tracker).answered(200, (), status_answer("a").body or b"")
    assert isinstance(to_end(tracker).result, Status)


def test_an_address_that_never_answers_ends_all(make: Make) -> None:
    tracker = make(limiter=Book(), quota=None).tracker(timeout=30)
    tracker.add("a")
    to_look(tracker).answered(401, {}, b"")
    end = to_end(tracker)
    assert not isinstance(end.result, (Status, TransportError)) and end.result.kind == "unauthorized"


def test_a_look_is_answered_once(client: Client, vendor: Vendor) -> None:
    tracker = client.tracker()
    tracker.add("a")
    look = to_look(tracker)
    look.send()
    for call in (
        look.send,
        lambda: look.failed("x"),
        lambda: look.answered(200, {}, b""),
        lambda: look.head_arrived(200, {}),
        lambda: look.url,
        lambda: look.headers,
        lambda: look.time_left,
    ):
        with pytest.raises(ConfigError, match="already"):
            call()
    assert look.request_id == "a" and repr(look) == "<Look a>"
    assert len(vendor.seen) == 1


@pytest.mark.parametrize(
    "call",
    cases(
        lambda look: look.answered("200", {}, b""),
        lambda look: look.answered(200, None, b""),
        lambda look: look.answered(200, {"a": 1}, b""),
        lambda look: look.answered(200, [("a",)], b""),
        lambda look: look.answered(200, ["ab"], b""),
        lambda look: look.answered(200, {}, "{}"),
        lambda look: look.answered(70000, {}, b""),
        lambda look: look.head_arrived(-1, {}),
        lambda look: look.failed(7),
        lambda look: look.failed("x", "perhaps"),
    ),
)
def test_what_is_no_answer_is_refused_and_the_look_is_still_there(
    client: Client, call: Callable[[Any], object]
) -> None:
    tracker = client.tracker()
    tracker.add("a")
    look = to_look(tracker)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        call(look)
    look.answered(200, {}, answer_of(look))
    assert isinstance(to_end(tracker).result, Status)


def test_what_holds_a_key_is_neither_pickled_nor_copied(client: Client) -> None:
    tracker = client.tracker()
    tracker.add("a")
    for it in (to_look(tracker), tracker, client.wait_all(["a"])):
        for store in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                store(it)


@pytest.mark.parametrize(
    ("call", "is_answer"),
    cases(
        (lambda look: look.send(), True),
        (lambda look: look.answered(200, {}, answer_of(look)), True),
        (lambda look: look.failed("no answer"), False),
        (lambda look: look.head_arrived(200, {}), False),
    ),
)
@pytest.mark.filterwarnings("error")
def test_what_a_settlement_raises_to_end_the_program_leaves_the_call(
    make: Make, call: Callable[[Look], None], is_answer: bool
) -> None:
    class Ends(Book):
        def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
            raise SystemExit(3)

    tracker = make(limiter=Ends(), quota=None).tracker()
    tracker.add("a")
    look = to_look(tracker)
    with pytest.raises(SystemExit):
        call(look)
    # The next call knows nothing of it, and no answer was lost.
    assert not is_answer or isinstance(tracker.step(), Ended)
    assert tracker.open == ([] if is_answer else [Job("a")])


# Under asyncio


async def followed(tracker: Tracker) -> list[str]:
    return [ended.job.request_id async for ended in follow(tracker)]


def test_the_example_follows_jobs_from_an_event_loop(make: Make, vendor: Vendor) -> None:
    crowd = vendor.answer = Crowd(2)
    tracker = make(quota="1000/1s").tracker(order="unknown")
    for name in ids(6):
        tracker.add(name)
    assert sorted(asyncio.run(followed(tracker))) == ids(6)
    assert crowd.most >= 2 and not crowd.doubled


def test_an_answer_ends_the_sleep_of_the_event_loop(client: Client, vendor: Vendor) -> None:
    def slowly(seen: Seen) -> Answer:
        time.sleep(0.2)
        return status_answer(seen.request_id)

    class Sleepy:
        """Would sleep for a day whenever there is nothing to do at once."""

        def step(self) -> Union[Look, Sleep, Ended, Done]:
            step = tracker.step()
            return Sleep(86400.0) if isinstance(step, Sleep) else step

    vendor.answer = slowly
    tracker = client.tracker()
    tracker.add("a")
    sleepy: Any = Sleepy()
    assert asyncio.run(asyncio.wait_for(followed(sleepy), LIMIT)) == ["a"]
