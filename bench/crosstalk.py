"""Check that of many concurrent streams none gets a byte of another, and that nothing is left.

    python -m bench.crosstalk [--streams 300] [--events 20]

Each stream carries a nonce of its own in every event; what a client reads must equal, byte for
byte, the stream the upstream wrote for its nonce. Framings take turns, and one client in six
leaves in the middle. The upstream closes after each answer, so no connection is rightly kept:
afterwards each worker must be back at its descriptors and greenlets from before.
"""

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from bench import call, events, table, vitals
from bench.fake_upstream import FRAMINGS, GZIP
from bench.relay_process import RelayProcess
from bench.upstream_process import UpstreamProcess

INTERVAL_MS: Final = 50
LEAVERS_EVERY: Final = 6
LIMIT_S: Final = 60.0
SETTLE_S: Final = 10.0
"""How long what was used may take to be given back."""


class Reading:
    """What one client has read of its stream."""

    def __init__(self, framing: str, nonce: str, count: int) -> None:
        self.framing = framing
        self.nonce = nonce
        self.count = count
        self.bytes = b""
        self._inflate = zlib.decompressobj(GZIP).decompress if framing == "gzip" else bytes

    def read(self, piece: bytes, _: int) -> None:
        """Keep a piece."""
        self.bytes += self._inflate(piece)

    @property
    def target(self) -> str:
        """What to ask the upstream for."""
        return (
            f"/v1/messages?framing={self.framing}&nonce={self.nonce}"
            f"&events={self.count}&interval_ms={INTERVAL_MS}&last=1"
        )

    @property
    def expected(self) -> bytes:
        """The whole stream as the upstream wrote it."""
        return events.stream([self.nonce] * self.count)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many streams ended how."""

    whole: int
    broken: int
    left: int
    foreign: int
    """Streams with a byte that was not theirs."""


async def run(port: int, streams: int, count: int) -> Outcome:
    """All streams at once; one client in `LEAVERS_EVERY` hangs up half-way."""
    readings = [
        Reading(framing, secrets.token_hex(8), count)
        for framing in islice(cycle(FRAMINGS), streams)
    ]
    sent = [call.request(each.target, _body(each.nonce)) for each in readings]
    calls = await asyncio.gather(
        *(call.dial(port, request, each.read) for request, each in zip(sent, readings, strict=True))
    )
    await asyncio.sleep(count * INTERVAL_MS / 2000)
    leavers = calls[::LEAVERS_EVERY]
    for leaver in leavers:
        leaver.hang_up()
    await asyncio.wait([each.ending for each in calls], timeout=LIMIT_S)
    return _judged(calls, readings, {id(each) for each in leavers})


def _judged(calls: Sequence[call.Call], readings: Sequence[Reading], leavers: set[int]) -> Outcome:
    stayed = [
        (each, reading)
        for each, reading in zip(calls, readings, strict=True)
        if id(each) not in leavers
    ]
    whole = sum(_is_complete(each) and read.bytes == read.expected for each, read in stayed)
    return Outcome(
        whole=whole,
        broken=len(stayed) - whole,
        left=len(leavers),
        foreign=sum(not each.expected.startswith(each.bytes) for each in readings),
    )


def _is_complete(one: call.Call) -> bool:
    return one.ending.done() and one.ending.result().is_complete


def resting(relay: RelayProcess) -> list[vitals.Vitals]:
    """The workers' vitals once they have stopped changing."""
    until = time.monotonic() + SETTLE_S
    now = vitals.of_workers(relay.url, relay.worker_pids())
    while time.monotonic() < until:
        before, now = now, _after_a_rest(relay)
        if now == before:
            break
    return now


def _after_a_rest(relay: RelayProcess) -> list[vitals.Vitals]:
    time.sleep(2)
    return vitals.of_workers(relay.url, relay.worker_pids())


def settled(relay: RelayProcess, before: Sequence[vitals.Vitals]) -> list[vitals.Vitals]:
    """The workers' vitals once they are back, or as they are when time is up."""
    until = time.monotonic() + SETTLE_S
    while True:
        now = vitals.of_workers(relay.url, relay.worker_pids())
        if not _is_grown(before, now) or time.monotonic() > until:
            return now
        time.sleep(0.2)


def _is_grown(before: Sequence[vitals.Vitals], after: Sequence[vitals.Vitals]) -> bool:
    return [each.pid for each in before] != [each.pid for each in after] or any(
        now.greenlets > was.greenlets or now.descriptors > was.descriptors
        for was, now in zip(before, after, strict=True)
    )


def main(arguments: Sequence[str]) -> int:
    """Run and print; 0 if every byte was right and nothing was left."""
    options, where = _options(arguments), table.machine()
    with (
        tempfile.TemporaryDirectory() as folder,
        UpstreamProcess() as upstream,
        RelayProcess(Path(folder), upstream.url, app=vitals.APP) as relay,
    ):
        asyncio.run(run(relay.port, 20, 2))  # first use opens what is rightly kept
        before = resting(relay)
        outcome = asyncio.run(run(relay.port, options.streams, options.events))
        after = settled(relay, before)
    print(f"{where}\n")
    _print(outcome, before, after)
    return 1 if outcome.broken or outcome.foreign or _is_grown(before, after) else 0


def _print(
    outcome: Outcome, before: Sequence[vitals.Vitals], after: Sequence[vitals.Vitals]
) -> None:
    table.show(
        ["streams whole", "broken", "clients left", "with foreign bytes"],
        [[str(outcome.whole), str(outcome.broken), str(outcome.left), str(outcome.foreign)]],
    )
    print()
    table.show(
        ["worker", "descriptors", "greenlets"],
        [
            [
                str(number),
                f"{was.descriptors} → {now.descriptors}",
                f"{was.greenlets} → {now.greenlets}",
            ]
            for number, (was, now) in enumerate(zip(before, after, strict=False), start=1)
        ],
    )


def _body(nonce: str) -> bytes:
    turn = {"role": "user", "content": nonce}
    return json.dumps({"model": "claude-opus-5-5", "stream": True, "messages": [turn]}).encode()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.crosstalk")
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--events", type=int, default=20)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
