from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, ClassVar, Final, Literal, TypedDict, final

from typing_extensions import Self, TypeAlias, Unpack, disjoint_base

from . import plugin as _plugin
from ._outcome import Outcome
from .errors import ActivityStatusError, DeadlineError

__all__ = [
    "Client",
    "Job",
    "Metrics",
    "Operation",
    "Status",
    "Look",
    "Progress",
    "WaitAll",
    "Done",
    "Ended",
    "Sleep",
    "Tracker",
    "Clock",
    "Granted",
    "Http",
    "RetryAfter",
    "Settlement",
    "Snapshot",
    "Wait",
    "Response",
    "Request",
    "Poll",
    "Permit",
    "NativeTransport",
    "Limiter",
    "Event",
    "CancelToken",
    "Book",
    "ManualClock",
    "Sandbox",
    "SandboxServer",
    "cli_main",
    "check_clock",
    "check_limiter",
    "check_transport",
    "_restore_metrics",
    "_restore_status",
    "_seconds",
    "KINDS",
    "SETTINGS",
    "__version__",
]

__version__: Final[str]
KINDS: Final[dict[str, str]]
SETTINGS: Final[list[tuple[str, str]]]

_Time: TypeAlias = float | timedelta | str
_Operation: TypeAlias = (
    Literal[
        "activity.create",
        "activity.createcustom",
        "lead.capture",
        "lead.update",
        "opportunity.capture",
        "opportunity.update",
        "telephony.logcall",
    ]
    | str
    | Operation
)

_CallClass: TypeAlias = Literal["submit", "poll", "other"]

class _Settings(TypedDict, total=False):
    api_key: str | None
    access_key: str | None
    secret_key: str | None
    region: Literal["in", "us", "sg"] | str | None
    base_url: str | None
    key_placement: Literal["headers", "query"] | None
    quota: str | tuple[int, _Time] | None
    limiter: str | Limiter | _plugin.Limiter | None
    limiter_away: str | tuple[int, _Time] | None
    strict: bool | None
    submit_share: int | None
    call_deadline: _Time | None
    max_attempts: int | None
    accept_duplicates: bool | None
    resolve_timeout: _Time | None
    connect_timeout: _Time | None
    send_timeout: _Time | None
    head_timeout: _Time | None
    body_timeout: _Time | None
    proxy: str | None
    clock: Clock | _plugin.Clock | None
    observer: _plugin.Observer | Callable[[Event], object] | None
    outcome_rule: _plugin.OutcomeRule | None
    credentials: _plugin.Credentials | None

class _Options(_Settings, total=False):
    transport: NativeTransport | _plugin.Transport | None

class _AsyncOptions(_Settings, total=False):
    transport: NativeTransport | _plugin.Transport | _plugin.AsyncTransport | None

@final
class Client:
    """Submits jobs and asks how they went, inside the quota.

    Every method blocks the calling thread only: other threads run meanwhile, and may use the same client, which keeps
    one quota for all of them. Ctrl-C ends a call at once. Use it as a context manager, or close it, or leave it to the
    garbage collector. After a fork the child has connections of its own, and a quota of its own unless that is shared.

    Times are seconds, a timedelta, or a text such as "90s"; None is the default.

    - api_key: the key that every call carries. Required.
    - access_key, secret_key: a submit needs both.
    - region: the account's region: "in", "us" or "sg". Either this or base_url.
    - base_url: the address of the Async API: https, or http on this machine.
    - key_placement: where a submit carries its two keys: "headers" (default) or "query".
    - quota: calls per time, such as "25/5s" (default) or (25, 5.0).
    - limiter: who shares the quota: "process" (default: the threads that share this client), "file:PATH" (every program
      of this machine that names the file), "redis://HOST:PORT" (many machines), a Limiter that others share, or an object of
      your own (activity_status.plugin.Limiter).
    - limiter_away: while Redis is away: "refuse" (default), or a quota for this client alone, such as "5/5s"; those of all
      clients must add up.
    - strict: True: hold each slot for a whole window after the answer. Default False: an estimated margin less.
    - submit_share: of a hundred calls, when submits and questions both wait, so many are submits: 50.
    - call_deadline: the longest that one call may take with all its waits and attempts: 60 s.
    - max_attempts: how often a call that is safe to repeat is tried: 5.
    - accept_duplicates: True: also send a submit again when it may have arrived.
    - resolve_timeout, connect_timeout, send_timeout, head_timeout, body_timeout: how long each phase of an HTTP
      exchange may take: 5, 10, 15, 30 and 30 s.
    - proxy: an HTTP proxy, "http://host:port". Default none, whatever the environment says.

    Parts of your own, each described by its Protocol in activity_status.plugin. They run on the thread that makes the call,
    and what they raise comes out of it:

    - transport: what sends the requests: a function of a Request that gives a Response.
    - clock: the time, with now, wall and sleep.
    - observer: is told each Event. What it raises goes to sys.unraisablehook. The same is in logging, by the loggers
      activity_status.http, .limiter and .wait.
    - outcome_rule: what counts as settled: a function of a Status that gives an Outcome.
    - credentials: where the keys come from if they may change: a function that gives a mapping with api_key, and access_key
      and secret_key if it submits. It is asked before each call, in place of those three settings.
    """

    def __new__(
        cls,
        *,
        api_key: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        region: Literal["in", "us", "sg"] | str | None = None,
        base_url: str | None = None,
        key_placement: Literal["headers", "query"] | None = None,
        quota: str | tuple[int, _Time] | None = None,
        limiter: str | Limiter | _plugin.Limiter | None = None,
        limiter_away: str | tuple[int, _Time] | None = None,
        strict: bool | None = None,
        submit_share: int | None = None,
        call_deadline: _Time | None = None,
        max_attempts: int | None = None,
        accept_duplicates: bool | None = None,
        resolve_timeout: _Time | None = None,
        connect_timeout: _Time | None = None,
        send_timeout: _Time | None = None,
        head_timeout: _Time | None = None,
        body_timeout: _Time | None = None,
        proxy: str | None = None,
        transport: NativeTransport | _plugin.Transport | None = None,
        clock: Clock | _plugin.Clock | None = None,
        observer: _plugin.Observer | Callable[[Event], object] | None = None,
        outcome_rule: _plugin.OutcomeRule | None = None,
        credentials: _plugin.Credentials | None = None,
    ) -> Self: ...
    @classmethod
    def from_env(cls, prefix: str = "ACTIVITY_STATUS_", **overrides: Unpack[_Options]) -> Self:
        """A client with the keys, the address and the limiter of the environment.

        They are in API_KEY, ACCESS_KEY, SECRET_KEY, REGION, BASE_URL and LIMITER, each after the prefix. What is given
        here goes before; a variable that is empty counts as none.
        """
    def with_options(self, **overrides: Unpack[_Options]) -> Client:
        """The same client with other settings or parts. It keeps to the same quota and connections, unless it is given
        others: a limiter or what belongs to it, a transport or time-outs of its phases.

        None takes a setting back, so that its default holds.
        """
    def submit(
        self,
        body: Mapping[str, Any] | Sequence[Any] | str | bytes,
        *,
        operation: _Operation = "activity.create",
        query: Mapping[str, str] | None = None,
        path_tail: str | None = None,
        deadline: _Time | None = None,
        cancel: CancelToken | None = None,
    ) -> Job:
        """Sends one job.

        A mapping or a sequence is written as JSON, a datetime in it as the vendor's UTC text (one without a zone is
        taken for UTC); a str or bytes is sent byte for byte. query and path_tail are what two operations add to the
        address: lead.update its leadId, telephony.logcall the vendor's key of the connector.

        InDoubtError says that it was sent and no answer came: look in the CRM before you send it again. What any other
        error means for sending it again is in its resend. If an exception that is none of ours leaves the call, such as
        KeyboardInterrupt, its __cause__ says what was known by then; if the job was accepted already, with its request_id.

        deadline: the longest that this call may take, less than the client's call_deadline. cancel: a CancelToken.
        """
    def status(
        self,
        request_id: str | Job,
        *,
        operation: _Operation | None = None,
        deadline: _Time | None = None,
        cancel: CancelToken | None = None,
    ) -> Status:
        """Asks once how a job stands. Pending is an answer.

        Give its request id, or the Job. The operation is that of the Job, or activity.create, unless it is given.
        """
    def wait(
        self,
        request_id: str | Job,
        *,
        operation: _Operation | None = None,
        timeout: _Time = 3600.0,
        price: _Time | None = None,
        on_update: Callable[[Status], object] | None = None,
        cancel: CancelToken | None = None,
    ) -> Status:
        """Asks until the job is settled: succeeded or failed. One question that fails for a while loses nothing.

        DeadlineError, with the last_status, says that it was not settled within the timeout. The vendor's own retries
        of a job last over nine hours: give more than the hour where that matters. It is asked at once, and then the more
        seldom the longer it takes. price is how much waiting one call must be expected to end: 5 ms; with more there are
        fewer calls and later news.

        on_update is called with each Status that is read, the last one too, on the thread that waits; what it raises ends the
        wait. cancel: a CancelToken.
        """
    def wait_all(
        self,
        jobs: Iterable[str | Job],
        *,
        operation: _Operation = "activity.create",
        timeout: _Time = 3600.0,
        price: _Time | None = None,
        order: Literal["submitted", "unknown"] | None = None,
        schedule: _plugin.Schedule | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        cancel: CancelToken | None = None,
    ) -> WaitAll:
        """Follows many jobs over the client's one quota, and yields each, with its Status, as soon as its end is known:

            for job, result in client.wait_all(jobs):

        jobs are an iterable of request ids or Jobs, such as a list, or the lines of a file; all are read before anything
        is sent. operation is that of the plain ids; a Job has its own. One that is given twice is followed once. A job
        that cannot be followed, or has not settled within the timeout, comes with an ActivityStatusError in place of a
        Status (DeadlineError has the last_status), and that is not raised. A question that fails for a while loses nothing.

        - timeout: how long the whole wait may take. The vendor's own retries of a job last over nine hours: give more
          than the hour where that matters.
        - price: how much waiting one call must be expected to end: 5 ms uses what the quota has. With 100 ms a third of the
          calls is made, and an outcome is known 0.4 s after the fact in place of 0.2 s. At most an hour.
        - order: "submitted": the jobs were submitted in this order, more or less; the few that can have settled are asked
          about. "unknown": each is asked about in its turn, by the quota alone and not the price. The default is
          submitted, and unknown for a set.
        - on_progress: is called with the Progress after each end, and about once a second while nothing ends, on the
          thread that waits. What it raises leaves the loop, and loses no job: the next loop begins with the one that ended.
        - schedule: another schedule than the two that order names: an object of activity_status.plugin.Schedule.
        - cancel: a CancelToken. A loop just ends when it is cancelled.

        Several questions are on their way at a time where the quota allows it and the answers are slow, each on a thread of
        its own, but never two about one job. Python code of the client's parts runs on the thread that waits; with a
        transport or a clock of its own the questions are asked there too, one after the other.
        """
    def tracker(
        self,
        *,
        timeout: _Time = 3600.0,
        price: _Time | None = None,
        order: Literal["submitted", "unknown"] | None = None,
        schedule: _plugin.Schedule | None = None,
    ) -> Tracker:
        """The same as wait_all a step at a time, for an event loop. No jobs yet: add them. timeout counts from now."""
    def metrics(
        self,
        *,
        operation: _Operation = "activity.create",
        deadline: _Time | None = None,
        cancel: CancelToken | None = None,
    ) -> Metrics:
        """Asks how long the operation's queue is."""
    @property
    def limiter(self) -> Limiter:
        """What keeps its quota: give it to other clients of the account, or ask it for leave for calls of your own."""
    def snapshot(self) -> Snapshot | None:
        """How the quota stands, for all who share this client's limiter. None if the limiter does not say."""
    def close(self) -> None:
        """Lets go of the connections. Calls that are under way end as they would; a later one raises ConfigError."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class Job:
    """A job that was submitted: the id that the vendor gave it, and the operation that it belongs to.

    It holds no key and no connection: keep it, pickle it, write its to_token down, and ask about it from anywhere, with
    Job(request_id, operation) too. Two are equal if both id and operation are.
    """

    __match_args__: Final = ("request_id", "operation")
    def __new__(
        cls,
        request_id: str,
        operation: _Operation = "activity.create",
        submitted_at: datetime | None = None,
    ) -> Self: ...
    @property
    def request_id(self) -> str:
        """The id that the vendor gave it; also str(job)."""
    @property
    def operation(self) -> str:
        """The name of the operation that it belongs to."""
    @property
    def submitted_at(self) -> datetime | None:
        """When it was submitted, as a datetime in UTC; None if nobody said. From one that was submitted a moment ago
        wait_all learns how long the queue before it is.
        """
    def to_token(self) -> str:
        """The job as one line of text, from which from_token makes it again, in another program too: JSON, which the command
        line reads as well (activity-status wait --file).
        """
    @classmethod
    def from_token(cls, text: str | bytes) -> Self:
        """The job of a token: what to_token wrote, or any line of JSON that has its request_id and operation, such as that of
        a Status, or one that activity-status submit --json has printed.

        Raises MalformedError if the text is no such line; ConfigError if it names an operation that is not known.
        """
    def to_dict(self) -> dict[str, Any]:
        """The job as the object that to_token writes: request_id, operation, submitted_at as ISO 8601 text or None; and
        the three paths of an operation that is not among the known ones.
        """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Status:
    """All that the vendor said of one job.

    Every text is exactly as it came; raw is the whole answer, unknown fields included. A job that failed is data like
    any other: see raise_for_outcome.
    """

    __match_args__: Final = ("outcome", "request_id")
    @classmethod
    def from_json(cls, text: str | bytes, operation: _Operation | None = None) -> Self:
        """Reads a stored answer of the status call, such as raw, or what to_json wrote: that names its operation, and the
        outcome that it had. Unless operation is given, a plain answer is of activity.create.

        Raises MalformedError if the text is neither; ConfigError if the operation that it names is not known: give it.
        """
    @property
    def request_id(self) -> str:
        """The job."""
    @property
    def operation(self) -> str:
        """The name of the operation that it belongs to."""
    @property
    def outcome(self) -> Outcome:
        """What the state means: pending, succeeded or failed."""
    @property
    def state(self) -> str:
        """The vendor's word for how it stands, exactly: In-Queue, Success, FAILURE, ERROR, or another."""
    @property
    def task_type(self) -> str:
        """What kind of task it is, such as Activity Create: an open set. Empty if the vendor did not say."""
    @property
    def reason(self) -> str:
        """Why, in the vendor's words. Empty if it did not say."""
    @property
    def current_step(self) -> str | None:
        """The step that it is in; None once it is over."""
    @property
    def last_step(self) -> str | None:
        """The step that it was in before."""
    @property
    def request_body(self) -> str | None:
        """The body that was submitted, character for character."""
    @property
    def message(self) -> str | None:
        """What the original call answered, as JSON; None unless it succeeded."""
    @property
    def created_id(self) -> str | None:
        """The id of what was created, such as the new activity's."""
    @property
    def related_id(self) -> str | None:
        """The id that it belongs to, such as the lead's."""
    @property
    def raw(self) -> str:
        """The whole answer, as it came."""
    @property
    def extra(self) -> Mapping[str, Any]:
        """The vendor's fields that have no name here, of the answer and of the TaskStatus in it, by their own names and read
        as JSON: a mapping that cannot be changed. Each time it is asked for, it is read anew from raw.
        """
    @property
    def http(self) -> Http | None:
        """How the answer came; None of a status that was read from text, or from a pickle."""
    @property
    def settled(self) -> bool:
        """Is no further change expected?"""
    @property
    def succeeded(self) -> bool:
        """Was it carried out?"""
    @property
    def failed(self) -> bool:
        """Is it settled that it was not?"""
    def raise_for_outcome(self) -> Self:
        """Raises JobFailedError if the job failed; else gives the status itself."""
    def request_json(self) -> Any:
        """The body that was submitted, read as JSON; None if there is none. Raises MalformedError if it is not JSON."""
    def message_json(self) -> Any:
        """The message, read as JSON; None if there is none. Raises MalformedError if it is not JSON."""
    def to_dict(self) -> dict[str, Any]:
        """The status as the object that to_json writes."""
    def to_json(self) -> str:
        """The status as one line of JSON, the same in every language and on the command line: request_id, operation,
        outcome, state, reason, created_id, related_id, raw. from_json reads it.
        """
    def _repr_html_(self) -> str:
        """What a notebook shows: a small table of the fields that say anything, each escaped and cut short."""
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: object) -> Self: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class WaitAll:
    """Jobs as they end: an iterator of pairs, each job once with its Status, or with the ActivityStatusError that says why
    there is none. That error is not raised, so that one job does not end the wait for the others.

    Make one with Client.wait_all. All goes on only while somebody waits in it. Ctrl-C leaves the loop and loses nothing:
    open has the rest, and a further loop over the same WaitAll goes on. All of its methods may be called from any thread,
    and several threads may take jobs from it. As a context manager it is cancelled at the end.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[Job, Status | ActivityStatusError]: ...
    def add(self, job: str | Job, *, operation: _Operation = "activity.create") -> bool:
        """Waits for one more job, a request id or a Job; False if it is waited for already. operation is that of a plain id."""
    def forget(self, job: str | Job) -> bool:
        """Stops waiting for a job, a request id or a Job: the loop does not yield it any more. False if it is not waited for."""
    def cancel(self) -> None:
        """Ends the wait, from any thread: a loop over it ends at once. What is on its way is left to itself, and counts against
        the quota. open has the jobs that were not handed out.
        """
    @property
    def progress(self) -> Progress:
        """How far it is."""
    @property
    def open(self) -> list[Job]:
        """The jobs that were not handed out yet: after Ctrl-C, or when it was cancelled, those to go on with. It makes a list
        of them all.
        """
    def eta_of(self, job: str | Job) -> tuple[float, float] | None:
        """In how many seconds this job, a request id or a Job, will probably be known, and one standard deviation of that; None
        if nothing tells.
        """
    def last_status(self, job: str | Job) -> Status | None:
        """What the vendor last said of an open job, a request id or a Job; None if it has not been asked."""
    @property
    def overdue(self) -> list[Job]:
        """Open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
        asked about now and then, until the time is over.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class Tracker:
    """Follows many jobs in steps, for an event loop: it has no thread, and waits for nothing but its limiter's answers.

    Make one with Client.tracker. step says what to do now. Looks may be asked in any way and on any thread, several at a
    time: each finds its own way back. All of its methods may be called from any thread. Who may block has it easier with
    Client.wait_all.
    """

    def add(self, job: str | Job, *, operation: _Operation = "activity.create") -> bool:
        """Follows one more job, a request id or a Job; False if it is followed already. Add jobs in the order in which they
        were submitted, unless the tracker was made with order="unknown". operation is that of a plain id.
        """
    def forget(self, job: str | Job) -> bool:
        """Stops following a job, a request id or a Job: no step tells its end any more. False if it is not followed. An answer that is
        still on its way is of no account, even if the job is added again meanwhile.
        """
    def step(self) -> Look | Sleep | Ended | Done:
        """What to do now. Answers that have come are taken in first.

        - Look: ask this, and go on with the next step meanwhile.
        - Sleep: do nothing for so many seconds, unless an answer comes sooner or a job is added.
        - Ended: nothing more will be asked about this job. Each job that was added ends once.
        - Done: every job has ended.
        """
    @property
    def progress(self) -> Progress:
        """How far it is."""
    @property
    def open(self) -> list[Job]:
        """The jobs that have not ended. It makes a list of them all."""
    def eta_of(self, job: str | Job) -> tuple[float, float] | None:
        """In how many seconds this job, a request id or a Job, will probably be known, and one standard deviation of that; None
        if nothing tells.
        """
    def last_status(self, job: str | Job) -> Status | None:
        """What the vendor last said of an open job, a request id or a Job; None if it has not been asked."""
    def deadline_error(self, job: str | Job, waited: _Time) -> DeadlineError | None:
        """The DeadlineError for somebody who has waited so long for an open job, a request id or a Job, and gives up while others
        may still wait. It is not raised. None if the job is not open.
        """
    @property
    def overdue(self) -> list[Job]:
        """Open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
        asked about now and then, until the time is over.
        """

@final
class Look:
    """One question that a Tracker wants asked, with leave of the limiter to ask it now.

    Either let the client send it, on a thread that may block; or ask with I/O of your own: a GET of url with headers,
    within time_left seconds, and answered or failed in the end. Both may be done on any thread, once; the tracker takes
    the answer in with its next step. A look that is dropped has failed: it may have been sent, for all the limiter knows.
    """

    @property
    def request_id(self) -> str | None:
        """The job that is asked about; None if the question is how long its operation's queue is."""
    @property
    def job(self) -> Job | None:
        """The same as a Job, with its operation."""
    def send(self, *, on_update: Callable[[Status], object] | None = None) -> None:
        """Asks by the client's own connections, and tells the tracker. It blocks the calling thread until there is an
        answer, or the call's time is over; Ctrl-C ends it at once. It raises nothing else: what became of the question is
        told by the tracker's steps. on_update is called with the Status, if one is read, before the tracker hears of it.
        """
    @property
    def url(self) -> str:
        """The URL to get. It holds no key."""
    @property
    def headers(self) -> dict[str, str]:
        """Every header to send, the API key among them: print them nowhere, and follow no redirect, which would carry
        them to another host.
        """
    @property
    def time_left(self) -> float:
        """How many seconds the exchange may take at the most."""
    def head_arrived(self, status: int, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """The head of the answer has just arrived: its HTTP status and headers, as a mapping or as pairs. Optional: the
        quota's slot is free the sooner for it.
        """
    def answered(
        self,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes,
        *,
        on_update: Callable[[Status], object] | None = None,
    ) -> None:
        """The whole answer has arrived, whatever its status. on_update: as of send."""
    def failed(
        self,
        message: str | BaseException,
        delivery: Literal["in_doubt", "partly", "not_sent"] = "in_doubt",
    ) -> None:
        """No whole answer came, for a reason that holds no key. delivery: can the question have arrived? "in_doubt": it may
        have. "partly": not all of it. "not_sent": certainly not, and then it does not count against the quota. Or give the
        exception, as a transport would raise it: see activity_status.plugin.Transport. One that says nothing of the
        exchange is raised.
        """

@final
class Sleep:
    """A tracker's step: do nothing for so long, unless an answer comes sooner or a job is added."""

    __match_args__: Final = ("seconds",)
    def __new__(cls, seconds: float) -> Self: ...
    @property
    def seconds(self) -> float:
        """How long; more than zero."""

@final
class Ended:
    """A tracker's step: nothing more will be asked about this job."""

    __match_args__: Final = ("job", "result")
    def __new__(cls, job: Job, result: Status | ActivityStatusError) -> Self: ...
    @property
    def job(self) -> Job:
        """The job, as it was added."""
    @property
    def result(self) -> Status | ActivityStatusError:
        """Its Status, if it is settled: it succeeded or failed. Else the ActivityStatusError that says why it cannot be
        followed any further; it is not raised.
        """

@final
class Done:
    """A tracker's step: every job has ended."""

    __match_args__: Final = ()
    def __new__(cls) -> Self: ...

@final
class Progress:
    """How far a wait for many jobs is."""

    __match_args__: Final = ("total", "settled", "failed", "errors")
    def __new__(
        cls,
        total: int,
        settled: int = 0,
        failed: int = 0,
        errors: int = 0,
        rate: float = 0.0,
        eta: float | None = None,
        eta_uncertainty: float | None = None,
    ) -> Self: ...
    @property
    def total(self) -> int:
        """Jobs that were added."""
    @property
    def settled(self) -> int:
        """Of these, the ones that are settled: succeeded or failed."""
    @property
    def failed(self) -> int:
        """Of the settled ones, those that failed."""
    @property
    def errors(self) -> int:
        """Jobs that ended with an exception in place of a status: they cannot be followed, or the time ran out."""
    @property
    def open(self) -> int:
        """Jobs that have not ended."""
    @property
    def rate(self) -> float:
        """Jobs that settled in a second of late; 0.0 as long as fewer than two have."""
    @property
    def eta(self) -> float | None:
        """In so many seconds all will probably be known; None as long as nothing tells."""
    @property
    def eta_uncertainty(self) -> float | None:
        """One standard deviation of the eta in seconds, as far as that can be told; None without an eta."""
    def to_dict(self) -> dict[str, Any]:
        """All of it by name, open too."""
    def to_json(self) -> str:
        """The same as one line of JSON."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Metrics:
    """How long the vendor's queue is."""

    __match_args__: Final = ("pending", "max_delay", "rate_per_minute")
    @classmethod
    def from_json(cls, text: str | bytes, operation: _Operation | None = None) -> Self:
        """Reads a stored answer of the metrics call, such as raw, or what to_json wrote: that names its operation. Unless
        operation is given, a plain answer is of activity.create.

        Raises MalformedError if the text is neither; ConfigError if the operation that it names is not known: give it.
        """
    @property
    def operation(self) -> str:
        """The name of the operation whose queue it is."""
    @property
    def pending(self) -> int | None:
        """About how many jobs are queued; None if the vendor did not say."""
    @property
    def max_delay(self) -> timedelta | None:
        """The longest that it takes to process all of the queue; None if the vendor did not say."""
    @property
    def rate_per_minute(self) -> float | None:
        """Jobs a minute over the last ten minutes; None if the vendor did not say."""
    @property
    def raw(self) -> str:
        """The whole answer, as it came."""
    @property
    def http(self) -> Http | None:
        """How the answer came; None of metrics that were read from text, or from a pickle."""
    def to_dict(self) -> dict[str, Any]:
        """The metrics as the object that to_json writes."""
    def to_json(self) -> str:
        """The metrics as one line of JSON, the same on the command line: operation, pending, max_delay_seconds,
        rate_per_minute, raw. from_json reads it.
        """
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: object) -> Self: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Http:
    """How an answer came: beside what it says, for logs and for whoever looks for a cause.

    Two are equal if all is. A header may hold what is not for everybody, such as a cookie: a repr shows none, a pickle has
    them all.
    """

    __match_args__: Final = ("status", "headers")
    def __new__(
        cls,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        attempts: int = 1,
        waited: float = 0.0,
        elapsed: float = 0.0,
    ) -> Self: ...
    @property
    def status(self) -> int:
        """The HTTP status."""
    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by their names in lower case, as a mapping that cannot be changed; of one that came more than once the
        last.
        """
    @property
    def attempts(self) -> int:
        """How many HTTP calls it took; of a job that was waited for, how often it had been asked about."""
    @property
    def waited(self) -> float:
        """How many seconds the call had to wait for the quota; of a job that was waited for, the last question about it."""
    @property
    def elapsed(self) -> float:
        """How many seconds the last exchange took, from sending to the whole answer."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Operation:
    """One of the vendor's asynchronous calls: a name, and the three paths that belong to it.

    Wherever one is asked for, the name of a known one does: activity.create, activity.createcustom, lead.capture,
    lead.update, opportunity.capture, opportunity.update or telephony.logcall.
    """

    def __new__(cls, name: str) -> Self: ...
    @staticmethod
    def custom(
        name: str, path: str, status_path: str | None = None, metrics_path: str | None = None
    ) -> Operation:
        """An operation that is not among the known ones, or that has other paths for you. Unless you say otherwise, it
        is asked about at its path + /status and + /metrics.
        """
    @property
    def name(self) -> str:
        """The name, the same in every language and on the command line."""
    @property
    def submit_path(self) -> str:
        """Where a job is submitted, below the base URL."""
    @property
    def status_path(self) -> str:
        """Where its status is asked."""
    @property
    def metrics_path(self) -> str:
        """Where the queue's metrics are asked."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@disjoint_base
class Clock:
    """The time by which a client goes."""

    def now(self) -> float:
        """Seconds since a fixed, arbitrary moment. It never goes back; a float tells nanoseconds for a hundred days."""
    def wall(self) -> float:
        """Seconds since 1970 (UTC)."""
    def sleep(self, seconds: float) -> None:
        """Sleeps for so many seconds of this clock. Ctrl-C ends it at once."""

@final
class CancelToken:
    """Ends calls and waits from another thread: give it to them as cancel=, and call cancel.

    What waits ends at once, with InterruptedError; a loop over wait_all just ends, and its open has the rest. A call that
    is on its way is given up: it may arrive all the same, and counts against the quota. There is no way back, and one
    token may be given to many calls. A fork copies it: what is cancelled afterwards is cancelled in one process.
    """

    def __new__(cls) -> Self: ...
    def cancel(self) -> None:
        """Ends what has this token, now and later. From any thread, and from a signal's handler."""
    @property
    def cancelled(self) -> bool:
        """Was it cancelled?"""

@final
class Limiter:
    """Keeps one quota for all that hold it: clients (limiter=...), and code of the program's own that calls the same vendor.

    limiter says who else shares it: "process" (default: nobody), "file:PATH" (every program of this machine that names the
    file), "redis://HOST:PORT" (many machines), or an object with try_acquire and settle (activity_status.plugin.Limiter).
    The other arguments are those of Client, and mean the same. Redis keeps the quota by account, so it wants the api_key.

    All of its methods may be called from any thread. A forked child has a quota of its own, unless the limiter is a file
    or in Redis.
    """

    def __new__(
        cls,
        limiter: str | _plugin.Limiter | None = "process",
        *,
        quota: str | tuple[int, _Time] | None = None,
        limiter_away: str | tuple[int, _Time] | None = None,
        strict: bool | None = None,
        submit_share: int | None = None,
        call_deadline: _Time | None = None,
        api_key: str | None = None,
        clock: Clock | _plugin.Clock | None = None,
    ) -> Self: ...
    def acquire(
        self,
        call_class: _CallClass = "other",
        *,
        timeout: _Time | None = None,
        cancel: CancelToken | None = None,
    ) -> Permit:
        """Waits for leave to make one call, and gives its Permit: settle it when the call is over, or use it in a with block.

        call_class says what the call is for, so that submits and questions get their shares: "submit", "poll" or "other".
        DeadlineError if there is none within the timeout (None: however long it takes). Nothing is sent by it.
        """
    def try_acquire(self, call_class: _CallClass = "other", clock: Clock | None = None, /) -> Granted | RetryAfter:
        """Asks for leave to make one call now: Granted, and its permit is to be settled; or RetryAfter: the same thread asks
        again then, or gives its place up by leave.
        """
    def settle(self, permit: int, settlement: Settlement, clock: Clock | None = None, /) -> None:
        """Tells once what became of the call that has this permit, by Settlement("answered") or another word."""
    def leave(self) -> None:
        """This thread was told to wait by try_acquire, and has given up."""
    def snapshot(self, clock: Clock | None = None, /) -> Snapshot | None:
        """How the quota stands, for all who share it. None if the limiter does not say."""

@final
class Permit:
    """Leave to make one call, from Limiter.acquire. Settle it once, when its answer has begun to come; as a context manager
    it is settled at the end: as answered, or, if an exception leaves the block, as in doubt. One that is dropped is in doubt.
    """

    def settle(
        self,
        how: Literal["answered", "refused", "not_sent", "in_doubt"] = "answered",
        retry_after: float | None = None,
    ) -> None:
        """Tells what became of the call: "answered", "refused" (429; retry_after is the server's advice in seconds),
        "not_sent" (it does not count) or "in_doubt". Only the first time counts.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

@final
class Request:
    """What a transport has to send. It holds keys: print nothing of it but its repr."""

    def __new__(
        cls,
        method: Literal["GET", "POST"],
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        body: bytes | None = None,
        time_left: float = 60.0,
    ) -> Self: ...
    @property
    def method(self) -> Literal["GET", "POST"]:
        """"GET" or "POST"."""
    @property
    def url(self) -> str:
        """The whole URL. It holds keys where the client was made with key_placement="query"."""
    @property
    def headers(self) -> dict[str, str]:
        """Every header to send, with lower-case names, the keys among them. Follow no redirect: it would carry them to another
        host.
        """
    @property
    def body(self) -> bytes | None:
        """The body, byte for byte; None of a GET."""
    @property
    def time_left(self) -> float:
        """How many seconds the exchange may take at the most."""

@final
class Response:
    """What a transport has received: an answer of whatever status."""

    __match_args__: Final = ("status", "headers", "body")
    def __new__(cls, status: int, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None, body: bytes | None = None) -> Self: ...
    @property
    def status(self) -> int:
        """The HTTP status."""
    @property
    def headers(self) -> dict[str, str]:
        """The headers; of one that came more than once the last."""
    @property
    def body(self) -> bytes:
        """The whole body."""

class _TransportOptions(TypedDict, total=False):
    resolve_timeout: _Time | None
    connect_timeout: _Time | None
    send_timeout: _Time | None
    head_timeout: _Time | None
    body_timeout: _Time | None
    proxy: str | None

@final
class NativeTransport:
    """A transport that needs no Python: the package's own, or that of a sandbox. Client(transport=...) takes it. Called like a
    transport of one's own, it sends a Request.

    The one that is made here is the package's own HTTP, to stack a transport of one's own upon. Its settings are those of a
    Client: resolve_timeout, connect_timeout, send_timeout, head_timeout, body_timeout and proxy.
    """

    def __new__(cls, **settings: Unpack[_TransportOptions]) -> Self: ...
    def __call__(self, request: Request) -> Response: ...

@final
class Poll:
    """A schedule's answer: ask about the job with this key."""

    __match_args__: Final = ("key",)
    def __new__(cls, key: int) -> Self: ...
    @property
    def key(self) -> int:
        """The key that add gave it."""

@final
class Wait:
    """A schedule's answer: ask nothing for so many seconds, unless something is observed or added sooner."""

    __match_args__: Final = ("seconds",)
    def __new__(cls, seconds: float) -> Self: ...
    @property
    def seconds(self) -> float:
        """How long; more than zero."""

@disjoint_base
class Event:
    """What happens in a call. Each kind is a class within this one, such as Event.Sending, to be told apart by isinstance or
    match; name is its word, and str(event) one line without keys. Times are seconds.
    """

    @property
    def name(self) -> str:
        """The kind of event as one lower-case word, the same in every language."""

    @final
    class WaitingForPermit(Event):
        """A call waits so long for the quota, and then asks again."""

        __match_args__: Final = ("operation", "request_id", "call_class", "wait", "text")
        def __new__(cls, operation: str, request_id: str | None, call_class: str, wait: float, text: str) -> Self: ...
        @property
        def operation(self) -> str: ...
        @property
        def request_id(self) -> str | None: ...
        @property
        def call_class(self) -> str: ...
        @property
        def wait(self) -> float: ...
        @property
        def text(self) -> str: ...

    @final
    class Sending(Event):
        """A call goes out, for the attempt-th time."""

        __match_args__: Final = ("operation", "request_id", "call_class", "attempt", "text")
        def __new__(cls, operation: str, request_id: str | None, call_class: str, attempt: int, text: str) -> Self: ...
        @property
        def operation(self) -> str: ...
        @property
        def request_id(self) -> str | None: ...
        @property
        def call_class(self) -> str: ...
        @property
        def attempt(self) -> int: ...
        @property
        def text(self) -> str: ...

    @final
    class Answered(Event):
        """The whole answer has come."""

        __match_args__: Final = ("operation", "request_id", "call_class", "http_status", "elapsed", "text")
        def __new__(cls, operation: str, request_id: str | None, call_class: str, http_status: int, elapsed: float, text: str) -> Self: ...
        @property
        def operation(self) -> str: ...
        @property
        def request_id(self) -> str | None: ...
        @property
        def call_class(self) -> str: ...
        @property
        def http_status(self) -> int: ...
        @property
        def elapsed(self) -> float: ...
        @property
        def text(self) -> str: ...

    @final
    class Refused(Event):
        """The answer was a refusal (429): somebody has made more calls than the quota."""

        __match_args__: Final = ("operation", "request_id", "call_class", "text")
        def __new__(cls, operation: str, request_id: str | None, call_class: str, text: str) -> Self: ...
        @property
        def operation(self) -> str: ...
        @property
        def request_id(self) -> str | None: ...
        @property
        def call_class(self) -> str: ...
        @property
        def text(self) -> str: ...

    @final
    class Retrying(Event):
        """The call failed, with an error of this kind, and goes out again after so long."""

        __match_args__: Final = ("operation", "request_id", "kind", "wait", "text")
        def __new__(cls, operation: str, request_id: str | None, kind: str, wait: float, text: str) -> Self: ...
        @property
        def operation(self) -> str: ...
        @property
        def request_id(self) -> str | None: ...
        @property
        def kind(self) -> str: ...
        @property
        def wait(self) -> float: ...
        @property
        def text(self) -> str: ...

    @final
    class SettleFailed(Event):
        """The limiter could not note what became of a call; the call goes on."""

        __match_args__: Final = ("text",)
        def __new__(cls, text: str) -> Self: ...
        @property
        def text(self) -> str: ...

    @final
    class StatusRead(Event):
        """The vendor has said how a job stands."""

        __match_args__: Final = ("operation", "request_id", "status", "text")
        def __new__(cls, operation: str, request_id: str, status: Status, text: str) -> Self: ...
        @property
        def operation(self) -> str: ...
        @property
        def request_id(self) -> str: ...
        @property
        def status(self) -> Status: ...
        @property
        def text(self) -> str: ...

@final
class Granted:
    """A limiter's answer: send now, and settle this permit afterwards.

    The permit is a number of the limiter's own, from 0 to 2**64 - 1, that settle is given.
    """

    __match_args__: Final = ("permit",)
    def __new__(cls, permit: int) -> Self: ...
    @property
    def permit(self) -> int:
        """The limiter's own number for this call."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class RetryAfter:
    """A limiter's answer: not before so many seconds have passed; the caller then asks again.

    More than zero, or ValueError. It is rounded up to a nanosecond, so that whoever has waited is not early.
    """

    __match_args__: Final = ("seconds",)
    def __new__(cls, seconds: float) -> Self: ...
    @property
    def seconds(self) -> float:
        """How long to wait."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Settlement:
    """What became of a call that had a permit.

    - answered: the head of an answer has just arrived.
    - refused: it was a refusal (429); retry_after is the server's advice in seconds, if it gave any.
    - not_sent: the call certainly never left, and does not count.
    - in_doubt: no answer came; the call may still arrive.
    """

    __match_args__: Final = ("how", "retry_after")
    def __new__(
        cls, how: Literal["answered", "refused", "not_sent", "in_doubt"], retry_after: float | None = None
    ) -> Self: ...
    @property
    def how(self) -> Literal["answered", "refused", "not_sent", "in_doubt"]:
        """One of the four words."""
    @property
    def retry_after(self) -> float | None:
        """The server's advice in seconds when to come back, if it refused the call and gave any."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Snapshot:
    """How a quota stands, for all who share it."""

    __match_args__: Final = ("used", "free", "next_free_in", "waiting", "refused")
    def __new__(
        cls, used: int, free: int, next_free_in: float, waiting: int = 0, refused: int = 0
    ) -> Self: ...
    @property
    def used(self) -> int:
        """Slots of calls that count at this moment: in flight, or answered less than a window ago."""
    @property
    def free(self) -> int:
        """Slots that are free. Some may be kept for those who wait."""
    @property
    def next_free_in(self) -> float:
        """The least seconds that a call which came now would have to wait: 0.0 if it could go at once."""
    @property
    def waiting(self) -> int:
        """How many callers wait."""
    @property
    def refused(self) -> int:
        """How many calls the vendor has refused (429) so far."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

_Fault: TypeAlias = Literal[
    "pass",
    "unreachable",
    "server_error",
    "html_error",
    "too_many_requests",
    "redirect",
    "silence",
    "reset",
    "answer_lost",
    "empty_answer",
    "truncated",
    "slow_body",
    "huge",
    "about_another",
]
_CallKind: TypeAlias = Literal["submit", "status", "metrics"]

class _SandboxOptions(TypedDict, total=False):
    api_key: str | None
    access_key: str | None
    secret_key: str | None
    rate_per_minute: float | None
    workers: int | None
    spread: float | None
    order: Literal["fifo", "lifo", "shuffled"] | None
    others: float | None
    others_ahead: int | None
    outages: Iterable[tuple[_Time, _Time]] | None
    error_spells: Iterable[tuple[_Time, _Time]] | None
    ladder: Iterable[_Time] | None
    retries: Literal["queued", "direct"] | None
    application_errors: float | None
    system_errors: float | None
    system_errors_again: float | None
    latency: _Time | tuple[_Time, _Time] | None
    latency_in: _Time | tuple[_Time, _Time] | None
    latency_out: _Time | tuple[_Time, _Time] | None
    seed: int | None
    quota: str | tuple[int, _Time] | None
    window: Literal["sliding", "fixed", "bucket"] | None
    refusals_count: bool | None
    spellings: Literal["documented", "all"] | None
    unknown_id: Literal["not_found", "empty_status"] | None
    fault_probability: float | None
    fault_kinds: Iterable[_Fault] | None
    slow_body: _Time | None
    redirect_to: str | None
    custom: Mapping[str, str] | None
    max_jobs: int | None
    max_body: int | None

@final
class Book:
    """What has happened in a sandbox, counted.

    It is a copy: ask the sandbox again for what came later. Two are equal if all their numbers are; repr shows those that
    are not 0.
    """

    @property
    def calls(self) -> int:
        """Calls to the vendor's paths: submits, questions, and for the metrics."""
    @property
    def submit_calls(self) -> int:
        """Calls that asked to submit a job, whatever came of them."""
    @property
    def status_calls(self) -> int:
        """Calls that asked how a job went."""
    @property
    def metrics_calls(self) -> int:
        """Calls that asked for the queue's metrics."""
    @property
    def unknown_paths(self) -> int:
        """Calls to a path that is none of the vendor's. They do not count in the quota."""
    @property
    def refused(self) -> int:
        """Calls refused because the quota was used up (429)."""
    @property
    def unauthorized(self) -> int:
        """Calls with missing or wrong keys (401)."""
    @property
    def bad_requests(self) -> int:
        """Calls that were not as specified (400)."""
    @property
    def unknown_ids(self) -> int:
        """Questions about a job that is not known."""
    @property
    def faults(self) -> int:
        """Calls that met a fault."""
    @property
    def accepted(self) -> int:
        """Jobs that came into the queue."""
    @property
    def duplicates(self) -> int:
        """Of these, how many had been submitted before: same operation, same query, same text."""
    @property
    def pending(self) -> int:
        """Jobs that may still change."""
    @property
    def settled(self) -> int:
        """Jobs of which nothing more will become."""
    @property
    def succeeded(self) -> int:
        """Of these, how many succeeded."""
    @property
    def failed(self) -> int:
        """Of these, how many did not."""
    @property
    def busiest_window(self) -> int:
        """The most calls in any one window of the quota, refused ones included."""
    def __eq__(self, value: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

@final
class ManualClock(Clock):
    """Time that passes only when somebody waits or a test says so: a wait of hours is over at once.

    A sleep returns at once, and the time has moved on by as much. So a program that goes by this clock waits for nothing,
    and finds its deadlines, its quota and its pauses as they would be. Give it to a Client as its clock.

    start is what now() begins with, in seconds; wall is what the time of day is then, a datetime with a zone: the
    beginning of 2026 (UTC) by default. All of its methods may be called from any thread, but each thread's sleep moves the
    time of all: it is for programs that wait on one thread.
    """

    def __new__(cls, start: _Time = 0.0, *, wall: datetime | None = None) -> Self: ...
    def advance(self, seconds: _Time) -> None:
        """Moves the time on by so many seconds."""

@final
class Sandbox:
    """A model of the vendor in this process, without a socket and in a time of its own: a job that takes an hour is over at
    once, and the same program sees the same history, request ids included, each time it runs.

    client() makes a client that talks to it. Its quota, its queue, its checks and its spellings are the vendor's; what
    becomes of a job is decided by markers in its text, in an ActivityNote say: sandbox:fail, sandbox:error (each may be
    given a reason: sandbox:fail=No such event), sandbox:retry=2 (fails twice first), sandbox:never.

    All calls must come from the thread that made it, since on several the history would be a matter of luck: another gets a
    RuntimeError. For threads, other processes and AsyncClient there is SandboxServer.

    Settings, None for the default; times are seconds, a timedelta, or a text such as "90s":

    - api_key, access_key, secret_key: what the keys must be: "sandbox-api-key", "sandbox-access-key", "sandbox-secret-key".
    - rate_per_minute: how many jobs are processed in a minute: 25; 0 for none. workers: how many at the same time: 1.
    - spread: how much processing times vary, from 0 (default: exactly regular) to 1 (exponential).
    - order: which job comes next: "fifo" (default), "lifo" or "shuffled".
    - others, others_ahead: jobs of other tenants: at which share of the rate they arrive, and how many wait at first: 0.
    - outages, error_spells: when processing stands still, and when all of it fails for a system reason: (start, length)s.
    - ladder: how long after each system failure a job is tried again: the vendor's ten steps, 30 s to 3 h.
    - retries: "queued" (default: a retry waits in the queue) or "direct".
    - application_errors, system_errors, system_errors_again: how likely a job ends as a failure, its first try fails for a
      system reason, and each retry does: 0, 0 and 0.5.
    - latency: how long a call and its answer are under way, each: a time, or the least and the most, such as (0.04, 0.15);
      0. latency_in, latency_out: one of the two.
    - quota: calls per time that are let through: "25/5s". window: how they are counted: "sliding" (default), "fixed" or
      "bucket". refusals_count: True: refused calls count too.
    - spellings: of the answers: "documented" (default), or "all": every way there is, in turn.
    - unknown_id: what a question about an unknown job gets: "not_found" (default: a 404) or "empty_status".
    - fault_probability, fault_kinds: how likely a call meets a fault, and a list of those that it may meet; see fault().
    - slow_body: how long the body of a slow_body takes: 10 s. redirect_to: where a redirect leads.
    - custom: operations besides the vendor's seven: a mapping of path to TaskType.
    - max_jobs, max_body: how many jobs it holds, and how many bytes a body may have: 1,000,000 and 1 MiB.
    - seed: decides everything that is drawn: 0.
    """

    def __new__(cls, **settings: Unpack[_SandboxOptions]) -> Self: ...
    def client(self, **options: Unpack[_Options]) -> Client:
        """A client of this vendor: its keys, its quota, its clock and its transport, unless the options, those of Client, say
        otherwise.
        """
    @property
    def clock(self) -> ManualClock:
        """The time that it goes by, and its clients. It passes only when somebody waits, or by clock.advance."""
    @property
    def transport(self) -> NativeTransport:
        """The way to it, for a client of your own making, or a Recorder."""
    @property
    def book(self) -> Book:
        """What has happened by now."""
    @property
    def request_ids(self) -> list[str]:
        """The ids of all jobs, in the order in which they were accepted: those too whose answer was lost."""
    def fault(self, fault: _Fault, *, on: _CallKind | None = None, times: int = 1) -> None:
        """Plans a fault for the next call, or for so many; on is to which calls: "submit", "status" or "metrics", and any by
        default. Faults come in the order in which they were planned.

        Nothing is queued by unreachable, server_error, html_error, too_many_requests, redirect, silence and reset. The job
        is queued all the same by answer_lost, empty_answer, truncated, slow_body, huge and about_another (a status of
        another job). pass is none, to set others off by.
        """
    def answer(
        self,
        request_id: str | Job,
        status: int,
        body: Mapping[str, Any] | Sequence[Any] | str | bytes,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """From now on a question about this id, a request id or a Job, gets this answer: the HTTP status, and a body that is a
        mapping (written as JSON), a str or bytes. headers are those of JSON by default.
        """

@final
class SandboxServer:
    """A model of the vendor on a port of this machine, in real time: for threads, other processes, other languages, and
    AsyncClient. It runs from its making until it is closed; use it as a context manager.

    The settings are those of Sandbox. port is the one to listen on, on 127.0.0.1 alone; 0, the default, takes any that is
    free. OSError if it cannot be had.

    All of its methods may be called from any thread. A process that this one forks may talk to it, by client() or the url,
    but sees no book and does not stop it.
    """

    def __new__(cls, *, port: int = 0, **settings: Unpack[_SandboxOptions]) -> Self: ...
    @property
    def url(self) -> str:
        """Its base address, such as "http://127.0.0.1:8025"."""
    @property
    def environ(self) -> dict[str, str]:
        """What a program finds it by: a dict of the environment variables ACTIVITY_STATUS_BASE_URL, _API_KEY, _ACCESS_KEY and
        _SECRET_KEY, for Client.from_env and the command line.
        """
    def client(self, **options: Unpack[_Options]) -> Client:
        """A client of this vendor, with its address, its keys and its quota, unless the options, those of Client, say otherwise."""
    @property
    def book(self) -> Book:
        """What has happened by now, or until it was closed."""
    @property
    def request_ids(self) -> list[str]:
        """The ids of all jobs, in the order in which they were accepted: those too whose answer was lost."""
    def fault(self, fault: _Fault, *, on: _CallKind | None = None, times: int = 1) -> None:
        """Plans a fault, as Sandbox.fault does."""
    def answer(
        self,
        request_id: str | Job,
        status: int,
        body: Mapping[str, Any] | Sequence[Any] | str | bytes,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Gives an answer to all questions about an id, as Sandbox.answer does."""
    def close(self) -> None:
        """Stops it: calls under way have two seconds to end. Nothing if it is closed already, or was made by the process that
        has forked.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def cli_main(argv: Sequence[str]) -> int:
    """Runs one command of the command line, without the program's name before it, and gives its exit code.

    When a signal's handler raises, as that of Ctrl-C does, the command prints its last words and the exception is
    raised.
    """

def check_limiter(
    open: Callable[[int, int, float], _plugin.Limiter],
    *,
    window: _Time = 5.0,
    longest_call: _Time = 60.0,
    timeout: _Time = 60.0,
) -> None:
    """Puts a limiter through the checks that ours go through, in virtual time: they take well under a second.

    open(number, calls, window) gives a limiter that keeps this quota: calls in window seconds. Two that are given the
    same number share it, as two processes would; one with another number has nothing to do with them and is unused. The
    limiter must go by the clock that it is given. window is what to check with, in seconds; longest_call and a window
    after a caller died its slot must be free.

    AssertionError says which check failed and what the limiter did, and that the checks were not over within timeout
    seconds; an exception that the limiter raised is its cause. What open raises is raised.
    """

def check_transport(transport: NativeTransport | _plugin.Transport, *, timeout: _Time = 60.0) -> None:
    """Puts a transport through the checks that ours goes through, against servers on this machine's loopback: a request arrives
    as it was given, any status is an answer, no redirect is followed, what is cut off or endless is an error, what may have
    arrived is never called not sent and goes out once, a call ends in its time, no error shows a key, and more.

    It takes about a second, and ten more for each call that had to end and did not. TLS, proxies and names that have to be
    looked up are not checked; of a transport of your own neither is when it tells of a head.

    AssertionError says which check failed and what the transport did, and that the checks were not over within timeout
    seconds; an exception that is no failure of an exchange is its cause.
    """

def check_clock(clock: Clock | _plugin.Clock, *, timeout: _Time = 60.0) -> None:
    """Puts a clock through the checks that ours go through: its time never goes back, a sleep lasts as long as it was told on
    every thread, and the time of day passes. It takes half a second of the clock's time.

    AssertionError says which check failed and what the clock did, and that the checks were not over within timeout seconds of
    the machine's time; an exception that the clock raised is its cause.
    """

def _restore_status(raw: str, operation: Operation, request_id: str, outcome: str) -> Status:
    """What a pickled Status becomes again."""

def _restore_metrics(raw: str, operation: Operation) -> Metrics:
    """What pickled Metrics become again."""

def _seconds(time: _Time) -> float:
    """So many seconds: the time that an argument names, for what waits by a clock of Python's."""
