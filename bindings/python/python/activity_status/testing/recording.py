"""What was asked and answered, in a file: written by a Recorder, answered from by a Replay.

A recording is JSON lines: an object with ``request`` and ``response``, or ``error``, for each call, to be read and put
under version control. No key is in it; what the vendor said of leads and activities is, unless it is masked too.
"""

import base64
import json
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Optional, Union
from urllib.parse import parse_qsl, urlsplit

from .. import NativeTransport, Request, Response
from ..plugin import Transport, TransportFailure
from ._mask import MASK, Mask

__all__ = ["Recorder", "Replay", "UnexpectedRequestError"]

_Path = Union[str, "os.PathLike[str]"]


class UnexpectedRequestError(AssertionError):
    """A Replay was asked what its recording has no answer to. The text says what was asked, and what is left."""


class Recorder:
    """A transport that sends by another one, and writes down what was asked and answered.

    >>> import os, tempfile
    >>> from activity_status.testing import Recorder, Replay, Sandbox
    >>> path = os.path.join(tempfile.mkdtemp(), "recording.jsonl")
    >>> activity = {"RelatedProspectId": "a-lead", "ActivityEvent": 201}
    >>> sandbox = Sandbox()
    >>> with Recorder(sandbox.transport, path) as recorder:
    ...     job = sandbox.client(transport=recorder).submit(activity)
    >>> replayed = sandbox.client(transport=Replay(path)).submit(activity)
    >>> replayed == job
    True

    ``transport`` is one of your own, or that of a sandbox; None is the network. ``path`` is written anew. Masked are: every
    header that could identify the caller, the keys that a request carries (in headers, in its query, as the connector's key
    of telephony.logcall) wherever they are repeated, however they are escaped there, and every text in ``mask``. A key that
    no request so far has carried is not known: put it into ``mask``.

    It may be used by several threads; a line is written when its call is over. A call that raises anything but an OSError,
    or an exception with a ``delivery``, is not written.
    """

    def __init__(
        self,
        transport: Optional[Transport],
        path: _Path,
        *,
        mask: Iterable[str] = (),
    ) -> None:
        self._send = NativeTransport() if transport is None else transport
        self._mask = Mask(mask)
        self._lock = threading.Lock()
        self._file = open(path, "w", encoding="utf-8", newline="\n")

    def __call__(self, request: Request, /) -> Response:
        """Sends a request, and writes down what came of it."""
        try:
            response = self._send(request)
        except Exception as error:
            if isinstance(error, OSError) or hasattr(error, "delivery"):
                self._write(request, "error", lambda: _error_told(error, self._mask))
            raise
        self._write(request, "response", lambda: _response_told(response, self._mask))
        return response

    def _write(self, request: Request, kind: str, tell: Callable[[], dict[str, Any]]) -> None:
        with self._lock:
            line = {"request": _request_told(request, self._mask), kind: tell()}
            if not self._file.closed:
                self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
                self._file.flush()

    def close(self) -> None:
        """Closes the file. Calls go through afterwards, and are not written."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


class Replay:
    """A transport that answers as it was recorded, and sends nothing.

    A request is answered by what was recorded of the next one like it: the same method, path, query and body; keys and host
    do not matter, so a client with any keys does. With ``in_order`` requests must come in the recorded order as well;
    without ``match_body``, as for bodies that tell the time, a body may be any. ``mask`` is that of the recording. Anything
    else raises :class:`UnexpectedRequestError`.

    Answers come at once: with a :class:`ManualClock` as the client's clock, so do the pauses between them. It may be used
    by several threads.
    """

    def __init__(
        self,
        path: _Path,
        *,
        in_order: bool = False,
        match_body: bool = True,
        mask: Iterable[str] = (),
    ) -> None:
        self._path = path
        self._in_order = in_order
        self._match_body = match_body
        self._mask = Mask(mask)
        self._lock = threading.Lock()
        with open(path, encoding="utf-8") as lines:
            self._open: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]

    @property
    def left(self) -> list[str]:
        """What was recorded and not asked again so far, a line each: empty when all of it was."""
        with self._lock:
            return [_asked(entry["request"]) for entry in self._open]

    def __call__(self, request: Request, /) -> Response:
        """The recorded answer."""
        with self._lock:
            told = _request_told(request, self._mask)
            wanted = self._likeness(told)
            candidates = self._open[:1] if self._in_order else self._open
            for at, entry in enumerate(candidates):
                if self._likeness(entry["request"]) == wanted:
                    return _answer(self._open.pop(at))
            raise UnexpectedRequestError(self._explained(told))

    def _likeness(self, told: Mapping[str, Any]) -> tuple[Any, ...]:
        url = urlsplit(told["url"])
        query = sorted(pair for pair in parse_qsl(url.query, keep_blank_values=True) if not _is_key(pair[0]))
        body = json.dumps(told["body"]) if self._match_body else None
        return told["method"], url.path, query, body

    def _explained(self, told: Mapping[str, Any]) -> str:
        wanted = self._likeness(told)[:3]
        but_for_body = any(self._likeness(entry["request"])[:3] == wanted for entry in self._open)
        why = "was recorded with another body" if but_for_body else "was not recorded, or is used up"
        if self._in_order and self._open:
            why = "is not what was recorded next"
        some = "".join(f"\n  {_asked(entry['request'])}" for entry in self._open[:10])
        more = f"\n  and {len(self._open) - 10} more" if len(self._open) > 10 else ""
        left = f"; left of {os.fspath(self._path)}:{some}{more}" if self._open else "; nothing is left"
        return f"{_asked(told)} {why}{left}"


# The others that a client sends are keys.
_PUBLIC_HEADERS = ("accept", "content-type", "user-agent")
_CONNECTOR = "/logcallcomplete/"


def _is_key(parameter: str) -> bool:
    return parameter.lower() in ("accesskey", "secretkey")


def _request_told(request: Request, mask: Mask) -> dict[str, Any]:
    url = urlsplit(request.url)
    for name, value in request.headers.items():
        if name.lower() not in _PUBLIC_HEADERS:
            mask.hide_key(value)
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if _is_key(name):
            mask.hide_key(value)
    before, is_there, connector = url.path.partition(_CONNECTOR)
    if is_there and request.method == "POST":
        mask.hide_key(connector)
    headers = {name: mask(value) for name, value in request.headers.items()}
    return {"method": request.method, "url": mask(request.url), "headers": headers, "body": _body_told(request.body, mask)}


def _response_told(response: Response, mask: Mask) -> dict[str, Any]:
    headers = {name: MASK if name.lower() == "set-cookie" else mask(value) for name, value in response.headers.items()}
    return {"status": response.status, "headers": headers, "body": _body_told(response.body, mask)}


def _error_told(error: Exception, mask: Mask) -> dict[str, Any]:
    was_not_sent = isinstance(error, (ConnectionRefusedError, socket.gaierror))
    return {
        "message": mask(str(error)),
        "delivery": getattr(error, "delivery", "not_sent" if was_not_sent else "in_doubt"),
        "failure": getattr(error, "failure", "timed_out" if isinstance(error, TimeoutError) else "connection"),
    }


def _body_told(body: Optional[bytes], mask: Mask) -> Union[None, str, dict[str, str]]:
    """A text as it is; what is none in Base64, so that it comes back byte for byte."""
    if body is None:
        return None
    try:
        return mask(body.decode())
    except UnicodeDecodeError:
        masked = mask(body.decode("latin-1")).encode("latin-1")
        return {"base64": base64.b64encode(masked).decode()}


def _answer(entry: Mapping[str, Any]) -> Response:
    if "error" in entry:
        raise TransportFailure(**entry["error"])
    told = entry["response"]
    body = told["body"]
    body = base64.b64decode(body["base64"]) if isinstance(body, dict) else body.encode()
    return Response(told["status"], told["headers"], body)


def _asked(told: Mapping[str, Any]) -> str:
    """What a request asks for, without the host."""
    url = urlsplit(told["url"])
    return f"{told['method']} {url.path}{'?' if url.query else ''}{url.query}"
