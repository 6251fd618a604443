"""Calls that block, made for a loop on threads; and exchanges of a loop, made for a call that blocks."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from ._loops import Loop
from ._native import CancelToken, Job, Request, Response
from ._threads import Threads
from .errors import ActivityStatusError

if TYPE_CHECKING:
    from .plugin import AsyncTransport

Result = TypeVar("Result")


class Call(Generic[Result]):
    """A call for one task. If that is cancelled it goes on at once, and the call ends as soon as it can."""

    def __init__(self, loop: Loop, work: Callable[[CancelToken], Result]) -> None:
        self._loop = loop
        self._work = work
        self._token = CancelToken()
        self._event = loop.event()
        self._result: list[Result] = []
        self._raised: BaseException | None = None
        self._changing = threading.Lock()
        self._is_over = self._is_left = False
        self._end_exchange: Callable[[], object] | None = None

    async def made(self, threads: Threads) -> Result:
        """Makes it on one of these threads, in the caller's context."""
        threads.run(partial(contextvars.copy_context().run, self._make))
        try:
            while not self._is_over:
                await self._event.wait()
        except BaseException:
            self._leave()
            raise
        try:
            if self._raised is not None:
                raise self._raised
            return self._result[0]
        finally:
            # An exception knows this frame, and must not be known by it.
            del self

    def exchange(self, transport: AsyncTransport, request: Request) -> Response:
        """Has the loop answer this request of the call, whose thread waits for it."""
        answer: list[Response] = []
        raised: list[BaseException] = []
        is_over = threading.Event()

        async def work() -> None:
            try:
                answer.append(await exchanged(self._loop, transport, request))
            except Exception as error:
                raised.append(error)
            finally:
                is_over.set()

        def begin() -> None:
            if self._is_left:
                is_over.set()
            else:
                self._end_exchange = self._loop.spawn(work)

        self._loop.call_soon(partial(contextvars.copy_context().run, begin))
        # A loop that is closed in the meantime says nothing.
        is_over.wait(request.time_left + 1.0)
        if raised:
            raise raised[0]
        if not answer:
            raise ConnectionAbortedError("the exchange was cancelled")
        return answer[0]

    def _make(self) -> None:
        _here.call = self
        try:
            if not self._is_left:
                self._result.append(self._work(self._token))
        except BaseException as error:
            self._raised = error
        finally:
            del _here.call
        with self._changing:
            self._is_over, is_left = True, self._is_left
        if is_left:
            self._report()
        else:
            self._loop.call_soon(self._event.set)

    def _leave(self) -> None:
        with self._changing:
            self._is_left, is_over = True, self._is_over
        self._token.cancel()
        if self._end_exchange is not None:
            self._end_exchange()
        if is_over:
            self._report()

    def _report(self) -> None:
        """What was submitted, or may have been, and nobody will hear of."""
        error = self._raised
        if self._result and isinstance(self._result[0], Job):
            job = self._result[0]
            _warn("a submit was cancelled and has gone through all the same: %s, request %s", job.operation, job)
        elif isinstance(error, ActivityStatusError) and error.resend == "may_duplicate":
            _warn("a submit was cancelled when it may have gone through: %s", error)


async def exchanged(loop: Loop, transport: AsyncTransport, request: Request) -> Response:
    """What the transport answers within the time that it has."""
    answer: list[Response] = []

    async def ask() -> None:
        answer.append(await transport(request))

    await loop.within(request.time_left, ask)
    if not isinstance(answer[0], Response):
        raise TypeError(f"a transport answers a Response, not {type(answer[0]).__name__}")
    return answer[0]


class Blocking:
    """An async transport as one that a call on a thread can wait for."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    def send(self, request: Request) -> Response:
        call: Call[object] = _here.call
        return call.exchange(self._transport, request)


_here = threading.local()
"""The call that is made on this thread."""


def _warn(message: str, *arguments: object) -> None:
    import logging

    logging.getLogger("activity_status.http").warning(message, *arguments)
