"""What a program hears by `logging`, and that no key is in it."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Union

import pytest
from conftest import KEYS, Answer, Seen, Vendor, status_answer

from activity_status import ActivityStatusError, Client

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
TAIL = "s3cr3t-connector-key-0123456789"
OF_EVERY_RECORD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

Words = tuple[str, int, str]


def answers_in_turn(vendor: Vendor, *answers: Union[Answer, Callable[[Seen], Answer]]) -> None:
    """These, and the last one for ever."""

    def answer(seen: Seen) -> Answer:
        given = answers[min(len(vendor.seen), len(answers)) - 1]
        return given if isinstance(given, Answer) else given(seen)

    vendor.answer = answer


def in_state(state: str) -> Callable[[Seen], Answer]:
    return lambda seen: status_answer(seen.request_id, state)


def words(record: logging.LogRecord) -> Words:
    return record.name, record.levelno, getattr(record, "event", "")


def own_fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in OF_EVERY_RECORD}


def test_every_event_has_its_logger_its_level_and_its_fields(
    make: Callable[..., Client], vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    answers_in_turn(vendor, Answer(b"", 500), Answer(b"", 429), in_state("In-Queue"), in_state("Success"))
    caplog.set_level(logging.DEBUG, "activity_status")
    assert make(max_attempts=5, quota="1/0.05s").wait(ID).succeeded
    heard = {words(record) for record in caplog.records}
    assert heard == {
        ("activity_status.http", logging.DEBUG, "sending"),
        ("activity_status.http", logging.DEBUG, "answered"),
        ("activity_status.http", logging.INFO, "retrying"),
        ("activity_status.limiter", logging.DEBUG, "waiting_for_permit"),
        ("activity_status.limiter", logging.WARNING, "refused"),
        ("activity_status.wait", logging.DEBUG, "status"),
        ("activity_status.wait", logging.INFO, "status"),
    }
    fields: dict[str, set[str]] = {}
    for record in caplog.records:
        own = own_fields(record)
        assert own.pop("operation") == "activity.create" and own.pop("request_id") == ID
        assert ID in record.getMessage()
        fields.setdefault(own.pop("event"), set()).update(own)
    assert fields == {
        "sending": {"attempt"},
        "answered": {"http_status", "elapsed"},
        "retrying": {"kind", "wait"},
        "waiting_for_permit": {"wait"},
        "refused": set(),
        "status": {"outcome", "state"},
    }


def test_the_level_is_asked_each_time(client: Client, vendor: Vendor, caplog: pytest.LogCaptureFixture) -> None:
    answers_in_turn(vendor, in_state("Success"))

    def heard_at(level: int) -> int:
        caplog.clear()
        logging.getLogger("activity_status").setLevel(level)
        client.status(ID)
        return len(caplog.records)

    before = logging.getLogger("activity_status").level
    try:
        assert [heard_at(level) > 0 for level in (logging.WARNING, logging.DEBUG, logging.WARNING)] == [
            False,
            True,
            False,
        ]
    finally:
        logging.getLogger("activity_status").setLevel(before)


@pytest.mark.parametrize("placement", ["headers", "query"])
def test_no_key_is_in_a_record(
    make: Callable[..., Client], vendor: Vendor, caplog: pytest.LogCaptureFixture, placement: str
) -> None:
    def echo(seen: Seen) -> bytes:
        said = json.dumps({"path": seen.path, "query": seen.query, "headers": seen.headers})
        return json.dumps({"ExceptionType": "MX", "ExceptionMessage": said}).encode()

    answers_in_turn(
        vendor,
        lambda seen: Answer(echo(seen), 500),
        lambda seen: Answer(echo(seen), 429),
        lambda seen: status_answer(KEYS["secret_key"], KEYS["access_key"], Message=echo(seen).decode()),
    )
    caplog.set_level(logging.DEBUG, "activity_status")
    client = make(key_placement=placement, max_attempts=4, quota="1/0.05s")
    calls: list[Callable[[], object]] = [
        lambda: client.status(ID),
        lambda: client.wait(ID, timeout=1),
        lambda: client.submit({}, operation="telephony.logcall", path_tail=TAIL),
    ]
    for call in calls:
        try:
            call()
        except ActivityStatusError:
            pass  # What an error says is the business of test_secrets.py.
    text = "\n".join(record.getMessage() + repr(record.__dict__) for record in caplog.records)
    assert text.count("'sending'") >= 5 and "'refused'" in text and "'retrying'" in text
    for secret in [*KEYS.values(), TAIL]:
        for start in range(len(secret) - 7):
            assert secret[start : start + 8] not in text


def test_a_filter_that_raises_does_not_end_a_call(
    client: Client, vendor: Vendor, caplog: pytest.LogCaptureFixture, unraised: list[BaseException]
) -> None:
    answers_in_turn(vendor, in_state("Success"))

    def raises(_: logging.LogRecord) -> bool:
        raise LookupError("a filter's own")

    caplog.set_level(logging.DEBUG, "activity_status")
    http = logging.getLogger("activity_status.http")
    http.addFilter(raises)
    try:
        assert client.status(ID).succeeded
    finally:
        http.removeFilter(raises)
    assert {type(error) for error in unraised} == {LookupError}


def run(vendor: Vendor, program: str) -> "subprocess.CompletedProcess[str]":
    begin = f"import sys\nfrom activity_status import Client\nclient = Client(base_url={vendor.url!r}, **{KEYS!r})\n"
    command = [sys.executable, "-c", begin + program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_a_program_without_logging_has_none(vendor: Vendor) -> None:
    answers_in_turn(vendor, in_state("Success"))
    program = f"client.status({ID!r})\nprint('logging' in sys.modules)"
    assert run(vendor, program).stdout == "False\n"


def test_a_program_that_set_nothing_up_prints_nothing(vendor: Vendor) -> None:
    answers_in_turn(vendor, Answer(b"", 429), in_state("Success"))
    done = run(vendor, f"import logging\nclient.with_options(quota='1/0.05s').status({ID!r})")
    assert (done.stdout, done.stderr, len(vendor.seen)) == ("", "", 2)


def test_logging_that_is_imported_later_is_heard(vendor: Vendor) -> None:
    answers_in_turn(vendor, in_state("Success"))
    program = f"""
client.status({ID!r})
import logging
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(levelname)s")
client.status({ID!r})
"""
    assert "activity_status.http DEBUG\n" in run(vendor, program).stderr
