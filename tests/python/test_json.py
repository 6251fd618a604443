"""Values as dicts and as lines of JSON, and the way back."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any, Union

import pytest
from conftest import Answer, Vendor, status_answer

from activity_status import Client, ConfigError, Job, MalformedError, Metrics, Operation, Outcome, Progress, Status

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
TASKS = Operation.custom("task.create", "/task/create", "/task/state", "/task/rate")
SUBMITTED = datetime(2026, 11, 23, 23, 39, 15, 123456, timezone.utc)


def status(state: str = "Success", operation: Any = "activity.create", **fields: Any) -> Status:
    return Status.from_json(status_answer(ID, state, **fields).body or b"", operation)


def test_one_line_of_json_holds_the_vendors_object() -> None:
    one = status("Later", "lead.update", New={"a": "é\n"})
    assert json.loads(one.to_json()) == one.to_dict()
    assert "\n" not in one.to_json()
    assert one.to_dict() == {
        "request_id": ID,
        "operation": "lead.update",
        "outcome": "pending",
        "state": "Later",
        "reason": "because",
        "created_id": None,
        "related_id": None,
        "raw": json.loads(one.raw),
    }


def test_a_line_names_its_operation_and_its_outcome(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id.upper(), "Parked")
    asked = client.status(ID, operation="lead.update")
    for line in (asked.to_json(), asked.to_json().encode(), "\ufeff" + asked.to_json() + "\n"):
        again = Status.from_json(line)
        assert (again.request_id, again.operation, again.outcome) == (ID, "lead.update", Outcome.PENDING)
        assert again.to_json() == asked.to_json()
    over = Status.from_json(asked.to_json().replace('"pending"', '"failed"'))
    assert over.failed and over.state == "Parked", "an outcome by a rule of one's own stays"
    assert Status.from_json(asked.to_json(), "lead.capture").operation == "lead.capture"


def test_a_line_of_an_operation_that_is_not_known_needs_it() -> None:
    line = status(operation=TASKS).to_json()
    with pytest.raises(ConfigError, match="task.create"):
        Status.from_json(line)
    assert Status.from_json(line, TASKS) == Status.from_json(status().raw.replace(" ", "").replace("ActivityC", "Activity C"), TASKS)


@pytest.mark.parametrize("spoil", [("failed", "over"), (ID, "another"), (ID, "a b"), ("RequestId", "Id"), ("}}}", "}}")])
def test_a_line_that_was_spoiled_is_none(spoil: tuple[str, str]) -> None:
    line = status("FAILURE").to_json()
    assert Status.from_json(line).failed
    with pytest.raises(MalformedError):
        Status.from_json(line.replace(*spoil, 1))


def test_extra_holds_what_has_no_name() -> None:
    body: Any = json.loads(status(New=[1, {"x": "é"}], status="small").raw)
    body.update({"Later": None, "New": "hidden"})
    one = Status.from_json(json.dumps(body))
    assert one.extra == {"Later": None, "New": [1, {"x": "é"}], "status": "small"}
    assert status().extra == {}
    extra: Any = one.extra
    with pytest.raises(TypeError):
        extra["x"] = 1
    with pytest.raises(AttributeError):
        one.extra = {}  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_metrics_and_their_line(client: Client, vendor: Vendor) -> None:
    body = '{"PendingMessages": 7,\r\n"MaxDelayInSeconds": 1.5,"ProcessingRatePerMinute":24.8,"New":1e400}'
    vendor.answer = lambda seen: Answer(body.encode())
    found = client.metrics(operation="lead.update")
    assert found == Metrics.from_json(body, "lead.update") != Metrics.from_json(body)
    assert Metrics.from_json(body).operation == "activity.create"
    assert found.to_json() == (
        '{"operation":"lead.update","pending":7,"max_delay_seconds":1.5,"rate_per_minute":24.8,"raw":'
        '{"PendingMessages":7,"MaxDelayInSeconds":1.5,"ProcessingRatePerMinute":24.8,"New":1e400}}'
    )
    assert found.to_dict() == json.loads(found.to_json())
    again = Metrics.from_json(found.to_json())
    assert (again.operation, again.to_json()) == ("lead.update", found.to_json())
    assert (again.pending, again.max_delay, again.rate_per_minute) == (7, timedelta(seconds=1.5), 24.8)
    with pytest.raises(ConfigError, match="task.create"):
        Metrics.from_json(Metrics.from_json(body, TASKS).to_json())
    with pytest.raises(MalformedError):
        Metrics.from_json(status().to_json())
    with pytest.raises(MalformedError):
        Status.from_json(found.to_json())


def test_progress_as_a_dict() -> None:
    assert Progress(5, 3, 1, 1, 0.5, 2.5).to_dict() == {
        "total": 5,
        "settled": 3,
        "failed": 1,
        "errors": 1,
        "open": 1,
        "rate": 0.5,
        "eta": 2.5,
        "eta_uncertainty": None,
    }
    assert json.loads(Progress(5, 3).to_json()) == Progress(5, 3).to_dict() and "\n" not in Progress(5).to_json()


JOBS = [Job(ID), Job(ID, "lead.update", SUBMITTED), Job(ID, TASKS, SUBMITTED), Job(ID, TASKS)]


@pytest.mark.parametrize("job", JOBS)
def test_a_token_is_the_job(job: Job) -> None:
    token = job.to_token()
    assert "\n" not in token and json.loads(token) == job.to_dict()
    texts: list[Union[str, bytes]] = [token, token.encode(), f" {token}\r\n"]
    for text in texts:
        again = Job.from_token(text)
        assert again == job and again.submitted_at == job.submitted_at


def test_a_token_says_no_more_than_it_must() -> None:
    assert Job(ID).to_dict() == {"request_id": ID, "operation": "activity.create", "submitted_at": None}
    assert Job(ID, TASKS, SUBMITTED).to_dict() == {
        "request_id": ID,
        "operation": "task.create",
        "submitted_at": "2026-11-23T23:39:15.123456+00:00",
        "submit_path": "/task/create",
        "status_path": "/task/state",
        "metrics_path": "/task/rate",
    }


def test_other_lines_of_ours_name_a_job_too() -> None:
    assert Job.from_token(status("FAILURE", "lead.update").to_json()) == Job(ID, "lead.update")
    printed = '{"line":7,"request_id":"%s","operation":"lead.capture"}' % ID
    assert Job.from_token(printed) == Job(ID, "lead.capture")


SPOILED: list[Any] = [
    "",
    ID,
    "7",
    "null",
    "[]",
    "{}",
    '{"request_id":"%s"}' % ID,
    '{"operation":"lead.update"}',
    '{"request_id":7,"operation":"lead.update"}',
    '{"request_id":null,"operation":"lead.update"}',
    '{"request_id":"%s","operation":"lead.update","submitted_at":"yesterday"}' % ID,
    '{"request_id":"%s","operation":"lead.update","submitted_at":"2026-11-23T23:39:15"}' % ID,
    '{"request_id":"%s","operation":"lead.update","submitted_at":7}' % ID,
    '{"request_id":"%s","operation":"task.create","submit_path":7}' % ID,
    b"\xff",
    "\ud800",
]


@pytest.mark.parametrize("text", SPOILED)
def test_a_text_that_is_no_token(text: Any) -> None:
    with pytest.raises(MalformedError) as caught:
        Job.from_token(text)
    assert ID not in str(caught.value), "it is not repeated: it may be anything"


def test_a_token_that_names_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="task.create"):
        Job.from_token('{"request_id":"%s","operation":"task.create"}' % ID)
    with pytest.raises(ConfigError, match="path"):
        Job.from_token('{"request_id":"%s","operation":"task.create","submit_path":"/a/../b"}' % ID)
    with pytest.raises(ConfigError, match="request id"):
        Job.from_token('{"request_id":"a b","operation":"lead.update"}')
