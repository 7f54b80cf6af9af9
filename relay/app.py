"""The composition root: config → lasting parts → runtime → blueprints.

`Reloading` swaps the runtime when the file changes; a request that has begun keeps the one it has.
"""

import logging
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flask import Flask

from relay.breaker.probe import Prober
from relay.config import binding, loading, overriding
from relay.config.loading import ConfigRefused
from relay.config.model import Config, HealthConfig
from relay.config.watching import ConfigWatch
from relay.exchange import probing
from relay.observe import logs
from relay.observe.once import Once
from relay.runtime import Runtime, secrets_of
from relay.runtime import lasting as lasting_of
from relay.state.opening import open_store
from relay.state.shared import SharedStore
from relay.web import current, errors
from relay.web.application import Application
from relay.web.health import health
from relay.web.request_id import Named
from relay.web.v1 import v1

log = logging.getLogger("relay.app")

_MOST_JITTER_S: Final = 2.0


def create_app(config_path: str | Path | None = None) -> Flask:
    """Build the application from one configuration file and keep watching that file.

    Raises: `ConfigRefused` with every fault of the file.
    """
    path = loading.find(config_path, os.environ, Path.cwd())
    reloading = Reloading(path)  # before the file is read: no change in between is lost
    config = _load(path, os.environ)
    config = binding.apply(config, binding.of(os.environ, config))
    _configure_logs(config)
    lasting = lasting_of(config, SharedStore(open_store(config.state.url, config.state.dir)))
    lasting.store.answers()  # opened now, and not in the way of the first request
    relay = current.Relay(runtime=Runtime.of(config, lasting), lasting=lasting)
    app = _flask(relay)
    app.extensions["cc-relay-reloading"] = reloading
    reloading.start(relay, binding.of(os.environ, config))
    if config.warnings and _once(config).is_mine(f"started {_held(path)!r}"):
        fields = {"path": str(path), "warnings": list(config.warnings)}
        log.warning("config has warnings", extra={"fields": fields})
    return app


class Reloading:
    """Swap the runtime when the configuration file changes; a bad file changes nothing.

    Also what else goes on beside requests for as long as the relay does: probes of open breakers.
    """

    def __init__(self, path: Path) -> None:
        """Remember what the file holds now."""
        self._path = path
        self._relay: current.Relay | None = None
        self._bound = ""
        self._began: Config | None = None
        self._watch = ConfigWatch(path, self.reload)
        self._prober: Prober | None = None

    def start(self, relay: current.Relay, bound: str) -> None:
        """Begin watching, in a thread (a greenlet, where threads are patched).

        `bound`: the address clients connect to, which no reload changes.
        """
        self._relay, self._bound, self._began = relay, bound, relay.runtime.config
        self._watch.start()
        # Drawn once: workers that start together do not ask together (behaviour 10.3).
        jitter_s = random.SystemRandom().uniform(0, _MOST_JITTER_S)
        self._prober = Prober(
            relay.lasting.breakers,
            lambda provider: probing.status(relay.runtime.means, provider),
            lambda: _probed(relay.runtime.config),
            jitter_s=jitter_s,
            clock=relay.lasting.clock,
        )
        self._prober.start()

    def close(self) -> None:
        """Stop watching and probing, and let go of the store. Idempotent."""
        self._watch.close()
        if self._prober:
            self._prober.close()
        if self._relay:
            self._relay.lasting.close()

    def reload(self) -> None:
        """Load the file and put it in force, or say once why not."""
        relay = self._relay
        if relay is None:
            return
        try:
            config = binding.apply(_load(self._path, os.environ), self._bound)
        except ConfigRefused as refused:
            self._refused(relay.runtime.config, refused)
            return
        old = relay.runtime
        relay.runtime = Runtime.of(config, relay.lasting)
        old.close()
        for name in _gone(old.config, config):
            relay.lasting.breakers.forget(name)
        _configure_logs(config)
        self._loaded(self._began or old.config, config)

    def _refused(self, in_force: Config, refused: ConfigRefused) -> None:
        if _once(in_force).is_mine(f"refused {_held(self._path)!r}"):
            fields = {"path": str(self._path), "faults": list(refused.faults)}
            log.error("config refused, the old one stays in force", extra={"fields": fields})

    def _loaded(self, began: Config, new: Config) -> None:
        if _once(began).is_mine(f"loaded {_held(self._path)!r}"):
            needs_restart = _needs_restart(began, new)
            fields = {
                "path": str(self._path),
                "needs_restart": needs_restart or None,
                "warnings": list(new.warnings) or None,
            }
            level = logging.WARNING if needs_restart else logging.INFO
            log.log(level, "config loaded", extra={"fields": fields})


def _load(path: Path, environ: Mapping[str, str]) -> Config:
    return overriding.apply(loading.load(path, environ), overriding.from_environ(environ))


def _configure_logs(config: Config) -> None:
    logs.configure(
        level=config.logging.level,
        format=config.logging.format,
        output=config.logging.output,
        secrets=secrets_of(config),
    )


def _held(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _once(config: Config) -> Once:
    return Once(config.state.dir / "said")


def _flask(relay: current.Relay) -> Flask:
    app = Application("relay")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions[current.EXTENSION] = relay
    app.register_blueprint(health)
    app.register_blueprint(v1)
    errors.register(app)
    app.wsgi_app = Named(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    return app


def _probed(config: Config) -> tuple[HealthConfig, list[str]]:
    return config.health, [provider.name for provider in config.providers]


def _gone(old: Config, new: Config) -> set[str]:
    """Providers that have left the configuration."""
    before, after = ({provider.name for provider in each.providers} for each in (old, new))
    return before - after


def _needs_restart(old: Config, new: Config) -> list[str]:
    """The changed settings that only a restart puts in force (behaviour 13.1)."""
    pairs = {
        "server.listen": (old.server.listen, new.server.listen),
        "server.workers": (old.server.workers, new.server.workers),
        "state": (old.state, new.state),
    }
    return [name for name, (before, after) in pairs.items() if before != after]
