"""One configured endpoint, with everything an attempt needs to use it."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

from relay.clients.authenticate import Client
from relay.config.model import ProviderConfig
from relay.config.types import TYPES
from relay.keys.pool import KeyPool
from relay.providers.provider import Provider
from relay.routing.candidate import Candidate, weighing
from relay.routing.family import family
from relay.secret import Secret
from relay.upstream.client import Client as HttpClient
from relay.wire import Timeouts


@dataclass(frozen=True, slots=True)
class Upstream:
    """An entry of `providers:` at work. Everything in it outlives a single exchange."""

    config: ProviderConfig
    provider: Provider
    pool: KeyPool
    http: HttpClient
    position: int
    """Place among the enabled providers, from 0."""
    candidate: Candidate
    """What strategies see of it."""
    family: str
    """Who accepts its thinking signatures (behaviour 11.2)."""
    base_url: str
    """Without trailing slash, user and password."""
    basic: Secret
    """`Basic …` made of the base URL's user and password, empty where it has none."""
    timeouts: Timeouts

    @classmethod
    def of(
        cls,
        config: ProviderConfig,
        provider: Provider,
        pool: KeyPool,
        http: HttpClient,
        position: int = 0,
    ) -> Self:
        """Join the parts; takes the credentials out of the URL."""
        base_url, basic = _split(config.base_url.reveal())
        return cls(
            config=config,
            provider=provider,
            pool=pool,
            http=http,
            position=position,
            candidate=Candidate(config.name, config.priority, weighing(config.weight)),
            family=family(config),
            base_url=base_url,
            basic=basic,
            timeouts=Timeouts(
                connect_s=config.timeouts.connect_ms / 1000,
                first_byte_s=config.timeouts.first_byte_ms / 1000,
                idle_s=config.timeouts.idle_ms / 1000,
            ),
        )

    @property
    def name(self) -> str:
        """The provider's name in the configuration."""
        return self.config.name

    @property
    def is_pooled(self) -> bool:
        """Whether the ids of its keys are shown (behaviour 4.7)."""
        return self.config.pooling.enabled

    def passes(self, client: Client) -> Mapping[str, str] | None:
        """The client's own credential headers, if they go to this upstream (behaviour 5.2).

        None: the configured credential is used.
        """
        mode = self.config.auth
        if mode == "passthrough":
            return client.own
        if mode == "auto" and client.own and TYPES[self.config.type].passes_own_credentials:
            return client.own
        return None

    def serves(self, client: Client) -> bool:
        """Whether this client may use this upstream: strangers only with what is theirs (5.1)."""
        return client.may_use_keys or bool(self.passes(client))


def _split(url: str) -> tuple[str, Secret]:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url.rstrip("/"), Secret("")
    userinfo, _, host = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    bare = urlunsplit((parts.scheme, host, parts.path, "", ""))
    return bare.rstrip("/"), Secret(f"Basic {b64encode(pair).decode('ascii')}")
