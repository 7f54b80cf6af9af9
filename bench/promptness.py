"""Measure how long an event takes from the upstream's write to the client's read.

    python -m bench.promptness [--streams 50] [--events 100] [--interval-ms 50]

Three processes beside each other: upstream, relay, and this one as the client. The time of
writing stands inside each event; both ends read the same monotonic clock. Each framing is
measured directly, too: that row is what the two ends themselves cost. Ends with 1 if an event
through the relay takes longer than the target at p99, or a stream is not complete.
"""

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import call, events, table
from bench.fake_upstream import FRAMINGS, GZIP
from bench.relay_process import RelayProcess
from bench.upstream_process import UpstreamProcess

TARGET_P99_MS: Final = 20.0
BODY: Final = json.dumps(
    {
        "model": "claude-opus-5-5",
        "max_tokens": 64,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
).encode()
LIMIT_S: Final = 60.0
"""Over and above the time the events take by their interval."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many streams, how many events on each, and how far apart."""

    streams: int
    events: int
    interval_ms: int


class Clocked:
    """Reads the time of writing out of one stream's events."""

    def __init__(self, framing: str) -> None:
        self.transit_ms: list[float] = []
        self._inflate = zlib.decompressobj(GZIP).decompress if framing == "gzip" else bytes
        self._rest = b""

    def read(self, piece: bytes, arrived_ns: int) -> None:
        """Take a piece; the whole events in it count, the rest waits for the next."""
        whole, separator, self._rest = (self._rest + self._inflate(piece)).rpartition(b"\n\n")
        if separator:
            written = map(int, events.WORD.findall(whole))
            self.transit_ms += [(arrived_ns - each) / 1e6 for each in written]


@dataclass(frozen=True, slots=True)
class Measured:
    """One framing on one way; times in milliseconds."""

    framing: str
    way: str
    broken: int
    first: Sequence[float]
    """The first event of each stream."""
    later: Sequence[float]

    @property
    def is_prompt(self) -> bool:
        """Whether all streams arrived, and in time."""
        if self.broken:
            return False
        return table.percentile((*self.first, *self.later), 99) <= TARGET_P99_MS


async def measure(port: int, way: str, framing: str, load: Load) -> Measured:
    """Run the load once against `port`."""
    target = f"/v1/messages?framing={framing}&events={load.events}&interval_ms={load.interval_ms}"
    sent = call.request(target, BODY)
    readers = [Clocked(framing) for _ in range(load.streams)]
    calls = []
    for reader in readers:
        calls.append(await call.dial(port, sent, reader.read))
        # spread over one interval: streams of different users do not tick together
        await asyncio.sleep(load.interval_ms / 1000 / load.streams)
    limit_s = LIMIT_S + load.events * load.interval_ms / 1000
    await asyncio.wait([each.ending for each in calls], timeout=limit_s)
    whole = [
        each.ending.done() and each.ending.result().is_complete and len(reader.transit_ms)
        for each, reader in zip(calls, readers, strict=True)
    ]
    return Measured(
        framing,
        way,
        broken=sum(count != load.events for count in whole),
        first=[reader.transit_ms[0] for reader in readers if reader.transit_ms],
        later=[each for reader in readers for each in reader.transit_ms[1:]],
    )


async def measure_all(upstream: int, relay: int, load: Load) -> list[Measured]:
    """Each framing directly and relayed, after a round that only warms up."""
    await measure(relay, "", "chunked", Load(load.streams, 2, load.interval_ms))
    return [
        await measure(port, way, framing, load)
        for framing in FRAMINGS
        for way, port in (("direct", upstream), ("relayed", relay))
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 0 if every relayed framing is prompt."""
    where = table.machine()
    load = _load(arguments)
    gc.disable()  # a collection would show as latency of the relay
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        RelayProcess(Path(folder), upstream.url) as relay,
    ):
        measured = asyncio.run(measure_all(upstream.port, relay.port, load))
    print(f"{load.streams} streams, an event each {load.interval_ms} ms; {where}\n")
    rows = [
        [one.framing, one.way, what, str(len(times)), *table.percentiles(times), str(one.broken)]
        for one in measured
        for what, times in (("first", one.first), ("later", one.later))
    ]
    head = ["upstream", "way", "event", "n", "p50 ms", "p95 ms", "p99 ms", "max ms", "broken"]
    table.show(head, rows)
    late = [one.framing for one in measured if one.way == "relayed" and not one.is_prompt]
    print(f"\ntarget: p99 ≤ {TARGET_P99_MS:.0f} ms, none broken; missed by: {late or 'none'}")
    return 1 if late else 0


def _load(arguments: Sequence[str]) -> Load:
    parser = argparse.ArgumentParser(prog="python -m bench.promptness")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--interval-ms", type=int, default=50)
    return Load(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
