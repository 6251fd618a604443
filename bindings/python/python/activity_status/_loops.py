"""What this package needs of an event loop, and how asyncio and trio do it. Neither is imported unless it runs."""

from __future__ import annotations

import contextvars
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio

    import trio

Work = Callable[[], "Coroutine[Any, Any, None]"]


def current() -> Loop:
    """The loop that the caller runs in; RuntimeError if there is none."""
    if "trio" in sys.modules and _in_trio():
        return _Trio()
    if "asyncio" in sys.modules:
        return _Asyncio()
    raise RuntimeError("an AsyncClient is used inside a running loop of asyncio or trio")


class Loop(Protocol):
    """An event loop. Its methods are called inside it, but for ``call_soon``."""

    @property
    def token(self) -> object:
        """What tells it from other loops."""

    def event(self) -> Event:
        """An event for one task to wait for."""

    def call_soon(self, work: Callable[[], object]) -> None:
        """Has the loop call this soon; from any thread. A loop that is over calls nothing."""

    def spawn(self, work: Work) -> Callable[[], object]:
        """A task of nobody's, in the caller's context; ``work`` raises nothing but its cancellation, which is what is given back."""

    async def checkpoint(self) -> None:
        """Lets other tasks run, and is cancelled if it has to be."""

    async def within(self, seconds: float, work: Work) -> None:
        """Does this work in so much time, or raises TimeoutError."""


class Event(ABC):
    """It is clear again as soon as it was waited for: whoever sets it in the meantime is heard the next time."""

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ends the wait, on the loop's thread."""
        self._is_set = True
        self._wake()

    async def wait(self, seconds: float | None = None) -> None:
        """Until it is set, or for so long. Not by two tasks at a time."""
        if not self._is_set:
            await self._sleep(seconds)
        self._is_set = False

    @abstractmethod
    def _wake(self) -> None: ...

    @abstractmethod
    async def _sleep(self, seconds: float | None) -> None: ...


class _Asyncio:
    def __init__(self) -> None:
        import asyncio

        self.token = asyncio.get_running_loop()

    def event(self) -> Event:
        return _AsyncioEvent(self.token)

    def call_soon(self, work: Callable[[], object]) -> None:
        try:
            self.token.call_soon_threadsafe(work)
        except RuntimeError:
            if not self.token.is_closed():
                raise

    def spawn(self, work: Work) -> Callable[[], object]:
        task = self.token.create_task(work())
        # The loop itself holds its tasks by weak references.
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return task.cancel

    async def checkpoint(self) -> None:
        import asyncio

        await asyncio.sleep(0)

    async def within(self, seconds: float, work: Work) -> None:
        import asyncio

        try:
            await asyncio.wait_for(work(), seconds)
        except asyncio.TimeoutError as error:
            raise TimeoutError from error


_tasks: set[asyncio.Task[None]] = set()


class _AsyncioEvent(Event):
    __slots__ = ("_loop", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _sleep(self, seconds: float | None) -> None:
        self._waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


def _in_trio() -> bool:
    import trio

    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class _Trio:
    def __init__(self) -> None:
        import trio

        self.token = trio.lowlevel.current_trio_token()

    def event(self) -> Event:
        return _TrioEvent()

    def call_soon(self, work: Callable[[], object]) -> None:
        import trio

        try:
            self.token.run_sync_soon(work)
        except trio.RunFinishedError:
            pass

    def spawn(self, work: Work) -> Callable[[], object]:
        import trio

        scope = trio.CancelScope()

        async def task() -> None:
            with scope:
                await work()

        trio.lowlevel.spawn_system_task(task, context=contextvars.copy_context())
        return scope.cancel

    async def checkpoint(self) -> None:
        import trio

        await trio.lowlevel.checkpoint()

    async def within(self, seconds: float, work: Work) -> None:
        import trio

        try:
            with trio.fail_after(seconds):
                await work()
        except trio.TooSlowError as error:
            raise TimeoutError from error


class _TrioEvent(Event):
    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        super().__init__()
        self._waiter: trio.Event | None = None

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.set()

    async def _sleep(self, seconds: float | None) -> None:
        import trio

        self._waiter = trio.Event()
        try:
            with trio.move_on_after(float("inf") if seconds is None else seconds):
                await self._waiter.wait()
        finally:
            self._waiter = None
