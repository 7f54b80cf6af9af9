"""How a command says that it cannot: one line on stderr for each fault, and an exit code.

`Refused` is 1, the answer is no or it failed; `Unreachable` is 3. Wrong usage (2) is click's own.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click


class Refused(click.ClickException):
    """It cannot be done, for reasons that a person can act on: the thing first, then the rule."""

    exit_code = 1

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, file=file, err=file is None)


class Unreachable(Refused):
    """There is no relay where it should be."""

    exit_code = 3


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn what the system refuses (a full disk, a missing right) into one line.

    EPIPE stays: it means that nobody reads us any more, and click ends quietly on it.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        raise Refused(in_words(error)) from error


def in_words(error: OSError) -> str:
    """A system error as `THING: what happened`."""
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    return f"{error.filename}: {reason}" if error.filename else reason
