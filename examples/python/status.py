"""Asks once how each job stands: status.py ID...

pip install activity-status
ACTIVITY_STATUS_REGION=in ACTIVITY_STATUS_API_KEY=... python status.py 72003d66-aa5d-4533-9e13-73da598dedf4
"""

import sys

from activity_status import ActivityStatusError, Client, ConfigError, DeadlineError

# The exit codes are those of the command line.
ALL_ANSWERED, SOME_FAILED, WRONG_INPUT, TOO_LATE, NO_ANSWER = range(5)


def main(ids: list[str]) -> int:
    if not ids:
        print("usage: status.py ID...", file=sys.stderr)
        return WRONG_INPUT
    exit_code = ALL_ANSWERED
    try:
        with Client.from_env() as client:
            for request_id in ids:
                exit_code = max(exit_code, ask(client, request_id))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    return exit_code


def ask(client: Client, request_id: str) -> int:
    try:
        status = client.status(request_id)
    except ActivityStatusError as error:
        print(error, file=sys.stderr)
        if isinstance(error, ConfigError):
            return WRONG_INPUT
        return TOO_LATE if isinstance(error, DeadlineError) else NO_ANSWER
    print(f"{status.request_id}  {status.outcome}  {status.state}: {status.reason}")
    if status.created_id:
        print(f"    created {status.created_id}")
    return SOME_FAILED if status.failed else ALL_ANSWERED


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
