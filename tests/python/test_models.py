"""The small things that calls give back: values, all of them."""

import copy
import json
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, Vendor, status_answer

from activity_status import (
    Client,
    Granted,
    Http,
    Job,
    JobFailedError,
    MalformedError,
    Metrics,
    Operation,
    Outcome,
    Progress,
    RetryAfter,
    Settlement,
    Snapshot,
    Status,
)

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
SAMPLE = (Path(__file__).parents[1] / "vectors" / "vendor_sample.json").read_bytes()
TASKS = Operation.custom("task.create", "/task/create", "/task/state", "/task/rate")


def status(state: str = "Success", operation: Any = "activity.create", **fields: Any) -> Status:
    body = status_answer(ID, state, **fields).body
    assert body is not None
    return Status.from_json(body, operation)


def metrics() -> Metrics:
    return Metrics.from_json('{"PendingMessages":1,"MaxDelayInSeconds":1.5}', "lead.update")


VALUES: list[Callable[[], Any]] = [
    lambda: Status.from_json(SAMPLE),
    lambda: status("Later", TASKS, New=[1, {"x": "\0é"}]),
    lambda: status("FAILURE", "lead.update"),
    lambda: Job(ID),
    lambda: Job(ID, "lead.update"),
    lambda: Job(ID, TASKS),
    lambda: Operation("lead.update"),
    lambda: TASKS,
    lambda: Outcome.FAILED,
    lambda: Granted(7),
    lambda: RetryAfter(1 / 3),
    lambda: Settlement("in_doubt"),
    lambda: Settlement("refused", 1 / 3),
    lambda: Snapshot(3, 22, 1 / 3, 1, 2**40),
    metrics,
    lambda: Metrics.from_json(b'{"ProcessingRatePerMinute":24.8}'),
    lambda: Http(200, {'X-Id': '7'}, 2, 0.5, 1 / 3),
    lambda: Progress(5, 3, 1, 1, 0.5, 2.5, 0.1),
]


@pytest.mark.parametrize("value", VALUES)
def test_values_are_equal_hashed_pickled_and_copied(value: Callable[[], Any]) -> None:
    one, other = value(), value()
    assert one == other and hash(one) == hash(other)
    assert one != object() and one != "x" and one is not None
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(one, protocol))
        assert type(again) is type(one) and again == one and hash(again) == hash(one)
    assert copy.copy(one) == copy.deepcopy(one) == one


@pytest.mark.parametrize("value", [value for value in VALUES if not isinstance(value(), Outcome)])
def test_values_do_not_change(value: Callable[[], Any]) -> None:
    one = value()
    names = [name for name in dir(one) if not name.startswith("_")]
    for name in [*names, "new"]:
        with pytest.raises(AttributeError):
            setattr(one, name, None)


def test_an_answer_tells_how_it_came(client: Client, vendor: Vendor) -> None:
    secret = "session=s3cr3t-cookie"
    plain = status_answer(ID).body
    vendor.answer = lambda seen: Answer(plain, headers={"X-Trace": "7", "Set-Cookie": secret})
    one = client.status(ID)
    assert one.http is not None
    assert (one.http.status, one.http.attempts, one.http.waited) == (200, 1, 0.0)
    assert one.http.elapsed > 0
    assert one.http.headers["x-trace"] == "7" and one.http.headers["set-cookie"] == secret
    assert secret not in repr(one) + repr(one.http) + one.to_json() + repr(pickle.dumps(one))
    assert repr(Http(200, elapsed=0.25)) == "<Http 200: headers=0 attempts=1 waited=0.000s elapsed=0.250s>"
    headers: Any = one.http.headers
    with pytest.raises(TypeError):
        headers["x"] = "y"
    stored = Status.from_json(one.raw)
    assert stored == one and hash(stored) == hash(one) and stored.http is None
    assert pickle.loads(pickle.dumps(one)).http is None and copy.deepcopy(one).http == one.http
    vendor.answer = lambda seen: Answer(metrics().raw.encode(), headers={"X-Trace": "8"})
    queue = client.metrics(operation="lead.update")
    assert queue == metrics() and queue.http is not None and queue.http.headers["x-trace"] == "8"
    assert metrics().http is None


def test_of_a_job_that_was_waited_for_it_tells_how_often_it_was_asked(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(ID, "In-Queue" if len(vendor.seen) < 3 else "Success")
    found = client.wait(ID)
    asked = sum(seen.path.endswith("/status") for seen in vendor.seen)
    assert found.http is not None and found.http.attempts == asked > 1


def test_values_that_differ_are_not_equal() -> None:
    assert status() != status("FAILURE") and status() != status(operation="lead.update")
    assert status() != status(StatusReason="another")
    assert Job(ID) != Job("another") and Job(ID) != Job(ID, "lead.update") and Job(ID) != ID
    assert Operation("lead.update") != Operation("lead.capture")
    assert TASKS != Operation.custom("task.create", "/task/create")
    assert metrics() != Metrics.from_json(metrics().raw) and metrics().raw == Metrics.from_json(metrics().raw).raw
    assert Progress(2) != Progress(3) != Progress(3, 1) != Progress(3, 1, eta=1.0)
    assert Http(200) != Http(201) != Http(201, {"a": "b"}) != Http(201, {"a": "c"}) != Http(201, attempts=2)
    assert Granted(1) != Granted(2) and RetryAfter(1) != RetryAfter(2) and Granted(1) != RetryAfter(1)
    assert Settlement("refused") != Settlement("refused", 1.0) != Settlement("refused", 2.0)
    assert Snapshot(1, 2, 0.0) != Snapshot(1, 2, 0.5) != Snapshot(1, 2, 0.5, 1)


def test_a_pickled_status_keeps_the_id_that_was_asked(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id.upper())
    found = client.status(ID)
    assert found.request_id == ID and ID.upper() in found.raw
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_pickle_that_was_spoiled_is_an_error() -> None:
    reduced: Any = status().__reduce__()
    restore, (raw, operation, request_id, outcome) = reduced
    with pytest.raises(MalformedError):
        restore("<html>", operation, request_id, outcome)
    assert restore(raw, operation, request_id, "failed").failed


def test_what_a_value_says_of_itself() -> None:
    failed = status("FAILURE", StatusReason="MXException:\n'x' \"y\"" + 999 * "z", RequestBody="a body")
    shown = repr(failed)
    assert shown.startswith(f"<Status {ID} failed: state='FAILURE' reason='MXException:\\n\\'x\\' ")
    assert "body" not in shown and "\n" not in shown and len(shown) < 400
    huge = 10**6 * "\n'"
    assert len(repr(status(huge, StatusReason=huge, TaskType=huge, RequestBody=huge))) < 1500
    assert repr(Job(ID)) == f"Job('{ID}', 'activity.create')" and str(Job(ID)) == ID
    assert eval(repr(Job(ID))) == Job(ID)
    assert repr(Operation("lead.update")) == "Operation('lead.update')" and str(TASKS) == "task.create"
    assert repr(TASKS) == "Operation.custom('task.create', '/task/create', '/task/state', '/task/rate')"
    assert eval(repr(TASKS)) == TASKS
    delay = "datetime.timedelta(seconds=1, microseconds=500000)"
    assert repr(metrics()) == f"<Metrics pending=1 max_delay={delay} rate_per_minute=None>"


def test_an_outcome_is_its_word() -> None:
    assert [outcome.value for outcome in Outcome] == ["pending", "succeeded", "failed"]
    word: str = Outcome.FAILED
    assert word == "failed" and str(Outcome.FAILED) == f"{Outcome.FAILED}" == "failed"
    assert Outcome("failed") is Outcome.FAILED is status("ERROR").outcome
    assert json.dumps({"outcome": Outcome.FAILED}) == '{"outcome": "failed"}'
    for one in (status(), status("ERROR"), status("In-Queue")):
        found = [one.succeeded, one.failed, not one.settled]
        assert found == [
            one.outcome is other for other in (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.PENDING)
        ]


def test_values_match_by_position() -> None:
    assert [getattr(status(), name) for name in Status.__match_args__] == [Outcome.SUCCEEDED, ID]
    assert [getattr(Job(ID), name) for name in Job.__match_args__] == [ID, "activity.create"]
    assert [getattr(metrics(), name) for name in Metrics.__match_args__] == [1, timedelta(seconds=1.5), None]


def test_a_text_is_made_once() -> None:
    one = Status.from_json(SAMPLE)
    names = [name for name in dir(one) if isinstance(getattr(one, name), str) and not name.startswith("_")]
    assert len(names) == 12
    for name in names:
        assert getattr(one, name) is getattr(one, name), name


def test_what_cannot_change_is_its_own_copy() -> None:
    for one in (status(), metrics()):
        assert copy.copy(one) is copy.deepcopy([one])[0] is one


def test_texts_that_hold_json() -> None:
    one = Status.from_json(SAMPLE)
    assert one.request_json()["ActivityEvent"] == 380
    assert one.message_json()["Message"]["Id"] == one.created_id
    assert status().request_json() is status().message_json() is None
    with pytest.raises(MalformedError, match="the request body is not JSON") as caught:
        status(RequestBody="{'a'").request_json()
    assert isinstance(caught.value.__cause__, json.JSONDecodeError)


@pytest.mark.parametrize("text", ["", "{}", "<html>", b"\xff", "\ud800", "[1]", SAMPLE[:-9]])
def test_a_text_that_is_no_answer(text: Any) -> None:
    with pytest.raises(MalformedError, match="^the text ") as caught:
        Status.from_json(text)
    with pytest.raises(MalformedError, match="^the text "):
        Metrics.from_json(text)
    assert caught.value.http_status is None and caught.value.resend == "pointless"


def test_a_status_is_read_from_text_alone() -> None:
    given: list[Any] = [None, 7, {}, bytearray(SAMPLE)]
    for wrong in given:
        with pytest.raises(TypeError):
            Status.from_json(wrong)
        with pytest.raises(TypeError):
            Metrics.from_json(wrong)
        with pytest.raises(TypeError):
            Job.from_token(wrong)
    with pytest.raises(TypeError):
        Status()
    with pytest.raises(TypeError):
        Metrics()


def test_a_job_that_failed_is_raised_only_if_you_ask() -> None:
    for fine in (status(), status("In-Queue")):
        assert fine.raise_for_outcome() is fine
    failed = status("FAILURE", "lead.update")
    with pytest.raises(JobFailedError) as caught:
        failed.raise_for_outcome()
    assert caught.value.status is caught.value.last_status is failed
    assert str(caught.value) == f"the job failed: FAILURE: because (lead.update, request {ID})"


def test_a_client_is_not_pickled_or_copied(client: Client) -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="make one in each process"):
            attempt(client)
