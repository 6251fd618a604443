"""The checks for a limiter of one's own: what is right passes, and each mistake is named."""

import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Union

import pytest

from activity_status import Clock, ConfigError, Granted, RetryAfter, Settlement, Snapshot
from activity_status.testing import check_limiter

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "python"))

from own_limiter import Slots  # noqa: E402  # type: ignore[import-not-found]


def test_a_good_limiter_passes() -> None:
    opened: dict[int, Slots] = {}

    def open(number: int, calls: int, window: float) -> Slots:
        assert type(number) is int and type(calls) is int and type(window) is float
        return opened.setdefault(number, Slots(calls, window))

    check_limiter(open)
    assert len(opened) > 10
    windows = {limiter.window for limiter in opened.values()}
    assert windows == {5.0}
    opened.clear()
    check_limiter(open, window=2, longest_call="1m")


class WithoutPause(Slots):
    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        how = "answered" if settlement.how == "refused" else settlement.how
        super().settle(permit, Settlement(how), clock)


class HeldFromSending(Slots):
    """A sliding window counted when a call is sent, the usual mistake."""

    def try_acquire(self, call_class: str, clock: Clock) -> Any:
        answer = super().try_acquire(call_class, clock)
        if isinstance(answer, Granted):
            self.leases.pop(answer.permit)
            self.held_until.append(clock.now() + self.window)
        return answer

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        pass


class WithoutLeases(Slots):
    def try_acquire(self, call_class: str, clock: Clock) -> Any:
        answer = super().try_acquire(call_class, clock)
        if isinstance(answer, Granted):
            self.leases[answer.permit] = float("inf")
        return answer


class Impolite(Slots):
    def leave(self) -> None:
        pass


class Blind(Slots):
    def snapshot(self, clock: Clock) -> Snapshot:
        return Snapshot(0, self.calls, 0.0)


class Boundless:
    """Lets every call through."""

    def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
        return Granted(1)

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        pass


def boundless(calls: int, window: float) -> Boundless:
    return Boundless()


@pytest.mark.parametrize(
    ("limiter", "check"),
    [
        (boundless, "a slot ends with its call"),
        (HeldFromSending, "a slot ends with its call"),
        (WithoutPause, "a refusal seen by one slows all"),
        (WithoutLeases, "a holder that dies frees its slot"),
        (Impolite, "a place given up holds nobody back"),
        (Blind, "the snapshot is true"),
    ],
)
def test_a_limiter_that_is_wrong_does_not_pass(limiter: Any, check: str) -> None:
    opened: dict[int, Any] = {}
    with pytest.raises(AssertionError, match=f"^{check}: ") as caught:
        check_limiter(lambda number, calls, window: opened.setdefault(number, limiter(calls, window)))
    assert caught.value.__cause__ is None


def test_handles_that_do_not_share_do_not_pass() -> None:
    with pytest.raises(AssertionError, match="^handles share one quota: "):
        check_limiter(lambda number, calls, window: Slots(calls, window))


@pytest.mark.parametrize("method", ["try_acquire", "settle", "leave", "snapshot"])
def test_what_a_limiter_raises_is_the_cause_of_the_assertion(method: str) -> None:
    mine = ValueError("no store")

    def broken(self: Slots, *given: Any) -> Any:
        raise mine

    class Broken(Slots):
        pass

    setattr(Broken, method, broken)
    opened: dict[int, Any] = {}
    with pytest.raises(AssertionError, match=f"its {method} raised ValueError: no store") as caught:
        check_limiter(lambda number, calls, window: opened.setdefault(number, Broken(calls, window)))
    assert caught.value.__cause__ is mine and traceback.extract_tb(mine.__traceback__)[-1].name == "broken"


def test_what_open_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        check_limiter(lambda number, calls, window: 1 // 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="try_acquire"):
        check_limiter(lambda number, calls, window: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError):
        check_limiter(lambda number, calls, window: Boundless(), window=0)


def test_the_checks_end_even_if_the_limiter_does_not() -> None:
    released = threading.Event()

    class Blocking(Boundless):
        def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
            released.wait(60)
            return RetryAfter(1)

    class Slow(Slots):
        asked = 0

        def try_acquire(self, call_class: str, clock: Clock) -> Any:
            time.sleep(0.01)
            answer = super().try_acquire(call_class, clock)
            Slow.asked += 1
            return RetryAfter(1e-9) if isinstance(answer, RetryAfter) else answer

    with pytest.raises(AssertionError, match="blocks, or tells waits far too short"):
        check_limiter(lambda number, calls, window: Blocking(), timeout=0.2)
    released.set()
    opened: dict[int, Slots] = {}

    def open(number: int, calls: int, window: float) -> Slots:
        # In the seventh check, of the slots of the dead, it is asked a thousand times.
        kind = Slow if number // 100 == 7 else Slots
        return opened.setdefault(number, kind(calls, window))

    with pytest.raises(AssertionError, match="blocks, or tells waits far too short"):
        check_limiter(open, timeout=1)
    # It is asked no more.
    until = time.monotonic() + 60
    seen = -1
    while seen != Slow.asked:
        assert time.monotonic() < until
        seen = Slow.asked
        time.sleep(0.1)
