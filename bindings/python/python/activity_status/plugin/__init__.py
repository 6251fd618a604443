"""What a client is made of: for each part that you may replace, a Protocol that says what it has to do.

None of them has to be inherited from: any object with the methods does, and for those with one method a function.
"""

from .clock import Clock
from .credentials import Credentials, Keys
from .limiter import Limiter
from .observer import Observer
from .outcome_rule import OutcomeRule
from .schedule import Schedule
from .transport import AsyncTransport, Transport, TransportFailure

__all__ = [
    "AsyncTransport",
    "Clock",
    "Credentials",
    "Keys",
    "Limiter",
    "Observer",
    "OutcomeRule",
    "Schedule",
    "Transport",
    "TransportFailure",
]
