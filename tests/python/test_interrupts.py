"""Ctrl-C ends a call in every state that it can block in, and a handler that raises nothing lets it go on."""

import os

import interrupts
import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no SIGINT to send to a process there")
@pytest.mark.parametrize("state", interrupts.STATES)
def test_ctrl_c_ends_a_call_that_would_go_on_for_an_hour(state: str) -> None:
    if interrupts.lacks(state):
        pytest.skip(f"no {interrupts.lacks(state)} here")
    times = interrupts.measure(state, 2)
    assert {call: len(of_call) for call, of_call in times.items()} == dict.fromkeys(interrupts.STATES[state][1], 2)
