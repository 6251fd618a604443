"""Keeps what is secret out of a text, however it is spelled there."""

import re
from collections.abc import Iterable

MASK = "***"


class Mask:
    """Replaces what it has been told of by ``***``: as it is, escaped in JSON, percent-encoded or in HTML, or one of these
    within another, in any case of letters."""

    def __init__(self, whole: Iterable[str] = ()) -> None:
        self._hidden = {_spelled_out(text)[0] for text in whole if text}

    def hide_key(self, key: str) -> None:
        """Hides a key from now on, and every part of eight characters or more: a part gives the rest half away."""
        key_bytes, _ = _spelled_out(key)
        if key_bytes:
            least = min(_LEAST_PART, len(key_bytes))
            self._hidden |= {key_bytes[at : at + least] for at in range(len(key_bytes) - least + 1)}

    def __call__(self, text: str) -> str:
        octets, places = _spelled_out(text)
        hidden = bytearray(len(text))
        for secret in self._hidden:
            at = octets.find(secret)
            while at >= 0:
                begin, end = places[at][0], places[at + len(secret) - 1][1]
                hidden[begin:end] = b"\1" * (end - begin)
                at = octets.find(secret, at + 1)
        shown, done = "", 0
        for run in re.finditer(b"\1+", hidden):
            shown += text[done : run.start()] + MASK
            done = run.end()
        return shown + text[done:]


_LEAST_PART = 8
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ESCAPE = re.compile(
    r"""\\+u(?P<high>d[89ab][0-9a-f]{2})\\+u(?P<low>d[c-f][0-9a-f]{2})
    | \\+u(?P<unit>[0-9a-f]{4})
    | %(?:25)*(?P<octet>[0-9a-f]{2})
    | &\#x0*(?P<hex>[0-9a-f]{1,5});
    | &\#0*(?P<decimal>[0-9]{1,6});
    | &(?P<named>amp|lt|gt|quot|apos);
    | \\+(?P<control>[nrt])
    | \\+(?P<escaped>["/])?
    | (?P<space>\+)""",
    re.IGNORECASE | re.VERBOSE,
)


def _spelled_out(text: str) -> tuple[bytes, list[tuple[int, int]]]:
    """What a text says with every escape undone, in lower case, and where in the text each byte of that stands."""
    octets = bytearray()
    places: list[tuple[int, int]] = []

    def add(said: bytes, begin: int, end: int) -> None:
        octets.extend(said.lower())
        places.extend([(begin, end)] * len(said))

    def add_plain(begin: int, end: int) -> None:
        plain = text[begin:end]
        if plain.isascii():
            octets.extend(plain.lower().encode())
            places.extend((at, at + 1) for at in range(begin, end))
            return
        for at in range(begin, end):
            add(text[at].encode("utf-8", "surrogatepass"), at, at + 1)

    done = 0
    for escape in _ESCAPE.finditer(text):
        add_plain(done, escape.start())
        add(_meaning(escape), escape.start(), escape.end())
        done = escape.end()
    add_plain(done, len(text))
    return bytes(octets), places


def _meaning(escape: re.Match[str]) -> bytes:
    found = {name: given.lower() for name, given in escape.groupdict().items() if given}
    if "octet" in found:
        return bytes.fromhex(found["octet"])
    if "high" in found:
        pair = bytes.fromhex(found["high"] + found["low"])
        return pair.decode("utf-16-be").encode()
    if "named" in found:
        return _NAMED[found["named"]].encode()
    if "control" in found:
        return {"n": b"\n", "r": b"\r", "t": b"\t"}[found["control"]]
    if "escaped" in found:
        return found["escaped"].encode()
    if "space" in found:
        return b" "
    number = found.get("unit") or found.get("hex")
    code = int(number, 16) if number else int(found["decimal"]) if "decimal" in found else ord("\\")
    return chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")
