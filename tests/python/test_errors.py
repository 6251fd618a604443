"""One exception for each kind, and all of them values that travel."""

import builtins
import copy
import json
import pickle
from typing import Any

import pytest
from conftest import status_answer

import activity_status
from activity_status import ActivityStatusError, JobFailedError, Status, _native, errors  # pyright: ignore[reportPrivateUsage]

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
