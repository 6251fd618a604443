"""The `activity-status` command: the same Rust function as in the program of that name."""

import sys

from ._native import cli_main


def main() -> int:
    """Runs the command that the arguments name, and gives its exit code."""
    try:
        return cli_main(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
