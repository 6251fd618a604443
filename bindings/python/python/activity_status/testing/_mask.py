"""Keeps what is secret out of a text, however it is spelled there."""

import re
from collections.abc import Iterable
from typing import Optional

MASK = "***"


class Mask:
    """Replaces what it has been told of by ``***``: as it is, or escaped as in JSON, a URL or HTML, one within the other
    too, and in any case of letters."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        # For each of the forms in which a text is looked through.
        self._hidden: tuple[set[bytes], set[bytes]] = (set(), set())
        for text in texts:
            self._hide(text, least_part=None)

    def hide_key(self, key: str) -> None:
        """Hides a key from now on, and every part of eight characters or more: a part gives the rest half away."""
        self._hide(key, least_part=8)

    def _hide(self, text: str, least_part: Optional[int]) -> None:
        for hidden, (octets, _) in zip(self._hidden, _forms(text)):
            size = min(least_part or len(octets), len(octets))
            if size:
                hidden.update(octets[at : at + size] for at in range(len(octets) - size + 1))

    def __call__(self, text: str) -> str:
        is_hidden = bytearray(len(text))
        for hidden, (octets, places) in zip(self._hidden, _forms(text)):
            for secret in hidden:
                at = octets.find(secret)
                while at >= 0:
                    begin, end = places[at][0], places[at + len(secret) - 1][1]
                    is_hidden[begin:end] = b"\1" * (end - begin)
                    at = octets.find(secret, at + 1)
        shown, done = "", 0
        for run in re.finditer(b"\1+", is_hidden):
            shown += text[done : run.start()] + MASK
            done = run.end()
        return shown + text[done:]


_Places = list[tuple[int, int]]


def _forms(text: str) -> tuple[tuple[bytes, _Places], tuple[bytes, _Places]]:
    """A text as it is and with every escape undone, in lower case, and where in the text each byte of that stands."""
    plain = text.encode("utf-8", "surrogatepass").lower()
    places = [(at, at + 1) for at, char in enumerate(text) for _ in char.encode("utf-8", "surrogatepass")]
    octets, places_undone = plain, places
    while True:
        undone, places_undone = _undone_once(octets, places_undone)
        if undone == octets:
            return (plain, places), (octets, places_undone)
        octets = undone


_ESCAPE = re.compile(
    rb"""\\+u(?P<high>d[89ab][0-9a-f]{2})\\+u(?P<low>d[c-f][0-9a-f]{2})
    | \\+u(?P<unit>[0-9a-f]{4})
    | %(?P<octet>[0-9a-f]{2})
    | &\#x0*(?P<hex>[0-9a-f]{1,5});
    | &\#0*(?P<decimal>[0-9]{1,6});
    | &(?P<named>amp|lt|gt|quot|apos);
    | \\+(?P<control>[nrt])
    | \\+(?P<quoted>["/]?)
    | (?P<space>\+)""",
    re.VERBOSE,
)
_NAMED = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}


def _undone_once(octets: bytes, places: _Places) -> tuple[bytes, _Places]:
    undone = bytearray()
    places_undone: _Places = []
    done = 0
    for escape in _ESCAPE.finditer(octets):
        begin, end = escape.span()
        meaning = _meaning(escape).lower()
        undone += octets[done:begin] + meaning
        places_undone += places[done:begin] + [(places[begin][0], places[end - 1][1])] * len(meaning)
        done = end
    return bytes(undone + octets[done:]), places_undone + places[done:]


def _meaning(escape: re.Match[bytes]) -> bytes:
    found = {name: given for name, given in escape.groupdict().items() if given}
    if "octet" in found:
        return bytes([int(found["octet"], 16)])
    if "high" in found:
        return bytes.fromhex((found["high"] + found["low"]).decode()).decode("utf-16-be").encode()
    if "named" in found:
        return _NAMED[found["named"]]
    if "control" in found:
        return {b"n": b"\n", b"r": b"\r", b"t": b"\t"}[found["control"]]
    if "quoted" in found:
        return found["quoted"]
    if "space" in found:
        return b" "
    number = found.get("unit") or found.get("hex")
    code = int(number, 16) if number else int(found["decimal"]) if "decimal" in found else ord("\\")
    return chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")
