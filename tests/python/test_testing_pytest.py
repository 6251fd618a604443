"""The fixtures for pytest, and the examples in the documentation of the testing kit."""

import doctest
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import activity_status.testing
from activity_status.testing import recording

TESTS = '''
import pytest

ACTIVITY = {"RelatedProspectId": "a-lead", "ActivityEvent": 201}

pytestmark = pytest.mark.activity_status(rate_per_minute=6000, api_key="of-the-module")

def test_in_the_process(activity_status_sandbox):
    client = activity_status_sandbox.client(api_key="of-the-module")
    assert client.wait(client.submit(ACTIVITY)).succeeded
    assert activity_status_sandbox.clock.now() < 1

@pytest.mark.activity_status(api_key="of-the-test")
def test_that_the_nearest_marker_goes_before(activity_status_server):
    client = activity_status_server.client(api_key="of-the-test")
    assert client.wait(client.submit(ACTIVITY)).succeeded
    assert activity_status_server.book.unauthorized == 0

def test_that_each_test_has_its_own(activity_status_server, activity_status_sandbox):
    assert activity_status_server.book.calls == activity_status_sandbox.book.calls == 0

@pytest.mark.activity_status(60)
def test_that_a_setting_has_a_name(activity_status_sandbox):
    pass
'''


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def plugin() -> list[str]:
    """How pytest finds it where the package is not installed."""
    from importlib.metadata import entry_points

    groups: Any = entry_points()
    found = groups.select(group="pytest11") if hasattr(groups, "select") else groups.get("pytest11", ())
    is_installed = any(entry.value == "activity_status.testing.pytest_plugin" for entry in found)
    return [] if is_installed else ["-p", "activity_status.testing.pytest_plugin"]


def test_the_fixtures_give_each_test_a_sandbox(tmp_path: Path) -> None:
    (tmp_path / "test_script.py").write_text(TESTS)
    done = run(tmp_path, *plugin())
    assert "3 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "the settings of the sandbox are keywords" in done.stdout
    assert "activity_status(**settings)" in run(tmp_path, *plugin(), "--markers").stdout


def test_what_others_pay_for_the_plugin(tmp_path: Path) -> None:
    script = (
        "import pytest, sys; before = set(sys.modules); import activity_status.testing.pytest_plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    brought = {name for name in done.stdout.split() if name.startswith("activity_status")}
    assert "activity_status.testing.recording" not in brought, brought
    assert not {"asyncio", "ssl", "urllib.request", "http.client"} & set(done.stdout.split())


@pytest.mark.parametrize("module", [activity_status.testing, recording])
def test_the_examples_in_the_documentation_run(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 5 and result.failed == 0


def test_all_that_is_named_is_there() -> None:
    for name in activity_status.testing.__all__:
        assert getattr(activity_status.testing, name).__doc__, name
    with pytest.raises(AttributeError, match="Fake"):
        getattr(activity_status.testing, "Fake")
