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
from ._outcome import Outcome
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .batch import Batch
else:
    # What is imported when it is first asked for, and from where.
    _LAZY = {"Batch": "batch"}

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        globals()[name] = found = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
        return found

    def __dir__():
        return sorted({*globals(), *_LAZY})


# Without InterruptedError, so that `from activity_status import *` hides no built-in name.
__all__ = [
    "ActivityStatusError",
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
