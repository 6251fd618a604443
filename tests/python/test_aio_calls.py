"""AsyncClient beside Client: the same names and verdicts, and what becomes of calls that are cancelled, late, or many."""

import asyncio
import inspect
import logging
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from activity_status import (
    ActivityStatusError,
    AsyncClient,
    Client,
    DeadlineError,
    Limiter,
    NotFoundError,
    Request,
    Response,
    Status,
)
from conftest import KEYS, Answer, Seen, Vendor, status_answer

Make = Callable[..., AsyncClient]
BODY = {"RelatedProspectId": "x", "ActivityEvent": 1}
AT_A_TIME = 16
"""So many exchanges of one client are on threads at a time, as the guide says."""


@pytest.fixture
def make(vendor: Vendor) -> Make:
    def make(**options: Any) -> AsyncClient:
        defaults: dict[str, Any] = {"base_url": vendor.url, "quota": "10000/0.1", "max_attempts": 1, **KEYS}
        return AsyncClient(**{**defaults, **options})

    return make


def asynchronously(main: Callable[[], Awaitable[None]]) -> None:
    """Runs it. Whatever hangs fails, instead of holding up the tests."""

    async def bounded() -> None:
        await asyncio.wait_for(main(), 60)

    asyncio.run(bounded())


def test_it_has_the_names_and_arguments_of_the_client() -> None:
    # What a task has of its own: it is cancelled; a tracker is for those who have no AsyncClient.
    for name in dir(Client):
        if name.startswith("_") or name in ("close", "tracker", "job"):
            continue
        ours, theirs = getattr(AsyncClient, name), getattr(Client, name)
        if not callable(theirs) or name in ("from_env", "with_options"):
            continue
        arguments = list(inspect.signature(theirs).parameters)
        assert [it for it in arguments if it != "cancel"] == [
            it for it in inspect.signature(ours).parameters if it != "order" or "order" in arguments
        ], name


def test_an_error_is_that_of_the_client(make: Make, vendor: Vendor) -> None:
    vendor.answer = lambda seen: Answer(b'{"Status":"Error","ExceptionMessage":"no such job"}', 404)

    async def main() -> None:
        with pytest.raises(NotFoundError) as caught:
            await make().status("a")
        assert (caught.value.request_id, caught.value.http_status) == ("a", 404)
        results = [result async for _, result in make().wait_all(["a", "b"], timeout=30)]
        assert [type(result) for result in results] == [NotFoundError] * 2

    asynchronously(main)


def test_a_call_and_a_wait_end_by_their_time(make: Make, vendor: Vendor) -> None:
    vendor.answer = vendor.hang

    async def main() -> None:
        with pytest.raises(ActivityStatusError) as caught:
            await make().status("a", deadline=0.2)
        assert isinstance(caught.value, TimeoutError)
        with pytest.raises(DeadlineError):
            await make().wait("a", timeout=0.2)
        with pytest.raises(DeadlineError):
            await make().status("a", deadline=0)

    asynchronously(main)


def test_many_calls_take_few_threads_and_each_gets_its_turn(make: Make, vendor: Vendor) -> None:
    # Those of other clients end only after a while.
    before = set(threading.enumerate())
    most: list[int] = []

    def answer(seen: Seen) -> Answer:
        ours = [thread for thread in set(threading.enumerate()) - before if thread.name == "activity-status"]
        most.append(len(ours))
        return status_answer(seen.request_id)

    vendor.answer = answer

    async def main() -> None:
        client = make()
        statuses = await asyncio.gather(*[client.status(f"job-{n}") for n in range(100)])
        assert [status.request_id for status in statuses] == [f"job-{n}" for n in range(100)]

    asynchronously(main)
    assert 1 <= max(most) <= AT_A_TIME


def test_a_task_that_is_cancelled_goes_on_at_once_and_its_call_is_given_up(make: Make, vendor: Vendor) -> None:
    vendor.answer = vendor.hang

    async def main() -> None:
        client = make()
        for begin in (lambda: client.status("a"), lambda: client.wait("b"), lambda: client.submit(BODY)):
            vendor.hung.clear()
            task = asyncio.ensure_future(begin())
            assert await asyncio.to_thread(vendor.hung.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        vendor.answer = lambda seen: status_answer(seen.request_id)
        assert (await client.status("c")).succeeded

    asynchronously(main)


def test_a_submit_that_is_cancelled_while_it_waits_for_the_quota_is_never_sent(
    make: Make, vendor: Vendor
) -> None:
    async def main() -> None:
        client = make(quota="1/1s")
        assert (await client.status("a")).succeeded
        task = asyncio.ensure_future(client.submit(BODY))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # By now it would have had leave.
        await asyncio.sleep(1.5)
        await client.aclose()

    asynchronously(main)
    assert [seen.method for seen in vendor.seen] == ["GET"]


def test_a_submit_that_was_cancelled_and_has_gone_through_is_told_to_the_log(
    make: Make, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    arrived, answered = threading.Event(), threading.Event()

    async def transport(request: Request) -> Response:
        arrived.set()
        # It cannot be cancelled: it has gone out.
        while not answered.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                answered.set()
        return Response(200, body=b'{"RequestID":"posted"}')

    async def main() -> None:
        task = asyncio.ensure_future(make(transport=transport).submit(BODY))
        while not arrived.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not caplog.records:
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING, "activity_status.http"):
        asynchronously(main)
    (record,) = caplog.records
    assert "submit was cancelled" in record.getMessage()
    assert not any(key in record.getMessage() for key in KEYS.values())


def test_a_wait_for_many_that_is_left_asks_nothing_and_can_be_gone_on_with(make: Make, vendor: Vendor) -> None:
    async def main() -> None:
        waiting = make().wait_all([f"job-{n}" for n in range(30)], timeout=60)
        found: list[str] = []
        async for job, _ in waiting:
            found.append(job.request_id)
            if len(found) == 10:
                break
        await asyncio.sleep(0.2)
        asked = len(vendor.seen)
        await asyncio.sleep(0.3)
        assert len(vendor.seen) == asked < 60 and len(waiting.open) == 20
        unwanted = waiting.open[0]
        assert waiting.forget(unwanted) and not waiting.forget(unwanted) and waiting.last_status(unwanted) is None
        found += [job.request_id async for job, _ in waiting]
        assert sorted([*found, unwanted.request_id]) == sorted(f"job-{n}" for n in range(30)) and waiting.open == []

    asynchronously(main)


def test_one_client_serves_loops_on_several_threads_with_one_quota(make: Make, timed: list[float]) -> None:
    client, failed = make(quota="10/0.5s"), list[BaseException]()

    async def main() -> None:
        waits = [client.wait(f"{threading.get_ident()}-{n}", timeout=60) for n in range(10)]
        assert all(status.succeeded for status in await asyncio.gather(*waits))

    def work() -> None:
        try:
            asynchronously(main)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and len(timed) == 30
    times = sorted(timed)
    assert all(later - first > 0.5 for first, later in zip(times, times[10:]))


def test_it_shares_its_quota_with_a_client(make: Make, vendor: Vendor) -> None:
    limiter = Limiter(quota="1/1000s")

    async def main() -> None:
        client = make(quota=None, limiter=limiter)
        assert (await client.status("a")).succeeded
        blocking = Client(base_url=vendor.url, limiter=limiter, **KEYS)
        with pytest.raises(DeadlineError):
            blocking.status("b", deadline=0.05)
        snapshot = await client.snapshot()
        assert snapshot is not None and snapshot.free == 0

    asynchronously(main)


def test_what_an_async_transport_raises_is_what_a_plain_one_would(make: Make) -> None:
    async def gone(request: Request) -> Response:
        raise ConnectionResetError("gone")

    async def odd(request: Request) -> Response:
        raise ValueError("a bug")

    async def main() -> None:
        with pytest.raises(ConnectionError) as lost:
            await make(transport=gone).status("a")
        assert isinstance(lost.value, ActivityStatusError)
        with pytest.raises(ValueError, match="a bug"):
            await make(transport=odd).status("a")

    asynchronously(main)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to a process there")
@pytest.mark.parametrize("call", ["client.status('a')", "client.wait('a')", "first(client.wait_all(['a']))"])
@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_ctrl_c_ends_the_loop(vendor: Vendor, loop: str, call: str) -> None:
    if loop == "trio":
        pytest.importorskip("trio")
    vendor.answer = vendor.hang
    script = f"""
        import {loop}
        from activity_status import AsyncClient

        async def first(jobs):
            async for job, _ in jobs:
                return job

        async def main():
            client = AsyncClient(base_url={vendor.url!r}, api_key="k", call_deadline=600, head_timeout=600)
            await {call}

        try:
            {loop}.run(main{"()" if loop == "asyncio" else ""})
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        assert vendor.hung.wait(60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    finally:
        guard.cancel()
        process.kill()
    assert (process.returncode, out) == (0, "interrupted\n")


def test_a_status_is_the_same_object_of_data_in_both(make: Make, vendor: Vendor) -> None:
    async def main() -> Status:
        return await make().status("a")

    assert asyncio.run(main()).to_dict() == Client(base_url=vendor.url, **KEYS).status("a").to_dict()
