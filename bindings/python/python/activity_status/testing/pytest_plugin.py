"""The fixtures for pytest, which finds them by itself: a sandbox, and one on a port, each for one test.

Their settings are those of a marker, of the test, its class or its module::

    @pytest.mark.activity_status(rate_per_minute=600, quota="5/1s")
    def test_that_all_are_posted(activity_status_sandbox: Sandbox) -> None:
        client = activity_status_sandbox.client()
"""

from collections.abc import Iterator
from typing import Any

import pytest

from . import Sandbox, SandboxServer


def pytest_configure(config: pytest.Config) -> None:
    """Tells pytest of the marker."""
    config.addinivalue_line(
        "markers", "activity_status(**settings): how the sandbox of a test behaves; see activity_status.testing.Sandbox"
    )


@pytest.fixture
def activity_status_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """The vendor as a model, in this process and in a time of its own."""
    return Sandbox(**_settings(request))


@pytest.fixture
def activity_status_server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """The vendor as a model on a port of this machine, until the test is over."""
    with SandboxServer(**_settings(request)) as server:
        yield server


def _settings(request: pytest.FixtureRequest) -> Any:
    """Those of all markers; the nearest one goes before."""
    settings: dict[str, Any] = {}
    for marker in request.node.iter_markers("activity_status"):
        if marker.args:
            raise TypeError("the settings of the sandbox are keywords, as in activity_status(rate_per_minute=60)")
        settings = {**marker.kwargs, **settings}
    return settings
