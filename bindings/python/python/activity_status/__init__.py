"""Submits jobs to LeadSquared's Async API, keeps inside the account's quota, and knows how each job went.

>>> from activity_status import Client
>>> client = Client(region="in", api_key="your-api-key")
>>> status = client.status("72003d66-aa5d-4533-9e13-73da598dedf4")  # doctest: +SKIP
>>> status.outcome  # doctest: +SKIP
<Outcome.SUCCEEDED: 'succeeded'>
"""

from ._limiter import Limiter
from ._native import (
    Client,
    Clock,
    Done,
    Ended,
    Granted,
    Job,
    Look,
    Metrics,
    Operation,
    Progress,
    RetryAfter,
    Settlement,
    Sleep,
    Snapshot,
    Status,
    Tracker,
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

# Without InterruptedError, so that `from activity_status import *` hides no built-in name.
__all__ = [
    "ActivityStatusError",
    "BadRequestError",
    "Client",
    "Clock",
    "ConfigError",
    "DeadlineError",
    "Done",
    "Ended",
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
    "NotFoundError",
    "Operation",
    "Outcome",
    "Progress",
    "RefusedError",
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
    "WaitAll",
    "__version__",
]
