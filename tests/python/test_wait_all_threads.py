"""wait_all, its threads and its end: who may take jobs from it, where Python code runs, and what it leaves behind."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, Union

import pytest
from conftest import KEYS, Answer, Vendor, status_answer
from test_wait_all import LIMIT, Crowd, ids, outcomes, pending

from activity_status import (
    Client,
    Clock,
    ConfigError,
    Ended,
    Granted,
    Job,
    LimiterError,
    Look,
    Progress,
    RetryAfter,
    Settlement,
)

Make = Callable[..., Client]

# Threads


def test_several_questions_are_on_their_way_but_never_two_about_one_job(make: Make, vendor: Vendor) -> None:
    crowd = vendor.answer = Crowd(3)
    assert len(outcomes(make(quota="100/1s").wait_all(ids(6), order="unknown"))) == 6
    assert crowd.most >= 3 and not crowd.doubled


def test_threads_may_take_jobs_from_one_wait(client: Client) -> None:
    waiting = client.wait_all(ids(20))
    found: list[Job] = []
    threads = [threading.Thread(target=lambda: found.extend(job for job, _ in waiting)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert Counter(found) == Counter(Job(name) for name in ids(20))


def test_another_thread_may_ask_and_add_meanwhile(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id) if len(asked) == 5 else pending(seen)
    asked: list[Any] = []
    waiting = client.wait_all(["slow"])

    def ask() -> None:
        while not vendor.seen:
            time.sleep(0.01)
        asked.extend([waiting.progress.total, waiting.open, waiting.eta_of("slow"), waiting.overdue])
        asked.append(waiting.add("late"))

    thread = threading.Thread(target=ask)
    thread.start()
    assert set(outcomes(waiting)) == {"slow", "late"}
    thread.join(LIMIT)
    assert asked == [1, [Job("slow")], None, [], True]


class Book:
    """Lets every call through, and remembers on which thread it was asked and told."""

    def __init__(self) -> None:
        self.asked: set[int] = set()
        self.told: list[tuple[int, str]] = []

    def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
        self.asked.add(threading.get_ident())
        return Granted(7)

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        self.told.append((threading.get_ident(), settlement.how))


def test_a_limiter_in_python_runs_on_the_thread_that_waits(make: Make, vendor: Vendor) -> None:
    vendor.answer = Crowd(3)
    book = Book()
    assert len(outcomes(make(limiter=book, quota=None).wait_all(ids(6), order="unknown"))) == 6
    assert book.asked == {threading.get_ident()}
    assert [how for _, how in book.told] == ["answered"] * 6
    assert {thread for thread, _ in book.told} == {threading.get_ident()}


def test_what_a_settlement_raises_is_heard(make: Make, unraised: list[BaseException]) -> None:
    class Broken(Book):
        raised: BaseException = ValueError("no store")

        def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
            raise self.raised

    limiter = Broken()
    waiting = make(limiter=limiter, quota=None).wait_all(ids(2), order="unknown")
    assert len(outcomes([next(waiting)])) == 1
    assert {type(error) for error in unraised} == {LimiterError}
    limiter.raised = SystemExit(3)
    waiting = make(limiter=limiter, quota=None).wait_all(ids(2), order="unknown")
    with pytest.raises(SystemExit):
        list(waiting)
    # Nothing is lost by it: whatever ended is told by the next loop.
    limiter.raised = ValueError("no store")
    assert len(outcomes(waiting)) == 2


def test_a_limiter_must_not_ask_the_wait_that_asks_it(make: Make) -> None:
    class Curious(Book):
        def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
            waiting.progress
            return Granted(1)

    waiting = make(limiter=Curious(), quota=None).wait_all(ids(2))
    for _, error in waiting:
        assert isinstance(error, LimiterError) and "RuntimeError: a limiter or a schedule must not ask" in str(error)


# Its life


def test_it_is_garbage_with_what_it_calls(make: Make) -> None:
    class Shower:
        def __call__(self, progress: Progress) -> None:
            pass

    class Holder(Book):
        client: Client

    shower, holder = Shower(), Holder()
    holder.client = make(limiter=holder, quota=None)
    waiting = holder.client.wait_all(ids(2), on_progress=shower)
    shower.waiting = holder.waiting = waiting  # type: ignore[attr-defined]
    gone: list[weakref.ref[Any]] = [weakref.ref(shower), weakref.ref(holder)]
    del holder
    gc.collect()
    # It is the wait that still uses the limiter.
    assert len(list(waiting)) == 2
    del shower, waiting
    until = time.monotonic() + LIMIT
    while any(ref() for ref in gone) and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert [ref() for ref in gone] == [None, None]


def test_it_goes_on_when_its_client_is_closed(client: Client) -> None:
    with client:
        waiting = client.wait_all(ids(2))
    assert len(list(waiting)) == 2


@pytest.mark.parametrize("how", ["the end", "sys.exit", "a daemon"])
def test_a_program_ends_with_questions_on_their_way(vendor: Vendor, how: str) -> None:
    vendor.answer = vendor.hang
    script = f"""
        import sys, threading
        from activity_status import Client, Granted
        class Limiter:
            def try_acquire(self, call_class, clock): return Granted(1)
            def settle(self, permit, settlement, clock): print("settled")
        client = Client(base_url={vendor.url!r}, api_key="k", limiter=Limiter(), head_timeout=600, call_deadline=600)
        def work():
            for _ in client.wait_all(["a", "b", "c"], order="unknown"): pass
        if {how!r} == "a daemon":
            threading.Thread(target=work, daemon=True).start()
            sys.stdin.read()
        else:
            waiting = client.wait_all(["a", "b", "c"], order="unknown")
            def cancel():
                sys.stdin.read()
                waiting.cancel()
            threading.Thread(target=cancel).start()
            print(len(list(waiting)), len(waiting.open))
        if {how!r} == "sys.exit": sys.exit(3)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(LIMIT, process.kill)
    guard.start()
    assert vendor.hung.wait(LIMIT)
    out, err = process.communicate("")
    guard.cancel()
    assert (process.returncode, err) == (3 if how == "sys.exit" else 0, "")
    # A question on its way is settled, as in doubt, when the wait is garbage.
    first, *rest = out.splitlines() or [""]
    assert first == ("" if how == "a daemon" else "0 3") and set(rest) <= {"settled"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_follows_the_jobs_anew(vendor: Vendor, client: Client) -> None:
    vendor.answer = Crowd(4)
    waiting, tracker = client.wait_all(ids(3), order="unknown"), client.tracker()
    tracker.add("mine")
    look = tracker.step()
    thread = threading.Thread(target=lambda: found.extend(waiting))
    found: list[Any] = []
    thread.start()
    while len(vendor.seen) < 3:
        time.sleep(0.01)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT)  # Whatever goes wrong, it ends.
        said = ""
        for call in (lambda: next(waiting), lambda: waiting.open, tracker.step, look.send, lambda: look.url):  # type: ignore[union-attr]
            try:
                call()
            except ConfigError as error:
                said += "forked " if "process" in str(error) else "?"
        waiting.cancel()
        del waiting, tracker, look, call
        try:
            said += str(len(list(client.wait_all(["theirs"]))))
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "forked " * 5 + "1"
    os.waitpid(child, 0)
    thread.join(LIMIT)
    assert len(found) == 3


def test_no_key_is_in_what_may_be_printed(client: Client, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(KEYS["api_key"].encode(), 500)
    waiting, tracker = client.wait_all(ids(2), timeout=0.3), client.tracker(timeout=0.3)
    tracker.add("a")
    texts = [repr(waiting), repr(tracker), repr(waiting.progress)]
    while not isinstance(step := tracker.step(), Ended):
        if isinstance(step, Look):
            texts += [repr(step), step.url]
            step.failed(f"no answer for {KEYS['api_key']}")
    texts += [repr(step), str(step.result)]
    texts += [text for job, error in waiting for text in (repr(job), repr(error), str(error))]
    assert "no answer for" in "".join(texts)
    for text in texts:
        assert "s3cr3t" not in text
