"""The sandbox in the process: the vendor under a time of its own."""

import gc
import threading
import time
from datetime import timedelta
from typing import Any, Optional

import pytest

from activity_status import (
    ConfigError,
    DeadlineError,
    InDoubtError,
    Job,
    MalformedError,
    Operation,
    Outcome,
    RefusedError,
    ServerError,
    Status,
    UnauthorizedError,
)
from activity_status.testing import Book, Sandbox

ACTIVITY = {"RelatedProspectId": "a-lead", "ActivityEvent": 201}


def activity(number: int, note: str = "") -> dict[str, Any]:
    return {**ACTIVITY, "ActivityEvent": number, "ActivityNote": note}


def test_a_job_of_an_hour_is_over_at_once() -> None:
    sandbox = Sandbox(rate_per_minute=1 / 60)
    client = sandbox.client()
    began = time.monotonic()
    status = client.wait(client.submit(ACTIVITY), timeout="2h")
    assert status.outcome is Outcome.SUCCEEDED
    assert 3600 <= sandbox.clock.now() < 3700
    assert time.monotonic() - began < 60, "it waited in the time of the machine"


def history(**settings: Any) -> tuple[list[tuple[str, str]], Book, float]:
    sandbox = Sandbox(latency=(0.01, 0.3), spread=1, system_errors=0.2, application_errors=0.2, **settings)
    client = sandbox.client()
    jobs = [client.submit(activity(number)) for number in range(60)]
    ends: list[tuple[str, str]] = []
    for job, result in client.wait_all(jobs, timeout="20h"):
        assert isinstance(result, Status)
        ends.append((job.request_id, result.state))
    return ends, sandbox.book, sandbox.clock.now()


def test_the_same_seed_has_the_same_history() -> None:
    first = history(seed=7)
    assert first == history(seed=7)
    ends, book, _ = first
    other, _, _ = history(seed=8)
    assert {job for job, _ in ends}.isdisjoint(job for job, _ in other)
    assert (book.accepted, book.settled, book.refused, book.duplicates) == (60, 60, 0, 0)
    assert 0 < book.failed < 30 and len(ends) == 60


def test_what_becomes_of_a_job_is_in_its_text() -> None:
    sandbox = Sandbox(rate_per_minute=6000)
    client = sandbox.client()
    notes = ["", "sandbox:fail=MXOdd: no such event", "sandbox:error", "sandbox:retry=2"]
    ends = [client.wait(client.submit(activity(201, note)), timeout="10h") for note in notes]
    assert [(end.outcome.value, end.state) for end in ends] == [
        ("succeeded", "Success"),
        ("failed", "FAILURE"),
        ("failed", "ERROR"),
        ("succeeded", "Success"),
    ]
    assert ends[1].reason == "MXOdd: no such event"
    assert sandbox.clock.now() > 30 + 120
    with pytest.raises(DeadlineError) as caught:
        client.wait(client.submit(activity(202, "sandbox:never")), timeout=3600)
    assert caught.value.last_status is not None and caught.value.last_status.state == "ERROR"


def test_the_client_keeps_the_quota_of_the_sandbox() -> None:
    sandbox = Sandbox(quota="3/10s")
    client = sandbox.client()
    for number in range(9):
        client.submit(activity(number))
    book = sandbox.book
    assert (book.accepted, book.refused, book.busiest_window) == (9, 0, 3)
    assert 20 < sandbox.clock.now() < 25
    hasty = sandbox.client(quota="100/1s", max_attempts=1)
    with pytest.raises(RefusedError):
        for number in range(9, 19):
            hasty.submit(activity(number))
    assert sandbox.book.refused == 1


@pytest.mark.parametrize(
    "fault, expected, accepted",
    [
        ("unreachable", None, 1),
        ("server_error", ServerError, 0),
        ("silence", InDoubtError, 0),
        ("reset", InDoubtError, 0),
        ("answer_lost", InDoubtError, 1),
        ("too_many_requests", None, 1),
    ],
)
def test_a_fault_strikes_the_calls_that_it_is_planned_for(
    fault: Any, expected: Optional[type[BaseException]], accepted: int
) -> None:
    sandbox = Sandbox()
    client = sandbox.client()
    sandbox.fault("pass", times=1, on="status")
    sandbox.fault(fault, on="submit")
    client.metrics()
    if expected is None:
        client.submit(ACTIVITY)
    else:
        with pytest.raises(expected):
            client.submit(ACTIVITY)
    assert (sandbox.book.faults, sandbox.book.accepted) == (1, accepted)
    assert len(sandbox.request_ids) == accepted
    client.submit(activity(202))
    assert sandbox.book.accepted == accepted + 1


def test_answers_of_a_test_s_own() -> None:
    sandbox = Sandbox()
    client = sandbox.client(max_attempts=1)
    told = {"RequestId": "72003d66", "TaskStatus": {"TaskType": "Odd", "Status": "Dancing", "StatusReason": "why not"}}
    sandbox.answer(Job("72003d66"), 200, told)
    status = client.status("72003d66")
    assert (status.state, status.outcome, status.task_type) == ("Dancing", Outcome.PENDING, "Odd")
    sandbox.answer("72003d66", 401, b'{"ExceptionType": "MXGone", "ExceptionMessage": "gone"}')
    with pytest.raises(UnauthorizedError) as caught:
        client.status("72003d66")
    assert caught.value.vendor_type == "MXGone"
    sandbox.answer("slow", 429, "", headers={"retry-after": "7"})
    with pytest.raises(RefusedError):
        client.status("slow")


def test_the_keys_are_looked_at() -> None:
    sandbox = Sandbox(api_key="k1", access_key="k2", secret_key="k3")
    assert sandbox.client().submit(ACTIVITY)
    assert sandbox.client(key_placement="query").submit(ACTIVITY)
    with pytest.raises(UnauthorizedError):
        sandbox.client(secret_key="another").submit(ACTIVITY)
    book = sandbox.book
    assert (book.unauthorized, book.accepted, book.duplicates) == (1, 2, 1)


def test_the_book_is_a_copy_that_compares() -> None:
    sandbox = Sandbox()
    before = sandbox.book
    assert before == sandbox.book == Sandbox(seed=3).book
    assert repr(before) == "<Book nothing yet>"
    sandbox.client().metrics()
    assert before != sandbox.book and before.calls == 0
    assert repr(sandbox.book) == "<Book calls=1, metrics_calls=1, busiest_window=1>"
    assert repr(sandbox) == "<Sandbox at 0.0 s: calls=1, metrics_calls=1, busiest_window=1>"


def test_a_wrong_setting_is_named() -> None:
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"nonsense": 1}, TypeError, "nonsense"),
        ({"workers": "many"}, TypeError, "workers"),
        ({"rate_per_minute": -1}, ConfigError, "rate_per_minute"),
        ({"system_errors": 1.5}, ConfigError, "system_errors"),
        ({"order": "any"}, ConfigError, "fifo, lifo, shuffled"),
        ({"latency": (2, 1)}, ConfigError, "latency"),
        ({"outages": "1"}, TypeError, "outages"),
        ({"fault_kinds": ["earthquake"]}, ConfigError, "earthquake"),
        ({"custom": ["/x"]}, TypeError, "custom"),
        ({"quota": "many"}, ConfigError, "many"),
        ({"slow_body": -1}, ConfigError, "-1"),
    ]
    for settings, error, name in wrong:
        with pytest.raises(error, match=name):
            Sandbox(**settings)
    with pytest.raises(ConfigError, match="earthquake"):
        Sandbox().fault("earthquake")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert Sandbox(rate_per_minute=None).book == Sandbox().book


def now_after(calls: int, **settings: Any) -> float:
    """The time when so many jobs were submitted and are settled."""
    settings.setdefault("rate_per_minute", 60)
    sandbox = Sandbox(**settings)
    client = sandbox.client()
    for job in [client.submit(activity(number)) for number in range(calls)]:
        client.wait(job, timeout="48h")
    return sandbox.clock.now()


def test_how_the_queue_behaves_is_set() -> None:
    plain = now_after(3)
    assert 3 <= plain < 5
    assert now_after(3, workers=3) >= 3, "the rate is that of all workers together"
    assert now_after(3, others_ahead=60) > 60
    assert now_after(3, outages=[(0, "1h")]) > 3600
    assert now_after(3, error_spells=[(0, timedelta(minutes=2))], ladder=["10m"]) > 600
    assert now_after(1, system_errors=1, system_errors_again=0, ladder=[90]) > 90
    assert now_after(3, spread=1) != plain != now_after(3, latency=0.1)


def test_how_calls_are_answered_is_set() -> None:
    sandbox = Sandbox(latency_in=0.25, latency_out=(0.5, 0.5), slow_body=3, unknown_id="empty_status", max_jobs=1)
    client = sandbox.client(max_attempts=1)
    client.metrics()
    assert sandbox.clock.now() == 0.75
    sandbox.fault("slow_body")
    client.metrics()
    assert sandbox.clock.now() == 4.5
    with pytest.raises(MalformedError):
        client.status("72003d66")
    client.submit(ACTIVITY)
    with pytest.raises(ServerError):
        client.submit(ACTIVITY)

    own = Sandbox(custom={"/own": "Own Task"}, spellings="all")
    client = own.client()
    operation = Operation.custom("own", "/own")
    statuses = [client.status(client.submit({"a": 1}, operation=operation)) for _ in range(5)]
    assert {status.task_type for status in statuses} == {"Own Task"}
    assert len({status.state for status in statuses}) > 2

    unlucky = Sandbox(fault_probability=1, fault_kinds=["server_error"])
    with pytest.raises(ServerError):
        unlucky.client(max_attempts=1).metrics()


@pytest.mark.parametrize("window, counts", [("sliding", False), ("fixed", False), ("bucket", False), ("sliding", True)])
def test_what_kind_of_window_is_kept_is_set(window: Any, counts: bool) -> None:
    sandbox = Sandbox(quota=(2, 10), window=window, refusals_count=counts)
    hasty = sandbox.client(quota="1000/1s", max_attempts=1)
    admitted: list[int] = []
    for at in [0, 0, 1, 9, 12, 12]:
        sandbox.clock.advance(at - sandbox.clock.now())
        try:
            hasty.metrics()
            admitted.append(at)
        except RefusedError:
            pass
    expected = {"sliding": [0, 0, 12, 12], "fixed": [0, 0, 12, 12], "bucket": [0, 0, 9, 12]}
    assert admitted == ([0, 0, 12] if counts else expected[window])


def test_another_thread_gets_an_error_and_no_history_of_luck() -> None:
    sandbox = Sandbox()
    client = sandbox.client()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            client.submit(ACTIVITY)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    (error,) = caught
    assert isinstance(error, RuntimeError) and "SandboxServer" in str(error)
    assert sandbox.book.calls == 0
    client.submit(ACTIVITY)
    assert sandbox.book.accepted == 1


def test_a_client_keeps_the_sandbox() -> None:
    client = Sandbox().client()
    gc.collect()
    assert client.submit(ACTIVITY)
