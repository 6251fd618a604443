"""How an event loop follows jobs: one task takes a tracker's steps, and any number of tasks wait for what comes of them."""

from __future__ import annotations

import contextvars
import heapq
import inspect
import itertools
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ._loops import Event, Loop
from ._native import Done, Ended, Job, Look, Sleep, Status, Tracker
from ._threads import Threads
from .errors import InterruptedError

if TYPE_CHECKING:
    from .plugin import Clock

ENDED = "the task that follows the jobs was ended; they go on at the vendor's"

Asked = Callable[["BaseException | None"], object]
OnUpdate = Callable[[Status], object]
Ask = Callable[[Loop, Look, contextvars.Context, "OnUpdate | None", Asked], None]
"""Has a look asked in this context: tells the status on any thread, and then the end on the loop's, with what was raised if that is
not the tracker's affair."""


class Follower:
    """Takes a tracker's steps in a loop, and has its looks asked."""

    def __init__(self, tracker: Tracker, loop: Loop, ask: Ask, clock: Clock | None, threads: Threads) -> None:
        self.tracker = tracker
        self.loop = loop
        self.now = time.monotonic if clock is None else clock.now
        self._ask = ask
        self._clock = clock
        self._threads = threads
        self._changed = loop.event()
        self._in_flight = 0
        self._sleeps = False
        self._raised: BaseException | None = None

    async def step(self) -> Ended | Done | Look | Sleep:
        """Takes one step. Nothing is lost if it is cancelled."""
        await self.loop.checkpoint()
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        return self.tracker.step()

    def ask(
        self,
        look: Look,
        context: contextvars.Context | None = None,
        on_update: OnUpdate | None = None,
        then: Asked | None = None,
    ) -> None:
        """Has this asked. What is raised leaves the next step, unless somebody else is told."""
        tell = then or self._failed

        def asked(raised: BaseException | None) -> None:
            self._in_flight -= 1
            tell(raised)
            self.wake()

        self._in_flight += 1
        self._ask(self.loop, look, context or contextvars.copy_context(), on_update, asked)

    async def sleep(self, seconds: float) -> None:
        """Does nothing for so long, or until it is woken."""
        if self._clock is None:
            await self._changed.wait(seconds)
            return
        # A clock of the program's own may let an hour pass at once: not while somebody is to answer.
        if not self._in_flight and not self._sleeps:
            self._sleeps = True
            self._threads.run(partial(contextvars.copy_context().run, self._sleep, self._clock, seconds))
        await self._changed.wait()

    def wake(self) -> None:
        """There is something to do: an answer came, or a job was added or forgotten."""
        self._changed.set()

    def _sleep(self, clock: Clock, seconds: float) -> None:
        raised: BaseException | None = None
        try:
            clock.sleep(seconds)
        except BaseException as error:
            raised = error
        self.loop.call_soon(partial(self._slept, raised))

    def _slept(self, raised: BaseException | None) -> None:
        self._sleeps = False
        self._failed(raised)
        self.wake()

    def _failed(self, raised: BaseException | None) -> None:
        self._raised = self._raised or raised


class Waits:
    """The waits that share a tracker, and the one task that follows it as long as there are any."""

    def __init__(self, follower: Follower, over: Callable[[], object]) -> None:
        self._follower = follower
        self._over = over
        self._of: dict[Job, dict[_Wait, None]] = {}
        self._deadlines: list[tuple[float, int, _Wait]] = []
        self._number = itertools.count()
        self._left = 0
        follower.loop.spawn(self._follow)

    async def wait(self, job: Job, timeout: float, on_update: OnUpdate | None) -> Status:
        """Until the job ends, or for so long. It is followed as long as anybody waits for it."""
        wait = _Wait(job, timeout, self._follower.loop.event(), is_told=on_update is not None)
        self._join(wait)
        try:
            while wait.result is None:
                await wait.event.wait()
                while on_update is not None and wait.updates:
                    await called(on_update, wait.updates.popleft())
            if isinstance(wait.result, Status):
                return wait.result
            raise wait.result
        finally:
            self._leave(wait)
            # An exception knows this frame, and must not be known by it.
            del wait

    def _join(self, wait: _Wait) -> None:
        if wait.job not in self._of:
            self._follower.tracker.add(wait.job)
        self._of.setdefault(wait.job, {})[wait] = None
        heapq.heappush(self._deadlines, (self._follower.now() + wait.timeout, next(self._number), wait))
        if wait.timeout <= 0:
            self._expire()
        self._follower.wake()

    def _leave(self, wait: _Wait) -> None:
        wait.has_left = True
        waits = self._of.get(wait.job, {})
        if waits.pop(wait, wait) is None and not waits:
            self._forget(wait.job)
        # The deadlines of those who have left are let go of many at a time, which costs each next to nothing.
        self._left += 1
        if self._left > len(self._deadlines) // 2:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].has_left]
            heapq.heapify(self._deadlines)
            self._left = 0

    def _forget(self, job: Job) -> None:
        del self._of[job]
        self._follower.tracker.forget(job)
        self._follower.wake()

    async def _follow(self) -> None:
        try:
            while self._of:
                step = await self._follower.step()
                if isinstance(step, Look):
                    self._ask(step)
                elif isinstance(step, Ended):
                    self._end(step)
                elif isinstance(step, Sleep):
                    await self._follower.sleep(min(step.seconds, self._time_left()))
                self._expire()
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # A task that nobody waits for raises nothing.
            self._end_all(error)
        except BaseException:
            self._end_all(InterruptedError(ENDED, resend="safe"))
            raise
        finally:
            self._over()

    def _ask(self, look: Look) -> None:
        job = look.job
        waits = self._of.get(job) if job is not None else None
        if job is None or not waits:
            return self._follower.ask(look)
        statuses: list[Status] = []
        on_update = statuses.append if any(wait.is_told for wait in waits) else None
        context = next(iter(waits)).context.copy()
        self._follower.ask(look, context, on_update, partial(self._asked, job, statuses))

    def _asked(self, job: Job, statuses: list[Status], raised: BaseException | None) -> None:
        for wait in self._of.get(job, ()):
            for status in statuses:
                wait.tell(status)
            if raised is not None:
                wait.end(raised)
        if raised is not None and job in self._of:
            self._forget(job)

    def _end(self, ended: Ended) -> None:
        for wait in self._of.pop(ended.job, ()):
            # Of somebody who came when the last look was on its way already.
            if isinstance(ended.result, Status) and ended.result != wait.last:
                wait.tell(ended.result)
            wait.end(ended.result)

    def _end_all(self, error: BaseException) -> None:
        """None can be followed any further. What ends the program is raised by one of those who wait."""
        waits = [wait for waits in self._of.values() for wait in waits]
        self._of.clear()
        for wait in waits:
            wait.end(error)
            if not isinstance(error, Exception):
                error = InterruptedError(ENDED, resend="safe")

    def _expire(self) -> None:
        now = self._follower.now()
        while self._deadlines and self._deadlines[0][0] <= now:
            wait = heapq.heappop(self._deadlines)[2]
            # Without an error the job has ended just now, and the next steps will say how.
            error = None if wait.has_left else self._follower.tracker.deadline_error(wait.job, wait.timeout)
            if error is not None:
                wait.end(error)

    def _time_left(self) -> float:
        return max(self._deadlines[0][0] - self._follower.now(), 0.0) if self._deadlines else float("inf")


class _Wait:
    """Somebody who waits for a job."""

    __slots__ = ("context", "event", "has_left", "is_told", "job", "last", "result", "timeout", "updates")

    def __init__(self, job: Job, timeout: float, event: Event, is_told: bool) -> None:
        self.job = job
        self.timeout = timeout
        self.event = event
        self.is_told = is_told
        self.updates: deque[Status] = deque()
        self.context = contextvars.copy_context()
        self.last: Status | None = None
        self.result: Status | BaseException | None = None
        self.has_left = False

    def tell(self, status: Status) -> None:
        if self.is_told:
            self.last = status
            self.updates.append(status)
            self.event.set()

    def end(self, result: Status | BaseException) -> None:
        if self.result is None:
            self.result = result
            self.event.set()


async def called(function: Callable[..., object], argument: object) -> None:
    """Calls what the program has given: a function, or a coroutine function."""
    told = function(argument)
    if inspect.isawaitable(told):
        await told
