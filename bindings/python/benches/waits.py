"""Waits of one event loop: waits.py COUNT. Prints the most memory that the process had, in MB."""

import asyncio
import sys

from vendor import running


def most_memory() -> float:
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


async def main(url: str, count: int) -> None:
    from activity_status import AsyncClient

    async with AsyncClient(base_url=url, api_key="key", quota="100000/1s") as client:
        waits = (client.wait(f"job-{n:06}", order="unknown", timeout=600) for n in range(count))
        statuses = await asyncio.gather(*waits)
    assert all(status.succeeded for status in statuses)
    print(most_memory())


if __name__ == "__main__":
    with running(pending=1) as url:
        asyncio.run(main(url, int(sys.argv[1])))
