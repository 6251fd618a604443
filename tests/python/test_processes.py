"""Several processes, threads and interpreters: what they share, and what each has for itself."""

import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.context import ForkContext, ForkServerContext, SpawnContext
from pathlib import Path
from typing import Any, Union, cast

import pytest
from conftest import KEYS, Answer, Seen, Vendor, status_answer, within

from activity_status import (
    ActivityStatusError,
    BadRequestError,
    Client,
    InDoubtError,
    Job,
    JobFailedError,
    Status,
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here"),
    # A fork while other threads run is what is tested.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

Make = Callable[..., Client]
Context = Union[ForkContext, SpawnContext, ForkServerContext]
LIMIT = 60
"""Seconds after which a test gives up; what is tested takes a fraction of one."""


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def context(request: pytest.FixtureRequest) -> Context:
    return cast(Context, multiprocessing.get_context(request.param))


def forked(child: Callable[[], str]) -> Callable[[], str]:
    """Runs `child` in a fork of this process. What is returned waits for it, and gives what it had to say."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(LIMIT)  # Whatever goes wrong, it ends.
        try:
            os.write(write, child().encode())
            os._exit(0)
        except BaseException as error:
            os.write(write, repr(error).encode())
        finally:
            os._exit(1)
    os.close(write)

    def ended() -> str:
        with os.fdopen(read) as pipe:
            said = pipe.read()
        assert os.waitpid(pid, 0) == (pid, 0), said
        return said

    return ended


def threads(count: int, work: Callable[[], object]) -> Callable[[], None]:
    """Runs `work` on so many threads. What is returned waits for them."""
    running = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in running:
        thread.start()

    def join() -> None:
        for thread in running:
            thread.join(LIMIT)
            assert not thread.is_alive()

    return join


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# A fork


def test_a_client_is_used_before_a_fork_in_the_child_and_after(vendor: Vendor, make: Make) -> None:
    accepted = b'{"RequestID":"new"}'
    vendor.answer = lambda seen: (
        Answer(accepted) if seen.method == "POST" else status_answer(seen.request_id)
    )
    client = make()

    def child() -> str:
        job = client.submit({})
        found = [client.status("child"), client.wait(job), *dict(client.wait_all(["a", "b"])).values()]
        return " ".join(one.request_id if isinstance(one, Status) else repr(one) for one in found)

    def used(call: Callable[[], str]) -> set[int]:
        """The connections that are used by this call for all four jobs."""
        first = len(vendor.seen)
        assert sorted(call().split()) == ["a", "b", "child", "new"]
        return {seen.connection for seen in vendor.seen[first:]}

    ours = used(child)
    theirs = used(forked(child))
    others = used(forked(lambda: forked(child)()))
    assert len(ours | theirs | others) == len(ours) + len(theirs) + len(others)
    # The parent's connections are still open, and still its own.
    assert client.status("after").succeeded and vendor.seen[-1].connection in ours


@pytest.mark.parametrize("where", ["for an answer", "for the quota", "between two questions", "for many jobs"])
def test_a_child_is_forked_while_other_threads_wait(vendor: Vendor, make: Make, where: str) -> None:
    settled = threading.Event()

    def answer(seen: Seen) -> Answer:
        if seen.request_id == "child":
            return status_answer("child")
        if where == "for an answer":
            vendor.hung.set()
            vendor.released.wait(LIMIT)
        return status_answer(seen.request_id, "Success" if settled.is_set() else "In-Queue")

    vendor.answer = answer
    client = make(quota="1/1s") if where == "for the quota" else make()
    calls: dict[str, Callable[[], object]] = {
        "for an answer": lambda: client.status("parent"),
        "for the quota": lambda: client.status("parent"),
        "between two questions": lambda: client.wait("parent", price=0.2),
        "for many jobs": lambda: list(client.wait_all(["a", "b", "c"])),
    }
    answers: list[object] = []
    if where == "for the quota":
        client.status("first")
    join = threads(3, lambda: answers.append(calls[where]()))
    until(lambda: len(vendor.seen) >= 3 or getattr(client.snapshot(), "waiting", 0) == 3)
    children = [forked(lambda: client.status("child").request_id) for _ in range(5)]
    assert [ended() for ended in children] == ["child"] * 5
    assert answers == [] or where == "for the quota"
    settled.set()
    vendor.released.set()
    join()
    assert len(answers) == 3


def test_a_child_is_forked_by_a_thread(vendor: Vendor, make: Make) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.request_id.isdigit():
            os.kill(int(seen.request_id), signal.SIGINT)
            return status_answer(seen.request_id, "In-Queue")
        return status_answer(seen.request_id)

    vendor.answer = answer
    client = make()
    client.status("before")
    said: list[str] = []

    def interrupted() -> str:
        # In the child, the thread that has forked is the main one: it hears of Ctrl-C.
        assert client.status("child").succeeded
        try:
            client.wait(str(os.getpid()))
        except KeyboardInterrupt as interrupt:
            return f"interrupted {type(interrupt.__cause__).__name__}"
        return "nothing was heard"

    threads(1, lambda: said.append(forked(interrupted)()))()
    assert said == ["interrupted InterruptedError"]
    assert client.status("after").succeeded


def test_what_a_child_lets_go_of_stays_with_the_parent(vendor: Vendor, make: Make) -> None:
    client = make()
    waiting = client.wait_all(["a", "b"])
    next(waiting)

    def child() -> str:
        nonlocal client, waiting
        client.close()
        del client, waiting
        gc.collect()
        return "all is gone"

    assert forked(child)() == "all is gone"
    before = {seen.connection for seen in vendor.seen}
    assert client.status("after").succeeded and vendor.seen[-1].connection in before
    assert len(list(waiting)) == 1


# multiprocessing


def ask(settings: Union[Client, dict[str, Any]], request_ids: Sequence[str]) -> list[str]:
    client = settings if isinstance(settings, Client) else Client(**settings)
    return [client.status(name).request_id for name in request_ids]


def test_processes_share_one_quota_by_a_file(
    vendor: Vendor, timed: list[float], context: Context, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"base_url": vendor.url, "quota": "5/0.5s", "strict": True, **KEYS}
    settings["limiter"] = f"file:{tmp_path / 'quota'}"
    client = Client(**settings)
    assert client.status("before").succeeded
    # Only a fork can hand a client over: it holds keys, and is not pickled.
    theirs = client if context.get_start_method() == "fork" else settings
    children = [context.Process(target=ask, args=(theirs, ["a"] * 4)) for _ in range(3)]
    for child in children:
        child.start()
    join = threads(2, lambda: ask(client, ["b"] * 4))
    for child in children:
        child.join(LIMIT)
        assert child.exitcode == 0
    join()
    assert client.status("after").succeeded
    assert len(timed) == 1 + 12 + 8 + 1
    within(timed, 5, 0.5)


def test_a_client_is_not_sent_to_another_process(client: Client) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(client)


def follow(settings: dict[str, Any], job: Job) -> tuple[Job, Status]:
    status = Client(**settings).wait(job, timeout=LIMIT)
    return job, status.raise_for_outcome()


def echoed(result: object) -> object:
    return result


def test_a_pool_of_processes_takes_jobs_and_gives_results(vendor: Vendor, context: Context) -> None:
    def answer(seen: Seen) -> Answer:
        if seen.request_id == "unknown":
            return Answer(b'{"ExceptionType":"MXNo","ExceptionMessage":"no such job"}', 400)
        if seen.method == "POST":
            return Answer(None)
        return status_answer(seen.request_id, "FAILURE" if seen.request_id == "bad" else "Success")

    vendor.answer = answer
    settings: dict[str, Any] = {"base_url": vendor.url, "max_attempts": 1, **KEYS}
    jobs = [Job("good", "lead.update"), Job("bad"), Job("unknown")]
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        futures: list[Future[tuple[Job, Status]]] = [pool.submit(follow, settings, job) for job in jobs]
        job, status = futures[0].result(LIMIT)
        assert job == jobs[0] and status == Client(**settings).status(jobs[0])
        assert status.operation == "lead.update" and status.succeeded
        with pytest.raises(JobFailedError) as failed:
            futures[1].result(LIMIT)
        assert failed.value.status.state == "FAILURE" and failed.value.request_id == "bad"
        with pytest.raises(BadRequestError) as refused:
            futures[2].result(LIMIT)
        assert refused.value.vendor_message == "no such job" and refused.value.http_status == 400
        with pytest.raises(InDoubtError) as doubt:
            Client(**settings).submit({})
        # There and back again.
        for result in (jobs[0], status, failed.value, refused.value, doubt.value):
            back = pool.submit(echoed, result).result(LIMIT)
            assert type(back) is type(result)
            if isinstance(result, ActivityStatusError):
                assert isinstance(back, ActivityStatusError) and back.to_dict() == result.to_dict()
            else:
                assert back == result


# Threads


def test_eight_threads_share_one_client(make: Make, timed: list[float]) -> None:
    client = make(quota="10/0.5s", strict=True)
    threads(8, lambda: ask(client, ["a"] * 5))()
    assert len(timed) == 40
    within(timed, 10, 0.5)


# Interpreters

IN_ANOTHER = """
    try:
        import _interpreters
    except ImportError:
        import _xxsubinterpreters as _interpreters

    def run(script, own_lock=False):
        '''Runs it in another interpreter, with a lock of its own or the one of all.'''
        if sys.version_info >= (3, 13):
            made = _interpreters.create("isolated" if own_lock else "legacy")
        else:
            made = _interpreters.create(isolated=own_lock)
        error = _interpreters.run_string(made, script)
        assert error is None, error
        _interpreters.destroy(made)
"""


def interpreters(vendor: Vendor, script: str) -> str:
    """What a program with other interpreters in it prints."""
    text = f"import sys\nURL = {vendor.url!r}\n" + textwrap.dedent(IN_ANOTHER) + textwrap.dedent(script)
    environment = {**os.environ, "ACTIVITY_STATUS_BASE_URL": vendor.url, "ACTIVITY_STATUS_API_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, timeout=LIMIT
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_interpreters_of_one_lock_use_the_module_side_by_side(vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id) if seen.request_id != "no" else Answer(b"", 400)
    out = interpreters(
        vendor,
        """
        import threading
        script = '''if True:
            import activity_status
            client = activity_status.Client.from_env()
            status = client.status("yes")
            assert isinstance(status, activity_status.Status), status
            # Of two that are equal, the outcome may be the one of another interpreter.
            assert status.outcome == activity_status.Outcome.SUCCEEDED
            try:
                client.status("no")
            except activity_status.BadRequestError as error:
                print(len(list(client.wait_all(["a", "b"]))), error.kind, flush=True)
            '''
        exec(script)
        for _ in range(2):
            run(script)
            thread = threading.Thread(target=run, args=(script,))
            thread.start()
            thread.join()
        exec(script)
        """,
    )
    assert out == "2 bad_request\n" * 6


@pytest.mark.skipif(sys.version_info < (3, 12), reason="all interpreters share one lock before Python 3.12")
def test_an_interpreter_with_a_lock_of_its_own_is_refused(vendor: Vendor) -> None:
    out = interpreters(
        vendor,
        """
        script = '''if True:
            try:
                import activity_status
            except ImportError as error:
                print(error, flush=True)
            '''
        run(script, own_lock=True)
        import activity_status
        run(script, own_lock=True)
        print(activity_status.Client.from_env().status("a").outcome)
        """,
    )
    refusal = "module activity_status._native does not support loading in subinterpreters\n"
    assert out == refusal * 2 + "succeeded\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="what calls back finds its interpreter from Python 3.12 on")
def test_a_limiter_in_python_runs_in_the_interpreter_of_its_client(vendor: Vendor) -> None:
    out = interpreters(
        vendor,
        """
        run('''if True:
            import sys, activity_status
            class Book:
                def try_acquire(self, call_class, clock):
                    print(sys.modules["activity_status"] is activity_status)
                    return activity_status.Granted(1)
                def settle(self, permit, settlement, clock):
                    print(sys.modules["activity_status"] is activity_status, flush=True)
            activity_status.Client.from_env(limiter=Book()).status("a")
            ''')
        """,
    )
    assert out == "True\nTrue\n"
