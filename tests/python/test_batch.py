"""Many jobs in one place: for loops, for pandas, for notebooks."""

import copy
import json
import pickle
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any

import pytest
from conftest import Answer, Seen, Vendor, status_answer

from activity_status import (
    ActivityStatusError,
    Batch,
    Client,
    DeadlineError,
    Done,
    Ended,
    Job,
    JobFailedError,
    Look,
    NotFoundError,
    Status,
)

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
SUBMITTED = datetime(2026, 11, 23, 23, 39, 15, tzinfo=timezone.utc)
SCRIPT = "<script>alert('x')</script>&\""


def status(request_id: str, state: str = "Success", **fields: Any) -> Status:
    return Status.from_json(status_answer(request_id, state, **fields).body or b"")


def batch() -> Batch:
    made = {"Status": "Success", "Message": {"Id": "made-1", "RelatedId": "lead-1"}}
    return Batch(
        [
            (Job("1", submitted_at=SUBMITTED), status("1", Message=json.dumps(made), RequestBody="{}")),
            (Job("2", "lead.update"), status("2", "FAILURE", StatusReason="MXNo")),
            (Job("3"), DeadlineError("too late", resend="safe", attempts=7, last_status=status("3", "In-Queue"))),
            (Job("4"), ActivityStatusError("gone", http_status=404)),
        ]
    )


def test_a_batch_is_a_sequence_of_pairs() -> None:
    one = batch()
    assert len(one) == 4 and [job.request_id for job, _ in one] == ["1", "2", "3", "4"]
    assert one[0] == next(iter(batch()))
    assert [job for job, _ in one[1:3]] == [Job("2", "lead.update"), Job("3")] and one[-1][0] == Job("4")
    assert not Batch() and list(Batch(iter(one))) == list(one)
    with pytest.raises(IndexError):
        one[4]


def test_a_batch_is_sorted_by_how_it_went() -> None:
    one = batch()
    assert [job.request_id for job, _ in one.succeeded] == ["1"]
    assert [(job.request_id, status.reason) for job, status in one.failed] == [("2", "MXNo")]
    assert [(job.request_id, error.message) for job, error in one.errors] == [("3", "too late"), ("4", "gone")]
    assert repr(one) == "<Batch of 4: succeeded=1 failed=1 errors=2>"
    assert repr(Batch()) == "<Batch of 0: succeeded=0 failed=0 errors=0>"


def test_what_did_not_succeed_is_raised_if_you_ask() -> None:
    fine = Batch(batch()[:1])
    assert fine.raise_for_outcomes() is fine
    with pytest.raises(JobFailedError) as failed:
        batch().raise_for_outcomes()
    assert failed.value.request_id == "2"
    for index, message in ((2, "too late"), (3, "gone")):
        with pytest.raises(ActivityStatusError, match=message):
            Batch(batch()[index:]).raise_for_outcomes()


def test_a_batch_travels() -> None:
    for other in (pickle.loads(pickle.dumps(batch())), copy.copy(batch()), copy.deepcopy(batch())):
        assert other.to_dicts() == batch().to_dicts() and repr(other) == repr(batch())


def test_dicts_have_one_set_of_keys() -> None:
    dicts = batch().to_dicts()
    assert {tuple(row) for row in dicts} == {tuple(dicts[0])}
    assert dicts[0] == {
        "request_id": "1",
        "operation": "activity.create",
        "submitted_at": SUBMITTED,
        "outcome": "succeeded",
        "state": "Success",
        "reason": "because",
        "task_type": "Activity Create",
        "current_step": None,
        "last_step": None,
        "created_id": "made-1",
        "related_id": "lead-1",
        "request_body": "{}",
        "message": '{"Status": "Success", "Message": {"Id": "made-1", "RelatedId": "lead-1"}}',
        "error": None,
        "error_message": None,
        "resend": None,
        "http_status": None,
        "attempts": None,
    }
    told = [(row["outcome"], row["state"], row["error"], row["attempts"]) for row in dicts[1:]]
    assert told == [
        ("failed", "FAILURE", None, None),
        ("pending", "In-Queue", "deadline", 7),
        (None, None, "error", 0),
    ]
    assert [row["http_status"] for row in dicts] == [None, None, None, 404]
    assert type(dicts[0]["outcome"]) is str, "no enum: it is for tables"
    assert Batch().to_dicts() == []


def test_pandas_takes_it_as_it_is() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(batch().to_dicts())
    assert list(frame["request_id"]) == ["1", "2", "3", "4"]
    assert str(frame["submitted_at"].dtype).startswith("datetime64") and "UTC" in str(frame["submitted_at"].dtype)
    assert dict(frame["outcome"].value_counts()) == {"succeeded": 1, "failed": 1, "pending": 1}
    assert list(frame[frame["error"].notna()]["request_id"]) == ["3", "4"]


class Tags(HTMLParser):
    """The tags of a page, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def html(value: Any) -> str:
    return str(value._repr_html_())


def test_a_notebook_shows_texts_as_texts() -> None:
    message = json.dumps({"Message": {"Id": SCRIPT, "RelatedId": SCRIPT}})
    names = ("TaskType", "StatusReason", "TaskCurrentStep", "TaskLastStep", "RequestBody", SCRIPT)
    evil = status(ID, SCRIPT, Message=message, **dict.fromkeys(names, SCRIPT))
    error = ActivityStatusError(SCRIPT, vendor_message=SCRIPT, last_status=evil)
    error.kind = SCRIPT
    for page in (html(evil), html(Batch([(Job(ID), evil), (Job(ID), error)]))):
        found = Tags(page)
        assert found.tags <= {"table", "tr", "td", "th"} and "script" not in found.tags
        assert SCRIPT in found.texts and "<script" not in page


def test_a_notebook_shows_what_fits() -> None:
    many = Batch([(Job(str(number)), status(str(number), StatusReason=10**5 * "<")) for number in range(1000)])
    page = html(many)
    assert len(page) < 50_000
    found = Tags(page)
    assert "19" in found.texts and "20" not in found.texts and "… and 980 more" in found.texts
    assert "more" not in html(Batch(many[:20]))
    shown = Tags(html(status(ID, "FAILURE", StatusReason=10**5 * "x"))).texts
    assert ID in shown and "FAILURE" in shown and "failed" in shown and max(map(len, shown)) == 200
    assert "current_step" not in shown, "it says nothing"


@pytest.fixture
def alarm() -> Iterator[Callable[[bool], None]]:
    """Ctrl-C again and again, but only while it is armed. Each raises once."""
    armed = False

    def arm(yes: bool) -> None:
        nonlocal armed
        armed = yes

    def raise_once(number: int, frame: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, raise_once)
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    yield arm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_loses_no_job(client: Client, vendor: Vendor, alarm: Callable[[bool], None]) -> None:
    def answer(seen: Seen) -> Answer:
        number = int(seen.request_id)
        if number % 10 == 9:
            return Answer(b"", 404)
        return status_answer(seen.request_id, "FAILURE" if number % 2 else "Success")

    vendor.answer = answer
    jobs = {Job(str(number)) for number in range(200)}
    waiting = client.wait_all(jobs)
    collected = Batch()
    interrupted = 0
    while True:
        try:
            alarm(True)
            collected.extend(waiting)
            alarm(False)
            break
        except KeyboardInterrupt:
            interrupted += 1
        ended = [job for job, _ in collected]
        assert len(ended) + len(waiting.open) == len(jobs) and {*ended, *waiting.open} == jobs
    assert interrupted > 2
    assert {job for job, _ in collected} == jobs and len(collected) == len(jobs)
    assert [len(found) for found in (collected.succeeded, collected.failed, collected.errors)] == [100, 80, 20]


@pytest.mark.parametrize("way", ["wait_all", "tracker"])
def test_ctrl_c_while_an_exception_is_made_loses_no_job(
    client: Client, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    vendor.answer = lambda seen: Answer(b"", 404)
    make = NotFoundError.__init__
    times = iter([KeyboardInterrupt])

    def interrupted(self: NotFoundError, message: str, **details: Any) -> None:
        for raised in times:
            raise raised
        make(self, message, **details)

    monkeypatch.setattr(NotFoundError, "__init__", interrupted)
    tracker, waiting = client.tracker(), client.wait_all([ID])
    tracker.add(ID)

    def steps() -> Iterator[Any]:
        while not isinstance(step := tracker.step(), Done):
            if isinstance(step, Ended):
                yield step.job, step.result
            elif isinstance(step, Look):
                step.send()

    collected = Batch()
    with pytest.raises(KeyboardInterrupt):
        collected.extend(waiting if way == "wait_all" else steps())
    assert len(collected) == 0 and (waiting if way == "wait_all" else tracker).open == [Job(ID)]
    collected.extend(waiting if way == "wait_all" else steps())
    assert [job for job, _ in collected.errors] == [Job(ID)]


def test_what_a_wait_raises_is_raised_and_loses_nothing(client: Client) -> None:
    def pairs() -> Iterator[tuple[Job, Status]]:
        yield Job("1"), status("1")
        raise ZeroDivisionError

    collected = Batch()
    with pytest.raises(ZeroDivisionError):
        collected.extend(pairs())
    assert len(collected) == 1
