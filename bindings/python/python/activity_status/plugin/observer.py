from typing import Protocol

from .._native import Event


class Observer(Protocol):
    """Who is told what happens: ``Client(observer=...)`` takes any function, or an object with ``on_event``.

    It runs on the thread that makes the call, several at once if many call, and it holds that call up: be quick. It
    cannot change or fail a call: what it raises goes to ``sys.unraisablehook``, but for ``KeyboardInterrupt`` and
    ``SystemExit``, which leave the call. It may use the client.
    """

    def __call__(self, event: Event, /) -> object:
        """Something has happened: see the classes within :class:`activity_status.Event`. The answer means nothing."""
        ...
