"""One exception for each kind, and all of them values that travel."""

import builtins
import contextlib
import copy
import json
import pickle
import socket
import threading
from collections.abc import Callable, Generator
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import pytest
from conftest import Answer, Vendor, status_answer

import activity_status
from activity_status import ActivityStatusError, Client, InDoubtError, JobFailedError, Status, _native, errors  # pyright: ignore[reportPrivateUsage]

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
STATUS = Status.from_json(status_answer(ID, "FAILURE").body or b"")
BASES: dict[str, type] = {
    "config": ValueError,
    "transport": ConnectionError,
    "timed_out": TimeoutError,
    "unauthorized": PermissionError,
    "not_found": LookupError,
    "malformed": ValueError,
    "deadline": TimeoutError,
    "interrupted": builtins.InterruptedError,
}
FIELDS: dict[str, Any] = {
    "resend": "may_duplicate",
    "http_status": 500,
    "vendor_type": "MXException",
    "vendor_message": 'é\n"x"',
    "vendor_body": "<html>",
    "request_id": ID,
    "operation": "lead.update",
    "attempts": 3,
    "elapsed": 1.5,
    "sent_at": datetime(2026, 11, 23, 23, 39, 15, tzinfo=timezone.utc),
    "delivery": "in_doubt",
    "failure": "timed_out",
    "last_status": STATUS,
}


def of_kind(kind: str) -> type[ActivityStatusError]:
    """The rule: `in_doubt` is `InDoubtError`."""
    name = "".join(word.capitalize() for word in kind.split("_")) + "Error"
    found = getattr(activity_status, name)
    assert isinstance(found, type) and issubclass(found, ActivityStatusError)
    return found


def test_there_is_one_class_for_each_kind_of_the_core() -> None:
    by_rule = {of_kind(kind) for kind in _native.KINDS}
    assert len(by_rule) == len(_native.KINDS)
    assert by_rule | {JobFailedError} == set(ActivityStatusError.__subclasses__())
    assert [of_kind(kind).kind for kind in _native.KINDS] == list(_native.KINDS)


def test_every_class_is_exported_and_named_as_a_traceback_names_it() -> None:
    classes: list[type[ActivityStatusError]] = [ActivityStatusError, *ActivityStatusError.__subclasses__()]
    assert sorted(errors.__all__) == sorted(found.__name__ for found in classes)
    for found in classes:
        assert found.__module__ == "activity_status.errors"
        assert getattr(errors, found.__name__) is getattr(activity_status, found.__name__) is found
    hidden = {"InterruptedError"}
    assert set(errors.__all__) - set(activity_status.__all__) == hidden
    assert not set(activity_status.__all__) & set(dir(builtins))


@pytest.mark.parametrize("kind", _native.KINDS)
def test_an_exception_keeps_its_fields(kind: str) -> None:
    made = of_kind(kind)("so it is", **FIELDS)
    if kind in BASES:
        assert isinstance(made, BASES[kind])
    made.__dict__["mine"] = "kept"
    for one in (
        made,
        *(pickle.loads(pickle.dumps(made, protocol)) for protocol in range(6)),
        copy.copy(made),
    ):
        assert type(one) is type(made)
        assert str(one) == one.message == "so it is" and one.args == ("so it is",)
        assert {name: getattr(one, name) for name in FIELDS} == FIELDS
        assert one.__dict__["mine"] == "kept"
        assert one.to_dict() == {
            "request_id": ID,
            "operation": "lead.update",
            "error": {"kind": kind, "message": "so it is", "resend": "may_duplicate", "http_status": 500},
        }
        assert json.loads(one.to_json()) == one.to_dict() and " it " in one.to_json()
        assert repr(one) == f"{type(made).__name__}('so it is')"


def test_an_exception_can_be_made_for_a_test_of_yours() -> None:
    made = activity_status.RefusedError("slow down")
    assert (made.resend, made.attempts) == ("pointless", 0)
    others = set(FIELDS) - {"resend", "attempts"}
    assert [getattr(made, name) for name in others] == [None] * len(others)


def test_an_exception_says_what_to_do_next() -> None:
    for kind, advice in _native.KINDS.items():
        made = of_kind(kind)("so it is")
        assert made.hint == (advice or "so it is")
    assert "region" in activity_status.UnauthorizedError("").hint
    assert "CRM" in activity_status.InDoubtError("").hint
    assert "reason" in JobFailedError(STATUS).hint
    with pytest.raises(activity_status.ConfigError) as caught:
        activity_status.Job("a b")
    assert "give the RequestID" in caught.value.hint == caught.value.message


@pytest.mark.parametrize("resend", ["safe", "may_duplicate", "pointless"])
def test_only_what_is_safe_is_retryable(resend: Any) -> None:
    assert activity_status.ServerError("", resend=resend).retryable is (resend == "safe")


def test_neither_hint_nor_advice_is_set_by_hand() -> None:
    for name in ("hint", "retryable"):
        with pytest.raises(AttributeError):
            setattr(activity_status.ServerError(""), name, "x")


def test_a_job_that_failed_travels_too() -> None:
    made = JobFailedError(STATUS)
    for one in (made, pickle.loads(pickle.dumps(made)), copy.copy(made)):
        assert one.status == one.last_status == STATUS
        assert str(one) == str(made) and one.kind == "job_failed" and one.request_id == ID


def test_an_error_of_the_core_has_every_field() -> None:
    with pytest.raises(activity_status.ConfigError) as caught:
        activity_status.Job("a b")
    assert pickle.loads(pickle.dumps(caught.value)).__dict__ == caught.value.__dict__
    assert set(caught.value.__dict__) == {"message", *FIELDS}


@contextlib.contextmanager
def that_answers(start: bytes) -> Generator[str, None, None]:
    """The address of a vendor that begins its answer so, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                request = b""
                while b"\r\n\r\n{}" not in request:
                    request += connection.recv(4096)
                connection.sendall(start)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(60)


HEAD = b"HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{"


@pytest.mark.parametrize(("start", "began"), [(b"", None), (HEAD, 201)])
def test_of_a_submit_in_doubt_all_is_told(make: Callable[..., Client], start: bytes, began: Optional[int]) -> None:
    before = datetime.now(timezone.utc)
    with that_answers(start) as url, pytest.raises(InDoubtError) as caught:
        make(base_url=url).submit({})
    error, after = caught.value, datetime.now(timezone.utc)
    assert error.sent_at is not None and before - timedelta(seconds=1) < error.sent_at < after
    assert error.sent_at.utcoffset() == timedelta(0)
    assert error.elapsed is not None and 0 < error.elapsed <= (after - before).total_seconds()
    assert (error.delivery, error.http_status) == ("in_doubt", began)
    assert error.failure in ("connection", "malformed")
    assert error.sent_at.strftime("%Y-%m-%d %H:%M:%S UTC") in str(error)
    assert pickle.loads(pickle.dumps(error)).__dict__ == error.__dict__
    assert not error.retryable and "CRM" in error.hint


def test_of_a_whole_answer_nothing_was_lost(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(b'{"ExceptionMessage":"no"}', 500)
    with pytest.raises(activity_status.ServerError) as caught:
        client.status(ID)
    error = caught.value
    assert (error.sent_at, error.delivery, error.failure) == (None, None, None)
    assert error.elapsed is not None and error.elapsed > 0
    assert error.vendor_body == '{"ExceptionMessage":"no"}'


def test_a_wait_that_ran_out_tells_the_last_status_and_how_often_it_asked(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")
    with pytest.raises(activity_status.DeadlineError) as caught:
        client.wait(ID, timeout=0.3)
    error = caught.value
    assert error.last_status is not None and error.last_status.state == "In-Queue"
    assert error.attempts == sum(seen.path.endswith("/status") for seen in vendor.seen) > 0
    assert error.elapsed is not None and error.elapsed >= 0.3 and error.retryable


def test_what_was_refused_before_it_was_begun_took_no_time() -> None:
    with pytest.raises(activity_status.ConfigError) as caught:
        activity_status.Job("a b")
    assert caught.value.elapsed is None and caught.value.attempts == 0
