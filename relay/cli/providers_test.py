"""`providers test`: one minimal request with every key, to see which of them work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
import gevent

from relay.cli import configured, shared_state
from relay.cli.options import config_option, echo_json, json_option
from relay.cli.printable import printable
from relay.config.model import Config
from relay.exchange import trying
from relay.exchange.means import Means
from relay.exchange.trying import Tried
from relay.exchange.upstream import Upstream
from relay.keys.member import Member

_WIDEST = max(map(len, ("ok", "failed", "no key")))


@click.command("test")
@config_option
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@click.pass_context
def providers_test(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Ask each provider, or those named, for one token with each of its keys.

    A key that answers is no longer set aside. Exits with 1 if one failed.
    """
    config = configured.loaded(configured.found())
    _check(names, config)
    hub = gevent.get_hub()  # which the requests wait in, and which would print Ctrl-C as a fault
    if KeyboardInterrupt not in hub.NOT_ERROR:
        hub.NOT_ERROR = (*hub.NOT_ERROR, KeyboardInterrupt)
    as_json = as_json or bool(ctx.parent and ctx.parent.params.get("as_json"))
    with shared_state.looked_at(config) as shared:
        if shared.is_away:
            click.echo(shared.fault, err=True)
        results = []
        targets = list(_targets(shared.runtime.means, names))
        width = max(len(target.name) for target in targets)
        for target in targets:
            results.append(target.result(shared.runtime.means))
            if not as_json:
                click.echo(results[-1].line(width))
    if as_json:
        echo_json({"object": "list", "data": [result.document() for result in results]})
    if any(result.works is False for result in results):
        raise click.exceptions.Exit(1)


def _check(names: Sequence[str], config: Config) -> None:
    known = [provider.name for provider in config.providers]
    for name in names:
        if name not in known:
            there = ", ".join(known)
            raise click.BadParameter(
                f"no enabled provider is called {name!r} (there are: {there})", param_hint="NAME"
            )


@dataclass(frozen=True, slots=True)
class _Result:
    """How one request ended."""

    provider: str
    key: str
    """Its id; empty: it went without."""
    works: bool | None
    """None: nobody could say, for it needs a credential that clients bring."""
    tried: Tried

    def line(self, width: int) -> str:
        """For people, below others of the same width."""
        word = {True: "ok", False: "failed", None: "no key"}[self.works]
        took = f"{self.tried.took_s * 1000:.0f} ms"
        said = printable(self.tried.reason)
        if self.works is None:
            said = f"answers; clients bring their own credential ({said})"
        elif self.tried.is_restored:
            said = "no longer set aside"
        name = (self.key or self.provider).ljust(width)
        cells = (name, word.ljust(_WIDEST), took.rjust(8), self.tried.model, said)
        return "  ".join(cells).rstrip()

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "provider": self.provider,
            "key": self.key or None,
            "model": self.tried.model,
            "ok": self.works,
            "status": self.tried.status,
            "latency_ms": round(self.tried.took_s * 1000),
            "reason": printable(self.tried.reason) or None,
            "restored": self.tried.is_restored,
        }


@dataclass(frozen=True, slots=True)
class _Target:
    """A provider, and a key of it."""

    upstream: Upstream
    member: Member | None

    @property
    def name(self) -> str:
        """As it is shown."""
        return self.key or self.upstream.name

    @property
    def key(self) -> str:
        """The key's id, or nothing."""
        return f"{self.upstream.name}/{self.member.position}" if self.member else ""

    def result(self, means: Means) -> _Result:
        """Ask it."""
        tried = trying.tried(means, self.upstream, self.member)
        works: bool | None = not tried.reason
        if trying.says_nothing(self.upstream, self.member, tried):
            works = None
        return _Result(self.upstream.name, self.key, works, tried)


def _targets(means: Means, names: Sequence[str]) -> Iterator[_Target]:
    for upstream in means.upstreams:
        if not names or upstream.name in names:
            for member in trying.credentials(upstream):
                yield _Target(upstream, member)
