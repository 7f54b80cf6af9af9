"""Whose conversation a request belongs to, and whether a sub-agent asks.

    x-claude-code-session-id · metadata.user_id {"session_id": …} · metadata.user_id …_session_…

The first that is there names the session (behaviour 7.3). Newer Claude Code sends the first two
with the same id, older ones the third.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from relay.messages.edit import Members
from relay.messages.lenient import decoded

MAX_SESSION_CHARS: Final = 256
"""A longer id stands as its hash: it still keeps its conversation together, and costs no more
room than others in whatever is kept by session. Real ones have 36."""

_SESSION_HEADER: Final = "x-claude-code-session-id"
_AGENT_HEADER: Final = "x-claude-code-agent-id"
_SUFFIX: Final = "_session_"


class _Metadata(msgspec.Struct):
    user_id: str = ""


class _User(msgspec.Struct):
    session_id: str = ""


_METADATA: Final = msgspec.json.Decoder(_Metadata)
_USER: Final = msgspec.json.Decoder(_User)


def session_id(headers: Mapping[str, str], members: Members | None) -> str:
    """The session's id, "" if the request names none. Header names are in lower case.

    It is the client's own text: nothing but a key to remember by.
    """
    session = headers.get(_SESSION_HEADER, "").strip() or _of_metadata(members)
    if len(session) <= MAX_SESSION_CHARS:
        return session
    return hashlib.blake2b(session.encode("utf-8", "replace"), digest_size=16).hexdigest()


def is_sub_agent(headers: Mapping[str, str]) -> bool:
    """Whether a sub-agent asks, and not the main conversation."""
    return bool(headers.get(_AGENT_HEADER, "").strip())


def _of_metadata(members: Members | None) -> str:
    raw = members.get("metadata") if members else None
    metadata = decoded(_METADATA, raw) if raw else None
    if metadata is None:
        return ""
    user = decoded(_USER, metadata.user_id.encode("utf-8"))
    if user is not None and user.session_id:
        return user.session_id
    return metadata.user_id.rpartition(_SUFFIX)[2] if _SUFFIX in metadata.user_id else ""
