"""The request as one upstream gets it, made anew from the client's original for every attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.exchange.inbound import COUNT_TOKENS, MESSAGES, Inbound
from relay.exchange.upstream import Upstream
from relay.keys.lease import Lease
from relay.messages import edit, thinking
from relay.routing.affinity import Issuer
from relay.routing.rename import renamed
from relay.upstream.headers import request_headers
from relay.wire import UpstreamRequest


@dataclass(frozen=True, slots=True)
class Credential:
    """What an attempt shows the upstream: a leased key of ours, or what the client brought."""

    lease: Lease | None
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether the upstream judges us, not the client, when it refuses it."""
        return self.lease is not None


@dataclass(frozen=True, slots=True)
class Outbound:
    """A finished request, and what was changed on the way."""

    request: UpstreamRequest
    model: str
    mutations: tuple[str, ...]
    """The edits of the body, in words (behaviour 4.6)."""


def outbound(
    inbound: Inbound,
    upstream: Upstream,
    credential: Credential,
    model: str,
    issuers: Mapping[bytes, Issuer] | None = None,
) -> Outbound:
    """Speak the upstream's dialect. `model` is the name after `anthropic/` was read away (6.2), or
    a scenario's. `issuers`: of those thinking blocks in the history that are remembered; None: it
    holds no such blocks.

    Raises: `relay.errors.InvalidRequest` for a header that cannot be sent.
    """
    provider = upstream.provider
    sent = renamed(model, upstream.config.model_mapping) if model else ""
    body, mutations = _edited(inbound, sent, upstream.family, issuers)
    headers = request_headers(inbound.headers, messages=inbound.path in (MESSAGES, COUNT_TOKENS))
    if not inbound.names_itself:
        headers.pop("x-request-id", None)
    headers.update(credential.own)
    if upstream.basic and "authorization" not in headers:
        headers["authorization"] = upstream.basic.reveal()
    request = UpstreamRequest(
        method=inbound.method,
        url=provider.url(upstream.base_url, inbound.path, inbound.query),
        headers=provider.headers(headers),
        body=provider.body(body),
        timeouts=upstream.timeouts,
    )
    if credential.lease is not None:
        request = provider.authorize(request, credential.lease.key.key)
    return Outbound(request, sent, mutations)


def _edited(
    inbound: Inbound, sent: str, family: str, issuers: Mapping[bytes, Issuer] | None
) -> tuple[bytes, tuple[str, ...]]:
    """The body with the model's other name, and a history that the family takes (11.3)."""
    members = inbound.members
    if members is None:
        return inbound.body, ()
    edits: list[edit.Edit] = []
    mutations: tuple[str, ...] = ()
    if issuers is not None:
        families = {digest: issuer[1] for digest, issuer in issuers.items()}
        edits, mutations = thinking.edits(members, issuers=families, family=family, model=sent)
    span = members.span("model")
    if span is not None and sent and sent != inbound.model:
        edits.append((*span, edit.string_json(sent)))
        mutations = (f"model: {inbound.model} → {sent}", *mutations)
    return (edit.edited(inbound.body, edits) if edits else inbound.body), mutations
