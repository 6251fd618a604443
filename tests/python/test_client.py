"""What a client sends, what it makes of the answers, and what it refuses."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Optional, Union

import pytest
from conftest import KEYS, Answer, Seen, Vendor, cases, status_answer

import activity_status
from activity_status import (
    Client,
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
    TimedOutError,
    TransportError,
    UnauthorizedError,
)

Make = Callable[..., Client]
ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
ACCEPTED = Answer(json.dumps({"Status": "Request accepted.", "RequestID": ID}).encode())


# Submit


def test_a_mapping_is_sent_as_json(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: ACCEPTED
    body = {
        "RelatedProspectId": "é😀",
        "ActivityEvent": 380,
        "Score": 0.1,
        "Big": 2**70,
        "ActivityDateTime": datetime(2020, 10, 11, 12, 13, 44, 999999),
        "There": datetime(2020, 10, 11, 17, 43, 44, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        "Fields": ({"SchemaName": "mx_Custom_1", "Value": None}, MappingProxyType({"a": True})),
    }
    job = client.submit(body)
    assert (job.request_id, job.operation, str(job)) == (ID, "activity.create", ID)
    (seen,) = vendor.seen
    assert (seen.method, seen.path, seen.query) == ("POST", "/activity/create", {})
    sent = {
        **body,
        "ActivityDateTime": "2020-10-11 12:13:44",
        "There": "2020-10-11 12:13:44",
        "Fields": [{"SchemaName": "mx_Custom_1", "Value": None}, {"a": True}],
    }
    assert json.loads(seen.body) == sent
    assert "é😀".encode() in seen.body
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["x-api-key"] == KEYS["api_key"]
    assert seen.headers["x-lsq-accesskey"] == KEYS["access_key"]
    assert seen.headers["x-lsq-secretkey"] == KEYS["secret_key"]


@pytest.mark.parametrize("text", ['{"a": 1,\r\n\t"b": "é"}', "[ ]", '{"big": 1e400, "a": 1, "a": 2}'])
def test_text_and_bytes_are_sent_byte_for_byte(client: Client, vendor: Vendor, text: str) -> None:
    vendor.answer = lambda seen: ACCEPTED
    client.submit(text)
    client.submit(text.encode())
    assert [seen.body for seen in vendor.seen] == [text.encode()] * 2


def test_a_sequence_is_an_array(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: ACCEPTED
    client.submit(
        [{"Attribute": "City", "Value": "Pune"}], operation="lead.update", query={"leadId": "a b&c"}
    )
    (seen,) = vendor.seen
    assert (seen.path, seen.query) == ("/lead/update", {"leadId": ["a b&c"]})
    assert json.loads(seen.body) == [{"Attribute": "City", "Value": "Pune"}]


def test_what_two_operations_add_to_the_address(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: ACCEPTED
    client.submit({}, operation="telephony.logcall", path_tail="k/1", query=MappingProxyType({"x": "é"}))
    assert vendor.seen[0].path == "/1/api/telephony/logcallcomplete/k%2F1"
    assert vendor.seen[0].query == {"x": ["é"]}


def test_keys_go_into_the_query_only_if_asked(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: ACCEPTED
    make(key_placement="query").submit({})
    (seen,) = vendor.seen
    assert seen.query == {"accessKey": [KEYS["access_key"]], "secretKey": [KEYS["secret_key"]]}
    assert "x-lsq-secretkey" not in seen.headers


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"a": float("nan")}, "JSON"),
        ({"a": float("inf")}, "JSON"),
        ({"a": object()}, "object"),
        ({"a": {1, 2}}, "set"),
        ({"a": b"x"}, "bytes"),
        ({"a": datetime(2020, 1, 1).date()}, "give a datetime"),
        ({(1, 2): 3}, "JSON"),
        ({"a": "\ud800"}, "surrogate"),
        (CYCLE, "JSON"),
        ("", "empty"),
        ("7", "not a JSON object or array"),
        ("{", "not JSON"),
        ("\ud800", "surrogate"),
        (b'{"a":"\xff"}', "UTF-8"),
    ],
)
def test_a_body_that_cannot_be_read_is_not_sent(client: Client, vendor: Vendor, body: Any, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        client.submit(body)
    assert "nothing was sent" in str(caught.value)
    assert vendor.seen == []


def test_a_submit_whose_answer_is_lost_is_in_doubt_and_is_not_repeated(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(None)
    with pytest.raises(InDoubtError) as caught:
        make(max_attempts=5).submit({})
    error = caught.value
    assert (error.kind, error.resend, error.operation, error.attempts) == (
        "in_doubt",
        "may_duplicate",
        "activity.create",
        1,
    )
    assert len(vendor.seen) == 1


def test_a_submit_in_doubt_is_repeated_only_for_who_accepts_duplicates(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: ACCEPTED if len(vendor.seen) > 1 else Answer(None)
    assert make(max_attempts=2, accept_duplicates=True).submit({}).request_id == ID
    assert len(vendor.seen) == 2


# Status and wait


def test_status_asks_once(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")
    status = client.status(ID)
    assert (status.outcome, status.state, status.reason) == (Outcome.PENDING, "In-Queue", "because")
    (seen,) = vendor.seen
    assert (seen.method, seen.path, seen.request_id) == ("GET", "/activity/create/status", ID)
    assert seen.headers["x-api-key"] == KEYS["api_key"]
    assert not {"x-lsq-accesskey", "x-lsq-secretkey"} & set(seen.headers)


def test_the_operation_is_the_jobs_unless_it_is_given(client: Client, vendor: Vendor) -> None:
    custom = Operation.custom("task.create", "/task/create", status_path="/task/state")
    asked: list[tuple[Union[str, Job], Optional[str]]] = [
        (ID, "lead.update"),
        (Job(ID, "lead.update"), None),
        (Job(ID), "lead.update"),
        (Job(ID, Operation("lead.update")), None),
    ]
    for job, operation in asked:
        assert client.status(job, operation=operation).operation == "lead.update"
        assert vendor.seen[-1].path == "/lead/update/status"
    assert client.status(Job(ID, custom)).operation == "task.create"
    assert vendor.seen[-1].path == "/task/state"
    assert client.status(request_id=ID).operation == "activity.create"


def test_wait_asks_until_it_is_settled(client: Client, vendor: Vendor) -> None:
    states = ["In-Queue", "In-Queue", "FAILURE"]
    vendor.answer = lambda seen: status_answer(seen.request_id, states[len(vendor.seen) - 1])
    status = client.wait(Job(ID), timeout=timedelta(seconds=60), price="100ms")
    assert status.failed and len(vendor.seen) == 3


def test_wait_goes_on_after_a_question_that_failed(client: Client, vendor: Vendor) -> None:
    def answer(seen: Seen) -> Answer:
        return status_answer(seen.request_id) if len(vendor.seen) > 1 else Answer(b"<html>", 503)

    vendor.answer = answer
    assert client.wait(ID, timeout=60).succeeded


def test_wait_that_is_too_short_carries_the_last_status(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")
    with pytest.raises(DeadlineError) as caught:
        client.wait(ID, timeout=1.05, price=0.01)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.last_status is not None
    assert caught.value.last_status.state == "In-Queue"
    assert caught.value.request_id == caught.value.last_status.request_id == ID


def test_metrics(client: Client, vendor: Vendor) -> None:
    raw = b'{"PendingMessages":1,"MaxDelayInSeconds":90,"ProcessingratePerMinute":24.8}'
    vendor.answer = lambda seen: Answer(raw)
    metrics = client.metrics(operation="lead.capture")
    assert (metrics.pending, metrics.max_delay, metrics.rate_per_minute) == (1, timedelta(seconds=90), 24.8)
    assert metrics.raw.encode() == raw
    assert vendor.seen[0].path == "/lead/capture/metrics"
    vendor.answer = lambda seen: Answer(b'{"MaxDelayInSeconds": 1e18}')
    metrics = client.metrics()
    assert metrics.pending is None and metrics.max_delay is not None
    assert metrics.max_delay > timedelta(days=999_999_998)


# Errors


@pytest.mark.parametrize(
    ("status", "error", "base"),
    [
        (401, UnauthorizedError, PermissionError),
        (429, RefusedError, Exception),
        (500, ServerError, Exception),
    ],
)
def test_an_error_of_the_vendor(
    client: Client, vendor: Vendor, status: int, error: type[activity_status.ActivityStatusError], base: type
) -> None:
    text = {"Status": "Error", "ExceptionType": "MXSomeException", "ExceptionMessage": "So it is"}
    vendor.answer = lambda seen: Answer(json.dumps(text).encode(), status)
    with pytest.raises(error) as caught:
        client.status(ID)
    assert isinstance(caught.value, base)
    assert caught.value.http_status == status
    assert (caught.value.vendor_type, caught.value.vendor_message) == ("MXSomeException", "So it is")
    assert "MXSomeException: So it is" in str(caught.value) and ID in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_question_is_repeated(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id) if len(vendor.seen) > 1 else Answer(b"", 500)
    assert make(max_attempts=2).status(ID).succeeded
    assert len(vendor.seen) == 2


def test_nobody_listens(make: Make) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = make(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(TransportError) as caught:
            client.submit({})
    assert isinstance(caught.value, ConnectionError)
    assert caught.value.resend == "safe"


def test_an_answer_that_does_not_come_times_out(make: Make, vendor: Vendor) -> None:
    vendor.answer = vendor.hang
    with pytest.raises(TimedOutError) as caught:
        make(head_timeout=0.05).status(ID)
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(TimedOutError):
        make(call_deadline="50ms").metrics()
    with pytest.raises(InDoubtError):
        make(head_timeout=timedelta(milliseconds=50)).submit({})


def test_the_quota_is_kept_and_a_deadline_bounds_the_wait_for_it(make: Make) -> None:
    client = make(quota=(1, 3600), call_deadline=1)
    assert client.status(ID).succeeded
    with pytest.raises(DeadlineError, match="quota"):
        client.status(ID)


# Settings


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"region": None}, "region"),
        ({"region": "mars"}, "mars"),
        ({"base_url": "https://example.com"}, "both"),
        ({"region": None, "base_url": "http://example.com"}, "https"),
        ({"region": None, "base_url": "nonsense"}, "URL"),
        ({"api_key": None}, "api_key"),
        ({"api_key": "two words"}, "API key"),
        ({"access_key": "a"}, "secret_key"),
        ({"key_placement": "body"}, "key_placement"),
        ({"quota": "many"}, "quota"),
        ({"quota": (0, 5)}, "quota"),
        ({"quota": (25, 0)}, "quota"),
        ({"quota": (-1, 5)}, "quota"),
        ({"call_deadline": 0}, "deadline"),
        ({"call_deadline": -1.0}, "call_deadline"),
        ({"call_deadline": float("nan")}, "call_deadline"),
        ({"call_deadline": float("inf")}, "call_deadline"),
        ({"call_deadline": timedelta(seconds=-1)}, "call_deadline"),
        ({"connect_timeout": "soon"}, "connect_timeout"),
        ({"body_timeout": 0}, "time-out"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": -1}, "max_attempts"),
        ({"proxy": "nonsense://"}, "proxy"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any], word: str) -> None:
    settings: dict[str, Any] = {"region": "in", "api_key": "k", **options}
    with pytest.raises(ConfigError, match=word) as caught:
        Client(**settings)
    assert isinstance(caught.value, ValueError)
    assert caught.value.resend == "pointless"


@pytest.mark.parametrize(
    "call",
    cases(
        lambda client: type(client)("k"),
        lambda client: type(client)(region="in", api_key="k", qouta="1/1s"),
        lambda client: type(client)(region="in", api_key=b"k"),
        lambda client: type(client)(region="in", api_key="k", quota=(1,)),
        lambda client: type(client)(region="in", api_key="k", call_deadline=True),
        lambda client: type(client)(region="in", api_key="k", call_deadline=[1]),
        lambda client: type(client)(region="in", api_key="k", max_attempts=1.5),
        lambda client: type(client)(region="in", api_key="k", accept_duplicates="yes"),
        lambda client: type(client)(region="in", api_key="k", strict="yes"),
        lambda client: type(client)(region="in", api_key="k", submit_share=0.5),
        lambda client: type(client)(region="in", api_key="k", limiter_away=5),
        lambda client: client.from_env(qouta="1/1s", region="in", api_key="k"),
        lambda client: client.status(72003),
        lambda client: client.status(ID, operation=7),
        lambda client: client.status(ID, "lead.update"),
        lambda client: client.wait(ID, price=object()),
        lambda client: client.submit(7),
        lambda client: client.submit(bytearray(b"{}")),
        lambda client: client.submit(None),
        lambda client: client.submit({}, query={"a": 1}),
        lambda client: client.submit({}, query=7),
        lambda client: client.submit({}, path_tail=7),
    ),
)
def test_arguments_of_the_wrong_type(
    client: Client, vendor: Vendor, call: Callable[[Client], object]
) -> None:
    with pytest.raises(TypeError):
        call(client)
    assert vendor.seen == []


@pytest.mark.parametrize(
    "call",
    cases(
        lambda client: client.status(""),
        lambda client: client.status("a b"),
        lambda client: client.status("x?RequestID=y"),
        lambda client: client.status(ID, operation="lead.delete"),
        lambda client: client.metrics(operation=""),
        lambda client: client.wait(ID, timeout=-1),
        lambda client: client.wait(ID, timeout=float("inf")),
        lambda client: client.wait(ID, price="soon"),
        lambda client: client.submit({}, query={"accessKey": "x"}),
        lambda client: client.submit({}, query={"": "x"}),
        lambda client: client.submit({}, path_tail=".."),
        lambda client: Job(""),
        lambda client: Operation("nonsense"),
        lambda client: Operation.custom("a b", "/a"),
        lambda client: Operation.custom("a", "a"),
        lambda client: Operation.custom("a", "/a", metrics_path="/.."),
        lambda client: Client(api_key="k", region="in").submit({}),
    ),
)
def test_values_that_make_no_sense_are_not_sent(
    client: Client, vendor: Vendor, call: Callable[[Client], object]
) -> None:
    with pytest.raises(ConfigError):
        call(client)
    assert vendor.seen == []


def test_from_env(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor.answer = lambda seen: ACCEPTED
    for name, value in {**KEYS, "base_url": vendor.url}.items():
        monkeypatch.setenv(f"ACTIVITY_STATUS_{name.upper()}", value)
        monkeypatch.setenv(
            f"OTHER_{name.upper()}", "other-" + value if name in KEYS else "https://example.com"
        )
    monkeypatch.setenv("ACTIVITY_STATUS_REGION", "")
    Client.from_env().submit({})
    assert vendor.seen[-1].headers["x-api-key"] == KEYS["api_key"]
    assert vendor.seen[-1].headers["x-lsq-secretkey"] == KEYS["secret_key"]
    Client.from_env("OTHER_", base_url=vendor.url, api_key="mine").submit({})
    assert vendor.seen[-1].headers["x-api-key"] == "mine"
    assert vendor.seen[-1].headers["x-lsq-secretkey"] == "other-" + KEYS["secret_key"]
    assert repr(Client.from_env(region="us")) == "<Client https://asyncapi-us11.leadsquared.com>"
    monkeypatch.delenv("ACTIVITY_STATUS_API_KEY")
    with pytest.raises(ConfigError, match="api_key"):
        Client.from_env()


# Its life


def test_after_it_is_closed_a_call_says_so(client: Client, vendor: Vendor) -> None:
    with client as same:
        assert same is client
        assert client.status(ID).succeeded
    assert repr(client) == f"<Client {vendor.url} (closed)>"
    client.close()
    for call in (
        client.metrics,
        lambda: client.status(ID),
        lambda: client.wait(ID),
        lambda: client.submit({}),
    ):
        with pytest.raises(ConfigError, match="closed"):
            call()
    assert len(vendor.seen) == 1


def test_leaving_a_with_block_hides_no_exception(make: Make) -> None:
    with pytest.raises(ZeroDivisionError), make():
        raise ZeroDivisionError


def test_a_call_under_way_ends_as_it_would_when_the_client_is_closed(make: Make, vendor: Vendor) -> None:
    def answer(seen: Seen) -> Answer:
        vendor.hung.set()
        vendor.released.wait(60)
        return status_answer(seen.request_id)

    vendor.answer = answer
    client = make()
    answers: list[Status] = []
    thread = threading.Thread(target=lambda: answers.append(client.status(ID)))
    thread.start()
    assert vendor.hung.wait(60)
    client.close()
    vendor.released.set()
    thread.join(60)
    assert answers[0].succeeded


def test_other_threads_run_while_a_call_blocks(client: Client, vendor: Vendor) -> None:
    # The vendor of these tests is Python in this very process: an answer could never come if a call held the lock.
    # Here it is shown for a call that has no answer yet, too.
    counted: list[int] = []

    def answer(seen: Seen) -> Answer:
        vendor.hung.set()
        vendor.released.wait(60)
        return status_answer(seen.request_id)

    def count() -> None:
        assert vendor.hung.wait(60)
        counted.append(sum(range(100_000)))
        vendor.released.set()

    vendor.answer = answer
    thread = threading.Thread(target=count)
    thread.start()
    assert client.status(ID).succeeded
    thread.join(60)
    assert counted


def test_threads_share_a_client_and_its_quota(make: Make, vendor: Vendor) -> None:
    client = make(quota="5/0.2")
    failures: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            for i in range(5):
                name = f"job-{number}-{i}"
                assert client.status(name).request_id == name
        except BaseException as error:
            failures.append(error)

    started = time.monotonic()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len({seen.request_id for seen in vendor.seen}) == len(vendor.seen) == 20
    # Twenty calls at five a window: the last ones cannot have been sent before three windows had passed.
    assert time.monotonic() - started >= 0.6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_connections_and_a_quota_of_its_own(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id)
    client = make(quota=(2, 3600), call_deadline=30)
    assert client.status(ID).succeeded
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answers = [client.status(f"child-{i}").request_id for i in range(2)]
            os.write(write, ",".join(answers).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "child-0,child-1"
    os.waitpid(child, 0)
    assert client.status(ID).succeeded


def test_malformed_is_a_value_error(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(b"<html>")
    with pytest.raises(MalformedError) as caught:
        client.status(ID)
    assert isinstance(caught.value, ValueError) and caught.value.http_status == 200
