"""Uses of the package that type checkers read and nobody runs. Where a line is wrong, the checker has to say so."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, Optional, Union

from typing_extensions import assert_type

import activity_status
from activity_status import (
    ActivityStatusError,
    Batch,
    Client,
    Clock,
    Done,
    Ended,
    Granted,
    Http,
    InDoubtError,
    Job,
    JobFailedError,
    Limiter,
    Look,
    Metrics,
    Operation,
    Outcome,
    Progress,
    RetryAfter,
    Settlement,
    Sleep,
    Snapshot,
    Status,
    Tracker,
    WaitAll,
)
from activity_status.testing import check_limiter

client = Client(region="in", api_key="k", quota=(25, 5.0), call_deadline=timedelta(minutes=1), proxy=None)
other = Client.from_env(
    prefix="ACTIVITY_STATUS_", region="us", quota="10/5s", connect_timeout="2s", max_attempts=3
)
assert_type(other, Client)

with client as same:
    assert_type(same, Client)
    job = same.submit({"ActivityEvent": 380, "Fields": []}, operation="activity.create")
    same.submit([{"Attribute": "City"}], operation="lead.update", query={"leadId": "1"})
    same.submit(b"{}", operation=Operation.custom("task.create", "/task/create"), path_tail="x")
    assert_type(job, Job)
    assert_type(same.status(job), Status)
    assert_type(same.status("id", operation="lead.capture"), Status)
    assert_type(same.wait(job, timeout=60, price="100ms"), Status)
    assert_type(same.metrics(), Metrics)


def of_status(status: Status) -> None:
    assert_type(status.outcome, Outcome)
    assert_type(status.request_id, str)
    assert_type(status.message, Optional[str])
    assert_type(status.settled, bool)
    assert_type(status.request_json(), Any)
    assert_type(status.to_dict(), dict[str, Any])
    assert_type(status.extra, Mapping[str, Any])
    assert_type(status.http, Optional[Http])
    assert_type(Status.from_json(status.to_json()), Status)
    assert_type(Job.from_token(job.to_token().encode()), Job)
    assert_type(Metrics.from_json("{}", operation="lead.update"), Metrics)
    assert_type(status.raise_for_outcome(), Status)
    assert_type(Status.from_json(b"{}", "lead.update"), Status)
    assert status.outcome is Outcome.FAILED
    assert {status: 1, job: 2}


def of_many(tracker: Tracker) -> None:
    mixed: list[Union[str, Job]] = ["a", job]
    waiting = client.wait_all((one for one in mixed), timeout=3600, price=timedelta(seconds=1), order="unknown")
    for found, result in waiting:
        assert_type(found, Job)
        assert_type(result, Union[Status, ActivityStatusError])
        if isinstance(result, ActivityStatusError):
            assert_type(result.sent_at, Optional[datetime])
            assert_type(result.elapsed, Optional[float])
            assert_type(result.retryable, bool)
            assert_type(result.hint, str)
            assert_type(result.last_status, Optional[Status])
        else:
            assert_type(result, Status)
    batch = Batch()
    batch.extend(waiting)
    assert_type(batch.failed, list[tuple[Job, Status]])
    assert_type(batch.errors, list[tuple[Job, ActivityStatusError]])
    assert_type(batch[0], tuple[Job, Union[Status, ActivityStatusError]])
    assert_type(batch.to_dicts(), list[dict[str, Any]])
    assert_type(batch.raise_for_outcomes(), Batch)
    with client.wait_all({"a", "b"}, operation="lead.update", on_progress=print) as same:
        assert_type(same, WaitAll)
        assert_type(dict(same), dict[Job, Union[Status, ActivityStatusError]])
    assert_type(waiting.open, list[Job])
    assert_type(waiting.add("c"), bool)
    assert_type(waiting.eta_of(job), Optional[tuple[float, float]])
    assert_type(waiting.progress, Progress)
    assert_type(waiting.progress.eta, Optional[float])
    assert_type(client.tracker(price="100ms"), Tracker)
    step = tracker.step()
    if isinstance(step, Look):
        step.send()
        assert_type(step.headers, dict[str, str])
        step.head_arrived(200, [("retry-after", "1")])
        step.answered(200, {"retry-after": "1"}, b"{}")
        step.failed("no answer", delivery="not_sent")
    elif isinstance(step, Sleep):
        assert_type(step.seconds, float)
    elif isinstance(step, Ended):
        assert_type(step.job, Job)
        assert_type(step.result, Union[Status, ActivityStatusError])
    else:
        assert_type(step, Done)


def of_metrics(metrics: Metrics) -> None:
    assert_type(metrics.pending, Optional[int])
    assert_type(metrics.max_delay, Optional[timedelta])
    assert_type(metrics.rate_per_minute, Optional[float])


class OwnLimiter:
    """With what it may have besides, and names of its own."""

    def try_acquire(self, what_for: str, clock: Clock) -> Union[Granted, RetryAfter]:
        assert_type(clock.now(), float)
        return Granted(7) if what_for == "submit" else RetryAfter(0.5)

    def settle(self, number: int, settlement: Settlement, clock: Clock) -> None:
        assert_type(settlement.how, Literal["answered", "refused", "not_sent", "in_doubt"])
        assert_type(settlement.retry_after, Optional[float])

    def leave(self) -> None:
        pass

    def snapshot(self, clock: Clock) -> Optional[Snapshot]:
        return Snapshot(1, 24, next_free_in=0.0)


class HalfALimiter:
    def try_acquire(self, call_class: str, clock: Clock) -> Granted:
        return Granted(1)


class WrongLimiter(HalfALimiter):
    def settle(self, permit: str, settlement: Settlement, clock: Clock) -> None:
        pass


def of_limiters(own: Limiter) -> None:
    Client(region="in", api_key="k", limiter=OwnLimiter())
    Client.from_env(limiter="file:/run/quota", limiter_away="5/5s", strict=True, submit_share=20)
    check_limiter(lambda number, calls, window: OwnLimiter(), window=2.0, longest_call=timedelta(minutes=1))
    assert_type(client.snapshot(), Optional[Snapshot])
    snapshot = client.snapshot()
    if snapshot:
        assert_type(snapshot.used, int)
        assert_type(snapshot.next_free_in, float)
    assert_type(own.try_acquire("poll", Clock), Union[Granted, RetryAfter])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def of_errors() -> None:
    try:
        client.submit({})
    except InDoubtError as error:
        assert_type(error.resend, Literal["safe", "may_duplicate", "pointless"])
        assert_type(error.last_status, Optional[Status])
    except JobFailedError as error:
        assert_type(error.status, Status)
    except activity_status.InterruptedError as error:
        assert_type(error.kind, str)
    except ActivityStatusError as error:
        assert_type(error.to_dict(), dict[str, Any])


def what_is_wrong(status: Status) -> None:
    Client("k")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Client(region="in", qouta="25/5s")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Client.from_env(qouta="25/5s")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.status(72003)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.wait("id", timeout=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.wait("id", first_pause=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.wait_all([7])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    client.wait_all(["id"], order="random")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.wait_all(["id"], on_progress=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.tracker(["id"])  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    Progress(1).total = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    client.submit(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    client.submit({1, 2})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Client(limiter=HalfALimiter())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Client(limiter=WrongLimiter())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    own: Limiter = object()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    Settlement("sent")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    RetryAfter("1s")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    check_limiter(OwnLimiter)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    status.state = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    status.stat  # type: ignore[attr-defined]  # pyright: ignore
