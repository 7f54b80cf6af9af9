"""`state:` — where the relay keeps what must survive a restart."""

import re

from relay.config.schema.section import Section
from relay.config.schema.words import Hidden, Location
from relay.secret import Secret


def _url_fault(url: str) -> str | None:
    if re.fullmatch(r"lmdb:(/.*)?|memory:|rediss?://.+", url):
        return None
    return "must be lmdb:, lmdb:/path, redis://…, rediss://… or memory:"


class StateSection(Section):
    """Where the relay keeps what must survive a restart."""

    dir = Location(
        "folder of the state, made 0700 if missing",
        default="",
        shown_default="`$CC_RELAY_STATE_DIR`, else `$XDG_STATE_HOME/cc-relay`",
        refused="something that is no folder",
    )
    url = Hidden(
        "the store that workers share: `lmdb:` (embedded), `lmdb:/path`, `redis://…`, "
        "`rediss://…`, `memory:`",
        default=Secret("lmdb:"),
        shown_default="`lmdb:`",
        rule=_url_fault,
        refused="another scheme",
    )
