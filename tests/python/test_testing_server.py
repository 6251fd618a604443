"""The sandbox on a port: for threads, processes, other languages."""

import gc
import json
import multiprocessing
import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from activity_status import ConfigError, Job, TransportError
from activity_status.testing import SandboxServer

ACTIVITY = {"RelatedProspectId": "a-lead", "ActivityEvent": 201}


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/sandbox/book", timeout=10) as answer:
            return "accepted" in json.load(answer)
    except OSError:
        return False


def test_threads_and_other_programs_talk_to_it() -> None:
    with SandboxServer(rate_per_minute=6000, quota="50/0.1s", seed=5) as server:
        client = server.client()

        def submit(number: int) -> Job:
            return client.submit({**ACTIVITY, "ActivityEvent": number})

        with ThreadPoolExecutor(4) as pool:
            jobs = list(pool.map(submit, range(8)))
        script = "from activity_status import Client; print(Client.from_env().status(input()).request_id)"
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=str(jobs[0]),
            env={**os.environ, **server.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.strip() == str(jobs[0])
        assert sorted(server.request_ids) == sorted(map(str, jobs))
        book = server.book
        assert (book.accepted, book.refused, book.status_calls) == (8, 0, 1)
        assert server.environ["ACTIVITY_STATUS_BASE_URL"] == server.url
        assert set(server.environ) == {f"ACTIVITY_STATUS_{n}" for n in ("BASE_URL", "API_KEY", "ACCESS_KEY", "SECRET_KEY")}
    assert server.book == book, "the book outlives it"
    assert repr(server) == f"<SandboxServer {server.url} (closed)>"


def test_faults_and_answers_are_those_of_the_sandbox() -> None:
    with SandboxServer() as server:
        client = server.client(max_attempts=1)
        server.fault("reset", on="status")
        server.answer(Job("abc"), 200, {"RequestId": "abc", "TaskStatus": {"Status": "Success"}})
        with pytest.raises(TransportError):
            client.status("abc")
        assert client.status("abc").succeeded
        assert server.book.faults == 1


def test_it_stops_when_it_is_closed_or_forgotten() -> None:
    server = SandboxServer()
    url = server.url
    assert answers(url)
    server.close()
    server.close()
    assert not answers(url)
    server = SandboxServer()
    url = server.url
    assert answers(url)
    del server
    gc.collect()
    assert not answers(url)


def test_a_port_that_is_taken_is_an_os_error() -> None:
    with SandboxServer() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError):
            SandboxServer(port=port)
    with SandboxServer(port=port) as again:
        assert again.url == server.url


def in_the_child(server: SandboxServer, tell: Any) -> None:
    job = server.client().submit(ACTIVITY)
    try:
        server.book
        told = "it told of a book"
    except ConfigError as error:
        told = str(error)
    server.close()
    del server
    gc.collect()
    tell.put((str(job), told))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_talks_to_it_and_does_not_stop_it() -> None:
    context = multiprocessing.get_context("fork")
    with SandboxServer() as server:
        tell = context.Queue()
        child = context.Process(target=in_the_child, args=(server, tell))
        child.start()
        job, told = tell.get(timeout=60)
        child.join(60)
        assert child.exitcode == 0, "it hung or died at the end of the server"
        assert "has forked" in told
        assert server.request_ids == [job]
        assert answers(server.url)
