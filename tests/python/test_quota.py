"""The quota: who shares it, how it stands, and limiters that are written in Python."""

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional, Union

import pytest
from conftest import KEYS, Answer, Vendor, status_answer, within

import activity_status
from activity_status import (
    Client,
    Clock,
    ConfigError,
    DeadlineError,
    Granted,
    InterruptedError as OurInterruptedError,
    LimiterError,
    RefusedError,
    RetryAfter,
    Settlement,
    Snapshot,
    Status,
)

Make = Callable[..., Client]
ID = "72003d66-aa5d-4533-9e13-73da598dedf4"


class Book:
    """Lets every call through, and remembers what it was told, and on which thread."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def note(self, *what: Any) -> None:
        self.told.append((threading.get_ident(), *what))

    def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
        self.note("try_acquire", call_class, clock.now())
        return Granted(len(self.told))

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        self.note("settle", permit, settlement, clock.now())


class Says(Book):
    """Answers what it is given, or raises it."""

    def __init__(self, **answers: Any) -> None:
        super().__init__()
        self.answers = answers

    def said(self, method: str, otherwise: Any = None) -> Any:
        answer = self.answers.get(method, otherwise)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def try_acquire(self, call_class: str, clock: Clock) -> Any:
        granted = super().try_acquire(call_class, clock)
        return self.said("try_acquire", granted)

    def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
        super().settle(permit, settlement, clock)
        self.said("settle")

    def leave(self) -> None:
        self.note("leave")
        self.said("leave")

    def snapshot(self, clock: Clock) -> Any:
        return self.said("snapshot")


# How it stands


def test_a_snapshot(make: Make, vendor: Vendor) -> None:
    client = make(quota="3/60s", call_deadline=1)
    assert client.snapshot() == Snapshot(used=0, free=3, next_free_in=0.0, waiting=0, refused=0)
    for _ in range(3):
        client.status(ID)
    full = client.snapshot()
    assert full is not None and (full.used, full.free, full.waiting, full.refused) == (3, 0, 0, 0)
    assert 50 < full.next_free_in <= 60.002
    assert len(vendor.seen) == 3
    vendor.answer = lambda seen: Answer(b"", 429)
    refused = make(quota="3/60s")
    with pytest.raises(RefusedError):
        refused.status(ID)
    after = refused.snapshot()
    assert after is not None and after.refused == 1 and after.next_free_in > 50
    client.close()
    with pytest.raises(ConfigError, match="closed"):
        client.snapshot()


def test_a_snapshot_counts_who_waits(make: Make) -> None:
    client = make(quota="1/3600s", call_deadline=7200)
    client.status(ID)
    threading.Thread(target=client.status, args=(ID,), daemon=True).start()
    until = time.monotonic() + 60
    while (found := client.snapshot()) and found.waiting == 0:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert found is not None and found.waiting == 1 and found.next_free_in > 3600


# Who shares it


def test_two_clients_share_a_file(make: Make, timed: list[float], tmp_path: Path) -> None:
    shared = {"quota": "3/0.5s", "limiter": f"file:{tmp_path / 'quota'}", "strict": True}
    clients = [make(**shared), make(**shared)]
    for i in range(8):
        assert clients[i % 2].status(ID).succeeded
    within(timed, 3, 0.5)
    one, other = (client.snapshot() for client in clients)
    assert one is not None and other is not None and one.used >= 2 and other.used >= 2


def test_two_processes_share_a_file_by_the_environment(
    vendor: Vendor, timed: list[float], tmp_path: Path
) -> None:
    account = {f"ACTIVITY_STATUS_{name.upper()}": value for name, value in KEYS.items()}
    place = {"ACTIVITY_STATUS_BASE_URL": vendor.url, "ACTIVITY_STATUS_LIMITER": f"file:{tmp_path / 'quota'}"}
    program = [sys.executable, str(Path(__file__).with_name("quota.py")), "20", "4", ID]
    processes = [
        subprocess.Popen(
            program, env={**os.environ, **account, **place}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        assert out.startswith("answered 20\nfailed 0\nseconds ")
    assert len(timed) == 40
    # Two processes with a quota each would have sent all forty at once. The margin is zero: the answers are too few.
    within(timed, 25, 5.0)


def test_the_limiter_of_the_environment(monkeypatch: pytest.MonkeyPatch, vendor: Vendor, tmp_path: Path) -> None:
    options: dict[str, Any] = {**KEYS, "base_url": vendor.url}
    monkeypatch.setenv("ACTIVITY_STATUS_LIMITER", "nowhere:1")
    with pytest.raises(ConfigError, match="nowhere"):
        Client.from_env(**options)
    assert Client.from_env(limiter="process", **options).status(ID).succeeded
    book = Book()
    assert Client.from_env(limiter=book, **options).status(ID).succeeded
    assert len(book.told) == 2
    monkeypatch.setenv("ACTIVITY_STATUS_LIMITER", "")
    assert Client.from_env(**options).status(ID).succeeded


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"limiter": "nowhere"}, "limiter"),
        ({"limiter_away": "many"}, "quota"),
        ({"submit_share": 0}, "submit share"),
        ({"submit_share": -1}, "submit_share"),
        ({"limiter": Book(), "quota": "1/1s"}, "quota is for"),
        ({"limiter": Book(), "strict": False}, "strict is for"),
        ({"limiter": Book(), "submit_share": 10}, "submit_share is for"),
        ({"limiter": Book(), "limiter_away": (1, 1)}, "limiter_away is for"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any], word: str) -> None:
    settings: dict[str, Any] = {"region": "in", "api_key": "k", **options}
    with pytest.raises(ConfigError, match=word):
        Client(**settings)


def test_a_limiter_that_cannot_be_opened_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make its folder first"):
        Client(region="in", api_key="k", limiter=f"file:{tmp_path / 'none' / 'quota'}")


@pytest.mark.parametrize("limiter", [7, object(), b"process", Book, type("Half", (), {"settle": print})()])
def test_what_is_no_limiter(limiter: Any) -> None:
    if limiter is Book:
        limiter = type("NotCallable", (), {"try_acquire": 1, "settle": print})()
    with pytest.raises(TypeError, match="try_acquire"):
        Client(region="in", api_key="k", limiter=limiter)


# The values


VALUES = [
    (Granted, (2**64 - 1,), "Granted(18446744073709551615)"),
    (RetryAfter, (0.1,), "RetryAfter(0.1)"),
    (RetryAfter, (3600.000000001,), "RetryAfter(3600.000000001)"),
    (Settlement, ("answered",), "Settlement('answered')"),
    (Settlement, ("refused", 7.5), "Settlement('refused', 7.5)"),
    (Snapshot, (3, 22, 0.25, 1, 2), "Snapshot(used=3, free=22, next_free_in=0.25, waiting=1, refused=2)"),
    (Snapshot, (0, 25, 0.0), "Snapshot(used=0, free=25, next_free_in=0.0, waiting=0, refused=0)"),
]


@pytest.mark.parametrize(("kind", "fields", "shown"), VALUES)
def test_what_a_value_says_of_itself(kind: Any, fields: tuple[Any, ...], shown: str) -> None:
    value = kind(*fields)
    assert repr(value) == shown and eval(shown) == value
    assert [getattr(value, name) for name in kind.__match_args__][: len(fields)] == list(fields)


@pytest.mark.parametrize(
    "make",
    [
        *(lambda seconds=seconds: RetryAfter(seconds) for seconds in (0, -1, float("nan"), float("inf"), 1e30)),
        lambda: Settlement("sent"),  # type: ignore[arg-type]
        lambda: Settlement("answered", 5.0),
        lambda: Settlement("refused", -5.0),
        lambda: Snapshot(1, 1, -1.0),
        lambda: Snapshot(1, 1, float("nan")),
    ],
)
def test_values_that_make_no_sense(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()
    for wrong in (lambda: Granted(-1), lambda: Granted(2**64), lambda: Snapshot(-1, 0, 0)):
        with pytest.raises(OverflowError):
            wrong()


def test_a_wait_is_rounded_up() -> None:
    assert RetryAfter(1e-12).seconds == 1e-9
    assert RetryAfter(0.1234567891).seconds == 0.12345679
    for wait in (0.3, 1 / 3, 5.001, 1e-9, 123456.789):
        assert wait <= RetryAfter(wait).seconds <= wait + 1.1e-9


# A limiter of one's own


def test_each_attempt_is_asked_for_and_settled_on_the_thread_that_calls(make: Make, vendor: Vendor) -> None:
    answers = [
        Answer(b"", 429, {"retry-after": "0"}),
        Answer(None),
        status_answer(ID),
    ]
    vendor.answer = lambda seen: answers[len(vendor.seen) - 1]
    book = Book()
    client = make(limiter=book, quota=None, max_attempts=3)

    def work() -> None:
        assert client.status(ID).succeeded

    for run in (work, threading.Thread(target=work)):
        book.told.clear()
        vendor.seen.clear()
        here = threading.get_ident()
        if isinstance(run, threading.Thread):
            run.start()
            run.join(60)
            assert run.ident is not None
            here = run.ident
        else:
            run()
        threads, methods, what = zip(*(told[:3] for told in book.told))
        assert set(threads) == {here}
        assert methods == ("try_acquire", "settle") * 3
        assert what == ("poll", 1, "poll", 3, "poll", 5)
        settlements = [told[3] for told in book.told[1::2]]
        assert settlements == [Settlement("refused"), Settlement("in_doubt"), Settlement("answered")]
        times = [told[-1] for told in book.told]
        assert times == sorted(times) and all(type(moment) is float for moment in times)


def test_a_permit_is_for_a_kind_of_call(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(json.dumps({"RequestID": ID, "PendingMessages": 1}).encode())
    book = Book()
    client = make(limiter=book, quota=None)
    client.submit({})
    client.metrics()
    vendor.close()
    with pytest.raises(activity_status.TransportError):
        make(limiter=book, quota=None, base_url="http://127.0.0.1:1").submit({})
    assert [told[2] for told in book.told[::2]] == ["submit", "other", "submit"]
    assert book.told[-1][3] == Settlement("not_sent")


def test_it_is_the_client_that_waits(make: Make, vendor: Vendor) -> None:
    class Later(Book):
        def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
            granted = super().try_acquire(call_class, clock)
            return granted if len(self.told) > 2 else RetryAfter(0.05)

    later = Later()
    assert make(limiter=later, quota=None).status(ID).succeeded
    first, second, third, _ = (told[-1] for told in later.told)
    assert second - first >= 0.05 and third - second >= 0.05
    never = Says(try_acquire=RetryAfter(1e18))
    with pytest.raises(DeadlineError, match="quota"):
        make(limiter=never, quota=None).status(ID)
    assert [told[1] for told in never.told] == ["try_acquire", "leave"]
    assert len(vendor.seen) == 1


def test_the_snapshot_of_a_limiter_of_ones_own(make: Make) -> None:
    assert make(limiter=Book(), quota=None).snapshot() is None
    assert make(limiter=Says(), quota=None).snapshot() is None
    snapshot = Snapshot(1, 2, 3.5, waiting=4, refused=2**40)
    assert make(limiter=Says(snapshot=snapshot), quota=None).snapshot() == snapshot
    with pytest.raises(LimiterError, match="snapshot answers a Snapshot or None, not tuple") as caught:
        make(limiter=Says(snapshot=(1, 2)), quota=None).snapshot()
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(
    "answer", [None, True, 1.5, "granted", (1,), Granted, RetryAfter, Snapshot(1, 1, 0.0)], ids=repr
)
def test_an_answer_that_is_none(make: Make, vendor: Vendor, answer: Any) -> None:
    class Nonsense(Book):
        def try_acquire(self, call_class: str, clock: Clock) -> Any:
            return answer

    with pytest.raises(LimiterError, match="try_acquire answers Granted or RetryAfter, not ") as caught:
        make(limiter=Nonsense(), quota=None).status(ID)
    assert isinstance(caught.value.__cause__, TypeError) and type(answer).__name__ in str(caught.value)
    assert vendor.seen == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_wait_that_is_none(make: Make, vendor: Vendor, seconds: float) -> None:
    class Nonsense(Book):
        def try_acquire(self, call_class: str, clock: Clock) -> RetryAfter:
            return RetryAfter(seconds)

    for call in ("status", "wait"):
        with pytest.raises(LimiterError, match="a wait is more than 0 seconds") as caught:
            getattr(make(limiter=Nonsense(), quota=None), call)(ID)
        assert isinstance(caught.value.__cause__, ValueError)
    assert vendor.seen == []


def names_in(error: Optional[BaseException]) -> list[str]:
    assert error is not None
    names: list[str] = []
    trace = error.__traceback__
    while trace:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return names


def test_what_it_raises_is_the_cause(make: Make, vendor: Vendor) -> None:
    class Mine(Exception):
        pass

    for method, call in [("try_acquire", "status"), ("try_acquire", "wait"), ("snapshot", "snapshot")]:
        mine = Mine("no store " + "x" * 2000)
        client = make(limiter=Says(**{method: mine}), quota=None, max_attempts=5)
        with pytest.raises(LimiterError, match=f"its {method} raised .*Mine: no store x") as caught:
            getattr(client, call)(*([] if call == "snapshot" else [ID]))
        assert caught.value.__cause__ is mine and caught.value.resend == "safe"
        assert names_in(mine)[-2:] == [method, "said"]
        assert len(str(caught.value)) < 900
    assert vendor.seen == []
    leaky = Says(try_acquire=ValueError(f"the key is {KEYS['api_key']}"))
    with pytest.raises(LimiterError) as caught:
        make(limiter=leaky, quota=None).status(ID)
    assert KEYS["api_key"] not in str(caught.value)


@pytest.mark.parametrize("method", ["settle", "leave"])
def test_a_call_goes_on_without_its_settlement(
    make: Make, unraised: list[BaseException], method: str
) -> None:
    mine = ValueError("no store")
    if method == "settle":
        assert make(limiter=Says(settle=mine), quota=None).status(ID).succeeded
    else:
        with pytest.raises(DeadlineError):
            make(limiter=Says(leave=mine, try_acquire=RetryAfter(1e6)), quota=None).status(ID)
    (error,) = unraised
    assert isinstance(error, LimiterError) and f"its {method} raised ValueError: no store" in str(error)
    assert error.__cause__ is mine


@pytest.mark.parametrize("on_main", [True, False])
@pytest.mark.parametrize("method", ["try_acquire", "settle", "leave", "snapshot"])
@pytest.mark.parametrize("raised", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.filterwarnings("error")
def test_what_ends_a_program_leaves_the_call_as_itself(
    make: Make, vendor: Vendor, method: str, raised: BaseException, on_main: bool
) -> None:
    answers: dict[str, Any] = {method: raised}
    if method == "leave":
        answers["try_acquire"] = RetryAfter(1e6)
    limiter = Says(**answers)
    client = make(limiter=limiter, quota=None, max_attempts=5)
    caught: list[BaseException] = []

    def work() -> None:
        try:
            client.snapshot() if method == "snapshot" else client.wait(ID, timeout=1)
        except BaseException as error:
            caught.append(error)

    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")
    if on_main:
        work()
    else:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
    assert caught and caught[0] is raised
    # After a settlement the wait goes on until it would sleep; a place is given up at its end.
    causes = {"try_acquire": OurInterruptedError, "settle": OurInterruptedError, "leave": DeadlineError}
    assert type(raised.__cause__) is causes.get(method, LimiterError)
    # The next call knows nothing of it.
    limiter.answers.clear()
    vendor.answer = lambda seen: status_answer(seen.request_id)
    assert client.status(ID).succeeded


def test_a_limiter_may_use_the_client_that_asks_it(make: Make, vendor: Vendor) -> None:
    class Curious(Book):
        inside = False

        def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
            if not self.inside:
                self.inside = True
                assert client.snapshot() == Snapshot(0, 1, 0.0)
                assert client.status("other").request_id == "other"
            return super().try_acquire(call_class, clock)

        def settle(self, permit: int, settlement: Settlement, clock: Clock) -> None:
            super().settle(permit, settlement, clock)
            client.close()

        def snapshot(self, clock: Clock) -> Snapshot:
            return Snapshot(0, 1, 0.0)

    client = make(limiter=Curious(), quota=None)
    assert client.status(ID).request_id == ID
    assert [seen.request_id for seen in vendor.seen] == ["other", ID]


def test_threads_run_in_a_limiter_at_once(make: Make) -> None:
    meet = threading.Barrier(4, timeout=60)

    class Meeting(Book):
        def try_acquire(self, call_class: str, clock: Clock) -> Union[Granted, RetryAfter]:
            meet.wait()
            return Granted(1)

    client = make(limiter=Meeting(), quota=None)
    answers: list[Status] = []
    threads = [threading.Thread(target=lambda: answers.append(client.status(ID))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 4


def test_a_limiter_that_holds_its_client_is_garbage_with_it(make: Make) -> None:
    class Holding(Book):
        client: Client

    limiter = Holding()
    limiter.client = make(limiter=limiter, quota=None)
    limiter.client.status(ID)
    gone = weakref.ref(limiter)
    del limiter
    gc.collect()
    assert gone() is None


def test_the_end_of_a_limiter_may_use_its_client() -> None:
    script = """
        from activity_status import Client
        class Ending:
            def try_acquire(self, call_class, clock): pass
            def settle(self, permit, settlement, clock): pass
            def __del__(self): print(client)
        client = Client(base_url="http://127.0.0.1:1", api_key="k", limiter=Ending())
        client.close()
        print("closed")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("<Client http://127.0.0.1:1 (closed)>\nclosed\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_the_limiter_too(make: Make, vendor: Vendor) -> None:
    book = Book()
    client = make(limiter=book, quota=None)
    assert client.status(ID).succeeded
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            client.status(ID)
            os.write(write, str(len(book.told)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "4"
    os.waitpid(child, 0)
    assert len(book.told) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to a process there")
@pytest.mark.parametrize("daemon", [True, False])
def test_a_program_ends_while_a_thread_waits_for_a_limiter(vendor: Vendor, daemon: bool) -> None:
    script = f"""
        import threading, time
        from activity_status import Client, RetryAfter
        asked = threading.Event()
        class Never:
            def try_acquire(self, call_class, clock):
                asked.set()
                return RetryAfter(0.02)
            def settle(self, permit, settlement, clock): pass
        client = Client(base_url={vendor.url!r}, api_key="k", limiter=Never(), call_deadline={600 if daemon else 0.5})
        def work():
            try:
                client.status("x")
            except Exception as error:
                print(type(error).__name__)
        threading.Thread(target=work, daemon={daemon}).start()
        asked.wait(60)
        time.sleep(0.1)
        print("end", flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == (["end"] if daemon else ["end", "DeadlineError"])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to a process there")
@pytest.mark.parametrize("where", ["the wait", "the limiter", "the checks"])
def test_ctrl_c(vendor: Vendor, where: str) -> None:
    script = f"""
        import threading, time
        from activity_status import Client, RetryAfter
        from activity_status.testing import check_limiter
        class Slow:
            def try_acquire(self, call_class, clock):
                threading.Timer(0.3, print, ["ready"], dict(flush=True)).start()
                if {where != "the wait"}:
                    threading.Event().wait({60 if where == "the checks" else 600})
                return RetryAfter(600)
            def settle(self, permit, settlement, clock): pass
            def leave(self): print("left")
        try:
            if {where == "the checks"}:
                check_limiter(lambda *given: Slow(), timeout=600)
            else:
                Client(base_url={vendor.url!r}, api_key="k", limiter=Slow(), call_deadline=1200).status("x")
        except KeyboardInterrupt as interrupt:
            print(type(interrupt.__cause__).__name__)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    cause = {"the wait": "left\nInterruptedError\n", "the limiter": "left\nInterruptedError\n", "the checks": "NoneType\n"}
    assert out == cause[where]
