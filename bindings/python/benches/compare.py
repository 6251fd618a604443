"""What the module costs beside what people use today: compare.py CSV

Every contender runs in turn, again and again, and the middle one of its runs counts. It prints a table of the goals,
writes the figures to CSV, and exits with 1 if a goal was missed.
"""

import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import timeit
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from calls import CLIENTS
from vendor import STATUS, answer, running

HERE = Path(__file__).parent
ROUNDS = 9
CALLS = 400
WAITS = 10_000
ID = "72003d66-aa5d-4533-9e13-73da598dedf4"

Figures = dict[tuple[str, str], float]


def run(*words: str, **environment: str) -> float:
    """The number that a program of Python prints."""
    done = subprocess.run([sys.executable, *words], env={**os.environ, **environment}, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")
    return float(done.stdout)


def imports() -> Figures:
    """Milliseconds of the import, in an interpreter of its own."""
    modules = ["activity_status", "http.client", "requests"]
    program = "import time; begin = time.perf_counter(); import {}; print((time.perf_counter() - begin) * 1e3)"
    runs = [[run("-c", program.format(module)) for module in modules] for _ in range(3 * ROUNDS)]
    return {("import, ms", module): middle(times) for module, times in zip(modules, zip(*runs))}


def calls() -> Figures:
    """Microseconds of CPU time of a status call, by the thread that makes it."""
    ways = [(client, thread) for client in CLIENTS for thread in ("main", "other")]
    with running() as url:
        account = {"ACTIVITY_STATUS_BASE_URL": url, "ACTIVITY_STATUS_API_KEY": "key"}
        runs = [[run("calls.py", *way, str(CALLS), ID, **account) for way in ways] for _ in range(ROUNDS)]
    return {
        (f"status call on {thread} thread, us of CPU", client): middle(times)
        for (client, thread), times in zip(ways, zip(*runs))
    }


def instructions() -> Figures:
    """Instructions of a status call on the main thread, without the kernel's: callgrind counts the same on every machine."""
    if shutil.which("valgrind") is None:
        print("no valgrind: the instructions are not counted")
        return {}
    few, many = 100, 600
    with running() as url:
        account = {**os.environ, "ACTIVITY_STATUS_BASE_URL": url, "ACTIVITY_STATUS_API_KEY": "key"}

        def counted(client: str, calls: int) -> int:
            words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "calls.py"]
            words += [client, "main", str(calls), ID]
            done = subprocess.run(words, env=account, cwd=HERE, capture_output=True, text=True, check=True)
            return int(re.findall(r"Collected : (\d+)", done.stderr)[-1])

        return {
            ("status call, instructions", client): (counted(client, many) - counted(client, few)) / (many - few)
            for client in CLIENTS
        }


@dataclass(frozen=True)
class Plain:
    """What people write."""

    request_id: str
    status: str
    task_type: Optional[str]
    reason: Optional[str]
    current_step: Optional[str]
    last_step: Optional[str]
    request_body: Optional[str]
    message: Optional[str]


def models() -> Figures:
    """Microseconds to read an answer, and to read it and look at all its fields."""
    from activity_status import Status

    text = answer(ID)

    def plain() -> Plain:
        answer = json.loads(text)
        task = answer["TaskStatus"]
        names = ("Status", "TaskType", "StatusReason", "CurrentStep", "LastStep", "RequestBody", "ResponseMessage")
        return Plain(answer["RequestId"], *map(task.get, names))

    def ours() -> Status:
        return Status.from_json(text)

    def read(make):
        def both():
            it = make()
            return (it.request_id, it.task_type, it.reason, it.current_step, it.last_step, it.request_body, it.message)

        return both

    ways = {
        ("from_json, us", "ours"): ours,
        ("from_json, us", "json.loads and a frozen dataclass"): plain,
        ("from_json and all fields, us", "ours"): read(ours),
        ("from_json and all fields, us", "json.loads and a frozen dataclass"): read(plain),
    }
    assert read(ours)()[5] == read(plain)()[5] == STATUS["RequestBody"]
    runs = [[timeit.timeit(way, number=5000) / 5000 * 1e6 for way in ways.values()] for _ in range(3 * ROUNDS)]
    return {way: middle(times) for way, times in zip(ways, zip(*runs))}


def middle(times: tuple[float, ...]) -> float:
    return statistics.median(times)


def goals(figures: Figures) -> list[tuple[str, float, float]]:
    """What is to be reached, what was, and the most that it may be."""

    def share(figure: str, ours: str, other: str) -> float:
        return 100 * figures[figure, ours] / figures[figure, other]

    wanted = [("the import, in ms", figures["import, ms", "activity_status"], 5.0)]
    for thread in ("main", "other"):
        figure = f"status call on {thread} thread, us of CPU"
        wanted += [
            (f"CPU of a status call on {thread} thread, in % of requests.get", share(figure, "ours", "requests.get"), 5.0),
            (f"CPU of a status call on {thread} thread, in % of http.client", share(figure, "ours", "http.client"), 30.0),
        ]
    figure = "status call, instructions"
    if (figure, "ours") in figures:
        wanted += [
            ("instructions of a status call, in % of requests.get", share(figure, "ours", "requests.get"), 5.0),
            ("instructions of a status call, in % of http.client", share(figure, "ours", "http.client"), 30.0),
        ]
    plain = "json.loads and a frozen dataclass"
    wanted += [("from_json, in % of json.loads and a frozen dataclass", share("from_json, us", "ours", plain), 100 / 3)]
    wanted += [(f"memory of {WAITS} waits in one loop, in MB", figures["memory of waits, MB", "AsyncClient"], 200.0)]
    return wanted


def main(path: str) -> int:
    figures = {**imports(), **calls(), **instructions(), **models()}
    figures["memory of waits, MB", "AsyncClient"] = run("waits.py", str(WAITS))
    with open(path, "w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["figure", "contender", "value"])
        lines.writerows([figure, who, f"{value:.2f}"] for (figure, who), value in figures.items())
    for (figure, who), value in figures.items():
        print(f"{figure:40} {who:36} {value:10.2f}")
    missed = 0
    for goal, reached, most in goals(figures):
        missed += reached > most
        print(f"{'MISSED' if reached > most else 'met':6} {goal}: {reached:.1f}, at most {most:.1f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
