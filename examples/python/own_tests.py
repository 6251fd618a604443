"""How to test a script of your own, without an account and without waiting: own_tests.py, or pytest own_tests.py

A sandbox behaves like the vendor, in a time of its own: each test here is over in a moment, and goes the same way each time.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from activity_status import Client, InDoubtError, Status
from activity_status.testing import Recorder, Replay, Sandbox

ACTIVITIES = [
    {"RelatedProspectId": "lead-1", "ActivityEvent": 201, "ActivityNote": "Called"},
    {"RelatedProspectId": "lead-2", "ActivityEvent": 201, "ActivityNote": "sandbox:fail=No such lead"},
    {"RelatedProspectId": "lead-3", "ActivityEvent": 201, "ActivityNote": "sandbox:retry=3"},
]


def post(client: Client, activities: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[Mapping[str, Any]]]:
    """The script that is tested: what failed, with the reason, and what has to be looked for in the CRM."""
    jobs, in_doubt = {}, []
    for activity in activities:
        try:
            jobs[client.submit(activity)] = activity
        except InDoubtError:
            in_doubt.append(activity)
    failed = []
    for job, result in client.wait_all(jobs, timeout="12h"):
        if not isinstance(result, Status) or result.failed:
            reason = result.reason if isinstance(result, Status) else str(result)
            failed.append(f"{jobs[job]['RelatedProspectId']}: {reason}")
    return failed, in_doubt


def test_that_a_failed_activity_is_told() -> None:
    sandbox = Sandbox()
    assert post(sandbox.client(), ACTIVITIES) == (["lead-2: No such lead"], [])
    # The third was tried again after 30 s, 2 min and 7 min.
    assert sandbox.clock.now() > 30 + 120 + 420
    assert (sandbox.book.succeeded, sandbox.book.refused) == (2, 0)


def test_that_nothing_is_posted_twice_when_an_answer_is_lost() -> None:
    sandbox = Sandbox()
    sandbox.fault("answer_lost", on="submit")
    _, in_doubt = post(sandbox.client(), ACTIVITIES)
    assert in_doubt == ACTIVITIES[:1]
    assert (sandbox.book.accepted, sandbox.book.duplicates) == (3, 0)


def test_that_many_keep_the_quota() -> None:
    sandbox = Sandbox(rate_per_minute=600, latency=(0.04, 0.15))
    many = [{**ACTIVITIES[0], "ActivityEvent": number} for number in range(200)]
    assert post(sandbox.client(), many) == ([], [])
    assert (sandbox.book.succeeded, sandbox.book.refused) == (200, 0)


def test_that_a_recording_does_in_place_of_the_vendor() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "three_activities.jsonl"
        sandbox = Sandbox()
        with Recorder(sandbox.transport, path) as recorder:
            recorded = post(sandbox.client(transport=recorder), ACTIVITIES)
        replay = Replay(path)
        assert post(Sandbox().client(transport=replay), ACTIVITIES) == recorded
        assert replay.left == []


def main() -> int:
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    for name, test in tests:
        test()
        print(f"{name.replace('_', ' ')}: fine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
