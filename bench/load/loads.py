"""The loads in the order they are driven: what shares a warm relay, then what wants its own."""

from collections.abc import Sequence
from typing import Final

from bench.load.body import Body
from bench.load.burst import Burst
from bench.load.first_byte import FirstByte
from bench.load.load import Load
from bench.load.opened import Opened
from bench.load.paced import Paced
from bench.load.request import Request
from bench.load.startup import Startup
from bench.load.workers import Workers

LOADS: Final[Sequence[Load]] = (
    Request(),
    Paced(),
    Burst(),
    Body(),
    FirstByte(),
    Opened("memory", streams=1000, hold_s=2.0),
    Opened("open", streams=5000),
    Startup(),
    Workers(),
)
