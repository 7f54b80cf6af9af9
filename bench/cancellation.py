"""Measure how soon the upstream's connection is closed after the client's was.

    python -m bench.cancellation [--trials 50]

Three situations in which nothing is written that could fail: a stream that has fallen silent, a
stream whose headers have not come, and a call without stream. The client closes, the upstream
notes when it sees its connection closed. Ends with 1 unless every trial stays within the target.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import call, table
from bench.relay_process import RelayProcess
from bench.upstream_process import UpstreamProcess

TARGET_S: Final = 1.0
GIVE_UP_S: Final = 5.0
AT_ONCE: Final = 10
"""Trials in flight: enough to be over soon, too few to make each other late."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the upstream holds back, and whether a stream was asked for."""

    name: str
    hold: str
    is_stream: bool
    has_bytes: bool
    """The client reads something before it leaves."""


SITUATIONS: Final = (
    Situation("silent stream", "stream", is_stream=True, has_bytes=True),
    Situation("before the headers", "headers", is_stream=True, has_bytes=False),
    Situation("no stream asked for", "headers", is_stream=False, has_bytes=False),
)


class Bench:
    """The relay's port and the upstream, with a number for each trial."""

    def __init__(self, upstream: UpstreamProcess, port: int) -> None:
        self._upstream = upstream
        self._port = port
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._trials = 0

    async def trial(self, situation: Situation) -> float:
        """Seconds from the client's close to the upstream's; infinite if it did not come."""
        self._trials += 1
        name = str(self._trials)
        async with self._turns:
            read = asyncio.Event()
            target = f"/v1/messages?trial={name}&hold={situation.hold}"
            sent = call.request(target, _body(is_stream=situation.is_stream))
            client = await call.dial(self._port, sent, lambda *_: read.set())
            await self._arrival(name)
            if situation.has_bytes:
                await asyncio.wait_for(read.wait(), GIVE_UP_S)
            if client.ending.done():
                raise RuntimeError(f"{situation.name}: the relay answered {client.ending.result()}")
            left_ns = time.monotonic_ns()
            client.hang_up()
            return await self._closing_s(name, left_ns)

    async def _arrival(self, name: str) -> None:
        until = time.monotonic() + GIVE_UP_S
        while not (await asyncio.to_thread(self._upstream.seen, name)).received_ns:
            if time.monotonic() > until:
                raise TimeoutError(f"trial {name} did not reach the upstream")
            await asyncio.sleep(0.01)

    async def _closing_s(self, name: str, left_ns: int) -> float:
        until = time.monotonic() + GIVE_UP_S
        while time.monotonic() < until:
            closed_ns = (await asyncio.to_thread(self._upstream.seen, name)).closed_ns
            if closed_ns:
                return (closed_ns - left_ns) / 1e9
            await asyncio.sleep(0.05)
        return float("inf")


async def try_all(upstream: UpstreamProcess, port: int, trials: int) -> dict[str, list[float]]:
    """Seconds of every trial, by situation."""
    bench = Bench(upstream, port)
    return {
        each.name: await asyncio.gather(*(bench.trial(each) for _ in range(trials)))
        for each in SITUATIONS
    }


def main(arguments: Sequence[str]) -> int:
    """Try and print; 0 if every trial stayed within the target."""
    where = table.machine()
    parser = argparse.ArgumentParser(prog="python -m bench.cancellation")
    parser.add_argument("--trials", type=int, default=50)
    trials = parser.parse_args(arguments).trials
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        RelayProcess(Path(folder), upstream.url) as relay,
    ):
        tried = asyncio.run(try_all(upstream, relay.port, trials))
    print(f"{where}\n")
    within = {name: sum(each <= TARGET_S for each in times) for name, times in tried.items()}
    table.show(
        ["situation", "within 1 s", "p50 s", "p95 s", "p99 s", "worst s"],
        [
            [name, f"{within[name]} of {trials}", *table.percentiles(times)]
            for name, times in tried.items()
        ],
    )
    return 0 if all(count == trials for count in within.values()) else 1


def _body(*, is_stream: bool) -> bytes:
    turn = {"role": "user", "content": "hi"}
    asked = {"model": "claude-opus-5-5", "max_tokens": 64, "stream": is_stream, "messages": [turn]}
    return json.dumps(asked).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
