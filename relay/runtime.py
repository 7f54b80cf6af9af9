"""Config → one immutable object graph, swapped in one step on reload.

    Config ──► Gatekeeper
           └─► Means: each Upstream (provider, key pool, HTTP client) · Catalogue · Gate · Lasting

An exchange reads the current runtime once, when it begins, and keeps it to its end; the old graph
closes its idle connections when it is replaced, running ones end by themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self

from relay.clients.authenticate import Gatekeeper
from relay.config.model import Config, ProviderConfig
from relay.exchange.lasting import Lasting
from relay.exchange.means import Means
from relay.exchange.upstream import Upstream
from relay.keys.pool import KeyPool
from relay.observe.inspection import Inspection
from relay.observe.redact import Redactor
from relay.providers.registry import PROVIDERS
from relay.routing.models import Catalogue
from relay.secret import Secret
from relay.stream.gate import Gate
from relay.upstream.client import Client


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
        return cls(
            config=config,
            gatekeeper=Gatekeeper(config.server.auth),
            means=Means(
                config=config,
                upstreams=tuple(
                    _upstream(provider, lasting, inspection) for provider in config.providers
                ),
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
        if not all(upstream.pool.is_resting for upstream in self.means.upstreams):
            return []
        return [f"{upstream.name}: every key is resting" for upstream in self.means.upstreams]

    def close(self) -> None:
        """Close idle connections; those in use end with their exchanges."""
        for upstream in self.means.upstreams:
            upstream.http.close()


def secrets_of(config: Config) -> Iterator[Secret]:
    """Every configured secret, for redaction."""
    yield config.server.auth.api_key
    yield config.server.auth.bearer_secret
    for provider in config.providers:
        yield from (key.key for key in provider.keys)
        for url in (provider.base_url, provider.proxy):
            if "@" in url.reveal():
                yield url


def _upstream(config: ProviderConfig, lasting: Lasting, inspection: Inspection) -> Upstream:
    return Upstream.of(
        config,
        PROVIDERS[config.type],
        KeyPool(config, states=lasting.keys, clock=lasting.clock),
        Client(
            proxy=config.proxy,
            ca_file=config.ca_file,
            on_handshake=partial(inspection.handshake, config.name),
        ),
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
