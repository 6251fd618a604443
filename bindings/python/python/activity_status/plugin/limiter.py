from typing import Literal, Protocol, Union

from .._native import Clock, Granted, RetryAfter, Settlement


class Limiter(Protocol):
    """What keeps the quota: ``Client(limiter=...)`` takes any object with these two methods, and :class:`activity_status.Limiter`
    is one.

    It keeps the account's quota: every HTTP attempt asks it for leave first. The client does the waiting; the limiter
    only computes: it must not block for long, nor call a method of a client.

    Its methods run on the thread that makes the call, a settlement too, and so may run on many at once. (``wait_all`` holds
    the wait that asks: a limiter must not ask that for its progress.) Who waits is known by ``threading.get_ident()``: a thread waits for one call at a time, and asks again
    itself. Times are seconds; ask the clock that is given, not ``time``.

    It may have two methods more:

    - ``leave()``: the calling thread was told to wait, and has given up.
    - ``snapshot(clock)``: how the quota stands, a :class:`Snapshot`, for ``Client.snapshot``. None if it does not say.

    What ``try_acquire`` and ``snapshot`` raise is the ``__cause__`` of the :class:`LimiterError` that the caller gets.
    A call goes on without ``settle`` and ``leave``, so what they raise goes to ``sys.unraisablehook``.
    ``KeyboardInterrupt`` and ``SystemExit`` leave the call as themselves. Keys are masked in our texts, not in yours.

    :func:`activity_status.testing.check_limiter` tells what a limiter gets wrong.
    """

    def try_acquire(
        self, call_class: Literal["submit", "poll", "other"], clock: Clock, /
    ) -> Union[Granted, RetryAfter]:
        """Asks for leave to send one call now: one that sends a job, asks how one went, or anything else.

        At most the quota's number of calls may reach the vendor in any window."""
        ...

    def settle(self, permit: int, settlement: Settlement, clock: Clock, /) -> None:
        """Tells once, at the moment it is known, what became of a call that was granted this permit."""
        ...
