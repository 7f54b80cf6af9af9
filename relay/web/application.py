"""The Flask application, without what this one does not ask of it on every request.

Each shortcut looks whether somebody has registered something, and then does as Flask does.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask.signals import appcontext_tearing_down, request_tearing_down
from werkzeug.routing import MapAdapter


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


class Application(Flask):
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
        if after or self.session_interface is not Application.session_interface:
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
