"""The client for asyncio and trio."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from . import _loops
from ._calls import Blocking, Call, exchanged
from ._follow import Asked, Follower, OnUpdate, Waits, called
from ._native import (
    CancelToken,
    Client,
    Done,
    Ended,
    Job,
    Limiter,
    Look,
    Metrics,
    Progress,
    Request,
    Sleep,
    Snapshot,
    Status,
    Tracker,
    _seconds,
)
from ._threads import Threads
from .errors import ActivityStatusError

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from . import plugin
    from .plugin import AsyncTransport
    from ._native import _AsyncOptions, _Operation, _Time

__all__ = ["AsyncClient", "AsyncWaitAll"]

Result = TypeVar("Result")

AT_A_TIME = 16
"""So many looks may be asked at a time, and as many other calls be made: a thread for each, while it lasts."""

FOREVER = 1e9
"""The tracker that the waits of a client share has no deadline of its own. In seconds."""

TELL = 1.0
"""While nothing ends, progress is told so often."""


class AsyncClient:
    """Submits jobs and asks how they went, inside the quota, for asyncio and for trio: the same as Client, to be awaited.

    It takes what Client takes. A transport may be a coroutine function too (or an object whose ``send`` is one): the
    exchanges are then made in the loop. Else each has a thread while it lasts, sixteen at the most; a program that ends
    does not wait for them. Waits hold no thread and no task: those of one loop are followed together, by one task of the
    client's that exists as long as there are any, and so any number of them costs no more calls than the quota has.

    Cancel the task, or bound its time, where Client has ``cancel=``. The task then goes on at once. A job that nobody waits
    for any more is not asked about. A submit is given up if it was not sent; if it was, nobody is left to raise
    InDoubtError to, and so the logger activity_status.http warns, with the id of the job if there is one: to be told, use
    deadline.

    One client may be used from several loops, on several threads, and from one loop after the other. The steps of a wait
    are taken on the loop's thread: a limiter that is asked elsewhere ("redis://...") holds up the loop until it has
    answered. Parts of your own run there or on one of the threads, in a copy of the caller's context.

    Use it as an async context manager, or await aclose, or leave it to the garbage collector.
    """

    def __init__(self, **settings: Unpack[_AsyncOptions]) -> None:
        self._begin(partial(Client), settings)

    @classmethod
    def from_env(cls, prefix: str = "ACTIVITY_STATUS_", **overrides: Unpack[_AsyncOptions]) -> Self:
        """A client with the keys, the address and the limiter of the environment, as Client.from_env makes it."""
        client = cls.__new__(cls)
        client._begin(partial(Client.from_env, prefix), overrides)
        return client

    def with_options(self, **overrides: Unpack[_AsyncOptions]) -> Self:
        """The same client with other settings or parts: the same quota, connections and threads, as Client.with_options."""
        client = type(self).__new__(type(self))
        client._begin(self._client.with_options, overrides, self)
        return client

    @property
    def limiter(self) -> Limiter:
        """What keeps the quota. Others share it who are given it as their limiter, a Client too."""
        return self._client.limiter

    async def submit(
        self,
        body: Mapping[str, Any] | Sequence[Any] | str | bytes,
        *,
        operation: _Operation = "activity.create",
        query: Mapping[str, str] | None = None,
        path_tail: str | None = None,
        deadline: _Time | None = None,
    ) -> Job:
        """Sends one job: see Client.submit. If it is cancelled when it may have been sent, that is logged."""
        made = partial(self._client.submit, body, operation=operation, query=query, path_tail=path_tail)
        return await self._call(made, deadline)

    async def status(
        self, request_id: str | Job, *, operation: _Operation | None = None, deadline: _Time | None = None
    ) -> Status:
        """Asks once how a job stands: see Client.status."""
        return await self._call(partial(self._client.status, request_id, operation=operation), deadline)

    async def metrics(
        self, *, operation: _Operation = "activity.create", deadline: _Time | None = None
    ) -> Metrics:
        """Asks how long the operation's queue is."""
        return await self._call(partial(self._client.metrics, operation=operation), deadline)

    async def wait(
        self,
        request_id: str | Job,
        *,
        operation: _Operation | None = None,
        timeout: _Time = 3600.0,
        price: _Time | None = None,
        order: Literal["submitted", "unknown"] | None = None,
        on_update: Callable[[Status], object] | None = None,
    ) -> Status:
        """Asks until the job is settled: succeeded or failed. One question that fails for a while loses nothing.

        DeadlineError, with the last_status, says that it was not settled within the timeout. The waits of a loop are
        followed together, as by wait_all, and those for the same job are one: begin them in the order in which the jobs
        were submitted, or say order="unknown". price and order are those of wait_all. on_update is called with each
        Status that is read, the last one too, in the task that waits; it may be a coroutine function. What it raises ends
        the wait.
        """
        job = _job(request_id, operation)
        seconds = _seconds(timeout)
        waits = self._waits_here(None if price is None else _seconds(price), order)
        return await waits.wait(job, seconds, on_update)

    def wait_all(
        self,
        jobs: Iterable[str | Job],
        *,
        operation: _Operation = "activity.create",
        timeout: _Time = 3600.0,
        price: _Time | None = None,
        order: Literal["submitted", "unknown"] | None = None,
        schedule: plugin.Schedule | None = None,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> AsyncWaitAll:
        """Follows many jobs over the client's one quota, and yields each, with its Status, as soon as its end is known:

            async for job, result in client.wait_all(jobs):

        All is as Client.wait_all says. on_progress runs in the task that waits, and may be a coroutine function. Leave
        the loop when you like: nothing is asked while nobody waits in it.
        """
        if isinstance(jobs, (str, bytes, Job)):
            given = type(jobs).__name__
            raise TypeError(f"jobs are an iterable of request ids or Jobs, not one {given}: put it in a list")
        if on_progress is not None and not callable(on_progress):
            raise TypeError(f"on_progress is called: {type(on_progress).__name__} cannot be")
        if order is None and isinstance(jobs, (set, frozenset)):
            order = "unknown"
        tracker = self._client.tracker(timeout=timeout, price=price, order=order, schedule=schedule)
        for job in list(jobs):
            tracker.add(job, operation=operation)
        return AsyncWaitAll(tracker, self._follower, on_progress)

    async def snapshot(self) -> Snapshot | None:
        """How the quota stands, for all who share this client's limiter. None if the limiter does not say."""
        loop = _loops.current()
        return await Call(loop, lambda token: self._client.snapshot()).made(self._calling)

    async def aclose(self) -> None:
        """Lets go of the connections. Calls and waits that are under way end as they would; a later one raises ConfigError."""
        self._client.close()
        await _loops.current().checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def __repr__(self) -> str:
        return f"<Async{repr(self._client)[1:]}"

    def _begin(
        self, make: Callable[..., Client], settings: Mapping[str, Any], like: AsyncClient | None = None
    ) -> None:
        given = dict(settings)
        transport: AsyncTransport | None = like._transport if like else None
        if "transport" in given:
            transport = _asynchronous(given["transport"])
            if transport is not None:
                given["transport"] = Blocking(transport)
        self._client = make(**given)
        self._transport: AsyncTransport | None = transport
        self._clock: plugin.Clock | None = given.get("clock", like._clock if like else None)
        self._looking: Threads = like._looking if like else Threads(AT_A_TIME)
        self._calling: Threads = like._calling if like else Threads(AT_A_TIME)
        self._waits: dict[tuple[object, float | None, str], Waits] = {}

    async def _call(self, make: Callable[..., Result], deadline: _Time | None) -> Result:
        began, seconds = time.monotonic(), None if deadline is None else _seconds(deadline)

        def made(token: CancelToken) -> Result:
            # The time that it has waited for a thread counts.
            left = None if seconds is None else max(began + seconds - time.monotonic(), 0.0)
            return make(deadline=left, cancel=token)

        return await Call(_loops.current(), made).made(self._calling)

    def _waits_here(self, price: float | None, order: Literal["submitted", "unknown"] | None) -> Waits:
        loop = _loops.current()
        key = (loop.token, price, order or "submitted")

        def over() -> None:
            if self._waits.get(key) is waits:
                del self._waits[key]

        waits = self._waits.get(key)
        if waits is None:
            tracker = self._client.tracker(timeout=FOREVER, price=price, order=order)
            waits = self._waits[key] = Waits(self._follower(tracker, loop), over)
        return waits

    def _follower(self, tracker: Tracker, loop: _loops.Loop) -> Follower:
        return Follower(tracker, loop, self._ask, self._clock, self._looking)

    def _ask(
        self,
        loop: _loops.Loop,
        look: Look,
        context: contextvars.Context,
        on_update: OnUpdate | None,
        asked: Asked,
    ) -> None:
        if self._transport is None:
            self._looking.run(partial(context.run, _send, loop, look, on_update, asked))
        else:
            context.run(loop.spawn, partial(_exchange, loop, look, self._transport, on_update, asked))


class AsyncWaitAll:
    """Jobs as they end: an async iterator of pairs, each job once with its Status, or with the ActivityStatusError that says
    why there is none. That error is not raised, so that one job does not end the wait for the others.

    Make one with AsyncClient.wait_all. All goes on only while a task waits in it, one at a time. Who is cancelled there
    loses nothing: open has the rest, and a further loop over the same AsyncWaitAll goes on. As an async context manager it
    is cancelled at the end.
    """

    def __init__(
        self,
        tracker: Tracker,
        follower: Callable[[Tracker, _loops.Loop], Follower],
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        self._tracker = tracker
        self._made = follower
        self._on_progress = on_progress
        self._follower: Follower | None = None
        self._told_at = 0.0
        self._kept: Ended | None = None
        self._is_waited_in = self._is_cancelled = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Job, Status | ActivityStatusError]:
        if self._is_waited_in:
            raise RuntimeError("another task is waiting in this AsyncWaitAll")
        self._is_waited_in = True
        try:
            return await self._next()
        finally:
            self._is_waited_in = False

    def add(self, job: str | Job, *, operation: _Operation = "activity.create") -> bool:
        """Waits for one more job, a request id or a Job; False if it is waited for already. operation is that of a plain id."""
        is_new = self._tracker.add(job, operation=operation)
        self._wake()
        return is_new

    def forget(self, job: str | Job) -> bool:
        """Stops waiting for a job, a request id or a Job: the loop does not yield it any more. False if it is not waited for."""
        was_kept = self._kept is not None and self._kept.job == _job(job, None)
        if was_kept:
            self._kept = None
        was_followed = self._tracker.forget(job)
        self._wake()
        return was_kept or was_followed

    def cancel(self) -> None:
        """Ends the wait, from any thread: a loop over it ends at once. What is on its way is left to itself, and counts
        against the quota. open has the jobs that were not handed out."""
        self._is_cancelled = True
        self._wake()

    async def aclose(self) -> None:
        """The same as cancel."""
        self.cancel()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._tracker.progress

    @property
    def open(self) -> list[Job]:
        """The jobs that were not handed out yet: those to go on with. It makes a list of them all."""
        kept = [] if self._kept is None else [self._kept.job]
        return kept + self._tracker.open

    def eta_of(self, job: str | Job) -> tuple[float, float] | None:
        """In how many seconds this job, a request id or a Job, will probably be known, and one standard deviation of that;
        None if nothing tells."""
        return self._tracker.eta_of(job)

    def last_status(self, job: str | Job) -> Status | None:
        """What the vendor last said of an open job, a request id or a Job; None if it has not been asked."""
        return self._tracker.last_status(job)

    @property
    def overdue(self) -> list[Job]:
        """Open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
        asked about now and then, until the time is over."""
        return self._tracker.overdue

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()

    def __repr__(self) -> str:
        cancelled = " (cancelled)" if self._is_cancelled else ""
        return f"<AsyncWaitAll{repr(self._tracker)[len('<Tracker') : -1]}{cancelled}>"

    async def _next(self) -> tuple[Job, Status | ActivityStatusError]:
        follower = self._here()
        while not self._is_cancelled:
            if self._kept is not None:
                ended, self._kept = self._kept, None
                return ended.job, ended.result
            step = await follower.step()
            if isinstance(step, Done):
                break
            if isinstance(step, Look):
                follower.ask(step)
            elif isinstance(step, Ended):
                self._kept = step
                await self._tell(follower)
            elif self._on_progress is None:
                await follower.sleep(step.seconds)
            else:
                await follower.sleep(min(step.seconds, TELL))
                if follower.now() - self._told_at >= TELL:
                    await self._tell(follower)
        raise StopAsyncIteration

    async def _tell(self, follower: Follower) -> None:
        """What the program raises there leaves the loop, and the end that it was told of is kept."""
        if self._on_progress is not None:
            self._told_at = follower.now()
            await called(self._on_progress, self._tracker.progress)

    def _here(self) -> Follower:
        loop = _loops.current()
        if self._follower is None or self._follower.loop.token is not loop.token:
            self._follower = self._made(self._tracker, loop)
            self._told_at = self._follower.now()
        return self._follower

    def _wake(self) -> None:
        follower = self._follower
        if follower is not None:
            follower.loop.call_soon(follower.wake)


def _job(given: str | Job, operation: _Operation | None) -> Job:
    if not isinstance(given, Job):
        return Job(given) if operation is None else Job(given, operation)
    return given if operation is None else Job(given.request_id, operation, given.submitted_at)


def _asynchronous(transport: object) -> AsyncTransport | None:
    """What sends, if that is a coroutine function."""
    send = getattr(transport, "send", None)
    send = send if callable(send) else transport
    is_async = iscoroutinefunction(send) or iscoroutinefunction(getattr(send, "__call__", None))
    return cast("AsyncTransport", send) if is_async else None


def _send(loop: _loops.Loop, look: Look, on_update: OnUpdate | None, asked: Asked) -> None:
    raised: BaseException | None = None
    try:
        look.send(on_update=on_update)
    except BaseException as error:
        raised = error
    loop.call_soon(partial(asked, raised))


async def _exchange(
    loop: _loops.Loop, look: Look, transport: AsyncTransport, on_update: OnUpdate | None, asked: Asked
) -> None:
    raised: BaseException | None = None
    try:
        try:
            response = await exchanged(loop, transport, Request("GET", look.url, look.headers, None, look.time_left))
        except Exception as error:
            look.failed(error)
        else:
            look.answered(response.status, response.headers, response.body, on_update=on_update)
    except Exception as error:
        raised = error
    finally:
        asked(raised)
