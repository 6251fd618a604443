"""Checks for what you put in the place of a part of ours."""

from ._native import check_limiter

__all__ = ["check_limiter"]
