from typing import Literal, Optional, Protocol, Union

from .._native import Done, Poll, Wait


class Schedule(Protocol):
    """Which job to ask about next, and when: ``wait_all(schedule=...)`` and ``tracker(schedule=...)`` take any such object.

    One schedule serves one wait. Its methods run on the thread that takes the steps, one at a time; the wait that asks is
    held meanwhile, and must not be asked for its progress. What they raise leaves the wait, which may be gone on with.
    Times are seconds of the client's clock. The quota is not its affair: a job that it names is asked about as soon as
    there is leave.

    It may have five methods more: ``eta(now)``, in how many seconds all jobs will probably be known, and one standard
    deviation of that, or None; ``eta_of(key, now)``, the same of one job; ``overdue(now)``, the keys of jobs that the
    vendor has probably lost; ``hint(lane, ahead, per_second, now)``, so many jobs of others stand before ours, and so many
    are done in a second; ``forget(key)``, nobody wants to know of this job any more: without it the job is settled when it
    is named next.
    """

    def add(self, lane: int, submitted_at: Optional[float], /) -> int:
        """One more job, and the key that it is known by from now on: no two jobs have the same. Jobs of one operation are in
        one lane. submitted_at is when it was, if that is known."""
        ...

    def next(self, now: float, /) -> Union[Poll, Wait, Done]:
        """The job to ask about now; or how long none is worth a question; or that there is no job left. A job that was
        named is not named again before it is observed."""
        ...

    def observe(
        self,
        key: int,
        what: Literal["pending", "settled", "refused", "failed", "unsent"],
        sent_at: float,
        answered_at: float,
        /,
    ) -> None:
        """What became of a question: the job is pending, or settled and to be forgotten; the call was refused (429), failed,
        or was not sent after all."""
        ...

    def __len__(self) -> int:
        """How many jobs it has."""
        ...
