"""Work in steps, so that the intake gets its turn between: generators that yield None, and their result at the end."""

from collections.abc import Generator, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def last(steps: Iterator[_T | None]) -> Generator[None, None, _T]:
    """Go through steps, of which the last brings the result."""
    for found in steps:
        if found is not None:
            return found
        yield
    raise AssertionError


def at_once(steps: Iterator[_T | None]) -> _T:
    """Return the result of steps, without a pause."""
    return next(found for found in steps if found is not None)
