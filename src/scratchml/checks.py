"""Checks of choices, which may come from a file, so that not even their types are sure."""

from __future__ import annotations

import sys

from scratchml.errors import ScratchmlError


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse a choice that is not an integer from ``least`` to ``most``; a truth is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ScratchmlError(f"{name} {value!r}: it must be a whole number, {least} to {most}")


def check_number(name: str, value: object) -> None:
    """Refuse a choice that is not a finite number that a float can hold."""
    largest = sys.float_info.max
    if isinstance(value, bool) or not (
        isinstance(value, (int, float)) and -largest <= value <= largest  # which NaN is not
    ):
        raise ScratchmlError(f"{name} {value!r}: it must be a number")


def check_shares(validation: float, test: float) -> None:
    """Refuse shares that leave nothing for one of the three parts."""
    check_number("validation", validation)
    check_number("test", test)
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ScratchmlError("validation and test shares must be positive and sum to below 1")
