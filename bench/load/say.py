"""Tell whoever is waiting what is going on: on stderr, the tables go to stdout."""

import sys

from bench.load.driver import Record
from bench.load.gateway import Gateway


def say(line: str) -> None:
    """One line."""
    print(line, file=sys.stderr, flush=True)


def say_errors(gateway: Gateway, record: Record) -> None:
    """What went wrong at a gateway, each reason once."""
    for reason, count in record.errors.most_common():
        say(f"  {gateway.name}: {count} x {reason}")
