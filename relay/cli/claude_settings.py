"""Claude Code's settings as a value: with the relay in them, and without it again. Pure.

Two members of `env` are ours, `ANTHROPIC_BASE_URL` and `ANTHROPIC_AUTH_TOKEN`; nothing else is
looked at. What stood in them before is remembered when it is first overwritten, so that taking
the relay out brings it back. A value that we did not write is never taken away.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from relay.cli.exact_json import Json
from relay.clients.credential import PLACEHOLDER

URL: Final = "ANTHROPIC_BASE_URL"
TOKEN: Final = "ANTHROPIC_AUTH_TOKEN"  # noqa: S105  the name of a variable
DEFAULT_URL: Final = "http://127.0.0.1:8787"

Settings = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the relay's entries replaced."""

    url: str
    """The URL that was written."""
    former: Settings = field(default_factory=dict)
    """The values that stood there; a name that had none is missing."""


class NotSettings(ValueError):
    """The document is JSON, but no settings of Claude Code."""


def settings_of(document: Json) -> Settings:
    """The document, if it has the shape of settings. Raises: `NotSettings`."""
    if not isinstance(document, dict):
        raise NotSettings("the top level must be an object")
    environment(document)
    return document


def environment(settings: Settings) -> Settings:
    """The `env` object; empty if there is none. Raises: `NotSettings`."""
    env = settings.get("env", {})
    if not isinstance(env, dict):
        raise NotSettings("env must be an object")
    return env


def has_relay(settings: Settings) -> bool:
    """Whether our mark stands in the settings."""
    return environment(settings).get(TOKEN) == PLACEHOLDER


def with_relay(settings: Settings, url: str) -> Settings:
    """The same settings, in the same order, with both entries set."""
    return {**settings, "env": {**environment(settings), URL: url, TOKEN: PLACEHOLDER}}


def remember(settings: Settings, url: str, before: Remembered | None) -> Remembered:
    """What to remember when `url` is about to be written into `settings`.

    A value of our own is no former value: what was remembered when it was written stays.
    """
    env = environment(settings)
    # Without a memory, a placeholder is the mark that the URL beside it is ours as well.
    ours = {
        URL: env.get(URL) == before.url if before else has_relay(settings),
        TOKEN: has_relay(settings),
    }
    kept = before.former if before else {}
    sources = {name: kept if is_ours else env for name, is_ours in ours.items()}
    return Remembered(url, {name: at[name] for name, at in sources.items() if name in at})


def without_relay(
    settings: Settings, before: Remembered | None, own_urls: Collection[str]
) -> Settings:
    """The same settings with our entries gone and the former values back.

    `own_urls` are the addresses that count as ours beside the one that was remembered.
    """
    former = before.former if before else {}
    urls = {url.rstrip("/") for url in own_urls} | ({before.url.rstrip("/")} if before else set())
    env = environment(settings)
    left: Settings = {}
    for name, value in env.items():
        if not _is_ours(name, value, urls):
            left[name] = value
        elif name in former:
            left[name] = former[name]
    rest = {name: value for name, value in settings.items() if name != "env"}
    if "env" not in settings or (env and not left):
        return rest
    return {name: left if name == "env" else value for name, value in settings.items()}


def _is_ours(name: str, value: Json, urls: Collection[str]) -> bool:
    if name == TOKEN:
        return value == PLACEHOLDER
    return name == URL and isinstance(value, str) and value.rstrip("/") in urls
