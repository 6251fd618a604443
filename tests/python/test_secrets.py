"""No key is ever in what a program may print, log or store."""

import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from conftest import KEYS, Answer, Seen, Vendor, status_answer

from activity_status import ActivityStatusError, Batch, Client, ConfigError

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
TAIL = "s3cr3t-connector-key-0123456789"


def holds_no_key(text: str) -> None:
    for secret in [*KEYS.values(), TAIL]:
        for start in range(len(secret) - 7):
            assert secret[start : start + 8] not in text, text


def everything_of(error: BaseException) -> str:
    shown = [str(error), repr(error), repr(error.__dict__), repr(pickle.dumps(error))]
    # Without the source lines: those of this file are not ours to keep keys out of.
    shown += [str(frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    shown += traceback.format_exception_only(type(error), error)
    if isinstance(error, ActivityStatusError):
        shown.append(error.to_json())
    following = error.__cause__ or error.__context__
    return "\n".join(shown) + (everything_of(following) if following else "")


def echoed(seen: Seen) -> str:
    return json.dumps({"path": seen.path, "query": seen.query, "headers": seen.headers})


ANSWERS: list[Callable[[Seen], Answer]] = [
    lambda seen: Answer(None),
    lambda seen: Answer(b"<html>" + echoed(seen).encode()),
    lambda seen: Answer(b"", 302, {"location": "https://example.com/" + KEYS["api_key"]}),
    *(
        lambda seen, code=code: Answer(
            json.dumps({"ExceptionType": "MX", "ExceptionMessage": echoed(seen)}).encode(), code
        )
        for code in (200, 400, 401, 404, 429, 500)
    ),
    lambda seen: Answer(
        json.dumps({"RequestId": KEYS["secret_key"], "TaskStatus": {"Status": "x"}}).encode()
    ),
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("placement", ["headers", "query"])
def test_an_answer_that_repeats_the_keys(
    make: Callable[..., Client], vendor: Vendor, answer: Callable[[Seen], Answer], placement: str
) -> None:
    vendor.answer = answer
    client = make(key_placement=placement)
    calls: list[Callable[[], Any]] = [
        lambda: client.status(ID),
        client.metrics,
        lambda: client.submit({}, operation="telephony.logcall", path_tail=TAIL),
    ]
    failed = 0
    for call in calls:
        try:
            call()
        except ActivityStatusError as error:
            failed += 1
            holds_no_key(everything_of(error))
    assert failed >= 2
    holds_no_key(repr(client) + str(client))


def everything_that_a_value_says(value: Any) -> str:
    shown = [str(value), repr(value), repr(pickle.dumps(value))]
    for name in ("to_dict", "to_dicts", "to_json", "to_token", "_repr_html_"):
        if hasattr(value, name):
            shown.append(str(getattr(value, name)()))
    return "\n".join(shown)


def test_what_calls_give_back_holds_no_key(client: Client, vendor: Vendor) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(b'{"RequestID":"%s"}' % ID.encode())
        if seen.path.endswith("/metrics"):
            return Answer(b'{"PendingMessages":1}')
        return Answer(echoed(seen).encode(), 404) if seen.request_id == "gone" else status_answer(seen.request_id)

    vendor.answer = answer
    job = client.submit({}, operation="telephony.logcall", path_tail=TAIL)
    batch = Batch(client.wait_all([job, "gone"]))
    status, metrics = client.status(job), client.metrics()
    seen = " ".join(one.path + echoed(one) for one in vendor.seen)
    assert all(secret in seen for secret in [*KEYS.values(), TAIL]), "the vendor was given all of them"
    assert len(batch.succeeded) == len(batch.errors) == 1
    for value in (job, status, status.http, metrics, metrics.http, batch, *(result for _, result in batch)):
        holds_no_key(everything_that_a_value_says(value))


@pytest.mark.parametrize("name", [*KEYS, "proxy", "base_url", "key_placement"])
def test_a_setting_that_is_refused_is_not_repeated_if_it_may_hold_a_key(name: str) -> None:
    spoiled: dict[str, Any] = {"region": "in", **KEYS, name: TAIL + " \n"}
    if name == "base_url":
        spoiled = {**KEYS, "base_url": f"https://user:{TAIL}@example.com/?k={TAIL}"}
    with pytest.raises(ConfigError) as caught:
        Client(**spoiled)
    holds_no_key(everything_of(caught.value))


def test_a_body_is_not_repeated(client: Client) -> None:
    for body in ('{"key": "%s"' % TAIL, {"key": TAIL, "bad": "\ud800"}, {"key": TAIL, "bad": float("nan")}):
        with pytest.raises(ConfigError) as caught:
            client.submit(body)
        holds_no_key(everything_of(caught.value))
