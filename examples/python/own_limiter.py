"""A limiter of your own: checked first, then used by a client that asks how each job stands: own_limiter.py ID...

The account is in the environment: ACTIVITY_STATUS_API_KEY and _REGION (or _BASE_URL).
"""

import itertools
import sys
import threading
from typing import Optional, Union

from activity_status import (
    ActivityStatusError,
    Client,
    Clock,
    ConfigError,
    Granted,
    RetryAfter,
    Settlement,
    Snapshot,
)
from activity_status.testing import check_limiter

LONGEST_CALL = 60.0
"""Whoever has not settled a permit by then has died."""
PATIENCE = 1.0
"""Whoever comes so much later than it was told has lost its place."""
GUARD = 0.001
"""The edge of a window belongs to it: a slot ends a little later."""


class Slots:
    """Each call holds one of so many slots until a window after its answer. First come, first served."""

    def __init__(self, calls: int, window: float) -> None:
        self.calls, self.window = calls, window
        self.lock = threading.Lock()
        self.permits = itertools.count(1)
        self.leases: dict[int, float] = {}  # Of each call in flight: when its slot is free, should it never be settled.
        self.held_until: list[float] = []  # Of each answered call: when its slot is free.
        self.waiting: dict[int, float] = {}  # In the order of coming: a thread, and when it was told to come again.
        self.paused_until = 0.0
        self.refused = 0

    def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
        me = threading.get_ident()
        with self.lock:
            now, free = self.tidy(clock, me)
            before = list(self.waiting)
            place = before.index(me) if me in before else len(before)
            if place < free and now >= self.paused_until:
                self.waiting.pop(me, None)
                permit = next(self.permits)
                self.leases[permit] = now + LONGEST_CALL + self.window + GUARD
                return Granted(permit)
            self.waiting[me] = self.due(place, now, free)
            return RetryAfter(self.waiting[me] - now)

    def leave(self) -> None:
        with self.lock:
            self.waiting.pop(threading.get_ident(), None)

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        with self.lock:
            now, _ = self.tidy(clock)
            self.leases.pop(permit, None)
            if settlement.how == "not_sent":
                return
            windows = 2 if settlement.how == "in_doubt" else 1
            self.held_until.append(now + windows * self.window + GUARD)
            if settlement.how == "refused":
                pause = self.window if settlement.retry_after is None else settlement.retry_after
                self.paused_until = max(self.paused_until, now + min(pause, 60.0))
                self.refused += 1

    def snapshot(self, clock: Clock) -> Snapshot:
        with self.lock:
            now, free = self.tidy(clock)
            place = len(self.waiting)
            at_once = place < free and now >= self.paused_until
            wait = 0.0 if at_once else self.due(place, now, free) - now
            return Snapshot(self.calls - free, free, wait, place, self.refused)

    def tidy(self, clock: Clock, me: Optional[int] = None) -> tuple[float, int]:
        """Lets go of what is over. The time, and how many slots are free then."""
        now = clock.now()
        self.leases = {permit: ends for permit, ends in self.leases.items() if ends > now}
        self.held_until = [ends for ends in self.held_until if ends > now]
        self.waiting = {
            thread: due for thread, due in self.waiting.items() if thread == me or due + PATIENCE >= now
        }
        return now, max(0, self.calls - len(self.leases) - len(self.held_until))

    def due(self, place: int, now: float, free: int) -> float:
        """When there can be a slot for whoever has this place in the queue."""
        if place < free:
            return max(self.paused_until, now + GUARD)
        in_flight = [min(ends, now + self.window + GUARD) for ends in self.leases.values()]
        kept_for_others = [now + PATIENCE] * free
        ends = sorted(self.held_until + in_flight + kept_for_others)
        rounds, nth = divmod(place - free, len(ends))
        return max(self.paused_until, ends[nth] + rounds * self.window, now + GUARD)


def check() -> None:
    """Puts it through the checks of the package's own limiters."""
    shared: dict[int, Slots] = {}
    check_limiter(lambda number, calls, window: shared.setdefault(number, Slots(calls, window)))
    print("every check passed")


def main(ids: list[str]) -> int:
    if not ids:
        print("usage: own_limiter.py ID...", file=sys.stderr)
        return 2
    check()
    try:
        with Client.from_env(limiter=Slots(25, 5.0)) as client:
            for request_id in ids:
                status = client.status(request_id)
                print(f"{status.request_id}  {status.outcome}")
            print(client.snapshot())
    except ActivityStatusError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 4
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
