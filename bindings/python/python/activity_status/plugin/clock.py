from typing import Protocol


class Clock(Protocol):
    """Where the time comes from: ``Client(clock=...)`` takes any object with these methods.

    They may be called on any thread. What they raise comes out of the call that asked. With a clock of your own,
    ``wait_all`` asks its questions one after the other, on the thread that waits.

    :class:`activity_status.testing.ManualClock` and the clock of :class:`activity_status.testing.Sandbox` are some.
    """

    def now(self) -> float:
        """Seconds since a fixed, arbitrary moment. It must never go back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 (UTC), as ``time.time()``."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Returns when so many seconds of this clock have passed. It ends early only by an exception."""
        ...
