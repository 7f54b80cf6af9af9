"""`config cc`: put the relay into Claude Code's settings, and take it out again."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from relay.cli import configured, former_values, settings_file
from relay.cli.claude_settings import (
    DEFAULT_URL,
    TOKEN,
    URL,
    Settings,
    environment,
    has_relay,
    remember,
    with_relay,
    without_relay,
)
from relay.cli.lazy import LazyGroup
from relay.cli.options import config_option
from relay.cli.refused import Refused
from relay.clients.credential import PLACEHOLDER
from relay.config import addresses, folders
from relay.config.addresses import Listen, NotAnAddress

COMMANDS: Final = {
    "init": "relay.cli.claude_code:init",
    "remove": "relay.cli.claude_code:remove",
}

_SUBSCRIPTION: Final = (
    "note: to pass your Claude subscription's own login through, set "
    f"{URL} alone, by hand: run `cc-relay config cc remove`, then add it under env"
)


@click.group(cls=LazyGroup, places=COMMANDS)
@config_option
def cc() -> None:
    """Point Claude Code at the relay, or away from it."""


def _http_url(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    try:
        addresses.parse_base_url(value)
    except NotAnAddress as error:
        raise click.BadParameter(f"{value!r} {error}") from error
    return value


@click.command
@config_option
@click.option(
    "--proxy-url",
    metavar="URL",
    default=DEFAULT_URL,
    show_default=True,
    callback=_http_url,
    help="Where Claude Code finds the relay.",
)
def init(proxy_url: str) -> None:
    """Point Claude Code at the relay.

    Sets two variables in ~/.claude/settings.json; everything else stays as it is.
    """
    path, state = _settings_path(), folders.state_folder(os.environ)
    with settings_file.held(_target(path).parent):
        file = settings_file.read(path)
        changed = with_relay(file.settings, proxy_url)
        if changed == file.settings:
            click.echo(f"{path} is set up already ({URL}={proxy_url})")
            return
        # The memory comes first: a crash after it loses nothing, one before it would.
        before = former_values.recall(state, path)
        former_values.store(state, path, remember(file.settings, proxy_url, before))
        if not has_relay(file.settings) and file.keep_original():
            click.echo(f"the original is kept as {file.backup}")
        file.replace(changed)
    click.echo(f"set in {path}:\n  {URL}={proxy_url}\n  {TOKEN}={PLACEHOLDER}")
    click.echo("restart Claude Code to use the relay")
    click.echo(_SUBSCRIPTION, err=True)


@click.command
@config_option
def remove() -> None:
    """Undo what init did.

    Takes the relay out of ~/.claude/settings.json and brings back what it replaced.
    """
    path, state = _settings_path(), folders.state_folder(os.environ)
    if not _target(path).exists():
        click.echo(f"nothing to remove: there is no {path}")
        return
    with settings_file.held(_target(path).parent):
        file = settings_file.read(path)
        before = former_values.recall(state, path)
        changed = without_relay(file.settings, before, {DEFAULT_URL, *_listening_urls()})
        if changed == file.settings:
            click.echo(f"nothing to remove: {path} has no entry of the relay's")
        else:
            file.replace(changed)
            _tell_removed(path, environment(file.settings), environment(changed))
        former_values.store(state, path, None)  # last: a crash before it can be repeated


def _tell_removed(path: Path, old: Settings, new: Settings) -> None:
    click.echo(f"changed in {path}:")
    for name in (URL, TOKEN):
        if name in old and old[name] != new.get(name):
            click.echo(f"  {name} {'has its former value again' if name in new else 'removed'}")
    click.echo("restart Claude Code to use it without the relay")


def _settings_path() -> Path:
    path = configured.home() / ".claude" / "settings.json"
    elsewhere = os.environ.get("CLAUDE_CONFIG_DIR")
    if elsewhere and Path(elsewhere).absolute() != path.parent:
        click.echo(
            f"note: CLAUDE_CONFIG_DIR is set: Claude Code reads {elsewhere}/settings.json, "
            f"not {path}",
            err=True,
        )
    return path


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _listening_urls() -> Iterator[str]:
    """The addresses that `server.listen` stands for; none if the configuration says nothing."""
    try:
        listen = configured.listening(configured.found())
    except Refused:
        return
    hosts = [listen.host]
    if addresses.is_loopback(configured.dialled(listen).host):
        hosts += ["127.0.0.1", "localhost", "::1"]
    for host in filter(None, hosts):
        yield f"http://{configured.written(Listen(host, listen.port))}"
