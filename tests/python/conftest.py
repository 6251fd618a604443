"""A vendor of our own for the tests: a few lines of http.server, so that nothing here rests on the Rust sandbox."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional, Union
from urllib.parse import parse_qs, urlsplit

import pytest

from activity_status import Client

KEYS: dict[str, Any] = {
    "api_key": "s3cr3t-api-key-0123456789",
    "access_key": "s3cr3t-access-key-0123456789",
    "secret_key": "s3cr3t-secret-key-0123456789",
}


@dataclass
class Seen:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    connection: int
    """The client's port: it tells one connection from another."""

    @property
    def request_id(self) -> str:
        return self.query["RequestID"][0]


@dataclass
class Answer:
    """What goes out. Without a body the connection is closed with no answer at all."""

    body: Optional[bytes] = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


Call = Callable[[Any], object]


def cases(*cases: Union[Call, tuple[Call, object]]) -> Sequence[object]:
    """Calls for `parametrize`. What they are made on is of any type, so that a wrong call is no error of types."""
    return cases


def status_answer(request_id: str, state: str = "Success", **fields: Any) -> Answer:
    task = {"TaskType": "Activity Create", "Status": state, "StatusReason": "because", **fields}
    return Answer(json.dumps({"RequestId": request_id, "TaskStatus": task}).encode())


class Vendor:
    """Answers every request by `answer`, which a test replaces, and remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Answer] = lambda seen: status_answer(seen.request_id)
        self.hung = threading.Event()
        self.released = threading.Event()
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # Head and body in one packet.

            def handle_any(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                port: int = self.client_address[1]
                seen = Seen(self.command, url.path, parse_qs(url.query), headers, body, port)
                vendor.seen.append(seen)
                answer = vendor.answer(seen)
                if answer.body is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # A client that went away is what some tests are about.

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def hang(self, seen: Seen) -> Answer:
        """An answer that does not come before the test is over."""
        self.hung.set()
        self.released.wait(60)
        return Answer(None)

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and that is inherited by what a test starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def unraised(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The exceptions that could not be raised anywhere, as they come."""
    heard: list[BaseException] = []

    def hear(what: Any) -> None:
        heard.append(what.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", hear)
    return heard


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    yield vendor
    vendor.close()


@pytest.fixture
def timed(vendor: Vendor) -> list[float]:
    """When each call came in. The vendor then answers that all is well."""
    times: list[float] = []

    def answer(seen: Seen) -> Answer:
        times.append(time.monotonic())
        return status_answer(seen.request_id)

    vendor.answer = answer
    return times


def within(times: list[float], calls: int, window: float) -> None:
    """Never more calls than this in any window."""
    times = sorted(times)
    assert len(times) > calls
    for first, last in zip(times, times[calls:]):
        assert last - first > window, (first, last)


@pytest.fixture
def make(vendor: Vendor) -> Callable[..., Client]:
    """Makes a client for the vendor: one attempt, no waiting for the quota."""

    def make(**options: Any) -> Client:
        defaults: dict[str, Any] = {"base_url": vendor.url, "quota": "10000/0.1", "max_attempts": 1, **KEYS}
        return Client(**{**defaults, **options})

    return make


@pytest.fixture
def client(make: Callable[..., Client]) -> Client:
    return make()
