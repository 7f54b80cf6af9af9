"""Whether the relay may listen where it is told to, given who has to show a credential."""

from collections.abc import Mapping
from typing import Any, Final

from relay.config.addresses import is_loopback, parse_listen
from relay.config.findings import Findings

_LISTEN: Final = ("server", "listen")
_AUTH: Final = ("server", "auth")
_API_KEY: Final = (*_AUTH, "api_key")
_OLD_API_KEY: Final = ("server", "api_key")
_BEARER: Final = (*_AUTH, "bearer_secret")
_SWITCHES: Final = tuple(
    (*_AUTH, name) for name in ("allow_bearer", "allow_subscription", "allow_anonymous")
)


def check(values: Mapping[str, Any], findings: Findings) -> None:
    """The rules of `server.listen`, `server.auth` and `server.workers`."""
    server = values.get("server", {})
    auth = server.get("auth", {})
    _check_bearer(auth, findings)
    if "listen" in server:
        _check_exposure(server, auth, findings)
    state_url = values.get("state", {}).get("url")
    if state_url is not None and state_url.matches("memory:") and server.get("workers", 0) > 1:
        findings.refuse(
            ("server", "workers"),
            f"{server['workers']} must be 1 with state.url: memory:, which workers cannot share",
        )


def _check_bearer(auth: Mapping[str, Any], findings: Findings) -> None:
    enabled = auth.get("allow_bearer") or auth.get("allow_subscription")
    if auth.get("bearer_secret") and not enabled:
        findings.warn(_BEARER, "is not looked at, because allow_bearer is false")
    if enabled and findings.hint(_BEARER) and not auth.get("bearer_secret"):
        findings.warn(_BEARER, f"{findings.hint(_BEARER)}, so any bearer token is admitted")


def _check_exposure(server: Mapping[str, Any], auth: Mapping[str, Any], findings: Findings) -> None:
    local = is_loopback(parse_listen(server["listen"]).host)
    has_key = bool(auth.get("api_key") or server.get("api_key"))
    bearer = bool(auth.get("allow_bearer") or auth.get("allow_subscription"))
    empty = next((place for place in (_API_KEY, _OLD_API_KEY) if findings.hint(place)), None)
    if has_key or bearer:
        strangers = bearer and not auth.get("bearer_secret")
        if strangers and not local and auth.get("any_bearer_uses_keys") is True:
            findings.warn(
                (*_AUTH, "any_bearer_uses_keys"),
                "everybody who can reach the address may spend your keys with any made-up token",
            )
        return
    if empty is not None and local:
        findings.warn(empty, f"{findings.hint(empty)}, so no client is asked for a key")
    if local or any(map(findings.is_faulty, (_AUTH, _API_KEY, _OLD_API_KEY, *_SWITCHES))):
        return  # what would authenticate has a fault of its own, which is reported already
    if auth.get("allow_anonymous"):
        findings.warn(
            (*_AUTH, "allow_anonymous"), "everybody who can reach the address may spend your keys"
        )
        return
    findings.refuse(
        _LISTEN,
        f'"{server["listen"]}" is not a loopback address and nothing authenticates clients: set '
        "server.auth.api_key, or server.auth.allow_bearer with server.auth.bearer_secret, or "
        "listen on 127.0.0.1 (server.auth.allow_anonymous: true lets everybody in)",
        because=empty or _LISTEN,
    )
