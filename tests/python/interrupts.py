"""How soon Ctrl-C ends a call, in every state that it can block in: `python tests/python/interrupts.py` prints a table.

Each state is tried in a process of its own (`interrupts.py STATE SHOTS`), whose main thread is in the call. A shot is two
signals: one whose handler raises nothing, after which the call has to go on, and then Ctrl-C.
"""

import fcntl
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Optional

from activity_status import Client
from conftest import KEYS, Answer, Seen, Vendor, status_answer

LIMIT = 60
"""Seconds after which a shot has failed. A call that heard nothing would take longer than this."""

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
OTHER = "11111111-aa5d-4533-9e13-73da598dedf4"

Reached = Callable[[], bool]
"""Is the call in the state by now?"""

State = Callable[[], AbstractContextManager[tuple[Client, Reached]]]


def measure(state: str, shots: int) -> dict[str, list[float]]:
    """For each call that can be in this state: seconds from each Ctrl-C to the KeyboardInterrupt."""
    command = [sys.executable, __file__, state, str(shots)]
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        if state == "name look-up":
            environment.update(LD_PRELOAD=str(names_that_hang(Path(folder))), LOOKED_UP=f"{folder}/looked-up")
        limit = LIMIT * (1 + shots)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    times: dict[str, list[float]] = json.loads(done.stdout)
    return times


def lacks(state: str) -> str:
    """What is not on this machine and has to be for a state; empty if all is."""
    needed = {"name look-up": "cc", "Redis: the quota": "redis-server"}.get(state, "")
    return "" if not needed or shutil.which(needed) else needed


# The calls


def wait_all(client: Client) -> None:
    waiting = client.wait_all([ID, OTHER], price=3600)
    try:
        next(waiting)
    finally:
        assert [job.request_id for job in waiting.open] == [ID, OTHER]


CALLS: Mapping[str, Callable[[Client], object]] = {
    "status": lambda client: client.status(ID),
    "submit": lambda client: client.submit({}),
    "wait": lambda client: client.wait(ID, price=3600),
    "wait_all": wait_all,
    "metrics": lambda client: client.metrics(),
    "acquire": lambda client: client.limiter.acquire(),
    "large submit": lambda client: client.submit(b'["%s"]' % (b"x" * 2**23)),
}

EXCHANGES = ["status", "submit", "wait", "wait_all", "metrics"]


# The states


def client_of(url: str, **options: Any) -> Client:
    parts = ["resolve", "connect", "send", "head", "body"]
    patient = dict.fromkeys(["call_deadline", *(f"{part}_timeout" for part in parts)], 3600.0)
    every: dict[str, Any] = {"base_url": url, "quota": "1000/0.1s", **KEYS, **patient, **options}
    return Client(**every)


@contextmanager
def vendor_that(answer: Callable[[Vendor, Seen], Answer]) -> Generator[Vendor, None, None]:
    vendor = Vendor()
    vendor.answer = lambda seen: answer(vendor, seen)
    yield vendor
    vendor.close()


@contextmanager
def listener(serve: Callable[[socket.socket], object], **options: int) -> Generator[tuple[str, Reached], None, None]:
    """A server that does so much with each connection, and then nothing. Reached once something came of it."""
    server, served, over = socket.socket(), threading.Event(), threading.Event()
    if "receive_buffer" in options:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_buffer"])
    server.bind(("127.0.0.1", 0))
    server.listen()

    def one(connection: socket.socket) -> None:
        with connection:
            if serve(connection):
                served.set()
            over.wait(LIMIT)

    def accept() -> None:
        while not over.is_set():
            connection, _ = server.accept()
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"127.0.0.1:{server.getsockname()[1]}", served.is_set
    over.set()
    socket.create_connection(server.getsockname()).close()
    server.close()


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1000)
    return head


@contextmanager
def used_up(limiter: str) -> Generator[tuple[Client, Reached], None, None]:
    """A quota of one call, which is used up."""
    with vendor_that(Vendor.hang) as vendor, client_of(vendor.url, limiter=limiter, quota="1/1000s") as client:

        def reached() -> bool:
            snapshot = client.snapshot()
            return snapshot is not None and snapshot.waiting > 0

        # Either we have it now, or nobody for as long, because the server has just begun and cannot know who had.
        client.limiter.try_acquire()
        client.limiter.leave()
        yield client, reached


def quota_of_the_process() -> AbstractContextManager[tuple[Client, Reached]]:
    return used_up("process")


@contextmanager
def quota_of_a_file() -> Generator[tuple[Client, Reached], None, None]:
    with tempfile.TemporaryDirectory() as folder, used_up(f"file:{folder}/quota") as entered:
        yield entered


@contextmanager
def file_that_another_has() -> Generator[tuple[Client, Reached], None, None]:
    with vendor_that(Vendor.hang) as vendor, tempfile.TemporaryDirectory() as folder:
        client = client_of(vendor.url, limiter=f"file:{folder}/quota")
        with open(f"{folder}/quota", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield client, lambda: True


@contextmanager
def redis() -> Generator[str, None, None]:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while refuses(port):
                time.sleep(0.01)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.kill()


def refuses(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def quota_of_redis() -> Generator[tuple[Client, Reached], None, None]:
    with redis() as place, used_up(place) as entered:
        yield entered


@contextmanager
def refusal() -> Generator[tuple[Client, Reached], None, None]:
    with vendor_that(lambda _, __: Answer(b"", 429, {"retry-after": "1000"})) as vendor:
        yield client_of(vendor.url), lambda: bool(vendor.seen)


@contextmanager
def back_off() -> Generator[tuple[Client, Reached], None, None]:
    """After the second failure, since the pause is longer then."""
    with vendor_that(lambda _, __: Answer(b"", 500)) as vendor:
        yield client_of(vendor.url, accept_duplicates=True), lambda: len(vendor.seen) >= 2


@contextmanager
def pause_between_questions() -> Generator[tuple[Client, Reached], None, None]:
    with vendor_that(lambda _, seen: status_answer(seen.request_id, "In-Queue")) as vendor:
        yield client_of(vendor.url), lambda: bool(vendor.seen)


def names_that_hang(folder: Path) -> Path:
    """A library that finds no name, and never says so. It writes a byte for each look-up."""
    source, library = folder / "names.c", folder / "names.so"
    source.write_text(
        """
        #include <stdio.h>
        #include <stdlib.h>
        #include <unistd.h>
        int getaddrinfo(const char *node, const char *service, const void *hints, void **found) {
            FILE *file = fopen(getenv("LOOKED_UP"), "a");
            fputc('.', file);
            fclose(file);
            for (;;) sleep(1000);
        }
        """
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=LIMIT)
    return library


@contextmanager
def name_look_up() -> Generator[tuple[Client, Reached], None, None]:
    looked_up = Path(os.environ["LOOKED_UP"])
    looked_up.write_bytes(b"")
    yield client_of("https://vendor.test"), lambda: looked_up.stat().st_size > 0


@contextmanager
def connect() -> Generator[tuple[Client, Reached], None, None]:
    """A server whose queue of connections is full: it answers no further one."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        address = server.getsockname()
        queued: list[socket.socket] = []
        try:
            while True:
                queued.append(socket.create_connection(address, timeout=0.2))
        except socket.timeout:  # TimeoutError from Python 3.10 on
            pass
        # The state of a connection that is asked for and not answered, and the port that it goes to.
        asked = f":{address[1]:04X} 02 "
        yield client_of("http://127.0.0.1:%d" % address[1]), lambda: asked in Path("/proc/net/tcp").read_text()
        for one in queued:
            one.close()


@contextmanager
def handshake() -> Generator[tuple[Client, Reached], None, None]:
    with listener(lambda connection: connection.recv(1) == b"\x16") as (address, reached):
        yield client_of(f"https://{address}"), reached


@contextmanager
def sending() -> Generator[tuple[Client, Reached], None, None]:
    with listener(lambda connection: connection.recv(1000), receive_buffer=4096) as (address, reached):
        yield client_of(f"http://{address}"), reached


@contextmanager
def head() -> Generator[tuple[Client, Reached], None, None]:
    with listener(read_head) as (address, reached):
        yield client_of(f"http://{address}"), reached


@contextmanager
def body() -> Generator[tuple[Client, Reached], None, None]:
    """A body that comes a byte at a time, so that no single read takes long."""
    begun = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        try:
            while True:
                connection.sendall(b" ")
                begun.set()
                time.sleep(0.01)
        except OSError:
            pass  # Nobody listens any more.

    with listener(serve) as (address, _):
        yield client_of(f"http://{address}"), begun.is_set


WAITS_FOR_LEAVE = [*EXCHANGES, "acquire"]

STATES: Mapping[str, tuple[State, Sequence[str]]] = {
    "the quota": (quota_of_the_process, WAITS_FOR_LEAVE),
    "file: the quota": (quota_of_a_file, WAITS_FOR_LEAVE),
    "file: the lock": (file_that_another_has, WAITS_FOR_LEAVE),
    "Redis: the quota": (quota_of_redis, WAITS_FOR_LEAVE),
    "refused (429)": (refusal, WAITS_FOR_LEAVE[:-1]),
    "back-off": (back_off, EXCHANGES),
    "pause between questions": (pause_between_questions, ["wait", "wait_all"]),
    "name look-up": (name_look_up, EXCHANGES),
    "connect": (connect, EXCHANGES),
    "TLS handshake": (handshake, EXCHANGES),
    "sending a large body": (sending, ["large submit"]),
    "waiting for the head": (head, EXCHANGES),
    "a body that trickles": (body, EXCHANGES),
}


# A shot


def shoot(client: Client, call: Callable[[Client], object], reached: Reached) -> float:
    """Seconds from Ctrl-C to the KeyboardInterrupt that the call is left with."""
    heard, over = threading.Event(), threading.Event()
    shot_at: list[float] = []

    def hear(_: int, __: Optional[FrameType]) -> None:
        heard.set()

    signal.signal(signal.SIGUSR1, hear)

    def fire() -> None:
        while not reached() and not over.is_set():
            time.sleep(0.005)
        # What the call does next, and then any moment between two of its looks for signals.
        time.sleep(random.uniform(0.05, 0.1))
        os.kill(os.getpid(), signal.SIGUSR1)
        heard.wait()
        time.sleep(random.uniform(0.03, 0.06))
        if not over.is_set():
            shot_at.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    gun = threading.Thread(target=fire, daemon=True)
    try:
        gun.start()
        call(client)
    except KeyboardInterrupt:
        return time.monotonic() - shot_at[0]
    finally:
        over.set()
    raise AssertionError("the call was over before Ctrl-C")


def shoot_all(state: str, shots: int) -> dict[str, list[float]]:
    enter, calls = STATES[state]
    times: dict[str, list[float]] = {}
    for name in calls:
        times[name] = []
        for _ in range(shots):
            with enter() as (client, reached):
                times[name].append(shoot(client, CALLS[name], reached))
    return times


def main(arguments: Sequence[str]) -> None:
    # A shell lets what it starts in the background ignore Ctrl-C, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if arguments:
        state, shots = arguments
        print(json.dumps(shoot_all(state, int(shots))), flush=True)
        return
    print("| state | calls | Ctrl-Cs | median, ms | worst, ms |\n|---|---|---:|---:|---:|")
    for state in STATES:
        if lacks(state):
            print(f"| {state} | no {lacks(state)} here | | | |")
            continue
        times = measure(state, 20)
        every = [time * 1000 for of_call in times.values() for time in of_call]
        figures = f"{len(every)} | {statistics.median(every):.0f} | {max(every):.0f}"
        print(f"| {state} | {', '.join(times)} | {figures} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
