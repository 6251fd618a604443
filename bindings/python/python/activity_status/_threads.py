from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable

IDLE = 5.0
"""A thread that has had nothing to do for so many seconds ends."""


class Threads:
    """A few threads for what blocks: made when they are needed, never more than ``most``, and gone when nothing is left to do.

    A program that ends does not wait for them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._begin()

    def run(self, work: Callable[[], None]) -> None:
        """Does this on one of the threads, as soon as one is free; it raises nothing. From any thread."""
        if self._process != os.getpid():
            # A fork has left the threads behind, and maybe the lock closed.
            self._begin()
        with self._changed:
            self._work.append(work)
            if len(self._work) <= self._idle:
                self._changed.notify()
            elif self._count < self._most:
                self._start()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._work: deque[Callable[[], None]] = deque()
        self._count = self._idle = 0

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name="activity-status", daemon=True)
        self._count += 1
        try:
            thread.start()
        except RuntimeError:
            self._count -= 1
            # Those that there are will come to it.
            if self._count == 0:
                self._work.pop()
                raise

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                is_over = not self._changed.wait_for(lambda: self._work, IDLE)
                self._idle -= 1
                if is_over:
                    self._count -= 1
                    return
                work = self._work.popleft()
            work()
            # What it holds is not kept until there is more to do.
            del work
