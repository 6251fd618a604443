"""Posts five activities and follows them all, each printed as it ends: wait_all.py

The account is in the environment: ACTIVITY_STATUS_API_KEY, _ACCESS_KEY, _SECRET_KEY and _REGION (or _BASE_URL).
"""

import sys

from activity_status import ActivityStatusError, Client, ConfigError, Job, Progress, WaitAll

# The exit codes are those of the command line.
ALL_ANSWERED, SOME_FAILED, WRONG_INPUT, TOO_LATE, NO_ANSWER = range(5)


def main() -> int:
    try:
        with Client.from_env() as client:
            jobs = [submit(client, number) for number in range(1, 6)]
            with client.wait_all(jobs, timeout=120, on_progress=show) as waiting:
                return follow(waiting)
    except ActivityStatusError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_ANSWER


def submit(client: Client, number: int) -> Job:
    return client.submit(
        {
            "RelatedProspectId": "b8e49bf4-3b56-49e0-a339-4cc5832d0e34",
            "ActivityEvent": 380,
            "ActivityNote": f"Number {number}, posted by an example in Python",
        }
    )


def follow(waiting: WaitAll) -> int:
    exit_code = ALL_ANSWERED
    try:
        for job, result in waiting:
            if isinstance(result, ActivityStatusError):
                print(result, file=sys.stderr)
                exit_code = max(exit_code, TOO_LATE if result.kind == "deadline" else NO_ANSWER)
            else:
                print(f"{job}  {result.outcome}  {result.reason}")
                exit_code = max(exit_code, SOME_FAILED if result.failed else ALL_ANSWERED)
    except KeyboardInterrupt:
        # Nothing is lost: keep these, and follow them another time.
        print("still open:", *waiting.open, file=sys.stderr)
        raise
    return exit_code


def show(progress: Progress) -> None:
    eta = "" if progress.eta is None else f", some {progress.eta:.0f} s to go"
    print(f"{progress.settled} of {progress.total}{eta}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
