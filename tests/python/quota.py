"""Asks as fast as the quota lets it: quota.py COUNT THREADS REQUEST_ID

The account is in the environment, as for every program, ACTIVITY_STATUS_LIMITER included. It is for runs beside
programs in other languages on one limiter. It prints how many questions were answered and how many failed, and the
seconds from the first question to the last answer; its exit code is 0 if all were answered.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Union

from activity_status import ActivityStatusError, Client


def main(count: int, threads: int, request_id: str) -> int:
    with Client.from_env() as client, ThreadPoolExecutor(threads) as pool:

        def ask(_: int) -> Union[float, ActivityStatusError]:
            try:
                client.status(request_id)
            except ActivityStatusError as error:
                return error
            return time.monotonic()

        started = time.monotonic()
        ends = list(pool.map(ask, range(count)))
    answered = [end for end in ends if isinstance(end, float)]
    failed = [end for end in ends if not isinstance(end, float)]
    for error in failed[:5]:
        print(error, file=sys.stderr)
    print(f"answered {len(answered)}")
    print(f"failed {len(failed)}")
    print(f"seconds {max(answered, default=started) - started:.3f}")
    return 4 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
