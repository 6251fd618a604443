"""What has become of many jobs, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Union, overload

from ._html import table
from ._native import Job, Status
from .errors import ActivityStatusError

__all__ = ["Batch"]

#: How a job ended: with its status, or with the exception that says why there is none.
Result = Union[Status, ActivityStatusError]


class Batch(Sequence[tuple[Job, Result]]):
    """Jobs and how each ended: a sequence of the pairs that :meth:`Client.wait_all` yields.

    >>> batch = Batch()
    >>> batch.extend(client.wait_all(jobs))  # doctest: +SKIP
    >>> pandas.DataFrame(batch.to_dicts())  # doctest: +SKIP

    Ctrl-C in ``extend`` loses nothing: the batch holds every job that has ended, the ``open`` of the wait the others, and
    the same call goes on with them. A batch is no safer for threads than a list.
    """

    def __init__(self, pairs: Iterable[tuple[Job, Result]] = ()) -> None:
        self._pairs: list[tuple[Job, Result]] = []
        self.extend(pairs)

    def extend(self, pairs: Iterable[tuple[Job, Result]]) -> None:
        """Takes in each pair as it comes, such as those of a ``WaitAll``. It blocks as long as that does, and raises what
        that raises; the pairs before it are kept."""
        # Not in a loop of Python's, where Ctrl-C could come between taking a pair and keeping it.
        self._pairs.extend(pairs)

    @property
    def succeeded(self) -> list[tuple[Job, Status]]:
        """The jobs that were carried out."""
        return [(job, status) for job, status in self._statuses() if status.succeeded]

    @property
    def failed(self) -> list[tuple[Job, Status]]:
        """The jobs that were not, as the vendor says: see the ``reason`` of each, and its ``request_json()``."""
        return [(job, status) for job, status in self._statuses() if status.failed]

    @property
    def errors(self) -> list[tuple[Job, ActivityStatusError]]:
        """The jobs of which no outcome is known, and why. Wait for them again, or look them up in the CRM."""
        return [(job, result) for job, result in self._pairs if isinstance(result, ActivityStatusError)]

    def raise_for_outcomes(self) -> Batch:
        """Raises for the first job that is not known to have succeeded: its own error, or JobFailedError. Else it gives the
        batch itself."""
        for _, result in self._pairs:
            if isinstance(result, ActivityStatusError):
                raise result
            result.raise_for_outcome()
        return self

    def to_dicts(self) -> list[dict[str, Any]]:
        """A flat dict for each job, all with the same keys, such as ``pandas.DataFrame`` and ``csv.DictWriter`` take.

        Of a job that ended with an error, ``error`` is its kind, and what the vendor says is that of ``last_status``, if
        it said anything; of the others the keys from ``error`` on are None. ``submitted_at`` is a datetime in UTC.
        """
        return [_flat(job, result) for job, result in self._pairs]

    def _statuses(self) -> Iterator[tuple[Job, Status]]:
        return ((job, result) for job, result in self._pairs if isinstance(result, Status))

    def _repr_html_(self) -> str:
        names = ("request_id", "operation", "outcome", "state", "reason", "created_id", "error")
        rows = [[_flat(job, result)[name] for name in names] for job, result in self._pairs[:_SHOWN]]
        if len(self) > _SHOWN:
            rows.append([f"… and {len(self) - _SHOWN} more"])
        return table(names, rows)

    def __repr__(self) -> str:
        counts = f"succeeded={len(self.succeeded)} failed={len(self.failed)} errors={len(self.errors)}"
        return f"<Batch of {len(self)}: {counts}>"

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[Job, Result]]:
        return iter(self._pairs)

    @overload
    def __getitem__(self, index: int) -> tuple[Job, Result]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Job, Result]]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[tuple[Job, Result], list[tuple[Job, Result]]]:
        return self._pairs[index]


_SHOWN = 20


def _flat(job: Job, result: Result) -> dict[str, Any]:
    error = result if isinstance(result, ActivityStatusError) else None
    status = result if isinstance(result, Status) else result.last_status
    return {
        "request_id": job.request_id,
        "operation": job.operation,
        "submitted_at": job.submitted_at,
        "outcome": status and status.outcome.value,
        "state": status and status.state,
        "reason": status and status.reason,
        "task_type": status and status.task_type,
        "current_step": status and status.current_step,
        "last_step": status and status.last_step,
        "created_id": status and status.created_id,
        "related_id": status and status.related_id,
        "request_body": status and status.request_body,
        "message": status and status.message,
        "error": error and error.kind,
        "error_message": error and error.message,
        "resend": error and error.resend,
        "http_status": error and error.http_status,
        "attempts": error and error.attempts,
    }
