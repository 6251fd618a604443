"""To test a program of your own that uses this package, and parts that you put in the place of ours.

A :class:`Sandbox` is the vendor as a model, in this process and in a time of its own. A job that the vendor tries again
after half a minute is over at once, and the same test sees the same history each time:

>>> from activity_status.testing import Sandbox
>>> sandbox = Sandbox(rate_per_minute=60)
>>> client = sandbox.client()
>>> job = client.submit({"RelatedProspectId": "a-lead", "ActivityEvent": 201, "ActivityNote": "sandbox:retry=1"})
>>> status = client.wait(job)
>>> status.outcome
<Outcome.SUCCEEDED: 'succeeded'>
>>> sandbox.clock.now() > 30
True
>>> sandbox.book.duplicates
0

What can go wrong is planned; here the job is accepted, and the answer to the submit lost:

>>> from activity_status import InDoubtError
>>> sandbox.fault("answer_lost", on="submit")
>>> try:
...     client.submit({"RelatedProspectId": "a-lead", "ActivityEvent": 202})
... except InDoubtError:
...     print("it may have arrived:", sandbox.book.accepted, "were accepted")
it may have arrived: 2 were accepted

A :class:`SandboxServer` is the same on a port of this machine, for threads, other processes and other languages. A
:class:`Recorder` writes down what was asked and answered, with the keys masked, and a :class:`Replay` answers from that. A
:class:`ManualClock` is time that a test moves. In pytest there are the fixtures ``activity_status_sandbox`` and
``activity_status_server``, and for their settings the marker ``@pytest.mark.activity_status(rate_per_minute=60)``.

:func:`check_limiter`, :func:`check_transport` and :func:`check_clock` tell what a part of your own gets wrong.
"""

from .._native import (
    Book,
    ManualClock,
    Sandbox,
    SandboxServer,
    check_clock,
    check_limiter,
    check_transport,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .recording import Recorder, Replay, UnexpectedRequestError

__all__ = [
    "Book",
    "ManualClock",
    "Recorder",
    "Replay",
    "Sandbox",
    "SandboxServer",
    "UnexpectedRequestError",
    "check_clock",
    "check_limiter",
    "check_transport",
]


def __getattr__(name: str) -> object:
    # What it takes to read and write recordings is imported when it is wanted: pytest imports this for everybody.
    if name in ("Recorder", "Replay", "UnexpectedRequestError"):
        from . import recording

        return getattr(recording, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
