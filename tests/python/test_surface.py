"""The public surface: the same words as the core's, the same in the stubs, and typed throughout."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import activity_status
from activity_status import Client, Operation, _native  # pyright: ignore[reportPrivateUsage]

PACKAGE = Path(activity_status.__file__).parent
HERE = Path(__file__).parent


def stub() -> ast.Module:
    return ast.parse((PACKAGE / "_native.pyi").read_text("utf-8"))


def classes() -> list[ast.ClassDef]:
    return [node for node in stub().body if isinstance(node, ast.ClassDef)]


def name_of(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""


@pytest.mark.skipif(
    sys.version_info < (3, 10), reason="Python 3.9 does not see the signature of such a class"
)
def test_a_client_takes_the_settings_of_the_core() -> None:
    parts = {"transport", "clock", "observer", "outcome_rule", "credentials"}
    settings = {name for name, _ in _native.SETTINGS} | parts
    taken = inspect.signature(Client).parameters
    assert set(taken) == settings
    assert {parameter.kind for parameter in taken.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert {parameter.default for parameter in taken.values()} == {None}
    options = [node for found in classes() if found.name in ("_Settings", "_Options") for node in found.body]
    assert {name_of(node) for node in options if isinstance(node, ast.AnnAssign)} == settings
    for name in settings:
        assert re.search(rf"\b{name}\b", Client.__doc__ or ""), name


def test_the_stub_names_the_known_operations() -> None:
    assigned = [node for node in stub().body if isinstance(node, ast.AnnAssign)]
    node = next(node for node in assigned if name_of(node) == "_Operation")
    names = [str(found.value) for found in ast.walk(node) if isinstance(found, ast.Constant)]
    assert len(names) == 7
    assert all(Operation(name).name == name in (Operation.__doc__ or "") for name in names)


def test_the_stub_says_what_help_says() -> None:
    written: dict[str, Any] = {}
    said: dict[str, Any] = {}
    for found in classes():
        if found.name.startswith("_"):
            continue
        runtime = getattr(_native, found.name)
        written[found.name], said[found.name] = ast.get_docstring(found), inspect.getdoc(runtime)
        for node in found.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                name = f"{found.name}.{node.name}"
                written[name], said[name] = (
                    ast.get_docstring(node),
                    inspect.getdoc(getattr(runtime, node.name)),
                )
    assert len(written) > 30 and None not in written.values()
    assert written == said


def test_everything_public_is_documented_and_exported() -> None:
    for name in activity_status.__all__:
        found = getattr(activity_status, name)
        if inspect.isclass(found):
            assert found.__doc__ and found.__module__.startswith("activity_status"), name
    assert {"Client", "Job", "Limiter", "Metrics", "Operation", "Outcome", "Snapshot", "Status"} < set(activity_status.__all__)


def test_the_import_brings_little_with_it() -> None:
    script = "import sys; before = set(sys.modules); import activity_status; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    brought = set(done.stdout.split())
    assert brought <= {"__future__", "activity_status", "activity_status._native", "activity_status.errors"}


def test_what_is_loaded_when_asked_for_is_there_like_the_rest() -> None:
    script = "import activity_status as a; print(dir(a)); from activity_status import *; print(Outcome.FAILED, a.Limiter)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    listed, loaded = done.stdout.splitlines()
    assert set(activity_status.__all__) < set(ast.literal_eval(listed))
    assert loaded == "failed <class 'activity_status.Limiter'>"
    with pytest.raises(AttributeError, match="'activity_status' has no attribute 'Limitter'"):
        getattr(activity_status, "Limitter")


has_checkers = pytest.mark.skipif(find_spec("mypy") is None, reason="the type checkers are not installed")


@has_checkers
@pytest.mark.parametrize(
    "check",
    [
        ["mypy.stubtest", "activity_status"],
        ["mypy", "--strict", "--python-version", "3.10", "-p", "activity_status"],
        # Every test and every example, strictly: mypy.ini and pyrightconfig.json, beside this file, say so.
        ["mypy"],
        ["pyright", "--pythonpath", sys.executable],
    ],
    ids=["stubtest", "mypy of the package", "mypy of its uses", "pyright of its uses"],
)
def test_the_type_checkers_agree(check: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *check], cwd=HERE, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@has_checkers
def test_every_public_type_is_known() -> None:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--ignoreexternal"]
    command += ["--verifytypes", "activity_status"]
    # It finds the package by the first Python on the path, whatever it is told.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=HERE, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300
    )
    report = json.loads(done.stdout)["typeCompleteness"]
    assert report["completenessScore"] == 1, report
    assert report["exportedSymbolCounts"]["withKnownType"] > 50


@pytest.mark.skipif(not (HERE / "../../docs/python.md").exists(), reason="the guide is not beside the tests")
def test_the_tests_that_the_guide_names_are_there() -> None:
    guide = (HERE / "../../docs/python.md").read_text("utf-8")
    named, file = 0, ""
    for path, test in re.findall(r"`(test_\w+\.py)?(?:::(test_\w+))?`", guide):
        file = path or file
        if file:
            assert f"def {test}" in (HERE / file).read_text("utf-8"), (file, test)
            named += bool(test)
    assert named > 20
