"""The checks for a transport and a clock of one's own: what is right passes, and each mistake is named."""

import time
from typing import Any, Callable

import pytest

from activity_status import NativeTransport, Request, Response
from activity_status.testing import ManualClock, check_clock, check_transport

http = NativeTransport()


def twice(request: Request) -> Response:
    http(request)
    return http(request)


def without_status(request: Request) -> Response:
    response = http(request)
    return Response(200, response.headers, response.body)


def following(request: Request) -> Response:
    response = http(request)
    location = response.headers.get("location")
    if location and location.startswith("http"):
        return http(Request("GET", location, request.headers))
    return response


def telling_the_key(request: Request) -> Response:
    try:
        return http(request)
    except OSError as error:
        told: Any = type(error)(f"{error} at {request.url}")
        told.delivery, told.failure = getattr(error, "delivery"), getattr(error, "failure")
        raise told from None


def sure_that_nothing_was_sent(request: Request) -> Response:
    try:
        return http(request)
    except OSError as error:
        setattr(error, "delivery", "not_sent")
        raise


def test_a_transport_that_is_right_passes() -> None:
    check_transport(http)

    def stacked(request: Request) -> Response:
        return http(request)

    check_transport(stacked)


@pytest.mark.parametrize(
    "transport, check",
    [
        (twice, "a request arrives as it was given"),
        (without_status, "every status is an answer"),
        (following, "no redirect is followed"),
        (sure_that_nothing_was_sent, "half an answer is none"),
        (telling_the_key, "an error shows no key"),
    ],
)
def test_a_mistake_of_a_transport_is_named(transport: Callable[[Request], Response], check: str) -> None:
    with pytest.raises(AssertionError, match=f"^{check}: "):
        check_transport(transport)


def test_a_bug_of_a_transport_is_the_cause() -> None:
    def send(request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    with pytest.raises(AssertionError, match="no failure of an exchange") as caught:
        check_transport(send)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(TypeError):
        check_transport(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Machine:
    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    def sleep(self, seconds: float, /) -> None:
        time.sleep(seconds)


class Backwards(Machine):
    def now(self) -> float:
        return 1e6 - time.monotonic()


class Hasty(Machine):
    def sleep(self, seconds: float, /) -> None:
        time.sleep(seconds / 2)


class OfMilliseconds(Machine):
    def wall(self) -> float:
        return time.time() * 1000


class Hanging(Machine):
    def sleep(self, seconds: float, /) -> None:
        time.sleep(5)


class Broken(Machine):
    def now(self) -> float:
        raise ZeroDivisionError("a bug")


def test_a_clock_that_is_right_passes() -> None:
    check_clock(Machine())
    check_clock(ManualClock())


@pytest.mark.parametrize(
    "clock, check",
    [
        (Backwards(), "the time never goes back"),
        (Hasty(), "a sleep lasts as long as it was told"),
        (OfMilliseconds(), "the time of day is one"),
        (Broken(), "it raised ZeroDivisionError"),
    ],
)
def test_a_mistake_of_a_clock_is_named(clock: Machine, check: str) -> None:
    with pytest.raises(AssertionError, match=f"^{check}"):
        check_clock(clock)


def test_checks_that_do_not_end_are_left() -> None:
    with pytest.raises(AssertionError, match="not enough for the checks"):
        check_clock(Hanging(), timeout=0.3)
