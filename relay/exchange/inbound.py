"""What is asked: the client's request, its body verbatim, and the few fields we route on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relay.messages import edit

MESSAGES: Final = "/v1/messages"
COUNT_TOKENS: Final = "/v1/messages/count_tokens"


@dataclass(frozen=True, slots=True)
class Inbound:
    """One request of a client, complete and unchanged.

    `model` is the name the client sent, "" when the body is not a JSON object, names no model as
    a string, or names it twice: such a body is routed as if it named none (behaviour 4.6).
    """

    method: str
    path: str
    """Without doubled or trailing slashes, percent-encoding as received."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    members: edit.Members | None
    model: str
    stream: bool
    request_id: str
    names_itself: bool
    """The request id is the client's own, and goes upstream as the ordinary header it is."""


def read(  # noqa: PLR0913  what a request consists of
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    request_id: str,
    names_itself: bool,
) -> Inbound:
    """Look once into the body for what routing needs."""
    members = edit.members(body) if path in (MESSAGES, COUNT_TOKENS) else None
    return Inbound(
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=body,
        members=members,
        model=(members.string("model") if members else None) or "",
        stream=path == MESSAGES and members is not None and members.get("stream") == b"true",
        request_id=request_id,
        names_itself=names_itself,
    )
