"""Recorder and Replay: what was asked and answered comes back, and no key is in the file."""

import html
import json
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote, quote_plus

import pytest

from activity_status import (
    Client,
    InDoubtError,
    Request,
    Response,
    TransportError,
)
from activity_status.testing import ManualClock, Recorder, Replay, Sandbox, UnexpectedRequestError
from activity_status.testing._mask import Mask  # pyright: ignore[reportPrivateUsage]
from conftest import KEYS, Answer, Vendor, status_answer

# Keys that every escape changes.
ODD_KEYS = {
    "api_key": 'a"p\\i/k%41&<e>+y\'0123456789',
    "access_key": "acc%2Bess+k\\u0041y&amp;9876543210",
    "secret_key": "s3cr3t==/+\\\"'<>&%%25zyxwvut",
}
ACTIVITY = {"RelatedProspectId": "a-lead", "ActivityEvent": 201}


def spellings(key: str) -> list[str]:
    """The ways in which a key could stand in a text, and each way within another."""
    ways: list[Callable[[str], str]] = [
        lambda text: text,
        quote,
        lambda text: quote(text, safe=""),
        quote_plus,
        lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
        lambda text: json.dumps(text)[1:-1],
        lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
        lambda text: "".join(f"\\u{ord(char):04X}" for char in text),
        lambda text: text.replace("/", "\\/"),
        html.escape,
        lambda text: "".join(f"&#{ord(char)};" for char in text),
        str.upper,
    ]
    return [outer(inner(key)) for inner in ways for outer in ways]


@pytest.mark.parametrize("key", [*KEYS.values(), *ODD_KEYS.values(), "short"], ids=[*KEYS, *ODD_KEYS, "short"])
def test_a_key_is_masked_however_it_is_spelled(key: str) -> None:
    mask = Mask()
    mask.hide_key(key)
    for spelled in spellings(key):
        assert mask(f"before <{spelled}> after") == "before <***> after", spelled
    assert mask("nothing of that here: 100%, C:\\temp, é") == "nothing of that here: 100%, C:\\temp, é"


def test_a_part_of_a_key_is_masked_too_but_not_of_another_text() -> None:
    mask = Mask(["Jürgen Müller", "🔑 of the house"])
    mask.hide_key("0123456789abcdef")
    assert mask("89abcdef, 89abcde, 0123456789") == "***, 89abcde, ***"
    assert mask("Jürgen M. and J\\u00fcrgen+M%c3%bcller and JÜRGEN MÜLLER") != ""
    assert mask("Jürgen M.") == "Jürgen M."
    for spelled in ["jürgen müller", "J\\u00fcrgen M\\u00FCller", "J%C3%BCrgen+M%c3%bcller", "J\\\\u00fcrgen%20Müller"]:
        assert mask(f"<{spelled}>") == "<***>", spelled
    assert mask('"\\ud83d\\udd11 of the house"') == '"***"' == mask('"%F0%9F%94%91 of the house"')


def repeating(keys: dict[str, str]) -> Callable[[Request], Response]:
    """A vendor that repeats the keys it was given, escaped in each way."""
    said = " ".join(spelled for key in keys.values() for spelled in spellings(key))

    def send(request: Request) -> Response:
        answer = {"RequestID": "1-2-3", "Status": said, "Again": json.dumps({"said": said})}
        headers = {"content-type": "application/json", "x-echo": quote(said), "set-cookie": "session=0123"}
        return Response(200, headers, json.dumps(answer).encode())

    return send


@pytest.mark.parametrize("keys", [KEYS, ODD_KEYS], ids=["plain", "odd"])
@pytest.mark.parametrize("placement", ["headers", "query"])
def test_no_key_is_in_the_file(tmp_path: Path, keys: dict[str, str], placement: Any) -> None:
    path = tmp_path / "recording.jsonl"
    connector = "connect0r-key/&+0987654321"
    settings: dict[str, Any] = {**keys, "base_url": "https://vendor.invalid", "key_placement": placement}
    with Recorder(repeating({**keys, "connector": connector}), path, mask=["Jürgen Müller"]) as recorder:
        client = Client(transport=recorder, **settings)
        body = {"Note": "of Jürgen Müller", "Keys": [*keys.values(), *map(quote, keys.values())]}
        client.submit("{}", operation="telephony.logcall", path_tail=connector)
        client.submit(json.dumps(body), operation="lead.capture")
    text = path.read_text("utf-8")
    assert text.count("\n") == 2 and "x-api-key" in text and "vendor.invalid/lead/capture" in text
    entries = [json.loads(line) for line in text.splitlines()]
    for secret in [*keys.values(), connector, "Jürgen Müller"]:
        for spelled in spellings(secret):
            places = [text, *(str(entry) for entry in entries), *(entry["request"]["body"] for entry in entries)]
            assert not any(spelled.lower() in place.lower() for place in places), spelled
        # Half a key is half away.
        assert secret[:8] not in text and secret[-8:] not in text
    assert "session=0123" not in text
    assert entries[1]["request"]["headers"]["accept"] == "application/json"


def test_what_was_recorded_of_a_vendor_comes_back(tmp_path: Path, vendor: Vendor) -> None:
    path = tmp_path / "recording.jsonl"
    states = iter(["In-Queue", "In-Queue", "Success"])
    vendor.answer = lambda seen: (
        Answer(b'{"RequestID": "72003d66-aa5d"}')
        if seen.method == "POST"
        else status_answer(seen.request_id, next(states), RequestBody='{"a":\r\n\t1}', Message=None)
    )
    with Recorder(None, path) as recorder:
        client = Client(base_url=vendor.url, transport=recorder, clock=ManualClock(), **KEYS)
        job = client.submit(ACTIVITY)
        status = client.wait(job)
    assert status.succeeded and len(vendor.seen) == 4
    vendor.close()

    replay = Replay(path)
    assert replay.left[0] == "POST /activity/create" and len(replay.left) == 4
    other_keys: Any = {name: f"another-{name}" for name in KEYS}
    again = Client(region="in", transport=replay, clock=ManualClock(), key_placement="query", **other_keys)
    assert again.submit(ACTIVITY) == job
    assert again.wait(job) == status
    assert replay.left == []
    with pytest.raises(UnexpectedRequestError, match=r"GET /activity/create/status\?RequestID=72003d66-aa5d .* nothing is left"):
        again.status(job)


def test_a_replay_says_what_it_was_asked_and_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    sandbox = Sandbox()
    with Recorder(sandbox.transport, path) as recorder:
        client = sandbox.client(transport=recorder)
        first, second = client.submit(ACTIVITY), client.submit({**ACTIVITY, "ActivityEvent": 202})
        client.status(first)
    replay = Replay(path)
    client = sandbox.client(transport=replay)
    with pytest.raises(UnexpectedRequestError) as caught:
        client.status(second)
    told = str(caught.value)
    assert told.startswith(f"GET /activity/create/status?RequestID={second} was not recorded")
    assert told.endswith(f"\n  POST /activity/create\n  POST /activity/create\n  GET /activity/create/status?RequestID={first}")
    with pytest.raises(UnexpectedRequestError, match="another body"):
        client.submit({**ACTIVITY, "ActivityEvent": 203})
    assert client.submit({**ACTIVITY, "ActivityEvent": 202}) == second
    assert client.submit(ACTIVITY) == first
    assert client.status(first).request_id == str(first)
    assert replay.left == []

    anyhow = sandbox.client(transport=Replay(path, match_body=False))
    assert [anyhow.submit({"other": 1}), anyhow.submit({"other": 2})] == [first, second]

    strict = Replay(path, in_order=True)
    with pytest.raises(UnexpectedRequestError, match="not what was recorded next"):
        sandbox.client(transport=strict).submit({**ACTIVITY, "ActivityEvent": 202})
    assert len(strict.left) == 3
    assert sandbox.client(transport=strict).submit(ACTIVITY) == first


@pytest.mark.parametrize(
    "fault, expected",
    [("answer_lost", InDoubtError), ("silence", InDoubtError), ("unreachable", TransportError)],
)
def test_a_failure_comes_back_as_it_was(tmp_path: Path, fault: Any, expected: "type[Exception]") -> None:
    path = tmp_path / "recording.jsonl"
    sandbox = Sandbox()
    sandbox.fault(fault, on="submit")
    with Recorder(sandbox.transport, path) as recorder:
        with pytest.raises(expected) as recorded:
            sandbox.client(transport=recorder, max_attempts=1).submit(ACTIVITY)
    with pytest.raises(expected) as replayed:
        Sandbox().client(transport=Replay(path), max_attempts=1).submit(ACTIVITY)
    # The class of what a transport has raised stands before its text.
    assert str(recorded.value).partition(": ")[2] == str(replayed.value).partition(": ")[2]
    assert json.loads(path.read_text())["error"]["delivery"] in ("in_doubt", "not_sent")


def test_a_body_that_is_no_text_comes_back_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    body = bytes(range(128, 256)) + b"s3cr3t-api-key-0123456789"

    def send(request: Request) -> Response:
        return Response(500, {}, body)

    request = Request("GET", "https://vendor.invalid/a?RequestID=1", {"x-api-key": KEYS["api_key"]})
    with Recorder(send, path) as recorder:
        assert recorder(request).body == body
    assert Replay(path)(request).body == bytes(range(128, 256)) + b"***"


def test_a_bug_in_a_transport_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"

    def send(request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    with Recorder(send, path) as recorder:
        client = Client(base_url="https://vendor.invalid", transport=recorder, **KEYS)
        with pytest.raises(ZeroDivisionError, match="a bug"):
            client.metrics()
    assert path.read_text() == ""
