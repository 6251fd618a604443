from enum import Enum


class Outcome(str, Enum):
    """What a status means for whoever waits. Each is also the word it stands for: ``Outcome.FAILED == "failed"``."""

    PENDING = "pending"
    """Not settled: it may still change."""
    SUCCEEDED = "succeeded"
    """Settled: it was carried out."""
    FAILED = "failed"
    """Settled: it was not."""

    def __new__(cls, value: str) -> "Outcome":
        # What Enum would do by itself; written out, type checkers need not believe in the arguments of str().
        member = str.__new__(cls, value)
        member._value_ = value
        return member

    def __str__(self) -> str:
        return str.__str__(self)
