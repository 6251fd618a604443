"""Submits jobs to LeadSquared's Async API, keeps inside the account's quota, and knows how each job went.

>>> from activity_status import Client
>>> client = Client(region="in", api_key="your-api-key")
>>> status = client.status("72003d66-aa5d-4533-9e13-73da598dedf4")  # doctest: +SKIP
>>> status.outcome  # doctest: +SKIP
<Outcome.SUCCEEDED: 'succeeded'>
"""

from ._native import (
    CancelToken,
    Client,
    Clock,
    Done,
    Ended,
    Event,
    Granted,
    Http,
    Job,
    Limiter,
    Look,
    Metrics,
    NativeTransport,
    Operation,
    Permit,
    Poll,
    Progress,
    Request,
    Response,
    RetryAfter,
    Settlement,
    Sleep,
    Snapshot,
    Status,
    Tracker,
    Wait,
    WaitAll,
    __version__,
)
from .errors import (
    ActivityStatusError,
    BadRequestError,
    ConfigError,
    DeadlineError,
    InDoubtError,
    InterruptedError as InterruptedError,
    JobFailedError,
    LedgerError,
    LimiterError,
    MalformedError,
    NotFoundError,
    RefusedError,
    ServerError,
    TimedOutError,
    TransportError,
    UnauthorizedError,
)

# What needs `enum`, `typing` or the like is loaded when it is first asked for. Type checkers know this name by itself.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._outcome import Outcome
    from .aio import AsyncClient, AsyncWaitAll
    from .batch import Batch

_LAZY = {"AsyncClient": "aio", "AsyncWaitAll": "aio", "Batch": "batch", "Outcome": "_outcome"}

# Without InterruptedError, so that `from activity_status import *` hides no built-in name.
__all__ = [
    "ActivityStatusError",
    "AsyncClient",
    "AsyncWaitAll",
    "BadRequestError",
    "Batch",
    "CancelToken",
    "Client",
    "Clock",
    "ConfigError",
    "DeadlineError",
    "Done",
    "Ended",
    "Event",
    "Granted",
    "Http",
    "InDoubtError",
    "Job",
    "JobFailedError",
    "LedgerError",
    "Limiter",
    "LimiterError",
    "Look",
    "MalformedError",
    "Metrics",
    "NativeTransport",
    "NotFoundError",
    "Operation",
    "Outcome",
    "Permit",
    "Poll",
    "Progress",
    "RefusedError",
    "Request",
    "Response",
    "RetryAfter",
    "ServerError",
    "Settlement",
    "Sleep",
    "Snapshot",
    "Status",
    "TimedOutError",
    "Tracker",
    "TransportError",
    "UnauthorizedError",
    "Wait",
    "WaitAll",
    "__version__",
]


def __getattr__(name: str) -> object:
    """What is costly to load, such as what needs ``enum`` or ``typing``, once it is asked for."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(__import__(f"{__name__}.{_LAZY[name]}", fromlist=[name]), name)
    globals()[name] = found
    return found


def __dir__() -> "list[str]":
    return sorted({*globals(), *_LAZY})
