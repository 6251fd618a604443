"""Posts an activity and waits until it is settled: submit_and_wait.py [FILE]

FILE holds the activity as JSON. The account is in the environment: ACTIVITY_STATUS_API_KEY, _ACCESS_KEY, _SECRET_KEY
and _REGION (or _BASE_URL).
"""

import sys
from datetime import datetime, timezone
from pathlib import Path

from activity_status import ActivityStatusError, Client, ConfigError, DeadlineError

EXAMPLE = {
    "RelatedProspectId": "b8e49bf4-3b56-49e0-a339-4cc5832d0e34",
    "ActivityEvent": 380,
    "ActivityNote": "Posted by an example in Python",
    "ActivityDateTime": datetime.now(timezone.utc),
}

# The exit codes are those of the command line.
ALL_ANSWERED, SOME_FAILED, WRONG_INPUT, TOO_LATE, NO_ANSWER = range(5)


def main(arguments: list[str]) -> int:
    if len(arguments) > 1:
        print("usage: submit_and_wait.py [FILE]", file=sys.stderr)
        return WRONG_INPUT
    try:
        body = Path(arguments[0]).read_bytes() if arguments else EXAMPLE
    except OSError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    try:
        with Client.from_env() as client:
            job = client.submit(body)
            print(f"{job}  submitted")
            status = client.wait(job, timeout=120)
    except ActivityStatusError as error:
        if error.resend == "may_duplicate":
            print(
                "it may have arrived all the same: look in the CRM before you send it again", file=sys.stderr
            )
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
