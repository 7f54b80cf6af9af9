"""The composition root: config → lasting parts → runtime → blueprints.

`Reloading` swaps the runtime when the file changes; a request that has begun keeps the one it has.
"""

import logging
import os
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask.signals import appcontext_tearing_down, request_tearing_down
from werkzeug.routing import MapAdapter

from relay.clock import SystemClock
from relay.config import binding, loading, overriding
from relay.config.loading import ConfigRefused
from relay.config.model import Config
from relay.config.watching import ConfigWatch
from relay.exchange.lasting import Lasting, Running
from relay.keys.pool import KeyStates
from relay.limits.slots import Slots
from relay.observe import logs
from relay.observe.once import Once
from relay.runtime import Runtime, secrets_of
from relay.stream.disconnect import ClientWatch
from relay.web import current, errors
from relay.web.health import health
from relay.web.request_id import Named
from relay.web.v1 import v1

log = logging.getLogger("relay.app")

# Listener, log, epoll, store, config and the like; never starved by exchanges.
_RESERVED_DESCRIPTORS: Final = 128


def create_app(config_path: str | Path | None = None) -> Flask:
    """Build the application from one configuration file and keep watching that file.

    Raises: `ConfigRefused` with every fault of the file.
    """
    path = loading.find(config_path, os.environ, Path.cwd())
    reloading = Reloading(path)  # before the file is read: no change in between is lost
    config = _load(path, os.environ)
    config = binding.apply(config, binding.of(os.environ, config))
    _configure_logs(config)
    lasting = _lasting(config)
    relay = current.Relay(runtime=Runtime.of(config, lasting), lasting=lasting)
    app = _flask(relay)
    app.extensions["cc-relay-reloading"] = reloading
    reloading.start(relay, binding.of(os.environ, config))
    if config.warnings and _once(config).is_mine(f"started {_held(path)!r}"):
        fields = {"path": str(path), "warnings": list(config.warnings)}
        log.warning("config has warnings", extra={"fields": fields})
    return app


class Reloading:
    """Swap the runtime when the configuration file changes; a bad file changes nothing."""

    def __init__(self, path: Path) -> None:
        """Remember what the file holds now."""
        self._path = path
        self._relay: current.Relay | None = None
        self._bound = ""
        self._began: Config | None = None
        self._watch = ConfigWatch(path, self.reload)

    def start(self, relay: current.Relay, bound: str) -> None:
        """Begin watching, in a thread (a greenlet, where threads are patched).

        `bound`: the address clients connect to, which no reload changes.
        """
        self._relay, self._bound, self._began = relay, bound, relay.runtime.config
        self._watch.start()

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._watch.close()

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


def _lasting(config: Config) -> Lasting:
    clock = SystemClock()
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Lasting(
        clock=clock,
        keys=KeyStates(),
        slots=Slots(config.state.dir / "slots"),
        watch=ClientWatch(clock),
        running=Running(capacity=max(descriptors - _RESERVED_DESCRIPTORS, 2) // 2),
    )


class _NoSession(SessionInterface):
    """No cookies are read or written."""

    def open_session(self, *_: object) -> SessionMixin:
        return NullSession()

    def is_null_session(self, _obj: object) -> bool:
        return True


class _Paths(MapAdapter):
    """Matches the two paths that carry the traffic without walking the map (8 us)."""

    known: dict[str, Any]
    """What `POST` to a path without arguments matched; there are as many as such rules."""

    def match(self, *args: Any, **kwargs: Any) -> Any:
        """As werkzeug's, which it asks for any other path or use."""
        if args or kwargs != {"return_rule": True} or self.default_method != "POST":
            return super().match(*args, **kwargs)
        found = self.known.get(self.path_info)
        if found is None:
            found = super().match(return_rule=True)
            if not found[1]:
                self.known[self.path_info] = found
            return found
        return found[0], {}  # its own: it becomes the request's `view_args`


class _Request(Request):
    """A request whose form nobody has parsed: there are no files to close."""

    def close(self) -> None:
        if "files" in self.__dict__:
            super().close()


class _Application(Flask):
    """Flask, without what this application does not ask of it on every request."""

    request_class = _Request
    session_interface = _NoSession()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self._known: dict[str, Any] = {}
        self._is_sync: set[Any] = set()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Ask once a function whether it is a coroutine's, not once a call."""
        code = getattr(func, "__code__", None)
        if code is None:
            return super().ensure_sync(func)
        if code not in self._is_sync:
            made = super().ensure_sync(func)
            if made is not func:
                return made
            self._is_sync.add(code)
        return func

    def preprocess_request(self) -> Any:
        """Look for nothing where nobody has registered anything."""
        if self.before_request_funcs or self.url_value_preprocessors:
            return super().preprocess_request()
        return None

    def process_response(self, response: Response) -> Response:
        """The same. Without a session there is none to save."""
        context = request_ctx._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        after = self.after_request_funcs or context._after_request_functions  # noqa: SLF001  Flask's
        if after or self.session_interface is not _Application.session_interface:
            made = super().process_response(response)
            if made is not response:
                made.call_on_close(response.close)
            return made
        return response

    def do_teardown_request(self, *exc: Any) -> None:
        """The same."""
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(*exc)

    def do_teardown_appcontext(self, *exc: Any) -> None:
        """The same."""
        if self.teardown_appcontext_funcs or appcontext_tearing_down.receivers:
            super().do_teardown_appcontext(*exc)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match on the path alone: the host has no say, so it is not parsed (10 µs)."""
        if request is None:
            return super().create_url_adapter(request)
        environ = request.environ
        paths = _Paths(
            self.url_map,
            server_name="relay",
            script_name=environ.get("SCRIPT_NAME") or "/",
            subdomain="",
            url_scheme="http",
            path_info=request.path,
            default_method=environ["REQUEST_METHOD"],
        )
        paths.known = self._known
        return paths


def _flask(relay: current.Relay) -> Flask:
    app = _Application("relay")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions[current.EXTENSION] = relay
    app.register_blueprint(health)
    app.register_blueprint(v1)
    errors.register(app)
    app.wsgi_app = Named(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    return app


def _needs_restart(old: Config, new: Config) -> list[str]:
    """The changed settings that only a restart puts in force (behaviour 13.1)."""
    pairs = {
        "server.listen": (old.server.listen, new.server.listen),
        "server.workers": (old.server.workers, new.server.workers),
        "state": (old.state, new.state),
    }
    return [name for name, (before, after) in pairs.items() if before != after]
