"""A clock that a test moves."""

import time
from datetime import datetime, timedelta, timezone

import pytest

from activity_status import Client, Clock, DeadlineError
from activity_status.testing import ManualClock
from conftest import KEYS, Answer, Seen, Vendor, status_answer


def test_time_passes_by_sleeps_and_by_hand_alone() -> None:
    clock = ManualClock()
    assert isinstance(clock, Clock)
    assert clock.now() == 0.0
    clock.advance(90)
    clock.advance("90s")
    clock.advance(timedelta(minutes=2))
    began = time.monotonic()
    clock.sleep(3600)
    assert time.monotonic() - began < 60
    assert clock.now() == 3900.0
    assert repr(clock) == "<ManualClock at 3900.0 s>"
    with pytest.raises(ValueError):
        clock.advance(-1)


def test_the_time_of_day_goes_with_it() -> None:
    clock = ManualClock(100, wall=datetime(2024, 2, 29, 12, tzinfo=timezone.utc))
    clock.sleep(86400)
    assert clock.now() == 86500.0
    assert datetime.fromtimestamp(clock.wall(), timezone.utc) == datetime(2024, 3, 1, 12, tzinfo=timezone.utc)
    assert datetime.fromtimestamp(ManualClock().wall(), timezone.utc) == datetime(2026, 1, 1, tzinfo=timezone.utc)
    with pytest.raises(ValueError):
        ManualClock(wall=datetime(1969, 12, 31, tzinfo=timezone.utc))


def test_a_client_waits_by_it(vendor: Vendor) -> None:
    clock = ManualClock()

    def answer(seen: Seen) -> Answer:
        return status_answer(seen.request_id, "Success" if clock.now() > 1800 else "In-Queue", TaskCurrentStep="x")

    vendor.answer = answer
    client = Client(base_url=vendor.url, clock=clock, **KEYS)
    assert client.wait("abc").succeeded
    assert 1800 < clock.now() < 2400
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")
    with pytest.raises(DeadlineError):
        client.wait("abc", timeout="2h")
    assert clock.now() > 2 * 3600
