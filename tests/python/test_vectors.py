"""The contract's vectors: the verdict on each answer is the same in every language."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

import pytest
from conftest import KEYS, Answer, Seen, Vendor

from activity_status import ActivityStatusError, Client, Status

VECTORS = Path(__file__).parents[1] / "vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "status.json").read_text("utf-8"))["cases"]
OF_ANSWER = {"RequestId", "RequestID"}
OF_TASK = {"TaskType", "Status", "StatusReason", "TaskCurrentStep", "TaskLastStep", "RequestBody", "Message"}
READABLE = [case for case in CASES if "expect" in case]


def body(case: dict[str, Any]) -> bytes:
    if "body_file" in case:
        return Path(VECTORS, case["body_file"]).read_bytes()
    return bytes.fromhex(case["body_hex"]) if "body_hex" in case else str(case["body"]).encode()


def raw(case: dict[str, Any]) -> str:
    """A byte order mark is of the encoding, not of the text."""
    return body(case).decode().removeprefix("\ufeff")


def named(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[Client, Vendor]]:
    by_id = {case["request_id"]: case for case in CASES}

    def answer(seen: Seen) -> Answer:
        case = by_id[seen.request_id]
        headers = {"content-type": case["content_type"], **case.get("headers", {})}
        return Answer(body(case), case["http_status"], headers)

    vendor = Vendor()
    vendor.answer = answer
    with Client(base_url=vendor.url, max_attempts=1, quota="10000/0.1", **KEYS) as client:
        yield client, vendor
    vendor.close()


def reading(status: Status) -> dict[str, Any]:
    fields = [
        "outcome",
        "state",
        "task_type",
        "reason",
        "current_step",
        "last_step",
        "request_body",
        "message",
    ]
    return {name: getattr(status, name) for name in [*fields, "created_id", "related_id"]}


def squeezed(status: Status) -> dict[str, Any]:
    """A line of ours has no white space between the tokens of what the vendor sent as an object."""
    return {name: value and re.sub(r"\s", "", value) for name, value in reading(status).items()}


@named(CASES)
def test_an_answer_over_a_socket(case: dict[str, Any], asked: tuple[Client, Vendor]) -> None:
    client, vendor = asked
    before = len(vendor.seen)
    try:
        status = client.status(case["request_id"], operation=case["operation"])
    except ActivityStatusError as error:
        fields = ["kind", "http_status", "resend", "vendor_type", "vendor_message"]
        assert {name: getattr(error, name) for name in fields} == case["expect_error"]
        assert error.request_id == case["request_id"] and error.operation == case["operation"]
        assert error.attempts == 1
    else:
        assert reading(status) == case["expect"]
        assert status.raw == raw(case)
        assert status.request_id == case["request_id"] and status.operation == case["operation"]
    assert len(vendor.seen) == before + 1


@named(READABLE)
def test_a_stored_answer(case: dict[str, Any]) -> None:
    texts: list[Union[str, bytes]] = [body(case), body(case).decode()]
    for text in texts:
        status = Status.from_json(text, case["operation"])
        assert reading(status) == case["expect"]
        assert status.raw == raw(case)
        assert status.request_id.lower() == case["request_id"].lower()


@named(READABLE)
def test_a_line_of_ours_leads_back(case: dict[str, Any]) -> None:
    status = Status.from_json(body(case), case["operation"])
    again = Status.from_json(status.to_json())
    assert squeezed(again) == squeezed(status)
    assert (again.request_id, again.operation) == (status.request_id, status.operation)
    assert again.extra == status.extra and Status.from_json(again.to_json()) == again


@named(READABLE)
def test_every_field_has_a_name_or_is_extra(case: dict[str, Any]) -> None:
    status = Status.from_json(body(case), case["operation"])
    answer = json.loads(status.raw)
    task = answer.pop("TaskStatus")
    unnamed = {name: value for name, value in answer.items() if name not in OF_ANSWER}
    unnamed.update((name, value) for name, value in task.items() if name not in OF_TASK)
    assert repr(dict(status.extra)) == repr(dict(sorted(unnamed.items())))


@named([case for case in CASES if case.get("expect_error", {}).get("http_status") == 200 and "body" in case])
def test_a_stored_answer_that_is_none(case: dict[str, Any]) -> None:
    try:
        status = Status.from_json(case["body"])
    except ActivityStatusError as error:
        assert error.kind == "malformed"
    else:
        # Readable, but about another job than the one that was asked about.
        assert status.request_id.lower() != case["request_id"].lower()
