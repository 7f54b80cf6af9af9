"""Decide who calls, from the headers alone (behaviour 5.1).

    headers ──► Gatekeeper.admit ──► Client, or Unauthenticated

Whoever presents a secret of the relay, in either header, is admitted and may use the configured
keys. Where bearer is on without a secret, any token is admitted: such a caller is a stranger with
a credential of their own, and `Client.may_use_keys` says whether the keys are for them too.
Secrets are compared in constant time over a keyed hash. Client keys will join the secrets here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.clients import credential
from relay.config.model import AuthConfig
from relay.errors import Unauthenticated
from relay.secret import Secret

_PLACEHOLDER_REFUSED: Final = (
    f"{credential.PLACEHOLDER} is no credential; set server.auth.api_key, "
    "server.auth.bearer_secret or server.auth.any_bearer_uses_keys, or send your own token"
)


@dataclass(frozen=True, slots=True)
class Client:
    """Who calls, and what they brought."""

    name: str
    """The client key's name; empty without one."""
    any_token: bool
    """Admitted by the any-token rule alone: a stranger."""
    may_use_keys: bool
    """May be served with configured keys; if not, only with a credential of their own."""
    own: Mapping[str, str]
    """The client's own credential headers: name in lower case, value exactly as received. No
    secret of the relay and no placeholder is ever in it."""

    def __repr__(self) -> str:
        own = "+".join(self.own) or "none"
        return f"Client({self.name!r}, any_token={self.any_token}, own={own})"


class Gatekeeper:
    """Admits clients by one `server.auth`. Immutable; a reload makes a new one."""

    def __init__(self, auth: AuthConfig) -> None:
        self._api_key = auth.api_key
        self._any_token = auth.allow_bearer and not auth.bearer_secret
        self._bearer = auth.allow_bearer
        self._strangers_use_keys = auth.any_bearer_uses_keys
        # A bearer secret that is switched off admits nobody, and still must not leave the relay.
        self._ours = tuple(filter(None, (auth.api_key, auth.bearer_secret)))
        self._admitting = tuple(
            filter(None, (auth.api_key, auth.bearer_secret if auth.allow_bearer else None))
        )

    def admit(self, headers: Mapping[str, str]) -> Client:
        """Who sent these headers (names in lower case).

        Raises: `Unauthenticated`, with the message of behaviour 5.1.
        """
        open_to_all = not self._admitting and not self._any_token
        if open_to_all or self._is_known(headers):
            return self._client(headers, any_token=False)
        if self._any_token:
            token = credential.bearer_token(headers)
            if token and (token != credential.PLACEHOLDER or self._strangers_use_keys):
                return self._client(headers, any_token=True)
        raise Unauthenticated(self._refusal(headers))

    def _is_known(self, headers: Mapping[str, str]) -> bool:
        return bool(self._admitting) and any(
            _matches(self._admitting, text) for text in credential.presented(headers)
        )

    def _client(self, headers: Mapping[str, str], *, any_token: bool) -> Client:
        return Client(
            name="",
            any_token=any_token,
            may_use_keys=not any_token or self._strangers_use_keys,
            own=credential.own(headers, self._is_ours),
        )

    def _is_ours(self, text: str) -> bool:
        return text == credential.PLACEHOLDER or _matches(self._ours, text)

    def _refusal(self, headers: Mapping[str, str]) -> str:
        if self._api_key:
            given = headers.get(credential.API_KEY)
            return "invalid x-api-key" if given else "missing x-api-key header"
        if not headers.get(credential.AUTHORIZATION):
            return "missing authorization header"
        token = credential.bearer_token(headers)
        if token is None:
            return "invalid authorization scheme"
        if not token:
            return "empty bearer token"
        return _PLACEHOLDER_REFUSED if self._any_token else "invalid bearer token"


def _matches(secrets: tuple[Secret, ...], text: str) -> bool:
    return any(secret.matches(text) for secret in secrets)
