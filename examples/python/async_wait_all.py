"""Posts five activities and follows them all from an event loop, each printed as it ends: async_wait_all.py

The account is in the environment: ACTIVITY_STATUS_API_KEY, _ACCESS_KEY, _SECRET_KEY and _REGION (or _BASE_URL).
"""

import asyncio
import sys

from activity_status import ActivityStatusError, AsyncClient, ConfigError, Job

# The exit codes are those of the command line.
ALL_ANSWERED, SOME_FAILED, WRONG_INPUT, TOO_LATE, NO_ANSWER = range(5)


async def main() -> int:
    exit_code = ALL_ANSWERED
    try:
        async with AsyncClient.from_env() as client:
            jobs = await asyncio.gather(*[submit(client, number) for number in range(1, 6)])
            async for job, result in client.wait_all(jobs, timeout=120):
                if isinstance(result, ActivityStatusError):
                    print(result, file=sys.stderr)
                    exit_code = max(exit_code, TOO_LATE if result.kind == "deadline" else NO_ANSWER)
                else:
                    print(f"{job}  {result.outcome}  {result.reason}")
                    exit_code = max(exit_code, SOME_FAILED if result.failed else ALL_ANSWERED)
    except ActivityStatusError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_ANSWER
    return exit_code


async def submit(client: AsyncClient, number: int) -> Job:
    return await client.submit(
        {
            "RelatedProspectId": "b8e49bf4-3b56-49e0-a339-4cc5832d0e34",
            "ActivityEvent": 380,
            "ActivityNote": f"Number {number}, posted by an example with asyncio",
        }
    )


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
