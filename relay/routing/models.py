"""The models and providers a configuration offers, as the lists under `/v1` show them.

    ProviderConfig … ──► Catalogue ──► page (GET /v1/models) · entry (GET /v1/models/{id})
                                  └──► resolve: the name behind `anthropic/<name>`

Claude Code shows only ids that contain `claude` or `anthropic`, so every other model is listed a
second time as `anthropic/<id>` (behaviour 4.2). Entries carry both shapes, Anthropic's and
OpenAI's.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Self, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from relay.clock import rfc3339
from relay.config.model import ProviderConfig
from relay.config.types import TYPES
from relay.errors import InvalidRequest, NotFound

Entry: TypeAlias = Mapping[str, str | int]

_ALIAS: Final = "anthropic/"
_SHOWN_AS_THEY_ARE: Final = ("claude", "anthropic")
_MOST: Final = 1000

# Ids and cursors come from clients; a message quotes no more of one than this.
_QUOTED: Final = 100


class Catalogue:
    """The model list of one configuration. Immutable."""

    def __init__(self, entries: Mapping[str, Entry], aliases: Mapping[str, str]) -> None:
        self._entries = entries
        self._list = tuple(entries.values())
        self._places = {model: place for place, model in enumerate(entries)}
        self._aliases = aliases

    @classmethod
    def of(cls, providers: Sequence[ProviderConfig], loaded_at: float) -> Self:
        """What these providers offer; `loaded_at` (Unix seconds) dates every entry.

        An id of several providers stands once, for the first.
        """
        listed = {model for provider in providers for model in provider.models}
        entries: dict[str, Entry] = {}
        aliases: dict[str, str] = {}
        for provider in providers:
            for model in provider.models:
                entries.setdefault(model, _entry(model, provider, loaded_at))
                alias = _ALIAS + model
                if alias in listed:
                    continue
                aliases[alias] = model
                if _is_hidden(model):
                    entries.setdefault(alias, _entry(alias, provider, loaded_at))
        return cls(entries, aliases)

    def page(
        self,
        limit: str | int | None = None,
        after_id: str | None = None,
        before_id: str | None = None,
    ) -> dict[str, object]:
        """A piece of the list, as query parameters ask for it; everything without them.

        With `before_id` alone the piece ends just before that entry. `has_more` tells whether
        entries remain in the direction of reading.

        Raises: `InvalidRequest` for an unknown cursor or a limit out of 1 to 1000.
        """
        count = _limit(limit)
        start = self._place("after_id", after_id) + 1 if after_id else 0
        end = self._place("before_id", before_id) if before_id else len(self._list)
        window = self._list[start:end]
        if count is None:
            count = len(window)
        backwards = bool(before_id) and not after_id
        data = window[max(len(window) - count, 0) :] if backwards else window[:count]
        return {
            "object": "list",
            "data": list(data),
            "has_more": len(window) > len(data),
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
        }

    def entry(self, model: str) -> Entry:
        """One entry by its (decoded) id, of either name.

        Raises: `NotFound`.
        """
        found = self._entries.get(model)
        if found is None:
            raise NotFound(f"model {model[:_QUOTED]!r} is not listed here")
        return found

    def resolve(self, model: str) -> str:
        """The name behind `anthropic/NAME` where only `NAME` itself is listed; else unchanged."""
        return self._aliases.get(model, model)

    def _place(self, parameter: str, model: str) -> int:
        place = self._places.get(model)
        if place is None:
            raise InvalidRequest(f"{parameter}: no model {model[:_QUOTED]!r} is listed here")
        return place


def provider_rows(
    providers: Sequence[ProviderConfig], *, down: Collection[str] = ()
) -> list[dict[str, object]]:
    """The entries of `GET /v1/providers`. `down`: the names whose breaker is open."""
    return [
        {
            "name": provider.name,
            "type": TYPES[provider.type].owner,
            "base_url": _bare(provider.base_url.reveal()),
            "models": list(provider.models),
            "active": provider.name not in down,
        }
        for provider in providers
    ]


def _entry(model: str, provider: ProviderConfig, loaded_at: float) -> Entry:
    return {
        "id": model,
        "type": "model",
        "display_name": model,
        "created_at": rfc3339(loaded_at),
        "object": "model",
        "owned_by": TYPES[provider.type].owner,
        "provider": provider.name,
        "created": int(loaded_at),
    }


def _is_hidden(model: str) -> bool:
    lower = model.lower()
    return not any(word in lower for word in _SHOWN_AS_THEY_ARE)


def _limit(value: str | int | None) -> int | None:
    if value is None or value == "":
        return None
    text = str(value)
    # Four digits hold every legal value; longer ones would only cost time to convert.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0  # noqa: PLR2004  the four digits just named
    if not 1 <= number <= _MOST:
        raise InvalidRequest(f"limit: {text[:_QUOTED]!r} must be a whole number from 1 to {_MOST}")
    return number


def _bare(url: str) -> str:
    """The URL without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
