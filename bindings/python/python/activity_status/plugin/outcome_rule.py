from typing import Protocol

from .._native import Status
from .._outcome import Outcome


class OutcomeRule(Protocol):
    """What counts as settled, in place of the documented rule: ``Client(outcome_rule=...)`` takes any function.

    It runs on the thread that makes the call. What it raises comes out of the call, whose answer is lost by that, and
    can be asked for again.
    """

    def __call__(self, status: Status, /) -> Outcome:
        """What this status means for whoever waits; its own ``outcome`` is by the documented rule."""
        ...
