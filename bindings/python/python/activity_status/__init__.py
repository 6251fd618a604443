"""Submits jobs to LeadSquared's Async API, keeps inside the account's quota, and knows how each job went.

>>> from activity_status import Client
>>> client = Client(region="in", api_key="your-api-key", access_key="your-access-key", secret_key="your-secret-key")
>>> job = client.submit({"RelatedProspectId": "b8e49bf4", "ActivityEvent": 201})  # doctest: +SKIP
>>> status = client.wait(job, timeout=600)  # doctest: +SKIP
>>> status.outcome, status.created_id, status.reason  # doctest: +SKIP
(<Outcome.SUCCEEDED: 'succeeded'>, 'a1b2...', '')

Client.from_env() takes the account from ACTIVITY_STATUS_API_KEY, _ACCESS_KEY, _SECRET_KEY, and _REGION or _BASE_URL.

Many jobs are followed together, and each comes as soon as its end is known:

>>> for job, result in client.wait_all(jobs, timeout=600):  # doctest: +SKIP
...     print(job, result)

result is a Status (status.succeeded, .failed, .reason), or the ActivityStatusError that says why there is none. Every
exception of this package is one; its hint says what to do. InDoubtError is the one to know: a submit was sent and its answer was lost,
so look in the CRM before you send it again.

``python -m activity_status sandbox`` is the vendor as a model on this machine, to try things on; ``activity_status.testing`` has
it for tests, ``AsyncClient`` is the same for asyncio and trio, ``activity_status.plugin`` describes parts of your own.
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
