"""The command in the package: the same function as in the program of that name."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import KEYS, Answer, Vendor, status_answer

import activity_status
from activity_status import Status, _cli, _native  # pyright: ignore[reportPrivateUsage]

ID = "72003d66-aa5d-4533-9e13-73da598dedf4"
SCRIPT = Path(sys.executable).with_name("activity-status")
EXAMPLES = Path(__file__).parents[2] / "examples" / "python"


def environment(vendor: Vendor) -> dict[str, str]:
    account = {f"ACTIVITY_STATUS_{name.upper()}": value for name, value in KEYS.items()}
    return {**os.environ, **account, "ACTIVITY_STATUS_BASE_URL": vendor.url}


def run(vendor: Vendor, *command: object) -> tuple[int, str, str]:
    done = subprocess.run(
        [str(part) for part in command], env=environment(vendor), capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout, done.stderr


MODULE = (sys.executable, "-m", "activity_status")


def test_help_and_version(vendor: Vendor) -> None:
    code, out, err = run(vendor, *MODULE, "--help")
    assert (code, err) == (0, "") and "status" in out and "submit" in out
    version = f"activity-status {activity_status.__version__}\n"
    assert run(vendor, *MODULE, "--version") == run(vendor, SCRIPT, "--version") == (0, version, "")


def test_a_status_on_the_command_line_is_the_line_of_to_json(vendor: Vendor) -> None:
    vendor.answer = lambda seen: status_answer(seen.request_id, "FAILURE")
    code, out, _ = run(vendor, *MODULE, "status", "--json", ID)
    assert code == 1
    assert (
        out
        == Status.from_json(json.loads(out)["raw"] and status_answer(ID, "FAILURE").body or b"").to_json()
        + "\n"
    )


def test_wrong_usage(vendor: Vendor) -> None:
    code, out, err = run(vendor, *MODULE, "nonsense")
    assert (code, out) == (2, "") and "nonsense" in err


def test_main_answers_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["activity-status", "nonsense"])
    assert _cli.main() == _native.cli_main(["nonsense"]) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to a process there")
@pytest.mark.parametrize("command", [MODULE, (SCRIPT,)])
def test_ctrl_c_ends_a_command_with_130(vendor: Vendor, command: tuple[object, ...]) -> None:
    vendor.answer = vendor.hang
    process = subprocess.Popen(
        [*map(str, command), "wait", ID],
        env=environment(vendor),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert vendor.hung.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in err


# The examples


def test_the_example_that_asks(vendor: Vendor) -> None:
    states = {"one": "Success", "two": "FAILURE", "three": "In-Queue"}
    vendor.answer = lambda seen: status_answer(
        seen.request_id, states[seen.request_id], Message='{"Message":{"Id":"a-1"}}'
    )
    program = (sys.executable, EXAMPLES / "status.py")
    line = "three  pending  In-Queue: because\n    created a-1\n"
    assert run(vendor, *program, "three") == (0, line, "")
    code, out, _ = run(vendor, *program, "one", "two")
    assert code == 1 and out.splitlines()[2] == "two  failed  FAILURE: because"
    assert run(vendor, *program)[0] == 2
    assert run(vendor, *program, "a b")[0] == 2
    vendor.answer = lambda seen: Answer(b"", 401)
    code, out, err = run(vendor, *program, "one")
    assert (code, out) == (4, "") and "keys" in err


def test_the_example_that_submits_and_waits(vendor: Vendor, tmp_path: Path) -> None:
    accepted = Answer(json.dumps({"RequestID": ID}).encode())
    vendor.answer = lambda seen: accepted if seen.method == "POST" else status_answer(seen.request_id)
    program = (sys.executable, EXAMPLES / "submit_and_wait.py")
    lines = f"{ID}  submitted\n{ID}  succeeded  Success: because\n"
    assert run(vendor, *program) == (0, lines, "")
    assert json.loads(vendor.seen[0].body)["ActivityEvent"] == 380
    file = tmp_path / "activity.json"
    file.write_bytes(b'{"a":\r\n 1}')
    assert run(vendor, *program, file) == (0, lines, "")
    assert vendor.seen[2].body == b'{"a":\r\n 1}'
    assert run(vendor, *program, tmp_path / "none")[0] == 2
    vendor.answer = lambda seen: Answer(None)
    code, _, err = run(vendor, *program)
    assert code == 4 and "look in the CRM" in err


def test_the_example_with_a_limiter_of_its_own(vendor: Vendor) -> None:
    program = (sys.executable, EXAMPLES / "own_limiter.py")
    code, out, err = run(vendor, *program, "one", "two", "three")
    assert (code, err) == (0, "")
    checked, *answers, snapshot = out.splitlines()
    assert checked == "every check passed"
    assert answers == ["one  succeeded", "two  succeeded", "three  succeeded"]
    assert snapshot == "Snapshot(used=3, free=22, next_free_in=0.0, waiting=0, refused=0)"
    assert run(vendor, *program)[0] == 2
    vendor.answer = lambda seen: Answer(b"", 401)
    code, _, err = run(vendor, *program, "one")
    assert code == 4 and "keys" in err


def test_the_programs_of_the_readme(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    accepted = Answer(json.dumps({"RequestID": ID}).encode())
    vendor.answer = lambda seen: (
        accepted if seen.method == "POST" else status_answer(ID, "FAILURE", RequestBody="{}")
    )
    for name, value in environment(vendor).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    readme = Path(__file__).resolve().parents[2] / "bindings" / "python" / "README.md"
    programs = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    for program in programs:
        exec(compile(program, str(readme), "exec"), {})
    alone, many = capsys.readouterr().out.splitlines()
    assert alone == "failed None because"
    # The vendor gave one id to all five.
    assert many.startswith(f"<Batch of 1: succeeded=0 failed=1 errors=0> [(Job('{ID}', 'activity.create'), <Status")
    assert len(vendor.seen) == 2 + 5 + 1
