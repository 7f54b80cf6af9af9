"""Read the CPU time of all three: gateway, load and upstream, from one moment on."""

import time
from dataclasses import dataclass

from bench.cpu import cpu_s
from bench.load.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds since the meter began; NaN for a gateway whose process is not known."""

    gateway_s: float
    load_s: float
    upstream_s: float

    def us_each(self, count: int) -> dict[str, float]:
        """Microseconds for each of so many events or requests."""
        each = 1e6 / count if count else float("nan")
        return {
            "cpu_us": self.gateway_s * each,
            "load_us": self.load_s * each,
            "upstream_us": self.upstream_s * each,
        }


class Meter:
    """From its construction on."""

    def __init__(self, gateway: Gateway, upstream_pid: int) -> None:
        self._gateway = gateway
        self._upstream_pid = upstream_pid
        self._before = self._now()

    def spent(self) -> Spent:
        """What has been used since."""
        now, was = self._now(), self._before
        return Spent(now[0] - was[0], now[1] - was[1], now[2] - was[2])

    def _now(self) -> tuple[float, float, float]:
        pid = self._gateway.pid
        gateway_s = float("nan") if pid is None else cpu_s(pid)
        return gateway_s, time.process_time(), cpu_s(self._upstream_pid)
