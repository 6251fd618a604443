"""What is left with an exception of the program's own, such as KeyboardInterrupt: nothing is lost, and nothing stays behind."""

import time
from collections.abc import Callable
from typing import Any, Optional

import pytest

from activity_status import (
    Client,
    ConfigError,
    Event,
    Granted,
    InterruptedError,
    Limiter,
    Request,
    Response,
    Settlement,
    Status,
)
from activity_status.plugin import Keys
from conftest import KEYS, Answer, Vendor, status_answer

Make = Callable[..., Client]
BODY = {"RelatedProspectId": "x", "ActivityEvent": 1}


class Clock:
    """The machine's time, until it is told to raise."""

    def __init__(self) -> None:
        self.broken: Optional[str] = None

    def asked(self, method: str) -> float:
        if self.broken == method:
            self.broken = None
            raise KeyboardInterrupt(method)
        return time.monotonic()

    def now(self) -> float:
        return self.asked("now")

    def wall(self) -> float:
        return self.asked("wall")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Turnstile:
    """A limiter that lets everybody through, unless it is told to raise, and writes down what becomes of its permits."""

    def __init__(self, raises: Optional[BaseException] = None) -> None:
        self.raises = raises
        self.settled: list[str] = []

    def try_acquire(self, call_class: str, clock: Any, /) -> Granted:
        raised, self.raises = self.raises, None
        if raised:
            raise raised
        return Granted(7)

    def settle(self, permit: int, settlement: Settlement, clock: Any, /) -> None:
        assert permit == 7
        self.settled.append(settlement.how)

    def leave(self) -> None:
        self.settled.append("left")


def raising_at(name: str) -> Callable[[Event], None]:
    def observer(event: Event) -> None:
        if event.name == name:
            raise KeyboardInterrupt(name)

    return observer


def test_a_submit_that_was_accepted_says_so_whatever_leaves_it(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(b'{"RequestID":"posted"}')
    clock = Clock()
    clocked = make(clock=clock)

    def broken_clock() -> None:
        clock.broken = "wall"
        clocked.submit(BODY)

    observed = make(observer=raising_at("answered"))
    submits: list[Callable[[], object]] = [broken_clock, lambda: observed.submit(BODY)]
    for submit in submits:
        with pytest.raises(KeyboardInterrupt) as caught:
            submit()
        known = caught.value.__cause__
        assert isinstance(known, InterruptedError)
        assert (known.request_id, known.operation, known.resend) == ("posted", "activity.create", "may_duplicate")
        assert "posted" in str(known)


def test_what_a_clock_raised_is_not_kept_for_the_next_call(make: Make) -> None:
    clock = Clock()
    client = make(clock=clock)
    for method in ("now", "wall"):
        clock.broken = method
        with pytest.raises(KeyboardInterrupt):
            client.status("a") if method == "now" else client.submit(BODY)
        assert client.status("b").succeeded


def test_a_call_within_a_call_leaves_alone_what_the_outer_one_is_left_with(make: Make) -> None:
    other, asked = make(), list[Status]()

    def observer(event: Event) -> None:
        if event.name == "sending":
            raise KeyboardInterrupt
        asked.append(other.status("within"))

    with pytest.raises(KeyboardInterrupt):
        make(observer=observer).status("a")
    assert all(status.succeeded for status in asked)


def test_a_limiter_that_ends_the_program_loses_no_job_of_a_batch(make: Make) -> None:
    client = make(limiter=Turnstile(KeyboardInterrupt()), quota=None)
    jobs = client.wait_all(["a", "b", "c"])
    with pytest.raises(KeyboardInterrupt):
        next(jobs)
    assert len(jobs.open) == 3
    assert sorted(job.request_id for job, result in jobs if isinstance(result, Status)) == ["a", "b", "c"]


def test_a_source_of_keys_that_ends_the_program_loses_no_job_of_a_batch(make: Make, vendor: Vendor) -> None:
    raises: list[BaseException] = []

    def keys() -> Keys:
        if raises:
            raise raises.pop()
        return {"api_key": "a-key-of-some-length"}

    client = make(credentials=keys, api_key=None, access_key=None, secret_key=None)
    jobs = client.wait_all(["a", "b", "c"])
    raises.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        next(jobs)
    assert len(jobs.open) == 3 and vendor.seen == []
    raises.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        client.status("a")
    assert vendor.seen == []
    assert sorted(job.request_id for job, result in jobs if isinstance(result, Status)) == ["a", "b", "c"]


def test_nothing_is_sent_by_a_transport_of_ones_own_once_the_call_is_left(make: Make) -> None:
    sent, raises = list[Request](), list[BaseException]()

    def keys() -> Keys:
        if raises:
            raise raises.pop()
        return {"api_key": KEYS["api_key"], "access_key": KEYS["access_key"], "secret_key": KEYS["secret_key"]}

    def transport(request: Request) -> Response:
        sent.append(request)
        return Response(200, body=b'{"RequestID":"posted"}')

    client = make(credentials=keys, transport=transport, api_key=None, access_key=None, secret_key=None)
    calls: list[Callable[[], object]] = [lambda: client.submit(BODY), lambda: client.status("a")]
    for make_call in calls:
        raises.append(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt) as caught:
            make_call()
        known = caught.value.__cause__
        assert isinstance(known, InterruptedError) and known.resend == "safe"
    assert sent == []
    assert client.submit(BODY).request_id == "posted"


def test_a_permit_that_cannot_be_handed_out_is_given_back() -> None:
    clock, turnstile = Clock(), Turnstile()
    limiter = Limiter(turnstile, clock=clock)
    clock.broken = "now"
    with pytest.raises(KeyboardInterrupt):
        limiter.acquire()
    assert turnstile.settled == ["not_sent"]
    with limiter.acquire():
        pass
    assert turnstile.settled == ["not_sent", "answered"]


def test_a_part_that_takes_the_place_of_another_needs_none_of_its_settings(make: Make) -> None:
    def transport(request: Any) -> Any:
        raise AssertionError("nothing is sent")

    def keys() -> Keys:
        return {"api_key": "another-key"}

    client = make(connect_timeout=3, strict=True)
    client.with_options(transport=transport)
    client.with_options(limiter=Turnstile())
    client.with_options(credentials=keys)
    with pytest.raises(ConfigError):
        client.with_options(transport=transport, connect_timeout=3)
    with pytest.raises(ConfigError):
        client.with_options(limiter=Turnstile(), strict=True)


def test_a_quota_is_the_same_however_it_is_written(make: Make) -> None:
    for ours, theirs in [("25/5s", (25, 5.0)), (None, "25/5s"), ("25/5000ms", None)]:
        with Limiter(quota=ours).acquire():
            pass
        make(limiter=Limiter(quota=ours), quota=theirs)
    with pytest.raises(ConfigError):
        make(limiter=Limiter(quota="25/5s"), quota="24/5s")


def test_another_quota_keeps_what_else_the_limiter_was_made_by(make: Make) -> None:
    client = make(limiter=Limiter(strict=True, quota="25/5s"), quota=None).with_options(quota="10/5s")
    with pytest.raises(ConfigError):
        client.with_options(limiter=Limiter(quota="10/5s"), strict=True)


def test_a_job_that_is_forgotten_is_not_yielded(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue" if seen.request_id == "b" else "Success")
    jobs = make().wait_all(["a", "b", "c"], timeout=60)
    assert {next(jobs)[0].request_id, next(jobs)[0].request_id} == {"a", "c"}
    last = jobs.last_status("b")
    assert (last is None or last.state == "In-Queue") and jobs.last_status("a") is None
    assert jobs.forget("b") and not jobs.forget("b") and jobs.open == []
    assert list(jobs) == []
