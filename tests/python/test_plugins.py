"""Parts of a client that are written in Python: where they run, and what comes of what they raise."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from activity_status import (
    Client,
    ConfigError,
    Event,
    InDoubtError,
    Outcome,
    Poll,
    Request,
    Response,
    Status,
    TransportError,
    Wait,
)
from activity_status import Done as Finished
from activity_status.plugin import Keys, TransportFailure
from conftest import KEYS, Vendor, status_answer

Make = Callable[..., Client]

# A transport


def answered(request: Request) -> Response:
    return Response(200, body=status_answer(request.url.rpartition("=")[2]).body)


def test_a_transport_runs_on_the_thread_that_makes_the_call(make: Make) -> None:
    threads: set[int] = set()

    def transport(request: Request) -> Response:
        threads.add(threading.get_ident())
        assert (request.method, request.headers["x-api-key"]) == ("GET", KEYS["api_key"])
        assert KEYS["api_key"] not in repr(request) and 0 < request.time_left <= 60
        return answered(request)

    client = make(transport=transport)
    assert client.status("a").succeeded and client.wait("b").succeeded
    assert all(isinstance(result, Status) for _, result in client.wait_all(list("cde")))
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize(
    ("raised", "resend"),
    [
        (ConnectionRefusedError("nobody"), "safe"),
        (TransportFailure("not yet", delivery="not_sent"), "safe"),
        (ConnectionResetError("gone"), "may_duplicate"),
        (TimeoutError("late"), "may_duplicate"),
        (TransportFailure("odd", failure="malformed"), "may_duplicate"),
    ],
)
def test_what_a_transport_loses_is_lost_as_ours_would_be(
    make: Make, raised: OSError, resend: str
) -> None:
    def transport(request: Request) -> Response:
        raise raised

    with pytest.raises((InDoubtError, TransportError)) as caught:
        make(transport=transport).submit({"a": 1})
    assert isinstance(caught.value, InDoubtError) is (resend == "may_duplicate")
    assert caught.value.resend == resend and caught.value.__cause__ is raised


def test_any_other_exception_of_a_transport_leaves_the_call_as_it_is(make: Make) -> None:
    bug = TypeError("a bug")

    def transport(request: Request) -> Response:
        raise bug

    client = make(transport=transport)
    with pytest.raises(TypeError) as caught:
        client.submit({"a": 1})
    assert caught.value is bug and isinstance(bug.__cause__, InDoubtError)
    waiting = client.wait_all(["a", "b"])
    with pytest.raises(TypeError):
        next(waiting)
    assert [job.request_id for job in waiting.open] == ["a", "b"]


def test_what_is_no_response_is_said(make: Make) -> None:
    def wrong(request: Request) -> Any:
        return 200

    with pytest.raises(TypeError, match="a transport answers a Response, not int"):
        make(transport=wrong).status("a")
    with pytest.raises(TypeError, match="int is neither"):
        make(transport=3)


# A clock


class Clock:
    time = 0.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_000_000_000 + self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_by_a_clock_of_ones_own_a_wait_takes_no_time(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(
        seen.request_id, "Success" if len(vendor.seen) > 40 else "In-Queue"
    )
    clock, updates = Clock(), list[Outcome]()
    status = make(clock=clock).wait("a", on_update=lambda status: updates.append(status.outcome))
    assert status.succeeded and clock.time > 1
    assert updates == [Outcome.PENDING] * 40 + [Outcome.SUCCEEDED]


def test_an_update_may_use_the_client(client: Client) -> None:
    updates: list[Status] = []

    def on_update(status: Status) -> None:
        updates.append(client.status("another"))

    assert client.wait("a", on_update=on_update).succeeded
    assert [status.request_id for status in updates] == ["another"]


def test_what_a_clock_raises_leaves_the_call(make: Make) -> None:
    class Broken(Clock):
        def now(self) -> float:
            raise RuntimeError("no time")

    with pytest.raises(RuntimeError, match="no time"):
        make(clock=Broken()).status("a")


# An observer, an outcome rule, credentials


def test_an_observer_hears_each_event_on_the_thread_that_waits(make: Make) -> None:
    heard: list[tuple[str, int]] = []

    def observer(event: Event) -> None:
        heard.append((event.name, threading.get_ident()))
        assert not any(key in repr(event) for key in KEYS.values())

    client = make(observer=observer)
    client.status("a")
    assert heard == [(name, threading.get_ident()) for name in ("sending", "answered", "status")]
    list(client.wait_all(["b", "c"]))
    assert {thread for _, thread in heard} == {threading.get_ident()}


def test_an_observer_cannot_fail_a_call_but_can_end_the_program(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    unraised: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraised.append)
    raised: list[BaseException] = [ValueError("x")]

    def observer(event: Event) -> None:
        raise raised[0]

    client = make(observer=observer)
    assert client.status("a").succeeded and unraised
    raised[0] = SystemExit(3)
    with pytest.raises(SystemExit):
        client.status("a")


def test_a_rule_of_ones_own_says_what_is_settled(make: Make) -> None:
    def failed(status: Status) -> Outcome:
        return Outcome.FAILED

    assert make(outcome_rule=failed).status("a").failed

    def wrong(status: Status) -> Any:
        return "perhaps"

    with pytest.raises(TypeError, match="outcome_rule answers an Outcome"):
        make(outcome_rule=wrong).status("a")


def test_keys_are_asked_for_before_each_call(make: Make, vendor: Vendor) -> None:
    given = iter(["key-of-the-beginning", "first-key-0123", "second-key-0123"])
    nobody: dict[str, Any] = dict.fromkeys(KEYS)
    client = make(credentials=lambda: Keys(api_key=next(given)), **nobody)
    client.status("a")
    assert vendor.seen[-1].headers["x-api-key"] == "second-key-0123"
    with pytest.raises(ConfigError) as caught:
        client.status("a")
    assert isinstance(caught.value.__cause__, StopIteration) and len(vendor.seen) == 1
    with pytest.raises(TypeError) as wrong:
        make(credentials=lambda: {KEYS["api_key"]: "x"}, **nobody)
    assert KEYS["api_key"] not in str(wrong.value)


# A schedule


class OneAfterTheOther:
    def __init__(self) -> None:
        self.open: list[int] = []
        self.asked: set[int] = set()

    def add(self, lane: int, submitted_at: Any) -> int:
        self.open.append(len(self.open))
        return self.open[-1]

    def next(self, now: float) -> Any:
        for key in self.open:
            if key not in self.asked:
                self.asked.add(key)
                return Poll(key)
        return Wait(0.01) if self.open else Finished()

    def observe(self, key: int, what: str, sent_at: float, answered_at: float) -> None:
        self.asked.discard(key)
        if what == "settled":
            self.open.remove(key)

    def __len__(self) -> int:
        return len(self.open)


def test_a_schedule_of_ones_own_says_whom_to_ask(make: Make, vendor: Vendor) -> None:
    schedule = OneAfterTheOther()
    ended = [job.request_id for job, _ in make(transport=answered).wait_all(list("abc"), schedule=schedule)]
    assert ended == ["a", "b", "c"] and len(schedule) == 0


def test_what_a_schedule_raises_leaves_the_wait_and_loses_nothing(make: Make) -> None:
    class Broken(OneAfterTheOther):
        is_broken = True

        def next(self, now: float) -> Any:
            if self.is_broken:
                raise RuntimeError("no idea")
            return super().next(now)

    schedule = Broken()
    waiting = make().wait_all(list("ab"), schedule=schedule)
    with pytest.raises(RuntimeError, match="no idea"):
        next(waiting)
    schedule.is_broken = False
    assert {job.request_id for job, _ in waiting} == {"a", "b"}


def test_a_schedule_may_be_told_which_job_nobody_wants_to_know_of(make: Make) -> None:
    class Forgetful(OneAfterTheOther):
        def __init__(self) -> None:
            super().__init__()
            self.forgotten: list[int] = []

        def forget(self, key: int) -> None:
            self.forgotten.append(key)

    client, schedule = make(), Forgetful()
    tracker = client.tracker(schedule=schedule)
    assert tracker.add("a") and tracker.add("b")
    assert tracker.forget("b") and not tracker.forget("c")
    assert schedule.forgotten == schedule.open[1:]
    without = client.tracker(schedule=OneAfterTheOther())
    assert without.add("a") and without.forget("a")
