"""How a body becomes the bytes that are sent."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

from .errors import ConfigError


def encode(body: object) -> bytes:
    """The bytes of a body: a text as it is, a mapping or a sequence as JSON."""
    if not isinstance(body, (str, Mapping, Sequence)) or isinstance(body, (bytearray, memoryview)):
        raise TypeError(f"a body is a mapping, a sequence, a str or bytes, not {type(body).__name__}")
    try:
        text = body if isinstance(body, str) else _json(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the body cannot be written as JSON: {error}; nothing was sent") from error
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    # Out here, so that Python's own error is not its context: that one holds the whole body.
    raise ConfigError("the body holds half of a surrogate pair, which is no text; nothing was sent")


def _json(body: object) -> str:
    return json.dumps(body, default=_plain, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> Any:
    """What JSON has no form for."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc)
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return list(value)
    hint = "; give a datetime, whose time of day is known" if isinstance(value, date) else ""
    raise TypeError(f"it holds a {type(value).__name__}{hint}")
