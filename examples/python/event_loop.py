"""Follows jobs from an event loop, with asyncio: event_loop.py ID...

Several questions may be on their way at a time. Each has a thread until it is answered; while nothing is asked, there is
none. The account is in the environment: ACTIVITY_STATUS_API_KEY and _REGION (or _BASE_URL).
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from activity_status import ActivityStatusError, Client, ConfigError, Done, Ended, Look, Sleep, Tracker

# The exit codes are those of the command line.
ALL_ANSWERED, SOME_FAILED, WRONG_INPUT, TOO_LATE, NO_ANSWER = range(5)


async def follow(tracker: Tracker) -> AsyncIterator[Ended]:
    """The jobs of the tracker, as they end."""
    asking: set["asyncio.Task[None]"] = set()
    while True:
        step = tracker.step()
        if isinstance(step, Look):
            asking.add(asyncio.create_task(asyncio.to_thread(step.send)))
        elif isinstance(step, Sleep) and asking:
            # An answer ends the sleep early: it may say what to ask next.
            answered, asking = await asyncio.wait(
                asking, timeout=step.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in answered:
                task.result()
        elif isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Ended):
            yield step
        else:
            assert isinstance(step, Done)
            return


async def main(ids: list[str]) -> int:
    if not ids:
        print("usage: event_loop.py ID...", file=sys.stderr)
        return WRONG_INPUT
    exit_code = ALL_ANSWERED
    try:
        with Client.from_env() as client:
            tracker = client.tracker(timeout=120)
            for request_id in ids:
                tracker.add(request_id)
            async for ended in follow(tracker):
                exit_code = max(exit_code, show(ended))
    except ActivityStatusError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_ANSWER
    return exit_code


def show(ended: Ended) -> int:
    if isinstance(ended.result, ActivityStatusError):
        print(ended.result, file=sys.stderr)
        return TOO_LATE if ended.result.kind == "deadline" else NO_ANSWER
    print(f"{ended.job}  {ended.result.outcome}  {ended.result.reason}")
    return SOME_FAILED if ended.result.failed else ALL_ANSWERED


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(130)
