"""Tables for notebooks: every text is escaped, and cut to what a glance takes in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._native import Status

LONGEST = 200


def of_status(status: Status) -> str:
    """What a status says, a row for each field that says anything."""
    names = ("request_id", "operation", "outcome", "state", "reason", "current_step", "created_id", "related_id")
    fields = ((name, getattr(status, name)) for name in names)
    return table([], [(name, value) for name, value in fields if value])


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = ["".join(f"<td>{_shown(value)}</td>" for value in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in [titles, *lines] if line) + "</table>"


def _shown(value: object) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
