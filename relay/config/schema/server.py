"""`server:` — where the relay listens, who may use it, and how long it waits."""

from collections.abc import Mapping
from typing import Any

from relay.config.addresses import is_loopback, listen_fault, parse_listen
from relay.config.model import AuthConfig, ServerConfig
from relay.config.schema.collections import Part
from relay.config.schema.numbers import Millis, Whole
from relay.config.schema.section import Section
from relay.config.schema.words import Hidden, Switch, SwitchOrAuto, Text, Word
from relay.secret import Secret

DAY_MS = 86_400_000


class AuthSection(Section):
    """Who may use the relay."""

    api_key = Hidden("the relay's own API key, asked of every client", default=Secret(""))
    bearer_secret = Hidden(
        "the expected bearer token; looked at only when bearer is enabled", default=Secret("")
    )
    allow_bearer = Switch(
        "enable bearer tokens; with an empty `bearer_secret` any token is admitted", default=False
    )
    allow_subscription = Switch("the same switch under another name", default=False)
    any_bearer_uses_keys = SwitchOrAuto(
        "whether callers admitted by any token may be served with configured keys; `auto`: yes if "
        "`listen` is a loopback address, else no",
        default="auto",
    )
    allow_anonymous = Switch(
        "listen on a non-loopback address without asking anybody for a credential: everybody who "
        "can reach the address may spend your keys",
        default=False,
    )


class ServerSection(Section):
    """Where the relay listens, who may use it, and how long it waits."""

    fills = ServerConfig

    listen = Text(
        "`host:port`; IPv6 in brackets, empty host = all interfaces, port 0 = any free one",
        rule=listen_fault,
        refused="not host:port; port > 65535; a host that is not loopback while nothing "
        "authenticates clients",
    )
    api_key = Hidden("older place of `auth.api_key`; used when that is empty", default=Secret(""))
    auth = Part(AuthSection)
    workers = Whole(
        "worker processes; 0 = one per CPU core, at most 4",
        default=0,
        refused="> 1 with `state.url: memory:`",
    )
    timeout_ms = Millis(
        "longest silence of an upstream, before its first byte and between two reads; a stream "
        "with traffic is never cut by it; 0 = the default",
        default=600_000,
        zero=600_000,
        most=DAY_MS,
    )
    max_concurrent = Whole(
        "exchanges in progress, all workers together; full: 503 at once; 0 = unlimited", default=0
    )
    max_body_bytes = Whole("largest request body; 0 = unlimited", default=32 << 20)
    body_timeout_ms = Millis(
        "time to receive a request body, plus one second per 16 KiB received",
        default=10_000,
        least=1000,
    )
    write_timeout_ms = Millis(
        "a client that takes no byte for this long is dropped", default=120_000, least=1000
    )
    ping_interval_ms = Millis(
        "silence after which a stream gets a `ping` event", default=15_000, least=1000, most=60_000
    )
    stream_failure = Word(
        "how a broken stream ends: `cut` closes the connection without a proper end, `event` sends "
        "an `error` event first, `auto` cuts for Claude Code and sends the event to others",
        words=("auto", "cut", "event"),
        default="auto",
    )
    drain_ms = Millis("time for running exchanges after SIGTERM", default=30_000)

    @classmethod
    def make(cls, values: Mapping[str, Any]) -> ServerConfig:
        rest = {key: value for key, value in values.items() if key not in {"api_key", "auth"}}
        auth = values["auth"]
        strangers = auth["any_bearer_uses_keys"]
        return ServerConfig(
            **rest,
            auth=AuthConfig(
                api_key=auth["api_key"] or values["api_key"],
                bearer_secret=auth["bearer_secret"],
                allow_bearer=auth["allow_bearer"] or auth["allow_subscription"],
                any_bearer_uses_keys=is_loopback(parse_listen(values["listen"]).host)
                if strangers == "auto"
                else strangers,
                allow_anonymous=auth["allow_anonymous"],
            ),
        )
