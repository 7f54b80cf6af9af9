"""Config → one immutable object graph, swapped in one step on reload.

    Config ──► Gatekeeper
           └─► Means: each Upstream (provider, key pool, HTTP client) · Catalogue · Gate · Lasting

An exchange reads the current runtime once, when it begins, and keeps it to its end; the old graph
closes its idle connections when it is replaced, running ones end by themselves.
"""

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

from relay.breaker.rules import Rules
from relay.breaker.transitions import State
from relay.clients.authenticate import Gatekeeper
from relay.clock import SystemClock
from relay.config.model import Config, ProviderConfig
from relay.exchange.lasting import Lasting, Running
from relay.exchange.means import Means
from relay.exchange.standing import Standing
from relay.exchange.upstream import Upstream
from relay.keys.pool import KeyPool
from relay.limits.slots import Slots
from relay.observe.inspection import Inspection
from relay.observe.redact import Redactor
from relay.providers.registry import PROVIDERS
from relay.routing.models import Catalogue
from relay.secret import Secret
from relay.state.shared import SharedStore
from relay.stream.disconnect import ClientWatch
from relay.stream.gate import Gate
from relay.upstream.client import Client

# Listener, log, epoll, store, config and the like; never starved by exchanges.
_RESERVED_DESCRIPTORS: Final = 128


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything one configuration amounts to."""

    config: Config
    gatekeeper: Gatekeeper
    means: Means

    @classmethod
    def of(cls, config: Config, lasting: Lasting) -> Self:
        """Build the graph. Opens no socket."""
        gate = config.routing.gate
        inspection = _inspection(config)
        upstreams = tuple(
            _upstream(provider, position, lasting, inspection)
            for position, provider in enumerate(config.providers)
        )
        return cls(
            config=config,
            gatekeeper=Gatekeeper(config.server.auth),
            means=Means(
                config=config,
                upstreams=upstreams,
                by_priority=tuple(
                    sorted(upstreams, key=lambda each: each.candidate.priority, reverse=True)
                ),
                record_names=tuple(
                    name
                    for upstream in upstreams
                    for name in (
                        lasting.breakers.name(upstream.name),
                        upstream.pool.record_name,
                    )
                ),
                rules=Rules.of_config(config.health.error_rules),
                catalogue=Catalogue.of(config.providers, lasting.clock.wall()),
                gate=Gate(
                    first_event_s=gate.first_event_ms / 1000,
                    content_s=gate.content_ms / 1000,
                    clock=lasting.clock,
                ),
                inspection=inspection,
                lasting=lasting,
            ),
        )

    def unready(self) -> list[str]:
        """Why no request could be served just now: names and reason words; empty when ready."""
        if self.means.lasting.running.draining:
            return ["draining"]
        if not self.means.lasting.store.answers():
            return ["the store does not answer"]
        standing = Standing(self.means)
        reasons = [self._unready(standing, upstream) for upstream in self.means.upstreams]
        return reasons if all(reasons) else []

    def down(self) -> list[str]:
        """The names of the providers whose breaker is open."""
        standing = Standing(self.means)
        return [u.name for u in self.means.upstreams if standing.state(u) is State.OPEN]

    @staticmethod
    def _unready(standing: Standing, upstream: Upstream) -> str:
        if standing.state(upstream) is State.OPEN:
            return f"{upstream.name}: its breaker is open"
        if upstream.pool.wait_s(standing.keys(upstream)):
            return f"{upstream.name}: every key is resting"
        return ""

    def close(self) -> None:
        """Close idle connections; those in use end with their exchanges."""
        for upstream in self.means.upstreams:
            upstream.http.close()


def lasting(config: Config, store: SharedStore) -> Lasting:
    """What outlives this configuration, for one process."""
    clock = SystemClock()
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Lasting.of(
        clock=clock,
        store=store,
        slots=Slots(config.state.dir / "slots"),
        watch=ClientWatch(clock),
        running=Running(capacity=max(descriptors - _RESERVED_DESCRIPTORS, 2) // 2),
    )


def secrets_of(config: Config) -> Iterator[Secret]:
    """Every configured secret, for redaction."""
    yield config.server.auth.api_key
    yield config.server.auth.bearer_secret
    for provider in config.providers:
        yield from (key.key for key in provider.keys)
        for url in (provider.base_url, provider.proxy):
            if "@" in url.reveal():
                yield url


def _upstream(
    config: ProviderConfig, position: int, lasting: Lasting, inspection: Inspection
) -> Upstream:
    return Upstream.of(
        config,
        PROVIDERS[config.type],
        KeyPool(config, store=lasting.store),
        Client(
            proxy=config.proxy,
            ca_file=config.ca_file,
            on_handshake=partial(inspection.handshake, config.name),
        ),
        position,
    )


def _inspection(config: Config) -> Inspection:
    options = config.logging.debug_options
    return Inspection(
        redactor=Redactor(secrets_of(config)),
        bodies=options.log_request_body,
        response_headers=options.log_response_headers,
        tls=options.log_tls_metrics,
        max_body_bytes=options.max_body_log_size,
    )
