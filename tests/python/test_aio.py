"""AsyncClient, under asyncio and under trio."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from activity_status import AsyncClient, DeadlineError, Request, Response, Status
from conftest import KEYS, Answer, Seen, Vendor, status_answer

Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "trio":
        trio = pytest.importorskip("trio")
        return lambda main: trio.run(main)

    async def awaited(main: Callable[[], Awaitable[None]]) -> None:
        await main()

    return lambda main: asyncio.run(awaited(main))


@pytest.fixture
def make(vendor: Vendor) -> Callable[..., AsyncClient]:
    def make(**options: Any) -> AsyncClient:
        defaults: dict[str, Any] = {"base_url": vendor.url, "quota": "10000/0.1", "max_attempts": 1, **KEYS}
        return AsyncClient(**{**defaults, **options})

    return make


def settled_at_the_third_look(vendor: Vendor) -> None:
    looks: Counter[str] = Counter()

    def answer(seen: Seen) -> Answer:
        if seen.method == "POST":
            return Answer(b'{"RequestID":"posted"}')
        looks[seen.request_id] += 1
        return status_answer(seen.request_id, "Success" if looks[seen.request_id] > 2 else "In-Queue")

    vendor.answer = answer


def test_a_job_from_beginning_to_end(run: Run, make: Callable[..., AsyncClient], vendor: Vendor) -> None:
    settled_at_the_third_look(vendor)

    async def main() -> None:
        async with make() as client:
            job = await client.submit({"RelatedProspectId": "x", "ActivityEvent": 1})
            assert job.request_id == "posted"
            assert not (await client.status(job)).settled
            updates: list[Status] = []
            assert (await client.wait(job, timeout=30, on_update=updates.append)).succeeded
            assert [status.settled for status in updates] == [False, True]

    run(main)


def test_many_jobs_are_yielded_once_each(
    run: Run, make: Callable[..., AsyncClient], vendor: Vendor
) -> None:
    settled_at_the_third_look(vendor)

    async def main() -> None:
        waiting = make().wait_all([f"job-{n}" for n in range(20)], timeout=30)
        found = Counter([job.request_id async for job, status in waiting if isinstance(status, Status)])
        assert len(found) == 20 and set(found.values()) == {1} and waiting.open == []

    run(main)


def test_a_wait_that_runs_out_has_the_last_status(
    run: Run, make: Callable[..., AsyncClient], vendor: Vendor
) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")

    async def main() -> None:
        with pytest.raises(DeadlineError) as caught:
            await make().wait("a", timeout=0.3)
        assert caught.value.last_status is not None and caught.value.last_status.state == "In-Queue"

    run(main)


def test_many_waits_share_the_questions_and_few_threads(
    make: Callable[..., AsyncClient], vendor: Vendor
) -> None:
    settled_at_the_third_look(vendor)
    threads: list[int] = []

    def on_update(status: Status) -> None:
        threads.append(sum(1 for thread in threading.enumerate() if "activity" in thread.name))

    async def main() -> None:
        client = make()
        waits = [client.wait(f"job-{n % 20}", timeout=60, on_update=on_update) for n in range(200)]
        assert all(status.succeeded for status in await asyncio.gather(*waits))

    asyncio.run(main())
    # Ten waits for one job are one.
    assert len(vendor.seen) == 3 * 20 and max(threads) <= 32


def test_a_job_that_nobody_waits_for_is_not_asked_about(
    make: Callable[..., AsyncClient], vendor: Vendor
) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "In-Queue")

    async def main() -> None:
        client = make()
        wait = asyncio.ensure_future(client.wait("gone", timeout=60))
        while not vendor.seen:
            await asyncio.sleep(0.01)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        await asyncio.sleep(0.1)
        asked = len(vendor.seen)
        await asyncio.sleep(0.5)
        assert len(vendor.seen) == asked

    asyncio.run(main())


def test_with_an_async_transport_the_waits_take_no_thread(make: Callable[..., AsyncClient]) -> None:
    hosts: list[str] = []

    async def transport(request: Request) -> Response:
        hosts.append(threading.current_thread().name)
        await asyncio.sleep(0)
        name = request.url.rpartition("=")[2]
        return Response(200, body=status_answer(name).body)

    async def main() -> None:
        client = make(transport=transport)
        assert all(status.succeeded for status in await asyncio.gather(*map(client.wait, "abc")))

    asyncio.run(main())
    assert hosts == [threading.main_thread().name] * 3


def test_outside_of_a_loop_it_says_so(make: Callable[..., AsyncClient]) -> None:
    wait = make().wait("a")
    with pytest.raises(RuntimeError, match="loop"):
        wait.send(None)
