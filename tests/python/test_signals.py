"""Ctrl-C, in a process of its own for each case, since only a main thread hears of it."""

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Answer, Vendor, status_answer

from activity_status import Client

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there is no SIGINT to send to a process there"
)

LIMIT = 60
"""Seconds after which a test gives up. What is tested takes a fraction of one; a call that heard nothing would take
longer than this."""


class Program:
    """A Python program with a client in it, that says "ready" before the call that blocks."""

    def __init__(self, vendor: Vendor, script: str, *options: str) -> None:
        prelude = f"""
            import signal, sys, threading, traceback
            import activity_status
            from activity_status import Client

            ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
            options = dict(base_url={vendor.url!r}, api_key="k", access_key="a", secret_key="s", call_deadline=600)
            options |= dict(head_timeout=600, quota="1000/0.1s")
            def ready():
                # From another thread, so that the main thread is in the call that comes next by then.
                threading.Timer(0.3, print, ["ready"], dict(flush=True)).start()
        """.replace("options |= dict(", "options.update(")
        text = textwrap.dedent(prelude) + textwrap.dedent(script)
        self.process = subprocess.Popen(
            [sys.executable, "-c", text, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Whatever goes wrong, it ends.
        self.guard = threading.Timer(LIMIT, self.process.kill)
        self.guard.start()

    def until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate()
        return self.process.returncode, out, err

    def close(self) -> None:
        self.guard.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(vendor: Vendor) -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(script: str) -> Program:
        programs.append(Program(vendor, script))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


def pending(seen: Any) -> Answer:
    return status_answer(seen.request_id, "In-Queue")


WAITS = {
    "between two questions": "client.wait(ID, price=3600)",
    "for an answer": "client.metrics()",
    "for the quota": "client.status(ID)",
    "for the next attempt": "client.metrics(operation='lead.capture')",
}


@pytest.mark.parametrize("where", WAITS)
def test_ctrl_c_ends_a_call_wherever_it_waits(
    vendor: Vendor, start: Callable[..., Program], where: str
) -> None:
    def answer(seen: Any) -> Answer:
        if seen.path == "/activity/create/metrics":
            return vendor.hang(seen)
        if seen.path == "/lead/capture/metrics":
            return Answer(b"", 429, {"retry-after": "500"})
        return pending(seen)

    vendor.answer = answer
    quota = '"1/500s"' if where == "for the quota" else '"1000/0.1s"'
    program = start(
        f"""
        client = Client(**{{**options, "quota": {quota}}})
        client.status(ID)
        ready()
        try:
            {WAITS[where]}
        except KeyboardInterrupt as interrupt:
            cause = interrupt.__cause__
            print(type(cause).__name__, cause.kind, cause.last_status and cause.last_status.state)
        """
    )
    program.until_ready()
    if where == "for an answer":
        assert vendor.hung.wait(LIMIT)
    program.interrupt()
    code, out, err = program.ended()
    assert (code, err) == (0, "")
    state = "In-Queue" if where == "between two questions" else None
    if where == "for the next attempt":
        assert out.startswith(("InterruptedError", "RefusedError"))
    else:
        # The first question of a wait may still be under way.
        assert out in (f"InterruptedError interrupted {state}\n", "InterruptedError interrupted None\n")


def test_what_ctrl_c_leaves_in_doubt_is_said(vendor: Vendor, start: Callable[..., Program]) -> None:
    vendor.answer = vendor.hang
    program = start(
        """
        client = Client(**options)
        ready()
        client.submit({})
        """
    )
    program.until_ready()
    assert vendor.hung.wait(LIMIT)
    program.interrupt()
    code, _, err = program.ended()
    assert code != 0
    assert "activity_status.errors.InDoubtError: " in err and "Look in the CRM" in err
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_a_handler_of_the_programs_own_is_the_one_that_runs(
    vendor: Vendor, start: Callable[..., Program]
) -> None:
    heard = threading.Event()
    vendor.answer = lambda seen: status_answer(seen.request_id) if heard.is_set() else pending(seen)
    program = start(
        """
        def handler(number, frame):
            # It may even use the client that is in a call; and since it raises nothing, that call goes on.
            print("heard", client.metrics is not None, flush=True)
            heard.set()
        heard = threading.Event()
        client = Client(**options)
        signal.signal(signal.SIGINT, handler)
        ready()
        print(client.wait(ID).outcome, heard.is_set())
        assert signal.getsignal(signal.SIGINT) is handler
        """
    )
    program.until_ready()
    program.interrupt()
    assert program.process.stdout is not None and program.process.stdout.readline() == "heard True\n"
    heard.set()
    assert program.ended() == (0, "succeeded True\n", "")


def test_a_handler_may_make_a_call_and_may_raise_what_it_likes(
    vendor: Vendor, start: Callable[..., Program]
) -> None:
    vendor.answer = pending
    program = start(
        """
        class Enough(Exception):
            pass
        def handler(number, frame):
            raise Enough(client.status("other").request_id)
        client = Client(**options)
        signal.signal(signal.SIGINT, handler)
        ready()
        try:
            client.wait(ID, price=3600)
        except Enough as enough:
            print(enough, type(enough.__cause__).__name__)
        print(client.status(ID).state)
        """
    )
    program.until_ready()
    program.interrupt()
    assert program.ended() == (0, "other InterruptedError\nIn-Queue\n", "")


def test_other_threads_go_on(vendor: Vendor, start: Callable[..., Program]) -> None:
    interrupted = threading.Event()
    vendor.answer = lambda seen: status_answer(seen.request_id) if interrupted.is_set() else pending(seen)
    program = start(
        """
        client = Client(**options)
        outcomes = []
        def work():
            outcomes.append(client.wait("other").outcome)
        thread = threading.Thread(target=work)
        thread.start()
        ready()
        try:
            client.wait(ID, price=3600)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            thread.join()
            print(*outcomes)
        """
    )
    program.until_ready()
    program.interrupt()
    assert program.process.stdout is not None and program.process.stdout.readline() == "interrupted\n"
    interrupted.set()
    assert program.ended() == (0, "succeeded\n", "")


def test_a_program_ends_while_a_call_on_another_thread_has_no_answer(
    vendor: Vendor, start: Callable[..., Program]
) -> None:
    vendor.answer = vendor.hang
    program = start(
        """
        client = Client(**options)
        threading.Thread(target=lambda: client.status(ID), daemon=True).start()
        ready()
        sys.stdin.read()
        """
    )
    program.until_ready()
    assert vendor.hung.wait(LIMIT)
    assert program.ended()[0] == 0


@pytest.mark.parametrize("where", ["for an answer", "between two questions", "for the quota"])
def test_ctrl_c_leaves_a_loop_over_many_jobs_and_the_loop_goes_on(
    vendor: Vendor, start: Callable[..., Program], where: str
) -> None:
    def answer(seen: Any) -> Answer:
        if seen.request_id == "done" or again.is_set():
            return status_answer(seen.request_id)
        return vendor.hang(seen) if where == "for an answer" else pending(seen)

    again, vendor.answer = threading.Event(), answer
    program = start(
        f"""
        quota = {"2/3s" if where == "for the quota" else "1000/0.1s"!r}
        client = Client(**{{**options, "quota": quota}})
        waiting = client.wait_all(["done", "a", "b"])
        found = []
        try:
            for job, result in waiting:
                found.append(job.request_id)
                ready()
        except KeyboardInterrupt as interrupt:
            print(*waiting.open, interrupt.__cause__, flush=True)
            sys.stdin.read()
        if {where != "for an answer"}:
            found += [job.request_id for job, result in waiting]
            print(*sorted(found), waiting.open)
        """
    )
    program.until_ready()
    if where == "for an answer":
        assert vendor.hung.wait(LIMIT)
    program.interrupt()
    assert program.process.stdout is not None
    assert program.process.stdout.readline() == "a b None\n"
    again.set()
    code, out, err = program.ended()
    assert (code, err) == (0, "")
    assert out == ("" if where == "for an answer" else "a b done []\n")


def test_a_handler_may_ask_the_wait_how_far_it_is(vendor: Vendor, start: Callable[..., Program]) -> None:
    heard = threading.Event()
    vendor.answer = lambda seen: status_answer(seen.request_id) if heard.is_set() else pending(seen)
    program = start(
        """
        def handler(number, frame):
            print(waiting.progress.total, *waiting.open, waiting.add("c"), flush=True)
        waiting = Client(**options).wait_all(["a", "b"])
        signal.signal(signal.SIGINT, handler)
        ready()
        print(len(list(waiting)))
        """
    )
    program.until_ready()
    program.interrupt()
    assert program.process.stdout is not None and program.process.stdout.readline() == "2 a b True\n"
    heard.set()
    assert program.ended() == (0, "3\n", "")


def test_ctrl_c_ends_the_sending_of_a_look(vendor: Vendor, start: Callable[..., Program]) -> None:
    vendor.answer = vendor.hang
    program = start(
        """
        tracker = Client(**options).tracker()
        tracker.add(ID)
        look = tracker.step()
        ready()
        try:
            look.send()
        except KeyboardInterrupt:
            print(*tracker.open, type(tracker.step()).__name__ in ("Look", "Sleep"))
        """
    )
    program.until_ready()
    assert vendor.hung.wait(LIMIT)
    program.interrupt()
    assert program.ended() == (0, "72003d66-aa5d-4533-9e13-73da598dedf4 True\n", "")


def test_the_module_installs_no_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Client(region="in", api_key="k"):
        assert signal.getsignal(signal.SIGINT) is before
