"""The `activity-status` command: the same Rust function as in the program of that name."""

import sys

from ._native import cli_main


def main() -> int:
    return cli_main(sys.argv[1:])
