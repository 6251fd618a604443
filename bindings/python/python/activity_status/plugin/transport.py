from typing import Literal, Protocol

from .._native import Request, Response


class Transport(Protocol):
    """What sends the requests: ``Client(transport=...)`` takes any function, or an object with ``send``.

    It runs on the thread that makes the call, with no lock of ours held; ``wait_all`` then asks its questions on the
    thread that waits, one after the other. It sends each request once, follows no redirect, keeps to ``time_left``, and
    gives any answer as it is, whatever its status.

    If no whole answer comes it raises an ``OSError``, such as ``ConnectionError`` or ``TimeoutError``, and the client does
    what it does for its own transport: a question goes out again, a submit becomes an :class:`InDoubtError`. A connection
    that was refused and a host that is unknown mean that nothing was sent; else raise :class:`TransportFailure` to say so. Anything
    else that it raises, such as a ``TypeError``, comes out of the call as it is.
    """

    def __call__(self, request: Request, /) -> Response:
        """Sends the request and waits for the whole answer."""
        ...


class AsyncTransport(Protocol):
    """A transport that is awaited: :class:`activity_status.AsyncClient` takes a coroutine function, or an object whose
    ``send`` is one. All else is as of a :class:`Transport`; several exchanges may be under way at a time. A task that is
    cancelled cancels the exchange of its call.
    """

    async def __call__(self, request: Request, /) -> Response:
        """Sends the request and awaits the whole answer."""
        ...


class TransportFailure(ConnectionError):
    """Raised by a transport that knows more of a failure than an ``OSError`` tells.

    - delivery: can the request have arrived? "not_sent": certainly not; it does not count against the quota, and a submit
      may be sent again. "partly": not all of it. "in_doubt": it may have.
    - failure: "connection", "timed_out", or "malformed": what came is no answer.
    """

    delivery: Literal["not_sent", "partly", "in_doubt"]
    failure: Literal["connection", "timed_out", "malformed"]

    def __init__(
        self,
        message: str,
        *,
        delivery: Literal["not_sent", "partly", "in_doubt"] = "in_doubt",
        failure: Literal["connection", "timed_out", "malformed"] = "connection",
    ) -> None:
        super().__init__(message)
        self.delivery = delivery
        self.failure = failure
