"""Every exception of this package: one class for each kind of error, under one root.

The kinds are the same words in every language: ``in_doubt`` is :class:`InDoubtError` here, ``ASTAT_E_IN_DOUBT`` in C
and ``"kind": "in_doubt"`` on the command line. A job that failed is data, not an exception, until you ask for
:meth:`Status.raise_for_outcome`.
"""

from __future__ import annotations

import builtins

from ._native import KINDS

TYPE_CHECKING = False  # The module typing takes longer to import than all of this package.
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Literal

    from ._native import Status

__all__ = [
    "ActivityStatusError",
    "BadRequestError",
    "ConfigError",
    "DeadlineError",
    "InDoubtError",
    "InterruptedError",
    "JobFailedError",
    "LedgerError",
    "LimiterError",
    "MalformedError",
    "NotFoundError",
    "RefusedError",
    "ServerError",
    "TimedOutError",
    "TransportError",
    "UnauthorizedError",
]


class ActivityStatusError(Exception):
    """The root of all exceptions of this package. None of them ever holds a key."""

    kind: str = "error"
    """What went wrong, in one word that is the same in every language."""
    message: str
    """What happened, to which request, and what to do next; also ``str(error)``."""
    resend: Literal["safe", "may_duplicate", "pointless"]
    """May the same call be made again? ``safe``: yes. ``may_duplicate``: it may have been carried out already.
    ``pointless``: it would fail again."""
    http_status: int | None
    """The HTTP status of the answer, if there was one, or at least the beginning of one."""
    vendor_type: str | None
    """The vendor's ``ExceptionType``, such as ``MXInvalidAccessKeyException``."""
    vendor_message: str | None
    """The vendor's ``ExceptionMessage``, with our keys masked."""
    vendor_body: str | None
    """The beginning of the answer that told of it, its white space folded and our keys masked."""
    request_id: str | None
    """The job that was asked about."""
    operation: str | None
    """The name of the operation, such as ``activity.create``, if one was begun."""
    attempts: int
    """How many HTTP calls were tried; of a job that was waited for, how often it was asked about. 0 if nothing was sent."""
    elapsed: float | None
    """How many seconds the whole call took, with its waits and attempts; of a job that was waited for, how long it was.
    None if nothing was begun."""
    sent_at: datetime | None
    """When the call was sent whose answer was lost, in UTC; None if a whole answer came, or nothing was sent."""
    delivery: Literal["in_doubt", "partly", "not_sent"] | None
    """Can a call whose answer was lost have arrived? ``in_doubt``: it may have. ``partly``: not all of it, so nobody can have
    acted on it. ``not_sent``: certainly not."""
    failure: Literal["connection", "timed_out", "malformed", "config", "interrupted"] | None
    """In which way the answer was lost."""
    last_status: Status | None
    """The last thing the vendor said of the job, if a wait ended before its outcome."""

    def __init__(
        self,
        message: str,
        *,
        resend: Literal["safe", "may_duplicate", "pointless"] = "pointless",
        http_status: int | None = None,
        vendor_type: str | None = None,
        vendor_message: str | None = None,
        vendor_body: str | None = None,
        request_id: str | None = None,
        operation: str | None = None,
        attempts: int = 0,
        elapsed: float | None = None,
        sent_at: datetime | None = None,
        delivery: Literal["in_doubt", "partly", "not_sent"] | None = None,
        failure: Literal["connection", "timed_out", "malformed", "config", "interrupted"] | None = None,
        last_status: Status | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.resend = resend
        self.http_status = http_status
        self.vendor_type = vendor_type
        self.vendor_message = vendor_message
        self.vendor_body = vendor_body
        self.request_id = request_id
        self.operation = operation
        self.attempts = attempts
        self.elapsed = elapsed
        self.sent_at = sent_at
        self.delivery = delivery
        self.failure = failure
        self.last_status = last_status

    @property
    def retryable(self) -> bool:
        """May the same call be made again with no harm? That is when ``resend`` is ``safe``."""
        return self.resend == "safe"

    @property
    def hint(self) -> str:
        """What to do next, in one sentence: the end of the message, or all of it where it says nothing else."""
        return KINDS.get(self.kind) or self.message

    def to_dict(self) -> dict[str, Any]:
        """The error as the object that the command line prints with ``--json``."""
        return {
            "request_id": self.request_id,
            "operation": self.operation,
            "error": {
                "kind": self.kind,
                "message": self.message,
                "resend": self.resend,
                "http_status": self.http_status,
            },
        }

    def to_json(self) -> str:
        """The error as one line of JSON, the same in every language and on the command line."""
        import json

        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    def __reduce__(self) -> tuple[Any, ...]:
        # Said in so many words, because that of OSError, the second base of some, would lose the fields.
        return type(self), (self.message,), self.__dict__


class ConfigError(ActivityStatusError, ValueError):
    """Bad input or settings. Nothing was sent."""

    kind = "config"


class TransportError(ActivityStatusError, ConnectionError):
    """No connection, or it broke."""

    kind = "transport"


class TimedOutError(ActivityStatusError, TimeoutError):
    """No answer within the time-out."""

    kind = "timed_out"


class UnauthorizedError(ActivityStatusError, PermissionError):
    """401 (or 403): the keys were not accepted. A key of another region is refused like a wrong one."""

    kind = "unauthorized"


class BadRequestError(ActivityStatusError):
    """400, or another 4xx that is not listed: the vendor did not accept the request."""

    kind = "bad_request"


class NotFoundError(ActivityStatusError, LookupError):
    """404: the path, or the job, does not exist."""

    kind = "not_found"


class RefusedError(ActivityStatusError):
    """429: more calls than the quota, by this program or another one with the same key."""

    kind = "refused"


class ServerError(ActivityStatusError):
    """5xx: the vendor failed."""

    kind = "server"


class MalformedError(ActivityStatusError, ValueError):
    """What came is not an answer: HTML, cut off, too large, a redirect, or about another job."""

    kind = "malformed"


class InDoubtError(ActivityStatusError):
    """A submit was sent and its answer was lost: the job may exist, or not.

    Look in the CRM before you send it again: that may create it twice. ``sent_at`` says when to look for, ``failure`` how
    the answer was lost, and an ``http_status`` that it had begun: 200 then makes the job very probable."""

    kind = "in_doubt"


class LimiterError(ActivityStatusError):
    """The limiter could not tell whether a call may be sent, so it was not."""

    kind = "limiter"


class LedgerError(ActivityStatusError):
    """The ledger could not be written, so nothing was sent."""

    kind = "ledger"


class DeadlineError(ActivityStatusError, TimeoutError):
    """The deadline passed first. The job goes on at the vendor's: ``last_status`` is the last that was heard of it."""

    kind = "deadline"


class InterruptedError(ActivityStatusError, builtins.InterruptedError):
    """The wait was cut short. After Ctrl-C it is the ``__cause__`` of the ``KeyboardInterrupt``, and holds what was
    known by then."""

    kind = "interrupted"


class JobFailedError(ActivityStatusError):
    """The job was not carried out, says its status. Only :meth:`Status.raise_for_outcome` raises it."""

    kind = "job_failed"
    status: Status
    """All that the vendor said of the job."""

    def __init__(self, status: Status) -> None:
        super().__init__(
            f"the job failed: {status.state}: {status.reason} ({status.operation}, request {status.request_id})",
            request_id=status.request_id,
            operation=status.operation,
            last_status=status,
        )
        self.status = status

    @property
    def hint(self) -> str:
        """What to do next, in one sentence."""
        return "Look at the reason in the vendor's words, correct what it names, and submit it anew"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status,), self.__dict__
