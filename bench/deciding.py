"""What routing, limits and breaker cost one request, with the store on LMDB.

    python -m bench.deciding [--requests 3000] [--runs 5]

No network: the steps of an exchange that decide are taken over and over, as the relay takes them,
in this process. CPU time; the best of the runs, for what disturbs only adds. The parts:

    read     where breakers and keys stand, one step of the store
    route    which upstreams, in which order
    claim    the breaker's permit, the key, its limits
    close    what was used, how it ended

Ends with 1 if the judged row is over its target.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import table
from relay.breaker import classify
from relay.config.loading import load
from relay.exchange import inbound
from relay.exchange.account import Account
from relay.exchange.asked import Asked
from relay.exchange.claiming import Claiming
from relay.exchange.exchange import Exchange
from relay.exchange.inbound import MESSAGES
from relay.exchange.route import Routing
from relay.exchange.settle import Settlement
from relay.exchange.standing import Standing
from relay.messages.usage import Usage
from relay.runtime import Runtime, lasting
from relay.state.opening import open_store
from relay.state.shared import SharedStore
from relay.stream.disconnect import Absent

TARGET_US: Final = 60.0
PARTS: Final = ("read", "route", "claim", "close")

_BODY: Final = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "What is the time?"}],
}
_ANSWERED: Final = [("content-type", "application/json"), ("date", "x"), ("request-id", "x")]
_USED: Final = Usage(input_tokens=20, output_tokens=300)


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration whose decisions are measured."""

    name: str
    providers: Sequence[Mapping[str, Any]]
    strategy: str = "failover"
    is_judged: bool = False


def _provider(name: str, keys: int, **limits: int) -> Mapping[str, Any]:
    return {
        "name": name,
        "type": "anthropic",
        "auth": "configured",
        "base_url": "http://127.0.0.1:9",
        "keys": [{"key": f"{name}-{number}", **limits} for number in range(keys)],
    }


_LIMITS: Final = {"rpm_limit": 10**6, "tpm_limit": 10**9}
CASES: Final = (
    Case("one provider, one key", [_provider("a", 1)]),
    Case("three providers", [_provider(name, 1) for name in "abc"]),
    Case(
        "three providers, limits on requests and tokens",
        [_provider(name, 1, **_LIMITS) for name in "abc"],
        is_judged=True,
    ),
    Case("two keys, the least loaded", [_provider("a", 2)]),
    Case("two keys with limits, the least loaded", [_provider("a", 2, **_LIMITS)]),
    Case("three in turn", [_provider(name, 1) for name in "abc"], "round_robin"),
    Case(
        "three in turn, two keys each, limits",
        [_provider(name, 2, **_LIMITS) for name in "abc"],
        "round_robin",
    ),
)


class Deciding:
    """One configuration at work, without a network."""

    def __init__(self, case: Case, folder: Path) -> None:
        path = folder / "config.yaml"
        document = {
            "server": {"listen": "127.0.0.1:8787"},
            "state": {"dir": str(folder / "state")},
            "routing": {"strategy": case.strategy},
            "providers": case.providers,
        }
        path.write_text(json.dumps(document), "utf-8")
        config = load(path, {"HOME": str(folder)})
        self._lasting = lasting(config, SharedStore(open_store(config.state.url, config.state.dir)))
        self._runtime = Runtime.of(config, self._lasting)
        self._exchange = self._exchanging()

    def once(self, passed: Callable[[str], None] = lambda _: None) -> None:
        """What one request decides; `passed` is told of each part."""
        exchange, means = self._exchange, self._runtime.means
        asked = Asked(exchange.inbound, "")
        standing = Standing(means)
        passed("read")
        route = Routing(exchange, asked, standing).route()
        passed("route")
        account = Claiming(exchange, asked, standing, route).account(
            route.order[0], last_resort=False
        )
        if not isinstance(account, Account):
            raise TypeError(f"nothing was claimed: {account}")
        passed("claim")
        account.sends(exchange.model)
        account.answered(_ANSWERED)
        account.ended(classify.GOOD, "", _USED)
        passed("close")

    def close(self) -> None:
        """Let go of the store."""
        self._runtime.close()
        self._lasting.close()

    def _exchanging(self) -> Exchange:
        means = self._runtime.means
        asked = inbound.read(
            method="POST",
            path=MESSAGES,
            query="",
            headers={"content-type": "application/json"},
            body=json.dumps(_BODY).encode(),
            request_id="bench",
            names_itself=False,
        )
        return Exchange(
            inbound=asked,
            client=self._runtime.gatekeeper.admit(asked.headers),
            means=means,
            settlement=Settlement(self._lasting, request_id="bench", method="POST", path=MESSAGES),
            presence=Absent(),
            model=asked.model,
        )


def measured(case: Case, *, requests: int, runs: int) -> tuple[float, Mapping[str, float]]:
    """µs a request, and the same by part; reading the clock between the parts is in these."""
    with tempfile.TemporaryDirectory() as folder:
        deciding = Deciding(case, Path(folder))
        for _ in range(min(requests, 200)):
            deciding.once()
        gc.collect()
        gc.freeze()  # as a worker does when it has loaded everything
        totals = [_total_us(deciding, requests) for _ in range(runs)]
        parts = [_parts_us(deciding, requests) for _ in range(runs)]
        deciding.close()
    return min(totals), {part: min(each[part] for each in parts) for part in PARTS}


def _total_us(deciding: Deciding, requests: int) -> float:
    began = time.process_time()
    for _ in range(requests):
        deciding.once()
    return (time.process_time() - began) / requests * 1e6


def _parts_us(deciding: Deciding, requests: int) -> Mapping[str, float]:
    spent = dict.fromkeys(PARTS, 0)
    last = 0

    def passed(part: str) -> None:
        nonlocal last
        now = time.process_time_ns()
        spent[part] += now - last
        last = time.process_time_ns()

    for _ in range(requests):
        last = time.process_time_ns()
        deciding.once(passed)
    return {part: nanoseconds / requests / 1e3 for part, nanoseconds in spent.items()}


def main(arguments: Sequence[str]) -> int:
    """Measure every case. 1: the judged one is over its target."""
    parser = argparse.ArgumentParser(prog="python -m bench.deciding", description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args(arguments)
    print(table.machine())
    rows, missed = [], False
    for case in CASES:
        total, parts = measured(case, requests=options.requests, runs=options.runs)
        verdict = ""
        if case.is_judged:
            missed = total > TARGET_US
            verdict = f"{'missed' if missed else 'met'} (≤ {TARGET_US:.0f})"
        cells = [f"{parts[part]:.1f}" for part in PARTS]
        rows.append([case.name, f"{total:.1f}", *cells, verdict])
    table.show(["configuration", "µs a request", *PARTS, "target"], rows)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
